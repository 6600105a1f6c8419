/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyedit.c - see keyedit.h.
 *
 *   FILE -> locked text -> one line put in or taken out -> draft -> fsync -> rename -> fsync
 *
 * Text of key files is key material: it stays in locked memory. The draft,
 * FILE.krosyn-draft, is written by whoever holds the lock; one that is there was
 * left by a process that died, and is removed. So its name is one that nobody
 * gives a key: FILE.new may well be the key that is to come.
 */
#define _GNU_SOURCE
#include "vault/keyedit.h"

#include "base/encode.h"
#include "vault/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KR_KEYEDIT_LINE_BYTES (KR_KEY_ID_BYTES + 1u + 88u + 1u) /* id, blank, base64, newline */
#define KR_KEYEDIT_DRAFT ".krosyn-draft"
#define KR_KEYEDIT_ROOM_BYTES (KR_KEYFILE_ROOM_BYTES + KR_KEYEDIT_LINE_BYTES)

kr_status kr_keyedit_begin(kr_str path, kr_keyedit *ret_edit, kr_error *reterr) {
  _Static_assert(KR_KEYEDIT_PATH_BYTES >= PATH_MAX, "realpath writes up to PATH_MAX bytes");
  char name[KR_KEYEDIT_PATH_BYTES];
  char directory[KR_KEYEDIT_PATH_BYTES];
  ret_edit->directory = -1;
  if (path.len == 0 || path.len >= sizeof name)
    return kr_fail(reterr, KR_INVALID, "the path of the key file is empty or too long");
  memcpy(name, path.ptr, path.len);
  name[path.len] = '\0';
  if (realpath(name, ret_edit->path) == NULL)
    return kr_fail_errno(reterr, errno, "cannot find key file %s", name);
  const char *slash = strrchr(ret_edit->path, '/');
  size_t len = slash == ret_edit->path ? 1 : (size_t)(slash - ret_edit->path);
  memcpy(directory, ret_edit->path, len);
  directory[len] = '\0';
  ret_edit->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int result = ret_edit->directory < 0 ? -1 : flock(ret_edit->directory, LOCK_EX);
  while (result != 0 && errno == EINTR)
    result = flock(ret_edit->directory, LOCK_EX);
  if (result == 0)
    return KR_OK;
  kr_status status = kr_fail_errno(reterr, errno, "cannot lock the directory %s", directory);
  kr_keyedit_done(ret_edit);
  return status;
}

void kr_keyedit_done(kr_keyedit *edit) {
  if (edit->directory >= 0)
    (void)close(edit->directory);
  edit->directory = -1;
}

/* ---- replacing the file ---- */

static kr_status kr_keyedit_refused(const char *path, int error, kr_error *reterr) {
  if (error != EACCES && error != EPERM && error != EROFS)
    return kr_fail_errno(reterr, error, "cannot write a new key file beside %s", path);
  kr_status status =
      kr_fail(reterr, KR_REFUSED, "the directory of key file %s may not be written", path);
  kr_error_hint(reterr, "make a key file elsewhere, and name it with --new-key FILE");
  return status;
}

/* Owner and mode of the file before: a service that read it must be able to read the new one. */
static int kr_keyedit_keep_owner(const char *path, int fd) {
  struct stat before;
  struct stat now;
  if (stat(path, &before) != 0 || fstat(fd, &now) != 0)
    return -1;
  bool is_same = before.st_uid == now.st_uid && before.st_gid == now.st_gid;
  if (!is_same && fchown(fd, before.st_uid, before.st_gid) != 0)
    return -1;
  return fchmod(fd, before.st_mode & (S_IRUSR | S_IWUSR));
}

static int kr_keyedit_write(int fd, kr_str text) {
  while (text.len > 0) {
    ssize_t n = write(fd, text.ptr, text.len);
    if (n < 0 && errno != EINTR)
      return -1;
    text = kr_str_skip(text, n > 0 ? (size_t)n : 0);
  }
  return fsync(fd);
}

