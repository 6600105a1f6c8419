/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile.c - the order of the stages, and the finished program: the tables
 * grow in buffers while compiling and are moved into the program's arena at
 * the end. A body is compiled leaf by leaf into one program.
 */
#include "lang/compile.h"

#include "base/assert.h"
#include "lang/compiler.h"

#include <stdio.h>
#include <stdlib.h>

#define KR_COMPILE_SCRATCH_BYTES (64u * 1024u * 1024u)
#define KR_COMPILE_PROGRAM_BYTES (64u * 1024u * 1024u)
#define KR_COMPILE_FIRST_ROWS 32u
#define KR_COMPILE_TREE_FACTOR                                                                     \
  12u /* bytes of the tree for each of the text, in templates of fields */
#define KR_COMPILE_TREE_BYTES (64u * 1024u) /* at most so many at once */
#define KR_COMPILE_TABLES_FACTOR 8u         /* the same of the program */
#define KR_COMPILE_TABLES_BYTES (8u * 1024u)
#define KR_COMPILE_PATH_BYTES 4096u /* of the path of a leaf */

static void kr_compile_free_patterns(const kr_pattern *patterns, size_t n_patterns) {
  for (size_t i = 0; i < n_patterns; i++)
    kr_regex_free(patterns[i].regex);
}

static void kr_compiler_done(kr_compiler *compiler) {
  kr_arena_done(&compiler->scratch);
  kr_buf_done(&compiler->code);
  kr_buf_done(&compiler->positions);
  kr_buf_done(&compiler->constants);
  kr_buf_done(&compiler->steps);
  kr_buf_done(&compiler->slots);
  kr_buf_done(&compiler->pool);
  kr_buf_done(&compiler->sources);
  kr_buf_done(&compiler->references);
  kr_buf_done(&compiler->sites);
  kr_compile_free_patterns((const kr_pattern *)(const void *)compiler->patterns.ptr,
                           compiler->patterns.len / sizeof(kr_pattern));
  kr_buf_done(&compiler->patterns);
  kr_buf_done(&compiler->guards);
  kr_buf_done(&compiler->path);
  kr_index_done(&compiler->step_index);
  kr_index_done(&compiler->slot_index);
  kr_index_done(&compiler->reference_index);
  if (compiler->evaluation != NULL)
    compiler->options->evaluator->end(compiler->evaluation);
  kr_program_free(compiler->program);
}

/* Room for a template of some 30 references; each table grows beyond it by itself. */
static kr_status kr_compiler_reserve(kr_compiler *compiler) {
  KR_TRY(kr_buf_reserve(&compiler->code, KR_COMPILE_FIRST_ROWS * 2 * sizeof(kr_instruction)));
  KR_TRY(kr_buf_reserve(&compiler->positions, KR_COMPILE_FIRST_ROWS * 2 * sizeof(kr_position)));
  KR_TRY(kr_buf_reserve(&compiler->steps, KR_COMPILE_FIRST_ROWS * sizeof(kr_step)));
  KR_TRY(kr_buf_reserve(&compiler->slots, KR_COMPILE_FIRST_ROWS * sizeof(kr_slot)));
  KR_TRY(kr_buf_reserve(&compiler->references, KR_COMPILE_FIRST_ROWS * sizeof(kr_str)));
  return kr_buf_reserve(&compiler->pool, KR_COMPILE_FIRST_ROWS * KR_POOL_PADDING);
}

static kr_status kr_compiler_init(kr_compiler *compiler, const kr_compile_options *options,
                                  kr_diagnostics *diagnostics) {
  KR_ASSERT(options->secrets != NULL);
  kr_buf table = KR_BUF_INIT(KR_LIMIT_CODE_BYTES, NULL);
  *compiler = (kr_compiler){.options = options,
                            .sink = options->sink,
                            .source = options->field == NULL ? "template" : options->field,
                            .diagnostics = diagnostics,
                            .scratch = KR_ARENA_INIT(KR_COMPILE_SCRATCH_BYTES, NULL),
                            .code = table,
                            .positions = table,
                            .constants = table,
                            .steps = table,
                            .slots = table,
                            .pool = table,
                            .sources = table,
                            .references = table,
                            .sites = table,
                            .patterns = table,
                            .guards = table,
                            .path = KR_BUF_INIT(KR_LIMIT_TEMPLATE_BYTES * 2, NULL),
                            .fold_fuel = KR_LIMIT_FOLD_FUEL};
  diagnostics->count = 0;
  diagnostics->n_errors = 0;
  compiler->program = calloc(1, sizeof(kr_program));
  if (compiler->program == NULL)
    return KR_NOMEM;
  compiler->program->arena = KR_ARENA_INIT(KR_COMPILE_PROGRAM_BYTES, NULL);
  compiler->program->sink = options->sink;
  compiler->program->missing =
      options->sink == KR_SINK_CONDITION ? KR_MISSING_NULLISH : options->missing;
  return kr_compiler_reserve(compiler);
}

