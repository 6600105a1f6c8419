/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_transport.c - the transport against a real server on real sockets: what
 * is sent, what is received, and which addresses and origins are refused.
 */
#define _POSIX_C_SOURCE 200809L
#include "exchange.h"

#define REQUEST KR_CLEANUP(kr_request_freep) kr_request *
#define EXCHANGE KR_CLEANUP(kr_exchange_freep) kr_exchange *

/* The lines of an echoed head that are not in `expected`, and the other way round. */
static void assert_head(kr_str echoed, const char *const *expected, size_t n_expected) {
  size_t end = kr_str_find(echoed, KR_STR("\r\n\r\n"), 0);
  assert_int_not_equal(end, SIZE_MAX);
  size_t n_lines = 0;
  for (size_t at = 0; at < end; n_lines++) {
    size_t line_end = kr_str_find(echoed, KR_STR("\r\n"), at);
    kr_str line = kr_str_slice(echoed, at, line_end);
    bool is_known = false;
    for (size_t i = 0; i < n_expected && !is_known; i++)
      is_known = kr_str_equal(line, kr_str_cstr(expected[i]));
    if (!is_known)
      fail_msg("not expected: %.*s", KR_FMT(line));
    at = line_end + 2;
  }
  assert_int_equal(n_lines, n_expected);
}

static void sends_exactly_what_was_rendered(void **state) {
  fixture *self = *state;
  const char *path = "/echo/a%2fb/./..;p/%C3%A9?x=%2B%20&y=[1]&$=';#gone";
  REQUEST request = request_to(self, "PUT", path, NULL);
  request_header(request, "Authorization", "Bearer k\xC3\xA9y+/=");
  request_header(request, "X-Empty", "");
  request_header(request, "X-Blank", "  ");
  request_header(request, "x-lOWER", "a: b; c");
  static const char body[] = "line\r\n\0\xFF{\"a\":1}";
  assert_int_equal(kr_buf_append(&request->body.buf, kr_str_from(body, sizeof body - 1)), KR_OK);
  request->has_body = true;
  EXCHANGE exchange = NULL;
  const kr_response *response = run(self, request, &exchange);
  assert_int_equal(response->error.status, KR_OK);
  assert_int_equal(response->status, 200);
  char host[64];
  (void)snprintf(host, sizeof host, "Host: %s", self->origin + strlen("http://"));
  const char *const expected[] = {"PUT /echo/a%2fb/./..;p/%C3%A9?x=%2B%20&y=[1]&$='; HTTP/1.1",
                                  host,
                                  "Authorization: Bearer k\xC3\xA9y+/=",
                                  "X-Empty:",
                                  "X-Blank:",
                                  "x-lOWER: a: b; c",
                                  "Content-Length: 15"};
  assert_head(response->body, expected, sizeof expected / sizeof expected[0]);
  size_t head = kr_str_find(response->body, KR_STR("\r\n\r\n"), 0) + 4;
  kr_str sent = kr_str_skip(response->body, head);
  assert_true(kr_str_equal(sent, kr_str_from(body, sizeof body - 1)));
}

