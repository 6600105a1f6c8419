/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_avx2.c - the kernels for AVX2: the shuffle filter by nibbles, 32 places
 * at a time; eight 4-byte grams by one gather. The loop over 8-byte grams is the
 * plain one: with BMI2's shifts eight probes take less time than two gathers.
 */
#include "redact/search_internal.h"

#include <immintrin.h>

#define KR_SEARCH_TABLE kr_search_avx2
#define KR_SEARCH_LANES 8u
#define KR_SEARCH_LANES_BYTES 32u
#define KR_SEARCH_PLACES 32u
#define KR_SEARCH_TABLE_BYTES KR_SEARCH_NIBBLES_BYTES

/* Four grams of 16 bytes, `stride` apart. */
static const uint8_t kr_avx2_spread[4][16] = {
    {0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6},
    {0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7, 8, 9},
    {0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 9, 10, 11, 12},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
};

static inline __m128i kr_avx2_load16(const uint8_t *ptr) {
  return _mm_loadu_si128((const __m128i *)(const void *)ptr);
}

static inline __m256i kr_avx2_load32(const uint8_t *ptr) {
  return _mm256_loadu_si256((const __m256i *)(const void *)ptr);
}

#define KR_SEARCH_HAS_GRAMS4
static inline uint64_t kr_lanes_grams4(const uint8_t *ptr, const kr_search_pass *pass) {
  uint32_t mask = pass->gram_len == 3 ? 0xffffffu : UINT32_MAX;
  __m256i spread = _mm256_broadcastsi128_si256(kr_avx2_load16(kr_avx2_spread[pass->stride - 1]));
  __m256i text = _mm256_inserti128_si256(_mm256_castsi128_si256(kr_avx2_load16(ptr)),
                                         kr_avx2_load16(ptr + 4u * pass->stride), 1);
  __m256i grams = _mm256_shuffle_epi8(text, spread);
  grams = _mm256_or_si256(grams, _mm256_set1_epi32((int)(uint32_t)pass->fold));
  grams = _mm256_and_si256(grams, _mm256_set1_epi32((int)mask));
  __m256i hash =
      _mm256_mullo_epi32(grams, _mm256_set1_epi32((int)(uint32_t)(pass->multiplier >> 32 | 1)));
  __m256i at = _mm256_srl_epi32(hash, _mm_cvtsi32_si128(pass->filter_shift));
  __m256i words = _mm256_i32gather_epi32((const int *)pass->filter, at, 4);
  __m256i low5 = _mm256_set1_epi32(31);
  __m256i one = _mm256_srlv_epi32(words, _mm256_and_si256(_mm256_srli_epi32(hash, 12), low5));
  __m256i two = _mm256_srlv_epi32(words, _mm256_and_si256(_mm256_srli_epi32(hash, 7), low5));
  __m256i both = _mm256_slli_epi32(_mm256_and_si256(one, two), 31);
  return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(both));
}

typedef struct kr_shuffle_tables {
  __m256i low[KR_SEARCH_SHUFFLE_BYTES], high[KR_SEARCH_SHUFFLE_BYTES];
} kr_shuffle_tables;

static inline void kr_shuffle_load(kr_shuffle_tables *tables, const uint8_t *from,
                                   unsigned n_bytes) {
  for (unsigned i = 0; i < n_bytes; i++) {
    const uint8_t *nibbles = from + KR_SEARCH_TABLE_BYTES * i;
    tables->low[i] = _mm256_broadcastsi128_si256(kr_avx2_load16(nibbles));
    tables->high[i] = _mm256_broadcastsi128_si256(kr_avx2_load16(nibbles + 16));
  }
}

static inline __m256i kr_shuffle_byte(const uint8_t *ptr, __m256i low, __m256i high) {
  __m256i nibble = _mm256_set1_epi8(15);
  __m256i text = kr_avx2_load32(ptr);
  return _mm256_and_si256(
      _mm256_shuffle_epi8(low, _mm256_and_si256(text, nibble)),
      _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(text, 4), nibble)));
}

/* What the buckets allow of the byte `i` behind each place. */
static inline __m256i kr_shuffle_next(__m256i buckets, const uint8_t *ptr,
                                      const kr_shuffle_tables *tables, unsigned i) {
  return _mm256_and_si256(buckets, kr_shuffle_byte(ptr + i, tables->low[i], tables->high[i]));
}

/* Without a loop: clang would keep the tables in memory. */
static inline uint64_t kr_lanes_shuffle(const uint8_t *ptr, const kr_shuffle_tables *tables,
                                        unsigned n_bytes) {
  __m256i buckets = kr_shuffle_byte(ptr, tables->low[0], tables->high[0]);
  if (n_bytes > 1)
    buckets = kr_shuffle_next(buckets, ptr, tables, 1);
  if (n_bytes > 2)
    buckets = kr_shuffle_next(buckets, ptr, tables, 2);
  if (n_bytes > 3)
    buckets = kr_shuffle_next(buckets, ptr, tables, 3);
  if (n_bytes > 4)
    buckets = kr_shuffle_next(kr_shuffle_next(buckets, ptr, tables, 4), ptr, tables, 5);
  __m256i none = _mm256_cmpeq_epi8(buckets, _mm256_setzero_si256());
  return ~(uint32_t)_mm256_movemask_epi8(none);
}

#include "redact/search_kernels.h"
