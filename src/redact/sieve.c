/* SPDX-License-Identifier: Apache-2.0 */
/* sieve.c - choosing cores, and making places of what the search finds; see sieve.h. */
#include "redact/sieve.h"

#include "base/buf.h"
#include "redact/token.h"
#include "secmem/sensitive.h"

#define KR_SIEVE_GOOD_BYTES 4u /* a shorter core is worth reading behind foreign escapes */

/* A stretch of a pattern. */
typedef struct kr_sieve_core {
  size_t at;
  size_t len;
} kr_sieve_core;

static bool kr_sieve_is_better(kr_str bytes, kr_sieve_core core, kr_sieve_core best) {
  /* All PEM keys begin alike. */
  bool is_frame =
      core.at < bytes.len && kr_str_starts(kr_str_skip(bytes, core.at), KR_STR("-----"));
  if (is_frame && best.len >= KR_SIEVE_GOOD_BYTES)
    return false;
  return core.len > best.len;
}

/* The best core of a pattern: len 0 when there is none. */
static kr_sieve_core kr_sieve_choose(kr_str bytes, bool is_careful) {
  kr_sieve_core best = {0};
  size_t within = bytes.len < KR_SIEVE_WITHIN_BYTES ? bytes.len : KR_SIEVE_WITHIN_BYTES;
  for (size_t from = 0; from < within; from++) {
    size_t end = from;
    while (end < within && !kr_plain_is_special(bytes.ptr[end]))
      end++;
    kr_sieve_core core = {.at = from, .len = end - from};
    size_t taken = is_careful ? 0 : kr_plain_taken(kr_str_skip(bytes, from));
    taken = taken < core.len ? taken : core.len;
    core.at += taken;
    core.len -= taken;
    if (core.len > KR_SIEVE_CORE_BYTES)
      core.len = KR_SIEVE_CORE_BYTES;
    if (kr_sieve_is_better(bytes, core, best))
      best = core;
    from = end;
  }
  return best;
}

static void kr_sieve_add(kr_sieve *sieve, const kr_redact_pattern *patterns, uint32_t first,
                         uint32_t count, bool is_hex) {
  kr_sieve_needle needle = {.bytes = patterns[first].bytes, .first = first, .count = count};
  needle.value = patterns[first].value;
  needle.is_hex = is_hex;
  for (uint32_t i = first; i < first + count; i++) {
    needle.widens_left = needle.widens_left || patterns[i].widens_left;
    needle.widens_right = needle.widens_right || patterns[i].widens_right;
  }
  kr_sieve_core core = kr_sieve_choose(needle.bytes, false);
  if (core.len < KR_SIEVE_GOOD_BYTES) {
    kr_sieve_core whole = kr_sieve_choose(needle.bytes, true);
    sieve->is_careful = sieve->is_careful || whole.len > core.len;
    core = whole.len > core.len ? whole : core;
  }
  if (core.len < KR_SEARCH_MIN_BYTES) {
    sieve->is_blind = true;
    return;
  }
  needle.core_at = (uint16_t)core.at;
  needle.core_len = (uint16_t)core.len;
  if (core.at + core.len > sieve->reach)
    sieve->reach = core.at + core.len;
  sieve->needles[sieve->n_needles++] = needle;
}

static void kr_sieve_add_all(kr_sieve *sieve, const kr_redact_pattern *patterns, size_t n,
                             bool is_hex) {
  for (size_t first = 0, end; first < n; first = end) {
    end = first + 1;
    while (end < n && kr_str_equal(patterns[first].bytes, patterns[end].bytes))
      end++;
    kr_sieve_add(sieve, patterns, (uint32_t)first, (uint32_t)(end - first), is_hex);
    sieve->reads_plus = sieve->reads_plus || (!is_hex && memchr(patterns[first].bytes.ptr, ' ',
                                                                patterns[first].bytes.len) != NULL);
  }
}