/* Method, whether there is a body, and the framing that must follow. */
static void frames_each_method(void **state) {
  fixture *self = *state;
  static const struct {
    const char *method;
    const char *body;
    const char *length;
  } rows[] = {{"GET", NULL, NULL},
              {"DELETE", NULL, NULL},
              {"DELETE", "{}", "Content-Length: 2"},
              {"POST", NULL, "Content-Length: 0"},
              {"POST", "", "Content-Length: 0"},
              {"POST", "a=b", "Content-Length: 3"},
              {"PUT", NULL, "Content-Length: 0"},
              {"PATCH", "{}", "Content-Length: 2"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    REQUEST request = request_to(self, rows[i].method, "/echo", rows[i].body);
    EXCHANGE exchange = NULL;
    const kr_response *response = run(self, request, &exchange);
    char line[64];
    char host[64];
    (void)snprintf(line, sizeof line, "%s /echo HTTP/1.1", rows[i].method);
    (void)snprintf(host, sizeof host, "Host: %s", self->origin + strlen("http://"));
    const char *const expected[] = {line, host, rows[i].length};
    assert_head(response->body, expected, rows[i].length == NULL ? 2 : 3);
  }
}

/* Over a mebibyte curl would ask first, with "Expect: 100-continue". */
static void sends_a_large_body_at_once(void **state) {
  fixture *self = *state;
  REQUEST request = request_to(self, "POST", "/echo", "");
  request->body.buf.limit = KR_LIMIT_BODY_BYTES * 2;
  for (size_t i = 0; i < KR_LIMIT_BODY_BYTES + 1; i++)
    assert_int_equal(kr_buf_byte(&request->body.buf, (uint8_t)('a' + i % 23)), KR_OK);
  EXCHANGE exchange = NULL;
  const kr_response *response = run(self, request, &exchange);
  size_t head = kr_str_find(response->body, KR_STR("\r\n\r\n"), 0) + 4;
  assert_int_equal(kr_str_find(response->body, KR_STR("Expect"), 0), SIZE_MAX);
  assert_true(kr_str_equal(kr_str_skip(response->body, head), kr_buf_str(&request->body.buf)));
}

static void an_error_status_is_an_answer(void **state) {
  fixture *self = *state;
  REQUEST request = request_to(self, "POST", "/fail/now", "{}");
  request_header(request, "X-API-Key", "hunter2");
  EXCHANGE exchange = NULL;
  const kr_response *response = run(self, request, &exchange);
  assert_int_equal(response->error.status, KR_OK);
  assert_int_equal(response->status, 500);
  assert_str(response->reason, "Internal Server Error");
  assert_str(response->body, "internal error: cannot use key hunter2");
  assert_false(response->is_json);
}

static void reads_the_answer_of_the_crm(void **state) {
  fixture *self = *state;
  REQUEST request = request_to(self, "GET", "/users/u-77", NULL);
  request_header(request, "Authorization", "Bearer k");
  EXCHANGE exchange = NULL;
  const kr_response *response = run(self, request, &exchange);
  assert_int_equal(response->status, 200);
  assert_true(response->is_json);
  assert_str(response->body, "{\"tier\":\"gold\",\"seen_authorization\":\"Bearer k\"}");
}

static void a_redirect_is_not_followed(void **state) {
  fixture *self = *state;
  REQUEST request = request_to(self, "GET", "/redirect", NULL);
  EXCHANGE exchange = NULL;
  const kr_response *response = run(self, request, &exchange);
  assert_int_equal(response->error.status, KR_OK);
  assert_int_equal(response->status, 302);
  assert_str(find_header(response, "location", 0)->value, "/users/moved");
  assert_int_equal(n_requests(self), 1);
}

static void headers_keep_order_and_duplicates(void **state) {
  fixture *self = *state;
  REQUEST request = request_to(self, "GET", "/dup-headers", NULL);
  EXCHANGE exchange = NULL;
  const kr_response *response = run(self, request, &exchange);
  assert_str(response->reason, "Fine By Me");
  assert_int_equal(response->n_headers, 5);
  assert_str(response->headers[0].name, "Set-Cookie");
  assert_str(response->headers[0].value, "a=1");
  assert_str(response->headers[1].name, "X-Empty");
  assert_str(response->headers[1].value, "");
  assert_str(response->headers[2].name, "set-cookie");
  assert_str(response->headers[2].value, "b=2");
  assert_str(response->headers[3].value, "one two");
  assert_str(response->headers[4].name, "Content-Length");
}

/* 103 before, chunks, a trailer behind: only the final answer counts. */
static void interim_answers_and_trailers_are_left_out(void **state) {
  fixture *self = *state;
  REQUEST request = request_to(self, "GET", "/interim", NULL);
  EXCHANGE exchange = NULL;
  const kr_response *response = run(self, request, &exchange);
  assert_int_equal(response->status, 201);
  assert_str(response->reason, "Created");
  assert_str(response->body, "abcdef");
  assert_null(find_header(response, "Link", 0));
  assert_null(find_header(response, "X-Trailer", 0));
  assert_non_null(find_header(response, "X-Real", 0));
}

static void bodies_are_taken_as_they_are(void **state) {
  fixture *self = *state;
  REQUEST labelled = request_to(self, "GET", "/gzip-labelled", NULL);
  EXCHANGE first = NULL;
  const kr_response *response = run(self, labelled, &first);
  assert_int_equal(response->error.status, KR_OK);
  assert_str(response->body, "labelled gzip, but plain");
  REQUEST bytes = request_to(self, "GET", "/nonutf8", NULL);
  EXCHANGE second = NULL;
  response = run(self, bytes, &second);
  assert_true(kr_str_equal(response->body, kr_str_from("\xFF\xFE\0z", 4)));
  REQUEST problem = request_to(self, "GET", "/problem", NULL);
  EXCHANGE third = NULL;
  response = run(self, problem, &third);
  assert_int_equal(response->status, 404);
  assert_true(response->is_json);
}

static void private_is_refused_when_fresh(void **state) {
  fixture *self = *state;
  const kr_http_options options = {.allow_private = false};
  static const char *const hosts[] = {"127.0.0.1",          "localhost", "2130706433", "0x7f.1",
                                      "[::ffff:127.0.0.1]", "[::1]",     "0.0.0.0",    "127.1"};
  for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
    char url[128];
    (void)snprintf(url, sizeof url, "http://%s:%u/users/1", hosts[i],
                   (unsigned)self->receiver.port);
    REQUEST request = request_of("GET", url, "");
    EXCHANGE exchange = NULL;
    const kr_response *response = run_with(self, request, &options, &exchange);
    assert_error(response, KR_REFUSED, "not public");
    assert_non_null(strstr(response->error.hint, "--allow-private"));
    assert_int_equal(response->status, 0);
  }
  assert_int_equal(n_requests(self), 0);
}

