/* SPDX-License-Identifier: Apache-2.0 */
/*
 * salvage.c - what is good of a damaged log, in a new one: events in their order
 * but numbered and chained anew, their indexes made from them; intents as they
 * are, pending unless an event settles them. Events come before intents.
 */
#include "events/internal.h"
#include "store/batch.h"

typedef struct kr_log_salvaging {
  const kr_events *events; /* the damaged log; its key and UUID are those of the new one */
  const kr_survey *survey;
  kr_store_batch batch;
  kr_events_head head; /* of the new log */
} kr_log_salvaging;

static void kr_log_salvaging_done(kr_log_salvaging *work) { kr_store_batch_done(&work->batch); }

static void kr_log_salvage_damaged(void *ctx, const kr_damage *damage) {
  const kr_log_salvaging *work = ctx;
  work->survey->damaged(work->survey->ctx, damage);
}

static void kr_log_salvage_tell(const kr_log_salvaging *work, uint64_t event, const char *what) {
  const kr_damage damage = {
      .what = what, .organization = "", .environment = "", .secret = "", .event = event};
  work->survey->damaged(work->survey->ctx, &damage);
}

static kr_status kr_log_salvage_event(kr_log_salvaging *work, kr_store_txn *txn, kr_str at,
                                      kr_str bytes, kr_error *reterr) {
  kr_event_record record = {0};
  kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(at, 2));
  uint64_t old_sequence = kr_wire_get_u64(&reader);
  KR_TRY(kr_event_parse(work->events, old_sequence, bytes, &record, reterr));
  record.head.sequence = work->head.n_events + 1;
  kr_event_place by_id = kr_event_place_by_id(record.head.org_id, kr_str_cstr(record.head.id));
  kr_str found = {0};
  kr_status status = kr_store_get(txn, kr_event_place_str(&by_id), &found, reterr);
  if (status == KR_OK) {
    kr_log_salvage_tell(work, old_sequence, "left behind: another event has the same id");
    return KR_OK;
  }
  if (status != KR_NOT_FOUND)
    return status;
  KR_TRY(kr_event_index(work->events, txn, &record.head, reterr));
  return kr_event_put(work->events, txn, &work->head, &record.head, record.json, reterr);
}

static kr_status kr_log_salvage_intent(kr_log_salvaging *work, kr_store_txn *txn, kr_str at,
                                       kr_str bytes, kr_error *reterr) {
  kr_intent_record record = {0};
  kr_str id = kr_str_skip(at, 2);
  uint64_t sequence = 0;
  KR_TRY(kr_intent_parse(work->events, id, bytes, &record, reterr));
  KR_TRY(kr_store_put(txn, at, bytes, reterr));
  work->head.n_intents++;
  kr_status status = kr_event_by_id(work->events, txn, record.intent.org_id, id, &sequence, reterr);
  if (status != KR_NOT_FOUND)
    return status;
  kr_event_place pending = kr_event_place_pending(id);
  work->head.n_pending++;
  return kr_events_insert(work->events, txn, KR_DOMAIN_PENDING, &pending, KR_STR(""), reterr);
}

static kr_status kr_log_salvage_good(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_log_salvaging *work = ctx;
  kr_store_txn *txn = NULL;
  KR_TRY(kr_store_batch_next(&work->batch, &txn, reterr));
  if (at.ptr[1] == 'r')
    return kr_log_salvage_event(work, txn, at, record, reterr);
  return kr_log_salvage_intent(work, txn, at, record, reterr);
}

kr_status kr_events_salvage(kr_events *events, kr_store *to, const kr_survey *survey,
                            kr_events_counts *ret_counts, kr_error *reterr) {
  KR_CLEANUP(kr_log_salvaging_done)
  kr_log_salvaging work = {.events = events, .survey = survey, .batch = {.store = to}};
  const kr_survey walk = {
      .damaged = kr_log_salvage_damaged, .good = kr_log_salvage_good, .ctx = &work};
  kr_store_txn *txn = NULL;
  KR_TRY(kr_events_survey(events, &walk, ret_counts, reterr));
  KR_TRY(kr_store_batch_next(&work.batch, &txn, reterr));
  KR_TRY(kr_events_head_write(events, txn, &work.head, reterr));
  return kr_store_batch_commit(&work.batch, reterr);
}
