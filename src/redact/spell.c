/* SPDX-License-Identifier: Apache-2.0 */
/* spell.c - one string, spelled whole in one way; see spell.h. */
#include "redact/spell.h"

#include "redact/set.h"

uint32_t kr_verify_form_bit(kr_verify_spelling spelling) {
  if (spelling == KR_VERIFY_RAW)
    return KR_REDACT_FORM_BIT(KR_FORM_RAW);
  if (spelling <= KR_VERIFY_PERCENT_CHARS)
    return KR_REDACT_FORM_BIT(KR_FORM_PERCENT);
  if (spelling <= KR_VERIFY_JSON_ASCII)
    return KR_REDACT_FORM_BIT(KR_FORM_JSON);
  if (spelling <= KR_VERIFY_TWICE_SLASH)
    return KR_REDACT_FORM_BIT(KR_FORM_JSON_TWICE);
  if (spelling <= KR_VERIFY_HTML_HEX)
    return KR_REDACT_FORM_BIT(KR_FORM_HTML);
  return KR_REDACT_FORM_BIT(spelling == KR_VERIFY_HEX ? KR_FORM_HEX : KR_FORM_BASE64);
}

/* Hexadecimal or decimal digits, at least n_digits, leading zeros included. */
static kr_status kr_verify_number(uint32_t number, bool is_hex, unsigned n_digits, bool is_upper,
                                  kr_buf *out) {
  const char *digits = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
  uint32_t base = is_hex ? 16 : 10;
  uint8_t text[8]; /* of 21 bits */
  size_t at = sizeof(text);
  do {
    text[--at] = (uint8_t)digits[number % base];
    number /= base;
  } while (at > 0 && (number != 0 || sizeof(text) - at < n_digits));
  return kr_buf_append(out, kr_str_from(text + at, sizeof(text) - at));
}

/* The code point of several bytes that starts here: its bytes; 0: there is none. */
static size_t kr_verify_point(kr_str text, uint32_t *ret_point) {
  static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
  uint8_t first = text.ptr[0];
  size_t len = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 0;
  if (len == 0 || first > 0xF4 || text.len < len)
    return 0;
  uint32_t point = first & (0xFFu >> (len + 1));
  for (size_t i = 1; i < len; i++) {
    if ((text.ptr[i] & 0xC0) != 0x80)
      return 0;
    point = point << 6 | (text.ptr[i] & 0x3Fu);
  }
  *ret_point = point;
  bool is_point = point >= least[len] && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
  return is_point ? len : 0;
}

static bool kr_verify_is_alnum(uint8_t byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
         (byte >= 'A' && byte <= 'Z');
}

static bool kr_verify_is_escaped(uint8_t byte, kr_verify_spelling spelling) {
  if (spelling == KR_VERIFY_PERCENT_ALL)
    return true;
  if (spelling == KR_VERIFY_PERCENT_CHARS)
    return byte <= 0x20 || byte >= 0x7F || memchr("\"<>\\^`{|}", byte, 9) != NULL;
  return !kr_verify_is_alnum(byte) && memchr("-._~", byte, 4) == NULL;
}

static kr_status kr_verify_percent(uint8_t byte, kr_verify_spelling spelling, bool is_upper,
                                   kr_buf *out) {
  if (spelling == KR_VERIFY_FORM && byte == ' ')
    return kr_buf_byte(out, '+');
  if (!kr_verify_is_escaped(byte, spelling))
    return kr_buf_byte(out, byte);
  KR_TRY(kr_buf_byte(out, '%'));
  return kr_verify_number(byte, true, 2, is_upper, out);
}

static kr_status kr_verify_unit(uint32_t unit, bool is_upper, kr_buf *out) {
  KR_TRY(kr_buf_append(out, KR_STR("\\u")));
  return kr_verify_number(unit, true, 4, is_upper, out);
}

static kr_status kr_verify_json(uint32_t point, bool has_slash, bool is_upper, kr_buf *out) {
  const char *from = "\b\f\n\r\t\"\\/";
  const char *to = "bfnrt\"\\/";
  if (point >= 0x10000) {
    KR_TRY(kr_verify_unit(0xD800 + ((point - 0x10000) >> 10), is_upper, out));
    return kr_verify_unit(0xDC00 + ((point - 0x10000) & 0x3FF), is_upper, out);
  }
  const char *found = point == 0 || point > 0x7F ? NULL : strchr(from, (int)point);
  if (found != NULL && (point != '/' || has_slash)) {
    KR_TRY(kr_buf_byte(out, '\\'));
    return kr_buf_byte(out, (uint8_t)to[found - from]);
  }
  if (point >= 0x20 && point < 0x80)
    return kr_buf_byte(out, (uint8_t)point);
  return kr_verify_unit(point, is_upper, out);
}

