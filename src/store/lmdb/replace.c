/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replace.c - the files of a store exchanged for a compact copy of them, while
 * other processes have the store open.
 *
 *   STORE/            data.mdb lock.mdb
 *   STORE.purge-XXXX/ data.mdb            the copy; after the exchange the old files
 *
 *   1. begin a write transaction: nobody commits to the old files any more
 *   2. the compact copy, cleared and durable, in a directory beside the store
 *   3. with the place locked alone, so that nobody is in the middle of opening:
 *      exchange the two directories, in one step
 *   4. end the transaction: writers that waited begin, see at once that the files
 *      at the path are others than theirs (is_replaced), and open those
 *   5. remove the old files; who still reads them keeps them until then
 *
 * To ask for the path at each begin costs a system call. So there is a word, in
 * STORE/exchange.flag, mapped by all who have these files open, that becomes 1
 * before step 3 and stays so: only then is the path asked for. As long as it is
 * 0 nobody has begun an exchange. It is a hint that can only be wrong on the
 * safe side: where it cannot be had, or was left at 1, the path is asked for.
 *
 * Killed before 3 the store is as it was, after it the store is the copy; what
 * is left beside it is removed by the next run, under the writer's lock. The
 * place is locked with flock(2) on the directory above the store, which needs
 * no file of its own and is freed when its holder dies.
 */
#define _GNU_SOURCE
#include "store/lmdb/store_lmdb_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define KR_REPLACE_MARK ".purge-"
#define KR_REPLACE_FLAG_BYTES 64u /* of the file; its first word is the flag */

typedef struct kr_replace {
  char directory[KR_STORE_LMDB_PATH_BYTES + 32]; /* of the copy, then of the old files */
  char above[KR_STORE_LMDB_PATH_BYTES + 8];
} kr_replace;

/* Written and not only made longer: a hole on a full disk would be SIGBUS when the flag is set. */
static bool kr_flag_is_whole(int fd) {
  static const uint8_t zeros[KR_REPLACE_FLAG_BYTES];
  struct stat file;
  if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode))
    return false;
  return file.st_size >= (off_t)sizeof zeros ||
         pwrite(fd, zeros, sizeof zeros, 0) == (ssize_t)sizeof zeros;
}

int kr_store_lmdb_flag_open(kr_store_lmdb *store) {
  char path[KR_STORE_LMDB_PATH_BYTES + 32];
  (void)snprintf(path, sizeof path, "%s/" KR_STORE_LMDB_FLAG, store->path);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return 0;
  bool is_whole = kr_flag_is_whole(fd);
  void *map = NULL;
  if (is_whole)
    map = mmap(NULL, KR_REPLACE_FLAG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  int code = map == MAP_FAILED ? errno : 0;
  if (code != 0) {
    (void)close(fd);
    return code;
  }
  store->flag = map;
  store->queue = fd;
  return 0;
}

void kr_store_lmdb_flag_close(kr_store_lmdb *store) {
  if (store->flag != NULL)
    (void)munmap(store->flag, KR_REPLACE_FLAG_BYTES);
  store->flag = NULL;
  if (store->queue >= 0)
    (void)close(store->queue);
  store->queue = -1;
}

void kr_store_lmdb_queue(const kr_store_lmdb *store) {
  while (store->queue >= 0 && flock(store->queue, LOCK_EX) != 0 && errno == EINTR)
    continue;
}

void kr_store_lmdb_unqueue(const kr_store_lmdb *store) {
  if (store->queue >= 0)
    (void)flock(store->queue, LOCK_UN);
}

bool kr_store_lmdb_is_replaced(const kr_store_lmdb *store) {
  char data[KR_STORE_LMDB_PATH_BYTES + 16];
  struct stat file;
  if (store->is_unshared || (store->flag != NULL && atomic_load(store->flag) == 0))
    return false;
  (void)snprintf(data, sizeof data, "%s/data.mdb", store->path);
  /* Files that are gone, or a path that leads nowhere any more, are replaced by nothing. */
  return stat(data, &file) == 0 && (file.st_dev != store->device || file.st_ino != store->inode);
}

int kr_store_lmdb_lock_place(const char *path, bool is_alone) {
  char above[KR_STORE_LMDB_PATH_BYTES + 8];
  (void)snprintf(above, sizeof above, "%s/..", path);
  int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int code = fd;
  while (fd >= 0 && (code = flock(fd, is_alone ? LOCK_EX : LOCK_SH)) != 0 && errno == EINTR)
    continue;
  if (fd >= 0 && code != 0) {
    (void)close(fd);
    return -1;
  }
  return fd;
}

static void kr_replace_remove(const char *directory) {
  static const char *const names[] = {"data.mdb", "lock.mdb", KR_STORE_LMDB_FLAG};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char file[KR_STORE_LMDB_PATH_BYTES + 64];
    int len = snprintf(file, sizeof file, "%s/%s", directory, names[i]);
    if (len > 0 && (size_t)len < sizeof file)
      (void)unlink(file);
  }
  (void)rmdir(directory);
}

