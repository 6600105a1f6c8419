/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_decide.c - runs that decide on a secret: refused until the organization
 * allows it, then carried out, and the event tells neither the value nor, but
 * for "skipped", what was decided.
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

#define VALUE "live_7f3Q9Lm2xW8"

static const char connector[] =
    "{\"name\":\"t\",\"trigger\":\"startsWith($secret.KEY, \\\"%s\\\")\",\"perform\":{\"url\":"
    "\"http://127.0.0.1:%u/services/${if(startsWith($secret.KEY, \\\"live_\\\"), \\\"realm-l\\\", "
    "\\\"realm-t\\\")}\",\"headers\":{\"X-API-Key\":\"if(contains($secret.KEY, \\\"7f3Q\\\"), "
    "\\\"mode-yes\\\", \\\"mode-no\\\")\"},"
    "\"body\":{\"long\":\"toString(length($secret.KEY))\",\"fails\":\"%s\"}}}";

static void allow(fixture *self, const char *value) {
  kr_error error = {0};
  assert_int_equal(kr_engine_org_set(self->engine, text("default"), text("decide-on-secrets"),
                                     text(value), &error),
                   KR_OK);
}

typedef struct outcome {
  char status[16];
  char report[4096];
  kr_run *run;
} outcome;

static outcome run_with(fixture *self, const char *prefix, const char *body) {
  outcome found = {0};
  receiver_process receiver;
  char made[2048];
  assert_true(receiver_start(&receiver, NULL));
  (void)snprintf(made, sizeof made, connector, prefix, (unsigned)receiver.port, body);
  found.run = fixture_run(self, "default", made, "{}");
  (void)receiver_stop(&receiver, found.report, sizeof found.report);
  (void)snprintf(found.status, sizeof found.status, "%s", kr_run_status(found.run));
  return found;
}

static void finish(fixture *self, outcome *found) {
  kr_run_free(found->run);
  fixture_reopen(self);
  assert_false(fixture_home_holds(self, VALUE));
}

static void test_refused_without_consent(void **state) {
  fixture *self = *state;
  fixture_secret(self, "default", "KEY", VALUE);
  outcome found = run_with(self, "live_", "");
  assert_string_equal(found.status, "failed");
  assert_true(event_holds(found.run, "\"step\":\"compile\""));
  assert_true(event_holds(found.run, "\"code\":\"E401\""));
  assert_string_equal(found.report, "");
  finish(self, &found);
  allow(self, "on");
  allow(self, "off");
  found = run_with(self, "live_", "");
  assert_true(event_holds(found.run, "\"step\":\"compile\""));
  finish(self, &found);
}

static void test_the_request_has_what_the_event_hides(void **state) {
  fixture *self = *state;
  fixture_secret(self, "default", "KEY", VALUE);
  allow(self, "on");
  outcome found = run_with(self, "live_", "");
  assert_string_equal(found.status, "completed");
  /* The target tells what it got: words of the template, which nobody searches for. */
  assert_true(event_holds(found.run, "\"seen_path\":\"/services/realm-l\""));
  assert_true(event_holds(found.run, "\"seen_api_key\":\"mode-yes\""));
  assert_true(event_holds(found.run, "/services/[REDACTED]\""));
  assert_true(event_holds(found.run, "[\"X-API-Key\",\"[REDACTED]\"]"));
  assert_true(event_holds(found.run, "\"long\":\"[REDACTED]\""));
  assert_false(event_holds(found.run, VALUE));
  finish(self, &found);
}

static void test_a_trigger_on_a_secret_skips(void **state) {
  fixture *self = *state;
  fixture_secret(self, "default", "KEY", VALUE);
  allow(self, "on");
  outcome found = run_with(self, "test_", "");
  assert_string_equal(found.status, "skipped");
  assert_string_equal(found.report, "");
  finish(self, &found);
}

