/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what a fuzz target defines, and how it says that a property is broken. */
#ifndef KR_FUZZ_FUZZ_H
#define KR_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Crash, so that the fuzzer keeps the input. */
#define KR_FUZZ_MUST(property)                                                                     \
  do {                                                                                             \
    if (!(property))                                                                               \
      abort();                                                                                     \
  } while (0)

#endif
