/* SPDX-License-Identifier: Apache-2.0 */
/* rendered.c - the container of rendered bytes, for a tree without the renderer. */
#include "secmem/sensitive.h"
#include "vm/render.h"

void kr_rendered_init(kr_rendered *rendered) {
  memset(rendered, 0, sizeof *rendered);
  rendered->buf = KR_BUF_INIT(KR_LIMIT_BODY_BYTES, kr_sensitive_memory());
}

void kr_rendered_done(kr_rendered *rendered) {
  if (rendered->spans != NULL)
    kr_sensitive_memory()->release(rendered->spans, rendered->cap_spans * sizeof(kr_span));
  kr_buf_done(&rendered->buf);
  kr_rendered_init(rendered);
}
