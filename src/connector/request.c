/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c - putting rendered pieces together. Pieces keep their spans: what
 * is appended to the URL brings its spans along, moved by the bytes before it.
 */
#include "connector/request.h"

#include <stdlib.h>

kr_status kr_request_new(kr_request **ret_request, kr_error *reterr) {
  kr_request *request = calloc(1, sizeof *request);
  if (request == NULL)
    return kr_fail_nomem(reterr);
  request->method = KR_STR("GET");
  kr_rendered_init(&request->url);
  kr_rendered_init(&request->body);
  *ret_request = request;
  return KR_OK;
}

void kr_request_free(kr_request *request) {
  if (request == NULL)
    return;
  kr_rendered_done(&request->url);
  kr_rendered_done(&request->body);
  for (size_t i = 0; i < request->n_headers; i++)
    kr_rendered_done(&request->headers[i].value);
  free(request);
}

static bool kr_request_is_unreserved(uint8_t c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

/* Everything but RFC 3986's unreserved characters as %XX. */
static kr_status kr_request_encode(kr_str text, kr_buf *out) {
  static const char digits[] = "0123456789ABCDEF";
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.ptr[i];
    uint8_t encoded[3] = {'%', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};
    KR_TRY(kr_request_is_unreserved(c) ? kr_buf_byte(out, c)
                                       : kr_buf_append(out, kr_str_from(encoded, 3)));
  }
  return KR_OK;
}

/* A fragment is never sent (RFC 9110, section 4.2.5), and a query cannot stand behind it. */
static void kr_request_cut_fragment(kr_rendered *url) {
  size_t cut = kr_str_find(kr_buf_str(&url->buf), KR_STR("#"), 0);
  if (cut == SIZE_MAX)
    return;
  kr_wipe(url->buf.ptr + cut, url->buf.len - cut);
  url->buf.len = cut;
  while (url->n_spans > 0 && url->spans[url->n_spans - 1].offset >= cut)
    url->n_spans--;
  if (url->n_spans == 0)
    return;
  kr_span *last = &url->spans[url->n_spans - 1];
  if (last->len > cut - last->offset)
    last->len = (uint32_t)(cut - last->offset);
}

/* "?" for the first parameter, "&" for later ones, nothing where one stands already. */
static kr_str kr_request_separator(kr_str url) {
  if (kr_str_find(url, KR_STR("?"), 0) == SIZE_MAX)
    return KR_STR("?");
  return kr_str_ends(url, KR_STR("?")) || kr_str_ends(url, KR_STR("&")) ? KR_STR("") : KR_STR("&");
}

static kr_status kr_request_append_query(kr_rendered *url, kr_str name, const kr_rendered *value) {
  KR_TRY(kr_buf_append(&url->buf, kr_request_separator(kr_buf_str(&url->buf))));
  KR_TRY(kr_request_encode(name, &url->buf));
  KR_TRY(kr_buf_byte(&url->buf, '='));
  KR_TRY(kr_rendered_append(url, value));
  return url->buf.len > KR_LIMIT_URL_BYTES ? KR_LIMIT : KR_OK;
}

kr_status kr_request_add_query(kr_request *request, kr_str name, const kr_rendered *value,
                               kr_error *reterr) {
  if (value->is_null)
    return KR_OK;
  kr_rendered *url = &request->url;
  kr_request_cut_fragment(url);
  size_t len = url->buf.len;
  kr_status status = kr_request_append_query(url, name, value);
  if (status == KR_OK)
    return KR_OK;
  kr_wipe(url->buf.ptr + len, url->buf.len - len);
  url->buf.len = len;
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  (void)kr_fail(reterr, status, "the URL with its query is longer than %u bytes",
                KR_LIMIT_URL_BYTES);
  kr_error_hint(reterr, "send large values in the body");
  return status;
}

kr_status kr_request_next_header(kr_request *request, kr_str name, kr_rendered **ret_value,
                                 kr_error *reterr) {
  size_t max = sizeof request->headers / sizeof request->headers[0];
  if (request->n_headers == max)
    return kr_fail(reterr, KR_LIMIT, "the request has more than %zu headers", max);
  kr_request_header *header = &request->headers[request->n_headers];
  header->name = name;
  kr_rendered_init(&header->value);
  request->n_headers++;
  *ret_value = &header->value;
  return KR_OK;
}

kr_status kr_request_default_header(kr_request *request, kr_str name, kr_str value,
                                    kr_error *reterr) {
  for (size_t i = 0; i < request->n_headers; i++)
    if (kr_str_equal_nocase(request->headers[i].name, name))
      return KR_OK;
  kr_rendered *rendered = NULL;
  KR_TRY(kr_request_next_header(request, name, &rendered, reterr));
  if (rendered->buf.limit < KR_LIMIT_HEADER_BYTES)
    rendered->buf.limit = KR_LIMIT_HEADER_BYTES;
  kr_status status = kr_buf_append(&rendered->buf, value);
  if (status == KR_OK)
    return KR_OK;
  (void)kr_buf_explain(&rendered->buf, status, "a default header", reterr);
  request->n_headers--;
  kr_rendered_done(rendered);
  return status;
}
