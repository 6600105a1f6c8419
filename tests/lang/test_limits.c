/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_limits.c - every limit at its last good value and one beyond, and every
 * allocation of a compile failing in turn.
 */
#include "lang/program.h"
#include "support/failalloc.h"
#include "vm/render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

typedef struct kr_fixture {
  kr_secret_names names;
  kr_diagnostics diagnostics;
  kr_vm *vm;
  kr_rendered rendered;
  kr_error error;
  kr_buf text;
} kr_fixture;

static int kr_setup(void **state) {
  static kr_fixture fixture;
  fixture = (kr_fixture){.text = KR_BUF_INIT(8u << 20, NULL)};
  assert_int_equal(kr_vm_new(&fixture.vm, NULL), KR_OK);
  kr_rendered_init(&fixture.rendered);
  *state = &fixture;
  return 0;
}

static int kr_teardown(void **state) {
  kr_fixture *fixture = *state;
  kr_vm_free(fixture->vm);
  kr_rendered_done(&fixture->rendered);
  kr_buf_done(&fixture->text);
  return 0;
}

static void kr_put(kr_fixture *fixture, const char *text, size_t n) {
  for (size_t i = 0; i < n; i++)
    assert_int_equal(kr_buf_append(&fixture->text, kr_str_cstr(text)), KR_OK);
}

/* Compile what was put, and if that goes well render it; the code of the first error, or 0. */
static unsigned kr_code_of(kr_fixture *fixture, kr_sink sink, const kr_json *payload) {
  kr_compile_options options = {.sink = sink, .secrets = &fixture->names};
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  kr_status status =
      kr_compile(kr_buf_str(&fixture->text), &options, &program, &fixture->diagnostics);
  kr_buf_reset(&fixture->text);
  if (status != KR_OK) {
    assert_true(fixture->diagnostics.n_errors > 0);
    assert_int_equal(status, fixture->diagnostics.items[0].error.status);
    return fixture->diagnostics.items[0].error.code;
  }
  kr_render_input input = {.payload = payload};
  status = kr_vm_render(fixture->vm, program, &input, &fixture->rendered, &fixture->error);
  if (status == KR_OK)
    return 0;
  assert_int_equal(status, fixture->error.status);
  return fixture->error.code;
}

static void kr_test_template_bytes(void **state) {
  kr_fixture *fixture = *state;
  kr_put(fixture, "x", KR_LIMIT_TEMPLATE_BYTES);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), 0);
  assert_int_equal(fixture->rendered.buf.len, KR_LIMIT_TEMPLATE_BYTES);
  kr_put(fixture, "x", KR_LIMIT_TEMPLATE_BYTES + 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), KR_E_TEMPLATE_BYTES);
}

static void kr_nested(kr_fixture *fixture, size_t depth) {
  kr_put(fixture, "trim(", depth);
  kr_put(fixture, "'x'", 1);
  kr_put(fixture, ")", depth);
}

static void kr_test_nesting(void **state) {
  kr_fixture *fixture = *state;
  kr_nested(fixture, KR_LIMIT_NESTING);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), 0);
  kr_nested(fixture, KR_LIMIT_NESTING + 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), KR_E_NESTING);
}

static void kr_array(kr_fixture *fixture, size_t n_items) {
  kr_put(fixture, "[", 1);
  kr_put(fixture, "1,", n_items);
  kr_put(fixture, "]", 1);
}

static void kr_test_nodes(void **state) {
  kr_fixture *fixture = *state;
  kr_array(fixture, KR_LIMIT_NODES - 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_VALUE, NULL), 0);
  kr_put(fixture, "toJson(", 1);
  kr_array(fixture, KR_LIMIT_NODES - 1);
  kr_put(fixture, ")", 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_VALUE, NULL), KR_E_NODES);
}

static void kr_test_path_steps(void **state) {
  kr_fixture *fixture = *state;
  kr_put(fixture, "exists($payload", 1);
  kr_put(fixture, ".a", KR_LIMIT_PATH_STEPS);
  kr_put(fixture, ")", 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), 0);
  kr_put(fixture, "exists($payload", 1);
  kr_put(fixture, ".a", KR_LIMIT_PATH_STEPS + 1);
  kr_put(fixture, ")", 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), KR_E_PATH_STEPS);
  kr_put(fixture, "x $payload", 1);
  kr_put(fixture, ".a", KR_LIMIT_PATH_STEPS + 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), KR_E_PATH_STEPS);
}

static void kr_test_arguments(void **state) {
  kr_fixture *fixture = *state;
  kr_put(fixture, "concat(", 1);
  kr_put(fixture, "1,", KR_LIMIT_ARGUMENTS);
  kr_put(fixture, ")", 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), 0);
  kr_put(fixture, "concat(", 1);
  kr_put(fixture, "1,", KR_LIMIT_ARGUMENTS + 1);
  kr_put(fixture, ")", 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), KR_E_ARGUMENTS);
}

