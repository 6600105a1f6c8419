/* SPDX-License-Identifier: Apache-2.0 */
/* test_registry.c - settings and audit: round trips, limits, damage, gaps, keyless, atomicity. */
#include "registry/settings.h"
#include "support/failalloc.h"
#include "vault/support.h"

#include <stdlib.h>

#define HOME_TEST(function)                                                                        \
  cmocka_unit_test_setup_teardown(function, test_home_setup, test_home_teardown)

static kr_registry registry_of(test_home *home) {
  return (kr_registry){.record_key = kr_vault_record_key(home->vault)};
}

static kr_status try_set(test_home *home, uint32_t org_id, kr_str key, kr_str value) {
  kr_registry registry = registry_of(home);
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  kr_status status = kr_registry_setting_set(&registry, txn, org_id, key, value, &home->error);
  if (status != KR_OK) {
    kr_store_abort(txn);
    return status;
  }
  return kr_store_commit(txn, &home->error);
}

static kr_status try_get(test_home *home, uint32_t org_id, kr_str key, const char *expected) {
  kr_registry registry = registry_of(home);
  KR_CLEANUP(kr_buf_done) kr_buf value = KR_BUF_INIT(KR_SETTING_VALUE_BYTES, NULL);
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  kr_status status = kr_registry_setting_get(&registry, txn, org_id, key, &value, &home->error);
  kr_store_abort(txn);
  if (status == KR_OK)
    assert_true(kr_str_equal(kr_buf_str(&value), kr_str_cstr(expected)));
  return status;
}

static void test_settings(void **state) {
  test_home *home = *state;
  assert_int_equal(try_get(home, 1, KR_STR("require-hosts"), ""), KR_NOT_FOUND);
  assert_int_equal(try_set(home, 1, KR_STR("require-hosts"), KR_STR("true")), KR_OK);
  assert_int_equal(try_set(home, 0, KR_STR("require-hosts"), KR_STR("false")), KR_OK);
  assert_int_equal(try_get(home, 1, KR_STR("require-hosts"), "true"), KR_OK);
  assert_int_equal(try_get(home, 0, KR_STR("require-hosts"), "false"), KR_OK);
  assert_int_equal(try_get(home, 2, KR_STR("require-hosts"), ""), KR_NOT_FOUND);
  assert_int_equal(try_get(home, 1, KR_STR("require"), ""), KR_NOT_FOUND);
  assert_int_equal(try_set(home, 1, KR_STR("require-hosts"), KR_STR("")), KR_OK);
  assert_int_equal(try_get(home, 1, KR_STR("require-hosts"), ""), KR_OK);
}

static void test_setting_limits(void **state) {
  test_home *home = *state;
  char text[KR_SETTING_VALUE_BYTES + 1];
  memset(text, 'k', sizeof text);
  assert_int_equal(try_set(home, 1, kr_str_from(text, KR_SETTING_KEY_BYTES), KR_STR("v")), KR_OK);
  assert_int_equal(try_set(home, 1, kr_str_from(text, KR_SETTING_KEY_BYTES + 1), KR_STR("v")),
                   KR_INVALID);
  assert_int_equal(try_set(home, 1, KR_STR(""), KR_STR("v")), KR_INVALID);
  assert_int_equal(try_set(home, 1, KR_STR("Upper"), KR_STR("v")), KR_INVALID);
  assert_int_equal(try_set(home, 1, KR_STR("k"), kr_str_from(text, KR_SETTING_VALUE_BYTES)), KR_OK);
  assert_int_equal(try_set(home, 1, KR_STR("k"), kr_str_from(text, KR_SETTING_VALUE_BYTES + 1)),
                   KR_LIMIT);
}

/* ---- the table of settings ---- */

