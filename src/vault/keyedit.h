/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyedit.h - changing a key file that is there: one key more, or one less. The
 * file is replaced in one step, so that whoever is killed leaves the old one or
 * the new one; both hold every key that the vault may need.
 */
#ifndef KR_VAULT_KEYEDIT_H
#define KR_VAULT_KEYEDIT_H

#include "vault/keyring.h"

#define KR_KEYEDIT_PATH_BYTES 4096u

/** The file, links followed, and a lock on its directory: one editor at a time. */
typedef struct kr_keyedit {
  char path[KR_KEYEDIT_PATH_BYTES];
  int directory; /* -1: not open */
} kr_keyedit;

/** Waits for another editor. KR_UNTRUSTED, KR_IO. */
kr_status kr_keyedit_begin(kr_str path, kr_keyedit *ret_edit, kr_error *reterr) KR_MUST_USE;
void kr_keyedit_done(kr_keyedit *edit);

/**
 * Put the one key of fresh before all others, where the current key stands; the
 * rest of the file, comments included, stays. KR_LIMIT: KR_KEYRING_MAX keys are
 * there already; KR_REFUSED: the directory takes no new file.
 */
kr_status kr_keyedit_add(const kr_keyedit *edit, const kr_keyring *fresh, kr_secure *pool,
                         kr_error *reterr) KR_MUST_USE;

/** Take out the line of a key. KR_NOT_FOUND. The caller knows that nobody needs it. */
kr_status kr_keyedit_remove(const kr_keyedit *edit, kr_str id, kr_secure *pool,
                            kr_error *reterr) KR_MUST_USE;

#endif