/* The cores as the plain reading shows them. */
static kr_status kr_sieve_build(kr_sieve *sieve) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory());
  KR_CLEANUP(kr_buf_done) kr_buf cores = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory());
  size_t total = 0;
  for (size_t i = 0; i < sieve->n_needles; i++)
    total += sieve->needles[i].core_len;
  KR_TRY(kr_buf_reserve(&text, total));
  KR_TRY(kr_buf_reserve(&cores, sieve->n_needles * sizeof(kr_str)));
  for (size_t i = 0; i < sieve->n_needles; i++) {
    const kr_sieve_needle *needle = &sieve->needles[i];
    uint8_t *bytes = text.ptr + text.len;
    kr_str core = kr_str_from(bytes, needle->core_len);
    KR_TRY(kr_buf_append(&text, kr_str_from(needle->bytes.ptr + needle->core_at, core.len)));
    for (size_t k = 0; sieve->reads_plus && k < core.len; k++)
      if (bytes[k] == '+')
        bytes[k] = ' ';
    KR_TRY(kr_buf_append(&cores, kr_str_from(&core, sizeof(core))));
  }
  const kr_search_options options = {.fold_bit5 = true};
  return kr_search_build((const kr_str *)(const void *)cores.ptr, sieve->n_needles, &options,
                         &sieve->search);
}

kr_status kr_sieve_init(kr_sieve *sieve, const kr_redact_pattern *forms, size_t n_forms,
                        const kr_redact_pattern *hex, size_t n_hex) {
  *sieve = (kr_sieve){0};
  size_t n = n_forms + n_hex; /* both below 32 bits, see automaton.c */
  sieve->capacity = n;
  if (n == 0)
    return KR_OK;
  sieve->needles = kr_sensitive_memory()->alloc(n * sizeof(*sieve->needles));
  if (sieve->needles == NULL)
    return KR_NOMEM;
  kr_sieve_add_all(sieve, forms, n_forms, false);
  kr_sieve_add_all(sieve, hex, n_hex, true);
  kr_status status = sieve->is_blind ? KR_OK : kr_sieve_build(sieve);
  if (status != KR_OK)
    kr_sieve_done(sieve);
  return status;
}

void kr_sieve_done(kr_sieve *sieve) {
  kr_search_free(sieve->search);
  if (sieve->needles != NULL)
    kr_sensitive_memory()->release(sieve->needles, sieve->capacity * sizeof(*sieve->needles));
  *sieve = (kr_sieve){0};
}

kr_sieve_room *kr_sieve_room_new(void) {
  return kr_sensitive_memory()->alloc(sizeof(kr_sieve_room));
}

void kr_sieve_room_free(kr_sieve_room *room) {
  if (room != NULL)
    kr_sensitive_memory()->release(room, sizeof(*room));
}

/* One piece while it is looked at: raw [start, end), and what the search sees of it. */
typedef struct kr_sieve_piece {
  const kr_sieve *sieve;
  kr_sieve_state *state;
  kr_str window;
  uint64_t base;
  uint64_t start;
  uint64_t end;
  bool is_final;
  bool is_flood;
  const uint32_t *map; /* NULL: the search sees the raw bytes */
} kr_sieve_piece;

/* The block of the byte at plain offset n. */
static size_t kr_sieve_block(const kr_sieve_piece *piece, size_t n) {
  size_t from = 0;
  size_t to = (size_t)(piece->end - piece->start) / KR_PLAIN_BLOCK_BYTES;
  while (from < to) { /* the last block that starts at or before n */
    size_t middle = to - (to - from) / 2;
    if (piece->map[middle] <= n)
      from = middle;
    else
      to = middle - 1;
  }
  return from;
}

/*
 * The earliest raw position at which the byte at plain offset n, with an escape
 * that spells it, can start: of an escape only its last byte may be in the block.
 */
static uint64_t kr_sieve_lowest(const kr_sieve_piece *piece, size_t n) {
  uint64_t at = piece->start + n;
  if (piece->map != NULL)
    at = piece->start + kr_sieve_block(piece, n) * KR_PLAIN_BLOCK_BYTES;
  uint64_t first = piece->start + KR_REDACT_TOKEN_BYTES;
  return at < first ? piece->start : at - KR_REDACT_TOKEN_BYTES;
}

/* Every byte at plain offset n or before starts before it in the raw text. */
static uint64_t kr_sieve_highest(const kr_sieve_piece *piece, size_t n) {
  if (piece->map == NULL)
    return piece->start + n + 1;
  return piece->start + (kr_sieve_block(piece, n) + 1) * KR_PLAIN_BLOCK_BYTES;
}

