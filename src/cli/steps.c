/* SPDX-License-Identifier: Apache-2.0 */
/* steps.c - one line on a terminal's stderr, written over and removed in the end. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <unistd.h>

#define KR_CLI_MIB 1048576u

static void kr_cli_steps_show(void *ctx, const char *step, uint64_t done, uint64_t total) {
  kr_cli_steps *progress = ctx;
  (void)fprintf(stderr, "\r\033[K%s", step);
  if (done > 0)
    (void)fprintf(stderr, " %llu MiB", (unsigned long long)(done / KR_CLI_MIB));
  if (total > 0)
    (void)fprintf(stderr, " of %llu", (unsigned long long)(total / KR_CLI_MIB));
  (void)fflush(stderr);
  progress->is_shown = true;
}

void kr_cli_steps_start(const kr_cli *cli, kr_cli_steps *progress) {
  *progress = (kr_cli_steps){.is_shown = false};
  if (!cli->is_json && isatty(STDERR_FILENO) == 1)
    progress->progress = (kr_progress){.show = kr_cli_steps_show, .ctx = progress};
}

void kr_cli_steps_end(kr_cli_steps *progress) {
  if (!progress->is_shown)
    return;
  (void)fputs("\r\033[K", stderr);
  (void)fflush(stderr);
  progress->is_shown = false;
}
