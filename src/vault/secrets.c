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
                                   kr_str name, kr_error *reterr) {
  kr_nearest nearest = kr_nearest_init(name);
  KR_TRY(kr_meta_each(vault, txn, org->id, kr_secret_consider, &nearest, reterr));
  kr_status status =
      kr_fail(reterr, KR_NOT_FOUND, "organization %s has no secret %.*s", org->name, KR_FMT(name));
  if (nearest.name[0] != '\0')
    kr_error_hint(reterr, "did you mean %s?", nearest.name);
  else
    kr_error_hint(reterr, "save it with `krosyn secret set %.*s`", KR_FMT(name));
  return status;
}

/* Existing metadata with the organization's first-use checks; KR_NOT_FOUND is described. */
static kr_status kr_secret_find(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                                kr_meta_record *ret_record, kr_error *reterr) {
  kr_manifest manifest;
  KR_TRY(kr_vault_name_check(name, reterr));
  KR_TRY(kr_vault_use(vault, txn, org, &manifest, reterr));
  kr_status status = kr_meta_get(vault, txn, org->id, name, ret_record, reterr);
  return status == KR_NOT_FOUND ? kr_secret_missing(vault, txn, org, name, reterr) : status;
}

/* The metadata that a new secret starts from. */
static kr_status kr_secret_begin(kr_change *change, kr_str name, int64_t now_ms,
                                 kr_meta_record *record, kr_error *reterr) {
  if (change->manifest.n_secrets >= KR_VAULT_SECRETS_MAX)
    return kr_fail(reterr, KR_LIMIT, "an organization holds at most %u secrets",
                   KR_VAULT_SECRETS_MAX);
  *record = (kr_meta_record){.meta = {.created_ms = now_ms}};
  memcpy(record->meta.name, name.ptr, name.len);
  change->manifest.n_secrets++;
  return KR_OK;
}

/* Make room for one more version, and number it. */
static kr_status kr_secret_next_version(kr_change *change, kr_meta_record *record, int64_t now_ms,
                                        kr_error *reterr) {
  if (record->meta.version == UINT32_MAX)
    return kr_fail_hint(reterr, KR_LIMIT, "a secret has used up its version numbers",
                        "delete it and save it again");
  if (record->n_versions == KR_VAULT_VERSIONS_KEPT) {
    kr_vault_place place =
        kr_place_value(change->org_id, kr_str_cstr(record->meta.name), record->versions[0]);
    KR_TRY(kr_change_remove(change, kr_place_str(&place), reterr));
    record->n_versions--;
    memmove(record->versions, record->versions + 1,
            record->n_versions * sizeof record->versions[0]);
    memmove(record->created_ms, record->created_ms + 1,
            record->n_versions * sizeof record->created_ms[0]);
  }
  record->meta.version++;
  record->meta.updated_ms = now_ms;
  record->versions[record->n_versions] = record->meta.version;
  record->created_ms[record->n_versions] = now_ms;
  record->n_versions++;
  record->meta.oldest = record->versions[0];
  return KR_OK;
}

static kr_status kr_secret_put_value(kr_change *change, const kr_meta_record *record, kr_str value,
                                     kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *data_key = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(KR_VAULT_RECORD_BYTES, NULL);
  uint32_t key_id = change->manifest.data_key_id;
  kr_str name = kr_str_cstr(record->meta.name);
  KR_TRY(kr_data_key_open(change->vault, change->txn, change->org_id, key_id, &data_key, reterr));
  KR_TRY(kr_value_seal(change->vault, data_key, key_id, change->org_id, name, record->meta.version,
                       value, &sealed, reterr));
  kr_vault_place place = kr_place_value(change->org_id, name, record->meta.version);
  return kr_change_put(change, kr_place_str(&place), kr_buf_str(&sealed), reterr);
}

