/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dense.h - a search (search.h) that reads a text to its end whatever is in it:
 * where the filters find too much, the automaton reads, and reads the more the
 * longer that lasts, so that hostile text costs little more than the automaton.
 *
 *   filters ....| gave up: automaton, 1 block | gave up at once: 2 blocks | 4 ... 64 | filters ....
 */
#ifndef KR_REDACT_DENSE_H
#define KR_REDACT_DENSE_H

#include "redact/automaton.h"
#include "redact/search.h"

#define KR_DENSE_MAX_BLOCKS 64u /* of KR_SEARCH_DENSE_BYTES, between two tries of the filters */

/**
 * The automaton of the search's needles, pattern value = index of the needle;
 * made at the first call, or earlier. NULL: no memory for it.
 */
typedef const kr_redact_automaton *(*kr_dense_need)(void *ctx);

/**
 * Report every occurrence in text from byte `from` on, each once, as
 * kr_search_each() does. need is called only when the filters give up; it and
 * visit get ctx. work (may be NULL) counts the filters' work alone.
 * Errors: KR_NOMEM when need has none; some occurrences are reported then.
 */
kr_status kr_dense_each(const kr_search *search, kr_dense_need need, kr_str text, size_t from,
                        kr_search_visit visit, void *ctx, kr_search_work *work) KR_MUST_USE;

/** By the automaton alone: every occurrence that starts in [from, to), to <= text.len. */
void kr_dense_read(const kr_redact_automaton *automaton, kr_str text, size_t from, size_t to,
                   kr_search_visit visit, void *ctx);

#endif