static kr_status kr_keyedit_replace(const kr_keyedit *edit, kr_str text, kr_error *reterr) {
  char draft[KR_KEYEDIT_PATH_BYTES + sizeof KR_KEYEDIT_DRAFT];
  (void)snprintf(draft, sizeof draft, "%s" KR_KEYEDIT_DRAFT, edit->path);
  (void)unlink(draft);
  int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (fd < 0)
    return kr_keyedit_refused(edit->path, errno, reterr);
  int result = kr_keyedit_keep_owner(edit->path, fd);
  if (result == 0)
    result = kr_keyedit_write(fd, text);
  int code = errno;
  if (close(fd) != 0 && result == 0) {
    result = -1;
    code = errno;
  }
  if (result == 0 && rename(draft, edit->path) != 0) {
    result = -1;
    code = errno;
  }
  if (result != 0) {
    (void)unlink(draft);
    return kr_keyedit_refused(edit->path, code, reterr);
  }
  if (fsync(edit->directory) != 0)
    return kr_fail_errno(reterr, errno, "cannot make key file %s durable", edit->path);
  return KR_OK;
}

/* ---- the text ---- */

/* A line of the text with its newline, and the id it begins with (empty: no key in it). */
typedef struct kr_keyedit_line {
  size_t start;
  size_t end;
  kr_str id;
} kr_keyedit_line;

static kr_keyedit_line kr_keyedit_line_at(kr_str text, size_t start) {
  const uint8_t *newline = memchr(text.ptr + start, '\n', text.len - start);
  size_t end = newline == NULL ? text.len : (size_t)(newline - text.ptr) + 1;
  kr_str line = kr_str_trim(kr_str_slice(text, start, end));
  size_t len = 0;
  while (len < line.len && line.ptr[len] != ' ' && line.ptr[len] != '\t')
    len++;
  bool is_key = line.len > 0 && line.ptr[0] != '#';
  return (kr_keyedit_line){
      .start = start, .end = end, .id = kr_str_slice(line, 0, is_key ? len : 0)};
}

/* The line of a key, or with an empty id the first line that has any. */
static bool kr_keyedit_find(kr_str text, kr_str id, kr_keyedit_line *ret_line) {
  for (size_t at = 0; at < text.len; at = ret_line->end) {
    *ret_line = kr_keyedit_line_at(text, at);
    if (ret_line->id.len > 0 && (id.len == 0 || kr_str_equal(ret_line->id, id)))
      return true;
  }
  return false;
}

/* One line of locked text. */
static kr_status kr_keyedit_put_line(const kr_keyring *fresh, kr_buf *out) {
  KR_TRY(kr_buf_append(out, kr_keyring_id(fresh, 0)));
  KR_TRY(kr_buf_byte(out, ' '));
  KR_TRY(
      kr_base64_encode(kr_secret_reveal(kr_keyring_key(fresh, 0)), KR_BASE64_STANDARD, true, out));
  return kr_buf_byte(out, '\n');
}

/*
 * Locked, however long: a kr_secret of this size would not be, and there are all
 * keys in it.
 */
typedef struct kr_keyedit_text {
  kr_secure *pool;
  uint8_t *bytes;
  size_t len;
} kr_keyedit_text;

static void kr_keyedit_text_done(kr_keyedit_text *text) {
  kr_secure_release(text->pool, text->bytes);
}

static kr_str kr_keyedit_text_str(const kr_keyedit_text *text) {
  return kr_str_from(text->bytes, text->len);
}

static kr_status kr_keyedit_text_new(kr_secure *pool, size_t size, kr_keyedit_text *ret_text,
                                     kr_error *reterr) {
  *ret_text = (kr_keyedit_text){.pool = pool, .bytes = kr_secure_alloc(pool, size)};
  return ret_text->bytes == NULL ? kr_fail_nomem(reterr) : KR_OK;
}

