/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_plain.c - the plain reading: every variant gives what the scalar one
 * gives, to the last entry of its map and without reading past the text; and no
 * core is hidden, however it is spelled and whatever stands before it.
 */
#include "redact/plain.h"

#include "redact/naive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT_BYTES 1500u

typedef struct plain_reading {
  uint32_t map[TEXT_BYTES / KR_PLAIN_BLOCK_BYTES + 3];
  uint8_t text[TEXT_BYTES + KR_PLAIN_SLACK_BYTES];
  size_t len;
} plain_reading;

/* Every kind of escape, whole and cut, and what is none. */
static const char *const pieces[] = {
    "%41",
    "%2B",
    "%",
    "%4",
    "%zz",
    "%%41",
    "%e9",
    "\\",
    "\\\\",
    "\\n",
    "\\\"",
    "\\/",
    "\\u0041",
    "\\\\u0041",
    "\\u00e9",
    "\\u07ff",
    "\\u0800",
    "\\u20AC",
    "\\u00",
    "\\uzzzz",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\ude00",
    "&amp;",
    "&lt",
    "&#65;",
    "&#x41;",
    "&#x1F600;",
    "&",
    "&&",
    "&#000065;",
    "&nbsp;",
    "+",
    " ",
    "u0041",
    "abcdefgh",
    "01234567",
    "\xc3\xa9",
    "\x80",
    "\\\\ud83d\\\\ude00",
    "u",
    "\\u+041",
};

static size_t make_text(uint64_t *seed, uint8_t *text, size_t most) {
  size_t len = 0;
  size_t wanted = kr_naive_below(seed, most);
  bool is_dense = kr_naive_below(seed, 2) == 0;
  while (len < wanted) {
    kr_str piece = kr_str_cstr(pieces[kr_naive_below(seed, sizeof(pieces) / sizeof(pieces[0]))]);
    if (!is_dense && kr_naive_below(seed, 4) != 0)
      piece = KR_STR("ordinary text, ");
    piece = kr_str_slice(piece, 0, wanted - len);
    memcpy(text + len, piece.ptr, piece.len);
    len += piece.len;
  }
  return len;
}

static void read_as(kr_cpu_level level, kr_str text, size_t len, bool reads_plus,
                    plain_reading *reading) {
  memset(reading, 0, sizeof(*reading));
  reading->len =
      kr_plain_variant_of(level)->read(text, len, reads_plus, reading->text, reading->map);
  assert_true(reading->len <= len + 3);
  memset(reading->text + reading->len, 0, sizeof(reading->text) - reading->len);
}

static void variants_agree(void **state) {
  (void)state;
  uint64_t seed = 0x706c61696e;
  for (size_t round = 0; round < 30000; round++) {
    uint8_t made[TEXT_BYTES];
    size_t text_len = make_text(&seed, made, sizeof(made));
    uint8_t *exact = malloc(text_len + 1); /* so that a sanitizer sees a byte too many */
    assert_non_null(exact);
    memmove(exact + 1, made, text_len);
    kr_str text = kr_str_from(exact + 1, text_len);
    size_t len = kr_naive_below(&seed, 3) == 0 ? kr_naive_below(&seed, text_len + 1) : text_len;
    bool reads_plus = kr_naive_below(&seed, 2) == 0;
    plain_reading expected;
    read_as(KR_CPU_SCALAR, text, len, reads_plus, &expected);
    for (int level = KR_CPU_SSSE3; level <= (int)kr_cpu_best(); level++) {
      plain_reading actual;
      read_as((kr_cpu_level)level, text, len, reads_plus, &actual);
      assert_int_equal(actual.len, expected.len);
      assert_memory_equal(actual.text, expected.text, expected.len);
      assert_memory_equal(actual.map, expected.map, sizeof(expected.map));
      assert_int_equal(kr_plain_variant_of((kr_cpu_level)level)->clean_len(text, reads_plus),
                       kr_plain_variant_of(KR_CPU_SCALAR)->clean_len(text, reads_plus));
    }
    free(exact);
  }
}

/* A value from letters that escapes are made of, without bytes that are no core. */
static size_t make_core(uint64_t *seed, uint8_t *core) {
  static const char letters[] = "0129afuxn#;amptlgoqbs/\"XYZ_-.";
  size_t len = 12 + kr_naive_below(seed, 20);
  for (size_t i = 0; i < len; i++)
    core[i] = (uint8_t)letters[kr_naive_below(seed, sizeof(letters) - 1)];
  return len;
}

static void no_core_is_hidden(void **state) {
  (void)state;
  static const char *const before[] = {"",      "%",      "%4",      "\\",  "\\u",  "\\u0",
                                       "\\u00", "\\u004", "\\\\u00", "&",   "&#",   "&#x",
                                       "&#x4",  "&#000",  "&a",      "&am", "&quo", "&nbs"};
  uint64_t seed = 0x636f7265;
  for (size_t round = 0; round < 60000; round++) {
    uint8_t bytes[64];
    kr_str core = kr_str_from(bytes, make_core(&seed, bytes));
    KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(TEXT_BYTES, NULL);
    kr_str foreign = kr_str_cstr(before[kr_naive_below(&seed, sizeof(before) / sizeof(before[0]))]);
    assert_int_equal(kr_buf_append(&text, foreign), KR_OK);
    for (size_t i = 0; i < core.len;
         i++) { /* itself mostly, so that foreign bytes have something to take */
      static const char *const spellings[] = {"%%%02x", "\\u%04X", "\\\\u%04x", "&#%u;", "&#x%x;"};
      char spelled[16];
      size_t how = kr_naive_below(&seed, 12);
      int n = snprintf(spelled, sizeof(spelled), how < 5 ? spellings[how] : "%c", core.ptr[i]);
      assert_int_equal(kr_buf_append(&text, kr_str_from(spelled, (size_t)n)), KR_OK);
    }
    plain_reading reading;
    kr_cpu_level level = (kr_cpu_level)(1 + kr_naive_below(&seed, (size_t)kr_cpu_best()));
    read_as(level, kr_buf_str(&text), text.len, false, &reading);
    kr_str rest = kr_str_skip(core, kr_plain_taken(core));
    assert_int_not_equal(kr_str_find(kr_str_from(reading.text, reading.len), rest, 0), SIZE_MAX);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(variants_agree),
      cmocka_unit_test(no_core_is_hidden),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
