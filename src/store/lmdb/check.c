/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - the data file, read without the map. LMDB trusts its file: a wrong
 * page size divides by zero, a page beyond the end of the file is SIGBUS.
 *
 * What is read here, in the byte order of the machine (LMDB 0.9, 64 bits):
 *
 *   page    0 number u64 | 8 u16 | 10 flags u16 | 12 lower u16 | 14 upper u16 | 16 ...
 *   header  16 magic u32 | 20 version u32 | 40 page size u32 | 44 flags u16 | 46 depth u16 |
 *           80 root of the free list u64 | 92 flags u16 of the data | 128 root of the data u64 |
 *           136 last page u64 | 144 transaction u64        (pages 0 and 1; the newer one counts)
 *   branch, leaf: offsets u16 from 16 to lower, each of a node:
 *           0 low u16 | 2 high u16 | 4 flags u16 | 6 key length u16 | 8 key | data
 *           branch: child = low | high << 16 | flags << 32; leaf: data length = low | high << 16
 *   free list: transaction u64 -> count u64, page numbers u64; flag 1: data is a page number
 *
 * The last page may lie beyond the end of a sound file: pages that a
 * transaction took and gave back before its end are never written. They are
 * all in the free list, so a file that is too short is sound exactly when
 * every page that it lacks is there.
 */
#define _GNU_SOURCE
#include "store/lmdb/store_lmdb_internal.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define KR_LMDB_HEADER_BYTES 152u
#define KR_LMDB_MAGIC 0xBEEFC0DEu
#define KR_LMDB_MAGIC_SWAPPED 0xDEC0EFBEu
#define KR_LMDB_VERSION 1u
#define KR_LMDB_PAGE_BRANCH 0x01u
#define KR_LMDB_PAGE_LEAF 0x02u
#define KR_LMDB_PAGE_OVERFLOW 0x04u
#define KR_LMDB_PAGE_HEADER 0x08u
#define KR_LMDB_NODE_BIGDATA 0x01u
#define KR_LMDB_FREE_FLAGS 0x08u /* keys are integers */
#define KR_LMDB_NO_PAGE UINT64_MAX
#define KR_LMDB_PAGE_MIN_BYTES 256u
#define KR_LMDB_PAGE_MAX_BYTES 65536u
#define KR_LMDB_DEPTH_MAX 16u
#define KR_LMDB_NODE_BYTES 8u
#define KR_LMDB_HEADER_TRIES 100u

/* More pages than one transaction may have had in hand without writing them. */
#define KR_LMDB_LACKING_PAGES_MAX ((uint64_t)1024u * 1024u)

typedef struct kr_lmdb_header {
  uint32_t page_bytes;
  uint16_t free_depth;
  uint64_t free_root;
  uint64_t data_root;
  uint64_t last_page;
  uint64_t txn_id;
} kr_lmdb_header;

/* A search for the pages [first, first + n) in the free list. */
typedef struct kr_lmdb_search {
  int fd;
  kr_lmdb_header header;
  uint64_t first;
  uint64_t n;
  uint64_t n_found;
  uint64_t n_read;   /* pages of the free list; bounds a walk in circles */
  uint8_t *is_found; /* one byte per page */
  uint8_t *pages;    /* one page per level */
} kr_lmdb_search;

static uint16_t kr_lmdb_u16(const uint8_t *ptr) {
  uint16_t number = 0;
  memcpy(&number, ptr, sizeof number);
  return number;
}

static uint32_t kr_lmdb_u32(const uint8_t *ptr) {
  uint32_t number = 0;
  memcpy(&number, ptr, sizeof number);
  return number;
}

static uint64_t kr_lmdb_u64(const uint8_t *ptr) {
  uint64_t number = 0;
  memcpy(&number, ptr, sizeof number);
  return number;
}

