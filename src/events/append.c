/* SPDX-License-Identifier: Apache-2.0 */
/*
 * append.c - events in. One transaction writes the record, both index entries,
 * the end of a pending intent, and the head; nothing is ever rewritten.
 *
 *   event = organization u32 | id str | started u64 (ms) | status u8 | json str | MAC(32) |
 * chain(32)
 */
#include "events/internal.h"

static kr_status kr_event_body(const kr_event_head *head, kr_str json, kr_buf *out) {
  KR_TRY(kr_wire_put_u32(out, head->org_id));
  KR_TRY(kr_wire_put_str(out, kr_str_cstr(head->id)));
  KR_TRY(kr_wire_put_u64(out, (uint64_t)head->started_ms));
  KR_TRY(kr_wire_put_u8(out, (uint8_t)head->status));
  return kr_wire_put_str(out, json);
}

kr_status kr_event_put(const kr_events *events, kr_store_txn *txn, kr_events_head *log,
                       const kr_event_head *head, kr_str json, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(KR_EVENT_RECORD_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_EVENT_RECORD_BYTES, NULL);
  kr_event_place place = kr_event_place_record(head->sequence);
  kr_str at = kr_event_place_str(&place);
  KR_TRY(kr_buf_explain(&body, kr_event_body(head, json, &body), "an event", reterr));
  KR_TRY(kr_record_mac_seal(events->key, KR_DOMAIN_EVENT, at, kr_buf_str(&body), &record, reterr));
  kr_str mac = kr_str_skip(kr_buf_str(&record), record.len - KR_MAC_BYTES);
  uint8_t chain[KR_CHAIN_BYTES];
  KR_TRY(kr_events_chain(events, head->sequence, mac, log->chain, chain, reterr));
  kr_status status = kr_buf_append(&record, kr_str_from(chain, sizeof chain));
  KR_TRY(kr_buf_explain(&record, status, "an event", reterr));
  memcpy(log->chain, chain, sizeof chain);
  log->n_events = head->sequence;
  status = kr_store_put_new(txn, at, kr_buf_str(&record), reterr);
  if (status == KR_EXISTS)
    return kr_events_corrupt(reterr, "the event log's head was put back to an older state");
  return status;
}

kr_status kr_event_index(const kr_events *events, kr_store_txn *txn, const kr_event_head *head,
                         kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf number = KR_BUF_INIT(64, NULL);
  kr_event_place by_id = kr_event_place_by_id(head->org_id, kr_str_cstr(head->id));
  kr_event_place by_org = kr_event_place_by_org(head->org_id, head->sequence);
  KR_TRY(kr_buf_explain(&number, kr_wire_put_u64(&number, head->sequence), "an event", reterr));
  kr_status status =
      kr_events_insert(events, txn, KR_DOMAIN_EVENT_BY_ID, &by_id, kr_buf_str(&number), reterr);
  if (status == KR_EXISTS)
    return kr_fail(reterr, KR_EXISTS, "event %s is in the log already", head->id);
  KR_TRY(status);
  status = kr_events_insert(events, txn, KR_DOMAIN_EVENT_BY_ORG, &by_org, KR_STR(""), reterr);
  if (status == KR_EXISTS)
    return kr_events_corrupt(reterr, "the index of events does not match the log");
  return status;
}

/* The intent of this id, if there is one, is no longer pending. */
static kr_status kr_event_settle(const kr_events *events, kr_store_txn *txn, kr_events_head *log,
                                 const kr_event_head *head, kr_error *reterr) {
  kr_str id = kr_str_cstr(head->id);
  kr_event_place intent_place = kr_event_place_intent(id);
  kr_event_place pending = kr_event_place_pending(id);
  kr_str bytes = {0};
  kr_status status = kr_store_get(txn, kr_event_place_str(&intent_place), &bytes, reterr);
  if (status == KR_NOT_FOUND)
    return KR_OK;
  KR_TRY(status);
  kr_intent_record intent;
  KR_TRY(kr_intent_parse(events, id, bytes, &intent, reterr));
  if (intent.intent.org_id != head->org_id)
    return kr_fail(reterr, KR_INVALID, "event %s is of another organization than its intent",
                   head->id);
  status = kr_store_remove(txn, kr_event_place_str(&pending), reterr);
  if (status == KR_NOT_FOUND || log->n_pending == 0)
    return kr_events_corrupt(reterr, "intent %s is neither pending nor settled", head->id);
  log->n_pending--;
  return status;
}

static kr_status kr_event_head_check(const kr_event_head *head, kr_error *reterr) {
  bool is_id = memchr(head->id, '\0', sizeof head->id) != NULL &&
               kr_event_id_is_valid(kr_str_cstr(head->id));
  if (!is_id)
    return kr_fail(reterr, KR_INVALID, "an event's id is a UUID in lower case");
  if (head->org_id == 0)
    return kr_fail(reterr, KR_INVALID, "an event belongs to an organization");
  if ((unsigned)head->status > KR_EVENT_INTERRUPTED)
    return kr_fail(reterr, KR_INVALID, "an event has no such status");
  return KR_OK;
}

typedef struct kr_event_appending {
  kr_events *events;
  kr_event_head head;
  kr_str json;
} kr_event_appending;

static kr_status kr_event_append_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  kr_event_appending *appending = ctx;
  kr_events *events = appending->events;
  kr_event_head *event = &appending->head;
  kr_events_head log;
  KR_TRY(kr_events_head_read(events, txn, &log, reterr));
  event->sequence = log.n_events + 1;
  KR_TRY(kr_event_index(events, txn, event, reterr));
  KR_TRY(kr_event_settle(events, txn, &log, event, reterr));
  KR_TRY(kr_event_put(events, txn, &log, event, appending->json, reterr));
  return kr_events_head_write(events, txn, &log, reterr);
}

kr_status kr_events_append(kr_events *events, kr_event_head *head, const kr_redacted *record,
                           kr_error *reterr) {
  KR_TRY(kr_events_need_key(events, reterr));
  KR_TRY(kr_event_head_check(head, reterr));
  kr_str json = kr_redacted_text(record);
  if (json.len > KR_RECORD_MAX_BYTES)
    return kr_fail(reterr, KR_LIMIT, "an event is at most %u bytes", KR_RECORD_MAX_BYTES);
  kr_event_appending appending = {.events = events, .head = *head, .json = json};
  KR_TRY(kr_store_write(events->store, kr_event_append_change, &appending, reterr));
  head->sequence = appending.head.sequence;
  return KR_OK;
}
