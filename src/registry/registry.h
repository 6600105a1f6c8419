/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - what is stored beside the secrets but is not secret: settings
 * and the audit of changes (later: connectors, breaker state, members). Same
 * store and transaction as the vault, so a change and its audit record commit
 * together. Every record carries a MAC. docs/formats/registry.md has the bytes.
 */
#ifndef KR_REGISTRY_REGISTRY_H
#define KR_REGISTRY_REGISTRY_H

#include "base/clock.h"
#include "base/damage.h"
#include "crypto/record_mac.h"
#include "store/store.h"
#include "json/json.h"

#define KR_SETTING_KEY_BYTES 64u
#define KR_SETTING_VALUE_BYTES 1024u
#define KR_AUDIT_FIELD_BYTES 1024u

typedef struct kr_registry {
  const kr_secret *record_key; /* NULL: keyless, read unverified, writes KR_UNTRUSTED */
} kr_registry;

/** org_id 0: of the whole store. KR_NOT_FOUND (reterr not filled) when not set. */
kr_status kr_registry_setting_get(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                                  kr_str key, kr_buf *ret_value, kr_error *reterr) KR_MUST_USE;
kr_status kr_registry_setting_set(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                                  kr_str key, kr_str value, kr_error *reterr) KR_MUST_USE;

/** Remove every setting of an organization that goes. */
kr_status kr_registry_settings_remove(const kr_registry *registry, kr_store_txn *txn,
                                      uint32_t org_id, kr_error *reterr) KR_MUST_USE;

/** One changed field; values are never secret (names, descriptions, versions). */
typedef struct kr_audit_change {
  kr_str field;
  kr_str old_value; /* ptr NULL: absent */
  kr_str new_value;
} kr_audit_change;

typedef struct kr_audit_entry {
  uint64_t sequence; /* assigned by append, from 1, without gaps */
  int64_t time_ms;
  uint32_t org_id;
  kr_str actor;   /* "cli:uid=1000" */
  kr_str action;  /* "secret.create", "secret.replace", "secret.delete", "org.create", "org.set",
                     "org.delete", "key.rotate", "key.retire", "key.rekey", "key.forget",
                     "store.create" */
  kr_str subject; /* name of the thing */
  const kr_audit_change *changes;
  size_t n_changes;
} kr_audit_entry;

#define KR_AUDIT_CHANGES_MAX 16u

kr_status kr_registry_audit_append(const kr_registry *registry, kr_store_txn *txn,
                                   const kr_audit_entry *entry, kr_error *reterr) KR_MUST_USE;

/** In order of sequence; the entry is borrowed for the visit. */
typedef kr_status (*kr_audit_visit)(void *ctx, const kr_audit_entry *entry);
kr_status kr_registry_audit_each(const kr_registry *registry, kr_store_txn *txn, uint64_t from,
                                 kr_audit_visit visit, void *ctx, kr_error *reterr) KR_MUST_USE;

typedef struct kr_registry_counts { /* of good records */
  uint64_t settings;
  uint64_t entries; /* of the audit */
  uint64_t records; /* all that were looked at */
} kr_registry_counts;

/** Walk settings and audit, on past damage; KR_OK says that the walk came to its end. */
kr_status kr_registry_survey(const kr_registry *registry, kr_store *store, const kr_survey *survey,
                             kr_registry_counts *ret_counts, kr_error *reterr) KR_MUST_USE;

/** Write what is good of them into another store; see kr_vault_salvage. */
kr_status kr_registry_salvage(const kr_registry *registry, kr_store *from, kr_store *to,
                              const kr_survey *survey, kr_registry_counts *ret_counts,
                              kr_error *reterr) KR_MUST_USE;

#endif
