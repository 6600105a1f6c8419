/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - an event log in memory, and records made by the real redactor. */
#ifndef KR_TEST_EVENTS_LOG_H
#define KR_TEST_EVENTS_LOG_H

#include "events/internal.h"
#include "vault/support.h"

typedef struct test_log {
  test_home *home; /* its key; the log is a store of its own */
  kr_store *store;
  kr_events *events;
  kr_error error;
} test_log;

int test_log_setup(void **state);
int test_log_teardown(void **state);

/** {"text": TEXT, "receipt": ...}, TEXT redacted by an empty set. */
kr_redacted *test_redacted(const char *text);

/** "00000000-0000-7000-8000-NNNNNNNNNNNN" */
void test_event_id(unsigned number, char out[KR_UUID_TEXT_BYTES]);

/** Append event number of an organization; its text is "event NUMBER". */
kr_status test_append(test_log *log, uint32_t org_id, unsigned number);
kr_status test_intent(test_log *log, uint32_t org_id, unsigned number, int64_t started_ms);
kr_status test_log_verify(test_log *log, uint64_t *ret_count);

#endif
