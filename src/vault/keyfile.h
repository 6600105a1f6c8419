/* SPDX-License-Identifier: Apache-2.0 */
/* keyfile.h - the file side of a key file: who may read it, reading it into locked memory. */
#ifndef KR_VAULT_KEYFILE_H
#define KR_VAULT_KEYFILE_H

#include "vault/keyring.h"

#define KR_KEYFILE_ROOM_BYTES (KR_KEYFILE_MAX_BYTES + 1) /* one more shows that it is too long */

/** Check owner, kind, mode and size, and read into locked memory. KR_UNTRUSTED as kr_keyring_load()
 * says. */
kr_status kr_keyfile_read(kr_str path, uint8_t bytes[KR_KEYFILE_ROOM_BYTES], size_t *ret_len,
                          kr_error *reterr) KR_MUST_USE;

/** Create exclusively with mode 0600 and make it durable; on failure no file is left. */
kr_status kr_keyfile_write(kr_str path, kr_str text, kr_error *reterr) KR_MUST_USE;

#endif
