/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.c - what every call has in common: payment, conversion of arguments by
 * the table, previews, marks of the result, telling the redactor.
 */
#include "vm/vm.h"

#include "base/assert.h"
#include "vm/functions.h"

#include <limits.h>

static kr_function_body *const kr_bodies[] = {
#define KR_BODY_PARTS(id) kr_body_##id
#define KR_BODY_WHOLE(id) kr_body_##id
#define KR_BODY_LAZY(id) NULL
#define KR_BODY_ESCAPER(id) NULL
#define KR_FUNCTION(id, name, min, max, params, result, marks, ...) KR_BODY_##marks(id),
#include "lang/functions.def"
};

#define KR_CALL_NO_FUNCTION UINT_MAX /* joins no transform */

static kr_status kr_call_mismatch(kr_vm *vm, const char *function, unsigned index, char param,
                                  const kr_value *value) {
  const char *wanted = param == 's'   ? "a string"
                       : param == 'n' ? "a number"
                       : param == 'i' ? "an integer"
                       : param == 'q' ? "a number or an array"
                       : param == 'l' ? "an array"
                       : param == 'o' ? "an object"
                                      : "a string or an array";
  return kr_vm_fail(vm, KR_INVALID, KR_E_TYPE, "argument %u of %s must be %s, not %s", index + 1,
                    function, wanted, kr_value_type_name(value));
}

static kr_status kr_call_convert(kr_vm *vm, const kr_function_info *row, unsigned index, char param,
                                 kr_value *arg) {
  int64_t integer = 0;
  bool is_good = true;
  switch (param) {
  case 's':
    is_good = !kr_value_is_array(arg) && !kr_value_is_object(arg) && arg->type != KR_VALUE_NULL;
    if (arg->type == KR_VALUE_NULL && vm->program->missing != KR_MISSING_STRICT)
      is_good = true;
    if (is_good)
      return kr_vm_to_text(vm, arg, arg);
    break;
  case 'n':
    is_good = kr_value_is_number(arg);
    break;
  case 'q':
    is_good = kr_value_is_number(arg) || kr_value_is_array(arg);
    break;
  case 'i':
    is_good = kr_value_to_int(arg, &integer);
    if (is_good) {
      bool is_untrusted = arg->is_untrusted;
      *arg = kr_value_int(integer);
      arg->is_untrusted = is_untrusted;
    }
    break;
  case 'l':
    is_good = kr_value_is_array(arg);
    break;
  case 'o':
    is_good = kr_value_is_object(arg);
    break;
  case 'c':
    is_good = kr_value_is_array(arg) || arg->type == KR_VALUE_STRING;
    break;
  default:
    break;
  }
  return is_good ? KR_OK : kr_call_mismatch(vm, row->name, index, param, arg);
}

typedef struct kr_call_marks {
  kr_secret_set secrets;
  bool is_untrusted;
  bool is_unknown;
  const kr_value *first_secret;
} kr_call_marks;

static kr_call_marks kr_call_union(const kr_value *args, unsigned n_args) {
  kr_call_marks marks = {0};
  for (unsigned i = 0; i < n_args; i++) {
    if (marks.secrets == 0 && args[i].secrets != 0)
      marks.first_secret = &args[i];
    marks.secrets |= args[i].secrets;
    marks.is_untrusted |= args[i].is_untrusted;
    marks.is_unknown |= args[i].is_unknown;
  }
  return marks;
}

/* All of it derives from the secrets (a number's part counts once it is text); the function joins.
 */