/* Whoever adds a row: a name that can be stored, and a fallback that could be set. */
static void test_every_row_is_sound(void **state) {
  test_home *home = *state;
  for (size_t i = 0; i < KR_SETTING_COUNT; i++) {
    const kr_setting_row *row = kr_setting_row_of((kr_setting)i);
    kr_setting found = KR_SETTING_COUNT;
    kr_str name = kr_str_cstr(row->name);
    assert_int_equal(kr_setting_find(name, &found, &home->error), KR_OK);
    assert_int_equal(found, i);
    assert_int_equal(kr_setting_accepts(found, kr_str_cstr(row->fallback), &home->error), KR_OK);
    assert_int_equal(kr_setting_accepts(found, kr_str_cstr(row->values), NULL), KR_INVALID);
    assert_int_equal(kr_setting_accepts(found, KR_STR(""), NULL), KR_INVALID);
    assert_int_equal(try_set(home, 1, name, kr_str_cstr(row->fallback)), KR_OK);
    assert_true(row->phrase[0] != '\0');
  }
}

static void test_unknown_settings(void **state) {
  (void)state;
  kr_setting found = KR_SETTING_COUNT;
  kr_error error = {0};
  assert_int_equal(kr_setting_find(KR_STR("decide-on-secret"), &found, &error), KR_NOT_FOUND);
  assert_string_equal(error.hint, "did you mean decide-on-secrets?");
  assert_int_equal(kr_setting_find(KR_STR("Decide-on-secrets"), &found, NULL), KR_NOT_FOUND);
  assert_int_equal(kr_setting_find(KR_STR(""), &found, &error), KR_NOT_FOUND);
  assert_null(strstr(error.hint, "did you mean"));
  assert_int_equal(found, KR_SETTING_COUNT);
  assert_int_equal(kr_setting_accepts(KR_SETTING_DECIDE_ON_SECRETS, KR_STR("yes"), &error),
                   KR_INVALID);
  assert_string_equal(error.hint, "one of: on, off");
}

static kr_status org_setting(test_home *home, uint32_t org_id, const char *expected) {
  kr_registry registry = registry_of(home);
  KR_CLEANUP(kr_buf_done) kr_buf value = KR_BUF_INIT(KR_SETTING_VALUE_BYTES, NULL);
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  kr_status status = kr_registry_org_setting(&registry, txn, org_id, KR_SETTING_DECIDE_ON_SECRETS,
                                             &value, &home->error);
  kr_store_abort(txn);
  if (status == KR_OK)
    assert_true(kr_str_equal(kr_buf_str(&value), kr_str_cstr(expected)));
  return status;
}

static void test_org_setting(void **state) {
  test_home *home = *state;
  kr_str name = KR_STR("decide-on-secrets");
  assert_int_equal(org_setting(home, 1, "off"), KR_OK);
  assert_int_equal(try_set(home, 1, name, KR_STR("on")), KR_OK);
  assert_int_equal(org_setting(home, 1, "on"), KR_OK);
  assert_int_equal(org_setting(home, 2, "off"), KR_OK);
  /* Of the whole store: not an organization's, and no fallback for one. */
  assert_int_equal(try_set(home, 0, name, KR_STR("on")), KR_OK);
  assert_int_equal(org_setting(home, 2, "off"), KR_OK);
  /* What no version of this table means must not pass for the fallback. */
  assert_int_equal(try_set(home, 1, name, KR_STR("sometimes")), KR_OK);
  assert_int_equal(org_setting(home, 1, ""), KR_CORRUPT);
  assert_non_null(strstr(home->error.message, "decide-on-secrets"));
}

/* ---- audit ---- */

static kr_status try_audit(test_home *home, const kr_audit_entry *entry) {
  kr_registry registry = registry_of(home);
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  kr_status status = kr_registry_audit_append(&registry, txn, entry, &home->error);
  if (status != KR_OK) {
    kr_store_abort(txn);
    return status;
  }
  return kr_store_commit(txn, &home->error);
}

