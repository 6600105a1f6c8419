/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyfile.c - the file side of the key file: no buffered I/O, since its buffers
 * are heap that nobody wipes.
 */
#define _GNU_SOURCE
#include "vault/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static void kr_keyfile_closep(int *fd) {
  if (*fd >= 0)
    (void)close(*fd);
}

static kr_status kr_keyfile_path(kr_str path, char out[PATH_MAX], kr_error *reterr) {
  if (path.len == 0 || path.len >= PATH_MAX || memchr(path.ptr, '\0', path.len) != NULL)
    return kr_fail_hint(reterr, KR_INVALID,
                        "the path of the key file is empty, too long or not text",
                        "give a path of at most 4095 bytes");
  memcpy(out, path.ptr, path.len);
  out[path.len] = '\0';
  return KR_OK;
}

static kr_status kr_keyfile_open_failed(const char *path, int error, kr_error *reterr) {
  if (error == ENOENT || error == ENOTDIR) {
    kr_status status = kr_fail(reterr, KR_UNTRUSTED, "there is no key file %s", path);
    kr_error_hint(reterr, "restore it from your copy, or name the right one with --key FILE; "
                          "`krosyn key status` says why this one is looked for");
    return status;
  }
  if (error == EACCES || error == EPERM) {
    kr_status status =
        kr_fail(reterr, KR_UNTRUSTED, "key file %s may not be read by this user", path);
    kr_error_hint(reterr, "run as the user that owns it");
    return status;
  }
  if (error == ELOOP || error == ENXIO) {
    kr_status status = kr_fail(reterr, KR_UNTRUSTED, "key file %s is not a regular file", path);
    kr_error_hint(reterr, "name a regular file that holds the key");
    return status;
  }
  return kr_fail_errno(reterr, error, "cannot open key file %s", path);
}

/* On the opened file, so that nothing can be exchanged between check and read. */
static kr_status kr_keyfile_check(kr_key_source source, const char *path, int fd,
                                  kr_error *reterr) {
  struct stat info;
  if (fstat(fd, &info) != 0)
    return kr_fail_errno(reterr, errno, "cannot examine key file %s", path);
  if (!S_ISREG(info.st_mode)) {
    kr_status status = kr_fail(reterr, KR_UNTRUSTED, "key file %s is not a regular file", path);
    kr_error_hint(reterr, "name a regular file that holds the key");
    return status;
  }
  if (info.st_uid != geteuid() && info.st_uid != 0) {
    kr_status status = kr_fail(reterr, KR_UNTRUSTED, "key file %s belongs to another user (uid %u)",
                               path, (unsigned)info.st_uid);
    kr_error_hint(reterr, "run as that user, or make a copy of your own");
    return status;
  }
  bool is_mask = source == KR_KEY_CREDENTIAL && info.st_uid == 0 && info.st_gid == 0;
  mode_t closed = is_mask ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
  if ((info.st_mode & closed) != 0) {
    kr_status status =
        kr_fail(reterr, KR_UNTRUSTED, "key file %s is open to other users (mode %04o)", path,
                (unsigned)(info.st_mode & 07777));
    kr_error_hint(reterr, "chmod 600 %s", path);
    return status;
  }
  return KR_OK;
}

