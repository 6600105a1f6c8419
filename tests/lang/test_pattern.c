/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_pattern.c - patterns in programs: limits, memory refused at any point,
 * and a verifier that refuses a call without its pattern.
 */
#include "lang/program.h"
#include "support/failalloc.h"
#include "vm/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static kr_status kr_make(kr_str text, kr_program **ret_program, kr_diagnostics *diagnostics) {
  kr_secret_names names = {0};
  kr_compile_options options = {.sink = KR_SINK_VALUE, .secrets = &names};
  return kr_compile(text, &options, ret_program, diagnostics);
}

/* "[matches('x0', 'a'), ...]": the code of the first error, or 0. */
static unsigned kr_code_of_many(unsigned n_patterns, bool are_equal) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(65536, NULL);
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  kr_diagnostics diagnostics;
  assert_int_equal(kr_buf_byte(&text, '['), KR_OK);
  for (unsigned i = 0; i < n_patterns; i++)
    assert_int_equal(kr_buf_printf(&text, "matches('x%u', 'a'),", are_equal ? 0 : i), KR_OK);
  assert_int_equal(kr_buf_byte(&text, ']'), KR_OK);
  if (kr_make(kr_buf_str(&text), &program, &diagnostics) == KR_OK) {
    assert_int_equal(program->n_patterns, are_equal ? 1 : n_patterns);
    return 0;
  }
  assert_int_equal(diagnostics.items[0].error.status, KR_LIMIT);
  return diagnostics.items[0].error.code;
}

static void kr_test_patterns(void **state) {
  (void)state;
  assert_int_equal(kr_code_of_many(KR_LIMIT_PATTERNS, false), 0);
  assert_int_equal(kr_code_of_many(KR_LIMIT_PATTERNS + 1, false), KR_E_PATTERNS);
  assert_int_equal(kr_code_of_many(KR_LIMIT_PATTERNS + 1, true), 0);
}

static unsigned kr_code_of_length(unsigned n_bytes) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(65536, NULL);
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  kr_diagnostics diagnostics;
  assert_int_equal(kr_buf_printf(&text, "matches('%0*u', 'a')", (int)n_bytes, 0u), KR_OK);
  kr_status status = kr_make(kr_buf_str(&text), &program, &diagnostics);
  return status == KR_OK ? 0 : diagnostics.items[0].error.code;
}

static void kr_test_pattern_bytes(void **state) {
  (void)state;
  assert_int_equal(kr_code_of_length(KR_LIMIT_PATTERN_BYTES), 0);
  assert_int_equal(kr_code_of_length(KR_LIMIT_PATTERN_BYTES + 1), KR_E_PATTERN_LIMIT);
}

#define KR_TEST_TEMPLATE                                                                           \
  KR_STR("[matches('^(a|b)*$', 'ab'), regexReplace('(b)', '<$1>', 'abc'), extract('c', 'abc')]")
#define KR_TEST_OUTPUT KR_STR("[true,\"a<b>c\",\"c\"]")

static void kr_test_compile_nomem(void **state) {
  (void)state;
  for (size_t n = 0; n < 10000; n++) {
    KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
    kr_diagnostics diagnostics;
    kr_test_fail_at(n);
    kr_status status = kr_make(KR_TEST_TEMPLATE, &program, &diagnostics);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      return;
    }
    /* refused memory for machine code leaves the interpreter */
    assert_true(status == KR_NOMEM || status == KR_OK);
    assert_true((program == NULL) == (status == KR_NOMEM));
  }
  fail_msg("the compile never ran out of allocations to refuse");
}

static kr_status kr_render_once(const kr_program *program, kr_rendered *rendered) {
  KR_CLEANUP(kr_vm_freep) kr_vm *vm = NULL;
  kr_render_input input = {0};
  kr_error error = {0};
  KR_TRY(kr_vm_new(&vm, &error));
  return kr_vm_render(vm, program, &input, rendered, &error);
}

