/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cases.c - every case of tests/lang/cases is one test: compiled,
 * rendered, and compared in bytes, spans, derived strings and diagnostics. On
 * top, what must hold for every render: ordered spans, valid JSON.
 */
#include "lang/runner.h"

#include "lang/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define KR_RUN_SECRETS_MAX 64u

typedef struct kr_run {
  const kr_case *test;
  kr_arena arena;
  kr_secure *pool;
  kr_secret *opened[KR_RUN_SECRETS_MAX];
  const kr_secret *values[KR_RUN_SECRETS_MAX];
  kr_secret_names names;
  kr_secret_source source;
  kr_field_marks fields[16];
  size_t n_fields;
  kr_program *program;
  kr_vm *vm;
  kr_rendered rendered;
  kr_diagnostics diagnostics;
  kr_error error;
  kr_buf derived;
  kr_buf found; /* diagnostics as lines */
} kr_run;

static bool kr_run_flag(const kr_run *run, const char *key) {
  return kr_str_equal(kr_case_get(run->test, key, "false"), KR_STR("true"));
}

static const kr_json *kr_run_json(kr_run *run, const char *key) {
  kr_str text = kr_case_get(run->test, key, "");
  const kr_json *json = NULL;
  kr_error error;
  if (text.len == 0)
    return NULL;
  if (kr_json_parse(text, NULL, &run->arena, &json, &error) != KR_OK)
    fail_msg("%s: %s", key, error.message);
  return json;
}

static void kr_run_secret(kr_run *run, kr_str line) {
  size_t blank = kr_str_find(line, KR_STR(" "), 0);
  kr_str name = kr_str_slice(line, 0, blank);
  uint32_t index = run->names.count++;
  memcpy(run->names.bytes[index], name.ptr, name.len);
  run->names.len[index] = (uint8_t)name.len;
  if (blank == SIZE_MAX)
    return;
  kr_str value = kr_str_skip(line, blank + 1);
  assert_int_equal(kr_secret_new(run->pool, value.len, &run->opened[index]), KR_OK);
  if (value.len > 0)
    memcpy(kr_secret_writable(run->opened[index]), value.ptr, value.len);
  run->values[index] = run->opened[index];
}

static kr_secret_set kr_run_set(const kr_run *run, kr_str list) {
  kr_secret_set set = 0;
  for (uint32_t i = 0; i < run->names.count; i++)
    if (kr_str_find(list, kr_secret_name(&run->names, i), 0) != SIZE_MAX)
      set |= (kr_secret_set)1 << i;
  return set;
}

static void kr_run_inputs(kr_run *run) {
  for (size_t i = 0; i < run->test->n_lines; i++)
    if (kr_str_equal(run->test->lines[i].key, KR_STR("secret")))
      kr_run_secret(run, run->test->lines[i].text);
  for (size_t i = 0; i < run->test->n_lines; i++) {
    kr_str line = run->test->lines[i].text;
    if (!kr_str_equal(run->test->lines[i].key, KR_STR("field")))
      continue;
    size_t blank = kr_str_find(line, KR_STR(" "), 0);
    kr_str marks = kr_str_skip(line, blank);
    run->fields[run->n_fields++] =
        (kr_field_marks){.name = kr_str_slice(line, 0, blank),
                         .secrets = kr_run_set(run, marks),
                         .is_untrusted = kr_str_find(marks, KR_STR("untrusted"), 0) != SIZE_MAX};
  }
}

static kr_status kr_run_add(void *ctx, kr_secret_set secrets, uint8_t function, kr_str bytes) {
  kr_run *run = ctx;
  assert_true(secrets != 0);
  assert_int_equal(kr_buf_printf(&run->derived, "%s ", kr_function_name(function)), KR_OK);
  assert_int_equal(kr_buf_append(&run->derived, bytes), KR_OK);
  return kr_buf_byte(&run->derived, '\n');
}

