/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.c - a parsed field as template text again, with one form for all
 * spellings of the same tree:
 *
 *   text        literal bytes, "$$" for a dollar; every reference and call as "${...}"
 *   expression  one blank after "," and ":", no trailing comma, no blanks elsewhere
 *   strings     double quotes, escapes as in JSON; steps as .name where a name is possible
 *
 * Parsing what was printed gives the same tree, but for chunks that "$$" had
 * cut in two. Holds what the template says, no value.
 */
#include "lang/parser.h"

static kr_status kr_print_string(kr_str text, kr_buf *out) {
  kr_json string = kr_json_string(text);
  return kr_json_write(&string, out);
}

static bool kr_print_is_name(kr_str name) {
  bool is_digit = name.len > 0 && name.ptr[0] >= '0' && name.ptr[0] <= '9';
  return name.len > 0 && !is_digit && kr_parser_secret_end(name, 0) == name.len;
}

static kr_status kr_print_steps(const kr_node *node, kr_buf *out) {
  for (unsigned i = 0; i < node->n_steps; i++) {
    const kr_step *step = &node->steps[i];
    if (step->is_index) {
      KR_TRY(kr_buf_printf(out, "[%lld]", (long long)step->index));
    } else if (kr_print_is_name(step->name)) {
      KR_TRY(kr_buf_byte(out, '.'));
      KR_TRY(kr_buf_append(out, step->name));
    } else {
      KR_TRY(kr_buf_byte(out, '['));
      KR_TRY(kr_print_string(step->name, out));
      KR_TRY(kr_buf_byte(out, ']'));
    }
    if (step->is_optional)
      KR_TRY(kr_buf_byte(out, '?'));
  }
  return KR_OK;
}

static kr_status kr_print_reference(const kr_node *node, kr_buf *out) {
  KR_TRY(kr_buf_printf(out, "$%s", kr_root_name(node->root)));
  if (node->root == KR_ROOT_SECRET)
    KR_TRY(kr_buf_printf(out, ".%.*s", KR_FMT(node->text)));
  return kr_print_steps(node, out);
}

static kr_status kr_print_expression(const kr_node *node, kr_buf *out);

/* Children between the brackets of their parent; in an object a key is followed by ":". */
static kr_status kr_print_list(const kr_node *node, const char *brackets, kr_buf *out) {
  bool is_object = node->type == KR_NODE_OBJECT;
  unsigned index = 0;
  KR_TRY(kr_buf_byte(out, (uint8_t)brackets[0]));
  for (const kr_node *child = node->first; child != NULL; child = child->next, index++) {
    if (index > 0)
      KR_TRY(kr_buf_append(out, is_object && index % 2 == 1 ? KR_STR(": ") : KR_STR(", ")));
    KR_TRY(kr_print_expression(child, out));
  }
  return kr_buf_byte(out, (uint8_t)brackets[1]);
}

/* Recursion is bounded by KR_LIMIT_NESTING. */
static kr_status kr_print_expression(const kr_node *node, kr_buf *out) {
  switch (node->type) {
  case KR_NODE_NULL:
    return kr_buf_append(out, KR_STR("null"));
  case KR_NODE_TRUE:
    return kr_buf_append(out, KR_STR("true"));
  case KR_NODE_FALSE:
    return kr_buf_append(out, KR_STR("false"));
  case KR_NODE_NUMBER:
    return kr_buf_append(out, node->text);
  case KR_NODE_STRING:
  case KR_NODE_CHUNK:
    return kr_print_string(node->text, out);
  case KR_NODE_REF:
    return kr_print_reference(node, out);
  case KR_NODE_CALL:
    KR_TRY(kr_buf_append(out, kr_str_cstr(kr_function_row(node->function)->name)));
    KR_TRY(kr_print_list(node, "()", out));
    return kr_print_steps(node, out);
  case KR_NODE_ARRAY:
    return kr_print_list(node, "[]", out);
  case KR_NODE_OBJECT:
    return kr_print_list(node, "{}", out);
  }
  return KR_INTERNAL;
}

static kr_status kr_print_chunk(kr_str text, kr_buf *out) {
  for (size_t at = 0; at < text.len; at++) {
    if (text.ptr[at] == '$')
      KR_TRY(kr_buf_byte(out, '$'));
    KR_TRY(kr_buf_byte(out, text.ptr[at]));
  }
  return KR_OK;
}

/*
 * Text that begins with "name(" is text only because its parentheses do not
 * close at its end, those in quoted strings counted (text.c): there holes stay
 * as they were written.
 */
static bool kr_print_is_call_like(kr_str text) {
  kr_str rest = kr_str_trim(text);
  size_t end = kr_parser_secret_end(rest, 0);
  return end > 0 && end < rest.len && rest.ptr[end] == '(';
}

kr_status kr_lang_print(const kr_compiler *compiler, const kr_field *field, kr_buf *out) {
  if (field->expression != NULL)
    return kr_print_expression(field->expression, out);
  bool is_call_like = kr_print_is_call_like(compiler->text);
  for (const kr_node *node = field->parts; node != NULL; node = node->next) {
    if (node->type == KR_NODE_CHUNK) {
      KR_TRY(kr_print_chunk(node->text, out));
      continue;
    }
    KR_TRY(kr_buf_append(out, KR_STR("${")));
    if (is_call_like)
      KR_TRY(
          kr_buf_append(out, kr_str_slice(compiler->text, node->offset, node->offset + node->len)));
    else
      KR_TRY(kr_print_expression(node, out));
    KR_TRY(kr_buf_byte(out, '}'));
  }
  return KR_OK;
}
