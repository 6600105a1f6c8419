/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.c - a new data key for an organization; src/vault/rotate.c has the steps,
 * here they become transactions, each with its entry in the audit.
 *
 *   (finish what an interrupted rotation left)  begin  step step ... step
 */
#include "engine/engine.h"

#include <krosyn/vault.h>
#include <stdio.h>

#define KR_ROTATE_BATCH 200u /* values in one transaction: 13 MiB of the longest ones */

/* One transaction of a rotation, for kr_store_write: it may run more than once. */
typedef struct kr_rotate_change {
  kr_engine *engine;
  kr_org org;
  int64_t now_ms;
  kr_rotation rotation;
  kr_rotate_state before; /* the step begins here, each time */
  kr_rotate_state after;
} kr_rotate_change;

static kr_status kr_rotate_audit(const kr_rotate_change *change, kr_store_txn *txn,
                                 const char *action, uint32_t old_key, uint32_t new_key,
                                 kr_error *reterr) {
  char old_text[16];
  char new_text[16];
  (void)snprintf(old_text, sizeof old_text, "%u", old_key);
  (void)snprintf(new_text, sizeof new_text, "%u", new_key);
  const kr_audit_change audited = {.field = KR_STR("data-key"),
                                   .old_value = kr_str_cstr(old_text),
                                   .new_value = kr_str_cstr(new_text)};
  return kr_engine_audit(change->engine, txn, change->org.id, change->now_ms, action,
                         kr_str_cstr(change->org.name), &audited, 1, reterr);
}

static kr_status kr_rotate_begin_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  kr_rotate_change *change = ctx;
  kr_rotation *rotation = &change->rotation;
  KR_TRY(kr_vault_rotate_begin(change->engine->vault, txn, &change->org, rotation, reterr));
  if (!rotation->is_begun)
    return KR_OK;
  return kr_rotate_audit(change, txn, "key.rotate", rotation->old_key_id, rotation->new_key_id,
                         reterr);
}

static kr_status kr_rotate_step_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  kr_rotate_change *change = ctx;
  kr_rotate_state *state = &change->after;
  *state = change->before;
  KR_TRY(kr_vault_rotate_step(change->engine->vault, txn, &change->org, KR_ROTATE_BATCH, state,
                              reterr));
  if (!state->is_done || state->retired_key_id == 0)
    return KR_OK;
  return kr_rotate_audit(change, txn, "key.retire", state->retired_key_id, state->key_id, reterr);
}

static kr_status kr_rotate_count(kr_rotate_change *change, uint64_t *ret_count, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(change->engine->vault_store, KR_STORE_READ, &txn, reterr));
  return kr_vault_rotate_count(change->engine->vault, txn, &change->org, ret_count, reterr);
}

/* Step after step. Others may add to what is to do only by beginning a rotation of their own. */
static kr_status kr_rotate_steps(kr_rotate_change *change, kr_key_progress progress, void *ctx,
                                 kr_key_rotation *result, kr_error *reterr) {
  uint64_t n_total = 0;
  KR_TRY(kr_rotate_count(change, &n_total, reterr));
  change->before = (kr_rotate_state){0};
  while (!change->before.is_done) {
    change->now_ms = kr_clock_wall_ms(change->engine->clock);
    KR_TRY(kr_store_write(change->engine->vault_store, kr_rotate_step_change, change, reterr));
    change->before = change->after;
    uint64_t n_done = change->after.n_resealed;
    if (progress != NULL)
      KR_TRY(progress(ctx, n_done, n_done > n_total ? n_done : n_total));
  }
  result->n_values += change->after.n_resealed;
  return KR_OK;
}

kr_status kr_engine_key_rotate(kr_engine *engine, kr_str org_name, kr_key_progress progress,
                               void *ctx, kr_key_rotation *ret_rotation, kr_error *reterr) {
  kr_rotate_change change = {.engine = engine};
  kr_key_rotation result = {0};
  KR_TRY(kr_engine_need_key(engine, reterr));
  KR_TRY(kr_engine_org(engine, org_name, &change.org, reterr));
  /* Twice at most: the second begin makes a key, or finds one that another process made since. */
  for (unsigned i = 0; i < 2 && !change.rotation.is_begun; i++) {
    change.now_ms = kr_clock_wall_ms(engine->clock);
    KR_TRY(kr_store_write(engine->vault_store, kr_rotate_begin_change, &change, reterr));
    result.finished_an_older = result.finished_an_older || !change.rotation.is_begun;
    result.old_key = change.rotation.old_key_id;
    result.new_key = change.rotation.new_key_id;
    KR_TRY(kr_rotate_steps(&change, progress, ctx, &result, reterr));
  }
  if (ret_rotation != NULL)
    *ret_rotation = result;
  return KR_OK;
}
