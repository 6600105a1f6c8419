/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redact.c - the table of what is caught and what is not (docs/redaction.md
 * cites its rows), sets and their limits, spans, marker names, streams and what
 * they hold, floods, and failing allocations.
 */
#include "redact/naive.h"
#include "redact/set.h"
#include "support/failalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define M "[REDACTED]"
#define ROW_VALUES 3

typedef struct row {
  const char *name;
  const char *values[ROW_VALUES];
  const char *in;
  const char *out;
} row;

/* s3cr et/va"lue holds what every escape cares about: blank, slash, quote. */
#define V "s3cr et/va\"lue"

static const row rows[] = {
    {"raw", {V}, "a " V " b", "a " M " b"},
    {"raw at both ends", {V}, V, M},
    {"raw twice touching", {V}, V V, M},
    {"case is not folded", {"Sesame"}, "sesame SESAME Sesame", "sesame SESAME " M},
    {"trimmed", {" sesame\n"}, "x=sesame;", "x=" M ";"},
    {"trimmed: whole form too", {" sesame\n"}, "x= sesame\n;", "x=" M ";"},
    {"percent upper", {V}, "?q=s3cr%20et%2Fva%22lue&", "?q=" M "&"},
    {"percent lower", {V}, "?q=s3cr%20et%2fva%22lue&", "?q=" M "&"},
    {"percent mixed and partial", {V}, "s%33cr+et/va%22%6Cu%65", M},
    {"percent all", {"key!"}, "%6b%65%79%21", M},
    {"percent with a literal percent", {"p%41ss w"}, "p%41ss%20w", M},
    {"percent with the percent escaped", {"p%41ss w"}, "p%2541ss+w", M},
    {"percent: foreign percent before", {"41abc d"}, "100%41abc%20d", "100%" M},
    {"percent: plus stays plus", {"a+b c"}, "a+b%20c a%2Bb+c", M " " M},
    {"json quote and slash", {V}, "{\"k\":\"s3cr et\\/va\\\"lue\"}", "{\"k\":\"" M "\"}"},
    {"json unicode any case", {"A&Jz/k"}, "A\\u0026\\u004a\\u007A\\u002Fk", M},
    {"json short escapes", {"a\tb\nc\rd"}, "a\\tb\\nc\\rd", M},
    {"json backslash", {"a\\b\\c d"}, "a\\\\b\\\\c d a\\b\\c d", M " " M},
    {"json newline in a key", {"-----BEGIN-----\nMIIE\n"}, "-----BEGIN-----\\nMIIE\\n", M},
    {"json two bytes", {"p\xC3\xA9z1"}, "p\\u00e9z1 p\\u00E9z1 p\xC3\xA9z1", M " " M " " M},
    {"json surrogate pair", {"k\xF0\x9F\x98\x80y1"}, "k\\ud83d\\uDE00y1", M},
    {"json half a pair spells nothing", {"k\xF0\x9F\x98\x80y1"}, "k\\ud83dy1", "k\\ud83dy1"},
    {"json twice",
     {V},
     "{\"k\":\"{\\\"v\\\":\\\"s3cr et/va\\\\\\\"lue\\\"}\"}",
     "{\"k\":\"{\\\"v\\\":\\\"" M "\\\"}\"}"},
    {"json twice, slash", {V}, "s3cr et\\\\/va\\\\\"lue s3cr et\\\\\\/va\\\\\\\"lue", M " " M},
    {"json twice, backslash", {"a\\b\\\\c d"}, "a\\\\\\\\b\\\\\\\\\\\\\\\\c d", M},
    {"json twice, short escapes", {"a\tb\nc\rd"}, "a\\\\tb\\\\nc\\\\rd a\\\\tb\\nc\rd", M " " M},
    {"json twice, unicode any case", {"A&Jz/k"}, "A\\\\u0026\\\\u004az\\\\u002Fk", M},
    {"json twice, surrogate pair",
     {"k\xF0\x9F\x98\x80y1"},
     "k\\\\ud83d\\\\uDE00y1 k\\\\ud83d\\uDE00y1",
     M " k\\\\ud83d\\uDE00y1"},
    {"json twice: what it is not",
     {"a\nb1", "a\\b1"},
     "a\\\\\\nb1 a\\\\\\b1 a\\u005cnb1",
     "a\\\\\\nb1 a\\\\\\b1 a\\u005cnb1"},
    {"json once and twice are both read", {"a\\nb1", "a\nb2"}, "a\\\\nb1 a\\\\nb2", M " " M},
    {"base64 in json twice", {"\xFB\xFF\xBE?>k"}, "+\\\\/+\\\\u002bPz5r +\\\\\\/++Pz5r", M " " M},
    {"base64 mixed neighbours, twice",
     {"sesame"},
     "\\\\\\/\\\\u0033Nlc2FtZ\\\\u0051=",
     "\\\\\\/" M "="},
    {"html named", {"a&b<c>\"d'"}, "a&amp;b&lt;c&gt;&quot;d&apos;", M},
    {"html numbers", {"A&Jz/k"}, "&#65;&#038;&#x4a;&#X007A;&#47;&#000000107;", M},
    {"html two and four bytes", {"\xC3\xA9 \xF0\x9F\x98\x80"}, "&#233;&#32;&#x1F600;", M},
    {"html no-break space", {"a\xC2\xA0pin"}, "a&nbsp;pin a&#160;pin", M " " M},
    {"html partly", {V}, "s3cr et/va&quot;lue s3cr&#32;et/va\"lue", M " " M},
    {"html: entities that spell nothing",
     {"key1"},
     "key1&#xD800;key&#49 key&#1114161; key&#0000000049; key&#; key&#x; &KEY;",
     M "&#xD800;key&#49 key&#1114161; key&#0000000049; key&#; key&#x; &KEY;"},
    {"html in a value", {"a&amp;b"}, "a&amp;b a&amp;amp;b", M " " M},
    {"base64 in html", {"\xFB\xFF\xBE?>k"}, "&#43;&#x2f;+&#x2b;Pz5r +/+&#43;Pz5r", M " " M},
    {"base64 mixed neighbours, as entities",
     {"sesame"},
     "&#47;&#00000051;Nlc2FtZ&#x51;=",
     "&#47;" M "="},
    {"json and percent in one", {"a/b c%d"}, "a\\/b%20c%d", M},
    {"base64 alone", {"open sesame"}, "b3BlbiBzZXNhbWU=", M "="},
    {"base64 of prefix and newline", {"open sesame"}, "dXNlcjpvcGVuIHNlc2FtZQo=", "dXNlcj" M "o="},
    {"basic auth",
     {"Pa55word!"},
     "Authorization: Basic YWxpY2U6UGE1NXdvcmQh",
     "Authorization: Basic YWxpY2U6" M},
    {"base64 url alphabet", {"\xFB\xFF\xBE?>k"}, "-_--Pz5r +/++Pz5r", M " " M},
    {"base64 in percent", {"\xFB\xFF\xBE?>k"}, "%2B%2f%2B%2BPz5r", M},
    {"base64 in json", {"\xFB\xFF\xBE?>k"}, "+\\/++Pz5r", M},
    {"base64 mixed neighbours, escaped", {"2fsesame!", "sesame"}, "\\u002fc2VzYW1l", "\\u002f" M},
    {"hex lower", {"open sesame"}, "6f70656e20736573616d65", M},
    {"hex upper and mixed",
     {"open sesame"},
     "x6F70656E20736573616D65 6f70656E20736573616D65",
     "x" M " " M},
    {"overlapping values leave no tail",
     {"abcdeX", "Xvery-sensitive-value"},
     "abcdeXvery-sensitive-value",
     M},
    {"the same the other way round",
     {"Xvery-sensitive-value", "abcdeX"},
     "abcdeXvery-sensitive-value",
     M},
    {"value inside a value",
     {"sesame", "open sesame!"},
     "sesame open sesame! sesam",
     M " " M " sesam"},
    {"restart inside a mismatch", {"aabc"}, "aaabc", "a" M},
    {"self-overlap", {"abab"}, "xabababx", "x" M "x"},
    {"shared prefix", {"token-1", "token-12"}, "token-12 token-1 token-", M " " M " token-"},
    {"escaped key in an error text",
     {"k\"1\\x"},
     "invalid key \"k\\\"1\\\\x\": denied",
     "invalid key \"" M "\": denied"},
    {"userinfo of a URL",
     {"p@ss:w/rd"},
     "https://u:p%40ss%3Aw%2Frd@h/ https://u:p@ss:w%2frd@h/",
     "https://u:" M "@h/ https://u:" M "@h/"},
    {"number in json", {"4111222233"}, "{\"card\":4111222233}", "{\"card\":" M "}"},
    {"partial at the end is printed", {"sesame"}, "open sesam", "open sesam"},
    {"unfinished escape at the end", {"sesame"}, "sesam%6", "sesam%6"},
    {"value of one letter", {"aaaa"}, "aaa aaaa aaaaaaa", "aaa " M " " M},
    {"marker text as a value", {"REDACTED"}, "REDACTED [REDACTED]", M " [" M "]"},
    {"output is not read again", {"xx[REDACTED]", "abcd"}, "xxabcd", "xx" M},
    {"short value is not searched", {"abc"}, "abc %61bc YWJj", "abc %61bc YWJj"},
    {"four bytes: raw and escapes, not base64", {"abcd"}, "abcd %61bcd YWJjZA", M " " M " YWJjZA"},
    {"split by foreign text: not caught",
     {"open sesame"},
     "open-sesame open\nsesame",
     "open-sesame open\nsesame"},
    {"reversed: not caught", {"open sesame"}, "emases nepo", "emases nepo"},
    {"empty text", {"sesame"}, "", ""},
    {"no values", {NULL}, "anything", "anything"},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static size_t fill(const row *r, kr_naive_value values[ROW_VALUES]) {
  size_t n = 0;
  for (; n < ROW_VALUES && r->values[n] != NULL; n++)
    values[n] = (kr_naive_value){.ptr = (const uint8_t *)r->values[n], .len = strlen(r->values[n])};
  return n;
}

static void assert_text(kr_buf *out, const char *expected) {
  assert_int_equal(kr_buf_byte(out, 0), KR_OK);
  assert_string_equal((const char *)out->ptr, expected);
}

static kr_status collect(void *ctx, kr_str bytes) { return kr_buf_append(ctx, bytes); }

static void run_row(void **state) {
  const row *r = *state;
  kr_naive_value values[ROW_VALUES];
  size_t n_values = fill(r, values);
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = kr_naive_set(values, n_values);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(10000, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf naive = KR_BUF_INIT(10000, NULL);
  assert_int_equal(kr_redact_bytes(set, kr_str_cstr(r->in), NULL, &out, NULL), KR_OK);
  assert_int_equal(kr_redact_verify(set, kr_buf_str(&out)), strstr(r->out, "xx" M) == NULL);
  assert_text(&out, r->out);
  kr_naive_redact(values, n_values, kr_str_cstr(r->in), &naive);
  assert_text(&naive, r->out);
  for (size_t cut = 0; cut <= strlen(r->in); cut++) {
    KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
    out.len = 0;
    assert_int_equal(kr_redact_stream_new(set, NULL, collect, &out, &stream, NULL), KR_OK);
    assert_int_equal(kr_redact_stream_feed(stream, kr_str_slice(kr_str_cstr(r->in), 0, cut)), 0);
    assert_int_equal(kr_redact_stream_feed(stream, kr_str_skip(kr_str_cstr(r->in), cut)), 0);
    assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
    assert_text(&out, r->out);
  }
}

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

static void sets_and_their_limits(void **state) {
  static uint8_t big[KR_REDACT_MAX_VALUE_BYTES + 1];
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *more = NULL;
  kr_error error = {0};
  (void)state;
  memset(big, 'x', sizeof(big));
  assert_int_equal(kr_redact_builder_new(&builder, &error), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), 1, KR_STR(""), &error), KR_INVALID);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), 1, KR_STR(" \t\n"), &error),
                   KR_INVALID);
  assert_non_null(strstr(error.message, "A"));
  kr_str over = kr_str_from(big, sizeof(big));
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), 1, over, &error), KR_LIMIT);
  over.len--;
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), 1, over, &error), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, over, 1, KR_STR("abcd"), &error), KR_LIMIT);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("B"), 2, KR_STR("abc"), &error), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("B"), 2, KR_STR("abc"), &error), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("C"), 3, KR_STR("abc"), &error), KR_OK);
  assert_int_equal(kr_redact_builder_build(builder, &set, &error), KR_OK);
  assert_int_equal(kr_redact_set_n_values(set), 3); /* the same name and value: once */
  assert_int_equal(kr_redact_set_n_short(set), 2);
  assert_int_equal(kr_redact_set_version(set, 2), 3);
  assert_true(kr_str_equal(kr_redact_set_name(set, 1), KR_STR("B")));
  assert_int_equal(kr_redact_builder_add_set(builder, set), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("D"), 1, KR_STR("run only"), NULL), KR_OK);
  assert_int_equal(kr_redact_builder_build(builder, &more, &error), KR_OK);
  assert_int_equal(kr_redact_set_n_values(more), 4);
  kr_redact_set_free(kr_redact_set_ref(more));
  assert_true(!kr_redact_verify(more, KR_STR("a run only b")));
}

