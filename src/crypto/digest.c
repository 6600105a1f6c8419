/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c - SHA-256 (FIPS 180-4) of bytes that come in pieces, as files do. */
#include "crypto/crypto_internal.h"

#include "base/memory.h"

#include <openssl/evp.h>

struct kr_digest {
  EVP_MD_CTX *context;
};

kr_status kr_digest_new(kr_digest **ret_digest, kr_error *reterr) {
  KR_CLEANUP(kr_digest_freep) kr_digest *digest = kr_heap_memory()->alloc(sizeof *digest);
  if (digest == NULL)
    return kr_fail_nomem(reterr);
  digest->context = EVP_MD_CTX_new();
  if (digest->context == NULL)
    return kr_fail_nomem(reterr);
  if (EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1)
    return kr_crypto_fail("SHA-256", reterr);
  *ret_digest = KR_TAKE(digest);
  return KR_OK;
}

kr_status kr_digest_add(kr_digest *digest, kr_str bytes, kr_error *reterr) {
  if (EVP_DigestUpdate(digest->context, bytes.ptr, bytes.len) != 1)
    return kr_crypto_fail("SHA-256", reterr);
  return KR_OK;
}

kr_status kr_digest_end(kr_digest *digest, uint8_t out[KR_DIGEST_BYTES], kr_error *reterr) {
  if (EVP_DigestFinal_ex(digest->context, out, NULL) != 1)
    return kr_crypto_fail("SHA-256", reterr);
  return KR_OK;
}

void kr_digest_free(kr_digest *digest) {
  if (digest == NULL)
    return;
  EVP_MD_CTX_free(digest->context);
  kr_heap_memory()->release(digest, sizeof *digest);
}
