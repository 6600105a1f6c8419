/* SPDX-License-Identifier: Apache-2.0 */
/* test_placeholder.c - what is taken for a placeholder, and what looks like one but is not. */
#include "engine/placeholder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
  const char *value;
  bool is_placeholder;
} rows[] = {
    {"changeme", true},
    {"ChangeMe", true},
    {"  changeme\n", true},
    {"null", true},
    {"undefined", true},
    {"your-api-key", true},
    {"YOUR_TOKEN_HERE", true},
    {"<token>", true},
    {"<your key here>", true},
    {"${CRM_API_KEY}", true},
    {"{{ token }}", true},
    {"%(token)s", true},
    {"xxx", true},
    {"XXxxXXxx", true},
    {"...", true},
    {"????????", true},
    {"-----", true},
    {"", false},
    {"   ", false},
    {"xx", false},
    {"xxxy", false},
    {"aaa", false},
    {"1111", false},
    {"your-", false},
    {"changeme1", false},
    {"nullable", false},
    {"<", false},
    {"<>", false},
    {"${}", false},
    {"<a", false},
    {"a>", false},
    {"token-3fQ9", false},
    {"Pa55word!", false},
    {"yourself", false},
    {"<-----------------------------------------------------------------------------------------> ",
     false}, /* too long for one */
};

static void test_table(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (kr_placeholder_is(kr_str_cstr(rows[i].value)) != rows[i].is_placeholder)
      fail_msg("row %zu: %s", i, rows[i].value);
}

/* At the limit of 64 bytes, and with bytes that are no text. */
static void test_edges(void **state) {
  (void)state;
  char run[65];
  memset(run, 'x', sizeof run);
  assert_true(kr_placeholder_is(kr_str_from(run, 64)));
  assert_false(kr_placeholder_is(kr_str_from(run, 65)));
  assert_false(kr_placeholder_is(kr_str_from("null\0null", 9)));
  assert_false(kr_placeholder_is(kr_str_from("\xff\xfe\xfd", 3)));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_edges)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
