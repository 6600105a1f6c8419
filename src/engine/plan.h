/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - a connector with every field compiled: what check reports on and a
 * run executes. Immutable once made; its programs share one table of secrets.
 */
#ifndef KR_ENGINE_PLAN_H
#define KR_ENGINE_PLAN_H

#include "connector/connector.h"
#include "lang/compile.h"

#include <krosyn/run.h>

/** One compiled template with its name (a header, a query parameter, a field). */
typedef struct kr_plan_item {
  kr_str name;
  const char *path; /* "perform.headers.X-API-Key" */
  kr_str text;
  kr_program *program; /* NULL: did not compile, or stands for "none" */
} kr_plan_item;

typedef struct kr_plan_finding {
  kr_diagnostic diagnostic;
  kr_str text; /* the template its span counts in */
} kr_plan_finding;

#define KR_PLAN_FINDINGS_MAX 64u

typedef struct kr_plan {
  const kr_connector *connector;
  kr_secret_names names;
  kr_plan_item trigger; /* program NULL: always */
  kr_plan_item lookup_url;
  kr_plan_item *lookup_headers;
  kr_plan_item *lookup_query;
  kr_plan_item *fields;
  kr_field_marks *marks; /* of fields */
  kr_plan_item url;
  kr_plan_item *headers;
  kr_plan_item body; /* program NULL: no body */
  bool is_body_json; /* a tree, or a text whose Content-Type is JSON */
  kr_plan_finding *findings;
  size_t n_findings; /* kept */
  size_t n_errors;   /* in all */
  kr_arena arena;
} kr_plan;

/**
 * Compile every field; a field that fails does not stop the others. KR_OK also
 * when there are errors: see n_errors. The connector must outlive the plan.
 * decide_on_secrets: what the organization has set.
 */
kr_status kr_plan_new(const kr_connector *connector, bool decide_on_secrets, kr_plan **ret_plan,
                      kr_error *reterr) KR_MUST_USE;
void kr_plan_free(kr_plan *plan);
KR_DEFINE_FREEP(kr_plan_freep, kr_plan, kr_plan_free)

/** All compiled items in the order of a run; false past the end. */
bool kr_plan_item_at(const kr_plan *plan, size_t index, const kr_plan_item **ret_item);

/** Hand every finding to a visitor. */
kr_status kr_plan_report(const kr_plan *plan, kr_finding_visit visit, void *ctx) KR_MUST_USE;

#endif
