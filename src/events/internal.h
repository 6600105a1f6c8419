/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what the files of the event log share.
 *
 *   head.c     store keys, head record, index entries     append.c   events in
 *   read.c     events out                                 intents.c  intents, reconcile
 *   process.c  which process, and is it still alive       verify.c   the walk over everything
 *   survey.c   the same past damage
 */
#ifndef KR_EVENTS_INTERNAL_H
#define KR_EVENTS_INTERNAL_H

#include "base/wire.h"
#include "events/events.h"

#define KR_EVENTS_FORMAT 1u /* frozen: docs/formats/events.md */
#define KR_CHAIN_BYTES KR_MAC_BYTES
#define KR_EVENT_ID_BYTES (KR_UUID_TEXT_BYTES - 1)
#define KR_EVENT_RECORD_BYTES (KR_RECORD_MAX_BYTES + 1024u)
#define KR_INTENT_RECORD_BYTES (32u * 1024u)
#define KR_EVENT_PREFIX_MIN 8u /* shortest prefix of an id to search by */

#define KR_DOMAIN_EVENT_HEAD KR_STR("krosyn/v1/event-head")
#define KR_DOMAIN_EVENT KR_STR("krosyn/v1/event")
#define KR_DOMAIN_EVENT_BY_ORG KR_STR("krosyn/v1/event-by-org")
#define KR_DOMAIN_EVENT_BY_ID KR_STR("krosyn/v1/event-by-id")
#define KR_DOMAIN_INTENT KR_STR("krosyn/v1/intent")
#define KR_DOMAIN_PENDING KR_STR("krosyn/v1/intent-pending")
#define KR_DOMAIN_CHAIN KR_STR("krosyn/v1/event-chain")

struct kr_events {
  kr_store *store;
  const kr_secret *key; /* the chain key; NULL: keyless */
  uint8_t uuid[16];
};

/* ---- head.c ---- */

typedef struct kr_event_place {
  uint8_t bytes[2 + 4 + KR_EVENT_ID_BYTES];
  size_t len;
} kr_event_place;

static inline kr_str kr_event_place_str(const kr_event_place *place) {
  return kr_str_from(place->bytes, place->len);
}

kr_event_place kr_event_place_record(uint64_t sequence);
kr_event_place kr_event_place_org(uint32_t org_id);
kr_event_place kr_event_place_by_org(uint32_t org_id, uint64_t sequence);
kr_event_place kr_event_place_by_id(uint32_t org_id, kr_str id); /* or a prefix of one */
kr_event_place kr_event_place_intent(kr_str id);
kr_event_place kr_event_place_pending(kr_str id);

typedef struct kr_events_head {
  uint64_t n_events; /* also the last sequence */
  uint8_t chain[KR_CHAIN_BYTES];
  uint64_t n_intents;
  uint64_t n_pending;
} kr_events_head;

kr_status kr_events_head_read(const kr_events *events, kr_store_txn *txn, kr_events_head *ret_head,
                              kr_error *reterr) KR_MUST_USE;
kr_status kr_events_head_write(const kr_events *events, kr_store_txn *txn,
                               const kr_events_head *head, kr_error *reterr) KR_MUST_USE;

/** Seal a payload for its place and insert it; KR_EXISTS (reterr not filled). */
kr_status kr_events_insert(const kr_events *events, kr_store_txn *txn, kr_str domain,
                           const kr_event_place *place, kr_str payload,
                           kr_error *reterr) KR_MUST_USE;

/** chain[n] = MAC(chain key, domain, n, record MAC, chain[n-1]) */
kr_status kr_events_chain(const kr_events *events, uint64_t sequence, kr_str record_mac,
                          const uint8_t before[KR_CHAIN_BYTES], uint8_t out[KR_CHAIN_BYTES],
                          kr_error *reterr) KR_MUST_USE;

kr_status kr_events_need_key(const kr_events *events, kr_error *reterr) KR_MUST_USE;
kr_status kr_events_corrupt(kr_error *reterr, const char *format, ...) KR_PRINTF(2, 3);
bool kr_event_id_is_valid(kr_str id);

/* ---- append.c ---- */

/** Write the record with its MAC and chain value; advances the head. */
kr_status kr_event_put(const kr_events *events, kr_store_txn *txn, kr_events_head *log,
                       const kr_event_head *head, kr_str json, kr_error *reterr) KR_MUST_USE;

/** Write both index entries. KR_EXISTS: an event of this id is there. */
kr_status kr_event_index(const kr_events *events, kr_store_txn *txn, const kr_event_head *head,
                         kr_error *reterr) KR_MUST_USE;

/* ---- read.c ---- */

typedef struct kr_event_record {
  kr_event_head head;
  kr_str json;
  kr_str mac;
  kr_str chain;
} kr_event_record;

/** Parse and check stored bytes; everything is borrowed from them. */
kr_status kr_event_parse(const kr_events *events, uint64_t sequence, kr_str bytes,
                         kr_event_record *ret_record, kr_error *reterr) KR_MUST_USE;

/** The sequence an id index entry names; KR_NOT_FOUND (reterr not filled). */
kr_status kr_event_by_id(const kr_events *events, kr_store_txn *txn, uint32_t org_id, kr_str id,
                         uint64_t *ret_sequence, kr_error *reterr) KR_MUST_USE;

/* ---- verify.c ---- */

/** Both index entries of an event lead to it; KR_CORRUPT otherwise. */
kr_status kr_event_check_index(const kr_events *events, kr_store_txn *txn,
                               const kr_event_head *event, kr_error *reterr) KR_MUST_USE;

/** An intent is either pending or settled by an event; KR_CORRUPT otherwise. */
kr_status kr_intent_check_settled(const kr_events *events, kr_store_txn *txn, uint32_t org_id,
                                  kr_str id, kr_error *reterr) KR_MUST_USE;

/* ---- process.c ---- */

#define KR_BOOT_ID_BYTES 36u

/** Which process: a pid alone comes back after a while. */
typedef struct kr_process_id {
  uint32_t pid;
  uint64_t start_ticks;            /* since boot; 0 unknown */
  uint64_t pid_namespace;          /* inode; 0 unknown */
  char boot[KR_BOOT_ID_BYTES + 1]; /* "" unknown */
} kr_process_id;

kr_process_id kr_process_self(void);

typedef enum kr_process_state {
  KR_PROCESS_ALIVE,
  KR_PROCESS_GONE,
  KR_PROCESS_UNKNOWN /* of another pid namespace of this boot: cannot be seen from here */
} kr_process_state;

kr_process_state kr_process_look(const kr_process_id *process);

/* ---- intents.c ---- */

typedef struct kr_intent_record {
  kr_intent intent;
  kr_intent_secret secrets[KR_SECRETS_MAX];
  kr_process_id process;
} kr_intent_record;

/** The intent's pointers lead into ret_record and bytes. */
kr_status kr_intent_parse(const kr_events *events, kr_str id, kr_str bytes,
                          kr_intent_record *ret_record, kr_error *reterr) KR_MUST_USE;

#endif
