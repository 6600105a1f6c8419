/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zoneinfo.c - files of a zoneinfo folder. Names are checked before they become
 * paths; only regular files are read, and no more of them than the limit. Links
 * are followed: many zones are links to others.
 */
#define _POSIX_C_SOURCE 200809L
#include "base/zoneinfo.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define KR_ZONE_SYSTEM_FOLDER "/usr/share/zoneinfo"
#define KR_ZONE_PATH_BYTES 4096
#define KR_ZONE_READ_BYTES 4096u

bool kr_zone_name_is_safe(kr_str name) {
  if (name.len == 0 || name.len > KR_ZONE_NAME_BYTES || name.ptr[name.len - 1] == '/')
    return false;
  for (size_t i = 0; i < name.len; i++) {
    uint8_t byte = name.ptr[i];
    uint8_t letter = byte | 0x20;
    bool is_good = (letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9') ||
                   byte == '_' || byte == '+' || byte == '-';
    bool is_divider = byte == '/' && i > 0 && name.ptr[i - 1] != '/';
    if (!is_good && !is_divider)
      return false;
  }
  return true;
}

static void kr_zone_closep(const int *file) {
  if (*file >= 0)
    (void)close(*file);
}

/* Names may come from data: no message says them. */
static kr_status kr_zone_absent(const char *folder, kr_error *reterr) {
  struct stat info;
  if (stat(folder, &info) == 0)
    return kr_fail_hint(reterr, KR_MISSING, "there is no such time zone",
                        "names are those of the IANA data, such as Europe/Berlin or UTC");
  return kr_fail_hint(reterr, KR_MISSING, "this system has no time zone data",
                      "install the package tzdata");
}

static kr_status kr_zone_read_all(int file, kr_buf *out, kr_error *reterr) {
  for (;;) {
    uint8_t piece[KR_ZONE_READ_BYTES];
    ssize_t n_read = read(file, piece, sizeof(piece));
    if (n_read == 0)
      return KR_OK;
    if (n_read < 0 && errno == EINTR)
      continue;
    if (n_read < 0)
      return kr_fail_errno(reterr, errno, "read the file of a time zone");
    kr_status status = kr_buf_append(out, kr_str_from(piece, (size_t)n_read));
    if (status != KR_OK)
      return kr_buf_explain(out, status, "time zone file", reterr);
  }
}

kr_status kr_zone_read_folder(void *ctx, kr_str name, kr_buf *out, kr_error *reterr) {
  const char *folder = ctx;
  char path[KR_ZONE_PATH_BYTES];
  int len = snprintf(path, sizeof(path), "%s/%.*s", folder, KR_FMT(name));
  if (len < 0 || len >= KR_ZONE_PATH_BYTES)
    return kr_fail(reterr, KR_IO, "the path of the time zones is too long");
  /* Not blocking: should it be a pipe, opening it must not wait. */
  KR_CLEANUP(kr_zone_closep) int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  struct stat info;
  if (file < 0 && errno != ENOENT && errno != ENOTDIR)
    return kr_fail_errno(reterr, errno, "open the file of a time zone");
  if (file < 0 || fstat(file, &info) != 0 || !S_ISREG(info.st_mode))
    return kr_zone_absent(folder, reterr);
  return kr_zone_read_all(file, out, reterr);
}

const kr_zone_reader *kr_zone_reader_system(void) {
  static char folder[] = KR_ZONE_SYSTEM_FOLDER;
  static const kr_zone_reader reader = {.read = kr_zone_read_folder, .ctx = folder};
  return &reader;
}
