/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rotate.c - a new data key, on both stores: interrupted at every step,
 * with other writers between the steps, tampered with, short of memory.
 */
#define _GNU_SOURCE
#include "vault/support.h"

#include "store/lmdb/store_lmdb.h"
#include "support/failalloc.h"

#include <stdlib.h>
#include <unistd.h>

#define N_SECRETS 7u

typedef struct mode_row {
  const char *name;
  void (*run)(test_home *home);
  bool is_lmdb;
} mode_row;

/* ---- helpers ---- */

static kr_status try_begin(test_home *home, const kr_org *org, kr_rotation *rotation) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(home->store, KR_STORE_WRITE, &txn, &home->error));
  KR_TRY(kr_vault_rotate_begin(home->vault, txn, org, rotation, &home->error));
  return kr_store_commit(KR_TAKE(txn), &home->error);
}

static kr_status try_step(test_home *home, const kr_org *org, size_t max, kr_rotate_state *state) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  kr_rotate_state next = *state;
  KR_TRY(kr_store_begin(home->store, KR_STORE_WRITE, &txn, &home->error));
  KR_TRY(kr_vault_rotate_step(home->vault, txn, org, max, &next, &home->error));
  KR_TRY(kr_store_commit(KR_TAKE(txn), &home->error));
  *state = next;
  return KR_OK;
}

static kr_rotation begin(test_home *home, const kr_org *org) {
  kr_rotation rotation;
  assert_int_equal(try_begin(home, org, &rotation), KR_OK);
  return rotation;
}

static void finish(test_home *home, const kr_org *org, size_t max, kr_rotate_state *state) {
  for (unsigned i = 0; !state->is_done; i++) {
    assert_true(i < 1000);
    assert_int_equal(try_step(home, org, max, state), KR_OK);
  }
}

static uint64_t stale(test_home *home, const kr_org *org) {
  uint64_t count = 0;
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_vault_rotate_count(home->vault, txn, org, &count, &home->error), KR_OK);
  kr_store_abort(txn);
  return count;
}

static bool has_data_key(test_home *home, const kr_org *org, uint32_t key_id) {
  kr_vault_place place = kr_place_data_key(org->id, key_id);
  kr_str record = {0};
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  kr_status status = kr_store_get(txn, kr_place_str(&place), &record, NULL);
  kr_store_abort(txn);
  return status == KR_OK;
}

/* KEY_0 has one version, KEY_1 two, ...: "value-SECRET-VERSION" */
static uint64_t fill(test_home *home, const kr_org *org) {
  char name[32];
  char value[96];
  uint64_t n_values = 0;
  for (unsigned i = 0; i < N_SECRETS; i++) {
    for (unsigned version = 1; version <= i + 1; version++) {
      (void)snprintf(name, sizeof name, "KEY_%u", i);
      (void)snprintf(value, sizeof value, "%s-value-%u-%u", org->name, i, version);
      assert_int_equal(test_set(home, org, name, value), version);
      n_values++;
    }
  }
  return n_values;
}

static void all_open(test_home *home, const kr_org *org) {
  char name[32];
  char value[96];
  for (unsigned i = 0; i < N_SECRETS; i++) {
    for (unsigned version = 1; version <= i + 1; version++) {
      (void)snprintf(name, sizeof name, "KEY_%u", i);
      (void)snprintf(value, sizeof value, "%s-value-%u-%u", org->name, i, version);
      assert_int_equal(test_open(home, org, name, version, kr_str_cstr(value)), KR_OK);
    }
  }
  assert_int_equal(test_verify(home, org), KR_OK);
}

/* ---- cases ---- */

static void rotates(test_home *home) {
  kr_org org = test_org(home, "a");
  kr_org other = test_org(home, "b");
  uint64_t n_values = fill(home, &org);
  (void)fill(home, &other);
  assert_int_equal(stale(home, &org), 0);
  kr_rotation rotation = begin(home, &org);
  assert_true(rotation.is_begun);
  assert_int_equal(rotation.old_key_id, 1);
  assert_int_equal(rotation.new_key_id, 2);
  assert_int_equal(stale(home, &org), n_values);
  assert_int_equal(stale(home, &other), 0);
  all_open(home, &org);
  kr_rotate_state state = {0};
  finish(home, &org, 5, &state);
  assert_int_equal(state.n_resealed, n_values);
  assert_int_equal(state.retired_key_id, 1);
  assert_int_equal(state.key_id, 2);
  assert_false(has_data_key(home, &org, 1));
  assert_true(has_data_key(home, &org, 2));
  assert_true(has_data_key(home, &other, 1));
  assert_int_equal(stale(home, &org), 0);
  test_reopen(home);
  all_open(home, &org);
  all_open(home, &other);
  rotation = begin(home, &org);
  assert_int_equal(rotation.new_key_id, 3);
}