static void total_is_limited(void **state) {
  static uint8_t big[KR_REDACT_MAX_VALUE_BYTES];
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  kr_error error = {0};
  (void)state;
  memset(big, 'x', sizeof(big));
  assert_int_equal(kr_redact_builder_new(&builder, &error), KR_OK);
  for (size_t i = 0; i < 256; i++)
    assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), (uint32_t)i,
                                           kr_str_from(big, sizeof(big)), &error),
                     KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("B"), 1, KR_STR("abcd"), &error),
                   KR_LIMIT);
}

static void number_of_values_is_limited(void **state) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  kr_error error = {0};
  (void)state;
  assert_int_equal(kr_redact_builder_new(&builder, &error), KR_OK);
  for (uint32_t i = 0; i < KR_REDACT_MAX_VALUES; i++)
    assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), i, KR_STR("abcd"), NULL), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("A"), 0, KR_STR("abcd"), &error),
                   KR_LIMIT);
}

/* Many values that share prefixes and borders: the automaton stays consistent and finds each. */
static void many_values(void **state) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  (void)state;
  assert_int_equal(kr_redact_builder_new(&builder, NULL), KR_OK);
  for (uint32_t i = 0; i < 3000; i++) {
    char value[32];
    int n = snprintf(value, sizeof(value), "%u-key-%u", i % 50, i * 7919u);
    assert_int_equal(
        kr_redact_builder_add(builder, KR_STR("K"), i, kr_str_from(value, (size_t)n), NULL), KR_OK);
  }
  assert_int_equal(kr_redact_builder_build(builder, &set, NULL), KR_OK);
  kr_redact_automaton_validate(set->forms);
  kr_redact_automaton_validate(set->hex);
  for (uint32_t i = 0; i < 3000; i++) {
    char text[64];
    int n = snprintf(text, sizeof(text), "(%u%%2Dkey-%u)", i % 50, i * 7919u);
    KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
    assert_int_equal(kr_redact_bytes(set, kr_str_from(text, (size_t)n), NULL, &out, NULL), KR_OK);
    assert_text(&out, "(" M ")");
  }
}

