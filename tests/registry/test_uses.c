/* SPDX-License-Identifier: Apache-2.0 */
/* test_uses.c - uses of secrets: order, the minute, the sixteen, the limits, damage, another's. */
#include "registry/uses.h"
#include "support/failalloc.h"
#include "vault/support.h"

#include <stdio.h>

#define HOME_TEST(function)                                                                        \
  cmocka_unit_test_setup_teardown(function, test_home_setup, test_home_teardown)

static kr_registry registry_of(test_home *home) {
  return (kr_registry){.record_key = kr_vault_record_key(home->vault)};
}

static kr_status try_note(test_home *home, uint32_t org_id, const char *label, kr_str connector,
                          int64_t time_ms) {
  kr_registry registry = registry_of(home);
  const kr_secret_use use = {.connector = connector, .time_ms = time_ms, .version = 3};
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  kr_status status =
      kr_registry_use_note(&registry, txn, org_id, kr_str_cstr(label), &use, &home->error);
  if (status == KR_OK)
    return kr_store_commit(txn, &home->error);
  kr_store_abort(txn);
  return status;
}

static void note(test_home *home, const char *label, const char *connector, int64_t time_ms) {
  assert_int_equal(try_note(home, 1, label, kr_str_cstr(connector), time_ms), KR_OK);
}

typedef struct seen {
  char text[4096];
} seen;

static kr_status take(void *ctx, const kr_secret_use *use) {
  seen *all = ctx;
  size_t len = strlen(all->text);
  (void)snprintf(all->text + len, sizeof all->text - len, "%.*s@%lld ", KR_FMT(use->connector),
                 (long long)use->time_ms);
  return KR_OK;
}

static kr_status read_uses(test_home *home, uint32_t org_id, const char *label, seen *all) {
  kr_registry registry = registry_of(home);
  *all = (seen){.text = ""};
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  kr_status status =
      kr_registry_use_each(&registry, txn, org_id, kr_str_cstr(label), take, all, &home->error);
  kr_store_abort(txn);
  return status;
}

static void expect(test_home *home, const char *label, const char *text) {
  seen all;
  assert_int_equal(read_uses(home, 1, label, &all), KR_OK);
  assert_string_equal(all.text, text);
}

static void newest_first_and_one_for_each_connector(void **state) {
  test_home *home = *state;
  expect(home, "KEY", "");
  note(home, "KEY", "a", 10);
  note(home, "KEY", "b", 20);
  note(home, "KEY", "c", 30);
  note(home, "KEY", "a", 40);
  expect(home, "KEY", "a@40 c@30 b@20 ");
  expect(home, "KEY@staging", "");
  expect(home, "KE", "");
  seen all;
  assert_int_equal(read_uses(home, 2, "KEY", &all), KR_OK); /* of another organization */
  assert_string_equal(all.text, "");
}

static void the_oldest_is_forgotten(void **state) {
  test_home *home = *state;
  char name[8];
  seen all;
  for (int i = 0; i < 20; i++) {
    (void)snprintf(name, sizeof name, "c%02d", i);
    note(home, "KEY", name, i);
  }
  assert_int_equal(read_uses(home, 1, "KEY", &all), KR_OK);
  assert_non_null(strstr(all.text, "c19@19 c18@18 "));
  assert_non_null(strstr(all.text, "c04@4 "));
  assert_null(strstr(all.text, "c03@3"));
  note(home, "KEY", "c04", 99); /* one that is there does not push another out */
  assert_int_equal(read_uses(home, 1, "KEY", &all), KR_OK);
  assert_non_null(strstr(all.text, "c04@99 c19@19 "));
  assert_non_null(strstr(all.text, "c05@5 "));
}

