/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h - runs code that is expected to die in a child process, and reads
 * what the kernel says about a mapping. A sanitizer's own signal handlers and
 * core dumps are off in the child, and its stderr is silent.
 */
#ifndef KR_TEST_SECMEM_CHILD_H
#define KR_TEST_SECMEM_CHILD_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sanitizers make mlock() a no-op. */
#if defined(__SANITIZE_ADDRESS__)
#define TEST_LOCKS_MEMORY false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_LOCKS_MEMORY false
#endif
#endif
#ifndef TEST_LOCKS_MEMORY
#define TEST_LOCKS_MEMORY true
#endif

/* The number of the signal that ended the child, or minus its exit code. */
static inline int child_run(int (*body)(void *ctx), void *ctx) {
  pid_t pid = fork();
  if (pid == 0) {
    struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)signal(SIGSEGV, SIG_DFL);
    (void)signal(SIGBUS, SIG_DFL);
    (void)signal(SIGABRT, SIG_DFL);
    int null_file = open("/dev/null", O_WRONLY);
    (void)dup2(null_file, STDERR_FILENO);
    _exit(body(ctx));
  }
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid)
    return -1000;
  return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

/* Is a two-letter flag among the VmFlags of the mapping that holds ptr? */
static inline bool child_mapping_has(const void *ptr, const char *flag) {
  FILE *file = fopen("/proc/self/smaps", "r");
  if (file == NULL)
    return false;
  char line[1024];
  bool is_inside = false;
  bool is_found = false;
  while (fgets(line, sizeof line, file) != NULL) {
    unsigned long from = 0;
    unsigned long to = 0;
    if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
      is_inside = (uintptr_t)ptr >= from && (uintptr_t)ptr < to;
    if (is_inside && strncmp(line, "VmFlags:", 8) == 0)
      is_found = strstr(line, flag) != NULL;
  }
  (void)fclose(file);
  return is_found;
}

#endif
