/* SPDX-License-Identifier: Apache-2.0 */
/* search_scalar.c - the kernels in plain C: what all others must agree with. */
#include "redact/search_internal.h"

#define KR_SEARCH_TABLE kr_search_scalar
#define KR_SEARCH_LANES 8u
#define KR_SEARCH_LANES_BYTES 32u
#define KR_SEARCH_PLACES 8u
#define KR_SEARCH_TABLE_BYTES KR_SEARCH_WHOLE_BYTES

typedef struct kr_shuffle_tables {
  const uint8_t *bytes; /* [KR_SEARCH_SHUFFLE_BYTES][256] */
} kr_shuffle_tables;

static inline void kr_shuffle_load(kr_shuffle_tables *tables, const uint8_t *from,
                                   unsigned n_bytes) {
  (void)n_bytes;
  tables->bytes = from;
}

static inline uint64_t kr_lanes_shuffle(const uint8_t *ptr, const kr_shuffle_tables *tables,
                                        unsigned n_bytes) {
  const uint8_t *bytes = tables->bytes;
  uint64_t found = 0;
  for (unsigned i = 0; i < KR_SEARCH_PLACES; i++) {
    unsigned buckets = bytes[ptr[i]];
    for (unsigned k = 1; k < n_bytes; k++)
      buckets &= bytes[KR_SEARCH_TABLE_BYTES * k + ptr[i + k]];
    found |= (uint64_t)(buckets != 0) << i;
  }
  return found;
}

#include "redact/search_kernels.h"
