/* SPDX-License-Identifier: Apache-2.0 */
/* functions_array.c - arrays and objects; results hold values, never copies of text. */
#include "vm/functions.h"

static kr_status kr_array_new(kr_vm *vm, size_t count, kr_value **ret_items) {
  void *memory = NULL;
  KR_TRY(kr_vm_spend(vm, count * 32));
  KR_TRY(kr_vm_alloc(vm, count * sizeof(kr_value), &memory));
  *ret_items = memory;
  return KR_OK;
}

static kr_value kr_array_value(const kr_value *items, size_t count) {
  return (kr_value){.type = KR_VALUE_ARRAY, .count = (uint32_t)count, .items = items};
}

static kr_value kr_array_at(const kr_value *array, int64_t index) {
  if (index < 0)
    index += array->count;
  if (index < 0 || index >= (int64_t)array->count)
    return (kr_value){.type = KR_VALUE_MISSING};
  return kr_value_item(array, (uint32_t)index);
}

kr_status kr_body_FIRST(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_array_at(&args[0], 0);
  return KR_OK;
}

kr_status kr_body_LAST(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_array_at(&args[0], -1);
  return KR_OK;
}

kr_status kr_body_AT(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_array_at(&args[0], args[1].integer);
  return KR_OK;
}

static int64_t kr_array_clamp(int64_t index, int64_t count) {
  if (index < 0)
    index = index < -count ? 0 : index + count;
  return index > count ? count : index;
}

kr_status kr_body_SLICE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  int64_t count = args[0].count;
  int64_t start = kr_array_clamp(args[1].integer, count);
  int64_t end = n_args == 3 ? kr_array_clamp(args[2].integer, count) : count;
  size_t n_items = end > start ? (size_t)(end - start) : 0;
  kr_value *items = NULL;
  KR_TRY(kr_array_new(vm, n_items, &items));
  for (size_t i = 0; i < n_items; i++)
    items[i] = kr_value_item(&args[0], (uint32_t)((size_t)start + i));
  *result = kr_array_value(items, n_items);
  return KR_OK;
}

kr_status kr_body_COUNT_ITEMS(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_value_int(args[0].count);
  return KR_OK;
}

kr_status kr_body_REVERSE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_value *items = NULL;
  KR_TRY(kr_array_new(vm, args[0].count, &items));
  for (uint32_t i = 0; i < args[0].count; i++)
    items[i] = kr_value_item(&args[0], args[0].count - 1 - i);
  *result = kr_array_value(items, args[0].count);
  return KR_OK;
}

kr_status kr_body_FLATTEN(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  size_t n_items = 0;
  KR_TRY(kr_vm_spend(vm, (size_t)args[0].count * 32));
  for (uint32_t i = 0; i < args[0].count; i++) {
    kr_value item = kr_value_item(&args[0], i);
    n_items += kr_value_is_array(&item) ? item.count : 1;
  }
  kr_value *items = NULL;
  KR_TRY(kr_array_new(vm, n_items, &items));
  size_t n = 0;
  for (uint32_t i = 0; i < args[0].count; i++) {
    kr_value item = kr_value_item(&args[0], i);
    if (!kr_value_is_array(&item)) {
      items[n++] = item;
      continue;
    }
    for (uint32_t j = 0; j < item.count; j++)
      items[n++] = kr_value_item(&item, j);
  }
  *result = kr_array_value(items, n_items);
  return KR_OK;
}

/* Compared pair by pair: the fuel of the comparisons bounds it. */
kr_status kr_body_UNIQUE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_value *items = NULL;
  size_t n_items = 0;
  KR_TRY(kr_array_new(vm, args[0].count, &items));
  for (uint32_t i = 0; i < args[0].count; i++) {
    kr_value item = kr_value_item(&args[0], i);
    bool is_known = false;
    for (size_t j = 0; j < n_items && !is_known; j++)
      KR_TRY(kr_vm_equal(vm, &items[j], &item, &is_known));
    if (!is_known)
      items[n_items++] = item;
  }
  *result = kr_array_value(items, n_items);
  return KR_OK;
}

