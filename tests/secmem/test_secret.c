/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_secret.c - secrets of every length in the right class of memory, and
 * sensitive memory below buffers and arenas. munmap is wrapped to see that
 * sensitive memory goes back clean.
 */
#define _GNU_SOURCE
#include "base/arena.h"
#include "base/buf.h"
#include "child.h"
#include "secmem/secure.h"
#include "secmem/sensitive.h"
#include "support/failalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#define POOL_BYTES 65536u
#define NEEDLE "needle-in-memory"

static bool is_watching;
static size_t n_unmaps;
static size_t n_dirty_unmaps;

int __real_munmap(void *ptr, size_t len);
int __wrap_munmap(void *ptr, size_t len);

int __wrap_munmap(void *ptr, size_t len) {
  if (is_watching) {
    n_unmaps++;
    if (kr_str_find(kr_str_from(ptr, len), KR_STR(NEEDLE), 0) != SIZE_MAX)
      n_dirty_unmaps++;
  }
  return __real_munmap(ptr, len);
}

static void watch(void) {
  is_watching = true;
  n_unmaps = 0;
  n_dirty_unmaps = 0;
}

static int set_up(void **state) {
  kr_secure *pool = NULL;
  if (kr_secure_new(POOL_BYTES, &pool, NULL) != KR_OK)
    return -1;
  *state = pool;
  return 0;
}

static int tear_down(void **state) {
  is_watching = false;
  size_t used = kr_secure_used(*state);
  kr_secure_free(*state);
  return used == 0 ? 0 : -1;
}

static kr_secret *new_secret(kr_secure *pool, size_t len) {
  kr_secret *secret = NULL;
  assert_int_equal(kr_secret_new(pool, len, &secret), KR_OK);
  assert_int_equal(kr_secret_reveal(secret).len, len);
  for (size_t i = 0; i < len; i++)
    assert_int_equal(kr_secret_reveal(secret).ptr[i], 0);
  return secret;
}

static void test_lengths(void **state) {
  kr_secure *pool = *state;
  static const size_t lens[] = {0, 1, 16, 4095, 4096, 4097, 65536, 1000000};
  for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
    kr_secret *secret = new_secret(pool, lens[i]);
    memset(kr_secret_writable(secret), 'v', lens[i]);
    bool is_locked = lens[i] <= KR_SECURE_VALUE_BYTES;
    assert_int_equal(kr_secure_used(pool) > lens[i], is_locked);
    assert_int_equal(kr_secure_used(pool) == 0, !is_locked);
    const uint8_t *bytes = kr_secret_reveal(secret).ptr;
    assert_true(child_mapping_has(bytes, " dd"));
    assert_int_equal(child_mapping_has(bytes, " wf"), is_locked);
    kr_secret_free(secret);
    assert_int_equal(kr_secure_used(pool), 0);
  }
  kr_secret_free(NULL);
}

static void test_truncate(void **state) {
  static const size_t lens[] = {100, 10000};
  for (size_t i = 0; i < 2; i++) {
    kr_secret *secret = new_secret(*state, lens[i]);
    uint8_t *bytes = kr_secret_writable(secret);
    memset(bytes, 'v', lens[i]);
    kr_secret_truncate(secret, lens[i]);
    assert_int_equal(bytes[lens[i] - 1], 'v');
    kr_secret_truncate(secret, 10);
    assert_int_equal(kr_secret_reveal(secret).len, 10);
    assert_int_equal(bytes[9], 'v');
    for (size_t j = 10; j < lens[i]; j++)
      assert_int_equal(bytes[j], 0);
    kr_secret_truncate(secret, 0);
    assert_int_equal(kr_secret_reveal(secret).len, 0);
    assert_int_equal(bytes[0], 0);
    kr_secret_free(secret);
  }
}

static int grow_secret(void *ctx) {
  (void)ctx;
  kr_secure *pool = NULL;
  kr_secret *secret = NULL;
  if (kr_secure_new(4096, &pool, NULL) != KR_OK || kr_secret_new(pool, 5, &secret) != KR_OK)
    return 1;
  kr_secret_truncate(secret, 6);
  return 0;
}

static void test_truncate_never_grows(void **state) {
  (void)state;
  assert_int_equal(child_run(grow_secret, NULL), SIGABRT);
}

static void test_full_pool(void **state) {
  kr_secure *pool = *state;
  kr_secret *secrets[32];
  size_t n_secrets = 0;
  kr_status status = KR_OK;
  while (status == KR_OK && n_secrets < 32) {
    secrets[n_secrets] = NULL;
    status = kr_secret_new(pool, KR_SECURE_VALUE_BYTES, &secrets[n_secrets]);
    n_secrets += status == KR_OK ? 1 : 0;
  }
  assert_int_equal(status, KR_NOMEM);
  assert_int_equal(n_secrets, POOL_BYTES / (KR_SECURE_VALUE_BYTES + 48));
  for (size_t i = 0; i < n_secrets; i++)
    kr_secret_free(secrets[i]);
}

