/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_secure.c - the locked pool: what the kernel says about it, what happens
 * to code that leaves its slot (in a child process), and random use against a
 * shadow model. munmap is wrapped to see that memory goes back clean.
 */
#define _GNU_SOURCE
#include "child.h"
#include "secmem/secure.h"
#include "support/failalloc.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#define POOL_BYTES 65536u
#define OVERHEAD 48u /* header and canary */

static const uint8_t *watched; /* readable bytes that must be zero when unmapped */
static size_t watched_len;
static size_t n_clean_unmaps;

int __real_munmap(void *ptr, size_t len);
int __wrap_munmap(void *ptr, size_t len);

static bool is_zero(const uint8_t *bytes, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (bytes[i] != 0)
      return false;
  return true;
}

int __wrap_munmap(void *ptr, size_t len) {
  bool is_watched = watched != NULL && watched >= (uint8_t *)ptr && watched < (uint8_t *)ptr + len;
  if (is_watched && is_zero(watched, watched_len))
    n_clean_unmaps++;
  return __real_munmap(ptr, len);
}

static kr_secure *new_pool(size_t size) {
  kr_secure *pool = NULL;
  kr_error error = {0};
  if (kr_secure_new(size, &pool, &error) != KR_OK)
    print_error("%s (%s)\n", error.message, error.hint);
  assert_non_null(pool);
  return pool;
}

static void test_sizes(void **state) {
  (void)state;
  kr_secure *pool = NULL;
  kr_error error = {0};
  assert_int_equal(kr_secure_new(0, &pool, &error), KR_LIMIT);
  assert_int_equal(kr_secure_new(KR_SECURE_POOL_BYTES + 1, &pool, &error), KR_LIMIT);
  assert_int_equal(kr_secure_new(SIZE_MAX, &pool, &error), KR_LIMIT);
  assert_null(pool);
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  static const size_t sizes[] = {1, 4096, 4097, KR_SECURE_POOL_BYTES};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    pool = new_pool(sizes[i]);
    size_t all = (sizes[i] + page - 1) / page * page - OVERHEAD;
    assert_null(kr_secure_alloc(pool, all + 1));
    assert_null(kr_secure_alloc(pool, SIZE_MAX));
    assert_null(kr_secure_alloc(pool, SIZE_MAX - 15));
    void *ptr = kr_secure_alloc(pool, all);
    assert_non_null(ptr);
    assert_null(kr_secure_alloc(pool, 0));
    assert_int_equal(kr_secure_used(pool), all + OVERHEAD);
    kr_secure_release(pool, ptr);
    assert_int_equal(kr_secure_used(pool), 0);
    kr_secure_free(pool);
  }
  kr_secure_free(NULL);
}

static size_t locked_kib(void) {
  FILE *file = fopen("/proc/self/status", "r");
  assert_non_null(file);
  char line[256];
  size_t kib = 0;
  while (fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "VmLck: %zu kB", &kib) == 1)
      break;
  (void)fclose(file);
  return kib;
}

static void test_locked(void **state) {
  (void)state;
  if (!TEST_LOCKS_MEMORY)
    skip();
  size_t before = locked_kib();
  kr_secure *pool = new_pool(POOL_BYTES);
  assert_int_equal(locked_kib() - before, POOL_BYTES / 1024);
  void *ptr = kr_secure_alloc(pool, 32);
  assert_true(child_mapping_has(ptr, " lo"));
  kr_secure_free(pool);
  assert_int_equal(locked_kib(), before);
}

static void test_not_dumped_and_wiped_on_fork(void **state) {
  (void)state;
  kr_secure *pool = new_pool(POOL_BYTES);
  uint8_t *ptr = kr_secure_alloc(pool, 32);
  assert_true(child_mapping_has(ptr, " dd"));
  assert_true(child_mapping_has(ptr, " wf"));
  assert_false(child_mapping_has(&ptr, " dd")); /* the stack is: the flag means something */
  kr_secure_free(pool);
}

static int see_in_child(void *ctx) { return is_zero((uint8_t *)ctx - 32, POOL_BYTES) ? 7 : 8; }

