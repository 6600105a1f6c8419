/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_lmdb.c - opening and closing an environment. The order matters:
 *
 *   1. the directory is there, or made; not on a network or FUSE file system
 *   2. under the process's lock, and in turn with other processes: the data file is not open here
 * already, is a plain file, and its header is sound (check.c)
 *   3. mdb_env_open; slots of dead readers freed
 *   4. in a first read transaction: the file is as long as its pages need
 *
 * LMDB's locks are POSIX record locks: they belong to the process, and closing
 * any descriptor of a locked file drops them. Hence one environment per file
 * and process, and no look at the data file except before 3.
 */
#define _GNU_SOURCE
#include "store/lmdb/store_lmdb_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static const kr_store_engine kr_store_lmdb_engine;

/* The environments of this process. */
static pthread_mutex_t kr_store_lmdb_list_mutex = PTHREAD_MUTEX_INITIALIZER;
static kr_store_lmdb *kr_store_lmdb_list;

typedef struct kr_store_lmdb_files {
  char data[KR_STORE_LMDB_PATH_BYTES + 16];
  char lock[KR_STORE_LMDB_PATH_BYTES + 16];
} kr_store_lmdb_files;

static kr_status kr_store_lmdb_missing(const char *path, int code, kr_error *reterr) {
  if (code != ENOENT && code != ENOTDIR)
    return kr_store_lmdb_fail(path, code, "open", reterr);
  kr_status status = kr_fail(reterr, KR_NOT_FOUND, "there is no store at %s", path);
  kr_error_hint(reterr, "check the path; `krosyn init` makes a new home");
  return status;
}

static kr_status kr_store_lmdb_check_not_open(const kr_store_lmdb *store, const struct stat *file,
                                              kr_error *reterr) {
  for (const kr_store_lmdb *other = kr_store_lmdb_list; other != NULL; other = other->next_open) {
    /* After a fork the list shows the parent's: those are not ours. */
    if (other->pid != store->pid || other->device != file->st_dev || other->inode != file->st_ino)
      continue;
    kr_status status =
        kr_fail(reterr, KR_EXISTS, "the store %s is open in this process already", store->path);
    kr_error_hint(reterr, "use the one that is open, or close it first");
    return status;
  }
  return KR_OK;
}

/* The files must be plain: a link or a pipe in their place is not ours. */
static kr_status kr_store_lmdb_check_files(kr_store_lmdb *store, const kr_store_lmdb_files *files,
                                           kr_error *reterr) {
  struct stat file = {0};
  if (lstat(files->data, &file) != 0)
    return kr_store_lmdb_missing(store->path, errno, reterr);
  struct stat lock = {.st_mode = S_IFREG};
  if (lstat(files->lock, &lock) != 0 && errno != ENOENT)
    return kr_store_lmdb_fail(store->path, errno, "open", reterr);
  if (!S_ISREG(file.st_mode) || !S_ISREG(lock.st_mode))
    return kr_fail_hint(reterr, KR_REFUSED, "a file of the store is a link or not a plain file",
                        "put the plain file data.mdb there, and no lock.mdb");
  KR_TRY(kr_store_lmdb_check_not_open(store, &file, reterr));
  return kr_store_lmdb_check_header(store->path, files->data, reterr);
}

static int kr_store_lmdb_open_env(kr_store_lmdb *store, size_t map_bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  map_bytes = map_bytes < KR_STORE_LMDB_MAP_MIN_BYTES ? KR_STORE_LMDB_MAP_MIN_BYTES : map_bytes;
  map_bytes = map_bytes / page * page + (map_bytes % page == 0 ? 0 : page);
  int code = mdb_env_create(&store->env);
  if (code == MDB_SUCCESS)
    code = mdb_env_set_mapsize(store->env, map_bytes);
  if (code == MDB_SUCCESS)
    code = mdb_env_set_maxreaders(store->env, KR_STORE_LMDB_READERS);
  /* Readers are tied to their transaction, not to the thread; everything else as it comes. */
  unsigned flags = MDB_NOTLS | (store->is_read_only ? MDB_RDONLY : 0u);
  flags |= store->is_unshared ? MDB_NOLOCK : 0u;
  if (code == MDB_SUCCESS)
    code = mdb_env_open(store->env, store->path, flags, 0600);
  return code;
}

