/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place_json.c - parses a JSON text (RFC 8259) whose holes are atoms, so that
 * what passes can never render invalid JSON. The state after each byte:
 *
 *   VALUE -> AFTER -> "," -> VALUE or KEY        STRING (with ESCAPE, HEX inside)
 *   KEY -> COLON -> VALUE                        SCALAR: number, true, false, null
 */
#include "lang/place.h"

#include "base/encode.h"
#include "json/scan.h"

typedef enum kr_json_state {
  KR_JSON_AT_VALUE,
  KR_JSON_AT_FIRST_ITEM, /* value or ] */
  KR_JSON_AT_FIRST_KEY,  /* key or } */
  KR_JSON_AT_KEY,
  KR_JSON_AT_COLON,
  KR_JSON_AT_AFTER,
  KR_JSON_IN_STRING
} kr_json_state;

typedef struct kr_json_place {
  kr_compiler *compiler;
  kr_json_state state;
  bool is_key; /* the string being read is a key */
  unsigned depth;
  uint8_t open[KR_JSON_MAX_DEPTH]; /* '[' or '{' */
  bool is_failed;
} kr_json_place;

static void kr_json_place_fail(kr_json_place *place, kr_code code, size_t offset, size_t len,
                               const char *message) {
  if (!place->is_failed)
    kr_report(place->compiler, code, offset, len, "%s", message);
  place->is_failed = true;
}

static bool kr_json_place_takes_value(const kr_json_place *place) {
  return place->state == KR_JSON_AT_VALUE || place->state == KR_JSON_AT_FIRST_ITEM;
}

static bool kr_json_place_takes_key(const kr_json_place *place) {
  return place->state == KR_JSON_AT_KEY || place->state == KR_JSON_AT_FIRST_KEY;
}

static void kr_json_place_open(kr_json_place *place, uint8_t byte, size_t offset) {
  if (place->depth == KR_JSON_MAX_DEPTH) {
    kr_json_place_fail(place, KR_E_NESTING, offset, 1, "JSON nested more than 128 levels deep");
    return;
  }
  place->open[place->depth++] = byte;
  place->state = byte == '[' ? KR_JSON_AT_FIRST_ITEM : KR_JSON_AT_FIRST_KEY;
}

static bool kr_json_place_close(kr_json_place *place, uint8_t byte) {
  uint8_t open = byte == ']' ? '[' : '{';
  kr_json_state empty = byte == ']' ? KR_JSON_AT_FIRST_ITEM : KR_JSON_AT_FIRST_KEY;
  if (place->depth == 0 || place->open[place->depth - 1] != open ||
      (place->state != KR_JSON_AT_AFTER && place->state != empty))
    return false;
  place->depth--;
  place->state = KR_JSON_AT_AFTER;
  return true;
}

/* One byte that is no string, scalar or blank. */
static bool kr_json_place_mark(kr_json_place *place, uint8_t byte, size_t offset) {
  switch (byte) {
  case '[':
  case '{':
    if (!kr_json_place_takes_value(place))
      return false;
    kr_json_place_open(place, byte, offset);
    return true;
  case ']':
  case '}':
    return kr_json_place_close(place, byte);
  case ':':
    if (place->state != KR_JSON_AT_COLON)
      return false;
    place->state = KR_JSON_AT_VALUE;
    return true;
  case ',':
    if (place->state != KR_JSON_AT_AFTER || place->depth == 0)
      return false;
    place->state = place->open[place->depth - 1] == '[' ? KR_JSON_AT_VALUE : KR_JSON_AT_KEY;
    return true;
  case '"':
    if (!kr_json_place_takes_value(place) && !kr_json_place_takes_key(place))
      return false;
    place->is_key = kr_json_place_takes_key(place);
    place->state = KR_JSON_IN_STRING;
    return true;
  default:
    return false;
  }
}

/* An escape at index of a string; its length, 0 when malformed or cut by a hole. */
static size_t kr_json_place_escape(kr_str text, size_t index) {
  if (index + 1 >= text.len)
    return 0;
  uint8_t byte = text.ptr[index + 1];
  if (byte != 'u')
    return byte != '\0' && strchr("\"\\/bfnrt", byte) != NULL ? 2 : 0;
  for (size_t i = 2; i < 6; i++)
    if (index + i >= text.len || kr_hex_digit(text.ptr[index + i]) < 0)
      return 0;
  uint8_t first = (uint8_t)(text.ptr[index + 2] | 0x20);
  if (first != 'd' || kr_hex_digit(text.ptr[index + 3]) < 8)
    return 6;
  /* a high surrogate and, in the same chunk, its low one */
  bool is_pair = kr_hex_digit(text.ptr[index + 3]) < 12 && index + 11 < text.len &&
                 text.ptr[index + 6] == '\\' && text.ptr[index + 7] == 'u' &&
                 (text.ptr[index + 8] | 0x20) == 'd' && kr_hex_digit(text.ptr[index + 9]) >= 12;
  for (size_t i = 10; is_pair && i < 12; i++)
    is_pair = kr_hex_digit(text.ptr[index + i]) >= 0;
  return is_pair ? 12 : 0;
}

