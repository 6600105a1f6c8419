/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invoke.c - journey (a), from template to request: the steps of a run in their
 * order, in the table at the end of this file. A step either finishes, fails
 * (the run is then a failed event), or waits for the network and is followed by
 * the next one when its exchange is done. Nothing here blocks.
 */
#include "engine/policy.h"
#include "engine/run.h"
#include "engine/settings.h"
#include "engine/uses.h"

#include <stdio.h>

kr_render_input kr_run_input(const kr_run *run) {
  return (kr_render_input){.payload = run->payload,
                           .lookup = run->lookup,
                           .processed = run->processed_tree,
                           .is_lookup_unknown =
                               run->is_dry && run->connector->has_lookup && !run->has_lookup_answer,
                           .secrets = run->is_dry ? NULL : &run->secrets,
                           .derived = run->is_dry ? NULL : &run->derived_sink,
                           .clock = run->engine == NULL ? NULL : run->engine->clock};
}

/* ---- 1. compile: every field, before anything is decided or opened ---- */

static kr_status kr_invoke_compile(kr_run *run, kr_error *reterr) {
  bool decide_on_secrets = false;
  if (run->engine != NULL)
    KR_TRY(kr_engine_decides_on_secrets(run->engine, &run->org, &decide_on_secrets, reterr));
  KR_TRY(kr_plan_new(run->connector, decide_on_secrets, &run->plan, reterr));
  if (run->plan->n_errors == 0)
    return KR_OK;
  for (size_t i = 0; i < run->plan->n_findings; i++) {
    const kr_diagnostic *diagnostic = &run->plan->findings[i].diagnostic;
    if (!diagnostic->is_error)
      continue;
    if (reterr != NULL)
      *reterr = diagnostic->error;
    return diagnostic->error.status;
  }
  return kr_fail(reterr, KR_SYNTAX, "the connector has %zu errors", run->plan->n_errors);
}

/* ---- 2. names: a missing secret ends the run before any network I/O ---- */

static kr_status kr_invoke_names(kr_run *run, kr_error *reterr) {
  if (run->engine == NULL)
    return KR_OK;
  return kr_values_check(run->engine, &run->org, kr_str_cstr(run->environment), &run->plan->names,
                         run->policies, reterr);
}

/* ---- 3. trigger ---- */

/* Only where the organization allows it does a trigger compile that needs a secret. */
static bool kr_invoke_is_secret_trigger(const kr_run *run) {
  const kr_program *program = run->plan->trigger.program;
  return program != NULL && kr_program_secrets(program) != 0;
}

static kr_status kr_invoke_condition(kr_run *run, const kr_render_input *input, kr_error *reterr) {
  bool is_true = false;
  KR_TRY(kr_vm_condition(run->vm, run->plan->trigger.program, input, &is_true, reterr));
  if (!is_true)
    run->outcome = KR_OUTCOME_SKIPPED;
  return KR_OK;
}

static kr_status kr_invoke_trigger(kr_run *run, kr_error *reterr) {
  if (run->plan->trigger.program == NULL || kr_invoke_is_secret_trigger(run))
    return KR_OK;
  kr_render_input input = kr_run_input(run);
  /* It decides on the payload alone: no secret is open yet. */
  input.secrets = NULL;
  input.derived = NULL;
  return kr_invoke_condition(run, &input, reterr);
}

/* After the secrets are open. A dry run knows none: it shows what would be sent if it were true. */
static kr_status kr_invoke_secret_trigger(kr_run *run, kr_error *reterr) {
  if (run->is_dry || !kr_invoke_is_secret_trigger(run))
    return KR_OK;
  const kr_render_input input = kr_run_input(run);
  return kr_invoke_condition(run, &input, reterr);
}

/* ---- 4. secrets: pin one version of each, and say so durably first ---- */

static kr_status kr_invoke_intent(kr_run *run, kr_error *reterr) {
  kr_intent_secret secrets[KR_SECRETS_MAX];
  for (uint32_t i = 0; i < run->pinned.count; i++)
    secrets[i] = (kr_intent_secret){.name = kr_str_cstr(run->pinned.labels[i].text),
                                    .version = run->pinned.versions[i]};
  KR_CLEANUP(kr_buf_done)
  kr_buf connector = KR_BUF_INIT(KR_CONNECTOR_NAME_BYTES * 16u, kr_sensitive_memory());
  kr_status status = kr_redact_bytes(run->set, run->connector->name, NULL, &connector, NULL);
  if (status != KR_OK)
    return kr_buf_explain(&connector, status, "the redacted name of the connector", reterr);
  kr_intent intent = {.org_id = run->org.id,
                      .started_ms = run->started_ms,
                      .connector = kr_buf_str(&connector),
                      .secrets = secrets,
                      .n_secrets = run->pinned.count,
                      .redact_generation = run->generation};
  memcpy(intent.id, run->id, sizeof intent.id);
  return kr_events_intent(run->engine->events, &intent, reterr);
}

