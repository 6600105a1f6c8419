/* SPDX-License-Identifier: Apache-2.0 */
/* test_scrypt.c - the vectors of RFC 7914, section 12; costs that are refused; memory that is not
 * there. */
#include "crypto/vectors.h"
#include "support/failalloc.h"

#include <openssl/crypto.h>
#include <stdlib.h>

typedef struct vector_row {
  const char *name;
  const char *passphrase;
  const char *salt;
  kr_scrypt cost;
  const char *key; /* hex */
} vector_row;

static const vector_row vectors[] = {
    {"RFC 7914: empty, 16, 1, 1",
     "",
     "",
     {16, 1, 1},
     "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
     "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"},
    {"RFC 7914: password, NaCl, 1024, 8, 16",
     "password",
     "NaCl",
     {1024, 8, 16},
     "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
     "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"},
    {"RFC 7914: pleaseletmein, SodiumChloride, 16384, 8, 1",
     "pleaseletmein",
     "SodiumChloride",
     {16384, 8, 1},
     "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
     "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"},
    {"RFC 7914: pleaseletmein, SodiumChloride, 1048576, 8, 1 (1 GiB; --long)",
     "pleaseletmein",
     "SodiumChloride",
     {1048576, 8, 1},
     "2101cb9b6a511aaeaddbbe09cf70f881ec568d574a2ffd4dabe5ee9820adaa47"
     "8e56fd8f4ba5d09ffa1c6d927c40f4c337304049e8a952fbcbf45c6fa77a41a4"},
};

static void run_vector(void **state) {
  const vector_row *row = *state;
  if (row->cost.n > (1u << 17) && getenv("KROSYN_TEST_LONG") == NULL)
    skip();
  uint8_t key[64];
  kr_error error = {.status = KR_OK};
  KR_CLEANUP(kr_buf_done) kr_buf wanted = kr_test_unhex(row->key);
  assert_int_equal(kr_crypto_scrypt(kr_str_cstr(row->passphrase), kr_str_cstr(row->salt),
                                    &row->cost, key, sizeof key, &error),
                   KR_OK);
  assert_int_equal(wanted.len, sizeof key);
  assert_memory_equal(key, wanted.ptr, sizeof key);
}

/* No pointer at all is the empty string, as everywhere. */
static void no_pointers(void **state) {
  (void)state;
  uint8_t key[64];
  KR_CLEANUP(kr_buf_done) kr_buf wanted = kr_test_unhex(vectors[0].key);
  assert_int_equal(
      kr_crypto_scrypt((kr_str){0}, (kr_str){0}, &vectors[0].cost, key, sizeof key, NULL), KR_OK);
  assert_memory_equal(key, wanted.ptr, sizeof key);
}

static void refused_costs(void **state) {
  (void)state;
  static const kr_scrypt costs[] = {
      {0, 8, 1},           {1, 8, 1},        {3, 8, 1},   {(1u << 17) + 1, 8, 1},
      {1u << 21, 8, 1},    {1u << 31, 8, 1}, {16, 0, 1},  {16, 33, 1},
      {16, UINT32_MAX, 1}, {16, 8, 0},       {16, 8, 17}, {16, 8, UINT32_MAX},
  };
  for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++) {
    uint8_t key[64];
    kr_error error = {.status = KR_OK};
    assert_int_equal(kr_crypto_scrypt(KR_STR("x"), KR_STR("y"), &costs[i], key, sizeof key, &error),
                     KR_LIMIT);
    assert_int_equal(error.status, KR_LIMIT);
  }
}

/* ---- OpenSSL's allocations fail, the work area among them ---- */

void *__real_malloc(size_t len);
void *__real_realloc(void *ptr, size_t len);

static size_t countdown = SIZE_MAX;
static size_t n_refused;

static bool is_refused(void) {
  if (countdown == SIZE_MAX || countdown-- > 0)
    return false;
  countdown = SIZE_MAX;
  n_refused++;
  return true;
}

static void *counted_malloc(size_t len, const char *file, int line) {
  (void)file, (void)line;
  return is_refused() ? NULL : __real_malloc(len);
}

static void *counted_realloc(void *ptr, size_t len, const char *file, int line) {
  (void)file, (void)line;
  return is_refused() ? NULL : __real_realloc(ptr, len);
}

static void counted_free(void *ptr, const char *file, int line) {
  (void)file, (void)line;
  free(ptr);
}

static void allocations_fail(void **state) {
  (void)state;
  static const uint8_t zeros[64] = {0};
  uint8_t wanted[64];
  size_t n = 0;
  size_t n_failures = 0;
  assert_int_equal(
      kr_crypto_scrypt(KR_STR("x"), KR_STR("y"), &vectors[0].cost, wanted, sizeof wanted, NULL),
      KR_OK);
  for (; n < 400; n++) {
    uint8_t key[64];
    memset(key, 0xAA, sizeof key);
    kr_error error = {.status = KR_OK};
    n_refused = 0;
    countdown = n;
    kr_status status =
        kr_crypto_scrypt(KR_STR("x"), KR_STR("y"), &vectors[0].cost, key, sizeof key, &error);
    countdown = SIZE_MAX;
    if (n_refused == 0)
      break;
    assert_true(status == KR_OK || status == KR_NOMEM || status == KR_INTERNAL);
    assert_int_equal(error.status, status);
    assert_memory_equal(key, status == KR_OK ? wanted : zeros, sizeof key);
    n_failures += status != KR_OK;
  }
  assert_in_range(n, 5, 399);
  assert_true(n_failures > 3);
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

int main(void) {
  if (CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) != 1)
    return 1;
  static const struct CMUnitTest single_tests[] = {
      cmocka_unit_test(no_pointers),
      cmocka_unit_test(refused_costs),
      cmocka_unit_test(allocations_fail),
  };
  static struct CMUnitTest tests[COUNT(vectors) + COUNT(single_tests)];
  size_t n = 0;
  for (size_t i = 0; i < COUNT(vectors); i++)
    tests[n++] = (struct CMUnitTest){vectors[i].name, run_vector, NULL, NULL,
                                     (void *)(uintptr_t)&vectors[i]};
  memcpy(tests + n, single_tests, sizeof single_tests);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
