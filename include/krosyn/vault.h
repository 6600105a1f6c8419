/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.h - care of a home: its master key.
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

#ifdef __cplusplus
}
#endif
#endif
