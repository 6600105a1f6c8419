/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrub.c - LMDB moves the nodes of a page together when one is removed, and
 * leaves the bytes that were behind them where they are: between `lower` and
 * `upper` of a live page, and behind the data in the last of its overflow pages,
 * a removed value may still stand. A compact copy takes pages as they are; here
 * these bytes of the copy become zeros.
 *
 *   page      0 number u64 | 10 flags u16 | 12 lower u16 | 14 upper u16 | 16 offsets u16 ... lower
 *   overflow  12 pages u32 | 16 data
 *   leaf node 0 low u16 | 2 high u16 | 4 flags u16 | 6 key length u16 | 8 key | page number u64
 *
 * (check.c has the rest.) The file was written a moment before, from a store
 * that may be damaged: what makes no sense is left alone.
 */
#define _GNU_SOURCE
#include "store/lmdb/store_lmdb_internal.h"

#include "base/memory.h"

#include <errno.h>
#include <unistd.h>

#define KR_SCRUB_PAGE_MAX_BYTES 65536u
#define KR_SCRUB_HEADER_PAGES 2u
#define KR_SCRUB_BRANCH 0x01u
#define KR_SCRUB_LEAF 0x02u
#define KR_SCRUB_OVERFLOW 0x04u
#define KR_SCRUB_BIGDATA 0x01u
#define KR_SCRUB_NODE_BYTES 8u

typedef struct kr_scrub {
  const char *path;
  int fd;
  size_t page_bytes;
  uint64_t n_pages;
  uint8_t *page;
  uint8_t *zeros; /* one page */
} kr_scrub;

static uint16_t kr_scrub_u16(const uint8_t *ptr) {
  uint16_t number = 0;
  memcpy(&number, ptr, sizeof number);
  return number;
}

static kr_status kr_scrub_zero(const kr_scrub *scrub, uint64_t from, uint64_t to,
                               kr_error *reterr) {
  while (from < to) {
    size_t len = to - from < scrub->page_bytes ? (size_t)(to - from) : scrub->page_bytes;
    ssize_t n = pwrite(scrub->fd, scrub->zeros, len, (off_t)from);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return kr_store_lmdb_fail(scrub->path, n < 0 ? errno : EIO, "clear a copy of", reterr);
    from += (uint64_t)n;
  }
  return KR_OK;
}

static kr_status kr_scrub_read(const kr_scrub *scrub, uint64_t page_number, kr_error *reterr) {
  for (size_t done = 0; done < scrub->page_bytes;) {
    ssize_t n = pread(scrub->fd, scrub->page + done, scrub->page_bytes - done,
                      (off_t)(page_number * scrub->page_bytes + done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return kr_store_lmdb_fail(scrub->path, n < 0 ? errno : EIO, "read a copy of", reterr);
    done += (size_t)n;
  }
  return KR_OK;
}

static uint64_t kr_scrub_length(const uint8_t *node) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return (uint64_t)kr_scrub_u16(node) | (uint64_t)kr_scrub_u16(node + 2) << 16;
#else
  return (uint64_t)kr_scrub_u16(node + 2) | (uint64_t)kr_scrub_u16(node) << 16;
#endif
}

/* Data on pages of its own: what is behind it in the last of them. */
static kr_status kr_scrub_overflow(const kr_scrub *scrub, size_t at, kr_error *reterr) {
  const uint8_t *node = scrub->page + at;
  uint64_t first = 0;
  if ((kr_scrub_u16(node + 4) & KR_SCRUB_BIGDATA) == 0)
    return KR_OK;
  size_t data_at = at + KR_SCRUB_NODE_BYTES + kr_scrub_u16(node + 6);
  if (data_at + sizeof first > scrub->page_bytes)
    return KR_OK;
  memcpy(&first, scrub->page + data_at, sizeof first);
  uint64_t n_bytes = 16 + kr_scrub_length(node);
  uint64_t n_pages = (n_bytes + scrub->page_bytes - 1) / scrub->page_bytes;
  if (first >= scrub->n_pages || n_pages > scrub->n_pages - first)
    return KR_OK;
  return kr_scrub_zero(scrub, first * scrub->page_bytes + n_bytes,
                       (first + n_pages) * scrub->page_bytes, reterr);
}

static kr_status kr_scrub_nodes(const kr_scrub *scrub, size_t lower, kr_error *reterr) {
  for (size_t i = 16; i + 2 <= lower; i += 2) {
    size_t at = kr_scrub_u16(scrub->page + i);
    if (at >= 16 && at + KR_SCRUB_NODE_BYTES <= scrub->page_bytes)
      KR_TRY(kr_scrub_overflow(scrub, at, reterr));
  }
  return KR_OK;
}

/* *ret_n: how many pages this one takes. */
static kr_status kr_scrub_page(const kr_scrub *scrub, uint64_t page_number, uint64_t *ret_n,
                               kr_error *reterr) {
  uint32_t n_pages = 0;
  KR_TRY(kr_scrub_read(scrub, page_number, reterr));
  uint16_t flags = kr_scrub_u16(scrub->page + 10);
  size_t lower = kr_scrub_u16(scrub->page + 12);
  size_t upper = kr_scrub_u16(scrub->page + 14);
  *ret_n = 1;
  if ((flags & KR_SCRUB_OVERFLOW) != 0) {
    memcpy(&n_pages, scrub->page + 12, sizeof n_pages);
    *ret_n = n_pages == 0 ? 1 : n_pages;
    return KR_OK;
  }
  if ((flags & (KR_SCRUB_BRANCH | KR_SCRUB_LEAF)) == 0 || lower < 16 || lower > upper ||
      upper > scrub->page_bytes)
    return KR_OK;
  uint64_t start = page_number * scrub->page_bytes;
  KR_TRY(kr_scrub_zero(scrub, start + lower, start + upper, reterr));
  return (flags & KR_SCRUB_LEAF) != 0 ? kr_scrub_nodes(scrub, lower, reterr) : KR_OK;
}

static kr_status kr_scrub_run(const kr_scrub *scrub, kr_error *reterr) {
  uint64_t n = 0;
  for (uint64_t i = KR_SCRUB_HEADER_PAGES; i < scrub->n_pages; i += n)
    KR_TRY(kr_scrub_page(scrub, i, &n, reterr));
  return KR_OK;
}

kr_status kr_store_lmdb_scrub(const char *path, int fd, kr_error *reterr) {
  uint8_t bytes[4];
  uint32_t page_bytes = 0;
  struct stat file;
  if (fstat(fd, &file) != 0 || pread(fd, bytes, sizeof bytes, 40) != (ssize_t)sizeof bytes)
    return kr_store_lmdb_fail(path, EIO, "read a copy of", reterr);
  memcpy(&page_bytes, bytes, sizeof page_bytes);
  if (page_bytes < 256 || page_bytes > KR_SCRUB_PAGE_MAX_BYTES)
    return kr_store_lmdb_fail(path, MDB_INVALID, "copy", reterr);
  size_t room = 2 * (size_t)page_bytes;
  uint8_t *pages = kr_heap_memory()->alloc(room);
  if (pages == NULL)
    return kr_fail_nomem(reterr);
  memset(pages, 0, room);
  const kr_scrub scrub = {.path = path,
                          .fd = fd,
                          .page_bytes = page_bytes,
                          .n_pages = (uint64_t)file.st_size / page_bytes,
                          .page = pages,
                          .zeros = pages + page_bytes};
  kr_status status = kr_scrub_run(&scrub, reterr);
  kr_heap_memory()->release(pages, room);
  return status;
}
