/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secrets.c - set, show, open and delete secrets of one organization. Each
 * change is one kr_change, so that manifest and records move together.
 */
#include "vault/meta.h"

static kr_status kr_secret_consider(void *ctx, const kr_secret_meta *meta) {
  kr_nearest_consider(ctx, kr_str_cstr(meta->name));
  return KR_OK;
}

static kr_status kr_secret_missing(const kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                   kr_str name, kr_str environment, kr_error *reterr) {
  kr_nearest nearest = kr_nearest_init(name);
  KR_TRY(kr_meta_each(vault, txn, org->id, kr_secret_consider, &nearest, reterr));
  bool has_environment = environment.len > 0;
  kr_status status =
      kr_fail(reterr, KR_NOT_FOUND, "organization %s has no secret %.*s%s%.*s", org->name,
              KR_FMT(name), has_environment ? " in the environment " : "", KR_FMT(environment));
  if (has_environment && kr_str_equal(kr_str_cstr(nearest.name), name))
    kr_error_hint(reterr, "%s is there in another environment, or as the default", nearest.name);
  else if (nearest.name[0] != '\0')
    kr_error_hint(reterr, "did you mean %s?", nearest.name);
  else
    kr_error_hint(reterr, "save it with `krosyn secret set %.*s`", KR_FMT(name));
  return status;
}

static kr_status kr_secret_check_names(kr_str name, kr_str environment, kr_error *reterr) {
  KR_TRY(kr_vault_name_check(name, reterr));
  return kr_vault_environment_check(environment, reterr);
}

/* Existing metadata with the organization's first-use checks; KR_NOT_FOUND is described. */
static kr_status kr_secret_find(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                                kr_str environment, kr_meta_record *ret_record, kr_error *reterr) {
  kr_manifest manifest;
  KR_TRY(kr_secret_check_names(name, environment, reterr));
  KR_TRY(kr_vault_use(vault, txn, org, &manifest, reterr));
  kr_status status = kr_meta_get(vault, txn, org->id, name, environment, ret_record, reterr);
  return status == KR_NOT_FOUND ? kr_secret_missing(vault, txn, org, name, environment, reterr)
                                : status;
}

/* A text that is cut rather than refused: who did it, never what. */
static void kr_secret_note_by(char out[KR_VAULT_BY_BYTES + 1], kr_str by) {
  size_t len = by.len > KR_VAULT_BY_BYTES ? KR_VAULT_BY_BYTES : by.len;
  memset(out, 0, KR_VAULT_BY_BYTES + 1);
  while (len > 0 && kr_vault_description_check(kr_str_slice(by, 0, len), NULL) != KR_OK)
    len--; /* not inside a code point */
  if (len > 0)
    memcpy(out, by.ptr, len);
}

/* The metadata that a new secret starts from. */
static kr_status kr_secret_begin(kr_change *change, const kr_secret_saving *saving,
                                 kr_meta_record *record, kr_error *reterr) {
  if (change->manifest.n_secrets >= KR_VAULT_SECRETS_MAX)
    return kr_fail(reterr, KR_LIMIT, "an organization holds at most %u secrets",
                   KR_VAULT_SECRETS_MAX);
  memset(record, 0, sizeof *record);
  record->meta.created_ms = saving->now_ms;
  record->meta.policy.keep = KR_VAULT_VERSIONS_KEPT;
  kr_secret_note_by(record->meta.created_by, saving->by);
  memcpy(record->meta.name, saving->name.ptr, saving->name.len);
  if (saving->environment.len > 0)
    memcpy(record->meta.environment, saving->environment.ptr, saving->environment.len);
  change->manifest.n_secrets++;
  return KR_OK;
}

static kr_value_name kr_secret_value_name(const kr_change *change, const kr_meta_record *record,
                                          uint32_t version) {
  return (kr_value_name){.org_id = change->org_id,
                         .name = kr_str_cstr(record->meta.name),
                         .environment = kr_str_cstr(record->meta.environment),
                         .version = version};
}

static kr_vault_place kr_secret_place(const kr_value_name *name) {
  return kr_place_value(name->org_id, name->name, name->environment, name->version);
}

/* Remove the oldest versions until n are left. */
static kr_status kr_secret_prune(kr_change *change, kr_meta_record *record, uint32_t n,
                                 kr_error *reterr) {
  uint32_t n_gone = record->n_versions > n ? record->n_versions - n : 0;
  for (uint32_t i = 0; i < n_gone; i++) {
    kr_value_name name = kr_secret_value_name(change, record, record->versions[i].version);
    kr_vault_place place = kr_secret_place(&name);
    KR_TRY(kr_change_remove(change, kr_place_str(&place), reterr));
  }
  record->n_versions -= n_gone;
  memmove(record->versions, record->versions + n_gone,
          record->n_versions * sizeof record->versions[0]);
  if (record->n_versions > 0)
    record->meta.oldest = record->versions[0].version;
  return KR_OK;
}

