/* SPDX-License-Identifier: Apache-2.0 */
/* value.c - reading values: one view over trees and over what programs make. */
#include "vm/value.h"

#include "vm/copy.h"

bool kr_value_is_array(const kr_value *value) {
  return value->type == KR_VALUE_ARRAY ||
         (value->type == KR_VALUE_TREE && value->tree->type == KR_JSON_ARRAY);
}

bool kr_value_is_object(const kr_value *value) {
  return value->type == KR_VALUE_OBJECT ||
         (value->type == KR_VALUE_TREE && value->tree->type == KR_JSON_OBJECT);
}

const char *kr_value_type_name(const kr_value *value) {
  static const char *const names[] = {"missing", "null",   "boolean", "boolean", "number", "number",
                                      "string",  "object", "array",   "object",  "unknown"};
  return kr_value_is_array(value) ? "array" : names[value->type];
}

kr_value kr_value_item(const kr_value *array, uint32_t index) {
  if (array->type == KR_VALUE_ARRAY)
    return array->items[index];
  return kr_value_from_json(&array->tree->items[index], array->is_untrusted, array->secrets);
}

kr_pair kr_value_member(const kr_value *object, uint32_t index) {
  if (object->type == KR_VALUE_OBJECT)
    return object->members[index];
  const kr_json_member *member = &object->tree->members[index];
  return (kr_pair){.key = kr_json_text(&member->key),
                   .value =
                       kr_value_from_json(&member->value, object->is_untrusted, object->secrets)};
}

bool kr_value_find(const kr_value *object, kr_str key, kr_value *ret_value) {
  if (object->type == KR_VALUE_TREE) {
    const kr_json *found = kr_json_get(object->tree, key);
    if (found != NULL)
      *ret_value = kr_value_from_json(found, object->is_untrusted, object->secrets);
    return found != NULL;
  }
  for (uint32_t i = 0; i < object->count; i++)
    if (kr_str_equal(object->members[i].key, key)) {
      *ret_value = object->members[i].value;
      return true;
    }
  return false;
}

/* A decimal as sign, digits without outer zeros, and the power of ten after the first digit. */
typedef struct kr_decimal {
  bool is_negative;
  kr_str digits; /* may hold a '.', and zeros inside */
  size_t n_digits;
  int64_t exponent; /* value = 0.d1d2d3... * 10^exponent */
} kr_decimal;

/* Exponents beyond 10^17 are cut to it: no two numbers of such size can be told apart. */
#define KR_EXPONENT_MAX INT64_C(100000000000000000)

static int64_t kr_decimal_exponent(kr_str text, size_t at) {
  bool is_negative = at < text.len && text.ptr[at] == '-';
  int64_t exponent = 0;
  for (; at < text.len; at++)
    if (text.ptr[at] >= '0' && text.ptr[at] <= '9' && exponent < KR_EXPONENT_MAX)
      exponent = exponent * 10 + (text.ptr[at] - '0');
  return is_negative ? -exponent : exponent;
}

static kr_decimal kr_decimal_read(kr_str text) {
  kr_decimal decimal = {0};
  size_t start = 0;
  if (text.len > 0 && text.ptr[0] == '-') {
    decimal.is_negative = true;
    start = 1;
  }
  size_t end = start;
  while (end < text.len && text.ptr[end] != 'e' && text.ptr[end] != 'E')
    end++;
  int64_t written = end < text.len ? kr_decimal_exponent(text, end + 1) : 0;
  size_t point = start;
  while (point < end && text.ptr[point] != '.')
    point++;
  size_t first = start;
  while (first < end && (text.ptr[first] == '0' || text.ptr[first] == '.'))
    first++;
  size_t last = end;
  while (last > first && (text.ptr[last - 1] == '0' || text.ptr[last - 1] == '.') &&
         last > point) /* zeros before the point count through the exponent */
    last--;
  while (last > first && text.ptr[last - 1] == '0')
    last--;
  if (first == end)
    return (kr_decimal){0};
  decimal.digits = kr_str_slice(text, first, last);
  decimal.exponent =
      written + (first < point ? (int64_t)(point - first) : -(int64_t)(first - point - 1));
  for (size_t i = 0; i < decimal.digits.len; i++)
    decimal.n_digits += decimal.digits.ptr[i] != '.';
  return decimal;
}

