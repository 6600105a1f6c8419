/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_redact.c - track B: redacting, all forms and all readings of all values
 * on, against Hyperscan given eight listed spellings of each value (which finds
 * no other: no text half escaped, no base64 with something before it). memchr
 * and memcpy of the same bytes show what the machine can do.
 *
 *   secrets-N, ...   scan; write the redacted text, unless nothing was found
 *   copy-N           the same, but the output is written in any case
 */
#define _GNU_SOURCE
#include "bench.h"
#include "corpus.h"
#include "corpus_random.h"
#include "redact/redact.h"
#include "redact_hyperscan.h"
#include "secmem/sensitive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MB (1024u * 1024u)
#define CACHE_BYTES MB
#define MEMORY_BYTES (64u * MB)
#define RARE_BYTES (4u * MB)
#define HIT_EVERY_BYTES (10u * 1024u)
#define CHUNK_BYTES 4096u
#define MEMORY_SETS 64u

typedef struct kr_redact_job {
  kr_redact_set *set;
  kr_hyperscan_redactor *peer;
  const kr_needles *values;
  kr_needles spellings;
  kr_corpus corpus;
  bool is_by_line;
  bool must_write;
  kr_buf out;
  uint8_t *copy;
} kr_redact_job;

/* krosyn: the calls that are measured, each in one function. */

static kr_redact_set *kr_bench_make_set(const kr_needles *values) {
  kr_error error = {0};
  kr_redact_set *set = NULL;
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  if (kr_redact_builder_new(&builder, &error) != KR_OK)
    kr_bench_die("redact builder", error.message);
  for (size_t i = 0; i < values->n; i++) {
    char name[32];
    snprintf(name, sizeof name, "SECRET_%zu", i);
    if (kr_redact_builder_add(builder, kr_str_cstr(name), 1, values->list[i], &error) != KR_OK)
      kr_bench_die("redact builder", error.message);
  }
  if (kr_redact_builder_build(builder, &set, &error) != KR_OK)
    kr_bench_die("redact set", error.message);
  return set;
}

/** Redact one text into out; out may stay empty for a clean one unless must_write. */
static void kr_bench_redact(const kr_redact_set *set, kr_str text, bool must_write, kr_buf *out,
                            kr_redact_report *report) {
  static kr_redact_scratch *scratch; /* of this thread, for all texts */
  bool is_unchanged = false;
  if ((scratch == NULL && kr_redact_scratch_new(&scratch) != KR_OK) ||
      kr_redact_with(scratch, set, text, NULL, 0, NULL, out, report, &is_unchanged) != KR_OK ||
      (is_unchanged && must_write && kr_buf_append(out, text) != KR_OK))
    kr_bench_die("redact", "the redactor failed");
}

static kr_status kr_bench_write(void *ctx, kr_str bytes) { return kr_buf_append(ctx, bytes); }

static void kr_bench_redact_stream(kr_redact_set *set, kr_str text, size_t chunk_bytes,
                                   kr_buf *out) {
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  if (kr_redact_stream_new(set, NULL, kr_bench_write, out, &stream, NULL) != KR_OK)
    kr_bench_die("redact", "no stream");
  for (size_t at = 0; at < text.len; at += chunk_bytes)
    if (kr_redact_stream_feed(stream, kr_str_slice(text, at, at + chunk_bytes)) != KR_OK)
      kr_bench_die("redact", "the stream failed");
  if (kr_redact_stream_finish(stream) != KR_OK)
    kr_bench_die("redact", "the stream failed");
}

/* The engines. */

typedef void (*kr_bench_one_text)(kr_redact_job *job, kr_str text);

static void kr_bench_each_text(kr_redact_job *job, kr_bench_one_text redact_one) {
  kr_buf_reset(&job->out);
  if (!job->is_by_line) {
    redact_one(job, kr_corpus_text(&job->corpus));
    return;
  }
  for (size_t line = 0; line < job->corpus.n_lines; line++)
    redact_one(job, kr_corpus_line(&job->corpus, line));
}

