/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purge.c - no byte of what was removed or replaced stays in the data files. The
 * audit entry is written before, so that it is in the files that stay.
 */
#include "engine/engine.h"
#include "engine/home.h"
#include "engine/tree.h"
#include "store/lmdb/store_lmdb.h"

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

kr_status kr_home_purge(const kr_home_options *options, const kr_progress *progress,
                        kr_purge_info *ret_info, kr_error *reterr) {
  KR_CLEANUP(kr_engine_closep) kr_engine *engine = NULL;
  kr_purge_info info = {0};
  KR_TRY(kr_engine_open(options, &engine, reterr));
  KR_TRY(kr_engine_need_key(engine, reterr));
  kr_purge purge = {.engine = engine, .progress = progress};
  KR_TRY(kr_store_write(engine->vault_store, kr_purge_audit, &purge, reterr));
  KR_TRY(kr_purge_store(&purge, engine->vault_store, "purging the vault", &info.vault_before,
                        &info.vault_after, reterr));
  KR_TRY(kr_purge_store(&purge, engine->events_store, "purging the event log", &info.events_before,
                        &info.events_after, reterr));
  if (ret_info != NULL)
    *ret_info = info;
  return KR_OK;
}
