/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring.h - custody of the master key: a key file with one `id base64` line
 * per key, the current one first, mode 0600, outside the data directory.
 *
 *   # krosyn master key - keep a copy in a safe place; without it the vault cannot be opened
 *   k-3f9a2c71 m0bS...(88 characters)...==
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

void kr_keyring_free(kr_keyring *keyring);
KR_DEFINE_FREEP(kr_keyring_freep, kr_keyring, kr_keyring_free)

/** By id; NULL when there is none. Index 0 is the current key. */
size_t kr_keyring_count(const kr_keyring *keyring);
kr_str kr_keyring_id(const kr_keyring *keyring, size_t index);
const kr_secret *kr_keyring_key(const kr_keyring *keyring, size_t index);
const kr_secret *kr_keyring_find(const kr_keyring *keyring, kr_str id);

#endif
