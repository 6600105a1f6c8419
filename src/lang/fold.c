/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold.c - what literals alone say is evaluated here, once: a call of a pure
 * function becomes its result, and if, switch, and, or, default, coalesce
 * become the argument they always come to. The tree stays as it was written;
 * a node only gains its `constant` or `chosen`, which emit.c uses. What always
 * fails is an error of the template, at the place where it stands.
 *
 * A call is evaluated by the VM itself, through options->evaluator, as a
 * program of its own: constants, the call, its steps. So the result is that of
 * a render by construction. Limits: KR_LIMIT_FOLD_BYTES, KR_LIMIT_FOLD_FUEL;
 * what is beyond them is left to the render.
 */
#include "base/assert.h"
#include "lang/compiler.h"

#define KR_FOLD_CODE_MAX (KR_LIMIT_ARGUMENTS + KR_LIMIT_PATH_STEPS + 3u)

/* A program made of constants. */
typedef struct kr_fold {
  kr_instruction code[KR_FOLD_CODE_MAX];
  kr_position positions[KR_FOLD_CODE_MAX];
  kr_json constants[KR_LIMIT_ARGUMENTS];
  kr_str source;
  kr_program program;
} kr_fold;

static bool kr_fold_begin(kr_compiler *compiler) {
  const kr_evaluator *evaluator = compiler->options->evaluator;
  if (evaluator == NULL || compiler->status != KR_OK || compiler->fold_fuel == 0)
    return false;
  if (compiler->evaluation == NULL)
    compiler->evaluation = evaluator->begin();
  if (compiler->evaluation == NULL)
    compiler->status = KR_NOMEM;
  return compiler->evaluation != NULL;
}

static void kr_fold_start(kr_compiler *compiler, kr_fold *fold) {
  fold->source = kr_str_cstr(compiler->source);
  fold->program = (kr_program){
      .missing = compiler->program->missing,
      .code = fold->code,
      .positions = fold->positions,
      .constants = fold->constants,
      .sources = &fold->source,
      .n_sources = 1,
      .patterns = (const kr_pattern *)(const void *)compiler->patterns.ptr,
      .n_patterns = (uint32_t)(compiler->patterns.len / sizeof(kr_pattern)),
  };
}

static void kr_fold_put(kr_fold *fold, kr_opcode op, unsigned a, unsigned b, uint32_t c) {
  KR_ASSERT(fold->program.n_code < KR_FOLD_CODE_MAX);
  uint32_t at = fold->program.n_code++;
  fold->code[at] = (kr_instruction){.op = (uint8_t)op, .a = (uint8_t)a, .b = (uint16_t)b, .c = c};
  fold->positions[at] = (kr_position){0};
}

static void kr_fold_constant(kr_fold *fold, const kr_json *constant) {
  KR_ASSERT(constant != NULL);
  kr_fold_put(fold, KR_OP_CONSTANT, 0, 0, fold->program.n_constants);
  fold->constants[fold->program.n_constants++] = *constant;
}

/* Run it; *ret_failed with the error when it can never succeed. */
static const kr_json *kr_fold_run(kr_compiler *compiler, kr_fold *fold, kr_error *error,
                                  bool *ret_failed) {
  const kr_json *json = NULL;
  const kr_evaluator *evaluator = compiler->options->evaluator;
  fold->program.sink = KR_SINK_CONDITION;
  kr_fold_put(fold, KR_OP_RETURN, 0, 0, 0);
  kr_fold_put(fold, KR_OP_HALT, 0, 0, 0);
  kr_status status = kr_program_verify(&fold->program, error);
  if (status == KR_OK)
    status = evaluator->value(compiler->evaluation, &fold->program, &compiler->fold_fuel,
                              &compiler->scratch, &json, error);
  if (status == KR_NOMEM || status == KR_INTERNAL)
    compiler->status = status;
  *ret_failed = status == KR_INVALID || (status == KR_MISSING && error->code == KR_E_ZONE);
  return status == KR_OK ? json : NULL;
}

static void kr_fold_report(kr_compiler *compiler, const kr_node *node, const kr_error *error) {
  kr_report(compiler, (kr_code)error->code, node->offset, node->len, "%s", error->message);
  if (error->hint[0] != '\0')
    kr_report_hint(compiler, "%s", error->hint);
}

