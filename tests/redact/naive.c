/* SPDX-License-Identifier: Apache-2.0 */
/* naive.c - see naive.h; written for being obviously right. */
#include "redact/naive.h"

#include "base/assert.h"
#include "base/utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define NAIVE_TEXT_MAX 4096

typedef struct naive_pattern {
  uint8_t bytes[512];
  size_t len;
  bool is_hex;
  bool left;
  bool right;
} naive_pattern;

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool is_base64(int byte) {
  return byte != 0 && byte < 128 && (strchr(standard, byte) != NULL || byte == '-' || byte == '_');
}

static int hex_value(uint8_t byte) {
  return isxdigit(byte) ? (int)strtol((char[]){(char)byte, 0}, NULL, 16) : -1;
}

static long four_digits(kr_str text, size_t at) {
  long number = 0;
  if (at + 6 > text.len || text.ptr[at] != '\\' || text.ptr[at + 1] != 'u')
    return -1;
  for (size_t i = 2; i < 6; i++) {
    if (hex_value(text.ptr[at + i]) < 0)
      return -1;
    number = number * 16 + hex_value(text.ptr[at + i]);
  }
  return number;
}

static size_t utf8(long point, uint8_t out[4]) {
  if (point < 0x80) {
    out[0] = (uint8_t)point;
    return 1;
  }
  if (point < 0x800) {
    out[0] = (uint8_t)(0xC0 + point / 64);
    out[1] = (uint8_t)(0x80 + point % 64);
    return 2;
  }
  if (point < 0x10000) {
    out[0] = (uint8_t)(0xE0 + point / 4096);
    out[1] = (uint8_t)(0x80 + point / 64 % 64);
    out[2] = (uint8_t)(0x80 + point % 64);
    return 3;
  }
  out[0] = (uint8_t)(0xF0 + point / 262144);
  out[1] = (uint8_t)(0x80 + point / 4096 % 64);
  out[2] = (uint8_t)(0x80 + point / 64 % 64);
  out[3] = (uint8_t)(0x80 + point % 64);
  return 4;
}

static const struct {
  const char *name;
  long point;
} entities[] = {{"&amp;", '&'},  {"&lt;", '<'},    {"&gt;", '>'},
                {"&quot;", '"'}, {"&apos;", '\''}, {"&nbsp;", 0xA0}};

#define N_ENTITIES (sizeof(entities) / sizeof(entities[0]))

/* What an entity, given as a string from '&' to ';', stands for; -1: nothing. */
static long entity_point(const char *entity, size_t len) {
  for (size_t i = 0; i < N_ENTITIES; i++)
    if (strcmp(entity, entities[i].name) == 0)
      return entities[i].point;
  if (entity[1] != '#')
    return -1;
  bool is_hex = tolower(entity[2]) == 'x';
  const char *digits = entity + (is_hex ? 3 : 2);
  size_t n_digits = strspn(digits, is_hex ? "0123456789abcdefABCDEF" : "0123456789");
  if (n_digits == 0 || digits + n_digits + 1 != entity + len)
    return -1;
  long point = strtol(digits, NULL, is_hex ? 16 : 10);
  return point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF) ? -1 : point;
}

static size_t entity_at(kr_str text, size_t at, uint8_t out[4], size_t *n) {
  char entity[13] = {0};
  for (size_t len = 0; len < 12 && at + len < text.len; len++) {
    entity[len] = (char)text.ptr[at + len];
    if (entity[len] != ';')
      continue;
    long point = entity_point(entity, len + 1);
    if (point < 0)
      return 0;
    *n = utf8(point, out);
    return len + 1;
  }
  return 0;
}

