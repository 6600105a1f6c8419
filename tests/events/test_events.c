/* SPDX-License-Identifier: Apache-2.0 */
/* test_events.c - append, read, find, isolation, and every way a stored log can be altered. */
#include "log.h"

#include "support/failalloc.h"

#include <stdlib.h>

#define LOG_TEST(function)                                                                         \
  cmocka_unit_test_setup_teardown(function, test_log_setup, test_log_teardown)

/* What a visit saw: "SEQUENCE:EVENT " for each. */
typedef struct seen {
  kr_buf text;
  uint32_t org_id;
  bool is_verified;
} seen;

static kr_status see(void *ctx, const kr_event_head *head, kr_str json, bool is_verified) {
  seen *into = ctx;
  assert_int_equal(head->org_id, into->org_id);
  assert_int_equal(head->started_ms, TEST_NOW_MS);
  assert_int_equal(is_verified, into->is_verified);
  size_t at = kr_str_find(json, KR_STR("event "), 0);
  assert_true(at != SIZE_MAX);
  unsigned number = (unsigned)strtoul((const char *)json.ptr + at + 6, NULL, 10);
  return kr_buf_printf(&into->text, "%llu:%u ", (unsigned long long)head->sequence, number);
}

static kr_status list(test_log *log, uint32_t org_id, size_t max, const char *expected) {
  seen into = {
      .text = KR_BUF_INIT(4096, NULL), .org_id = org_id, .is_verified = log->events->key != NULL};
  kr_status status = kr_events_each(log->events, org_id, max, see, &into, &log->error);
  if (status == KR_OK)
    assert_true(kr_str_equal(kr_buf_str(&into.text), kr_str_cstr(expected)));
  kr_buf_done(&into.text);
  return status;
}

static kr_status find(test_log *log, uint32_t org_id, const char *id, const char *expected) {
  seen into = {
      .text = KR_BUF_INIT(4096, NULL), .org_id = org_id, .is_verified = log->events->key != NULL};
  kr_status status = kr_events_find(log->events, org_id, kr_str_cstr(id), see, &into, &log->error);
  if (status == KR_OK)
    assert_true(kr_str_equal(kr_buf_str(&into.text), kr_str_cstr(expected)));
  kr_buf_done(&into.text);
  return status;
}

static void test_newest_first(void **state) {
  test_log *log = *state;
  uint64_t count = 0;
  assert_int_equal(list(log, 1, 10, ""), KR_OK);
  for (unsigned i = 1; i <= 3; i++)
    assert_int_equal(test_append(log, 1, i), KR_OK);
  assert_int_equal(test_append(log, 2, 4), KR_OK);
  assert_int_equal(test_append(log, 1, 5), KR_OK);
  assert_int_equal(list(log, 1, 10, "5:5 3:3 2:2 1:1 "), KR_OK);
  assert_int_equal(list(log, 1, 2, "5:5 3:3 "), KR_OK);
  assert_int_equal(list(log, 2, 10, "4:4 "), KR_OK);
  assert_int_equal(list(log, 3, 10, ""), KR_OK);
  assert_int_equal(list(log, 0, 10, ""), KR_INVALID);
  assert_int_equal(test_log_verify(log, &count), KR_OK);
  assert_int_equal(count, 5);
}

static void test_find(void **state) {
  test_log *log = *state;
  assert_int_equal(test_append(log, 1, 0xab), KR_OK);
  assert_int_equal(test_append(log, 2, 0xac), KR_OK);
  assert_int_equal(find(log, 1, "000000ab-0000-7000-8000-0000000000ab", "1:171 "), KR_OK);
  assert_int_equal(find(log, 1, "000000ab", "1:171 "), KR_OK);
  assert_int_equal(find(log, 1, "000000AB-00", "1:171 "), KR_OK);
  assert_int_equal(find(log, 1, "000000a", ""), KR_INVALID);
  assert_int_equal(find(log, 1, "000000ax", ""), KR_INVALID);
  assert_int_equal(find(log, 1, "000000ab-0000-7000-8000-0000000000ab0", ""), KR_INVALID);
  assert_int_equal(find(log, 1, "000000ac", ""), KR_NOT_FOUND); /* of another organization */
  /* A prefix of two events. */
  kr_event_head head = {
      .org_id = 1, .status = KR_EVENT_FAILED, .id = "000000ab-0000-7000-8000-0000000000ac"};
  kr_redacted *redacted = test_redacted("event 9");
  assert_int_equal(kr_events_append(log->events, &head, redacted, NULL), KR_OK);
  kr_redacted_free(redacted);
  assert_int_equal(find(log, 1, "000000ab", ""), KR_INVALID);
  assert_int_equal(find(log, 1, "000000ab-0000-7000-8000-0000000000ab", "1:171 "), KR_OK);
}

