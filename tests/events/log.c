/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - see log.h. */
#include "log.h"

#include <stdlib.h>

static const uint8_t log_uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

int test_log_setup(void **state) {
  test_log *log = calloc(1, sizeof *log);
  assert_non_null(log);
  void *home = NULL;
  (void)test_home_setup(&home);
  log->home = home;
  const kr_secret *key = kr_vault_chain_key(log->home->vault);
  kr_store_txn *txn = NULL;
  assert_int_equal(kr_store_memory_new(&log->store, NULL), KR_OK);
  assert_int_equal(kr_store_begin(log->store, KR_STORE_WRITE, &txn, NULL), KR_OK);
  assert_int_equal(kr_events_create(txn, key, log_uuid, &log->error), KR_OK);
  assert_int_equal(kr_store_commit(txn, NULL), KR_OK);
  assert_int_equal(kr_events_open(log->store, key, log_uuid, &log->events, &log->error), KR_OK);
  *state = log;
  return 0;
}

int test_log_teardown(void **state) {
  test_log *log = *state;
  kr_events_free(log->events);
  kr_store_close(log->store);
  void *home = log->home;
  free(log);
  return test_home_teardown(&home);
}

kr_redacted *test_redacted(const char *text) {
  kr_redact_builder *builder = NULL;
  kr_redact_set *set = NULL;
  kr_record *record = NULL;
  kr_redacted *redacted = NULL;
  assert_int_equal(kr_redact_builder_new(&builder, NULL), KR_OK);
  assert_int_equal(kr_redact_builder_build(builder, &set, NULL), KR_OK);
  assert_int_equal(kr_record_new(set, &record, NULL), KR_OK);
  kr_record_begin_object(record);
  kr_record_key(record, "text");
  kr_record_text(record, "text", kr_str_cstr(text), NULL);
  kr_record_key(record, "receipt");
  kr_record_receipt(record, 1);
  kr_record_end_object(record);
  assert_int_equal(kr_record_finish(record, &redacted, NULL), KR_OK);
  kr_record_free(record);
  kr_redact_set_free(set);
  kr_redact_builder_free(builder);
  return redacted;
}

void test_event_id(unsigned number, char out[KR_UUID_TEXT_BYTES]) {
  (void)snprintf(out, KR_UUID_TEXT_BYTES, "%08x-0000-7000-8000-%012x", number, number);
}

kr_status test_append(test_log *log, uint32_t org_id, unsigned number) {
  char text[32];
  kr_event_head head = {.org_id = org_id, .started_ms = TEST_NOW_MS, .status = KR_EVENT_COMPLETED};
  (void)snprintf(text, sizeof text, "event %u", number);
  test_event_id(number, head.id);
  kr_redacted *redacted = test_redacted(text);
  kr_status status = kr_events_append(log->events, &head, redacted, &log->error);
  kr_redacted_free(redacted);
  if (status == KR_OK)
    assert_true(head.sequence > 0);
  else
    assert_int_equal(head.sequence, 0);
  return status;
}

kr_status test_intent(test_log *log, uint32_t org_id, unsigned number, int64_t started_ms) {
  const kr_intent_secret secrets[] = {{KR_STR("CRM_API_KEY"), 3}, {KR_STR("OTHER"), 1}};
  kr_intent intent = {.org_id = org_id,
                      .started_ms = started_ms,
                      .connector = KR_STR("orders"),
                      .secrets = secrets,
                      .n_secrets = 2,
                      .redact_generation = 7};
  test_event_id(number, intent.id);
  return kr_events_intent(log->events, &intent, &log->error);
}

kr_status test_log_verify(test_log *log, uint64_t *ret_count) {
  uint64_t count = 0;
  kr_status status = kr_events_verify(log->events, &count, &log->error);
  if (ret_count != NULL)
    *ret_count = count;
  return status;
}
