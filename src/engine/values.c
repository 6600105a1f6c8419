/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.c - the only file of the engine that opens stored values, for a run or
 * for a redaction set.
 */
#include "engine/values.h"

#include <stdio.h>

/* Opening all values of an organization: one walk, one transaction. */
typedef struct kr_values_walk {
  kr_engine *engine;
  kr_store_txn *txn;
  const kr_org *org;
  kr_redact_builder *builder;
  kr_error *reterr;
} kr_values_walk;

kr_secret_label kr_secret_label_of(const kr_secret_meta *meta) {
  kr_secret_label label;
  bool is_default = meta->environment[0] == '\0';
  (void)snprintf(label.text, sizeof label.text, "%s%s%s", meta->name, is_default ? "" : "@",
                 meta->environment);
  return label;
}

static kr_status kr_values_add_version(const kr_values_walk *walk, const kr_secret_meta *meta,
                                       uint32_t version) {
  KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
  uint32_t opened = 0;
  kr_status status =
      kr_vault_secret_open(walk->engine->vault, walk->txn, walk->org, kr_str_cstr(meta->name),
                           kr_str_cstr(meta->environment), version, &value, &opened, walk->reterr);
  if (status == KR_NOT_FOUND)
    return KR_OK; /* pruned: only kept versions are in the set */
  KR_TRY(status);
  kr_secret_label label = kr_secret_label_of(meta);
  const kr_redact_secret secret = {.name = kr_str_cstr(label.text),
                                   .bytes = kr_secret_reveal(value),
                                   .version = opened,
                                   .min_search = meta->policy.min_search};
  return kr_redact_builder_add_secret(walk->builder, &secret, walk->reterr);
}

static kr_status kr_values_add_secret(void *ctx, const kr_secret_meta *meta) {
  const kr_values_walk *walk = ctx;
  for (uint32_t version = meta->version; version >= meta->oldest && version > 0; version--)
    KR_TRY(kr_values_add_version(walk, meta, version));
  return KR_OK;
}

static kr_status kr_values_build(kr_engine *engine, kr_store_txn *txn, const kr_org *org,
                                 kr_redact_set **ret_set, kr_error *reterr) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_TRY(kr_redact_builder_new(&builder, reterr));
  kr_values_walk walk = {
      .engine = engine, .txn = txn, .org = org, .builder = builder, .reterr = reterr};
  KR_TRY(kr_vault_secret_each(engine->vault, txn, org, kr_values_add_secret, &walk, reterr));
  return kr_redact_builder_build(builder, ret_set, reterr);
}

/* With the mutex held: sets nobody used for a while are freed, and with their last user wiped. */
static void kr_values_drop_idle(kr_engine *engine) {
  uint64_t now_us = kr_clock_monotonic_us(engine->clock);
  for (size_t i = 0; i < KR_ENGINE_SETS_MAX; i++) {
    kr_engine_set *entry = &engine->sets[i];
    if (entry->set == NULL || now_us - entry->last_used_us < KR_ENGINE_SET_IDLE_US)
      continue;
    kr_redact_set_free(entry->set);
    *entry = (kr_engine_set){0};
  }
}

/* With the engine's mutex held: the cached set of this generation, or NULL. */
static kr_redact_set *kr_values_cached(kr_engine *engine, uint32_t org_id, uint64_t generation) {
  for (size_t i = 0; i < KR_ENGINE_SETS_MAX; i++) {
    kr_engine_set *entry = &engine->sets[i];
    if (entry->org_id != org_id || entry->generation != generation)
      continue;
    entry->last_used_us = kr_clock_monotonic_us(engine->clock);
    return kr_redact_set_ref(entry->set);
  }
  return NULL;
}

