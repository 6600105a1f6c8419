/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - everything that can be said of a connector without running it. */
#include "engine/plan.h"
#include "engine/settings.h"
#include "engine/values.h"

#include <stdio.h>

#define KR_CHECK_ARENA_BYTES (8u * 1024u * 1024u)
#define KR_CHECK_VALUE_BYTES 2048u

typedef struct kr_checker {
  const kr_plan *plan;
  kr_finding_visit findings;
  kr_check_visit facts;
  void *ctx;
} kr_checker;

static kr_status kr_check_fact_give(const kr_checker *checker, const char *kind, const char *field,
                                    kr_str value, const char *detail) {
  char text[KR_CHECK_VALUE_BYTES];
  (void)snprintf(text, sizeof text, "%.*s", KR_FMT(value));
  const kr_check_fact fact = {.kind = kind, .field = field, .value = text, .detail = detail};
  return checker->facts == NULL ? KR_OK : checker->facts(checker->ctx, &fact);
}

static kr_status kr_check_item(const kr_checker *checker, const kr_plan_item *item) {
  if (item->program == NULL)
    return KR_OK;
  unsigned secret = 0;
  uint8_t context = 0;
  for (size_t i = 0; kr_program_secret_site(item->program, i, &secret, &context); i++)
    KR_TRY(kr_check_fact_give(checker, "secret", item->path,
                              kr_secret_name(&checker->plan->names, secret),
                              kr_context_name(context)));
  for (size_t i = 0; i < kr_program_n_references(item->program); i++)
    KR_TRY(kr_check_fact_give(checker, "reference", item->path,
                              kr_program_reference(item->program, i), ""));
  bool is_url = item == &checker->plan->url || item == &checker->plan->lookup_url;
  if (!is_url)
    return KR_OK;
  kr_str origin = kr_program_origin(item->program);
  return kr_check_fact_give(checker, "host", item->path,
                            origin.len == 0 ? KR_STR("(from a secret)") : origin, "");
}

/* Each missing secret is a finding and a fact: a connector that cannot run is an error. */
static kr_status kr_check_names(const kr_checker *checker, kr_engine *engine, kr_str org_name,
                                size_t *n_missing, kr_error *reterr) {
  kr_org org = {0};
  KR_TRY(kr_engine_org(engine, org_name, &org, reterr));
  const kr_secret_names *names = &checker->plan->names;
  for (uint32_t i = 0; i < names->count; i++) {
    kr_secret_names one = {.count = 1};
    one.len[0] = names->len[i];
    memcpy(one.bytes[0], names->bytes[i], names->len[i]);
    kr_error error = {0};
    kr_status status = kr_values_check(engine, &org, &one, &error);
    if (status == KR_OK)
      continue;
    if (status != KR_MISSING) {
      if (reterr != NULL)
        *reterr = error;
      return status;
    }
    ++*n_missing;
    const kr_finding finding = {.is_error = true, .error = &error, .text = {0}};
    if (checker->findings != NULL)
      KR_TRY(checker->findings(checker->ctx, &finding));
    KR_TRY(kr_check_fact_give(checker, "missing-secret", "", kr_secret_name(names, i), ""));
  }
  return KR_OK;
}

static kr_status kr_check_plan(kr_checker *checker, kr_engine *engine, kr_str org,
                               kr_error *reterr) {
  const kr_plan *plan = checker->plan;
  if (checker->findings != NULL)
    KR_TRY(kr_plan_report(plan, checker->findings, checker->ctx));
  const kr_plan_item *item = NULL;
  for (size_t i = 0; kr_plan_item_at(plan, i, &item); i++)
    KR_TRY(kr_check_item(checker, item));
  size_t n_missing = 0;
  if (engine != NULL)
    KR_TRY(kr_check_names(checker, engine, org, &n_missing, reterr));
  size_t n_errors = plan->n_errors + n_missing;
  if (n_errors == 0)
    return KR_OK;
  return kr_fail(reterr, KR_SYNTAX, "the connector has %zu error%s", n_errors,
                 n_errors == 1 ? "" : "s");
}

kr_status kr_check(kr_engine *engine_or_null, kr_str org, kr_str connector_json,
                   kr_finding_visit findings, kr_check_visit facts, void *ctx, kr_error *reterr) {
  if (connector_json.len > KR_CONNECTOR_MAX_BYTES)
    return kr_fail(reterr, KR_LIMIT, "the connector is over its limit of %u bytes",
                   KR_CONNECTOR_MAX_BYTES);
  KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(KR_CHECK_ARENA_BYTES, NULL);
  const kr_connector *connector = NULL;
  KR_TRY(kr_connector_parse(connector_json, &arena, &connector, reterr));
  KR_CLEANUP(kr_plan_freep) kr_plan *plan = NULL;
  bool decide_on_secrets = false;
  if (engine_or_null != NULL) {
    kr_org found = {0};
    KR_TRY(kr_engine_org(engine_or_null, org, &found, reterr));
    KR_TRY(kr_engine_decides_on_secrets(engine_or_null, &found, &decide_on_secrets, reterr));
  }
  KR_TRY(kr_plan_new(connector, decide_on_secrets, &plan, reterr));
  kr_checker checker = {.plan = plan, .findings = findings, .facts = facts, .ctx = ctx};
  return kr_check_plan(&checker, engine_or_null, org, reterr);
}
