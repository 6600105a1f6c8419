/* SPDX-License-Identifier: Apache-2.0 */
/*
 * custody.h - where the master key of a home comes from. One rule: the first
 * row that applies decides, and nothing below it is tried when it fails:
 *
 *   1 caller       an option of the caller: key_file, key_command, key_source
 *   2 environment  KROSYN_KEY_FILE, KROSYN_KEY_COMMAND or KROSYN_KEY (one of them)
 *   3 credential   $CREDENTIALS_DIRECTORY/krosyn.key is there
 *   4 home         what settings.json recorded; at creation: a key file in key_dir
 *
 * Rows 2 and 3 only for callers that say reads_environment. docs/decisions/0019 says why.
 */
#ifndef KR_ENGINE_CUSTODY_H
#define KR_ENGINE_CUSTODY_H

#include "engine/home.h"

#include <krosyn/krosyn.h>

#define KR_PASSPHRASE_MIN_RUNES 12u   /* when one is set */
#define KR_PASSPHRASE_MAX_BYTES 1024u /* UTF-8 or any other bytes but NUL and newline */

typedef struct kr_custody {
  kr_key_source source;
  kr_key_rule rule;
  kr_path path;          /* KR_KEY_FILE, KR_KEY_CREDENTIAL; absolute */
  kr_keycommand command; /* KR_KEY_COMMAND */
  bool is_default;       /* KR_KEY_FILE: the one in key_dir */
  bool had_variable;     /* KROSYN_KEY was set, used or not */
  kr_secure *pool;       /* borrowed */
  uint8_t *variable;     /* its value, in pool */
  size_t variable_len;
} kr_custody;

/**
 * Apply the rule. Takes KROSYN_KEY out of the environment, used or not.
 * is_new: the home is being made, and settings holds its identity only.
 * On failure too, *ret_custody says which row and source it was, and holds nothing else.
 * KR_INVALID: two ways are named at once, or one that is incomplete.
 * KR_UNTRUSTED: the way that decides is not open to this caller.
 */
kr_status kr_custody_choose(const kr_home_options *options, const kr_home_settings *settings,
                            bool is_new, kr_secure *pool, kr_custody *ret_custody,
                            kr_error *reterr) KR_MUST_USE;

/** Where the key is for messages: a path, a program, a variable; "" for a passphrase. */
const char *kr_custody_place(const kr_custody *custody);

/**
 * Get the keys from there; before any store is open, since it may run a
 * program. is_new: a passphrase is being set. A key file is never made here.
 */
kr_status kr_custody_load(const kr_custody *custody, const kr_home_options *options,
                          const kr_home_settings *settings, bool is_new, kr_keyring **ret_keyring,
                          kr_error *reterr) KR_MUST_USE;

/** KR_UNTRUSTED when a key at this path lies in the home, links followed. */
kr_status kr_custody_is_outside(const char *key_path, const char *home,
                                kr_error *reterr) KR_MUST_USE;

void kr_custody_done(kr_custody *custody);

/** kr_engine_open's own opening of one store of a home (open.c), to read only. */
kr_status kr_engine_open_store(const char *home, const char *name, kr_store **ret_store,
                               kr_error *reterr) KR_MUST_USE;

#endif
