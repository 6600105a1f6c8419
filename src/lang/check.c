/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - what can be known of an expression without data: functions and
 * their arguments, which secrets and which untrusted data reach each node, and
 * that no function sees a secret it must not see. Accessors on a secret become
 * calls here, so that one rule covers both spellings.
 */
#include "base/assert.h"
#include "lang/compiler.h"
#include "lang/parser.h"

static const kr_field_marks *kr_check_field_marks(kr_compiler *compiler, kr_str name) {
  for (size_t i = 0; i < compiler->options->n_fields; i++)
    if (kr_str_equal(compiler->options->fields[i].name, name))
      return &compiler->options->fields[i];
  return NULL;
}

static void kr_check_unknown_field(kr_compiler *compiler, const kr_node *node, kr_str name) {
  kr_report(compiler, KR_E_UNKNOWN_FIELD, node->offset, node->len,
            "there is no processed field \"%.*s\" before this one", KR_FMT(name));
  for (size_t i = 0; i < compiler->options->n_fields; i++)
    if (kr_str_distance(compiler->options->fields[i].name, name, 2) <= 2) {
      kr_report_hint(compiler, "did you mean $processed.%.*s?",
                     KR_FMT(compiler->options->fields[i].name));
      return;
    }
}

static void kr_check_processed(kr_compiler *compiler, kr_node *node) {
  node->is_untrusted = compiler->options->is_processed_open;
  if (node->n_steps == 0 || node->steps[0].is_index) {
    for (size_t i = 0; i < compiler->options->n_fields; i++) {
      node->secrets |= compiler->options->fields[i].secrets;
      node->is_untrusted |= compiler->options->fields[i].is_untrusted;
    }
    return;
  }
  const kr_field_marks *marks = kr_check_field_marks(compiler, node->steps[0].name);
  if (marks != NULL) {
    node->secrets = marks->secrets;
    node->is_untrusted = marks->is_untrusted;
  } else if (!compiler->options->is_processed_open) {
    kr_check_unknown_field(compiler, node, node->steps[0].name);
  }
}

static void kr_check_refuse_secret(kr_compiler *compiler, const kr_node *node, const char *name) {
  kr_report(compiler, KR_E_SECRET_ARGUMENT, node->offset, node->len,
            "%s must not be given a secret", name);
  kr_report_hint(compiler, "what it does would tell something about the value");
}

/* May a secret be passed here? *ret_decides: only because the organization allows decisions. */
static bool kr_check_takes_secret(const kr_compiler *compiler, const kr_function_info *row,
                                  unsigned index, unsigned n_args, bool *ret_decides) {
  if (kr_function_secret_ok(row, index, n_args))
    return true;
  bool decides = compiler->options->decide_on_secrets && kr_function_decides(row, index, n_args);
  *ret_decides |= decides;
  return decides;
}

/* Steps on what carries secrets: only accessors that may see them. */
static bool kr_check_secret_steps(kr_compiler *compiler, kr_node *node, unsigned from) {
  for (unsigned i = from; i < node->n_steps; i++) {
    const kr_step *step = &node->steps[i];
    if (step->accessor == KR_NO_ACCESSOR)
      continue;
    const kr_function_info *row = kr_function_row(step->accessor);
    if (!kr_check_takes_secret(compiler, row, 0, 1, &node->is_decided)) {
      kr_check_refuse_secret(compiler, node, row->name);
      return false;
    }
  }
  return true;
}

/* $secret.X.lowercase.base64 -> base64Encode(lowercase($secret.X)), in place. */
static void kr_check_secret_accessors(kr_compiler *compiler, kr_node *node) {
  unsigned n_steps = node->n_steps;
  const kr_step *steps = node->steps;
  bool is_decided = node->is_decided; /* before any step */
  for (unsigned i = 0; i < n_steps; i++)
    if (steps[i].accessor == KR_NO_ACCESSOR) {
      kr_report(compiler, KR_E_SECRET_STEP, node->offset, node->len,
                "a secret is one value and has no parts");
      return;
    }
  if (!kr_check_secret_steps(compiler, node, 0))
    return;
  node->n_steps = 0;
  node->steps = NULL;
  node->is_decided = is_decided;
  for (unsigned i = 0; i < n_steps; i++) {
    is_decided |= !kr_function_secret_ok(kr_function_row(steps[i].accessor), 0, 1);
    kr_node *inner = kr_parser_node(compiler, node->type, node->offset, node->len);
    if (inner == NULL)
      return;
    kr_node *next = node->next;
    *inner = *node;
    inner->next = NULL;
    *node = (kr_node){.type = KR_NODE_CALL,
                      .function = steps[i].accessor,
                      .offset = inner->offset,
                      .len = inner->len,
                      .secrets = inner->secrets,
                      .is_untrusted = inner->is_untrusted,
                      .is_decided = is_decided,
                      .next = next};
    kr_parser_append(node, inner);
  }
}

