/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_life.c - the life of a secret beside set and delete: environments,
 * policies, versions kept, brought back, and by whom.
 */
#include "support.h"

#include "vault/internal.h"

#include <stdio.h>

static void set_in(test_home *home, const kr_org *org, const char *name, const char *environment,
                   const char *value, const char *by) {
  kr_secret *secret = NULL;
  kr_secret_meta meta;
  kr_str bytes = kr_str_cstr(value);
  assert_int_equal(kr_secret_new(home->pool, bytes.len, &secret), KR_OK);
  memcpy(kr_secret_writable(secret), bytes.ptr, bytes.len);
  const kr_secret_saving saving = {.name = kr_str_cstr(name),
                                   .environment = kr_str_cstr(environment),
                                   .value = secret,
                                   .by = kr_str_cstr(by),
                                   .now_ms = TEST_NOW_MS};
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_vault_secret_set(home->vault, txn, org, &saving, &meta, &home->error), KR_OK);
  test_commit(home, txn);
  kr_secret_free(secret);
}

static kr_status open_in(test_home *home, const kr_org *org, const char *environment,
                         uint32_t version, const char *expected) {
  kr_secret *value = NULL;
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  kr_status status =
      kr_vault_secret_open(home->vault, txn, org, KR_STR("KEY"), kr_str_cstr(environment), version,
                           &value, NULL, &home->error);
  kr_store_abort(txn);
  if (status == KR_OK)
    assert_true(kr_str_equal(kr_secret_reveal(value), kr_str_cstr(expected)));
  kr_secret_free(value);
  return status;
}

static kr_status resolve(test_home *home, const kr_org *org, const char *environment,
                         kr_secret_meta *meta) {
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  kr_status status = kr_vault_secret_resolve(home->vault, txn, org, KR_STR("KEY"),
                                             kr_str_cstr(environment), meta, &home->error);
  kr_store_abort(txn);
  return status;
}

static void environments_are_apart(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "a");
  kr_secret_meta meta;
  set_in(home, &org, "KEY", "", "default-1", "ann");
  set_in(home, &org, "KEY", "staging", "staging-1", "bob");
  set_in(home, &org, "KEY", "staging", "staging-2", "bob");
  assert_int_equal(open_in(home, &org, "", 0, "default-1"), KR_OK);
  assert_int_equal(open_in(home, &org, "staging", 0, "staging-2"), KR_OK);
  assert_int_equal(open_in(home, &org, "staging", 1, "staging-1"), KR_OK);
  assert_int_equal(open_in(home, &org, "prod", 0, NULL), KR_NOT_FOUND); /* no fallback in open */
  assert_int_equal(resolve(home, &org, "staging", &meta), KR_OK);
  assert_string_equal(meta.environment, "staging");
  assert_string_equal(meta.updated_by, "bob");
  assert_int_equal(resolve(home, &org, "prod", &meta), KR_OK);
  assert_string_equal(meta.environment, "");
  assert_string_equal(meta.created_by, "ann");
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(
      kr_vault_secret_delete(home->vault, txn, &org, KR_STR("KEY"), KR_STR(""), &home->error),
      KR_OK);
  test_commit(home, txn);
  assert_int_equal(resolve(home, &org, "prod", &meta), KR_NOT_FOUND);
  assert_int_equal(resolve(home, &org, "staging", &meta), KR_OK);
  assert_int_equal(test_verify(home, &org), KR_OK);
}

