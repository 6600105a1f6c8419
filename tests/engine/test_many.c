/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_many.c - more than one of everything: runs that share one network loop,
 * organizations that must not see each other, values that change between runs,
 * events that cannot be stored.
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

#define N_RUNS 40

static void connector_for(uint16_t port, const char *path, char *out, size_t size) {
  (void)snprintf(out, size,
                 "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:%u%s\","
                 "\"headers\":{\"X-API-Key\":\"$secret.KEY\"},\"body\":{\"n\":\"$payload.n\"}}}",
                 (unsigned)port, path);
}

/* Forty runs wait for the network at once and are moved by one loop. */
static void test_runs_share_the_network(void **state) {
  fixture *self = *state;
  receiver_process receiver;
  char connector[512];
  kr_run *runs[N_RUNS] = {NULL};
  kr_error error = {0};
  assert_true(receiver_start(&receiver, NULL));
  connector_for(receiver.port, "/services/x", connector, sizeof connector);
  fixture_secret(self, "default", "KEY", "the-value-of-the-key");
  const kr_run_options options = {.org = text("default"),
                                  .connector = text(connector),
                                  .payload = text("{\"n\":1}"),
                                  .allow_private = true};
  for (size_t i = 0; i < N_RUNS; i++)
    assert_int_equal(kr_run_new(self->engine, &options, &runs[i], &error), KR_OK);
  size_t n_waiting = 0;
  for (size_t i = 0; i < N_RUNS; i++)
    n_waiting += kr_run_step(runs[i]) == KR_RUN_NEED_HTTP;
  assert_int_equal(n_waiting, N_RUNS);
  for (unsigned turns = 0; n_waiting > 0; turns++) {
    assert_true(turns < 10000);
    assert_int_equal(kr_http_drive(self->engine, 1000, &error), KR_OK);
    n_waiting = 0;
    for (size_t i = 0; i < N_RUNS; i++)
      n_waiting += kr_run_step(runs[i]) == KR_RUN_NEED_HTTP;
  }
  for (size_t i = 0; i < N_RUNS; i++) {
    assert_string_equal(kr_run_status(runs[i]), "completed");
    assert_int_equal(kr_run_result(runs[i], &error), KR_OK);
    kr_run_free(runs[i]);
  }
  (void)receiver_stop(&receiver, NULL, 0);
  size_t n_events = 0;
  assert_int_equal(kr_engine_event_each(self->engine, text("default"), 1000, fixture_count_event,
                                        &n_events, &error),
                   KR_OK);
  assert_int_equal(n_events, N_RUNS);
}

/* A run of one organization neither uses nor sees what another one has. */
static void test_organizations_are_apart(void **state) {
  fixture *self = *state;
  kr_error error = {0};
  char connector[512];
  connector_for(1, "/services/x", connector, sizeof connector);
  assert_int_equal(kr_engine_org_create(self->engine, text("acme"), &error), KR_OK);
  fixture_secret(self, "acme", "KEY", "the-value-of-acme");
  kr_run *run = fixture_run(self, "default", connector, "{\"n\":\"x\"}");
  assert_string_equal(kr_run_status(run), "failed");
  assert_true(event_holds(run, "secret KEY does not exist in organization default"));
  kr_run_free(run);
  size_t n_events = 0;
  assert_int_equal(
      kr_engine_event_each(self->engine, text("acme"), 100, fixture_count_event, &n_events, &error),
      KR_OK);
  assert_int_equal(n_events, 0);
}

