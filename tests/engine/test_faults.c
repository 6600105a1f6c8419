/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults.c - what goes wrong below the engine: memory that is refused at
 * the n-th request, stores that are full or fail, runs given up half way, an
 * engine closed too early. Never a crash, a leak, a false success or half a home.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/engine.h"
#include "engine/fixture.h"
#include "support/failalloc.h"
#include "support/receiver_process.h"

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

static size_t count_events(fixture *self) {
  size_t n_events = 0;
  kr_error error = {0};
  assert_int_equal(kr_engine_event_each(self->engine, text("default"), 1000, fixture_count_event,
                                        &n_events, &error),
                   KR_OK);
  return n_events;
}

static kr_status set_secret(fixture *self, const char *name, const char *value, kr_error *error) {
  kr_secret *secret = NULL;
  kr_status status = kr_secret_copy(self->engine, text(value), &secret, error);
  if (status == KR_OK)
    status = kr_engine_secret_set(self->engine, text("default"), text(name), (kr_str){0}, secret,
                                  (kr_str){0}, NULL, error);
  kr_secret_free(secret);
  return status;
}

/* ---- the n-th allocation is refused ---- */

typedef struct work_row {
  const char *name;
  kr_status (*run)(fixture *self, kr_error *error);
} work_row;

static const char connector[] =
    "{\"name\":\"t\",\"trigger\":\"exists($payload.a)\","
    "\"process\":{\"fields\":{\"x\":\"concat($secret.KEY, $payload.a)\",\"y\":\"$processed.x\"}},"
    "\"perform\":{\"url\":\"http://127.0.0.1:1/x\",\"headers\":{\"X-A\":\"Bearer $secret.KEY\"},"
    "\"body\":{\"a\":\"base64Encode($secret.KEY)\",\"b\":\"$processed.y\"}}}";

/* A run to its stored event. Nothing listens on port 1: the event says so. */
static kr_status work_run(fixture *self, kr_error *error) {
  const kr_run_options options = {.org = text("default"),
                                  .connector = text(connector),
                                  .payload = text("{\"a\":\"b\"}"),
                                  .allow_private = true};
  kr_run *run = NULL;
  kr_status status = kr_run_new(self->engine, &options, &run, error);
  while (status == KR_OK && kr_run_step(run) == KR_RUN_NEED_HTTP)
    status = kr_http_drive(self->engine, 1000, error);
  if (status == KR_OK)
    status = kr_run_result(run, error);
  if (status == KR_OK && !event_holds(run, "\"status\":\"failed\""))
    status = KR_INTERNAL; /* a success that cannot be */
  kr_run_free(run);
  return status;
}

static kr_status work_dry_run(fixture *self, kr_error *error) {
  const kr_run_options options = {.org = text("default"),
                                  .connector = text(connector),
                                  .payload = text("{\"a\":\"b\"}"),
                                  .is_dry = true};
  kr_run *run = NULL;
  kr_status status = kr_run_new(self->engine, &options, &run, error);
  if (status == KR_OK) {
    assert_int_equal(kr_run_step(run), KR_RUN_DONE);
    status = kr_run_result(run, error);
  }
  kr_run_free(run);
  return status;
}

static kr_status work_open(fixture *self, kr_error *error) {
  kr_engine_close(self->engine);
  self->engine = NULL;
  const kr_home_options options = {.home = self->home, .key_file = self->key, .actor = "test"};
  return kr_engine_open(&options, &self->engine, error);
}

static kr_status work_set(fixture *self, kr_error *error) {
  return set_secret(self, "KEY", "the-value-of-the-key", error);
}

static kr_status work_org(fixture *self, kr_error *error) {
  static unsigned n;
  char name[32];
  (void)snprintf(name, sizeof name, "org-%u", n++);
  return kr_engine_org_create(self->engine, text(name), error);
}

