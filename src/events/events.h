/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.h - the event log: durable, ordered, chained. Only redacted records
 * (kr_redacted) and typed records without free text (intents) can be appended.
 *
 *   sequence -> record | record MAC;  chain[n] = MAC(chain key, n, record MAC[n], chain[n-1])
 *
 * A run's intent is durable before its first network byte and names what it
 * decrypts: it is the audit of these decryptions. The event with the same id
 * settles it; an intent that no event settled is turned into an "interrupted"
 * event by kr_events_reconcile(). docs/formats/events.md has the bytes.
 */
#ifndef KR_EVENTS_EVENTS_H
#define KR_EVENTS_EVENTS_H

#include "base/clock.h"
#include "base/damage.h"
#include "base/span.h"
#include "crypto/record_mac.h"
#include "redact/record.h"
#include "store/store.h"

#define KR_EVENT_NAME_BYTES 128u /* longest connector name */

typedef enum kr_event_status {
  KR_EVENT_COMPLETED,
  KR_EVENT_SKIPPED,
  KR_EVENT_FAILED,
  KR_EVENT_INTERRUPTED
} kr_event_status;

const char *kr_event_status_name(kr_event_status status);

typedef struct kr_events kr_events;

/** Write the head record into an empty store. */
kr_status kr_events_create(kr_store_txn *txn, const kr_secret *chain_key,
                           const uint8_t store_uuid[16], kr_error *reterr) KR_MUST_USE;

/** chain_key NULL: keyless; reads are unverified, appends KR_UNTRUSTED. Both outlive the log. */
kr_status kr_events_open(kr_store *store, const kr_secret *chain_key, const uint8_t store_uuid[16],
                         kr_events **ret_events, kr_error *reterr) KR_MUST_USE;

/** The same for a log that may be damaged: nothing is looked at. Needs the key. */
kr_status kr_events_open_damaged(kr_store *store, const kr_secret *chain_key,
                                 const uint8_t store_uuid[16], kr_events **ret_events,
                                 kr_error *reterr) KR_MUST_USE;
void kr_events_free(kr_events *events);
KR_DEFINE_FREEP(kr_events_freep, kr_events, kr_events_free)

/** One opened secret of an intent. */
typedef struct kr_intent_secret {
  kr_str name;
  uint32_t version;
} kr_intent_secret;

typedef struct kr_intent {
  char id[KR_UUID_TEXT_BYTES]; /* the event's id */
  uint32_t org_id;
  int64_t started_ms;
  kr_str connector; /* its name, redacted by the caller like an event's */
  const kr_intent_secret *secrets;
  size_t n_secrets;           /* <= KR_SECRETS_MAX */
  uint64_t redact_generation; /* the set that was opened to redact its logs */
} kr_intent;

/** Durable when KR_OK. */
kr_status kr_events_intent(kr_events *events, const kr_intent *intent,
                           kr_error *reterr) KR_MUST_USE;

typedef struct kr_event_head {
  uint64_t sequence; /* assigned by append, from 1 */
  char id[KR_UUID_TEXT_BYTES];
  uint32_t org_id;
  int64_t started_ms;
  kr_event_status status;
} kr_event_head;

/** Append and settle the intent of the same id, durable when KR_OK; sets head->sequence. */
kr_status kr_events_append(kr_events *events, kr_event_head *head, const kr_redacted *record,
                           kr_error *reterr) KR_MUST_USE;

/** Newest first; org_id 0 is not allowed: events are read per organization. json borrowed for the
 * visit. */
typedef kr_status (*kr_event_visit)(void *ctx, const kr_event_head *head, kr_str json,
                                    bool is_verified);
kr_status kr_events_each(kr_events *events, uint32_t org_id, size_t max_events,
                         kr_event_visit visit, void *ctx, kr_error *reterr) KR_MUST_USE;

/** One event of an organization by its id, or a prefix of at least 8 characters that fits one only.
 */
kr_status kr_events_find(kr_events *events, uint32_t org_id, kr_str id, kr_event_visit visit,
                         void *ctx, kr_error *reterr) KR_MUST_USE;

/**
 * Intents that no event settled and whose process is gone (older than min_age_ms):
 * visit makes the interrupted record (a kr_redacted) for each, which is appended.
 */
typedef kr_status (*kr_intent_settle)(void *ctx, const kr_intent *intent, kr_redacted **ret_record);
kr_status kr_events_reconcile(kr_events *events, int64_t now_ms, int64_t min_age_ms,
                              kr_intent_settle settle, void *ctx, size_t *ret_count,
                              kr_error *reterr) KR_MUST_USE;

/** Walk all records and the chain. KR_CORRUPT names the first bad sequence. */
kr_status kr_events_verify(kr_events *events, uint64_t *ret_n_events, kr_error *reterr) KR_MUST_USE;

/** Where the log ends: the last sequence (0: empty), its chain value, intents without an event. */
typedef struct kr_events_anchor {
  uint64_t sequence;
  uint8_t chain[KR_MAC_BYTES];
  uint64_t n_intents;
  uint64_t n_pending;
} kr_events_anchor;
kr_status kr_events_end(kr_events *events, kr_events_anchor *ret_anchor,
                        kr_error *reterr) KR_MUST_USE;

/** The chain value of one event; KR_NOT_FOUND (reterr not filled) when there is none. */
kr_status kr_events_chain_at(kr_events *events, uint64_t sequence, uint8_t out[KR_MAC_BYTES],
                             kr_error *reterr) KR_MUST_USE;

typedef struct kr_events_counts { /* of good records */
  uint64_t events;
  uint64_t intents;
  uint64_t records; /* all that were looked at */
} kr_events_counts;

/**
 * Walk the whole log and go on after damage: head, events in order with their
 * chain and their entries in the indexes, intents. KR_OK says that the walk came
 * to its end. Good events and intents are visited; indexes are not.
 */
kr_status kr_events_survey(kr_events *events, const kr_survey *survey, kr_events_counts *ret_counts,
                           kr_error *reterr) KR_MUST_USE;

/** The highest id of an organization that events stand under, unverified; 0: none can be read. */
kr_status kr_events_high_org(kr_events *events, uint32_t *ret_org_id, kr_error *reterr) KR_MUST_USE;

/** Write what is good of a damaged log into an empty store; see kr_vault_salvage. */
kr_status kr_events_salvage(kr_events *events, kr_store *to, const kr_survey *survey,
                            kr_events_counts *ret_counts, kr_error *reterr) KR_MUST_USE;

#endif
