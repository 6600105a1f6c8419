/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rekey.c - another master key: the root record, and changing key files.
 */
#define _GNU_SOURCE
#include "vault/keyedit.h"
#include "vault/support.h"

#include "support/failalloc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOME_TEST(function)                                                                        \
  cmocka_unit_test_setup_teardown(function, test_home_setup, test_home_teardown)

/* ---- helpers ---- */

static kr_status try_rekey(test_home *home, const kr_keyring *new_keys) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(home->store, KR_STORE_WRITE, &txn, &home->error));
  KR_TRY(kr_vault_rekey(home->vault, txn, home->keyring, new_keys, &home->error));
  return kr_store_commit(KR_TAKE(txn), &home->error);
}

static kr_status try_add(test_home *home, const kr_keyring *fresh) {
  KR_CLEANUP(kr_keyedit_done) kr_keyedit edit = {.directory = -1};
  KR_TRY(kr_keyedit_begin(kr_str_cstr(home->key_path), &edit, &home->error));
  return kr_keyedit_add(&edit, fresh, home->pool, &home->error);
}

static kr_status try_remove(test_home *home, kr_str id) {
  KR_CLEANUP(kr_keyedit_done) kr_keyedit edit = {.directory = -1};
  KR_TRY(kr_keyedit_begin(kr_str_cstr(home->key_path), &edit, &home->error));
  return kr_keyedit_remove(&edit, id, home->pool, &home->error);
}

static kr_keyring *make(test_home *home) {
  kr_keyring *keyring = NULL;
  assert_int_equal(kr_keyring_make(home->pool, &keyring, &home->error), KR_OK);
  return keyring;
}

static kr_keyring *load(test_home *home) {
  kr_keyring *keyring = NULL;
  assert_int_equal(kr_keyring_load(kr_str_cstr(home->key_path), home->pool, &keyring, &home->error),
                   KR_OK);
  return keyring;
}

static kr_status opens_with(test_home *home, const kr_keyring *keyring) {
  KR_CLEANUP(kr_vault_freep) kr_vault *vault = NULL;
  return kr_vault_open(home->store, keyring, home->pool, &vault, &home->error);
}

static size_t read_text(const char *path, char *text, size_t cap) {
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  size_t len = fread(text, 1, cap - 1, file);
  (void)fclose(file);
  text[len] = '\0';
  return len;
}

static void write_text(const char *path, const char *text) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fputs(text, file) >= 0, 1);
  assert_int_equal(fclose(file), 0);
}

static void same_key(const kr_keyring *a, size_t i, const kr_keyring *b, size_t j) {
  assert_true(kr_str_equal(kr_keyring_id(a, i), kr_keyring_id(b, j)));
  assert_true(
      kr_str_equal(kr_secret_reveal(kr_keyring_key(a, i)), kr_secret_reveal(kr_keyring_key(b, j))));
}

/* ---- the root record ---- */

/* The new key opens, the old one does not; vaults that were open go on, values are the same. */
static void test_rewraps(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "a");
  (void)test_set(home, &org, "KEY", "value-1");
  kr_keyring *fresh = make(home);
  char id[KR_KEY_ID_BYTES + 1];
  assert_int_equal(try_rekey(home, fresh), KR_OK);
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_vault_key_id(txn, id, &home->error), KR_OK);
  kr_store_abort(txn);
  assert_true(kr_str_equal(kr_str_cstr(id), kr_keyring_id(fresh, 0)));
  assert_int_equal(test_set(home, &org, "KEY", "value-2"), 2);
  assert_int_equal(opens_with(home, home->keyring), KR_UNTRUSTED);
  assert_non_null(strstr(home->error.message, id));
  assert_int_equal(try_rekey(home, fresh), KR_UNTRUSTED); /* the old ring lacks the key of now */
  kr_keyring *old = home->keyring;
  home->keyring = fresh;
  test_reopen(home);
  assert_int_equal(test_open(home, &org, "KEY", 1, KR_STR("value-1")), KR_OK);
  assert_int_equal(test_open(home, &org, "KEY", 2, KR_STR("value-2")), KR_OK);
  assert_int_equal(test_verify(home, &org), KR_OK);
  assert_int_equal(try_rekey(home, fresh), KR_EXISTS);
  assert_int_equal(try_rekey(home, old), KR_OK); /* and back */
  assert_int_equal(opens_with(home, old), KR_OK);
  kr_keyring_free(fresh);
  home->keyring = old;
}

