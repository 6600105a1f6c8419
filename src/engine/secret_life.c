/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret_life.c - what happens to a secret beside being saved: shown (never its
 * value), listed, given rules, brought back, deleted. Each change and its audit
 * record are one transaction.
 */
#include "engine/engine.h"
#include "engine/values.h"
#include "registry/uses.h"

#include <stdio.h>

/* ---- what is shown ---- */

typedef struct kr_secret_walk {
  kr_engine *engine;
  kr_store_txn *txn;
  uint32_t org_id;
  kr_secret_info_visit visit;
  void *ctx;
  kr_error *reterr;
} kr_secret_walk;

/* Uses as the public interface has them: NUL-terminated. */
typedef struct kr_secret_uses {
  kr_secret_usage items[KR_USES_MAX];
  char connectors[KR_USES_MAX][KR_USE_CONNECTOR_BYTES + 1];
  size_t n_items;
} kr_secret_uses;

static kr_status kr_secret_take_use(void *ctx, const kr_secret_use *use) {
  kr_secret_uses *uses = ctx;
  char *connector = uses->connectors[uses->n_items];
  (void)snprintf(connector, KR_USE_CONNECTOR_BYTES + 1, "%.*s", KR_FMT(use->connector));
  uses->items[uses->n_items++] =
      (kr_secret_usage){.connector = connector, .time_ms = use->time_ms, .version = use->version};
  return KR_OK;
}

static kr_secret_rules kr_rules_of(const kr_secret_policy *policy) {
  return (kr_secret_rules){.expires_ms = policy->expires_ms,
                           .hosts = policy->hosts,
                           .positions = policy->positions,
                           .min_search = policy->min_search,
                           .keep = policy->keep};
}

static kr_status kr_secret_give(void *ctx, const kr_secret_meta *meta) {
  const kr_secret_walk *walk = ctx;
  kr_secret_uses uses; /* 16 KiB: not zeroed for each of 100 000 secrets */
  uses.n_items = 0;
  kr_secret_label label = kr_secret_label_of(meta);
  KR_TRY(kr_registry_use_each(&walk->engine->registry, walk->txn, walk->org_id,
                              kr_str_cstr(label.text), kr_secret_take_use, &uses, walk->reterr));
  const kr_secret_info info = {.name = meta->name,
                               .environment = meta->environment,
                               .description = meta->description,
                               .version = meta->version,
                               .oldest = meta->oldest,
                               .created_ms = meta->created_ms,
                               .updated_ms = meta->updated_ms,
                               .created_by = meta->created_by,
                               .updated_by = meta->updated_by,
                               .rules = kr_rules_of(&meta->policy),
                               .uses = uses.items,
                               .n_uses = uses.n_items};
  return walk->visit(walk->ctx, &info);
}

kr_status kr_engine_secret_show(kr_engine *engine, kr_str org_name, kr_str name, kr_str environment,
                                kr_secret_info_visit visit, void *ctx, kr_error *reterr) {
  KR_TRY(kr_vault_name_check(name, reterr));
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  kr_org org = {0};
  KR_TRY(kr_vault_org_find(engine->vault, txn, org_name, &org, reterr));
  kr_secret_meta meta = {0};
  KR_TRY(kr_vault_secret_meta(engine->vault, txn, &org, name, environment, &meta, reterr));
  kr_secret_walk walk = {engine, txn, org.id, visit, ctx, reterr};
  return kr_secret_give(&walk, &meta);
}

kr_status kr_engine_secret_each(kr_engine *engine, kr_str org_name, kr_secret_info_visit visit,
                                void *ctx, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  kr_org org = {0};
  KR_TRY(kr_vault_org_find(engine->vault, txn, org_name, &org, reterr));
  kr_secret_walk walk = {engine, txn, org.id, visit, ctx, reterr};
  return kr_vault_secret_each(engine->vault, txn, &org, kr_secret_give, &walk, reterr);
}

typedef struct kr_history_walk {
  kr_secret_version_visit visit;
  void *ctx;
} kr_history_walk;

static kr_status kr_history_give(void *ctx, const kr_secret_version *version) {
  const kr_history_walk *walk = ctx;
  const kr_secret_version_info info = {.version = version->version,
                                       .from = version->from,
                                       .created_ms = version->created_ms,
                                       .by = version->by};
  return walk->visit(walk->ctx, &info);
}

kr_status kr_engine_secret_history(kr_engine *engine, kr_str org_name, kr_str name,
                                   kr_str environment, kr_secret_version_visit visit, void *ctx,
                                   kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  kr_org org = {0};
  KR_TRY(kr_vault_org_find(engine->vault, txn, org_name, &org, reterr));
  kr_history_walk walk = {.visit = visit, .ctx = ctx};
  return kr_vault_secret_versions(engine->vault, txn, &org, name, environment, kr_history_give,
                                  &walk, reterr);
}

