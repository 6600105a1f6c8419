/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact_in_place.c - a file replaced by itself without secrets. A new file is
 * written beside it, with its owner, mode and attributes, made durable, and
 * renamed over it: a reader, and a machine that stops, see the one or the other.
 *
 *   open -> check -> new file -> stream -> unchanged meanwhile? -> fsync -> rename
 *
 * A link is followed, and what it leads to is replaced. A file with a second
 * name is refused: under that name the secrets would live on.
 */
#define _GNU_SOURCE
#include "cli/redact.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define KR_CLI_XATTR_BYTES                                                                         \
  ((size_t)64 << 10) /* of all names, and of one value: what Linux allows */

/* The new file until it is renamed or removed; a signal removes it. */
static char kr_cli_new_file[KR_CLI_MAX_PATH_BYTES];

static void kr_cli_remove_and_die(int number) {
  (void)unlink(kr_cli_new_file);
  (void)signal(number, SIG_DFL);
  (void)raise(number);
}

static void kr_cli_watch_signals(void) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    struct sigaction action = {.sa_handler = kr_cli_remove_and_die};
    struct sigaction old;
    /* What the parent wants ignored (nohup) stays ignored. */
    if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
      (void)sigaction(numbers[i], &action, NULL);
  }
}

typedef struct kr_cli_place_file {
  const char *path; /* as given, for errors */
  char *target;     /* where it leads */
  struct stat before;
  int fd;
  int new_fd;
} kr_cli_place_file;

static void kr_cli_place_done(kr_cli_place_file *file) {
  if (file->fd >= 0)
    (void)close(file->fd);
  if (file->new_fd >= 0) {
    (void)close(file->new_fd);
    (void)unlink(kr_cli_new_file);
  }
  free(file->target);
}

static kr_status kr_cli_place_errno(const kr_cli_place_file *file, const char *what,
                                    kr_error *error) {
  kr_status status = errno == ENOENT ? KR_NOT_FOUND : KR_IO;
  return kr_cli_error(error, status, "cannot %s %s: %s", what, file->path, strerror(errno));
}

static kr_status kr_cli_place_check(const kr_cli_place_file *file, kr_error *error) {
  if (!S_ISREG(file->before.st_mode)) {
    (void)kr_cli_error(error, KR_INVALID, "%s is no regular file, so it cannot be replaced",
                       file->path);
    kr_cli_hint(error, S_ISDIR(file->before.st_mode) ? "name the files in it"
                                                     : "without --in-place it is read like a pipe");
    return KR_INVALID;
  }
  if (file->before.st_nlink > 1) {
    (void)kr_cli_error(error, KR_REFUSED,
                       "%s has another name (a hard link), under which its secrets would stay",
                       file->path);
    kr_cli_hint(error, "remove the other name, or copy the file first");
    return KR_REFUSED;
  }
  if (access(file->target, W_OK) != 0)
    return kr_cli_place_errno(file, "write", error);
  return KR_OK;
}

