/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secure.h - locked, guarded memory for keys and opened values.
 *
 * A kr_secure is one mapping:
 *
 *   | guard page | data: slots, each [header 32 | bytes | canary 16] | guard page |
 *
 * The data is mlock'ed, excluded from core dumps and zeroed in a forked child
 * (MADV_WIPEONFORK). Every slot is wiped when freed; a broken canary aborts
 * the process, since it means an overrun next to a key.
 *
 * A kr_secret is an opened value. It does not convert to kr_str: the only door
 * is kr_secret_reveal(), so that `grep -rn kr_secret_reveal src` lists every
 * place that can see one. Values over KR_SECURE_VALUE_BYTES live in sensitive
 * memory instead (docs/architecture.md, "Two classes of memory").
 */
#ifndef KR_SECMEM_SECURE_H
#define KR_SECMEM_SECURE_H

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/str.h"

#define KR_SECURE_POOL_BYTES (1024u * 1024u) /* ceiling of locked memory per pool */
#define KR_SECURE_VALUE_BYTES 4096u          /* longest value kept in locked memory */

typedef struct kr_secure kr_secure;
typedef struct kr_secret kr_secret;

/**
 * A pool of size_bytes (rounded up to pages, at most KR_SECURE_POOL_BYTES).
 * Threads: all functions on one pool may be called from any thread.
 * Errors: KR_NOMEM when the memory cannot be mapped or locked (RLIMIT_MEMLOCK);
 * the hint says how to raise the limit.
 */
kr_status kr_secure_new(size_t size_bytes, kr_secure **ret_pool, kr_error *reterr) KR_MUST_USE;

/** Wipes and unmaps everything, whatever is still allocated. */
void kr_secure_free(kr_secure *pool);
KR_DEFINE_FREEP(kr_secure_freep, kr_secure, kr_secure_free)

/** len zeroed bytes, 16-byte aligned; NULL when the pool is full. */
void *kr_secure_alloc(kr_secure *pool, size_t len) KR_MUST_USE;

/** Wipe and free; ptr from kr_secure_alloc of this pool, or NULL. */
void kr_secure_release(kr_secure *pool, void *ptr);

/** Bytes in use, headers included; 0 when all was freed. */
size_t kr_secure_used(kr_secure *pool);

/** Check all headers and canaries; aborts on damage (a bug). */
void kr_secure_validate(kr_secure *pool);

/**
 * A secret of len bytes, zeroed, to be filled through kr_secret_writable().
 * Locked memory to KR_SECURE_VALUE_BYTES, sensitive memory above.
 */
kr_status kr_secret_new(kr_secure *pool, size_t len, kr_secret **ret_secret) KR_MUST_USE;
KR_API void kr_secret_free(kr_secret *secret);
KR_DEFINE_FREEP(kr_secret_freep, kr_secret, kr_secret_free)

/** The bytes to fill; for the code that opens or reads a value, nowhere else. */
uint8_t *kr_secret_writable(kr_secret *secret);

/** Keep the first len bytes (len at most the current length); the rest is wiped. */
void kr_secret_truncate(kr_secret *secret, size_t len);

/** The door: borrows the value until the secret is freed. */
kr_str kr_secret_reveal(const kr_secret *secret);

#endif
