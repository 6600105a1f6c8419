/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_plan.c - which tiers search which needles. A tier's speed follows from
 * its shortest needle (the stride) and from how many it holds (the filter's
 * size), so needles are divided by length: one pass for all, then the cut that
 * saves most, as long as a further pass saves more than it costs.
 *
 * Costs are ns a byte of text, measured on Zen 4; only
 * their ratios matter. They err towards fewer passes.
 */
#include "redact/search_plan.h"

#define KR_PLAN_L1_BYTES (32u * 1024u)
#define KR_PLAN_L2_BYTES (512u * 1024u) /* half of it: the text passes through as well */

#define KR_PLAN_GRAMS                                                                              \
  600000u /* in one filter: more take too long to build, and leave the caches                      \
           */

#define KR_PLAN_ANCHORS 20000u /* needles; with fewer, grams are always cheaper */

static double kr_plan_access(double bytes, double near, double middle, double far) {
  if (bytes <= KR_PLAN_L1_BYTES)
    return near;
  if (bytes <= 2 * KR_PLAN_L2_BYTES)
    return near + (middle - near) * bytes / (2 * KR_PLAN_L2_BYTES);
  return far;
}

/* A finding interrupts the loop; with many needles its tables are far away as well. */
static double kr_plan_candidate(uint64_t n_grams) { return n_grams < 32768 ? 15 : 50; }

/*
 * In ns a byte: what grams must be ahead by. Text made of pieces of the needles
 * lets them find something everywhere, where a shuffle of six bytes goes on.
 */
#define KR_PLAN_GRAMS8_RISK 0.03

static kr_search_choice kr_plan_grams8(uint32_t n, uint32_t min_len) {
  uint32_t longest = min_len < KR_SEARCH_WINDOW_BYTES ? min_len : KR_SEARCH_WINDOW_BYTES;
  kr_search_choice choice = {.tier = KR_SEARCH_GRAMS8, .gram_len = 8, .stride = longest - 7};
  uint32_t affordable = KR_PLAN_GRAMS / n;
  if (choice.stride > affordable)
    choice.stride = affordable == 0 ? 1 : affordable;
  uint64_t n_grams = (uint64_t)n * choice.stride;
  choice.filter_log = kr_search_log((n_grams + 1) / 2);
  while (choice.filter_log > 4 && (8ull << choice.filter_log) > KR_PLAN_L2_BYTES &&
         (2ull << choice.filter_log) > n_grams)
    choice.filter_log--;
  if (choice.filter_log < 4)
    choice.filter_log = 4;
  double bytes = (double)(8ull << choice.filter_log);
  double load = (double)n_grams / (double)(1ull << choice.filter_log);
  double rate = (load + load * load) / 1024; /* two of 64 bits, words filled by chance */
  choice.cost =
      (kr_plan_access(bytes, 0.8, 1.3, 2.5) + rate * kr_plan_candidate(n_grams)) / choice.stride +
      KR_PLAN_GRAMS8_RISK;
  return choice;
}

/*
 * Share of a text's bytes that are anchors. Of `letters` letters, r are anchors
 * when each needle has one of the r rarest among its places; the rare half of a
 * log's letters is far less than half of its bytes.
 */
static double kr_plan_density(uint32_t n, uint32_t n_places) {
  const unsigned letters = 64;
  double share = 0, missed = n;
  for (unsigned r = 0; missed >= 1 && r < letters; r++) {
    missed = n;
    for (uint32_t i = 0; i < n_places; i++)
      missed *= 1 - share;
    share = (r + 1) / (double)letters;
  }
  return 0.03 + share * share * share;
}

static kr_search_choice kr_plan_anchors(uint32_t n, uint32_t min_len, kr_cpu_level level) {
  kr_search_choice choice = {.tier = KR_SEARCH_ANCHORS, .gram_len = 8, .n_bytes = 1, .stride = 1};
  static const double each[] = {
      [KR_CPU_SCALAR] = 1.0, [KR_CPU_SSSE3] = 0.1, [KR_CPU_AVX2] = 0.06, [KR_CPU_AVX512] = 0.03};
  choice.filter_log = kr_search_log(n);
  if (choice.filter_log > 16)
    choice.filter_log--;
  double bytes = (double)(8ull << choice.filter_log);
  double load = (double)n / (double)(1ull << choice.filter_log);
  double rate = (load + load * load) / 1024;
  uint32_t n_places = (min_len < 40 ? min_len : 40) - 7;
  double probe = kr_plan_access(bytes, 1.2, 1.8, 3.0) + rate * kr_plan_candidate(n);
  choice.cost = each[level] + kr_plan_density(n, n_places) * probe;
  return choice;
}

