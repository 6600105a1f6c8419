/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embed.c - the library from a program of one's own: create a home, save a
 * secret, preview a template, dry-run a connector, filter a log line.
 *
 *   cc embed.c -o embed $(pkg-config --cflags --libs krosyn)
 *   ./embed /tmp/some-empty-folder
 *
 * No network, and after the save nothing here ever sees the value again: the
 * public interface has no function that returns one.
 */
#include <krosyn/krosyn.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kr_str text(const char *literal) {
  return (kr_str){(const uint8_t *)literal, strlen(literal)};
}

/** What went wrong and how to mend it; messages never hold a value. */
static void need(kr_status status, const kr_error *error) {
  if (status == KR_OK)
    return;
  fprintf(stderr, "%s (%s)%s%s\n", error->message, kr_status_name(status),
          error->hint[0] != '\0' ? ": " : "", error->hint);
  exit(EXIT_FAILURE);
}

static kr_status print(void *ctx, kr_str bytes) {
  (void)ctx;
  return fwrite(bytes.ptr, 1, bytes.len, stdout) == bytes.len ? KR_OK : KR_IO;
}

static kr_status print_landing(void *ctx, const kr_landing *landing) {
  (void)ctx;
  printf("lands: %s as %s\n", landing->secrets, landing->context);
  return KR_OK;
}

static kr_engine *create_and_open(const char *folder) {
  char home[512];
  char key[512];
  kr_error error = {0};
  snprintf(home, sizeof home, "%s/home", folder);
  snprintf(key, sizeof key, "%s/master.key", folder);
  kr_home_options options = {.home = home, .key_file = key, .actor = "embed"};
  kr_engine *engine = NULL;
  need(kr_home_create(&options, NULL, &error), &error);
  need(kr_engine_open(&options, &engine, &error), &error);
  return engine;
}

static void save_secret(kr_engine *engine, const char *name, const char *value) {
  kr_error error = {0};
  kr_secret *secret = NULL; /* locked memory; a real program reads it from a descriptor */
  kr_secret_set_result result = {0};
  need(kr_secret_copy(engine, text(value), &secret, &error), &error);
  need(kr_engine_secret_set(engine, text("default"), text(name), (kr_str){0}, secret,
                            text("an example"), &result, &error),
       &error);
  kr_secret_free(secret);
  printf("saved: %s, version %u\n", name, (unsigned)result.version);
}

static void preview(kr_engine *engine) {
  kr_error error = {0};
  kr_text shown = {0};
  kr_preview_options options = {
      .engine = engine,
      .org = text("default"),
      .sink = "header",
      .text = text("Bearer $secret.API_KEY"),
  };
  need(kr_preview(&options, &shown, NULL, print_landing, NULL, &error), &error);
  printf("preview: %s\n", shown.ptr);
  kr_text_done(&shown);
}

static void dry_run(kr_engine *engine) {
  kr_error error = {0};
  kr_run *run = NULL;
  kr_run_options options = {
      .org = text("default"),
      .connector = text("{\"name\": \"greeting\", \"perform\": {"
                        "\"url\": \"https://api.example.com/greet/$payload.name\", "
                        "\"headers\": {\"Authorization\": \"Bearer $secret.API_KEY\"}, "
                        "\"body\": {\"hello\": \"$payload.name\"}}}"),
      .payload = text("{\"name\": \"Jane\"}"),
      .is_dry = true,
  };
  need(kr_run_new(engine, &options, &run, &error), &error);
  while (kr_run_step(run) == KR_RUN_NEED_HTTP)
    need(kr_http_drive(engine, 1000, &error), &error); /* a dry run never gets here */
  need(kr_run_result(run, &error), &error);
  kr_str event = kr_run_event(run);
  printf("dry run: %s %.*s\n", kr_run_status(run), (int)event.len, (const char *)event.ptr);
  kr_run_free(run);
}

static void filter_line(kr_engine *engine) {
  kr_error error = {0};
  kr_filter *filter = NULL;
  kr_filter_options options = {0};
  need(kr_filter_new(engine, text("default"), &options, print, NULL, &filter, &error), &error);
  need(kr_filter_feed(filter, text("filtered: key=exam"), &error), &error);
  need(kr_filter_feed(filter, text("ple-value-1 was refused\n"), &error), &error);
  need(kr_filter_finish(filter, &error), &error);
  kr_filter_free(filter);
}

int main(int argc, char **argv) {
  kr_error error = {0};
  if (argc != 2) {
    fprintf(stderr, "usage: embed FOLDER\n");
    return 2;
  }
  need(kr_process_init(&error), &error);
  kr_engine *engine = create_and_open(argv[1]);
  save_secret(engine, "API_KEY", "example-value-1");
  preview(engine);
  dry_run(engine);
  filter_line(engine);
  kr_engine_close(engine);
  printf("krosyn %s\n", kr_version());
  return 0;
}
