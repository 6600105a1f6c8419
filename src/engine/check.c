/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - everything that can be said of a connector without running it. */
#include "engine/plan.h"
#include "engine/settings.h"
#include "engine/values.h"

#include <stdio.h>

#define KR_CHECK_ARENA_BYTES (8u * 1024u * 1024u)
#define KR_CHECK_VALUE_BYTES 2048u
#define KR_CHECK_DETAIL_BYTES 128u

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

/* "41 + 3/32 x payload + 1/32 x secrets": each input in bytes. */
static void kr_check_bound_write(const kr_bound *bound, const char *unit, uint64_t limit,
                                 char out[KR_CHECK_VALUE_BYTES]) {
  static const char *const inputs[] = {"payload", "lookup", "processed", "secrets"};
  bool is_limit = bound->is_open || bound->fixed >= limit;
  int len = snprintf(out, KR_CHECK_VALUE_BYTES, "%llu",
                     (unsigned long long)(is_limit ? limit : bound->fixed));
  for (size_t i = 0; !is_limit && i < KR_COST_INPUTS; i++)
    if (bound->per[i] > 0)
      len += snprintf(out + len, KR_CHECK_VALUE_BYTES - (size_t)len, " + %llu%s x %s",
                      (unsigned long long)bound->per[i], unit, inputs[i]);
}

/* What a render costs and gives at most; beyond its limit it ends in an error. */
static kr_status kr_check_cost(const kr_checker *checker, const kr_plan_item *item,
                               kr_error *reterr) {
  kr_cost cost;
  char value[KR_CHECK_VALUE_BYTES];
  char detail[KR_CHECK_DETAIL_BYTES];
  if (kr_program_cost(item->program, &cost) != KR_OK)
    return kr_fail_nomem(reterr);
  kr_check_bound_write(&cost.fuel, "/32", KR_LIMIT_FUEL, value);
  if (cost.open_by != NULL)
    (void)snprintf(detail, sizeof detail, "the limit: %s has no bound of its own", cost.open_by);
  else
    (void)snprintf(detail, sizeof detail, "limit %u", KR_LIMIT_FUEL);
  KR_TRY(kr_check_fact_give(checker, "fuel", item->path, kr_str_cstr(value), detail));
  kr_sink sink = kr_program_sink(item->program);
  if (sink == KR_SINK_CONDITION)
    return KR_OK;
  kr_check_bound_write(&cost.output, "", kr_render_output_limit(sink), value);
  (void)snprintf(detail, sizeof detail, "%s %zu bytes",
                 cost.output.is_open ? "the limit," : "limit", kr_render_output_limit(sink));
  return kr_check_fact_give(checker, "output", item->path, kr_str_cstr(value), detail);
}

static kr_status kr_check_item(const kr_checker *checker, const kr_plan_item *item,
                               kr_error *reterr) {
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
  KR_TRY(kr_check_cost(checker, item, reterr));
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
    kr_status status = kr_values_check(engine, &org, KR_STR(""), &one, NULL, &error);
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
    KR_TRY(kr_check_item(checker, item, reterr));
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
