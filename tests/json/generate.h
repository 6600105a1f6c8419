/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.h - random JSON documents from a seed, valid or damaged, for the
 * property and differential tests. The same seed gives the same document.
 */
#ifndef KR_TEST_JSON_GENERATE_H
#define KR_TEST_JSON_GENERATE_H

#include "base/buf.h"

typedef struct generator {
  uint64_t state; /* not 0 */
  kr_buf out;     /* the document */
} generator;

/** A random number below bound (bound > 0). */
uint32_t generate_below(generator *gen, uint32_t bound);

/** Append one valid document: any type, blanks, escapes, unique keys. */
void generate_document(generator *gen);

/** Damage the document: change, insert, delete or repeat bytes, or cut it. */
void generate_damage(generator *gen);

#endif
