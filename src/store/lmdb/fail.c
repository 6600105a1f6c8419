/* SPDX-License-Identifier: Apache-2.0 */
/* fail.c - LMDB's return codes and errno to statuses: what, where, how to mend it. */
#include "store/lmdb/store_lmdb_internal.h"

#include <errno.h>

typedef struct kr_store_lmdb_code {
  int code;
  kr_status status;
  const char *what;
  const char *hint;
} kr_store_lmdb_code;

static const char kr_store_hint_restore[] =
    "restore it from a backup; keep the damaged files until that is done";
static const char kr_store_hint_version[] =
    "use the krosyn and the LMDB that made it, or export there and import here";
static const char kr_store_hint_reopen[] =
    "check the disk and the kernel log, then close and open the store again";
static const char kr_store_hint_space[] =
    "free some space on that disk and repeat; nothing was changed and reading goes on";
static const char kr_store_hint_owner[] =
    "check the owner and the mode of the directory (0700) and its files (0600)";

static const kr_store_lmdb_code kr_store_lmdb_codes[] = {
    {MDB_CORRUPTED, KR_CORRUPT, "a page of it is damaged", kr_store_hint_restore},
    {MDB_PAGE_NOTFOUND, KR_CORRUPT, "a page of it is missing", kr_store_hint_restore},
    {MDB_INVALID, KR_CORRUPT, "its file is not a store, or is damaged", kr_store_hint_restore},
    {MDB_INCOMPATIBLE, KR_CORRUPT, "its database is of another kind", kr_store_hint_restore},
    {MDB_VERSION_MISMATCH, KR_UNSUPPORTED,
     "it is of another version of LMDB, or another version "
     "has it open now",
     kr_store_hint_version},
    {MDB_PANIC, KR_IO, "a write failed half way and it has stopped", kr_store_hint_reopen},
    {MDB_MAP_FULL, KR_LIMIT, "it is full", "repeat the transaction: it begins with twice the room"},
    {MDB_TXN_FULL, KR_LIMIT, "the transaction writes too much", "write in smaller transactions"},
    {MDB_CURSOR_FULL, KR_CORRUPT, "its tree is too deep", kr_store_hint_restore},
    {MDB_READERS_FULL, KR_LIMIT, "it has as many readers as it allows",
     "end some of the processes that use it, or wait for them"},
    {MDB_MAP_RESIZED, KR_IO, "other processes keep growing it", "try again"},
    {ENOMEM, KR_NOMEM, "out of memory or address space",
     "raise the limit of address space (ulimit -v), or give it more memory"},
    {ENOSPC, KR_IO, "the disk is full", kr_store_hint_space},
    {EDQUOT, KR_IO, "the disk quota is used up", kr_store_hint_space},
    {EFBIG, KR_IO, "the file may not grow further (file size limit)", kr_store_hint_space},
    {EIO, KR_IO, "the disk failed", kr_store_hint_reopen},
    {EACCES, KR_IO, "permission denied", kr_store_hint_owner},
    {EPERM, KR_IO, "not permitted", kr_store_hint_owner},
    {ENOENT, KR_IO, "there is no such directory", "make the directory above it first"},
    {EROFS, KR_IO, "the file system is read-only",
     "remount the disk for writing; `krosyn status`, `verify`, `backup` and `key status` only "
     "read"},
    {EMFILE, KR_IO, "too many open files", "raise the limit of open files (ulimit -n)"},
};

kr_status kr_store_lmdb_fail(const char *path, int code, const char *what, kr_error *reterr) {
  for (size_t i = 0; i < sizeof kr_store_lmdb_codes / sizeof kr_store_lmdb_codes[0]; i++) {
    const kr_store_lmdb_code *row = &kr_store_lmdb_codes[i];
    if (row->code != code)
      continue;
    kr_status status =
        kr_fail(reterr, row->status, "cannot %s the store %s: %s", what, path, row->what);
    kr_error_hint(reterr, "%s", row->hint);
    return status;
  }
  if (code > 0)
    return kr_fail_errno(reterr, code, "cannot %s the store %s", what, path);
  return kr_fail(reterr, KR_INTERNAL, "cannot %s the store %s: %s", what, path, mdb_strerror(code));
}