static void test_child_sees_zeros(void **state) {
  (void)state;
  kr_secure *pool = new_pool(POOL_BYTES);
  uint8_t *ptr = kr_secure_alloc(pool, 100);
  memset(ptr, 'K', 100);
  assert_int_equal(child_run(see_in_child, ptr), -7);
  assert_int_equal(ptr[99], 'K');
  kr_secure_free(pool);
}

static int lock_without_right(void *ctx) {
  (void)ctx;
  struct rlimit none = {0, 0};
  if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setuid(65534) != 0))
    return 1;
  kr_secure *pool = NULL;
  kr_error error = {0};
  bool is_right = kr_secure_new(POOL_BYTES, &pool, &error) == KR_NOMEM && pool == NULL &&
                  strstr(error.message, "64 KiB") != NULL &&
                  strstr(error.hint, "ulimit -l") != NULL;
  return is_right ? 7 : 2;
}

static void test_lock_limit_is_explained(void **state) {
  (void)state;
  if (!TEST_LOCKS_MEMORY)
    skip();
  assert_int_equal(child_run(lock_without_right, NULL), -7);
}

/* What goes wrong in the child: an offset from a slot of 20 bytes, and what notices it. */
typedef struct damage_row {
  const char *name;
  ptrdiff_t offset; /* a byte is changed there; 0: none */
  enum { BY_RELEASE, BY_VALIDATE, BY_ALLOC, BY_DOUBLE_FREE, BY_INNER_POINTER, BY_ITSELF } noticed;
  int signal; /* 0: nothing wrong */
} damage_row;

#define PAGE 4096

static const damage_row damage_rows[] = {
    {"no damage, release", 0, BY_RELEASE, 0},
    {"no damage, validate", 0, BY_VALIDATE, 0},
    {"no damage, alloc", 0, BY_ALLOC, 0},
    {"last byte is ours", 19, BY_RELEASE, 0},
    {"first canary byte, release", 20, BY_RELEASE, SIGABRT},
    {"first canary byte, validate", 20, BY_VALIDATE, SIGABRT},
    {"first canary byte, alloc", 20, BY_ALLOC, SIGABRT},
    {"canary byte 16", 35, BY_RELEASE, SIGABRT},
    {"last canary byte", 47, BY_VALIDATE, SIGABRT},
    {"next header", 48, BY_VALIDATE, SIGABRT},
    {"own magic", -32, BY_RELEASE, SIGABRT},
    {"own size", -17, BY_RELEASE, SIGABRT},
    {"own length", -9, BY_VALIDATE, SIGABRT},
    {"double free", 0, BY_DOUBLE_FREE, SIGABRT},
    {"pointer inside", 0, BY_INNER_POINTER, SIGABRT},
    {"guard before, first byte", -33, BY_ITSELF, SIGSEGV},
    {"guard before, last byte", -32 - PAGE, BY_ITSELF, SIGSEGV},
    {"guard behind, first byte", PAGE - 32, BY_ITSELF, SIGSEGV},
    {"guard behind, last byte", 2 * PAGE - 33, BY_ITSELF, SIGSEGV},
};

static int damage(void *ctx) {
  const damage_row *row = ctx;
  kr_secure *pool = NULL;
  if (kr_secure_new(PAGE, &pool, NULL) != KR_OK)
    return 1;
  volatile uint8_t *ptr = kr_secure_alloc(pool, 20);
  if (ptr == NULL)
    return 2;
  if (row->offset != 0)
    ptr[row->offset] ^= 0x40;
  switch (row->noticed) {
  case BY_VALIDATE:
    kr_secure_validate(pool);
    break;
  case BY_ALLOC:
    (void)!kr_secure_alloc(pool, 20);
    break;
  case BY_INNER_POINTER:
    kr_secure_release(pool, (uint8_t *)(uintptr_t)ptr + 16);
    break;
  case BY_DOUBLE_FREE:
    kr_secure_release(pool, (void *)(uintptr_t)ptr);
    kr_secure_release(pool, (void *)(uintptr_t)ptr);
    break;
  default:
    kr_secure_release(pool, (void *)(uintptr_t)ptr);
  }
  return 0;
}

static void run_damage(void **state) {
  damage_row *row = *state;
  assert_int_equal(sysconf(_SC_PAGESIZE), PAGE);
  assert_int_equal(child_run(damage, row), row->signal);
}