static void kr_run_note(kr_run *run, bool is_error, const kr_error *error) {
  size_t line = 0;
  size_t column = 0;
  kr_line_column(kr_case_get(run->test, "template", ""), error->span_offset, &line, &column);
  assert_int_equal(kr_buf_printf(&run->found, "%s E%u %zu:%zu\n", is_error ? "error" : "lint",
                                 error->code, line, column),
                   KR_OK);
  assert_string_equal(error->source, "template");
  assert_true(error->message[0] != '\0');
}

static void kr_run_check_found(kr_run *run) {
  KR_CLEANUP(kr_buf_done) kr_buf wanted = KR_BUF_INIT(65536, NULL);
  for (size_t i = 0; i < run->test->n_lines; i++) {
    kr_str key = run->test->lines[i].key;
    if (kr_str_equal(key, KR_STR("error")) || kr_str_equal(key, KR_STR("lint")))
      assert_int_equal(
          kr_buf_printf(&wanted, "%.*s %.*s\n", KR_FMT(key), KR_FMT(run->test->lines[i].text)),
          KR_OK);
  }
  if (!kr_str_equal(kr_buf_str(&wanted), kr_buf_str(&run->found)))
    fail_msg("diagnostics are\n%.*snot\n%.*s(%s)", KR_FMT(kr_buf_str(&run->found)),
             KR_FMT(kr_buf_str(&wanted)),
             run->diagnostics.count > 0 ? run->diagnostics.items[0].error.message
                                        : run->error.message);
}

static void kr_run_write_span(kr_run *run, const kr_span *span, kr_buf *out) {
  const char *comma = "";
  for (unsigned i = 0; i < run->names.count; i++)
    if ((span->secrets >> i & 1) != 0) {
      assert_int_equal(kr_buf_printf(out, "%s%.*s", comma, KR_FMT(kr_secret_name(&run->names, i))),
                       KR_OK);
      comma = ",";
    }
  kr_str covered =
      kr_str_slice(kr_buf_str(&run->rendered.buf), span->offset, (size_t)span->offset + span->len);
  assert_int_equal(
      kr_buf_printf(out, " \"%.*s\" %s", KR_FMT(covered), kr_context_name(span->context)), KR_OK);
  for (unsigned i = 0; i < span->n_transforms; i++)
    assert_int_equal(
        kr_buf_printf(out, "%s%s", i == 0 ? " | " : ",", kr_function_name(span->transforms[i])),
        KR_OK);
  assert_int_equal(kr_buf_byte(out, '\n'), KR_OK);
}

static void kr_run_compare_lines(kr_run *run, const char *key, const kr_buf *found) {
  KR_CLEANUP(kr_buf_done) kr_buf wanted = KR_BUF_INIT(65536, NULL);
  for (size_t i = 0; i < run->test->n_lines; i++)
    if (kr_str_equal(run->test->lines[i].key, kr_str_cstr(key))) {
      assert_int_equal(kr_buf_append(&wanted, run->test->lines[i].text), KR_OK);
      assert_int_equal(kr_buf_byte(&wanted, '\n'), KR_OK);
    }
  if (!kr_str_equal(kr_buf_str(&wanted), kr_buf_str(found)))
    fail_msg("%s is\n%.*snot\n%.*s", key, KR_FMT(kr_buf_str(found)), KR_FMT(kr_buf_str(&wanted)));
}

static void kr_run_check_spans(kr_run *run) {
  KR_CLEANUP(kr_buf_done) kr_buf found = KR_BUF_INIT(65536, NULL);
  size_t end = 0;
  for (uint32_t i = 0; i < run->rendered.n_spans; i++) {
    const kr_span *span = &run->rendered.spans[i];
    assert_true(span->secrets != 0);
    assert_true(span->offset >= end);
    end = (size_t)span->offset + span->len;
    assert_true(end <= run->rendered.buf.len);
    kr_run_write_span(run, span, &found);
  }
  kr_run_compare_lines(run, "span", &found);
}

