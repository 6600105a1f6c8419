/* SPDX-License-Identifier: Apache-2.0 */
/*
 * salvage.c - a new home from what is good of a damaged one. It is made beside
 * its place, checked as verify does, and then gets its name.
 */
#include "base/clock.h"
#include "engine/home.h"
#include "engine/tree.h"
#include "engine/verify.h"
#include "store/lmdb/store_lmdb.h"

typedef struct kr_rescue {
  const kr_home_options *options;
  kr_home_damage_visit visit;
  void *ctx;
  const char *area; /* of what is told now */
  kr_error log_error;
  kr_engine *engine; /* of the damaged home */
  kr_tree tree;
  kr_store *store; /* of the new one, one after the other */
  uint64_t n_left;
} kr_rescue;

static void kr_rescue_done(kr_rescue *rescue) {
  kr_store_closep(&rescue->store);
  kr_engine_close(rescue->engine);
  kr_tree_done(&rescue->tree);
}

static void kr_rescue_tell(void *ctx, const kr_damage *damage) {
  kr_rescue *rescue = ctx;
  const kr_home_damage told = kr_home_damage_of(rescue->area, damage);
  rescue->n_left++;
  if (rescue->visit != NULL)
    rescue->visit(rescue->ctx, &told);
}

static kr_status kr_rescue_open(kr_rescue *rescue, kr_error *reterr) {
  const kr_engine_mode mode = kr_verify_mode(false, &rescue->log_error);
  KR_TRY(kr_engine_open_as(rescue->options, &mode, &rescue->engine, reterr));
  return kr_engine_need_key(rescue->engine, reterr);
}

static kr_status kr_rescue_create(kr_rescue *rescue, const char *name, kr_error *reterr) {
  const kr_store_lmdb_options create = {.is_create = true};
  kr_path path;
  kr_store_closep(&rescue->store);
  rescue->store = NULL;
  KR_TRY(kr_path_join(&path, rescue->tree.draft.text, name, reterr));
  return kr_store_lmdb_open(kr_str_cstr(path.text), &create, &rescue->store, reterr);
}

/* The audit of the new home says what it is. */
static kr_status kr_rescue_audit(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_rescue *rescue = ctx;
  return kr_engine_audit(rescue->engine, txn, 0, kr_clock_wall_ms(rescue->engine->clock),
                         "store.salvage", KR_STR("home"), NULL, 0, reterr);
}

static kr_status kr_rescue_vault(kr_rescue *rescue, kr_error *reterr) {
  kr_engine *engine = rescue->engine;
  const kr_survey survey = {.damaged = kr_rescue_tell, .ctx = rescue};
  kr_vault_counts vault;
  kr_registry_counts registry;
  uint32_t high_org_id = 0;
  if (engine->events != NULL)
    KR_TRY(kr_events_high_org(engine->events, &high_org_id, reterr));
  KR_TRY(kr_rescue_create(rescue, "vault", reterr));
  rescue->area = "vault";
  KR_TRY(kr_vault_salvage(engine->vault, rescue->store, high_org_id, &survey, &vault, reterr));
  rescue->area = "settings and audit";
  KR_TRY(kr_registry_salvage(&engine->registry, engine->vault_store, rescue->store, &survey,
                             &registry, reterr));
  return kr_store_write(rescue->store, kr_rescue_audit, rescue, reterr);
}

static kr_status kr_rescue_empty_log(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_rescue *rescue = ctx;
  return kr_events_create(txn, kr_vault_chain_key(rescue->engine->vault), rescue->engine->uuid,
                          reterr);
}

static kr_status kr_rescue_log(kr_rescue *rescue, kr_error *reterr) {
  const kr_survey survey = {.damaged = kr_rescue_tell, .ctx = rescue};
  kr_events_counts events;
  KR_TRY(kr_rescue_create(rescue, "events", reterr));
  rescue->area = "events";
  if (rescue->engine->events != NULL)
    return kr_events_salvage(rescue->engine->events, rescue->store, &survey, &events, reterr);
  const kr_damage damage = {
      .what = rescue->log_error.message, .organization = "", .environment = "", .secret = ""};
  kr_rescue_tell(rescue, &damage);
  return kr_store_write(rescue->store, kr_rescue_empty_log, rescue, reterr);
}

static kr_status kr_rescue_settings(kr_rescue *rescue, kr_error *reterr) {
  kr_home_settings settings;
  KR_TRY(kr_home_settings_load(rescue->options->home, &settings, reterr));
  return kr_home_settings_save(rescue->tree.draft.text, &settings, reterr);
}

/* Whatever a salvage made that does not check out would be a bug of ours; it gets no name. */
static kr_status kr_rescue_prove(kr_rescue *rescue, kr_home_report *ret_report, kr_error *reterr) {
  kr_error log_error = {.status = KR_OK};
  kr_engine_mode mode = kr_verify_mode(true, &log_error);
  KR_CLEANUP(kr_engine_closep) kr_engine *engine = NULL;
  kr_home_options options = *rescue->options;
  options.home = rescue->tree.draft.text;
  mode.keyring = rescue->engine->keyring;
  KR_TRY(kr_engine_open_as(&options, &mode, &engine, reterr));
  KR_TRY(
      kr_engine_verify(engine, &log_error, NULL, rescue->visit, rescue->ctx, ret_report, reterr));
  if (ret_report->counts.damaged == 0)
    return KR_OK;
  return kr_fail(reterr, KR_INTERNAL, "what was saved does not check out");
}

static kr_status kr_rescue_run(kr_rescue *rescue, const char *directory, kr_home_report *ret_report,
                               kr_error *reterr) {
  KR_TRY(kr_tree_check_outside(directory, rescue->options->home,
                               "the new home would lie inside the damaged one", reterr));
  KR_TRY(kr_rescue_open(rescue, reterr));
  KR_TRY(kr_tree_begin(&rescue->tree, directory, false, reterr));
  KR_TRY(kr_rescue_vault(rescue, reterr));
  KR_TRY(kr_rescue_log(rescue, reterr));
  kr_store_closep(&rescue->store);
  rescue->store = NULL;
  KR_TRY(kr_rescue_settings(rescue, reterr));
  KR_TRY(kr_rescue_prove(rescue, ret_report, reterr));
  return kr_tree_end(&rescue->tree, reterr);
}

kr_status kr_home_salvage(const kr_home_options *options, const char *directory,
                          kr_home_damage_visit visit, void *ctx, kr_home_report *ret_report,
                          kr_error *reterr) {
  KR_CLEANUP(kr_rescue_done)
  kr_rescue rescue = {.options = options, .visit = visit, .ctx = ctx};
  return kr_rescue_run(&rescue, directory, ret_report, reterr);
}
