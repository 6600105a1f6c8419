/* SPDX-License-Identifier: Apache-2.0 */
/*
 * known.h - records this process has verified or unsealed before, kept with
 * their bytes: the same bytes at the same place need not be verified again.
 * Opening a value costs two MACs and one unsealing less.
 *
 * Kept are manifests (not secret) and data keys (in locked memory, as the store
 * keys are). The bytes in the store are compared each time, so a record that
 * was altered, moved or removed is never taken for the known one.
 *
 * Threads: guarded by the vault's mutex.
 */
#ifndef KR_VAULT_KNOWN_H
#define KR_VAULT_KNOWN_H

#include "vault/internal.h"

/** kr_manifest_read(), without the MACs when the record is known. */
kr_status kr_known_manifest_read(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                 kr_manifest *ret_manifest, kr_error *reterr) KR_MUST_USE;

/** A copy of the data key that these bytes were unsealed to before; KR_NOT_FOUND: not known. */
kr_status kr_known_data_key(kr_vault *vault, uint32_t org_id, uint32_t key_id, kr_str record,
                            kr_secret **ret_key) KR_MUST_USE;

/** Keep one; where there is no locked memory left for it, it is unsealed each time instead. */
void kr_known_data_key_keep(kr_vault *vault, uint32_t org_id, uint32_t key_id, kr_str record,
                            const kr_secret *key);

void kr_known_done(kr_vault *vault);

#endif
