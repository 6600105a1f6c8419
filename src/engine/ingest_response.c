/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest_response.c - an answer as a part of an event. The peer chooses every
 * byte of it and may know our secrets, so whatever the search could not see
 * (codings, other charsets, a value cut in two) is left out, not hoped about.
 */
#include "engine/ingest_response.h"

#include "secmem/sensitive.h"

/* Left out at the end of a body that ended early. */
#define KR_INGEST_TAIL_BYTES 4096u
/* The most bytes one byte of a value becomes in a listed form: \u00XX. */
#define KR_INGEST_WIDEST_BYTE 6u
/* The same when there is a value so long that a form of it is longer than that. */
#define KR_INGEST_LONG_TAIL_BYTES (KR_INGEST_WIDEST_BYTE * KR_REDACT_MAX_VALUE_BYTES)
#define KR_INGEST_JOINED_BYTES (2u * KR_HTTP_RESPONSE_HEADER_BYTES)

void kr_ingest_withhold(kr_record *record, const char *why) {
  kr_record_begin_object(record);
  kr_record_key(record, "withheld");
  kr_record_typed(record, why);
  kr_record_end_object(record);
}

void kr_ingest_leave_out(kr_record *record) {
  kr_ingest_withhold(record, "the event would be over its limit of 1 MiB");
}

static const kr_response_header *kr_ingest_find(const kr_response *response, size_t from,
                                                kr_str name) {
  for (size_t i = from; i < response->n_headers; i++)
    if (kr_str_equal_nocase(response->headers[i].name, name))
      return &response->headers[i];
  return NULL;
}

/* A body in a content coding cannot be searched, and whoever decodes it would see what it holds. */
static bool kr_ingest_is_coded(const kr_response *response) {
  const kr_response_header *header = kr_ingest_find(response, 0, KR_STR("Content-Encoding"));
  while (header != NULL) {
    if (!kr_str_equal_nocase(kr_str_trim(header->value), KR_STR("identity")))
      return true;
    size_t next = (size_t)(header - response->headers) + 1;
    header = kr_ingest_find(response, next, KR_STR("Content-Encoding"));
  }
  return false;
}

static bool kr_ingest_holds_nocase(kr_str text, kr_str word) {
  for (size_t i = 0; i + word.len <= text.len; i++)
    if (kr_str_equal_nocase(kr_str_slice(text, i, i + word.len), word))
      return true;
  return false;
}

/* A byte-order mark, and the NULs that ASCII has in such a text; other bytes may begin like that
 * too. */
static bool kr_ingest_has_wide_mark(kr_str body) {
  bool is_marked = kr_str_starts(body, KR_STR("\xFF\xFE")) ||
                   kr_str_starts(body, KR_STR("\xFE\xFF")) ||
                   kr_str_starts(body, kr_str_from("\0\0\xFE\xFF", 4));
  /* Too short for a value that is searched for: it is not worth withholding. */
  return is_marked && body.len >= 2u * KR_REDACT_MIN_SEARCH_BYTES &&
         memchr(body.ptr, '\0', body.len) != NULL;
}

/* UTF-16 and UTF-32 put NULs between the bytes of a value: no form that is searched for. */
static bool kr_ingest_is_wide(const kr_response *response) {
  static const char *const charsets[] = {"utf-16", "utf16", "utf-32", "utf32", "ucs-2", "ucs-4"};
  if (kr_ingest_has_wide_mark(response->body))
    return true;
  for (size_t i = 0; i < response->n_headers; i++) {
    const kr_response_header *header = &response->headers[i];
    if (!kr_str_equal_nocase(header->name, KR_STR("Content-Type")))
      continue;
    for (size_t k = 0; k < sizeof charsets / sizeof charsets[0]; k++)
      if (kr_ingest_holds_nocase(header->value, kr_str_cstr(charsets[k])))
        return true;
  }
  return false;
}

static const char *kr_ingest_unsearchable(const kr_response *response) {
  if (kr_ingest_is_coded(response))
    return "compressed, so it cannot be searched for secrets";
  if (kr_ingest_is_wide(response))
    return "in UTF-16 or UTF-32, so it cannot be searched for secrets";
  return NULL;
}

/*
 * The end of a body that stopped early may be the beginning of a value, which no
 * search finds; whoever chooses where it stops could read a value byte by byte.
 * So the tail goes, whatever it holds, but only from what is redacted: cut off
 * before, it would leave the beginning of a value that lies across the new end.
 * As a span it takes along whatever value reaches into it. One of two sizes, so
 * that it tells no length.
 */
static kr_span kr_ingest_tail(const kr_redact_set *set, kr_str body) {
  size_t covered = KR_INGEST_TAIL_BYTES / KR_INGEST_WIDEST_BYTE;
  size_t len =
      kr_redact_set_is_longer(set, covered) ? KR_INGEST_LONG_TAIL_BYTES : KR_INGEST_TAIL_BYTES;
  size_t start = body.len < len ? 0 : body.len - len;
  for (int i = 0; i < 3 && start > 0 && (body.ptr[start] & 0xC0) == 0x80; i++)
    start--; /* not inside a code point */
  return (kr_span){.offset = (uint32_t)start, .len = (uint32_t)(body.len - start)};
}