static int kr_array_order(const kr_value *a, const kr_value *b) {
  if (a->type == KR_VALUE_STRING)
    return kr_str_compare(kr_value_text(a), kr_value_text(b));
  return kr_value_compare_numbers(a, b);
}

/* What an order looks at: texts as far as the shorter goes, numbers to their ends. */
static size_t kr_array_order_bytes(const kr_value *a, const kr_value *b) {
  if (a->type == KR_VALUE_STRING)
    return a->count < b->count ? a->count : b->count;
  return (size_t)a->count + b->count;
}

/* Merge the sorted runs [from, middle) and [middle, to) through `spare`; stable. */
static kr_status kr_array_merge(kr_vm *vm, kr_value *items, kr_value *spare, size_t from,
                                size_t middle, size_t to) {
  size_t left = from;
  size_t right = middle;
  for (size_t i = from; i < to; i++) {
    bool is_choice = left < middle && right < to;
    KR_TRY(
        kr_vm_spend(vm, 32 + (is_choice ? kr_array_order_bytes(&items[left], &items[right]) : 0)));
    bool is_left = right == to || (is_choice && kr_array_order(&items[left], &items[right]) <= 0);
    spare[i] = is_left ? items[left++] : items[right++];
  }
  memcpy(items + from, spare + from, (to - from) * sizeof(kr_value));
  return KR_OK;
}

kr_status kr_body_SORT(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  size_t count = args[0].count;
  kr_value *items = NULL;
  kr_value *spare = NULL;
  KR_TRY(kr_array_new(vm, count, &items));
  KR_TRY(kr_array_new(vm, count, &spare));
  for (size_t i = 0; i < count; i++) {
    items[i] = kr_value_item(&args[0], (uint32_t)i);
    bool is_string = items[i].type == KR_VALUE_STRING;
    if ((!is_string && !kr_value_is_number(&items[i])) ||
        is_string != (items[0].type == KR_VALUE_STRING))
      return kr_vm_fail(vm, KR_INVALID, KR_E_TYPE, "sort takes only numbers, or only strings");
  }
  for (size_t width = 1; width < count; width *= 2)
    for (size_t from = 0; from + width < count; from += width * 2) {
      size_t to = from + width * 2 < count ? from + width * 2 : count;
      KR_TRY(kr_array_merge(vm, items, spare, from, from + width, to));
    }
  *result = kr_array_value(items, count);
  return KR_OK;
}

kr_status kr_body_PLUCK(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_value *items = NULL;
  size_t n_items = 0;
  KR_TRY(kr_array_new(vm, args[0].count, &items));
  for (uint32_t i = 0; i < args[0].count; i++) {
    kr_value item = kr_value_item(&args[0], i);
    bool is_found = false;
    if (kr_value_is_object(&item))
      KR_TRY(kr_vm_find(vm, &item, kr_value_text(&args[1]), &items[n_items], &is_found));
    n_items += is_found;
  }
  *result = kr_array_value(items, n_items);
  return KR_OK;
}

kr_status kr_body_KEYS(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_value *items = NULL;
  KR_TRY(kr_array_new(vm, args[0].count, &items));
  for (uint32_t i = 0; i < args[0].count; i++) {
    items[i] = kr_value_string(kr_value_member(&args[0], i).key);
    items[i].is_untrusted = args[0].is_untrusted;
  }
  *result = kr_array_value(items, args[0].count);
  return KR_OK;
}

kr_status kr_body_VALUES(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_value *items = NULL;
  KR_TRY(kr_array_new(vm, args[0].count, &items));
  for (uint32_t i = 0; i < args[0].count; i++)
    items[i] = kr_value_member(&args[0], i).value;
  *result = kr_array_value(items, args[0].count);
  return KR_OK;
}

