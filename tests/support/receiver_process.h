/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiver_process.h - start krosyn-receiver for a test and stop it again. The
 * program's path comes from the environment (KROSYN_RECEIVER, set by meson).
 */
#ifndef KR_TEST_RECEIVER_PROCESS_H
#define KR_TEST_RECEIVER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct receiver_process {
  pid_t pid;
  uint16_t port;
  char report[64]; /* path of the report file, removed on stop */
  char expect[64]; /* path of the expectation file, "" when none */
} receiver_process;

/** expectations: JSON lines, or NULL. False when it could not be started. */
bool receiver_start(receiver_process *process, const char *expectations);

/** What was reported so far, NUL-terminated; lines are complete once answered. */
void receiver_read_report(const receiver_process *process, char *out, size_t size);

/** SIGTERM, wait, last report into out (may be NULL); returns the exit code, -1 if it died. */
int receiver_stop(receiver_process *process, char *out, size_t size);

#endif
