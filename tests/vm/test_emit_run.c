/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_emit_run.c - the fast common case against the full one. What a render
 * writes for a value must be what the escaper of its context says, byte for
 * byte, wherever the value ends and wherever in it a byte needs care; fuel and
 * limits must be the same as without the run; and a remembered place of a key
 * must never be more than a guess.
 */
#include "vm/vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define TEXT_BYTES 80u
#define MANY_MEMBERS 70000u /* more than a hint can say */

typedef struct kr_run_stage {
  kr_vm *vm;
  kr_rendered rendered;
  kr_buf expected;
  kr_error error;
} kr_run_stage;

static int kr_run_setup(void **state) {
  static kr_run_stage stage;
  stage = (kr_run_stage){.expected = KR_BUF_INIT(1u << 22, NULL)};
  assert_int_equal(kr_vm_new(&stage.vm, NULL), KR_OK);
  kr_rendered_init(&stage.rendered);
  *state = &stage;
  return 0;
}

static int kr_run_teardown(void **state) {
  kr_run_stage *stage = *state;
  kr_vm_free(stage->vm);
  kr_rendered_done(&stage->rendered);
  kr_buf_done(&stage->expected);
  return 0;
}

static kr_program *kr_run_program(kr_sink sink, const char *text) {
  static kr_secret_names names;
  kr_diagnostics diagnostics;
  kr_compile_options options = {.sink = sink, .secrets = &names};
  kr_program *program = NULL;
  if (kr_compile(kr_str_cstr(text), &options, &program, &diagnostics) != KR_OK)
    fail_msg("%s: %s", text, diagnostics.items[0].error.message);
  return program;
}

typedef struct kr_run_row {
  const char *name;
  kr_sink sink;
  const char *template; /* $payload.x once */
  kr_context context;
  const char *before; /* what stands around the value in the output */
  const char *after;
} kr_run_row;

static const kr_run_row kr_run_rows[] = {
    {"text", KR_SINK_TEXT, "<$payload.x>", KR_CONTEXT_TEXT, "<", ">"},
    {"json string", KR_SINK_JSON, "[\"$payload.x\"]", KR_CONTEXT_JSON_STRING, "[\"", "\"]"},
    {"json value", KR_SINK_JSON, "[$payload.x]", KR_CONTEXT_JSON_VALUE, "[\"", "\"]"},
    {"value", KR_SINK_VALUE, "$payload.x", KR_CONTEXT_VALUE, "\"", "\""},
    {"url path", KR_SINK_URL, "https://h.example/a$payload.x", KR_CONTEXT_URL_PATH,
     "https://h.example/a", ""},
    {"url query", KR_SINK_URL, "https://h.example/?q=$payload.x", KR_CONTEXT_URL_QUERY,
     "https://h.example/?q=", ""},
    {"query", KR_SINK_QUERY, "$payload.x", KR_CONTEXT_QUERY, "", ""},
    {"form", KR_SINK_FORM, "a=$payload.x", KR_CONTEXT_FORM, "a=", ""},
    {"xml text", KR_SINK_XML, "<a>$payload.x</a>", KR_CONTEXT_XML_TEXT, "<a>", "</a>"},
    {"xml attribute", KR_SINK_XML, "<a b=\"$payload.x\"/>", KR_CONTEXT_XML_ATTRIBUTE, "<a b=\"",
     "\"/>"},
    {"header", KR_SINK_HEADER, "v=$payload.x;", KR_CONTEXT_HEADER, "v=", ";"},
    {"call", KR_SINK_JSON, "[\"${concat($payload.x, '')}\"]", KR_CONTEXT_JSON_STRING, "[\"", "\"]"},
};

static kr_status kr_run_expect(kr_run_stage *stage, const kr_run_row *row, kr_str text) {
  kr_escape escape = {.context = row->context, .whole = text};
  kr_buf_reset(&stage->expected);
  if (!kr_escape_accepts(&escape))
    return KR_INVALID;
  kr_status status = kr_buf_append(&stage->expected, kr_str_cstr(row->before));
  if (status == KR_OK)
    status = kr_escape_chunk(&escape, 0, text.len, &stage->expected);
  if (status == KR_OK)
    status = kr_buf_append(&stage->expected, kr_str_cstr(row->after));
  return status;
}

static void kr_run_compare(kr_run_stage *stage, const kr_run_row *row, const kr_program *program,
                           kr_str text) {
  kr_json_member member = {.key = kr_json_string(KR_STR("x")), .value = kr_json_string(text)};
  kr_json payload = {.type = KR_JSON_OBJECT, .count = 1, .members = &member};
  kr_render_input input = {.payload = &payload};
  kr_status wanted = kr_run_expect(stage, row, text);
  kr_status status = kr_vm_render(stage->vm, program, &input, &stage->rendered, &stage->error);
  assert_int_equal(status, wanted);
  if (status != KR_OK)
    return;
  assert_int_equal(stage->rendered.n_spans, 0);
  assert_int_equal(stage->rendered.buf.len, stage->expected.len);
  assert_memory_equal(stage->rendered.buf.ptr, stage->expected.ptr, stage->expected.len);
}

