/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_neon.c - the kernels for NEON, which every 64-bit ARM has: the shuffle
 * filter by nibbles, 16 places at a time, as search_ssse3.c has it. Grams of 4
 * bytes are tested as in plain C: there is no gather.
 */
#include "redact/search_internal.h"

#include <arm_neon.h>

#define KR_SEARCH_TABLE kr_search_neon
#define KR_SEARCH_LANES 8u
#define KR_SEARCH_LANES_BYTES 32u
#define KR_SEARCH_PLACES 16u
#define KR_SEARCH_TABLE_BYTES KR_SEARCH_NIBBLES_BYTES

typedef struct kr_shuffle_tables {
  uint8x16_t low[KR_SEARCH_SHUFFLE_BYTES], high[KR_SEARCH_SHUFFLE_BYTES];
} kr_shuffle_tables;

static inline void kr_shuffle_load(kr_shuffle_tables *tables, const uint8_t *from,
                                   unsigned n_bytes) {
  for (unsigned i = 0; i < n_bytes; i++) {
    tables->low[i] = vld1q_u8(from + KR_SEARCH_TABLE_BYTES * i);
    tables->high[i] = vld1q_u8(from + KR_SEARCH_TABLE_BYTES * i + 16);
  }
}

static inline uint8x16_t kr_shuffle_byte(const uint8_t *ptr, uint8x16_t low, uint8x16_t high) {
  uint8x16_t text = vld1q_u8(ptr);
  return vandq_u8(vqtbl1q_u8(low, vandq_u8(text, vdupq_n_u8(15))),
                  vqtbl1q_u8(high, vshrq_n_u8(text, 4)));
}

/* What the buckets allow of the byte `i` behind each place. */
static inline uint8x16_t kr_shuffle_next(uint8x16_t buckets, const uint8_t *ptr,
                                         const kr_shuffle_tables *tables, unsigned i) {
  return vandq_u8(buckets, kr_shuffle_byte(ptr + i, tables->low[i], tables->high[i]));
}

/* A bit for each byte that is not 0; there is no instruction for it. Mostly all are. */
static inline uint64_t kr_neon_mask(uint8x16_t bytes) {
  static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  if (vmaxvq_u8(bytes) == 0)
    return 0;
  uint8x16_t each = vandq_u8(vtstq_u8(bytes, bytes), vld1q_u8(bits));
  return (uint64_t)vaddv_u8(vget_low_u8(each)) | (uint64_t)vaddv_u8(vget_high_u8(each)) << 8;
}

static inline uint64_t kr_lanes_shuffle(const uint8_t *ptr, const kr_shuffle_tables *tables,
                                        unsigned n_bytes) {
  uint8x16_t buckets = kr_shuffle_byte(ptr, tables->low[0], tables->high[0]);
  for (unsigned i = 1; i < n_bytes; i++)
    buckets = kr_shuffle_next(buckets, ptr, tables, i);
  return kr_neon_mask(buckets);
}

#include "redact/search_kernels.h"
