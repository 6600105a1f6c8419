/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe.c - compiler and VM on a pipe, for the tests of this folder that are
 * written in Python: many cases on stdin, an answer to each on stdout.
 *
 * A case and an answer are fields: one key byte, the length in 4 bytes
 * little-endian, that many bytes; the key "." ends them. Of a case:
 *
 *   s sink   t template   B body   p payload   l lookup   r processed   m missing mode
 *   w allow raw   U no evaluator   P is_plain   v preview   f fuel   S "NAME=value" of a secret
 *   F "NAME=A,B" or "NAME=A,B untrusted": a processed field   T show the tree   C canonical text
 *
 * Of an answer:
 *
 *   k ok, compile, render, payload   e "code offset len message" of every error   i lints likewise
 *   o bytes   s "offset len A,B context transform,..." of every span   d "transform A bytes"
 *   n null   c truth of a condition   f fuel used   T tree   C canonical text   N steps of the code
 *   Z bounds: "fuel output", each "open fixed payload lookup processed secrets"
 */
#include "base/wire.h"
#include "lang/program.h"
#include "vm/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KR_PIPE_FIELD_BYTES (16u * 1024u * 1024u)
#define KR_PIPE_FIELDS 512u
#define KR_PIPE_WALL_MS INT64_C(1767323045678) /* 2026-01-02T03:04:05.678Z */
#define KR_PIPE_OUT_BYTES (256u * 1024u * 1024u)

typedef struct kr_pipe_field {
  uint8_t key;
  kr_str text;
} kr_pipe_field;

typedef struct kr_pipe {
  kr_arena arena; /* of the case */
  kr_pipe_field fields[KR_PIPE_FIELDS];
  size_t n_fields;
  kr_secure *pool;
  kr_vm *vm;
  kr_rendered rendered;
  kr_secret_names names;
  kr_secret *opened[KR_SECRETS_MAX];
  const kr_secret *values[KR_SECRETS_MAX];
  kr_field_marks marks[KR_SECRETS_MAX];
  size_t n_marks;
  kr_diagnostics diagnostics;
} kr_pipe;

static void kr_pipe_check(bool is_good, const char *what) {
  if (is_good)
    return;
  (void)fprintf(stderr, "pipe: %s\n", what);
  exit(3);
}

static void kr_pipe_put(uint8_t key, kr_str text) {
  uint8_t head[5] = {key, (uint8_t)text.len, (uint8_t)(text.len >> 8), (uint8_t)(text.len >> 16),
                     (uint8_t)(text.len >> 24)};
  kr_pipe_check(fwrite(head, 1, sizeof(head), stdout) == sizeof(head), "stdout");
  if (text.len > 0)
    kr_pipe_check(fwrite(text.ptr, 1, text.len, stdout) == text.len, "stdout");
}

static void kr_pipe_put_buf(uint8_t key, kr_buf *buf) {
  kr_pipe_put(key, kr_buf_str(buf));
  kr_buf_done(buf);
}

static kr_buf kr_pipe_buf(void) {
  kr_buf buf = KR_BUF_INIT(KR_PIPE_OUT_BYTES, NULL);
  return buf;
}

/* One case; false at the end of the input. */
static bool kr_pipe_read(kr_pipe *pipe) {
  pipe->n_fields = 0;
  for (;;) {
    uint8_t head[5];
    if (fread(head, 1, sizeof(head), stdin) != sizeof(head))
      return false;
    size_t len = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
    kr_pipe_check(len <= KR_PIPE_FIELD_BYTES && pipe->n_fields < KR_PIPE_FIELDS, "size");
    if (head[0] == '.')
      return true;
    uint8_t *bytes = kr_arena_alloc(&pipe->arena, len + 1);
    kr_pipe_check(bytes != NULL && fread(bytes, 1, len, stdin) == len, "input");
    bytes[len] = '\0';
    pipe->fields[pipe->n_fields++] =
        (kr_pipe_field){.key = head[0], .text = kr_str_from(bytes, len)};
  }
}

static kr_str kr_pipe_get(const kr_pipe *pipe, uint8_t key) {
  for (size_t i = 0; i < pipe->n_fields; i++)
    if (pipe->fields[i].key == key)
      return pipe->fields[i].text;
  return (kr_str){0};
}

static bool kr_pipe_has(const kr_pipe *pipe, uint8_t key) {
  return kr_pipe_get(pipe, key).ptr != NULL;
}

