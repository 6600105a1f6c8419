/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults.c - commits and allocations that fail: nothing is half changed,
 * nothing stays locked; and no stored byte shows a value.
 */
#include "vault/support.h"

#include "base/encode.h"
#include "support/failalloc.h"

#include <stdlib.h>

#define HOME_TEST(function)                                                                        \
  cmocka_unit_test_setup_teardown(function, test_home_setup, test_home_teardown)

static void assert_same_store(kr_store *store, const test_dump *before) {
  test_dump now = test_dump_store(store);
  assert_int_equal(now.count, before->count);
  for (size_t i = 0; i < now.count; i++) {
    assert_true(kr_str_equal(now.records[i].key, before->records[i].key));
    assert_true(kr_str_equal(now.records[i].value, before->records[i].value));
  }
  test_dump_free(&now);
}

static void test_failed_commit(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  for (int i = 0; i < 10; i++)
    (void)test_set(home, &org, "KEY", "old-value");
  test_dump before = test_dump_store(home->store);
  kr_store_memory_fail_commit(home->store, 1);
  assert_int_equal(test_try_set(home, &org, "KEY", KR_STR("new-value"), NULL, NULL), KR_IO);
  assert_same_store(home->store, &before);
  kr_store_memory_fail_commit(home->store, 1);
  kr_org other;
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_vault_org_create(home->vault, txn, KR_STR("other"), 0, &other, NULL), KR_OK);
  assert_int_equal(kr_store_commit(txn, NULL), KR_IO);
  assert_same_store(home->store, &before);
  /* The same vault goes on: old value there, the change can be made again. */
  assert_int_equal(test_open(home, &org, "KEY", 0, KR_STR("old-value")), KR_OK);
  assert_int_equal(test_set(home, &org, "KEY", "new-value"), 11);
  other = test_org(home, "other");
  (void)test_set(home, &other, "KEY", "x");
  assert_int_equal(test_verify(home, &org), KR_OK);
  test_reopen(home);
  assert_int_equal(test_verify(home, &other), KR_OK);
  test_dump_free(&before);
}

typedef struct work_row {
  const char *name;
  kr_status (*run)(test_home *home, const kr_org *org);
} work_row;

static kr_status work_set(test_home *home, const kr_org *org) {
  KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  kr_secret_meta meta;
  KR_TRY(kr_secret_new(home->pool, 5, &value));
  memcpy(kr_secret_writable(value), "fresh", 5);
  KR_TRY(kr_store_begin(home->store, KR_STORE_WRITE, &txn, &home->error));
  const kr_secret_saving saving = {.name = KR_STR("KEY"),
                                   .value = value,
                                   .description = KR_STR("text"),
                                   .by = KR_STR("test"),
                                   .now_ms = 1};
  KR_TRY(kr_vault_secret_set(home->vault, txn, org, &saving, &meta, &home->error));
  return kr_store_commit(KR_TAKE(txn), &home->error);
}

static kr_status work_batch(test_home *home, const kr_org *org) {
  KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_CLEANUP(kr_vault_batch_freep) kr_vault_batch *batch = NULL;
  static const char *const names[] = {"KEY", "NEW", "NEW"};
  kr_secret_meta meta;
  KR_TRY(kr_secret_new(home->pool, 5, &value));
  memcpy(kr_secret_writable(value), "fresh", 5);
  KR_TRY(kr_store_begin(home->store, KR_STORE_WRITE, &txn, &home->error));
  KR_TRY(kr_vault_batch_begin(home->vault, txn, org, &batch, &home->error));
  for (size_t i = 0; i < 3; i++) {
    const kr_secret_saving saving = {
        .name = kr_str_cstr(names[i]), .value = value, .by = KR_STR("test"), .now_ms = 1};
    KR_TRY(kr_vault_batch_set(batch, &saving, &meta, &home->error));
  }
  KR_TRY(kr_vault_batch_end(batch, &home->error));
  return kr_store_commit(KR_TAKE(txn), &home->error);
}

