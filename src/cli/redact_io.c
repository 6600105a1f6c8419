/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact_io.c - a stream between two descriptors. Output is gathered while one
 * piece of input is taken and written before the next is waited for, so that in
 * a pipe all that is decided is on its way. Descriptors that somebody made
 * non-blocking are waited for.
 */
#define _GNU_SOURCE
#include "cli/redact.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static kr_status kr_cli_redact_values(kr_cli_redact *redact, const char *path, kr_error *error) {
  KR_CLI_CLEANUP(kr_cli_bytes_done) kr_cli_bytes values = {0};
  kr_redactor_builder *builder = NULL;
  kr_redactor_set *set = NULL;
  kr_status status = kr_cli_read_file(path, "values file", &values, error);
  if (status == KR_OK)
    status = kr_redactor_builder_new(&builder, error);
  if (status == KR_OK)
    status = kr_redactor_builder_add_list(builder, kr_cli_bytes_str(&values), error);
  if (status == KR_OK)
    status = kr_redactor_builder_build(builder, &set, error);
  if (status == KR_OK)
    status = kr_redactor_new(set, &redact->redactor, error);
  kr_redactor_set_free(set);
  kr_redactor_builder_free(builder);
  return status;
}

/* Names of forms, with commas between them. */
static kr_status kr_cli_redact_leave_out(kr_cli_redact *redact, const char *names,
                                         kr_error *error) {
  while (names != NULL) {
    const char *comma = strchr(names, ',');
    size_t len = comma == NULL ? strlen(names) : (size_t)(comma - names);
    kr_str form = {.ptr = (const uint8_t *)names, .len = len};
    kr_status status = kr_redactor_leave_out(redact->redactor, form, error);
    redact->is_misused = status == KR_INVALID;
    if (status != KR_OK)
      return status;
    names = comma == NULL ? NULL : comma + 1;
  }
  return KR_OK;
}

