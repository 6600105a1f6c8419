/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.c - reading raw bytes exactly: step every reading, note matches.
 * Readings with escapes are kept by paths.c; advance.c says what is read.
 */
#include "redact/scan.h"

#include "redact/paths.h"

void kr_redact_scan_init(kr_redact_scan *scan, const kr_redact_set *set,
                         const kr_redact_options *options, kr_redact_sink sink, void *ctx,
                         kr_redact_report *report) {
  memset(scan, 0, offsetof(kr_redact_scan, paths)); /* what follows is written before it is read */
  memset(&scan->sieve, 0, offsetof(kr_sieve_state, places));
  scan->set = set;
  scan->options = options;
  scan->sink = sink;
  scan->ctx = ctx;
  scan->report = report;
}
/* States of the automaton tell what was just read. */
static void kr_redact_scan_wipe(kr_redact_scan *scan) {
  if (scan->was_exact)
    kr_wipe(scan->paths, sizeof(scan->paths) + sizeof(scan->waiting));
  kr_wipe(scan, offsetof(kr_redact_scan, paths));
}

void kr_redact_scan_clear(kr_redact_scan *scan) {
  kr_redact_cover cover = {.runs = scan->cover.runs, .cap_runs = scan->cover.cap_runs};
  kr_redact_escapes escapes = {.ring = scan->escapes.ring, .cap = scan->escapes.cap};
  kr_redact_hits hits = scan->hits;
  kr_sieve_room *room = scan->room;
  if (hits.n_used > 0) /* of a text that failed */
    memset(hits.slots, 0, hits.cap * sizeof(*hits.slots));
  hits.n_used = 0;
  if (scan->escapes.last > 0)
    kr_wipe(escapes.ring, escapes.cap * sizeof(*escapes.ring));
  kr_redact_scan_wipe(scan);
  scan->cover = cover;
  memset(&scan->sieve, 0, offsetof(kr_sieve_state, places));
  scan->escapes = escapes;
  scan->hits = hits;
  scan->room = room;
}

void kr_redact_scan_done(kr_redact_scan *scan) {
  kr_redact_cover_done(&scan->cover);
  kr_redact_escapes_done(&scan->escapes);
  kr_redact_hits_done(&scan->hits);
  kr_sieve_room_free(scan->room);
  kr_redact_scan_wipe(scan);
}

void kr_redact_scan_fail(kr_redact_scan *scan, kr_status status) {
  if (scan->status == KR_OK)
    scan->status = status;
}

kr_str kr_redact_scan_from(const kr_redact_scan *scan, uint64_t from, uint64_t to) {
  return kr_str_slice(scan->window, (size_t)(from - scan->base), (size_t)(to - scan->base));
}

void kr_redact_scan_cover(kr_redact_scan *scan, uint64_t start, uint64_t end, uint32_t value) {
  kr_redact_run run = {.start = start, .end = end, .value = value};
  kr_redact_scan_fail(scan, kr_redact_cover_add(&scan->cover, run));
}

/* Is there an escape of one base64 character that starts at `start` and ends in [from, to]? */
static bool kr_redact_spells_base64(const kr_redact_scan *scan, uint64_t start, uint64_t from,
                                    uint64_t to) {
  kr_redact_tokens tokens;
  kr_str text = kr_redact_scan_from(scan, start, to);
  if (text.len == 0 || !kr_redact_is_introducer(text.ptr[0]))
    return false;
  (void)kr_redact_token_read(text, true, scan->set->enabled, &tokens);
  for (size_t i = 0; i < tokens.count; i++)
    if (start + tokens.items[i].len >= from && kr_redact_token_is_base64(&tokens.items[i]))
      return true;
  return false;
}

static uint64_t kr_redact_back(const kr_redact_scan *scan, uint64_t at, uint64_t len) {
  return at - scan->base < len ? scan->base : at - len;
}

