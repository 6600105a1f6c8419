/* SPDX-License-Identifier: Apache-2.0 */
/*
 * home.h - settings.json of a home: the store's UUID and where its key is.
 *
 *   {"format": 0, "store": "0b54...-...", "key": {"file": "/absolute/path"}}
 *   {"format": 0, "store": "...", "key": {"source": "default"}}   the key is key_dir/<uuid>.key
 */
#ifndef KR_ENGINE_HOME_H
#define KR_ENGINE_HOME_H

#include "base/clock.h"
#include "engine/files.h"
#include "vault/vault.h"

#define KR_HOME_FORMAT 0
#define KR_HOME_SETTINGS_BYTES 8192u

typedef struct kr_home_settings {
  uint8_t uuid[KR_VAULT_UUID_BYTES];
  char uuid_text[KR_UUID_TEXT_BYTES];
  bool is_key_default; /* the key is in the key directory */
  kr_path key_file;    /* else here */
} kr_home_settings;

/** KR_NOT_FOUND: no home there; KR_UNSUPPORTED: another format; KR_CORRUPT: not such a file. */
kr_status kr_home_settings_load(const char *home, kr_home_settings *ret_settings,
                                kr_error *reterr) KR_MUST_USE;

kr_status kr_home_settings_save(const char *home, const kr_home_settings *settings,
                                kr_error *reterr) KR_MUST_USE;

/** 8-4-4-4-12 lower-case hex. */
void kr_home_uuid_format(const uint8_t uuid[KR_VAULT_UUID_BYTES], char out[KR_UUID_TEXT_BYTES]);

#endif
