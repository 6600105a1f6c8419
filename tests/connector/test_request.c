/* SPDX-License-Identifier: Apache-2.0 */
/* test_request.c - pieces joined to a request, with their spans where they must be. */
#include "connector/request.h"
#include "support/failalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Fill a container as a render would: "‹…›"-free text in which [x] is a span. */
static void fill(kr_rendered *rendered, const char *text) {
  static kr_span spans[16];
  uint32_t n_spans = 0;
  for (const char *c = text; *c != '\0'; c++) {
    if (*c == '[') {
      spans[n_spans] = (kr_span){.offset = (uint32_t)rendered->buf.len, .secrets = 1u << n_spans};
      continue;
    }
    if (*c == ']') {
      spans[n_spans].len = (uint32_t)rendered->buf.len - spans[n_spans].offset;
      n_spans++;
      continue;
    }
    assert_int_equal(kr_buf_byte(&rendered->buf, (uint8_t)*c), KR_OK);
  }
  if (n_spans == 0)
    return;
  rendered->spans = malloc(n_spans * sizeof *spans);
  assert_non_null(rendered->spans);
  memcpy(rendered->spans, spans, n_spans * sizeof *spans);
  rendered->n_spans = n_spans;
  rendered->cap_spans = n_spans;
}

/* The same notation back from the bytes and spans. */
static void show(const kr_rendered *rendered, char *out, size_t size) {
  size_t used = 0;
  uint32_t next = 0;
  for (size_t i = 0; i <= rendered->buf.len; i++) {
    if (next > 0 && rendered->spans[next - 1].offset + rendered->spans[next - 1].len == i)
      out[used++] = ']';
    if (next < rendered->n_spans && rendered->spans[next].offset == i) {
      next++;
      out[used++] = '[';
    }
    if (i < rendered->buf.len)
      out[used++] = (char)rendered->buf.ptr[i];
    assert_true(used + 3 < size);
  }
  out[used] = '\0';
}

typedef struct row {
  const char *name;
  const char *url;
  const char *key;
  const char *value; /* NULL: a null result */
  const char *expected;
} row;

static row rows[] = {
    {"first parameter", "https://h/p", "a", "1", "https://h/p?a=1"},
    {"later parameter", "https://h/p?x=y", "a", "1", "https://h/p?x=y&a=1"},
    {"url ends in a question mark", "https://h/p?", "a", "1", "https://h/p?a=1"},
    {"url ends in an ampersand", "https://h/p?x&", "a", "1", "https://h/p?x&a=1"},
    {"null leaves it out", "https://h/p", "a", NULL, "https://h/p"},
    {"empty value stays", "https://h/p", "a", "", "https://h/p?a="},
    {"name is encoded", "https://h/p", "e mail&=\xC3\xA9~", "1",
     "https://h/p?e%20mail%26%3D%C3%A9~=1"},
    {"value is taken as it is", "https://h/p", "a", "%2B%20", "https://h/p?a=%2B%20"},
    {"spans of the url stay", "https://h/[key]/p", "a", "1", "https://h/[key]/p?a=1"},
    {"spans of the value move", "https://h/p", "a", "x[key]y", "https://h/p?a=x[key]y"},
    {"spans of both", "https://h/[k1]", "ab", "[k2]-[k3]", "https://h/[k1]?ab=[k2]-[k3]"},
    {"fragment is dropped", "https://h/p#f", "a", "1", "https://h/p?a=1"},
    {"a question mark in the fragment", "https://h/p#f?x", "a", "1", "https://h/p?a=1"},
    {"spans in the fragment go", "https://h/[k]#[x]y[z]", "a", "1", "https://h/[k]?a=1"},
    {"a span over the cut is shortened", "https://h/[k#x]y", "a", "[v]", "https://h/[k]?a=[v]"},
};

static void run_row(void **state) {
  const row *r = *state;
  KR_CLEANUP(kr_request_freep) kr_request *request = NULL;
  assert_int_equal(kr_request_new(&request, NULL), KR_OK);
  fill(&request->url, r->url);
  KR_CLEANUP(kr_rendered_done) kr_rendered value;
  kr_rendered_init(&value);
  value.is_null = r->value == NULL;
  fill(&value, r->value == NULL ? "" : r->value);
  assert_int_equal(kr_request_add_query(request, kr_str_cstr(r->key), &value, NULL), KR_OK);
  char shown[256];
  show(&request->url, shown, sizeof shown);
  assert_string_equal(shown, r->expected);
}

static void many_spans_keep_their_places(void **state) {
  (void)state;
  KR_CLEANUP(kr_request_freep) kr_request *request = NULL;
  assert_int_equal(kr_request_new(&request, NULL), KR_OK);
  fill(&request->url, "https://h/");
  for (size_t i = 0; i < 100; i++) {
    KR_CLEANUP(kr_rendered_done) kr_rendered value;
    kr_rendered_init(&value);
    fill(&value, "a[secret]b[other]");
    assert_int_equal(kr_request_add_query(request, KR_STR("q"), &value, NULL), KR_OK);
  }
  assert_int_equal(request->url.n_spans, 200);
  kr_str url = kr_buf_str(&request->url.buf);
  for (uint32_t i = 0; i < 200; i++) {
    const kr_span *span = &request->url.spans[i];
    assert_true(kr_str_equal(kr_str_slice(url, span->offset, span->offset + span->len),
                             i % 2 == 0 ? KR_STR("secret") : KR_STR("other")));
    assert_int_equal(span->secrets, i % 2 == 0 ? 1 : 2);
  }
}

