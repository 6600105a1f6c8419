/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - the walk over the whole log: sequences without gaps, each record's
 * MAC, the chain through them to the head, both indexes, and the intents.
 */
#include "events/internal.h"

typedef struct kr_events_walk {
  const kr_events *events;
  kr_store_txn *txn;
  kr_events_head head;
  uint8_t chain[KR_CHAIN_BYTES];
  uint64_t n_seen; /* of the pass under way */
} kr_events_walk;

typedef kr_status (*kr_events_step)(kr_events_walk *walk, kr_str at, kr_str bytes,
                                    kr_error *reterr);

static kr_status kr_walk_pass(kr_events_walk *walk, kr_str prefix, kr_events_step step,
                              kr_error *reterr) {
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  KR_TRY(kr_store_scan(walk->txn, prefix, (kr_str){0}, false, &cursor, reterr));
  kr_str at = {0};
  kr_str bytes = {0};
  kr_status status = KR_OK;
  walk->n_seen = 0;
  while ((status = kr_store_next(cursor, &at, &bytes, reterr)) == KR_OK) {
    walk->n_seen++;
    KR_TRY(step(walk, at, bytes, reterr));
  }
  return status == KR_NOT_FOUND ? KR_OK : status;
}

kr_status kr_event_check_index(const kr_events *events, kr_store_txn *txn,
                               const kr_event_head *event, kr_error *reterr) {
  uint64_t sequence = 0;
  kr_str bytes = {0};
  kr_str payload = {0};
  kr_status status =
      kr_event_by_id(events, txn, event->org_id, kr_str_cstr(event->id), &sequence, reterr);
  bool is_ok = status == KR_OK && sequence == event->sequence;
  if (status != KR_OK && status != KR_NOT_FOUND && status != KR_CORRUPT)
    return status;
  kr_event_place by_org = kr_event_place_by_org(event->org_id, event->sequence);
  status = kr_store_get(txn, kr_event_place_str(&by_org), &bytes, reterr);
  if (status == KR_OK)
    status = kr_record_mac_open(events->key, KR_DOMAIN_EVENT_BY_ORG, kr_event_place_str(&by_org),
                                bytes, &payload, reterr);
  if (status != KR_OK && status != KR_NOT_FOUND && status != KR_CORRUPT)
    return status;
  if (is_ok && status == KR_OK && payload.len == 0)
    return KR_OK;
  return kr_events_corrupt(reterr, "event %llu is not in the index, or the entry is damaged",
                           (unsigned long long)event->sequence);
}

static kr_status kr_walk_event(kr_events_walk *walk, kr_str at, kr_str bytes, kr_error *reterr) {
  uint64_t sequence = walk->n_seen;
  unsigned long long number = sequence;
  kr_event_place place = kr_event_place_record(sequence);
  kr_event_record record = {0};
  if (!kr_str_equal(at, kr_event_place_str(&place)))
    return kr_events_corrupt(reterr, "event %llu is missing", number);
  KR_TRY(kr_event_parse(walk->events, sequence, bytes, &record, reterr));
  KR_TRY(kr_events_chain(walk->events, sequence, record.mac, walk->chain, walk->chain, reterr));
  if (!kr_crypto_equal(walk->chain, record.chain.ptr, sizeof walk->chain))
    return kr_events_corrupt(reterr, "event %llu does not follow from the one before it", number);
  if (sequence > walk->head.n_events)
    return kr_events_corrupt(reterr, "event %llu is beyond the head of the log", number);
  return kr_event_check_index(walk->events, walk->txn, &record.head, reterr);
}

static kr_status kr_walk_count(kr_events_walk *walk, kr_str at, kr_str bytes, kr_error *reterr) {
  (void)at;
  (void)bytes;
  if (walk->n_seen > walk->head.n_events)
    return kr_events_corrupt(reterr, "the index names events that are not in the log");
  return KR_OK;
}