/* The escape at text[at]: raw length (0: none), bytes spelled. */
static size_t escape_at(kr_str text, size_t at, uint8_t out[4], size_t *n) {
  *n = 1;
  if (at >= text.len)
    return 0;
  if (text.ptr[at] == '&')
    return entity_at(text, at, out, n);
  if (text.ptr[at] == '+') {
    out[0] = ' ';
    return 1;
  }
  if (text.ptr[at] == '%' && at + 2 < text.len && hex_value(text.ptr[at + 1]) >= 0 &&
      hex_value(text.ptr[at + 2]) >= 0) {
    out[0] = (uint8_t)(hex_value(text.ptr[at + 1]) * 16 + hex_value(text.ptr[at + 2]));
    return 3;
  }
  if (text.ptr[at] != '\\' || at + 1 >= text.len)
    return 0;
  switch (text.ptr[at + 1]) {
  case '"':
  case '\\':
  case '/':
    out[0] = text.ptr[at + 1];
    return 2;
  case 'b':
    out[0] = 8;
    return 2;
  case 'f':
    out[0] = 12;
    return 2;
  case 'n':
    out[0] = 10;
    return 2;
  case 'r':
    out[0] = 13;
    return 2;
  case 't':
    out[0] = 9;
    return 2;
  default:
    break;
  }
  long unit = four_digits(text, at);
  if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
    return 0;
  if (unit < 0xD800 || unit > 0xDBFF) {
    *n = utf8(unit, out);
    return 6;
  }
  long low = four_digits(text, at + 6);
  if (low < 0xDC00 || low > 0xDFFF)
    return 0;
  *n = utf8(0x10000 + (unit - 0xD800) * 1024 + (low - 0xDC00), out);
  return 12;
}

/* JSON in a JSON string: undo the outer escape of each backslash, and read what is then there. */
static size_t twice_at(kr_str text, size_t at, uint8_t out[4], size_t *n) {
  uint8_t inner[12];
  size_t n_inner = 0;
  *n = 1;
  if (!kr_str_starts(kr_str_skip(text, at), KR_STR("\\\\")) || at + 2 >= text.len)
    return 0;
  if (text.ptr[at + 2] == '\\') { /* the outer escape of what the inner one names */
    out[0] = at + 3 < text.len ? text.ptr[at + 3] : 0;
    return out[0] == '"' || out[0] == '\\' || out[0] == '/' ? 4 : 0;
  }
  for (size_t from = at; n_inner < sizeof(inner); from += 7) {
    if (!kr_str_starts(kr_str_skip(text, from), KR_STR("\\\\")))
      break;
    inner[n_inner++] = '\\';
    for (size_t i = from + 2; i < from + 7 && i < text.len; i++)
      inner[n_inner++] = text.ptr[i];
  }
  size_t len = escape_at(kr_str_from(inner, n_inner), 0, out, n);
  return len == 0 ? 0 : len == 12 ? 14 : len + 1;
}

static size_t (*const readers[])(kr_str text, size_t at, uint8_t out[4], size_t *n) = {escape_at,
                                                                                       twice_at};

#define N_READERS (sizeof(readers) / sizeof(readers[0]))

/* Is one base64 character spelled by an escape of len bytes at text[at]? Of 0 bytes: of any. */
static size_t base64_at(kr_str text, size_t at, size_t len) {
  uint8_t bytes[4];
  size_t n = 0;
  for (size_t i = 0; i < N_READERS; i++) {
    size_t found = readers[i](text, at, bytes, &n);
    if (found > 0 && (len == 0 || len == found) && n == 1 && is_base64(bytes[0]))
      return found;
  }
  return 0;
}

/* One pattern, tried from one start at a time. */
static uint32_t stamps[NAIVE_TEXT_MAX + 1][513]; /* (position, matched) was tried in this try */

typedef struct naive_search {
  kr_str text;
  const naive_pattern *pattern;
  bool *covered;
  size_t n_matches;
  size_t start;
  uint32_t tries; /* grows with each start, so that stamps need no clearing */
} naive_search;