/* With the mutex held: keep a set in place of an older one of its organization, or the idlest. */
static void kr_values_keep(kr_engine *engine, uint32_t org_id, uint64_t generation,
                           kr_redact_set *set) {
  kr_engine_set *chosen = &engine->sets[0];
  for (size_t i = 0; i < KR_ENGINE_SETS_MAX; i++) {
    kr_engine_set *entry = &engine->sets[i];
    if (entry->org_id == org_id) {
      chosen = entry;
      break;
    }
    if (entry->last_used_us < chosen->last_used_us)
      chosen = entry;
  }
  kr_redact_set_free(chosen->set);
  *chosen = (kr_engine_set){.org_id = org_id,
                            .generation = generation,
                            .last_used_us = kr_clock_monotonic_us(engine->clock),
                            .set = kr_redact_set_ref(set)};
}

/* The set as of a transaction: kept from before, or built (and then not yet kept). */
static kr_status kr_values_set_at(kr_engine *engine, kr_store_txn *txn, const kr_org *org,
                                  kr_redact_set **ret_set, uint64_t *ret_generation,
                                  bool *ret_is_built, kr_error *reterr) {
  KR_TRY(kr_vault_generation(engine->vault, txn, org, ret_generation, reterr));
  (void)pthread_mutex_lock(&engine->mutex);
  kr_values_drop_idle(engine);
  kr_redact_set *set = kr_values_cached(engine, org->id, *ret_generation);
  (void)pthread_mutex_unlock(&engine->mutex);
  *ret_is_built = set == NULL;
  if (set == NULL)
    KR_TRY(kr_values_build(engine, txn, org, &set, reterr));
  *ret_set = set;
  return KR_OK;
}

static void kr_values_keep_locked(kr_engine *engine, const kr_org *org, uint64_t generation,
                                  kr_redact_set *set) {
  (void)pthread_mutex_lock(&engine->mutex);
  kr_values_keep(engine, org->id, generation, set);
  (void)pthread_mutex_unlock(&engine->mutex);
}

/* For kr_store_write: who opened all values of an organization, and as of when. */
typedef struct kr_values_opening {
  kr_engine *engine;
  const kr_org *org;
  uint64_t generation;
} kr_values_opening;

static kr_status kr_values_audit(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_values_opening *opening = ctx;
  char generation[24];
  (void)snprintf(generation, sizeof generation, "%llu", (unsigned long long)opening->generation);
  const kr_audit_change change = {.field = KR_STR("generation"),
                                  .new_value = kr_str_cstr(generation)};
  const kr_audit_entry entry = {.time_ms = kr_clock_wall_ms(opening->engine->clock),
                                .org_id = opening->org->id,
                                .actor = kr_str_cstr(opening->engine->actor),
                                .action = KR_STR("secrets.open"),
                                .subject = KR_STR("redaction set"),
                                .changes = &change,
                                .n_changes = 1};
  return kr_registry_audit_append(&opening->engine->registry, txn, &entry, reterr);
}

static kr_status kr_values_set_now(kr_engine *engine, const kr_org *org, kr_redact_set **ret_set,
                                   uint64_t *ret_generation, bool *ret_is_built, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  return kr_values_set_at(engine, txn, org, ret_set, ret_generation, ret_is_built, reterr);
}

kr_status kr_values_set(kr_engine *engine, const kr_org *org, kr_redact_set **ret_set,
                        uint64_t *ret_generation, kr_error *reterr) {
  KR_TRY(kr_engine_need_key(engine, reterr));
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  bool is_built = false;
  KR_TRY(kr_values_set_now(engine, org, &set, ret_generation, &is_built, reterr));
  if (is_built) {
    /* Not kept before its opening is on record: nobody uses a set that is not. */
    kr_values_opening opening = {.engine = engine, .org = org, .generation = *ret_generation};
    KR_TRY(kr_store_write(engine->vault_store, kr_values_audit, &opening, reterr));
    kr_values_keep_locked(engine, org, *ret_generation, set);
  }
  *ret_set = KR_TAKE(set);
  return KR_OK;
}

