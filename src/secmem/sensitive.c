/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensitive.c - whole mmap'ed pages, no-dump, wiped when they are released.
 * Mapping, touching and unmapping a small block takes 4 us, which is more than
 * most uses of it. So some blocks that were released, and wiped, wait for the
 * next use of their size:
 *
 *   size       4 KiB         8 KiB   ...   512 KiB
 *   waiting   [p][ ][p][ ]  [ ]...        [p][ ][ ][ ]   a slot is taken and filled by one atomic
 * exchange
 *
 * A block is rounded up to one of these sizes; pages that nobody touches cost
 * nothing. Larger ones come from the system and go back to it. Under
 * AddressSanitizer none is kept, so that a use after release faults.
 */
#define _DEFAULT_SOURCE
#include "secmem/sensitive.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define KR_SENSITIVE_LEAST_BYTES ((size_t)4096)
#define KR_SENSITIVE_SIZES 8u /* each twice as large as the one before */
#define KR_SENSITIVE_KEPT 32u /* of the smallest size, which is wanted most */

#if defined(__SANITIZE_ADDRESS__)
#define KR_SENSITIVE_KEEPS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KR_SENSITIVE_KEEPS false
#endif
#endif
#ifndef KR_SENSITIVE_KEEPS
#define KR_SENSITIVE_KEEPS true
#endif

/* How many wait of each size: 2.6 MiB in all. */
static const size_t kr_sensitive_most[KR_SENSITIVE_SIZES] = {
    KR_SENSITIVE_KEPT, 16, 8, 8, 4, 2, 2, 2};
static _Atomic(void *) kr_sensitive_kept[KR_SENSITIVE_SIZES][KR_SENSITIVE_KEPT];

/* The size class of len bytes; KR_SENSITIVE_SIZES if none is kept. */
static size_t kr_sensitive_class(size_t len) {
  size_t size = 0;
  while (size < KR_SENSITIVE_SIZES && len > KR_SENSITIVE_LEAST_BYTES << size)
    size++;
  return KR_SENSITIVE_KEEPS ? size : KR_SENSITIVE_SIZES;
}

/* What is mapped for len bytes. */
static bool kr_sensitive_round(size_t len, size_t *ret_len) {
  size_t size = kr_sensitive_class(len);
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t padded = 0;
  if (size < KR_SENSITIVE_SIZES && KR_SENSITIVE_LEAST_BYTES << size > len)
    len = KR_SENSITIVE_LEAST_BYTES << size;
  if (!kr_size_add(len == 0 ? 1 : len, page - 1, &padded))
    return false;
  *ret_len = padded / page * page;
  return true;
}

static void *kr_sensitive_take(size_t size) {
  for (size_t i = 0; size < KR_SENSITIVE_SIZES && i < kr_sensitive_most[size]; i++) {
    _Atomic(void *) *slot = &kr_sensitive_kept[size][i];
    if (atomic_load_explicit(slot, memory_order_relaxed) == NULL)
      continue;
    void *ptr = atomic_exchange_explicit(slot, NULL, memory_order_acquire);
    if (ptr != NULL)
      return ptr;
  }
  return NULL;
}

static bool kr_sensitive_keep(void *ptr, size_t size) {
  for (size_t i = 0; size < KR_SENSITIVE_SIZES && i < kr_sensitive_most[size]; i++) {
    void *empty = NULL;
    if (atomic_compare_exchange_strong_explicit(&kr_sensitive_kept[size][i], &empty, ptr,
                                                memory_order_release, memory_order_relaxed))
      return true;
  }
  return false;
}

static void *kr_sensitive_map(size_t len) {
  size_t mapped = 0;
  if (!kr_sensitive_round(len, &mapped))
    return NULL;
  void *ptr = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (ptr == MAP_FAILED)
    return NULL;
  if (madvise(ptr, mapped, MADV_DONTDUMP) != 0) {
    (void)munmap(ptr, mapped);
    return NULL;
  }
  return ptr;
}

static void *kr_sensitive_alloc(size_t len) {
  void *ptr = kr_sensitive_take(kr_sensitive_class(len));
  return ptr != NULL ? ptr : kr_sensitive_map(len);
}

static void kr_sensitive_release(void *ptr, size_t len) {
  size_t mapped = 0;
  if (ptr == NULL || !kr_sensitive_round(len, &mapped))
    return;
  kr_wipe(ptr, len);
  if (!kr_sensitive_keep(ptr, kr_sensitive_class(len)))
    (void)munmap(ptr, mapped);
}

void kr_sensitive_trim(void) {
  for (size_t size = 0; size < KR_SENSITIVE_SIZES; size++)
    for (void *ptr = NULL; (ptr = kr_sensitive_take(size)) != NULL;) {
      size_t mapped = 0;
      if (kr_sensitive_round(KR_SENSITIVE_LEAST_BYTES << size, &mapped))
        (void)munmap(ptr, mapped);
    }
}

const kr_allocator *kr_sensitive_memory(void) {
  static const kr_allocator sensitive = {
      .alloc = kr_sensitive_alloc, .release = kr_sensitive_release, .is_sensitive = true};
  return &sensitive;
}
