/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_differential.c - the redactor against the naive reference, over random
 * values and texts built to overlap, and every split of a stream against one
 * shot. Seeds are fixed, so a failure names a case that comes back.
 */
#include "redact/naive.h"
#include "redact/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define VALUES_MAX 4
#define VALUE_BYTES 40

typedef struct random_case {
  uint8_t bytes[VALUES_MAX][VALUE_BYTES];
  kr_naive_value values[VALUES_MAX];
  size_t n_values;
  kr_buf text;
} random_case;

/* Alphabets that collide: borders and repeats, escapes inside values, base64, UTF-8, binary. */
static const kr_str alphabets[] = {
    {(const uint8_t *)"ab", 2},
    {(const uint8_t *)"a", 1},
    {(const uint8_t *)"ab%26 1", 7},
    {(const uint8_t *)"ab\\nu06/\"", 9},
    {(const uint8_t *)"a+ %2B0", 7},
    {(const uint8_t *)"Ya+/-_x9", 8},
    {(const uint8_t *)"\xC3\xA9"
                      "a\xF0\x9F\x98\x80",
     7},
    {(const uint8_t *)"\0\xFF\x80"
                      "aZ",
     5},
    {(const uint8_t *)"%25", 3},
    {(const uint8_t *)"\\u05c", 5},
    {(const uint8_t *)"\\n\"\n", 4},
    {(const uint8_t *)"\\u0061\\/", 8},
    {(const uint8_t *)"\\ud83\xF0\x9F\x98\x80", 9},
    {(const uint8_t *)"a\n\r ", 4},
    {(const uint8_t *)"abcabcabcabc\n", 13},
    {(const uint8_t *)"&#38;amp", 8},
    {(const uint8_t *)"&\"'<>x1", 7},
    {(const uint8_t *)"\xC2\xA0&#x", 5},
};

static void append(kr_buf *out, kr_str bytes) {
  assert_int_equal(kr_buf_append(out, bytes), KR_OK);
}

static void make_case(uint64_t *seed, random_case *c) {
  kr_str alphabet = alphabets[kr_naive_below(seed, sizeof(alphabets) / sizeof(alphabets[0]))];
  c->text = KR_BUF_INIT(4000, NULL);
  c->n_values = 1 + kr_naive_below(seed, VALUES_MAX);
  for (size_t i = 0; i < c->n_values; i++) {
    bool has_lines = memchr(alphabet.ptr, '\n', alphabet.len) != NULL &&
                     memchr(alphabet.ptr, '\\', alphabet.len) == NULL; /* few readings */
    size_t len = 1 + kr_naive_below(seed, has_lines ? VALUE_BYTES : 12);
    for (size_t at = 0; at < len; at++)
      c->bytes[i][at] = alphabet.ptr[kr_naive_below(seed, alphabet.len)];
    if (strchr(" \r\n", c->bytes[i][0]) != NULL && c->bytes[i][0] != 0)
      c->bytes[i][0] = 'a'; /* never blank */
    c->values[i] = (kr_naive_value){.ptr = c->bytes[i], .len = len};
  }
  size_t n_pieces = 1 + kr_naive_below(seed, 6);
  for (size_t i = 0; i < n_pieces; i++) {
    kr_naive_value value = c->values[kr_naive_below(seed, c->n_values)];
    kr_str part = kr_str_from(value.ptr, value.len);
    if (kr_naive_below(seed, 4) == 0) /* near misses and borders */
      part = kr_str_slice(part, kr_naive_below(seed, part.len), part.len);
    if (kr_naive_below(seed, 4) == 0)
      part = kr_str_slice(part, 0, 1 + kr_naive_below(seed, part.len + 1));
    KR_CLEANUP(kr_buf_done) kr_buf broken = KR_BUF_INIT(2 * VALUE_BYTES, NULL);
    if (kr_naive_below(seed, 2) == 0) { /* other line breaks */
      kr_naive_break((kr_naive_value){part.ptr, part.len}, kr_naive_below(seed, 3), &broken);
      part = kr_buf_str(&broken);
    }
    if (part.len > 0)
      kr_naive_spell(seed, part, &c->text);
    for (size_t n = kr_naive_below(seed, 3); n > 0; n--)
      append(&c->text, kr_str_from(&alphabet.ptr[kr_naive_below(seed, alphabet.len)], 1));
  }
}

static void print_bytes(const char *what, kr_str bytes) {
  fprintf(stderr, "%s: ", what);
  for (size_t i = 0; i < bytes.len; i++)
    fprintf(stderr, bytes.ptr[i] >= 0x20 && bytes.ptr[i] < 0x7F ? "%c" : "<%02x>", bytes.ptr[i]);
  fprintf(stderr, "\n");
}