kr_status kr_values_join(kr_redact_set *older, kr_redact_set *newer, kr_redact_set **ret_set,
                         kr_error *reterr) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_TRY(kr_redact_builder_new(&builder, reterr));
  kr_status status = kr_redact_builder_add_set(builder, older);
  if (status == KR_OK)
    status = kr_redact_builder_add_set(builder, newer);
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  if (status != KR_OK)
    return kr_fail(reterr, status, "the secrets of an organization changed too much during a run");
  kr_redact_builder_set_forms(builder, kr_redact_set_forms(older) | kr_redact_set_forms(newer));
  return kr_redact_builder_build(builder, ret_set, reterr);
}

static kr_status kr_values_missing(const kr_org *org, kr_str name, const kr_error *cause,
                                   kr_error *reterr) {
  (void)kr_fail(reterr, KR_MISSING, "secret %.*s does not exist in organization %s", KR_FMT(name),
                org->name);
  bool has_nearest = kr_str_starts(kr_str_cstr(cause->hint), KR_STR("did you mean"));
  kr_error_hint(reterr, "%s%screate it with `krosyn secret set %.*s`",
                has_nearest ? cause->hint : "", has_nearest ? " Else " : "", KR_FMT(name));
  return KR_MISSING;
}

static kr_status kr_values_resolve(kr_engine *engine, kr_store_txn *txn, const kr_org *org,
                                   kr_str environment, kr_str name, kr_secret_meta *ret_meta,
                                   kr_error *reterr) {
  kr_error cause = {0};
  kr_status status =
      kr_vault_secret_resolve(engine->vault, txn, org, name, environment, ret_meta, &cause);
  if (status == KR_NOT_FOUND)
    return kr_values_missing(org, name, &cause, reterr);
  if (status != KR_OK && reterr != NULL)
    *reterr = cause;
  return status;
}

static kr_status kr_values_check_expiry(const kr_engine *engine, const kr_secret_meta *meta,
                                        kr_error *reterr) {
  int64_t expires_ms = meta->policy.expires_ms;
  if (expires_ms == 0 || kr_clock_wall_ms(engine->clock) < expires_ms)
    return KR_OK;
  kr_secret_label label = kr_secret_label_of(meta);
  (void)kr_fail(reterr, KR_REFUSED, "secret %s has expired", label.text);
  kr_error_hint(reterr,
                "replace its value where it was issued, save it, and give it a new date with "
                "`krosyn secret policy %s --expires DATE`",
                meta->name);
  return KR_REFUSED;
}

kr_status kr_values_check(kr_engine *engine, const kr_org *org, kr_str environment,
                          const kr_secret_names *names, kr_secret_policy *ret_policies,
                          kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_vault_environment_check(environment, reterr));
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  for (uint32_t i = 0; i < names->count; i++) {
    kr_secret_meta meta = {0};
    KR_TRY(
        kr_values_resolve(engine, txn, org, environment, kr_secret_name(names, i), &meta, reterr));
    if (ret_policies == NULL)
      continue;
    KR_TRY(kr_values_check_expiry(engine, &meta, reterr));
    ret_policies[i] = meta.policy;
  }
  return KR_OK;
}

static kr_status kr_values_pin_all(kr_engine *engine, kr_store_txn *txn, const kr_org *org,
                                   kr_str environment, const kr_secret_names *names,
                                   kr_pinned *pinned, kr_secret_policy *policies,
                                   kr_error *reterr) {
  for (uint32_t i = 0; i < names->count; i++) {
    kr_secret_meta meta = {0};
    KR_TRY(
        kr_values_resolve(engine, txn, org, environment, kr_secret_name(names, i), &meta, reterr));
    KR_TRY(kr_values_check_expiry(engine, &meta, reterr));
    policies[i] = meta.policy;
    pinned->labels[i] = kr_secret_label_of(&meta);
    KR_TRY(kr_vault_secret_open(engine->vault, txn, org, kr_str_cstr(meta.name),
                                kr_str_cstr(meta.environment), 0, &pinned->values[i],
                                &pinned->versions[i], reterr));
    pinned->count = i + 1;
  }
  return KR_OK;
}

