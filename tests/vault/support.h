/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support.h - a home in memory for the tests of vault, registry and events: a
 * key file in a directory of its own, a pool, a memory store, a vault in it.
 * Helpers that must succeed end the test when they do not.
 */
#ifndef KR_TEST_VAULT_SUPPORT_H
#define KR_TEST_VAULT_SUPPORT_H

#include "store/memory/store_memory.h"
#include "vault/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define TEST_NOW_MS INT64_C(1767323045678)

typedef struct test_home {
  char dir[64];
  char key_path[128];
  kr_secure *pool;
  kr_keyring *keyring;
  kr_store *store;
  kr_vault *vault;
  kr_error error;
} test_home;

/** setup and teardown for cmocka: *state is a test_home. teardown asserts that nothing is left
 * locked. */
int test_home_setup(void **state);
int test_home_teardown(void **state);

/** Close and open the vault, as another process would. */
void test_reopen(test_home *home);

/** Put the vault of a new home into the embedded store instead, and remove that store again. */
void test_move_to_disk(test_home *home);
void test_leave_disk(test_home *home);

kr_store_txn *test_begin(test_home *home, kr_store_mode mode);
void test_commit(test_home *home, kr_store_txn *txn);

/* Each in a transaction of its own. */
kr_org test_org(test_home *home, const char *name); /* create */
kr_status test_try_set(test_home *home, const kr_org *org, const char *name, kr_str value,
                       const char *description, kr_secret_meta *ret_meta);
uint32_t test_set(test_home *home, const kr_org *org, const char *name, const char *value);
void test_delete(test_home *home, const kr_org *org, const char *name);

/** Open a value and compare: KR_OK means opened and equal; another value fails the test. */
kr_status test_open(test_home *home, const kr_org *org, const char *name, uint32_t version,
                    kr_str expected);
kr_status test_verify(test_home *home, const kr_org *org);

/* The store behind the vault's back. */

/** A copy of all records, on the heap. */
typedef struct test_record {
  kr_str key;
  kr_str value;
} test_record;

typedef struct test_dump {
  test_record *records;
  size_t count;
} test_dump;

test_dump test_dump_store(kr_store *store);
void test_dump_free(test_dump *dump);

/** Make the store exactly what the dump says. */
void test_restore_store(kr_store *store, const test_dump *dump);
void test_raw_put(kr_store *store, kr_str key, kr_str value);
void test_raw_remove(kr_store *store, kr_str key);

/** Does haystack hold needle? */
bool test_contains(kr_str haystack, kr_str needle);

#endif