/* The set that redacts follows every change: new, replaced and deleted values. */
static void test_new_values_are_redacted_at_once(void **state) {
  fixture *self = *state;
  static const char connector[] =
      "{\"name\":\"t\",\"trigger\":\"false\",\"perform\":{\"url\":\"http://a.example/\"}}";
  static const char payload[] = "{\"a\":\"first-value-here\",\"b\":\"second-value-here\"}";
  static const struct {
    const char *name;
    const char *value; /* saved before the run; NULL: none */
    bool hides_first;
    bool hides_second;
  } steps[] = {{"KEY", NULL, false, false},
               {"KEY", "first-value-here", true, false},
               {"KEY", "second-value-here", true, true}}; /* the old version is kept, so hidden */
  for (size_t i = 0; i < 3; i++) {
    if (steps[i].value != NULL)
      fixture_secret(self, "default", steps[i].name, steps[i].value);
    kr_run *run = fixture_run(self, "default", connector, payload);
    assert_string_equal(kr_run_status(run), "skipped");
    assert_int_equal(event_holds(run, "first-value-here"), !steps[i].hides_first);
    assert_int_equal(event_holds(run, "second-value-here"), !steps[i].hides_second);
    kr_run_free(run);
  }
}

/* Without its key a home shows names, and neither runs nor redacts. */
static void test_keyless(void **state) {
  fixture *self = *state;
  fixture_secret(self, "default", "KEY", "the-value-of-the-key");
  kr_engine_close(self->engine);
  self->engine = NULL;
  const kr_home_options options = {.home = self->home, .without_key = true};
  kr_error error = {0};
  assert_int_equal(kr_engine_open(&options, &self->engine, &error), KR_OK);
  const kr_run_options run_options = {
      .org = text("default"),
      .connector = text("{\"name\":\"t\",\"perform\":{\"url\":\"https://a.example/\","
                        "\"headers\":{\"X-A\":\"Bearer $secret.KEY\"}}}"),
      .payload = text("{}")};
  kr_run *run = NULL;
  assert_int_equal(kr_run_new(self->engine, &run_options, &run, &error), KR_UNTRUSTED);
  kr_run_options dry = run_options;
  dry.is_dry = true;
  assert_int_equal(kr_run_new(self->engine, &dry, &run, &error), KR_OK);
  assert_int_equal(kr_run_step(run), KR_RUN_DONE);
  assert_int_equal(kr_run_result(run, &error), KR_OK);
  assert_true(event_holds(run, "\"Bearer [REDACTED]\""));
  assert_true(event_holds(run, "\"dry_run\":true"));
  kr_run_free(run);
  size_t n_events = 0;
  assert_int_equal(kr_engine_event_each(self->engine, text("default"), 100, fixture_count_event,
                                        &n_events, &error),
                   KR_OK);
  assert_int_equal(n_events, 0);
}

typedef struct landing_seen {
  char lines[512];
} landing_seen;

static kr_status see_landing(void *ctx, const kr_landing *landing) {
  landing_seen *seen = ctx;
  size_t len = strlen(seen->lines);
  (void)snprintf(seen->lines + len, sizeof seen->lines - len, "%zu %s %s [%s]\n", landing->offset,
                 landing->secrets, landing->context, landing->transforms);
  return KR_OK;
}

/* The preview tells where each secret lands, with no home at all. */
static void test_preview_landings(void **state) {
  (void)state;
  const kr_preview_options options = {
      .org = text("default"),
      .sink = "header",
      .text = text("a $secret.ONE b ${uppercase($secret.TWO)} c $payload.x"),
      .payload = text("{\"x\":\"y\"}")};
  landing_seen seen = {.lines = ""};
  kr_text out = {0};
  kr_error error = {0};
  assert_int_equal(kr_preview(&options, &out, NULL, see_landing, &seen, &error), KR_OK);
  assert_string_equal(out.ptr, "a [REDACTED] b [REDACTED] c y");
  assert_string_equal(seen.lines, "2 ONE header value []\n15 TWO header value [uppercase]\n");
  kr_text_done(&out);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_runs_share_the_network),
                                     TEST(test_organizations_are_apart),
                                     TEST(test_new_values_are_redacted_at_once), TEST(test_keyless),
                                     cmocka_unit_test(test_preview_landings)};
  return cmocka_run_group_tests_name("many", tests, NULL, NULL);
}
