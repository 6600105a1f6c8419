/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_memory.c - the allocator given to curl. URLs, headers and buffers
 * that curl copies hold secrets, and curl frees them without wiping. A block:
 *
 *   | size (16 bytes, keeps the alignment) | bytes ... |
 *
 * What the resolver, TLS and the kernel copy is out of reach of this.
 */
#include "connector/transport.h"

#include <stdlib.h>

typedef union kr_transport_block {
  size_t size;
  max_align_t alignment;
} kr_transport_block;

void *kr_transport_malloc(size_t len) {
  size_t size = 0;
  if (!kr_size_add(len, sizeof(kr_transport_block), &size))
    return NULL;
  kr_transport_block *block = malloc(size);
  if (block == NULL)
    return NULL;
  block->size = len;
  return block + 1;
}

void *kr_transport_calloc(size_t n_items, size_t item_size) {
  size_t len = 0;
  if (!kr_size_mul(n_items, item_size, &len))
    return NULL;
  void *ptr = kr_transport_malloc(len);
  if (ptr != NULL)
    memset(ptr, 0, len);
  return ptr;
}

void kr_transport_free(void *ptr) {
  if (ptr == NULL)
    return;
  kr_transport_block *block = (kr_transport_block *)ptr - 1;
  kr_wipe(block, block->size + sizeof *block);
  free(block);
}

/* Never the heap's own realloc: it may move a block and leave the old bytes behind. */
void *kr_transport_realloc(void *ptr, size_t len) {
  if (ptr == NULL)
    return kr_transport_malloc(len);
  void *grown = kr_transport_malloc(len);
  if (grown == NULL)
    return NULL;
  size_t old_len = ((kr_transport_block *)ptr - 1)->size;
  memcpy(grown, ptr, old_len < len ? old_len : len);
  kr_transport_free(ptr);
  return grown;
}

char *kr_transport_strdup(const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = kr_transport_malloc(size);
  if (copy != NULL)
    memcpy(copy, text, size);
  return copy;
}
