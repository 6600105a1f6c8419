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
 *   KR_SEARCH_PLACES        at most 64; it reads KR_SEARCH_PLACES + n_bytes - 1 bytes
 *   kr_shuffle_tables       the tables in registers, kr_shuffle_load() to fill them
 *
 * No kernel reads outside of the text: the last few places are tested on a copy.
 */
#include "base/memory.h"
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

KR_INLINE uint64_t kr_kernel_probe8(const uint8_t *ptr, const kr_search_pass *pass) {
  uint64_t hash = (kr_search_load8(ptr) | pass->fold) * pass->multiplier;
  uint64_t word = ((const uint64_t *)pass->filter)[hash >> pass->filter_shift];
  return (word >> ((hash >> 41) & 63)) & (word >> ((hash >> 35) & 63)) & 1;
}

#ifndef KR_SEARCH_HAS_GRAMS8
/* Eight probes, a bit each. */
KR_INLINE uint64_t kr_lanes_grams8(const uint8_t *ptr, const kr_search_pass *pass) {
  uint64_t found = 0;
#pragma GCC unroll 8
  for (unsigned i = 0; i < KR_SEARCH_GROUP; i++)
    found |= kr_kernel_probe8(ptr + i * pass->stride, pass) << i;
  return found;
}
#endif

/*
 * The skipping loops: from ptr on, n_groups groups of places, until one has a
 * finding. They call nothing, so that all they need stays in registers; that is
 * why they are functions of their own.
 */
typedef struct kr_kernel_found {
  size_t n_skipped; /* groups without a finding */
  uint64_t places;  /* of the group after them, a bit each; 0: all were skipped */
} kr_kernel_found;

KR_INLINE kr_kernel_found kr_skip_grams8_any(const uint8_t *ptr, size_t n_groups,
                                             const kr_search_pass *pass, bool is_far,
                                             bool is_folded) {
  const kr_search_pass local = {.filter = pass->filter,
                                .multiplier = pass->multiplier,
                                .fold = is_folded ? pass->fold : 0,
                                .filter_shift = pass->filter_shift,
                                .stride = pass->stride};
  const size_t step = KR_SEARCH_GROUP * (size_t)local.stride;
  for (size_t i = 0; i < n_groups; i++, ptr += step) {
    if (is_far)
      for (size_t ahead = 0; ahead < step; ahead += 64)
        __builtin_prefetch(ptr + KR_SEARCH_PREFETCH_BYTES + ahead, 0, 1);
    uint64_t places = kr_lanes_grams8(ptr, &local);
    if (__builtin_expect(places != 0, 0))
      return (kr_kernel_found){i, places};
  }
  return (kr_kernel_found){n_groups, 0};
}

KR_INLINE kr_kernel_found kr_skip_grams4_any(const uint8_t *ptr, size_t n_groups,
                                             const kr_search_pass *pass, bool is_far) {
  const size_t step = KR_SEARCH_LANES * (size_t)pass->stride;
  for (size_t i = 0; i < n_groups; i++, ptr += step) {
    if (is_far)
      __builtin_prefetch(ptr + KR_SEARCH_PREFETCH_BYTES, 0, 1);
    uint64_t places = kr_lanes_grams4(ptr, pass);
    if (__builtin_expect(places != 0, 0))
      return (kr_kernel_found){i, places};
  }
  return (kr_kernel_found){n_groups, 0};
}

KR_INLINE kr_kernel_found kr_skip_shuffle_any(const uint8_t *ptr, size_t n_groups,
                                              const kr_search_pass *pass, bool is_far,
                                              unsigned n_bytes) {
  kr_shuffle_tables tables;
  kr_shuffle_load(&tables, pass->tables);
  for (size_t i = 0; i < n_groups; i++, ptr += KR_SEARCH_PLACES) {
    if (is_far)
      __builtin_prefetch(ptr + KR_SEARCH_PREFETCH_BYTES, 0, 1);
    uint64_t places = kr_lanes_shuffle(ptr, &tables, n_bytes);
    if (__builtin_expect(places != 0, 0))
      return (kr_kernel_found){i, places};
  }
  return (kr_kernel_found){n_groups, 0};
}

#define KR_SKIP(name, body)                                                                        \
  __attribute__((noinline)) static kr_kernel_found name(const uint8_t *ptr, size_t n_groups,       \
                                                        const kr_search_pass *pass) {              \
    return body;                                                                                   \
  }

