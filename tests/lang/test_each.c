/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_each.c - loops: messages name the item, every broken loop is refused by
 * the verifier, the dump shows them, memory may be refused at any point.
 */
#include "lang/program.h"
#include "support/failalloc.h"
#include "vm/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static kr_program *kr_make(const char *text) {
  kr_secret_names names = {0};
  kr_compile_options options = {.sink = KR_SINK_VALUE, .secrets = &names};
  kr_diagnostics diagnostics;
  kr_program *program = NULL;
  if (kr_compile(kr_str_cstr(text), &options, &program, &diagnostics) != KR_OK)
    fail_msg("%s", diagnostics.items[0].error.message);
  return program;
}

static kr_status kr_render_once(const kr_program *program, kr_buf *out, kr_error *error) {
  KR_CLEANUP(kr_vm_freep) kr_vm *vm = NULL;
  KR_CLEANUP(kr_rendered_done) kr_rendered rendered;
  kr_render_input input = {0};
  kr_rendered_init(&rendered);
  KR_TRY(kr_vm_new(&vm, error));
  KR_TRY(kr_vm_render(vm, program, &input, &rendered, error));
  return out == NULL ? KR_OK : kr_buf_append(out, kr_buf_str(&rendered.buf));
}

static const struct {
  const char *template;
  const char *message;
} kr_failures[] = {
    {"map([{'n': 1}, {}], $item.n)", "item 1: no value at $item.n"},
    {"map(['a', [], 'b'], trim($item))", "item 1: argument 1 of trim must be a string, not array"},
    {"map([[1], [1, {}]], map($item, concat('a', $item)))",
     "item 1.1: argument 2 of concat must be a string, not object"},
    {"map([1, 2, 3], if(equals($item, 3), at([], 0), 1))",
     "item 2: this gives no value: nothing was found"},
    {"filter([1, []], greaterThan($item, 0))", "item 1: a array and a number have no order"},
    {"[map([1], $item), at([1], 2)]", "this gives no value: nothing was found"},
};

static void kr_test_message(void **state) {
  const size_t i = (size_t)(uintptr_t)*state;
  KR_CLEANUP(kr_program_freep) kr_program *program = kr_make(kr_failures[i].template);
  kr_error error = {0};
  assert_int_not_equal(kr_render_once(program, NULL, &error), KR_OK);
  assert_string_equal(error.message, kr_failures[i].message);
}

/* After a failure inside loops the same VM renders as if nothing had been. */
static void kr_test_after_failure(void **state) {
  (void)state;
  KR_CLEANUP(kr_program_freep) kr_program *bad = kr_make("map([1], map([1], at([], 0)))");
  KR_CLEANUP(kr_program_freep) kr_program *good = kr_make("map([1], map([2], map([3], $item)))");
  KR_CLEANUP(kr_program_freep) kr_program *other = kr_make("at([], 0)");
  KR_CLEANUP(kr_vm_freep) kr_vm *vm = NULL;
  KR_CLEANUP(kr_rendered_done) kr_rendered rendered;
  kr_render_input input = {0};
  kr_error error = {0};
  kr_rendered_init(&rendered);
  assert_int_equal(kr_vm_new(&vm, NULL), KR_OK);
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(kr_vm_render(vm, bad, &input, &rendered, &error), KR_MISSING);
    assert_int_equal(strncmp(error.message, "item 0.0: ", 10), 0);
    assert_int_equal(kr_vm_render(vm, other, &input, &rendered, &error), KR_MISSING);
    assert_int_equal(strncmp(error.message, "this gives", 10), 0);
    assert_int_equal(kr_vm_render(vm, good, &input, &rendered, &error), KR_OK);
    assert_true(kr_str_equal(kr_buf_str(&rendered.buf), KR_STR("[[[3]]]")));
  }
}

#define KR_TEST_LOOPS                                                                              \
  "[map([[1], [2]], map($item, [$item, $index])), filter(['a', 'b'], if($index, true, false))]"

static kr_instruction *kr_code_of(const kr_program *program) {
  return (kr_instruction *)(uintptr_t)program->code;
}

static uint32_t kr_first(const kr_program *program, kr_opcode op, unsigned skip) {
  for (uint32_t pc = 0; pc < program->n_code; pc++)
    if (program->code[pc].op == op && skip-- == 0)
      return pc;
  fail_msg("no such instruction");
  return 0;
}

/* Change one instruction; the verifier must object. */
static void kr_refused(kr_program *program, uint32_t pc, kr_instruction changed) {
  kr_error error = {0};
  kr_instruction right = program->code[pc];
  kr_code_of(program)[pc] = changed;
  assert_int_equal(kr_program_verify(program, &error), KR_INTERNAL);
  kr_code_of(program)[pc] = right;
  assert_int_equal(kr_program_verify(program, &error), KR_OK);
}