static void kr_bench_krosyn_one(kr_redact_job *job, kr_str text) {
  kr_bench_redact(job->set, text, job->must_write, &job->out, NULL);
}
static void kr_bench_krosyn(void *ctx) { kr_bench_each_text(ctx, kr_bench_krosyn_one); }

static void kr_bench_krosyn_stream(void *ctx) {
  kr_redact_job *job = ctx;
  kr_buf_reset(&job->out);
  kr_bench_redact_stream(job->set, kr_corpus_text(&job->corpus), CHUNK_BYTES, &job->out);
}

static void kr_bench_krosyn_ready(void *ctx) {
  const kr_redact_job *job = ctx;
  kr_redact_set_free(kr_bench_make_set(job->values));
}

static void kr_bench_memchr_one(kr_redact_job *job, kr_str text) {
  (void)job;
  kr_bench_keep(memchr(text.ptr, 0, text.len));
}
static void kr_bench_memchr(void *ctx) { kr_bench_each_text(ctx, kr_bench_memchr_one); }

static void kr_bench_memcpy_one(kr_redact_job *job, kr_str text) {
  uint8_t *to = job->copy + (text.ptr - job->corpus.bytes);
  memcpy(to, text.ptr, text.len);
  kr_bench_keep(to);
}
static void kr_bench_memcpy(void *ctx) { kr_bench_each_text(ctx, kr_bench_memcpy_one); }

#ifdef KR_BENCH_HAS_HYPERSCAN
static void kr_bench_peer_one(kr_redact_job *job, kr_str text) {
  size_t n_markers = kr_hyperscan_redactor_run(job->peer, text, job->must_write, &job->out);
  kr_bench_keep(&n_markers);
}
static void kr_bench_peer(void *ctx) { kr_bench_each_text(ctx, kr_bench_peer_one); }

static void kr_bench_peer_stream(void *ctx) {
  kr_redact_job *job = ctx;
  kr_buf_reset(&job->out);
  kr_hyperscan_redactor_stream(job->peer, kr_corpus_text(&job->corpus), CHUNK_BYTES, &job->out);
}

static void kr_bench_peer_ready(void *ctx) {
  const kr_redact_job *job = ctx;
  KR_CLEANUP(kr_needles_done) kr_needles spellings = kr_needles_spelled(job->values);
  kr_hyperscan_redactor_free(kr_hyperscan_redactor_new(&spellings, false));
}

/* Both must remove as many runs; where krosyn removes fewer, a spelling is unknown to it. */
static void kr_bench_compare(kr_redact_job *job, const char *name) {
  kr_redact_report report = {0};
  size_t n_peer = 0;
  kr_buf_reset(&job->out);
  size_t n_texts = job->is_by_line ? job->corpus.n_lines : 1;
  for (size_t i = 0; i < n_texts; i++) {
    kr_str text = job->is_by_line ? kr_corpus_line(&job->corpus, i) : kr_corpus_text(&job->corpus);
    kr_bench_redact(job->set, text, true, &job->out, &report);
    n_peer += kr_hyperscan_redactor_run(job->peer, text, false, &job->out);
    kr_buf_reset(&job->out);
  }
  if (report.n_runs != n_peer)
    fprintf(stderr, "bench: %s: krosyn writes %llu markers, hyperscan %zu\n", name,
            (unsigned long long)report.n_runs, n_peer);
  kr_redact_report_done(&report);
}
#endif

static void kr_redact_job_done(kr_redact_job *job) {
#ifdef KR_BENCH_HAS_HYPERSCAN
  kr_hyperscan_redactor_free(job->peer);
#endif
  kr_redact_set_free(job->set);
  kr_needles_done(&job->spellings);
  kr_corpus_done(&job->corpus);
  kr_buf_done(&job->out);
  free(job->copy);
}

typedef enum kr_redact_text { TEXT_LOG, TEXT_NESTED, TEXT_ESCAPES } kr_redact_text;
typedef enum kr_redact_way { WAY_WHOLE, WAY_COPY, WAY_LINES, WAY_STREAM } kr_redact_way;

