/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_build.c - from needles to tables. One block of sensitive memory:
 *
 *   | kr_search | filters, 64-byte aligned | tables | heads | offsets | needles | bytes |
 *
 * Sizes are known from the lengths alone, so the needles are read once to
 * measure and once to fill in. Nothing is sorted: needles find their pass by
 * length, their chain by hash.
 */
#include "base/memory.h"
#include "redact/search_plan.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#define KR_BUILD_LARGE_GRAMS 100000u /* more than the caches hold the tables of */
#define KR_BUILD_AHEAD 2u            /* needles, between asking for memory and using it */
#define KR_BUILD_RARE 4u             /* on average, of a window's bytes: rare enough */
#define KR_BUILD_RAREST_BYTES 40u    /* of a needle, looked at for a window of few bytes */

/* What was measured, and where things will lie. */
typedef struct kr_build {
  const kr_str *needles;
  const kr_search_kernels *kernels;
  size_t n;
  size_t n_bytes; /* of all needles */
  uint32_t min_len;
  uint32_t max_len;
  uint32_t count[KR_SEARCH_LENGTHS]; /* needles by length, clamped */
  kr_search_outline outline;
  size_t filter_at[KR_SEARCH_PASSES];
  size_t heads_at[KR_SEARCH_PASSES];
  size_t offsets_at[KR_SEARCH_PASSES];
  size_t needles_at;
  size_t bytes_at;
  size_t block_len;
} kr_build;

/* Nobody outside may choose texts that fill the filters' words: a number drawn once a process. */
static uint64_t kr_build_multiplier(void) {
  static _Atomic uint64_t known;
  uint64_t multiplier = atomic_load_explicit(&known, memory_order_relaxed);
  if (multiplier == 0) {
    if (getrandom(&multiplier, sizeof multiplier, GRND_NONBLOCK) != (ssize_t)sizeof multiplier) {
      struct timespec now;
      (void)clock_gettime(CLOCK_MONOTONIC, &now);
      multiplier =
          ((uint64_t)now.tv_nsec << 32 ^ (uint64_t)(uintptr_t)&known) * 0x9e3779b97f4a7c15u;
    }
    multiplier |= 1;
    atomic_store_explicit(&known, multiplier, memory_order_relaxed);
  }
  return multiplier;
}

static uint32_t kr_build_clamp(size_t len) {
  return len < KR_SEARCH_WINDOW_BYTES ? (uint32_t)len : KR_SEARCH_WINDOW_BYTES;
}

static kr_status kr_build_measure(kr_build *build) {
  size_t longest = 0;
  for (size_t i = 0; i < build->n; i++) {
    size_t len = build->needles[i].len;
    if (len < KR_SEARCH_MIN_BYTES)
      return KR_INVALID;
    if (!kr_size_add(build->n_bytes, len, &build->n_bytes))
      return KR_LIMIT;
    build->count[kr_build_clamp(len)]++;
    longest = len > longest ? len : longest;
  }
  if (build->n > KR_SEARCH_MAX_NEEDLES || build->n_bytes >= UINT32_MAX)
    return KR_LIMIT;
  build->max_len = (uint32_t)longest;
  build->min_len = KR_SEARCH_MIN_BYTES;
  while (build->min_len < KR_SEARCH_WINDOW_BYTES && build->count[build->min_len] == 0)
    build->min_len++;
  return KR_OK;
}

static size_t kr_build_place(size_t *next, size_t len, size_t alignment) {
  size_t at = (*next + alignment - 1) & ~(alignment - 1);
  *next = at + len;
  return at;
}

static size_t kr_build_filter_bytes(const kr_build *build, const kr_search_choice *choice) {
  if (choice->tier == KR_SEARCH_SHUFFLE)
    return (size_t)choice->n_bytes * build->kernels->table_bytes;
  if (choice->tier == KR_SEARCH_ANCHORS)
    return ((size_t)8 << choice->filter_log) + build->kernels->table_bytes;
  return (choice->tier == KR_SEARCH_GRAMS4 ? 4u : 8u) * ((size_t)1 << choice->filter_log);
}

static uint8_t kr_build_heads_log(const kr_search_choice *choice) {
  uint8_t log = kr_search_log(choice->n_needles);
  return log < 4 ? 4 : log;
}

static uint8_t kr_build_offsets_log(const kr_search_choice *choice) {
  uint8_t log = kr_search_log((uint64_t)choice->n_needles * choice->stride);
  if (log > 16)
    log--; /* one or two grams a slot; in small sets half as many */
  return log < 5 ? 5 : log;
}

