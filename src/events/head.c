/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head.c - the log's life, its head record, and where records stand:
 *
 *   "eh"                            head: format u32 | uuid(16) | events u64 | chain(32)
 *                                         | intents u64 | pending u64 | MAC
 *   "er" | sequence u64             an event
 *   "eo" | organization u32 | sequence u64   index: empty | MAC
 *   "ei" | organization u32 | id(36)         index: sequence u64 | MAC
 *   "en" | id(36)                   an intent (kept: it is the audit of decryptions)
 *   "ep" | id(36)                   this intent is not settled: empty | MAC
 */
#include "events/internal.h"

#include <stdarg.h>
#include <stdio.h>

#define KR_EVENTS_HEAD_BYTES 256u

const char *kr_event_status_name(kr_event_status status) {
  static const char *const names[] = {"completed", "skipped", "failed", "interrupted"};
  size_t index = (size_t)status;
  return index < sizeof names / sizeof names[0] ? names[index] : "unknown";
}

kr_status kr_events_corrupt(kr_error *reterr, const char *format, ...) {
  char message[KR_ERROR_MESSAGE_BYTES];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  return kr_fail_hint(reterr, KR_CORRUPT, message,
                      "the event log was damaged or altered: restore the home from a backup");
}

kr_status kr_events_need_key(const kr_events *events, kr_error *reterr) {
  if (events->key != NULL)
    return KR_OK;
  return kr_fail_hint(reterr, KR_UNTRUSTED, "the event log was opened without its key",
                      "give the key file: --key FILE or KROSYN_KEY_FILE");
}

/* ---- places ---- */

static void kr_event_place_add(kr_event_place *place, kr_str bytes) {
  size_t room = sizeof place->bytes - place->len;
  size_t len = bytes.len < room ? bytes.len : room;
  if (len > 0)
    memcpy(place->bytes + place->len, bytes.ptr, len);
  place->len += len;
}

static void kr_event_place_number(kr_event_place *place, uint64_t value, size_t n_bytes) {
  uint8_t bytes[8];
  for (size_t i = 0; i < n_bytes; i++)
    bytes[i] = (uint8_t)(value >> (8 * (n_bytes - 1 - i)));
  kr_event_place_add(place, kr_str_from(bytes, n_bytes));
}

static kr_event_place kr_event_place_of(kr_str letters) {
  kr_event_place place = {.len = 0};
  kr_event_place_add(&place, letters);
  return place;
}

kr_event_place kr_event_place_record(uint64_t sequence) {
  kr_event_place place = kr_event_place_of(KR_STR("er"));
  kr_event_place_number(&place, sequence, 8);
  return place;
}

kr_event_place kr_event_place_org(uint32_t org_id) {
  kr_event_place place = kr_event_place_of(KR_STR("eo"));
  kr_event_place_number(&place, org_id, 4);
  return place;
}

kr_event_place kr_event_place_by_org(uint32_t org_id, uint64_t sequence) {
  kr_event_place place = kr_event_place_org(org_id);
  kr_event_place_number(&place, sequence, 8);
  return place;
}

kr_event_place kr_event_place_by_id(uint32_t org_id, kr_str id) {
  kr_event_place place = kr_event_place_of(KR_STR("ei"));
  kr_event_place_number(&place, org_id, 4);
  kr_event_place_add(&place, id);
  return place;
}

kr_event_place kr_event_place_intent(kr_str id) {
  kr_event_place place = kr_event_place_of(KR_STR("en"));
  kr_event_place_add(&place, id);
  return place;
}

kr_event_place kr_event_place_pending(kr_str id) {
  kr_event_place place = kr_event_place_of(KR_STR("ep"));
  kr_event_place_add(&place, id);
  return place;
}

/* Lower-case hex with dashes where a UUID has them. */
bool kr_event_id_is_valid(kr_str id) {
  if (id.len != KR_EVENT_ID_BYTES)
    return false;
  for (size_t i = 0; i < id.len; i++) {
    bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    uint8_t byte = id.ptr[i];
    bool is_hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
    if (is_dash ? byte != '-' : !is_hex)
      return false;
  }
  return true;
}

