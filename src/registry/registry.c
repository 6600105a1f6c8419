/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.c - records with a MAC, and settings among them.
 *
 *   "rs" | organization u32 | key  ->  value str | MAC
 */
#include "registry/internal.h"

#include <stdarg.h>
#include <stdio.h>

#define KR_REGISTRY_RECORD_BYTES (128u * 1024u) /* above the longest audit entry */

kr_status kr_registry_corrupt(kr_error *reterr, const char *format, ...) {
  char message[KR_ERROR_MESSAGE_BYTES];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  return kr_fail_hint(reterr, KR_CORRUPT, message,
                      "the stored data was damaged or altered: restore the home from a backup");
}

kr_status kr_registry_put(const kr_registry *registry, kr_store_txn *txn, kr_str domain,
                          kr_str place, kr_str payload, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_REGISTRY_RECORD_BYTES, NULL);
  KR_TRY(kr_record_mac_seal(registry->record_key, domain, place, payload, &record, reterr));
  return kr_store_put(txn, place, kr_buf_str(&record), reterr);
}

kr_status kr_registry_get(const kr_registry *registry, kr_store_txn *txn, kr_str domain,
                          kr_str place, const char *what, kr_str *ret_payload, kr_error *reterr) {
  kr_str record = {0};
  KR_TRY(kr_store_get(txn, place, &record, reterr));
  kr_status status =
      kr_record_mac_open(registry->record_key, domain, place, record, ret_payload, reterr);
  if (status == KR_CORRUPT)
    return kr_registry_corrupt(reterr, "%s fails its integrity check", what);
  return status;
}

static kr_status kr_setting_check(kr_str key, kr_error *reterr) {
  bool is_ok = key.len > 0 && key.len <= KR_SETTING_KEY_BYTES;
  for (size_t i = 0; is_ok && i < key.len; i++) {
    uint8_t byte = key.ptr[i];
    is_ok = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
            byte == '.' || byte == '_';
  }
  if (is_ok)
    return KR_OK;
  return kr_fail(reterr, KR_INVALID, "a setting's key is 1 to %u of a-z, 0-9, '-', '.' and '_'",
                 KR_SETTING_KEY_BYTES);
}

static kr_status kr_setting_place(uint32_t org_id, kr_str key, kr_buf *out) {
  KR_TRY(kr_buf_append(out, KR_STR("rs")));
  KR_TRY(kr_wire_put_u32(out, org_id));
  return kr_buf_append(out, key);
}

kr_status kr_registry_setting_get(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                                  kr_str key, kr_buf *ret_value, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf place = KR_BUF_INIT(KR_STORE_KEY_BYTES, NULL);
  kr_str payload = {0};
  KR_TRY(kr_setting_check(key, reterr));
  KR_TRY(kr_buf_explain(&place, kr_setting_place(org_id, key, &place), "a setting", reterr));
  KR_TRY(kr_registry_get(registry, txn, KR_DOMAIN_SETTING, kr_buf_str(&place), "a setting",
                         &payload, reterr));
  kr_wire_reader reader = kr_wire_reader_init(payload);
  kr_str value = kr_wire_get_str(&reader);
  if (!kr_wire_is_end(&reader))
    return kr_registry_corrupt(reterr, "setting %.*s is not well-formed", KR_FMT(key));
  return kr_buf_explain(ret_value, kr_buf_append(ret_value, value), "a setting", reterr);
}

kr_status kr_registry_setting_set(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                                  kr_str key, kr_str value, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf place = KR_BUF_INIT(KR_STORE_KEY_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf payload = KR_BUF_INIT(KR_REGISTRY_RECORD_BYTES, NULL);
  KR_TRY(kr_setting_check(key, reterr));
  if (value.len > KR_SETTING_VALUE_BYTES)
    return kr_fail(reterr, KR_LIMIT, "the value of setting %.*s is over %u bytes", KR_FMT(key),
                   KR_SETTING_VALUE_BYTES);
  KR_TRY(kr_buf_explain(&place, kr_setting_place(org_id, key, &place), "a setting", reterr));
  KR_TRY(kr_buf_explain(&payload, kr_wire_put_str(&payload, value), "a setting", reterr));
  return kr_registry_put(registry, txn, KR_DOMAIN_SETTING, kr_buf_str(&place), kr_buf_str(&payload),
                         reterr);
}

/* The first setting of an organization; KR_NOT_FOUND at the end. */
static kr_status kr_setting_first(kr_store_txn *txn, kr_str prefix, kr_buf *ret_place,
                                  kr_error *reterr) {
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_str at = {0};
  kr_str record = {0};
  kr_buf_reset(ret_place);
  KR_TRY(kr_store_scan(txn, prefix, (kr_str){0}, false, &cursor, reterr));
  KR_TRY(kr_store_next(cursor, &at, &record, reterr));
  return kr_buf_explain(ret_place, kr_buf_append(ret_place, at), "a setting", reterr);
}

kr_status kr_registry_settings_remove(const kr_registry *registry, kr_store_txn *txn,
                                      uint32_t org_id, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf prefix = KR_BUF_INIT(KR_STORE_KEY_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf place = KR_BUF_INIT(KR_STORE_KEY_BYTES, NULL);
  if (registry->record_key == NULL)
    return kr_fail(reterr, KR_UNTRUSTED, "the registry was opened without its key");
  KR_TRY(
      kr_buf_explain(&prefix, kr_setting_place(org_id, (kr_str){0}, &prefix), "a setting", reterr));
  kr_status status = KR_OK;
  while ((status = kr_setting_first(txn, kr_buf_str(&prefix), &place, reterr)) == KR_OK)
    KR_TRY(kr_store_remove(txn, kr_buf_str(&place), reterr));
  return status == KR_NOT_FOUND ? KR_OK : status;
}
