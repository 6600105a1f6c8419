/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_exchange.c - one exchange from a request to a filled response: the
 * options of its curl handle, the two checks of the address, its end.
 *
 * HTTP/1.1 only: HTTP/2 keeps headers in the heap of another library, and
 * shares one connection between hosts.
 */
#define _GNU_SOURCE
#include "connector/transport.h"

#include "connector/egress.h"
#include "secmem/sensitive.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* Sensitive copies end in a NUL for curl, which copies them once more. */
static kr_status kr_exchange_text(kr_buf *buf, kr_error *reterr) {
  return kr_buf_explain(buf, kr_buf_byte(buf, '\0'), "the request", reterr);
}

/* Before a new connection: the address the name resolved to. */
static curl_socket_t kr_exchange_open(void *userdata, curlsocktype purpose,
                                      struct curl_sockaddr *address) {
  kr_exchange *exchange = userdata;
  const char *special = kr_egress_special(&address->addr, address->addrlen);
  if (purpose != CURLSOCKTYPE_IPCXN)
    special = "unknown";
  if (special != NULL && !exchange->allow_private) {
    exchange->refused = special;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static const char *kr_exchange_special_text(const char *ip) {
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
    return kr_egress_special((const struct sockaddr *)&v4, sizeof v4);
  if (inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1)
    return kr_egress_special((const struct sockaddr *)&v6, sizeof v6);
  return "unknown";
}

/*
 * Before the request is sent, on new and on kept connections: the address of
 * the peer. Also called when curl sends a request again because a kept
 * connection died; anything but a GET is not sent twice behind the log's back.
 */
static int kr_exchange_before_request(void *userdata, char *primary_ip, char *local_ip,
                                      int primary_port, int local_port) {
  (void)local_ip;
  (void)primary_port;
  (void)local_port;
  kr_exchange *exchange = userdata;
  const char *special = kr_exchange_special_text(primary_ip);
  if (special != NULL && !exchange->allow_private) {
    exchange->refused = special;
    return CURL_PREREQFUNC_ABORT;
  }
  exchange->is_resend =
      exchange->is_sent && !kr_str_equal(exchange->request->method, KR_STR("GET"));
  exchange->is_sent = true;
  return exchange->is_resend ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static kr_status kr_exchange_add_line(kr_exchange *exchange, const char *line, kr_error *reterr) {
  struct curl_slist *longer = curl_slist_append(exchange->headers, line);
  if (longer == NULL)
    return kr_fail_nomem(reterr);
  exchange->headers = longer;
  return KR_OK;
}

/* "Name: value", or "Name;" for an empty one, which is how curl is told to send it. */
static kr_status kr_exchange_add_header(kr_exchange *exchange, const kr_request_header *header,
                                        kr_error *reterr) {
  kr_str value = kr_buf_str(&header->value.buf);
  for (size_t i = 0; i < value.len; i++)
    if (value.ptr[i] == '\r' || value.ptr[i] == '\n' || value.ptr[i] == '\0')
      return kr_fail(reterr, KR_INVALID, "header %.*s has a line break or NUL",
                     KR_FMT(header->name));
  KR_CLEANUP(kr_buf_done)
  kr_buf line =
      KR_BUF_INIT(KR_CONNECTOR_NAME_BYTES + KR_LIMIT_HEADER_BYTES + 4, kr_sensitive_memory());
  bool is_blank = kr_str_trim(value).len == 0;
  kr_status status = kr_buf_append(&line, header->name);
  if (status == KR_OK)
    status = kr_buf_append(&line, is_blank ? KR_STR(";") : KR_STR(": "));
  if (status == KR_OK && !is_blank)
    status = kr_buf_append(&line, value);
  if (status != KR_OK)
    return kr_buf_explain(&line, status, "a request header", reterr);
  KR_TRY(kr_exchange_text(&line, reterr));
  return kr_exchange_add_line(exchange, (const char *)line.ptr, reterr);
}

/* Headers of the request only: what curl would add by itself is switched off, so
 * that the log shows what was sent. Host and Content-Length remain curl's. */
static kr_status kr_exchange_headers(kr_exchange *exchange, kr_error *reterr) {
  static const char *const added_by_curl[] = {"Accept:", "Content-Type:", "Expect:", "User-Agent:"};
  const kr_request *request = exchange->request;
  for (size_t i = 0; i < request->n_headers; i++)
    KR_TRY(kr_exchange_add_header(exchange, &request->headers[i], reterr));
  for (size_t k = 0; k < sizeof added_by_curl / sizeof added_by_curl[0]; k++) {
    kr_str name = kr_str_cstr(added_by_curl[k]);
    name.len--;
    bool is_given = false;
    for (size_t i = 0; i < request->n_headers && !is_given; i++)
      is_given = kr_str_equal_nocase(request->headers[i].name, name);
    if (!is_given)
      KR_TRY(kr_exchange_add_line(exchange, added_by_curl[k], reterr));
  }
  return KR_OK;
}

#define KR_SET(option, value)                                                                      \
  do {                                                                                             \
    if (code == CURLE_OK)                                                                          \
      code = curl_easy_setopt(exchange->easy, (option), (value));                                  \
  } while (0)

static CURLcode kr_exchange_set_policy(kr_exchange *exchange) {
  CURLcode code = CURLE_OK;
  KR_SET(CURLOPT_PROTOCOLS_STR, "http,https");
  KR_SET(CURLOPT_REDIR_PROTOCOLS_STR, "https");
  KR_SET(CURLOPT_FOLLOWLOCATION, 0L);
  KR_SET(CURLOPT_PROXY, ""); /* not from the environment either: it would hide the target */
  KR_SET(CURLOPT_SSL_VERIFYPEER, 1L);
  KR_SET(CURLOPT_SSL_VERIFYHOST, 2L);
  KR_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  KR_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  KR_SET(CURLOPT_HTTP09_ALLOWED, 0L);
  KR_SET(CURLOPT_PATH_AS_IS, 1L);
  KR_SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  KR_SET(CURLOPT_NOSIGNAL, 1L);
  KR_SET(CURLOPT_TIMEOUT_MS, (long)exchange->timeout_ms);
  KR_SET(CURLOPT_CONNECTTIMEOUT_MS, (long)exchange->timeout_ms);
  KR_SET(CURLOPT_OPENSOCKETFUNCTION, kr_exchange_open);
  KR_SET(CURLOPT_OPENSOCKETDATA, exchange);
  KR_SET(CURLOPT_PREREQFUNCTION, kr_exchange_before_request);
  KR_SET(CURLOPT_PREREQDATA, exchange);
  KR_SET(CURLOPT_HEADERFUNCTION, kr_transport_header);
  KR_SET(CURLOPT_HEADERDATA, exchange);
  KR_SET(CURLOPT_WRITEFUNCTION, kr_transport_body);
  KR_SET(CURLOPT_WRITEDATA, exchange);
  KR_SET(CURLOPT_PRIVATE, exchange);
  return code;
}

static CURLcode kr_exchange_set_request(kr_exchange *exchange, const char *url,
                                        const char *method) {
  const kr_request *request = exchange->request;
  bool is_empty_sent = !kr_str_equal(request->method, KR_STR("GET")) &&
                       !kr_str_equal(request->method, KR_STR("DELETE"));
  CURLcode code = CURLE_OK;
  KR_SET(CURLOPT_URL, url);
  KR_SET(CURLOPT_HTTPHEADER, exchange->headers);
  if (request->has_body || is_empty_sent) {
    kr_str body = request->has_body ? kr_buf_str(&request->body.buf) : (kr_str){0};
    /* Not copied by curl: the request outlives the exchange. */
    KR_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    KR_SET(CURLOPT_POSTFIELDS, body.len == 0 ? "" : (const char *)body.ptr);
  }
  KR_SET(CURLOPT_CUSTOMREQUEST, method);
  return code;
}

kr_status kr_exchange_prepare(kr_exchange *exchange, kr_error *reterr) {
  const kr_request *request = exchange->request;
  const kr_allocator *memory = kr_sensitive_memory();
  exchange->body = KR_BUF_INIT(KR_HTTP_RESPONSE_BYTES, memory);
  exchange->lines = KR_BUF_INIT(KR_HTTP_RESPONSE_HEADER_BYTES, memory);
  kr_str text = kr_buf_str(&request->url.buf);
  if (text.len == 0 || memchr(text.ptr, '\0', text.len) != NULL)
    return kr_fail(reterr, KR_INVALID, "the rendered URL is empty or has a NUL");
  KR_CLEANUP(kr_buf_done) kr_buf url = KR_BUF_INIT(KR_LIMIT_URL_BYTES + 1, memory);
  KR_TRY(kr_buf_explain(&url, kr_buf_append(&url, text), "the URL", reterr));
  KR_TRY(kr_exchange_text(&url, reterr));
  KR_TRY(kr_transport_check_url((const char *)url.ptr, request->origin, reterr));

  char method[16] = "";
  if (request->method.len == 0 || request->method.len >= sizeof method)
    return kr_fail(reterr, KR_INVALID, "the method is not one that may be sent");
  memcpy(method, request->method.ptr, request->method.len);
  exchange->easy = curl_easy_init();
  if (exchange->easy == NULL)
    return kr_fail_nomem(reterr);
  KR_TRY(kr_exchange_headers(exchange, reterr));
  CURLcode code = kr_exchange_set_policy(exchange);
  if (code == CURLE_OK)
    code = kr_exchange_set_request(exchange, (const char *)url.ptr, method);
  if (code == CURLE_OUT_OF_MEMORY)
    return kr_fail_nomem(reterr);
  if (code != CURLE_OK)
    return kr_fail(reterr, KR_INTERNAL, "libcurl does not take an option it needs: %s",
                   curl_easy_strerror(code));
  return KR_OK;
}

void kr_exchange_finish(kr_exchange *exchange, CURLcode code) {
  long os_error = 0;
  (void)curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &os_error);
  if (exchange->is_over && code == CURLE_WRITE_ERROR)
    code = CURLE_OK; /* stopped by us, at the limit */
  if (code != CURLE_OK)
    kr_transport_describe(exchange, code, os_error, &exchange->response.error);
  kr_transport_conclude(exchange, code);
  (void)curl_multi_remove_handle(exchange->http->multi, exchange->easy);
  curl_easy_cleanup(exchange->easy);
  exchange->easy = NULL;
  curl_slist_free_all(exchange->headers);
  exchange->headers = NULL;
  atomic_store(&exchange->is_done, true);
}
