/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vm.c - the loop over instructions. A program was verified when it was made,
 * so operands, jumps and stack depths are taken for granted here; data is not.
 */
#include "vm/vm.h"

#include "base/assert.h"
#include "vm/copy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

kr_status kr_vm_fail(kr_vm *vm, kr_status status, kr_code code, const char *format, ...) {
  char message[KR_ERROR_MESSAGE_BYTES];
  va_list args;
  va_start(args, format);
  size_t n = kr_vm_item_words(vm, message, sizeof(message));
  (void)vsnprintf(message + n, sizeof(message) - n, format, args);
  va_end(args);
  if (vm->reterr == NULL)
    return status;
  (void)kr_fail(vm->reterr, status, "%s", message);
  vm->reterr->code = (uint16_t)code;
  const kr_position *position = &vm->program->positions[vm->pc];
  const char *source = position->source < vm->program->n_sources
                           ? (const char *)vm->program->sources[position->source].ptr
                           : NULL;
  kr_error_at(vm->reterr, source, position->offset, position->len);
  return status;
}

kr_status kr_vm_refuse_secret(kr_vm *vm, kr_secret_set secrets, const char *place) {
  kr_str name = vm->program->secret_names[__builtin_ctzll(secrets)];
  kr_status status =
      kr_vm_fail(vm, KR_INVALID, KR_E_SECRET_REFUSED,
                 "the value of secret %.*s cannot stand in a %s", KR_FMT(name), place);
  kr_error_hint(vm->reterr, "a line break at its end is the usual reason: set it again without");
  return status;
}

kr_status kr_vm_fail_fuel(kr_vm *vm) {
  return kr_vm_fail(vm, KR_LIMIT, KR_E_FUEL, "the work of this render is above its limit of %u",
                    vm->input->fuel == 0 ? KR_LIMIT_FUEL : vm->input->fuel);
}

kr_status kr_vm_equal(kr_vm *vm, const kr_value *a, const kr_value *b, bool *ret_is_equal) {
  return kr_value_equal(a, b, &vm->fuel, ret_is_equal) ? KR_OK : kr_vm_fail_fuel(vm);
}

kr_status kr_vm_find(kr_vm *vm, const kr_value *object, kr_str key, kr_value *ret_value,
                     bool *ret_is_found) {
  if (!kr_value_pay(&vm->fuel, kr_value_find_cost(object)))
    return kr_vm_fail_fuel(vm);
  *ret_is_found = kr_value_find(object, key, ret_value);
  return KR_OK;
}

kr_status kr_vm_alloc(kr_vm *vm, size_t len, void **ret_ptr) {
  *ret_ptr = kr_arena_alloc(&vm->arena, len);
  if (*ret_ptr != NULL)
    return KR_OK;
  if (kr_arena_why(&vm->arena) == KR_LIMIT)
    return kr_vm_fail(vm, KR_LIMIT, KR_E_SCRATCH, "this render needs more than %u bytes of memory",
                      KR_LIMIT_SCRATCH_BYTES);
  return kr_fail_nomem(vm->reterr);
}

/* A number or truth value has one part, for its transforms: all of its text. */
static kr_status kr_vm_text_part(kr_vm *vm, const kr_span *part, kr_value *string) {
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, sizeof(kr_span), &memory));
  kr_span *whole = memory;
  *whole = *part;
  whole->len = string->count;
  string->parts = whole;
  string->n_parts = 1;
  return KR_OK;
}