static kr_status work_preview(fixture *self, kr_error *error) {
  const kr_preview_options options = {.engine = self->engine,
                                      .org = text("default"),
                                      .sink = "header",
                                      .text = text("a ${uppercase($secret.KEY)} $payload.x"),
                                      .payload = text("{\"x\":\"y\"}")};
  kr_text out = {0};
  kr_status status = kr_preview(&options, &out, NULL, NULL, NULL, error);
  if (status == KR_OK && strcmp(out.ptr, "a [REDACTED] y") != 0)
    status = KR_INTERNAL;
  kr_text_done(&out);
  return status;
}

static kr_status work_check(fixture *self, kr_error *error) {
  return kr_check(self->engine, text("default"), text(connector), NULL, NULL, NULL, error);
}

static kr_status take_bytes(void *ctx, kr_str bytes) {
  kr_text *out = ctx;
  return kr_text_append(out, bytes);
}

static kr_status filter_through(kr_filter *filter, kr_text *out, kr_error *error) {
  kr_status status = kr_filter_feed(filter, text("x the-value-of-"), error);
  if (status == KR_OK)
    status = kr_filter_feed(filter, text("the-key y"), error);
  if (status == KR_OK)
    status = kr_filter_finish(filter, error);
  if (status == KR_OK && strcmp(out->ptr, "x [REDACTED] y") != 0)
    status = KR_INTERNAL;
  return status;
}

static kr_status work_filter(fixture *self, kr_error *error) {
  kr_filter *filter = NULL;
  kr_text out = {0};
  kr_status status =
      kr_filter_new(self->engine, text("default"), NULL, take_bytes, &out, &filter, error);
  if (status == KR_OK)
    status = filter_through(filter, &out, error);
  kr_filter_free(filter);
  kr_text_done(&out);
  return status;
}

static kr_status work_filter_values(fixture *self, kr_error *error) {
  (void)self;
  kr_filter *filter = NULL;
  kr_text out = {0};
  kr_status status = kr_filter_new_from_values(
      text("[{\"name\":\"A\",\"value_b64\":\"dGhlLXZhbHVlLW9mLXRoZS1rZXk=\"},\"other\"]"), NULL,
      take_bytes, &out, &filter, error);
  if (status == KR_OK)
    status = filter_through(filter, &out, error);
  kr_filter_free(filter);
  kr_text_done(&out);
  return status;
}

static bool is_empty_folder(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL)
    return false;
  size_t n = 0;
  while (readdir(folder) != NULL)
    n++;
  (void)closedir(folder);
  return n == 2;
}

/* In a folder of its own, below directories that do not exist yet. */
static kr_status work_create(fixture *self, kr_error *error) {
  char base[200];
  char home[256];
  char key[256];
  (void)snprintf(base, sizeof base, "%s/new", self->folder);
  (void)snprintf(home, sizeof home, "%s/a/b/home/", base);
  (void)snprintf(key, sizeof key, "%s/c/d/the.key", base);
  assert_true(mkdir(base, 0700) == 0);
  kr_text path = {0};
  const kr_home_options options = {.home = home, .key_file = key, .actor = "test"};
  kr_status status = kr_home_create(&options, &path, error);
  if (status == KR_OK) {
    kr_engine *engine = NULL;
    kr_test_fail_at(SIZE_MAX - 1); /* what follows looks at the result only */
    assert_string_equal(path.ptr, key);
    assert_int_equal(kr_engine_open(&options, &engine, error), KR_OK);
    kr_engine_close(engine);
    char command[512];
    (void)snprintf(command, sizeof command, "%s/a", base);
    fixture_remove(command);
    (void)snprintf(command, sizeof command, "%s/c", base);
    fixture_remove(command);
  }
  kr_text_done(&path);
  if (!is_empty_folder(base))
    fail_msg("a creation that failed left something behind");
  assert_int_equal(rmdir(base), 0);
  return status;
}

static const work_row works[] = {
    {"run", work_run},       {"dry run", work_dry_run}, {"open", work_open},
    {"set", work_set},       {"org create", work_org},  {"preview", work_preview},
    {"check", work_check},   {"filter", work_filter},   {"filter of values", work_filter_values},
    {"create", work_create},
};

static const work_row *current;

