/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - the escapes at one byte; see token.h. */
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

static bool kr_redact_is_surrogate(uint32_t point) { return point >= 0xD800 && point <= 0xDFFF; }

/* A code point that is no surrogate, at most U+10FFFF. */
static kr_redact_token_result kr_redact_token_point(uint32_t point, size_t len, kr_redact_form form,
                                                    kr_redact_token *ret_token) {
  *ret_token = (kr_redact_token){.len = (uint8_t)len, .form = (uint8_t)form};
  ret_token->n_bytes = (uint8_t)kr_utf8_encode(point, ret_token->bytes);
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
  if (text.ptr[0] == '+')
    return kr_redact_token_byte(' ', 1, KR_FORM_PERCENT, ret_token);
  kr_redact_token_result result = kr_redact_token_hex(kr_str_skip(text, 1), 2, is_final, &byte);
  if (result != KR_TOKEN_FOUND)
    return result;
  return kr_redact_token_byte((uint8_t)byte, 3, KR_FORM_PERCENT, ret_token);
}

/* The opening ("\u" or "\\u") and four hex digits at the start of text, as a 16-bit unit. */
static kr_redact_token_result kr_redact_token_unit(kr_str text, kr_str opening, bool is_final,
                                                   uint32_t *ret_unit) {
  if (text.len < opening.len && kr_str_starts(opening, text))
    return kr_redact_token_short(is_final);
  if (!kr_str_starts(text, opening))
    return KR_TOKEN_NONE;
  return kr_redact_token_hex(kr_str_skip(text, opening.len), 4, is_final, ret_unit);
}

static kr_redact_token_result kr_redact_token_unicode(kr_str text, kr_str opening, bool is_final,
                                                      kr_redact_form form,
                                                      kr_redact_token *ret_token) {
  uint32_t point = 0;
  uint32_t low = 0;
  size_t len = opening.len + 4;
  kr_redact_token_result result = kr_redact_token_unit(text, opening, is_final, &point);
  if (result != KR_TOKEN_FOUND)
    return result;
  if (!kr_redact_is_surrogate(point))
    return kr_redact_token_point(point, len, form, ret_token);
  if (point >= 0xDC00)
    return KR_TOKEN_NONE; /* half a pair spells nothing */
  result = kr_redact_token_unit(kr_str_skip(text, len), opening, is_final, &low);
  if (result != KR_TOKEN_FOUND)
    return result;
  if (low < 0xDC00 || low > 0xDFFF)
    return KR_TOKEN_NONE;
  point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
  return kr_redact_token_point(point, 2 * len, form, ret_token);
}

/* The byte that a letter behind a backslash stands for; -1: none. */
static int kr_redact_token_letter(uint8_t letter) {
  static const char letters[] = "\"\\/bfnrt";
  static const char meanings[] = "\"\\/\b\f\n\r\t";
  const char *found = memchr(letters, letter, sizeof(letters) - 1);
  return found == NULL ? -1 : meanings[found - letters];
}

static kr_redact_token_result kr_redact_token_json(kr_str text, bool is_final,
                                                   kr_redact_token *ret_token) {
  if (text.len < 2)
    return kr_redact_token_short(is_final);
  if (text.ptr[1] == 'u')
    return kr_redact_token_unicode(text, KR_STR("\\u"), is_final, KR_FORM_JSON, ret_token);
  int byte = kr_redact_token_letter(text.ptr[1]);
  if (byte < 0)
    return KR_TOKEN_NONE;
  return kr_redact_token_byte((uint8_t)byte, 2, KR_FORM_JSON, ret_token);
}

/* Two backslashes, which are the one of the inner escape, and the rest of that. */
static kr_redact_token_result kr_redact_token_twice(kr_str text, bool is_final,
                                                    kr_redact_token *ret_token) {
  if (text.len > 1 && text.ptr[1] != '\\')
    return KR_TOKEN_NONE;
  if (text.len < 3)
    return kr_redact_token_short(is_final);
  if (text.ptr[2] == 'u')
    return kr_redact_token_unicode(text, KR_STR("\\\\u"), is_final, KR_FORM_JSON_TWICE, ret_token);
  uint8_t len = text.ptr[2] == '\\' ? 4 : 3;
  if (text.len < len)
    return kr_redact_token_short(is_final);
  uint8_t letter = text.ptr[len - 1];
  int byte = kr_redact_token_letter(letter);
  if (byte < 0 || (len == 4 && byte != letter)) /* "\\\n" is a backslash and a line feed */
    return KR_TOKEN_NONE;
  return kr_redact_token_byte((uint8_t)byte, len, KR_FORM_JSON_TWICE, ret_token);
}

