/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.h - short copies, as a render makes them: values of some 20 bytes, a
 * literal between two of them. A call of memcpy() costs more than such a copy,
 * so it is done in overlapping words here. Reads stay inside [from, from + len);
 * writes may go past len, to the next multiple of KR_COPY_SLACK: the caller
 * has that much room and does not count what lies behind len.
 */
#ifndef KR_VM_COPY_H
#define KR_VM_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define KR_COPY_SLACK 32u /* KR_POOL_PADDING covers it */

/** len bytes of which KR_COPY_SLACK more may be read and written (literals of a program). */
static inline void kr_copy_padded(uint8_t *restrict to, const uint8_t *restrict from, size_t len) {
  size_t at = 0;
  do {
    memcpy(to + at, from + at, KR_COPY_SLACK);
    at += KR_COPY_SLACK;
  } while (at < len);
}

/** len bytes, exactly those. */
static inline void kr_copy_exact(uint8_t *restrict to, const uint8_t *restrict from, size_t len) {
  uint64_t head = 0;
  uint64_t tail = 0;
  uint32_t short_head = 0;
  uint32_t short_tail = 0;
  if (len > 32) {
    memcpy(to, from, len);
  } else if (len >= 16) {
    uint64_t words[4];
    memcpy(words, from, 16);
    memcpy(words + 2, from + len - 16, 16);
    memcpy(to, words, 16);
    memcpy(to + len - 16, words + 2, 16);
  } else if (len >= 8) {
    memcpy(&head, from, 8);
    memcpy(&tail, from + len - 8, 8);
    memcpy(to, &head, 8);
    memcpy(to + len - 8, &tail, 8);
  } else if (len >= 4) {
    memcpy(&short_head, from, 4);
    memcpy(&short_tail, from + len - 4, 4);
    memcpy(to, &short_head, 4);
    memcpy(to + len - 4, &short_tail, 4);
  } else if (len > 0) {
    to[0] = from[0];
    to[len / 2] = from[len / 2];
    to[len - 1] = from[len - 1];
  }
}

static inline bool kr_copy_equal(const uint8_t *a, const uint8_t *b, size_t len) {
  uint64_t x = 0;
  uint64_t y = 0;
  uint32_t p = 0;
  uint32_t q = 0;
  if (len >= 8) {
    for (size_t at = 0; at + 8 < len; at += 8) {
      memcpy(&x, a + at, 8);
      memcpy(&y, b + at, 8);
      if (x != y)
        return false;
    }
    memcpy(&x, a + len - 8, 8);
    memcpy(&y, b + len - 8, 8);
    return x == y;
  }
  if (len >= 4) {
    uint32_t r = 0;
    uint32_t s = 0;
    memcpy(&p, a, 4);
    memcpy(&q, b, 4);
    memcpy(&r, a + len - 4, 4);
    memcpy(&s, b + len - 4, 4);
    return ((p ^ q) | (r ^ s)) == 0;
  }
  return len == 0 || (a[0] == b[0] && a[len / 2] == b[len / 2] && a[len - 1] == b[len - 1]);
}

static inline bool kr_copy_is_plain_byte(uint8_t byte) {
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

#ifdef __SSE2__
/* Any byte of the 16 that is a quote, a backslash, a control or not ASCII? */
static inline int kr_copy_special(__m128i bytes) {
  __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)); /* signed: bytes from 0x80 too */
  return _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), low));
}
#endif

/**
 * Copy while looking: true when all len bytes are ASCII that JSON leaves as it
 * is. On false the bytes written mean nothing.
 */
static inline bool kr_copy_json(uint8_t *restrict to, const uint8_t *restrict from, size_t len) {
#ifdef __SSE2__
  uint64_t head = 0;
  uint64_t tail = 0;
  if (len >= 16) {
    int special = 0;
    for (size_t at = 0; at + 16 < len; at += 16) {
      __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(from + at));
      _mm_storeu_si128((__m128i *)(void *)(to + at), bytes);
      special |= kr_copy_special(bytes);
    }
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(from + len - 16));
    _mm_storeu_si128((__m128i *)(void *)(to + len - 16), bytes);
    return (special | kr_copy_special(bytes)) == 0;
  }
  if (len >= 8) {
    memcpy(&head, from, 8);
    memcpy(&tail, from + len - 8, 8);
    memcpy(to, &head, 8);
    memcpy(to + len - 8, &tail, 8);
    return kr_copy_special(_mm_set_epi64x((long long)tail, (long long)head)) == 0;
  }
  if (len >= 4) {
    uint32_t first = 0;
    uint32_t last = 0;
    memcpy(&first, from, 4);
    memcpy(&last, from + len - 4, 4);
    memcpy(to, &first, 4);
    memcpy(to + len - 4, &last, 4);
    return kr_copy_special(_mm_set1_epi64x((long long)((uint64_t)last << 32 | first))) == 0;
  }
#endif
  bool is_plain = true;
  for (size_t at = 0; at < len; at++) {
    to[at] = from[at];
    is_plain &= kr_copy_is_plain_byte(from[at]);
  }
  return is_plain;
}

#endif
