/* SPDX-License-Identifier: Apache-2.0 */
/* support.c - see support.h. */
#define _GNU_SOURCE
#include "support.h"

#include "store/lmdb/store_lmdb.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEST_POOL_BYTES (256u * 1024u)
#define TEST_RECORDS_MAX 4096u

static const uint8_t test_uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void test_need(test_home *home, kr_status status) {
  if (status != KR_OK)
    fail_msg("%s: %s (%s)", kr_status_name(status), home->error.message, home->error.hint);
}

int test_home_setup(void **state) {
  test_home *home = calloc(1, sizeof *home);
  assert_non_null(home);
  (void)snprintf(home->dir, sizeof home->dir, "/tmp/krosyn-vault-XXXXXX");
  assert_non_null(mkdtemp(home->dir));
  (void)snprintf(home->key_path, sizeof home->key_path, "%s/store.key", home->dir);
  test_need(home, kr_secure_new(TEST_POOL_BYTES, &home->pool, &home->error));
  test_need(home, kr_keyring_create(kr_str_cstr(home->key_path), home->pool, &home->keyring,
                                    &home->error));
  test_need(home, kr_store_memory_new(&home->store, &home->error));
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  test_need(home, kr_vault_create(txn, home->keyring, home->pool, test_uuid, &home->error));
  test_commit(home, txn);
  test_reopen(home);
  *state = home;
  return 0;
}

int test_home_teardown(void **state) {
  test_home *home = *state;
  kr_vault_free(home->vault);
  kr_keyring_free(home->keyring);
  kr_secure_validate(home->pool);
  assert_int_equal(kr_secure_used(home->pool), 0);
  kr_secure_free(home->pool);
  kr_store_close(home->store);
  (void)unlink(home->key_path);
  (void)rmdir(home->dir);
  free(home);
  return 0;
}

void test_reopen(test_home *home) {
  kr_vault_free(home->vault);
  home->vault = NULL;
  test_need(home,
            kr_vault_open(home->store, home->keyring, home->pool, &home->vault, &home->error));
}

void test_move_to_disk(test_home *home) {
  const kr_store_lmdb_options options = {.is_create = true, .map_bytes = 64u * 1024u * 1024u};
  char path[128];
  (void)snprintf(path, sizeof path, "%s/vault", home->dir);
  kr_vault_free(home->vault);
  home->vault = NULL;
  kr_store_close(home->store);
  test_need(home, kr_store_lmdb_open(kr_str_cstr(path), &options, &home->store, &home->error));
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  test_need(home, kr_vault_create(txn, home->keyring, home->pool, test_uuid, &home->error));
  test_commit(home, txn);
  test_reopen(home);
}

void test_leave_disk(test_home *home) {
  static const char *const files[] = {"vault/data.mdb", "vault/lock.mdb", "vault"};
  char path[128];
  kr_vault_free(home->vault);
  home->vault = NULL;
  kr_store_close(home->store);
  test_need(home, kr_store_memory_new(&home->store, &home->error));
  for (size_t i = 0; i < 3; i++) {
    (void)snprintf(path, sizeof path, "%s/%s", home->dir, files[i]);
    (void)remove(path);
  }
}

kr_store_txn *test_begin(test_home *home, kr_store_mode mode) {
  kr_store_txn *txn = NULL;
  test_need(home, kr_store_begin(home->store, mode, &txn, &home->error));
  return txn;
}

void test_commit(test_home *home, kr_store_txn *txn) {
  test_need(home, kr_store_commit(txn, &home->error));
}

kr_org test_org(test_home *home, const char *name) {
  kr_org org;
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  test_need(home, kr_vault_org_create(home->vault, txn, kr_str_cstr(name), TEST_NOW_MS, &org,
                                      &home->error));
  test_commit(home, txn);
  return org;
}

kr_status test_try_set(test_home *home, const kr_org *org, const char *name, kr_str value,
                       const char *description, kr_secret_meta *ret_meta) {
  kr_secret *secret = NULL;
  kr_secret_meta meta;
  assert_int_equal(kr_secret_new(home->pool, value.len, &secret), KR_OK);
  if (value.len > 0)
    memcpy(kr_secret_writable(secret), value.ptr, value.len);
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  const kr_secret_saving saving = {.name = kr_str_cstr(name),
                                   .value = secret,
                                   .description = kr_str_cstr(description),
                                   .by = KR_STR("test"),
                                   .now_ms = TEST_NOW_MS};
  kr_status status = kr_vault_secret_set(home->vault, txn, org, &saving, &meta, &home->error);
  if (status == KR_OK)
    status = kr_store_commit(txn, &home->error);
  else
    kr_store_abort(txn);
  kr_secret_free(secret);
  if (status == KR_OK && ret_meta != NULL)
    *ret_meta = meta;
  return status;
}