static kr_status kr_invoke_secrets(kr_run *run, kr_error *reterr) {
  if (run->is_dry)
    return KR_OK;
  const kr_secret_names *names = &run->plan->names;
  KR_TRY(kr_engine_redacts_run_only(run->engine, &run->org, &run->redacts_run_only, reterr));
  KR_TRY(kr_values_pin(run->engine, &run->org, kr_str_cstr(run->environment), names,
                       run->redacts_run_only, &run->pinned, run->policies, &run->set,
                       &run->generation, reterr));
  for (uint32_t i = 0; i < run->pinned.count; i++)
    run->views[i] = run->pinned.values[i];
  run->secrets = (kr_secret_source){.values = run->views, .names = names};
  run->derived = (kr_derived_values){.names = names, .pinned = &run->pinned, .builder = NULL};
  run->derived_sink = (kr_derived_sink){.add = kr_derived_values_add, .ctx = &run->derived};
  KR_TRY(kr_invoke_intent(run, reterr));
  return kr_uses_note(run, reterr);
}

/* ---- 5. and 7. rendering a request, and sending it ---- */

static kr_status kr_invoke_headers(kr_run *run, const kr_plan_item *items, size_t n_items,
                                   kr_request *request, kr_error *reterr) {
  const kr_render_input input = kr_run_input(run);
  for (size_t i = 0; i < n_items; i++) {
    kr_rendered *value = NULL;
    KR_TRY(kr_request_next_header(request, items[i].name, &value, reterr));
    KR_TRY(kr_vm_render(run->vm, items[i].program, &input, value, reterr));
  }
  return KR_OK;
}

static kr_status kr_invoke_query(kr_run *run, const kr_plan_item *items, size_t n_items,
                                 kr_request *request, kr_error *reterr) {
  const kr_render_input input = kr_run_input(run);
  kr_rendered value;
  kr_rendered_init(&value);
  kr_status status = KR_OK;
  for (size_t i = 0; i < n_items && status == KR_OK; i++) {
    status = kr_vm_render(run->vm, items[i].program, &input, &value, reterr);
    if (status == KR_OK)
      status = kr_request_add_query(request, items[i].name, &value, reterr);
  }
  kr_rendered_done(&value);
  return status;
}

static kr_status kr_invoke_send(kr_run *run, kr_run_exchange *exchange, kr_error *reterr) {
  KR_TRY(kr_policy_check(run, exchange->request, reterr));
  exchange->started_us = kr_clock_monotonic_us(kr_clock_system());
  if (run->is_dry)
    return KR_OK;
  kr_engine *engine = run->engine;
  (void)pthread_mutex_lock(&engine->mutex);
  kr_status status = engine->http == NULL ? kr_http_new(&engine->http, reterr) : KR_OK;
  kr_http *http = engine->http;
  (void)pthread_mutex_unlock(&engine->mutex);
  KR_TRY(status);
  const kr_http_options options = {.allow_private = run->allow_private,
                                   .timeout_ms = run->connector->timeout_ms};
  KR_TRY(kr_http_start(http, exchange->request, &options, &exchange->exchange, reterr));
  exchange->is_sent = true;
  run->is_waiting = true;
  return KR_OK;
}

static kr_status kr_invoke_lookup(kr_run *run, kr_error *reterr) {
  const kr_plan *plan = run->plan;
  if (!run->connector->has_lookup)
    return KR_OK;
  kr_run_exchange *exchange = &run->lookup_exchange;
  KR_TRY(kr_request_new(&exchange->request, reterr));
  kr_request *request = exchange->request;
  const kr_render_input input = kr_run_input(run);
  request->method = KR_STR("GET");
  request->origin = kr_program_origin(plan->lookup_url.program);
  KR_TRY(kr_vm_render(run->vm, plan->lookup_url.program, &input, &request->url, reterr));
  KR_TRY(kr_invoke_query(run, plan->lookup_query, run->connector->n_lookup_query, request, reterr));
  KR_TRY(kr_invoke_headers(run, plan->lookup_headers, run->connector->n_lookup_headers, request,
                           reterr));
  return kr_invoke_send(run, exchange, reterr);
}

