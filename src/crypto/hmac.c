/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hmac.c - SHA-256, and HMAC (RFC 2104) with SHA-256 or SHA-512.
 *
 * The MAC of a record frames each part by its length, so that no two lists of
 * parts give the same bytes:
 *
 *   HMAC-SHA-256(key, len(part 0) as u64 BE | part 0 | len(part 1) | part 1 ...)
 *
 * Each call looks up the algorithm and makes a context of its own, freed (and
 * wiped) at once, which takes more time than hashing a record does. Many MACs
 * of one walk share a context instead (kr_mac).
 */
#include "crypto/crypto_internal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

static void kr_crypto_mac_freep(EVP_MAC **mac) { EVP_MAC_free(*mac); }
static void kr_crypto_mac_ctx_freep(EVP_MAC_CTX **ctx) { EVP_MAC_CTX_free(*ctx); }

kr_status kr_crypto_fail(const char *operation, kr_error *reterr) {
  if (ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)
    return kr_fail_nomem(reterr);
  kr_status status =
      kr_fail(reterr, KR_INTERNAL, "the crypto library cannot compute %s", operation);
  kr_error_hint(reterr, "check that OpenSSL 3 is installed whole and that its configuration "
                        "loads the default provider");
  return status;
}

kr_status kr_crypto_check_len(size_t len, const char *what, kr_error *reterr) {
  if (len <= KR_CRYPTO_INPUT_BYTES)
    return KR_OK;
  return kr_fail(reterr, KR_LIMIT, "%s is longer than %zu bytes", what, KR_CRYPTO_INPUT_BYTES);
}

/*
 * Whether OpenSSL's context of the process was made: where memory ran out while
 * it was, OpenSSL 3.0 goes on with one half made, and crashes in it.
 */
kr_status kr_crypto_check_ready(kr_error *reterr) {
  return OSSL_LIB_CTX_get0_global_default() != NULL ? KR_OK : kr_fail_nomem(reterr);
}

/* A fresh context with the key in it; freeing it wipes OpenSSL's copies. */
static kr_status kr_crypto_hmac_start(kr_crypto_hash hash, kr_str key, EVP_MAC_CTX **ret_ctx,
                                      kr_error *reterr) {
  KR_TRY(kr_crypto_check_ready(reterr));
  KR_CLEANUP(kr_crypto_mac_freep) EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  if (mac == NULL)
    return kr_crypto_fail("HMAC", reterr);
  KR_CLEANUP(kr_crypto_mac_ctx_freep) EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
  if (ctx == NULL)
    return kr_fail_nomem(reterr);
  char digest_name[] = "SHA256";
  if (hash == KR_CRYPTO_SHA512)
    memcpy(digest_name, "SHA512", sizeof digest_name);
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
      OSSL_PARAM_construct_end()};
  /* A NULL key would mean "keep the key before"; the empty key is a key. */
  const uint8_t *key_ptr = key.ptr == NULL ? (const uint8_t *)"" : key.ptr;
  if (EVP_MAC_init(ctx, key_ptr, key.len, params) != 1)
    return kr_crypto_fail("HMAC", reterr);
  *ret_ctx = KR_TAKE(ctx);
  return KR_OK;
}

static kr_status kr_crypto_hmac_run(EVP_MAC_CTX *ctx, const kr_str *parts, size_t n_parts,
                                    bool is_framed, uint8_t *out, size_t out_len,
                                    kr_error *reterr) {
  for (size_t i = 0; i < n_parts; i++) {
    uint8_t frame[8];
    kr_crypto_put_u64(frame, parts[i].len);
    if (is_framed && EVP_MAC_update(ctx, frame, sizeof frame) != 1)
      return kr_crypto_fail("HMAC", reterr);
    if (parts[i].len > 0 && EVP_MAC_update(ctx, parts[i].ptr, parts[i].len) != 1)
      return kr_crypto_fail("HMAC", reterr);
  }
  size_t written = 0;
  if (EVP_MAC_final(ctx, out, &written, out_len) != 1 || written != out_len) {
    kr_wipe(out, out_len);
    return kr_crypto_fail("HMAC", reterr);
  }
  return KR_OK;
}

