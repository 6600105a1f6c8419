/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - the second net: every listed spelling of every part of every value,
 * written out whole (spell.c) and sorted. A spelling that begins at some byte of
 * the output is a prefix of the rest of it, so of the spellings that do not sort
 * behind that rest the last one is it, or has it as a prefix:
 *
 *   items   "ab" <- "abcab" <- "abcabd"   "abd"   "b" ...     <-: the longest shorter prefix
 *   output  ...abcabx...          finds "abcab", then "ab"
 *
 * At most bytes nothing begins: a table of the first bytes of all spellings says
 * so. Shares nothing with the automaton and its readings. Whatever fails counts
 * as "found", also when the output takes more than KR_VERIFY_WORK_BYTES to
 * compare for each of its bytes: a long value's near misses at every byte.
 */
#include "redact/verify.h"

#include "redact/parts.h"
#include "redact/spell.h"
#include "secmem/sensitive.h"

#include <pthread.h>
#include <stdlib.h>

#define KR_VERIFY_WORK_BYTES 1024u /* compared per byte of output, and once more as many */
#define KR_VERIFY_NONE UINT32_MAX
#define KR_VERIFY_FIRST_BYTES 4u /* of a spelling, looked up in the table */
#define KR_VERIFY_LEAST_BITS 16u /* of a position in the table: 8 KiB */
#define KR_VERIFY_MOST_BITS 26u  /* 8 MiB */
#define KR_VERIFY_SPARSE 32u     /* positions in the table per spelling */

typedef struct kr_verify_item {
  uint64_t head; /* the first 8 bytes, the first one highest, zeros behind the end */
  const uint8_t *ptr;
  uint32_t len;
  uint32_t shorter; /* the longest item that is a proper prefix of this one */
} kr_verify_item;

typedef struct kr_verify_index {
  kr_arena arena; /* the spellings */
  kr_buf items;   /* kr_verify_item, sorted, none twice */
  kr_buf names;   /* kr_str, sorted: what a marker may name */
  kr_buf table;   /* bits */
  size_t n_items;
  size_t n_first; /* bytes of an item that make its position in the table */
  unsigned table_bits;
} kr_verify_index;

struct kr_verify_slot {
  pthread_mutex_t lock;
  kr_verify_index *index; /* under the lock until it is there, then immutable */
};

typedef struct kr_verify_search {
  const kr_verify_index *index;
  kr_str output;
  uint64_t work_left; /* bytes that may yet be compared */
} kr_verify_search;

static const kr_verify_item *kr_verify_item_at(const kr_verify_index *index, size_t at) {
  return (const kr_verify_item *)(const void *)index->items.ptr + at;
}

static uint64_t kr_verify_head(kr_str text) {
  uint64_t head = 0;
  for (size_t i = 0; i < 8; i++)
    head = head << 8 | (i < text.len ? text.ptr[i] : 0u);
  return head;
}

static size_t kr_verify_shared(kr_str a, kr_str b) {
  size_t n = 0;
  while (n < a.len && n < b.len && a.ptr[n] == b.ptr[n])
    n++;
  return n;
}

