/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c - see tree.h. Never used on the files of a store that is open in this process. */
#define _GNU_SOURCE
#include "engine/tree.h"

#include "base/cleanup.h"
#include "crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KR_TREE_CHUNK_BYTES (256u * 1024u)

_Static_assert(KR_TREE_DIGEST_BYTES == KR_DIGEST_BYTES, "one size of digest");

static void kr_tree_close(int *fd) {
  if (*fd >= 0)
    (void)close(*fd);
}

/* ---- the directory ---- */

static kr_status kr_tree_taken(const kr_tree *tree, kr_error *reterr) {
  (void)kr_fail(reterr, KR_EXISTS, "%s exists already", tree->place.text);
  kr_error_hint(reterr, "nothing was changed; name a directory that is not there");
  return KR_EXISTS;
}

static kr_status kr_tree_look(const kr_tree *tree, bool may_be_empty, kr_error *reterr) {
  kr_directory_state state = KR_DIRECTORY_OTHER;
  struct stat info;
  if (lstat(tree->place.text, &info) != 0)
    return errno == ENOENT ? KR_OK
                           : kr_fail_errno(reterr, errno, "cannot look at %s", tree->place.text);
  if (!may_be_empty || !S_ISDIR(info.st_mode))
    return kr_tree_taken(tree, reterr);
  KR_TRY(kr_directory_look(tree->place.text, &state, reterr));
  return state == KR_DIRECTORY_EMPTY ? KR_OK : kr_tree_taken(tree, reterr);
}

kr_status kr_tree_check_outside(const char *place, const char *directory, const char *what,
                                kr_error *reterr) {
  kr_path inner;
  kr_path outer;
  KR_TRY(kr_path_canonical(&outer, directory, reterr));
  KR_TRY(kr_path_canonical(&inner, place, reterr));
  if (!kr_path_is_below(inner.text, outer.text))
    return KR_OK;
  return kr_fail_hint(reterr, KR_INVALID, what, "name a directory elsewhere, best on another disk");
}

kr_status kr_tree_begin(kr_tree *tree, const char *place, bool may_be_empty, kr_error *reterr) {
  kr_path draft;
  KR_TRY(kr_path_canonical(&tree->place, place, reterr));
  KR_TRY(kr_tree_look(tree, may_be_empty, reterr));
  int len = snprintf(draft.text, sizeof draft.text, "%s.partial-XXXXXX", tree->place.text);
  if (len < 0 || (size_t)len >= sizeof draft.text)
    return kr_fail_hint(reterr, KR_LIMIT, "the path is too long",
                        "use a path of less than 4000 bytes");
  if (mkdtemp(draft.text) == NULL)
    return kr_fail_errno(reterr, errno, "cannot make a directory beside %s", tree->place.text);
  tree->draft = draft;
  return KR_OK;
}

kr_status kr_tree_sync(const char *path, kr_error *reterr) {
  KR_CLEANUP(kr_tree_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0)
    return kr_fail_errno(reterr, errno, "cannot save the directory %s", path);
  return KR_OK;
}

/* Some file systems have no rename that refuses to replace; a plain one replaces nothing but an
 * empty directory. */
static int kr_tree_rename(const char *from, const char *to) {
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS && errno != EEXIST)
    return -1;
  return rename(from, to);
}

kr_status kr_tree_end(kr_tree *tree, kr_error *reterr) {
  kr_path above = tree->place;
  kr_path_parent(&above);
  KR_TRY(kr_tree_sync(tree->draft.text, reterr));
  if (kr_tree_rename(tree->draft.text, tree->place.text) != 0)
    return errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR
               ? kr_tree_taken(tree, reterr)
               : kr_fail_errno(reterr, errno, "cannot give %s its name", tree->place.text);
  tree->draft.text[0] = '\0';
  return kr_tree_sync(above.text, reterr);
}

void kr_tree_done(kr_tree *tree) {
  static const char *const names[] = {
      "vault/data.mdb",       "vault/lock.mdb",  "vault/exchange.flag",
      "events/exchange.flag", "vault",           "events/data.mdb",
      "events/lock.mdb",      "events",          "settings.json.new",
      "settings.json",        "backup.json.new", "backup.json"};
  if (tree->draft.text[0] == '\0')
    return;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    kr_path path;
    if (kr_path_join(&path, tree->draft.text, names[i], NULL) == KR_OK)
      (void)remove(path.text);
  }
  (void)rmdir(tree->draft.text);
  tree->draft.text[0] = '\0';
}

