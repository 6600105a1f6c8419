/* SPDX-License-Identifier: Apache-2.0 */
/* test_format.c - connector definitions that are taken, and each way to be refused. */
#include "connector/connector.h"
#include "support/failalloc.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MINIMAL "\"name\":\"n\",\"perform\":{\"url\":\"https://h.example/\"}"
#define PERFORM(more) "{\"name\":\"n\",\"perform\":{\"url\":\"https://h.example/\"," more "}}"
#define PROCESS(inside) "{" MINIMAL ",\"process\":{" inside "}}"

typedef struct row {
  const char *name;
  const char *text;
  kr_status status;
  const char *source;  /* where, on failure */
  const char *message; /* part of the message or of the hint */
} row;

static row rows[] = {
    {"minimal", "{" MINIMAL "}", KR_OK, NULL, NULL},
    {"all keys",
     "{" MINIMAL ",\"status\":\"disabled\",\"example_payload\":{},\"trigger\":\"\",\"process\":{},"
     "\"missing\":\"empty\",\"allowRaw\":true,\"timeout_ms\":1}",
     KR_OK, NULL, NULL},
    {"longest timeout", "{" MINIMAL ",\"timeout_ms\":600000}", KR_OK, NULL, NULL},
    {"body is a string", PERFORM("\"body\":\"text\""), KR_OK, NULL, NULL},
    {"body is an array", PERFORM("\"body\":[]"), KR_OK, NULL, NULL},
    {"header name with every kind of token byte",
     PERFORM("\"headers\":{\"!#$%&'*+-.^_`|~aZ09\":\"\"}"), KR_OK, NULL, NULL},

    {"not JSON", "{\"name\":}", KR_INVALID, "", NULL},
    {"not an object", "[]", KR_INVALID, "", "must be an object, not array"},
    {"no name", "{\"perform\":{\"url\":\"https://h/\"}}", KR_INVALID, "name", "no name"},
    {"empty name", "{\"name\":\"\",\"perform\":{\"url\":\"https://h/\"}}", KR_INVALID, "name",
     "must not be empty"},
    {"name is a number", "{\"name\":1,\"perform\":{\"url\":\"https://h/\"}}", KR_INVALID, "name",
     "must be a string, not number"},
    {"name with a line break", "{\"name\":\"a\\nb\",\"perform\":{\"url\":\"https://h/\"}}",
     KR_INVALID, "name", "control character"},
    {"name with a blank at its end", "{\"name\":\"a \",\"perform\":{\"url\":\"https://h/\"}}",
     KR_INVALID, "name", "blank"},
    {"unknown status", "{" MINIMAL ",\"status\":\"on\"}", KR_INVALID, "status", "\"disabled\""},
    {"status of another type", "{" MINIMAL ",\"status\":true}", KR_INVALID, "status",
     "must be a string, not boolean"},
    {"unknown missing", "{" MINIMAL ",\"missing\":\"lax\"}", KR_INVALID, "missing", "\"nullish\""},
    {"allowRaw of another type", "{" MINIMAL ",\"allowRaw\":\"yes\"}", KR_INVALID, "allowRaw",
     "true or false, not string"},
    {"timeout zero", "{" MINIMAL ",\"timeout_ms\":0}", KR_INVALID, "timeout_ms", "1 to 600000"},
    {"timeout too long", "{" MINIMAL ",\"timeout_ms\":600001}", KR_INVALID, "timeout_ms",
     "1 to 600000"},
    {"timeout with a fraction", "{" MINIMAL ",\"timeout_ms\":1.5}", KR_INVALID, "timeout_ms",
     "whole number"},
    {"timeout as text", "{" MINIMAL ",\"timeout_ms\":\"9\"}", KR_INVALID, "timeout_ms",
     "whole number"},
    {"trigger of another type", "{" MINIMAL ",\"trigger\":true}", KR_INVALID, "trigger",
     "must be a string, not boolean"},
    {"retry", "{" MINIMAL ",\"retry\":\"safe\"}", KR_UNSUPPORTED, "retry",
     "\"retry\" is not supported by this version"},
    {"environment", "{" MINIMAL ",\"environment\":\"test\"}", KR_UNSUPPORTED, "environment",
     "\"environment\" is not supported by this version"},
    {"unknown key, a near one", "{" MINIMAL ",\"triger\":\"\"}", KR_INVALID, "triger",
     "did you mean \"trigger\"?"},
    {"unknown key, another case", "{" MINIMAL ",\"allowraw\":true}", KR_INVALID, "allowraw",
     "did you mean \"allowRaw\"?"},
    {"unknown key, none near", "{" MINIMAL ",\"colour\":\"\"}", KR_INVALID, "colour",
     "known here: name, status"},
    {"unknown key in process", PROCESS("\"field\":{}"), KR_INVALID, "process.field",
     "did you mean \"fields\"?"},
    {"unknown key in lookup", PROCESS("\"lookup\":{\"url\":\"https://h/\",\"querry\":{}}"),
     KR_INVALID, "process.lookup.querry", "did you mean \"query\"?"},
    {"unknown key in perform", PERFORM("\"header\":{}"), KR_INVALID, "perform.header",
     "did you mean \"headers\"?"},
    {"a key twice", "{\"name\":\"a\"," MINIMAL "}", KR_INVALID, "", NULL},

    {"process of another type", "{" MINIMAL ",\"process\":[]}", KR_INVALID, "process",
     "must be an object, not array"},
    {"lookup of another type", PROCESS("\"lookup\":\"https://h/\""), KR_INVALID, "process.lookup",
     "must be an object, not string"},
    {"lookup without url", PROCESS("\"lookup\":{}"), KR_INVALID, "process.lookup.url",
     "no process"},
    {"query value of another type",
     PROCESS("\"lookup\":{\"url\":\"https://h/\",\"query\":{\"a\":1}}"), KR_INVALID,
     "process.lookup.query.a", "must be a string, not number"},
    {"query name empty", PROCESS("\"lookup\":{\"url\":\"https://h/\",\"query\":{\"\":\"1\"}}"),
     KR_INVALID, "process.lookup.query", "an empty name"},
    {"fields of another type", PROCESS("\"fields\":[]"), KR_INVALID, "process.fields",
     "must be an object, not array"},
    {"field name with a dash", PROCESS("\"fields\":{\"full-name\":\"1\"}"), KR_INVALID,
     "process.fields.full-name", "not a field name"},
    {"field name starting with a digit", PROCESS("\"fields\":{\"1st\":\"1\"}"), KR_INVALID,
     "process.fields.1st", "not a field name"},
    {"field of another type", PROCESS("\"fields\":{\"a\":null}"), KR_INVALID, "process.fields.a",
     "must be a string, not null"},

    {"no perform", "{\"name\":\"n\"}", KR_INVALID, "perform", "no perform"},
    {"perform of another type", "{\"name\":\"n\",\"perform\":\"\"}", KR_INVALID, "perform",
     "must be an object, not string"},
    {"perform without url", "{\"name\":\"n\",\"perform\":{}}", KR_INVALID, "perform.url",
     "no perform.url"},
    {"empty url", "{\"name\":\"n\",\"perform\":{\"url\":\"\"}}", KR_INVALID, "perform.url",
     "must not be empty"},
    {"GET", PERFORM("\"method\":\"GET\""), KR_INVALID, "perform.method", "process.lookup"},
    {"lower-case method", PERFORM("\"method\":\"post\""), KR_INVALID, "perform.method",
     "in upper case"},
    {"method of another type", PERFORM("\"method\":1"), KR_INVALID, "perform.method",
     "must be a string, not number"},
    {"body null", PERFORM("\"body\":null"), KR_INVALID, "perform.body", "leave \"body\" out"},
    {"body a number", PERFORM("\"body\":1"), KR_INVALID, "perform.body", "not number"},
    {"headers of another type", PERFORM("\"headers\":[]"), KR_INVALID, "perform.headers",
     "must be an object, not array"},
    {"header of another type", PERFORM("\"headers\":{\"X-A\":1}"), KR_INVALID,
     "perform.headers.X-A", "must be a string, not number"},
    {"header name with a blank", PERFORM("\"headers\":{\"X A\":\"\"}"), KR_INVALID,
     "perform.headers.X A", "not a header name"},
    {"header name with a colon", PERFORM("\"headers\":{\"X:\":\"\"}"), KR_INVALID,
     "perform.headers.X:", "not a header name"},
    {"header name with NUL", PERFORM("\"headers\":{\"X\\u0000\":\"\"}"), KR_INVALID, NULL,
     "not a header name"},
    {"header name with a line break", PERFORM("\"headers\":{\"X\\r\\nY\":\"\"}"), KR_INVALID, NULL,
     "not a header name"},
    {"header name not ASCII", PERFORM("\"headers\":{\"X-\xC3\xA9\":\"\"}"), KR_INVALID, NULL,
     "not a header name"},
    {"header twice, other case", PERFORM("\"headers\":{\"X-Key\":\"\",\"x-kEY\":\"\"}"), KR_INVALID,
     "perform.headers.x-kEY", "twice"},
    {"Host", PERFORM("\"headers\":{\"hOST\":\"\"}"), KR_INVALID, "perform.headers.hOST",
     "may not set"},
    {"Content-Length", PERFORM("\"headers\":{\"Content-Length\":\"1\"}"), KR_INVALID,
     "perform.headers.Content-Length", "may not set"},
    {"Transfer-Encoding", PERFORM("\"headers\":{\"Transfer-Encoding\":\"1\"}"), KR_INVALID,
     "perform.headers.Transfer-Encoding", "may not set"},
    {"Connection", PERFORM("\"headers\":{\"Connection\":\"1\"}"), KR_INVALID,
     "perform.headers.Connection", "may not set"},
    {"Upgrade", PERFORM("\"headers\":{\"Upgrade\":\"1\"}"), KR_INVALID, "perform.headers.Upgrade",
     "may not set"},
    {"TE", PERFORM("\"headers\":{\"TE\":\"1\"}"), KR_INVALID, "perform.headers.TE", "may not set"},
    {"Trailer", PERFORM("\"headers\":{\"Trailer\":\"1\"}"), KR_INVALID, "perform.headers.Trailer",
     "may not set"},
    {"Expect", PERFORM("\"headers\":{\"Expect\":\"1\"}"), KR_INVALID, "perform.headers.Expect",
     "may not set"},
    {"Keep-Alive", PERFORM("\"headers\":{\"Keep-Alive\":\"1\"}"), KR_INVALID,
     "perform.headers.Keep-Alive", "may not set"},
    {"Proxy-Connection", PERFORM("\"headers\":{\"Proxy-Connection\":\"1\"}"), KR_INVALID,
     "perform.headers.Proxy-Connection", "may not set"},
};

