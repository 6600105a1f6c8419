/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sieve.h - from text to the few places where a pattern may stand, so that the
 * exact scanner (scan.c) need not look at the rest.
 *
 * Of every pattern the sieve knows a core: a stretch within its first
 * KR_SIEVE_WITHIN_BYTES that holds no introducer and no byte that a short JSON
 * escape spells, and that starts behind what a foreign introducer could take
 * for its own (plain.h). However the pattern is spelled, reading the text
 * plainly shows the core as it is:
 *
 *   pattern   p a % s s w o r d - l o n g        core "ssword-long", at 3
 *   raw       ...pa%25ss%77ord\u002dlong...
 *   plain     ...pa%ssword-long...
 *                   ^ found by kr_search; the pattern starts at most 3 plain bytes before
 *
 * A core that stands in text without any introducer around is compared with
 * the pattern at once; any other place goes to the exact scanner.
 */
#ifndef KR_REDACT_SIEVE_H
#define KR_REDACT_SIEVE_H

#include "redact/automaton.h"
#include "redact/plain.h"
#include "redact/search.h"

#define KR_SIEVE_WITHIN_BYTES 96u /* of a pattern, where its core is looked for */
#define KR_SIEVE_CORE_BYTES                                                                        \
  32u /* longest core: what a stream reads exactly at its end grows with it */
#define KR_SIEVE_PLACES 128u /* kept of one piece; with more the piece is read exactly */

/* What unfinished or misread escapes at the ends of a piece can add or hide, in plain bytes. */
#define KR_SIEVE_SLACK_BYTES 16u

/** Patterns of equal bytes in one automaton. */
typedef struct kr_sieve_needle {
  kr_str bytes;   /* the whole pattern; borrowed from the set */
  uint32_t first; /* patterns [first, first + count) of the automaton have these bytes */
  uint32_t count;
  uint32_t value; /* of the first */
  uint16_t core_at;
  uint16_t core_len;
  bool is_hex; /* matched in lower-cased text, never escaped */
  bool widens_left;
  bool widens_right;
} kr_sieve_needle;

typedef struct kr_sieve {
  kr_search *search;
  kr_sieve_needle *needles; /* sensitive memory, since it points to values */
  size_t n_needles;
  size_t capacity; /* of needles */
  size_t reach;    /* most plain bytes from the start of a pattern to the end of its core */
  bool reads_plus; /* some pattern holds a space */
  bool is_careful; /* some core may be taken in part by a foreign escape: look behind each */
  bool is_blind;   /* some pattern has no core: nothing may be skipped */
} kr_sieve;

/**
 * From the patterns of both automata as kr_redact_automaton_build left them
 * (sorted), which must outlive the sieve.
 */
kr_status kr_sieve_init(kr_sieve *sieve, const kr_redact_pattern *forms, size_t n_forms,
                        const kr_redact_pattern *hex, size_t n_hex) KR_MUST_USE;
void kr_sieve_done(kr_sieve *sieve);

/** A place found: positions count raw bytes from the start of the stream. */
typedef struct kr_sieve_place {
  uint64_t start; /* no pattern of this place starts before */
  uint64_t until; /* every one starts before; of a match: its end */
  uint32_t needle;
  bool is_match; /* exactly that needle, as it is, at [start, until) */
} kr_sieve_place;

/* Memory for one piece; sensitive, since it holds text. */
typedef struct kr_sieve_room {
  uint32_t map[KR_PLAIN_MAP_ENTRIES];
  uint8_t text[KR_PLAIN_PIECE_BYTES + KR_PLAIN_SLACK_BYTES];
} kr_sieve_room;

kr_sieve_room *kr_sieve_room_new(void);       /* NULL: no memory */
void kr_sieve_room_free(kr_sieve_room *room); /* wipes; NULL is fine */

/** What a scan remembers between pieces. */
typedef struct kr_sieve_state {
  uint64_t
      from; /* every pattern that starts before is known; the next piece starts here or before */
  uint64_t sieved; /* what ends at or before was looked at */
  size_t n_places;
  size_t next_place;
  kr_sieve_place
      places[KR_SIEVE_PLACES]; /* by start, from next_place on; last member: not cleared */
} kr_sieve_state;

/**
 * Look at the next piece of the window [base, base + window.len), of which
 * something is not sieved yet. Fills state->places (none may be left) and moves
 * from and sieved. False, and nothing done: the piece holds an introducer, and
 * room is NULL.
 */
bool kr_sieve_next(const kr_sieve *sieve, kr_sieve_state *state, kr_str window, uint64_t base,
                   bool is_final, kr_sieve_room *room);

#endif