static void kr_check_item(kr_compiler *compiler, kr_node *node) {
  KR_ASSERT(compiler->n_items > 0);
  if (node->root == KR_ROOT_INDEX)
    return;
  node->secrets = compiler->items[compiler->n_items - 1].secrets;
  node->is_untrusted = compiler->items[compiler->n_items - 1].is_untrusted;
  node->is_decided = compiler->items[compiler->n_items - 1].is_decided;
  if (node->secrets != 0)
    (void)kr_check_secret_steps(compiler, node, 0);
}

static void kr_check_reference(kr_compiler *compiler, kr_node *node) {
  if (node->root == KR_ROOT_SECRET) {
    node->secrets = (kr_secret_set)1 << node->secret;
    kr_check_secret_accessors(compiler, node);
    return;
  }
  if (node->root == KR_ROOT_PROCESSED) {
    kr_check_processed(compiler, node);
    if (node->secrets != 0)
      (void)kr_check_secret_steps(compiler, node, 1);
    return;
  }
  if (node->root == KR_ROOT_ITEM || node->root == KR_ROOT_INDEX) {
    kr_check_item(compiler, node);
    return;
  }
  node->is_untrusted = true;
}

static char kr_check_type(const kr_node *node) {
  switch (node->type) {
  case KR_NODE_NULL:
    return '0';
  case KR_NODE_TRUE:
  case KR_NODE_FALSE:
    return 'b';
  case KR_NODE_NUMBER:
    return 'n';
  case KR_NODE_STRING:
    return 's';
  case KR_NODE_ARRAY:
    return 'l';
  case KR_NODE_OBJECT:
    return 'o';
  case KR_NODE_CALL:
    return node->n_steps == 0 && node->function < KR_FUNCTION_COUNT
               ? kr_function_row(node->function)->result
               : 'a';
  case KR_NODE_REF:
    return node->root == KR_ROOT_SECRET ? 's' : 'a';
  default:
    return 'a';
  }
}

static const char *kr_check_accepted(char param) {
  switch (param) {
  case 's':
    return "snba";
  case 'n':
  case 'i':
    return "na";
  case 'q':
    return "nla";
  case 'l':
    return "la";
  case 'o':
    return "oa";
  case 'c':
    return "sla";
  default:
    return "0bnsloa";
  }
}

const char *kr_check_param_name(char param) {
  switch (param) {
  case 's':
    return "a string";
  case 'n':
    return "a number";
  case 'i':
    return "an integer";
  case 'q':
    return "a number or an array";
  case 'l':
    return "an array";
  case 'o':
    return "an object";
  case 'c':
    return "a string or an array";
  case 'p':
    return "a quoted pattern";
  default:
    return "a value";
  }
}

static bool kr_check_arity(kr_compiler *compiler, const kr_node *node,
                           const kr_function_info *row) {
  unsigned n = node->n_children;
  bool is_paired = node->function == KR_FUNCTION_SWITCH || node->function == KR_FUNCTION_OBJECT;
  if (n >= row->min_args && n <= row->max_args && !(is_paired && n % 2 != 0))
    return true;
  if (is_paired)
    kr_report(compiler, KR_E_ARITY, node->offset, node->len,
              "%s takes an even number of arguments from %u, not %u", row->name, row->min_args, n);
  else if (row->min_args == row->max_args)
    kr_report(compiler, KR_E_ARITY, node->offset, node->len, "%s takes %u argument%s, not %u",
              row->name, row->min_args, row->min_args == 1 ? "" : "s", n);
  else
    kr_report(compiler, KR_E_ARITY, node->offset, node->len, "%s takes %u to %u arguments, not %u",
              row->name, row->min_args, row->max_args, n);
  return false;
}

/* Reports; false when a secret was refused: then the result counts as free of secrets. */
static bool kr_check_arguments(kr_compiler *compiler, kr_node *node, const kr_function_info *row) {
  bool is_good = true;
  unsigned index = 0;
  for (const kr_node *arg = node->first; arg != NULL; arg = arg->next, index++) {
    char param = kr_function_param(row, index, node->n_children);
    if (arg->secrets != 0 &&
        !kr_check_takes_secret(compiler, row, index, node->n_children, &node->is_decided)) {
      kr_check_refuse_secret(compiler, arg, row->name);
      is_good = false;
    } else if (strchr(kr_check_accepted(param), kr_check_type(arg)) == NULL) {
      kr_report(compiler, KR_E_TYPE, arg->offset, arg->len, "argument %u of %s must be %s",
                index + 1, row->name, kr_check_param_name(param));
    }
  }
  return is_good;
}

static bool kr_check_is_each(const kr_node *node) {
  return node->type == KR_NODE_CALL && kr_function_is_each(node->function);
}

/* $item carries the marks of its array; the parser saw to it that there is room. */
static void kr_check_enter(kr_compiler *compiler, const kr_node *array) {
  KR_ASSERT(compiler->n_items < KR_LIMIT_ITEM_NESTING);
  compiler->items[compiler->n_items++] = (kr_item_marks){.secrets = array->secrets,
                                                         .is_untrusted = array->is_untrusted,
                                                         .is_decided = array->is_decided};
}

