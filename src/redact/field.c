/* SPDX-License-Identifier: Apache-2.0 */
/* field.c - redact, cut, serialise, verify: in this order, one field at a time. */
#include "redact/field.h"

#include "base/encode.h"
#include "base/utf8.h"
#include "redact/hits.h"
#include "redact/scan.h"
#include "secmem/sensitive.h"

#define KR_REDACT_MARKER_BYTES (sizeof(KR_REDACT_MARKER) - 1)

/* Keeps the first bytes of a text and counts the rest. */
typedef struct kr_redact_head {
  kr_buf text;
  size_t keep;
  bool is_over;
} kr_redact_head;

static kr_status kr_redact_head_sink(void *ctx, kr_str bytes, bool is_marker) {
  kr_redact_head *head = ctx;
  (void)is_marker;
  kr_str kept = kr_str_slice(bytes, 0, head->keep - head->text.len);
  head->is_over = head->is_over || kept.len < bytes.len;
  return kr_buf_append(&head->text, kept);
}

static void kr_redact_head_done(kr_redact_head *head) { kr_buf_done(&head->text); }

void kr_redact_field_init(kr_redact_field *field, const kr_redact_set *set, size_t limit_bytes) {
  *field = (kr_redact_field){
      .set = set,
      .limit_bytes = limit_bytes,
      .json = KR_BUF_INIT(KR_REDACT_FIELD_BYTES, kr_sensitive_memory()),
  };
}

void kr_redact_field_done(kr_redact_field *field) {
  kr_buf_done(&field->json);
  kr_redact_report_done(&field->report);
}

size_t kr_redact_cut(kr_str text, size_t limit) {
  if (text.len <= limit)
    return text.len;
  size_t cut = limit;
  size_t first = limit < KR_REDACT_MARKER_BYTES ? 0 : limit - KR_REDACT_MARKER_BYTES + 1;
  for (size_t start = first; start < limit; start++)
    if (kr_str_starts(kr_str_skip(text, start), KR_STR(KR_REDACT_MARKER)))
      cut = start < cut ? start : cut;
  while (cut > 0 && (text.ptr[cut] & 0xC0) == 0x80)
    cut--;
  return cut;
}

/* Put redacted bytes as a JSON string, or as {"base64"} when they are not UTF-8. */
static kr_status kr_redact_field_put(kr_redact_field *field, kr_str bytes) {
  kr_json_writer writer = kr_json_writer_init(&field->json, 0);
  if (kr_utf8_is_valid(bytes)) {
    kr_json_put_string(&writer, bytes);
    return kr_json_finish(&writer);
  }
  KR_CLEANUP(kr_buf_done)
  kr_buf text = KR_BUF_INIT(KR_REDACT_FIELD_BYTES, kr_sensitive_memory());
  KR_TRY(kr_base64_encode(bytes, KR_BASE64_STANDARD, true, &text));
  kr_json_begin_object(&writer);
  kr_json_key(&writer, KR_STR("base64"));
  kr_json_put_string(&writer, kr_buf_str(&text));
  kr_json_end_object(&writer);
  return kr_json_finish(&writer);
}

static kr_status kr_redact_field_check(const kr_redact_field *field, kr_str decoded) {
  bool is_clean = kr_redact_verify(field->set, decoded) &&
                  kr_redact_verify(field->set, kr_buf_str(&field->json));
  return is_clean ? KR_OK : KR_REFUSED;
}

static kr_status kr_redact_field_finish_text(kr_redact_field *field, kr_str text) {
  /* A cut may leave the first bytes of a code point: not a reason to call it binary. */
  size_t kept = kr_redact_cut(text, field->limit_bytes);
  size_t valid = kr_utf8_check(kr_str_slice(text, 0, kept));
  field->is_truncated = field->is_truncated || kept < text.len;
  if (field->is_truncated && valid < kept && kept - valid < 4)
    kept = valid;
  text = kr_str_slice(text, 0, kept);
  KR_TRY(kr_redact_field_put(field, text));
  return kr_redact_field_check(field, text);
}

kr_status kr_redact_field_text(kr_redact_field *field, kr_str bytes, const kr_span *spans,
                               size_t n_spans) {
  size_t keep = field->limit_bytes + KR_REDACT_MARKER_BYTES;
  KR_CLEANUP(kr_redact_head_done)
  kr_redact_head head = {.text = KR_BUF_INIT(keep, kr_sensitive_memory()), .keep = keep};
  KR_TRY(kr_redact_run_scan(field->set, bytes, spans, n_spans, NULL, kr_redact_head_sink, &head,
                            &field->report));
  field->is_truncated = head.is_over;
  return kr_redact_field_finish_text(field, kr_buf_str(&head.text));
}

kr_status kr_redact_field_tree(kr_redact_field *field, const kr_json *json, bool keep_markers) {
  KR_CLEANUP(kr_buf_done)
  kr_buf decoded = KR_BUF_INIT(KR_REDACT_FIELD_BYTES, kr_sensitive_memory());
  kr_json_writer writer = kr_json_writer_init(&field->json, 0);
  KR_TRY(kr_redact_tree(field->set, json, keep_markers, &writer, &decoded, &field->report));
  KR_TRY(kr_redact_field_check(field, kr_buf_str(&decoded)));
  if (field->json.len <= field->limit_bytes)
    return KR_OK;
  KR_CLEANUP(kr_buf_done)
  kr_buf whole = field->json;
  field->json = KR_BUF_INIT(KR_REDACT_FIELD_BYTES, kr_sensitive_memory());
  return kr_redact_field_finish_text(field, kr_buf_str(&whole));
}

/* The text with each run of touching spans replaced by one marker; nothing by value yet. */
static kr_status kr_redact_replace_spans(kr_str text, const kr_span *spans, size_t n_spans,
                                         kr_buf *out) {
  size_t at = 0;
  bool is_behind_marker = false;
  for (size_t i = 0; i < n_spans; i++) {
    if (spans[i].len == 0)
      continue;
    KR_TRY(kr_buf_append(out, kr_str_slice(text, at, spans[i].offset)));
    if (!is_behind_marker || spans[i].offset > at)
      KR_TRY(kr_buf_append(out, KR_STR(KR_REDACT_MARKER)));
    is_behind_marker = true;
    at = (size_t)spans[i].offset + spans[i].len;
  }
  return kr_buf_append(out, kr_str_skip(text, at));
}

kr_status kr_redact_field_json_spans(kr_redact_field *field, kr_str json_text, const kr_span *spans,
                                     size_t n_spans) {
  KR_CLEANUP(kr_buf_done)
  kr_buf text = KR_BUF_INIT(KR_REDACT_FIELD_BYTES, kr_sensitive_memory());
  KR_CLEANUP(kr_arena_done)
  kr_arena arena = KR_ARENA_INIT(4 * KR_REDACT_FIELD_BYTES, kr_sensitive_memory());
  const kr_json *json = NULL;
  KR_TRY(kr_redact_replace_spans(json_text, spans, n_spans, &text));
  kr_status status = kr_json_parse(kr_buf_str(&text), NULL, &arena, &json, NULL);
  if (status != KR_OK)
    return status == KR_NOMEM ? KR_NOMEM : KR_INVALID;
  KR_TRY(kr_redact_report_spans(&field->report, spans, n_spans));
  return kr_redact_field_tree(field, json, true);
}
