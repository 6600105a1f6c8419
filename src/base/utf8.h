/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - strict UTF-8 (RFC 3629): no overlong forms, no surrogates, at most U+10FFFF. */
#ifndef KR_BASE_UTF8_H
#define KR_BASE_UTF8_H

#include "base/str.h"

/** Offset of the first byte that is not part of well-formed UTF-8; bytes.len if all is. */
size_t kr_utf8_check(kr_str bytes);

static inline bool kr_utf8_is_valid(kr_str bytes) { return kr_utf8_check(bytes) == bytes.len; }

/**
 * Decode the code point at the start of bytes (len > 0). Returns its length in
 * bytes (1-4), or 0 when malformed or cut short; *ret_point is set unless 0.
 */
size_t kr_utf8_decode(kr_str bytes, uint32_t *ret_point);

/** Encode a code point (not a surrogate, <= 0x10FFFF) into out; returns 1-4. */
size_t kr_utf8_encode(uint32_t point, uint8_t out[4]);

#endif