/* ---- changes ---- */

typedef struct kr_life_change {
  kr_engine *engine;
  kr_str org_name;
  kr_str name;
  kr_str environment;
  int64_t now_ms;
  kr_org org;
  kr_secret_meta old; /* before */
  kr_secret_meta new_meta;
  kr_secret_policy policy;   /* to be saved */
  kr_secret_rules_edit edit; /* NULL, or makes it of the old one */
  void *edit_ctx;
  uint32_t version; /* to bring back */
  kr_secret_info_visit visit;
  void *ctx;
} kr_life_change;

static kr_status kr_life_write(kr_life_change *change, kr_store_change run, kr_error *reterr) {
  KR_TRY(kr_vault_name_check(change->name, reterr));
  KR_TRY(kr_vault_environment_check(change->environment, reterr));
  KR_TRY(kr_engine_need_key(change->engine, reterr));
  change->now_ms = kr_clock_wall_ms(change->engine->clock);
  return kr_store_write(change->engine->vault_store, run, change, reterr);
}

static kr_status kr_life_begin(kr_life_change *change, kr_store_txn *txn, kr_error *reterr) {
  kr_vault *vault = change->engine->vault;
  KR_TRY(kr_vault_org_find(vault, txn, change->org_name, &change->org, reterr));
  return kr_vault_secret_meta(vault, txn, &change->org, change->name, change->environment,
                              &change->old, reterr);
}

static kr_status kr_life_audit(const kr_life_change *change, kr_store_txn *txn, const char *action,
                               const kr_audit_change *changes, size_t n_changes, kr_error *reterr) {
  kr_secret_label label = kr_secret_label_of(&change->old);
  return kr_engine_audit(change->engine, txn, change->org.id, change->now_ms, action,
                         kr_str_cstr(label.text), changes, n_changes, reterr);
}

static kr_status kr_delete_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  kr_life_change *change = ctx;
  kr_engine *engine = change->engine;
  KR_TRY(kr_life_begin(change, txn, reterr));
  kr_secret_label label = kr_secret_label_of(&change->old);
  KR_TRY(kr_vault_secret_delete(engine->vault, txn, &change->org, change->name, change->environment,
                                reterr));
  KR_TRY(kr_registry_use_remove(&engine->registry, txn, change->org.id, kr_str_cstr(label.text),
                                reterr));
  return kr_life_audit(change, txn, "secret.delete", NULL, 0, reterr);
}

kr_status kr_engine_secret_delete(kr_engine *engine, kr_str org_name, kr_str name,
                                  kr_str environment, kr_secret_info_visit visit, void *ctx,
                                  kr_error *reterr) {
  kr_life_change change = {
      .engine = engine, .org_name = org_name, .name = name, .environment = environment};
  KR_TRY(kr_vault_name_check(name, reterr));
  KR_TRY(kr_engine_need_key(engine, reterr));
  if (visit != NULL)
    KR_TRY(kr_engine_secret_show(engine, org_name, name, environment, visit, ctx, reterr));
  return kr_life_write(&change, kr_delete_change, reterr);
}

static void kr_rules_numbers(const kr_secret_policy *policy, char expires[24], char positions[24],
                             char min_search[24], char keep[24]) {
  (void)snprintf(expires, 24, "%lld", (long long)policy->expires_ms);
  (void)snprintf(positions, 24, "%u", (unsigned)policy->positions);
  (void)snprintf(min_search, 24, "%u", (unsigned)policy->min_search);
  (void)snprintf(keep, 24, "%u", (unsigned)policy->keep);
}

static kr_status kr_rules_audit(const kr_life_change *change, kr_store_txn *txn, kr_error *reterr) {
  static const char *const fields[] = {"expires-ms", "positions", "min-search", "keep", "hosts"};
  const kr_secret_policy *policies[2] = {&change->old.policy, &change->new_meta.policy};
  char numbers[2][4][24];
  kr_audit_change changes[5];
  size_t n_changes = 0;
  for (size_t i = 0; i < 2; i++)
    kr_rules_numbers(policies[i], numbers[i][0], numbers[i][1], numbers[i][2], numbers[i][3]);
  for (size_t i = 0; i < 5; i++) {
    kr_str values[2];
    for (size_t side = 0; side < 2; side++)
      values[side] = kr_str_cstr(i < 4 ? numbers[side][i] : policies[side]->hosts);
    if (!kr_str_equal(values[0], values[1]))
      changes[n_changes++] = (kr_audit_change){
          .field = kr_str_cstr(fields[i]), .old_value = values[0], .new_value = values[1]};
  }
  return kr_life_audit(change, txn, "secret.rules", changes, n_changes, reterr);
}

