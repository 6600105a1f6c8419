/* SPDX-License-Identifier: Apache-2.0 */
/*
 * txn.c - transactions over LMDB's. After a failed commit the question is
 * whether writing may go on. A disk without room: yes, the pages of the failed
 * transaction are referred to by nothing. Any other failure may be a failed
 * fsync, after which the kernel may have dropped what it could not write and
 * says so only once: writing stops until the store is opened again.
 */
#define _GNU_SOURCE
#include "store/lmdb/store_lmdb_internal.h"

#include "base/assert.h"
#include "base/memory.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#define KR_STORE_LMDB_PAGE_BYTES 4096u

/* A map grown by others, or files exchanged by them, again and again: then something is wrong. */
#define KR_STORE_LMDB_BEGIN_TRIES 1000u

/* Tree pages that one write may copy on its way, at most: bounds what a commit needs. */
#define KR_STORE_LMDB_WRITE_PAGES 8u
#define KR_STORE_LMDB_SLACK_BYTES ((uint64_t)1024u * 1024u)

static MDB_txn *kr_store_lmdb_txn_of(kr_store_txn *base) {
  return ((kr_store_lmdb_txn *)base)->txn;
}

static kr_store_lmdb *kr_store_lmdb_store_of(kr_store_txn *base) {
  return kr_store_lmdb_of(base->store);
}

/* One attempt. A reader slot of a dead process is freed before giving up. */
static int kr_store_lmdb_begin_once(kr_store_lmdb *store, kr_store_mode mode, MDB_txn **ret_txn) {
  unsigned flags = mode == KR_STORE_READ ? MDB_RDONLY : 0;
  int code = mdb_txn_begin(store->env, NULL, flags, ret_txn);
  if (code != MDB_READERS_FULL)
    return code;
  int n_dead = 0;
  (void)mdb_reader_check(store->env, &n_dead);
  return mdb_txn_begin(store->env, NULL, flags, ret_txn);
}

/*
 * Begin; MDB_MAP_RESIZED: to be tried again, after a growth elsewhere or with
 * other files. Whether the files are still ours is asked after the beginning: a
 * writer has the lock by then, so that nobody exchanges them any more.
 */
static int kr_store_lmdb_begin_here(kr_store_lmdb *store, kr_store_mode mode, MDB_txn **ret_txn) {
  if (mode == KR_STORE_WRITE)
    kr_store_lmdb_queue(store);
  int code = kr_store_lmdb_begin_once(store, mode, ret_txn);
  if (code == MDB_MAP_RESIZED)
    kr_store_lmdb_want_adopt(store);
  if (code == MDB_SUCCESS && kr_store_lmdb_is_replaced(store)) {
    mdb_txn_abort(*ret_txn);
    kr_store_lmdb_want_reopen(store);
    code = MDB_MAP_RESIZED;
  }
  if (code != MDB_SUCCESS && mode == KR_STORE_WRITE)
    kr_store_lmdb_unqueue(store);
  return code;
}

kr_status kr_store_lmdb_begin(kr_store *base, kr_store_mode mode, kr_store_txn **ret_txn,
                              kr_error *reterr) {
  kr_store_lmdb *store = kr_store_lmdb_of(base);
  kr_store_lmdb_txn *txn = kr_heap_memory()->alloc(sizeof *txn);
  if (txn == NULL)
    return kr_fail_nomem(reterr);
  *txn = (kr_store_lmdb_txn){.base = {.store = base, .mode = mode}, .txn = NULL};
  kr_status status = KR_OK;
  int code = MDB_MAP_RESIZED;
  for (unsigned i = 0; i < KR_STORE_LMDB_BEGIN_TRIES && code == MDB_MAP_RESIZED; i++) {
    status = kr_store_lmdb_enter(store, mode, reterr);
    if (status != KR_OK)
      break;
    code = kr_store_lmdb_begin_here(store, mode, &txn->txn);
    if (code == MDB_SUCCESS) {
      *ret_txn = &txn->base;
      return KR_OK;
    }
    kr_store_lmdb_leave(store);
  }
  if (status == KR_OK)
    status = kr_store_lmdb_fail(store->path, code, "begin a transaction in", reterr);
  kr_heap_memory()->release(txn, sizeof *txn);
  return status;
}

/* The LMDB transaction is gone. */
static void kr_store_lmdb_end(kr_store_txn *base) {
  if (base->mode == KR_STORE_WRITE)
    kr_store_lmdb_unqueue(kr_store_lmdb_store_of(base));
  kr_store_lmdb_leave(kr_store_lmdb_store_of(base));
  kr_heap_memory()->release(base, sizeof(kr_store_lmdb_txn));
}

void kr_store_lmdb_abort(kr_store_txn *base) {
  mdb_txn_abort(kr_store_lmdb_txn_of(base));
  kr_store_lmdb_end(base);
}

/*
 * LMDB calls a short write EIO, which is how a disk that fills in the middle of
 * one looks: ask the system whether there was room for n_bytes.
 */
