/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_scan.c - track A: the same list of needles for every engine, every
 * occurrence of every needle counted, and the counts compared before anything
 * is timed. Texts are logs with a needle planted every few megabytes, in cache
 * (1 MB) and, where the row is also named "-mem", from memory (64 MB); one call
 * a line where it is named "-records"; and hostile ones.
 */
#include "bench.h"
#include "corpus.h"
#include "scan_engines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MB (1024u * 1024u)
#define CACHE_BYTES MB
#define MEMORY_BYTES (64u * MB)
#define RARE_BYTES (4u * MB) /* one needle planted in so many: one in the small text */
#define ENGINES_MAX 6u

/* krosyn first; those that need very long for 64 MB at the end. */
static const kr_scan_engine *const kr_engines[] = {&kr_scan_krosyn,
#ifdef KR_BENCH_HAS_HYPERSCAN
                                                   &kr_scan_hyperscan,
#endif
                                                   &kr_scan_memmem,    &kr_scan_memchr,
                                                   &kr_scan_textbook,  &kr_scan_automaton};
#define N_ENGINES (sizeof kr_engines / sizeof kr_engines[0])
#define N_FAST (N_ENGINES - 2)

typedef enum kr_scan_needles {
  NEEDLES_TOKENS, /* of len bytes */
  NEEDLES_MIX,
  NEEDLES_PREFIXED,
  NEEDLES_PEM,
  NEEDLES_FORMS, /* n / 8 passwords, eight spellings of each */
  NEEDLES_A_THEN_B,
  NEEDLES_A_AROUND_B,
  NEEDLES_ALL_A
} kr_scan_needles;

typedef enum kr_scan_text {
  TEXT_LOG,
  TEXT_RECORDS,
  TEXT_PREFIXES,
  TEXT_SUFFIXES,
  TEXT_MIDDLES,
  TEXT_WHOLE,
  TEXT_ALL_A
} kr_scan_text;

typedef struct kr_scan_row {
  const char *name;
  kr_scan_needles needles;
  size_t n;
  size_t len;
  kr_scan_text text;
  size_t plant_every_bytes;
  bool has_memory_row;
} kr_scan_row;

static const kr_scan_row kr_rows[] = {
    {"tok32-1", NEEDLES_TOKENS, 1, 32, TEXT_LOG, RARE_BYTES, true},
    {"tok32-10", NEEDLES_TOKENS, 10, 32, TEXT_LOG, RARE_BYTES, true},
    {"tok32-100", NEEDLES_TOKENS, 100, 32, TEXT_LOG, RARE_BYTES, true},
    {"tok32-1k", NEEDLES_TOKENS, 1000, 32, TEXT_LOG, RARE_BYTES, true},
    {"tok32-10k", NEEDLES_TOKENS, 10000, 32, TEXT_LOG, RARE_BYTES, true},
    {"tok32-100k", NEEDLES_TOKENS, 100000, 32, TEXT_LOG, RARE_BYTES, true},
    {"tok16-100", NEEDLES_TOKENS, 100, 16, TEXT_LOG, RARE_BYTES, true},
    {"prefixed-1k", NEEDLES_PREFIXED, 1000, 0, TEXT_LOG, RARE_BYTES, false},
    {"short6-10", NEEDLES_TOKENS, 10, 6, TEXT_LOG, RARE_BYTES, true},
    {"short6-100", NEEDLES_TOKENS, 100, 6, TEXT_LOG, RARE_BYTES, true},
    {"short6-1k", NEEDLES_TOKENS, 1000, 6, TEXT_LOG, RARE_BYTES, true},
    {"short6-10k", NEEDLES_TOKENS, 10000, 6, TEXT_LOG, RARE_BYTES, true},
    {"mix-100", NEEDLES_MIX, 100, 0, TEXT_LOG, RARE_BYTES, true},
    {"mix-1k", NEEDLES_MIX, 1000, 0, TEXT_LOG, RARE_BYTES, true},
    {"mix-10k", NEEDLES_MIX, 10000, 0, TEXT_LOG, RARE_BYTES, true},
    {"pem-100", NEEDLES_PEM, 100, 0, TEXT_LOG, RARE_BYTES, true},
    {"pem-100-hits", NEEDLES_PEM, 100, 0, TEXT_LOG, 10 * 1024, false},
    {"forms-160", NEEDLES_FORMS, 160, 0, TEXT_LOG, RARE_BYTES, true},
    {"forms-160-records", NEEDLES_FORMS, 160, 0, TEXT_RECORDS, RARE_BYTES, false},
    {"tok32-10-records", NEEDLES_TOKENS, 10, 32, TEXT_RECORDS, RARE_BYTES, false},
    {"tok32-1k-records", NEEDLES_TOKENS, 1000, 32, TEXT_RECORDS, RARE_BYTES, false},
    {"short6-100-records", NEEDLES_TOKENS, 100, 6, TEXT_RECORDS, RARE_BYTES, false},
    {"nearmiss-10", NEEDLES_TOKENS, 10, 32, TEXT_PREFIXES, 0, false},
    {"nearmiss-100", NEEDLES_TOKENS, 100, 32, TEXT_PREFIXES, 0, false},
    {"nearmiss-10k", NEEDLES_TOKENS, 10000, 32, TEXT_PREFIXES, 0, false},
    {"nearmiss-pem-100", NEEDLES_PEM, 100, 0, TEXT_PREFIXES, 0, false},
    {"suffixes-100", NEEDLES_TOKENS, 100, 32, TEXT_SUFFIXES, 0, false},
    {"pieces-100", NEEDLES_TOKENS, 100, 32, TEXT_MIDDLES, 0, false},
    {"pieces-10k", NEEDLES_TOKENS, 10000, 32, TEXT_MIDDLES, 0, false},
    {"nearmiss-short-100", NEEDLES_TOKENS, 100, 6, TEXT_PREFIXES, 0, false},
    {"periodic", NEEDLES_A_THEN_B, 1, 32, TEXT_ALL_A, 0, false},
    {"periodic-middle", NEEDLES_A_AROUND_B, 1, 32, TEXT_ALL_A, 0, false},
    {"flood-hits", NEEDLES_ALL_A, 1, 32, TEXT_ALL_A, 0, false},
    {"dense-hits-100", NEEDLES_TOKENS, 100, 32, TEXT_WHOLE, 0, false},
    {"dense-short-100", NEEDLES_TOKENS, 100, 6, TEXT_WHOLE, 0, false}};

