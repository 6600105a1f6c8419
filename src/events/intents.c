/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intents.c - what a run is about to do, durable before it does it, and the
 * end of intents whose process died.
 *
 *   intent = organization u32 | started u64 (ms) | connector str | redaction generation u64
 *            | pid u32 | start ticks u64 | pid namespace u64 | boot str
 *            | secrets u8 | secrets * (name str | version u32) | MAC
 */
#include "events/internal.h"

#define KR_INTENT_SECRET_NAME_BYTES 161u /* NAME@environment */
#define KR_RECONCILE_BATCH 32u           /* pending intents looked at per read transaction */

/* A run seen from another pid namespace cannot be looked up; runs are over long before this. */
#define KR_INTENT_UNKNOWN_AGE_MS INT64_C(3600000)

static kr_status kr_intent_check(const kr_intent *intent, kr_error *reterr) {
  bool is_id = memchr(intent->id, '\0', sizeof intent->id) != NULL &&
               kr_event_id_is_valid(kr_str_cstr(intent->id));
  if (!is_id)
    return kr_fail(reterr, KR_INVALID, "an intent's id is a UUID in lower case");
  if (intent->org_id == 0)
    return kr_fail(reterr, KR_INVALID, "an intent belongs to an organization");
  if (intent->connector.len > KR_EVENT_NAME_BYTES)
    return kr_fail(reterr, KR_LIMIT, "a connector's name is at most %u bytes", KR_EVENT_NAME_BYTES);
  if (intent->n_secrets > KR_SECRETS_MAX)
    return kr_fail(reterr, KR_LIMIT, "a run opens at most %d secrets", KR_SECRETS_MAX);
  for (size_t i = 0; i < intent->n_secrets; i++)
    if (intent->secrets[i].name.len > KR_INTENT_SECRET_NAME_BYTES)
      return kr_fail(reterr, KR_LIMIT, "a secret's name is at most %u bytes",
                     KR_INTENT_SECRET_NAME_BYTES);
  return KR_OK;
}

static kr_status kr_intent_body(const kr_intent *intent, const kr_process_id *process,
                                kr_buf *out) {
  KR_TRY(kr_wire_put_u32(out, intent->org_id));
  KR_TRY(kr_wire_put_u64(out, (uint64_t)intent->started_ms));
  KR_TRY(kr_wire_put_str(out, intent->connector));
  KR_TRY(kr_wire_put_u64(out, intent->redact_generation));
  KR_TRY(kr_wire_put_u32(out, process->pid));
  KR_TRY(kr_wire_put_u64(out, process->start_ticks));
  KR_TRY(kr_wire_put_u64(out, process->pid_namespace));
  KR_TRY(kr_wire_put_str(out, kr_str_cstr(process->boot)));
  KR_TRY(kr_wire_put_u8(out, (uint8_t)intent->n_secrets));
  for (size_t i = 0; i < intent->n_secrets; i++) {
    KR_TRY(kr_wire_put_str(out, intent->secrets[i].name));
    KR_TRY(kr_wire_put_u32(out, intent->secrets[i].version));
  }
  return KR_OK;
}

static kr_status kr_intent_put(kr_events *events, kr_store_txn *txn, const kr_intent *intent,
                               kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(KR_INTENT_RECORD_BYTES, NULL);
  kr_process_id process = kr_process_self();
  kr_str id = kr_str_cstr(intent->id);
  kr_event_place place = kr_event_place_intent(id);
  kr_event_place pending = kr_event_place_pending(id);
  KR_TRY(kr_buf_explain(&body, kr_intent_body(intent, &process, &body), "an intent", reterr));
  kr_status status =
      kr_events_insert(events, txn, KR_DOMAIN_INTENT, &place, kr_buf_str(&body), reterr);
  if (status == KR_OK)
    status = kr_events_insert(events, txn, KR_DOMAIN_PENDING, &pending, KR_STR(""), reterr);
  if (status == KR_EXISTS)
    return kr_fail(reterr, KR_EXISTS, "intent %s is in the log already", intent->id);
  return status;
}

typedef struct kr_intent_adding {
  kr_events *events;
  const kr_intent *intent;
} kr_intent_adding;

