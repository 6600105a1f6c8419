/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - a home or a backup as a directory that appears whole or not at all:
 * it is made beside its place, under another name, and renamed in the end.
 */
#ifndef KR_ENGINE_TREE_H
#define KR_ENGINE_TREE_H

#include "engine/files.h"

#include <krosyn/copies.h>

#define KR_TREE_DIGEST_BYTES 32u

typedef struct kr_tree {
  kr_path place; /* where it is to be, absolute */
  kr_path draft; /* PLACE.partial-XXXXXX; "" before begin and after end */
} kr_tree;

/**
 * KR_INVALID when a place lies inside a directory that it must not change, links
 * followed. what: "the backup would lie inside the home".
 */
kr_status kr_tree_check_outside(const char *place, const char *directory, const char *what,
                                kr_error *reterr) KR_MUST_USE;

/**
 * Make the draft (0700). may_be_empty: an empty directory may stand at the
 * place. KR_EXISTS, KR_NOT_FOUND (nothing above it), KR_IO.
 */
kr_status kr_tree_begin(kr_tree *tree, const char *place, bool may_be_empty,
                        kr_error *reterr) KR_MUST_USE;

/** Make the draft durable and give it its name. */
kr_status kr_tree_end(kr_tree *tree, kr_error *reterr) KR_MUST_USE;

/** Remove a draft that was not ended, with the files that a home or a backup has. */
void kr_tree_done(kr_tree *tree);

/** Digest and size of a file; steps of progress count on from *done. */
typedef struct kr_tree_job {
  const kr_progress *progress; /* or NULL */
  const char *step;
  uint64_t done;
  uint64_t total;
} kr_tree_job;

kr_status kr_file_digest(kr_tree_job *job, const char *path, uint8_t out[KR_TREE_DIGEST_BYTES],
                         uint64_t *ret_bytes, kr_error *reterr) KR_MUST_USE;

/** Copy into a new file (0600), durable; what it digests is what it wrote. */
kr_status kr_file_copy(kr_tree_job *job, const char *from, const char *to,
                       uint8_t out[KR_TREE_DIGEST_BYTES], uint64_t *ret_bytes,
                       kr_error *reterr) KR_MUST_USE;

/** Make one directory (0700), or fsync one. */
kr_status kr_tree_directory(const char *path, kr_error *reterr) KR_MUST_USE;
kr_status kr_tree_sync(const char *path, kr_error *reterr) KR_MUST_USE;

#endif