static void append(test_home *home, const char *subject) {
  const kr_audit_change changes[] = {
      {KR_STR("description"), (kr_str){0}, KR_STR("new text")},
      {KR_STR("version"), KR_STR("1"), KR_STR("2")},
      {KR_STR("note"), KR_STR(""), (kr_str){0}},
  };
  const kr_audit_entry entry = {.time_ms = TEST_NOW_MS,
                                .org_id = 7,
                                .actor = KR_STR("cli:uid=1000"),
                                .action = KR_STR("secret.replace"),
                                .subject = kr_str_cstr(subject),
                                .changes = changes,
                                .n_changes = 3};
  assert_int_equal(try_audit(home, &entry), KR_OK);
}

/* Checks what append() wrote, and counts. */
static kr_status check_entry(void *ctx, const kr_audit_entry *entry) {
  uint64_t *expected = ctx;
  assert_int_equal(entry->sequence, (*expected)++);
  assert_int_equal(entry->time_ms, TEST_NOW_MS);
  assert_int_equal(entry->org_id, 7);
  assert_true(kr_str_equal(entry->actor, KR_STR("cli:uid=1000")));
  assert_true(kr_str_equal(entry->action, KR_STR("secret.replace")));
  assert_true(kr_str_starts(entry->subject, KR_STR("KEY_")));
  assert_int_equal(entry->n_changes, 3);
  assert_null(entry->changes[0].old_value.ptr);
  assert_true(kr_str_equal(entry->changes[0].new_value, KR_STR("new text")));
  assert_true(kr_str_equal(entry->changes[1].old_value, KR_STR("1")));
  assert_non_null(entry->changes[2].old_value.ptr); /* empty is not absent */
  assert_null(entry->changes[2].new_value.ptr);
  return KR_OK;
}

static kr_status each(test_home *home, uint64_t from, uint64_t *ret_next) {
  kr_registry registry = registry_of(home);
  *ret_next = from;
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  kr_status status =
      kr_registry_audit_each(&registry, txn, from, check_entry, ret_next, &home->error);
  kr_store_abort(txn);
  return status;
}

static void test_audit(void **state) {
  test_home *home = *state;
  uint64_t next = 0;
  assert_int_equal(each(home, 1, &next), KR_OK);
  assert_int_equal(next, 1);
  append(home, "KEY_1");
  append(home, "KEY_2");
  append(home, "KEY_3");
  assert_int_equal(each(home, 1, &next), KR_OK);
  assert_int_equal(next, 4);
  assert_int_equal(each(home, 3, &next), KR_OK);
  assert_int_equal(next, 4);
  assert_int_equal(each(home, 9, &next), KR_OK);
  assert_int_equal(next, 9);
}

static void test_audit_limits(void **state) {
  test_home *home = *state;
  char text[KR_AUDIT_FIELD_BYTES + 1];
  memset(text, 'x', sizeof text);
  kr_audit_change changes[KR_AUDIT_CHANGES_MAX + 1];
  kr_str full = kr_str_from(text, KR_AUDIT_FIELD_BYTES);
  for (size_t i = 0; i <= KR_AUDIT_CHANGES_MAX; i++)
    changes[i] = (kr_audit_change){full, full, full};
  kr_audit_entry entry = {
      .actor = full, .action = full, .subject = full, .changes = changes, .n_changes = 16};
  assert_int_equal(try_audit(home, &entry), KR_OK);
  entry.n_changes = KR_AUDIT_CHANGES_MAX + 1;
  assert_int_equal(try_audit(home, &entry), KR_LIMIT);
  entry.n_changes = 0;
  entry.subject = kr_str_from(text, KR_AUDIT_FIELD_BYTES + 1);
  assert_int_equal(try_audit(home, &entry), KR_LIMIT);
}

/* Only records of the registry, with their keys. */
static bool is_registry(kr_str key) { return key.len > 0 && key.ptr[0] == 'r'; }

