/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - see files.h. */
#define _DEFAULT_SOURCE /* realpath */
#include "engine/files.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
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

static void kr_path_strip(kr_path *path) {
  size_t len = strlen(path->text);
  while (len > 1 && path->text[len - 1] == '/')
    path->text[--len] = '\0';
}

kr_status kr_path_absolute(kr_path *out, const char *path, kr_error *reterr) {
  if (path[0] == '\0')
    return kr_fail(reterr, KR_INVALID, "a path is empty");
  if (path[0] == '/') {
    int len = snprintf(out->text, sizeof out->text, "%s", path);
    if (len < 0 || (size_t)len >= sizeof out->text)
      return kr_fail(reterr, KR_LIMIT, "the path is too long");
  } else {
    char current[4096];
    if (getcwd(current, sizeof current) == NULL)
      return kr_fail_errno(reterr, errno, "cannot tell the current directory");
    KR_TRY(kr_path_join(out, current, path, reterr));
  }
  kr_path_strip(out);
  return KR_OK;
}

void kr_path_parent(kr_path *path) {
  char *slash = strrchr(path->text, '/');
  slash[slash == path->text ? 1 : 0] = '\0';
  kr_path_strip(path);
}

/* The part of a path that does not exist: plain names only. */
static bool kr_path_is_plain(const char *rest) {
  for (const char *part = rest; part != NULL; part = strchr(part, '/')) {
    while (*part == '/')
      part++;
    if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
      return false;
  }
  return true;
}

kr_status kr_path_canonical(kr_path *out, const char *path, kr_error *reterr) {
  _Static_assert(sizeof out->text >= PATH_MAX, "realpath writes up to PATH_MAX bytes");
  kr_path whole;
  kr_path part;
  KR_TRY(kr_path_absolute(&whole, path, reterr));
  part = whole;
  /* Ends at "/", which is always there. */
  while (realpath(part.text, out->text) == NULL) {
    if (errno != ENOENT || part.text[1] == '\0')
      return kr_fail_errno(reterr, errno, "cannot follow the path %s", path);
    kr_path_parent(&part);
  }
  const char *rest = whole.text + strlen(part.text);
  while (*rest == '/')
    rest++;
  if (*rest == '\0')
    return KR_OK;
  if (!kr_path_is_plain(rest))
    return kr_fail_hint(reterr, KR_INVALID, "a path goes up from a directory that is not there",
                        "write it without \"..\"");
  part = *out;
  return kr_path_join(out, part.text[1] == '\0' ? "" : part.text, rest, reterr);
}

bool kr_path_is_below(const char *path, const char *directory) {
  size_t len = strlen(directory);
  if (len == 1)
    return true; /* "/" */
  return strncmp(path, directory, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

kr_status kr_directory_make(const char *path, kr_made_directories *made, kr_error *reterr) {
  kr_path part;
  *made = (kr_made_directories){.count = 0};
  KR_TRY(kr_path_absolute(&made->path, path, reterr));
  part = made->path;
  for (char *p = part.text + 1;; p++) {
    if (*p != '/' && *p != '\0')
      continue;
    char end = *p;
    *p = '\0';
    bool is_made = mkdir(part.text, 0700) == 0;
    if (!is_made && errno != EEXIST) {
      int code = errno;
      made->path = part;
      kr_path_parent(&made->path);
      kr_directory_unmake(made);
      return kr_fail_errno(reterr, code, "cannot create the directory %s", part.text);
    }
    made->count += is_made ? 1 : 0;
    *p = end;
    if (end == '\0')
      return KR_OK;
  }
}

void kr_directory_unmake(kr_made_directories *made) {
  for (; made->count > 0; made->count--) {
    (void)rmdir(made->path.text);
    kr_path_parent(&made->path);
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
  /* NONBLOCK: opening a pipe must not wait for a writer. */
  KR_CLEANUP(kr_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  struct stat info;
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
    return kr_fail(reterr, KR_NOT_FOUND, "there is no file %s", path);
  if (fd < 0 || fstat(fd, &info) != 0)
    return kr_fail_errno(reterr, errno, "cannot open %s", path);
  if (!S_ISREG(info.st_mode))
    return kr_fail(reterr, KR_REFUSED, "%s is not a plain file", path);
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
  kr_path_parent(&directory);
  KR_CLEANUP(kr_fd_close) int fd = open(directory.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0)
    return kr_fail_errno(reterr, errno, "cannot save the directory %s", directory.text);
  return KR_OK;
}

kr_status kr_file_create(const char *path, kr_str bytes, kr_error *reterr) {
  kr_path draft;
  struct stat info;
  int len = snprintf(draft.text, sizeof draft.text, "%s.new", path);
  if (len < 0 || (size_t)len >= sizeof draft.text)
    return kr_fail(reterr, KR_LIMIT, "the path is too long");
  if (lstat(path, &info) == 0)
    return kr_fail(reterr, KR_EXISTS, "the file %s exists already", path);
  KR_CLEANUP(kr_fd_close)
  int fd = open(draft.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return kr_fail_errno(reterr, errno, "cannot create %s", path);
  kr_status status = kr_file_write_all(fd, bytes, path, reterr);
  /* Whole or not there: who is killed here leaves a draft at most. */
  if (status == KR_OK && rename(draft.text, path) != 0)
    status = kr_fail_errno(reterr, errno, "cannot create %s", path);
  if (status != KR_OK) {
    (void)unlink(draft.text);
    return status;
  }
  status = kr_directory_sync_of(path, reterr);
  if (status != KR_OK)
    (void)unlink(path);
  return status;
}