/* Steps after mdb_env_open: who we are in the list, dead readers, length. */
static kr_status kr_store_lmdb_settle(kr_store_lmdb *store, kr_error *reterr) {
  mdb_filehandle_t fd = -1;
  struct stat file = {0};
  int code = mdb_env_get_fd(store->env, &fd);
  if (code == MDB_SUCCESS && fstat(fd, &file) != 0)
    code = errno;
  int n_dead = 0;
  if (code == MDB_SUCCESS && !store->is_read_only)
    code = mdb_reader_check(store->env, &n_dead);
  MDB_txn *txn = NULL;
  if (code == MDB_SUCCESS)
    code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
  if (code == MDB_SUCCESS)
    code = mdb_dbi_open(txn, NULL, 0, &store->dbi);
  kr_status status = KR_OK;
  if (code != MDB_SUCCESS)
    status = kr_store_lmdb_fail(store->path, code, "open", reterr);
  else
    status = kr_store_lmdb_check_length(store->path, fd, mdb_txn_id(txn), reterr);
  /* Commit, not abort: the handle of the database is to stay. */
  if (status == KR_OK)
    code = mdb_txn_commit(txn);
  else if (txn != NULL)
    mdb_txn_abort(txn);
  KR_TRY(status);
  if (code != MDB_SUCCESS)
    return kr_store_lmdb_fail(store->path, code, "open", reterr);
  KR_ASSERT((size_t)mdb_env_get_maxkeysize(store->env) >= KR_STORE_KEY_BYTES);
  store->checked_us = kr_clock_monotonic_us(kr_clock_system());
  store->device = file.st_dev;
  store->inode = file.st_ino;
  code = store->is_unshared ? 0 : kr_store_lmdb_flag_open(store);
  return code == 0 ? KR_OK : kr_store_lmdb_fail(store->path, code, "open", reterr);
}

/* With the list's mutex held. On failure store->env may be set: the caller closes it. */
static kr_status kr_store_lmdb_open_locked(kr_store_lmdb *store,
                                           const kr_store_lmdb_options *options,
                                           const kr_store_lmdb_files *files, kr_error *reterr) {
  size_t map_bytes = options->map_bytes == 0 ? KR_STORE_LMDB_MAP_BYTES : options->map_bytes;
  if (!options->is_create)
    KR_TRY(kr_store_lmdb_check_files(store, files, reterr));
  int code = kr_store_lmdb_open_env(store, map_bytes);
  if (code != MDB_SUCCESS)
    return kr_store_lmdb_fail(store->path, code, options->is_create ? "create" : "open", reterr);
  KR_TRY(kr_store_lmdb_settle(store, reterr));
  if (options->is_create) {
    code = mdb_env_sync(store->env, 1);
    if (code != MDB_SUCCESS)
      return kr_store_lmdb_fail(store->path, code, "create", reterr);
    KR_TRY(kr_store_lmdb_sync_directory(store->path, reterr));
  }
  store->next_open = kr_store_lmdb_list;
  kr_store_lmdb_list = store;
  return KR_OK;
}

/* Of two that create at once, one makes the file; LMDB takes an empty one as new. */
static kr_status kr_store_lmdb_make_file(const kr_store_lmdb *store,
                                         const kr_store_lmdb_files *files, kr_error *reterr) {
  int fd = open(files->data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    (void)close(fd);
    return KR_OK;
  }
  if (errno != EEXIST)
    return kr_store_lmdb_fail(store->path, errno, "create", reterr);
  return kr_store_lmdb_exists(store->path, reterr);
}

/* Take back what a failed creation made; the directory was empty before. */
static void kr_store_lmdb_uncreate(const kr_store_lmdb *store, const kr_store_lmdb_files *files,
                                   bool is_made) {
  char flag[KR_STORE_LMDB_PATH_BYTES + 32];
  (void)snprintf(flag, sizeof flag, "%s/" KR_STORE_LMDB_FLAG, store->path);
  (void)unlink(files->data);
  (void)unlink(files->lock);
  (void)unlink(flag);
  if (is_made)
    (void)rmdir(store->path);
}

static kr_status kr_store_lmdb_prepare(kr_store_lmdb *store, kr_str path,
                                       kr_store_lmdb_files *files, kr_error *reterr) {
  if (path.len == 0 || path.len > KR_STORE_LMDB_PATH_BYTES || memchr(path.ptr, 0, path.len) != NULL)
    return kr_fail(reterr, KR_INVALID, "the path of a store has 1 to %u bytes and no NUL",
                   KR_STORE_LMDB_PATH_BYTES);
  memcpy(store->path, path.ptr, path.len);
  (void)snprintf(files->data, sizeof files->data, "%s/data.mdb", store->path);
  (void)snprintf(files->lock, sizeof files->lock, "%s/lock.mdb", store->path);
  if (pthread_mutex_init(&store->gate, NULL) != 0)
    return kr_fail_nomem(reterr);
  if (pthread_cond_init(&store->gate_idle, NULL) != 0) {
    (void)pthread_mutex_destroy(&store->gate);
    return kr_fail_nomem(reterr);
  }
  return KR_OK;
}

