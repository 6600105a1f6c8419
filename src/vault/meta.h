/* SPDX-License-Identifier: Apache-2.0 */
/* meta.h - metadata records of secrets: read, write, walk. */
#ifndef KR_VAULT_META_H
#define KR_VAULT_META_H

#include "vault/internal.h"

/** KR_NOT_FOUND (reterr not filled) when there is no such secret. */
kr_status kr_meta_get(const kr_vault *vault, kr_store_txn *txn, uint32_t org_id, kr_str name,
                      kr_str environment, kr_meta_record *ret_record, kr_error *reterr) KR_MUST_USE;
kr_status kr_meta_put(kr_change *change, const kr_meta_record *record,
                      kr_error *reterr) KR_MUST_USE;
kr_status kr_meta_each(const kr_vault *vault, kr_store_txn *txn, uint32_t org_id,
                       kr_secret_visit visit, void *ctx, kr_error *reterr) KR_MUST_USE;

#endif
