/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup.h - backup.json, the manifest of a backup: which files of which sizes
 * and digests, of which store in which state, under a MAC of a key that is
 * derived from the store's root key. docs/formats/backup.md.
 */
#ifndef KR_ENGINE_BACKUP_H
#define KR_ENGINE_BACKUP_H

#include "engine/engine.h"
#include "engine/tree.h"

#define KR_BACKUP_FORMAT 1
#define KR_BACKUP_MANIFEST "backup.json"
#define KR_BACKUP_FILES 3u
#define KR_BACKUP_MANIFEST_BYTES (16u * 1024u)

/** The files of a backup, in the order of the manifest. */
extern const char *const kr_backup_files[KR_BACKUP_FILES];

typedef struct kr_backup_file {
  uint64_t n_bytes;
  uint8_t digest[KR_TREE_DIGEST_BYTES];
} kr_backup_file;

typedef struct kr_backup_manifest {
  kr_backup_info info;
  kr_backup_file files[KR_BACKUP_FILES];
  uint8_t mac[KR_MAC_BYTES];
} kr_backup_manifest;

/** Sets mac, and writes directory/backup.json, durable. */
kr_status kr_backup_manifest_save(kr_backup_manifest *manifest, const kr_secret *key,
                                  const char *directory, kr_error *reterr) KR_MUST_USE;

/** KR_NOT_FOUND: there is no backup; KR_CORRUPT, KR_UNSUPPORTED. The MAC is not checked yet. */
kr_status kr_backup_manifest_load(const char *directory, kr_backup_manifest *ret_manifest,
                                  kr_error *reterr) KR_MUST_USE;

/** KR_CORRUPT when the manifest is not what was saved. */
kr_status kr_backup_manifest_check(const kr_backup_manifest *manifest, const kr_secret *key,
                                   kr_error *reterr) KR_MUST_USE;

#endif