static void kr_store_lmdb_free(kr_store_lmdb *store) {
  kr_store_lmdb_flag_close(store);
  if (store->env != NULL)
    mdb_env_close(store->env);
  (void)pthread_cond_destroy(&store->gate_idle);
  (void)pthread_mutex_destroy(&store->gate);
  kr_heap_memory()->release(store, sizeof *store);
}

/*
 * One process at a time opens a store; closing the descriptor ends its turn.
 * LMDB alone is not enough: the first to open clears lock.mdb under an
 * exclusive lock, and if it is killed before it has filled in the number of the
 * newest transaction, one that waits for it goes on with 0, reads the past and
 * writes over what was committed. A lock of flock(2) falls after all record
 * locks of a killed process, so whoever comes next finds lock.mdb free, and
 * clears it anew.
 */
static kr_status kr_store_lmdb_wait_turn(const kr_store_lmdb *store, int *ret_turn,
                                         kr_error *reterr) {
  *ret_turn = -1;
  if (store->is_unshared)
    return KR_OK; /* has no lock file */
  int fd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int code = fd;
  while (fd >= 0 && (code = flock(fd, LOCK_EX)) != 0 && errno == EINTR)
    continue;
  if (code >= 0) {
    *ret_turn = fd;
    return KR_OK;
  }
  kr_status status = kr_store_lmdb_fail(store->path, errno, "open", reterr);
  if (fd >= 0)
    (void)close(fd);
  return status;
}

static void kr_store_lmdb_unlock_place(int lock) {
  if (lock >= 0)
    (void)close(lock);
}

/*
 * LMDB opens lock.mdb and then data.mdb: while both are exchanged for others
 * nobody may be in the middle of that.
 */
static kr_status kr_store_lmdb_open_listed(kr_store_lmdb *store,
                                           const kr_store_lmdb_options *options,
                                           const kr_store_lmdb_files *files, kr_error *reterr) {
  int lock = store->is_unshared ? -1 : kr_store_lmdb_lock_place(store->path, false);
  (void)pthread_mutex_lock(&kr_store_lmdb_list_mutex);
  int turn = -1;
  kr_status status = kr_store_lmdb_wait_turn(store, &turn, reterr);
  if (status == KR_OK)
    status = kr_store_lmdb_open_locked(store, options, files, reterr);
  if (status != KR_OK && store->env != NULL) {
    mdb_env_close(store->env);
    store->env = NULL;
  }
  kr_store_lmdb_unlock_place(turn);
  (void)pthread_mutex_unlock(&kr_store_lmdb_list_mutex);
  kr_store_lmdb_unlock_place(lock);
  return status;
}

static kr_status kr_store_lmdb_reopen_locked(kr_store_lmdb *store, kr_error *reterr) {
  kr_store_lmdb_files files;
  (void)snprintf(files.data, sizeof files.data, "%s/data.mdb", store->path);
  (void)snprintf(files.lock, sizeof files.lock, "%s/lock.mdb", store->path);
  kr_store_lmdb_flag_close(store);
  if (store->env != NULL)
    mdb_env_close(store->env);
  store->env = NULL;
  KR_TRY(kr_store_lmdb_check_files(store, &files, reterr));
  /* A map that is too small now grows as any does. */
  int code = kr_store_lmdb_open_env(store, KR_STORE_LMDB_MAP_BYTES);
  if (code != MDB_SUCCESS)
    return kr_store_lmdb_fail(store->path, code, "open", reterr);
  return kr_store_lmdb_settle(store, reterr);
}

