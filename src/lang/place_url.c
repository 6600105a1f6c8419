/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place_url.c - the state machine of a URL (RFC 3986) over chunks and holes:
 *
 *   scheme "://" [ user "@" ] host [ ":" port ] path [ "?" query ] [ "#" fragment ]
 *
 * The literal bytes are checked and rewritten (non-ASCII percent-encoded) into
 * new chunks, cut where a path segment with a hole begins and ends, so that
 * the VM can check the finished segment.
 */
#include "base/encode.h"
#include "lang/parser.h"
#include "lang/place.h"

typedef enum kr_url_zone {
  KR_URL_USER,
  KR_URL_HOST,
  KR_URL_PORT,
  KR_URL_PATH,
  KR_URL_QUERY,
  KR_URL_FRAGMENT
} kr_url_zone;

typedef struct kr_url {
  kr_compiler *compiler;
  kr_node list; /* rewritten parts */
  uint8_t *out; /* rewritten literal bytes */
  size_t len;
  size_t flushed; /* bytes of out that are in the list already */
  size_t segment; /* where the open path segment starts in out */
  bool is_segment_holed;
  bool is_origin_holed;
  bool is_failed;
  bool is_after_suffix;
  kr_url_zone zone;
  size_t host; /* start of host[:port] in out */
  size_t n_bracket;
  const kr_node *chunk; /* being read */
} kr_url;

static void kr_url_fail(kr_url *url, kr_code code, size_t offset, size_t len, const char *message,
                        const char *hint) {
  if (!url->is_failed)
    kr_report(url->compiler, code, offset, len, "%s", message);
  if (!url->is_failed && hint != NULL)
    kr_report_hint(url->compiler, "%s", hint);
  url->is_failed = true;
}

/* Put the literal bytes up to `to` into the list as one chunk. */
static kr_node *kr_url_flush(kr_url *url, size_t to, const kr_node *at) {
  if (to == url->flushed)
    return NULL;
  kr_node *chunk = kr_parser_node(url->compiler, KR_NODE_CHUNK, at->offset, at->len);
  if (chunk == NULL)
    return NULL;
  chunk->literal = kr_str_from(url->out + url->flushed, to - url->flushed);
  url->flushed = to;
  kr_parser_append(&url->list, chunk);
  return chunk;
}

static bool kr_url_is_dots(kr_str segment) {
  size_t n_dots = 0;
  for (size_t i = 0; i < segment.len; n_dots++) {
    if (segment.ptr[i] == '.')
      i += 1;
    else if (i + 2 < segment.len && segment.ptr[i] == '%' && segment.ptr[i + 1] == '2' &&
             (segment.ptr[i + 2] | 0x20) == 'e')
      i += 3;
    else
      return false;
  }
  return n_dots == 1 || n_dots == 2;
}

/* A path segment ends at an offset of the template. */
static void kr_url_end_segment(kr_url *url, const kr_node *at, size_t end) {
  size_t len = url->len - url->segment; /* of dots: as many bytes in the template */
  if (url->is_segment_holed) {
    (void)kr_url_flush(url, url->len, at);
    if (url->list.last != NULL)
      url->list.last->is_segment_end = true;
  } else if (kr_url_is_dots(kr_str_from(url->out + url->segment, len))) {
    kr_url_fail(url, KR_E_DOT_SEGMENT, end - len, len, "a path segment is \".\" or \"..\"",
                "write the path it leads to");
  }
  url->is_segment_holed = false;
}

