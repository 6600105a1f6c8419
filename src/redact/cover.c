/* SPDX-License-Identifier: Apache-2.0 */
/* cover.c - a sorted array of disjoint runs; matches arrive almost in order. */
#include "redact/cover.h"

#include <stdlib.h>
#include <string.h>

#define KR_REDACT_FIRST_RUNS 16u

void kr_redact_cover_done(kr_redact_cover *cover) {
  free(cover->runs);
  *cover = (kr_redact_cover){0};
}

static kr_status kr_redact_cover_grow(kr_redact_cover *cover) {
  if (cover->n_runs < cover->cap_runs)
    return KR_OK;
  size_t cap = cover->cap_runs == 0 ? KR_REDACT_FIRST_RUNS : cover->cap_runs * 2;
  kr_redact_run *runs = realloc(cover->runs, cap * sizeof(*runs));
  if (runs == NULL)
    return KR_NOMEM;
  cover->runs = runs;
  cover->cap_runs = cap;
  return KR_OK;
}

static kr_redact_run kr_redact_run_union(kr_redact_run a, kr_redact_run b) {
  bool is_a_first = a.start < b.start || (a.start == b.start && a.value <= b.value);
  kr_redact_run merged = is_a_first ? a : b;
  merged.end = a.end > b.end ? a.end : b.end;
  return merged;
}

kr_status kr_redact_cover_add(kr_redact_cover *cover, kr_redact_run run) {
  size_t to = cover->n_runs; /* runs [from, to) melt into the new one */
  while (to > 0 && cover->runs[to - 1].start > run.end)
    to--;
  size_t from = to;
  while (from > 0 && cover->runs[from - 1].end >= run.start) {
    run = kr_redact_run_union(cover->runs[from - 1], run);
    from--;
  }
  if (from == to)
    KR_TRY(kr_redact_cover_grow(cover));
  size_t n_after = cover->n_runs - to;
  if (n_after > 0 && to != from + 1)
    memmove(&cover->runs[from + 1], &cover->runs[to], n_after * sizeof(run));
  cover->runs[from] = run;
  cover->n_runs = from + 1 + n_after;
  return KR_OK;
}

void kr_redact_cover_drop(kr_redact_cover *cover, size_t n_runs) {
  cover->n_runs -= n_runs;
  if (n_runs > 0 && cover->n_runs > 0)
    memmove(cover->runs, cover->runs + n_runs, cover->n_runs * sizeof(*cover->runs));
}
