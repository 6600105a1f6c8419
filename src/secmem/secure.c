/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secure.c - first-fit slots inside one locked mapping. Slots tile the data
 * area without gaps: header, bytes, canary. Free neighbours are merged when
 * a search passes them. Pools hold a few dozen values: a list walk is enough.
 */
#define _GNU_SOURCE
#include "secmem/secure.h"

#include "base/assert.h"
#include "secmem/sensitive.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define KR_SECURE_ALIGN 16u
#define KR_SECURE_MAGIC UINT64_C(0x6b72536c6f742121)
#define KR_SECURE_CANARY 0xA5

typedef struct kr_secure_slot {
  uint64_t magic;
  size_t size; /* bytes after the header, canary included; multiple of 16 */
  size_t len;  /* bytes asked for; 0 when free */
  bool is_used;
} kr_secure_slot;

_Static_assert(sizeof(kr_secure_slot) == 32, "slot header is part of the layout above");

struct kr_secure {
  pthread_mutex_t mutex;
  uint8_t *map;
  size_t map_len;
  uint8_t *data;
  size_t data_len;
};

static kr_secure_slot *kr_secure_first(kr_secure *pool) { return (void *)pool->data; }

static kr_secure_slot *kr_secure_next(kr_secure *pool, kr_secure_slot *slot) {
  uint8_t *next = (uint8_t *)slot + sizeof *slot + slot->size;
  KR_ASSERT(next <= pool->data + pool->data_len);
  return next == pool->data + pool->data_len ? NULL : (void *)next;
}

static void kr_secure_check(kr_secure *pool, kr_secure_slot *slot) {
  KR_ASSERT(slot->magic == KR_SECURE_MAGIC);
  KR_ASSERT(slot->size <= pool->data_len && slot->len <= slot->size);
  if (!slot->is_used)
    return;
  const uint8_t *bytes = (const uint8_t *)(slot + 1);
  for (size_t i = slot->len; i < slot->size; i++)
    KR_ASSERT(bytes[i] == KR_SECURE_CANARY);
}

static kr_status kr_secure_lock(kr_secure *pool, kr_error *reterr) {
  if (mprotect(pool->data, pool->data_len, PROT_READ | PROT_WRITE) != 0)
    return kr_fail_errno(reterr, errno, "cannot prepare locked memory");
  if (mlock(pool->data, pool->data_len) != 0) {
    kr_status status =
        kr_fail(reterr, KR_NOMEM, "cannot lock %zu KiB of memory for keys", pool->data_len / 1024);
    kr_error_hint(reterr, "raise the limit of locked memory: `ulimit -l`, or LimitMEMLOCK= "
                          "in the service unit");
    return status;
  }
  if (madvise(pool->data, pool->data_len, MADV_DONTDUMP) != 0)
    return kr_fail_errno(reterr, errno, "cannot exclude keys from core dumps");
  if (madvise(pool->data, pool->data_len, MADV_WIPEONFORK) != 0)
    return kr_fail_errno(reterr, errno, "cannot keep keys out of forked processes");
  return KR_OK;
}

kr_status kr_secure_new(size_t size_bytes, kr_secure **ret_pool, kr_error *reterr) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (size_bytes == 0 || size_bytes > KR_SECURE_POOL_BYTES)
    return kr_fail(reterr, KR_LIMIT, "a pool of locked memory holds 1 byte to %u bytes",
                   KR_SECURE_POOL_BYTES);
  const kr_allocator *heap = kr_heap_memory();
  kr_secure *pool = heap->alloc(sizeof *pool);
  if (pool == NULL)
    return kr_fail_nomem(reterr);
  memset(pool, 0, sizeof *pool);
  pool->data_len = (size_bytes + page - 1) / page * page;
  pool->map_len = pool->data_len + 2 * page;
  pool->map = mmap(NULL, pool->map_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pool->map == MAP_FAILED) {
    heap->release(pool, sizeof *pool);
    return kr_fail_nomem(reterr);
  }
  pool->data = pool->map + page;
  kr_status status = kr_secure_lock(pool, reterr);
  if (status == KR_OK && pthread_mutex_init(&pool->mutex, NULL) != 0)
    status = kr_fail_nomem(reterr);
  if (status != KR_OK) {
    (void)munmap(pool->map, pool->map_len);
    heap->release(pool, sizeof *pool);
    return status;
  }
  kr_secure_slot *slot = kr_secure_first(pool);
  slot->magic = KR_SECURE_MAGIC;
  slot->size = pool->data_len - sizeof *slot;
  *ret_pool = pool;
  return KR_OK;
}

void kr_secure_free(kr_secure *pool) {
  if (pool == NULL)
    return;
  kr_wipe(pool->data, pool->data_len);
  (void)munmap(pool->map, pool->map_len);
  (void)pthread_mutex_destroy(&pool->mutex);
  kr_heap_memory()->release(pool, sizeof *pool);
}

