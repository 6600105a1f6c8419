/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring.c - reads and creates the key file; see keyring.h for its shape.
 *
 *   file -> open/read -> locked text -> line -> id (plain) | base64 -> locked key
 *
 * The text of the file is key material: it is read with read(2) straight into
 * locked memory, decoded inside locked memory, and wiped on every path. A
 * symbolic link is followed, because mounted secrets are links; owner and mode
 * are checked on the opened file itself, never on the name.
 */
#define _GNU_SOURCE
#include "vault/keyring.h"

#include "base/encode.h"
#include "vault/keyfile.h"

#define KR_KEYRING_TEXT_KEY 88u     /* base64 of KR_KEY_BYTES, padded */
#define KR_KEYRING_DECODE_BYTES 66u /* KR_KEY_BYTES and the decoder's slack */

typedef struct kr_keyring_entry {
  char id[KR_KEY_ID_BYTES + 1];
  kr_secret *key;
} kr_keyring_entry;

struct kr_keyring {
  size_t count;
  kr_keyring_entry entries[KR_KEYRING_MAX];
};

static kr_status kr_keyring_new(kr_keyring **ret_keyring, kr_error *reterr) {
  kr_keyring *keyring = kr_heap_memory()->alloc(sizeof *keyring);
  if (keyring == NULL)
    return kr_fail_nomem(reterr);
  memset(keyring, 0, sizeof *keyring);
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

static bool kr_keyring_id_is_valid(kr_str id) {
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

/* The reason is a rule, never the line's content: a mangled line may be a key. */
static kr_status kr_keyring_malformed(kr_str path, size_t line, const char *reason,
                                      kr_error *reterr) {
  kr_status status =
      kr_fail(reterr, KR_UNTRUSTED, "key file %.*s, line %zu: %s", KR_FMT(path), line, reason);
  kr_error_hint(reterr,
                "each line is `id base64`: an id of 1 to %u letters, digits, '-', '_' or "
                "'.', a blank, and 88 characters of base64; restore your copy of the file",
                KR_KEY_ID_BYTES);
  return status;
}

static kr_status kr_keyring_decode(kr_str text, kr_secure *pool, kr_secret **ret_key) {
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  if (text.len != KR_KEYRING_TEXT_KEY)
    return KR_INVALID;
  KR_TRY(kr_secret_new(pool, KR_KEYRING_DECODE_BYTES, &key));
  /* A buffer over the locked bytes themselves: full from the start, so it never grows. */
  kr_buf locked = {.ptr = kr_secret_writable(key),
                   .len = 0,
                   .cap = KR_KEYRING_DECODE_BYTES,
                   .limit = KR_KEYRING_DECODE_BYTES,
                   .memory = NULL};
  KR_TRY(kr_base64_decode(text, KR_BASE64_STANDARD, &locked));
  if (locked.len != KR_KEY_BYTES)
    return KR_INVALID;
  kr_secret_truncate(key, KR_KEY_BYTES);
  *ret_key = KR_TAKE(key);
  return KR_OK;
}

static kr_status kr_keyring_add_line(kr_keyring *keyring, kr_str path, size_t number, kr_str line,
                                     kr_secure *pool, kr_error *reterr) {
  size_t id_len = 0;
  while (id_len < line.len && line.ptr[id_len] != ' ' && line.ptr[id_len] != '\t')
    id_len++;
  kr_str id = kr_str_slice(line, 0, id_len);
  kr_str text = kr_str_trim(kr_str_skip(line, id_len));
  if (!kr_keyring_id_is_valid(id))
    return kr_keyring_malformed(path, number, "the key id is not well-formed", reterr);
  if (kr_keyring_find(keyring, id) != NULL)
    return kr_keyring_malformed(path, number, "this key id was given before", reterr);
  if (keyring->count == KR_KEYRING_MAX)
    return kr_keyring_malformed(path, number, "more keys than a key file may hold (16)", reterr);
  kr_keyring_entry *entry = &keyring->entries[keyring->count];
  kr_status status = kr_keyring_decode(text, pool, &entry->key);
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  if (status != KR_OK)
    return kr_keyring_malformed(path, number, "the key is not 64 bytes of base64", reterr);
  memcpy(entry->id, id.ptr, id.len);
  keyring->count++;
  return KR_OK;
}

static kr_status kr_keyring_parse(kr_keyring *keyring, kr_str path, kr_str text, kr_secure *pool,
                                  kr_error *reterr) {
  size_t number = 0;
  while (text.len > 0) {
    number++;
    const uint8_t *newline = memchr(text.ptr, '\n', text.len);
    size_t len = newline == NULL ? text.len : (size_t)(newline - text.ptr);
    kr_str line = kr_str_trim(kr_str_slice(text, 0, len));
    text = kr_str_skip(text, newline == NULL ? len : len + 1);
    if (line.len == 0 || line.ptr[0] == '#')
      continue;
    KR_TRY(kr_keyring_add_line(keyring, path, number, line, pool, reterr));
  }
  if (keyring->count > 0)
    return KR_OK;
  kr_status status = kr_fail(reterr, KR_UNTRUSTED, "key file %.*s holds no key", KR_FMT(path));
  kr_error_hint(reterr, "restore your copy of the file");
  return status;
}

kr_status kr_keyring_load(kr_str path, kr_secure *pool, kr_keyring **ret_keyring,
                          kr_error *reterr) {
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keyring = NULL;
  KR_TRY(kr_keyring_new(&keyring, reterr));
  uint8_t *text = kr_secure_alloc(pool, KR_KEYFILE_ROOM_BYTES);
  if (text == NULL)
    return kr_fail_nomem(reterr);
  size_t len = 0;
  kr_status status = kr_keyfile_read(path, text, &len, reterr);
  if (status == KR_OK)
    status = kr_keyring_parse(keyring, path, kr_str_from(text, len), pool, reterr);
  kr_secure_release(pool, text);
  if (status == KR_OK)
    *ret_keyring = KR_TAKE(keyring);
  return status;
}

/* "k-" and eight random hex digits: enough to tell keys apart, says nothing of the key. */
static kr_status kr_keyring_fresh(kr_keyring *keyring, kr_secure *pool, kr_error *reterr) {
  static const char digits[] = "0123456789abcdef";
  uint8_t random[4];
  kr_keyring_entry *entry = &keyring->entries[0];
  KR_TRY(kr_crypto_random(random, sizeof random, reterr));
  entry->id[0] = 'k';
  entry->id[1] = '-';
  for (size_t i = 0; i < sizeof random; i++) {
    entry->id[2 + 2 * i] = digits[random[i] >> 4];
    entry->id[3 + 2 * i] = digits[random[i] & 15];
  }
  KR_TRY(kr_crypto_key_new(pool, &entry->key, reterr));
  keyring->count = 1;
  return KR_OK;
}

kr_status kr_keyring_make(kr_secure *pool, kr_keyring **ret_keyring, kr_error *reterr) {
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keyring = NULL;
  KR_TRY(kr_keyring_new(&keyring, reterr));
  KR_TRY(kr_keyring_fresh(keyring, pool, reterr));
  *ret_keyring = KR_TAKE(keyring);
  return KR_OK;
}

#define KR_KEYRING_HEADING                                                                         \
  "# krosyn master key - keep a copy in a safe place; without it the vault cannot be opened\n"
#define KR_KEYRING_FILE_BYTES                                                                      \
  (sizeof KR_KEYRING_HEADING + KR_KEY_ID_BYTES + KR_KEYRING_TEXT_KEY + 2)

static kr_status kr_keyring_print(const kr_keyring *keyring, kr_secure *pool,
                                  kr_secret **ret_text) {
  KR_CLEANUP(kr_secret_freep) kr_secret *text = NULL;
  KR_TRY(kr_secret_new(pool, KR_KEYRING_FILE_BYTES, &text));
  kr_buf locked = {.ptr = kr_secret_writable(text),
                   .len = 0,
                   .cap = KR_KEYRING_FILE_BYTES,
                   .limit = KR_KEYRING_FILE_BYTES,
                   .memory = NULL};
  KR_TRY(kr_buf_append(&locked, KR_STR(KR_KEYRING_HEADING)));
  KR_TRY(kr_buf_append(&locked, kr_keyring_id(keyring, 0)));
  KR_TRY(kr_buf_byte(&locked, ' '));
  KR_TRY(kr_base64_encode(kr_secret_reveal(kr_keyring_key(keyring, 0)), KR_BASE64_STANDARD, true,
                          &locked));
  KR_TRY(kr_buf_byte(&locked, '\n'));
  kr_secret_truncate(text, locked.len);
  *ret_text = KR_TAKE(text);
  return KR_OK;
}

kr_status kr_keyring_create(kr_str path, kr_secure *pool, kr_keyring **ret_keyring,
                            kr_error *reterr) {
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keyring = NULL;
  KR_CLEANUP(kr_secret_freep) kr_secret *text = NULL;
  KR_TRY(kr_keyring_new(&keyring, reterr));
  KR_TRY(kr_keyring_fresh(keyring, pool, reterr));
  if (kr_keyring_print(keyring, pool, &text) != KR_OK)
    return kr_fail_nomem(reterr);
  KR_TRY(kr_keyfile_write(path, kr_secret_reveal(text), reterr));
  *ret_keyring = KR_TAKE(keyring);
  return KR_OK;
}
