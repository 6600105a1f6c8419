/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_main.c - runs a fuzz target over stored inputs, for any compiler: each
 * argument is a file or a folder of files. So every input that was ever worth
 * keeping is a test (`meson test --suite replay`).
 */
#define _XOPEN_SOURCE 700
#include "fuzz.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static size_t kr_fuzz_n_files;

static int kr_fuzz_replay(const char *path, const struct stat *info, int kind, struct FTW *at) {
  (void)at;
  if (kind != FTW_F)
    return 0;
  FILE *file = fopen(path, "rb");
  size_t size = (size_t)info->st_size;
  uint8_t *data = malloc(size + 1);
  if (file == NULL || data == NULL || fread(data, 1, size, file) != size) {
    fprintf(stderr, "replay: cannot read %s\n", path);
    exit(EXIT_FAILURE);
  }
  fclose(file);
  LLVMFuzzerTestOneInput(data, size);
  free(data);
  kr_fuzz_n_files++;
  return 0;
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (nftw(argv[i], kr_fuzz_replay, 8, FTW_PHYS) != 0)
      return EXIT_FAILURE;
  printf("%zu inputs replayed\n", kr_fuzz_n_files);
  return kr_fuzz_n_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
