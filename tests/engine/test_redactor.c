/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redactor.c - the redactor's public interface: sets, records of bytes and
 * of JSON, streams, values that come while all of that is in use, from the
 * program itself and from an organization; what fails, and failing allocations.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/fixture.h"
#include "support/failalloc.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define M "[REDACTED]"

static void must(kr_status status, const kr_error *error) {
  if (status != KR_OK)
    fail_msg("%s: %s", kr_status_name(status), error->message);
}

/* A set of up to three values named "A", "B", "C". */
static kr_redactor_set *set_of(const char *a, const char *b, const char *c) {
  const char *const given[] = {a, b, c};
  kr_redactor_builder *builder = NULL;
  kr_redactor_set *set = NULL;
  kr_error error = {0};
  must(kr_redactor_builder_new(&builder, &error), &error);
  for (size_t i = 0; i < 3; i++) {
    const char name[] = {(char)('A' + (int)i), '\0'};
    const kr_redactor_value value = {.name = text(name), .value = text(given[i]), .version = 1};
    if (given[i] != NULL)
      must(kr_redactor_builder_add(builder, &value, &error), &error);
  }
  must(kr_redactor_builder_build(builder, &set, &error), &error);
  kr_redactor_builder_free(builder);
  return set;
}

static kr_redactor *redactor_of(const char *a, const char *b, const char *c) {
  kr_redactor_set *set = set_of(a, b, c);
  kr_redactor *redactor = NULL;
  kr_error error = {0};
  must(kr_redactor_new(set, &redactor, &error), &error);
  kr_redactor_set_free(set);
  return redactor;
}

static kr_redactor_scratch *scratch_on(kr_redactor *redactor) {
  kr_redactor_scratch *scratch = NULL;
  kr_error error = {0};
  must(kr_redactor_scratch_new(redactor, NULL, &scratch, &error), &error);
  return scratch;
}

static void assert_bytes(kr_str got, const char *expected) {
  if (got.len != strlen(expected) || memcmp(got.ptr, expected, got.len) != 0)
    fail_msg("got '%.*s', not '%s'", (int)got.len, (const char *)got.ptr, expected);
}

static kr_status collect(void *ctx, kr_str bytes) { return kr_text_append(ctx, bytes); }

static kr_status refuse(void *ctx, kr_str bytes) {
  (void)bytes;
  ++*(size_t *)ctx;
  return KR_IO;
}

/* "A raw 2;B json 1;" */
static kr_status put_hit(void *ctx, kr_str name, const char *form, uint64_t count) {
  char shown[256];
  (void)snprintf(shown, sizeof shown, "%.*s %s %llu;", (int)name.len, (const char *)name.ptr, form,
                 (unsigned long long)count);
  return kr_text_append(ctx, text(shown));
}

/* ---- sets ---- */

static void test_values_that_are_refused(void **state) {
  (void)state;
  static char long_value[KR_REDACTOR_VALUE_BYTES + 1];
  static char long_name[KR_REDACTOR_NAME_BYTES + 1];
  memset(long_value, 'v', sizeof long_value);
  memset(long_name, 'n', sizeof long_name);
  const struct {
    kr_str name;
    kr_str value;
    kr_status status;
  } rows[] = {
      {text("N"), text(""), KR_INVALID},
      {text("N"), text(" \t\n"), KR_INVALID},
      {text("N"), {(const uint8_t *)long_value, sizeof long_value}, KR_LIMIT},
      {text("N"), {(const uint8_t *)long_value, sizeof long_value - 1}, KR_OK},
      {{(const uint8_t *)long_name, sizeof long_name}, text("value"), KR_LIMIT},
      {{(const uint8_t *)long_name, sizeof long_name - 1}, text("value"), KR_OK},
      {text(""), text("abc"), KR_OK},
  };
  kr_redactor_builder *builder = NULL;
  kr_redactor_set *set = NULL;
  kr_error error = {0};
  must(kr_redactor_builder_new(&builder, &error), &error);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const kr_redactor_value value = {.name = rows[i].name, .value = rows[i].value};
    assert_int_equal(kr_redactor_builder_add(builder, &value, &error), rows[i].status);
  }
  must(kr_redactor_builder_build(builder, &set, &error), &error);
  assert_int_equal(kr_redactor_set_n_values(set), 3);
  assert_int_equal(kr_redactor_set_n_short(set), 1);
  kr_redactor_set_free(set);
  /* The builder is empty again. */
  must(kr_redactor_builder_build(builder, &set, &error), &error);
  assert_int_equal(kr_redactor_set_n_values(set), 0);
  kr_redactor_set_free(set);
  kr_redactor_builder_free(builder);
}

