/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_keys.c - keys changed while others write and read: no update is lost and
 * every value opens; what the audit says; an organization of many secrets
 * deleted. KROSYN_TEST_LONG: 10 000 writes, 100 000 secrets.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/engine.h"
#include "engine/fixture.h"

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define N_NAMES 40u

static bool is_long(void) { return getenv("KROSYN_TEST_LONG") != NULL; }

static void need(kr_status status, const kr_error *error) {
  if (status != KR_OK)
    fail_msg("%s: %s", kr_status_name(status), error->message);
}

/* The newest value of a secret must be this, under this version. */
static void newest_is(fixture *self, kr_store_txn *txn, const kr_org *org, const char *name,
                      uint32_t version, const char *expected) {
  kr_error error = {0};
  kr_secret *value = NULL;
  uint32_t got = 0;
  need(kr_vault_secret_open(self->engine->vault, txn, org, text(name), (kr_str){0}, 0, &value, &got,
                            &error),
       &error);
  bool is_equal = kr_str_equal(kr_secret_reveal(value), text(expected));
  kr_secret_free(value);
  assert_int_equal(got, version);
  assert_true(is_equal);
}

/* ---- writes during a rotation ---- */

typedef struct writer {
  fixture *self;
  unsigned n_writes;
  uint32_t versions[N_NAMES]; /* acknowledged */
  unsigned last[N_NAMES];     /* which write that was */
  bool is_good;
  atomic_bool is_done;
} writer;

static kr_status write_one(writer *work, unsigned i, kr_error *error) {
  char name[32];
  char value[48];
  kr_secret_set_result result = {0};
  KR_CLEANUP(kr_secret_freep) kr_secret *secret = NULL;
  (void)snprintf(name, sizeof name, "KEY_%u", i % N_NAMES);
  (void)snprintf(value, sizeof value, "written-%u", i);
  KR_TRY(kr_secret_copy(work->self->engine, text(value), &secret, error));
  KR_TRY(kr_engine_secret_set(work->self->engine, text("default"), text(name), text(""), secret,
                              (kr_str){0}, &result, error));
  work->versions[i % N_NAMES] = result.version;
  work->last[i % N_NAMES] = i;
  return KR_OK;
}

static void *write_all(void *ctx) {
  writer *work = ctx;
  kr_error error = {0};
  work->is_good = true;
  for (unsigned i = 0; i < work->n_writes && work->is_good; i++)
    work->is_good = write_one(work, i, &error) == KR_OK;
  atomic_store(&work->is_done, true);
  return NULL;
}

static void test_writes_during_rotations(void **state) {
  fixture *self = *state;
  writer work = {.self = self, .n_writes = is_long() ? 10000 : 600};
  kr_error error = {0};
  kr_key_rotation done = {0};
  pthread_t thread;
  unsigned n_rotations = 0;
  uint64_t n_resealed = 0;
  for (unsigned i = 0; i < N_NAMES; i++)
    need(write_one(&work, i, &error), &error);
  assert_int_equal(pthread_create(&thread, NULL, write_all, &work), 0);
  while (!atomic_load(&work.is_done)) {
    need(kr_engine_key_rotate(self->engine, text("default"), NULL, NULL, &done, &error), &error);
    assert_int_equal(done.new_key, done.old_key + 1);
    n_resealed += done.n_values;
    n_rotations++;
  }
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(work.is_good);
  assert_true(n_rotations > 1);
  fixture_reopen(self);
  kr_org org = {0};
  need(kr_engine_org(self->engine, text("default"), &org, &error), &error);
  kr_store_txn *txn = NULL;
  need(kr_store_begin(self->engine->vault_store, KR_STORE_READ, &txn, &error), &error);
  need(kr_vault_org_verify(self->engine->vault, txn, &org, &error), &error);
  for (unsigned i = 0; i < N_NAMES; i++) {
    char name[32];
    char value[48];
    (void)snprintf(name, sizeof name, "KEY_%u", i);
    (void)snprintf(value, sizeof value, "written-%u", work.last[i]);
    newest_is(self, txn, &org, name, work.versions[i], value);
  }
  kr_store_abort(txn);
  print_message("%u writes during %u rotations, %llu values sealed again\n", work.n_writes,
                n_rotations, (unsigned long long)n_resealed);
}