static kr_needles kr_scan_make_needles(const kr_scan_row *row) {
  uint8_t letters[32];
  memset(letters, 'a', sizeof letters);
  switch (row->needles) {
  case NEEDLES_TOKENS:
    return kr_needles_tokens(row->n, row->len);
  case NEEDLES_MIX:
    return kr_needles_mix(row->n);
  case NEEDLES_PREFIXED:
    return kr_needles_prefixed(row->n);
  case NEEDLES_PEM:
    return kr_needles_pem(row->n);
  case NEEDLES_FORMS: {
    KR_CLEANUP(kr_needles_done)
    kr_needles passwords = kr_needles_passwords(row->n / KR_SPELLINGS);
    return kr_needles_spelled(&passwords);
  }
  case NEEDLES_A_THEN_B:
    letters[31] = 'b';
    break;
  case NEEDLES_A_AROUND_B:
    letters[16] = 'b';
    break;
  case NEEDLES_ALL_A:
    break;
  }
  return kr_needles_one(kr_str_from(letters, sizeof letters));
}

static kr_corpus kr_scan_make_text(const kr_scan_row *row, const kr_needles *needles, size_t len) {
  switch (row->text) {
  case TEXT_PREFIXES:
    return kr_corpus_pieces(len, needles, KR_CUT_PREFIX);
  case TEXT_SUFFIXES:
    return kr_corpus_pieces(len, needles, KR_CUT_SUFFIX);
  case TEXT_MIDDLES:
    return kr_corpus_pieces(len, needles, KR_CUT_MIDDLE);
  case TEXT_WHOLE:
    return kr_corpus_pieces(len, needles, KR_CUT_NONE);
  case TEXT_ALL_A:
    return kr_corpus_flood(len, 'a');
  default:
    break;
  }
  kr_corpus corpus = kr_corpus_log(len);
  if (kr_corpus_plant(&corpus, needles, row->plant_every_bytes) == 0)
    kr_bench_die(row->name, "nothing was planted");
  return corpus;
}

/** An engine with its needles at one text, whole or line by line. */
typedef struct kr_scan_job {
  const kr_scan_engine *engine;
  void *state;
  const kr_corpus *corpus;
  const kr_needles *needles;
  bool is_by_line;
} kr_scan_job;

