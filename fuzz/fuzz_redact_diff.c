/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_redact_diff.c - every way of reading a text gives the same: skipping, at
 * each level of the processor, anew and with a thread's scratch, as reading every
 * byte exactly; and that, on short texts, what the naive reference gives. What is
 * left holds nothing that the second search finds. Where there are more readings
 * than are followed, nothing may be shown that must go. Or, half of the time:
 * kr_search_each at each level finds what nested loops find.
 *
 * Input: redact_case.h; choice[0]: bit 0 search, bit 1 names in markers or folded
 * search, bit 2 spans, bit 3 values of 1 to 3 bytes.
 */
#include "redact_case.h"

#include "redact/search.h"

#define NEEDLES (3u * KR_FUZZ_VALUES)
#define SEARCHED_BYTES 20000u /* more than two blocks; nested loops are slow */
#define FOUND_MAX (NEEDLES * SEARCHED_BYTES)

/* ---- search ---- */

typedef struct kr_fuzz_found {
  const kr_str *needles;
  kr_str text;
  uint8_t fold;
  size_t n[NEEDLES];
  uint8_t is_at[NEEDLES][SEARCHED_BYTES];
} kr_fuzz_found;

static bool kr_fuzz_occurs(const kr_fuzz_found *found, size_t needle, size_t start) {
  kr_str bytes = found->needles[needle];
  if (bytes.len > found->text.len - start)
    return false;
  for (size_t i = 0; i < bytes.len; i++)
    if ((bytes.ptr[i] | found->fold) != (found->text.ptr[start + i] | found->fold))
      return false;
  return true;
}

static void kr_fuzz_visit(void *ctx, uint32_t needle, size_t start) {
  kr_fuzz_found *found = ctx;
  KR_FUZZ_MUST(needle < NEEDLES && start < found->text.len);
  KR_FUZZ_MUST(!found->is_at[needle][start]); /* each once */
  found->is_at[needle][start] = true;
}

static void kr_fuzz_search(const kr_str *needles, size_t n, kr_str text, bool is_folded,
                           kr_cpu_level level) {
  static kr_fuzz_found found;
  KR_CLEANUP(kr_search_freep) kr_search *search = NULL;
  const kr_search_options options = {.fold_bit5 = is_folded, .cpu = level};
  KR_FUZZ_MUST(kr_search_build(needles, n, &options, &search) == KR_OK);
  found.needles = needles;
  found.text = text;
  found.fold = is_folded ? 0x20 : 0;
  memset(found.is_at, false, sizeof(found.is_at));
  for (size_t from = 0; from < text.len;) {
    size_t to = kr_search_each(search, text, from, kr_fuzz_visit, &found);
    KR_FUZZ_MUST(to >= from && to <= text.len);
    for (size_t i = 0; i < n; i++)
      for (size_t start = from; start < to; start++)
        KR_FUZZ_MUST(found.is_at[i][start] == kr_fuzz_occurs(&found, i, start));
    for (size_t i = 0; i < n; i++)
      for (size_t start = to; start < text.len; start++)
        KR_FUZZ_MUST(!found.is_at[i][start]);
    from = to + KR_SEARCH_DENSE_BYTES;
  }
}

/* The values, their heads and their tails. */
static void kr_fuzz_search_levels(const kr_fuzz_case *c) {
  kr_str needles[NEEDLES];
  size_t n = 0;
  for (size_t i = 0; i < c->n_values; i++) {
    kr_str value = kr_str_from(c->values[i].ptr, c->values[i].len);
    if (value.len < KR_SEARCH_MIN_BYTES)
      continue;
    needles[n++] = value;
    if ((c->choice[1] >> i & 1) == 0)
      continue;
    needles[n++] = kr_str_slice(value, 0, KR_SEARCH_MIN_BYTES + i);
    needles[n++] =
        kr_str_skip(value, value.len - KR_SEARCH_MIN_BYTES - (value.len > 8 ? i % 4 : 0));
  }
  kr_str text = kr_fuzz_exact(kr_str_slice(kr_buf_str(&c->text), 0, SEARCHED_BYTES));
  for (int level = KR_CPU_SCALAR; level <= (int)kr_fuzz_best_level(); level++)
    kr_fuzz_search(needles, n, text, (c->choice[0] & 2) != 0, (kr_cpu_level)level);
  kr_fuzz_exact_free(text);
}

/* ---- redaction ---- */

static bool kr_fuzz_is_clean(const kr_redact_set *set, kr_str output) {
  size_t from = 0;
  size_t marker = kr_str_find(output, KR_STR(KR_REDACT_MARKER), 0);
  while (marker != SIZE_MAX) {
    if (!kr_redact_verify(set, kr_str_slice(output, from, marker)))
      return false;
    from = marker + sizeof(KR_REDACT_MARKER) - 1;
    marker = kr_str_find(output, KR_STR(KR_REDACT_MARKER), from);
  }
  return kr_redact_verify(set, kr_str_skip(output, from));
}

typedef struct kr_fuzz_run {
  const kr_fuzz_case *c;
  kr_redact_options options;
  uint32_t min_search;
  kr_str text;
  kr_fuzz_shot exact;
  kr_redact_scratch *scratch;
  bool has_reference;
  bool is_covered[KR_FUZZ_TEXT_BYTES];
} kr_fuzz_run;

