/* SPDX-License-Identifier: Apache-2.0 */
/* open.c - opening and closing a home; the order is the order of trust: settings, key, stores. */
#include "base/assert.h"
#include "engine/custody.h"
#include "engine/engine.h"
#include "engine/ingest.h"
#include "store/lmdb/store_lmdb.h"

#include <stdio.h>

/* An intent this old whose process is gone will not get its event any more. */
#define KR_ENGINE_RECONCILE_AGE_MS 0

static kr_status kr_engine_open_key(kr_engine *engine, const kr_home_options *options,
                                    const kr_home_settings *settings, const kr_engine_mode *mode,
                                    kr_error *reterr) {
  KR_CLEANUP(kr_custody_done) kr_custody custody = {0};
  kr_home_options origin = *options;
  if (options->without_key)
    return KR_OK;
  /* A copy is ours alone whoever wrote what was copied: trust is asked for where it comes from. */
  if (mode->copied_from != NULL)
    origin.home = mode->copied_from;
  KR_TRY(kr_custody_choose(&origin, settings, false, engine->pool, &custody, reterr));
  KR_TRY(kr_path_canonical(&engine->home_path, options->home, reterr));
  if (custody.source == KR_KEY_FILE)
    engine->key_path = custody.path;
  return kr_custody_load(&custody, options, settings, false, &engine->own_keyring, reterr);
}

/* settings.json is there, so this is a home: a store that is missing is damage, not "no home". */
static kr_status kr_engine_open_store_as(const char *home, const char *name,
                                         const kr_engine_mode *mode, kr_store **ret_store,
                                         kr_error *reterr) {
  const kr_store_lmdb_options options = {.is_read_only = mode->is_read_only,
                                         .is_unshared = mode->is_unshared};
  kr_path path;
  KR_TRY(kr_path_join(&path, home, name, reterr));
  kr_status status = kr_store_lmdb_open(kr_str_cstr(path.text), &options, ret_store, reterr);
  if (status != KR_NOT_FOUND)
    return status;
  (void)kr_fail(reterr, KR_CORRUPT, "the home lacks its store %s", path.text);
  kr_error_hint(reterr, "restore the whole home from a backup");
  return KR_CORRUPT;
}

kr_status kr_engine_open_store(const char *home, const char *name, kr_store **ret_store,
                               kr_error *reterr) {
  const kr_engine_mode mode = {.is_read_only = true};
  return kr_engine_open_store_as(home, name, &mode, ret_store, reterr);
}

static kr_status kr_engine_open_vault(kr_engine *engine, const char *home,
                                      const kr_home_settings *settings, const kr_engine_mode *mode,
                                      kr_error *reterr) {
  KR_TRY(kr_engine_open_store_as(home, "vault", mode, &engine->vault_store, reterr));
  kr_status status = mode->is_damaged ? kr_vault_open_damaged(engine->vault_store, engine->keyring,
                                                              engine->pool, &engine->vault, reterr)
                                      : kr_vault_open(engine->vault_store, engine->keyring,
                                                      engine->pool, &engine->vault, reterr);
  KR_TRY(status);
  kr_vault_uuid(engine->vault, engine->uuid);
  if (memcmp(engine->uuid, settings->uuid, sizeof engine->uuid) != 0)
    return kr_fail_hint(reterr, KR_CORRUPT, "settings.json belongs to another vault",
                        "restore the whole home from one backup");
  engine->registry.record_key = kr_vault_record_key(engine->vault);
  return KR_OK;
}

static kr_status kr_engine_open_events(kr_engine *engine, const char *home,
                                       const kr_engine_mode *mode, kr_error *reterr) {
  const kr_secret *key = kr_vault_chain_key(engine->vault);
  KR_TRY(kr_engine_open_store_as(home, "events", mode, &engine->events_store, reterr));
  if (mode->is_damaged)
    return kr_events_open_damaged(engine->events_store, key, engine->uuid, &engine->events, reterr);
  return kr_events_open(engine->events_store, key, engine->uuid, &engine->events, reterr);
}

static kr_status kr_engine_open_stores(kr_engine *engine, const char *home,
                                       const kr_home_settings *settings, const kr_engine_mode *mode,
                                       kr_error *reterr) {
  KR_TRY(kr_engine_open_vault(engine, home, settings, mode, reterr));
  if (mode->reterr_events == NULL)
    return kr_engine_open_events(engine, home, mode, reterr);
  /* A log that cannot be opened is damage to be told of; the vault is looked at all the same. */
  kr_status status = kr_engine_open_events(engine, home, mode, mode->reterr_events);
  return status == KR_NOMEM ? kr_fail_nomem(reterr) : KR_OK;
}

