/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.h - care of a home: its master key, changing keys, deleting an organization.
 */
#ifndef KROSYN_VAULT_H
#define KROSYN_VAULT_H

#include <krosyn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Custody */

/** The rows of the table in engine.h. */
typedef enum kr_key_rule {
  KR_KEY_BY_CALLER = 1,
  KR_KEY_BY_ENVIRONMENT,
  KR_KEY_BY_CREDENTIAL,
  KR_KEY_BY_HOME
} kr_key_rule;

typedef enum kr_key_state {
  KR_KEY_RIGHT = 0, /* it opens the vault */
  KR_KEY_MISSING,   /* no key could be had: problem says why */
  KR_KEY_WRONG      /* the keys are others: problem says which are there and which is needed */
} kr_key_state;

#define KR_KEY_STATUS_IDS 16
#define KR_KEY_STATUS_ID_BYTES 33
#define KR_KEY_STATUS_WARNINGS 6
#define KR_KEY_STATUS_PLACE_BYTES 4096

/** What is known of the key of a home; never key material. */
typedef struct kr_key_status {
  kr_key_state state;
  kr_key_source source;                  /* KR_KEY_AUTO: the rule itself failed, see problem */
  kr_key_rule rule;                      /* the row that decided */
  char place[KR_KEY_STATUS_PLACE_BYTES]; /* path, program (without arguments), variable, or "" */
  bool has_mode;                         /* it is a file that is there */
  unsigned mode;                         /* 07777 */
  size_t n_ids;
  char ids[KR_KEY_STATUS_IDS][KR_KEY_STATUS_ID_BYTES]; /* the current key first */
  char needed[KR_KEY_STATUS_ID_BYTES];                 /* the key of the vault, unverified */
  size_t n_warnings;
  const char *warnings[KR_KEY_STATUS_WARNINGS]; /* static sentences */
  kr_error problem;                             /* status KR_OK when state is KR_KEY_RIGHT */
} kr_key_status;

/**
 * Find out which source gives the key of a home, by which rule, and whether it
 * is the right one. Gets the key as kr_engine_open does (asks for the
 * passphrase, runs the command, takes KROSYN_KEY), opens the vault far enough
 * to check it, and no value. A key that is missing or wrong is KR_OK with that
 * state; a home that is missing or damaged is an error.
 */
KR_API kr_status kr_home_key_status(const kr_home_options *options, kr_key_status *ret_status,
                                    kr_error *reterr) KR_MUST_USE;

/** What the home recorded; needs no key. Errors as of kr_engine_open. */
KR_API kr_status kr_home_key_source(const char *home, kr_key_source *ret_source,
                                    kr_error *reterr) KR_MUST_USE;

/** "file", "credential", "passphrase", "environment", "command"; "none" of KR_KEY_AUTO. Static. */
KR_API const char *kr_key_source_name(kr_key_source source);

/**
 * Make a key file (0600) with one fresh key, to be given by another way later.
 * KR_EXISTS: a file is never overwritten. ret_id: its id.
 */
KR_API kr_status kr_key_file_create(const char *path, char ret_id[KR_KEY_STATUS_ID_BYTES],
                                    kr_error *reterr) KR_MUST_USE;

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