static uint32_t kr_pipe_name(kr_pipe *pipe, kr_str name) {
  for (uint32_t i = 0; i < pipe->names.count; i++)
    if (kr_str_equal(kr_secret_name(&pipe->names, i), name))
      return i;
  kr_pipe_check(pipe->names.count < KR_SECRETS_MAX && name.len <= KR_SECRET_NAME_BYTES, "secrets");
  uint32_t index = pipe->names.count++;
  memcpy(pipe->names.bytes[index], name.ptr, name.len);
  pipe->names.len[index] = (uint8_t)name.len;
  return index;
}

static void kr_pipe_secret(kr_pipe *pipe, kr_str line) {
  size_t equals = kr_str_find(line, KR_STR("="), 0);
  uint32_t index = kr_pipe_name(pipe, kr_str_slice(line, 0, equals));
  kr_str value = kr_str_skip(line, equals + 1);
  kr_pipe_check(kr_secret_new(pipe->pool, value.len, &pipe->opened[index]) == KR_OK,
                "kr_secret_new");
  if (value.len > 0)
    memcpy(kr_secret_writable(pipe->opened[index]), value.ptr, value.len);
  pipe->values[index] = pipe->opened[index];
}

static void kr_pipe_mark(kr_pipe *pipe, kr_str line) {
  size_t equals = kr_str_find(line, KR_STR("="), 0);
  size_t blank = kr_str_find(line, KR_STR(" "), equals);
  kr_field_marks *marks = &pipe->marks[pipe->n_marks++];
  *marks =
      (kr_field_marks){.name = kr_str_slice(line, 0, equals), .is_untrusted = blank != SIZE_MAX};
  kr_str list = kr_str_slice(line, equals + 1, blank);
  while (list.len > 0) {
    size_t comma = kr_str_find(list, KR_STR(","), 0);
    marks->secrets |= (kr_secret_set)1 << kr_pipe_name(pipe, kr_str_slice(list, 0, comma));
    list = comma == SIZE_MAX ? (kr_str){0} : kr_str_skip(list, comma + 1);
  }
}

static void kr_pipe_error(uint8_t key, const kr_error *error) {
  kr_buf line = kr_pipe_buf();
  kr_pipe_check(kr_buf_printf(&line, "%u %zu %zu %s", error->code, (size_t)error->span_offset,
                              (size_t)error->span_len, error->message) == KR_OK,
                "memory");
  kr_pipe_put_buf(key, &line);
}

static void kr_pipe_set(const kr_pipe *pipe, kr_secret_set set, kr_buf *out) {
  const char *comma = "";
  for (unsigned i = 0; i < KR_SECRETS_MAX; i++)
    if ((set >> i & 1) != 0) {
      kr_pipe_check(kr_buf_printf(out, "%s%.*s", comma, KR_FMT(kr_secret_name(&pipe->names, i))) ==
                        KR_OK,
                    "memory");
      comma = ",";
    }
}

static void kr_pipe_span(const kr_pipe *pipe, const kr_span *span) {
  kr_buf line = kr_pipe_buf();
  kr_pipe_check(kr_buf_printf(&line, "%u|%u|", span->offset, span->len) == KR_OK, "memory");
  kr_pipe_set(pipe, span->secrets, &line);
  kr_pipe_check(kr_buf_printf(&line, "|%s|", kr_context_name(span->context)) == KR_OK, "memory");
  for (unsigned i = 0; i < span->n_transforms; i++)
    kr_pipe_check(kr_buf_printf(&line, "%s%s", i == 0 ? "" : ",",
                                kr_function_name(span->transforms[i])) == KR_OK,
                  "memory");
  kr_pipe_put_buf('s', &line);
}

static kr_status kr_pipe_derived(void *ctx, kr_secret_set secrets, uint8_t function, kr_str bytes) {
  kr_buf line = kr_pipe_buf();
  KR_TRY(kr_buf_printf(&line, "%s|", kr_function_name(function)));
  kr_pipe_set(ctx, secrets, &line);
  KR_TRY(kr_buf_byte(&line, '|'));
  KR_TRY(kr_buf_append(&line, bytes));
  kr_pipe_put_buf('d', &line);
  return KR_OK;
}

/* NULL when there is no such field; exits the case with an answer when it is no JSON. */
static bool kr_pipe_json(kr_pipe *pipe, uint8_t key, const kr_json **ret_json) {
  kr_error error = {0};
  *ret_json = NULL;
  kr_str text = kr_pipe_get(pipe, key);
  if (text.ptr == NULL || kr_json_parse(text, NULL, &pipe->arena, ret_json, &error) == KR_OK)
    return true;
  kr_pipe_put('k', KR_STR("payload"));
  kr_pipe_error('e', &error);
  return false;
}