/* What the check looks for, found by itself in text that was never redacted. */
static void verify_finds_each_form(void **state) {
  static const char *const leaks[] = {
      V,
      "s3cr%20et%2Fva%22lue",
      "s3cr%20et%2fva%22lue",
      "s3cr+et%2Fva%22lue",
      "%73%33%63%72%20%65%74%2f%76%61%22%6c%75%65",
      "s3cr%20et/va%22lue",
      "s3cr et/va\\\"lue",
      "s3cr et\\/va\\\"lue",
      "733363722065742f7661226c7565",
      "733363722065742F7661226C7565",
      "czNjciBldC92YSJsdWU=",
      "OnMzY3IgZXQvdmEibHVl",
      "OjpzM2NyIGV0L3ZhImx1ZQ==",
  };
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of(V, "REDACTED");
  (void)state;
  for (size_t i = 0; i < sizeof(leaks) / sizeof(leaks[0]); i++)
    if (kr_redact_verify(set, kr_str_cstr(leaks[i])))
      fail_msg("leak %zu is not found", i);
  assert_true(kr_redact_verify(set, KR_STR("x [REDACTED] [REDACTED:V0] s3cr et")));
  assert_false(kr_redact_verify(set, KR_STR("x [REDACTED:OTHER]")));
  assert_false(kr_redact_verify(set, KR_STR("[REDACTED] REDACTED")));
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
  static struct CMUnitTest row_tests[N_ROWS];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(held_is_exact),
      cmocka_unit_test(held_keeps_the_mixed_character),
      cmocka_unit_test(floods_hold_little),
      cmocka_unit_test(longest_value),
      cmocka_unit_test(binary_text),
      cmocka_unit_test(spans_and_values_are_one_union),
      cmocka_unit_test(marker_names),
      cmocka_unit_test(hits_are_counted),
      cmocka_unit_test(sets_and_their_limits),
      cmocka_unit_test(total_is_limited),
      cmocka_unit_test(number_of_values_is_limited),
      cmocka_unit_test(many_values),
      cmocka_unit_test(verify_finds_each_form),
      cmocka_unit_test(failures_stick),
      cmocka_unit_test(allocations_may_fail),
  };
  for (size_t i = 0; i < N_ROWS; i++)
    row_tests[i] = (struct CMUnitTest){
        .name = rows[i].name, .test_func = run_row, .initial_state = (void *)(uintptr_t)&rows[i]};
  int failed = _cmocka_run_group_tests("table", row_tests, N_ROWS, NULL, NULL);
  return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
