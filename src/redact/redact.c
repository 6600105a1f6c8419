/* SPDX-License-Identifier: Apache-2.0 */
/* redact.c - one shot: the whole input is the scanner's window; output into a buffer. */
#include "redact/scan.h"

static kr_status kr_redact_to_buf(void *ctx, kr_str bytes, bool is_marker) {
  (void)is_marker;
  return kr_buf_append(ctx, bytes);
}

/* Cover the spans, and count them under the secrets they derive from. */
static kr_status kr_redact_cover_spans(kr_redact_scan *scan, const kr_span *spans, size_t n_spans) {
  for (size_t i = 0; i < n_spans; i++) {
    kr_redact_run run = {.start = spans[i].offset,
                         .end = (uint64_t)spans[i].offset + spans[i].len,
                         .value = KR_REDACT_NO_VALUE};
    if (spans[i].len == 0)
      continue;
    KR_TRY(kr_redact_cover_add(&scan->cover, run));
    for (uint32_t bit = 0; bit < KR_SECRETS_MAX && scan->report != NULL; bit++)
      if ((spans[i].secrets >> bit & 1) != 0)
        KR_TRY(kr_redact_report_add(scan->report, bit, KR_FORM_SPAN, 1));
  }
  return KR_OK;
}

/* On failure the caller sees out as it was. */
static void kr_redact_take_back(kr_buf *out, size_t len) {
  if (out->len > len)
    kr_wipe(out->ptr + len, out->len - len);
  out->len = len;
}

kr_status kr_redact_spans(const kr_redact_set *set, kr_str input, const kr_span *spans,
                          size_t n_spans, const kr_redact_options *options, kr_buf *out,
                          kr_redact_report *report) {
  KR_CLEANUP(kr_redact_scan_done) kr_redact_scan scan;
  size_t len = out->len;
  kr_redact_scan_init(&scan, set, options, kr_redact_to_buf, out, report);
  scan.spans = spans;
  scan.n_spans = n_spans;
  kr_status status = kr_redact_cover_spans(&scan, spans, n_spans);
  if (status == KR_OK)
    status = kr_redact_scan_advance(&scan, input, 0, true);
  if (status != KR_OK)
    kr_redact_take_back(out, len);
  return status;
}

kr_status kr_redact_bytes(const kr_redact_set *set, kr_str input, const kr_redact_options *options,
                          kr_buf *out, kr_redact_report *report) {
  return kr_redact_spans(set, input, NULL, 0, options, out, report);
}
