/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.h - many writes into a store that nobody else sees yet, in transactions
 * of a bounded size. What was committed before a failure stays: the caller
 * throws the whole store away.
 */
#ifndef KR_STORE_BATCH_H
#define KR_STORE_BATCH_H

#include "store/store.h"

typedef struct kr_store_batch {
  kr_store *store;
  kr_store_txn *txn; /* NULL between transactions */
  size_t n_writes;
} kr_store_batch;

/** The transaction to write in next; borrowed until the next call. */
kr_status kr_store_batch_next(kr_store_batch *batch, kr_store_txn **ret_txn,
                              kr_error *reterr) KR_MUST_USE;
kr_status kr_store_batch_commit(kr_store_batch *batch, kr_error *reterr) KR_MUST_USE;
void kr_store_batch_done(kr_store_batch *batch); /* aborts what is not committed */

#endif
