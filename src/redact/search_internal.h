/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_internal.h - what the parts of the search share. See search.c for the
 * walk, search_build.c for the tables, search_plan.c for the choice of tiers,
 * search_kernels.h for the loops over text.
 *
 * A search is a list of passes. Each pass owns the needles of a range of
 * lengths and walks the text with one kind of filter:
 *
 *   text --probe--> filter --(rare)--> offsets --> heads --> needle --> next needle ... exact
 * compare "this gram may    "if so, k    "needles whose anchor gram be in a window"   bytes into
 * has this hash" one"
 *
 * The window of a needle is the stretch of `stride` gram positions that begins
 * at its byte `window`. Its anchor is the gram `lead` bytes behind that, the
 * same in all needles of a pass; it tells needles with a common head apart.
 *
 *   needle   ....|=gram=|..............................
 *                 |=gram=|         stride gram positions, all in the filter: any
 *                  ...             `stride` neighbouring places of the text
 *                   |=gram=|       hold exactly one that is probed
 *                            |anchor|
 *                ^window     ^window + lead
 *
 * Everything lies in one block of sensitive memory and is immutable.
 */
#ifndef KR_REDACT_SEARCH_INTERNAL_H
#define KR_REDACT_SEARCH_INTERNAL_H

#include "redact/search.h"

/* For what is large: -ftrivial-auto-var-init would clear it for each record. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define KR_SEARCH_UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef KR_SEARCH_UNINITIALIZED
#define KR_SEARCH_UNINITIALIZED
#endif

#define KR_SEARCH_PASSES 4u  /* at most, in one search */
#define KR_SEARCH_GROUP 8u   /* probes between two branches */
#define KR_SEARCH_HITS 2048u /* occurrences that wait for the end of their block */
#define KR_SEARCH_NUMBER_MASK                                                                      \
  0xffffffu                  /* of a head: the number; the bits above see kr_search_head_bit() */
#define KR_SEARCH_OFFSETS 4u /* in one slot of the offsets table */
#define KR_SEARCH_MORE 255u  /* as an offset: there are more than fit into the slot */
#define KR_SEARCH_FAR_BYTES 1048576u /* texts from this length are prefetched */
#define KR_SEARCH_PREFETCH_BYTES 6144u
#define KR_SEARCH_SHUFFLE_BYTES 6u /* text bytes a shuffle filter looks at, at most */
#define KR_SEARCH_CHUNK 1024u      /* text bytes whose anchors are collected at a time */
#define KR_SEARCH_NOTED 16u        /* places written at once, at most, beyond those there are */
#define KR_SEARCH_BUCKETS 8u       /* of a shuffle filter: bits of its table entries */

/* The price of verifying, and what a block of KR_SEARCH_DENSE_BYTES may cost (4 units a byte). */
#define KR_SEARCH_CANDIDATE_UNITS 8
#define KR_SEARCH_BYTES_A_UNIT 8
#define KR_SEARCH_BLOCK_UNITS (4 * (int64_t)KR_SEARCH_DENSE_BYTES)

#define KR_SEARCH_STOPPED SIZE_MAX /* a kernel's answer when the block is dense */

typedef struct kr_search_needle {
  uint64_t tail;  /* the last 8 bytes, compared first: near misses mostly differ there */
  uint32_t at;    /* of its bytes in kr_search.bytes */
  uint32_t len;   /* in bytes */
  uint32_t next;  /* number of the next needle with this hash of the anchor, 0: none */
  uint8_t window; /* byte where the window begins */
} kr_search_needle;

typedef enum kr_search_tier {
  KR_SEARCH_GRAMS8,  /* 8-byte grams every stride bytes */
  KR_SEARCH_GRAMS4,  /* 4-byte (3-byte) grams every stride bytes */
  KR_SEARCH_ANCHORS, /* 8-byte grams where the text has one of the bytes that windows begin with */
  KR_SEARCH_SHUFFLE  /* tables for 2, 3, 4 or 6 neighbouring bytes, at every place */
} kr_search_tier;

typedef struct kr_search_walk kr_search_walk;
typedef struct kr_search_pass kr_search_pass;

/**
 * Walk the places of text from `at` to before `end` (further is fine), call
 * kr_search_verify() for those the filter lets through, and return the next
 * place to look at, or KR_SEARCH_STOPPED as soon as the verifier says so.
 */
typedef size_t (*kr_search_kernel)(kr_search_walk *walk, const kr_search_pass *pass, size_t at,
                                   size_t end);

struct kr_search_pass {
  kr_search_kernel near; /* for texts in cache */
  kr_search_kernel far;  /* for long ones: prefetches */
  uint64_t multiplier;   /* odd */
  uint64_t fold;         /* 0x20 in every byte, or 0 */
  const void *filter;    /* GRAMS8, ANCHORS: uint64_t words; GRAMS4: uint32_t words */
  const uint32_t
      *offsets; /* slots of four bytes: offset + 1, 0: none; NULL: always 0 bytes into a window */
  const uint32_t *heads; /* needle numbers (index + 1), 0: none */
  const uint8_t *tables; /* SHUFFLE, ANCHORS: [n_bytes][kr_search_kernels.table_bytes] */
  uint32_t stride;
  uint32_t lead; /* from the window to the anchor, in bytes; */
  uint32_t back; /* less these, where a shuffle looks at fewer bytes than a gram has */
  uint32_t n_needles;
  uint32_t min_len; /* needles of this pass: clamped length from min_len */
  uint32_t max_len; /* to max_len */
  uint8_t gram_len; /* 8, 4 or 3 */
  uint8_t n_bytes;  /* SHUFFLE: bytes looked at; ANCHORS: 1 */
  uint8_t filter_shift;
  uint8_t offsets_shift;
  uint8_t heads_shift;
  uint8_t tier; /* kr_search_tier */
};

