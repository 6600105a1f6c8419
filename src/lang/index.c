/* SPDX-License-Identifier: Apache-2.0 */
/* index.c - the parts of index.h that are no loop of their user. */
#include "lang/index.h"

#include <stdlib.h>

/* The last word overlaps the one before; a text of less than eight bytes is two overlapping halves.
 */
uint64_t kr_index_hash(kr_str text) {
  uint64_t hash = text.len;
  uint64_t word = 0;
  if (text.len >= sizeof(word)) {
    for (size_t at = 0; at < text.len - sizeof(word); at += sizeof(word)) {
      memcpy(&word, text.ptr + at, sizeof(word));
      hash = kr_index_mix(hash, word);
    }
    memcpy(&word, text.ptr + text.len - sizeof(word), sizeof(word));
    return kr_index_mix(hash, word);
  }
  uint32_t half = 0;
  if (text.len >= sizeof(half)) {
    memcpy(&half, text.ptr, sizeof(half));
    word = half;
    memcpy(&half, text.ptr + text.len - sizeof(half), sizeof(half));
    return kr_index_mix(hash, word << 32 | half);
  }
  for (size_t at = 0; at < text.len; at++)
    word = word << 8 | text.ptr[at];
  return kr_index_mix(hash, word);
}

static void kr_index_place(kr_index *index, kr_index_cell added) {
  uint32_t at = added.hash;
  while (index->cells[at & (index->n_cells - 1)].row != 0)
    at++;
  index->cells[at & (index->n_cells - 1)] = added;
}

static kr_status kr_index_grow(kr_index *index) {
  kr_index grown = {.n_cells = index->n_cells == 0 ? KR_INDEX_FIRST_CELLS : index->n_cells * 2,
                    .n_rows = index->n_rows};
  grown.cells = calloc(grown.n_cells, sizeof(kr_index_cell));
  if (grown.cells == NULL)
    return KR_NOMEM;
  for (uint32_t i = 0; i < index->n_cells; i++)
    if (index->cells[i].row != 0)
      kr_index_place(&grown, index->cells[i]);
  free(index->cells);
  *index = grown;
  return KR_OK;
}

kr_status kr_index_add(kr_index *index, uint64_t hash, uint32_t row) {
  if ((index->n_rows + 1) * 2 > index->n_cells)
    KR_TRY(kr_index_grow(index));
  kr_index_place(index, (kr_index_cell){.hash = (uint32_t)hash, .row = row + 1});
  index->n_rows++;
  return KR_OK;
}

void kr_index_done(kr_index *index) {
  free(index->cells);
  *index = (kr_index){0};
}