static kr_status work_open(test_home *home, const kr_org *org) {
  KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
  KR_CLEANUP(kr_vault_freep) kr_vault *vault = NULL;
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_vault_open(home->store, home->keyring, home->pool, &vault, &home->error));
  KR_TRY(kr_store_begin(home->store, KR_STORE_READ, &txn, &home->error));
  KR_TRY(kr_vault_secret_open(vault, txn, org, KR_STR("OTHER"), KR_STR(""), 0, &value, NULL,
                              &home->error));
  assert_true(kr_str_equal(kr_secret_reveal(value), KR_STR("other-value")));
  return kr_vault_org_verify(vault, txn, org, &home->error);
}

static kr_status work_create(test_home *home, const kr_org *org) {
  (void)org;
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  kr_org made;
  KR_TRY(kr_store_begin(home->store, KR_STORE_WRITE, &txn, &home->error));
  KR_TRY(kr_vault_org_create(home->vault, txn, KR_STR("more"), 1, &made, &home->error));
  return kr_store_commit(KR_TAKE(txn), &home->error);
}

static kr_status work_delete(test_home *home, const kr_org *org) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(home->store, KR_STORE_WRITE, &txn, &home->error));
  KR_TRY(kr_vault_secret_delete(home->vault, txn, org, KR_STR("KEY"), KR_STR(""), &home->error));
  return kr_store_commit(KR_TAKE(txn), &home->error);
}

static kr_status work_load(test_home *home, const kr_org *org) {
  (void)org;
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keyring = NULL;
  return kr_keyring_load(kr_str_cstr(home->key_path), home->pool, &keyring, &home->error);
}

/* The n-th allocation fails, for all n: KR_NOMEM, no change, nothing left locked. */
static void run_allocations(void **state) {
  const work_row *row = *state;
  void *inner = NULL;
  (void)test_home_setup(&inner);
  test_home *home = inner;
  kr_org org = test_org(home, "default");
  (void)test_set(home, &org, "OTHER", "other-value");
  (void)test_set(home, &org, "KEY", "value");
  test_dump before = test_dump_store(home->store);
  size_t used = kr_secure_used(home->pool);
  size_t n = 0;
  for (;; n++) {
    assert_true(n < 10000);
    kr_test_fail_at(n);
    kr_status status = row->run(home, &org);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      break;
    }
    if (status != KR_OK) { /* a refusal that is made good elsewhere is fine */
      assert_int_equal(status, KR_NOMEM);
      assert_same_store(home->store, &before);
    } else {
      test_dump_free(&before);
      before = test_dump_store(home->store);
    }
    assert_int_equal(kr_secure_used(home->pool), used);
  }
  assert_true(n > 1);
  assert_int_equal(kr_secure_used(home->pool), used);
  assert_int_equal(test_verify(home, &org), KR_OK);
  test_dump_free(&before);
  (void)test_home_teardown(&inner);
}

/* Locked memory runs out at every depth: the same. */
static void test_full_pool(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  (void)test_set(home, &org, "OTHER", "other-value");
  size_t used = kr_secure_used(home->pool);
  for (size_t room = 0; room < 4096; room += 64) {
    void *blocks[64];
    size_t n_blocks = 0;
    /* Fill the pool, large pieces first, then give `room` back. */
    void *spare = room == 0 ? NULL : kr_secure_alloc(home->pool, room);
    for (size_t size = 128u * 1024u; size >= 16; size /= 2)
      for (void *block; n_blocks < 64 && (block = kr_secure_alloc(home->pool, size)) != NULL;)
        blocks[n_blocks++] = block;
    kr_secure_release(home->pool, spare);
    kr_status status = work_open(home, &org);
    for (size_t i = 0; i < n_blocks; i++)
      kr_secure_release(home->pool, blocks[i]);
    assert_true(status == KR_OK || status == KR_NOMEM);
    if (room == 0)
      assert_int_equal(status, KR_NOMEM);
    assert_int_equal(kr_secure_used(home->pool), used);
  }
}

/* ---- nothing readable ---- */

