/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.c - a backup proved, and made a home again. What proves it: the
 * digests of its files, the MAC of the manifest over them (whose key is wrapped
 * in the vault that the backup holds), and then everything inside, as verify
 * does. A restored home is proved by what was written into it, not by what was
 * read a moment before.
 */
#include "engine/backup.h"
#include "engine/home.h"
#include "engine/verify.h"

typedef struct kr_restore {
  const kr_home_options *options;
  const kr_progress *progress;
  const char *directory; /* the backup */
  kr_home_damage_visit visit;
  void *ctx;
  kr_backup_manifest manifest;
  kr_home_report report;
} kr_restore;

static kr_status kr_restore_differs(const kr_restore *restore, size_t index, kr_error *reterr) {
  (void)kr_fail(reterr, KR_CORRUPT,
                "%s/%s is not the file that was saved: it was cut, damaged or "
                "replaced",
                restore->directory, kr_backup_files[index]);
  kr_error_hint(reterr, "use another backup; `krosyn verify --salvage` may save parts of this one");
  return KR_CORRUPT;
}

/* Read every file, and copy it where `to` is a directory. */
static kr_status kr_restore_files(const kr_restore *restore, const char *to, kr_error *reterr) {
  kr_tree_job job = {.progress = restore->progress,
                     .step = to == NULL ? "reading the files" : "copying the files",
                     .total = restore->manifest.info.bytes};
  for (size_t i = 0; i < KR_BACKUP_FILES; i++) {
    const kr_backup_file *file = &restore->manifest.files[i];
    uint8_t digest[KR_TREE_DIGEST_BYTES];
    uint64_t n_bytes = 0;
    kr_path from;
    kr_path target;
    KR_TRY(kr_path_join(&from, restore->directory, kr_backup_files[i], reterr));
    if (to != NULL)
      KR_TRY(kr_path_join(&target, to, kr_backup_files[i], reterr));
    kr_status status = to == NULL
                           ? kr_file_digest(&job, from.text, digest, &n_bytes, reterr)
                           : kr_file_copy(&job, from.text, target.text, digest, &n_bytes, reterr);
    if (status == KR_NOT_FOUND)
      return kr_restore_differs(restore, i, reterr);
    KR_TRY(status);
    if (n_bytes != file->n_bytes || !kr_crypto_equal(digest, file->digest, sizeof digest))
      return kr_restore_differs(restore, i, reterr);
  }
  return KR_OK;
}

static kr_status kr_restore_state(kr_restore *restore, kr_error *reterr) {
  const kr_home_head *said = &restore->manifest.info.head;
  const kr_home_head *found = &restore->report.head;
  /* Damage was told already; a whole store in another state is not what was saved. */
  if (!restore->report.has_head || restore->report.counts.damaged > 0)
    return KR_OK;
  if (said->generation == found->generation && said->events == found->events &&
      strcmp(said->store, found->store) == 0 && strcmp(said->chain, found->chain) == 0)
    return KR_OK;
  return kr_fail_hint(reterr, KR_CORRUPT, "the backup is not in the state that backup.json says",
                      "use another backup");
}

/* home: the backup itself, or the draft of a new home; nobody else has it open. */
static kr_status kr_restore_prove(kr_restore *restore, const char *home, kr_error *reterr) {
  kr_error log_error = {.status = KR_OK};
  kr_engine_mode mode = kr_verify_mode(true, &log_error);
  KR_CLEANUP(kr_engine_closep) kr_engine *engine = NULL;
  kr_home_options options = *restore->options;
  options.home = home;
  mode.copied_from = restore->directory;
  KR_TRY(kr_engine_open_as(&options, &mode, &engine, reterr));
  KR_TRY(kr_engine_need_key(engine, reterr));
  KR_TRY(kr_backup_manifest_check(&restore->manifest, kr_vault_backup_key(engine->vault), reterr));
  if (restore->progress != NULL && restore->progress->show != NULL)
    restore->progress->show(restore->progress->ctx, "checking every record", 0, 0);
  KR_TRY(kr_engine_verify(engine, &log_error, NULL, restore->visit, restore->ctx, &restore->report,
                          reterr));
  return kr_restore_state(restore, reterr);
}

static void kr_restore_give(const kr_restore *restore, kr_backup_info *ret_info,
                            kr_home_report *ret_report) {
  if (ret_info != NULL)
    *ret_info = restore->manifest.info;
  if (ret_report != NULL)
    *ret_report = restore->report;
}

kr_status kr_backup_check(const kr_home_options *options, const char *directory,
                          const kr_progress *progress, kr_home_damage_visit visit, void *ctx,
                          kr_backup_info *ret_info, kr_home_report *ret_report, kr_error *reterr) {
  kr_restore restore = {
      .options = options, .progress = progress, .directory = directory, .visit = visit, .ctx = ctx};
  KR_TRY(kr_backup_manifest_load(directory, &restore.manifest, reterr));
  KR_TRY(kr_restore_files(&restore, NULL, reterr));
  KR_TRY(kr_restore_prove(&restore, directory, reterr));
  kr_restore_give(&restore, ret_info, ret_report);
  return KR_OK;
}

static kr_status kr_restore_copy(const kr_restore *restore, const char *draft, kr_error *reterr) {
  static const char *const directories[] = {"vault", "events"};
  kr_path path;
  for (size_t i = 0; i < 2; i++) {
    KR_TRY(kr_path_join(&path, draft, directories[i], reterr));
    KR_TRY(kr_tree_directory(path.text, reterr));
  }
  KR_TRY(kr_restore_files(restore, draft, reterr));
  for (size_t i = 0; i < 2; i++) {
    KR_TRY(kr_path_join(&path, draft, directories[i], reterr));
    KR_TRY(kr_tree_sync(path.text, reterr));
  }
  return KR_OK;
}

static kr_status kr_restore_run(kr_restore *restore, kr_tree *tree, kr_error *reterr) {
  KR_TRY(kr_backup_manifest_load(restore->directory, &restore->manifest, reterr));
  KR_TRY(kr_tree_check_outside(restore->options->home, restore->directory,
                               "the new home would lie inside the backup", reterr));
  KR_TRY(kr_tree_begin(tree, restore->options->home, true, reterr));
  KR_TRY(kr_restore_copy(restore, tree->draft.text, reterr));
  KR_TRY(kr_restore_prove(restore, tree->draft.text, reterr));
  if (restore->report.counts.damaged > 0)
    return kr_fail_hint(reterr, KR_CORRUPT, "the backup is damaged inside; nothing was restored",
                        "use another backup, or save what is good: `krosyn verify --salvage`");
  return kr_tree_end(tree, reterr);
}

kr_status kr_home_restore(const kr_home_options *options, const char *directory,
                          const kr_progress *progress, kr_home_damage_visit visit, void *ctx,
                          kr_backup_info *ret_info, kr_home_report *ret_report, kr_error *reterr) {
  KR_CLEANUP(kr_tree_done) kr_tree tree = {.draft = {.text = ""}};
  kr_restore restore = {
      .options = options, .progress = progress, .directory = directory, .visit = visit, .ctx = ctx};
  KR_TRY(kr_restore_run(&restore, &tree, reterr));
  kr_restore_give(&restore, ret_info, ret_report);
  return KR_OK;
}
