/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search.c - the walk over a text, and the exact verification of what a filter
 * let through.
 *
 * The text is walked in blocks of KR_SEARCH_DENSE_BYTES, each block by all
 * passes, so that it is read from memory once. A pass finds an occurrence not
 * at its start but at a probed place less than KR_SEARCH_WINDOW_BYTES behind
 * it. After a block that ends at `end`, every occurrence that starts before
 * end - KR_SEARCH_WINDOW_BYTES is therefore known, and some later ones are:
 *
 *      reported     known in part: wait in walk.hits
 *   ..............|-- WINDOW --|....................
 *                              end of the block
 *
 * When the next block turns out to be dense, what waits is dropped and the walk
 * returns the place where waiting began, so that the caller, who goes on from
 * there in another way, sees each occurrence once. A block with more occurrences
 * than walk.hits has room for is dense too.
 */
#define _GNU_SOURCE
#include "redact/search_internal.h"

#include <string.h>

/* len >= 8: the words before the last one, which was compared already. */
static bool kr_search_equal_words(const uint8_t *text, const uint8_t *needle, size_t len,
                                  uint64_t fold) {
  for (size_t i = 0; i + 8 < len; i += 8)
    if ((kr_search_load8(text + i) | fold) != kr_search_load8(needle + i))
      return false;
  return true;
}

static bool kr_search_equal_short(const uint8_t *text, const uint8_t *needle, size_t len,
                                  uint64_t fold) {
  if (len == 3)
    return (kr_search_gram(text, 3) | (fold & 0xffffff)) == kr_search_gram(needle, 3);
  uint32_t fold4 = (uint32_t)fold;
  return (kr_search_load4(text) | fold4) == kr_search_load4(needle) &&
         (kr_search_load4(text + len - 4) | fold4) == kr_search_load4(needle + len - 4);
}

static bool kr_search_equal(kr_search_walk *walk, const kr_search_needle *needle,
                            const uint8_t *text, uint64_t fold) {
  const uint8_t *bytes = walk->search->bytes + needle->at;
  size_t len = needle->len;
  if (len < 8)
    return kr_search_equal_short(text, bytes, len, fold);
  if ((kr_search_load8(text + len - 8) | fold) != needle->tail)
    return false;
  walk->compared_bytes += len;
  walk->units_left -= (int64_t)(len / KR_SEARCH_BYTES_A_UNIT);
  return kr_search_equal_words(text, bytes, len, fold);
}

static uint64_t kr_search_hash(const kr_search_pass *pass, const uint8_t *ptr) {
  uint8_t gram_len = pass->gram_len;
  uint64_t fold = gram_len == 8 ? pass->fold : pass->fold & ((1ull << (8 * gram_len)) - 1);
  return (kr_search_gram(ptr, gram_len) | fold) * pass->multiplier;
}

/* Count a candidate; false: one too many. */
static bool kr_search_spend(kr_search_walk *walk) {
  walk->candidates++;
  walk->units_left -= KR_SEARCH_CANDIDATE_UNITS;
  return walk->units_left >= 0;
}

/* All needles whose window may begin at `window` (at least from). */
static inline bool kr_search_verify_window(kr_search_walk *walk, const kr_search_pass *pass,
                                           size_t window) {
  if (!kr_search_spend(walk))
    return false;
  size_t ahead = (size_t)pass->lead + pass->gram_len - pass->back;
  if (walk->len - window < ahead || window - walk->from < pass->back)
    return true;
  uint64_t hash = kr_search_hash(pass, walk->text + window + ahead - pass->gram_len);
  uint32_t head = pass->heads[hash >> pass->heads_shift];
  if ((head & kr_search_head_bit(hash)) == 0)
    return true;
  for (uint32_t number = head & KR_SEARCH_NUMBER_MASK; number != 0;) {
    if (!kr_search_spend(walk))
      return false;
    const kr_search_needle *needle = &walk->search->needles[number - 1];
    size_t start = window - needle->window; /* wraps where it is before the text */
    if (window >= walk->from + needle->window && walk->len - start >= needle->len &&
        kr_search_equal(walk, needle, walk->text + start, pass->fold)) {
      if (walk->n_hits == KR_SEARCH_HITS)
        return false;
      walk->hits[walk->n_hits++] =
          (kr_search_hit){.start = (uint32_t)(start - walk->base), .needle = number - 1};
    }
    number = needle->next;
  }
  return walk->units_left >= 0;
}

