/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redactor_threads.c - one redactor, many threads: each redacts records and
 * streams of its own while others add values and rotate secrets. What was added
 * before a record began must be removed from it. Built with
 * -Db_sanitize=thread this is also the proof that nothing of it races.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/fixture.h"

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define N_RECORDERS 3
#define N_STREAMERS 3
#define N_VALUES 40
#define N_ROUNDS 60

/* cmocka's asserts only work in the first thread: failures are counted. */
typedef struct shared {
  fixture *self;
  kr_redactor *redactor;
  atomic_uint n_known; /* values value_of(0) to value_of(n_known - 1) are removed from now on */
  atomic_uint n_failed;
  atomic_uint n_late;
  atomic_bool is_over;
} shared;

static kr_str value_of(unsigned i, char room[32]) {
  (void)snprintf(room, 32, "late-value-%03u!", i);
  return text(room);
}

static void expect(shared *all, bool holds, const char *what) {
  if (holds)
    return;
  print_error("%s\n", what);
  (void)atomic_fetch_add(&all->n_failed, 1);
}

/* A line with the newest value that is known, and an old one. */
static unsigned make_line(shared *all, char *line, size_t size) {
  char newest[32];
  char older[32];
  unsigned n_known = atomic_load(&all->n_known);
  (void)value_of(n_known - 1, newest);
  (void)value_of(n_known / 2, older);
  (void)snprintf(line, size, "{\"a\":\"%s\",\"b\":[1,\"x %s y\"]}", newest, older);
  return n_known;
}

static void *work_records(void *argument) {
  shared *all = argument;
  kr_redactor_scratch *scratch = NULL;
  kr_error error = {0};
  expect(all, kr_redactor_scratch_new(all->redactor, NULL, &scratch, &error) == KR_OK, "scratch");
  for (unsigned i = 0; i < N_ROUNDS || !atomic_load(&all->is_over); i++) {
    char line[256];
    (void)make_line(all, line, sizeof line);
    kr_redactor_result result = {0};
    kr_status status = i % 2 == 0 ? kr_redactor_bytes(scratch, text(line), &result, &error)
                                  : kr_redactor_json(scratch, text(line), &result, &error);
    expect(all, status == KR_OK && result.n_markers == 2, "a record has two values");
    expect(all, status != KR_OK || memmem(result.bytes.ptr, result.bytes.len, "late-", 5) == NULL,
           "a record shows a value");
  }
  kr_redactor_scratch_free(scratch);
  return NULL;
}

static kr_status collect(void *ctx, kr_str bytes) { return kr_text_append(ctx, bytes); }

/* Lines cut anywhere; only what a stream wrote before a value was known may show. */
static void *work_stream(void *argument) {
  shared *all = argument;
  kr_filter *filter = NULL;
  kr_text out = {0};
  kr_error error = {0};
  expect(all, kr_filter_new_on(all->redactor, NULL, collect, &out, &filter, &error) == KR_OK,
         "filter");
  for (unsigned i = 0; i < N_ROUNDS || !atomic_load(&all->is_over); i++) {
    char line[256];
    (void)make_line(all, line, sizeof line);
    kr_str bytes = text(line);
    size_t cut = i % bytes.len;
    kr_str rest = {.ptr = bytes.ptr + cut, .len = bytes.len - cut};
    bytes.len = cut;
    expect(all, kr_filter_feed(filter, bytes, &error) == KR_OK, "first half");
    expect(all, kr_filter_feed(filter, rest, &error) == KR_OK, "second half");
  }
  expect(all, kr_filter_finish(filter, &error) == KR_OK, "end");
  expect(all, memmem(out.ptr, out.len, "late-", 5) == NULL, "a stream shows a value");
  (void)atomic_fetch_add(&all->n_late, (unsigned)kr_filter_n_late(filter));
  kr_filter_free(filter);
  kr_text_done(&out);
  return NULL;
}

static void *work_add(void *argument) {
  shared *all = argument;
  for (unsigned i = 1; i < N_VALUES; i++) {
    char room[32];
    const kr_redactor_value value = {.name = text("V"), .value = value_of(i, room), .version = i};
    kr_error error = {0};
    expect(all, kr_redactor_add_value(all->redactor, &value, &error) == KR_OK, "add");
    atomic_store(&all->n_known, i + 1);
  }
  return NULL;
}

/* The same through the vault: each value is a version of one secret. */
static void *work_rotate(void *argument) {
  shared *all = argument;
  for (unsigned i = 1; i < N_VALUES; i++) {
    char room[32];
    kr_error error = {0};
    kr_secret *secret = NULL;
    kr_status status = kr_secret_copy(all->self->engine, value_of(i, room), &secret, &error);
    if (status == KR_OK) {
      char name[32];
      (void)snprintf(name, sizeof name, "KEY_%u", i);
      status = kr_engine_secret_set(all->self->engine, text("default"), text(name), (kr_str){0},
                                    secret, (kr_str){0}, NULL, &error);
    }
    kr_secret_free(secret);
    expect(all, status == KR_OK, "save");
    atomic_store(&all->n_known, i + 1);
  }
  return NULL;
}

static void run_all(shared *all, void *(*work_change)(void *)) {
  pthread_t threads[N_RECORDERS + N_STREAMERS];
  pthread_t changer;
  atomic_store(&all->n_known, 1);
  for (size_t i = 0; i < N_RECORDERS + N_STREAMERS; i++)
    assert_int_equal(
        pthread_create(&threads[i], NULL, i < N_RECORDERS ? work_records : work_stream, all), 0);
  assert_int_equal(pthread_create(&changer, NULL, work_change, all), 0);
  assert_int_equal(pthread_join(changer, NULL), 0);
  atomic_store(&all->is_over, true);
  for (size_t i = 0; i < N_RECORDERS + N_STREAMERS; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(atomic_load(&all->n_failed), 0);
  assert_int_equal(atomic_load(&all->n_known), N_VALUES);
  assert_int_equal(atomic_load(&all->n_late), 0); /* each line was made after its values */
}

static void test_values_are_added_while_others_redact(void **state) {
  (void)state;
  shared all = {0};
  char room[32];
  const kr_redactor_value first = {.name = text("V"), .value = value_of(0, room)};
  kr_error error = {0};
  assert_int_equal(kr_redactor_new(NULL, &all.redactor, &error), KR_OK);
  assert_int_equal(kr_redactor_add_value(all.redactor, &first, &error), KR_OK);
  run_all(&all, work_add);
  kr_redactor_free(all.redactor);
}

static void test_secrets_are_saved_while_others_redact(void **state) {
  shared all = {.self = *state};
  char room[32];
  kr_error error = {0};
  fixture_secret(all.self, "default", "KEY_0", (const char *)value_of(0, room).ptr);
  assert_int_equal(
      kr_redactor_new_from_org(all.self->engine, text("default"), &all.redactor, &error), KR_OK);
  run_all(&all, work_rotate);
  kr_redactor_free(all.redactor);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values_are_added_while_others_redact),
      cmocka_unit_test_setup_teardown(test_secrets_are_saved_while_others_redact, fixture_setup,
                                      fixture_teardown),
  };
  return cmocka_run_group_tests_name("redactor_threads", tests, NULL, NULL);
}
