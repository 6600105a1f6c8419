/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact_record.c - one record after another, for loggers: bytes, or a JSON
 * document. A result borrows from the scratch (or is the input), so nothing is
 * allocated for a record of bytes once buffers have grown.
 */
#include "engine/redactor.h"
#include "redact/field.h"
#include "secmem/sensitive.h"
#include "json/json.h"

#define KR_SCRATCH_KEEP_BYTES (1024u * 1024u) /* a larger buffer is not kept */
#define KR_SCRATCH_ARENA_BYTES (256u * 1024u * 1024u)

struct kr_redactor_scratch {
  kr_redactor *redactor;
  kr_redactor_held held;
  kr_redact_options options;
  kr_redact_scratch *inner;
  kr_redact_report report;
  kr_buf out;
  kr_arena arena; /* the JSON tree */
};

KR_DEFINE_FREEP(kr_redactor_scratch_freep, kr_redactor_scratch, kr_redactor_scratch_free)

kr_status kr_redactor_scratch_new(kr_redactor *redactor, const kr_filter_options *options,
                                  kr_redactor_scratch **ret_scratch, kr_error *reterr) {
  KR_CLEANUP(kr_redactor_scratch_freep)
  kr_redactor_scratch *scratch = kr_heap_memory()->alloc(sizeof *scratch);
  if (scratch == NULL)
    return kr_fail_nomem(reterr);
  *scratch = (kr_redactor_scratch){
      .redactor = kr_redactor_ref(redactor),
      .options = {.use_marker_names = options != NULL && options->use_marker_names},
      .out = KR_BUF_INIT(SIZE_MAX / 2, kr_sensitive_memory()),
      .arena = KR_ARENA_INIT(KR_SCRATCH_ARENA_BYTES, kr_sensitive_memory()),
  };
  if (kr_redact_scratch_new(&scratch->inner) != KR_OK)
    return kr_fail_nomem(reterr);
  *ret_scratch = KR_TAKE(scratch);
  return KR_OK;
}

void kr_redactor_scratch_free(kr_redactor_scratch *scratch) {
  if (scratch == NULL)
    return;
  kr_redact_scratch_free(scratch->inner);
  kr_redact_report_done(&scratch->report);
  kr_buf_done(&scratch->out);
  kr_arena_done(&scratch->arena);
  kr_redactor_held_done(&scratch->held);
  kr_redactor_free(scratch->redactor);
  kr_heap_memory()->release(scratch, sizeof *scratch);
}

/* Forget the last record, take the newest values. */
static kr_status kr_scratch_begin(kr_redactor_scratch *scratch, kr_error *reterr) {
  if (scratch->out.cap > KR_SCRATCH_KEEP_BYTES)
    kr_buf_done(&scratch->out);
  kr_buf_reset(&scratch->out);
  scratch->report.n_hits = 0;
  scratch->report.n_runs = 0;
  return kr_redactor_take(scratch->redactor, &scratch->held, reterr);
}

static kr_status kr_scratch_redact(kr_redactor_scratch *scratch, kr_str input,
                                   kr_redactor_result *ret_result) {
  bool is_unchanged = false;
  KR_TRY(kr_redact_with(scratch->inner, scratch->held.set, input, NULL, 0, &scratch->options,
                        &scratch->out, &scratch->report, &is_unchanged));
  *ret_result = (kr_redactor_result){
      .bytes = is_unchanged ? input : kr_buf_str(&scratch->out),
      .n_markers = scratch->report.n_runs,
      .is_unchanged = is_unchanged,
  };
  return KR_OK;
}

kr_status kr_redactor_bytes(kr_redactor_scratch *scratch, kr_str input,
                            kr_redactor_result *ret_result, kr_error *reterr) {
  KR_TRY(kr_scratch_begin(scratch, reterr));
  kr_status status = kr_scratch_redact(scratch, input, ret_result);
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  return status == KR_OK ? KR_OK : kr_fail(reterr, status, "the text could not be redacted");
}

/* ---- JSON ---- */

static kr_status kr_scratch_withheld(kr_str note, kr_redactor_result *ret_result) {
  *ret_result = (kr_redactor_result){.bytes = note, .is_withheld = true};
  return KR_OK;
}

