/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readable.h - reading a store that may be damaged: what can be read is read.
 * After damage a transaction is of no more use, so these begin another in its
 * place (of a store in use: at a later snapshot; of a sound store: never).
 */
#ifndef KR_STORE_READABLE_H
#define KR_STORE_READABLE_H

#include "store/store.h"

typedef struct kr_store_reading {
  kr_store *store;
  kr_store_txn *txn; /* a read transaction */
} kr_store_reading;

kr_status kr_store_reading_begin(kr_store *store, kr_store_reading *reading,
                                 kr_error *reterr) KR_MUST_USE;
void kr_store_reading_done(kr_store_reading *reading);

typedef kr_status (*kr_store_visit)(void *ctx, kr_str key, kr_str value, kr_error *reterr);

/**
 * Visit the keys with a prefix in order; after a failure those that are left,
 * from the last one backwards. *ret_is_whole: all were read. A status of visit
 * other than KR_OK ends the walk and is returned; visit may use reading->txn.
 */
kr_status kr_store_each_readable(kr_store_reading *reading, kr_str prefix, kr_store_visit visit,
                                 void *ctx, bool *ret_is_whole, kr_error *reterr) KR_MUST_USE;

/** KR_OK, KR_NOT_FOUND; KR_CORRUPT: it cannot be read; KR_NOMEM. reterr as for kr_store_get. */
kr_status kr_store_get_readable(kr_store_reading *reading, kr_str key, kr_str *ret_value,
                                kr_error *reterr) KR_MUST_USE;

#endif
