/* SPDX-License-Identifier: Apache-2.0 */
/* test_set.c - building sets: what is refused, what is kept once, and many values. */
#include "redact/naive.h"
#include "redact/set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define M "[REDACTED]"

static void assert_text(kr_buf *out, const char *expected) {
  assert_int_equal(kr_buf_byte(out, 0), KR_OK);
  assert_string_equal((const char *)out->ptr, expected);
}

static void sets_and_their_limits(void **state) {
  static uint8_t big[KR_REDACT_MAX_VALUE_BYTES + 1];
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *more = NULL;
  kr_error error = {0};
  (void)state;
  memset(big, 'x', sizeof(big));
  assert_int_equal(kr_redact_builder_new(&builder, &error), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), 1, KR_STR(""), &error), KR_INVALID);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), 1, KR_STR(" \t\n"), &error),
                   KR_INVALID);
  assert_non_null(strstr(error.message, "A"));
  kr_str over = kr_str_from(big, sizeof(big));
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), 1, over, &error), KR_LIMIT);
  over.len--;
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), 1, over, &error), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, over, 1, KR_STR("abcd"), &error), KR_LIMIT);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("B"), 2, KR_STR("abc"), &error), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("B"), 2, KR_STR("abc"), &error), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("C"), 3, KR_STR("abc"), &error), KR_OK);
  assert_int_equal(kr_redact_builder_build(builder, &set, &error), KR_OK);
  assert_int_equal(kr_redact_set_n_values(set), 3); /* the same name and value: once */
  assert_int_equal(kr_redact_set_n_short(set), 2);
  assert_int_equal(kr_redact_set_version(set, 2), 3);
  assert_true(kr_str_equal(kr_redact_set_name(set, 1), KR_STR("B")));
  assert_int_equal(kr_redact_builder_add_set(builder, set), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("D"), 1, KR_STR("run only"), NULL), KR_OK);
  assert_int_equal(kr_redact_builder_build(builder, &more, &error), KR_OK);
  assert_int_equal(kr_redact_set_n_values(more), 4);
  kr_redact_set_free(kr_redact_set_ref(more));
  assert_true(!kr_redact_verify(more, KR_STR("a run only b")));
}

static void total_is_limited(void **state) {
  static uint8_t big[KR_REDACT_MAX_VALUE_BYTES];
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  kr_error error = {0};
  (void)state;
  memset(big, 'x', sizeof(big));
  assert_int_equal(kr_redact_builder_new(&builder, &error), KR_OK);
  for (size_t i = 0; i < 256; i++)
    assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), (uint32_t)i,
                                           kr_str_from(big, sizeof(big)), &error),
                     KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("B"), 1, KR_STR("abcd"), &error),
                   KR_LIMIT);
}

static void number_of_values_is_limited(void **state) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  kr_error error = {0};
  (void)state;
  assert_int_equal(kr_redact_builder_new(&builder, &error), KR_OK);
  for (uint32_t i = 0; i < KR_REDACT_MAX_VALUES; i++)
    assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), i, KR_STR("abcd"), NULL), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), 0, KR_STR("abcd"), &error),
                   KR_LIMIT);
}

/* Many values that share prefixes and borders: the automaton stays consistent and finds each. */
static void many_values(void **state) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  (void)state;
  assert_int_equal(kr_redact_builder_new(&builder, NULL), KR_OK);
  for (uint32_t i = 0; i < 3000; i++) {
    char value[32];
    int n = snprintf(value, sizeof(value), "%u-key-%u", i % 50, i * 7919u);
    assert_int_equal(
        kr_redact_builder_add(builder, KR_STR("K"), i, kr_str_from(value, (size_t)n), NULL), KR_OK);
  }
  assert_int_equal(kr_redact_builder_build(builder, &set, NULL), KR_OK);
  const kr_redact_automata *automata = NULL;
  assert_int_equal(kr_redact_set_automata(set, &automata), KR_OK);
  kr_redact_automaton_validate(automata->forms);
  kr_redact_automaton_validate(automata->hex);
  for (uint32_t i = 0; i < 3000; i++) {
    char text[64];
    int n = snprintf(text, sizeof(text), "(%u%%2Dkey-%u)", i % 50, i * 7919u);
    KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
    assert_int_equal(kr_redact_bytes(set, kr_str_from(text, (size_t)n), NULL, &out, NULL), KR_OK);
    assert_text(&out, "(" M ")");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sets_and_their_limits),
      cmocka_unit_test(total_is_limited),
      cmocka_unit_test(number_of_values_is_limited),
      cmocka_unit_test(many_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