static kr_status kr_call_mark(kr_vm *vm, unsigned function, const kr_call_marks *marks,
                              uint8_t kind, kr_value *result) {
  result->secrets = marks->secrets;
  result->is_decided = result->type != KR_VALUE_STRING;
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, sizeof(kr_span), &memory));
  kr_span *part = memory;
  *part = (kr_span){.len = result->count, .secrets = marks->secrets, .context = kind};
  const kr_value *source = marks->first_secret;
  for (uint32_t i = 0; i < source->n_parts; i++)
    if (source->parts[i].secrets != 0) {
      part->n_transforms = source->parts[i].n_transforms;
      memcpy(part->transforms, source->parts[i].transforms, sizeof(part->transforms));
      break;
    }
  if (function != KR_CALL_NO_FUNCTION && part->n_transforms < KR_SPAN_TRANSFORMS_MAX)
    part->transforms[part->n_transforms++] = (uint8_t)function;
  result->parts = part;
  result->n_parts = 1;
  return KR_OK;
}

kr_status kr_vm_unknown_call(kr_vm *vm, unsigned function, kr_value *ret_value) {
  kr_str name = kr_str_cstr(kr_function_row(function)->name);
  static const char tail[] = "(\xE2\x80\xA6)\xE2\x80\xBA";
  void *memory = NULL;
  size_t len = 3 + name.len + sizeof(tail) - 1;
  KR_TRY(kr_vm_alloc(vm, len, &memory));
  uint8_t *text = memory;
  memcpy(text, "\xE2\x80\xB9", 3);
  /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): every row has a name */
  memcpy(text + 3, name.ptr, name.len);
  memcpy(text + 3 + name.len, tail, sizeof(tail) - 1);
  *ret_value = kr_value_string(kr_str_from(text, len));
  ret_value->type = KR_VALUE_UNKNOWN;
  ret_value->is_unknown = true;
  ret_value->is_untrusted = true;
  return KR_OK;
}

/* In a preview: does a text stand for the result? */
static kr_status kr_call_preview(kr_vm *vm, unsigned function, const kr_call_marks *marks,
                                 kr_value *result, bool *ret_is_done) {
  *ret_is_done = true;
  if (marks->secrets != 0) {
    *result = kr_value_string(KR_STR("[REDACTED]"));
    result->is_unknown = marks->is_unknown;
    result->is_untrusted = marks->is_untrusted; /* what stands beside it is escaped as in a run */
    return kr_call_mark(vm, function, marks, KR_PART_OPAQUE, result);
  }
  if (marks->is_unknown)
    return kr_vm_unknown_call(vm, function, result);
  *ret_is_done = false;
  return KR_OK;
}

kr_status kr_vm_preview_call(kr_vm *vm, unsigned function, const kr_value *arg, kr_value *result,
                             bool *ret_is_done) {
  kr_call_marks marks = kr_call_union(arg, 1);
  return kr_call_preview(vm, function, &marks, result, ret_is_done);
}

kr_status kr_vm_undecided_call(kr_vm *vm, unsigned function, const kr_value *arg,
                               kr_value *ret_value) {
  if (arg->secrets == 0)
    return kr_vm_unknown_call(vm, function, ret_value);
  /* MARK comes next and joins the function. */
  kr_call_marks marks = kr_call_union(arg, 1);
  kr_value result = kr_value_string(KR_STR("[REDACTED]"));
  result.is_unknown = marks.is_unknown;
  KR_TRY(kr_call_mark(vm, KR_CALL_NO_FUNCTION, &marks, KR_PART_OPAQUE, &result));
  *ret_value = result;
  return KR_OK;
}

kr_status kr_vm_mark(kr_vm *vm, const kr_instruction *in, kr_value *value) {
  if (value->type == KR_VALUE_UNKNOWN)
    return KR_OK;
  if (kr_value_is_array(value) || kr_value_is_object(value))
    return kr_vm_fail(vm, KR_INVALID, KR_E_SECRET_REFUSED, "an array or object was chosen");
  vm->is_sensitive = true;
  const kr_value chosen = *value;
  uint8_t kind = chosen.n_parts == 1 ? chosen.parts[0].context : KR_PART_PLAIN;
  const kr_call_marks marks = {.secrets = chosen.secrets | (kr_secret_set)1 << in->c,
                               .first_secret = &chosen};
  /* A second secret of the same decision adds its name, not its function again. */
  KR_TRY(kr_call_mark(vm, (in->b & KR_MARK_FURTHER) != 0 ? KR_CALL_NO_FUNCTION : in->a, &marks,
                      kind, value));
  value->is_decided = true;
  value->is_untrusted |= (in->b & KR_MARK_UNTRUSTED) != 0;
  return KR_OK;
}

