/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create.c - making a home: its key, vault, event log, the organization
 * "default", and last settings.json, whose presence says the home is whole.
 * Whatever fails on the way, what was made is removed again.
 */
#define _POSIX_C_SOURCE 200809L
#include "base/utf8.h"
#include "engine/custody.h"
#include "engine/engine.h"
#include "store/lmdb/store_lmdb.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a creation has made so far, to be undone on failure. */
typedef struct kr_creation {
  kr_path home;
  kr_path vault;
  kr_path events;
  kr_home_settings settings;
  kr_custody custody;
  kr_made_directories made_home;
  kr_made_directories made_key_directory;
  bool made_key;
  bool is_whole;
  kr_secure *pool;
  kr_keyring *keyring;
  kr_store *vault_store;
  kr_store *events_store;
  kr_vault *handle;
  const char *actor;
} kr_creation;

static void kr_creation_remove_store(const kr_path *directory) {
  static const char *const files[] = {"data.mdb", "lock.mdb", "exchange.flag"};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    kr_path file;
    if (kr_path_join(&file, directory->text, files[i], NULL) == KR_OK)
      (void)unlink(file.text);
  }
  (void)rmdir(directory->text);
}

static void kr_creation_done(kr_creation *creation) {
  kr_vault_free(creation->handle);
  kr_store_closep(&creation->vault_store);
  kr_store_closep(&creation->events_store);
  kr_keyring_free(creation->keyring);
  kr_custody_done(&creation->custody);
  kr_secure_free(creation->pool);
  if (creation->is_whole)
    return;
  if (creation->vault.text[0] != '\0')
    kr_creation_remove_store(&creation->vault);
  if (creation->events.text[0] != '\0')
    kr_creation_remove_store(&creation->events);
  kr_directory_unmake(&creation->made_home);
  if (creation->made_key)
    (void)unlink(creation->settings.key_file.text);
  kr_directory_unmake(&creation->made_key_directory);
}

/* What a creation that was killed leaves: a vault or a log, but no settings.json, its last file. */
static bool kr_creation_is_remains(const char *home) {
  static const char *const names[] = {"settings.json", "vault", "events"};
  bool is_there[3] = {false};
  for (size_t i = 0; i < 3; i++) {
    kr_path path;
    is_there[i] =
        kr_path_join(&path, home, names[i], NULL) == KR_OK && access(path.text, F_OK) == 0;
  }
  return !is_there[0] && (is_there[1] || is_there[2]);
}

static kr_status kr_creation_taken(const char *home, kr_directory_state state, kr_error *reterr) {
  (void)kr_fail(reterr, KR_EXISTS, "%s %s", home,
                state == KR_DIRECTORY_OTHER ? "is not a directory"
                                            : "exists already and is not empty");
  if (kr_creation_is_remains(home))
    kr_error_hint(reterr, "it is what an interrupted init left: remove it and init again");
  else
    kr_error_hint(reterr, "nothing was changed; name a new directory with --home DIR");
  return KR_EXISTS;
}

static kr_status kr_creation_look(kr_creation *creation, const char *home, kr_error *reterr) {
  KR_TRY(kr_path_canonical(&creation->home, home, reterr));
  kr_directory_state state = KR_DIRECTORY_OTHER;
  KR_TRY(kr_directory_look(creation->home.text, &state, reterr));
  if (state == KR_DIRECTORY_USED || state == KR_DIRECTORY_OTHER)
    return kr_creation_taken(creation->home.text, state, reterr);
  return KR_OK;
}

static kr_status kr_creation_home(kr_creation *creation, kr_error *reterr) {
  KR_TRY(kr_directory_make(creation->home.text, &creation->made_home, reterr));
  if (chmod(creation->home.text, 0700) != 0)
    return kr_fail(reterr, KR_IO, "cannot protect %s: not its owner?", creation->home.text);
  return KR_OK;
}