/* The values here are the test's own random bytes. */
static void expect_same(const random_case *c, kr_str expected, kr_str actual, size_t round) {
  if (kr_str_equal(expected, actual))
    return;
  fprintf(stderr, "round %zu\n", round);
  for (size_t i = 0; i < c->n_values; i++)
    print_bytes("value", kr_str_from(c->values[i].ptr, c->values[i].len));
  print_bytes("text", kr_buf_str(&c->text));
  print_bytes("expected", expected);
  print_bytes("actual", actual);
  fail_msg("outputs differ");
}

static kr_status collect(void *ctx, kr_str bytes) { return kr_buf_append(ctx, bytes); }

static void stream_split(kr_redact_set *set, kr_str text, const size_t *cuts, size_t n_cuts,
                         kr_buf *out) {
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  assert_int_equal(kr_redact_stream_new(set, NULL, collect, out, &stream, NULL), KR_OK);
  size_t from = 0;
  for (size_t i = 0; i < n_cuts; i++) {
    assert_int_equal(kr_redact_stream_feed(stream, kr_str_slice(text, from, cuts[i])), KR_OK);
    assert_int_equal(kr_redact_stream_feed(stream, (kr_str){0}), KR_OK);
    from = cuts[i];
  }
  assert_int_equal(kr_redact_stream_feed(stream, kr_str_skip(text, from)), KR_OK);
  assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
  assert_int_equal(kr_redact_stream_held(stream), 0);
}

static void one_shot_is_naive(void **state) {
  (void)state;
  uint64_t seed = 0x6b726f73796e;
  size_t n_matches = 0;
  for (size_t round = 0; round < 40000; round++) {
    random_case c;
    make_case(&seed, &c);
    KR_CLEANUP(kr_buf_done) kr_buf expected = KR_BUF_INIT(100000, NULL);
    KR_CLEANUP(kr_buf_done) kr_buf actual = KR_BUF_INIT(100000, NULL);
    KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = kr_naive_set(c.values, c.n_values);
    size_t n_round = kr_naive_redact(c.values, c.n_values, kr_buf_str(&c.text), &expected);
    kr_redact_report report = {0};
    assert_int_equal(kr_redact_bytes(set, kr_buf_str(&c.text), NULL, &actual, &report), KR_OK);
    expect_same(&c, kr_buf_str(&expected), kr_buf_str(&actual), round);
    assert_true((report.n_hits > 0) == (n_round > 0));
    n_matches += n_round;
    kr_redact_report_done(&report);
    kr_buf_done(&c.text);
  }
  assert_true(n_matches > 40000); /* the cases are about something */
}

static void every_split_is_one_shot(void **state) {
  (void)state;
  uint64_t seed = 0x73706c6974;
  for (size_t round = 0; round < 1500; round++) {
    random_case c;
    make_case(&seed, &c);
    kr_str text = kr_buf_str(&c.text);
    KR_CLEANUP(kr_buf_done) kr_buf expected = KR_BUF_INIT(100000, NULL);
    KR_CLEANUP(kr_buf_done) kr_buf actual = KR_BUF_INIT(100000, NULL);
    KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = kr_naive_set(c.values, c.n_values);
    assert_int_equal(kr_redact_bytes(set, text, NULL, &expected, NULL), KR_OK);
    for (size_t cut = 0; cut <= text.len; cut++) {
      actual.len = 0;
      stream_split(set, text, &cut, 1, &actual);
      expect_same(&c, kr_buf_str(&expected), kr_buf_str(&actual), round);
    }
    size_t cuts[4000];
    for (size_t i = 0; i < text.len; i++)
      cuts[i] = i;
    actual.len = 0;
    stream_split(set, text, cuts, text.len, &actual); /* byte by byte */
    expect_same(&c, kr_buf_str(&expected), kr_buf_str(&actual), round);
    size_t n_cuts = 0;
    for (size_t i = 0; i < text.len; i++)
      if (kr_naive_below(&seed, 5) == 0)
        cuts[n_cuts++] = i;
    actual.len = 0;
    stream_split(set, text, cuts, n_cuts, &actual);
    expect_same(&c, kr_buf_str(&expected), kr_buf_str(&actual), round);
    kr_buf_done(&c.text);
  }
}

typedef struct seen_bytes {
  kr_str text;
  bool is_shown[4096];
} seen_bytes;

