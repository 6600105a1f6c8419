/* SPDX-License-Identifier: Apache-2.0 */
/* test_lmdb.c - the same vault in the embedded store: written, closed, opened again from disk. */
#define _GNU_SOURCE
#include "vault/support.h"

#include "store/lmdb/store_lmdb.h"

#include <stdlib.h>
#include <unistd.h>

static void open_store(test_home *home, const char *path, bool is_create) {
  const kr_store_lmdb_options options = {.is_create = is_create, .map_bytes = 64u * 1024u * 1024u};
  if (kr_store_lmdb_open(kr_str_cstr(path), &options, &home->store, &home->error) != KR_OK)
    fail_msg("%s", home->error.message);
}

static void test_on_disk(void **state) {
  test_home *home = *state;
  static const uint8_t uuid[KR_VAULT_UUID_BYTES] = {7};
  char path[128];
  char name[32];
  char value[32];
  (void)snprintf(path, sizeof path, "%s/vault", home->dir);
  kr_vault_free(home->vault);
  home->vault = NULL;
  kr_store_close(home->store);
  open_store(home, path, true);
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_vault_create(txn, home->keyring, home->pool, uuid, NULL), KR_OK);
  test_commit(home, txn);
  test_reopen(home);
  kr_org org = test_org(home, "default");
  for (unsigned i = 0; i < 60; i++) {
    (void)snprintf(name, sizeof name, "KEY_%u", i % 4);
    (void)snprintf(value, sizeof value, "value-%u", i);
    assert_int_equal(test_set(home, &org, name, value), i / 4 + 1);
  }
  test_delete(home, &org, "KEY_3");
  kr_vault_free(home->vault);
  home->vault = NULL;
  kr_store_close(home->store);

  open_store(home, path, false);
  test_reopen(home);
  assert_int_equal(test_verify(home, &org), KR_OK);
  for (unsigned i = 0; i < 60; i++) {
    (void)snprintf(name, sizeof name, "KEY_%u", i % 4);
    (void)snprintf(value, sizeof value, "value-%u", i);
    bool is_kept = i % 4 != 3 && i / 4 + 1 > 5;
    assert_int_equal(test_open(home, &org, name, i / 4 + 1, kr_str_cstr(value)),
                     is_kept ? KR_OK : KR_NOT_FOUND);
  }
  (void)snprintf(path, sizeof path, "%s/vault/data.mdb", home->dir);
  (void)unlink(path);
  (void)snprintf(path, sizeof path, "%s/vault/lock.mdb", home->dir);
  (void)unlink(path);
  (void)snprintf(path, sizeof path, "%s/vault", home->dir);
  (void)rmdir(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_on_disk, test_home_setup, test_home_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
