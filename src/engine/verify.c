/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c - everything in a home, read and checked; see verify.h and krosyn/copies.h. */
#include "engine/verify.h"

#include "base/encode.h"
#include "engine/home.h"
#include "store/lmdb/store_lmdb.h"

#include <krosyn/copies.h>

typedef struct kr_verify {
  kr_home_damage_visit visit;
  void *ctx;
  const char *area;
  uint64_t n_damaged;
} kr_verify;

static void kr_verify_tell(void *ctx, const kr_damage *damage) {
  kr_verify *verify = ctx;
  const kr_home_damage told = kr_home_damage_of(verify->area, damage);
  verify->n_damaged++;
  if (verify->visit != NULL)
    verify->visit(verify->ctx, &told);
}

static void kr_verify_tell_what(kr_verify *verify, const char *area, const char *what) {
  const kr_damage damage = {.what = what, .organization = "", .environment = "", .secret = ""};
  verify->area = area;
  kr_verify_tell(verify, &damage);
}

static kr_status kr_chain_text(const uint8_t chain[KR_MAC_BYTES], char out[KR_CHAIN_TEXT_BYTES],
                               kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf hex = KR_BUF_INIT(KR_CHAIN_TEXT_BYTES, NULL);
  kr_status status = kr_hex_encode(kr_str_from(chain, KR_MAC_BYTES), &hex);
  if (status != KR_OK)
    return kr_buf_explain(&hex, status, "the head", reterr);
  memcpy(out, hex.ptr, hex.len);
  out[hex.len] = '\0';
  return KR_OK;
}

kr_status kr_engine_head(kr_engine *engine, kr_home_head *ret_head, kr_error *reterr) {
  kr_home_head head = {.generation = 0};
  kr_events_anchor anchor;
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  KR_TRY(kr_vault_head_generation(engine->vault, txn, &head.generation, reterr));
  KR_TRY(kr_events_end(engine->events, &anchor, reterr));
  kr_home_uuid_format(engine->uuid, head.store);
  head.events = anchor.sequence;
  KR_TRY(kr_chain_text(anchor.chain, head.chain, reterr));
  *ret_head = head;
  return KR_OK;
}

/*
 * Settings and uses are in no manifest: one that vanished with a damaged page
 * shows only in the number that the tree itself says it has. Compared when
 * nobody has committed meanwhile, so that both numbers are of one state.
 */
static void kr_verify_entries(kr_verify *verify, kr_store *store, const kr_store_lmdb_info *before,
                              uint64_t n_walked, const char *area) {
  kr_store_lmdb_info after;
  if (verify->n_damaged > 0 || kr_store_lmdb_look(store, &after, NULL) != KR_OK)
    return;
  if (before->last_txn == after.last_txn && n_walked != after.entries)
    kr_verify_tell_what(verify, area,
                        "a page of the store is damaged: it has other records than it counts");
}

static kr_status kr_verify_log(kr_engine *engine, const kr_error *log_error, kr_verify *verify,
                               kr_home_counts *counts, kr_error *reterr) {
  const kr_survey survey = {.damaged = kr_verify_tell, .ctx = verify};
  kr_events_counts found = {0};
  if (engine->events == NULL) {
    kr_verify_tell_what(verify, "events", log_error->message);
    return KR_OK;
  }
  kr_store_lmdb_info before = {0};
  bool is_known = kr_store_lmdb_look(engine->events_store, &before, NULL) == KR_OK;
  verify->area = "events";
  KR_TRY(kr_events_survey(engine->events, &survey, &found, reterr));
  if (is_known)
    kr_verify_entries(verify, engine->events_store, &before, found.records, "events");
  counts->events = found.events;
  counts->intents = found.intents;
  counts->records += found.records;
  return KR_OK;
}

static kr_status kr_verify_vault(kr_engine *engine, kr_verify *verify, kr_home_counts *counts,
                                 kr_error *reterr) {
  const kr_survey survey = {.damaged = kr_verify_tell, .ctx = verify};
  kr_vault_counts vault = {0};
  kr_registry_counts registry = {0};
  kr_store_lmdb_info before = {0};
  bool is_known = kr_store_lmdb_look(engine->vault_store, &before, NULL) == KR_OK;
  verify->area = "vault";
  KR_TRY(kr_vault_survey(engine->vault, &survey, &vault, reterr));
  verify->area = "settings and audit";
  KR_TRY(kr_registry_survey(&engine->registry, engine->vault_store, &survey, &registry, reterr));
  if (is_known)
    kr_verify_entries(verify, engine->vault_store, &before, vault.records + registry.records,
                      "vault");
  *counts = (kr_home_counts){.organizations = vault.organizations,
                             .secrets = vault.secrets,
                             .values = vault.values,
                             .data_keys = vault.data_keys,
                             .settings = registry.settings,
                             .audit_entries = registry.entries,
                             .records = vault.records + registry.records};
  return KR_OK;
}