static void kr_test_render_nomem(void **state) {
  (void)state;
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  kr_diagnostics diagnostics;
  assert_int_equal(kr_make(KR_TEST_TEMPLATE, &program, &diagnostics), KR_OK);
  for (size_t n = 0; n < 1000; n++) {
    KR_CLEANUP(kr_rendered_done) kr_rendered rendered;
    kr_rendered_init(&rendered);
    kr_test_fail_at(n);
    kr_status status = kr_render_once(program, &rendered);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      assert_true(kr_str_equal(kr_buf_str(&rendered.buf), KR_TEST_OUTPUT));
      return;
    }
    assert_int_equal(status, KR_NOMEM);
  }
  fail_msg("the render never ran out of allocations to refuse");
}

/* After warm-up a search allocates nothing. */
static void kr_test_warm(void **state) {
  (void)state;
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  KR_CLEANUP(kr_vm_freep) kr_vm *vm = NULL;
  KR_CLEANUP(kr_rendered_done) kr_rendered rendered;
  kr_diagnostics diagnostics;
  kr_render_input input = {0};
  kr_rendered_init(&rendered);
  assert_int_equal(kr_vm_new(&vm, NULL), KR_OK);
  assert_int_equal(kr_make(KR_TEST_TEMPLATE, &program, &diagnostics), KR_OK);
  assert_int_equal(kr_vm_render(vm, program, &input, &rendered, NULL), KR_OK);
  size_t before = kr_test_allocations();
  assert_int_equal(kr_vm_render(vm, program, &input, &rendered, NULL), KR_OK);
  assert_int_equal(kr_test_allocations(), before);
  assert_true(kr_str_equal(kr_buf_str(&rendered.buf), KR_TEST_OUTPUT));
}

static void kr_test_verifier(void **state) {
  (void)state;
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  kr_diagnostics diagnostics;
  kr_error error = {0};
  assert_int_equal(kr_make(KR_STR("[matches('a', 'b'), trim('c')]"), &program, &diagnostics),
                   KR_OK);
  assert_int_equal(kr_program_verify(program, &error), KR_OK);
  kr_instruction *code = (kr_instruction *)(uintptr_t)program->code;
  size_t n_calls = 0;
  for (uint32_t pc = 0; pc < program->n_code; pc++) {
    if (code[pc].op != KR_OP_CALL)
      continue;
    uint32_t right = code[pc].c;
    code[pc].c = right == 0 ? 1 : 0;
    assert_int_equal(kr_program_verify(program, &error), KR_INTERNAL);
    code[pc].c = right + 1;
    assert_int_equal(kr_program_verify(program, &error), KR_INTERNAL);
    code[pc].c = right;
    n_calls++;
  }
  assert_int_equal(n_calls, 2);
  assert_int_equal(kr_program_verify(program, &error), KR_OK);
}

static void kr_test_dump(void **state) {
  (void)state;
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf dump = KR_BUF_INIT(65536, NULL);
  kr_diagnostics diagnostics;
  assert_int_equal(kr_make(KR_TEST_TEMPLATE, &program, &diagnostics), KR_OK);
  assert_int_equal(kr_program_dump(program, &dump), KR_OK);
  assert_true(kr_str_find(kr_buf_str(&dump),
                          KR_STR("call regexReplace 3 pattern \"(b)\" by \"<\" $1 \">\"\n"),
                          0) != SIZE_MAX);
  assert_true(kr_str_find(kr_buf_str(&dump), KR_STR("call extract 2 pattern \"c\"\n"), 0) !=
              SIZE_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kr_test_patterns),      cmocka_unit_test(kr_test_pattern_bytes),
      cmocka_unit_test(kr_test_compile_nomem), cmocka_unit_test(kr_test_render_nomem),
      cmocka_unit_test(kr_test_warm),          cmocka_unit_test(kr_test_verifier),
      cmocka_unit_test(kr_test_dump)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
