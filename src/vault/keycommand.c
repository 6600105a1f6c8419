/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keycommand.c - runs a program and takes its output as the text of keys.
 *
 *   words -> posix_spawn -> pipe -> read(2) into locked memory -> exit status
 *
 * The words go to the program as they are: no shell, no PATH, so that what is
 * run does not depend on who runs it. It runs before the store is open, since a
 * child must not share the store's locks. Messages name the program only: its
 * arguments may hold what opens the key.
 */
#define _GNU_SOURCE
#include "vault/keycommand.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KR_KEYCOMMAND_POLL_NS 2000000 /* between two looks at a program that closed its output */

extern char **environ;

static void kr_keycommand_closep(int *fd) {
  if (*fd >= 0)
    (void)close(*fd);
}

kr_status kr_keycommand_add(kr_keycommand *command, kr_str word, kr_error *reterr) {
  if (memchr(word.ptr, '\0', word.len) != NULL)
    return kr_fail(reterr, KR_INVALID, "a word of the key command holds a NUL byte");
  if (!kr_utf8_is_valid(word)) /* it will stand in JSON */
    return kr_fail(reterr, KR_INVALID, "a word of the key command is not UTF-8");
  if (command->n_words == 0 && (word.len == 0 || word.ptr[0] != '/'))
    return kr_fail_hint(reterr, KR_INVALID, "the key command does not begin with an absolute path",
                        "name the program in full, as /usr/bin/pass; no shell and no PATH is used");
  if (command->n_words == KR_KEYCOMMAND_WORDS ||
      word.len >= KR_KEYCOMMAND_TEXT_BYTES - command->text_len)
    return kr_fail(reterr, KR_LIMIT, "a key command has at most %u words and %u bytes",
                   KR_KEYCOMMAND_WORDS, KR_KEYCOMMAND_TEXT_BYTES);
  memcpy(command->text + command->text_len, word.ptr, word.len);
  command->text_len += word.len;
  command->text[command->text_len++] = '\0';
  command->n_words++;
  return KR_OK;
}

kr_status kr_keycommand_split(kr_keycommand *command, const char *line, kr_error *reterr) {
  for (const char *p = line + strspn(line, " \t"); *p != '\0'; p += strspn(p, " \t")) {
    size_t len = strcspn(p, " \t");
    KR_TRY(kr_keycommand_add(command, kr_str_from(p, len), reterr));
    p += len;
  }
  if (command->n_words > 0)
    return KR_OK;
  return kr_fail(reterr, KR_INVALID, "the key command is empty");
}

const char *kr_keycommand_program(const kr_keycommand *command) { return command->text; }

kr_str kr_keycommand_next(const kr_keycommand *command, size_t *offset) {
  if (*offset >= command->text_len)
    return (kr_str){0};
  kr_str word = kr_str_cstr(command->text + *offset);
  *offset += word.len + 1;
  return word;
}

static kr_status kr_keycommand_failed(const kr_keycommand *command, const char *what,
                                      kr_error *reterr) {
  (void)kr_fail(reterr, KR_UNTRUSTED, "the key command %s %s", kr_keycommand_program(command),
                what);
  kr_error_hint(reterr, "run it by hand: it has to print the key, and exit with 0");
  return KR_UNTRUSTED;
}

/* Standard output first: the pipe may have the number that standard input gets. */
static int kr_keycommand_actions(posix_spawn_file_actions_t *actions, int pipe_fd) {
  int error = posix_spawn_file_actions_adddup2(actions, pipe_fd, STDOUT_FILENO);
  if (error == 0)
    error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (error == 0)
    error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
  return error;
}

/* No signal of ours stays blocked or ignored in the program. */
static int kr_keycommand_attributes(posix_spawnattr_t *attributes) {
  sigset_t none;
  sigset_t all;
  (void)sigemptyset(&none);
  (void)sigfillset(&all);
  int error = posix_spawnattr_setsigmask(attributes, &none);
  if (error == 0)
    error = posix_spawnattr_setsigdefault(attributes, &all);
  if (error == 0)
    error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  return error;
}

static int kr_keycommand_spawn(const kr_keycommand *command, int pipe_fd, pid_t *ret_pid) {
  char *words[KR_KEYCOMMAND_WORDS + 1] = {NULL};
  size_t offset = 0;
  for (size_t i = 0; i < command->n_words; i++)
    /* The program gets a copy of its own; the type is posix_spawn's. */
    words[i] = (char *)(uintptr_t)kr_keycommand_next(command, &offset).ptr;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int error = posix_spawn_file_actions_init(&actions);
  if (error != 0)
    return error;
  error = posix_spawnattr_init(&attributes);
  if (error == 0) {
    error = kr_keycommand_actions(&actions, pipe_fd);
    if (error == 0)
      error = kr_keycommand_attributes(&attributes);
    if (error == 0)
      error = posix_spawn(ret_pid, kr_keycommand_program(command), &actions, &attributes, words,
                          environ);
    (void)posix_spawnattr_destroy(&attributes);
  }
  (void)posix_spawn_file_actions_destroy(&actions);
  return error;
}

