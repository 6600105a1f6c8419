/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_curl.c - many exchanges over one curl multi handle: start them,
 * move them, collect the finished ones.
 */
#define _POSIX_C_SOURCE 200809L
#include "connector/transport.h"

#include "base/assert.h"
#include "base/clock.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/*
 * Writing to a connection that the peer closed raises SIGPIPE in some TLS
 * builds. A library may not change the process's signals, so the calling
 * thread holds the signal back while curl runs and swallows one that curl
 * caused.
 */
typedef struct kr_quiet {
  sigset_t before;
  bool was_pending;
  bool is_held;
} kr_quiet;

static kr_quiet kr_quiet_begin(void) {
  kr_quiet quiet = {0};
  sigset_t pipe_only;
  sigset_t pending;
  (void)sigemptyset(&pipe_only);
  (void)sigaddset(&pipe_only, SIGPIPE);
  (void)sigpending(&pending);
  quiet.was_pending = sigismember(&pending, SIGPIPE) == 1;
  quiet.is_held = pthread_sigmask(SIG_BLOCK, &pipe_only, &quiet.before) == 0;
  return quiet;
}

static void kr_quiet_end(kr_quiet *quiet) {
  if (!quiet->is_held)
    return;
  sigset_t pipe_only;
  (void)sigemptyset(&pipe_only);
  (void)sigaddset(&pipe_only, SIGPIPE);
  const struct timespec now = {0};
  if (!quiet->was_pending)
    (void)sigtimedwait(&pipe_only, NULL, &now);
  (void)pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
}

#define KR_QUIET KR_CLEANUP(kr_quiet_end) __attribute__((unused)) kr_quiet quiet = kr_quiet_begin()

kr_status kr_http_process_init(kr_error *reterr) {
  CURLcode code =
      curl_global_init_mem(CURL_GLOBAL_DEFAULT, kr_transport_malloc, kr_transport_free,
                           kr_transport_realloc, kr_transport_strdup, kr_transport_calloc);
  if (code == CURLE_OUT_OF_MEMORY)
    return kr_fail_nomem(reterr);
  if (code != CURLE_OK)
    return kr_fail(reterr, KR_INTERNAL, "libcurl cannot start: %s", curl_easy_strerror(code));
  return KR_OK;
}

kr_status kr_http_new(kr_http **ret_http, kr_error *reterr) {
  kr_http *http = calloc(1, sizeof *http);
  if (http == NULL)
    return kr_fail_nomem(reterr);
  http->multi = curl_multi_init();
  kr_status status = http->multi == NULL ? kr_fail_nomem(reterr) : kr_http_turns_init(http, reterr);
  if (status != KR_OK) {
    (void)curl_multi_cleanup(http->multi);
    free(http);
    return status;
  }
  *ret_http = http;
  return KR_OK;
}

void kr_http_free(kr_http *http) {
  if (http == NULL)
    return;
  KR_ASSERT(http->exchanges == NULL);
  KR_QUIET;
  (void)curl_multi_cleanup(http->multi);
  kr_http_turns_done(http);
  free(http);
}

static kr_status kr_http_multi_fail(CURLMcode code, kr_error *reterr) {
  if (code == CURLM_OUT_OF_MEMORY)
    return kr_fail_nomem(reterr);
  return kr_fail(reterr, KR_TRANSPORT, "the exchanges cannot go on: %s", curl_multi_strerror(code));
}

