/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_values.c - the redaction sets an engine keeps: built once for each
 * generation, every building in the audit, dropped when idle. Looks inside the
 * engine, since none of this is to be seen from outside.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/engine.h"
#include "engine/fixture.h"
#include "engine/values.h"

#include <cmocka.h>

static uint64_t now_us;

static int64_t test_wall_ms(void *ctx) {
  (void)ctx;
  return 1700000000000;
}

static uint64_t test_monotonic_us(void *ctx) {
  (void)ctx;
  return now_us;
}

static const kr_clock test_clock = {
    .wall_ms = test_wall_ms, .monotonic_us = test_monotonic_us, .ctx = NULL};

static kr_status count_openings(void *ctx, const kr_audit_entry *entry) {
  *(size_t *)ctx += kr_str_equal(entry->action, KR_STR("secrets.open"));
  return KR_OK;
}

static size_t openings(fixture *self) {
  size_t n = 0;
  kr_error error = {0};
  kr_store_txn *txn = NULL;
  assert_int_equal(kr_store_begin(self->engine->vault_store, KR_STORE_READ, &txn, &error), KR_OK);
  assert_int_equal(
      kr_registry_audit_each(&self->engine->registry, txn, 1, count_openings, &n, &error), KR_OK);
  kr_store_abort(txn);
  return n;
}

static kr_redact_set *take_set(fixture *self) {
  kr_org org = {0};
  kr_redact_set *set = NULL;
  uint64_t generation = 0;
  kr_error error = {0};
  assert_int_equal(kr_engine_org(self->engine, text("default"), &org, &error), KR_OK);
  assert_int_equal(kr_values_set(self->engine, &org, &set, &generation, &error), KR_OK);
  return set;
}

static void test_each_building_is_audited(void **state) {
  fixture *self = *state;
  fixture_secret(self, "default", "KEY", "a-value-of-some-length");
  size_t before = openings(self);
  kr_redact_set *first = take_set(self);
  kr_redact_set *second = take_set(self);
  assert_ptr_equal(first, second);
  assert_int_equal(openings(self), before + 1);
  fixture_secret(self, "default", "KEY", "another-value-of-some-length");
  size_t changed = openings(self);
  kr_redact_set *third = take_set(self);
  assert_ptr_not_equal(first, third);
  assert_int_equal(kr_redact_set_n_values(third), 2);
  assert_int_equal(openings(self), changed + 1);
  kr_redact_set_free(first);
  kr_redact_set_free(second);
  kr_redact_set_free(third);
}

static void test_idle_sets_are_dropped(void **state) {
  fixture *self = *state;
  self->engine->clock = &test_clock;
  now_us = 1000000;
  kr_redact_set_free(take_set(self));
  size_t once = openings(self);
  now_us += KR_ENGINE_SET_IDLE_US - 1;
  kr_redact_set_free(take_set(self)); /* used again: the minute begins anew */
  assert_int_equal(openings(self), once);
  now_us += KR_ENGINE_SET_IDLE_US - 1;
  kr_redact_set_free(take_set(self));
  assert_int_equal(openings(self), once);
  now_us += KR_ENGINE_SET_IDLE_US;
  kr_redact_set_free(take_set(self));
  assert_int_equal(openings(self), once + 1);
}

/* ---- redact-scope ---- */

/* Nothing listens on port 1: the run fails, and its event holds the payload. */
static const char connector[] =
    "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:1/x\",\"headers\":{\"X-A\":\"Bearer "
    "$secret.KEY\"},\"body\":{\"a\":\"$payload.a\"}}}";
static const char fails_early[] =
    "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:1/x\",\"headers\":{\"X-A\":\"Bearer "
    "$secret.NONE\"},\"body\":{\"a\":\"$payload.a\"}}}";
static const char payload[] = "{\"a\":\"used-value-1 unused-value-2\"}";

static void set_scope(fixture *self, const char *scope) {
  kr_error error = {0};
  assert_int_equal(
      kr_engine_org_set(self->engine, text("default"), text("redact-scope"), text(scope), &error),
      KR_OK);
}

static void run_shows(fixture *self, const char *given, bool shows_used, bool shows_unused) {
  kr_run *run = fixture_run(self, "default", given, payload);
  assert_int_equal(event_holds(run, "used-value-1"), shows_used);
  assert_int_equal(event_holds(run, "unused-value-2"), shows_unused);
  kr_run_free(run);
}

static void test_scope_of_a_run(void **state) {
  fixture *self = *state;
  fixture_secret(self, "default", "KEY", "used-value-1");
  fixture_secret(self, "default", "OTHER", "unused-value-2");
  run_shows(self, connector, false, false);
  run_shows(self, fails_early, false, false);
  set_scope(self, "run");
  size_t before = openings(self);
  run_shows(self, connector, false, true);
  run_shows(self, fails_early, true, true); /* it used none */
  assert_int_equal(openings(self), before); /* and the others were not opened */
  set_scope(self, "organization");
  run_shows(self, connector, false, false);
}

