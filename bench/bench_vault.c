/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_vault.c - opening a secret: a read transaction, metadata and value from
 * LMDB, MAC and envelope checked, decrypted into locked memory, wiped again. And
 * saving, which ends in a durable commit; all values of an organization ready
 * for redaction; opening a big home. Beside them what is below (vault_floor.c):
 * gets of the same records from plain LMDB, and the same bytes decrypted and
 * hashed by plain EVP calls. The vaults are temporary ones.
 */
#define _XOPEN_SOURCE 700
#include "base/clock.h"
#include "bench.h"
#include "redact/redact.h"
#include "store/lmdb/store_lmdb.h"
#include "vault/vault.h"
#include "vault_floor.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRETS 10000u
#define SET_SECRETS 1000u
#define CALLS 20000u       /* timed one by one, for percentiles */
#define BIG_SECRETS 16000u /* of 64 KiB: 1 GiB */
#define VALUE_BYTES 40u

typedef struct kr_bench_vault {
  char folder[64];
  kr_secure *pool;
  kr_keyring *keyring;
  kr_store *store;
  kr_vault *vault;
  kr_org org;
  unsigned n_secrets;
  unsigned next; /* the secret of the next call */
  kr_org new_org;
  unsigned n_new_orgs;
  unsigned n_new;              /* secrets, by kr_bench_set_new() */
  char names[SECRETS + 1][24]; /* the last one is that of a new secret */
  uint8_t plain[SECRETS + 1][VALUE_BYTES];
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
  work->next = (work->next + 7919u) % work->n_secrets; /* a prime step visits them all */
  return work->next;
}

/* One value of a batch, or by itself in its transaction when there is no batch. */
static void kr_bench_set_one(kr_bench_vault *work, kr_store_txn *txn, kr_vault_batch *batch,
                             unsigned index) {
  const kr_org *org = index == SECRETS ? &work->new_org : &work->org;
  kr_error error = {0};
  kr_secret_meta meta;
  KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
  kr_bench_need(kr_secret_new(work->pool, VALUE_BYTES, &value), "secret", &error);
  memcpy(kr_secret_writable(value), work->plain[index], VALUE_BYTES);
  const kr_secret_saving saving = {.name = kr_str_cstr(work->names[index]),
                                   .value = value,
                                   .by = KR_STR("bench"),
                                   .now_ms = kr_clock_wall_ms(kr_clock_system())};
  kr_status status = batch != NULL
                         ? kr_vault_batch_set(batch, &saving, &meta, &error)
                         : kr_vault_secret_set(work->vault, txn, org, &saving, &meta, &error);
  kr_bench_need(status, "set", &error);
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

static kr_vault_batch *kr_bench_batch_begin(kr_bench_vault *work, kr_store_txn *txn,
                                            const kr_org *org) {
  kr_error error = {0};
  kr_vault_batch *batch = NULL;
  kr_bench_need(kr_vault_batch_begin(work->vault, txn, org, &batch, &error), "batch", &error);
  return batch;
}

static void kr_bench_batch_commit(kr_vault_batch *batch, kr_store_txn *txn) {
  kr_error error = {0};
  if (batch != NULL)
    kr_bench_need(kr_vault_batch_end(batch, &error), "batch", &error);
  kr_vault_batch_free(batch);
  kr_bench_need(kr_store_commit(txn, &error), "commit", &error);
}

typedef struct kr_bench_many {
  kr_bench_vault *work;
  unsigned n; /* in one commit */
  bool is_new;
} kr_bench_many;

/* The next organization that new secrets go to: each holds so many. */
static void kr_bench_new_org(kr_bench_vault *work) {
  kr_error error = {0};
  char name[24];
  kr_store_txn *txn = kr_bench_begin(work, KR_STORE_WRITE);
  snprintf(name, sizeof name, "new-%u", work->n_new_orgs++);
  kr_bench_need(kr_vault_org_create(work->vault, txn, kr_str_cstr(name), 0, &work->new_org, &error),
                "org", &error);
  kr_bench_need(kr_store_commit(txn, &error), "commit", &error);
  work->n_new = 0;
}

/* Secrets that were not there, in order of their names. */
static void kr_bench_set_new(kr_bench_vault *work, kr_store_txn *txn, kr_vault_batch *batch) {
  char *name = work->names[SECRETS];
  snprintf(name, sizeof work->names[0], "SET_%08u", work->n_new++);
  kr_bench_set_one(work, txn, batch, SECRETS);
}

/* n in one commit; the time is that of n_calls. */
static double kr_bench_set_many(void *ctx, size_t n_calls) {
  const kr_bench_many *many = ctx;
  kr_bench_vault *work = many->work;
  const kr_org *org = many->is_new ? &work->new_org : &work->org;
  double start = kr_bench_now_ns();
  size_t n_done = 0;
  for (; n_done < n_calls; n_done += many->n) {
    if (many->is_new && work->n_new + many->n > KR_VAULT_SECRETS_MAX)
      kr_bench_new_org(work);
    kr_store_txn *txn = kr_bench_begin(work, KR_STORE_WRITE);
    kr_vault_batch *batch = many->n > 1 ? kr_bench_batch_begin(work, txn, org) : NULL;
    for (unsigned i = 0; i < many->n && many->is_new; i++)
      kr_bench_set_new(work, txn, batch);
    for (unsigned i = 0; i < many->n && !many->is_new; i++)
      kr_bench_set_one(work, txn, batch, kr_bench_next(work));
    kr_bench_batch_commit(batch, txn);
  }
  return (kr_bench_now_ns() - start) * (double)n_calls / (double)n_done;
}

/** A vault in a temporary folder, without secrets. */
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
  kr_bench_need(kr_store_commit(txn, &error), "commit", &error);
}

