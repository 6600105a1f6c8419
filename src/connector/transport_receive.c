/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_receive.c - what comes in. curl hands over whole header lines, of
 * interim (1xx) answers and trailers too, and body bytes in pieces. Everything
 * is kept in sensitive memory, since a peer may echo what it was sent.
 *
 *   lines:  reason | name | value | name | value | ...      places: offsets into it
 */
#include "connector/transport.h"

#define KR_TRANSPORT_BODY_FIRST_BYTES 16384u /* first block of a body; doubles from there */

static bool kr_transport_keep(kr_exchange *exchange, kr_str bytes) {
  kr_status status = kr_buf_append(&exchange->lines, bytes);
  if (status == KR_LIMIT)
    exchange->header_fault = "header lines of more than 256 KiB";
  if (status == KR_NOMEM)
    exchange->is_nomem = true;
  return status == KR_OK;
}

/* "HTTP/1.1 200 OK": three digits after the first blank, then the reason. */
static bool kr_transport_status_line(kr_exchange *exchange, kr_str line) {
  kr_buf_reset(&exchange->lines);
  exchange->n_places = 0;
  exchange->line_status = 0;
  size_t blank = kr_str_find(line, KR_STR(" "), 0);
  kr_str rest = blank == SIZE_MAX ? (kr_str){0} : kr_str_skip(line, blank + 1);
  int status = 0;
  for (size_t i = 0; i < 3 && i < rest.len && rest.ptr[i] >= '0' && rest.ptr[i] <= '9'; i++)
    status = status * 10 + (rest.ptr[i] - '0');
  exchange->line_status = status;
  kr_str reason = kr_str_trim(kr_str_skip(rest, 3));
  exchange->reason_len = reason.len;
  return kr_transport_keep(exchange, reason);
}

/* A line that starts with a blank continues the value before it (obsolete, but seen). */
static bool kr_transport_fold(kr_exchange *exchange, kr_str line) {
  if (exchange->n_places == 0)
    return true;
  kr_header_place *place = &exchange->places[exchange->n_places - 1];
  if (!kr_transport_keep(exchange, KR_STR(" ")) || !kr_transport_keep(exchange, kr_str_trim(line)))
    return false;
  place->value_len = exchange->lines.len - place->value;
  return true;
}

static bool kr_transport_header_line(kr_exchange *exchange, kr_str line) {
  if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
    return kr_transport_fold(exchange, line);
  size_t colon = kr_str_find(line, KR_STR(":"), 0);
  if (colon == SIZE_MAX || colon == 0)
    return true;
  if (exchange->n_places == KR_HTTP_RESPONSE_HEADERS_MAX) {
    exchange->header_fault = "more than 256 header lines";
    return false;
  }
  kr_str name = kr_str_trim(kr_str_slice(line, 0, colon));
  kr_str value = kr_str_trim(kr_str_skip(line, colon + 1));
  kr_header_place *place = &exchange->places[exchange->n_places];
  place->name = exchange->lines.len;
  place->name_len = name.len;
  if (!kr_transport_keep(exchange, name))
    return false;
  place->value = exchange->lines.len;
  place->value_len = value.len;
  if (!kr_transport_keep(exchange, value))
    return false;
  exchange->n_places++;
  return true;
}

size_t kr_transport_header(char *bytes, size_t item_size, size_t n_items, void *userdata) {
  kr_exchange *exchange = userdata;
  size_t len = item_size * n_items;
  kr_str line = kr_str_from(bytes, len);
  while (line.len > 0 && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == '\n'))
    line.len--;
  if (exchange->is_final)
    return len; /* a trailer: nothing of ours reads it */
  exchange->n_line_bytes += len;
  if (exchange->n_line_bytes > KR_HTTP_RESPONSE_HEADER_BYTES) {
    exchange->header_fault = "header lines of more than 256 KiB";
    return 0;
  }
  if (line.len == 0) {
    exchange->is_final = exchange->line_status >= 200;
    return len;
  }
  bool is_status = kr_str_starts(line, KR_STR("HTTP/"));
  bool is_kept = is_status ? kr_transport_status_line(exchange, line)
                           : kr_transport_header_line(exchange, line);
  return is_kept ? len : 0;
}

size_t kr_transport_body(char *bytes, size_t item_size, size_t n_items, void *userdata) {
  kr_exchange *exchange = userdata;
  size_t len = item_size * n_items;
  size_t room = exchange->body.limit - exchange->body.len;
  size_t taken = len < room ? len : room;
  if (exchange->body.cap == 0 &&
      kr_buf_reserve(&exchange->body, KR_TRANSPORT_BODY_FIRST_BYTES) != KR_OK) {
    exchange->is_nomem = true;
    return CURL_WRITEFUNC_ERROR;
  }
  if (kr_buf_append(&exchange->body, kr_str_from(bytes, taken)) != KR_OK) {
    exchange->is_nomem = true;
    return CURL_WRITEFUNC_ERROR;
  }
  exchange->is_over = taken < len;
  return exchange->is_over ? CURL_WRITEFUNC_ERROR : len;
}

/* "application/json" or "…/…+json", whatever its parameters. */
static bool kr_transport_is_json(kr_str type) {
  size_t semicolon = kr_str_find(type, KR_STR(";"), 0);
  if (semicolon != SIZE_MAX)
    type = kr_str_slice(type, 0, semicolon);
  type = kr_str_trim(type);
  kr_str suffix = KR_STR("+json");
  if (kr_str_equal_nocase(type, KR_STR("application/json")))
    return true;
  return type.len > suffix.len && kr_str_find(type, KR_STR("/"), 0) != SIZE_MAX &&
         kr_str_equal_nocase(kr_str_skip(type, type.len - suffix.len), suffix);
}

void kr_transport_conclude(kr_exchange *exchange, CURLcode code) {
  kr_response *response = &exchange->response;
  bool is_whole = code == CURLE_OK;
  response->is_truncated = exchange->is_over || (!is_whole && exchange->body.len > 0);
  response->status = exchange->line_status >= 200 ? exchange->line_status : 0;
  response->body = kr_buf_str(&exchange->body);
  if (response->status == 0)
    return;
  const uint8_t *lines = exchange->lines.ptr;
  response->reason = kr_str_from(lines, exchange->reason_len);
  for (size_t i = 0; i < exchange->n_places; i++) {
    const kr_header_place *place = &exchange->places[i];
    kr_response_header *header = &exchange->received[i];
    header->name = kr_str_from(lines + place->name, place->name_len);
    header->value = kr_str_from(lines + place->value, place->value_len);
    if (kr_str_equal_nocase(header->name, KR_STR("Content-Type")))
      response->is_json = kr_transport_is_json(header->value);
  }
  response->headers = exchange->received;
  response->n_headers = exchange->n_places;
}
