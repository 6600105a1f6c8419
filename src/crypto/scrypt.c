/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrypt.c - a key from a passphrase (RFC 7914), by OpenSSL.
 *
 * The work area, 128 * N * r bytes, is OpenSSL's: ordinary memory, not locked,
 * which it clears before it frees it. The derived key goes straight into ours.
 */
#include "crypto/crypto_internal.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define KR_SCRYPT_SLACK_BYTES ((uint64_t)1024u * 1024u)

/* N is a power of two up to 2^20, r up to 32, p up to 16: the product stays far below 2^64. */
static kr_status kr_scrypt_check(const kr_scrypt *scrypt, kr_error *reterr) {
  bool is_power = scrypt->n > 1 && (scrypt->n & (scrypt->n - 1)) == 0;
  if (is_power && scrypt->n <= KR_SCRYPT_MAX_N && scrypt->r >= 1 && scrypt->r <= KR_SCRYPT_MAX_R &&
      scrypt->p >= 1 && scrypt->p <= KR_SCRYPT_MAX_P)
    return KR_OK;
  return kr_fail(reterr, KR_LIMIT,
                 "scrypt takes N, a power of two up to %u, r up to %u, p up to %u", KR_SCRYPT_MAX_N,
                 KR_SCRYPT_MAX_R, KR_SCRYPT_MAX_P);
}

kr_status kr_crypto_scrypt(kr_str passphrase, kr_str salt, const kr_scrypt *scrypt, uint8_t *out,
                           size_t out_len, kr_error *reterr) {
  KR_TRY(kr_scrypt_check(scrypt, reterr));
  KR_TRY(kr_crypto_check_len(passphrase.len, "the passphrase", reterr));
  KR_TRY(kr_crypto_check_len(salt.len, "the salt", reterr));
  /* What OpenSSL adds up: V of N + 2 blocks, and B of p blocks, of 128 * r bytes each. */
  uint64_t block_bytes = (uint64_t)128 * scrypt->r;
  uint64_t max_bytes = block_bytes * (scrypt->n + 2 + scrypt->p) + KR_SCRYPT_SLACK_BYTES;
  /* Without a pointer OpenSSL would take "no passphrase yet". */
  const char *text = passphrase.ptr == NULL ? "" : (const char *)passphrase.ptr;
  const uint8_t *salt_ptr = salt.ptr == NULL ? (const uint8_t *)"" : salt.ptr;
  (void)ERR_set_mark();
  bool is_done = EVP_PBE_scrypt(text, passphrase.len, salt_ptr, salt.len, scrypt->n, scrypt->r,
                                scrypt->p, max_bytes, out, out_len) == 1;
  kr_status status = is_done ? KR_OK : kr_crypto_fail("scrypt", reterr);
  (void)ERR_pop_to_mark();
  if (!is_done)
    kr_wipe(out, out_len);
  return status;
}
