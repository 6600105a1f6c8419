/* SPDX-License-Identifier: Apache-2.0 */
/* keyenv.h - the key in an environment variable, taken out of there. */
#ifndef KR_VAULT_KEYENV_H
#define KR_VAULT_KEYENV_H

#include "vault/keyfile.h"

#define KR_KEYENV_VARIABLE "KROSYN_KEY"

/**
 * Copy the value of KROSYN_KEY into locked memory, wipe the original where it
 * stands in the environment, and unset it; wiped and unset on failure too.
 * *ret_text is from kr_secure_alloc(), for kr_secure_release(); NULL when the
 * variable is not set, or empty. A value longer than keys may be is cut to
 * KR_KEYFILE_ROOM_BYTES, which kr_keyring_parse() refuses. KR_NOMEM.
 *
 * Threads: like setenv(3), only while no other thread reads the environment.
 */
kr_status kr_keyenv_take(kr_secure *pool, uint8_t **ret_text, size_t *ret_len,
                         kr_error *reterr) KR_MUST_USE;

#endif