static void kr_run_check_output(kr_run *run, kr_sink sink) {
  kr_str out = kr_buf_str(&run->rendered.buf);
  kr_str wanted = kr_case_get(run->test, "out", "");
  if (!kr_str_equal(out, wanted))
    fail_msg("out is\n%.*s\nnot\n%.*s", KR_FMT(out), KR_FMT(wanted));
  kr_run_check_spans(run);
  if (kr_case_get(run->test, "derived", "").len > 0)
    kr_run_compare_lines(run, "derived", &run->derived);
  assert_int_equal(run->rendered.is_null, kr_run_flag(run, "null"));
  assert_int_equal(run->rendered.is_partial, kr_run_flag(run, "partial"));
  const kr_json *json = NULL;
  bool is_json = sink == KR_SINK_VALUE || (sink == KR_SINK_JSON && out.len > 0);
  if (is_json && kr_json_parse(out, NULL, &run->arena, &json, &run->error) != KR_OK)
    fail_msg("the output is not JSON: %s", run->error.message);
}

static kr_status kr_run_compile(kr_run *run, kr_sink sink) {
  kr_str missing = kr_case_get(run->test, "missing", "strict");
  kr_compile_options options = {.sink = sink,
                                .missing =
                                    kr_str_equal(missing, KR_STR("nullish")) ? KR_MISSING_NULLISH
                                    : kr_str_equal(missing, KR_STR("empty")) ? KR_MISSING_EMPTY
                                                                             : KR_MISSING_STRICT,
                                .allow_raw = kr_run_flag(run, "raw"),
                                .decide_on_secrets = kr_run_flag(run, "decide"),
                                .secrets = &run->names,
                                .fields = run->fields,
                                .n_fields = run->n_fields,
                                .is_processed_open = run->n_fields == 0,
                                .evaluator = kr_vm_evaluator()};
  kr_str template = kr_case_get(run->test, "template", "");
  kr_str body = kr_case_get(run->test, "body", "");
  kr_status status =
      body.len > 0
          ? kr_compile_body(kr_run_json(run, "body"), &options, &run->program, &run->diagnostics)
          : kr_compile(template, &options, &run->program, &run->diagnostics);
  for (size_t i = 0; i < run->diagnostics.count; i++)
    kr_run_note(run, run->diagnostics.items[i].is_error, &run->diagnostics.items[i].error);
  return status;
}

/* 0, 1, 2, ... from the first call on */
static kr_status kr_run_fill(void *ctx, void *out, size_t len, kr_error *reterr) {
  uint8_t *next = ctx;
  (void)reterr;
  for (size_t i = 0; i < len; i++)
    ((uint8_t *)out)[i] = (*next)++;
  return KR_OK;
}

/* 2026-01-02T03:04:05.678Z, unless the case says otherwise. */
static int64_t kr_run_wall_ms(void *ctx) {
  char text[32];
  (void)snprintf(text, sizeof(text), "%.*s", KR_FMT(kr_case_get(ctx, "now", "1767323045678")));
  return strtoll(text, NULL, 10);
}

