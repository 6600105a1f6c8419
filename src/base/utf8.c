/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.c - RFC 3629, section 4 (the ABNF of well-formed sequences), written out. */
#include "base/utf8.h"

static bool kr_utf8_is_tail(uint8_t byte) { return (byte & 0xC0) == 0x80; }

size_t kr_utf8_decode(kr_str bytes, uint32_t *ret_point) {
  if (bytes.len == 0)
    return 0;
  const uint8_t *p = bytes.ptr;
  if (p[0] < 0x80) {
    *ret_point = p[0];
    return 1;
  }
  if (p[0] < 0xC2 || p[0] > 0xF4)
    return 0;
  size_t len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
  if (bytes.len < len)
    return 0;
  uint32_t point = p[0] & (0x7Fu >> len);
  for (size_t i = 1; i < len; i++) {
    if (!kr_utf8_is_tail(p[i]))
      return 0;
    point = point << 6 | (p[i] & 0x3Fu);
  }
  bool is_overlong = (len == 3 && point < 0x800) || (len == 4 && point < 0x10000);
  bool is_surrogate = point >= 0xD800 && point <= 0xDFFF;
  if (is_overlong || is_surrogate || point > 0x10FFFF)
    return 0;
  *ret_point = point;
  return len;
}

size_t kr_utf8_check(kr_str bytes) {
  size_t i = 0;
  while (i < bytes.len) {
    /* Most text is ASCII: take eight bytes at a time while it lasts. */
    uint64_t word = 0;
    while (bytes.len - i >= sizeof word) {
      memcpy(&word, bytes.ptr + i, sizeof word);
      if ((word & UINT64_C(0x8080808080808080)) != 0)
        break;
      i += sizeof word;
    }
    if (i == bytes.len)
      break;
    uint32_t point = 0;
    size_t len = kr_utf8_decode(kr_str_skip(bytes, i), &point);
    if (len == 0)
      return i;
    i += len;
  }
  return i;
}

size_t kr_utf8_encode(uint32_t point, uint8_t out[4]) {
  if (point < 0x80) {
    out[0] = (uint8_t)point;
    return 1;
  }
  if (point < 0x800) {
    out[0] = (uint8_t)(0xC0 | point >> 6);
    out[1] = (uint8_t)(0x80 | (point & 0x3F));
    return 2;
  }
  if (point < 0x10000) {
    out[0] = (uint8_t)(0xE0 | point >> 12);
    out[1] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
    out[2] = (uint8_t)(0x80 | (point & 0x3F));
    return 3;
  }
  out[0] = (uint8_t)(0xF0 | point >> 18);
  out[1] = (uint8_t)(0x80 | (point >> 12 & 0x3F));
  out[2] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
  out[3] = (uint8_t)(0x80 | (point & 0x3F));
  return 4;
}