uint32_t test_set(test_home *home, const kr_org *org, const char *name, const char *value) {
  kr_secret_meta meta;
  test_need(home, test_try_set(home, org, name, kr_str_cstr(value), NULL, &meta));
  return meta.version;
}

void test_delete(test_home *home, const kr_org *org, const char *name) {
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  test_need(home, kr_vault_secret_delete(home->vault, txn, org, kr_str_cstr(name), KR_STR(""),
                                         &home->error));
  test_commit(home, txn);
}

kr_status test_open(test_home *home, const kr_org *org, const char *name, uint32_t version,
                    kr_str expected) {
  kr_secret *value = NULL;
  uint32_t got = 0;
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  kr_status status = kr_vault_secret_open(home->vault, txn, org, kr_str_cstr(name), KR_STR(""),
                                          version, &value, &got, &home->error);
  kr_store_abort(txn);
  if (status != KR_OK)
    return status;
  bool is_equal = kr_str_equal(kr_secret_reveal(value), expected);
  kr_secret_free(value);
  if (!is_equal)
    fail_msg("%s, version %u: opened to another value", name, got);
  return KR_OK;
}

kr_status test_verify(test_home *home, const kr_org *org) {
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  kr_status status = kr_vault_org_verify(home->vault, txn, org, &home->error);
  kr_store_abort(txn);
  return status;
}

static kr_str test_copy(kr_str bytes) {
  uint8_t *ptr = malloc(bytes.len + 1);
  assert_non_null(ptr);
  if (bytes.len > 0)
    memcpy(ptr, bytes.ptr, bytes.len);
  return kr_str_from(ptr, bytes.len);
}

test_dump test_dump_store(kr_store *store) {
  test_dump dump = {.records = calloc(TEST_RECORDS_MAX, sizeof(test_record))};
  assert_non_null(dump.records);
  kr_store_txn *txn = NULL;
  kr_store_cursor *cursor = NULL;
  kr_str key = {0};
  kr_str value = {0};
  assert_int_equal(kr_store_begin(store, KR_STORE_READ, &txn, NULL), KR_OK);
  assert_int_equal(kr_store_scan(txn, (kr_str){0}, (kr_str){0}, false, &cursor, NULL), KR_OK);
  while (kr_store_next(cursor, &key, &value, NULL) == KR_OK) {
    assert_true(dump.count < TEST_RECORDS_MAX);
    dump.records[dump.count++] = (test_record){test_copy(key), test_copy(value)};
  }
  kr_store_scan_end(cursor);
  kr_store_abort(txn);
  return dump;
}

void test_dump_free(test_dump *dump) {
  for (size_t i = 0; i < dump->count; i++) {
    free((void *)(uintptr_t)dump->records[i].key.ptr);
    free((void *)(uintptr_t)dump->records[i].value.ptr);
  }
  free(dump->records);
  *dump = (test_dump){0};
}

void test_restore_store(kr_store *store, const test_dump *dump) {
  test_dump now = test_dump_store(store);
  for (size_t i = 0; i < now.count; i++)
    test_raw_remove(store, now.records[i].key);
  for (size_t i = 0; i < dump->count; i++)
    test_raw_put(store, dump->records[i].key, dump->records[i].value);
  test_dump_free(&now);
}

void test_raw_put(kr_store *store, kr_str key, kr_str value) {
  kr_store_txn *txn = NULL;
  assert_int_equal(kr_store_begin(store, KR_STORE_WRITE, &txn, NULL), KR_OK);
  assert_int_equal(kr_store_put(txn, key, value, NULL), KR_OK);
  assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
}

void test_raw_remove(kr_store *store, kr_str key) {
  kr_store_txn *txn = NULL;
  assert_int_equal(kr_store_begin(store, KR_STORE_WRITE, &txn, NULL), KR_OK);
  assert_int_equal(kr_store_remove(txn, key, NULL), KR_OK);
  assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
}

bool test_contains(kr_str haystack, kr_str needle) {
  return needle.len <= haystack.len && kr_str_find(haystack, needle, 0) != SIZE_MAX;
}