/* No sum here overflows: 32-bit counts times less than 1 KiB each. */
static void kr_build_lay_out(kr_build *build) {
  size_t next = sizeof(kr_search);
  for (uint32_t i = 0; i < build->outline.n_choices; i++) {
    const kr_search_choice *choice = &build->outline.choices[i];
    build->filter_at[i] = kr_build_place(&next, kr_build_filter_bytes(build, choice), 64);
    build->heads_at[i] = kr_build_place(&next, sizeof(uint32_t) << kr_build_heads_log(choice), 4);
    build->offsets_at[i] = 0;
    if (choice->stride > 1)
      build->offsets_at[i] =
          kr_build_place(&next, sizeof(uint32_t) << kr_build_offsets_log(choice), 4);
  }
  build->needles_at = kr_build_place(&next, build->n * sizeof(kr_search_needle), 8);
  build->bytes_at = kr_build_place(&next, build->n_bytes, 8);
  build->block_len = next;
}

static void kr_build_copy(uint8_t *to, kr_str from, bool is_folded) {
  if (!is_folded) {
    memcpy(to, from.ptr, from.len);
    return;
  }
  for (size_t i = 0; i < from.len; i++)
    to[i] = from.ptr[i] | 0x20;
}

static void kr_build_fill_needles(const kr_build *build, kr_search_needle *needles, uint8_t *bytes,
                                  bool is_folded) {
  uint32_t at = 0;
  for (size_t i = 0; i < build->n; i++) {
    kr_str from = build->needles[i];
    kr_build_copy(bytes + at, from, is_folded);
    needles[i] = (kr_search_needle){.at = at, .len = (uint32_t)from.len};
    if (from.len >= 8)
      needles[i].tail = kr_search_load8(bytes + at + from.len - 8);
    at += (uint32_t)from.len;
  }
}

/* Put a needle into the chain of its anchor gram. */
static void kr_build_chain(const kr_search_pass *pass, uint32_t *heads, kr_search_needle *needle,
                           uint32_t number, const uint8_t *window) {
  uint64_t gram = kr_search_gram(window + pass->lead - pass->back, pass->gram_len);
  uint64_t hash = gram * pass->multiplier;
  uint32_t *head = &heads[hash >> pass->heads_shift];
  needle->next = *head & KR_SEARCH_NUMBER_MASK;
  *head = (*head & ~KR_SEARCH_NUMBER_MASK) | kr_search_head_bit(hash) | number;
}

/* Note in a slot that grams of this hash stand `offset` bytes into a window. */
static void kr_build_offset(uint32_t *slot, uint32_t offset) {
  uint32_t entry = offset + 1;
  uint32_t entries = *slot;
  for (unsigned shift = 0; shift < 8 * KR_SEARCH_OFFSETS; shift += 8) {
    uint32_t found = entries >> shift & 255;
    if (found == 0)
      *slot = entries | entry << shift;
    if (found == 0 || found == entry || found == KR_SEARCH_MORE)
      return;
  }
  *slot = entries | KR_SEARCH_MORE;
}

static void kr_build_grams8(const kr_search_pass *pass, uint64_t *filter, uint32_t *offsets,
                            const uint8_t *window) {
  for (unsigned k = 0; k < pass->stride; k++) {
    uint64_t hash = kr_search_load8(window + k) * pass->multiplier;
    filter[hash >> pass->filter_shift] |= kr_search_bits8(hash);
    if (offsets != NULL)
      kr_build_offset(&offsets[hash >> pass->offsets_shift], k);
  }
}

static void kr_build_grams4(const kr_search_pass *pass, uint32_t *filter, uint32_t *offsets,
                            const uint8_t *window) {
  for (unsigned k = 0; k < pass->stride; k++) {
    uint32_t gram = (uint32_t)kr_search_gram(window + k, pass->gram_len);
    uint32_t hash = kr_search_hash4(gram, pass->multiplier);
    filter[hash >> pass->filter_shift] |= kr_search_bits4(hash);
    if (offsets != NULL)
      kr_build_offset(&offsets[((uint64_t)gram * pass->multiplier) >> pass->offsets_shift], k);
  }
}