static size_t kr_scan_job_count(const kr_scan_job *job) {
  if (!job->is_by_line)
    return job->engine->count(job->state, kr_corpus_text(job->corpus));
  size_t n_found = 0;
  for (size_t line = 0; line < job->corpus->n_lines; line++)
    n_found += job->engine->count(job->state, kr_corpus_line(job->corpus, line));
  return n_found;
}

static void kr_scan_call(void *ctx) {
  size_t n_found = kr_scan_job_count(ctx);
  kr_bench_keep(&n_found);
}

static void kr_scan_build_call(void *ctx) {
  const kr_scan_job *job = ctx;
  job->engine->free(job->engine->build(job->needles));
}

/* Every engine but the floor must find what krosyn finds. */
static void kr_scan_compare(const char *name, const kr_scan_job *jobs, size_t n_jobs) {
  size_t wanted = kr_scan_job_count(&jobs[0]);
  for (size_t i = 1; i < n_jobs; i++) {
    size_t n_found = kr_scan_job_count(&jobs[i]);
    if (n_found == wanted || jobs[i].engine == &kr_scan_memchr)
      continue;
    fprintf(stderr, "bench: %s: krosyn finds %zu, %s %zu\n", name, wanted, jobs[i].engine->name,
            n_found);
    kr_bench_die(name, "the engines disagree");
  }
}

/* Engines that can take these needles, built. */
static size_t kr_scan_prepare(kr_scan_job *jobs, kr_bench_engine *engines, size_t n_engines,
                              const kr_needles *needles, const kr_corpus *corpus, bool is_by_line) {
  size_t n_jobs = 0;
  for (size_t i = 0; i < n_engines; i++) {
    void *state = kr_engines[i]->build(needles);
    if (state == NULL)
      continue;
    jobs[n_jobs] = (kr_scan_job){kr_engines[i], state, corpus, needles, is_by_line};
    engines[n_jobs] = (kr_bench_engine){kr_engines[i]->name, kr_scan_call, &jobs[n_jobs]};
    n_jobs++;
  }
  return n_jobs;
}

static void kr_scan_release(kr_scan_job *jobs, size_t n_jobs) {
  for (size_t i = 0; i < n_jobs; i++)
    jobs[i].engine->free(jobs[i].state);
}

static void kr_scan_case(const kr_bench *bench, const char *name, const kr_scan_row *row,
                         size_t len, size_t n_engines) {
  if (!kr_bench_wants(bench, name))
    return;
  kr_scan_job jobs[ENGINES_MAX];
  kr_bench_engine engines[ENGINES_MAX];
  KR_CLEANUP(kr_needles_done) kr_needles needles = kr_scan_make_needles(row);
  KR_CLEANUP(kr_corpus_done) kr_corpus corpus = kr_scan_make_text(row, &needles, len);
  size_t n_jobs =
      kr_scan_prepare(jobs, engines, n_engines, &needles, &corpus, row->text == TEXT_RECORDS);
  kr_scan_compare(name, jobs, n_jobs);
  if (!bench->is_json)
    printf("%-18s plan: %s; found: %zu\n", name, kr_scan_krosyn_plan(jobs[0].state),
           kr_scan_job_count(&jobs[0]));
  kr_bench_case(bench, name, KR_BENCH_GB_PER_S, corpus.len, engines, n_jobs);
  kr_scan_release(jobs, n_jobs);
}

static void kr_scan_build_case(const kr_bench *bench, const char *name, const kr_scan_row *row) {
  if (!kr_bench_wants(bench, name))
    return;
  kr_scan_job jobs[ENGINES_MAX];
  kr_bench_engine engines[ENGINES_MAX];
  size_t n_jobs = 0;
  KR_CLEANUP(kr_needles_done) kr_needles needles = kr_scan_make_needles(row);
  for (size_t i = 0; i < N_ENGINES; i++) {
    if (kr_engines[i] == &kr_scan_memmem || kr_engines[i] == &kr_scan_memchr)
      continue;
    jobs[n_jobs] = (kr_scan_job){.engine = kr_engines[i], .needles = &needles};
    engines[n_jobs] = (kr_bench_engine){kr_engines[i]->name, kr_scan_build_call, &jobs[n_jobs]};
    n_jobs++;
  }
  kr_bench_case(bench, name, KR_BENCH_NS, 0, engines, n_jobs);
}

