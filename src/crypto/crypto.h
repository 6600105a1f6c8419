/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto.h - the few primitives krosyn uses, over OpenSSL; the only folder that
 * includes its headers.
 *
 *  - A256CBC-HS512, authenticated encryption: AES-256-CBC with PKCS#7 and
 *    HMAC-SHA-512, encrypt-then-MAC (RFC 7518, section 5.2.5). Key: 64 bytes,
 *    MAC half first. Sealed bytes: IV(16) | ciphertext | tag(32).
 *  - HKDF-SHA-512 (RFC 5869), scrypt (RFC 7914), HMAC-SHA-256/512, SHA-256, random bytes,
 *    constant-time comparison.
 *
 * Keys come as kr_secret (locked memory). Fresh contexts for each operation,
 * freed at once: live ones keep copies of keys in the ordinary heap.
 * Threads: all functions, any thread.
 */
#ifndef KR_CRYPTO_CRYPTO_H
#define KR_CRYPTO_CRYPTO_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "secmem/secure.h"

#define KR_KEY_BYTES 64u /* an A256CBC-HS512 key, and every key in the hierarchy */
#define KR_SEAL_IV_BYTES 16u
#define KR_SEAL_TAG_BYTES 32u
#define KR_SEAL_BLOCK_BYTES 16u
#define KR_MAC_BYTES 32u /* HMAC-SHA-256 */

/**
 * Bytes of the sealed form of plain_len bytes: IV + PKCS#7 ciphertext + tag.
 * SIZE_MAX above 1 GiB, which kr_crypto_seal refuses with KR_LIMIT.
 */
size_t kr_crypto_sealed_len(size_t plain_len);

/** Fill with random bytes. KR_IO when the system has none to give. */
kr_status kr_crypto_random(void *out, size_t len, kr_error *reterr) KR_MUST_USE;

/** A fresh random key of KR_KEY_BYTES. */
kr_status kr_crypto_key_new(kr_secure *pool, kr_secret **ret_key, kr_error *reterr) KR_MUST_USE;

/** Encrypt and authenticate plain with associated data aad; appends the sealed form to out. */
kr_status kr_crypto_seal(const kr_secret *key, kr_str aad, kr_str plain, kr_buf *out,
                         kr_error *reterr) KR_MUST_USE;

/** The same with a given IV, for known-answer tests only. */
kr_status kr_crypto_seal_with_iv(const kr_secret *key, const uint8_t iv[KR_SEAL_IV_BYTES],
                                 kr_str aad, kr_str plain, kr_buf *out,
                                 kr_error *reterr) KR_MUST_USE;

/**
 * Check the tag (constant time, before any decryption), then decrypt into a new
 * secret. Wrong key, wrong aad, wrong tag, bad padding and bad length are one
 * and the same error: KR_CORRUPT, one message.
 */
kr_status kr_crypto_open(const kr_secret *key, kr_str aad, kr_str sealed, kr_secure *pool,
                         kr_secret **ret_plain, kr_error *reterr) KR_MUST_USE;

/** Derive a key of KR_KEY_BYTES: HKDF-SHA-512 with no salt and this info. */
kr_status kr_crypto_derive(const kr_secret *key, kr_str info, kr_secure *pool, kr_secret **ret_key,
                           kr_error *reterr) KR_MUST_USE;

/** RFC 5869 with all parameters; out_len to 255*64. For the vectors and for crypto_derive. */
kr_status kr_crypto_hkdf_sha512(kr_str key, kr_str salt, kr_str info, uint8_t *out, size_t out_len,
                                kr_error *reterr) KR_MUST_USE;

#define KR_SCRYPT_MAX_N (1u << 20) /* with r = 8: 1 GiB of work area */
#define KR_SCRYPT_MAX_R 32u
#define KR_SCRYPT_MAX_P 16u

/** Cost of scrypt: N blocks of 128 * r bytes, p times. */
typedef struct kr_scrypt {
  uint32_t n; /* a power of two */
  uint32_t r;
  uint32_t p;
} kr_scrypt;

/**
 * scrypt (RFC 7914) into out. Takes 128 * N * r bytes of ordinary memory inside OpenSSL
 * meanwhile. KR_LIMIT: a cost above the bounds; KR_NOMEM: no room for the work area.
 */
kr_status kr_crypto_scrypt(kr_str passphrase, kr_str salt, const kr_scrypt *scrypt, uint8_t *out,
                           size_t out_len, kr_error *reterr) KR_MUST_USE;

/** HMAC-SHA-256 over the parts in order, each preceded by its length (u64, big-endian). */
kr_status kr_crypto_mac(const kr_secret *key, const kr_str *parts, size_t n_parts,
                        uint8_t out[KR_MAC_BYTES], kr_error *reterr) KR_MUST_USE;

/**
 * A key made ready for many kr_crypto_mac() of one walk or one change: less than half the time of
 * each. OpenSSL's copy of the key is in ordinary memory as long as it lives, so free it (which
 * wipes) at the end of the operation. key is borrowed. One thread at a time.
 */
typedef struct kr_mac kr_mac;
kr_status kr_mac_new(const kr_secret *key, kr_mac **ret_mac, kr_error *reterr) KR_MUST_USE;
kr_status kr_mac_run(kr_mac *mac, const kr_str *parts, size_t n_parts, uint8_t out[KR_MAC_BYTES],
                     kr_error *reterr) KR_MUST_USE;
void kr_mac_free(kr_mac *mac);
KR_DEFINE_FREEP(kr_mac_freep, kr_mac, kr_mac_free)

/** Plain SHA-256 and HMAC (no length framing), for the language's functions. */
kr_status kr_crypto_sha256(kr_str bytes, uint8_t out[32], kr_error *reterr) KR_MUST_USE;
kr_status kr_crypto_hmac_sha256(kr_str key, kr_str bytes, uint8_t out[32],
                                kr_error *reterr) KR_MUST_USE;

/** SHA-256 of bytes that come in pieces: new, add, add, ..., end (once), free. Not for secrets. */
#define KR_DIGEST_BYTES 32u
typedef struct kr_digest kr_digest;
kr_status kr_digest_new(kr_digest **ret_digest, kr_error *reterr) KR_MUST_USE;
kr_status kr_digest_add(kr_digest *digest, kr_str bytes, kr_error *reterr) KR_MUST_USE;
kr_status kr_digest_end(kr_digest *digest, uint8_t out[KR_DIGEST_BYTES],
                        kr_error *reterr) KR_MUST_USE;
void kr_digest_free(kr_digest *digest);
KR_DEFINE_FREEP(kr_digest_freep, kr_digest, kr_digest_free)

/** Constant-time equality of two strings of equal length. */
bool kr_crypto_equal(const void *a, const void *b, size_t len);

#endif
