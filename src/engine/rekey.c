/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rekey.c - another master key, and the key file that goes with it:
 *
 *   key file: old          root record: old
 *   key file: new, old     root record: old     killed here: opens with old; the next call goes on
 *   key file: new, old     root record: new
 *   key file: new          root record: new     after `key forget`
 *
 * A lock on the key file's directory keeps two such changes apart.
 */
#include "engine/engine.h"
#include "vault/keyedit.h"

#include <krosyn/vault.h>
#include <stdio.h>

typedef struct kr_rekey_change {
  kr_engine *engine;
  const kr_keyring *old_keys;
  const kr_keyring *new_keys;
  int64_t now_ms;
  kr_key_rekey result;
} kr_rekey_change;

static kr_status kr_rekey_write(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  kr_rekey_change *change = ctx;
  kr_key_rekey *result = &change->result;
  KR_TRY(kr_vault_key_id(txn, result->old_key, reterr));
  KR_TRY(kr_vault_rekey(change->engine->vault, txn, change->old_keys, change->new_keys, reterr));
  (void)snprintf(result->new_key, sizeof result->new_key, "%.*s",
                 KR_FMT(kr_keyring_id(change->new_keys, 0)));
  const kr_audit_change audited = {.field = KR_STR("master-key"),
                                   .old_value = kr_str_cstr(result->old_key),
                                   .new_value = kr_str_cstr(result->new_key)};
  return kr_engine_audit(change->engine, txn, 0, change->now_ms, "key.rekey", KR_STR("store"),
                         &audited, 1, reterr);
}

static kr_status kr_rekey_run(kr_rekey_change *change, kr_error *reterr) {
  change->now_ms = kr_clock_wall_ms(change->engine->clock);
  return kr_store_write(change->engine->vault_store, kr_rekey_write, change, reterr);
}

static kr_status kr_rekey_need_file(const kr_engine *engine, kr_error *reterr) {
  KR_TRY(kr_engine_need_key(engine, reterr));
  if (engine->key_path.text[0] != '\0')
    return KR_OK;
  return kr_fail_hint(reterr, KR_REFUSED, "the key of this home does not come from a key file",
                      "make the new key where keys are kept, and name it with --new-key FILE");
}

static kr_status kr_rekey_master_id(kr_engine *engine, char out[KR_KEY_ID_BYTES + 1],
                                    kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  return kr_vault_key_id(txn, out, reterr);
}

/* The keys of the file, with one in the first place that is not the master key yet. */
static kr_status kr_rekey_prepare(kr_engine *engine, const kr_keyedit *edit, bool *ret_went_on,
                                  kr_keyring **ret_keys, kr_error *reterr) {
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keys = NULL;
  KR_CLEANUP(kr_keyring_freep) kr_keyring *fresh = NULL;
  char master[KR_KEY_ID_BYTES + 1];
  KR_TRY(kr_rekey_master_id(engine, master, reterr));
  KR_TRY(kr_keyring_load(kr_str_cstr(edit->path), engine->pool, &keys, reterr));
  *ret_went_on = !kr_str_equal(kr_keyring_id(keys, 0), kr_str_cstr(master)) &&
                 kr_keyring_find(keys, kr_str_cstr(master)) != NULL;
  if (!*ret_went_on) {
    KR_TRY(kr_keyring_make(engine->pool, &fresh, reterr));
    KR_TRY(kr_keyedit_add(edit, fresh, engine->pool, reterr));
    kr_keyring_free(KR_TAKE(keys));
    /* What counts is what is in the file now. */
    KR_TRY(kr_keyring_load(kr_str_cstr(edit->path), engine->pool, &keys, reterr));
  }
  *ret_keys = KR_TAKE(keys);
  return KR_OK;
}

static kr_status kr_rekey_in_file(kr_rekey_change *change, kr_error *reterr) {
  KR_CLEANUP(kr_keyedit_done) kr_keyedit edit = {.directory = -1};
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keys = NULL;
  kr_engine *engine = change->engine;
  KR_TRY(kr_rekey_need_file(engine, reterr));
  KR_TRY(kr_keyedit_begin(kr_str_cstr(engine->key_path.text), &edit, reterr));
  KR_TRY(kr_rekey_prepare(engine, &edit, &change->result.went_on, &keys, reterr));
  change->old_keys = keys;
  change->new_keys = keys;
  KR_TRY(kr_rekey_run(change, reterr));
  kr_keyring_free(engine->own_keyring);
  engine->own_keyring = KR_TAKE(keys);
  engine->keyring = engine->own_keyring;
  return KR_OK;
}

