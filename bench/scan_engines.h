/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_engines.h - the engines of the suite "scan". Each is given the same
 * needles and the same text and counts every occurrence of every needle, so
 * that all must come to the same number.
 *
 *   scan_krosyn.c      src/redact/dense.h: filters, and the automaton where they find too much
 *                      the automaton of src/redact alone, which is the guaranteed path
 *   scan_textbook.c    Aho-Corasick as a table of all transitions; memmem; memchr
 *   scan_hyperscan.c   Hyperscan's literal matcher, block mode; where it is installed
 *   scan_process.c     whole processes over a file: ripgrep, GNU grep, and this program
 */
#ifndef KR_BENCH_SCAN_ENGINES_H
#define KR_BENCH_SCAN_ENGINES_H

#include "bench.h"
#include "corpus.h"

typedef struct kr_scan_engine {
  const char *name;
  /** Ends the process when it fails; NULL when these needles are beyond it. */
  void *(*build)(const kr_needles *needles);
  void (*free)(void *state);
  /** Occurrences in text. */
  size_t (*count)(void *state, kr_str text);
  /** Bytes held, without what is made only when a text needs it. NULL: not told. */
  size_t (*memory)(const void *state);
} kr_scan_engine;

extern const kr_scan_engine kr_scan_krosyn;
extern const kr_scan_engine kr_scan_automaton;
extern const kr_scan_engine kr_scan_textbook;
extern const kr_scan_engine kr_scan_memmem; /* one needle only */
extern const kr_scan_engine kr_scan_memchr; /* a byte that is nowhere: the floor, counts nothing */
#ifdef KR_BENCH_HAS_HYPERSCAN
extern const kr_scan_engine kr_scan_hyperscan;
#endif

/** The plan of krosyn's search, for showing. */
const char *kr_scan_krosyn_plan(const void *state);

/** The cases "process-*": n needles in a file that lies in memory. */
void kr_scan_processes(const kr_bench *bench, const char *name, size_t n_needles);

/** What krosyn does in those: print how many occurrences the file text has of the lines of the
 * other. */
int kr_scan_process_main(const char *needles_path, const char *text_path);

#endif
