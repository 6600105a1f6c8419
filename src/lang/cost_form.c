/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cost_form.c - the arithmetic of bounds, and the sizes of values: of data, of
 * what is written in the template, of what is one or the other (cost.h).
 */
#include "lang/cost.h"

#define KR_COST_HUGE (UINT64_C(1) << 40) /* beyond it a bound says nothing: open */

/* ---- sums ---- */

kr_form kr_form_open(void) { return (kr_form){.is_open = true}; }

kr_form kr_form_of(unsigned variable) {
  kr_form form = {0};
  form.per[variable] = 1;
  return form;
}

bool kr_form_is_fixed(const kr_form *form) {
  for (unsigned i = 0; i < KR_COST_VARIABLES; i++)
    if (form->per[i] != 0)
      return false;
  return !form->is_open;
}

static kr_form kr_form_checked(kr_form form) {
  bool is_huge = form.is_open || form.fixed > KR_COST_HUGE;
  for (unsigned i = 0; i < KR_COST_VARIABLES; i++)
    is_huge |= form.per[i] > KR_COST_HUGE;
  return is_huge ? kr_form_open() : form;
}

kr_form kr_form_add(kr_form a, kr_form b) {
  a.is_open |= b.is_open;
  a.fixed += b.fixed;
  for (unsigned i = 0; i < KR_COST_VARIABLES; i++)
    a.per[i] += b.per[i];
  return kr_form_checked(a);
}

kr_form kr_form_max(kr_form a, kr_form b) {
  a.is_open |= b.is_open;
  a.fixed = b.fixed > a.fixed ? b.fixed : a.fixed;
  for (unsigned i = 0; i < KR_COST_VARIABLES; i++)
    a.per[i] = b.per[i] > a.per[i] ? b.per[i] : a.per[i];
  return kr_form_checked(a);
}

static uint64_t kr_form_multiply(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

kr_form kr_form_scale(kr_form a, uint64_t factor) {
  a.fixed = kr_form_multiply(a.fixed, factor);
  for (unsigned i = 0; i < KR_COST_VARIABLES; i++)
    a.per[i] = kr_form_multiply(a.per[i], factor);
  return kr_form_checked(a);
}

kr_form kr_form_times(kr_form a, kr_form b) {
  if (kr_form_is_fixed(&a))
    return kr_form_scale(b, a.fixed);
  return kr_form_is_fixed(&b) ? kr_form_scale(a, b.fixed) : kr_form_open();
}

/* ---- shapes ---- */

kr_shape kr_shape_string(kr_form text) {
  return (kr_shape){.text = text,
                    .json = kr_form_add(kr_form_scale(text, 6), kr_form_fixed(2)),
                    .is_scalar = true};
}

kr_shape kr_shape_short(uint64_t bytes) { return kr_shape_string(kr_form_fixed(bytes)); }

kr_shape kr_shape_container(kr_form json, kr_form items) {
  return (kr_shape){.text = json, .json = json, .items = items};
}

/* What is missing may become null; an array of n bytes has less than n items. */
kr_shape kr_shape_data(kr_form json) {
  kr_form size = kr_form_add(json, kr_form_fixed(KR_COST_NULL));
  return (kr_shape){.text = size, .json = size, .items = size};
}

/* Bytes of a text inside of JSON, at most. */
static uint64_t kr_shape_escaped(kr_str text) {
  uint64_t n_bytes = text.len;
  for (size_t i = 0; i < text.len; i++)
    if ((uint8_t)text.ptr[i] < 0x20)
      n_bytes += 5;
    else if (text.ptr[i] == '"' || text.ptr[i] == '\\')
      n_bytes += 1;
  return n_bytes;
}

/*
 * Bytes as compact JSON, at most: a number that becomes a text gains quotes.
 * Constants are arrays and objects too, once folded; the recursion is bounded by
 * KR_LIMIT_NESTING literals around a result of KR_JSON_MAX_DEPTH.
 */
static uint64_t kr_shape_json(const kr_json *json) {
  uint64_t n_bytes = 2;
  switch ((kr_json_type)json->type) {
  case KR_JSON_STRING:
    return n_bytes + kr_shape_escaped(kr_json_text(json));
  case KR_JSON_NUMBER:
    return n_bytes + json->count;
  case KR_JSON_ARRAY:
    for (uint32_t i = 0; i < json->count; i++)
      n_bytes += 1 + kr_shape_json(&json->items[i]);
    return n_bytes;
  case KR_JSON_OBJECT:
    for (uint32_t i = 0; i < json->count; i++)
      n_bytes += 2 + kr_shape_json(&json->members[i].key) + kr_shape_json(&json->members[i].value);
    return n_bytes;
  default:
    return n_bytes + 5;
  }
}

kr_shape kr_shape_constant(const kr_json *constant) {
  bool is_text = constant->type == KR_JSON_STRING || constant->type == KR_JSON_NUMBER;
  kr_form json = kr_form_fixed(kr_shape_json(constant));
  kr_shape shape = {.text = kr_form_fixed(is_text ? constant->count : 5),
                    .json = json,
                    .is_scalar = true,
                    .constant = constant};
  if (constant->type == KR_JSON_ARRAY || constant->type == KR_JSON_OBJECT) {
    shape.text = json;
    shape.items = kr_form_fixed(constant->count);
    shape.is_scalar = false;
  }
  return shape;
}

kr_shape kr_shape_max(kr_shape a, kr_shape b) {
  return (kr_shape){.text = kr_form_max(a.text, b.text),
                    .json = kr_form_max(a.json, b.json),
                    .items = kr_form_max(a.items, b.items),
                    .is_scalar = a.is_scalar && b.is_scalar};
}

/* 32 for each item, of which n bytes of JSON hold less than n / 2, and the texts in it. */
kr_form kr_cost_of_json(const kr_shape *shape) {
  return shape->is_scalar ? shape->text : kr_form_scale(kr_form_max(shape->json, shape->text), 17);
}

/* A member has at least 4 bytes, and 8 of them cost 1; 1 for the step and 1 for the search. */
kr_form kr_cost_of_find(kr_form json) { return kr_form_add(json, kr_form_fixed(2 * KR_COST_UNIT)); }

/*
 * A scalar is never compared with more than the head of an array or object. Two
 * objects: a key may be looked for in all of the other, for each key.
 */
kr_form kr_cost_of_equal(const kr_shape *a, const kr_shape *b) {
  if (!a->is_scalar && !b->is_scalar)
    return kr_form_open();
  return kr_form_add(kr_form_add(a->text, b->text), kr_form_fixed(KR_COST_UNIT));
}
