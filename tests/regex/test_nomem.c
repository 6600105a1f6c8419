/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_nomem.c - every allocation refused in turn. Compiling may still succeed:
 * without memory for machine code the interpreter remains.
 */
#include "regex/regex.h"
#include "support/failalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define KR_TEST_PATTERN KR_STR("^(?:(a)|b)*$")

static void kr_test_compile(void **state) {
  (void)state;
  size_t n_fell_back = 0;
  for (size_t n = 0; n < 1000; n++) {
    KR_CLEANUP(kr_regex_freep) kr_regex *regex = NULL;
    kr_error error = {0};
    kr_test_fail_at(n);
    kr_status status = kr_regex_compile(KR_TEST_PATTERN, KR_REGEX_AUTO, &regex, &error);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      assert_true(n >= 4);
      assert_true(!kr_regex_is_compiled(regex) || n_fell_back > 0);
      return;
    }
    if (status == KR_OK) {
      assert_false(kr_regex_is_compiled(regex));
      n_fell_back++;
    } else {
      assert_int_equal(status, KR_NOMEM);
      assert_null(regex);
    }
  }
  fail_msg("compiling never ran out of allocations to refuse");
}

static kr_status kr_match(const kr_regex *regex, kr_str subject, bool *ret_found) {
  KR_CLEANUP(kr_regex_scratch_freep) kr_regex_scratch *scratch = NULL;
  uint32_t fuel = 200000;
  KR_TRY(kr_regex_scratch_new(&scratch));
  kr_regex_search search = {.subject = subject};
  return kr_regex_find(regex, scratch, &search, &fuel, ret_found, NULL);
}

static void kr_test_match(void **state) {
  (void)state;
  static uint8_t text[8000];
  memset(text, 'a', sizeof(text));
  KR_CLEANUP(kr_regex_freep) kr_regex *regex = NULL;
  assert_int_equal(kr_regex_compile(KR_TEST_PATTERN, KR_REGEX_INTERPRET, &regex, NULL), KR_OK);
  for (size_t n = 0; n < 1000; n++) {
    bool is_found = false;
    kr_test_fail_at(n);
    kr_status status = kr_match(regex, kr_str_from(text, sizeof(text)), &is_found);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      assert_true(is_found);
      assert_true(n > 4); /* the backtracks asked for memory of their own */
      return;
    }
    assert_int_equal(status, KR_NOMEM);
  }
  fail_msg("matching never ran out of allocations to refuse");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(kr_test_compile),
                                     cmocka_unit_test(kr_test_match)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
