/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what the files of the vault share; nobody else includes it.
 *
 *   layout.c    store keys and associated data        keys.c     root key, derived and data keys
 *   manifest.c  sums, manifests, the head             check.c    first use, verify
 *   orgs.c      organizations                         secrets.c  metadata, set, delete, open
 *   value.c     framing and sealing of one value      names.c    rules for names and values
 *   rotate.c    another data key                      orgs_delete.c  an organization removed
 *   survey.c    the walk over everything, past damage
 *
 * A change runs kr_change_begin(), kr_change_put()/remove() for each record,
 * kr_change_end(). If any step fails, the caller aborts the transaction: the
 * manifest in it no longer fits its records.
 */
#ifndef KR_VAULT_INTERNAL_H
#define KR_VAULT_INTERNAL_H

#include "base/wire.h"
#include "crypto/record_mac.h"
#include "vault/vault.h"

#include <pthread.h>

#define KR_VAULT_SUM_BYTES 32u
#define KR_VAULT_NONCE_BYTES 16u
#define KR_VAULT_RECORD_BYTES (128u * 1024u) /* ceiling of any record the vault writes */
#define KR_VAULT_ORG_ID_MAX (UINT32_MAX - 1)

#define KR_DOMAIN_HEAD KR_STR("krosyn/v1/head")
#define KR_DOMAIN_ORG KR_STR("krosyn/v1/org")
#define KR_DOMAIN_MANIFEST KR_STR("krosyn/v1/manifest")
#define KR_DOMAIN_META KR_STR("krosyn/v1/secret-meta")
#define KR_DOMAIN_VALUE KR_STR("krosyn/v1/secret-value")
#define KR_DOMAIN_DATA_KEY KR_STR("krosyn/v1/data-key")
#define KR_DOMAIN_ROOT KR_STR("krosyn/v1/store-key")
#define KR_DOMAIN_ELEMENT KR_STR("krosyn/v1/sum-element")
#define KR_DOMAIN_MASK KR_STR("krosyn/v1/sum-mask")

/* ---- layout.c ---- */

#define KR_STORE_NAME_BYTES                                                                        \
  (2 + 4 + KR_VAULT_NAME_BYTES + 1 + KR_ENVIRONMENT_BYTES + 1 + 4) /* the longest store key */

_Static_assert(KR_STORE_NAME_BYTES <= KR_VAULT_PLACE_BYTES, "kr_rotate_state holds a place");

typedef struct kr_vault_place {
  uint8_t bytes[KR_STORE_NAME_BYTES];
  size_t len;
} kr_vault_place;

static inline kr_str kr_place_str(const kr_vault_place *place) {
  return kr_str_from(place->bytes, place->len);
}

kr_vault_place kr_place_root(void);
kr_vault_place kr_place_head(void);
kr_vault_place kr_place_orgs(void);
kr_vault_place kr_place_org(kr_str name);
kr_vault_place kr_place_manifest(uint32_t org_id);
kr_vault_place kr_place_data_keys(uint32_t org_id);
kr_vault_place kr_place_data_key(uint32_t org_id, uint32_t key_id);
kr_vault_place kr_place_metas(uint32_t org_id);
kr_vault_place kr_place_meta(uint32_t org_id, kr_str name, kr_str environment);
kr_vault_place kr_place_values(uint32_t org_id);
kr_vault_place kr_place_value(uint32_t org_id, kr_str name, kr_str environment, uint32_t version);

/** The organization in the places "vk", "vm", "vs" and "vv", and what follows it. */
bool kr_place_read_org(kr_str at, uint32_t *ret_org_id, kr_str *ret_rest);

/** What follows the organization in the place of metadata: name, NUL, environment. */
bool kr_place_read_secret(kr_str rest, kr_str *ret_name, kr_str *ret_environment);

/** The same of a value: name, NUL, environment, NUL, version. */
bool kr_place_read_value(kr_str rest, kr_str *ret_name, kr_str *ret_environment,
                         uint32_t *ret_version);

/* ---- keys.c ---- */

typedef struct kr_vault_keys {
  kr_secret *wrap;   /* wraps data keys */
  kr_secret *record; /* MACs of records */
  kr_secret *chain;  /* events */
  kr_secret *sum;    /* elements and masks of manifest sums */
  kr_secret *backup; /* manifests of backups */
} kr_vault_keys;

/* What this process has checked. A generation below `high` is an older snapshot of a reader, or a
 * rollback: it is walked again, once (`low`). */
