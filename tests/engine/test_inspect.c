/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_inspect.c - the listing of functions and the dumps, as a program that
 * links the library sees them; and with every allocation refused in turn. What
 * they print is in tests/lang/golden/dump.txt.
 */
#include "support/failalloc.h"

#include <krosyn/krosyn.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static kr_status kr_test_count(void *ctx, const kr_function_entry *entry) {
  size_t *n = ctx;
  size_t len = strlen(entry->name);
  assert_int_equal(strncmp(entry->signature, entry->name, len), 0);
  assert_int_equal(entry->signature[len], '(');
  assert_int_equal(entry->example[0] == '\0', entry->result[0] == '\0');
  (*n)++;
  return KR_OK;
}

static kr_status kr_test_stop(void *ctx, const kr_function_entry *entry) {
  (void)entry;
  size_t *n = ctx;
  return ++*n == 3 ? KR_EXISTS : KR_OK;
}

static void kr_test_functions(void **state) {
  (void)state;
  size_t n = 0;
  assert_int_equal(kr_function_each(kr_test_count, &n), KR_OK);
  assert_true(n > 60);
  n = 0;
  assert_int_equal(kr_function_each(kr_test_stop, &n), KR_EXISTS);
  assert_int_equal(n, 3);
}

static void kr_test_functions_nomem(void **state) {
  (void)state;
  for (size_t at = 0;; at++) {
    size_t n = 0;
    kr_test_fail_at(at);
    kr_status status = kr_function_each(kr_test_count, &n);
    if (kr_test_fail_stop() == 0)
      break;
    assert_int_equal(status, KR_NOMEM);
  }
}

static kr_str kr_test_str(const char *text) {
  return (kr_str){.ptr = (const uint8_t *)text, .len = strlen(text)};
}

static void kr_test_dump_nomem(void **state) {
  (void)state;
  static const kr_dump_stage stages[] = {KR_DUMP_TOKENS, KR_DUMP_AST, KR_DUMP_CODE};
  for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
    for (size_t at = 0;; at++) {
      kr_dump_options options = {
          .stage = stages[i],
          .sink = "url",
          .text =
              kr_test_str("https://h.example.com/$payload['a b'].c/${base64Encode($secret.K)}")};
      kr_text text = {0};
      kr_error error = {0};
      kr_test_fail_at(at);
      kr_status status = kr_dump(&options, &text, NULL, NULL, &error);
      size_t n_refused = kr_test_fail_stop();
      kr_text_done(&text);
      if (n_refused == 0) {
        assert_int_equal(status, KR_OK);
        break;
      }
      assert_int_equal(status, KR_NOMEM);
      assert_int_equal(error.status, KR_NOMEM);
    }
}

static kr_status kr_test_finding(void *ctx, const kr_finding *finding) {
  size_t *n = ctx;
  assert_true(finding->error->message[0] != '\0');
  (*n)++;
  return KR_OK;
}

static void kr_test_dump_errors(void **state) {
  (void)state;
  kr_text text = {0};
  kr_error error = {0};
  size_t n = 0;
  kr_dump_options options = {.stage = KR_DUMP_AST, .text = kr_test_str("$paylod.a $paylod.b")};
  assert_int_equal(kr_dump(&options, &text, kr_test_finding, &n, &error), KR_SYNTAX);
  assert_int_equal(n, 2);
  assert_int_equal(error.code, 204);
  assert_int_equal(text.len, 0);
  options.sink = "sql";
  assert_int_equal(kr_dump(&options, &text, NULL, NULL, &error), KR_INVALID);
  assert_int_equal(kr_dump(&options, &text, NULL, NULL, NULL), KR_INVALID);
  kr_text_done(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kr_test_functions),
      cmocka_unit_test(kr_test_functions_nomem),
      cmocka_unit_test(kr_test_dump_nomem),
      cmocka_unit_test(kr_test_dump_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
