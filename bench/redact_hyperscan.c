/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact_hyperscan.c - see redact_hyperscan.h. Starts of matches are not asked
 * of Hyperscan, which would cost it much: a literal's length tells them.
 */
#include "redact_hyperscan.h"

#include "bench.h"
#include "corpus_random.h"

#include <hs/hs.h>
#include <stdlib.h>

#define MARKER "[REDACTED]"
#define RUNS_MAX 65536u /* of one text; more are no case of ours */

typedef struct kr_hyperscan_run {
  size_t start;
  size_t end;
} kr_hyperscan_run;

struct kr_hyperscan_redactor {
  hs_database_t *database;
  hs_scratch_t *scratch;
  size_t *lens; /* of the spellings */
  kr_hyperscan_run *runs;
  size_t n_runs;
};

kr_hyperscan_redactor *kr_hyperscan_redactor_new(const kr_needles *spellings, bool is_stream) {
  size_t n = spellings->n;
  kr_hyperscan_redactor *redactor = calloc(1, sizeof *redactor);
  const char **texts = calloc(n, sizeof *texts);
  unsigned *flags = calloc(n, sizeof *flags);
  unsigned *ids = calloc(n, sizeof *ids);
  if (redactor == NULL || texts == NULL || flags == NULL || ids == NULL)
    kr_bench_die("hyperscan", "out of memory");
  redactor->lens = calloc(n, sizeof(size_t));
  redactor->runs = calloc(RUNS_MAX, sizeof(kr_hyperscan_run));
  if (redactor->lens == NULL || redactor->runs == NULL)
    kr_bench_die("hyperscan", "out of memory");
  for (size_t i = 0; i < n; i++) {
    texts[i] = (const char *)spellings->list[i].ptr;
    redactor->lens[i] = spellings->list[i].len;
    ids[i] = (unsigned)i;
  }
  hs_compile_error_t *fault = NULL;
  if (hs_compile_lit_multi(texts, flags, ids, redactor->lens, (unsigned)n,
                           is_stream ? HS_MODE_STREAM : HS_MODE_BLOCK, NULL, &redactor->database,
                           &fault) != HS_SUCCESS)
    kr_bench_die("hyperscan", fault == NULL ? "not compiled" : fault->message);
  if (hs_alloc_scratch(redactor->database, &redactor->scratch) != HS_SUCCESS)
    kr_bench_die("hyperscan", "no scratch");
  free(texts);
  free(flags);
  free(ids);
  return redactor;
}

void kr_hyperscan_redactor_free(kr_hyperscan_redactor *redactor) {
  if (redactor == NULL)
    return;
  hs_free_scratch(redactor->scratch);
  hs_free_database(redactor->database);
  free(redactor->lens);
  free(redactor->runs);
  free(redactor);
}

/* Ends come in order; a match that reaches back over earlier runs, or touches them, joins them. */
static int kr_hyperscan_found(unsigned id, unsigned long long from, unsigned long long to,
                              unsigned flags, void *ctx) {
  kr_hyperscan_redactor *redactor = ctx;
  (void)from; /* not told: see the head of this file */
  (void)flags;
  kr_hyperscan_run run = {(size_t)to - redactor->lens[id], (size_t)to};
  size_t n_runs = redactor->n_runs;
  while (n_runs > 0 && redactor->runs[n_runs - 1].end >= run.start) {
    n_runs--;
    if (redactor->runs[n_runs].start < run.start)
      run.start = redactor->runs[n_runs].start;
  }
  if (n_runs == RUNS_MAX)
    return 1;
  redactor->runs[n_runs] = run;
  redactor->n_runs = n_runs + 1;
  return 0;
}

size_t kr_hyperscan_redactor_run(kr_hyperscan_redactor *redactor, kr_str text, bool must_write,
                                 kr_buf *out) {
  redactor->n_runs = 0;
  if (hs_scan(redactor->database, (const char *)text.ptr, (unsigned)text.len, 0, redactor->scratch,
              kr_hyperscan_found, redactor) != HS_SUCCESS)
    kr_bench_die("hyperscan", "the scan failed");
  if (redactor->n_runs == 0 && !must_write)
    return 0;
  size_t written = 0;
  for (size_t i = 0; i < redactor->n_runs; i++) {
    kr_corpus_try(kr_buf_append(out, kr_str_slice(text, written, redactor->runs[i].start)));
    kr_corpus_try(kr_buf_append(out, KR_STR(MARKER)));
    written = redactor->runs[i].end;
  }
  kr_corpus_try(kr_buf_append(out, kr_str_skip(text, written)));
  return redactor->n_runs;
}

void kr_hyperscan_redactor_stream(kr_hyperscan_redactor *redactor, kr_str text, size_t chunk_bytes,
                                  kr_buf *out) {
  hs_stream_t *stream = NULL;
  redactor->n_runs = 0;
  if (hs_open_stream(redactor->database, 0, &stream) != HS_SUCCESS)
    kr_bench_die("hyperscan", "no stream");
  for (size_t at = 0; at < text.len; at += chunk_bytes) {
    kr_str chunk = kr_str_slice(text, at, at + chunk_bytes);
    if (hs_scan_stream(stream, (const char *)chunk.ptr, (unsigned)chunk.len, 0, redactor->scratch,
                       kr_hyperscan_found, redactor) != HS_SUCCESS)
      kr_bench_die("hyperscan", "the scan failed");
    kr_corpus_try(kr_buf_append(out, chunk));
  }
  if (hs_close_stream(stream, redactor->scratch, kr_hyperscan_found, redactor) != HS_SUCCESS)
    kr_bench_die("hyperscan", "the stream does not end");
}

size_t kr_hyperscan_redactor_memory(const kr_hyperscan_redactor *redactor) {
  size_t database_bytes = 0;
  size_t scratch_bytes = 0;
  if (hs_database_size(redactor->database, &database_bytes) != HS_SUCCESS ||
      hs_scratch_size(redactor->scratch, &scratch_bytes) != HS_SUCCESS)
    kr_bench_die("hyperscan", "its size is not known");
  return database_bytes + scratch_bytes;
}
