/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_krosyn.c - the search of src/redact as a whole: filters first, and the
 * compact automaton for the bytes in which they find too much. The automaton is
 * made when a text first needs it, as in the product.
 */
#include "redact/automaton.h"
#include "redact/search.h"
#include "scan_engines.h"

#include <stdlib.h>

typedef struct kr_scan_state {
  kr_search *search;
  kr_redact_automaton *automaton; /* NULL: not needed yet */
  const kr_needles *needles;      /* borrowed */
  size_t n_found;
} kr_scan_state;

static kr_scan_state *kr_scan_state_new(const kr_needles *needles) {
  kr_scan_state *state = calloc(1, sizeof *state);
  if (state == NULL)
    kr_bench_die("krosyn", "out of memory");
  state->needles = needles;
  return state;
}

static void kr_scan_free(void *ctx) {
  kr_scan_state *state = ctx;
  kr_search_free(state->search);
  kr_redact_automaton_free(state->automaton);
  free(state);
}

static void kr_scan_need_automaton(kr_scan_state *state) {
  if (state->automaton != NULL)
    return;
  size_t n = state->needles->n;
  kr_redact_pattern *patterns = calloc(n, sizeof *patterns);
  if (patterns == NULL)
    kr_bench_die("automaton", "out of memory");
  for (size_t i = 0; i < n; i++)
    patterns[i] = (kr_redact_pattern){.bytes = state->needles->list[i], .value = (uint32_t)i};
  if (kr_redact_automaton_build(patterns, n, &state->automaton) != KR_OK)
    kr_bench_die("automaton", "not built");
  free(patterns);
}

/* Occurrences that start in [from, to) of the text, all of which the automaton may read. */
static size_t kr_scan_range(const kr_redact_automaton *a, kr_str text, size_t from, size_t to) {
  size_t n_found = 0;
  uint32_t node = 0;
  for (size_t pos = from; pos < text.len; pos++) {
    node = kr_redact_step(a, node, text.ptr[pos]);
    for (uint32_t t = a->outs[node]; t != 0; t = a->terminals[t].next)
      if (pos + 1 - a->terminals[t].len < to)
        n_found += a->terminals[t].count;
    if (pos + 1 - a->depth[node] >= to)
      break;
  }
  return n_found;
}

static void kr_scan_visit(void *ctx, uint32_t needle, size_t start) {
  kr_scan_state *state = ctx;
  (void)needle;
  (void)start;
  state->n_found++;
}

static void *kr_scan_krosyn_build(const kr_needles *needles) {
  const kr_search_options options = {.cpu = KR_CPU_BEST};
  kr_scan_state *state = kr_scan_state_new(needles);
  if (kr_search_build(needles->list, needles->n, &options, &state->search) != KR_OK)
    kr_bench_die("krosyn", "the search was not built");
  return state;
}

static size_t kr_scan_krosyn_count(void *ctx, kr_str text) {
  kr_scan_state *state = ctx;
  state->n_found = 0;
  size_t at = 0;
  for (;;) {
    at = kr_search_each(state->search, text, at, kr_scan_visit, state);
    if (at >= text.len)
      return state->n_found;
    size_t dense_end =
        text.len - at < KR_SEARCH_DENSE_BYTES ? text.len : at + KR_SEARCH_DENSE_BYTES;
    kr_scan_need_automaton(state);
    state->n_found += kr_scan_range(state->automaton, text, at, dense_end);
    at = dense_end;
  }
}

static size_t kr_scan_krosyn_memory(const void *ctx) {
  const kr_scan_state *state = ctx;
  return kr_search_memory(state->search);
}

const char *kr_scan_krosyn_plan(const void *ctx) {
  const kr_scan_state *state = ctx;
  return kr_search_plan(state->search);
}

const kr_scan_engine kr_scan_krosyn = {"krosyn", kr_scan_krosyn_build, kr_scan_free,
                                       kr_scan_krosyn_count, kr_scan_krosyn_memory};

static void *kr_scan_automaton_build(const kr_needles *needles) {
  kr_scan_state *state = kr_scan_state_new(needles);
  kr_scan_need_automaton(state);
  return state;
}

static size_t kr_scan_automaton_count(void *ctx, kr_str text) {
  const kr_scan_state *state = ctx;
  return kr_scan_range(state->automaton, text, 0, text.len);
}

static size_t kr_scan_automaton_memory(const void *ctx) {
  const kr_scan_state *state = ctx;
  return state->automaton->block_len;
}

const kr_scan_engine kr_scan_automaton = {"automaton", kr_scan_automaton_build, kr_scan_free,
                                          kr_scan_automaton_count, kr_scan_automaton_memory};
