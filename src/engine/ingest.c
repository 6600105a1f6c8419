/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest.c - journey (b), from a finished run to the event log: fields with
 * their spans are redacted by position, everything else by value, a second scan
 * checks the result (redact/record.h), and only then the record is appended.
 * This is the one place where events are written; every reader sees what it wrote.
 * The shape of an event is described in docs/formats/event.md.
 */
#include "engine/ingest.h"

#include "engine/ingest_response.h"
#include "engine/run.h"
#include "engine/settings.h"

#include <stdio.h>

int64_t kr_run_elapsed_ms(const kr_run *run) {
  return (int64_t)((kr_clock_monotonic_us(kr_clock_system()) - run->started_us) / 1000);
}

#define KR_INGEST_SEQUENCE_BYTES 64u /* `{"sequence":` and 20 digits */

static const char *kr_ingest_status(const kr_run *run) {
  switch (run->outcome) {
  case KR_OUTCOME_COMPLETED:
    return kr_event_status_name(KR_EVENT_COMPLETED);
  case KR_OUTCOME_SKIPPED:
    return kr_event_status_name(KR_EVENT_SKIPPED);
  default:
    return kr_event_status_name(KR_EVENT_FAILED);
  }
}

/*
 * Did this text fill its place? Then it may have been cut, inside a value too,
 * and the search finds whole values only.
 */
static bool kr_ingest_is_cut(const char *text, size_t size) {
  return strlen(text) + KR_ERROR_CUT_BYTES >= size;
}

static void kr_ingest_message(kr_record *record, const char *field, const kr_error *error) {
  if (kr_ingest_is_cut(error->message, sizeof error->message))
    kr_record_typed(record, "a message too long to be searched for secrets");
  else
    kr_record_text(record, field, kr_str_cstr(error->message), NULL);
}

/* Of a path that was cut, the words of ours that it begins with. */
static void kr_ingest_place(kr_record *record, const kr_error *error) {
  static const char *const sections[] = {"process.lookup.headers", "process.lookup.query",
                                         "process.fields", "perform.headers", "perform.body"};
  if (!kr_ingest_is_cut(error->source, sizeof error->source)) {
    kr_record_text(record, "error.field", kr_str_cstr(error->source), NULL);
    return;
  }
  for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
    if (kr_str_starts(kr_str_cstr(error->source), kr_str_cstr(sections[i]))) {
      kr_record_typed(record, sections[i]);
      return;
    }
  kr_record_null(record);
}

/* {"code", "step", "field", "message", "hint"}: ours but for parts of the last three. */
static void kr_ingest_error(kr_record *record, const kr_error *error, const char *step) {
  char code[16];
  (void)snprintf(code, sizeof code, "E%u", error->code);
  kr_record_begin_object(record);
  kr_record_key(record, "code");
  kr_record_typed(record, error->code == 0 ? kr_status_name(error->status) : code);
  kr_record_key(record, "step");
  kr_record_typed(record, step);
  kr_record_key(record, "field");
  if (error->source[0] == '\0')
    kr_record_null(record);
  else
    kr_ingest_place(record, error);
  kr_record_key(record, "message");
  kr_ingest_message(record, "error.message", error);
  kr_record_key(record, "hint");
  if (error->hint[0] == '\0' || kr_ingest_is_cut(error->hint, sizeof error->hint))
    kr_record_null(record);
  else
    kr_record_text(record, "error.hint", kr_str_cstr(error->hint), NULL);
  kr_record_end_object(record);
}

static const kr_ingest_fields kr_ingest_lookup_fields = {
    "lookup.request.url",     "lookup.request.headers",  "lookup.request.body",
    "lookup.response.reason", "lookup.response.headers", "lookup.response.body",
    "lookup.response.error"};
static const kr_ingest_fields kr_ingest_perform_fields = {
    "perform.request.url",     "perform.request.headers",  "perform.request.body",
    "perform.response.reason", "perform.response.headers", "perform.response.body",
    "perform.response.error"};

static void kr_ingest_request_headers(kr_record *record, const kr_request *request,
                                      const kr_ingest_fields *fields) {
  kr_record_begin_array(record);
  for (size_t i = 0; i < request->n_headers; i++) {
    const kr_request_header *header = &request->headers[i];
    kr_record_begin_array(record);
    kr_record_text(record, fields->request_headers, header->name, NULL);
    kr_record_spans(record, fields->request_headers, kr_buf_str(&header->value.buf),
                    header->value.spans, header->value.n_spans);
    kr_record_end_array(record);
  }
  kr_record_end_array(record);
}

