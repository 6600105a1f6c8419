/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate.c - who may have a transaction open, and growth of the map, which needs
 * that nobody has. A writer that finds the map full asks for room and fails
 * with KR_LIMIT; whoever begins next waits until the last transaction has
 * ended, doubles the map, and goes on.
 */
#define _GNU_SOURCE
#include "store/lmdb/store_lmdb_internal.h"

#include "base/assert.h"
#include "base/clock.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t kr_store_lmdb_used(const kr_store_lmdb *store, size_t *ret_map_bytes) {
  MDB_envinfo info;
  MDB_stat stat;
  (void)mdb_env_info(store->env, &info);
  (void)mdb_env_stat(store->env, &stat);
  *ret_map_bytes = info.me_mapsize;
  return (info.me_last_pgno + 1) * stat.ms_psize;
}

/* mdb_env_set_mapsize unmaps first: find out beforehand whether the new size can be had. */
static bool kr_store_lmdb_has_space_for(size_t map_bytes) {
  void *probe =
      mmap(NULL, map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (probe == MAP_FAILED)
    return false;
  (void)munmap(probe, map_bytes);
  return true;
}

/* With the gate held and no transaction open. What cannot grow stays as it is. */
static void kr_store_lmdb_change_map(kr_store_lmdb *store) {
  size_t map_bytes = 0;
  size_t used = kr_store_lmdb_used(store, &map_bytes);
  size_t wanted = 0; /* 0: the size that the file's header tells */
  if (store->wants_room) {
    uint64_t needed = (uint64_t)used + 2 * (uint64_t)store->wanted_bytes;
    uint64_t target = (uint64_t)map_bytes * 2;
    while (target < needed && target < KR_STORE_LMDB_MAP_MAX_BYTES)
      target *= 2;
    wanted = target > KR_STORE_LMDB_MAP_MAX_BYTES ? map_bytes : (size_t)target;
  }
  store->wants_room = false;
  store->wants_adopt = false;
  store->wanted_bytes = 0;
  if (wanted != 0 && (wanted <= map_bytes || !kr_store_lmdb_has_space_for(wanted))) {
    store->is_at_limit = true;
    return;
  }
  store->is_at_limit = false;
  if (mdb_env_set_mapsize(store->env, wanted) != MDB_SUCCESS)
    store->is_unmapped = true;
}

static kr_status kr_store_lmdb_admit(kr_store_lmdb *store, kr_store_mode mode, kr_error *reterr) {
  if (store->is_unmapped)
    return kr_store_lmdb_fail(store->path, MDB_PANIC, "use", reterr);
  if (mode == KR_STORE_READ)
    return KR_OK;
  if (store->is_read_only)
    return kr_fail(reterr, KR_REFUSED, "the store %s is open for reading only", store->path);
  if (store->is_stopped) {
    kr_status status = kr_fail(reterr, KR_IO,
                               "writing to the store %s has stopped: a commit before failed, and "
                               "the disk may have lost it",
                               store->path);
    kr_error_hint(reterr, "check the disk and the kernel log, then close and open the store again");
    return status;
  }
  return KR_OK;
}

/* Before it is full: when nobody else is inside, a writer that finds 80 % used makes room. */
static void kr_store_lmdb_notice_fill(kr_store_lmdb *store) {
  size_t map_bytes = 0;
  size_t used = kr_store_lmdb_used(store, &map_bytes);
  if (used > map_bytes / 5 * 4)
    store->wants_room = true;
}

static void kr_store_lmdb_forget_dead_readers(kr_store_lmdb *store) {
  uint64_t now_us = kr_clock_monotonic_us(kr_clock_system());
  if (now_us - store->checked_us < KR_STORE_LMDB_CHECK_US)
    return;
  int n_dead = 0;
  (void)mdb_reader_check(store->env, &n_dead);
  store->checked_us = now_us;
}

kr_status kr_store_lmdb_enter(kr_store_lmdb *store, kr_store_mode mode, kr_error *reterr) {
  if (store->pid != getpid())
    return kr_fail_hint(reterr, KR_REFUSED, "a store cannot be used in a forked process",
                        "open it after the fork, or exec");
  (void)pthread_mutex_lock(&store->gate);
  while ((store->wants_room || store->wants_adopt || store->wants_reopen) && store->n_open > 0)
    (void)pthread_cond_wait(&store->gate_idle, &store->gate);
  kr_status status = kr_store_lmdb_admit(store, mode, reterr);
  if (status == KR_OK && store->wants_reopen)
    status = kr_store_lmdb_reopen(store, reterr);
  if (status == KR_OK && store->n_open == 0) {
    if (mode == KR_STORE_WRITE)
      kr_store_lmdb_notice_fill(store);
    if (store->wants_room || store->wants_adopt)
      kr_store_lmdb_change_map(store);
    if (store->is_unmapped)
      status = kr_store_lmdb_admit(store, mode, reterr);
  }
  if (status == KR_OK && mode == KR_STORE_WRITE)
    kr_store_lmdb_forget_dead_readers(store);
  if (status == KR_OK)
    store->n_open++;
  (void)pthread_mutex_unlock(&store->gate);
  return status;
}

void kr_store_lmdb_leave(kr_store_lmdb *store) {
  (void)pthread_mutex_lock(&store->gate);
  KR_ASSERT(store->n_open > 0);
  store->n_open--;
  if (store->n_open == 0)
    (void)pthread_cond_broadcast(&store->gate_idle);
  (void)pthread_mutex_unlock(&store->gate);
}

void kr_store_lmdb_want_adopt(kr_store_lmdb *store) {
  (void)pthread_mutex_lock(&store->gate);
  store->wants_adopt = true;
  (void)pthread_mutex_unlock(&store->gate);
}

void kr_store_lmdb_want_reopen(kr_store_lmdb *store) {
  (void)pthread_mutex_lock(&store->gate);
  store->wants_reopen = true;
  (void)pthread_mutex_unlock(&store->gate);
}

int kr_store_lmdb_want_room(kr_store_lmdb *store, size_t n_bytes) {
  (void)pthread_mutex_lock(&store->gate);
  int code = store->is_at_limit ? ENOMEM : MDB_MAP_FULL;
  store->wants_room = true;
  store->wanted_bytes = n_bytes;
  (void)pthread_mutex_unlock(&store->gate);
  return code;
}

void kr_store_lmdb_stop_writing(kr_store_lmdb *store) {
  (void)pthread_mutex_lock(&store->gate);
  store->is_stopped = true;
  (void)pthread_mutex_unlock(&store->gate);
}