/* A shot that gave up may remove more; it must not show more. */
static void kr_fuzz_check_shown(const kr_fuzz_run *run, const kr_fuzz_shot *shot) {
  for (size_t i = 0; run->has_reference && i < run->text.len; i++)
    KR_FUZZ_MUST(!run->is_covered[i] || !shot->is_shown[i]);
}

static void kr_fuzz_check_exact(kr_fuzz_run *run, kr_redact_set *set) {
  const kr_fuzz_case *c = run->c;
  bool is_exact = false;
  set->sieve.is_blind = true; /* every byte is read */
  kr_fuzz_shoot(set, run->text, c, (c->choice[0] & 4) != 0, &run->options, &run->exact);
  run->has_reference =
      kr_fuzz_reference(c, set, c->n_values, run->text, run->is_covered, &is_exact);
  kr_fuzz_check_shown(run, &run->exact);
  is_exact = is_exact && run->min_search == 0 && !run->exact.gave_up;
  for (size_t i = 0; is_exact && (c->choice[0] & 4) == 0 && i < run->text.len; i++)
    KR_FUZZ_MUST(run->is_covered[i] == !run->exact.is_shown[i]);
  if (!run->options.use_marker_names)
    KR_FUZZ_MUST(kr_fuzz_is_clean(set, kr_buf_str(&run->exact.out)));
}

/* The same by the scratch, which has seen the text of another level, or of none. */
static void kr_fuzz_check_scratch(const kr_fuzz_run *run, const kr_redact_set *set,
                                  const kr_fuzz_shot *shot) {
  const kr_fuzz_case *c = run->c;
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(KR_FUZZ_OUT_BYTES, NULL);
  kr_redact_report report = {0};
  bool is_unchanged = false;
  KR_FUZZ_MUST(kr_redact_with(run->scratch, set, run->text, c->spans,
                              (c->choice[0] & 4) != 0 ? c->n_spans : 0, &run->options, &out,
                              &report, &is_unchanged) == KR_OK);
  KR_FUZZ_MUST(!is_unchanged || out.len == 0);
  KR_FUZZ_MUST(is_unchanged == (shot->report.n_runs == 0));
  KR_FUZZ_MUST(kr_str_equal(is_unchanged ? run->text : kr_buf_str(&out), kr_buf_str(&shot->out)));
  KR_FUZZ_MUST(kr_fuzz_same_report(&report, &shot->report));
  kr_redact_report_done(&report);
}

/* The sieve anew: its search is of the level; the automata, which are of none, stay. */
static void kr_fuzz_check_level(const kr_fuzz_run *run, kr_redact_set *set, kr_cpu_level level) {
  static kr_fuzz_shot shot;
  const kr_fuzz_case *c = run->c;
  const kr_redact_patterns *patterns = &set->patterns;
  kr_fuzz_use_level(level);
  kr_sieve_done(&set->sieve);
  KR_FUZZ_MUST(kr_sieve_init(&set->sieve, kr_redact_patterns_at(&patterns->forms),
                             kr_redact_n_patterns(&patterns->forms),
                             kr_redact_patterns_at(&patterns->hex),
                             kr_redact_n_patterns(&patterns->hex)) == KR_OK);
  kr_fuzz_shoot(set, run->text, c, (c->choice[0] & 4) != 0, &run->options, &shot);
  kr_fuzz_check_shown(run, &shot);
  if (!shot.gave_up && !run->exact.gave_up) {
    KR_FUZZ_MUST(kr_str_equal(kr_buf_str(&shot.out), kr_buf_str(&run->exact.out)));
    KR_FUZZ_MUST(kr_fuzz_same_report(&shot.report, &run->exact.report));
  }
  kr_fuzz_check_scratch(run, set, &shot);
  kr_fuzz_shot_done(&shot);
}

static void kr_fuzz_redact_levels(const kr_fuzz_case *c) {
  static kr_fuzz_run run;
  run.c = c;
  run.options.use_marker_names = (c->choice[0] & 2) != 0;
  run.min_search = (c->choice[0] & 8) != 0 ? 1 : 0;
  run.text = kr_fuzz_exact(kr_buf_str(&c->text));
  kr_fuzz_use_level(KR_CPU_SCALAR);
  kr_redact_set *set = kr_fuzz_set(c, c->n_values, run.min_search);
  kr_fuzz_check_exact(&run, set);
  KR_FUZZ_MUST(kr_redact_scratch_new(&run.scratch) == KR_OK);
  for (int level = KR_CPU_SCALAR; level <= (int)kr_fuzz_best_level(); level++)
    kr_fuzz_check_level(&run, set, (kr_cpu_level)level);
  kr_fuzz_use_level(KR_CPU_BEST);
  kr_redact_scratch_free(run.scratch);
  kr_redact_set_free(set);
  kr_fuzz_shot_done(&run.exact);
  kr_fuzz_exact_free(run.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  kr_fuzz_case c;
  kr_fuzz_case_read(data, size, &c);
  if ((c.choice[0] & 1) != 0)
    kr_fuzz_search_levels(&c);
  else
    kr_fuzz_redact_levels(&c);
  kr_fuzz_case_done(&c);
  return 0;
}
