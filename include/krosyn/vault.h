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

#define KR_KEY_ID_TEXT_BYTES 33

typedef struct kr_key_rekey {
  char old_key[KR_KEY_ID_TEXT_BYTES]; /* ids of master keys */
  char new_key[KR_KEY_ID_TEXT_BYTES];
  bool went_on; /* with the key that an interrupted change had put into the file */
} kr_key_rekey;

/**
 * A new master key. It is first put into the key file, before the others, which
 * stay; then the root key is wrapped under it in one transaction ("key.rekey"
 * in the audit). Killed in between, the home opens, since the file holds both;
 * the next call goes on. Processes that have the home open go on too. Values
 * are not sealed again: see kr_engine_key_rotate.
 *
 * @new_key_file  The first key of this file instead of a new one, NULL: make one. The home's own
 * key file is not touched then; from now on this file opens the home.
 *
 * One thread at a time. Errors: KR_REFUSED (the key is not in a file that can be replaced),
 * KR_EXISTS (it is the master key already), KR_LIMIT (16 keys in the file), KR_UNTRUSTED, KR_IO,
 * KR_NOMEM.
 */
KR_API kr_status kr_engine_key_rekey(kr_engine *engine, const char *new_key_file,
                                     kr_key_rekey *ret_rekey, kr_error *reterr) KR_MUST_USE;

/**
 * Take a key out of the key file that this vault does not need any more
 * ("key.forget" in the audit). Backups of before need it still: only the caller
 * knows. KR_REFUSED: the vault needs it, or the key is not in a file;
 * KR_NOT_FOUND: it is not in the file.
 */
KR_API kr_status kr_engine_key_forget(kr_engine *engine, kr_str id, kr_error *reterr) KR_MUST_USE;

/* Deleting an organization */

/**
 * Remove an organization with its secrets, keys and settings ("org.delete" in
 * the audit). With the first transaction it is gone, and what opened its values
 * too; then its records are removed in batches. Killed in between, the next
 * deletion, of whatever name, finishes that. Its events stay in the log: they
 * hold no secrets. Redactors made of it end with KR_NOT_FOUND.
 *
 * @ret_n_secrets  Optional: how many secrets it had.
 *
 * Errors: KR_NOT_FOUND, KR_REFUSED (the organization default), KR_UNTRUSTED, KR_IO, KR_NOMEM.
 */
KR_API kr_status kr_engine_org_delete(kr_engine *engine, kr_str name, size_t *ret_n_secrets,
                                      kr_error *reterr) KR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