static void kr_test_secrets(void **state) {
  kr_fixture *fixture = *state;
  for (unsigned i = 0; i < KR_SECRETS_MAX; i++)
    assert_int_equal(kr_buf_printf(&fixture->text, "$secret.S%u ", i), KR_OK);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), 0);
  assert_int_equal(fixture->rendered.n_spans, KR_SECRETS_MAX);
  kr_put(fixture, "$secret.ONE_MORE", 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), KR_E_SECRETS_MAX);
}

static void kr_test_secret_name(void **state) {
  kr_fixture *fixture = *state;
  kr_put(fixture, "$secret.", 1);
  kr_put(fixture, "A", KR_SECRET_NAME_BYTES);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), 0);
  kr_put(fixture, "$secret.", 1);
  kr_put(fixture, "A", KR_SECRET_NAME_BYTES + 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), KR_E_BAD_SECRET_NAME);
}

static void kr_repeat(kr_fixture *fixture, const char *head, size_t n) {
  assert_int_equal(kr_buf_printf(&fixture->text, "%s${repeat('x', %zu)}", head, n), KR_OK);
}

static void kr_test_outputs(void **state) {
  kr_fixture *fixture = *state;
  kr_repeat(fixture, "https://h.example/", KR_LIMIT_URL_BYTES - 18);
  assert_int_equal(kr_code_of(fixture, KR_SINK_URL, NULL), 0);
  kr_repeat(fixture, "https://h.example/", KR_LIMIT_URL_BYTES - 17);
  assert_int_equal(kr_code_of(fixture, KR_SINK_URL, NULL), KR_E_OUTPUT_BYTES);
  kr_repeat(fixture, "", KR_LIMIT_HEADER_BYTES);
  assert_int_equal(kr_code_of(fixture, KR_SINK_HEADER, NULL), 0);
  kr_repeat(fixture, "", KR_LIMIT_HEADER_BYTES + 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_HEADER, NULL), KR_E_OUTPUT_BYTES);
  kr_repeat(fixture, "", KR_LIMIT_STRING_BYTES);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), 0);
  kr_repeat(fixture, "", KR_LIMIT_STRING_BYTES + 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), KR_E_STRING_BYTES);
  kr_repeat(fixture, "x", KR_LIMIT_BODY_BYTES);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), KR_E_OUTPUT_BYTES);
}

static void kr_test_fuel(void **state) {
  kr_fixture *fixture = *state;
  kr_put(fixture, "${length(repeat('x', 1000000))}", 10);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), KR_E_FUEL);
  /* hostile loops must be bounded by fuel, not by patience */
  kr_put(fixture, "repeat('', 9000000000000000000)", 1);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), 0);
  kr_put(fixture, "padStart('', 9000000000000000000)", 1);
  assert_int_not_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), 0);
}

static void kr_test_diagnostics_max(void **state) {
  kr_fixture *fixture = *state;
  kr_put(fixture, "${nope(1)} ", KR_DIAGNOSTICS_MAX + 5);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), KR_E_UNKNOWN_FUNCTION);
  assert_int_equal(fixture->diagnostics.count, KR_DIAGNOSTICS_MAX);
  assert_int_equal(fixture->diagnostics.n_errors, KR_DIAGNOSTICS_MAX + 5);
}

static void kr_test_slots(void **state) {
  kr_fixture *fixture = *state;
  for (unsigned i = 0; i < 2100; i++)
    assert_int_equal(kr_buf_printf(&fixture->text, "$payload.a%u.b ", i), KR_OK);
  assert_int_equal(kr_code_of(fixture, KR_SINK_TEXT, NULL), KR_E_NODES);
}

/* How many instructions a template comes to, and what it renders. */
static uint32_t kr_folded(kr_fixture *fixture, const char *text, size_t *ret_len) {
  kr_secret_names names = {0};
  kr_compile_options options = {
      .sink = KR_SINK_TEXT, .secrets = &names, .evaluator = kr_vm_evaluator()};
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  assert_int_equal(kr_compile(kr_str_cstr(text), &options, &program, &fixture->diagnostics), KR_OK);
  kr_render_input input = {0};
  assert_int_equal(kr_vm_render(fixture->vm, program, &input, &fixture->rendered, &fixture->error),
                   KR_OK);
  *ret_len = fixture->rendered.buf.len;
  return program->n_code;
}

/* A result of so many bytes takes the place of its call, and one more does not. */
static void kr_test_fold_bytes(void **state) {
  kr_fixture *fixture = *state;
  char text[64];
  size_t len = 0;
  size_t most = KR_LIMIT_FOLD_BYTES - 2; /* as JSON, in its quotes */
  (void)snprintf(text, sizeof(text), "repeat('x', %zu)", most);
  assert_int_equal(kr_folded(fixture, text, &len), 2); /* emit-literal, halt */
  assert_int_equal(len, most);
  (void)snprintf(text, sizeof(text), "repeat('x', %zu)", most + 1);
  assert_int_equal(kr_folded(fixture, text, &len), 5); /* two constants, call, emit, halt */
  assert_int_equal(len, most + 1);
}

