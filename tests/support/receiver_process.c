/* SPDX-License-Identifier: Apache-2.0 */
/* receiver_process.c - spawn, read the port from its stdout, stop. */
#define _GNU_SOURCE
#include "support/receiver_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool write_temporary(char path[64], const char *text) {
  (void)snprintf(path, 64, "krosyn-test-XXXXXX");
  int fd = mkstemp(path);
  if (fd < 0)
    return false;
  size_t len = strlen(text);
  bool is_written = write(fd, text, len) == (ssize_t)len;
  return close(fd) == 0 && is_written;
}

static bool read_port(int fd, uint16_t *ret_port) {
  char line[16] = "";
  for (size_t used = 0; used < sizeof line - 1 && strchr(line, '\n') == NULL;) {
    ssize_t n_read = read(fd, line + used, sizeof line - 1 - used);
    if (n_read <= 0)
      return false;
    used += (size_t)n_read;
  }
  *ret_port = (uint16_t)strtoul(line, NULL, 10);
  return *ret_port != 0;
}

bool receiver_start(receiver_process *process, const char *expectations) {
  memset(process, 0, sizeof *process);
  const char *program = getenv("KROSYN_RECEIVER");
  if (program == NULL || !write_temporary(process->report, ""))
    return false;
  if (expectations != NULL && !write_temporary(process->expect, expectations))
    return false;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return false;
  char *const arguments[] = {(char *)program, "--report", process->report,
                             "--max-seconds", "120",      expectations == NULL ? NULL : "--expect",
                             process->expect, NULL};
  posix_spawn_file_actions_t actions;
  bool is_started = posix_spawn_file_actions_init(&actions) == 0 &&
                    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) == 0 &&
                    posix_spawn(&process->pid, program, &actions, NULL, arguments, environ) == 0;
  (void)posix_spawn_file_actions_destroy(&actions);
  (void)close(ends[1]);
  is_started = is_started && read_port(ends[0], &process->port);
  (void)close(ends[0]);
  return is_started;
}

void receiver_read_report(const receiver_process *process, char *out, size_t size) {
  out[0] = '\0';
  FILE *file = fopen(process->report, "r");
  if (file == NULL)
    return;
  size_t n_read = fread(out, 1, size - 1, file);
  out[n_read] = '\0';
  (void)fclose(file);
}

int receiver_stop(receiver_process *process, char *out, size_t size) {
  int status = 0;
  if (process->pid <= 0 || kill(process->pid, SIGTERM) != 0 ||
      waitpid(process->pid, &status, 0) != process->pid)
    return -1;
  process->pid = 0;
  if (out != NULL)
    receiver_read_report(process, out, size);
  (void)unlink(process->report);
  if (process->expect[0] != '\0')
    (void)unlink(process->expect);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
