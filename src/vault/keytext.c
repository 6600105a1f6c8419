/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keytext.c - the text of keys; keyring.h has its shape.
 *
 *   locked text -> line -> id (plain) | base64 -> locked key
 *
 * Every byte of the text may be key material, a mangled line above all: decoded
 * inside locked memory, and of a line no more than its number gets into a message.
 */
#include "base/encode.h"
#include "vault/keyring_internal.h"

#define KR_KEYTEXT_DECODE_BYTES 66u /* KR_KEY_BYTES and the decoder's slack */
#define KR_KEYTEXT_LONE_ID KR_STR("command")

/* What is read, and what is said of it. */
typedef struct kr_keytext {
  kr_keyring *keyring;
  kr_str place;
  kr_secure *pool;
  kr_error *reterr;
} kr_keytext;

static kr_status kr_keytext_malformed(const kr_keytext *from, size_t line, const char *reason) {
  kr_status status = kr_fail(from->reterr, KR_UNTRUSTED, "%s %.*s, line %zu: %s",
                             kr_key_source_noun(kr_keyring_source(from->keyring)),
                             KR_FMT(from->place), line, reason);
  kr_error_hint(from->reterr,
                "each line is `id base64`: an id of 1 to %u letters, digits, '-', '_' or "
                "'.', a blank, and 88 characters of base64; restore your copy of the key",
                KR_KEY_ID_BYTES);
  return status;
}

static kr_status kr_keytext_decode(kr_str text, kr_secure *pool, kr_secret **ret_key) {
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  if (text.len != KR_KEYTEXT_KEY_BYTES)
    return KR_INVALID;
  KR_TRY(kr_secret_new(pool, KR_KEYTEXT_DECODE_BYTES, &key));
  /* A buffer over the locked bytes themselves: full from the start, so it never grows. */
  kr_buf locked = {.ptr = kr_secret_writable(key),
                   .len = 0,
                   .cap = KR_KEYTEXT_DECODE_BYTES,
                   .limit = KR_KEYTEXT_DECODE_BYTES,
                   .memory = NULL};
  KR_TRY(kr_base64_decode(text, KR_BASE64_STANDARD, &locked));
  if (locked.len != KR_KEY_BYTES)
    return KR_INVALID;
  kr_secret_truncate(key, KR_KEY_BYTES);
  *ret_key = KR_TAKE(key);
  return KR_OK;
}

static kr_status kr_keytext_add_line(const kr_keytext *from, size_t number, kr_str line) {
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  size_t id_len = 0;
  while (id_len < line.len && line.ptr[id_len] != ' ' && line.ptr[id_len] != '\t')
    id_len++;
  kr_str id = kr_str_slice(line, 0, id_len);
  kr_str text = kr_str_trim(kr_str_skip(line, id_len));
  if (!kr_key_id_is_valid(id))
    return kr_keytext_malformed(from, number, "the key id is not well-formed");
  if (kr_keyring_find(from->keyring, id) != NULL)
    return kr_keytext_malformed(from, number, "this key id was given before");
  if (kr_keyring_count(from->keyring) == KR_KEYRING_MAX)
    return kr_keytext_malformed(from, number, "more keys than a key file may hold (16)");
  kr_status status = kr_keytext_decode(text, from->pool, &key);
  if (status == KR_NOMEM)
    return kr_fail_nomem(from->reterr);
  if (status != KR_OK)
    return kr_keytext_malformed(from, number, "the key is not 64 bytes of base64");
  kr_keyring_add(from->keyring, id, KR_TAKE(key));
  return KR_OK;
}

/* Key services give one value and no more: then the key is all there is. */
static kr_status kr_keytext_lone(const kr_keytext *from, kr_str text, bool *ret_is_lone) {
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  *ret_is_lone = false;
  if (kr_keyring_source(from->keyring) != KR_KEY_COMMAND)
    return KR_OK;
  kr_status status = kr_keytext_decode(kr_str_trim(text), from->pool, &key);
  if (status == KR_NOMEM)
    return kr_fail_nomem(from->reterr);
  if (status != KR_OK)
    return KR_OK; /* lines, then */
  kr_keyring_add(from->keyring, KR_KEYTEXT_LONE_ID, KR_TAKE(key));
  *ret_is_lone = true;
  return KR_OK;
}

