/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy.c - a compact copy of a store that is in use. LMDB walks one snapshot
 * and writes its live pages only: free pages, which still hold what was removed
 * or replaced, stay behind, and the unused parts of live ones are cleared
 * (scrub.c). The copy is a reader like any other, so others go
 * on reading and writing; the file may grow meanwhile, since the pages of the
 * snapshot cannot be used again before the copy is done.
 */
#define _GNU_SOURCE
#include "store/lmdb/store_lmdb_internal.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define KR_STORE_LMDB_COPY_TRIES 8u

typedef struct kr_store_lmdb_target {
  char directory[KR_STORE_LMDB_PATH_BYTES + 1];
  char data[KR_STORE_LMDB_PATH_BYTES + 16];
  bool is_made;
} kr_store_lmdb_target;

kr_status kr_store_lmdb_copy_failed(const kr_store_lmdb *store, int code, kr_error *reterr) {
  if (code != MDB_INCOMPATIBLE)
    return kr_store_lmdb_fail(store->path, code, "copy", reterr);
  /* LMDB's answer when the pages it wrote are not as many as the header and the free list say. */
  kr_status status =
      kr_fail(reterr, KR_CORRUPT, "cannot copy the store %s: its pages do not add up", store->path);
  kr_error_hint(reterr, "`krosyn verify` says what is damaged and what is still good");
  return status;
}

/* Everything before counts for nothing: the file is written from its beginning. */
int kr_store_lmdb_copy_once(kr_store_lmdb *store, int fd) {
  if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) < 0)
    return errno;
  int code = mdb_env_copyfd2(store->env, fd, MDB_CP_COMPACT);
  if (code != MDB_READERS_FULL)
    return code;
  int n_dead = 0;
  (void)mdb_reader_check(store->env, &n_dead);
  if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) < 0)
    return errno;
  return mdb_env_copyfd2(store->env, fd, MDB_CP_COMPACT);
}

kr_status kr_store_lmdb_copy_to(kr_store_lmdb *store, int fd, kr_error *reterr) {
  int code = MDB_MAP_RESIZED;
  for (unsigned i = 0; i < KR_STORE_LMDB_COPY_TRIES && code == MDB_MAP_RESIZED; i++) {
    KR_TRY(kr_store_lmdb_enter(store, KR_STORE_READ, reterr));
    code = kr_store_lmdb_copy_once(store, fd);
    if (code == MDB_MAP_RESIZED)
      kr_store_lmdb_want_adopt(store);
    kr_store_lmdb_leave(store);
  }
  if (code != MDB_SUCCESS)
    return kr_store_lmdb_copy_failed(store, code, reterr);
  KR_TRY(kr_store_lmdb_scrub(store->path, fd, reterr));
  if (fsync(fd) != 0)
    return kr_store_lmdb_fail(store->path, errno, "save a copy of", reterr);
  return KR_OK;
}

static kr_status kr_store_lmdb_copy_file(kr_store_lmdb *store, const kr_store_lmdb_target *target,
                                         kr_error *reterr) {
  int fd = open(target->data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return kr_store_lmdb_fail(target->directory, errno, "create", reterr);
  kr_status status = kr_store_lmdb_copy_to(store, fd, reterr);
  (void)close(fd);
  if (status == KR_OK)
    status = kr_store_lmdb_sync_directory(target->directory, reterr);
  if (status != KR_OK)
    (void)unlink(target->data);
  return status;
}

kr_status kr_store_lmdb_copy(kr_store *base, kr_str directory, kr_error *reterr) {
  kr_store_lmdb_target target = {.is_made = false};
  if (directory.len == 0 || directory.len > KR_STORE_LMDB_PATH_BYTES ||
      memchr(directory.ptr, 0, directory.len) != NULL)
    return kr_fail(reterr, KR_INVALID, "the path of a store has 1 to %u bytes and no NUL",
                   KR_STORE_LMDB_PATH_BYTES);
  memcpy(target.directory, directory.ptr, directory.len);
  (void)snprintf(target.data, sizeof target.data, "%s/data.mdb", target.directory);
  KR_TRY(kr_store_lmdb_make_directory(target.directory, &target.is_made, reterr));
  kr_status status = kr_store_lmdb_copy_file(kr_store_lmdb_of(base), &target, reterr);
  if (status != KR_OK && target.is_made)
    (void)rmdir(target.directory);
  return status;
}
