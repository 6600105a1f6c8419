/* SPDX-License-Identifier: Apache-2.0 */
/* test_memory.c - the memory store: the suite, failing commits, failing allocations. */
#include "store/conformance.h"
#include "store/memory/store_memory.h"
#include "support/failalloc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static kr_store *make(void) {
  kr_store *store = NULL;
  assert_int_equal(kr_store_memory_new(&store, NULL), KR_OK);
  return store;
}

static const store_subject memory_subject = {
    .name = "memory", .make = make, .reopen = NULL, .dispose = kr_store_close};

static kr_status try_put(kr_store *store, kr_str key, kr_error *error) {
  kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(store, KR_STORE_WRITE, &txn, error));
  kr_status status = kr_store_put(txn, key, KR_STR("v"), error);
  kr_status commit_status = kr_store_commit(txn, status == KR_OK ? error : NULL);
  /* A transaction with a failed write never commits. */
  assert_true(status == KR_OK || commit_status == status);
  return commit_status;
}

static void commit_fails_when_told(void **state) {
  (void)state;
  KR_CLEANUP(kr_store_closep) kr_store *store = make();
  kr_error error = {.status = KR_OK};
  kr_store_memory_fail_commit(store, 2);
  assert_int_equal(try_put(store, KR_STR("a"), &error), KR_OK);
  assert_int_equal(try_put(store, KR_STR("b"), &error), KR_IO);
  assert_int_equal(error.status, KR_IO);
  assert_int_equal(try_put(store, KR_STR("c"), &error), KR_OK);
  assert_true(store_has(store, KR_STR("a"), KR_STR("v")));
  assert_false(store_has(store, KR_STR("b"), KR_STR("v")));
  assert_true(store_has(store, KR_STR("c"), KR_STR("v")));
}

static void allocations_fail(void **state) {
  (void)state;
  KR_CLEANUP(kr_store_closep) kr_store *store = make();
  size_t n = 0;
  for (; n < 100; n++) {
    kr_error error = {.status = KR_OK};
    kr_test_fail_at(n);
    kr_status status = try_put(store, KR_STR("k"), &error);
    if (kr_test_fail_stop() == 0)
      break;
    assert_int_equal(status, KR_NOMEM);
    assert_int_equal(error.status, KR_NOMEM);
    assert_false(store_has(store, KR_STR("k"), KR_STR("v")));
  }
  assert_in_range(n, 3, 99);
  assert_true(store_has(store, KR_STR("k"), KR_STR("v")));
  kr_store *other = NULL;
  for (n = 0; n < 100; n++) {
    kr_test_fail_at(n);
    kr_status status = kr_store_memory_new(&other, NULL);
    if (kr_test_fail_stop() == 0)
      break;
    assert_int_equal(status, KR_NOMEM);
  }
  kr_store_close(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(commit_fails_when_told),
                                     cmocka_unit_test(allocations_fail)};
  int n_failed = store_conformance(&memory_subject);
  return n_failed + cmocka_run_group_tests(tests, NULL, NULL);
}
