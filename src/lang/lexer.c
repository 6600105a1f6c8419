/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lexer.c - characters of an expression to tokens. The text is valid UTF-8
 * (checked before). Strings are decoded here; raw line breaks in them are
 * allowed. Every call moves forward or returns END or ERROR.
 */
#include "base/encode.h"
#include "base/utf8.h"
#include "lang/compiler.h"

static bool kr_lexer_is_alpha(uint8_t byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

static bool kr_lexer_is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static bool kr_lexer_is_blank(uint8_t byte) {
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static int kr_lexer_peek(const kr_lexer *lexer, size_t offset) {
  return offset < lexer->text.len ? lexer->text.ptr[offset] : -1;
}

static kr_token kr_lexer_error(kr_lexer *lexer, size_t offset, kr_code code, const char *message) {
  size_t end = lexer->next > offset ? lexer->next : offset + 1;
  return (kr_token){.type = KR_TOKEN_ERROR,
                    .code = code,
                    .message = message,
                    .offset = offset,
                    .len = end - offset};
}

static size_t kr_lexer_name_end(const kr_lexer *lexer, size_t offset) {
  while (offset < lexer->text.len && kr_lang_is_word(lexer->text.ptr[offset]))
    offset++;
  return offset;
}

static size_t kr_lexer_digits(const kr_lexer *lexer, size_t offset) {
  while (offset < lexer->text.len && kr_lexer_is_digit(lexer->text.ptr[offset]))
    offset++;
  return offset;
}

static kr_token kr_lexer_number(kr_lexer *lexer, size_t start) {
  size_t at = start + (kr_lexer_peek(lexer, start) == '-');
  size_t whole = at;
  at = kr_lexer_digits(lexer, at);
  bool is_good = at > whole && (lexer->text.ptr[whole] != '0' || at == whole + 1);
  if (is_good && kr_lexer_peek(lexer, at) == '.') {
    size_t fraction = at + 1;
    at = kr_lexer_digits(lexer, fraction);
    is_good = at > fraction;
  }
  int letter = kr_lexer_peek(lexer, at);
  if (is_good && (letter == 'e' || letter == 'E')) {
    at++;
    int sign = kr_lexer_peek(lexer, at);
    if (sign == '+' || sign == '-')
      at++;
    size_t exponent = at;
    at = kr_lexer_digits(lexer, exponent);
    is_good = at > exponent;
  }
  size_t end = kr_lexer_name_end(lexer, at);
  lexer->next = end > at ? end : at;
  if (!is_good || end > at)
    return kr_lexer_error(lexer, start, KR_E_BAD_NUMBER, "this is not a number");
  return (kr_token){.type = KR_TOKEN_NUMBER,
                    .offset = start,
                    .len = at - start,
                    .text = kr_str_slice(lexer->text, start, at)};
}

/* The four hex digits at offset, or -1. */
static int32_t kr_lexer_hex4(const kr_lexer *lexer, size_t offset) {
  int32_t value = 0;
  for (size_t i = 0; i < 4; i++) {
    int byte = kr_lexer_peek(lexer, offset + i);
    int digit = byte < 0 ? -1 : kr_hex_digit((uint8_t)byte);
    if (digit < 0)
      return -1;
    value = value * 16 + digit;
  }
  return value;
}

/* Decode \uXXXX (a pair for points above U+FFFF); returns bytes read, 0 when malformed. */
static size_t kr_lexer_unicode(const kr_lexer *lexer, size_t offset, uint8_t *out,
                               size_t *ret_len) {
  int32_t high = kr_lexer_hex4(lexer, offset + 2);
  if (high < 0 || (high >= 0xDC00 && high <= 0xDFFF))
    return 0;
  if (high < 0xD800 || high > 0xDBFF) {
    *ret_len = kr_utf8_encode((uint32_t)high, out);
    return 6;
  }
  if (kr_lexer_peek(lexer, offset + 6) != '\\' || kr_lexer_peek(lexer, offset + 7) != 'u')
    return 0;
  int32_t low = kr_lexer_hex4(lexer, offset + 8);
  if (low < 0xDC00 || low > 0xDFFF)
    return 0;
  *ret_len = kr_utf8_encode((uint32_t)(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)), out);
  return 12;
}

static size_t kr_lexer_escape(const kr_lexer *lexer, size_t offset, uint8_t *out, size_t *ret_len) {
  static const char letters[] = "\"'\\/bfnrt$";
  static const char values[] = "\"'\\/\b\f\n\r\t$";
  int byte = kr_lexer_peek(lexer, offset + 1);
  if (byte == 'u')
    return kr_lexer_unicode(lexer, offset, out, ret_len);
  const char *found = byte > 0 ? strchr(letters, byte) : NULL;
  if (found == NULL)
    return 0;
  out[0] = (uint8_t)values[found - letters];
  *ret_len = 1;
  return 2;
}

static kr_token kr_lexer_string(kr_lexer *lexer, size_t start) {
  uint8_t quote = lexer->text.ptr[start];
  size_t end = start + 1;
  while (end < lexer->text.len && lexer->text.ptr[end] != quote)
    end += lexer->text.ptr[end] == '\\' ? 2 : 1;
  if (end >= lexer->text.len) {
    lexer->next = lexer->text.len;
    kr_token open = kr_lexer_error(lexer, start, KR_E_OPEN_STRING, "this string does not end");
    open.len = 1;
    return open;
  }
  lexer->next = end + 1;
  uint8_t *decoded = kr_arena_alloc(lexer->arena, end - start); /* decoding never lengthens */
  if (decoded == NULL) {
    lexer->status = kr_arena_why(lexer->arena);
    return kr_lexer_error(lexer, start, KR_E_SCRATCH, "out of memory");
  }
  size_t len = 0;
  for (size_t at = start + 1; at < end;) {
    if (lexer->text.ptr[at] != '\\') {
      decoded[len++] = lexer->text.ptr[at++];
      continue;
    }
    size_t n_written = 0;
    size_t n_read = kr_lexer_escape(lexer, at, decoded + len, &n_written);
    if (n_read == 0 || at + n_read > end) {
      kr_token bad = kr_lexer_error(lexer, at, KR_E_BAD_ESCAPE,
                                    "an unknown escape; a backslash is written twice");
      bad.len = 2;
      return bad;
    }
    at += n_read;
    len += n_written;
  }
  return (kr_token){.type = KR_TOKEN_STRING,
                    .offset = start,
                    .len = end + 1 - start,
                    .text = kr_str_from(decoded, len)};
}

static kr_token kr_lexer_name(kr_lexer *lexer, size_t start, kr_token_type type) {
  size_t name = start + (type == KR_TOKEN_DOLLAR);
  lexer->next = kr_lexer_name_end(lexer, name);
  return (kr_token){.type = type,
                    .offset = start,
                    .len = lexer->next - start,
                    .text = kr_str_slice(lexer->text, name, lexer->next)};
}

static kr_token kr_lexer_scan(kr_lexer *lexer, size_t start) {
  if (start >= lexer->text.len)
    return (kr_token){.type = KR_TOKEN_END, .offset = lexer->text.len};
  uint8_t byte = lexer->text.ptr[start];
  if (kr_lexer_is_alpha(byte))
    return kr_lexer_name(lexer, start, KR_TOKEN_IDENT);
  if (byte == '$') {
    int after = kr_lexer_peek(lexer, start + 1);
    if (after >= 0 && kr_lexer_is_alpha((uint8_t)after))
      return kr_lexer_name(lexer, start, KR_TOKEN_DOLLAR);
    lexer->next = start + 1;
    return kr_lexer_error(lexer, start, KR_E_BAD_CHARACTER, "a name must follow $");
  }
  if (byte == '"' || byte == '\'')
    return kr_lexer_string(lexer, start);
  if (byte == '-' || kr_lexer_is_digit(byte))
    return kr_lexer_number(lexer, start);
  if (strchr("()[]{},:.?", byte) != NULL && byte != '\0') {
    lexer->next = start + 1;
    return (kr_token){.type = KR_TOKEN_PUNCTUATION, .byte = byte, .offset = start, .len = 1};
  }
  uint32_t point = 0;
  size_t len = kr_utf8_decode(kr_str_skip(lexer->text, start), &point);
  lexer->next = start + (len == 0 ? 1 : len);
  return kr_lexer_error(lexer, start, KR_E_BAD_CHARACTER, "no expression has this character");
}

kr_token kr_lexer_next(kr_lexer *lexer) {
  size_t start = lexer->next;
  while (start < lexer->text.len && kr_lexer_is_blank(lexer->text.ptr[start]))
    start++;
  bool is_spaced = start > lexer->next;
  lexer->next = start;
  kr_token token = kr_lexer_scan(lexer, start);
  token.is_spaced = is_spaced;
  return token;
}