/* ---- stopped, and gone on with ---- */

static kr_status stop(void *ctx, uint64_t n_done, uint64_t n_total) {
  (void)ctx;
  assert_true(n_done <= n_total);
  return KR_REFUSED;
}

/* "key.rotate 1 2;key.retire 1 2;..." */
static kr_status note(void *ctx, const kr_audit_entry *entry) {
  char *notes = ctx;
  size_t len = strlen(notes);
  if (!kr_str_starts(entry->action, KR_STR("key.")) &&
      !kr_str_equal(entry->action, KR_STR("org.delete")))
    return KR_OK;
  (void)snprintf(notes + len, 1024 - len, "%.*s %.*s", KR_FMT(entry->action),
                 KR_FMT(entry->subject));
  len = strlen(notes);
  for (size_t i = 0; i < entry->n_changes; i++, len = strlen(notes))
    (void)snprintf(notes + len, 1024 - len, " %.*s>%.*s", KR_FMT(entry->changes[i].old_value),
                   KR_FMT(entry->changes[i].new_value));
  (void)snprintf(notes + len, 1024 - len, ";");
  return KR_OK;
}

static void audit_says(fixture *self, const char *expected) {
  char notes[1024] = "";
  kr_error error = {0};
  kr_store_txn *txn = NULL;
  need(kr_store_begin(self->engine->vault_store, KR_STORE_READ, &txn, &error), &error);
  need(kr_registry_audit_each(&self->engine->registry, txn, 1, note, notes, &error), &error);
  kr_store_abort(txn);
  assert_string_equal(notes, expected);
}

static void test_an_interrupted_one_is_finished_first(void **state) {
  fixture *self = *state;
  kr_error error = {0};
  kr_key_rotation done = {0};
  char name[32];
  for (unsigned i = 0; i < 450; i++) {
    (void)snprintf(name, sizeof name, "KEY_%u", i);
    fixture_secret(self, "default", name, "some value");
  }
  assert_int_equal(kr_engine_key_rotate(self->engine, text("default"), stop, NULL, &done, &error),
                   KR_REFUSED);
  audit_says(self, "key.rotate default 1>2;");
  fixture_reopen(self);
  need(kr_engine_key_rotate(self->engine, text("default"), NULL, NULL, &done, &error), &error);
  assert_true(done.finished_an_older);
  assert_int_equal(done.n_values, 250 + 450);
  assert_int_equal(done.old_key, 2);
  assert_int_equal(done.new_key, 3);
  audit_says(self, "key.rotate default 1>2;key.retire default 1>2;key.rotate default 2>3;"
                   "key.retire default 2>3;");
}

static void test_rekey_in_an_open_home(void **state) {
  fixture *self = *state;
  kr_error error = {0};
  kr_key_rekey first = {.went_on = true};
  kr_key_rekey second = {.went_on = true};
  char expected[512];
  fixture_secret(self, "default", "KEY", "value-1");
  need(kr_engine_key_rekey(self->engine, NULL, &first, &error), &error);
  fixture_secret(self, "default", "KEY", "value-2");
  need(kr_engine_key_rekey(self->engine, NULL, &second, &error), &error);
  assert_false(first.went_on || second.went_on);
  assert_string_equal(first.new_key, second.old_key);
  assert_int_equal(kr_engine_key_forget(self->engine, text(second.new_key), &error), KR_REFUSED);
  need(kr_engine_key_forget(self->engine, text(first.old_key), &error), &error);
  (void)snprintf(expected, sizeof expected,
                 "key.rekey store %s>%s;key.rekey store %s>%s;key.forget store %s>;", first.old_key,
                 first.new_key, second.old_key, second.new_key, first.old_key);
  audit_says(self, expected);
  fixture_reopen(self);
  audit_says(self, expected);
}

