/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field.h - one data-bearing field of a record: redacted, serialised as JSON,
 * and checked by kr_redact_verify both decoded and as serialised. What does not
 * pass is never handed on: the caller writes a withheld note instead.
 */
#ifndef KR_REDACT_FIELD_H
#define KR_REDACT_FIELD_H

#include "redact/redact.h"
#include "json/json.h"

#define KR_REDACT_FIELD_BYTES (32u * 1024u * 1024u) /* of one field before it is cut */

/* Levels of a tree kept as a tree: with the record's own around it, readers still accept it. */
#define KR_REDACT_TREE_DEPTH (KR_JSON_MAX_DEPTH - 16u)

typedef struct kr_redact_field {
  const kr_redact_set *set;
  size_t limit_bytes;      /* of redacted text kept */
  kr_buf json;             /* the result: one JSON value */
  kr_redact_report report; /* hits of this field */
  bool is_truncated;
} kr_redact_field;

void kr_redact_field_init(kr_redact_field *field, const kr_redact_set *set, size_t limit_bytes);
void kr_redact_field_done(kr_redact_field *field);

/*
 * Each fills an initialised field. KR_REFUSED: the check found something;
 * KR_LIMIT, KR_NOMEM: it could not be redacted. Then json must not be used.
 */
kr_status kr_redact_field_text(kr_redact_field *field, kr_str bytes, const kr_span *spans,
                               size_t n_spans) KR_MUST_USE;

/** With keep_markers, markers that stand in strings already are left as they are. */
kr_status kr_redact_field_tree(kr_redact_field *field, const kr_json *json,
                               bool keep_markers) KR_MUST_USE;

/** Text that is JSON once its spans are markers; KR_INVALID when it is not. */
kr_status kr_redact_field_json_spans(kr_redact_field *field, kr_str json_text, const kr_span *spans,
                                     size_t n_spans) KR_MUST_USE;

/** The most bytes of UTF-8 text, at most limit, that end inside no marker and no code point. */
size_t kr_redact_cut(kr_str text, size_t limit);

/* tree.c */

/** Write json, redacted, to writer; every decoded key and leaf, 0xFF between, to decoded. */
kr_status kr_redact_tree(const kr_redact_set *set, const kr_json *json, bool keep_markers,
                         kr_json_writer *writer, kr_buf *decoded,
                         kr_redact_report *report) KR_MUST_USE;

#endif
