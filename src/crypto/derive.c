/* SPDX-License-Identifier: Apache-2.0 */
/*
 * derive.c - where keys come from: the kernel's random bytes, and HKDF-SHA-512
 * (RFC 5869) from another key.
 *
 * Random bytes come from getrandom(2), not from OpenSSL's generator: that one
 * keeps its state in the ordinary heap, where it would outlive the keys made
 * from it and end in a core file. HKDF is written over our HMAC because
 * OpenSSL's bounds the info string; the tests hold the two against each other.
 */
#include "crypto/crypto_internal.h"

#include <errno.h>
#include <sys/random.h>

/* One call of getrandom up to this size is never interrupted part way. */
#define KR_CRYPTO_RANDOM_CHUNK_BYTES 256u

/* RFC 5869, section 2.3: the counter of blocks is one byte. */
#define KR_CRYPTO_HKDF_BLOCKS 255u

kr_status kr_crypto_random(void *out, size_t len, kr_error *reterr) {
  uint8_t *next = out;
  while (len > 0) {
    size_t wanted = len < KR_CRYPTO_RANDOM_CHUNK_BYTES ? len : KR_CRYPTO_RANDOM_CHUNK_BYTES;
    ssize_t got = getrandom(next, wanted, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0) {
      kr_status status = kr_fail_errno(reterr, got < 0 ? errno : EIO, "cannot get random bytes");
      kr_error_hint(reterr, "krosyn needs the getrandom system call; check the sandbox it runs in");
      return status;
    }
    next += got;
    len -= (size_t)got;
  }
  return KR_OK;
}

kr_status kr_crypto_key_new(kr_secure *pool, kr_secret **ret_key, kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  if (kr_secret_new(pool, KR_KEY_BYTES, &key) != KR_OK)
    return kr_fail_nomem(reterr);
  KR_TRY(kr_crypto_random(kr_secret_writable(key), KR_KEY_BYTES, reterr));
  *ret_key = KR_TAKE(key);
  return KR_OK;
}

/* Expand: T(i) = HMAC(prk, T(i-1) | info | i); out is T(1) | T(2) | ... cut to out_len. */
static kr_status kr_crypto_hkdf_expand(const uint8_t prk[KR_CRYPTO_SHA512_BYTES], kr_str info,
                                       uint8_t block[KR_CRYPTO_SHA512_BYTES], uint8_t *out,
                                       size_t out_len, kr_error *reterr) {
  size_t block_len = 0;
  uint8_t counter = 0;
  for (size_t done = 0; done < out_len;) {
    counter++;
    const kr_str parts[] = {kr_str_from(block, block_len), info, kr_str_from(&counter, 1)};
    KR_TRY(kr_crypto_hmac(KR_CRYPTO_SHA512, kr_str_from(prk, KR_CRYPTO_SHA512_BYTES), parts, 3,
                          block, reterr));
    block_len = KR_CRYPTO_SHA512_BYTES;
    size_t taken = out_len - done < block_len ? out_len - done : block_len;
    memcpy(out + done, block, taken);
    done += taken;
  }
  return KR_OK;
}

kr_status kr_crypto_hkdf_sha512(kr_str key, kr_str salt, kr_str info, uint8_t *out, size_t out_len,
                                kr_error *reterr) {
  if (out_len > KR_CRYPTO_HKDF_BLOCKS * KR_CRYPTO_SHA512_BYTES)
    return kr_fail(reterr, KR_LIMIT, "HKDF-SHA-512 gives at most %u bytes",
                   KR_CRYPTO_HKDF_BLOCKS * KR_CRYPTO_SHA512_BYTES);
  uint8_t prk[KR_CRYPTO_SHA512_BYTES];
  uint8_t block[KR_CRYPTO_SHA512_BYTES];
  /* Extract: no salt is a salt of zeros, which HMAC pads from the empty key anyway. */
  kr_status status = kr_crypto_hmac(KR_CRYPTO_SHA512, salt, &key, 1, prk, reterr);
  if (status == KR_OK)
    status = kr_crypto_hkdf_expand(prk, info, block, out, out_len, reterr);
  kr_wipe(prk, sizeof prk);
  kr_wipe(block, sizeof block);
  if (status != KR_OK)
    kr_wipe(out, out_len);
  return status;
}

kr_status kr_crypto_derive(const kr_secret *key, kr_str info, kr_secure *pool, kr_secret **ret_key,
                           kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *derived = NULL;
  if (kr_secret_new(pool, KR_KEY_BYTES, &derived) != KR_OK)
    return kr_fail_nomem(reterr);
  KR_TRY(kr_crypto_hkdf_sha512(kr_secret_reveal(key), kr_str_from(NULL, 0), info,
                               kr_secret_writable(derived), KR_KEY_BYTES, reterr));
  *ret_key = KR_TAKE(derived);
  return KR_OK;
}