bool kr_search_verify(kr_search_walk *walk, const kr_search_pass *pass, size_t at) {
  if (pass->offsets == NULL)
    return kr_search_verify_window(walk, pass, at);
  uint64_t hash = kr_search_hash(pass, walk->text + at);
  size_t n_before = at - walk->from;
  for (uint32_t slot = pass->offsets[hash >> pass->offsets_shift]; slot != 0; slot >>= 8) {
    size_t offset = (slot & 255) - 1;
    if ((slot & 255) == KR_SEARCH_MORE) {
      for (size_t k = 0; k < pass->stride && k <= n_before; k++)
        if (!kr_search_verify_window(walk, pass, at - k))
          return false;
      return true;
    }
    if (offset <= n_before && !kr_search_verify_window(walk, pass, at - offset))
      return false;
  }
  return kr_search_spend(walk);
}

/* 1: the anchor of a window that begins at ptr has a head. */
static inline uint64_t kr_search_has_head(const kr_search_pass *pass, const uint8_t *window) {
  uint64_t hash = (kr_search_load8(window + pass->lead) | pass->fold) * pass->multiplier;
  return pass->heads[hash >> pass->heads_shift] >> (24 + (hash >> 29 & 7)) & 1;
}

/* Without branches on what is found: they would be guessed wrong, once for each near miss. */
uint64_t kr_search_refine(const kr_search_walk *walk, const kr_search_pass *pass,
                          const uint8_t *group, uint64_t found) {
  const size_t stride = pass->stride;
  size_t at = (size_t)(group - walk->text);
  size_t ahead = KR_SEARCH_GROUP * stride + pass->lead + 8;
  if (pass->offsets == NULL || at - walk->from < stride || walk->len - at < ahead)
    return found;
  uint64_t kept = 0;
  for (; found != 0; found &= found - 1) {
    unsigned i = (unsigned)__builtin_ctzll(found);
    const uint8_t *ptr = group + i * stride;
    uint64_t hash = (kr_search_load8(ptr) | pass->fold) * pass->multiplier;
    uint32_t slot = pass->offsets[hash >> pass->offsets_shift];
    size_t first = slot & 255;
    size_t second = slot >> 8 & 255;
    size_t third = slot >> 16;
    bool is_simple = first != KR_SEARCH_MORE && second != KR_SEARCH_MORE && third < KR_SEARCH_MORE;
    first = is_simple ? first : 0; /* a place of the text all the same */
    second = is_simple ? second : 0;
    third = is_simple ? third : 0;
    uint64_t is_headed = kr_search_has_head(pass, ptr + 1 - first) & (first != 0);
    is_headed |= kr_search_has_head(pass, ptr + 1 - second) & (second != 0);
    is_headed |= kr_search_has_head(pass, ptr + 1 - third) & (third != 0);
    kept |= (is_headed | !is_simple) << i;
  }
  return kept;
}

/* Report what starts before `before`; the rest goes on waiting. */
static void kr_search_flush(kr_search_walk *walk, size_t before, kr_search_visit visit, void *ctx) {
  size_t n_waiting = 0;
  size_t n_reported = before - walk->base; /* bytes */
  for (size_t i = 0; i < walk->n_hits; i++) {
    kr_search_hit hit = walk->hits[i];
    if (hit.start < n_reported)
      visit(ctx, hit.needle, walk->base + hit.start);
    else
      walk->hits[n_waiting++] =
          (kr_search_hit){.start = hit.start - (uint32_t)n_reported, .needle = hit.needle};
  }
  walk->n_hits = n_waiting;
}