static void run_row(void **state) {
  const row *r = *state;
  KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(1024u * 1024u, NULL);
  const kr_connector *connector = NULL;
  kr_error error = {0};
  kr_status status = kr_connector_parse(kr_str_cstr(r->text), &arena, &connector, &error);
  assert_string_equal(kr_status_name(status), kr_status_name(r->status));
  if (status == KR_OK)
    return;
  assert_null(connector);
  assert_int_equal(error.status, status);
  if (r->source != NULL)
    assert_string_equal(error.source, r->source);
  if (r->message != NULL && strstr(error.message, r->message) == NULL &&
      strstr(error.hint, r->message) == NULL)
    fail_msg("no \"%s\" in: %s (%s)", r->message, error.message, error.hint);
  assert_true(error.span_offset + error.span_len <= strlen(r->text));
}

static void assert_text(kr_str text, const char *expected) {
  assert_true(kr_str_equal(text, kr_str_cstr(expected)));
}

static void reads_everything_in_order(void **state) {
  (void)state;
  kr_str text = KR_STR(
      "{\"name\":\"Slack \\u00e9\",\"trigger\":\"equals($payload.a, 1)\",\"missing\":\"nullish\","
      "\"example_payload\":{\"a\":1},"
      "\"process\":{\"lookup\":{\"url\":\"https://crm/$payload.id\",\"headers\":{\"Authorization\":"
      "\"Bearer $secret.K\"},\"query\":{\"z\":\"1\",\"a\":\"2\",\"e mail\":\"3\"}},"
      "\"fields\":{\"zeta\":\"z\",\"_a1\":\"a\"}},"
      "\"perform\":{\"url\":\"https://hook/\",\"method\":\"PATCH\",\"headers\":{\"X-B\":\"\","
      "\"X-A\":\"v\"},\"body\":{\"t\":\"x\"}}}");
  KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(1024u * 1024u, NULL);
  const kr_connector *connector = NULL;
  assert_int_equal(kr_connector_parse(text, &arena, &connector, NULL), KR_OK);
  assert_text(connector->name, "Slack \xC3\xA9");
  assert_true(connector->is_active);
  assert_text(connector->trigger, "equals($payload.a, 1)");
  assert_int_equal(connector->missing, KR_CONNECTOR_NULLISH);
  assert_false(connector->allow_raw);
  assert_int_equal(connector->timeout_ms, KR_CONNECTOR_TIMEOUT_MS);
  assert_non_null(kr_json_get(connector->example_payload, KR_STR("a")));
  assert_true(connector->has_lookup);
  assert_text(connector->lookup_url, "https://crm/$payload.id");
  assert_int_equal(connector->n_lookup_headers, 1);
  assert_text(connector->lookup_headers[0].text, "Bearer $secret.K");
  assert_int_equal(connector->n_lookup_query, 3);
  assert_text(connector->lookup_query[0].name, "z");
  assert_text(connector->lookup_query[2].name, "e mail");
  assert_int_equal(connector->n_fields, 2);
  assert_text(connector->fields[0].name, "zeta");
  assert_text(connector->fields[1].text, "a");
  assert_text(connector->url, "https://hook/");
  assert_text(connector->method, "PATCH");
  assert_int_equal(connector->n_headers, 2);
  assert_text(connector->headers[0].name, "X-B");
  assert_text(connector->headers[0].text, "");
  assert_int_equal(connector->body->type, KR_JSON_OBJECT);
}