/* The vault's counter and the log's number may only have grown, and the log must lead from there.
 */
static kr_status kr_verify_expected(kr_engine *engine, kr_verify *verify, const kr_home_head *kept,
                                    const kr_home_head *found, kr_error *reterr) {
  uint8_t chain[KR_MAC_BYTES] = {0}; /* before the first event */
  char text[KR_CHAIN_TEXT_BYTES] = "";
  if (strcmp(kept->store, found->store) != 0) {
    kr_verify_tell_what(verify, "head", "the kept head is of another home");
    return KR_OK;
  }
  if (found->generation < kept->generation)
    kr_verify_tell_what(verify, "head",
                        "the vault was put back to a state older than the kept head");
  if (found->events < kept->events) {
    kr_verify_tell_what(verify, "head",
                        "the event log was put back to a state older than the kept head");
    return KR_OK;
  }
  if (kept->events > 0) {
    kr_status status = kr_events_chain_at(engine->events, kept->events, chain, NULL);
    if (status == KR_NOMEM)
      return kr_fail_nomem(reterr);
    if (status != KR_OK)
      return KR_OK; /* the walk has told of it */
  }
  KR_TRY(kr_chain_text(chain, text, reterr));
  if (strcmp(text, kept->chain) != 0)
    kr_verify_tell_what(verify, "head",
                        "the event log is not the one of the kept head: it was put back to an "
                        "older state and went on from there");
  return KR_OK;
}

kr_status kr_engine_verify(kr_engine *engine, const kr_error *log_error,
                           const kr_home_head *expected, kr_home_damage_visit visit, void *ctx,
                           kr_home_report *ret_report, kr_error *reterr) {
  kr_verify verify = {.visit = visit, .ctx = ctx};
  kr_home_report report = {.has_head = false};
  KR_TRY(kr_engine_need_key(engine, reterr));
  KR_TRY(kr_verify_vault(engine, &verify, &report.counts, reterr));
  KR_TRY(kr_verify_log(engine, log_error, &verify, &report.counts, reterr));
  /* Of a damaged head the walks have told. */
  report.has_head = engine->events != NULL && kr_engine_head(engine, &report.head, NULL) == KR_OK;
  if (report.has_head && expected != NULL)
    KR_TRY(kr_verify_expected(engine, &verify, expected, &report.head, reterr));
  report.counts.damaged = verify.n_damaged;
  *ret_report = report;
  return KR_OK;
}

/* What keeps a home from being opened at all may be damage, too: then there is nothing to count. */
static kr_status kr_verify_unopened(kr_status status, kr_home_damage_visit visit, void *ctx,
                                    const kr_error *error, kr_home_report *ret_report,
                                    kr_error *reterr) {
  if (status != KR_CORRUPT) {
    if (reterr != NULL)
      *reterr = *error;
    return status;
  }
  kr_verify verify = {.visit = visit, .ctx = ctx};
  kr_verify_tell_what(&verify, "vault", error->message);
  *ret_report = (kr_home_report){.counts = {.damaged = 1}};
  return KR_OK;
}

kr_status kr_home_verify(const kr_home_options *options, const kr_home_head *expected,
                         kr_home_damage_visit visit, void *ctx, kr_home_report *ret_report,
                         kr_error *reterr) {
  kr_error log_error = {.status = KR_OK};
  kr_error error = {.status = KR_OK};
  const kr_engine_mode mode = kr_verify_mode(false, &log_error);
  KR_CLEANUP(kr_engine_closep) kr_engine *engine = NULL;
  kr_status status = kr_engine_open_as(options, &mode, &engine, &error);
  if (status != KR_OK)
    return kr_verify_unopened(status, visit, ctx, &error, ret_report, reterr);
  return kr_engine_verify(engine, &log_error, expected, visit, ctx, ret_report, reterr);
}

kr_status kr_home_head_read(const kr_home_options *options, kr_home_head *ret_head,
                            kr_error *reterr) {
  const kr_engine_mode mode = {.is_read_only = true};
  KR_CLEANUP(kr_engine_closep) kr_engine *engine = NULL;
  KR_TRY(kr_engine_open_as(options, &mode, &engine, reterr));
  KR_TRY(kr_engine_need_key(engine, reterr));
  return kr_engine_head(engine, ret_head, reterr);
}
