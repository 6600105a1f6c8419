/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_krosyn.c - the search of src/redact as a whole: filters first, and the
 * compact automaton for the bytes in which they find too much. The automaton is
 * made when a text first needs it, as in the product.
 */
#include "redact/dense.h"
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

static const kr_redact_automaton *kr_scan_need(void *ctx) {
  kr_scan_state *state = ctx;
  kr_scan_need_automaton(state);
  return state->automaton;
}

static size_t kr_scan_krosyn_count(void *ctx, kr_str text) {
  kr_scan_state *state = ctx;
  state->n_found = 0;
  if (kr_dense_each(state->search, kr_scan_need, text, 0, kr_scan_visit, state, NULL) != KR_OK)
    kr_bench_die("krosyn", "the search failed");
  return state->n_found;
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
  kr_scan_state *state = ctx;
  state->n_found = 0;
  kr_dense_read(state->automaton, text, 0, text.len, kr_scan_visit, state);
  return state->n_found;
}

static size_t kr_scan_automaton_memory(const void *ctx) {
  const kr_scan_state *state = ctx;
  return state->automaton->block_len;
}

const kr_scan_engine kr_scan_automaton = {"automaton", kr_scan_automaton_build, kr_scan_free,
                                          kr_scan_automaton_count, kr_scan_automaton_memory};
