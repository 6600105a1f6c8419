/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve.c - slots. Each distinct path prefix is walked at most once per
 * render, when first needed, from its parent's value. Most are nodes of input
 * data: of those only the node is kept. A missing path is a value; only its
 * use decides what it means.
 */
#include "vm/copy.h"
#include "vm/vm.h"

const kr_json *kr_vm_tree_root(const kr_vm *vm, const kr_slot *row) {
  switch (row->root) {
  case KR_ROOT_PAYLOAD:
    return vm->input->payload;
  case KR_ROOT_LOOKUP:
    return vm->input->is_lookup_unknown && kr_vm_is_preview(vm) ? NULL : vm->input->lookup;
  case KR_ROOT_PROCESSED:
    return vm->input->processed;
  default:
    return NULL;
  }
}

/*
 * A key that is not where it was last: it may stand behind the member found
 * before it, since a template mostly names members in their order; else it is
 * anywhere after that, around to where the search began.
 */
static const kr_json *kr_resolve_member(kr_vm *vm, const kr_json *object, kr_str name,
                                        uint16_t *hint) {
  uint32_t count = object->count;
  uint32_t at = *hint; /* not tried yet when the object itself was met just now */
  if (at < count && kr_vm_is_key(&object->members[at], name)) {
    vm->last_member = at;
    return &object->members[at].value;
  }
  at = vm->last_member;
  for (uint32_t i = 0; i < count; i++) {
    if (i % KR_FIND_MEMBERS == 0 && !kr_value_pay(&vm->fuel, 1))
      return NULL; /* whoever asks has nothing left to pay with */
    at = at + 1 < count ? at + 1 : 0;
    if (kr_vm_is_key(&object->members[at], name)) {
      *hint = (uint16_t)at; /* a hint beyond 65535 members is merely wrong */
      vm->last_member = at;
      return &object->members[at].value;
    }
  }
  return NULL;
}

const kr_json *kr_vm_tree_resolve(kr_vm *vm, uint32_t slot) {
  const kr_slot *row = &vm->program->slots[slot];
  const kr_json *tree = NULL;
  if (row->parent == KR_NO_SLOT) {
    tree = kr_vm_tree_root(vm, row);
  } else {
    const kr_json *parent = kr_vm_tree(vm, row->parent); /* at most KR_LIMIT_PATH_STEPS deep */
    const kr_step *step = &vm->program->steps[row->step];
    if (parent == NULL || !kr_value_pay(&vm->fuel, 1))
      return NULL;
    if (step->is_index)
      tree = kr_json_at(parent, step->index);
    else if (parent->type == KR_JSON_OBJECT)
      tree = kr_resolve_member(vm, parent, step->name,
                               &vm->hints[(vm->hint_base + slot) % KR_VM_HINTS]);
  }
  vm->trees[slot] = tree;
  return tree;
}

/* `‹lookup.customer.email›` */
static kr_status kr_resolve_unknown(kr_vm *vm, uint32_t slot, kr_value *ret_value) {
  kr_vm_build_begin(vm);
  kr_buf *text = &vm->work.buf;
  KR_TRY(kr_program_slot_path(vm->program, slot, text));
  kr_str path = kr_str_skip(kr_buf_str(text), 1);
  void *copy = NULL;
  size_t len = path.len + 6; /* two quotation marks of 3 bytes */
  KR_TRY(kr_vm_alloc(vm, len, &copy));
  uint8_t *out = copy;
  memcpy(out, "\xE2\x80\xB9", 3);
  size_t n = 3;
  for (size_t i = 0; i < path.len; i++)
    if (path.ptr[i] != '?')
      out[n++] = path.ptr[i];
  memcpy(out + n, "\xE2\x80\xBA", 3);
  *ret_value = kr_value_string(kr_str_from(out, n + 3));
  ret_value->type = KR_VALUE_UNKNOWN;
  ret_value->is_unknown = true;
  ret_value->is_untrusted = true;
  return KR_OK;
}

static kr_status kr_resolve_accessor(kr_vm *vm, const kr_step *step, const kr_value *from,
                                     kr_value *ret_value) {
  bool is_known = step->accessor != KR_NO_ACCESSOR;
  if (is_known && (step->accessor == KR_FUNCTION_FIRST || step->accessor == KR_FUNCTION_LAST))
    is_known = kr_value_is_array(from);
  if (!is_known) {
    *ret_value = (kr_value){.type = step->is_optional ? KR_VALUE_NULL : KR_VALUE_MISSING};
    return KR_OK;
  }
  kr_value argument = *from;
  return kr_vm_call(vm, step->accessor, &argument, 1, ret_value);
}

kr_status kr_vm_step(kr_vm *vm, const kr_step *step, const kr_value *from, kr_value *ret_value) {
  KR_TRY(kr_vm_spend(vm, 32));
  if (from->type == KR_VALUE_UNKNOWN || from->type == KR_VALUE_MISSING) {
    *ret_value = *from;
    return KR_OK;
  }
  bool is_found = false;
  if (kr_value_is_object(from)) {
    if (!step->is_index)
      KR_TRY(kr_vm_find(vm, from, step->name, ret_value, &is_found));
  } else if (kr_value_is_array(from) && step->is_index) {
    int64_t index = step->index < 0 ? step->index + (int64_t)from->count : step->index;
    is_found = index >= 0 && index < (int64_t)from->count;
    if (is_found)
      *ret_value = kr_value_item(from, (uint32_t)index);
  } else if (from->type == KR_VALUE_STRING && step->is_index) {
    return kr_vm_fail(vm, KR_INVALID, KR_E_TYPE, "a string has no items; use substring()");
  } else if (from->type != KR_VALUE_NULL && !step->is_index) {
    return kr_resolve_accessor(vm, step, from, ret_value);
  }
  if (!is_found)
    *ret_value = (kr_value){.type = step->is_optional ? KR_VALUE_NULL : KR_VALUE_MISSING};
  return KR_OK;
}