static void kr_ingest_response_body(kr_record *record, const kr_redact_set *set,
                                    const kr_response *response, const kr_ingest_fields *fields,
                                    bool is_lean) {
  bool is_truncated = response->is_truncated;
  const char *reason = kr_ingest_unsearchable(response);
  kr_record_key(record, "body");
  if (is_lean) {
    kr_ingest_leave_out(record);
  } else if (reason != NULL) {
    kr_ingest_withhold(record, reason);
  } else if (response->is_truncated) {
    const kr_span tail = kr_ingest_tail(set, response->body);
    kr_record_spans(record, fields->response_body, response->body, &tail, 1);
  } else {
    kr_record_body(record, fields->response_body, response->body, response->is_json, &is_truncated);
  }
  kr_record_key(record, "truncated");
  kr_record_bool(record, is_truncated);
}

/* What tells the length or a hash of a body tells that of a secret in it. */
static bool kr_ingest_is_telling(kr_str name) {
  static const char *const names[] = {"Content-Length", "Content-Range",  "Content-MD5",
                                      "Digest",         "Content-Digest", "Repr-Digest"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (kr_str_equal_nocase(name, kr_str_cstr(names[i])))
      return true;
  return false;
}

static kr_status kr_ingest_join(kr_str name, const char *colon, kr_str value, kr_buf *out) {
  kr_buf_reset(out);
  KR_TRY(kr_buf_append(out, name));
  KR_TRY(kr_buf_append(out, kr_str_cstr(colon)));
  return kr_buf_append(out, value);
}

/* Does a value lie across the colon? A line "user: pass" was one text before it was parsed. */
static kr_status kr_ingest_crosses(const kr_redact_set *set, const kr_response_header *header,
                                   const char *colon, bool *ret_crosses) {
  const kr_allocator *memory = kr_sensitive_memory();
  KR_CLEANUP(kr_buf_done) kr_buf joined = KR_BUF_INIT(KR_INGEST_JOINED_BYTES, memory);
  KR_CLEANUP(kr_buf_done) kr_buf whole = KR_BUF_INIT(SIZE_MAX, memory);
  KR_CLEANUP(kr_buf_done) kr_buf apart = KR_BUF_INIT(SIZE_MAX, memory);
  KR_TRY(kr_ingest_join(header->name, colon, header->value, &joined));
  KR_TRY(kr_redact_bytes(set, kr_buf_str(&joined), NULL, &whole, NULL));
  *ret_crosses = false;
  if (kr_str_equal(kr_buf_str(&joined), kr_buf_str(&whole)))
    return KR_OK;
  KR_TRY(kr_redact_bytes(set, header->name, NULL, &apart, NULL));
  KR_TRY(kr_buf_append(&apart, kr_str_cstr(colon)));
  KR_TRY(kr_redact_bytes(set, header->value, NULL, &apart, NULL));
  *ret_crosses = !kr_str_equal(kr_buf_str(&whole), kr_buf_str(&apart));
  return KR_OK;
}

static kr_status kr_ingest_response_header(kr_record *record, const kr_redact_set *set,
                                           const kr_response_header *header,
                                           const kr_ingest_fields *fields) {
  bool is_split = false;
  KR_TRY(kr_ingest_crosses(set, header, ":", &is_split));
  if (!is_split)
    KR_TRY(kr_ingest_crosses(set, header, ": ", &is_split));
  kr_record_begin_array(record);
  if (is_split) {
    kr_record_typed(record, KR_REDACT_MARKER);
    kr_record_typed(record, KR_REDACT_MARKER);
  } else {
    kr_record_text(record, fields->response_headers, header->name, NULL);
    kr_record_text(record, fields->response_headers, header->value, NULL);
  }
  kr_record_end_array(record);
  return KR_OK;
}

static kr_status kr_ingest_response_headers(kr_record *record, const kr_redact_set *set,
                                            const kr_response *response,
                                            const kr_ingest_fields *fields) {
  kr_record_begin_array(record);
  for (size_t i = 0; i < response->n_headers; i++)
    if (!kr_ingest_is_telling(response->headers[i].name))
      KR_TRY(kr_ingest_response_header(record, set, &response->headers[i], fields));
  kr_record_end_array(record);
  return KR_OK;
}

kr_status kr_ingest_response(kr_record *record, const kr_redact_set *set,
                             const kr_response *response, const kr_ingest_fields *fields,
                             bool is_lean) {
  kr_record_begin_object(record);
  kr_record_key(record, "status");
  kr_record_int(record, response->status);
  kr_record_key(record, "reason");
  if (is_lean)
    kr_ingest_leave_out(record);
  else
    kr_record_text(record, fields->reason, response->reason, NULL);
  kr_record_key(record, "headers");
  if (is_lean)
    kr_ingest_leave_out(record);
  else
    KR_TRY(kr_ingest_response_headers(record, set, response, fields));
  kr_ingest_response_body(record, set, response, fields, is_lean);
  kr_record_end_object(record);
  return KR_OK;
}
