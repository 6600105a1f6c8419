/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_avx512.c - the kernels for AVX-512 with VBMI: the shuffle filter by
 * whole bytes (one VPERMI2B looks 64 bytes up in 128 entries; a byte and its
 * twin with the highest bit set share one, which only lets more through), 64
 * places at a time; sixteen 4-byte grams by one gather.
 */
#include "redact/search_internal.h"

#include <immintrin.h>

#define KR_SEARCH_TABLE kr_search_avx512
#define KR_SEARCH_LANES 16u
#define KR_SEARCH_LANES_BYTES 64u
#define KR_SEARCH_PLACES 64u

/* Byte numbers of sixteen grams, `stride` apart. */
static inline __m512i kr_avx512_spread(uint32_t stride) {
  __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  __m512i first = _mm512_mullo_epi32(lane, _mm512_set1_epi32((int)(stride * 0x01010101u)));
  return _mm512_add_epi8(first, _mm512_set1_epi32(0x03020100));
}

static inline uint64_t kr_lanes_grams4(const uint8_t *ptr, const kr_search_pass *pass) {
  uint32_t mask = pass->gram_len == 3 ? 0xffffffu : UINT32_MAX;
  __m512i grams = _mm512_permutexvar_epi8(kr_avx512_spread(pass->stride), _mm512_loadu_si512(ptr));
  grams = _mm512_or_si512(grams, _mm512_set1_epi32((int)(uint32_t)pass->fold));
  grams = _mm512_and_si512(grams, _mm512_set1_epi32((int)mask));
  __m512i hash =
      _mm512_mullo_epi32(grams, _mm512_set1_epi32((int)(uint32_t)(pass->multiplier >> 32 | 1)));
  __m512i at = _mm512_srl_epi32(hash, _mm_cvtsi32_si128(pass->filter_shift));
  __m512i words = _mm512_i32gather_epi32(at, (const int *)pass->filter, 4);
  __m512i one = _mm512_rorv_epi32(words, _mm512_srli_epi32(hash, 12)); /* counts modulo 32 */
  __m512i two = _mm512_rorv_epi32(words, _mm512_srli_epi32(hash, 7));
  return _mm512_test_epi32_mask(_mm512_and_si512(one, two), _mm512_set1_epi32(1));
}

typedef struct kr_shuffle_tables {
  __m512i low[KR_SEARCH_SHUFFLE_BYTES], high[KR_SEARCH_SHUFFLE_BYTES];
} kr_shuffle_tables;

static inline void kr_shuffle_load(kr_shuffle_tables *tables, const uint8_t *from) {
  for (unsigned i = 0; i < KR_SEARCH_SHUFFLE_BYTES; i++) {
    const uint8_t *bytes = from + 256u * i;
    tables->low[i] = _mm512_or_si512(_mm512_loadu_si512(bytes), _mm512_loadu_si512(bytes + 128));
    tables->high[i] =
        _mm512_or_si512(_mm512_loadu_si512(bytes + 64), _mm512_loadu_si512(bytes + 192));
  }
}

static inline __m512i kr_shuffle_byte(const uint8_t *ptr, __m512i low, __m512i high) {
  return _mm512_permutex2var_epi8(low, _mm512_loadu_si512(ptr), high);
}

static inline uint64_t kr_lanes_shuffle(const uint8_t *ptr, const kr_shuffle_tables *tables,
                                        bool is_three) {
  __m512i buckets = _mm512_and_si512(kr_shuffle_byte(ptr, tables->low[0], tables->high[0]),
                                     kr_shuffle_byte(ptr + 1, tables->low[1], tables->high[1]));
  __m512i third = kr_shuffle_byte(ptr + 2, tables->low[2], tables->high[2]);
  if (is_three)
    return _mm512_test_epi8_mask(buckets, third);
  __m512i fourth = kr_shuffle_byte(ptr + 3, tables->low[3], tables->high[3]);
  return _mm512_test_epi8_mask(buckets, _mm512_and_si512(third, fourth));
}

#include "redact/search_kernels.h"
