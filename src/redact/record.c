/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - the writer of records. Structure goes straight into the text; each
 * data field is redacted, serialised and checked on its own (field.c) and put
 * in only when it passed, so nothing has to be taken out afterwards.
 */
#include "redact/record.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "redact/field.h"
#include "redact/hits.h"
#include "secmem/sensitive.h"

#include <stdlib.h>

#define KR_RECORD_RECEIPT_HITS 256u            /* lines listed in one receipt */
#define KR_RECORD_RESERVE_BYTES (128u * 1024u) /* of the record, kept for structure and receipt */

typedef struct kr_record_hit {
  const char *field;
  kr_redact_hit hit;
} kr_record_hit;

struct kr_record {
  kr_redact_set *set;
  kr_buf text;
  kr_json_writer writer;
  kr_buf hits;   /* kr_record_hit */
  kr_buf failed; /* const char *: fields withheld */
  const kr_str *span_names;
  const uint32_t *span_versions;
  size_t n_span_names;
  kr_status status; /* the first failure besides the writer's */
  bool has_receipt;
};

struct kr_redacted {
  kr_buf text;
};

kr_status kr_record_new(kr_redact_set *set, kr_record **ret_record, kr_error *reterr) {
  kr_record *record = calloc(1, sizeof(*record));
  if (record == NULL)
    return kr_fail_nomem(reterr);
  record->set = kr_redact_set_ref(set);
  record->text = KR_BUF_INIT(KR_RECORD_MAX_BYTES, kr_sensitive_memory());
  record->writer = kr_json_writer_init(&record->text, 0);
  record->hits = KR_BUF_INIT(SIZE_MAX, NULL);
  record->failed = KR_BUF_INIT(SIZE_MAX, NULL);
  *ret_record = record;
  return KR_OK;
}

void kr_record_free(kr_record *record) {
  if (record == NULL)
    return;
  kr_buf_done(&record->text);
  kr_buf_done(&record->hits);
  kr_buf_done(&record->failed);
  kr_redact_set_free(record->set);
  free(record);
}

void kr_record_span_names(kr_record *record, const kr_str *names, const uint32_t *versions,
                          size_t n_names) {
  record->span_names = names;
  record->span_versions = versions;
  record->n_span_names = n_names;
}

void kr_record_begin_object(kr_record *record) { kr_json_begin_object(&record->writer); }
void kr_record_end_object(kr_record *record) { kr_json_end_object(&record->writer); }
void kr_record_begin_array(kr_record *record) { kr_json_begin_array(&record->writer); }
void kr_record_end_array(kr_record *record) { kr_json_end_array(&record->writer); }
void kr_record_key(kr_record *record, const char *schema_key) {
  kr_json_key(&record->writer, kr_str_cstr(schema_key));
}
void kr_record_typed(kr_record *record, const char *word) {
  kr_json_put_cstr(&record->writer, word);
}
void kr_record_int(kr_record *record, int64_t value) { kr_json_put_int(&record->writer, value); }
void kr_record_bool(kr_record *record, bool value) { kr_json_put_bool(&record->writer, value); }
void kr_record_null(kr_record *record) { kr_json_put_null(&record->writer); }

static void kr_record_fail(kr_record *record, kr_status status) {
  if (record->status == KR_OK)
    record->status = status;
}

static const char *kr_record_reason(kr_status status) {
  if (status == KR_REFUSED)
    return "redaction could not be verified";
  if (status == KR_NOMEM)
    return "out of memory while redacting";
  return "too large or too deep to redact";
}

static void kr_record_withhold(kr_record *record, const char *field, const char *reason) {
  kr_json_begin_object(&record->writer);
  kr_json_key(&record->writer, KR_STR("withheld"));
  kr_json_put_cstr(&record->writer, reason);
  kr_json_end_object(&record->writer);
  kr_record_fail(record, kr_buf_append(&record->failed, kr_str_from(&field, sizeof(field))));
}

