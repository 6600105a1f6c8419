/* SPDX-License-Identifier: Apache-2.0 */
/*
 * envelope.c - A256CBC-HS512: AES-256-CBC with PKCS#7 padding, then
 * HMAC-SHA-512 over everything (RFC 7518, section 5.2.5). CBC alone can be
 * altered unnoticed; here nothing is decrypted before the tag is found right.
 *
 *   key    = MAC half (32) | encryption half (32)
 *   sealed = IV (16) | ciphertext (a multiple of 16, at least 16) | tag (32)
 *   tag    = first 32 bytes of HMAC-SHA-512(MAC half,
 *              AAD | IV | ciphertext | length of AAD in bits as u64 big-endian)
 */
#include "crypto/crypto_internal.h"

#include "base/assert.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define KR_SEAL_HALF_BYTES (KR_KEY_BYTES / 2)
#define KR_SEAL_OVERHEAD_BYTES (KR_SEAL_IV_BYTES + KR_SEAL_TAG_BYTES)

static void kr_crypto_cipher_ctx_freep(EVP_CIPHER_CTX **ctx) { EVP_CIPHER_CTX_free(*ctx); }

static size_t kr_crypto_padded_len(size_t plain_len) {
  return plain_len - plain_len % KR_SEAL_BLOCK_BYTES + KR_SEAL_BLOCK_BYTES;
}

size_t kr_crypto_sealed_len(size_t plain_len) {
  if (plain_len > KR_CRYPTO_INPUT_BYTES)
    return SIZE_MAX;
  return kr_crypto_padded_len(plain_len) + KR_SEAL_OVERHEAD_BYTES;
}

/* Before each operation: a key of the right size, and a crypto library to use it with. */
static kr_status kr_crypto_key_check(const kr_secret *key, kr_error *reterr) {
  KR_TRY(kr_crypto_check_ready(reterr));
  if (kr_secret_reveal(key).len == KR_KEY_BYTES)
    return KR_OK;
  return kr_fail(reterr, KR_INVALID, "an encryption key has %u bytes; this one does not",
                 KR_KEY_BYTES);
}

/* The tag over `body` = IV | ciphertext. AAD is at most KR_CRYPTO_INPUT_BYTES: its bits fit. */
static kr_status kr_crypto_tag(const kr_secret *key, kr_str aad, kr_str body,
                               uint8_t tag[KR_SEAL_TAG_BYTES], kr_error *reterr) {
  uint8_t aad_bits[8];
  uint8_t whole[KR_CRYPTO_SHA512_BYTES];
  kr_crypto_put_u64(aad_bits, (uint64_t)aad.len * 8);
  const kr_str parts[] = {aad, body, kr_str_from(aad_bits, sizeof aad_bits)};
  kr_str mac_half = kr_str_slice(kr_secret_reveal(key), 0, KR_SEAL_HALF_BYTES);
  kr_status status = kr_crypto_hmac(KR_CRYPTO_SHA512, mac_half, parts, 3, whole, reterr);
  if (status == KR_OK)
    memcpy(tag, whole, KR_SEAL_TAG_BYTES);
  kr_wipe(whole, sizeof whole);
  return status;
}

static kr_status kr_crypto_encrypt(const kr_secret *key, const uint8_t *iv, kr_str plain,
                                   uint8_t *out, size_t out_len, kr_error *reterr) {
  KR_CLEANUP(kr_crypto_cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  if (ctx == NULL)
    return kr_fail_nomem(reterr);
  const uint8_t *encryption_half = kr_secret_reveal(key).ptr + KR_SEAL_HALF_BYTES;
  int first = 0;
  int last = 0;
  if (EVP_EncryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, encryption_half, iv) != 1 ||
      (plain.len > 0 && EVP_EncryptUpdate(ctx, out, &first, plain.ptr, (int)plain.len) != 1) ||
      EVP_EncryptFinal_ex(ctx, out + first, &last) != 1)
    return kr_crypto_fail("AES-256-CBC", reterr);
  KR_ASSERT((size_t)first + (size_t)last == out_len);
  return KR_OK;
}

