/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uses.h - which connectors used a secret, and when last: derived from the
 * intents of runs (the audit of decryptions), so it may lag behind them by a
 * minute; it never stands in the secret's own record. docs/formats/registry.md
 * has the bytes.
 */
#ifndef KR_REGISTRY_USES_H
#define KR_REGISTRY_USES_H

#include "registry/registry.h"

#define KR_USES_MAX 16u                /* connectors of one secret; the oldest is forgotten */
#define KR_USE_CONNECTOR_BYTES 1024u   /* longer names are cut */
#define KR_USE_LABEL_BYTES 161u        /* "NAME" or "NAME@environment" */
#define KR_USE_INTERVAL_MS (60 * 1000) /* a use is not noted again before */

/* Store keys begin with these and the id of the organization as u32. */
#define KR_REGISTRY_USES_LETTERS KR_STR("ru")

typedef struct kr_secret_use {
  kr_str connector;
  int64_t time_ms;
  uint32_t version;
} kr_secret_use;

/** Is a use at this time worth a write? Not if this connector's last one is less than a minute ago.
 */
kr_status kr_registry_use_is_due(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                                 kr_str label, const kr_secret_use *use, bool *ret_is_due,
                                 kr_error *reterr) KR_MUST_USE;

/** Put a use first; a former one of the same connector goes. */
kr_status kr_registry_use_note(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                               kr_str label, const kr_secret_use *use,
                               kr_error *reterr) KR_MUST_USE;

/** Newest first; the use is borrowed for the visit. None is KR_OK. */
typedef kr_status (*kr_use_visit)(void *ctx, const kr_secret_use *use);
kr_status kr_registry_use_each(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                               kr_str label, kr_use_visit visit, void *ctx,
                               kr_error *reterr) KR_MUST_USE;

/** With the secret. */
kr_status kr_registry_use_remove(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                                 kr_str label, kr_error *reterr) KR_MUST_USE;

#endif
