/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_redact.c - a filter: files or standard input to standard output,
 * without the secrets in them; or files in their place.
 */
#define _GNU_SOURCE
#include "cli/redact.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that is also the output would be read and written without end, or is empty already. */
static kr_status kr_cli_redact_check(int fd, const char *name, kr_error *error) {
  struct stat in;
  struct stat out;
  if (fstat(fd, &in) != 0 || fstat(STDOUT_FILENO, &out) != 0 || !S_ISREG(in.st_mode))
    return KR_OK;
  if (in.st_dev != out.st_dev || in.st_ino != out.st_ino)
    return KR_OK;
  (void)kr_cli_error(error, KR_INVALID, "%s is also the output", name);
  kr_cli_hint(error, "--in-place replaces a file; or write to another one");
  return KR_INVALID;
}

static kr_status kr_cli_redact_one(kr_cli_redact *redact, int fd, const char *name,
                                   kr_error *error) {
  kr_status status = kr_cli_redact_check(fd, name, error);
  return status == KR_OK ? kr_cli_redact_copy(redact, fd, name, error) : status;
}

static kr_status kr_cli_redact_file(kr_cli_redact *redact, const char *path, kr_error *error) {
  if (strcmp(path, "-") == 0)
    return kr_cli_redact_one(redact, STDIN_FILENO, "standard input", error);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    kr_status status = errno == ENOENT ? KR_NOT_FOUND : KR_IO;
    return kr_cli_error(error, status, "cannot open %s: %s", path, strerror(errno));
  }
  kr_status status = kr_cli_redact_one(redact, fd, path, error);
  (void)close(fd);
  return status;
}

/*
 * The files are one stream. After an error it is not finished: what is held back
 * may be the beginning of a value whose rest was not read.
 */
static kr_status kr_cli_redact_all(kr_cli_redact *redact, kr_error *error) {
  const kr_cli *cli = redact->cli;
  kr_status status = kr_cli_redact_begin(redact, STDOUT_FILENO, "standard output", error);
  for (size_t i = 0; i < cli->n_arguments && status == KR_OK; i++)
    status = kr_cli_redact_file(redact, cli->arguments[i], error);
  if (cli->n_arguments == 0 && status == KR_OK)
    status = kr_cli_redact_file(redact, "-", error);
  return status == KR_OK ? kr_cli_redact_end(redact, error) : status;
}

static kr_status kr_cli_redact_each(kr_cli_redact *redact, kr_error *error) {
  const kr_cli *cli = redact->cli;
  kr_status status = KR_OK;
  for (size_t i = 0; i < cli->n_arguments && status == KR_OK; i++)
    status = kr_cli_redact_in_place(redact, cli->arguments[i], error);
  return status;
}

static void kr_cli_warn_short(const kr_cli *cli, size_t n_short) {
  char message[128];
  if (n_short == 0)
    return;
  (void)snprintf(message, sizeof message, "%zu value%s too short to be searched for", n_short,
                 n_short == 1 ? " is" : "s are");
  kr_cli_warn(cli, message);
}

static kr_status kr_cli_redact_warn(const kr_cli_redact *redact, kr_error *error) {
  kr_redactor_set *set = NULL;
  kr_status status = kr_redactor_now(redact->redactor, &set, error);
  if (status != KR_OK)
    return status;
  kr_cli_warn_short(redact->cli, kr_redactor_set_n_short(set));
  if (kr_redactor_set_n_values(set) == 0)
    kr_cli_warn(redact->cli, "there are no values to search for");
  kr_redactor_set_free(set);
  return KR_OK;
}

static void kr_cli_warn_late(const kr_cli *cli, unsigned long long n_late) {
  char message[160];
  if (n_late == 0)
    return;
  (void)snprintf(message, sizeof message,
                 "%llu value%s had in part been written before %s became known", n_late,
                 n_late == 1 ? "" : "s", n_late == 1 ? "it" : "they");
  kr_cli_warn(cli, message);
}

static bool kr_cli_names_stdin(const kr_cli *cli) {
  for (size_t i = 0; i < cli->n_arguments; i++)
    if (strcmp(cli->arguments[i], "-") == 0)
      return true;
  return false;
}

/* -1: the line is right. */
static int kr_cli_redact_usage(const kr_cli *cli) {
  const char *values = cli->values[KR_CLI_VALUES];
  bool is_in_place = cli->values[KR_CLI_IN_PLACE] != NULL;
  bool names_stdin = kr_cli_names_stdin(cli);
  if (is_in_place && cli->n_arguments == 0)
    return kr_cli_usage(cli, "--in-place needs the files to replace",
                        "krosyn redact --in-place FILE...");
  if (is_in_place && names_stdin)
    return kr_cli_usage(cli, "standard input cannot be replaced in place",
                        "leave out the -, or --in-place");
  bool reads_stdin = names_stdin || cli->n_arguments == 0;
  if (values != NULL && strcmp(values, "-") == 0 && reads_stdin)
    return kr_cli_usage(cli, "standard input cannot be both the values and the text",
                        "name the files to redact, or put the values in a file");
  return -1;
}

/* All was written; for a job that is to fail, say why. With --stats the counts say it. */
static int kr_cli_redact_verdict(const kr_cli_redact *redact, kr_error *error) {
  const kr_cli *cli = redact->cli;
  unsigned long long n_markers = redact->counts.n_markers;
  if (n_markers == 0 || cli->values[KR_CLI_FAIL_ON_MATCH] == NULL)
    return KR_CLI_EXIT_DONE;
  if (cli->values[KR_CLI_STATS] != NULL)
    return KR_CLI_EXIT_FAILED;
  (void)kr_cli_error(error, KR_INVALID, "%llu occurrence%s of secrets found and removed", n_markers,
                     n_markers == 1 ? "" : "s");
  kr_cli_hint(error, "--stats shows which");
  return kr_cli_fail(cli, error, NULL);
}

int kr_cli_run_redact(kr_cli *cli) {
  kr_error error = {0};
  int code = kr_cli_redact_usage(cli);
  if (code >= 0)
    return code;
  bool is_in_place = cli->values[KR_CLI_IN_PLACE] != NULL;
  KR_CLI_CLEANUP(kr_cli_redact_done) kr_cli_redact redact = {.cli = cli};
  kr_status status = kr_cli_redact_open(&redact, &error);
  if (status == KR_OK)
    status = kr_cli_redact_warn(&redact, &error);
  if (redact.is_misused)
    return kr_cli_usage(cli, error.message, error.hint);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_progress_begin(&redact.progress, cli, is_in_place);
  status = is_in_place ? kr_cli_redact_each(&redact, &error) : kr_cli_redact_all(&redact, &error);
  kr_cli_progress_end(&redact.progress);
  kr_cli_warn_late(cli, redact.counts.n_late);
  if (status == KR_OK && cli->values[KR_CLI_STATS] != NULL)
    status = kr_cli_counts_show(cli, &redact.counts, &error);
  if (status == KR_OK)
    return kr_cli_redact_verdict(&redact, &error);
  /* A reader that went away is not worth a word; a full disk is. */
  return redact.write_errno == EPIPE ? KR_CLI_EXIT_FAILED : kr_cli_fail(cli, &error, NULL);
}