/* Merge the free slots that follow a free slot into it. */
static void kr_secure_merge(kr_secure *pool, kr_secure_slot *slot) {
  kr_secure_slot *next = kr_secure_next(pool, slot);
  while (next != NULL && !next->is_used) {
    size_t gained = sizeof *next + next->size;
    kr_wipe(next, sizeof *next);
    slot->size += gained;
    next = kr_secure_next(pool, slot);
  }
}

static void kr_secure_split(kr_secure_slot *slot, size_t wanted) {
  size_t rest = slot->size - wanted;
  if (rest <= sizeof *slot + KR_SECURE_ALIGN)
    return;
  slot->size = wanted;
  kr_secure_slot *tail = (void *)((uint8_t *)(slot + 1) + wanted);
  *tail = (kr_secure_slot){
      .magic = KR_SECURE_MAGIC, .size = rest - sizeof *tail, .len = 0, .is_used = false};
}

static void *kr_secure_take(kr_secure *pool, size_t len, size_t wanted) {
  for (kr_secure_slot *slot = kr_secure_first(pool); slot != NULL;
       slot = kr_secure_next(pool, slot)) {
    kr_secure_check(pool, slot);
    if (slot->is_used)
      continue;
    kr_secure_merge(pool, slot);
    if (slot->size < wanted)
      continue;
    kr_secure_split(slot, wanted);
    slot->is_used = true;
    slot->len = len;
    uint8_t *bytes = (uint8_t *)(slot + 1);
    memset(bytes, 0, len);
    memset(bytes + len, KR_SECURE_CANARY, slot->size - len);
    return bytes;
  }
  return NULL;
}

void *kr_secure_alloc(kr_secure *pool, size_t len) {
  if (len > pool->data_len)
    return NULL;
  /* At least one full canary after the bytes, then up to the alignment. */
  size_t wanted = (len + KR_SECURE_ALIGN + KR_SECURE_ALIGN - 1) / KR_SECURE_ALIGN * KR_SECURE_ALIGN;
  (void)pthread_mutex_lock(&pool->mutex);
  void *ptr = kr_secure_take(pool, len, wanted);
  (void)pthread_mutex_unlock(&pool->mutex);
  return ptr;
}

void kr_secure_release(kr_secure *pool, void *ptr) {
  if (ptr == NULL)
    return;
  (void)pthread_mutex_lock(&pool->mutex);
  kr_secure_slot *slot = (kr_secure_slot *)ptr - 1;
  kr_secure_check(pool, slot);
  KR_ASSERT(slot->is_used);
  kr_wipe(ptr, slot->size);
  slot->is_used = false;
  slot->len = 0;
  kr_secure_merge(pool, slot);
  (void)pthread_mutex_unlock(&pool->mutex);
}

size_t kr_secure_used(kr_secure *pool) {
  size_t used = 0;
  (void)pthread_mutex_lock(&pool->mutex);
  for (kr_secure_slot *slot = kr_secure_first(pool); slot != NULL;
       slot = kr_secure_next(pool, slot))
    used += slot->is_used ? sizeof *slot + slot->size : 0;
  (void)pthread_mutex_unlock(&pool->mutex);
  return used;
}

void kr_secure_validate(kr_secure *pool) {
  (void)pthread_mutex_lock(&pool->mutex);
  for (kr_secure_slot *slot = kr_secure_first(pool); slot != NULL;
       slot = kr_secure_next(pool, slot))
    kr_secure_check(pool, slot);
  (void)pthread_mutex_unlock(&pool->mutex);
}

struct kr_secret {
  kr_secure *pool; /* NULL: bytes are sensitive memory */
  uint8_t *bytes;
  size_t len;
  size_t size; /* as allocated */
};

kr_status kr_secret_new(kr_secure *pool, size_t len, kr_secret **ret_secret) {
  bool is_long = len > KR_SECURE_VALUE_BYTES;
  kr_secret *secret = kr_heap_memory()->alloc(sizeof *secret);
  if (secret == NULL)
    return KR_NOMEM;
  secret->pool = is_long ? NULL : pool;
  secret->bytes = is_long ? kr_sensitive_memory()->alloc(len) : kr_secure_alloc(pool, len);
  secret->len = len;
  secret->size = len;
  if (secret->bytes == NULL) {
    kr_heap_memory()->release(secret, sizeof *secret);
    return KR_NOMEM;
  }
  *ret_secret = secret;
  return KR_OK;
}

void kr_secret_free(kr_secret *secret) {
  if (secret == NULL)
    return;
  if (secret->pool == NULL)
    kr_sensitive_memory()->release(secret->bytes, secret->size);
  else
    kr_secure_release(secret->pool, secret->bytes);
  kr_wipe(secret, sizeof *secret);
  kr_heap_memory()->release(secret, sizeof *secret);
}

uint8_t *kr_secret_writable(kr_secret *secret) { return secret->bytes; }

void kr_secret_truncate(kr_secret *secret, size_t len) {
  KR_ASSERT(len <= secret->len);
  kr_wipe(secret->bytes + len, secret->len - len);
  secret->len = len;
}

kr_str kr_secret_reveal(const kr_secret *secret) { return kr_str_from(secret->bytes, secret->len); }