kr_status kr_keyfile_read(kr_key_source source, kr_str path, uint8_t bytes[KR_KEYFILE_ROOM_BYTES],
                          size_t *ret_len, kr_error *reterr) {
  KR_CLEANUP(kr_keyfile_closep) int fd = -1;
  char name[PATH_MAX];
  KR_TRY(kr_keyfile_path(path, name, reterr));
  /* NONBLOCK: opening a pipe must not wait for a writer. */
  fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return kr_keyfile_open_failed(name, errno, reterr);
  KR_TRY(kr_keyfile_check(source, name, fd, reterr));
  size_t len = 0;
  while (len < KR_KEYFILE_ROOM_BYTES) {
    ssize_t n = read(fd, bytes + len, KR_KEYFILE_ROOM_BYTES - len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return kr_fail_errno(reterr, errno, "cannot read key file %s", name);
    if (n == 0)
      break;
    len += (size_t)n;
  }
  if (len > KR_KEYFILE_MAX_BYTES) {
    kr_status status = kr_fail(reterr, KR_UNTRUSTED, "key file %s is longer than %u bytes", name,
                               KR_KEYFILE_MAX_BYTES);
    kr_error_hint(reterr, "a key file has one line of `id base64` for each key, at most %u",
                  KR_KEYRING_MAX);
    return status;
  }
  *ret_len = len;
  return KR_OK;
}

kr_status kr_keyfile_examine(kr_str path, kr_keyfile_look *ret_look, kr_error *reterr) {
  char name[PATH_MAX];
  struct stat info;
  KR_TRY(kr_keyfile_path(path, name, reterr));
  if (stat(name, &info) != 0)
    return errno == ENOENT || errno == ENOTDIR
               ? kr_fail(reterr, KR_NOT_FOUND, "there is no key file %s", name)
               : kr_fail_errno(reterr, errno, "cannot examine key file %s", name);
  *ret_look = (kr_keyfile_look){.mode = info.st_mode & 07777u,
                                .uid = info.st_uid,
                                .is_foreign = info.st_uid != geteuid() && info.st_uid != 0};
  return KR_OK;
}

static kr_status kr_keyfile_sync_directory(const char *path, kr_error *reterr) {
  KR_CLEANUP(kr_keyfile_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0)
    return kr_fail_errno(reterr, errno, "cannot make the directory %s durable", path);
  return KR_OK;
}

/* The directory part of a path; "." or "/" when there is no other. */
static void kr_keyfile_parent(const char *path, char out[PATH_MAX]) {
  const char *slash = strrchr(path, '/');
  if (slash == NULL || slash == path) {
    memcpy(out, slash == NULL ? "." : "/", 2);
    return;
  }
  size_t len = (size_t)(slash - path);
  memcpy(out, path, len);
  out[len] = '\0';
}

/* Make every missing directory above the file, 0700, the outermost first. */
static kr_status kr_keyfile_make_directories(const char *path, kr_error *reterr) {
  char part[PATH_MAX];
  char parent[PATH_MAX];
  for (size_t i = 1; path[i] != '\0'; i++) {
    if (path[i] != '/' || path[i - 1] == '/')
      continue;
    memcpy(part, path, i);
    part[i] = '\0';
    if (mkdir(part, S_IRWXU) != 0) {
      if (errno == EEXIST)
        continue;
      return kr_fail_errno(reterr, errno, "cannot create the directory %s", part);
    }
    kr_keyfile_parent(part, parent);
    KR_TRY(kr_keyfile_sync_directory(parent, reterr));
  }
  return KR_OK;
}

static kr_status kr_keyfile_put(const char *name, int fd, kr_str text, kr_error *reterr) {
  while (text.len > 0) {
    ssize_t n = write(fd, text.ptr, text.len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return kr_fail_errno(reterr, errno, "cannot write key file %s", name);
    text = kr_str_skip(text, (size_t)n);
  }
  if (fsync(fd) != 0)
    return kr_fail_errno(reterr, errno, "cannot make key file %s durable", name);
  char parent[PATH_MAX];
  kr_keyfile_parent(name, parent);
  return kr_keyfile_sync_directory(parent, reterr);
}

kr_status kr_keyfile_write(kr_str path, kr_str text, kr_error *reterr) {
  KR_CLEANUP(kr_keyfile_closep) int fd = -1;
  char name[PATH_MAX];
  KR_TRY(kr_keyfile_path(path, name, reterr));
  KR_TRY(kr_keyfile_make_directories(name, reterr));
  fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (fd < 0 && errno == EEXIST) {
    kr_status status = kr_fail(reterr, KR_EXISTS, "key file %s exists already", name);
    kr_error_hint(reterr, "a key file is never overwritten; choose another path");
    return status;
  }
  if (fd < 0)
    return kr_fail_errno(reterr, errno, "cannot create key file %s", name);
  kr_status status = kr_keyfile_put(name, fd, text, reterr);
  if (status != KR_OK)
    (void)unlink(name); /* created above, exclusively: ours */
  return status;
}
