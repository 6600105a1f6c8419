/* SPDX-License-Identifier: Apache-2.0 */
/* redact.c - one shot: the whole input is the scanner's window; output into a buffer. */
#include "redact/scan.h"
#include "secmem/sensitive.h"

static kr_status kr_redact_to_buf(void *ctx, kr_str bytes, bool is_marker) {
  (void)is_marker;
  return kr_buf_append(ctx, bytes);
}

static kr_status kr_redact_cover_spans(kr_redact_cover *cover, const kr_span *spans,
                                       size_t n_spans) {
  for (size_t i = 0; i < n_spans; i++) {
    kr_redact_run run = {.start = spans[i].offset,
                         .end = (uint64_t)spans[i].offset + spans[i].len,
                         .value = KR_REDACT_NO_VALUE};
    if (spans[i].len > 0)
      KR_TRY(kr_redact_cover_add(cover, run));
  }
  return KR_OK;
}

/* With a scan that is ready; set, options, sink and report are in it. */
static kr_status kr_redact_scan_all(kr_redact_scan *scan, kr_str input, const kr_span *spans,
                                    size_t n_spans) {
  scan->spans = spans;
  scan->n_spans = n_spans;
  KR_TRY(kr_redact_cover_spans(&scan->cover, spans, n_spans));
  if (scan->report != NULL)
    KR_TRY(kr_redact_report_spans(scan->report, spans, n_spans));
  return kr_redact_scan_advance(scan, input, 0, true);
}

kr_status kr_redact_run_scan(const kr_redact_set *set, kr_str input, const kr_span *spans,
                             size_t n_spans, const kr_redact_options *options, kr_redact_sink sink,
                             void *ctx, kr_redact_report *report) {
  KR_CLEANUP(kr_redact_scan_done) kr_redact_scan scan;
  kr_redact_scan_init(&scan, set, options, sink, ctx, report);
  return kr_redact_scan_all(&scan, input, spans, n_spans);
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
  size_t len = out->len;
  kr_status status =
      kr_redact_run_scan(set, input, spans, n_spans, options, kr_redact_to_buf, out, report);
  if (status != KR_OK)
    kr_redact_take_back(out, len);
  return status;
}

kr_status kr_redact_bytes(const kr_redact_set *set, kr_str input, const kr_redact_options *options,
                          kr_buf *out, kr_redact_report *report) {
  return kr_redact_spans(set, input, NULL, 0, options, out, report);
}

struct kr_redact_scratch {
  kr_redact_scan scan; /* between two texts only its memory counts */
};

kr_status kr_redact_scratch_new(kr_redact_scratch **ret_scratch) {
  kr_redact_scratch *scratch = kr_sensitive_memory()->alloc(sizeof(*scratch));
  if (scratch == NULL)
    return KR_NOMEM;
  kr_redact_scan_init(&scratch->scan, NULL, NULL, NULL, NULL, NULL);
  *ret_scratch = scratch;
  return KR_OK;
}

void kr_redact_scratch_free(kr_redact_scratch *scratch) {
  if (scratch == NULL)
    return;
  kr_redact_scan_done(&scratch->scan);
  kr_sensitive_memory()->release(scratch, sizeof(*scratch));
}

kr_status kr_redact_with(kr_redact_scratch *scratch, const kr_redact_set *set, kr_str input,
                         const kr_span *spans, size_t n_spans, const kr_redact_options *options,
                         kr_buf *out, kr_redact_report *report, bool *ret_is_unchanged) {
  kr_redact_scan *scan = &scratch->scan;
  size_t len = out->len;
  scan->set = set;
  scan->options = options;
  scan->sink = kr_redact_to_buf;
  scan->ctx = out;
  scan->report = report;
  scan->is_lazy = true;
  kr_status status = kr_redact_scan_all(scan, input, spans, n_spans);
  *ret_is_unchanged = status == KR_OK && scan->is_unchanged;
  kr_redact_scan_clear(scan);
  if (status != KR_OK)
    kr_redact_take_back(out, len);
  return status;
}
