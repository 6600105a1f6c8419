/* SPDX-License-Identifier: Apache-2.0 */
/*
 * naive_env.h - "krosyn env 1" a second time, slow and plain, written from
 * docs/formats/env.md alone: each rule is a question about the whole text.
 */
#ifndef KR_TEST_ENGINE_NAIVE_ENV_H
#define KR_TEST_ENGINE_NAIVE_ENV_H

#include <stdbool.h>
#include <stddef.h>

/* The warnings of the format, in the order of its table. */
enum {
  NAIVE_EXPANDS = 1,
  NAIVE_HASH = 2,
  NAIVE_COMMENT = 4,
  NAIVE_BACKSLASH = 8,
  NAIVE_LINE_ENDS = 16
};

typedef struct naive_entry {
  char *name, *value; /* of their own; value may hold anything but NUL */
  size_t line;
  unsigned notes;
} naive_entry;

typedef struct naive_file {
  naive_entry *entries;
  size_t n_entries;
  size_t bad_line; /* 0: the file is well-formed */
} naive_file;

naive_file naive_env_read(const char *bytes, size_t len);
void naive_env_free(naive_file *file);

#endif
