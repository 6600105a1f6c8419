/* SPDX-License-Identifier: Apache-2.0 */
/*
 * each.c - map and filter. Their body stands in the program between EACH and
 * NEXT; a frame holds the array, the item's index and what was given so far.
 * Items keep their own marks, also when they only pass through a filter.
 */
#include "vm/vm.h"

#include "base/assert.h"

#include <stdio.h>

#define KR_EACH_ITEM_BYTES 64u /* paid for each item: reading it, keeping a value */

static kr_frame *kr_each_frame(kr_vm *vm) {
  KR_ASSERT(vm->n_frames > 0);
  return &vm->frames[vm->n_frames - 1];
}

static kr_value kr_each_result(const kr_frame *frame) {
  return (kr_value){.type = KR_VALUE_ARRAY,
                    .is_untrusted = frame->is_untrusted,
                    .is_unknown = frame->is_unknown,
                    .count = frame->n_results,
                    .secrets = frame->secrets,
                    .items = frame->results};
}

/* An unknown $lookup, or in a preview a text that stands for an array. */
static kr_status kr_each_preview(kr_vm *vm, unsigned function, const kr_value *array,
                                 kr_value *result, bool *ret_is_done) {
  if (kr_vm_is_preview(vm) && (array->is_unknown || !kr_value_is_array(array)))
    return kr_vm_preview_call(vm, function, array, result, ret_is_done);
  *ret_is_done = false;
  return KR_OK;
}

kr_status kr_vm_each(kr_vm *vm, unsigned function, const kr_value *array, kr_value *result,
                     bool *ret_is_done) {
  KR_TRY(kr_each_preview(vm, function, array, result, ret_is_done));
  if (*ret_is_done)
    return KR_OK;
  if (!kr_value_is_array(array))
    return kr_vm_fail(vm, KR_INVALID, KR_E_TYPE, "argument 1 of %s must be an array, not %s",
                      kr_function_row(function)->name, kr_value_type_name(array));
  KR_TRY(kr_vm_spend(vm, (size_t)array->count * KR_EACH_ITEM_BYTES));
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, array->count * sizeof(kr_value), &memory));
  kr_frame frame = {.array = *array,
                    .results = memory,
                    .secrets = array->secrets,
                    .is_untrusted = array->is_untrusted};
  *ret_is_done = array->count == 0;
  if (*ret_is_done) {
    *result = kr_each_result(&frame);
    return KR_OK;
  }
  KR_ASSERT(vm->n_frames < KR_LIMIT_ITEM_NESTING);
  vm->frames[vm->n_frames++] = frame;
  return KR_OK;
}

static void kr_each_keep(kr_frame *frame, const kr_value *value) {
  frame->results[frame->n_results++] = *value;
  frame->secrets |= value->secrets;
  frame->is_untrusted |= value->is_untrusted;
  frame->is_unknown |= value->is_unknown;
}

kr_status kr_vm_next(kr_vm *vm, unsigned function, const kr_value *given, kr_value *result,
                     bool *ret_is_done) {
  kr_frame *frame = kr_each_frame(vm);
  kr_value item = kr_vm_item(vm);
  if (function == KR_FUNCTION_MAP) {
    kr_each_keep(frame, given);
  } else if (given->is_unknown) {
    /* nobody knows which items stay */
    vm->n_frames--;
    *ret_is_done = true;
    return kr_vm_unknown_call(vm, function, result);
  } else {
    bool is_kept = false;
    KR_TRY(kr_vm_truth(vm, given, &is_kept));
    if (is_kept)
      kr_each_keep(frame, &item);
  }
  *ret_is_done = ++frame->index == frame->array.count;
  if (!*ret_is_done)
    return KR_OK;
  *result = kr_each_result(frame);
  vm->n_frames--;
  return KR_OK;
}

kr_value kr_vm_item(const kr_vm *vm) {
  const kr_frame *frame = &vm->frames[vm->n_frames - 1];
  return kr_value_item(&frame->array, frame->index);
}

kr_value kr_vm_index(const kr_vm *vm) { return kr_value_int(vm->frames[vm->n_frames - 1].index); }

kr_status kr_vm_item_value(kr_vm *vm, const kr_instruction *in, kr_value *value) {
  if (value->type != KR_VALUE_MISSING)
    return kr_vm_hide(vm, value);
  if (in->a != 0)
    return KR_OK;
  if (vm->program->missing != KR_MISSING_STRICT)
    return kr_vm_missing_result(vm, value);
  kr_str path = kr_json_text(&vm->program->constants[in->c]);
  kr_status status = kr_vm_fail(vm, KR_MISSING, KR_E_MISSING, "no value at %.*s", KR_FMT(path));
  kr_error_hint(vm->reterr, "a step with ? may be missing, and default(x, y) replaces it");
  return status;
}

size_t kr_vm_item_words(const kr_vm *vm, char *message, size_t len) {
  size_t used = 0;
  for (uint32_t i = 0; i < vm->n_frames && used < len; i++)
    used += (size_t)snprintf(message + used, len - used, "%s%u", i == 0 ? "item " : ".",
                             (unsigned)vm->frames[i].index);
  if (used > 0 && used < len)
    used += (size_t)snprintf(message + used, len - used, ": ");
  return used < len ? used : len - 1;
}