static kr_status kr_rekey_from_file(kr_rekey_change *change, const char *file, kr_error *reterr) {
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keys = NULL;
  kr_engine *engine = change->engine;
  kr_path path;
  KR_TRY(kr_path_canonical(&path, file, reterr));
  if (kr_path_is_below(path.text, engine->home_path.text))
    return kr_fail_hint(reterr, KR_UNTRUSTED, "the new key file lies inside the home",
                        "keep it elsewhere: whoever copies the home must not get its key");
  KR_TRY(kr_keyring_load(kr_str_cstr(path.text), engine->pool, &keys, reterr));
  change->old_keys = engine->keyring;
  change->new_keys = keys;
  KR_TRY(kr_rekey_run(change, reterr));
  kr_keyring_free(engine->own_keyring);
  engine->own_keyring = KR_TAKE(keys);
  engine->keyring = engine->own_keyring;
  engine->key_path = path;
  return KR_OK;
}

kr_status kr_engine_key_rekey(kr_engine *engine, const char *new_key_file, kr_key_rekey *ret_rekey,
                              kr_error *reterr) {
  kr_rekey_change change = {.engine = engine};
  KR_TRY(kr_engine_need_key(engine, reterr));
  if (new_key_file == NULL)
    KR_TRY(kr_rekey_in_file(&change, reterr));
  else
    KR_TRY(kr_rekey_from_file(&change, new_key_file, reterr));
  if (ret_rekey != NULL)
    *ret_rekey = change.result;
  return KR_OK;
}

/* ---- forget ---- */

typedef struct kr_forget_change {
  kr_engine *engine;
  kr_str id;
} kr_forget_change;

/* Said before it is done: whoever is killed in between says it twice, never not at all. */
static kr_status kr_forget_audit(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_forget_change *change = ctx;
  const kr_audit_change audited = {.field = KR_STR("master-key"), .old_value = change->id};
  return kr_engine_audit(change->engine, txn, 0, kr_clock_wall_ms(change->engine->clock),
                         "key.forget", KR_STR("store"), &audited, 1, reterr);
}

/* May it go? Only if the key that the root record names is another one, and in the file too. */
static kr_status kr_forget_check(kr_engine *engine, const kr_keyedit *edit, kr_str id,
                                 kr_error *reterr) {
  KR_CLEANUP(kr_keyring_freep) kr_keyring *keys = NULL;
  char master[KR_KEY_ID_BYTES + 1];
  KR_TRY(kr_keyring_load(kr_str_cstr(edit->path), engine->pool, &keys, reterr));
  KR_TRY(kr_rekey_master_id(engine, master, reterr));
  if (kr_keyring_find(keys, id) == NULL) {
    kr_status status = kr_fail(reterr, KR_NOT_FOUND, "the key file has no key of that id");
    kr_error_hint(reterr, "the key of this vault is %s", master);
    return status;
  }
  if (kr_str_equal(id, kr_str_cstr(master)))
    return kr_fail_hint(reterr, KR_REFUSED, "the vault needs this key",
                        "change the master key first: krosyn key rekey");
  if (kr_keyring_find(keys, kr_str_cstr(master)) != NULL)
    return KR_OK;
  kr_status status =
      kr_fail(reterr, KR_REFUSED, "the key file lacks %s, the key of this vault", master);
  kr_error_hint(reterr, "put it in before any other goes");
  return status;
}

kr_status kr_engine_key_forget(kr_engine *engine, kr_str id, kr_error *reterr) {
  KR_CLEANUP(kr_keyedit_done) kr_keyedit edit = {.directory = -1};
  kr_forget_change change = {.engine = engine, .id = id};
  KR_TRY(kr_rekey_need_file(engine, reterr));
  KR_TRY(kr_keyedit_begin(kr_str_cstr(engine->key_path.text), &edit, reterr));
  KR_TRY(kr_forget_check(engine, &edit, id, reterr));
  KR_TRY(kr_store_write(engine->vault_store, kr_forget_audit, &change, reterr));
  return kr_keyedit_remove(&edit, id, engine->pool, reterr);
}