/* ---- records ---- */

kr_status kr_events_insert(const kr_events *events, kr_store_txn *txn, kr_str domain,
                           const kr_event_place *place, kr_str payload, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_EVENT_RECORD_BYTES, NULL);
  kr_str at = kr_event_place_str(place);
  KR_TRY(kr_record_mac_seal(events->key, domain, at, payload, &record, reterr));
  return kr_store_put_new(txn, at, kr_buf_str(&record), reterr);
}

kr_status kr_events_chain(const kr_events *events, uint64_t sequence, kr_str record_mac,
                          const uint8_t before[KR_CHAIN_BYTES], uint8_t out[KR_CHAIN_BYTES],
                          kr_error *reterr) {
  uint8_t number[8];
  for (size_t i = 0; i < sizeof number; i++)
    number[i] = (uint8_t)(sequence >> (8 * (7 - i)));
  const kr_str parts[] = {KR_DOMAIN_CHAIN, kr_str_from(number, sizeof number), record_mac,
                          kr_str_from(before, KR_CHAIN_BYTES)};
  return kr_crypto_mac(events->key, parts, sizeof parts / sizeof parts[0], out, reterr);
}

static kr_status kr_events_head_body(const kr_events *events, const kr_events_head *head,
                                     kr_buf *out) {
  KR_TRY(kr_wire_put_u32(out, KR_EVENTS_FORMAT));
  KR_TRY(kr_buf_append(out, kr_str_from(events->uuid, sizeof events->uuid)));
  KR_TRY(kr_wire_put_u64(out, head->n_events));
  KR_TRY(kr_buf_append(out, kr_str_from(head->chain, sizeof head->chain)));
  KR_TRY(kr_wire_put_u64(out, head->n_intents));
  return kr_wire_put_u64(out, head->n_pending);
}

kr_status kr_events_head_write(const kr_events *events, kr_store_txn *txn,
                               const kr_events_head *head, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(KR_EVENTS_HEAD_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_EVENTS_HEAD_BYTES, NULL);
  KR_TRY(kr_buf_explain(&body, kr_events_head_body(events, head, &body), "the log's head", reterr));
  KR_TRY(kr_record_mac_seal(events->key, KR_DOMAIN_EVENT_HEAD, KR_STR("eh"), kr_buf_str(&body),
                            &record, reterr));
  return kr_store_put(txn, KR_STR("eh"), kr_buf_str(&record), reterr);
}

/* Format and store first: of another version or another vault is not damage. */
static kr_status kr_events_head_belongs(const kr_events *events, kr_str record, kr_error *reterr) {
  kr_wire_reader reader = kr_wire_reader_init(record);
  uint32_t format = kr_wire_get_u32(&reader);
  kr_str uuid = kr_wire_get_bytes(&reader, sizeof events->uuid);
  if (reader.is_bad)
    return kr_events_corrupt(reterr, "the event log's head is cut short");
  if (format != KR_EVENTS_FORMAT)
    return kr_fail(reterr, KR_UNSUPPORTED, "the event log has format %u; this krosyn reads %u",
                   format, KR_EVENTS_FORMAT);
  if (!kr_str_equal(uuid, kr_str_from(events->uuid, sizeof events->uuid)))
    return kr_fail_hint(reterr, KR_UNTRUSTED, "the event log belongs to another vault",
                        "put vault and events of the same home together again");
  return KR_OK;
}

