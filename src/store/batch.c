/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - see batch.h. */
#include "store/batch.h"

#define KR_STORE_BATCH_WRITES 256u

kr_status kr_store_batch_commit(kr_store_batch *batch, kr_error *reterr) {
  kr_store_txn *txn = batch->txn;
  batch->txn = NULL;
  batch->n_writes = 0;
  return txn == NULL ? KR_OK : kr_store_commit(txn, reterr);
}

kr_status kr_store_batch_next(kr_store_batch *batch, kr_store_txn **ret_txn, kr_error *reterr) {
  if (batch->n_writes >= KR_STORE_BATCH_WRITES)
    KR_TRY(kr_store_batch_commit(batch, reterr));
  if (batch->txn == NULL)
    KR_TRY(kr_store_begin(batch->store, KR_STORE_WRITE, &batch->txn, reterr));
  batch->n_writes++;
  *ret_txn = batch->txn;
  return KR_OK;
}

void kr_store_batch_done(kr_store_batch *batch) {
  kr_store_abort(batch->txn);
  batch->txn = NULL;
}
