/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracked.h - an allocator for tests: the heap, with the length of each block
 * written before it, so that a release with another length is seen, and with a
 * count of what is still allocated. It claims to be sensitive, hence its users
 * must wipe what they keep, and it wipes what it is given back.
 */
#ifndef KR_TEST_BASE_TRACKED_H
#define KR_TEST_BASE_TRACKED_H

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static size_t tracked_bytes;
static size_t tracked_blocks;
static bool tracked_mismatch;

static void *tracked_alloc(size_t len) {
  uint8_t *block = malloc(len + 16);
  if (block == NULL)
    return NULL;
  memcpy(block, &len, sizeof len);
  memset(block + 16, 0xEE, len);
  tracked_bytes += len;
  tracked_blocks++;
  return block + 16;
}

static void tracked_release(void *ptr, size_t len) {
  uint8_t *block = (uint8_t *)ptr - 16;
  size_t expected = 0;
  memcpy(&expected, block, sizeof expected);
  tracked_mismatch |= expected != len;
  tracked_bytes -= expected;
  tracked_blocks--;
  kr_wipe(ptr, expected);
  free(block);
}

static const kr_allocator tracked_memory = {
    .alloc = tracked_alloc, .release = tracked_release, .is_sensitive = true};

#endif