static kr_status kr_rules_read(const kr_secret_rules *rules, kr_secret_policy *ret_policy,
                               kr_error *reterr) {
  if (rules->positions > KR_POSITIONS_ALL)
    return kr_fail(reterr, KR_INVALID, "positions are header, path, query and body");
  kr_secret_policy policy = {.expires_ms = rules->expires_ms,
                             .positions = (uint8_t)rules->positions,
                             .min_search = rules->min_search,
                             .keep = rules->keep};
  kr_str hosts = rules->hosts == NULL ? (kr_str){0} : kr_str_cstr(rules->hosts);
  if (hosts.len > KR_VAULT_HOSTS_BYTES)
    return kr_fail(reterr, KR_LIMIT, "the allowed hosts of a secret are over %u bytes in all",
                   KR_VAULT_HOSTS_BYTES);
  if (hosts.len > 0)
    memcpy(policy.hosts, hosts.ptr, hosts.len);
  KR_TRY(kr_vault_policy_check(&policy, reterr));
  *ret_policy = policy;
  return KR_OK;
}

static kr_status kr_rules_edit(kr_life_change *change, kr_error *reterr) {
  kr_secret_rules rules = kr_rules_of(&change->old.policy);
  if (change->edit == NULL)
    return KR_OK;
  KR_TRY(change->edit(change->edit_ctx, &rules));
  return kr_rules_read(&rules, &change->policy, reterr);
}

static kr_status kr_rules_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  kr_life_change *change = ctx;
  KR_TRY(kr_life_begin(change, txn, reterr));
  KR_TRY(kr_rules_edit(change, reterr));
  KR_TRY(kr_vault_secret_set_policy(
      change->engine->vault, txn, &change->org, change->name, change->environment, &change->policy,
      kr_str_cstr(change->engine->actor), change->now_ms, &change->new_meta, reterr));
  return kr_rules_audit(change, txn, reterr);
}

kr_status kr_engine_secret_set_rules(kr_engine *engine, kr_str org_name, kr_str name,
                                     kr_str environment, const kr_secret_rules *rules,
                                     kr_error *reterr) {
  kr_life_change change = {
      .engine = engine, .org_name = org_name, .name = name, .environment = environment};
  KR_TRY(kr_rules_read(rules, &change.policy, reterr));
  return kr_life_write(&change, kr_rules_change, reterr);
}

kr_status kr_engine_secret_edit_rules(kr_engine *engine, kr_str org_name, kr_str name,
                                      kr_str environment, kr_secret_rules_edit edit, void *ctx,
                                      kr_error *reterr) {
  kr_life_change change = {.engine = engine,
                           .org_name = org_name,
                           .name = name,
                           .environment = environment,
                           .edit = edit,
                           .edit_ctx = ctx};
  return kr_life_write(&change, kr_rules_change, reterr);
}

static kr_status kr_rollback_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  kr_life_change *change = ctx;
  char old_version[16];
  char new_version[16];
  char from[16];
  KR_TRY(kr_life_begin(change, txn, reterr));
  KR_TRY(kr_vault_secret_rollback(
      change->engine->vault, txn, &change->org, change->name, change->environment, change->version,
      kr_str_cstr(change->engine->actor), change->now_ms, &change->new_meta, reterr));
  (void)snprintf(old_version, sizeof old_version, "%u", (unsigned)change->old.version);
  (void)snprintf(new_version, sizeof new_version, "%u", (unsigned)change->new_meta.version);
  (void)snprintf(from, sizeof from, "%u", (unsigned)change->version);
  const kr_audit_change changes[2] = {{.field = KR_STR("version"),
                                       .old_value = kr_str_cstr(old_version),
                                       .new_value = kr_str_cstr(new_version)},
                                      {.field = KR_STR("from"), .new_value = kr_str_cstr(from)}};
  return kr_life_audit(change, txn, "secret.rollback", changes, 2, reterr);
}

kr_status kr_engine_secret_rollback(kr_engine *engine, kr_str org_name, kr_str name,
                                    kr_str environment, uint32_t version, uint32_t *ret_version,
                                    kr_error *reterr) {
  if (version == 0)
    return kr_fail_hint(reterr, KR_INVALID, "versions begin at 1",
                        "`krosyn secret history` lists the versions that are kept");
  kr_life_change change = {.engine = engine,
                           .org_name = org_name,
                           .name = name,
                           .environment = environment,
                           .version = version};
  KR_TRY(kr_life_write(&change, kr_rollback_change, reterr));
  if (ret_version != NULL)
    *ret_version = change.new_meta.version;
  return KR_OK;
}
