/* SPDX-License-Identifier: Apache-2.0 */
/* info.c - what LMDB knows of a store: sizes, free pages, readers; and which LMDB it is. */
#define _GNU_SOURCE
#include "store/lmdb/store_lmdb_internal.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KR_STORE_LMDB_FREE_DBI 0u /* LMDB's own: transaction -> list of free pages */

static int kr_store_lmdb_count_reader(const char *line, void *ctx) {
  uint32_t *n_readers = ctx;
  /* The first line is a heading; a slot without a transaction shows "-". */
  if (line[0] == ' ' && strstr(line, "pid") == NULL && strchr(line, '-') == NULL)
    (*n_readers)++;
  return 0;
}

static int kr_store_lmdb_count_free(MDB_txn *txn, uint64_t *ret_n_pages) {
  MDB_cursor *cursor = NULL;
  MDB_val key;
  MDB_val data;
  *ret_n_pages = 0;
  int code = mdb_cursor_open(txn, KR_STORE_LMDB_FREE_DBI, &cursor);
  if (code != MDB_SUCCESS)
    return code;
  while ((code = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == MDB_SUCCESS) {
    size_t n_pages = 0;
    if (data.mv_size >= sizeof n_pages)
      memcpy(&n_pages, data.mv_data, sizeof n_pages);
    *ret_n_pages += n_pages;
  }
  mdb_cursor_close(cursor);
  return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

static int kr_store_lmdb_gather(kr_store_lmdb *store, MDB_txn *txn, kr_store_lmdb_info *info) {
  mdb_filehandle_t fd = -1;
  struct stat file;
  MDB_envinfo envinfo;
  MDB_stat stat;
  uint64_t n_free = 0;
  int code = mdb_env_get_fd(store->env, &fd);
  if (code == MDB_SUCCESS && fstat(fd, &file) != 0)
    code = errno;
  if (code == MDB_SUCCESS)
    code = mdb_env_info(store->env, &envinfo);
  if (code == MDB_SUCCESS)
    code = mdb_stat(txn, store->dbi, &stat);
  if (code == MDB_SUCCESS)
    code = kr_store_lmdb_count_free(txn, &n_free);
  if (code != MDB_SUCCESS)
    return code;
  *info = (kr_store_lmdb_info){.file_bytes = (uint64_t)file.st_size,
                               .used_bytes = ((uint64_t)envinfo.me_last_pgno + 1) * stat.ms_psize,
                               .free_bytes = n_free * stat.ms_psize,
                               .map_bytes = envinfo.me_mapsize,
                               .entries = stat.ms_entries,
                               /* Not LMDB's newest: a commit is that before readers can see it. */
                               .last_txn = mdb_txn_id(txn),
                               .max_readers = envinfo.me_maxreaders};
  return MDB_SUCCESS;
}

kr_status kr_store_lmdb_look(kr_store *base, kr_store_lmdb_info *ret_info, kr_error *reterr) {
  kr_store_lmdb *store = kr_store_lmdb_of(base);
  kr_store_txn *txn = NULL;
  uint32_t n_readers = 0;
  KR_ASSERT(strcmp(base->engine->name, "lmdb") == 0);
  KR_TRY(kr_store_begin(base, KR_STORE_READ, &txn, reterr));
  int code = kr_store_lmdb_gather(store, ((kr_store_lmdb_txn *)txn)->txn, ret_info);
  kr_store_abort(txn);
  if (code != MDB_SUCCESS)
    return kr_store_lmdb_fail(store->path, code, "read", reterr);
  /* A store that nobody shares has no table of readers. */
  if (!store->is_unshared)
    (void)mdb_reader_list(store->env, kr_store_lmdb_count_reader, &n_readers);
  ret_info->n_readers = n_readers;
  return KR_OK;
}

const char *kr_store_lmdb_version(bool *ret_is_bad) {
  static char text[32];
  int major = 0;
  int minor = 0;
  int patch = 0;
  (void)mdb_version(&major, &minor, &patch);
  (void)snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
  *ret_is_bad = major == 0 && minor == 9 && patch >= 26 && patch <= 31;
  return text;
}
