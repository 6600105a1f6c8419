/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner.h - template cases in files. A case:
 *
 *   === name
 *   sink: header
 *   payload: {"a": 1}
 *   secret: TOKEN tok-123
 *   template: Bearer $secret.TOKEN
 *   out: Bearer tok-123
 *   span: TOKEN "tok-123" header value
 *
 * Keys: sink (default text), template, payload, lookup, processed, field (NAME, secrets joined by
 * commas or "-"), missing, raw, decide (on secrets), preview, unknown-lookup, fuel, now (ms since 1970), secret (NAME
 * VALUE; the name alone: it does not exist), out, truth, null, partial, span, derived, error (E310
 * 1:42), lint. A key that ends in "+" has escapes (\n \r \t \0 \\ \xHH) in its text. Spans must be
 * listed all; errors and lints too, in order; derived only if any is.
 */
#ifndef KR_TEST_LANG_RUNNER_H
#define KR_TEST_LANG_RUNNER_H

#include "vm/render.h"

#define KR_CASE_LINES 64u

typedef struct kr_case_line {
  kr_str key;
  kr_str text;
} kr_case_line;

typedef struct kr_case {
  char name[160];
  size_t n_lines;
  kr_case_line lines[KR_CASE_LINES];
} kr_case;

typedef struct kr_cases {
  kr_arena arena;
  kr_case *items;
  size_t count;
} kr_cases;

/** Read a file of cases (appends). Aborts the test program on malformed files. */
void kr_cases_read(kr_cases *cases, const char *path);
void kr_cases_done(kr_cases *cases);

/** Text of a key, or the fallback. */
kr_str kr_case_get(const kr_case *test, const char *key, const char *fallback);

#endif
