/* SPDX-License-Identifier: Apache-2.0 */
/* encode.c - RFC 4648 sections 4, 5 and 8. */
#include "base/encode.h"

kr_status kr_hex_encode(kr_str bytes, kr_buf *out) {
  static const char digits[] = "0123456789abcdef";
  size_t len = 0;
  if (!kr_size_mul(bytes.len, 2, &len))
    return KR_LIMIT;
  KR_TRY(kr_buf_reserve(out, len));
  for (size_t i = 0; i < bytes.len; i++) {
    out->ptr[out->len++] = (uint8_t)digits[bytes.ptr[i] >> 4];
    out->ptr[out->len++] = (uint8_t)digits[bytes.ptr[i] & 15];
  }
  return KR_OK;
}

kr_status kr_hex_decode(kr_str text, kr_buf *out) {
  if (text.len % 2 != 0)
    return KR_INVALID;
  KR_TRY(kr_buf_reserve(out, text.len / 2));
  for (size_t i = 0; i < text.len; i += 2) {
    int high = kr_hex_digit(text.ptr[i]);
    int low = kr_hex_digit(text.ptr[i + 1]);
    if (high < 0 || low < 0)
      return KR_INVALID;
    out->ptr[out->len++] = (uint8_t)(high << 4 | low);
  }
  return KR_OK;
}

static const char *kr_base64_digits(kr_base64_alphabet alphabet) {
  return alphabet == KR_BASE64_URL
             ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
             : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

kr_status kr_base64_encode(kr_str bytes, kr_base64_alphabet alphabet, bool is_padded, kr_buf *out) {
  const char *digits = kr_base64_digits(alphabet);
  size_t len = 0;
  if (!kr_size_mul(bytes.len / 3 + 1, 4, &len))
    return KR_LIMIT;
  size_t groups = bytes.len / 3;
  size_t rest = bytes.len % 3;
  size_t exact = groups * 4 + (rest == 0 ? 0 : is_padded ? 4 : rest + 1);
  if (exact == 0)
    return KR_OK;
  KR_TRY(kr_buf_reserve(out, exact));
  const uint8_t *p = bytes.ptr;
  uint8_t *o = out->ptr + out->len;
  for (size_t i = 0; i < groups; i++, p += 3) {
    *o++ = (uint8_t)digits[p[0] >> 2];
    *o++ = (uint8_t)digits[(p[0] & 3) << 4 | p[1] >> 4];
    *o++ = (uint8_t)digits[(p[1] & 15) << 2 | p[2] >> 6];
    *o++ = (uint8_t)digits[p[2] & 63];
  }
  if (rest > 0) {
    uint8_t second = rest == 2 ? p[1] : 0;
    *o++ = (uint8_t)digits[p[0] >> 2];
    *o++ = (uint8_t)digits[(p[0] & 3) << 4 | second >> 4];
    if (rest == 2)
      *o++ = (uint8_t)digits[(second & 15) << 2];
    for (size_t i = rest; is_padded && i < 3; i++)
      *o++ = '=';
  }
  out->len += exact;
  return KR_OK;
}

static int kr_base64_value(uint8_t byte, kr_base64_alphabet alphabet) {
  if (byte >= 'A' && byte <= 'Z')
    return byte - 'A';
  if (byte >= 'a' && byte <= 'z')
    return byte - 'a' + 26;
  if (byte >= '0' && byte <= '9')
    return byte - '0' + 52;
  if (byte == (alphabet == KR_BASE64_URL ? '-' : '+'))
    return 62;
  if (byte == (alphabet == KR_BASE64_URL ? '_' : '/'))
    return 63;
  return -1;
}

kr_status kr_base64_decode(kr_str text, kr_base64_alphabet alphabet, kr_buf *out) {
  size_t len = text.len;
  if (len > 0 && len % 4 == 0 && text.ptr[len - 1] == '=')
    len -= text.ptr[len - 2] == '=' ? 2 : 1;
  if (len % 4 == 1)
    return KR_INVALID;
  KR_TRY(kr_buf_reserve(out, len / 4 * 3 + (len % 4 == 0 ? 0 : len % 4 - 1)));
  uint32_t bits = 0;
  unsigned n_bits = 0;
  for (size_t i = 0; i < len; i++) {
    int value = kr_base64_value(text.ptr[i], alphabet);
    if (value < 0)
      return KR_INVALID;
    bits = (bits << 6 | (uint32_t)value) & 0xFFFF;
    n_bits += 6;
    if (n_bits < 8)
      continue;
    n_bits -= 8;
    out->ptr[out->len++] = (uint8_t)(bits >> n_bits);
  }
  if ((bits & ((1u << n_bits) - 1)) != 0)
    return KR_INVALID;
  return KR_OK;
}