static void test_lists(void **state) {
  (void)state;
  static const struct {
    const char *list;
    kr_status status;
    const char *says; /* in the message; never the value */
    size_t n_values;
  } rows[] = {
      {"[\"canary-1\",{\"name\":\"N\",\"value\":\"canary-2\"},{\"value_b64\":\"Y2FuYXJ5\"}]", KR_OK,
       "", 3},
      {"[]", KR_OK, "", 0},
      {"[\"canary-1\"", KR_INVALID, "not a JSON document", 0},
      {"{\"value\":\"canary-1\"}", KR_INVALID, "not a JSON array", 0},
      {"[{\"value\":\"abc\",\"min_search\":3},{\"value\":\"abcd\",\"min_search\":65536}]", KR_OK,
       "", 2},
      {"[{\"value\":\"canary-1\",\"min_search\":0}]", KR_INVALID, "min_search", 0},
      {"[{\"value\":\"canary-1\",\"min_search\":65537}]", KR_INVALID, "min_search", 0},
      {"[{\"value\":\"canary-1\",\"min_search\":\"4\"}]", KR_INVALID, "min_search", 0},
      {"[\"canary-1\", 17]", KR_INVALID, "item 2 of the values: it is neither", 0},
      {"[{\"value\":\"canary-1\",\"value_b64\":\"Y2FuYXJ5\"}]", KR_INVALID, "exactly one of", 0},
      {"[{\"name\":\"canary-1\"}]", KR_INVALID, "exactly one of", 0},
      {"[{\"value\":{\"canary-1\":1}}]", KR_INVALID, "a value that is not a string", 0},
      {"[{\"value_b64\":\"canary-1?\"}]", KR_INVALID, "not base64", 0},
      {"[{\"name\":[\"canary-1\"],\"value\":\"canary-2\"}]", KR_INVALID, "a name that is not", 0},
      {"[\"canary-1\", \" \"]", KR_INVALID, "item 2 of the values: ", 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    kr_redactor_builder *builder = NULL;
    kr_redactor_set *set = NULL;
    kr_error error = {0};
    must(kr_redactor_builder_new(&builder, &error), &error);
    assert_int_equal(kr_redactor_builder_add_list(builder, text(rows[i].list), &error),
                     rows[i].status);
    if (rows[i].status == KR_OK) {
      must(kr_redactor_builder_build(builder, &set, &error), &error);
      assert_int_equal(kr_redactor_set_n_values(set), rows[i].n_values);
    } else if (strstr(error.message, rows[i].says) == NULL) {
      fail_msg("row %zu says '%s'", i, error.message);
    }
    assert_null(strstr(error.message, "canary"));
    assert_null(strstr(error.hint, "canary"));
    kr_redactor_set_free(set);
    kr_redactor_builder_free(builder);
  }
}

/* ---- records of bytes ---- */

static void test_bytes(void **state) {
  (void)state;
  kr_redactor *redactor = redactor_of("sesame", "barley/1", "abc");
  kr_redactor_scratch *scratch = scratch_on(redactor);
  kr_redactor_result result = {0};
  kr_text hits = {0};
  kr_error error = {0};
  kr_str input = text("nothing to see, abc");
  must(kr_redactor_bytes(scratch, input, &result, &error), &error);
  assert_true(result.is_unchanged);
  assert_ptr_equal(result.bytes.ptr, input.ptr);
  assert_int_equal(result.bytes.len, input.len);
  assert_int_equal(result.n_markers, 0);
  must(kr_redactor_hits(scratch, put_hit, &hits), &error);
  assert_int_equal(hits.len, 0);
  must(kr_redactor_bytes(scratch, text("sesame sesame barley%2F1"), &result, &error), &error);
  assert_false(result.is_unchanged);
  assert_bytes(result.bytes, M " " M " " M);
  assert_int_equal(result.n_markers, 3);
  must(kr_redactor_hits(scratch, put_hit, &hits), &error);
  assert_string_equal(hits.ptr, "A raw 2;B percent 1;");
  /* What the last record held is not carried over. */
  must(kr_redactor_bytes(scratch, text("x sesame"), &result, &error), &error);
  assert_bytes(result.bytes, "x " M);
  assert_int_equal(result.n_markers, 1);
  must(kr_redactor_bytes(scratch, (kr_str){0}, &result, &error), &error);
  assert_true(result.is_unchanged);
  assert_int_equal(result.bytes.len, 0);
  kr_text_done(&hits);
  kr_redactor_scratch_free(scratch);
  kr_redactor_free(redactor);
}

static void test_marker_names(void **state) {
  (void)state;
  kr_redactor *redactor = redactor_of("sesame", NULL, NULL);
  const kr_filter_options options = {.use_marker_names = true};
  kr_redactor_scratch *scratch = NULL;
  kr_redactor_result result = {0};
  kr_error error = {0};
  must(kr_redactor_scratch_new(redactor, &options, &scratch, &error), &error);
  must(kr_redactor_bytes(scratch, text("x sesame"), &result, &error), &error);
  assert_bytes(result.bytes, "x [REDACTED:A]");
  kr_redactor_scratch_free(scratch);
  kr_redactor_free(redactor);
}

/* A record as large as a buffer that is not kept, and small ones after it. */
static void test_large_then_small(void **state) {
  (void)state;
  kr_redactor *redactor = redactor_of("sesame", NULL, NULL);
  kr_redactor_scratch *scratch = scratch_on(redactor);
  kr_redactor_result result = {0};
  kr_error error = {0};
  size_t len = (size_t)3 << 20;
  char *large = malloc(len);
  assert_non_null(large);
  memset(large, 'x', len);
  memcpy(large + len - 6, "sesame", 6);
  for (size_t i = 0; i < 3; i++) {
    must(kr_redactor_bytes(scratch, (kr_str){(const uint8_t *)large, len}, &result, &error),
         &error);
    assert_int_equal(result.bytes.len, len - 6 + strlen(M));
    must(kr_redactor_bytes(scratch, text("sesame!"), &result, &error), &error);
    assert_bytes(result.bytes, M "!");
  }
  free(large);
  kr_redactor_scratch_free(scratch);
  kr_redactor_free(redactor);
}

static void test_nothing_is_allocated_for_text_without_values(void **state) {
  (void)state;
  kr_redactor *redactor = redactor_of("sesame", "barley/1", NULL);
  kr_redactor_scratch *scratch = scratch_on(redactor);
  kr_redactor_result result = {0};
  kr_error error = {0};
  kr_str input = text("level=info msg=\"sesa and 100 of it\"");
  for (size_t i = 0; i < 3; i++)
    must(kr_redactor_bytes(scratch, input, &result, &error), &error);
  size_t before = kr_test_allocations();
  for (size_t i = 0; i < 100; i++)
    must(kr_redactor_bytes(scratch, input, &result, &error), &error);
  assert_int_equal(kr_test_allocations(), before);
  assert_true(result.is_unchanged);
  kr_redactor_scratch_free(scratch);
  kr_redactor_free(redactor);
}

/* ---- records of JSON ---- */

static void test_json(void **state) {
  (void)state;
  static const struct {
    const char *in;
    const char *out;
  } rows[] = {
      {"{\"a\":\"x sesame\"}", "{\"a\":\"x " M "\"}"},
      {"{\"a\":\"ses\\u0061me\"}", "{\"a\":\"" M "\"}"},
      {"{ \"sesame\" : [ 1, \"ba/rley\" ] }", "{\"" M "\":[1,\"" M "\"]}"},
      {"{\"sesame\":1,\"sesame2\":2,\"sesame3\":{\"x\":\"sesame\"}}",
       "{\"" M "\":1,\"" M "2\":2,\"" M "3\":{\"x\":\"" M "\"}}"},
      {"{\"sesame\":1,\"ba\\/rley\":2}", "{\"" M "\":1,\"" M "#2\":2}"},
      {"[4111222233, 41112222334, 1.5, true, null]", "[\"" M "\",\"" M "\",1.5,true,null]"},
      {"\"sesame\"", "\"" M "\""},
      {"{\"q\":\"a%2Fb\",\"u\":\"https://h/?k=ba%2Frley\"}",
       "{\"q\":\"a%2Fb\",\"u\":\"https://h/?k=" M "\"}"},
      {"{\"inner\":\"{\\\"k\\\":\\\"ses\\\\u0061me\\\"}\"}",
       "{\"inner\":\"{\\\"k\\\":\\\"" M "\\\"}\"}"},
  };
  kr_redactor *redactor = redactor_of("sesame", "ba/rley", "4111222233");
  kr_redactor_scratch *scratch = scratch_on(redactor);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    kr_redactor_result result = {0};
    kr_error error = {0};
    must(kr_redactor_json(scratch, text(rows[i].in), &result, &error), &error);
    assert_false(result.is_unchanged || result.is_withheld);
    assert_bytes(result.bytes, rows[i].out);
  }
  kr_text hits = {0};
  assert_int_equal(kr_redactor_hits(scratch, put_hit, &hits), KR_OK);
  assert_string_equal(hits.ptr, "A json 1;");
  kr_text_done(&hits);
  kr_redactor_scratch_free(scratch);
  kr_redactor_free(redactor);
}

