/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.c - the walk over raw bytes: step every reading, note matches, write
 * what is decided. Readings with escapes are kept by paths.c.
 */
#include "redact/scan.h"

#include "redact/paths.h"

#define KR_REDACT_SLICE_BYTES (16u * 1024u) /* read between two writes to the sink */

void kr_redact_scan_init(kr_redact_scan *scan, const kr_redact_set *set,
                         const kr_redact_options *options, kr_redact_sink sink, void *ctx,
                         kr_redact_report *report) {
  memset(scan, 0, sizeof(*scan));
  scan->set = set;
  scan->options = options;
  scan->sink = sink;
  scan->ctx = ctx;
  scan->report = report;
}

void kr_redact_scan_done(kr_redact_scan *scan) {
  kr_redact_cover_done(&scan->cover);
  kr_redact_escapes_done(&scan->escapes);
  kr_redact_hits_done(&scan->hits);
  kr_wipe(scan, sizeof(*scan)); /* states of the automaton tell what was just read */
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
  const kr_redact_automaton *a = scan->set->forms;
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
  if (scan->report == NULL || kr_redact_in_span(scan, start, end))
    return;
  uint64_t key = kr_redact_hits_key(at, is_hex, form, with_shorter);
  kr_redact_scan_fail(scan, kr_redact_hits_add(&scan->hits, key));
}

/* A path counts only what the reading before it cannot: matches that start before their joint. */
static void kr_redact_count_path(kr_redact_scan *scan, uint32_t at, const kr_redact_path *path,
                                 uint64_t end) {
  const kr_redact_automaton *a = scan->set->forms;
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
  const kr_redact_automaton *a = scan->set->forms;
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
  const kr_redact_automaton *a = scan->set->hex;
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
  scan->node = kr_redact_step(scan->set->forms, scan->node, byte);
  kr_redact_scan_match(scan, scan->node, NULL, scan->pos + 1);
  scan->node = kr_redact_settle(scan->set->forms, scan->node);
  scan->hex_node = kr_redact_step(scan->set->hex, scan->hex_node, lower);
  kr_redact_match_hex(scan, scan->pos + 1);
  scan->hex_node = kr_redact_settle(scan->set->hex, scan->hex_node);
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

/* Read the byte at pos in every way. False: it starts an escape that is not yet decided. */
static bool kr_redact_read(kr_redact_scan *scan, bool is_final) {
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
  const kr_redact_automaton *a = scan->set->forms;
  if (!a->has_left)
    return start;
  uint64_t held = a->needs_left[node] ? start - kr_redact_left(scan, start) : start;
  uint64_t crossing = kr_redact_crossing(scan, start);
  return crossing < held ? crossing : held;
}

uint64_t kr_redact_scan_frontier(const kr_redact_scan *scan) {
  uint64_t frontier = kr_redact_hold(scan, scan->pos, 0);
  uint64_t held = kr_redact_hold(scan, scan->pos - scan->set->forms->depth[scan->node], scan->node);
  frontier = held < frontier ? held : frontier;
  held = scan->pos - scan->set->hex->depth[scan->hex_node];
  frontier = held < frontier ? held : frontier;
  for (size_t i = 0; i < scan->n_paths + scan->n_waiting; i++) {
    const kr_redact_path *path =
        i < scan->n_paths ? &scan->paths[i] : &scan->waiting[i - scan->n_paths];
    uint32_t depth = scan->set->forms->depth[path->node];
    held = kr_redact_hold(scan, kr_redact_path_start(scan, path, depth, path->resume), path->node);
    frontier = held < frontier ? held : frontier;
  }
  return frontier;
}

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

kr_status kr_redact_scan_advance(kr_redact_scan *scan, kr_str window, uint64_t base,
                                 bool is_final) {
  uint64_t end = base + window.len;
  scan->window = window;
  scan->base = base;
  bool is_decided = true;
  while (is_decided && scan->pos < end && scan->status == KR_OK) {
    uint64_t stop =
        end - scan->pos > KR_REDACT_SLICE_BYTES ? scan->pos + KR_REDACT_SLICE_BYTES : end;
    while (is_decided && scan->pos < stop && scan->status == KR_OK)
      is_decided = kr_redact_read(scan, is_final);
    kr_redact_write_to(scan, kr_redact_scan_frontier(scan));
  }
  if (is_final)
    kr_redact_write_to(scan, end);
  if (scan->report != NULL)
    kr_redact_scan_fail(scan, kr_redact_hits_flush(&scan->hits, scan->set, scan->report));
  scan->window = (kr_str){0};
  return scan->status;
}
