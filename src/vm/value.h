/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value.h - what stands on the VM's stack. Data from outside stays the tree it
 * was parsed to; arrays and objects made by a program hold values, so that
 * each item keeps its own marks.
 *
 * Marks: `secrets` is the union over the whole value, `parts` says which bytes
 * of a string derive from which secrets (kr_span in bytes of the string; its
 * context is KR_PART_PLAIN or KR_PART_OPAQUE, and then the bytes are a text
 * that stands for a value nobody has: emitted without escaping; with no
 * secrets it stands for an unknown $lookup).
 */
#ifndef KR_VM_VALUE_H
#define KR_VM_VALUE_H

#include "lang/program.h"
#include "vm/render.h"

typedef enum kr_value_type {
  KR_VALUE_MISSING,
  KR_VALUE_NULL,
  KR_VALUE_FALSE,
  KR_VALUE_TRUE,
  KR_VALUE_INT,
  KR_VALUE_NUMBER, /* text: JSON digits, as written */
  KR_VALUE_STRING,
  KR_VALUE_TREE, /* array or object of parsed JSON */
  KR_VALUE_ARRAY,
  KR_VALUE_OBJECT,
  KR_VALUE_UNKNOWN /* preview: depends on an unknown $lookup; text is what to show */
} kr_value_type;

#define KR_PART_PLAIN 0u
#define KR_PART_OPAQUE 255u

typedef struct kr_value kr_value;
typedef struct kr_pair kr_pair;

struct kr_value {
  uint8_t type; /* kr_value_type */
  bool is_untrusted;
  bool is_unknown; /* an unknown $lookup took part in it */
  bool is_decided; /* what it is was decided on its secrets: no bytes of theirs, but a fact */
  uint32_t count;  /* bytes of text, items, members */
  uint32_t n_parts;
  kr_secret_set secrets;
  const kr_span *parts;
  union {
    int64_t integer;
    const uint8_t *text;
    const kr_json *tree;
    const kr_value *items;
    const kr_pair *members;
  };
};

struct kr_pair {
  kr_str key;
  kr_value value;
};

static inline kr_str kr_value_text(const kr_value *value) {
  return kr_str_from(value->text, value->count);
}

static inline kr_value kr_value_string(kr_str text) {
  return (kr_value){.type = KR_VALUE_STRING, .count = (uint32_t)text.len, .text = text.ptr};
}

static inline kr_value kr_value_bool(bool truth) {
  return (kr_value){.type = truth ? KR_VALUE_TRUE : KR_VALUE_FALSE};
}

static inline void kr_value_set_bool(kr_value *value, bool truth, bool is_untrusted) {
  value->type = truth ? KR_VALUE_TRUE : KR_VALUE_FALSE;
  value->is_untrusted = is_untrusted;
  value->is_unknown = false;
  value->is_decided = false;
  value->count = 0;
  value->n_parts = 0;
  value->secrets = 0;
  value->parts = NULL;
  value->integer = 0;
}

static inline kr_value kr_value_int(int64_t integer) {
  return (kr_value){.type = KR_VALUE_INT, .integer = integer};
}

bool kr_value_is_array(const kr_value *value);
bool kr_value_is_object(const kr_value *value);
static inline bool kr_value_is_number(const kr_value *value) {
  return value->type == KR_VALUE_INT || value->type == KR_VALUE_NUMBER;
}

/** "null", "boolean", "number", "string", "array", "object", "missing". */
const char *kr_value_type_name(const kr_value *value);

/**
 * A tree node as a value, with the marks given. Fields are stored one by one
 * where the value will be read: a struct made aside and copied as a whole would
 * be loaded in wider pieces than it was just stored in, and wait for that.
 */
static inline void kr_value_set_json(kr_value *value, const kr_json *json, bool is_untrusted,
                                     kr_secret_set secrets) {
  static const uint8_t types[] = {
      [KR_JSON_NULL] = KR_VALUE_NULL,     [KR_JSON_FALSE] = KR_VALUE_FALSE,
      [KR_JSON_TRUE] = KR_VALUE_TRUE,     [KR_JSON_NUMBER] = KR_VALUE_NUMBER,
      [KR_JSON_STRING] = KR_VALUE_STRING, [KR_JSON_ARRAY] = KR_VALUE_TREE,
      [KR_JSON_OBJECT] = KR_VALUE_TREE};
  value->type = types[json->type];
  value->is_untrusted = is_untrusted;
  value->is_unknown = false;
  value->is_decided = false;
  value->count = json->count;
  value->n_parts = 0;
  value->secrets = secrets;
  value->parts = NULL;
  if (value->type == KR_VALUE_TREE)
    value->tree = json;
  else
    value->text = json->text;
}

static inline kr_value kr_value_from_json(const kr_json *json, bool is_untrusted,
                                          kr_secret_set secrets) {
  kr_value value;
  kr_value_set_json(&value, json, is_untrusted, secrets);
  return value;
}

/** Items of an array, members of an object; index below count. */
kr_value kr_value_item(const kr_value *array, uint32_t index);
kr_pair kr_value_member(const kr_value *object, uint32_t index);
bool kr_value_find(const kr_value *object, kr_str key, kr_value *ret_value);

/** false, null, missing, 0, "", [] and {} are false; everything else is true. */
bool kr_value_truth(const kr_value *value);

/** Exact order of two numbers by their digits: negative, zero, positive. */
int kr_value_compare_numbers(const kr_value *a, const kr_value *b);

/** Take cost from *fuel; false, and nothing taken, when that much is not left. */
KR_MUST_USE static inline bool kr_value_pay(uint32_t *fuel, size_t cost) {
  if (__builtin_expect(cost > *fuel, 0))
    return false;
  *fuel -= (uint32_t)cost;
  return true;
}

#define KR_FIND_MEMBERS 8u /* passed for one unit of fuel while a key is looked for */

/** Fuel of looking for a key in an object of so many members. */
static inline size_t kr_value_find_cost(const kr_value *object) {
  return 1 + object->count / KR_FIND_MEMBERS;
}

/**
 * Deep equality by type; numbers by their digits. Each pair of values pays
 * before it is looked at: false when *fuel did not suffice.
 */
bool kr_value_equal(const kr_value *a, const kr_value *b, uint32_t *fuel,
                    bool *ret_is_equal) KR_MUST_USE;

/** The integer a number stands for (also 3.0 and 1e2); false otherwise. */
bool kr_value_to_int(const kr_value *value, int64_t *ret_integer);

/** Does the text match JSON's grammar of numbers? */
bool kr_value_is_number_text(kr_str text);

#define KR_VALUE_INT_BYTES 24
/** Decimal digits of an integer; returns their count. */
size_t kr_value_format_int(int64_t integer, uint8_t out[KR_VALUE_INT_BYTES]);

#endif