static kr_status kr_keyedit_read(const kr_keyedit *edit, kr_secure *pool, kr_keyedit_text *ret_text,
                                 kr_error *reterr) {
  KR_TRY(kr_keyedit_text_new(pool, KR_KEYFILE_ROOM_BYTES, ret_text, reterr));
  return kr_keyfile_read(KR_KEY_FILE, kr_str_cstr(edit->path), ret_text->bytes, &ret_text->len,
                         reterr);
}

/* text[0, cut_start) | the line of fresh, if any | text[cut_end, ...) replaces the file. */
static kr_status kr_keyedit_splice(const kr_keyedit *edit, kr_str text, size_t cut_start,
                                   size_t cut_end, const kr_keyring *fresh, kr_secure *pool,
                                   kr_error *reterr) {
  KR_CLEANUP(kr_keyedit_text_done) kr_keyedit_text changed = {.bytes = NULL};
  KR_TRY(kr_keyedit_text_new(pool, KR_KEYEDIT_ROOM_BYTES, &changed, reterr));
  kr_buf locked = {.ptr = changed.bytes,
                   .len = 0,
                   .cap = KR_KEYEDIT_ROOM_BYTES,
                   .limit = KR_KEYEDIT_ROOM_BYTES,
                   .memory = NULL};
  kr_status status = kr_buf_append(&locked, kr_str_slice(text, 0, cut_start));
  if (status == KR_OK && fresh != NULL)
    status = kr_keyedit_put_line(fresh, &locked);
  if (status == KR_OK)
    status = kr_buf_append(&locked, kr_str_skip(text, cut_end));
  KR_TRY(kr_buf_explain(&locked, status, "the key file", reterr));
  if (locked.len > KR_KEYFILE_MAX_BYTES)
    return kr_fail_hint(reterr, KR_LIMIT, "the key file would be too long",
                        "take out comments, and keys that are not needed any more");
  return kr_keyedit_replace(edit, kr_buf_str(&locked), reterr);
}

kr_status kr_keyedit_add(const kr_keyedit *edit, const kr_keyring *fresh, kr_secure *pool,
                         kr_error *reterr) {
  KR_CLEANUP(kr_keyedit_text_done) kr_keyedit_text text = {.bytes = NULL};
  KR_CLEANUP(kr_keyring_freep) kr_keyring *before = NULL;
  KR_TRY(kr_keyring_load(kr_str_cstr(edit->path), pool, &before, reterr));
  if (kr_keyring_count(before) >= KR_KEYRING_MAX)
    return kr_fail_hint(reterr, KR_LIMIT, "the key file holds as many keys as it may (16)",
                        "take out keys that are not needed any more: krosyn key forget ID");
  KR_TRY(kr_keyedit_read(edit, pool, &text, reterr));
  kr_keyedit_line first = {.start = 0};
  (void)kr_keyedit_find(kr_keyedit_text_str(&text), (kr_str){0}, &first);
  return kr_keyedit_splice(edit, kr_keyedit_text_str(&text), first.start, first.start, fresh, pool,
                           reterr);
}

kr_status kr_keyedit_remove(const kr_keyedit *edit, kr_str id, kr_secure *pool, kr_error *reterr) {
  KR_CLEANUP(kr_keyedit_text_done) kr_keyedit_text text = {.bytes = NULL};
  kr_keyedit_line line = {.start = 0};
  KR_TRY(kr_keyedit_read(edit, pool, &text, reterr));
  if (!kr_keyedit_find(kr_keyedit_text_str(&text), id, &line))
    return kr_fail(reterr, KR_NOT_FOUND, "key file %s has no key of that id", edit->path);
  return kr_keyedit_splice(edit, kr_keyedit_text_str(&text), line.start, line.end, NULL, pool,
                           reterr);
}
