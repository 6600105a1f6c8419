/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedder_use.c - see embedder.h: secrets in, runs, and every listing of what
 * is known of them.
 */
#define _GNU_SOURCE
#include "canary/embedder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char org[] = "default";

static kr_status print_row(void *ctx, const kr_import_row *row) {
  (void)ctx;
  (void)printf("import: %zu %s %d %s %s %s\n", row->line, row->name, (int)row->outcome,
               row->duplicate_of, row->reason, row->hint);
  return KR_OK;
}

static kr_status print_secret(void *ctx, const kr_secret_info *info) {
  (void)ctx;
  (void)printf("secret: %s %s %u %s %s %s %s uses %zu\n", info->name, info->environment,
               (unsigned)info->version, info->description, info->created_by, info->updated_by,
               info->rules.hosts, info->n_uses);
  for (size_t i = 0; i < info->n_uses; i++)
    (void)printf("  used by %s\n", info->uses[i].connector);
  return KR_OK;
}

static kr_status print_version(void *ctx, const kr_secret_version_info *info) {
  (void)ctx;
  (void)printf("version: %u from %u by %s\n", (unsigned)info->version, (unsigned)info->from,
               info->by);
  return KR_OK;
}

static kr_status print_finding(void *ctx, const kr_finding *finding) {
  (void)ctx;
  embedder_print_error("finding", finding->error->status, finding->error);
  embedder_print("  in", finding->text);
  return KR_OK;
}

static kr_status print_landing(void *ctx, const kr_landing *landing) {
  (void)ctx;
  (void)printf("landing: %s %s %s %s\n", landing->secrets, landing->field, landing->context,
               landing->transforms);
  return KR_OK;
}

static kr_status print_fact(void *ctx, const kr_check_fact *fact) {
  (void)ctx;
  (void)printf("fact: %s %s %s %s\n", fact->kind, fact->field, fact->value, fact->detail);
  return KR_OK;
}

static kr_status print_event(void *ctx, const kr_event_info *event) {
  (void)ctx;
  (void)printf("event: %s %s\n", event->id, event->status);
  embedder_print("  of", event->connector);
  embedder_print("  is", event->json);
  return KR_OK;
}

static kr_status keep_one_more(void *ctx, kr_secret_rules *rules) {
  (void)ctx;
  rules->keep++;
  return KR_OK;
}

/** Twice, with the older value brought back: versions, history and rollback have work. */
static void save_one(embedder *self, const char *name, const char *path) {
  const kr_secret_rules rules = {.hosts = "127.0.0.1", .keep = 5, .min_search = 4};
  kr_error error = {0};
  for (unsigned i = 0; i < 2; i++) {
    kr_secret *value = NULL;
    kr_secret_set_result result = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    embedder_need(kr_secret_read(self->engine, fd, i == 1, &value, NULL, &error), &error, "read");
    (void)close(fd);
    embedder_need(kr_engine_secret_set(self->engine, embedder_text(org), embedder_text(name),
                                       (kr_str){0}, value, embedder_text("an example"), &result,
                                       &error),
                  &error, "set");
    kr_secret_free(value);
    (void)printf("set: %s %u %s\n", name, (unsigned)result.version, result.duplicate_of);
  }
  embedder_need(kr_engine_secret_rollback(self->engine, embedder_text(org), embedder_text(name),
                                          (kr_str){0}, 1, NULL, &error),
                &error, "rollback");
  embedder_need(kr_engine_secret_set_rules(self->engine, embedder_text(org), embedder_text(name),
                                           (kr_str){0}, &rules, &error),
                &error, "rules");
  embedder_need(kr_engine_secret_edit_rules(self->engine, embedder_text(org), embedder_text(name),
                                            (kr_str){0}, keep_one_more, NULL, &error),
                &error, "rules");
}

/** Another way in: bytes of the caller's, who wipes them. */
static void copy_one(embedder *self, const char *name, const char *path) {
  kr_error error = {0};
  kr_secret *value = NULL;
  kr_status status = kr_secret_copy(self->engine, embedder_read(self, path), &value, &error);
  embedder_wipe(self);
  embedder_need(status, &error, "copy");
  status = kr_engine_secret_set(self->engine, embedder_text("acme"), embedder_text(name),
                                embedder_text("staging"), value, (kr_str){0}, NULL, &error);
  kr_secret_free(value);
  embedder_need(status, &error, "set a copy");
}

void embedder_save(embedder *self) {
  const kr_import_options options = {.org = embedder_text("imported"), .format = KR_IMPORT_JSON};
  char path[EMBEDDER_PATH_BYTES];
  kr_error error = {0};
  const char *const orgs[] = {"acme", "imported"};
  for (size_t i = 0; i < 2; i++) {
    kr_status status = kr_engine_org_create(self->engine, embedder_text(orgs[i]), &error);
    embedder_need(status == KR_EXISTS ? KR_OK : status, &error, "org");
  }
  embedder_each(self, "values", save_one);
  embedder_each(self, "values", copy_one);
  embedder_path(self, "import.json", path);
  kr_status status = kr_engine_secret_import(self->engine, &options, embedder_read(self, path),
                                             print_row, NULL, &error);
  embedder_wipe(self);
  embedder_need(status, &error, "import");
}

