/* SPDX-License-Identifier: Apache-2.0 */
/* store_memory.h - a store without a disk, for tests: sorted array, snapshot by copy. */
#ifndef KR_STORE_MEMORY_H
#define KR_STORE_MEMORY_H

#include "store/store.h"

kr_status kr_store_memory_new(kr_store **ret_store, kr_error *reterr) KR_MUST_USE;

/** Make the n-th next commit fail with KR_IO (0: none), for tests of what must not be lost. */
void kr_store_memory_fail_commit(kr_store *store, unsigned n);

#endif
