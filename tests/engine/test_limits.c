/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_limits.c - runs at and over each limit: at it they complete, over it
 * there is an error or a failed event that names limit and place, always stored.
 * Inputs are built by hand-sized generators; nothing is sent to anyone but the
 * receiver.
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
#include <stdlib.h>
#include <string.h>

static receiver_process receiver;

/* Growing text; a test that runs out of memory may end. */
typedef struct words {
  char *ptr;
  size_t len;
} words;

static void add(words *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(words *out, const char *format, ...) {
  va_list args;
  char *piece = NULL;
  va_start(args, format);
  int len = vasprintf(&piece, format, args);
  va_end(args);
  assert_true(len >= 0);
  out->ptr = realloc(out->ptr, out->len + (size_t)len + 1);
  assert_non_null(out->ptr);
  memcpy(out->ptr + out->len, piece, (size_t)len + 1);
  out->len += (size_t)len;
  free(piece);
}

static void add_many(words *out, char byte, size_t count) {
  out->ptr = realloc(out->ptr, out->len + count + 1);
  assert_non_null(out->ptr);
  memset(out->ptr + out->len, byte, count);
  out->len += count;
  out->ptr[out->len] = '\0';
}

typedef struct input {
  words connector;
  words payload;
} input;

static void begin(input *in, const char *rest) {
  add(&in->connector, "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:%u/services/x\"%s",
      (unsigned)receiver.port, rest);
}

/* A payload {"a":"aaa..."} of n bytes in all. */
static void make_payload(input *in, size_t n) {
  begin(in, "}}");
  add(&in->payload, "{\"a\":\"");
  add_many(&in->payload, 'a', n - 8);
  add(&in->payload, "\"}");
  assert_int_equal(in->payload.len, n);
}

static void make_depth(input *in, size_t n) {
  begin(in, "}}");
  add_many(&in->payload, '[', n);
  add_many(&in->payload, ']', n);
}

static void make_secrets(input *in, size_t n) {
  begin(in, ",\"headers\":{\"X-A\":\"");
  for (size_t i = 0; i < n; i++)
    add(&in->connector, "$secret.S%zu ", i);
  add(&in->connector, "\"}}}");
  add(&in->payload, "{}");
}

static void make_headers(input *in, size_t n) {
  begin(in, ",\"headers\":{");
  for (size_t i = 0; i < n; i++)
    add(&in->connector, "%s\"X-%zu\":\"v\"", i == 0 ? "" : ",", i);
  add(&in->connector, "}}}");
  add(&in->payload, "{}");
}

static void make_fields(input *in, size_t n) {
  begin(in, "},\"process\":{\"fields\":{");
  for (size_t i = 0; i < n; i++)
    add(&in->connector, "%s\"f%zu\":\"$payload.a\"", i == 0 ? "" : ",", i);
  add(&in->connector, "}}}");
  add(&in->payload, "{\"a\":\"");
  add_many(&in->payload, 'f', 8000);
  add(&in->payload, "\"}");
}

/* Four fields of n bytes each: together over 4 MiB at the last. */
static void make_large_fields(input *in, size_t n) {
  begin(in, "},\"process\":{\"fields\":{\"a\":\"$payload.a\",\"b\":\"$payload.a\","
            "\"c\":\"$payload.a\",\"d\":\"$payload.a\",\"e\":\"$payload.a\"}}}");
  add(&in->payload, "{\"a\":\"");
  add_many(&in->payload, 'f', n);
  add(&in->payload, "\"}");
}

static void make_url(input *in, size_t n) {
  begin(in, "");
  in->connector.len -= 1;
  add(&in->connector, "?q=$payload.a\"}}");
  add(&in->payload, "{\"a\":\"");
  char url[128];
  int head =
      snprintf(url, sizeof url, "http://127.0.0.1:%u/services/x?q=", (unsigned)receiver.port);
  add_many(&in->payload, 'u', n - (size_t)head);
  add(&in->payload, "\"}");
}

static void make_header(input *in, size_t n) {
  begin(in, ",\"headers\":{\"X-A\":\"$payload.a\"}}}");
  add(&in->payload, "{\"a\":\"");
  add_many(&in->payload, 'h', n);
  add(&in->payload, "\"}");
}

static void make_body(input *in, size_t n) {
  begin(in, ",\"body\":{\"a\":\"$payload.a\",\"b\":\"$payload.b\"}}}");
  add(&in->payload, "{\"a\":\"");
  add_many(&in->payload, 'b', n / 2);
  add(&in->payload, "\",\"b\":\"");
  add_many(&in->payload, 'b', n - n / 2 - sizeof "{\"a\":\"\",\"b\":\"\"}" + 1);
  add(&in->payload, "\"}");
}

/* Each header may stand in an event, all of them do not fit. Nobody listens on port 1. */
static void make_large_event(input *in, size_t n) {
  add(&in->connector,
      "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:1/x\",\"headers\":{");
  for (size_t i = 0; i < n; i++)
    add(&in->connector, "%s\"X-%zu\":\"$payload.a\"", i == 0 ? "" : ",", i);
  add(&in->connector, "},\"body\":{\"k\":\"$secret.S0\"}}}");
  add(&in->payload, "{\"a\":\"");
  for (size_t i = 0; i < 8192; i++)
    add(&in->payload, "\\\"");
  add(&in->payload, "\"}");
}

typedef struct row {
  const char *name;
  void (*make)(input *in, size_t n);
  size_t n;
  kr_status status;    /* of kr_run_new */
  const char *outcome; /* of the event */
  const char *says;    /* in the error of kr_run_new, or in the event */
} row;

#define KIB 1024u
#define MIB (1024u * 1024u)

static const row rows[] = {
    {"payload of 4 MiB", make_payload, 4 * MIB, KR_OK, "completed", NULL},
    {"payload of 4 MiB and a byte", make_payload, 4 * MIB + 1, KR_LIMIT, NULL,
     "the payload is over its limit of 4194304 bytes"},
    {"payload of 80 MiB", make_payload, 80 * MIB, KR_LIMIT, NULL,
     "the payload is over its limit of 4194304 bytes"},
    {"depth 128", make_depth, 128, KR_OK, "completed", NULL},
    {"depth 129", make_depth, 129, KR_LIMIT, NULL, "128"},
    {"64 secrets", make_secrets, 64, KR_OK, "completed", NULL},
    {"65 secrets", make_secrets, 65, KR_OK, "failed", "more than 64 different secrets"},
    {"62 headers, and two of ours", make_headers, 62, KR_OK, "completed", NULL},
    {"64 headers", make_headers, 64, KR_OK, "completed", NULL},
    {"65 headers", make_headers, 65, KR_INVALID, NULL, "64"},
    {"256 fields of 8 KB", make_fields, 256, KR_OK, "completed", NULL},
    {"257 fields", make_fields, 257, KR_INVALID, NULL, "256"},
    {"5 fields of 800 KB", make_large_fields, 800000, KR_OK, "completed", NULL},
    {"5 fields of 900 KB", make_large_fields, 900000, KR_OK, "failed",
     "\"field\":\"process.fields.e\",\"message\":\"all processed fields"},
    {"URL of 8 KiB", make_url, 8 * KIB, KR_OK, "completed", NULL},
    {"URL of 8 KiB and a byte", make_url, 8 * KIB + 1, KR_OK, "failed", "8192"},
    {"header of 8 KiB", make_header, 8 * KIB, KR_OK, "completed", NULL},
    {"header of 8 KiB and a byte", make_header, 8 * KIB + 1, KR_OK, "failed", "8192"},
    {"body of 1 MiB", make_body, MIB, KR_OK, "completed", NULL},
    {"body of 1 MiB and a byte", make_body, MIB + 1, KR_OK, "failed", "1048576"},
    {"an event of many large fields", make_large_event, 64, KR_OK, "failed",
     "{\"withheld\":\"the record is full\"}"},
};

static const row *current;

static void run_row(void **state) {
  fixture *self = *state;
  input in = {{NULL, 0}, {NULL, 0}};
  kr_error error = {0};
  for (unsigned i = 0; i < 65; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "S%u", i);
    fixture_secret(self, "default", name, "value-that-is-secret");
  }
  current->make(&in, current->n);
  const kr_run_options options = {
      .org = text("default"),
      .connector = {(const uint8_t *)in.connector.ptr, in.connector.len},
      .payload = {(const uint8_t *)in.payload.ptr, in.payload.len},
      .allow_private = true};
  kr_run *run = NULL;
  kr_status status = kr_run_new(self->engine, &options, &run, &error);
  if (status != current->status)
    fail_msg("%s: %s", kr_status_name(status), error.message);
  if (status == KR_OK) {
    /* Freed before anything can fail: an engine is not closed with a run open. */
    char why[1200] = "";
    while (kr_run_step(run) == KR_RUN_NEED_HTTP)
      assert_int_equal(kr_http_drive(self->engine, 1000, &error), KR_OK);
    bool is_said = current->says == NULL || event_holds(run, current->says);
    if (kr_run_result(run, &error) != KR_OK)
      (void)snprintf(why, sizeof why, "not stored: %s", error.message);
    else if (!is_said || strcmp(kr_run_status(run), current->outcome) != 0)
      (void)snprintf(why, sizeof why, "%s, %zu bytes: %.1000s", kr_run_status(run),
                     kr_run_event(run).len, (const char *)kr_run_event(run).ptr);
    else if (event_holds(run, "value-that-is-secret"))
      (void)snprintf(why, sizeof why, "a value in the event");
    kr_run_free(run);
    assert_string_equal(why, "");
  } else if (strstr(error.message, current->says) == NULL) {
    fail_msg("%s", error.message);
  }
  free(in.connector.ptr);
  free(in.payload.ptr);
}

static int row_setup(void **state) {
  current = *state;
  return fixture_setup(state);
}

int main(void) {
  struct CMUnitTest tests[sizeof rows / sizeof rows[0]];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                   .test_func = run_row,
                                   .setup_func = row_setup,
                                   .teardown_func = fixture_teardown,
                                   .initial_state = (void *)(uintptr_t)&rows[i]};
  if (!receiver_start(&receiver, NULL))
    return 1;
  int n_failed = cmocka_run_group_tests_name("limits", tests, NULL, NULL);
  (void)receiver_stop(&receiver, NULL, 0);
  return n_failed;
}
