/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - the command: protect the process, read the line, run the command,
 * and see that all of its output arrived.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/**
 * A closed standard stream would give its number to the next file that is
 * opened, and output would go into the vault. Reading from or writing to what
 * stands in for it fails.
 */
static void kr_cli_hold_standard_streams(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
      continue;
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
      _exit(KR_CLI_EXIT_FAILED);
  }
}

/** A full disk is an error of the job; a reader that went away is not worth a word. */
static int kr_cli_finish_output(const kr_cli *cli, int code) {
  bool has_failed = ferror(stdout) != 0;
  errno = 0;
  if (fflush(stdout) == 0 && !has_failed)
    return code;
  int failed_code = code == KR_CLI_EXIT_DONE ? KR_CLI_EXIT_FAILED : code;
  if (errno == EPIPE)
    return failed_code;
  kr_error error;
  (void)kr_cli_error(&error, KR_IO, "cannot write to standard output%s%s", errno == 0 ? "" : ": ",
                     errno == 0 ? "" : strerror(errno));
  (void)kr_cli_fail(cli, &error, NULL);
  return failed_code;
}

static int kr_cli_dispatch(kr_cli *cli) {
  const char *org = cli->values[KR_CLI_ORG];
  const char *problem = org == NULL ? NULL : kr_cli_org_name_problem(org);
  if (problem != NULL)
    return kr_cli_usage(cli, problem, "`krosyn org list` shows the names there are");
  problem = kr_cli_key_problem(cli);
  if (problem != NULL)
    return kr_cli_usage(cli, problem, "`krosyn help key status` says which key is used");
  return cli->command->run(cli);
}

int main(int argc, char **argv) {
  kr_cli_hold_standard_streams();
  (void)setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
  kr_cli cli = {0};
  kr_error error = {0};
  if (argc > 1 && strcmp(argv[1], KR_CLI_CHILD_WORD) == 0) {
    cli.is_child = true;
    argv[1] = argv[0];
    argv++;
    argc--;
    kr_cli_follow_parent();
  }
  cli.argv = argv;
  if (kr_process_init(&error) != KR_OK)
    return kr_cli_fail(&cli, &error, NULL);
  char **words = NULL;
  int code = kr_cli_parse(&cli, argc, argv, &words);
  if (code < 0)
    code = kr_cli_dispatch(&cli);
  free(words);
  return kr_cli_finish_output(&cli, code);
}