static kr_status kr_intent_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_intent_adding *adding = ctx;
  kr_events *events = adding->events;
  const kr_intent *intent = adding->intent;
  kr_events_head log;
  uint64_t sequence = 0;
  KR_TRY(kr_events_head_read(events, txn, &log, reterr));
  kr_status status =
      kr_event_by_id(events, txn, intent->org_id, kr_str_cstr(intent->id), &sequence, reterr);
  if (status == KR_OK)
    return kr_fail(reterr, KR_EXISTS, "event %s is in the log already", intent->id);
  if (status != KR_NOT_FOUND)
    return status;
  KR_TRY(kr_intent_put(events, txn, intent, reterr));
  log.n_intents++;
  log.n_pending++;
  return kr_events_head_write(events, txn, &log, reterr);
}

kr_status kr_events_intent(kr_events *events, const kr_intent *intent, kr_error *reterr) {
  KR_TRY(kr_events_need_key(events, reterr));
  KR_TRY(kr_intent_check(intent, reterr));
  kr_intent_adding adding = {.events = events, .intent = intent};
  return kr_store_write(events->store, kr_intent_change, &adding, reterr);
}

static void kr_intent_read(kr_wire_reader *reader, kr_intent_record *record) {
  kr_intent *intent = &record->intent;
  intent->org_id = kr_wire_get_u32(reader);
  intent->started_ms = (int64_t)kr_wire_get_u64(reader);
  intent->connector = kr_wire_get_str(reader);
  intent->redact_generation = kr_wire_get_u64(reader);
  record->process.pid = kr_wire_get_u32(reader);
  record->process.start_ticks = kr_wire_get_u64(reader);
  record->process.pid_namespace = kr_wire_get_u64(reader);
  kr_str boot = kr_wire_get_str(reader);
  intent->n_secrets = kr_wire_get_u8(reader);
  if (boot.len > KR_BOOT_ID_BYTES || intent->n_secrets > KR_SECRETS_MAX)
    reader->is_bad = true;
  if (reader->is_bad)
    return;
  if (boot.len > 0)
    memcpy(record->process.boot, boot.ptr, boot.len);
  for (size_t i = 0; i < intent->n_secrets; i++) {
    record->secrets[i].name = kr_wire_get_str(reader);
    record->secrets[i].version = kr_wire_get_u32(reader);
  }
}

kr_status kr_intent_parse(const kr_events *events, kr_str id, kr_str bytes,
                          kr_intent_record *ret_record, kr_error *reterr) {
  kr_event_place place = kr_event_place_intent(id);
  kr_str payload = {0};
  kr_status status = kr_record_mac_open(events->key, KR_DOMAIN_INTENT, kr_event_place_str(&place),
                                        bytes, &payload, reterr);
  if (status == KR_CORRUPT || !kr_event_id_is_valid(id))
    return kr_events_corrupt(reterr, "the intent of a run fails its integrity check");
  KR_TRY(status);
  memset(ret_record, 0, sizeof *ret_record);
  kr_wire_reader reader = kr_wire_reader_init(payload);
  kr_intent_read(&reader, ret_record);
  if (!kr_wire_is_end(&reader))
    return kr_events_corrupt(reterr, "intent %.*s is not well-formed", KR_FMT(id));
  memcpy(ret_record->intent.id, id.ptr, id.len);
  ret_record->intent.secrets = ret_record->secrets;
  return KR_OK;
}

/* ---- reconcile ---- */

typedef struct kr_reconcile {
  kr_events *events;
  int64_t now_ms;
  int64_t min_age_ms;
  kr_intent_settle settle;
  void *ctx;
  char ids[KR_RECONCILE_BATCH][KR_EVENT_ID_BYTES + 1];
  size_t n_ids;
  size_t n_settled;
} kr_reconcile;

