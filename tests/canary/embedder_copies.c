/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedder_copies.c - see embedder.h: copies of the home and changes of its
 * keys, which every value passes through.
 */
#include "canary/embedder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_damage(void *ctx, const kr_home_damage *damage) {
  (void)ctx;
  (void)printf("damage: %s %s %s %s %s\n", damage->area, damage->what, damage->organization,
               damage->environment, damage->secret);
}

static void print_step(void *ctx, const char *step, uint64_t done, uint64_t total) {
  (void)ctx;
  (void)printf("step: %s %llu/%llu\n", step, (unsigned long long)done, (unsigned long long)total);
}

static kr_status print_rotation(void *ctx, uint64_t n_done, uint64_t n_total) {
  print_step(ctx, "rotate", n_done, n_total);
  return KR_OK;
}

static void change_keys(embedder *self) {
  kr_error error = {0};
  kr_key_rotation rotation = {0};
  kr_key_rekey rekey = {0};
  size_t n_secrets = 0;
  embedder_open(self);
  embedder_need(kr_engine_key_rotate(self->engine, embedder_text("default"), print_rotation, NULL,
                                     &rotation, &error),
                &error, "rotate");
  embedder_need(kr_engine_key_rekey(self->engine, NULL, &rekey, &error), &error, "rekey");
  embedder_need(kr_engine_key_forget(self->engine, embedder_text(rekey.old_key), &error), &error,
                "forget");
  embedder_need(kr_engine_org_delete(self->engine, embedder_text("imported"), &n_secrets, &error),
                &error, "delete");
  (void)printf("keys: %llu %s %s %zu\n", (unsigned long long)rotation.n_values, rekey.old_key,
               rekey.new_key, n_secrets);
  embedder_close(self);
}

static void delete_one(embedder *self, const char *name, const char *path) {
  kr_error error = {0};
  (void)path;
  embedder_need(kr_engine_secret_delete(self->engine, embedder_text("acme"), embedder_text(name),
                                        embedder_text("staging"), NULL, NULL, &error),
                &error, "delete a secret");
}

static void copy(embedder *self) {
  const kr_progress progress = {.show = print_step};
  char backup[EMBEDDER_PATH_BYTES];
  char restored[EMBEDDER_PATH_BYTES];
  char salvaged[EMBEDDER_PATH_BYTES];
  kr_error error = {0};
  kr_backup_info info = {0};
  kr_home_report report = {0};
  embedder_path(self, "backup", backup);
  embedder_path(self, "restored", restored);
  embedder_path(self, "salvaged", salvaged);
  embedder_need(kr_home_backup(&self->options, backup, &progress, &info, &error), &error, "backup");
  embedder_need(kr_backup_check(&self->options, backup, &progress, print_damage, NULL, &info,
                                &report, &error),
                &error, "check");
  kr_home_options options = self->options;
  options.home = restored;
  embedder_need(
      kr_home_restore(&options, backup, &progress, print_damage, NULL, &info, &report, &error),
      &error, "restore");
  embedder_need(kr_home_salvage(&self->options, salvaged, print_damage, NULL, &report, &error),
                &error, "salvage");
  (void)printf("copies: %s %llu values\n", info.key, (unsigned long long)report.counts.values);
}

static void look(embedder *self) {
  char path[EMBEDDER_PATH_BYTES];
  char id[KR_KEY_STATUS_ID_BYTES];
  static kr_key_status key_status; /* 4 KiB of path in it */
  kr_error error = {0};
  kr_home_head head = {0};
  kr_home_report report = {0};
  kr_home_info info = {0};
  kr_key_source source = KR_KEY_AUTO;
  embedder_need(kr_home_head_read(&self->options, &head, &error), &error, "head");
  embedder_need(kr_home_verify(&self->options, &head, print_damage, NULL, &report, &error), &error,
                "verify");
  embedder_need(kr_home_status(&self->options, &info, &error), &error, "status");
  embedder_need(kr_home_key_status(&self->options, &key_status, &error), &error, "key status");
  embedder_need(kr_home_key_source(self->home, &source, &error), &error, "key source");
  embedder_path(self, "another.key", path);
  embedder_need(kr_key_file_create(path, id, &error), &error, "key file");
  (void)printf("home: %s %s %s %s %s %s, %llu damaged\n", head.chain, info.key_needed,
               key_status.place, key_status.needed, kr_key_source_name(source), id,
               (unsigned long long)report.counts.damaged);
  if (report.counts.damaged > 0 || key_status.state != KR_KEY_RIGHT)
    exit(EXIT_FAILURE);
}

void embedder_copies(embedder *self) {
  kr_error error = {0};
  kr_purge_info purged = {0};
  copy(self);
  change_keys(self);
  embedder_open(self);
  embedder_each(self, "values", delete_one);
  embedder_close(self);
  embedder_need(kr_home_purge(&self->options, NULL, &purged, &error), &error, "purge");
  look(self);
}
