/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.h - the index of the check, inside a set; built when first needed.
 *
 * It holds every listed spelling of every part of every value, written out whole
 * (spell.c) and sorted, each with the longest other one that it begins with:
 *
 *   items   "ab" <- "abcab" <- "abcabd"   "abd"   "b" ...
 *
 * and a table of their first bytes: 8, or 4 or 1 of those that are shorter. Three
 * bits of one word are set for each, so at most bytes of a text one look says
 * that nothing begins there.
 */
#ifndef KR_REDACT_VERIFY_H
#define KR_REDACT_VERIFY_H

#include "base/arena.h"
#include "redact/redact.h"

#define KR_VERIFY_SPELLED_BYTES ((size_t)1 << 30) /* of all spellings of a set */
#define KR_VERIFY_NONE UINT32_MAX
#define KR_VERIFY_N_FIRSTS 3u

typedef struct kr_verify_item {
  uint64_t head; /* the first 8 bytes, the first one highest, zeros behind the end */
  const uint8_t *ptr;
  uint32_t len;
  uint32_t shorter; /* the longest item that is a proper prefix of this one; KR_VERIFY_NONE */
} kr_verify_item;

typedef struct kr_verify_index {
  kr_arena arena; /* the spellings */
  kr_buf items;   /* kr_verify_item, sorted, none twice */
  kr_buf names;   /* kr_str, sorted: what a marker may name */
  kr_buf table;   /* words of 64 bits */
  size_t n_items;
  unsigned word_shift;                 /* of a hash: the position of its word in the table */
  unsigned firsts[KR_VERIFY_N_FIRSTS]; /* 8, 4, 1: those that there are items of */
  size_t n_firsts;
} kr_verify_index;

typedef struct kr_verify_slot kr_verify_slot;

kr_status kr_verify_slot_new(kr_verify_slot **ret_slot) KR_MUST_USE;
void kr_verify_slot_free(kr_verify_slot *slot); /* wipes */

/**
 * Build an index whose spellings have at most max_bytes in all; sensitive memory.
 * KR_LIMIT, KR_NOMEM.
 */
kr_status kr_verify_index_new(const kr_redact_set *set, size_t max_bytes,
                              kr_verify_index **ret_index) KR_MUST_USE;
void kr_verify_index_free(kr_verify_index *index); /* wipes */

/** Bytes of memory of the index; 0: not built. For tests and measurements. */
size_t kr_verify_bytes(const kr_redact_set *set);

static inline const kr_verify_item *kr_verify_item_at(const kr_verify_index *index, size_t at) {
  return (const kr_verify_item *)(const void *)index->items.ptr + at;
}

static inline uint64_t kr_verify_head(kr_str text) {
  uint64_t head = 0;
  for (size_t i = 0; i < 8; i++)
    head = head << 8 | (i < text.len ? text.ptr[i] : 0u);
  return head;
}

/** Where n_first first bytes are noted: a word, by the highest bits, and three bits of it. */
static inline uint64_t kr_verify_hash(uint64_t first, unsigned n_first) {
  return (first + n_first) * UINT64_C(0x9E3779B97F4A7C15);
}
static inline uint64_t kr_verify_mask(uint64_t hash) {
  return UINT64_C(1) << (hash >> 24 & 63) | UINT64_C(1) << (hash >> 30 & 63) |
         UINT64_C(1) << (hash >> 36 & 63);
}

#endif
