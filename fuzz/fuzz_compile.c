/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_compile.c - any text, for any sink: it compiles to a program that passes
 * the verifier, can be disassembled and rendered as a preview, or there is a
 * diagnostic that lies within the text. What the stages show of it is UTF-8
 * without controls but line ends; printed, it prints the same again.
 *
 * Input: the sink (1 byte), then the template.
 */
#include "base/utf8.h"
#include "fuzz.h"
#include "lang/program.h"
#include "vm/render.h"

#define ARENA_BYTES (1024u * 1024u)
#define SINKS 9u
#define SHOWN_BYTES (64u * 1024u * 1024u)

static const char kr_fuzz_payload[] =
    "{\"a\":\"x/../\\u0000?#\\r\\n\\\"\",\"n\":12.50,\"t\":true,\"z\":null,"
    "\"o\":{\"k\":[1,\"two\",{\"three\":3}]},\"s\":\"a b\"}";

static void kr_fuzz_preview(const kr_program *program, kr_sink sink) {
  static kr_vm *vm; /* one for all inputs, as a thread would have */
  kr_arena arena = KR_ARENA_INIT(ARENA_BYTES, NULL);
  const kr_json *payload = NULL;
  bool truth = false;
  kr_rendered rendered;
  kr_rendered_init(&rendered);
  KR_FUZZ_MUST(vm != NULL || kr_vm_new(&vm, NULL) == KR_OK);
  KR_FUZZ_MUST(kr_json_parse(kr_str_cstr(kr_fuzz_payload), NULL, &arena, &payload, NULL) == KR_OK);
  kr_render_input input = {.payload = payload, .is_lookup_unknown = true};
  kr_error error = {0};
  kr_status status = sink == KR_SINK_CONDITION
                         ? kr_vm_condition(vm, program, &input, &truth, &error)
                         : kr_vm_render(vm, program, &input, &rendered, &error);
  KR_FUZZ_MUST(status == KR_OK || error.message[0] != '\0');
  for (uint32_t i = 0; i < rendered.n_spans; i++)
    KR_FUZZ_MUST(rendered.spans[i].offset + rendered.spans[i].len <= rendered.buf.len);
  kr_rendered_done(&rendered);
  kr_arena_done(&arena);
}

static void kr_fuzz_is_printable(const kr_buf *out) {
  KR_FUZZ_MUST(kr_utf8_is_valid(kr_buf_str(out)));
  for (size_t i = 0; i < out->len; i++)
    KR_FUZZ_MUST(out->ptr[i] >= 0x20 || out->ptr[i] == '\n');
}

/* Tokens and tree are there when there is a program, and safe to print as JSON strings. */
static void kr_fuzz_stages(kr_str text, const kr_compile_options *options, kr_status compiled) {
  static kr_diagnostics diagnostics;
  for (unsigned stage = KR_STAGE_TOKENS; stage <= KR_STAGE_TREE; stage++) {
    kr_buf out = KR_BUF_INIT(SHOWN_BYTES, NULL);
    kr_status status = kr_compile_show(text, options, (kr_compile_stage)stage, &diagnostics, &out);
    KR_FUZZ_MUST(compiled != KR_OK || status == KR_OK);
    KR_FUZZ_MUST(status == KR_OK || out.len == 0);
    kr_fuzz_is_printable(&out);
    kr_buf_done(&out);
  }
}

/* The compiler runs the verifier itself; running it on the finished program must change nothing. */
static void kr_fuzz_code(kr_program *program, kr_buf *out) {
  kr_error error = {0};
  KR_FUZZ_MUST(kr_program_verify(program, &error) == KR_OK);
  KR_FUZZ_MUST(kr_program_dump(program, out) == KR_OK);
  kr_fuzz_is_printable(out);
}

/* The canonical text is longer at times, so it may hit a limit; else it prints the same again. */
static void kr_fuzz_print(kr_str text, const kr_compile_options *options) {
  static kr_diagnostics diagnostics;
  kr_buf once = KR_BUF_INIT(SHOWN_BYTES, NULL);
  kr_buf twice = KR_BUF_INIT(SHOWN_BYTES, NULL);
  KR_FUZZ_MUST(kr_compile_show(text, options, KR_STAGE_PRINT, &diagnostics, &once) == KR_OK);
  kr_status status =
      kr_compile_show(kr_buf_str(&once), options, KR_STAGE_PRINT, &diagnostics, &twice);
  KR_FUZZ_MUST(status == KR_OK || status == KR_LIMIT);
  KR_FUZZ_MUST(status != KR_OK || kr_str_equal(kr_buf_str(&once), kr_buf_str(&twice)));
  kr_buf_done(&once);
  kr_buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static kr_secret_names names;
  static kr_diagnostics diagnostics;
  if (size == 0)
    return 0;
  names.count = 0;
  kr_compile_options options = {.sink = (kr_sink)(data[0] % SINKS),
                                .field = "fuzz",
                                .secrets = &names,
                                .allow_raw = true,
                                .is_processed_open = true,
                                .evaluator = kr_vm_evaluator()};
  kr_program *program = NULL;
  kr_str text = kr_str_from(data + 1, size - 1);
  kr_status status = kr_compile(text, &options, &program, &diagnostics);
  KR_FUZZ_MUST((status == KR_OK) == (diagnostics.n_errors == 0));
  for (size_t i = 0; i < diagnostics.count; i++)
    KR_FUZZ_MUST(diagnostics.items[i].error.span_offset <= text.len);
  kr_fuzz_stages(text, &options, status);
  if (status == KR_OK) {
    kr_buf code = KR_BUF_INIT(SHOWN_BYTES, NULL);
    kr_fuzz_code(program, &code);
    kr_buf_done(&code);
    kr_fuzz_print(text, &options);
    kr_fuzz_preview(program, options.sink);
  }
  kr_program_free(program);
  return 0;
}