bool kr_fold_truth(const kr_json *constant) {
  switch ((kr_json_type)constant->type) {
  case KR_JSON_NULL:
  case KR_JSON_FALSE:
    return false;
  case KR_JSON_TRUE:
    return true;
  case KR_JSON_NUMBER:
    for (uint32_t i = 0; i < constant->count && (constant->text[i] | 0x20) != 'e'; i++)
      if (constant->text[i] >= '1' && constant->text[i] <= '9')
        return true;
    return false;
  default:
    return constant->count > 0;
  }
}

static kr_json *kr_fold_new(kr_compiler *compiler, size_t count, size_t size) {
  kr_json *memory = kr_arena_calloc(&compiler->scratch, count == 0 ? 1 : count, size);
  if (memory == NULL && compiler->status == KR_OK)
    compiler->status = kr_arena_why(&compiler->scratch);
  return memory;
}

static void kr_fold_set(kr_compiler *compiler, kr_node *node, kr_json_type type, kr_str text) {
  kr_json *json = kr_fold_new(compiler, 1, sizeof(kr_json));
  if (json == NULL)
    return;
  *json = (kr_json){.type = (uint8_t)type, .count = (uint32_t)text.len};
  if (type == KR_JSON_STRING || type == KR_JSON_NUMBER)
    json->text = text.ptr;
  node->constant = json;
}

/* An array or object of constants is one. */
static void kr_fold_container(kr_compiler *compiler, kr_node *node) {
  bool is_array = node->type == KR_NODE_ARRAY;
  uint32_t count = is_array ? node->n_children : node->n_children / 2;
  for (const kr_node *child = node->first; child != NULL; child = child->next)
    if (child->constant == NULL)
      return;
  kr_json *json = kr_fold_new(compiler, 1, sizeof(kr_json));
  void *memory = kr_fold_new(compiler, count, is_array ? sizeof(kr_json) : sizeof(kr_json_member));
  if (json == NULL || memory == NULL)
    return;
  kr_json *items = memory;
  kr_json_member *members = memory;
  uint32_t at = 0;
  for (const kr_node *child = node->first; child != NULL; child = child->next, at++) {
    if (is_array)
      items[at] = *child->constant;
    else if (at % 2 == 0)
      members[at / 2].key = *child->constant;
    else
      members[at / 2].value = *child->constant;
  }
  *json = (kr_json){.type = is_array ? KR_JSON_ARRAY : KR_JSON_OBJECT, .count = count};
  if (is_array)
    json->items = items;
  else
    json->members = members;
  node->constant = json;
}

void kr_fold_literal(kr_compiler *compiler, kr_node *node) {
  if (compiler->options->evaluator == NULL || compiler->status != KR_OK)
    return;
  switch (node->type) {
  case KR_NODE_NULL:
    kr_fold_set(compiler, node, KR_JSON_NULL, (kr_str){0});
    return;
  case KR_NODE_TRUE:
    kr_fold_set(compiler, node, KR_JSON_TRUE, (kr_str){0});
    return;
  case KR_NODE_FALSE:
    kr_fold_set(compiler, node, KR_JSON_FALSE, (kr_str){0});
    return;
  case KR_NODE_NUMBER:
    kr_fold_set(compiler, node, KR_JSON_NUMBER, node->text);
    return;
  case KR_NODE_STRING:
    kr_fold_set(compiler, node, KR_JSON_STRING, node->text);
    return;
  case KR_NODE_ARRAY:
  case KR_NODE_OBJECT:
    kr_fold_container(compiler, node);
    return;
  default:
    return;
  }
}

static bool kr_fold_equal(kr_compiler *compiler, const kr_json *a, const kr_json *b) {
  kr_fold fold;
  kr_error error = {0};
  bool is_failed = false;
  if (!kr_fold_begin(compiler))
    return false;
  kr_fold_start(compiler, &fold);
  kr_fold_constant(&fold, a);
  kr_fold_constant(&fold, b);
  kr_fold_put(&fold, KR_OP_CALL, KR_FUNCTION_EQUALS, 2, 0);
  const kr_json *json = kr_fold_run(compiler, &fold, &error, &is_failed);
  return json != NULL && json->type == KR_JSON_TRUE;
}

