/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_run.c - whole runs through the public interface against the receiver:
 * what reached it, what the event says, and that no file of the home and no
 * byte of an event holds a value.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/fixture.h"
#include "support/receiver_process.h"

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define CANARY "canary-7f3Q+x/9==Zk"
#define CANARY_BASE64 "Y2FuYXJ5LTdmM1EreC85PT1aa" /* of the canary, without the last character */
#define CANARY_UPPER "CANARY-7F3Q+X/9==ZK"
#define CANARY_PERCENT "canary-7f3Q%2Bx%2F9%3D%3DZk"

typedef struct row {
  const char *name;
  const char *connector; /* PORT stands for the receiver's port */
  const char *payload;
  const char *status;   /* of the event */
  const char *holds[4]; /* in the event */
  const char *lacks[4];
  const char *n_requests; /* lines of the receiver's report: a number */
} row;

#define PERFORM(rest)                                                                              \
  "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:PORT/services/x\"," rest "}}"

static const row rows[] = {
    {"secret in a header, echoed by the target",
     PERFORM("\"headers\":{\"X-API-Key\":\"$secret.KEY\"},\"body\":{\"a\":1}"),
     "{}",
     "completed",
     {"[\"X-API-Key\",\"[REDACTED]\"]", "\"form\":\"span\"", "\"form\":\"raw\"", NULL},
     {CANARY, NULL},
     "1"},
    {"secret in the path, encoded by its place",
     "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:PORT/services/$secret.KEY\","
     "\"headers\":{\"X-API-Key\":\"none\"}}}",
     "{}",
     "completed",
     {"/services/[REDACTED]\"", NULL},
     {CANARY, "canary-7f3Q", NULL},
     "1"},
    {"a derived value, echoed: base64",
     PERFORM("\"headers\":{\"X-API-Key\":\"base64Encode($secret.KEY)\"},\"body\":{}"),
     "{}",
     "completed",
     {"[\"X-API-Key\",\"[REDACTED]\"]", NULL},
     {CANARY_BASE64, NULL},
     "1"},
    {"a derived value, echoed: upper case",
     PERFORM("\"headers\":{\"X-API-Key\":\"uppercase($secret.KEY)\"},\"body\":{}"),
     "{}",
     "completed",
     {"KEY|uppercase", NULL},
     {CANARY_UPPER, CANARY, NULL},
     "1"},
    {"a part of a concatenation stays readable",
     PERFORM("\"headers\":{\"X-API-Key\":\"Key $secret.KEY end\"},\"body\":{}"),
     "{}",
     "completed",
     {"\"Key [REDACTED] end\"", NULL},
     {CANARY, NULL},
     "1"},
    {"a secret that arrives in the payload",
     PERFORM("\"headers\":{\"X-API-Key\":\"n\"},\"body\":{\"note\":\"$payload.note\"}"),
     "{\"note\":\"see " CANARY "\"}",
     "completed",
     {"\"note\":\"see [REDACTED]\"", NULL},
     {CANARY, CANARY_PERCENT, NULL},
     "1"},
    {"a secret in a process field, used twice",
     "{\"name\":\"t\",\"process\":{\"fields\":{\"auth\":\"concat(\\\"Bearer \\\", $secret.KEY)\"}},"
     "\"perform\":{\"url\":\"http://127.0.0.1:PORT/services/"
     "x\",\"headers\":{\"X-API-Key\":\"$processed.auth\"},"
     "\"body\":{\"echo\":\"$processed.auth\"}}}",
     "{}",
     "completed",
     {"\"auth\":\"Bearer [REDACTED]\"", NULL},
     {CANARY, NULL},
     "1"},
    {"a false trigger sends nothing",
     "{\"name\":\"t\",\"trigger\":\"equals($payload.kind, \\\"yes\\\")\",\"perform\":{"
     "\"url\":\"http://127.0.0.1:PORT/services/x\",\"headers\":{\"X-API-Key\":\"$secret.KEY\"}}}",
     "{\"kind\":\"no\"}",
     "skipped",
     {"\"attempts\":[]", NULL},
     {CANARY, NULL},
     "0"},
    {"a missing secret fails before any request",
     PERFORM("\"headers\":{\"X-API-Key\":\"$secret.KEYS\"}"),
     "{}",
     "failed",
     {"secret KEYS does not exist", "\"step\":\"secrets\"", NULL},
     {CANARY, NULL},
     "0"},
    {"a template that does not compile is a failed event",
     PERFORM("\"headers\":{\"X-API-Key\":\"upercase($secret.KEY)\"}"),
     "{}",
     "failed",
     {"\"step\":\"compile\"", "perform.headers.X-API-Key", NULL},
     {CANARY, NULL},
     "0"},
    {"a line break in a header value is refused, not sent",
     PERFORM("\"headers\":{\"X-API-Key\":\"$payload.a\"}"),
     "{\"a\":\"x\\r\\nEvil: 1\"}",
     "failed",
     {"\"step\":\"perform\"", NULL},
     {CANARY, NULL},
     "0"},
    {"missing data names its path",
     PERFORM("\"headers\":{\"X-API-Key\":\"$payload.user.nam\"}"),
     "{\"user\":{\"name\":\"x\"}}",
     "failed",
     {"nam", NULL},
     {CANARY, NULL},
     "0"},
    {"500 with the key in its text",
     "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:PORT/fail/x\","
     "\"headers\":{\"X-API-Key\":\"$secret.KEY\"},\"body\":{}}}",
     "{}",
     "failed",
     {"\"status\":500", "[REDACTED]", "the target answered with status 500", NULL},
     {CANARY, NULL},
     "1"},
    {"a redirect is not followed",
     "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:PORT/redirect\","
     "\"headers\":{\"X-API-Key\":\"$secret.KEY\"},\"body\":{}}}",
     "{}",
     "failed",
     {"\"step\":\"perform\"", NULL},
     {CANARY, NULL},
     "1"},
    {"a target that closes without an answer",
     "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:PORT/close\","
     "\"headers\":{\"X-API-Key\":\"$secret.KEY\"},\"body\":{}}}",
     "{}",
     "failed",
     {"\"response\":null", NULL},
     {CANARY, NULL},
     "1"},
    {"a body that is not UTF-8 is kept as base64",
     "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:PORT/nonutf8\",\"body\":{}}}",
     "{}",
     "completed",
     {"{\"base64\":\"", NULL},
     {CANARY, NULL},
     "1"},
    {"a lookup that is not JSON stops the run",
     "{\"name\":\"t\",\"process\":{\"lookup\":{\"url\":\"http://127.0.0.1:PORT/fail/x\"}},"
     "\"perform\":{\"url\":\"http://127.0.0.1:PORT/services/x\"}}",
     "{}",
     "failed",
     {"\"step\":\"lookup\"", NULL},
     {CANARY, NULL},
     "1"},
    {"lookup, fields and body",
     "{\"name\":\"t\",\"process\":{\"lookup\":{\"url\":\"http://127.0.0.1:PORT/users/$payload.id\","
     "\"headers\":{\"Authorization\":\"Bearer "
     "$secret.KEY\"},\"query\":{\"mail\":\"$payload.mail\"}},"
     "\"fields\":{\"who\":\"concat($payload.first, \\\" \\\", $lookup.tier)\"}},"
     "\"perform\":{\"url\":\"http://127.0.0.1:PORT/services/"
     "x\",\"body\":{\"who\":\"$processed.who\"}}}",
     "{\"id\":\"u-1\",\"mail\":\"a+b@c.d\",\"first\":\"Jane\"}",
     "completed",
     {"/users/u-1?mail=a%2Bb%40c.d\"", "\"who\":\"Jane ", "Bearer [REDACTED]", NULL},
     {CANARY, NULL},
     "2"},
};

