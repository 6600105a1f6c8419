/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - the few file operations a home needs; never used on LMDB's own files. */
#ifndef KR_ENGINE_FILES_H
#define KR_ENGINE_FILES_H

#include "base/buf.h"

typedef struct kr_path {
  char text[4096];
} kr_path;

/** Join with '/'; KR_LIMIT when too long. */
kr_status kr_path_join(kr_path *out, const char *directory, const char *name,
                       kr_error *reterr) KR_MUST_USE;

/** Make relative paths absolute, without slashes at the end; does not resolve links. */
kr_status kr_path_absolute(kr_path *out, const char *path, kr_error *reterr) KR_MUST_USE;

/**
 * The absolute path with links and ".." resolved. What is not there yet stands
 * as it is; ".." in that part is KR_INVALID.
 */
kr_status kr_path_canonical(kr_path *out, const char *path, kr_error *reterr) KR_MUST_USE;

/** Is path the directory itself or below it? By text: both canonical. */
bool kr_path_is_below(const char *path, const char *directory);

/** Directories that a creation made, from path upwards, so that it can take them back. */
typedef struct kr_made_directories {
  kr_path path;
  unsigned count;
} kr_made_directories;

/** Create a directory and its missing parents, all 0700. KR_OK when it is there. */
kr_status kr_directory_make(const char *path, kr_made_directories *made,
                            kr_error *reterr) KR_MUST_USE;

/** Remove them again; those that are not empty stay. */
void kr_directory_unmake(kr_made_directories *made);

/** The directory that holds a path, by text; path is absolute. */
void kr_path_parent(kr_path *path);

typedef enum kr_directory_state {
  KR_DIRECTORY_MISSING,
  KR_DIRECTORY_EMPTY,
  KR_DIRECTORY_USED,
  KR_DIRECTORY_OTHER /* not a directory */
} kr_directory_state;
kr_status kr_directory_look(const char *path, kr_directory_state *ret_state,
                            kr_error *reterr) KR_MUST_USE;

/** Read a whole small plain file. KR_NOT_FOUND (reterr filled), KR_LIMIT over the buffer's limit,
 * KR_REFUSED: a pipe, a device or a directory. */
kr_status kr_file_read(const char *path, kr_buf *out, kr_error *reterr) KR_MUST_USE;

/**
 * Write a new file (0600), whole or not at all, fsync it and its directory;
 * KR_EXISTS when it is there. For a directory that nobody else writes into.
 */
kr_status kr_file_create(const char *path, kr_str bytes, kr_error *reterr) KR_MUST_USE;

#endif
