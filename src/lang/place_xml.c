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
  uint8_t quote;
} kr_xml;

static size_t kr_xml_open(kr_xml *xml, kr_str rest) {
  if (kr_str_starts(rest, KR_STR("<!--"))) {
    xml->state = KR_XML_IN_COMMENT;
    return 4;
  }
  if (kr_str_starts(rest, KR_STR("<![CDATA["))) {
    xml->state = KR_XML_IN_CDATA;
    return 9;
  }
  if (kr_str_starts(rest, KR_STR("<!"))) {
    xml->state = KR_XML_IN_DECLARATION;
    return 2;
  }
  if (kr_str_starts(rest, KR_STR("<?"))) {
    xml->state = KR_XML_IN_INSTRUCTION;
    return 2;
  }
  xml->state = KR_XML_IN_TAG;
  return 1;
}

static size_t kr_xml_until(kr_xml *xml, kr_str rest, kr_str close) {
  if (!kr_str_starts(rest, close))
    return 1;
  xml->state = KR_XML_IN_TEXT;
  return close.len;
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
    return kr_xml_until(xml, rest, KR_STR(">"));
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
