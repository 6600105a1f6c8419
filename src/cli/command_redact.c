/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_redact.c - a filter: files or standard input to standard output,
 * without the secrets in them. Bytes are written as soon as they are decided
 * and otherwise as they are, so output goes to the file descriptor and not
 * through stdio. The input holds secrets: its buffer is wiped.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KR_CLI_READ_BYTES ((size_t)64 << 10)

typedef struct kr_cli_redact {
  kr_cli *cli;
  kr_engine *engine;
  kr_filter *filter;
  uint8_t *input;
  int write_errno; /* why standard output failed; 0: it did not */
} kr_cli_redact;

static void kr_cli_redact_done(kr_cli_redact *redact) {
  kr_filter_free(redact->filter);
  kr_engine_close(redact->engine);
  if (redact->input != NULL) {
    explicit_bzero(redact->input, KR_CLI_READ_BYTES);
    (void)munmap(redact->input, KR_CLI_READ_BYTES);
  }
}

static kr_status kr_cli_redact_write(void *ctx, kr_str bytes) {
  kr_cli_redact *redact = ctx;
  while (bytes.len > 0) {
    ssize_t n_written = write(STDOUT_FILENO, bytes.ptr, bytes.len);
    if (n_written < 0 && errno == EINTR)
      continue;
    if (n_written < 0) {
      redact->write_errno = errno;
      return KR_IO;
    }
    bytes.ptr += n_written;
    bytes.len -= (size_t)n_written;
  }
  return KR_OK;
}

static kr_status kr_cli_redact_begin(kr_cli_redact *redact, kr_error *error) {
  kr_cli *cli = redact->cli;
  kr_filter_options options = {.use_marker_names = cli->values[KR_CLI_MARKER_NAMES] != NULL};
  void *input =
      mmap(NULL, KR_CLI_READ_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (input == MAP_FAILED)
    return kr_cli_error(error, KR_NOMEM, "out of memory");
  redact->input = input;
  (void)madvise(input, KR_CLI_READ_BYTES, MADV_DONTDUMP);
  if (cli->values[KR_CLI_VALUES] == NULL) {
    kr_status status = kr_cli_open(cli, false, &redact->engine, error);
    if (status != KR_OK)
      return status;
    return kr_filter_new(redact->engine, kr_cli_org(cli), &options, kr_cli_redact_write, redact,
                         &redact->filter, error);
  }
  KR_CLI_CLEANUP(kr_cli_bytes_done) kr_cli_bytes values = {0};
  kr_status status = kr_cli_read_file(cli->values[KR_CLI_VALUES], "values file", &values, error);
  if (status != KR_OK)
    return status;
  return kr_filter_new_from_values(kr_cli_bytes_str(&values), &options, kr_cli_redact_write, redact,
                                   &redact->filter, error);
}

static kr_status kr_cli_redact_feed_all(kr_cli_redact *redact, int fd, const char *name,
                                        kr_error *error) {
  for (;;) {
    ssize_t n_read = read(fd, redact->input, KR_CLI_READ_BYTES);
    if (n_read < 0 && errno == EINTR)
      continue;
    if (n_read < 0)
      return kr_cli_error(error, KR_IO, "cannot read %s: %s", name, strerror(errno));
    if (n_read == 0)
      return KR_OK;
    kr_status status = kr_filter_feed(redact->filter,
                                      (kr_str){.ptr = redact->input, .len = (size_t)n_read}, error);
    if (status != KR_OK)
      return status;
  }
}

static kr_status kr_cli_redact_file(kr_cli_redact *redact, const char *path, kr_error *error) {
  if (strcmp(path, "-") == 0)
    return kr_cli_redact_feed_all(redact, STDIN_FILENO, "standard input", error);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    kr_status status = errno == ENOENT ? KR_NOT_FOUND : KR_IO;
    return kr_cli_error(error, status, "cannot open %s: %s", path, strerror(errno));
  }
  kr_status status = kr_cli_redact_feed_all(redact, fd, path, error);
  (void)close(fd);
  return status;
}

/*
 * The files are one stream. After an error it is not finished: what is held back
 * may be the beginning of a value whose rest was not read.
 */
static kr_status kr_cli_redact_all(kr_cli_redact *redact, kr_error *error) {
  const kr_cli *cli = redact->cli;
  kr_status status = KR_OK;
  for (size_t i = 0; i < cli->n_arguments && status == KR_OK; i++)
    status = kr_cli_redact_file(redact, cli->arguments[i], error);
  if (cli->n_arguments == 0)
    status = kr_cli_redact_file(redact, "-", error);
  return status == KR_OK ? kr_filter_finish(redact->filter, error) : status;
}

