/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring.h - the keys at hand: the master key and its predecessors, by id, in
 * locked memory, wherever they came from. Their text is one line per key, the
 * current one first:
 *
 *   # krosyn master key - keep a copy in a safe place; without it the vault cannot be opened
 *   k-3f9a2c71 m0bS...(88 characters)...==
 *
 * The text comes from a file (keyfile.c), a variable (keyenv.c) or a program
 * (keycommand.c); a passphrase gives one key without any text.
 */
#ifndef KR_VAULT_KEYRING_H
#define KR_VAULT_KEYRING_H

#include "crypto/crypto.h"

#define KR_KEY_ID_BYTES 32u
#define KR_KEYRING_MAX 16u /* keys in one file */
#define KR_KEYFILE_MAX_BYTES 8192u

typedef struct kr_keyring kr_keyring;

/**
 * Create a key file with one fresh key: O_CREAT|O_EXCL, 0600, fsynced, its
 * directory (0700, made if missing) too. KR_EXISTS: never overwritten.
 */
kr_status kr_keyring_create(kr_str path, kr_secure *pool, kr_keyring **ret_keyring,
                            kr_error *reterr) KR_MUST_USE;

/** One fresh key, with an id of its own, in memory only. */
kr_status kr_keyring_make(kr_secure *pool, kr_keyring **ret_keyring, kr_error *reterr) KR_MUST_USE;

/**
 * Read a key file. KR_UNTRUSTED with its own message and hint for each of:
 * missing, not a regular file, owned by somebody else (unless root), readable or
 * writable by group or others, malformed (line number, never content).
 */
kr_status kr_keyring_load(kr_str path, kr_secure *pool, kr_keyring **ret_keyring,
                          kr_error *reterr) KR_MUST_USE;

/** The same of a systemd credential, whose modes differ: see kr_keyfile_read(). */
kr_status kr_keyring_load_credential(kr_str path, kr_secure *pool, kr_keyring **ret_keyring,
                                     kr_error *reterr) KR_MUST_USE;

/**
 * Read the text of keys, which the caller holds in locked memory and wipes.
 * @source  says the dialect: in KR_KEY_ENVIRONMENT a ';' ends a line too; from
 *          KR_KEY_COMMAND a lone key without an id gets the id "command".
 * @place   the path, program or variable, for messages.
 */
kr_status kr_keyring_parse(kr_key_source source, kr_str place, kr_str text, kr_secure *pool,
                           kr_keyring **ret_keyring, kr_error *reterr) KR_MUST_USE;

/** The one key that a passphrase gives. id: 1 to KR_KEY_ID_BYTES, of the form of ids. */
kr_status kr_keyring_derive(kr_str id, kr_str passphrase, kr_str salt, const kr_scrypt *scrypt,
                            kr_secure *pool, kr_keyring **ret_keyring,
                            kr_error *reterr) KR_MUST_USE;

void kr_keyring_free(kr_keyring *keyring);
KR_DEFINE_FREEP(kr_keyring_freep, kr_keyring, kr_keyring_free)

/** By id; NULL when there is none. Index 0 is the current key. */
size_t kr_keyring_count(const kr_keyring *keyring);
kr_str kr_keyring_id(const kr_keyring *keyring, size_t index);
const kr_secret *kr_keyring_key(const kr_keyring *keyring, size_t index);
const kr_secret *kr_keyring_find(const kr_keyring *keyring, kr_str id);

/** Where the keys came from, and the word for it in messages ("key file"). */
kr_key_source kr_keyring_source(const kr_keyring *keyring);
const char *kr_key_source_noun(kr_key_source source);

/** Is it 1 to KR_KEY_ID_BYTES letters, digits, '-', '_' or '.'? */
bool kr_key_id_is_valid(kr_str id);

/** letter, "-" and eight random hex digits: tells keys apart, says nothing of the key. */
#define KR_KEY_ID_FRESH_BYTES 11u /* with the final NUL */
kr_status kr_key_id_fresh(char letter, char out[KR_KEY_ID_FRESH_BYTES],
                          kr_error *reterr) KR_MUST_USE;

#endif
