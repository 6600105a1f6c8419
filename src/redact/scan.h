/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.h - the one scanner behind one shot and streams. It walks raw text byte
 * by byte and keeps every reading of it that can still become a match:
 *
 *   plain    each byte is itself; always there: one automaton state
 *   hex      the same, lower-cased, in the hex automaton
 *   paths    readings that took at least one escape as what it spells; none
 *            exist until an introducer (% \ + &) shows up
 *
 * At an escape every reading may take it as spelled or byte by byte, because a
 * value may itself hold a '%' or '\'. A path whose state lies behind the last
 * place where it differs from its neighbour is the same as that neighbour and
 * is dropped, so that ordinary text keeps zero or one.
 *
 *   raw:    ...........|written.......|frontier........|pos...window end
 *                       gone to sink   held back        unread or cut escape
 *
 * The frontier is the earliest byte where a match may still start. All
 * positions count raw bytes from the start of the stream.
 */
#ifndef KR_REDACT_SCAN_H
#define KR_REDACT_SCAN_H

#include "redact/cover.h"
#include "redact/escapes.h"
#include "redact/hits.h"
#include "redact/set.h"
#include "redact/sieve.h"
#include "redact/token.h"

#define KR_REDACT_PATHS 64u /* readings with escapes kept at once; see kr_redact_paths_arrive */

/*
 * Readings that stand behind an escape just taken: one group, of all readings
 * there were, for each escape that started at or before pos and ends behind it.
 * Only those with backslashes reach over each other's start, and of these there
 * are at most two of JSON and four of JSON twice:
 *
 *   - Short ones have at most 2 and 4 bytes and one of each kind can start at a
 *     byte, so at most 2 and 4 reach over pos.
 *   - Of the long ones ("\uXXXX", "\\uXXXX", pairs) at most one of each kind
 *     does: the backslashes inside one start half a pair, which spells nothing,
 *     a short JSON escape "\\", or, the second one of "\\u", one of the other
 *     kind. And where a long one has gone on for the length of a short one of
 *     its kind, no short one reaches over pos but that "\\".
 */
#define KR_REDACT_WAITING (6u * (KR_REDACT_PATHS + 1u))

/** Receives output; is_marker says that bytes are one whole marker. */
typedef kr_status (*kr_redact_sink)(void *ctx, kr_str bytes, bool is_marker);

#define KR_REDACT_ESCAPE_FORMS (KR_FORM_HTML - KR_FORM_PERCENT + 1)

typedef struct kr_redact_path {
  uint32_t node;
  uint64_t count;   /* bytes it has read so far, escapes counted as what they spell */
  uint64_t escapes; /* id of the last one it took */
  uint64_t joint;   /* end of the last place where it differs from the one before it */
  uint64_t resume;  /* position behind its last byte */
  uint64_t ends[KR_REDACT_ESCAPE_FORMS]; /* of the last escape it took of each kind; 0: none */
} kr_redact_path;

typedef struct kr_redact_scan {
  const kr_redact_set *set;
  const kr_redact_options *options; /* NULL: defaults */
  const kr_span *spans;             /* redacted by position, not counted by value */
  size_t n_spans;
  kr_redact_sink sink;
  void *ctx;
  kr_redact_report *report;         /* NULL: do not count */
  kr_status status;                 /* the first failure */
  const kr_redact_automaton *forms; /* of set, from the first exact reading on */
  const kr_redact_automaton *hex;
  kr_str window; /* raw bytes [base, base + window.len) */
  uint64_t base;
  uint64_t pos;
  uint64_t written;
  uint32_t node; /* plain reading */
  uint32_t hex_node;
  uint32_t widen_mask; /* bit i: the base64 character at pos + i is mixed with a value */
  bool is_exact;       /* reading every byte, from pos on; else the sieve says where to begin */
  bool was_exact;
  bool is_lazy;         /* one shot: nothing is written before something is covered */
  bool is_unchanged;    /* of those: nothing was covered, so nothing was written */
  uint64_t began;       /* where exact reading did */
  uint64_t exact_until; /* readings begun before must be seen to their end */
  uint64_t counted;     /* matches that end at or before are counted already */
  uint64_t hit_end;     /* the latest end of one counted while reading exactly */
  kr_redact_cover cover;
  kr_redact_escapes escapes;
  kr_redact_hits hits;
  kr_sieve_room *room; /* NULL until a piece has an escape */
  size_t n_paths;
  size_t n_waiting;
  kr_redact_path paths[KR_REDACT_PATHS]; /* not cleared from here on */
  kr_redact_path waiting[KR_REDACT_WAITING];
  kr_sieve_state sieve;
} kr_redact_scan;

void kr_redact_scan_init(kr_redact_scan *scan, const kr_redact_set *set,
                         const kr_redact_options *options, kr_redact_sink sink, void *ctx,
                         kr_redact_report *report);

/** Wipes; the window is the caller's. */
void kr_redact_scan_done(kr_redact_scan *scan);

/** Ready for another text, with the memory that is there; wipes what was read. */
void kr_redact_scan_clear(kr_redact_scan *scan);

/** Read the byte at pos in every way. False: it starts an escape that is not yet decided. */
bool kr_redact_scan_read(kr_redact_scan *scan, bool is_final);

/** Read on up to stop, at most to the first byte that takes more than one step. */
void kr_redact_scan_read_plain(kr_redact_scan *scan, uint64_t stop);

/** The earliest byte at which a reading that is open began; pos without any. */
uint64_t kr_redact_scan_open(const kr_redact_scan *scan);

/** Cover and count a match of the sieve. */
void kr_redact_scan_take(kr_redact_scan *scan, const kr_sieve_place *place, bool is_final);

/**
 * Read on in the window, whose bytes from scan->written on must be unchanged,
 * and write all that is decided. With is_final everything is.
 */
kr_status kr_redact_scan_advance(kr_redact_scan *scan, kr_str window, uint64_t base,
                                 bool is_final) KR_MUST_USE;

/** One shot over the whole input, which is covered by spans and by matches (redact.c). */
kr_status kr_redact_run_scan(const kr_redact_set *set, kr_str input, const kr_span *spans,
                             size_t n_spans, const kr_redact_options *options, kr_redact_sink sink,
                             void *ctx, kr_redact_report *report) KR_MUST_USE;

#endif
