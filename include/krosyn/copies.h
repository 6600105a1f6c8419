/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copies.h - copies of a home and what stands in it: checking everything,
 * backups, restoring them.
 *
 * Damage inside LMDB's pages can end a process with a signal. Programs that
 * must not end call what reads a home or a backup whole (kr_home_verify,
 * kr_backup_check, kr_home_restore) in a process of its own, as the command does.
 */
#ifndef KROSYN_COPIES_H
#define KROSYN_COPIES_H

#include <krosyn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KR_STORE_ID_BYTES 37   /* a UUID in text and a NUL */
#define KR_CHAIN_TEXT_BYTES 65 /* 64 hex digits and a NUL */
#define KR_KEY_NAME_BYTES 33

/**
 * Where a home stands. Not secret. A copy of it kept elsewhere shows whether the
 * whole home was put back to an older state, which nothing inside it can.
 */
typedef struct kr_home_head {
  char store[KR_STORE_ID_BYTES];
  uint64_t generation;             /* of the vault: grows with every change */
  uint64_t events;                 /* sequence of the last event; 0: none */
  char chain[KR_CHAIN_TEXT_BYTES]; /* of that event */
} kr_home_head;

KR_API kr_status kr_home_head_read(const kr_home_options *options, kr_home_head *ret_head,
                                   kr_error *reterr) KR_MUST_USE;

/** One thing that is wrong. Texts are borrowed for the visit; "" and 0: not of one, or not known.
 */
typedef struct kr_home_damage {
  const char *area; /* "vault", "settings and audit", "events" */
  const char *what; /* one sentence */
  const char *organization;
  uint32_t organization_id;
  const char *environment;
  const char *secret;
  uint32_t version;
  uint64_t event; /* its sequence */
  uint64_t audit; /* sequence of an audit entry */
} kr_home_damage;
typedef void (*kr_home_damage_visit)(void *ctx, const kr_home_damage *damage);

/** What was found good, and how many things were not. */
typedef struct kr_home_counts {
  uint64_t organizations;
  uint64_t secrets;
  uint64_t values;
  uint64_t data_keys;
  uint64_t settings;
  uint64_t audit_entries;
  uint64_t events;
  uint64_t intents;
  uint64_t records; /* looked at, good or not */
  uint64_t damaged;
} kr_home_counts;

typedef struct kr_home_report {
  kr_home_counts counts;
  kr_home_head head; /* when has_head */
  bool has_head;
} kr_home_report;

/**
 * Read everything a home holds, open every value, check every MAC, sum and
 * chain, and go on after damage, which is visited. KR_OK: the walk came to its
 * end; counts.damaged says whether all is well. One read transaction for each
 * store: the files of a home that is written meanwhile grow. Errors: as
 * kr_engine_open, for what must be there to begin.
 *
 * @expected  Optional: a head kept elsewhere. A home that was put back behind
 *            it, or whose log is another from there on, is damage too.
 */
KR_API kr_status kr_home_verify(const kr_home_options *options, const kr_home_head *expected,
                                kr_home_damage_visit visit, void *ctx, kr_home_report *ret_report,
                                kr_error *reterr) KR_MUST_USE;

/**
 * Save what is good of a damaged home (or of a backup: name its directory as
 * home) into a new home at directory, which must not be there: records as they
 * are, manifests, heads, chain and indexes made anew. What is left behind is
 * visited: what is damaged, and values whose metadata is lost, since with it
 * went what they may be used for. The damaged home is only read. The new one
 * appears when it is whole, checked and durable, or not at all. Errors as of
 * kr_home_verify; KR_CORRUPT when the vault's root record is lost, with which
 * all keys are lost.
 *
 * @ret_report  Of the new home.
 */
KR_API kr_status kr_home_salvage(const kr_home_options *options, const char *directory,
                                 kr_home_damage_visit visit, void *ctx, kr_home_report *ret_report,
                                 kr_error *reterr) KR_MUST_USE;

/** How far a long job is: a step, and bytes done of total (0: not known). May be NULL. */
typedef struct kr_progress {
  void (*show)(void *ctx, const char *step, uint64_t done, uint64_t total);
  void *ctx;
} kr_progress;