static kr_status try_all(test_home *home) {
  uint64_t next = 0;
  KR_TRY(try_get(home, 1, KR_STR("alpha"), "one"));
  KR_TRY(try_get(home, 2, KR_STR("alpha"), "two"));
  return each(home, 1, &next);
}

static void fill(test_home *home) {
  assert_int_equal(try_set(home, 1, KR_STR("alpha"), KR_STR("one")), KR_OK);
  assert_int_equal(try_set(home, 2, KR_STR("alpha"), KR_STR("two")), KR_OK);
  append(home, "KEY_1");
  append(home, "KEY_2");
  append(home, "KEY_3");
}

static void test_every_byte(void **state) {
  test_home *home = *state;
  fill(home);
  assert_int_equal(try_all(home), KR_OK);
  test_dump dump = test_dump_store(home->store);
  size_t n_records = 0;
  for (size_t i = 0; i < dump.count; i++) {
    kr_str value = dump.records[i].value;
    if (!is_registry(dump.records[i].key))
      continue;
    n_records++;
    uint8_t *bytes = malloc(value.len);
    assert_non_null(bytes);
    for (size_t at = 0; at < value.len; at++) {
      memcpy(bytes, value.ptr, value.len);
      bytes[at] ^= (uint8_t)(1u << (at % 8));
      test_raw_put(home->store, dump.records[i].key, kr_str_from(bytes, value.len));
      if (try_all(home) != KR_CORRUPT)
        fail_msg("record %zu, byte %zu", i, at);
    }
    free(bytes);
    test_raw_put(home->store, dump.records[i].key, value);
  }
  assert_int_equal(n_records, 6);
  test_dump_free(&dump);
}

/* Entries moved or removed, the head put back. */
static void test_gaps(void **state) {
  test_home *home = *state;
  uint64_t next = 0;
  fill(home);
  test_dump before = test_dump_store(home->store);
  append(home, "KEY_4");
  test_dump dump = test_dump_store(home->store);
  for (size_t i = 0; i < dump.count; i++) {
    if (!kr_str_starts(dump.records[i].key, KR_STR("re")))
      continue;
    test_raw_remove(home->store, dump.records[i].key);
    char message[64];
    unsigned number = dump.records[i].key.ptr[9];
    (void)snprintf(message, sizeof message, "audit entry %u is missing", number);
    assert_int_equal(each(home, 1, &next), KR_CORRUPT);
    assert_string_equal(home->error.message, message);
    assert_int_equal(next, number); /* nothing beyond the gap was shown */
    for (size_t j = 0; j < dump.count; j++) {
      if (i == j || !kr_str_starts(dump.records[j].key, KR_STR("re")))
        continue;
      test_raw_put(home->store, dump.records[i].key, dump.records[j].value);
      assert_int_equal(each(home, 1, &next), KR_CORRUPT);
    }
    test_raw_put(home->store, dump.records[i].key, dump.records[i].value);
  }
  assert_int_equal(each(home, 1, &next), KR_OK);
  for (size_t i = 0; i < before.count; i++)
    if (kr_str_equal(before.records[i].key, KR_STR("ra")))
      test_raw_put(home->store, KR_STR("ra"), before.records[i].value);
  assert_int_equal(each(home, 1, &next), KR_CORRUPT);
  kr_audit_entry entry = {.actor = KR_STR("x")};
  assert_int_equal(try_audit(home, &entry), KR_CORRUPT);
  test_raw_remove(home->store, KR_STR("ra"));
  assert_int_equal(each(home, 1, &next), KR_CORRUPT);
  test_dump_free(&before);
  test_dump_free(&dump);
}