/* The answer of an exchange that was sent; a status of 300 or more fails the step. */
static kr_status kr_invoke_answer(kr_run_exchange *exchange, const char *who, kr_error *reterr) {
  exchange->response = kr_exchange_response(exchange->exchange);
  exchange->is_answered = exchange->response->status != 0;
  if (exchange->response->error.status != KR_OK) {
    if (reterr != NULL)
      *reterr = exchange->response->error;
    return exchange->response->error.status;
  }
  int status = exchange->response->status;
  if (status < 300)
    return KR_OK;
  (void)kr_fail(reterr, KR_TRANSPORT, "the %s answered with status %d", who, status);
  if (status < 400)
    kr_error_hint(reterr, "redirects are not followed; use the final URL");
  return KR_TRANSPORT;
}

/* ---- 6. the lookup's answer becomes $lookup ---- */

static kr_status kr_invoke_lookup_answer(kr_run *run, kr_error *reterr) {
  kr_run_exchange *exchange = &run->lookup_exchange;
  if (!exchange->is_sent)
    return KR_OK;
  KR_TRY(kr_invoke_answer(exchange, "lookup", reterr));
  if (exchange->response->is_truncated)
    return kr_fail(reterr, KR_LIMIT, "the lookup's answer is over its limit of %u bytes",
                   KR_HTTP_RESPONSE_BYTES);
  kr_error parse = {0};
  kr_status status =
      kr_json_parse(exchange->response->body, NULL, &run->arena, &run->lookup, &parse);
  run->has_lookup_answer = status == KR_OK;
  if (status == KR_OK)
    return KR_OK;
  /* Not where: behind an echoed secret, the byte's number would tell the secret's length. */
  return kr_fail(reterr, status, "the lookup's answer is not valid JSON: %s", parse.message);
}

/* ---- 7. process fields, in order: each is there for the next ---- */

/* `"name":value` and the closing brace; the text is whole again, without it, on failure. */
static kr_status kr_processed_text(kr_rendered *all, kr_str name, const kr_rendered *value) {
  KR_CLEANUP(kr_buf_done) kr_buf key = KR_BUF_INIT(KR_CONNECTOR_MAX_BYTES, NULL);
  KR_TRY(kr_json_escape(name, &key));
  /* Room for all of it first: then nothing below can fail but the spans, which fail first. */
  KR_TRY(kr_buf_reserve(&all->buf, key.len + value->buf.len + sizeof "{\"\":}"));
  KR_TRY(kr_rendered_reserve_spans(all, value->n_spans));
  bool is_first = all->buf.len == 0;
  if (!is_first)
    all->buf.len--; /* reopen the object */
  KR_TRY(kr_buf_append(&all->buf, is_first ? KR_STR("{\"") : KR_STR(",\"")));
  KR_TRY(kr_buf_append(&all->buf, kr_buf_str(&key)));
  KR_TRY(kr_buf_append(&all->buf, KR_STR("\":")));
  KR_TRY(kr_rendered_append(all, value));
  return kr_buf_byte(&all->buf, '}');
}

/* One more member of $processed: in the text, whose spans the event needs, and in the tree. */
static kr_status kr_processed_append(kr_run *run, const kr_plan_item *item,
                                     const kr_rendered *value, kr_error *reterr) {
  kr_rendered *all = &run->processed;
  kr_status status = kr_processed_text(all, item->name, value);
  if (status == KR_LIMIT && value->n_spans > KR_LIMIT_SPANS - all->n_spans)
    return kr_fail(reterr, status, "the processed fields have over %u stretches from secrets",
                   KR_LIMIT_SPANS);
  KR_TRY(kr_buf_explain(&all->buf, status, "all processed fields", reterr));
  kr_str copy = {0};
  status = kr_arena_copy(&run->arena, kr_buf_str(&value->buf), &copy);
  if (status == KR_LIMIT)
    return kr_fail(reterr, status, "the data of the run is over its limit of %u bytes",
                   KR_RUN_ARENA_BYTES);
  if (status != KR_OK)
    return kr_fail_nomem(reterr);
  const kr_json *json = NULL;
  KR_TRY(kr_json_parse(copy, NULL, &run->arena, &json, reterr));
  run->processed_members[run->processed_root.count++] =
      (kr_json_member){.key = kr_json_string(item->name), .value = *json};
  return KR_OK;
}

static kr_status kr_processed_begin(kr_run *run, kr_error *reterr) {
  run->processed_members =
      kr_arena_calloc(&run->arena, run->connector->n_fields + 1, sizeof *run->processed_members);
  if (run->processed_members == NULL)
    return kr_fail_nomem(reterr);
  run->processed_root = (kr_json){.type = KR_JSON_OBJECT, .members = run->processed_members};
  run->processed_tree = &run->processed_root;
  return KR_OK;
}