static void kr_test_verifier(void **state) {
  (void)state;
  KR_CLEANUP(kr_program_freep) kr_program *program = kr_make(KR_TEST_LOOPS);
  for (unsigned i = 0; i < 3; i++) {
    uint32_t pc = kr_first(program, KR_OP_EACH, i);
    kr_instruction each = program->code[pc];
    uint32_t next_pc = each.c - 1;
    kr_instruction next = program->code[next_pc];
    for (uint32_t target = 0; target <= program->n_code; target++)
      if (target != each.c)
        kr_refused(program, pc, (kr_instruction){.op = each.op, .a = each.a, .c = target});
    for (uint32_t target = 0; target <= program->n_code; target++)
      if (target != next.c)
        kr_refused(program, next_pc, (kr_instruction){.op = next.op, .a = next.a, .c = target});
    kr_refused(program, pc, (kr_instruction){.op = each.op, .a = KR_FUNCTION_TRIM, .c = each.c});
    kr_refused(program, next_pc,
               (kr_instruction){.op = next.op, .a = KR_FUNCTION_TRIM, .c = next.c});
    kr_refused(program, pc, (kr_instruction){.op = KR_OP_POP});
    kr_refused(program, next_pc, (kr_instruction){.op = KR_OP_PRESENT});
    kr_refused(program, pc + 1, (kr_instruction){.op = KR_OP_HALT});
  }
  /* nobody jumps out of a body, or into one */
  uint32_t jump = kr_first(program, KR_OP_JUMP, 0);
  uint32_t inside = program->code[jump].c;
  for (uint32_t target = inside + 1; target <= program->n_code; target++)
    kr_refused(program, jump, (kr_instruction){.op = KR_OP_JUMP, .c = target});
  uint32_t first = kr_first(program, KR_OP_CONSTANT, 0);
  for (uint32_t target = 0; target <= program->n_code; target++)
    if (target != first + 1)
      kr_refused(program, first, (kr_instruction){.op = KR_OP_JUMP, .c = target});
  /* no item outside */
  kr_refused(program, first, (kr_instruction){.op = KR_OP_ITEM});
  kr_refused(program, first, (kr_instruction){.op = KR_OP_INDEX});
}

static void kr_test_return_inside(void **state) {
  (void)state;
  kr_secret_names names = {0};
  kr_compile_options options = {.sink = KR_SINK_CONDITION, .secrets = &names};
  kr_diagnostics diagnostics;
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  assert_int_equal(
      kr_compile(KR_STR("map([1], if($item, 1, 2))"), &options, &program, &diagnostics), KR_OK);
  uint32_t pc = kr_first(program, KR_OP_JUMP_FALSE, 0);
  kr_refused(program, pc, (kr_instruction){.op = KR_OP_RETURN});
}

static void kr_test_dump(void **state) {
  (void)state;
  KR_CLEANUP(kr_program_freep) kr_program *program = kr_make("map([1], $item.a?)");
  KR_CLEANUP(kr_buf_done) kr_buf dump = KR_BUF_INIT(65536, NULL);
  static const char wanted[] = "sink value, stack 1, slots 0\n"
                               "   0  constant 1\n"
                               "   1  array 1\n"
                               "   2  each map -> 7\n"
                               "   3  item\n"
                               "   4  step .a?\n"
                               "   5  item-value \"$item.a?\"\n"
                               "   6  next map -> 3\n"
                               "   7  emit <value> whole\n"
                               "   8  halt\n";
  assert_int_equal(kr_program_dump(program, &dump), KR_OK);
  assert_int_equal(kr_buf_byte(&dump, '\0'), KR_OK);
  assert_string_equal((const char *)dump.ptr, wanted);
}

static void kr_test_nomem(void **state) {
  (void)state;
  KR_CLEANUP(kr_program_freep) kr_program *program = kr_make(KR_TEST_LOOPS);
  for (size_t n = 0; n < 1000; n++) {
    KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(65536, NULL);
    kr_error error = {0};
    kr_test_fail_at(n);
    kr_status status = kr_render_once(program, &out, &error);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      assert_true(kr_str_equal(kr_buf_str(&out), KR_STR("[[[[1,0]],[[2,0]]],[\"b\"]]")));
      return;
    }
    assert_int_equal(status, KR_NOMEM);
  }
  fail_msg("the render never ran out of allocations to refuse");
}

/* Nested as deep as may be, over as many items as may be: ends by fuel. */
static void kr_test_fuel(void **state) {
  (void)state;
  KR_CLEANUP(kr_program_freep)
  kr_program *program =
      kr_make("map(split('', repeat('x', 1000)), map(split('', repeat('x', 1000)), "
              "map(split('', repeat('x', 1000)), $item)))");
  kr_error error = {0};
  assert_int_equal(kr_render_once(program, NULL, &error), KR_LIMIT);
  assert_int_equal(error.code, KR_E_FUEL);
}

int main(void) {
  struct CMUnitTest tests[16] = {
      cmocka_unit_test(kr_test_after_failure), cmocka_unit_test(kr_test_verifier),
      cmocka_unit_test(kr_test_return_inside), cmocka_unit_test(kr_test_dump),
      cmocka_unit_test(kr_test_nomem),         cmocka_unit_test(kr_test_fuel)};
  size_t n = 6;
  for (size_t i = 0; i < sizeof(kr_failures) / sizeof(kr_failures[0]); i++)
    tests[n++] = (struct CMUnitTest){.name = kr_failures[i].template,
                                     .test_func = kr_test_message,
                                     .initial_state = (void *)(uintptr_t)i};
  return _cmocka_run_group_tests("map and filter", tests, n, NULL, NULL);
}
