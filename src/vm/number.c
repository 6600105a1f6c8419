/* SPDX-License-Identifier: Apache-2.0 */
/*
 * number.c - decimal digits: reading, rounding, printing; and doubles to and
 * from digits. strtod and snprintf round correctly, but write the locale's
 * decimal point: here they see digits and an exponent only, no point.
 */
#include "vm/number.h"

#include "json/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Exponents beyond 10^17 are cut to it: no two numbers of such size can be told apart. */
#define KR_DIGITS_EXPONENT_MAX INT64_C(100000000000000000)

static int64_t kr_digits_exponent(kr_str text) {
  bool is_negative = text.len > 0 && text.ptr[0] == '-';
  int64_t exponent = 0;
  for (size_t i = 0; i < text.len; i++)
    if (text.ptr[i] >= '0' && text.ptr[i] <= '9' && exponent < KR_DIGITS_EXPONENT_MAX)
      exponent = exponent * 10 + (text.ptr[i] - '0');
  return is_negative ? -exponent : exponent;
}

static void kr_digits_strip(kr_digits *digits) {
  while (digits->len > 0 && digits->ptr[digits->len - 1] == '0')
    digits->len--;
  while (digits->len > 0 && digits->ptr[0] == '0') {
    digits->ptr++;
    digits->len--;
    digits->exponent--;
  }
  if (digits->len == 0) {
    digits->exponent = 0;
    digits->is_negative = false;
  }
}

kr_status kr_digits_read(kr_vm *vm, const kr_value *number, kr_digits *ret_digits) {
  uint8_t scratch[KR_VALUE_INT_BYTES];
  kr_str text = number->type == KR_VALUE_INT
                    ? kr_str_from(scratch, kr_value_format_int(number->integer, scratch))
                    : kr_value_text(number);
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, text.len + 1, &memory));
  kr_digits digits = {.is_negative = text.len > 0 && text.ptr[0] == '-',
                      .ptr = (uint8_t *)memory + 1};
  bool is_fraction = false;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t byte = text.ptr[i];
    if (byte == 'e' || byte == 'E') {
      digits.exponent += kr_digits_exponent(kr_str_skip(text, i + 1));
      break;
    }
    if (byte == '.')
      is_fraction = true;
    if (byte < '0' || byte > '9')
      continue;
    digits.ptr[digits.len++] = byte;
    digits.exponent += !is_fraction;
  }
  kr_digits_strip(&digits);
  *ret_digits = digits;
  return KR_OK;
}

/* Does cutting after `kept` digits (at least one falls away) need one more in the last place? */
static bool kr_digits_rounds_up(const kr_digits *digits, int64_t kept, kr_rounding rounding) {
  if (rounding == KR_ROUND_ZERO)
    return false;
  if (rounding == KR_ROUND_DOWN)
    return digits->is_negative;
  if (rounding == KR_ROUND_UP)
    return !digits->is_negative;
  return kept >= 0 && digits->ptr[kept] >= '5';
}

void kr_digits_round(kr_digits *digits, int64_t places, kr_rounding rounding) {
  int64_t kept = digits->exponent + places;
  if (digits->len == 0 || kept >= (int64_t)digits->len)
    return;
  bool is_up = kr_digits_rounds_up(digits, kept, rounding);
  digits->len = kept > 0 ? (size_t)kept : 0;
  if (is_up) {
    size_t i = digits->len;
    while (i > 0 && digits->ptr[i - 1] == '9')
      i--;
    digits->len = i;
    if (i > 0) {
      digits->ptr[i - 1]++;
    } else { /* a carry out of the first digit, or all digits fell away */
      digits->exponent = kept > 0 ? digits->exponent + 1 : 1 - places;
      digits->ptr[0] = '1';
      digits->len = 1;
    }
  }
  kr_digits_strip(digits);
}

int kr_digits_at(const kr_digits *digits, int64_t position) {
  int64_t index = digits->exponent - 1 - position;
  return index >= 0 && index < (int64_t)digits->len ? digits->ptr[index] - '0' : 0;
}

bool kr_digits_is_whole(const kr_digits *digits) {
  return digits->exponent >= (int64_t)digits->len;
}

#define KR_PLAIN_EXPONENT_MIN (-5) /* 0.000001 */
#define KR_PLAIN_EXPONENT_MAX 18   /* below 1e18 */

static size_t kr_digits_plain(const kr_digits *digits, uint8_t *out) {
  size_t len = 0;
  if (digits->exponent <= 0) {
    out[len++] = '0';
    out[len++] = '.';
    for (int64_t i = digits->exponent; i < 0; i++)
      out[len++] = '0';
  }
  for (size_t i = 0; i < digits->len; i++) {
    if (i > 0 && (int64_t)i == digits->exponent)
      out[len++] = '.';
    out[len++] = digits->ptr[i];
  }
  for (int64_t i = (int64_t)digits->len; i < digits->exponent; i++)
    out[len++] = '0';
  return len;
}