static void kr_scan_memory_case(const kr_bench *bench, const char *name, const kr_scan_row *row) {
  if (!kr_bench_wants(bench, name))
    return;
  kr_bench_figure figures[ENGINES_MAX];
  size_t n_figures = 0;
  KR_CLEANUP(kr_needles_done) kr_needles needles = kr_scan_make_needles(row);
  for (size_t i = 0; i < N_ENGINES; i++) {
    if (kr_engines[i]->memory == NULL)
      continue;
    void *state = kr_engines[i]->build(&needles);
    if (state == NULL)
      continue;
    figures[n_figures].name = kr_engines[i]->name;
    figures[n_figures++].value = (double)kr_engines[i]->memory(state);
    kr_engines[i]->free(state);
  }
  kr_bench_figures(bench, name, KR_BENCH_BYTES, figures, n_figures);
}

typedef struct kr_floor {
  kr_corpus from;
  uint8_t *to;
} kr_floor;

static void kr_floor_memchr(void *ctx) {
  const kr_floor *state = ctx;
  kr_bench_keep(memchr(state->from.bytes, 0, state->from.len));
}

static void kr_floor_memcpy(void *ctx) {
  const kr_floor *state = ctx;
  memcpy(state->to, state->from.bytes, state->from.len);
  kr_bench_keep(state->to);
}

/* What the machine can do at all: one engine a case, named as the case is. */
static void kr_scan_floors(const kr_bench *bench, size_t len, const char *memchr_name,
                           const char *memcpy_name) {
  if (!kr_bench_wants(bench, memchr_name) && !kr_bench_wants(bench, memcpy_name))
    return;
  kr_floor state = {.from = kr_corpus_log(len), .to = malloc(len)};
  if (state.to == NULL)
    kr_bench_die("floor", "out of memory");
  const kr_bench_engine search[] = {{"memchr", kr_floor_memchr, &state}};
  const kr_bench_engine copy[] = {{"memcpy", kr_floor_memcpy, &state}};
  kr_bench_case(bench, memchr_name, KR_BENCH_GB_PER_S, len, search, 1);
  kr_bench_case(bench, memcpy_name, KR_BENCH_GB_PER_S, len, copy, 1);
  free(state.to);
  kr_corpus_done(&state.from);
}

int main(int argc, char **argv) {
  static const kr_scan_row lists[] = {{"10", NEEDLES_TOKENS, 10, 32, TEXT_LOG, 0, false},
                                      {"160", NEEDLES_FORMS, 160, 0, TEXT_LOG, 0, false},
                                      {"1k", NEEDLES_TOKENS, 1000, 32, TEXT_LOG, 0, false},
                                      {"10k", NEEDLES_TOKENS, 10000, 32, TEXT_LOG, 0, false},
                                      {"100k", NEEDLES_TOKENS, 100000, 32, TEXT_LOG, 0, false}};
  if (argc == 4 && strcmp(argv[1], "--count") == 0)
    return kr_scan_process_main(argv[2], argv[3]);
  kr_bench bench;
  char name[32];
  kr_bench_init(&bench, "scan", argc, argv);
  bench.is_cpu_time = true;
#ifndef KR_BENCH_HAS_HYPERSCAN
  fprintf(stderr, "bench: without hyperscan; ./dev bench scan --peers installs it\n");
#endif
  kr_scan_floors(&bench, CACHE_BYTES, "memchr", "memcpy");
  kr_scan_floors(&bench, MEMORY_BYTES, "memchr-mem", "memcpy-mem");
  for (size_t i = 0; i < sizeof kr_rows / sizeof kr_rows[0]; i++) {
    kr_scan_case(&bench, kr_rows[i].name, &kr_rows[i], CACHE_BYTES, N_ENGINES);
    snprintf(name, sizeof name, "%s-mem", kr_rows[i].name);
    if (kr_rows[i].has_memory_row)
      kr_scan_case(&bench, name, &kr_rows[i], MEMORY_BYTES, N_FAST);
  }
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
    snprintf(name, sizeof name, "build-%s", lists[i].name);
    kr_scan_build_case(&bench, name, &lists[i]);
    snprintf(name, sizeof name, "memory-%s", lists[i].name);
    kr_scan_memory_case(&bench, name, &lists[i]);
  }
  kr_scan_processes(&bench, "process-10", 10);
  kr_scan_processes(&bench, "process-100", 100);
  kr_scan_processes(&bench, "process-10k", 10000);
  return 0;
}