kr_status kr_vm_to_text(kr_vm *vm, const kr_value *value, kr_value *ret_string) {
  void *digits = NULL;
  kr_value string = *value;
  switch (value->type) {
  case KR_VALUE_STRING:
    break;
  case KR_VALUE_NUMBER:
    string.type = KR_VALUE_STRING;
    break;
  case KR_VALUE_INT:
    KR_TRY(kr_vm_alloc(vm, KR_VALUE_INT_BYTES, &digits));
    string = kr_value_string(kr_str_from(digits, kr_value_format_int(value->integer, digits)));
    break;
  case KR_VALUE_TRUE:
    string = kr_value_string(KR_STR("true"));
    break;
  case KR_VALUE_FALSE:
    string = kr_value_string(KR_STR("false"));
    break;
  case KR_VALUE_NULL:
  case KR_VALUE_MISSING:
    if (vm->program->missing == KR_MISSING_STRICT) {
      kr_status status =
          kr_vm_fail(vm, KR_INVALID, KR_E_NULL_VALUE, "null cannot stand where text is needed");
      kr_error_hint(vm->reterr, "default(x, \"\") replaces null");
      return status;
    }
    string = kr_value_string(KR_STR(""));
    break;
  default:
    return kr_vm_fail(vm, KR_INVALID, KR_E_NOT_SCALAR, "an %s cannot stand where text is needed",
                      kr_value_type_name(value));
  }
  string.is_untrusted = value->is_untrusted;
  string.secrets = value->secrets;
  if (value->type != KR_VALUE_STRING && value->n_parts == 1)
    KR_TRY(kr_vm_text_part(vm, value->parts, &string));
  *ret_string = string;
  return KR_OK;
}

static kr_status kr_vm_secret_missing(kr_vm *vm, kr_str name) {
  kr_status status = kr_vm_fail(vm, KR_MISSING, KR_E_SECRET_MISSING,
                                "there is no secret %.*s in this organization", KR_FMT(name));
  kr_error_hint(vm->reterr, "set it: krosyn secret set %.*s", KR_FMT(name));
  return status;
}

kr_status kr_vm_secret(kr_vm *vm, uint32_t secret, kr_value *ret_value) {
  kr_str name = vm->program->secret_names[secret];
  kr_str text = KR_STR("[REDACTED]");
  const kr_secret_source *source = vm->input->secrets;
  if (source != NULL) {
    const kr_secret *opened = secret < source->names->count ? source->values[secret] : NULL;
    if (opened == NULL)
      return kr_vm_secret_missing(vm, name);
    vm->is_sensitive = true;
    text = kr_secret_reveal(opened);
    if (text.len > KR_LIMIT_STRING_BYTES)
      return kr_vm_refuse_secret(vm, (kr_secret_set)1 << secret, "template");
  }
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, sizeof(kr_span), &memory));
  kr_span *part = memory;
  *part = (kr_span){.len = (uint32_t)text.len,
                    .secrets = (kr_secret_set)1 << secret,
                    .context = source == NULL ? KR_PART_OPAQUE : KR_PART_PLAIN};
  *ret_value = kr_value_string(text);
  ret_value->secrets = part->secrets;
  ret_value->parts = part;
  ret_value->n_parts = 1;
  return KR_OK;
}

/* A marked field in a preview holds no value worth showing: it becomes the placeholder. */
kr_status kr_vm_hide(kr_vm *vm, kr_value *value) {
  if (!kr_vm_is_preview(vm) || value->secrets == 0 || value->type != KR_VALUE_STRING ||
      value->n_parts > 0)
    return KR_OK;
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, sizeof(kr_span), &memory));
  kr_secret_set secrets = value->secrets;
  *value = kr_value_string(KR_STR("[REDACTED]"));
  kr_span *part = memory;
  *part = (kr_span){.len = value->count, .secrets = secrets, .context = KR_PART_OPAQUE};
  value->secrets = secrets;
  value->parts = part;
  value->n_parts = 1;
  return KR_OK;
}

static inline kr_status kr_vm_read_slot(kr_vm *vm, uint32_t slot, bool is_kept,
                                        kr_value *ret_value) {
  const kr_slot *row = &vm->program->slots[slot];
  const kr_json *tree = kr_vm_tree(vm, slot);
  if (tree != NULL && row->secrets == 0) {
    kr_value_set_json(ret_value, tree, row->is_untrusted, 0);
    return KR_OK;
  }
  KR_TRY(kr_vm_slot(vm, slot, ret_value));
  if (ret_value->type == KR_VALUE_MISSING && !is_kept)
    return kr_vm_missing_slot(vm, slot, ret_value);
  return kr_vm_hide(vm, ret_value);
}