static void test_json_without_values_is_given_back_as_written(void **state) {
  (void)state;
  kr_redactor *redactor = redactor_of("sesame", NULL, NULL);
  kr_redactor_scratch *scratch = scratch_on(redactor);
  kr_redactor_result result = {0};
  kr_error error = {0};
  kr_str input = text("{ \"a\": [1.50, \"\\u0041\\/\"] }\n");
  must(kr_redactor_json(scratch, input, &result, &error), &error);
  assert_true(result.is_unchanged);
  assert_ptr_equal(result.bytes.ptr, input.ptr);
  assert_int_equal(result.bytes.len, input.len);
  kr_redactor_scratch_free(scratch);
  kr_redactor_free(redactor);
}

/* What cannot be shown to be clean does not come out, and neither does what is no JSON. */
static void test_json_that_is_withheld(void **state) {
  (void)state;
  kr_redactor *redactor = redactor_of("x\",\"y", "sesame", NULL);
  kr_redactor_scratch *scratch = scratch_on(redactor);
  kr_redactor_result result = {0};
  kr_error error = {0};
  must(kr_redactor_json(scratch, text("[\"x\",\"y\"]"), &result, &error), &error);
  assert_true(result.is_withheld);
  assert_bytes(result.bytes, "{\"withheld\":\"a value was still found after redaction\"}");
  char deep[400];
  memset(deep, '[', 120);
  memset(deep + 120, ']', 120);
  must(kr_redactor_json(scratch, (kr_str){(const uint8_t *)deep, 240}, &result, &error), &error);
  assert_true(result.is_withheld);
  assert_bytes(result.bytes, "{\"withheld\":\"too large or too deep to be redacted\"}");
  size_t len = ((size_t)4 << 20) + 1;
  char *large = malloc(len);
  assert_non_null(large);
  memset(large, ' ', len);
  large[0] = '1';
  must(kr_redactor_json(scratch, (kr_str){(const uint8_t *)large, len}, &result, &error), &error);
  assert_true(result.is_withheld);
  must(kr_redactor_json(scratch, (kr_str){(const uint8_t *)large, len - 1}, &result, &error),
       &error);
  assert_true(result.is_unchanged);
  free(large);
  assert_int_equal(kr_redactor_json(scratch, text("{\"a\": sesame}"), &result, &error), KR_INVALID);
  assert_int_equal(error.span_offset, 6);
  assert_null(strstr(error.message, "sesame"));
  /* A value over the pieces of the text as it was written, which its tree does not hold. */
  kr_error none = {0};
  kr_redactor_set *more = set_of("1, 2, 3", NULL, NULL);
  must(kr_redactor_add(redactor, more, &none), &none);
  must(kr_redactor_json(scratch, text("[1, 2, 3]"), &result, &none), &none);
  assert_false(result.is_unchanged);
  assert_bytes(result.bytes, "[1,2,3]");
  kr_redactor_set_free(more);
  kr_redactor_scratch_free(scratch);
  kr_redactor_free(redactor);
}

