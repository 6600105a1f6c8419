/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_floor.h - what lies below the vault, alone: LMDB with records of the
 * same sizes at keys like the vault's, and OpenSSL's EVP calls over the same
 * bytes. What krosyn takes beyond their sum is its own.
 */
#ifndef KR_BENCH_VAULT_FLOOR_H
#define KR_BENCH_VAULT_FLOOR_H

#include <stddef.h>

typedef struct kr_bench_floor kr_bench_floor;

/** In folder/floor; n_records pairs of metadata and sealed value. Ends the process when it fails.
 */
kr_bench_floor *kr_bench_floor_new(const char *folder, unsigned n_records, unsigned batch);
void kr_bench_floor_free(kr_bench_floor *floor);

void kr_bench_floor_get(void *floor);     /* read transaction, two gets */
void kr_bench_floor_decrypt(void *floor); /* HMAC-SHA-512 and AES-256-CBC, fresh contexts */
void kr_bench_floor_both(void *floor);
void kr_bench_floor_put(void *floor); /* two puts, a durable commit */
double kr_bench_floor_put_batch(void *floor, size_t n_calls);

#endif
