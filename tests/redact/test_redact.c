/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redact.c - spans, marker names, hits, streams and what they hold, floods,
 * and failing allocations.
 */
#include "redact/naive.h"
#include "support/failalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define M "[REDACTED]"

static void assert_text(kr_buf *out, const char *expected) {
  assert_int_equal(kr_buf_byte(out, 0), KR_OK);
  assert_string_equal((const char *)out->ptr, expected);
}

static kr_status collect(void *ctx, kr_str bytes) { return kr_buf_append(ctx, bytes); }

static kr_redact_set *set_of(const char *a, const char *b) {
  kr_naive_value values[2] = {{(const uint8_t *)a, strlen(a)},
                              {(const uint8_t *)b, b == NULL ? 0 : strlen(b)}};
  return kr_naive_set(values, b == NULL ? 1 : 2);
}

/* What a stream holds is what a match could still start with, no more. */
static void held_is_exact(void **state) {
  static const struct {
    const char *feed;
    size_t held;
  } steps[] = {
      {"one two ", 0},    {"ses", 3},
      {"x ", 0},          {"sesa", 0},
      {"m ", 0},          {"%", 1},
      {"4", 2},           {"1 ", 0},
      {"s%65", 4},        {"s", 5},
      {" \\", 1},         {"u00", 4},
      {"73", 6},          {"es ", 0},
      {"%41%42%", 1},     {" ", 0},
      {"7", 1},           {"3", 2},
      {"65 ", 0},         {"&", 1},
      {"a", 2},           {"m", 3},
      {"x ", 0},          {"&#x", 3},
      {"g ", 0},          {"&#", 2},
      {"111411", 8},      {"2 ", 0},
      {"&#55296", 7},     {"0; ", 0},
      {"&#000055296", 0}, {" s&#101", 6},
      {";", 7},           {"x ", 0},
      {"\\", 1},          {"\\", 2},
      {"u", 3},           {"d83d\\\\ude0", 13},
      {"0 ", 0},          {"\\\\\\", 3},
      {"n ", 0},
  };
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of("sesa", NULL);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(10000, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  (void)state;
  assert_int_equal(kr_redact_stream_new(set, NULL, collect, &out, &stream, NULL), KR_OK);
  for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
    assert_int_equal(kr_redact_stream_feed(stream, kr_str_cstr(steps[i].feed)), KR_OK);
    if (kr_redact_stream_held(stream) != steps[i].held)
      fail_msg("step %zu holds %zu bytes", i, kr_redact_stream_held(stream));
  }
}

/* A base64 value also holds the one character before it that may be mixed with it. */
static void held_keeps_the_mixed_character(void **state) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of("2fN+++++", "sesame");
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(10000, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  (void)state;
  assert_int_equal(kr_redact_stream_new(set, NULL, collect, &out, &stream, NULL), KR_OK);
  assert_int_equal(kr_redact_stream_feed(stream, KR_STR("..\\u002fN")), KR_OK);
  assert_int_equal(kr_redact_stream_feed(stream, KR_STR("lc2FtZQ")), KR_OK);
  assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
  assert_text(&out, ".." M);
}