static void kr_build_shuffle(const kr_search_pass *pass, uint32_t table_bytes, uint8_t *table,
                             const uint8_t *window, unsigned bucket) {
  uint8_t bit = (uint8_t)(1u << bucket);
  for (unsigned i = 0; i < pass->n_bytes; i++, table += table_bytes) {
    uint8_t spellings[2] = {window[i], (uint8_t)(window[i] & ~(uint8_t)pass->fold)};
    for (unsigned j = 0; j < 2; j++) {
      if (table_bytes == KR_SEARCH_NIBBLES_BYTES) {
        table[spellings[j] & 15u] |= bit;
        table[16u + (spellings[j] >> 4)] |= bit;
      } else {
        table[spellings[j] & (table_bytes - 1)] |= bit;
      }
    }
  }
}

/* How rare bytes are in logs: JSON, English, numbers, identifiers (those of base 32 lack I, L, O
 * and U); rough, for choosing windows. */
static const uint8_t kr_build_rarity[256] = {
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 5,  10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 1,  8,  1,  8,  8,  8,  8,  8,  8,  8,  8,  8,  1,  3,  3,  3,
    3,  3,  3,  5,  5,  5,  5,  5,  5,  5,  1,  8,  8,  5,  8,  8,  8,  7,  9,  7,  9,  7,  9,  9,
    9,  9,  9,  9,  10, 9,  7,  9,  7,  9,  7,  7,  7,  10, 9,  9,  9,  9,  8,  8,  5,  8,  8,  3,
    8,  1,  5,  3,  3,  1,  3,  3,  3,  1,  7,  5,  3,  3,  1,  1,  3,  7,  1,  1,  1,  3,  5,  5,
    7,  5,  7,  5,  8,  5,  8,  10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
};

static unsigned kr_build_score(const uint8_t *bytes, size_t i) {
  return i > 0 && bytes[i] == bytes[i - 1] ? 0 : kr_build_rarity[bytes[i]];
}

/*
 * Where the window of `width` bytes is to begin: the last place whose bytes are
 * not too common, for near misses are mostly right at the beginning (common
 * prefixes, shortened tokens); where there is none, the rarest. Repeated bytes
 * count nothing, for all-`a` texts exist.
 */
static uint8_t kr_build_rarest(const uint8_t *bytes, size_t len, size_t width) {
  len = len < KR_BUILD_RAREST_BYTES ? len : KR_BUILD_RAREST_BYTES;
  if (len <= width)
    return 0;
  unsigned best = 0, sum = 0;
  size_t best_at = 0;
  for (size_t i = len; i-- > 0;) {
    sum += kr_build_score(bytes, i);
    if (i + width > len)
      continue;
    if (sum >= KR_BUILD_RARE * width)
      return (uint8_t)i;
    best_at = sum > best ? i : best_at;
    best = sum > best ? sum : best;
    sum -= kr_build_score(bytes, i + width - 1);
  }
  return (uint8_t)best_at;
}

/*
 * Where the rarest byte stands that a whole gram follows. Of equally rare ones
 * always the same, for the fewer bytes are anchors the less of a text is probed.
 */
static uint8_t kr_build_anchor(const uint8_t *bytes, size_t len) {
  len = len < KR_BUILD_RAREST_BYTES ? len : KR_BUILD_RAREST_BYTES;
  unsigned best = 0;
  size_t best_at = 0;
  for (size_t i = 0; i + 8 <= len; i++) {
    unsigned score = (unsigned)kr_build_rarity[bytes[i]] << 8 | bytes[i];
    best_at = score > best ? i : best_at;
    best = score > best ? score : best;
  }
  return (uint8_t)best_at;
}

static uint8_t kr_build_window(const kr_search_pass *pass, const uint8_t *bytes, size_t len) {
  if (pass->tier == KR_SEARCH_GRAMS8)
    return 0;
  if (pass->tier == KR_SEARCH_ANCHORS)
    return kr_build_anchor(bytes, len);
  if (pass->tier == KR_SEARCH_GRAMS4)
    return kr_build_rarest(bytes, len, (size_t)pass->stride + pass->gram_len - 1);
  return (uint8_t)(pass->back +
                   kr_build_rarest(bytes + pass->back, len - pass->back, pass->n_bytes));
}

/* The tables of a pass, as yet writable. */
typedef struct kr_build_tables {
  void *filter;
  uint32_t *offsets;
  uint32_t *heads;
  uint8_t *anchors;
  uint32_t table_bytes;
} kr_build_tables;

