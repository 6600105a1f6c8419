/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_late.c - values that become known while a stream is under way, against
 * what docs/redaction.md says of every byte: what was written stays as it is,
 * the rest is what one shot with all values makes of it.
 */
#include "redact/naive.h"
#include "redact/stream.h"
#include "support/failalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define M "[REDACTED]"
#define VALUES_MAX 4
#define VALUE_BYTES 12
#define TEXT_MAX 4000

static kr_status collect(void *ctx, kr_str bytes) { return kr_buf_append(ctx, bytes); }

static kr_redact_set *set_of(const char *a, const char *b, const char *c) {
  const char *const given[] = {a, b, c};
  kr_naive_value values[3] = {{0}};
  size_t n = 0;
  for (size_t i = 0; i < 3; i++)
    if (given[i] != NULL)
      values[n++] = (kr_naive_value){.ptr = (const uint8_t *)given[i], .len = strlen(given[i])};
  return kr_naive_set(values, n);
}

static void assert_text(kr_buf *out, const char *expected) {
  assert_int_equal(kr_buf_byte(out, 0), KR_OK);
  assert_string_equal((const char *)out->ptr, expected);
  out->len--;
}

/* ---- a table ---- */

typedef struct row {
  const char *name;
  const char *known; /* from the start; NULL: nothing */
  const char *late;  /* known between the two texts */
  const char *before;
  const char *after;
  const char *out;
  uint64_t n_runs;
  uint64_t n_late_partial;
} row;

