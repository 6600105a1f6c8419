/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - the second net: for each value, spell each listed form out and
 * look for it with memmem. Shares nothing with the automaton and its readings:
 * also the encoders here are its own. Every failure counts as "found".
 */
#define _GNU_SOURCE
#include "redact/set.h"
#include "secmem/sensitive.h"

#include <string.h>

#define KR_VERIFY_SHORT_BYTES 4096u /* outputs in which each byte of a needle is looked up */

/* How a byte is spelled by a form. */
typedef enum kr_verify_spelling {
  KR_VERIFY_RAW,
  KR_VERIFY_PERCENT_ALL,   /* %XX for every byte */
  KR_VERIFY_PERCENT_SOME,  /* unreserved bytes as they are */
  KR_VERIFY_FORM,          /* the same and '+' for space */
  KR_VERIFY_PERCENT_CHARS, /* only what no URL may hold */
  KR_VERIFY_JSON,          /* short escapes, \u00XX for other controls */
  KR_VERIFY_JSON_SLASH,    /* the same and \/ */
  KR_VERIFY_HEX,
  KR_VERIFY_N_SPELLINGS
} kr_verify_spelling;

/* Is the hit at `at` wholly inside a marker? Markers hold only names of the set. */
static bool kr_verify_in_marker(const kr_redact_set *set, kr_str output, size_t at, size_t len) {
  const kr_str plain = KR_STR("[REDACTED]");
  const kr_str named = KR_STR("[REDACTED:");
  size_t reach = named.len + KR_REDACT_NAME_BYTES;
  for (size_t start = at > reach ? at - reach : 0; start <= at; start++) {
    kr_str rest = kr_str_skip(output, start);
    if (kr_str_starts(rest, plain) && at + len <= start + plain.len)
      return true;
    if (!kr_str_starts(rest, named))
      continue;
    for (size_t i = 0; i < kr_redact_set_n_values(set); i++) {
      kr_str name = kr_redact_set_name(set, i);
      kr_str after = kr_str_skip(rest, named.len);
      bool is_marker =
          kr_str_starts(after, name) && kr_str_starts(kr_str_skip(after, name.len), KR_STR("]"));
      if (is_marker && at + len <= start + named.len + name.len + 1)
        return true;
    }
  }
  return false;
}