static int kr_decimal_digits(const kr_decimal *a, const kr_decimal *b) {
  size_t i = 0;
  size_t j = 0;
  for (;;) {
    if (i < a->digits.len && a->digits.ptr[i] == '.')
      i++;
    if (j < b->digits.len && b->digits.ptr[j] == '.')
      j++;
    if (i == a->digits.len || j == b->digits.len)
      return (i < a->digits.len) - (j < b->digits.len);
    if (a->digits.ptr[i] != b->digits.ptr[j])
      return a->digits.ptr[i] < b->digits.ptr[j] ? -1 : 1;
    i++;
    j++;
  }
}

static kr_str kr_value_digits(const kr_value *value, uint8_t scratch[KR_VALUE_INT_BYTES]) {
  if (value->type == KR_VALUE_NUMBER)
    return kr_value_text(value);
  return kr_str_from(scratch, kr_value_format_int(value->integer, scratch));
}

int kr_value_compare_numbers(const kr_value *a, const kr_value *b) {
  uint8_t a_scratch[KR_VALUE_INT_BYTES];
  uint8_t b_scratch[KR_VALUE_INT_BYTES];
  kr_decimal x = kr_decimal_read(kr_value_digits(a, a_scratch));
  kr_decimal y = kr_decimal_read(kr_value_digits(b, b_scratch));
  int x_sign = x.n_digits == 0 ? 0 : x.is_negative ? -1 : 1;
  int y_sign = y.n_digits == 0 ? 0 : y.is_negative ? -1 : 1;
  if (x_sign != y_sign || x_sign == 0)
    return (x_sign > y_sign) - (x_sign < y_sign);
  int order =
      x.exponent != y.exponent ? (x.exponent < y.exponent ? -1 : 1) : kr_decimal_digits(&x, &y);
  return order * x_sign;
}

bool kr_value_truth(const kr_value *value) {
  switch (value->type) {
  case KR_VALUE_MISSING:
  case KR_VALUE_NULL:
  case KR_VALUE_FALSE:
    return false;
  case KR_VALUE_INT:
    return value->integer != 0;
  case KR_VALUE_NUMBER:
    return kr_decimal_read(kr_value_text(value)).n_digits > 0;
  case KR_VALUE_TRUE:
  case KR_VALUE_UNKNOWN:
    return true;
  default:
    return value->count > 0;
  }
}

/* Members mostly stand in the same order: the one beside is tried first, then all are looked
 * through. */
static bool kr_value_equal_objects(const kr_value *a, const kr_value *b, uint32_t *fuel,
                                   bool *ret_is_equal) {
  for (uint32_t i = 0; i < a->count; i++) {
    kr_pair pair = kr_value_member(a, i);
    kr_pair beside = kr_value_member(b, i);
    kr_value other = beside.value;
    if (!kr_value_pay(fuel, 1 + pair.key.len / 32))
      return false;
    bool is_found = kr_str_equal(pair.key, beside.key);
    if (!is_found && !kr_value_pay(fuel, kr_value_find_cost(b)))
      return false;
    *ret_is_equal = is_found || kr_value_find(b, pair.key, &other);
    if (*ret_is_equal && !kr_value_equal(&pair.value, &other, fuel, ret_is_equal))
      return false;
    if (!*ret_is_equal)
      return true;
  }
  return true;
}

static bool kr_value_equal_arrays(const kr_value *a, const kr_value *b, uint32_t *fuel,
                                  bool *ret_is_equal) {
  for (uint32_t i = 0; i < a->count && *ret_is_equal; i++) {
    kr_value x = kr_value_item(a, i);
    kr_value y = kr_value_item(b, i);
    if (!kr_value_equal(&x, &y, fuel, ret_is_equal))
      return false;
  }
  return true;
}