static void fill_port(const char *connector, uint16_t port, char *out, size_t size) {
  size_t len = 0;
  char digits[8];
  (void)snprintf(digits, sizeof digits, "%u", (unsigned)port);
  while (*connector != '\0') {
    bool is_port = strncmp(connector, "PORT", 4) == 0;
    const char *piece = is_port ? digits : connector;
    size_t piece_len = is_port ? strlen(digits) : 1;
    assert_true(len + piece_len < size);
    memcpy(out + len, piece, piece_len);
    len += piece_len;
    connector += is_port ? 4 : 1;
  }
  out[len] = '\0';
}

static unsigned count_lines(const char *report) {
  unsigned n = 0;
  for (; *report != '\0'; report++)
    n += *report == '\n';
  return n;
}

static const row *current; /* the row of the running test */

static void run_row(void **state) {
  fixture *self = *state;
  receiver_process receiver;
  char connector[4096];
  char report[4096];
  assert_true(receiver_start(&receiver, NULL));
  fill_port(current->connector, receiver.port, connector, sizeof connector);
  fixture_secret(self, "default", "KEY", CANARY);
  kr_run *run = fixture_run(self, "default", connector, current->payload);
  kr_str event = kr_run_event(run);
  (void)receiver_stop(&receiver, report, sizeof report);
  if (strcmp(kr_run_status(run), current->status) != 0)
    print_error("%.*s\n", (int)event.len, (const char *)event.ptr);
  assert_string_equal(kr_run_status(run), current->status);
  for (size_t i = 0; i < 4 && current->holds[i] != NULL; i++)
    if (!event_holds(run, current->holds[i]))
      fail_msg("the event lacks %s: %.*s", current->holds[i], (int)event.len,
               (const char *)event.ptr);
  for (size_t i = 0; i < 4 && current->lacks[i] != NULL; i++)
    assert_false(event_holds(run, current->lacks[i]));
  char n_requests[8];
  (void)snprintf(n_requests, sizeof n_requests, "%u", count_lines(report));
  assert_string_equal(n_requests, current->n_requests);
  kr_run_free(run);
  /* What the log holds, read again from the disk, is the same and holds no value. */
  fixture_reopen(self);
  size_t n_events = 0;
  kr_error error = {0};
  assert_int_equal(kr_engine_event_each(self->engine, text("default"), 100, fixture_count_event,
                                        &n_events, &error),
                   KR_OK);
  assert_int_equal(n_events, 1);
  const char *const never[] = {CANARY, CANARY_BASE64, CANARY_UPPER, CANARY_PERCENT};
  for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
    assert_false(fixture_home_holds(self, never[i]));
}

