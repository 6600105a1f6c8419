/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.h - care of a home: changing its keys, deleting an organization.
 */
#ifndef KROSYN_VAULT_H
#define KROSYN_VAULT_H

#include <krosyn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changing keys */

/** Values sealed again so far, and how many there were to do; a status other than KR_OK stops. */
typedef kr_status (*kr_key_progress)(void *ctx, uint64_t n_done, uint64_t n_total);

typedef struct kr_key_rotation {
  uint32_t old_key; /* ids of data keys */
  uint32_t new_key;
  uint64_t n_values;      /* sealed again by this call */
  bool finished_an_older; /* a rotation that was interrupted was finished first */
} kr_key_rotation;

/**
 * A new data key for an organization: new values go under it at once, old ones
 * are sealed again in transactions of 200, and the old key is removed when no
 * value needs it. Audited ("key.rotate", "key.retire"). May be killed at any
 * instant and called again. Secrets may be read and changed meanwhile, by this
 * process and others.
 *
 * @progress  Called between transactions, NULL: not. Its status, if not KR_OK, is returned; what
 * was done stays, and the next call goes on.
 *
 * Errors: KR_NOT_FOUND (no such organization, or deleted meanwhile), KR_UNTRUSTED, KR_CORRUPT,
 * KR_IO, KR_NOMEM.
 */
KR_API kr_status kr_engine_key_rotate(kr_engine *engine, kr_str org, kr_key_progress progress,
                                      void *ctx, kr_key_rotation *ret_rotation,
                                      kr_error *reterr) KR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