static void test_failed_commit(void **state) {
  test_home *home = *state;
  kr_keyring *fresh = make(home);
  kr_store_memory_fail_commit(home->store, 1);
  assert_int_equal(try_rekey(home, fresh), KR_IO);
  assert_int_equal(opens_with(home, home->keyring), KR_OK);
  assert_int_equal(opens_with(home, fresh), KR_UNTRUSTED);
  kr_keyring_free(fresh);
}

static void test_failed_allocations(void **state) {
  test_home *home = *state;
  kr_keyring *fresh = make(home);
  size_t used = kr_secure_used(home->pool);
  kr_status status = KR_NOMEM;
  for (size_t n = 0; status != KR_OK; n++) {
    assert_true(n < 10000);
    kr_test_fail_at(n);
    status = try_rekey(home, fresh);
    (void)kr_test_fail_stop();
    assert_true(status == KR_OK || status == KR_NOMEM);
    assert_int_equal(kr_secure_used(home->pool), used);
    assert_int_equal(opens_with(home, status == KR_OK ? fresh : home->keyring), KR_OK);
  }
  kr_keyring_free(fresh);
}

/* ---- the key file ---- */

/* At each moment of the change the file and the root record fit. */
static void test_every_step_opens(void **state) {
  test_home *home = *state;
  kr_keyring *fresh = make(home);
  assert_int_equal(try_add(home, fresh), KR_OK);
  kr_keyring *both = load(home);
  assert_int_equal(kr_keyring_count(both), 2);
  same_key(both, 0, fresh, 0);
  same_key(both, 1, home->keyring, 0);
  assert_int_equal(opens_with(home, both), KR_OK);
  assert_int_equal(try_rekey(home, both), KR_OK);
  assert_int_equal(opens_with(home, both), KR_OK);
  assert_int_equal(try_remove(home, kr_keyring_id(home->keyring, 0)), KR_OK);
  kr_keyring *one = load(home);
  assert_int_equal(kr_keyring_count(one), 1);
  same_key(one, 0, fresh, 0);
  assert_int_equal(opens_with(home, one), KR_OK);
  struct stat info;
  assert_int_equal(stat(home->key_path, &info), 0);
  assert_int_equal(info.st_mode & 07777, 0600);
  kr_keyring_free(one);
  kr_keyring_free(both);
  kr_keyring_free(fresh);
}

/* Comments, blank lines and other keys stay as they are, byte for byte. */
static void test_the_rest_stays(void **state) {
  test_home *home = *state;
  char before[4096];
  char text[8192];
  char after[8192];
  (void)read_text(home->key_path, before, sizeof before);
  char *line = strchr(before, '\n') + 1;
  (void)snprintf(text, sizeof text, "# mine\r\n\n  %s# the end", line);
  write_text(home->key_path, text);
  kr_keyring *fresh = make(home);
  assert_int_equal(try_add(home, fresh), KR_OK);
  (void)read_text(home->key_path, after, sizeof after);
  assert_memory_equal(after, "# mine\r\n\n", 9);
  assert_memory_equal(after + 9, kr_keyring_id(fresh, 0).ptr, kr_keyring_id(fresh, 0).len);
  assert_string_equal(strchr(after + 9, '\n') + 1, text + 9);
  assert_int_equal(try_remove(home, kr_keyring_id(fresh, 0)), KR_OK);
  (void)read_text(home->key_path, after, sizeof after);
  assert_string_equal(after, text);
  assert_int_equal(try_remove(home, KR_STR("k-none")), KR_NOT_FOUND);
  assert_int_equal(try_remove(home, KR_STR("#")), KR_NOT_FOUND);
  kr_keyring_free(fresh);
}

