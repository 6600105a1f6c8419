/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.c - the redactor as a stream filter, from an organization's values or
 * from a JSON list of values.
 */
#include "base/encode.h"
#include "engine/values.h"
#include "secmem/sensitive.h"
#include "json/json.h"

#include <stdio.h>

#define KR_FILTER_ARENA_BYTES (256u * 1024u * 1024u)
#define KR_FILTER_VALUES_BYTES (64u * 1024u * 1024u) /* of the JSON list */

struct kr_filter {
  kr_redact_set *set;
  kr_redact_stream *stream;
  kr_filter_write write;
  void *ctx;
};

KR_DEFINE_FREEP(kr_filter_freep, kr_filter, kr_filter_free)

static kr_status kr_filter_pass(void *ctx, kr_str bytes) {
  const kr_filter *filter = ctx;
  return filter->write(filter->ctx, bytes);
}

/* Takes over the set, also on failure. */
static kr_status kr_filter_make(kr_redact_set *set, const kr_filter_options *options,
                                kr_filter_write write, void *ctx, kr_filter **ret_filter,
                                kr_error *reterr) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *owned = set;
  KR_CLEANUP(kr_filter_freep) kr_filter *filter = kr_heap_memory()->alloc(sizeof *filter);
  if (filter == NULL)
    return kr_fail_nomem(reterr);
  *filter = (kr_filter){.set = KR_TAKE(owned), .stream = NULL, .write = write, .ctx = ctx};
  const kr_redact_options redact_options = {.use_marker_names =
                                                options != NULL && options->use_marker_names};
  KR_TRY(kr_redact_stream_new(filter->set, &redact_options, kr_filter_pass, filter, &filter->stream,
                              reterr));
  *ret_filter = KR_TAKE(filter);
  return KR_OK;
}

kr_status kr_filter_new(kr_engine *engine, kr_str org_name, const kr_filter_options *options,
                        kr_filter_write write, void *ctx, kr_filter **ret_filter,
                        kr_error *reterr) {
  kr_org org = {0};
  kr_redact_set *set = NULL;
  uint64_t generation = 0;
  KR_TRY(kr_engine_org(engine, org_name, &org, reterr));
  KR_TRY(kr_values_set(engine, &org, &set, &generation, reterr));
  return kr_filter_make(set, options, write, ctx, ret_filter, reterr);
}

static kr_status kr_filter_bad_item(const char *what, kr_error *reterr) {
  (void)kr_fail(reterr, KR_INVALID, "it %s", what);
  kr_error_hint(reterr, "the list holds strings, or objects {\"name\": \"N\", \"value\": \"V\"} or "
                        "{\"name\": \"N\", \"value_b64\": \"...\"}");
  return KR_INVALID;
}

/* One item of the list: a string, or an object with a name and a value. */
static kr_status kr_filter_add_item(kr_redact_builder *builder, const kr_json *item, size_t index,
                                    kr_buf *decoded, kr_error *reterr) {
  char number[32];
  (void)snprintf(number, sizeof number, "value-%zu", index + 1);
  if (item->type == KR_JSON_STRING)
    return kr_redact_builder_add(builder, kr_str_cstr(number), 0, kr_json_text(item), reterr);
  if (item->type != KR_JSON_OBJECT)
    return kr_filter_bad_item("is neither a string nor an object", reterr);
  const kr_json *name = kr_json_get(item, KR_STR("name"));
  const kr_json *value = kr_json_get(item, KR_STR("value"));
  const kr_json *encoded = kr_json_get(item, KR_STR("value_b64"));
  if (name != NULL && name->type != KR_JSON_STRING)
    return kr_filter_bad_item("has a name that is not a string", reterr);
  if ((value == NULL) == (encoded == NULL))
    return kr_filter_bad_item("needs exactly one of \"value\" and \"value_b64\"", reterr);
  const kr_json *given = value == NULL ? encoded : value;
  if (given->type != KR_JSON_STRING)
    return kr_filter_bad_item("has a value that is not a string", reterr);
  kr_str bytes = kr_json_text(given);
  if (encoded != NULL) {
    kr_buf_reset(decoded);
    kr_status status = kr_base64_decode(bytes, KR_BASE64_STANDARD, decoded);
    if (status == KR_INVALID)
      return kr_filter_bad_item("has a value_b64 that is not base64", reterr);
    if (status != KR_OK)
      return kr_buf_explain(decoded, status, "a decoded value", reterr);
    bytes = kr_buf_str(decoded);
  }
  kr_str label = name == NULL ? kr_str_cstr(number) : kr_json_text(name);
  return kr_redact_builder_add(builder, label, 0, bytes, reterr);
}

