/* SPDX-License-Identifier: Apache-2.0 */
/* sensitive.c - whole mmap'ed pages, no-dump, wiped before they are unmapped. */
#define _DEFAULT_SOURCE
#include "secmem/sensitive.h"

#include <sys/mman.h>
#include <unistd.h>

static bool kr_sensitive_round(size_t len, size_t *ret_len) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t padded = 0;
  if (!kr_size_add(len == 0 ? 1 : len, page - 1, &padded))
    return false;
  *ret_len = padded / page * page;
  return true;
}

static void *kr_sensitive_alloc(size_t len) {
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

static void kr_sensitive_release(void *ptr, size_t len) {
  size_t mapped = 0;
  if (ptr == NULL || !kr_sensitive_round(len, &mapped))
    return;
  kr_wipe(ptr, len);
  (void)munmap(ptr, mapped);
}

const kr_allocator *kr_sensitive_memory(void) {
  static const kr_allocator sensitive = {
      .alloc = kr_sensitive_alloc, .release = kr_sensitive_release, .is_sensitive = true};
  return &sensitive;
}
