/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.c - one pass over the text, without recursion (RFC 8259, RFC 3629).
 *
 * Nodes are gathered on a stack. An opening bracket pushes the container, its
 * keys and values follow it; while it is open, its count is the index of the
 * container around it. The closing bracket copies what is above the container
 * into the arena and leaves the container alone on the stack, as a value:
 *
 *   {"a": [1, 2     stack: OBJECT "a" ARRAY 1 2       parent: ARRAY
 *   ]               stack: OBJECT "a" ARRAY -> [1 2]  parent: OBJECT
 *
 * The stack holds pointers and lengths, never bytes of values; it starts in
 * the parser itself, so that a small document allocates nothing but its tree.
 *
 * A string with escapes is decoded into the arena, behind a kr_json_place:
 * that is how a duplicate key, noticed when its object closes, is still
 * reported at its place in the source.
 *
 * Functions that read take the cursor and return it moved; NULL is a failure
 * that kr_json_fail has described.
 */
#include "json/json.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/utf8.h"
#include "json/keys.h"
#include "json/scan.h"

#define KR_JSON_LOCAL_NODES 128u
#define KR_JSON_NO_PARENT UINT32_MAX

typedef struct kr_json_place {
  uint32_t offset;
  uint32_t len;
} kr_json_place;

typedef struct kr_json_parser {
  const uint8_t *text;
  const uint8_t *end;
  kr_json *nodes;
  uint32_t n_nodes;  /* on the stack */
  uint32_t capacity; /* of the stack */
  uint32_t parent;   /* index of the innermost open container */
  uint32_t depth;
  uint32_t max_depth;
  size_t max_nodes;
  size_t n_made; /* values and keys so far */
  kr_arena *arena;
  kr_error *reterr;
  kr_status status;
  kr_json local[KR_JSON_LOCAL_NODES];
} kr_json_parser;

static void kr_json_parser_done(kr_json_parser *parser) {
  if (parser->nodes != parser->local)
    kr_heap_memory()->release(parser->nodes, parser->capacity * sizeof(kr_json));
}

/* Describe a failure at a byte, or just behind the last one; returns NULL for the caller to pass
 * on. */
static const uint8_t *kr_json_fail(kr_json_parser *parser, const uint8_t *at, const char *what) {
  parser->status = kr_fail(parser->reterr, KR_INVALID, "%s", what);
  kr_error_at(parser->reterr, NULL, (size_t)(at - parser->text), 1);
  return NULL;
}

static const uint8_t *kr_json_fail_limit(kr_json_parser *parser, const uint8_t *at,
                                         const char *what, size_t limit) {
  parser->status = kr_fail(parser->reterr, KR_LIMIT, "%s %zu", what, limit);
  kr_error_at(parser->reterr, NULL, (size_t)(at - parser->text), 1);
  return NULL;
}

static const uint8_t *kr_json_fail_memory(kr_json_parser *parser, const uint8_t *at,
                                          kr_status status) {
  if (status == KR_LIMIT)
    return kr_json_fail_limit(
        parser, at, "the JSON tree exceeds its memory limit in bytes:", parser->arena->limit);
  parser->status = kr_fail_nomem(parser->reterr);
  return NULL;
}

static bool kr_json_is_blank(uint8_t byte) {
  return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static const uint8_t *kr_json_skip_blank(const uint8_t *at, const uint8_t *end) {
  if (at<end && * at> ' ')
    return at;
  while (end - at >= 8 && kr_json_word_load(at) == KR_JSON_ONES * ' ')
    at += 8;
  while (at < end && kr_json_is_blank(*at))
    at++;
  return at;
}

static bool kr_json_grow(kr_json_parser *parser) {
  size_t size = 0;
  if (parser->capacity > UINT32_MAX / 2 ||
      !kr_size_mul((size_t)parser->capacity * 2, sizeof(kr_json), &size))
    return false;
  kr_json *nodes = kr_heap_memory()->alloc(size);
  if (nodes == NULL)
    return false;
  memcpy(nodes, parser->nodes, parser->n_nodes * sizeof(kr_json));
  kr_json_parser_done(parser);
  parser->nodes = nodes;
  parser->capacity *= 2;
  return true;
}

/* Room for one more node where there was none; false after describing why not. */
static bool kr_json_make_room(kr_json_parser *parser, const uint8_t *at) {
  if (parser->n_made >= parser->max_nodes) {
    (void)kr_json_fail_limit(parser, at, "the JSON text has more values and keys than its limit of",
                             parser->max_nodes);
    return false;
  }
  if (parser->n_nodes == parser->capacity && !kr_json_grow(parser)) {
    (void)kr_json_fail_memory(parser, at, KR_NOMEM);
    return false;
  }
  return true;
}

static inline bool kr_json_push(kr_json_parser *parser, const uint8_t *at, kr_json_type type,
                                uint32_t count, const uint8_t *text) {
  bool has_room = parser->n_made < parser->max_nodes && parser->n_nodes < parser->capacity;
  if (__builtin_expect(!has_room, 0) && !kr_json_make_room(parser, at))
    return false;
  kr_json *node = &parser->nodes[parser->n_nodes++];
  parser->n_made++;
  node->type = (uint8_t)type;
  node->count = count;
  node->text = text;
  return true;
}

/* --- strings --- */

/* Over what is not ASCII, to the end of the string or an escape, or to what is wrong. */
static const uint8_t *kr_json_run_on(kr_json_parser *parser, const uint8_t *at) {
  const uint8_t *end = parser->end;
  for (;;) {
    while (at < end && *at >= 0x80) {
      uint32_t point = 0;
      size_t len = kr_utf8_decode(kr_str_from(at, (size_t)(end - at)), &point);
      if (len == 0)
        return kr_json_fail(parser, at, "a string is not valid UTF-8");
      at += len;
    }
    if (at == end)
      return kr_json_fail(parser, at, "the text ends inside a string");
    if (*at == '"' || *at == '\\')
      return at;
    if (*at < 0x20)
      return kr_json_fail(parser, at, "a control character in a string must be escaped");
    at = kr_json_skip_ascii(at, end);
  }
}

/* To the `"` that ends the string or the `\` of an escape; everything before it is checked. */
static inline const uint8_t *kr_json_run(kr_json_parser *parser, const uint8_t *at) {
  at = kr_json_skip_ascii(at, parser->end);
  return at < parser->end && (*at == '"' || *at == '\\') ? at : kr_json_run_on(parser, at);
}

/* The four hex digits of a \u escape at at, -1 when there are not four. */
static int32_t kr_json_hex4(const uint8_t *at, const uint8_t *end) {
  if (end - at < 4)
    return -1;
  int32_t value = 0;
  for (int i = 0; i < 4; i++) {
    int digit = kr_hex_digit(at[i]);
    if (digit < 0)
      return -1;
    value = value * 16 + digit;
  }
  return value;
}

static const uint8_t *kr_json_unicode(kr_json_parser *parser, const uint8_t *at, uint8_t **out) {
  int32_t high = kr_json_hex4(at + 2, parser->end);
  if (high < 0)
    return kr_json_fail(parser, at, "\\u must be followed by four hex digits");
  uint32_t point = (uint32_t)high;
  const uint8_t *next = at + 6;
  if (high >= 0xD800 && high <= 0xDBFF) {
    bool is_pair = parser->end - next >= 6 && next[0] == '\\' && next[1] == 'u';
    int32_t low = is_pair ? kr_json_hex4(next + 2, parser->end) : -1;
    if (low < 0xDC00 || low > 0xDFFF)
      return kr_json_fail(parser, at, "a high surrogate without its low surrogate");
    point = 0x10000 + ((point - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
    next += 6;
  } else if (high >= 0xDC00 && high <= 0xDFFF) {
    return kr_json_fail(parser, at, "a low surrogate without its high surrogate");
  }
  *out += kr_utf8_encode(point, *out);
  return next;
}

static const uint8_t *kr_json_escaped(kr_json_parser *parser, const uint8_t *at, uint8_t **out) {
  static const char names[] = "\"\\/bfnrt";
  static const char bytes[] = "\"\\/\b\f\n\r\t";
  if (parser->end - at < 2)
    return kr_json_fail(parser, parser->end, "the text ends inside a string");
  if (at[1] == 'u')
    return kr_json_unicode(parser, at, out);
  const char *name = at[1] == '\0' ? NULL : strchr(names, at[1]);
  if (name == NULL)
    return kr_json_fail(parser, at, "unknown escape in a string");
  *(*out)++ = (uint8_t)bytes[name - names];
  return at + 2;
}

/* Where the string ends, if its escapes are right; only sizes the memory for it. */
static const uint8_t *kr_json_string_end(const uint8_t *at, const uint8_t *end) {
  while (at < end && *at != '"') {
    if (*at == '\\' && end - at >= 2)
      at++;
    at = kr_json_skip_plain(at + 1, end);
    while (at < end && *at < 0x20)
      at++; /* an error to be found by the reader proper */
  }
  return at;
}

/* start is behind the opening quote, at the first `\`. */
static const uint8_t *kr_json_unescape(kr_json_parser *parser, const uint8_t *start,
                                       const uint8_t *at) {
  size_t raw_len = (size_t)(kr_json_string_end(at, parser->end) - start);
  /* No escape is shorter than what it stands for, so the source length is enough. */
  uint8_t *memory = kr_arena_alloc(parser->arena, sizeof(kr_json_place) + raw_len);
  if (memory == NULL)
    return kr_json_fail_memory(parser, at, kr_arena_why(parser->arena));
  uint8_t *decoded = memory + sizeof(kr_json_place);
  uint8_t *out = decoded;
  const uint8_t *run = start;
  while (*at != '"') {
    memcpy(out, run, (size_t)(at - run));
    out += at - run;
    run = kr_json_escaped(parser, at, &out);
    if (run == NULL)
      return NULL;
    at = kr_json_run(parser, run);
    if (at == NULL)
      return NULL;
  }
  memcpy(out, run, (size_t)(at - run));
  out += at - run;
  kr_json_place place = {.offset = (uint32_t)(start - 1 - parser->text),
                         .len = (uint32_t)(at + 1 - (start - 1))};
  memcpy(memory, &place, sizeof place);
  bool is_pushed =
      kr_json_push(parser, start - 1, KR_JSON_STRING, (uint32_t)(out - decoded), decoded);
  return is_pushed ? at + 1 : NULL;
}

static inline const uint8_t *kr_json_read_string(kr_json_parser *parser, const uint8_t *at) {
  const uint8_t *start = at + 1;
  const uint8_t *stop = kr_json_run(parser, start);
  if (stop == NULL)
    return NULL;
  if (*stop == '\\')
    return kr_json_unescape(parser, start, stop);
  uint32_t len = (uint32_t)(stop - start);
  return kr_json_push(parser, at, KR_JSON_STRING, len, start) ? stop + 1 : NULL;
}

/* --- numbers and words --- */

static const uint8_t *kr_json_digits(const uint8_t *at, const uint8_t *end) {
  while (at < end && *at >= '0' && *at <= '9')
    at++;
  return at;
}

/* RFC 8259, section 6: [ "-" ] int [ frac ] [ exp ]. */
static const uint8_t *kr_json_read_number(kr_json_parser *parser, const uint8_t *start) {
  const uint8_t *end = parser->end;
  const uint8_t *whole = start + (*start == '-' ? 1 : 0);
  const uint8_t *at = kr_json_digits(whole, end);
  if (at == whole)
    return kr_json_fail(parser, at, "expected a digit");
  if (*whole == '0' && at - whole > 1)
    return kr_json_fail(parser, whole, "a number has a leading zero");
  if (at < end && *at == '.') {
    const uint8_t *fraction = at + 1;
    at = kr_json_digits(fraction, end);
    if (at == fraction)
      return kr_json_fail(parser, at, "expected a digit after the decimal point");
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    const uint8_t *exponent = at + 1;
    if (exponent < end && (*exponent == '+' || *exponent == '-'))
      exponent++;
    at = kr_json_digits(exponent, end);
    if (at == exponent)
      return kr_json_fail(parser, at, "expected a digit in the exponent");
  }
  return kr_json_push(parser, start, KR_JSON_NUMBER, (uint32_t)(at - start), start) ? at : NULL;
}

static const uint8_t *kr_json_read_word(kr_json_parser *parser, const uint8_t *at, kr_str word,
                                        kr_json_type type) {
  if (!kr_str_starts(kr_str_from(at, (size_t)(parser->end - at)), word))
    return kr_json_fail(parser, at, "expected a value: unknown word");
  return kr_json_push(parser, at, type, 0, NULL) ? at + word.len : NULL;
}

static const uint8_t *kr_json_read_scalar(kr_json_parser *parser, const uint8_t *at) {
  if (at == parser->end)
    return kr_json_fail(parser, at, "the text ends where a value must stand");
  switch (*at) {
  case '"':
    return kr_json_read_string(parser, at);
  case '-':
  case '0':
  case '1':
  case '2':
  case '3':
  case '4':
  case '5':
  case '6':
  case '7':
  case '8':
  case '9':
    return kr_json_read_number(parser, at);
  case 't':
    return kr_json_read_word(parser, at, KR_STR("true"), KR_JSON_TRUE);
  case 'f':
    return kr_json_read_word(parser, at, KR_STR("false"), KR_JSON_FALSE);
  case 'n':
    return kr_json_read_word(parser, at, KR_STR("null"), KR_JSON_NULL);
  default:
    return kr_json_fail(parser, at, "expected a value");
  }
}

/* --- arrays and objects --- */

static const uint8_t *kr_json_read_key(kr_json_parser *parser, const uint8_t *at) {
  if (at == parser->end)
    return kr_json_fail(parser, at, "the text ends where a key must stand");
  if (*at != '"')
    return kr_json_fail(parser, at, "expected a key in double quotes");
  at = kr_json_read_string(parser, at);
  if (at == NULL)
    return NULL;
  at = kr_json_skip_blank(at, parser->end);
  if (at == parser->end || *at != ':')
    return kr_json_fail(parser, at, "expected ':' after a key");
  return kr_json_skip_blank(at + 1, parser->end);
}

static const uint8_t *kr_json_fail_duplicate(kr_json_parser *parser, const kr_json *key) {
  kr_json_place place = {0};
  bool is_borrowed = (uintptr_t)key->text >= (uintptr_t)parser->text &&
                     (uintptr_t)key->text <= (uintptr_t)parser->end;
  if (is_borrowed)
    place =
        (kr_json_place){.offset = (uint32_t)(key->text - 1 - parser->text), .len = key->count + 2};
  else
    memcpy(&place, key->text - sizeof place, sizeof place);
  parser->status = kr_fail(parser->reterr, KR_INVALID, "a key occurs twice in one object");
  kr_error_hint(parser->reterr, "keep one of the two");
  kr_error_at(parser->reterr, NULL, place.offset, place.len);
  return NULL;
}

static const uint8_t *kr_json_open(kr_json_parser *parser, const uint8_t *at) {
  if (parser->depth == parser->max_depth)
    return kr_json_fail_limit(parser, at, "arrays and objects are nested deeper than the limit of",
                              parser->max_depth);
  kr_json_type type = *at == '{' ? KR_JSON_OBJECT : KR_JSON_ARRAY;
  uint32_t index = parser->n_nodes;
  if (!kr_json_push(parser, at, type, parser->parent, NULL))
    return NULL;
  parser->parent = index;
  parser->depth++;
  return kr_json_skip_blank(at + 1, parser->end);
}

/* at is the closing bracket. */
static const uint8_t *kr_json_close(kr_json_parser *parser, const uint8_t *at) {
  kr_json *container = &parser->nodes[parser->parent];
  uint32_t n_children = parser->n_nodes - parser->parent - 1;
  parser->n_nodes = parser->parent + 1;
  parser->parent = container->count;
  parser->depth--;
  container->count = 0;
  if (n_children == 0)
    return at + 1;
  size_t size = n_children * sizeof(kr_json);
  kr_json *children = kr_arena_alloc(parser->arena, size);
  if (children == NULL)
    return kr_json_fail_memory(parser, at, kr_arena_why(parser->arena));
  memcpy(children, container + 1, size);
  container->items = children;
  container->count = n_children;
  if (container->type == KR_JSON_ARRAY)
    return at + 1;
  container->count = n_children / 2;
  container->members = (const kr_json_member *)(const void *)children;
  size_t duplicate = 0;
  kr_status status = kr_json_keys_check(container->members, container->count, &duplicate);
  if (status != KR_OK)
    return kr_json_fail_memory(parser, at, status);
  if (duplicate < container->count)
    return kr_json_fail_duplicate(parser, &container->members[duplicate].key);
  return at + 1;
}

/*
 * Behind a value: close what ends here, and stop where the next value starts,
 * or at the end of the text when the outermost value is complete.
 */
static const uint8_t *kr_json_after_value(kr_json_parser *parser, const uint8_t *at) {
  const uint8_t *end = parser->end;
  for (;;) {
    at = kr_json_skip_blank(at, end);
    if (parser->parent == KR_JSON_NO_PARENT)
      return at == end ? at : kr_json_fail(parser, at, "more text after the JSON value");
    bool is_object = parser->nodes[parser->parent].type == KR_JSON_OBJECT;
    if (at == end)
      return kr_json_fail(parser, at,
                          is_object ? "an object is not closed by '}'"
                                    : "an array is not closed by ']'");
    if (*at == ',') {
      at = kr_json_skip_blank(at + 1, end);
      return is_object ? kr_json_read_key(parser, at) : at;
    }
    if (*at != (is_object ? '}' : ']'))
      return kr_json_fail(parser, at,
                          is_object ? "expected ',' or '}' after a member"
                                    : "expected ',' or ']' after an item");
    at = kr_json_close(parser, at);
    if (at == NULL)
      return NULL;
  }
}

/* at is where a value must start; returns behind it, or inside it where the next one starts. */
static const uint8_t *kr_json_read_value(kr_json_parser *parser, const uint8_t *at) {
  bool is_object = at < parser->end && *at == '{';
  bool is_array = at < parser->end && *at == '[';
  if (!is_object && !is_array) {
    at = kr_json_read_scalar(parser, at);
    return at == NULL ? NULL : kr_json_after_value(parser, at);
  }
  at = kr_json_open(parser, at);
  if (at == NULL)
    return NULL;
  if (at < parser->end && *at == (is_object ? '}' : ']')) {
    at = kr_json_close(parser, at);
    return at == NULL ? NULL : kr_json_after_value(parser, at);
  }
  return is_object ? kr_json_read_key(parser, at) : at;
}

static kr_status kr_json_read_document(kr_json_parser *parser) {
  if (kr_str_starts(kr_str_from(parser->text, (size_t)(parser->end - parser->text)),
                    KR_STR("\xEF\xBB\xBF"))) {
    (void)kr_json_fail(parser, parser->text, "the text starts with a byte-order mark");
    kr_error_hint(parser->reterr, "save it as UTF-8 without a byte-order mark");
    return parser->status;
  }
  const uint8_t *at = kr_json_skip_blank(parser->text, parser->end);
  do {
    at = kr_json_read_value(parser, at);
  } while (at != NULL && parser->parent != KR_JSON_NO_PARENT);
  return parser->status;
}

kr_status kr_json_parse(kr_str text, const kr_json_limits *limits, kr_arena *arena,
                        const kr_json **ret_json, kr_error *reterr) {
  kr_json_limits limit = limits == NULL ? (kr_json_limits){0} : *limits;
  size_t max_bytes = limit.max_bytes == 0 ? KR_JSON_MAX_BYTES : limit.max_bytes;
  if (max_bytes > UINT32_MAX) /* lengths and places are 32 bits wide */
    max_bytes = UINT32_MAX;
  if (text.len > max_bytes) {
    (void)kr_fail(reterr, KR_LIMIT, "the JSON text exceeds its limit of %zu bytes", max_bytes);
    kr_error_at(reterr, NULL, max_bytes, text.len - max_bytes);
    return KR_LIMIT;
  }
  const uint8_t *start = text.len == 0 ? (const uint8_t *)"" : text.ptr;
  KR_CLEANUP(kr_json_parser_done)
  kr_json_parser parser = {.text = start,
                           .end = start + text.len,
                           .capacity = KR_JSON_LOCAL_NODES,
                           .parent = KR_JSON_NO_PARENT,
                           .max_depth = limit.depth == 0 ? KR_JSON_MAX_DEPTH : limit.depth,
                           .max_nodes = limit.nodes == 0 ? KR_JSON_MAX_NODES : limit.nodes,
                           .arena = arena,
                           .reterr = reterr};
  parser.nodes = parser.local;
  KR_TRY(kr_json_read_document(&parser));
  kr_json *root = kr_arena_alloc(arena, sizeof *root);
  if (root == NULL) {
    (void)kr_json_fail_memory(&parser, parser.end, kr_arena_why(arena));
    return parser.status;
  }
  *root = parser.nodes[0];
  *ret_json = root;
  return KR_OK;
}