/* The socket is open already, so only the check before the request can refuse. */
static void private_is_refused_when_kept(void **state) {
  fixture *self = *state;
  REQUEST request = request_to(self, "GET", "/users/1", NULL);
  EXCHANGE first = NULL;
  assert_int_equal(run(self, request, &first)->status, 200);
  const kr_http_options options = {.allow_private = false};
  EXCHANGE second = NULL;
  assert_error(run_with(self, request, &options, &second), KR_REFUSED, "(loopback)");
  assert_int_equal(n_requests(self), 1);
}

static void a_proxy_in_the_environment_is_ignored(void **state) {
  fixture *self = *state;
  static const char *const names[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY",
                                      "https_proxy"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    assert_int_equal(setenv(names[i], "http://127.0.0.1:1", 1), 0);
  REQUEST request = request_to(self, "GET", "/users/1", NULL);
  EXCHANGE exchange = NULL;
  const kr_response *response = run(self, request, &exchange);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    assert_int_equal(unsetenv(names[i]), 0);
  assert_int_equal(response->error.status, KR_OK);
  assert_int_equal(response->status, 200);
}

typedef struct origin_row {
  const char *name;
  const char *url;
  const char *origin;
  kr_status status;
} origin_row;

static origin_row origin_rows[] = {
    {"same", "https://h.example/p", "https://h.example", KR_OK},
    {"case does not matter", "HTTPS://H.Example/p", "https://h.eXAMPLE", KR_OK},
    {"default port given in the url", "https://h.example:443/", "https://h.example", KR_OK},
    {"default port given in the origin", "http://h.example/", "http://h.example:80", KR_OK},
    {"userinfo is kept", "https://u:p@h.example/", "https://h.example", KR_OK},
    {"IPv6", "http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080", KR_OK},
    {"IPv6 without a port", "http://[2001:db8::1]/", "http://[2001:db8::1]", KR_OK},
    {"from a secret", "https://anywhere.example/", "", KR_OK},
    {"no path", "https://h.example?q=1", "https://h.example", KR_OK},
    {"other host", "https://evil.example/", "https://h.example", KR_REFUSED},
    {"longer host", "https://h.example.evil.example/", "https://h.example", KR_REFUSED},
    {"shorter host", "https://h.exampl/", "https://h.example", KR_REFUSED},
    {"host behind userinfo", "https://h.example@evil.example/", "https://h.example", KR_REFUSED},
    {"host behind userinfo with a port", "https://h.example:443@evil.example/", "https://h.example",
     KR_REFUSED},
    {"backslash", "https://h.example\\@evil.example/", "https://h.example", KR_REFUSED},
    {"encoded dot in the host", "https://h%2Eexample/", "https://h%2Eexample", KR_REFUSED},
    {"three slashes", "https:///h.example/", "https://h.example", KR_INVALID},
    {"no slashes", "https:h.example/", "https://h.example", KR_INVALID},
    {"one slash", "https:/h.example/", "https://h.example", KR_INVALID},
    {"other port", "https://h.example:8443/", "https://h.example", KR_REFUSED},
    {"http for https", "http://h.example/", "https://h.example", KR_REFUSED},
    {"https for http on its port", "https://h.example:80/", "http://h.example", KR_REFUSED},
    {"other number for the address", "http://127.1/", "http://127.0.0.2", KR_REFUSED},
    {"origin without a scheme", "https://h.example/", "h.example", KR_REFUSED},
    {"file", "file:///etc/passwd", "", KR_REFUSED},
    {"ftp", "ftp://h.example/", "", KR_REFUSED},
    {"gopher", "gopher://h.example/", "", KR_REFUSED},
    {"unknown scheme", "krosyn://h.example/", "", KR_REFUSED},
    {"no scheme", "h.example/p", "", KR_INVALID},
    {"no host", "https:///p", "", KR_INVALID},
    {"blank", "https://h.example/a b", "https://h.example", KR_INVALID},
    {"line break", "https://h.example/a\r\nX: y", "https://h.example", KR_INVALID},
    {"tab", "https://h.example/\ta", "https://h.example", KR_INVALID},
    {"not ASCII", "https://h.example/\xC3\xA9", "https://h.example", KR_INVALID},
    {"empty", "", "", KR_INVALID},
    {"port too large", "https://h.example:65536/", "", KR_INVALID},
};

/* Starting opens no connection yet, so these need no network. */
static void run_origin_row(void **state) {
  const origin_row *row = *state;
  kr_http *http = NULL;
  assert_int_equal(kr_http_process_init(NULL), KR_OK);
  assert_int_equal(kr_http_new(&http, NULL), KR_OK);
  REQUEST request = request_of("GET", row->url, row->origin);
  kr_exchange *exchange = NULL;
  kr_error error = {0};
  kr_status status = kr_http_start(http, request, NULL, &exchange, &error);
  assert_string_equal(kr_status_name(status), kr_status_name(row->status));
  if (status != KR_OK)
    assert_null(exchange);
  assert_null(strstr(error.message, "evil"));
  kr_exchange_free(exchange);
  kr_http_free(http);
}

static void a_url_that_leaves_its_origin_reaches_nobody(void **state) {
  fixture *self = *state;
  char url[128];
  (void)snprintf(url, sizeof url, "%s/users/1", self->origin);
  REQUEST request = request_of("GET", url, "http://127.0.0.1:1");
  const kr_http_options options = {.allow_private = true};
  kr_exchange *exchange = NULL;
  assert_int_equal(kr_http_start(self->http, request, &options, &exchange, NULL), KR_REFUSED);
  assert_int_equal(kr_http_step(self->http, 50, NULL), KR_OK);
  assert_int_equal(n_requests(self), 0);
}

static void bad_pieces_are_not_sent(void **state) {
  fixture *self = *state;
  static const char *const values[] = {"a\rb", "a\nb", "a\r\nX-Injected: 1"};
  const kr_http_options options = {.allow_private = true};
  kr_exchange *exchange = NULL;
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    REQUEST request = request_to(self, "GET", "/echo", NULL);
    request_header(request, "X-A", values[i]);
    assert_int_equal(kr_http_start(self->http, request, &options, &exchange, NULL), KR_INVALID);
  }
  REQUEST with_nul = request_to(self, "GET", "/echo", NULL);
  assert_int_equal(kr_buf_append(&with_nul->url.buf, kr_str_from("\0x", 2)), KR_OK);
  assert_int_equal(kr_http_start(self->http, with_nul, &options, &exchange, NULL), KR_INVALID);
  assert_int_equal(n_requests(self), 0);
}