static kr_status kr_filter_add_all(kr_redact_builder *builder, const kr_json *list,
                                   kr_error *reterr) {
  KR_CLEANUP(kr_buf_done)
  kr_buf decoded = KR_BUF_INIT(KR_REDACT_MAX_VALUE_BYTES * 2u, kr_sensitive_memory());
  for (uint32_t i = 0; i < list->count; i++) {
    kr_error cause = {0};
    kr_status status = kr_filter_add_item(builder, &list->items[i], i, &decoded, &cause);
    if (status == KR_OK)
      continue;
    (void)kr_fail(reterr, status, "item %u of the values: %s", i + 1, cause.message);
    kr_error_hint(reterr, "%s", cause.hint);
    return status;
  }
  return KR_OK;
}

kr_status kr_filter_new_from_values(kr_str values_json, const kr_filter_options *options,
                                    kr_filter_write write, void *ctx, kr_filter **ret_filter,
                                    kr_error *reterr) {
  KR_CLEANUP(kr_arena_done)
  kr_arena arena = KR_ARENA_INIT(KR_FILTER_ARENA_BYTES, kr_sensitive_memory());
  const kr_json_limits limits = {.max_bytes = KR_FILTER_VALUES_BYTES};
  const kr_json *list = NULL;
  kr_error cause = {0};
  kr_status status = kr_json_parse(values_json, &limits, &arena, &list, &cause);
  if (status != KR_OK) {
    (void)kr_fail(reterr, status, "the values are not valid JSON at byte %zu", cause.span_offset);
    kr_error_hint(reterr, "give an array of strings, or of {\"name\", \"value\"} objects");
    return status;
  }
  if (list->type != KR_JSON_ARRAY)
    return kr_fail_hint(reterr, KR_INVALID, "the values are not a JSON array",
                        "give an array of strings, or of {\"name\", \"value\"} objects");
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  kr_redact_set *set = NULL;
  KR_TRY(kr_redact_builder_new(&builder, reterr));
  KR_TRY(kr_filter_add_all(builder, list, reterr));
  KR_TRY(kr_redact_builder_build(builder, &set, reterr));
  return kr_filter_make(set, options, write, ctx, ret_filter, reterr);
}

kr_status kr_filter_feed(kr_filter *filter, kr_str bytes, kr_error *reterr) {
  kr_status status = kr_redact_stream_feed(filter->stream, bytes);
  return status == KR_OK ? KR_OK : kr_fail(reterr, status, "the redacted output was not taken");
}

kr_status kr_filter_finish(kr_filter *filter, kr_error *reterr) {
  kr_status status = kr_redact_stream_finish(filter->stream);
  return status == KR_OK ? KR_OK : kr_fail(reterr, status, "the redacted output was not taken");
}

uint64_t kr_filter_count(const kr_filter *filter) {
  return kr_redact_stream_report(filter->stream)->n_runs;
}

size_t kr_filter_n_short(const kr_filter *filter) { return kr_redact_set_n_short(filter->set); }

kr_status kr_filter_hits(const kr_filter *filter, kr_filter_hit_visit visit, void *ctx) {
  const kr_redact_report *report = kr_redact_stream_report(filter->stream);
  for (size_t i = 0; i < report->n_hits; i++) {
    const kr_redact_hit *hit = &report->hits[i];
    KR_TRY(visit(ctx, kr_redact_set_name(filter->set, hit->value),
                 kr_redact_form_name((kr_redact_form)hit->form), hit->count));
  }
  return KR_OK;
}

void kr_filter_free(kr_filter *filter) {
  if (filter == NULL)
    return;
  kr_redact_stream_free(filter->stream);
  kr_redact_set_free(filter->set);
  kr_heap_memory()->release(filter, sizeof *filter);
}
