/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - decides between text and expression, and cuts text into chunks,
 * references and holes. Chunks are slices of the source, so that every byte of
 * them has a position; "$$" ends one chunk after its first dollar and begins
 * the next one after its second.
 */
#include "base/utf8.h"
#include "lang/parser.h"

static bool kr_text_is_alpha(int byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static int kr_text_byte(kr_str text, size_t offset) {
  return offset < text.len ? text.ptr[offset] : -1;
}

static bool kr_text_is_name_start(int byte) { return kr_text_is_alpha(byte) || byte == '_'; }

/* "[" ws int|string ws "]" at offset: the step and its end, or 0. */
static size_t kr_text_bracket(kr_compiler *compiler, size_t offset, kr_step *ret_step) {
  kr_lexer lexer = {.text = compiler->text, .next = offset + 1, .arena = &compiler->scratch};
  kr_token inner = kr_lexer_next(&lexer);
  kr_token close = kr_lexer_next(&lexer);
  *ret_step = (kr_step){0};
  if (close.type != KR_TOKEN_PUNCTUATION || close.byte != ']')
    return 0;
  if (inner.type == KR_TOKEN_STRING)
    ret_step->name = inner.text;
  else if (inner.type == KR_TOKEN_NUMBER && kr_parser_index(inner.text, &ret_step->index))
    ret_step->is_index = true;
  else
    return 0;
  return lexer.next;
}

/* The steps of a reference in text, as far as they go. */
static bool kr_text_steps(kr_compiler *compiler, kr_node *node, size_t *offset) {
  for (;;) {
    int byte = kr_text_byte(compiler->text, *offset);
    if (byte == '.' && kr_text_is_name_start(kr_text_byte(compiler->text, *offset + 1))) {
      size_t end = kr_parser_secret_end(compiler->text, *offset + 1);
      kr_step *step = kr_parser_new_step(compiler, node, *offset);
      if (step == NULL)
        return false;
      kr_parser_name_step(step, kr_str_slice(compiler->text, *offset + 1, end));
      *offset = end;
      continue;
    }
    kr_step step = {0};
    size_t end = byte == '[' ? kr_text_bracket(compiler, *offset, &step) : 0;
    if (end == 0)
      return true;
    if (!kr_parser_add_step(compiler, node, &step, *offset))
      return false;
    *offset = end;
  }
}

static kr_node *kr_text_secret(kr_compiler *compiler, kr_node *node, size_t *offset) {
  size_t start = *offset + 1;
  size_t end = kr_text_byte(compiler->text, *offset) == '.'
                   ? kr_parser_secret_end(compiler->text, start)
                   : start;
  if (end == start) {
    kr_report(compiler, KR_E_SECRET_STEP, node->offset, *offset - node->offset,
              "$secret takes one name: $secret.NAME");
    return NULL;
  }
  *offset = end;
  node->len = end - node->offset;
  kr_str name = kr_str_slice(compiler->text, start, end);
  return kr_parser_secret(compiler, node, name, start) ? node : NULL;
}

/*
 * The reference at a "$" before a letter. NULL with *offset unchanged: the
 * dollar is literal. NULL with *offset moved: an error was reported.
 */
static kr_node *kr_text_reference(kr_compiler *compiler, size_t *offset) {
  size_t start = *offset;
  size_t end = kr_parser_secret_end(compiler->text, start + 1);
  kr_str word = kr_str_slice(compiler->text, start + 1, end);
  uint8_t root = 0;
  if (!kr_parser_root(word, &root)) {
    int byte = kr_text_byte(compiler->text, end);
    bool is_path = byte == '[' ||
                   (byte == '.' && kr_text_is_name_start(kr_text_byte(compiler->text, end + 1)));
    if (is_path) {
      kr_parser_unknown_root(compiler, word, start);
      *offset = end;
    } else if (kr_parser_nearest_root(word) != NULL) {
      kr_report_lint(compiler, KR_E_LITERAL_DOLLAR, start, word.len + 1,
                     "$%.*s stays text; write $$ for a dollar sign", KR_FMT(word));
    } else {
      kr_report_lint(compiler, KR_E_LITERAL_DOLLAR, start, word.len + 1, "$%.*s stays text",
                     KR_FMT(word));
    }
    return NULL;
  }
  *offset = end;
  if (root == KR_ROOT_ITEM || root == KR_ROOT_INDEX) {
    kr_report(compiler, KR_E_OUTSIDE_ITEM, start, word.len + 1,
              "$%.*s has a meaning only inside map and filter", KR_FMT(word));
    return NULL;
  }
  kr_node *node = kr_parser_node(compiler, KR_NODE_REF, start, end - start);
  if (node == NULL)
    return NULL;
  node->root = root;
  if (root == KR_ROOT_SECRET)
    return kr_text_secret(compiler, node, offset);
  if (!kr_text_steps(compiler, node, offset))
    return NULL;
  node->len = *offset - start;
  return node;
}

/* After an error in a hole: go on behind its closing brace. */
static size_t kr_text_recover(kr_str text, size_t offset) {
  size_t close = kr_str_find(text, KR_STR("}"), offset);
  return close == SIZE_MAX ? text.len : close + 1;
}

static kr_node *kr_text_hole(kr_compiler *compiler, size_t *offset) {
  size_t start = *offset;
  kr_parser_start(compiler, start + 2);
  if (compiler->token.type == KR_TOKEN_END) {
    kr_report(compiler, KR_E_OPEN_HOLE, start, 2, "${ has no closing }");
    *offset = compiler->text.len;
    return NULL;
  }
  size_t first = compiler->token.offset;
  kr_node *node = kr_parser_expression(compiler);
  if (node != NULL && node->type != KR_NODE_REF && node->type != KR_NODE_CALL) {
    kr_report(compiler, KR_E_UNEXPECTED, node->offset, node->len,
              "${ } holds a reference or a call");
    node = NULL;
  } else if (node != NULL && compiler->token.type == KR_TOKEN_END) {
    kr_report(compiler, KR_E_OPEN_HOLE, start, 2, "${ has no closing }");
    node = NULL;
  } else if (node != NULL && !kr_parser_at(compiler, '}')) {
    node = kr_parser_unexpected(compiler, "}");
  }
  *offset = node != NULL ? compiler->token.offset + 1 : kr_text_recover(compiler->text, first);
  return node;
}

typedef struct kr_text_parts {
  kr_node list; /* children are the parts */
  size_t from;  /* start of the open chunk */
} kr_text_parts;

static void kr_text_close(kr_compiler *compiler, kr_text_parts *parts, size_t to) {
  if (to <= parts->from)
    return;
  kr_node *chunk = kr_parser_node(compiler, KR_NODE_CHUNK, parts->from, to - parts->from);
  if (chunk == NULL)
    return;
  chunk->text = kr_str_slice(compiler->text, parts->from, to);
  kr_parser_append(&parts->list, chunk);
}

static void kr_text_scan(kr_compiler *compiler, kr_field *field) {
  kr_text_parts parts = {0};
  size_t offset = 0;
  while (compiler->status == KR_OK && compiler->n_nodes <= KR_LIMIT_NODES) {
    const uint8_t *found = offset >= compiler->text.len ? NULL
                                                        : memchr(compiler->text.ptr + offset, '$',
                                                                 compiler->text.len - offset);
    if (found == NULL)
      break;
    offset = (size_t)(found - compiler->text.ptr);
    int after = kr_text_byte(compiler->text, offset + 1);
    size_t start = offset;
    kr_node *node = NULL;
    if (after == '$') {
      kr_text_close(compiler, &parts, offset + 1);
      offset += 2;
      parts.from = offset;
      continue;
    }
    if (after == '{')
      node = kr_text_hole(compiler, &offset);
    else if (kr_text_is_alpha(after))
      node = kr_text_reference(compiler, &offset);
    if (node == NULL && offset == start) {
      offset++;
      continue;
    }
    kr_text_close(compiler, &parts, start);
    parts.from = offset;
    if (node != NULL)
      kr_parser_append(&parts.list, node);
  }
  kr_text_close(compiler, &parts, compiler->text.len);
  field->parts = parts.list.first;
}

/* One expression from offset to the end of the field. */
static kr_node *kr_text_whole(kr_compiler *compiler, size_t offset) {
  kr_parser_start(compiler, offset);
  kr_node *node = kr_parser_expression(compiler);
  if (node != NULL && compiler->token.type != KR_TOKEN_END)
    return kr_parser_unexpected(compiler, "the end of the expression");
  return node;
}

/* The same, without reporting: does it parse to its end? */
static kr_node *kr_text_try(kr_compiler *compiler, size_t offset) {
  size_t n_nodes = compiler->n_nodes;
  compiler->mute++;
  kr_node *node = kr_text_whole(compiler, offset);
  compiler->mute--;
  compiler->n_nodes = n_nodes;
  return node;
}

/* Does the parenthesis at offset close with the last byte before end? */
static bool kr_text_closes(kr_str text, size_t offset, size_t end) {
  size_t depth = 0;
  for (size_t i = offset; i < end; i++) {
    if (text.ptr[i] == '(')
      depth++;
    else if (text.ptr[i] == ')' && --depth == 0)
      return i + 1 == end;
  }
  return false;
}

static bool kr_text_is_call(kr_compiler *compiler, size_t start, size_t end) {
  size_t open = kr_parser_secret_end(compiler->text, start);
  unsigned function = 0;
  if (open == start || !kr_text_is_name_start(compiler->text.ptr[start]) ||
      kr_text_byte(compiler->text, open) != '(')
    return false;
  kr_str name = kr_str_slice(compiler->text, start, open);
  return kr_function_find(name, &function) || kr_text_closes(compiler->text, open, end);
}

/* A reference that is the whole field, by the rules of text. */
static bool kr_text_is_reference(kr_compiler *compiler, size_t start, size_t end) {
  if (kr_text_byte(compiler->text, start) != '$' ||
      !kr_text_is_alpha(kr_text_byte(compiler->text, start + 1)))
    return false;
  size_t n_nodes = compiler->n_nodes;
  size_t offset = start;
  compiler->mute++;
  kr_node *node = kr_text_reference(compiler, &offset);
  compiler->mute--;
  compiler->n_nodes = n_nodes;
  return node != NULL && offset == end;
}

/* In the sink value a whole reference may have optional steps, and accessors on a secret. */
static bool kr_text_is_value_reference(kr_compiler *compiler, size_t start) {
  if (compiler->sink != KR_SINK_VALUE || kr_text_byte(compiler->text, start) != '$')
    return false;
  const kr_node *node = kr_text_try(compiler, start);
  if (node == NULL || node->type != KR_NODE_REF)
    return false;
  for (unsigned i = 0; node->root == KR_ROOT_SECRET && i < node->n_steps; i++)
    if (node->steps[i].accessor == KR_NO_ACCESSOR)
      return false;
  return true;
}

static bool kr_text_is_literal(kr_compiler *compiler, size_t start) {
  int byte = kr_text_byte(compiler->text, start);
  if (compiler->sink != KR_SINK_VALUE || (byte != '[' && byte != '{'))
    return false;
  if (kr_text_try(compiler, start) != NULL)
    return true;
  kr_report_lint(compiler, KR_E_BROKEN_LITERAL, start, 1,
                 "this is text, because it does not parse as an array or object");
  return false;
}

static bool kr_text_is_readable(kr_compiler *compiler) {
  if (compiler->text.len > KR_LIMIT_TEMPLATE_BYTES) {
    kr_report(compiler, KR_E_TEMPLATE_BYTES, KR_LIMIT_TEMPLATE_BYTES, 1,
              "the template has %zu bytes, more than %u", compiler->text.len,
              KR_LIMIT_TEMPLATE_BYTES);
    return false;
  }
  size_t bad = kr_utf8_check(compiler->text);
  if (bad == compiler->text.len)
    return true;
  kr_report(compiler, KR_E_NOT_UTF8, bad, 1, "the template is not UTF-8 at byte %zu", bad);
  return false;
}

bool kr_parse_field(kr_compiler *compiler, kr_field *field) {
  *field = (kr_field){0};
  size_t n_errors = compiler->diagnostics->n_errors;
  if (!kr_text_is_readable(compiler))
    return false;
  size_t start = 0;
  size_t end = compiler->text.len;
  while (start < end && strchr(" \t\r\n", compiler->text.ptr[start]) != NULL &&
         compiler->text.ptr[start] != '\0')
    start++;
  kr_str trimmed = kr_str_trim(compiler->text);
  end = start + trimmed.len;
  if (compiler->sink == KR_SINK_CONDITION) {
    if (start == end) /* an empty condition holds */
      field->expression = kr_parser_node(compiler, KR_NODE_TRUE, 0, 0);
    else
      field->expression = kr_text_whole(compiler, start);
  } else if (kr_text_is_call(compiler, start, end) || kr_text_is_value_reference(compiler, start) ||
             kr_text_is_literal(compiler, start)) {
    field->expression = kr_text_whole(compiler, start);
  } else if (kr_text_is_reference(compiler, start, end)) {
    size_t offset = start;
    field->expression = kr_text_reference(compiler, &offset);
  } else {
    kr_text_scan(compiler, field);
  }
  return compiler->status == KR_OK && compiler->diagnostics->n_errors == n_errors;
}
