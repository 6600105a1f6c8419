/* SPDX-License-Identifier: Apache-2.0 */
/* conformance.c - the suite itself; a differential test against a plain array ends it. */
#include "store/conformance.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const store_subject *subject;

static int make(void **state) {
  *state = subject->make();
  return *state == NULL ? -1 : 0;
}

static int dispose(void **state) {
  subject->dispose(*state);
  return 0;
}

static kr_store_txn *begin(kr_store *store, kr_store_mode mode) {
  kr_store_txn *txn = NULL;
  assert_int_equal(kr_store_begin(store, mode, &txn, NULL), KR_OK);
  return txn;
}

void store_put_one(kr_store *store, kr_str key, kr_str value) {
  kr_store_txn *txn = begin(store, KR_STORE_WRITE);
  assert_int_equal(kr_store_put(txn, key, value, NULL), KR_OK);
  assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
}

static bool txn_has(kr_store_txn *txn, kr_str key, kr_str value) {
  kr_str found = {NULL, 0};
  return kr_store_get(txn, key, &found, NULL) == KR_OK && kr_str_equal(found, value);
}

static bool txn_lacks(kr_store_txn *txn, kr_str key) {
  kr_str found = {NULL, 0};
  kr_error error = {.status = KR_OK};
  return kr_store_get(txn, key, &found, &error) == KR_NOT_FOUND && error.status == KR_OK;
}

bool store_has(kr_store *store, kr_str key, kr_str value) {
  kr_store_txn *txn = begin(store, KR_STORE_READ);
  bool has = txn_has(txn, key, value);
  kr_store_abort(txn);
  return has;
}

static bool store_lacks(kr_store *store, kr_str key) {
  kr_store_txn *txn = begin(store, KR_STORE_READ);
  bool lacks = txn_lacks(txn, key);
  kr_store_abort(txn);
  return lacks;
}

static void put_get_replace_remove(void **state) {
  kr_store *store = *state;
  assert_true(store_lacks(store, KR_STR("a")));
  store_put_one(store, KR_STR("a"), KR_STR("1"));
  assert_true(store_has(store, KR_STR("a"), KR_STR("1")));
  store_put_one(store, KR_STR("a"), KR_STR("two\0bytes"));
  assert_true(store_has(store, KR_STR("a"), KR_STR("two\0bytes")));
  store_put_one(store, KR_STR("empty"), KR_STR(""));
  assert_true(store_has(store, KR_STR("empty"), KR_STR("")));

  kr_store_txn *txn = begin(store, KR_STORE_WRITE);
  assert_int_equal(kr_store_remove(txn, KR_STR("a"), NULL), KR_OK);
  assert_true(txn_lacks(txn, KR_STR("a")));
  assert_int_equal(kr_store_remove(txn, KR_STR("a"), NULL), KR_NOT_FOUND);
  assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
  assert_true(store_lacks(store, KR_STR("a")));
  assert_true(store_has(store, KR_STR("empty"), KR_STR("")));
}

static void put_new_never_replaces(void **state) {
  kr_store *store = *state;
  kr_error error = {.status = KR_OK};
  kr_store_txn *txn = begin(store, KR_STORE_WRITE);
  assert_int_equal(kr_store_put_new(txn, KR_STR("k"), KR_STR("1"), NULL), KR_OK);
  assert_int_equal(kr_store_put_new(txn, KR_STR("k"), KR_STR("2"), &error), KR_EXISTS);
  assert_int_equal(error.status, KR_OK);
  /* An expected refusal does not spoil the transaction. */
  assert_int_equal(kr_store_put(txn, KR_STR("other"), KR_STR("3"), NULL), KR_OK);
  assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
  assert_true(store_has(store, KR_STR("k"), KR_STR("1")));
  assert_true(store_has(store, KR_STR("other"), KR_STR("3")));
}

static void abort_leaves_nothing(void **state) {
  kr_store *store = *state;
  store_put_one(store, KR_STR("kept"), KR_STR("1"));
  kr_store_txn *txn = begin(store, KR_STORE_WRITE);
  assert_int_equal(kr_store_put(txn, KR_STR("new"), KR_STR("2"), NULL), KR_OK);
  assert_int_equal(kr_store_put(txn, KR_STR("kept"), KR_STR("2"), NULL), KR_OK);
  assert_int_equal(kr_store_remove(txn, KR_STR("kept"), NULL), KR_OK);
  kr_store_abort(txn);
  assert_true(store_lacks(store, KR_STR("new")));
  assert_true(store_has(store, KR_STR("kept"), KR_STR("1")));
}