static void kr_sieve_put(kr_sieve_piece *piece, kr_sieve_place place) {
  kr_sieve_state *state = piece->state;
  if (state->n_places == KR_SIEVE_PLACES) {
    piece->is_flood = true;
    return;
  }
  if (place.start < state->from)
    place.start = state->from;
  size_t at = state->n_places++;
  for (; at > 0; at--) {
    const kr_sieve_place *before = &state->places[at - 1];
    if (before->start < place.start || (before->start == place.start && !before->is_match))
      break;
    state->places[at] = *before;
  }
  state->places[at] = place;
}

static bool kr_sieve_equals(const kr_sieve_needle *needle, const uint8_t *text) {
  if (!needle->is_hex)
    return memcmp(needle->bytes.ptr, text, needle->bytes.len) == 0;
  for (size_t i = 0; i < needle->bytes.len; i++) {
    uint8_t byte = text[i] >= 'A' && text[i] <= 'Z' ? (uint8_t)(text[i] | 0x20) : text[i];
    if (byte != needle->bytes.ptr[i])
      return false;
  }
  return true;
}

/* A pattern that starts at raw position `start`, if the text there reads in one way only. True:
 * decided. */
static bool kr_sieve_decide(kr_sieve_piece *piece, uint32_t index, uint64_t start) {
  const kr_sieve_needle *needle = &piece->sieve->needles[index];
  uint64_t end = start + needle->bytes.len;
  if (start < piece->state->from)
    return true; /* known from the piece before */
  if (end > piece->base + piece->window.len)
    return piece->is_final;
  /* Whether the character behind it is escaped may not be known yet. */
  if (needle->widens_right && !piece->is_final &&
      end + KR_REDACT_TOKEN_BYTES > piece->base + piece->window.len)
    return false;
  /* An escape that ends with the first byte, as in \" before value "x, belongs to the match as
   * well. */
  uint64_t before =
      start - piece->base < KR_REDACT_TOKEN_BYTES ? piece->base : start - KR_REDACT_TOKEN_BYTES;
  kr_str around =
      kr_str_slice(piece->window, (size_t)(before - piece->base), (size_t)(end - piece->base));
  if (kr_plain_clean_len(around, piece->sieve->reads_plus) < around.len)
    return false;
  kr_str text = kr_str_skip(around, (size_t)(start - before));
  if (kr_sieve_equals(needle, text.ptr))
    kr_sieve_put(piece,
                 (kr_sieve_place){.start = start, .until = end, .needle = index, .is_match = true});
  return true;
}

/* Is the raw position of plain offset n known exactly? */
static bool kr_sieve_locate(const kr_sieve_piece *piece, size_t n, uint64_t *ret_raw) {
  if (piece->map == NULL) {
    *ret_raw = piece->start + n;
    return true;
  }
  size_t block = kr_sieve_block(piece, n);
  *ret_raw = piece->start + block * KR_PLAIN_BLOCK_BYTES + (n - piece->map[block]);
  return piece->map[block + 1] - piece->map[block] == KR_PLAIN_BLOCK_BYTES;
}

static void kr_sieve_visit(void *ctx, uint32_t index, size_t n) {
  kr_sieve_piece *piece = ctx;
  const kr_sieve_needle *needle = &piece->sieve->needles[index];
  uint64_t core = 0;
  if (kr_sieve_locate(piece, n, &core)) {
    if (core < piece->state->from + needle->core_at)
      return; /* it would start before, where all is known */
    if (kr_sieve_decide(piece, index, core - needle->core_at))
      return;
  }
  size_t before = n < needle->core_at ? 0 : n - needle->core_at;
  kr_sieve_put(piece, (kr_sieve_place){.start = kr_sieve_lowest(piece, before),
                                       .until = kr_sieve_highest(piece, n)});
}

/*
 * A core may be taken in part by any escape, be its introducer foreign or the
 * byte of the pattern before the core: look around each.
 */