static void flood(const char *unit, size_t n_units, kr_redact_set *set, size_t held_max,
                  const char *expected) {
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(64u << 20, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf piece = KR_BUF_INIT(1u << 20, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  while (piece.len < 50000)
    assert_int_equal(kr_buf_append(&piece, kr_str_cstr(unit)), KR_OK);
  assert_int_equal(kr_redact_stream_new(set, NULL, collect, &out, &stream, NULL), KR_OK);
  for (size_t i = 0; i < n_units; i++) {
    assert_int_equal(kr_redact_stream_feed(stream, kr_buf_str(&piece)), KR_OK);
    assert_true(kr_redact_stream_held(stream) <= held_max);
  }
  assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
  if (expected != NULL)
    assert_text(&out, expected);
  else
    assert_int_equal(out.len, n_units * piece.len);
}

static void floods_hold_little(void **state) {
  static uint8_t letters[2000];
  (void)state;
  memset(letters, 'a', sizeof(letters));
  kr_naive_value whole = {letters, 1000};
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = kr_naive_set(&whole, 1);
  flood("a", 20, set, 1000, M);
  flood("%61", 20, set, 3000, M);
  flood("\\u0061", 20, set, 6000, M);
  flood("%", 20, set, 2, NULL);
  flood("\\", 20, set, 12, NULL);
  flood("+", 20, set, 12, NULL);
  flood("&#000000097;", 20, set, 12000, M);
  flood("&#", 20, set, 12, NULL);
  letters[999] = 'b'; /* nearly matches everywhere */
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *near = kr_naive_set(&whole, 1);
  flood("a", 20, near, 1000, NULL);
  flood("%61", 20, near, 3000, NULL);
  flood("%2561", 20, near, 3000, NULL);
}

static void longest_value(void **state) {
  static uint8_t bytes[KR_REDACT_MAX_VALUE_BYTES];
  uint64_t seed = 7;
  (void)state;
  for (size_t i = 0; i < sizeof(bytes); i++)
    bytes[i] = (uint8_t)(kr_naive_random(&seed) >> 40);
  kr_naive_value value = {bytes, sizeof(bytes)};
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = kr_naive_set(&value, 1);
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(1u << 20, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1u << 20, NULL);
  assert_int_equal(kr_buf_byte(&text, '<'), KR_OK);
  for (size_t i = 0; i < sizeof(bytes); i++) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t escape[3] = {'%', (uint8_t)digits[bytes[i] >> 4], (uint8_t)digits[bytes[i] & 15]};
    assert_int_equal(kr_buf_append(&text, kr_str_from(escape, 3)), KR_OK);
  }
  assert_int_equal(kr_buf_append(&text, KR_STR("><")), KR_OK);
  assert_int_equal(kr_buf_append(&text, kr_str_from(bytes, sizeof(bytes))), KR_OK);
  assert_int_equal(kr_buf_append(&text, KR_STR(">")), KR_OK);
  assert_int_equal(kr_redact_bytes(set, kr_buf_str(&text), NULL, &out, NULL), KR_OK);
  assert_text(&out, "<" M "><" M ">");
}

static void binary_text(void **state) {
  kr_naive_value value = {(const uint8_t *)"\0\xFF\xC3\0k", 5};
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = kr_naive_set(&value, 1);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
  (void)state;
  kr_str in = KR_STR("\xFF\0\xFF\xC3\0k\x80%00%ff%C3%00k");
  assert_int_equal(kr_redact_bytes(set, in, NULL, &out, NULL), KR_OK);
  assert_text(&out, "\xFF" M "\x80" M);
}

static void spans_and_values_are_one_union(void **state) {
  static const kr_span spans[] = {
      {.offset = 2, .len = 3, .secrets = 1},
      {.offset = 5, .len = 2, .secrets = 2}, /* adjacent: one marker */
      {.offset = 8, .len = 0, .secrets = 1}, /* empty: nothing to remove */
      {.offset = 20, .len = 3, .secrets = 4},
  };
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of("sesame", "12345");
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
  kr_redact_report report = {0};
  (void)state;
  /* 0..: "ab" span span "xyz" value "qrst" part of a value under the last span */
  kr_str in = KR_STR("ab12345.xyz sesame.12345");
  assert_int_equal(kr_redact_spans(set, in, spans, 4, NULL, &out, &report), KR_OK);
  assert_text(&out, "ab" M ".xyz " M "." M);
  assert_int_equal(report.n_runs, 3);
  uint64_t n_span = 0;
  uint64_t n_value = 0;
  for (size_t i = 0; i < report.n_hits; i++) {
    n_span += report.hits[i].form == KR_FORM_SPAN ? report.hits[i].count : 0;
    n_value += report.hits[i].form == KR_FORM_RAW ? report.hits[i].count : 0;
  }
  assert_int_equal(n_span, 3);
  assert_int_equal(n_value, 3); /* "12345" twice: neither lies inside one span; "sesame" */
  kr_redact_report_done(&report);
}

static void marker_names(void **state) {
  static const kr_redact_options options = {.use_marker_names = true};
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of("abcdeX", "Xvery");
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
  (void)state;
  assert_int_equal(kr_redact_bytes(set, KR_STR("Xvery abcdeXvery"), &options, &out, NULL), KR_OK);
  assert_true(kr_redact_verify(set, kr_buf_str(&out)));
  assert_text(&out, "[REDACTED:V1] [REDACTED:V0]");
}

static void hits_are_counted(void **state) {
  static const kr_redact_hit expected[] = {
      {0, KR_FORM_RAW, 2}, {0, KR_FORM_PERCENT, 1}, {0, KR_FORM_JSON, 1},    {0, KR_FORM_BASE64, 1},
      {0, KR_FORM_HEX, 1}, {1, KR_FORM_RAW, 3},     {1, KR_FORM_PERCENT, 1}, {1, KR_FORM_JSON, 1},
  };
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of("open/sesame", "same");
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
  kr_redact_report report = {0};
  (void)state;
  kr_str in = KR_STR("open/sesame open/sesame same open%2Fsesame open\\/sesame b3Blbi9zZXNhbWU "
                     "6f70656e2f736573616d65");
  assert_int_equal(kr_redact_bytes(set, in, NULL, &out, &report), KR_OK);
  assert_int_equal(report.n_runs, 7);
  /* "same" also ends inside the longer ones: raw twice, hex once, and as itself */
  uint64_t total = 0;
  for (size_t i = 0; i < report.n_hits; i++)
    total += report.hits[i].count;
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(report.hits[i].value, expected[i].value);
    assert_int_equal(report.hits[i].form, expected[i].form);
    assert_int_equal(report.hits[i].count, expected[i].count);
  }
  assert_int_equal(total, 6 + 3 + 2 + 1);
  kr_redact_report_done(&report);
}

