/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lmdb_damage.c - data files that are cut, flipped or something else: an
 * error at opening, and never a signal. Each is opened in a child process.
 */
#define _GNU_SOURCE
#include "store/conformance.h"
#include "store/lmdb_support.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE_BYTES 4096u

static char path[600];
static char data[700];

static int set_up(void **state) {
  (void)state;
  (void)snprintf(path, sizeof path, "%s", place_of("damage"));
  (void)snprintf(data, sizeof data, "%s/data.mdb", path);
  kr_store *store = create_at(path);
  for (unsigned i = 0; i < 40; i++) {
    char key[16];
    static uint8_t value[3000];
    int len = snprintf(key, sizeof key, "key %u", i % 20);
    memset(value, (int)i, sizeof value);
    store_put_one(store, kr_str_from(key, (size_t)len), kr_str_from(value, 100 * i % 3000));
  }
  kr_store_close(store);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  place_clear(path);
  return 0;
}

/* Open and read everything. Exit status: that of the first failure, 0 when all was read. */
static int read_all(void *argument) {
  (void)argument;
  kr_store *store = NULL;
  kr_store_txn *txn = NULL;
  kr_store_cursor *cursor = NULL;
  kr_str key = {NULL, 0};
  kr_str value = {NULL, 0};
  kr_error error = {.status = KR_OK};
  kr_status status = open_at(path, &(kr_store_lmdb_options){.is_create = false}, &store, &error);
  if (status != KR_OK)
    return error.hint[0] == '\0' ? 99 : (int)status;
  if (kr_store_begin(store, KR_STORE_READ, &txn, NULL) != KR_OK ||
      kr_store_scan(txn, KR_STR(""), KR_STR(""), false, &cursor, NULL) != KR_OK)
    return 98;
  unsigned sum = 0;
  do {
    status = kr_store_next(cursor, &key, &value, NULL);
    for (size_t i = 0; status == KR_OK && i < value.len; i++)
      sum += value.ptr[i];
  } while (status == KR_OK);
  kr_store_scan_end(cursor);
  kr_store_abort(txn);
  kr_store_close(store);
  return status == KR_NOT_FOUND && sum > 0 ? 0 : (int)status;
}

static void cut_every_512_bytes(void **state) {
  (void)state;
  size_t len = 0;
  uint8_t *bytes = file_bytes(data, &len);
  assert_true(len > 8 * PAGE_BYTES);
  size_t n_opened = 0;
  for (size_t cut = 0; cut < len; cut += 512) {
    file_write(data, bytes, cut);
    int result = in_child(read_all, NULL);
    if (result != 0 && result != KR_CORRUPT)
      fail_msg("cut at %zu of %zu: %d", cut, len, result);
    n_opened += result == 0;
  }
  /* Free pages at the end may be missing without harm; everything before may not. */
  assert_true(n_opened <= 4 * PAGE_BYTES / 512);
  file_write(data, bytes, len);
  assert_int_equal(in_child(read_all, NULL), 0);
  free(bytes);
}