/* "&#65;" or "&#x41;", of which "&#" is there. Bounded by KR_REDACT_ENTITY_BYTES. */
static kr_redact_token_result kr_redact_token_number(kr_str text, bool is_final,
                                                     kr_redact_token *ret_token) {
  bool is_hex = text.len > 2 && (text.ptr[2] == 'x' || text.ptr[2] == 'X');
  size_t first = is_hex ? 3 : 2;
  uint32_t point = 0;
  for (size_t at = first; at < KR_REDACT_ENTITY_BYTES; at++) {
    bool is_last = at == KR_REDACT_ENTITY_BYTES - 1;
    bool is_one = at > first && !kr_redact_is_surrogate(point);
    if (at >= text.len)
      return is_last && !is_one ? KR_TOKEN_NONE : kr_redact_token_short(is_final);
    if (text.ptr[at] == ';')
      return is_one ? kr_redact_token_point(point, at + 1, KR_FORM_HTML, ret_token) : KR_TOKEN_NONE;
    int digit = kr_hex_digit(text.ptr[at]);
    if (digit < 0 || (digit > 9 && !is_hex))
      return KR_TOKEN_NONE;
    point = point * (is_hex ? 16 : 10) + (uint32_t)digit;
    if (point > 0x10FFFF)
      return KR_TOKEN_NONE;
  }
  return KR_TOKEN_NONE;
}

static kr_redact_token_result kr_redact_token_entity(kr_str text, bool is_final,
                                                     kr_redact_token *ret_token) {
  static const struct {
    kr_str name;
    uint32_t point;
  } names[] = {
      {{(const uint8_t *)"&amp;", 5}, '&'},   {{(const uint8_t *)"&lt;", 4}, '<'},
      {{(const uint8_t *)"&gt;", 4}, '>'},    {{(const uint8_t *)"&quot;", 6}, '"'},
      {{(const uint8_t *)"&apos;", 6}, '\''}, {{(const uint8_t *)"&nbsp;", 6}, 0xA0},
  };
  if (text.len < 2)
    return kr_redact_token_short(is_final);
  if (text.ptr[1] == '#')
    return kr_redact_token_number(text, is_final, ret_token);
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    kr_str name = names[i].name;
    if (kr_str_starts(text, name))
      return kr_redact_token_point(names[i].point, name.len, KR_FORM_HTML, ret_token);
    if (kr_str_starts(name, text))
      return kr_redact_token_short(is_final);
  }
  return KR_TOKEN_NONE;
}

typedef kr_redact_token_result (*kr_redact_token_reader)(kr_str text, bool is_final,
                                                         kr_redact_token *ret_token);

/* Read with one reader if its form is wanted. */
static bool kr_redact_token_try(kr_redact_token_reader reader, kr_redact_form form, kr_str text,
                                bool is_final, uint32_t forms, kr_redact_tokens *tokens) {
  if ((forms & KR_REDACT_FORM_BIT(form)) == 0)
    return true;
  kr_redact_token_result result = reader(text, is_final, &tokens->items[tokens->count]);
  tokens->count += result == KR_TOKEN_FOUND;
  return result != KR_TOKEN_MORE;
}

bool kr_redact_token_read(kr_str text, bool is_final, uint32_t forms,
                          kr_redact_tokens *ret_tokens) {
  ret_tokens->count = 0;
  if (text.len == 0)
    return true;
  switch (text.ptr[0]) {
  case '%':
  case '+':
    return kr_redact_token_try(kr_redact_token_percent, KR_FORM_PERCENT, text, is_final, forms,
                               ret_tokens);
  case '&':
    return kr_redact_token_try(kr_redact_token_entity, KR_FORM_HTML, text, is_final, forms,
                               ret_tokens);
  case '\\':
    return kr_redact_token_try(kr_redact_token_json, KR_FORM_JSON, text, is_final, forms,
                               ret_tokens) &&
           kr_redact_token_try(kr_redact_token_twice, KR_FORM_JSON_TWICE, text, is_final, forms,
                               ret_tokens);
  default:
    return true;
  }
}