/* Two values, two reasons to fail, one error. */
static void test_what_fails_says_the_same(void **state) {
  fixture *self = *state;
  const char *const values[] = {VALUE, "live_12"};
  char messages[2][512] = {""};
  allow(self, "on");
  for (size_t i = 0; i < 2; i++) {
    fixture_secret(self, "default", "KEY", values[i]);
    outcome found = run_with(
        self, "live_", "concat(toNumber(after($secret.KEY, \\\"live_\\\")), $payload.missing)");
    assert_string_equal(found.status, "failed");
    assert_string_equal(found.report, "");
    kr_str event = kr_run_event(found.run);
    const char *at = memmem(event.ptr, event.len, "\"error\":", 8);
    const char *end = memmem(at, event.len, "\"receipt\"", 9);
    assert_non_null(end == NULL ? strchr(at, '}') : end);
    (void)snprintf(messages[i], sizeof messages[i], "%.*s", (int)(strchr(at, '}') - at), at);
    finish(self, &found);
  }
  assert_string_equal(messages[0], messages[1]);
  assert_non_null(strstr(messages[0], "E404"));
}

static void test_another_organization_decides_for_itself(void **state) {
  fixture *self = *state;
  kr_error error = {0};
  allow(self, "on");
  assert_int_equal(kr_engine_org_create(self->engine, text("acme"), &error), KR_OK);
  const char made[] = "{\"name\":\"t\",\"trigger\":\"isEmpty($secret.KEY)\",\"perform\":{\"url\":"
                      "\"https://h.example/x\"}}";
  fixture_secret(self, "default", "KEY", VALUE);
  fixture_secret(self, "acme", "KEY", VALUE);
  assert_int_equal(kr_check(self->engine, text("default"), text(made), NULL, NULL, NULL, &error),
                   KR_OK);
  assert_int_equal(kr_check(self->engine, text("acme"), text(made), NULL, NULL, NULL, &error),
                   KR_SYNTAX);
  assert_int_equal(kr_check(NULL, text("default"), text(made), NULL, NULL, NULL, &error),
                   KR_SYNTAX);
  kr_run *run = fixture_run(self, "default", made, "{}");
  assert_string_equal(kr_run_status(run), "skipped");
  kr_run_free(run);
  run = fixture_run(self, "acme", made, "{}");
  assert_string_equal(kr_run_status(run), "failed");
  kr_run_free(run);
}

static void test_dry_runs_and_previews(void **state) {
  fixture *self = *state;
  kr_error error = {0};
  char made[2048];
  fixture_secret(self, "default", "KEY", VALUE);
  (void)snprintf(made, sizeof made, connector, "test_", 9u, "");
  const kr_run_options options = {
      .org = text("default"), .connector = text(made), .payload = text("{}"), .is_dry = true};
  const char *const statuses[] = {"failed", "completed"};
  for (size_t i = 0; i < 2; i++) {
    kr_run *run = NULL;
    if (i == 1)
      allow(self, "on");
    assert_int_equal(kr_run_new(self->engine, &options, &run, &error), KR_OK);
    assert_int_equal(kr_run_step(run), KR_RUN_DONE);
    assert_string_equal(kr_run_status(run), statuses[i]);
    assert_int_equal(event_holds(run, "/services/[REDACTED]"), i == 1);
    assert_false(event_holds(run, "realm-"));
    kr_run_free(run);
  }
  kr_text shown = {0};
  kr_preview_options preview = {
      .text = text("${if($secret.KEY, 'a', 'b')}"), .engine = self->engine, .org = text("default")};
  assert_int_equal(kr_preview(&preview, &shown, NULL, NULL, NULL, &error), KR_OK);
  assert_string_equal(shown.ptr, "[REDACTED]");
  kr_text_done(&shown);
  preview.engine = NULL;
  assert_int_equal(kr_preview(&preview, &shown, NULL, NULL, NULL, &error), KR_SYNTAX);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_refused_without_consent),
                                     TEST(test_the_request_has_what_the_event_hides),
                                     TEST(test_a_trigger_on_a_secret_skips),
                                     TEST(test_what_fails_says_the_same),
                                     TEST(test_another_organization_decides_for_itself),
                                     TEST(test_dry_runs_and_previews)};
  return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