static kr_status kr_creation_identify(kr_creation *creation, kr_error *reterr) {
  kr_home_settings *settings = &creation->settings;
  KR_TRY(kr_crypto_random(settings->uuid, sizeof settings->uuid, reterr));
  settings->uuid[6] = (uint8_t)((settings->uuid[6] & 0x0F) | 0x40); /* version 4, RFC 9562 */
  settings->uuid[8] = (uint8_t)((settings->uuid[8] & 0x3F) | 0x80);
  kr_home_uuid_format(settings->uuid, settings->uuid_text);
  return KR_OK;
}

/* A fresh salt; the id of the key is as good as any. */
static kr_status kr_creation_salt(kr_home_passphrase *passphrase, kr_error *reterr) {
  char id[KR_KEY_ID_FRESH_BYTES];
  KR_TRY(kr_key_id_fresh('p', id, reterr));
  memcpy(passphrase->id, id, sizeof id);
  passphrase->scrypt =
      (kr_scrypt){.n = KR_HOME_SCRYPT_N, .r = KR_HOME_SCRYPT_R, .p = KR_HOME_SCRYPT_P};
  return kr_crypto_random(passphrase->salt, sizeof passphrase->salt, reterr);
}

/* Before anything is made: will the key file be outside the home, links followed? */
static kr_status kr_creation_key_place(const char *key_path, const char *home_path,
                                       kr_error *reterr) {
  kr_path home;
  kr_path key;
  if (!kr_utf8_is_valid(kr_str_cstr(key_path))) /* it will stand in JSON */
    return kr_fail_hint(reterr, KR_INVALID, "the path of the key file is not UTF-8",
                        "choose another path");
  KR_TRY(kr_path_canonical(&home, home_path, reterr));
  KR_TRY(kr_path_canonical(&key, key_path, reterr));
  if (!kr_path_is_below(key.text, home.text))
    return KR_OK;
  return kr_fail_hint(reterr, KR_UNTRUSTED, "the key file would lie inside the home",
                      "keep it elsewhere: whoever copies the home must not get its key");
}

static kr_status kr_creation_choose(kr_creation *creation, const kr_home_options *options,
                                    kr_error *reterr) {
  kr_home_settings *settings = &creation->settings;
  kr_custody *custody = &creation->custody;
  KR_TRY(kr_creation_identify(creation, reterr));
  KR_TRY(kr_custody_choose(options, settings, true, creation->pool, custody, reterr));
  settings->key_source = custody->source;
  settings->is_key_default = custody->is_default;
  settings->key_command = custody->command;
  settings->key_file = custody->path;
  if (custody->source == KR_KEY_PASSPHRASE)
    return kr_creation_salt(&settings->passphrase, reterr);
  if (custody->source == KR_KEY_FILE)
    return kr_creation_key_place(custody->path.text, options->home, reterr);
  return KR_OK;
}

static kr_status kr_creation_key_file(kr_creation *creation, kr_error *reterr) {
  kr_path directory = creation->settings.key_file;
  if (creation->settings.key_source != KR_KEY_FILE)
    return KR_OK;
  kr_path_parent(&directory);
  KR_TRY(kr_directory_make(directory.text, &creation->made_key_directory, reterr));
  KR_TRY(kr_keyring_create(kr_str_cstr(creation->settings.key_file.text), creation->pool,
                           &creation->keyring, reterr));
  creation->made_key = true;
  return KR_OK;
}

/* A key that is there already, or is made from a passphrase: had before anything is made. */
static kr_status kr_creation_key_given(kr_creation *creation, const kr_home_options *options,
                                       kr_error *reterr) {
  if (creation->settings.key_source == KR_KEY_FILE)
    return KR_OK;
  return kr_custody_load(&creation->custody, options, &creation->settings, true, &creation->keyring,
                         reterr);
}

static kr_status kr_creation_vault_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_creation *creation = ctx;
  return kr_vault_create(txn, creation->keyring, creation->pool, creation->settings.uuid, reterr);
}

