/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c - fixtures of the transport tests, see exchange.h. */
#include "exchange.h"

#include "connector/transport.h"

#define STEPS_MAX 100000u /* so that a transport that never ends fails instead of hanging */

bool fixture_start(fixture *self, const char *expectations) {
  memset(self, 0, sizeof *self);
  if (!receiver_start(&self->receiver, expectations))
    return false;
  (void)snprintf(self->origin, sizeof self->origin, "http://127.0.0.1:%u",
                 (unsigned)self->receiver.port);
  return kr_http_process_init(NULL) == KR_OK && kr_http_new(&self->http, NULL) == KR_OK;
}

void fixture_stop(fixture *self) {
  /* A test that failed midway left its exchanges open: a leak, but the others still run. */
  if (self->http == NULL || self->http->exchanges == NULL)
    kr_http_free(self->http);
  self->http = NULL;
  if (self->receiver.pid > 0)
    assert_int_not_equal(receiver_stop(&self->receiver, NULL, 0), -1);
}

int fixture_setup(void **state) {
  fixture *self = calloc(1, sizeof *self);
  *state = self;
  return self != NULL && fixture_start(self, NULL) ? 0 : -1;
}

int fixture_teardown(void **state) {
  fixture_stop(*state);
  free(*state);
  return 0;
}

static void put(kr_rendered *rendered, const char *text) {
  assert_int_equal(kr_buf_append(&rendered->buf, kr_str_cstr(text)), KR_OK);
}

kr_request *request_of(const char *method, const char *url, const char *origin) {
  kr_request *request = NULL;
  assert_int_equal(kr_request_new(&request, NULL), KR_OK);
  request->method = kr_str_cstr(method);
  request->origin = kr_str_cstr(origin);
  put(&request->url, url);
  return request;
}

kr_request *request_to(const fixture *self, const char *method, const char *path,
                       const char *body) {
  kr_request *request = request_of(method, self->origin, self->origin);
  put(&request->url, path);
  request->has_body = body != NULL;
  if (body != NULL)
    put(&request->body, body);
  return request;
}

void request_header(kr_request *request, const char *name, const char *value) {
  kr_rendered *rendered = NULL;
  assert_int_equal(kr_request_next_header(request, kr_str_cstr(name), &rendered, NULL), KR_OK);
  put(rendered, value);
}

const kr_response *run_with(fixture *self, const kr_request *request,
                            const kr_http_options *options, kr_exchange **ret_exchange) {
  kr_error error = {0};
  if (kr_http_start(self->http, request, options, ret_exchange, &error) != KR_OK)
    fail_msg("start: %s", error.message);
  for (size_t i = 0; i < STEPS_MAX && !kr_exchange_is_done(*ret_exchange); i++)
    assert_int_equal(kr_http_step(self->http, 1000, NULL), KR_OK);
  assert_true(kr_exchange_is_done(*ret_exchange));
  return kr_exchange_response(*ret_exchange);
}

const kr_response *run(fixture *self, const kr_request *request, kr_exchange **ret_exchange) {
  const kr_http_options options = {.allow_private = true, .timeout_ms = 20000};
  return run_with(self, request, &options, ret_exchange);
}

size_t n_requests(const fixture *self) {
  char report[16384];
  receiver_read_report(&self->receiver, report, sizeof report);
  size_t n = 0;
  for (const char *c = report; *c != '\0'; c++)
    n += *c == '\n';
  return n;
}

void assert_str(kr_str str, const char *expected) {
  if (!kr_str_equal(str, kr_str_cstr(expected)))
    fail_msg("\"%.*s\" is not \"%s\"", KR_FMT(str), expected);
}

void assert_error(const kr_response *response, kr_status status, const char *part) {
  assert_string_equal(kr_status_name(response->error.status), kr_status_name(status));
  if (strstr(response->error.message, part) == NULL)
    fail_msg("no \"%s\" in: %s", part, response->error.message);
}

const kr_response_header *find_header(const kr_response *response, const char *name, size_t nth) {
  for (size_t i = 0; i < response->n_headers; i++)
    if (kr_str_equal_nocase(response->headers[i].name, kr_str_cstr(name)) && nth-- == 0)
      return &response->headers[i];
  return NULL;
}