static kr_compile_options kr_pipe_options(kr_pipe *pipe) {
  kr_compile_options options = {.missing = KR_MISSING_STRICT,
                                .allow_raw = kr_pipe_has(pipe, 'w'),
                                .decide_on_secrets = kr_pipe_has(pipe, 'D'),
                                .secrets = &pipe->names,
                                .fields = pipe->marks,
                                .n_fields = pipe->n_marks,
                                .is_processed_open = pipe->n_marks == 0,
                                .evaluator = kr_pipe_has(pipe, 'U') ? NULL : kr_vm_evaluator(),
                                .is_plain = kr_pipe_has(pipe, 'P')};
  kr_str missing = kr_pipe_get(pipe, 'm');
  if (kr_str_equal(missing, KR_STR("nullish")))
    options.missing = KR_MISSING_NULLISH;
  else if (kr_str_equal(missing, KR_STR("empty")))
    options.missing = KR_MISSING_EMPTY;
  kr_pipe_check(kr_sink_from_name(kr_pipe_get(pipe, 's'), &options.sink), "sink");
  return options;
}

static void kr_pipe_show(kr_pipe *pipe, const kr_compile_options *options, kr_compile_stage stage,
                         uint8_t key) {
  if (!kr_pipe_has(pipe, key))
    return;
  kr_secret_names names = pipe->names;
  kr_compile_options own = *options;
  own.secrets = &names;
  kr_buf text = kr_pipe_buf();
  kr_status status =
      kr_compile_show(kr_pipe_get(pipe, 't'), &own, stage, &pipe->diagnostics, &text);
  if (status == KR_OK)
    kr_pipe_put(key, kr_buf_str(&text));
  kr_buf_done(&text);
}

static kr_status kr_pipe_compile(kr_pipe *pipe, const kr_compile_options *options,
                                 const kr_json *body, kr_program **ret_program) {
  kr_diagnostics *found = &pipe->diagnostics;
  kr_status status = body != NULL ? kr_compile_body(body, options, ret_program, found)
                                  : kr_compile(kr_pipe_get(pipe, 't'), options, ret_program, found);
  if (status != KR_OK)
    kr_pipe_put('k', KR_STR("compile"));
  for (size_t i = 0; i < found->count; i++)
    kr_pipe_error(found->items[i].is_error ? 'e' : 'i', &found->items[i].error);
  return status;
}

static void kr_pipe_answer(kr_pipe *pipe, const kr_program *program, kr_status status, bool truth,
                           const kr_error *error) {
  kr_pipe_put('k', status == KR_OK ? KR_STR("ok") : KR_STR("render"));
  if (status != KR_OK) {
    kr_pipe_error('e', error);
  } else if (program->sink == KR_SINK_CONDITION) {
    kr_pipe_put('c', truth ? KR_STR("true") : KR_STR("false"));
  } else {
    kr_pipe_put('o', kr_buf_str(&pipe->rendered.buf));
    if (pipe->rendered.is_null)
      kr_pipe_put('n', KR_STR("null"));
    for (uint32_t i = 0; i < pipe->rendered.n_spans; i++)
      kr_pipe_span(pipe, &pipe->rendered.spans[i]);
  }
}

static void kr_pipe_number(uint8_t key, uint32_t number) {
  kr_buf line = kr_pipe_buf();
  kr_pipe_check(kr_buf_printf(&line, "%u", number) == KR_OK, "memory");
  kr_pipe_put_buf(key, &line);
}

static void kr_pipe_bound(const kr_bound *bound, kr_buf *line) {
  kr_pipe_check(kr_buf_printf(line, "%d %llu", bound->is_open, (unsigned long long)bound->fixed) ==
                    KR_OK,
                "memory");
  for (unsigned i = 0; i < KR_COST_INPUTS; i++)
    kr_pipe_check(kr_buf_printf(line, " %llu", (unsigned long long)bound->per[i]) == KR_OK,
                  "memory");
  kr_pipe_check(kr_buf_byte(line, ' ') == KR_OK, "memory");
}

