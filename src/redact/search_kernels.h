/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_kernels.h - the loops over text, written once and included by one file
 * for each instruction set (search_scalar.c, search_ssse3.c, search_avx2.c,
 * search_avx512.c, search_neon.c), which defines before it:
 *
 *   KR_SEARCH_TABLE         name of the kr_search_kernels to define
 *   kr_lanes_grams4()       when KR_SEARCH_HAS_GRAMS4: test KR_SEARCH_LANES places, stride apart,
 *                           a bit each
 *   KR_SEARCH_LANES         8 or 16; they span KR_SEARCH_LANES_BYTES from the first, as read
 *   kr_lanes_shuffle()      test KR_SEARCH_PLACES neighbouring places: a bit each
 *   KR_SEARCH_TABLE_BYTES   of its table of one byte, as kr_search_kernels.table_bytes
 *   KR_SEARCH_PLACES        at most 64; it reads KR_SEARCH_PLACES + n_bytes - 1 bytes
 *   kr_lanes_note()         when KR_SEARCH_HAS_NOTE: numbers of the bits of a mask
 *   kr_lanes_listed()       when KR_SEARCH_HAS_GRAMS8, with kr_lanes_grams8()
 *   kr_shuffle_tables       the tables in registers, kr_shuffle_load() to fill those needed
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

KR_INLINE uint64_t kr_kernel_probe8(const uint8_t *ptr, const kr_search_pass *pass) {
  uint64_t hash = (kr_search_load8(ptr) | pass->fold) * pass->multiplier;
  uint64_t word = ((const uint64_t *)pass->filter)[hash >> pass->filter_shift];
  return (word >> ((hash >> 41) & 63)) & (word >> ((hash >> 35) & 63)) & 1;
}

#ifndef KR_SEARCH_HAS_GRAMS4
/* Without a gather there is nothing better than one by one. */
static inline uint64_t kr_lanes_grams4(const uint8_t *ptr, const kr_search_pass *pass) {
  const uint32_t *filter = pass->filter;
  uint32_t mask = pass->gram_len == 3 ? 0xffffffu : UINT32_MAX;
  uint64_t found = 0;
  for (unsigned i = 0; i < KR_SEARCH_LANES; i++) {
    uint32_t gram = (kr_search_load4(ptr + i * pass->stride) | (uint32_t)pass->fold) & mask;
    uint32_t hash = kr_search_hash4(gram, pass->multiplier);
    uint32_t word = filter[hash >> pass->filter_shift];
    found |= (uint64_t)((word >> ((hash >> 12) & 31)) & (word >> ((hash >> 7) & 31)) & 1) << i;
  }
  return found;
}
#endif

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
 * The skipping loops: groups of places from range.next on, until one has a
 * finding: a bit for each of its places, the first at range.group. They call
 * nothing, so that all they need stays in registers; that is why they are
 * functions of their own. The last places, too few for a group, are tested once
 * more with some before them; for a record of some hundred bytes setting up the
 * registers a second time would take as long as searching it.
 */
typedef struct kr_kernel_range {
  const uint8_t *next;   /* the first place that was not tested */
  const uint8_t *last;   /* a whole group may begin up to here */
  const uint8_t *before; /* behind the last place that is to be tested */
  const uint8_t *group;  /* of the finding */
} kr_kernel_range;

typedef uint64_t (*kr_kernel_skip)(kr_kernel_range *range, const kr_search_pass *pass);

KR_INLINE uint64_t kr_skip_grams8_any(kr_kernel_range *range, const kr_search_pass *pass,
                                      bool is_far, bool is_folded) {
  const kr_search_pass local = {.filter = pass->filter,
                                .multiplier = pass->multiplier,
                                .fold = is_folded ? pass->fold : 0,
                                .filter_shift = pass->filter_shift,
                                .stride = pass->stride};
  const size_t step = KR_SEARCH_GROUP * (size_t)local.stride;
  const uint8_t *ptr = range->next;
  for (const uint8_t *last = range->last; ptr <= last; ptr += step) {
    if (is_far)
      for (size_t ahead = 0; ahead < step; ahead += 64)
        __builtin_prefetch(ptr + KR_SEARCH_PREFETCH_BYTES + ahead, 0, 1);
    uint64_t places = kr_lanes_grams8(ptr, &local);
    if (__builtin_expect(places != 0, 0)) {
      range->group = ptr;
      range->next = ptr + step;
      return places;
    }
  }
  range->next = ptr;
  if (ptr >= range->before)
    return 0;
  uint32_t n_left = ((uint32_t)(range->before - ptr) + local.stride - 1) / local.stride;
  range->group = ptr - (KR_SEARCH_GROUP - n_left) * (size_t)local.stride;
  range->next = ptr + n_left * (size_t)local.stride;
  return kr_lanes_grams8(range->group, &local) & (~0ull << (KR_SEARCH_GROUP - n_left));
}

