/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser.c - tokens to nodes, by recursive descent; nesting is bounded by
 * KR_LIMIT_NESTING, so recursion is too. The text modes are in text.c.
 * Functions return NULL after they have reported.
 */
#include "lang/parser.h"

#define KR_STEPS_GROWTH 2u

kr_node *kr_parser_node(kr_compiler *compiler, kr_node_type type, size_t offset, size_t len) {
  if (compiler->n_nodes++ == KR_LIMIT_NODES) {
    kr_report(compiler, KR_E_NODES, offset, len, "the template has more than %u parts",
              KR_LIMIT_NODES);
    return NULL;
  }
  kr_node *node = kr_arena_calloc(&compiler->scratch, 1, sizeof(kr_node));
  if (node == NULL) {
    compiler->status = kr_arena_why(&compiler->scratch);
    return NULL;
  }
  node->type = type;
  node->offset = offset;
  node->len = len;
  return node;
}

static void kr_parser_advance(kr_compiler *compiler) {
  compiler->token = kr_lexer_next(&compiler->lexer);
  if (compiler->lexer.status != KR_OK)
    compiler->status = compiler->lexer.status;
}

bool kr_parser_at(const kr_compiler *compiler, uint8_t byte) {
  return compiler->token.type == KR_TOKEN_PUNCTUATION && compiler->token.byte == byte;
}

void *kr_parser_unexpected(kr_compiler *compiler, const char *expected) {
  const kr_token *token = &compiler->token;
  if (token->type == KR_TOKEN_ERROR)
    kr_report(compiler, token->code, token->offset, token->len, "%s", token->message);
  else if (token->type == KR_TOKEN_END)
    kr_report(compiler, KR_E_UNEXPECTED, token->offset, 0, "the template ends where %s must stand",
              expected);
  else
    kr_report(compiler, KR_E_UNEXPECTED, token->offset, token->len, "%s must stand here", expected);
  return NULL;
}

static bool kr_parser_accept(kr_compiler *compiler, uint8_t byte) {
  if (!kr_parser_at(compiler, byte))
    return false;
  kr_parser_advance(compiler);
  return true;
}

void kr_parser_start(kr_compiler *compiler, size_t offset) {
  compiler->lexer = (kr_lexer){.text = compiler->text, .next = offset, .arena = &compiler->scratch};
  compiler->depth = 0;
  compiler->item_depth = 0;
  kr_parser_advance(compiler);
}

static bool kr_parser_deepen(kr_compiler *compiler) {
  if (compiler->depth++ < KR_LIMIT_NESTING)
    return true;
  kr_report(compiler, KR_E_NESTING, compiler->token.offset, 1, "nested more than %u levels deep",
            KR_LIMIT_NESTING);
  return false;
}

void kr_parser_append(kr_node *parent, kr_node *child) {
  if (parent->first == NULL)
    parent->first = child;
  else
    parent->last->next = child;
  parent->last = child;
  parent->n_children++;
}

/* $secret.NAME: the name token follows; checks and registers the name. */
bool kr_parser_secret(kr_compiler *compiler, kr_node *node, kr_str name, size_t offset) {
  for (size_t i = 0; i < name.len; i++)
    if (name.ptr[i] >= 'a' && name.ptr[i] <= 'z') {
      kr_report(compiler, KR_E_BAD_SECRET_NAME, offset, name.len, "secret names are upper case");
      kr_report_hint(compiler, "write %.*s in capitals, or ${$secret.NAME} to end the name earlier",
                     KR_FMT(name));
      return false;
    }
  if (name.len > KR_SECRET_NAME_BYTES) {
    kr_report(compiler, KR_E_BAD_SECRET_NAME, offset, name.len,
              "a secret name has at most %u characters", KR_SECRET_NAME_BYTES);
    return false;
  }
  node->text = name;
  if (compiler->mute > 0)
    return true;
  kr_secret_names *names = compiler->options->secrets;
  for (uint32_t i = 0; i < names->count; i++)
    if (kr_str_equal(kr_secret_name(names, i), name)) {
      node->secret = (uint8_t)i;
      return true;
    }
  if (names->count == KR_SECRETS_MAX) {
    kr_report(compiler, KR_E_SECRETS_MAX, offset, name.len, "more than %d different secrets",
              KR_SECRETS_MAX);
    return false;
  }
  node->secret = (uint8_t)names->count;
  memcpy(names->bytes[names->count], name.ptr, name.len);
  names->len[names->count++] = (uint8_t)name.len;
  return true;
}