static bool kr_verify_finds(const kr_redact_set *set, kr_str output, kr_str needle) {
  size_t from = 0;
  while (needle.len > 0 && output.len - from >= needle.len) {
    const uint8_t *hit = memmem(output.ptr + from, output.len - from, needle.ptr, needle.len);
    if (hit == NULL)
      return false;
    size_t at = (size_t)(hit - output.ptr);
    if (!kr_verify_in_marker(set, output, at, needle.len))
      return true;
    from = at + 1;
  }
  return false;
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

static kr_status kr_verify_two_digits(uint8_t byte, bool is_upper, kr_buf *out) {
  const char *digits = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
  KR_TRY(kr_buf_byte(out, (uint8_t)digits[byte >> 4]));
  return kr_buf_byte(out, (uint8_t)digits[byte & 15]);
}

static kr_status kr_verify_json_byte(uint8_t byte, bool has_slash, bool is_upper, kr_buf *out) {
  const char *from = "\b\f\n\r\t\"\\/";
  const char *to = "bfnrt\"\\/";
  const char *found = byte == 0 ? NULL : strchr(from, byte);
  if (found != NULL && (byte != '/' || has_slash)) {
    KR_TRY(kr_buf_byte(out, '\\'));
    return kr_buf_byte(out, (uint8_t)to[found - from]);
  }
  if (byte >= 0x20)
    return kr_buf_byte(out, byte);
  KR_TRY(kr_buf_append(out, KR_STR("\\u00")));
  return kr_verify_two_digits(byte, is_upper, out);
}

static kr_status kr_verify_spell_byte(uint8_t byte, kr_verify_spelling spelling, bool is_upper,
                                      kr_buf *out) {
  if (spelling == KR_VERIFY_RAW)
    return kr_buf_byte(out, byte);
  if (spelling == KR_VERIFY_HEX)
    return kr_verify_two_digits(byte, is_upper, out);
  if (spelling == KR_VERIFY_JSON || spelling == KR_VERIFY_JSON_SLASH)
    return kr_verify_json_byte(byte, spelling == KR_VERIFY_JSON_SLASH, is_upper, out);
  if (spelling == KR_VERIFY_FORM && byte == ' ')
    return kr_buf_byte(out, '+');
  if (!kr_verify_is_escaped(byte, spelling))
    return kr_buf_byte(out, byte);
  KR_TRY(kr_buf_byte(out, '%'));
  return kr_verify_two_digits(byte, is_upper, out);
}

/* Needles longer than the output cannot be in it; most are given up after a few bytes. */
static bool kr_verify_has_spelling(const kr_redact_set *set, kr_str output, kr_str value,
                                   kr_verify_spelling spelling, bool is_upper, kr_buf *needle) {
  kr_buf_reset(needle);
  for (size_t i = 0; i < value.len; i++) {
    size_t start = needle->len;
    if (kr_verify_spell_byte(value.ptr[i], spelling, is_upper, needle) != KR_OK)
      return true;
    /* Long outputs are few, short ones many: only there is it worth a look. */
    bool is_short = output.len <= KR_VERIFY_SHORT_BYTES;
    if (needle->len > output.len ||
        (is_short && memchr(output.ptr, needle->ptr[start], output.len) == NULL))
      return false;
  }
  return kr_verify_finds(set, output, kr_buf_str(needle));
}

/* Bit `at` of the value, counted from its most significant. */
static unsigned kr_verify_bit(kr_str value, size_t at) {
  return ((unsigned)value.ptr[at / 8] >> (7 - at % 8)) & 1u;
}

/*
 * The base64 characters that lie wholly inside the value when it starts `skip`
 * bits before a character boundary: skip is 0, 4 or 2 for the three alignments.
 */
static bool kr_verify_has_base64(const kr_redact_set *set, kr_str output, kr_str value, size_t skip,
                                 const char *last_two, kr_buf *needle) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  kr_buf_reset(needle);
  for (size_t at = skip; at + 6 <= 8 * value.len; at += 6) {
    unsigned index = 0;
    for (size_t bit = 0; bit < 6; bit++)
      index = index << 1 | kr_verify_bit(value, at + bit);
    char letter = index < 62 ? letters[index] : last_two[index - 62];
    if (kr_buf_byte(needle, (uint8_t)letter) != KR_OK)
      return true;
  }
  return needle->len >= 6 && kr_verify_finds(set, output, kr_buf_str(needle));
}

static bool kr_verify_has_value(const kr_redact_set *set, kr_str output, kr_str value,
                                kr_buf *needle) {
  /* No spelling is shorter than the value, base64 of 4 bytes and more included. */
  if (value.len < KR_REDACT_MIN_SEARCH_BYTES || value.len > output.len)
    return false;
  for (int spelling = KR_VERIFY_RAW; spelling < KR_VERIFY_N_SPELLINGS; spelling++)
    for (int is_upper = 0; is_upper < 2; is_upper++)
      if (kr_verify_has_spelling(set, output, value, (kr_verify_spelling)spelling, is_upper != 0,
                                 needle))
        return true;
  for (size_t skip = 0; skip <= 4; skip += 2)
    if (kr_verify_has_base64(set, output, value, skip, "+/", needle) ||
        kr_verify_has_base64(set, output, value, skip, "-_", needle))
      return true;
  return false;
}

bool kr_redact_verify(const kr_redact_set *set, kr_str output) {
  KR_CLEANUP(kr_buf_done)
  kr_buf needle = KR_BUF_INIT(6 * KR_REDACT_MAX_VALUE_BYTES, kr_sensitive_memory());
  for (size_t i = 0; i < kr_redact_set_n_values(set); i++) {
    kr_str value = kr_redact_entry_at(set, i)->value;
    kr_str trimmed = kr_str_trim(value);
    if (kr_verify_has_value(set, output, value, &needle))
      return false;
    if (trimmed.len < value.len && kr_verify_has_value(set, output, trimmed, &needle))
      return false;
  }
  return true;
}
