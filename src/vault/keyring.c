/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring.c - the list of keys, and its making: a fresh key in a new file, the
 * keys of a file, the key of a passphrase. keytext.c reads the lines.
 */
#include "vault/keyring.h"

#include "base/assert.h"
#include "vault/keyfile.h"
#include "vault/keyring_internal.h"

typedef struct kr_keyring_entry {
  char id[KR_KEY_ID_BYTES + 1];
  kr_secret *key;
} kr_keyring_entry;

struct kr_keyring {
  kr_key_source source;
  size_t count;
  kr_keyring_entry entries[KR_KEYRING_MAX];
};

kr_status kr_keyring_new(kr_key_source source, kr_keyring **ret_keyring, kr_error *reterr) {
  kr_keyring *keyring = kr_heap_memory()->alloc(sizeof *keyring);
  if (keyring == NULL)
    return kr_fail_nomem(reterr);
  memset(keyring, 0, sizeof *keyring);
  keyring->source = source;
  *ret_keyring = keyring;
  return KR_OK;
}

void kr_keyring_free(kr_keyring *keyring) {
  if (keyring == NULL)
    return;
  for (size_t i = 0; i < keyring->count; i++)
    kr_secret_free(keyring->entries[i].key);
  kr_heap_memory()->release(keyring, sizeof *keyring);
}

void kr_keyring_add(kr_keyring *keyring, kr_str id, kr_secret *key) {
  KR_ASSERT(keyring->count < KR_KEYRING_MAX && id.len > 0 && id.len <= KR_KEY_ID_BYTES);
  kr_keyring_entry *entry = &keyring->entries[keyring->count++];
  memcpy(entry->id, id.ptr, id.len);
  entry->key = key;
}

size_t kr_keyring_count(const kr_keyring *keyring) { return keyring->count; }

kr_str kr_keyring_id(const kr_keyring *keyring, size_t index) {
  return index < keyring->count ? kr_str_cstr(keyring->entries[index].id) : (kr_str){0};
}

const kr_secret *kr_keyring_key(const kr_keyring *keyring, size_t index) {
  return index < keyring->count ? keyring->entries[index].key : NULL;
}

const kr_secret *kr_keyring_find(const kr_keyring *keyring, kr_str id) {
  for (size_t i = 0; i < keyring->count; i++)
    if (kr_str_equal(kr_keyring_id(keyring, i), id))
      return keyring->entries[i].key;
  return NULL;
}

kr_key_source kr_keyring_source(const kr_keyring *keyring) { return keyring->source; }

const char *kr_key_source_noun(kr_key_source source) {
  switch (source) {
  case KR_KEY_CREDENTIAL:
    return "credential";
  case KR_KEY_PASSPHRASE:
    return "passphrase";
  case KR_KEY_ENVIRONMENT:
    return "variable";
  case KR_KEY_COMMAND:
    return "key command";
  case KR_KEY_AUTO:
  case KR_KEY_FILE:
    break;
  }
  return "key file";
}

bool kr_key_id_is_valid(kr_str id) {
  if (id.len == 0 || id.len > KR_KEY_ID_BYTES)
    return false;
  for (size_t i = 0; i < id.len; i++) {
    uint8_t byte = id.ptr[i];
    bool is_ok = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                 (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
    if (!is_ok)
      return false;
  }
  return true;
}

kr_status kr_key_id_fresh(char letter, char out[KR_KEY_ID_FRESH_BYTES], kr_error *reterr) {
  static const char digits[] = "0123456789abcdef";
  uint8_t random[4];
  KR_TRY(kr_crypto_random(random, sizeof random, reterr));
  out[0] = letter;
  out[1] = '-';
  for (size_t i = 0; i < sizeof random; i++) {
    out[2 + 2 * i] = digits[random[i] >> 4];
    out[3 + 2 * i] = digits[random[i] & 15];
  }
  out[2 + 2 * sizeof random] = '\0';
  return KR_OK;
}

/* The text of a file is key material: read straight into locked memory, wiped on every path. */
static kr_status kr_keyring_load_as(kr_key_source source, kr_str path, kr_secure *pool,
                                    kr_keyring **ret_keyring, kr_error *reterr) {
  uint8_t *text = kr_secure_alloc(pool, KR_KEYFILE_ROOM_BYTES);
  if (text == NULL)
    return kr_fail_nomem(reterr);
  size_t len = 0;
  kr_status status = kr_keyfile_read(source, path, text, &len, reterr);
  if (status == KR_OK)
    status = kr_keyring_parse(source, path, kr_str_from(text, len), pool, ret_keyring, reterr);
  kr_secure_release(pool, text);
  return status;
}

kr_status kr_keyring_load(kr_str path, kr_secure *pool, kr_keyring **ret_keyring,
                          kr_error *reterr) {
  return kr_keyring_load_as(KR_KEY_FILE, path, pool, ret_keyring, reterr);
}

kr_status kr_keyring_load_credential(kr_str path, kr_secure *pool, kr_keyring **ret_keyring,
                                     kr_error *reterr) {
  return kr_keyring_load_as(KR_KEY_CREDENTIAL, path, pool, ret_keyring, reterr);
}

kr_status kr_keyring_make(kr_secure *pool, kr_keyring **ret_keyring, kr_error *reterr) {
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keyring = NULL;
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  char id[KR_KEY_ID_FRESH_BYTES];
  KR_TRY(kr_keyring_new(KR_KEY_FILE, &keyring, reterr));
  KR_TRY(kr_key_id_fresh('k', id, reterr));
  KR_TRY(kr_crypto_key_new(pool, &key, reterr));
  kr_keyring_add(keyring, kr_str_cstr(id), KR_TAKE(key));
  *ret_keyring = KR_TAKE(keyring);
  return KR_OK;
}

kr_status kr_keyring_create(kr_str path, kr_secure *pool, kr_keyring **ret_keyring,
                            kr_error *reterr) {
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keyring = NULL;
  KR_CLEANUP(kr_secret_freep) kr_secret *text = NULL;
  KR_TRY(kr_keyring_make(pool, &keyring, reterr));
  if (kr_keytext_print(keyring, pool, &text) != KR_OK)
    return kr_fail_nomem(reterr);
  KR_TRY(kr_keyfile_write(path, kr_secret_reveal(text), reterr));
  *ret_keyring = KR_TAKE(keyring);
  return KR_OK;
}

kr_status kr_keyring_derive(kr_str id, kr_str passphrase, kr_str salt, const kr_scrypt *scrypt,
                            kr_secure *pool, kr_keyring **ret_keyring, kr_error *reterr) {
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keyring = NULL;
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  KR_TRY(kr_keyring_new(KR_KEY_PASSPHRASE, &keyring, reterr));
  if (kr_secret_new(pool, KR_KEY_BYTES, &key) != KR_OK)
    return kr_fail_nomem(reterr);
  KR_TRY(kr_crypto_scrypt(passphrase, salt, scrypt, kr_secret_writable(key), KR_KEY_BYTES, reterr));
  kr_keyring_add(keyring, id, KR_TAKE(key));
  *ret_keyring = KR_TAKE(keyring);
  return KR_OK;
}