bool kr_parser_root(kr_str word, uint8_t *ret_root) {
  for (unsigned i = 0; i < KR_ROOT_COUNT; i++)
    if (kr_str_equal(kr_root_text(i), word)) {
      *ret_root = (uint8_t)i;
      return true;
    }
  return false;
}

const char *kr_parser_nearest_root(kr_str word) {
  for (unsigned i = 0; i < KR_ROOT_COUNT; i++)
    if (kr_str_distance(kr_str_cstr(kr_root_name(i)), word, 2) <= 2)
      return kr_root_name(i);
  return NULL;
}

void kr_parser_unknown_root(kr_compiler *compiler, kr_str word, size_t offset) {
  const char *nearest = kr_parser_nearest_root(word);
  kr_report(compiler, KR_E_UNKNOWN_ROOT, offset, word.len + 1, "there is no $%.*s", KR_FMT(word));
  if (nearest != NULL)
    kr_report_hint(compiler, "did you mean $%s?", nearest);
  else
    kr_report_hint(compiler, "there are $secret, $payload, $lookup and $processed; "
                             "write $$ for a dollar sign");
}

kr_step *kr_parser_new_step(kr_compiler *compiler, kr_node *node, size_t offset) {
  if (node->n_steps == KR_LIMIT_PATH_STEPS) {
    kr_report(compiler, KR_E_PATH_STEPS, offset, 1, "more than %u steps in a path",
              KR_LIMIT_PATH_STEPS);
    return NULL;
  }
  if (node->n_steps % KR_STEPS_GROWTH == 0) {
    kr_step *grown =
        kr_arena_alloc(&compiler->scratch, (node->n_steps + KR_STEPS_GROWTH) * sizeof(kr_step));
    if (grown == NULL) {
      compiler->status = kr_arena_why(&compiler->scratch);
      return NULL;
    }
    if (node->n_steps > 0)
      memcpy(grown, node->steps, node->n_steps * sizeof(kr_step));
    node->steps = grown;
  }
  kr_step *step = &node->steps[node->n_steps++];
  *step = (kr_step){.accessor = KR_NO_ACCESSOR};
  return step;
}

void kr_parser_name_step(kr_step *step, kr_str name) {
  unsigned function = 0;
  step->name = name;
  if (kr_accessor_find(name, &function))
    step->accessor = (uint8_t)function;
}

bool kr_parser_add_step(kr_compiler *compiler, kr_node *node, const kr_step *step, size_t offset) {
  kr_step *added = kr_parser_new_step(compiler, node, offset);
  if (added == NULL)
    return false;
  added->is_index = step->is_index;
  added->is_optional = step->is_optional;
  added->index = step->index;
  if (!step->is_index)
    kr_parser_name_step(added, step->name);
  return true;
}

bool kr_parser_index(kr_str digits, int64_t *ret_index) {
  kr_json number = {.type = KR_JSON_NUMBER, .count = (uint32_t)digits.len, .text = digits.ptr};
  return kr_json_to_int(&number, ret_index);
}

/* "[" int | string "]"; the bracket is the current token. */
static bool kr_parser_bracket(kr_compiler *compiler, kr_step *ret_step) {
  kr_parser_advance(compiler);
  *ret_step = (kr_step){0};
  if (compiler->token.type == KR_TOKEN_STRING)
    ret_step->name = compiler->token.text;
  else if (compiler->token.type == KR_TOKEN_NUMBER &&
           kr_parser_index(compiler->token.text, &ret_step->index))
    ret_step->is_index = true;
  else
    return kr_parser_unexpected(compiler, "an integer or a quoted key") != NULL;
  kr_parser_advance(compiler);
  if (!kr_parser_at(compiler, ']'))
    return kr_parser_unexpected(compiler, "]") != NULL;
  return true;
}

/* { access }: steps stand directly after what they step into. */
static bool kr_parser_steps(kr_compiler *compiler, kr_node *node) {
  while (!compiler->token.is_spaced) {
    kr_step step = {0};
    size_t offset = compiler->token.offset;
    if (kr_parser_at(compiler, '.')) {
      kr_parser_advance(compiler);
      if (compiler->token.type != KR_TOKEN_IDENT || compiler->token.is_spaced)
        return kr_parser_unexpected(compiler, "a name") != NULL;
      step.name = compiler->token.text;
    } else if (kr_parser_at(compiler, '[')) {
      if (!kr_parser_bracket(compiler, &step))
        return false;
    } else {
      break;
    }
    size_t end = compiler->token.offset + compiler->token.len;
    kr_parser_advance(compiler);
    if (kr_parser_at(compiler, '?') && !compiler->token.is_spaced) {
      step.is_optional = true;
      end++;
      kr_parser_advance(compiler);
    }
    node->len = end - node->offset;
    if (!kr_parser_add_step(compiler, node, &step, offset))
      return false;
  }
  return true;
}

