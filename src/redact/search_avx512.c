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
#define KR_SEARCH_TABLE_BYTES KR_SEARCH_HALVED_BYTES

/* Byte numbers of sixteen grams, `stride` apart. */
static inline __m512i kr_avx512_spread(uint32_t stride) {
  __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  __m512i first = _mm512_mullo_epi32(lane, _mm512_set1_epi32((int)(stride * 0x01010101u)));
  return _mm512_add_epi8(first, _mm512_set1_epi32(0x03020100));
}

static inline __m128i kr_avx512_two(const uint8_t *low, const uint8_t *high) {
  __m128i first = _mm_loadl_epi64((const __m128i *)(const void *)low);
  return _mm_castpd_si128(
      _mm_loadh_pd(_mm_castsi128_pd(first), (const double *)(const void *)high));
}

static inline __m512i kr_avx512_join(__m128i first, __m128i second, __m128i third, __m128i fourth) {
  __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
  __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(third), fourth, 1);
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* Two places of 32 bits in each half of `at`. */
static inline __m128i kr_avx512_four(const uint32_t *filter, __m128i at) {
  uint64_t first = (uint64_t)_mm_cvtsi128_si64(at);
  uint64_t second = (uint64_t)_mm_extract_epi64(at, 1);
  __m128i words = _mm_cvtsi32_si128((int)filter[(uint32_t)first]);
  words = _mm_insert_epi32(words, (int)filter[first >> 32], 1);
  words = _mm_insert_epi32(words, (int)filter[(uint32_t)second], 2);
  return _mm_insert_epi32(words, (int)filter[second >> 32], 3);
}

/* Word by word: VPGATHERDD takes longer, by a fifth from gcc and by half from clang. */
static inline __m512i kr_avx512_gather4(const uint32_t *filter, __m512i at) {
  return kr_avx512_join(kr_avx512_four(filter, _mm512_castsi512_si128(at)),
                        kr_avx512_four(filter, _mm512_extracti32x4_epi32(at, 1)),
                        kr_avx512_four(filter, _mm512_extracti32x4_epi32(at, 2)),
                        kr_avx512_four(filter, _mm512_extracti32x4_epi32(at, 3)));
}

#define KR_SEARCH_HAS_GRAMS4
static inline uint64_t kr_lanes_grams4(const uint8_t *ptr, const kr_search_pass *pass) {
  uint32_t mask = pass->gram_len == 3 ? 0xffffffu : UINT32_MAX;
  __m512i grams = _mm512_permutexvar_epi8(kr_avx512_spread(pass->stride), _mm512_loadu_si512(ptr));
  grams = _mm512_or_si512(grams, _mm512_set1_epi32((int)(uint32_t)pass->fold));
  grams = _mm512_and_si512(grams, _mm512_set1_epi32((int)mask));
  __m512i hash =
      _mm512_mullo_epi32(grams, _mm512_set1_epi32((int)(uint32_t)(pass->multiplier >> 32 | 1)));
  __m512i at = _mm512_srl_epi32(hash, _mm_cvtsi32_si128(pass->filter_shift));
  __m512i words = kr_avx512_gather4(pass->filter, at);
  __m512i one = _mm512_rorv_epi32(words, _mm512_srli_epi32(hash, 12)); /* counts modulo 32 */
  __m512i two = _mm512_rorv_epi32(words, _mm512_srli_epi32(hash, 7));
  return _mm512_test_epi32_mask(_mm512_and_si512(one, two), _mm512_set1_epi32(1));
}

static inline __m128i kr_avx512_two_at(const uint8_t *filter, __m128i at) {
  return kr_avx512_two(filter + 8 * _mm_cvtsi128_si64(at), filter + 8 * _mm_extract_epi64(at, 1));
}

/* Word by word: VPGATHERQQ takes twice the time. */
static inline __m512i kr_avx512_gather8(const void *filter, __m512i at) {
  return kr_avx512_join(kr_avx512_two_at(filter, _mm512_castsi512_si128(at)),
                        kr_avx512_two_at(filter, _mm512_extracti64x2_epi64(at, 1)),
                        kr_avx512_two_at(filter, _mm512_extracti64x2_epi64(at, 2)),
                        kr_avx512_two_at(filter, _mm512_extracti64x2_epi64(at, 3)));
}

