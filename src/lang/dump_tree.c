/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump_tree.c - what the first stages made of a template, as text: the tokens,
 * one per line, and the tree, two blanks per level.
 *
 *   text                              call concat <header value>
 *     chunk "Order "                    string "Bearer "
 *     reference $payload.id <text>      secret CRM_API_KEY
 *
 * Holds what the template says: literals, names of data and of secrets; no value.
 */
#include "lang/parser.h"

static kr_status kr_dump_quoted(kr_str text, kr_buf *out) {
  kr_json string = kr_json_string(text);
  KR_TRY(kr_buf_byte(out, ' '));
  return kr_json_write(&string, out);
}

static kr_status kr_dump_token_line(kr_compiler *compiler, const char *word, size_t offset,
                                    size_t len, kr_buf *out) {
  KR_TRY(kr_buf_printf(out, "%4zu  %-11s", offset, word));
  KR_TRY(kr_dump_quoted(kr_str_slice(compiler->text, offset, offset + len), out));
  return kr_buf_byte(out, '\n');
}

static const char *kr_dump_token_word(kr_token_type type) {
  static const char *const words[] = {
      [KR_TOKEN_END] = "end",       [KR_TOKEN_IDENT] = "name",    [KR_TOKEN_DOLLAR] = "root",
      [KR_TOKEN_STRING] = "string", [KR_TOKEN_NUMBER] = "number", [KR_TOKEN_PUNCTUATION] = "mark",
      [KR_TOKEN_ERROR] = "error"};
  return words[type];
}

/* The tokens of one expression; a secret's name is a word of its own, as in the parser. */
static kr_status kr_dump_tokens_of(kr_compiler *compiler, const kr_node *node, kr_buf *out) {
  size_t end = node->offset + node->len;
  kr_lexer lexer = {.text = compiler->text, .next = node->offset, .arena = &compiler->scratch};
  bool is_secret = false;
  while (lexer.next < end) {
    kr_token token = kr_lexer_next(&lexer);
    if (token.type == KR_TOKEN_END || token.type == KR_TOKEN_ERROR || token.offset >= end)
      break;
    KR_TRY(
        kr_dump_token_line(compiler, kr_dump_token_word(token.type), token.offset, token.len, out));
    if (is_secret) {
      size_t name = lexer.next;
      lexer.next = kr_parser_secret_end(compiler->text, name);
      KR_TRY(kr_dump_token_line(compiler, "name", name, lexer.next - name, out));
    }
    is_secret = token.type == KR_TOKEN_DOLLAR && kr_str_equal(token.text, KR_STR("secret"));
  }
  return lexer.status;
}

kr_status kr_dump_tokens(kr_compiler *compiler, const kr_field *field, kr_buf *out) {
  if (field->expression != NULL)
    return kr_dump_tokens_of(compiler, field->expression, out);
  for (const kr_node *node = field->parts; node != NULL; node = node->next) {
    if (node->type == KR_NODE_CHUNK)
      KR_TRY(kr_dump_token_line(compiler, "text", node->offset, node->len, out));
    else
      KR_TRY(kr_dump_tokens_of(compiler, node, out));
  }
  return KR_OK;
}

static kr_status kr_dump_steps(const kr_node *node, kr_buf *out) {
  for (unsigned i = 0; i < node->n_steps; i++)
    KR_TRY(kr_step_write(&node->steps[i], out));
  return KR_OK;
}

static kr_status kr_dump_node_head(const kr_node *node, kr_buf *out) {
  switch (node->type) {
  case KR_NODE_NULL:
    return kr_buf_append(out, KR_STR("null"));
  case KR_NODE_TRUE:
    return kr_buf_append(out, KR_STR("true"));
  case KR_NODE_FALSE:
    return kr_buf_append(out, KR_STR("false"));
  case KR_NODE_NUMBER:
    return kr_buf_printf(out, "number %.*s", KR_FMT(node->text));
  case KR_NODE_STRING:
    KR_TRY(kr_buf_append(out, KR_STR("string")));
    return kr_dump_quoted(node->text, out);
  case KR_NODE_CHUNK:
    KR_TRY(kr_buf_append(out, KR_STR("chunk")));
    return kr_dump_quoted(node->literal, out);
  case KR_NODE_REF:
    if (node->root == KR_ROOT_SECRET)
      return kr_buf_printf(out, "secret %.*s", KR_FMT(node->text));
    KR_TRY(kr_buf_printf(out, "reference $%s", kr_root_name(node->root)));
    return kr_dump_steps(node, out);
  case KR_NODE_CALL:
    KR_TRY(kr_buf_printf(out, "call %s", kr_function_row(node->function)->name));
    return node->n_steps == 0 ? KR_OK : kr_dump_steps(node, out);
  case KR_NODE_ARRAY:
    return kr_buf_append(out, KR_STR("array"));
  case KR_NODE_OBJECT:
    return kr_buf_append(out, KR_STR("object"));
  }
  return KR_INTERNAL;
}

/* Recursion is bounded by KR_LIMIT_NESTING. */
static kr_status kr_dump_node(const kr_node *node, unsigned depth, bool is_placed, kr_buf *out) {
  KR_TRY(kr_buf_printf(out, "%*s", (int)(2 * depth), ""));
  KR_TRY(kr_dump_node_head(node, out));
  if (is_placed && node->type != KR_NODE_CHUNK)
    KR_TRY(kr_buf_printf(out, " <%s>", kr_context_name(node->context)));
  KR_TRY(kr_buf_byte(out, '\n'));
  for (const kr_node *child = node->first; child != NULL; child = child->next)
    KR_TRY(kr_dump_node(child, depth + 1, false, out));
  return KR_OK;
}

kr_status kr_dump_tree(const kr_field *field, kr_buf *out) {
  if (field->expression != NULL)
    return kr_dump_node(field->expression, 0, true, out);
  KR_TRY(kr_buf_append(out, KR_STR("text\n")));
  for (const kr_node *node = field->parts; node != NULL; node = node->next)
    KR_TRY(kr_dump_node(node, 1, true, out));
  return KR_OK;
}