static void environments_have_names(void **state) {
  test_home *home = *state;
  static const struct {
    const char *name;
    kr_status status;
  } rows[] = {{"", KR_OK},
              {"a", KR_OK},
              {"prod-eu-1", KR_OK},
              {"0", KR_OK},
              {"-a", KR_INVALID},
              {"Prod", KR_INVALID},
              {"a b", KR_INVALID},
              {"a@b", KR_INVALID},
              {"12345678901234567890123456789012", KR_OK},
              {"123456789012345678901234567890123", KR_INVALID}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_int_equal(kr_vault_environment_check(kr_str_cstr(rows[i].name), &home->error),
                     rows[i].status);
}

static kr_secret_policy policy_of(uint32_t keep, const char *hosts) {
  kr_secret_policy policy = {.keep = keep};
  (void)snprintf(policy.hosts, sizeof policy.hosts, "%s", hosts);
  return policy;
}

static kr_status set_policy(test_home *home, const kr_org *org, const kr_secret_policy *policy,
                            kr_secret_meta *meta) {
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  kr_status status =
      kr_vault_secret_set_policy(home->vault, txn, org, KR_STR("KEY"), KR_STR(""), policy,
                                 KR_STR("carl"), TEST_NOW_MS + 5, meta, &home->error);
  if (status == KR_OK)
    test_commit(home, txn);
  else
    kr_store_abort(txn);
  return status;
}

static void versions_are_kept_as_said(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "a");
  kr_secret_meta meta;
  char value[32];
  for (unsigned i = 1; i <= 12; i++) {
    (void)snprintf(value, sizeof value, "value-%u", i);
    set_in(home, &org, "KEY", "", value, "ann");
  }
  assert_int_equal(open_in(home, &org, "", 2, NULL), KR_NOT_FOUND); /* ten are kept */
  assert_int_equal(open_in(home, &org, "", 3, "value-3"), KR_OK);
  kr_secret_policy policy = policy_of(3, "");
  assert_int_equal(set_policy(home, &org, &policy, &meta), KR_OK);
  assert_int_equal(meta.oldest, 10);
  assert_int_equal(meta.version, 12);
  assert_string_equal(meta.updated_by, "carl");
  assert_int_equal(meta.updated_ms, TEST_NOW_MS + 5);
  assert_int_equal(open_in(home, &org, "", 9, NULL), KR_NOT_FOUND);
  assert_int_equal(open_in(home, &org, "", 10, "value-10"), KR_OK);
  assert_int_equal(test_verify(home, &org), KR_OK);
  policy = policy_of(50, "");
  assert_int_equal(set_policy(home, &org, &policy, &meta), KR_OK);
  for (unsigned i = 13; i <= 70; i++)
    set_in(home, &org, "KEY", "", "more", "ann");
  assert_int_equal(open_in(home, &org, "", 20, NULL), KR_NOT_FOUND);
  assert_int_equal(open_in(home, &org, "", 21, "more"), KR_OK);
  policy = policy_of(1, "");
  assert_int_equal(set_policy(home, &org, &policy, &meta), KR_OK);
  set_in(home, &org, "KEY", "", "last", "ann");
  assert_int_equal(open_in(home, &org, "", 70, NULL), KR_NOT_FOUND);
  assert_int_equal(open_in(home, &org, "", 0, "last"), KR_OK);
  assert_int_equal(test_verify(home, &org), KR_OK);
}

typedef struct history {
  kr_secret_version items[KR_VAULT_VERSIONS_MAX];
  size_t n_items;
} history;

static kr_status take_version(void *ctx, const kr_secret_version *version) {
  history *all = ctx;
  all->items[all->n_items++] = *version;
  return KR_OK;
}

static kr_status rollback(test_home *home, const kr_org *org, uint32_t version) {
  kr_secret_meta meta;
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  kr_status status =
      kr_vault_secret_rollback(home->vault, txn, org, KR_STR("KEY"), KR_STR(""), version,
                               KR_STR("dora"), TEST_NOW_MS + 9, &meta, &home->error);
  if (status == KR_OK)
    test_commit(home, txn);
  else
    kr_store_abort(txn);
  return status;
}