static kr_node *kr_parser_reference(kr_compiler *compiler) {
  kr_token token = compiler->token;
  kr_node *node = kr_parser_node(compiler, KR_NODE_REF, token.offset, token.len);
  if (node == NULL)
    return NULL;
  if (!kr_parser_root(token.text, &node->root)) {
    kr_parser_unknown_root(compiler, token.text, token.offset);
    return NULL;
  }
  if (compiler->item_depth == 0 && (node->root == KR_ROOT_ITEM || node->root == KR_ROOT_INDEX)) {
    kr_report(compiler, KR_E_OUTSIDE_ITEM, token.offset, token.len,
              "$%.*s has a meaning only inside map and filter", KR_FMT(token.text));
    return NULL;
  }
  kr_parser_advance(compiler);
  if (node->root != KR_ROOT_SECRET)
    return kr_parser_steps(compiler, node) ? node : NULL;
  if (!kr_parser_at(compiler, '.') || compiler->token.is_spaced) {
    kr_report(compiler, KR_E_SECRET_STEP, token.offset, token.len,
              "$secret takes one name: $secret.NAME");
    return NULL;
  }
  /* A name may begin with a digit here, so it is not read as a token. */
  size_t start = compiler->lexer.next;
  size_t end = kr_parser_secret_end(compiler->text, start);
  if (end == start) {
    kr_report(compiler, KR_E_SECRET_STEP, token.offset, token.len + 1,
              "$secret takes one name: $secret.NAME");
    return NULL;
  }
  if (!kr_parser_secret(compiler, node, kr_str_slice(compiler->text, start, end), start))
    return NULL;
  node->len = end - node->offset;
  compiler->lexer.next = end;
  kr_parser_advance(compiler);
  if (kr_parser_at(compiler, '?') && !compiler->token.is_spaced) {
    node->len++;
    kr_parser_advance(compiler);
  }
  return kr_parser_steps(compiler, node) ? node : NULL;
}

size_t kr_parser_secret_end(kr_str text, size_t offset) {
  while (offset < text.len && kr_lang_is_word(text.ptr[offset]))
    offset++;
  return offset;
}

static kr_node *kr_parser_object_pair(kr_compiler *compiler, kr_node *parent) {
  if (compiler->token.type != KR_TOKEN_STRING)
    return kr_parser_unexpected(compiler, "a quoted key");
  kr_node *key =
      kr_parser_node(compiler, KR_NODE_STRING, compiler->token.offset, compiler->token.len);
  if (key == NULL)
    return NULL;
  key->text = compiler->token.text;
  for (const kr_node *other = parent->first; other != NULL; other = other->next->next)
    if (kr_str_equal(other->text, key->text)) {
      kr_report(compiler, KR_E_DUPLICATE_KEY, key->offset, key->len, "this key stands twice");
      return NULL;
    }
  kr_parser_advance(compiler);
  if (!kr_parser_accept(compiler, ':'))
    return kr_parser_unexpected(compiler, ":");
  kr_node *value = kr_parser_expression(compiler);
  if (value == NULL)
    return NULL;
  kr_parser_append(parent, key);
  kr_parser_append(parent, value);
  return value;
}

/* One argument or item; the second one of map and filter may name $item and $index. */
static kr_node *kr_parser_item(kr_compiler *compiler, const kr_node *parent) {
  bool is_body = parent->type == KR_NODE_CALL && kr_function_is_each(parent->function) &&
                 parent->n_children > 0;
  if (!is_body)
    return kr_parser_expression(compiler);
  if (compiler->item_depth == KR_LIMIT_ITEM_NESTING) {
    kr_report(compiler, KR_E_ITEM_NESTING, compiler->token.offset, compiler->token.len,
              "map and filter are nested more than %u levels deep", KR_LIMIT_ITEM_NESTING);
    return NULL;
  }
  compiler->item_depth++;
  kr_node *body = kr_parser_expression(compiler);
  compiler->item_depth--;
  return body;
}