static kr_status kr_invoke_fields(kr_run *run, kr_error *reterr) {
  if (run->connector->n_fields == 0)
    return KR_OK;
  KR_TRY(kr_processed_begin(run, reterr));
  kr_rendered value;
  kr_rendered_init(&value);
  kr_status status = KR_OK;
  for (size_t i = 0; i < run->connector->n_fields && status == KR_OK; i++) {
    const kr_plan_item *item = &run->plan->fields[i];
    const kr_render_input input = kr_run_input(run);
    status = kr_vm_render(run->vm, item->program, &input, &value, reterr);
    if (status != KR_OK)
      break;
    status = kr_processed_append(run, item, &value, reterr);
    if (status != KR_OK)
      kr_error_at(reterr, item->path, 0, 0);
  }
  kr_rendered_done(&value);
  return status;
}

/* ---- 8. perform ---- */

static kr_status kr_invoke_perform(kr_run *run, kr_error *reterr) {
  const kr_plan *plan = run->plan;
  kr_run_exchange *exchange = &run->perform_exchange;
  KR_TRY(kr_request_new(&exchange->request, reterr));
  kr_request *request = exchange->request;
  const kr_render_input input = kr_run_input(run);
  request->method = run->connector->method;
  request->origin = kr_program_origin(plan->url.program);
  KR_TRY(kr_vm_render(run->vm, plan->url.program, &input, &request->url, reterr));
  KR_TRY(kr_invoke_headers(run, plan->headers, run->connector->n_headers, request, reterr));
  if (plan->body.program != NULL) {
    KR_TRY(kr_vm_render(run->vm, plan->body.program, &input, &request->body, reterr));
    request->has_body = true;
    KR_TRY(kr_request_default_header(request, KR_STR("Content-Type"), KR_STR("application/json"),
                                     reterr));
  }
  KR_TRY(
      kr_request_default_header(request, KR_STR("Idempotency-Key"), kr_str_cstr(run->id), reterr));
  return kr_invoke_send(run, exchange, reterr);
}

static kr_status kr_invoke_perform_answer(kr_run *run, kr_error *reterr) {
  if (!run->perform_exchange.is_sent)
    return KR_OK;
  return kr_invoke_answer(&run->perform_exchange, "target", reterr);
}

/* ---- the steps, in order ---- */

typedef struct kr_invoke_step_row {
  const char *name; /* error.step of the event */
  kr_status (*run)(kr_run *run, kr_error *reterr);
} kr_invoke_step_row;

static const kr_invoke_step_row kr_invoke_steps[] = {
    {"compile", kr_invoke_compile},        {"secrets", kr_invoke_names},
    {"trigger", kr_invoke_trigger},        {"secrets", kr_invoke_secrets},
    {"trigger", kr_invoke_secret_trigger}, {"lookup", kr_invoke_lookup},
    {"lookup", kr_invoke_lookup_answer},   {"process", kr_invoke_fields},
    {"perform", kr_invoke_perform},        {"perform", kr_invoke_perform_answer},
};
#define KR_INVOKE_STEPS (sizeof kr_invoke_steps / sizeof kr_invoke_steps[0])

/* Is the exchange that the last step began still under way? */
static bool kr_invoke_is_waiting(kr_run *run) {
  const kr_run_exchange *exchanges[] = {&run->lookup_exchange, &run->perform_exchange};
  if (!run->is_waiting)
    return false;
  for (size_t i = 0; i < 2; i++)
    if (exchanges[i]->exchange != NULL && !kr_exchange_is_done(exchanges[i]->exchange))
      return true;
  run->is_waiting = false;
  return false;
}

kr_run_state kr_invoke_step(kr_run *run) {
  while (!run->is_done) {
    if (kr_invoke_is_waiting(run))
      return KR_RUN_NEED_HTTP;
    bool is_over = run->outcome != KR_OUTCOME_COMPLETED || run->next_step == KR_INVOKE_STEPS;
    if (is_over) {
      kr_ingest_run(run);
      run->is_done = true;
      break;
    }
    const kr_invoke_step_row *step = &kr_invoke_steps[run->next_step++];
    if (step->run(run, &run->error) == KR_OK)
      continue;
    /* A value that was derived and cannot be redacted: the reason is where it was refused. */
    if (run->error.status == KR_OK && run->derived.error.status != KR_OK)
      run->error = run->derived.error;
    run->outcome = KR_OUTCOME_FAILED;
    run->error_step = step->name;
  }
  return KR_RUN_DONE;
}
