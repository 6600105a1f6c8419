/* SPDX-License-Identifier: Apache-2.0 */
/* test_intents.c - intents settle, or are reconciled once their process is really gone. */
#define _GNU_SOURCE
#include "log.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_TEST(function)                                                                         \
  cmocka_unit_test_setup_teardown(function, test_log_setup, test_log_teardown)

#define MINUTE_MS INT64_C(60000)

static kr_status settle(void *ctx, const kr_intent *intent, kr_redacted **ret_record) {
  size_t *n_calls = ctx;
  (*n_calls)++;
  assert_int_equal(intent->org_id, 1);
  assert_true(kr_str_equal(intent->connector, KR_STR("orders")));
  assert_int_equal(intent->redact_generation, 7);
  assert_int_equal(intent->n_secrets, 2);
  assert_true(kr_str_equal(intent->secrets[0].name, KR_STR("CRM_API_KEY")));
  assert_int_equal(intent->secrets[0].version, 3);
  *ret_record = test_redacted("interrupted");
  return KR_OK;
}

static size_t reconcile(test_log *log, int64_t now_ms, int64_t min_age_ms) {
  size_t n_calls = 0;
  size_t count = 0;
  kr_status status =
      kr_events_reconcile(log->events, now_ms, min_age_ms, settle, &n_calls, &count, &log->error);
  if (status != KR_OK)
    fail_msg("%s", log->error.message);
  assert_int_equal(n_calls, count);
  return count;
}

static kr_events_head head_of(test_log *log) {
  kr_events_head head;
  kr_store_txn *txn = NULL;
  assert_int_equal(kr_store_begin(log->store, KR_STORE_READ, &txn, NULL), KR_OK);
  assert_int_equal(kr_events_head_read(log->events, txn, &head, NULL), KR_OK);
  kr_store_abort(txn);
  return head;
}

static void test_settled(void **state) {
  test_log *log = *state;
  assert_int_equal(test_intent(log, 1, 1, TEST_NOW_MS), KR_OK);
  assert_int_equal(head_of(log).n_pending, 1);
  assert_int_equal(test_intent(log, 1, 1, TEST_NOW_MS), KR_EXISTS);
  assert_int_equal(test_append(log, 2, 1), KR_INVALID); /* another organization's */
  assert_int_equal(test_append(log, 1, 1), KR_OK);
  assert_int_equal(head_of(log).n_pending, 0);
  assert_int_equal(head_of(log).n_intents, 1); /* kept: it is the audit of what was opened */
  assert_int_equal(test_intent(log, 1, 1, TEST_NOW_MS), KR_EXISTS);
  assert_int_equal(test_append(log, 1, 2), KR_OK);
  assert_int_equal(test_intent(log, 1, 2, TEST_NOW_MS), KR_EXISTS); /* its event came first */
  assert_int_equal(test_log_verify(log, NULL), KR_OK);
}

static void test_limits(void **state) {
  test_log *log = *state;
  char text[KR_EVENT_NAME_BYTES + 1];
  memset(text, 'x', sizeof text);
  kr_intent_secret secrets[KR_SECRETS_MAX + 1];
  for (size_t i = 0; i <= KR_SECRETS_MAX; i++)
    secrets[i] = (kr_intent_secret){kr_str_from(text, 128), 1};
  kr_intent intent = {.org_id = 1,
                      .connector = kr_str_from(text, KR_EVENT_NAME_BYTES),
                      .secrets = secrets,
                      .n_secrets = KR_SECRETS_MAX};
  test_event_id(1, intent.id);
  assert_int_equal(kr_events_intent(log->events, &intent, NULL), KR_OK);
  test_event_id(2, intent.id);
  intent.n_secrets = KR_SECRETS_MAX + 1;
  assert_int_equal(kr_events_intent(log->events, &intent, NULL), KR_LIMIT);
  intent.n_secrets = 0;
  intent.connector = kr_str_from(text, KR_EVENT_NAME_BYTES + 1);
  assert_int_equal(kr_events_intent(log->events, &intent, NULL), KR_LIMIT);
  intent.connector = KR_STR("");
  intent.org_id = 0;
  assert_int_equal(kr_events_intent(log->events, &intent, NULL), KR_INVALID);
  intent.org_id = 1;
  intent.id[0] = 'X';
  assert_int_equal(kr_events_intent(log->events, &intent, NULL), KR_INVALID);
}

/* This very process is alive: its run may still finish, however old. */
static void test_alive(void **state) {
  test_log *log = *state;
  assert_int_equal(test_intent(log, 1, 1, TEST_NOW_MS), KR_OK);
  assert_int_equal(reconcile(log, TEST_NOW_MS + 1000 * MINUTE_MS, MINUTE_MS), 0);
  assert_int_equal(test_append(log, 1, 1), KR_OK);
}