kr_status kr_crypto_seal_with_iv(const kr_secret *key, const uint8_t iv[KR_SEAL_IV_BYTES],
                                 kr_str aad, kr_str plain, kr_buf *out, kr_error *reterr) {
  KR_TRY(kr_crypto_key_check(key, reterr));
  KR_TRY(kr_crypto_check_len(plain.len, "the plaintext", reterr));
  KR_TRY(kr_crypto_check_len(aad.len, "the associated data", reterr));
  size_t sealed_len = kr_crypto_sealed_len(plain.len);
  kr_status status = kr_buf_reserve(out, sealed_len);
  if (status != KR_OK)
    return kr_buf_explain(out, status, "sealed value", reterr);

  uint8_t *sealed = out->ptr + out->len;
  size_t body_len = sealed_len - KR_SEAL_TAG_BYTES;
  memcpy(sealed, iv, KR_SEAL_IV_BYTES);
  (void)ERR_set_mark();
  status = kr_crypto_encrypt(key, iv, plain, sealed + KR_SEAL_IV_BYTES, body_len - KR_SEAL_IV_BYTES,
                             reterr);
  if (status == KR_OK)
    status = kr_crypto_tag(key, aad, kr_str_from(sealed, body_len), sealed + body_len, reterr);
  (void)ERR_pop_to_mark();
  if (status != KR_OK) {
    kr_wipe(sealed, sealed_len);
    return status;
  }
  out->len += sealed_len;
  return KR_OK;
}

kr_status kr_crypto_seal(const kr_secret *key, kr_str aad, kr_str plain, kr_buf *out,
                         kr_error *reterr) {
  uint8_t iv[KR_SEAL_IV_BYTES];
  KR_TRY(kr_crypto_random(iv, sizeof iv, reterr));
  return kr_crypto_seal_with_iv(key, iv, aad, plain, out, reterr);
}

/* The one answer to a wrong key, AAD, length, tag or padding: a second one is an oracle. */
static kr_status kr_crypto_open_fail(kr_error *reterr) {
  return kr_fail_hint(reterr, KR_CORRUPT,
                      "a sealed value does not open: it was altered or moved, "
                      "or sealed under another key",
                      "check that the right key is in use; else restore from a backup");
}

/* Into `secret`, which has as many bytes as the ciphertext; cut to the plaintext. */
static kr_status kr_crypto_decrypt(const kr_secret *key, kr_str body, kr_secret *secret,
                                   kr_error *reterr) {
  KR_CLEANUP(kr_crypto_cipher_ctx_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  if (ctx == NULL)
    return kr_fail_nomem(reterr);
  const uint8_t *encryption_half = kr_secret_reveal(key).ptr + KR_SEAL_HALF_BYTES;
  kr_str ciphertext = kr_str_skip(body, KR_SEAL_IV_BYTES);
  uint8_t *plain = kr_secret_writable(secret);
  int first = 0;
  int last = 0;
  if (EVP_DecryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, encryption_half, body.ptr) != 1 ||
      EVP_DecryptUpdate(ctx, plain, &first, ciphertext.ptr, (int)ciphertext.len) != 1)
    return kr_crypto_fail("AES-256-CBC", reterr);
  if (EVP_DecryptFinal_ex(ctx, plain + first, &last) != 1)
    return kr_crypto_open_fail(reterr);
  kr_secret_truncate(secret, (size_t)first + (size_t)last);
  return KR_OK;
}

static kr_status kr_crypto_open_checked(const kr_secret *key, kr_str aad, kr_str sealed,
                                        kr_secure *pool, kr_secret **ret_plain, kr_error *reterr) {
  kr_str body = kr_str_slice(sealed, 0, sealed.len - KR_SEAL_TAG_BYTES);
  uint8_t tag[KR_SEAL_TAG_BYTES];
  KR_TRY(kr_crypto_tag(key, aad, body, tag, reterr));
  bool is_equal = kr_crypto_equal(tag, sealed.ptr + body.len, sizeof tag);
  kr_wipe(tag, sizeof tag);
  if (!is_equal)
    return kr_crypto_open_fail(reterr);

  KR_CLEANUP(kr_secret_freep) kr_secret *plain = NULL;
  if (kr_secret_new(pool, body.len - KR_SEAL_IV_BYTES, &plain) != KR_OK)
    return kr_fail_nomem(reterr);
  KR_TRY(kr_crypto_decrypt(key, body, plain, reterr));
  *ret_plain = KR_TAKE(plain);
  return KR_OK;
}

kr_status kr_crypto_open(const kr_secret *key, kr_str aad, kr_str sealed, kr_secure *pool,
                         kr_secret **ret_plain, kr_error *reterr) {
  KR_TRY(kr_crypto_key_check(key, reterr));
  if (sealed.len < KR_SEAL_OVERHEAD_BYTES + KR_SEAL_BLOCK_BYTES ||
      sealed.len > kr_crypto_sealed_len(KR_CRYPTO_INPUT_BYTES) || aad.len > KR_CRYPTO_INPUT_BYTES ||
      (sealed.len - KR_SEAL_OVERHEAD_BYTES) % KR_SEAL_BLOCK_BYTES != 0)
    return kr_crypto_open_fail(reterr);
  (void)ERR_set_mark();
  kr_status status = kr_crypto_open_checked(key, aad, sealed, pool, ret_plain, reterr);
  (void)ERR_pop_to_mark();
  return status;
}
