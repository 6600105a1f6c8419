/* SPDX-License-Identifier: Apache-2.0 */
/*
 * survey.c - the walk over the whole log, past damage. Events are fetched by
 * their numbers, one by one, so that a damaged page hides its own events only.
 * After a damaged event the chain is taken up again from what the next one
 * says: where it was broken has been told by then.
 */
#include "events/internal.h"
#include "store/readable.h"

#include <stdio.h>

typedef struct kr_log_walk {
  kr_events *events;
  const kr_survey *survey;
  kr_store_reading reading;
  kr_events_counts counts;
  kr_events_head head;
  bool has_head;
  uint64_t n_events; /* to look for: the head's number, or the last there is */
  uint8_t chain[KR_CHAIN_BYTES];
  bool has_chain;  /* of the event before */
  uint64_t n_seen; /* of the pass under way */
} kr_log_walk;

static void kr_log_walk_done(kr_log_walk *walk) { kr_store_reading_done(&walk->reading); }

static void kr_log_tell(kr_log_walk *walk, uint32_t org_id, uint64_t event, const char *what) {
  const kr_damage damage = {.what = what,
                            .organization = "",
                            .org_id = org_id,
                            .environment = "",
                            .secret = "",
                            .event = event};
  walk->survey->damaged(walk->survey->ctx, &damage);
}

/* Damage is told and gone over; what is left is a failure of the walk itself. */
static kr_status kr_log_note(kr_log_walk *walk, uint32_t org_id, uint64_t event, kr_status status,
                             const kr_error *error, kr_error *reterr) {
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  kr_log_tell(walk, org_id, event, error->message);
  return KR_OK;
}

static kr_status kr_log_good(kr_log_walk *walk, kr_str at, kr_str record, kr_error *reterr) {
  return walk->survey->good == NULL ? KR_OK
                                    : walk->survey->good(walk->survey->ctx, at, record, reterr);
}

/* ---- events ---- */

static kr_status kr_log_chain(kr_log_walk *walk, const kr_event_record *record, kr_error *reterr) {
  uint8_t expected[KR_CHAIN_BYTES];
  uint64_t sequence = record->head.sequence;
  if (walk->has_chain) {
    KR_TRY(kr_events_chain(walk->events, sequence, record->mac, walk->chain, expected, reterr));
    if (!kr_crypto_equal(expected, record->chain.ptr, sizeof expected))
      kr_log_tell(walk, record->head.org_id, sequence,
                  "the event does not follow from the one before it");
  }
  memcpy(walk->chain, record->chain.ptr, sizeof walk->chain);
  walk->has_chain = true;
  return KR_OK;
}

static kr_status kr_log_event(kr_log_walk *walk, uint64_t sequence, kr_error *reterr) {
  kr_event_place place = kr_event_place_record(sequence);
  kr_event_record record = {0};
  kr_error error = {0};
  kr_str bytes = {0};
  kr_status status =
      kr_store_get_readable(&walk->reading, kr_event_place_str(&place), &bytes, &error);
  if (status == KR_NOT_FOUND)
    kr_log_tell(walk, 0, sequence, "the event is gone");
  walk->counts.records += status != KR_NOT_FOUND;
  if (status == KR_CORRUPT)
    kr_log_tell(walk, 0, sequence, "the event cannot be read: a page of the store is damaged");
  if (status == KR_OK) {
    status = kr_event_parse(walk->events, sequence, bytes, &record, &error);
    if (status != KR_OK)
      KR_TRY(kr_log_note(walk, 0, sequence, status, &error, reterr));
  }
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  if (status != KR_OK) {
    walk->has_chain = false;
    return KR_OK;
  }
  KR_TRY(kr_log_chain(walk, &record, reterr));
  walk->counts.events++;
  KR_TRY(kr_log_good(walk, kr_event_place_str(&place), bytes, reterr));
  status = kr_event_check_index(walk->events, walk->reading.txn, &record.head, &error);
  return status == KR_OK ? KR_OK
                         : kr_log_note(walk, record.head.org_id, sequence, status, &error, reterr);
}

/* Without a head, the last event there is says how many to look for. */
static kr_status kr_log_last(kr_log_walk *walk, kr_error *reterr) {
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_str at = {0};
  kr_str bytes = {0};
  if (walk->has_head) {
    walk->n_events = walk->head.n_events;
    return KR_OK;
  }
  KR_TRY(kr_store_scan(walk->reading.txn, KR_STR("er"), (kr_str){0}, true, &cursor, reterr));
  if (kr_store_next(cursor, &at, &bytes, NULL) != KR_OK)
    return KR_OK;
  kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(at, 2));
  uint64_t last = kr_wire_get_u64(&reader);
  /* A damaged key must not make this an endless search. */
  if (kr_wire_is_end(&reader) && last <= UINT32_MAX)
    walk->n_events = last;
  return KR_OK;
}

static kr_status kr_log_head(kr_log_walk *walk, kr_error *reterr) {
  kr_error error = {0};
  kr_status status = kr_events_head_read(walk->events, walk->reading.txn, &walk->head, &error);
  walk->has_head = status == KR_OK;
  if (status == KR_OK)
    return KR_OK;
  KR_TRY(kr_log_note(walk, 0, 0, status, &error, reterr));
  /* If a page could not be read, the transaction is spent, and this begins another. */
  kr_str record = {0};
  status = kr_store_get_readable(&walk->reading, KR_STR("eh"), &record, NULL);
  return status == KR_NOMEM ? kr_fail_nomem(reterr) : KR_OK;
}

