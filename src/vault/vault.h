/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.h - organizations and their secrets in a store, encrypted.
 *
 *   master key (key file) wraps the store root key
 *   store root key --HKDF--> wrap key | record-MAC key | event-chain key
 *   organization data key (random, id) wrapped under the wrap key
 *   value sealed (A256CBC-HS512) under its organization's data key; associated data:
 *     domain, format version, store UUID, organization id, environment, name, version, data-key
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

#define KR_VAULT_FORMAT 1u       /* frozen: docs/formats/vault.md */
#define KR_ORG_NAME_BYTES 64u    /* [a-z0-9][a-z0-9-]* */
#define KR_VAULT_NAME_BYTES 128u /* [A-Z0-9_]+ */
#define KR_VAULT_VALUE_BYTES (64u * 1024u)
#define KR_VAULT_DESCRIPTION_BYTES 1024u /* UTF-8, no control characters */
#define KR_VAULT_VERSIONS_KEPT 10u       /* unless a secret has its own number, */
#define KR_VAULT_VERSIONS_MAX 50u        /* of at most so many */
#define KR_ENVIRONMENT_BYTES 32u         /* [a-z0-9][a-z0-9-]*, or "" */
#define KR_VAULT_BY_BYTES 64u            /* who changed a secret; longer is cut */
#define KR_VAULT_HOSTS_BYTES 1024u       /* all allowed hosts of a secret, parted by blanks */
#define KR_VAULT_MIN_SEARCH_BYTES 64u    /* the longest minimum length for search */
#define KR_VAULT_SECRETS_MAX 100000u     /* per organization */
#define KR_VAULT_UUID_BYTES 16u

typedef struct kr_vault kr_vault;

typedef struct kr_org {
  uint32_t id;
  char name[KR_ORG_NAME_BYTES + 1];
  int64_t created_ms;
} kr_org;

/** Where in a request a secret may stand; bits of kr_secret_policy.positions. */
typedef enum kr_secret_position {
  KR_POSITION_HEADER = 1,
  KR_POSITION_PATH = 2, /* of the URL, its host included */
  KR_POSITION_QUERY = 4,
  KR_POSITION_BODY = 8
} kr_secret_position;
#define KR_POSITIONS_ALL 15u

/** What holds for a secret beside its value. */
typedef struct kr_secret_policy {
  int64_t expires_ms;  /* from then on runs are refused; 0: never */
  uint8_t positions;   /* where it may stand, kr_secret_position; 0: anywhere */
  uint32_t min_search; /* shorter values are redacted by position alone; 0: 4 bytes */
  uint32_t keep;       /* versions, 1 to KR_VAULT_VERSIONS_MAX */
  char hosts[KR_VAULT_HOSTS_BYTES + 1]; /* "api.example.com *.example.org"; "": any */
} kr_secret_policy;

typedef struct kr_secret_meta {
  char name[KR_VAULT_NAME_BYTES + 1];
  char environment[KR_ENVIRONMENT_BYTES + 1]; /* "": the default */
  char description[KR_VAULT_DESCRIPTION_BYTES + 1];
  char created_by[KR_VAULT_BY_BYTES + 1];
  char updated_by[KR_VAULT_BY_BYTES + 1];
  uint32_t version; /* newest, from 1 */
  uint32_t oldest;  /* oldest version still kept */
  int64_t created_ms;
  int64_t updated_ms; /* of value, description or policy */
  kr_secret_policy policy;
} kr_secret_meta;

/** One kept version. */
typedef struct kr_secret_version {
  uint32_t version;
  uint32_t from; /* the version whose value was brought back; 0: a value was saved */
  int64_t created_ms;
  char by[KR_VAULT_BY_BYTES + 1];
} kr_secret_version;

/** What kr_vault_secret_set saves. */
typedef struct kr_secret_saving {
  kr_str name;
  kr_str environment; /* "": the default */
  const kr_secret *value;
  kr_str description; /* ptr NULL keeps the old one */
  kr_str by;          /* who */
  int64_t now_ms;
} kr_secret_saving;

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

/** The id of the master key that a vault needs, read without any key, unverified. */
kr_status kr_vault_key_needed(kr_store *store, char out[KR_KEY_ID_BYTES + 1],
                              kr_error *reterr) KR_MUST_USE;

bool kr_vault_has_key(const kr_vault *vault);
void kr_vault_uuid(const kr_vault *vault, uint8_t out[KR_VAULT_UUID_BYTES]);

/** Keys derived from the root key, for registry and events; NULL when keyless. Borrowed. */
const kr_secret *kr_vault_record_key(const kr_vault *vault);
const kr_secret *kr_vault_chain_key(const kr_vault *vault);
const kr_secret *kr_vault_backup_key(const kr_vault *vault);

