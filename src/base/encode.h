/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode.h - base16 and base64 (RFC 4648) between byte strings and buffers.
 * Not constant time: table look-ups by value. The one key that passes through
 * here is the key file's own line, read and written on the owner's machine.
 */
#ifndef KR_BASE_ENCODE_H
#define KR_BASE_ENCODE_H

#include "base/buf.h"

typedef enum kr_base64_alphabet {
  KR_BASE64_STANDARD, /* + / */
  KR_BASE64_URL       /* - _ */
} kr_base64_alphabet;

/** Lower-case hex. */
kr_status kr_hex_encode(kr_str bytes, kr_buf *out) KR_MUST_USE;

/** Any case, even length; KR_INVALID otherwise (then out may hold a prefix). */
kr_status kr_hex_decode(kr_str text, kr_buf *out) KR_MUST_USE;

/** With padding when is_padded. */
kr_status kr_base64_encode(kr_str bytes, kr_base64_alphabet alphabet, bool is_padded,
                           kr_buf *out) KR_MUST_USE;

/**
 * Padding optional; no blanks; unused bits of the last character must be zero;
 * KR_INVALID otherwise (then out may hold a prefix).
 */
kr_status kr_base64_decode(kr_str text, kr_base64_alphabet alphabet, kr_buf *out) KR_MUST_USE;

/** The value 0-15 of a hex digit, -1 for any other byte. */
static inline int kr_hex_digit(uint8_t byte) {
  if (byte >= '0' && byte <= '9')
    return byte - '0';
  if (byte >= 'a' && byte <= 'f')
    return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F')
    return byte - 'A' + 10;
  return -1;
}

#endif
