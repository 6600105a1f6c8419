/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_vault.c - opening a secret: a read transaction, the record from LMDB,
 * its envelope checked and decrypted into locked memory, and wiped again.
 * Against what is below it: the same number of bytes by memcpy, and a naive
 * loop that walks an unencrypted array of names and copies the value. And
 * saving one, which ends in a durable commit. The vault is a temporary one.
 */
#define _XOPEN_SOURCE 700
#include "base/clock.h"
#include "bench.h"
#include "store/lmdb/store_lmdb.h"
#include "vault/vault.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRETS 1000u
#define VALUE_BYTES 40u

typedef struct kr_bench_vault {
  char folder[64];
  kr_secure *pool;
  kr_keyring *keyring;
  kr_store *store;
  kr_vault *vault;
  kr_org org;
  unsigned next; /* the secret of the next call */
  char names[SECRETS][24];
  uint8_t plain[SECRETS][VALUE_BYTES];
  uint8_t copy[VALUE_BYTES];
} kr_bench_vault;

static void kr_bench_need(kr_status status, const char *what, const kr_error *error) {
  if (status != KR_OK)
    kr_bench_die(what, error->message);
}

static kr_store_txn *kr_bench_begin(kr_bench_vault *work, kr_store_mode mode) {
  kr_error error = {0};
  kr_store_txn *txn = NULL;
  kr_bench_need(kr_store_begin(work->store, mode, &txn, &error), "begin", &error);
  return txn;
}

static unsigned kr_bench_next(kr_bench_vault *work) {
  work->next = (work->next + 7919u) % SECRETS; /* a prime step visits them all */
  return work->next;
}

static void kr_bench_set_one(kr_bench_vault *work, kr_store_txn *txn, unsigned index) {
  kr_error error = {0};
  kr_secret_meta meta;
  KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
  kr_bench_need(kr_secret_new(work->pool, VALUE_BYTES, &value), "secret", &error);
  memcpy(kr_secret_writable(value), work->plain[index], VALUE_BYTES);
  const kr_secret_saving saving = {.name = kr_str_cstr(work->names[index]),
                                   .value = value,
                                   .by = KR_STR("bench"),
                                   .now_ms = kr_clock_wall_ms(kr_clock_system())};
  kr_bench_need(kr_vault_secret_set(work->vault, txn, &work->org, &saving, &meta, &error), "set",
                &error);
}

static void kr_bench_get(void *ctx) {
  kr_bench_vault *work = ctx;
  kr_error error = {0};
  uint32_t version = 0;
  kr_secret *value = NULL;
  kr_store_txn *txn = kr_bench_begin(work, KR_STORE_READ);
  kr_str name = kr_str_cstr(work->names[kr_bench_next(work)]);
  kr_bench_need(kr_vault_secret_open(work->vault, txn, &work->org, name, KR_STR(""), 0, &value,
                                     &version, &error),
                "get", &error);
  kr_store_abort(txn);
  kr_bench_keep(value);
  kr_secret_free(value);
}

static void kr_bench_set(void *ctx) {
  kr_bench_vault *work = ctx;
  kr_error error = {0};
  kr_store_txn *txn = kr_bench_begin(work, KR_STORE_WRITE);
  kr_bench_set_one(work, txn, kr_bench_next(work));
  kr_bench_need(kr_store_commit(txn, &error), "commit", &error);
}

static void kr_bench_memcpy(void *ctx) {
  kr_bench_vault *work = ctx;
  memcpy(work->copy, work->plain[kr_bench_next(work)], VALUE_BYTES);
  kr_bench_keep(work->copy);
}

static void kr_bench_naive(void *ctx) {
  kr_bench_vault *work = ctx;
  const char *name = work->names[kr_bench_next(work)];
  for (unsigned i = 0; i < SECRETS; i++)
    if (strcmp(work->names[i], name) == 0)
      memcpy(work->copy, work->plain[i], VALUE_BYTES);
  kr_bench_keep(work->copy);
}

/** A vault in a temporary folder with SECRETS secrets, written in one transaction. */
static void kr_bench_create(kr_bench_vault *work) {
  static const uint8_t uuid[KR_VAULT_UUID_BYTES] = {1};
  kr_error error = {0};
  char path[96];
  snprintf(work->folder, sizeof work->folder, "/tmp/krosyn-bench-XXXXXX");
  if (mkdtemp(work->folder) == NULL)
    kr_bench_die(work->folder, "cannot be made");
  kr_bench_need(kr_secure_new(KR_SECURE_POOL_BYTES, &work->pool, &error), "pool", &error);
  snprintf(path, sizeof path, "%s/bench.key", work->folder);
  kr_bench_need(kr_keyring_create(kr_str_cstr(path), work->pool, &work->keyring, &error), "key",
                &error);
  snprintf(path, sizeof path, "%s/vault", work->folder);
  kr_store_lmdb_options options = {.is_create = true};
  kr_bench_need(kr_store_lmdb_open(kr_str_cstr(path), &options, &work->store, &error), "store",
                &error);
  kr_store_txn *txn = kr_bench_begin(work, KR_STORE_WRITE);
  kr_bench_need(kr_vault_create(txn, work->keyring, work->pool, uuid, &error), "vault", &error);
  kr_bench_need(kr_store_commit(txn, &error), "commit", &error);
  kr_bench_need(kr_vault_open(work->store, work->keyring, work->pool, &work->vault, &error),
                "vault", &error);
  txn = kr_bench_begin(work, KR_STORE_WRITE);
  kr_bench_need(kr_vault_org_create(work->vault, txn, KR_STR("default"), 0, &work->org, &error),
                "org", &error);
  for (unsigned i = 0; i < SECRETS; i++) {
    snprintf(work->names[i], sizeof work->names[i], "SECRET_%u", i);
    for (unsigned k = 0; k < VALUE_BYTES; k++)
      work->plain[i][k] = (uint8_t)('a' + (i * 31u + k * 7u) % 26u);
    kr_bench_set_one(work, txn, i);
  }
  kr_bench_need(kr_store_commit(txn, &error), "commit", &error);
}

static int kr_bench_remove(const char *path, const struct stat *info, int kind, struct FTW *at) {
  (void)info;
  (void)kind;
  (void)at;
  return remove(path);
}

int main(int argc, char **argv) {
  static kr_bench_vault work;
  kr_bench bench;
  kr_bench_init(&bench, "vault", argc, argv);
  kr_bench_create(&work);
  const kr_bench_engine get[] = {{"krosyn", kr_bench_get, &work},
                                 {"memcpy", kr_bench_memcpy, &work},
                                 {"naive-loop", kr_bench_naive, &work}};
  kr_bench_case(&bench, "get", KR_BENCH_NS, 0, get, 3);
  const kr_bench_engine set[] = {{"krosyn", kr_bench_set, &work}};
  kr_bench_case(&bench, "set", KR_BENCH_NS, 0, set, 1);

  kr_vault_free(work.vault);
  kr_store_close(work.store);
  kr_keyring_free(work.keyring);
  kr_secure_free(work.pool);
  nftw(work.folder, kr_bench_remove, 8, FTW_DEPTH | FTW_PHYS);
  return 0;
}