static void cover_match(naive_search *search, size_t end) {
  const naive_pattern *pattern = search->pattern;
  size_t start = search->start;
  if (pattern->left) {
    size_t left = start > 0 && is_base64(search->text.ptr[start - 1]) ? 1 : 0;
    for (size_t len = 2; len <= 12 && len <= start; len++)
      if (base64_at(search->text, start - len, len) == len)
        left = len;
    start -= left;
  }
  if (pattern->right && end < search->text.len) {
    size_t len = base64_at(search->text, end, 0);
    if (len > 0)
      end += len;
    else if (is_base64(search->text.ptr[end]))
      end++;
  }
  search->n_matches++;
  for (size_t i = start; i < end; i++)
    search->covered[i] = true;
}

static void try_from(naive_search *search, size_t at, size_t matched);

static void try_reader(naive_search *search, size_t reader, size_t at, size_t matched,
                       size_t skip) {
  uint8_t bytes[4];
  size_t n = 0;
  size_t len = readers[reader](search->text, at, bytes, &n);
  if (len == 0 || skip >= n)
    return;
  for (size_t i = skip; i < n && matched < search->pattern->len; i++) {
    if (bytes[i] != search->pattern->bytes[matched])
      return;
    matched++;
  }
  try_from(search, at + len, matched);
}

static void try_escape(naive_search *search, size_t at, size_t matched, size_t skip) {
  for (size_t i = 0; i < N_READERS; i++)
    try_reader(search, i, at, matched, skip);
}

static void try_from(naive_search *search, size_t at, size_t matched) {
  const naive_pattern *pattern = search->pattern;
  if (stamps[at][matched] == search->tries)
    return;
  stamps[at][matched] = search->tries;
  if (matched == pattern->len) {
    cover_match(search, at);
    return;
  }
  if (at >= search->text.len)
    return;
  uint8_t byte = search->text.ptr[at];
  if (pattern->is_hex ? tolower(byte) == pattern->bytes[matched] : byte == pattern->bytes[matched])
    try_from(search, at + 1, matched + 1);
  if (!pattern->is_hex)
    try_escape(search, at, matched, 0);
}

static size_t search_pattern(const naive_pattern *pattern, kr_str text, bool *covered) {
  static naive_search search;
  search.text = text;
  search.pattern = pattern;
  search.covered = covered;
  search.n_matches = 0;
  for (search.start = 0; search.start < text.len; search.start++) {
    search.tries++;
    try_from(&search, search.start, 0);
    for (size_t skip = 1; skip < 4 && !pattern->is_hex; skip++)
      try_escape(&search, search.start, 0, skip);
  }
  return search.n_matches;
}

/* Encode k zero bytes and the value bit by bit; keep the characters that depend on it alone. */
static void base64_core(kr_naive_value value, size_t k, const char *alphabet, naive_pattern *ret) {
  uint8_t padded[512] = {0};
  memcpy(padded + k, value.ptr, value.len);
  size_t n_bits = 8 * (k + value.len);
  *ret = (naive_pattern){.left = k > 0, .right = n_bits % 6 != 0};
  for (size_t c = 0; 6 * c + 6 <= n_bits; c++) {
    unsigned index = 0;
    for (size_t bit = 6 * c; bit < 6 * c + 6; bit++)
      index = index * 2 + ((unsigned)padded[bit / 8] >> (7 - bit % 8) & 1u);
    if (6 * c >= 8 * k)
      ret->bytes[ret->len++] = (uint8_t)alphabet[index];
  }
}

static size_t search_value(kr_naive_value value, kr_str text, bool *covered) {
  naive_pattern pattern = {0};
  size_t n_matches = 0;
  if (value.len < 4)
    return 0;
  memcpy(pattern.bytes, value.ptr, value.len);
  pattern.len = value.len;
  n_matches += search_pattern(&pattern, text, covered);
  for (size_t k = 0; k < 3; k++) {
    base64_core(value, k, standard, &pattern);
    if (pattern.len >= 6)
      n_matches += search_pattern(&pattern, text, covered);
    base64_core(value, k, url, &pattern);
    if (pattern.len >= 6)
      n_matches += search_pattern(&pattern, text, covered);
  }
  pattern = (naive_pattern){.is_hex = true, .len = 2 * value.len};
  for (size_t i = 0; i < value.len; i++) {
    pattern.bytes[2 * i] = (uint8_t) "0123456789abcdef"[value.ptr[i] / 16];
    pattern.bytes[2 * i + 1] = (uint8_t) "0123456789abcdef"[value.ptr[i] % 16];
  }
  return n_matches + search_pattern(&pattern, text, covered);
}

