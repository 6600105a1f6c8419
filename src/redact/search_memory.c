/* SPDX-License-Identifier: Apache-2.0 */
/* search_memory.c - the one block a search lives in: sensitive memory, in huge pages where it is
 * large. */
#define _DEFAULT_SOURCE
#include "redact/search_internal.h"

#include "secmem/sensitive.h"

#include <sys/mman.h>

#define KR_SEARCH_HUGE_BYTES ((size_t)4 << 20)

void *kr_search_block_alloc(size_t len) {
  void *ptr = kr_sensitive_memory()->alloc(len);
  if (ptr != NULL && len >= KR_SEARCH_HUGE_BYTES)
    (void)madvise(ptr, len, MADV_HUGEPAGE); /* a wish: fewer faults while building */
  return ptr;
}

void kr_search_block_release(void *ptr, size_t len) { kr_sensitive_memory()->release(ptr, len); }