/* A set of what is pinned alone. */
static kr_status kr_values_pinned_set(const kr_pinned *pinned, const kr_secret_policy *policies,
                                      kr_redact_set **ret_set, kr_error *reterr) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_TRY(kr_redact_builder_new(&builder, reterr));
  for (uint32_t i = 0; i < pinned->count; i++) {
    const kr_redact_secret secret = {.name = kr_str_cstr(pinned->labels[i].text),
                                     .bytes = kr_secret_reveal(pinned->values[i]),
                                     .version = pinned->versions[i],
                                     .min_search = policies[i].min_search};
    KR_TRY(kr_redact_builder_add_secret(builder, &secret, reterr));
  }
  return kr_redact_builder_build(builder, ret_set, reterr);
}

kr_status kr_values_pin(kr_engine *engine, const kr_org *org, kr_str environment,
                        const kr_secret_names *names, bool run_only, kr_pinned *pinned,
                        kr_secret_policy *ret_policies, kr_redact_set **ret_set,
                        uint64_t *ret_generation, kr_error *reterr) {
  *pinned = (kr_pinned){0};
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_engine_need_key(engine, reterr));
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  bool is_built = false;
  kr_status status =
      kr_values_pin_all(engine, txn, org, environment, names, pinned, ret_policies, reterr);
  if (status == KR_OK && run_only)
    status = kr_vault_generation(engine->vault, txn, org, ret_generation, reterr);
  if (status == KR_OK)
    status = run_only
                 ? kr_values_pinned_set(pinned, ret_policies, ret_set, reterr)
                 : kr_values_set_at(engine, txn, org, ret_set, ret_generation, &is_built, reterr);
  if (status != KR_OK)
    kr_pinned_done(pinned);
  else if (is_built)
    kr_values_keep_locked(engine, org, *ret_generation, *ret_set);
  return status;
}

void kr_pinned_done(kr_pinned *pinned) {
  for (uint32_t i = 0; i < KR_SECRETS_MAX; i++)
    kr_secret_free(pinned->values[i]);
  *pinned = (kr_pinned){0};
}

kr_status kr_derived_values_add(void *ctx, kr_secret_set secrets, uint8_t function, kr_str bytes) {
  kr_derived_values *derived = ctx;
  /* Blank results cannot be searched for; by position they are redacted all the same. */
  if (secrets == 0 || kr_str_trim(bytes).len == 0)
    return KR_OK;
  if (derived->builder == NULL)
    KR_TRY(kr_redact_builder_new(&derived->builder, &derived->error));
  /* A result of several secrets goes under the name of the first. */
  unsigned index = (unsigned)__builtin_ctzll(secrets);
  char name[KR_REDACT_NAME_BYTES];
  int len = snprintf(name, sizeof name, "%s|%s", derived->pinned->labels[index].text,
                     function == KR_DERIVED_EMITTED ? "emitted" : kr_function_name(function));
  if (len < 0)
    return KR_INTERNAL;
  return kr_redact_builder_add(derived->builder, kr_str_cstr(name),
                               derived->pinned->versions[index], bytes, &derived->error);
}

void kr_derived_values_done(kr_derived_values *derived) {
  kr_redact_builder_free(derived->builder);
  derived->builder = NULL;
}

kr_status kr_derived_values_set(kr_derived_values *derived, kr_redact_set *base,
                                kr_redact_set **ret_set, kr_error *reterr) {
  if (derived->builder == NULL) {
    *ret_set = kr_redact_set_ref(base);
    return KR_OK;
  }
  if (kr_redact_builder_add_set(derived->builder, base) != KR_OK)
    return kr_fail_nomem(reterr);
  return kr_redact_builder_build(derived->builder, ret_set, reterr);
}