/* One block for what most templates of this length need; blocks that double follow by themselves.
 */
static kr_status kr_compile_expect(kr_compiler *compiler, size_t len) {
  size_t tree = len > KR_COMPILE_TREE_BYTES / KR_COMPILE_TREE_FACTOR ? KR_COMPILE_TREE_BYTES
                                                                     : len * KR_COMPILE_TREE_FACTOR;
  size_t tables = len > KR_COMPILE_TABLES_BYTES / KR_COMPILE_TABLES_FACTOR
                      ? KR_COMPILE_TABLES_BYTES
                      : len * KR_COMPILE_TABLES_FACTOR;
  KR_TRY(kr_arena_reserve(&compiler->scratch, tree));
  return kr_arena_reserve(&compiler->program->arena, tables);
}

/* The field of runtime errors from here on. */
static void kr_compile_source(kr_compiler *compiler, const char *source) {
  kr_str copy = {0};
  kr_status status = kr_arena_copy(&compiler->program->arena, kr_str_cstr(source), &copy);
  compiler->source_index = (uint32_t)(compiler->sources.len / sizeof(kr_str));
  if (status == KR_OK)
    status = kr_buf_append(&compiler->sources, kr_str_from(&copy, sizeof(copy)));
  compiler->source = (const char *)copy.ptr;
  if (status != KR_OK) {
    compiler->status = status;
    compiler->source = source;
  }
}

static void kr_compile_condition(kr_compiler *compiler, const kr_node *node) {
  if (node->type == KR_NODE_STRING && kr_str_equal(node->text, KR_STR("false")))
    kr_report_lint(compiler, KR_E_FALSE_STRING, node->offset, node->len,
                   "the string \"false\" counts as true");
  if (node->secrets == 0 || compiler->options->decide_on_secrets)
    return;
  kr_report(compiler, KR_E_SECRET_CONDITION, node->offset, node->len,
            "a condition cannot depend on a secret");
  kr_report_hint(compiler, "who sees the decision could read the value bit by bit");
}

/* Parse, check and place one template; false when it cannot be emitted. */
static bool kr_compile_prepare(kr_compiler *compiler, kr_str text, kr_field *field) {
  size_t n_errors = compiler->diagnostics->n_errors;
  compiler->text = text;
  compiler->kept = NULL;
  bool is_parsed = kr_parse_field(compiler, field);
  if (!is_parsed && field->expression == NULL && field->parts == NULL)
    return false;
  if (compiler->status != KR_OK)
    return false;
  if (field->expression != NULL) {
    kr_check_node(compiler, field->expression);
    if (compiler->sink == KR_SINK_CONDITION)
      kr_compile_condition(compiler, field->expression);
  }
  for (kr_node *node = field->parts; node != NULL; node = node->next)
    if (node->type != KR_NODE_CHUNK)
      kr_check_node(compiler, node);
  if (compiler->status == KR_OK && is_parsed)
    kr_place_field(compiler, field);
  if (field->expression != NULL)
    kr_check_bare(compiler, field->expression);
  for (const kr_node *node = field->parts; node != NULL; node = node->next)
    kr_check_bare(compiler, node);
  return compiler->status == KR_OK && compiler->diagnostics->n_errors == n_errors;
}

/* One template into the program being built. */
static void kr_compile_field(kr_compiler *compiler, kr_str text) {
  kr_field field = {0};
  if (kr_compile_prepare(compiler, text, &field))
    kr_emit_field(compiler, &field);
}

/* Diagnostics by position; errors found in different stages come in any order. */
static void kr_compile_sort(kr_diagnostics *diagnostics, size_t from) {
  for (size_t i = from + 1; i < diagnostics->count; i++) {
    kr_diagnostic item = diagnostics->items[i];
    size_t at = i;
    for (; at > from && diagnostics->items[at - 1].error.span_offset > item.error.span_offset; at--)
      diagnostics->items[at] = diagnostics->items[at - 1];
    diagnostics->items[at] = item;
  }
}

static kr_status kr_compile_move(kr_program *program, const kr_buf *buf, size_t item_size,
                                 const void **ret_items, uint32_t *ret_count) {
  kr_str copy = {0};
  KR_TRY(kr_arena_copy(&program->arena, kr_buf_str(buf), &copy));
  *ret_items = copy.ptr;
  *ret_count = (uint32_t)(buf->len / item_size);
  return KR_OK;
}

