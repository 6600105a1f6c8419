/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_batch.c - many values in one transaction: as if each had been saved by
 * itself, or not at all.
 */
#include "vault/support.h"

#include <stdlib.h>

#define HOME_TEST(function)                                                                        \
  cmocka_unit_test_setup_teardown(function, test_home_setup, test_home_teardown)

typedef struct batch_work {
  test_home *home;
  kr_store_txn *txn;
  kr_vault_batch *batch;
} batch_work;

static batch_work begin(test_home *home, const kr_org *org) {
  batch_work work = {.home = home, .txn = test_begin(home, KR_STORE_WRITE)};
  assert_int_equal(kr_vault_batch_begin(home->vault, work.txn, org, &work.batch, &home->error),
                   KR_OK);
  return work;
}

static kr_status put(batch_work *work, const char *name, const char *environment, kr_str bytes,
                     kr_secret_meta *meta) {
  kr_secret *value = NULL;
  assert_int_equal(kr_secret_new(work->home->pool, bytes.len, &value), KR_OK);
  if (bytes.len > 0)
    memcpy(kr_secret_writable(value), bytes.ptr, bytes.len);
  const kr_secret_saving saving = {.name = kr_str_cstr(name),
                                   .environment = kr_str_cstr(environment),
                                   .value = value,
                                   .by = KR_STR("test"),
                                   .now_ms = TEST_NOW_MS};
  kr_status status = kr_vault_batch_set(work->batch, &saving, meta, &work->home->error);
  kr_secret_free(value);
  return status;
}

static kr_status end(batch_work *work) {
  kr_status status = kr_vault_batch_end(work->batch, &work->home->error);
  kr_vault_batch_free(work->batch);
  if (status == KR_OK)
    test_commit(work->home, work->txn);
  else
    kr_store_abort(work->txn);
  return status;
}

static uint64_t generation(test_home *home, const kr_org *org) {
  uint64_t found = 0;
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_vault_generation(home->vault, txn, org, &found, &home->error), KR_OK);
  kr_store_abort(txn);
  return found;
}

/* ---- the same as one by one ---- */

#define NAMES 7u
#define ROUNDS 60u

typedef struct listing {
  char text[8192];
  size_t len;
} listing;

static kr_status list_one(void *ctx, const kr_secret_meta *meta) {
  listing *list = ctx;
  int n = snprintf(list->text + list->len, sizeof list->text - list->len, "%s/%s %u-%u %s %s\n",
                   meta->name, meta->environment, meta->oldest, meta->version, meta->created_by,
                   meta->updated_by);
  assert_true(n > 0 && (size_t)n < sizeof list->text - list->len);
  list->len += (size_t)n;
  return KR_OK;
}

static void list(test_home *home, const kr_org *org, listing *out) {
  *out = (listing){.len = 0};
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_vault_secret_each(home->vault, txn, org, list_one, out, &home->error), KR_OK);
  kr_store_abort(txn);
}

static kr_manifest manifest(test_home *home, const kr_org *org) {
  kr_manifest found;
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_manifest_read(home->vault, txn, org, &found, &home->error), KR_OK);
  kr_store_abort(txn);
  return found;
}

/* Names repeat within a batch, so that versions are pruned in it too. */
static void test_same_as_one_by_one(void **state) {
  test_home *home = *state;
  kr_org one = test_org(home, "one");
  kr_org many = test_org(home, "many");
  unsigned random = 12345;
  for (unsigned round = 0; round < ROUNDS; round++) {
    batch_work work = begin(home, &many);
    char names[40][8];
    char values[40][24];
    unsigned n = 1 + round % 40;
    kr_secret_meta meta;
    for (unsigned i = 0; i < n; i++) {
      random = random * 1103515245u + 12345u;
      (void)snprintf(names[i], sizeof names[i], "KEY_%u", (random >> 16) % NAMES);
      (void)snprintf(values[i], sizeof values[i], "value-%u-%u", round, i);
      assert_int_equal(put(&work, names[i], "", kr_str_cstr(values[i]), &meta), KR_OK);
      assert_string_equal(meta.name, names[i]);
    }
    assert_int_equal(end(&work), KR_OK);
    for (unsigned i = 0; i < n; i++)
      (void)test_set(home, &one, names[i], values[i]);
    assert_int_equal(test_open(home, &many, names[n - 1], 0, kr_str_cstr(values[n - 1])), KR_OK);
  }
  listing lists[2];
  list(home, &one, &lists[0]);
  list(home, &many, &lists[1]);
  assert_string_equal(lists[0].text, lists[1].text);
  assert_int_equal(manifest(home, &one).n_records, manifest(home, &many).n_records);
  assert_int_equal(manifest(home, &one).n_secrets, manifest(home, &many).n_secrets);
  assert_int_equal(test_verify(home, &many), KR_OK);
  test_reopen(home);
  assert_int_equal(test_verify(home, &many), KR_OK);
}

/* What tells of all of them is written once. */
static void test_one_generation(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  uint64_t before = generation(home, &org);
  kr_secret_meta meta;
  batch_work work = begin(home, &org);
  for (unsigned i = 0; i < 100; i++) {
    char name[16];
    (void)snprintf(name, sizeof name, "KEY_%u", i);
    assert_int_equal(put(&work, name, "staging", KR_STR("some value"), &meta), KR_OK);
    assert_int_equal(meta.version, 1);
  }
  assert_int_equal(end(&work), KR_OK);
  assert_int_equal(generation(home, &org), before + 1);
  assert_int_equal(manifest(home, &org).n_secrets, 100);
}

