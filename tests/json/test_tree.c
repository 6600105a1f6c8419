/* SPDX-License-Identifier: Apache-2.0 */
/* test_tree.c - look-ups, and numbers as int64 and double: tables of digits. */
#include "json/json.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct int_row {
  const char *digits;
  bool is_int;
  int64_t value;
} int_row;

static const int_row int_rows[] = {
    {"0", true, 0},
    {"-0", true, 0},
    {"1", true, 1},
    {"-1", true, -1},
    {"1234567890", true, 1234567890},
    {"9223372036854775807", true, INT64_MAX},
    {"9223372036854775806", true, INT64_MAX - 1},
    {"-9223372036854775808", true, INT64_MIN},
    {"-9223372036854775807", true, INT64_MIN + 1},
    {"9223372036854775808", false, 0},
    {"-9223372036854775809", false, 0},
    {"9223372036854775817", false, 0},
    {"92233720368547758070", false, 0},
    {"18446744073709551616", false, 0},
    {"99999999999999999999999999", false, 0},
    {"1.0", false, 0},
    {"0.0", false, 0},
    {"1e0", false, 0},
    {"1E2", false, 0},
    {"-1.5", false, 0},
};

typedef struct double_row {
  const char *digits;
  double value; /* INFINITY: too large */
} double_row;

static const double_row double_rows[] = {
    {"0", 0.0},
    {"-0", -0.0},
    {"-0.0e5", -0.0},
    {"0e999999999999999999999", 0.0},
    {"0.000e-99999999999999999999", 0.0},
    {"1", 1.0},
    {"-1.5", -1.5},
    {"0.1", 0.1},
    {"0.30000000000000004", 0.30000000000000004},
    {"123456789012345678901234567890", 123456789012345678901234567890.0},
    {"1e22", 1e22},
    {"1e23", 1e23},
    {"1E-7", 1e-7},
    {"1e+05", 1e5},
    {"100e-2", 1.0},
    {"0.00001e5", 1.0},
    {"9007199254740993", 9007199254740992.0},
    {"9007199254740993.00000000000000000000000000000000001", 9007199254740994.0},
    {"1.7976931348623157e308", 1.7976931348623157e308},
    {"17976931348623157000e289", 1.7976931348623157e308},
    {"1.7976931348623159e308", INFINITY},
    {"1e309", INFINITY},
    {"-1e400", INFINITY},
    {"1e99999999999999999999999999", INFINITY},
    {"2.2250738585072014e-308", 2.2250738585072014e-308},
    {"2.2250738585072011e-308", 2.2250738585072011e-308},
    {"4.9406564584124654e-324", 5e-324},
    {"2.4703282292062327e-324", 0.0},
    {"2.4703282292062328e-324", 5e-324},
    {"1e-400", 0.0},
    {"1e-99999999999999999999999999", 0.0},
    {"6.631236846766476e-316", 6.631236846766476e-316},
};

static kr_json number(const char *digits, size_t len) {
  return (kr_json){.type = KR_JSON_NUMBER, .count = (uint32_t)len, .text = (const uint8_t *)digits};
}

static void run_int(void **state) {
  const int_row *row = *state;
  kr_json json = number(row->digits, strlen(row->digits));
  int64_t value = 77;
  assert_int_equal(kr_json_to_int(&json, &value), row->is_int);
  assert_true(value == (row->is_int ? row->value : 77));
}

static void check_double(const char *digits, size_t len, double expected) {
  kr_json json = number(digits, len);
  double value = 77;
  bool is_double = kr_json_to_double(&json, &value);
  assert_int_equal(is_double, isfinite(expected));
  if (is_double)
    assert_memory_equal(&value, &expected, sizeof value);
  else
    assert_true(value > 76 && value < 78);
}

static void run_double(void **state) {
  const double_row *row = *state;
  check_double(row->digits, strlen(row->digits), row->value);
}

/* Exactly between two doubles, and a digit far beyond those that are kept. */
static void test_long_numbers(void **state) {
  (void)state;
  static char digits[5000];
  memset(digits, '0', sizeof digits);
  memcpy(digits, "9007199254740993.", 17);
  check_double(digits, sizeof digits, 9007199254740992.0);
  digits[sizeof digits - 1] = '1';
  check_double(digits, sizeof digits, 9007199254740994.0);
  /* Leading zeros are not significant; 4998 digits behind the point. */
  memset(digits, '0', sizeof digits);
  digits[1] = '.';
  memcpy(digits + sizeof digits - 4, "7e42", 4);
  check_double(digits, sizeof digits, 0.0);
  memcpy(digits + sizeof digits - 7, "7e4994", 6);
  check_double(digits, sizeof digits - 1, 700.0); /* 7e-4992 * 1e4994 */
  memset(digits, '9', sizeof digits);
  check_double(digits, sizeof digits, INFINITY);
  memcpy(digits + sizeof digits - 6, "e-4993", 6);
  check_double(digits, sizeof digits, 10.0);
}

/* The library must not depend on the locale of the program around it. */
static void test_locale_with_comma(void **state) {
  (void)state;
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8"};
  const char *found = NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && found == NULL; i++)
    found = setlocale(LC_NUMERIC, names[i]);
  if (found == NULL)
    skip();
  check_double("1.5", 3, 1.5);
  check_double("12345.678e-2", 12, 123.45678);
  (void)setlocale(LC_NUMERIC, "C");
}