size_t kr_naive_cover(const kr_naive_value *values, size_t n_values, kr_str text, bool *covered) {
  size_t n_matches = 0;
  KR_ASSERT(text.len < NAIVE_TEXT_MAX);
  for (size_t i = 0; i < n_values; i++) {
    kr_naive_value trimmed = values[i];
    while (trimmed.len > 0 && strchr(" \t\r\n", trimmed.ptr[trimmed.len - 1]) != NULL &&
           trimmed.ptr[trimmed.len - 1] != 0)
      trimmed.len--;
    while (trimmed.len > 0 && strchr(" \t\r\n", trimmed.ptr[0]) != NULL && trimmed.ptr[0] != 0) {
      trimmed.ptr++;
      trimmed.len--;
    }
    n_matches += search_value(values[i], text, covered);
    n_matches += search_value(trimmed, text, covered);
  }
  return n_matches;
}

size_t kr_naive_redact(const kr_naive_value *values, size_t n_values, kr_str text, kr_buf *out) {
  bool covered[NAIVE_TEXT_MAX] = {false};
  size_t n_matches = kr_naive_cover(values, n_values, text, covered);
  for (size_t i = 0; i < text.len; i++) {
    if (!covered[i])
      KR_ASSERT(kr_buf_byte(out, text.ptr[i]) == KR_OK);
    else if (i == 0 || !covered[i - 1])
      KR_ASSERT(kr_buf_append(out, KR_STR("[REDACTED]")) == KR_OK);
  }
  return n_matches;
}

kr_redact_set *kr_naive_set(const kr_naive_value *values, size_t n_values) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  kr_redact_set *set = NULL;
  KR_ASSERT(kr_redact_builder_new(&builder, NULL) == KR_OK);
  for (size_t i = 0; i < n_values; i++) {
    char name[16];
    int n = snprintf(name, sizeof(name), "V%zu", i);
    KR_ASSERT(kr_redact_builder_add(builder, kr_str_from(name, (size_t)n), 1,
                                    kr_str_from(values[i].ptr, values[i].len), NULL) == KR_OK);
  }
  KR_ASSERT(kr_redact_builder_build(builder, &set, NULL) == KR_OK);
  return set;
}

uint64_t kr_naive_random(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 2685821657736338717u;
}

size_t kr_naive_below(uint64_t *state, size_t bound) {
  return (size_t)(kr_naive_random(state) >> 33) % bound;
}

static void put_number(kr_buf *out, const char *format, unsigned number) {
  char text[16];
  int n = snprintf(text, sizeof(text), format, number);
  KR_ASSERT(kr_buf_append(out, kr_str_from(text, (size_t)n)) == KR_OK);
}

static void spell_entity(uint64_t *state, uint32_t point, kr_buf *out) {
  static const char *const formats[] = {"&#%u;", "&#%06u;", "&#x%x;", "&#X%05X;"};
  size_t named = kr_naive_below(state, N_ENTITIES);
  if (entities[named].point == (long)point)
    KR_ASSERT(kr_buf_append(out, kr_str_cstr(entities[named].name)) == KR_OK);
  else
    put_number(out, formats[kr_naive_below(state, 4)], point);
}