static kr_search_choice kr_plan_grams4(uint32_t n, uint32_t min_len, kr_cpu_level level) {
  kr_search_choice choice = {.tier = KR_SEARCH_GRAMS4, .gram_len = min_len < 4 ? 3 : 4};
  uint32_t places = min_len - choice.gram_len + 1;
  choice.stride = places < 4 ? places : 4;
  uint64_t n_grams = (uint64_t)n * choice.stride;
  choice.filter_log = kr_search_log(n_grams * 2);
  if (choice.filter_log < 5)
    choice.filter_log = 5;
  while (choice.filter_log > 17)
    choice.filter_log--;
  double bytes = (double)(4ull << choice.filter_log);
  double load = (double)n_grams / (double)(1ull << choice.filter_log);
  /* Chance, and grams that needles and text have in common. */
  double rate = (load + load * load) / 256 + (double)n_grams / 4e6;
  double probe = level >= KR_CPU_AVX2 ? kr_plan_access(bytes, 0.4, 0.7, 2.0)
                                      : kr_plan_access(bytes, 1.3, 1.8, 4.0);
  choice.cost = (probe + rate * kr_plan_candidate(n_grams)) / choice.stride + 0.01;
  return choice;
}

static kr_search_choice kr_plan_shuffle(uint32_t n, uint32_t min_len, uint8_t n_bytes,
                                        kr_cpu_level level) {
  kr_search_choice choice = {
      .tier = KR_SEARCH_SHUFFLE, .gram_len = min_len < 4 ? 3 : 4, .n_bytes = n_bytes, .stride = 1};
  static const double each[] = {[KR_CPU_SCALAR] = 0.35,
                                [KR_CPU_SSSE3] = 0.04,
                                [KR_CPU_AVX2] = 0.02,
                                [KR_CPU_AVX512] = 0.0075};
  /* How likely is a byte of the text one of those that a bucket has in this place? */
  uint32_t in_fullest = (n + KR_SEARCH_BUCKETS - 1) / KR_SEARCH_BUCKETS;
  double in_bucket = in_fullest;
  double share = in_bucket / (in_bucket + (level == KR_CPU_AVX512 ? 50 : 20));
  double rate = n < KR_SEARCH_BUCKETS ? n : KR_SEARCH_BUCKETS;
  for (unsigned i = 0; i < n_bytes; i++)
    rate *= share;
  choice.cost = each[level] * n_bytes + rate * 15;
  return choice;
}

static kr_search_choice kr_plan_cheapest(uint32_t n, uint32_t min_len, kr_cpu_level level) {
  static const uint8_t widths[] = {2, 3, 4, 6};
  kr_search_choice best = kr_plan_grams4(n, min_len, level);
  for (size_t i = 0; i < sizeof widths && widths[i] <= min_len; i++) {
    kr_search_choice shuffle = kr_plan_shuffle(n, min_len, widths[i], level);
    if (shuffle.cost < best.cost)
      best = shuffle;
  }
  if (min_len < 8)
    return best;
  kr_search_choice grams8 = kr_plan_grams8(n, min_len);
  best = grams8.cost < best.cost ? grams8 : best;
  if (n < KR_PLAN_ANCHORS)
    return best;
  kr_search_choice anchors = kr_plan_anchors(n, min_len, level);
  return anchors.cost < best.cost ? anchors : best;
}

static kr_search_choice kr_plan_range(const uint32_t *count, uint32_t min_len, uint32_t max_len,
                                      uint32_t n, kr_cpu_level level) {
  while (count[min_len] == 0)
    min_len++;
  kr_search_choice choice = kr_plan_cheapest(n, min_len, level);
  choice.min_len = min_len;
  choice.max_len = max_len;
  choice.n_needles = n;
  return choice;
}

/* The best cut of one choice into two; false when none is cheaper. */
static bool kr_plan_cut(const uint32_t *count, const kr_search_choice *whole, kr_cpu_level level,
                        kr_search_choice *ret_short, kr_search_choice *ret_long) {
  double best = whole->cost;
  uint32_t n_short = 0;
  for (uint32_t len = whole->min_len; len < whole->max_len; len++) {
    n_short += count[len];
    if (count[len] == 0 || n_short == whole->n_needles)
      continue;
    kr_search_choice longer =
        kr_plan_range(count, len + 1, whole->max_len, whole->n_needles - n_short, level);
    if (longer.cost >= best)
      continue;
    kr_search_choice shorter = kr_plan_range(count, whole->min_len, len, n_short, level);
    if (shorter.cost + longer.cost >= best)
      continue;
    best = shorter.cost + longer.cost;
    *ret_short = shorter;
    *ret_long = longer;
  }
  return best < whole->cost;
}

void kr_search_outline_choose(const uint32_t *count, uint32_t min_len, uint32_t max_len,
                              kr_cpu_level level, kr_search_outline *ret_outline) {
  uint32_t n = 0;
  for (uint32_t len = min_len; len <= max_len; len++)
    n += count[len];
  kr_search_choice *choices = ret_outline->choices;
  choices[0] = kr_plan_range(count, min_len, max_len, n, level);
  uint32_t n_choices = 1;
  for (uint32_t i = 0; i < n_choices && n_choices < KR_SEARCH_PASSES;) {
    kr_search_choice shorter, longer;
    if (!kr_plan_cut(count, &choices[i], level, &shorter, &longer)) {
      i++;
      continue;
    }
    choices[i] = shorter;
    choices[n_choices++] = longer;
  }
  ret_outline->n_choices = n_choices;
}
