/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.c - the key hierarchy; see the drawing in vault.h.
 *
 * The root record is the one record that a change of the master key rewrites:
 *
 *   magic(8) | format u32 | uuid(16) | key id str | key-check value(16) | sealed root key str
 *
 * Everything before the sealed key is its associated data. The key-check value
 * is derived from the master key alone, so that a wrong key is told apart from
 * a damaged record before anything is opened.
 */
#include "vault/known.h"

#include <stdio.h>

#define KR_ROOT_MAGIC KR_STR("krosyn\0v")
#define KR_CHECK_BYTES 16u /* of the key-check value */
#define KR_ROOT_BYTES 1024u

#define KR_INFO_CHECK KR_STR("krosyn/v1/master/key-check")
#define KR_INFO_MASTER_WRAP KR_STR("krosyn/v1/master/wrap")
#define KR_INFO_WRAP KR_STR("krosyn/v1/store/wrap")
#define KR_INFO_RECORD KR_STR("krosyn/v1/store/record-mac")
#define KR_INFO_CHAIN KR_STR("krosyn/v1/store/event-chain")
#define KR_INFO_SUM KR_STR("krosyn/v1/store/manifest-sum")
#define KR_INFO_BACKUP KR_STR("krosyn/v1/store/backup")

kr_status kr_vault_need_key(const kr_vault *vault, kr_error *reterr) {
  if (vault->has_key)
    return KR_OK;
  return kr_fail_hint(reterr, KR_UNTRUSTED, "the vault was opened without its master key",
                      "give the key file: --key FILE or KROSYN_KEY_FILE");
}

void kr_vault_keys_done(kr_vault_keys *keys) {
  kr_secret_free(keys->wrap);
  kr_secret_free(keys->record);
  kr_secret_free(keys->chain);
  kr_secret_free(keys->sum);
  kr_secret_free(keys->backup);
  *keys = (kr_vault_keys){0};
}

static kr_status kr_keys_derive(kr_vault_keys *keys, const kr_secret *root, kr_secure *pool,
                                kr_error *reterr) {
  KR_TRY(kr_crypto_derive(root, KR_INFO_WRAP, pool, &keys->wrap, reterr));
  KR_TRY(kr_crypto_derive(root, KR_INFO_RECORD, pool, &keys->record, reterr));
  KR_TRY(kr_crypto_derive(root, KR_INFO_CHAIN, pool, &keys->chain, reterr));
  KR_TRY(kr_crypto_derive(root, KR_INFO_SUM, pool, &keys->sum, reterr));
  return kr_crypto_derive(root, KR_INFO_BACKUP, pool, &keys->backup, reterr);
}

static kr_status kr_keys_check_value(const kr_secret *master, kr_str key_id, kr_secure *pool,
                                     uint8_t out[KR_CHECK_BYTES], kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  uint8_t mac[KR_MAC_BYTES];
  KR_TRY(kr_crypto_derive(master, KR_INFO_CHECK, pool, &key, reterr));
  KR_TRY(kr_crypto_mac(key, &key_id, 1, mac, reterr));
  memcpy(out, mac, KR_CHECK_BYTES);
  return KR_OK;
}

static kr_status kr_root_describe(const kr_vault *vault, kr_str key_id,
                                  const uint8_t check[KR_CHECK_BYTES], kr_buf *out) {
  KR_TRY(kr_buf_append(out, KR_ROOT_MAGIC));
  KR_TRY(kr_wire_put_u32(out, KR_VAULT_FORMAT));
  KR_TRY(kr_buf_append(out, kr_str_from(vault->uuid, sizeof vault->uuid)));
  KR_TRY(kr_wire_put_str(out, key_id));
  return kr_buf_append(out, kr_str_from(check, KR_CHECK_BYTES));
}

static kr_status kr_root_aad(kr_str description, kr_buf *out) {
  KR_TRY(kr_wire_put_str(out, KR_DOMAIN_ROOT));
  return kr_wire_put_str(out, description);
}

