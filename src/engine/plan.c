/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - compiles the fields of a connector in the order of a run, so that
 * each process field's marks are known to the templates after it.
 */
#include "engine/plan.h"
#include "vm/render.h"

#include <stdio.h>

#define KR_PLAN_ARENA_BYTES (8u * 1024u * 1024u)
#define KR_PLAN_PATH_BYTES (KR_CONNECTOR_NAME_BYTES + 64u)

/* What one compilation of a plan carries from field to field. */
typedef struct kr_planner {
  kr_plan *plan;
  bool decide_on_secrets;
  kr_diagnostics *diagnostics; /* one buffer, reused */
  size_t n_fields_known;
  kr_error *reterr;
} kr_planner;

/*
 * The leaf of a body that a diagnostic names: path is ".items[2].name". Keys may
 * hold dots, so every member that fits is tried. The tree's depth bounds this.
 */
static const kr_json *kr_plan_leaf(const kr_json *json, kr_str path) {
  if (path.len == 0)
    return json->type == KR_JSON_STRING ? json : NULL;
  for (uint32_t i = 0; json->type == KR_JSON_OBJECT && i < json->count; i++) {
    kr_str key = kr_json_text(&json->members[i].key);
    if (path.ptr[0] != '.' || !kr_str_starts(kr_str_skip(path, 1), key))
      continue;
    const kr_json *leaf = kr_plan_leaf(&json->members[i].value, kr_str_skip(path, 1 + key.len));
    if (leaf != NULL)
      return leaf;
  }
  for (uint32_t i = 0; json->type == KR_JSON_ARRAY && i < json->count; i++) {
    char index[16];
    int len = snprintf(index, sizeof index, "[%u]", (unsigned)i);
    if (len > 0 && kr_str_starts(path, kr_str_cstr(index)))
      return kr_plan_leaf(&json->items[i], kr_str_skip(path, (size_t)len));
  }
  return NULL;
}

/* The text that a diagnostic's span counts in: the item's own, or that of a leaf of the body. */
static kr_str kr_plan_finding_text(const kr_plan *plan, const kr_plan_item *item,
                                   const kr_diagnostic *diagnostic) {
  if (item != &plan->body || plan->connector->body->type == KR_JSON_STRING)
    return item->text;
  kr_str path = kr_str_skip(kr_str_cstr(diagnostic->error.source), strlen(item->path));
  const kr_json *leaf = kr_plan_leaf(plan->connector->body, path);
  return leaf == NULL ? (kr_str){0} : kr_json_text(leaf);
}

static void kr_planner_keep(kr_planner *planner, const kr_plan_item *item) {
  kr_plan *plan = planner->plan;
  plan->n_errors += planner->diagnostics->n_errors;
  for (size_t i = 0; i < planner->diagnostics->count; i++) {
    const kr_diagnostic *diagnostic = &planner->diagnostics->items[i];
    if (plan->n_findings == KR_PLAN_FINDINGS_MAX)
      return;
    plan->findings[plan->n_findings++] = (kr_plan_finding){
        .diagnostic = *diagnostic, .text = kr_plan_finding_text(plan, item, diagnostic)};
  }
}

/* KR_OK also when the template does not compile; other failures are ours. */
static kr_status kr_planner_compile(kr_planner *planner, kr_sink sink, const kr_json *body,
                                    kr_plan_item *item) {
  kr_plan *plan = planner->plan;
  const kr_compile_options options = {.sink = sink,
                                      .field = item->path,
                                      .missing = (kr_missing_mode)plan->connector->missing,
                                      .allow_raw = plan->connector->allow_raw,
                                      .decide_on_secrets = planner->decide_on_secrets,
                                      .secrets = &plan->names,
                                      .fields = plan->marks,
                                      .n_fields = planner->n_fields_known,
                                      .is_processed_open = false,
                                      .evaluator = kr_vm_evaluator()};
  kr_status status = body == NULL
                         ? kr_compile(item->text, &options, &item->program, planner->diagnostics)
                         : kr_compile_body(body, &options, &item->program, planner->diagnostics);
  if (status == KR_NOMEM)
    return kr_fail_nomem(planner->reterr);
  /* A failure without a diagnostic would otherwise count as success. */
  if (status != KR_OK && planner->diagnostics->n_errors == 0)
    return kr_fail(planner->reterr, status, "%s cannot be compiled", item->path);
  kr_planner_keep(planner, item);
  return KR_OK;
}

static kr_status kr_planner_path(kr_planner *planner, const char *prefix, kr_str name,
                                 const char **ret_path) {
  char text[KR_PLAN_PATH_BYTES];
  int len = snprintf(text, sizeof text, "%s%s%.*s", prefix, name.len == 0 ? "" : ".", KR_FMT(name));
  if (len < 0)
    return kr_fail(planner->reterr, KR_INTERNAL, "cannot name a field");
  kr_str copy = {0};
  kr_status status = kr_arena_copy(&planner->plan->arena, kr_str_cstr(text), &copy);
  if (status != KR_OK)
    return kr_fail_nomem(planner->reterr);
  *ret_path = (const char *)copy.ptr;
  return KR_OK;
}

