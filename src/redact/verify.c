/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - the second net: one pass over the output. A spelling that begins at
 * some byte is a prefix of the rest of the output, so of the spellings that do
 * not sort behind that rest the last one is it, or has it as a prefix:
 *
 *   output  ...abcabx...     the last item not behind it is "abcab", which begins with "ab"
 *
 * Shares nothing with the automaton, the sieve and their readings. Whatever
 * fails counts as "found", also when the output takes more than
 * KR_VERIFY_WORK_BYTES to compare for each of its bytes: a long value's near
 * misses at every byte.
 */
#include "redact/verify.h"

#include "redact/set.h"

#include <pthread.h>
#include <stdlib.h>

#define KR_VERIFY_WORK_BYTES 1024u /* compared per byte of output, and once more as many */

struct kr_verify_slot {
  pthread_mutex_t lock;
  kr_verify_index *index; /* under the lock until it is there, then immutable */
  bool is_too_large;      /* for an index: not tried again */
};

typedef struct kr_verify_search {
  const kr_verify_index *index;
  kr_str output;
  uint64_t work_left; /* bytes that may yet be compared */
} kr_verify_search;

/* Bytes that are the same at the start of both, eight at a time. */
static size_t kr_verify_shared(kr_str a, kr_str b) {
  size_t most = a.len < b.len ? a.len : b.len;
  size_t n = 0;
  while (most - n >= 8 && memcmp(a.ptr + n, b.ptr + n, 8) == 0)
    n += 8;
  while (n < most && a.ptr[n] == b.ptr[n])
    n++;
  return n;
}

/* The marker at `start` of the output: its bytes; 0: there is none. Its name is one of the set. */
static size_t kr_verify_marker(const kr_verify_search *search, size_t start) {
  kr_str opening = KR_STR("[REDACTED:");
  kr_str rest = kr_str_skip(search->output, start);
  if (kr_str_starts(rest, KR_STR("[REDACTED]")))
    return sizeof("[REDACTED]") - 1;
  if (!kr_str_starts(rest, opening))
    return 0;
  kr_str name = kr_str_slice(rest, opening.len, opening.len + KR_REDACT_NAME_BYTES + 1);
  const kr_str *names = (const kr_str *)(const void *)search->index->names.ptr;
  size_t found = 0;
  for (size_t len = 0; len < name.len; len++) {
    size_t from = 0;
    size_t to = search->index->names.len / sizeof(kr_str);
    while (name.ptr[len] == ']' && from < to && found == 0) {
      size_t middle = from + (to - from) / 2;
      int order = kr_str_compare(names[middle], kr_str_slice(name, 0, len));
      found = order == 0 ? opening.len + len + 1 : 0;
      from = order < 0 ? middle + 1 : from;
      to = order > 0 ? middle : to;
    }
  }
  return found;
}

/* Do these bytes of the output lie wholly inside one marker? */
static bool kr_verify_in_marker(kr_verify_search *search, size_t at, size_t len) {
  size_t reach = sizeof("[REDACTED:") + KR_REDACT_NAME_BYTES;
  search->work_left = search->work_left > reach ? search->work_left - reach : 0;
  for (size_t start = at > reach ? at - reach : 0; start <= at; start++)
    if (search->output.ptr[start] == '[' && at + len <= start + kr_verify_marker(search, start))
      return true;
  return false;
}

/* The last item that does not sort behind text; KR_VERIFY_NONE: they all do. */
static uint32_t kr_verify_last(kr_verify_search *search, kr_str text) {
  uint64_t head = kr_verify_head(text);
  size_t from = 0; /* those before are not behind text, those from `to` on are */
  size_t to = search->index->n_items;
  while (from < to) {
    size_t middle = from + (to - from) / 2;
    const kr_verify_item *item = kr_verify_item_at(search->index, middle);
    bool is_behind = item->head > head;
    if (item->head == head) {
      size_t shared = kr_verify_shared(kr_str_from(item->ptr, item->len), text);
      search->work_left = search->work_left > shared ? search->work_left - shared : 0;
      is_behind =
          shared < item->len && (shared == text.len || item->ptr[shared] > text.ptr[shared]);
    }
    from = is_behind ? from : middle + 1;
    to = is_behind ? middle : to;
  }
  return from == 0 ? KR_VERIFY_NONE : (uint32_t)(from - 1);
}

