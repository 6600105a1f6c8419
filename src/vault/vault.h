/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.h - organizations and their secrets in a store, encrypted.
 *
 *   master key (key file) wraps the store root key
 *   store root key --HKDF--> wrap key | record-MAC key | event-chain key
 *   organization data key (random, id) wrapped under the wrap key
 *   value sealed (A256CBC-HS512) under its organization's data key; associated data:
 *     domain, format version, store UUID, organization id, environment "", name, version, data-key
 * id
 *
 * Every record carries a MAC (crypto/record_mac.h) or is an envelope; each
 * organization has a manifest (generation, counts, keyed multiset sum of its
 * records) that changes in the same transaction. docs/formats/vault.md has the bytes.
 *
 * The caller opens the transactions, so that a change and its audit record
 * commit together. A kr_vault without keys (keyring NULL) reads names and
 * metadata, unverified; anything that needs a key is KR_UNTRUSTED.
 *
 * Threads: functions on one kr_vault may be called from any thread, each with its own transaction.
 */
#ifndef KR_VAULT_VAULT_H
#define KR_VAULT_VAULT_H

#include "base/damage.h"
#include "store/store.h"
#include "vault/keyring.h"

#define KR_VAULT_FORMAT 0u       /* not yet frozen: may be refused later */
#define KR_ORG_NAME_BYTES 64u    /* [a-z0-9][a-z0-9-]* */
#define KR_VAULT_NAME_BYTES 128u /* [A-Z0-9_]+ */
#define KR_VAULT_VALUE_BYTES (64u * 1024u)
#define KR_VAULT_DESCRIPTION_BYTES 1024u /* UTF-8, no control characters */
#define KR_VAULT_VERSIONS_KEPT 10u
#define KR_VAULT_SECRETS_MAX 100000u /* per organization */
#define KR_VAULT_UUID_BYTES 16u

typedef struct kr_vault kr_vault;

typedef struct kr_org {
  uint32_t id;
  char name[KR_ORG_NAME_BYTES + 1];
  int64_t created_ms;
} kr_org;

typedef struct kr_secret_meta {
  char name[KR_VAULT_NAME_BYTES + 1];
  char description[KR_VAULT_DESCRIPTION_BYTES + 1];
  uint32_t version; /* newest, from 1 */
  uint32_t oldest;  /* oldest version still kept */
  int64_t created_ms;
  int64_t updated_ms;
} kr_secret_meta;

/** Write the head records into an empty store: format, UUID, key-check value, wrapped root key. */
kr_status kr_vault_create(kr_store_txn *txn, const kr_keyring *keyring, kr_secure *pool,
                          const uint8_t uuid[KR_VAULT_UUID_BYTES], kr_error *reterr) KR_MUST_USE;

/**
 * Open. keyring may be NULL (keyless). pool must outlive the vault.
 * Errors: KR_UNSUPPORTED (another format version), KR_UNTRUSTED ("have key A,
 * need key B"), KR_CORRUPT.
 */
kr_status kr_vault_open(kr_store *store, const kr_keyring *keyring, kr_secure *pool,
                        kr_vault **ret_vault, kr_error *reterr) KR_MUST_USE;

/** The same for a vault that may be damaged: of its records, only the root record is looked at. */
kr_status kr_vault_open_damaged(kr_store *store, const kr_keyring *keyring, kr_secure *pool,
                                kr_vault **ret_vault, kr_error *reterr) KR_MUST_USE;
void kr_vault_free(kr_vault *vault);
KR_DEFINE_FREEP(kr_vault_freep, kr_vault, kr_vault_free)

bool kr_vault_has_key(const kr_vault *vault);
void kr_vault_uuid(const kr_vault *vault, uint8_t out[KR_VAULT_UUID_BYTES]);

/** Keys derived from the root key, for registry and events; NULL when keyless. Borrowed. */
const kr_secret *kr_vault_record_key(const kr_vault *vault);
const kr_secret *kr_vault_chain_key(const kr_vault *vault);
const kr_secret *kr_vault_backup_key(const kr_vault *vault);

/** The id of the master key that the vault in this store needs; needs no key. */
kr_status kr_vault_key_id(kr_store_txn *txn, char out[KR_KEY_ID_BYTES + 1],
                          kr_error *reterr) KR_MUST_USE;

