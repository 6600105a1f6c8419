/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport.h - what the transport_*.c files share; no other file includes it.
 *
 *   transport_curl.c      the multi handle: start, step, process init
 *   transport_exchange.c  one exchange: the options of its handle, its end
 *   transport_receive.c   header lines and body bytes as they come in
 *   transport_url.c       the URL as curl reads it, against the proved origin
 *   transport_errors.c    curl's codes as errors of ours, without the URL
 *   transport_memory.c    the allocator given to curl
 *   transport_turns.c     one thread at a time in the multi handle
 */
#ifndef KR_CONNECTOR_TRANSPORT_H
#define KR_CONNECTOR_TRANSPORT_H

#include "connector/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

/* A received header as offsets into received.lines, which may still move. */
typedef struct kr_header_place {
  size_t name;
  size_t name_len;
  size_t value;
  size_t value_len;
} kr_header_place;

/**
 * One exchange. Lifecycle: kr_exchange_prepare -> added to the multi handle ->
 * kr_exchange_finish (the handle is gone, the response is whole) -> freed.
 */
struct kr_exchange {
  kr_http *http;
  kr_exchange *next; /* in http->exchanges, when is_listed */
  bool is_listed;
  bool is_seen; /* its thread knows that it is done */
  CURL *easy;   /* NULL once done */
  struct curl_slist *headers;
  const kr_request *request;
  bool allow_private;
  atomic_bool is_done; /* last of all, so that what it tells of is whole for every thread */
  uint32_t timeout_ms;
  uint64_t started_us;
  const char *refused; /* why an address was refused; static */
  bool is_sent;        /* a connection was given to this request once already */
  bool is_resend;      /* ... and curl wanted to send it again */

  kr_buf body;         /* sensitive, to KR_HTTP_RESPONSE_BYTES */
  kr_buf lines;        /* sensitive: reason, header names and values, one after another */
  size_t n_line_bytes; /* of all header lines, those of 1xx answers too */
  bool is_over;        /* the body went past its limit */
  bool is_final;       /* the blank line of a final (not 1xx) answer was seen */
  bool is_nomem;       /* receiving ran out of memory */
  int line_status;
  size_t reason_len;        /* at the start of lines */
  const char *header_fault; /* which header limit was exceeded; static */
  kr_header_place places[KR_HTTP_RESPONSE_HEADERS_MAX];
  size_t n_places;
  kr_response_header received[KR_HTTP_RESPONSE_HEADERS_MAX];

  kr_response response;
};

/*
 * curl's multi handle may be used by one thread at a time, also while it waits
 * for the network. Its user is whoever set is_used; who only starts or frees an
 * exchange is a guest: it wakes the waiting user, and a driver lets guests go first.
 */
struct kr_http {
  CURLM *multi;
  kr_exchange *exchanges; /* open ones, done or not; of the user of multi */
  pthread_mutex_t mutex;  /* guards what follows */
  pthread_cond_t changed; /* is_used became false; on the monotonic clock */
  bool is_used;
  size_t n_guests;        /* threads that wait to use it shortly */
  atomic_size_t n_unseen; /* exchanges that are done and whose thread has not seen it */
};

/* transport_turns.c: who may use the multi handle. */
kr_status kr_http_turns_init(kr_http *http, kr_error *reterr) KR_MUST_USE;
void kr_http_turns_done(kr_http *http);

/** Wait until the handle is free, waking who waits in it; kr_http_leave gives it back. */
void kr_http_enter(kr_http *http);

/**
 * The same for a driver. False when another one drives: then it waited for that
 * one's turn. True: it may wait for the network for *ret_wait_ms.
 */
bool kr_http_enter_driver(kr_http *http, uint32_t timeout_ms, uint32_t *ret_wait_ms);
void kr_http_leave(kr_http *http);

/** Build the easy handle of an exchange; on failure the exchange is still to be freed. */
kr_status kr_exchange_prepare(kr_exchange *exchange, kr_error *reterr) KR_MUST_USE;

/** Release the easy handle and fill the response. */
void kr_exchange_finish(kr_exchange *exchange, CURLcode code);

/** curl's callbacks for header lines and body bytes; userdata is the exchange. */
size_t kr_transport_header(char *bytes, size_t item_size, size_t n_items, void *userdata);
size_t kr_transport_body(char *bytes, size_t item_size, size_t n_items, void *userdata);

/** Fill the response from what was received; code as for kr_exchange_finish. */
void kr_transport_conclude(kr_exchange *exchange, CURLcode code);

/**
 * Is the rendered URL one that may be asked? http or https, a host, and the
 * same scheme, host and port as request->origin unless that is empty.
 * Errors: KR_REFUSED, KR_INVALID, KR_NOMEM.
 */
kr_status kr_transport_check_url(const char *url, kr_str origin, kr_error *reterr) KR_MUST_USE;

/** Describe how an exchange failed (code != CURLE_OK). Names the origin at most. */
void kr_transport_describe(const kr_exchange *exchange, CURLcode code, long os_error,
                           kr_error *error);

/* The allocator: every block is wiped before it goes back to the heap. */
void *kr_transport_malloc(size_t len);
void *kr_transport_calloc(size_t n_items, size_t item_size);
void *kr_transport_realloc(void *ptr, size_t len);
char *kr_transport_strdup(const char *text);
void kr_transport_free(void *ptr);

#endif