static void kr_record_note_hits(kr_record *record, const char *field,
                                const kr_redact_report *report) {
  for (size_t i = 0; i < report->n_hits; i++) {
    kr_record_hit hit = {.field = field, .hit = report->hits[i]};
    kr_record_fail(record, kr_buf_append(&record->hits, kr_str_from(&hit, sizeof(hit))));
  }
}

/* Put a field that was filled with that status; fail closed. */
static void kr_record_put_field(kr_record *record, const char *name, const kr_redact_field *field,
                                kr_status status, bool *ret_truncated) {
  size_t room = KR_RECORD_MAX_BYTES - KR_RECORD_RESERVE_BYTES;
  size_t used = record->text.len;
  if (ret_truncated != NULL)
    *ret_truncated = status == KR_OK && field->is_truncated;
  kr_record_note_hits(record, name, &field->report);
  if (status != KR_OK)
    kr_record_withhold(record, name, kr_record_reason(status));
  else if (used > room || field->json.len > room - used)
    kr_record_withhold(record, name, "the record is full");
  else
    kr_json_put_raw(&record->writer, kr_buf_str(&field->json));
}

void kr_record_spans(kr_record *record, const char *field, kr_str bytes, const kr_span *spans,
                     size_t n_spans) {
  KR_CLEANUP(kr_redact_field_done) kr_redact_field data;
  kr_redact_field_init(&data, record->set, KR_RECORD_BODY_BYTES);
  kr_status status = kr_redact_field_text(&data, bytes, spans, n_spans);
  kr_record_put_field(record, field, &data, status, NULL);
}

void kr_record_text(kr_record *record, const char *field, kr_str bytes, bool *ret_truncated) {
  KR_CLEANUP(kr_redact_field_done) kr_redact_field data;
  kr_redact_field_init(&data, record->set, KR_RECORD_BODY_BYTES);
  kr_status status = kr_redact_field_text(&data, bytes, NULL, 0);
  kr_record_put_field(record, field, &data, status, ret_truncated);
}

void kr_record_json_spans(kr_record *record, const char *field, kr_str json_text,
                          const kr_span *spans, size_t n_spans, bool *ret_truncated) {
  KR_CLEANUP(kr_redact_field_done) kr_redact_field data;
  kr_redact_field_init(&data, record->set, KR_RECORD_BODY_BYTES);
  kr_status status = kr_redact_field_json_spans(&data, json_text, spans, n_spans);
  if (status == KR_INVALID)
    status = kr_redact_field_text(&data, json_text, spans, n_spans);
  kr_record_put_field(record, field, &data, status, ret_truncated);
}

void kr_record_json(kr_record *record, const char *field, const kr_json *json,
                    bool *ret_truncated) {
  KR_CLEANUP(kr_redact_field_done) kr_redact_field data;
  kr_redact_field_init(&data, record->set, KR_RECORD_BODY_BYTES);
  kr_status status = kr_redact_field_tree(&data, json, false);
  kr_record_put_field(record, field, &data, status, ret_truncated);
}

void kr_record_body(kr_record *record, const char *field, kr_str bytes, bool is_json,
                    bool *ret_truncated) {
  KR_CLEANUP(kr_arena_done)
  kr_arena arena = KR_ARENA_INIT(4 * KR_REDACT_FIELD_BYTES, kr_sensitive_memory());
  KR_CLEANUP(kr_redact_field_done) kr_redact_field data;
  const kr_json *json = NULL;
  kr_status status = KR_INVALID;
  kr_redact_field_init(&data, record->set, KR_RECORD_BODY_BYTES);
  if (is_json && kr_json_parse(bytes, NULL, &arena, &json, NULL) == KR_OK)
    status = kr_redact_field_tree(&data, json, false);
  if (status == KR_INVALID || status == KR_LIMIT) { /* no JSON, or too deep for a tree */
    kr_redact_field_done(&data);
    kr_redact_field_init(&data, record->set, KR_RECORD_BODY_BYTES);
    status = kr_redact_field_text(&data, bytes, NULL, 0);
  }
  kr_record_put_field(record, field, &data, status, ret_truncated);
}