static kr_status kr_vm_collect(kr_vm *vm, const kr_value *items, uint32_t count, bool is_object,
                               kr_value *ret_value) {
  uint32_t n_values = is_object ? count * 2 : count;
  size_t size = is_object ? sizeof(kr_pair) : sizeof(kr_value);
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, size * count, &memory));
  kr_value container = {.type = is_object ? KR_VALUE_OBJECT : KR_VALUE_ARRAY, .count = count};
  for (uint32_t i = 0; i < n_values; i++) {
    container.secrets |= items[i].secrets;
    container.is_untrusted |= items[i].is_untrusted;
    container.is_unknown |= items[i].is_unknown;
    if (!is_object)
      ((kr_value *)memory)[i] = items[i];
    else if (i % 2 == 1)
      ((kr_pair *)memory)[i / 2] =
          (kr_pair){.key = kr_value_text(&items[i - 1]), .value = items[i]};
  }
  if (is_object)
    container.members = memory;
  else
    container.items = memory;
  *ret_value = container;
  return KR_OK;
}

/* In a preview what is decided on a secret is not known; default and coalesce only ask if it is. */
static inline bool kr_vm_is_undecided(const kr_vm *vm, unsigned function, const kr_value *value) {
  bool asks_value = function != KR_FUNCTION_DEFAULT && function != KR_FUNCTION_COALESCE;
  return value->is_unknown || (asks_value && value->secrets != 0 && kr_vm_is_preview(vm));
}

/* equals() of two texts without marks, the most frequent condition; false: call it in full. */
static inline bool kr_vm_equal_texts(kr_vm *vm, const kr_value *args, kr_value *ret_value) {
  const kr_value *a = &args[0];
  const kr_value *b = &args[1];
  bool are_plain = a->type == KR_VALUE_STRING && b->type == KR_VALUE_STRING &&
                   (a->secrets | b->secrets) == 0 && !a->is_unknown && !b->is_unknown;
  size_t cost = a->count / 32 + b->count / 32 + 1 + a->count / 32; /* as arguments, and compared */
  if (!are_plain || cost > vm->fuel)
    return false;
  vm->fuel -= (uint32_t)cost;
  bool is_untrusted = a->is_untrusted || b->is_untrusted;
  bool is_equal = a->count == b->count && kr_copy_equal(a->text, b->text, a->count);
  kr_value_set_bool(ret_value, is_equal, is_untrusted);
  return true;
}

/*
 * SLOT, CONSTANT and CALL of equals() at once, when both are texts without
 * marks; paid for as the three. false: nothing was done, but that the slot is
 * known now. A SLOT is never the last but one: its value is taken before HALT.
 */
static inline bool kr_vm_equal_constant(kr_vm *vm, const kr_instruction *in, kr_value *ret_value) {
  if (in[1].op != KR_OP_CONSTANT || in[2].op != KR_OP_CALL || in[2].a != KR_FUNCTION_EQUALS)
    return false;
  const kr_slot *row = &vm->program->slots[in->c];
  const kr_json *a = kr_vm_tree(vm, in->c);
  const kr_json *b = &vm->program->constants[in[1].c];
  if (a == NULL || row->secrets != 0 || a->type != KR_JSON_STRING || b->type != KR_JSON_STRING)
    return false;
  size_t cost = 3 + a->count / 32 + b->count / 32 + a->count / 32; /* see kr_vm_equal_texts() */
  if (cost > vm->fuel)
    return false;
  vm->fuel -= (uint32_t)cost;
  bool is_equal = a->count == b->count && kr_copy_equal(a->text, b->text, a->count);
  kr_value_set_bool(ret_value, is_equal, row->is_untrusted);
  return true;
}

