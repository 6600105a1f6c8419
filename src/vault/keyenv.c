/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyenv.c - see keyenv.h. What the kernel shows as /proc/PID/environ is the
 * memory the program was started with, so wiping the bytes there is what takes
 * the key out of it; unsetenv(3) alone only forgets where they stand.
 */
#define _GNU_SOURCE
#include "vault/keyenv.h"

#include <stdlib.h>

kr_status kr_keyenv_take(kr_secure *pool, uint8_t **ret_text, size_t *ret_len, kr_error *reterr) {
  char *value = getenv(KR_KEYENV_VARIABLE);
  *ret_text = NULL;
  *ret_len = 0;
  if (value == NULL)
    return KR_OK;
  size_t whole_len = strlen(value);
  size_t len = whole_len < KR_KEYFILE_ROOM_BYTES ? whole_len : KR_KEYFILE_ROOM_BYTES;
  uint8_t *text = len == 0 ? NULL : kr_secure_alloc(pool, KR_KEYFILE_ROOM_BYTES);
  if (text != NULL)
    memcpy(text, value, len);
  kr_wipe(value, whole_len);
  (void)unsetenv(KR_KEYENV_VARIABLE);
  if (len > 0 && text == NULL)
    return kr_fail_nomem(reterr);
  *ret_text = text;
  *ret_len = len;
  return KR_OK;
}