typedef struct write_job {
  kr_store *store;
  const char *value;
} write_job;

static void *write_in_thread(void *argument) {
  write_job *job = argument;
  kr_store_txn *txn = NULL;
  bool is_done = kr_store_begin(job->store, KR_STORE_WRITE, &txn, NULL) == KR_OK &&
                 kr_store_put(txn, KR_STR("k"), kr_str_cstr(job->value), NULL) == KR_OK &&
                 kr_store_put(txn, KR_STR("new"), KR_STR("x"), NULL) == KR_OK &&
                 kr_store_commit(txn, NULL) == KR_OK;
  return is_done ? job : NULL;
}

static void readers_see_their_snapshot(void **state) {
  kr_store *store = *state;
  store_put_one(store, KR_STR("k"), KR_STR("old"));
  kr_store_txn *reader = begin(store, KR_STORE_READ);
  kr_str before = {NULL, 0};
  assert_int_equal(kr_store_get(reader, KR_STR("k"), &before, NULL), KR_OK);
  write_job job = {.store = store, .value = "newer"};
  pthread_t thread;
  void *result = NULL;
  assert_int_equal(pthread_create(&thread, NULL, write_in_thread, &job), 0);
  assert_int_equal(pthread_join(thread, &result), 0);
  assert_ptr_equal(result, &job);
  assert_true(txn_has(reader, KR_STR("k"), KR_STR("old")));
  assert_true(txn_lacks(reader, KR_STR("new")));
  /* What was borrowed before the write is still there. */
  assert_true(kr_str_equal(before, KR_STR("old")));
  kr_store_abort(reader);
  assert_true(store_has(store, KR_STR("k"), KR_STR("newer")));
}

enum { N_THREADS = 4, N_ROUNDS = 50 };

static void *count_in_thread(void *argument) {
  kr_store *store = argument;
  for (unsigned i = 0; i < N_ROUNDS; i++) {
    kr_store_txn *txn = NULL;
    kr_str found = {NULL, 0};
    uint64_t count = 0;
    if (kr_store_begin(store, KR_STORE_WRITE, &txn, NULL) != KR_OK)
      return NULL;
    if (kr_store_get(txn, KR_STR("count"), &found, NULL) == KR_OK)
      memcpy(&count, found.ptr, sizeof count);
    count++;
    if (kr_store_put(txn, KR_STR("count"), kr_str_from(&count, sizeof count), NULL) != KR_OK ||
        kr_store_commit(txn, NULL) != KR_OK)
      return NULL;
  }
  return store;
}

static void writers_take_turns(void **state) {
  kr_store *store = *state;
  pthread_t threads[N_THREADS];
  for (unsigned i = 0; i < N_THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, count_in_thread, store), 0);
  for (unsigned i = 0; i < N_THREADS; i++) {
    void *result = NULL;
    assert_int_equal(pthread_join(threads[i], &result), 0);
    assert_ptr_equal(result, store);
  }
  uint64_t expected = N_THREADS * N_ROUNDS;
  assert_true(store_has(store, KR_STR("count"), kr_str_from(&expected, sizeof expected)));
}

/* KR_STR for tables that are static: a constant expression. */
#define BYTES(literal)                                                                             \
  { .ptr = (const uint8_t *)("" literal), .len = sizeof(literal) - 1 }

typedef struct scan_row {
  const char *name;
  kr_str prefix;
  kr_str from;
  bool is_reverse;
  const char *expected; /* values in the order met */
} scan_row;

/* Keys, by value: a="a", b="a\0", c="ab", d="ab\xFF", e="abc", f="b", g="\xFF", h="\xFF\xFF" */
static const struct {
  kr_str key;
  kr_str value;
} scan_records[] = {
    {BYTES("\xFF\xFF"), BYTES("h")}, {BYTES("ab"), BYTES("c")},   {BYTES("a"), BYTES("a")},
    {BYTES("abc"), BYTES("d")},      {BYTES("a\0"), BYTES("b")},  {BYTES("b"), BYTES("f")},
    {BYTES("ab\xFF"), BYTES("e")},   {BYTES("\xFF"), BYTES("g")},
};