static void kr_ingest_request(kr_record *record, const kr_request *request,
                              const kr_ingest_fields *fields, bool is_json, bool is_lean) {
  bool is_truncated = false;
  char method[16];
  (void)snprintf(method, sizeof method, "%.*s", KR_FMT(request->method));
  kr_record_begin_object(record);
  kr_record_key(record, "method");
  kr_record_typed(record, method);
  kr_record_key(record, "url");
  kr_record_spans(record, fields->url, kr_buf_str(&request->url.buf), request->url.spans,
                  request->url.n_spans);
  kr_record_key(record, "headers");
  if (is_lean)
    kr_ingest_leave_out(record);
  else
    kr_ingest_request_headers(record, request, fields);
  kr_record_key(record, "body");
  if (!request->has_body)
    kr_record_null(record);
  else if (is_lean)
    kr_ingest_leave_out(record);
  else if (is_json)
    kr_record_json_spans(record, fields->request_body, kr_buf_str(&request->body.buf),
                         request->body.spans, request->body.n_spans, &is_truncated);
  else
    kr_record_spans(record, fields->request_body, kr_buf_str(&request->body.buf),
                    request->body.spans, request->body.n_spans);
  kr_record_end_object(record);
}

/* {"attempts": [...]}; empty when nothing was sent; null when there is no such step. */
static kr_status kr_ingest_exchange(kr_record *record, const kr_run *run, const kr_redact_set *set,
                                    const kr_run_exchange *exchange, const kr_ingest_fields *fields,
                                    bool is_json) {
  bool is_shown = exchange->is_sent || (run->is_dry && exchange->request != NULL &&
                                        run->outcome == KR_OUTCOME_COMPLETED);
  kr_record_begin_object(record);
  kr_record_key(record, "attempts");
  kr_record_begin_array(record);
  if (is_shown) {
    kr_record_begin_object(record);
    kr_record_key(record, "started_ms");
    kr_record_int(record, (int64_t)((exchange->started_us - run->started_us) / 1000));
    kr_record_key(record, "duration_ms");
    kr_record_int(record, exchange->response == NULL ? 0 : exchange->response->duration_ms);
    kr_record_key(record, "request");
    kr_ingest_request(record, exchange->request, fields, is_json, run->is_lean);
    kr_record_key(record, "response");
    if (exchange->is_answered)
      KR_TRY(kr_ingest_response(record, set, exchange->response, fields, run->is_lean));
    else
      kr_record_null(record);
    kr_record_key(record, "error");
    if (exchange->response != NULL && exchange->response->error.status != KR_OK)
      kr_ingest_message(record, fields->error, &exchange->response->error);
    else
      kr_record_null(record);
    kr_record_end_object(record);
  }
  kr_record_end_array(record);
  kr_record_end_object(record);
  return KR_OK;
}

static void kr_ingest_head(kr_record *record, const kr_run *run) {
  char started[KR_TIME_TEXT_BYTES];
  kr_time_format(run->started_ms, started);
  if (run->is_dry) {
    kr_record_key(record, "dry_run");
    kr_record_bool(record, true);
  } else {
    kr_record_key(record, "id");
    kr_record_typed(record, run->id);
  }
  kr_record_key(record, "organization");
  kr_record_typed(record, run->org.name);
  kr_record_key(record, "connector");
  kr_record_text(record, "connector", run->connector->name, NULL);
  kr_record_key(record, "started");
  kr_record_typed(record, started);
  kr_record_key(record, "duration_ms");
  kr_record_int(record, kr_run_elapsed_ms(run));
  kr_record_key(record, "status");
  kr_record_typed(record, kr_ingest_status(run));
  kr_record_key(record, "error");
  if (run->outcome == KR_OUTCOME_FAILED)
    kr_ingest_error(record, &run->error, run->error_step);
  else
    kr_record_null(record);
}

