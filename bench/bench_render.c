/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_render.c - nanoseconds to render a compiled template with escaping,
 * limits and marks on, against memcpy of the same output (the ceiling) and a
 * naive loop that searches the names in a table and appends the pieces without
 * escaping, bounds or marks. And to compile, and for one condition.
 *
 * "slack" is a message with 8 references, "order" a JSON body with 30.
 */
#include "bench.h"
#include "vm/render.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 30u
#define NAIVE_OUT_BYTES 8192u

typedef struct kr_bench_job {
  kr_sink sink;
  char text[4096]; /* the template */
  kr_program *program;
  kr_vm *vm;
  kr_rendered rendered;
  kr_render_input input;
  kr_str expected; /* output, for memcpy */
  uint8_t copy[NAIVE_OUT_BYTES];
} kr_bench_job;

static char kr_bench_payload_text[4096];

static kr_program *kr_bench_compile_once(const kr_bench_job *work) {
  static kr_secret_names names;
  static kr_diagnostics diagnostics;
  names.count = 0;
  kr_compile_options options = {.sink = work->sink, .field = "bench", .secrets = &names};
  kr_program *program = NULL;
  if (kr_compile(kr_str_cstr(work->text), &options, &program, &diagnostics) != KR_OK)
    kr_bench_die("compile", diagnostics.count ? diagnostics.items[0].error.message : "failed");
  return program;
}

static void kr_bench_render(void *ctx) {
  kr_bench_job *work = ctx;
  kr_error error = {0};
  if (kr_vm_render(work->vm, work->program, &work->input, &work->rendered, &error) != KR_OK)
    kr_bench_die("render", error.message);
  kr_bench_keep(work->rendered.buf.ptr);
}

static void kr_bench_condition(void *ctx) {
  kr_bench_job *work = ctx;
  kr_error error = {0};
  bool truth = false;
  if (kr_vm_condition(work->vm, work->program, &work->input, &truth, &error) != KR_OK)
    kr_bench_die("condition", error.message);
  kr_bench_keep(&truth);
}

static void kr_bench_compile(void *ctx) { kr_program_free(kr_bench_compile_once(ctx)); }

static void kr_bench_memcpy(void *ctx) {
  kr_bench_job *work = ctx;
  memcpy(work->copy, work->expected.ptr, work->expected.len);
  kr_bench_keep(work->copy);
}

/** "$payload.NAME" is replaced by a linear search of the members; nothing else is understood. */
static void kr_bench_naive(void *ctx) {
  kr_bench_job *work = ctx;
  const char *place = work->text;
  size_t len = 0;
  while (*place != '\0') {
    if (strncmp(place, "$payload.", 9) != 0) {
      work->copy[len++] = (uint8_t)*place++;
      continue;
    }
    place += 9;
    size_t name_len = strspn(place, "abcdefghijklmnopqrstuvwxyz_0123456789");
    for (uint32_t i = 0; i < work->input.payload->count; i++) {
      const kr_json_member *member = &work->input.payload->members[i];
      if (member->key.count != name_len || memcmp(member->key.text, place, name_len) != 0)
        continue;
      kr_str value = kr_json_text(&member->value);
      if (len + value.len < NAIVE_OUT_BYTES / 2)
        memcpy(work->copy + len, value.ptr, value.len);
      len += value.len;
    }
    place += name_len;
  }
  kr_bench_keep(work->copy);
}

static void kr_bench_render_case(const kr_bench *bench, kr_bench_job *work, const char *render_name,
                                 const char *compile_name) {
  kr_program_free(work->program);
  work->program = kr_bench_compile_once(work);
  kr_bench_render(work);
  uint8_t *expected = malloc(work->rendered.buf.len);
  if (expected == NULL)
    kr_bench_die("render", "out of memory");
  memcpy(expected, work->rendered.buf.ptr, work->rendered.buf.len);
  work->expected = kr_str_from(expected, work->rendered.buf.len);
  const kr_bench_engine engines[] = {{"krosyn", kr_bench_render, work},
                                     {"memcpy", kr_bench_memcpy, work},
                                     {"naive-loop", kr_bench_naive, work}};
  kr_bench_case(bench, render_name, KR_BENCH_NS, 0, engines, 3);
  const kr_bench_engine compilers[] = {{"krosyn", kr_bench_compile, work}};
  kr_bench_case(bench, compile_name, KR_BENCH_NS, 0, compilers, 1);
  free(expected);
}

/** {"field_0": "value of field 0", ...}, 30 members. */
static const kr_json *kr_bench_payload(kr_arena *arena) {
  size_t len = 0;
  for (unsigned i = 0; i < FIELDS; i++)
    len += (size_t)snprintf(kr_bench_payload_text + len, sizeof kr_bench_payload_text - len,
                            "%s\"field_%u\":\"value of field %u\"", i ? "," : "{", i, i);
  snprintf(kr_bench_payload_text + len, sizeof kr_bench_payload_text - len, ",\"total\":89.99}");
  const kr_json *payload = NULL;
  kr_error error = {0};
  if (kr_json_parse(kr_str_cstr(kr_bench_payload_text), NULL, arena, &payload, &error) != KR_OK)
    kr_bench_die("payload", error.message);
  return payload;
}

int main(int argc, char **argv) {
  static kr_bench_job work;
  kr_bench bench;
  kr_error error = {0};
  kr_bench_init(&bench, "render", argc, argv);
  kr_arena arena = KR_ARENA_INIT(1024 * 1024, NULL);
  work.input.payload = kr_bench_payload(&arena);
  if (kr_vm_new(&work.vm, &error) != KR_OK)
    kr_bench_die("vm", error.message);
  kr_rendered_init(&work.rendered);

  work.sink = KR_SINK_TEXT;
  snprintf(
      work.text, sizeof work.text,
      "New order $payload.field_0 from $payload.field_1 $payload.field_2 for $payload.field_3: "
      "$payload.field_4, $payload.field_5 ($payload.field_6) at $payload.field_7 today");
  kr_bench_render_case(&bench, &work, "slack-safe", "compile-slack");

  work.sink = KR_SINK_JSON;
  size_t len = 0;
  for (unsigned i = 0; i < FIELDS; i++)
    len += (size_t)snprintf(work.text + len, sizeof work.text - len,
                            "%s\"out_%u\":\"$payload.field_%u\"", i ? "," : "{", i, i);
  snprintf(work.text + len, sizeof work.text - len, "}");
  kr_bench_render_case(&bench, &work, "order-safe", "compile-order");

  work.sink = KR_SINK_CONDITION;
  snprintf(work.text, sizeof work.text,
           "and(equals($payload.field_0, \"value of field 0\"), greaterThan($payload.total, 50))");
  kr_program_free(work.program);
  work.program = kr_bench_compile_once(&work);
  const kr_bench_engine conditions[] = {{"krosyn", kr_bench_condition, &work}};
  kr_bench_case(&bench, "condition", KR_BENCH_NS, 0, conditions, 1);

  kr_program_free(work.program);
  kr_rendered_done(&work.rendered);
  kr_vm_free(work.vm);
  kr_arena_done(&arena);
  return 0;
}
