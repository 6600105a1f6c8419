/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h - assembling an HTTP request from rendered pieces, keeping the
 * spans of every piece, so that the request can be redacted by position.
 */
#ifndef KR_CONNECTOR_REQUEST_H
#define KR_CONNECTOR_REQUEST_H

#include "base/cleanup.h"
#include "connector/connector.h"
#include "vm/render.h"

typedef struct kr_request_header {
  kr_str name;       /* borrowed from the connector */
  kr_rendered value; /* owned by the request */
} kr_request_header;

typedef struct kr_request {
  kr_str method;
  kr_rendered url;
  kr_request_header headers[KR_CONNECTOR_HEADERS_MAX + 4]; /* a few are added by default */
  size_t n_headers;
  kr_rendered body;
  bool has_body;
  kr_str origin; /* "https://host:port" proved at compile time; empty: taken from a secret */
} kr_request;

/** Empty; all pieces may be rendered into it. */
kr_status kr_request_new(kr_request **ret_request, kr_error *reterr) KR_MUST_USE;
void kr_request_free(kr_request *request);
KR_DEFINE_FREEP(kr_request_freep, kr_request, kr_request_free)

/** Append `name=value` to the URL with `?` or `&`; name is percent-encoded here, spans are
 * shifted; a value that is_null leaves the parameter out. KR_LIMIT: the URL's. */
kr_status kr_request_add_query(kr_request *request, kr_str name, const kr_rendered *value,
                               kr_error *reterr) KR_MUST_USE;

/** The slot of the next header, to render its value into. KR_LIMIT. */
kr_status kr_request_next_header(kr_request *request, kr_str name, kr_rendered **ret_value,
                                 kr_error *reterr) KR_MUST_USE;

/** A header of ours with a literal value, unless the connector gave one of this name. */
kr_status kr_request_default_header(kr_request *request, kr_str name, kr_str value,
                                    kr_error *reterr) KR_MUST_USE;

#endif
