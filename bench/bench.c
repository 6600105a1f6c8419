/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.c - rounds, medians and printing (see bench.h). A round calls one
 * engine as often as takes about ROUND_NS, a number of calls found once for
 * each engine before the rounds begin.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 15u
#define ROUNDS_QUICK 5u
#define ROUND_NS 20000000.0
#define ROUND_QUICK_NS 2000000.0
#define ROUNDS_LEAST 3u
#define ENGINE_NS 3000000000.0 /* for all rounds of one engine, but for the least of them */
#define CALLS_MAX 100000000u

double kr_bench_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* What other processes on this core take is not in it; what they do to the caches is. */
static double kr_bench_cpu_ns(void) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}

void kr_bench_die(const char *what, const char *why) {
  fprintf(stderr, "bench: %s: %s\n", what, why);
  exit(EXIT_FAILURE);
}

void kr_bench_init(kr_bench *bench, const char *suite, int argc, char **argv) {
  *bench = (kr_bench){.suite = suite};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--quick") == 0)
      bench->is_quick = true;
    else if (strcmp(argv[i], "--json") == 0)
      bench->is_json = true;
    else if (strncmp(argv[i], "--only=", 7) == 0)
      bench->only = argv[i] + 7;
    else
      kr_bench_die(argv[i], "unknown option; there are --quick, --json and --only=CASE");
  }
  int core = sched_getcpu();
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET((size_t)(core < 0 ? 0 : core), &cores);
  if (sched_setaffinity(0, sizeof cores, &cores) != 0)
    fprintf(stderr, "bench: not pinned to one core; expect more spread\n");
  if (!bench->is_json)
    printf("%s\n%-18s %-23s %12s %22s %-5s %8s\n", suite, "case", "engine", "median", "min - max",
           "unit", "krosyn x");
}

/** Nanoseconds of one call, over n of them. */
static double kr_bench_round(const kr_bench *bench, const kr_bench_engine *engine, size_t n_calls) {
  double (*now_ns)(void) = bench->is_cpu_time ? kr_bench_cpu_ns : kr_bench_now_ns;
  if (engine->call == NULL) {
    const kr_bench_batch *batch = engine->ctx;
    return batch->run(batch->ctx, n_calls) / (double)n_calls;
  }
  double start = now_ns();
  for (size_t i = 0; i < n_calls; i++)
    engine->call(engine->ctx);
  return (now_ns() - start) / (double)n_calls;
}

/** Calls that take about round_ns; the search is the warm-up too. */
static size_t kr_bench_calls(const kr_bench *bench, const kr_bench_engine *engine,
                             double *ret_call_ns) {
  double round_ns = bench->is_quick ? ROUND_QUICK_NS : ROUND_NS;
  size_t n_calls = 1;
  for (;;) {
    double call_ns = kr_bench_round(bench, engine, n_calls);
    *ret_call_ns = call_ns;
    if (call_ns * (double)n_calls >= round_ns / 4 || n_calls >= CALLS_MAX) {
      double wanted = call_ns > 0 ? round_ns / call_ns : (double)CALLS_MAX;
      return wanted < 1 ? 1 : wanted > CALLS_MAX ? CALLS_MAX : (size_t)wanted;
    }
    n_calls *= 2;
  }
}

/** Rounds for an engine whose round takes round_ns: an odd number, so that there is a middle one.
 */
static size_t kr_bench_rounds(double round_ns, size_t most) {
  double wanted = round_ns > 0 ? ENGINE_NS / round_ns : (double)most;
  if (wanted >= (double)most)
    return most;
  return wanted <= ROUNDS_LEAST ? ROUNDS_LEAST : (size_t)wanted | 1u;
}

static const char *kr_bench_unit_name(kr_bench_unit unit) {
  static const char *const names[] = {"ns", "GB/s", "bytes"};
  return names[unit];
}

static void kr_bench_print(const kr_bench *bench, const char *name, kr_bench_unit unit,
                           const char *engine, const double *sorted, size_t n, double ours) {
  double median = sorted[n / 2];
  if (bench->is_json)
    printf("{\"suite\":\"%s\",\"case\":\"%s\",\"engine\":\"%s\",\"value\":%.4g,\"unit\":\"%s\","
           "\"min\":%.4g,\"max\":%.4g,\"n\":%zu}\n",
           bench->suite, name, engine, median, kr_bench_unit_name(unit), sorted[0], sorted[n - 1],
           n);
  else
    printf("%-18s %-23s %12.4g %10.4g - %9.4g %-5s %8.3g\n", name, engine, median, sorted[0],
           sorted[n - 1], kr_bench_unit_name(unit), median > 0 ? ours / median : 0.0);
  fflush(stdout);
}

bool kr_bench_wants(const kr_bench *bench, const char *name) {
  return bench->only == NULL || strcmp(bench->only, name) == 0;
}

void kr_bench_figures(const kr_bench *bench, const char *name, kr_bench_unit unit,
                      const kr_bench_figure *figures, size_t n_figures) {
  if (!kr_bench_wants(bench, name))
    return;
  for (size_t i = 0; i < n_figures; i++)
    kr_bench_print(bench, name, unit, figures[i].name, &figures[i].value, 1, figures[0].value);
}

static int kr_bench_compare(const void *a, const void *b) {
  double left = *(const double *)a;
  double right = *(const double *)b;
  return (left > right) - (left < right);
}

void kr_bench_case(const kr_bench *bench, const char *name, kr_bench_unit unit, size_t bytes,
                   const kr_bench_engine *engines, size_t n_engines) {
  static double values[KR_BENCH_ENGINES_MAX][ROUNDS];
  size_t calls[KR_BENCH_ENGINES_MAX];
  size_t rounds[KR_BENCH_ENGINES_MAX];
  size_t most = bench->is_quick ? ROUNDS_QUICK : ROUNDS;
  if (!kr_bench_wants(bench, name))
    return;
  if (n_engines == 0 || n_engines > KR_BENCH_ENGINES_MAX)
    kr_bench_die(name, "wrong number of engines");
  for (size_t e = 0; e < n_engines; e++) {
    double call_ns = 0;
    calls[e] = kr_bench_calls(bench, &engines[e], &call_ns);
    rounds[e] = kr_bench_rounds(call_ns * (double)calls[e], most);
  }
  for (size_t round = 0; round < most; round++)
    for (size_t e = 0; e < n_engines; e++) {
      if (round >= rounds[e])
        continue;
      double ns = kr_bench_round(bench, &engines[e], calls[e]);
      values[e][round] = unit == KR_BENCH_NS ? ns : (double)bytes / ns;
    }
  for (size_t e = 0; e < n_engines; e++)
    qsort(values[e], rounds[e], sizeof values[e][0], kr_bench_compare);
  for (size_t e = 0; e < n_engines; e++)
    kr_bench_print(bench, name, unit, engines[e].name, values[e], rounds[e],
                   values[0][rounds[0] / 2]);
}