kr_status kr_http_start(kr_http *http, const kr_request *request, const kr_http_options *options,
                        kr_exchange **ret_exchange, kr_error *reterr) {
  KR_CLEANUP(kr_exchange_freep) kr_exchange *exchange = calloc(1, sizeof *exchange);
  if (exchange == NULL)
    return kr_fail_nomem(reterr);
  exchange->http = http;
  exchange->request = request;
  exchange->allow_private = options != NULL && options->allow_private;
  exchange->timeout_ms =
      options == NULL || options->timeout_ms == 0 ? KR_CONNECTOR_TIMEOUT_MS : options->timeout_ms;
  exchange->started_us = kr_clock_monotonic_us(kr_clock_system());
  KR_TRY(kr_exchange_prepare(exchange, reterr));
  kr_http_enter(http);
  CURLMcode code = curl_multi_add_handle(http->multi, exchange->easy);
  if (code == CURLM_OK) {
    exchange->next = http->exchanges;
    http->exchanges = exchange;
    exchange->is_listed = true;
  }
  kr_http_leave(http);
  if (code != CURLM_OK)
    return kr_http_multi_fail(code, reterr);
  *ret_exchange = KR_TAKE(exchange);
  return KR_OK;
}

/* Finish what curl reports as done; returns how many. */
static size_t kr_http_collect(kr_http *http) {
  size_t n_done = 0;
  int n_left = 0;
  for (CURLMsg *message = curl_multi_info_read(http->multi, &n_left); message != NULL;
       message = curl_multi_info_read(http->multi, &n_left)) {
    char *private = NULL;
    if (message->msg != CURLMSG_DONE ||
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK)
      continue;
    kr_exchange *exchange = (kr_exchange *)(void *)private;
    uint64_t now_us = kr_clock_monotonic_us(kr_clock_system());
    exchange->response.duration_ms = (uint32_t)((now_us - exchange->started_us) / 1000);
    (void)atomic_fetch_add(&http->n_unseen, 1);
    kr_exchange_finish(exchange, message->data.result);
    n_done++;
  }
  return n_done;
}

static kr_status kr_http_turn(kr_http *http, uint32_t timeout_ms, kr_error *reterr) {
  KR_QUIET;
  int n_running = 0;
  CURLMcode code = curl_multi_perform(http->multi, &n_running);
  if (code != CURLM_OK)
    return kr_http_multi_fail(code, reterr);
  if (kr_http_collect(http) > 0 || n_running == 0 || timeout_ms == 0)
    return KR_OK;
  code =
      curl_multi_poll(http->multi, NULL, 0, timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms, NULL);
  if (code == CURLM_OK)
    code = curl_multi_perform(http->multi, &n_running);
  if (code != CURLM_OK)
    return kr_http_multi_fail(code, reterr);
  (void)kr_http_collect(http);
  return KR_OK;
}

kr_status kr_http_step(kr_http *http, uint32_t timeout_ms, kr_error *reterr) {
  uint32_t wait_ms = 0;
  if (!kr_http_enter_driver(http, timeout_ms, &wait_ms))
    return KR_OK;
  kr_status status = kr_http_turn(http, wait_ms, reterr);
  kr_http_leave(http);
  return status;
}

bool kr_exchange_is_done(kr_exchange *exchange) {
  bool is_done = atomic_load(&exchange->is_done);
  if (is_done && !exchange->is_seen) {
    exchange->is_seen = true;
    (void)atomic_fetch_sub(&exchange->http->n_unseen, 1);
  }
  return is_done;
}

const kr_response *kr_exchange_response(const kr_exchange *exchange) {
  KR_ASSERT(atomic_load(&exchange->is_done));
  return &exchange->response;
}

void kr_exchange_free(kr_exchange *exchange) {
  if (exchange == NULL)
    return;
  KR_QUIET;
  if (exchange->is_listed) {
    kr_http_enter(exchange->http);
    kr_exchange **link = &exchange->http->exchanges;
    while (*link != exchange)
      link = &(*link)->next;
    *link = exchange->next;
    if (exchange->easy != NULL)
      (void)curl_multi_remove_handle(exchange->http->multi, exchange->easy);
    kr_http_leave(exchange->http);
  }
  (void)kr_exchange_is_done(exchange);
  if (exchange->easy != NULL)
    curl_easy_cleanup(exchange->easy);
  curl_slist_free_all(exchange->headers);
  kr_buf_done(&exchange->body);
  kr_buf_done(&exchange->lines);
  free(exchange);
}