/* One step of get's path at *at; false when the path is malformed. */
static bool kr_array_path_step(kr_str path, size_t *at, kr_step *ret_step) {
  *ret_step = (kr_step){.accessor = KR_NO_ACCESSOR};
  if (path.ptr[*at] == '[') {
    size_t end = kr_str_find(path, KR_STR("]"), *at);
    kr_value number = kr_value_string(kr_str_slice(path, *at + 1, end));
    number.type = KR_VALUE_NUMBER;
    ret_step->is_index = true;
    bool is_good = end != SIZE_MAX && kr_value_is_number_text(kr_value_text(&number)) &&
                   kr_value_to_int(&number, &ret_step->index);
    *at = is_good ? end + 1 : *at;
    return is_good;
  }
  size_t start = *at + (path.ptr[*at] == '.');
  size_t end = start;
  while (end < path.len && path.ptr[end] != '.' && path.ptr[end] != '[')
    end++;
  ret_step->name = kr_str_slice(path, start, end);
  *at = end;
  return end > start;
}

kr_status kr_body_GET(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  kr_str path = kr_value_text(&args[1]);
  kr_value value = args[0];
  unsigned n_steps = 0;
  for (size_t at = 0; at < path.len && value.type != KR_VALUE_MISSING;) {
    kr_step step;
    if (!kr_array_path_step(path, &at, &step) || n_steps++ == KR_LIMIT_PATH_STEPS)
      return kr_vm_fail(vm, KR_INVALID, KR_E_ARGUMENT,
                        "the path of get must look like \"a.b[0]\", with at most %u steps",
                        KR_LIMIT_PATH_STEPS);
    kr_value next = {0};
    if (kr_value_is_object(&value) || kr_value_is_array(&value))
      KR_TRY(kr_vm_step(vm, &step, &value, &next));
    value = next;
  }
  if (n_args == 3 && (value.type == KR_VALUE_MISSING || value.type == KR_VALUE_NULL))
    value = args[2];
  *result = value;
  return KR_OK;
}

/* Members in order; a later one of the same key replaces the earlier in its place. */
static kr_status kr_array_put(kr_vm *vm, kr_pair *members, size_t *n_members, kr_pair pair) {
  KR_TRY(kr_vm_spend(vm, 32 + *n_members * (8 + pair.key.len))); /* each key is compared */
  for (size_t i = 0; i < *n_members; i++)
    if (kr_str_equal(members[i].key, pair.key)) {
      members[i] = pair;
      return KR_OK;
    }
  members[(*n_members)++] = pair;
  return KR_OK;
}

kr_status kr_body_MERGE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  size_t count = 0;
  for (unsigned i = 0; i < n_args; i++)
    count += args[i].count;
  void *memory = NULL;
  KR_TRY(kr_vm_spend(vm, count * 32));
  KR_TRY(kr_vm_alloc(vm, count * sizeof(kr_pair), &memory));
  size_t n_members = 0;
  for (unsigned i = 0; i < n_args; i++)
    for (uint32_t j = 0; j < args[i].count; j++)
      KR_TRY(kr_array_put(vm, memory, &n_members, kr_value_member(&args[i], j)));
  *result = (kr_value){.type = KR_VALUE_OBJECT, .count = (uint32_t)n_members, .members = memory};
  return KR_OK;
}

kr_status kr_body_OBJECT(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, (size_t)n_args / 2 * sizeof(kr_pair), &memory));
  size_t n_members = 0;
  for (unsigned i = 0; i + 1 < n_args; i += 2)
    KR_TRY(kr_array_put(vm, memory, &n_members,
                        (kr_pair){.key = kr_value_text(&args[i]), .value = args[i + 1]}));
  *result = (kr_value){.type = KR_VALUE_OBJECT, .count = (uint32_t)n_members, .members = memory};
  return KR_OK;
}
