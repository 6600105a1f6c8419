/* SPDX-License-Identifier: Apache-2.0 */
/* vault.c - a vault's life: created in an empty store, opened with or without its key. */
#include "vault/known.h"

#include "base/assert.h"

static kr_status kr_vault_new(kr_secure *pool, kr_vault **ret_vault, kr_error *reterr) {
  kr_vault *vault = kr_heap_memory()->alloc(sizeof *vault);
  if (vault == NULL)
    return kr_fail_nomem(reterr);
  memset(vault, 0, sizeof *vault);
  vault->pool = pool;
  if (pthread_mutex_init(&vault->mutex, NULL) != 0) {
    kr_heap_memory()->release(vault, sizeof *vault);
    return kr_fail_nomem(reterr);
  }
  *ret_vault = vault;
  return KR_OK;
}

void kr_vault_free(kr_vault *vault) {
  if (vault == NULL)
    return;
  kr_known_done(vault);
  kr_vault_keys_done(&vault->keys);
  if (vault->seen != NULL)
    kr_heap_memory()->release(vault->seen, vault->cap_seen * sizeof *vault->seen);
  (void)pthread_mutex_destroy(&vault->mutex);
  kr_heap_memory()->release(vault, sizeof *vault);
}

kr_status kr_vault_create(kr_store_txn *txn, const kr_keyring *keyring, kr_secure *pool,
                          const uint8_t uuid[KR_VAULT_UUID_BYTES], kr_error *reterr) {
  KR_CLEANUP(kr_vault_freep) kr_vault *vault = NULL;
  KR_ASSERT(keyring != NULL && kr_keyring_count(keyring) > 0);
  KR_TRY(kr_vault_new(pool, &vault, reterr));
  memcpy(vault->uuid, uuid, sizeof vault->uuid);
  KR_TRY(kr_vault_root_write(vault, txn, keyring, reterr));
  const kr_vault_head head = {.generation = 1, .next_org_id = 1};
  return kr_head_write(vault, txn, &head, reterr);
}

kr_status kr_vault_open_damaged(kr_store *store, const kr_keyring *keyring, kr_secure *pool,
                                kr_vault **ret_vault, kr_error *reterr) {
  KR_CLEANUP(kr_vault_freep) kr_vault *vault = NULL;
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_vault_new(pool, &vault, reterr));
  vault->store = store;
  KR_TRY(kr_store_begin(store, KR_STORE_READ, &txn, reterr));
  KR_TRY(kr_vault_root_read(vault, txn, keyring, reterr));
  *ret_vault = KR_TAKE(vault);
  return KR_OK;
}

kr_status kr_vault_open(kr_store *store, const kr_keyring *keyring, kr_secure *pool,
                        kr_vault **ret_vault, kr_error *reterr) {
  KR_CLEANUP(kr_vault_freep) kr_vault *vault = NULL;
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  kr_vault_head head;
  KR_TRY(kr_vault_new(pool, &vault, reterr));
  vault->store = store;
  KR_TRY(kr_store_begin(store, KR_STORE_READ, &txn, reterr));
  KR_TRY(kr_vault_root_read(vault, txn, keyring, reterr));
  KR_TRY(kr_head_read(vault, txn, &head, reterr));
  *ret_vault = KR_TAKE(vault);
  return KR_OK;
}

bool kr_vault_has_key(const kr_vault *vault) { return vault->has_key; }

void kr_vault_uuid(const kr_vault *vault, uint8_t out[KR_VAULT_UUID_BYTES]) {
  memcpy(out, vault->uuid, sizeof vault->uuid);
}

const kr_secret *kr_vault_record_key(const kr_vault *vault) { return vault->keys.record; }
const kr_secret *kr_vault_chain_key(const kr_vault *vault) { return vault->keys.chain; }
const kr_secret *kr_vault_backup_key(const kr_vault *vault) { return vault->keys.backup; }

kr_status kr_vault_head_generation(kr_vault *vault, kr_store_txn *txn, uint64_t *ret_generation,
                                   kr_error *reterr) {
  kr_vault_head head;
  KR_TRY(kr_head_read(vault, txn, &head, reterr));
  *ret_generation = head.generation;
  return KR_OK;
}
