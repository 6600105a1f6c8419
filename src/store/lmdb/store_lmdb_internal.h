/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_lmdb_internal.h - what the files of this folder share.
 *
 *   store_lmdb.c  open, create, close; one environment per file and process
 *   gate.c        who may have a transaction open; growth of the map
 *   txn.c         transactions, reading and writing
 *   cursor.c      scans
 *   copy.c        compact copies
 *   replace.c     the files exchanged for a compact copy, and noticed by who has them open
 *   scrub.c       what is left of removed values in the pages of a copy
 *   check.c       the data file looked at without the map, before it is trusted
 *   info.c        what LMDB knows of a store
 *   place.c       directories and file systems
 *   fail.c        LMDB's codes to statuses and messages
 *
 * The gate: n_open counts transactions of this store, those waiting for the
 * writer included. The map may change only while it is 0, so a thread that
 * finds wants_room or wants_adopt set waits for that, and new ones wait with it.
 */
#ifndef KR_STORE_LMDB_INTERNAL_H
#define KR_STORE_LMDB_INTERNAL_H

#include "store/lmdb/store_lmdb.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Growth by doubling ends here; also what a header may claim before it is called damaged. */
#define KR_STORE_LMDB_MAP_MAX_BYTES ((uint64_t)16u * 1024u * 1024u * 1024u * 1024u)
#define KR_STORE_LMDB_MAP_MIN_BYTES ((size_t)64u * 1024u)
#define KR_STORE_LMDB_PATH_BYTES 4000u

/* A killed reader lets the file grow: writers look for dead ones this often. */
#define KR_STORE_LMDB_CHECK_US (UINT64_C(30) * 1000u * 1000u)

typedef struct kr_store_lmdb {
  kr_store base;
  struct kr_store_lmdb *next_open; /* list of this process, see store_lmdb.c */
  MDB_env *env;
  MDB_dbi dbi;
  dev_t device; /* of data.mdb */
  ino_t inode;
  _Atomic uint32_t *flag; /* in STORE/exchange.flag, see replace.c; or NULL */
  int queue;              /* that file, for kr_store_lmdb_queue(); -1: it cannot be had */
  pid_t pid;              /* of the process that opened it */
  bool is_read_only;
  bool is_unshared;
  pthread_mutex_t gate; /* over what follows */
  pthread_cond_t gate_idle;
  size_t n_open;
  uint64_t checked_us; /* monotonic time of the last look for dead readers */
  size_t wanted_bytes; /* written by the transaction that found the map full */
  bool wants_room;
  bool is_at_limit;  /* the map could not grow when it was asked to */
  bool wants_reopen; /* the files were exchanged for others */
  bool wants_adopt;  /* another process has grown the map */
  bool is_stopped;   /* a commit failed in a way that may have lost writes */
  bool is_unmapped;  /* the map could not be made again */
  char path[KR_STORE_LMDB_PATH_BYTES + 1];
} kr_store_lmdb;

typedef struct kr_store_lmdb_txn {
  kr_store_txn base;
  MDB_txn *txn;
  size_t n_bytes; /* written so far, in whole pages */
} kr_store_lmdb_txn;

static inline kr_store_lmdb *kr_store_lmdb_of(kr_store *store) { return (kr_store_lmdb *)store; }

/** Describe an LMDB or errno code; what: "read", "commit"; path: of the store. */
kr_status kr_store_lmdb_fail(const char *path, int code, const char *what, kr_error *reterr);

/* gate.c */
kr_status kr_store_lmdb_enter(kr_store_lmdb *store, kr_store_mode mode,
                              kr_error *reterr) KR_MUST_USE;
void kr_store_lmdb_leave(kr_store_lmdb *store);
void kr_store_lmdb_want_adopt(kr_store_lmdb *store);
void kr_store_lmdb_want_reopen(kr_store_lmdb *store);
/** Ask for room; returns the code to report: MDB_MAP_FULL, or ENOMEM when growing has failed. */
int kr_store_lmdb_want_room(kr_store_lmdb *store, size_t n_bytes);
void kr_store_lmdb_stop_writing(kr_store_lmdb *store);

/* txn.c, cursor.c: the engine's functions */
kr_status kr_store_lmdb_begin(kr_store *base, kr_store_mode mode, kr_store_txn **ret_txn,
                              kr_error *reterr);