/* Organizations. Names: KR_INVALID with the rule; KR_EXISTS; KR_NOT_FOUND with the nearest name. */
kr_status kr_vault_org_create(kr_vault *vault, kr_store_txn *txn, kr_str name, int64_t now_ms,
                              kr_org *ret_org, kr_error *reterr) KR_MUST_USE;
kr_status kr_vault_org_find(kr_vault *vault, kr_store_txn *txn, kr_str name, kr_org *ret_org,
                            kr_error *reterr) KR_MUST_USE;

/** Calls visit for each, in order of name; a status other than KR_OK from visit ends and is
 * returned. */
typedef kr_status (*kr_org_visit)(void *ctx, const kr_org *org);
kr_status kr_vault_org_each(kr_vault *vault, kr_store_txn *txn, kr_org_visit visit, void *ctx,
                            kr_error *reterr) KR_MUST_USE;

/** Is it [A-Z0-9_]{1,128}? KR_INVALID with what is wrong and a suggestion ("crm-key" -> CRM_KEY).
 */
kr_status kr_vault_name_check(kr_str name, kr_error *reterr) KR_MUST_USE;

/** Is it UTF-8 without controls, within its limit? KR_INVALID, KR_LIMIT. Empty is fine. */
kr_status kr_vault_description_check(kr_str description, kr_error *reterr) KR_MUST_USE;

/**
 * Save a value as a new version (1 for a new secret). The value is sealed here
 * at once. description: ptr NULL keeps the old one. Versions beyond
 * KR_VAULT_VERSIONS_KEPT are removed. Refused (KR_INVALID): empty or all-blank
 * values, "[REDACTED]" and "********" (a shown marker posted back); KR_LIMIT:
 * over 64 KiB. Never says how long the value was.
 */
kr_status kr_vault_secret_set(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                              const kr_secret *value, kr_str description, int64_t now_ms,
                              kr_secret_meta *ret_meta, kr_error *reterr) KR_MUST_USE;

/** KR_NOT_FOUND names the nearest existing name of this organization. */
kr_status kr_vault_secret_meta(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                               kr_secret_meta *ret_meta, kr_error *reterr) KR_MUST_USE;

kr_status kr_vault_secret_delete(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                                 kr_error *reterr) KR_MUST_USE;

/** In order of name. */
typedef kr_status (*kr_secret_visit)(void *ctx, const kr_secret_meta *meta);
kr_status kr_vault_secret_each(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                               kr_secret_visit visit, void *ctx, kr_error *reterr) KR_MUST_USE;

/**
 * Open a value: version 0 is the newest. KR_NOT_FOUND, KR_CORRUPT, KR_UNTRUSTED
 * (keyless). The secret is in the vault's pool; the caller frees it.
 */
kr_status kr_vault_secret_open(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                               uint32_t version, kr_secret **ret_value, uint32_t *ret_version,
                               kr_error *reterr) KR_MUST_USE;

/** The manifest's counter: changes whenever any secret of the organization does. */
kr_status kr_vault_generation(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                              uint64_t *ret_generation, kr_error *reterr) KR_MUST_USE;

/** Check every record of the organization against the manifest. KR_CORRUPT names what. */
kr_status kr_vault_org_verify(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                              kr_error *reterr) KR_MUST_USE;

/** What the head says: changes with every change of any organization. */
kr_status kr_vault_head_generation(kr_vault *vault, kr_store_txn *txn, uint64_t *ret_generation,
                                   kr_error *reterr) KR_MUST_USE;

typedef struct kr_vault_counts { /* of good records */
  uint64_t organizations;
  uint64_t secrets;
  uint64_t values;
  uint64_t data_keys;
  uint64_t records; /* all records looked at, damaged ones too */
} kr_vault_counts;

/**
 * Walk everything the vault keeps, open every value, and go on after damage:
 * head, organizations, manifests, data keys, metadata, values. KR_OK says that
 * the walk came to its end, not that all is well. Good records are visited in
 * the order: root, organizations, data keys, values, metadata; head and
 * manifests are not (they tell of the others, and are made anew). Needs the key.
 */
kr_status kr_vault_survey(kr_vault *vault, const kr_survey *survey, kr_vault_counts *ret_counts,
                          kr_error *reterr) KR_MUST_USE;

#endif
