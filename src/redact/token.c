/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - one escape at a time; see token.h. */
#include "redact/token.h"

#include "base/encode.h"
#include "base/utf8.h"
#include "redact/redact.h"

static kr_redact_token_result kr_redact_token_short(bool is_final) {
  return is_final ? KR_TOKEN_NONE : KR_TOKEN_MORE;
}

static kr_redact_token_result kr_redact_token_byte(uint8_t byte, uint8_t len, kr_redact_form form,
                                                   kr_redact_token *ret_token) {
  *ret_token = (kr_redact_token){.bytes = {byte}, .n_bytes = 1, .len = len, .form = (uint8_t)form};
  return KR_TOKEN_FOUND;
}

/* n_digits hex digits at the start of text. */
static kr_redact_token_result kr_redact_token_hex(kr_str text, size_t n_digits, bool is_final,
                                                  uint32_t *ret_number) {
  uint32_t number = 0;
  for (size_t i = 0; i < n_digits; i++) {
    if (i >= text.len)
      return kr_redact_token_short(is_final);
    int digit = kr_hex_digit(text.ptr[i]);
    if (digit < 0)
      return KR_TOKEN_NONE;
    number = number << 4 | (uint32_t)digit;
  }
  *ret_number = number;
  return KR_TOKEN_FOUND;
}

static kr_redact_token_result kr_redact_token_percent(kr_str text, bool is_final,
                                                      kr_redact_token *ret_token) {
  uint32_t byte = 0;
  kr_redact_token_result result = kr_redact_token_hex(kr_str_skip(text, 1), 2, is_final, &byte);
  if (result != KR_TOKEN_FOUND)
    return result;
  return kr_redact_token_byte((uint8_t)byte, 3, KR_FORM_PERCENT, ret_token);
}

/* "\uXXXX" at the start of text, as a 16-bit unit. */
static kr_redact_token_result kr_redact_token_unit(kr_str text, bool is_final, uint32_t *ret_unit) {
  if (text.len > 0 && text.ptr[0] != '\\')
    return KR_TOKEN_NONE;
  if (text.len > 1 && text.ptr[1] != 'u')
    return KR_TOKEN_NONE;
  if (text.len < 2)
    return kr_redact_token_short(is_final);
  return kr_redact_token_hex(kr_str_skip(text, 2), 4, is_final, ret_unit);
}

static kr_redact_token_result kr_redact_token_unicode(kr_str text, bool is_final,
                                                      kr_redact_token *ret_token) {
  uint32_t point = 0;
  kr_redact_token_result result = kr_redact_token_unit(text, is_final, &point);
  if (result != KR_TOKEN_FOUND)
    return result;
  if (point >= 0xDC00 && point <= 0xDFFF)
    return KR_TOKEN_NONE; /* half a pair spells nothing */
  uint8_t len = 6;
  if (point >= 0xD800 && point <= 0xDBFF) {
    uint32_t low = 0;
    result = kr_redact_token_unit(kr_str_skip(text, 6), is_final, &low);
    if (result != KR_TOKEN_FOUND)
      return result;
    if (low < 0xDC00 || low > 0xDFFF)
      return KR_TOKEN_NONE;
    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    len = KR_REDACT_TOKEN_BYTES;
  }
  *ret_token = (kr_redact_token){.len = len, .form = KR_FORM_JSON};
  ret_token->n_bytes = (uint8_t)kr_utf8_encode(point, ret_token->bytes);
  return KR_TOKEN_FOUND;
}

static kr_redact_token_result kr_redact_token_json(kr_str text, bool is_final,
                                                   kr_redact_token *ret_token) {
  static const char letters[] = "\"\\/bfnrt";
  static const char meanings[] = "\"\\/\b\f\n\r\t";
  if (text.len < 2)
    return kr_redact_token_short(is_final);
  if (text.ptr[1] == 'u')
    return kr_redact_token_unicode(text, is_final, ret_token);
  const char *letter = memchr(letters, text.ptr[1], sizeof(letters) - 1);
  if (letter == NULL)
    return KR_TOKEN_NONE;
  return kr_redact_token_byte((uint8_t)meanings[letter - letters], 2, KR_FORM_JSON, ret_token);
}

kr_redact_token_result kr_redact_token_read(kr_str text, bool is_final,
                                            kr_redact_token *ret_token) {
  if (text.len == 0)
    return KR_TOKEN_NONE;
  if (text.ptr[0] == '%')
    return kr_redact_token_percent(text, is_final, ret_token);
  if (text.ptr[0] == '\\')
    return kr_redact_token_json(text, is_final, ret_token);
  if (text.ptr[0] == '+')
    return kr_redact_token_byte(' ', 1, KR_FORM_PERCENT, ret_token);
  return KR_TOKEN_NONE;
}
