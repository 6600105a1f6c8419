/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - gives every hole the context it is emitted in, for the sinks that
 * need no state machine; the others are in place_url.c, place_json.c and
 * place_xml.c. The escapers (raw, urlPath, ...) end here: they choose a context
 * and are replaced by their operand.
 */
#include "lang/place.h"

unsigned kr_place_escaper(kr_node *node) {
  if (node->type != KR_NODE_CALL || node->function >= KR_FUNCTION_COUNT || node->first == NULL ||
      kr_function_row(node->function)->marks != KR_MARKS_ESCAPER)
    return KR_FUNCTION_COUNT;
  unsigned escaper = node->function;
  kr_node *next = node->next;
  *node = *node->first;
  node->next = next;
  return escaper;
}

bool kr_place_may_raw(kr_compiler *compiler, const kr_node *node) {
  if (compiler->options->allow_raw)
    return true;
  kr_report(compiler, KR_E_RAW_REFUSED, node->offset, node->len,
            "raw() is not allowed in this connector");
  kr_report_hint(compiler, "set \"allowRaw\": true if its data needs no escaping");
  return false;
}

void kr_place_refuse_escaper(kr_compiler *compiler, const kr_node *node, unsigned escaper) {
  if (escaper < KR_FUNCTION_COUNT)
    kr_report(compiler, KR_E_ESCAPER_PLACE, node->offset, node->len, "%s has no meaning here",
              kr_function_row(escaper)->name);
}

bool kr_place_is_pairs(const kr_node *node) {
  return kr_node_calls(node, KR_FUNCTION_QUERY_STRING) && node->n_steps == 0;
}

static void kr_place_hole(kr_compiler *compiler, kr_node *node, kr_context plain, kr_context raw) {
  unsigned escaper = kr_place_escaper(node);
  node->context = (uint8_t)plain;
  if (escaper == KR_FUNCTION_RAW && raw != KR_CONTEXT_COUNT) {
    if (plain == KR_CONTEXT_TEXT || kr_place_may_raw(compiler, node))
      node->context = (uint8_t)raw;
    return;
  }
  if (plain == KR_CONTEXT_FORM && kr_place_is_pairs(node))
    node->context = KR_CONTEXT_URL_PAIRS;
  kr_place_refuse_escaper(compiler, node, escaper);
}

static void kr_place_header_literal(kr_compiler *compiler, const kr_node *chunk) {
  for (size_t i = 0; i < chunk->text.len; i++) {
    uint8_t byte = chunk->text.ptr[i];
    bool is_c1 = byte == 0xC2 && i + 1 < chunk->text.len && chunk->text.ptr[i + 1] < 0xA0;
    if ((byte < 0x20 && byte != '\t') || byte == 0x7F || is_c1) {
      kr_report(compiler, KR_E_HEADER_VALUE, chunk->offset + i, 1,
                "a header value cannot hold a line break or control character");
      return;
    }
  }
}

/* A literal in the sink query is data like any other: encoded. */
static void kr_place_query_literal(kr_compiler *compiler, kr_node *chunk) {
  uint8_t *out = kr_arena_alloc(&compiler->scratch, chunk->text.len * 3);
  if (out == NULL) {
    compiler->status = kr_arena_why(&compiler->scratch);
    return;
  }
  size_t len = 0;
  for (size_t i = 0; i < chunk->text.len; i++)
    len += kr_place_percent(chunk->text.ptr[i], out + len);
  chunk->literal = kr_str_from(out, len);
}

size_t kr_place_percent(uint8_t byte, uint8_t *out) {
  static const char digits[] = "0123456789ABCDEF";
  bool is_unreserved = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' ||
                       byte == '~';
  if (is_unreserved) {
    out[0] = byte;
    return 1;
  }
  out[0] = '%';
  out[1] = (uint8_t)digits[byte >> 4];
  out[2] = (uint8_t)digits[byte & 15];
  return 3;
}

