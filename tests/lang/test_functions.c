/* SPDX-License-Identifier: Apache-2.0 */
/* test_functions.c - the documented example of every function is a test of its own. */
#include "lang/program.h"
#include "vm/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* 0, 1, 2, ... */
static kr_status kr_test_fill(void *ctx, void *out, size_t len, kr_error *reterr) {
  (void)ctx;
  (void)reterr;
  for (size_t i = 0; i < len; i++)
    ((uint8_t *)out)[i] = (uint8_t)i;
  return KR_OK;
}

/* 2026-01-02T03:04:05.678Z */
static int64_t kr_test_wall_ms(void *ctx) {
  (void)ctx;
  return INT64_C(1767323045678);
}

static void kr_test_example(void **state) {
  const kr_function_info *row = *state;
  kr_secret_names names = {0};
  kr_compile_options options = {
      .sink = KR_SINK_VALUE, .secrets = &names, .evaluator = kr_vm_evaluator()};
  kr_diagnostics diagnostics;
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  KR_CLEANUP(kr_vm_freep) kr_vm *vm = NULL;
  KR_CLEANUP(kr_rendered_done) kr_rendered rendered;
  kr_rendered_init(&rendered);
  kr_error error = {0};
  assert_int_equal(kr_vm_new(&vm, NULL), KR_OK);
  assert_int_equal(kr_compile(kr_str_cstr(row->example), &options, &program, &diagnostics), KR_OK);
  assert_int_equal(diagnostics.count, 0);
  kr_clock clock = {.wall_ms = kr_test_wall_ms};
  kr_random random = {.fill = kr_test_fill};
  kr_render_input input = {.clock = &clock, .random = &random};
  kr_status status = kr_vm_render(vm, program, &input, &rendered, &error);
  if (status != KR_OK)
    fail_msg("%s", error.message);
  if (!kr_str_equal(kr_buf_str(&rendered.buf), kr_str_cstr(row->expected)))
    fail_msg("%s gives %.*s", row->example, KR_FMT(kr_buf_str(&rendered.buf)));
}

/* Names are distinct, arities and parameter letters sane: the table has no other check. */
static void kr_test_table(void **state) {
  (void)state;
  for (unsigned i = 0; i < KR_FUNCTION_COUNT; i++) {
    const kr_function_info *row = kr_function_row(i);
    unsigned found = 0;
    assert_true(kr_function_find(kr_str_cstr(row->name), &found));
    assert_int_equal(found, i);
    assert_true(row->min_args <= row->max_args);
    assert_true(row->max_args <= KR_LIMIT_ARGUMENTS);
    assert_true(strlen(row->params) >= 1 && strspn(row->params, "asnilocqempASLEMO") > 0);
    assert_non_null(strchr("asnblo", row->result));
    assert_int_equal(row->marks == KR_MARKS_ESCAPER, row->example[0] == '\0');
    assert_true(row->group[0] != '\0' && row->phrase[0] != '\0');
    assert_int_equal(row->min_args == 0 && row->max_args == 0, row->arguments[0] == '\0');
    assert_null(strpbrk(row->arguments, "|\n"));
    assert_null(strpbrk(row->phrase, "|\n"));
  }
}

int main(void) {
  struct CMUnitTest tests[KR_FUNCTION_COUNT + 1];
  size_t n_tests = 0;
  tests[n_tests++] = (struct CMUnitTest)cmocka_unit_test(kr_test_table);
  for (unsigned i = 0; i < KR_FUNCTION_COUNT; i++) {
    const kr_function_info *row = kr_function_row(i);
    if (row->marks != KR_MARKS_ESCAPER)
      tests[n_tests++] = (struct CMUnitTest){
          .name = row->name, .test_func = kr_test_example, .initial_state = (void *)(uintptr_t)row};
  }
  return _cmocka_run_group_tests("function examples", tests, n_tests, NULL, NULL);
}
