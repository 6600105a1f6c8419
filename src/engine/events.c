/* SPDX-License-Identifier: Apache-2.0 */
/* events.c - reading the event log for the public interface. */
#include "engine/engine.h"

#include "json/json.h"

#define KR_EVENT_READ_BYTES (4u * KR_RECORD_MAX_BYTES)

typedef struct kr_event_walk {
  kr_event_info_visit visit;
  void *ctx;
  kr_arena arena;
  kr_buf text;
} kr_event_walk;

static void kr_event_walk_done(kr_event_walk *walk) {
  kr_arena_done(&walk->arena);
  kr_buf_done(&walk->text);
}

/* The connector's name, decoded; a record that does not parse has none. */
static kr_str kr_event_connector(kr_event_walk *walk, kr_str json) {
  const kr_json *root = NULL;
  kr_arena_reset(&walk->arena);
  if (kr_json_parse(json, NULL, &walk->arena, &root, NULL) != KR_OK)
    return (kr_str){0};
  const kr_json *name = kr_json_get(root, KR_STR("connector"));
  return name == NULL ? (kr_str){0} : kr_json_text(name);
}

static kr_status kr_event_give(void *ctx, const kr_event_head *head, kr_str json,
                               bool is_verified) {
  kr_event_walk *walk = ctx;
  kr_buf_reset(&walk->text);
  KR_TRY(kr_buf_printf(&walk->text, "{\"sequence\":%llu,", (unsigned long long)head->sequence));
  if (!is_verified)
    KR_TRY(kr_buf_append(&walk->text, KR_STR("\"verified\":false,")));
  KR_TRY(kr_buf_append(&walk->text, kr_str_skip(json, 1)));
  const kr_event_info info = {.sequence = head->sequence,
                              .id = head->id,
                              .status = kr_event_status_name(head->status),
                              .started_ms = head->started_ms,
                              .connector = kr_event_connector(walk, json),
                              .json = kr_buf_str(&walk->text),
                              .is_verified = is_verified};
  return walk->visit(walk->ctx, &info);
}

static kr_event_walk kr_event_walk_init(kr_event_info_visit visit, void *ctx) {
  return (kr_event_walk){.visit = visit,
                         .ctx = ctx,
                         .arena = KR_ARENA_INIT(64u * 1024u * 1024u, NULL),
                         .text = KR_BUF_INIT(KR_EVENT_READ_BYTES, NULL)};
}

kr_status kr_engine_event_each(kr_engine *engine, kr_str org_name, size_t max_events,
                               kr_event_info_visit visit, void *ctx, kr_error *reterr) {
  kr_org org = {0};
  KR_TRY(kr_engine_org(engine, org_name, &org, reterr));
  KR_CLEANUP(kr_event_walk_done) kr_event_walk walk = kr_event_walk_init(visit, ctx);
  return kr_events_each(engine->events, org.id, max_events, kr_event_give, &walk, reterr);
}

kr_status kr_engine_event_show(kr_engine *engine, kr_str org_name, kr_str id,
                               kr_event_info_visit visit, void *ctx, kr_error *reterr) {
  kr_org org = {0};
  KR_TRY(kr_engine_org(engine, org_name, &org, reterr));
  KR_CLEANUP(kr_event_walk_done) kr_event_walk walk = kr_event_walk_init(visit, ctx);
  return kr_events_find(engine->events, org.id, id, kr_event_give, &walk, reterr);
}