/* ---- values that come late ---- */

static void test_added_values_are_known_at_once(void **state) {
  (void)state;
  kr_redactor *redactor = NULL;
  kr_redactor_result result = {0};
  kr_text out = {0};
  kr_error error = {0};
  kr_filter *filter = NULL;
  must(kr_redactor_new(NULL, &redactor, &error), &error);
  kr_redactor_scratch *scratch = scratch_on(redactor);
  must(kr_filter_new_on(redactor, NULL, collect, &out, &filter, &error), &error);
  must(kr_redactor_bytes(scratch, text("open sesame"), &result, &error), &error);
  assert_true(result.is_unchanged);
  must(kr_filter_feed(filter, text("open ses"), &error), &error);
  assert_string_equal(out.ptr, "open ses");
  const kr_redactor_value value = {.name = text("LATE"), .value = text("sesame"), .version = 7};
  must(kr_redactor_add_value(redactor, &value, &error), &error);
  must(kr_redactor_bytes(scratch, text("open sesame"), &result, &error), &error);
  assert_bytes(result.bytes, "open " M);
  must(kr_filter_feed(filter, text("ame, sesame."), &error), &error);
  must(kr_filter_finish(filter, &error), &error);
  assert_string_equal(out.ptr, "open ses" M ", " M ".");
  assert_int_equal(kr_filter_count(filter), 2);
  assert_int_equal(kr_filter_n_late(filter), 1);
  kr_text hits = {0};
  must(kr_filter_hits(filter, put_hit, &hits), &error);
  assert_string_equal(hits.ptr, "LATE raw 2;");
  assert_int_equal(kr_filter_feed(filter, text("x"), &error), KR_INVALID);
  kr_text_done(&hits);
  kr_text_done(&out);
  kr_filter_free(filter);
  kr_redactor_scratch_free(scratch);
  kr_redactor_free(redactor);
}

