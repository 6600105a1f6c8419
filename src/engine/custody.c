/* SPDX-License-Identifier: Apache-2.0 */
/* custody.c - the rule of custody.h, row by row: which source of the key is used, and why. */
#define _GNU_SOURCE
#include "engine/custody.h"

#include "vault/keyenv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KR_CUSTODY_CREDENTIAL "krosyn.key"

void kr_custody_done(kr_custody *custody) {
  if (custody->variable != NULL)
    kr_secure_release(custody->pool, custody->variable);
  custody->variable = NULL;
}

const char *kr_custody_place(const kr_custody *custody) {
  switch (custody->source) {
  case KR_KEY_FILE:
  case KR_KEY_CREDENTIAL:
    return custody->path.text;
  case KR_KEY_COMMAND:
    return kr_keycommand_program(&custody->command);
  case KR_KEY_ENVIRONMENT:
    return KR_KEYENV_VARIABLE;
  case KR_KEY_AUTO:
  case KR_KEY_PASSPHRASE:
    break;
  }
  return "";
}

/* A variable that is empty is one that somebody did not set. */
static const char *kr_custody_variable(const char *name) {
  const char *value = getenv(name);
  return value == NULL || value[0] == '\0' ? NULL : value;
}

static kr_status kr_custody_take_default(kr_custody *custody, const kr_home_options *options,
                                         const kr_home_settings *settings, kr_error *reterr) {
  char name[KR_UUID_TEXT_BYTES + 4];
  kr_path directory;
  custody->source = KR_KEY_FILE;
  custody->is_default = true;
  if (options->key_dir == NULL)
    return kr_fail_hint(reterr, KR_UNTRUSTED, "it is not known where the key of this home is",
                        "name it with --key FILE or KROSYN_KEY_FILE");
  (void)snprintf(name, sizeof name, "%s.key", settings->uuid_text);
  KR_TRY(kr_path_absolute(&directory, options->key_dir, reterr));
  return kr_path_join(&custody->path, directory.text, name, reterr);
}

static kr_status kr_custody_credential_path(kr_path *out, kr_error *reterr) {
  const char *directory = kr_custody_variable("CREDENTIALS_DIRECTORY");
  if (directory == NULL || directory[0] != '/')
    return kr_fail_hint(reterr, KR_UNTRUSTED,
                        "there is no credential: CREDENTIALS_DIRECTORY is not set",
                        "start krosyn from a unit with LoadCredential=krosyn.key:FILE or "
                        "LoadCredentialEncrypted=, or name the key with --key FILE");
  return kr_path_join(out, directory, KR_CUSTODY_CREDENTIAL, reterr);
}

static kr_status kr_custody_not_asked(const char *what, kr_error *reterr) {
  (void)kr_fail(reterr, KR_UNTRUSTED,
                "the key of this home is %s, and the program did not allow it", what);
  kr_error_hint(reterr, "name the key file, or see reads_environment and runs_recorded_command "
                        "of kr_home_options");
  return KR_UNTRUSTED;
}

static kr_status kr_custody_take_file(kr_custody *custody, const char *path, kr_error *reterr) {
  custody->source = KR_KEY_FILE;
  return kr_path_absolute(&custody->path, path, reterr);
}

static kr_status kr_custody_take_command(kr_custody *custody, const char *line, kr_error *reterr) {
  custody->source = KR_KEY_COMMAND;
  return kr_keycommand_split(&custody->command, line, reterr);
}

/* Credential or variable, because the caller or the home says so: then it has to be there. */
static kr_status kr_custody_take_given(kr_custody *custody, const kr_home_options *options,
                                       kr_key_source source, kr_error *reterr) {
  custody->source = source;
  if (!options->reads_environment)
    return kr_custody_not_asked(source == KR_KEY_CREDENTIAL ? "a credential" : "in KROSYN_KEY",
                                reterr);
  if (source == KR_KEY_CREDENTIAL)
    return kr_custody_credential_path(&custody->path, reterr);
  if (custody->variable != NULL)
    return KR_OK;
  return kr_fail_hint(reterr, KR_UNTRUSTED, "the key is to come from KROSYN_KEY, which is not set",
                      "set it to `id base64`, or name a key file with --key FILE");
}

static kr_status kr_custody_take_passphrase(kr_custody *custody, const kr_home_settings *settings,
                                            bool is_new, kr_error *reterr) {
  custody->source = KR_KEY_PASSPHRASE;
  if (is_new || settings->key_source == KR_KEY_PASSPHRASE)
    return KR_OK;
  return kr_fail_hint(reterr, KR_INVALID, "the key of this home is not made from a passphrase",
                      "`krosyn key status` says where it comes from");
}

/* Row 1. *ret_found: it decides. */
static kr_status kr_custody_by_caller(kr_custody *custody, const kr_home_options *options,
                                      const kr_home_settings *settings, bool is_new,
                                      bool *ret_found, kr_error *reterr) {
  kr_key_source source = options->key_source;
  bool is_file = options->key_file != NULL;
  bool is_command = options->key_command != NULL;
  custody->rule = KR_KEY_BY_CALLER;
  *ret_found = is_file || is_command || source != KR_KEY_AUTO;
  if (!*ret_found)
    return KR_OK;
  if ((is_file && is_command) || (is_file && source != KR_KEY_AUTO && source != KR_KEY_FILE) ||
      (is_command && source != KR_KEY_AUTO && source != KR_KEY_COMMAND))
    return kr_fail_hint(reterr, KR_INVALID, "two sources of the key are named at once",
                        "name one of a key file, a key command and a passphrase");
  if (is_file)
    return kr_custody_take_file(custody, options->key_file, reterr);
  if (is_command)
    return kr_custody_take_command(custody, options->key_command, reterr);
  if (source == KR_KEY_COMMAND)
    return kr_fail(reterr, KR_INVALID, "the key command is not given");
  if (source == KR_KEY_PASSPHRASE)
    return kr_custody_take_passphrase(custody, settings, is_new, reterr);
  if (source != KR_KEY_FILE)
    return kr_custody_take_given(custody, options, source, reterr);
  return kr_custody_take_default(custody, options, settings, reterr);
}

