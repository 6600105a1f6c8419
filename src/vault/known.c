/* SPDX-License-Identifier: Apache-2.0 */
/* known.c - see known.h: two small tables, one place for each record by its ids. */
#include "vault/known.h"

static void kr_known_lock(kr_vault *vault) { (void)pthread_mutex_lock(&vault->mutex); }
static void kr_known_unlock(kr_vault *vault) { (void)pthread_mutex_unlock(&vault->mutex); }

static bool kr_known_is_record(const uint8_t *bytes, size_t len, kr_str record) {
  return len > 0 && kr_str_equal(kr_str_from(bytes, len), record);
}

static kr_known_manifest *kr_known_manifest_at(kr_vault *vault, uint32_t org_id) {
  return &vault->known_manifests[org_id % KR_KNOWN_MANIFESTS];
}

static bool kr_known_manifest_get(kr_vault *vault, uint32_t org_id, kr_str record,
                                  kr_manifest *ret_manifest) {
  kr_known_lock(vault);
  const kr_known_manifest *known = kr_known_manifest_at(vault, org_id);
  bool is_known = known->org_id == org_id && kr_known_is_record(known->record, known->len, record);
  if (is_known)
    *ret_manifest = known->manifest;
  kr_known_unlock(vault);
  return is_known;
}

static void kr_known_manifest_keep(kr_vault *vault, uint32_t org_id, kr_str record,
                                   const kr_manifest *manifest) {
  if (record.len > KR_KNOWN_RECORD_BYTES)
    return;
  kr_known_lock(vault);
  kr_known_manifest *known = kr_known_manifest_at(vault, org_id);
  *known = (kr_known_manifest){.org_id = org_id, .manifest = *manifest, .len = record.len};
  memcpy(known->record, record.ptr, record.len);
  kr_known_unlock(vault);
}

kr_status kr_known_manifest_read(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                 kr_manifest *ret_manifest, kr_error *reterr) {
  if (!vault->has_key)
    return kr_manifest_read(vault, txn, org, ret_manifest, reterr);
  kr_vault_place place = kr_place_manifest(org->id);
  kr_str record = {0};
  kr_status status = kr_store_get(txn, kr_place_str(&place), &record, reterr);
  if (status == KR_NOT_FOUND)
    return kr_manifest_read(vault, txn, org, ret_manifest, reterr); /* which says why */
  KR_TRY(status);
  if (kr_known_manifest_get(vault, org->id, record, ret_manifest))
    return KR_OK;
  KR_TRY(kr_manifest_parse(vault, org->id, record, ret_manifest, reterr));
  /* In a transaction that changed it, it may yet be undone: then its bytes never stand there. */
  kr_known_manifest_keep(vault, org->id, record, ret_manifest);
  return KR_OK;
}

static kr_known_key *kr_known_key_at(kr_vault *vault, uint32_t org_id, uint32_t key_id) {
  return &vault->known_keys[(org_id * 7u + key_id) % KR_KNOWN_KEYS];
}

static kr_status kr_known_key_copy(kr_vault *vault, const kr_secret *key, kr_secret **ret_key) {
  kr_str bytes = kr_secret_reveal(key);
  KR_TRY(kr_secret_new(vault->pool, bytes.len, ret_key));
  memcpy(kr_secret_writable(*ret_key), bytes.ptr, bytes.len);
  return KR_OK;
}

kr_status kr_known_data_key(kr_vault *vault, uint32_t org_id, uint32_t key_id, kr_str record,
                            kr_secret **ret_key) {
  kr_known_lock(vault);
  const kr_known_key *known = kr_known_key_at(vault, org_id, key_id);
  bool is_known = known->org_id == org_id && known->key_id == key_id && known->key != NULL &&
                  kr_known_is_record(known->record, known->len, record);
  kr_status status = is_known ? kr_known_key_copy(vault, known->key, ret_key) : KR_NOT_FOUND;
  kr_known_unlock(vault);
  return status;
}

void kr_known_data_key_keep(kr_vault *vault, uint32_t org_id, uint32_t key_id, kr_str record,
                            const kr_secret *key) {
  if (record.len > KR_KNOWN_RECORD_BYTES)
    return;
  kr_known_lock(vault);
  kr_known_key *known = kr_known_key_at(vault, org_id, key_id);
  kr_secret_free(known->key);
  *known = (kr_known_key){.org_id = org_id, .key_id = key_id};
  if (kr_known_key_copy(vault, key, &known->key) == KR_OK) {
    memcpy(known->record, record.ptr, record.len);
    known->len = record.len;
  }
  kr_known_unlock(vault);
}

void kr_known_done(kr_vault *vault) {
  for (size_t i = 0; i < KR_KNOWN_KEYS; i++) {
    kr_secret_free(vault->known_keys[i].key);
    vault->known_keys[i] = (kr_known_key){.key = NULL};
  }
}
