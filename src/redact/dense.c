/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dense.c - handing text over from the filters to the automaton, and back. The
 * automaton starts at its root, so it sees only what starts in its range; it
 * reads on behind the range while something from inside is open, at most as far
 * as the longest needle.
 */
#include "redact/dense.h"

#define KR_DENSE_PHASES 64u         /* more than most strides */
#define KR_DENSE_STRETCHES 8u       /* read by turns */
#define KR_DENSE_STRETCH_BYTES 256u /* at least; below that one after the other */

static void kr_dense_report(const kr_redact_automaton *a, uint32_t node, size_t end, size_t to,
                            kr_search_visit visit, void *ctx) {
  for (uint32_t t = a->outs[node]; t != 0; t = a->terminals[t].next) {
    const kr_redact_terminal *terminal = &a->terminals[t];
    size_t start = end - terminal->len;
    if (start >= to)
      return; /* those behind it in the chain are shorter and start later */
    for (uint32_t i = 0; i < terminal->count; i++)
      visit(ctx, a->meanings[terminal->first + i].value, start);
  }
}

/* What is open at `to` goes on to its end; what starts there is not ours. */
static void kr_dense_finish(const kr_redact_automaton *automaton, kr_str text, uint32_t node,
                            size_t to, kr_search_visit visit, void *ctx) {
  for (size_t pos = to; pos < text.len && pos < to + automaton->depth[node]; pos++) {
    node = kr_redact_step(automaton, node, text.ptr[pos]);
    if (automaton->outs[node] != 0)
      kr_dense_report(automaton, node, pos + 1, to, visit, ctx);
  }
}

/*
 * A step waits for memory for what the step before it found, so several
 * stretches are read by turns: an occurrence belongs to the one it starts in.
 */
static void kr_dense_stretches(const kr_redact_automaton *automaton, kr_str text, size_t from,
                               size_t len, kr_search_visit visit, void *ctx) {
  uint32_t nodes[KR_DENSE_STRETCHES] = {0};
  for (size_t pos = from; pos < from + len; pos++)
#pragma GCC unroll 8
    for (unsigned i = 0; i < KR_DENSE_STRETCHES; i++) {
      nodes[i] = kr_redact_step(automaton, nodes[i], text.ptr[pos + i * len]);
      if (__builtin_expect(automaton->outs[nodes[i]] != 0, 0))
        kr_dense_report(automaton, nodes[i], pos + i * len + 1, SIZE_MAX, visit, ctx);
    }
  for (unsigned i = 0; i < KR_DENSE_STRETCHES; i++)
    kr_dense_finish(automaton, text, nodes[i], from + (i + 1) * len, visit, ctx);
}

void kr_dense_read(const kr_redact_automaton *automaton, kr_str text, size_t from, size_t to,
                   kr_search_visit visit, void *ctx) {
  size_t len = (to - from) / KR_DENSE_STRETCHES;
  if (len >= KR_DENSE_STRETCH_BYTES && len >= automaton->max_len) {
    kr_dense_stretches(automaton, text, from, len, visit, ctx);
    from += len * KR_DENSE_STRETCHES;
  }
  uint32_t node = 0;
  for (size_t pos = from; pos < to; pos++) {
    node = kr_redact_step(automaton, node, text.ptr[pos]);
    if (automaton->outs[node] != 0)
      kr_dense_report(automaton, node, pos + 1, SIZE_MAX, visit, ctx);
  }
  kr_dense_finish(automaton, text, node, to, visit, ctx);
}

kr_status kr_dense_each(const kr_search *search, kr_dense_need need, kr_str text, size_t from,
                        kr_search_visit visit, void *ctx, kr_search_work *work) {
  size_t n_blocks = 0;
  size_t n_tries = 0;
  for (;;) {
    size_t at = kr_search_each_counted(search, text, from, visit, ctx, work);
    if (at >= text.len)
      return KR_OK;
    const kr_redact_automaton *automaton = need(ctx);
    if (automaton == NULL)
      return KR_NOMEM;
    /* Given up in its first block: what follows a dense range is dense as well. */
    bool is_calmer = at > from || n_blocks == 0;
    n_blocks = is_calmer ? 1 : n_blocks < KR_DENSE_MAX_BLOCKS ? 2 * n_blocks : KR_DENSE_MAX_BLOCKS;
    /* Filters sample at every so many bytes; in periodic text another phase may find nothing. */
    size_t dense = n_blocks * KR_SEARCH_DENSE_BYTES + n_tries++ % KR_DENSE_PHASES;
    from = text.len - at < dense ? text.len : at + dense;
    kr_dense_read(automaton, text, at, from, visit, ctx);
    if (from == text.len)
      return KR_OK;
  }
}