typedef struct kr_vault_seen {
  uint32_t org_id;
  uint64_t high;  /* the highest committed generation seen */
  uint64_t low;   /* one below it that was walked too; 0, which no manifest has: none */
  bool is_walked; /* its records were checked against its manifest */
} kr_vault_seen;

/* A sum modulo 2^256, big-endian. */
typedef struct kr_sum {
  uint8_t bytes[KR_VAULT_SUM_BYTES];
} kr_sum;

typedef struct kr_manifest {
  uint64_t generation;
  uint64_t n_records;
  uint32_t n_secrets;
  uint32_t data_key_id; /* the one new values are sealed under */
  uint32_t next_key_id;
  kr_sum sum; /* unmasked */
} kr_manifest;

/* Records seen before; see known.h. */
#define KR_KNOWN_RECORD_BYTES 192u
#define KR_KNOWN_MANIFESTS 16u
#define KR_KNOWN_KEYS 16u

typedef struct kr_known_manifest {
  uint32_t org_id;
  uint8_t record[KR_KNOWN_RECORD_BYTES];
  size_t len; /* 0: none */
  kr_manifest manifest;
} kr_known_manifest;

typedef struct kr_known_key {
  uint32_t org_id;
  uint32_t key_id;
  uint8_t record[KR_KNOWN_RECORD_BYTES]; /* sealed */
  size_t len;                            /* 0: none */
  kr_secret *key;
} kr_known_key;

struct kr_vault {
  kr_store *store;
  kr_secure *pool;
  bool has_key;
  uint8_t uuid[KR_VAULT_UUID_BYTES];
  kr_vault_keys keys;
  pthread_mutex_t mutex; /* guards what follows */
  kr_vault_seen *seen;   /* sorted by org_id */
  size_t n_seen;
  size_t cap_seen;
  bool is_head_checked;
  kr_known_manifest known_manifests[KR_KNOWN_MANIFESTS];
  kr_known_key known_keys[KR_KNOWN_KEYS];
};

/** The root record: made once by create, opened by open. */
kr_status kr_vault_root_write(kr_vault *vault, kr_store_txn *txn, const kr_keyring *keyring,
                              kr_error *reterr) KR_MUST_USE;

/** Reads uuid, and with a keyring the derived keys. */
kr_status kr_vault_root_read(kr_vault *vault, kr_store_txn *txn, const kr_keyring *keyring,
                             kr_error *reterr) KR_MUST_USE;
void kr_vault_keys_done(kr_vault_keys *keys);

/** A fresh data key: its record, for the caller to store. */
kr_status kr_data_key_new(kr_vault *vault, uint32_t org_id, uint32_t key_id, kr_buf *record,
                          kr_error *reterr) KR_MUST_USE;
kr_status kr_data_key_open(kr_vault *vault, kr_store_txn *txn, uint32_t org_id, uint32_t key_id,
                           kr_secret **ret_key, kr_error *reterr) KR_MUST_USE;

/** KR_UNTRUSTED with a hint when the vault was opened without its key. */
kr_status kr_vault_need_key(const kr_vault *vault, kr_error *reterr) KR_MUST_USE;

/* ---- value.c ---- */

#define KR_VALUE_BUCKET_BYTES 64u

/* Which value it is; all of it is in the associated data. */
typedef struct kr_value_name {
  uint32_t org_id;
  kr_str name;
  kr_str environment;
  uint32_t version;
} kr_value_name;

kr_status kr_value_seal(kr_vault *vault, const kr_secret *data_key, uint32_t key_id,
                        const kr_value_name *name, kr_str value, kr_buf *record,
                        kr_error *reterr) KR_MUST_USE;
kr_status kr_value_open(kr_vault *vault, kr_store_txn *txn, const kr_value_name *name,
                        kr_str record, kr_secret **ret_value, kr_error *reterr) KR_MUST_USE;

/** The id of the data key a value was sealed under; false when it is cut short. */
bool kr_value_key_id(kr_str record, uint32_t *ret_key_id);

/** The same as kr_value_open with the data key at hand; for walks over many values. */
kr_status kr_value_open_with(kr_vault *vault, const kr_secret *data_key, const kr_value_name *name,
                             kr_str record, kr_secret **ret_value, kr_error *reterr) KR_MUST_USE;

/* ---- manifest.c ---- */

void kr_sum_add(kr_sum *sum, const kr_sum *element);
void kr_sum_subtract(kr_sum *sum, const kr_sum *element);
kr_status kr_sum_element(const kr_vault *vault, kr_str place, kr_str record, kr_sum *ret_element,
                         kr_error *reterr) KR_MUST_USE;