/* Raw bytes of the longest base64 character, escaped or not, that ends at `at`; 0: none. */
static size_t kr_redact_left(const kr_redact_scan *scan, uint64_t at) {
  uint64_t start = kr_redact_back(scan, at, KR_REDACT_BASE64_ESCAPE_BYTES);
  for (; start < at; start++)
    if (kr_redact_spells_base64(scan, start, at, at))
      return (size_t)(at - start);
  return at > scan->base && kr_redact_is_base64(scan->window.ptr[at - scan->base - 1]) ? 1 : 0;
}

/* The earliest start of an escaped base64 character that crosses `at`; `at` if none does. */
static uint64_t kr_redact_crossing(const kr_redact_scan *scan, uint64_t at) {
  uint64_t start = kr_redact_back(scan, at, KR_REDACT_BASE64_ESCAPE_BYTES - 1);
  while (start < at &&
         !kr_redact_spells_base64(scan, start, at + 1, start + KR_REDACT_BASE64_ESCAPE_BYTES))
    start++;
  return start;
}

/* A shorter pattern's left neighbour can lie outside the longest only as part of an escape. */
static void kr_redact_widen_shorter(kr_redact_scan *scan, uint32_t at, uint64_t end, uint64_t start,
                                    const kr_redact_path *path) {
  const kr_redact_automaton *a = scan->forms;
  if (kr_redact_crossing(scan, start) == start)
    return;
  for (at = a->terminals[at].next; at != 0; at = a->terminals[at].next) {
    const kr_redact_terminal *terminal = &a->terminals[at];
    if (!terminal->widens_left)
      continue;
    uint64_t shorter = kr_redact_path_start(scan, path, terminal->len, end);
    kr_redact_scan_cover(scan, shorter - kr_redact_left(scan, shorter), end,
                         a->meanings[terminal->first].value);
  }
}

/* Raw bytes of the base64 character, escaped or not, that starts at `at`; 0: there is none. */
static size_t kr_redact_right(const kr_redact_scan *scan, uint64_t at, bool is_final) {
  kr_redact_tokens tokens = {.count = 0};
  kr_str text = kr_str_skip(scan->window, (size_t)(at - scan->base));
  if (text.len == 0)
    return 0;
  size_t len = kr_redact_is_base64(text.ptr[0]) ? 1 : 0;
  (void)kr_redact_token_read(text, is_final, scan->set->enabled, &tokens);
  for (size_t i = 0; i < tokens.count; i++)
    if (kr_redact_token_is_base64(&tokens.items[i]))
      len = tokens.items[i].len;
  return len;
}

static bool kr_redact_in_span(const kr_redact_scan *scan, uint64_t start, uint64_t end) {
  size_t from = 0;
  size_t to = scan->n_spans; /* the last span that starts at or before start is at from - 1 */
  while (from < to) {
    size_t middle = from + (to - from) / 2;
    if (scan->spans[middle].offset <= start)
      from = middle + 1;
    else
      to = middle;
  }
  return from > 0 && end <= (uint64_t)scan->spans[from - 1].offset + scan->spans[from - 1].len;
}

static void kr_redact_count_hit(kr_redact_scan *scan, uint32_t at, bool is_hex, uint64_t start,
                                uint64_t end, kr_redact_form form, bool with_shorter) {
  if (scan->report == NULL || end <= scan->counted || kr_redact_in_span(scan, start, end))
    return;
  uint64_t key = kr_redact_hits_key(at, is_hex, form, with_shorter);
  scan->hit_end = end > scan->hit_end ? end : scan->hit_end;
  kr_redact_scan_fail(scan, kr_redact_hits_add(&scan->hits, key));
}