/* All passes over one block; false: dense. */
static bool kr_search_block(kr_search_walk *walk, size_t *cursors, size_t end, bool is_far) {
  const kr_search *search = walk->search;
  walk->units_left = KR_SEARCH_BLOCK_UNITS;
  for (uint32_t i = 0; i < search->n_passes; i++) {
    const kr_search_pass *pass = &search->passes[i];
    cursors[i] = (is_far ? pass->far : pass->near)(walk, pass, cursors[i], end);
    if (cursors[i] == KR_SEARCH_STOPPED)
      return false;
  }
  return true;
}

/* A text of one block: nothing waits. */
static size_t kr_search_walk_record(kr_search_walk *walk, kr_search_visit visit, void *ctx) {
  const kr_search *search = walk->search;
  walk->units_left = KR_SEARCH_BLOCK_UNITS;
  for (uint32_t i = 0; i < search->n_passes; i++) {
    const kr_search_pass *pass = &search->passes[i];
    if (pass->near(walk, pass, walk->from, walk->len) == KR_SEARCH_STOPPED)
      return walk->from;
  }
  for (size_t i = 0; i < walk->n_hits; i++)
    visit(ctx, walk->hits[i].needle, walk->from + walk->hits[i].start);
  return walk->len;
}

__attribute__((noinline)) static size_t kr_search_walk_text(kr_search_walk *walk,
                                                            kr_search_visit visit, void *ctx) {
  size_t cursors[KR_SEARCH_PASSES] = {walk->from, walk->from, walk->from, walk->from};
  size_t done = walk->from; /* all that starts before it was reported */
  bool is_far = walk->len - walk->from >= KR_SEARCH_FAR_BYTES;
  for (size_t begin = walk->from; begin < walk->len;) {
    size_t end =
        walk->len - begin <= KR_SEARCH_DENSE_BYTES ? walk->len : begin + KR_SEARCH_DENSE_BYTES;
    if (!kr_search_block(walk, cursors, end, is_far))
      return done;
    if (end == walk->len)
      done = end;
    else if (end - walk->from > KR_SEARCH_WINDOW_BYTES)
      done = end - KR_SEARCH_WINDOW_BYTES;
    if (walk->n_hits > 0)
      kr_search_flush(walk, done, visit, ctx);
    walk->base = done;
    begin = end;
  }
  return walk->len;
}

size_t kr_search_each_counted(const kr_search *search, kr_str text, size_t from,
                              kr_search_visit visit, void *ctx, kr_search_work *work) {
  if (search->n_passes == 0 || from >= text.len || text.len - from < search->min_len)
    return text.len;
  KR_SEARCH_UNINITIALIZED kr_search_walk walk;
  walk.search = search;
  walk.text = text.ptr;
  walk.len = text.len;
  walk.from = from;
  walk.base = from;
  walk.candidates = 0;
  walk.compared_bytes = 0;
  walk.n_hits = 0;
  size_t done = text.len - from <= KR_SEARCH_DENSE_BYTES ? kr_search_walk_record(&walk, visit, ctx)
                                                         : kr_search_walk_text(&walk, visit, ctx);
  if (work != NULL) {
    work->candidates += walk.candidates;
    work->compared_bytes += walk.compared_bytes;
  }
  return done;
}

size_t kr_search_each(const kr_search *search, kr_str text, size_t from, kr_search_visit visit,
                      void *ctx) {
  return kr_search_each_counted(search, text, from, visit, ctx, NULL);
}

size_t kr_search_max_len(const kr_search *search) { return search->max_len; }

size_t kr_search_memory(const kr_search *search) { return search->block_len; }

const char *kr_search_plan(const kr_search *search) { return search->plan; }

void kr_search_free(kr_search *search) {
  if (search != NULL)
    kr_search_block_release(search, search->block_len);
}