static void kr_sieve_visit_escapes(kr_sieve_piece *piece) {
  kr_redact_tokens tokens;
  kr_str text = kr_str_skip(piece->window, (size_t)(piece->start - piece->base));
  size_t len = (size_t)(piece->end - piece->start);
  for (size_t at = 0; at < len && !piece->is_flood; at++) {
    at += kr_plain_clean_len(kr_str_slice(text, at, len), false);
    if (at >= len)
      break;
    (void)kr_redact_token_read(kr_str_skip(text, at), true, UINT32_MAX, &tokens);
    size_t longest = 0;
    for (size_t i = 0; i < tokens.count; i++)
      longest = tokens.items[i].len > longest ? tokens.items[i].len : longest;
    if (longest <= 2)
      continue;
    size_t n = piece->map[at / KR_PLAIN_BLOCK_BYTES];
    n = n < piece->sieve->reach ? 0 : n - piece->sieve->reach;
    kr_sieve_put(piece, (kr_sieve_place){.start = kr_sieve_lowest(piece, n),
                                         .until = piece->start + at + longest});
  }
}

static void kr_sieve_search(kr_sieve_piece *piece, kr_str text) {
  const kr_sieve *sieve = piece->sieve;
  size_t from = 0;
  while (from < text.len && sieve->search != NULL) {
    from = kr_search_each(sieve->search, text, from, kr_sieve_visit, piece);
    if (from >= text.len)
      break;
    size_t to = text.len - from > KR_SEARCH_DENSE_BYTES ? from + KR_SEARCH_DENSE_BYTES : text.len;
    kr_sieve_put(piece, (kr_sieve_place){.start = kr_sieve_lowest(
                                             piece, from < sieve->reach ? 0 : from - sieve->reach),
                                         .until = kr_sieve_highest(piece, to - 1)});
    from = to;
  }
}

/* Patterns that start before are known now: their core, if any, would end within the piece. */
static void kr_sieve_move_on(kr_sieve_piece *piece, size_t n) {
  size_t open = piece->sieve->reach + (piece->map == NULL ? 0 : KR_SIEVE_SLACK_BYTES);
  uint64_t from = n > open ? kr_sieve_lowest(piece, n - open) : piece->start;
  if (piece->map == NULL && from > piece->start)
    from += KR_REDACT_TOKEN_BYTES; /* no escape stands before it */
  /* A piece of nearly nothing but escapes: read it exactly, or the next one would start here too.
   */
  if (from + KR_PLAIN_PIECE_BYTES <= piece->end) {
    kr_sieve_put(piece, (kr_sieve_place){.start = piece->start, .until = piece->end});
    from = piece->end;
  }
  if (from > piece->state->from)
    piece->state->from = from;
  piece->state->sieved = piece->end;
}

/*
 * What starts behind is found again in the next piece, or read exactly where the
 * window ends; a match taken in both would be counted twice.
 */
static void kr_sieve_leave_to_next(kr_sieve_state *state) {
  while (state->n_places > 0 && state->places[state->n_places - 1].start >= state->from)
    state->n_places--;
}

bool kr_sieve_next(const kr_sieve *sieve, kr_sieve_state *state, kr_str window, uint64_t base,
                   bool is_final, kr_sieve_room *room) {
  uint64_t end = base + window.len;
  kr_sieve_piece piece = {.sieve = sieve, .state = state, .window = window, .base = base};
  piece.start = state->from;
  piece.end = end - piece.start > KR_PLAIN_PIECE_BYTES ? piece.start + KR_PLAIN_PIECE_BYTES : end;
  piece.is_final = is_final;
  size_t len = (size_t)(piece.end - piece.start);
  kr_str text = kr_str_skip(window, (size_t)(piece.start - base));
  kr_str plain = kr_str_slice(text, 0, len);
  if (kr_plain_clean_len(plain, sieve->reads_plus) < len) {
    if (room == NULL)
      return false;
    plain =
        kr_str_from(room->text, kr_plain_read(text, len, sieve->reads_plus, room->text, room->map));
    piece.map = room->map;
  }
  state->n_places = 0;
  state->next_place = 0;
  kr_sieve_search(&piece, plain);
  if (sieve->is_careful && piece.map != NULL)
    kr_sieve_visit_escapes(&piece);
  kr_sieve_move_on(&piece, plain.len);
  if (piece.is_flood) {
    state->n_places = 1;
    state->places[0] = (kr_sieve_place){.start = piece.start, .until = piece.end};
  }
  if (!is_final || piece.end < end)
    kr_sieve_leave_to_next(state);
  return true;
}
