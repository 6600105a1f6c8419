/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - the one place where a kr_redacted can be made. A record is written
 * as JSON: schema keys, ids, times, enumerations and numbers of krosyn's own are
 * typed and exempt; everything that carries data goes through redaction (by
 * position where spans are known, by value everywhere), and at the end a second,
 * independent scan checks each data-bearing field, decoded and as serialised.
 * A field that fails the check, or that cannot be redacted, is replaced by
 * {"withheld": "..."} and the record says so in its receipt. Fail closed.
 *
 *   kr_record *r;  kr_record_new(set, &r, reterr);
 *   kr_record_begin_object(r);
 *   kr_record_key(r, "id");      kr_record_typed(r, id);
 *   kr_record_key(r, "payload"); kr_record_json(r, "payload", payload);
 *   kr_record_key(r, "receipt"); kr_record_receipt(r, generation);   // last: it reports on all
 * before kr_record_end_object(r); kr_record_finish(r, &redacted, reterr);
 *
 * Like a JSON writer, errors stick: check them once, at finish. Records live in
 * sensitive memory until they are redacted.
 */
#ifndef KR_REDACT_RECORD_H
#define KR_REDACT_RECORD_H

#include "redact/redact.h"
#include "json/json.h"

#define KR_RECORD_BODY_BYTES (64u * 1024u)  /* redacted output kept of one body */
#define KR_RECORD_MAX_BYTES (1024u * 1024u) /* a whole record */

typedef struct kr_record kr_record;

/** Redacted bytes, JSON text of one record. Only record.c can make one. */
typedef struct kr_redacted kr_redacted;

kr_status kr_record_new(kr_redact_set *set, kr_record **ret_record, kr_error *reterr) KR_MUST_USE;
void kr_record_free(kr_record *record);
KR_DEFINE_FREEP(kr_record_freep, kr_record, kr_record_free)

/**
 * Who the bits of kr_span.secrets stand for, so that the receipt can name what
 * was redacted by position: bit i is names[i] in version versions[i]. Borrowed
 * until the receipt is written. Without it such lines carry no name.
 */
void kr_record_span_names(kr_record *record, const kr_str *names, const uint32_t *versions,
                          size_t n_names);

/* Structure and exempt values: only krosyn's own words, never data. */
void kr_record_begin_object(kr_record *record);
void kr_record_end_object(kr_record *record);
void kr_record_begin_array(kr_record *record);
void kr_record_end_array(kr_record *record);
void kr_record_key(kr_record *record, const char *schema_key);
void kr_record_typed(kr_record *record, const char *word); /* id, time, status, code */
void kr_record_int(kr_record *record, int64_t value);
void kr_record_bool(kr_record *record, bool value);
void kr_record_null(kr_record *record);

/*
 * Data. @field names the place in the receipt ("perform.request.url"); static
 * or outliving the record. Bytes that are not UTF-8 are redacted as bytes and
 * stored as {"base64": "..."}. Over KR_RECORD_BODY_BYTES of redacted output the
 * text is cut (never inside a marker or a code point) and ret_truncated says so.
 */
void kr_record_text(kr_record *record, const char *field, kr_str bytes, bool *ret_truncated);

/** Text with known spans (a rendered URL, a header value). */
void kr_record_spans(kr_record *record, const char *field, kr_str bytes, const kr_span *spans,
                     size_t n_spans);

/** JSON text with known spans that lie inside string quotes (a rendered JSON body). Not JSON: text.
 */
void kr_record_json_spans(kr_record *record, const char *field, kr_str json_text,
                          const kr_span *spans, size_t n_spans, bool *ret_truncated);

/**
 * A tree: every string, key and number is redacted decoded; a number or key
 * that matches becomes a string marker; colliding keys get "#2". A tree whose
 * redacted text is over KR_RECORD_BODY_BYTES is stored as cut text.
 */
void kr_record_json(kr_record *record, const char *field, const kr_json *json, bool *ret_truncated);

/**
 * A body as received: the tree when is_json and it parses, else text.
 */
void kr_record_body(kr_record *record, const char *field, kr_str bytes, bool is_json,
                    bool *ret_truncated);

/**
 * The receipt object: {"generation", "verified", "secrets": [{name, version,
 * field, form, hits}], "failed": [fields withheld]}. Each field was checked when it
 * was written; the receipt reports. Over 256 lines, "not_listed" counts the rest.
 */
void kr_record_receipt(kr_record *record, uint64_t generation);

/** The first error, or the finished record. Asserts that a receipt was written. */
kr_status kr_record_finish(kr_record *record, kr_redacted **ret_redacted,
                           kr_error *reterr) KR_MUST_USE;

/** The JSON text; borrowed. This crossing is one way: nothing becomes a kr_redacted from bytes. */
kr_str kr_redacted_text(const kr_redacted *redacted);
void kr_redacted_free(kr_redacted *redacted);
KR_DEFINE_FREEP(kr_redacted_freep, kr_redacted, kr_redacted_free)

#endif