/* Make room for one more version, and number it. */
static kr_status kr_secret_next_version(kr_change *change, kr_meta_record *record, uint32_t from,
                                        kr_str by, int64_t now_ms, kr_error *reterr) {
  if (record->meta.version == UINT32_MAX)
    return kr_fail_hint(reterr, KR_LIMIT, "a secret has used up its version numbers",
                        "delete it and save it again");
  KR_TRY(kr_secret_prune(change, record, record->meta.policy.keep - 1, reterr));
  record->meta.version++;
  record->meta.updated_ms = now_ms;
  kr_secret_note_by(record->meta.updated_by, by);
  kr_secret_version *version = &record->versions[record->n_versions++];
  *version =
      (kr_secret_version){.version = record->meta.version, .from = from, .created_ms = now_ms};
  kr_secret_note_by(version->by, by);
  record->meta.oldest = record->versions[0].version;
  return KR_OK;
}

static kr_status kr_secret_put_value(kr_change *change, const kr_secret *data_key,
                                     const kr_meta_record *record, kr_str value, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(KR_VAULT_RECORD_BYTES, NULL);
  kr_value_name name = kr_secret_value_name(change, record, record->meta.version);
  KR_TRY(kr_value_seal(change->vault, data_key, change->manifest.data_key_id, &name, value, &sealed,
                       reterr));
  kr_vault_place place = kr_secret_place(&name);
  return kr_change_put(change, kr_place_str(&place), kr_buf_str(&sealed), reterr);
}

static kr_status kr_secret_current_key(const kr_change *change, kr_secret **ret_key,
                                       kr_error *reterr) {
  return kr_data_key_open(change->vault, change->txn, change->org_id, change->manifest.data_key_id,
                          ret_key, reterr);
}

static kr_status kr_secret_end(kr_change *change, const kr_meta_record *record,
                               kr_secret_meta *ret_meta, kr_error *reterr) {
  KR_TRY(kr_meta_put(change, record, reterr));
  KR_TRY(kr_change_end(change, reterr));
  *ret_meta = record->meta;
  return KR_OK;
}

static kr_status kr_secret_check_saving(const kr_secret_saving *saving, kr_error *reterr) {
  KR_TRY(kr_secret_check_names(saving->name, saving->environment, reterr));
  KR_TRY(kr_value_check(kr_secret_reveal(saving->value), reterr));
  return kr_vault_description_check(saving->description, reterr);
}

/* One value more, in a change that is under way. */
static kr_status kr_secret_save(kr_change *change, const kr_secret *data_key,
                                const kr_secret_saving *saving, kr_secret_meta *ret_meta,
                                kr_error *reterr) {
  kr_meta_record record;
  kr_status status = kr_meta_get(change->vault, change->txn, change->org_id, saving->name,
                                 saving->environment, &record, reterr);
  if (status == KR_NOT_FOUND)
    status = kr_secret_begin(change, saving, &record, reterr);
  KR_TRY(status);
  KR_TRY(kr_secret_next_version(change, &record, 0, saving->by, saving->now_ms, reterr));
  if (saving->description.ptr != NULL) {
    memset(record.meta.description, 0, sizeof record.meta.description);
    memcpy(record.meta.description, saving->description.ptr, saving->description.len);
  }
  KR_TRY(kr_secret_put_value(change, data_key, &record, kr_secret_reveal(saving->value), reterr));
  KR_TRY(kr_meta_put(change, &record, reterr));
  *ret_meta = record.meta;
  return KR_OK;
}

kr_status kr_vault_secret_set(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                              const kr_secret_saving *saving, kr_secret_meta *ret_meta,
                              kr_error *reterr) {
  kr_change change;
  KR_CLEANUP(kr_secret_freep) kr_secret *data_key = NULL;
  KR_TRY(kr_secret_check_saving(saving, reterr));
  KR_TRY(kr_change_begin(&change, vault, txn, org, reterr));
  KR_TRY(kr_secret_current_key(&change, &data_key, reterr));
  KR_TRY(kr_secret_save(&change, data_key, saving, ret_meta, reterr));
  return kr_change_end(&change, reterr);
}

/* ---- many in one transaction ---- */

struct kr_vault_batch {
  kr_change change;
  kr_mac *sum_mac;
  kr_secret *data_key;
  bool is_spoilt; /* a set failed: the transaction may hold a part of it */
};