/* Whatever the size of a batch: the records at the end of one are not passed over. */
static void every_batch_size(test_home *home) {
  kr_org org = test_org(home, "a");
  uint64_t n_values = fill(home, &org);
  for (size_t max = 1; max <= n_values + 1; max++) {
    kr_rotate_state state = {0};
    assert_true(begin(home, &org).is_begun);
    finish(home, &org, max, &state);
    assert_int_equal(state.n_resealed, n_values);
    assert_false(has_data_key(home, &org, (uint32_t)max));
    all_open(home, &org);
  }
}

/* Whoever begins behind values that name the old key does not remove it at the end of the walk. */
static void begins_in_the_middle(test_home *home) {
  kr_org org = test_org(home, "a");
  uint64_t n_values = fill(home, &org);
  assert_true(begin(home, &org).is_begun);
  kr_rotate_state state = {0};
  kr_vault_place place = kr_place_value(org.id, KR_STR("ZZZ"), (kr_str){0}, 1);
  memcpy(state.from, place.bytes, place.len);
  state.from_len = place.len;
  assert_int_equal(try_step(home, &org, 10, &state), KR_OK);
  assert_false(state.is_done);
  assert_true(has_data_key(home, &org, 1));
  finish(home, &org, 10, &state);
  assert_int_equal(state.n_resealed, n_values);
  all_open(home, &org);
}

/* Died after the n-th commit, and again after the next one: each time another process goes on. */
static void goes_on_after_every_commit(test_home *home) {
  kr_org org = test_org(home, "a");
  uint64_t n_values = fill(home, &org);
  assert_true(begin(home, &org).is_begun);
  uint64_t n_resealed = 0;
  for (unsigned i = 0;; i++) {
    assert_true(i < 100);
    kr_rotate_state state = {0};
    test_reopen(home);
    kr_rotation again = begin(home, &org);
    assert_false(again.is_begun);
    assert_int_equal(again.old_key_id, 1);
    assert_int_equal(again.new_key_id, 2);
    assert_int_equal(stale(home, &org), n_values - n_resealed);
    assert_int_equal(try_step(home, &org, 3, &state), KR_OK);
    n_resealed += state.n_resealed;
    all_open(home, &org);
    if (state.is_done)
      break;
  }
  assert_int_equal(n_resealed, n_values);
  assert_true(begin(home, &org).is_begun);
}

/* Between the steps others replace, add and delete secrets, before and behind where it is. */
static void others_write_meanwhile(test_home *home) {
  kr_org org = test_org(home, "a");
  (void)fill(home, &org);
  assert_true(begin(home, &org).is_begun);
  kr_rotate_state state = {0};
  char value[32];
  for (unsigned i = 0; !state.is_done; i++) {
    assert_true(i < 200);
    assert_int_equal(try_step(home, &org, 2, &state), KR_OK);
    if (i >= 10)
      continue;
    (void)snprintf(value, sizeof value, "new-%u", i);
    (void)test_set(home, &org, "AAA", value);
    (void)test_set(home, &org, "KEY_6", value);
    (void)test_set(home, &org, "ZZZ", value);
    if (i == 4)
      test_delete(home, &org, "ZZZ");
    assert_int_equal(test_open(home, &org, "AAA", 0, kr_str_cstr(value)), KR_OK);
  }
  assert_int_equal(stale(home, &org), 0);
  assert_false(has_data_key(home, &org, 1));
  test_reopen(home);
  assert_int_equal(test_verify(home, &org), KR_OK);
  for (unsigned i = 0; i < 10; i++) {
    (void)snprintf(value, sizeof value, "new-%u", i);
    assert_int_equal(test_open(home, &org, "AAA", i + 1, kr_str_cstr(value)), KR_OK);
    assert_int_equal(test_open(home, &org, "KEY_6", i + 8, kr_str_cstr(value)), KR_OK);
  }
  assert_int_equal(test_open(home, &org, "ZZZ", 0, KR_STR("new-9")), KR_OK);
  assert_int_equal(test_open(home, &org, "KEY_0", 1, KR_STR("a-value-0-1")), KR_OK);
}

typedef struct rotating {
  test_home *home;
  const kr_org *org;
  bool is_done;
} rotating;

