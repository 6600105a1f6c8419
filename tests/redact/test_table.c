/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_table.c - the table of what is caught and what is not (docs/redaction.md
 * cites its rows): in one shot, in every split, and by the naive reference.
 */
#include "redact/naive.h"

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
    {"many readings of a value that repeats itself, none whole",
     {"/n\\/n\\/n\\/n\\/n\\/n\\/n\\/n\\/n\\/n\\"},
     "\\/\\u006E\\\\/n\\\\/\\u006E\\\\/n\\\\/n\\u005c/n\\\\/",
     "\\/\\u006E\\\\/n\\\\/\\u006E\\\\/n\\\\/n\\u005c/n\\\\/"},
    {"many readings in all escapes, none whole",
     {"\\\"/\\\"/\\\"/\\\"/\\\"/\\\"/\\\"/\\\"/\\\"/\\\"/\\\"/\\\"/\\\""},
     "&#X5C;\\\"%2F&#x5c;&quot;%2f&#92;\\\\\\\"\\u002F\\u005C\"/\\u005c\"/\\&quot;/"
     "\\\\\\\\\"%2f\\\\\\\\\"",
     "&#X5C;\\\"%2F&#x5c;&quot;%2f&#92;\\\\\\\"\\u002F\\u005C\"/\\u005c\"/\\&quot;/"
     "\\\\\\\\\"%2f\\\\\\\\\""},
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

int main(void) {
  static struct CMUnitTest row_tests[N_ROWS];
  for (size_t i = 0; i < N_ROWS; i++)
    row_tests[i] = (struct CMUnitTest){
        .name = rows[i].name, .test_func = run_row, .initial_state = (void *)(uintptr_t)&rows[i]};
  return _cmocka_run_group_tests("table", row_tests, N_ROWS, NULL, NULL);
}
