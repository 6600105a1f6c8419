/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_settings.c - the settings of organizations: what is set is there after
 * a restart, of this organization only, and every change is in the audit with
 * what was before. Looks inside the engine for the audit.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/engine.h"
#include "engine/fixture.h"
#include "engine/settings.h"

#include <cmocka.h>
#include <stdio.h>

static const char *const key = "decide-on-secrets";

static bool is_on(fixture *self, const char *org_name) {
  kr_org org = {0};
  bool is = false;
  kr_error error = {0};
  assert_int_equal(kr_engine_org(self->engine, text(org_name), &org, &error), KR_OK);
  assert_int_equal(
      kr_engine_org_setting_is(self->engine, &org, KR_SETTING_DECIDE_ON_SECRETS, "on", &is, &error),
      KR_OK);
  return is;
}

static kr_status set(fixture *self, const char *org, const char *name, const char *value) {
  kr_error error = {0};
  return kr_engine_org_set(self->engine, text(org), text(name), text(value), &error);
}

/* "0:->on 1:on->off ": organization, before, after of every "org.set" entry. */
static kr_status note_change(void *ctx, const kr_audit_entry *entry) {
  char *notes = ctx;
  if (!kr_str_equal(entry->action, KR_STR("org.set")))
    return KR_OK;
  assert_int_equal(entry->n_changes, 1);
  assert_true(entry->actor.len > 0);
  const kr_audit_change *change = &entry->changes[0];
  size_t len = strlen(notes);
  (void)snprintf(notes + len, 512 - len, "%.*s %.*s:%.*s->%.*s;", KR_FMT(entry->subject),
                 KR_FMT(change->field), KR_FMT(change->old_value), KR_FMT(change->new_value));
  return KR_OK;
}

static void audit_says(fixture *self, const char *expected) {
  char notes[512] = "";
  kr_error error = {0};
  kr_store_txn *txn = NULL;
  assert_int_equal(kr_store_begin(self->engine->vault_store, KR_STORE_READ, &txn, &error), KR_OK);
  assert_int_equal(
      kr_registry_audit_each(&self->engine->registry, txn, 1, note_change, notes, &error), KR_OK);
  kr_store_abort(txn);
  assert_string_equal(notes, expected);
}

static void test_a_change_stays_and_is_audited(void **state) {
  fixture *self = *state;
  kr_error error = {0};
  assert_int_equal(kr_engine_org_create(self->engine, text("acme"), &error), KR_OK);
  assert_false(is_on(self, "default"));
  audit_says(self, "");
  assert_int_equal(set(self, "default", key, "on"), KR_OK);
  fixture_reopen(self);
  assert_true(is_on(self, "default"));
  assert_false(is_on(self, "acme"));
  assert_int_equal(set(self, "acme", key, "off"), KR_OK);
  assert_int_equal(set(self, "default", key, "off"), KR_OK);
  assert_false(is_on(self, "default"));
  audit_says(self, "default decide-on-secrets:->on;acme decide-on-secrets:->off;"
                   "default decide-on-secrets:on->off;");
}

static void test_what_is_refused_changes_nothing(void **state) {
  fixture *self = *state;
  assert_int_equal(set(self, "default", "decide", "on"), KR_NOT_FOUND);
  assert_int_equal(set(self, "default", key, "yes"), KR_INVALID);
  assert_int_equal(set(self, "default", key, ""), KR_INVALID);
  assert_int_equal(set(self, "nobody", key, "on"), KR_NOT_FOUND);
  assert_false(is_on(self, "default"));
  audit_says(self, "");
}

static void open_keyless(fixture *self) {
  kr_error error = {0};
  kr_engine_close(self->engine);
  self->engine = NULL;
  const kr_home_options options = {.home = self->home, .without_key = true};
  assert_int_equal(kr_engine_open(&options, &self->engine, &error), KR_OK);
}

static void test_keyless(void **state) {
  fixture *self = *state;
  assert_int_equal(set(self, "default", key, "on"), KR_OK);
  open_keyless(self);
  assert_true(is_on(self, "default"));
  assert_int_equal(set(self, "default", key, "off"), KR_UNTRUSTED);
  assert_true(is_on(self, "default"));
}

/* Whoever may write the store, but has no key, cannot switch it on. */
static void test_a_forged_record_is_refused(void **state) {
  fixture *self = *state;
  kr_org org = {0};
  kr_error error = {0};
  bool is = false;
  assert_int_equal(kr_engine_org(self->engine, text("default"), &org, &error), KR_OK);
  assert_int_equal(set(self, "default", key, "off"), KR_OK);
  KR_CLEANUP(kr_buf_done) kr_buf place = KR_BUF_INIT(KR_STORE_KEY_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf forged = KR_BUF_INIT(KR_SETTING_VALUE_BYTES, NULL);
  const uint8_t head[] = {'r', 's', 0, 0, 0, (uint8_t)org.id};
  assert_int_equal(kr_buf_append(&place, kr_str_from(head, sizeof head)), KR_OK);
  assert_int_equal(kr_buf_append(&place, text(key)), KR_OK);
  kr_store_txn *txn = NULL;
  kr_str record = {0};
  assert_int_equal(kr_store_begin(self->engine->vault_store, KR_STORE_WRITE, &txn, &error), KR_OK);
  assert_int_equal(kr_store_get(txn, kr_buf_str(&place), &record, &error), KR_OK);
  assert_int_equal(kr_buf_append(&forged, record), KR_OK);
  size_t at = kr_str_find(kr_buf_str(&forged), KR_STR("off"), 0);
  assert_int_not_equal(at, SIZE_MAX);
  memcpy(forged.ptr + at, "onn", 3);
  assert_int_equal(kr_store_put(txn, kr_buf_str(&place), kr_buf_str(&forged), &error), KR_OK);
  assert_int_equal(kr_store_commit(txn, &error), KR_OK);
  assert_int_equal(
      kr_engine_org_setting_is(self->engine, &org, KR_SETTING_DECIDE_ON_SECRETS, "on", &is, &error),
      KR_CORRUPT);
  assert_non_null(strstr(error.message, "integrity"));
  assert_false(is);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_a_change_stays_and_is_audited),
                                     TEST(test_what_is_refused_changes_nothing), TEST(test_keyless),
                                     TEST(test_a_forged_record_is_refused)};
  return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
