/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect.c - looking at the language itself: its functions, and what the
 * compiler makes of a template. Needs no home, no key and no data.
 */
#include "base/buf.h"
#include "lang/program.h"
#include "vm/render.h"
#include "json/json.h"

#include <krosyn/krosyn.h>

#define KR_INSPECT_LINE_BYTES 512u /* of a signature */
#define KR_DUMP_BYTES (64u * 1024u * 1024u)

/* "value, start, length?": the name at *offset, which moves behind it; empty at the end. */
static kr_str kr_inspect_argument(kr_str arguments, size_t *offset) {
  if (*offset >= arguments.len)
    return (kr_str){0};
  size_t end = kr_str_find(arguments, KR_STR(", "), *offset);
  kr_str name = kr_str_slice(arguments, *offset, end);
  *offset = end == SIZE_MAX ? arguments.len : end + 2;
  return name;
}

/* The names of the arguments that may be secrets. "..." stands for more of the same. */
static kr_status kr_inspect_secrets(const kr_function_info *row, kr_buf *out) {
  kr_str arguments = kr_str_cstr(row->arguments);
  size_t n_params = strlen(row->params);
  size_t index = 0;
  for (size_t offset = 0; offset < arguments.len;) {
    kr_str name = kr_inspect_argument(arguments, &offset);
    if (kr_str_equal(name, KR_STR("...")))
      continue;
    char letter = row->params[index < n_params ? index : n_params - 1];
    index++;
    if (letter < 'A' || letter > 'Z')
      continue;
    size_t end = kr_str_find(name, KR_STR(" "), 0); /* without its default */
    name = kr_str_slice(name, 0, end);
    if (kr_str_ends(name, KR_STR("?")))
      name.len--;
    KR_TRY(kr_buf_printf(out, "%s%.*s", out->len == 0 ? "" : ", ", KR_FMT(name)));
  }
  return kr_buf_byte(out, '\0');
}

kr_status kr_function_each(kr_function_visit visit, void *ctx) {
  for (unsigned i = 0; i < KR_FUNCTION_COUNT; i++) {
    KR_CLEANUP(kr_buf_done) kr_buf signature = KR_BUF_INIT(KR_INSPECT_LINE_BYTES, NULL);
    KR_CLEANUP(kr_buf_done) kr_buf secrets = KR_BUF_INIT(KR_INSPECT_LINE_BYTES, NULL);
    const kr_function_info *row = kr_function_row(i);
    KR_TRY(kr_buf_printf(&signature, "%s(%s)", row->name, row->arguments));
    KR_TRY(kr_buf_byte(&signature, '\0'));
    KR_TRY(kr_inspect_secrets(row, &secrets));
    const kr_function_entry entry = {.name = row->name,
                                     .group = row->group,
                                     .signature = (const char *)signature.ptr,
                                     .phrase = row->phrase,
                                     .secret_arguments = (const char *)secrets.ptr,
                                     .example = row->example,
                                     .result = row->expected};
    KR_TRY(visit(ctx, &entry));
  }
  return KR_OK;
}

static kr_status kr_dump_findings(kr_str text, const kr_diagnostics *diagnostics,
                                  kr_finding_visit visit, void *ctx) {
  for (size_t i = 0; visit != NULL && i < diagnostics->count; i++) {
    const kr_finding finding = {.is_error = diagnostics->items[i].is_error,
                                .error = &diagnostics->items[i].error,
                                .text = text};
    KR_TRY(visit(ctx, &finding));
  }
  return KR_OK;
}

static kr_status kr_dump_code(kr_str text, const kr_compile_options *options,
                              kr_diagnostics *diagnostics, kr_buf *out) {
  KR_CLEANUP(kr_program_freep) kr_program *program = NULL;
  KR_TRY(kr_compile(text, options, &program, diagnostics));
  return kr_program_dump(program, out);
}

static kr_status kr_dump_failed(kr_status status, const kr_diagnostics *diagnostics,
                                kr_error *reterr) {
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  for (size_t i = 0; i < diagnostics->count; i++) {
    if (!diagnostics->items[i].is_error)
      continue;
    if (reterr != NULL)
      *reterr = diagnostics->items[i].error;
    return status;
  }
  return kr_fail(reterr, status, "the template does not compile");
}

kr_status kr_dump(const kr_dump_options *options, kr_text *ret_text, kr_finding_visit findings,
                  void *ctx, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(KR_DUMP_BYTES, NULL);
  kr_secret_names names = {0};
  kr_diagnostics diagnostics = {0};
  kr_compile_options compile = {.sink = KR_SINK_TEXT,
                                .allow_raw = true,
                                .secrets = &names,
                                .is_processed_open = true,
                                .evaluator = kr_vm_evaluator()};
  if (options->sink != NULL && !kr_sink_from_name(kr_str_cstr(options->sink), &compile.sink))
    return kr_fail_hint(reterr, KR_INVALID, "there is no such sink",
                        "one of: url, query, header, json, form, xml, text, condition, value");
  kr_status status =
      options->stage == KR_DUMP_CODE
          ? kr_dump_code(options->text, &compile, &diagnostics, &out)
          : kr_compile_show(options->text, &compile,
                            options->stage == KR_DUMP_TOKENS ? KR_STAGE_TOKENS : KR_STAGE_TREE,
                            &diagnostics, &out);
  KR_TRY(kr_dump_findings(options->text, &diagnostics, findings, ctx));
  if (status != KR_OK)
    return kr_dump_failed(status, &diagnostics, reterr);
  if (kr_text_append(ret_text, kr_buf_str(&out)) != KR_OK)
    return kr_fail_nomem(reterr);
  return KR_OK;
}