static void test_flush_takes_values_and_writes_nothing_undecided(void **state) {
  (void)state;
  kr_redactor *redactor = redactor_of("sesame-1", NULL, NULL);
  kr_text out = {0};
  kr_error error = {0};
  kr_filter *filter = NULL;
  must(kr_filter_new_on(redactor, NULL, collect, &out, &filter, &error), &error);
  must(kr_filter_feed(filter, text("open sesame"), &error), &error);
  must(kr_filter_flush(filter, &error), &error);
  assert_string_equal(out.ptr, "open ");
  assert_int_equal(kr_filter_n_held(filter), 6);
  kr_redactor_set *more = set_of("same-2", NULL, NULL);
  must(kr_redactor_add(redactor, more, &error), &error);
  must(kr_filter_flush(filter, &error), &error);
  assert_string_equal(out.ptr, "open ");
  must(kr_filter_feed(filter, text("-2."), &error), &error);
  must(kr_filter_finish(filter, &error), &error);
  assert_string_equal(out.ptr, "open se" M ".");
  kr_text_done(&out);
  kr_redactor_set_free(more);
  kr_filter_free(filter);
  kr_redactor_free(redactor);
}

/* The values of the redactor and of its users live on without it. */
static void test_handles_keep_what_they_need(void **state) {
  (void)state;
  kr_redactor *redactor = redactor_of("sesame", NULL, NULL);
  kr_redactor_set *now = NULL;
  kr_redactor_result result = {0};
  kr_error error = {0};
  kr_text out = {0};
  kr_filter *filter = NULL;
  kr_redactor_scratch *scratch = scratch_on(redactor);
  must(kr_filter_new_on(redactor, NULL, collect, &out, &filter, &error), &error);
  must(kr_redactor_now(redactor, &now, &error), &error);
  kr_redactor_free(redactor);
  assert_int_equal(kr_redactor_set_n_values(now), 1);
  must(kr_redactor_bytes(scratch, text("sesame"), &result, &error), &error);
  assert_bytes(result.bytes, M);
  must(kr_filter_feed(filter, text("sesame."), &error), &error);
  must(kr_filter_finish(filter, &error), &error);
  assert_string_equal(out.ptr, M ".");
  kr_text_done(&out);
  kr_redactor_set_free(now);
  kr_filter_free(filter);
  kr_redactor_scratch_free(scratch);
}

static void test_a_failing_write_sticks(void **state) {
  (void)state;
  kr_redactor *redactor = redactor_of("sesame", NULL, NULL);
  size_t n_calls = 0;
  kr_error error = {0};
  kr_filter *filter = NULL;
  must(kr_filter_new_on(redactor, NULL, refuse, &n_calls, &filter, &error), &error);
  assert_int_equal(kr_filter_feed(filter, text("open sesame and more "), &error), KR_IO);
  size_t n_before = n_calls;
  assert_true(n_before > 0);
  assert_int_equal(kr_filter_feed(filter, text("open sesame and more "), &error), KR_IO);
  assert_int_equal(kr_filter_finish(filter, &error), KR_IO);
  assert_int_equal(n_calls, n_before);
  kr_filter_free(filter);
  kr_redactor_free(redactor);
}

