/* SPDX-License-Identifier: Apache-2.0 */
/* keyfile.h - the file side of a key file: who may read it, reading it into locked memory. */
#ifndef KR_VAULT_KEYFILE_H
#define KR_VAULT_KEYFILE_H

#include "vault/keyring.h"

#define KR_KEYFILE_ROOM_BYTES (KR_KEYFILE_MAX_BYTES + 1) /* one more shows that it is too long */

/**
 * Check owner, kind, mode and size, and read into locked memory. KR_UNTRUSTED as kr_keyring_load()
 * says. KR_KEY_FILE: no bit for group or others. KR_KEY_CREDENTIAL: systemd leaves the file to
 * root and lets the service in by an access list, whose mask shows as the bits of the group: so
 * 0440 is accepted of root's file in root's group, and in no other case.
 */
kr_status kr_keyfile_read(kr_key_source source, kr_str path, uint8_t bytes[KR_KEYFILE_ROOM_BYTES],
                          size_t *ret_len, kr_error *reterr) KR_MUST_USE;

typedef struct kr_keyfile_look {
  unsigned mode; /* 07777 */
  unsigned uid;
  bool is_foreign; /* neither ours nor root's */
} kr_keyfile_look;

/** What it is, without opening it. KR_NOT_FOUND, KR_IO. */
kr_status kr_keyfile_examine(kr_str path, kr_keyfile_look *ret_look, kr_error *reterr) KR_MUST_USE;

/** Create exclusively with mode 0600 and make it durable; on failure no file is left. */
kr_status kr_keyfile_write(kr_str path, kr_str text, kr_error *reterr) KR_MUST_USE;

#endif