static void due_after_a_minute(void **state) {
  test_home *home = *state;
  kr_registry registry = registry_of(home);
  const int64_t at = 1000000;
  note(home, "KEY", "a", at);
  const struct {
    const char *connector;
    int64_t time_ms;
    bool is_due;
  } rows[] = {{"a", at, false},
              {"a", at + KR_USE_INTERVAL_MS - 1, false},
              {"a", at + KR_USE_INTERVAL_MS, true},
              {"b", at, true},
              {"a", at - KR_USE_INTERVAL_MS, false},
              {"a", at - KR_USE_INTERVAL_MS - 1, true}}; /* the clock was put back */
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const kr_secret_use use = {.connector = kr_str_cstr(rows[i].connector),
                               .time_ms = rows[i].time_ms};
    bool is_due = !rows[i].is_due;
    kr_store_txn *txn = test_begin(home, KR_STORE_READ);
    assert_int_equal(
        kr_registry_use_is_due(&registry, txn, 1, KR_STR("KEY"), &use, &is_due, &home->error),
        KR_OK);
    kr_store_abort(txn);
    if (is_due != rows[i].is_due)
      fail_msg("row %zu", i);
  }
}

static void long_names_are_cut(void **state) {
  test_home *home = *state;
  static char name[KR_USE_CONNECTOR_BYTES + 10];
  memset(name, 'n', sizeof name);
  for (int64_t i = 0; i < 20; i++) {
    name[0] = (char)('a' + i);
    assert_int_equal(try_note(home, 1, "KEY", kr_str_from(name, sizeof name), i), KR_OK);
    assert_int_equal(try_note(home, 1, "KEY", kr_str_from(name, sizeof name), i), KR_OK);
  }
}

static void damage_is_seen(void **state) {
  test_home *home = *state;
  seen all;
  note(home, "KEY", "a", 10);
  note(home, "OTHER", "b", 20);
  test_dump dump = test_dump_store(home->store);
  for (size_t i = 0; i < dump.count; i++) {
    if (!kr_str_equal(dump.records[i].key, KR_STR("ru\0\0\0\1KEY")))
      continue;
    uint8_t *bytes = (uint8_t *)(uintptr_t)dump.records[i].value.ptr;
    for (size_t at = 0; at < dump.records[i].value.len; at++) {
      bytes[at] ^= 4;
      test_raw_put(home->store, dump.records[i].key, dump.records[i].value);
      assert_int_equal(read_uses(home, 1, "KEY", &all), KR_CORRUPT);
      bytes[at] ^= 4;
    }
    test_raw_put(home->store, KR_STR("ru\0\0\0\1OTHER"), dump.records[i].value); /* moved */
  }
  test_dump_free(&dump);
  assert_int_equal(read_uses(home, 1, "OTHER", &all), KR_CORRUPT);
}

static void go_with_their_secret(void **state) {
  test_home *home = *state;
  kr_registry registry = registry_of(home);
  note(home, "KEY", "a", 10);
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_registry_use_remove(&registry, txn, 1, KR_STR("KEY"), &home->error), KR_OK);
  assert_int_equal(kr_registry_use_remove(&registry, txn, 1, KR_STR("KEY"), &home->error), KR_OK);
  test_commit(home, txn);
  expect(home, "KEY", "");
}

static void allocations_may_fail(void **state) {
  test_home *home = *state;
  kr_registry registry = registry_of(home);
  const kr_secret_use use = {.connector = KR_STR("a"), .time_ms = 1, .version = 1};
  size_t n_refused = 1;
  size_t n = 0;
  for (; n < 200 && n_refused > 0; n++) {
    kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
    kr_test_fail_at(n);
    kr_status status = kr_registry_use_note(&registry, txn, 1, KR_STR("KEY"), &use, &home->error);
    n_refused = kr_test_fail_stop();
    assert_int_equal(status, n_refused == 0 ? KR_OK : KR_NOMEM);
    kr_store_abort(txn);
  }
  assert_in_range(n, 3, 199);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      HOME_TEST(newest_first_and_one_for_each_connector),
      HOME_TEST(the_oldest_is_forgotten),
      HOME_TEST(due_after_a_minute),
      HOME_TEST(long_names_are_cut),
      HOME_TEST(damage_is_seen),
      HOME_TEST(go_with_their_secret),
      HOME_TEST(allocations_may_fail),
  };
  return cmocka_run_group_tests_name("registry: uses of secrets", tests, NULL, NULL);
}
