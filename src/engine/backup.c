/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup.c - a home copied while others use it. The two stores are two
 * snapshots, and their order matters: first the log, then the vault. Whatever
 * an event or an intent names (its organization, versions of secrets) was
 * committed to the vault before it was committed to the log; so a vault that is
 * copied later has it, and no event stands without its vault state. The other
 * way round an organization made between the two would be missing.
 *
 * What backup.json says of the state is read from the copies themselves: it is
 * what was copied, whatever was written meanwhile.
 */
#define _POSIX_C_SOURCE 200809L
#include "engine/backup.h"

#include "engine/home.h"
#include "engine/verify.h"

#include <stdio.h>

typedef struct kr_backup {
  const kr_home_options *options;
  const kr_progress *progress;
  kr_tree tree;
  kr_backup_manifest manifest;
  kr_engine *home;
  kr_engine *copy; /* opened with the key of home: sources of keys may give theirs once only */
} kr_backup;

static void kr_backup_done(kr_backup *backup) {
  kr_engine_close(backup->copy);
  kr_engine_close(backup->home);
  kr_tree_done(&backup->tree);
}

static void kr_backup_step(const kr_backup *backup, const char *step) {
  if (backup->progress != NULL && backup->progress->show != NULL)
    backup->progress->show(backup->progress->ctx, step, 0, 0);
}

static kr_status kr_backup_open_home(kr_backup *backup, kr_error *reterr) {
  const kr_engine_mode mode = {.is_read_only = true};
  KR_TRY(kr_engine_open_as(backup->options, &mode, &backup->home, reterr));
  return kr_engine_need_key(backup->home, reterr);
}

static kr_status kr_backup_open_copy(kr_backup *backup, kr_error *reterr) {
  const kr_engine_mode mode = {
      .is_read_only = true, .is_unshared = true, .keyring = backup->home->keyring};
  kr_home_options options = *backup->options;
  options.home = backup->tree.draft.text;
  return kr_engine_open_as(&options, &mode, &backup->copy, reterr);
}

static kr_status kr_backup_copy_store(kr_backup *backup, kr_store *store, const char *name,
                                      kr_error *reterr) {
  kr_path path;
  KR_TRY(kr_path_join(&path, backup->tree.draft.text, name, reterr));
  return kr_store_copy(store, kr_str_cstr(path.text), reterr);
}

static kr_status kr_backup_copy_settings(kr_backup *backup, kr_error *reterr) {
  uint8_t digest[KR_TREE_DIGEST_BYTES];
  uint64_t n_bytes = 0;
  kr_tree_job job = {.progress = NULL};
  kr_path from;
  kr_path to;
  KR_TRY(kr_path_join(&from, backup->options->home, "settings.json", reterr));
  KR_TRY(kr_path_join(&to, backup->tree.draft.text, "settings.json", reterr));
  return kr_file_copy(&job, from.text, to.text, digest, &n_bytes, reterr);
}

static kr_status kr_backup_copy(kr_backup *backup, kr_error *reterr) {
  KR_TRY(kr_backup_copy_settings(backup, reterr));
  kr_backup_step(backup, "copying the event log");
  KR_TRY(kr_backup_copy_store(backup, backup->home->events_store, "events", reterr));
  kr_backup_step(backup, "copying the vault");
  return kr_backup_copy_store(backup, backup->home->vault_store, "vault", reterr);
}

/* The state, from the copies. Opening them also shows that they are of one vault and our key. */
static kr_status kr_backup_describe(kr_backup *backup, kr_error *reterr) {
  kr_backup_info *info = &backup->manifest.info;
  kr_engine *copy = backup->copy;
  KR_TRY(kr_engine_head(copy, &info->head, reterr));
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  _Static_assert(sizeof info->key == KR_KEY_ID_BYTES + 1, "room for an id");
  KR_TRY(kr_store_begin(copy->vault_store, KR_STORE_READ, &txn, reterr));
  KR_TRY(kr_vault_key_id(txn, info->key, reterr));
  info->created_ms = kr_clock_wall_ms(copy->clock);
  return KR_OK;
}

static kr_status kr_backup_digest(kr_backup *backup, kr_error *reterr) {
  kr_tree_job job = {.progress = backup->progress, .step = "computing digests"};
  for (size_t i = 0; i < KR_BACKUP_FILES; i++) {
    kr_backup_file *file = &backup->manifest.files[i];
    kr_path path;
    KR_TRY(kr_path_join(&path, backup->tree.draft.text, kr_backup_files[i], reterr));
    KR_TRY(kr_file_digest(&job, path.text, file->digest, &file->n_bytes, reterr));
    backup->manifest.info.bytes += file->n_bytes;
  }
  return KR_OK;
}

static kr_status kr_backup_run(kr_backup *backup, const char *directory, kr_error *reterr) {
  /* It would be copied by the next tool that copies homes, and so on. */
  KR_TRY(kr_tree_check_outside(directory, backup->options->home,
                               "the backup would lie inside the home", reterr));
  KR_TRY(kr_backup_open_home(backup, reterr));
  KR_TRY(kr_tree_begin(&backup->tree, directory, false, reterr));
  KR_TRY(kr_backup_copy(backup, reterr));
  /* The files are read before they are opened as stores: then nobody has a lock to lose. */
  KR_TRY(kr_backup_digest(backup, reterr));
  KR_TRY(kr_backup_open_copy(backup, reterr));
  KR_TRY(kr_backup_describe(backup, reterr));
  KR_TRY(kr_backup_manifest_save(&backup->manifest, kr_vault_backup_key(backup->copy->vault),
                                 backup->tree.draft.text, reterr));
  return kr_tree_end(&backup->tree, reterr);
}

kr_status kr_home_backup(const kr_home_options *options, const char *directory,
                         const kr_progress *progress, kr_backup_info *ret_info, kr_error *reterr) {
  KR_CLEANUP(kr_backup_done) kr_backup backup = {.options = options, .progress = progress};
  KR_TRY(kr_backup_run(&backup, directory, reterr));
  if (ret_info != NULL)
    *ret_info = backup.manifest.info;
  return KR_OK;
}
