/* SPDX-License-Identifier: Apache-2.0 */
/*
 * advance.c - what of the text is read exactly, and writing what is decided.
 *
 *   skip      the sieve looks at piece after piece and names places; matches it
 *             is sure of are taken; at any other place reading begins
 *   exact     every byte is read in every way (scan.c), until no reading begun
 *             before the end of the place is open any more
 *
 * At the end of a window to which more will be added, the last bytes are read
 * exactly too, since what is held back must be known to the byte.
 */
#include "redact/paths.h"
#include "redact/scan.h"

#define KR_REDACT_SLICE_BYTES (16u * 1024u) /* read between two writes to the sink */
#define KR_REDACT_WRITE_RUNS 64u /* markers that wait before a part is written while skipping */
#define KR_REDACT_LEFT_BYTES                                                                       \
  16u /* more than a match is widened to the left, and any escape there */

static void kr_redact_put(kr_redact_scan *scan, kr_str bytes, bool is_marker) {
  if (scan->status == KR_OK && bytes.len > 0)
    scan->status = scan->sink(scan->ctx, bytes, is_marker);
}

static void kr_redact_put_marker(kr_redact_scan *scan, uint32_t value) {
  if (scan->report != NULL)
    scan->report->n_runs++;
  bool is_named = scan->options != NULL && scan->options->use_marker_names;
  if (!is_named || value == KR_REDACT_NO_VALUE) {
    kr_redact_put(scan, KR_STR(KR_REDACT_MARKER), true);
    return;
  }
  uint8_t room[sizeof("[REDACTED:]") + KR_REDACT_NAME_BYTES];
  kr_str name = kr_redact_set_name(scan->set, value);
  size_t opening = sizeof("[REDACTED:") - 1;
  memcpy(room, "[REDACTED:", opening);
  if (name.len > 0)
    memcpy(room + opening, name.ptr, name.len);
  room[opening + name.len] = ']';
  kr_redact_put(scan, kr_str_from(room, opening + name.len + 1), true);
}

/* Write everything before the frontier. A run that ends at it stays: what touches it joins it. */
static void kr_redact_write_to(kr_redact_scan *scan, uint64_t frontier) {
  if (scan->is_lazy && scan->cover.n_runs == 0 && scan->written == 0)
    return;
  size_t n_gone = 0;
  while (n_gone < scan->cover.n_runs && scan->cover.runs[n_gone].start < frontier) {
    const kr_redact_run *run = &scan->cover.runs[n_gone];
    if (run->start >= scan->written) {
      kr_redact_put(scan, kr_redact_scan_from(scan, scan->written, run->start), false);
      kr_redact_put_marker(scan, run->value);
      scan->written = run->start;
    }
    uint64_t end = run->end < frontier ? run->end : frontier;
    scan->written = end > scan->written ? end : scan->written;
    if (run->end >= frontier)
      break;
    n_gone++;
  }
  kr_redact_cover_drop(&scan->cover, n_gone);
  if (scan->written < frontier)
    kr_redact_put(scan, kr_redact_scan_from(scan, scan->written, frontier), false);
  scan->written = frontier > scan->written ? frontier : scan->written;
}

static void kr_redact_begin(kr_redact_scan *scan, uint64_t start, uint64_t until) {
  const kr_redact_automata *automata = NULL;
  kr_status status = kr_redact_set_automata(scan->set, &automata);
  if (status != KR_OK) {
    kr_redact_scan_fail(scan, status);
    return;
  }
  scan->forms = automata->forms;
  scan->hex = automata->hex;
  scan->is_exact = true;
  scan->was_exact = true;
  scan->pos = start;
  scan->began = start;
  scan->exact_until = until;
  scan->node = scan->hex_node = 0;
  scan->n_paths = scan->n_waiting = 0;
  scan->widen_mask = 0;
}

/*
 * Nothing begun before exact_until is open: go on skipping. What is open now is
 * forgotten; the sieve looks for it again from its first byte on, and what was
 * counted here is not counted twice.
 */
static bool kr_redact_try_leave(kr_redact_scan *scan) {
  kr_sieve_state *state = &scan->sieve;
  for (; state->next_place < state->n_places; state->next_place++) {
    const kr_sieve_place *place = &state->places[state->next_place];
    if (place->start >= scan->pos)
      break;
    if (place->until > scan->exact_until)
      scan->exact_until = place->until;
  }
  uint64_t open = kr_redact_scan_open(scan);
  if (open < scan->exact_until || scan->widen_mask != 0)
    return false;
  if (scan->pos < scan->hit_end)
    return false; /* in an escape that ends a match: counted, though what ends before is not yet */
  if (scan->began <= state->from && open > state->from)
    state->from = open;
  if (scan->pos > scan->counted)
    scan->counted = scan->pos;
  scan->is_exact = false;
  return true;
}

/*
 * The window ends while a place is read that began behind what the sieve knows
 * of: a pattern that starts before it may be open too, its core not yet whole.
 */
