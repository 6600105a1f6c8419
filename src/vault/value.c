/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value.c - one value as it is stored:
 *
 *   record    = data key id u32 | IV(16) | ciphertext | tag(32)
 *   plaintext = length u32 | value | zeros to a multiple of 64
 *
 * The associated data binds it to store, organization, name, version and data
 * key, so that a record moved anywhere else does not open.
 */
#include "vault/internal.h"

#define KR_VALUE_LENGTH_BYTES 4u
#define KR_VALUE_AAD_BYTES 1024u

static kr_status kr_value_aad(const kr_vault *vault, const kr_value_name *name, uint32_t key_id,
                              kr_buf *out) {
  KR_TRY(kr_wire_put_str(out, KR_DOMAIN_VALUE));
  KR_TRY(kr_wire_put_u32(out, KR_VAULT_FORMAT));
  KR_TRY(kr_wire_put_str(out, kr_str_from(vault->uuid, sizeof vault->uuid)));
  KR_TRY(kr_wire_put_u32(out, name->org_id));
  KR_TRY(kr_wire_put_str(out, name->environment));
  KR_TRY(kr_wire_put_str(out, name->name));
  KR_TRY(kr_wire_put_u32(out, name->version));
  return kr_wire_put_u32(out, key_id);
}

static kr_status kr_value_frame(kr_secure *pool, kr_str value, kr_secret **ret_plain) {
  size_t len = KR_VALUE_LENGTH_BYTES + value.len;
  len = (len + KR_VALUE_BUCKET_BYTES - 1) / KR_VALUE_BUCKET_BYTES * KR_VALUE_BUCKET_BYTES;
  KR_TRY(kr_secret_new(pool, len, ret_plain));
  uint8_t *bytes = kr_secret_writable(*ret_plain);
  memset(bytes, 0, len);
  for (size_t i = 0; i < KR_VALUE_LENGTH_BYTES; i++)
    bytes[i] = (uint8_t)(value.len >> (8 * (KR_VALUE_LENGTH_BYTES - 1 - i)));
  memcpy(bytes + KR_VALUE_LENGTH_BYTES, value.ptr, value.len);
  return KR_OK;
}

kr_status kr_value_seal(kr_vault *vault, const kr_secret *data_key, uint32_t key_id,
                        const kr_value_name *name, kr_str value, kr_buf *record, kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *plain = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf aad = KR_BUF_INIT(KR_VALUE_AAD_BYTES, NULL);
  kr_status status = kr_value_aad(vault, name, key_id, &aad);
  if (status == KR_OK)
    status = kr_wire_put_u32(record, key_id);
  if (status != KR_OK)
    return kr_buf_explain(record, status, "a stored secret", reterr);
  if (kr_value_frame(vault->pool, value, &plain) != KR_OK)
    return kr_fail_nomem(reterr);
  return kr_crypto_seal(data_key, kr_buf_str(&aad), kr_secret_reveal(plain), record, reterr);
}

/* The value inside the frame; false when the frame is not one of ours. */
static bool kr_value_unframe(kr_str plain, kr_str *ret_value) {
  kr_wire_reader reader = kr_wire_reader_init(plain);
  uint32_t len = kr_wire_get_u32(&reader);
  kr_str value = kr_wire_get_bytes(&reader, len);
  if (reader.is_bad || len == 0 || len > KR_VAULT_VALUE_BYTES)
    return false;
  if (plain.len % KR_VALUE_BUCKET_BYTES != 0 || reader.rest.len >= KR_VALUE_BUCKET_BYTES)
    return false;
  for (size_t i = 0; i < reader.rest.len; i++)
    if (reader.rest.ptr[i] != 0)
      return false;
  *ret_value = value;
  return true;
}

/* A secret of its own size: a frame of more than the locked size may hold a value that fits it. */
static kr_status kr_value_copy(kr_secure *pool, kr_str value, kr_secret **ret_value,
                               kr_error *reterr) {
  if (kr_secret_new(pool, value.len, ret_value) != KR_OK)
    return kr_fail_nomem(reterr);
  memcpy(kr_secret_writable(*ret_value), value.ptr, value.len);
  return KR_OK;
}

bool kr_value_key_id(kr_str record, uint32_t *ret_key_id) {
  kr_wire_reader reader = kr_wire_reader_init(record);
  *ret_key_id = kr_wire_get_u32(&reader);
  return !reader.is_bad;
}

kr_status kr_value_open_with(kr_vault *vault, const kr_secret *data_key, const kr_value_name *name,
                             kr_str record, kr_secret **ret_value, kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *plain = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf aad = KR_BUF_INIT(KR_VALUE_AAD_BYTES, NULL);
  kr_wire_reader reader = kr_wire_reader_init(record);
  uint32_t key_id = kr_wire_get_u32(&reader);
  kr_status status = kr_value_aad(vault, name, key_id, &aad);
  if (status != KR_OK)
    return kr_buf_explain(&aad, status, "a stored secret", reterr);
  kr_str value = {0};
  status = kr_crypto_open(data_key, kr_buf_str(&aad), reader.rest, vault->pool, &plain, reterr);
  if (status == KR_CORRUPT ||
      (status == KR_OK && !kr_value_unframe(kr_secret_reveal(plain), &value)))
    return kr_vault_corrupt(reterr, "secret %.*s, version %u, fails its integrity check",
                            KR_FMT(name->name), name->version);
  KR_TRY(status);
  return kr_value_copy(vault->pool, value, ret_value, reterr);
}

kr_status kr_value_open(kr_vault *vault, kr_store_txn *txn, const kr_value_name *name,
                        kr_str record, kr_secret **ret_value, kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *data_key = NULL;
  uint32_t key_id = 0;
  if (!kr_value_key_id(record, &key_id))
    return kr_vault_corrupt(reterr, "secret %.*s, version %u, is cut short", KR_FMT(name->name),
                            name->version);
  KR_TRY(kr_data_key_open(vault, txn, name->org_id, key_id, &data_key, reterr));
  return kr_value_open_with(vault, data_key, name, record, ret_value, reterr);
}