/* JSON text of a literal inside a string of the sink value. */
static void kr_place_string_literal(kr_compiler *compiler, kr_node *chunk) {
  KR_CLEANUP(kr_buf_done) kr_buf escaped = KR_BUF_INIT(KR_LIMIT_CODE_BYTES, NULL);
  kr_status status = kr_json_escape(chunk->text, &escaped);
  if (status == KR_OK)
    status = kr_arena_copy(&compiler->scratch, kr_buf_str(&escaped), &chunk->literal);
  if (status != KR_OK)
    compiler->status = status;
}

static void kr_place_simple(kr_compiler *compiler, kr_field *field, kr_context plain,
                            kr_context raw) {
  for (kr_node *node = field->parts; node != NULL; node = node->next) {
    if (node->type != KR_NODE_CHUNK) {
      kr_place_hole(compiler, node, plain, raw);
      continue;
    }
    node->literal = node->text;
    if (plain == KR_CONTEXT_HEADER)
      kr_place_header_literal(compiler, node);
    else if (plain == KR_CONTEXT_QUERY)
      kr_place_query_literal(compiler, node);
    else if (plain == KR_CONTEXT_JSON_STRING)
      kr_place_string_literal(compiler, node);
  }
}

static void kr_place_expression(kr_compiler *compiler, kr_node *node) {
  static const kr_context plain[] = {
      [KR_SINK_QUERY] = KR_CONTEXT_QUERY,     [KR_SINK_HEADER] = KR_CONTEXT_HEADER,
      [KR_SINK_JSON] = KR_CONTEXT_JSON_VALUE, [KR_SINK_FORM] = KR_CONTEXT_FORM,
      [KR_SINK_XML] = KR_CONTEXT_XML_TEXT,    [KR_SINK_TEXT] = KR_CONTEXT_TEXT,
      [KR_SINK_CONDITION] = KR_CONTEXT_VALUE, [KR_SINK_VALUE] = KR_CONTEXT_VALUE};
  static const kr_context raw[] = {
      [KR_SINK_QUERY] = KR_CONTEXT_URL_RAW,   [KR_SINK_HEADER] = KR_CONTEXT_HEADER,
      [KR_SINK_JSON] = KR_CONTEXT_COUNT,      [KR_SINK_FORM] = KR_CONTEXT_URL_RAW,
      [KR_SINK_XML] = KR_CONTEXT_RAW,         [KR_SINK_TEXT] = KR_CONTEXT_TEXT,
      [KR_SINK_CONDITION] = KR_CONTEXT_COUNT, [KR_SINK_VALUE] = KR_CONTEXT_COUNT};
  kr_context context = compiler->is_body ? KR_CONTEXT_JSON_VALUE : plain[compiler->sink];
  kr_place_hole(compiler, node, context, raw[compiler->sink]);
}

void kr_place_field(kr_compiler *compiler, kr_field *field) {
  if (field->expression != NULL && compiler->sink != KR_SINK_URL) {
    kr_place_expression(compiler, field->expression);
    return;
  }
  switch (compiler->sink) {
  case KR_SINK_URL:
    kr_place_url(compiler, field);
    return;
  case KR_SINK_JSON:
    kr_place_json(compiler, field);
    return;
  case KR_SINK_XML:
    kr_place_xml(compiler, field);
    return;
  case KR_SINK_QUERY:
    kr_place_simple(compiler, field, KR_CONTEXT_QUERY, KR_CONTEXT_URL_RAW);
    return;
  case KR_SINK_HEADER:
    kr_place_simple(compiler, field, KR_CONTEXT_HEADER, KR_CONTEXT_HEADER);
    return;
  case KR_SINK_FORM:
    kr_place_simple(compiler, field, KR_CONTEXT_FORM, KR_CONTEXT_URL_RAW);
    return;
  case KR_SINK_TEXT:
    kr_place_simple(compiler, field, KR_CONTEXT_TEXT, KR_CONTEXT_TEXT);
    return;
  case KR_SINK_VALUE:
    kr_place_simple(compiler, field, KR_CONTEXT_JSON_STRING, KR_CONTEXT_COUNT);
    return;
  case KR_SINK_CONDITION:
    return; /* always an expression */
  }
}
