/* SPDX-License-Identifier: Apache-2.0 */
/*
 * escapes.h - where the bytes of a reading lie in the raw text. Readings fork
 * at escapes, so what they took is a tree, each escape pointing to the one
 * before it, with jump pointers (Myers, 1983) to find one in logarithmic time:
 *
 *   reading A -> e9 -> e7 -> e2        reading B -> e8 -> e7 -> e2
 *
 * Escapes live in a ring by id; those behind the frontier are forgotten.
 * Positions and one spelled byte each: sensitive memory.
 */
#ifndef KR_REDACT_ESCAPES_H
#define KR_REDACT_ESCAPES_H

#include "base/memory.h"
#include "base/status.h"

typedef struct kr_redact_escape {
  uint64_t raw_start;
  uint64_t first;    /* index, in its reading, of the first byte it spells */
  uint64_t previous; /* ids; 0 or forgotten: none */
  uint64_t jump;
  uint64_t rank; /* escapes before it in its reading */
  uint64_t jump_rank;
  uint8_t raw_len;
  uint8_t n_bytes;
} kr_redact_escape;

typedef struct kr_redact_escapes {
  kr_redact_escape *ring;
  size_t cap;         /* a power of two */
  uint64_t last;      /* newest id; ids start at 1 */
  uint64_t forgotten; /* ids up to this one are gone */
} kr_redact_escapes;

void kr_redact_escapes_done(kr_redact_escapes *escapes);

/** Append after `previous`; frees what ends at or before frontier. Sets *ret_id. */
kr_status kr_redact_escapes_add(kr_redact_escapes *escapes, uint64_t previous, uint64_t raw_start,
                                uint8_t raw_len, uint64_t first, uint8_t n_bytes, uint64_t frontier,
                                uint64_t *ret_id) KR_MUST_USE;

/** Is there no room without growing or forgetting? Then a frontier is worth computing. */
static inline bool kr_redact_escapes_is_full(const kr_redact_escapes *escapes) {
  return escapes->last - escapes->forgotten >= escapes->cap;
}

/** Undo the last add. */
static inline void kr_redact_escapes_undo(kr_redact_escapes *escapes) { escapes->last--; }

/**
 * Raw start of byte `index` of a reading that took the escapes up to `id` and
 * has read `count` bytes up to raw position `end`. index must not lie behind
 * what was forgotten.
 */
uint64_t kr_redact_escapes_locate(const kr_redact_escapes *escapes, uint64_t id, uint64_t index,
                                  uint64_t count, uint64_t end);

#endif