static void kr_bench_fill(kr_bench_vault *work, unsigned n_secrets) {
  kr_store_txn *txn = kr_bench_begin(work, KR_STORE_WRITE);
  kr_vault_batch *batch = kr_bench_batch_begin(work, txn, &work->org);
  work->n_secrets = n_secrets;
  for (unsigned i = 0; i < n_secrets; i++) {
    snprintf(work->names[i], sizeof work->names[i], "SECRET_%u", i);
    for (unsigned k = 0; k < VALUE_BYTES; k++)
      work->plain[i][k] = (uint8_t)('a' + (i * 31u + k * 7u + i / 26u) % 26u);
    kr_bench_set_one(work, txn, batch, i);
  }
  kr_bench_batch_commit(batch, txn);
}

static int kr_bench_order(const void *a, const void *b) {
  double left = *(const double *)a;
  double right = *(const double *)b;
  return left < right ? -1 : left > right;
}

/* Each call timed by itself: what one run waits for. */
static void kr_bench_percentiles(const kr_bench *bench, const char *name, void (*call)(void *),
                                 kr_bench_vault *work, unsigned n_calls) {
  static double times[CALLS];
  if (!kr_bench_wants(bench, name))
    return;
  for (unsigned i = 0; i < n_calls; i++) {
    double start = kr_bench_now_ns();
    call(work);
    times[i] = kr_bench_now_ns() - start;
  }
  qsort(times, n_calls, sizeof times[0], kr_bench_order);
  const kr_bench_figure figures[] = {{"krosyn p50", times[n_calls / 2]},
                                     {"p99", times[(size_t)n_calls * 99 / 100]},
                                     {"p99.9", times[(size_t)n_calls * 999 / 1000]}};
  kr_bench_figures(bench, name, KR_BENCH_NS, figures, 3);
}

/* ---- all values of an organization, ready to redact with, from a closed store ---- */

typedef struct kr_bench_ready {
  kr_bench_vault *work;
  kr_vault *vault;
  kr_store_txn *txn;
  kr_redact_builder *builder;
} kr_bench_ready;

static kr_status kr_bench_ready_one(void *ctx, const kr_secret_meta *meta) {
  kr_bench_ready *ready = ctx;
  kr_error error = {0};
  KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
  kr_str name = kr_str_cstr(meta->name);
  kr_bench_need(kr_vault_secret_open(ready->vault, ready->txn, &ready->work->org, name, KR_STR(""),
                                     0, &value, NULL, &error),
                "open", &error);
  return kr_redact_builder_add(ready->builder, name, meta->version, kr_secret_reveal(value), NULL);
}

static void kr_bench_set_ready(void *ctx) {
  kr_bench_ready ready = {.work = ctx};
  kr_error error = {0};
  kr_redact_set *set = NULL;
  kr_bench_vault *work = ctx;
  kr_bench_need(kr_vault_open(work->store, work->keyring, work->pool, &ready.vault, &error),
                "vault", &error);
  ready.txn = kr_bench_begin(work, KR_STORE_READ);
  kr_bench_need(kr_redact_builder_new(&ready.builder, &error), "builder", &error);
  kr_bench_need(
      kr_vault_secret_each(ready.vault, ready.txn, &work->org, kr_bench_ready_one, &ready, &error),
      "each", &error);
  kr_bench_need(kr_redact_builder_build(ready.builder, &set, &error), "set", &error);
  kr_bench_keep(set);
  kr_redact_set_free(set);
  kr_redact_builder_free(ready.builder);
  kr_store_abort(ready.txn);
  kr_vault_free(ready.vault);
}

/* ---- opening a store of 1 GiB ---- */

static void kr_bench_close(kr_bench_vault *work) {
  kr_vault_free(work->vault);
  kr_store_close(work->store);
  work->vault = NULL;
  work->store = NULL;
}

static void kr_bench_reopen(void *ctx) {
  kr_bench_vault *work = ctx;
  kr_error error = {0};
  char path[96];
  const kr_store_lmdb_options plain = {0};
  kr_bench_close(work);
  snprintf(path, sizeof path, "%s/vault", work->folder);
  kr_bench_need(kr_store_lmdb_open(kr_str_cstr(path), &plain, &work->store, &error), "store",
                &error);
  kr_bench_need(kr_vault_open(work->store, work->keyring, work->pool, &work->vault, &error),
                "vault", &error);
}