kr_status kr_vault_secret_set(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                              const kr_secret *value, kr_str description, int64_t now_ms,
                              kr_secret_meta *ret_meta, kr_error *reterr) {
  kr_change change;
  kr_meta_record record;
  KR_TRY(kr_vault_name_check(name, reterr));
  KR_TRY(kr_value_check(kr_secret_reveal(value), reterr));
  KR_TRY(kr_vault_description_check(description, reterr));
  KR_TRY(kr_change_begin(&change, vault, txn, org, reterr));
  kr_status status = kr_meta_get(vault, txn, org->id, name, &record, reterr);
  if (status == KR_NOT_FOUND)
    status = kr_secret_begin(&change, name, now_ms, &record, reterr);
  KR_TRY(status);
  KR_TRY(kr_secret_next_version(&change, &record, now_ms, reterr));
  if (description.ptr != NULL) {
    memset(record.meta.description, 0, sizeof record.meta.description);
    memcpy(record.meta.description, description.ptr, description.len);
  }
  KR_TRY(kr_secret_put_value(&change, &record, kr_secret_reveal(value), reterr));
  KR_TRY(kr_meta_put(&change, &record, reterr));
  KR_TRY(kr_change_end(&change, reterr));
  *ret_meta = record.meta;
  return KR_OK;
}

kr_status kr_vault_secret_meta(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                               kr_secret_meta *ret_meta, kr_error *reterr) {
  kr_meta_record record;
  KR_TRY(kr_secret_find(vault, txn, org, name, &record, reterr));
  *ret_meta = record.meta;
  return KR_OK;
}

kr_status kr_vault_secret_delete(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                                 kr_error *reterr) {
  kr_change change;
  kr_meta_record record;
  KR_TRY(kr_vault_name_check(name, reterr));
  KR_TRY(kr_change_begin(&change, vault, txn, org, reterr));
  kr_status status = kr_meta_get(vault, txn, org->id, name, &record, reterr);
  if (status == KR_NOT_FOUND)
    return kr_secret_missing(vault, txn, org, name, reterr);
  KR_TRY(status);
  for (uint32_t i = 0; i < record.n_versions; i++) {
    kr_vault_place value = kr_place_value(org->id, name, record.versions[i]);
    KR_TRY(kr_change_remove(&change, kr_place_str(&value), reterr));
  }
  kr_vault_place meta = kr_place_meta(org->id, name);
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

static kr_status kr_secret_choose(const kr_meta_record *record, uint32_t wanted,
                                  uint32_t *ret_version, kr_error *reterr) {
  *ret_version = wanted == 0 ? record->meta.version : wanted;
  for (uint32_t i = 0; i < record->n_versions; i++)
    if (record->versions[i] == *ret_version)
      return KR_OK;
  kr_status status =
      kr_fail(reterr, KR_NOT_FOUND, "secret %s has no version %u", record->meta.name, wanted);
  kr_error_hint(reterr, "versions %u to %u are kept", record->meta.oldest, record->meta.version);
  return status;
}

kr_status kr_vault_secret_open(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                               uint32_t version, kr_secret **ret_value, uint32_t *ret_version,
                               kr_error *reterr) {
  kr_meta_record record;
  uint32_t chosen = 0;
  KR_TRY(kr_vault_need_key(vault, reterr));
  KR_TRY(kr_secret_find(vault, txn, org, name, &record, reterr));
  KR_TRY(kr_secret_choose(&record, version, &chosen, reterr));
  kr_vault_place place = kr_place_value(org->id, name, chosen);
  kr_str bytes = {0};
  kr_status status = kr_store_get(txn, kr_place_str(&place), &bytes, reterr);
  if (status == KR_NOT_FOUND)
    return kr_vault_corrupt(reterr, "secret %.*s, version %u, is gone", KR_FMT(name), chosen);
  KR_TRY(status);
  KR_TRY(kr_value_open(vault, txn, org->id, name, chosen, bytes, ret_value, reterr));
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