/* Memory for the slots that are no nodes of input data, when the first is met. */
static kr_status kr_resolve_prepare(kr_vm *vm) {
  if (vm->slots != NULL)
    return KR_OK;
  size_t n_slots = vm->program->n_slots;
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, n_slots, &memory));
  vm->slot_states = memory;
  memset(vm->slot_states, KR_SLOT_FRESH, n_slots);
  KR_TRY(kr_vm_alloc(vm, n_slots * sizeof(kr_value), &memory));
  vm->slots = memory;
  return KR_OK;
}

kr_status kr_vm_slot(kr_vm *vm, uint32_t slot, kr_value *ret_value) {
  const kr_slot *row = &vm->program->slots[slot];
  const kr_json *tree = kr_vm_tree(vm, slot);
  vm->is_sensitive |= row->secrets != 0;
  if (tree != NULL) {
    kr_value_set_json(ret_value, tree, row->is_untrusted, row->secrets);
    return KR_OK;
  }
  KR_TRY(kr_resolve_prepare(vm));
  if (vm->slot_states[slot] == KR_SLOT_RESOLVED) {
    *ret_value = vm->slots[slot];
    return KR_OK;
  }
  kr_value value = {0};
  if (row->root == KR_ROOT_LOOKUP && vm->input->is_lookup_unknown && kr_vm_is_preview(vm)) {
    KR_TRY(kr_resolve_unknown(vm, slot, &value));
  } else if (row->parent != KR_NO_SLOT) {
    kr_value parent;
    KR_TRY(kr_vm_slot(vm, row->parent, &parent));
    KR_TRY(kr_vm_step(vm, &vm->program->steps[row->step], &parent, &value));
  }
  vm->slots[slot] = value;
  vm->slot_states[slot] = KR_SLOT_RESOLVED;
  *ret_value = value;
  return KR_OK;
}

static void kr_resolve_hint(kr_vm *vm, const kr_value *object, kr_str name) {
  kr_str nearest = {0};
  size_t best = 3;
  for (uint32_t i = 0; i < object->count && i < 1000; i++) {
    kr_str key = kr_value_member(object, i).key;
    size_t distance = kr_str_distance(key, name, 2);
    if (distance < best) {
      best = distance;
      nearest = key;
    }
  }
  if (nearest.ptr != NULL)
    kr_error_hint(vm->reterr, "did you mean .%.*s? A step with ? may be missing", KR_FMT(nearest));
  else
    kr_error_hint(vm->reterr, "a step with ? may be missing, and default(x, y) replaces it");
}

/* "no value at $payload.a.b: $payload.a is an object without this key" */
static kr_status kr_resolve_missing(kr_vm *vm, uint32_t slot) {
  uint32_t absent = slot;
  uint32_t parent = vm->program->slots[slot].parent;
  kr_value deepest = {0};
  while (parent != KR_NO_SLOT) {
    KR_TRY(kr_vm_slot(vm, parent, &deepest));
    if (deepest.type != KR_VALUE_MISSING)
      break;
    absent = parent;
    parent = vm->program->slots[parent].parent;
  }
  kr_vm_build_begin(vm);
  kr_buf *text = &vm->work.buf;
  KR_TRY(kr_program_slot_path(vm->program, slot, text));
  size_t path_len = text->len;
  if (parent == KR_NO_SLOT)
    return kr_vm_fail(vm, KR_MISSING, KR_E_MISSING, "no value at %.*s: there is no $%s here",
                      (int)path_len, (const char *)text->ptr,
                      kr_root_name(vm->program->slots[slot].root));
  KR_TRY(kr_program_slot_path(vm->program, parent, text));
  const kr_step *step = &vm->program->steps[vm->program->slots[absent].step];
  bool is_key = kr_value_is_object(&deepest) && !step->is_index;
  kr_status status = kr_vm_fail(vm, KR_MISSING, KR_E_MISSING, "no value at %.*s: %.*s is %s %s%s",
                                (int)path_len, (const char *)text->ptr, (int)(text->len - path_len),
                                (const char *)text->ptr + path_len,
                                strchr("ao", kr_value_type_name(&deepest)[0]) != NULL ? "an" : "a",
                                kr_value_type_name(&deepest), is_key ? " without this key" : "");
  if (is_key)
    kr_resolve_hint(vm, &deepest, step->name);
  return status;
}

static kr_status kr_resolve_mode(kr_vm *vm, kr_value *ret_value) {
  *ret_value = (kr_value){.type = KR_VALUE_NULL};
  if (vm->program->missing == KR_MISSING_EMPTY)
    *ret_value = kr_value_string(KR_STR(""));
  return KR_OK;
}

kr_status kr_vm_missing_slot(kr_vm *vm, uint32_t slot, kr_value *ret_value) {
  if (vm->program->missing != KR_MISSING_STRICT)
    return kr_resolve_mode(vm, ret_value);
  return kr_resolve_missing(vm, slot);
}

kr_status kr_vm_missing_result(kr_vm *vm, kr_value *ret_value) {
  if (vm->program->missing != KR_MISSING_STRICT)
    return kr_resolve_mode(vm, ret_value);
  kr_status status =
      kr_vm_fail(vm, KR_MISSING, KR_E_MISSING_RESULT, "this gives no value: nothing was found");
  kr_error_hint(vm->reterr, "default(x, y) replaces what is missing");
  return status;
}