/*
 * A disk that takes no more must not keep a home shut: what is there can still
 * be read, and the intents wait for the next start.
 */
static kr_status kr_engine_reconcile(kr_engine *engine, kr_error *reterr) {
  size_t n_settled = 0;
  kr_error error = {0};
  kr_status status = kr_events_reconcile(engine->events, kr_clock_wall_ms(engine->clock),
                                         KR_ENGINE_RECONCILE_AGE_MS, kr_ingest_interrupted, engine,
                                         &n_settled, &error);
  if (status == KR_OK || status == KR_IO)
    return KR_OK;
  if (reterr != NULL)
    *reterr = error;
  return status;
}

/* *ret_is_file: the keys were read from a key file. */
static kr_status kr_engine_open_once(const kr_home_options *options, const kr_engine_mode *mode,
                                     kr_engine **ret_engine, bool *ret_is_file, kr_error *reterr) {
  kr_home_settings settings;
  KR_TRY(kr_home_settings_load(options->home, &settings, reterr));
  KR_CLEANUP(kr_engine_closep) kr_engine *engine = kr_heap_memory()->alloc(sizeof *engine);
  if (engine == NULL)
    return kr_fail_nomem(reterr);
  memset(engine, 0, sizeof *engine);
  engine->clock = kr_clock_system();
  (void)snprintf(engine->actor, sizeof engine->actor, "%s",
                 options->actor == NULL ? "library" : options->actor);
  if (pthread_mutex_init(&engine->mutex, NULL) != 0)
    return kr_fail_nomem(reterr);
  engine->has_mutex = true;
  KR_TRY(kr_secure_new(KR_SECURE_POOL_BYTES, &engine->pool, reterr));
  if (mode->keyring == NULL)
    KR_TRY(kr_engine_open_key(engine, options, &settings, mode, reterr));
  engine->keyring = mode->keyring == NULL ? engine->own_keyring : mode->keyring;
  *ret_is_file = engine->key_path.text[0] != '\0';
  KR_TRY(kr_engine_open_stores(engine, options->home, &settings, mode, reterr));
  if (engine->keyring != NULL && !mode->is_read_only)
    KR_TRY(kr_engine_reconcile(engine, reterr));
  *ret_engine = KR_TAKE(engine);
  return KR_OK;
}

kr_status kr_engine_open_as(const kr_home_options *options, const kr_engine_mode *mode,
                            kr_engine **ret_engine, kr_error *reterr) {
  bool is_file = false;
  kr_status status = kr_engine_open_once(options, mode, ret_engine, &is_file, reterr);
  if (status != KR_UNTRUSTED || !is_file)
    return status;
  /* `key rekey` may have put the new key into the file and the vault under it since we read the
   * file: then it is there by now. */
  return kr_engine_open_once(options, mode, ret_engine, &is_file, reterr);
}

kr_status kr_engine_open(const kr_home_options *options, kr_engine **ret_engine, kr_error *reterr) {
  const kr_engine_mode mode = {.is_read_only = false};
  return kr_engine_open_as(options, &mode, ret_engine, reterr);
}

void kr_engine_close(kr_engine *engine) {
  if (engine == NULL)
    return;
  bool every_run_was_freed_before = atomic_load(&engine->n_runs) == 0;
  KR_ASSERT(every_run_was_freed_before);
#ifdef KR_HAS_CONNECTOR
  kr_http_free(engine->http);
#endif
  for (size_t i = 0; i < KR_ENGINE_SETS_MAX; i++)
    kr_redact_set_free(engine->sets[i].set);
  kr_events_free(engine->events);
  kr_vault_free(engine->vault);
  kr_store_closep(&engine->events_store);
  kr_store_closep(&engine->vault_store);
  kr_keyring_free(engine->own_keyring);
  bool every_secret_was_freed_before = engine->pool == NULL || kr_secure_used(engine->pool) == 0;
  KR_ASSERT(every_secret_was_freed_before);
  kr_secure_free(engine->pool);
  if (engine->has_mutex)
    (void)pthread_mutex_destroy(&engine->mutex);
  kr_heap_memory()->release(engine, sizeof *engine);
}

kr_status kr_engine_need_key(const kr_engine *engine, kr_error *reterr) {
  if (engine->keyring != NULL)
    return KR_OK;
  return kr_fail_hint(reterr, KR_UNTRUSTED, "this needs the key of the home, which is not open",
                      "open the home with its key file");
}

kr_status kr_engine_org(kr_engine *engine, kr_str name, kr_org *ret_org, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  return kr_vault_org_find(engine->vault, txn, name, ret_org, reterr);
}
