/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - memory that dies in groups: allocations are 16-byte aligned, never
 * freed one by one, and all gone at kr_arena_reset() or kr_arena_done().
 *
 *   arena -> newest block -> older block -> ... -> NULL
 *            [header | used .......... | free ]
 *
 * On sensitive memory reset and done wipe every byte that was handed out.
 */
#ifndef KR_BASE_ARENA_H
#define KR_BASE_ARENA_H

#include "base/memory.h"
#include "base/status.h"
#include "base/str.h"

typedef struct kr_arena_block kr_arena_block;

typedef struct kr_arena {
  kr_arena_block *newest;
  uint8_t *next; /* first free byte of the newest block */
  uint8_t *end;
  size_t total;               /* bytes of all blocks */
  size_t limit;               /* ceiling for total */
  const kr_allocator *memory; /* NULL: the heap */
  bool hit_limit;             /* the last failed allocation was refused by limit */
} kr_arena;

/** An empty arena that may hold limit_bytes in all; memory NULL is the heap. */
#define KR_ARENA_INIT(limit_bytes, allocator)                                                      \
  ((kr_arena){.newest = NULL,                                                                      \
              .next = NULL,                                                                        \
              .end = NULL,                                                                         \
              .total = 0,                                                                          \
              .limit = (limit_bytes),                                                              \
              .memory = (allocator),                                                               \
              .hit_limit = false})

/** len bytes, not cleared; NULL when out of memory or over the limit (kr_arena_why). */
void *kr_arena_alloc(kr_arena *arena, size_t len) KR_MUST_USE;

/** Room for len bytes in one block, so that no other follows them. KR_NOMEM or KR_LIMIT. */
kr_status kr_arena_reserve(kr_arena *arena, size_t len) KR_MUST_USE;

/** n_items * item_size bytes, cleared; NULL also when the product overflows. */
void *kr_arena_calloc(kr_arena *arena, size_t n_items, size_t item_size) KR_MUST_USE;

/** Copy bytes into the arena. KR_NOMEM or KR_LIMIT. Always followed by a NUL outside len. */
kr_status kr_arena_copy(kr_arena *arena, kr_str bytes, kr_str *ret_copy) KR_MUST_USE;

/** KR_LIMIT or KR_NOMEM: why the last allocation returned NULL. */
kr_status kr_arena_why(const kr_arena *arena);

/** Forget everything; keeps one block for reuse. */
void kr_arena_reset(kr_arena *arena);

/** The same without wiping: for contents that derive from nothing sensitive. */
void kr_arena_rewind(kr_arena *arena);

/** Release everything; the arena is empty and usable again. */
void kr_arena_done(kr_arena *arena);

#endif
