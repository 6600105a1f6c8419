/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place_xml.c - a state machine over the literal parts of an XML text: holes
 * may stand in character data and in quoted attribute values, nowhere else
 * (names, comments, processing instructions, DOCTYPE, CDATA, unquoted values).
 * It places holes; it does not check that the document is well formed.
 */
#include "lang/place.h"

typedef enum kr_xml_state {
  KR_XML_IN_TEXT,
  KR_XML_IN_TAG,
  KR_XML_IN_ATTRIBUTE,
  KR_XML_IN_COMMENT,
  KR_XML_IN_CDATA,
  KR_XML_IN_INSTRUCTION,
  KR_XML_IN_DECLARATION
} kr_xml_state;

typedef struct kr_xml {
  kr_xml_state state;
  kr_xml_state outer; /* what a comment or instruction stands in */
  uint8_t quote;      /* that ends the attribute, or the string in a declaration; 0: none */
  bool is_subset;     /* between [ and ] of a DOCTYPE, where > ends nothing */
} kr_xml;

/* A comment or an instruction, which may also stand in a DOCTYPE; 0: neither begins here. */
static size_t kr_xml_aside(kr_xml *xml, kr_str rest) {
  bool is_comment = kr_str_starts(rest, KR_STR("<!--"));
  if (!is_comment && !kr_str_starts(rest, KR_STR("<?")))
    return 0;
  xml->outer = xml->state;
  xml->state = is_comment ? KR_XML_IN_COMMENT : KR_XML_IN_INSTRUCTION;
  return is_comment ? 4 : 2;
}

static size_t kr_xml_open(kr_xml *xml, kr_str rest) {
  size_t len = kr_xml_aside(xml, rest);
  if (len > 0)
    return len;
  if (kr_str_starts(rest, KR_STR("<![CDATA["))) {
    xml->state = KR_XML_IN_CDATA;
    return 9;
  }
  if (kr_str_starts(rest, KR_STR("<!"))) {
    xml->state = KR_XML_IN_DECLARATION;
    xml->quote = 0;
    return 2;
  }
  xml->state = KR_XML_IN_TAG;
  return 1;
}

static size_t kr_xml_until(kr_xml *xml, kr_str rest, kr_str close) {
  if (!kr_str_starts(rest, close))
    return 1;
  xml->state = xml->outer;
  xml->outer = KR_XML_IN_TEXT;
  return close.len;
}

/* A DOCTYPE with strings and an internal subset: neither their ">" nor their "]" end it. */
static size_t kr_xml_declaration(kr_xml *xml, kr_str rest) {
  uint8_t byte = rest.ptr[0];
  size_t len = xml->quote == 0 ? kr_xml_aside(xml, rest) : 0;
  if (len > 0)
    return len;
  if (byte == '"' || byte == '\'')
    xml->quote = xml->quote == 0 ? byte : xml->quote == byte ? 0 : xml->quote;
  else if (xml->quote == 0 && (byte == '[' || byte == ']'))
    xml->is_subset = byte == '[';
  else if (xml->quote == 0 && byte == '>' && !xml->is_subset)
    xml->state = KR_XML_IN_TEXT;
  return 1;
}

static size_t kr_xml_byte(kr_xml *xml, kr_str rest) {
  uint8_t byte = rest.ptr[0];
  switch (xml->state) {
  case KR_XML_IN_TEXT:
    return byte == '<' ? kr_xml_open(xml, rest) : 1;
  case KR_XML_IN_TAG:
    if (byte == '>')
      xml->state = KR_XML_IN_TEXT;
    if (byte == '"' || byte == '\'') {
      xml->state = KR_XML_IN_ATTRIBUTE;
      xml->quote = byte;
    }
    return 1;
  case KR_XML_IN_ATTRIBUTE:
    if (byte == xml->quote)
      xml->state = KR_XML_IN_TAG;
    return 1;
  case KR_XML_IN_COMMENT:
    return kr_xml_until(xml, rest, KR_STR("-->"));
  case KR_XML_IN_CDATA:
    return kr_xml_until(xml, rest, KR_STR("]]>"));
  case KR_XML_IN_INSTRUCTION:
    return kr_xml_until(xml, rest, KR_STR("?>"));
  case KR_XML_IN_DECLARATION:
    return kr_xml_declaration(xml, rest);
  }
  return 1;
}

static void kr_xml_hole(kr_compiler *compiler, const kr_xml *xml, kr_node *node) {
  unsigned escaper = kr_place_escaper(node);
  bool is_place = xml->state == KR_XML_IN_TEXT || xml->state == KR_XML_IN_ATTRIBUTE;
  node->context = xml->state == KR_XML_IN_TEXT ? KR_CONTEXT_XML_TEXT : KR_CONTEXT_XML_ATTRIBUTE;
  if (!is_place) {
    kr_report(compiler, KR_E_XML_PLACE, node->offset, node->len,
              "XML takes data in text and in quoted attribute values only");
    return;
  }
  if (escaper == KR_FUNCTION_RAW) {
    if (kr_place_may_raw(compiler, node))
      node->context = KR_CONTEXT_RAW;
    return;
  }
  kr_place_refuse_escaper(compiler, node, escaper);
}

void kr_place_xml(kr_compiler *compiler, kr_field *field) {
  kr_xml xml = {.state = KR_XML_IN_TEXT};
  for (kr_node *node = field->parts; node != NULL; node = node->next) {
    if (node->type != KR_NODE_CHUNK) {
      kr_xml_hole(compiler, &xml, node);
      continue;
    }
    node->literal = node->text;
    for (size_t i = 0; i < node->text.len;)
      i += kr_xml_byte(&xml, kr_str_skip(node->text, i));
  }
  if (field->parts != NULL && xml.state != KR_XML_IN_TEXT)
    kr_report(compiler, KR_E_XML_PLACE, compiler->text.len, 0, "the XML text ends inside a tag");
}