/* Seal the root key under the master key, with the record so far as associated data. */
static kr_status kr_root_seal(kr_vault *vault, const kr_secret *master, const kr_secret *root,
                              kr_buf *record, kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *wrap = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf aad = KR_BUF_INIT(KR_ROOT_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(KR_ROOT_BYTES, NULL);
  KR_TRY(kr_crypto_derive(master, KR_INFO_MASTER_WRAP, vault->pool, &wrap, reterr));
  kr_status status = kr_root_aad(kr_buf_str(record), &aad);
  if (status != KR_OK)
    return kr_buf_explain(&aad, status, "the root record", reterr);
  KR_TRY(kr_crypto_seal(wrap, kr_buf_str(&aad), kr_secret_reveal(root), &sealed, reterr));
  return kr_buf_explain(record, kr_wire_put_str(record, kr_buf_str(&sealed)), "the root record",
                        reterr);
}

kr_status kr_vault_root_write(kr_vault *vault, kr_store_txn *txn, const kr_keyring *keyring,
                              kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *root = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_ROOT_BYTES, NULL);
  const kr_secret *master = kr_keyring_key(keyring, 0);
  kr_str key_id = kr_keyring_id(keyring, 0);
  uint8_t check[KR_CHECK_BYTES];
  KR_TRY(kr_keys_check_value(master, key_id, vault->pool, check, reterr));
  kr_status status = kr_root_describe(vault, key_id, check, &record);
  if (status != KR_OK)
    return kr_buf_explain(&record, status, "the root record", reterr);
  KR_TRY(kr_crypto_key_new(vault->pool, &root, reterr));
  KR_TRY(kr_root_seal(vault, master, root, &record, reterr));
  KR_TRY(kr_keys_derive(&vault->keys, root, vault->pool, reterr));
  vault->has_key = true;
  kr_vault_place place = kr_place_root();
  status = kr_store_put_new(txn, kr_place_str(&place), kr_buf_str(&record), reterr);
  if (status == KR_EXISTS)
    return kr_fail_hint(reterr, KR_EXISTS, "this store holds a vault already",
                        "a vault is never overwritten; choose another home");
  return status;
}

/* Ids are printed in messages, so a damaged one must not get that far. */
static bool kr_root_id_is_printable(kr_str id) {
  for (size_t i = 0; i < id.len; i++)
    if (id.ptr[i] <= 0x20 || id.ptr[i] >= 0x7F)
      return false;
  return id.len > 0 && id.len <= KR_KEY_ID_BYTES;
}

typedef struct kr_root_record {
  uint32_t format;
  kr_str uuid;
  kr_str key_id;
  kr_str check;
  kr_str description; /* all of the above, as stored */
  kr_str sealed;
} kr_root_record;

static kr_status kr_root_parse(kr_str bytes, kr_root_record *ret_record, kr_error *reterr) {
  kr_wire_reader reader = kr_wire_reader_init(bytes);
  if (!kr_str_equal(kr_wire_get_bytes(&reader, KR_ROOT_MAGIC.len), KR_ROOT_MAGIC))
    return kr_vault_corrupt(reterr, "the vault's root record is damaged");
  uint32_t format = kr_wire_get_u32(&reader);
  if (!reader.is_bad && format != KR_VAULT_FORMAT) {
    kr_status status =
        kr_fail(reterr, KR_UNSUPPORTED, "the vault has format %u; this krosyn reads %u", format,
                KR_VAULT_FORMAT);
    kr_error_hint(reterr, "use the krosyn that wrote it");
    return status;
  }
  kr_root_record record = {.format = format};
  record.uuid = kr_wire_get_bytes(&reader, KR_VAULT_UUID_BYTES);
  record.key_id = kr_wire_get_str(&reader);
  record.check = kr_wire_get_bytes(&reader, KR_CHECK_BYTES);
  record.description = kr_str_slice(bytes, 0, bytes.len - reader.rest.len);
  record.sealed = kr_wire_get_str(&reader);
  if (!kr_wire_is_end(&reader) || !kr_root_id_is_printable(record.key_id))
    return kr_vault_corrupt(reterr, "the vault's root record is damaged");
  *ret_record = record;
  return KR_OK;
}

/* "have keys A, B; need key C": ids only, as many as fit. */
static kr_status kr_root_need_key(const kr_keyring *keyring, kr_str needed, kr_error *reterr) {
  char have[KR_ERROR_MESSAGE_BYTES / 2] = "";
  size_t len = 0;
  for (size_t i = 0; i < kr_keyring_count(keyring); i++) {
    kr_str id = kr_keyring_id(keyring, i);
    if (len + id.len + 2 >= sizeof have)
      break;
    int n = snprintf(have + len, sizeof have - len, "%s%.*s", i == 0 ? "" : ", ", KR_FMT(id));
    len += n > 0 ? (size_t)n : 0;
  }
  kr_status status =
      kr_fail(reterr, KR_UNTRUSTED, "wrong key from the %s: have key %s, need key %.*s",
              kr_key_source_noun(kr_keyring_source(keyring)), have, KR_FMT(needed));
  kr_error_hint(reterr, "name the key of this vault, for example with --key FILE; `krosyn key "
                        "status` says why this one was taken");
  return status;
}