static bool kr_verify_test(const kr_verify_index *index, uint32_t first) {
  uint32_t at = (first * 0x9E3779B1u) >> (32 - index->table_bits);
  return (((unsigned)index->table.ptr[at / 8] >> (at % 8)) & 1u) != 0;
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

static bool kr_verify_is_clean(const kr_verify_index *index, kr_str output) {
  kr_verify_search search = {.index = index, .output = output};
  uint32_t first = 0;
  uint32_t mask = index->n_first < 4 ? (1u << (8 * index->n_first)) - 1 : UINT32_MAX;
  search.work_left = ((uint64_t)output.len + 1) * KR_VERIFY_WORK_BYTES;
  for (size_t i = 0; index->n_items > 0 && i < output.len; i++) {
    first = (first << 8 | output.ptr[i]) & mask;
    if (i + 1 >= index->n_first && kr_verify_test(index, first) &&
        kr_verify_finds(&search, i + 1 - index->n_first))
      return false;
  }
  return true;
}

static int kr_verify_item_compare(const void *left, const void *right) {
  const kr_verify_item *a = left;
  const kr_verify_item *b = right;
  if (a->head != b->head)
    return a->head < b->head ? -1 : 1;
  return kr_str_compare(kr_str_from(a->ptr, a->len), kr_str_from(b->ptr, b->len));
}

/* Sort the items, keep each once, and find for each the longest of its prefixes. */
static void kr_verify_order(kr_verify_index *index) {
  kr_verify_item *items = (kr_verify_item *)(void *)index->items.ptr;
  size_t n = index->items.len / sizeof(kr_verify_item);
  if (n > 1)
    qsort(items, n, sizeof(*items), kr_verify_item_compare);
  for (size_t i = 0; i < n; i++) {
    kr_str text = kr_str_from(items[i].ptr, items[i].len);
    size_t at = index->n_items;
    if (at > 0 && kr_verify_item_compare(&items[at - 1], &items[i]) == 0)
      continue;
    uint32_t shorter = at == 0 ? KR_VERIFY_NONE : (uint32_t)(at - 1);
    while (shorter != KR_VERIFY_NONE &&
           !kr_str_starts(text, kr_str_from(items[shorter].ptr, items[shorter].len)))
      shorter = items[shorter].shorter;
    items[at] = items[i];
    items[at].shorter = shorter;
    index->n_items++;
  }
}

static kr_status kr_verify_fill_table(kr_verify_index *index) {
  index->n_first = KR_VERIFY_FIRST_BYTES;
  index->table_bits = KR_VERIFY_LEAST_BITS;
  while (index->table_bits < KR_VERIFY_MOST_BITS &&
         (size_t)1 << index->table_bits < KR_VERIFY_SPARSE * index->n_items)
    index->table_bits++;
  size_t table_len = (size_t)1 << (index->table_bits - 3);
  KR_TRY(kr_buf_reserve(&index->table, table_len));
  memset(index->table.ptr, 0, table_len);
  index->table.len = table_len;
  for (size_t i = 0; i < index->n_items; i++)
    if (kr_verify_item_at(index, i)->len < index->n_first)
      index->n_first = kr_verify_item_at(index, i)->len;
  for (size_t i = 0; i < index->n_items; i++) {
    uint32_t first = (uint32_t)(kr_verify_item_at(index, i)->head >> (64 - 8 * index->n_first));
    uint32_t at = (first * 0x9E3779B1u) >> (32 - index->table_bits);
    index->table.ptr[at / 8] = (uint8_t)(index->table.ptr[at / 8] | 1u << (at % 8));
  }
  return KR_OK;
}

static kr_status kr_verify_put(kr_verify_index *index, kr_str spelled) {
  kr_verify_item item = {.head = kr_verify_head(spelled), .len = (uint32_t)spelled.len};
  kr_str copy = {0};
  if (spelled.len == 0)
    return KR_OK;
  KR_TRY(kr_arena_copy(&index->arena, spelled, &copy));
  item.ptr = copy.ptr;
  return kr_buf_append(&index->items, kr_str_from(&item, sizeof(item)));
}

typedef struct kr_verify_scratch {
  kr_arena arena; /* of parts */
  kr_buf parts;
  kr_buf lower; /* a spelling, with its digits in lower and in upper case */
  kr_buf upper;
  kr_buf once;
} kr_verify_scratch;

static void kr_verify_scratch_done(kr_verify_scratch *scratch) {
  kr_arena_done(&scratch->arena);
  kr_buf_done(&scratch->parts);
  kr_buf_done(&scratch->lower);
  kr_buf_done(&scratch->upper);
  kr_buf_done(&scratch->once);
}

/* Many spellings of most values are the value itself, and digits often have no letters. */
static kr_status kr_verify_put_spelling(kr_verify_index *index, kr_str part,
                                        kr_verify_spelling spelling, kr_verify_scratch *scratch) {
  scratch->lower.len = 0;
  scratch->upper.len = 0;
  KR_TRY(kr_verify_spell(part, spelling, false, &scratch->once, &scratch->lower));
  if (spelling != KR_VERIFY_RAW && kr_str_equal(kr_buf_str(&scratch->lower), part))
    return KR_OK;
  KR_TRY(kr_verify_put(index, kr_buf_str(&scratch->lower)));
  KR_TRY(kr_verify_spell(part, spelling, true, &scratch->once, &scratch->upper));
  if (kr_str_equal(kr_buf_str(&scratch->lower), kr_buf_str(&scratch->upper)))
    return KR_OK;
  return kr_verify_put(index, kr_buf_str(&scratch->upper));
}

static kr_status kr_verify_put_value(kr_verify_index *index, const kr_redact_set *set, size_t at,
                                     kr_verify_scratch *scratch) {
  const kr_redact_entry *entry = kr_redact_entry_at(set, at);
  scratch->parts.len = 0;
  kr_arena_reset(&scratch->arena);
  KR_TRY(kr_buf_append(&index->names, kr_str_from(&entry->name, sizeof(entry->name))));
  KR_TRY(kr_redact_parts_add(entry, set->enabled, &scratch->arena, &scratch->parts));
  for (size_t i = 0; i < kr_redact_n_parts(&scratch->parts); i++) {
    kr_str part = kr_redact_part_at(&scratch->parts, i)->bytes;
    for (int spelling = 0; spelling < KR_VERIFY_N_SPELLINGS; spelling++)
      if ((set->enabled & kr_verify_form_bit((kr_verify_spelling)spelling)) != 0)
        KR_TRY(kr_verify_put_spelling(index, part, (kr_verify_spelling)spelling, scratch));
  }
  return KR_OK;
}

static int kr_verify_name_compare(const void *left, const void *right) {
  return kr_str_compare(*(const kr_str *)left, *(const kr_str *)right);
}

static kr_status kr_verify_build(kr_verify_index *index, const kr_redact_set *set) {
  /* A part is at most twice a value: other line breaks. */
  const size_t most = 2u * KR_VERIFY_GROWTH * KR_REDACT_MAX_VALUE_BYTES;
  KR_CLEANUP(kr_verify_scratch_done)
  kr_verify_scratch scratch = {.arena = KR_ARENA_INIT(SIZE_MAX, kr_sensitive_memory()),
                               .parts = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory()),
                               .lower = KR_BUF_INIT(most, kr_sensitive_memory()),
                               .upper = KR_BUF_INIT(most, kr_sensitive_memory()),
                               .once = KR_BUF_INIT(most, kr_sensitive_memory())};
  for (size_t i = 0; i < kr_redact_set_n_values(set); i++)
    KR_TRY(kr_verify_put_value(index, set, i, &scratch));
  if (index->items.len / sizeof(kr_verify_item) >= KR_VERIFY_NONE)
    return KR_LIMIT;
  size_t n_names = index->names.len / sizeof(kr_str);
  if (n_names > 1)
    qsort(index->names.ptr, n_names, sizeof(kr_str), kr_verify_name_compare);
  kr_verify_order(index);
  return kr_verify_fill_table(index);
}