/* A string from index on, to its end or to a hole: bytes read. */
static size_t kr_json_place_string(kr_json_place *place, const kr_node *chunk, size_t index) {
  const uint8_t *start = chunk->text.ptr + index;
  const uint8_t *end = chunk->text.ptr + chunk->text.len;
  const uint8_t *at = *start == '"' ? start : kr_json_skip_plain(start, end);
  size_t len = (size_t)(at - start);
  if (at == end)
    return len;
  if (*at == '"') {
    place->state = place->is_key ? KR_JSON_AT_COLON : KR_JSON_AT_AFTER;
    return len + 1;
  }
  index += len;
  if (*at < 0x20) {
    kr_json_place_fail(place, KR_E_JSON_TEXT, chunk->offset + index, 1,
                       "a JSON string cannot hold a raw line break or control character");
    return len + 1;
  }
  size_t escape = kr_json_place_escape(chunk->text, index);
  if (escape == 0)
    kr_json_place_fail(place, KR_E_JSON_TEXT, chunk->offset + index, 1,
                       "a malformed escape in a JSON string");
  return len + (escape == 0 ? 1 : escape);
}

static size_t kr_json_place_scalar(kr_json_place *place, const kr_node *chunk, size_t index) {
  size_t end = index;
  while (end < chunk->text.len && chunk->text.ptr[end] != '\0' &&
         strchr(" \t\r\n,:[]{}\"", chunk->text.ptr[end]) == NULL)
    end++;
  if (end == index)
    end++; /* NUL */
  kr_lexer lexer = {.text = kr_str_slice(chunk->text, index, end),
                    .arena = &place->compiler->scratch};
  kr_token token = kr_lexer_next(&lexer);
  bool is_word = token.type == KR_TOKEN_IDENT && (kr_str_equal(token.text, KR_STR("true")) ||
                                                  kr_str_equal(token.text, KR_STR("false")) ||
                                                  kr_str_equal(token.text, KR_STR("null")));
  bool is_good = (is_word || token.type == KR_TOKEN_NUMBER) && token.len == end - index;
  if (!is_good || !kr_json_place_takes_value(place))
    kr_json_place_fail(place, KR_E_JSON_TEXT, chunk->offset + index, end - index,
                       "this is not JSON");
  place->state = KR_JSON_AT_AFTER;
  return end - index;
}

static void kr_json_place_chunk(kr_json_place *place, const kr_node *chunk) {
  for (size_t index = 0; index < chunk->text.len && !place->is_failed;) {
    uint8_t byte = chunk->text.ptr[index];
    if (place->state == KR_JSON_IN_STRING) {
      index += kr_json_place_string(place, chunk, index);
    } else if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') {
      index++;
    } else if (byte == '"' || byte == ',' || byte == ':' || byte == '{' || byte == '}' ||
               byte == '[' || byte == ']') {
      if (!kr_json_place_mark(place, byte, chunk->offset + index))
        kr_json_place_fail(place, KR_E_JSON_TEXT, chunk->offset + index, 1,
                           "JSON cannot have this here");
      index++;
    } else {
      index += kr_json_place_scalar(place, chunk, index);
    }
  }
}

static void kr_json_place_hole(kr_json_place *place, kr_node *node) {
  kr_place_refuse_escaper(place->compiler, node, kr_place_escaper(node));
  if (place->state == KR_JSON_IN_STRING) {
    node->context = KR_CONTEXT_JSON_STRING;
  } else if (kr_json_place_takes_value(place)) {
    node->context = KR_CONTEXT_JSON_VALUE;
    place->state = KR_JSON_AT_AFTER;
  } else if (kr_json_place_takes_key(place)) {
    node->context = KR_CONTEXT_JSON_KEY;
    place->state = KR_JSON_AT_COLON;
  } else {
    kr_json_place_fail(place, KR_E_JSON_HOLE, node->offset, node->len,
                       "JSON cannot take a value here");
    kr_report_hint(place->compiler, "put data where a whole value stands, or inside quotes");
  }
}

void kr_place_json(kr_compiler *compiler, kr_field *field) {
  kr_json_place place = {.compiler = compiler, .state = KR_JSON_AT_VALUE};
  if (field->parts == NULL)
    return;
  for (kr_node *node = field->parts; node != NULL && !place.is_failed; node = node->next) {
    if (node->type == KR_NODE_CHUNK) {
      node->literal = node->text;
      kr_json_place_chunk(&place, node);
    } else {
      kr_json_place_hole(&place, node);
    }
  }
  if (!place.is_failed && (place.state != KR_JSON_AT_AFTER || place.depth != 0))
    kr_report(compiler, KR_E_JSON_TEXT, compiler->text.len, 0, "the JSON text ends too early");
}
