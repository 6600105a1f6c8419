/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connector.h - a connector definition as data: JSON in, a checked structure of
 * template texts out. It compiles and runs nothing (that is engine's work). The
 * format is described in docs/connectors.md.
 */
#ifndef KR_CONNECTOR_CONNECTOR_H
#define KR_CONNECTOR_CONNECTOR_H

#include "json/json.h"

#define KR_CONNECTOR_NAME_BYTES 128u           /* of a connector, header, parameter or field */
#define KR_CONNECTOR_MAX_BYTES (1024u * 1024u) /* the definition file */
#define KR_CONNECTOR_HEADERS_MAX 64u           /* per request */
#define KR_CONNECTOR_QUERY_MAX 64u
#define KR_CONNECTOR_FIELDS_MAX 256u
#define KR_CONNECTOR_TIMEOUT_MS 30000u /* default of timeout_ms */
#define KR_CONNECTOR_TIMEOUT_MAX_MS 600000u

typedef enum kr_connector_missing {
  KR_CONNECTOR_STRICT,
  KR_CONNECTOR_NULLISH,
  KR_CONNECTOR_EMPTY
} kr_connector_missing;

/** A named template: a header, a query parameter, a process field. */
typedef struct kr_connector_pair {
  kr_str name;
  kr_str text;
} kr_connector_pair;

typedef struct kr_connector {
  kr_str name;
  bool is_active;
  const kr_json *example_payload; /* NULL: none */
  kr_str trigger;                 /* empty: always */
  bool has_lookup;
  kr_str lookup_url;
  const kr_connector_pair *lookup_headers;
  size_t n_lookup_headers;
  const kr_connector_pair *lookup_query;
  size_t n_lookup_query;
  const kr_connector_pair *fields; /* in order; names match [A-Za-z_][A-Za-z0-9_]* */
  size_t n_fields;
  kr_str url;
  kr_str method; /* POST (default), PUT, PATCH, DELETE */
  const kr_connector_pair *headers;
  size_t n_headers;
  const kr_json *body; /* NULL: none; an object or array, or a string: one text template */
  kr_connector_missing missing;
  bool allow_raw;
  uint32_t timeout_ms; /* of each request */
} kr_connector;

/**
 * Parse and check a definition.
 *
 * @text       Must outlive the connector.
 * @arena      Holds the connector.
 * @reterr     KR_INVALID: what is wrong, source = path of the key ("perform.headers"),
 *             span in bytes of text where it is known; unknown keys get "did you mean".
 *             KR_UNSUPPORTED: a key of the format that this version does not act on.
 *             KR_LIMIT: the definition's size. KR_NOMEM.
 *
 * Checked here: types, required keys, header names (RFC 9110 tokens; not Host,
 * Content-Length, Transfer-Encoding, Connection, Upgrade, TE, Trailer, Keep-Alive,
 * Proxy-Connection, Expect; no duplicates without regard to case), methods, field names, counts.
 */
kr_status kr_connector_parse(kr_str text, kr_arena *arena, const kr_connector **ret_connector,
                             kr_error *reterr) KR_MUST_USE;

#endif
