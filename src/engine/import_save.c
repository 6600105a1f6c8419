/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_save.c - the items of an import into the vault, with an audit entry
 * each, in one transaction: all or none. It first sees that what is saved is
 * what the plan saw; another process may have written since.
 */
#include "engine/import.h"

typedef struct kr_import_seen {
  kr_import *import;
  size_t n_own; /* secrets that the file names */
} kr_import_seen;

static kr_status kr_import_see(void *ctx, const kr_secret_meta *meta) {
  kr_import_seen *seen = ctx;
  const kr_import_item *item = kr_import_find(seen->import, kr_str_cstr(meta->name));
  kr_str environment = kr_str_cstr(meta->environment);
  if (item == NULL || !kr_str_equal(environment, seen->import->options->environment))
    return KR_OK;
  seen->n_own++;
  if (item->version == meta->version)
    return KR_OK;
  return kr_fail_hint(seen->import->reterr, KR_REFUSED, "a secret was changed during the import",
                      "nothing was saved; run the import again");
}

static kr_status kr_import_check_unchanged(kr_import *import, kr_store_txn *txn) {
  kr_import_seen seen = {.import = import};
  size_t n_expected = 0;
  for (size_t i = 0; i < kr_import_n_items(import); i++)
    n_expected += kr_import_at(import, i)->version != 0;
  KR_TRY(kr_vault_secret_each(import->engine->vault, txn, &import->org, kr_import_see, &seen,
                              import->reterr));
  if (seen.n_own == n_expected)
    return KR_OK;
  return kr_fail_hint(import->reterr, KR_REFUSED, "a secret was deleted during the import",
                      "nothing was saved; run the import again");
}

static kr_status kr_import_save_item(kr_import *import, kr_store_txn *txn, kr_vault_batch *batch,
                                     kr_import_item *item, kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
  kr_engine *engine = import->engine;
  kr_secret_meta old = {.version = item->version};
  kr_secret_meta saved = {0};
  if (item->old_description.len > 0)
    memcpy(old.description, item->old_description.ptr, item->old_description.len);
  KR_TRY(kr_secret_copy(engine, item->value, &value, reterr));
  const kr_secret_saving saving = {.name = item->name,
                                   .environment = import->options->environment,
                                   .value = value,
                                   .description = item->description,
                                   .by = kr_str_cstr(engine->actor),
                                   .now_ms = import->now_ms};
  KR_TRY(kr_vault_batch_set(batch, &saving, &saved, reterr));
  item->new_version = saved.version;
  return kr_engine_secret_audit(engine, txn, &import->org, item->version == 0 ? NULL : &old, &saved,
                                import->now_ms, reterr);
}

static kr_status kr_import_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  kr_import *import = ctx;
  KR_CLEANUP(kr_vault_batch_freep) kr_vault_batch *batch = NULL;
  KR_TRY(kr_import_check_unchanged(import, txn));
  KR_TRY(kr_vault_batch_begin(import->engine->vault, txn, &import->org, &batch, reterr));
  /* In the order of the store's keys: neighbours lie in the same pages. */
  const uint32_t *sorted = (const uint32_t *)(const void *)import->sorted.ptr;
  for (size_t i = 0; i < kr_import_n_items(import); i++) {
    kr_import_item *item = kr_import_at(import, sorted[i]);
    if (item->outcome != KR_IMPORT_SAME)
      KR_TRY(kr_import_save_item(import, txn, batch, item, reterr));
  }
  return kr_vault_batch_end(batch, reterr);
}

kr_status kr_import_save(kr_import *import) {
  bool is_needed = false;
  for (size_t i = 0; i < kr_import_n_items(import); i++)
    is_needed = is_needed || kr_import_at(import, i)->outcome != KR_IMPORT_SAME;
  if (!is_needed)
    return KR_OK;
  return kr_store_write(import->engine->vault_store, kr_import_change, import, import->reterr);
}