/* Milliseconds until the deadline, 0 when it has passed. */
static int kr_keycommand_left_ms(uint64_t deadline_us) {
  uint64_t now_us = kr_clock_monotonic_us(kr_clock_system());
  return now_us >= deadline_us ? 0 : (int)((deadline_us - now_us) / 1000 + 1);
}

static kr_status kr_keycommand_read(const kr_keycommand *command, int fd, uint64_t deadline_us,
                                    uint8_t *bytes, size_t *ret_len, kr_error *reterr) {
  size_t len = 0;
  for (;;) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int left_ms = kr_keycommand_left_ms(deadline_us);
    int n_ready = left_ms == 0 ? 0 : poll(&ready, 1, left_ms);
    if (n_ready < 0 && errno != EINTR)
      return kr_fail_errno(reterr, errno, "cannot wait for the key command");
    if (n_ready == 0 && kr_keycommand_left_ms(deadline_us) == 0)
      return kr_keycommand_failed(command, "took too long", reterr);
    if (n_ready <= 0)
      continue;
    ssize_t n = read(fd, bytes + len, KR_KEYFILE_ROOM_BYTES - len);
    if (n < 0 && errno != EINTR)
      return kr_fail_errno(reterr, errno, "cannot read from the key command");
    if (n == 0)
      break;
    len += n > 0 ? (size_t)n : 0;
    if (len > KR_KEYFILE_MAX_BYTES)
      return kr_keycommand_failed(command, "printed more than a key file may hold", reterr);
  }
  *ret_len = len;
  return KR_OK;
}

/* It has closed its output; it is to end as well, and in time. */
static kr_status kr_keycommand_wait(const kr_keycommand *command, pid_t pid, uint64_t deadline_us,
                                    bool *ret_is_reaped, kr_error *reterr) {
  int result = 0;
  for (;;) {
    pid_t ended = waitpid(pid, &result, WNOHANG);
    if (ended == pid)
      break;
    if (ended < 0 && errno != EINTR) {
      *ret_is_reaped = true; /* whoever ignores SIGCHLD has no children to wait for */
      return kr_fail_errno(reterr, errno, "cannot learn how the key command ended");
    }
    if (kr_keycommand_left_ms(deadline_us) == 0)
      return kr_keycommand_failed(command, "took too long", reterr);
    const struct timespec pause = {.tv_nsec = KR_KEYCOMMAND_POLL_NS};
    (void)nanosleep(&pause, NULL);
  }
  *ret_is_reaped = true;
  if (WIFEXITED(result) && WEXITSTATUS(result) == 0)
    return KR_OK;
  char what[64];
  if (WIFEXITED(result))
    (void)snprintf(what, sizeof what, "failed with exit code %d", WEXITSTATUS(result));
  else
    (void)snprintf(what, sizeof what, "was ended by signal %d", WTERMSIG(result));
  return kr_keycommand_failed(command, what, reterr);
}

static void kr_keycommand_kill(pid_t pid) {
  (void)kill(pid, SIGKILL);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
  }
}

kr_status kr_keycommand_run(const kr_keycommand *command, unsigned limit_ms,
                            uint8_t bytes[KR_KEYFILE_ROOM_BYTES], size_t *ret_len,
                            kr_error *reterr) {
  KR_CLEANUP(kr_keycommand_closep) int read_fd = -1;
  int fds[2];
  pid_t pid = 0;
  uint64_t deadline_us = kr_clock_monotonic_us(kr_clock_system()) + (uint64_t)limit_ms * 1000;
  if (pipe2(fds, O_CLOEXEC) != 0)
    return kr_fail_errno(reterr, errno, "cannot make a pipe for the key command");
  read_fd = fds[0];
  int error = kr_keycommand_spawn(command, fds[1], &pid);
  (void)close(fds[1]);
  if (error == ENOMEM)
    return kr_fail_nomem(reterr);
  if (error != 0) {
    char what[96];
    (void)snprintf(what, sizeof what, "cannot be run: %s", strerrordesc_np(error));
    return kr_keycommand_failed(command, what, reterr);
  }
  bool is_reaped = false;
  kr_status status = kr_keycommand_read(command, read_fd, deadline_us, bytes, ret_len, reterr);
  if (status == KR_OK)
    status = kr_keycommand_wait(command, pid, deadline_us, &is_reaped, reterr);
  if (!is_reaped)
    kr_keycommand_kill(pid);
  return status;
}
