/* SPDX-License-Identifier: Apache-2.0 */
/* vectors.h - hex in test tables to bytes, and a key made of bytes. */
#ifndef KR_TEST_VECTORS_H
#define KR_TEST_VECTORS_H

#include "base/encode.h"
#include "crypto/crypto_internal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define KR_TEST_VECTOR_BYTES 4096u

/** Bytes of lower-case hex, into a buffer that the caller releases. */
static inline kr_buf kr_test_unhex(const char *hex) {
  kr_buf bytes = KR_BUF_INIT(KR_TEST_VECTOR_BYTES, NULL);
  assert_int_equal(kr_hex_decode(kr_str_cstr(hex), &bytes), KR_OK);
  return bytes;
}

static inline kr_secret *kr_test_secret(kr_secure *pool, kr_str bytes) {
  kr_secret *secret = NULL;
  assert_int_equal(kr_secret_new(pool, bytes.len, &secret), KR_OK);
  if (bytes.len > 0)
    memcpy(kr_secret_writable(secret), bytes.ptr, bytes.len);
  return secret;
}

#endif
