/* SPDX-License-Identifier: Apache-2.0 */
/* test_arena.c - alignment, overlap, the limit, what reset keeps, and wiping. */
#include "base/arena.h"
#include "support/failalloc.h"
#include "tracked.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_aligned_and_apart(void **state) {
  (void)state;
  kr_arena arena = KR_ARENA_INIT(1u << 24, &tracked_memory);
  static uint8_t *blocks[2000];
  for (size_t i = 0; i < 2000; i++) {
    blocks[i] = kr_arena_alloc(&arena, i % 97);
    assert_non_null(blocks[i]);
    assert_int_equal((uintptr_t)blocks[i] % 16, 0);
    memset(blocks[i], (int)(i & 0xFF), i % 97);
  }
  for (size_t i = 0; i < 2000; i++)
    for (size_t j = 0; j < i % 97; j++)
      assert_int_equal(blocks[i][j], i & 0xFF);
  for (size_t i = 1; i < 2000; i++)
    assert_ptr_not_equal(blocks[i], blocks[i - 1]); /* even those of no bytes */
  kr_arena_done(&arena);
  assert_int_equal(tracked_blocks, 0);
  assert_false(tracked_mismatch);
}

static void test_limit(void **state) {
  (void)state;
  for (size_t limit = 0; limit <= 20000; limit += 250) {
    kr_arena arena = KR_ARENA_INIT(limit, &tracked_memory);
    while (kr_arena_alloc(&arena, 100) != NULL) {
    }
    assert_int_equal(kr_arena_why(&arena), KR_LIMIT);
    assert_int_equal(tracked_bytes, arena.total);
    assert_true(arena.total <= limit);
    assert_true(limit - arena.total < 128); /* and the limit can be used up */
    kr_arena_done(&arena);
  }
}

static void test_reserve(void **state) {
  (void)state;
  kr_arena arena = KR_ARENA_INIT(50000, &tracked_memory);
  assert_int_equal(kr_arena_reserve(&arena, 0), KR_OK);
  assert_int_equal(tracked_blocks, 0);
  assert_int_equal(kr_arena_reserve(&arena, 20000), KR_OK);
  for (size_t i = 0; i < 200; i++)
    assert_non_null(kr_arena_alloc(&arena, 96)); /* 19 200 */
  assert_int_equal(tracked_blocks, 1);
  assert_int_equal(kr_arena_reserve(&arena, 800), KR_OK); /* there is room */
  assert_int_equal(tracked_blocks, 1);
  assert_int_equal(kr_arena_reserve(&arena, 40000), KR_LIMIT);
  assert_int_equal(kr_arena_reserve(&arena, SIZE_MAX), KR_NOMEM);
  assert_int_equal(tracked_blocks, 1);
  kr_arena_done(&arena);
  assert_int_equal(tracked_blocks, 0);
}

static void test_sizes_that_overflow(void **state) {
  (void)state;
  kr_arena arena = KR_ARENA_INIT(SIZE_MAX, &tracked_memory);
  assert_null(kr_arena_alloc(&arena, SIZE_MAX));
  assert_null(kr_arena_alloc(&arena, SIZE_MAX - 15));
  assert_null(kr_arena_calloc(&arena, SIZE_MAX / 2, 3));
  assert_int_equal(tracked_blocks, 0);
  kr_arena small = KR_ARENA_INIT(1000, &tracked_memory);
  assert_null(kr_arena_alloc(&small, SIZE_MAX - 100));
  kr_str copy = {0};
  assert_int_equal(kr_arena_copy(&small, kr_str_from("", SIZE_MAX), &copy), KR_LIMIT);
  kr_arena_done(&small);
  kr_arena_done(&arena);
}

static void test_calloc_and_copy(void **state) {
  (void)state;
  kr_arena arena = KR_ARENA_INIT(1u << 16, &tracked_memory);
  uint8_t *cleared = kr_arena_calloc(&arena, 30, 7);
  assert_non_null(cleared);
  for (size_t i = 0; i < 210; i++)
    assert_int_equal(cleared[i], 0);
  kr_str copy = {0};
  assert_int_equal(kr_arena_copy(&arena, KR_STR("sixteen bytes !!"), &copy), KR_OK);
  assert_true(kr_str_equal(copy, KR_STR("sixteen bytes !!")));
  assert_int_equal(copy.ptr[copy.len], 0);
  assert_int_equal(kr_arena_copy(&arena, (kr_str){0}, &copy), KR_OK);
  assert_int_equal(copy.len, 0);
  assert_int_equal(copy.ptr[0], 0);
  kr_arena_done(&arena);
}

