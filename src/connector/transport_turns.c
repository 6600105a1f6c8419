/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_turns.c - one thread at a time in the multi handle, without making
 * anyone wait for the network who only has something to add to it. A guest
 * (start, free) counts itself, wakes the thread that waits in curl, and takes
 * the next turn; a driver waits while there are guests. Of several drivers one
 * waits for the network, the others for the end of its turn: their exchanges
 * may be what it moved. What ended between a thread's look at its exchange and
 * its call here is not told to it any more: while there is such an exchange,
 * done but not yet looked at, nobody waits for longer than a short slice.
 *
 * curl_multi_wakeup is the one call curl allows from another thread; it is not
 * lost when it comes before the wait (libcurl's manual, curl_multi_wakeup(3)).
 */
#define _POSIX_C_SOURCE 200809L
#include "connector/transport.h"

#include <time.h>

#define KR_HTTP_SLICE_MS 20u /* the longest wait while something done was not looked at */

kr_status kr_http_turns_init(kr_http *http, kr_error *reterr) {
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes) != 0)
    return kr_fail_nomem(reterr);
  int code = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  if (code == 0)
    code = pthread_cond_init(&http->changed, &attributes);
  (void)pthread_condattr_destroy(&attributes);
  if (code != 0)
    return kr_fail_nomem(reterr);
  if (pthread_mutex_init(&http->mutex, NULL) == 0)
    return KR_OK;
  (void)pthread_cond_destroy(&http->changed);
  return kr_fail_nomem(reterr);
}

void kr_http_turns_done(kr_http *http) {
  (void)pthread_cond_destroy(&http->changed);
  (void)pthread_mutex_destroy(&http->mutex);
}

void kr_http_enter(kr_http *http) {
  (void)pthread_mutex_lock(&http->mutex);
  http->n_guests++;
  while (http->is_used) {
    (void)curl_multi_wakeup(http->multi);
    (void)pthread_cond_wait(&http->changed, &http->mutex);
  }
  http->n_guests--;
  http->is_used = true;
  (void)pthread_mutex_unlock(&http->mutex);
}

static struct timespec kr_http_deadline(uint32_t timeout_ms) {
  struct timespec at = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &at);
  at.tv_sec += (time_t)(timeout_ms / 1000u);
  at.tv_nsec += (long)(timeout_ms % 1000u) * 1000000L;
  if (at.tv_nsec >= 1000000000L) {
    at.tv_sec++;
    at.tv_nsec -= 1000000000L;
  }
  return at;
}

bool kr_http_enter_driver(kr_http *http, uint32_t timeout_ms, uint32_t *ret_wait_ms) {
  (void)pthread_mutex_lock(&http->mutex);
  bool is_news = atomic_load(&http->n_unseen) > 0;
  *ret_wait_ms = is_news && timeout_ms > KR_HTTP_SLICE_MS ? KR_HTTP_SLICE_MS : timeout_ms;
  const struct timespec deadline = kr_http_deadline(*ret_wait_ms);
  /* After another one's turn the caller looks at its exchanges first. */
  bool is_mine = !http->is_used && http->n_guests == 0;
  if (is_mine)
    http->is_used = true;
  else
    (void)pthread_cond_timedwait(&http->changed, &http->mutex, &deadline);
  (void)pthread_mutex_unlock(&http->mutex);
  return is_mine;
}

void kr_http_leave(kr_http *http) {
  (void)pthread_mutex_lock(&http->mutex);
  http->is_used = false;
  (void)pthread_cond_broadcast(&http->changed);
  (void)pthread_mutex_unlock(&http->mutex);
}