static kr_status kr_ingest_fields_of(kr_record *record, const kr_run *run,
                                     const kr_redact_set *set) {
  bool is_truncated = false;
  kr_record_key(record, "payload");
  if (run->payload == NULL)
    kr_record_null(record);
  else if (run->is_lean)
    kr_ingest_leave_out(record);
  else
    kr_record_json(record, "payload", run->payload, &is_truncated);
  kr_record_key(record, "lookup");
  KR_TRY(
      kr_ingest_exchange(record, run, set, &run->lookup_exchange, &kr_ingest_lookup_fields, false));
  kr_record_key(record, "processed");
  if (run->processed.buf.len == 0) {
    kr_record_begin_object(record);
    kr_record_end_object(record);
  } else if (run->is_lean) {
    kr_ingest_leave_out(record);
  } else {
    kr_record_json_spans(record, "processed", kr_buf_str(&run->processed.buf), run->processed.spans,
                         run->processed.n_spans, &is_truncated);
  }
  kr_record_key(record, "perform");
  return kr_ingest_exchange(record, run, set, &run->perform_exchange, &kr_ingest_perform_fields,
                            run->plan != NULL && run->plan->is_body_json);
}

static kr_status kr_ingest_record(kr_run *run, kr_redact_set *set, kr_error *reterr) {
  KR_CLEANUP(kr_record_freep) kr_record *record = NULL;
  KR_TRY(kr_record_new(set, &record, reterr));
  kr_str names[KR_SECRETS_MAX];
  uint32_t n_names = run->plan == NULL ? 0 : run->plan->names.count;
  for (uint32_t i = 0; i < n_names; i++)
    names[i] = kr_secret_name(&run->plan->names, i);
  kr_record_span_names(record, names, run->pinned.versions, n_names);
  kr_record_begin_object(record);
  kr_ingest_head(record, run);
  if (kr_ingest_fields_of(record, run, set) != KR_OK)
    return kr_fail_nomem(reterr);
  kr_record_key(record, "receipt");
  kr_record_receipt(record, run->generation);
  kr_record_end_object(record);
  return kr_record_finish(record, &run->record, reterr);
}

/* A run that pinned nothing, where only what it pinned is searched for. */
static kr_status kr_ingest_nothing(kr_run *run, kr_error *reterr) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_TRY(kr_redact_builder_new(&builder, reterr));
  return kr_redact_builder_build(builder, &run->set, reterr);
}

/*
 * Values may have been saved or replaced while the run was under way, here or by
 * another process, and a target may know them: the event is redacted with what
 * was there when the run began, what it pinned, and what is there now.
 */
static kr_status kr_ingest_newest(kr_run *run, kr_error *reterr) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *newest = NULL;
  uint64_t generation = 0;
  if (run->set == NULL)
    KR_TRY(kr_engine_redacts_run_only(run->engine, &run->org, &run->redacts_run_only, reterr));
  if (run->redacts_run_only)
    return run->set == NULL ? kr_ingest_nothing(run, reterr) : KR_OK;
  KR_TRY(kr_values_set(run->engine, &run->org, &newest, &generation, reterr));
  if (run->set != NULL && generation == run->generation)
    return KR_OK;
  kr_redact_set *all = NULL;
  if (run->set == NULL)
    all = KR_TAKE(newest);
  else
    KR_TRY(kr_values_join(run->set, newest, &all, reterr));
  kr_redact_set_free(run->set);
  run->set = all;
  run->generation = generation;
  return KR_OK;
}

/* The set of this event: the organization's values, and what the run made of them. */
static kr_status kr_ingest_set(kr_run *run, kr_redact_set **ret_set, kr_error *reterr) {
  if (run->is_dry) {
    KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
    KR_TRY(kr_redact_builder_new(&builder, reterr));
    return kr_redact_builder_build(builder, ret_set, reterr);
  }
  KR_TRY(kr_ingest_newest(run, reterr));
  return kr_derived_values_set(&run->derived, run->set, ret_set, reterr);
}

static kr_event_status kr_ingest_event_status(const kr_run *run) {
  if (run->outcome == KR_OUTCOME_COMPLETED)
    return KR_EVENT_COMPLETED;
  return run->outcome == KR_OUTCOME_SKIPPED ? KR_EVENT_SKIPPED : KR_EVENT_FAILED;
}

/* The event as readers get it: the stored record with its sequence in front. */
static kr_status kr_ingest_text(kr_run *run, uint64_t sequence, kr_error *reterr) {
  kr_str json = kr_redacted_text(run->record);
  kr_status status = KR_OK;
  if (sequence == 0) {
    status = kr_buf_append(&run->event, json);
  } else {
    status = kr_buf_printf(&run->event, "{\"sequence\":%llu,", (unsigned long long)sequence);
    if (status == KR_OK)
      status = kr_buf_append(&run->event, kr_str_skip(json, 1));
  }
  return kr_buf_explain(&run->event, status, "the event", reterr);
}