/* Every length, exact memory (sanitizers see a read past it), each byte value at each place. */
static void kr_run_test_row(void **state) {
  kr_run_stage *stage = *state;
  for (size_t r = 0; r < sizeof(kr_run_rows) / sizeof(kr_run_rows[0]); r++) {
    const kr_run_row *row = &kr_run_rows[r];
    kr_program *program = kr_run_program(row->sink, row->template);
    for (size_t len = 0; len <= TEXT_BYTES; len += len < 36 ? 1 : 11) {
      uint8_t *text = kr_heap_memory()->alloc(len);
      memset(text, 'a', len);
      kr_run_compare(stage, row, program, kr_str_from(text, len));
      for (size_t at = 0; at < len; at += len < 20 ? 1 : 5)
        for (unsigned byte = 0; byte < 256; byte++) {
          text[at] = (uint8_t)byte;
          kr_run_compare(stage, row, program, kr_str_from(text, len));
          text[at] = 'a';
        }
      kr_heap_memory()->release(text, len);
    }
    kr_program_free(program);
  }
}

static void kr_run_test_utf8(void **state) {
  kr_run_stage *stage = *state;
  static const char *const texts[] = {"\xC3\xA9",
                                      "aaaaaaaaaaaaaaa\xC3\xA9\"",
                                      "\xF0\x9F\x98\x80 \xE4\xB8\xAD\\\n\x01\x1F\x7F",
                                      "\xC3",
                                      "aaaaaaaaaaaaaaaaaa\xED\xA0\x80",
                                      "\xC2\x85",
                                      "\xEF\xBF\xBF"};
  for (size_t r = 0; r < sizeof(kr_run_rows) / sizeof(kr_run_rows[0]); r++) {
    kr_program *program = kr_run_program(kr_run_rows[r].sink, kr_run_rows[r].template);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
      kr_run_compare(stage, &kr_run_rows[r], program, kr_str_cstr(texts[i]));
    kr_program_free(program);
  }
}

/* The least fuel that is enough, counted up from 1. */
static uint32_t kr_run_least_fuel(kr_run_stage *stage, const kr_program *program,
                                  kr_render_input input, kr_rendered *rendered) {
  for (input.fuel = 1; input.fuel < 10000; input.fuel++)
    if (kr_vm_render(stage->vm, program, &input, rendered, &stage->error) == KR_OK)
      return input.fuel;
  fail_msg("never enough");
  return 0;
}

/* One unit an instruction and a step, one for 32 bytes: written out, not computed by the VM. */
static void kr_run_test_fuel(void **state) {
  kr_run_stage *stage = *state;
  kr_arena arena = KR_ARENA_INIT(1u << 20, NULL);
  const kr_json *payload = NULL;
  static const char text[] =
      "{\"a\":{\"b\":\"0123456789012345678901234567890123456789\"},\"c\":[1,\"x\\ty\"]}";
  assert_int_equal(kr_json_parse(kr_str_cstr(text), NULL, &arena, &payload, &stage->error), KR_OK);
  kr_render_input input = {.payload = payload};
  kr_program *program =
      kr_run_program(KR_SINK_JSON, "[\"$payload.a.b\",\"$payload.a.b\",\"$payload.c[1]\"]");
  /* 4 literals, 3 references of which 2 have 40 bytes, 4 steps (a, b, c, [1]), halt */
  uint32_t wanted = 4 + 3 + 2 + 4 + 1;
  assert_int_equal(kr_run_least_fuel(stage, program, input, &stage->rendered), wanted);
  kr_rendered fresh; /* no room yet: every instruction in full */
  kr_rendered_init(&fresh);
  assert_int_equal(kr_run_least_fuel(stage, program, input, &fresh), wanted);
  kr_rendered_done(&fresh);
  kr_program_free(program);
  kr_arena_done(&arena);
}

/* At the limit of the sink, one byte before and one behind it, warm and fresh. */
static void kr_run_test_limit(void **state) {
  kr_run_stage *stage = *state;
  kr_program *program = kr_run_program(KR_SINK_HEADER, "v=$payload.x;");
  static uint8_t text[KR_LIMIT_HEADER_BYTES];
  memset(text, 'a', sizeof(text));
  for (int round = 0; round < 2; round++)
    for (size_t len = sizeof(text) - 5; len < sizeof(text); len++) {
      kr_json_member member = {.key = kr_json_string(KR_STR("x")),
                               .value = kr_json_string(kr_str_from(text, len))};
      kr_json payload = {.type = KR_JSON_OBJECT, .count = 1, .members = &member};
      kr_render_input input = {.payload = &payload};
      kr_status wanted = len + 3 <= KR_LIMIT_HEADER_BYTES ? KR_OK : KR_LIMIT;
      assert_int_equal(kr_vm_render(stage->vm, program, &input, &stage->rendered, &stage->error),
                       wanted);
      if (wanted == KR_OK)
        assert_int_equal(stage->rendered.buf.len, len + 3);
      else
        assert_int_equal(stage->rendered.buf.len, 0);
    }
  kr_program_free(program);
}

