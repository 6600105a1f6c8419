/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.c - looking into a tree: members, items, and numbers as C types.
 *
 * The text of a number goes to strtod() without its decimal point, as digits
 * and an exponent ("1.25e3" as "125e1"), because the point strtod() reads is
 * the locale's, and the locale belongs to the program around this library.
 */
#include "json/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const kr_json *kr_json_get(const kr_json *json, kr_str key) {
  if (json == NULL || json->type != KR_JSON_OBJECT)
    return NULL;
  for (uint32_t i = 0; i < json->count; i++)
    if (kr_str_equal(kr_json_text(&json->members[i].key), key))
      return &json->members[i].value;
  return NULL;
}

const kr_json *kr_json_at(const kr_json *json, int64_t index) {
  if (json == NULL || json->type != KR_JSON_ARRAY)
    return NULL;
  int64_t count = json->count;
  if (index < 0)
    index = index < -count ? -1 : index + count;
  return index >= 0 && index < count ? &json->items[index] : NULL;
}

bool kr_json_to_int(const kr_json *json, int64_t *ret_value) {
  if (json->type != KR_JSON_NUMBER)
    return false;
  kr_str text = kr_json_text(json);
  bool is_negative = kr_str_starts(text, KR_STR("-"));
  /* Counted downwards, because INT64_MIN has no positive counterpart. */
  int64_t value = 0;
  for (size_t i = is_negative ? 1 : 0; i < text.len; i++) {
    int digit = text.ptr[i] - '0';
    if (digit < 0 || digit > 9)
      return false;
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, digit, &value))
      return false;
  }
  if (!is_negative && value == INT64_MIN)
    return false;
  *ret_value = is_negative ? value : -value;
  return true;
}

/*
 * Digits that can decide the nearest double: 767 are enough (the longest
 * midpoint between two doubles); of those beyond it only matters whether any
 * is not zero, for which one more digit stands.
 */
#define KR_JSON_DOUBLE_DIGITS 768u
#define KR_JSON_DOUBLE_BYTES (KR_JSON_DOUBLE_DIGITS + 32u)
#define KR_JSON_EXPONENT_MAX INT64_C(1000000000000)

typedef struct kr_json_decimal {
  char digits[KR_JSON_DOUBLE_BYTES]; /* sign, significant digits, exponent, NUL */
  size_t len;
  size_t n_digits;
  int64_t exponent; /* of the last digit kept */
  bool is_inexact;  /* a digit other than 0 was left out */
} kr_json_decimal;

static void kr_json_decimal_digit(kr_json_decimal *decimal, uint8_t digit, bool is_fraction) {
  bool is_leading_zero = decimal->n_digits == 0 && digit == '0';
  bool is_kept = !is_leading_zero && decimal->n_digits < KR_JSON_DOUBLE_DIGITS;
  if (is_kept) {
    decimal->digits[decimal->len++] = (char)digit;
    decimal->n_digits++;
  } else if (!is_leading_zero) {
    decimal->is_inexact |= digit != '0';
    decimal->exponent++;
  }
  if (is_fraction)
    decimal->exponent--;
}

static int64_t kr_json_exponent(kr_str text) {
  bool is_negative = text.len > 0 && text.ptr[0] == '-';
  int64_t value = 0;
  for (size_t i = 0; i < text.len; i++)
    if (text.ptr[i] >= '0' && text.ptr[i] <= '9' && value < KR_JSON_EXPONENT_MAX)
      value = value * 10 + (text.ptr[i] - '0');
  return is_negative ? -value : value;
}

bool kr_json_to_double(const kr_json *json, double *ret_value) {
  if (json->type != KR_JSON_NUMBER)
    return false;
  kr_str text = kr_json_text(json);
  kr_json_decimal decimal = {0};
  bool is_fraction = false;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t byte = text.ptr[i];
    if (byte == 'e' || byte == 'E') {
      decimal.exponent += kr_json_exponent(kr_str_skip(text, i + 1));
      break;
    }
    if (byte == '-')
      decimal.digits[decimal.len++] = '-';
    else if (byte == '.')
      is_fraction = true;
    else
      kr_json_decimal_digit(&decimal, byte, is_fraction);
  }
  if (decimal.is_inexact) {
    decimal.digits[decimal.len++] = '1';
    decimal.exponent--;
  }
  if (decimal.n_digits == 0) {
    decimal.digits[decimal.len++] = '0';
    decimal.exponent = 0;
  }
  (void)snprintf(decimal.digits + decimal.len, sizeof decimal.digits - decimal.len, "e%lld",
                 (long long)decimal.exponent);
  double value = strtod(decimal.digits, NULL);
  kr_wipe(&decimal, sizeof decimal);
  if (!isfinite(value))
    return false;
  *ret_value = value;
  return true;
}

const char *kr_json_type_name(const kr_json *json) {
  static const char *const names[] = {"null",   "boolean", "boolean", "number",
                                      "string", "array",   "object"};
  return names[json->type];
}