static kr_status kr_planner_one(kr_planner *planner, const char *path, kr_sink sink, kr_str text,
                                kr_plan_item *item) {
  item->text = text;
  KR_TRY(kr_planner_path(planner, path, (kr_str){0}, &item->path));
  return kr_planner_compile(planner, sink, NULL, item);
}

static kr_status kr_planner_pairs(kr_planner *planner, const char *prefix, kr_sink sink,
                                  const kr_connector_pair *pairs, size_t n_pairs,
                                  kr_plan_item **ret_items) {
  kr_plan_item *items = kr_arena_calloc(&planner->plan->arena, n_pairs + 1, sizeof *items);
  if (items == NULL)
    return kr_fail_nomem(planner->reterr);
  *ret_items = items;
  for (size_t i = 0; i < n_pairs; i++) {
    items[i].name = pairs[i].name;
    items[i].text = pairs[i].text;
    KR_TRY(kr_planner_path(planner, prefix, pairs[i].name, &items[i].path));
    KR_TRY(kr_planner_compile(planner, sink, NULL, &items[i]));
  }
  return KR_OK;
}

/* Each field is known to the next one, so they compile one by one. */
static kr_status kr_planner_fields(kr_planner *planner) {
  kr_plan *plan = planner->plan;
  const kr_connector *connector = plan->connector;
  plan->marks = kr_arena_calloc(&plan->arena, connector->n_fields + 1, sizeof *plan->marks);
  plan->fields = kr_arena_calloc(&plan->arena, connector->n_fields + 1, sizeof *plan->fields);
  if (plan->marks == NULL || plan->fields == NULL)
    return kr_fail_nomem(planner->reterr);
  for (size_t i = 0; i < connector->n_fields; i++) {
    kr_plan_item *item = &plan->fields[i];
    item->name = connector->fields[i].name;
    item->text = connector->fields[i].text;
    KR_TRY(kr_planner_path(planner, "process.fields", item->name, &item->path));
    KR_TRY(kr_planner_compile(planner, KR_SINK_VALUE, NULL, item));
    plan->marks[i] = (kr_field_marks){.name = item->name, .is_untrusted = true};
    if (item->program != NULL) {
      plan->marks[i].secrets = kr_program_secrets(item->program);
      plan->marks[i].is_untrusted = kr_program_is_untrusted(item->program);
    }
    planner->n_fields_known = i + 1;
  }
  return KR_OK;
}

static bool kr_media_is(kr_str media, kr_str type) {
  size_t end = kr_str_find(media, KR_STR(";"), 0);
  kr_str essence = kr_str_trim(end == SIZE_MAX ? media : kr_str_slice(media, 0, end));
  return kr_str_equal_nocase(essence, type);
}

static bool kr_media_ends(kr_str media, kr_str suffix) {
  size_t end = kr_str_find(media, KR_STR(";"), 0);
  kr_str essence = kr_str_trim(end == SIZE_MAX ? media : kr_str_slice(media, 0, end));
  return essence.len >= suffix.len &&
         kr_str_equal_nocase(kr_str_skip(essence, essence.len - suffix.len), suffix);
}

/* The sink of a body given as text follows its Content-Type; JSON without one. */
static kr_sink kr_plan_body_sink(const kr_connector *connector) {
  kr_str media = KR_STR("application/json");
  for (size_t i = 0; i < connector->n_headers; i++)
    if (kr_str_equal_nocase(connector->headers[i].name, KR_STR("Content-Type")))
      media = connector->headers[i].text;
  if (kr_media_is(media, KR_STR("application/json")) || kr_media_ends(media, KR_STR("+json")))
    return KR_SINK_JSON;
  if (kr_media_is(media, KR_STR("application/x-www-form-urlencoded")))
    return KR_SINK_FORM;
  if (kr_media_is(media, KR_STR("application/xml")) || kr_media_is(media, KR_STR("text/xml")) ||
      kr_media_ends(media, KR_STR("+xml")))
    return KR_SINK_XML;
  return KR_SINK_TEXT;
}

static kr_status kr_planner_body(kr_planner *planner) {
  kr_plan *plan = planner->plan;
  const kr_json *body = plan->connector->body;
  if (body == NULL)
    return KR_OK;
  if (body->type != KR_JSON_STRING) {
    plan->is_body_json = true;
    KR_TRY(kr_planner_path(planner, "perform.body", (kr_str){0}, &plan->body.path));
    return kr_planner_compile(planner, KR_SINK_VALUE, body, &plan->body);
  }
  kr_sink sink = kr_plan_body_sink(plan->connector);
  plan->is_body_json = sink == KR_SINK_JSON;
  return kr_planner_one(planner, "perform.body", sink, kr_json_text(body), &plan->body);
}