/* In one shot, what is not a marker points into the input. */
static kr_status note_shown(void *ctx, kr_str bytes, bool is_marker) {
  seen_bytes *seen = ctx;
  for (size_t i = 0; i < bytes.len && !is_marker; i++)
    seen->is_shown[(size_t)(bytes.ptr - seen->text.ptr) + i] = true;
  return KR_OK;
}

/*
 * Runs of one escape between an x and a q, in the values and in the text: a run
 * of n backslashes has a reading for every way to take some of them in pairs.
 */
static void make_runs(uint64_t *seed, const kr_naive_value *values, uint8_t *text, size_t len) {
  for (size_t i = 0; i < 3; i++) {
    uint8_t *bytes = (uint8_t *)(uintptr_t)values[i].ptr;
    memset(bytes, '\\', values[i].len);
    bytes[0] = 'x';
    bytes[values[i].len - 1] = 'q';
  }
  memset(text, '\\', len);
  for (size_t at = kr_naive_below(seed, 20); at < len; at += 1 + kr_naive_below(seed, 250))
    text[at] = kr_naive_below(seed, 3) == 0 ? 'q' : 'x';
}

/*
 * Text with more readings than the scanner follows: it may remove too much,
 * never too little.
 */
static void too_many_readings_leak_nothing(void **state) {
  static const char *const alphabets_of_escapes[] = {"\\",     "\\\\\\\"",    "%25",
                                                     "%%%255", "\\u005c\\\\", "+ %2"};
  (void)state;
  uint64_t seed = 0x72656164;
  size_t n_more = 0;
  for (size_t round = 0; round < 400; round++) {
    kr_str letters = kr_str_cstr(alphabets_of_escapes[kr_naive_below(&seed, 6)]);
    uint8_t bytes[3][100];
    uint8_t text[400];
    kr_naive_value values[3];
    bool covered[4096] = {false};
    for (size_t i = 0; i < 3; i++) {
      values[i] = (kr_naive_value){bytes[i], 4 + kr_naive_below(&seed, round % 2 == 0 ? 9 : 90)};
      for (size_t at = 0; at < values[i].len; at++)
        bytes[i][at] = letters.ptr[kr_naive_below(&seed, letters.len)];
      bytes[i][0] = letters.ptr[0];
    }
    for (size_t i = 0; i < sizeof(text); i++)
      text[i] = letters.ptr[kr_naive_below(&seed, letters.len)];
    if (round % 4 == 3)
      make_runs(&seed, values, text, sizeof(text));
    seen_bytes seen = {.text = kr_str_from(text, sizeof(text))};
    KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = kr_naive_set(values, 3);
    assert_int_equal(kr_redact_run_scan(set, seen.text, NULL, 0, NULL, note_shown, &seen, NULL), 0);
    kr_naive_cover(values, 3, seen.text, covered);
    for (size_t i = 0; i < sizeof(text); i++) {
      if (covered[i] && seen.is_shown[i]) {
        fprintf(stderr, "round %zu at %zu\n", round, i);
        print_bytes("text", seen.text);
        for (size_t v = 0; v < 3; v++)
          print_bytes("value", kr_str_from(values[v].ptr, values[v].len));
        fail_msg("a covered byte is shown");
      }
      n_more += !covered[i] && !seen.is_shown[i];
    }
  }
  assert_true(n_more > 0); /* the limit was reached */
}

/* The reading that completes is one of those for which there was no room. */
static void a_reading_given_up_leaks_nothing(void **state) {
  (void)state;
  for (size_t n = 100; n <= 200; n++) { /* 100 backslashes, each as one or as two */
    uint8_t bytes[105];
    uint8_t text[205];
    memset(bytes, '\\', sizeof(bytes));
    memset(text, '\\', sizeof(text));
    bytes[0] = text[0] = 'x';
    memcpy(bytes + 101, "quick", 4);
    memcpy(text + 1 + n, "quick", 4);
    kr_naive_value value = {bytes, sizeof(bytes)};
    bool covered[4096] = {false};
    seen_bytes seen = {.text = kr_str_from(text, n + 5)};
    KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = kr_naive_set(&value, 1);
    assert_int_equal(kr_redact_run_scan(set, seen.text, NULL, 0, NULL, note_shown, &seen, NULL), 0);
    kr_naive_cover(&value, 1, seen.text, covered);
    for (size_t i = 0; i < seen.text.len; i++)
      assert_true(covered[i] && !seen.is_shown[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_shot_is_naive),
      cmocka_unit_test(every_split_is_one_shot),
      cmocka_unit_test(too_many_readings_leak_nothing),
      cmocka_unit_test(a_reading_given_up_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
