/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock.c - times as text, at the edges of years and of the format; UUIDv7. */
#include "base/clock.h"
#include "base/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_time_text(void **state) {
  (void)state;
  static const struct {
    int64_t wall_ms;
    const char *text;
  } rows[] = {
      {0, "1970-01-01T00:00:00.000Z"},
      {1, "1970-01-01T00:00:00.001Z"},
      {999, "1970-01-01T00:00:00.999Z"},
      {-1, "1969-12-31T23:59:59.999Z"},
      {-1000, "1969-12-31T23:59:59.000Z"},
      {-1001, "1969-12-31T23:59:58.999Z"},
      {951782400000, "2000-02-29T00:00:00.000Z"},
      {951868799999, "2000-02-29T23:59:59.999Z"},
      {4107542400000, "2100-03-01T00:00:00.000Z"}, /* no leap year */
      {4107542399999, "2100-02-28T23:59:59.999Z"},
      {1767323045678, "2026-01-02T03:04:05.678Z"},
      {2147483648000, "2038-01-19T03:14:08.000Z"},
      {-62135596800000, "0001-01-01T00:00:00.000Z"},
      {-62167219200000, "0000-01-01T00:00:00.000Z"},
      {-62167219200001, "0000-01-01T00:00:00.000Z"}, /* clamped */
      {INT64_MIN, "0000-01-01T00:00:00.000Z"},
      {253402300799999, "9999-12-31T23:59:59.999Z"},
      {253402300800000, "9999-12-31T23:59:59.999Z"}, /* clamped */
      {INT64_MAX, "9999-12-31T23:59:59.999Z"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char out[KR_TIME_TEXT_BYTES + 1];
    memset(out, '~', sizeof out);
    kr_time_format(rows[i].wall_ms, out);
    assert_string_equal(out, rows[i].text);
    assert_int_equal(out[KR_TIME_TEXT_BYTES], '~');
  }
}

/* RFC 9562, appendix A.6, has this time; its random bits are ours to choose. */
static void test_uuid_vector(void **state) {
  (void)state;
  static const uint8_t random[10] = {0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F};
  char out[KR_UUID_TEXT_BYTES + 1];
  memset(out, '~', sizeof out);
  kr_uuid7_format(0x017F22E279B0, random, out);
  assert_string_equal(out, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  assert_int_equal(out[KR_UUID_TEXT_BYTES], '~');
}

/* Version and variant stand whatever the random bits; the other 74 bits pass through. */
static void test_uuid_layout(void **state) {
  (void)state;
  for (int bit = -1; bit < 80; bit++) {
    uint8_t random[10] = {0};
    if (bit >= 0)
      random[bit / 8] = (uint8_t)(0x80 >> bit % 8);
    char out[KR_UUID_TEXT_BYTES];
    kr_uuid7_format(0x0123456789AB, random, out);
    assert_memory_equal(out, "01234567-89ab-7", 15);
    assert_int_equal(out[18], '-');
    assert_int_equal(out[23], '-');
    assert_true(strchr("89ab", out[19]) != NULL);
    size_t n_set = 0;
    for (size_t i = 15; i < 36; i++)
      n_set +=
          out[i] == '-' ? 0 : (size_t)__builtin_popcount((unsigned)kr_hex_digit((uint8_t)out[i]));
    bool is_fixed = bit < 4 || bit == 16 || bit == 17;
    assert_int_equal(n_set, is_fixed ? 1 : 2); /* the variant is 10 */
  }
}

static void test_uuids_sort_by_time(void **state) {
  (void)state;
  static const uint8_t high[10] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
  static const uint8_t low[10] = {0};
  static const int64_t times[] = {0, 1, 255, 256, 65535, 65536, 1767323045678, 281474976710655};
  for (size_t i = 1; i < sizeof times / sizeof times[0]; i++) {
    char before[KR_UUID_TEXT_BYTES];
    char after[KR_UUID_TEXT_BYTES];
    kr_uuid7_format(times[i - 1], high, before);
    kr_uuid7_format(times[i], low, after);
    assert_true(strcmp(before, after) < 0);
  }
  char zero[KR_UUID_TEXT_BYTES];
  char negative[KR_UUID_TEXT_BYTES];
  kr_uuid7_format(0, low, zero);
  kr_uuid7_format(-5, low, negative);
  assert_string_equal(negative, zero);
}

static void test_system_clock(void **state) {
  (void)state;
  const kr_clock *clock = kr_clock_system();
  assert_true(kr_clock_wall_ms(clock) > INT64_C(1700000000000));
  uint64_t before = kr_clock_monotonic_us(clock);
  uint64_t after = kr_clock_monotonic_us(clock);
  assert_true(after >= before && before > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_time_text),    cmocka_unit_test(test_uuid_vector),
      cmocka_unit_test(test_uuid_layout),  cmocka_unit_test(test_uuids_sort_by_time),
      cmocka_unit_test(test_system_clock),
  };
  return cmocka_run_group_tests_name("base clock", tests, NULL, NULL);
}
