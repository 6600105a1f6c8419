/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_org_delete.c - an organization removed: what is left of it, the same
 * name again, interrupted and put back.
 */
#include "vault/support.h"

#include "support/failalloc.h"

static kr_status try_delete(test_home *home, const char *name) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  kr_org org;
  uint32_t n_secrets = 0;
  KR_TRY(kr_store_begin(home->store, KR_STORE_WRITE, &txn, &home->error));
  KR_TRY(kr_vault_org_delete(home->vault, txn, kr_str_cstr(name), &org, &n_secrets, &home->error));
  return kr_store_commit(KR_TAKE(txn), &home->error);
}

static kr_status try_sweep(test_home *home, size_t max, size_t *ret_removed) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(home->store, KR_STORE_WRITE, &txn, &home->error));
  KR_TRY(kr_vault_org_sweep(home->vault, txn, &(kr_str){(const uint8_t *)"ru", 2}, 1, max,
                            ret_removed, &home->error));
  return kr_store_commit(KR_TAKE(txn), &home->error);
}

static size_t sweep(test_home *home, size_t max) {
  size_t n_total = 0;
  size_t n_removed = 1;
  while (n_removed > 0) {
    assert_int_equal(try_sweep(home, max, &n_removed), KR_OK);
    assert_true(n_removed <= max);
    n_total += n_removed;
  }
  return n_total;
}

/* Three secrets, two versions each: nine records, two keys while a rotation is under way. */
static void fill(test_home *home, const kr_org *org) {
  static const char *const names[] = {"A", "B", "C"};
  for (size_t i = 0; i < 6; i++)
    (void)test_set(home, org, names[i % 3], i < 3 ? "value-1" : "value-2");
}

static void is_whole(test_home *home, const kr_org *org) {
  assert_int_equal(test_open(home, org, "A", 1, KR_STR("value-1")), KR_OK);
  assert_int_equal(test_open(home, org, "C", 2, KR_STR("value-2")), KR_OK);
  assert_int_equal(test_verify(home, org), KR_OK);
}

/* Records of an organization, whatever their kind. */
static size_t count_of(test_home *home, uint32_t org_id) {
  test_dump dump = test_dump_store(home->store);
  size_t count = 0;
  for (size_t i = 0; i < dump.count; i++) {
    kr_str key = dump.records[i].key;
    kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(key, 2));
    if (key.len >= 6 && key.ptr[0] == 'v' && key.ptr[1] != 'o' &&
        kr_wire_get_u32(&reader) == org_id)
      count++;
  }
  test_dump_free(&dump);
  return count;
}

static void run_deletes(test_home *home) {
  kr_org a = test_org(home, "a");
  kr_org b = test_org(home, "b");
  kr_org c = test_org(home, "c");
  fill(home, &a);
  fill(home, &b);
  fill(home, &c);
  kr_rotation rotation;
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_vault_rotate_begin(home->vault, txn, &b, &rotation, &home->error), KR_OK);
  test_commit(home, txn);
  assert_int_equal(count_of(home, b.id), 12);
  assert_int_equal(sweep(home, 100), 0);
  assert_int_equal(try_delete(home, "b"), KR_OK);
  /* Gone for who knew it and for who opens the vault now; the others are as they were. */
  assert_int_equal(test_open(home, &b, "A", 1, KR_STR("value-1")), KR_NOT_FOUND);
  assert_int_equal(test_try_set(home, &b, "A", KR_STR("x"), NULL, NULL), KR_NOT_FOUND);
  assert_int_equal(try_delete(home, "b"), KR_NOT_FOUND);
  assert_int_equal(count_of(home, b.id), 9);
  is_whole(home, &a);
  test_reopen(home);
  is_whole(home, &c);
  /* The name again is another organization, also for who holds the old one. */
  kr_org again = test_org(home, "b");
  assert_int_equal(again.id, 4);
  assert_int_equal(test_open(home, &b, "A", 1, KR_STR("value-1")), KR_NOT_FOUND);
  assert_int_equal(test_open(home, &again, "A", 1, KR_STR("value-1")), KR_NOT_FOUND);
  fill(home, &again);
  test_reopen(home);
  assert_int_equal(sweep(home, 2), 9);
  assert_int_equal(count_of(home, b.id), 0);
  is_whole(home, &a);
  is_whole(home, &c);
  is_whole(home, &again);
}

/* The first and the last, two at once: the walk leaps from one to the next. */
static void run_sweeps_all(test_home *home) {
  static const char *const names[] = {"a", "b", "c", "d", "e"};
  kr_org orgs[5];
  for (size_t i = 0; i < 5; i++) {
    orgs[i] = test_org(home, names[i]);
    fill(home, &orgs[i]);
  }
  assert_int_equal(try_delete(home, "a"), KR_OK);
  assert_int_equal(try_delete(home, "c"), KR_OK);
  assert_int_equal(try_delete(home, "e"), KR_OK);
  /* Records of another module go with the organization; those of others, and of none, stay. */
  test_raw_put(home->store, KR_STR("ru\0\0\0\1A"), KR_STR("of a"));
  test_raw_put(home->store, KR_STR("ru\0\0\0\2A"), KR_STR("of b"));
  test_raw_put(home->store, KR_STR("ru\0\0\0\3A"), KR_STR("of c"));
  assert_int_equal(sweep(home, 4), 29);
  is_whole(home, &orgs[1]);
  is_whole(home, &orgs[3]);
  assert_int_equal(try_delete(home, "b"), KR_OK);
  assert_int_equal(try_delete(home, "d"), KR_OK);
  assert_int_equal(sweep(home, 1000), 19);
  assert_int_equal(test_org(home, "f").id, 6);
}

