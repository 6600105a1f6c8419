/* SPDX-License-Identifier: Apache-2.0 */
/* test_keyring.c - key files: each way one can be wrong, and the wrong key for a vault. */
#define _GNU_SOURCE
#include "vault/support.h"

#include "base/encode.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* 64 bytes of base64, of different bytes. */
#define KEY_A                                                                                      \
  "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ=="
#define KEY_B                                                                                      \
  "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQg=="

static void write_file(const char *path, kr_str text, mode_t mode) {
  (void)unlink(path);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text.ptr, text.len), (ssize_t)text.len);
  assert_int_equal(fchmod(fd, mode), 0);
  assert_int_equal(close(fd), 0);
}

typedef struct file_row {
  const char *name;
  const char *text;
  mode_t mode;
  kr_status status;
  const char *message; /* must be in it */
  size_t n_keys;
} file_row;

static const file_row rows[] = {
    {"one key", "k-1 " KEY_A "\n", 0600, KR_OK, "", 1},
    {"read-only", "k-1 " KEY_A "\n", 0400, KR_OK, "", 1},
    {"no final newline", "k-1 " KEY_A, 0600, KR_OK, "", 1},
    {"CRLF, comment, blank line, tab", "# x\r\n\r\nk-1\t" KEY_A "\r\n", 0600, KR_OK, "", 1},
    {"two keys", "k-1 " KEY_A "\nk-2 " KEY_B "\n", 0600, KR_OK, "", 2},
    {"mode 0640", "k-1 " KEY_A "\n", 0640, KR_UNTRUSTED, "0640", 0},
    {"mode 0604", "k-1 " KEY_A "\n", 0604, KR_UNTRUSTED, "0604", 0},
    {"mode 0620", "k-1 " KEY_A "\n", 0620, KR_UNTRUSTED, "0620", 0},
    {"empty", "", 0600, KR_UNTRUSTED, "holds no key", 0},
    {"comments only", "# nothing\n", 0600, KR_UNTRUSTED, "holds no key", 0},
    {"no key after id", "k-1\n", 0600, KR_UNTRUSTED, "line 1", 0},
    {"short key", "# c\nk-1 QUFB\n", 0600, KR_UNTRUSTED, "line 2", 0},
    {"87 characters", "k-1 " KEY_A "=\n", 0600, KR_UNTRUSTED, "line 1", 0},
    {"not base64",
     "k-1 "
     "!UFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ=="
     "\n",
     0600, KR_UNTRUSTED, "line 1", 0},
    {"same id twice", "k-1 " KEY_A "\nk-1 " KEY_B "\n", 0600, KR_UNTRUSTED, "line 2", 0},
    {"bad id", "k/1 " KEY_A "\n", 0600, KR_UNTRUSTED, "line 1", 0},
    {"id too long", "k23456789012345678901234567890123 " KEY_A "\n", 0600, KR_UNTRUSTED, "line 1",
     0},
    {"more words", "k-1 " KEY_A " x\n", 0600, KR_UNTRUSTED, "line 1", 0},
};

/* A pool and an empty directory. */
typedef struct place {
  char dir[64];
  char path[128];
  kr_secure *pool;
  kr_error error;
} place;

static place place_new(void) {
  place at = {.pool = NULL};
  (void)snprintf(at.dir, sizeof at.dir, "/tmp/krosyn-key-XXXXXX");
  assert_non_null(mkdtemp(at.dir));
  (void)snprintf(at.path, sizeof at.path, "%s/x.key", at.dir);
  assert_int_equal(kr_secure_new(64u * 1024u, &at.pool, &at.error), KR_OK);
  return at;
}

static void place_done(place *at) {
  assert_int_equal(kr_secure_used(at->pool), 0);
  kr_secure_free(at->pool);
  (void)unlink(at->path);
  (void)rmdir(at->path);
  assert_int_equal(rmdir(at->dir), 0);
}