KR_SKIP(kr_skip_grams8, kr_skip_grams8_any(ptr, n_groups, pass, false, false))
KR_SKIP(kr_skip_grams8_far, kr_skip_grams8_any(ptr, n_groups, pass, true, false))
KR_SKIP(kr_skip_grams8_folded, kr_skip_grams8_any(ptr, n_groups, pass, false, true))
KR_SKIP(kr_skip_grams8_folded_far, kr_skip_grams8_any(ptr, n_groups, pass, true, true))
KR_SKIP(kr_skip_grams4, kr_skip_grams4_any(ptr, n_groups, pass, false))
KR_SKIP(kr_skip_grams4_far, kr_skip_grams4_any(ptr, n_groups, pass, true))
KR_SKIP(kr_skip_shuffle2, kr_skip_shuffle_any(ptr, n_groups, pass, false, 2))
KR_SKIP(kr_skip_shuffle2_far, kr_skip_shuffle_any(ptr, n_groups, pass, true, 2))
KR_SKIP(kr_skip_shuffle3, kr_skip_shuffle_any(ptr, n_groups, pass, false, 3))
KR_SKIP(kr_skip_shuffle3_far, kr_skip_shuffle_any(ptr, n_groups, pass, true, 3))
KR_SKIP(kr_skip_shuffle4, kr_skip_shuffle_any(ptr, n_groups, pass, false, 4))
KR_SKIP(kr_skip_shuffle4_far, kr_skip_shuffle_any(ptr, n_groups, pass, true, 4))
KR_SKIP(kr_skip_shuffle6, kr_skip_shuffle_any(ptr, n_groups, pass, false, 6))
KR_SKIP(kr_skip_shuffle6_far, kr_skip_shuffle_any(ptr, n_groups, pass, true, 6))

typedef kr_kernel_found (*kr_kernel_skip)(const uint8_t *ptr, size_t n_groups,
                                          const kr_search_pass *pass);

/* Skip and verify n_groups groups of n_lanes places from `at`; false: stop. */
KR_INLINE bool kr_kernel_groups(kr_search_walk *walk, const kr_search_pass *pass,
                                kr_kernel_skip skip, size_t at, size_t n_groups, size_t n_lanes,
                                size_t stride) {
  while (n_groups > 0) {
    kr_kernel_found found = skip(walk->text + at, n_groups, pass);
    if (found.places == 0)
      return true;
    at += found.n_skipped * n_lanes * stride;
    if (!kr_kernel_verify(walk, pass, at, stride, found.places))
      return false;
    at += n_lanes * stride;
    n_groups -= found.n_skipped + 1;
  }
  return true;
}

KR_INLINE size_t kr_kernel_grams8_any(kr_search_walk *walk, const kr_search_pass *pass, size_t at,
                                      size_t end, kr_kernel_skip skip) {
  const size_t stride = pass->stride;
  size_t last = walk->len < 8 ? 0 : walk->len - 7; /* behind the last place with a whole gram */
  size_t n_places = kr_kernel_count(at, end < last ? end : last, stride);
  size_t n_groups = n_places / KR_SEARCH_GROUP;
  size_t n_left = n_places % KR_SEARCH_GROUP;
  if (!kr_kernel_groups(walk, pass, skip, at, n_groups, KR_SEARCH_GROUP, stride))
    return KR_SEARCH_STOPPED;
  at += n_groups * KR_SEARCH_GROUP * stride;
  if (n_left > 0 && n_groups > 0) { /* once more with some that were tested */
    size_t back = at - (KR_SEARCH_GROUP - n_left) * stride;
    uint64_t places = skip(walk->text + back, 1, pass).places;
    places &= ~0ull << (KR_SEARCH_GROUP - n_left);
    return kr_kernel_verify(walk, pass, back, stride, places) ? at + n_left * stride
                                                              : KR_SEARCH_STOPPED;
  }
  for (; n_left > 0; n_left--, at += stride)
    if (kr_kernel_probe8(walk->text + at, pass) != 0 && !kr_search_verify(walk, pass, at))
      return KR_SEARCH_STOPPED;
  return at;
}

KR_INLINE size_t kr_kernel_grams4_any(kr_search_walk *walk, const kr_search_pass *pass, size_t at,
                                      size_t end, kr_kernel_skip skip) {
  const size_t stride = pass->stride;
  const size_t step = KR_SEARCH_LANES * stride;
  size_t last = walk->len < pass->gram_len ? 0 : walk->len - pass->gram_len + 1u;
  size_t before = end < last ? end : last;
  if (at < before && walk->len - at >= KR_SEARCH_LANES_BYTES) {
    size_t n_groups = (before - at + step - 1) / step;
    size_t n_whole = (walk->len - at - KR_SEARCH_LANES_BYTES) / step + 1;
    n_groups = n_groups < n_whole ? n_groups : n_whole;
    if (!kr_kernel_groups(walk, pass, skip, at, n_groups, KR_SEARCH_LANES, stride))
      return KR_SEARCH_STOPPED;
    at += n_groups * step;
  }
  while (at < before) { /* less than KR_SEARCH_LANES_BYTES before the end: on a copy */
    uint8_t copy[KR_SEARCH_LANES_BYTES] = {0};
    memcpy(copy, walk->text + at, walk->len - at);
    size_t n_places = kr_kernel_count(at, before, stride);
    n_places = n_places < KR_SEARCH_LANES ? n_places : KR_SEARCH_LANES;
    uint64_t places = skip(copy, 1, pass).places & ((1ull << n_places) - 1);
    kr_wipe(copy, sizeof copy); /* it may hold a value, and the stack stays */
    if (!kr_kernel_verify(walk, pass, at, stride, places))
      return KR_SEARCH_STOPPED;
    at += n_places * stride;
  }
  return at;
}

