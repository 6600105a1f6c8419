/* SPDX-License-Identifier: Apache-2.0 */
/* custody_load.c - getting the keys from the source that custody.c chose. */
#define _GNU_SOURCE
#include "engine/custody.h"

#include "base/cleanup.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define KR_PASSPHRASE_ROOM_BYTES                                                                   \
  (KR_PASSPHRASE_MAX_BYTES + 1) /* one more shows that it is too long */

kr_status kr_custody_is_outside(const char *key_path, const char *home, kr_error *reterr) {
  kr_path real_home;
  kr_path real_key;
  KR_TRY(kr_path_canonical(&real_home, home, reterr));
  KR_TRY(kr_path_canonical(&real_key, key_path, reterr));
  if (!kr_path_is_below(real_key.text, real_home.text))
    return KR_OK;
  return kr_fail_hint(reterr, KR_UNTRUSTED, "the key file lies inside the home",
                      "move it elsewhere and name it with --key FILE");
}

/* Whoever can write to the directory of credentials can put a key of their own there. */
static kr_status kr_custody_check_credentials(const kr_custody *custody, kr_error *reterr) {
  kr_path directory = custody->path;
  struct stat info;
  kr_path_parent(&directory);
  if (stat(directory.text, &info) != 0)
    return kr_fail_errno(reterr, errno, "cannot examine the directory of credentials %s",
                         directory.text);
  bool is_ours = info.st_uid == geteuid() || info.st_uid == 0;
  if (is_ours && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0)
    return KR_OK;
  (void)kr_fail(reterr, KR_UNTRUSTED, "others can write to the directory of credentials %s",
                directory.text);
  kr_error_hint(reterr, "systemd makes one that nobody can write to; set no other by hand");
  return KR_UNTRUSTED;
}

static kr_status kr_custody_load_file(const kr_custody *custody, const char *home,
                                      kr_keyring **ret_keyring, kr_error *reterr) {
  KR_TRY(kr_custody_is_outside(custody->path.text, home, reterr));
  if (custody->source == KR_KEY_FILE)
    return kr_keyring_load(kr_str_cstr(custody->path.text), custody->pool, ret_keyring, reterr);
  KR_TRY(kr_custody_check_credentials(custody, reterr));
  return kr_keyring_load_credential(kr_str_cstr(custody->path.text), custody->pool, ret_keyring,
                                    reterr);
}

static kr_status kr_custody_load_command(const kr_custody *custody, kr_keyring **ret_keyring,
                                         kr_error *reterr) {
  uint8_t *text = kr_secure_alloc(custody->pool, KR_KEYFILE_ROOM_BYTES);
  if (text == NULL)
    return kr_fail_nomem(reterr);
  size_t len = 0;
  kr_status status =
      kr_keycommand_run(&custody->command, KR_KEYCOMMAND_LIMIT_MS, text, &len, reterr);
  if (status == KR_OK)
    status = kr_keyring_parse(KR_KEY_COMMAND, kr_str_cstr(kr_custody_place(custody)),
                              kr_str_from(text, len), custody->pool, ret_keyring, reterr);
  kr_secure_release(custody->pool, text);
  return status;
}

/* Code points; of bytes that are not UTF-8, those that do not look like the rest of one. */
static size_t kr_passphrase_runes(kr_str passphrase) {
  size_t n_runes = 0;
  for (size_t i = 0; i < passphrase.len; i++)
    n_runes += (passphrase.ptr[i] & 0xC0) != 0x80;
  return n_runes;
}

static kr_status kr_passphrase_check(kr_str passphrase, bool is_new, kr_error *reterr) {
  if (passphrase.len > KR_PASSPHRASE_MAX_BYTES)
    return kr_fail(reterr, KR_LIMIT, "a passphrase has at most %u bytes", KR_PASSPHRASE_MAX_BYTES);
  if (memchr(passphrase.ptr, '\0', passphrase.len) != NULL ||
      memchr(passphrase.ptr, '\n', passphrase.len) != NULL)
    return kr_fail(reterr, KR_INVALID, "a passphrase is one line of text");
  if (!is_new && passphrase.len == 0)
    return kr_fail(reterr, KR_INVALID, "the passphrase is empty");
  if (!is_new || kr_passphrase_runes(passphrase) >= KR_PASSPHRASE_MIN_RUNES)
    return KR_OK;
  (void)kr_fail(reterr, KR_INVALID, "a passphrase needs at least %u characters",
                KR_PASSPHRASE_MIN_RUNES);
  kr_error_hint(reterr, "whoever gets the home can guess without end; six random words are good");
  return KR_INVALID;
}

static kr_status kr_passphrase_keyring(const kr_custody *custody, const kr_home_options *options,
                                       const kr_home_settings *settings, bool is_new, uint8_t *room,
                                       kr_keyring **ret_keyring, kr_error *reterr) {
  size_t len = 0;
  const kr_home_passphrase *with = &settings->passphrase;
  KR_TRY(options->ask_passphrase(options->ask_context, is_new, room, KR_PASSPHRASE_ROOM_BYTES, &len,
                                 reterr));
  kr_str passphrase = kr_str_from(room, len);
  KR_TRY(kr_passphrase_check(passphrase, is_new, reterr));
  return kr_keyring_derive(kr_str_cstr(with->id), passphrase,
                           kr_str_from(with->salt, sizeof with->salt), &with->scrypt, custody->pool,
                           ret_keyring, reterr);
}

static kr_status kr_custody_load_passphrase(const kr_custody *custody,
                                            const kr_home_options *options,
                                            const kr_home_settings *settings, bool is_new,
                                            kr_keyring **ret_keyring, kr_error *reterr) {
  if (options->ask_passphrase == NULL)
    return kr_fail_hint(reterr, KR_UNTRUSTED, "the key of this home is made from a passphrase",
                        "the program has to ask for it: ask_passphrase of kr_home_options");
  uint8_t *room = kr_secure_alloc(custody->pool, KR_PASSPHRASE_ROOM_BYTES);
  if (room == NULL)
    return kr_fail_nomem(reterr);
  kr_status status =
      kr_passphrase_keyring(custody, options, settings, is_new, room, ret_keyring, reterr);
  kr_secure_release(custody->pool, room);
  return status;
}

kr_status kr_custody_load(const kr_custody *custody, const kr_home_options *options,
                          const kr_home_settings *settings, bool is_new, kr_keyring **ret_keyring,
                          kr_error *reterr) {
  switch (custody->source) {
  case KR_KEY_PASSPHRASE:
    return kr_custody_load_passphrase(custody, options, settings, is_new, ret_keyring, reterr);
  case KR_KEY_COMMAND:
    return kr_custody_load_command(custody, ret_keyring, reterr);
  case KR_KEY_ENVIRONMENT:
    return kr_keyring_parse(KR_KEY_ENVIRONMENT, kr_str_cstr(kr_custody_place(custody)),
                            kr_str_from(custody->variable, custody->variable_len), custody->pool,
                            ret_keyring, reterr);
  case KR_KEY_AUTO:
  case KR_KEY_FILE:
  case KR_KEY_CREDENTIAL:
    break;
  }
  return kr_custody_load_file(custody, options->home, ret_keyring, reterr);
}
