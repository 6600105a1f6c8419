/* SPDX-License-Identifier: Apache-2.0 */
/* failalloc.c - the wrappers behind failalloc.h. */
#define _GNU_SOURCE
#include "support/failalloc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

static _Thread_local size_t countdown = SIZE_MAX;
static _Thread_local size_t refused;
static _Thread_local size_t seen;

void kr_test_fail_at(size_t n) {
  countdown = n;
  refused = 0;
}

size_t kr_test_fail_stop(void) {
  countdown = SIZE_MAX;
  return refused;
}

size_t kr_test_allocations(void) { return seen; }

static bool is_refused(void) {
  seen++;
  if (countdown == SIZE_MAX)
    return false;
  if (countdown-- > 0)
    return false;
  countdown = SIZE_MAX;
  refused++;
  errno = ENOMEM;
  return true;
}

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *ptr, size_t len);
void *__real_mmap(void *ptr, size_t len, int prot, int flags, int fd, off_t offset);
void *__real_mmap64(void *ptr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *ptr, size_t len);
void *__wrap_mmap(void *ptr, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *ptr, size_t len, int prot, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t len) { return is_refused() ? NULL : __real_malloc(len); }
void *__wrap_calloc(size_t n, size_t len) { return is_refused() ? NULL : __real_calloc(n, len); }
void *__wrap_realloc(void *ptr, size_t len) {
  return is_refused() ? NULL : __real_realloc(ptr, len);
}
void *__wrap_mmap(void *ptr, size_t len, int prot, int flags, int fd, off_t offset) {
  return is_refused() ? MAP_FAILED : __real_mmap(ptr, len, prot, flags, fd, offset);
}
void *__wrap_mmap64(void *ptr, size_t len, int prot, int flags, int fd, off_t offset) {
  return is_refused() ? MAP_FAILED : __real_mmap64(ptr, len, prot, flags, fd, offset);
}