static kr_status load(place *at, kr_keyring **ret_keyring) {
  at->error = (kr_error){.status = KR_OK};
  return kr_keyring_load(kr_str_cstr(at->path), at->pool, ret_keyring, &at->error);
}

static void run_row(void **state) {
  const file_row *row = *state;
  place at = place_new();
  kr_keyring *keyring = NULL;
  write_file(at.path, kr_str_cstr(row->text), row->mode);
  kr_status status = load(&at, &keyring);
  assert_int_equal(status, row->status);
  assert_non_null(strstr(at.error.message, row->message));
  assert_null(strstr(at.error.message, "QUFB"));
  assert_null(strstr(at.error.hint, "QUFB"));
  if (status != KR_OK)
    assert_true(at.error.hint[0] != '\0');
  if (status == KR_OK) {
    assert_int_equal(kr_keyring_count(keyring), row->n_keys);
    assert_true(kr_str_equal(kr_keyring_id(keyring, 0), KR_STR("k-1")));
    kr_str key = kr_secret_reveal(kr_keyring_key(keyring, 0));
    assert_int_equal(key.len, KR_KEY_BYTES);
    assert_int_equal(key.ptr[0], 'A');
    assert_int_equal(key.ptr[KR_KEY_BYTES - 1], 'A');
    assert_null(kr_keyring_find(keyring, KR_STR("k-9")));
  }
  kr_keyring_free(keyring);
  place_done(&at);
}

static void test_missing(void **state) {
  (void)state;
  place at = place_new();
  kr_keyring *keyring = NULL;
  assert_int_equal(load(&at, &keyring), KR_UNTRUSTED);
  assert_non_null(strstr(at.error.message, "no key file"));
  place_done(&at);
}

static void test_directory_and_pipe(void **state) {
  (void)state;
  place at = place_new();
  kr_keyring *keyring = NULL;
  assert_int_equal(mkdir(at.path, 0700), 0);
  assert_int_equal(load(&at, &keyring), KR_UNTRUSTED);
  assert_non_null(strstr(at.error.message, "not a regular file"));
  assert_int_equal(rmdir(at.path), 0);
  assert_int_equal(mkfifo(at.path, 0600), 0); /* must not wait for a writer */
  assert_int_equal(load(&at, &keyring), KR_UNTRUSTED);
  assert_non_null(strstr(at.error.message, "not a regular file"));
  place_done(&at);
}

/* A link is followed; what counts is the file it leads to. */
static void test_symlink(void **state) {
  (void)state;
  place at = place_new();
  kr_keyring *keyring = NULL;
  char target[160];
  (void)snprintf(target, sizeof target, "%s/target", at.dir);
  write_file(target, kr_str_cstr("k-1 " KEY_A "\n"), 0600);
  assert_int_equal(symlink(target, at.path), 0);
  assert_int_equal(load(&at, &keyring), KR_OK);
  kr_keyring_free(keyring);
  keyring = NULL;
  assert_int_equal(chmod(target, 0644), 0);
  assert_int_equal(load(&at, &keyring), KR_UNTRUSTED);
  /* Creation never writes through a link, not even one that leads nowhere. */
  assert_int_equal(unlink(target), 0);
  assert_int_equal(kr_keyring_create(kr_str_cstr(at.path), at.pool, &keyring, &at.error),
                   KR_EXISTS);
  assert_int_not_equal(access(target, F_OK), 0);
  place_done(&at);
}

static void test_other_owner(void **state) {
  (void)state;
  if (geteuid() != 0)
    skip();
  place at = place_new();
  kr_keyring *keyring = NULL;
  write_file(at.path, kr_str_cstr("k-1 " KEY_A "\n"), 0600);
  assert_int_equal(chown(at.path, 12345, 12345), 0);
  assert_int_equal(load(&at, &keyring), KR_UNTRUSTED);
  assert_non_null(strstr(at.error.message, "12345"));
  place_done(&at);
}