#define N_PARALLEL 60u

static void many_exchanges_at_once(void **state) {
  fixture *self = *state;
  kr_request *requests[N_PARALLEL];
  kr_exchange *exchanges[N_PARALLEL];
  const kr_http_options options = {.allow_private = true};
  for (size_t i = 0; i < N_PARALLEL; i++) {
    char path[64];
    (void)snprintf(path, sizeof path, "/slow?ms=%zu", 20 + i % 7);
    requests[i] = request_to(self, "POST", i % 3 == 0 ? path : "/echo", "");
    char number[16];
    (void)snprintf(number, sizeof number, "%zu", i);
    request_header(requests[i], "X-Number", number);
    assert_int_equal(kr_http_start(self->http, requests[i], &options, &exchanges[i], NULL), KR_OK);
  }
  size_t n_done = 0;
  for (size_t step = 0; step < 100000 && n_done < N_PARALLEL; step++) {
    assert_int_equal(kr_http_step(self->http, 1000, NULL), KR_OK);
    n_done = 0;
    for (size_t i = 0; i < N_PARALLEL; i++)
      n_done += kr_exchange_is_done(exchanges[i]) ? 1 : 0;
  }
  for (size_t i = 0; i < N_PARALLEL; i++) {
    const kr_response *response = kr_exchange_response(exchanges[i]);
    assert_int_equal(response->status, 200);
    char line[32];
    (void)snprintf(line, sizeof line, "X-Number: %zu\r\n", i);
    if (i % 3 == 0)
      assert_str(response->body, "at last");
    else
      assert_int_not_equal(kr_str_find(response->body, kr_str_cstr(line), 0), SIZE_MAX);
    kr_exchange_free(exchanges[i]);
    kr_request_free(requests[i]);
  }
  assert_int_equal(n_requests(self), N_PARALLEL);
}

