/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functions_number.c - arithmetic. Whole numbers of 64 bits are added,
 * subtracted, multiplied and divided exactly, however they are written (1, 1.0,
 * 1e2); what leaves 64 bits is an error if both were written as integers, else
 * it goes on as a double, as every fraction does. No result is ever NaN,
 * infinite or -0: what would be is an error.
 */
#include "vm/functions.h"
#include "vm/number.h"

#include <math.h>

typedef struct kr_operand {
  bool is_whole;   /* integer holds it */
  bool is_written; /* as an integer: digits only */
  int64_t integer;
  double real;
} kr_operand;

static kr_status kr_number_overflow(kr_vm *vm, const char *function) {
  return kr_vm_fail(vm, KR_INVALID, KR_E_OVERFLOW, "the result of %s is out of range", function);
}

static bool kr_number_is_written_whole(const kr_value *number) {
  if (number->type == KR_VALUE_INT)
    return true;
  for (uint32_t i = 0; i < number->count; i++)
    if (number->text[i] == '.' || (number->text[i] | 0x20) == 'e')
      return false;
  return true;
}

#define KR_READING_COST 128u /* bytes: a fraction becomes a double */

static kr_status kr_number_operand(kr_vm *vm, const kr_value *number, const char *function,
                                   kr_operand *ret_operand) {
  kr_operand operand = {.is_written = kr_number_is_written_whole(number)};
  operand.is_whole = kr_value_to_int(number, &operand.integer);
  bool is_good = true;
  operand.real = (double)operand.integer;
  if (!operand.is_whole) {
    KR_TRY(kr_vm_spend(vm, KR_READING_COST + (size_t)number->count));
    is_good = kr_number_to_double(number, &operand.real);
  }
  if (!is_good || (operand.is_written && !operand.is_whole)) {
    kr_status status =
        kr_vm_fail(vm, KR_INVALID, KR_E_OVERFLOW, "a number given to %s is out of range", function);
    kr_error_hint(vm->reterr, "integers have 64 bits; keep longer identifiers as strings");
    return status;
  }
  *ret_operand = operand;
  return KR_OK;
}

static kr_status kr_number_result(kr_vm *vm, double real, const char *function, kr_value *result) {
  if (!isfinite(real))
    return kr_number_overflow(vm, function);
  return kr_number_from_double(vm, real, result);
}

typedef struct kr_operation {
  const char *name;
  bool (*exact)(int64_t a, int64_t b, int64_t *ret); /* false: not an integer of 64 bits */
  double (*real)(double a, double b);
  bool is_division;
} kr_operation;

static bool kr_exact_add(int64_t a, int64_t b, int64_t *ret) {
  return !__builtin_add_overflow(a, b, ret);
}
static bool kr_exact_subtract(int64_t a, int64_t b, int64_t *ret) {
  return !__builtin_sub_overflow(a, b, ret);
}
static bool kr_exact_multiply(int64_t a, int64_t b, int64_t *ret) {
  return !__builtin_mul_overflow(a, b, ret);
}
static bool kr_exact_divide(int64_t a, int64_t b, int64_t *ret) {
  if ((a == INT64_MIN && b == -1) || a % b != 0)
    return false;
  *ret = a / b;
  return true;
}
static bool kr_exact_modulo(int64_t a, int64_t b, int64_t *ret) {
  *ret = b == -1 ? 0 : a % b;
  return true;
}
static double kr_real_add(double a, double b) { return a + b; }
static double kr_real_subtract(double a, double b) { return a - b; }
static double kr_real_multiply(double a, double b) { return a * b; }
static double kr_real_divide(double a, double b) { return a / b; }

static const kr_operation kr_operation_add = {"add", kr_exact_add, kr_real_add, false};
static const kr_operation kr_operation_sum = {"sum", kr_exact_add, kr_real_add, false};
static const kr_operation kr_operation_subtract = {"subtract", kr_exact_subtract, kr_real_subtract,
                                                   false};
static const kr_operation kr_operation_multiply = {"multiply", kr_exact_multiply, kr_real_multiply,
                                                   false};
static const kr_operation kr_operation_divide = {"divide", kr_exact_divide, kr_real_divide, true};
static const kr_operation kr_operation_modulo = {"modulo", kr_exact_modulo, fmod, true};