/* The loop; the one function that may be long. */
kr_status kr_vm_run(kr_vm *vm, const kr_value **ret_top) {
  const kr_program *program = vm->program;
  kr_value *stack = vm->stack; /* next free */
  kr_value value;              /* a result, while its arguments are still on the stack */
  for (uint32_t pc = 0; pc < program->n_code; pc++) {
    if (program->code[pc].op == KR_OP_EMIT_LITERAL || program->code[pc].op == KR_OP_EMIT_SLOT)
      pc = kr_vm_emit_run(vm, pc);
    const kr_instruction *in = &program->code[pc];
    vm->pc = pc;
    KR_TRY(kr_vm_spend(vm, 32));
    switch ((kr_opcode)in->op) {
    case KR_OP_HALT:
      return KR_OK;
    case KR_OP_CONSTANT:
      kr_value_set_json(stack, &program->constants[in->c], false, 0);
      stack++;
      break;
    case KR_OP_SLOT:
      if (kr_vm_equal_constant(vm, in, stack))
        pc += 2;
      else
        KR_TRY(kr_vm_read_slot(vm, in->c, in->a != 0, stack));
      stack++;
      break;
    case KR_OP_SECRET:
      KR_TRY(kr_vm_secret(vm, in->c, &value));
      *stack++ = value;
      break;
    case KR_OP_CALL:
      stack -= in->b;
      if (in->a != KR_FUNCTION_EQUALS || !kr_vm_equal_texts(vm, stack, stack)) {
        KR_TRY(kr_vm_call(vm, in->a, stack, in->b, &value));
        *stack = value;
      }
      stack++;
      break;
    case KR_OP_ARRAY:
      stack -= in->b;
      KR_TRY(kr_vm_collect(vm, stack, in->b, false, &value));
      *stack++ = value;
      break;
    case KR_OP_OBJECT:
      stack -= in->b * 2;
      KR_TRY(kr_vm_collect(vm, stack, in->b, true, &value));
      *stack++ = value;
      break;
    case KR_OP_STEP:
      KR_TRY(kr_vm_step(vm, &program->steps[in->c], &stack[-1], &value));
      stack[-1] = value;
      break;
    case KR_OP_PRESENT:
      if (stack[-1].type == KR_VALUE_MISSING)
        KR_TRY(kr_vm_missing_result(vm, &stack[-1]));
      break;
    case KR_OP_POP:
      stack--;
      break;
    case KR_OP_JUMP:
      pc = in->c - 1;
      break;
    case KR_OP_JUMP_FALSE:
    case KR_OP_JUMP_TRUE: {
      bool is_true = false;
      stack--;
      KR_TRY(kr_vm_truth(vm, stack, &is_true));
      if (is_true == (in->op == KR_OP_JUMP_TRUE))
        pc = in->c - 1;
      break;
    }
    case KR_OP_JUMP_SETTLED:
      if (stack[-1].type != KR_VALUE_MISSING && stack[-1].type != KR_VALUE_NULL)
        pc = in->c - 1;
      else
        stack--;
      break;
    case KR_OP_JUMP_UNEQUAL: {
      bool is_equal = false;
      stack--;
      KR_TRY(kr_vm_equal(vm, &stack[-1], stack, &is_equal));
      if (is_equal)
        stack--;
      else
        pc = in->c - 1;
      break;
    }
    case KR_OP_UNKNOWN:
      if (!kr_vm_is_undecided(vm, in->a, &stack[-1]))
        break;
      KR_TRY(kr_vm_undecided_call(vm, in->a, &stack[-1], &value));
      stack -= in->b;
      *stack++ = value;
      pc = in->c - 1;
      break;
    case KR_OP_EACH: {
      bool is_done = false;
      stack--;
      KR_TRY(kr_vm_each(vm, in->a, stack, &value, &is_done));
      if (!is_done)
        break;
      *stack++ = value;
      pc = in->c - 1;
      break;
    }
    case KR_OP_NEXT: {
      bool is_done = false;
      stack--;
      KR_TRY(kr_vm_next(vm, in->a, stack, &value, &is_done));
      if (is_done)
        *stack++ = value;
      else
        pc = in->c - 1;
      break;
    }
    case KR_OP_ITEM:
      *stack++ = kr_vm_item(vm);
      break;
    case KR_OP_INDEX:
      *stack++ = kr_vm_index(vm);
      break;
    case KR_OP_ITEM_VALUE:
      KR_TRY(kr_vm_item_value(vm, in, &stack[-1]));
      break;
    case KR_OP_MARK:
      KR_TRY(kr_vm_mark(vm, in, &stack[-1]));
      break;
    case KR_OP_EMIT_LITERAL:
      KR_TRY(kr_vm_put_literal(vm, kr_str_from(program->pool.ptr + in->c, in->b)));
      KR_TRY(kr_vm_check_output(vm));
      break;
    case KR_OP_EMIT:
      stack--;
      if (kr_vm_emit_plain(vm, (kr_context)in->a, stack))
        break;
      KR_TRY(kr_vm_emit(vm, (kr_context)in->a, stack, in->b != 0));
      KR_TRY(kr_vm_check_output(vm));
      break;
    case KR_OP_EMIT_SLOT:
      KR_TRY(kr_vm_read_slot(vm, in->c, false, &value));
      KR_TRY(kr_vm_emit(vm, (kr_context)in->a, &value, in->b != 0));
      KR_TRY(kr_vm_check_output(vm));
      break;
    case KR_OP_EMIT_SECRET:
      KR_TRY(kr_vm_secret(vm, in->c, &value));
      KR_TRY(kr_vm_emit(vm, (kr_context)in->a, &value, in->b != 0));
      KR_TRY(kr_vm_check_output(vm));
      break;
    case KR_OP_SEGMENT_BEGIN:
      vm->segment = vm->rendered->buf.len;
      break;
    case KR_OP_SEGMENT_END:
      KR_TRY(kr_vm_end_segment(vm));
      break;
    case KR_OP_RETURN:
      *ret_top = --stack;
      break;
    case KR_OP_COUNT:
      return kr_vm_fail(vm, KR_INTERNAL, 0, "a bad instruction");
    }
  }
  return KR_OK;
}

