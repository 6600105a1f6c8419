/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_mac.h - every stored record that is not an envelope carries a MAC:
 *
 *   record bytes = payload | HMAC-SHA-256(record-MAC key, domain, store key, payload)[0..32)
 *
 * with each part length-prefixed (kr_crypto_mac). The store key is covered, so a
 * record moved to another key is refused. domain names the kind and version of
 * the record ("krosyn/v1/secret-meta").
 */
#ifndef KR_CRYPTO_RECORD_MAC_H
#define KR_CRYPTO_RECORD_MAC_H

#include "crypto/crypto.h"

/** Append payload and its MAC to out. */
kr_status kr_record_mac_seal(const kr_secret *mac_key, kr_str domain, kr_str store_key,
                             kr_str payload, kr_buf *out, kr_error *reterr) KR_MUST_USE;

/**
 * Check and strip. mac_key NULL (no key at hand) strips without checking; the
 * caller then says that what it shows is unverified. KR_CORRUPT otherwise.
 */
kr_status kr_record_mac_open(const kr_secret *mac_key, kr_str domain, kr_str store_key,
                             kr_str record, kr_str *ret_payload, kr_error *reterr) KR_MUST_USE;

#endif
