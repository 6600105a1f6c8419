/* SPDX-License-Identifier: Apache-2.0 */
/* store_lmdb.h - the embedded store: one LMDB environment in a directory of its own. */
#ifndef KR_STORE_LMDB_H
#define KR_STORE_LMDB_H

#include "store/store.h"

typedef struct kr_store_lmdb_options {
  bool is_create; /* create the directory (0700) and files (0600); KR_EXISTS when there */
  bool is_read_only;
  bool is_unshared; /* with is_read_only: nobody writes it, as in a backup; makes no lock file */
  size_t map_bytes; /* reserved address space; 0: KR_STORE_LMDB_MAP_BYTES */
} kr_store_lmdb_options;

#define KR_STORE_LMDB_MAP_BYTES ((size_t)16u * 1024u * 1024u * 1024u)
#define KR_STORE_LMDB_READERS 1024u

/**
 * Open (or create) an environment. Errors: KR_NOT_FOUND (no such directory or
 * data file), KR_EXISTS, KR_CORRUPT (truncated or not LMDB), KR_UNSUPPORTED
 * (another LMDB version), KR_REFUSED (network or FUSE file system), KR_IO.
 * At most one kr_store per directory and process; never fork with one open.
 */
kr_status kr_store_lmdb_open(kr_str path, const kr_store_lmdb_options *options,
                             kr_store **ret_store, kr_error *reterr) KR_MUST_USE;

typedef struct kr_store_lmdb_info {
  uint64_t file_bytes;
  uint64_t used_bytes; /* up to the last page in use */
  uint64_t free_bytes; /* of these, on pages that are free to be used again */
  uint64_t map_bytes;  /* address space reserved */
  uint64_t entries;
  uint64_t last_txn;  /* of the newest commit, by anybody, that readers see: entries are of it */
  uint32_t n_readers; /* transactions that read now, of all processes */
  uint32_t max_readers;
} kr_store_lmdb_info;

/** What LMDB knows of an open store of this kind. */
kr_status kr_store_lmdb_look(kr_store *store, kr_store_lmdb_info *ret_info,
                             kr_error *reterr) KR_MUST_USE;

/** LMDB's version, "0.9.24"; static. ret_is_bad: one whose locks are known to fail (0.9.26-31). */
const char *kr_store_lmdb_version(bool *ret_is_bad);

#endif
