/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read.c - events out, for one organization at a time. The index is only a way
 * to find a record: whose it is says the record itself, under its MAC.
 */
#include "events/internal.h"

#include "base/encode.h"

kr_status kr_event_parse(const kr_events *events, uint64_t sequence, kr_str bytes,
                         kr_event_record *ret_record, kr_error *reterr) {
  unsigned long long number = sequence;
  if (bytes.len < KR_CHAIN_BYTES + KR_MAC_BYTES)
    return kr_events_corrupt(reterr, "event %llu is cut short", number);
  kr_event_place place = kr_event_place_record(sequence);
  kr_event_record record = {.head = {.sequence = sequence}};
  kr_str sealed = kr_str_slice(bytes, 0, bytes.len - KR_CHAIN_BYTES);
  kr_str payload = {0};
  record.chain = kr_str_skip(bytes, sealed.len);
  record.mac = kr_str_skip(sealed, sealed.len - KR_MAC_BYTES);
  kr_status status = kr_record_mac_open(events->key, KR_DOMAIN_EVENT, kr_event_place_str(&place),
                                        sealed, &payload, reterr);
  if (status == KR_CORRUPT)
    return kr_events_corrupt(reterr, "event %llu fails its integrity check", number);
  KR_TRY(status);
  kr_wire_reader reader = kr_wire_reader_init(payload);
  record.head.org_id = kr_wire_get_u32(&reader);
  kr_str id = kr_wire_get_str(&reader);
  record.head.started_ms = (int64_t)kr_wire_get_u64(&reader);
  uint8_t event_status = kr_wire_get_u8(&reader);
  record.json = kr_wire_get_str(&reader);
  if (!kr_wire_is_end(&reader) || !kr_event_id_is_valid(id) || event_status > KR_EVENT_INTERRUPTED)
    return kr_events_corrupt(reterr, "event %llu is not well-formed", number);
  record.head.status = (kr_event_status)event_status;
  memcpy(record.head.id, id.ptr, id.len);
  *ret_record = record;
  return KR_OK;
}

/* Read one event of an organization and show it. */
static kr_status kr_event_show(const kr_events *events, kr_store_txn *txn, uint32_t org_id,
                               uint64_t sequence, kr_event_visit visit, void *ctx,
                               kr_error *reterr) {
  kr_event_place place = kr_event_place_record(sequence);
  kr_str bytes = {0};
  kr_event_record record = {0};
  kr_status status = kr_store_get(txn, kr_event_place_str(&place), &bytes, reterr);
  if (status == KR_NOT_FOUND)
    return kr_events_corrupt(reterr, "event %llu is missing", (unsigned long long)sequence);
  KR_TRY(status);
  KR_TRY(kr_event_parse(events, sequence, bytes, &record, reterr));
  if (record.head.org_id != org_id)
    return kr_events_corrupt(reterr, "the index of events does not match the log");
  return visit(ctx, &record.head, record.json, events->key != NULL);
}

static kr_status kr_events_check_org(uint32_t org_id, kr_error *reterr) {
  if (org_id != 0)
    return KR_OK;
  return kr_fail(reterr, KR_INVALID, "events are read for one organization");
}

kr_status kr_events_each(kr_events *events, uint32_t org_id, size_t max_events,
                         kr_event_visit visit, void *ctx, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_events_check_org(org_id, reterr));
  KR_TRY(kr_store_begin(events->store, KR_STORE_READ, &txn, reterr));
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_event_place prefix = kr_event_place_org(org_id);
  KR_TRY(kr_store_scan(txn, kr_event_place_str(&prefix), (kr_str){0}, true, &cursor, reterr));
  for (size_t n = 0; n < max_events; n++) {
    kr_str at = {0};
    kr_str value = {0};
    kr_status status = kr_store_next(cursor, &at, &value, reterr);
    if (status == KR_NOT_FOUND)
      return KR_OK;
    KR_TRY(status);
    kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(at, prefix.len));
    uint64_t sequence = kr_wire_get_u64(&reader);
    if (!kr_wire_is_end(&reader))
      return kr_events_corrupt(reterr, "the index of events is not well-formed");
    KR_TRY(kr_event_show(events, txn, org_id, sequence, visit, ctx, reterr));
  }
  return KR_OK;
}