static kr_status refuse(void *ctx, kr_str bytes) {
  (void)ctx;
  (void)bytes;
  return KR_IO;
}

static void failures_stick(void **state) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of("sesame", NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(12, NULL);
  (void)state;
  assert_int_equal(kr_redact_stream_new(set, NULL, refuse, NULL, &stream, NULL), KR_OK);
  assert_int_equal(kr_redact_stream_feed(stream, KR_STR("... ")), KR_IO);
  assert_int_equal(kr_redact_stream_finish(stream), KR_IO);
  assert_int_equal(kr_buf_append(&out, KR_STR("ab")), KR_OK);
  assert_int_equal(kr_redact_bytes(set, KR_STR("0123 sesame 01"), NULL, &out, NULL), KR_LIMIT);
  assert_int_equal(out.len, 2);
}

static kr_status build_and_redact(void) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
  kr_str in = KR_STR("x sesame %73esame \\u0073esame c2VzYW1l");
  KR_TRY(kr_redact_builder_new(&builder, NULL));
  KR_TRY(kr_redact_builder_add(builder, KR_STR("A"), 1, KR_STR(" sesame "), NULL));
  KR_TRY(kr_redact_builder_add(builder, KR_STR("B"), 1, KR_STR("open"), NULL));
  KR_TRY(kr_redact_builder_build(builder, &set, NULL));
  kr_redact_report report = {0};
  kr_status status = kr_redact_bytes(set, in, NULL, &out, &report);
  kr_redact_report_done(&report);
  assert_true(status == KR_OK || out.len == 0);
  KR_TRY(status);
  assert_int_equal(kr_str_find(kr_buf_str(&out), KR_STR("sesame"), 0), SIZE_MAX);
  KR_TRY(kr_redact_stream_new(set, NULL, collect, &out, &stream, NULL));
  KR_TRY(kr_redact_stream_feed(stream, in));
  return kr_redact_stream_finish(stream);
}

static void allocations_may_fail(void **state) {
  (void)state;
  size_t n = 0;
  for (;; n++) {
    kr_test_fail_at(n);
    kr_status status = build_and_redact();
    if (kr_test_fail_stop() == 0)
      break;
    assert_int_equal(status, KR_NOMEM);
  }
  assert_true(n > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(held_is_exact),      cmocka_unit_test(held_keeps_the_mixed_character),
      cmocka_unit_test(floods_hold_little), cmocka_unit_test(longest_value),
      cmocka_unit_test(binary_text),        cmocka_unit_test(spans_and_values_are_one_union),
      cmocka_unit_test(marker_names),       cmocka_unit_test(hits_are_counted),
      cmocka_unit_test(failures_stick),     cmocka_unit_test(allocations_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
