/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_homes.c - where a home and its key may lie, however the paths are
 * written: links, "..", slashes, relative. What is refused changes nothing.
 * The folder of each test: empty/, full/file, target/, link -> target,
 * gone -> nowhere, keys/.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/fixture.h"

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct row {
  const char *name;
  const char *home;
  const char *key;
  kr_status status;
  const char *says;
} row;

static const row rows[] = {
    {"new", "new", "keys/k", KR_OK, NULL},
    {"new, parents missing", "a/b/new", "x/y/k", KR_OK, NULL},
    {"slashes at the end", "new///", "keys/k", KR_OK, NULL},
    {"dots inside", "./target/../new", "./keys/../keys/k", KR_OK, NULL},
    {"an empty directory", "empty", "keys/k", KR_OK, NULL},
    {"a link to an empty directory", "link", "keys/k", KR_OK, NULL},
    {"a directory in use", "full", "keys/k", KR_EXISTS, "is not empty"},
    {"a file", "full/file", "keys/k", KR_EXISTS, "is not a directory"},
    {"below a file", "full/file/new", "keys/k", KR_IO, "Not a directory"},
    {"a link to nowhere", "gone", "keys/k", KR_IO, NULL},
    {"a key that is there", "new", "full/file", KR_EXISTS, "exists already"},
    {"a key in the home", "new", "new/k", KR_UNTRUSTED, "inside the home"},
    {"a key deep in the home", "a/new", "a/new/k/k", KR_UNTRUSTED, "inside the home"},
    {"a key in the home, by dots", "empty", "keys/../empty/k", KR_UNTRUSTED, "inside the home"},
    {"a key in the home, by a link", "target", "link/k", KR_UNTRUSTED, "inside the home"},
    {"a key in the home, the home by a link", "link", "target/k", KR_UNTRUSTED, "inside the home"},
    {"a key whose place goes up from nowhere", "new", "no/../new/k", KR_INVALID, "goes up"},
    {"the home is /", "/", "keys/k", KR_UNTRUSTED, "inside the home"},
    {"a key beside the home, by prefix", "new", "new-keys/k", KR_OK, NULL},
    {"no path", "", "keys/k", KR_INVALID, "empty"},
};

static char folder[] = "/tmp/krosyn-homes-XXXXXX";
static char before[1024];

static void must(bool condition) { assert_true(condition); }

static int setup(void **state) {
  (void)state;
  memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
  if (mkdtemp(folder) == NULL || getcwd(before, sizeof before) == NULL || chdir(folder) != 0)
    return -1;
  must(mkdir("empty", 0755) == 0 && mkdir("full", 0755) == 0 && mkdir("target", 0700) == 0 &&
       mkdir("keys", 0700) == 0);
  must(symlink("target", "link") == 0 && symlink("nowhere/at/all", "gone") == 0);
  FILE *file = fopen("full/file", "w");
  must(file != NULL && fputs("precious", file) >= 0 && fclose(file) == 0);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  int moved = chdir(before);
  fixture_remove(folder);
  return moved;
}

static char listing[16384];

static int list_one(const char *path, const struct stat *info, int flag, struct FTW *walk) {
  (void)flag;
  (void)walk;
  size_t len = strlen(listing);
  (void)snprintf(listing + len, sizeof listing - len, "%s %o %lld\n", path, info->st_mode,
                 S_ISREG(info->st_mode) ? (long long)info->st_size : 0LL);
  return 0;
}

static char *list_folder(void) {
  listing[0] = '\0';
  must(nftw(".", list_one, 16, FTW_PHYS) == 0);
  return strdup(listing);
}

static void run_row(void **state) {
  const row *current = *state;
  (void)setup(NULL);
  char *old = list_folder();
  kr_error error = {0};
  kr_text path = {0};
  const kr_home_options options = {
      .home = current->home, .key_file = current->key, .actor = "test"};
  kr_status status = kr_home_create(&options, &path, &error);
  if (status != current->status)
    fail_msg("%s: %s", kr_status_name(status), error.message);
  if (status == KR_OK) {
    kr_engine *engine = NULL;
    struct stat info;
    must(stat(current->home, &info) == 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    /* Found again without naming the key, from another directory. */
    char home[1200];
    (void)snprintf(home, sizeof home, "%s/%s", folder, current->home);
    must(chdir("/") == 0);
    const kr_home_options plain = {.home = home, .actor = "test"};
    if (kr_engine_open(&plain, &engine, &error) != KR_OK)
      fail_msg("%s", error.message);
    kr_engine_close(engine);
  } else {
    if (current->says != NULL)
      assert_non_null(strstr(error.message, current->says));
    char *now = list_folder();
    assert_string_equal(now, old);
    free(now);
  }
  kr_text_done(&path);
  free(old);
  (void)teardown(NULL);
}

/* A key moved into the home later is refused when the home is opened, also through a link. */
static void test_open_with_key_inside(void **state) {
  (void)state;
  kr_error error = {0};
  kr_engine *engine = NULL;
  const kr_home_options create = {.home = "new", .key_file = "keys/k"};
  assert_int_equal(kr_home_create(&create, NULL, &error), KR_OK);
  must(rename("keys/k", "new/k") == 0 && symlink("../new/k", "keys/k") == 0);
  static const char *const keys[] = {"new/k", "keys/k", "keys/../new/k", NULL};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const kr_home_options options = {.home = "new", .key_file = keys[i]};
    assert_int_equal(kr_engine_open(&options, &engine, &error), KR_UNTRUSTED);
    assert_non_null(strstr(error.message, "inside the home"));
  }
}

/* What an init leaves that was killed: said so, never touched. */
static void test_remains(void **state) {
  (void)state;
  kr_error error = {0};
  must(mkdir("half", 0700) == 0 && mkdir("half/vault", 0700) == 0);
  const kr_home_options options = {.home = "half", .key_file = "keys/k"};
  assert_int_equal(kr_home_create(&options, NULL, &error), KR_EXISTS);
  assert_non_null(strstr(error.hint, "interrupted init"));
  must(access("half/vault", F_OK) == 0 && access("keys/k", F_OK) != 0);
}

#define N_ROWS (sizeof rows / sizeof rows[0])

int main(void) {
  struct CMUnitTest tests[N_ROWS];
  for (size_t i = 0; i < N_ROWS; i++)
    tests[i] = (struct CMUnitTest){
        .name = rows[i].name, .test_func = run_row, .initial_state = (void *)(uintptr_t)&rows[i]};
  const struct CMUnitTest others[] = {
      cmocka_unit_test_setup_teardown(test_open_with_key_inside, setup, teardown),
      cmocka_unit_test_setup_teardown(test_remains, setup, teardown)};
  int n_failed = cmocka_run_group_tests_name("homes", tests, NULL, NULL);
  return n_failed + cmocka_run_group_tests_name("more homes", others, NULL, NULL);
}