/* A case that equals a constant subject, while those before it are constants that do not. */
static const kr_node *kr_fold_switch(kr_compiler *compiler, const kr_node *node) {
  const kr_node *key = node->first->next;
  for (; key->next != NULL; key = key->next->next) {
    if (node->first->constant == NULL || key->constant == NULL)
      return NULL;
    if (kr_fold_equal(compiler, node->first->constant, key->constant))
      return key->next;
  }
  return node->first->constant == NULL ? NULL : key;
}

/* The first that is not null; all before it are. The last one stands for what it is. */
static const kr_node *kr_fold_settled(const kr_node *node) {
  for (const kr_node *arg = node->first; arg != NULL; arg = arg->next) {
    bool is_last_default = arg->next == NULL && node->function == KR_FUNCTION_DEFAULT;
    if (is_last_default || (arg->constant != NULL && arg->constant->type != KR_JSON_NULL))
      return arg;
    if (arg->constant == NULL || arg->next == NULL)
      return arg->constant == NULL ? NULL : arg;
  }
  return NULL;
}

/* and, or: decided by a constant when only constants stand before it. */
static void kr_fold_and_or(kr_compiler *compiler, kr_node *node) {
  bool is_and = node->function == KR_FUNCTION_AND;
  bool truth = is_and;
  for (const kr_node *arg = node->first; arg != NULL && truth == is_and; arg = arg->next) {
    if (arg->constant == NULL)
      return;
    truth = kr_fold_truth(arg->constant);
  }
  kr_fold_set(compiler, node, truth ? KR_JSON_TRUE : KR_JSON_FALSE, (kr_str){0});
}

/*
 * Steps after a lazy call are left to the render. Where secrets take part all
 * stays as it is: marks and guards of a choice cover what was not chosen too.
 */
static void kr_fold_lazy(kr_compiler *compiler, kr_node *node) {
  const kr_node *first = node->first;
  if (node->secrets != 0)
    return;
  switch (node->function) {
  case KR_FUNCTION_AND:
  case KR_FUNCTION_OR:
    if (node->n_steps == 0)
      kr_fold_and_or(compiler, node);
    return;
  case KR_FUNCTION_IF:
    if (first->constant != NULL)
      node->chosen = kr_fold_truth(first->constant) ? first->next : first->next->next;
    break;
  case KR_FUNCTION_SWITCH:
    node->chosen = kr_fold_switch(compiler, node);
    break;
  case KR_FUNCTION_DEFAULT:
  case KR_FUNCTION_COALESCE:
    node->chosen = kr_fold_settled(node);
    break;
  default:
    return;
  }
  if (node->chosen != NULL && node->n_steps == 0)
    node->constant = node->chosen->constant;
}

/*
 * Some arguments are wrong whatever the others are: a date format, a time
 * zone, a unit, a divisor of zero. Such a literal is tried with harmless
 * samples in the place of the other arguments; it is an error when it fails
 * with all samples of its function.
 */
#define KR_FOLD_SAMPLES 4u
#define KR_FOLD_DATE "2000-01-01T00:00:00Z"
static const struct {
  uint8_t function;
  const char *samples[KR_FOLD_SAMPLES];
} kr_fold_trials[] = {
    {KR_FUNCTION_FORMAT_DATE, {KR_FOLD_DATE, "", "UTC"}},
    {KR_FUNCTION_ADD_DURATION, {KR_FOLD_DATE, "P0D"}},
    {KR_FUNCTION_DATE_DIFF, {KR_FOLD_DATE, KR_FOLD_DATE, "days"}},
    {KR_FUNCTION_TO_UNIX, {KR_FOLD_DATE, "seconds"}},
    {KR_FUNCTION_FROM_UNIX, {"0", "seconds"}},
    {KR_FUNCTION_FROM_UNIX, {"0", "milliseconds"}},
    {KR_FUNCTION_HMAC_SHA256, {"", "", "hex"}},
    {KR_FUNCTION_BASIC_AUTH, {"", ""}},
    {KR_FUNCTION_REPLACE, {"x", "", ""}},
    {KR_FUNCTION_SUBSTRING, {"", "0", "0"}},
    {KR_FUNCTION_PAD_START, {"", "0", " "}},
    {KR_FUNCTION_PAD_END, {"", "0", " "}},
    {KR_FUNCTION_REPEAT, {"", "0"}},
    {KR_FUNCTION_TRUNCATE, {"", "0", ""}},
    {KR_FUNCTION_BEFORE, {"", "x"}},
    {KR_FUNCTION_AFTER, {"", "x"}},
    {KR_FUNCTION_DIVIDE, {"1", "1"}},
    {KR_FUNCTION_MODULO, {"1", "1"}},
    {KR_FUNCTION_ROUND, {"0", "0"}},
    {KR_FUNCTION_FORMAT_NUMBER, {"0", "0", ".", ""}},
};

