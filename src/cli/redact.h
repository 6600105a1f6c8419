/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact.h - what the files of `krosyn redact` share: bytes from descriptors
 * through a filter to a descriptor, and the counts of all of it.
 */
#ifndef KR_CLI_REDACT_H
#define KR_CLI_REDACT_H

#include "cli/cli.h"

#define KR_CLI_READ_BYTES ((size_t)64 << 10)
#define KR_CLI_WRITE_BYTES ((size_t)64 << 10)

/** Hits of one name in one form, over all streams. */
typedef struct kr_cli_hit {
  char *name;
  size_t name_len;
  const char *form; /* static */
  unsigned long long count;
} kr_cli_hit;

typedef struct kr_cli_counts {
  unsigned long long n_markers;
  unsigned long long n_late;
  size_t n_short;
  kr_cli_hit *hits; /* sorted by name and form */
  size_t n_hits;
  size_t cap_hits;
} kr_cli_counts;

/** A line on the terminal while big files are read. */
typedef struct kr_cli_progress {
  bool is_on;
  bool is_shown;
  unsigned long long n_total;
  unsigned long long n_read;
  long long shown_ms; /* when, on the monotonic clock */
} kr_cli_progress;

typedef struct kr_cli_redact {
  kr_cli *cli;
  kr_engine *engine; /* NULL with --values */
  kr_redactor *redactor;
  kr_filter *filter; /* the stream under way */
  uint8_t *input;    /* KR_CLI_READ_BYTES; holds secrets: wiped */
  uint8_t *output;   /* KR_CLI_WRITE_BYTES, redacted; flushed after each feed */
  size_t output_len;
  int out_fd;
  const char *out_name; /* for errors */
  int write_errno;      /* why writing failed; 0: it did not */
  bool is_misused;      /* --no-form names what is no form */
  kr_cli_counts counts;
  kr_cli_progress progress;
} kr_cli_redact;

/* redact_io.c */

/** Buffers and the values: the organization's, or those of --values. */
kr_status kr_cli_redact_open(kr_cli_redact *redact, kr_error *error);
void kr_cli_redact_done(kr_cli_redact *redact);

/** Begin a stream that goes to fd. */
kr_status kr_cli_redact_begin(kr_cli_redact *redact, int fd, const char *name, kr_error *error);

/** Read fd to its end; what is decided is written after each read. */
kr_status kr_cli_redact_copy(kr_cli_redact *redact, int fd, const char *name, kr_error *error);

/** Decide the rest, write it, and add to the counts. Without it a stream ends undecided. */
kr_status kr_cli_redact_end(kr_cli_redact *redact, kr_error *error);

/* redact_counts.c */
kr_status kr_cli_counts_add(kr_cli_counts *counts, const kr_filter *filter);
kr_status kr_cli_counts_show(const kr_cli *cli, const kr_cli_counts *counts, kr_error *error);
void kr_cli_counts_done(kr_cli_counts *counts);

/** On when stderr is a terminal that the output does not go to, and the files are big. */
void kr_cli_progress_begin(kr_cli_progress *progress, const kr_cli *cli, bool is_in_place);
void kr_cli_progress_add(kr_cli_progress *progress, size_t n_read);
void kr_cli_progress_end(kr_cli_progress *progress);

/* redact_in_place.c */

/**
 * Replace a file by itself without secrets, in one step: whatever fails, the
 * file is as it was. A file in which nothing is found is not touched.
 */
kr_status kr_cli_redact_in_place(kr_cli_redact *redact, const char *path, kr_error *error);

#endif