/* Write an intent as if by another process. */
static void put_intent_of(test_log *log, unsigned number, const kr_process_id *process) {
  assert_int_equal(test_intent(log, 1, number, TEST_NOW_MS), KR_OK);
  char id[KR_UUID_TEXT_BYTES];
  test_event_id(number, id);
  kr_event_place place = kr_event_place_intent(kr_str_cstr(id));
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(1000, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(1000, NULL);
  kr_status status = kr_wire_put_u32(&body, 1);
  status |= kr_wire_put_u64(&body, (uint64_t)TEST_NOW_MS);
  status |= kr_wire_put_str(&body, KR_STR("orders"));
  status |= kr_wire_put_u64(&body, 7);
  status |= kr_wire_put_u32(&body, process->pid);
  status |= kr_wire_put_u64(&body, process->start_ticks);
  status |= kr_wire_put_u64(&body, process->pid_namespace);
  status |= kr_wire_put_str(&body, kr_str_cstr(process->boot));
  status |= kr_wire_put_u8(&body, 2);
  status |= kr_wire_put_str(&body, KR_STR("CRM_API_KEY"));
  status |= kr_wire_put_u32(&body, 3);
  status |= kr_wire_put_str(&body, KR_STR("OTHER"));
  status |= kr_wire_put_u32(&body, 1);
  status |= kr_record_mac_seal(log->events->key, KR_DOMAIN_INTENT, kr_event_place_str(&place),
                               kr_buf_str(&body), &record, NULL);
  assert_int_equal(status, KR_OK);
  test_raw_put(log->store, kr_event_place_str(&place), kr_buf_str(&record));
}

/* A child tells who it is, lives, is killed, is a zombie, is gone. */
static void test_killed_child(void **state) {
  test_log *log = *state;
  int channel[2];
  kr_process_id child = {.pid = 0};
  int64_t later = TEST_NOW_MS + 2 * MINUTE_MS;
  assert_int_equal(pipe(channel), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    kr_process_id self = kr_process_self();
    if (write(channel[1], &self, sizeof self) != (ssize_t)sizeof self)
      _exit(1);
    for (;;)
      (void)pause();
  }
  assert_int_equal(read(channel[0], &child, sizeof child), (ssize_t)sizeof child);
  assert_int_equal(child.pid, pid);
  put_intent_of(log, 1, &child);
  assert_int_equal(reconcile(log, later, MINUTE_MS), 0);
  assert_int_equal(kill(pid, SIGKILL), 0);
  siginfo_t info;
  assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0); /* a zombie now */
  assert_int_equal(kr_process_look(&child), KR_PROCESS_GONE);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
  assert_int_equal(reconcile(log, TEST_NOW_MS + MINUTE_MS - 1, MINUTE_MS), 0); /* too young */
  assert_int_equal(reconcile(log, later, MINUTE_MS), 1);
  assert_int_equal(reconcile(log, later, MINUTE_MS), 0);
  assert_int_equal(head_of(log).n_events, 1);
  assert_int_equal(test_append(log, 1, 1), KR_EXISTS);
  assert_int_equal(test_log_verify(log, NULL), KR_OK);
  (void)close(channel[0]);
  (void)close(channel[1]);
}

typedef struct process_row {
  const char *name;
  kr_process_state expected;
  uint64_t start_change;
  uint64_t namespace_change;
  char boot_change;
} process_row;

static const process_row process_rows[] = {
    {"the same", KR_PROCESS_ALIVE, 0, 0, 0},
    {"the pid was used again", KR_PROCESS_GONE, 1, 0, 0},
    {"an earlier boot", KR_PROCESS_GONE, 0, 0, 'x'},
    {"another pid namespace", KR_PROCESS_UNKNOWN, 0, 1, 0},
};

static void run_process(void **state) {
  const process_row *row = *state;
  void *inner = NULL;
  (void)test_log_setup(&inner);
  test_log *log = inner;
  kr_process_id process = kr_process_self();
  assert_true(process.start_ticks > 0);
  assert_int_equal(strlen(process.boot), KR_BOOT_ID_BYTES);
  process.start_ticks += row->start_change;
  process.pid_namespace += row->namespace_change;
  if (row->boot_change != 0)
    process.boot[0] = row->boot_change;
  assert_int_equal(kr_process_look(&process), row->expected);
  put_intent_of(log, 1, &process);
  assert_int_equal(reconcile(log, TEST_NOW_MS + MINUTE_MS, MINUTE_MS),
                   row->expected == KR_PROCESS_GONE);
  /* Unknown ones only after an hour. */
  assert_int_equal(reconcile(log, TEST_NOW_MS + 60 * MINUTE_MS - 1, MINUTE_MS), 0);
  assert_int_equal(reconcile(log, TEST_NOW_MS + 60 * MINUTE_MS, MINUTE_MS),
                   row->expected == KR_PROCESS_UNKNOWN);
  assert_int_equal(test_log_verify(log, NULL), KR_OK);
  (void)test_log_teardown(&inner);
}

/* More than one batch, live ones among them. */
static void test_many(void **state) {
  test_log *log = *state;
  kr_process_id gone = kr_process_self();
  gone.start_ticks++;
  for (unsigned i = 0; i < 100; i++) {
    if (i % 3 == 0)
      assert_int_equal(test_intent(log, 1, i, TEST_NOW_MS), KR_OK);
    else
      put_intent_of(log, i, &gone);
  }
  assert_int_equal(reconcile(log, TEST_NOW_MS + 2 * MINUTE_MS, MINUTE_MS), 66);
  assert_int_equal(head_of(log).n_pending, 34);
  assert_int_equal(test_log_verify(log, NULL), KR_OK);
}

static const struct CMUnitTest single_tests[] = {
    LOG_TEST(test_settled),      LOG_TEST(test_limits), LOG_TEST(test_alive),
    LOG_TEST(test_killed_child), LOG_TEST(test_many),
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

int main(void) {
  static struct CMUnitTest tests[COUNT(process_rows) + COUNT(single_tests)];
  size_t n = 0;
  for (size_t i = 0; i < COUNT(process_rows); i++)
    tests[n++] = (struct CMUnitTest){process_rows[i].name, run_process, NULL, NULL,
                                     (void *)(uintptr_t)&process_rows[i]};
  memcpy(tests + n, single_tests, sizeof single_tests);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