static void *rotate_elsewhere(void *ctx) {
  rotating *work = ctx;
  kr_rotation rotation;
  kr_rotate_state state = {0};
  kr_status status = try_begin(work->home, work->org, &rotation);
  while (status == KR_OK && !state.is_done)
    status = try_step(work->home, work->org, 3, &state);
  work->is_done = status == KR_OK;
  return NULL;
}

/* A reader that began before the rotation reads on after it, the removed key included. */
static void older_snapshots_go_on(test_home *home) {
  kr_org org = test_org(home, "a");
  (void)fill(home, &org);
  kr_vault *vault = NULL;
  kr_store_txn *before = NULL;
  assert_int_equal(kr_vault_open(home->store, home->keyring, home->pool, &vault, NULL), KR_OK);
  assert_int_equal(kr_store_begin(home->store, KR_STORE_READ, &before, NULL), KR_OK);
  rotating work = {.home = home, .org = &org};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, rotate_elsewhere, &work), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(work.is_done);
  for (uint32_t version = 1; version <= 4; version++) {
    char expected[32];
    kr_secret *value = NULL;
    (void)snprintf(expected, sizeof expected, "a-value-3-%u", version);
    assert_int_equal(kr_vault_secret_open(vault, before, &org, KR_STR("KEY_3"), KR_STR(""), version,
                                          &value, NULL, NULL),
                     KR_OK);
    assert_true(kr_str_equal(kr_secret_reveal(value), kr_str_cstr(expected)));
    kr_secret_free(value);
  }
  kr_store_abort(before);
  assert_false(has_data_key(home, &org, 1));
  kr_vault *mine = home->vault;
  home->vault = vault;
  all_open(home, &org);
  home->vault = mine;
  kr_vault_free(vault);
}

/* T11: any old record, or the whole old organization, put back after the rotation. */
static void rollback_is_detected(test_home *home) {
  kr_org org = test_org(home, "a");
  kr_org other = test_org(home, "b");
  (void)fill(home, &org);
  (void)fill(home, &other);
  test_dump old = test_dump_store(home->store);
  kr_rotate_state state = {0};
  assert_true(begin(home, &org).is_begun);
  finish(home, &org, 4, &state);
  test_dump now = test_dump_store(home->store);
  size_t n_tried = 0;
  for (size_t i = 0; i < old.count; i++) {
    test_record record = old.records[i];
    bool is_of_org = record.key.len >= 6 && record.key.ptr[0] == 'v' &&
                     strchr("kvm", record.key.ptr[1]) != NULL &&
                     record.key.ptr[5] == (uint8_t)org.id;
    if (!is_of_org)
      continue;
    test_raw_put(home->store, record.key, record.value);
    test_reopen(home);
    if (test_verify(home, &org) != KR_CORRUPT)
      fail_msg("record %zu put back was not found", i);
    test_restore_store(home->store, &now);
    n_tried++;
  }
  assert_true(n_tried > N_SECRETS * (N_SECRETS + 1) / 2);
  /* All of the organization's records of before, the newer ones gone. */
  for (size_t i = 0; i < now.count; i++)
    if (now.records[i].key.len >= 6 && now.records[i].key.ptr[0] == 'v' &&
        strchr("kvms", now.records[i].key.ptr[1]) != NULL &&
        now.records[i].key.ptr[5] == (uint8_t)org.id)
      test_raw_remove(home->store, now.records[i].key);
  for (size_t i = 0; i < old.count; i++)
    if (old.records[i].key.len >= 6 && old.records[i].key.ptr[0] == 'v' &&
        strchr("kvms", old.records[i].key.ptr[1]) != NULL &&
        old.records[i].key.ptr[5] == (uint8_t)org.id)
      test_raw_put(home->store, old.records[i].key, old.records[i].value);
  test_reopen(home);
  assert_int_equal(test_verify(home, &org), KR_CORRUPT);
  assert_int_equal(test_open(home, &org, "KEY_0", 0, KR_STR("a-value-0-1")), KR_CORRUPT);
  test_restore_store(home->store, &now);
  test_reopen(home);
  all_open(home, &org);
  test_dump_free(&old);
  test_dump_free(&now);
}

