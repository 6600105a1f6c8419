/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c - the audit of changes: entries numbered from 1 without gaps, and a
 * head that counts them. Append-only: nothing here rewrites an entry.
 *
 *   "ra"                 -> entries u64 | MAC
 *   "re" | sequence u64  -> time u64 (ms) | organization u32 | actor str | action str | subject str
 *                           | changes u8 | changes * (field str | old | new) | MAC
 *   old, new = 0 (absent) or 1 and a str
 */
#include "registry/internal.h"

#define KR_AUDIT_PAYLOAD_BYTES (96u * 1024u) /* above 3 + 3 * KR_AUDIT_CHANGES_MAX full fields */

kr_audit_place kr_audit_place_of(uint64_t sequence) {
  kr_audit_place place = {{'r', 'e'}};
  for (size_t i = 0; i < 8; i++)
    place.bytes[2 + i] = (uint8_t)(sequence >> (8 * (7 - i)));
  return place;
}

kr_status kr_audit_count(const kr_registry *registry, kr_store_txn *txn, uint64_t *ret_count,
                         kr_error *reterr) {
  kr_str payload = {0};
  kr_status status = kr_registry_get(registry, txn, KR_DOMAIN_AUDIT_HEAD, KR_STR("ra"),
                                     "the head of the audit", &payload, reterr);
  *ret_count = 0;
  if (status == KR_NOT_FOUND)
    return KR_OK;
  KR_TRY(status);
  kr_wire_reader reader = kr_wire_reader_init(payload);
  *ret_count = kr_wire_get_u64(&reader);
  if (!kr_wire_is_end(&reader) || *ret_count == 0)
    return kr_registry_corrupt(reterr, "the head of the audit is not well-formed");
  return KR_OK;
}

static kr_status kr_audit_field_check(kr_str field, const char *what, kr_error *reterr) {
  if (field.len <= KR_AUDIT_FIELD_BYTES)
    return KR_OK;
  return kr_fail(reterr, KR_LIMIT, "the %s of an audit entry is over %u bytes", what,
                 KR_AUDIT_FIELD_BYTES);
}

static kr_status kr_audit_check(const kr_audit_entry *entry, kr_error *reterr) {
  if (entry->n_changes > KR_AUDIT_CHANGES_MAX)
    return kr_fail(reterr, KR_LIMIT, "an audit entry has at most %u changes", KR_AUDIT_CHANGES_MAX);
  KR_TRY(kr_audit_field_check(entry->actor, "actor", reterr));
  KR_TRY(kr_audit_field_check(entry->action, "action", reterr));
  KR_TRY(kr_audit_field_check(entry->subject, "subject", reterr));
  for (size_t i = 0; i < entry->n_changes; i++) {
    KR_TRY(kr_audit_field_check(entry->changes[i].field, "field name", reterr));
    KR_TRY(kr_audit_field_check(entry->changes[i].old_value, "old value", reterr));
    KR_TRY(kr_audit_field_check(entry->changes[i].new_value, "new value", reterr));
  }
  return KR_OK;
}

static kr_status kr_audit_put_optional(kr_buf *out, kr_str value) {
  KR_TRY(kr_wire_put_u8(out, value.ptr != NULL));
  return value.ptr == NULL ? KR_OK : kr_wire_put_str(out, value);
}

static kr_str kr_audit_get_optional(kr_wire_reader *reader) {
  uint8_t is_present = kr_wire_get_u8(reader);
  if (is_present > 1)
    reader->is_bad = true;
  return is_present == 1 ? kr_wire_get_str(reader) : (kr_str){0};
}

static kr_status kr_audit_body(const kr_audit_entry *entry, kr_buf *out) {
  KR_TRY(kr_wire_put_u64(out, (uint64_t)entry->time_ms));
  KR_TRY(kr_wire_put_u32(out, entry->org_id));
  KR_TRY(kr_wire_put_str(out, entry->actor));
  KR_TRY(kr_wire_put_str(out, entry->action));
  KR_TRY(kr_wire_put_str(out, entry->subject));
  KR_TRY(kr_wire_put_u8(out, (uint8_t)entry->n_changes));
  for (size_t i = 0; i < entry->n_changes; i++) {
    KR_TRY(kr_wire_put_str(out, entry->changes[i].field));
    KR_TRY(kr_audit_put_optional(out, entry->changes[i].old_value));
    KR_TRY(kr_audit_put_optional(out, entry->changes[i].new_value));
  }
  return KR_OK;
}

kr_status kr_audit_put_head(const kr_registry *registry, kr_store_txn *txn, uint64_t count,
                            kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf head = KR_BUF_INIT(64, NULL);
  KR_TRY(kr_buf_explain(&head, kr_wire_put_u64(&head, count), "the audit", reterr));
  return kr_registry_put(registry, txn, KR_DOMAIN_AUDIT_HEAD, KR_STR("ra"), kr_buf_str(&head),
                         reterr);
}

