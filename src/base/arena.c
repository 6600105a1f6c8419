/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - bump allocation in blocks that double from 4 KiB to 1 MiB. */
#include "base/arena.h"

#include "base/assert.h"

#define KR_ARENA_ALIGN 16u
#define KR_ARENA_FIRST_BYTES 4096u
#define KR_ARENA_LARGEST_BYTES (1024u * 1024u)

struct kr_arena_block {
  kr_arena_block *older;
  size_t size; /* of the whole block, this header included */
};

#define KR_ARENA_HEADER                                                                            \
  ((sizeof(struct kr_arena_block) + KR_ARENA_ALIGN - 1) / KR_ARENA_ALIGN * KR_ARENA_ALIGN)

static const kr_allocator *kr_arena_memory(const kr_arena *arena) {
  return arena->memory == NULL ? kr_heap_memory() : arena->memory;
}

/*
 * Bytes of a block that a reset has kept and that turns out too small: given
 * back before the limit is applied, so that what fits into a new arena also
 * fits into one that was reset.
 */
static size_t kr_arena_kept(const kr_arena *arena) {
  const kr_arena_block *block = arena->newest;
  bool is_kept = block != NULL && block->older == NULL &&
                 arena->next == (const uint8_t *)block + KR_ARENA_HEADER;
  return is_kept ? block->size : 0;
}

static bool kr_arena_grow(kr_arena *arena, size_t len) {
  size_t size = arena->newest == NULL ? KR_ARENA_FIRST_BYTES : arena->newest->size * 2;
  if (size > KR_ARENA_LARGEST_BYTES)
    size = KR_ARENA_LARGEST_BYTES;
  size_t needed = 0;
  if (!kr_size_add(len, KR_ARENA_HEADER, &needed))
    return false;
  size_t kept = kr_arena_kept(arena);
  size_t room = arena->limit - arena->total + kept;
  if (size > room)
    size = room;
  if (size < needed)
    size = needed;
  arena->hit_limit = size > room;
  if (arena->hit_limit)
    return false;
  if (kept > 0)
    kr_arena_done(arena);
  kr_arena_block *block = kr_arena_memory(arena)->alloc(size);
  if (block == NULL)
    return false;
  block->older = arena->newest;
  block->size = size;
  arena->newest = block;
  arena->total += size;
  arena->next = (uint8_t *)block + KR_ARENA_HEADER;
  arena->end = (uint8_t *)block + size;
  return true;
}

void *kr_arena_alloc(kr_arena *arena, size_t len) {
  size_t rounded = 0;
  arena->hit_limit = false;
  if (!kr_size_add(len, KR_ARENA_ALIGN - 1, &rounded))
    return NULL;
  rounded = rounded / KR_ARENA_ALIGN * KR_ARENA_ALIGN;
  if (rounded == 0)
    rounded = KR_ARENA_ALIGN;
  if (rounded > (size_t)(arena->end - arena->next) && !kr_arena_grow(arena, rounded))
    return NULL;
  void *ptr = arena->next;
  arena->next += rounded;
  return ptr;
}

kr_status kr_arena_reserve(kr_arena *arena, size_t len) {
  arena->hit_limit = false;
  if (len <= (size_t)(arena->end - arena->next) || kr_arena_grow(arena, len))
    return KR_OK;
  return kr_arena_why(arena);
}

void *kr_arena_calloc(kr_arena *arena, size_t n_items, size_t item_size) {
  size_t len = 0;
  arena->hit_limit = false;
  if (!kr_size_mul(n_items, item_size, &len))
    return NULL;
  void *ptr = kr_arena_alloc(arena, len);
  if (ptr != NULL)
    memset(ptr, 0, len);
  return ptr;
}

kr_status kr_arena_copy(kr_arena *arena, kr_str bytes, kr_str *ret_copy) {
  size_t len = 0;
  if (!kr_size_add(bytes.len, 1, &len))
    return KR_LIMIT;
  uint8_t *copy = kr_arena_alloc(arena, len);
  if (copy == NULL)
    return kr_arena_why(arena);
  if (bytes.len > 0)
    memcpy(copy, bytes.ptr, bytes.len);
  copy[bytes.len] = '\0';
  *ret_copy = kr_str_from(copy, bytes.len);
  return KR_OK;
}

kr_status kr_arena_why(const kr_arena *arena) { return arena->hit_limit ? KR_LIMIT : KR_NOMEM; }

static void kr_arena_release(kr_arena *arena, kr_arena_block *block) {
  arena->total -= block->size;
  kr_arena_memory(arena)->release(block, block->size);
}

static void kr_arena_clear(kr_arena *arena, bool is_wiped) {
  if (arena->newest == NULL)
    return;
  /* Keep the largest block, so that a warm arena allocates less and less. */
  kr_arena_block *largest = arena->newest;
  for (kr_arena_block *block = arena->newest->older; block != NULL; block = block->older)
    if (block->size > largest->size)
      largest = block;
  uint8_t *first = (uint8_t *)largest + KR_ARENA_HEADER;
  uint8_t *end = (uint8_t *)largest + largest->size;
  uint8_t *used_end = largest == arena->newest ? arena->next : end;
  kr_arena_block *block = arena->newest;
  while (block != NULL) {
    kr_arena_block *older = block->older;
    if (block != largest)
      kr_arena_release(arena, block);
    block = older;
  }
  if (is_wiped)
    kr_wipe(first, (size_t)(used_end - first));
  largest->older = NULL;
  arena->newest = largest;
  arena->next = first;
  arena->end = end;
}

void kr_arena_reset(kr_arena *arena) {
  kr_arena_clear(arena, kr_arena_memory(arena)->is_sensitive);
}

void kr_arena_rewind(kr_arena *arena) {
  /* One block, as after warm-up: nothing to release, nothing to compare. */
  if (arena->newest != NULL && arena->newest->older == NULL)
    arena->next = (uint8_t *)arena->newest + KR_ARENA_HEADER;
  else
    kr_arena_clear(arena, false);
}

void kr_arena_done(kr_arena *arena) {
  while (arena->newest != NULL) {
    kr_arena_block *block = arena->newest;
    arena->newest = block->older;
    kr_arena_release(arena, block);
  }
  KR_ASSERT(arena->total == 0);
  arena->next = NULL;
  arena->end = NULL;
}
