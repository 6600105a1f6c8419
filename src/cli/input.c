/* SPDX-License-Identifier: Apache-2.0 */
/*
 * input.c - files read whole. A payload may hold personal data and a values
 * file holds secrets, so all of it lives in pages of its own that stay out of
 * core files, are locked where the system allows it, and are wiped.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KR_CLI_FIRST_BYTES ((size_t)64 << 10)

kr_str kr_cli_bytes_str(const kr_cli_bytes *bytes) {
  return (kr_str){.ptr = bytes->ptr, .len = bytes->len};
}

void kr_cli_bytes_done(kr_cli_bytes *bytes) {
  if (bytes->ptr != NULL) {
    explicit_bzero(bytes->ptr, bytes->cap);
    (void)munmap(bytes->ptr, bytes->cap);
  }
  *bytes = (kr_cli_bytes){0};
}

/** Room for more: new pages, and the old ones are wiped. */
static kr_status kr_cli_bytes_grow(kr_cli_bytes *bytes, kr_error *error) {
  size_t cap = bytes->cap == 0 ? KR_CLI_FIRST_BYTES : bytes->cap * 2;
  void *map = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED)
    return kr_cli_error(error, KR_NOMEM, "out of memory");
  (void)madvise(map, cap, MADV_DONTDUMP);
  (void)mlock(map, cap); /* best effort: the usual limit is 8 MiB in all */
  kr_cli_bytes grown = {.ptr = map, .len = bytes->len, .cap = cap};
  if (bytes->len > 0)
    memcpy(grown.ptr, bytes->ptr, bytes->len);
  kr_cli_bytes_done(bytes);
  *bytes = grown;
  return KR_OK;
}

static kr_status kr_cli_read_all(int fd, const char *path, const char *what, kr_cli_bytes *bytes,
                                 kr_error *error) {
  for (;;) {
    if (bytes->len > KR_CLI_MAX_INPUT_BYTES)
      return kr_cli_error(error, KR_LIMIT, "the %s is over 16 MiB: %s", what, path);
    if (bytes->len == bytes->cap && kr_cli_bytes_grow(bytes, error) != KR_OK)
      return error->status;
    ssize_t n_read = read(fd, bytes->ptr + bytes->len, bytes->cap - bytes->len);
    if (n_read == 0)
      return KR_OK;
    if (n_read > 0)
      bytes->len += (size_t)n_read;
    else if (errno != EINTR)
      return kr_cli_error(error, KR_IO, "cannot read the %s %s: %s", what, path, strerror(errno));
  }
}

kr_status kr_cli_read_file(const char *path, const char *what, kr_cli_bytes *ret_bytes,
                           kr_error *error) {
  bool is_stdin = strcmp(path, "-") == 0;
  int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    kr_status status = errno == ENOENT ? KR_NOT_FOUND : KR_IO;
    return kr_cli_error(error, status, "cannot open the %s %s: %s", what, path, strerror(errno));
  }
  kr_cli_bytes bytes = {0};
  kr_status status =
      kr_cli_read_all(fd, is_stdin ? "on standard input" : path, what, &bytes, error);
  if (!is_stdin)
    (void)close(fd);
  if (status != KR_OK) {
    kr_cli_bytes_done(&bytes);
    return status;
  }
  *ret_bytes = bytes;
  return KR_OK;
}

kr_str kr_cli_without_final_newline(kr_str text) {
  if (text.len > 0 && text.ptr[text.len - 1] == '\n')
    text.len--;
  if (text.len > 0 && text.ptr[text.len - 1] == '\r')
    text.len--;
  return text;
}
