/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_utf8.c - every code point, and every sequence of up to three bytes (and
 * all four-byte heads) against the ABNF of RFC 3629, section 4, written out
 * again as a table of ranges.
 */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct range_row {
  size_t len;
  uint8_t low[4];
  uint8_t high[4];
} range_row;

static const range_row well_formed[] = {
    {1, {0x00}, {0x7F}},
    {2, {0xC2, 0x80}, {0xDF, 0xBF}},
    {3, {0xE0, 0xA0, 0x80}, {0xE0, 0xBF, 0xBF}},
    {3, {0xE1, 0x80, 0x80}, {0xEC, 0xBF, 0xBF}},
    {3, {0xED, 0x80, 0x80}, {0xED, 0x9F, 0xBF}},
    {3, {0xEE, 0x80, 0x80}, {0xEF, 0xBF, 0xBF}},
    {4, {0xF0, 0x90, 0x80, 0x80}, {0xF0, 0xBF, 0xBF, 0xBF}},
    {4, {0xF1, 0x80, 0x80, 0x80}, {0xF3, 0xBF, 0xBF, 0xBF}},
    {4, {0xF4, 0x80, 0x80, 0x80}, {0xF4, 0x8F, 0xBF, 0xBF}},
};

static size_t expected_len(const uint8_t *bytes, size_t len) {
  for (size_t r = 0; r < sizeof well_formed / sizeof well_formed[0]; r++) {
    const range_row *row = &well_formed[r];
    bool is_match = row->len <= len;
    for (size_t i = 0; is_match && i < row->len; i++)
      is_match = bytes[i] >= row->low[i] && bytes[i] <= row->high[i];
    if (is_match)
      return row->len;
  }
  return 0;
}

static void test_every_code_point(void **state) {
  (void)state;
  for (uint32_t point = 0; point <= 0x10FFFF; point++) {
    if (point >= 0xD800 && point <= 0xDFFF)
      continue;
    uint8_t bytes[4];
    size_t len = kr_utf8_encode(point, bytes);
    size_t expected = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    uint32_t decoded = 0xFFFFFFFF;
    if (len != expected || kr_utf8_decode(kr_str_from(bytes, len), &decoded) != len ||
        decoded != point || expected_len(bytes, len) != len)
      fail_msg("U+%04X", point);
    for (size_t cut = 0; cut < len; cut++)
      if (kr_utf8_decode(kr_str_from(bytes, cut), &decoded) != 0)
        fail_msg("U+%04X cut to %zu bytes", point, cut);
  }
}

static void check_sequence(const uint8_t *bytes, size_t len) {
  uint32_t point = 0;
  size_t expected = expected_len(bytes, len);
  if (kr_utf8_decode(kr_str_from(bytes, len), &point) != expected)
    fail_msg("%02X %02X %02X %02X (%zu bytes)", bytes[0], bytes[1], bytes[2], bytes[3], len);
}

static void test_every_sequence(void **state) {
  (void)state;
  static const uint8_t fourth[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
  for (uint32_t word = 0; word < 1u << 24; word += word < 0xC00000 ? 0x101 : 1) {
    uint8_t bytes[4] = {(uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word, 0x80};
    check_sequence(bytes, 1);
    check_sequence(bytes, 2);
    check_sequence(bytes, 3);
    for (size_t i = 0; bytes[0] >= 0xF0 && i < sizeof fourth; i++) {
      bytes[3] = fourth[i];
      check_sequence(bytes, 4);
    }
  }
}

static const struct {
  const char *name;
  const char *bytes;
} malformed_rows[] = {
    {"lone tail byte", "\x80"},
    {"last tail byte", "\xBF"},
    {"overlong NUL", "\xC0\x80"},
    {"overlong slash, two bytes", "\xC0\xAF"},
    {"overlong, last of two bytes", "\xC1\xBF"},
    {"overlong slash, three bytes", "\xE0\x80\xAF"},
    {"overlong, last of three bytes", "\xE0\x9F\xBF"},
    {"overlong slash, four bytes", "\xF0\x80\x80\xAF"},
    {"overlong, last of four bytes", "\xF0\x8F\xBF\xBF"},
    {"first surrogate", "\xED\xA0\x80"},
    {"last surrogate", "\xED\xBF\xBF"},
    {"U+110000", "\xF4\x90\x80\x80"},
    {"F5", "\xF5\x80\x80\x80"},
    {"five bytes", "\xF8\x88\x80\x80\x80"},
    {"six bytes", "\xFC\x84\x80\x80\x80\x80"},
    {"FE", "\xFE"},
    {"FF", "\xFF"},
    {"two bytes cut", "\xC3"},
    {"three bytes cut", "\xE2\x82"},
    {"four bytes cut", "\xF0\x9F\x98"},
    {"head instead of tail", "\xC3\xC3"},
    {"ASCII instead of tail", "\xE2\x28\xA1"},
};

/* The check stops at the malformed byte, wherever it stands between good text. */
static void test_check_finds_the_place(void **state) {
  (void)state;
  for (size_t r = 0; r < sizeof malformed_rows / sizeof malformed_rows[0]; r++)
    for (size_t before = 0; before < 40; before++)
      for (int is_ascii = 0; is_ascii < 2; is_ascii++) {
        uint8_t text[200];
        size_t len = 0;
        for (size_t i = 0; i < before; i++)
          len += kr_utf8_encode(is_ascii ? 'a' : 0xE9 + (uint32_t)i * 997, text + len);
        size_t place = len;
        size_t bad_len = strlen(malformed_rows[r].bytes);
        memcpy(text + len, malformed_rows[r].bytes, bad_len);
        len += bad_len;
        assert_int_equal(kr_utf8_check(kr_str_from(text, place)), place);
        if (kr_utf8_check(kr_str_from(text, len)) != place)
          fail_msg("%s at %zu", malformed_rows[r].name, place);
        memcpy(text + len, "good tail", 9);
        assert_false(kr_utf8_is_valid(kr_str_from(text, len + 9)));
      }
}

static void test_empty(void **state) {
  (void)state;
  uint32_t point = 5;
  assert_true(kr_utf8_is_valid((kr_str){0}));
  assert_int_equal(kr_utf8_decode((kr_str){0}, &point), 0);
  assert_int_equal(point, 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_code_point),
      cmocka_unit_test(test_every_sequence),
      cmocka_unit_test(test_check_finds_the_place),
      cmocka_unit_test(test_empty),
  };
  return cmocka_run_group_tests_name("base utf8", tests, NULL, NULL);
}