static size_t kr_digits_scientific(const kr_digits *digits, uint8_t *out) {
  size_t len = 0;
  out[len++] = digits->ptr[0];
  if (digits->len > 1) {
    out[len++] = '.';
    memcpy(out + len, digits->ptr + 1, digits->len - 1);
    len += digits->len - 1;
  }
  return len + (size_t)snprintf((char *)out + len, 24, "e%+lld", (long long)digits->exponent - 1);
}

kr_status kr_digits_value(kr_vm *vm, const kr_digits *digits, kr_value *ret_number) {
  if (digits->len == 0) {
    *ret_number = kr_value_int(0);
    return KR_OK;
  }
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, digits->len + 32, &memory));
  uint8_t *out = memory;
  size_t len = digits->is_negative;
  out[0] = '-';
  bool is_plain =
      digits->exponent >= KR_PLAIN_EXPONENT_MIN && digits->exponent <= KR_PLAIN_EXPONENT_MAX;
  len += is_plain ? kr_digits_plain(digits, out + len) : kr_digits_scientific(digits, out + len);
  kr_value number = kr_value_string(kr_str_from(out, len));
  number.type = KR_VALUE_NUMBER;
  int64_t integer = 0;
  *ret_number = kr_value_to_int(&number, &integer) ? kr_value_int(integer) : number;
  return KR_OK;
}

bool kr_number_to_double(const kr_value *number, double *ret_real) {
  if (number->type == KR_VALUE_INT) {
    *ret_real = (double)number->integer;
    return true;
  }
  kr_json json = {.type = KR_JSON_NUMBER, .count = number->count, .text = number->text};
  return kr_json_to_double(&json, ret_real);
}

#define KR_DOUBLE_COST 512u /* bytes: the shortest digits are found by trying */

/* "%.*e" at a number of digits, without the point; and the exponent behind them. */
static int kr_shortest_print(double real, int n_digits, char digits[KR_DOUBLE_DIGITS + 1]) {
  char text[48];
  (void)snprintf(text, sizeof(text), "%.*e", n_digits - 1, real);
  int len = 0;
  const char *at = text;
  for (; *at != 'e'; at++)
    if (*at >= '0' && *at <= '9' && len < KR_DOUBLE_DIGITS)
      digits[len++] = *at;
  digits[len] = '\0';
  return (int)strtol(at + 1, NULL, 10);
}

static bool kr_shortest_is(double real, const char *digits, size_t n_digits, int exponent) {
  char text[48];
  memcpy(text, digits, n_digits);
  (void)snprintf(text + n_digits, sizeof(text) - n_digits, "e%d", exponent - (int)n_digits + 1);
  return strtod(text, NULL) == real;
}

/* The next larger decimal of the same length; false for 99...9. */
static bool kr_shortest_next(char *digits, size_t n_digits) {
  size_t i = n_digits;
  while (i > 0 && digits[i - 1] == '9')
    digits[--i] = '0';
  if (i > 0)
    digits[i - 1]++;
  return i > 0;
}

/*
 * The first length whose nearest decimal reads back. At a power of two the gap
 * below is half the gap above, and the nearest decimal may be just outside
 * below while the next one above is inside: so that one is tried too.
 */
size_t kr_number_shortest(double real, char digits[KR_DOUBLE_DIGITS + 1], int64_t *ret_exponent) {
  /* Decimals of 15 digits survive a double, but for the subnormal ones. */
  size_t n_digits = real >= 0x1p-1022 ? 15 : 1;
  for (;; n_digits++) {
    int exponent = kr_shortest_print(real, (int)n_digits, digits);
    *ret_exponent = exponent + 1;
    if (n_digits == KR_DOUBLE_DIGITS || kr_shortest_is(real, digits, n_digits, exponent))
      return n_digits;
    if (kr_shortest_next(digits, n_digits) && kr_shortest_is(real, digits, n_digits, exponent))
      return n_digits;
  }
}

kr_status kr_number_from_double(kr_vm *vm, double real, kr_value *ret_number) {
  char text[KR_DOUBLE_DIGITS + 1] = {0};
  KR_TRY(kr_vm_spend(vm, KR_DOUBLE_COST));
  kr_digits digits = {.is_negative = real < 0, .ptr = (uint8_t *)text};
  if (real != 0)
    digits.len = kr_number_shortest(fabs(real), text, &digits.exponent);
  kr_digits_strip(&digits);
  return kr_digits_value(vm, &digits, ret_number);
}