/* A query that would pass the limit leaves the URL as it was. */
static void url_is_limited(void **state) {
  (void)state;
  KR_CLEANUP(kr_request_freep) kr_request *request = NULL;
  assert_int_equal(kr_request_new(&request, NULL), KR_OK);
  fill(&request->url, "https://h/");
  KR_CLEANUP(kr_rendered_done) kr_rendered value;
  kr_rendered_init(&value);
  size_t room = KR_LIMIT_URL_BYTES - strlen("https://h/?a=");
  for (size_t i = 0; i < room + 1; i++)
    assert_int_equal(kr_buf_byte(&value.buf, 'v'), KR_OK);
  kr_error error = {0};
  assert_int_equal(kr_request_add_query(request, KR_STR("a"), &value, &error), KR_LIMIT);
  assert_non_null(strstr(error.message, "8192"));
  assert_int_equal(request->url.buf.len, strlen("https://h/"));
  value.buf.len--;
  assert_int_equal(kr_request_add_query(request, KR_STR("a"), &value, NULL), KR_OK);
  assert_int_equal(request->url.buf.len, KR_LIMIT_URL_BYTES);
}

static void partial_is_passed_on(void **state) {
  (void)state;
  KR_CLEANUP(kr_request_freep) kr_request *request = NULL;
  assert_int_equal(kr_request_new(&request, NULL), KR_OK);
  fill(&request->url, "https://h/");
  KR_CLEANUP(kr_rendered_done) kr_rendered value;
  kr_rendered_init(&value);
  assert_int_equal(kr_request_add_query(request, KR_STR("a"), &value, NULL), KR_OK);
  assert_false(request->url.is_partial);
  value.is_partial = true;
  assert_int_equal(kr_request_add_query(request, KR_STR("a"), &value, NULL), KR_OK);
  assert_true(request->url.is_partial);
}

static void defaults_give_way(void **state) {
  (void)state;
  KR_CLEANUP(kr_request_freep) kr_request *request = NULL;
  assert_int_equal(kr_request_new(&request, NULL), KR_OK);
  kr_rendered *value = NULL;
  assert_int_equal(kr_request_next_header(request, KR_STR("content-TYPE"), &value, NULL), KR_OK);
  fill(value, "text/plain");
  kr_str json = KR_STR("application/json");
  assert_int_equal(kr_request_default_header(request, KR_STR("Content-Type"), json, NULL), KR_OK);
  assert_int_equal(request->n_headers, 1);
  assert_int_equal(kr_request_default_header(request, KR_STR("Accept"), json, NULL), KR_OK);
  assert_int_equal(request->n_headers, 2);
  assert_true(kr_str_equal(kr_buf_str(&request->headers[1].value.buf), json));
}

static void headers_are_limited(void **state) {
  (void)state;
  KR_CLEANUP(kr_request_freep) kr_request *request = NULL;
  assert_int_equal(kr_request_new(&request, NULL), KR_OK);
  kr_rendered *value = NULL;
  for (size_t i = 0; i < KR_CONNECTOR_HEADERS_MAX + 4; i++)
    assert_int_equal(kr_request_next_header(request, KR_STR("X-A"), &value, NULL), KR_OK);
  assert_int_equal(kr_request_next_header(request, KR_STR("X-A"), &value, NULL), KR_LIMIT);
  assert_int_equal(kr_request_default_header(request, KR_STR("X-B"), KR_STR("b"), NULL), KR_LIMIT);
}

static kr_status build(void) {
  KR_CLEANUP(kr_request_freep) kr_request *request = NULL;
  KR_TRY(kr_request_new(&request, NULL));
  KR_TRY(kr_buf_append(&request->url.buf, KR_STR("https://h/")));
  KR_TRY(kr_request_default_header(request, KR_STR("Accept"), KR_STR("*/*"), NULL));
  kr_span span = {.offset = 0, .len = 1, .secrets = 1};
  uint8_t byte = 'v';
  kr_rendered value = {.buf = {.ptr = &byte, .len = 1, .cap = 1, .limit = 1},
                       .spans = &span,
                       .n_spans = 1,
                       .cap_spans = 1};
  return kr_request_add_query(request, KR_STR("a"), &value, NULL);
}

static void survives_failing_allocations(void **state) {
  (void)state;
  for (size_t n = 0; n < 100; n++) {
    kr_test_fail_at(n);
    kr_status status = build();
    size_t n_refused = kr_test_fail_stop();
    assert_int_equal(status, n_refused == 0 ? KR_OK : KR_NOMEM);
    if (n_refused == 0) {
      assert_int_equal(n, 4); /* request, url, header, spans */
      return;
    }
  }
  fail_msg("still allocating");
}

#define N_ROWS (sizeof rows / sizeof rows[0])

int main(void) {
  const struct CMUnitTest others[] = {
      cmocka_unit_test(many_spans_keep_their_places),
      cmocka_unit_test(url_is_limited),
      cmocka_unit_test(partial_is_passed_on),
      cmocka_unit_test(defaults_give_way),
      cmocka_unit_test(headers_are_limited),
      cmocka_unit_test(survives_failing_allocations),
  };
  size_t n_others = sizeof others / sizeof others[0];
  struct CMUnitTest tests[N_ROWS + sizeof others / sizeof others[0]];
  for (size_t i = 0; i < N_ROWS; i++)
    tests[i] = (struct CMUnitTest){
        .name = rows[i].name, .test_func = run_row, .initial_state = (void *)&rows[i]};
  for (size_t i = 0; i < n_others; i++)
    tests[N_ROWS + i] = others[i];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