static void assert_redacted(kr_redactor *redactor, const char *in, const char *expected) {
  kr_redactor_scratch *scratch = scratch_on(redactor);
  kr_redactor_result result = {0};
  kr_error error = {0};
  must(kr_redactor_bytes(scratch, text(in), &result, &error), &error);
  assert_bytes(result.bytes, expected);
  kr_redactor_scratch_free(scratch);
}

/* Left out is left out of all values, those that come later too; the rest is searched as before. */
static void test_forms_are_left_out(void **state) {
  (void)state;
  const kr_redactor_value late = {.name = text("L"), .value = text("late value")};
  kr_redactor *redactor = redactor_of("open sesame", NULL, NULL);
  kr_error error = {0};
  assert_redacted(redactor, "open+sesame open sesame", M " " M);
  must(kr_redactor_leave_out(redactor, text("percent"), &error), &error);
  assert_redacted(redactor, "open+sesame open sesame", "open+sesame " M);
  must(kr_redactor_add_value(redactor, &late, &error), &error);
  assert_redacted(redactor, "late%20value late value", "late%20value " M);
  must(kr_redactor_leave_out(redactor, text("hex"), &error), &error);
  assert_redacted(redactor, "6f70656e20736573616d65 open+sesame late\\u0020value",
                  "6f70656e20736573616d65 open+sesame " M);
  static const char *const unknown[] = {"raw", "span", "unknown", "", "Percent", "percent,hex"};
  for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
    assert_int_equal(kr_redactor_leave_out(redactor, text(unknown[i]), &error), KR_INVALID);
  assert_non_null(strstr(error.hint, "json-twice"));
  kr_redactor_free(redactor);
}

/* What was under way goes on with the forms it had. */
static void test_streams_keep_their_forms(void **state) {
  (void)state;
  const kr_redactor_value late = {.name = text("L"), .value = text("late value")};
  kr_redactor *redactor = redactor_of("open sesame", NULL, NULL);
  kr_text out = {0};
  kr_filter *filter = NULL;
  kr_error error = {0};
  must(kr_filter_new_on(redactor, NULL, collect, &out, &filter, &error), &error);
  must(kr_filter_feed(filter, text("open+ses"), &error), &error);
  must(kr_redactor_leave_out(redactor, text("percent"), &error), &error);
  must(kr_filter_feed(filter, text("ame open+sesame "), &error), &error);
  must(kr_redactor_add_value(redactor, &late, &error), &error);
  must(kr_filter_feed(filter, text("open+sesame late+value"), &error), &error);
  must(kr_filter_finish(filter, &error), &error);
  assert_string_equal(out.ptr, M " " M " " M " " M);
  kr_filter_free(filter);
  kr_text_done(&out);
  kr_redactor_free(redactor);
}

static void test_short_values_when_asked(void **state) {
  (void)state;
  const kr_redactor_value value = {.name = text("PIN"), .value = text("042"), .min_search = 3};
  kr_redactor *redactor = redactor_of("abc", NULL, NULL);
  kr_redactor_set *now = NULL;
  kr_error error = {0};
  must(kr_redactor_add_value(redactor, &value, &error), &error);
  assert_redacted(redactor, "abc 042 %3042", "abc " M " " M);
  must(kr_redactor_now(redactor, &now, &error), &error);
  assert_int_equal(kr_redactor_set_n_short(now), 1);
  kr_redactor_set_free(now);
  kr_redactor_free(redactor);
}

/* Short values are not searched for, so a set may quickly have very many. */
static kr_redactor_set *many_values(uint32_t first_version, uint32_t n) {
  kr_redactor_builder *builder = NULL;
  kr_redactor_set *set = NULL;
  kr_error error = {0};
  must(kr_redactor_builder_new(&builder, &error), &error);
  for (uint32_t i = 0; i < n; i++) {
    const kr_redactor_value value = {
        .name = text("N"), .value = text("abc"), .version = first_version + i};
    must(kr_redactor_builder_add(builder, &value, &error), &error);
  }
  must(kr_redactor_builder_build(builder, &set, &error), &error);
  kr_redactor_builder_free(builder);
  return set;
}