static void kr_bench_big_change(kr_bench_vault *work, unsigned first, unsigned n) {
  kr_error error = {0};
  KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
  kr_bench_need(kr_secret_new(work->pool, KR_VAULT_VALUE_BYTES, &value), "secret", &error);
  memset(kr_secret_writable(value), 'x', KR_VAULT_VALUE_BYTES);
  kr_store_txn *txn = kr_bench_begin(work, KR_STORE_WRITE);
  kr_vault_batch *batch = kr_bench_batch_begin(work, txn, &work->org);
  for (unsigned i = first; i < first + n; i++) {
    char name[24];
    kr_secret_meta meta;
    snprintf(name, sizeof name, "BIG_%u", i);
    const kr_secret_saving saving = {.name = kr_str_cstr(name), .value = value, .now_ms = 1};
    kr_bench_need(kr_vault_batch_set(batch, &saving, &meta, &error), "set", &error);
  }
  kr_bench_batch_commit(batch, txn);
}

static int kr_bench_remove(const char *path, const struct stat *info, int kind, struct FTW *at) {
  (void)info;
  (void)kind;
  (void)at;
  return remove(path);
}

static void kr_bench_done(kr_bench_vault *work) {
  kr_bench_close(work);
  kr_keyring_free(work->keyring);
  kr_secure_free(work->pool);
  nftw(work->folder, kr_bench_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static void kr_bench_open_big(const kr_bench *bench) {
  static kr_bench_vault work;
  if (bench->is_quick || !kr_bench_wants(bench, "open-1GiB"))
    return;
  kr_bench_create(&work);
  for (unsigned i = 0; i < BIG_SECRETS; i += 500)
    kr_bench_big_change(&work, i, 500);
  const kr_bench_engine open[] = {{"krosyn", kr_bench_reopen, &work}};
  kr_bench_case(bench, "open-1GiB", KR_BENCH_NS, 0, open, 1);
  kr_bench_done(&work);
}

static void kr_bench_ready_case(const kr_bench *bench) {
  static kr_bench_vault work;
  if (!kr_bench_wants(bench, "set-of-1000"))
    return;
  kr_bench_create(&work);
  kr_bench_fill(&work, SET_SECRETS);
  const kr_bench_engine ready[] = {{"krosyn", kr_bench_set_ready, &work}};
  kr_bench_case(bench, "set-of-1000", KR_BENCH_NS, 0, ready, 1);
  kr_bench_done(&work);
}

/* Saved one by one, and many in one commit. */
static void kr_bench_set_cases(const kr_bench *bench, kr_bench_vault *work, kr_bench_floor *floor) {
  static const struct {
    const char *name;
    unsigned n;
    bool is_new;
  } cases[] = {{"set", 1, false},    {"set-50", 50, false},    {"set-1000", 1000, false},
               {"set-new", 1, true}, {"set-new-50", 50, true}, {"set-new-1000", 1000, true}};
  kr_bench_new_org(work);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    kr_bench_many many = {work, cases[i].n, cases[i].is_new};
    kr_bench_floor_many floor_many = {floor, cases[i].n, cases[i].is_new};
    kr_bench_batch batch = {kr_bench_set_many, &many};
    kr_bench_batch floor_batch = {kr_bench_floor_put_many, &floor_many};
    const kr_bench_engine engines[] = {{"krosyn", NULL, &batch}, {"lmdb-put", NULL, &floor_batch}};
    kr_bench_case(bench, cases[i].name, KR_BENCH_NS, 0, engines, 2);
  }
}

static void kr_bench_set_call(void *ctx) {
  kr_bench_many one = {ctx, 1, false};
  (void)kr_bench_set_many(&one, 1);
}

int main(int argc, char **argv) {
  static kr_bench_vault work;
  kr_bench bench;
  kr_bench_init(&bench, "vault", argc, argv);
  kr_bench_create(&work);
  kr_bench_fill(&work, SECRETS);
  kr_bench_floor *floor = kr_bench_floor_new(work.folder, SECRETS);
  const kr_bench_engine get[] = {{"krosyn", kr_bench_get, &work},
                                 {"lmdb-get", kr_bench_floor_get, floor},
                                 {"evp", kr_bench_floor_decrypt, floor},
                                 {"lmdb-get+evp", kr_bench_floor_both, floor}};
  kr_bench_case(&bench, "get", KR_BENCH_NS, 0, get, 4);
  kr_bench_percentiles(&bench, "get-calls", kr_bench_get, &work, CALLS);

  kr_bench_set_cases(&bench, &work, floor);
  kr_bench_percentiles(&bench, "set-calls", kr_bench_set_call, &work, bench.is_quick ? 200 : 2000);
  kr_bench_floor_free(floor);
  kr_bench_done(&work);
  kr_bench_ready_case(&bench);
  kr_bench_open_big(&bench);
  return 0;
}
