/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.c - the same command line once more in a child. A damaged page can end
 * the process that reads it, inside LMDB, with a signal; in a child that is an
 * answer ("damaged") and not a crash. The child is this program (exec, not a
 * fork that goes on: a store is never used across a fork).
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static kr_status kr_cli_spawn(char **argv, pid_t *ret_pid, kr_error *error) {
  int code = posix_spawn(ret_pid, "/proc/self/exe", NULL, NULL, argv, environ);
  if (code == 0)
    return KR_OK;
  (void)kr_cli_error(error, KR_IO, "cannot start a process for the check: %s", strerror(code));
  kr_cli_hint(error, "/proc must be mounted, and the limit of processes not be reached");
  return KR_IO;
}

/*
 * The child has an environment of its own by now, takes the key out of it and
 * wipes it there. It must not go on standing in ours for as long as the child works.
 */
static void kr_cli_forget_key_variable(void) {
  char *value = getenv("KROSYN_KEY");
  if (value == NULL)
    return;
  explicit_bzero(value, strlen(value));
  (void)unsetenv("KROSYN_KEY");
}

kr_status kr_cli_in_child(const kr_cli *cli, kr_cli_child *ret_child, kr_error *error) {
  size_t n = 0;
  while (cli->argv[n] != NULL)
    n++;
  char **argv = calloc(n + 2, sizeof *argv);
  if (argv == NULL)
    return kr_cli_error(error, KR_NOMEM, "out of memory");
  char word[] = KR_CLI_CHILD_WORD;
  argv[0] = cli->argv[0];
  argv[1] = word;
  for (size_t i = 1; i < n; i++)
    argv[i + 1] = cli->argv[i];
  pid_t pid = 0;
  int result = 0;
  (void)fflush(stdout);
  kr_status status = kr_cli_spawn(argv, &pid, error);
  free(argv);
  kr_cli_forget_key_variable();
  if (status != KR_OK)
    return status;
  while (waitpid(pid, &result, 0) < 0)
    if (errno != EINTR)
      return kr_cli_error(error, KR_IO, "lost the process of the check: %s", strerror(errno));
  *ret_child = (kr_cli_child){.code = WIFEXITED(result) ? WEXITSTATUS(result) : KR_CLI_EXIT_FAILED,
                              .signal = WIFSIGNALED(result) ? WTERMSIG(result) : 0};
  return KR_OK;
}

bool kr_cli_is_fault(const kr_cli_child *child) {
  static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
    if (child->signal == faults[i])
      return true;
  return false;
}

void kr_cli_follow_parent(void) { (void)prctl(PR_SET_PDEATHSIG, SIGKILL); }