static void fill(kr_arena *arena, size_t n_times, size_t len) {
  for (size_t i = 0; i < n_times; i++) {
    uint8_t *ptr = kr_arena_alloc(arena, len);
    assert_non_null(ptr);
    memset(ptr, 'S', len);
  }
}

static void test_reset_keeps_and_wipes_one_block(void **state) {
  (void)state;
  static const size_t lens[][2] = {{1, 100}, {100, 100}, {1, 100000}, {30, 100000}, {3, 3000000}};
  for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
    kr_arena arena = KR_ARENA_INIT(1u << 25, &tracked_memory);
    fill(&arena, lens[i][0], lens[i][1]);
    kr_arena_reset(&arena);
    assert_int_equal(tracked_blocks, 1);
    assert_int_equal(tracked_bytes, arena.total);
    for (const uint8_t *p = arena.next; p < arena.end; p++)
      assert_int_not_equal(*p, 'S');
    kr_arena_reset(&arena);
    assert_int_equal(tracked_blocks, 1);
    kr_arena_done(&arena);
    assert_int_equal(tracked_blocks, 0);
  }
  kr_arena never_used = KR_ARENA_INIT(100, &tracked_memory);
  kr_arena_reset(&never_used);
  kr_arena_done(&never_used);
}

static void test_reset_keeps_the_largest_block(void **state) {
  (void)state;
  kr_arena arena = KR_ARENA_INIT(1u << 25, &tracked_memory);
  fill(&arena, 1, 5000000);
  fill(&arena, 1, 100000); /* a smaller, newer block */
  kr_arena_reset(&arena);
  assert_true(arena.total >= 5000000);
  size_t before = arena.total;
  fill(&arena, 1, 5000000);
  assert_int_equal(arena.total, before);
  kr_arena_done(&arena);
}

/* What fits into a new arena fits into one that was used and reset. */
static void test_reset_gives_the_limit_back(void **state) {
  (void)state;
  size_t limit = 100000;
  for (size_t used = 100; used <= 60000; used += 1000) {
    kr_arena arena = KR_ARENA_INIT(limit, &tracked_memory);
    fill(&arena, used / 100, 100);
    kr_arena_reset(&arena);
    assert_non_null(kr_arena_alloc(&arena, 99000));
    assert_true(arena.total <= limit);
    assert_int_equal(arena.total, tracked_bytes);
    kr_arena_done(&arena);
  }
  assert_int_equal(tracked_blocks, 0);
  assert_false(tracked_mismatch);
}

static void test_warm_arena_allocates_no_more(void **state) {
  (void)state;
  kr_arena arena = KR_ARENA_INIT(1u << 24, NULL);
  for (int i = 0; i < 8; i++) {
    fill(&arena, 1000, 64);
    kr_arena_reset(&arena);
  }
  size_t before = kr_test_allocations();
  fill(&arena, 1000, 64);
  assert_int_equal(kr_test_allocations(), before);
  kr_arena_done(&arena);
}

static void test_failing_allocations(void **state) {
  (void)state;
  kr_arena arena = KR_ARENA_INIT(1u << 24, NULL);
  for (size_t len = 100000; len < 5000000; len *= 4) {
    kr_test_fail_at(0);
    assert_null(kr_arena_alloc(&arena, len));
    assert_int_equal(kr_test_fail_stop(), 1);
    assert_int_equal(kr_arena_why(&arena), KR_NOMEM);
    fill(&arena, 1, len); /* still usable */
  }
  kr_arena_reset(&arena);
  kr_test_fail_at(0);
  assert_null(kr_arena_alloc(&arena, 10000000));
  assert_int_equal(kr_test_fail_stop(), 1);
  fill(&arena, 1, 100);
  kr_arena_done(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_aligned_and_apart),
      cmocka_unit_test(test_limit),
      cmocka_unit_test(test_reserve),
      cmocka_unit_test(test_sizes_that_overflow),
      cmocka_unit_test(test_calloc_and_copy),
      cmocka_unit_test(test_reset_keeps_and_wipes_one_block),
      cmocka_unit_test(test_reset_keeps_the_largest_block),
      cmocka_unit_test(test_reset_gives_the_limit_back),
      cmocka_unit_test(test_warm_arena_allocates_no_more),
      cmocka_unit_test(test_failing_allocations),
  };
  return cmocka_run_group_tests_name("base arena", tests, NULL, NULL);
}
