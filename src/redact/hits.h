/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hits.h - counting matches in constant time each: per terminal and form here,
 * spread over the values (and the shorter patterns that end at the same byte)
 * only when a report is wanted.
 */
#ifndef KR_REDACT_HITS_H
#define KR_REDACT_HITS_H

#include "redact/set.h"

typedef struct kr_redact_hit_slot {
  uint64_t key; /* kr_redact_hits_key; 0: free */
  uint64_t count;
} kr_redact_hit_slot;

typedef struct kr_redact_hits {
  kr_redact_hit_slot *slots;
  size_t cap; /* a power of two */
  size_t n_used;
} kr_redact_hits;

/** A terminal (never 0) of the hex or the other automaton; form is that of a raw pattern. */
static inline uint64_t kr_redact_hits_key(uint32_t terminal, bool is_hex, kr_redact_form form,
                                          bool with_shorter) {
  return (uint64_t)terminal << 8 | (uint64_t)form << 2 | (uint64_t)is_hex << 1 | with_shorter;
}

/** A needle of the sieve, as it is. */
static inline uint64_t kr_redact_hits_needle_key(uint32_t needle) {
  return UINT64_C(1) << 63 | (uint64_t)needle << 8;
}

kr_status kr_redact_hits_add(kr_redact_hits *hits, uint64_t key) KR_MUST_USE;

/** Add what was counted to the report, and start anew. */
kr_status kr_redact_hits_flush(kr_redact_hits *hits, const kr_redact_set *set,
                               kr_redact_report *report) KR_MUST_USE;

void kr_redact_hits_done(kr_redact_hits *hits);

/** Add count to (value, form); hits stay sorted by both. */
kr_status kr_redact_report_add(kr_redact_report *report, uint32_t value, uint32_t form,
                               uint64_t count) KR_MUST_USE;

/** Count each span once under each of its secrets (KR_FORM_SPAN, value is the bit). */
kr_status kr_redact_report_spans(kr_redact_report *report, const kr_span *spans,
                                 size_t n_spans) KR_MUST_USE;

#endif