struct kr_search {
  size_t block_len;
  size_t max_len;
  size_t min_len;
  size_t n_needles;
  uint32_t n_passes;
  const kr_search_needle *needles; /* [number - 1] */
  const uint8_t *bytes;            /* of all needles, folded where fold_bit5 */
  kr_search_pass passes[KR_SEARCH_PASSES];
  char plan[64];
};

typedef struct kr_search_hit {
  uint32_t start; /* from kr_search_walk.base */
  uint32_t needle;
} kr_search_hit;

/* The state of one walk over one text, on the stack. */
struct kr_search_walk {
  const kr_search *search;
  const uint8_t *text;
  size_t len;
  size_t from;
  size_t base;        /* nothing that waits starts before it */
  int64_t units_left; /* of this block */
  uint64_t candidates;
  uint64_t compared_bytes;
  size_t n_hits;
  kr_search_hit hits[KR_SEARCH_HITS]; /* not initialised */
};

/*
 * The table of one byte of a shuffle: buckets by the byte; by its lower seven
 * bits; or by its lower, then by its higher nibble, both of which must agree.
 */
#define KR_SEARCH_WHOLE_BYTES 256u
#define KR_SEARCH_HALVED_BYTES 128u
#define KR_SEARCH_NIBBLES_BYTES 32u

/** The loops of one instruction set. */
typedef struct kr_search_kernels {
  kr_search_kernel grams8, grams8_far;
  kr_search_kernel grams4, grams4_far;
  kr_search_kernel shuffle, shuffle_far;
  kr_search_kernel anchors, anchors_far;
  uint32_t table_bytes; /* how a shuffle's tables lie: one of the numbers below */
} kr_search_kernels;

extern const kr_search_kernels kr_search_scalar;
#ifdef KR_SEARCH_X86
extern const kr_search_kernels kr_search_ssse3;
extern const kr_search_kernels kr_search_avx2;
extern const kr_search_kernels kr_search_avx512;
#endif
#ifdef KR_SEARCH_NEON
extern const kr_search_kernels kr_search_neon;
#endif

/** A zeroed block of sensitive memory, or NULL; to be released with the same len (search_memory.c).
 */
void *kr_search_block_alloc(size_t len) KR_MUST_USE;
/** Wipes it, and keeps it for the next search or gives it back. */
void kr_search_block_release(void *ptr, size_t len);

/** The gram at `at` passed the filter: find and record what occurs there. False: stop, the block is
 * dense. */
bool kr_search_verify(kr_search_walk *walk, const kr_search_pass *pass, size_t at) KR_MUST_USE;

/**
 * Of eight places from `group` on, those found, the ones that kr_search_verify() would look at a
 * needle for: in near misses hardly any. GRAMS8 only.
 */
uint64_t kr_search_refine(const kr_search_walk *walk, const kr_search_pass *pass,
                          const uint8_t *group, uint64_t found) KR_MUST_USE;

static inline uint64_t kr_search_load8(const uint8_t *ptr) {
  uint64_t word = 0;
  memcpy(&word, ptr, sizeof word);
  return word;
}

static inline uint32_t kr_search_load4(const uint8_t *ptr) {
  uint32_t word = 0;
  memcpy(&word, ptr, sizeof word);
  return word;
}

/** gram_len bytes as a number; reads no further. */
static inline uint64_t kr_search_gram(const uint8_t *ptr, uint8_t gram_len) {
  if (gram_len == 8)
    return kr_search_load8(ptr);
  if (gram_len == 4)
    return kr_search_load4(ptr);
  return (uint64_t)ptr[0] | (uint64_t)ptr[1] << 8 | (uint64_t)ptr[2] << 16;
}

/** A head has this bit for each needle of its chain: most others are refused without a look at one.
 */
static inline uint32_t kr_search_head_bit(uint64_t hash) { return 1u << (24 + (hash >> 29 & 7)); }

/* GRAMS8: a word by the highest bits of the product, two bits in it by the next ones. */
static inline uint64_t kr_search_bits8(uint64_t hash) {
  return 1ull << ((hash >> 41) & 63) | 1ull << ((hash >> 35) & 63);
}

/* GRAMS4: the same with 32 bits. */
static inline uint32_t kr_search_hash4(uint32_t gram, uint64_t multiplier) {
  return gram * (uint32_t)(multiplier >> 32 | 1);
}

static inline uint32_t kr_search_bits4(uint32_t hash) {
  return 1u << ((hash >> 12) & 31) | 1u << ((hash >> 7) & 31);
}

#endif