static bool kr_redact_read_more(kr_redact_scan *scan, bool is_final) {
  uint64_t end = scan->base + scan->window.len;
  if (is_final || scan->began <= scan->sieve.from)
    return false;
  if (scan->pos > scan->counted)
    scan->counted = scan->pos;
  uint64_t until = scan->exact_until > end ? scan->exact_until : end;
  kr_redact_begin(scan, scan->sieve.from, until);
  return true;
}

/* Read exactly. False: the window ends in an escape that is not yet decided. */
static bool kr_redact_read_on(kr_redact_scan *scan, bool is_final) {
  uint64_t end = scan->base + scan->window.len;
  uint64_t stop = end - scan->pos > KR_REDACT_SLICE_BYTES ? scan->pos + KR_REDACT_SLICE_BYTES : end;
  while (scan->pos < stop && scan->status == KR_OK) {
    uint64_t due = (scan->pos | 15) + 1; /* to see whether skipping can go on */
    kr_redact_scan_read_plain(scan, due < stop ? due - 1 : stop - 1);
    if (!kr_redact_scan_read(scan, is_final))
      return kr_redact_read_more(scan, is_final);
    bool is_due = (scan->pos & 15) == 0 || (scan->node | scan->hex_node) == 0;
    if (is_due && scan->pos >= scan->exact_until && scan->pos < end && kr_redact_try_leave(scan))
      return true;
  }
  /* Behind where the sieve stands only if what it does not know of is read as well. */
  if (scan->pos < end && scan->began <= scan->sieve.from)
    kr_redact_write_to(scan, kr_redact_scan_frontier(scan));
  else if (scan->pos == end)
    (void)kr_redact_read_more(scan, is_final);
  return true;
}

/* The next piece, with memory for it where it has escapes. */
static void kr_redact_sieve_on(kr_redact_scan *scan, bool is_final) {
  const kr_sieve *sieve = &scan->set->sieve;
  kr_sieve_state *state = &scan->sieve;
  if (kr_sieve_next(sieve, state, scan->window, scan->base, is_final, scan->room))
    return;
  scan->room = kr_sieve_room_new();
  if (scan->room == NULL)
    kr_redact_scan_fail(scan, KR_NOMEM);
  else
    (void)kr_sieve_next(sieve, state, scan->window, scan->base, is_final, scan->room);
}

/* While skipping: all before the next piece is decided, but for what widens to the left. */
static void kr_redact_write_skipped(kr_redact_scan *scan) {
  uint64_t decided = scan->sieve.from;
  if (scan->cover.n_runs >= KR_REDACT_WRITE_RUNS && decided > scan->written + KR_REDACT_LEFT_BYTES)
    kr_redact_write_to(scan, decided - KR_REDACT_LEFT_BYTES);
}

/* Skip to the next place. Always decided. */
static bool kr_redact_skip(kr_redact_scan *scan, bool is_final) {
  const kr_sieve *sieve = &scan->set->sieve;
  kr_sieve_state *state = &scan->sieve;
  uint64_t end = scan->base + scan->window.len;
  while (state->next_place < state->n_places) {
    const kr_sieve_place *place = &state->places[state->next_place++];
    if (!place->is_match) {
      kr_redact_begin(scan, place->start, place->until);
      return true;
    }
    kr_redact_scan_take(scan, place, is_final);
  }
  kr_redact_write_skipped(scan);
  bool is_short = !is_final && end - state->from <= sieve->reach + KR_SIEVE_SLACK_BYTES;
  if (sieve->is_blind)
    kr_redact_begin(scan, state->from, UINT64_MAX);
  else if (sieve->n_needles == 0 || (is_final && state->sieved >= end))
    scan->pos = end;
  else if (is_short || state->sieved >= end)
    kr_redact_begin(scan, state->from, end);
  else
    kr_redact_sieve_on(scan, is_final);
  return true;
}

kr_status kr_redact_scan_advance(kr_redact_scan *scan, kr_str window, uint64_t base,
                                 bool is_final) {
  uint64_t end = base + window.len;
  scan->window = window;
  scan->base = base;
  bool is_decided = true;
  while (is_decided && scan->pos < end && scan->status == KR_OK)
    is_decided =
        scan->is_exact ? kr_redact_read_on(scan, is_final) : kr_redact_skip(scan, is_final);
  scan->is_unchanged = scan->is_lazy && scan->cover.n_runs == 0 && scan->written == 0;
  if (is_final || (scan->set->sieve.n_needles == 0 && !scan->is_exact))
    kr_redact_write_to(scan, end);
  else if (scan->is_exact)
    kr_redact_write_to(scan, kr_redact_scan_frontier(scan));
  if (scan->report != NULL)
    kr_redact_scan_fail(scan, kr_redact_hits_flush(&scan->hits, scan->set, scan->report));
  scan->window = (kr_str){0};
  return scan->status;
}
