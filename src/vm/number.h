/* SPDX-License-Identifier: Apache-2.0 */
/*
 * number.h - numbers as decimal digits, and as doubles. A number in a template
 * or in data keeps its digits as written; rounding and printing work on these
 * digits, so that round(2.675, 2) is 2.68 as everyone reads it, although the
 * nearest double is below. Doubles serve only for arithmetic with fractions.
 *
 *   value = (-1)^is_negative * 0.d1 d2 d3 ... * 10^exponent
 *
 * Invariant: d1 and the last digit are not 0; zero has no digits and is not negative.
 */
#ifndef KR_VM_NUMBER_H
#define KR_VM_NUMBER_H

#include "vm/vm.h"

#define KR_LIMIT_ROUND_DIGITS 1000 /* decimal places of round and formatNumber, either way */

typedef struct kr_digits {
  bool is_negative;
  uint8_t *ptr; /* '0' to '9'; one byte before ptr[0] is free, for a carry */
  size_t len;
  int64_t exponent;
} kr_digits;

typedef enum kr_rounding {
  KR_ROUND_HALF_AWAY, /* halves away from zero */
  KR_ROUND_DOWN,      /* to minus infinity */
  KR_ROUND_UP,        /* to plus infinity */
  KR_ROUND_ZERO       /* towards zero */
} kr_rounding;

/** The digits of a number value. KR_NOMEM, KR_LIMIT (scratch). */
kr_status kr_digits_read(kr_vm *vm, const kr_value *number, kr_digits *ret_digits) KR_MUST_USE;

/** Keep `places` digits after the decimal point (negative: zeros before it). |places| is bounded
 *  by KR_LIMIT_ROUND_DIGITS. */
void kr_digits_round(kr_digits *digits, int64_t places, kr_rounding rounding);

/** The digit that counts 10^position, 0 to 9. */
int kr_digits_at(const kr_digits *digits, int64_t position);

/** Does it have no digits after the decimal point? */
bool kr_digits_is_whole(const kr_digits *digits);

/**
 * The number value of digits: an integer if it is one of 64 bits, else text: plain between 1e-6
 * and 1e18 ("0.00025"), outside with an exponent ("2.5e-7", "1e+20").
 */
kr_status kr_digits_value(kr_vm *vm, const kr_digits *digits, kr_value *ret_number) KR_MUST_USE;

/** The nearest double; false when it is beyond the largest. */
bool kr_number_to_double(const kr_value *number, double *ret_real);

/** The shortest digits that read back as this finite double. */
kr_status kr_number_from_double(kr_vm *vm, double real, kr_value *ret_number) KR_MUST_USE;

#define KR_DOUBLE_DIGITS 17 /* enough for any double */

/** Shortest decimal digits of a finite, positive double; returns their count, sets the exponent. */
size_t kr_number_shortest(double real, char digits[KR_DOUBLE_DIGITS + 1], int64_t *ret_exponent);

#endif
