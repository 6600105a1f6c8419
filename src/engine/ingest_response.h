/* SPDX-License-Identifier: Apache-2.0 */
/* ingest_response.h - what came back, as a part of an event: journey (b) for answers. */
#ifndef KR_ENGINE_INGEST_RESPONSE_H
#define KR_ENGINE_INGEST_RESPONSE_H

#include "connector/http.h"
#include "redact/record.h"

/** Names of the fields of one exchange in the receipt. */
typedef struct kr_ingest_fields {
  const char *url;
  const char *request_headers;
  const char *request_body;
  const char *reason;
  const char *response_headers;
  const char *response_body;
  const char *error;
} kr_ingest_fields;

/** {"withheld": why} in place of data. */
void kr_ingest_withhold(kr_record *record, const char *why);

/** The same in a lean record, which keeps what an event needs and leaves its data out. */
void kr_ingest_leave_out(kr_record *record);

/**
 * Write {"status", "reason", "headers", "body", "truncated"}. set is the one the
 * record redacts with. Only running out of memory fails; then the record must
 * not be used.
 */
kr_status kr_ingest_response(kr_record *record, const kr_redact_set *set,
                             const kr_response *response, const kr_ingest_fields *fields,
                             bool is_lean) KR_MUST_USE;

#endif
