/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain_avx512.c - 64 bytes at a time (AVX-512 BW, VL, VBMI, VBMI2). Whether a
 * byte is dropped, kept or replaced depends on the few bytes behind it alone, so
 * a block is read by lanes: the vectors b1 to b5 are the text 1 to 5 bytes on,
 *
 *   text    a % 4 1 b \ n c \ u 0 0 e 9
 *   value   . A . . . . . . Ã © . . . .       what a lane becomes
 *   keep    1 1 0 0 1 0 1 1 1 1 0 0 0 0       and what is left is compressed
 *
 * Entities and pairs of surrogates go through kr_plain_step(); they are rare.
 */
#include "redact/plain.h"

#include <immintrin.h>

#define KR_PLAIN_AHEAD_BYTES 5u /* bytes behind a block that decide on its last */

static inline uint64_t kr_plain_is(__m512i bytes, char byte) {
  return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte));
}

static inline uint64_t kr_plain_introducers(__m512i bytes, bool reads_plus) {
  uint64_t mask = kr_plain_is(bytes, '%') | kr_plain_is(bytes, '\\') | kr_plain_is(bytes, '&');
  return reads_plus ? mask | kr_plain_is(bytes, '+') : mask;
}

static inline uint64_t kr_plain_first(size_t n) {
  return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* 0 in the lanes of introducers, something else in all others. '%' and '&' are neighbours. */
static inline __m512i kr_plain_mark(__m512i bytes, bool reads_plus) {
  __m512i two = _mm512_sub_epi8(bytes, _mm512_set1_epi8('%'));
  two = _mm512_and_si512(two, _mm512_set1_epi8((char)0xFE));
  __m512i mark = _mm512_min_epu8(two, _mm512_xor_si512(bytes, _mm512_set1_epi8('\\')));
  if (reads_plus)
    mark = _mm512_min_epu8(mark, _mm512_xor_si512(bytes, _mm512_set1_epi8('+')));
  return mark;
}

static inline size_t kr_plain_clean_blocks(kr_str text, bool reads_plus) {
  size_t at = 0;
  for (; at + 256 <= text.len; at += 256) {
    const uint8_t *from = text.ptr + at;
    __m512i a = kr_plain_mark(_mm512_loadu_si512(from), reads_plus);
    __m512i b = kr_plain_mark(_mm512_loadu_si512(from + 64), reads_plus);
    __m512i c = kr_plain_mark(_mm512_loadu_si512(from + 128), reads_plus);
    __m512i d = kr_plain_mark(_mm512_loadu_si512(from + 192), reads_plus);
    a = _mm512_min_epu8(_mm512_min_epu8(a, b), _mm512_min_epu8(c, d));
    if (_mm512_testn_epi8_mask(a, a) != 0)
      break;
  }
  return at;
}

static size_t kr_plain_avx512_clean_len(kr_str text, bool reads_plus) {
  size_t at = reads_plus ? kr_plain_clean_blocks(text, true) : kr_plain_clean_blocks(text, false);
  for (; at < text.len; at += 64) {
    __m512i bytes = _mm512_maskz_loadu_epi8(kr_plain_first(text.len - at), text.ptr + at);
    uint64_t mask = kr_plain_introducers(bytes, reads_plus);
    if (mask != 0)
      return at + (size_t)__builtin_ctzll(mask);
  }
  return text.len;
}

static inline __m512i kr_plain_put_spaces(__m512i bytes, bool reads_plus) {
  if (!reads_plus)
    return bytes;
  return _mm512_mask_mov_epi8(bytes, kr_plain_is(bytes, '+'), _mm512_set1_epi8(' '));
}

/* text[at, stop), at most 64 bytes, one escape after the other; returns where the next byte to read
 * is. */
static size_t kr_plain_mixed(kr_str text, size_t at, size_t stop, bool reads_plus, uint8_t *out,
                             size_t *n) {
  while (at < stop) {
    __m512i bytes = _mm512_maskz_loadu_epi8(kr_plain_first(stop - at), text.ptr + at);
    uint64_t mask = kr_plain_introducers(bytes, false);
    size_t n_clean = mask == 0 ? stop - at : (size_t)__builtin_ctzll(mask);
    bytes = kr_plain_put_spaces(bytes, reads_plus);
    _mm512_mask_storeu_epi8(out + *n, kr_plain_first(n_clean), bytes);
    *n += n_clean;
    at += n_clean;
    if (at < stop)
      at += kr_plain_step(text, at, reads_plus, out, n);
  }
  return at;
}

/* The value of a hex digit in each lane; at least 0x80 where there is none. */
static inline __m512i kr_plain_digits(const uint8_t *text) {
  static const uint8_t table[128] = {
#define KR_NO 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80
      KR_NO, KR_NO, KR_NO, KR_NO, KR_NO, KR_NO, 0,    1,    2,  3,  4,    5,     6,     7,    8,
      9,     0x80,  0x80,  0x80,  0x80,  0x80,  0x80, 0x80, 10, 11, 12,   13,    14,    15,   0x80,
      KR_NO, KR_NO, KR_NO, 0x80,  10,    11,    12,   13,   14, 15, 0x80, KR_NO, KR_NO, KR_NO
#undef KR_NO
  };
  __m512i bytes = _mm512_loadu_si512(text);
  __m512i digits =
      _mm512_permutex2var_epi8(_mm512_loadu_si512(table), bytes, _mm512_loadu_si512(table + 64));
  return _mm512_or_si512(digits, _mm512_and_si512(bytes, _mm512_set1_epi8((char)0x80)));
}

/* high * 16 + low in the lanes of mask, 0 elsewhere. */
static inline __m512i kr_plain_pair(uint64_t mask, __m512i high, __m512i low) {
  high = _mm512_slli_epi16(_mm512_maskz_mov_epi8(mask, high), 4);
  return _mm512_or_si512(high, _mm512_maskz_mov_epi8(mask, low));
}

/* What a block becomes. */
typedef struct kr_plain_lanes {
  __m512i bytes;
  uint64_t drop;
  size_t end; /* behind its last escape, from the start of the block; 0: none */
} kr_plain_lanes;

/* No branches where blocks differ at random: a wrong guess costs more than all lanes. */
static inline void kr_plain_end_at(kr_plain_lanes *lanes, uint64_t starts, size_t len) {
  size_t end = 63u - _lzcnt_u64(starts) + len; /* of none: below len */
  lanes->end = end > lanes->end ? end : lanes->end;
}

static inline void kr_plain_percent(kr_plain_lanes *lanes, const uint8_t *text, uint64_t found) {
  __m512i d1 = kr_plain_digits(text + 1);
  __m512i d2 = kr_plain_digits(text + 2);
  found &= ~_mm512_movepi8_mask(_mm512_or_si512(d1, d2));
  lanes->bytes = _mm512_mask_mov_epi8(lanes->bytes, found, kr_plain_pair(found, d1, d2));
  lanes->drop |= found << 1 | found << 2;
  kr_plain_end_at(lanes, found, 3);
}

static inline __m512i kr_plain_lane_before(void) {
  static const uint8_t lanes[64] = {0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,
                                    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
                                    31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46,
                                    47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62};
  return _mm512_loadu_si512(lanes);
}

/*
 * "\u0041" in one lane, "\u00e9" in two: those of '\' and 'u'. False: there is one that
 * takes three, or is half a pair, or whose second lane is in the next block.
 */
static inline bool kr_plain_unicode(kr_plain_lanes *lanes, const uint8_t *text, uint64_t found) {
  __m512i d2 = kr_plain_digits(text + 2);
  __m512i d3 = kr_plain_digits(text + 3);
  __m512i d4 = kr_plain_digits(text + 4);
  __m512i d5 = kr_plain_digits(text + 5);
  __m512i all = _mm512_or_si512(_mm512_or_si512(d2, d3), _mm512_or_si512(d4, d5));
  found &= ~_mm512_movepi8_mask(all);
  __m512i high = kr_plain_pair(found, d2, d3);
  __m512i low = kr_plain_pair(found, d4, d5);
  if (_mm512_cmpgt_epu8_mask(high, _mm512_set1_epi8(7)) != 0)
    return false; /* U+0800 and more */
  uint64_t two = found & (_mm512_movepi8_mask(low) | _mm512_test_epi8_mask(high, high));
  if (two >> 63 != 0)
    return false;
  /* 110hhhll 10llllll: high has 3 bits */
  __m512i top = _mm512_and_si512(_mm512_srli_epi16(low, 6), _mm512_set1_epi8(3));
  __m512i first = _mm512_or_si512(_mm512_slli_epi16(high, 2), top);
  first = _mm512_or_si512(first, _mm512_set1_epi8((char)0xC0));
  __m512i rest = _mm512_and_si512(low, _mm512_set1_epi8(0x3F));
  rest = _mm512_or_si512(rest, _mm512_set1_epi8((char)0x80));
  lanes->bytes = _mm512_mask_mov_epi8(lanes->bytes, found, low);
  lanes->bytes = _mm512_mask_mov_epi8(lanes->bytes, two, first);
  uint64_t second = two << 1;
  /* the lane of 'u': rest moved on by one lane */
  lanes->bytes = _mm512_mask_permutexvar_epi8(lanes->bytes, second, kr_plain_lane_before(), rest);
  lanes->drop &= ~found;
  lanes->drop |= ((found << 1) & ~second) | found << 2 | found << 3 | found << 4 | found << 5;
  kr_plain_end_at(lanes, found, 6);
  return true;
}

/* Does an entity start at any of these? */
static bool kr_plain_has_entity(kr_str text, size_t block, uint64_t found) {
  uint8_t room[4];
  for (; found != 0; found &= found - 1) {
    size_t n = 0;
    if (kr_plain_step(text, block + (size_t)__builtin_ctzll(found), false, room, &n) > 1)
      return true;
  }
  return false;
}

/* A block with introducers, of which the first `taken` bytes are read. False: by lanes it cannot
 * be. */
static inline bool kr_plain_by_lanes(kr_str text, size_t block, size_t taken, uint64_t found,
                                     kr_plain_lanes *lanes) {
  const uint8_t *start = text.ptr + block;
  uint64_t read = kr_plain_first(taken);
  uint64_t slashes = kr_plain_is(lanes->bytes, '\\') & ~read;
  uint64_t percents = kr_plain_is(lanes->bytes, '%') & ~read;
  uint64_t entities = found & ~slashes & ~percents & ~read;
  uint64_t units = slashes & kr_plain_is(_mm512_loadu_si512(start + 1), 'u');
  lanes->drop = slashes | read;
  lanes->end = 0;
  if (entities != 0 && kr_plain_has_entity(text, block, entities))
    return false;
  if ((percents | units) == 0)
    return true;
  kr_plain_percent(lanes, start, percents);
  return kr_plain_unicode(lanes, start, units);
}

static size_t kr_plain_avx512_read(kr_str text, size_t len, bool reads_plus, uint8_t *out,
                                   uint32_t *map) {
  size_t at = 0;
  size_t n = 0;
  size_t block = 0;
  *map++ = 0;
  for (; block + 64 <= len; block += 64) {
    kr_plain_lanes lanes = {.bytes = _mm512_loadu_si512(text.ptr + block)};
    uint64_t found = kr_plain_introducers(lanes.bytes, false);
    if ((found | (at - block)) == 0) {
      _mm512_storeu_si512(out + n, kr_plain_put_spaces(lanes.bytes, reads_plus));
      n += 64;
      at = block + 64;
    } else if (text.len - block >= 64 + KR_PLAIN_AHEAD_BYTES &&
               kr_plain_by_lanes(text, block, at - block, found, &lanes)) {
      __m512i kept = kr_plain_put_spaces(lanes.bytes, reads_plus);
      /* compressed in a register: storing through a mask is slow on some */
      _mm512_storeu_si512(out + n, _mm512_maskz_compress_epi8(~lanes.drop, kept));
      n += 64 - (size_t)__builtin_popcountll(lanes.drop);
      at = block + (lanes.end > 64 ? lanes.end : 64);
    } else {
      at = kr_plain_mixed(text, at, block + 64, reads_plus, out, &n);
    }
    *map++ = (uint32_t)n;
  }
  if (at < len)
    (void)kr_plain_mixed(text, at, len, reads_plus, out, &n);
  *map = (uint32_t)n;
  return n;
}

const kr_plain_variant kr_plain_avx512 = {kr_plain_avx512_clean_len, kr_plain_avx512_read};