/** The id of the master key that the root record names, unverified; needs no key. */
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

/**
 * Remove an organization: its record, manifest and data keys, in constant time.
 * Nobody finds it from then on, and nothing opens its values; its id is never
 * given again. What is left in the store goes with kr_vault_org_sweep(). Its
 * other records are not looked at, so that a damaged one can go too.
 */
kr_status kr_vault_org_delete(kr_vault *vault, kr_store_txn *txn, kr_str name, kr_org *ret_org,
                              uint32_t *ret_n_secrets, kr_error *reterr) KR_MUST_USE;

/**
 * Remove at most max records that deleted organizations left (metadata and
 * sealed values), of any deletion so far. *ret_removed 0: there are none.
 * @more  Two letters each: other modules' records whose keys begin with them and an organization's
 *        id as u32; they go too.
 */
kr_status kr_vault_org_sweep(kr_vault *vault, kr_store_txn *txn, const kr_str *more, size_t n_more,
                             size_t max, size_t *ret_removed, kr_error *reterr) KR_MUST_USE;

/** Is it [A-Z0-9_]{1,128}? KR_INVALID with what is wrong and a suggestion ("crm-key" -> CRM_KEY).
 */
kr_status kr_vault_name_check(kr_str name, kr_error *reterr) KR_MUST_USE;

/** Is it UTF-8 without controls, within its limit? KR_INVALID, KR_LIMIT. Empty is fine. */
kr_status kr_vault_description_check(kr_str description, kr_error *reterr) KR_MUST_USE;

/** What kr_vault_secret_set refuses of a value: see there. */
kr_status kr_vault_value_check(kr_str value, kr_error *reterr) KR_MUST_USE;

/** Is it "" or an environment's name? KR_INVALID with the rule. */
kr_status kr_vault_environment_check(kr_str environment, kr_error *reterr) KR_MUST_USE;

/** Hosts, positions, numbers within their limits? KR_INVALID, KR_LIMIT, with the rule. */
kr_status kr_vault_policy_check(const kr_secret_policy *policy, kr_error *reterr) KR_MUST_USE;

/** Does a policy's list of hosts allow this one (lower case, without a port)? */
bool kr_vault_policy_allows_host(const kr_secret_policy *policy, kr_str host);

/*
 * A secret is known by its name and environment. Functions with `environment`
 * mean exactly that one, unless they say otherwise.
 */

/**
 * Save a value as a new version (1 for a new secret). The value is sealed here
 * at once. Versions beyond the number the secret keeps are removed. Refused
 * (KR_INVALID): empty or all-blank values, "[REDACTED]" and "********" (a shown
 * marker posted back); KR_LIMIT: over 64 KiB. Never says how long the value was.
 */
kr_status kr_vault_secret_set(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                              const kr_secret_saving *saving, kr_secret_meta *ret_meta,
                              kr_error *reterr) KR_MUST_USE;

/**
 * Many values of one organization in one transaction: what tells of all of them
 * (manifest, head) is written once, at the end. begin, kr_vault_secret_set()'s
 * work for each by kr_vault_batch_set(), end, then commit. A transaction whose
 * batch failed or did not end must be aborted. Between begin and end nothing else
 * may change the vault in it (end finds that: KR_INTERNAL).
 */
typedef struct kr_vault_batch kr_vault_batch;
kr_status kr_vault_batch_begin(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                               kr_vault_batch **ret_batch, kr_error *reterr) KR_MUST_USE;
kr_status kr_vault_batch_set(kr_vault_batch *batch, const kr_secret_saving *saving,
                             kr_secret_meta *ret_meta, kr_error *reterr) KR_MUST_USE;
kr_status kr_vault_batch_end(kr_vault_batch *batch, kr_error *reterr) KR_MUST_USE;
void kr_vault_batch_free(kr_vault_batch *batch);
KR_DEFINE_FREEP(kr_vault_batch_freep, kr_vault_batch, kr_vault_batch_free)

/**
 * The value of an older version becomes the newest, sealed anew, without being
 * shown. KR_NOT_FOUND: no such version is kept; KR_INVALID: it is the newest.
 */
kr_status kr_vault_secret_rollback(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                   kr_str name, kr_str environment, uint32_t version, kr_str by,
                                   int64_t now_ms, kr_secret_meta *ret_meta,
                                   kr_error *reterr) KR_MUST_USE;

/** Replace the policy; versions beyond its `keep` are removed. The value stays as it is. */
kr_status kr_vault_secret_set_policy(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                     kr_str name, kr_str environment,
                                     const kr_secret_policy *policy, kr_str by, int64_t now_ms,
                                     kr_secret_meta *ret_meta, kr_error *reterr) KR_MUST_USE;