/* Names are organizations' words, not data; one that is not text is not repeated. */
static void kr_record_put_name(kr_json_writer *writer, kr_str name) {
  kr_json_key(writer, KR_STR("name"));
  if (kr_utf8_is_valid(name))
    kr_json_put_string(writer, name);
  else
    kr_json_put_null(writer);
}

static void kr_record_put_hit(kr_record *record, const kr_record_hit *hit) {
  kr_json_writer *writer = &record->writer;
  uint32_t value = hit->hit.value;
  kr_json_begin_object(writer);
  if (hit->hit.form != KR_FORM_SPAN) {
    kr_record_put_name(writer, kr_redact_set_name(record->set, value));
    kr_json_key(writer, KR_STR("version"));
    kr_json_put_int(writer, kr_redact_set_version(record->set, value));
  } else if (value < record->n_span_names) {
    kr_record_put_name(writer, record->span_names[value]);
    kr_json_key(writer, KR_STR("version"));
    if (record->span_versions[value] == 0) /* a preview opens no value, so it pins no version */
      kr_json_put_null(writer);
    else
      kr_json_put_int(writer, record->span_versions[value]);
  }
  kr_json_key(writer, KR_STR("field"));
  kr_json_put_cstr(writer, hit->field);
  kr_json_key(writer, KR_STR("form"));
  kr_json_put_cstr(writer, kr_redact_form_name((kr_redact_form)hit->hit.form));
  kr_json_key(writer, KR_STR("hits"));
  kr_json_put_int(writer, hit->hit.count > INT64_MAX ? INT64_MAX : (int64_t)hit->hit.count);
  kr_json_end_object(writer);
}

void kr_record_receipt(kr_record *record, uint64_t generation) {
  kr_json_writer *writer = &record->writer;
  const kr_record_hit *hits = (const kr_record_hit *)(const void *)record->hits.ptr;
  size_t n_hits = record->hits.len / sizeof(kr_record_hit);
  const char *const *failed = (const char *const *)(const void *)record->failed.ptr;
  size_t n_failed = record->failed.len / sizeof(const char *);
  size_t n_listed = n_hits < KR_RECORD_RECEIPT_HITS ? n_hits : KR_RECORD_RECEIPT_HITS;
  kr_json_begin_object(writer);
  kr_json_key(writer, KR_STR("generation"));
  kr_json_put_int(writer, generation > INT64_MAX ? INT64_MAX : (int64_t)generation);
  kr_json_key(writer, KR_STR("verified"));
  kr_json_put_bool(writer, n_failed == 0);
  kr_json_key(writer, KR_STR("secrets"));
  kr_json_begin_array(writer);
  for (size_t i = 0; i < n_listed; i++)
    kr_record_put_hit(record, &hits[i]);
  kr_json_end_array(writer);
  if (n_listed < n_hits) {
    kr_json_key(writer, KR_STR("not_listed"));
    kr_json_put_int(writer, (int64_t)(n_hits - n_listed));
  }
  kr_json_key(writer, KR_STR("failed"));
  kr_json_begin_array(writer);
  for (size_t i = 0; i < n_failed; i++)
    kr_json_put_cstr(writer, failed[i]);
  kr_json_end_array(writer);
  kr_json_end_object(writer);
  record->has_receipt = true;
}

kr_status kr_record_finish(kr_record *record, kr_redacted **ret_redacted, kr_error *reterr) {
  KR_ASSERT(record->has_receipt);
  kr_status status = kr_json_finish(&record->writer);
  if (status == KR_OK)
    status = record->status;
  if (status != KR_OK)
    return kr_buf_explain(&record->text, status, "an event record", reterr);
  kr_redacted *redacted = calloc(1, sizeof(*redacted));
  if (redacted == NULL)
    return kr_fail_nomem(reterr);
  redacted->text = record->text;
  record->text = KR_BUF_INIT(0, kr_sensitive_memory());
  *ret_redacted = redacted;
  return KR_OK;
}

kr_str kr_redacted_text(const kr_redacted *redacted) { return kr_buf_str(&redacted->text); }

void kr_redacted_free(kr_redacted *redacted) {
  if (redacted == NULL)
    return;
  kr_buf_done(&redacted->text);
  free(redacted);
}