kr_status kr_vault_batch_begin(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                               kr_vault_batch **ret_batch, kr_error *reterr) {
  KR_CLEANUP(kr_vault_batch_freep) kr_vault_batch *batch = kr_heap_memory()->alloc(sizeof *batch);
  if (batch == NULL)
    return kr_fail_nomem(reterr);
  *batch = (kr_vault_batch){.data_key = NULL};
  KR_TRY(kr_change_begin(&batch->change, vault, txn, org, reterr));
  KR_TRY(kr_secret_current_key(&batch->change, &batch->data_key, reterr));
  KR_TRY(kr_mac_new(vault->keys.sum, &batch->sum_mac, reterr));
  batch->change.sum_mac = batch->sum_mac;
  *ret_batch = KR_TAKE(batch);
  return KR_OK;
}

kr_status kr_vault_batch_set(kr_vault_batch *batch, const kr_secret_saving *saving,
                             kr_secret_meta *ret_meta, kr_error *reterr) {
  KR_TRY(kr_secret_check_saving(saving, reterr));
  kr_status status = kr_secret_save(&batch->change, batch->data_key, saving, ret_meta, reterr);
  batch->is_spoilt = batch->is_spoilt || status != KR_OK;
  return status;
}

/* Another change in the transaction would be lost here, and the organization damaged. */
static kr_status kr_batch_check_alone(const kr_change *change, kr_error *reterr) {
  kr_vault_head head;
  KR_TRY(kr_head_read(change->vault, change->txn, &head, reterr));
  if (head.generation == change->head.generation)
    return KR_OK;
  return kr_fail(reterr, KR_INTERNAL, "the vault was changed in the midst of a batch");
}

kr_status kr_vault_batch_end(kr_vault_batch *batch, kr_error *reterr) {
  if (batch->is_spoilt)
    return kr_fail(reterr, KR_INTERNAL, "a batch was ended after one of its values failed");
  KR_TRY(kr_batch_check_alone(&batch->change, reterr));
  batch->is_spoilt = true; /* it has ended */
  return kr_change_end(&batch->change, reterr);
}

void kr_vault_batch_free(kr_vault_batch *batch) {
  if (batch == NULL)
    return;
  kr_secret_free(batch->data_key);
  kr_mac_free(batch->sum_mac);
  kr_heap_memory()->release(batch, sizeof *batch);
}

/* A change of a secret that must be there. */
static kr_status kr_secret_change_begin(kr_change *change, kr_vault *vault, kr_store_txn *txn,
                                        const kr_org *org, kr_str name, kr_str environment,
                                        kr_meta_record *record, kr_error *reterr) {
  KR_TRY(kr_secret_check_names(name, environment, reterr));
  KR_TRY(kr_change_begin(change, vault, txn, org, reterr));
  kr_status status = kr_meta_get(vault, txn, org->id, name, environment, record, reterr);
  return status == KR_NOT_FOUND ? kr_secret_missing(vault, txn, org, name, environment, reterr)
                                : status;
}

static kr_status kr_secret_choose(const kr_meta_record *record, uint32_t wanted,
                                  uint32_t *ret_version, kr_error *reterr) {
  *ret_version = wanted == 0 ? record->meta.version : wanted;
  for (uint32_t i = 0; i < record->n_versions; i++)
    if (record->versions[i].version == *ret_version)
      return KR_OK;
  kr_status status =
      kr_fail(reterr, KR_NOT_FOUND, "secret %s has no version %u", record->meta.name, wanted);
  kr_error_hint(reterr, "versions %u to %u are kept", record->meta.oldest, record->meta.version);
  return status;
}

/* One version's value, of a record that was read in this transaction. */
static kr_status kr_secret_open_version(kr_vault *vault, kr_store_txn *txn,
                                        const kr_value_name *name, kr_secret **ret_value,
                                        kr_error *reterr) {
  kr_vault_place place = kr_secret_place(name);
  kr_str bytes = {0};
  kr_status status = kr_store_get(txn, kr_place_str(&place), &bytes, reterr);
  if (status == KR_NOT_FOUND)
    return kr_vault_corrupt(reterr, "secret %.*s, version %u, is gone", KR_FMT(name->name),
                            name->version);
  KR_TRY(status);
  return kr_value_open(vault, txn, name, bytes, ret_value, reterr);
}

kr_status kr_vault_secret_rollback(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                   kr_str name, kr_str environment, uint32_t version, kr_str by,
                                   int64_t now_ms, kr_secret_meta *ret_meta, kr_error *reterr) {
  kr_change change;
  kr_meta_record record;
  uint32_t chosen = 0;
  KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
  KR_CLEANUP(kr_secret_freep) kr_secret *data_key = NULL;
  KR_TRY(kr_secret_change_begin(&change, vault, txn, org, name, environment, &record, reterr));
  KR_TRY(kr_secret_choose(&record, version, &chosen, reterr));
  if (chosen == record.meta.version)
    return kr_fail_hint(reterr, KR_INVALID, "this version is the newest one already",
                        "name an older one; `krosyn secret history` lists them");
  kr_value_name old = kr_secret_value_name(&change, &record, chosen);
  KR_TRY(kr_secret_open_version(vault, txn, &old, &value, reterr));
  KR_TRY(kr_secret_next_version(&change, &record, chosen, by, now_ms, reterr));
  KR_TRY(kr_secret_current_key(&change, &data_key, reterr));
  KR_TRY(kr_secret_put_value(&change, data_key, &record, kr_secret_reveal(value), reterr));
  return kr_secret_end(&change, &record, ret_meta, reterr);
}