static void an_exchange_may_be_abandoned(void **state) {
  fixture *self = *state;
  REQUEST request = request_to(self, "GET", "/slow?ms=5000", NULL);
  const kr_http_options options = {.allow_private = true};
  kr_exchange *exchange = NULL;
  assert_int_equal(kr_http_start(self->http, request, &options, &exchange, NULL), KR_OK);
  for (size_t i = 0; i < 100 && n_requests(self) == 0; i++)
    assert_int_equal(kr_http_step(self->http, 10, NULL), KR_OK);
  assert_int_equal(n_requests(self), 1);
  assert_false(kr_exchange_is_done(exchange));
  kr_exchange_free(exchange);
}

/* The receiver's own word: what the tests above rely on must be able to say no. */
static void the_receiver_tells_what_differs(void **state) {
  (void)state;
  fixture self;
  assert_true(fixture_start(
      &self,
      "{\"name\":\"lookup\",\"method\":\"GET\",\"path\":\"/users/1?a=b\",\"headers\":{"
      "\"Authorization\":\"Bearer hunter2\"}}\n"
      "{\"name\":\"perform\",\"method\":\"POST\",\"path\":\"/services/hunter2\",\"headers\":{"
      "\"X-API-Key\":\"hunter2\",\"X-Other\":\"o\"},\"body\":\"{}\"}\n"
      "{\"name\":\"never\",\"method\":\"POST\",\"path\":\"/\"}\n"));
  REQUEST lookup = request_to(&self, "GET", "/users/1?a=b", NULL);
  request_header(lookup, "Authorization", "Bearer hunter2");
  REQUEST perform = request_to(&self, "PUT", "/services/other", "[]");
  request_header(perform, "X-API-Key", "wrong");
  EXCHANGE first = NULL;
  EXCHANGE second = NULL;
  assert_int_equal(run(&self, lookup, &first)->status, 200);
  assert_int_equal(run(&self, perform, &second)->status, 200);
  kr_exchange_freep(&first);
  kr_exchange_freep(&second);
  first = NULL;
  second = NULL;
  kr_http_freep(&self.http);
  self.http = NULL;
  char report[1024];
  assert_int_equal(receiver_stop(&self.receiver, report, sizeof report), 1);
  assert_string_equal(report,
                      "request 1: GET lookup: exact\n"
                      "request 2: PUT perform: differs in method, path, header X-API-Key, header "
                      "X-Other (absent), body\n"
                      "never received: never\n");
}

#define N_ORIGINS (sizeof origin_rows / sizeof origin_rows[0])
#define LIVE(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void) {
  const struct CMUnitTest live[] = {LIVE(sends_exactly_what_was_rendered),
                                    LIVE(frames_each_method),
                                    LIVE(sends_a_large_body_at_once),
                                    LIVE(an_error_status_is_an_answer),
                                    LIVE(reads_the_answer_of_the_crm),
                                    LIVE(a_redirect_is_not_followed),
                                    LIVE(headers_keep_order_and_duplicates),
                                    LIVE(interim_answers_and_trailers_are_left_out),
                                    LIVE(bodies_are_taken_as_they_are),
                                    LIVE(private_is_refused_when_fresh),
                                    LIVE(private_is_refused_when_kept),
                                    LIVE(a_proxy_in_the_environment_is_ignored),
                                    LIVE(a_url_that_leaves_its_origin_reaches_nobody),
                                    LIVE(bad_pieces_are_not_sent),
                                    LIVE(many_exchanges_at_once),
                                    LIVE(an_exchange_may_be_abandoned),
                                    cmocka_unit_test(the_receiver_tells_what_differs)};
  size_t n_live = sizeof live / sizeof live[0];
  struct CMUnitTest tests[N_ORIGINS + sizeof live / sizeof live[0]];
  for (size_t i = 0; i < N_ORIGINS; i++)
    tests[i] = (struct CMUnitTest){.name = origin_rows[i].name,
                                   .test_func = run_origin_row,
                                   .initial_state = (void *)&origin_rows[i]};
  for (size_t i = 0; i < n_live; i++)
    tests[N_ORIGINS + i] = live[i];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