static kr_status kr_verify_html(uint32_t point, kr_verify_spelling spelling, bool is_upper,
                                kr_buf *out) {
  static const char signs[] = "&<>\"'";
  static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};
  const char *found = point == 0 || point > 0x7F ? NULL : strchr(signs, (int)point);
  if (found == NULL && point < 0x80)
    return kr_buf_byte(out, (uint8_t)point);
  if (spelling == KR_VERIFY_HTML)
    return kr_buf_append(out, kr_str_cstr(names[found - signs]));
  KR_TRY(kr_buf_append(out, spelling == KR_VERIFY_HTML_HEX ? KR_STR("&#x") : KR_STR("&#")));
  KR_TRY(kr_verify_number(point, spelling == KR_VERIFY_HTML_HEX, 0, is_upper, out));
  return kr_buf_byte(out, ';');
}

/* A byte, or a code point of several bytes where those are spelled as one. */
static kr_status kr_verify_spell_point(uint32_t point, kr_verify_spelling spelling, bool is_upper,
                                       kr_buf *out) {
  if (spelling == KR_VERIFY_RAW)
    return kr_buf_byte(out, (uint8_t)point);
  if (spelling == KR_VERIFY_HEX)
    return kr_verify_number(point, true, 2, is_upper, out);
  if (spelling <= KR_VERIFY_PERCENT_CHARS)
    return kr_verify_percent((uint8_t)point, spelling, is_upper, out);
  if (spelling <= KR_VERIFY_JSON_ASCII)
    return kr_verify_json(point, spelling == KR_VERIFY_JSON_SLASH, is_upper, out);
  return kr_verify_html(point, spelling, is_upper, out);
}

static kr_status kr_verify_spell_points(kr_str text, kr_verify_spelling spelling, bool is_upper,
                                        kr_buf *out) {
  bool has_points = spelling == KR_VERIFY_JSON_ASCII || spelling == KR_VERIFY_HTML_DECIMAL ||
                    spelling == KR_VERIFY_HTML_HEX;
  bool takes_all = spelling <= KR_VERIFY_PERCENT_CHARS || spelling == KR_VERIFY_HEX;
  for (size_t i = 0; i < text.len; i++) {
    uint32_t point = text.ptr[i];
    size_t len = has_points ? kr_verify_point(kr_str_skip(text, i), &point) : 0;
    if (len == 0 && point >= 0x80 && !takes_all)
      KR_TRY(kr_buf_byte(out, text.ptr[i]));
    else
      KR_TRY(kr_verify_spell_point(point, spelling, is_upper, out));
    i += len > 0 ? len - 1 : 0;
  }
  return KR_OK;
}

static kr_status kr_verify_spell_twice(kr_str text, kr_verify_spelling spelling, bool is_upper,
                                       kr_buf *once, kr_buf *out) {
  kr_verify_spelling each =
      spelling == KR_VERIFY_TWICE_SLASH ? KR_VERIFY_JSON_SLASH : KR_VERIFY_JSON;
  KR_TRY(kr_verify_spell_points(text, each, is_upper, once));
  return kr_verify_spell_points(kr_buf_str(once), each, is_upper, out);
}

/* Bit `at` of the text, counted from its most significant. */
static unsigned kr_verify_bit(kr_str text, size_t at) {
  return ((unsigned)text.ptr[at / 8] >> (7 - at % 8)) & 1u;
}

/*
 * The base64 characters that lie wholly inside the text when it starts `skip`
 * bits before a character boundary: skip is 0, 4 or 2 for the three alignments.
 */
static kr_status kr_verify_spell_base64(kr_str text, size_t skip, const char *last_two,
                                        kr_buf *out) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  for (size_t at = skip; at + 6 <= 8 * text.len; at += 6) {
    unsigned index = 0;
    for (size_t bit = 0; bit < 6; bit++)
      index = index << 1 | kr_verify_bit(text, at + bit);
    char letter = index < 62 ? letters[index] : last_two[index - 62];
    KR_TRY(kr_buf_byte(out, (uint8_t)letter));
  }
  return KR_OK;
}

kr_status kr_verify_spell(kr_str text, kr_verify_spelling spelling, bool is_upper, kr_buf *scratch,
                          kr_buf *out) {
  size_t start = out->len;
  unsigned alignment = spelling < KR_VERIFY_BASE64 ? 0 : (unsigned)spelling - KR_VERIFY_BASE64;
  scratch->len = 0;
  if (spelling == KR_VERIFY_TWICE || spelling == KR_VERIFY_TWICE_SLASH)
    return kr_verify_spell_twice(text, spelling, is_upper, scratch, out);
  if (spelling < KR_VERIFY_BASE64)
    KR_TRY(kr_verify_spell_points(text, spelling, is_upper, out));
  else
    KR_TRY(kr_verify_spell_base64(text, 2 * (alignment % 3), alignment < 3 ? "+/" : "-_", out));
  if (spelling >= KR_VERIFY_HEX && out->len - start < KR_REDACT_ENCODED_CHARACTERS)
    out->len = start; /* too short to be looked for */
  return KR_OK;
}