static bool kr_store_lmdb_is_out_of_room(const kr_store_lmdb *store, uint64_t n_bytes) {
  mdb_filehandle_t fd = -1;
  struct stat file;
  struct statvfs disk;
  struct rlimit limit;
  if (mdb_env_get_fd(store->env, &fd) != MDB_SUCCESS || fstat(fd, &file) != 0)
    return false;
  uint64_t needed = n_bytes + KR_STORE_LMDB_SLACK_BYTES;
  if (fstatvfs(fd, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < needed)
    return true;
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
         (uint64_t)file.st_size + needed > limit.rlim_cur;
}

static kr_status kr_store_lmdb_commit_fail(kr_store_lmdb *store, int code, size_t n_bytes,
                                           kr_error *reterr) {
  if (code == MDB_MAP_FULL)
    code = kr_store_lmdb_want_room(store, n_bytes);
  if (code == EIO && kr_store_lmdb_is_out_of_room(store, n_bytes))
    code = ENOSPC;
  bool is_harmless = code == MDB_MAP_FULL || code == MDB_TXN_FULL || code == ENOMEM ||
                     code == ENOSPC || code == EDQUOT || code == EFBIG;
  if (!is_harmless)
    kr_store_lmdb_stop_writing(store);
  return kr_store_lmdb_fail(store->path, code, "commit to", reterr);
}

kr_status kr_store_lmdb_commit(kr_store_txn *base, kr_error *reterr) {
  if (base->mode == KR_STORE_READ) {
    kr_store_lmdb_abort(base);
    return KR_OK;
  }
  kr_store_lmdb *store = kr_store_lmdb_store_of(base);
  size_t n_bytes = ((kr_store_lmdb_txn *)base)->n_bytes;
  int code = mdb_txn_commit(kr_store_lmdb_txn_of(base));
  kr_status status = KR_OK;
  if (code != MDB_SUCCESS)
    status = kr_store_lmdb_commit_fail(store, code, n_bytes, reterr);
  kr_store_lmdb_end(base);
  return status;
}

/* LMDB's values are not const, but it only reads these. */
static MDB_val kr_store_lmdb_val(kr_str str) {
  return (MDB_val){.mv_size = str.len, .mv_data = (void *)(uintptr_t)str.ptr};
}

kr_status kr_store_lmdb_get(kr_store_txn *base, kr_str key, kr_str *ret_value, kr_error *reterr) {
  kr_store_lmdb *store = kr_store_lmdb_store_of(base);
  MDB_val name = kr_store_lmdb_val(key);
  MDB_val value;
  int code = mdb_get(kr_store_lmdb_txn_of(base), store->dbi, &name, &value);
  if (code == MDB_NOTFOUND)
    return KR_NOT_FOUND;
  if (code != MDB_SUCCESS)
    return kr_store_lmdb_fail(store->path, code, "read", reterr);
  *ret_value = kr_str_from(value.mv_data, value.mv_size);
  return KR_OK;
}

static void kr_store_lmdb_count(kr_store_txn *base, size_t n_bytes) {
  size_t n_pages = n_bytes / KR_STORE_LMDB_PAGE_BYTES + KR_STORE_LMDB_WRITE_PAGES;
  ((kr_store_lmdb_txn *)base)->n_bytes += n_pages * KR_STORE_LMDB_PAGE_BYTES;
}

static kr_status kr_store_lmdb_write_fail(kr_store_txn *base, int code, kr_error *reterr) {
  kr_store_lmdb *store = kr_store_lmdb_store_of(base);
  if (code == MDB_MAP_FULL)
    code = kr_store_lmdb_want_room(store, ((kr_store_lmdb_txn *)base)->n_bytes);
  return kr_store_lmdb_fail(store->path, code, "write to", reterr);
}

static kr_status kr_store_lmdb_write(kr_store_txn *base, kr_str key, kr_str value, unsigned flags,
                                     kr_error *reterr) {
  MDB_val name = kr_store_lmdb_val(key);
  MDB_val data = kr_store_lmdb_val(value);
  kr_store_lmdb_count(base, key.len + value.len);
  int code =
      mdb_put(kr_store_lmdb_txn_of(base), kr_store_lmdb_store_of(base)->dbi, &name, &data, flags);
  if (code == MDB_SUCCESS)
    return KR_OK;
  if (code == MDB_KEYEXIST)
    return KR_EXISTS;
  return kr_store_lmdb_write_fail(base, code, reterr);
}

kr_status kr_store_lmdb_put(kr_store_txn *base, kr_str key, kr_str value, kr_error *reterr) {
  return kr_store_lmdb_write(base, key, value, 0, reterr);
}

kr_status kr_store_lmdb_put_new(kr_store_txn *base, kr_str key, kr_str value, kr_error *reterr) {
  return kr_store_lmdb_write(base, key, value, MDB_NOOVERWRITE, reterr);
}

kr_status kr_store_lmdb_remove(kr_store_txn *base, kr_str key, kr_error *reterr) {
  MDB_val name = kr_store_lmdb_val(key);
  kr_store_lmdb_count(base, key.len);
  int code = mdb_del(kr_store_lmdb_txn_of(base), kr_store_lmdb_store_of(base)->dbi, &name, NULL);
  if (code == MDB_SUCCESS)
    return KR_OK;
  if (code == MDB_NOTFOUND)
    return KR_NOT_FOUND;
  return kr_store_lmdb_write_fail(base, code, reterr);
}