static void test_refused(void **state) {
  test_log *log = *state;
  kr_redacted *redacted = test_redacted("event 1");
  kr_event_head head = {.org_id = 1, .id = "not-an-id"};
  assert_int_equal(kr_events_append(log->events, &head, redacted, NULL), KR_INVALID);
  test_event_id(1, head.id);
  head.org_id = 0;
  assert_int_equal(kr_events_append(log->events, &head, redacted, NULL), KR_INVALID);
  head.org_id = 1;
  head.status = (kr_event_status)9;
  assert_int_equal(kr_events_append(log->events, &head, redacted, NULL), KR_INVALID);
  kr_redacted_free(redacted);
  assert_int_equal(test_append(log, 1, 1), KR_OK);
  assert_int_equal(test_append(log, 1, 1), KR_EXISTS);
  assert_int_equal(list(log, 1, 10, "1:1 "), KR_OK);
}

static void test_keyless_and_others(void **state) {
  test_log *log = *state;
  assert_int_equal(test_append(log, 1, 1), KR_OK);
  kr_events *keyed = log->events;
  uint8_t uuid[16];
  memcpy(uuid, keyed->uuid, sizeof uuid);
  assert_int_equal(kr_events_open(log->store, NULL, uuid, &log->events, NULL), KR_OK);
  assert_int_equal(list(log, 1, 10, "1:1 "), KR_OK);
  assert_int_equal(find(log, 1, "00000001", "1:1 "), KR_OK);
  assert_int_equal(test_append(log, 1, 2), KR_UNTRUSTED);
  assert_int_equal(test_log_verify(log, NULL), KR_UNTRUSTED);
  kr_events_free(log->events);
  log->events = NULL;
  uuid[0] ^= 1;
  assert_int_equal(kr_events_open(log->store, keyed->key, uuid, &log->events, NULL), KR_UNTRUSTED);
  uuid[0] ^= 1;
  assert_int_equal(
      kr_events_open(log->store, log->home->vault->keys.record, uuid, &log->events, NULL),
      KR_CORRUPT);
  log->events = keyed;
}

static void test_failed_commit(void **state) {
  test_log *log = *state;
  assert_int_equal(test_append(log, 1, 1), KR_OK);
  kr_store_memory_fail_commit(log->store, 1);
  assert_int_equal(test_append(log, 1, 2), KR_IO);
  assert_int_equal(list(log, 1, 10, "1:1 "), KR_OK);
  assert_int_equal(test_log_verify(log, NULL), KR_OK);
  assert_int_equal(test_append(log, 1, 2), KR_OK);
  assert_int_equal(list(log, 1, 10, "2:2 1:1 "), KR_OK);
}

static void test_allocations(void **state) {
  test_log *log = *state;
  kr_redacted *redacted = test_redacted("event 1");
  kr_event_head head = {.org_id = 1, .started_ms = TEST_NOW_MS};
  test_event_id(1, head.id);
  for (size_t n = 0; n < 1000; n++) {
    kr_test_fail_at(n);
    kr_status status = kr_events_append(log->events, &head, redacted, NULL);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      assert_true(n > 3);
      break;
    }
    assert_int_equal(status, KR_NOMEM);
  }
  kr_redacted_free(redacted);
  assert_int_equal(list(log, 1, 10, "1:1 "), KR_OK);
  assert_int_equal(test_log_verify(log, NULL), KR_OK);
}

/* ---- altered logs ---- */

static void fill(test_log *log) {
  assert_int_equal(test_intent(log, 1, 1, TEST_NOW_MS), KR_OK);
  assert_int_equal(test_append(log, 1, 1), KR_OK);
  assert_int_equal(test_append(log, 2, 2), KR_OK);
  assert_int_equal(test_append(log, 1, 3), KR_OK);
  assert_int_equal(test_intent(log, 1, 9, TEST_NOW_MS), KR_OK);
}

