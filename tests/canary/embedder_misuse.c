/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedder_misuse.c - see embedder.h: calls that must fail, each with a value
 * where another argument belongs. All fields of every error are printed. Values
 * that would be good names are not given: a name is shown.
 */
#define _GNU_SOURCE
#include "canary/embedder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)1 << 18)

static unsigned n_not_failed;

static void told(const char *what, kr_status status, kr_error *error) {
  if (status == KR_OK) {
    (void)printf("NOT FAILED: %s\n", what);
    n_not_failed++;
  } else {
    embedder_print_error(what, status, error);
  }
  *error = (kr_error){0};
}

/** The same of a call that some values may pass. */
static void told_if_failed(const char *what, kr_status status, kr_error *error) {
  if (status != KR_OK)
    told(what, status, error);
}

/*
 * What opens no value cannot know one, and quotes the text it was given
 * (docs/threat-model.md, Text you bring to a command without a key).
 */
static void told_without_text(const char *what, kr_status status, kr_error *error) {
  (void)printf("%s: %s %u\n", what, kr_status_name(status), (unsigned)error->code);
  *error = (kr_error){0};
}

static kr_status ignore_finding(void *ctx, const kr_finding *finding) {
  (void)ctx, (void)finding;
  return KR_OK;
}

static kr_status print_finding(void *ctx, const kr_finding *finding) {
  (void)ctx;
  embedder_print_error("  finding", finding->error->status, finding->error);
  return KR_OK; /* not the text: it is the caller's own */
}

static kr_status ignore_fact(void *ctx, const kr_check_fact *fact) {
  (void)ctx, (void)fact;
  return KR_OK;
}

static kr_status ignore_event(void *ctx, const kr_event_info *event) {
  (void)ctx, (void)event;
  return KR_OK;
}

static kr_status ignore_secret(void *ctx, const kr_secret_info *info) {
  (void)ctx, (void)info;
  return KR_OK;
}

static kr_status ignore_version(void *ctx, const kr_secret_version_info *info) {
  (void)ctx, (void)info;
  return KR_OK;
}

static kr_status ignore_setting(void *ctx, const kr_org_setting *setting) {
  (void)ctx, (void)setting;
  return KR_OK;
}

static kr_status ignore_row(void *ctx, const kr_import_row *row) {
  (void)ctx;
  (void)printf("  row: %s %s %s %s\n", row->name, row->duplicate_of, row->reason, row->hint);
  return KR_OK;
}

static kr_status refuse_write(void *ctx, kr_str bytes) {
  (void)ctx, (void)bytes;
  return KR_IO;
}

/** As the name, environment, description and organization of a secret. */
static void as_words(embedder *self, kr_str value) {
  kr_engine *engine = self->engine;
  kr_str org = embedder_text("default");
  kr_str name = embedder_text("NAME");
  kr_str none = {0};
  kr_error error = {0};
  kr_secret *secret = NULL;
  embedder_need(kr_secret_copy(engine, embedder_text("something else"), &secret, &error), &error,
                "copy");
  told("set, name", kr_engine_secret_set(engine, org, value, none, secret, none, NULL, &error),
       &error);
  told("set, org", kr_engine_secret_set(engine, value, name, none, secret, none, NULL, &error),
       &error);
  told("set, environment",
       kr_engine_secret_set(engine, org, name, value, secret, none, NULL, &error), &error);
  told_if_failed("set, description", /* of 1 to 3 bytes they are not searched for */
                 kr_engine_secret_set(engine, org, name, none, secret, value, NULL, &error),
                 &error);
  kr_secret_free(secret);
  told("show", kr_engine_secret_show(engine, org, value, none, ignore_secret, NULL, &error),
       &error);
  told("show, environment",
       kr_engine_secret_show(engine, org, name, value, ignore_secret, NULL, &error), &error);
  told("list", kr_engine_secret_each(engine, value, ignore_secret, NULL, &error), &error);
  told("delete", kr_engine_secret_delete(engine, org, value, none, NULL, NULL, &error), &error);
  told("history", kr_engine_secret_history(engine, org, value, none, ignore_version, NULL, &error),
       &error);
  told("rollback", kr_engine_secret_rollback(engine, org, value, none, 1, NULL, &error), &error);
  told("org create", kr_engine_org_create(engine, value, &error), &error);
  told("org delete", kr_engine_org_delete(engine, value, NULL, &error), &error);
  told("org set", kr_engine_org_set(engine, org, value, embedder_text("on"), &error), &error);
  told("org set, value",
       kr_engine_org_set(engine, org, embedder_text("decide-on-secrets"), value, &error), &error);
  told("setting", kr_org_setting_check(value, value, &error), &error);
  told("settings", kr_engine_org_setting_each(engine, value, ignore_setting, NULL, &error), &error);
  told("rotate", kr_engine_key_rotate(engine, value, NULL, NULL, NULL, &error), &error);
  told("forget", kr_engine_key_forget(engine, value, &error), &error);
}