static void test_limits(void **state) {
  (void)state;
  place at = place_new();
  kr_keyring *keyring = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(64u * 1024u, NULL);
  for (unsigned i = 0; i < KR_KEYRING_MAX; i++)
    assert_int_equal(kr_buf_printf(&text, "k-%u " KEY_A "\n", i), KR_OK);
  write_file(at.path, kr_buf_str(&text), 0600);
  assert_int_equal(load(&at, &keyring), KR_OK);
  assert_int_equal(kr_keyring_count(keyring), KR_KEYRING_MAX);
  kr_keyring_free(keyring);
  keyring = NULL;
  assert_int_equal(kr_buf_printf(&text, "k-more " KEY_A "\n"), KR_OK);
  write_file(at.path, kr_buf_str(&text), 0600);
  assert_int_equal(load(&at, &keyring), KR_UNTRUSTED);
  kr_buf_reset(&text);
  assert_int_equal(kr_buf_append(&text, KR_STR("k-1 " KEY_A "\n#")), KR_OK);
  while (text.len < KR_KEYFILE_MAX_BYTES)
    assert_int_equal(kr_buf_byte(&text, 'x'), KR_OK);
  write_file(at.path, kr_buf_str(&text), 0600);
  assert_int_equal(load(&at, &keyring), KR_OK);
  kr_keyring_free(keyring);
  keyring = NULL;
  assert_int_equal(kr_buf_byte(&text, 'x'), KR_OK);
  write_file(at.path, kr_buf_str(&text), 0600);
  assert_int_equal(load(&at, &keyring), KR_UNTRUSTED);
  assert_non_null(strstr(at.error.message, "longer than"));
  place_done(&at);
}

static void test_create(void **state) {
  (void)state;
  place at = place_new();
  kr_keyring *made = NULL;
  kr_keyring *loaded = NULL;
  char path[160];
  char inner[160];
  char outer[160];
  (void)snprintf(outer, sizeof outer, "%s/a", at.dir);
  (void)snprintf(inner, sizeof inner, "%s/a/b", at.dir);
  (void)snprintf(path, sizeof path, "%s/a/b/x.key", at.dir);
  assert_int_equal(kr_keyring_create(kr_str_cstr(path), at.pool, &made, &at.error), KR_OK);
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 07777, 0600);
  assert_int_equal(stat(inner, &info), 0);
  assert_int_equal(info.st_mode & 07777, 0700);
  assert_int_equal(kr_keyring_load(kr_str_cstr(path), at.pool, &loaded, &at.error), KR_OK);
  assert_true(kr_str_equal(kr_keyring_id(made, 0), kr_keyring_id(loaded, 0)));
  assert_true(kr_str_equal(kr_secret_reveal(kr_keyring_key(made, 0)),
                           kr_secret_reveal(kr_keyring_key(loaded, 0))));
  kr_keyring_free(loaded);
  loaded = NULL;
  assert_int_equal(kr_keyring_create(kr_str_cstr(path), at.pool, &loaded, &at.error), KR_EXISTS);
  assert_int_equal(kr_keyring_load(kr_str_cstr(path), at.pool, &loaded, &at.error), KR_OK);
  kr_keyring_free(loaded);
  kr_keyring_free(made);
  (void)unlink(path);
  (void)rmdir(inner);
  (void)rmdir(outer);
  place_done(&at);
}

/* ---- keys and vaults ---- */

static kr_status open_with(test_home *home, const char *text, kr_vault **ret_vault) {
  place at = place_new();
  kr_keyring *keyring = NULL;
  write_file(at.path, kr_str_cstr(text), 0600);
  assert_int_equal(kr_keyring_load(kr_str_cstr(at.path), home->pool, &keyring, &home->error),
                   KR_OK);
  kr_status status = kr_vault_open(home->store, keyring, home->pool, ret_vault, &home->error);
  kr_keyring_free(keyring);
  place_done(&at);
  return status;
}