/* The bytes of the next line. In a variable ';' ends it too, but not within a comment: the
 * heading of a key file has one. */
static size_t kr_keytext_line_len(kr_key_source source, kr_str text) {
  size_t start = 0;
  while (start < text.len && (text.ptr[start] == ' ' || text.ptr[start] == '\t'))
    start++;
  bool is_split = source == KR_KEY_ENVIRONMENT && !(start < text.len && text.ptr[start] == '#');
  size_t len = 0;
  while (len < text.len && text.ptr[len] != '\n' && !(is_split && text.ptr[len] == ';'))
    len++;
  return len;
}

static kr_status kr_keytext_read(const kr_keytext *from, kr_str text) {
  bool is_lone = false;
  size_t number = 0;
  KR_TRY(kr_keytext_lone(from, text, &is_lone));
  while (!is_lone && text.len > 0) {
    number++;
    size_t len = kr_keytext_line_len(kr_keyring_source(from->keyring), text);
    kr_str line = kr_str_trim(kr_str_slice(text, 0, len));
    text = kr_str_skip(text, len < text.len ? len + 1 : len);
    if (line.len == 0 || line.ptr[0] == '#')
      continue;
    KR_TRY(kr_keytext_add_line(from, number, line));
  }
  if (kr_keyring_count(from->keyring) > 0)
    return KR_OK;
  kr_status status =
      kr_fail(from->reterr, KR_UNTRUSTED, "%s %.*s holds no key",
              kr_key_source_noun(kr_keyring_source(from->keyring)), KR_FMT(from->place));
  kr_error_hint(from->reterr, "restore your copy of the key");
  return status;
}

kr_status kr_keyring_parse(kr_key_source source, kr_str place, kr_str text, kr_secure *pool,
                           kr_keyring **ret_keyring, kr_error *reterr) {
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keyring = NULL;
  KR_TRY(kr_keyring_new(source, &keyring, reterr));
  if (text.len > KR_KEYFILE_MAX_BYTES)
    return kr_fail(reterr, KR_UNTRUSTED, "%s %.*s: the keys are longer than %u bytes",
                   kr_key_source_noun(source), KR_FMT(place), KR_KEYFILE_MAX_BYTES);
  const kr_keytext from = {.keyring = keyring, .place = place, .pool = pool, .reterr = reterr};
  KR_TRY(kr_keytext_read(&from, text));
  *ret_keyring = KR_TAKE(keyring);
  return KR_OK;
}

#define KR_KEYTEXT_HEADING                                                                         \
  "# krosyn master key - keep a copy in a safe place; without it the vault cannot be opened\n"
#define KR_KEYTEXT_BYTES (sizeof KR_KEYTEXT_HEADING + KR_KEY_ID_BYTES + KR_KEYTEXT_KEY_BYTES + 2)

kr_status kr_keytext_print(const kr_keyring *keyring, kr_secure *pool, kr_secret **ret_text) {
  KR_CLEANUP(kr_secret_freep) kr_secret *text = NULL;
  KR_TRY(kr_secret_new(pool, KR_KEYTEXT_BYTES, &text));
  kr_buf locked = {.ptr = kr_secret_writable(text),
                   .len = 0,
                   .cap = KR_KEYTEXT_BYTES,
                   .limit = KR_KEYTEXT_BYTES,
                   .memory = NULL};
  KR_TRY(kr_buf_append(&locked, KR_STR(KR_KEYTEXT_HEADING)));
  KR_TRY(kr_buf_append(&locked, kr_keyring_id(keyring, 0)));
  KR_TRY(kr_buf_byte(&locked, ' '));
  KR_TRY(kr_base64_encode(kr_secret_reveal(kr_keyring_key(keyring, 0)), KR_BASE64_STANDARD, true,
                          &locked));
  KR_TRY(kr_buf_byte(&locked, '\n'));
  kr_secret_truncate(text, locked.len);
  *ret_text = KR_TAKE(text);
  return KR_OK;
}
