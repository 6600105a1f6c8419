/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto_internal.h - what the files of this folder share: HMAC over parts
 * with either hash, and the one message for a failure inside OpenSSL.
 */
#ifndef KR_CRYPTO_INTERNAL_H
#define KR_CRYPTO_INTERNAL_H

#include "crypto/crypto.h"

#define KR_CRYPTO_SHA256_BYTES 32u
#define KR_CRYPTO_SHA512_BYTES 64u

/* OpenSSL counts in int; this leaves room for padding and is far above any record. */
#define KR_CRYPTO_INPUT_BYTES ((size_t)1024u * 1024u * 1024u)

typedef enum kr_crypto_hash { KR_CRYPTO_SHA256, KR_CRYPTO_SHA512 } kr_crypto_hash;

/**
 * HMAC (RFC 2104) over the parts as one string, without framing. out holds the
 * whole hash: 32 or 64 bytes. KR_NOMEM, KR_INTERNAL.
 */
kr_status kr_crypto_hmac(kr_crypto_hash hash, kr_str key, const kr_str *parts, size_t n_parts,
                         uint8_t *out, kr_error *reterr) KR_MUST_USE;

/** KR_LIMIT when len is over KR_CRYPTO_INPUT_BYTES; what names the input ("plaintext"). */
kr_status kr_crypto_check_len(size_t len, const char *what, kr_error *reterr) KR_MUST_USE;

/** KR_NOMEM when OpenSSL had no memory to begin with: none of its functions may then be called. */
kr_status kr_crypto_check_ready(kr_error *reterr) KR_MUST_USE;

/** OpenSSL refused what cannot fail on valid input: KR_NOMEM when it says so, else KR_INTERNAL. */
kr_status kr_crypto_fail(const char *operation, kr_error *reterr);

/** Eight bytes, big-endian. */
static inline void kr_crypto_put_u64(uint8_t out[8], uint64_t number) {
  for (unsigned i = 0; i < 8; i++)
    out[i] = (uint8_t)(number >> (56 - 8 * i));
}

#endif
