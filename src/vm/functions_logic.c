/* SPDX-License-Identifier: Apache-2.0 */
/* functions_logic.c - truth, types and comparison. Order is by number or by code point. */
#include "vm/functions.h"

kr_status kr_body_NOT(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_value_bool(!kr_value_truth(&args[0]));
  return KR_OK;
}

kr_status kr_body_EXISTS(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_value_bool(args[0].type != KR_VALUE_MISSING);
  return KR_OK;
}

kr_status kr_body_IS_EMPTY(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  bool has_count = args[0].type == KR_VALUE_STRING || kr_value_is_array(&args[0]) ||
                   kr_value_is_object(&args[0]);
  *result = kr_value_bool(args[0].type == KR_VALUE_NULL || (has_count && args[0].count == 0));
  return KR_OK;
}

kr_status kr_body_IS_NULL(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_value_bool(args[0].type == KR_VALUE_NULL);
  return KR_OK;
}

kr_status kr_body_TYPE_OF(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_value_string(kr_str_cstr(kr_value_type_name(&args[0])));
  return KR_OK;
}

kr_status kr_body_EQUALS(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  bool is_equal = false;
  KR_TRY(kr_vm_equal(vm, &args[0], &args[1], &is_equal));
  *result = kr_value_bool(is_equal);
  return KR_OK;
}

kr_status kr_body_NOT_EQUALS(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  bool is_equal = false;
  KR_TRY(kr_vm_equal(vm, &args[0], &args[1], &is_equal));
  *result = kr_value_bool(!is_equal);
  return KR_OK;
}

/* Null is in no order with anything; other mixed types are an error. */
static kr_status kr_logic_order(kr_vm *vm, const kr_value *a, const kr_value *b, bool *ret_ordered,
                                int *ret_order) {
  *ret_ordered = false;
  if (a->type == KR_VALUE_NULL || b->type == KR_VALUE_NULL)
    return KR_OK;
  *ret_ordered = true;
  if (kr_value_is_number(a) && kr_value_is_number(b)) {
    *ret_order = kr_value_compare_numbers(a, b);
    return KR_OK;
  }
  if (a->type == KR_VALUE_STRING && b->type == KR_VALUE_STRING) {
    *ret_order = kr_str_compare(kr_value_text(a), kr_value_text(b)); /* UTF-8 keeps the order */
    return KR_OK;
  }
  return kr_vm_fail(vm, KR_INVALID, KR_E_TYPE, "a %s and a %s have no order", kr_value_type_name(a),
                    kr_value_type_name(b));
}

static kr_status kr_logic_compare(kr_vm *vm, const kr_value *args, int wanted, bool or_equal,
                                  kr_value *result) {
  bool is_ordered = false;
  int order = 0;
  KR_TRY(kr_logic_order(vm, &args[0], &args[1], &is_ordered, &order));
  order = (order > 0) - (order < 0);
  *result = kr_value_bool(is_ordered && (order == wanted || (or_equal && order == 0)));
  return KR_OK;
}

kr_status kr_body_GREATER_THAN(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_logic_compare(vm, args, 1, false, result);
}

kr_status kr_body_GREATER_THAN_OR_EQUAL(kr_vm *vm, kr_value *args, unsigned n_args,
                                        kr_value *result) {
  (void)n_args;
  return kr_logic_compare(vm, args, 1, true, result);
}

kr_status kr_body_LESS_THAN(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_logic_compare(vm, args, -1, false, result);
}

kr_status kr_body_LESS_THAN_OR_EQUAL(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_logic_compare(vm, args, -1, true, result);
}

kr_status kr_body_BETWEEN(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_value high[2] = {args[0], args[2]};
  kr_value is_above;
  kr_value is_below;
  KR_TRY(kr_logic_compare(vm, args, 1, true, &is_above));
  KR_TRY(kr_logic_compare(vm, high, -1, true, &is_below));
  *result = kr_value_bool(kr_value_truth(&is_above) && kr_value_truth(&is_below));
  return KR_OK;
}

kr_status kr_body_IN(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  bool is_found = false;
  for (uint32_t i = 0; i < args[1].count && !is_found; i++) {
    kr_value item = kr_value_item(&args[1], i);
    KR_TRY(kr_vm_equal(vm, &args[0], &item, &is_found));
  }
  *result = kr_value_bool(is_found);
  return KR_OK;
}
