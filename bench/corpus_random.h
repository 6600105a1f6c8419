/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_random.h - what corpus.c and corpus_text.c share: numbers from a seed, and giving up. */
#ifndef KR_BENCH_CORPUS_RANDOM_H
#define KR_BENCH_CORPUS_RANDOM_H

#include "base/status.h"

/** Marsaglia, Xorshift RNGs (2003), its multiplied form; *state must not be 0. */
static inline uint64_t kr_corpus_random(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return (*state * 0x2545f4914f6cdd1du) >> 16;
}

/** Ends the process when it is no KR_OK. */
void kr_corpus_try(kr_status status);

#endif