static kr_json kr_fold_sample(const char *text, char param) {
  kr_json json = kr_json_string(kr_str_cstr(text));
  if (param == 'n' || param == 'i')
    json.type = KR_JSON_NUMBER;
  return json;
}

/* Does the call fail with samples in the place of all arguments but this one? */
static bool kr_fold_fails(kr_compiler *compiler, const kr_node *node, const kr_node *literal,
                          const char *const samples[KR_FOLD_SAMPLES], kr_error *error) {
  kr_fold fold;
  const kr_function_info *row = kr_function_row(node->function);
  bool is_failed = false;
  unsigned index = 0;
  if (!kr_fold_begin(compiler))
    return false;
  kr_fold_start(compiler, &fold);
  for (const kr_node *arg = node->first; arg != NULL; arg = arg->next, index++) {
    kr_json sample =
        kr_fold_sample(samples[index], kr_function_param(row, index, node->n_children));
    kr_fold_constant(&fold, arg == literal ? arg->constant : &sample);
  }
  kr_fold_put(&fold, KR_OP_CALL, node->function, node->n_children, 0);
  (void)kr_fold_run(compiler, &fold, error, &is_failed);
  return is_failed;
}

static void kr_fold_try_literal(kr_compiler *compiler, const kr_node *node,
                                const kr_node *literal) {
  kr_error error = {0};
  bool is_failed = false;
  for (size_t i = 0; i < sizeof(kr_fold_trials) / sizeof(kr_fold_trials[0]); i++) {
    if (kr_fold_trials[i].function != node->function)
      continue;
    if (!kr_fold_fails(compiler, node, literal, kr_fold_trials[i].samples, &error))
      return;
    is_failed = true;
  }
  /* a good duration may lead out of the calendar from one date and not from another: that has no
   * hint */
  if (node->function == KR_FUNCTION_ADD_DURATION && error.hint[0] == '\0')
    return;
  if (is_failed)
    kr_fold_report(compiler, literal, &error);
}

/* A format that reads dates must have known directives only, and name a year. */
static void kr_fold_try_format(kr_compiler *compiler, const kr_node *format) {
  static const char *const samples[KR_FOLD_SAMPLES] = {KR_FOLD_DATE, ""};
  kr_error error = {0};
  kr_node print = {.type = KR_NODE_CALL, .function = KR_FUNCTION_FORMAT_DATE, .n_children = 2};
  kr_node date = {.type = KR_NODE_STRING};
  kr_node copy = *format;
  copy.next = NULL;
  print.first = &date;
  date.next = &copy;
  if (kr_fold_fails(compiler, &print, &copy, samples, &error)) {
    kr_fold_report(compiler, format, &error);
    return;
  }
  kr_str text = format->text;
  for (size_t at = 0; (at = kr_str_find(text, KR_STR("%"), at)) != SIZE_MAX; at += 2)
    if (at + 1 < text.len && text.ptr[at + 1] == 'Y')
      return;
  kr_report(compiler, KR_E_DATE, format->offset, format->len,
            "no date can be read by this format: it names no year");
  kr_report_hint(compiler, "%%Y reads a year of four digits");
}

static void kr_fold_try(kr_compiler *compiler, const kr_node *node) {
  if (node->function == KR_FUNCTION_PARSE_DATE) {
    const kr_node *format = node->first->next;
    if (format != NULL && format->type == KR_NODE_STRING && kr_fold_begin(compiler))
      kr_fold_try_format(compiler, format);
    return;
  }
  for (const kr_node *arg = node->first; arg != NULL; arg = arg->next)
    if (arg->constant != NULL)
      kr_fold_try_literal(compiler, node, arg);
}

static bool kr_fold_is_constant(const kr_node *node) {
  for (const kr_node *arg = node->first; arg != NULL; arg = arg->next)
    if (arg->constant == NULL)
      return false;
  return true;
}