static void test_values_that_do_not_fit_change_nothing(void **state) {
  (void)state;
  kr_redactor_set *first = many_values(1, KR_REDACTOR_SET_VALUES / 2);
  kr_redactor_set *more = many_values(KR_REDACTOR_SET_VALUES, KR_REDACTOR_SET_VALUES / 2 + 1);
  kr_redactor_set *now = NULL;
  kr_redactor *redactor = NULL;
  kr_error error = {0};
  must(kr_redactor_new(first, &redactor, &error), &error);
  assert_int_equal(kr_redactor_add(redactor, more, &error), KR_LIMIT);
  assert_string_equal(error.message,
                      "all values of the redactor together are over what one set may hold");
  must(kr_redactor_now(redactor, &now, &error), &error);
  assert_ptr_equal(now, first);
  kr_redactor_set_free(now);
  kr_redactor_set_free(more);
  kr_redactor_set_free(first);
  kr_redactor_free(redactor);
}

/* ---- an organization's values ---- */

static void save(fixture *self, const char *name, const char *value) {
  fixture_secret(self, "default", name, value);
}

static void test_an_organizations_values_are_those_of_now(void **state) {
  fixture *self = *state;
  kr_redactor *redactor = NULL;
  kr_redactor_result result = {0};
  kr_error error = {0};
  kr_text out = {0};
  kr_filter *filter = NULL;
  save(self, "KEY", "sesame-value");
  must(kr_redactor_new_from_org(self->engine, text("default"), &redactor, &error), &error);
  kr_redactor_scratch *scratch = scratch_on(redactor);
  must(kr_filter_new_on(redactor, NULL, collect, &out, &filter, &error), &error);
  must(kr_redactor_bytes(scratch, text("sesame-value later-value"), &result, &error), &error);
  assert_bytes(result.bytes, M " later-value");
  must(kr_filter_feed(filter, text("sesame-value later-"), &error), &error);
  save(self, "LATER", "later-value");
  save(self, "KEY", "rotated-value"); /* its older version stays */
  must(kr_redactor_bytes(scratch, text("sesame-value later-value rotated-value"), &result, &error),
       &error);
  assert_bytes(result.bytes, M " " M " " M);
  must(kr_filter_feed(filter, text("value rotated-value sesame-value."), &error), &error);
  must(kr_engine_secret_delete(self->engine, text("default"), text("LATER"), (kr_str){0}, NULL,
                               NULL, &error),
       &error);
  must(kr_redactor_bytes(scratch, text("later-value"), &result, &error), &error);
  assert_true(result.is_unchanged);
  /* A stream never forgets. */
  must(kr_filter_feed(filter, text(" later-value"), &error), &error);
  must(kr_filter_finish(filter, &error), &error);
  assert_string_equal(out.ptr, M " later" M " " M " " M ". " M);
  assert_int_equal(kr_filter_n_late(filter), 1);
  kr_text_done(&out);
  kr_filter_free(filter);
  kr_redactor_scratch_free(scratch);
  kr_redactor_free(redactor);
}

static void test_added_and_stored_values_together(void **state) {
  fixture *self = *state;
  kr_redactor *redactor = NULL;
  kr_redactor_result result = {0};
  kr_error error = {0};
  must(kr_redactor_new_from_org(self->engine, text("default"), &redactor, &error), &error);
  kr_redactor_scratch *scratch = scratch_on(redactor);
  const kr_redactor_value added = {.name = text("SESSION"), .value = text("session-value")};
  must(kr_redactor_add_value(redactor, &added, &error), &error);
  save(self, "KEY", "sesame-value");
  must(kr_redactor_bytes(scratch, text("sesame-value session-value"), &result, &error), &error);
  assert_bytes(result.bytes, M " " M);
  save(self, "KEY", "rotated-value");
  must(kr_redactor_bytes(scratch, text("rotated-value session-value"), &result, &error), &error);
  assert_bytes(result.bytes, M " " M);
  kr_redactor_scratch_free(scratch);
  kr_redactor_free(redactor);
}