/* The last places are the caller's to test: what is read for them may lie behind the text. */
KR_INLINE uint64_t kr_skip_grams4_any(kr_kernel_range *range, const kr_search_pass *pass,
                                      bool is_far) {
  const size_t step = KR_SEARCH_LANES * (size_t)pass->stride;
  const uint8_t *ptr = range->next;
  for (const uint8_t *last = range->last; ptr <= last; ptr += step) {
    if (is_far)
      __builtin_prefetch(ptr + KR_SEARCH_PREFETCH_BYTES, 0, 1);
    uint64_t places = kr_lanes_grams4(ptr, pass);
    if (__builtin_expect(places != 0, 0)) {
      range->group = ptr;
      range->next = ptr + step;
      return places;
    }
  }
  range->next = ptr;
  return 0;
}

KR_INLINE uint64_t kr_skip_shuffle_any(kr_kernel_range *range, const kr_search_pass *pass,
                                       bool is_far, unsigned n_bytes) {
  KR_SEARCH_UNINITIALIZED kr_shuffle_tables tables;
  kr_shuffle_load(&tables, pass->tables, n_bytes);
  const uint8_t *ptr = range->next;
  const uint8_t *last = range->last;
  for (; ptr <= last; ptr += KR_SEARCH_PLACES) {
    if (is_far)
      __builtin_prefetch(ptr + KR_SEARCH_PREFETCH_BYTES, 0, 1);
    uint64_t places = kr_lanes_shuffle(ptr, &tables, n_bytes);
    if (__builtin_expect(places != 0, 0)) {
      range->group = ptr;
      range->next = ptr + KR_SEARCH_PLACES;
      return places;
    }
  }
  range->next = ptr;
  if (ptr >= range->before)
    return 0;
  range->group = last;
  range->next = last + KR_SEARCH_PLACES;
  return kr_lanes_shuffle(last, &tables, n_bytes) & (~0ull << (ptr - last));
}

#define KR_SKIP(name, body)                                                                        \
  __attribute__((noinline)) static uint64_t name(kr_kernel_range *range,                           \
                                                 const kr_search_pass *pass) {                     \
    return body;                                                                                   \
  }

KR_SKIP(kr_skip_grams8, kr_skip_grams8_any(range, pass, false, false))
KR_SKIP(kr_skip_grams8_far, kr_skip_grams8_any(range, pass, true, false))
KR_SKIP(kr_skip_grams8_folded, kr_skip_grams8_any(range, pass, false, true))
KR_SKIP(kr_skip_grams8_folded_far, kr_skip_grams8_any(range, pass, true, true))
KR_SKIP(kr_skip_grams4, kr_skip_grams4_any(range, pass, false))
KR_SKIP(kr_skip_grams4_far, kr_skip_grams4_any(range, pass, true))
KR_SKIP(kr_skip_shuffle2, kr_skip_shuffle_any(range, pass, false, 2))
KR_SKIP(kr_skip_shuffle2_far, kr_skip_shuffle_any(range, pass, true, 2))
KR_SKIP(kr_skip_shuffle3, kr_skip_shuffle_any(range, pass, false, 3))
KR_SKIP(kr_skip_shuffle3_far, kr_skip_shuffle_any(range, pass, true, 3))
KR_SKIP(kr_skip_shuffle4, kr_skip_shuffle_any(range, pass, false, 4))
KR_SKIP(kr_skip_shuffle4_far, kr_skip_shuffle_any(range, pass, true, 4))
KR_SKIP(kr_skip_shuffle6, kr_skip_shuffle_any(range, pass, false, 6))
KR_SKIP(kr_skip_shuffle6_far, kr_skip_shuffle_any(range, pass, true, 6))

/* Skip and verify all of a range; false: stop. */
KR_INLINE bool kr_kernel_range_all(kr_search_walk *walk, const kr_search_pass *pass,
                                   kr_kernel_skip skip, kr_kernel_range *range, size_t stride,
                                   bool is_grams8) {
  for (;;) {
    uint64_t places = skip(range, pass);
    bool is_more = places != 0;
    if (is_grams8 && is_more)
      places = kr_search_refine(walk, pass, range->group, places);
    if (places != 0 &&
        !kr_kernel_verify(walk, pass, (size_t)(range->group - walk->text), stride, places))
      return false;
    if (!is_more || range->next >= range->before)
      return true;
  }
}

