/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_vault_record.c - a vault one of whose records is not what it was. Input:
 *
 *   which record u8 | what happens to it u8 | bytes
 *   0 the bytes in its place   1 pairs of place and mask turned in it   2 the bytes with a right
 * MAC 3 another record's bytes   4 removed                                5 the bytes at a key of
 * ours
 *
 * The vault is then read as a whole without its key and with it. What must
 * hold: no crash, only expected errors, no value but the one that was saved;
 * and with the key, a change without a right MAC is never accepted. (A right
 * MAC is more than anyone without the key can make: it brings the bytes past
 * the check, to what parses them.)
 */
#define _GNU_SOURCE
#include "fuzz.h"
#include "store/memory/store_memory.h"
#include "vault/internal.h"

#include <stdio.h>
#include <unistd.h>

#define POOL_BYTES (512u * 1024u)
#define RECORDS_MAX 64u
#define NOW_MS INT64_C(1767323045678)

typedef enum change { REPLACE, TURN, MACED, ANOTHER, REMOVE, ADD, N_CHANGES } change;

typedef struct record {
  kr_buf key;
  kr_buf bytes;
} record;

typedef struct vault_reading {
  kr_vault *vault;
  kr_store_txn *txn;
  kr_org org;
  bool has_failed;
} vault_reading;

static const char *const org_names[] = {"one", "two"};
static const char *const secret_names[] = {"A", "LONG_NAME_9"};
static const char *const environments[] = {"", "live"};
enum { N_ORGS = 2, N_NAMES = 2, N_ENVIRONMENTS = 2, N_VERSIONS = 2 };

static kr_secure *pool;
static kr_keyring *keyring;
static kr_store *store;
static record records[RECORDS_MAX];
static size_t n_records;

#define MUST_BE_OK(call) KR_FUZZ_MUST((call) == KR_OK)

static void value_of(size_t org, size_t name, size_t environment, size_t version, char out[64]) {
  (void)snprintf(out, 64, "value %zu-%zu-%zu-%zu", org, name, environment, version);
}

static void put(kr_str key, const kr_str *bytes) {
  kr_store_txn *txn = NULL;
  MUST_BE_OK(kr_store_begin(store, KR_STORE_WRITE, &txn, NULL));
  kr_status status =
      bytes == NULL ? kr_store_remove(txn, key, NULL) : kr_store_put(txn, key, *bytes, NULL);
  KR_FUZZ_MUST(status == KR_OK || (bytes == NULL && status == KR_NOT_FOUND));
  MUST_BE_OK(kr_store_commit(txn, NULL));
}

static void save(kr_vault *vault, kr_store_txn *txn, const kr_org *org, size_t number) {
  kr_secret *value = NULL;
  kr_secret_meta meta;
  char text[64];
  size_t version = number % N_VERSIONS, environment = number / N_VERSIONS % N_ENVIRONMENTS;
  size_t name = number / N_VERSIONS / N_ENVIRONMENTS;
  value_of(org->id - 1, name, environment, version + 1, text);
  MUST_BE_OK(kr_secret_new(pool, strlen(text), &value));
  memcpy(kr_secret_writable(value), text, strlen(text));
  const kr_secret_saving saving = {.name = kr_str_cstr(secret_names[name]),
                                   .environment = kr_str_cstr(environments[environment]),
                                   .value = value,
                                   .description = KR_STR("what for"),
                                   .by = KR_STR("fuzz"),
                                   .now_ms = NOW_MS};
  MUST_BE_OK(kr_vault_secret_set(vault, txn, org, &saving, &meta, NULL));
  kr_secret_free(value);
}

static void keep_records(void) {
  kr_store_txn *txn = NULL;
  kr_store_cursor *cursor = NULL;
  kr_str key = {0};
  kr_str value = {0};
  MUST_BE_OK(kr_store_begin(store, KR_STORE_READ, &txn, NULL));
  MUST_BE_OK(kr_store_scan(txn, key, key, false, &cursor, NULL));
  while (kr_store_next(cursor, &key, &value, NULL) == KR_OK) {
    KR_FUZZ_MUST(n_records < RECORDS_MAX);
    records[n_records] =
        (record){KR_BUF_INIT(KR_STORE_KEY_BYTES, NULL), KR_BUF_INIT(KR_VAULT_RECORD_BYTES, NULL)};
    MUST_BE_OK(kr_buf_append(&records[n_records].key, key));
    MUST_BE_OK(kr_buf_append(&records[n_records].bytes, value));
    n_records++;
  }
  kr_store_scan_end(cursor);
  kr_store_abort(txn);
}