kr_status kr_registry_audit_append(const kr_registry *registry, kr_store_txn *txn,
                                   const kr_audit_entry *entry, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(KR_AUDIT_PAYLOAD_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_AUDIT_PAYLOAD_BYTES * 2, NULL);
  uint64_t count = 0;
  KR_TRY(kr_audit_check(entry, reterr));
  KR_TRY(kr_audit_count(registry, txn, &count, reterr));
  kr_audit_place place = kr_audit_place_of(count + 1);
  kr_str at = kr_str_from(place.bytes, sizeof place.bytes);
  KR_TRY(kr_buf_explain(&body, kr_audit_body(entry, &body), "an audit entry", reterr));
  KR_TRY(kr_record_mac_seal(registry->record_key, KR_DOMAIN_AUDIT, at, kr_buf_str(&body), &record,
                            reterr));
  kr_status status = kr_store_put_new(txn, at, kr_buf_str(&record), reterr);
  if (status == KR_EXISTS)
    return kr_registry_corrupt(reterr, "the head of the audit was put back to an older state");
  KR_TRY(status);
  return kr_audit_put_head(registry, txn, count + 1, reterr);
}

static kr_status kr_audit_parse(kr_str payload, uint64_t sequence, kr_audit_entry *entry,
                                kr_audit_change changes[KR_AUDIT_CHANGES_MAX], kr_error *reterr) {
  kr_wire_reader reader = kr_wire_reader_init(payload);
  *entry = (kr_audit_entry){.sequence = sequence, .changes = changes};
  entry->time_ms = (int64_t)kr_wire_get_u64(&reader);
  entry->org_id = kr_wire_get_u32(&reader);
  entry->actor = kr_wire_get_str(&reader);
  entry->action = kr_wire_get_str(&reader);
  entry->subject = kr_wire_get_str(&reader);
  entry->n_changes = kr_wire_get_u8(&reader);
  if (entry->n_changes > KR_AUDIT_CHANGES_MAX)
    reader.is_bad = true;
  for (size_t i = 0; !reader.is_bad && i < entry->n_changes; i++) {
    changes[i].field = kr_wire_get_str(&reader);
    changes[i].old_value = kr_audit_get_optional(&reader);
    changes[i].new_value = kr_audit_get_optional(&reader);
  }
  if (!kr_wire_is_end(&reader))
    return kr_registry_corrupt(reterr, "audit entry %llu is not well-formed",
                               (unsigned long long)sequence);
  return KR_OK;
}

static kr_status kr_audit_visit_none(void *ctx, const kr_audit_entry *entry) {
  (void)ctx;
  (void)entry;
  return KR_OK;
}

static kr_status kr_audit_visit_one(const kr_registry *registry, uint64_t sequence, kr_str at,
                                    kr_str record, kr_audit_visit visit, void *ctx,
                                    kr_error *reterr) {
  kr_audit_place place = kr_audit_place_of(sequence);
  kr_audit_change changes[KR_AUDIT_CHANGES_MAX];
  kr_audit_entry entry;
  kr_str payload = {0};
  if (!kr_str_equal(at, kr_str_from(place.bytes, sizeof place.bytes)))
    return kr_registry_corrupt(reterr, "audit entry %llu is missing", (unsigned long long)sequence);
  kr_status status =
      kr_record_mac_open(registry->record_key, KR_DOMAIN_AUDIT, at, record, &payload, reterr);
  if (status == KR_CORRUPT)
    return kr_registry_corrupt(reterr, "audit entry %llu fails its integrity check",
                               (unsigned long long)sequence);
  KR_TRY(status);
  KR_TRY(kr_audit_parse(payload, sequence, &entry, changes, reterr));
  return visit(ctx, &entry);
}

kr_status kr_audit_check_record(const kr_registry *registry, uint64_t sequence, kr_str at,
                                kr_str record, kr_error *reterr) {
  return kr_audit_visit_one(registry, sequence, at, record, kr_audit_visit_none, NULL, reterr);
}

kr_status kr_registry_audit_each(const kr_registry *registry, kr_store_txn *txn, uint64_t from,
                                 kr_audit_visit visit, void *ctx, kr_error *reterr) {
  uint64_t count = 0;
  uint64_t sequence = from == 0 ? 1 : from;
  KR_TRY(kr_audit_count(registry, txn, &count, reterr));
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_audit_place first = kr_audit_place_of(sequence);
  KR_TRY(kr_store_scan(txn, KR_STR("re"), kr_str_from(first.bytes, sizeof first.bytes), false,
                       &cursor, reterr));
  kr_str at = {0};
  kr_str record = {0};
  kr_status status = KR_OK;
  while ((status = kr_store_next(cursor, &at, &record, reterr)) == KR_OK) {
    if (sequence > count)
      return kr_registry_corrupt(reterr, "audit entry %llu is beyond the head of the audit",
                                 (unsigned long long)sequence);
    KR_TRY(kr_audit_visit_one(registry, sequence, at, record, visit, ctx, reterr));
    sequence++;
  }
  if (status != KR_NOT_FOUND)
    return status;
  if (sequence <= count)
    return kr_registry_corrupt(reterr, "audit entry %llu is missing", (unsigned long long)sequence);
  return KR_OK;
}
