/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults.c - the n-th allocation fails, ours and OpenSSL's, for all n:
 * never a false success, nothing half written, no locked memory kept.
 */
#include "crypto/vectors.h"
#include "support/failalloc.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#define ROUNDS 400u

/* Past the wrapper that counts ours: the two are refused separately. */
void *__real_malloc(size_t len);
void *__real_realloc(void *ptr, size_t len);

static size_t openssl_countdown = SIZE_MAX;
static size_t openssl_refused;

static bool is_refused(void) {
  if (openssl_countdown == SIZE_MAX || openssl_countdown-- > 0)
    return false;
  openssl_countdown = SIZE_MAX;
  openssl_refused++;
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

/* Seal, open, derive, MAC: everything, once. */
static kr_status whole_journey(kr_secure *pool, kr_error *error) {
  KR_CLEANUP(kr_secret_freep) kr_secret *root = NULL;
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  KR_CLEANUP(kr_secret_freep) kr_secret *plain = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(4096, NULL);
  KR_CLEANUP(kr_mac_freep) kr_mac *held = NULL;
  uint8_t mac[KR_MAC_BYTES];
  const kr_str parts[] = {KR_STR("one"), KR_STR("two")};
  KR_TRY(kr_crypto_key_new(pool, &root, error));
  KR_TRY(kr_crypto_derive(root, KR_STR("wrap"), pool, &key, error));
  kr_status status = kr_crypto_seal(key, KR_STR("aad"), KR_STR("value"), &sealed, error);
  if (status != KR_OK)
    assert_int_equal(sealed.len, 0);
  KR_TRY(status);
  KR_TRY(kr_crypto_open(key, KR_STR("aad"), kr_buf_str(&sealed), pool, &plain, error));
  assert_true(kr_str_equal(kr_secret_reveal(plain), KR_STR("value")));
  KR_TRY(kr_crypto_sha256(KR_STR("abc"), mac, error));
  KR_TRY(kr_mac_new(key, &held, error));
  KR_TRY(kr_mac_run(held, parts, 2, mac, error));
  return kr_crypto_mac(key, parts, 2, mac, error);
}

static void our_allocations_fail(void **state) {
  kr_secure *pool = *state;
  size_t n = 0;
  for (; n < ROUNDS; n++) {
    kr_error error = {.status = KR_OK};
    kr_test_fail_at(n);
    kr_status status = whole_journey(pool, &error);
    if (kr_test_fail_stop() == 0)
      break;
    assert_int_equal(status, KR_NOMEM);
    assert_int_equal(error.status, KR_NOMEM);
    assert_int_equal(kr_secure_used(pool), 0);
  }
  assert_in_range(n, 3, ROUNDS - 1);
}

/* OpenSSL may get by without some of its allocations; then the result must be right. */
static void openssl_allocations_fail(void **state) {
  kr_secure *pool = *state;
  size_t n_failures = 0;
  size_t n = 0;
  assert_int_equal(whole_journey(pool, NULL), KR_OK);
  for (; n < ROUNDS; n++) {
    kr_error error = {.status = KR_OK};
    openssl_refused = 0;
    openssl_countdown = n;
    kr_status status = whole_journey(pool, &error);
    openssl_countdown = SIZE_MAX;
    if (openssl_refused == 0)
      break;
    assert_true(status == KR_OK || status == KR_NOMEM || status == KR_INTERNAL);
    assert_int_equal(error.status, status);
    assert_int_equal(kr_secure_used(pool), 0);
    n_failures += status != KR_OK;
  }
  assert_in_range(n, 10, ROUNDS - 1);
  assert_true(n_failures > 10);
  assert_int_equal(whole_journey(pool, NULL), KR_OK);
}

/* A value of at least 64 bytes does not fit twice: the second one is refused cleanly. */
static void pool_full(void **state) {
  kr_secure *pool = *state;
  KR_CLEANUP(kr_secret_freep) kr_secret *filler = NULL;
  kr_secret *keys[64] = {NULL};
  size_t n_keys = 0;
  kr_error error = {.status = KR_OK};
  kr_status status = KR_OK;
  while (status == KR_OK && n_keys < 64) {
    status = kr_crypto_key_new(pool, &keys[n_keys], &error);
    n_keys += status == KR_OK;
  }
  assert_int_equal(status, KR_NOMEM);
  assert_int_equal(error.status, KR_NOMEM);
  assert_int_equal(kr_crypto_derive(keys[0], KR_STR("x"), pool, &filler, &error), KR_NOMEM);
  for (size_t i = 0; i < n_keys; i++)
    kr_secret_free(keys[i]);
  assert_int_equal(kr_secure_used(pool), 0);
}

static int pool_init(void **state) {
  kr_secure *pool = NULL;
  assert_int_equal(kr_secure_new(4096, &pool, NULL), KR_OK);
  *state = pool;
  return 0;
}

static int pool_done(void **state) {
  kr_secure_free(*state);
  return 0;
}

int main(void) {
  if (CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) != 1)
    return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(our_allocations_fail, pool_init, pool_done),
      cmocka_unit_test_setup_teardown(openssl_allocations_fail, pool_init, pool_done),
      cmocka_unit_test_setup_teardown(pool_full, pool_init, pool_done),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