/* Every bit of both headers, as far as LMDB reads them. */
static void flipped_headers(void **state) {
  (void)state;
  size_t len = 0;
  uint8_t *bytes = file_bytes(data, &len);
  unsigned n_refused = 0;
  for (unsigned page = 0; page < 2; page++) {
    for (size_t bit = 0; bit < (size_t)152 * 8; bit += 3) {
      bytes[page * PAGE_BYTES + bit / 8] ^= (uint8_t)(1u << (bit % 8));
      file_write(data, bytes, len);
      int result = in_child(read_all, NULL);
      if (result < 0)
        fail_msg("page %u, bit %zu: signal %d", page, bit, -result);
      n_refused += result != 0;
      bytes[page * PAGE_BYTES + bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
  }
  assert_true(n_refused > 100);
  free(bytes);
}

typedef struct header_row {
  const char *name;
  size_t offset; /* into both header pages */
  uint64_t number;
  size_t len;
  int expected;
} header_row;

static const header_row header_rows[] = {
    {"header: magic", 16, 0x12345678, 4, KR_CORRUPT},
    {"header: magic of the other byte order", 16, 0xDEC0EFBE, 4, KR_UNSUPPORTED},
    {"header: version 2", 20, 2, 4, KR_UNSUPPORTED},
    {"header: version 999 (development)", 20, 999, 4, KR_UNSUPPORTED},
    {"header: page size 0", 40, 0, 4, KR_CORRUPT},
    {"header: page size 1", 40, 1, 4, KR_CORRUPT},
    {"header: page size 4095", 40, 4095, 4, KR_CORRUPT},
    {"header: page size 2^31", 40, 0x80000000, 4, KR_CORRUPT},
    {"header: last page 0", 136, 0, 8, KR_CORRUPT},
    {"header: last page 2^63", 136, UINT64_C(1) << 63, 8, KR_CORRUPT},
    {"header: last page 2^40", 136, UINT64_C(1) << 40, 8, KR_CORRUPT},
    {"header: last page of a larger file", 136, 100000, 8, KR_CORRUPT},
    {"header: root beyond the last page", 128, 1 << 20, 8, KR_CORRUPT},
    {"header: root of the free list beyond the last page", 80, 1 << 20, 8, KR_CORRUPT},
    {"header: free list 60000 levels deep", 46, 60000, 2, KR_CORRUPT},
    {"header: sorted duplicates", 92, 4, 2, KR_UNSUPPORTED},
    {"header: fixed address", 44, 9, 2, KR_UNSUPPORTED},
    {"header: page flags", 10, 1, 2, KR_CORRUPT},
};

static void run_header_row(void **state) {
  const header_row *row = *state;
  (void)set_up(NULL);
  size_t len = 0;
  uint8_t *bytes = file_bytes(data, &len);
  memcpy(bytes + row->offset, &row->number, row->len);
  memcpy(bytes + PAGE_BYTES + row->offset, &row->number, row->len);
  file_write(data, bytes, len);
  assert_int_equal(in_child(read_all, NULL), row->expected);
  free(bytes);
  (void)tear_down(NULL);
}

static void other_files(void **state) {
  (void)state;
  static uint8_t bytes[3 * PAGE_BYTES];
  static const struct {
    const char *text;
    size_t len;
  } rows[] = {{"", 0},
              {"x", 1},
              {"SQLite format 3", 100},
              {"SQLite format 3", sizeof bytes},
              {"\x7F"
               "ELF",
               sizeof bytes},
              {"", sizeof bytes}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, rows[i].text, strlen(rows[i].text));
    file_write(data, bytes, rows[i].len);
    assert_int_equal(in_child(read_all, NULL), KR_CORRUPT);
  }
  uint32_t random = 3;
  for (unsigned round = 0; round < 50; round++) {
    for (size_t i = 0; i < sizeof bytes; i++) {
      random = random * 1664525u + 1013904223u;
      bytes[i] = (uint8_t)(random >> 24);
    }
    file_write(data, bytes, sizeof bytes);
    assert_int_equal(in_child(read_all, NULL), KR_CORRUPT);
  }
}

static void damaged_lock_file(void **state) {
  (void)state;
  char lock[700];
  (void)snprintf(lock, sizeof lock, "%s/lock.mdb", path);
  size_t len = 0;
  uint8_t *bytes = file_bytes(lock, &len);
  for (size_t cut = 0; cut <= len; cut += len / 8) {
    file_write(lock, bytes, cut);
    assert_int_equal(in_child(read_all, NULL), 0);
  }
  memset(bytes, 0xA5, len);
  file_write(lock, bytes, len);
  /* Nobody else has it open: LMDB makes it anew. */
  assert_int_equal(in_child(read_all, NULL), 0);
  assert_int_equal(unlink(lock), 0);
  assert_int_equal(in_child(read_all, NULL), 0);
  free(bytes);
}

/*
 * A transaction that takes pages at the end and gives them back before its end
 * leaves a header that counts pages which were never written: sound, and must
 * open. The same file with one page less, or with the list of free pages
 * emptied, must not.
 */
static void unwritten_pages_at_the_end(void **state) {
  (void)state;
  static const uint8_t value[40000];
  kr_store *store = reopen_at(path);
  size_t n_short = 0;
  for (unsigned round = 0; round < 6; round++) {
    kr_store_txn *txn = NULL;
    assert_int_equal(kr_store_begin(store, KR_STORE_WRITE, &txn, NULL), KR_OK);
    assert_int_equal(kr_store_remove(txn, KR_STR("key 3"), NULL),
                     round == 0 ? KR_OK : KR_NOT_FOUND);
    assert_int_equal(
        kr_store_put(txn, KR_STR("passing"), kr_str_from(value, 20000 * (round + 1) % 40000), NULL),
        KR_OK);
    assert_int_equal(kr_store_put(txn, KR_STR("passing"), kr_str_from(value, sizeof value), NULL),
                     KR_OK);
    assert_int_equal(kr_store_remove(txn, KR_STR("passing"), NULL), KR_OK);
    assert_int_equal(kr_store_put(txn, KR_STR("kept"), KR_STR("v"), NULL), KR_OK);
    assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
    kr_store_close(store);
    size_t len = 0;
    uint8_t *bytes = file_bytes(data, &len);
    uint64_t last[2];
    memcpy(&last[0], bytes + 136, 8);
    memcpy(&last[1], bytes + PAGE_BYTES + 136, 8);
    uint64_t last_page = last[0] > last[1] ? last[0] : last[1];
    n_short += (last_page + 1) * PAGE_BYTES > len;
    free(bytes);
    assert_int_equal(in_child(read_all, NULL), 0);
    store = reopen_at(path);
    assert_true(store_has(store, KR_STR("kept"), KR_STR("v")));
  }
  kr_store_close(store);
  assert_true(n_short > 0);
}

int main(void) {
#define WITH_FILES(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
  enum { N_ROWS = sizeof header_rows / sizeof header_rows[0], N_OTHERS = 5 };
  struct CMUnitTest tests[N_OTHERS + N_ROWS] = {
      WITH_FILES(cut_every_512_bytes),
      WITH_FILES(flipped_headers),
      WITH_FILES(other_files),
      WITH_FILES(damaged_lock_file),
      WITH_FILES(unwritten_pages_at_the_end),
  };
  for (size_t i = 0; i < N_ROWS; i++)
    tests[N_OTHERS + i] = (struct CMUnitTest){.name = header_rows[i].name,
                                              .test_func = run_header_row,
                                              .initial_state = (void *)(uintptr_t)&header_rows[i]};
  int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
  place_remove();
  return n_failed;
}