static void test_setting_moved(void **state) {
  test_home *home = *state;
  fill(home);
  test_raw_put(home->store, KR_STR("rs\0\0\0\3alpha"), KR_STR("x"));
  assert_int_equal(try_get(home, 3, KR_STR("alpha"), ""), KR_CORRUPT);
  test_dump dump = test_dump_store(home->store);
  for (size_t i = 0; i < dump.count; i++)
    if (kr_str_equal(dump.records[i].key, KR_STR("rs\0\0\0\1alpha")))
      test_raw_put(home->store, KR_STR("rs\0\0\0\3alpha"), dump.records[i].value);
  test_dump_free(&dump);
  assert_int_equal(try_get(home, 3, KR_STR("alpha"), ""), KR_CORRUPT);
}

static void test_keyless(void **state) {
  test_home *home = *state;
  fill(home);
  const kr_registry keyless = {.record_key = NULL};
  KR_CLEANUP(kr_buf_done) kr_buf value = KR_BUF_INIT(100, NULL);
  uint64_t next = 1;
  const kr_audit_entry entry = {.actor = KR_STR("x")};
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_registry_setting_get(&keyless, txn, 1, KR_STR("alpha"), &value, NULL), KR_OK);
  assert_true(kr_str_equal(kr_buf_str(&value), KR_STR("one")));
  assert_int_equal(kr_registry_audit_each(&keyless, txn, 1, check_entry, &next, NULL), KR_OK);
  assert_int_equal(next, 4);
  assert_int_equal(kr_registry_setting_set(&keyless, txn, 1, KR_STR("a"), KR_STR("b"), NULL),
                   KR_UNTRUSTED);
  assert_int_equal(kr_registry_audit_append(&keyless, txn, &entry, NULL), KR_UNTRUSTED);
  kr_store_abort(txn);
}

/* A change and its audit entry: both, or neither. */
static void test_commit_together(void **state) {
  test_home *home = *state;
  kr_registry registry = registry_of(home);
  kr_org org;
  uint64_t next = 0;
  const kr_audit_entry entry = {.actor = KR_STR("x")};
  kr_store_memory_fail_commit(home->store, 1);
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_vault_org_create(home->vault, txn, KR_STR("a"), 0, &org, NULL), KR_OK);
  assert_int_equal(kr_registry_audit_append(&registry, txn, &entry, NULL), KR_OK);
  assert_int_equal(kr_store_commit(txn, NULL), KR_IO);
  assert_int_equal(each(home, 1, &next), KR_OK);
  assert_int_equal(next, 1);
  txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_vault_org_find(home->vault, txn, KR_STR("a"), &org, NULL), KR_NOT_FOUND);
  kr_store_abort(txn);
}

static void test_allocations(void **state) {
  test_home *home = *state;
  fill(home);
  kr_registry registry = registry_of(home);
  const kr_audit_entry entry = {.actor = KR_STR("x")};
  for (size_t n = 0; n < 1000; n++) {
    kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
    kr_test_fail_at(n);
    kr_status status = kr_registry_audit_append(&registry, txn, &entry, NULL);
    if (status == KR_OK)
      status = kr_registry_setting_set(&registry, txn, 1, KR_STR("a"), KR_STR("b"), NULL);
    size_t n_refused = kr_test_fail_stop();
    kr_store_abort(txn);
    if (n_refused == 0) {
      assert_int_equal(status, KR_OK);
      assert_true(n > 3);
      break;
    }
    assert_int_equal(status, KR_NOMEM);
  }
  assert_int_equal(try_all(home), KR_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      HOME_TEST(test_settings),
      HOME_TEST(test_every_row_is_sound),
      cmocka_unit_test(test_unknown_settings),
      HOME_TEST(test_org_setting),
      HOME_TEST(test_setting_limits),
      HOME_TEST(test_audit),
      HOME_TEST(test_audit_limits),
      HOME_TEST(test_every_byte),
      HOME_TEST(test_gaps),
      HOME_TEST(test_setting_moved),
      HOME_TEST(test_keyless),
      HOME_TEST(test_commit_together),
      HOME_TEST(test_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
