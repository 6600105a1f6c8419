/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purge.c - no byte of what was removed or replaced stays in the data files:
 * new data keys and values sealed again, then compact copies in their place.
 * The audit entry is written before, so that it is in the files that stay.
 */
#include "engine/engine.h"
#include "engine/home.h"
#include "engine/tree.h"
#include "store/lmdb/store_lmdb.h"

#include <krosyn/vault.h>

#include <stdio.h>

typedef struct kr_purge {
  kr_engine *engine;
  const kr_progress *progress;
} kr_purge;

static kr_status kr_purge_audit(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_purge *purge = ctx;
  return kr_engine_audit(purge->engine, txn, 0, kr_clock_wall_ms(purge->engine->clock),
                         "store.purge", KR_STR("home"), NULL, 0, reterr);
}

static kr_status kr_purge_store(const kr_purge *purge, kr_store *store, const char *step,
                                uint64_t *ret_before, uint64_t *ret_after, kr_error *reterr) {
  kr_store_lmdb_info info;
  if (purge->progress != NULL && purge->progress->show != NULL)
    purge->progress->show(purge->progress->ctx, step, 0, 0);
  KR_TRY(kr_store_lmdb_look(store, &info, reterr));
  *ret_before = info.file_bytes;
  KR_TRY(kr_store_compact(store, reterr));
  KR_TRY(kr_store_lmdb_look(store, &info, reterr));
  *ret_after = info.file_bytes;
  return KR_OK;
}

/* The organizations as of now; one that comes later has nothing old to leave. */
typedef struct kr_purge_orgs {
  char (*names)[KR_ORG_NAME_BYTES + 1];
  size_t n_names;
  size_t cap;
} kr_purge_orgs;

static void kr_purge_orgs_done(kr_purge_orgs *orgs) {
  if (orgs->names != NULL)
    kr_heap_memory()->release(orgs->names, orgs->cap * sizeof *orgs->names);
}

static kr_status kr_purge_take_org(void *ctx, const kr_org_info *org) {
  kr_purge_orgs *orgs = ctx;
  if (orgs->n_names == orgs->cap) {
    size_t cap = orgs->cap == 0 ? 16 : orgs->cap * 2;
    size_t size = 0;
    void *names =
        kr_size_mul(cap, sizeof *orgs->names, &size) ? kr_heap_memory()->alloc(size) : NULL;
    if (names == NULL)
      return KR_NOMEM;
    if (orgs->n_names > 0)
      memcpy(names, orgs->names, orgs->n_names * sizeof *orgs->names);
    kr_purge_orgs_done(orgs);
    orgs->names = names;
    orgs->cap = cap;
  }
  (void)snprintf(orgs->names[orgs->n_names++], sizeof *orgs->names, "%s", org->name);
  return KR_OK;
}

/* What was removed was sealed under keys that are gone then, too, wherever copies of it are. */
static kr_status kr_purge_rotate(const kr_purge *purge, kr_error *reterr) {
  KR_CLEANUP(kr_purge_orgs_done) kr_purge_orgs orgs = {0};
  kr_status status = kr_engine_org_each(purge->engine, kr_purge_take_org, &orgs, reterr);
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  KR_TRY(status);
  for (size_t i = 0; i < orgs.n_names; i++) {
    kr_error cause = {0};
    kr_key_rotation rotation;
    if (purge->progress != NULL && purge->progress->show != NULL)
      purge->progress->show(purge->progress->ctx, "sealing again", i, orgs.n_names);
    status = kr_engine_key_rotate(purge->engine, kr_str_cstr(orgs.names[i]), NULL, NULL, &rotation,
                                  &cause);
    if (status == KR_NOT_FOUND)
      continue; /* deleted meanwhile */
    if (status != KR_OK && reterr != NULL)
      *reterr = cause;
    KR_TRY(status);
  }
  return KR_OK;
}

kr_status kr_home_purge(const kr_home_options *options, const kr_progress *progress,
                        kr_purge_info *ret_info, kr_error *reterr) {
  KR_CLEANUP(kr_engine_closep) kr_engine *engine = NULL;
  kr_purge_info info = {0};
  KR_TRY(kr_engine_open(options, &engine, reterr));
  KR_TRY(kr_engine_need_key(engine, reterr));
  kr_purge purge = {.engine = engine, .progress = progress};
  KR_TRY(kr_engine_sweep(engine, reterr));
  KR_TRY(kr_purge_rotate(&purge, reterr));
  KR_TRY(kr_store_write(engine->vault_store, kr_purge_audit, &purge, reterr));
  KR_TRY(kr_purge_store(&purge, engine->vault_store, "purging the vault", &info.vault_before,
                        &info.vault_after, reterr));
  KR_TRY(kr_purge_store(&purge, engine->events_store, "purging the event log", &info.events_before,
                        &info.events_after, reterr));
  if (ret_info != NULL)
    *ret_info = info;
  return KR_OK;
}
