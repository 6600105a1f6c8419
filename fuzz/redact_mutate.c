/* SPDX-License-Identifier: Apache-2.0 */
/* redact_mutate.c - libFuzzer's mutations, and now and then one command more (redact_case.h). */
#include "fuzz.h"

#include <string.h>

#define COMMAND_BYTES 4u

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  if (seed % 4u != 0 || size < 3 || size > max_size - COMMAND_BYTES || max_size < COMMAND_BYTES)
    return LLVMFuzzerMutate(data, size, max_size);
  size_t at = 3 + (seed >> 2) % (size - 2);
  memmove(data + at + COMMAND_BYTES, data + at, size - at);
  seed *= 2654435761u;
  data[at] = 0xFF;
  data[at + 1] = (uint8_t)(seed >> 24);
  data[at + 2] = (uint8_t)(seed >> 16);
  data[at + 3] = (uint8_t)(seed >> 8);
  return size + COMMAND_BYTES;
}