static kr_status kr_creation_vault(kr_creation *creation, kr_error *reterr) {
  const kr_store_lmdb_options create = {.is_create = true};
  kr_path path;
  KR_TRY(kr_path_join(&path, creation->home.text, "vault", reterr));
  KR_TRY(kr_store_lmdb_open(kr_str_cstr(path.text), &create, &creation->vault_store, reterr));
  creation->vault = path;
  KR_TRY(kr_store_write(creation->vault_store, kr_creation_vault_change, creation, reterr));
  return kr_vault_open(creation->vault_store, creation->keyring, creation->pool, &creation->handle,
                       reterr);
}

static kr_status kr_creation_events_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_creation *creation = ctx;
  return kr_events_create(txn, kr_vault_chain_key(creation->handle), creation->settings.uuid,
                          reterr);
}

static kr_status kr_creation_events(kr_creation *creation, kr_error *reterr) {
  const kr_store_lmdb_options create = {.is_create = true};
  kr_path path;
  KR_TRY(kr_path_join(&path, creation->home.text, "events", reterr));
  KR_TRY(kr_store_lmdb_open(kr_str_cstr(path.text), &create, &creation->events_store, reterr));
  creation->events = path;
  return kr_store_write(creation->events_store, kr_creation_events_change, creation, reterr);
}

static kr_status kr_creation_default_org(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_creation *creation = ctx;
  const kr_registry registry = {.record_key = kr_vault_record_key(creation->handle)};
  int64_t now_ms = kr_clock_wall_ms(kr_clock_system());
  kr_org org = {0};
  KR_TRY(kr_vault_org_create(creation->handle, txn, KR_STR("default"), now_ms, &org, reterr));
  kr_audit_entry entry = {.time_ms = now_ms,
                          .org_id = org.id,
                          .actor = kr_str_cstr(creation->actor),
                          .action = KR_STR("store.create"),
                          .subject = KR_STR("default")};
  return kr_registry_audit_append(&registry, txn, &entry, reterr);
}

/* settings.json comes last, and after it nothing can fail. */
static kr_status kr_creation_run(kr_creation *creation, const kr_home_options *options,
                                 kr_text *key_path, kr_error *reterr) {
  creation->actor = options->actor == NULL ? "library" : options->actor;
  KR_TRY(kr_secure_new(KR_SECURE_POOL_BYTES / 4, &creation->pool, reterr));
  KR_TRY(kr_creation_choose(creation, options, reterr));
  KR_TRY(kr_creation_look(creation, options->home, reterr));
  KR_TRY(kr_creation_key_given(creation, options, reterr));
  KR_TRY(kr_creation_home(creation, reterr));
  KR_TRY(kr_creation_key_file(creation, reterr));
  KR_TRY(kr_creation_vault(creation, reterr));
  KR_TRY(kr_creation_events(creation, reterr));
  KR_TRY(kr_store_write(creation->vault_store, kr_creation_default_org, creation, reterr));
  const char *made = creation->made_key ? creation->settings.key_file.text : "";
  if (kr_text_append(key_path, kr_str_cstr(made)) != KR_OK)
    return kr_fail_nomem(reterr);
  return kr_home_settings_save(creation->home.text, &creation->settings, reterr);
}

kr_status kr_home_create(const kr_home_options *options, kr_text *ret_key_path, kr_error *reterr) {
  KR_CLEANUP(kr_creation_done) kr_creation creation = {0};
  KR_CLEANUP(kr_text_done) kr_text key_path = {0};
  KR_TRY(kr_creation_run(&creation, options, &key_path, reterr));
  creation.is_whole = true;
  if (ret_key_path == NULL)
    return KR_OK;
  kr_text_done(ret_key_path);
  *ret_key_path = key_path;
  key_path = (kr_text){0};
  return KR_OK;
}