typedef struct kr_redact_row {
  const char *name;
  size_t n_values;
  bool are_tokens; /* nothing in them that any encoding escapes; else passwords */
  kr_redact_text text;
  size_t text_bytes;
  size_t plant_every_bytes;
  kr_redact_way way;
} kr_redact_row;

static const kr_redact_row kr_rows[] = {
    {"secrets-1", 1, false, TEXT_LOG, CACHE_BYTES, 0, WAY_WHOLE},
    {"secrets-10", 10, false, TEXT_LOG, CACHE_BYTES, 0, WAY_WHOLE},
    {"secrets-20", 20, false, TEXT_LOG, CACHE_BYTES, 0, WAY_WHOLE},
    {"secrets-100", 100, false, TEXT_LOG, CACHE_BYTES, 0, WAY_WHOLE},
    {"tokens-20", 20, true, TEXT_LOG, CACHE_BYTES, 0, WAY_WHOLE},
    {"secrets-10-mem", 10, false, TEXT_LOG, MEMORY_BYTES, 0, WAY_WHOLE},
    {"secrets-20-mem", 20, false, TEXT_LOG, MEMORY_BYTES, 0, WAY_WHOLE},
    {"rare-20-mem", 20, false, TEXT_LOG, MEMORY_BYTES, RARE_BYTES, WAY_WHOLE},
    {"copy-10", 10, false, TEXT_LOG, CACHE_BYTES, 0, WAY_COPY},
    {"copy-20", 20, false, TEXT_LOG, CACHE_BYTES, 0, WAY_COPY},
    {"copy-10-mem", 10, false, TEXT_LOG, MEMORY_BYTES, 0, WAY_COPY},
    {"escapes-20", 20, false, TEXT_ESCAPES, CACHE_BYTES, 0, WAY_WHOLE},
    {"nested-20", 20, false, TEXT_NESTED, CACHE_BYTES, 0, WAY_WHOLE},
    {"records-20", 20, false, TEXT_LOG, CACHE_BYTES, 0, WAY_LINES},
    {"stream4k-20", 20, false, TEXT_LOG, CACHE_BYTES, RARE_BYTES, WAY_STREAM},
    {"hits-20", 20, false, TEXT_LOG, CACHE_BYTES, HIT_EVERY_BYTES, WAY_WHOLE}};

static kr_corpus kr_redact_make_text(const kr_redact_row *row, const kr_needles *spellings) {
  kr_corpus corpus = row->text == TEXT_LOG      ? kr_corpus_log(row->text_bytes)
                     : row->text == TEXT_NESTED ? kr_corpus_log_in_json(row->text_bytes)
                                                : kr_corpus_escapes(row->text_bytes);
  if (row->plant_every_bytes != 0 &&
      kr_corpus_plant(&corpus, spellings, row->plant_every_bytes) == 0)
    kr_bench_die(row->name, "nothing was planted");
  return corpus;
}

static void kr_redact_case(const kr_bench *bench, const kr_redact_row *row) {
  if (!kr_bench_wants(bench, row->name))
    return;
  KR_CLEANUP(kr_needles_done)
  kr_needles values =
      row->are_tokens ? kr_needles_tokens(row->n_values, 32) : kr_needles_passwords(row->n_values);
  KR_CLEANUP(kr_redact_job_done)
  kr_redact_job job = {.set = kr_bench_make_set(&values),
                       .values = &values,
                       .spellings = kr_needles_spelled(&values),
                       .is_by_line = row->way == WAY_LINES,
                       .must_write = row->way == WAY_COPY,
                       .out = KR_BUF_INIT(2 * row->text_bytes + MB, NULL),
                       .copy = malloc(row->text_bytes)};
  job.corpus = kr_redact_make_text(row, &job.spellings);
  if (job.copy == NULL || kr_buf_reserve(&job.out, row->text_bytes + MB) != KR_OK)
    kr_bench_die(row->name, "out of memory");
  bool is_stream = row->way == WAY_STREAM;
  kr_bench_engine engines[4] = {
      {"krosyn", is_stream ? kr_bench_krosyn_stream : kr_bench_krosyn, &job}};
  size_t n_engines = 1;
#ifdef KR_BENCH_HAS_HYPERSCAN
  job.peer = kr_hyperscan_redactor_new(&job.spellings, is_stream);
  if (!is_stream)
    kr_bench_compare(&job, row->name);
  engines[n_engines++] =
      (kr_bench_engine){"hyperscan", is_stream ? kr_bench_peer_stream : kr_bench_peer, &job};
#endif
  engines[n_engines++] = (kr_bench_engine){"memchr", kr_bench_memchr, &job};
  engines[n_engines++] = (kr_bench_engine){"memcpy", kr_bench_memcpy, &job};
  kr_bench_case(bench, row->name, KR_BENCH_GB_PER_S, row->text_bytes, engines, n_engines);
}