static void run_one(embedder *self, const char *name, const char *path) {
  kr_error error = {0};
  kr_str connector = embedder_read(self, path);
  (void)printf("connector: %s\n", name);
  kr_status checked = kr_check(self->engine, embedder_text(org), connector, print_finding,
                               print_fact, NULL, &error);
  (void)printf("checked: %s\n", kr_status_name(checked));
  for (unsigned dry = 0; dry < 2; dry++) {
    kr_run *run = NULL;
    const kr_run_options options = {.org = embedder_text(org),
                                    .connector = connector,
                                    .payload = embedder_text("{\"x\": \"hello\"}"),
                                    .allow_private = true,
                                    .is_dry = dry == 1};
    embedder_need(kr_run_new(self->engine, &options, &run, &error), &error, "run");
    while (kr_run_step(run) == KR_RUN_NEED_HTTP)
      embedder_need(kr_http_drive(self->engine, 1000, &error), &error, "drive");
    embedder_need(kr_run_result(run, &error), &error, "result");
    (void)printf("run: %s\n", kr_run_status(run));
    embedder_print("  event", kr_run_event(run));
    embedder_need(kr_run_findings(run, print_finding, NULL), &error, "findings");
    kr_run_free(run);
  }
  embedder_wipe(self);
}

static void show_one(embedder *self, const char *name, const char *path) {
  kr_error error = {0};
  char text[256];
  kr_text shown = {0};
  (void)path;
  (void)snprintf(text, sizeof text, "Bearer $secret.%s", name);
  const kr_preview_options options = {.engine = self->engine,
                                      .org = embedder_text(org),
                                      .sink = "header",
                                      .text = embedder_text(text)};
  embedder_need(kr_preview(&options, &shown, print_finding, print_landing, NULL, &error), &error,
                "preview");
  (void)printf("preview: %s\n", shown.ptr);
  kr_text_done(&shown);
  for (int stage = KR_DUMP_TOKENS; stage <= KR_DUMP_CODE; stage++) {
    const kr_dump_options dump = {.stage = (kr_dump_stage)stage, .text = embedder_text(text)};
    embedder_need(kr_dump(&dump, &shown, print_finding, NULL, &error), &error, "dump");
    (void)printf("dump: %s\n", shown.ptr);
    kr_text_done(&shown);
  }
  embedder_need(kr_engine_secret_show(self->engine, embedder_text(org), embedder_text(name),
                                      (kr_str){0}, print_secret, NULL, &error),
                &error, "show");
  embedder_need(kr_engine_secret_history(self->engine, embedder_text(org), embedder_text(name),
                                         (kr_str){0}, print_version, NULL, &error),
                &error, "history");
}

static kr_status print_org(void *ctx, const kr_org_info *info) {
  (void)ctx;
  (void)printf("org: %s %zu\n", info->name, info->n_secrets);
  return KR_OK;
}

static kr_status print_setting(void *ctx, const kr_org_setting *setting) {
  (void)ctx;
  (void)printf("setting: %s %s\n", setting->name, setting->value);
  return KR_OK;
}

static kr_status keep_id(void *ctx, const kr_event_info *event) {
  (void)snprintf(ctx, 64, "%s", event->id);
  return KR_OK;
}

static void show_texts(void) {
  size_t line = 0;
  size_t column = 0;
  kr_text text = {0};
  if (kr_text_append(&text, embedder_text("a\nb")) != KR_OK ||
      kr_text_append_json(&text, embedder_text("\"c\"")) != KR_OK)
    exit(EXIT_FAILURE);
  kr_text_position((kr_str){(const uint8_t *)text.ptr, text.len}, 2, &line, &column);
  (void)printf("text: %s %zu:%zu, krosyn %s\n", text.ptr, line, column, kr_version());
  kr_text_done(&text);
}

static kr_status count_function(void *ctx, const kr_function_entry *entry) {
  (void)entry;
  ++*(size_t *)ctx;
  return KR_OK;
}

void embedder_use(embedder *self) {
  char id[64] = "";
  size_t n = 0;
  kr_error error = {0};
  kr_engine *engine = self->engine;
  embedder_each(self, "connectors", run_one);
  embedder_each(self, "values", show_one);
  embedder_need(kr_engine_secret_each(engine, embedder_text(org), print_secret, NULL, &error),
                &error, "list");
  embedder_need(kr_engine_event_each(engine, embedder_text(org), 1, keep_id, id, &error), &error,
                "events");
  embedder_need(kr_engine_event_each(engine, embedder_text(org), 100, print_event, NULL, &error),
                &error, "events");
  embedder_need(kr_engine_event_show(engine, embedder_text(org), embedder_text(id), print_event,
                                     NULL, &error),
                &error, "event");
  embedder_need(kr_org_setting_check(embedder_text("redact-scope"), embedder_text("run"), &error),
                &error, "setting");
  embedder_need(kr_engine_org_set(engine, embedder_text(org), embedder_text("redact-scope"),
                                  embedder_text("organization"), &error),
                &error, "org set");
  embedder_need(kr_engine_org_each(engine, print_org, NULL, &error), &error, "orgs");
  embedder_need(kr_engine_org_setting_each(engine, embedder_text(org), print_setting, NULL, &error),
                &error, "settings");
  embedder_need(kr_org_setting_each(print_setting, NULL), &error, "table of settings");
  embedder_need(kr_function_each(count_function, &n), &error, "functions");
  show_texts();
}
