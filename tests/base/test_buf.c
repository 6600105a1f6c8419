/* SPDX-License-Identifier: Apache-2.0 */
/* test_buf.c - growth to the very limit and never past it, wiping, failing allocations. */
#include "base/buf.h"
#include "support/failalloc.h"
#include "tracked.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_invariant(const kr_buf *buf) {
  assert_true(buf->len <= buf->cap);
  assert_true(buf->cap <= buf->limit);
  assert_int_equal(buf->ptr == NULL, buf->cap == 0);
}

static void test_every_limit_byte_by_byte(void **state) {
  (void)state;
  for (size_t limit = 0; limit < 300; limit++) {
    kr_buf buf = KR_BUF_INIT(limit, &tracked_memory);
    for (size_t i = 0; i < limit; i++) {
      assert_int_equal(kr_buf_byte(&buf, (uint8_t)i), KR_OK);
      assert_invariant(&buf);
    }
    assert_int_equal(kr_buf_byte(&buf, 'x'), KR_LIMIT);
    assert_int_equal(buf.len, limit);
    for (size_t i = 0; i < limit; i++)
      assert_int_equal(buf.ptr[i], (uint8_t)i);
    kr_buf_done(&buf);
    assert_invariant(&buf);
  }
  assert_int_equal(tracked_blocks, 0);
  assert_false(tracked_mismatch);
}

static void test_append_over_the_limit_changes_nothing(void **state) {
  (void)state;
  kr_buf buf = KR_BUF_INIT(10, NULL);
  assert_int_equal(kr_buf_append(&buf, KR_STR("12345")), KR_OK);
  assert_int_equal(kr_buf_append(&buf, KR_STR("123456")), KR_LIMIT);
  assert_int_equal(kr_buf_reserve(&buf, SIZE_MAX), KR_LIMIT);
  assert_true(kr_str_equal(kr_buf_str(&buf), KR_STR("12345")));
  assert_int_equal(kr_buf_append(&buf, KR_STR("67890")), KR_OK);
  assert_int_equal(kr_buf_append(&buf, (kr_str){0}), KR_OK);
  assert_true(kr_str_equal(kr_buf_str(&buf), KR_STR("1234567890")));
  kr_buf_done(&buf);
}

static void test_growth_is_geometric(void **state) {
  (void)state;
  kr_buf buf = KR_BUF_INIT(SIZE_MAX, NULL);
  size_t before = kr_test_allocations();
  for (size_t i = 0; i < 1u << 20; i++)
    assert_int_equal(kr_buf_byte(&buf, 'x'), KR_OK);
  assert_true(kr_test_allocations() - before < 20);
  kr_buf_done(&buf);
}

/* Grown while partly filled: the old memory is given back whole. */
static void test_growth_of_reserved_room(void **state) {
  (void)state;
  kr_buf buf = KR_BUF_INIT(100000, &tracked_memory);
  for (size_t room = 50; room < 50000; room *= 5) {
    assert_int_equal(kr_buf_append(&buf, KR_STR("some")), KR_OK);
    assert_int_equal(kr_buf_reserve(&buf, room), KR_OK);
    assert_invariant(&buf);
    assert_true(buf.cap - buf.len >= room);
  }
  assert_true(kr_str_equal(kr_buf_str(&buf), KR_STR("somesomesomesomesome")));
  kr_buf_done(&buf);
  assert_int_equal(tracked_blocks, 0);
  assert_false(tracked_mismatch);
}

static void test_printf(void **state) {
  (void)state;
  for (size_t limit = 0; limit <= 12; limit++) {
    kr_buf buf = KR_BUF_INIT(limit, &tracked_memory);
    bool fits = limit >= 11;
    assert_int_equal(kr_buf_printf(&buf, "%s-%d", "abcdef", 1234), fits ? KR_OK : KR_LIMIT);
    assert_true(kr_str_equal(kr_buf_str(&buf), fits ? KR_STR("abcdef-1234") : KR_STR("")));
    assert_invariant(&buf);
    if (fits)
      assert_int_equal(kr_buf_printf(&buf, "%s", "xy"), KR_LIMIT);
    assert_int_equal(kr_buf_printf(&buf, "%s", ""), KR_OK);
    assert_int_equal(buf.len, fits ? 11 : 0);
    kr_buf_done(&buf);
  }
  assert_int_equal(tracked_blocks, 0);
  assert_false(tracked_mismatch);
}

static void test_reset_wipes_sensitive_memory(void **state) {
  (void)state;
  kr_buf buf = KR_BUF_INIT(1000, &tracked_memory);
  assert_int_equal(kr_buf_append(&buf, KR_STR("the value of a secret")), KR_OK);
  uint8_t *ptr = buf.ptr;
  kr_buf_reset(&buf);
  assert_int_equal(buf.len, 0);
  assert_ptr_equal(buf.ptr, ptr);
  for (size_t i = 0; i < 21; i++)
    assert_int_equal(ptr[i], 0);
  kr_buf_done(&buf);
  kr_buf_reset(&buf); /* empty */
  assert_int_equal(tracked_blocks, 0);
}

static void test_failing_allocations(void **state) {
  (void)state;
  kr_buf buf = KR_BUF_INIT(1u << 20, NULL);
  assert_int_equal(kr_buf_append(&buf, KR_STR("kept")), KR_OK);
  kr_test_fail_at(0);
  assert_int_equal(kr_buf_reserve(&buf, 1000), KR_NOMEM);
  assert_int_equal(kr_test_fail_stop(), 1);
  assert_true(kr_str_equal(kr_buf_str(&buf), KR_STR("kept")));
  kr_test_fail_at(0);
  assert_int_equal(kr_buf_printf(&buf, "%1000d", 1), KR_NOMEM);
  assert_int_equal(kr_test_fail_stop(), 1);
  assert_true(kr_str_equal(kr_buf_str(&buf), KR_STR("kept")));
  kr_buf_done(&buf);
}

static void test_explain(void **state) {
  (void)state;
  kr_buf buf = KR_BUF_INIT(77, NULL);
  kr_error error = {0};
  assert_int_equal(kr_buf_explain(&buf, KR_OK, "request body", &error), KR_OK);
  assert_int_equal(error.status, KR_OK);
  assert_int_equal(kr_buf_explain(&buf, KR_LIMIT, "request body", &error), KR_LIMIT);
  assert_string_equal(error.message, "request body exceeds its limit of 77 bytes");
  assert_int_equal(kr_buf_explain(&buf, KR_NOMEM, "request body", &error), KR_NOMEM);
  assert_int_equal(error.status, KR_NOMEM);
  assert_int_equal(kr_buf_explain(&buf, KR_INVALID, "request body", &error), KR_INVALID);
  assert_int_equal(error.status, KR_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_limit_byte_by_byte),
      cmocka_unit_test(test_append_over_the_limit_changes_nothing),
      cmocka_unit_test(test_growth_is_geometric),
      cmocka_unit_test(test_growth_of_reserved_room),
      cmocka_unit_test(test_printf),
      cmocka_unit_test(test_reset_wipes_sensitive_memory),
      cmocka_unit_test(test_failing_allocations),
      cmocka_unit_test(test_explain),
  };
  return cmocka_run_group_tests_name("base buf", tests, NULL, NULL);
}
