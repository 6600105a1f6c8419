/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rendered.c - the life of a kr_rendered: bytes in sensitive memory, spans on
 * the heap, since a span says where a secret is and not what it is.
 */
#include "vm/render.h"

#include "secmem/sensitive.h"

#include <stdlib.h>

#define KR_RENDERED_FIRST_SPANS 16u

void kr_rendered_init(kr_rendered *rendered) {
  *rendered = (kr_rendered){.buf = KR_BUF_INIT(KR_LIMIT_BODY_BYTES, kr_sensitive_memory())};
}

void kr_rendered_done(kr_rendered *rendered) {
  kr_buf_done(&rendered->buf);
  free(rendered->spans);
  rendered->spans = NULL;
  rendered->n_spans = 0;
  rendered->cap_spans = 0;
}

kr_status kr_rendered_reserve_spans(kr_rendered *rendered, uint32_t extra) {
  if (extra <= rendered->cap_spans - rendered->n_spans)
    return KR_OK;
  if (extra > KR_LIMIT_SPANS - rendered->n_spans)
    return KR_LIMIT;
  uint32_t wanted = rendered->n_spans + extra;
  uint32_t cap =
      rendered->cap_spans < KR_RENDERED_FIRST_SPANS ? KR_RENDERED_FIRST_SPANS : rendered->cap_spans;
  while (cap < wanted)
    cap *= 2;
  kr_span *spans = realloc(rendered->spans, cap * sizeof *spans);
  if (spans == NULL)
    return KR_NOMEM;
  rendered->spans = spans;
  rendered->cap_spans = cap;
  return KR_OK;
}

kr_status kr_rendered_append(kr_rendered *rendered, const kr_rendered *more) {
  KR_TRY(kr_rendered_reserve_spans(rendered, more->n_spans));
  size_t shift = rendered->buf.len;
  if (shift > UINT32_MAX - more->buf.len)
    return KR_LIMIT;
  KR_TRY(kr_buf_append(&rendered->buf, kr_buf_str(&more->buf)));
  for (uint32_t i = 0; i < more->n_spans; i++) {
    kr_span span = more->spans[i];
    span.offset += (uint32_t)shift;
    rendered->spans[rendered->n_spans++] = span;
  }
  rendered->is_partial = rendered->is_partial || more->is_partial;
  return KR_OK;
}