/*
 * Where it depends on a secret whether and how something fails, the error is
 * one and the same: that of the hole. Memory that ran out stays what it is.
 */
static kr_status kr_vm_explain(kr_vm *vm, kr_status status) {
  if (status == KR_OK || status == KR_NOMEM)
    return status;
  for (uint32_t i = 0; i < vm->program->n_guards; i++) {
    const kr_guard *guard = &vm->program->guards[i];
    if (vm->pc < guard->from || vm->pc >= guard->to)
      continue;
    kr_str name = vm->program->secret_names[guard->secret];
    const char *source = (const char *)vm->program->sources[guard->position.source].ptr;
    status = kr_fail(vm->reterr, KR_INVALID,
                     "a decision on secret %.*s fails here, or what follows from it", KR_FMT(name));
    if (vm->reterr != NULL)
      vm->reterr->code = KR_E_SECRET_REFUSED;
    kr_error_hint(
        vm->reterr,
        "it, or data that is read after it, is missing or of another type than is expected here");
    kr_error_at(vm->reterr, source, guard->position.offset, guard->position.len);
    return status;
  }
  return status;
}

size_t kr_render_output_limit(kr_sink sink) {
  if (sink == KR_SINK_URL)
    return KR_LIMIT_URL_BYTES;
  return sink == KR_SINK_HEADER ? KR_LIMIT_HEADER_BYTES : KR_LIMIT_BODY_BYTES;
}

