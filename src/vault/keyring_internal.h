/* SPDX-License-Identifier: Apache-2.0 */
/* keyring_internal.h - filling a keyring; for keyring.c and keytext.c. */
#ifndef KR_VAULT_KEYRING_INTERNAL_H
#define KR_VAULT_KEYRING_INTERNAL_H

#include "vault/keyring.h"

kr_status kr_keyring_new(kr_key_source source, kr_keyring **ret_keyring,
                         kr_error *reterr) KR_MUST_USE;

/** Takes the key over. The id is valid and not there yet, and there is room for one more. */
void kr_keyring_add(kr_keyring *keyring, kr_str id, kr_secret *key);

#define KR_KEYTEXT_KEY_BYTES 88u /* base64 of KR_KEY_BYTES, padded */

/** `id base64` lines of the first key under a heading, in locked memory. KR_NOMEM. */
kr_status kr_keytext_print(const kr_keyring *keyring, kr_secure *pool,
                           kr_secret **ret_text) KR_MUST_USE;

#endif