static void count_damage(void *ctx, const kr_damage *damage) {
  (void)damage;
  ++*(size_t *)ctx;
}

static size_t damages(test_home *home) {
  size_t n_damages = 0;
  kr_vault_counts counts;
  const kr_survey survey = {.damaged = count_damage, .ctx = &n_damages};
  assert_int_equal(kr_vault_survey(home->vault, &survey, &counts, &home->error), KR_OK);
  return n_damages;
}

/* What an interrupted deletion leaves is no damage; a secret of an id never given out is. */
static void run_left_is_no_damage(test_home *home) {
  kr_org org = test_org(home, "a");
  (void)test_org(home, "b");
  fill(home, &org);
  assert_int_equal(damages(home), 0);
  assert_int_equal(try_delete(home, "a"), KR_OK);
  assert_true(count_of(home, org.id) > 0);
  assert_int_equal(damages(home), 0);
  kr_vault_place place = kr_place_value(99, KR_STR("A"), KR_STR(""), 1);
  test_raw_put(home->store, kr_place_str(&place), KR_STR("bytes"));
  assert_int_equal(damages(home), 1);
  test_raw_remove(home->store, kr_place_str(&place));
  place = kr_place_data_key(org.id, 1); /* the keys went with the organization itself */
  test_raw_put(home->store, kr_place_str(&place), KR_STR("bytes"));
  assert_int_equal(damages(home), 1);
}

/* T11: the whole organization put back, as it was. */
static void run_put_back(test_home *home) {
  kr_org a = test_org(home, "a");
  kr_org b = test_org(home, "b");
  fill(home, &a);
  fill(home, &b);
  test_dump before = test_dump_store(home->store);
  assert_int_equal(try_delete(home, "b"), KR_OK);
  assert_int_equal(sweep(home, 100), 9);
  for (size_t i = 0; i < before.count; i++)
    if (!kr_str_equal(before.records[i].key, KR_STR("vh")))
      test_raw_put(home->store, before.records[i].key, before.records[i].value);
  test_reopen(home);
  assert_int_equal(test_open(home, &b, "A", 1, KR_STR("value-1")), KR_CORRUPT);
  assert_int_equal(test_verify(home, &a), KR_CORRUPT);
  test_dump_free(&before);
}

/* One whose records are damaged can go; a manifest that is gone by force stays damage. */
static void run_damaged(test_home *home) {
  kr_org a = test_org(home, "a");
  kr_org b = test_org(home, "b");
  fill(home, &a);
  fill(home, &b);
  kr_vault_place value = kr_place_value(b.id, KR_STR("A"), (kr_str){0}, 1);
  test_raw_put(home->store, kr_place_str(&value), KR_STR("damaged"));
  test_reopen(home);
  assert_int_equal(test_verify(home, &b), KR_CORRUPT);
  assert_int_equal(try_delete(home, "b"), KR_OK);
  assert_int_equal(sweep(home, 100), 9);
  is_whole(home, &a);
  kr_vault_place manifest = kr_place_manifest(a.id);
  test_raw_remove(home->store, kr_place_str(&manifest));
  assert_int_equal(try_delete(home, "a"), KR_CORRUPT);
}

static void run_failures(test_home *home) {
  kr_org a = test_org(home, "a");
  kr_org b = test_org(home, "b");
  fill(home, &a);
  fill(home, &b);
  kr_store_memory_fail_commit(home->store, 1);
  assert_int_equal(try_delete(home, "b"), KR_IO);
  is_whole(home, &b);
  size_t used = kr_secure_used(home->pool);
  kr_status status = KR_NOMEM;
  for (size_t n = 0; status != KR_OK; n++) {
    assert_true(n < 10000);
    kr_test_fail_at(n);
    status = try_delete(home, "b");
    (void)kr_test_fail_stop();
    assert_true(status == KR_OK || status == KR_NOMEM);
    assert_int_equal(kr_secure_used(home->pool), used);
    if (status != KR_OK)
      is_whole(home, &b);
  }
  size_t n_removed = 0;
  status = KR_NOMEM;
  for (size_t n = 0; status != KR_OK; n++) {
    assert_true(n < 10000);
    kr_test_fail_at(n);
    status = try_sweep(home, 100, &n_removed);
    (void)kr_test_fail_stop();
    assert_true(status == KR_OK || status == KR_NOMEM);
    assert_int_equal(count_of(home, b.id), status == KR_OK ? 0 : 9);
  }
  assert_int_equal(n_removed, 9);
  test_reopen(home);
  is_whole(home, &a);
}

typedef struct delete_row {
  const char *name;
  void (*run)(test_home *home);
  bool is_lmdb;
} delete_row;

static const delete_row rows[] = {
    {"deletes", run_deletes, false},
    {"deletes, on disk", run_deletes, true},
    {"sweeps all", run_sweeps_all, false},
    {"sweeps all, on disk", run_sweeps_all, true},
    {"put back", run_put_back, false},
    {"damaged", run_damaged, false},
    {"damaged, on disk", run_damaged, true},
    {"failures", run_failures, false},
    {"left is no damage", run_left_is_no_damage, true},
};

static void run_row(void **state) {
  const delete_row *row = *state;
  void *inner = NULL;
  (void)test_home_setup(&inner);
  test_home *home = inner;
  if (row->is_lmdb)
    test_move_to_disk(home);
  row->run(home);
  if (row->is_lmdb)
    test_leave_disk(home);
  (void)test_home_teardown(&inner);
}

int main(void) {
  static struct CMUnitTest tests[sizeof rows / sizeof rows[0]];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    tests[i] = (struct CMUnitTest){rows[i].name, run_row, NULL, NULL, (void *)(uintptr_t)&rows[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