/** As a connector, a payload, a template, an id of an event. */
static void as_documents(embedder *self, kr_str value) {
  static const char good[] = "{\"name\":\"n\",\"perform\":{\"url\":\"https://a.example/\"}}";
  kr_engine *engine = self->engine;
  kr_str org = embedder_text("default");
  kr_error error = {0};
  kr_run *run = NULL;
  kr_text text = {0};
  kr_run_options options = {.org = org, .connector = value};
  told("run, connector", kr_run_new(engine, &options, &run, &error), &error);
  options = (kr_run_options){.org = value, .connector = embedder_text(good)};
  told("run, org", kr_run_new(engine, &options, &run, &error), &error);
  options = (kr_run_options){.org = org, .connector = embedder_text(good), .environment = value};
  told("run, environment", kr_run_new(engine, &options, &run, &error), &error);
  told("check", kr_check(engine, org, value, print_finding, ignore_fact, NULL, &error), &error);
  told("event", kr_engine_event_show(engine, org, value, ignore_event, NULL, &error), &error);
  told("events", kr_engine_event_each(engine, value, 10, ignore_event, NULL, &error), &error);
  kr_preview_options preview = {
      .engine = engine, .org = value, .text = embedder_text("$secret.NO")};
  told("preview, org", kr_preview(&preview, &text, print_finding, NULL, NULL, &error), &error);
  kr_text_done(&text);
}

/** A copy with a NUL behind it, for what wants one; wiped and freed by the caller. */
static char *with_more(const char *before, kr_str value, const char *after) {
  size_t before_len = strlen(before);
  size_t after_len = strlen(after);
  char *made = calloc(1, BUFFER_BYTES);
  if (made == NULL || before_len + value.len + after_len >= BUFFER_BYTES)
    exit(EXIT_FAILURE);
  memcpy(made, before, before_len);
  memcpy(made + before_len, value.ptr, value.len);
  memcpy(made + before_len + value.len, after, after_len);
  return made;
}

/** In texts that are malformed around it. */
static void in_texts(embedder *self, kr_str value) {
  static const struct {
    const char *name;
    const char *before;
    const char *after;
  } rows[] = {
      {"unclosed string", "{\"NAME\": \"", ""},
      {"bare", "{\"NAME\": ", " }"},
      {"after a document", "{} ", ""},
      {"unclosed call", "x ", " ${concat($payload.a"},
      {"unknown function", "${noSuch(\"", "\")}"},
      {"in a pattern", "${replaceAll($payload.a, \"(", "\", \"\")}"},
      {"environment line", "export ", ""},
      {"unclosed quote", "NAME='x", "\n"},
  };
  kr_str org = embedder_text("default");
  kr_error error = {0};
  kr_text text = {0};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char *made = with_more(rows[i].before, value, rows[i].after);
    kr_run *run = NULL;
    kr_filter *filter = NULL;
    kr_import_options import = {.org = org, .format = i < 6 ? KR_IMPORT_JSON : KR_IMPORT_ENV};
    kr_run_options options = {.org = org, .connector = embedder_text(made)};
    const kr_preview_options preview = {.sink = "condition", .text = embedder_text(made)};
    const kr_dump_options dump = {.text = embedder_text(made), .sink = made};
    (void)printf("%s\n", rows[i].name);
    told("import",
         kr_engine_secret_import(self->engine, &import, embedder_text(made), ignore_row, NULL,
                                 &error),
         &error);
    told("run", kr_run_new(self->engine, &options, &run, &error), &error);
    told_without_text("preview", kr_preview(&preview, &text, ignore_finding, NULL, NULL, &error),
                      &error);
    told("dump, sink", kr_dump(&dump, &text, print_finding, NULL, &error), &error);
    told("values",
         kr_filter_new_from_values(embedder_text(made), NULL, refuse_write, NULL, &filter, &error),
         &error);
    kr_text_done(&text);
    explicit_bzero(made, BUFFER_BYTES);
    free(made);
  }
}

