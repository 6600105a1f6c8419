/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - making and freeing runs; the public interface of a run. */
#include "engine/run.h"
#include "engine/redactor.h"

#include "engine/document.h"

#include <stdio.h>

KR_DEFINE_FREEP(kr_run_freep, kr_run, kr_run_free)

static kr_status kr_run_parse(kr_run *run, const char *what, kr_str text, const kr_json **ret_json,
                              kr_error *reterr) {
  kr_str copy = {0};
  if (text.len > KR_JSON_MAX_BYTES) {
    (void)kr_fail(reterr, KR_LIMIT, "the %s is over its limit of %u bytes", what,
                  KR_JSON_MAX_BYTES);
    kr_error_at(reterr, what, 0, 0);
    return KR_LIMIT;
  }
  if (kr_arena_copy(&run->arena, text, &copy) != KR_OK)
    return kr_fail_nomem(reterr);
  return kr_document_parse(what, copy, &run->arena, ret_json, reterr);
}

static kr_status kr_run_identify(kr_run *run, kr_error *reterr) {
  const kr_clock *clock = run->engine == NULL ? kr_clock_system() : run->engine->clock;
  uint8_t random[10];
  KR_TRY(kr_crypto_random(random, sizeof random, reterr));
  run->started_ms = kr_clock_wall_ms(clock);
  run->started_us = kr_clock_monotonic_us(kr_clock_system());
  kr_uuid7_format(run->started_ms, random, run->id);
  return KR_OK;
}

/*
 * What is wrong with a connector quotes keys of it. Of one that holds a saved
 * value, in whatever form, nothing is quoted; when the values cannot be had to
 * look, that is the error, in place of this one.
 */
static kr_status kr_run_explain(const kr_run *run, kr_str connector, kr_status status,
                                kr_error *reterr) {
  KR_CLEANUP(kr_redactor_freep) kr_redactor *redactor = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf clean = KR_BUF_INIT(SIZE_MAX / 2, kr_sensitive_memory());
  bool quotes = reterr != NULL && reterr->source[0] != '\0';
  if (!quotes || run->is_dry)
    return status;
  kr_error quoting = *reterr;
  *reterr = (kr_error){0};
  KR_TRY(kr_redactor_new_from_org(run->engine, kr_str_cstr(run->org.name), &redactor, reterr));
  KR_TRY(kr_redactor_now(redactor, &set, reterr));
  if (kr_redact_bytes(set, connector, NULL, &clean, NULL) != KR_OK)
    return kr_fail_nomem(reterr);
  if (kr_str_equal(kr_buf_str(&clean), connector)) {
    *reterr = quoting;
    return status;
  }
  kr_wipe(&quoting, sizeof quoting);
  return kr_fail_hint(reterr, status,
                      "the connector is not valid; what is wrong is not shown, since it holds the "
                      "value of a secret",
                      "take the value out: a connector names secrets, $secret.NAME");
}

static kr_status kr_run_prepare(kr_run *run, const kr_run_options *options, kr_error *reterr) {
  if (run->engine == NULL && !run->is_dry)
    return kr_fail(reterr, KR_INVALID, "a run without a home can only be a dry run");
  if (run->engine != NULL && !run->is_dry)
    KR_TRY(kr_engine_need_key(run->engine, reterr));
  if (run->engine != NULL)
    KR_TRY(kr_engine_org(run->engine, options->org, &run->org, reterr));
  else
    (void)snprintf(run->org.name, sizeof run->org.name, "%.*s", KR_FMT(options->org));
  KR_TRY(kr_vault_environment_check(options->environment, reterr));
  if (options->environment.len > 0)
    memcpy(run->environment, options->environment.ptr, options->environment.len);
  kr_str text = {0};
  if (options->connector.len > KR_CONNECTOR_MAX_BYTES)
    return kr_fail(reterr, KR_LIMIT, "the connector is over its limit of %u bytes",
                   KR_CONNECTOR_MAX_BYTES);
  if (kr_arena_copy(&run->arena, options->connector, &text) != KR_OK)
    return kr_fail_nomem(reterr);
  kr_status status = kr_connector_parse(text, &run->arena, &run->connector, reterr);
  if (status != KR_OK)
    return kr_run_explain(run, text, status, reterr);
  if (options->payload.ptr != NULL)
    KR_TRY(kr_run_parse(run, "payload", options->payload, &run->payload, reterr));
  else
    run->payload = run->connector->example_payload;
  if (run->payload == NULL)
    return kr_fail_hint(reterr, KR_INVALID, "there is no payload",
                        "give one with --payload FILE, or add example_payload to the connector");
  if (options->is_dry && options->lookup.ptr != NULL) {
    KR_TRY(kr_run_parse(run, "lookup", options->lookup, &run->lookup, reterr));
    run->has_lookup_answer = true;
  }
  if (!run->connector->is_active && !run->is_dry)
    return kr_fail_hint(reterr, KR_REFUSED, "the connector is not active",
                        "set its \"status\" to \"active\"");
  return KR_OK;
}

