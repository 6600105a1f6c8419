/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c - which process wrote an intent, and is it still there? A pid is
 * used again, so its start time, the boot and the pid namespace go with it
 * (proc(5): /proc/PID/stat, fields 3 and 22; /proc/sys/kernel/random/boot_id).
 */
#define _GNU_SOURCE
#include "events/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KR_PROC_BYTES 1024u    /* a line of /proc/PID/stat */
#define KR_STAT_START_FIELD 22 /* start time; counted from 1 */
#define KR_STAT_STATE_FIELD 3

/* Returns the bytes read, 0 when the file cannot be read; always NUL-terminated. */
static size_t kr_proc_read(const char *path, char out[KR_PROC_BYTES]) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, out, KR_PROC_BYTES - 1);
  if (fd >= 0)
    (void)close(fd);
  size_t len = n > 0 ? (size_t)n : 0;
  out[len] = '\0';
  return len;
}

/* Start time of a pid; 0 when there is no such process, or only its remains (zombie). */
static uint64_t kr_proc_start(uint32_t pid) {
  char path[64];
  char text[KR_PROC_BYTES];
  (void)snprintf(path, sizeof path, "/proc/%u/stat", pid);
  if (kr_proc_read(path, text) == 0)
    return 0;
  /* The second field is the name in parentheses; it may hold blanks and parentheses itself. */
  const char *field = strrchr(text, ')');
  for (int number = 2; field != NULL && number < KR_STAT_START_FIELD; number++) {
    field = strchr(field, ' ');
    if (field != NULL)
      field++;
    if (field != NULL && number + 1 == KR_STAT_STATE_FIELD && (*field == 'Z' || *field == 'X'))
      return 0;
  }
  return field == NULL ? 0 : strtoull(field, NULL, 10);
}

kr_process_id kr_process_self(void) {
  kr_process_id self = {.pid = (uint32_t)getpid()};
  char text[KR_PROC_BYTES];
  struct stat info;
  self.start_ticks = kr_proc_start(self.pid);
  if (stat("/proc/self/ns/pid", &info) == 0)
    self.pid_namespace = (uint64_t)info.st_ino;
  if (kr_proc_read("/proc/sys/kernel/random/boot_id", text) >= KR_BOOT_ID_BYTES)
    memcpy(self.boot, text, KR_BOOT_ID_BYTES);
  return self;
}

kr_process_state kr_process_look(const kr_process_id *process) {
  kr_process_id self = kr_process_self();
  if (strcmp(process->boot, self.boot) != 0)
    return KR_PROCESS_GONE;
  if (process->pid_namespace != self.pid_namespace || process->start_ticks == 0)
    return KR_PROCESS_UNKNOWN;
  return kr_proc_start(process->pid) == process->start_ticks ? KR_PROCESS_ALIVE : KR_PROCESS_GONE;
}
