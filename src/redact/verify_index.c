/* SPDX-License-Identifier: Apache-2.0 */
/* verify_index.c - spelling all values for the check, sorting, the table; see verify.h. */
#include "redact/parts.h"
#include "redact/spell.h"
#include "redact/verify.h"
#include "secmem/sensitive.h"

#include <stdlib.h>

#define KR_VERIFY_LEAST_WORDS 10u /* bits of a position: 8 KiB */
#define KR_VERIFY_MOST_WORDS 22u  /* 32 MiB */
#define KR_VERIFY_SPARSE 2u       /* items per word, at most, while there is room */

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

static unsigned kr_verify_n_first(size_t len) { return len >= 8 ? 8 : len >= 4 ? 4 : 1; }

static kr_status kr_verify_fill_table(kr_verify_index *index) {
  static const unsigned firsts[KR_VERIFY_N_FIRSTS] = {8, 4, 1};
  bool is_used[9] = {false};
  unsigned word_bits = KR_VERIFY_LEAST_WORDS;
  while (word_bits < KR_VERIFY_MOST_WORDS && KR_VERIFY_SPARSE << word_bits < index->n_items)
    word_bits++;
  index->word_shift = 64 - word_bits;
  size_t table_len = sizeof(uint64_t) << word_bits;
  KR_TRY(kr_buf_reserve(&index->table, table_len));
  memset(index->table.ptr, 0, table_len);
  index->table.len = table_len;
  uint64_t *words = (uint64_t *)(void *)index->table.ptr;
  for (size_t i = 0; i < index->n_items; i++) {
    const kr_verify_item *item = kr_verify_item_at(index, i);
    unsigned n_first = kr_verify_n_first(item->len);
    uint64_t hash = kr_verify_hash(item->head >> (64 - 8 * n_first), n_first);
    words[hash >> index->word_shift] |= kr_verify_mask(hash);
    is_used[n_first] = true;
  }
  for (size_t i = 0; i < KR_VERIFY_N_FIRSTS; i++)
    if (is_used[firsts[i]])
      index->firsts[index->n_firsts++] = firsts[i];
  return KR_OK;
}

/* Different spellings of most parts are the same: from item `first` on they are of this part. */
static kr_status kr_verify_put(kr_verify_index *index, size_t first, kr_str spelled) {
  kr_verify_item item = {.head = kr_verify_head(spelled), .len = (uint32_t)spelled.len};
  kr_str copy = {0};
  if (spelled.len == 0)
    return KR_OK;
  for (size_t i = first; i < index->items.len / sizeof(item); i++) {
    const kr_verify_item *other = kr_verify_item_at(index, i);
    if (other->head == item.head && kr_str_equal(kr_str_from(other->ptr, other->len), spelled))
      return KR_OK;
  }
  KR_TRY(kr_arena_copy(&index->arena, spelled, &copy));
  item.ptr = copy.ptr;
  return kr_buf_append(&index->items, kr_str_from(&item, sizeof(item)));
}

typedef struct kr_verify_scratch {
  kr_arena arena; /* of parts */
  kr_buf parts;
  kr_buf spelled;
  kr_buf once;
} kr_verify_scratch;

static void kr_verify_scratch_done(kr_verify_scratch *scratch) {
  kr_arena_done(&scratch->arena);
  kr_buf_done(&scratch->parts);
  kr_buf_done(&scratch->spelled);
  kr_buf_done(&scratch->once);
}

static kr_status kr_verify_put_part(kr_verify_index *index, kr_str part, uint32_t enabled,
                                    kr_verify_scratch *scratch) {
  size_t first = index->items.len / sizeof(kr_verify_item);
  for (int i = 0; i < 2 * KR_VERIFY_N_SPELLINGS; i++) {
    kr_verify_spelling spelling = (kr_verify_spelling)(i / 2);
    if ((enabled & kr_verify_form_bit(spelling)) == 0)
      continue;
    scratch->spelled.len = 0;
    KR_TRY(kr_verify_spell(part, spelling, i % 2 != 0, &scratch->once, &scratch->spelled));
    KR_TRY(kr_verify_put(index, first, kr_buf_str(&scratch->spelled)));
  }
  return KR_OK;
}

static kr_status kr_verify_put_value(kr_verify_index *index, const kr_redact_set *set, size_t at,
                                     kr_verify_scratch *scratch) {
  const kr_redact_entry *entry = kr_redact_entry_at(set, at);
  scratch->parts.len = 0;
  kr_arena_reset(&scratch->arena);
  KR_TRY(kr_buf_append(&index->names, kr_str_from(&entry->name, sizeof(entry->name))));
  KR_TRY(kr_redact_parts_add(entry, set->enabled, &scratch->arena, &scratch->parts));
  for (size_t i = 0; i < kr_redact_n_parts(&scratch->parts); i++)
    KR_TRY(kr_verify_put_part(index, kr_redact_part_at(&scratch->parts, i)->bytes, set->enabled,
                              scratch));
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
                               .spelled = KR_BUF_INIT(most, kr_sensitive_memory()),
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

void kr_verify_index_free(kr_verify_index *index) {
  if (index == NULL)
    return;
  kr_arena_done(&index->arena);
  kr_buf_done(&index->items);
  kr_buf_done(&index->names);
  kr_buf_done(&index->table);
  free(index);
}

KR_DEFINE_FREEP(kr_verify_index_freep, kr_verify_index, kr_verify_index_free)

kr_status kr_verify_index_new(const kr_redact_set *set, size_t max_bytes,
                              kr_verify_index **ret_index) {
  KR_CLEANUP(kr_verify_index_freep) kr_verify_index *index = calloc(1, sizeof(*index));
  if (index == NULL)
    return KR_NOMEM;
  index->arena = KR_ARENA_INIT(max_bytes, kr_sensitive_memory());
  index->items = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory());
  index->names = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory());
  index->table = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory());
  KR_TRY(kr_verify_build(index, set));
  *ret_index = KR_TAKE(index);
  return KR_OK;
}