/* Somebody pasted a value over a key, which the error would name in message and place. */
static void test_a_connector_that_is_refused(void **state) {
  fixture *self = *state;
  static const char *const refused[] = {
      "{\"name\":\"t\",\"" CANARY "\":1,\"perform\":{\"url\":\"https://h.example/\"}}",
      "{\"name\":\"t\",\"perform\":{\"url\":\"https://h.example/\",\"x " CANARY "\":1}}",
      "{\"name\":\"t\",\"two\\nlines-9Qz\":1,\"perform\":{\"url\":\"https://h.example/\"}}",
      "{\"name\":\"t\",\"colour\":1,\"perform\":{\"url\":\"https://h.example/\"}}",
  };
  fixture_secret(self, "default", "KEY", CANARY);
  fixture_secret(self, "default", "LINES", "two\nlines-9Qz");
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    kr_run_options options = {.org = text("default"), .connector = text(refused[i])};
    kr_error error = {0};
    kr_run *run = NULL;
    bool holds = i < 3;
    assert_int_equal(kr_run_new(self->engine, &options, &run, &error), KR_INVALID);
    assert_int_equal(strstr(error.message, "holds the value of a secret") != NULL, holds);
    assert_int_equal(strstr(error.message, "colour") != NULL, !holds);
    assert_null(strstr(error.message, "lines-9Qz"));
    assert_null(strstr(error.message, CANARY));
    assert_null(strstr(error.source, CANARY));
    /* A dry run opens no value, so it cannot know one. */
    options.is_dry = true;
    assert_int_equal(kr_run_new(self->engine, &options, &run, &error), KR_INVALID);
    assert_non_null(strstr(error.message, "unknown key"));
  }
}

static int row_setup(void **state) {
  current = *state;
  return fixture_setup(state);
}

int main(void) {
  struct CMUnitTest tests[sizeof rows / sizeof rows[0] + 1];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                   .test_func = run_row,
                                   .setup_func = row_setup,
                                   .teardown_func = fixture_teardown,
                                   .initial_state = (void *)(uintptr_t)&rows[i]};
  tests[sizeof rows / sizeof rows[0]] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
      test_a_connector_that_is_refused, fixture_setup, fixture_teardown);
  return cmocka_run_group_tests_name("runs", tests, NULL, NULL);
}