static void test_links_modes_and_remains(void **state) {
  test_home *home = *state;
  char link_path[160];
  char draft[160];
  struct stat info;
  (void)snprintf(link_path, sizeof link_path, "%s/link.key", home->dir);
  (void)snprintf(draft, sizeof draft, "%s.krosyn-draft", home->key_path);
  assert_int_equal(symlink("store.key", link_path), 0);
  assert_int_equal(chmod(home->key_path, 0400), 0);
  write_text(draft, "left by a process that died");
  kr_keyring *fresh = make(home);
  KR_CLEANUP(kr_keyedit_done) kr_keyedit edit = {.directory = -1};
  assert_int_equal(kr_keyedit_begin(kr_str_cstr(link_path), &edit, &home->error), KR_OK);
  assert_int_equal(kr_keyedit_add(&edit, fresh, home->pool, &home->error), KR_OK);
  assert_int_equal(lstat(link_path, &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  assert_int_equal(stat(home->key_path, &info), 0);
  assert_int_equal(info.st_mode & 07777, 0400);
  assert_int_not_equal(access(draft, F_OK), 0);
  kr_keyring *both = load(home);
  same_key(both, 0, fresh, 0);
  kr_keyring_free(both);
  kr_keyring_free(fresh);
  assert_int_equal(unlink(link_path), 0);
}

/* Files beside the key file may be keys of other homes, under any name that comes to mind. */
static void test_neighbours_stay(void **state) {
  static const char *const endings[] = {".new", ".tmp", ".old", ".bak", "~", ".draft"};
  test_home *home = *state;
  char paths[6][160];
  char text[64];
  for (size_t i = 0; i < 6; i++) {
    (void)snprintf(paths[i], sizeof paths[i], "%s%s", home->key_path, endings[i]);
    write_text(paths[i], endings[i]);
  }
  kr_keyring *fresh = make(home);
  assert_int_equal(try_add(home, fresh), KR_OK);
  assert_int_equal(try_remove(home, kr_keyring_id(fresh, 0)), KR_OK);
  kr_keyring_free(fresh);
  for (size_t i = 0; i < 6; i++) {
    assert_int_equal(access(paths[i], F_OK), 0);
    (void)read_text(paths[i], text, sizeof text);
    assert_string_equal(text, endings[i]);
    assert_int_equal(unlink(paths[i]), 0);
  }
}

static void test_full(void **state) {
  test_home *home = *state;
  for (unsigned i = 1; i <= KR_KEYRING_MAX; i++) {
    kr_keyring *fresh = make(home);
    assert_int_equal(try_add(home, fresh), i < KR_KEYRING_MAX ? KR_OK : KR_LIMIT);
    kr_keyring_free(fresh);
  }
  kr_keyring *keys = load(home);
  assert_int_equal(kr_keyring_count(keys), KR_KEYRING_MAX);
  same_key(keys, KR_KEYRING_MAX - 1, home->keyring, 0);
  kr_keyring_free(keys);
}

/* Memory runs out at every depth: the file is the old one or the new one. */
static void test_edits_short_of_memory(void **state) {
  test_home *home = *state;
  char before[4096];
  char after[4096];
  (void)read_text(home->key_path, before, sizeof before);
  kr_keyring *fresh = make(home);
  size_t used = kr_secure_used(home->pool);
  kr_status status = KR_NOMEM;
  for (size_t n = 0; status != KR_OK; n++) {
    assert_true(n < 1000);
    kr_test_fail_at(n);
    status = try_add(home, fresh);
    (void)kr_test_fail_stop();
    assert_int_equal(kr_secure_used(home->pool), used);
    (void)read_text(home->key_path, after, sizeof after);
    assert_int_equal(strcmp(before, after) == 0, status != KR_OK);
  }
  kr_keyring_free(fresh);
}

/* The text of a key file, with all its keys, is in locked memory: a pool with no room for it says
 * so. */
static void test_text_is_locked(void **state) {
  test_home *home = *state;
  KR_CLEANUP(kr_secure_freep) kr_secure *small = NULL;
  KR_CLEANUP(kr_keyedit_done) kr_keyedit edit = {.directory = -1};
  KR_CLEANUP(kr_keyring_freep) kr_keyring *fresh = make(home);
  assert_int_equal(kr_secure_new(3 * 4096, &small, &home->error), KR_OK);
  assert_int_equal(kr_keyedit_begin(kr_str_cstr(home->key_path), &edit, &home->error), KR_OK);
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keyring = NULL;
  /* Room for one text at a time: enough to load the keys, not to put one in or take one out. */
  assert_int_equal(kr_keyring_load(kr_str_cstr(home->key_path), small, &keyring, &home->error),
                   KR_OK);
  assert_int_equal(kr_keyedit_add(&edit, fresh, small, &home->error), KR_NOMEM);
  assert_int_equal(kr_keyedit_remove(&edit, kr_keyring_id(keyring, 0), small, &home->error),
                   KR_NOMEM);
  assert_int_equal(kr_keyedit_add(&edit, fresh, home->pool, &home->error), KR_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      HOME_TEST(test_text_is_locked),
      HOME_TEST(test_rewraps),
      HOME_TEST(test_failed_commit),
      HOME_TEST(test_failed_allocations),
      HOME_TEST(test_every_step_opens),
      HOME_TEST(test_the_rest_stays),
      HOME_TEST(test_links_modes_and_remains),
      HOME_TEST(test_neighbours_stay),
      HOME_TEST(test_full),
      HOME_TEST(test_edits_short_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