static void has_the_documented_defaults(void **state) {
  (void)state;
  KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(1024u * 1024u, NULL);
  const kr_connector *connector = NULL;
  assert_int_equal(kr_connector_parse(KR_STR("{" MINIMAL "}"), &arena, &connector, NULL), KR_OK);
  assert_true(connector->is_active);
  assert_null(connector->example_payload);
  assert_int_equal(connector->trigger.len, 0);
  assert_false(connector->has_lookup);
  assert_text(connector->method, "POST");
  assert_null(connector->body);
  assert_int_equal(connector->missing, KR_CONNECTOR_STRICT);
  assert_int_equal(connector->timeout_ms, 30000);
}

static void blames_the_bytes_of_the_key(void **state) {
  (void)state;
  kr_str text = KR_STR("{" MINIMAL ",\"triger\":\"\"}");
  KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(1024u * 1024u, NULL);
  const kr_connector *connector = NULL;
  kr_error error = {0};
  assert_int_equal(kr_connector_parse(text, &arena, &connector, &error), KR_INVALID);
  assert_text(kr_str_slice(text, error.span_offset, error.span_offset + error.span_len), "triger");
}

/* Never shows what stands in a value: it may be a secret in the wrong place. */
static void shows_no_values(void **state) {
  (void)state;
  static const char *const texts[] = {
      "{" MINIMAL ",\"status\":\"hunter2hunter2\"}",
      "{" MINIMAL ",\"missing\":\"hunter2hunter2\"}",
      "{\"name\":\"hunter2hunter2\\n\",\"perform\":{\"url\":\"u\"}}",
      PERFORM("\"method\":\"hunter2hunter2\""),
      "{" MINIMAL ",\"timeout_ms\":\"hunter2hunter2\"}",
      "{" MINIMAL ",\"retry\":\"hunter2hunter2\"}",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(1024u * 1024u, NULL);
    const kr_connector *connector = NULL;
    kr_error error = {0};
    assert_int_not_equal(kr_connector_parse(kr_str_cstr(texts[i]), &arena, &connector, &error),
                         KR_OK);
    assert_null(strstr(error.message, "hunter2"));
    assert_null(strstr(error.hint, "hunter2"));
    assert_null(strstr(error.source, "hunter2"));
  }
}

