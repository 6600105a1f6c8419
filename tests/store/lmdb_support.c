/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_support.c - see the header. */
#define _GNU_SOURCE
#include "store/lmdb_support.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char place_path[256];

const char *place(void) {
  if (place_path[0] == '\0') {
    const char *above = getenv("TMPDIR");
    (void)snprintf(place_path, sizeof place_path, "%s/krosyn-store-XXXXXX",
                   above == NULL ? "/tmp" : above);
    assert_non_null(mkdtemp(place_path));
  }
  return place_path;
}

const char *place_of(const char *name) {
  static char paths[4][512];
  static unsigned next;
  char *path = paths[next++ % 4];
  (void)snprintf(path, sizeof paths[0], "%s/%s", place(), name);
  return path;
}

void place_clear(const char *path) {
  char file[600];
  static const char *const names[] = {"data.mdb", "lock.mdb", "exchange.flag", "other"};
  (void)chmod(path, 0700);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    (void)snprintf(file, sizeof file, "%s/%s", path, names[i]);
    (void)unlink(file);
  }
  (void)rmdir(path);
}

void place_remove(void) {
  if (place_path[0] != '\0')
    assert_int_equal(rmdir(place_path), 0);
  place_path[0] = '\0';
}

kr_status open_at(const char *path, const kr_store_lmdb_options *options, kr_store **ret_store,
                  kr_error *error) {
  return kr_store_lmdb_open(kr_str_cstr(path), options, ret_store, error);
}

kr_store *create_at(const char *path) {
  kr_store *store = NULL;
  kr_error error = {.message = ""};
  place_clear(path);
  if (open_at(path, &(kr_store_lmdb_options){.is_create = true}, &store, &error) != KR_OK)
    fail_msg("%s", error.message);
  return store;
}

kr_store *reopen_at(const char *path) {
  kr_store *store = NULL;
  kr_error error = {.message = ""};
  if (open_at(path, &(kr_store_lmdb_options){.is_create = false}, &store, &error) != KR_OK)
    fail_msg("%s", error.message);
  return store;
}

int child_result(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    assert_int_equal(errno, EINTR);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int in_child(int (*work)(void *argument), void *argument) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0)
    _exit(work(argument));
  return child_result(pid);
}

uint8_t *file_bytes(const char *path, size_t *ret_len) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat info;
  assert_true(fd >= 0 && fstat(fd, &info) == 0);
  uint8_t *bytes = malloc((size_t)info.st_size + 1);
  assert_non_null(bytes);
  assert_int_equal(read(fd, bytes, (size_t)info.st_size), info.st_size);
  (void)close(fd);
  *ret_len = (size_t)info.st_size;
  return bytes;
}

void file_write(const char *path, const void *bytes, size_t len) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, len), len);
  (void)close(fd);
}