static void kr_verify_index_free(kr_verify_index *index) {
  if (index == NULL)
    return;
  kr_arena_done(&index->arena);
  kr_buf_done(&index->items);
  kr_buf_done(&index->names);
  kr_buf_done(&index->table);
  free(index);
}

KR_DEFINE_FREEP(kr_verify_index_freep, kr_verify_index, kr_verify_index_free)

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
static kr_verify_index *kr_verify_index_make(const kr_redact_set *set) {
  KR_CLEANUP(kr_verify_index_freep) kr_verify_index *index = calloc(1, sizeof(*index));
  if (index == NULL)
    return NULL;
  index->arena = KR_ARENA_INIT(SIZE_MAX, kr_sensitive_memory());
  index->items = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory());
  index->names = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory());
  index->table = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory());
  if (kr_verify_build(index, set) != KR_OK)
    return NULL;
  return KR_TAKE(index);
}

static const kr_verify_index *kr_verify_index_of(const kr_redact_set *set) {
  kr_verify_slot *slot = set->verifier;
  pthread_mutex_lock(&slot->lock);
  if (slot->index == NULL)
    slot->index = kr_verify_index_make(set); /* tried again next time if it fails */
  const kr_verify_index *index = slot->index;
  pthread_mutex_unlock(&slot->lock);
  return index;
}

size_t kr_verify_bytes(const kr_redact_set *set) {
  const kr_verify_index *index = set->verifier->index;
  return index == NULL
             ? 0
             : index->arena.total + index->items.cap + index->names.cap + index->table.cap;
}

bool kr_redact_verify(const kr_redact_set *set, kr_str output) {
  const kr_verify_index *index = kr_verify_index_of(set);
  return index != NULL && kr_verify_is_clean(index, output);
}
