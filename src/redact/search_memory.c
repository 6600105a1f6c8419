/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_memory.c - the blocks that searches live in. Mapping, touching and
 * unmapping a small block of sensitive memory takes 4 us, building a search of
 * ten needles in it less than one. So some that were released, and wiped, wait
 * for the next search of their size:
 *
 *   size       4 KiB   8 KiB  ...  512 KiB
 *   waiting   [p][ ]  [ ][ ]       [p][ ]      a slot is taken and filled by one atomic exchange
 *
 * A block is rounded up to one of these sizes; pages that nobody touches cost
 * nothing. Larger ones come from the system and go back to it. Under
 * AddressSanitizer none is kept, so that a use after release faults.
 */
#define _DEFAULT_SOURCE
#include "redact/search_internal.h"

#include "secmem/sensitive.h"

#include <stdatomic.h>
#include <sys/mman.h>

#define KR_BLOCK_LEAST_BYTES ((size_t)4096)
#define KR_BLOCK_HUGE_BYTES ((size_t)4 << 20)
#define KR_BLOCK_SIZES 8u /* each twice as large as the one before */
#define KR_BLOCK_KEPT 2u  /* of each size; 2 MiB in all */

#if defined(__SANITIZE_ADDRESS__)
#define KR_BLOCK_KEEPS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KR_BLOCK_KEEPS false
#endif
#endif
#ifndef KR_BLOCK_KEEPS
#define KR_BLOCK_KEEPS true
#endif

static _Atomic(void *) kr_block_kept[KR_BLOCK_SIZES][KR_BLOCK_KEPT];

/* The size class of len bytes, KR_BLOCK_SIZES if none is kept. */
static size_t kr_block_size(size_t len) {
  size_t size = 0;
  while (size < KR_BLOCK_SIZES && len > KR_BLOCK_LEAST_BYTES << size)
    size++;
  return KR_BLOCK_KEEPS ? size : KR_BLOCK_SIZES;
}

static size_t kr_block_bytes(size_t len) {
  size_t size = kr_block_size(len);
  return size < KR_BLOCK_SIZES ? KR_BLOCK_LEAST_BYTES << size : len;
}

static void *kr_block_take(size_t size) {
  for (size_t i = 0; size < KR_BLOCK_SIZES && i < KR_BLOCK_KEPT; i++) {
    _Atomic(void *) *slot = &kr_block_kept[size][i];
    if (atomic_load_explicit(slot, memory_order_relaxed) == NULL)
      continue;
    void *ptr = atomic_exchange_explicit(slot, NULL, memory_order_acquire);
    if (ptr != NULL)
      return ptr;
  }
  return NULL;
}

static bool kr_block_keep(void *ptr, size_t size) {
  for (size_t i = 0; size < KR_BLOCK_SIZES && i < KR_BLOCK_KEPT; i++) {
    void *empty = NULL;
    if (atomic_compare_exchange_strong_explicit(&kr_block_kept[size][i], &empty, ptr,
                                                memory_order_release, memory_order_relaxed))
      return true;
  }
  return false;
}

void *kr_search_block_alloc(size_t len) {
  void *ptr = kr_block_take(kr_block_size(len));
  if (ptr == NULL)
    ptr = kr_sensitive_memory()->alloc(kr_block_bytes(len));
  if (ptr != NULL && len >= KR_BLOCK_HUGE_BYTES)
    (void)madvise(ptr, len, MADV_HUGEPAGE); /* a wish: fewer faults while building */
  return ptr;
}

void kr_search_block_release(void *ptr, size_t len) {
  size_t size = kr_block_size(len);
  if (size == KR_BLOCK_SIZES) { /* wipes, too */
    kr_sensitive_memory()->release(ptr, len);
    return;
  }
  kr_wipe(ptr, len);
  if (!kr_block_keep(ptr, size))
    kr_sensitive_memory()->release(ptr, kr_block_bytes(len));
}

void kr_search_trim(void) {
  for (size_t size = 0; size < KR_BLOCK_SIZES; size++)
    for (void *ptr = NULL; (ptr = kr_block_take(size)) != NULL;)
      kr_sensitive_memory()->release(ptr, KR_BLOCK_LEAST_BYTES << size);
}