/* A path counts only what the reading before it cannot: matches that start before their joint. */
static void kr_redact_count_path(kr_redact_scan *scan, uint32_t at, const kr_redact_path *path,
                                 uint64_t end) {
  const kr_redact_automaton *a = scan->forms;
  for (; scan->report != NULL && at != 0; at = a->terminals[at].next) {
    uint64_t start = kr_redact_path_start(scan, path, a->terminals[at].len, end);
    if (start >= path->joint)
      return;
    kr_redact_form form = KR_FORM_PERCENT; /* of several kinds of escapes the first is named */
    while (form <= KR_FORM_HTML && path->ends[form - KR_FORM_PERCENT] <= start)
      form++;
    form = form > KR_FORM_HTML ? KR_FORM_RAW : form;
    kr_redact_count_hit(scan, at, false, start, end, form, false);
  }
}

void kr_redact_scan_match(kr_redact_scan *scan, uint32_t node, const kr_redact_path *path,
                          uint64_t end) {
  const kr_redact_automaton *a = scan->forms;
  uint32_t at = a->outs[node];
  if (at == 0)
    return;
  const kr_redact_terminal *terminal = &a->terminals[at];
  uint64_t start = kr_redact_path_start(scan, path, terminal->len, end);
  uint64_t widened = terminal->widens_left ? start - kr_redact_left(scan, start) : start;
  kr_redact_scan_cover(scan, widened, end, a->meanings[terminal->first].value);
  if (terminal->shorter_widens_left)
    kr_redact_widen_shorter(scan, at, end, start, path);
  if (terminal->widens_right)
    scan->widen_mask |= 1u << (end - scan->pos);
  if (path == NULL)
    kr_redact_count_hit(scan, at, false, start, end, KR_FORM_RAW, true);
  else
    kr_redact_count_path(scan, at, path, end);
}

static void kr_redact_match_hex(kr_redact_scan *scan, uint64_t end) {
  const kr_redact_automaton *a = scan->hex;
  uint32_t at = a->outs[scan->hex_node];
  if (at == 0)
    return;
  uint64_t start = end - a->terminals[at].len;
  kr_redact_scan_cover(scan, start, end, a->meanings[a->terminals[at].first].value);
  kr_redact_count_hit(scan, at, true, start, end, KR_FORM_HEX, true);
}

/* The readings without escapes take one byte. */
static void kr_redact_step_plain(kr_redact_scan *scan, uint8_t byte) {
  uint8_t lower = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
  scan->node = kr_redact_step(scan->forms, scan->node, byte);
  if (scan->forms->outs[scan->node] != 0)
    kr_redact_scan_match(scan, scan->node, NULL, scan->pos + 1);
  scan->node = kr_redact_settle(scan->forms, scan->node);
  scan->hex_node = kr_redact_step(scan->hex, scan->hex_node, lower);
  if (scan->hex->outs[scan->hex_node] != 0)
    kr_redact_match_hex(scan, scan->pos + 1);
  scan->hex_node = kr_redact_settle(scan->hex, scan->hex_node);
}

void kr_redact_scan_read_plain(kr_redact_scan *scan, uint64_t stop) {
  const uint8_t *window = scan->window.ptr;
  while (scan->pos < stop && (scan->n_paths | scan->n_waiting | scan->widen_mask) == 0) {
    uint8_t byte = window[scan->pos - scan->base];
    if (kr_redact_is_introducer(byte))
      return;
    kr_redact_step_plain(scan, byte);
    scan->pos++;
    scan->widen_mask >>= 1;
  }
}

/* The character at pos also holds bits of a value just matched: remove it, escaped or not. */
static void kr_redact_widen_right(kr_redact_scan *scan, uint8_t byte,
                                  const kr_redact_tokens *tokens) {
  uint64_t end = kr_redact_is_base64(byte) ? scan->pos + 1 : scan->pos;
  for (size_t i = 0; i < tokens->count; i++)
    if (kr_redact_token_is_base64(&tokens->items[i]))
      end = scan->pos + tokens->items[i].len;
  if (end > scan->pos)
    kr_redact_scan_cover(scan, scan->pos, end, KR_REDACT_NO_VALUE);
}