static void a_version_is_brought_back(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "a");
  set_in(home, &org, "KEY", "", "first", "ann");
  set_in(home, &org, "KEY", "", "second", "bob");
  assert_int_equal(rollback(home, &org, 1), KR_OK);
  assert_int_equal(open_in(home, &org, "", 0, "first"), KR_OK);
  assert_int_equal(open_in(home, &org, "", 2, "second"), KR_OK);
  assert_int_equal(rollback(home, &org, 3), KR_INVALID);   /* the newest */
  assert_int_equal(rollback(home, &org, 0), KR_INVALID);   /* the newest, too */
  assert_int_equal(rollback(home, &org, 9), KR_NOT_FOUND); /* none */
  history all = {.n_items = 0};
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_vault_secret_versions(home->vault, txn, &org, KR_STR("KEY"), KR_STR(""),
                                            take_version, &all, &home->error),
                   KR_OK);
  kr_store_abort(txn);
  assert_int_equal(all.n_items, 3);
  assert_int_equal(all.items[0].version, 3);
  assert_int_equal(all.items[0].from, 1);
  assert_int_equal(all.items[0].created_ms, TEST_NOW_MS + 9);
  assert_string_equal(all.items[0].by, "dora");
  assert_int_equal(all.items[1].from, 0);
  assert_string_equal(all.items[2].by, "ann");
  assert_int_equal(test_verify(home, &org), KR_OK);
  /* The oldest is brought back when there is room for no other. */
  kr_secret_meta meta;
  kr_secret_policy policy = policy_of(3, "");
  assert_int_equal(set_policy(home, &org, &policy, &meta), KR_OK);
  set_in(home, &org, "KEY", "", "fourth", "ann");
  assert_int_equal(rollback(home, &org, 2), KR_OK);
  assert_int_equal(open_in(home, &org, "", 0, "second"), KR_OK);
  assert_int_equal(test_verify(home, &org), KR_OK);
}

static void who_is_cut_not_refused(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "a");
  kr_secret_meta meta;
  /* 63 letters and a code point of two bytes: cut before it. */
  char by[80] = "";
  memset(by, 'a', 63);
  (void)snprintf(by + 63, sizeof by - 63, "\xC3\xA4");
  set_in(home, &org, "KEY", "", "v", by);
  assert_int_equal(resolve(home, &org, "", &meta), KR_OK);
  assert_int_equal(strlen(meta.created_by), 63);
}

static void policies_have_limits(void **state) {
  test_home *home = *state;
  char many[KR_VAULT_HOSTS_BYTES + 1] = "";
  for (size_t i = 0; i < 33; i++)
    (void)snprintf(many + strlen(many), sizeof many - strlen(many), "%sh%zu.test",
                   i == 0 ? "" : " ", i);
  const struct {
    const char *hosts;
    kr_status status;
  } rows[] = {{"", KR_OK},
              {"localhost", KR_OK},
              {"*.example.com", KR_OK},
              {"127.0.0.1 [::1] [fe80::1]", KR_OK},
              {"a_b.example", KR_OK},
              {"*", KR_INVALID},
              {"*.", KR_INVALID},
              {"a.*.b", KR_INVALID},
              {"https://a", KR_INVALID},
              {"a:443", KR_INVALID},
              {"a/b", KR_INVALID},
              {"A.example", KR_INVALID},
              {" a", KR_INVALID},
              {"a  b", KR_INVALID},
              {"[::1", KR_INVALID},
              {".example.com", KR_INVALID},
              {many, KR_LIMIT}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    kr_secret_policy policy = policy_of(10, rows[i].hosts);
    if (kr_vault_policy_check(&policy, &home->error) != rows[i].status)
      fail_msg("row %zu", i);
  }
  kr_secret_policy policy = policy_of(10, "");
  policy.expires_ms = -1;
  assert_int_equal(kr_vault_policy_check(&policy, NULL), KR_INVALID);
}

static void hosts_match_by_labels(void **state) {
  static const struct {
    const char *hosts, *host;
    bool is_allowed;
  } rows[] = {{"", "anything", true},
              {"a.example", "a.example", true},
              {"a.example", "b.a.example", false},
              {"a.example", "xa.example", false},
              {"*.example.com", "a.example.com", true},
              {"*.example.com", "a.b.example.com", true},
              {"*.example.com", "example.com", false},
              {"*.example.com", "evilexample.com", false},
              {"*.example.com", ".example.com", false},
              {"*.example.com", "example.com.evil.test", false},
              {"x.test *.example.com y.test", "y.test", true},
              {"x.test *.example.com y.test", "z.test", false},
              {"x.test", "", false},
              {"[::1]", "[::1]", true}};
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    kr_secret_policy policy = policy_of(10, rows[i].hosts);
    if (kr_vault_policy_allows_host(&policy, kr_str_cstr(rows[i].host)) != rows[i].is_allowed)
      fail_msg("%s for %s", rows[i].hosts, rows[i].host);
  }
}

