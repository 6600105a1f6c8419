/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_mac.c - the MAC at the end of every stored record that is no envelope;
 * see record_mac.h. The MAC is checked in constant time and before anything
 * reads the payload.
 */
#include "crypto/record_mac.h"

static kr_status kr_record_mac_of(const kr_secret *mac_key, kr_str domain, kr_str store_key,
                                  kr_str payload, uint8_t out[KR_MAC_BYTES], kr_error *reterr) {
  const kr_str parts[] = {domain, store_key, payload};
  return kr_crypto_mac(mac_key, parts, sizeof parts / sizeof parts[0], out, reterr);
}

kr_status kr_record_mac_seal(const kr_secret *mac_key, kr_str domain, kr_str store_key,
                             kr_str payload, kr_buf *out, kr_error *reterr) {
  if (mac_key == NULL)
    return kr_fail_hint(reterr, KR_UNTRUSTED, "a record cannot be written without the vault's key",
                        "give the key file");
  uint8_t mac[KR_MAC_BYTES];
  KR_TRY(kr_record_mac_of(mac_key, domain, store_key, payload, mac, reterr));
  size_t wanted = 0;
  if (!kr_size_add(payload.len, sizeof mac, &wanted))
    return kr_buf_explain(out, KR_LIMIT, "a stored record", reterr);
  kr_status status = kr_buf_reserve(out, wanted);
  if (status != KR_OK)
    return kr_buf_explain(out, status, "a stored record", reterr);
  KR_TRY(kr_buf_append(out, payload));
  return kr_buf_append(out, kr_str_from(mac, sizeof mac));
}

kr_status kr_record_mac_open(const kr_secret *mac_key, kr_str domain, kr_str store_key,
                             kr_str record, kr_str *ret_payload, kr_error *reterr) {
  if (record.len < KR_MAC_BYTES)
    return kr_fail_hint(reterr, KR_CORRUPT, "a stored record is cut short",
                        "restore the home from a backup");
  kr_str payload = kr_str_slice(record, 0, record.len - KR_MAC_BYTES);
  if (mac_key == NULL) {
    *ret_payload = payload;
    return KR_OK;
  }
  uint8_t mac[KR_MAC_BYTES];
  KR_TRY(kr_record_mac_of(mac_key, domain, store_key, payload, mac, reterr));
  if (!kr_crypto_equal(mac, record.ptr + payload.len, sizeof mac))
    return kr_fail_hint(reterr, KR_CORRUPT, "a stored record fails its integrity check",
                        "restore the home from a backup");
  *ret_payload = payload;
  return KR_OK;
}
