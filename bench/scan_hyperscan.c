/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_hyperscan.c - Hyperscan (libhs) as its manual advises for this job: the
 * compiler for literals, block mode, no starts of matches, every match told,
 * the database made for this machine's instruction sets.
 */
#include "scan_engines.h"

#include <hs/hs.h>
#include <stdlib.h>

typedef struct kr_hyperscan {
  hs_database_t *database;
  hs_scratch_t *scratch;
} kr_hyperscan;

static void kr_hyperscan_free(void *ctx) {
  kr_hyperscan *state = ctx;
  hs_free_scratch(state->scratch);
  hs_free_database(state->database);
  free(state);
}

static void *kr_hyperscan_build(const kr_needles *needles) {
  size_t n = needles->n;
  kr_hyperscan *state = calloc(1, sizeof *state);
  const char **texts = calloc(n, sizeof *texts);
  size_t *lens = calloc(n, sizeof *lens);
  unsigned *flags = calloc(n, sizeof *flags);
  unsigned *ids = calloc(n, sizeof *ids);
  if (state == NULL || texts == NULL || lens == NULL || flags == NULL || ids == NULL)
    kr_bench_die("hyperscan", "out of memory");
  for (size_t i = 0; i < n; i++) {
    texts[i] = (const char *)needles->list[i].ptr;
    lens[i] = needles->list[i].len;
    ids[i] = (unsigned)i;
  }
  hs_compile_error_t *fault = NULL;
  if (hs_compile_lit_multi(texts, flags, ids, lens, (unsigned)n, HS_MODE_BLOCK, NULL,
                           &state->database, &fault) != HS_SUCCESS)
    kr_bench_die("hyperscan", fault == NULL ? "not compiled" : fault->message);
  if (hs_alloc_scratch(state->database, &state->scratch) != HS_SUCCESS)
    kr_bench_die("hyperscan", "no scratch");
  free(texts);
  free(lens);
  free(flags);
  free(ids);
  return state;
}

static int kr_hyperscan_found(unsigned id, unsigned long long from, unsigned long long to,
                              unsigned flags, void *ctx) {
  (void)id;
  (void)from;
  (void)to;
  (void)flags;
  ++*(size_t *)ctx;
  return 0;
}

static size_t kr_hyperscan_count(void *ctx, kr_str text) {
  const kr_hyperscan *state = ctx;
  size_t n_found = 0;
  if (hs_scan(state->database, (const char *)text.ptr, (unsigned)text.len, 0, state->scratch,
              kr_hyperscan_found, &n_found) != HS_SUCCESS)
    kr_bench_die("hyperscan", "the scan failed");
  return n_found;
}

static size_t kr_hyperscan_memory(const void *ctx) {
  const kr_hyperscan *state = ctx;
  size_t database_bytes = 0;
  size_t scratch_bytes = 0;
  if (hs_database_size(state->database, &database_bytes) != HS_SUCCESS ||
      hs_scratch_size(state->scratch, &scratch_bytes) != HS_SUCCESS)
    kr_bench_die("hyperscan", "its size is not known");
  return database_bytes + scratch_bytes;
}

const kr_scan_engine kr_scan_hyperscan = {"hyperscan", kr_hyperscan_build, kr_hyperscan_free,
                                          kr_hyperscan_count, kr_hyperscan_memory};