/** KR_NOT_FOUND names the nearest existing name of this organization. */
kr_status kr_vault_secret_meta(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                               kr_str environment, kr_secret_meta *ret_meta,
                               kr_error *reterr) KR_MUST_USE;

/** The secret a run in this environment gets: its own, else the default one. */
kr_status kr_vault_secret_resolve(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                  kr_str name, kr_str environment, kr_secret_meta *ret_meta,
                                  kr_error *reterr) KR_MUST_USE;

/** The kept versions, newest first. */
typedef kr_status (*kr_version_visit)(void *ctx, const kr_secret_version *version);
kr_status kr_vault_secret_versions(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                   kr_str name, kr_str environment, kr_version_visit visit,
                                   void *ctx, kr_error *reterr) KR_MUST_USE;

kr_status kr_vault_secret_delete(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                                 kr_str environment, kr_error *reterr) KR_MUST_USE;

/** In order of name, then environment. */
typedef kr_status (*kr_secret_visit)(void *ctx, const kr_secret_meta *meta);
kr_status kr_vault_secret_each(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                               kr_secret_visit visit, void *ctx, kr_error *reterr) KR_MUST_USE;

/**
 * Open a value: version 0 is the newest. KR_NOT_FOUND, KR_CORRUPT, KR_UNTRUSTED
 * (keyless). The secret is in the vault's pool; the caller frees it.
 */
kr_status kr_vault_secret_open(kr_vault *vault, kr_store_txn *txn, const kr_org *org, kr_str name,
                               kr_str environment, uint32_t version, kr_secret **ret_value,
                               uint32_t *ret_version, kr_error *reterr) KR_MUST_USE;

/**
 * Another master key: the root key is wrapped anew, under the current (first)
 * key of new_keys; it is opened with the key of old_keys that the root record
 * names. Nothing else changes: vaults that are open go on.
 * Errors: KR_EXISTS (it is the master key already), KR_UNTRUSTED ("have key A, need key B").
 */
kr_status kr_vault_rekey(kr_vault *vault, kr_store_txn *txn, const kr_keyring *old_keys,
                         const kr_keyring *new_keys, kr_error *reterr) KR_MUST_USE;

/*
 * A new data key. begin, then step after step until is_done, each in a
 * transaction of its own; other processes may change and read secrets in
 * between. Whoever is killed leaves an organization with two data keys, both in
 * use; begin finds it, and the steps go on.
 */
typedef struct kr_rotation {
  uint32_t old_key_id;
  uint32_t new_key_id; /* the current one, under which new values go */
  bool is_begun;       /* by this call; false: an unfinished one was found, nothing was written */
} kr_rotation;

#define KR_VAULT_PLACE_BYTES 512u

/** Zero it before the first step. A step that is repeated must be given the state of before. */
typedef struct kr_rotate_state {
  uint64_t n_resealed;     /* values, by the steps so far */
  bool is_done;            /* no value names another data key than the current one */
  uint32_t key_id;         /* when done: the current one */
  uint32_t retired_key_id; /* when done: the one that this step removed, 0: none */
  uint8_t from[KR_VAULT_PLACE_BYTES];
  size_t from_len;
} kr_rotate_state;

/** Errors: KR_LIMIT (ids used up), KR_UNTRUSTED (keyless), KR_CORRUPT, KR_NOMEM. */
kr_status kr_vault_rotate_begin(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                kr_rotation *ret_rotation, kr_error *reterr) KR_MUST_USE;

/** How many values name another data key than the current one. */
kr_status kr_vault_rotate_count(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                uint64_t *ret_count, kr_error *reterr) KR_MUST_USE;

/** Seal at most max values again; when there are none, remove the old data key. KR_CORRUPT. */
kr_status kr_vault_rotate_step(kr_vault *vault, kr_store_txn *txn, const kr_org *org, size_t max,
                               kr_rotate_state *state, kr_error *reterr) KR_MUST_USE;

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

/**
 * Write what is good of a damaged vault into an empty store, with manifests and
 * a head made anew. What is damaged, and what is good but had to be left behind
 * (values whose metadata is lost), is told to survey->damaged; survey->good is
 * not used. On failure the new store is of no use. Needs the key.
 *
 * @high_org_id  The highest id of an organization that stands in other stores; where the head is
 *               lost, ids of new organizations begin above it.
 */
kr_status kr_vault_salvage(kr_vault *vault, kr_store *to, uint32_t high_org_id,
                           const kr_survey *survey, kr_vault_counts *ret_counts,
                           kr_error *reterr) KR_MUST_USE;

#endif