static void spell_units(uint64_t *state, uint32_t point, kr_buf *out) {
  static const char *const formats[] = {"\\u%04x", "\\u%04X", "\\\\u%04x", "\\\\u%04X"};
  const char *format = formats[kr_naive_below(state, 4)];
  if (point >= 0x10000) {
    put_number(out, format, 0xD800 + ((point - 0x10000) >> 10));
    point = 0xDC00 + ((point - 0x10000) & 0x3FF);
  }
  put_number(out, format, point);
}

/* A code point of several bytes as one escape; returns its bytes, 0: there is none. */
static size_t spell_point(uint64_t *state, kr_str text, kr_buf *out) {
  uint32_t point = 0;
  size_t len = kr_utf8_decode(text, &point);
  if (len < 2 || kr_naive_below(state, 2) != 0)
    return 0;
  if (kr_naive_below(state, 2) != 0)
    spell_entity(state, point, out);
  else
    spell_units(state, point, out);
  return len;
}

static void spell_byte(uint64_t *state, uint8_t byte, kr_buf *out) {
  static const char short_from[] = "\"\\/\b\f\n\r\t";
  static const char short_to[] = "\"\\/bfnrt";
  const char *found = byte == 0 ? NULL : strchr(short_from, byte);
  switch (kr_naive_below(state, 10)) {
  case 0:
    put_number(out, "%%%02x", byte);
    return;
  case 1:
    put_number(out, "%%%02X", byte);
    return;
  case 2:
    if (byte < 128) {
      spell_units(state, byte, out);
      return;
    }
    break;
  case 3:
  case 6:
    if (found != NULL) {
      bool is_sign = byte == '"' || byte == '\\' || byte == '/';
      bool is_twice = kr_naive_below(state, 2) != 0;
      const char *format = is_twice ? is_sign ? "\\\\\\%c" : "\\\\%c" : "\\%c";
      put_number(out, format, (unsigned)(uint8_t)short_to[found - short_from]);
      return;
    }
    break;
  case 4:
    if (byte == ' ')
      byte = '+';
    break;
  case 5:
    if (byte < 128) {
      spell_entity(state, byte, out);
      return;
    }
    break;
  default:
    break;
  }
  KR_ASSERT(kr_buf_byte(out, byte) == KR_OK);
}

static void spell_base64(uint64_t *state, kr_str value, kr_buf *out) {
  uint8_t padded[512];
  size_t before = kr_naive_below(state, 5);
  size_t after = kr_naive_below(state, 4);
  const char *alphabet = kr_naive_below(state, 2) != 0 ? standard : url;
  for (size_t i = 0; i < before + value.len + after; i++)
    padded[i] = (uint8_t)kr_naive_random(state);
  memcpy(padded + before, value.ptr, value.len);
  for (size_t bit = 0; bit < 8 * (before + value.len + after); bit += 6) {
    unsigned index = 0;
    for (size_t i = bit; i < bit + 6; i++)
      index =
          index * 2 +
          (i / 8 < before + value.len + after ? (unsigned)padded[i / 8] >> (7 - i % 8) & 1u : 0);
    if (kr_naive_below(state, 20) == 0)
      spell_byte(state, (uint8_t)alphabet[index], out);
    else
      KR_ASSERT(kr_buf_byte(out, (uint8_t)alphabet[index]) == KR_OK);
  }
}

void kr_naive_spell(uint64_t *state, kr_str value, kr_buf *out) {
  size_t form = kr_naive_below(state, 10);
  if (form == 0) {
    spell_base64(state, value, out);
    return;
  }
  bool is_raw = kr_naive_below(state, 3) == 0;
  size_t n_bytes = 0;
  for (size_t i = 0; i < value.len; i++) {
    if (form == 1)
      put_number(out, kr_naive_below(state, 2) != 0 ? "%02x" : "%02X", value.ptr[i]);
    else if (is_raw)
      KR_ASSERT(kr_buf_byte(out, value.ptr[i]) == KR_OK);
    else if ((n_bytes = spell_point(state, kr_str_skip(value, i), out)) > 0)
      i += n_bytes - 1;
    else
      spell_byte(state, value.ptr[i], out);
  }
}