static void test_failing_allocations(void **state) {
  kr_secure *pool = *state;
  static const size_t lens[] = {10, 10000};
  for (size_t i = 0; i < 2; i++)
    for (size_t n = 0;; n++) {
      kr_secret *secret = NULL;
      kr_test_fail_at(n);
      kr_status status = kr_secret_new(pool, lens[i], &secret);
      bool is_past = kr_test_fail_stop() == 0;
      kr_secret_free(secret);
      assert_int_equal(kr_secure_used(pool), 0);
      if (is_past) {
        assert_int_equal(status, KR_OK);
        assert_int_equal(n, i + 1); /* the object; the pages of a long one */
        break;
      }
      assert_int_equal(status, KR_NOMEM);
      assert_null(secret);
    }
}

static void test_long_secret_goes_back_clean(void **state) {
  kr_secret *secret = new_secret(*state, 20000);
  for (size_t at = 0; at + sizeof NEEDLE < 20000; at += 1000)
    memcpy(kr_secret_writable(secret) + at, NEEDLE, sizeof NEEDLE);
  kr_secret_truncate(secret, 15000);
  watch();
  kr_secret_free(secret);
  is_watching = false;
  assert_int_equal(n_unmaps, 1);
  assert_int_equal(n_dirty_unmaps, 0);
}

static void test_sensitive_pages(void **state) {
  (void)state;
  const kr_allocator *memory = kr_sensitive_memory();
  assert_true(memory->is_sensitive);
  assert_null(memory->alloc(SIZE_MAX));
  static const size_t lens[] = {0, 1, 4096, 4097, 1000000};
  for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
    uint8_t *ptr = memory->alloc(lens[i]);
    assert_non_null(ptr);
    assert_int_equal((uintptr_t)ptr % 16, 0);
    assert_true(child_mapping_has(ptr, " dd"));
    memset(ptr, 'S', lens[i]);
    memory->release(ptr, lens[i]);
  }
  memory->release(NULL, 5);
  kr_test_fail_at(0);
  assert_null(memory->alloc(100));
  assert_int_equal(kr_test_fail_stop(), 1);
}

static int touch_released(void *ctx) {
  (void)ctx;
  volatile uint8_t *ptr = kr_sensitive_memory()->alloc(1000000); /* too large to be kept */
  if (ptr == NULL)
    return 1;
  kr_sensitive_memory()->release((void *)(uintptr_t)ptr, 1000000);
  return ptr[4999];
}

static void test_released_pages_are_unmapped(void **state) {
  (void)state;
  assert_int_equal(child_run(touch_released, NULL), SIGSEGV);
}

/* Whether kept or mapped anew: nothing of the last use is there. */
static void test_blocks_come_back_zero(void **state) {
  (void)state;
  const kr_allocator *memory = kr_sensitive_memory();
  static const size_t lens[] = {1, 4096, 5000, 70000, 600000};
  for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++)
    for (size_t round = 0; round < 10; round++) {
      uint8_t *ptr = memory->alloc(lens[i]);
      assert_non_null(ptr);
      for (size_t k = 0; k < lens[i]; k++)
        assert_int_equal(ptr[k], 0);
      memset(ptr, 'S', lens[i]);
      memory->release(ptr, lens[i]);
    }
  kr_sensitive_trim();
}

/* A buffer that outgrows its memory many times leaves nothing behind. */
static void test_buffer_goes_back_clean(void **state) {
  (void)state;
  kr_buf buf = KR_BUF_INIT(1u << 20, kr_sensitive_memory());
  watch();
  for (size_t i = 0; i < 5000; i++)
    assert_int_equal(kr_buf_append(&buf, KR_STR(NEEDLE)), KR_OK);
  assert_int_not_equal(kr_str_find(kr_buf_str(&buf), KR_STR(NEEDLE), 50000), SIZE_MAX);
  kr_buf_done(&buf);
  kr_sensitive_trim();
  is_watching = false;
  assert_true(n_unmaps > 5);
  assert_int_equal(n_dirty_unmaps, 0);
}

static void test_arena_goes_back_clean(void **state) {
  (void)state;
  kr_arena arena = KR_ARENA_INIT(1u << 22, kr_sensitive_memory());
  watch();
  for (size_t round = 0; round < 3; round++) {
    kr_str copy = {0};
    for (size_t i = 0; i < 2000; i++)
      assert_int_equal(kr_arena_copy(&arena, KR_STR(NEEDLE), &copy), KR_OK);
    kr_arena_reset(&arena);
    kr_str kept = kr_str_from(arena.next, (size_t)(arena.end - arena.next));
    assert_int_equal(kr_str_find(kept, KR_STR(NEEDLE), 0), SIZE_MAX);
  }
  kr_arena_done(&arena);
  kr_sensitive_trim();
  is_watching = false;
  assert_true(n_unmaps > 3);
  assert_int_equal(n_dirty_unmaps, 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      ROW(test_lengths),
      ROW(test_truncate),
      ROW(test_truncate_never_grows),
      ROW(test_full_pool),
      ROW(test_failing_allocations),
      ROW(test_long_secret_goes_back_clean),
      ROW(test_sensitive_pages),
      ROW(test_blocks_come_back_zero),
      ROW(test_released_pages_are_unmapped),
      ROW(test_buffer_goes_back_clean),
      ROW(test_arena_goes_back_clean),
  };
  return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