typedef struct kr_cli_hits {
  kr_cli_table table;
  bool is_json;
  size_t n_shown;
} kr_cli_hits;

static kr_status kr_cli_take_hit(void *ctx, kr_str name, const char *form, uint64_t count) {
  kr_cli_hits *hits = ctx;
  if (hits->is_json) {
    (void)fputs(hits->n_shown++ == 0 ? "{\"name\":" : ",{\"name\":", stderr);
    kr_cli_put_json(stderr, name);
    (void)fputs(",\"form\":", stderr);
    kr_cli_put_json(stderr, kr_cli_str(form));
    (void)fprintf(stderr, ",\"count\":%llu}", (unsigned long long)count);
    return KR_OK;
  }
  char number[32];
  (void)snprintf(number, sizeof number, "%llu", (unsigned long long)count);
  kr_cli_table_add(&hits->table, name);
  kr_cli_table_add(&hits->table, kr_cli_str(form));
  kr_cli_table_add(&hits->table, kr_cli_str(number));
  return KR_OK;
}

static kr_status kr_cli_show_stats(const kr_cli_redact *redact, kr_error *error) {
  kr_cli_hits hits = {.table = {.n_columns = 3}, .is_json = redact->cli->is_json};
  unsigned long long count = kr_filter_count(redact->filter);
  if (hits.is_json)
    (void)fprintf(stderr, "{\"redacted\":%llu,\"too_short\":%zu,\"hits\":[", count,
                  kr_filter_n_short(redact->filter));
  else
    (void)fprintf(stderr, "%llu redacted\n", count);
  kr_status status = kr_filter_hits(redact->filter, kr_cli_take_hit, &hits);
  if (status != KR_OK)
    (void)kr_cli_error(error, status, "cannot count what was redacted");
  if (hits.is_json)
    (void)fputs("]}\n", stderr);
  else if (status == KR_OK)
    status = kr_cli_table_print(stderr, &hits.table, "  ", error);
  kr_cli_table_done(&hits.table);
  return status;
}

static void kr_cli_warn_short(const kr_cli_redact *redact) {
  size_t n_short = kr_filter_n_short(redact->filter);
  char message[128];
  if (n_short == 0)
    return;
  (void)snprintf(message, sizeof message, "%zu value%s too short to be searched for", n_short,
                 n_short == 1 ? " is" : "s are");
  kr_cli_warn(redact->cli, message);
}

/** A reader that went away is not worth a word; a full disk is. */
static int kr_cli_redact_failed(const kr_cli_redact *redact, kr_error *error) {
  if (redact->write_errno == EPIPE)
    return KR_CLI_EXIT_FAILED;
  if (redact->write_errno != 0)
    (void)kr_cli_error(error, KR_IO, "cannot write to standard output: %s",
                       strerror(redact->write_errno));
  return kr_cli_fail(redact->cli, error, NULL);
}

static bool kr_cli_reads_stdin(const kr_cli *cli) {
  for (size_t i = 0; i < cli->n_arguments; i++)
    if (strcmp(cli->arguments[i], "-") == 0)
      return true;
  return cli->n_arguments == 0;
}

int kr_cli_run_redact(kr_cli *cli) {
  kr_error error = {0};
  const char *values = cli->values[KR_CLI_VALUES];
  if (values != NULL && strcmp(values, "-") == 0 && kr_cli_reads_stdin(cli))
    return kr_cli_usage(cli, "standard input cannot be both the values and the text",
                        "name the files to redact, or put the values in a file");
  KR_CLI_CLEANUP(kr_cli_redact_done) kr_cli_redact redact = {.cli = cli};
  kr_status status = kr_cli_redact_begin(&redact, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_warn_short(&redact);
  status = kr_cli_redact_all(&redact, &error);
  if (status == KR_OK && cli->values[KR_CLI_STATS] != NULL)
    status = kr_cli_show_stats(&redact, &error);
  if (status != KR_OK)
    return kr_cli_redact_failed(&redact, &error);
  bool has_match = kr_filter_count(redact.filter) > 0;
  return has_match && cli->values[KR_CLI_FAIL_ON_MATCH] != NULL ? KR_CLI_EXIT_FAILED
                                                                : KR_CLI_EXIT_DONE;
}
