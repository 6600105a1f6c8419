/* SPDX-License-Identifier: Apache-2.0 */
/*
 * escape.c - how the bytes of a value are written in each context, and which
 * it refuses (docs/language.md, "Escaping by context"). Sources: RFC 3986,
 * RFC 9110 section 5.5, RFC 8259, XML 1.0, WHATWG URL (form).
 */
#include "base/encode.h"
#include "base/utf8.h"
#include "vm/vm.h"

static bool kr_escape_is_alnum(uint8_t byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9');
}

static bool kr_escape_is_one_of(uint8_t byte, const char *set) {
  return byte != '\0' && strchr(set, byte) != NULL;
}

static bool kr_escape_is_unreserved(uint8_t byte) {
  return kr_escape_is_alnum(byte) || kr_escape_is_one_of(byte, "-._~");
}

static bool kr_escape_is_path_byte(uint8_t byte) {
  return kr_escape_is_unreserved(byte) || kr_escape_is_one_of(byte, "!$&'()*+,;=:@/");
}

static bool kr_escape_is_triplet(kr_str text, size_t at) {
  return text.ptr[at] == '%' && at + 2 < text.len && kr_hex_digit(text.ptr[at + 1]) >= 0 &&
         kr_hex_digit(text.ptr[at + 2]) >= 0;
}

static kr_status kr_escape_percent(uint8_t byte, kr_buf *out) {
  static const char digits[] = "0123456789ABCDEF";
  uint8_t text[3] = {'%', (uint8_t)digits[byte >> 4], (uint8_t)digits[byte & 15]};
  return kr_buf_append(out, kr_str_from(text, sizeof(text)));
}

/* One byte of a URL part: kept, encoded, or refused. */
static kr_status kr_escape_url_byte(const kr_escape *escape, size_t at, kr_buf *out) {
  uint8_t byte = escape->whole.ptr[at];
  bool is_kept = kr_escape_is_unreserved(byte);
  switch (escape->context) {
  case KR_CONTEXT_URL_PATH:
    if (escape->is_secret && (byte == '?' || byte == '#'))
      return KR_INVALID;
    if (escape->is_secret)
      is_kept = kr_escape_is_path_byte(byte) || kr_escape_is_triplet(escape->whole, at);
    break;
  case KR_CONTEXT_URL_SEGMENTS:
    is_kept |= byte == '/';
    if (escape->is_secret)
      is_kept = kr_escape_is_path_byte(byte) || kr_escape_is_triplet(escape->whole, at);
    break;
  case KR_CONTEXT_URL_SUFFIX:
    is_kept = kr_escape_is_path_byte(byte) || byte == '?' || byte == '#' ||
              kr_escape_is_triplet(escape->whole, at);
    break;
  case KR_CONTEXT_URL_PAIRS:
    is_kept |= kr_escape_is_one_of(byte, "&=%");
    break;
  case KR_CONTEXT_URL_RAW:
    if (byte <= 0x20 || byte == 0x7F)
      return KR_INVALID;
    is_kept = true;
    break;
  default:
    break;
  }
  return is_kept ? kr_buf_byte(out, byte) : kr_escape_percent(byte, out);
}

static kr_status kr_escape_form_byte(uint8_t byte, kr_buf *out) {
  if (kr_escape_is_alnum(byte) || kr_escape_is_one_of(byte, "*-._"))
    return kr_buf_byte(out, byte);
  return byte == ' ' ? kr_buf_byte(out, '+') : kr_escape_percent(byte, out);
}

static kr_status kr_escape_xml_byte(const kr_escape *escape, uint8_t byte, kr_buf *out) {
  bool is_attribute = escape->context == KR_CONTEXT_XML_ATTRIBUTE;
  switch (byte) {
  case '&':
    return kr_buf_append(out, KR_STR("&amp;"));
  case '<':
    return kr_buf_append(out, KR_STR("&lt;"));
  case '>':
    return kr_buf_append(out, KR_STR("&gt;"));
  case '"':
    return kr_buf_append(out, KR_STR("&quot;"));
  case '\'':
    return kr_buf_append(out, KR_STR("&#39;"));
  case '\r':
    return kr_buf_append(out, KR_STR("&#13;"));
  case '\n':
    return is_attribute ? kr_buf_append(out, KR_STR("&#10;")) : kr_buf_byte(out, byte);
  case '\t':
    return is_attribute ? kr_buf_append(out, KR_STR("&#9;")) : kr_buf_byte(out, byte);
  default:
    return kr_buf_byte(out, byte);
  }
}

static bool kr_escape_is_xml_text(kr_str text) {
  for (size_t at = 0; at < text.len;) {
    uint32_t point = 0;
    size_t len = kr_utf8_decode(kr_str_skip(text, at), &point);
    if (len == 0 || (point < 0x20 && point != '\t' && point != '\n' && point != '\r') ||
        point == 0xFFFE || point == 0xFFFF)
      return false;
    at += len;
  }
  return true;
}

static bool kr_escape_is_header(kr_str text) {
  for (size_t i = 0; i < text.len; i++) {
    uint8_t byte = text.ptr[i];
    if ((byte < 0x20 && byte != '\t') || byte == 0x7F)
      return false;
    if (byte == 0xC2 && i + 1 < text.len && text.ptr[i + 1] >= 0x80 && text.ptr[i + 1] < 0xA0)
      return false;
  }
  return true;
}

static bool kr_escape_is_host(kr_str text) {
  for (size_t i = 0; i < text.len; i++)
    if (!kr_escape_is_alnum(text.ptr[i]) && !kr_escape_is_one_of(text.ptr[i], "-._"))
      return false;
  return text.len > 0;
}

#define KR_HOST_LABEL_BYTES 63u

