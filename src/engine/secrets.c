/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secrets.c - organizations and secrets for the public interface: one
 * transaction holds a change and its audit record, so both or none are stored.
 */
#define _POSIX_C_SOURCE 200809L
#include "engine/engine.h"
#include "engine/placeholder.h"
#include "engine/values.h"
#include "secmem/sensitive.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

kr_status kr_engine_audit(kr_engine *engine, kr_store_txn *txn, uint32_t org_id, int64_t now_ms,
                          const char *action, kr_str subject, const kr_audit_change *changes,
                          size_t n_changes, kr_error *reterr) {
  const kr_audit_entry entry = {.time_ms = now_ms,
                                .org_id = org_id,
                                .actor = kr_str_cstr(engine->actor),
                                .action = kr_str_cstr(action),
                                .subject = subject,
                                .changes = changes,
                                .n_changes = n_changes};
  return kr_registry_audit_append(&engine->registry, txn, &entry, reterr);
}

/* One change of an organization or a secret, for kr_store_write: it may run more than once. */
typedef struct kr_engine_change {
  kr_engine *engine;
  kr_str org_name;
  kr_str name; /* of the secret */
  kr_str environment;
  int64_t now_ms;
  const kr_secret *value;
  kr_str description;
  kr_secret_meta saved;
  bool is_new;
  char twin[KR_VAULT_NAME_BYTES + 1]; /* another secret of the same value, or "" */
  size_t n_opened;                    /* to find it */
} kr_engine_change;

static kr_status kr_engine_write(kr_engine_change *change, kr_store_change run, kr_error *reterr) {
  KR_TRY(kr_engine_need_key(change->engine, reterr));
  change->now_ms = kr_clock_wall_ms(change->engine->clock);
  return kr_store_write(change->engine->vault_store, run, change, reterr);
}

static kr_status kr_org_create_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_engine_change *change = ctx;
  kr_org org = {0};
  KR_TRY(kr_vault_org_create(change->engine->vault, txn, change->org_name, change->now_ms, &org,
                             reterr));
  return kr_engine_audit(change->engine, txn, org.id, change->now_ms, "org.create",
                         change->org_name, NULL, 0, reterr);
}

kr_status kr_engine_org_create(kr_engine *engine, kr_str name, kr_error *reterr) {
  kr_engine_change change = {.engine = engine, .org_name = name};
  return kr_engine_write(&change, kr_org_create_change, reterr);
}

typedef struct kr_org_walk {
  kr_engine *engine;
  kr_store_txn *txn;
  kr_org_info_visit visit;
  void *ctx;
  kr_error *reterr;
  size_t n_secrets;
} kr_org_walk;

static kr_status kr_org_count(void *ctx, const kr_secret_meta *meta) {
  (void)meta;
  ((kr_org_walk *)ctx)->n_secrets++;
  return KR_OK;
}

static kr_status kr_org_give(void *ctx, const kr_org *org) {
  kr_org_walk *walk = ctx;
  walk->n_secrets = 0;
  KR_TRY(
      kr_vault_secret_each(walk->engine->vault, walk->txn, org, kr_org_count, walk, walk->reterr));
  const kr_org_info info = {
      .name = org->name, .created_ms = org->created_ms, .n_secrets = walk->n_secrets};
  return walk->visit(walk->ctx, &info);
}

kr_status kr_engine_org_each(kr_engine *engine, kr_org_info_visit visit, void *ctx,
                             kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  kr_org_walk walk = {
      .engine = engine, .txn = txn, .visit = visit, .ctx = ctx, .reterr = reterr, .n_secrets = 0};
  return kr_vault_org_each(engine->vault, txn, kr_org_give, &walk, reterr);
}

/* Reads straight into locked or sensitive memory: no stdio buffer, no stack copy. */
static kr_status kr_secret_fill(int fd, kr_secret *value, size_t size, size_t *ret_len,
                                kr_error *reterr) {
  uint8_t *bytes = kr_secret_writable(value);
  size_t len = 0;
  while (len < size) {
    ssize_t got = read(fd, bytes + len, size - len);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return kr_fail_errno(reterr, errno, "cannot read the value");
    if (got == 0)
      break;
    len += (size_t)got;
  }
  *ret_len = len;
  return KR_OK;
}