/* Row 2. */
static kr_status kr_custody_by_variable(kr_custody *custody, bool *ret_found, kr_error *reterr) {
  const char *file = kr_custody_variable("KROSYN_KEY_FILE");
  const char *command = kr_custody_variable("KROSYN_KEY_COMMAND");
  int n_set = (file != NULL) + (command != NULL) + (custody->variable != NULL);
  custody->rule = KR_KEY_BY_ENVIRONMENT;
  *ret_found = n_set > 0;
  if (n_set > 1)
    return kr_fail_hint(reterr, KR_INVALID, "the environment names the key in two ways at once",
                        "unset all but one of KROSYN_KEY_FILE, KROSYN_KEY_COMMAND and KROSYN_KEY");
  if (file != NULL)
    return kr_custody_take_file(custody, file, reterr);
  if (command != NULL)
    return kr_custody_take_command(custody, command, reterr);
  custody->source = KR_KEY_ENVIRONMENT;
  return KR_OK;
}

/* Row 3. One that cannot be looked at decides too, and fails when it is read. */
static bool kr_custody_by_credential(kr_custody *custody) {
  struct stat info;
  custody->rule = KR_KEY_BY_CREDENTIAL;
  custody->source = KR_KEY_CREDENTIAL;
  if (kr_custody_credential_path(&custody->path, NULL) != KR_OK)
    return false;
  return lstat(custody->path.text, &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* Who may change settings.json may then run programs as whoever opens the home. */
static kr_status kr_custody_trusts_home(const kr_home_options *options, kr_error *reterr) {
  kr_path paths[2];
  KR_TRY(kr_path_absolute(&paths[0], options->home, reterr));
  KR_TRY(kr_path_join(&paths[1], paths[0].text, "settings.json", reterr));
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    const kr_path *path = &paths[i];
    struct stat info;
    if (stat(path->text, &info) != 0)
      return kr_fail_errno(reterr, errno, "cannot examine %s", path->text);
    bool is_ours = info.st_uid == geteuid() || info.st_uid == 0;
    if (is_ours && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0)
      continue;
    (void)kr_fail(reterr, KR_UNTRUSTED,
                  "the home records a key command, and others can write to %s", path->text);
    kr_error_hint(reterr, "make it yours alone (chmod go-w), or name the key with --key FILE");
    return KR_UNTRUSTED;
  }
  return KR_OK;
}

static kr_status kr_custody_take_recorded_command(kr_custody *custody,
                                                  const kr_home_options *options,
                                                  const kr_home_settings *settings,
                                                  kr_error *reterr) {
  custody->source = KR_KEY_COMMAND;
  custody->command = settings->key_command;
  if (!options->runs_recorded_command)
    return kr_custody_not_asked("the output of a program that the home names", reterr);
  return kr_custody_trusts_home(options, reterr);
}

/* Row 4. */
static kr_status kr_custody_by_home(kr_custody *custody, const kr_home_options *options,
                                    const kr_home_settings *settings, bool is_new,
                                    kr_error *reterr) {
  custody->rule = KR_KEY_BY_HOME;
  custody->source = is_new ? KR_KEY_FILE : settings->key_source;
  switch (custody->source) {
  case KR_KEY_PASSPHRASE:
    return KR_OK;
  case KR_KEY_COMMAND:
    return kr_custody_take_recorded_command(custody, options, settings, reterr);
  case KR_KEY_CREDENTIAL:
  case KR_KEY_ENVIRONMENT:
    return kr_custody_take_given(custody, options, custody->source, reterr);
  case KR_KEY_AUTO:
  case KR_KEY_FILE:
    break;
  }
  if (is_new || settings->is_key_default)
    return kr_custody_take_default(custody, options, settings, reterr);
  custody->path = settings->key_file;
  return KR_OK;
}

static kr_status kr_custody_apply(kr_custody *custody, const kr_home_options *options,
                                  const kr_home_settings *settings, bool is_new, kr_error *reterr) {
  bool is_found = false;
  KR_TRY(kr_custody_by_caller(custody, options, settings, is_new, &is_found, reterr));
  if (!is_found && options->reads_environment)
    KR_TRY(kr_custody_by_variable(custody, &is_found, reterr));
  if (!is_found && options->reads_environment)
    is_found = kr_custody_by_credential(custody);
  return is_found ? KR_OK : kr_custody_by_home(custody, options, settings, is_new, reterr);
}

kr_status kr_custody_choose(const kr_home_options *options, const kr_home_settings *settings,
                            bool is_new, kr_secure *pool, kr_custody *ret_custody,
                            kr_error *reterr) {
  kr_custody *custody = ret_custody;
  memset(custody, 0, sizeof *custody);
  custody->pool = pool;
  if (options->reads_environment)
    KR_TRY(kr_keyenv_take(pool, &custody->variable, &custody->variable_len, reterr));
  custody->had_variable = custody->variable != NULL;
  kr_status status = kr_custody_apply(custody, options, settings, is_new, reterr);
  if (status != KR_OK)
    kr_custody_done(custody);
  return status;
}
