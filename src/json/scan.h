/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.h - eight bytes at a time over text that needs no attention: the parser
 * skips the plain bytes of strings with it, the writer the bytes that need no
 * escape, the compiler the strings of a JSON template, the VM
 * what it copies.
 *
 * A word is tested with the usual zero-byte trick: (x - 0x01..) & ~x & 0x80..
 * has the high bit set in each zero byte of x. Borrows can set bits above the
 * first zero byte, never below it, so the lowest set bit is exact.
 */
#ifndef KR_JSON_SCAN_H
#define KR_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define KR_JSON_ONES UINT64_C(0x0101010101010101)
#define KR_JSON_HIGHS UINT64_C(0x8080808080808080)

/* High bit set in the bytes of word that are `"`, `\` or below a blank. */
static inline uint64_t kr_json_word_special(uint64_t word) {
  uint64_t quote = word ^ (KR_JSON_ONES * '"');
  uint64_t slash = word ^ (KR_JSON_ONES * '\\');
  uint64_t control = (word - KR_JSON_ONES * 0x20) & ~word;
  uint64_t found = ((quote - KR_JSON_ONES) & ~quote) | ((slash - KR_JSON_ONES) & ~slash) | control;
  return found & KR_JSON_HIGHS;
}

static inline uint64_t kr_json_word_load(const uint8_t *at) {
  uint64_t word = 0;
  memcpy(&word, at, sizeof word);
  return word;
}

/* Bytes before the first one marked in a mask that is not 0. */
static inline size_t kr_json_word_first(uint64_t mask) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return (size_t)__builtin_ctzll(mask) / 8;
#else
  (void)mask;
  return 0; /* the byte loop that follows finds it */
#endif
}

static inline bool kr_json_is_plain(uint8_t byte) {
  return byte >= 0x20 && byte != '"' && byte != '\\';
}

#ifdef __SSE2__
#define KR_JSON_BLOCK_BYTES 16
/* Bit i: byte i of the block is `"`, `\`, a control or not ASCII (comparison is signed). */
static inline unsigned kr_json_block_special(const uint8_t *at) {
  __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
  __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  __m128i below = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
  return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), below));
}
#endif

/* The first byte at or after at that is `"`, `\`, a control or not ASCII; end if none. */
static inline const uint8_t *kr_json_skip_ascii(const uint8_t *at, const uint8_t *end) {
#ifdef __SSE2__
  while (end - at >= KR_JSON_BLOCK_BYTES) {
    unsigned mask = kr_json_block_special(at);
    if (mask != 0)
      return at + __builtin_ctz(mask);
    at += KR_JSON_BLOCK_BYTES;
  }
#endif
  while (end - at >= 8) {
    uint64_t word = kr_json_word_load(at);
    uint64_t mask = kr_json_word_special(word) | (word & KR_JSON_HIGHS);
    if (mask != 0) {
      at += kr_json_word_first(mask);
      break;
    }
    at += 8;
  }
  while (at < end && kr_json_is_plain(*at) && *at < 0x80)
    at++;
  return at;
}

/* The same, but bytes that are not ASCII are plain. */
static inline const uint8_t *kr_json_skip_plain(const uint8_t *at, const uint8_t *end) {
  while (end - at >= 8) {
    uint64_t mask = kr_json_word_special(kr_json_word_load(at));
    if (mask != 0) {
      at += kr_json_word_first(mask);
      break;
    }
    at += 8;
  }
  while (at < end && kr_json_is_plain(*at))
    at++;
  return at;
}

#endif