static void find_canary(const test_dump *dump, kr_str canary, const char *form) {
  for (size_t i = 0; i < dump->count; i++)
    if (test_contains(dump->records[i].value, canary) ||
        test_contains(dump->records[i].key, canary))
      fail_msg("record %zu holds a value as %s", i, form);
}

/* Raw, hex and base64 in its three alignments. */
static void find_all_forms(const test_dump *dump, kr_str value) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(1000, NULL);
  find_canary(dump, value, "raw");
  assert_int_equal(kr_hex_encode(value, &text), KR_OK);
  find_canary(dump, kr_buf_str(&text), "hex");
  for (size_t skip = 0; skip < 3; skip++) {
    kr_buf_reset(&text);
    kr_str rest = kr_str_slice(value, skip, skip + (value.len - skip) / 3 * 3);
    assert_int_equal(kr_base64_encode(rest, KR_BASE64_STANDARD, false, &text), KR_OK);
    find_canary(dump, kr_buf_str(&text), "base64");
  }
}

static void test_no_plaintext(void **state) {
  test_home *home = *state;
  static const char *const canaries[] = {"canary-value-7f3a9c", "second-canary-0b1e55"};
  kr_org org = test_org(home, "default");
  (void)test_set(home, &org, "ONE", canaries[0]);
  (void)test_set(home, &org, "TWO", canaries[1]);
  test_dump dump = test_dump_store(home->store);
  for (size_t i = 0; i < 2; i++)
    find_all_forms(&dump, kr_str_cstr(canaries[i]));
  find_all_forms(&dump, kr_secret_reveal(kr_keyring_key(home->keyring, 0)));
  find_all_forms(&dump, kr_secret_reveal(home->vault->keys.wrap));
  find_all_forms(&dump, kr_secret_reveal(home->vault->keys.record));
  /* The search can find: a name is stored in the clear. */
  bool is_found = false;
  for (size_t i = 0; i < dump.count; i++)
    is_found = is_found || test_contains(dump.records[i].key, KR_STR("ONE"));
  assert_true(is_found);
  test_dump_free(&dump);
}

/* Values of 1 and of 60 bytes take the same room; 61 the next bucket. */
static void test_buckets(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  size_t lens[3] = {0};
  static const size_t sizes[3] = {1, 60, 61};
  char value[64];
  memset(value, 'x', sizeof value);
  for (uint32_t i = 0; i < 3; i++) {
    assert_int_equal(test_try_set(home, &org, "KEY", kr_str_from(value, sizes[i]), NULL, NULL),
                     KR_OK);
    kr_vault_place place = kr_place_value(org.id, KR_STR("KEY"), KR_STR(""), i + 1);
    test_dump dump = test_dump_store(home->store);
    for (size_t j = 0; j < dump.count; j++)
      if (kr_str_equal(dump.records[j].key, kr_place_str(&place)))
        lens[i] = dump.records[j].value.len;
    test_dump_free(&dump);
  }
  assert_int_equal(lens[0], 4 + kr_crypto_sealed_len(64));
  assert_int_equal(lens[0], lens[1]);
  assert_int_equal(lens[2], 4 + kr_crypto_sealed_len(128));
}

static const work_row work_rows[] = {
    {"allocations: set", work_set},
    {"allocations: set three at once", work_batch},
    {"allocations: open and verify", work_open},
    {"allocations: create organization", work_create},
    {"allocations: delete", work_delete},
    {"allocations: key file", work_load},
};

static const struct CMUnitTest single_tests[] = {
    HOME_TEST(test_failed_commit),
    HOME_TEST(test_full_pool),
    HOME_TEST(test_no_plaintext),
    HOME_TEST(test_buckets),
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

int main(void) {
  static struct CMUnitTest tests[COUNT(work_rows) + COUNT(single_tests)];
  size_t n = 0;
  for (size_t i = 0; i < COUNT(work_rows); i++)
    tests[n++] = (struct CMUnitTest){work_rows[i].name, run_allocations, NULL, NULL,
                                     (void *)(uintptr_t)&work_rows[i]};
  memcpy(tests + n, single_tests, sizeof single_tests);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
