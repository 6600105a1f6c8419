/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_support.h - a temporary directory, stores in it, and work in child processes. */
#ifndef KR_TEST_LMDB_SUPPORT_H
#define KR_TEST_LMDB_SUPPORT_H

#include "store/lmdb/store_lmdb_internal.h"

/** The directory of this test run, made on first use; removed by place_remove. */
const char *place(void);

/** place()/name; static, good until the next call but three. */
const char *place_of(const char *name);
void place_remove(void);

/** Remove a store's files and its directory, whatever is there. */
void place_clear(const char *path);

kr_status open_at(const char *path, const kr_store_lmdb_options *options, kr_store **ret_store,
                  kr_error *error);
kr_store *create_at(const char *path);
kr_store *reopen_at(const char *path);

/** Wait for a child: its exit status, or minus the signal that ended it. */
int child_result(pid_t pid);

/** Fork, run, _exit with what it returns; see child_result. */
int in_child(int (*work)(void *argument), void *argument);

/** All bytes of a file; the caller frees. */
uint8_t *file_bytes(const char *path, size_t *ret_len);
void file_write(const char *path, const void *bytes, size_t len);

#endif
