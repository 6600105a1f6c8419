/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search.h - every occurrence of many byte strings ("needles") in text, at the
 * speed of memory when occurrences are rare. It knows nothing of secrets,
 * forms, escapes or markers: scan.c builds on it.
 *
 *   needles --build--> kr_search (immutable, shared, sensitive memory) --each--> (needle, start)
 * ...
 *
 * A build picks, by a cost model over the lengths and the number of needles,
 * one or more tiers (filters that let most of the text pass unread), each with
 * variants for the instruction sets of this machine (base/cpu.h). A filter's
 * finding is verified exactly before it is reported, so all tiers and variants
 * report the same set of occurrences; the scalar code is the specification.
 *
 * Hostile text can make filters find something everywhere. The work of
 * verifying is counted, in bytes compared and candidates looked at; when a
 * block costs more than its budget the search stops there and says so by its
 * return value, and the caller reads the next bytes in another way.
 */
#ifndef KR_REDACT_SEARCH_H
#define KR_REDACT_SEARCH_H

#include "base/cleanup.h"
#include "base/cpu.h"
#include "base/status.h"
#include "base/str.h"

#define KR_SEARCH_MIN_BYTES 3u /* of a needle */

#define KR_SEARCH_MAX_NEEDLES 0xffffffu

/*
 * What a filter samples of a needle lies within its first KR_SEARCH_WINDOW_BYTES:
 * an occurrence whose first so many bytes are in the text was found by them, and
 * at the end of a text only starts in its last so many bytes can be undecided.
 */
#define KR_SEARCH_WINDOW_BYTES 96u

typedef struct kr_search kr_search;

typedef struct kr_search_options {
  bool fold_bit5; /* compare bytes OR 0x20, in needles and in text: case-blind for letters, coarser
                     for others */
  kr_cpu_level cpu; /* KR_CPU_BEST: what this machine has and KROSYN_CPU allows */
} kr_search_options;

/**
 * Build from n needles, each of KR_SEARCH_MIN_BYTES or more; equal needles are
 * fine, each is reported. Needle bytes are copied into sensitive memory.
 * Errors: KR_INVALID (a needle too short), KR_LIMIT (more than
 * KR_SEARCH_MAX_NEEDLES, or 4 GiB of bytes), KR_NOMEM. n == 0 is fine and finds nothing.
 */
kr_status kr_search_build(const kr_str *needles, size_t n, const kr_search_options *options,
                          kr_search **ret_search) KR_MUST_USE;
void kr_search_free(kr_search *search); /* wipes; NULL is fine */
KR_DEFINE_FREEP(kr_search_freep, kr_search, kr_search_free)

/** Give back the wiped blocks kept for the next search (2 MiB at most): when idle, and before tests
 * that count allocations. Any thread. */
void kr_search_trim(void);

/** One occurrence: needle `needle` (its index at build) starts at text.ptr[start]. */
typedef void (*kr_search_visit)(void *ctx, uint32_t needle, size_t start);

/**
 * Report every occurrence with start in [from, R), R being the return value,
 * each once, in no particular order beyond that of the blocks the text is
 * walked in. R == text.len: all of it was searched. R < text.len: the next
 * KR_SEARCH_DENSE_BYTES (or what is left of the text) are better read by an
 * automaton; the caller goes on behind them. Occurrences that start before R
 * are reported even where they end behind R. Never reads outside of text,
 * allocates nothing, keeps no state: any number of threads at once on one search.
 */
size_t kr_search_each(const kr_search *search, kr_str text, size_t from, kr_search_visit visit,
                      void *ctx) KR_MUST_USE;

#define KR_SEARCH_DENSE_BYTES 8192u

/** Longest needle, in bytes; 0 without needles. */
size_t kr_search_max_len(const kr_search *search);
/** Bytes of memory this search holds. */
size_t kr_search_memory(const kr_search *search);
/** The tiers chosen, for tests and `dump`: a static or search-owned text such as
 * "grams(27)+short4". */
const char *kr_search_plan(const kr_search *search);

/** Work counted while verifying since the start of this call chain (a test hook): candidates and
 * bytes compared. */
typedef struct kr_search_work {
  uint64_t candidates;
  uint64_t compared_bytes;
} kr_search_work;

/** kr_search_each that also adds what verification cost to *work (may be NULL). */
size_t kr_search_each_counted(const kr_search *search, kr_str text, size_t from,
                              kr_search_visit visit, void *ctx, kr_search_work *work) KR_MUST_USE;

#endif