static void test_every_byte(void **state) {
  test_log *log = *state;
  fill(log);
  assert_int_equal(test_log_verify(log, NULL), KR_OK);
  test_dump dump = test_dump_store(log->store);
  for (size_t i = 0; i < dump.count; i++) {
    kr_str value = dump.records[i].value;
    uint8_t *bytes = malloc(value.len);
    assert_non_null(bytes);
    for (size_t at = 0; at < value.len; at++) {
      memcpy(bytes, value.ptr, value.len);
      bytes[at] ^= (uint8_t)(1u << (at % 8));
      test_raw_put(log->store, dump.records[i].key, kr_str_from(bytes, value.len));
      kr_status status = test_log_verify(log, NULL);
      if (status != KR_CORRUPT && status != KR_UNSUPPORTED && status != KR_UNTRUSTED)
        fail_msg("record %zu, byte %zu: %s", i, at, kr_status_name(status));
      /* Reading shows what was written, or nothing. */
      status = list(log, 1, 10, "3:3 1:1 ");
      assert_int_not_equal(status, KR_NOT_FOUND);
    }
    free(bytes);
    test_raw_put(log->store, dump.records[i].key, value);
  }
  assert_int_equal(test_log_verify(log, NULL), KR_OK);
  test_dump_free(&dump);
}

static void test_every_removal(void **state) {
  test_log *log = *state;
  fill(log);
  test_dump dump = test_dump_store(log->store);
  for (size_t i = 0; i < dump.count; i++) {
    test_raw_remove(log->store, dump.records[i].key);
    kr_status status = test_log_verify(log, NULL);
    bool is_head = kr_str_equal(dump.records[i].key, KR_STR("eh"));
    if (status != (is_head ? KR_NOT_FOUND : KR_CORRUPT))
      fail_msg("record %zu removed: %s", i, kr_status_name(status));
    test_raw_put(log->store, dump.records[i].key, dump.records[i].value);
  }
  test_dump_free(&dump);
}

static void test_every_move(void **state) {
  test_log *log = *state;
  fill(log);
  test_dump dump = test_dump_store(log->store);
  for (size_t i = 0; i < dump.count; i++) {
    for (size_t j = 0; j < dump.count; j++) {
      if (i == j)
        continue;
      test_raw_put(log->store, dump.records[i].key, dump.records[j].value);
      assert_int_not_equal(test_log_verify(log, NULL), KR_OK);
    }
    test_raw_put(log->store, dump.records[i].key, dump.records[i].value);
  }
  test_dump_free(&dump);
}

static kr_str value_at(const test_dump *dump, kr_str key) {
  for (size_t i = 0; i < dump->count; i++)
    if (kr_str_equal(dump->records[i].key, key))
      return dump->records[i].value;
  fail_msg("no such record");
  return (kr_str){0};
}

/* The first bad sequence is named. */
static void test_named(void **state) {
  test_log *log = *state;
  fill(log);
  test_dump dump = test_dump_store(log->store);
  kr_event_place second = kr_event_place_record(2);
  kr_event_place third = kr_event_place_record(3);
  kr_str second_value = value_at(&dump, kr_event_place_str(&second));
  kr_str third_value = value_at(&dump, kr_event_place_str(&third));

  test_raw_remove(log->store, kr_event_place_str(&second)); /* a gap */
  assert_int_equal(test_log_verify(log, NULL), KR_CORRUPT);
  assert_non_null(strstr(log->error.message, "event 2 is missing"));

  test_raw_put(log->store, kr_event_place_str(&second), third_value); /* swapped */
  test_raw_put(log->store, kr_event_place_str(&third), second_value);
  assert_int_equal(test_log_verify(log, NULL), KR_CORRUPT);
  assert_non_null(strstr(log->error.message, "event 2 fails"));
  assert_int_equal(list(log, 1, 10, ""), KR_CORRUPT);
  test_restore_store(log->store, &dump);

  test_raw_remove(log->store, kr_event_place_str(&third)); /* the last one */
  assert_int_equal(test_log_verify(log, NULL), KR_CORRUPT);
  assert_non_null(strstr(log->error.message, "event 3 is missing"));
  test_dump_free(&dump);
}