static void kr_pipe_cost(const kr_program *program) {
  kr_buf line = kr_pipe_buf();
  kr_cost cost;
  kr_pipe_check(kr_program_cost(program, &cost) == KR_OK, "cost");
  kr_pipe_bound(&cost.fuel, &line);
  kr_pipe_bound(&cost.output, &line);
  kr_pipe_put_buf('Z', &line);
}

static void kr_pipe_render(kr_pipe *pipe, const kr_program *program, const kr_render_input *input) {
  kr_error error = {0};
  bool truth = false;
  kr_status status = program->sink == KR_SINK_CONDITION
                         ? kr_vm_condition(pipe->vm, program, input, &truth, &error)
                         : kr_vm_render(pipe->vm, program, input, &pipe->rendered, &error);
  kr_pipe_answer(pipe, program, status, truth, &error);
  kr_pipe_number('f', (input->fuel == 0 ? KR_LIMIT_FUEL : input->fuel) - pipe->vm->fuel);
  kr_pipe_number('N', program->n_code);
  kr_pipe_cost(program);
}

/* Bytes 0, 1, 2, ... and one moment, so that a case has one answer. */
static kr_status kr_pipe_fill(void *ctx, void *out, size_t len, kr_error *reterr) {
  uint8_t *next = ctx;
  (void)reterr;
  for (size_t i = 0; i < len; i++)
    ((uint8_t *)out)[i] = (*next)++;
  return KR_OK;
}

static int64_t kr_pipe_wall_ms(void *ctx) {
  (void)ctx;
  return KR_PIPE_WALL_MS;
}

static void kr_pipe_case(kr_pipe *pipe) {
  for (size_t i = 0; i < pipe->n_fields; i++) {
    if (pipe->fields[i].key == 'S')
      kr_pipe_secret(pipe, pipe->fields[i].text);
    else if (pipe->fields[i].key == 'F')
      kr_pipe_mark(pipe, pipe->fields[i].text);
  }
  kr_render_input input = {0};
  const kr_json *body = NULL;
  if (!kr_pipe_json(pipe, 'p', &input.payload) || !kr_pipe_json(pipe, 'l', &input.lookup) ||
      !kr_pipe_json(pipe, 'r', &input.processed) || !kr_pipe_json(pipe, 'B', &body))
    return;
  kr_compile_options options = kr_pipe_options(pipe);
  kr_pipe_show(pipe, &options, KR_STAGE_TREE, 'T');
  kr_pipe_show(pipe, &options, KR_STAGE_PRINT, 'C');
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  if (kr_pipe_compile(pipe, &options, body, &program) != KR_OK)
    return;
  kr_secret_source source = {.values = pipe->values, .names = &pipe->names};
  kr_derived_sink derived = {.add = kr_pipe_derived, .ctx = pipe};
  uint8_t next = 0;
  kr_clock clock = {.wall_ms = kr_pipe_wall_ms};
  kr_random random = {.fill = kr_pipe_fill, .ctx = &next};
  kr_str fuel = kr_pipe_get(pipe, 'f');
  input.clock = &clock;
  input.random = &random;
  input.secrets = kr_pipe_has(pipe, 'v') ? NULL : &source;
  input.derived = &derived;
  input.is_lookup_unknown = kr_pipe_has(pipe, 'v') && input.lookup == NULL;
  input.fuel = fuel.ptr == NULL ? 0 : (uint32_t)strtoul((const char *)fuel.ptr, NULL, 10);
  kr_pipe_render(pipe, program, &input);
}

int main(void) {
  static kr_pipe pipe;
  pipe.arena = KR_ARENA_INIT(KR_PIPE_OUT_BYTES, NULL);
  kr_rendered_init(&pipe.rendered);
  kr_pipe_check(kr_secure_new(65536, &pipe.pool, NULL) == KR_OK, "kr_secure_new");
  kr_pipe_check(kr_vm_new(&pipe.vm, NULL) == KR_OK, "kr_vm_new");
  while (kr_pipe_read(&pipe)) {
    kr_pipe_case(&pipe);
    kr_pipe_put('.', (kr_str){0});
    for (size_t i = 0; i < KR_SECRETS_MAX; i++) {
      kr_secret_free(pipe.opened[i]);
      pipe.opened[i] = NULL;
      pipe.values[i] = NULL;
    }
    pipe.names.count = 0;
    pipe.n_marks = 0;
    kr_arena_reset(&pipe.arena);
  }
  kr_vm_free(pipe.vm);
  kr_rendered_done(&pipe.rendered);
  kr_secure_free(pipe.pool);
  kr_arena_done(&pipe.arena);
  return 0;
}