/* Room for the longest value, its newline, and one byte that tells it is longer. */
#define KR_SECRET_READ_BYTES (KR_VAULT_VALUE_BYTES + 3u)

kr_status kr_secret_read(kr_engine *engine, int fd, bool strip_newline, kr_secret **ret_value,
                         kr_secret_read_result *ret_result, kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
  if (kr_secret_new(engine->pool, KR_SECRET_READ_BYTES, &value) != KR_OK)
    return kr_fail_nomem(reterr);
  size_t len = 0;
  KR_TRY(kr_secret_fill(fd, value, KR_SECRET_READ_BYTES, &len, reterr));
  const uint8_t *bytes = kr_secret_writable(value);
  bool is_stripped = strip_newline && len > 0 && bytes[len - 1] == '\n';
  if (is_stripped)
    len -= len > 1 && bytes[len - 2] == '\r' ? 2 : 1;
  if (len > KR_VAULT_VALUE_BYTES)
    return kr_fail_hint(reterr, KR_LIMIT, "the value is longer than 64 KiB",
                        "a secret holds at most 65536 bytes; nothing was saved");
  if (ret_result != NULL)
    ret_result->stripped_newline = is_stripped;
  return kr_secret_copy(engine, kr_str_slice(kr_secret_reveal(value), 0, len), ret_value, reterr);
}

kr_status kr_secret_copy(kr_engine *engine, kr_str bytes, kr_secret **ret_value, kr_error *reterr) {
  if (bytes.len > KR_VAULT_VALUE_BYTES)
    return kr_fail_hint(reterr, KR_LIMIT, "the value is longer than 64 KiB",
                        "a secret holds at most 65536 bytes; nothing was saved");
  kr_secret *value = NULL;
  if (kr_secret_new(engine->pool, bytes.len, &value) != KR_OK)
    return kr_fail_nomem(reterr);
  if (bytes.len > 0)
    memcpy(kr_secret_writable(value), bytes.ptr, bytes.len);
  *ret_value = value;
  return KR_OK;
}

kr_status kr_engine_secret_audit(kr_engine *engine, kr_store_txn *txn, const kr_org *org,
                                 const kr_secret_meta *old, const kr_secret_meta *new_meta,
                                 int64_t now_ms, kr_error *reterr) {
  char old_version[16] = "";
  char new_version[16] = "";
  if (old != NULL)
    (void)snprintf(old_version, sizeof old_version, "%u", old->version);
  (void)snprintf(new_version, sizeof new_version, "%u", new_meta->version);
  kr_audit_change changes[2] = {
      {.field = KR_STR("version"),
       .old_value = old == NULL ? (kr_str){0} : kr_str_cstr(old_version),
       .new_value = kr_str_cstr(new_version)},
      {.field = KR_STR("description"),
       .old_value = old == NULL ? (kr_str){0} : kr_str_cstr(old->description),
       .new_value = kr_str_cstr(new_meta->description)}};
  bool is_described = !kr_str_equal(changes[1].old_value, changes[1].new_value);
  kr_secret_label label = kr_secret_label_of(new_meta);
  return kr_engine_audit(engine, txn, org->id, now_ms,
                         old == NULL ? "secret.create" : "secret.replace", kr_str_cstr(label.text),
                         changes, is_described ? 2 : 1, reterr);
}

static kr_status kr_secret_old_description(kr_engine *engine, const kr_org *org, kr_str name,
                                           kr_str environment, kr_secret_meta *old,
                                           kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, reterr));
  kr_error cause = {0};
  kr_status status = kr_vault_secret_meta(engine->vault, txn, org, name, environment, old, &cause);
  if (status == KR_OK || status == KR_NOT_FOUND)
    return KR_OK;
  if (reterr != NULL)
    *reterr = cause;
  return status;
}

