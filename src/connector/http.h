/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h - the transport: many exchanges at once over one curl multi handle.
 * The only files that see curl's headers are transport_*.c, through transport.h.
 *
 * Egress policy, on the address actually connected, for new and for reused
 * connections: private, loopback, link-local and other special ranges are
 * refused unless allowed (egress.h has the table). No proxy from the
 * environment, http and https only, TLS verified, no redirects followed. The
 * URL is parsed again with curl's own parser and its scheme, host and port
 * compared with request->origin before anything is sent.
 *
 * Threads: start, step and free may be called by many threads on one kr_http;
 * an exchange, once started, belongs to the thread that started it, and any
 * thread's kr_http_step moves it.
 */
#ifndef KR_CONNECTOR_HTTP_H
#define KR_CONNECTOR_HTTP_H

#include "connector/request.h"

#define KR_HTTP_RESPONSE_BYTES (16u * 1024u * 1024u) /* read of one response body */
#define KR_HTTP_RESPONSE_HEADER_BYTES (256u * 1024u) /* all header lines of one response */
#define KR_HTTP_RESPONSE_HEADERS_MAX 256u

typedef struct kr_http kr_http;
typedef struct kr_exchange kr_exchange;

typedef struct kr_http_options {
  bool allow_private;
  uint32_t timeout_ms; /* whole exchange; 0: KR_CONNECTOR_TIMEOUT_MS */
} kr_http_options;

typedef struct kr_response_header {
  kr_str name;
  kr_str value;
} kr_response_header;

typedef struct kr_response {
  int status;    /* 0: no response line was received */
  kr_str reason; /* may be empty */
  const kr_response_header *headers;
  size_t n_headers;
  kr_str body;       /* decoded by curl of transfer coding only */
  bool is_truncated; /* the body stopped early: at KR_HTTP_RESPONSE_BYTES (then error is not
                        set) or by a failure midway; it may end inside an echoed secret, so whoever
                        keeps it must leave its end out, see engine/ingest_response.c */
  bool is_json;      /* by its Content-Type: application/json or +json */
  kr_error error;    /* error.status != KR_OK: transport, policy or limit; text is ours, naming
                        the host and port of request->origin at most */
  uint32_t duration_ms;
} kr_response;

/** Global init of curl must have been done (kr_http_process_init). */
kr_status kr_http_new(kr_http **ret_http, kr_error *reterr) KR_MUST_USE;
void kr_http_free(kr_http *http); /* no exchange may be open */
KR_DEFINE_FREEP(kr_http_freep, kr_http, kr_http_free)

/** curl's global init with an allocator that wipes on free; once per process, before threads. */
kr_status kr_http_process_init(kr_error *reterr) KR_MUST_USE;

/** The host of a rendered URL as curl reads it, NUL-terminated. KR_INVALID, KR_REFUSED, KR_LIMIT.
 */
kr_status kr_http_url_host(kr_str url, char *out, size_t size, kr_error *reterr) KR_MUST_USE;

/** Start; the request is borrowed until the exchange is freed. KR_REFUSED: URL policy, nothing
 * sent. */
kr_status kr_http_start(kr_http *http, const kr_request *request, const kr_http_options *options,
                        kr_exchange **ret_exchange, kr_error *reterr) KR_MUST_USE;

/**
 * Move all exchanges; waits up to timeout_ms for something to happen. While
 * another thread does the same, it waits for that one's turn to end instead.
 */
kr_status kr_http_step(kr_http *http, uint32_t timeout_ms, kr_error *reterr) KR_MUST_USE;

bool kr_exchange_is_done(kr_exchange *exchange);

/** Once done; borrowed until the exchange is freed. Sensitive memory. */
const kr_response *kr_exchange_response(const kr_exchange *exchange);
void kr_exchange_free(kr_exchange *exchange);
KR_DEFINE_FREEP(kr_exchange_freep, kr_exchange, kr_exchange_free)

#endif
