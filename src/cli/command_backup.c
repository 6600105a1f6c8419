/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_backup.c - backup, restore, purge. They read whole stores, so they
 * work in a child that a damaged page may end.
 */
#include "cli/cli.h"

static void kr_cli_damages_donep(kr_cli_damages *damages) { kr_cli_damages_done(damages); }

/* In the parent: what the child said is out already. */
static int kr_cli_backup_watch(const kr_cli *cli, const char *what) {
  kr_error error = {0};
  kr_cli_child child = {0};
  if (kr_cli_in_child(cli, &child, &error) != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (child.signal == 0)
    return child.code;
  if (kr_cli_is_fault(&child)) {
    (void)kr_cli_error(&error, KR_CORRUPT,
                       "%s is damaged: reading it ended the process that read it (signal %d)", what,
                       child.signal);
    kr_cli_hint(&error,
                "nothing was made of it; what has \".partial-\" in its name may be removed");
  } else {
    (void)kr_cli_error(&error, KR_IO, "stopped by signal %d", child.signal);
  }
  return kr_cli_fail(cli, &error, NULL);
}

static kr_status kr_cli_backup_home(const kr_cli *cli, kr_cli_home *home, kr_error *error) {
  kr_status status = kr_cli_resolve(cli, home, error);
  if (status == KR_OK && home->options.home == NULL)
    status = kr_cli_no_home(error);
  return status;
}

static void kr_cli_put_info_json(const char *directory, const kr_backup_info *info) {
  (void)fputs("\"backup\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(directory));
  (void)fputs(",\"created\":\"", stdout);
  kr_cli_put_time(stdout, info->created_ms);
  (void)fputs("\",\"key\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(info->key));
  (void)printf(",\"bytes\":%llu,\"head\":", (unsigned long long)info->bytes);
  kr_cli_put_head_json(stdout, &info->head);
}

static void kr_cli_put_info(const char *directory, const kr_backup_info *info) {
  (void)fputs("backup         ", stdout);
  kr_cli_put(stdout, kr_cli_str(directory));
  (void)fputs("\ncreated        ", stdout);
  kr_cli_put_time(stdout, info->created_ms);
  (void)printf("\nbytes          %llu\nkey needed     ", (unsigned long long)info->bytes);
  kr_cli_put(stdout, kr_cli_str(info->key));
  (void)fputc('\n', stdout);
  kr_cli_put_head(stdout, &info->head);
}

int kr_cli_run_backup(kr_cli *cli) {
  kr_error error = {0};
  kr_cli_home home = {0};
  kr_cli_steps progress;
  kr_backup_info info;
  const char *directory = cli->arguments[0];
  if (!cli->is_child)
    return kr_cli_backup_watch(cli, "the home");
  kr_cli_steps_start(cli, &progress);
  kr_status status = kr_cli_backup_home(cli, &home, &error);
  if (status == KR_OK)
    status = kr_home_backup(&home.options, directory, &progress.progress, &info, &error);
  kr_cli_steps_end(&progress);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (cli->is_json) {
    (void)fputc('{', stdout);
    kr_cli_put_info_json(directory, &info);
    (void)fputs("}\n", stdout);
    return KR_CLI_EXIT_DONE;
  }
  kr_cli_put_info(directory, &info);
  (void)puts("The key is not in it: without the key named above nobody can restore it.\n"
             "Keep a copy of the key elsewhere, and prove the backup: krosyn restore --check DIR");
  return KR_CLI_EXIT_DONE;
}

static void kr_cli_show_restored(const kr_cli *cli, const kr_backup_info *info,
                                 const kr_home_report *report, const kr_cli_damages *damages) {
  const char *home = cli->values[KR_CLI_CHECK] != NULL ? NULL : cli->values[KR_CLI_HOME];
  if (cli->is_json) {
    (void)printf("{\"good\":%s,\"damage\":[%.*s],\"counts\":",
                 report->counts.damaged == 0 ? "true" : "false", (int)damages->json.len,
                 damages->json.ptr == NULL ? "" : damages->json.ptr);
    kr_cli_put_counts_json(stdout, &report->counts);
    (void)fputc(',', stdout);
    kr_cli_put_info_json(cli->arguments[0], info);
    (void)fputs("}\n", stdout);
    return;
  }
  kr_cli_put_info(cli->arguments[0], info);
  kr_cli_put_counts(stdout, &report->counts);
  if (cli->values[KR_CLI_CHECK] != NULL) {
    (void)puts(report->counts.damaged == 0 ? "the backup is whole" : "the backup is damaged");
    return;
  }
  (void)fputs("restored", stdout);
  if (home != NULL) {
    (void)fputs(" to ", stdout);
    kr_cli_put(stdout, kr_cli_str(home));
  }
  (void)puts(
      ".\nThis is the state of the time above, not of now: secrets, policies and events that\n"
      "came later are not in it, and values that were replaced or deleted since are back.\n"
      "Compare generation and last event with the newest head you have kept.");
}

int kr_cli_run_restore(kr_cli *cli) {
  kr_error error = {0};
  kr_cli_home home = {0};
  kr_cli_steps progress;
  kr_backup_info info;
  kr_home_report report;
  const char *directory = cli->arguments[0];
  KR_CLI_CLEANUP(kr_cli_damages_donep)
  kr_cli_damages damages = {.cli = cli, .progress = &progress};
  if (!cli->is_child)
    return kr_cli_backup_watch(cli, "the backup");
  kr_cli_steps_start(cli, &progress);
  kr_status status = kr_cli_backup_home(cli, &home, &error);
  if (status == KR_OK && cli->values[KR_CLI_CHECK] != NULL)
    status = kr_backup_check(&home.options, directory, &progress.progress, kr_cli_take_damage,
                             &damages, &info, &report, &error);
  else if (status == KR_OK)
    status = kr_home_restore(&home.options, directory, &progress.progress, kr_cli_take_damage,
                             &damages, &info, &report, &error);
  kr_cli_steps_end(&progress);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_show_restored(cli, &info, &report, &damages);
  return report.counts.damaged == 0 ? KR_CLI_EXIT_DONE : KR_CLI_EXIT_REFUSED;
}

int kr_cli_run_purge(kr_cli *cli) {
  kr_error error = {0};
  kr_cli_home home = {0};
  kr_cli_steps steps;
  kr_purge_info info;
  if (!cli->is_child)
    return kr_cli_backup_watch(cli, "the home");
  kr_cli_steps_start(cli, &steps);
  kr_status status = kr_cli_backup_home(cli, &home, &error);
  if (status == KR_OK)
    status = kr_home_purge(&home.options, &steps.progress, &info, &error);
  kr_cli_steps_end(&steps);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (cli->is_json) {
    (void)printf("{\"vault\":{\"before\":%llu,\"after\":%llu},\"events\":{\"before\":%llu,"
                 "\"after\":%llu}}\n",
                 (unsigned long long)info.vault_before, (unsigned long long)info.vault_after,
                 (unsigned long long)info.events_before, (unsigned long long)info.events_after);
    return KR_CLI_EXIT_DONE;
  }
  (void)printf("vault          %llu bytes, before %llu\nevents         %llu bytes, before %llu\n",
               (unsigned long long)info.vault_after, (unsigned long long)info.vault_before,
               (unsigned long long)info.events_after, (unsigned long long)info.events_before);
  (void)puts(
      "Nothing deleted or replaced is left in the data files. Backups made before still hold "
      "it.");
  return KR_CLI_EXIT_DONE;
}