static bool kr_escape_is_label(kr_str text) {
  if (text.len == 0 || text.len > KR_HOST_LABEL_BYTES)
    return false;
  for (size_t i = 0; i < text.len; i++)
    if (!kr_escape_is_alnum(text.ptr[i]) && text.ptr[i] != '-')
      return false;
  return text.ptr[0] != '-' && text.ptr[text.len - 1] != '-';
}

bool kr_escape_is_dots(kr_str segment) {
  size_t n_dots = 0;
  for (size_t at = 0; at < segment.len; n_dots++) {
    if (segment.ptr[at] == '.')
      at += 1;
    else if (kr_escape_is_triplet(segment, at) && segment.ptr[at + 1] == '2' &&
             (segment.ptr[at + 2] | 0x20) == 'e')
      at += 3;
    else
      return false;
  }
  return n_dots == 1 || n_dots == 2;
}

static bool kr_escape_is_base_path(kr_str path) {
  size_t start = 0;
  for (size_t at = 0; at <= path.len; at++) {
    if (at == path.len || path.ptr[at] == '/') {
      if (kr_escape_is_dots(kr_str_slice(path, start, at)))
        return false;
      start = at + 1;
      continue;
    }
    if (!kr_escape_is_path_byte(path.ptr[at]) && !kr_escape_is_triplet(path, at))
      return false;
  }
  return true;
}

/* An http(s) origin and an optional path: no user, query or fragment. */
static bool kr_escape_is_base(kr_str text) {
  size_t head = kr_str_equal_nocase(kr_str_slice(text, 0, 8), KR_STR("https://"))  ? 8
                : kr_str_equal_nocase(kr_str_slice(text, 0, 7), KR_STR("http://")) ? 7
                                                                                   : 0;
  if (head == 0)
    return false;
  size_t slash = kr_str_find(text, KR_STR("/"), head);
  size_t end = slash == SIZE_MAX ? text.len : slash;
  kr_str authority = kr_str_slice(text, head, end);
  size_t colon = kr_str_find(authority, KR_STR(":"), 0);
  kr_str port = colon == SIZE_MAX ? (kr_str){0} : kr_str_skip(authority, colon + 1);
  if (colon != SIZE_MAX && (port.len == 0 || port.len > 5))
    return false;
  for (size_t i = 0; i < port.len; i++)
    if (port.ptr[i] < '0' || port.ptr[i] > '9')
      return false;
  return kr_escape_is_host(kr_str_slice(authority, 0, colon)) &&
         kr_escape_is_base_path(kr_str_skip(text, end));
}

bool kr_escape_accepts(const kr_escape *escape) {
  switch (escape->context) {
  case KR_CONTEXT_URL_BASE:
    return kr_escape_is_base(escape->whole);
  case KR_CONTEXT_URL_HOST:
    return kr_escape_is_host(escape->whole);
  case KR_CONTEXT_URL_HOST_LABEL:
    return kr_escape_is_label(escape->whole);
  case KR_CONTEXT_HEADER:
    return kr_escape_is_header(escape->whole);
  case KR_CONTEXT_JSON_STRING:
  case KR_CONTEXT_JSON_VALUE:
  case KR_CONTEXT_JSON_KEY:
  case KR_CONTEXT_VALUE:
    return kr_utf8_is_valid(escape->whole);
  case KR_CONTEXT_XML_TEXT:
  case KR_CONTEXT_XML_ATTRIBUTE:
  case KR_CONTEXT_RAW:
    return kr_escape_is_xml_text(escape->whole);
  default:
    return true;
  }
}

static kr_status kr_escape_byte(const kr_escape *escape, size_t at, kr_buf *out) {
  switch (escape->context) {
  case KR_CONTEXT_FORM:
    return kr_escape_form_byte(escape->whole.ptr[at], out);
  case KR_CONTEXT_XML_TEXT:
  case KR_CONTEXT_XML_ATTRIBUTE:
    return kr_escape_xml_byte(escape, escape->whole.ptr[at], out);
  default:
    return kr_escape_url_byte(escape, at, out);
  }
}

kr_status kr_escape_chunk(const kr_escape *escape, size_t from, size_t to, kr_buf *out) {
  kr_str chunk = kr_str_slice(escape->whole, from, to);
  switch (escape->context) {
  case KR_CONTEXT_TEXT:
  case KR_CONTEXT_RAW:
  case KR_CONTEXT_HEADER:
  case KR_CONTEXT_URL_BASE:
  case KR_CONTEXT_URL_HOST:
  case KR_CONTEXT_URL_HOST_LABEL:
    return kr_buf_append(out, chunk);
  case KR_CONTEXT_JSON_STRING:
  case KR_CONTEXT_JSON_VALUE:
  case KR_CONTEXT_JSON_KEY:
  case KR_CONTEXT_VALUE:
    return kr_json_escape(chunk, out);
  default:
    break;
  }
  KR_TRY(kr_buf_reserve(out, chunk.len));
  for (size_t at = from; at < to; at++)
    KR_TRY(kr_escape_byte(escape, at, out));
  return KR_OK;
}

kr_code kr_escape_code(kr_context context) {
  switch (context) {
  case KR_CONTEXT_HEADER:
    return KR_E_HEADER_VALUE;
  case KR_CONTEXT_XML_TEXT:
  case KR_CONTEXT_XML_ATTRIBUTE:
  case KR_CONTEXT_RAW:
    return KR_E_XML_VALUE;
  case KR_CONTEXT_JSON_STRING:
  case KR_CONTEXT_JSON_VALUE:
  case KR_CONTEXT_JSON_KEY:
  case KR_CONTEXT_VALUE:
    return KR_E_NOT_TEXT;
  default:
    return KR_E_URL_VALUE;
  }
}