/* The organization's values and the new one, which is not among them yet. */
static kr_status kr_secret_set_with(kr_engine *engine, const kr_org *org, kr_str name,
                                    const kr_secret *value, kr_redact_set **ret_set,
                                    kr_error *reterr) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *saved = NULL;
  uint64_t generation = 0;
  KR_TRY(kr_values_set(engine, org, &saved, &generation, reterr));
  KR_TRY(kr_redact_builder_new(&builder, reterr));
  if (kr_redact_builder_add_set(builder, saved) != KR_OK)
    return kr_fail_nomem(reterr);
  /* Blank or too long: the vault refuses it, in words of its own. */
  if (kr_redact_builder_add(builder, name, 0, kr_secret_reveal(value), NULL) == KR_NOMEM)
    return kr_fail_nomem(reterr);
  return kr_redact_builder_build(builder, ret_set, reterr);
}

/* Descriptions are shown, stored and audited as they are: one that holds a value would be a leak.
 */
static kr_status kr_secret_check_description(kr_engine *engine, kr_str org_name, kr_str name,
                                             kr_str environment, const kr_secret *value,
                                             kr_str description, kr_error *reterr) {
  kr_org org = {0};
  kr_secret_meta old = {0};
  KR_TRY(kr_engine_org(engine, org_name, &org, reterr));
  if (description.ptr == NULL) {
    KR_TRY(kr_secret_old_description(engine, &org, name, environment, &old, reterr));
    description = kr_str_cstr(old.description);
  }
  if (description.len == 0)
    return KR_OK;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf clean = KR_BUF_INIT(SIZE_MAX / 2, kr_sensitive_memory());
  KR_TRY(kr_secret_set_with(engine, &org, name, value, &set, reterr));
  if (kr_redact_bytes(set, description, NULL, &clean, NULL) != KR_OK)
    return kr_fail_nomem(reterr);
  if (kr_str_equal(kr_buf_str(&clean), description))
    return KR_OK;
  return kr_fail_hint(reterr, KR_INVALID, "the description holds the value of a secret",
                      "descriptions are not encrypted; give another one. Nothing was saved");
}

kr_status kr_engine_compare_audit(kr_engine *engine, kr_store_txn *txn, const kr_org *org,
                                  size_t n_opened, int64_t now_ms, kr_error *reterr) {
  char count[24];
  if (n_opened == 0)
    return KR_OK;
  (void)snprintf(count, sizeof count, "%zu", n_opened);
  const kr_audit_change change = {.field = KR_STR("opened"), .new_value = kr_str_cstr(count)};
  return kr_engine_audit(engine, txn, org->id, now_ms, "secrets.compare", KR_STR("newest versions"),
                         &change, 1, reterr);
}

/* Each save opens at most so many other secrets, the first by name: 30 ms at 30 us each. */
#define KR_SECRET_COMPARE_MAX 1000u

typedef struct kr_twin_walk {
  kr_engine_change *change;
  kr_store_txn *txn;
  const kr_org *org;
  kr_error *reterr;
  bool is_over; /* found, or enough were opened */
} kr_twin_walk;

static kr_status kr_secret_compare(void *ctx, const kr_secret_meta *meta) {
  kr_twin_walk *walk = ctx;
  kr_engine_change *change = walk->change;
  kr_str name = kr_str_cstr(meta->name);
  if (walk->is_over || kr_str_equal(name, change->name)) /* environments may share a value */
    return KR_OK;
  KR_CLEANUP(kr_secret_freep) kr_secret *other = NULL;
  KR_TRY(kr_vault_secret_open(change->engine->vault, walk->txn, walk->org, name,
                              kr_str_cstr(meta->environment), 0, &other, NULL, walk->reterr));
  change->n_opened++;
  kr_str mine = kr_secret_reveal(change->value);
  kr_str theirs = kr_secret_reveal(other);
  bool is_twin = mine.len == theirs.len && kr_crypto_equal(mine.ptr, theirs.ptr, mine.len);
  if (is_twin) /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): an array inside meta */
    memcpy(change->twin, meta->name, sizeof change->twin);
  walk->is_over = is_twin || change->n_opened == KR_SECRET_COMPARE_MAX;
  return KR_OK;
}