static void set_up(void) {
  char dir[] = "/tmp/krosyn-fuzz-XXXXXX";
  char path[64];
  kr_vault *vault = NULL;
  kr_store_txn *txn = NULL;
  static const uint8_t uuid[KR_VAULT_UUID_BYTES] = {1, 2, 3};
  KR_FUZZ_MUST(mkdtemp(dir) != NULL);
  (void)snprintf(path, sizeof path, "%s/k", dir);
  MUST_BE_OK(kr_secure_new(POOL_BYTES, &pool, NULL));
  MUST_BE_OK(kr_keyring_create(kr_str_cstr(path), pool, &keyring, NULL));
  KR_FUZZ_MUST(unlink(path) == 0 && rmdir(dir) == 0);
  MUST_BE_OK(kr_store_memory_new(&store, NULL));
  MUST_BE_OK(kr_store_begin(store, KR_STORE_WRITE, &txn, NULL));
  MUST_BE_OK(kr_vault_create(txn, keyring, pool, uuid, NULL));
  MUST_BE_OK(kr_store_commit(txn, NULL));
  MUST_BE_OK(kr_vault_open(store, keyring, pool, &vault, NULL));
  for (size_t i = 0; i < N_ORGS; i++) {
    kr_org org;
    MUST_BE_OK(kr_store_begin(store, KR_STORE_WRITE, &txn, NULL));
    MUST_BE_OK(kr_vault_org_create(vault, txn, kr_str_cstr(org_names[i]), NOW_MS, &org, NULL));
    for (size_t number = 0; number < (size_t)N_NAMES * N_ENVIRONMENTS * N_VERSIONS; number++)
      save(vault, txn, &org, number);
    MUST_BE_OK(kr_store_commit(txn, NULL));
  }
  kr_vault_free(vault);
  keep_records();
}

/* Errors that reading may end with; anything else is a bug. */
static void note(vault_reading *reading, kr_status status, const kr_error *error) {
  if (status == KR_OK)
    return;
  KR_FUZZ_MUST(status == KR_CORRUPT || status == KR_UNTRUSTED || status == KR_UNSUPPORTED ||
               status == KR_NOT_FOUND || status == KR_LIMIT);
  KR_FUZZ_MUST(error->status == status && error->message[0] != '\0');
  KR_FUZZ_MUST(strstr(error->message, "value ") == NULL || strstr(error->message, "-") == NULL ||
               strstr(error->message, "sealed value") != NULL);
  reading->has_failed = true;
}

static kr_status see_org(void *ctx, const kr_org *org) {
  KR_FUZZ_MUST(strlen(org->name) <= KR_ORG_NAME_BYTES);
  ++*(size_t *)ctx;
  return KR_OK;
}

static kr_status see_secret(void *ctx, const kr_secret_meta *meta) {
  KR_FUZZ_MUST(strlen(meta->name) <= KR_VAULT_NAME_BYTES);
  KR_FUZZ_MUST(strlen(meta->environment) <= KR_ENVIRONMENT_BYTES);
  ++*(size_t *)ctx;
  return KR_OK;
}

static kr_status see_version(void *ctx, const kr_secret_version *version) {
  KR_FUZZ_MUST(version->version > 0);
  ++*(size_t *)ctx;
  return KR_OK;
}

/* All of one secret; a value that opens is the one that was saved. */
static void read_secret(vault_reading *reading, size_t org, size_t name, size_t environment) {
  kr_error error = {.status = KR_OK};
  kr_secret_meta meta;
  size_t n = 0;
  kr_str name_str = kr_str_cstr(secret_names[name]);
  kr_str environment_str = kr_str_cstr(environments[environment]);
  note(reading,
       kr_vault_secret_meta(reading->vault, reading->txn, &reading->org, name_str, environment_str,
                            &meta, &error),
       &error);
  note(reading,
       kr_vault_secret_versions(reading->vault, reading->txn, &reading->org, name_str,
                                environment_str, see_version, &n, &error),
       &error);
  for (uint32_t version = 1; version <= N_VERSIONS; version++) {
    kr_secret *value = NULL;
    uint32_t got = 0;
    kr_status status = kr_vault_secret_open(reading->vault, reading->txn, &reading->org, name_str,
                                            environment_str, version, &value, &got, &error);
    note(reading, status, &error);
    if (status != KR_OK)
      continue;
    char expected[64];
    value_of(org, name, environment, version, expected);
    KR_FUZZ_MUST(kr_vault_has_key(reading->vault) && got == version);
    KR_FUZZ_MUST(kr_str_equal(kr_secret_reveal(value), kr_str_cstr(expected)));
    kr_secret_free(value);
  }
}