static kr_status kr_planner_lookup(kr_planner *planner) {
  kr_plan *plan = planner->plan;
  const kr_connector *connector = plan->connector;
  if (!connector->has_lookup)
    return KR_OK;
  KR_TRY(kr_planner_one(planner, "process.lookup.url", KR_SINK_URL, connector->lookup_url,
                        &plan->lookup_url));
  KR_TRY(kr_planner_pairs(planner, "process.lookup.headers", KR_SINK_HEADER,
                          connector->lookup_headers, connector->n_lookup_headers,
                          &plan->lookup_headers));
  return kr_planner_pairs(planner, "process.lookup.query", KR_SINK_QUERY, connector->lookup_query,
                          connector->n_lookup_query, &plan->lookup_query);
}

static kr_status kr_planner_run(kr_planner *planner) {
  kr_plan *plan = planner->plan;
  const kr_connector *connector = plan->connector;
  if (kr_str_trim(connector->trigger).len > 0)
    KR_TRY(
        kr_planner_one(planner, "trigger", KR_SINK_CONDITION, connector->trigger, &plan->trigger));
  KR_TRY(kr_planner_lookup(planner));
  KR_TRY(kr_planner_fields(planner));
  KR_TRY(kr_planner_one(planner, "perform.url", KR_SINK_URL, connector->url, &plan->url));
  KR_TRY(kr_planner_pairs(planner, "perform.headers", KR_SINK_HEADER, connector->headers,
                          connector->n_headers, &plan->headers));
  return kr_planner_body(planner);
}

static void kr_diagnostics_freep(kr_diagnostics **diagnostics) {
  if (*diagnostics != NULL)
    kr_heap_memory()->release(*diagnostics, sizeof **diagnostics);
}

kr_status kr_plan_new(const kr_connector *connector, bool decide_on_secrets, kr_plan **ret_plan,
                      kr_error *reterr) {
  KR_CLEANUP(kr_plan_freep) kr_plan *plan = kr_heap_memory()->alloc(sizeof *plan);
  if (plan == NULL)
    return kr_fail_nomem(reterr);
  memset(plan, 0, sizeof *plan);
  plan->connector = connector;
  plan->arena = KR_ARENA_INIT(KR_PLAN_ARENA_BYTES, NULL);
  plan->findings = kr_arena_calloc(&plan->arena, KR_PLAN_FINDINGS_MAX, sizeof *plan->findings);
  KR_CLEANUP(kr_diagnostics_freep)
  kr_diagnostics *diagnostics = kr_heap_memory()->alloc(sizeof *diagnostics);
  if (plan->findings == NULL || diagnostics == NULL)
    return kr_fail_nomem(reterr);
  kr_planner planner = {.plan = plan,
                        .decide_on_secrets = decide_on_secrets,
                        .diagnostics = diagnostics,
                        .reterr = reterr};
  KR_TRY(kr_planner_run(&planner));
  *ret_plan = KR_TAKE(plan);
  return KR_OK;
}

bool kr_plan_item_at(const kr_plan *plan, size_t index, const kr_plan_item **ret_item) {
  const kr_connector *connector = plan->connector;
  const struct {
    const kr_plan_item *items;
    size_t count;
  } groups[] = {{&plan->trigger, 1},
                {&plan->lookup_url, connector->has_lookup ? 1 : 0},
                {plan->lookup_headers, connector->has_lookup ? connector->n_lookup_headers : 0},
                {plan->lookup_query, connector->has_lookup ? connector->n_lookup_query : 0},
                {plan->fields, connector->n_fields},
                {&plan->url, 1},
                {plan->headers, connector->n_headers},
                {&plan->body, 1}};
  for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
    /* A plan whose making failed half way has no arrays yet. */
    size_t count = groups[i].items == NULL ? 0 : groups[i].count;
    if (index < count) {
      *ret_item = &groups[i].items[index];
      return true;
    }
    index -= count;
  }
  return false;
}

void kr_plan_free(kr_plan *plan) {
  if (plan == NULL)
    return;
  const kr_plan_item *item = NULL;
  for (size_t i = 0; kr_plan_item_at(plan, i, &item); i++)
    if (item != NULL)
      kr_program_free(item->program);
  kr_arena_done(&plan->arena);
  kr_heap_memory()->release(plan, sizeof *plan);
}

kr_status kr_plan_report(const kr_plan *plan, kr_finding_visit visit, void *ctx) {
  for (size_t i = 0; i < plan->n_findings; i++) {
    const kr_finding finding = {.is_error = plan->findings[i].diagnostic.is_error,
                                .error = &plan->findings[i].diagnostic.error,
                                .text = plan->findings[i].text};
    KR_TRY(visit(ctx, &finding));
  }
  return KR_OK;
}
