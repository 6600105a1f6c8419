/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.c - see fixture.h. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/fixture.h"

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

kr_str text(const char *cstr) {
  return (kr_str){.ptr = (const uint8_t *)cstr, .len = cstr == NULL ? 0 : strlen(cstr)};
}

static void must(kr_status status, const kr_error *error) {
  if (status != KR_OK)
    fail_msg("%s: %s", kr_status_name(status), error->message);
}

void fixture_open(fixture *self) {
  const kr_home_options options = {.home = self->home, .key_file = self->key, .actor = "test"};
  kr_error error = {0};
  must(kr_engine_open(&options, &self->engine, &error), &error);
}

int fixture_setup(void **state) {
  fixture *self = calloc(1, sizeof *self);
  if (self == NULL)
    return -1;
  (void)snprintf(self->folder, sizeof self->folder, "/tmp/krosyn-engine-XXXXXX");
  if (mkdtemp(self->folder) == NULL)
    return -1;
  (void)snprintf(self->home, sizeof self->home, "%s/home", self->folder);
  (void)snprintf(self->key, sizeof self->key, "%s/test.key", self->folder);
  const kr_home_options options = {.home = self->home, .key_file = self->key, .actor = "test"};
  kr_error error = {0};
  must(kr_home_create(&options, NULL, &error), &error);
  fixture_open(self);
  *state = self;
  return 0;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *walk) {
  (void)info;
  (void)flag;
  (void)walk;
  return remove(path);
}

void fixture_remove(const char *path) { (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

int fixture_teardown(void **state) {
  fixture *self = *state;
  kr_engine_close(self->engine);
  fixture_remove(self->folder);
  free(self);
  return 0;
}

void fixture_reopen(fixture *self) {
  kr_engine_close(self->engine);
  self->engine = NULL;
  fixture_open(self);
}

void fixture_secret(fixture *self, const char *org, const char *name, const char *value) {
  kr_error error = {0};
  kr_secret *secret = NULL;
  must(kr_secret_copy(self->engine, text(value), &secret, &error), &error);
  kr_status status = kr_engine_secret_set(self->engine, text(org), text(name), (kr_str){0}, secret,
                                          (kr_str){0}, NULL, &error);
  kr_secret_free(secret);
  must(status, &error);
}

kr_run *fixture_run(fixture *self, const char *org, const char *connector, const char *payload) {
  const kr_run_options options = {.org = text(org),
                                  .connector = text(connector),
                                  .payload = text(payload),
                                  .allow_private = true};
  kr_run *run = NULL;
  kr_error error = {0};
  must(kr_run_new(self->engine, &options, &run, &error), &error);
  for (unsigned n = 0; kr_run_step(run) == KR_RUN_NEED_HTTP; n++) {
    assert_true(n < 10000);
    must(kr_http_drive(self->engine, 1000, &error), &error);
  }
  must(kr_run_result(run, &error), &error);
  return run;
}

static const char *searched;
static bool is_found;

static int search_one(const char *path, const struct stat *info, int flag, struct FTW *walk) {
  (void)walk;
  if (flag != FTW_F || info->st_size == 0)
    return 0;
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return -1;
  size_t size = (size_t)info->st_size;
  char *bytes = malloc(size);
  size_t got = bytes == NULL ? 0 : fread(bytes, 1, size, file);
  if (bytes != NULL && memmem(bytes, got, searched, strlen(searched)) != NULL)
    is_found = true;
  free(bytes);
  (void)fclose(file);
  return 0;
}

bool fixture_home_holds(const fixture *self, const char *bytes) {
  searched = bytes;
  is_found = false;
  assert_int_equal(nftw(self->home, search_one, 16, FTW_PHYS), 0);
  return is_found;
}

kr_status fixture_count_event(void *ctx, const kr_event_info *event) {
  (void)event;
  ++*(size_t *)ctx;
  return KR_OK;
}

bool event_holds(const kr_run *run, const char *needle) {
  kr_str event = kr_run_event(run);
  return memmem(event.ptr, event.len, needle, strlen(needle)) != NULL;
}