/* The items of an array, object or call up to its closing byte; the opening one is read. */
static kr_node *kr_parser_list(kr_compiler *compiler, kr_node *parent, uint8_t close) {
  if (!kr_parser_deepen(compiler))
    return NULL;
  while (!kr_parser_at(compiler, close)) {
    if (parent->type == KR_NODE_OBJECT) {
      if (kr_parser_object_pair(compiler, parent) == NULL)
        return NULL;
    } else {
      kr_node *item = kr_parser_item(compiler, parent);
      if (item == NULL)
        return NULL;
      if (parent->type == KR_NODE_CALL && parent->n_children == KR_LIMIT_ARGUMENTS) {
        kr_report(compiler, KR_E_ARGUMENTS, item->offset, item->len, "more than %u arguments",
                  KR_LIMIT_ARGUMENTS);
        return NULL;
      }
      kr_parser_append(parent, item);
    }
    if (!kr_parser_accept(compiler, ',') && !kr_parser_at(compiler, close))
      return kr_parser_unexpected(compiler, close == ')'   ? ", or )"
                                            : close == ']' ? ", or ]"
                                                           : ", or }");
  }
  parent->len = compiler->token.offset + 1 - parent->offset;
  compiler->depth--;
  kr_parser_advance(compiler);
  return parent;
}

static void kr_parser_unknown_function(kr_compiler *compiler, const kr_token *name) {
  kr_report(compiler, KR_E_UNKNOWN_FUNCTION, name->offset, name->len,
            "there is no function \"%.*s\"", KR_FMT(name->text));
  const char *nearest = kr_function_nearest(name->text);
  if (nearest != NULL)
    kr_report_hint(compiler, "did you mean %s?", nearest);
}

static kr_node *kr_parser_word(kr_compiler *compiler) {
  kr_token word = compiler->token;
  kr_parser_advance(compiler);
  if (kr_parser_at(compiler, '(')) {
    kr_node *call = kr_parser_node(compiler, KR_NODE_CALL, word.offset, word.len);
    if (call == NULL)
      return NULL;
    if (!kr_function_find(word.text, &call->function)) {
      kr_parser_unknown_function(compiler, &word);
      /* read the arguments all the same, so that their errors are reported too */
      call->function = KR_FUNCTION_COUNT;
    }
    kr_parser_advance(compiler);
    if (kr_parser_list(compiler, call, ')') == NULL)
      return NULL;
    return kr_parser_steps(compiler, call) ? call : NULL;
  }
  kr_node_type type = kr_str_equal(word.text, KR_STR("true"))    ? KR_NODE_TRUE
                      : kr_str_equal(word.text, KR_STR("false")) ? KR_NODE_FALSE
                                                                 : KR_NODE_NULL;
  if (type == KR_NODE_NULL && !kr_str_equal(word.text, KR_STR("null"))) {
    kr_report(compiler, KR_E_UNEXPECTED, word.offset, word.len,
              "\"%.*s\" is neither a function call nor a value", KR_FMT(word.text));
    kr_report_hint(compiler, "quote text: \"%.*s\"; data begins with $payload", KR_FMT(word.text));
    return NULL;
  }
  return kr_parser_node(compiler, type, word.offset, word.len);
}

kr_node *kr_parser_expression(kr_compiler *compiler) {
  kr_token token = compiler->token;
  if (token.type == KR_TOKEN_DOLLAR)
    return kr_parser_reference(compiler);
  if (token.type == KR_TOKEN_IDENT)
    return kr_parser_word(compiler);
  if (token.type == KR_TOKEN_STRING || token.type == KR_TOKEN_NUMBER) {
    kr_node *leaf =
        kr_parser_node(compiler, token.type == KR_TOKEN_STRING ? KR_NODE_STRING : KR_NODE_NUMBER,
                       token.offset, token.len);
    if (leaf == NULL)
      return NULL;
    leaf->text = token.text;
    kr_parser_advance(compiler);
    return leaf;
  }
  bool is_array = kr_parser_at(compiler, '[');
  if (!is_array && !kr_parser_at(compiler, '{'))
    return kr_parser_unexpected(compiler, "a value");
  kr_node *container =
      kr_parser_node(compiler, is_array ? KR_NODE_ARRAY : KR_NODE_OBJECT, token.offset, 1);
  if (container == NULL)
    return NULL;
  kr_parser_advance(compiler);
  return kr_parser_list(compiler, container, is_array ? ']' : '}');
}