/* The id is right and the key is not. */
static kr_status kr_root_wrong_key(kr_key_source source, kr_str id, kr_error *reterr) {
  const char *noun = kr_key_source_noun(source);
  if (source == KR_KEY_PASSPHRASE) {
    (void)kr_fail(reterr, KR_UNTRUSTED,
                  "wrong passphrase: it does not give the key %.*s of this vault", KR_FMT(id));
    kr_error_hint(reterr, "type it as it was set, with the same keyboard layout");
    return KR_UNTRUSTED;
  }
  (void)kr_fail(reterr, KR_UNTRUSTED, "key %.*s of the %s is not the key %.*s of this vault",
                KR_FMT(id), noun, KR_FMT(id));
  kr_error_hint(reterr, "another key bears the same id: restore your copy of the key");
  return KR_UNTRUSTED;
}

/* The root key, opened with the master key that the record names. */
static kr_status kr_root_open(kr_vault *vault, const kr_root_record *record,
                              const kr_keyring *keyring, kr_secret **ret_root, kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *wrap = NULL;
  KR_CLEANUP(kr_secret_freep) kr_secret *root = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf aad = KR_BUF_INIT(KR_ROOT_BYTES, NULL);
  uint8_t check[KR_CHECK_BYTES];
  const kr_secret *master = kr_keyring_find(keyring, record->key_id);
  if (master == NULL)
    return kr_root_need_key(keyring, record->key_id, reterr);
  KR_TRY(kr_keys_check_value(master, record->key_id, vault->pool, check, reterr));
  if (!kr_crypto_equal(check, record->check.ptr, KR_CHECK_BYTES))
    return kr_root_wrong_key(kr_keyring_source(keyring), record->key_id, reterr);
  KR_TRY(kr_crypto_derive(master, KR_INFO_MASTER_WRAP, vault->pool, &wrap, reterr));
  kr_status status = kr_root_aad(record->description, &aad);
  if (status != KR_OK)
    return kr_buf_explain(&aad, status, "the root record", reterr);
  status = kr_crypto_open(wrap, kr_buf_str(&aad), record->sealed, vault->pool, &root, reterr);
  if (status == KR_CORRUPT || (status == KR_OK && kr_secret_reveal(root).len != KR_KEY_BYTES))
    return kr_vault_corrupt(reterr, "the vault's root key fails its integrity check");
  KR_TRY(status);
  *ret_root = KR_TAKE(root);
  return KR_OK;
}

static kr_status kr_root_get(kr_store_txn *txn, kr_root_record *ret_record, kr_error *reterr) {
  kr_vault_place place = kr_place_root();
  kr_str bytes = {0};
  kr_status status = kr_store_get(txn, kr_place_str(&place), &bytes, reterr);
  if (status == KR_NOT_FOUND)
    return kr_fail_hint(reterr, KR_NOT_FOUND, "this store holds no vault",
                        "create one with `krosyn init`");
  KR_TRY(status);
  return kr_root_parse(bytes, ret_record, reterr);
}

kr_status kr_vault_root_read(kr_vault *vault, kr_store_txn *txn, const kr_keyring *keyring,
                             kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *root = NULL;
  kr_root_record record = {0};
  KR_TRY(kr_root_get(txn, &record, reterr));
  /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a record that parsed has one */
  memcpy(vault->uuid, record.uuid.ptr, sizeof vault->uuid);
  if (keyring == NULL)
    return KR_OK;
  KR_TRY(kr_root_open(vault, &record, keyring, &root, reterr));
  KR_TRY(kr_keys_derive(&vault->keys, root, vault->pool, reterr));
  vault->has_key = true;
  return KR_OK;
}

kr_status kr_vault_key_id(kr_store_txn *txn, char out[KR_KEY_ID_BYTES + 1], kr_error *reterr) {
  kr_root_record record = {0};
  KR_TRY(kr_root_get(txn, &record, reterr));
  memset(out, 0, KR_KEY_ID_BYTES + 1);
  /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a record that parsed has one */
  memcpy(out, record.key_id.ptr, record.key_id.len);
  return KR_OK;
}

/* A root record that does not open is the loss of the vault: read back what was written. */
static kr_status kr_root_prove(kr_vault *vault, kr_str bytes, const kr_secret *root,
                               const kr_keyring *keyring, kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *opened = NULL;
  kr_root_record record = {0};
  KR_TRY(kr_root_parse(bytes, &record, reterr));
  KR_TRY(kr_root_open(vault, &record, keyring, &opened, reterr));
  if (!kr_crypto_equal(kr_secret_reveal(opened).ptr, kr_secret_reveal(root).ptr, KR_KEY_BYTES))
    return kr_fail(reterr, KR_INTERNAL, "the new root record does not hold the root key");
  return KR_OK;
}