static kr_status kr_ingest_store(kr_run *run, kr_error *reterr) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  KR_TRY(kr_ingest_set(run, &set, reterr));
  kr_status status = kr_ingest_record(run, set, reterr);
  if (status == KR_LIMIT) {
    /* Each field is within its limit but all of them are not: keep what happened, leave out data.
     */
    run->is_lean = true;
    status = kr_ingest_record(run, set, reterr);
  }
  KR_TRY(status);
  if (run->is_dry)
    return kr_ingest_text(run, 0, reterr);
  /* Room first: once it is stored nothing may fail that would tell it is not. */
  status =
      kr_buf_reserve(&run->event, kr_redacted_text(run->record).len + KR_INGEST_SEQUENCE_BYTES);
  KR_TRY(kr_buf_explain(&run->event, status, "the event", reterr));
  kr_event_head head = {
      .org_id = run->org.id, .started_ms = run->started_ms, .status = kr_ingest_event_status(run)};
  memcpy(head.id, run->id, sizeof head.id);
  KR_TRY(kr_events_append(run->engine->events, &head, run->record, reterr));
  return kr_ingest_text(run, head.sequence, reterr);
}

void kr_ingest_run(kr_run *run) {
  run->store_status = kr_ingest_store(run, &run->store_error);
  bool is_sent = run->lookup_exchange.is_sent || run->perform_exchange.is_sent;
  if (run->store_status == KR_OK || !is_sent)
    return;
  char cause[KR_ERROR_MESSAGE_BYTES];
  (void)snprintf(cause, sizeof cause, "%s", run->store_error.message);
  (void)kr_fail(&run->store_error, run->store_status, "sent, not logged: %s", cause);
  kr_error_hint(&run->store_error,
                "mend the event log; the next start records this run as interrupted");
}

typedef struct kr_ingest_owner {
  uint32_t org_id;
  char name[KR_ORG_NAME_BYTES + 1]; /* "" when it is not there any more */
} kr_ingest_owner;

static kr_status kr_ingest_see_org(void *ctx, const kr_org *org) {
  kr_ingest_owner *owner = ctx;
  if (org->id == owner->org_id)
    memcpy(owner->name, org->name, sizeof owner->name);
  return KR_OK;
}

static kr_status kr_ingest_find_owner(kr_engine *engine, kr_ingest_owner *owner) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, NULL));
  return kr_vault_org_each(engine->vault, txn, kr_ingest_see_org, owner, NULL);
}

static void kr_ingest_interruption(kr_record *record) {
  kr_record_begin_object(record);
  kr_record_key(record, "code");
  kr_record_typed(record, "interrupted");
  kr_record_key(record, "step");
  kr_record_typed(record, "run");
  kr_record_key(record, "field");
  kr_record_null(record);
  kr_record_key(record, "message");
  kr_record_typed(record, "the process ended during the run; what was sent is not known");
  kr_record_key(record, "hint");
  kr_record_null(record);
  kr_record_end_object(record);
}

kr_status kr_ingest_interrupted(void *ctx, const kr_intent *intent, kr_redacted **ret_record) {
  kr_ingest_owner owner = {.org_id = intent->org_id};
  KR_TRY(kr_ingest_find_owner(ctx, &owner));
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  KR_CLEANUP(kr_record_freep) kr_record *record = NULL;
  /* The intent holds names and versions, and a connector name that was redacted then. */
  KR_TRY(kr_redact_builder_new(&builder, NULL));
  KR_TRY(kr_redact_builder_build(builder, &set, NULL));
  KR_TRY(kr_record_new(set, &record, NULL));
  char started[KR_TIME_TEXT_BYTES];
  kr_time_format(intent->started_ms, started);
  kr_record_begin_object(record);
  kr_record_key(record, "id");
  kr_record_typed(record, intent->id);
  kr_record_key(record, "organization");
  if (owner.name[0] == '\0')
    kr_record_null(record);
  else
    kr_record_typed(record, owner.name);
  kr_record_key(record, "connector");
  kr_record_text(record, "connector", intent->connector, NULL);
  kr_record_key(record, "started");
  kr_record_typed(record, started);
  kr_record_key(record, "status");
  kr_record_typed(record, kr_event_status_name(KR_EVENT_INTERRUPTED));
  kr_record_key(record, "error");
  kr_ingest_interruption(record);
  kr_record_key(record, "receipt");
  kr_record_receipt(record, intent->redact_generation);
  kr_record_end_object(record);
  return kr_record_finish(record, ret_record, NULL);
}