kr_status kr_vault_secret_set_policy(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                     kr_str name, kr_str environment,
                                     const kr_secret_policy *policy, kr_str by, int64_t now_ms,
                                     kr_secret_meta *ret_meta, kr_error *reterr) {
  kr_change change;
  kr_meta_record record;
  KR_TRY(kr_vault_policy_check(policy, reterr));
  KR_TRY(kr_secret_change_begin(&change, vault, txn, org, name, environment, &record, reterr));
  record.meta.policy = *policy;
  record.meta.updated_ms = now_ms;
  kr_secret_note_by(record.meta.updated_by, by);
  KR_TRY(kr_secret_prune(&change, &record, policy->keep, reterr));
  return kr_secret_end(&change, &record, ret_meta, reterr);
}

kr_status kr_vault_secret_meta(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                               kr_str environment, kr_secret_meta *ret_meta, kr_error *reterr) {
  kr_meta_record record;
  KR_TRY(kr_secret_find(vault, txn, org, name, environment, &record, reterr));
  *ret_meta = record.meta;
  return KR_OK;
}

kr_status kr_vault_secret_resolve(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                  kr_str name, kr_str environment, kr_secret_meta *ret_meta,
                                  kr_error *reterr) {
  kr_meta_record record;
  KR_TRY(kr_secret_check_names(name, environment, reterr));
  if (environment.len > 0) {
    kr_manifest manifest;
    KR_TRY(kr_vault_use(vault, txn, org, &manifest, reterr));
    kr_status status = kr_meta_get(vault, txn, org->id, name, environment, &record, reterr);
    if (status == KR_OK)
      *ret_meta = record.meta;
    if (status != KR_NOT_FOUND)
      return status;
  }
  return kr_vault_secret_meta(vault, txn, org, name, KR_STR(""), ret_meta, reterr);
}

kr_status kr_vault_secret_versions(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                   kr_str name, kr_str environment, kr_version_visit visit,
                                   void *ctx, kr_error *reterr) {
  kr_meta_record record;
  KR_TRY(kr_secret_find(vault, txn, org, name, environment, &record, reterr));
  for (uint32_t i = record.n_versions; i > 0; i--)
    KR_TRY(visit(ctx, &record.versions[i - 1]));
  return KR_OK;
}

kr_status kr_vault_secret_delete(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                                 kr_str environment, kr_error *reterr) {
  kr_change change;
  kr_meta_record record;
  KR_TRY(kr_secret_change_begin(&change, vault, txn, org, name, environment, &record, reterr));
  KR_TRY(kr_secret_prune(&change, &record, 0, reterr));
  kr_vault_place meta = kr_place_meta(org->id, name, environment);
  KR_TRY(kr_change_remove(&change, kr_place_str(&meta), reterr));
  change.manifest.n_secrets--;
  return kr_change_end(&change, reterr);
}

kr_status kr_vault_secret_each(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                               kr_secret_visit visit, void *ctx, kr_error *reterr) {
  kr_manifest manifest;
  KR_TRY(kr_vault_use(vault, txn, org, &manifest, reterr));
  return kr_meta_each(vault, txn, org->id, visit, ctx, reterr);
}

kr_status kr_vault_secret_open(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                               kr_str environment, uint32_t version, kr_secret **ret_value,
                               uint32_t *ret_version, kr_error *reterr) {
  kr_meta_record record;
  uint32_t chosen = 0;
  KR_TRY(kr_vault_need_key(vault, reterr));
  KR_TRY(kr_secret_find(vault, txn, org, name, environment, &record, reterr));
  KR_TRY(kr_secret_choose(&record, version, &chosen, reterr));
  const kr_value_name wanted = {org->id, name, environment, chosen};
  KR_TRY(kr_secret_open_version(vault, txn, &wanted, ret_value, reterr));
  if (ret_version != NULL)
    *ret_version = chosen;
  return KR_OK;
}

kr_status kr_vault_generation(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                              uint64_t *ret_generation, kr_error *reterr) {
  kr_manifest manifest;
  KR_TRY(kr_vault_use(vault, txn, org, &manifest, reterr));
  *ret_generation = manifest.generation;
  return KR_OK;
}
