/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_threads.c - many threads on one engine: each its own runs, one network,
 * one event log, values that change meanwhile. Built with -Db_sanitize=thread
 * this is also the proof that nothing of it races.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/fixture.h"
#include "support/receiver_process.h"

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_THREADS 6
#define N_RUNS_EACH 8
#define CANARY "canary-of-threads-5Tq"

/* What a thread works on. cmocka's asserts only work in the first thread: failures are counted. */
typedef struct worker {
  fixture *self;
  const char *connector;
  atomic_size_t *n_completed;
  atomic_bool *is_over;
} worker;

static void connector_for(uint16_t port, const char *path, char *out, size_t size) {
  (void)snprintf(out, size,
                 "{\"name\":\"t\",\"trigger\":\"exists($payload.n)\","
                 "\"process\":{\"fields\":{\"a\":\"concat(\\\"x\\\", $secret.KEY)\"}},"
                 "\"perform\":{\"url\":\"http://127.0.0.1:%u%s\","
                 "\"headers\":{\"X-API-Key\":\"${base64Encode($secret.KEY)}\"},"
                 "\"body\":{\"n\":\"$payload.n\"}}}",
                 (unsigned)port, path);
}

/* One run from its start to its stored event. */
static bool run_once(fixture *self, const char *connector) {
  const kr_run_options options = {.org = text("default"),
                                  .connector = text(connector),
                                  .payload = text("{\"n\":\"1\"}"),
                                  .allow_private = true};
  kr_run *run = NULL;
  kr_error error = {0};
  bool is_good = kr_run_new(self->engine, &options, &run, &error) == KR_OK;
  while (is_good && kr_run_step(run) == KR_RUN_NEED_HTTP)
    is_good = kr_http_drive(self->engine, 60000, &error) == KR_OK;
  is_good = is_good && kr_run_result(run, &error) == KR_OK &&
            strcmp(kr_run_status(run), "completed") == 0 && !event_holds(run, CANARY);
  if (!is_good)
    print_error("%s: %.*s\n", error.message, run == NULL ? 0 : (int)kr_run_event(run).len,
                run == NULL ? "" : (const char *)kr_run_event(run).ptr);
  kr_run_free(run);
  return is_good;
}

static void *work_run(void *argument) {
  worker *self = argument;
  for (unsigned i = 0; i < N_RUNS_EACH; i++)
    if (run_once(self->self, self->connector))
      (void)atomic_fetch_add(self->n_completed, 1);
  return NULL;
}

/* Replaces a value all the time, so that sets are built while others use theirs. */
static void *work_replace(void *argument) {
  worker *self = argument;
  for (unsigned i = 0; !atomic_load(self->is_over); i++) {
    char value[64];
    kr_error error = {0};
    kr_secret *secret = NULL;
    (void)snprintf(value, sizeof value, "another-value-%u", i);
    if (kr_secret_copy(self->self->engine, text(value), &secret, &error) != KR_OK ||
        kr_engine_secret_set(self->self->engine, text("default"), text("OTHER"), (kr_str){0},
                             secret, (kr_str){0}, NULL, &error) != KR_OK)
      print_error("%s\n", error.message);
    else
      (void)atomic_fetch_add(self->n_completed, 1);
    kr_secret_free(secret);
  }
  return NULL;
}

static void *work_read(void *argument) {
  worker *self = argument;
  while (!atomic_load(self->is_over)) {
    size_t n_events = 0;
    kr_error error = {0};
    if (kr_engine_event_each(self->self->engine, text("default"), 10, fixture_count_event,
                             &n_events, &error) != KR_OK)
      print_error("%s\n", error.message);
    else
      (void)atomic_fetch_add(self->n_completed, 1);
  }
  return NULL;
}

static void test_all_at_once(void **state) {
  fixture *self = *state;
  receiver_process receiver;
  char connector[1024];
  pthread_t threads[N_THREADS + 2];
  atomic_size_t n_completed = 0;
  atomic_size_t n_replaced = 0;
  atomic_size_t n_read = 0;
  atomic_bool is_over = false;
  assert_true(receiver_start(&receiver, NULL));
  connector_for(receiver.port, "/services/x", connector, sizeof connector);
  fixture_secret(self, "default", "KEY", CANARY);
  worker runner = {self, connector, &n_completed, &is_over};
  worker replacer = {self, connector, &n_replaced, &is_over};
  worker reader = {self, connector, &n_read, &is_over};
  for (size_t i = 0; i < N_THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, work_run, &runner), 0);
  assert_int_equal(pthread_create(&threads[N_THREADS], NULL, work_replace, &replacer), 0);
  assert_int_equal(pthread_create(&threads[N_THREADS + 1], NULL, work_read, &reader), 0);
  for (size_t i = 0; i < N_THREADS; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  atomic_store(&is_over, true);
  assert_int_equal(pthread_join(threads[N_THREADS], NULL), 0);
  assert_int_equal(pthread_join(threads[N_THREADS + 1], NULL), 0);
  (void)receiver_stop(&receiver, NULL, 0);
  assert_int_equal(atomic_load(&n_completed), N_THREADS * N_RUNS_EACH);
  assert_true(atomic_load(&n_replaced) > 0 && atomic_load(&n_read) > 0);
  fixture_reopen(self);
  size_t n_events = 0;
  kr_error error = {0};
  assert_int_equal(kr_engine_event_each(self->engine, text("default"), 1000, fixture_count_event,
                                        &n_events, &error),
                   KR_OK);
  assert_int_equal(n_events, N_THREADS * N_RUNS_EACH);
  assert_false(fixture_home_holds(self, CANARY));
}

/* ---- who waits for a slow target keeps nobody else from starting and ending runs ---- */

static void *work_slowly(void *argument) {
  worker *self = argument;
  if (run_once(self->self, self->connector))
    (void)atomic_fetch_add(self->n_completed, 1);
  atomic_store(self->is_over, true);
  return NULL;
}

static void test_nobody_waits_for_a_slow_one(void **state) {
  fixture *self = *state;
  receiver_process receiver;
  char slow[1024];
  char quick[1024];
  pthread_t thread;
  atomic_size_t n_completed = 0;
  atomic_bool is_over = false;
  assert_true(receiver_start(&receiver, NULL));
  connector_for(receiver.port, "/slow?ms=6000", slow, sizeof slow);
  connector_for(receiver.port, "/services/x", quick, sizeof quick);
  fixture_secret(self, "default", "KEY", CANARY);
  worker waiter = {self, slow, &n_completed, &is_over};
  assert_int_equal(pthread_create(&thread, NULL, work_slowly, &waiter), 0);
  /* Time to get into the network; where it is not enough, the test shows less but does not fail. */
  (void)usleep(500000);
  for (unsigned i = 0; i < 5; i++)
    assert_true(run_once(self, quick));
  bool was_over = atomic_load(&is_over);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(atomic_load(&n_completed), 1);
  assert_false(was_over);
  (void)receiver_stop(&receiver, NULL, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_all_at_once),
                                     TEST(test_nobody_waits_for_a_slow_one)};
  return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