/*
 * Refused memory ends in KR_NOMEM, in a failed event that says so, or is made
 * good; afterwards the same work goes through.
 */
static void run_allocations(void **state) {
  fixture *self = *state;
  assert_int_equal(set_secret(self, "KEY", "the-value-of-the-key", NULL), KR_OK);
  size_t used = kr_secure_used(self->engine->pool);
  size_t n = 0;
  for (;; n++) {
    kr_error error = {0};
    assert_true(n < 20000);
    kr_test_fail_at(n);
    kr_status status = current->run(self, &error);
    size_t n_refused = kr_test_fail_stop();
    if (status != KR_OK && status != KR_NOMEM)
      fail_msg("allocation %zu: %s: %s", n, kr_status_name(status), error.message);
    if (self->engine == NULL) /* the row that opens */
      fixture_open(self);
    /* Less: an engine opened anew has not unsealed the data key yet, which the one before kept. */
    if (kr_secure_used(self->engine->pool) > used)
      fail_msg("allocation %zu: locked memory was not given back", n);
    if (n_refused == 0 && current->run != work_create)
      break;
    if (current->run == work_create && status == KR_OK && n > 50)
      break;
  }
  assert_true(n > 3);
  kr_error error = {0};
  assert_int_equal(current->run(self, &error), KR_OK);
}

static int row_setup(void **state) {
  current = *state;
  return fixture_setup(state);
}

/* ---- stores that are full or fail: their functions, but for one ---- */

static kr_store_engine faulty;       /* a copy of the store's own, with these in it: */
static const kr_store_engine *sound; /* the original */
static unsigned n_left;              /* how many calls still fail */
static kr_status failure;            /* with this */

static kr_status failing_commit(kr_store_txn *txn, kr_error *reterr) {
  if (txn->mode == KR_STORE_READ || n_left == 0)
    return sound->commit(txn, reterr);
  n_left--;
  sound->abort(txn);
  return kr_fail(reterr, failure, "the disk says no");
}

static kr_status failing_put(kr_store_txn *txn, kr_str key, kr_str value, kr_error *reterr) {
  if (n_left == 0)
    return sound->put(txn, key, value, reterr);
  n_left--;
  return kr_fail(reterr, failure, "the disk says no");
}

static void make_faulty(kr_store *store, bool is_put, unsigned n_times, kr_status status) {
  sound = store->engine;
  faulty = *sound;
  if (is_put)
    faulty.put = failing_put;
  else
    faulty.commit = failing_commit;
  store->engine = &faulty;
  n_left = n_times;
  failure = status;
}

static kr_status delete_key(fixture *self, kr_error *error) {
  return kr_engine_secret_delete(self->engine, text("default"), text("KEY"), (kr_str){0}, NULL,
                                 NULL, error);
}

/* A full map grows and the change is made again: once, with one audit entry and one version. */
static void test_full_store_is_repeated(void **state) {
  fixture *self = *state;
  static const work_row rows[] = {{"set", work_set}, {"org", work_org}, {"delete", delete_key}};
  for (size_t i = 0; i < 3; i++)
    for (int is_put = 0; is_put < 2; is_put++) {
      kr_error error = {0};
      if (rows[i].run == delete_key)
        assert_int_equal(work_set(self, &error), KR_OK);
      make_faulty(self->engine->vault_store, is_put == 1, 1, KR_LIMIT);
      kr_status status = rows[i].run(self, &error);
      self->engine->vault_store->engine = sound;
      if (status != KR_OK)
        fail_msg("%s: %s", rows[i].name, error.message);
      assert_int_equal(n_left, 0);
    }
  fixture_reopen(self);
  assert_int_equal(work_run(self, NULL), KR_OK);
}

/* One that stays full is an error, and the store is as it was. */
static void test_store_stays_full(void **state) {
  fixture *self = *state;
  kr_error error = {0};
  make_faulty(self->engine->vault_store, false, 1000, KR_LIMIT);
  assert_int_equal(work_set(self, &error), KR_LIMIT);
  self->engine->vault_store->engine = sound;
  assert_int_equal(delete_key(self, &error), KR_NOT_FOUND);
}

