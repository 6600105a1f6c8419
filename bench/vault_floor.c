/* SPDX-License-Identifier: Apache-2.0 */
/* vault_floor.c - see vault_floor.h. The flags of LMDB are the store's own. */
#define _XOPEN_SOURCE 700
#include "vault_floor.h"

#include "bench.h"

#include <lmdb.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define META_BYTES 160u  /* of a secret with one version */
#define VALUE_BYTES 116u /* 4 + IV + 64 of ciphertext + tag */
#define AAD_BYTES 90u
#define NEW_RECORDS 1000000u /* the numbers of new records, so that they come in order */

struct kr_bench_floor {
  MDB_env *env;
  MDB_dbi dbi;
  unsigned n_records;
  unsigned next;
  unsigned n_new;
  uint8_t key[64];
  uint8_t iv[16];
  uint8_t sealed[80];
  size_t sealed_len;
  uint8_t aad[AAD_BYTES];
};

static void need(int code, const char *what) {
  if (code != 0)
    kr_bench_die(what, mdb_strerror(code));
}

static unsigned next_record(kr_bench_floor *floor) {
  floor->next = (floor->next + 7919u) % floor->n_records;
  return floor->next;
}

static MDB_val key_of(char text[32], const char *kind, unsigned record) {
  int len = snprintf(text, 32, "%s....SECRET_%u", kind, record);
  return (MDB_val){.mv_size = (size_t)len, .mv_data = text};
}

static void put_pair(kr_bench_floor *floor, MDB_txn *txn, unsigned record) {
  static uint8_t bytes[META_BYTES];
  char text[32];
  MDB_val key = key_of(text, "vs", record);
  MDB_val value = {.mv_size = META_BYTES, .mv_data = bytes};
  need(mdb_put(txn, floor->dbi, &key, &value, 0), "put");
  key = key_of(text, "vv", record);
  value.mv_size = VALUE_BYTES;
  need(mdb_put(txn, floor->dbi, &key, &value, 0), "put");
}

static void seal_sample(kr_bench_floor *floor) {
  uint8_t plain[64] = {0};
  int first = 0;
  int last = 0;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  if (ctx == NULL ||
      EVP_EncryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, floor->key + 32, floor->iv) != 1 ||
      EVP_EncryptUpdate(ctx, floor->sealed, &first, plain, sizeof plain) != 1 ||
      EVP_EncryptFinal_ex(ctx, floor->sealed + first, &last) != 1)
    kr_bench_die("evp", "cannot encrypt");
  floor->sealed_len = (size_t)first + (size_t)last;
  EVP_CIPHER_CTX_free(ctx);
}

kr_bench_floor *kr_bench_floor_new(const char *folder, unsigned n_records) {
  kr_bench_floor *floor = calloc(1, sizeof *floor);
  char path[128];
  MDB_txn *txn = NULL;
  if (floor == NULL)
    kr_bench_die("floor", "no memory");
  floor->n_records = n_records;
  snprintf(path, sizeof path, "%s/floor", folder);
  if (mkdir(path, 0700) != 0)
    kr_bench_die(path, "cannot be made");
  need(mdb_env_create(&floor->env), "env");
  need(mdb_env_set_mapsize(floor->env, (size_t)1 << 30), "map");
  need(mdb_env_open(floor->env, path, MDB_NOTLS, 0600), "open");
  need(mdb_txn_begin(floor->env, NULL, 0, &txn), "begin");
  need(mdb_dbi_open(txn, NULL, 0, &floor->dbi), "dbi");
  for (unsigned i = 0; i < n_records; i++)
    put_pair(floor, txn, i);
  need(mdb_txn_commit(txn), "commit");
  seal_sample(floor);
  return floor;
}

void kr_bench_floor_free(kr_bench_floor *floor) {
  mdb_env_close(floor->env);
  free(floor);
}

void kr_bench_floor_get(void *ctx) {
  kr_bench_floor *floor = ctx;
  MDB_txn *txn = NULL;
  char text[32];
  MDB_val value;
  unsigned record = next_record(floor);
  need(mdb_txn_begin(floor->env, NULL, MDB_RDONLY, &txn), "begin");
  MDB_val key = key_of(text, "vs", record);
  need(mdb_get(txn, floor->dbi, &key, &value), "get");
  key = key_of(text, "vv", record);
  need(mdb_get(txn, floor->dbi, &key, &value), "get");
  kr_bench_keep(value.mv_data);
  mdb_txn_abort(txn);
}

static void hash(const kr_bench_floor *floor, uint8_t out[64]) {
  char name[] = "SHA512";
  size_t len = 0;
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                               OSSL_PARAM_construct_end()};
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
  if (ctx == NULL || EVP_MAC_init(ctx, floor->key, 32, params) != 1 ||
      EVP_MAC_update(ctx, floor->aad, AAD_BYTES) != 1 ||
      EVP_MAC_update(ctx, floor->sealed, floor->sealed_len) != 1 ||
      EVP_MAC_final(ctx, out, &len, 64) != 1)
    kr_bench_die("evp", "cannot hash");
  EVP_MAC_CTX_free(ctx);
  EVP_MAC_free(mac);
}

void kr_bench_floor_decrypt(void *ctx) {
  const kr_bench_floor *floor = ctx;
  uint8_t tag[64];
  uint8_t plain[96];
  int first = 0;
  int last = 0;
  hash(floor, tag);
  kr_bench_keep(tag);
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  if (cipher == NULL ||
      EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, floor->key + 32, floor->iv) != 1 ||
      EVP_DecryptUpdate(cipher, plain, &first, floor->sealed, (int)floor->sealed_len) != 1 ||
      EVP_DecryptFinal_ex(cipher, plain + first, &last) != 1)
    kr_bench_die("evp", "cannot decrypt");
  EVP_CIPHER_CTX_free(cipher);
  kr_bench_keep(plain);
}

void kr_bench_floor_both(void *ctx) {
  kr_bench_floor_get(ctx);
  kr_bench_floor_decrypt(ctx);
}

static void put_and_commit(kr_bench_floor *floor, unsigned n, bool is_new) {
  MDB_txn *txn = NULL;
  need(mdb_txn_begin(floor->env, NULL, 0, &txn), "begin");
  for (unsigned i = 0; i < n; i++)
    put_pair(floor, txn, is_new ? NEW_RECORDS + floor->n_new++ : next_record(floor));
  need(mdb_txn_commit(txn), "commit");
}

double kr_bench_floor_put_many(void *ctx, size_t n_calls) {
  const kr_bench_floor_many *many = ctx;
  double start = kr_bench_now_ns();
  size_t n_done = 0;
  for (; n_done < n_calls; n_done += many->n)
    put_and_commit(many->floor, many->n, many->is_new);
  return (kr_bench_now_ns() - start) * (double)n_calls / (double)n_done;
}
