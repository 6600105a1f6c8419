/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lmdb_faults.c - a full disk, a failing one, and failing allocations.
 * LMDB's calls of the system go through functions of this program (a program's
 * symbols come before those of libc), which fail on request.
 */
#define _GNU_SOURCE
#include "store/conformance.h"
#include "store/lmdb_support.h"
#include "support/failalloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#define EXPORTED __attribute__((visibility("default")))

static int fail_sync_with;
static int fail_write_with;
static unsigned n_faults;

EXPORTED int fdatasync(int fd) {
  if (fail_sync_with != 0) {
    n_faults++;
    errno = fail_sync_with;
    return -1;
  }
  return fsync(fd);
}

/* By its plain name, which LMDB uses: the headers call ours pwrite64. */
EXPORTED ssize_t faulty_pwrite(int fd, const void *bytes, size_t len,
                               off_t offset) __asm__("pwrite");

EXPORTED ssize_t faulty_pwrite(int fd, const void *bytes, size_t len, off_t offset) {
  if (fail_write_with != 0) {
    n_faults++;
    errno = fail_write_with;
    return -1;
  }
  return pwrite(fd, bytes, len, offset);
}

EXPORTED ssize_t writev(int fd, const struct iovec *parts, int n) {
  static ssize_t (*real)(int, const struct iovec *, int);
  if (fail_write_with != 0) {
    n_faults++;
    errno = fail_write_with;
    return -1;
  }
  if (real == NULL)
    *(void **)&real = dlsym(RTLD_NEXT, "writev");
  return real(fd, parts, n);
}

static kr_status try_put(kr_store *store, kr_str key, kr_str value, kr_error *error) {
  kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(store, KR_STORE_WRITE, &txn, error));
  kr_status status = kr_store_put(txn, key, value, error);
  if (status != KR_OK) {
    kr_store_abort(txn);
    return status;
  }
  return kr_store_commit(txn, error);
}

static kr_store *prepared(const char *path) {
  kr_store *store = create_at(path);
  store_put_one(store, KR_STR("before"), KR_STR("1"));
  n_faults = 0;
  return store;
}

/* Room ran out: refused, readable, and going on as soon as there is room. */
static void no_room_then_room(void **state) {
  (void)state;
  static const int codes[] = {ENOSPC, EDQUOT, EFBIG};
  const char *path = place_of("room");
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    kr_store *store = prepared(path);
    kr_error error = {.status = KR_OK};
    fail_write_with = codes[i];
    kr_status status = try_put(store, KR_STR("k"), KR_STR("v"), &error);
    fail_write_with = 0;
    assert_true(n_faults > 0);
    assert_int_equal(status, KR_IO);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.hint, "free some space"));
    assert_true(store_has(store, KR_STR("before"), KR_STR("1")));
    assert_false(store_has(store, KR_STR("k"), KR_STR("v")));
    assert_int_equal(try_put(store, KR_STR("k"), KR_STR("v"), NULL), KR_OK);
    kr_store_close(store);
    store = reopen_at(path);
    assert_true(store_has(store, KR_STR("k"), KR_STR("v")));
    kr_store_close(store);
    place_clear(path);
  }
}

/* The disk fails: writing stops until the store is opened again; reading goes on. */
static void failed_sync_stops_writing(void **state) {
  (void)state;
  static const struct {
    int *fault;
    int code;
  } rows[] = {{&fail_sync_with, EIO}, {&fail_write_with, EIO}, {&fail_sync_with, EROFS}};
  const char *path = place_of("sync");
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    kr_store *store = prepared(path);
    kr_error error = {.status = KR_OK};
    *rows[i].fault = rows[i].code;
    kr_status status = try_put(store, KR_STR("k"), KR_STR("v"), &error);
    *rows[i].fault = 0;
    assert_true(n_faults > 0);
    assert_int_equal(status, KR_IO);
    assert_int_equal(try_put(store, KR_STR("l"), KR_STR("v"), &error), KR_IO);
    assert_non_null(strstr(error.message, "has stopped"));
    assert_non_null(strstr(error.hint, "open the store again"));
    assert_true(store_has(store, KR_STR("before"), KR_STR("1")));
    assert_false(store_has(store, KR_STR("k"), KR_STR("v")));
    kr_store_close(store);
    store = reopen_at(path);
    assert_int_equal(try_put(store, KR_STR("l"), KR_STR("v"), NULL), KR_OK);
    assert_true(store_has(store, KR_STR("before"), KR_STR("1")));
    kr_store_close(store);
    place_clear(path);
  }
}

