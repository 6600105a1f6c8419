/* SPDX-License-Identifier: Apache-2.0 */
/* document.c - see document.h. */
#include "engine/document.h"

kr_status kr_document_parse(const char *what, kr_str text, kr_arena *arena,
                            const kr_json **ret_json, kr_error *reterr) {
  kr_error cause = {0};
  kr_status status = kr_json_parse(text, NULL, arena, ret_json, &cause);
  if (status == KR_OK)
    return KR_OK;
  (void)kr_fail(reterr, status, "the %s is not valid JSON at byte %zu: %s", what, cause.span_offset,
                cause.message);
  kr_error_hint(reterr, "%s", cause.hint);
  kr_error_at(reterr, what, cause.span_offset, cause.span_len);
  return status;
}
