/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiver_roles.c - who the receiver plays, by the first part of the path.
 * The table at the end is the list of roles. The CRM, the webhook and /fail
 * give back the credentials they were sent: that is what careless services do,
 * and what the event log must not show.
 */
#include "base/utf8.h"
#include "support/receiver.h"
#include "json/json.h"

typedef struct role {
  const char *prefix;
  kr_status (*respond)(const receiver_request *request, receiver_answer *answer);
} role;

/* A number from the query ("bytes=10"); `fallback` when absent or over `max`. */
static size_t query_number(const receiver_request *request, kr_str key, size_t fallback,
                           size_t max) {
  size_t at = kr_str_find(request->target, key, 0);
  if (at == SIZE_MAX)
    return fallback;
  size_t number = 0;
  kr_str digits = kr_str_skip(request->target, at + key.len);
  for (size_t i = 0; i < digits.len && digits.ptr[i] >= '0' && digits.ptr[i] <= '9'; i++) {
    number = number * 10 + (size_t)(digits.ptr[i] - '0');
    if (number > max)
      return fallback;
  }
  return number;
}

/* A header the request came with, as text that may stand in JSON; "" when absent. */
static kr_str echoed(const receiver_request *request, kr_str name) {
  const kr_str *value = receiver_find(request, name);
  return value == NULL || !kr_utf8_is_valid(*value) ? KR_STR("") : *value;
}

static kr_status answer_with(receiver_answer *answer, const char *status, const char *headers,
                             kr_str body) {
  KR_TRY(kr_buf_printf(answer->out, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, headers,
                       body.len));
  return kr_buf_append(answer->out, body);
}

static kr_status answer_json(receiver_answer *answer, const char *first_key, kr_str first,
                             const char *second_key, kr_str second) {
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(RECEIVER_REQUEST_BYTES, NULL);
  kr_json_writer writer = kr_json_writer_init(&body, 0);
  kr_json_begin_object(&writer);
  kr_json_key(&writer, kr_str_cstr(first_key));
  kr_json_put_string(&writer, first);
  kr_json_key(&writer, kr_str_cstr(second_key));
  kr_json_put_string(&writer, second);
  kr_json_end_object(&writer);
  KR_TRY(kr_json_finish(&writer));
  return answer_with(answer, "200 OK", "Content-Type: application/json\r\n", kr_buf_str(&body));
}

static kr_status respond_crm(const receiver_request *request, receiver_answer *answer) {
  return answer_json(answer, "tier", KR_STR("gold"), "seen_authorization",
                     echoed(request, KR_STR("Authorization")));
}

static kr_status respond_webhook(const receiver_request *request, receiver_answer *answer) {
  kr_str path = kr_utf8_is_valid(request->target) ? request->target : KR_STR("");
  return answer_json(answer, "seen_api_key", echoed(request, KR_STR("X-API-Key")), "seen_path",
                     path);
}

static kr_status respond_fail(const receiver_request *request, receiver_answer *answer) {
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(RECEIVER_REQUEST_BYTES, NULL);
  KR_TRY(kr_buf_append(&body, KR_STR("internal error: cannot use key ")));
  KR_TRY(kr_buf_append(&body, echoed(request, KR_STR("X-API-Key"))));
  return answer_with(answer, "500 Internal Server Error", "Content-Type: text/plain\r\n",
                     kr_buf_str(&body));
}

static kr_status respond_echo(const receiver_request *request, receiver_answer *answer) {
  return answer_with(answer, "200 OK", "Content-Type: application/octet-stream\r\n", request->all);
}

static kr_status respond_slow(const receiver_request *request, receiver_answer *answer) {
  answer->delay_ms = (int64_t)query_number(request, KR_STR("ms="), 5000, 60000);
  return answer_with(answer, "200 OK", "", KR_STR("at last"));
}

static kr_status respond_big(const receiver_request *request, receiver_answer *answer) {
  size_t n_bytes = query_number(request, KR_STR("bytes="), 0, RECEIVER_ANSWER_BYTES - 4096);
  KR_TRY(kr_buf_printf(answer->out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n_bytes));
  KR_TRY(kr_buf_reserve(answer->out, n_bytes));
  memset(answer->out->ptr + answer->out->len, 'b', n_bytes);
  answer->out->len += n_bytes;
  return KR_OK;
}

static kr_status respond_redirect(const receiver_request *request, receiver_answer *answer) {
  (void)request;
  return answer_with(answer, "302 Found", "Location: /users/moved\r\n", KR_STR(""));
}