/* Text that grows sixfold into buffers of every capacity: what is written is within it. */
static void kr_run_test_growth(void **state) {
  kr_run_stage *stage = *state;
  static uint8_t text[1500];
  memset(text, 1, sizeof(text));
  const kr_run_row *row = &kr_run_rows[1];
  kr_program *program = kr_run_program(row->sink, row->template);
  for (size_t first = 1; first < sizeof(text); first += 37)
    for (size_t len = 1; len < sizeof(text); len += 113) {
      kr_rendered_done(&stage->rendered);
      kr_run_compare(stage, row, program, kr_str_from(text, first));
      kr_run_compare(stage, row, program, kr_str_from(text, len));
      assert_true(stage->rendered.buf.len <= stage->rendered.buf.cap);
    }
  kr_program_free(program);
}

static void kr_run_check_text(kr_run_stage *stage, const kr_program *program, const char *payload,
                              const char *wanted) {
  kr_arena arena = KR_ARENA_INIT(1u << 20, NULL);
  const kr_json *json = NULL;
  assert_int_equal(kr_json_parse(kr_str_cstr(payload), NULL, &arena, &json, &stage->error), KR_OK);
  kr_render_input input = {.payload = json};
  kr_status status = kr_vm_render(stage->vm, program, &input, &stage->rendered, &stage->error);
  assert_int_equal(status, wanted == NULL ? KR_MISSING : KR_OK);
  if (wanted != NULL)
    assert_true(kr_str_equal(kr_buf_str(&stage->rendered.buf), kr_str_cstr(wanted)));
  kr_arena_done(&arena);
}

static void kr_run_test_hints(void **state) {
  kr_run_stage *stage = *state;
  kr_program *program = kr_run_program(KR_SINK_TEXT, "$payload.aaaa-$payload.bbbb-$payload.c.d ");
  kr_program *other = kr_run_program(KR_SINK_TEXT, "$payload.c.d-$payload.bbbb ");
  for (int round = 0; round < 2; round++) {
    kr_run_check_text(stage, program, "{\"aaaa\":1,\"bbbb\":2,\"c\":{\"d\":3}}", "1-2-3 ");
    kr_run_check_text(stage, other, "{\"aaaa\":1,\"bbbb\":2,\"c\":{\"d\":3}}", "3-2 ");
    kr_run_check_text(stage, program, "{\"bbbb\":2,\"aaaa\":1,\"c\":{\"e\":0,\"d\":3}}", "1-2-3 ");
    kr_run_check_text(stage, program,
                      "{\"c\":{\"d\":3},\"aaab\":8,\"x\":0,\"y\":0,\"bbbb\":2,"
                      "\"aaaa\":1}",
                      "1-2-3 ");
    kr_run_check_text(stage, program, "{\"aaab\":1,\"bbbb\":2,\"c\":{\"d\":3}}", NULL);
    kr_run_check_text(stage, program, "{\"aaaa\":1}", NULL);
    kr_run_check_text(stage, program, "{}", NULL);
    kr_run_check_text(stage, program, "[]", NULL);
  }
  kr_program_free(program);
  kr_program_free(other);
}

/* Beyond what a hint can hold the place is found by searching, each time. */
static void kr_run_test_many_members(void **state) {
  kr_run_stage *stage = *state;
  static kr_json_member members[MANY_MEMBERS];
  static char names[MANY_MEMBERS][8];
  for (unsigned i = 0; i < MANY_MEMBERS; i++) {
    (void)snprintf(names[i], sizeof(names[i]), "k%u", i);
    members[i].key = kr_json_string(kr_str_cstr(names[i]));
    members[i].value = members[i].key;
  }
  kr_json payload = {.type = KR_JSON_OBJECT, .count = MANY_MEMBERS, .members = members};
  kr_render_input input = {.payload = &payload};
  kr_program *program = kr_run_program(KR_SINK_TEXT, "$payload.k69999 $payload.k4463 ");
  for (int round = 0; round < 3; round++) {
    assert_int_equal(kr_vm_render(stage->vm, program, &input, &stage->rendered, &stage->error),
                     KR_OK);
    assert_true(kr_str_equal(kr_buf_str(&stage->rendered.buf), KR_STR("k69999 k4463 ")));
  }
  kr_program_free(program);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(kr_run_test_row, kr_run_setup, kr_run_teardown),
      cmocka_unit_test_setup_teardown(kr_run_test_utf8, kr_run_setup, kr_run_teardown),
      cmocka_unit_test_setup_teardown(kr_run_test_fuel, kr_run_setup, kr_run_teardown),
      cmocka_unit_test_setup_teardown(kr_run_test_limit, kr_run_setup, kr_run_teardown),
      cmocka_unit_test_setup_teardown(kr_run_test_growth, kr_run_setup, kr_run_teardown),
      cmocka_unit_test_setup_teardown(kr_run_test_hints, kr_run_setup, kr_run_teardown),
      cmocka_unit_test_setup_teardown(kr_run_test_many_members, kr_run_setup, kr_run_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
