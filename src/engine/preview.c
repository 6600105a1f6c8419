/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview.c - one template compiled and rendered without any key or value: where
 * each secret would land is known from the template alone.
 */
#include "engine/document.h"
#include "engine/engine.h"
#include "engine/landing.h"
#include "engine/settings.h"
#include "engine/values.h"
#include "json/json.h"

#define KR_PREVIEW_ARENA_BYTES (64u * 1024u * 1024u)

typedef struct kr_previewer {
  const kr_preview_options *options;
  kr_org org; /* when there is an engine */
  bool decide_on_secrets;
  kr_arena arena;
  kr_secret_names names;
  kr_diagnostics diagnostics;
  kr_program *program;
  kr_vm *vm;
  kr_render_input input;
  kr_rendered rendered;
} kr_previewer;

static void kr_previewer_free(kr_previewer *previewer) {
  kr_rendered_done(&previewer->rendered);
  kr_vm_free(previewer->vm);
  kr_program_free(previewer->program);
  kr_arena_done(&previewer->arena);
  kr_heap_memory()->release(previewer, sizeof *previewer);
}
KR_DEFINE_FREEP(kr_previewer_freep, kr_previewer, kr_previewer_free)

static kr_status kr_previewer_new(const kr_preview_options *options, kr_previewer **ret,
                                  kr_error *reterr) {
  kr_previewer *previewer = kr_heap_memory()->alloc(sizeof *previewer);
  if (previewer == NULL)
    return kr_fail_nomem(reterr);
  memset(previewer, 0, sizeof *previewer);
  previewer->options = options;
  previewer->arena = KR_ARENA_INIT(KR_PREVIEW_ARENA_BYTES, NULL);
  kr_rendered_init(&previewer->rendered);
  *ret = previewer;
  return KR_OK;
}

static kr_status kr_preview_org(kr_previewer *previewer, kr_error *reterr) {
  kr_engine *engine = previewer->options->engine;
  if (engine == NULL)
    return KR_OK;
  KR_TRY(kr_engine_org(engine, previewer->options->org, &previewer->org, reterr));
  return kr_engine_decides_on_secrets(engine, &previewer->org, &previewer->decide_on_secrets,
                                      reterr);
}

static kr_status kr_preview_findings(const kr_previewer *previewer, kr_finding_visit visit,
                                     void *ctx) {
  for (size_t i = 0; visit != NULL && i < previewer->diagnostics.count; i++) {
    const kr_diagnostic *diagnostic = &previewer->diagnostics.items[i];
    const kr_finding finding = {.is_error = diagnostic->is_error,
                                .error = &diagnostic->error,
                                .text = previewer->options->text};
    KR_TRY(visit(ctx, &finding));
  }
  return KR_OK;
}

static kr_status kr_preview_compile(kr_previewer *previewer, kr_sink sink, kr_finding_visit visit,
                                    void *ctx, kr_error *reterr) {
  const kr_compile_options options = {.sink = sink,
                                      .field = "template",
                                      .missing = KR_MISSING_STRICT,
                                      .secrets = &previewer->names,
                                      .decide_on_secrets = previewer->decide_on_secrets,
                                      .is_processed_open = true,
                                      .evaluator = kr_vm_evaluator()};
  kr_status status =
      kr_compile(previewer->options->text, &options, &previewer->program, &previewer->diagnostics);
  KR_TRY(kr_preview_findings(previewer, visit, ctx));
  if (status == KR_OK)
    return KR_OK;
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  for (size_t i = 0; i < previewer->diagnostics.count; i++) {
    if (!previewer->diagnostics.items[i].is_error)
      continue;
    if (reterr != NULL)
      *reterr = previewer->diagnostics.items[i].error;
    return status;
  }
  return kr_fail(reterr, status, "the template does not compile");
}

static kr_status kr_preview_data(kr_previewer *previewer, const char *what, kr_str text,
                                 const kr_json **ret_json, kr_error *reterr) {
  if (text.len == 0)
    return KR_OK;
  return kr_document_parse(what, text, &previewer->arena, ret_json, reterr);
}

static kr_status kr_preview_load(kr_previewer *previewer, kr_error *reterr) {
  const kr_preview_options *options = previewer->options;
  kr_render_input *input = &previewer->input;
  KR_TRY(kr_preview_data(previewer, "payload", options->payload, &input->payload, reterr));
  KR_TRY(kr_preview_data(previewer, "lookup", options->lookup, &input->lookup, reterr));
  KR_TRY(kr_preview_data(previewer, "processed", options->processed, &input->processed, reterr));
  input->is_lookup_unknown = input->lookup == NULL;
  if (options->engine == NULL)
    return KR_OK;
  return kr_values_check(options->engine, &previewer->org, options->environment, &previewer->names,
                         NULL, reterr);
}

/* Every span becomes a marker; there is no value to search for. */
static kr_status kr_preview_text(const kr_rendered *rendered, kr_text *ret_text, kr_error *reterr) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(4u * KR_LIMIT_BODY_BYTES, NULL);
  KR_TRY(kr_redact_builder_new(&builder, reterr));
  KR_TRY(kr_redact_builder_build(builder, &set, reterr));
  kr_status status = kr_redact_spans(set, kr_buf_str(&rendered->buf), rendered->spans,
                                     rendered->n_spans, NULL, &out, NULL);
  if (status != KR_OK)
    return kr_buf_explain(&out, status, "the preview", reterr);
  if (kr_text_append(ret_text, kr_buf_str(&out)) != KR_OK)
    return kr_fail_nomem(reterr);
  return KR_OK;
}

static kr_status kr_preview_condition(kr_previewer *previewer, kr_text *ret_text,
                                      kr_error *reterr) {
  bool is_true = false;
  KR_TRY(kr_vm_condition(previewer->vm, previewer->program, &previewer->input, &is_true, reterr));
  if (kr_text_append(ret_text, is_true ? KR_STR("true") : KR_STR("false")) != KR_OK)
    return kr_fail_nomem(reterr);
  return KR_OK;
}

kr_status kr_preview(const kr_preview_options *options, kr_text *ret_text,
                     kr_finding_visit findings, kr_landing_visit landings, void *ctx,
                     kr_error *reterr) {
  kr_sink sink = KR_SINK_TEXT;
  if (options->sink != NULL && !kr_sink_from_name(kr_str_cstr(options->sink), &sink))
    return kr_fail_hint(reterr, KR_INVALID, "there is no such sink",
                        "one of: url, query, header, json, form, xml, text, condition, value");
  KR_CLEANUP(kr_previewer_freep) kr_previewer *previewer = NULL;
  KR_TRY(kr_previewer_new(options, &previewer, reterr));
  KR_TRY(kr_preview_org(previewer, reterr));
  KR_TRY(kr_preview_compile(previewer, sink, findings, ctx, reterr));
  KR_TRY(kr_preview_load(previewer, reterr));
  KR_TRY(kr_vm_new(&previewer->vm, reterr));
  if (sink == KR_SINK_CONDITION)
    return kr_preview_condition(previewer, ret_text, reterr);
  KR_TRY(kr_vm_render(previewer->vm, previewer->program, &previewer->input, &previewer->rendered,
                      reterr));
  KR_TRY(kr_preview_text(&previewer->rendered, ret_text, reterr));
  if (landings == NULL)
    return KR_OK;
  return kr_landing_each(&previewer->rendered, &previewer->names, "template", landings, ctx);
}