static kr_status kr_event_read_index(const kr_events *events, kr_str at, kr_str bytes,
                                     uint64_t *ret_sequence, kr_error *reterr) {
  kr_str payload = {0};
  kr_status status =
      kr_record_mac_open(events->key, KR_DOMAIN_EVENT_BY_ID, at, bytes, &payload, reterr);
  kr_wire_reader reader = kr_wire_reader_init(payload);
  *ret_sequence = kr_wire_get_u64(&reader);
  if (status == KR_CORRUPT || (status == KR_OK && !kr_wire_is_end(&reader)))
    return kr_events_corrupt(reterr, "the index of events fails its integrity check");
  return status;
}

kr_status kr_event_by_id(const kr_events *events, kr_store_txn *txn, uint32_t org_id, kr_str id,
                         uint64_t *ret_sequence, kr_error *reterr) {
  kr_event_place place = kr_event_place_by_id(org_id, id);
  kr_str bytes = {0};
  KR_TRY(kr_store_get(txn, kr_event_place_str(&place), &bytes, reterr));
  return kr_event_read_index(events, kr_event_place_str(&place), bytes, ret_sequence, reterr);
}

/* Lower case, and a possible beginning of an id. */
static kr_status kr_event_prefix(kr_str id, char out[KR_EVENT_ID_BYTES + 1], kr_error *reterr) {
  bool is_ok = id.len >= KR_EVENT_PREFIX_MIN && id.len <= KR_EVENT_ID_BYTES;
  for (size_t i = 0; is_ok && i < id.len; i++) {
    uint8_t byte = id.ptr[i];
    is_ok = byte == '-' || kr_hex_digit(byte) >= 0;
    out[i] = (char)(byte >= 'A' && byte <= 'F' ? byte - 'A' + 'a' : byte);
  }
  if (is_ok)
    return KR_OK;
  return kr_fail_hint(reterr, KR_INVALID,
                      "an event's id is a UUID, or at least its first 8 characters",
                      "`krosyn events list` shows the ids");
}

kr_status kr_events_find(kr_events *events, uint32_t org_id, kr_str id, kr_event_visit visit,
                         void *ctx, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  char text[KR_EVENT_ID_BYTES + 1] = "";
  kr_str at = {0};
  kr_str bytes = {0};
  kr_str other = {0};
  uint64_t sequence = 0;
  KR_TRY(kr_events_check_org(org_id, reterr));
  KR_TRY(kr_event_prefix(id, text, reterr));
  KR_TRY(kr_store_begin(events->store, KR_STORE_READ, &txn, reterr));
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_event_place prefix = kr_event_place_by_id(org_id, kr_str_from(text, id.len));
  KR_TRY(kr_store_scan(txn, kr_event_place_str(&prefix), (kr_str){0}, false, &cursor, reterr));
  kr_status status = kr_store_next(cursor, &at, &bytes, reterr);
  if (status == KR_NOT_FOUND)
    return kr_fail_hint(reterr, KR_NOT_FOUND, "this organization has no event of that id",
                        "`krosyn events list` shows the ids");
  KR_TRY(status);
  KR_TRY(kr_event_read_index(events, at, bytes, &sequence, reterr));
  status = kr_store_next(cursor, &other, &bytes, reterr);
  if (status == KR_OK)
    return kr_fail_hint(reterr, KR_INVALID, "more than one event begins with that id",
                        "give more characters of it");
  if (status != KR_NOT_FOUND)
    return status;
  return kr_event_show(events, txn, org_id, sequence, visit, ctx, reterr);
}

kr_status kr_events_high_org(kr_events *events, uint32_t *ret_org_id, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(events->store, KR_STORE_READ, &txn, reterr));
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  const kr_event_place place = kr_event_place_org(0);
  kr_str letters = kr_str_slice(kr_event_place_str(&place), 0, 2);
  kr_str at = {0};
  kr_str record = {0};
  *ret_org_id = 0;
  bool is_found = kr_store_scan(txn, letters, (kr_str){0}, true, &cursor, NULL) == KR_OK &&
                  kr_store_next(cursor, &at, &record, NULL) == KR_OK;
  if (!is_found)
    return KR_OK;
  kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(at, letters.len));
  uint32_t org_id = kr_wire_get_u32(&reader);
  *ret_org_id = reader.is_bad ? 0 : org_id;
  return KR_OK;
}
