/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - see files.h. */
#define _POSIX_C_SOURCE 200809L
#include "engine/files.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void kr_fd_close(int *fd) {
  if (*fd >= 0)
    (void)close(*fd);
}

kr_status kr_path_join(kr_path *out, const char *directory, const char *name, kr_error *reterr) {
  int len = snprintf(out->text, sizeof out->text, "%s/%s", directory, name);
  if (len < 0 || (size_t)len >= sizeof out->text)
    return kr_fail_hint(reterr, KR_LIMIT, "the path of the home is too long",
                        "use a path of less than 4000 bytes");
  return KR_OK;
}

kr_status kr_path_absolute(kr_path *out, const char *path, kr_error *reterr) {
  if (path[0] == '/') {
    int len = snprintf(out->text, sizeof out->text, "%s", path);
    if (len < 0 || (size_t)len >= sizeof out->text)
      return kr_fail(reterr, KR_LIMIT, "the path is too long");
    return KR_OK;
  }
  char current[4096];
  if (getcwd(current, sizeof current) == NULL)
    return kr_fail_errno(reterr, errno, "cannot tell the current directory");
  return kr_path_join(out, current, path, reterr);
}

bool kr_path_is_below(const char *path, const char *directory) {
  size_t len = strlen(directory);
  while (len > 1 && directory[len - 1] == '/')
    len--;
  return strncmp(path, directory, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

kr_status kr_directory_make(const char *path, kr_error *reterr) {
  kr_path part;
  KR_TRY(kr_path_absolute(&part, path, reterr));
  for (char *p = part.text + 1;; p++) {
    if (*p != '/' && *p != '\0')
      continue;
    char end = *p;
    *p = '\0';
    if (mkdir(part.text, 0700) != 0 && errno != EEXIST)
      return kr_fail_errno(reterr, errno, "cannot create the directory %s", part.text);
    *p = end;
    if (end == '\0')
      return KR_OK;
  }
}

kr_status kr_directory_look(const char *path, kr_directory_state *ret_state, kr_error *reterr) {
  DIR *directory = opendir(path);
  if (directory == NULL) {
    *ret_state = errno == ENOENT ? KR_DIRECTORY_MISSING : KR_DIRECTORY_OTHER;
    if (errno == ENOENT || errno == ENOTDIR)
      return KR_OK;
    return kr_fail_errno(reterr, errno, "cannot open the directory %s", path);
  }
  *ret_state = KR_DIRECTORY_EMPTY;
  for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    *ret_state = KR_DIRECTORY_USED;
    break;
  }
  (void)closedir(directory);
  return KR_OK;
}

static kr_status kr_file_read_all(int fd, const char *path, kr_buf *out, kr_error *reterr) {
  for (;;) {
    uint8_t chunk[4096];
    ssize_t got = read(fd, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return kr_fail_errno(reterr, errno, "cannot read %s", path);
    if (got == 0)
      return KR_OK;
    kr_status status = kr_buf_append(out, kr_str_from(chunk, (size_t)got));
    if (status != KR_OK)
      return kr_buf_explain(out, status, path, reterr);
  }
}

kr_status kr_file_read(const char *path, kr_buf *out, kr_error *reterr) {
  KR_CLEANUP(kr_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0 && errno == ENOENT)
    return kr_fail(reterr, KR_NOT_FOUND, "there is no file %s", path);
  if (fd < 0)
    return kr_fail_errno(reterr, errno, "cannot open %s", path);
  return kr_file_read_all(fd, path, out, reterr);
}

static kr_status kr_file_write_all(int fd, kr_str bytes, const char *path, kr_error *reterr) {
  while (bytes.len > 0) {
    ssize_t put = write(fd, bytes.ptr, bytes.len);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return kr_fail_errno(reterr, errno, "cannot write %s", path);
    bytes = kr_str_skip(bytes, (size_t)put);
  }
  if (fsync(fd) != 0)
    return kr_fail_errno(reterr, errno, "cannot save %s", path);
  return KR_OK;
}

static kr_status kr_directory_sync_of(const char *path, kr_error *reterr) {
  kr_path directory;
  KR_TRY(kr_path_absolute(&directory, path, reterr));
  char *slash = strrchr(directory.text, '/');
  slash[slash == directory.text ? 1 : 0] = '\0';
  KR_CLEANUP(kr_fd_close) int fd = open(directory.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0)
    return kr_fail_errno(reterr, errno, "cannot save the directory %s", directory.text);
  return KR_OK;
}

kr_status kr_file_create(const char *path, kr_str bytes, kr_error *reterr) {
  KR_CLEANUP(kr_fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST)
    return kr_fail(reterr, KR_EXISTS, "the file %s exists already", path);
  if (fd < 0)
    return kr_fail_errno(reterr, errno, "cannot create %s", path);
  kr_status status = kr_file_write_all(fd, bytes, path, reterr);
  if (status == KR_OK)
    status = kr_directory_sync_of(path, reterr);
  if (status != KR_OK)
    (void)unlink(path);
  return status;
}