static void kr_check_children(kr_compiler *compiler, kr_node *node) {
  for (kr_node *child = node->first; child != NULL; child = child->next) {
    bool is_body = child != node->first && kr_check_is_each(node);
    if (is_body)
      kr_check_enter(compiler, node->first);
    kr_check_node(compiler, child);
    compiler->n_items -= is_body;
    node->secrets |= child->secrets;
    node->is_untrusted |= child->is_untrusted;
    node->is_decided |= child->is_decided;
    if (child->type == KR_NODE_CALL && child->function < KR_FUNCTION_COUNT &&
        kr_function_row(child->function)->marks == KR_MARKS_ESCAPER)
      kr_report(compiler, KR_E_ESCAPER_PLACE, child->offset, child->len,
                "%s must be the outermost call of its place",
                kr_function_row(child->function)->name);
  }
}

bool kr_check_is_scalar(const kr_node *node) { return strchr("snb", kr_check_type(node)) != NULL; }

static void kr_check_call(kr_compiler *compiler, kr_node *node) {
  size_t n_errors = compiler->diagnostics->n_errors;
  kr_check_children(compiler, node);
  if (node->function >= KR_FUNCTION_COUNT)
    return; /* reported by the parser */
  const kr_function_info *row = kr_function_row(node->function);
  if (!kr_check_arity(compiler, node, row))
    return;
  if (!kr_check_arguments(compiler, node, row))
    node->secrets = 0; /* one report is enough */
  else if (row->params[0] == 'p')
    kr_check_pattern(compiler, node);
  if (compiler->diagnostics->n_errors == n_errors)
    kr_fold_call(compiler, node);
  if (node->secrets == 0 || node->n_steps == 0)
    return;
  for (unsigned i = 0; i < node->n_steps; i++)
    if (node->steps[i].accessor == KR_NO_ACCESSOR) {
      kr_report(compiler, KR_E_SECRET_STEP, node->offset, node->len,
                "a step into what is made from a secret");
      return;
    }
  kr_check_secret_accessors(compiler, node);
}

static bool kr_check_is_choice(const kr_node *node, const kr_node *child) {
  if (kr_node_calls(node, KR_FUNCTION_IF))
    return child != node->first;
  unsigned index = 0;
  for (const kr_node *arg = node->first; arg != child; arg = arg->next)
    index++;
  return kr_node_calls(node, KR_FUNCTION_SWITCH) && index > 0 &&
         (index % 2 == 0 || child->next == NULL);
}

static void kr_check_bare_node(kr_compiler *compiler, const kr_node *node, bool is_chosen) {
  char type = kr_check_type(node);
  bool is_fact = node->is_decided && (type == 'b' || type == 'n');
  if (is_fact || (is_chosen && type != 's' && type != 'a')) {
    kr_report(compiler, KR_E_SECRET_BARE, node->offset, node->len,
              "what is decided on a secret must be a text here");
    kr_report_hint(compiler, "toString() makes it one, which can be redacted");
    return;
  }
  bool is_container = node->type == KR_NODE_ARRAY || node->type == KR_NODE_OBJECT;
  for (const kr_node *child = node->first; child != NULL; child = child->next)
    if (is_container)
      kr_check_bare_node(compiler, child, false);
    else if (node->type == KR_NODE_CALL && kr_check_is_choice(node, child))
      kr_check_bare_node(compiler, child, is_chosen || node->first->secrets != 0);
}

void kr_check_bare(kr_compiler *compiler, const kr_node *hole) {
  bool is_json = hole->context == KR_CONTEXT_JSON_VALUE || hole->context == KR_CONTEXT_VALUE;
  if (hole->is_decided && is_json && compiler->sink != KR_SINK_CONDITION)
    kr_check_bare_node(compiler, hole, false);
}

static void kr_check_string(kr_compiler *compiler, const kr_node *node) {
  static const char *const roots[] = {"$secret.", "$payload.", "$lookup.", "$processed."};
  for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
    if (kr_str_find(node->text, kr_str_cstr(roots[i]), 0) != SIZE_MAX) {
      kr_report_lint(compiler, KR_E_QUOTED_REFERENCE, node->offset, node->len,
                     "a reference in quotes is not expanded");
      kr_report_hint(compiler, "use concat(\"...\", $payload.x)");
      return;
    }
}

void kr_check_node(kr_compiler *compiler, kr_node *node) {
  switch (node->type) {
  case KR_NODE_REF:
    kr_check_reference(compiler, node);
    return;
  case KR_NODE_CALL:
    kr_check_call(compiler, node);
    return;
  case KR_NODE_ARRAY:
  case KR_NODE_OBJECT:
    kr_check_children(compiler, node);
    break;
  case KR_NODE_STRING:
    kr_check_string(compiler, node);
    break;
  default:
    break;
  }
  kr_fold_literal(compiler, node);
}