KR_INLINE size_t kr_kernel_grams8_any(kr_search_walk *walk, const kr_search_pass *pass, size_t at,
                                      size_t end, kr_kernel_skip skip) {
  const size_t stride = pass->stride;
  const size_t span = (KR_SEARCH_GROUP - 1) * stride;
  size_t last = walk->len < 8 ? 0 : walk->len - 7; /* behind the last place with a whole gram */
  size_t before = end < last ? end : last;
  if (before > at + span) {
    kr_kernel_range range = {.next = walk->text + at,
                             .last = walk->text + (before - 1 - span),
                             .before = walk->text + before};
    return kr_kernel_range_all(walk, pass, skip, &range, stride, true)
               ? (size_t)(range.next - walk->text)
               : KR_SEARCH_STOPPED;
  }
  for (; at < before; at += stride)
    if (kr_kernel_probe8(walk->text + at, pass) != 0 && !kr_search_verify(walk, pass, at))
      return KR_SEARCH_STOPPED;
  return at;
}

/* The places of a text too short for a group, or of its end, on a copy. */
KR_INLINE uint64_t kr_kernel_copied(const kr_search_walk *walk, const kr_search_pass *pass,
                                    kr_kernel_skip skip, size_t at, uint8_t *copy) {
  memcpy(copy, walk->text + at, walk->len - at);
  kr_kernel_range range = {.next = copy, .last = copy, .before = copy};
  return skip(&range, pass);
}