static void test_no_such_organization(void **state) {
  fixture *self = *state;
  kr_redactor *redactor = NULL;
  kr_error error = {0};
  assert_int_equal(kr_redactor_new_from_org(self->engine, text("nobody"), &redactor, &error),
                   KR_NOT_FOUND);
  assert_null(redactor);
  kr_engine_close(self->engine);
  self->engine = NULL;
  const kr_home_options options = {.home = self->home, .without_key = true};
  must(kr_engine_open(&options, &self->engine, &error), &error);
  assert_int_equal(kr_redactor_new_from_org(self->engine, text("default"), &redactor, &error),
                   KR_UNTRUSTED);
}

/* ---- out of memory ---- */

static kr_status late_work(kr_text *out, kr_error *error) {
  kr_redactor *redactor = NULL;
  kr_redactor_scratch *scratch = NULL;
  kr_filter *filter = NULL;
  kr_redactor_result result = {0};
  const kr_redactor_value one = {.name = text("ONE"), .value = text("sesame")};
  const kr_redactor_value two = {.name = text("TWO"), .value = text("barley")};
  kr_status status = kr_redactor_new(NULL, &redactor, error);
  if (status == KR_OK)
    status = kr_redactor_add_value(redactor, &one, error);
  if (status == KR_OK)
    status = kr_redactor_scratch_new(redactor, NULL, &scratch, error);
  if (status == KR_OK)
    status = kr_filter_new_on(redactor, NULL, collect, out, &filter, error);
  if (status == KR_OK)
    status = kr_filter_feed(filter, text("x sesame."), error);
  if (status == KR_OK)
    status = kr_redactor_add_value(redactor, &two, error);
  if (status == KR_OK)
    status = kr_filter_feed(filter, text("y barley."), error);
  if (status == KR_OK)
    status = kr_filter_finish(filter, error);
  if (status == KR_OK)
    status = kr_redactor_json(scratch, text("{\"a\":\"sesame barley\"}"), &result, error);
  if (status == KR_OK && result.is_withheld)
    status = KR_NOMEM; /* the second search had no memory: as good as a find */
  if (status == KR_OK)
    status = kr_text_append(out, result.bytes);
  if (status == KR_OK)
    status = kr_redactor_bytes(scratch, text("sesame barley"), &result, error);
  if (status == KR_OK)
    status = kr_text_append(out, result.bytes);
  kr_filter_free(filter);
  kr_redactor_scratch_free(scratch);
  kr_redactor_free(redactor);
  return status;
}

static void test_allocations_may_fail(void **state) {
  (void)state;
  static const char whole[] = "x " M ".y " M ".{\"a\":\"" M " " M "\"}" M " " M;
  size_t n_failed = 0;
  for (size_t n = 0;; n++) {
    kr_text out = {0};
    kr_error error = {0};
    kr_test_fail_at(n);
    kr_status status = late_work(&out, &error);
    bool is_past = kr_test_fail_stop() == 0;
    if (status != (is_past ? KR_OK : KR_NOMEM))
      fail_msg("allocation %zu: %s: %s", n, kr_status_name(status), error.message);
    if (out.len > 0)
      assert_memory_equal(out.ptr, whole, out.len);
    assert_true(!is_past || out.len == strlen(whole));
    kr_text_done(&out);
    if (is_past)
      break;
    n_failed++;
  }
  assert_true(n_failed > 50);
}

#define TEST(function) cmocka_unit_test(function)
#define TEST_HOME(function)                                                                        \
  cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_values_that_are_refused),
      TEST(test_lists),
      TEST(test_bytes),
      TEST(test_marker_names),
      TEST(test_large_then_small),
      TEST(test_nothing_is_allocated_for_text_without_values),
      TEST(test_json),
      TEST(test_json_without_values_is_given_back_as_written),
      TEST(test_json_that_is_withheld),
      TEST(test_added_values_are_known_at_once),
      TEST(test_flush_takes_values_and_writes_nothing_undecided),
      TEST(test_handles_keep_what_they_need),
      TEST(test_a_failing_write_sticks),
      TEST(test_forms_are_left_out),
      TEST(test_streams_keep_their_forms),
      TEST(test_short_values_when_asked),
      TEST(test_values_that_do_not_fit_change_nothing),
      TEST_HOME(test_an_organizations_values_are_those_of_now),
      TEST_HOME(test_added_and_stored_values_together),
      TEST_HOME(test_no_such_organization),
      TEST(test_allocations_may_fail),
  };
  return cmocka_run_group_tests_name("redactor", tests, NULL, NULL);
}