kr_status kr_vm_prepare(kr_vm *vm, const kr_program *program, const kr_render_input *input,
                        kr_rendered *rendered, kr_error *reterr) {
  vm->program = program;
  vm->input = input;
  vm->rendered = rendered;
  vm->reterr = reterr;
  vm->pc = 0;
  vm->n_frames = 0;
  vm->has_now = false;
  vm->output_limit = kr_render_output_limit(program->sink);
  vm->fuel = input->fuel == 0 ? KR_LIMIT_FUEL : input->fuel;
  vm->owed = 0;
  vm->slots = NULL;
  vm->is_sensitive = false;
  vm->hint_base = (uint32_t)((uintptr_t)program / sizeof(void *) * 0x9E3779B1u >> 7);
  size_t trees_bytes = program->n_slots * sizeof(kr_json *);
  size_t stack_bytes = (program->max_stack + 1u) * sizeof(kr_value);
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, stack_bytes + trees_bytes, &memory));
  vm->stack = memory;
  vm->trees = (const kr_json **)(void *)((uint8_t *)memory + stack_bytes);
  memset((void *)vm->trees, 0, trees_bytes);
  if (program->n_slots > 0) /* the first is a root, as parents come first; most have no other */
    vm->trees[0] = kr_vm_tree_root(vm, &program->slots[0]);
  return KR_OK;
}

void kr_vm_clear(kr_vm *vm) {
  if (vm->is_sensitive) {
    kr_arena_reset(&vm->arena);
    kr_buf_reset(&vm->work.buf);
  } else {
    kr_arena_rewind(&vm->arena);
    vm->work.buf.len = 0;
  }
  vm->program = NULL;
  vm->input = NULL;
  vm->rendered = NULL;
  vm->reterr = NULL;
}

kr_status kr_vm_render(kr_vm *vm, const kr_program *program, const kr_render_input *input,
                       kr_rendered *rendered, kr_error *reterr) {
  KR_ASSERT(program->sink != KR_SINK_CONDITION);
  kr_buf_reset(&rendered->buf);
  rendered->n_spans = 0;
  rendered->is_null = false;
  rendered->is_partial = false;
  const kr_value *unused = NULL;
  kr_status status = kr_vm_prepare(vm, program, input, rendered, reterr);
  if (status == KR_OK)
    status = kr_vm_explain(vm, kr_vm_run(vm, &unused));
  if (status == KR_OK && program->sink == KR_SINK_HEADER)
    kr_vm_trim_output(rendered);
  kr_vm_clear(vm);
  if (status != KR_OK) {
    kr_buf_reset(&rendered->buf);
    rendered->n_spans = 0;
  }
  return status;
}

kr_status kr_vm_condition(kr_vm *vm, const kr_program *program, const kr_render_input *input,
                          bool *ret_truth, kr_error *reterr) {
  KR_ASSERT(program->sink == KR_SINK_CONDITION);
  const kr_value *top = NULL; /* on the stack, until it is cleared */
  kr_status status = kr_vm_prepare(vm, program, input, &vm->work, reterr);
  if (status == KR_OK)
    status = kr_vm_explain(vm, kr_vm_run(vm, &top));
  if (status == KR_OK && top->is_unknown)
    status = kr_vm_fail(vm, KR_MISSING, KR_E_MISSING,
                        "this condition depends on $lookup, which is not known here");
  else if (status == KR_OK && top->secrets != 0 && kr_vm_is_preview(vm))
    status = kr_vm_fail(vm, KR_MISSING, KR_E_SECRET_CONDITION,
                        "this condition depends on the value of a secret, which is not known here");
  if (status == KR_OK)
    status = kr_vm_truth(vm, top, ret_truth);
  kr_vm_clear(vm);
  return status;
}

kr_status kr_vm_new(kr_vm **ret_vm, kr_error *reterr) {
  kr_vm *vm = calloc(1, sizeof(kr_vm));
  if (vm == NULL)
    return kr_fail_nomem(reterr);
  vm->arena = KR_ARENA_INIT(KR_LIMIT_SCRATCH_BYTES, kr_sensitive_memory());
  kr_rendered_init(&vm->work);
  vm->work.buf.limit = KR_LIMIT_STRING_BYTES;
  *ret_vm = vm;
  return KR_OK;
}

void kr_vm_free(kr_vm *vm) {
  if (vm == NULL)
    return;
  kr_arena_done(&vm->arena);
  kr_regex_scratch_free(vm->regex);
  kr_rendered_done(&vm->work);
  kr_zone_cache_done(&vm->zones);
  free(vm);
}