KR_INLINE size_t kr_kernel_grams4_any(kr_search_walk *walk, const kr_search_pass *pass, size_t at,
                                      size_t end, kr_kernel_skip skip) {
  const size_t stride = pass->stride;
  size_t last = walk->len < pass->gram_len ? 0 : walk->len - pass->gram_len + 1u;
  size_t before = end < last ? end : last;
  if (at < before && walk->len - at >= KR_SEARCH_LANES_BYTES) {
    size_t whole = walk->len - KR_SEARCH_LANES_BYTES;
    whole = whole < before ? whole : before - 1;
    kr_kernel_range range = {
        .next = walk->text + at, .last = walk->text + whole, .before = walk->text + before};
    if (!kr_kernel_range_all(walk, pass, skip, &range, stride, false))
      return KR_SEARCH_STOPPED;
    at = (size_t)(range.next - walk->text);
  }
  while (at < before) { /* less than KR_SEARCH_LANES_BYTES before the end */
    uint8_t copy[KR_SEARCH_LANES_BYTES] = {0};
    uint32_t n_places = ((uint32_t)(before - at) + (uint32_t)stride - 1) / (uint32_t)stride;
    n_places = n_places < KR_SEARCH_LANES ? n_places : KR_SEARCH_LANES;
    uint64_t places = kr_kernel_copied(walk, pass, skip, at, copy) & ((1ull << n_places) - 1);
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
  if (at >= before)
    return at;
  if (walk->len - walk->from >= span) {
    size_t whole = walk->len - span;
    kr_kernel_range range = {.next = walk->text + at,
                             .last = walk->text + (whole < before ? whole : before - 1),
                             .before = walk->text + before};
    return kr_kernel_range_all(walk, pass, skip, &range, 1, false)
               ? (size_t)(range.next - walk->text)
               : KR_SEARCH_STOPPED;
  }
  uint8_t copy[KR_SEARCH_PLACES + KR_SEARCH_SHUFFLE_BYTES] = {0};
  uint64_t places = kr_kernel_copied(walk, pass, skip, at, copy) & ((1ull << (before - at)) - 1);
  kr_wipe(copy, sizeof copy);
  return kr_kernel_verify(walk, pass, at, 1, places) ? before : KR_SEARCH_STOPPED;
}

#ifndef KR_SEARCH_HAS_GRAMS8
/* Eight probes at places from ptr, a bit each. */
KR_INLINE uint64_t kr_lanes_listed(const uint8_t *ptr, const uint16_t *places,
                                   const kr_search_pass *pass) {
  uint64_t found = 0;
#pragma GCC unroll 8
  for (unsigned i = 0; i < KR_SEARCH_GROUP; i++)
    found |= kr_kernel_probe8(ptr + places[i], pass) << i;
  return found;
}
#endif

#ifndef KR_SEARCH_HAS_NOTE
/*
 * Write down `at` plus the number of each bit, sixteen or more whether they are
 * there or not: a branch for each would be guessed wrong.
 */
KR_INLINE void kr_lanes_note(uint16_t *places, uint64_t found, uint32_t n_found, uint32_t at) {
  for (uint32_t i = 0; i < n_found; i += 4)
    for (uint32_t k = 0; k < 4; k++) {
      places[i + k] = (uint16_t)(at + (uint32_t)__builtin_ctzll(found | 1ull << 63));
      found &= found - 1;
    }
}
#endif

/*
 * Note where ptr[0 .. len) has anchors, len at most KR_SEARCH_CHUNK; readable
 * up to limit, and back to limit - KR_SEARCH_PLACES.
 */
KR_INLINE uint32_t kr_anchors_collect(const uint8_t *ptr, uint32_t len, const uint8_t *limit,
                                      const kr_search_pass *pass, bool is_far, uint16_t *places) {
  KR_SEARCH_UNINITIALIZED kr_shuffle_tables tables;
  kr_shuffle_load(&tables, pass->tables, 1);
  uint32_t n_places = 0;
  uint32_t at = 0;
  for (; at + KR_SEARCH_PLACES <= len; at += KR_SEARCH_PLACES) {
    if (is_far)
      __builtin_prefetch(ptr + at + KR_SEARCH_PREFETCH_BYTES, 0, 1);
    uint64_t found = kr_lanes_shuffle(ptr + at, &tables, 1);
    uint32_t n_found = (uint32_t)__builtin_popcountll(found);
    kr_lanes_note(places + n_places, found, n_found, at);
    n_places += n_found;
  }
  if (at == len)
    return n_places;
  size_t readable = (size_t)(limit - ptr) - at;
  uint32_t shift = readable < KR_SEARCH_PLACES ? KR_SEARCH_PLACES - (uint32_t)readable : 0;
  uint64_t found = kr_lanes_shuffle(ptr + at - shift, &tables, 1) >> shift;
  found &= (1ull << (len - at)) - 1;
  uint32_t n_found = (uint32_t)__builtin_popcountll(found);
  kr_lanes_note(places + n_places, found, n_found, at);
  return n_places + n_found;
}

/* Probe the anchors of one chunk; false: stop. */
KR_INLINE bool kr_anchors_chunk(kr_search_walk *walk, const kr_search_pass *pass, size_t at,
                                uint32_t len, bool is_far) {
  KR_SEARCH_UNINITIALIZED uint16_t places[KR_SEARCH_CHUNK + KR_SEARCH_NOTED];
  const uint8_t *text = walk->text + at;
  uint32_t n_places = kr_anchors_collect(text, len, walk->text + walk->len, pass, is_far, places);
  for (uint32_t i = 0; i < KR_SEARCH_GROUP; i++)
    places[n_places + i] = 0; /* readable, and masked */
  for (uint32_t i = 0; i < n_places; i += KR_SEARCH_GROUP) {
    uint64_t found = kr_lanes_listed(text, places + i, pass);
    if (__builtin_expect(found == 0, 1))
      continue;
    if (n_places - i < KR_SEARCH_GROUP)
      found &= (1ull << (n_places - i)) - 1;
    for (; found != 0; found &= found - 1)
      if (!kr_search_verify(walk, pass, at + places[i + (uint32_t)__builtin_ctzll(found)]))
        return false;
  }
  return true;
}

KR_INLINE size_t kr_kernel_anchors_any(kr_search_walk *walk, const kr_search_pass *pass, size_t at,
                                       size_t end, bool is_far) {
  size_t last = walk->len < 8 ? 0 : walk->len - 7;
  size_t before = end < last ? end : last;
  if (walk->len - walk->from < KR_SEARCH_PLACES) { /* less than a vector */
    for (; at < before; at++)
      if (kr_kernel_probe8(walk->text + at, pass) != 0 && !kr_search_verify(walk, pass, at))
        return KR_SEARCH_STOPPED;
    return at;
  }
  while (at < before) {
    size_t len = before - at < KR_SEARCH_CHUNK ? before - at : KR_SEARCH_CHUNK;
    if (!kr_anchors_chunk(walk, pass, at, (uint32_t)len, is_far))
      return KR_SEARCH_STOPPED;
    at += len;
  }
  return at;
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
KR_KERNEL(kr_kernel_anchors, kr_kernel_anchors_any(walk, pass, at, end, false))
KR_KERNEL(kr_kernel_anchors_far, kr_kernel_anchors_any(walk, pass, at, end, true))

const kr_search_kernels KR_SEARCH_TABLE = {
    .table_bytes = KR_SEARCH_TABLE_BYTES,
    .grams8 = kr_kernel_grams8,
    .grams8_far = kr_kernel_grams8_far,
    .grams4 = kr_kernel_grams4,
    .grams4_far = kr_kernel_grams4_far,
    .shuffle = kr_kernel_shuffle,
    .shuffle_far = kr_kernel_shuffle_far,
    .anchors = kr_kernel_anchors,
    .anchors_far = kr_kernel_anchors_far,
};
