/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_key_change.c - key rotate, key rekey, key forget: new data keys, of one
 * organization or of all, and another master key.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <krosyn/vault.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KR_CLI_PROGRESS_MS 200

/* ---- progress, on a terminal only ---- */

typedef struct kr_cli_rotate {
  const char *org;
  bool is_on;
  bool is_shown;
  long long shown_ms;
} kr_cli_rotate;

static long long kr_cli_rotate_now_ms(void) {
  struct timespec now = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static kr_status kr_cli_rotate_progress(void *ctx, uint64_t n_done, uint64_t n_total) {
  kr_cli_rotate *rotate = ctx;
  long long now_ms = kr_cli_rotate_now_ms();
  if (!rotate->is_on || (rotate->is_shown && now_ms - rotate->shown_ms < KR_CLI_PROGRESS_MS))
    return KR_OK;
  rotate->is_shown = true;
  rotate->shown_ms = now_ms;
  (void)fprintf(stderr, "\r%s: %llu of %llu values\x1b[K", rotate->org, (unsigned long long)n_done,
                (unsigned long long)n_total);
  (void)fflush(stderr);
  return KR_OK;
}

static void kr_cli_rotate_done(kr_cli_rotate *rotate) {
  if (rotate->is_shown)
    (void)fputs("\r\x1b[K", stderr);
}

/* ---- which organizations ---- */

typedef struct kr_cli_names {
  char **names;
  size_t count;
  size_t cap;
} kr_cli_names;

static void kr_cli_names_done(kr_cli_names *names) {
  for (size_t i = 0; i < names->count; i++)
    free(names->names[i]);
  free(names->names);
}

static kr_status kr_cli_names_add(kr_cli_names *names, const char *name) {
  if (names->count == names->cap) {
    size_t cap = names->cap == 0 ? 16 : names->cap * 2;
    char **grown = realloc(names->names, cap * sizeof *grown);
    if (grown == NULL)
      return KR_NOMEM;
    names->names = grown;
    names->cap = cap;
  }
  names->names[names->count] = strdup(name);
  if (names->names[names->count] == NULL)
    return KR_NOMEM;
  names->count++;
  return KR_OK;
}

static kr_status kr_cli_take_org_name(void *ctx, const kr_org_info *org) {
  return kr_cli_names_add(ctx, org->name);
}

static kr_status kr_cli_which_orgs(const kr_cli *cli, kr_engine *engine, kr_cli_names *names,
                                   kr_error *error) {
  kr_status status = KR_OK;
  if (cli->values[KR_CLI_ALL] != NULL)
    status = kr_engine_org_each(engine, kr_cli_take_org_name, names, error);
  else
    status = kr_cli_names_add(names, (const char *)kr_cli_org(cli).ptr);
  return status == KR_NOMEM ? kr_cli_error(error, KR_NOMEM, "out of memory") : status;
}

/* ---- key rotate ---- */

static kr_status kr_cli_rotate_one(const kr_cli *cli, kr_engine *engine, const char *org,
                                   size_t n_before, kr_error *error) {
  kr_key_rotation done = {0};
  KR_CLI_CLEANUP(kr_cli_rotate_done)
  kr_cli_rotate rotate = {.org = org, .is_on = !cli->is_json && isatty(STDERR_FILENO) != 0};
  kr_status status =
      kr_engine_key_rotate(engine, kr_cli_str(org), kr_cli_rotate_progress, &rotate, &done, error);
  if (status != KR_OK)
    return status;
  if (cli->is_json) {
    kr_cli_list_item(n_before);
    (void)printf("{\"organization\":\"%s\",\"old_key\":%u,\"new_key\":%u,\"values\":%llu,"
                 "\"finished_an_older\":%s}",
                 org, done.old_key, done.new_key, (unsigned long long)done.n_values,
                 done.finished_an_older ? "true" : "false");
    return KR_OK;
  }
  kr_cli_rotate_done(&rotate);
  rotate.is_shown = false;
  (void)printf("%s: data key %u instead of %u, %llu values sealed again%s\n", org, done.new_key,
               done.old_key, (unsigned long long)done.n_values,
               done.finished_an_older ? "; an interrupted change was finished first" : "");
  return KR_OK;
}

int kr_cli_run_key_rotate(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  KR_CLI_CLEANUP(kr_cli_names_done) kr_cli_names names = {0};
  kr_cli_table nothing = {.n_columns = 1};
  if (cli->values[KR_CLI_ALL] != NULL && cli->values[KR_CLI_ORG] != NULL)
    return kr_cli_usage(cli, "--all and --org exclude each other", "");
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK)
    status = kr_cli_which_orgs(cli, engine, &names, &error);
  size_t n_done = 0;
  for (size_t i = 0; status == KR_OK && i < names.count; i++) {
    status = kr_cli_rotate_one(cli, engine, names.names[i], n_done, &error);
    n_done += status == KR_OK;
  }
  if (cli->is_json)
    status = kr_cli_list_end(cli, status, n_done, &nothing, &error);
  return status == KR_OK ? KR_CLI_EXIT_DONE : kr_cli_fail(cli, &error, NULL);
}

/* ---- key rekey, key forget ---- */

int kr_cli_run_key_rekey(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  kr_key_rekey done = {.went_on = false};
  const char *file = cli->values[KR_CLI_NEW_KEY];
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK)
    status = kr_engine_key_rekey(engine, file, &done, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (cli->is_json) {
    (void)printf("{\"old_key\":\"%s\",\"new_key\":\"%s\",\"went_on\":%s}\n", done.old_key,
                 done.new_key, done.went_on ? "true" : "false");
    return KR_CLI_EXIT_DONE;
  }
  (void)printf("the master key is now %s%s; it was %s\n", done.new_key,
               done.went_on ? ", which stood first in the key file" : "", done.old_key);
  if (file == NULL)
    (void)printf(
        "Keep a copy of the key file: the old copy does not open the vault any more.\n"
        "Backups of before need %s: keep it while they are kept, then krosyn key forget %s\n",
        done.old_key, done.old_key);
  else
    (void)printf("From now on the home opens with the file that --new-key named.\n"
                 "Backups of before need %s: keep it while they are kept.\n",
                 done.old_key);
  return KR_CLI_EXIT_DONE;
}

int kr_cli_run_key_forget(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  const char *id = cli->arguments[0];
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK)
    status = kr_engine_key_forget(engine, kr_cli_str(id), &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  /* It stood in the file as an id, so it is nothing but letters, digits and "-_.". */
  if (cli->is_json)
    (void)printf("{\"key\":\"%s\",\"forgotten\":true}\n", id);
  else
    (void)printf(
        "took key %s out of the key file; backups that need it open only with a copy of it\n", id);
  return KR_CLI_EXIT_DONE;
}