/** Many of them: sum_mac is of the vault's sum key. NULL: the same as kr_sum_element(). */
kr_status kr_sum_element_of(const kr_vault *vault, kr_mac *sum_mac, kr_str place, kr_str record,
                            kr_sum *ret_element, kr_error *reterr) KR_MUST_USE;

typedef struct kr_vault_head {
  uint64_t generation;
  uint32_t n_orgs;
  uint32_t next_org_id;
  kr_sum sum; /* of the records of organizations and of their manifests */
} kr_vault_head;

/** From record bytes; keyless: unverified and without its sum. */
kr_status kr_manifest_parse(const kr_vault *vault, uint32_t org_id, kr_str record,
                            kr_manifest *ret_manifest, kr_error *reterr) KR_MUST_USE;

/** KR_NOT_FOUND (described) when there is no such organization. No first-use check. */
kr_status kr_manifest_read(const kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                           kr_manifest *ret_manifest, kr_error *reterr) KR_MUST_USE;

kr_status kr_head_read(const kr_vault *vault, kr_store_txn *txn, kr_vault_head *ret_head,
                       kr_error *reterr) KR_MUST_USE;
kr_status kr_head_write(const kr_vault *vault, kr_store_txn *txn, const kr_vault_head *head,
                        kr_error *reterr) KR_MUST_USE;

typedef struct kr_change {
  kr_vault *vault;
  kr_store_txn *txn;
  uint32_t org_id;
  kr_mac *sum_mac; /* for many records; may be NULL. Borrowed */
  kr_manifest manifest;
  kr_vault_head head; /* the old manifest is already taken out of its sum */
} kr_change;

/** Reads and checks manifest (first use included) and head. Needs the key. */
kr_status kr_change_begin(kr_change *change, kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                          kr_error *reterr) KR_MUST_USE;
kr_status kr_change_put(kr_change *change, kr_str place, kr_str record,
                        kr_error *reterr) KR_MUST_USE;
kr_status kr_change_remove(kr_change *change, kr_str place, kr_error *reterr) KR_MUST_USE;

/** Writes manifest and head with the next generation. */
kr_status kr_change_end(kr_change *change, kr_error *reterr) KR_MUST_USE;

/* ---- check.c ---- */

/** The manifest, after the checks due at the first use of an organization. Keyless: none. */
kr_status kr_vault_use(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                       kr_manifest *ret_manifest, kr_error *reterr) KR_MUST_USE;

/** The first time: check all organizations and manifests against the head. Keyless: nothing. */
kr_status kr_vault_use_head(kr_vault *vault, kr_store_txn *txn, kr_error *reterr) KR_MUST_USE;

/** A new organization of our own making: there is nothing to walk. */
kr_status kr_vault_seen_new(kr_vault *vault, uint32_t org_id, uint64_t generation,
                            kr_error *reterr) KR_MUST_USE;

/* ---- orgs.c, secrets.c: record bodies, for check.c ---- */

kr_status kr_org_parse(const kr_vault *vault, kr_str place, kr_str record, kr_org *ret_org,
                       kr_error *reterr) KR_MUST_USE;

typedef struct kr_meta_record {
  kr_secret_meta meta;
  kr_secret_version versions[KR_VAULT_VERSIONS_MAX]; /* ascending */
  uint32_t n_versions;                               /* from 1 */
} kr_meta_record;

kr_status kr_meta_parse(const kr_vault *vault, uint32_t org_id, kr_str place, kr_str record,
                        kr_meta_record *ret_record, kr_error *reterr) KR_MUST_USE;

/* ---- names.c ---- */

kr_status kr_org_name_check(kr_str name, kr_error *reterr) KR_MUST_USE;
kr_status kr_value_check(kr_str value, kr_error *reterr) KR_MUST_USE;

/** Keeps the nearest of the names it is shown. */
typedef struct kr_nearest {
  kr_str wanted;
  size_t distance;
  char name[KR_VAULT_NAME_BYTES + 1]; /* "" when none is near */
} kr_nearest;

kr_nearest kr_nearest_init(kr_str wanted);
void kr_nearest_consider(kr_nearest *nearest, kr_str name);

/** KR_CORRUPT with the one hint for it. */
kr_status kr_vault_corrupt(kr_error *reterr, const char *format, ...) KR_PRINTF(2, 3);

#endif