static kr_status allow_host(void *ctx, kr_secret_rules *rules) {
  rules->hosts = ctx;
  return KR_OK;
}

/** Hosts of a policy, a redactor's form, and a stream whose writing fails. */
static void in_settings(embedder *self, kr_str value) {
  kr_str org = embedder_text("default");
  kr_error error = {0};
  kr_redactor *redactor = NULL;
  kr_filter *filter = NULL;
  char *text = with_more("", value, "");
  const kr_secret_rules rules = {.hosts = text, .keep = 5};
  told("rules",
       kr_engine_secret_set_rules(self->engine, org, embedder_text("NAME"), (kr_str){0}, &rules,
                                  &error),
       &error);
  told("edited rules",
       kr_engine_secret_edit_rules(self->engine, org, embedder_text("NAME"), (kr_str){0},
                                   allow_host, text, &error),
       &error);
  embedder_need(kr_redactor_new_from_org(self->engine, org, &redactor, &error), &error, "redactor");
  told("form", kr_redactor_leave_out(redactor, value, &error), &error);
  kr_redactor_free(redactor);
  embedder_need(kr_filter_new(self->engine, org, NULL, refuse_write, NULL, &filter, &error), &error,
                "filter");
  kr_status status = kr_filter_feed(filter, value, &error);
  told("write", status == KR_OK ? kr_filter_finish(filter, &error) : status, &error);
  kr_filter_free(filter);
  told("rekey", kr_engine_key_rekey(self->engine, self->home, NULL, &error), &error);
  explicit_bzero(text, BUFFER_BYTES);
  free(text);
}

static void misuse_one(embedder *self, const char *name, const char *path) {
  (void)printf("value: %s\n", name);
  kr_str value = embedder_read(self, path);
  as_words(self, value);
  as_documents(self, value);
  in_texts(self, value);
  in_settings(self, value);
  embedder_wipe(self);
}

static void save_one(embedder *self, const char *name, const char *path) {
  kr_error error = {0};
  kr_secret *value = NULL;
  kr_status status = kr_secret_copy(self->engine, embedder_read(self, path), &value, &error);
  embedder_wipe(self);
  embedder_need(status, &error, "copy");
  embedder_need(kr_engine_secret_set(self->engine, embedder_text("default"), embedder_text(name),
                                     (kr_str){0}, value, (kr_str){0}, NULL, &error),
                &error, "set");
  kr_secret_free(value);
}

/** Files that are no homes, no keys and no copies, but values. */
static void as_files(embedder *self, const char *name, const char *path) {
  kr_home_options options = {.home = path, .key_file = self->key};
  kr_error error = {0};
  kr_engine *engine = NULL;
  (void)name;
  told("home", kr_engine_open(&options, &engine, &error), &error);
  told("create", kr_home_create(&options, NULL, &error), &error);
  told("backup", kr_home_backup(&self->options, path, NULL, NULL, &error), &error);
  told("restore", kr_backup_check(&self->options, path, NULL, NULL, NULL, NULL, NULL, &error),
       &error);
  options = (kr_home_options){.home = self->home, .key_file = path};
  told("key", kr_engine_open(&options, &engine, &error), &error);
  told("verify", kr_home_verify(&options, NULL, NULL, NULL, NULL, &error), &error);
}

int embedder_misuse(embedder *self) {
  kr_error error = {0};
  embedder_need(kr_home_create(&self->options, NULL, &error), &error, "create");
  embedder_open(self);
  embedder_each(self, "values", save_one);
  embedder_each(self, "values", misuse_one);
  embedder_close(self);
  embedder_each(self, "values", as_files);
  (void)printf("not failed: %u\n", n_not_failed);
  return (int)n_not_failed;
}