static bool kr_url_is_literal(kr_url_zone zone, uint8_t byte) {
  bool is_alnum =
      (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
  if (zone == KR_URL_PORT)
    return byte >= '0' && byte <= '9';
  if (zone == KR_URL_HOST)
    return is_alnum || byte == '-' || byte == '.' || byte == '_' || byte == '[' || byte == ']' ||
           byte == ':';
  if (is_alnum || (byte != '\0' && strchr("-._~!$&'()*+,;=:@%", byte) != NULL))
    return true;
  if (zone == KR_URL_PATH)
    return byte == '/';
  return zone != KR_URL_USER && byte != '\0' && strchr("/?[]", byte) != NULL;
}

static void kr_url_put(kr_url *url, uint8_t byte, size_t index) {
  const kr_node *chunk = url->chunk;
  if (url->zone >= KR_URL_PATH && byte >= 0x80) {
    url->len += kr_place_percent(byte, url->out + url->len);
    return;
  }
  bool is_bad = !kr_url_is_literal(url->zone, byte);
  if (byte == '%' && !is_bad)
    is_bad = index + 2 >= chunk->text.len || kr_hex_digit(chunk->text.ptr[index + 1]) < 0 ||
             kr_hex_digit(chunk->text.ptr[index + 2]) < 0;
  if (is_bad)
    kr_url_fail(url, KR_E_URL_LITERAL, chunk->offset + index, 1,
                byte == '%' ? "% must be followed by two hex digits"
                            : "this character cannot stand here in a URL",
                byte == '%' ? "write %25 for a percent sign" : "percent-encode it: a blank is %20");
  url->out[url->len++] = byte;
}

static bool kr_url_ends_authority(uint8_t byte) {
  return byte == '/' || byte == '?' || byte == '#' || byte == '\\';
}

/* Is there an "@" between here and the end of the authority? */
static bool kr_url_has_user(const kr_node *node, size_t index) {
  for (; node != NULL; node = node->next, index = 0)
    for (; node->type == KR_NODE_CHUNK && index < node->text.len; index++) {
      if (kr_url_ends_authority(node->text.ptr[index]))
        return false;
      if (node->text.ptr[index] == '@')
        return true;
    }
  return false;
}

/* Are the parts after this hole ".label.label" (at least) up to the end of the host? */
static bool kr_url_has_two_labels(const kr_node *hole) {
  size_t n_labels = 0;
  bool is_dot = false;
  bool is_first = true;
  for (const kr_node *node = hole->next; node != NULL; node = node->next) {
    if (node->type != KR_NODE_CHUNK)
      return false;
    for (size_t i = 0; i < node->text.len; i++) {
      uint8_t byte = node->text.ptr[i];
      if (kr_url_ends_authority(byte) || byte == ':')
        return n_labels >= 2;
      if (is_first && byte != '.')
        return false;
      if (is_dot && byte != '.')
        n_labels++;
      is_first = false;
      is_dot = byte == '.';
    }
  }
  return n_labels >= 2;
}

static void kr_url_end_authority(kr_url *url, const kr_node *at) {
  if (!url->is_origin_holed && url->len == url->host)
    kr_url_fail(url, KR_E_URL_HEAD, at->offset, at->len, "the URL has no host", NULL);
  if (url->is_origin_holed || url->is_failed)
    return;
  bool is_https = (url->out[4] | 0x20) == 's';
  kr_str head = is_https ? KR_STR("https://") : KR_STR("http://");
  size_t host_len = url->len - url->host;
  uint8_t *origin = kr_arena_alloc(&url->compiler->program->arena, head.len + host_len);
  if (origin == NULL) {
    url->compiler->status = kr_arena_why(&url->compiler->program->arena);
    return;
  }
  memcpy(origin, head.ptr, head.len);
  for (size_t i = 0; i < host_len; i++) {
    uint8_t byte = url->out[url->host + i];
    origin[head.len + i] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
  }
  url->compiler->program->origin = kr_str_from(origin, head.len + host_len);
}

static void kr_url_authority_byte(kr_url *url, uint8_t byte, size_t index) {
  if (url->zone == KR_URL_USER && byte == '@') {
    url->out[url->len++] = byte;
    url->zone = kr_url_has_user(url->chunk, index + 1) ? KR_URL_USER : KR_URL_HOST;
    url->host = url->len;
    return;
  }
  if (url->zone == KR_URL_HOST && byte == '[')
    url->n_bracket++;
  if (url->zone == KR_URL_HOST && byte == ']' && url->n_bracket > 0)
    url->n_bracket--;
  if (url->zone == KR_URL_HOST && byte == ':' && url->n_bracket == 0) {
    if (url->len == url->host && !url->is_origin_holed)
      kr_url_fail(url, KR_E_URL_HEAD, url->chunk->offset + index, 1, "the URL has no host", NULL);
    url->zone = KR_URL_PORT;
    url->out[url->len++] = byte;
    return;
  }
  kr_url_put(url, byte, index);
}

static void kr_url_byte(kr_url *url, uint8_t byte, size_t index) {
  if (url->zone < KR_URL_PATH && kr_url_ends_authority(byte)) {
    kr_url_end_authority(url, url->chunk);
    url->zone = KR_URL_PATH;
    url->segment = url->len;
  }
  if (url->zone < KR_URL_PATH) {
    kr_url_authority_byte(url, byte, index);
    return;
  }
  bool is_query = byte == '?' && url->zone == KR_URL_PATH;
  bool is_fragment = byte == '#' && url->zone != KR_URL_FRAGMENT;
  if (url->zone == KR_URL_PATH && (byte == '/' || is_query || is_fragment))
    kr_url_end_segment(url, url->chunk, url->chunk->offset + index);
  if (is_query || is_fragment) {
    url->zone = is_query ? KR_URL_QUERY : KR_URL_FRAGMENT;
    url->out[url->len++] = byte;
    return;
  }
  kr_url_put(url, byte, index);
  if (url->zone == KR_URL_PATH && byte == '/')
    url->segment = url->len;
}

static kr_context kr_url_path_hole(kr_url *url, const kr_node *node, unsigned escaper) {
  if (escaper == KR_FUNCTION_URL_PATH)
    return KR_CONTEXT_URL_SEGMENTS;
  if (escaper == KR_FUNCTION_URL_SUFFIX) {
    url->is_after_suffix = true;
    return KR_CONTEXT_URL_SUFFIX;
  }
  if (escaper == KR_FUNCTION_RAW && kr_place_may_raw(url->compiler, node))
    return KR_CONTEXT_URL_RAW;
  if (escaper == KR_FUNCTION_HOST_LABEL)
    kr_place_refuse_escaper(url->compiler, node, escaper);
  return KR_CONTEXT_URL_PATH;
}

static kr_context kr_url_query_hole(kr_url *url, const kr_node *node, unsigned escaper) {
  if (escaper == KR_FUNCTION_RAW && kr_place_may_raw(url->compiler, node))
    return KR_CONTEXT_URL_RAW;
  if (escaper != KR_FUNCTION_RAW)
    kr_place_refuse_escaper(url->compiler, node, escaper);
  if (url->zone == KR_URL_QUERY && kr_place_is_pairs(node))
    return KR_CONTEXT_URL_PAIRS;
  return url->zone == KR_URL_QUERY ? KR_CONTEXT_URL_QUERY : KR_CONTEXT_URL_FRAGMENT;
}

static kr_context kr_url_authority_hole(kr_url *url, const kr_node *node, unsigned escaper) {
  bool is_secret = node->secrets != 0 && !node->is_untrusted;
  if (url->zone == KR_URL_HOST)
    url->is_origin_holed = true;
  if (url->zone == KR_URL_HOST && escaper == KR_FUNCTION_HOST_LABEL) {
    if (!kr_url_has_two_labels(node))
      kr_url_fail(url, KR_E_URL_AUTHORITY, node->offset, node->len,
                  "hostLabel must be followed by at least two literal labels",
                  "for example ${hostLabel($payload.shop)}.example.com");
    return KR_CONTEXT_URL_HOST_LABEL;
  }
  kr_place_refuse_escaper(url->compiler, node, escaper);
  if (url->zone == KR_URL_PORT || !is_secret)
    kr_url_fail(url, KR_E_URL_AUTHORITY, node->offset, node->len,
                url->zone == KR_URL_PORT ? "the port must be written out"
                                         : "data cannot choose the user or host of a URL",
                "end the host with / before the data; a varying first label needs hostLabel()");
  if (url->zone == KR_URL_USER && is_secret)
    kr_report_lint(url->compiler, KR_E_SECRET_USERINFO, node->offset, node->len,
                   "a secret in the user part of a URL; use a header");
  return url->zone == KR_URL_USER ? KR_CONTEXT_URL_USERINFO : KR_CONTEXT_URL_HOST;
}

static void kr_url_hole(kr_url *url, kr_node *node) {
  if (url->is_after_suffix)
    kr_url_fail(url, KR_E_ESCAPER_PLACE, node->offset, node->len,
                "nothing may follow urlSuffix in a URL", NULL);
  unsigned escaper = kr_place_escaper(node);
  if (url->zone < KR_URL_PATH)
    node->context = (uint8_t)kr_url_authority_hole(url, node, escaper);
  else if (url->zone == KR_URL_PATH)
    node->context = (uint8_t)kr_url_path_hole(url, node, escaper);
  else
    node->context = (uint8_t)kr_url_query_hole(url, node, escaper);
  bool is_begin = url->zone == KR_URL_PATH && !url->is_segment_holed;
  if (is_begin) {
    (void)kr_url_flush(url, url->segment, node);
    kr_node *head = kr_url_flush(url, url->len, node);
    (head != NULL ? head : node)->is_segment_begin = true;
    url->is_segment_holed = true;
  } else {
    (void)kr_url_flush(url, url->len, node);
  }
  node->next = NULL;
  kr_parser_append(&url->list, node);
}

static void kr_url_chunk(kr_url *url, const kr_node *chunk, size_t from) {
  if (url->is_after_suffix) {
    kr_url_fail(url, KR_E_ESCAPER_PLACE, chunk->offset, chunk->len,
                "nothing may follow urlSuffix in a URL", NULL);
    return;
  }
  url->chunk = chunk;
  for (size_t i = from; i < chunk->text.len && !url->is_failed; i++)
    kr_url_byte(url, chunk->text.ptr[i], i);
}

static void kr_url_parts(kr_url *url, kr_node *node) {
  while (node != NULL && !url->is_failed) {
    kr_node *next = node->next;
    if (node->type == KR_NODE_CHUNK)
      kr_url_chunk(url, node, 0);
    else
      kr_url_hole(url, node);
    node = next;
  }
}

/* concat("https://x/", $payload.a) as a whole URL: its arguments are the parts. */
static void kr_url_flatten(kr_node *node, kr_node *list) {
  if (kr_node_calls(node, KR_FUNCTION_CONCAT) && node->n_steps == 0) {
    for (kr_node *child = node->first; child != NULL;) {
      kr_node *next = child->next;
      child->next = NULL;
      kr_url_flatten(child, list);
      child = next;
    }
    return;
  }
  if (node->type == KR_NODE_STRING || node->type == KR_NODE_NUMBER)
    node->type = KR_NODE_CHUNK;
  kr_parser_append(list, node);
}

/* The scheme must stand in the first chunk; returns its length with "://". */
static size_t kr_url_scheme(const kr_node *first) {
  static const char *const schemes[] = {"http://", "https://"};
  for (size_t i = 0; i < 2; i++) {
    size_t len = strlen(schemes[i]);
    if (first->text.len >= len &&
        kr_str_equal_nocase(kr_str_slice(first->text, 0, len), kr_str_cstr(schemes[i])))
      return len;
  }
  return 0;
}

static bool kr_url_is_base(const kr_node *first) {
  if (first->type != KR_NODE_REF || first->root != KR_ROOT_SECRET)
    return false;
  const kr_node *next = first->next;
  return next == NULL || (next->type == KR_NODE_CHUNK && next->text.len > 0 &&
                          (next->text.ptr[0] == '/' || next->text.ptr[0] == '?'));
}

static void kr_url_head_error(kr_compiler *compiler, const kr_node *first) {
  kr_report(compiler, KR_E_URL_HEAD, first->offset, first->len,
            first->type == KR_NODE_CHUNK ? "a URL begins with http:// or https:// and a host"
                                         : "data cannot choose the scheme and host of a URL");
  kr_report_hint(compiler, "write the head out, or begin with $secret.NAME followed by /, ? "
                           "or nothing");
}

void kr_place_url(kr_compiler *compiler, kr_field *field) {
  if (field->expression != NULL) {
    kr_node list = {0};
    kr_url_flatten(field->expression, &list);
    field->expression = NULL;
    field->parts = list.first;
  }
  kr_node *first = field->parts;
  if (first == NULL)
    return;
  size_t capacity = 1;
  for (const kr_node *node = first; node != NULL; node = node->next)
    capacity += node->text.len * 3;
  kr_url url = {.compiler = compiler, .out = kr_arena_alloc(&compiler->scratch, capacity)};
  if (url.out == NULL) {
    compiler->status = kr_arena_why(&compiler->scratch);
    return;
  }
  kr_node *rest = first->next;
  size_t from = first->type == KR_NODE_CHUNK ? kr_url_scheme(first) : 0;
  if (from > 0) {
    memcpy(url.out, first->text.ptr, from);
    url.len = url.host = from;
    url.zone = kr_url_has_user(first, from) ? KR_URL_USER : KR_URL_HOST;
    kr_url_chunk(&url, first, from);
  } else if (kr_url_is_base(first)) {
    first->context = KR_CONTEXT_URL_BASE;
    first->next = NULL;
    url.zone = KR_URL_PATH;
    kr_parser_append(&url.list, first);
  } else {
    kr_url_head_error(compiler, first);
    return;
  }
  kr_url_parts(&url, rest);
  kr_node end = {.offset = compiler->text.len};
  if (url.is_failed)
    return;
  if (url.zone < KR_URL_PATH)
    kr_url_end_authority(&url, &end);
  else if (url.zone == KR_URL_PATH)
    kr_url_end_segment(&url, &end, end.offset);
  (void)kr_url_flush(&url, url.len, &end);
  field->parts = url.list.first;
}
