/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_vectors.c - rows of A256CBC-HS512 and HKDF-SHA-512 that another
 * implementation made (make_vectors.py, where their origin is named): a valid
 * row is sealed to the same bytes and opens to its plaintext, an invalid one
 * is refused with the one error. And RFC 4231 case 5, where the MAC is cut.
 */
#include "crypto/vectors.h"

#define POOL_BYTES (64u * 1024u)
#define COUNT_OF(rows) (sizeof(rows) / sizeof(rows)[0])

typedef struct sealed_row {
  const char *name, *key, *aad, *plain, *sealed;
} sealed_row;

typedef struct hkdf_row {
  const char *name, *key, *salt, *info, *out;
} hkdf_row;

#include "crypto/vectors_rows.h"

typedef struct opened {
  kr_secure *pool;
  kr_secret *key;
  kr_buf aad;
  kr_buf sealed;
} opened;

static opened row_begin(const sealed_row *row) {
  opened test = {.aad = kr_test_unhex(row->aad), .sealed = kr_test_unhex(row->sealed)};
  KR_CLEANUP(kr_buf_done) kr_buf key = kr_test_unhex(row->key);
  assert_int_equal(kr_secure_new(POOL_BYTES, &test.pool, NULL), KR_OK);
  test.key = kr_test_secret(test.pool, kr_buf_str(&key));
  return test;
}

static void row_end(opened *test) {
  kr_secret_free(test->key);
  assert_int_equal(kr_secure_used(test->pool), 0);
  kr_secure_free(test->pool);
  kr_buf_done(&test->aad);
  kr_buf_done(&test->sealed);
}

static void run_valid(void **state) {
  const sealed_row *row = *state;
  opened test = row_begin(row);
  kr_buf plain = kr_test_unhex(row->plain);
  kr_buf ours = KR_BUF_INIT(KR_TEST_VECTOR_BYTES, NULL);
  assert_int_equal(kr_crypto_seal_with_iv(test.key, test.sealed.ptr, kr_buf_str(&test.aad),
                                          kr_buf_str(&plain), &ours, NULL),
                   KR_OK);
  assert_int_equal(ours.len, test.sealed.len);
  assert_memory_equal(ours.ptr, test.sealed.ptr, ours.len);
  kr_secret *value = NULL;
  assert_int_equal(kr_crypto_open(test.key, kr_buf_str(&test.aad), kr_buf_str(&test.sealed),
                                  test.pool, &value, NULL),
                   KR_OK);
  assert_true(kr_str_equal(kr_secret_reveal(value), kr_buf_str(&plain)));
  kr_secret_free(value);
  kr_buf_done(&ours);
  kr_buf_done(&plain);
  row_end(&test);
}

static void run_invalid(void **state) {
  opened test = row_begin(*state);
  kr_error error = {.status = KR_OK};
  kr_error expected = {.status = KR_OK};
  kr_secret *value = NULL;
  assert_int_equal(
      kr_crypto_open(test.key, kr_str_from(NULL, 0), KR_STR("x"), test.pool, &value, &expected),
      KR_CORRUPT);
  assert_int_equal(kr_crypto_open(test.key, kr_buf_str(&test.aad), kr_buf_str(&test.sealed),
                                  test.pool, &value, &error),
                   KR_CORRUPT);
  assert_null(value);
  assert_string_equal(error.message, expected.message);
  assert_string_equal(error.hint, expected.hint);
  row_end(&test);
}

static void run_hkdf(void **state) {
  const hkdf_row *row = *state;
  KR_CLEANUP(kr_buf_done) kr_buf key = kr_test_unhex(row->key);
  KR_CLEANUP(kr_buf_done) kr_buf salt = kr_test_unhex(row->salt);
  KR_CLEANUP(kr_buf_done) kr_buf info = kr_test_unhex(row->info);
  KR_CLEANUP(kr_buf_done) kr_buf expected = kr_test_unhex(row->out);
  uint8_t out[512];
  assert_in_range(expected.len, 1, sizeof out);
  assert_int_equal(kr_crypto_hkdf_sha512(kr_buf_str(&key), kr_buf_str(&salt), kr_buf_str(&info),
                                         out, expected.len, NULL),
                   KR_OK);
  assert_memory_equal(out, expected.ptr, expected.len);
}

/* Only the first 128 bits are published. */
static void rfc4231_case_5(void **state) {
  (void)state;
  KR_CLEANUP(kr_buf_done) kr_buf key = kr_test_unhex("0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c");
  KR_CLEANUP(kr_buf_done) kr_buf sha256 = kr_test_unhex("a3b6167473100ee06e0c796c2955552b");
  KR_CLEANUP(kr_buf_done) kr_buf sha512 = kr_test_unhex("415fad6271580a531d4179bc891d87a6");
  kr_str data = KR_STR("Test With Truncation");
  uint8_t out[64];
  assert_int_equal(kr_crypto_hmac(KR_CRYPTO_SHA256, kr_buf_str(&key), &data, 1, out, NULL), KR_OK);
  assert_memory_equal(out, sha256.ptr, 16);
  assert_int_equal(kr_crypto_hmac(KR_CRYPTO_SHA512, kr_buf_str(&key), &data, 1, out, NULL), KR_OK);
  assert_memory_equal(out, sha512.ptr, 16);
}

int main(void) {
  enum {
    N_VALID = COUNT_OF(valid_rows),
    N_INVALID = COUNT_OF(invalid_rows),
    N_HKDF = COUNT_OF(hkdf_rows)
  };
  static struct CMUnitTest tests[1 + N_VALID + N_INVALID + N_HKDF];
  size_t n = 0;
  tests[n++] = (struct CMUnitTest)cmocka_unit_test(rfc4231_case_5);
  for (size_t i = 0; i < N_VALID; i++)
    tests[n++] = (struct CMUnitTest){.name = valid_rows[i].name,
                                     .test_func = run_valid,
                                     .initial_state = (void *)(uintptr_t)&valid_rows[i]};
  for (size_t i = 0; i < N_INVALID; i++)
    tests[n++] = (struct CMUnitTest){.name = invalid_rows[i].name,
                                     .test_func = run_invalid,
                                     .initial_state = (void *)(uintptr_t)&invalid_rows[i]};
  for (size_t i = 0; i < N_HKDF; i++)
    tests[n++] = (struct CMUnitTest){.name = hkdf_rows[i].name,
                                     .test_func = run_hkdf,
                                     .initial_state = (void *)(uintptr_t)&hkdf_rows[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
