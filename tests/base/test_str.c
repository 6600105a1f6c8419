/* SPDX-License-Identifier: Apache-2.0 */
/* test_str.c - tables for find, trim, distance; and the inline helpers. */
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_find(void **state) {
  (void)state;
  static const struct {
    const char *haystack;
    const char *needle;
    size_t from;
    size_t expected;
  } rows[] = {
      {"abcabc", "abc", 0, 0},  {"abcabc", "abc", 1, 3},
      {"abcabc", "abc", 3, 3},  {"abcabc", "abc", 4, SIZE_MAX},
      {"abc", "", 0, 0},        {"abc", "", 3, 3},
      {"abc", "", 4, SIZE_MAX}, {"", "", 0, 0},
      {"", "a", 0, SIZE_MAX},   {"abc", "abcd", 0, SIZE_MAX},
      {"abc", "c", 2, 2},       {"abc", "c", 3, SIZE_MAX},
      {"aaab", "aab", 0, 1},    {"abc", "a", SIZE_MAX, SIZE_MAX},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_int_equal(
        kr_str_find(kr_str_cstr(rows[i].haystack), kr_str_cstr(rows[i].needle), rows[i].from),
        rows[i].expected);
  assert_int_equal(kr_str_find((kr_str){0}, (kr_str){0}, 0), 0);
  assert_int_equal(kr_str_find(KR_STR("a\0b\0c"), KR_STR("\0c"), 0), 3);
}

static void test_trim(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"", ""},
      {" ", ""},
      {" \t\r\n ", ""},
      {"a", "a"},
      {" a", "a"},
      {"a ", "a"},
      {"\r\n a b \t", "a b"},
      {"\va\v", "\va\v"},
      {"\f a \f", "\f a \f"},
      {"\xc2\xa0 a", "\xc2\xa0 a"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_true(kr_str_equal(kr_str_trim(kr_str_cstr(rows[i][0])), kr_str_cstr(rows[i][1])));
  assert_int_equal(kr_str_trim((kr_str){0}).len, 0);
}

static void test_distance(void **state) {
  (void)state;
  static const struct {
    const char *a;
    const char *b;
    size_t limit;
    size_t expected;
  } rows[] = {
      {"", "", 2, 0},
      {"a", "a", 2, 0},
      {"abc", "ABC", 2, 0},
      {"", "ab", 2, 2},
      {"ab", "", 2, 2},
      {"ab", "", 1, 2},
      {"abc", "", 1, 2},
      {"concat", "conct", 3, 1},
      {"concat", "conncat", 3, 1},
      {"concat", "comcat", 3, 1},
      {"concat", "cnocat", 3, 1},
      {"concat", "ocnact", 3, 2},
      {"kitten", "sitting", 5, 3},
      {"kitten", "sitting", 2, 3},
      {"ca", "abc", 5, 3},
      {"abcdef", "badcfe", 5, 3},
      {"a", "b", 0, 1},
      {"API_KEY", "API_KYE", 2, 1},
      {"[", "{", 2, 1}, /* no letters: not one another's case */
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    kr_str a = kr_str_cstr(rows[i].a);
    kr_str b = kr_str_cstr(rows[i].b);
    assert_int_equal(kr_str_distance(a, b, rows[i].limit), rows[i].expected);
    assert_int_equal(kr_str_distance(b, a, rows[i].limit), rows[i].expected);
  }
}

static void test_distance_of_long_names(void **state) {
  (void)state;
  char text[65];
  memset(text, 'a', sizeof text);
  kr_str longest = kr_str_from(text, 64);
  kr_str too_long = kr_str_from(text, 65);
  assert_int_equal(kr_str_distance(longest, longest, 3), 0);
  assert_int_equal(kr_str_distance(longest, kr_str_from(text, 62), 3), 2);
  assert_int_equal(kr_str_distance(longest, (kr_str){0}, 100), 64);
  assert_int_equal(kr_str_distance(too_long, too_long, 3), 4);
  assert_int_equal(kr_str_distance(too_long, longest, 3), 4);
}

static void test_compare(void **state) {
  (void)state;
  static const char *const sorted[] = {"", "A", "a", "aa", "ab", "b", "\x80", "\xff"};
  size_t n_rows = sizeof sorted / sizeof sorted[0];
  for (size_t i = 0; i < n_rows; i++)
    for (size_t j = 0; j < n_rows; j++) {
      kr_str a = kr_str_cstr(sorted[i]);
      kr_str b = kr_str_cstr(sorted[j]);
      int order = kr_str_compare(a, b);
      assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
      assert_int_equal(kr_str_equal(a, b), i == j);
    }
  assert_int_equal(kr_str_compare((kr_str){0}, KR_STR("")), 0);
}

static void test_equal_nocase(void **state) {
  (void)state;
  assert_true(kr_str_equal_nocase(KR_STR("Content-Type"), KR_STR("cONTENT-tYPE")));
  assert_true(kr_str_equal_nocase((kr_str){0}, KR_STR("")));
  assert_false(kr_str_equal_nocase(KR_STR("ab"), KR_STR("abc")));
  assert_false(kr_str_equal_nocase(KR_STR("@`"), KR_STR("`@"))); /* 32 apart, no letters */
  assert_false(kr_str_equal_nocase(KR_STR("\xc3\x89"), KR_STR("\xc3\xa9")));
}

static void test_slices(void **state) {
  (void)state;
  kr_str text = KR_STR("abcdef");
  assert_true(kr_str_equal(kr_str_slice(text, 1, 3), KR_STR("bc")));
  assert_true(kr_str_equal(kr_str_slice(text, 4, 100), KR_STR("ef")));
  assert_int_equal(kr_str_slice(text, 3, 2).len, 0);
  assert_int_equal(kr_str_slice(text, 100, 200).len, 0);
  assert_true(kr_str_equal(kr_str_skip(text, 5), KR_STR("f")));
  assert_int_equal(kr_str_skip(text, SIZE_MAX).len, 0);
  assert_true(kr_str_starts(text, KR_STR("abc")) && kr_str_starts(text, KR_STR("")));
  assert_false(kr_str_starts(text, KR_STR("bc")) || kr_str_starts(text, KR_STR("abcdefg")));
  assert_true(kr_str_ends(text, KR_STR("def")) && kr_str_ends(text, KR_STR("")));
  assert_false(kr_str_ends(text, KR_STR("de")) || kr_str_ends(text, KR_STR("xabcdef")));
  assert_int_equal(kr_str_cstr(NULL).len, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_find),     cmocka_unit_test(test_trim),
      cmocka_unit_test(test_distance), cmocka_unit_test(test_distance_of_long_names),
      cmocka_unit_test(test_compare),  cmocka_unit_test(test_equal_nocase),
      cmocka_unit_test(test_slices),
  };
  return cmocka_run_group_tests_name("base str", tests, NULL, NULL);
}