/* Recursion is bounded: data is at most KR_JSON_MAX_DEPTH deep, programs KR_LIMIT_NESTING. */
bool kr_value_equal(const kr_value *a, const kr_value *b, uint32_t *fuel, bool *ret_is_equal) {
  bool are_strings = a->type == KR_VALUE_STRING && b->type == KR_VALUE_STRING;
  bool are_numbers = kr_value_is_number(a) && kr_value_is_number(b);
  size_t n_bytes = are_numbers ? (size_t)a->count + b->count : are_strings ? a->count : 0;
  if (!kr_value_pay(fuel, 1 + n_bytes / 32))
    return false;
  *ret_is_equal = false;
  if (are_strings) {
    *ret_is_equal = a->count == b->count && kr_copy_equal(a->text, b->text, a->count);
    return true;
  }
  if (are_numbers) {
    *ret_is_equal = kr_value_compare_numbers(a, b) == 0;
    return true;
  }
  if (kr_value_is_array(a)) {
    *ret_is_equal = kr_value_is_array(b) && a->count == b->count;
    return !*ret_is_equal || kr_value_equal_arrays(a, b, fuel, ret_is_equal);
  }
  if (kr_value_is_object(a)) {
    *ret_is_equal = kr_value_is_object(b) && a->count == b->count;
    return !*ret_is_equal || kr_value_equal_objects(a, b, fuel, ret_is_equal);
  }
  *ret_is_equal = a->type == b->type;
  return true;
}

/* Up to 18 digits and nothing else: most integers there are. */
static bool kr_value_small_int(kr_str text, int64_t *ret_integer) {
  int64_t integer = 0;
  if (text.len == 0 || text.len > 18)
    return false;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9')
      return false;
    integer = integer * 10 + (text.ptr[i] - '0');
  }
  *ret_integer = integer;
  return true;
}

bool kr_value_to_int(const kr_value *value, int64_t *ret_integer) {
  if (value->type == KR_VALUE_INT) {
    *ret_integer = value->integer;
    return true;
  }
  if (value->type != KR_VALUE_NUMBER)
    return false;
  if (kr_value_small_int(kr_value_text(value), ret_integer))
    return true;
  kr_decimal decimal = kr_decimal_read(kr_value_text(value));
  if (decimal.n_digits == 0) {
    *ret_integer = 0;
    return true;
  }
  if (decimal.exponent < (int64_t)decimal.n_digits || decimal.exponent > 19)
    return false;
  int64_t integer = 0;
  int64_t n_read = 0;
  for (size_t i = 0; n_read < decimal.exponent; i++) {
    int digit = 0;
    if (i < decimal.digits.len && decimal.digits.ptr[i] == '.')
      continue;
    if (i < decimal.digits.len)
      digit = decimal.digits.ptr[i] - '0';
    n_read++;
    if (__builtin_mul_overflow(integer, (int64_t)10, &integer) ||
        __builtin_sub_overflow(integer, (int64_t)digit, &integer))
      return false;
  }
  if (!decimal.is_negative && integer == INT64_MIN)
    return false;
  *ret_integer = decimal.is_negative ? integer : -integer;
  return true;
}

bool kr_value_is_number_text(kr_str text) {
  size_t at = text.len > 0 && text.ptr[0] == '-';
  size_t whole = at;
  while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
    at++;
  if (at == whole || (text.ptr[whole] == '0' && at > whole + 1))
    return false;
  if (at < text.len && text.ptr[at] == '.') {
    size_t fraction = ++at;
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
      at++;
    if (at == fraction)
      return false;
  }
  if (at < text.len && (text.ptr[at] | 0x20) == 'e') {
    at++;
    if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-'))
      at++;
    size_t exponent = at;
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
      at++;
    if (at == exponent)
      return false;
  }
  return at == text.len;
}

size_t kr_value_format_int(int64_t integer, uint8_t out[KR_VALUE_INT_BYTES]) {
  uint8_t digits[KR_VALUE_INT_BYTES];
  uint64_t left = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
  size_t at = sizeof(digits);
  do {
    digits[--at] = (uint8_t)('0' + left % 10);
    left /= 10;
  } while (left > 0);
  if (integer < 0)
    digits[--at] = '-';
  memcpy(out, digits + at, sizeof(digits) - at);
  return sizeof(digits) - at;
}