static bool kr_build_is_of(const kr_search_pass *pass, const kr_search_needle *needle) {
  uint32_t len = kr_build_clamp(needle->len);
  return len >= pass->min_len && len <= pass->max_len;
}

/* Ask for the lines that a needle of many will be noted in. */
static void kr_build_prefetch(const kr_search_pass *pass, const kr_build_tables *tables,
                              const uint8_t *window) {
  const uint64_t *filter = tables->filter;
  for (unsigned k = 0; k < pass->stride; k++) {
    uint64_t hash = kr_search_load8(window + k) * pass->multiplier;
    __builtin_prefetch(&filter[hash >> pass->filter_shift], 1);
    if (tables->offsets != NULL)
      __builtin_prefetch(&tables->offsets[hash >> pass->offsets_shift], 1);
  }
  uint64_t hash = kr_search_load8(window + pass->lead) * pass->multiplier;
  __builtin_prefetch(&tables->heads[hash >> pass->heads_shift], 1);
}

static void kr_build_note(const kr_search_pass *pass, const kr_build_tables *tables,
                          const uint8_t *window, uint32_t n_done) {
  if (pass->tier == KR_SEARCH_SHUFFLE) {
    uint64_t bucket = (uint64_t)n_done * KR_SEARCH_BUCKETS / pass->n_needles;
    kr_build_shuffle(pass, tables->table_bytes, tables->filter, window, (unsigned)bucket);
  } else if (pass->tier == KR_SEARCH_GRAMS4) {
    kr_build_grams4(pass, tables->filter, tables->offsets, window);
  } else {
    kr_build_grams8(pass, tables->filter, tables->offsets, window);
    if (pass->tier ==
        KR_SEARCH_ANCHORS) /* by the higher nibble, so that nibbles tell bytes apart */
      kr_build_shuffle(pass, tables->table_bytes, tables->anchors, window, *window >> 4 & 7);
  }
}

static void kr_build_fill_pass(const kr_search *search, const kr_search_pass *pass,
                               const kr_build_tables *tables, kr_search_needle *needles,
                               const uint8_t *bytes) {
  uint32_t n_done = 0;
  bool is_large = pass->gram_len == 8 && pass->n_needles * pass->stride >= KR_BUILD_LARGE_GRAMS;
  for (uint32_t i = 0; i < search->n_needles; i++)
    if (kr_build_is_of(pass, &needles[i]))
      needles[i].window = kr_build_window(pass, bytes + needles[i].at, needles[i].len);
  for (uint32_t i = 0; n_done < pass->n_needles && i < search->n_needles; i++) {
    uint32_t next = i + KR_BUILD_AHEAD;
    if (is_large && next < search->n_needles && kr_build_is_of(pass, &needles[next]))
      kr_build_prefetch(pass, tables, bytes + needles[next].at + needles[next].window);
    kr_search_needle *needle = &needles[i];
    if (!kr_build_is_of(pass, needle))
      continue;
    const uint8_t *window = bytes + needle->at + needle->window;
    kr_build_chain(pass, tables->heads, needle, i + 1, window);
    kr_build_note(pass, tables, window, n_done++);
  }
}

static const kr_search_kernels *kr_build_kernels(kr_cpu_level level) {
#ifdef KR_SEARCH_X86
  if (level == KR_CPU_AVX512)
    return &kr_search_avx512;
  if (level == KR_CPU_AVX2)
    return &kr_search_avx2;
  if (level == KR_CPU_SSSE3)
    return &kr_search_ssse3;
#endif
#ifdef KR_SEARCH_NEON
  if (level == KR_CPU_SSSE3)
    return &kr_search_neon;
#endif
  (void)level;
  return &kr_search_scalar;
}

static kr_cpu_level kr_build_level(kr_cpu_level wish) {
  kr_cpu_level best = kr_cpu_best();
#if !defined(KR_SEARCH_X86) && !defined(KR_SEARCH_NEON)
  best = KR_CPU_SCALAR;
#endif
  return wish == KR_CPU_BEST || wish > best ? best : wish;
}