/* A fraction is no overflow of a division; the one that is, is INT64_MIN / -1. */
static bool kr_number_is_overflow(const kr_operation *operation, const kr_operand *a,
                                  const kr_operand *b) {
  if (!a->is_written || !b->is_written)
    return false;
  return !operation->is_division || (a->integer == INT64_MIN && b->integer == -1);
}

static kr_status kr_number_operate(kr_vm *vm, const kr_operation *operation, const kr_value *left,
                                   const kr_value *right, kr_value *result) {
  kr_operand a = {0};
  kr_operand b = {0};
  KR_TRY(kr_number_operand(vm, left, operation->name, &a));
  KR_TRY(kr_number_operand(vm, right, operation->name, &b));
  if (operation->is_division && b.real == 0)
    return kr_vm_fail(vm, KR_INVALID, KR_E_DIVISION, "%s by zero", operation->name);
  int64_t integer = 0;
  if (a.is_whole && b.is_whole) {
    if (operation->exact(a.integer, b.integer, &integer)) {
      *result = kr_value_int(integer);
      return KR_OK;
    }
    if (kr_number_is_overflow(operation, &a, &b))
      return kr_number_overflow(vm, operation->name);
  }
  return kr_number_result(vm, operation->real(a.real, b.real), operation->name, result);
}

kr_status kr_body_ADD(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_number_operate(vm, &kr_operation_add, &args[0], &args[1], result);
}

kr_status kr_body_SUBTRACT(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_number_operate(vm, &kr_operation_subtract, &args[0], &args[1], result);
}

kr_status kr_body_MULTIPLY(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_number_operate(vm, &kr_operation_multiply, &args[0], &args[1], result);
}

kr_status kr_body_DIVIDE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_number_operate(vm, &kr_operation_divide, &args[0], &args[1], result);
}

kr_status kr_body_MODULO(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_number_operate(vm, &kr_operation_modulo, &args[0], &args[1], result);
}

static kr_status kr_number_round(kr_vm *vm, const kr_value *number, int64_t places,
                                 kr_rounding rounding, kr_value *result) {
  kr_digits digits;
  KR_TRY(kr_digits_read(vm, number, &digits));
  kr_digits_round(&digits, places, rounding);
  return kr_digits_value(vm, &digits, result);
}

static kr_status kr_number_check_places(kr_vm *vm, int64_t places, int64_t least,
                                        const char *function) {
  if (places >= least && places <= KR_LIMIT_ROUND_DIGITS)
    return KR_OK;
  return kr_vm_fail(vm, KR_INVALID, KR_E_ARGUMENT, "the digits of %s go from %lld to %d", function,
                    (long long)least, KR_LIMIT_ROUND_DIGITS);
}

kr_status kr_body_ROUND(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  int64_t places = n_args == 2 ? args[1].integer : 0;
  KR_TRY(kr_number_check_places(vm, places, -KR_LIMIT_ROUND_DIGITS, "round"));
  return kr_number_round(vm, &args[0], places, KR_ROUND_HALF_AWAY, result);
}

kr_status kr_body_FLOOR(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_number_round(vm, &args[0], 0, KR_ROUND_DOWN, result);
}

kr_status kr_body_CEIL(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_number_round(vm, &args[0], 0, KR_ROUND_UP, result);
}

kr_status kr_body_ABS(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  bool is_written = kr_number_is_written_whole(&args[0]);
  int64_t integer = 0;
  if (is_written && kr_value_to_int(&args[0], &integer)) {
    if (integer == INT64_MIN)
      return kr_number_overflow(vm, "abs");
    *result = kr_value_int(integer < 0 ? -integer : integer);
    return KR_OK;
  }
  *result = args[0]; /* text: all but the sign stays as written */
  result->text += args[0].text[0] == '-';
  result->count -= args[0].text[0] == '-';
  return KR_OK;
}

/* min, max and sum take numbers, or one array of numbers. */
typedef struct kr_numbers {
  const kr_value *args;
  uint32_t count;
  bool is_array;
} kr_numbers;

static kr_status kr_numbers_open(kr_vm *vm, const kr_value *args, unsigned n_args,
                                 const char *function, kr_numbers *ret_numbers) {
  *ret_numbers = (kr_numbers){.args = args, .count = n_args, .is_array = kr_value_is_array(args)};
  if (ret_numbers->is_array) {
    ret_numbers->count = args->count;
    if (n_args > 1)
      return kr_vm_fail(vm, KR_INVALID, KR_E_TYPE, "%s takes numbers, or one array and no more",
                        function);
    return kr_vm_spend(vm, (size_t)args->count * 32);
  }
  return KR_OK;
}

