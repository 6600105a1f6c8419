/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - key-value transactions, the seam behind which an engine can change.
 * One ordered keyspace of byte keys (1 to KR_STORE_KEY_BYTES) and byte values.
 * Many readers see a snapshot each; one writer at a time; a commit is atomic and
 * durable when it returns KR_OK. Implementations: store/lmdb, and store/memory
 * for tests; both pass tests/store (the conformance suite).
 *
 * Threads: a kr_store may be used by many threads; a kr_store_txn by one.
 */
#ifndef KR_STORE_STORE_H
#define KR_STORE_STORE_H

#include "base/cleanup.h"
#include "base/status.h"
#include "base/str.h"

#define KR_STORE_KEY_BYTES 511u
#define KR_STORE_VALUE_BYTES (16u * 1024u * 1024u)

typedef struct kr_store kr_store;
typedef struct kr_store_txn kr_store_txn;
typedef struct kr_store_cursor kr_store_cursor;

typedef enum kr_store_mode { KR_STORE_READ, KR_STORE_WRITE } kr_store_mode;

/** What an implementation provides; see the functions below for the meaning of each. */
typedef struct kr_store_engine {
  const char *name;
  void (*close)(kr_store *store);
  kr_status (*begin)(kr_store *store, kr_store_mode mode, kr_store_txn **ret_txn, kr_error *reterr);
  kr_status (*commit)(kr_store_txn *txn, kr_error *reterr); /* frees txn in any case */
  void (*abort)(kr_store_txn *txn);
  kr_status (*get)(kr_store_txn *txn, kr_str key, kr_str *ret_value, kr_error *reterr);
  kr_status (*put)(kr_store_txn *txn, kr_str key, kr_str value, kr_error *reterr);
  kr_status (*put_new)(kr_store_txn *txn, kr_str key, kr_str value, kr_error *reterr);
  kr_status (*remove)(kr_store_txn *txn, kr_str key, kr_error *reterr);
  kr_status (*scan)(kr_store_txn *txn, kr_str prefix, kr_str from, bool is_reverse,
                    kr_store_cursor **ret_cursor, kr_error *reterr);
  kr_status (*next)(kr_store_cursor *cursor, kr_str *ret_key, kr_str *ret_value, kr_error *reterr);
  void (*scan_end)(kr_store_cursor *cursor);
  kr_status (*copy)(kr_store *store, kr_str directory, kr_error *reterr); /* NULL: unsupported */
  kr_status (*compact)(kr_store *store, kr_error *reterr); /* NULL: there is nothing to do */
} kr_store_engine;

/* Every implementation's structs begin with these; it sets what has no default here. */
struct kr_store {
  const kr_store_engine *engine;
};
struct kr_store_txn {
  kr_store *store;
  kr_store_mode mode;
  unsigned n_cursors; /* open ones; kept by store.c, 0 at first */
  kr_status failure;  /* of the first write that failed; kept by store.c, KR_OK at first */
};
struct kr_store_cursor {
  kr_store_txn *txn;
};

/** No transaction may be open. */
void kr_store_close(kr_store *store);
KR_DEFINE_FREEP(kr_store_closep, kr_store, kr_store_close)

/** KR_STORE_WRITE waits for the writer before it. A thread holds at most one transaction per store.
 */
kr_status kr_store_begin(kr_store *store, kr_store_mode mode, kr_store_txn **ret_txn,
                         kr_error *reterr) KR_MUST_USE;

/**
 * Atomic and durable on KR_OK; on failure nothing changed. The transaction is
 * gone either way. After a put, put_new or remove that failed with anything but
 * KR_EXISTS, KR_NOT_FOUND, or a refusal of its arguments, it fails likewise.
 *
 * KR_LIMIT from a write whose key and value are within the limits, or from
 * commit, means that the store was full and has been told to grow: abort and
 * repeat the whole transaction, once or until another status comes.
 */
kr_status kr_store_commit(kr_store_txn *txn, kr_error *reterr) KR_MUST_USE;
void kr_store_abort(kr_store_txn *txn);

#define KR_STORE_ATTEMPTS 4u /* of one change, while the store grows */

/**
 * Begin, change, commit; all of it again while the store answers KR_LIMIT
 * because it was full and grows. change must begin anew each time: what it
 * wrote into ctx before counts for nothing. A KR_LIMIT of change's own is
 * returned in the end, too.
 */
typedef kr_status (*kr_store_change)(kr_store_txn *txn, void *ctx, kr_error *reterr);
kr_status kr_store_write(kr_store *store, kr_store_change change, void *ctx,
                         kr_error *reterr) KR_MUST_USE;
KR_DEFINE_FREEP(kr_store_abortp, kr_store_txn, kr_store_abort)

/**
 * KR_OK, or KR_NOT_FOUND (an expected result: reterr is not filled). The value
 * is borrowed until the transaction ends or writes.
 */
kr_status kr_store_get(kr_store_txn *txn, kr_str key, kr_str *ret_value,
                       kr_error *reterr) KR_MUST_USE;

/** Insert or replace. KR_REFUSED in a read transaction; KR_LIMIT for key or value size. */
kr_status kr_store_put(kr_store_txn *txn, kr_str key, kr_str value, kr_error *reterr) KR_MUST_USE;

/** Insert; KR_EXISTS (reterr not filled) when the key is there. */
kr_status kr_store_put_new(kr_store_txn *txn, kr_str key, kr_str value,
                           kr_error *reterr) KR_MUST_USE;

/** KR_NOT_FOUND (reterr not filled) when the key is not there. */
kr_status kr_store_remove(kr_store_txn *txn, kr_str key, kr_error *reterr) KR_MUST_USE;

/**
 * Walk keys with a prefix in byte order (or in reverse), starting at `from`
 * (inclusive, a whole key; empty: at the first, or in reverse the last).
 * Writing in the transaction while a cursor is open is not allowed.
 */
kr_status kr_store_scan(kr_store_txn *txn, kr_str prefix, kr_str from, bool is_reverse,
                        kr_store_cursor **ret_cursor, kr_error *reterr) KR_MUST_USE;

/** KR_OK with key and value, borrowed until the transaction ends; KR_NOT_FOUND at the end. */
kr_status kr_store_next(kr_store_cursor *cursor, kr_str *ret_key, kr_str *ret_value,
                        kr_error *reterr) KR_MUST_USE;
void kr_store_scan_end(kr_store_cursor *cursor);
KR_DEFINE_FREEP(kr_store_scan_endp, kr_store_cursor, kr_store_scan_end)

/**
 * Write what the store holds now as a new store into a directory: one snapshot,
 * whole, and nothing of what was removed or replaced before. Readers and
 * writers go on meanwhile. The directory is made (0700) or empty; its one file,
 * 0600, and itself are durable when KR_OK. On failure nothing is left. The
 * thread has no transaction open. KR_EXISTS (something is there), KR_IO,
 * KR_CORRUPT; KR_UNSUPPORTED for a store that is not kept in files.
 */
kr_status kr_store_copy(kr_store *store, kr_str directory, kr_error *reterr) KR_MUST_USE;

/**
 * Leave nothing of what was removed or replaced: the files are exchanged for a
 * compact copy in one step. Writers of all processes wait meanwhile; who has the
 * store open goes on, and reads and writes the new files from the next begin on.
 * A transaction that is open keeps its snapshot. Killed at any instant, the
 * store is whole. The thread has no transaction open. KR_IO, KR_CORRUPT,
 * KR_UNSUPPORTED (the file system cannot exchange directories).
 */
kr_status kr_store_compact(kr_store *store, kr_error *reterr) KR_MUST_USE;

#endif