static void test_other_id(void **state) {
  test_home *home = *state;
  kr_vault *vault = NULL;
  assert_int_equal(open_with(home, "k-mine " KEY_A "\nk-old " KEY_B "\n", &vault), KR_UNTRUSTED);
  assert_non_null(strstr(home->error.message, "have key k-mine, k-old, need key "));
  assert_non_null(strstr(home->error.message, (const char *)kr_keyring_id(home->keyring, 0).ptr));
}

static void test_same_id_other_key(void **state) {
  test_home *home = *state;
  kr_vault *vault = NULL;
  char text[256];
  (void)snprintf(text, sizeof text, "%s " KEY_A "\n",
                 (const char *)kr_keyring_id(home->keyring, 0).ptr);
  assert_int_equal(open_with(home, text, &vault), KR_UNTRUSTED);
  assert_non_null(strstr(home->error.message, "is not the key"));
}

/* The key stands second, after the next one: found by id. */
static void test_extra_keys(void **state) {
  test_home *home = *state;
  kr_vault *vault = NULL;
  char text[512];
  KR_CLEANUP(kr_buf_done) kr_buf key = KR_BUF_INIT(200, NULL);
  assert_int_equal(kr_base64_encode(kr_secret_reveal(kr_keyring_key(home->keyring, 0)),
                                    KR_BASE64_STANDARD, true, &key),
                   KR_OK);
  (void)snprintf(text, sizeof text, "k-next " KEY_A "\n%s %.*s\n",
                 (const char *)kr_keyring_id(home->keyring, 0).ptr, KR_FMT(kr_buf_str(&key)));
  assert_int_equal(open_with(home, text, &vault), KR_OK);
  kr_vault_free(vault);
}

static void test_no_vault_and_twice(void **state) {
  test_home *home = *state;
  static const uint8_t uuid[16] = {9};
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_vault_create(txn, home->keyring, home->pool, uuid, &home->error), KR_EXISTS);
  kr_store_abort(txn);
  kr_store *empty = NULL;
  kr_vault *vault = NULL;
  assert_int_equal(kr_store_memory_new(&empty, NULL), KR_OK);
  assert_int_equal(kr_vault_open(empty, home->keyring, home->pool, &vault, &home->error),
                   KR_NOT_FOUND);
  kr_store_close(empty);
}

/* The derived keys differ from each other, and from those of another vault. */
static void test_derived_keys(void **state) {
  test_home *home = *state;
  const kr_vault_keys *keys = &home->vault->keys;
  const kr_secret *all[] = {keys->wrap, keys->record, keys->chain, keys->sum};
  for (size_t i = 0; i < 4; i++)
    for (size_t j = i + 1; j < 4; j++)
      assert_false(kr_str_equal(kr_secret_reveal(all[i]), kr_secret_reveal(all[j])));
  uint8_t uuid[KR_VAULT_UUID_BYTES];
  kr_vault_uuid(home->vault, uuid);
  assert_int_equal(uuid[15], 16);
}

#define HOME_TEST(function)                                                                        \
  cmocka_unit_test_setup_teardown(function, test_home_setup, test_home_teardown)

static const struct CMUnitTest single_tests[] = {
    cmocka_unit_test(test_missing), cmocka_unit_test(test_directory_and_pipe),
    cmocka_unit_test(test_symlink), cmocka_unit_test(test_other_owner),
    cmocka_unit_test(test_limits),  cmocka_unit_test(test_create),
    HOME_TEST(test_other_id),       HOME_TEST(test_same_id_other_key),
    HOME_TEST(test_extra_keys),     HOME_TEST(test_no_vault_and_twice),
    HOME_TEST(test_derived_keys),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(void) {
  static struct CMUnitTest tests[COUNT(rows) + COUNT(single_tests)];
  size_t n = 0;
  for (size_t i = 0; i < COUNT(rows); i++)
    tests[n++] =
        (struct CMUnitTest){rows[i].name, run_row, NULL, NULL, (void *)(uintptr_t)&rows[i]};
  memcpy(tests + n, single_tests, sizeof single_tests);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
