/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evaluate.c - the VM as the compiler's evaluator of constants (lang/compile.h):
 * a program without data, secrets, clock or randomness, and its value as JSON.
 */
#include "vm/vm.h"

#include <stdlib.h>

typedef struct kr_evaluation {
  kr_vm *vm;
  kr_rendered rendered;
} kr_evaluation;

static void kr_evaluate_end(void *ctx) {
  kr_evaluation *evaluation = ctx;
  kr_vm_free(evaluation->vm);
  kr_rendered_done(&evaluation->rendered);
  free(evaluation);
}

static void *kr_evaluate_begin(void) {
  kr_evaluation *evaluation = calloc(1, sizeof(kr_evaluation));
  if (evaluation == NULL)
    return NULL;
  kr_rendered_init(&evaluation->rendered);
  if (kr_vm_new(&evaluation->vm, NULL) == KR_OK)
    return evaluation;
  kr_evaluate_end(evaluation);
  return NULL;
}

/* What is left for the next evaluation; nothing after the fuel of this one ran out. */
static void kr_evaluate_settle(const kr_vm *vm, kr_status status, const kr_error *error,
                               uint32_t *fuel) {
  bool is_spent = status == KR_LIMIT && (error->code == KR_E_FUEL || error->code == KR_E_MATCH);
  *fuel = is_spent ? 0 : vm->fuel;
}

/* JSON text of the value; empty when it is missing, or text that is not UTF-8. */
static kr_status kr_evaluate_json(kr_vm *vm, const kr_value *value, kr_arena *arena,
                                  kr_str *ret_text) {
  kr_value text = {0};
  if (value->type == KR_VALUE_MISSING)
    return KR_OK;
  kr_status status = kr_vm_to_json(vm, value, &text);
  if (status == KR_INVALID)
    return KR_OK;
  KR_TRY(status);
  if (text.count > KR_LIMIT_FOLD_BYTES)
    return KR_LIMIT;
  return kr_arena_copy(arena, kr_value_text(&text), ret_text);
}

static kr_status kr_evaluate_value(void *ctx, const kr_program *program, uint32_t *fuel,
                                   kr_arena *arena, const kr_json **ret_json, kr_error *reterr) {
  kr_vm *vm = ((kr_evaluation *)ctx)->vm;
  kr_render_input input = {.fuel = *fuel};
  const kr_value *top = NULL;
  kr_str text = {0};
  *ret_json = NULL;
  kr_status status = kr_vm_prepare(vm, program, &input, &vm->work, reterr);
  if (status == KR_OK)
    status = kr_vm_run(vm, &top);
  if (status == KR_OK)
    status = kr_evaluate_json(vm, top, arena, &text);
  kr_evaluate_settle(vm, status, reterr, fuel);
  kr_vm_clear(vm);
  if (status != KR_OK || text.len == 0)
    return status;
  return kr_json_parse(text, NULL, arena, ret_json, reterr);
}

static kr_status kr_evaluate_text(void *ctx, const kr_program *program, uint32_t *fuel, kr_buf *out,
                                  kr_error *reterr) {
  kr_evaluation *evaluation = ctx;
  kr_render_input input = {.fuel = *fuel};
  kr_status status = kr_vm_render(evaluation->vm, program, &input, &evaluation->rendered, reterr);
  kr_evaluate_settle(evaluation->vm, status, reterr, fuel);
  KR_TRY(status);
  return kr_buf_append(out, kr_buf_str(&evaluation->rendered.buf));
}

const kr_evaluator *kr_vm_evaluator(void) {
  static const kr_evaluator evaluator = {.begin = kr_evaluate_begin,
                                         .end = kr_evaluate_end,
                                         .value = kr_evaluate_value,
                                         .text = kr_evaluate_text};
  return &evaluator;
}