static const scan_row scan_rows[] = {
    {"scan: all", BYTES(""), BYTES(""), false, "abcdefgh"},
    {"scan: all, reverse", BYTES(""), BYTES(""), true, "hgfedcba"},
    {"scan: prefix", BYTES("ab"), BYTES(""), false, "cde"},
    {"scan: prefix, reverse", BYTES("ab"), BYTES(""), true, "edc"},
    {"scan: prefix of one byte", BYTES("a"), BYTES(""), false, "abcde"},
    {"scan: prefix of one byte, reverse", BYTES("a"), BYTES(""), true, "edcba"},
    {"scan: prefix at the end of bytes", BYTES("\xFF"), BYTES(""), false, "gh"},
    {"scan: prefix at the end of bytes, reverse", BYTES("\xFF"), BYTES(""), true, "hg"},
    {"scan: prefix that carries, reverse", BYTES("ab\xFF"), BYTES(""), true, "e"},
    {"scan: prefix of nothing between keys", BYTES("aa"), BYTES(""), false, ""},
    {"scan: prefix of nothing, reverse", BYTES("aa"), BYTES(""), true, ""},
    {"scan: prefix above all", BYTES("\xFF\xFF\xFF"), BYTES(""), false, ""},
    {"scan: prefix above all, reverse", BYTES("\xFF\xFF\xFF"), BYTES(""), true, ""},
    {"scan: from a key", BYTES(""), BYTES("abc"), false, "defgh"},
    {"scan: from a key, reverse", BYTES(""), BYTES("abc"), true, "dcba"},
    {"scan: from between keys", BYTES(""), BYTES("aba"), false, "defgh"},
    {"scan: from between keys, reverse", BYTES(""), BYTES("aba"), true, "cba"},
    {"scan: from above all", BYTES(""), BYTES("\xFF\xFF\xFF"), false, ""},
    {"scan: from above all, reverse", BYTES(""), BYTES("\xFF\xFF\xFF"), true, "hgfedcba"},
    {"scan: from inside the prefix", BYTES("ab"), BYTES("abc"), false, "de"},
    {"scan: from inside the prefix, reverse", BYTES("ab"), BYTES("abc"), true, "dc"},
    {"scan: from before the prefix", BYTES("ab"), BYTES("a"), false, "cde"},
    {"scan: from before the prefix, reverse", BYTES("ab"), BYTES("a"), true, ""},
    {"scan: from after the prefix", BYTES("ab"), BYTES("b"), false, ""},
    {"scan: from after the prefix, reverse", BYTES("ab"), BYTES("b"), true, "edc"},
};

static void assert_scan(kr_store_txn *txn, const scan_row *row) {
  char met[64];
  size_t n = 0;
  kr_str key = {NULL, 0};
  kr_str value = {NULL, 0};
  kr_store_cursor *cursor = NULL;
  assert_int_equal(kr_store_scan(txn, row->prefix, row->from, row->is_reverse, &cursor, NULL),
                   KR_OK);
  while (n < sizeof met - 1 && kr_store_next(cursor, &key, &value, NULL) == KR_OK) {
    assert_true(kr_str_starts(key, row->prefix));
    met[n++] = (char)value.ptr[0];
  }
  met[n] = '\0';
  /* The end is an end for good. */
  assert_int_equal(kr_store_next(cursor, &key, &value, NULL), KR_NOT_FOUND);
  assert_int_equal(kr_store_next(cursor, &key, &value, NULL), KR_NOT_FOUND);
  kr_store_scan_end(cursor);
  assert_string_equal(met, row->expected);
}

/* In the transaction that writes the keys, and in a later one that reads them. */
static void run_scan_row(void **state) {
  const scan_row *row = *state;
  kr_store *store = subject->make();
  kr_store_txn *txn = begin(store, KR_STORE_WRITE);
  for (size_t i = 0; i < sizeof scan_records / sizeof scan_records[0]; i++)
    assert_int_equal(kr_store_put(txn, scan_records[i].key, scan_records[i].value, NULL), KR_OK);
  assert_scan(txn, row);
  assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
  txn = begin(store, KR_STORE_READ);
  assert_scan(txn, row);
  kr_store_abort(txn);
  subject->dispose(store);
}

static void scan_of_an_empty_store(void **state) {
  static const scan_row rows[] = {{"", BYTES(""), BYTES(""), false, ""},
                                  {"", BYTES(""), BYTES(""), true, ""},
                                  {"", BYTES("a"), BYTES(""), true, ""},
                                  {"", BYTES(""), BYTES("a"), true, ""}};
  kr_store_txn *txn = begin(*state, KR_STORE_READ);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_scan(txn, &rows[i]);
  kr_store_abort(txn);
}