/* A damaged value stops it; nothing of that batch is changed, and the old key stays. */
static void damage_stops_it(test_home *home) {
  kr_org org = test_org(home, "a");
  (void)fill(home, &org);
  assert_true(begin(home, &org).is_begun);
  kr_vault_place place = kr_place_value(org.id, KR_STR("KEY_5"), (kr_str){0}, 3);
  kr_str record = {0};
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_store_get(txn, kr_place_str(&place), &record, NULL), KR_OK);
  uint8_t copy[256];
  assert_true(record.len <= sizeof copy);
  size_t len = record.len;
  memcpy(copy, record.ptr, len);
  kr_store_abort(txn);
  copy[len - 1] ^= 1;
  test_raw_put(home->store, kr_place_str(&place), kr_str_from(copy, len));
  kr_rotate_state state = {0};
  assert_int_equal(try_step(home, &org, 1000, &state), KR_CORRUPT);
  assert_true(has_data_key(home, &org, 1));
  copy[len - 1] ^= 1;
  test_raw_put(home->store, kr_place_str(&place), kr_str_from(copy, len));
  finish(home, &org, 1000, &state);
  all_open(home, &org);
}

static void ids_of_keys_end(test_home *home) {
  kr_org org = test_org(home, "a");
  (void)fill(home, &org);
  kr_change change;
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_change_begin(&change, home->vault, txn, &org, &home->error), KR_OK);
  change.manifest.next_key_id = UINT32_MAX - 1;
  assert_int_equal(kr_change_end(&change, &home->error), KR_OK);
  test_commit(home, txn);
  kr_rotate_state state = {0};
  assert_int_equal(begin(home, &org).new_key_id, UINT32_MAX - 1);
  finish(home, &org, 9, &state);
  kr_rotation rotation;
  assert_int_equal(try_begin(home, &org, &rotation), KR_LIMIT);
  all_open(home, &org);
}

/* A commit that fails changes nothing, and the same step can be made again. */
static void commits_fail(test_home *home) {
  kr_org org = test_org(home, "a");
  (void)fill(home, &org);
  kr_rotation rotation;
  kr_rotate_state state = {0};
  kr_store_memory_fail_commit(home->store, 1);
  assert_int_equal(try_begin(home, &org, &rotation), KR_IO);
  assert_false(has_data_key(home, &org, 2));
  assert_true(begin(home, &org).is_begun);
  for (unsigned i = 0; !state.is_done; i++) {
    assert_true(i < 100);
    kr_store_memory_fail_commit(home->store, 1);
    assert_int_equal(try_step(home, &org, 4, &state), KR_IO);
    all_open(home, &org);
    assert_int_equal(try_step(home, &org, 4, &state), KR_OK);
  }
  test_reopen(home);
  all_open(home, &org);
}

/* The n-th allocation fails, for all n: KR_NOMEM and nothing changed, at begin and at each step. */
static void allocations_fail(test_home *home) {
  kr_org org = test_org(home, "a");
  (void)fill(home, &org);
  size_t used = kr_secure_used(home->pool);
  kr_rotate_state state = {0};
  kr_rotation rotation;
  for (unsigned round = 0; round < 2 || !state.is_done; round++) {
    kr_status status = KR_NOMEM;
    for (size_t n = 0; status != KR_OK; n++) {
      assert_true(n < 20000);
      kr_test_fail_at(n);
      status = round == 0 ? try_begin(home, &org, &rotation) : try_step(home, &org, 10, &state);
      (void)kr_test_fail_stop();
      assert_true(status == KR_OK || status == KR_NOMEM);
      /* Both data keys may be kept as known ones, once; a leak would grow with n. */
      assert_true(kr_secure_used(home->pool) <= used + 2u * 128u);
      assert_int_equal(has_data_key(home, &org, 2), round > 0 || status == KR_OK);
    }
    all_open(home, &org);
  }
}

/* ---- both stores ---- */

static const mode_row rows[] = {
    {"rotates", rotates, false},
    {"rotates, on disk", rotates, true},
    {"every batch size", every_batch_size, false},
    {"every batch size, on disk", every_batch_size, true},
    {"goes on after every commit", goes_on_after_every_commit, false},
    {"goes on after every commit, on disk", goes_on_after_every_commit, true},
    {"begins in the middle", begins_in_the_middle, false},
    {"begins in the middle, on disk", begins_in_the_middle, true},
    {"others write meanwhile", others_write_meanwhile, false},
    {"others write meanwhile, on disk", others_write_meanwhile, true},
    {"older snapshots go on", older_snapshots_go_on, false},
    {"older snapshots go on, on disk", older_snapshots_go_on, true},
    {"a rollback is detected", rollback_is_detected, false},
    {"damage stops it", damage_stops_it, false},
    {"damage stops it, on disk", damage_stops_it, true},
    {"ids of keys end", ids_of_keys_end, false},
    {"commits fail", commits_fail, false},
    {"allocations fail", allocations_fail, false},
    {"allocations fail, on disk", allocations_fail, true},
};

static void run_row(void **state) {
  const mode_row *row = *state;
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