static int touch_after_free(void *ctx) {
  (void)ctx;
  kr_secure *pool = NULL;
  if (kr_secure_new(PAGE, &pool, NULL) != KR_OK)
    return 1;
  volatile uint8_t *ptr = kr_secure_alloc(pool, 20);
  kr_secure_free(pool);
  return ptr[0];
}

static void test_freed_pool_is_unmapped(void **state) {
  (void)state;
  assert_int_equal(child_run(touch_after_free, NULL), SIGSEGV);
}

static void test_zero_when_released(void **state) {
  (void)state;
  kr_secure *pool = new_pool(POOL_BYTES);
  for (size_t len = 0; len < 200; len++) {
    void *before = kr_secure_alloc(pool, 16);
    uint8_t *ptr = kr_secure_alloc(pool, len);
    void *after = kr_secure_alloc(pool, 16);
    assert_non_null(ptr);
    assert_int_equal((uintptr_t)ptr % 16, 0);
    assert_true(is_zero(ptr, len));
    memset(ptr, 'K', len);
    kr_secure_validate(pool);
    kr_secure_release(pool, ptr);
    assert_true(is_zero(ptr, len + 16)); /* with its canary */
    kr_secure_release(pool, before);
    kr_secure_release(pool, after);
  }
  kr_secure_release(pool, NULL);
  assert_int_equal(kr_secure_used(pool), 0);
  kr_secure_free(pool);
}

static void test_freed_pool_goes_back_clean(void **state) {
  (void)state;
  kr_secure *pool = new_pool(POOL_BYTES);
  uint8_t *ptr = kr_secure_alloc(pool, 1000);
  memset(ptr, 'K', 1000);
  watched = ptr - 32;
  watched_len = POOL_BYTES;
  n_clean_unmaps = 0;
  kr_secure_free(pool); /* with the slot still in use */
  watched = NULL;
  assert_int_equal(n_clean_unmaps, 1);
}

#define N_LIVE 48u

typedef struct shadow_slot {
  uint8_t *ptr;
  size_t len;
  uint8_t fill;
} shadow_slot;

static int by_place(const void *a, const void *b) {
  const uint8_t *x = ((const shadow_slot *)a)->ptr;
  const uint8_t *y = ((const shadow_slot *)b)->ptr;
  return (x > y) - (x < y);
}

/* The largest run of bytes between live slots; a slot may be up to 48 bytes longer than asked. */
static size_t largest_gap(const shadow_slot *slots, const uint8_t *data) {
  shadow_slot sorted[N_LIVE];
  memcpy(sorted, slots, sizeof sorted);
  qsort(sorted, N_LIVE, sizeof sorted[0], by_place);
  size_t largest = 0;
  const uint8_t *end = data;
  for (size_t i = 0; i < N_LIVE; i++) {
    if (sorted[i].ptr == NULL)
      continue;
    const uint8_t *start = sorted[i].ptr - 32;
    assert_true(start >= end || start + 48 >= end);
    if (start > end && (size_t)(start - end) > largest)
      largest = (size_t)(start - end);
    end = sorted[i].ptr + (sorted[i].len + 31) / 16 * 16;
  }
  size_t rest = (size_t)(data + POOL_BYTES - end);
  return rest > largest ? rest : largest;
}

static void check_slot(const shadow_slot *slot) {
  for (size_t i = 0; i < slot->len; i++)
    assert_int_equal(slot->ptr[i], slot->fill);
}

