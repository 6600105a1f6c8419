/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h (internal) - one run of a connector, between two calls of kr_run_step().
 *
 *   payload, connector --> plan --> trigger --> secrets, intent --> lookup --> fields --> perform
 * --> event
 *
 * invoke.c moves it (journey a), ingest.c records it (journey b). Everything a
 * run holds lives in sensitive memory and is wiped with it.
 */
#ifndef KR_ENGINE_RUN_H
#define KR_ENGINE_RUN_H

#include "connector/http.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "engine/values.h"
#include "secmem/sensitive.h"

#include <krosyn/run.h>

#define KR_RUN_ARENA_BYTES (64u * 1024u * 1024u) /* payload, lookup answer, trees of both */

/* A text of a kr_error that was cut is this near to the size of its place: "..." and a code point.
 */
#define KR_ERROR_CUT_BYTES 4u

/** One request and what came back; attempts are one for now. */
typedef struct kr_run_exchange {
  kr_request *request; /* NULL: not reached */
  bool is_sent;
  bool is_answered;
  uint64_t started_us;
  kr_exchange *exchange;
  const kr_response *response; /* NULL until it is there */
} kr_run_exchange;

typedef enum kr_run_outcome {
  KR_OUTCOME_COMPLETED,
  KR_OUTCOME_SKIPPED,
  KR_OUTCOME_FAILED
} kr_run_outcome;

struct kr_run {
  kr_engine *engine; /* NULL: a dry run without a home */
  kr_org org;
  bool is_dry;
  bool allow_private;
  kr_arena arena;
  const kr_connector *connector;
  const kr_json *payload;
  kr_plan *plan;
  kr_vm *vm;

  /* Identity and time. */
  char id[KR_UUID_TEXT_BYTES];
  int64_t started_ms;
  uint64_t started_us;

  /* Secrets of this run and what redacts its event. */
  char environment[KR_ENVIRONMENT_BYTES + 1];
  kr_secret_policy policies[KR_SECRETS_MAX]; /* of the secrets it names */
  kr_pinned pinned;
  const kr_secret *views[KR_SECRETS_MAX]; /* pinned.values, as kr_secret_source wants them */
  kr_secret_source secrets;
  kr_derived_values derived;
  kr_derived_sink derived_sink;
  kr_redact_set *set;    /* the organization's, or with redacts_run_only the pinned values */
  bool redacts_run_only; /* the setting redact-scope, when secrets were pinned */
  uint64_t generation;

  /* Data as it comes into being. */
  bool has_lookup_answer;
  const kr_json *lookup;
  kr_rendered processed;             /* one JSON object with the spans of all fields */
  kr_json_member *processed_members; /* room for every field */
  kr_json processed_root;            /* its count grows field by field */
  const kr_json *processed_tree;     /* NULL, or the root */
  kr_run_exchange lookup_exchange;
  kr_run_exchange perform_exchange;

  /* Where it stands. */
  unsigned next_step;
  bool is_waiting; /* for the network */
  bool is_done;
  bool is_lean;    /* the event leaves out data: with it, it would be over its limit */
  bool is_counted; /* in engine->n_runs */
  kr_run_outcome outcome;
  kr_error error;         /* of a failed run: what the event says */
  const char *error_step; /* the step it failed in */
  kr_status store_status; /* could the event be stored? */
  kr_error store_error;
  kr_redacted *record;
  kr_buf event; /* its JSON text with the sequence */
};

/** Microseconds since the run began, as milliseconds. */
int64_t kr_run_elapsed_ms(const kr_run *run);

/** The data templates see now. */
kr_render_input kr_run_input(const kr_run *run);

/* invoke.c: one step; KR_OK goes on. */
kr_run_state kr_invoke_step(kr_run *run);

/* ingest.c */
void kr_ingest_run(kr_run *run);

#endif
