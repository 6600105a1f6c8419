/* SPDX-License-Identifier: Apache-2.0 */
/*
 * naive.h - the redactor once more, slow and plain, for differential tests: for
 * every form of every value and every start in the text, try every spelling.
 * It has its own readers and encoders. Leaves of structured values it does not
 * know; reference.py does. Also: sets, cases and random text.
 */
#ifndef KR_TEST_NAIVE_H
#define KR_TEST_NAIVE_H

#include "redact/redact.h"

typedef struct kr_naive_value {
  const uint8_t *ptr;
  size_t len;
} kr_naive_value;

/** Append the redacted text; returns how many matches there were. */
size_t kr_naive_redact(const kr_naive_value *values, size_t n_values, kr_str text, kr_buf *out);

/** The same without output: covered[i] says that byte i is removed. */
size_t kr_naive_cover(const kr_naive_value *values, size_t n_values, kr_str text, bool *covered);

/** Append value with every line break as "\n" (style 0), "\r\n" (1) or "\r" (2). */
void kr_naive_break(kr_naive_value value, size_t style, kr_buf *out);

/** A set of these values, named "V0", "V1", ...; aborts on failure. */
kr_redact_set *kr_naive_set(const kr_naive_value *values, size_t n_values);

/** xorshift64*: the same sequence on every machine. */
uint64_t kr_naive_random(uint64_t *state);
size_t kr_naive_below(uint64_t *state, size_t bound);

/** Append value in a random form: any mix of spellings, base64 inside other text, hex. */
void kr_naive_spell(uint64_t *state, kr_str value, kr_buf *out);

#endif