static kr_status kr_log_events(kr_log_walk *walk, kr_error *reterr) {
  KR_TRY(kr_log_last(walk, reterr));
  walk->has_chain = true; /* zeros, before the first */
  for (uint64_t i = 1; i <= walk->n_events; i++)
    KR_TRY(kr_log_event(walk, i, reterr));
  if (walk->has_head && walk->has_chain &&
      !kr_crypto_equal(walk->chain, walk->head.chain, sizeof walk->chain))
    kr_log_tell(walk, 0, walk->n_events, "the last event does not lead to the head of the log");
  return KR_OK;
}

/* ---- the rest ---- */

static kr_status kr_log_step_place(void *ctx, kr_str at, kr_str bytes, kr_error *reterr) {
  kr_log_walk *walk = ctx;
  static const char *const known[] = {"er", "eo", "ei", "en", "ep"};
  (void)bytes;
  (void)reterr;
  kr_str letters = kr_str_slice(at, 0, 2);
  bool is_known = kr_str_equal(at, KR_STR("eh"));
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    is_known = is_known || kr_str_equal(letters, kr_str_cstr(known[i]));
  if (!is_known)
    kr_log_tell(walk, 0, 0, "a record in no known place");
  kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(at, 2));
  if (kr_str_equal(letters, KR_STR("er")) && kr_wire_get_u64(&reader) > walk->n_events)
    kr_log_tell(walk, 0, 0, "an event is beyond the head of the log");
  walk->counts.records += !is_known || kr_str_equal(at, KR_STR("eh"));
  return KR_OK;
}

static kr_status kr_log_step_count(void *ctx, kr_str at, kr_str bytes, kr_error *reterr) {
  kr_log_walk *walk = ctx;
  (void)at;
  (void)bytes;
  (void)reterr;
  walk->n_seen++;
  walk->counts.records++;
  return KR_OK;
}

static kr_status kr_log_step_intent(void *ctx, kr_str at, kr_str bytes, kr_error *reterr) {
  kr_log_walk *walk = ctx;
  kr_intent_record record = {0};
  kr_error error = {0};
  kr_str id = kr_str_skip(at, 2);
  walk->n_seen++;
  walk->counts.records++;
  kr_status status = kr_intent_parse(walk->events, id, bytes, &record, &error);
  if (status != KR_OK)
    return kr_log_note(walk, 0, 0, status, &error, reterr);
  walk->counts.intents++;
  KR_TRY(kr_log_good(walk, at, bytes, reterr));
  status =
      kr_intent_check_settled(walk->events, walk->reading.txn, record.intent.org_id, id, &error);
  return status == KR_OK ? KR_OK
                         : kr_log_note(walk, record.intent.org_id, 0, status, &error, reterr);
}

static kr_status kr_log_step_pending(void *ctx, kr_str at, kr_str bytes, kr_error *reterr) {
  kr_log_walk *walk = ctx;
  kr_str payload = {0};
  walk->n_seen++;
  walk->counts.records++;
  kr_status status =
      kr_record_mac_open(walk->events->key, KR_DOMAIN_PENDING, at, bytes, &payload, reterr);
  if (status != KR_OK && status != KR_CORRUPT)
    return status;
  if (status != KR_OK || payload.len != 0)
    kr_log_tell(walk, 0, 0, "a pending intent fails its integrity check");
  return KR_OK;
}

/* One pass; expected: how many the head counts. */
static kr_status kr_log_pass(kr_log_walk *walk, const char *prefix, const char *what,
                             kr_store_visit step, uint64_t expected, kr_error *reterr) {
  char text[KR_ERROR_MESSAGE_BYTES];
  bool is_whole = true;
  walk->n_seen = 0;
  KR_TRY(
      kr_store_each_readable(&walk->reading, kr_str_cstr(prefix), step, walk, &is_whole, reterr));
  if (!is_whole) {
    (void)snprintf(text, sizeof text, "a page of the store is damaged: some %s cannot be read",
                   what);
    kr_log_tell(walk, 0, 0, text);
    return KR_OK;
  }
  if (!walk->has_head || prefix[0] == '\0' || walk->n_seen == expected)
    return KR_OK;
  (void)snprintf(text, sizeof text, "there are %llu %s, and the head of the log counts %llu",
                 (unsigned long long)walk->n_seen, what, (unsigned long long)expected);
  kr_log_tell(walk, 0, 0, text);
  return KR_OK;
}

kr_status kr_events_survey(kr_events *events, const kr_survey *survey, kr_events_counts *ret_counts,
                           kr_error *reterr) {
  KR_TRY(kr_events_need_key(events, reterr));
  KR_CLEANUP(kr_log_walk_done) kr_log_walk walk = {.events = events, .survey = survey};
  const kr_events_head *head = &walk.head;
  KR_TRY(kr_store_reading_begin(events->store, &walk.reading, reterr));
  KR_TRY(kr_log_head(&walk, reterr));
  KR_TRY(kr_log_events(&walk, reterr));
  KR_TRY(kr_log_pass(&walk, "", "records", kr_log_step_place, 0, reterr));
  KR_TRY(kr_log_pass(&walk, "eo", "entries in the index by organization", kr_log_step_count,
                     head->n_events, reterr));
  KR_TRY(kr_log_pass(&walk, "ei", "entries in the index by id", kr_log_step_count, head->n_events,
                     reterr));
  KR_TRY(kr_log_pass(&walk, "en", "intents", kr_log_step_intent, head->n_intents, reterr));
  KR_TRY(kr_log_pass(&walk, "ep", "pending intents", kr_log_step_pending, head->n_pending, reterr));
  *ret_counts = walk.counts;
  return KR_OK;
}