static void kr_run_execute(kr_run *run, kr_sink sink) {
  run->source = (kr_secret_source){.values = run->values, .names = &run->names};
  kr_derived_sink derived = {.add = kr_run_add, .ctx = run};
  char fuel[16];
  (void)snprintf(fuel, sizeof(fuel), "%.*s", KR_FMT(kr_case_get(run->test, "fuel", "0")));
  uint8_t next = 0;
  kr_random random = {.fill = kr_run_fill, .ctx = &next};
  kr_clock clock = {.wall_ms = kr_run_wall_ms, .ctx = (void *)(uintptr_t)run->test};
  kr_render_input input = {.clock = &clock,
                           .payload = kr_run_json(run, "payload"),
                           .lookup = kr_run_json(run, "lookup"),
                           .processed = kr_run_json(run, "processed"),
                           .is_lookup_unknown = kr_run_flag(run, "unknown-lookup"),
                           .secrets = kr_run_flag(run, "preview") ? NULL : &run->source,
                           .derived = &derived,
                           .random = &random,
                           .fuel = (uint32_t)atoi(fuel)};
  bool truth = false;
  kr_status status = sink == KR_SINK_CONDITION
                         ? kr_vm_condition(run->vm, run->program, &input, &truth, &run->error)
                         : kr_vm_render(run->vm, run->program, &input, &run->rendered, &run->error);
  if (status != KR_OK) {
    kr_run_note(run, true, &run->error);
    assert_int_equal(run->rendered.buf.len, 0);
    assert_int_equal(run->rendered.n_spans, 0);
    for (uint32_t i = 0; i < run->names.count; i++)
      if (run->opened[i] != NULL) {
        kr_str value = kr_secret_reveal(run->opened[i]);
        assert_true(value.len < 4 ||
                    kr_str_find(kr_str_cstr(run->error.message), value, 0) == SIZE_MAX);
      }
  }
  kr_run_check_found(run);
  if (status != KR_OK)
    return;
  if (sink == KR_SINK_CONDITION)
    assert_true(kr_str_equal(kr_case_get(run->test, "truth", ""),
                             truth ? KR_STR("true") : KR_STR("false")));
  else
    kr_run_check_output(run, sink);
}

static int kr_run_setup(void **state) {
  kr_run *run = calloc(1, sizeof(kr_run));
  assert_non_null(run);
  run->test = *state;
  run->arena = KR_ARENA_INIT(16u * 1024u * 1024u, NULL);
  run->derived = KR_BUF_INIT(1u << 22, NULL);
  run->found = KR_BUF_INIT(65536, NULL);
  kr_rendered_init(&run->rendered);
  assert_int_equal(kr_secure_new(65536, &run->pool, NULL), KR_OK);
  assert_int_equal(kr_vm_new(&run->vm, NULL), KR_OK);
  *state = run;
  return 0;
}

static int kr_run_teardown(void **state) {
  kr_run *run = *state;
  for (size_t i = 0; i < KR_RUN_SECRETS_MAX; i++)
    kr_secret_free(run->opened[i]);
  kr_program_free(run->program);
  kr_vm_free(run->vm);
  kr_rendered_done(&run->rendered);
  kr_buf_done(&run->derived);
  kr_buf_done(&run->found);
  kr_secure_free(run->pool);
  kr_arena_done(&run->arena);
  free(run);
  return 0;
}

static void kr_run_case(void **state) {
  kr_run *run = *state;
  kr_sink sink = KR_SINK_TEXT;
  assert_true(kr_sink_from_name(kr_case_get(run->test, "sink", "text"), &sink));
  kr_run_inputs(run);
  if (kr_run_compile(run, sink) == KR_OK) {
    KR_CLEANUP(kr_buf_done) kr_buf dump = KR_BUF_INIT(1u << 24, NULL);
    assert_int_equal(kr_program_dump(run->program, &dump), KR_OK);
    kr_run_execute(run, sink);
  } else {
    assert_true(run->diagnostics.n_errors > 0);
    kr_run_check_found(run);
  }
}

int main(int argc, char **argv) {
  kr_cases cases = {0};
  for (int i = 1; i < argc; i++)
    kr_cases_read(&cases, argv[i]);
  struct CMUnitTest *tests = calloc(cases.count, sizeof(struct CMUnitTest));
  if (tests == NULL || cases.count == 0)
    return 1;
  for (size_t i = 0; i < cases.count; i++)
    tests[i] = (struct CMUnitTest){.name = cases.items[i].name,
                                   .test_func = kr_run_case,
                                   .setup_func = kr_run_setup,
                                   .teardown_func = kr_run_teardown,
                                   .initial_state = &cases.items[i]};
  int n_failed = _cmocka_run_group_tests("template cases", tests, cases.count, NULL, NULL);
  free(tests);
  kr_cases_done(&cases);
  return n_failed;
}