static kr_status kr_compile_names(kr_compiler *compiler) {
  const kr_secret_names *names = compiler->options->secrets;
  kr_program *program = compiler->program;
  kr_str *copies = kr_arena_calloc(&program->arena, names->count + 1u, sizeof(kr_str));
  if (copies == NULL)
    return kr_arena_why(&program->arena);
  for (uint32_t i = 0; i < names->count; i++)
    KR_TRY(kr_arena_copy(&program->arena, kr_secret_name(names, i), &copies[i]));
  program->secret_names = copies;
  program->n_secret_names = names->count;
  return KR_OK;
}

static kr_status kr_compile_finish(kr_compiler *compiler, kr_program **ret_program) {
  kr_diagnostics *diagnostics = compiler->diagnostics;
  kr_program *program = compiler->program;
  kr_emit(compiler, KR_OP_HALT, 0, 0, 0, NULL);
  if (compiler->status != KR_OK)
    return compiler->status;
  if (diagnostics->n_errors > 0)
    return compiler->is_limit ? KR_LIMIT : KR_SYNTAX;
  uint32_t n_positions = 0;
  uint32_t n_pool = 0;
  static const uint8_t padding[KR_POOL_PADDING] = {0};
  KR_TRY(kr_buf_append(&compiler->pool, kr_str_from(padding, sizeof(padding))));
#define KR_MOVE(buf, type, items, count)                                                           \
  KR_TRY(kr_compile_move(program, &compiler->buf, sizeof(type), (const void **)&(items), &(count)))
  KR_MOVE(code, kr_instruction, program->code, program->n_code);
  KR_MOVE(positions, kr_position, program->positions, n_positions);
  KR_MOVE(constants, kr_json, program->constants, program->n_constants);
  KR_MOVE(steps, kr_step, program->steps, program->n_steps);
  KR_MOVE(slots, kr_slot, program->slots, program->n_slots);
  KR_MOVE(pool, uint8_t, program->pool.ptr, n_pool);
  KR_MOVE(sources, kr_str, program->sources, program->n_sources);
  KR_MOVE(references, kr_str, program->references, program->n_references);
  KR_MOVE(sites, kr_site, program->sites, program->n_sites);
  KR_MOVE(guards, kr_guard, program->guards, program->n_guards);
  KR_MOVE(patterns, kr_pattern, program->patterns, program->n_patterns);
  compiler->patterns.len = 0; /* the program owns them now */
#undef KR_MOVE
  program->pool.len = n_pool - sizeof(padding);
  KR_ASSERT(n_positions == program->n_code);
  KR_TRY(kr_compile_names(compiler));
  kr_error error;
  KR_TRY(kr_program_verify(program, &error));
  *ret_program = KR_TAKE(compiler->program);
  return KR_OK;
}

kr_status kr_compile(kr_str text, const kr_compile_options *options, kr_program **ret_program,
                     kr_diagnostics *diagnostics) {
  KR_CLEANUP(kr_compiler_done) kr_compiler compiler;
  KR_TRY(kr_compiler_init(&compiler, options, diagnostics));
  KR_TRY(kr_compile_expect(&compiler, text.len));
  kr_compile_source(&compiler, compiler.source);
  if (compiler.status == KR_OK)
    kr_compile_field(&compiler, text);
  kr_compile_sort(diagnostics, 0);
  return kr_compile_finish(&compiler, ret_program);
}

kr_status kr_compile_show(kr_str text, const kr_compile_options *options, kr_compile_stage stage,
                          kr_diagnostics *diagnostics, kr_buf *out) {
  KR_CLEANUP(kr_compiler_done) kr_compiler compiler;
  KR_TRY(kr_compiler_init(&compiler, options, diagnostics));
  kr_field field = {0};
  compiler.text = text;
  bool is_good = stage == KR_STAGE_TREE ? kr_compile_prepare(&compiler, text, &field)
                                        : kr_parse_field(&compiler, &field);
  kr_compile_sort(diagnostics, 0);
  if (compiler.status != KR_OK)
    return compiler.status;
  if (!is_good)
    return compiler.is_limit ? KR_LIMIT : KR_SYNTAX;
  if (stage == KR_STAGE_PRINT)
    return kr_lang_print(&compiler, &field, out);
  return stage == KR_STAGE_TOKENS ? kr_dump_tokens(&compiler, &field, out)
                                  : kr_dump_tree(&field, out);
}

static void kr_compile_tree(kr_compiler *compiler, const kr_json *json, kr_buf *path);

/* A string leaf: a template of its own, with its own source and positions. */
static void kr_compile_leaf(kr_compiler *compiler, const kr_json *json, kr_buf *path) {
  size_t len = path->len;
  kr_status status = kr_buf_byte(path, '\0');
  if (status != KR_OK) {
    compiler->status = status;
    return;
  }
  size_t n_before = compiler->diagnostics->count;
  kr_compile_source(compiler, (const char *)path->ptr);
  path->len = len;
  if (compiler->status != KR_OK)
    return;
  compiler->n_nodes = 0;
  kr_compile_field(compiler, kr_json_text(json));
  kr_compile_sort(compiler->diagnostics, n_before);
  kr_arena_reset(&compiler->scratch);
}

