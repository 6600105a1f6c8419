/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str.h - helpers over kr_str: every byte string in krosyn is pointer and
 * length, passed by value. None of these allocate. Not for secrets: comparing
 * those is kr_crypto_equal's job (constant time).
 */
#ifndef KR_BASE_STR_H
#define KR_BASE_STR_H

#include <krosyn/types.h>
#include <string.h>

/** A string literal as kr_str. */
#define KR_STR(literal) ((kr_str){.ptr = (const uint8_t *)("" literal), .len = sizeof(literal) - 1})

/** printf("%.*s", KR_FMT(str)); cuts at INT_MAX. Never with secrets. */
#define KR_FMT(str)                                                                                \
  (int)((str).len > 0x7FFFFFFF ? 0x7FFFFFFF : (str).len),                                          \
      (const char *)((str).ptr == NULL ? (const uint8_t *)"" : (str).ptr)

static inline kr_str kr_str_from(const void *ptr, size_t len) {
  return (kr_str){.ptr = ptr, .len = len};
}

/** From a NUL-terminated string; NULL gives the empty string. */
static inline kr_str kr_str_cstr(const char *text) {
  return kr_str_from(text, text == NULL ? 0 : strlen(text));
}

static inline bool kr_str_equal(kr_str a, kr_str b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/** Like strcmp over bytes: negative, zero, positive. */
static inline int kr_str_compare(kr_str a, kr_str b) {
  size_t shared = a.len < b.len ? a.len : b.len;
  int order = shared == 0 ? 0 : memcmp(a.ptr, b.ptr, shared);
  if (order != 0)
    return order;
  return a.len < b.len ? -1 : a.len > b.len;
}

static inline bool kr_str_starts(kr_str str, kr_str prefix) {
  return str.len >= prefix.len && (prefix.len == 0 || memcmp(str.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool kr_str_ends(kr_str str, kr_str suffix) {
  return str.len >= suffix.len &&
         (suffix.len == 0 || memcmp(str.ptr + (str.len - suffix.len), suffix.ptr, suffix.len) == 0);
}

/** Bytes [from, to) of str; both are clamped to its length. */
static inline kr_str kr_str_slice(kr_str str, size_t from, size_t to) {
  if (to > str.len)
    to = str.len;
  if (from >= to)
    return (kr_str){.ptr = str.ptr, .len = 0};
  return (kr_str){.ptr = str.ptr + from, .len = to - from};
}

static inline kr_str kr_str_skip(kr_str str, size_t n_bytes) {
  return kr_str_slice(str, n_bytes, str.len);
}

/** Offset of the first occurrence of needle at or after from; SIZE_MAX if none. */
size_t kr_str_find(kr_str haystack, kr_str needle, size_t from);

/** ASCII case-insensitive equality (header names, schemes). */
bool kr_str_equal_nocase(kr_str a, kr_str b);

/** Without leading and trailing ASCII blanks (space, tab, CR, LF). */
kr_str kr_str_trim(kr_str str);

/**
 * Edit distance for "did you mean": insertions, deletions, substitutions and
 * swaps of neighbours, each 1, without regard to ASCII case. Returns limit + 1
 * when it is above limit or either side is longer than 64 bytes.
 */
size_t kr_str_distance(kr_str a, kr_str b, size_t limit);

#endif
