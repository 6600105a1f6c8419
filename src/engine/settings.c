/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.c - what organizations may set, for the public interface and for
 * the rest of the engine. A change and its audit entry are one transaction.
 */
#include "engine/settings.h"

#include "engine/engine.h"

static kr_org_setting kr_setting_shown(const kr_setting_row *row, const char *value) {
  return (kr_org_setting){.name = row->name,
                          .value = value,
                          .values = row->values,
                          .fallback = row->fallback,
                          .phrase = row->phrase};
}

kr_status kr_org_setting_each(kr_org_setting_visit visit, void *ctx) {
  for (size_t i = 0; i < KR_SETTING_COUNT; i++) {
    const kr_setting_row *row = kr_setting_row_of((kr_setting)i);
    const kr_org_setting shown = kr_setting_shown(row, row->fallback);
    KR_TRY(visit(ctx, &shown));
  }
  return KR_OK;
}

kr_status kr_org_setting_check(kr_str name, kr_str value, kr_error *reterr) {
  kr_setting setting = KR_SETTING_COUNT;
  KR_TRY(kr_setting_find(name, &setting, reterr));
  return kr_setting_accepts(setting, value, reterr);
}

/* What holds for an organization, NUL-terminated. */
static kr_status kr_setting_read(kr_engine *engine, kr_store_txn *txn, uint32_t org_id,
                                 kr_setting setting, kr_buf *value, kr_error *reterr) {
  kr_buf_reset(value);
  KR_TRY(kr_registry_org_setting(&engine->registry, txn, org_id, setting, value, reterr));
  return kr_buf_explain(value, kr_buf_byte(value, '\0'), "a setting", reterr);
}

kr_status kr_engine_org_setting_each(kr_engine *engine, kr_str org_name, kr_org_setting_visit visit,
                                     void *ctx, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf value = KR_BUF_INIT(KR_SETTING_VALUE_BYTES + 1u, NULL);
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  kr_org org = {0};
  KR_TRY(kr_vault_org_find(engine->vault, txn, org_name, &org, reterr));
  for (size_t i = 0; i < KR_SETTING_COUNT; i++) {
    KR_TRY(kr_setting_read(engine, txn, org.id, (kr_setting)i, &value, reterr));
    const kr_org_setting shown =
        kr_setting_shown(kr_setting_row_of((kr_setting)i), (const char *)value.ptr);
    KR_TRY(visit(ctx, &shown));
  }
  return KR_OK;
}

kr_status kr_engine_org_setting_is(kr_engine *engine, const kr_org *org, kr_setting setting,
                                   const char *value, bool *ret_is, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf stored = KR_BUF_INIT(KR_SETTING_VALUE_BYTES + 1u, NULL);
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  KR_TRY(kr_setting_read(engine, txn, org->id, setting, &stored, reterr));
  *ret_is = kr_str_equal(kr_str_cstr((const char *)stored.ptr), kr_str_cstr(value));
  return KR_OK;
}

/* For kr_store_write: it may run more than once. */
typedef struct kr_setting_change {
  kr_engine *engine;
  kr_str org_name;
  kr_setting setting;
  kr_str value;
  int64_t now_ms;
} kr_setting_change;

/* What is set to what it is already is said to the audit all the same: somebody decided it. */
static kr_status kr_setting_write(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_setting_change *change = ctx;
  kr_engine *engine = change->engine;
  kr_str name = kr_str_cstr(kr_setting_row_of(change->setting)->name);
  KR_CLEANUP(kr_buf_done) kr_buf old = KR_BUF_INIT(KR_SETTING_VALUE_BYTES + 1u, NULL);
  kr_org org = {0};
  KR_TRY(kr_vault_org_find(engine->vault, txn, change->org_name, &org, reterr));
  kr_status found = kr_registry_setting_get(&engine->registry, txn, org.id, name, &old, reterr);
  if (found != KR_OK && found != KR_NOT_FOUND)
    return found;
  KR_TRY(kr_registry_setting_set(&engine->registry, txn, org.id, name, change->value, reterr));
  const kr_audit_change audited = {.field = name,
                                   .old_value =
                                       found == KR_NOT_FOUND ? (kr_str){0} : kr_buf_str(&old),
                                   .new_value = change->value};
  return kr_engine_audit(engine, txn, org.id, change->now_ms, "org.set", change->org_name, &audited,
                         1, reterr);
}

kr_status kr_engine_org_set(kr_engine *engine, kr_str org, kr_str name, kr_str value,
                            kr_error *reterr) {
  kr_setting_change change = {.engine = engine, .org_name = org, .value = value};
  KR_TRY(kr_setting_find(name, &change.setting, reterr));
  KR_TRY(kr_setting_accepts(change.setting, value, reterr));
  KR_TRY(kr_engine_need_key(engine, reterr));
  change.now_ms = kr_clock_wall_ms(engine->clock);
  return kr_store_write(engine->vault_store, kr_setting_write, &change, reterr);
}