static kr_status respond_close(const receiver_request *request, receiver_answer *answer) {
  (void)request;
  answer->is_closing = true;
  return KR_OK;
}

static kr_status respond_garbage(const receiver_request *request, receiver_answer *answer) {
  (void)request;
  answer->is_closing = true;
  return kr_buf_append(answer->out, KR_STR("220 mail.example.com ready\r\nthis is not HTTP\r\n"));
}

static kr_status respond_gzip(const receiver_request *request, receiver_answer *answer) {
  (void)request;
  return answer_with(answer, "200 OK", "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n",
                     KR_STR("labelled gzip, but plain"));
}

static kr_status respond_nonutf8(const receiver_request *request, receiver_answer *answer) {
  (void)request;
  return answer_with(answer, "200 OK", "Content-Type: text/plain\r\n",
                     kr_str_from("\xFF\xFE\x00z", 4));
}

static kr_status respond_headers(const receiver_request *request, receiver_answer *answer) {
  (void)request;
  return answer_with(answer, "200 Fine By Me",
                     "Set-Cookie: a=1\r\nX-Empty:\r\nset-cookie: b=2\r\nX-Folded: one\r\n\ttwo\r\n",
                     KR_STR("ok"));
}

/* n header lines of `bytes` bytes each. */
static kr_status respond_many_headers(const receiver_request *request, receiver_answer *answer) {
  size_t n_lines = query_number(request, KR_STR("n="), 1, 10000);
  size_t n_bytes = query_number(request, KR_STR("bytes="), 1, 60000);
  KR_TRY(kr_buf_append(answer->out, KR_STR("HTTP/1.1 200 OK\r\n")));
  for (size_t i = 0; i < n_lines; i++) {
    KR_TRY(kr_buf_printf(answer->out, "X-%zu: ", i));
    KR_TRY(kr_buf_reserve(answer->out, n_bytes));
    memset(answer->out->ptr + answer->out->len, 'h', n_bytes);
    answer->out->len += n_bytes;
    KR_TRY(kr_buf_append(answer->out, KR_STR("\r\n")));
  }
  return kr_buf_append(answer->out, KR_STR("Content-Length: 2\r\n\r\nok"));
}

/* Announces more than it sends. */
static kr_status respond_cut(const receiver_request *request, receiver_answer *answer) {
  size_t n_bytes = query_number(request, KR_STR("bytes="), 10, 1024u * 1024u);
  answer->is_closing = true;
  KR_TRY(kr_buf_printf(answer->out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n_bytes + 1));
  KR_TRY(kr_buf_reserve(answer->out, n_bytes));
  memset(answer->out->ptr + answer->out->len, 'c', n_bytes);
  answer->out->len += n_bytes;
  return KR_OK;
}

static kr_status respond_interim(const receiver_request *request, receiver_answer *answer) {
  (void)request;
  return kr_buf_append(
      answer->out, KR_STR("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
                          "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nX-Real: 1\r\n\r\n"
                          "3\r\nabc\r\n3\r\ndef\r\n0\r\nX-Trailer: late\r\n\r\n"));
}

static kr_status respond_problem(const receiver_request *request, receiver_answer *answer) {
  (void)request;
  return answer_with(answer, "404 Not Found",
                     "Content-Type: application/Problem+JSON; charset=utf-8\r\n", KR_STR("{}"));
}

static const role roles[] = {
    {"/users/", respond_crm},
    {"/services/", respond_webhook},
    {"/fail/", respond_fail},
    {"/echo", respond_echo},
    {"/slow", respond_slow},
    {"/big", respond_big},
    {"/redirect", respond_redirect},
    {"/close", respond_close},
    {"/garbage", respond_garbage},
    {"/gzip-labelled", respond_gzip},
    {"/nonutf8", respond_nonutf8},
    {"/dup-headers", respond_headers},
    {"/many-headers", respond_many_headers},
    {"/cut", respond_cut},
    {"/interim", respond_interim},
    {"/problem", respond_problem},
};

kr_status receiver_respond(const receiver_request *request, receiver_answer *answer) {
  for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
    if (kr_str_starts(request->target, kr_str_cstr(roles[i].prefix)))
      return roles[i].respond(request, answer);
  return answer_with(answer, "404 Not Found", "Content-Type: text/plain\r\n",
                     KR_STR("nobody lives here"));
}