kr_status kr_events_head_read(const kr_events *events, kr_store_txn *txn, kr_events_head *ret_head,
                              kr_error *reterr) {
  kr_str record = {0};
  kr_str payload = {0};
  kr_status status = kr_store_get(txn, KR_STR("eh"), &record, reterr);
  if (status == KR_NOT_FOUND)
    return kr_fail_hint(reterr, KR_NOT_FOUND, "this store holds no event log",
                        "create one with `krosyn init`");
  KR_TRY(status);
  KR_TRY(kr_events_head_belongs(events, record, reterr));
  status =
      kr_record_mac_open(events->key, KR_DOMAIN_EVENT_HEAD, KR_STR("eh"), record, &payload, reterr);
  if (status == KR_CORRUPT)
    return kr_events_corrupt(reterr, "the event log's head fails its integrity check");
  KR_TRY(status);
  kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(payload, 4 + sizeof events->uuid));
  kr_events_head head = {.n_events = kr_wire_get_u64(&reader)};
  kr_str chain = kr_wire_get_bytes(&reader, sizeof head.chain);
  head.n_intents = kr_wire_get_u64(&reader);
  head.n_pending = kr_wire_get_u64(&reader);
  if (!kr_wire_is_end(&reader))
    return kr_events_corrupt(reterr, "the event log's head is not well-formed");
  memcpy(head.chain, chain.ptr, chain.len);
  *ret_head = head;
  return KR_OK;
}

/* ---- life ---- */

kr_status kr_events_create(kr_store_txn *txn, const kr_secret *chain_key,
                           const uint8_t store_uuid[16], kr_error *reterr) {
  kr_events events = {.key = chain_key};
  const kr_events_head head = {.n_events = 0};
  kr_str record = {0};
  memcpy(events.uuid, store_uuid, sizeof events.uuid);
  KR_TRY(kr_events_need_key(&events, reterr));
  kr_status status = kr_store_get(txn, KR_STR("eh"), &record, reterr);
  if (status == KR_OK)
    return kr_fail(reterr, KR_EXISTS, "this store holds an event log already");
  if (status != KR_NOT_FOUND)
    return status;
  return kr_events_head_write(&events, txn, &head, reterr);
}

kr_status kr_events_open(kr_store *store, const kr_secret *chain_key, const uint8_t store_uuid[16],
                         kr_events **ret_events, kr_error *reterr) {
  KR_CLEANUP(kr_events_freep) kr_events *events = kr_heap_memory()->alloc(sizeof *events);
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  kr_events_head head;
  if (events == NULL)
    return kr_fail_nomem(reterr);
  *events = (kr_events){.store = store, .key = chain_key};
  memcpy(events->uuid, store_uuid, sizeof events->uuid);
  KR_TRY(kr_store_begin(store, KR_STORE_READ, &txn, reterr));
  KR_TRY(kr_events_head_read(events, txn, &head, reterr));
  *ret_events = KR_TAKE(events);
  return KR_OK;
}

kr_status kr_events_open_damaged(kr_store *store, const kr_secret *chain_key,
                                 const uint8_t store_uuid[16], kr_events **ret_events,
                                 kr_error *reterr) {
  kr_events *events = kr_heap_memory()->alloc(sizeof *events);
  if (events == NULL)
    return kr_fail_nomem(reterr);
  *events = (kr_events){.store = store, .key = chain_key};
  memcpy(events->uuid, store_uuid, sizeof events->uuid);
  *ret_events = events;
  return KR_OK;
}

kr_status kr_events_end(kr_events *events, kr_events_anchor *ret_anchor, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  kr_events_head head;
  KR_TRY(kr_store_begin(events->store, KR_STORE_READ, &txn, reterr));
  KR_TRY(kr_events_head_read(events, txn, &head, reterr));
  *ret_anchor = (kr_events_anchor){
      .sequence = head.n_events, .n_intents = head.n_intents, .n_pending = head.n_pending};
  memcpy(ret_anchor->chain, head.chain, sizeof ret_anchor->chain);
  return KR_OK;
}

kr_status kr_events_chain_at(kr_events *events, uint64_t sequence, uint8_t out[KR_MAC_BYTES],
                             kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  kr_event_place place = kr_event_place_record(sequence);
  kr_event_record record = {0};
  kr_str bytes = {0};
  KR_TRY(kr_store_begin(events->store, KR_STORE_READ, &txn, reterr));
  KR_TRY(kr_store_get(txn, kr_event_place_str(&place), &bytes, reterr));
  KR_TRY(kr_event_parse(events, sequence, bytes, &record, reterr));
  memcpy(out, record.chain.ptr, record.chain.len);
  return KR_OK;
}

void kr_events_free(kr_events *events) {
  if (events != NULL)
    kr_heap_memory()->release(events, sizeof *events);
}
