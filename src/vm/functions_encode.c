/* SPDX-License-Identifier: Apache-2.0 */
/* functions_encode.c - one value to one text of another alphabet, and conversions of type. */
#include "base/encode.h"
#include "base/utf8.h"
#include "vm/functions.h"

kr_status kr_body_TO_JSON(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_vm_to_json(vm, &args[0], result);
}

kr_status kr_body_TO_STRING(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  if (kr_value_is_array(&args[0]) || kr_value_is_object(&args[0]))
    return kr_vm_to_json(vm, &args[0], result);
  if (args[0].type == KR_VALUE_NULL) {
    *result = kr_value_string(KR_STR("null"));
    return KR_OK;
  }
  return kr_vm_to_text(vm, &args[0], result);
}

kr_status kr_body_TO_NUMBER(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  if (kr_value_is_number(&args[0])) {
    *result = args[0];
    return KR_OK;
  }
  if (args[0].type == KR_VALUE_TRUE || args[0].type == KR_VALUE_FALSE) {
    *result = kr_value_int(args[0].type == KR_VALUE_TRUE);
    return KR_OK;
  }
  kr_str digits =
      args[0].type == KR_VALUE_STRING ? kr_str_trim(kr_value_text(&args[0])) : (kr_str){0};
  if (!kr_value_is_number_text(digits))
    return kr_vm_fail(vm, KR_INVALID, KR_E_TYPE, "this %s is not a number",
                      kr_value_type_name(&args[0]));
  *result = kr_value_string(digits);
  result->type = KR_VALUE_NUMBER;
  return KR_OK;
}

kr_status kr_body_TO_BOOL(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_str text = args[0].type == KR_VALUE_STRING ? kr_value_text(&args[0]) : (kr_str){0};
  if (args[0].type != KR_VALUE_STRING) {
    *result = kr_value_bool(kr_value_truth(&args[0]));
    return KR_OK;
  }
  bool is_true = kr_str_equal(text, KR_STR("true")) || kr_str_equal(text, KR_STR("1"));
  bool is_false = kr_str_equal(text, KR_STR("false")) || kr_str_equal(text, KR_STR("0"));
  if (!is_true && !is_false)
    return kr_vm_fail(vm, KR_INVALID, KR_E_TYPE,
                      "a string becomes a boolean only if it is true, false, 1 or 0");
  *result = kr_value_bool(is_true);
  return KR_OK;
}

typedef kr_status kr_encoder(kr_str bytes, kr_buf *out);

static kr_status kr_encode_with(kr_vm *vm, const kr_value *arg, kr_encoder *encoder, size_t factor,
                                kr_value *result) {
  KR_TRY(kr_vm_spend(vm, (size_t)arg->count * factor));
  kr_vm_build_begin(vm);
  kr_status status = encoder(kr_value_text(arg), &vm->work.buf);
  if (status == KR_LIMIT)
    return kr_vm_fail(vm, KR_LIMIT, KR_E_STRING_BYTES, "a string is longer than %u bytes",
                      KR_LIMIT_STRING_BYTES);
  if (status != KR_OK)
    return kr_fail_nomem(vm->reterr);
  return kr_vm_build_take(vm, result);
}

static kr_status kr_encode_base64(kr_str bytes, kr_buf *out) {
  return kr_base64_encode(bytes, KR_BASE64_STANDARD, true, out);
}

static kr_status kr_encode_base64_url(kr_str bytes, kr_buf *out) {
  return kr_base64_encode(bytes, KR_BASE64_URL, false, out);
}

static kr_status kr_encode_url(kr_str bytes, kr_buf *out) {
  kr_escape escape = {.context = KR_CONTEXT_URL_QUERY, .whole = bytes};
  return kr_escape_chunk(&escape, 0, bytes.len, out);
}

kr_status kr_body_BASE64_ENCODE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_encode_with(vm, &args[0], kr_encode_base64, 2, result);
}

kr_status kr_body_BASE64_URL_ENCODE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_encode_with(vm, &args[0], kr_encode_base64_url, 2, result);
}

kr_status kr_body_HEX_ENCODE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_encode_with(vm, &args[0], kr_hex_encode, 2, result);
}

kr_status kr_body_URL_ENCODE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_encode_with(vm, &args[0], kr_encode_url, 3, result);
}
