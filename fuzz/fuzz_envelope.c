/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_envelope.c - an A256CBC-HS512 envelope and what happens to it. The first
 * bytes choose how long plaintext and associated data are and which of both and
 * of the envelope are changed; the rest is the bytes themselves, and at last a
 * list of changes. What must hold: sealed, it opens to the same plaintext;
 * with anything changed it is refused with the one error; what the fuzzer
 * itself wrote never opens.
 */
#include "crypto/crypto.h"
#include "fuzz.h"

#define POOL_BYTES (64u * 1024u)
#define SEALED_LIMIT (64u * 1024u)
#define HEAD_BYTES 3u

static kr_secure *pool;
static kr_secret *key;
static kr_error expected; /* the one refusal */

static void set_up(void) {
  kr_secret *value = NULL;
  KR_FUZZ_MUST(kr_secure_new(POOL_BYTES, &pool, NULL) == KR_OK);
  KR_FUZZ_MUST(kr_crypto_key_new(pool, &key, NULL) == KR_OK);
  kr_status status = kr_crypto_open(key, KR_STR(""), KR_STR(""), pool, &value, &expected);
  KR_FUZZ_MUST(status == KR_CORRUPT);
}

static void must_be_refused(kr_str aad, kr_str sealed) {
  kr_secret *value = NULL;
  kr_error error = {.status = KR_OK};
  kr_status status = kr_crypto_open(key, aad, sealed, pool, &value, &error);
  KR_FUZZ_MUST(status == KR_CORRUPT && value == NULL);
  KR_FUZZ_MUST(strcmp(error.message, expected.message) == 0);
  KR_FUZZ_MUST(strcmp(error.hint, expected.hint) == 0);
}

static void must_open(kr_str aad, kr_str sealed, kr_str plain) {
  kr_secret *value = NULL;
  KR_FUZZ_MUST(kr_crypto_open(key, aad, sealed, pool, &value, NULL) == KR_OK);
  KR_FUZZ_MUST(kr_str_equal(kr_secret_reveal(value), plain));
  kr_secret_free(value);
}

/* Pairs of place and mask, turned into a copy; then it may be cut or lengthened. */
static void change(kr_str from, kr_str changes, uint8_t how, kr_buf *out) {
  KR_FUZZ_MUST(kr_buf_append(out, from) == KR_OK);
  for (size_t i = 0; i + 1 < changes.len && out->len > 0; i += 2)
    out->ptr[changes.ptr[i] * (out->len - 1) / 255] ^= changes.ptr[i + 1];
  if ((how & 0x40) != 0)
    out->len -= out->len < (how & 15) ? out->len : (how & 15);
  if ((how & 0x80) != 0)
    KR_FUZZ_MUST(
        kr_buf_append(out, kr_str_slice(changes, 0, changes.len < 16 ? changes.len : 16)) == KR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (pool == NULL)
    set_up();
  /* A key for each input: the fuzzer learns envelopes of the one before from what is compared. */
  kr_secret_free(key);
  KR_FUZZ_MUST(kr_crypto_key_new(pool, &key, NULL) == KR_OK);
  kr_str input = kr_str_from(data, size);
  must_be_refused(KR_STR(""), input);
  if (size < HEAD_BYTES)
    return 0;
  kr_str rest = kr_str_skip(input, HEAD_BYTES);
  size_t aad_len = data[0] < rest.len ? data[0] : rest.len;
  kr_str aad = kr_str_slice(rest, 0, aad_len);
  rest = kr_str_skip(rest, aad_len);
  size_t plain_len = data[1] < rest.len ? data[1] : rest.len;
  kr_str plain = kr_str_slice(rest, 0, plain_len);
  rest = kr_str_skip(rest, plain_len);
  must_be_refused(aad, rest);

  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(SEALED_LIMIT, NULL);
  KR_FUZZ_MUST(kr_crypto_seal(key, aad, plain, &sealed, NULL) == KR_OK);
  KR_FUZZ_MUST(sealed.len == kr_crypto_sealed_len(plain.len));
  must_open(aad, kr_buf_str(&sealed), plain);

  KR_CLEANUP(kr_buf_done) kr_buf other = KR_BUF_INIT(SEALED_LIMIT, NULL);
  bool is_aad = (data[2] & 0x20) != 0;
  kr_str whole = is_aad ? aad : kr_buf_str(&sealed);
  change(whole, rest, data[2], &other);
  kr_str changed = kr_buf_str(&other);
  bool is_same = kr_str_equal(whole, changed);
  if (is_same)
    must_open(aad, kr_buf_str(&sealed), plain);
  else if (is_aad)
    must_be_refused(changed, kr_buf_str(&sealed));
  else
    must_be_refused(aad, changed);
  KR_FUZZ_MUST(kr_secure_used(pool) > 0);
  return 0;
}