static void kr_compile_child(kr_compiler *compiler, const kr_json *child, kr_buf *path,
                             kr_status status, size_t len) {
  if (status != KR_OK)
    compiler->status = status == KR_LIMIT ? KR_LIMIT : status;
  else
    kr_compile_tree(compiler, child, path);
  path->len = len;
}

static void kr_compile_key(kr_compiler *compiler, const kr_json *key) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(KR_LIMIT_CODE_BYTES, NULL);
  kr_status status = kr_json_write(key, &text);
  if (status == KR_OK)
    status = kr_buf_byte(&text, ':');
  if (status == KR_OK)
    kr_emit_literal(compiler, kr_buf_str(&text), NULL);
  else
    compiler->status = status;
}

static void kr_compile_container(kr_compiler *compiler, const kr_json *json, kr_buf *path) {
  bool is_array = json->type == KR_JSON_ARRAY;
  size_t len = path->len;
  kr_emit_literal(compiler, is_array ? KR_STR("[") : KR_STR("{"), NULL);
  for (uint32_t i = 0; i < json->count && compiler->status == KR_OK; i++) {
    if (i > 0)
      kr_emit_literal(compiler, KR_STR(","), NULL);
    if (is_array) {
      kr_compile_child(compiler, &json->items[i], path, kr_buf_printf(path, "[%u]", (unsigned)i),
                       len);
      continue;
    }
    const kr_json_member *member = &json->members[i];
    kr_compile_key(compiler, &member->key);
    kr_str key = kr_str_slice(kr_json_text(&member->key), 0, KR_SECRET_NAME_BYTES);
    kr_compile_child(compiler, &member->value, path, kr_buf_printf(path, ".%.*s", KR_FMT(key)),
                     len);
  }
  kr_emit_literal(compiler, is_array ? KR_STR("]") : KR_STR("}"), NULL);
}

/* Recursion is bounded: a parsed tree is at most KR_JSON_MAX_DEPTH deep. */
static void kr_compile_tree(kr_compiler *compiler, const kr_json *json, kr_buf *path) {
  if (compiler->status != KR_OK)
    return;
  if (json->type == KR_JSON_STRING) {
    kr_compile_leaf(compiler, json, path);
  } else if (json->type == KR_JSON_ARRAY || json->type == KR_JSON_OBJECT) {
    kr_compile_container(compiler, json, path);
  } else {
    KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(KR_LIMIT_CODE_BYTES, NULL);
    compiler->status = kr_json_write(json, &text);
    kr_emit_literal(compiler, kr_buf_str(&text), NULL);
  }
}

kr_status kr_compile_body(const kr_json *body, const kr_compile_options *options,
                          kr_program **ret_program, kr_diagnostics *diagnostics) {
  KR_CLEANUP(kr_compiler_done) kr_compiler compiler;
  KR_CLEANUP(kr_buf_done) kr_buf path = KR_BUF_INIT(KR_COMPILE_PATH_BYTES * 16, NULL);
  KR_TRY(kr_compiler_init(&compiler, options, diagnostics));
  compiler.sink = KR_SINK_VALUE;
  compiler.is_body = true;
  compiler.program->sink = KR_SINK_JSON;
  KR_TRY(kr_buf_append(&path, kr_str_cstr(compiler.source)));
  kr_compile_tree(&compiler, body, &path);
  return kr_compile_finish(&compiler, ret_program);
}

void kr_program_free(kr_program *program) {
  if (program == NULL)
    return;
  kr_compile_free_patterns(program->patterns, program->n_patterns);
  kr_arena_done(&program->arena);
  free(program);
}

kr_secret_set kr_program_secrets(const kr_program *program) { return program->secrets; }

bool kr_program_is_untrusted(const kr_program *program) { return program->is_untrusted; }

kr_sink kr_program_sink(const kr_program *program) { return program->sink; }

bool kr_program_uses_lookup(const kr_program *program) { return program->uses_lookup; }

kr_str kr_program_origin(const kr_program *program) { return program->origin; }

size_t kr_program_n_references(const kr_program *program) { return program->n_references; }

kr_str kr_program_reference(const kr_program *program, size_t index) {
  KR_ASSERT(index < program->n_references);
  return program->references[index];
}

bool kr_program_secret_site(const kr_program *program, size_t index, unsigned *ret_secret,
                            uint8_t *ret_context) {
  if (index >= program->n_sites)
    return false;
  *ret_secret = program->sites[index].secret;
  *ret_context = program->sites[index].context;
  return true;
}
