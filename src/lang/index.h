/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index.h - finds a row of a table that grows, by hash: distinct slots, steps
 * and references of a program. Cells hold the hash and the row + 1 (0: empty),
 * open addressing, at most half full. The rows are the caller's, who also
 * decides what equal means. At most KR_LIMIT_SLOTS rows or so, hence bounded
 * also when hashes collide.
 *
 *   uint32_t row;
 *   for (kr_index_probe at = kr_index_begin(&index, hash); kr_index_next(&at, &row);)
 *     if (equal(rows[row], wanted)) return row;
 *   status = kr_index_add(&index, hash, n_rows);
 */
#ifndef KR_LANG_INDEX_H
#define KR_LANG_INDEX_H

#include "base/status.h"
#include "base/str.h"

#define KR_INDEX_FIRST_CELLS 128u

typedef struct kr_index_cell {
  uint32_t hash;
  uint32_t row;
} kr_index_cell;

typedef struct kr_index {
  kr_index_cell *cells; /* NULL: nothing was added yet */
  uint32_t n_cells;     /* a power of two */
  uint32_t n_rows;
} kr_index;

typedef struct kr_index_probe {
  const kr_index *index;
  uint32_t hash;
  uint32_t at;
} kr_index_probe;

static inline uint64_t kr_index_mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
  return hash ^ hash >> 29;
}

uint64_t kr_index_hash(kr_str text);

static inline kr_index_probe kr_index_begin(const kr_index *index, uint64_t hash) {
  return (kr_index_probe){.index = index, .hash = (uint32_t)hash, .at = (uint32_t)hash};
}

/** The next row with this hash; false when there is none. */
static inline bool kr_index_next(kr_index_probe *probe, uint32_t *ret_row) {
  const kr_index *index = probe->index;
  while (index->cells != NULL) {
    const kr_index_cell *cell = &index->cells[probe->at & (index->n_cells - 1)];
    if (cell->row == 0)
      return false;
    probe->at++;
    if (cell->hash == probe->hash) {
      *ret_row = cell->row - 1;
      return true;
    }
  }
  return false;
}

kr_status kr_index_add(kr_index *index, uint64_t hash, uint32_t row) KR_MUST_USE;
void kr_index_done(kr_index *index);

#endif