/* What was verified before is compared with what stands there now, each time. */
static void known_records_are_compared(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "a");
  kr_vault_place places[] = {kr_place_manifest(org.id), kr_place_data_key(org.id, 1)};
  set_in(home, &org, "KEY", "", "value", "ann");
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(open_in(home, &org, "", 0, "value"), KR_OK);
    assert_int_equal(open_in(home, &org, "", 0, "value"), KR_OK); /* known */
    test_dump dump = test_dump_store(home->store);
    for (size_t j = 0; j < dump.count; j++) {
      if (!kr_str_equal(dump.records[j].key, kr_place_str(&places[i])))
        continue;
      uint8_t *bytes = (uint8_t *)(uintptr_t)dump.records[j].value.ptr;
      for (size_t at = 0; at < dump.records[j].value.len; at++) {
        bytes[at] ^= 1;
        test_raw_put(home->store, kr_place_str(&places[i]), dump.records[j].value);
        assert_int_equal(open_in(home, &org, "", 0, "value"), KR_CORRUPT);
        bytes[at] ^= 1;
      }
      kr_str cut = kr_str_slice(dump.records[j].value, 0, dump.records[j].value.len - 1);
      test_raw_put(home->store, kr_place_str(&places[i]), cut);
      assert_int_equal(open_in(home, &org, "", 0, "value"), KR_CORRUPT);
      test_raw_remove(home->store, kr_place_str(&places[i]));
      assert_int_equal(open_in(home, &org, "", 0, "value"), KR_CORRUPT);
      test_raw_put(home->store, kr_place_str(&places[i]), dump.records[j].value);
    }
    test_dump_free(&dump);
    assert_int_equal(open_in(home, &org, "", 0, "value"), KR_OK);
  }
}

/* More organizations than places for what is known: they take each other's, and none is mixed up.
 */
static void known_records_of_many_organizations(void **state) {
  test_home *home = *state;
  kr_org orgs[40];
  char text[16];
  for (size_t i = 0; i < 40; i++) {
    (void)snprintf(text, sizeof text, "org-%zu", i);
    orgs[i] = test_org(home, text);
    set_in(home, &orgs[i], "KEY", "", text, "ann");
  }
  for (size_t i = 0; i < 400; i++) {
    (void)snprintf(text, sizeof text, "org-%zu", i * 7 % 40);
    assert_int_equal(open_in(home, &orgs[i * 7 % 40], "", 0, text), KR_OK);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(environments_are_apart, test_home_setup, test_home_teardown),
      cmocka_unit_test_setup_teardown(environments_have_names, test_home_setup, test_home_teardown),
      cmocka_unit_test_setup_teardown(versions_are_kept_as_said, test_home_setup,
                                      test_home_teardown),
      cmocka_unit_test_setup_teardown(a_version_is_brought_back, test_home_setup,
                                      test_home_teardown),
      cmocka_unit_test_setup_teardown(who_is_cut_not_refused, test_home_setup, test_home_teardown),
      cmocka_unit_test_setup_teardown(policies_have_limits, test_home_setup, test_home_teardown),
      cmocka_unit_test_setup_teardown(known_records_are_compared, test_home_setup,
                                      test_home_teardown),
      cmocka_unit_test_setup_teardown(known_records_of_many_organizations, test_home_setup,
                                      test_home_teardown),
      cmocka_unit_test(hosts_match_by_labels),
  };
  return cmocka_run_group_tests_name("vault: life of a secret", tests, NULL, NULL);
}