kr_status kr_store_lmdb_reopen(kr_store_lmdb *store, kr_error *reterr) {
  int lock = kr_store_lmdb_lock_place(store->path, false);
  (void)pthread_mutex_lock(&kr_store_lmdb_list_mutex);
  int turn = -1;
  kr_status status = kr_store_lmdb_wait_turn(store, &turn, reterr);
  if (status == KR_OK)
    status = kr_store_lmdb_reopen_locked(store, reterr);
  if (status != KR_OK && store->env != NULL) {
    mdb_env_close(store->env);
    store->env = NULL;
  }
  kr_store_lmdb_unlock_place(turn);
  (void)pthread_mutex_unlock(&kr_store_lmdb_list_mutex);
  kr_store_lmdb_unlock_place(lock);
  /* After a failure the next begin tries again. */
  store->wants_reopen = status != KR_OK;
  if (status == KR_OK) {
    store->wants_room = store->wants_adopt = false;
    store->is_stopped = store->is_unmapped = store->is_at_limit = false;
  }
  return status;
}

static kr_status kr_store_lmdb_create(kr_store_lmdb *store, const kr_store_lmdb_options *options,
                                      const kr_store_lmdb_files *files, kr_error *reterr) {
  bool is_made = false;
  KR_TRY(kr_store_lmdb_make_directory(store->path, &is_made, reterr));
  kr_status status = kr_store_lmdb_check_filesystem(store->path, reterr);
  if (status == KR_OK)
    status = kr_store_lmdb_make_file(store, files, reterr);
  if (status != KR_OK) {
    if (is_made)
      (void)rmdir(store->path);
    return status;
  }
  status = kr_store_lmdb_open_listed(store, options, files, reterr);
  if (status != KR_OK)
    kr_store_lmdb_uncreate(store, files, is_made);
  return status;
}

static kr_status kr_store_lmdb_open_existing(kr_store_lmdb *store,
                                             const kr_store_lmdb_options *options,
                                             const kr_store_lmdb_files *files, kr_error *reterr) {
  if (access(store->path, F_OK) != 0)
    return kr_store_lmdb_missing(store->path, errno, reterr);
  KR_TRY(kr_store_lmdb_check_filesystem(store->path, reterr));
  return kr_store_lmdb_open_listed(store, options, files, reterr);
}

kr_status kr_store_lmdb_open(kr_str path, const kr_store_lmdb_options *options,
                             kr_store **ret_store, kr_error *reterr) {
  KR_ASSERT(options != NULL && ret_store != NULL);
  KR_ASSERT(!(options->is_create && options->is_read_only));
  KR_ASSERT(options->is_read_only || !options->is_unshared);
  kr_store_lmdb *store = kr_heap_memory()->alloc(sizeof *store);
  if (store == NULL)
    return kr_fail_nomem(reterr);
  memset(store, 0, sizeof *store);
  store->base.engine = &kr_store_lmdb_engine;
  store->pid = getpid();
  store->queue = -1;
  store->is_read_only = options->is_read_only;
  store->is_unshared = options->is_unshared;
  kr_store_lmdb_files files;
  kr_status status = kr_store_lmdb_prepare(store, path, &files, reterr);
  if (status != KR_OK) {
    kr_heap_memory()->release(store, sizeof *store);
    return status;
  }
  status = options->is_create ? kr_store_lmdb_create(store, options, &files, reterr)
                              : kr_store_lmdb_open_existing(store, options, &files, reterr);
  if (status != KR_OK) {
    kr_store_lmdb_free(store);
    return status;
  }
  *ret_store = &store->base;
  return KR_OK;
}

static void kr_store_lmdb_close(kr_store *base) {
  kr_store_lmdb *store = kr_store_lmdb_of(base);
  KR_ASSERT(store->n_open == 0);
  (void)pthread_mutex_lock(&kr_store_lmdb_list_mutex);
  kr_store_lmdb **link = &kr_store_lmdb_list;
  while (*link != NULL && *link != store)
    link = &(*link)->next_open;
  KR_ASSERT(*link == store);
  *link = store->next_open;
  kr_store_lmdb_free(store);
  (void)pthread_mutex_unlock(&kr_store_lmdb_list_mutex);
}

static const kr_store_engine kr_store_lmdb_engine = {
    .name = "lmdb",
    .close = kr_store_lmdb_close,
    .begin = kr_store_lmdb_begin,
    .commit = kr_store_lmdb_commit,
    .abort = kr_store_lmdb_abort,
    .get = kr_store_lmdb_get,
    .put = kr_store_lmdb_put,
    .put_new = kr_store_lmdb_put_new,
    .remove = kr_store_lmdb_remove,
    .scan = kr_store_lmdb_scan,
    .next = kr_store_lmdb_next,
    .scan_end = kr_store_lmdb_scan_end,
    .copy = kr_store_lmdb_copy,
    .compact = kr_store_lmdb_compact,
};