static kr_status kr_cli_place_open(kr_cli_place_file *file, kr_error *error) {
  file->target = realpath(file->path, NULL);
  if (file->target == NULL)
    return kr_cli_place_errno(file, "open", error);
  /* Not blocking: opening a pipe would wait for who writes to it. */
  file->fd = open(file->target, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
  if (file->fd < 0 || fstat(file->fd, &file->before) != 0)
    return kr_cli_place_errno(file, "open", error);
  return kr_cli_place_check(file, error);
}

/* Attributes hold access lists, whose mask shows as the mode of the group: without them it widens.
 */
static bool kr_cli_place_attributes(const kr_cli_place_file *file, char *names, char *value) {
  ssize_t names_len = flistxattr(file->fd, names, KR_CLI_XATTR_BYTES);
  if (names_len < 0)
    return errno == ENOTSUP;
  for (const char *name = names; name < names + names_len; name += strlen(name) + 1) {
    ssize_t len = fgetxattr(file->fd, name, value, KR_CLI_XATTR_BYTES);
    if (len >= 0 && fsetxattr(file->new_fd, name, value, (size_t)len, 0) == 0)
      continue;
    /* The system's own labels follow its policy, and may not be ours to set. */
    if (strncmp(name, "security.", 9) != 0 && strncmp(name, "trusted.", 8) != 0)
      return false;
  }
  return true;
}

static bool kr_cli_place_copy_attributes(const kr_cli_place_file *file) {
  char *room = malloc(2 * KR_CLI_XATTR_BYTES);
  bool is_copied = room != NULL && kr_cli_place_attributes(file, room, room + KR_CLI_XATTR_BYTES);
  free(room);
  return is_copied;
}

/* Owner first: changing it takes bits of the mode away. */
static kr_status kr_cli_place_create(kr_cli_place_file *file, kr_error *error) {
  const char *slash = strrchr(file->target, '/');
  int folder_len = slash == NULL ? 0 : (int)(slash - file->target);
  int len = snprintf(kr_cli_new_file, sizeof kr_cli_new_file, "%.*s/.krosyn-XXXXXX", folder_len,
                     file->target);
  if (len < 0 || (size_t)len >= sizeof kr_cli_new_file)
    return kr_cli_error(error, KR_LIMIT, "the path of %s is too long", file->path);
  kr_cli_watch_signals();
  file->new_fd = mkostemp(kr_cli_new_file, O_CLOEXEC);
  if (file->new_fd < 0)
    return kr_cli_place_errno(file, "write a new file beside", error);
  struct stat made;
  bool is_ours = fstat(file->new_fd, &made) == 0 && made.st_uid == file->before.st_uid &&
                 made.st_gid == file->before.st_gid;
  if (is_ours || fchown(file->new_fd, file->before.st_uid, file->before.st_gid) == 0) {
    if (kr_cli_place_copy_attributes(file) &&
        fchmod(file->new_fd, file->before.st_mode & 07777) == 0)
      return KR_OK;
  }
  (void)kr_cli_error(error, KR_REFUSED, "cannot keep the owner and the permissions of %s",
                     file->path);
  kr_cli_hint(error, "run this as its owner, or redact it into another file");
  return KR_REFUSED;
}

static bool kr_cli_place_is_same(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
         a->st_nlink == b->st_nlink;
}

static kr_status kr_cli_place_still(const kr_cli_place_file *file, kr_error *error) {
  struct stat now;
  if (lstat(file->target, &now) == 0 && kr_cli_place_is_same(&file->before, &now))
    return KR_OK;
  (void)kr_cli_error(error, KR_IO, "%s changed while it was read, so it was left as it is",
                     file->path);
  kr_cli_hint(error, "stop what writes to it, or put krosyn redact between the two");
  return KR_IO;
}

static kr_status kr_cli_place_replace(kr_cli_place_file *file, kr_error *error) {
  if (fsync(file->new_fd) != 0)
    return kr_cli_place_errno(file, "write a new file beside", error);
  kr_status status = kr_cli_place_still(file, error);
  if (status != KR_OK)
    return status;
  if (rename(kr_cli_new_file, file->target) != 0)
    return kr_cli_place_errno(file, "replace", error);
  (void)close(file->new_fd);
  file->new_fd = -1;
  /* The rename is done; that it is durable too is all that can still fail. */
  *strrchr(kr_cli_new_file, '/') = '\0';
  int folder =
      open(kr_cli_new_file[0] == '\0' ? "/" : kr_cli_new_file, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0)
    return KR_OK; /* a folder that may be written but not read */
  int result = fsync(folder);
  (void)close(folder);
  return result == 0 || errno == EINVAL ? KR_OK : kr_cli_place_errno(file, "sync", error);
}

kr_status kr_cli_redact_in_place(kr_cli_redact *redact, const char *path, kr_error *error) {
  KR_CLI_CLEANUP(kr_cli_place_done)
  kr_cli_place_file file = {.path = path, .fd = -1, .new_fd = -1};
  kr_status status = kr_cli_place_open(&file, error);
  if (status == KR_OK)
    status = kr_cli_place_create(&file, error);
  if (status == KR_OK)
    status = kr_cli_redact_begin(redact, file.new_fd, "a new file beside it", error);
  if (status == KR_OK)
    status = kr_cli_redact_copy(redact, file.fd, path, error);
  if (status == KR_OK)
    status = kr_cli_redact_end(redact, error);
  if (status != KR_OK || kr_filter_count(redact->filter) == 0)
    return status;
  return kr_cli_place_replace(&file, error);
}