/* The event cannot be stored: never a success, and the next start knows of the run. */
static void test_event_cannot_be_stored(void **state) {
  fixture *self = *state;
  receiver_process receiver;
  char text_of[512];
  kr_error error = {0};
  kr_run *run = NULL;
  assert_true(receiver_start(&receiver, NULL));
  (void)snprintf(text_of, sizeof text_of,
                 "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:%u/services/x\"}}",
                 (unsigned)receiver.port);
  const kr_run_options options = {.org = text("default"),
                                  .connector = text(text_of),
                                  .payload = text("{}"),
                                  .allow_private = true};
  assert_int_equal(kr_run_new(self->engine, &options, &run, &error), KR_OK);
  assert_int_equal(kr_run_step(run), KR_RUN_NEED_HTTP);
  make_faulty(self->engine->events_store, false, 1000, KR_IO);
  while (kr_run_step(run) == KR_RUN_NEED_HTTP)
    assert_int_equal(kr_http_drive(self->engine, 1000, &error), KR_OK);
  /* Done is done: further steps try nothing and change nothing. */
  self->engine->events_store->engine = sound;
  for (int i = 0; i < 3; i++)
    assert_int_equal(kr_run_step(run), KR_RUN_DONE);
  assert_int_equal(kr_run_result(run, &error), KR_IO);
  assert_string_equal(error.message, "sent, not logged: the disk says no");
  assert_int_equal(kr_run_event(run).len, 0);
  kr_run_free(run);
  assert_int_equal(count_events(self), 0);
  (void)receiver_stop(&receiver, NULL, 0);
}

/* The intent cannot be stored: then nothing is sent. */
static void test_intent_cannot_be_stored(void **state) {
  fixture *self = *state;
  receiver_process receiver;
  char text_of[512];
  char report[4096] = "";
  kr_error error = {0};
  assert_true(receiver_start(&receiver, NULL));
  (void)snprintf(text_of, sizeof text_of,
                 "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:%u/services/x\"}}",
                 (unsigned)receiver.port);
  make_faulty(self->engine->events_store, false, 1, KR_IO);
  kr_run *run = fixture_run(self, "default", text_of, "{}");
  self->engine->events_store->engine = sound;
  assert_string_equal(kr_run_status(run), "failed");
  assert_true(event_holds(run, "the disk says no"));
  kr_run_free(run);
  (void)receiver_stop(&receiver, report, sizeof report);
  assert_string_equal(report, "");
  assert_int_equal(count_events(self), 1);
  (void)error;
}

/* A disk that takes nothing more keeps no home shut, though an intent waits to be settled. */
static void leave_intent(const fixture *self) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    const kr_home_options options = {.home = self->home, .key_file = self->key, .actor = "test"};
    kr_engine *engine = NULL;
    kr_run *run = NULL;
    kr_error error = {0};
    const kr_run_options run_options = {
        .org = text("default"),
        .connector = text("{\"name\":\"left\",\"perform\":{\"url\":\"http://127.0.0.1:1/\"}}"),
        .payload = text("{}"),
        .allow_private = true};
    bool is_good = kr_engine_open(&options, &engine, &error) == KR_OK &&
                   kr_run_new(engine, &run_options, &run, &error) == KR_OK &&
                   kr_run_step(run) == KR_RUN_NEED_HTTP;
    _exit(is_good ? 0 : 1);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
}

static void test_interrupted_once(void **state) {
  fixture *self = *state;
  kr_engine_close(self->engine);
  self->engine = NULL;
  leave_intent(self);
  for (int i = 0; i < 3; i++) {
    fixture_reopen(self);
    assert_int_equal(count_events(self), 1);
  }
}

/* ---- runs given up, engines closed too early or opened twice ---- */