/* Two histories with the same numbers: an event of one does not fit into the other. */
static void test_spliced(void **state) {
  test_log *log = *state;
  assert_int_equal(test_append(log, 1, 1), KR_OK);
  test_dump base = test_dump_store(log->store);
  assert_int_equal(test_append(log, 1, 2), KR_OK);
  assert_int_equal(test_append(log, 1, 3), KR_OK);
  test_dump one = test_dump_store(log->store);
  test_restore_store(log->store, &base);
  assert_int_equal(test_append(log, 1, 2), KR_OK);
  assert_int_equal(test_append(log, 1, 4), KR_OK);
  kr_event_place second = kr_event_place_record(2);
  kr_event_place third = kr_event_place_record(3);
  /* Event 2 is the same in both; event 3 is not. */
  test_raw_put(log->store, kr_event_place_str(&second),
               value_at(&one, kr_event_place_str(&second)));
  assert_int_equal(test_log_verify(log, NULL), KR_OK);
  test_raw_put(log->store, kr_event_place_str(&third), value_at(&one, kr_event_place_str(&third)));
  assert_int_equal(test_log_verify(log, NULL), KR_CORRUPT);
  /* All of the one, under the head of the other. */
  test_dump two = test_dump_store(log->store);
  test_restore_store(log->store, &one);
  test_raw_put(log->store, KR_STR("eh"), value_at(&two, KR_STR("eh")));
  assert_int_equal(test_log_verify(log, NULL), KR_CORRUPT);
  assert_non_null(strstr(log->error.message, "event 3 does not lead to the head"));
  test_dump_free(&base);
  test_dump_free(&one);
  test_dump_free(&two);
}

/* The chain value alone is altered: records are whole, the chain is not. */
static void test_chain_break(void **state) {
  test_log *log = *state;
  fill(log);
  test_dump dump = test_dump_store(log->store);
  kr_event_place second = kr_event_place_record(2);
  kr_str value = value_at(&dump, kr_event_place_str(&second));
  uint8_t *bytes = malloc(value.len);
  assert_non_null(bytes);
  memcpy(bytes, value.ptr, value.len);
  bytes[value.len - 1] ^= 1;
  test_raw_put(log->store, kr_event_place_str(&second), kr_str_from(bytes, value.len));
  free(bytes);
  assert_int_equal(test_log_verify(log, NULL), KR_CORRUPT);
  assert_non_null(strstr(log->error.message, "event 2 does not follow"));
  test_dump_free(&dump);
}

/* Whoever can write the store but has no key: an index entry that leads to another organization. */
static void test_forged_index(void **state) {
  test_log *log = *state;
  fill(log);
  kr_event_place own = kr_event_place_by_org(1, 1);
  kr_event_place forged = kr_event_place_by_org(2, 1);
  test_dump dump = test_dump_store(log->store);
  test_raw_put(log->store, kr_event_place_str(&forged), value_at(&dump, kr_event_place_str(&own)));
  assert_int_equal(list(log, 2, 10, "2:2 "), KR_CORRUPT);
  assert_int_equal(test_log_verify(log, NULL), KR_CORRUPT);
  test_restore_store(log->store, &dump);
  char id[KR_UUID_TEXT_BYTES];
  test_event_id(1, id);
  own = kr_event_place_by_id(1, kr_str_cstr(id));
  forged = kr_event_place_by_id(2, kr_str_cstr(id));
  test_raw_put(log->store, kr_event_place_str(&forged), value_at(&dump, kr_event_place_str(&own)));
  assert_int_equal(find(log, 2, id, ""), KR_CORRUPT);
  test_dump_free(&dump);
}

/* The mark of a settled intent put back in place of a pending one's: the counts still fit. */
static void test_pending_exchanged(void **state) {
  test_log *log = *state;
  char first[KR_UUID_TEXT_BYTES];
  char second[KR_UUID_TEXT_BYTES];
  test_event_id(1, first);
  test_event_id(2, second);
  kr_event_place settled = kr_event_place_pending(kr_str_cstr(first));
  kr_event_place pending = kr_event_place_pending(kr_str_cstr(second));
  assert_int_equal(test_intent(log, 1, 1, TEST_NOW_MS), KR_OK);
  test_dump before = test_dump_store(log->store);
  assert_int_equal(test_append(log, 1, 1), KR_OK);
  assert_int_equal(test_intent(log, 1, 2, TEST_NOW_MS), KR_OK);
  test_raw_remove(log->store, kr_event_place_str(&pending));
  test_raw_put(log->store, kr_event_place_str(&settled),
               value_at(&before, kr_event_place_str(&settled)));
  assert_int_equal(test_log_verify(log, NULL), KR_CORRUPT);
  assert_non_null(strstr(log->error.message, "either pending or settled"));
  test_dump_free(&before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      LOG_TEST(test_newest_first),  LOG_TEST(test_find),
      LOG_TEST(test_refused),       LOG_TEST(test_keyless_and_others),
      LOG_TEST(test_failed_commit), LOG_TEST(test_allocations),
      LOG_TEST(test_every_byte),    LOG_TEST(test_every_removal),
      LOG_TEST(test_every_move),    LOG_TEST(test_named),
      LOG_TEST(test_spliced),       LOG_TEST(test_chain_break),
      LOG_TEST(test_forged_index),  LOG_TEST(test_pending_exchanged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