static const kr_json *parse(kr_arena *arena, kr_str text) {
  const kr_json *json = NULL;
  assert_int_equal(kr_json_parse(text, NULL, arena, &json, NULL), KR_OK);
  return json;
}

static void test_other_types_are_no_numbers(void **state) {
  (void)state;
  kr_arena arena = KR_ARENA_INIT(1u << 20, NULL);
  const kr_json *json = parse(&arena, KR_STR("[null,true,false,\"1\",[1],{\"a\":1}]"));
  for (uint32_t i = 0; i < json->count; i++) {
    int64_t integer = 0;
    double real = 0;
    assert_false(kr_json_to_int(kr_json_at(json, i), &integer));
    assert_false(kr_json_to_double(kr_json_at(json, i), &real));
  }
  kr_arena_done(&arena);
}

static void test_get(void **state) {
  (void)state;
  kr_arena arena = KR_ARENA_INIT(1u << 20, NULL);
  const kr_json *json =
      parse(&arena, KR_STR("{\"a\":1,\"ab\":2,\"\":3,\"n\\u0000\":4,\"\\u00e9\":5}"));
  assert_string_equal(kr_json_type_name(kr_json_get(json, KR_STR("a"))), "number");
  assert_true(kr_str_equal(kr_json_text(kr_json_get(json, KR_STR("a"))), KR_STR("1")));
  assert_true(kr_str_equal(kr_json_text(kr_json_get(json, KR_STR("ab"))), KR_STR("2")));
  assert_true(kr_str_equal(kr_json_text(kr_json_get(json, KR_STR(""))), KR_STR("3")));
  assert_true(kr_str_equal(kr_json_text(kr_json_get(json, (kr_str){0})), KR_STR("3")));
  assert_true(kr_str_equal(kr_json_text(kr_json_get(json, KR_STR("n\0"))), KR_STR("4")));
  assert_true(kr_str_equal(kr_json_text(kr_json_get(json, KR_STR("\xc3\xa9"))), KR_STR("5")));
  assert_null(kr_json_get(json, KR_STR("A")));
  assert_null(kr_json_get(json, KR_STR("n")));
  assert_null(kr_json_get(json, KR_STR("abc")));
  assert_null(kr_json_get(kr_json_get(json, KR_STR("a")), KR_STR("a")));
  kr_arena_done(&arena);
}

static void test_at(void **state) {
  (void)state;
  kr_arena arena = KR_ARENA_INIT(1u << 20, NULL);
  const kr_json *json = parse(&arena, KR_STR("[10,11,12]"));
  for (int64_t i = 0; i < 3; i++) {
    assert_ptr_equal(kr_json_at(json, i), json->items + i);
    assert_ptr_equal(kr_json_at(json, i - 3), json->items + i);
  }
  assert_null(kr_json_at(json, 3));
  assert_null(kr_json_at(json, -4));
  assert_null(kr_json_at(json, INT64_MAX));
  assert_null(kr_json_at(json, INT64_MIN));
  assert_null(kr_json_at(json->items, 0));
  assert_null(kr_json_at(parse(&arena, KR_STR("[]")), 0));
  assert_null(kr_json_at(parse(&arena, KR_STR("[]")), -1));
  kr_arena_done(&arena);
}

static void test_type_names(void **state) {
  (void)state;
  static const char *const names[] = {"null",   "boolean", "boolean", "number",
                                      "string", "array",   "object"};
  kr_arena arena = KR_ARENA_INIT(1u << 20, NULL);
  const kr_json *json = parse(&arena, KR_STR("[null,false,true,0,\"\",[],{}]"));
  for (uint32_t i = 0; i < json->count; i++) {
    assert_int_equal(json->items[i].type, i);
    assert_string_equal(kr_json_type_name(&json->items[i]), names[i]);
    bool has_text = i == KR_JSON_NUMBER || i == KR_JSON_STRING;
    assert_int_equal(kr_json_text(&json->items[i]).ptr != NULL, has_text);
  }
  assert_int_equal(sizeof(kr_json), 16);
  kr_arena_done(&arena);
}

#define N_INT (sizeof int_rows / sizeof int_rows[0])
#define N_DOUBLE (sizeof double_rows / sizeof double_rows[0])

int main(void) {
  static struct CMUnitTest rows[N_INT + N_DOUBLE];
  for (size_t i = 0; i < N_INT; i++)
    rows[i] = (struct CMUnitTest){.name = int_rows[i].digits,
                                  .test_func = run_int,
                                  .initial_state = (void *)(uintptr_t)&int_rows[i]};
  for (size_t i = 0; i < N_DOUBLE; i++)
    rows[N_INT + i] = (struct CMUnitTest){.name = double_rows[i].digits,
                                          .test_func = run_double,
                                          .initial_state = (void *)(uintptr_t)&double_rows[i]};
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_long_numbers),
      cmocka_unit_test(test_locale_with_comma),
      cmocka_unit_test(test_other_types_are_no_numbers),
      cmocka_unit_test(test_get),
      cmocka_unit_test(test_at),
      cmocka_unit_test(test_type_names),
  };
  int n_failed = cmocka_run_group_tests_name("json numbers", rows, NULL, NULL);
  return n_failed + cmocka_run_group_tests_name("json tree", tests, NULL, NULL);
}
