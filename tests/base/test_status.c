/* SPDX-License-Identifier: Apache-2.0 */
/* test_status.c - one error is one line: cut, scrubbed, with its place. */
#include "base/status.h"
#include "base/str.h"
#include "base/utf8.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_fail_resets_everything(void **state) {
  (void)state;
  kr_error error;
  memset(&error, 'x', sizeof error);
  assert_int_equal(kr_fail(&error, KR_INVALID, "bad %s %d", "thing", 7), KR_INVALID);
  assert_int_equal(error.status, KR_INVALID);
  assert_string_equal(error.message, "bad thing 7");
  assert_string_equal(error.hint, "");
  assert_string_equal(error.source, "");
  assert_int_equal(error.code, 0);
  assert_int_equal(error.span_offset, 0);
  assert_int_equal(error.span_len, 0);
}

static void test_null_is_allowed(void **state) {
  (void)state;
  assert_int_equal(kr_fail(NULL, KR_SYNTAX, "%s", "x"), KR_SYNTAX);
  assert_int_equal(kr_fail_hint(NULL, KR_LIMIT, "x", "y"), KR_LIMIT);
  assert_int_equal(kr_fail_errno(NULL, ENOSPC, "x"), KR_IO);
  assert_int_equal(kr_fail_nomem(NULL), KR_NOMEM);
  kr_error_hint(NULL, "x");
  kr_error_at(NULL, "x", 1, 2);
}

/* A text of one to four bytes per character that starts at any of four offsets. */
static void check_cut(const char *point, size_t n_points, size_t n_before) {
  char text[1300] = "xxx";
  size_t point_len = strlen(point);
  for (size_t i = 0; i < n_points; i++)
    memcpy(text + n_before + i * point_len, point, point_len);
  text[n_before + n_points * point_len] = '\0';
  kr_error error = {0};
  (void)kr_fail(&error, KR_INVALID, "%s", text);
  size_t len = strlen(error.message);
  assert_true(len < sizeof error.message);
  assert_true(kr_utf8_is_valid(kr_str_cstr(error.message)));
  if (n_before + n_points * point_len < sizeof error.message) {
    assert_string_equal(error.message, text);
    return;
  }
  assert_true(len + point_len >= sizeof error.message); /* no more cut than needed */
  assert_string_equal(error.message + len - 3, "...");
  assert_memory_equal(error.message, text, len - 3);
}

static void test_cut_with_dots(void **state) {
  (void)state;
  static const char *const points[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
  for (size_t p = 0; p < 4; p++)
    for (size_t n_points = 50; n_points < 300; n_points++)
      for (size_t n_before = 0; n_before < 4; n_before++)
        check_cut(points[p], n_points, n_before);
}

static void test_hint_and_source_are_cut_too(void **state) {
  (void)state;
  char text[400];
  memset(text, 'h', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  kr_error error = {0};
  kr_error_hint(&error, "%s", text);
  assert_int_equal(strlen(error.hint), sizeof error.hint - 1);
  assert_true(kr_str_ends(kr_str_cstr(error.hint), KR_STR("h...")));
  kr_error_at(&error, text, 3, 4);
  assert_int_equal(strlen(error.source), sizeof error.source - 1);
  assert_true(kr_str_ends(kr_str_cstr(error.source), KR_STR("h...")));
}

static void test_scrubbed(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"a\nb", "a?b"},
      {"\x1b[31mred", "?[31mred"},
      {"\r\t\x7f", "???"},
      {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
      {"c1 \xc2\x9b"
       "31m \xc2\x80\xc2\x9f",
       "c1 ??31m ????"},
      {"\xc2\xa0", "\xc2\xa0"},
      {"latin \xe9 ", "latin ? "},
      {"\xff\xfe", "??"},
      {"\xed\xa0\x80", "???"},
      {"\xc0\xaf", "??"},
      {"cut \xe2\x82", "cut ??"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    kr_error error = {0};
    (void)kr_fail(&error, KR_INVALID, "%s", rows[i][0]);
    assert_string_equal(error.message, rows[i][1]);
    kr_error_hint(&error, "%s", rows[i][0]);
    assert_string_equal(error.hint, rows[i][1]);
    kr_error_at(&error, rows[i][0], 0, 1);
    assert_string_equal(error.source, rows[i][1]);
  }
}

static void test_place(void **state) {
  (void)state;
  kr_error error = {0};
  (void)kr_fail(&error, KR_SYNTAX, "m");
  kr_error_at(&error, "perform.url", 5, 6);
  kr_error_at(&error, NULL, 7, 8); /* keeps the source */
  assert_string_equal(error.source, "perform.url");
  assert_int_equal(error.span_offset, 7);
  assert_int_equal(error.span_len, 8);
  assert_string_equal(error.message, "m");
}

static void test_errno(void **state) {
  (void)state;
  kr_error error = {0};
  assert_int_equal(kr_fail_errno(&error, ENOSPC, "cannot write %s", "f"), KR_IO);
  assert_string_equal(error.message, "cannot write f: No space left on device");
}

static void test_status_names_differ(void **state) {
  (void)state;
  for (int i = KR_OK; i <= KR_INTERNAL; i++)
    for (int j = KR_OK; j < i; j++)
      assert_string_not_equal(kr_status_name((kr_status)i), kr_status_name((kr_status)j));
  assert_string_equal(kr_status_name(KR_OK), "ok");
  assert_string_equal(kr_status_name(KR_NOT_FOUND), "not-found");
  assert_string_equal(kr_status_name(KR_INTERNAL), "internal");
}

static void test_line_column(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t offset;
    size_t line;
    size_t column;
  } rows[] = {
      {"", 0, 1, 1},
      {"abc", 0, 1, 1},
      {"abc", 2, 1, 3},
      {"abc", 3, 1, 4},
      {"abc", 99, 1, 4},
      {"a\nb", 1, 1, 2},
      {"a\nb", 2, 2, 1},
      {"a\nb\n", 4, 3, 1},
      {"\n\n\nx", 3, 4, 1},
      {"\xc3\xa9x", 2, 1, 2},
      {"\xf0\x9f\x98\x80\xe2\x82\xac!", 7, 1, 3},
      {"a\n\xc3\xa9\xc3\xa9z", 6, 2, 3},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    size_t line = 0;
    size_t column = 0;
    kr_line_column(kr_str_cstr(rows[i].text), rows[i].offset, &line, &column);
    assert_int_equal(line, rows[i].line);
    assert_int_equal(column, rows[i].column);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fail_resets_everything),
      cmocka_unit_test(test_null_is_allowed),
      cmocka_unit_test(test_cut_with_dots),
      cmocka_unit_test(test_hint_and_source_are_cut_too),
      cmocka_unit_test(test_scrubbed),
      cmocka_unit_test(test_place),
      cmocka_unit_test(test_errno),
      cmocka_unit_test(test_status_names_differ),
      cmocka_unit_test(test_line_column),
  };
  return cmocka_run_group_tests_name("base status", tests, NULL, NULL);
}