static void test_empty(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  batch_work work = begin(home, &org);
  assert_int_equal(end(&work), KR_OK);
  assert_int_equal(test_verify(home, &org), KR_OK);
}

/* ---- refused ---- */

/* Another change in the midst would be forgotten by the manifest. */
static void test_not_alone(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  kr_org other = test_org(home, "other");
  (void)test_set(home, &org, "OLD", "old");
  (void)test_set(home, &other, "OLD", "old");
  const kr_org *changed[] = {&org, &other};
  for (size_t i = 0; i < 2; i++) {
    test_dump before = test_dump_store(home->store);
    kr_secret_meta meta;
    batch_work work = begin(home, &org);
    assert_int_equal(put(&work, "KEY", "", KR_STR("value"), &meta), KR_OK);
    assert_int_equal(kr_vault_secret_delete(home->vault, work.txn, changed[i], KR_STR("OLD"),
                                            KR_STR(""), &home->error),
                     KR_OK);
    assert_int_equal(end(&work), KR_INTERNAL);
    test_dump after = test_dump_store(home->store);
    assert_int_equal(after.count, before.count);
    test_dump_free(&after);
    test_dump_free(&before);
  }
  test_reopen(home);
  assert_int_equal(test_verify(home, &org), KR_OK);
  assert_int_equal(test_verify(home, &other), KR_OK);
}

static void test_ends_once(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  kr_secret_meta meta;
  batch_work work = begin(home, &org);
  assert_int_equal(put(&work, "KEY", "", KR_STR("value"), &meta), KR_OK);
  assert_int_equal(kr_vault_batch_end(work.batch, &home->error), KR_OK);
  assert_int_equal(end(&work), KR_INTERNAL);
  assert_int_equal(test_open(home, &org, "KEY", 0, KR_STR("value")), KR_NOT_FOUND);
}

/* A name, a value or a description that is refused has changed nothing: the others may be saved. */
static void test_refused_value(void **state) {
  test_home *home = *state;
  static const struct {
    const char *name;
    const char *environment;
    const char *value;
  } rows[] = {{"key", "", "value"},
              {"KEY", "No", "value"},
              {"KEY", "", "   "},
              {"KEY", "", "[REDACTED]"},
              {"KEY", "", ""}};
  kr_org org = test_org(home, "default");
  kr_secret_meta meta;
  batch_work work = begin(home, &org);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_int_equal(
        put(&work, rows[i].name, rows[i].environment, kr_str_cstr(rows[i].value), &meta),
        KR_INVALID);
  assert_int_equal(put(&work, "GOOD", "", KR_STR("good value"), &meta), KR_OK);
  assert_int_equal(end(&work), KR_OK);
  assert_int_equal(test_open(home, &org, "GOOD", 0, KR_STR("good value")), KR_OK);
  assert_int_equal(manifest(home, &org).n_secrets, 1);
}

/* A save that fails half way leaves records that no manifest tells of: end refuses. */
static void test_failed_save(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  (void)test_set(home, &org, "BAD", "value");
  kr_vault_place place = kr_place_meta(org.id, KR_STR("BAD"), KR_STR(""));
  test_dump before = test_dump_store(home->store);
  kr_secret_meta meta;
  batch_work work = begin(home, &org);
  assert_int_equal(put(&work, "GOOD", "", KR_STR("good value"), &meta), KR_OK);
  assert_int_equal(kr_store_put(work.txn, kr_place_str(&place), KR_STR("rubbish"), &home->error),
                   KR_OK);
  assert_int_equal(put(&work, "BAD", "", KR_STR("more"), &meta), KR_CORRUPT);
  assert_int_equal(end(&work), KR_INTERNAL);
  test_dump after = test_dump_store(home->store);
  assert_int_equal(after.count, before.count);
  test_dump_free(&after);
  test_dump_free(&before);
  assert_int_equal(test_verify(home, &org), KR_OK);
}

static void test_no_organization_and_no_key(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  kr_org missing = {.id = 99, .name = "missing"};
  kr_vault_batch *batch = NULL;
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_not_equal(kr_vault_batch_begin(home->vault, txn, &missing, &batch, &home->error),
                       KR_OK);
  assert_null(batch);
  kr_store_abort(txn);
  kr_vault *keyless = NULL;
  assert_int_equal(kr_vault_open(home->store, NULL, home->pool, &keyless, &home->error), KR_OK);
  txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_vault_batch_begin(keyless, txn, &org, &batch, &home->error), KR_UNTRUSTED);
  assert_null(batch);
  kr_store_abort(txn);
  kr_vault_free(keyless);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      HOME_TEST(test_same_as_one_by_one),
      HOME_TEST(test_one_generation),
      HOME_TEST(test_empty),
      HOME_TEST(test_not_alone),
      HOME_TEST(test_ends_once),
      HOME_TEST(test_refused_value),
      HOME_TEST(test_failed_save),
      HOME_TEST(test_no_organization_and_no_key),
  };
  return cmocka_run_group_tests_name("vault batch", tests, NULL, NULL);
}