kr_status kr_intent_check_settled(const kr_events *events, kr_store_txn *txn, uint32_t org_id,
                                  kr_str id, kr_error *reterr) {
  uint64_t sequence = 0;
  kr_str marker = {0};
  kr_event_place pending = kr_event_place_pending(id);
  kr_status by_event = kr_event_by_id(events, txn, org_id, id, &sequence, reterr);
  if (by_event != KR_OK && by_event != KR_NOT_FOUND)
    return by_event;
  kr_status is_pending = kr_store_get(txn, kr_event_place_str(&pending), &marker, reterr);
  if (is_pending != KR_OK && is_pending != KR_NOT_FOUND)
    return is_pending;
  if ((by_event == KR_OK) == (is_pending == KR_OK))
    return kr_events_corrupt(reterr, "intent %.*s must be either pending or settled", KR_FMT(id));
  return KR_OK;
}

static kr_status kr_walk_intent(kr_events_walk *walk, kr_str at, kr_str bytes, kr_error *reterr) {
  kr_str id = kr_str_skip(at, 2);
  kr_intent_record record = {0};
  KR_TRY(kr_intent_parse(walk->events, id, bytes, &record, reterr));
  return kr_intent_check_settled(walk->events, walk->txn, record.intent.org_id, id, reterr);
}

static kr_status kr_walk_pending(kr_events_walk *walk, kr_str at, kr_str bytes, kr_error *reterr) {
  kr_str payload = {0};
  kr_status status =
      kr_record_mac_open(walk->events->key, KR_DOMAIN_PENDING, at, bytes, &payload, reterr);
  if (status == KR_CORRUPT || (status == KR_OK && payload.len != 0))
    return kr_events_corrupt(reterr, "a pending intent fails its integrity check");
  return status;
}

static kr_status kr_walk_events(kr_events_walk *walk, kr_error *reterr) {
  KR_TRY(kr_walk_pass(walk, KR_STR("er"), kr_walk_event, reterr));
  if (walk->n_seen != walk->head.n_events)
    return kr_events_corrupt(reterr, "event %llu is missing", (unsigned long long)walk->n_seen + 1);
  if (!kr_crypto_equal(walk->chain, walk->head.chain, sizeof walk->chain))
    return kr_events_corrupt(reterr, "event %llu does not lead to the head of the log",
                             (unsigned long long)walk->n_seen);
  KR_TRY(kr_walk_pass(walk, KR_STR("eo"), kr_walk_count, reterr));
  return kr_walk_pass(walk, KR_STR("ei"), kr_walk_count, reterr);
}

static kr_status kr_walk_intents(kr_events_walk *walk, kr_error *reterr) {
  KR_TRY(kr_walk_pass(walk, KR_STR("en"), kr_walk_intent, reterr));
  if (walk->n_seen != walk->head.n_intents)
    return kr_events_corrupt(reterr, "intents are missing: %llu of %llu are left",
                             (unsigned long long)walk->n_seen,
                             (unsigned long long)walk->head.n_intents);
  KR_TRY(kr_walk_pass(walk, KR_STR("ep"), kr_walk_pending, reterr));
  if (walk->n_seen != walk->head.n_pending)
    return kr_events_corrupt(reterr, "pending intents do not match the head of the log");
  return KR_OK;
}

kr_status kr_events_verify(kr_events *events, uint64_t *ret_n_events, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  kr_events_walk walk = {.events = events};
  KR_TRY(kr_events_need_key(events, reterr));
  KR_TRY(kr_store_begin(events->store, KR_STORE_READ, &txn, reterr));
  walk.txn = txn;
  KR_TRY(kr_events_head_read(events, txn, &walk.head, reterr));
  KR_TRY(kr_walk_events(&walk, reterr));
  KR_TRY(kr_walk_intents(&walk, reterr));
  *ret_n_events = walk.head.n_events;
  return KR_OK;
}