/* "name" entries numbered from 0 in an object inside prefix and suffix. */
static kr_status parse_many(const char *prefix, const char *name, size_t n, const char *suffix) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(8u * 1024u * 1024u, NULL);
  assert_int_equal(kr_buf_printf(&text, "%s{", prefix), KR_OK);
  for (size_t i = 0; i < n; i++)
    assert_int_equal(kr_buf_printf(&text, "%s\"%s%zu\":\"v\"", i == 0 ? "" : ",", name, i), KR_OK);
  assert_int_equal(kr_buf_printf(&text, "}%s", suffix), KR_OK);
  KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(8u * 1024u * 1024u, NULL);
  const kr_connector *connector = NULL;
  return kr_connector_parse(kr_buf_str(&text), &arena, &connector, NULL);
}

static void counts_are_limited(void **state) {
  (void)state;
  const char *headers = "{\"name\":\"n\",\"perform\":{\"url\":\"u\",\"headers\":";
  assert_int_equal(parse_many(headers, "X-", KR_CONNECTOR_HEADERS_MAX, "}}"), KR_OK);
  assert_int_equal(parse_many(headers, "X-", KR_CONNECTOR_HEADERS_MAX + 1, "}}"), KR_INVALID);
  const char *query = "{" MINIMAL ",\"process\":{\"lookup\":{\"url\":\"u\",\"query\":";
  assert_int_equal(parse_many(query, "q", KR_CONNECTOR_QUERY_MAX, "}}}"), KR_OK);
  assert_int_equal(parse_many(query, "q", KR_CONNECTOR_QUERY_MAX + 1, "}}}"), KR_INVALID);
  const char *fields = "{" MINIMAL ",\"process\":{\"fields\":";
  assert_int_equal(parse_many(fields, "f", KR_CONNECTOR_FIELDS_MAX, "}}"), KR_OK);
  assert_int_equal(parse_many(fields, "f", KR_CONNECTOR_FIELDS_MAX + 1, "}}"), KR_INVALID);
}