static kr_status kr_numbers_at(kr_vm *vm, const kr_numbers *numbers, uint32_t index,
                               const char *function, kr_value *ret_number) {
  *ret_number = numbers->is_array ? kr_value_item(numbers->args, index) : numbers->args[index];
  if (!kr_value_is_number(ret_number))
    return kr_vm_fail(vm, KR_INVALID, KR_E_TYPE, "%s %u of %s must be a number, not %s",
                      numbers->is_array ? "item" : "argument", index + 1, function,
                      kr_value_type_name(ret_number));
  return numbers->is_array ? kr_vm_spend(vm, ret_number->count) : KR_OK;
}

static kr_status kr_numbers_extreme(kr_vm *vm, const kr_value *args, unsigned n_args, int wanted,
                                    const char *function, kr_value *result) {
  kr_numbers numbers;
  KR_TRY(kr_numbers_open(vm, args, n_args, function, &numbers));
  *result = (kr_value){.type = KR_VALUE_MISSING};
  for (uint32_t i = 0; i < numbers.count; i++) {
    kr_value number;
    KR_TRY(kr_numbers_at(vm, &numbers, i, function, &number));
    KR_TRY(kr_vm_spend(vm, result->count)); /* is read again each time */
    if (i == 0 || kr_value_compare_numbers(&number, result) * wanted > 0)
      *result = number;
  }
  return KR_OK;
}

kr_status kr_body_MIN(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  return kr_numbers_extreme(vm, args, n_args, -1, "min", result);
}

kr_status kr_body_MAX(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  return kr_numbers_extreme(vm, args, n_args, 1, "max", result);
}

kr_status kr_body_SUM(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  kr_numbers numbers;
  KR_TRY(kr_numbers_open(vm, args, n_args, "sum", &numbers));
  kr_value total = kr_value_int(0);
  for (uint32_t i = 0; i < numbers.count; i++) {
    kr_value number;
    KR_TRY(kr_numbers_at(vm, &numbers, i, "sum", &number));
    KR_TRY(kr_number_operate(vm, &kr_operation_sum, &total, &number, &total));
  }
  *result = total;
  return KR_OK;
}

kr_status kr_body_TO_INTEGER(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  kr_value number;
  int64_t integer = 0;
  KR_TRY(kr_body_TO_NUMBER(vm, args, n_args, &number));
  KR_TRY(kr_number_round(vm, &number, 0, KR_ROUND_ZERO, &number));
  if (!kr_value_to_int(&number, &integer))
    return kr_number_overflow(vm, "toInteger");
  *result = kr_value_int(integer);
  return KR_OK;
}

kr_status kr_body_FORMAT_NUMBER(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  int64_t places = args[1].integer;
  kr_str point = n_args > 2 ? kr_value_text(&args[2]) : KR_STR(".");
  kr_str group = n_args > 3 ? kr_value_text(&args[3]) : KR_STR("");
  KR_TRY(kr_number_check_places(vm, places, 0, "formatNumber"));
  kr_digits digits;
  KR_TRY(kr_digits_read(vm, &args[0], &digits));
  kr_digits_round(&digits, places, KR_ROUND_HALF_AWAY);
  int64_t n_whole = digits.exponent > 1 ? digits.exponent : 1;
  if (n_whole > KR_LIMIT_ROUND_DIGITS)
    return kr_number_overflow(vm, "formatNumber");
  KR_TRY(kr_vm_spend(vm, (size_t)(n_whole + places) * 4));
  kr_vm_build_begin(vm);
  if (digits.is_negative)
    KR_TRY(kr_vm_build_bytes(vm, KR_STR("-")));
  for (int64_t position = n_whole - 1; position >= -places; position--) {
    uint8_t digit = (uint8_t)('0' + kr_digits_at(&digits, position));
    if (position == -1)
      KR_TRY(kr_vm_build_bytes(vm, point));
    KR_TRY(kr_vm_build_bytes(vm, kr_str_from(&digit, 1)));
    if (position > 0 && position % 3 == 0)
      KR_TRY(kr_vm_build_bytes(vm, group));
  }
  return kr_vm_build_take(vm, result);
}