kr_status kr_crypto_hmac(kr_crypto_hash hash, kr_str key, const kr_str *parts, size_t n_parts,
                         uint8_t *out, kr_error *reterr) {
  size_t out_len = hash == KR_CRYPTO_SHA512 ? KR_CRYPTO_SHA512_BYTES : KR_CRYPTO_SHA256_BYTES;
  KR_CLEANUP(kr_crypto_mac_ctx_freep) EVP_MAC_CTX *ctx = NULL;
  (void)ERR_set_mark();
  kr_status status = kr_crypto_hmac_start(hash, key, &ctx, reterr);
  if (status == KR_OK)
    status = kr_crypto_hmac_run(ctx, parts, n_parts, false, out, out_len, reterr);
  (void)ERR_pop_to_mark();
  return status;
}

kr_status kr_crypto_mac(const kr_secret *key, const kr_str *parts, size_t n_parts,
                        uint8_t out[KR_MAC_BYTES], kr_error *reterr) {
  KR_CLEANUP(kr_crypto_mac_ctx_freep) EVP_MAC_CTX *ctx = NULL;
  (void)ERR_set_mark();
  kr_status status = kr_crypto_hmac_start(KR_CRYPTO_SHA256, kr_secret_reveal(key), &ctx, reterr);
  if (status == KR_OK)
    status = kr_crypto_hmac_run(ctx, parts, n_parts, true, out, KR_MAC_BYTES, reterr);
  (void)ERR_pop_to_mark();
  return status;
}

struct kr_mac {
  EVP_MAC_CTX *ctx;
  const kr_secret *key;
};

kr_status kr_mac_new(const kr_secret *key, kr_mac **ret_mac, kr_error *reterr) {
  KR_CLEANUP(kr_mac_freep) kr_mac *mac = kr_heap_memory()->alloc(sizeof *mac);
  if (mac == NULL)
    return kr_fail_nomem(reterr);
  *mac = (kr_mac){.key = key};
  (void)ERR_set_mark();
  kr_status status =
      kr_crypto_hmac_start(KR_CRYPTO_SHA256, kr_secret_reveal(key), &mac->ctx, reterr);
  (void)ERR_pop_to_mark();
  KR_TRY(status);
  *ret_mac = KR_TAKE(mac);
  return KR_OK;
}

kr_status kr_mac_run(kr_mac *mac, const kr_str *parts, size_t n_parts, uint8_t out[KR_MAC_BYTES],
                     kr_error *reterr) {
  kr_str key = kr_secret_reveal(mac->key);
  (void)ERR_set_mark();
  /* The key again: whether a context begins anew without one differs between versions. */
  kr_status status =
      EVP_MAC_init(mac->ctx, key.ptr, key.len, NULL) == 1
          ? kr_crypto_hmac_run(mac->ctx, parts, n_parts, true, out, KR_MAC_BYTES, reterr)
          : kr_crypto_fail("HMAC", reterr);
  (void)ERR_pop_to_mark();
  return status;
}

void kr_mac_free(kr_mac *mac) {
  if (mac == NULL)
    return;
  EVP_MAC_CTX_free(mac->ctx);
  kr_heap_memory()->release(mac, sizeof *mac);
}

kr_status kr_crypto_hmac_sha256(kr_str key, kr_str bytes, uint8_t out[32], kr_error *reterr) {
  return kr_crypto_hmac(KR_CRYPTO_SHA256, key, &bytes, 1, out, reterr);
}

kr_status kr_crypto_sha256(kr_str bytes, uint8_t out[32], kr_error *reterr) {
  KR_TRY(kr_crypto_check_ready(reterr));
  unsigned written = 0;
  const uint8_t *ptr = bytes.ptr == NULL ? (const uint8_t *)"" : bytes.ptr;
  (void)ERR_set_mark();
  int is_done = EVP_Digest(ptr, bytes.len, out, &written, EVP_sha256(), NULL);
  (void)ERR_pop_to_mark();
  if (is_done != 1 || written != KR_CRYPTO_SHA256_BYTES)
    return kr_crypto_fail("SHA-256", reterr);
  return KR_OK;
}

bool kr_crypto_equal(const void *a, const void *b, size_t len) {
  return len == 0 || CRYPTO_memcmp(a, b, len) == 0;
}
