/* SPDX-License-Identifier: Apache-2.0 */
/* rendered.c - the container of rendered bytes, for a tree without the renderer. */
#include "secmem/sensitive.h"
#include "vm/render.h"

#include <stdlib.h>

void kr_rendered_init(kr_rendered *rendered) {
  memset(rendered, 0, sizeof *rendered);
  rendered->buf = KR_BUF_INIT(KR_LIMIT_BODY_BYTES, kr_sensitive_memory());
}

void kr_rendered_done(kr_rendered *rendered) {
  free(rendered->spans);
  kr_buf_done(&rendered->buf);
  kr_rendered_init(rendered);
}