static bool kr_lmdb_read(int fd, uint64_t offset, void *out, size_t len) {
  for (size_t done = 0; done < len;) {
    ssize_t got = pread(fd, (uint8_t *)out + done, len - done, (off_t)(offset + done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    done += (size_t)got;
  }
  return true;
}

static kr_status kr_lmdb_damaged(const char *directory, const char *what, kr_error *reterr) {
  kr_status status =
      kr_fail(reterr, KR_CORRUPT, "the data file of the store %s %s", directory, what);
  kr_error_hint(reterr, "restore it from a backup; keep the damaged files until that is done");
  return status;
}

static kr_status kr_lmdb_foreign(const char *directory, const char *what, kr_error *reterr) {
  kr_status status =
      kr_fail(reterr, KR_UNSUPPORTED, "the data file of the store %s %s", directory, what);
  kr_error_hint(reterr, "use the krosyn that made it, or export there and import here");
  return status;
}

static kr_status kr_lmdb_header_read(int fd, uint64_t offset, const char *directory,
                                     kr_lmdb_header *ret_header, kr_error *reterr) {
  uint8_t page[KR_LMDB_HEADER_BYTES];
  if (!kr_lmdb_read(fd, offset, page, sizeof page))
    return kr_lmdb_damaged(directory, "is cut off in its header", reterr);
  uint32_t magic = kr_lmdb_u32(page + 16);
  if (magic == KR_LMDB_MAGIC_SWAPPED)
    return kr_lmdb_foreign(directory, "was made on a machine of the other byte order", reterr);
  if (magic != KR_LMDB_MAGIC || kr_lmdb_u16(page + 10) != KR_LMDB_PAGE_HEADER)
    return kr_lmdb_damaged(directory, "is not a store, or its header is damaged", reterr);
  if (kr_lmdb_u32(page + 20) != KR_LMDB_VERSION)
    return kr_lmdb_foreign(directory, "is of another version of LMDB", reterr);
  kr_lmdb_header header = {.page_bytes = kr_lmdb_u32(page + 40),
                           .free_depth = kr_lmdb_u16(page + 46),
                           .free_root = kr_lmdb_u64(page + 80),
                           .data_root = kr_lmdb_u64(page + 128),
                           .last_page = kr_lmdb_u64(page + 136),
                           .txn_id = kr_lmdb_u64(page + 144)};
  if (header.page_bytes < KR_LMDB_PAGE_MIN_BYTES || header.page_bytes > KR_LMDB_PAGE_MAX_BYTES ||
      (header.page_bytes & (header.page_bytes - 1)) != 0)
    return kr_lmdb_damaged(directory, "has a damaged header (page size)", reterr);
  if (kr_lmdb_u16(page + 44) != KR_LMDB_FREE_FLAGS || kr_lmdb_u16(page + 92) != 0)
    return kr_lmdb_foreign(directory, "was not made by krosyn", reterr);
  *ret_header = header;
  return KR_OK;
}

static bool kr_lmdb_header_fits(const kr_lmdb_header *header) {
  return header->last_page != 0 &&
         header->last_page < KR_STORE_LMDB_MAP_MAX_BYTES / header->page_bytes &&
         (header->free_root == KR_LMDB_NO_PAGE || header->free_root <= header->last_page) &&
         (header->data_root == KR_LMDB_NO_PAGE || header->data_root <= header->last_page) &&
         header->free_depth <= KR_LMDB_DEPTH_MAX;
}

/*
 * Commits write the two headers in turn, so their numbers are neighbours. One
 * that was damaged would bring back the state of the other, which is older.
 */
static bool kr_lmdb_are_neighbours(const kr_lmdb_header headers[2]) {
  uint64_t a = headers[0].txn_id;
  uint64_t b = headers[1].txn_id;
  return (a > b ? a - b : b - a) <= 1;
}

/*
 * Page numbers count in the newer header alone. The other one may hold any:
 * when LMDB cannot write a header it puts the old transaction and last page
 * back over it, but not the old roots.
 */
static kr_status kr_lmdb_headers_read_once(int fd, const char *directory, kr_lmdb_header headers[2],
                                           kr_error *reterr) {
  KR_TRY(kr_lmdb_header_read(fd, 0, directory, &headers[0], reterr));
  KR_TRY(kr_lmdb_header_read(fd, headers[0].page_bytes, directory, &headers[1], reterr));
  if (headers[0].page_bytes != headers[1].page_bytes)
    return kr_lmdb_damaged(directory, "has two headers that differ", reterr);
  if (!kr_lmdb_header_fits(&headers[headers[0].txn_id < headers[1].txn_id]))
    return kr_lmdb_damaged(directory, "has a damaged header (page numbers)", reterr);
  return KR_OK;
}

/* Between the reading of one and of the other others may commit: then once more. */
static kr_status kr_lmdb_headers_read(int fd, const char *directory, kr_lmdb_header headers[2],
                                      kr_error *reterr) {
  for (unsigned i = 0; i < KR_LMDB_HEADER_TRIES; i++) {
    KR_TRY(kr_lmdb_headers_read_once(fd, directory, headers, reterr));
    if (kr_lmdb_are_neighbours(headers))
      return KR_OK;
  }
  return kr_lmdb_damaged(directory, "has a damaged header (transaction)", reterr);
}

kr_status kr_store_lmdb_check_header(const char *directory, const char *data_path,
                                     kr_error *reterr) {
  int fd = open(data_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return kr_store_lmdb_fail(directory, errno, "open", reterr);
  kr_lmdb_header headers[2];
  kr_status status = kr_lmdb_headers_read(fd, directory, headers, reterr);
  (void)close(fd);
  return status;
}

static void kr_lmdb_search_note(kr_lmdb_search *search, uint64_t page_number) {
  if (page_number < search->first || page_number - search->first >= search->n)
    return;
  uint8_t *is_found = &search->is_found[page_number - search->first];
  search->n_found += *is_found == 0;
  *is_found = 1;
}

/* A list of len bytes, in pieces, from its place in the file. */
static bool kr_lmdb_search_list(kr_lmdb_search *search, uint64_t offset, uint64_t len) {
  uint8_t numbers[512];
  uint64_t count = 0;
  if (len < 8 || !kr_lmdb_read(search->fd, offset, &count, sizeof count) || count > len / 8 - 1)
    return false;
  for (uint64_t done = 0; done < count;) {
    uint64_t n = count - done < sizeof numbers / 8 ? count - done : sizeof numbers / 8;
    if (!kr_lmdb_read(search->fd, offset + 8 + done * 8, numbers, (size_t)n * 8))
      return false;
    for (uint64_t i = 0; i < n; i++)
      kr_lmdb_search_note(search, kr_lmdb_u64(numbers + i * 8));
    done += n;
  }
  return true;
}

static bool kr_lmdb_search_page(kr_lmdb_search *search, uint64_t page_number, unsigned level);

static uint64_t kr_lmdb_low_high(const uint8_t *node) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return (uint64_t)kr_lmdb_u16(node) | (uint64_t)kr_lmdb_u16(node + 2) << 16;
#else
  return (uint64_t)kr_lmdb_u16(node + 2) | (uint64_t)kr_lmdb_u16(node) << 16;
#endif
}

static bool kr_lmdb_search_node(kr_lmdb_search *search, const uint8_t *page, uint64_t page_number,
                                size_t at, unsigned level) {
  size_t page_bytes = search->header.page_bytes;
  if (at < 16 || at + KR_LMDB_NODE_BYTES > page_bytes)
    return false;
  const uint8_t *node = page + at;
  uint64_t number = kr_lmdb_low_high(node);
  uint16_t flags = kr_lmdb_u16(node + 4);
  if ((kr_lmdb_u16(page + 10) & KR_LMDB_PAGE_BRANCH) != 0)
    return kr_lmdb_search_page(search, number | (uint64_t)flags << 32, level + 1);
  size_t data_at = at + KR_LMDB_NODE_BYTES + kr_lmdb_u16(node + 6);
  if ((flags & KR_LMDB_NODE_BIGDATA) == 0)
    return data_at + number <= page_bytes &&
           kr_lmdb_search_list(search, page_number * page_bytes + data_at, number);
  if (data_at + 8 > page_bytes)
    return false;
  uint64_t overflow = kr_lmdb_u64(page + data_at);
  return overflow <= search->header.last_page &&
         kr_lmdb_search_list(search, overflow * page_bytes + 16, number);
}

static bool kr_lmdb_search_page(kr_lmdb_search *search, uint64_t page_number, unsigned level) {
  size_t page_bytes = search->header.page_bytes;
  if (level >= search->header.free_depth || page_number > search->header.last_page ||
      search->n_read > search->header.last_page)
    return false;
  search->n_read++;
  uint8_t *page = search->pages + level * page_bytes;
  if (!kr_lmdb_read(search->fd, page_number * page_bytes, page, page_bytes))
    return false;
  uint16_t flags = kr_lmdb_u16(page + 10);
  size_t lower = kr_lmdb_u16(page + 12);
  if (kr_lmdb_u64(page) != page_number || lower < 16 || lower > page_bytes ||
      (flags & (KR_LMDB_PAGE_BRANCH | KR_LMDB_PAGE_LEAF)) == 0 ||
      (flags & KR_LMDB_PAGE_OVERFLOW) != 0)
    return false;
  for (size_t at = 16; at + 2 <= lower; at += 2)
    if (!kr_lmdb_search_node(search, page, page_number, kr_lmdb_u16(page + at), level))
      return false;
  return true;
}

/* Are all pages from `first` on in the free list? */
static bool kr_lmdb_are_free(int fd, const kr_lmdb_header *header, uint64_t first) {
  kr_lmdb_search search = {
      .fd = fd, .header = *header, .first = first, .n = header->last_page + 1 - first};
  if (search.n > KR_LMDB_LACKING_PAGES_MAX || header->free_root == KR_LMDB_NO_PAGE)
    return false;
  size_t n_bytes = (size_t)search.n;
  size_t pages_bytes = (size_t)header->free_depth * header->page_bytes;
  if (pages_bytes == 0)
    return false;
  search.is_found = kr_heap_memory()->alloc(n_bytes);
  search.pages = kr_heap_memory()->alloc(pages_bytes);
  bool are_free = false;
  if (search.is_found != NULL && search.pages != NULL) {
    memset(search.is_found, 0, n_bytes);
    are_free = kr_lmdb_search_page(&search, header->free_root, 0) && search.n_found == search.n;
  }
  if (search.is_found != NULL)
    kr_heap_memory()->release(search.is_found, n_bytes);
  if (search.pages != NULL)
    kr_heap_memory()->release(search.pages, pages_bytes);
  return are_free;
}

kr_status kr_store_lmdb_check_length(const char *directory, int fd, uint64_t txn_id,
                                     kr_error *reterr) {
  kr_lmdb_header headers[2];
  const kr_lmdb_header *header = NULL;
  KR_TRY(kr_lmdb_headers_read(fd, directory, headers, reterr));
  for (unsigned i = 0; i < 2 && header == NULL; i++)
    header = headers[i].txn_id == txn_id ? &headers[i] : NULL;
  struct stat file;
  if (fstat(fd, &file) != 0)
    return kr_store_lmdb_fail(directory, errno, "open", reterr);
  /* Two later commits of other processes: the file is in use and has grown past ours. */
  if (header == NULL)
    header = headers[0].txn_id > headers[1].txn_id ? &headers[0] : &headers[1];
  if (!kr_lmdb_header_fits(header))
    return kr_lmdb_damaged(directory, "has a damaged header (page numbers)", reterr);
  uint64_t n_pages = (uint64_t)file.st_size / header->page_bytes;
  if (n_pages > header->last_page)
    return KR_OK;
  if (kr_lmdb_are_free(fd, header, n_pages))
    return KR_OK;
  return kr_lmdb_damaged(directory, "is cut off: pages at its end are missing", reterr);
}
