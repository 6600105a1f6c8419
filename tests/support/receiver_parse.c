/* SPDX-License-Identifier: Apache-2.0 */
/* receiver_parse.c - a request with Content-Length framing, from bytes that may still be partial.
 */
#include "support/receiver.h"

const kr_str *receiver_find(const receiver_request *request, kr_str name) {
  for (size_t i = 0; i < request->n_headers; i++)
    if (kr_str_equal_nocase(request->headers[i].name, name))
      return &request->headers[i].value;
  return NULL;
}

static bool parse_request_line(kr_str line, receiver_request *request) {
  size_t first = kr_str_find(line, KR_STR(" "), 0);
  size_t second = first == SIZE_MAX ? SIZE_MAX : kr_str_find(line, KR_STR(" "), first + 1);
  if (second == SIZE_MAX)
    return false;
  request->method = kr_str_slice(line, 0, first);
  request->target = kr_str_slice(line, first + 1, second);
  return kr_str_equal(kr_str_skip(line, second + 1), KR_STR("HTTP/1.1"));
}

static bool parse_header(kr_str line, receiver_request *request) {
  size_t colon = kr_str_find(line, KR_STR(":"), 0);
  if (colon == SIZE_MAX || colon == 0 || request->n_headers == RECEIVER_HEADERS_MAX)
    return false;
  receiver_header *header = &request->headers[request->n_headers++];
  header->name = kr_str_slice(line, 0, colon);
  header->value = kr_str_trim(kr_str_skip(line, colon + 1));
  return true;
}

static bool parse_length(const receiver_request *request, size_t *ret_len) {
  *ret_len = 0;
  if (receiver_find(request, KR_STR("Transfer-Encoding")) != NULL)
    return false;
  const kr_str *text = receiver_find(request, KR_STR("Content-Length"));
  if (text == NULL)
    return true;
  for (size_t i = 0; i < text->len; i++) {
    if (text->ptr[i] < '0' || text->ptr[i] > '9' || *ret_len > RECEIVER_REQUEST_BYTES)
      return false;
    *ret_len = *ret_len * 10 + (size_t)(text->ptr[i] - '0');
  }
  return *ret_len <= RECEIVER_REQUEST_BYTES;
}

receiver_parsed receiver_parse(kr_str bytes, receiver_request *request) {
  size_t end = kr_str_find(bytes, KR_STR("\r\n\r\n"), 0);
  if (end == SIZE_MAX)
    return bytes.len > RECEIVER_HEAD_BYTES ? RECEIVER_BAD : RECEIVER_MORE;
  memset(request, 0, sizeof *request);
  size_t at = 0;
  for (bool is_first = true; at < end; is_first = false) {
    size_t line_end = kr_str_find(bytes, KR_STR("\r\n"), at);
    kr_str line = kr_str_slice(bytes, at, line_end);
    if (is_first ? !parse_request_line(line, request) : !parse_header(line, request))
      return RECEIVER_BAD;
    at = line_end + 2;
  }
  size_t body_len = 0;
  if (!parse_length(request, &body_len))
    return RECEIVER_BAD;
  size_t body_at = end + 4;
  if (bytes.len - body_at < body_len)
    return RECEIVER_MORE;
  request->body = kr_str_slice(bytes, body_at, body_at + body_len);
  request->all = kr_str_slice(bytes, 0, body_at + body_len);
  return RECEIVER_WHOLE;
}