static void test_run_freed_half_way(void **state) {
  fixture *self = *state;
  receiver_process receiver;
  char text_of[512];
  kr_error error = {0};
  kr_run *run = NULL;
  assert_true(receiver_start(&receiver, NULL));
  assert_int_equal(work_set(self, &error), KR_OK);
  (void)snprintf(text_of, sizeof text_of,
                 "{\"name\":\"t\",\"perform\":{\"url\":\"http://127.0.0.1:%u/slow?ms=5000\","
                 "\"headers\":{\"X-A\":\"$secret.KEY\"}}}",
                 (unsigned)receiver.port);
  const kr_run_options options = {.org = text("default"),
                                  .connector = text(text_of),
                                  .payload = text("{}"),
                                  .allow_private = true};
  size_t used = kr_secure_used(self->engine->pool);
  assert_int_equal(kr_run_new(self->engine, &options, &run, &error), KR_OK);
  for (unsigned n_turns = 0; n_turns < 3; n_turns++) {
    assert_int_equal(kr_run_step(run), KR_RUN_NEED_HTTP);
    assert_int_equal(kr_http_drive(self->engine, 10, &error), KR_OK);
  }
  assert_true(kr_secure_used(self->engine->pool) > used);
  assert_int_equal(kr_run_result(run, &error), KR_INVALID);
  kr_run_free(run);
  assert_int_equal(kr_secure_used(self->engine->pool), used);
  /* No event yet, this process being alive; and the engine goes on. */
  assert_int_equal(count_events(self), 0);
  assert_int_equal(work_run(self, &error), KR_OK);
  (void)receiver_stop(&receiver, NULL, 0);
}

/* Does work end this process with an abort of ours? In a child that opens a home of its own. */
static void assert_aborts(fixture *self, void (*work)(fixture *self)) {
  kr_engine_close(self->engine);
  self->engine = NULL;
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    if (freopen("/dev/null", "w", stderr) == NULL)
      _exit(99);
    fixture_open(self);
    work(self);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void close_with_run(fixture *self) {
  const kr_run_options options = {
      .org = text("default"), .connector = text(connector), .payload = text("{}")};
  kr_run *run = NULL;
  if (kr_run_new(self->engine, &options, &run, NULL) == KR_OK)
    kr_engine_close(self->engine);
}

static void close_with_secret(fixture *self) {
  kr_secret *secret = NULL;
  if (kr_secret_copy(self->engine, text("abc"), &secret, NULL) == KR_OK)
    kr_engine_close(self->engine);
}

static void test_close_with_run(void **state) { assert_aborts(*state, close_with_run); }
static void test_close_with_secret(void **state) { assert_aborts(*state, close_with_secret); }

static void test_opened_twice(void **state) {
  fixture *self = *state;
  kr_engine *other = NULL;
  kr_error error = {0};
  const kr_home_options options = {.home = self->home, .key_file = self->key};
  assert_int_equal(kr_engine_open(&options, &other, &error), KR_EXISTS);
  assert_non_null(strstr(error.message, "is open in this process already"));
  assert_int_equal(work_run(self, &error), KR_OK);
}

#define N_WORKS (sizeof works / sizeof works[0])

int main(void) {
  const struct CMUnitTest others[] = {TEST(test_full_store_is_repeated),
                                      TEST(test_store_stays_full),
                                      TEST(test_event_cannot_be_stored),
                                      TEST(test_intent_cannot_be_stored),
                                      TEST(test_interrupted_once),
                                      TEST(test_run_freed_half_way),
                                      TEST(test_close_with_run),
                                      TEST(test_close_with_secret),
                                      TEST(test_opened_twice)};
  struct CMUnitTest rows[N_WORKS];
  for (size_t i = 0; i < N_WORKS; i++)
    rows[i] = (struct CMUnitTest){.name = works[i].name,
                                  .test_func = run_allocations,
                                  .setup_func = row_setup,
                                  .teardown_func = fixture_teardown,
                                  .initial_state = (void *)(uintptr_t)&works[i]};
  int n_failed = cmocka_run_group_tests_name("refused memory", rows, NULL, NULL);
  return n_failed + cmocka_run_group_tests_name("faults", others, NULL, NULL);
}