/* From values to a set that can be used; of Hyperscan, from values to their spellings and a
 * database. */
static void kr_redact_ready(const kr_bench *bench, const char *name, size_t n_values) {
  KR_CLEANUP(kr_needles_done) kr_needles values = kr_needles_passwords(n_values);
  kr_redact_job job = {.values = &values};
  kr_bench_engine engines[2] = {{"krosyn", kr_bench_krosyn_ready, &job}};
  size_t n_engines = 1;
#ifdef KR_BENCH_HAS_HYPERSCAN
  engines[n_engines++] = (kr_bench_engine){"hyperscan", kr_bench_peer_ready, &job};
#endif
  kr_bench_case(bench, name, KR_BENCH_NS, 0, engines, n_engines);
}

/* Pages of this process that are in memory, in bytes. */
static double kr_redact_resident(void) {
  unsigned long all = 0;
  unsigned long resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%lu %lu", &all, &resident) != 2)
    kr_bench_die("memory", "no /proc/self/statm");
  fclose(file);
  return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

/* By pages, since a set does not tell: many sets at once, after one has shown the heap its way. */
static void kr_redact_memory(const kr_bench *bench, const char *name, size_t n_values) {
  if (!kr_bench_wants(bench, name))
    return;
  KR_CLEANUP(kr_needles_done) kr_needles values = kr_needles_passwords(n_values);
  kr_redact_set *sets[MEMORY_SETS];
  kr_redact_set_free(kr_bench_make_set(&values));
  kr_sensitive_trim(); /* else blocks that wait would be taken, and seem to cost nothing */
  double before = kr_redact_resident();
  for (size_t i = 0; i < MEMORY_SETS; i++)
    sets[i] = kr_bench_make_set(&values);
  double each = (kr_redact_resident() - before) / MEMORY_SETS;
  kr_bench_figure figures[2] = {{"krosyn", each}};
  for (size_t i = 0; i < MEMORY_SETS; i++)
    kr_redact_set_free(sets[i]);
  size_t n_figures = 1;
#ifdef KR_BENCH_HAS_HYPERSCAN
  KR_CLEANUP(kr_needles_done) kr_needles spellings = kr_needles_spelled(&values);
  kr_hyperscan_redactor *peer = kr_hyperscan_redactor_new(&spellings, false);
  figures[n_figures++] = (kr_bench_figure){"hyperscan", (double)kr_hyperscan_redactor_memory(peer)};
  kr_hyperscan_redactor_free(peer);
#endif
  kr_bench_figures(bench, name, KR_BENCH_BYTES, figures, n_figures);
}

int main(int argc, char **argv) {
  kr_bench bench;
  kr_bench_init(&bench, "redact", argc, argv);
  bench.is_cpu_time = true;
#ifndef KR_BENCH_HAS_HYPERSCAN
  fprintf(stderr, "bench: without hyperscan; ./dev bench redact --peers installs it\n");
#endif
  for (size_t i = 0; i < sizeof kr_rows / sizeof kr_rows[0]; i++)
    kr_redact_case(&bench, &kr_rows[i]);
  kr_redact_ready(&bench, "ready-10", 10);
  kr_redact_ready(&bench, "ready-100", 100);
  kr_redact_memory(&bench, "memory-20", 20);
  kr_redact_memory(&bench, "memory-100", 100);
  return 0;
}
