/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_ssse3.c - the kernels for SSSE3: the shuffle filter by nibbles, 16
 * places at a time. Grams of 4 bytes are tested as in plain C: there is no gather.
 */
#include "redact/search_internal.h"

#include <immintrin.h>

#define KR_SEARCH_TABLE kr_search_ssse3
#define KR_SEARCH_LANES 8u
#define KR_SEARCH_LANES_BYTES 32u
#define KR_SEARCH_PLACES 16u
#define KR_SEARCH_TABLE_BYTES KR_SEARCH_NIBBLES_BYTES

typedef struct kr_shuffle_tables {
  __m128i low[KR_SEARCH_SHUFFLE_BYTES], high[KR_SEARCH_SHUFFLE_BYTES];
} kr_shuffle_tables;

static inline void kr_shuffle_load(kr_shuffle_tables *tables, const uint8_t *from,
                                   unsigned n_bytes) {
  for (unsigned i = 0; i < n_bytes; i++) {
    const uint8_t *nibbles = from + KR_SEARCH_TABLE_BYTES * i;
    tables->low[i] = _mm_loadu_si128((const __m128i *)(const void *)nibbles);
    tables->high[i] = _mm_loadu_si128((const __m128i *)(const void *)(nibbles + 16));
  }
}

static inline __m128i kr_shuffle_byte(const uint8_t *ptr, __m128i low, __m128i high) {
  __m128i nibble = _mm_set1_epi8(15);
  __m128i text = _mm_loadu_si128((const __m128i *)(const void *)ptr);
  return _mm_and_si128(_mm_shuffle_epi8(low, _mm_and_si128(text, nibble)),
                       _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(text, 4), nibble)));
}

/* What the buckets allow of the byte `i` behind each place. */
static inline __m128i kr_shuffle_next(__m128i buckets, const uint8_t *ptr,
                                      const kr_shuffle_tables *tables, unsigned i) {
  return _mm_and_si128(buckets, kr_shuffle_byte(ptr + i, tables->low[i], tables->high[i]));
}

/* Without a loop: clang would keep the tables in memory. */
static inline uint64_t kr_lanes_shuffle(const uint8_t *ptr, const kr_shuffle_tables *tables,
                                        unsigned n_bytes) {
  __m128i buckets = kr_shuffle_byte(ptr, tables->low[0], tables->high[0]);
  if (n_bytes > 1)
    buckets = kr_shuffle_next(buckets, ptr, tables, 1);
  if (n_bytes > 2)
    buckets = kr_shuffle_next(buckets, ptr, tables, 2);
  if (n_bytes > 3)
    buckets = kr_shuffle_next(buckets, ptr, tables, 3);
  if (n_bytes > 4)
    buckets = kr_shuffle_next(kr_shuffle_next(buckets, ptr, tables, 4), ptr, tables, 5);
  unsigned none = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(buckets, _mm_setzero_si128()));
  return none ^ 0xffffu;
}

#include "redact/search_kernels.h"