static kr_status kr_call_register(kr_vm *vm, unsigned function, const kr_function_info *row,
                                  const kr_value *result) {
  const kr_derived_sink *derived = vm->input->derived;
  bool is_wanted =
      row->registers == KR_REGISTERS_ALWAYS ||
      (row->registers == KR_REGISTERS_LONG && result->count >= KR_REGISTERS_LONG_BYTES);
  if (derived == NULL || !is_wanted || result->type != KR_VALUE_STRING || result->count == 0)
    return KR_OK;
  return derived->add(derived->ctx, result->secrets, (uint8_t)function, kr_value_text(result));
}

static kr_status kr_call_arguments(kr_vm *vm, const kr_function_info *row, kr_value *args,
                                   unsigned n_args) {
  for (unsigned i = 0; i < n_args; i++) {
    KR_TRY(kr_vm_spend(vm, (size_t)args[i].count * row->cost));
    if (args[i].type == KR_VALUE_UNKNOWN)
      continue; /* concat and join show it as it is */
    char param = kr_function_param(row, i, n_args);
    bool is_fitting = param == 'a' || (param == 's' && args[i].type == KR_VALUE_STRING);
    if (!is_fitting)
      KR_TRY(kr_call_convert(vm, row, i, param, &args[i]));
  }
  return KR_OK;
}

/* A secret or an unknown $lookup takes part. */
static kr_status kr_call_marked(kr_vm *vm, unsigned function, kr_value *args, unsigned n_args,
                                kr_value *ret_value) {
  const kr_function_info *row = kr_function_row(function);
  kr_call_marks marks = kr_call_union(args, n_args);
  kr_value first_secret = marks.first_secret != NULL ? *marks.first_secret : (kr_value){0};
  marks.first_secret = &first_secret;
  bool is_done = false;
  kr_value result = {0};
  if (row->marks == KR_MARKS_WHOLE && kr_vm_is_preview(vm))
    KR_TRY(kr_call_preview(vm, function, &marks, &result, &is_done));
  if (is_done) {
    *ret_value = result;
    return KR_OK;
  }
  KR_TRY(kr_call_arguments(vm, row, args, n_args));
  KR_TRY(kr_bodies[function](vm, args, n_args, &result));
  result.is_untrusted |= marks.is_untrusted;
  if (row->marks == KR_MARKS_WHOLE && marks.secrets != 0) {
    KR_TRY(kr_call_mark(vm, function, &marks, KR_PART_PLAIN, &result));
    KR_TRY(kr_call_register(vm, function, row, &result));
  }
  *ret_value = result;
  return KR_OK;
}

kr_status kr_vm_call(kr_vm *vm, unsigned function, kr_value *args, unsigned n_args,
                     kr_value *ret_value) {
  KR_ASSERT(function < KR_FUNCTION_COUNT && kr_bodies[function] != NULL);
  kr_secret_set secrets = 0;
  bool is_untrusted = false;
  bool is_unknown = false;
  for (unsigned i = 0; i < n_args; i++) {
    secrets |= args[i].secrets;
    is_untrusted |= args[i].is_untrusted;
    is_unknown |= args[i].is_unknown;
  }
  if (secrets != 0 || is_unknown)
    return kr_call_marked(vm, function, args, n_args, ret_value);
  KR_TRY(kr_call_arguments(vm, kr_function_row(function), args, n_args));
  *ret_value = (kr_value){0};
  KR_TRY(kr_bodies[function](vm, args, n_args, ret_value));
  ret_value->is_untrusted |= is_untrusted;
  return KR_OK;
}