void kr_fold_call(kr_compiler *compiler, kr_node *node) {
  const kr_function_info *row = kr_function_row(node->function);
  size_t n_errors = compiler->diagnostics->n_errors;
  kr_error error = {0};
  bool is_failed = false;
  if (compiler->options->evaluator == NULL || compiler->status != KR_OK || !row->is_pure ||
      row->marks == KR_MARKS_ESCAPER)
    return;
  if (row->marks == KR_MARKS_LAZY) {
    kr_fold_lazy(compiler, node);
    return;
  }
  kr_fold_try(compiler, node);
  if (!kr_fold_is_constant(node) || compiler->diagnostics->n_errors > n_errors ||
      !kr_fold_begin(compiler))
    return;
  kr_fold fold;
  kr_fold_start(compiler, &fold);
  for (const kr_node *arg = node->first; arg != NULL; arg = arg->next)
    kr_fold_constant(&fold, arg->constant);
  kr_fold_put(&fold, KR_OP_CALL, node->function, node->n_children, node->pattern);
  fold.program.steps = node->steps;
  fold.program.n_steps = node->n_steps;
  for (unsigned i = 0; i < node->n_steps; i++)
    kr_fold_put(&fold, KR_OP_STEP, 0, 0, i);
  node->constant = kr_fold_run(compiler, &fold, &error, &is_failed);
  if (is_failed)
    kr_fold_report(compiler, node, &error);
}

bool kr_fold_hole(kr_compiler *compiler, const kr_node *node, bool is_whole, kr_str *ret_bytes) {
  kr_fold fold;
  kr_error error = {0};
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(KR_LIMIT_FOLD_BYTES, NULL);
  /* that a null is the whole result is something the render has to say */
  if ((is_whole && node->constant->type == KR_JSON_NULL) || !kr_fold_begin(compiler))
    return false;
  kr_fold_start(compiler, &fold);
  kr_fold_constant(&fold, node->constant);
  kr_fold_put(&fold, KR_OP_EMIT, node->context, is_whole, 0);
  kr_fold_put(&fold, KR_OP_HALT, 0, 0, 0);
  fold.program.sink = KR_SINK_TEXT;
  kr_status status = kr_program_verify(&fold.program, &error);
  if (status == KR_OK)
    status = compiler->options->evaluator->text(compiler->evaluation, &fold.program,
                                                &compiler->fold_fuel, &out, &error);
  if (status == KR_OK)
    status = kr_arena_copy(&compiler->scratch, kr_buf_str(&out), ret_bytes);
  if (status == KR_NOMEM || status == KR_INTERNAL)
    compiler->status = status;
  if (status == KR_INVALID)
    kr_fold_report(compiler, node, &error);
  return status == KR_OK;
}

static kr_status kr_fold_copy_members(const kr_json *from, kr_arena *arena, kr_json *to) {
  kr_json_member *members = kr_arena_calloc(arena, from->count + 1u, sizeof(kr_json_member));
  if (members == NULL)
    return kr_arena_why(arena);
  for (uint32_t i = 0; i < from->count; i++) {
    KR_TRY(kr_fold_copy(&from->members[i].key, arena, &members[i].key));
    KR_TRY(kr_fold_copy(&from->members[i].value, arena, &members[i].value));
  }
  to->members = members;
  return KR_OK;
}

/* Recursion is bounded: literals nest KR_LIMIT_NESTING deep, parsed JSON KR_JSON_MAX_DEPTH. */
kr_status kr_fold_copy(const kr_json *from, kr_arena *arena, kr_json *ret_json) {
  *ret_json = (kr_json){.type = from->type, .count = from->count};
  if (from->type == KR_JSON_STRING || from->type == KR_JSON_NUMBER) {
    kr_str copy = {0};
    KR_TRY(kr_arena_copy(arena, kr_json_text(from), &copy));
    ret_json->text = copy.ptr;
    return KR_OK;
  }
  if (from->type == KR_JSON_OBJECT)
    return kr_fold_copy_members(from, arena, ret_json);
  if (from->type != KR_JSON_ARRAY)
    return KR_OK;
  kr_json *items = kr_arena_calloc(arena, from->count + 1u, sizeof(kr_json));
  if (items == NULL)
    return kr_arena_why(arena);
  for (uint32_t i = 0; i < from->count; i++)
    KR_TRY(kr_fold_copy(&from->items[i], arena, &items[i]));
  ret_json->items = items;
  return KR_OK;
}