static void read_org(vault_reading *reading, size_t org) {
  kr_error error = {.status = KR_OK};
  size_t n = 0;
  kr_status status = kr_vault_org_find(reading->vault, reading->txn, kr_str_cstr(org_names[org]),
                                       &reading->org, &error);
  note(reading, status, &error);
  if (status != KR_OK)
    return;
  note(reading,
       kr_vault_secret_each(reading->vault, reading->txn, &reading->org, see_secret, &n, &error),
       &error);
  for (size_t i = 0; i < (size_t)N_NAMES * N_ENVIRONMENTS; i++)
    read_secret(reading, org, i / N_ENVIRONMENTS, i % N_ENVIRONMENTS);
  note(reading, kr_vault_org_verify(reading->vault, reading->txn, &reading->org, &error), &error);
}

/* Whether anything was refused. */
static bool read_all(const kr_keyring *with) {
  vault_reading reading = {.vault = NULL};
  kr_error error = {.status = KR_OK};
  size_t n = 0;
  kr_status status = kr_vault_open(store, with, pool, &reading.vault, &error);
  note(&reading, status, &error);
  if (status != KR_OK)
    return true;
  MUST_BE_OK(kr_store_begin(store, KR_STORE_READ, &reading.txn, NULL));
  note(&reading, kr_vault_org_each(reading.vault, reading.txn, see_org, &n, &error), &error);
  for (size_t i = 0; i < N_ORGS; i++)
    read_org(&reading, i);
  kr_store_abort(reading.txn);
  kr_vault_free(reading.vault);
  return reading.has_failed;
}

/* The bytes as a record of this key's kind, with the MAC that the vault itself would give it. */
static bool mac(kr_str key, kr_str payload, kr_buf *out) {
  static const char letters[] = "homs";
  const kr_str domains[] = {KR_DOMAIN_HEAD, KR_DOMAIN_ORG, KR_DOMAIN_MANIFEST, KR_DOMAIN_META};
  const char *kind = strchr(letters, key.ptr[1]);
  kr_vault *vault = NULL;
  if (kind == NULL || key.ptr[1] == '\0')
    return false;
  MUST_BE_OK(kr_vault_open(store, keyring, pool, &vault, NULL));
  MUST_BE_OK(kr_record_mac_seal(kr_vault_record_key(vault), domains[kind - letters], key, payload,
                                out, NULL));
  kr_vault_free(vault);
  return true;
}

static void turn(kr_str changes, kr_buf *bytes) {
  for (size_t i = 0; i + 1 < changes.len && bytes->len > 0; i += 2)
    bytes->ptr[changes.ptr[i] * (bytes->len - 1) / 255] ^= changes.ptr[i + 1];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (pool == NULL) {
    set_up();
    KR_FUZZ_MUST(!read_all(keyring));
  }
  if (size < 2 || size > KR_VAULT_RECORD_BYTES / 2)
    return 0;
  const record *at = &records[data[0] % n_records];
  change kind = (change)(data[1] % N_CHANGES);
  kr_str rest = kr_str_from(data + 2, size - 2);
  kr_str key = kr_buf_str(&at->key);
  KR_CLEANUP(kr_buf_done) kr_buf bytes = KR_BUF_INIT(KR_VAULT_RECORD_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf place = KR_BUF_INIT(KR_STORE_KEY_BYTES, NULL);
  if (kind == TURN)
    MUST_BE_OK(kr_buf_append(&bytes, kr_buf_str(&at->bytes)));
  if (kind == ANOTHER)
    MUST_BE_OK(kr_buf_append(
        &bytes, kr_buf_str(&records[(rest.len > 0 ? rest.ptr[0] : 0u) % n_records].bytes)));
  if (kind == REPLACE || kind == ADD)
    MUST_BE_OK(kr_buf_append(&bytes, rest));
  if (kind == MACED && !mac(key, rest, &bytes))
    return 0;
  turn(rest, kind == TURN ? &bytes : &place);
  if (kind == ADD) { /* beside the record, under a longer key */
    MUST_BE_OK(kr_buf_append(&place, key));
    MUST_BE_OK(kr_buf_append(&place, kr_str_slice(rest, 0, rest.len < 40 ? rest.len : 40)));
    key = kr_buf_str(&place);
  }
  bool is_own_key = kr_str_equal(key, kr_buf_str(&at->key));
  kr_str new_bytes = kr_buf_str(&bytes);
  bool is_same = kind != REMOVE && is_own_key && kr_str_equal(new_bytes, kr_buf_str(&at->bytes));
  put(key, kind == REMOVE ? NULL : &new_bytes);
  (void)read_all(NULL);
  bool is_refused = read_all(keyring);
  if (is_same)
    KR_FUZZ_MUST(!is_refused);
  else if (kind != MACED && is_own_key)
    KR_FUZZ_MUST(is_refused);
  kr_str old = kr_buf_str(&at->bytes);
  put(key, is_own_key ? &old : NULL);
  return 0;
}