/* A definition of exactly n bytes, filled up with blanks. */
static kr_status parse_sized(size_t n_bytes) {
  char *text = malloc(n_bytes);
  assert_non_null(text);
  memset(text, ' ', n_bytes);
  memcpy(text, "{" MINIMAL "}", sizeof("{" MINIMAL "}") - 1);
  KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(8u * 1024u * 1024u, NULL);
  const kr_connector *connector = NULL;
  kr_status status = kr_connector_parse(kr_str_from(text, n_bytes), &arena, &connector, NULL);
  free(text);
  return status;
}

static void sizes_are_limited(void **state) {
  (void)state;
  assert_int_equal(parse_sized(KR_CONNECTOR_MAX_BYTES), KR_OK);
  assert_int_equal(parse_sized(KR_CONNECTOR_MAX_BYTES + 1), KR_LIMIT);
  char name[KR_CONNECTOR_NAME_BYTES + 2];
  memset(name, 'n', sizeof name);
  name[KR_CONNECTOR_NAME_BYTES + 1] = '\0';
  assert_int_equal(parse_many("{" MINIMAL ",\"process\":{\"fields\":", name, 1, "}}"), KR_INVALID);
  name[KR_CONNECTOR_NAME_BYTES - 1] = '\0'; /* and its number: exactly the limit */
  assert_int_equal(parse_many("{" MINIMAL ",\"process\":{\"fields\":", name, 1, "}}"), KR_OK);
}

static void survives_failing_allocations(void **state) {
  (void)state;
  for (size_t n = 0; n < 100; n++) {
    kr_arena arena = KR_ARENA_INIT(1024u * 1024u, NULL);
    const kr_connector *connector = NULL;
    kr_test_fail_at(n);
    kr_status status = kr_connector_parse(KR_STR(PERFORM("\"headers\":{\"X-\\u0041\":\"a\"}")),
                                          &arena, &connector, NULL);
    size_t n_refused = kr_test_fail_stop();
    kr_arena_done(&arena);
    assert_int_equal(status, n_refused == 0 ? KR_OK : KR_NOMEM);
    if (n_refused == 0) {
      assert_true(n > 0);
      return;
    }
  }
  fail_msg("still allocating");
}

#define N_ROWS (sizeof rows / sizeof rows[0])

int main(void) {
  const struct CMUnitTest others[] = {
      cmocka_unit_test(reads_everything_in_order),   cmocka_unit_test(has_the_documented_defaults),
      cmocka_unit_test(blames_the_bytes_of_the_key), cmocka_unit_test(shows_no_values),
      cmocka_unit_test(counts_are_limited),          cmocka_unit_test(sizes_are_limited),
      cmocka_unit_test(survives_failing_allocations)};
  size_t n_others = sizeof others / sizeof others[0];
  struct CMUnitTest tests[N_ROWS + sizeof others / sizeof others[0]];
  for (size_t i = 0; i < N_ROWS; i++)
    tests[i] = (struct CMUnitTest){
        .name = rows[i].name, .test_func = run_row, .initial_state = (void *)&rows[i]};
  for (size_t i = 0; i < n_others; i++)
    tests[N_ROWS + i] = others[i];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
