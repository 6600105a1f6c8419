/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h - measuring, the same way for every suite. A case is one job done by
 * several engines (krosyn and what it is compared with). The engines take turns,
 * round by round, on one pinned core, so that a machine whose speed swings
 * swings for all of them; the median of the rounds counts, the least and the
 * greatest show the spread. An engine that is very slow takes part in the first
 * rounds only; n says in how many. Only ratios within one run mean anything.
 *
 *   kr_bench bench;
 *   kr_bench_init(&bench, "redact", argc, argv);         // --quick, --json, --only=CASE
 *   kr_bench_case(&bench, "secrets-20", KR_BENCH_GB_PER_S, text.len, engines, 3);
 */
#ifndef KR_BENCH_BENCH_H
#define KR_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>

typedef enum kr_bench_unit {
  KR_BENCH_NS,       /* nanoseconds for one call; less is better */
  KR_BENCH_GB_PER_S, /* bytes of one call by its time, in 10^9; more is better */
  KR_BENCH_BYTES     /* of memory, counted once; less is better */
} kr_bench_unit;

/** One way to do the job. The first of a case is "krosyn"; the others show as ratios to it. */
typedef struct kr_bench_engine {
  const char *name;
  void (*call)(void *ctx); /* does the job once; ends the process when it fails */
  void *ctx;               /* when call is NULL: a kr_bench_batch */
} kr_bench_engine;

/** An engine that loops and keeps the time itself: one in another language or process. */
typedef struct kr_bench_batch {
  double (*run)(void *ctx, size_t n_calls); /* nanoseconds of n_calls jobs */
  void *ctx;
} kr_bench_batch;

#define KR_BENCH_ENGINES_MAX 24u

typedef struct kr_bench {
  const char *suite;
  bool is_quick;    /* fewer and shorter rounds: for trying out, not for quoting */
  const char *only; /* this case alone; NULL: all */
  bool is_json;     /* one object a line: suite, case, engine, value, unit, min, max, n */
  bool is_cpu_time; /* count the time of this process alone: for work that waits for nothing */
} kr_bench;

/** Reads the options, pins the process to the core it is on. Ends the process on a wrong option. */
void kr_bench_init(kr_bench *bench, const char *suite, int argc, char **argv);

double kr_bench_now_ns(void);

/** Measure and print. bytes: what one call goes through (for KR_BENCH_GB_PER_S). */
void kr_bench_case(const kr_bench *bench, const char *name, kr_bench_unit unit, size_t bytes,
                   const kr_bench_engine *engines, size_t n_engines);

/** What was counted, not timed. */
typedef struct kr_bench_figure {
  const char *name;
  double value;
} kr_bench_figure;

/** Print figures as they are; the first is krosyn's. */
void kr_bench_figures(const kr_bench *bench, const char *name, kr_bench_unit unit,
                      const kr_bench_figure *figures, size_t n_figures);

/** Is this case to be run? For sparing its preparation. */
bool kr_bench_wants(const kr_bench *bench, const char *name);

/** Keep the compiler from dropping the work whose result is here. */
static inline void kr_bench_keep(const void *result) {
  __asm__ volatile("" : : "g"(result) : "memory");
}

/** Print what went wrong (text is ours, never a value) and end the process. */
_Noreturn void kr_bench_die(const char *what, const char *why);

#endif
