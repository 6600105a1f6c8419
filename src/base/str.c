/* SPDX-License-Identifier: Apache-2.0 */
/* str.c - the parts of str.h that are too long to inline. */
#define _GNU_SOURCE
#include "base/str.h"

size_t kr_str_find(kr_str haystack, kr_str needle, size_t from) {
  if (from > haystack.len || needle.len > haystack.len - from)
    return SIZE_MAX;
  if (needle.len == 0)
    return from;
  const uint8_t *found = memmem(haystack.ptr + from, haystack.len - from, needle.ptr, needle.len);
  return found == NULL ? SIZE_MAX : (size_t)(found - haystack.ptr);
}

static uint8_t kr_str_lower(uint8_t byte) {
  return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
}

bool kr_str_equal_nocase(kr_str a, kr_str b) {
  if (a.len != b.len)
    return false;
  for (size_t i = 0; i < a.len; i++)
    if (kr_str_lower(a.ptr[i]) != kr_str_lower(b.ptr[i]))
      return false;
  return true;
}

static bool kr_str_is_blank(uint8_t byte) {
  return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

kr_str kr_str_trim(kr_str str) {
  while (str.len > 0 && kr_str_is_blank(str.ptr[0]))
    str = kr_str_skip(str, 1);
  while (str.len > 0 && kr_str_is_blank(str.ptr[str.len - 1]))
    str.len--;
  return str;
}

#define KR_STR_DISTANCE_BYTES 64

static size_t kr_str_min(size_t a, size_t b) { return a < b ? a : b; }

/* Optimal string alignment; three rows of the dynamic programming table. */
size_t kr_str_distance(kr_str a, kr_str b, size_t limit) {
  if (a.len > KR_STR_DISTANCE_BYTES || b.len > KR_STR_DISTANCE_BYTES)
    return limit + 1;
  size_t rows[3][KR_STR_DISTANCE_BYTES + 1];
  for (size_t j = 0; j <= b.len; j++)
    rows[0][j] = j;
  for (size_t i = 1; i <= a.len; i++) {
    size_t *row = rows[i % 3];
    const size_t *above = rows[(i - 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= b.len; j++) {
      uint8_t x = kr_str_lower(a.ptr[i - 1]);
      uint8_t y = kr_str_lower(b.ptr[j - 1]);
      size_t best = kr_str_min(above[j] + 1, row[j - 1] + 1);
      best = kr_str_min(best, above[j - 1] + (x == y ? 0 : 1));
      if (i > 1 && j > 1 && x == kr_str_lower(b.ptr[j - 2]) && y == kr_str_lower(a.ptr[i - 2]))
        best = kr_str_min(best, rows[(i - 2) % 3][j - 2] + 1);
      row[j] = best;
    }
  }
  size_t distance = rows[a.len % 3][b.len];
  return distance > limit ? limit + 1 : distance;
}