static void test_against_a_shadow(void **state) {
  (void)state;
  kr_secure *pool = new_pool(POOL_BYTES);
  uint8_t *first = kr_secure_alloc(pool, 1);
  const uint8_t *data = first - 32;
  kr_secure_release(pool, first);
  static shadow_slot slots[N_LIVE];
  uint64_t random = 12345;
  size_t n_refused = 0;
  for (unsigned step = 0; step < 20000; step++) {
    random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    shadow_slot *slot = &slots[(random >> 33) % N_LIVE];
    if (slot->ptr != NULL) {
      check_slot(slot);
      kr_secure_release(pool, slot->ptr);
      slot->ptr = NULL;
      continue;
    }
    size_t len = (random >> 40) % ((random >> 20) % 2 == 0 ? 9000 : 700);
    uint8_t *ptr = kr_secure_alloc(pool, len);
    if (ptr == NULL) {
      n_refused++;
      /* Refused only for want of room: freed neighbours were merged. */
      assert_true(largest_gap(slots, data) < len + OVERHEAD + 16 + 48);
      continue;
    }
    assert_true(is_zero(ptr, len));
    *slot = (shadow_slot){.ptr = ptr, .len = len, .fill = (uint8_t)(1 + step % 255)};
    memset(ptr, slot->fill, len);
    if (step % 64 == 0)
      kr_secure_validate(pool);
  }
  size_t least = 0;
  for (size_t i = 0; i < N_LIVE; i++)
    least += slots[i].ptr == NULL ? 0 : slots[i].len + OVERHEAD;
  assert_true(kr_secure_used(pool) >= least);
  for (size_t i = 0; i < N_LIVE; i++)
    if (slots[i].ptr != NULL) {
      check_slot(&slots[i]);
      kr_secure_release(pool, slots[i].ptr);
    }
  assert_true(n_refused > 10);
  assert_int_equal(kr_secure_used(pool), 0);
  uint8_t *all = kr_secure_alloc(pool, POOL_BYTES - OVERHEAD); /* all merged again */
  assert_ptr_equal(all, data + 32);
  assert_true(is_zero(all, POOL_BYTES - OVERHEAD));
  kr_secure_release(pool, all);
  kr_secure_free(pool);
}

#define N_THREADS 4

static void *use_pool(void *ctx) {
  kr_secure *pool = ctx;
  for (size_t i = 0; i < 3000; i++) {
    size_t len = i % 300;
    uint8_t *ptr = kr_secure_alloc(pool, len);
    if (ptr == NULL || !is_zero(ptr, len))
      return (void *)(uintptr_t) "not given, or not zero";
    memset(ptr, (int)(i & 0xFF), len);
    for (size_t j = 0; j < len; j++)
      if (ptr[j] != (i & 0xFF))
        return (void *)(uintptr_t) "changed by another thread";
    kr_secure_release(pool, ptr);
  }
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  kr_secure *pool = new_pool(POOL_BYTES);
  pthread_t threads[N_THREADS];
  for (size_t i = 0; i < N_THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, use_pool, pool), 0);
  for (size_t i = 0; i < N_THREADS; i++) {
    void *failure = NULL;
    assert_int_equal(pthread_join(threads[i], &failure), 0);
    assert_null(failure);
  }
  assert_int_equal(kr_secure_used(pool), 0);
  kr_secure_validate(pool);
  kr_secure_free(pool);
}

static void test_failing_allocations(void **state) {
  (void)state;
  for (size_t n = 0;; n++) {
    kr_secure *pool = NULL;
    kr_error error = {0};
    kr_test_fail_at(n);
    kr_status status = kr_secure_new(POOL_BYTES, &pool, &error);
    bool is_past = kr_test_fail_stop() == 0;
    if (is_past) {
      assert_int_equal(status, KR_OK);
      kr_secure_free(pool);
      assert_true(n >= 2);
      break;
    }
    assert_int_equal(status, KR_NOMEM);
    assert_int_equal(error.status, KR_NOMEM);
    assert_null(pool);
  }
}

#define N_DAMAGE (sizeof damage_rows / sizeof damage_rows[0])

int main(void) {
  static struct CMUnitTest rows[N_DAMAGE];
  for (size_t i = 0; i < N_DAMAGE; i++)
    rows[i] = (struct CMUnitTest){.name = damage_rows[i].name,
                                  .test_func = run_damage,
                                  .initial_state = (void *)(uintptr_t)&damage_rows[i]};
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_locked),
      cmocka_unit_test(test_not_dumped_and_wiped_on_fork),
      cmocka_unit_test(test_child_sees_zeros),
      cmocka_unit_test(test_lock_limit_is_explained),
      cmocka_unit_test(test_freed_pool_is_unmapped),
      cmocka_unit_test(test_zero_when_released),
      cmocka_unit_test(test_freed_pool_goes_back_clean),
      cmocka_unit_test(test_against_a_shadow),
      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_failing_allocations),
  };
  int n_failed = cmocka_run_group_tests_name("secure damage", rows, NULL, NULL);
  return n_failed + cmocka_run_group_tests_name("secure pool", tests, NULL, NULL);
}