/* After the fuel of a compile is spent nothing more is folded, and all is rendered as it is. */
static void kr_test_fold_fuel(void **state) {
  kr_fixture *fixture = *state;
  size_t len = 0;
  assert_int_equal(kr_folded(fixture, "${length(repeat('x', 1000))}${uppercase('a')}", &len), 2);
  uint32_t n_code = kr_folded(fixture, "${length(repeat('x', 1000000))}${uppercase('a')}",
                              &len); /* 62 500 units */
  assert_int_equal(len, 8);
  assert_true(n_code > 6);
}

static const char kr_sample[] =
    "{\"a\": $payload.x.y, \"b\": \"${uppercase(concat($secret.A, $payload.x.z))}\", "
    "\"c\": ${if($payload.x.w?, [1, \"x\"], {\"k\": join(\",\", split(\" \", $payload.t))})}, "
    "\"d\": ${concat($payload.t, uppercase(\"a\"), \"b\")}, \"e\": ${toJson([1, {\"k\": \"v\"}])}, "
    "\"f\": ${padStart($payload.t, 3, \"0\")}}";

static void kr_test_compile_nomem(void **state) {
  (void)state;
  for (size_t n = 0; n < 10000; n++) {
    kr_secret_names names = {0};
    kr_compile_options options = {
        .sink = KR_SINK_JSON, .secrets = &names, .evaluator = kr_vm_evaluator()};
    kr_diagnostics diagnostics;
    KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
    kr_test_fail_at(n);
    kr_status status = kr_compile(kr_str_cstr(kr_sample), &options, &program, &diagnostics);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      return;
    }
    assert_int_equal(status, KR_NOMEM);
    assert_null(program);
  }
  fail_msg("the compile never ran out of allocations to refuse");
}

static void kr_test_cost_nomem(void **state) {
  (void)state;
  kr_secret_names names = {0};
  kr_compile_options options = {.sink = KR_SINK_JSON, .secrets = &names};
  kr_diagnostics diagnostics;
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  assert_int_equal(kr_compile(kr_str_cstr(kr_sample), &options, &program, &diagnostics), KR_OK);
  for (size_t n = 0; n < 100; n++) {
    kr_cost cost;
    kr_test_fail_at(n);
    kr_status status = kr_program_cost(program, &cost);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      assert_false(cost.fuel.is_open || cost.output.is_open);
      assert_true(n > 0);
      return;
    }
    assert_int_equal(status, KR_NOMEM);
    assert_true(cost.fuel.is_open && cost.output.is_open); /* never a bound that was not found */
  }
  fail_msg("no allocation was left to refuse");
}

/* A bound beyond all sense is no bound: sums of sums must not wrap around to a small one. */
static void kr_test_cost_is_huge(void **state) {
  kr_fixture *fixture = *state;
  kr_diagnostics diagnostics;
  kr_secret_names names = {0};
  kr_compile_options options = {.sink = KR_SINK_TEXT, .secrets = &names};
  kr_buf_reset(&fixture->text);
  assert_int_equal(kr_buf_printf(&fixture->text, "${"), KR_OK);
  for (unsigned i = 0; i < 20; i++)
    assert_int_equal(kr_buf_printf(&fixture->text, "repeat("), KR_OK);
  assert_int_equal(kr_buf_printf(&fixture->text, "$payload.x"), KR_OK);
  for (unsigned i = 0; i < 20; i++)
    assert_int_equal(kr_buf_printf(&fixture->text, ", 1000000)"), KR_OK);
  assert_int_equal(kr_buf_printf(&fixture->text, "}"), KR_OK);
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  kr_cost cost;
  assert_int_equal(kr_compile(kr_buf_str(&fixture->text), &options, &program, &diagnostics), KR_OK);
  assert_int_equal(kr_program_cost(program, &cost), KR_OK);
  assert_true(cost.fuel.is_open && cost.output.is_open);
  assert_string_equal(cost.open_by, "repeat");
}

#define KR_LIMIT_TEST(function) cmocka_unit_test_setup_teardown(function, kr_setup, kr_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      KR_LIMIT_TEST(kr_test_template_bytes), KR_LIMIT_TEST(kr_test_nesting),
      KR_LIMIT_TEST(kr_test_nodes),          KR_LIMIT_TEST(kr_test_path_steps),
      KR_LIMIT_TEST(kr_test_arguments),      KR_LIMIT_TEST(kr_test_secrets),
      KR_LIMIT_TEST(kr_test_secret_name),    KR_LIMIT_TEST(kr_test_outputs),
      KR_LIMIT_TEST(kr_test_fuel),           KR_LIMIT_TEST(kr_test_diagnostics_max),
      KR_LIMIT_TEST(kr_test_fold_bytes),     KR_LIMIT_TEST(kr_test_fold_fuel),
      KR_LIMIT_TEST(kr_test_slots),          cmocka_unit_test(kr_test_compile_nomem),
      KR_LIMIT_TEST(kr_test_cost_is_huge),   cmocka_unit_test(kr_test_cost_nomem),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