/* Does a spelling, not inside a marker, begin at this byte? */
static bool kr_verify_finds(kr_verify_search *search, size_t at) {
  kr_str text = kr_str_skip(search->output, at);
  uint32_t found = kr_verify_last(search, text);
  size_t shared = 0;
  if (found != KR_VERIFY_NONE) {
    const kr_verify_item *last = kr_verify_item_at(search->index, found);
    shared = kr_verify_shared(kr_str_from(last->ptr, last->len), text);
  }
  for (; found != KR_VERIFY_NONE && search->work_left > 0;
       found = kr_verify_item_at(search->index, found)->shorter) {
    size_t len = kr_verify_item_at(search->index, found)->len;
    if (len <= shared && !kr_verify_in_marker(search, at, len))
      return true;
  }
  return search->work_left == 0;
}

/* Those at one place of the text: n_first bytes that end the latest. */
static inline bool kr_verify_may_begin(const uint64_t *words, unsigned shift, uint64_t latest,
                                       unsigned n_first) {
  uint64_t hash = kr_verify_hash(latest & UINT64_MAX >> (64 - 8 * n_first), n_first);
  uint64_t mask = kr_verify_mask(hash);
  return (words[hash >> shift] & mask) == mask;
}

static bool kr_verify_is_clean(const kr_verify_index *index, kr_str output) {
  kr_verify_search search = {.index = index, .output = output};
  const uint64_t *words = (const uint64_t *)(const void *)index->table.ptr;
  const unsigned shift = index->word_shift;
  const size_t n_firsts = index->n_firsts;
  uint64_t latest = 0; /* eight bytes up to the one at i */
  search.work_left = ((uint64_t)output.len + 1) * KR_VERIFY_WORK_BYTES;
  for (size_t i = 0; i < output.len; i++) {
    latest = latest << 8 | output.ptr[i];
    for (size_t k = 0; k < n_firsts; k++) {
      unsigned n_first = index->firsts[k];
      if (kr_verify_may_begin(words, shift, latest, n_first) && i + 1 >= n_first &&
          kr_verify_finds(&search, i + 1 - n_first))
        return false;
    }
  }
  return true;
}

kr_status kr_verify_slot_new(kr_verify_slot **ret_slot) {
  kr_verify_slot *slot = calloc(1, sizeof(*slot));
  if (slot == NULL)
    return KR_NOMEM;
  if (pthread_mutex_init(&slot->lock, NULL) != 0) {
    free(slot);
    return KR_NOMEM;
  }
  *ret_slot = slot;
  return KR_OK;
}

void kr_verify_slot_free(kr_verify_slot *slot) {
  if (slot == NULL)
    return;
  kr_verify_index_free(slot->index);
  pthread_mutex_destroy(&slot->lock);
  free(slot);
}

/* Built under the lock: a second thread waits rather than building it too. */
static const kr_verify_index *kr_verify_index_of(const kr_redact_set *set) {
  kr_verify_slot *slot = set->verifier;
  pthread_mutex_lock(&slot->lock);
  if (slot->index == NULL && !slot->is_too_large) /* without memory it is tried again next time */
    slot->is_too_large =
        kr_verify_index_new(set, KR_VERIFY_SPELLED_BYTES, &slot->index) == KR_LIMIT;
  const kr_verify_index *index = slot->index;
  pthread_mutex_unlock(&slot->lock);
  return index;
}

size_t kr_verify_bytes(const kr_redact_set *set) {
  kr_verify_slot *slot = set->verifier;
  pthread_mutex_lock(&slot->lock);
  const kr_verify_index *index = slot->index;
  pthread_mutex_unlock(&slot->lock);
  return index == NULL
             ? 0
             : index->arena.total + index->items.cap + index->names.cap + index->table.cap;
}

bool kr_redact_verify(const kr_redact_set *set, kr_str output) {
  const kr_verify_index *index = kr_verify_index_of(set);
  return index != NULL && kr_verify_is_clean(index, output);
}
