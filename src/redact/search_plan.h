/* SPDX-License-Identifier: Apache-2.0 */
/* search_plan.h - which tiers search which lengths (search_plan.c), for search_build.c. */
#ifndef KR_REDACT_SEARCH_PLAN_H
#define KR_REDACT_SEARCH_PLAN_H

#include "redact/search_internal.h"

/* One length more than a window can tell apart: all longer needles count as these. */
#define KR_SEARCH_LENGTHS (KR_SEARCH_WINDOW_BYTES + 1u)

/** One pass, before it has tables. */
typedef struct kr_search_choice {
  uint32_t min_len; /* clamped to KR_SEARCH_WINDOW_BYTES, as is max_len */
  uint32_t max_len;
  uint32_t n_needles;
  uint32_t stride;
  uint8_t tier; /* kr_search_tier */
  uint8_t gram_len;
  uint8_t n_bytes;    /* of a shuffle */
  uint8_t filter_log; /* words, a power of two */
  double cost;        /* ns a byte */
} kr_search_choice;

typedef struct kr_search_outline {
  kr_search_choice choices[KR_SEARCH_PASSES];
  uint32_t n_choices;
} kr_search_outline;

/**
 * From how many needles have each length: count[i] of i bytes, the last one of
 * all longer ones too. min_len and max_len are the first and last with any.
 */
void kr_search_outline_choose(const uint32_t *count, uint32_t min_len, uint32_t max_len,
                              kr_cpu_level level, kr_search_outline *ret_outline);

/** Smallest log with 1 << log >= number. */
static inline uint8_t kr_search_log(uint64_t number) {
  return number <= 1 ? 0 : (uint8_t)(64 - __builtin_clzll(number - 1));
}

#endif