kr_status kr_store_lmdb_commit(kr_store_txn *base, kr_error *reterr);
void kr_store_lmdb_abort(kr_store_txn *base);
kr_status kr_store_lmdb_get(kr_store_txn *base, kr_str key, kr_str *ret_value, kr_error *reterr);
kr_status kr_store_lmdb_put(kr_store_txn *base, kr_str key, kr_str value, kr_error *reterr);
kr_status kr_store_lmdb_put_new(kr_store_txn *base, kr_str key, kr_str value, kr_error *reterr);
kr_status kr_store_lmdb_remove(kr_store_txn *base, kr_str key, kr_error *reterr);
kr_status kr_store_lmdb_scan(kr_store_txn *base, kr_str prefix, kr_str from, bool is_reverse,
                             kr_store_cursor **ret_cursor, kr_error *reterr);
kr_status kr_store_lmdb_next(kr_store_cursor *base, kr_str *ret_key, kr_str *ret_value,
                             kr_error *reterr);
void kr_store_lmdb_scan_end(kr_store_cursor *base);

/* copy.c: the engine's function, and the same into an open, empty file, which is synced */
kr_status kr_store_lmdb_copy(kr_store *base, kr_str directory, kr_error *reterr);
kr_status kr_store_lmdb_copy_to(kr_store_lmdb *store, int fd, kr_error *reterr) KR_MUST_USE;

/** One attempt, into an open file from its beginning; not synced. LMDB's code. */
int kr_store_lmdb_copy_once(kr_store_lmdb *store, int fd) KR_MUST_USE;
kr_status kr_store_lmdb_copy_failed(const kr_store_lmdb *store, int code, kr_error *reterr);

/* replace.c */
kr_status kr_store_lmdb_compact(kr_store *base, kr_error *reterr);

#define KR_STORE_LMDB_FLAG "exchange.flag"

/** The word that says whether an exchange was begun; without one (a file that cannot be
 * had) the path is asked for. An errno when the file is there and cannot be mapped. */
int kr_store_lmdb_flag_open(kr_store_lmdb *store) KR_MUST_USE;
void kr_store_lmdb_flag_close(kr_store_lmdb *store);

/**
 * Before a write transaction begins, and when it has ended: processes that write
 * wait for each other here. LMDB's own lock is a mutex in shared memory: when a
 * process that waits for it is killed at the moment it is woken, those behind it
 * can sleep on with nobody to wake them, for ever once the files were exchanged
 * and nobody comes to that lock any more. What flock(2) holds up the kernel
 * frees. It orders and decides nothing: without it, and among the threads of one
 * process, LMDB's lock does alone.
 */
void kr_store_lmdb_queue(const kr_store_lmdb *store);
void kr_store_lmdb_unqueue(const kr_store_lmdb *store);

/** Do the files at the store's path belong to another environment by now? */
bool kr_store_lmdb_is_replaced(const kr_store_lmdb *store);

/** Held while an environment is opened, and alone while files are exchanged; -1: not to be had. */
int kr_store_lmdb_lock_place(const char *path, bool is_alone);

/** In store_lmdb.c; with the gate held and no transaction open. */
kr_status kr_store_lmdb_reopen(kr_store_lmdb *store, kr_error *reterr) KR_MUST_USE;

/** Clear what the pages of a copy, which nobody has open, hold beside their nodes. */
kr_status kr_store_lmdb_scrub(const char *path, int fd, kr_error *reterr) KR_MUST_USE;

/* place.c */

/** The name of a file system that LMDB cannot use (statfs f_type), else NULL. */
const char *kr_store_lmdb_refused_filesystem(uint64_t type);

/** KR_REFUSED when the directory is on a network or FUSE file system. */
kr_status kr_store_lmdb_check_filesystem(const char *directory, kr_error *reterr) KR_MUST_USE;

/** Make the directory (0700), or accept an empty one. KR_EXISTS when there is anything in it. */
kr_status kr_store_lmdb_make_directory(const char *directory, bool *ret_is_made,
                                       kr_error *reterr) KR_MUST_USE;

/** KR_EXISTS: nothing is ever created over something. */
kr_status kr_store_lmdb_exists(const char *directory, kr_error *reterr);

/** fsync the directory and the one above it, so that a new store outlives a power cut. */
kr_status kr_store_lmdb_sync_directory(const char *directory, kr_error *reterr) KR_MUST_USE;

/* check.c */

/** Header pages of a file that this process has not open: magic, version, sane numbers. */
kr_status kr_store_lmdb_check_header(const char *directory, const char *data_path,
                                     kr_error *reterr) KR_MUST_USE;

/**
 * Every page that the transaction can reach lies inside the file: a cut file is
 * found here and not by SIGBUS. fd: of the environment; txn_id: of an open read
 * transaction, which keeps the pages from being reused meanwhile.
 */
kr_status kr_store_lmdb_check_length(const char *directory, int fd, uint64_t txn_id,
                                     kr_error *reterr) KR_MUST_USE;

#endif