kr_status kr_vault_rekey(kr_vault *vault, kr_store_txn *txn, const kr_keyring *old_keys,
                         const kr_keyring *new_keys, kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *root = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf bytes = KR_BUF_INIT(KR_ROOT_BYTES, NULL);
  kr_root_record record = {0};
  const kr_secret *master = kr_keyring_key(new_keys, 0);
  kr_str key_id = kr_keyring_id(new_keys, 0);
  uint8_t check[KR_CHECK_BYTES];
  KR_TRY(kr_vault_need_key(vault, reterr));
  KR_TRY(kr_root_get(txn, &record, reterr));
  KR_TRY(kr_root_open(vault, &record, old_keys, &root, reterr));
  if (kr_str_equal(key_id, record.key_id)) {
    (void)kr_fail(reterr, KR_EXISTS, "key %.*s is the master key of this vault already",
                  KR_FMT(key_id));
    kr_error_hint(reterr, "give a file whose first key is another one");
    return KR_EXISTS;
  }
  KR_TRY(kr_keys_check_value(master, key_id, vault->pool, check, reterr));
  kr_status status = kr_root_describe(vault, key_id, check, &bytes);
  if (status != KR_OK)
    return kr_buf_explain(&bytes, status, "the root record", reterr);
  KR_TRY(kr_root_seal(vault, master, root, &bytes, reterr));
  KR_TRY(kr_root_prove(vault, kr_buf_str(&bytes), root, new_keys, reterr));
  kr_vault_place place = kr_place_root();
  return kr_store_put(txn, kr_place_str(&place), kr_buf_str(&bytes), reterr);
}

kr_status kr_vault_key_needed(kr_store *store, char out[KR_KEY_ID_BYTES + 1], kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(store, KR_STORE_READ, &txn, reterr));
  return kr_vault_key_id(txn, out, reterr);
}

static kr_status kr_data_key_aad(const kr_vault *vault, uint32_t org_id, uint32_t key_id,
                                 kr_buf *out) {
  KR_TRY(kr_wire_put_str(out, KR_DOMAIN_DATA_KEY));
  KR_TRY(kr_wire_put_u32(out, KR_VAULT_FORMAT));
  KR_TRY(kr_wire_put_str(out, kr_str_from(vault->uuid, sizeof vault->uuid)));
  KR_TRY(kr_wire_put_u32(out, org_id));
  return kr_wire_put_u32(out, key_id);
}

kr_status kr_data_key_new(kr_vault *vault, uint32_t org_id, uint32_t key_id, kr_buf *record,
                          kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf aad = KR_BUF_INIT(KR_ROOT_BYTES, NULL);
  kr_status status = kr_data_key_aad(vault, org_id, key_id, &aad);
  if (status != KR_OK)
    return kr_buf_explain(&aad, status, "a data key", reterr);
  KR_TRY(kr_crypto_key_new(vault->pool, &key, reterr));
  return kr_crypto_seal(vault->keys.wrap, kr_buf_str(&aad), kr_secret_reveal(key), record, reterr);
}

kr_status kr_data_key_open(kr_vault *vault, kr_store_txn *txn, uint32_t org_id, uint32_t key_id,
                           kr_secret **ret_key, kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf aad = KR_BUF_INIT(KR_ROOT_BYTES, NULL);
  kr_vault_place place = kr_place_data_key(org_id, key_id);
  kr_str record = {0};
  kr_status status = kr_store_get(txn, kr_place_str(&place), &record, reterr);
  if (status == KR_NOT_FOUND)
    return kr_vault_corrupt(reterr, "data key %u of organization %u is gone", key_id, org_id);
  KR_TRY(status);
  status = kr_known_data_key(vault, org_id, key_id, record, ret_key);
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  if (status == KR_OK)
    return KR_OK;
  status = kr_data_key_aad(vault, org_id, key_id, &aad);
  if (status != KR_OK)
    return kr_buf_explain(&aad, status, "a data key", reterr);
  status = kr_crypto_open(vault->keys.wrap, kr_buf_str(&aad), record, vault->pool, &key, reterr);
  if (status == KR_CORRUPT || (status == KR_OK && kr_secret_reveal(key).len != KR_KEY_BYTES))
    return kr_vault_corrupt(reterr, "data key %u of organization %u fails its integrity check",
                            key_id, org_id);
  KR_TRY(status);
  kr_known_data_key_keep(vault, org_id, key_id, record, key);
  *ret_key = KR_TAKE(key);
  return KR_OK;
}