bool kr_redact_scan_read(kr_redact_scan *scan, bool is_final) {
  kr_str text = kr_str_skip(scan->window, (size_t)(scan->pos - scan->base));
  uint8_t byte = text.ptr[0];
  kr_redact_tokens tokens = {.count = 0};
  bool is_escape = kr_redact_is_introducer(byte);
  if (is_escape && !kr_redact_token_read(text, is_final, scan->set->enabled, &tokens))
    return false;
  if ((scan->widen_mask & 1) != 0)
    kr_redact_widen_right(scan, byte, &tokens);
  for (size_t i = 0; i < tokens.count; i++)
    kr_redact_paths_fork(scan, &tokens.items[i]);
  kr_redact_step_plain(scan, byte);
  if (scan->n_paths > 0)
    kr_redact_paths_step(scan, byte);
  scan->pos++;
  scan->widen_mask >>= 1;
  if (scan->n_waiting > 0 || scan->n_paths > 0)
    kr_redact_paths_settle(scan);
  return true;
}

/* With a match still possible from start on: the first byte that must be held for it. */
static uint64_t kr_redact_hold(const kr_redact_scan *scan, uint64_t start, uint32_t node) {
  const kr_redact_automaton *a = scan->forms;
  if (!a->has_left)
    return start;
  uint64_t held = a->needs_left[node] ? start - kr_redact_left(scan, start) : start;
  uint64_t crossing = kr_redact_crossing(scan, start);
  return crossing < held ? crossing : held;
}

/* The earliest byte at which something read so far may still be the start of a pattern. */
uint64_t kr_redact_scan_open(const kr_redact_scan *scan) {
  uint64_t open = scan->pos - scan->forms->depth[scan->node];
  uint64_t other = scan->pos - scan->hex->depth[scan->hex_node];
  open = other < open ? other : open;
  for (size_t i = 0; i < scan->n_paths + scan->n_waiting; i++) {
    const kr_redact_path *path =
        i < scan->n_paths ? &scan->paths[i] : &scan->waiting[i - scan->n_paths];
    other = kr_redact_path_start(scan, path, scan->forms->depth[path->node], path->resume);
    open = other < open ? other : open;
  }
  return open;
}

/* A pattern found by the sieve, as it is. */
void kr_redact_scan_take(kr_redact_scan *scan, const kr_sieve_place *place, bool is_final) {
  const kr_sieve_needle *needle = &scan->set->sieve.needles[place->needle];
  uint64_t start =
      needle->widens_left ? place->start - kr_redact_left(scan, place->start) : place->start;
  uint64_t end = place->until;
  if (needle->widens_right)
    end += kr_redact_right(scan, end, is_final);
  kr_redact_scan_cover(scan, start, end, needle->value);
  if (scan->report == NULL || place->until <= scan->counted ||
      kr_redact_in_span(scan, place->start, place->until))
    return;
  uint64_t key = kr_redact_hits_needle_key(place->needle);
  kr_redact_scan_fail(scan, kr_redact_hits_add(&scan->hits, key));
}

uint64_t kr_redact_scan_frontier(const kr_redact_scan *scan) {
  uint64_t frontier = kr_redact_hold(scan, scan->pos, 0);
  uint64_t held = kr_redact_hold(scan, scan->pos - scan->forms->depth[scan->node], scan->node);
  frontier = held < frontier ? held : frontier;
  held = scan->pos - scan->hex->depth[scan->hex_node];
  frontier = held < frontier ? held : frontier;
  for (size_t i = 0; i < scan->n_paths + scan->n_waiting; i++) {
    const kr_redact_path *path =
        i < scan->n_paths ? &scan->paths[i] : &scan->waiting[i - scan->n_paths];
    uint32_t depth = scan->forms->depth[path->node];
    held = kr_redact_hold(scan, kr_redact_path_start(scan, path, depth, path->resume), path->node);
    frontier = held < frontier ? held : frontier;
  }
  return frontier;
}
