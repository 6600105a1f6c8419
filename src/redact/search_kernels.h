/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_kernels.h - the loops over text, written once and included by one file
 * for each instruction set (search_scalar.c, search_ssse3.c, search_avx2.c,
 * search_avx512.c), which defines before it:
 *
 *   KR_SEARCH_TABLE         name of the kr_search_kernels to define
 *   kr_lanes_grams4()       test KR_SEARCH_LANES places, stride apart: a bit each
 *   KR_SEARCH_LANES         8 or 16; they span KR_SEARCH_LANES_BYTES from the first, as read
 *   kr_lanes_shuffle()      test KR_SEARCH_PLACES neighbouring places: a bit each
 *   KR_SEARCH_PLACES        at most 64; it reads KR_SEARCH_PLACES + 3 bytes
 *   kr_shuffle_tables       the tables in registers, kr_shuffle_load() to fill them
 *
 * No kernel reads outside of the text: the last few places are tested on a copy.
 */
#include "redact/search_internal.h"

#define KR_INLINE static inline __attribute__((always_inline))

/* Bits of `found`, lowest first, are places `at`, `at + stride`, ... */
KR_INLINE bool kr_kernel_verify(kr_search_walk *walk, const kr_search_pass *pass, size_t at,
                                size_t stride, uint64_t found) {
  while (found != 0) {
    size_t place = (size_t)__builtin_ctzll(found);
    found &= found - 1;
    if (!kr_search_verify(walk, pass, at + place * stride))
      return false;
  }
  return true;
}

/* Number of places at, at + stride, ... before `before`. */
KR_INLINE size_t kr_kernel_count(size_t at, size_t before, size_t stride) {
  if (at >= before)
    return 0;
  size_t bytes = before - at + stride - 1;
  return bytes <= UINT32_MAX ? (uint32_t)bytes / (uint32_t)stride : bytes / stride;
}

KR_INLINE uint64_t kr_kernel_probe8(const uint8_t *ptr, const uint64_t *filter,
                                    const kr_search_pass *pass) {
  uint64_t hash = (kr_search_load8(ptr) | pass->fold) * pass->multiplier;
  uint64_t word = filter[hash >> pass->filter_shift];
  return (word >> ((hash >> 41) & 63)) & (word >> ((hash >> 35) & 63)) & 1;
}

/* Eight probes, a bit each. */
KR_INLINE uint64_t kr_kernel_group8(const uint8_t *ptr, size_t stride, const uint64_t *filter,
                                    uint64_t multiplier, uint64_t fold, unsigned shift) {
  uint64_t found = 0;
#pragma GCC unroll 8
  for (unsigned i = 0; i < KR_SEARCH_GROUP; i++) {
    uint64_t hash = (kr_search_load8(ptr + i * stride) | fold) * multiplier;
    uint64_t word = filter[hash >> shift];
    found |= ((word >> ((hash >> 41) & 63)) & (word >> ((hash >> 35) & 63)) & 1) << i;
  }
  return found;
}

KR_INLINE size_t kr_kernel_grams8_any(kr_search_walk *walk, const kr_search_pass *pass, size_t at,
                                      size_t end, bool is_far) {
  const uint64_t *filter = pass->filter;
  const uint64_t multiplier = pass->multiplier;
  const uint64_t fold = pass->fold;
  const unsigned shift = pass->filter_shift;
  const size_t stride = pass->stride;
  size_t last = walk->len < 8 ? 0 : walk->len - 7; /* behind the last place with a whole gram */
  size_t n_places = kr_kernel_count(at, end < last ? end : last, stride);
  size_t n_left = n_places;
  for (; n_left >= KR_SEARCH_GROUP; n_left -= KR_SEARCH_GROUP) {
    const uint8_t *ptr = walk->text + at;
    if (is_far)
      for (size_t ahead = 0; ahead < KR_SEARCH_GROUP * stride; ahead += 64)
        __builtin_prefetch(ptr + KR_SEARCH_PREFETCH_BYTES + ahead, 0, 0);
    uint64_t found = kr_kernel_group8(ptr, stride, filter, multiplier, fold, shift);
    if (__builtin_expect(found != 0, 0) && !kr_kernel_verify(walk, pass, at, stride, found))
      return KR_SEARCH_STOPPED;
    at += KR_SEARCH_GROUP * stride;
  }
  if (n_left > 0 && n_places >= KR_SEARCH_GROUP) { /* once more with some that were tested */
    size_t back = at - (KR_SEARCH_GROUP - n_left) * stride;
    uint64_t found = kr_kernel_group8(walk->text + back, stride, filter, multiplier, fold, shift);
    found &= ~0ull << (KR_SEARCH_GROUP - n_left);
    return kr_kernel_verify(walk, pass, back, stride, found) ? at + n_left * stride
                                                             : KR_SEARCH_STOPPED;
  }
  for (; n_left > 0; n_left--, at += stride)
    if (kr_kernel_probe8(walk->text + at, filter, pass) != 0 && !kr_search_verify(walk, pass, at))
      return KR_SEARCH_STOPPED;
  return at;
}

