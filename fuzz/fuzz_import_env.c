/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_import_env.c - the reader of .env files and a second one, written from
 * docs/formats/env.md alone, agree on every name, value, line, warning and error.
 */
#include "fuzz.h"

#include "../tests/engine/compare_env.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *difference = compare_env((kr_str){.ptr = data, .len = size});
  if (difference != NULL)
    fprintf(stderr, "%s\n", difference);
  KR_FUZZ_MUST(difference == NULL);
  return 0;
}