static void kr_build_pass(const kr_build *build, uint32_t i, bool is_folded,
                          const kr_build_tables *tables, kr_search_pass *pass) {
  const kr_search_kernels *kernels = build->kernels;
  const kr_search_choice *choice = &build->outline.choices[i];
  *pass = (kr_search_pass){
      .multiplier = kr_build_multiplier(),
      .fold = is_folded ? 0x2020202020202020u : 0,
      .filter = tables->filter,
      .offsets = tables->offsets,
      .heads = tables->heads,
      .tables = choice->tier == KR_SEARCH_ANCHORS ? tables->anchors : tables->filter,
      .stride = choice->stride,
      .back = choice->tier == KR_SEARCH_SHUFFLE && choice->n_bytes < choice->gram_len
                  ? (uint32_t)choice->gram_len - choice->n_bytes
                  : 0,
      .lead = choice->tier == KR_SEARCH_GRAMS8 ? choice->min_len - 8 : 0,
      .n_needles = choice->n_needles,
      .min_len = choice->min_len,
      .max_len = choice->max_len,
      .gram_len = choice->gram_len,
      .n_bytes = choice->n_bytes,
      .filter_shift = (uint8_t)((choice->tier == KR_SEARCH_GRAMS4 ? 32 : 64) - choice->filter_log),
      .offsets_shift = (uint8_t)(64 - kr_build_offsets_log(choice)),
      .heads_shift = (uint8_t)(64 - kr_build_heads_log(choice)),
      .tier = choice->tier,
  };
  if (choice->tier == KR_SEARCH_GRAMS8) {
    pass->near = kernels->grams8;
    pass->far = kernels->grams8_far;
  } else if (choice->tier == KR_SEARCH_GRAMS4) {
    pass->near = kernels->grams4;
    pass->far = kernels->grams4_far;
  } else if (choice->tier == KR_SEARCH_ANCHORS) {
    pass->near = kernels->anchors;
    pass->far = kernels->anchors_far;
  } else {
    pass->near = kernels->shuffle;
    pass->far = kernels->shuffle_far;
  }
}

static void kr_build_describe(kr_search *search) {
  static const char *const names[] = {[KR_SEARCH_GRAMS8] = "grams8",
                                      [KR_SEARCH_GRAMS4] = "grams4",
                                      [KR_SEARCH_ANCHORS] = "anchors",
                                      [KR_SEARCH_SHUFFLE] = "shuffle"};
  size_t len = 0;
  for (uint32_t i = 0; i < search->n_passes; i++) {
    const kr_search_pass *pass = &search->passes[i];
    int added =
        snprintf(search->plan + len, sizeof search->plan - len, "%s%s(%u)", i == 0 ? "" : "+",
                 names[pass->tier], pass->tier == KR_SEARCH_SHUFFLE ? pass->n_bytes : pass->stride);
    len += added > 0 ? (size_t)added : 0;
  }
}

kr_status kr_search_build(const kr_str *needles, size_t n, const kr_search_options *options,
                          kr_search **ret_search) {
  kr_build build = {.needles = needles, .n = n};
  KR_TRY(kr_build_measure(&build));
  kr_cpu_level level = kr_build_level(options->cpu);
  build.kernels = kr_build_kernels(level);
  if (n > 0)
    kr_search_outline_choose(build.count, build.min_len, kr_build_clamp(build.max_len), level,
                             &build.outline);
  kr_build_lay_out(&build);
  uint8_t *block = kr_search_block_alloc(build.block_len);
  if (block == NULL)
    return KR_NOMEM;
  kr_search *search = (kr_search *)(void *)block;
  kr_search_needle *records = (kr_search_needle *)(void *)(block + build.needles_at);
  uint8_t *bytes = block + build.bytes_at;
  search->block_len = build.block_len;
  search->min_len = build.min_len;
  search->max_len = n == 0 ? 0 : build.max_len;
  search->n_needles = n;
  search->n_passes = build.outline.n_choices;
  search->needles = records;
  search->bytes = bytes;
  kr_build_fill_needles(&build, records, bytes, options->fold_bit5);
  for (uint32_t i = 0; i < search->n_passes; i++) {
    const kr_build_tables tables = {
        .filter = block + build.filter_at[i],
        .anchors = block + build.filter_at[i] + ((size_t)8 << build.outline.choices[i].filter_log),
        .offsets =
            build.offsets_at[i] == 0 ? NULL : (uint32_t *)(void *)(block + build.offsets_at[i]),
        .heads = (uint32_t *)(void *)(block + build.heads_at[i]),
        .table_bytes = build.kernels->table_bytes,
    };
    kr_build_pass(&build, i, options->fold_bit5, &tables, &search->passes[i]);
    kr_build_fill_pass(search, &search->passes[i], &tables, records, bytes);
  }
  kr_build_describe(search);
  *ret_search = search;
  return KR_OK;
}