/* What runs that were killed have left beside this store: it may hold removed values. */
static void kr_replace_remove_remains(const kr_store_lmdb *store, const kr_replace *replace) {
  const char *name = strrchr(store->path, '/');
  name = name == NULL ? store->path : name + 1;
  size_t len = strlen(name);
  DIR *entries = opendir(replace->above);
  if (entries == NULL)
    return;
  for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
    char directory[KR_STORE_LMDB_PATH_BYTES + 300];
    if (strncmp(entry->d_name, name, len) != 0 ||
        strncmp(entry->d_name + len, KR_REPLACE_MARK, strlen(KR_REPLACE_MARK)) != 0)
      continue;
    (void)snprintf(directory, sizeof directory, "%s/%s", replace->above, entry->d_name);
    kr_replace_remove(directory);
  }
  (void)closedir(entries);
}

static kr_status kr_replace_copy(kr_store_lmdb *store, const kr_replace *replace,
                                 kr_error *reterr) {
  char data[KR_STORE_LMDB_PATH_BYTES + 64];
  (void)snprintf(data, sizeof data, "%s/data.mdb", replace->directory);
  int fd = open(data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return kr_store_lmdb_fail(store->path, errno, "copy", reterr);
  kr_status status = KR_OK;
  int code = kr_store_lmdb_copy_once(store, fd);
  if (code != MDB_SUCCESS)
    status = kr_store_lmdb_copy_failed(store, code, reterr);
  if (status == KR_OK)
    status = kr_store_lmdb_scrub(store->path, fd, reterr);
  if (status == KR_OK && fsync(fd) != 0)
    status = kr_store_lmdb_fail(store->path, errno, "save a copy of", reterr);
  (void)close(fd);
  return status == KR_OK ? kr_store_lmdb_sync_directory(replace->directory, reterr) : status;
}

static kr_status kr_replace_exchange(const kr_store_lmdb *store, const kr_replace *replace,
                                     kr_error *reterr) {
  int lock = kr_store_lmdb_lock_place(store->path, true);
  if (lock < 0)
    return kr_store_lmdb_fail(store->path, EACCES, "lock the place of", reterr);
  if (store->flag != NULL)
    atomic_store(store->flag, 1u);
  int code = renameat2(AT_FDCWD, replace->directory, AT_FDCWD, store->path, RENAME_EXCHANGE) == 0
                 ? 0
                 : errno;
  if (code != 0 && store->flag != NULL)
    atomic_store(store->flag, 0u); /* nothing was exchanged */
  if (code == 0 && fsync(lock) != 0)
    code = errno;
  (void)close(lock);
  if (code == EINVAL || code == ENOSYS) {
    (void)kr_fail(reterr, KR_UNSUPPORTED, "the file system of %s cannot exchange directories",
                  store->path);
    kr_error_hint(reterr, "end all that use the home, then restore a backup of it elsewhere: it "
                          "holds nothing that was removed");
    return KR_UNSUPPORTED;
  }
  return code == 0 ? KR_OK : kr_store_lmdb_fail(store->path, code, "exchange", reterr);
}

/* In the write transaction. */
static kr_status kr_replace_run(kr_store_lmdb *store, kr_replace *replace, kr_error *reterr) {
  kr_replace_remove_remains(store, replace);
  (void)snprintf(replace->directory, sizeof replace->directory, "%s%sXXXXXX", store->path,
                 KR_REPLACE_MARK);
  if (mkdtemp(replace->directory) == NULL)
    return kr_store_lmdb_fail(store->path, errno, "make a copy beside", reterr);
  kr_status status = kr_replace_copy(store, replace, reterr);
  return status == KR_OK ? kr_replace_exchange(store, replace, reterr) : status;
}

kr_status kr_store_lmdb_compact(kr_store *base, kr_error *reterr) {
  kr_store_lmdb *store = kr_store_lmdb_of(base);
  kr_replace replace = {.directory = ""};
  kr_store_txn *txn = NULL;
  (void)snprintf(replace.above, sizeof replace.above, "%s/..", store->path);
  KR_TRY(kr_store_begin(base, KR_STORE_WRITE, &txn, reterr));
  kr_status status = kr_replace_run(store, &replace, reterr);
  kr_store_abort(txn);
  /* The copy that was not needed, or the old files. */
  if (replace.directory[0] != '\0')
    kr_replace_remove(replace.directory);
  return status;
}