#define KR_SEARCH_HAS_GRAMS8
/* Which of eight grams may be in the filter. */
static inline uint64_t kr_avx512_filter8(__m512i grams, const kr_search_pass *pass) {
  grams = _mm512_or_si512(grams, _mm512_set1_epi64((int64_t)pass->fold));
  __m512i hash = _mm512_mullo_epi64(grams, _mm512_set1_epi64((int64_t)pass->multiplier));
  __m512i at = _mm512_srl_epi64(hash, _mm_cvtsi32_si128(pass->filter_shift));
  __m512i words = kr_avx512_gather8(pass->filter, at);
  __m512i one = _mm512_rorv_epi64(words, _mm512_srli_epi64(hash, 41)); /* counts modulo 64 */
  __m512i two = _mm512_rorv_epi64(words, _mm512_srli_epi64(hash, 35));
  return _mm512_test_epi64_mask(_mm512_and_si512(one, two), _mm512_set1_epi64(1));
}

static inline uint64_t kr_lanes_grams8(const uint8_t *ptr, const kr_search_pass *pass) {
  const size_t stride = pass->stride;
  const uint8_t *half = ptr + 4 * stride;
  return kr_avx512_filter8(kr_avx512_join(kr_avx512_two(ptr, ptr + stride),
                                          kr_avx512_two(ptr + 2 * stride, ptr + 3 * stride),
                                          kr_avx512_two(half, half + stride),
                                          kr_avx512_two(half + 2 * stride, half + 3 * stride)),
                           pass);
}

static inline uint64_t kr_lanes_listed(const uint8_t *ptr, const uint16_t *places,
                                       const kr_search_pass *pass) {
  return kr_avx512_filter8(kr_avx512_join(kr_avx512_two(ptr + places[0], ptr + places[1]),
                                          kr_avx512_two(ptr + places[2], ptr + places[3]),
                                          kr_avx512_two(ptr + places[4], ptr + places[5]),
                                          kr_avx512_two(ptr + places[6], ptr + places[7])),
                           pass);
}

typedef struct kr_shuffle_tables {
  __m512i low[KR_SEARCH_SHUFFLE_BYTES], high[KR_SEARCH_SHUFFLE_BYTES];
} kr_shuffle_tables;

static inline void kr_shuffle_load(kr_shuffle_tables *tables, const uint8_t *from,
                                   unsigned n_bytes) {
  for (unsigned i = 0; i < n_bytes; i++) {
    tables->low[i] = _mm512_loadu_si512(from + KR_SEARCH_TABLE_BYTES * i);
    tables->high[i] = _mm512_loadu_si512(from + KR_SEARCH_TABLE_BYTES * i + 64);
  }
}

static inline __m512i kr_shuffle_byte(const uint8_t *ptr, __m512i low, __m512i high) {
  return _mm512_permutex2var_epi8(low, _mm512_loadu_si512(ptr), high);
}

/* What the buckets allow of the byte `i` behind each place. */
static inline __m512i kr_shuffle_next(__m512i buckets, const uint8_t *ptr,
                                      const kr_shuffle_tables *tables, unsigned i) {
  return _mm512_and_si512(buckets, kr_shuffle_byte(ptr + i, tables->low[i], tables->high[i]));
}

/* Without a loop: clang would keep the tables in memory. */
static inline uint64_t kr_lanes_shuffle(const uint8_t *ptr, const kr_shuffle_tables *tables,
                                        unsigned n_bytes) {
  __m512i buckets = kr_shuffle_byte(ptr, tables->low[0], tables->high[0]);
  if (n_bytes > 1)
    buckets = kr_shuffle_next(buckets, ptr, tables, 1);
  if (n_bytes > 2)
    buckets = kr_shuffle_next(buckets, ptr, tables, 2);
  if (n_bytes > 3)
    buckets = kr_shuffle_next(buckets, ptr, tables, 3);
  if (n_bytes > 4)
    buckets = kr_shuffle_next(kr_shuffle_next(buckets, ptr, tables, 4), ptr, tables, 5);
  return _mm512_test_epi8_mask(buckets, buckets);
}

#define KR_SEARCH_HAS_NOTE
/* Numbers of the bits, sixteen at a time. */
static inline void kr_lanes_note(uint16_t *places, uint64_t found, uint32_t n_found, uint32_t at) {
  const __m512i numbers = _mm512_set_epi8(
      63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41,
      40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
      17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  __m512i listed = _mm512_maskz_compress_epi8(found, numbers);
  __m256i from = _mm256_set1_epi16((short)at);
  _mm256_storeu_si256((__m256i *)(void *)places,
                      _mm256_add_epi16(_mm256_cvtepu8_epi16(_mm512_castsi512_si128(listed)), from));
  for (uint32_t i = 16; __builtin_expect(i < n_found, 0); i += 16) {
    listed = _mm512_alignr_epi64(listed, listed, 2);
    _mm256_storeu_si256(
        (__m256i *)(void *)(places + i),
        _mm256_add_epi16(_mm256_cvtepu8_epi16(_mm512_castsi512_si128(listed)), from));
  }
}

#include "redact/search_kernels.h"
