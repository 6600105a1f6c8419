/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c - what can be said of a home at a glance. A key that is missing or
 * wrong is part of the answer and no failure; then names and numbers are read
 * unverified.
 */
#define _DEFAULT_SOURCE
#include "engine/home.h"
#include "engine/verify.h"
#include "store/lmdb/store_lmdb.h"

#include <dirent.h>

static kr_status kr_status_open(const kr_home_options *options, kr_home_info *info,
                                kr_engine **ret_engine, kr_error *reterr) {
  const kr_engine_mode mode = {.is_read_only = true};
  kr_home_options keyless = *options;
  kr_error error = {.status = KR_OK};
  keyless.without_key = true;
  kr_status status =
      options->without_key ? KR_UNTRUSTED : kr_engine_open_as(options, &mode, ret_engine, &error);
  info->has_key = status == KR_OK;
  if (status == KR_OK)
    return KR_OK;
  if (status != KR_UNTRUSTED) {
    if (reterr != NULL)
      *reterr = error;
    return status;
  }
  info->key_error = error;
  return kr_engine_open_as(&keyless, &mode, ret_engine, reterr);
}

static kr_status kr_status_store(kr_store *store, kr_store_info *out, kr_error *reterr) {
  kr_store_lmdb_info info;
  KR_TRY(kr_store_lmdb_look(store, &info, reterr));
  *out = (kr_store_info){.records = info.entries,
                         .file_bytes = info.file_bytes,
                         .used_bytes = info.used_bytes,
                         .free_bytes = info.free_bytes,
                         .map_bytes = info.map_bytes,
                         .readers = info.n_readers,
                         .max_readers = info.max_readers};
  return KR_OK;
}

static kr_status kr_status_count(void *ctx, const kr_org_info *org) {
  kr_home_info *info = ctx;
  info->n_organizations++;
  info->n_secrets += org->n_secrets;
  return KR_OK;
}

static kr_status kr_status_vault(kr_engine *engine, kr_home_info *info, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  KR_TRY(kr_vault_key_id(txn, info->key_needed, reterr));
  return kr_vault_head_generation(engine->vault, txn, &info->generation, reterr);
}

static unsigned kr_status_remains(const char *home) {
  static const char *const names[] = {"vault.purge-", "events.purge-"};
  unsigned n = 0;
  DIR *entries = opendir(home);
  if (entries == NULL)
    return 0;
  for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries))
    for (size_t i = 0; i < 2; i++)
      n += strncmp(entry->d_name, names[i], strlen(names[i])) == 0;
  (void)closedir(entries);
  return n;
}

kr_status kr_home_status(const kr_home_options *options, kr_home_info *ret_info, kr_error *reterr) {
  KR_CLEANUP(kr_engine_closep) kr_engine *engine = NULL;
  kr_home_info info = {.format = KR_VAULT_FORMAT};
  kr_events_anchor anchor;
  KR_TRY(kr_status_open(options, &info, &engine, reterr));
  kr_home_uuid_format(engine->uuid, info.store);
  KR_TRY(kr_status_vault(engine, &info, reterr));
  KR_TRY(kr_engine_org_each(engine, kr_status_count, &info, reterr));
  KR_TRY(kr_events_end(engine->events, &anchor, reterr));
  info.events = anchor.sequence;
  info.pending = anchor.n_pending;
  KR_TRY(kr_status_store(engine->vault_store, &info.vault, reterr));
  KR_TRY(kr_status_store(engine->events_store, &info.log, reterr));
  info.n_remains = kr_status_remains(options->home);
  info.lmdb = kr_store_lmdb_version(&info.is_lmdb_suspect);
  *ret_info = info;
  return KR_OK;
}
