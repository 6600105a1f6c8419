/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c - the heap allocator and the wipe that is not optimised away. */
#define _DEFAULT_SOURCE
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static void *kr_heap_alloc(size_t len) { return malloc(len == 0 ? 1 : len); }

static void kr_heap_release(void *ptr, size_t len) {
  (void)len;
  free(ptr);
}

const kr_allocator *kr_heap_memory(void) {
  static const kr_allocator heap = {
      .alloc = kr_heap_alloc, .release = kr_heap_release, .is_sensitive = false};
  return &heap;
}

void kr_wipe(void *ptr, size_t len) {
  if (len > 0)
    explicit_bzero(ptr, len);
}

void kr_copy(void *to, const void *from, size_t len) {
  uint8_t *out = to;
  const uint8_t *in = from;
  for (; len > KR_COPY_BYTES; len -= KR_COPY_BYTES, in += KR_COPY_BYTES, out += KR_COPY_BYTES)
    memcpy(out, in, KR_COPY_BYTES);
  if (len > 0)
    memcpy(out, in, len);
}
