/* SPDX-License-Identifier: Apache-2.0 */
/*
 * home.h - settings.json of a home: the store's UUID and where its key comes
 * from. docs/formats/home.md has every member; nothing in it is secret, and
 * nothing in it is authenticated: whatever it says is checked before it is used.
 *
 *   {"format": 1, "store": "0b54...-...", "key": {"file": "/absolute/path"}}
 *   {"format": 1, "store": "...", "key": {"source": "default"}}   the key is key_dir/<uuid>.key
 */
#ifndef KR_ENGINE_HOME_H
#define KR_ENGINE_HOME_H

#include "base/clock.h"
#include "engine/files.h"
#include "vault/keycommand.h"
#include "vault/vault.h"
#include "json/json.h"

#define KR_HOME_FORMAT 1
#define KR_HOME_SETTINGS_BYTES 8192u

#define KR_HOME_SALT_BYTES 16u

/*
 * The cost of a passphrase. Below the minimum a thief of the home guesses
 * cheaply; above the maximum a changed settings.json stops the machine.
 */
#define KR_HOME_SCRYPT_N (1u << 17) /* with r = 8: 128 MiB */
#define KR_HOME_SCRYPT_R 8u
#define KR_HOME_SCRYPT_P 1u
#define KR_HOME_SCRYPT_MAX_N (1u << 20)
#define KR_HOME_SCRYPT_MAX_R 16u
#define KR_HOME_SCRYPT_MAX_P 4u
#define KR_HOME_SCRYPT_MAX_BYTES (UINT64_C(1) << 30) /* 128 * N * r */

typedef struct kr_home_passphrase {
  char id[KR_KEY_ID_BYTES + 1]; /* of the key that it gives */
  kr_scrypt scrypt;
  uint8_t salt[KR_HOME_SALT_BYTES];
} kr_home_passphrase;

typedef struct kr_home_settings {
  uint8_t uuid[KR_VAULT_UUID_BYTES];
  char uuid_text[KR_UUID_TEXT_BYTES];
  kr_key_source key_source;
  bool is_key_default;           /* KR_KEY_FILE: the key is in the key directory */
  kr_path key_file;              /* KR_KEY_FILE: else here */
  kr_home_passphrase passphrase; /* KR_KEY_PASSPHRASE */
  kr_keycommand key_command;     /* KR_KEY_COMMAND */
} kr_home_settings;

/** KR_NOT_FOUND: no home there; KR_UNSUPPORTED: another format; KR_CORRUPT: not such a file. */
kr_status kr_home_settings_load(const char *home, kr_home_settings *ret_settings,
                                kr_error *reterr) KR_MUST_USE;

kr_status kr_home_settings_save(const char *home, const kr_home_settings *settings,
                                kr_error *reterr) KR_MUST_USE;

/** The member "key" (home_key.c): NULL when it is well-formed, else what is wrong with it. */
const char *kr_home_key_read(const kr_json *key, kr_home_settings *out);
void kr_home_key_write(kr_json_writer *writer, const kr_home_settings *settings);

/** 8-4-4-4-12 lower-case hex. */
void kr_home_uuid_format(const uint8_t uuid[KR_VAULT_UUID_BYTES], char out[KR_UUID_TEXT_BYTES]);

#endif