/* How short a value may be to be searched for is the secret's own rule in both scopes. */
static void test_scope_keeps_the_least_length(void **state) {
  fixture *self = *state;
  const kr_secret_rules rules = {.min_search = 3, .keep = 10};
  kr_error error = {0};
  fixture_secret(self, "default", "KEY", "q7Z");
  assert_int_equal(kr_engine_secret_set_rules(self->engine, text("default"), text("KEY"), text(""),
                                              &rules, &error),
                   KR_OK);
  static const char *const scopes[] = {"organization", "run"};
  for (size_t i = 0; i < 2; i++) {
    set_scope(self, scopes[i]);
    kr_run *run = fixture_run(self, "default", connector, "{\"a\":\"pin q7Z, port 77\"}");
    bool shows_value = event_holds(run, "q7Z");
    bool shows_rest = event_holds(run, "port 77");
    kr_run_free(run);
    assert_false(shows_value);
    assert_true(shows_rest);
  }
}

/* Saving meanwhile, and streams, are about the organization whatever the scope of its runs. */
static void test_scope_is_of_runs_only(void **state) {
  fixture *self = *state;
  fixture_secret(self, "default", "KEY", "used-value-1");
  set_scope(self, "run");
  kr_redact_set *set = take_set(self);
  assert_int_equal(kr_redact_set_n_values(set), 1);
  kr_redact_set_free(set);
}

/* ---- what holds is what is there when the value is opened ---- */

/* Somebody saves another value and binds it, just when a run has looked at the one before: the
 * clock is asked then, since the one before has an expiry. */
static fixture *somebody;

static int64_t meddling_wall_ms(void *ctx) {
  (void)ctx;
  fixture *self = somebody;
  somebody = NULL;
  if (self == NULL)
    return 1700000000000;
  const kr_secret_rules rules = {.hosts = "api.crm.example", .keep = 10};
  kr_error error = {0};
  fixture_secret(self, "default", "KEY", "another-value-3");
  assert_int_equal(kr_engine_secret_set_rules(self->engine, text("default"), text("KEY"), text(""),
                                              &rules, &error),
                   KR_OK);
  return 1700000000000;
}

static const kr_clock meddling_clock = {
    .wall_ms = meddling_wall_ms, .monotonic_us = test_monotonic_us, .ctx = NULL};

static void test_policy_of_the_opened_value(void **state) {
  fixture *self = *state;
  const kr_secret_rules rules = {.expires_ms = 1800000000000, .keep = 10};
  const kr_run_options options = {.org = text("default"),
                                  .connector = text(connector),
                                  .payload = text(payload),
                                  .allow_private = true};
  kr_error error = {0};
  kr_run *run = NULL;
  fixture_secret(self, "default", "KEY", "used-value-1");
  self->engine->clock = &meddling_clock;
  assert_int_equal(kr_engine_secret_set_rules(self->engine, text("default"), text("KEY"), text(""),
                                              &rules, &error),
                   KR_OK);
  assert_int_equal(kr_run_new(self->engine, &options, &run, &error), KR_OK);
  somebody = self;
  while (kr_run_step(run) == KR_RUN_NEED_HTTP)
    assert_int_equal(kr_http_drive(self->engine, 1000, &error), KR_OK);
  bool is_refused = event_holds(run, "may not stand in a request to this host");
  kr_run_free(run);
  assert_null(somebody);
  assert_true(is_refused);
}

/* ---- sets are bounded in number ---- */

static void test_sets_of_many_organizations(void **state) {
  fixture *self = *state;
  self->engine->clock = &test_clock;
  now_us = 1000000;
  kr_error error = {0};
  kr_redact_set *sets[KR_ENGINE_SETS_MAX + 2];
  for (size_t i = 0; i < KR_ENGINE_SETS_MAX + 2; i++) {
    char name[] = {'o', (char)('a' + (int)i), '\0'};
    kr_org org = {0};
    uint64_t generation = 0;
    now_us += 1000;
    assert_int_equal(kr_engine_org_create(self->engine, text(name), &error), KR_OK);
    fixture_secret(self, name, "KEY", "a-value-of-some-length");
    assert_int_equal(kr_engine_org(self->engine, text(name), &org, &error), KR_OK);
    assert_int_equal(kr_values_set(self->engine, &org, &sets[i], &generation, &error), KR_OK);
    assert_int_equal(kr_redact_set_n_values(sets[i]), 1);
  }
  /* The two idlest had to go; the newest is still the same. */
  size_t n_kept = 0;
  for (size_t i = 0; i < KR_ENGINE_SETS_MAX; i++)
    for (size_t j = 0; j < KR_ENGINE_SETS_MAX + 2; j++)
      n_kept += self->engine->sets[i].set == sets[j] && j >= 2;
  assert_int_equal(n_kept, KR_ENGINE_SETS_MAX);
  for (size_t i = 0; i < KR_ENGINE_SETS_MAX + 2; i++)
    kr_redact_set_free(sets[i]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_each_building_is_audited),
                                     TEST(test_idle_sets_are_dropped),
                                     TEST(test_scope_of_a_run),
                                     TEST(test_scope_keeps_the_least_length),
                                     TEST(test_scope_is_of_runs_only),
                                     TEST(test_policy_of_the_opened_value),
                                     TEST(test_sets_of_many_organizations)};
  return cmocka_run_group_tests_name("values", tests, NULL, NULL);
}
