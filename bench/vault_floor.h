/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_floor.h - what lies below the vault, alone: LMDB with records of the
 * same sizes at keys like the vault's, and OpenSSL's EVP calls over the same
 * bytes. What krosyn takes beyond their sum is its own.
 */
#ifndef KR_BENCH_VAULT_FLOOR_H
#define KR_BENCH_VAULT_FLOOR_H

#include <stdbool.h>
#include <stddef.h>

typedef struct kr_bench_floor kr_bench_floor;

/** In folder/floor; n_records pairs of metadata and sealed value. Ends the process when it fails.
 */
kr_bench_floor *kr_bench_floor_new(const char *folder, unsigned n_records);
void kr_bench_floor_free(kr_bench_floor *floor);

void kr_bench_floor_get(void *floor);     /* read transaction, two gets */
void kr_bench_floor_decrypt(void *floor); /* HMAC-SHA-512 and AES-256-CBC, fresh contexts */
void kr_bench_floor_both(void *floor);

/** n pairs in one durable commit, known ones in any order or new ones in order of their keys; the
 * time is that of n_calls pairs. */
typedef struct kr_bench_floor_many {
  kr_bench_floor *floor;
  unsigned n;
  bool is_new;
} kr_bench_floor_many;
double kr_bench_floor_put_many(void *many, size_t n_calls);

#endif
