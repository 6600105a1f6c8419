/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create.c - making a home: key file, vault, event log, the organization
 * "default", and last settings.json, whose presence says the home is whole.
 * Whatever fails on the way, what was made is removed again.
 */
#define _POSIX_C_SOURCE 200809L
#include "engine/engine.h"
#include "engine/home.h"
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
  bool made_home;
  bool made_key;
  bool is_whole;
  kr_secure *pool;
  kr_keyring *keyring;
  kr_store *vault_store;
  kr_store *events_store;
  kr_vault *handle;
} kr_creation;

static void kr_creation_remove_store(const kr_path *directory) {
  static const char *const files[] = {"data.mdb", "lock.mdb"};
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
  kr_secure_free(creation->pool);
  if (creation->is_whole)
    return;
  if (creation->vault.text[0] != '\0')
    kr_creation_remove_store(&creation->vault);
  if (creation->events.text[0] != '\0')
    kr_creation_remove_store(&creation->events);
  if (creation->made_home)
    (void)rmdir(creation->home.text);
  if (creation->made_key)
    (void)unlink(creation->settings.key_file.text);
}

static kr_status kr_creation_home(kr_creation *creation, const char *home, kr_error *reterr) {
  KR_TRY(kr_path_absolute(&creation->home, home, reterr));
  kr_directory_state state = KR_DIRECTORY_OTHER;
  KR_TRY(kr_directory_look(creation->home.text, &state, reterr));
  if (state == KR_DIRECTORY_USED || state == KR_DIRECTORY_OTHER) {
    (void)kr_fail(reterr, KR_EXISTS, "%s %s", creation->home.text,
                  state == KR_DIRECTORY_USED ? "exists already and is not empty"
                                             : "is not a directory");
    kr_error_hint(reterr, "nothing was changed; name a new directory with --home DIR");
    return KR_EXISTS;
  }
  creation->made_home = state == KR_DIRECTORY_MISSING;
  KR_TRY(kr_directory_make(creation->home.text, reterr));
  if (chmod(creation->home.text, 0700) != 0)
    return kr_fail(reterr, KR_IO, "cannot protect %s: not its owner?", creation->home.text);
  return KR_OK;
}

static kr_status kr_creation_key(kr_creation *creation, const kr_home_options *options,
                                 kr_error *reterr) {
  kr_home_settings *settings = &creation->settings;
  KR_TRY(kr_crypto_random(settings->uuid, sizeof settings->uuid, reterr));
  settings->uuid[6] = (uint8_t)((settings->uuid[6] & 0x0F) | 0x40); /* version 4, RFC 9562 */
  settings->uuid[8] = (uint8_t)((settings->uuid[8] & 0x3F) | 0x80);
  kr_home_uuid_format(settings->uuid, settings->uuid_text);
  settings->is_key_default = options->key_file == NULL;
  if (options->key_file != NULL) {
    KR_TRY(kr_path_absolute(&settings->key_file, options->key_file, reterr));
  } else {
    if (options->key_dir == NULL)
      return kr_fail_hint(reterr, KR_INVALID, "there is no place for the key file",
                          "name it with --key FILE");
    char name[KR_UUID_TEXT_BYTES + 4];
    (void)snprintf(name, sizeof name, "%s.key", settings->uuid_text);
    kr_path directory;
    KR_TRY(kr_path_absolute(&directory, options->key_dir, reterr));
    KR_TRY(kr_path_join(&settings->key_file, directory.text, name, reterr));
  }
  if (kr_path_is_below(settings->key_file.text, creation->home.text))
    return kr_fail_hint(reterr, KR_UNTRUSTED, "the key file would lie inside the home",
                        "keep it elsewhere: whoever copies the home must not get its key");
  KR_TRY(kr_keyring_create(kr_str_cstr(settings->key_file.text), creation->pool, &creation->keyring,
                           reterr));
  creation->made_key = true;
  return KR_OK;
}

static kr_status kr_creation_vault(kr_creation *creation, kr_error *reterr) {
  const kr_store_lmdb_options create = {.is_create = true};
  kr_path path;
  KR_TRY(kr_path_join(&path, creation->home.text, "vault", reterr));
  KR_TRY(kr_store_lmdb_open(kr_str_cstr(path.text), &create, &creation->vault_store, reterr));
  creation->vault = path;
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(creation->vault_store, KR_STORE_WRITE, &txn, reterr));
  KR_TRY(kr_vault_create(txn, creation->keyring, creation->pool, creation->settings.uuid, reterr));
  return kr_store_commit(KR_TAKE(txn), reterr);
}

static kr_status kr_creation_events(kr_creation *creation, kr_error *reterr) {
  const kr_store_lmdb_options create = {.is_create = true};
  kr_path path;
  KR_TRY(kr_path_join(&path, creation->home.text, "events", reterr));
  KR_TRY(kr_store_lmdb_open(kr_str_cstr(path.text), &create, &creation->events_store, reterr));
  creation->events = path;
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(creation->events_store, KR_STORE_WRITE, &txn, reterr));
  KR_TRY(
      kr_events_create(txn, kr_vault_chain_key(creation->handle), creation->settings.uuid, reterr));
  return kr_store_commit(KR_TAKE(txn), reterr);
}

static kr_status kr_creation_default_org(kr_creation *creation, const char *actor,
                                         kr_error *reterr) {
  const kr_registry registry = {.record_key = kr_vault_record_key(creation->handle)};
  int64_t now_ms = kr_clock_wall_ms(kr_clock_system());
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(creation->vault_store, KR_STORE_WRITE, &txn, reterr));
  kr_org org = {0};
  KR_TRY(kr_vault_org_create(creation->handle, txn, KR_STR("default"), now_ms, &org, reterr));
  kr_audit_entry entry = {.time_ms = now_ms,
                          .org_id = org.id,
                          .actor = kr_str_cstr(actor == NULL ? "library" : actor),
                          .action = KR_STR("store.create"),
                          .subject = KR_STR("default")};
  KR_TRY(kr_registry_audit_append(&registry, txn, &entry, reterr));
  return kr_store_commit(KR_TAKE(txn), reterr);
}

kr_status kr_home_create(const kr_home_options *options, kr_text *ret_key_path, kr_error *reterr) {
  KR_CLEANUP(kr_creation_done) kr_creation creation = {0};
  KR_TRY(kr_secure_new(KR_SECURE_POOL_BYTES / 4, &creation.pool, reterr));
  KR_TRY(kr_creation_home(&creation, options->home, reterr));
  KR_TRY(kr_creation_key(&creation, options, reterr));
  KR_TRY(kr_creation_vault(&creation, reterr));
  KR_TRY(kr_vault_open(creation.vault_store, creation.keyring, creation.pool, &creation.handle,
                       reterr));
  KR_TRY(kr_creation_events(&creation, reterr));
  KR_TRY(kr_creation_default_org(&creation, options->actor, reterr));
  KR_TRY(kr_home_settings_save(creation.home.text, &creation.settings, reterr));
  creation.is_whole = true;
  if (ret_key_path == NULL)
    return KR_OK;
  return kr_text_append(ret_key_path, kr_str_cstr(creation.settings.key_file.text));
}