static kr_status kr_scratch_explain(kr_status status, kr_redactor_result *ret_result,
                                    kr_error *reterr) {
  switch (status) {
  case KR_NOMEM:
    return kr_fail_nomem(reterr);
  case KR_REFUSED:
    return kr_scratch_withheld(KR_STR("{\"withheld\":\"a value was still found after redaction\"}"),
                               ret_result);
  case KR_LIMIT:
    return kr_scratch_withheld(KR_STR("{\"withheld\":\"too large or too deep to be redacted\"}"),
                               ret_result);
  default:
    return kr_fail(reterr, status, "the document could not be redacted");
  }
}

/* The tree redacted and checked, as text in scratch->out. */
static kr_status kr_scratch_tree(kr_redactor_scratch *scratch, const kr_json *json) {
  kr_redact_field field;
  kr_redact_field_init(&field, scratch->held.set, KR_REDACT_FIELD_BYTES);
  kr_status status = kr_redact_field_tree(&field, json, false);
  if (status == KR_OK) {
    kr_buf_done(&scratch->out);
    scratch->out = field.json;
    field.json = (kr_buf){0};
    kr_redact_report_done(&scratch->report);
    scratch->report = field.report;
    field.report = (kr_redact_report){0};
  }
  kr_redact_field_done(&field);
  return status;
}

/*
 * A document in which nothing is found, neither in its tree nor in its text,
 * is given back as it was written.
 */
static kr_status kr_scratch_json(kr_redactor_scratch *scratch, kr_str input, const kr_json *json,
                                 kr_redactor_result *ret_result) {
  KR_TRY(kr_scratch_tree(scratch, json));
  *ret_result =
      (kr_redactor_result){.bytes = kr_buf_str(&scratch->out), .n_markers = scratch->report.n_runs};
  if (scratch->report.n_runs > 0)
    return KR_OK;
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(SIZE_MAX / 2, kr_sensitive_memory());
  kr_redact_report report = {0};
  bool is_unchanged = false;
  kr_status status = kr_redact_with(scratch->inner, scratch->held.set, input, NULL, 0, NULL, &text,
                                    &report, &is_unchanged);
  kr_redact_report_done(&report);
  KR_TRY(status);
  ret_result->is_unchanged = is_unchanged;
  if (is_unchanged)
    ret_result->bytes = input;
  return KR_OK;
}

kr_status kr_redactor_json(kr_redactor_scratch *scratch, kr_str input,
                           kr_redactor_result *ret_result, kr_error *reterr) {
  const kr_json *json = NULL;
  kr_error cause = {0};
  KR_TRY(kr_scratch_begin(scratch, reterr));
  kr_status status = kr_json_parse(input, NULL, &scratch->arena, &json, &cause);
  if (status == KR_INVALID) {
    (void)kr_fail(reterr, KR_INVALID, "the record is not JSON, at byte %zu", cause.span_offset);
    kr_error_at(reterr, NULL, cause.span_offset, cause.span_len);
  } else if (status == KR_OK) {
    status = kr_scratch_json(scratch, input, json, ret_result);
  }
  kr_arena_reset(&scratch->arena);
  if (status == KR_OK || status == KR_INVALID)
    return status;
  return kr_scratch_explain(status, ret_result, reterr);
}

kr_status kr_hits_visit(const kr_redact_report *report, const kr_redact_set *set,
                        kr_filter_hit_visit visit, void *ctx) {
  for (size_t i = 0; i < report->n_hits; i++) {
    const kr_redact_hit *hit = &report->hits[i];
    KR_TRY(visit(ctx, kr_redact_set_name(set, hit->value),
                 kr_redact_form_name((kr_redact_form)hit->form), hit->count));
  }
  return KR_OK;
}

kr_status kr_redactor_hits(const kr_redactor_scratch *scratch, kr_filter_hit_visit visit,
                           void *ctx) {
  return scratch->held.set == NULL ? KR_OK
                                   : kr_hits_visit(&scratch->report, scratch->held.set, visit, ctx);
}
