/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_transport_limits.c - peers that fail, stall, or send too much; and what
 * the errors may and may not say.
 */
#include "exchange.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST KR_CLEANUP(kr_request_freep) kr_request *
#define EXCHANGE KR_CLEANUP(kr_exchange_freep) kr_exchange *

/* A port of 127.0.0.1 on which nobody listens; held by *ret_fd, to be closed. */
static unsigned closed_port(int *ret_fd) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof address;
  *ret_fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(*ret_fd >= 0);
  assert_int_equal(bind(*ret_fd, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(getsockname(*ret_fd, (struct sockaddr *)&address, &len), 0);
  return ntohs(address.sin_port);
}

static void a_refused_connection_names_the_origin_only(void **state) {
  fixture *self = *state;
  int fd = -1;
  char origin[64];
  char url[128];
  (void)snprintf(origin, sizeof origin, "http://127.0.0.1:%u", closed_port(&fd));
  (void)snprintf(url, sizeof url, "http://user:hunter2@%s/hunter2?k=hunter2", origin + 7);
  REQUEST request = request_of("POST", url, origin);
  EXCHANGE exchange = NULL;
  const kr_response *response = run(self, request, &exchange);
  assert_error(response, KR_TRANSPORT, "refused the connection");
  assert_error(response, KR_TRANSPORT, origin + strlen("http://"));
  assert_null(strstr(response->error.message, "hunter2"));
  assert_int_equal(response->status, 0);

  /* The origin itself came from a secret: not even that. */
  request->origin = (kr_str){0};
  EXCHANGE again = NULL;
  response = run(self, request, &again);
  assert_error(response, KR_TRANSPORT, "target refused the connection");
  assert_null(strstr(response->error.message, "127.0.0.1"));
  assert_null(strstr(response->error.hint, "127.0.0.1"));
  (void)close(fd);
}

/* Nobody listens there; had it been tried, the error would say so. */
static void a_private_address_is_not_even_tried(void **state) {
  fixture *self = *state;
  int fd = -1;
  char url[128];
  (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", closed_port(&fd));
  REQUEST request = request_of("POST", url, "");
  const kr_http_options options = {.allow_private = false};
  EXCHANGE exchange = NULL;
  assert_error(run_with(self, request, &options, &exchange), KR_REFUSED, "(loopback)");
  (void)close(fd);
}

static void a_name_that_cannot_be_resolved(void **state) {
  fixture *self = *state;
  /* A label of 64 bytes is over DNS's limit, so no name server is asked. */
  char host[80];
  char url[128];
  memset(host, 'x', 64);
  memcpy(host + 64, ".example", 9);
  (void)snprintf(url, sizeof url, "http://%s/hunter2", host);
  REQUEST request = request_of("GET", url, "");
  EXCHANGE exchange = NULL;
  const kr_response *response = run(self, request, &exchange);
  assert_error(response, KR_TRANSPORT, "cannot resolve host");
  assert_null(strstr(response->error.message, "xxx"));
}

static void a_slow_peer_runs_into_the_timeout(void **state) {
  fixture *self = *state;
  REQUEST request = request_to(self, "POST", "/slow?ms=30000", "{}");
  const kr_http_options options = {.allow_private = true, .timeout_ms = 50};
  EXCHANGE exchange = NULL;
  const kr_response *response = run_with(self, request, &options, &exchange);
  assert_error(response, KR_TRANSPORT, "within 50 ms");
  assert_int_equal(response->status, 0);
  assert_true(response->duration_ms >= 50);
}

static void a_peer_that_closes_without_an_answer(void **state) {
  fixture *self = *state;
  REQUEST request = request_to(self, "POST", "/close", "{}");
  EXCHANGE exchange = NULL;
  assert_error(run(self, request, &exchange), KR_TRANSPORT, "closed the connection without");
  assert_int_equal(n_requests(self), 1);
}

/*
 * On a kept connection that dies curl would send the request again by itself.
 * A GET may be; anything else is sent once, and the error says what is not known.
 */
static void nothing_but_a_get_is_sent_twice(void **state) {
  fixture *self = *state;
  REQUEST first = request_to(self, "POST", "/services/1", "{}");
  EXCHANGE kept = NULL;
  assert_int_equal(run(self, first, &kept)->status, 200);
  REQUEST second = request_to(self, "POST", "/close", "{}");
  EXCHANGE dropped = NULL;
  const kr_response *response = run(self, second, &dropped);
  assert_error(response, KR_TRANSPORT, "closed the connection without");
  assert_non_null(strstr(response->error.hint, "may have received"));
  assert_int_equal(n_requests(self), 2);

  EXCHANGE kept_again = NULL;
  assert_int_equal(run(self, first, &kept_again)->status, 200);
  REQUEST get = request_to(self, "GET", "/close", NULL);
  EXCHANGE repeated = NULL;
  assert_error(run(self, get, &repeated), KR_TRANSPORT, "closed the connection without");
  assert_int_equal(n_requests(self), 5);
}

static void what_is_not_http_is_refused(void **state) {
  fixture *self = *state;
  REQUEST request = request_to(self, "GET", "/garbage", NULL);
  EXCHANGE exchange = NULL;
  const kr_response *response = run(self, request, &exchange);
  assert_error(response, KR_TRANSPORT, "is not HTTP");
  assert_int_equal(response->status, 0);
  assert_int_equal(response->body.len, 0);
}

static const kr_response *get_big(fixture *self, size_t n_bytes, kr_request **request,
                                  kr_exchange **exchange) {
  char path[64];
  (void)snprintf(path, sizeof path, "/big?bytes=%zu", n_bytes);
  *request = request_to(self, "GET", path, NULL);
  return run(self, *request, exchange);
}

static void a_body_is_read_to_its_limit(void **state) {
  fixture *self = *state;
  REQUEST request = NULL;
  EXCHANGE exchange = NULL;
  const kr_response *response = get_big(self, KR_HTTP_RESPONSE_BYTES, &request, &exchange);
  assert_int_equal(response->error.status, KR_OK);
  assert_int_equal(response->body.len, KR_HTTP_RESPONSE_BYTES);
  assert_false(response->is_truncated);
}

static void a_longer_body_is_cut(void **state) {
  fixture *self = *state;
  REQUEST request = NULL;
  EXCHANGE exchange = NULL;
  const kr_response *response = get_big(self, KR_HTTP_RESPONSE_BYTES + 1, &request, &exchange);
  assert_int_equal(response->error.status, KR_OK);
  assert_int_equal(response->status, 200);
  assert_true(response->is_truncated);
  assert_int_equal(response->body.len, KR_HTTP_RESPONSE_BYTES);
}

static void a_body_that_breaks_off_is_truncated(void **state) {
  fixture *self = *state;
  REQUEST request = request_to(self, "GET", "/cut?bytes=5000", NULL);
  EXCHANGE exchange = NULL;
  const kr_response *response = run(self, request, &exchange);
  assert_error(response, KR_TRANSPORT, "ended too early");
  assert_int_equal(response->status, 200);
  assert_true(response->is_truncated);
  assert_int_equal(response->body.len, 5000);
  REQUEST shorter = request_to(self, "GET", "/cut?bytes=100", NULL);
  EXCHANGE second = NULL;
  response = run(self, shorter, &second);
  assert_true(response->is_truncated);
  assert_int_equal(response->body.len, 100);
}

static void header_lines_are_limited(void **state) {
  fixture *self = *state;
  static const struct {
    const char *path;
    kr_status status;
    const char *message;
    size_t n_headers;
  } rows[] = {{"/many-headers?n=255", KR_OK, "", 256}, /* and Content-Length */
              {"/many-headers?n=256", KR_LIMIT, "more than 256 header lines", 256},
              {"/many-headers?n=4&bytes=60000", KR_OK, "", 5},
              {"/many-headers?n=5&bytes=60000", KR_LIMIT, "more than 256 KiB", 4}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    REQUEST request = request_to(self, "GET", rows[i].path, NULL);
    EXCHANGE exchange = NULL;
    const kr_response *response = run(self, request, &exchange);
    assert_error(response, rows[i].status, rows[i].message);
    assert_int_equal(response->n_headers, rows[i].n_headers);
  }
}

#define LIVE(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {LIVE(a_refused_connection_names_the_origin_only),
                                     LIVE(a_private_address_is_not_even_tried),
                                     LIVE(a_name_that_cannot_be_resolved),
                                     LIVE(a_slow_peer_runs_into_the_timeout),
                                     LIVE(a_peer_that_closes_without_an_answer),
                                     LIVE(nothing_but_a_get_is_sent_twice),
                                     LIVE(what_is_not_http_is_refused),
                                     LIVE(a_body_is_read_to_its_limit),
                                     LIVE(a_longer_body_is_cut),
                                     LIVE(a_body_that_breaks_off_is_truncated),
                                     LIVE(header_lines_are_limited)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
