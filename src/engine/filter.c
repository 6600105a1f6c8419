/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - the redactor as a stream, which takes the newest values at each feed. */
#include "engine/redactor.h"

struct kr_filter {
  kr_redactor *redactor;
  kr_redactor_held held;
  kr_redact_stream *stream;
  kr_filter_write write;
  void *ctx;
};

KR_DEFINE_FREEP(kr_filter_freep, kr_filter, kr_filter_free)

static kr_status kr_filter_pass(void *ctx, kr_str bytes) {
  const kr_filter *filter = ctx;
  return filter->write(filter->ctx, bytes);
}

/* With may_change the stream keeps what a value that comes later may have begun in. */
static kr_status kr_filter_make(kr_redactor *redactor, const kr_filter_options *options,
                                bool may_change, kr_filter_write write, void *ctx,
                                kr_filter **ret_filter, kr_error *reterr) {
  KR_CLEANUP(kr_filter_freep) kr_filter *filter = kr_heap_memory()->alloc(sizeof *filter);
  if (filter == NULL)
    return kr_fail_nomem(reterr);
  *filter = (kr_filter){.redactor = kr_redactor_ref(redactor), .write = write, .ctx = ctx};
  KR_TRY(kr_redactor_take(redactor, &filter->held, reterr));
  const kr_redact_options redact_options = {.use_marker_names =
                                                options != NULL && options->use_marker_names};
  KR_TRY(kr_redact_stream_new(filter->held.set, &redact_options, kr_filter_pass, filter,
                              &filter->stream, reterr));
  if (may_change)
    kr_redact_stream_keep(filter->stream);
  *ret_filter = KR_TAKE(filter);
  return KR_OK;
}

kr_status kr_filter_new_on(kr_redactor *redactor, const kr_filter_options *options,
                           kr_filter_write write, void *ctx, kr_filter **ret_filter,
                           kr_error *reterr) {
  return kr_filter_make(redactor, options, true, write, ctx, ret_filter, reterr);
}

kr_status kr_filter_new(kr_engine *engine, kr_str org, const kr_filter_options *options,
                        kr_filter_write write, void *ctx, kr_filter **ret_filter,
                        kr_error *reterr) {
  KR_CLEANUP(kr_redactor_freep) kr_redactor *redactor = NULL;
  KR_TRY(kr_redactor_new_from_org(engine, org, &redactor, reterr));
  return kr_filter_make(redactor, options, true, write, ctx, ret_filter, reterr);
}

kr_status kr_filter_new_from_values(kr_str values_json, const kr_filter_options *options,
                                    kr_filter_write write, void *ctx, kr_filter **ret_filter,
                                    kr_error *reterr) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  KR_CLEANUP(kr_redactor_freep) kr_redactor *redactor = NULL;
  KR_TRY(kr_redactor_builder_new(&builder, reterr));
  KR_TRY(kr_redactor_builder_add_list(builder, values_json, reterr));
  KR_TRY(kr_redactor_builder_build(builder, &set, reterr));
  KR_TRY(kr_redactor_new(set, &redactor, reterr));
  return kr_filter_make(redactor, options, false, write, ctx, ret_filter, reterr);
}

static kr_status kr_filter_explain(kr_status status, kr_error *reterr) {
  switch (status) {
  case KR_OK:
    return KR_OK;
  case KR_NOMEM:
    return kr_fail_nomem(reterr);
  case KR_INVALID:
    return kr_fail(reterr, status, "the filter is finished");
  default:
    return kr_fail(reterr, status, "the redacted output was not taken");
  }
}

/* The newest values, before anything is decided with older ones. */
static kr_status kr_filter_renew(kr_filter *filter, kr_error *reterr) {
  KR_TRY(kr_redactor_take(filter->redactor, &filter->held, reterr));
  kr_status status = kr_redact_stream_update(filter->stream, filter->held.set);
  if (status == KR_LIMIT)
    return kr_fail_hint(reterr, KR_LIMIT,
                        "the values that came and went during the stream are over what one set "
                        "may hold",
                        "begin a new stream");
  return kr_filter_explain(status, reterr);
}

kr_status kr_filter_feed(kr_filter *filter, kr_str bytes, kr_error *reterr) {
  KR_TRY(kr_filter_renew(filter, reterr));
  return kr_filter_explain(kr_redact_stream_feed(filter->stream, bytes), reterr);
}

kr_status kr_filter_flush(kr_filter *filter, kr_error *reterr) {
  return kr_filter_renew(filter, reterr);
}

kr_status kr_filter_finish(kr_filter *filter, kr_error *reterr) {
  KR_TRY(kr_filter_renew(filter, reterr));
  return kr_filter_explain(kr_redact_stream_finish(filter->stream), reterr);
}

uint64_t kr_filter_count(const kr_filter *filter) {
  return kr_redact_stream_report(filter->stream)->n_runs;
}

uint64_t kr_filter_n_late(const kr_filter *filter) {
  return kr_redact_stream_report(filter->stream)->n_late_partial;
}

size_t kr_filter_n_held(const kr_filter *filter) { return kr_redact_stream_held(filter->stream); }

size_t kr_filter_n_short(const kr_filter *filter) {
  return kr_redact_set_n_short(kr_redact_stream_set(filter->stream));
}

kr_status kr_filter_hits(const kr_filter *filter, kr_filter_hit_visit visit, void *ctx) {
  return kr_hits_visit(kr_redact_stream_report(filter->stream),
                       kr_redact_stream_set(filter->stream), visit, ctx);
}

void kr_filter_free(kr_filter *filter) {
  if (filter == NULL)
    return;
  kr_redact_stream_free(filter->stream);
  kr_redactor_held_done(&filter->held);
  kr_redactor_free(filter->redactor);
  kr_heap_memory()->release(filter, sizeof *filter);
}