KR_INLINE size_t kr_kernel_shuffle_any(kr_search_walk *walk, const kr_search_pass *pass, size_t at,
                                       size_t end, kr_kernel_skip skip) {
  const size_t span = KR_SEARCH_PLACES + pass->n_bytes - 1u; /* bytes read for one vector */
  size_t last = walk->len < pass->n_bytes ? 0 : walk->len - pass->n_bytes + 1u;
  size_t before = end < last ? end : last;
  if (at < before && walk->len - at >= span) {
    size_t n_groups = (before - at + KR_SEARCH_PLACES - 1) / KR_SEARCH_PLACES;
    size_t n_whole = (walk->len - at - (pass->n_bytes - 1u)) / KR_SEARCH_PLACES;
    n_groups = n_groups < n_whole ? n_groups : n_whole;
    if (!kr_kernel_groups(walk, pass, skip, at, n_groups, KR_SEARCH_PLACES, 1))
      return KR_SEARCH_STOPPED;
    at += n_groups * KR_SEARCH_PLACES;
  }
  if (at >= before)
    return at;
  if (walk->len >= span) { /* less than a vector is left: the text's last, overlapping */
    size_t back = walk->len - span;
    uint64_t places = skip(walk->text + back, 1, pass).places & (~0ull << (at - back));
    return kr_kernel_verify(walk, pass, back, 1, places) ? back + KR_SEARCH_PLACES
                                                         : KR_SEARCH_STOPPED;
  }
  uint8_t copy[KR_SEARCH_PLACES + KR_SEARCH_SHUFFLE_BYTES] = {0};
  memcpy(copy, walk->text + at, walk->len - at);
  uint64_t places = skip(copy, 1, pass).places & ((1ull << (before - at)) - 1);
  kr_wipe(copy, sizeof copy);
  return kr_kernel_verify(walk, pass, at, 1, places) ? before : KR_SEARCH_STOPPED;
}

KR_INLINE kr_kernel_skip kr_kernel_shuffle_of(const kr_search_pass *pass, kr_kernel_skip two,
                                              kr_kernel_skip three, kr_kernel_skip four,
                                              kr_kernel_skip six) {
  if (pass->n_bytes <= 3)
    return pass->n_bytes == 2 ? two : three;
  return pass->n_bytes == 4 ? four : six;
}

#define KR_KERNEL(name, body)                                                                      \
  static size_t name(kr_search_walk *walk, const kr_search_pass *pass, size_t at, size_t end) {    \
    return body;                                                                                   \
  }

KR_KERNEL(kr_kernel_grams8,
          kr_kernel_grams8_any(walk, pass, at, end,
                               pass->fold == 0 ? kr_skip_grams8 : kr_skip_grams8_folded))
KR_KERNEL(kr_kernel_grams8_far,
          kr_kernel_grams8_any(walk, pass, at, end,
                               pass->fold == 0 ? kr_skip_grams8_far : kr_skip_grams8_folded_far))
KR_KERNEL(kr_kernel_grams4, kr_kernel_grams4_any(walk, pass, at, end, kr_skip_grams4))
KR_KERNEL(kr_kernel_grams4_far, kr_kernel_grams4_any(walk, pass, at, end, kr_skip_grams4_far))
KR_KERNEL(kr_kernel_shuffle,
          kr_kernel_shuffle_any(walk, pass, at, end,
                                kr_kernel_shuffle_of(pass, kr_skip_shuffle2, kr_skip_shuffle3,
                                                     kr_skip_shuffle4, kr_skip_shuffle6)))
KR_KERNEL(kr_kernel_shuffle_far,
          kr_kernel_shuffle_any(walk, pass, at, end,
                                kr_kernel_shuffle_of(pass, kr_skip_shuffle2_far,
                                                     kr_skip_shuffle3_far, kr_skip_shuffle4_far,
                                                     kr_skip_shuffle6_far)))

const kr_search_kernels KR_SEARCH_TABLE = {
    .grams8 = kr_kernel_grams8,
    .grams8_far = kr_kernel_grams8_far,
    .grams4 = kr_kernel_grams4,
    .grams4_far = kr_kernel_grams4_far,
    .shuffle = kr_kernel_shuffle,
    .shuffle_far = kr_kernel_shuffle_far,
};