static kr_status kr_cli_redact_open_values(kr_cli_redact *redact, kr_error *error) {
  kr_cli *cli = redact->cli;
  void *input =
      mmap(NULL, KR_CLI_READ_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (input == MAP_FAILED)
    return kr_cli_error(error, KR_NOMEM, "out of memory");
  redact->input = input;
  (void)madvise(input, KR_CLI_READ_BYTES, MADV_DONTDUMP);
  redact->output = malloc(KR_CLI_WRITE_BYTES);
  if (redact->output == NULL)
    return kr_cli_error(error, KR_NOMEM, "out of memory");
  if (cli->values[KR_CLI_VALUES] != NULL)
    return kr_cli_redact_values(redact, cli->values[KR_CLI_VALUES], error);
  kr_status status = kr_cli_open(cli, false, &redact->engine, error);
  if (status == KR_NOT_FOUND) {
    char hint[KR_ERROR_HINT_BYTES];
    (void)snprintf(hint, sizeof hint, "%s", error->hint);
    kr_cli_hint(error, "%s%swithout a home, name the values: --values FILE", hint,
                hint[0] == '\0' ? "" : "; ");
  }
  if (status != KR_OK)
    return status;
  return kr_redactor_new_from_org(redact->engine, kr_cli_org(cli), &redact->redactor, error);
}

kr_status kr_cli_redact_open(kr_cli_redact *redact, kr_error *error) {
  kr_status status = kr_cli_redact_open_values(redact, error);
  if (status != KR_OK)
    return status;
  return kr_cli_redact_leave_out(redact, redact->cli->values[KR_CLI_NO_FORM], error);
}

void kr_cli_redact_done(kr_cli_redact *redact) {
  kr_cli_progress_end(&redact->progress);
  kr_filter_free(redact->filter);
  kr_redactor_free(redact->redactor);
  kr_engine_close(redact->engine);
  kr_cli_counts_done(&redact->counts);
  free(redact->output);
  if (redact->input != NULL) {
    explicit_bzero(redact->input, KR_CLI_READ_BYTES);
    (void)munmap(redact->input, KR_CLI_READ_BYTES);
  }
}

/* A descriptor that would block: wait. */
static bool kr_cli_wait(int fd, short events) {
  if (errno != EAGAIN)
    return errno == EINTR;
  struct pollfd wanted = {.fd = fd, .events = events};
  return poll(&wanted, 1, -1) >= 0 || errno == EINTR;
}

static kr_status kr_cli_redact_put(kr_cli_redact *redact, const uint8_t *bytes, size_t len) {
  while (len > 0) {
    ssize_t n_written = write(redact->out_fd, bytes, len);
    if (n_written < 0 && kr_cli_wait(redact->out_fd, POLLOUT))
      continue;
    if (n_written < 0) {
      redact->write_errno = errno;
      return KR_IO;
    }
    bytes += n_written;
    len -= (size_t)n_written;
  }
  return KR_OK;
}

static kr_status kr_cli_redact_flush(kr_cli_redact *redact) {
  size_t len = redact->output_len;
  redact->output_len = 0;
  return kr_cli_redact_put(redact, redact->output, len);
}

static kr_status kr_cli_redact_write(void *ctx, kr_str bytes) {
  kr_cli_redact *redact = ctx;
  if (bytes.len > KR_CLI_WRITE_BYTES - redact->output_len) {
    kr_status status = kr_cli_redact_flush(redact);
    if (status != KR_OK)
      return status;
  }
  if (bytes.len > KR_CLI_WRITE_BYTES)
    return kr_cli_redact_put(redact, bytes.ptr, bytes.len);
  memcpy(redact->output + redact->output_len, bytes.ptr, bytes.len);
  redact->output_len += bytes.len;
  return KR_OK;
}

kr_status kr_cli_redact_begin(kr_cli_redact *redact, int fd, const char *name, kr_error *error) {
  const kr_filter_options options = {.use_marker_names =
                                         redact->cli->values[KR_CLI_MARKER_NAMES] != NULL};
  redact->out_fd = fd;
  redact->out_name = name;
  redact->output_len = 0;
  kr_filter_free(redact->filter);
  redact->filter = NULL;
  return kr_filter_new_on(redact->redactor, &options, kr_cli_redact_write, redact, &redact->filter,
                          error);
}

/* What the filter says of a failed write is less than what the system says. */
static kr_status kr_cli_redact_explain(const kr_cli_redact *redact, kr_status status,
                                       kr_error *error) {
  if (status == KR_OK || redact->write_errno == 0)
    return status;
  return kr_cli_error(error, KR_IO, "cannot write %s: %s", redact->out_name,
                      strerror(redact->write_errno));
}

kr_status kr_cli_redact_copy(kr_cli_redact *redact, int fd, const char *name, kr_error *error) {
  for (;;) {
    ssize_t n_read = read(fd, redact->input, KR_CLI_READ_BYTES);
    if (n_read < 0 && kr_cli_wait(fd, POLLIN))
      continue;
    if (n_read < 0) {
      (void)kr_cli_error(error, KR_IO, "cannot read %s: %s", name, strerror(errno));
      if (errno == EISDIR)
        kr_cli_hint(error, "name the files in it");
      return KR_IO;
    }
    if (n_read == 0)
      return KR_OK;
    const kr_str bytes = {.ptr = redact->input, .len = (size_t)n_read};
    kr_status status = kr_filter_feed(redact->filter, bytes, error);
    if (status == KR_OK)
      status = kr_cli_redact_flush(redact);
    if (status != KR_OK)
      return kr_cli_redact_explain(redact, status, error);
    kr_cli_progress_add(&redact->progress, bytes.len);
  }
}

kr_status kr_cli_redact_end(kr_cli_redact *redact, kr_error *error) {
  kr_status status = kr_filter_finish(redact->filter, error);
  if (status == KR_OK)
    status = kr_cli_redact_flush(redact);
  if (status != KR_OK)
    return kr_cli_redact_explain(redact, status, error);
  status = kr_cli_counts_add(&redact->counts, redact->filter);
  return status == KR_OK ? KR_OK : kr_cli_error(error, status, "out of memory");
}