static void limits(void **state) {
  kr_store *store = *state;
  static uint8_t bytes[KR_STORE_VALUE_BYTES + 1];
  memset(bytes, 'k', KR_STORE_KEY_BYTES + 1);
  kr_str longest_key = kr_str_from(bytes, KR_STORE_KEY_BYTES);
  kr_str too_long_key = kr_str_from(bytes, KR_STORE_KEY_BYTES + 1);
  kr_str longest_value = kr_str_from(bytes, KR_STORE_VALUE_BYTES);
  kr_str too_long_value = kr_str_from(bytes, KR_STORE_VALUE_BYTES + 1);
  kr_str found = {NULL, 0};
  kr_store_cursor *cursor = NULL;
  kr_store_txn *txn = begin(store, KR_STORE_WRITE);
  assert_int_equal(kr_store_put(txn, too_long_key, KR_STR("v"), NULL), KR_LIMIT);
  assert_int_equal(kr_store_put(txn, KR_STR(""), KR_STR("v"), NULL), KR_LIMIT);
  assert_int_equal(kr_store_put_new(txn, KR_STR("k"), too_long_value, NULL), KR_LIMIT);
  assert_int_equal(kr_store_get(txn, too_long_key, &found, NULL), KR_LIMIT);
  assert_int_equal(kr_store_remove(txn, too_long_key, NULL), KR_LIMIT);
  assert_int_equal(kr_store_scan(txn, too_long_key, KR_STR(""), false, &cursor, NULL), KR_LIMIT);
  assert_int_equal(kr_store_scan(txn, KR_STR(""), too_long_key, false, &cursor, NULL), KR_LIMIT);
  /* Refused arguments do not spoil the transaction. */
  assert_int_equal(kr_store_put(txn, longest_key, longest_value, NULL), KR_OK);
  assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
  assert_true(store_has(store, longest_key, longest_value));
  txn = begin(store, KR_STORE_READ);
  const scan_row row = {"", longest_key, longest_key, true, "k"};
  assert_scan(txn, &row);
  kr_store_abort(txn);
}

static void read_transactions_do_not_write(void **state) {
  kr_store *store = *state;
  store_put_one(store, KR_STR("k"), KR_STR("1"));
  kr_store_txn *txn = begin(store, KR_STORE_READ);
  assert_int_equal(kr_store_put(txn, KR_STR("k"), KR_STR("2"), NULL), KR_REFUSED);
  assert_int_equal(kr_store_put_new(txn, KR_STR("l"), KR_STR("2"), NULL), KR_REFUSED);
  assert_int_equal(kr_store_remove(txn, KR_STR("k"), NULL), KR_REFUSED);
  assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
  assert_true(store_has(store, KR_STR("k"), KR_STR("1")));
}

/* Against a plain array of what each of 97 keys holds; aborts included. */
static void equals_an_array(void **state) {
  kr_store *store = *state;
  enum { N_KEYS = 97, N_TXNS = 150, N_STEPS = 12 };
  static uint32_t committed[N_KEYS]; /* 0: not there; else the seed of its value */
  static uint32_t pending[N_KEYS];
  static uint8_t value[20000];
  memset(committed, 0, sizeof committed);
  uint32_t random = 7;
  for (unsigned i = 0; i < N_TXNS; i++) {
    kr_store_txn *txn = begin(store, KR_STORE_WRITE);
    memcpy(pending, committed, sizeof pending);
    for (unsigned j = 0; j < N_STEPS; j++) {
      random = random * 1664525u + 1013904223u;
      uint32_t at = (random >> 8) % N_KEYS;
      char name[16];
      int len = snprintf(name, sizeof name, "key %u", at);
      kr_str key = kr_str_from(name, (size_t)len);
      if (random >> 30 == 0) {
        assert_int_equal(kr_store_remove(txn, key, NULL), pending[at] == 0 ? KR_NOT_FOUND : KR_OK);
        pending[at] = 0;
        continue;
      }
      memset(value, (int)(random & 0xFF), sizeof value);
      memcpy(value, &random, sizeof random);
      kr_str bytes = kr_str_from(value, 4 + random % (sizeof value - 4));
      bool is_new = random >> 30 == 1;
      kr_status status =
          is_new ? kr_store_put_new(txn, key, bytes, NULL) : kr_store_put(txn, key, bytes, NULL);
      assert_int_equal(status, is_new && pending[at] != 0 ? KR_EXISTS : KR_OK);
      if (status == KR_OK)
        pending[at] = random;
    }
    if (i % 5 == 4) {
      kr_store_abort(txn);
      continue;
    }
    assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
    memcpy(committed, pending, sizeof committed);
  }
  kr_store_txn *txn = begin(store, KR_STORE_READ);
  for (uint32_t at = 0; at < N_KEYS; at++) {
    char name[16];
    int len = snprintf(name, sizeof name, "key %u", at);
    kr_str found = {NULL, 0};
    kr_status status = kr_store_get(txn, kr_str_from(name, (size_t)len), &found, NULL);
    assert_int_equal(status, committed[at] == 0 ? KR_NOT_FOUND : KR_OK);
    if (status != KR_OK)
      continue;
    assert_int_equal(found.len, 4 + committed[at] % (sizeof value - 4));
    assert_memory_equal(found.ptr, &committed[at], 4);
    assert_int_equal(found.ptr[found.len - 1], found.len > 4 ? committed[at] & 0xFF : found.ptr[3]);
  }
  kr_store_abort(txn);
}