typedef struct kr_backup_info {
  kr_home_head head;
  char key[KR_KEY_NAME_BYTES]; /* id of the master key that opens it */
  int64_t created_ms;          /* since 1970 UTC */
  uint64_t bytes;              /* of its files */
} kr_backup_info;

/**
 * Copy a home that may be in use into a new directory: compact copies of both
 * stores, settings.json, and backup.json, which names all of them under a MAC.
 * The key is not in it. The directory appears when it is whole and durable, or
 * not at all; what a killed backup leaves is called DIRECTORY.partial-XXXXXX.
 * KR_EXISTS when there is anything at directory.
 */
KR_API kr_status kr_home_backup(const kr_home_options *options, const char *directory,
                                const kr_progress *progress, kr_backup_info *ret_info,
                                kr_error *reterr) KR_MUST_USE;

/**
 * Prove a backup whole and change nothing, not even in its directory: MAC of
 * backup.json, digests of the files, then as kr_home_verify. options name the
 * key (home is ignored). KR_CORRUPT: it is not whole, or not one backup. Damage
 * inside is visited, as in kr_home_verify.
 */
KR_API kr_status kr_backup_check(const kr_home_options *options, const char *directory,
                                 const kr_progress *progress, kr_home_damage_visit visit, void *ctx,
                                 kr_backup_info *ret_info, kr_home_report *ret_report,
                                 kr_error *reterr) KR_MUST_USE;

/**
 * Make a new home (options->home: missing or an empty directory) from a backup,
 * which is checked on the way as kr_backup_check does. The home appears when it
 * is whole and durable, or not at all. An older backup is an older state: what
 * was rotated, deleted or logged since is as it was then. KR_CORRUPT as above,
 * also for damage inside, which is visited.
 */
KR_API kr_status kr_home_restore(const kr_home_options *options, const char *directory,
                                 const kr_progress *progress, kr_home_damage_visit visit, void *ctx,
                                 kr_backup_info *ret_info, kr_home_report *ret_report,
                                 kr_error *reterr) KR_MUST_USE;

typedef struct kr_purge_info { /* bytes of the data files */
  uint64_t vault_before;
  uint64_t vault_after;
  uint64_t events_before;
  uint64_t events_after;
} kr_purge_info;

/**
 * Leave no byte of a removed or replaced record in the data files: values are
 * sealed again under new data keys, then each file is
 * exchanged for a compact copy in one step. Other processes go on; their writes
 * wait meanwhile. Killed at any instant the home is whole. Backups made before
 * and the disk below the file system are not reached.
 */
KR_API kr_status kr_home_purge(const kr_home_options *options, const kr_progress *progress,
                               kr_purge_info *ret_info, kr_error *reterr) KR_MUST_USE;

/** One of the two stores of a home. */
typedef struct kr_store_info {
  uint64_t records;
  uint64_t file_bytes;
  uint64_t used_bytes; /* up to the last page in use */
  uint64_t free_bytes; /* of these, on free pages, which may hold removed records */
  uint64_t map_bytes;  /* address space reserved; grows when it is used */
  uint32_t readers;    /* now, of all processes */
  uint32_t max_readers;
} kr_store_info;

typedef struct kr_home_info {
  char store[KR_STORE_ID_BYTES];
  uint32_t format;
  char key_needed[KR_KEY_NAME_BYTES];
  bool has_key;       /* it is there and is the right one */
  kr_error key_error; /* else: why not */
  size_t n_organizations;
  size_t n_secrets;
  uint64_t generation; /* 0 without the key */
  uint64_t events;     /* sequence of the last one */
  uint64_t pending;    /* runs without an event: under way, or interrupted */
  kr_store_info vault;
  kr_store_info log;
  unsigned n_remains;   /* directories beside the stores that a killed purge left */
  const char *lmdb;     /* its version; static */
  bool is_lmdb_suspect; /* a version whose locks are known to fail */
} kr_home_info;

/** What can be said of a home without looking at every record; without its key, unverified. */
KR_API kr_status kr_home_status(const kr_home_options *options, kr_home_info *ret_info,
                                kr_error *reterr) KR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
