/* SPDX-License-Identifier: Apache-2.0 */
/* escapes.c - the ring of escapes and the search back through one reading. */
#include "redact/escapes.h"

#include "secmem/sensitive.h"

#define KR_REDACT_FIRST_ESCAPES 64u

static kr_redact_escape *kr_redact_escape_at(const kr_redact_escapes *escapes, uint64_t id) {
  if (id <= escapes->forgotten)
    return NULL;
  return &escapes->ring[id & (escapes->cap - 1)];
}

void kr_redact_escapes_done(kr_redact_escapes *escapes) {
  if (escapes->ring != NULL)
    kr_sensitive_memory()->release(escapes->ring, escapes->cap * sizeof(kr_redact_escape));
  *escapes = (kr_redact_escapes){0};
}

static kr_status kr_redact_escapes_grow(kr_redact_escapes *escapes) {
  kr_redact_escapes grown = *escapes;
  grown.cap = escapes->cap == 0 ? KR_REDACT_FIRST_ESCAPES : escapes->cap * 2;
  grown.ring = kr_sensitive_memory()->alloc(grown.cap * sizeof(kr_redact_escape));
  if (grown.ring == NULL)
    return KR_NOMEM;
  for (uint64_t id = escapes->forgotten + 1; id <= escapes->last; id++)
    *kr_redact_escape_at(&grown, id) = *kr_redact_escape_at(escapes, id);
  kr_redact_escapes_done(escapes);
  *escapes = grown;
  return KR_OK;
}

static void kr_redact_escapes_forget(kr_redact_escapes *escapes, uint64_t frontier) {
  while (escapes->forgotten < escapes->last) {
    const kr_redact_escape *oldest = kr_redact_escape_at(escapes, escapes->forgotten + 1);
    if (oldest->raw_start + oldest->raw_len > frontier)
      return;
    escapes->forgotten++;
  }
}

/* The jump of an escape after previous: skew binary numbers, so that chains stay logarithmic. */
static void kr_redact_escape_link(const kr_redact_escapes *escapes, uint64_t previous,
                                  kr_redact_escape *escape) {
  const kr_redact_escape *before = kr_redact_escape_at(escapes, previous);
  escape->previous = previous;
  if (before == NULL)
    return;
  escape->rank = before->rank + 1;
  escape->jump = previous;
  escape->jump_rank = before->rank;
  const kr_redact_escape *far = kr_redact_escape_at(escapes, before->jump);
  if (far == NULL || before->rank - before->jump_rank != far->rank - far->jump_rank)
    return;
  escape->jump = far->jump;
  escape->jump_rank = far->jump_rank;
}

kr_status kr_redact_escapes_add(kr_redact_escapes *escapes, uint64_t previous, uint64_t raw_start,
                                uint8_t raw_len, uint64_t first, uint8_t n_bytes, uint64_t frontier,
                                uint64_t *ret_id) {
  if (kr_redact_escapes_is_full(escapes)) {
    kr_redact_escapes_forget(escapes, frontier);
    /* Room for at least half the ring keeps forgetting amortised constant. */
    if (escapes->last - escapes->forgotten >= escapes->cap / 2)
      KR_TRY(kr_redact_escapes_grow(escapes));
  }
  kr_redact_escape escape = {
      .raw_start = raw_start, .first = first, .raw_len = raw_len, .n_bytes = n_bytes};
  kr_redact_escape_link(escapes, previous, &escape);
  escapes->last++;
  *kr_redact_escape_at(escapes, escapes->last) = escape;
  *ret_id = escapes->last;
  return KR_OK;
}

uint64_t kr_redact_escapes_locate(const kr_redact_escapes *escapes, uint64_t id, uint64_t index,
                                  uint64_t count, uint64_t end) {
  const kr_redact_escape *found = NULL; /* the oldest escape that is not wholly before index */
  const kr_redact_escape *at = kr_redact_escape_at(escapes, id);
  while (at != NULL && at->first + at->n_bytes > index) {
    found = at;
    const kr_redact_escape *far = kr_redact_escape_at(escapes, at->jump);
    bool is_far_behind = far != NULL && far->first + far->n_bytes > index;
    at = is_far_behind ? far : kr_redact_escape_at(escapes, at->previous);
  }
  if (found == NULL)
    return end - (count - index);
  if (index >= found->first)
    return found->raw_start;
  return found->raw_start - (found->first - index);
}