static void outlives_closing(void **state) {
  if (subject->reopen == NULL)
    skip();
  store_put_one(*state, KR_STR("k"), KR_STR("1"));
  kr_store_txn *txn = begin(*state, KR_STORE_WRITE);
  assert_int_equal(kr_store_put(txn, KR_STR("aborted"), KR_STR("1"), NULL), KR_OK);
  kr_store_abort(txn);
  *state = subject->reopen(*state);
  assert_true(store_has(*state, KR_STR("k"), KR_STR("1")));
  assert_true(store_lacks(*state, KR_STR("aborted")));
  store_put_one(*state, KR_STR("l"), KR_STR("2"));
  *state = subject->reopen(*state);
  assert_true(store_has(*state, KR_STR("k"), KR_STR("1")));
  assert_true(store_has(*state, KR_STR("l"), KR_STR("2")));
}

static kr_store *copy_of(kr_store *store) {
  kr_error error = {.message = ""};
  if (kr_store_copy(store, kr_str_cstr(subject->place_of_copy()), &error) != KR_OK)
    fail_msg("%s", error.message);
  return subject->open_copy();
}

static void copies_are_unsupported(kr_store *store) {
  kr_error error = {.status = KR_OK};
  assert_int_equal(kr_store_copy(store, KR_STR("somewhere"), &error), KR_UNSUPPORTED);
  assert_int_equal(error.status, KR_UNSUPPORTED);
}

static void copy_is_what_was_there(void **state) {
  if (subject->place_of_copy == NULL) {
    copies_are_unsupported(*state);
    return;
  }
  char name[16];
  for (int i = 0; i < 500; i++) {
    (void)snprintf(name, sizeof name, "k%d", i);
    store_put_one(*state, kr_str_cstr(name), kr_str_cstr(name));
  }
  kr_store_txn *txn = begin(*state, KR_STORE_WRITE);
  for (int i = 0; i < 500; i += 2) {
    (void)snprintf(name, sizeof name, "k%d", i);
    assert_int_equal(kr_store_remove(txn, kr_str_cstr(name), NULL), KR_OK);
  }
  assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
  kr_store *copy = copy_of(*state);
  store_put_one(*state, KR_STR("k1"), KR_STR("later"));
  for (int i = 0; i < 500; i++) {
    (void)snprintf(name, sizeof name, "k%d", i);
    assert_int_equal(store_has(copy, kr_str_cstr(name), kr_str_cstr(name)), i % 2 == 1);
  }
  store_put_one(copy, KR_STR("k1"), KR_STR("of the copy"));
  assert_true(store_has(*state, KR_STR("k1"), KR_STR("later")));
  subject->dispose_copy(copy);
}

static void copy_of_nothing_is_empty(void **state) {
  if (subject->place_of_copy == NULL) {
    copies_are_unsupported(*state);
    return;
  }
  kr_store *copy = copy_of(*state);
  assert_true(store_lacks(copy, KR_STR("k")));
  store_put_one(copy, KR_STR("k"), KR_STR("1"));
  assert_true(store_has(copy, KR_STR("k"), KR_STR("1")));
  subject->dispose_copy(copy);
}