kr_status kr_tree_directory(const char *path, kr_error *reterr) {
  if (mkdir(path, 0700) != 0)
    return kr_fail_errno(reterr, errno, "cannot make the directory %s", path);
  return KR_OK;
}

/* ---- files ---- */

static void kr_tree_progress(kr_tree_job *job, uint64_t n_bytes) {
  job->done += n_bytes;
  if (job->progress != NULL && job->progress->show != NULL)
    job->progress->show(job->progress->ctx, job->step, job->done, job->total);
}

static kr_status kr_tree_write(int fd, const char *path, kr_str bytes, kr_error *reterr) {
  while (bytes.len > 0) {
    ssize_t n = write(fd, bytes.ptr, bytes.len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      kr_status status = kr_fail_errno(reterr, errno, "cannot write %s", path);
      if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
        kr_error_hint(reterr, "free some space on that disk and repeat; nothing was changed");
      return status;
    }
    bytes = kr_str_skip(bytes, (size_t)n);
  }
  return KR_OK;
}

/* Read to the end into a digest, and into a file when to_fd is one. */
static kr_status kr_tree_pump(kr_tree_job *job, int from_fd, const char *from, int to_fd,
                              const char *to, kr_digest *digest, uint64_t *ret_bytes,
                              kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf chunk = KR_BUF_INIT(KR_TREE_CHUNK_BYTES, NULL);
  kr_status status = kr_buf_reserve(&chunk, KR_TREE_CHUNK_BYTES);
  if (status != KR_OK)
    return kr_buf_explain(&chunk, status, from, reterr);
  uint64_t n_bytes = 0;
  for (;;) {
    ssize_t got = read(from_fd, chunk.ptr, KR_TREE_CHUNK_BYTES);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return kr_fail_errno(reterr, errno, "cannot read %s", from);
    if (got == 0)
      break;
    kr_str bytes = kr_str_from(chunk.ptr, (size_t)got);
    KR_TRY(kr_digest_add(digest, bytes, reterr));
    if (to_fd >= 0)
      KR_TRY(kr_tree_write(to_fd, to, bytes, reterr));
    n_bytes += (uint64_t)got;
    kr_tree_progress(job, (uint64_t)got);
  }
  *ret_bytes = n_bytes;
  return KR_OK;
}

/* A backup can come from anywhere: what is not a plain file in it is not read. */
static kr_status kr_tree_open(const char *path, int *ret_fd, kr_error *reterr) {
  KR_CLEANUP(kr_tree_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat info;
  if (fd < 0 && errno == ENOENT)
    return kr_fail(reterr, KR_NOT_FOUND, "there is no file %s", path);
  if (fd < 0 || fstat(fd, &info) != 0)
    return kr_fail_errno(reterr, errno, "cannot open %s", path);
  if (!S_ISREG(info.st_mode))
    return kr_fail(reterr, KR_REFUSED, "%s is not a plain file", path);
  *ret_fd = fd;
  fd = -1;
  return KR_OK;
}

kr_status kr_file_digest(kr_tree_job *job, const char *path, uint8_t out[KR_TREE_DIGEST_BYTES],
                         uint64_t *ret_bytes, kr_error *reterr) {
  KR_CLEANUP(kr_tree_close) int fd = -1;
  KR_CLEANUP(kr_digest_freep) kr_digest *digest = NULL;
  KR_TRY(kr_tree_open(path, &fd, reterr));
  KR_TRY(kr_digest_new(&digest, reterr));
  KR_TRY(kr_tree_pump(job, fd, path, -1, NULL, digest, ret_bytes, reterr));
  return kr_digest_end(digest, out, reterr);
}

kr_status kr_file_copy(kr_tree_job *job, const char *from, const char *to,
                       uint8_t out[KR_TREE_DIGEST_BYTES], uint64_t *ret_bytes, kr_error *reterr) {
  KR_CLEANUP(kr_tree_close) int from_fd = -1;
  KR_CLEANUP(kr_tree_close) int to_fd = -1;
  KR_CLEANUP(kr_digest_freep) kr_digest *digest = NULL;
  KR_TRY(kr_tree_open(from, &from_fd, reterr));
  to_fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (to_fd < 0)
    return kr_fail_errno(reterr, errno, "cannot create %s", to);
  KR_TRY(kr_digest_new(&digest, reterr));
  KR_TRY(kr_tree_pump(job, from_fd, from, to_fd, to, digest, ret_bytes, reterr));
  if (fsync(to_fd) != 0)
    return kr_fail_errno(reterr, errno, "cannot save %s", to);
  return kr_digest_end(digest, out, reterr);
}