kr_status kr_run_new(kr_engine *engine, const kr_run_options *options, kr_run **ret_run,
                     kr_error *reterr) {
  KR_CLEANUP(kr_run_freep) kr_run *run = kr_sensitive_memory()->alloc(sizeof *run);
  if (run == NULL)
    return kr_fail_nomem(reterr);
  memset(run, 0, sizeof *run);
  run->engine = engine;
  run->is_dry = options->is_dry;
  run->allow_private = options->allow_private;
  run->arena = KR_ARENA_INIT(KR_RUN_ARENA_BYTES, kr_sensitive_memory());
  run->event = KR_BUF_INIT(KR_RECORD_MAX_BYTES + 64u, kr_sensitive_memory());
  kr_rendered_init(&run->processed);
  run->processed.buf.limit = KR_JSON_MAX_BYTES;
  KR_TRY(kr_vm_new(&run->vm, reterr));
  KR_TRY(kr_run_identify(run, reterr));
  KR_TRY(kr_run_prepare(run, options, reterr));
  if (engine != NULL)
    (void)atomic_fetch_add(&engine->n_runs, 1);
  run->is_counted = engine != NULL;
  *ret_run = KR_TAKE(run);
  return KR_OK;
}

kr_run_state kr_run_step(kr_run *run) { return kr_invoke_step(run); }

static void kr_run_exchange_done(kr_run_exchange *exchange) {
  kr_exchange_free(exchange->exchange);
  kr_request_free(exchange->request);
}

void kr_run_free(kr_run *run) {
  if (run == NULL)
    return;
  /* Exchanges borrow their requests, the plan borrows the connector in the arena. */
  kr_run_exchange_done(&run->lookup_exchange);
  kr_run_exchange_done(&run->perform_exchange);
  kr_derived_values_done(&run->derived);
  kr_pinned_done(&run->pinned);
  kr_redact_set_free(run->set);
  kr_redacted_free(run->record);
  kr_rendered_done(&run->processed);
  kr_buf_done(&run->event);
  kr_vm_free(run->vm);
  kr_plan_free(run->plan);
  kr_arena_done(&run->arena);
  if (run->is_counted)
    (void)atomic_fetch_sub(&run->engine->n_runs, 1);
  kr_sensitive_memory()->release(run, sizeof *run);
}

kr_status kr_run_result(const kr_run *run, kr_error *reterr) {
  if (!run->is_done)
    return kr_fail(reterr, KR_INVALID, "the run is not done");
  if (run->store_status != KR_OK && reterr != NULL)
    *reterr = run->store_error;
  return run->store_status;
}

const char *kr_run_status(const kr_run *run) {
  static const char *const names[] = {"completed", "skipped", "failed"};
  return names[run->outcome];
}

kr_str kr_run_event(const kr_run *run) { return kr_buf_str(&run->event); }

/*
 * Findings quote the connector, and somebody may have written a value into it
 * that is also saved. A run knows the values, so it does not show such texts.
 */
typedef struct kr_run_reporter {
  const kr_redact_set *set;
  kr_finding_visit visit;
  void *ctx;
} kr_run_reporter;

/* Redact a text of a kr_error in place. One that fills its place may end inside a value: none. */
static kr_status kr_run_clean(const kr_redact_set *set, char *text, size_t size) {
  KR_CLEANUP(kr_buf_done) kr_buf clean = KR_BUF_INIT(SIZE_MAX / 2, kr_sensitive_memory());
  kr_str given = kr_str_cstr(text);
  KR_TRY(kr_redact_bytes(set, given, NULL, &clean, NULL));
  bool is_cut = given.len + KR_ERROR_CUT_BYTES >= size || clean.len >= size;
  if (!is_cut && kr_str_equal(kr_buf_str(&clean), given))
    return KR_OK;
  kr_wipe(text, size);
  if (!is_cut)
    memcpy(text, clean.ptr, clean.len);
  return KR_OK;
}

static kr_status kr_run_report_one(void *ctx, const kr_finding *finding) {
  const kr_run_reporter *reporter = ctx;
  KR_CLEANUP(kr_buf_done) kr_buf clean = KR_BUF_INIT(SIZE_MAX / 2, kr_sensitive_memory());
  KR_TRY(kr_redact_bytes(reporter->set, finding->text, NULL, &clean, NULL));
  bool is_clean = kr_str_equal(kr_buf_str(&clean), finding->text);
  kr_error error = *finding->error;
  KR_TRY(kr_run_clean(reporter->set, error.message, sizeof error.message));
  KR_TRY(kr_run_clean(reporter->set, error.hint, sizeof error.hint));
  KR_TRY(kr_run_clean(reporter->set, error.source, sizeof error.source));
  const kr_finding shown = {.is_error = finding->is_error,
                            .error = &error,
                            .text = is_clean ? finding->text : (kr_str){0}};
  return reporter->visit(reporter->ctx, &shown);
}

kr_status kr_run_findings(const kr_run *run, kr_finding_visit visit, void *ctx) {
  if (run->plan == NULL)
    return KR_OK;
  if (run->set == NULL)
    return kr_plan_report(run->plan, visit, ctx);
  kr_run_reporter reporter = {.set = run->set, .visit = visit, .ctx = ctx};
  return kr_plan_report(run->plan, kr_run_report_one, &reporter);
}

kr_status kr_http_drive(kr_engine *engine, uint32_t timeout_ms, kr_error *reterr) {
  if (engine == NULL)
    return KR_OK;
  (void)pthread_mutex_lock(&engine->mutex);
  kr_http *http = engine->http;
  (void)pthread_mutex_unlock(&engine->mutex);
  return http == NULL ? KR_OK : kr_http_step(http, timeout_ms, reterr);
}