/* The next pending ids after the last of the batch before. */
static kr_status kr_reconcile_fetch(kr_reconcile *work, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(work->events->store, KR_STORE_READ, &txn, reterr));
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_event_place from = {.len = 0};
  kr_str last = {0};
  if (work->n_ids > 0) {
    last = kr_str_cstr(work->ids[work->n_ids - 1]);
    from = kr_event_place_pending(last);
  }
  char before[KR_EVENT_ID_BYTES + 1] = "";
  if (last.len > 0)
    memcpy(before, last.ptr, last.len);
  work->n_ids = 0;
  KR_TRY(kr_store_scan(txn, KR_STR("ep"), kr_event_place_str(&from), false, &cursor, reterr));
  while (work->n_ids < KR_RECONCILE_BATCH) {
    kr_str at = {0};
    kr_str bytes = {0};
    kr_status status = kr_store_next(cursor, &at, &bytes, reterr);
    if (status == KR_NOT_FOUND)
      return KR_OK;
    KR_TRY(status);
    kr_str id = kr_str_skip(at, 2);
    if (!kr_event_id_is_valid(id))
      return kr_events_corrupt(reterr, "the list of pending intents is not well-formed");
    if (kr_str_equal(id, kr_str_cstr(before)))
      continue;
    memcpy(work->ids[work->n_ids], id.ptr, id.len);
    work->ids[work->n_ids][id.len] = '\0';
    work->n_ids++;
  }
  return KR_OK;
}

/* A copy of the intent's bytes, so that no transaction is open while settle works. */
static kr_status kr_reconcile_copy(kr_reconcile *work, kr_str id, kr_buf *out, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(work->events->store, KR_STORE_READ, &txn, reterr));
  kr_event_place place = kr_event_place_intent(id);
  kr_str bytes = {0};
  kr_status status = kr_store_get(txn, kr_event_place_str(&place), &bytes, reterr);
  if (status == KR_NOT_FOUND)
    return kr_events_corrupt(reterr, "intent %.*s is pending but gone", KR_FMT(id));
  KR_TRY(status);
  return kr_buf_explain(out, kr_buf_append(out, bytes), "an intent", reterr);
}

static bool kr_reconcile_is_due(const kr_reconcile *work, const kr_intent_record *record) {
  int64_t age_ms = 0;
  if (__builtin_sub_overflow(work->now_ms, record->intent.started_ms, &age_ms))
    return false;
  if (age_ms < work->min_age_ms)
    return false;
  kr_process_state state = kr_process_look(&record->process);
  return state == KR_PROCESS_GONE ||
         (state == KR_PROCESS_UNKNOWN && age_ms >= KR_INTENT_UNKNOWN_AGE_MS);
}

static kr_status kr_reconcile_one(kr_reconcile *work, kr_str id, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf bytes = KR_BUF_INIT(KR_INTENT_RECORD_BYTES, NULL);
  KR_CLEANUP(kr_redacted_freep) kr_redacted *redacted = NULL;
  kr_intent_record record = {0};
  KR_TRY(kr_reconcile_copy(work, id, &bytes, reterr));
  KR_TRY(kr_intent_parse(work->events, id, kr_buf_str(&bytes), &record, reterr));
  if (!kr_reconcile_is_due(work, &record))
    return KR_OK;
  KR_TRY(work->settle(work->ctx, &record.intent, &redacted));
  kr_event_head head = {.org_id = record.intent.org_id,
                        .started_ms = record.intent.started_ms,
                        .status = KR_EVENT_INTERRUPTED};
  memcpy(head.id, record.intent.id, sizeof head.id);
  kr_status status = kr_events_append(work->events, &head, redacted, reterr);
  if (status == KR_EXISTS) /* another process settled it meanwhile */
    return KR_OK;
  KR_TRY(status);
  work->n_settled++;
  return KR_OK;
}

kr_status kr_events_reconcile(kr_events *events, int64_t now_ms, int64_t min_age_ms,
                              kr_intent_settle settle, void *ctx, size_t *ret_count,
                              kr_error *reterr) {
  kr_reconcile work = {
      .events = events, .now_ms = now_ms, .min_age_ms = min_age_ms, .settle = settle, .ctx = ctx};
  KR_TRY(kr_events_need_key(events, reterr));
  do {
    KR_TRY(kr_reconcile_fetch(&work, reterr));
    for (size_t i = 0; i < work.n_ids; i++)
      KR_TRY(kr_reconcile_one(&work, kr_str_cstr(work.ids[i]), reterr));
  } while (work.n_ids == KR_RECONCILE_BATCH);
  *ret_count = work.n_settled;
  return KR_OK;
}
