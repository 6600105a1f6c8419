/* SPDX-License-Identifier: Apache-2.0 */
/* scratch.c - one shot after one shot, over kr_redact_spans. */
#include "redact/redact.h"

#include <stdlib.h>

struct kr_redact_scratch {
  kr_redact_report report; /* for who gives none: what was covered is told by its runs */
};

kr_status kr_redact_scratch_new(kr_redact_scratch **ret_scratch) {
  kr_redact_scratch *scratch = calloc(1, sizeof(*scratch));
  if (scratch == NULL)
    return KR_NOMEM;
  *ret_scratch = scratch;
  return KR_OK;
}

void kr_redact_scratch_free(kr_redact_scratch *scratch) {
  if (scratch == NULL)
    return;
  kr_redact_report_done(&scratch->report);
  free(scratch);
}

kr_status kr_redact_with(kr_redact_scratch *scratch, const kr_redact_set *set, kr_str input,
                         const kr_span *spans, size_t n_spans, const kr_redact_options *options,
                         kr_buf *out, kr_redact_report *report, bool *ret_is_unchanged) {
  kr_redact_report *used = report == NULL ? &scratch->report : report;
  uint64_t n_runs = used->n_runs;
  size_t len = out->len;
  KR_TRY(kr_redact_spans(set, input, spans, n_spans, options, out, used));
  *ret_is_unchanged = used->n_runs == n_runs;
  if (*ret_is_unchanged && out->len > len) {
    kr_wipe(out->ptr + len, out->len - len);
    out->len = len;
  }
  return KR_OK;
}