/* ---- a large organization ---- */

typedef struct filling {
  fixture *self;
  kr_org org;
  unsigned from;
  unsigned to;
} filling;

static kr_status fill_some(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const filling *work = ctx;
  KR_CLEANUP(kr_secret_freep) kr_secret *secret = NULL;
  KR_TRY(kr_secret_copy(work->self->engine, text("some value"), &secret, reterr));
  for (unsigned i = work->from; i < work->to; i++) {
    char name[32];
    kr_secret_meta meta;
    (void)snprintf(name, sizeof name, "KEY_%u", i);
    const kr_secret_saving saving = {.name = text(name), .value = secret, .now_ms = 1};
    KR_TRY(kr_vault_secret_set(work->self->engine->vault, txn, &work->org, &saving, &meta, reterr));
  }
  return KR_OK;
}

static double now_s(void) {
  struct timespec now = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t count_records(fixture *self, const char *letters) {
  kr_error error = {0};
  kr_store_txn *txn = NULL;
  kr_store_cursor *cursor = NULL;
  kr_str key = {0};
  kr_str value = {0};
  size_t count = 0;
  need(kr_store_begin(self->engine->vault_store, KR_STORE_READ, &txn, &error), &error);
  need(kr_store_scan(txn, text(letters), (kr_str){0}, false, &cursor, &error), &error);
  while (kr_store_next(cursor, &key, &value, &error) == KR_OK)
    count++;
  kr_store_scan_end(cursor);
  kr_store_abort(txn);
  return count;
}

static void test_deletes_a_large_organization(void **state) {
  fixture *self = *state;
  unsigned n_secrets = is_long() ? KR_VAULT_SECRETS_MAX : 5000;
  kr_error error = {0};
  filling work = {.self = self};
  size_t n_deleted = 0;
  need(kr_engine_org_create(self->engine, text("big"), &error), &error);
  need(kr_engine_org_set(self->engine, text("big"), text("redact-scope"), text("run"), &error),
       &error);
  need(kr_engine_org(self->engine, text("big"), &work.org, &error), &error);
  for (work.to = 0; work.to < n_secrets;) {
    work.from = work.to;
    work.to = work.from + 1000;
    need(kr_store_write(self->engine->vault_store, fill_some, &work, &error), &error);
  }
  fixture_secret(self, "default", "KEPT", "kept value");
  double before_s = now_s();
  need(kr_engine_key_rotate(self->engine, text("big"), NULL, NULL, NULL, &error), &error);
  double rotated_s = now_s();
  need(kr_engine_org_delete(self->engine, text("big"), &n_deleted, &error), &error);
  double deleted_s = now_s();
  assert_int_equal(n_deleted, n_secrets);
  assert_int_equal(count_records(self, "vs"), 1);
  assert_int_equal(count_records(self, "vv"), 1);
  assert_int_equal(count_records(self, "vk"), 1);
  assert_int_equal(count_records(self, "vm"), 1);
  assert_int_equal(count_records(self, "rs"), 0);
  assert_int_equal(kr_engine_org_delete(self->engine, text("big"), NULL, &error), KR_NOT_FOUND);
  struct rusage usage;
  (void)getrusage(RUSAGE_SELF, &usage);
  print_message("%u secrets: rotated in %.2f s, deleted in %.2f s, %ld KiB resident at most\n",
                n_secrets, rotated_s - before_s, deleted_s - rotated_s, usage.ru_maxrss);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_writes_during_rotations, fixture_setup,
                                      fixture_teardown),
      cmocka_unit_test_setup_teardown(test_an_interrupted_one_is_finished_first, fixture_setup,
                                      fixture_teardown),
      cmocka_unit_test_setup_teardown(test_rekey_in_an_open_home, fixture_setup, fixture_teardown),
      cmocka_unit_test_setup_teardown(test_deletes_a_large_organization, fixture_setup,
                                      fixture_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