static const row rows[] = {
    {"wholly after", NULL, "sesame", "open ", "sesame!", "open " M "!", 1, 0},
    {"wholly before is out", NULL, "sesame", "sesame ", "x", "sesame x", 0, 0},
    {"begun before", NULL, "sesame", "open ses", "ame!", "open ses" M "!", 1, 1},
    {"held for another value", "sesa---", "sesame", "open sesa", "me!", "open " M "!", 1, 0},
    {"found in what is held", "sesame---", "sesame", "open sesame", "!", "open " M "!", 1, 0},
    {"inside what is held", "xx sesa---", "esam", "xx sesa", "me", "xx s" M "e", 1, 0},
    {"partly held", "same--", "sesame", "open sesa", "me!", "open se" M "!", 1, 1},
    {"escaped, begun before", NULL, "se sa%", "x se%20s", "a%25!", "x se%20s" M "!", 1, 1},
    {"in the middle of an escape", NULL, "se sa%", "x se%2", "0sa%25!", "x se%2" M "!", 1, 1},
    {"base64, begun before", NULL, "open sesame", "x b3Blbi", "BzZXNhbWU=", "x b3Blbi" M "=", 1, 1},
    {"hex, begun before", NULL, "open", "6F7", "0656e.", "6F7" M ".", 1, 1},
    {"behind a marker", "sesame", "abcd", "sesame", "abcd.", M ".", 1, 0},
    {"touches a marker from before it", "sesame", "xxsesameyy", "xxsesame", "yy.", "xx" M ".", 1,
     1},
    {"one more marker", "sesame", "abcd", "sesame ", "abcd.", M " " M ".", 2, 0},
    {"two that overlap over the edge", NULL, "abab", "xab", "ababx", "xab" M "x", 1, 1},
    {"the end of the input decides", "sesame", "sesa", "open sesa", "", "open " M, 1, 0},
    {"not there in the end", NULL, "sesame", "open ses", "am", "open sesam", 0, 0},
    {"known already", "sesame", "sesame", "open ses", "ame!", "open " M "!", 1, 0},
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void run_row(void **state) {
  const row *r = *state;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *older = set_of(r->known, NULL, NULL);
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *newer = set_of(r->late, NULL, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(10000, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  assert_int_equal(kr_redact_stream_new(older, NULL, collect, &out, &stream, NULL), KR_OK);
  kr_redact_stream_keep(stream);
  assert_int_equal(kr_redact_stream_feed(stream, kr_str_cstr(r->before)), KR_OK);
  assert_int_equal(kr_redact_stream_update(stream, newer), KR_OK);
  assert_int_equal(kr_redact_stream_feed(stream, kr_str_cstr(r->after)), KR_OK);
  assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
  assert_text(&out, r->out);
  assert_int_equal(kr_redact_stream_report(stream)->n_runs, r->n_runs);
  assert_int_equal(kr_redact_stream_report(stream)->n_late_partial, r->n_late_partial);
}

/* ---- every split, against the plain reading of the specification ---- */

typedef struct late_case {
  uint8_t bytes[VALUES_MAX][VALUE_BYTES];
  kr_naive_value values[VALUES_MAX];
  size_t n_values;
  kr_buf text;
  bool covered[VALUES_MAX + 1][TEXT_MAX]; /* [n]: by the first n values */
  kr_redact_set *sets[VALUES_MAX + 1];
  uint64_t n_hits[VALUES_MAX + 1]; /* of the first n values in one shot */
} late_case;

static const char *const alphabets[] = {"ab",      "a",        "ab%26 1", "ab\\nu06/\"",
                                        "a+ %2B0", "Ya+/-_x9", "%25"};

static uint64_t hits_of(const kr_redact_report *report, size_t n_values) {
  uint64_t n = 0;
  for (size_t i = 0; i < report->n_hits; i++)
    n += report->hits[i].value < n_values ? report->hits[i].count : 0;
  return n;
}

static uint64_t hits_in_one_shot(const late_case *c, size_t n_values) {
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(100000, NULL);
  kr_redact_report report = {0};
  assert_int_equal(kr_redact_bytes(c->sets[n_values], kr_buf_str(&c->text), NULL, &out, &report),
                   KR_OK);
  uint64_t n = hits_of(&report, n_values);
  kr_redact_report_done(&report);
  return n;
}

static void make_case(uint64_t *seed, late_case *c) {
  const char *alphabet = alphabets[kr_naive_below(seed, sizeof(alphabets) / sizeof(alphabets[0]))];
  size_t n_letters = strlen(alphabet);
  *c = (late_case){.text = KR_BUF_INIT(TEXT_MAX - 1, NULL)};
  c->n_values = 1 + kr_naive_below(seed, VALUES_MAX);
  for (size_t i = 0; i < c->n_values; i++) {
    size_t len = 4 + kr_naive_below(seed, VALUE_BYTES - 3);
    for (size_t at = 0; at < len; at++)
      c->bytes[i][at] = (uint8_t)alphabet[kr_naive_below(seed, n_letters)];
    c->bytes[i][0] = c->bytes[i][0] == ' ' ? 'a' : c->bytes[i][0];
    c->values[i] = (kr_naive_value){.ptr = c->bytes[i], .len = len};
  }
  /* Sometimes far enough into the stream that it has forgotten its beginning. */
  for (size_t n = kr_naive_below(seed, 2) * 600; n > 0; n--)
    assert_int_equal(kr_buf_byte(&c->text, '.'), KR_OK);
  for (size_t n_pieces = 1 + kr_naive_below(seed, 4); n_pieces > 0; n_pieces--) {
    kr_naive_value value = c->values[kr_naive_below(seed, c->n_values)];
    kr_str part = kr_str_from(value.ptr, value.len);
    if (kr_naive_below(seed, 4) == 0)
      part = kr_str_slice(part, 0, 1 + kr_naive_below(seed, part.len));
    kr_naive_spell(seed, part, &c->text);
    for (size_t n = kr_naive_below(seed, 3); n > 0; n--)
      assert_int_equal(kr_buf_byte(&c->text, (uint8_t)alphabet[kr_naive_below(seed, n_letters)]),
                       KR_OK);
  }
  for (size_t n = 0; n <= c->n_values; n++) {
    (void)kr_naive_cover(c->values, n, kr_buf_str(&c->text), c->covered[n]);
    c->sets[n] = kr_naive_set(c->values, n);
    c->n_hits[n] = hits_in_one_shot(c, n);
  }
}

static void drop_case(late_case *c) {
  for (size_t n = 0; n <= c->n_values; n++)
    kr_redact_set_free(c->sets[n]);
  kr_buf_done(&c->text);
}

/* From byte at on the first n values are known. */
typedef struct stage {
  size_t at;
  size_t n_values;
} stage;

/* What the specification says: one marker for each run of removed bytes, each byte by its stage. */
static uint64_t expect(const late_case *c, const stage *stages, size_t n_stages, kr_buf *out) {
  uint64_t n_runs = 0;
  bool was_removed = false;
  size_t current = 0;
  for (size_t i = 0; i < c->text.len; i++) {
    while (current + 1 < n_stages && stages[current + 1].at <= i)
      current++;
    bool is_removed = c->covered[stages[current].n_values][i];
    if (is_removed && !was_removed) {
      n_runs++;
      assert_int_equal(kr_buf_append(out, KR_STR(M)), KR_OK);
    } else if (!is_removed) {
      assert_int_equal(kr_buf_byte(out, c->text.ptr[i]), KR_OK);
    }
    was_removed = is_removed;
  }
  return n_runs;
}

/* Does a run of all values reach over the edge, from before what the older ones had removed? */
static uint64_t expect_partial(const late_case *c, size_t edge, size_t n_older, size_t n_newer) {
  if (edge == 0 || edge >= c->text.len || !c->covered[n_newer][edge] ||
      !c->covered[n_newer][edge - 1])
    return 0;
  size_t from = edge;
  while (from > 0 && c->covered[n_older][from - 1])
    from--;
  return from > 0 && c->covered[n_newer][from - 1] ? 1 : 0;
}

static void fail_case(const late_case *c, const kr_buf *got, const kr_buf *expected) {
  for (size_t i = 0; i < c->n_values; i++)
    print_error("value %zu: '%.*s'\n", i, (int)c->values[i].len, (const char *)c->values[i].ptr);
  print_error("text:     '%.*s'\n", (int)c->text.len, (const char *)c->text.ptr);
  print_error("got:      '%.*s'\n", (int)got->len, (const char *)got->ptr);
  print_error("expected: '%.*s'\n", (int)expected->len, (const char *)expected->ptr);
}

/* Feed the text with an update at each cut. With is_tight no byte is kept that need not be. */
static void run_case(const late_case *c, const size_t *cuts, const size_t *n_known, size_t n_cuts,
                     bool is_tight) {
  stage stages[3] = {{0, n_known[0]}};
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(100000, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf expected = KR_BUF_INIT(100000, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  kr_str text = kr_buf_str(&c->text);
  size_t at = 0;
  uint64_t n_partial = 0;
  assert_int_equal(kr_redact_stream_new(c->sets[n_known[0]], NULL, collect, &out, &stream, NULL),
                   KR_OK);
  kr_redact_stream_keep(stream);
  if (is_tight)
    stream->keep =
        17 * KR_REDACT_TOKEN_BYTES; /* the base64 of the longest value, each character escaped */
  for (size_t i = 0; i < n_cuts; i++) {
    for (; is_tight && at < cuts[i]; at++)
      assert_int_equal(kr_redact_stream_feed(stream, kr_str_slice(text, at, at + 1)), KR_OK);
    assert_int_equal(kr_redact_stream_feed(stream, kr_str_slice(text, at, cuts[i])), KR_OK);
    at = cuts[i];
    stages[i + 1] = (stage){at - kr_redact_stream_held(stream), n_known[i + 1]};
    assert_true(stages[i + 1].at >= stages[i].at);
    n_partial = expect_partial(c, stages[i + 1].at, n_known[i], n_known[i + 1]);
    assert_int_equal(kr_redact_stream_update(stream, c->sets[n_known[i + 1]]), KR_OK);
  }
  assert_int_equal(kr_redact_stream_feed(stream, kr_str_skip(text, at)), KR_OK);
  assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
  uint64_t n_runs = expect(c, stages, n_cuts + 1, &expected);
  const kr_redact_report *report = kr_redact_stream_report(stream);
  bool is_equal = kr_str_equal(kr_buf_str(&out), kr_buf_str(&expected)) && report->n_runs == n_runs;
  if (n_cuts == 1)
    is_equal = is_equal && report->n_late_partial == n_partial;
  if (!is_equal) {
    fail_case(c, &out, &expected);
    fail_msg("cut at %zu (%zu written), %zu then %zu values known; %llu runs, not %llu; %llu "
             "partial, not %llu",
             cuts[0], stages[1].at, n_known[0], n_known[1], (unsigned long long)report->n_runs,
             (unsigned long long)n_runs, (unsigned long long)report->n_late_partial,
             (unsigned long long)n_partial);
  }
  uint64_t n_hits = hits_of(report, n_known[0]);
  if ((n_hits > 0) != (c->n_hits[n_known[0]] > 0)) {
    fail_case(c, &out, &expected);
    fail_msg("cut at %zu, %zu then %zu values known; %llu hits of the older ones, not %llu",
             cuts[0], n_known[0], n_known[1], (unsigned long long)n_hits,
             (unsigned long long)c->n_hits[n_known[0]]);
  }
}

static size_t n_rounds(size_t n) { return getenv("KROSYN_TEST_LONG") == NULL ? n : n * 20; }

static void every_split(void **state) {
  uint64_t seed = 4242;
  (void)state;
  for (size_t round = 0; round < n_rounds(200); round++) {
    static late_case c;
    make_case(&seed, &c);
    size_t n_known[2] = {kr_naive_below(&seed, c.n_values), c.n_values};
    for (size_t cut = c.text.len > 600 ? 599 : 0; cut <= c.text.len; cut++)
      run_case(&c, &cut, n_known, 1, round % 3 == 0);
    drop_case(&c);
  }
}

/* The second update may come before the scanner is past the edge of the first. */
static void two_updates(void **state) {
  uint64_t seed = 777;
  (void)state;
  for (size_t round = 0; round < n_rounds(800); round++) {
    static late_case c;
    make_case(&seed, &c);
    if (c.n_values >= 2) {
      size_t between = 1 + kr_naive_below(&seed, c.n_values - 1);
      size_t n_known[3] = {kr_naive_below(&seed, between), between, c.n_values};
      for (size_t i = 0; i < 8; i++) {
        size_t cuts[2] = {kr_naive_below(&seed, c.text.len + 1), 0};
        cuts[1] = cuts[0] + kr_naive_below(&seed, c.text.len + 1 - cuts[0]);
        run_case(&c, cuts, n_known, 2, i % 2 == 0);
      }
    }
    drop_case(&c);
  }
}

/* ---- sets that lack values, names, memory, failures ---- */

/* A set without what the stream knows: nothing is removed mid-stream. */
static void nothing_is_forgotten(void **state) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *first = set_of("sesame", "barley", NULL);
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *second = set_of("wheat-1", NULL, NULL);
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *none = set_of(NULL, NULL, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(10000, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  (void)state;
  assert_int_equal(kr_redact_stream_new(first, NULL, collect, &out, &stream, NULL), KR_OK);
  kr_redact_stream_keep(stream);
  assert_int_equal(kr_redact_stream_update(stream, second), KR_OK);
  assert_int_equal(kr_redact_stream_feed(stream, KR_STR("sesame wheat-1 ")), KR_OK);
  assert_int_equal(kr_redact_stream_update(stream, none), KR_OK);
  assert_int_equal(kr_redact_stream_feed(stream, KR_STR("barley wheat-1")), KR_OK);
  assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
  assert_text(&out, M " " M " " M " " M);
  assert_int_equal(kr_redact_set_n_values(kr_redact_stream_set(stream)), 3);
  assert_int_equal(kr_redact_stream_update(stream, first), KR_INVALID);
}

static void named_marker_at_the_edge(void **state) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *none = set_of(NULL, NULL, NULL);
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *late = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(10000, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  const kr_redact_options options = {.use_marker_names = true};
  char name[KR_REDACT_NAME_BYTES];
  char expected[400];
  (void)state;
  memset(name, 'N', sizeof name);
  assert_int_equal(kr_redact_builder_new(&builder, NULL), KR_OK);
  assert_int_equal(
      kr_redact_builder_add(builder, kr_str_from(name, sizeof name), 1, KR_STR("sesame"), NULL),
      KR_OK);
  assert_int_equal(kr_redact_builder_build(builder, &late, NULL), KR_OK);
  assert_int_equal(kr_redact_stream_new(none, &options, collect, &out, &stream, NULL), KR_OK);
  kr_redact_stream_keep(stream);
  assert_int_equal(kr_redact_stream_feed(stream, KR_STR("open ses")), KR_OK);
  assert_int_equal(kr_redact_stream_update(stream, late), KR_OK);
  assert_int_equal(kr_redact_stream_feed(stream, KR_STR("ame!")), KR_OK);
  assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
  (void)snprintf(expected, sizeof expected, "open ses[REDACTED:%.*s]!", (int)sizeof name, name);
  assert_text(&out, expected);
}

/* What is kept for updates is bounded, whatever runs through. */
static void kept_is_bounded(void **state) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of("sesame", NULL, NULL);
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *late = set_of("aaaaaaaaaaaaaaab", NULL, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(32u << 20, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  static uint8_t flood[1u << 20];
  (void)state;
  memset(flood, 'a', sizeof flood);
  assert_int_equal(kr_redact_stream_new(set, NULL, collect, &out, &stream, NULL), KR_OK);
  kr_redact_stream_keep(stream);
  for (size_t i = 0; i < 8; i++) {
    assert_int_equal(kr_redact_stream_feed(stream, kr_str_from(flood, sizeof flood)), KR_OK);
    assert_true(stream->tail.cap <= 4 * KR_REDACT_LATE_BYTES);
  }
  assert_int_equal(kr_redact_stream_update(stream, late), KR_OK);
  assert_int_equal(kr_redact_stream_feed(stream, KR_STR("b.")), KR_OK);
  assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
  assert_int_equal(kr_redact_stream_report(stream)->n_late_partial, 1);
  /* One byte was held: it could have been a base64 character mixed with a value. */
  assert_int_equal(out.len, 8 * sizeof flood - 1 + strlen(M "."));
}

/* Far into a stream, and with much text behind: as if the newer set had read all of it. */
static void far_into_a_stream(void **state) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *older = set_of("sesame-and-more", NULL, NULL);
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *newer = set_of("barley-and-more", NULL, NULL);
  KR_CLEANUP(kr_redact_set_freep)
  kr_redact_set *both = set_of("sesame-and-more", "barley-and-more", NULL);
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(8u << 20, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(8u << 20, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf expected = KR_BUF_INIT(8u << 20, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  static const char line[] = "some words, sesame-and-more of them, %41 and more and more\n";
  static const char late[] = "some words, barley-and-more of them, barley%2Dand-more\n";
  (void)state;
  while (text.len < 400000)
    assert_int_equal(kr_buf_append(&text, kr_str_cstr(line)), KR_OK);
  assert_int_equal(kr_redact_stream_new(older, NULL, collect, &out, &stream, NULL), KR_OK);
  kr_redact_stream_keep(stream);
  assert_int_equal(kr_redact_stream_feed(stream, kr_buf_str(&text)), KR_OK);
  assert_true(stream->base > 0);
  assert_int_equal(kr_redact_stream_update(stream, newer), KR_OK);
  size_t n_before = text.len;
  for (size_t i = 0; i < 4000; i++)
    assert_int_equal(kr_buf_append(&text, i % 2 == 0 ? kr_str_cstr(line) : kr_str_cstr(late)),
                     KR_OK);
  assert_int_equal(kr_redact_stream_feed(stream, kr_str_skip(kr_buf_str(&text), n_before)), KR_OK);
  assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
  assert_int_equal(kr_redact_bytes(both, kr_buf_str(&text), NULL, &expected, NULL), KR_OK);
  assert_true(kr_str_equal(kr_buf_str(&out), kr_buf_str(&expected)));
}

/* Found anew is not counted anew; what is out and was not known then is not counted at all. */
static void hits_are_counted_once(void **state) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *older = set_of("sesame", "barley---", NULL);
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *newer = set_of("barley", "oat-flakes", NULL);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  (void)state;
  assert_int_equal(kr_redact_stream_new(older, NULL, collect, &out, &stream, NULL), KR_OK);
  kr_redact_stream_keep(stream);
  assert_int_equal(kr_redact_stream_feed(stream, KR_STR("sesame oat-flakes. barley")), KR_OK);
  const kr_redact_report *report = kr_redact_stream_report(stream);
  assert_int_equal(hits_of(report, 4), 1);
  assert_int_equal(kr_redact_stream_update(stream, newer), KR_OK);
  assert_int_equal(report->n_hits, 2);
  assert_int_equal(report->hits[0].count, 1); /* sesame */
  assert_int_equal(report->hits[1].count, 1); /* the barley that was held; no flakes */
  assert_int_equal(report->hits[1].value, 2);
  assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
  assert_text(&out, M " oat-flakes. " M);
}

static void older_hits_that_are_held_are_not_counted_twice(void **state) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *older = set_of("sesame", "sesame---", NULL);
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *newer = set_of("barley", NULL, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  (void)state;
  assert_int_equal(kr_redact_stream_new(older, NULL, collect, &out, &stream, NULL), KR_OK);
  kr_redact_stream_keep(stream);
  assert_int_equal(kr_redact_stream_feed(stream, KR_STR("open sesame")), KR_OK);
  assert_int_equal(kr_redact_stream_held(stream), 6);
  assert_int_equal(hits_of(kr_redact_stream_report(stream), 3), 1);
  assert_int_equal(kr_redact_stream_update(stream, newer), KR_OK);
  assert_int_equal(hits_of(kr_redact_stream_report(stream), 3), 1);
}

/* Without kr_redact_stream_keep the stream keeps what it always kept, and still takes updates. */
static void without_keeping(void **state) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of("sesame", NULL, NULL);
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *late = set_of("barley", NULL, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  (void)state;
  assert_int_equal(kr_redact_stream_new(set, NULL, collect, &out, &stream, NULL), KR_OK);
  assert_int_equal(kr_redact_stream_feed(stream, KR_STR("sesame bar")), KR_OK);
  assert_int_equal(stream->tail.len, kr_redact_stream_held(stream));
  assert_int_equal(kr_redact_stream_update(stream, late), KR_OK);
  assert_int_equal(kr_redact_stream_feed(stream, KR_STR("ley barley")), KR_OK);
  assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
  assert_text(&out, M " barley " M);
}

static kr_status late_work(kr_redact_set *older, kr_redact_set *newer, kr_buf *out) {
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  KR_TRY(kr_redact_stream_new(older, NULL, collect, out, &stream, NULL));
  kr_redact_stream_keep(stream);
  KR_TRY(kr_redact_stream_feed(stream, KR_STR("x sesame bar")));
  KR_TRY(kr_redact_stream_update(stream, newer));
  KR_TRY(kr_redact_stream_feed(stream, KR_STR("ley %41%42%43%44 .")));
  return kr_redact_stream_finish(stream);
}

/* Out of memory at any place: an error, and nothing more than what was right to write. */
static void allocations_may_fail(void **state) {
  static const char whole[] = "x " M " ba" M " " M " .";
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *older = set_of("sesame", NULL, NULL);
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *newer = set_of("barley", "ABCD", NULL);
  size_t n_failed = 0;
  (void)state;
  for (size_t n = 0;; n++) {
    static uint8_t room[100];
    kr_buf out = {.ptr = room, .cap = sizeof room, .limit = sizeof room};
    kr_test_fail_at(n);
    kr_status status = late_work(older, newer, &out);
    bool is_past = kr_test_fail_stop() == 0;
    assert_int_equal(status, is_past ? KR_OK : KR_NOMEM);
    assert_memory_equal(out.ptr, whole, out.len);
    if (is_past) {
      assert_int_equal(out.len, strlen(whole));
      break;
    }
    n_failed++;
  }
  assert_true(n_failed > 10);
}

/* ---- one shot with a scratch ---- */

static void unchanged_is_not_copied(void **state) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of("sesame", NULL, NULL);
  KR_CLEANUP(kr_redact_scratch_freep) kr_redact_scratch *scratch = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
  bool is_unchanged = false;
  kr_redact_report report = {0};
  (void)state;
  assert_int_equal(kr_redact_scratch_new(&scratch), KR_OK);
  assert_int_equal(kr_buf_append(&out, KR_STR("<")), KR_OK);
  assert_int_equal(kr_redact_with(scratch, set, KR_STR("open barley"), NULL, 0, NULL, &out, &report,
                                  &is_unchanged),
                   KR_OK);
  assert_true(is_unchanged);
  assert_int_equal(out.len, 1);
  assert_int_equal(kr_redact_with(scratch, set, KR_STR("open sesame"), NULL, 0, NULL, &out, &report,
                                  &is_unchanged),
                   KR_OK);
  assert_false(is_unchanged);
  assert_text(&out, "<open " M);
  const kr_span span = {.offset = 1, .len = 2};
  out.len = 0;
  assert_int_equal(
      kr_redact_with(scratch, set, KR_STR("abcd"), &span, 1, NULL, &out, NULL, &is_unchanged), 0);
  assert_false(is_unchanged);
  assert_text(&out, "a" M "d");
  assert_int_equal(report.n_runs, 1);
  kr_redact_report_done(&report);
}

/* A set with the same value that searches more, or less: a stream goes on with the most it had. */
static void late_forms(void **state) {
  static const struct {
    uint32_t forms;
    uint32_t min_search;
  } steps[] = {{0, 7}, {KR_REDACT_FORM_BIT(KR_FORM_PERCENT), 7}, {0, 6}, {0, 7}};
  static const char *const expected[] = {"se%73ame sesame", "se%73ame sesame", M " " M, M " " M};
  kr_redact_set *sets[4];
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    const kr_redact_secret secret = {
        .name = KR_STR("V"), .bytes = KR_STR("sesame"), .min_search = steps[i].min_search};
    KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
    assert_int_equal(kr_redact_builder_new(&builder, NULL), KR_OK);
    assert_int_equal(kr_redact_builder_add_secret(builder, &secret, NULL), KR_OK);
    kr_redact_builder_set_forms(builder, steps[i].forms);
    assert_int_equal(kr_redact_builder_build(builder, &sets[i], NULL), KR_OK);
  }
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(10000, NULL);
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  assert_int_equal(kr_redact_stream_new(sets[0], NULL, collect, &out, &stream, NULL), KR_OK);
  kr_redact_stream_keep(stream);
  for (size_t i = 0; i < 4; i++) {
    out.len = 0;
    assert_int_equal(kr_redact_stream_update(stream, sets[i]), KR_OK);
    assert_int_equal(kr_redact_stream_feed(stream, KR_STR("se%73ame sesame|")), KR_OK);
    out.len -= out.len > 0 && out.ptr[out.len - 1] == '|';
    assert_text(&out, expected[i]);
    kr_redact_set_free(sets[i]);
  }
  assert_int_equal(kr_redact_stream_finish(stream), KR_OK);
}

int main(void) {
  static struct CMUnitTest tests[N_ROWS];
  const struct CMUnitTest others[] = {
      cmocka_unit_test(late_forms),
      cmocka_unit_test(every_split),
      cmocka_unit_test(two_updates),
      cmocka_unit_test(nothing_is_forgotten),
      cmocka_unit_test(named_marker_at_the_edge),
      cmocka_unit_test(kept_is_bounded),
      cmocka_unit_test(far_into_a_stream),
      cmocka_unit_test(hits_are_counted_once),
      cmocka_unit_test(older_hits_that_are_held_are_not_counted_twice),
      cmocka_unit_test(without_keeping),
      cmocka_unit_test(allocations_may_fail),
      cmocka_unit_test(unchanged_is_not_copied),
  };
  for (size_t i = 0; i < N_ROWS; i++)
    tests[i] = (struct CMUnitTest){
        .name = rows[i].name, .test_func = run_row, .initial_state = (void *)(uintptr_t)&rows[i]};
  int n_failed = cmocka_run_group_tests_name("late: table", tests, NULL, NULL);
  return n_failed + cmocka_run_group_tests_name("late", others, NULL, NULL);
}
