/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_status.c - what can be said of the key of a home without showing it:
 * where it comes from, why, whether it is the right one. The key is got exactly
 * as opening the home would get it, so that what is said here is what happens there.
 */
#define _GNU_SOURCE
#include "engine/custody.h"

#include "store/lmdb/store_lmdb.h"
#include "vault/keyfile.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char *kr_key_source_name(kr_key_source source) {
  switch (source) {
  case KR_KEY_FILE:
    return "file";
  case KR_KEY_CREDENTIAL:
    return "credential";
  case KR_KEY_PASSPHRASE:
    return "passphrase";
  case KR_KEY_ENVIRONMENT:
    return "environment";
  case KR_KEY_COMMAND:
    return "command";
  case KR_KEY_AUTO:
    break;
  }
  return "none";
}

kr_status kr_home_key_source(const char *home, kr_key_source *ret_source, kr_error *reterr) {
  kr_home_settings settings;
  KR_TRY(kr_home_settings_load(home, &settings, reterr));
  *ret_source = settings.key_source;
  return KR_OK;
}

kr_status kr_key_file_create(const char *path, char ret_id[KR_KEY_STATUS_ID_BYTES],
                             kr_error *reterr) {
  KR_CLEANUP(kr_secure_freep) kr_secure *pool = NULL;
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keyring = NULL;
  KR_TRY(kr_secure_new(KR_SECURE_POOL_BYTES / 16, &pool, reterr));
  KR_TRY(kr_keyring_create(kr_str_cstr(path), pool, &keyring, reterr));
  (void)snprintf(ret_id, KR_KEY_STATUS_ID_BYTES, "%.*s", KR_FMT(kr_keyring_id(keyring, 0)));
  return KR_OK;
}

static void kr_key_warn(kr_key_status *status, const char *warning) {
  if (status->n_warnings < KR_KEY_STATUS_WARNINGS)
    status->warnings[status->n_warnings++] = warning;
}

/* Who could exchange the file, though not read it. */
static void kr_key_look_at_directory(kr_key_status *status) {
  kr_path directory;
  struct stat info;
  (void)snprintf(directory.text, sizeof directory.text, "%s", status->place);
  kr_path_parent(&directory);
  if (stat(directory.text, &info) != 0)
    return;
  bool is_shared = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (info.st_mode & S_ISVTX) == 0;
  if (is_shared || (info.st_uid != geteuid() && info.st_uid != 0))
    kr_key_warn(status, "others can exchange the key: its directory is open to them");
}

static void kr_key_look(kr_key_status *status, const kr_custody *custody) {
  status->source = custody->source;
  status->rule = custody->rule;
  (void)snprintf(status->place, sizeof status->place, "%s", kr_custody_place(custody));
  if (custody->source == KR_KEY_ENVIRONMENT)
    kr_key_warn(status, "the key came from KROSYN_KEY: whoever starts the program, root, and what "
                        "else is started with that environment can read it");
  else if (custody->had_variable)
    kr_key_warn(status, "KROSYN_KEY is set, and not used");
  if (custody->source == KR_KEY_COMMAND && custody->rule == KR_KEY_BY_HOME)
    kr_key_warn(status, "opening this home runs the program that its settings.json names");
  if (custody->source != KR_KEY_FILE && custody->source != KR_KEY_CREDENTIAL)
    return;
  kr_keyfile_look file;
  status->has_mode = kr_keyfile_examine(kr_str_cstr(custody->path.text), &file, NULL) == KR_OK;
  if (!status->has_mode)
    return;
  status->mode = file.mode;
  if (file.is_foreign)
    kr_key_warn(status, "the key file belongs to another user");
  kr_key_look_at_directory(status);
}

/* A key that is not to be had or not right is what this is to find out; the rest are errors. */
static bool kr_key_is_answer(kr_status status) {
  return status == KR_UNTRUSTED || status == KR_INVALID || status == KR_LIMIT || status == KR_IO;
}

static kr_status kr_key_answer(kr_key_status *status, kr_key_state state, const kr_error *problem,
                               kr_error *reterr) {
  if (kr_key_is_answer(problem->status)) {
    status->state = state;
    status->problem = *problem;
    return KR_OK;
  }
  if (reterr != NULL)
    *reterr = *problem;
  return problem->status;
}

/* Opens the vault for the length of the check. */
static kr_status kr_key_check(kr_key_status *status, const char *home, const kr_keyring *keyring,
                              kr_secure *pool, kr_error *reterr) {
  KR_CLEANUP(kr_store_closep) kr_store *store = NULL;
  KR_CLEANUP(kr_vault_freep) kr_vault *vault = NULL;
  kr_error problem = {0};
  KR_TRY(kr_engine_open_store(home, "vault", &store, reterr));
  KR_TRY(kr_vault_key_needed(store, status->needed, reterr));
  if (keyring == NULL)
    return KR_OK;
  if (kr_vault_open(store, keyring, pool, &vault, &problem) == KR_OK)
    return KR_OK;
  return kr_key_answer(status, KR_KEY_WRONG, &problem, reterr);
}

static kr_status kr_key_find(kr_key_status *status, const kr_home_options *options,
                             const kr_home_settings *settings, kr_secure *pool,
                             kr_keyring **ret_keyring, kr_error *reterr) {
  KR_CLEANUP(kr_custody_done) kr_custody custody = {0};
  kr_error problem = {0};
  if (kr_custody_choose(options, settings, false, pool, &custody, &problem) != KR_OK) {
    status->source = custody.source;
    status->rule = custody.rule;
    return kr_key_answer(status, KR_KEY_MISSING, &problem, reterr);
  }
  kr_key_look(status, &custody);
  if (kr_custody_load(&custody, options, settings, false, ret_keyring, &problem) != KR_OK)
    return kr_key_answer(status, KR_KEY_MISSING, &problem, reterr);
  status->n_ids = kr_keyring_count(*ret_keyring);
  for (size_t i = 0; i < status->n_ids; i++)
    (void)snprintf(status->ids[i], sizeof status->ids[i], "%.*s",
                   KR_FMT(kr_keyring_id(*ret_keyring, i)));
  return KR_OK;
}

kr_status kr_home_key_status(const kr_home_options *options, kr_key_status *ret_status,
                             kr_error *reterr) {
  _Static_assert(KR_KEY_STATUS_IDS == KR_KEYRING_MAX &&
                     KR_KEY_STATUS_ID_BYTES == KR_KEY_ID_BYTES + 1,
                 "every key of a keyring has its place");
  KR_CLEANUP(kr_secure_freep) kr_secure *pool = NULL;
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keyring = NULL;
  kr_home_settings settings;
  KR_TRY(kr_home_settings_load(options->home, &settings, reterr));
  KR_TRY(kr_secure_new(KR_SECURE_POOL_BYTES / 4, &pool, reterr));
  memset(ret_status, 0, sizeof *ret_status);
  KR_TRY(kr_key_find(ret_status, options, &settings, pool, &keyring, reterr));
  return kr_key_check(ret_status, options->home, keyring, pool, reterr);
}
