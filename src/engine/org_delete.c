/* SPDX-License-Identifier: Apache-2.0 */
/*
 * org_delete.c - deleting an organization: one transaction after which it is
 * gone, its settings with it, and batches that remove what is left.
 */
#include "engine/engine.h"
#include "registry/uses.h"

#include <krosyn/vault.h>
#include <stdio.h>

#define KR_ORG_SWEEP_BATCH 1000u /* records in one transaction */

/* For kr_store_write: it may run more than once. */
typedef struct kr_org_delete_change {
  kr_engine *engine;
  kr_str name;
  int64_t now_ms;
  kr_org org;
  uint32_t n_secrets;
  size_t n_swept;
} kr_org_delete_change;

static kr_status kr_org_delete_write(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  kr_org_delete_change *change = ctx;
  kr_engine *engine = change->engine;
  char count[16];
  KR_TRY(kr_vault_org_delete(engine->vault, txn, change->name, &change->org, &change->n_secrets,
                             reterr));
  KR_TRY(kr_registry_settings_remove(&engine->registry, txn, change->org.id, reterr));
  (void)snprintf(count, sizeof count, "%u", change->n_secrets);
  const kr_audit_change audited = {.field = KR_STR("secrets"), .old_value = kr_str_cstr(count)};
  return kr_engine_audit(engine, txn, change->org.id, change->now_ms, "org.delete", change->name,
                         &audited, 1, reterr);
}

static kr_status kr_org_sweep_write(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  kr_org_delete_change *change = ctx;
  const kr_str uses = KR_REGISTRY_USES_LETTERS;
  return kr_vault_org_sweep(change->engine->vault, txn, &uses, 1, KR_ORG_SWEEP_BATCH,
                            &change->n_swept, reterr);
}

/* Each turn removes something or is the last. */
static kr_status kr_org_sweep(kr_org_delete_change *change, kr_error *reterr) {
  do
    KR_TRY(kr_store_write(change->engine->vault_store, kr_org_sweep_write, change, reterr));
  while (change->n_swept > 0);
  return KR_OK;
}

/* Its values are not needed in memory any more. */
static void kr_org_drop_set(kr_engine *engine, uint32_t org_id) {
  (void)pthread_mutex_lock(&engine->mutex);
  for (size_t i = 0; i < KR_ENGINE_SETS_MAX; i++) {
    if (engine->sets[i].org_id != org_id)
      continue;
    kr_redact_set_free(engine->sets[i].set);
    engine->sets[i] = (kr_engine_set){.org_id = 0};
  }
  (void)pthread_mutex_unlock(&engine->mutex);
}

kr_status kr_engine_sweep(kr_engine *engine, kr_error *reterr) {
  kr_org_delete_change change = {.engine = engine};
  return kr_org_sweep(&change, reterr);
}

kr_status kr_engine_org_delete(kr_engine *engine, kr_str name, size_t *ret_n_secrets,
                               kr_error *reterr) {
  kr_org_delete_change change = {.engine = engine, .name = name};
  KR_TRY(kr_engine_need_key(engine, reterr));
  if (kr_str_equal(name, KR_STR("default")))
    return kr_fail_hint(reterr, KR_REFUSED, "the organization default stays: every home has it",
                        "delete its secrets, then krosyn key rotate removes the key that opened "
                        "them");
  change.now_ms = kr_clock_wall_ms(engine->clock);
  kr_status status = kr_store_write(engine->vault_store, kr_org_delete_write, &change, reterr);
  /* A deletion that was interrupted is finished by the next, even by one of a name that is gone. */
  if (status == KR_NOT_FOUND) {
    KR_TRY(kr_org_sweep(&change, NULL));
    return status;
  }
  KR_TRY(status);
  kr_org_drop_set(engine, change.org.id);
  KR_TRY(kr_org_sweep(&change, reterr));
  if (ret_n_secrets != NULL)
    *ret_n_secrets = change.n_secrets;
  return KR_OK;
}