/* Looks for another secret of the same value. The name is given only once that is in the audit. */
static kr_status kr_secret_find_twin(kr_engine_change *change, kr_error *reterr) {
  kr_org org = {0};
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(change->engine->vault_store, KR_STORE_READ, &txn, reterr));
  KR_TRY(kr_vault_org_find(change->engine->vault, txn, change->org_name, &org, reterr));
  kr_twin_walk walk = {.change = change, .txn = txn, .org = &org, .reterr = reterr};
  return kr_vault_secret_each(change->engine->vault, txn, &org, kr_secret_compare, &walk, reterr);
}

static bool kr_secret_has_blank_edges(kr_str value) {
  return value.len > 0 && kr_str_trim(value).len != value.len;
}

/* 4111111111111111 is a name, by the rule, but hardly one that was meant. */
static bool kr_secret_is_bare_name(kr_str name) {
  for (size_t i = 0; i < name.len; i++)
    if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
      return false;
  return true;
}

static kr_status kr_secret_set_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  kr_engine_change *change = ctx;
  kr_engine *engine = change->engine;
  kr_org org = {0};
  KR_TRY(kr_vault_org_find(engine->vault, txn, change->org_name, &org, reterr));
  kr_secret_meta old = {0};
  kr_status found = kr_vault_secret_meta(engine->vault, txn, &org, change->name,
                                         change->environment, &old, reterr);
  if (found != KR_OK && found != KR_NOT_FOUND)
    return found;
  change->is_new = found == KR_NOT_FOUND;
  const kr_secret_saving saving = {.name = change->name,
                                   .environment = change->environment,
                                   .value = change->value,
                                   .description = change->description,
                                   .by = kr_str_cstr(engine->actor),
                                   .now_ms = change->now_ms};
  KR_TRY(kr_vault_secret_set(engine->vault, txn, &org, &saving, &change->saved, reterr));
  KR_TRY(kr_engine_compare_audit(engine, txn, &org, change->n_opened, change->now_ms, reterr));
  return kr_engine_secret_audit(engine, txn, &org, change->is_new ? NULL : &old, &change->saved,
                                change->now_ms, reterr);
}

kr_status kr_engine_secret_set(kr_engine *engine, kr_str org_name, kr_str name, kr_str environment,
                               const kr_secret *value, kr_str description,
                               kr_secret_set_result *ret_result, kr_error *reterr) {
  kr_engine_change change = {.engine = engine,
                             .org_name = org_name,
                             .name = name,
                             .environment = environment,
                             .value = value,
                             .description = description};
  KR_TRY(kr_vault_name_check(name, reterr));
  KR_TRY(kr_vault_environment_check(environment, reterr));
  KR_TRY(kr_vault_description_check(description, reterr));
  KR_TRY(kr_engine_need_key(engine, reterr));
  KR_TRY(
      kr_secret_check_description(engine, org_name, name, environment, value, description, reterr));
  KR_TRY(kr_secret_find_twin(&change, reterr));
  KR_TRY(kr_engine_write(&change, kr_secret_set_change, reterr));
  if (ret_result == NULL)
    return KR_OK;
  kr_str bytes = kr_secret_reveal(value);
  *ret_result =
      (kr_secret_set_result){.version = change.saved.version,
                             .is_new = change.is_new,
                             .is_short = bytes.len < KR_REDACT_MIN_SEARCH_BYTES,
                             .has_blank_edges = kr_secret_has_blank_edges(bytes),
                             .is_placeholder = kr_placeholder_is(bytes),
                             .has_bare_name = change.is_new && kr_secret_is_bare_name(name)};
  memcpy(ret_result->duplicate_of, change.twin, sizeof change.twin);
  return KR_OK;
}