KR_INLINE size_t kr_kernel_grams4_any(kr_search_walk *walk, const kr_search_pass *pass, size_t at,
                                      size_t end, bool is_far) {
  const size_t stride = pass->stride;
  size_t last = walk->len < pass->gram_len ? 0 : walk->len - pass->gram_len + 1u;
  size_t n_left = kr_kernel_count(at, end < last ? end : last, stride);
  for (; n_left > 0 && walk->len - at >= KR_SEARCH_LANES_BYTES;) {
    if (is_far)
      __builtin_prefetch(walk->text + at + KR_SEARCH_PREFETCH_BYTES, 0, 0);
    uint64_t found = kr_lanes_grams4(walk->text + at, pass);
    if (__builtin_expect(found != 0, 0) && !kr_kernel_verify(walk, pass, at, stride, found))
      return KR_SEARCH_STOPPED;
    at += KR_SEARCH_LANES * stride;
    n_left -= n_left < KR_SEARCH_LANES ? n_left : KR_SEARCH_LANES;
  }
  while (n_left > 0) {
    uint8_t copy[KR_SEARCH_LANES_BYTES] = {0};
    size_t n_bytes = walk->len - at;
    memcpy(copy, walk->text + at, n_bytes);
    size_t n_now = n_left < KR_SEARCH_LANES ? n_left : KR_SEARCH_LANES;
    uint64_t found = kr_lanes_grams4(copy, pass) & ((1ull << n_now) - 1);
    if (!kr_kernel_verify(walk, pass, at, stride, found))
      return KR_SEARCH_STOPPED;
    at += n_now * stride;
    n_left -= n_now;
  }
  return at;
}

KR_INLINE size_t kr_kernel_shuffle_any(kr_search_walk *walk, const kr_search_pass *pass, size_t at,
                                       size_t end, bool is_far, bool is_three) {
  kr_shuffle_tables tables;
  kr_shuffle_load(&tables, pass->tables);
  size_t last = walk->len < pass->gram_len ? 0 : walk->len - pass->gram_len + 1u;
  size_t before = end < last ? end : last;
  for (; at < before && walk->len - at >= KR_SEARCH_PLACES + 3u; at += KR_SEARCH_PLACES) {
    if (is_far)
      __builtin_prefetch(walk->text + at + KR_SEARCH_PREFETCH_BYTES, 0, 0);
    uint64_t found = kr_lanes_shuffle(walk->text + at, &tables, is_three);
    if (__builtin_expect(found != 0, 0) && !kr_kernel_verify(walk, pass, at, 1, found))
      return KR_SEARCH_STOPPED;
  }
  if (at >= before)
    return at;
  /* Fewer than KR_SEARCH_PLACES + 3 bytes are left: the text's last vector, overlapping... */
  size_t back = walk->len - (KR_SEARCH_PLACES + 3u);
  if (walk->len >= KR_SEARCH_PLACES + 3u && at - back < KR_SEARCH_PLACES) {
    uint64_t found = kr_lanes_shuffle(walk->text + back, &tables, is_three);
    if (!kr_kernel_verify(walk, pass, back, 1, found & (~0ull << (at - back))))
      return KR_SEARCH_STOPPED;
    at = back + KR_SEARCH_PLACES;
    if (at >= before)
      return at;
  }
  /* ... and what is too short for one, or the place of three last bytes, as a copy. */
  uint8_t copy[KR_SEARCH_PLACES + 3] = {0};
  memcpy(copy, walk->text + at, walk->len - at);
  uint64_t found = kr_lanes_shuffle(copy, &tables, is_three);
  found &= before - at >= 64 ? ~0ull : (1ull << (before - at)) - 1;
  return kr_kernel_verify(walk, pass, at, 1, found) ? before : KR_SEARCH_STOPPED;
}

#define KR_KERNEL(name, body)                                                                      \
  static size_t name(kr_search_walk *walk, const kr_search_pass *pass, size_t at, size_t end) {    \
    return body;                                                                                   \
  }

KR_KERNEL(kr_kernel_grams8, kr_kernel_grams8_any(walk, pass, at, end, false))
KR_KERNEL(kr_kernel_grams8_far, kr_kernel_grams8_any(walk, pass, at, end, true))
KR_KERNEL(kr_kernel_grams4, kr_kernel_grams4_any(walk, pass, at, end, false))
KR_KERNEL(kr_kernel_grams4_far, kr_kernel_grams4_any(walk, pass, at, end, true))
KR_KERNEL(kr_kernel_shuffle, pass->gram_len == 3
                                 ? kr_kernel_shuffle_any(walk, pass, at, end, false, true)
                                 : kr_kernel_shuffle_any(walk, pass, at, end, false, false))
KR_KERNEL(kr_kernel_shuffle_far, pass->gram_len == 3
                                     ? kr_kernel_shuffle_any(walk, pass, at, end, true, true)
                                     : kr_kernel_shuffle_any(walk, pass, at, end, true, false))

const kr_search_kernels KR_SEARCH_TABLE = {
    .grams8 = kr_kernel_grams8,
    .grams8_far = kr_kernel_grams8_far,
    .grams4 = kr_kernel_grams4,
    .grams4_far = kr_kernel_grams4_far,
    .shuffle = kr_kernel_shuffle,
    .shuffle_far = kr_kernel_shuffle_far,
};