/* The kernel's own limit, which cuts a write short before it refuses one. */
static int fill_to_the_limit(void *argument) {
  const char *path = argument;
  static const uint8_t value[30000];
  (void)signal(SIGXFSZ, SIG_IGN);
  kr_store *store = prepared(path);
  const struct rlimit low = {.rlim_cur = 300000, .rlim_max = RLIM_INFINITY};
  const struct rlimit high = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  if (setrlimit(RLIMIT_FSIZE, &low) != 0)
    return 1;
  kr_error error = {.status = KR_OK};
  kr_status status = KR_OK;
  unsigned n_put = 0;
  for (; n_put < 50 && status == KR_OK; n_put++)
    status =
        try_put(store, kr_str_from(&n_put, sizeof n_put), kr_str_from(value, sizeof value), &error);
  if (status != KR_IO || strstr(error.hint, "free some space") == NULL || n_put < 3)
    return 2;
  for (unsigned i = 0; i < n_put - 1; i++)
    if (!store_has(store, kr_str_from(&i, sizeof i), kr_str_from(value, sizeof value)))
      return 3;
  if (!store_has(store, KR_STR("before"), KR_STR("1")))
    return 4;
  if (setrlimit(RLIMIT_FSIZE, &high) != 0 ||
      try_put(store, KR_STR("after"), kr_str_from(value, sizeof value), NULL) != KR_OK)
    return 5;
  kr_store_close(store);
  store = reopen_at(path);
  bool is_whole = store_has(store, KR_STR("before"), KR_STR("1")) &&
                  store_has(store, KR_STR("after"), kr_str_from(value, sizeof value));
  kr_store_close(store);
  return is_whole ? 0 : 6;
}

static void file_size_limit(void **state) {
  (void)state;
  char path[600];
  (void)snprintf(path, sizeof path, "%s", place_of("limit"));
  assert_int_equal(in_child(fill_to_the_limit, path), 0);
  place_clear(path);
}

static void creating_fails_cleanly(void **state) {
  (void)state;
  const char *path = place_of("creating");
  kr_store *store = NULL;
  kr_error error = {.status = KR_OK};
  const kr_store_lmdb_options as_new = {.is_create = true};
  fail_write_with = ENOSPC;
  kr_status status = open_at(path, &as_new, &store, &error);
  fail_write_with = 0;
  assert_int_equal(status, KR_IO);
  assert_int_equal(access(path, F_OK), -1);
  fail_sync_with = EIO;
  status = open_at(path, &as_new, &store, &error);
  fail_sync_with = 0;
  assert_int_equal(status, KR_IO);
  assert_int_equal(access(path, F_OK), -1);
  kr_store_close(create_at(path));
  place_clear(path);
}

static kr_status journey(const char *path, kr_error *error) {
  kr_store *store = NULL;
  kr_store_txn *txn = NULL;
  kr_store_cursor *cursor = NULL;
  KR_TRY(open_at(path, &(kr_store_lmdb_options){.is_create = false}, &store, error));
  kr_status status = try_put(store, KR_STR("k"), KR_STR("v"), error);
  if (status == KR_OK)
    status = kr_store_begin(store, KR_STORE_READ, &txn, error);
  if (status == KR_OK)
    status = kr_store_scan(txn, KR_STR(""), KR_STR(""), true, &cursor, error);
  kr_store_scan_end(cursor);
  kr_store_abort(txn);
  kr_store_close(store);
  return status;
}

static void allocations_fail(void **state) {
  (void)state;
  const char *path = place_of("memory");
  kr_store_close(prepared(path));
  size_t n = 0;
  for (; n < 100; n++) {
    kr_error error = {.status = KR_OK};
    kr_test_fail_at(n);
    kr_status status = journey(path, &error);
    if (kr_test_fail_stop() == 0)
      break;
    assert_int_equal(status, KR_NOMEM);
    assert_int_equal(error.status, KR_NOMEM);
  }
  assert_in_range(n, 4, 99);
  place_clear(path);
}

/* The map is full and cannot grow: an error that does not say "repeat". */
static void no_address_space(void **state) {
  (void)state;
  const char *path = place_of("address");
  place_clear(path);
  static const uint8_t value[200000];
  kr_store *store = NULL;
  const kr_store_lmdb_options tiny = {.is_create = true, .map_bytes = 1};
  assert_int_equal(open_at(path, &tiny, &store, NULL), KR_OK);
  store_put_one(store, KR_STR("before"), KR_STR("1"));
  kr_str large = kr_str_from(value, sizeof value);
  assert_int_equal(try_put(store, KR_STR("k"), large, NULL), KR_LIMIT);
  kr_store_txn *txn = NULL;
  kr_test_fail_at(1); /* 0: the transaction; 1: the probe for address space */
  assert_int_equal(kr_store_begin(store, KR_STORE_WRITE, &txn, NULL), KR_OK);
  assert_int_equal(kr_test_fail_stop(), 1);
  kr_error error = {.status = KR_OK};
  assert_int_equal(kr_store_put(txn, KR_STR("k"), large, &error), KR_NOMEM);
  assert_non_null(strstr(error.hint, "address space"));
  assert_int_equal(kr_store_commit(txn, NULL), KR_NOMEM);
  assert_true(store_has(store, KR_STR("before"), KR_STR("1")));
  assert_int_equal(try_put(store, KR_STR("k"), large, NULL), KR_OK);
  assert_true(store_has(store, KR_STR("k"), large));
  kr_store_close(store);
  place_clear(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_room_then_room), cmocka_unit_test(failed_sync_stops_writing),
      cmocka_unit_test(file_size_limit),   cmocka_unit_test(creating_fails_cleanly),
      cmocka_unit_test(allocations_fail),  cmocka_unit_test(no_address_space),
  };
  int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
  place_remove();
  return n_failed;
}