static void copy_never_replaces(void **state) {
  if (subject->place_of_copy == NULL) {
    copies_are_unsupported(*state);
    return;
  }
  store_put_one(*state, KR_STR("k"), KR_STR("1"));
  kr_store *copy = copy_of(*state);
  kr_error error = {.status = KR_OK};
  assert_int_equal(kr_store_copy(*state, kr_str_cstr(subject->place_of_copy()), &error), KR_EXISTS);
  assert_true(store_has(copy, KR_STR("k"), KR_STR("1")));
  subject->dispose_copy(copy);
}

enum { PAIRS = 400 };

/* "a" and "b" change together, always to the same. */
static void *write_pairs(void *argument) {
  char value[16];
  for (int i = 0; i < PAIRS; i++) {
    kr_store_txn *txn = begin(argument, KR_STORE_WRITE);
    (void)snprintf(value, sizeof value, "%d", i);
    assert_int_equal(kr_store_put(txn, KR_STR("a"), kr_str_cstr(value), NULL), KR_OK);
    assert_int_equal(kr_store_put(txn, KR_STR("z"), kr_str_cstr(value), NULL), KR_OK);
    assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
  }
  return NULL;
}

static void copies_while_others_write(void **state) {
  if (subject->place_of_copy == NULL) {
    copies_are_unsupported(*state);
    return;
  }
  pthread_t writer;
  store_put_one(*state, KR_STR("a"), KR_STR("-"));
  store_put_one(*state, KR_STR("z"), KR_STR("-"));
  assert_int_equal(pthread_create(&writer, NULL, write_pairs, *state), 0);
  for (int i = 0; i < 10; i++) {
    kr_store *copy = copy_of(*state);
    kr_store_txn *txn = begin(copy, KR_STORE_READ);
    kr_str a = {NULL, 0};
    kr_str z = {NULL, 0};
    assert_int_equal(kr_store_get(txn, KR_STR("a"), &a, NULL), KR_OK);
    assert_int_equal(kr_store_get(txn, KR_STR("z"), &z, NULL), KR_OK);
    assert_true(kr_str_equal(a, z));
    kr_store_abort(txn);
    subject->dispose_copy(copy);
  }
  assert_int_equal(pthread_join(writer, NULL), 0);
}

static void compacting_changes_nothing_that_is_there(void **state) {
  char name[16];
  for (int i = 0; i < 200; i++) {
    (void)snprintf(name, sizeof name, "k%d", i);
    store_put_one(*state, kr_str_cstr(name), kr_str_cstr(name));
  }
  for (int round = 0; round < 3; round++) {
    assert_int_equal(kr_store_compact(*state, NULL), KR_OK);
    for (int i = 0; i < 200; i++) {
      (void)snprintf(name, sizeof name, "k%d", i);
      assert_true(store_has(*state, kr_str_cstr(name), kr_str_cstr(name)));
    }
    store_put_one(*state, KR_STR("k0"), KR_STR("k0"));
    store_put_one(*state, KR_STR("more"), kr_str_from("012", (size_t)round));
  }
  assert_true(store_has(*state, KR_STR("more"), KR_STR("01")));
}

int store_conformance(const store_subject *of) {
  subject = of;
#define WITH_STORE(function) cmocka_unit_test_setup_teardown(function, make, dispose)
  enum { N_SCANS = sizeof scan_rows / sizeof scan_rows[0], N_OTHERS = 15 };
  struct CMUnitTest tests[N_OTHERS + N_SCANS] = {
      WITH_STORE(put_get_replace_remove),
      WITH_STORE(put_new_never_replaces),
      WITH_STORE(abort_leaves_nothing),
      WITH_STORE(readers_see_their_snapshot),
      WITH_STORE(writers_take_turns),
      WITH_STORE(scan_of_an_empty_store),
      WITH_STORE(limits),
      WITH_STORE(read_transactions_do_not_write),
      WITH_STORE(equals_an_array),
      WITH_STORE(outlives_closing),
      WITH_STORE(copy_is_what_was_there),
      WITH_STORE(copy_of_nothing_is_empty),
      WITH_STORE(copy_never_replaces),
      WITH_STORE(copies_while_others_write),
      WITH_STORE(compacting_changes_nothing_that_is_there),
  };
  for (size_t i = 0; i < N_SCANS; i++)
    tests[N_OTHERS + i] = (struct CMUnitTest){.name = scan_rows[i].name,
                                              .test_func = run_scan_row,
                                              .initial_state = (void *)(uintptr_t)&scan_rows[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
