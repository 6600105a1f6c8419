/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_preload.c - a library for LD_PRELOAD that fails chosen calls of the
 * system, keeps what was written, or shifts the clock. It reaches liblmdb and
 * every other library, so it needs a build without a sanitizer. tests/support/
 * faults.py is its other half.
 *
 *   KROSYN_FAULT=CALLS:N[+]:KIND  the N-th call (from 0; with +, and all later ones) of CALLS
 *       CALLS: write (write, pwrite, pwritev, writev), sync (fsync, fdatasync, msync),
 *              truncate, seek, alloc (malloc, calloc, realloc, posix_memalign)
 *       KIND: ENOSPC, EIO, EINTR, EDQUOT, ENOMEM; short (write: half of the bytes are written);
 *             none (only counted)
 *   KROSYN_FAULT_UNDER=DIR   only files in DIR count and are kept (alloc and msync: all calls)
 *   KROSYN_FAULT_HIT=FILE    made when the call has come
 *   KROSYN_FAULT_COUNT=FILE  how many calls there were, written at the end
 *   KROSYN_FAULT_RECORD=FILE what reached the files, appended in order:
 *       letter | length of path u16 | offset u64 | length u32 | path | bytes (host byte order)
 *       w written, d written through O_DSYNC, s synced, t cut or lengthened to offset
 *   KROSYN_FAULT_CLOCK=SECONDS  added to the time of day
 *
 * Calls before this library's constructor, those of the loader, do not count.
 */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS /* both names of each call are defined here */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
#define RECORD_BYTES (1u << 20) /* of one call; more ends the process */
#define PARTS_MAX 1024

typedef enum calls { WRITE, SYNC, TRUNCATE, SEEK, ALLOC, N_CALLS } calls;

static const char *const call_names[N_CALLS] = {"write", "sync", "truncate", "seek", "alloc"};

/* Set by the constructor, then only read. */
static bool is_ready;
static calls wanted = N_CALLS;
static long first;
static bool is_every_later;
static int fail_with; /* 0: none or short */
static bool is_short;
static const char *under;
static long clock_shift;

static atomic_long n_calls;

extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t n, size_t len);
extern void *__libc_realloc(void *ptr, size_t len);
extern void *__libc_memalign(size_t align, size_t len);

static void append(const char *path, const void *bytes, size_t len) {
  long fd = syscall(SYS_open, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || syscall(SYS_write, fd, bytes, len) != (long)len)
    abort();
  (void)syscall(SYS_close, fd);
}

__attribute__((constructor)) static void begin(void) {
  static const struct {
    const char *name;
    int code;
  } kinds[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EINTR", EINTR}, {"EDQUOT", EDQUOT},
               {"ENOMEM", ENOMEM}, {"short", 0}, {"none", 0}};
  under = getenv("KROSYN_FAULT_UNDER");
  const char *shift = getenv("KROSYN_FAULT_CLOCK");
  clock_shift = shift == NULL ? 0 : atol(shift);
  const char *text = getenv("KROSYN_FAULT");
  for (int i = 0; text != NULL && i < N_CALLS; i++) {
    size_t len = strlen(call_names[i]);
    if (strncmp(text, call_names[i], len) != 0 || text[len] != ':')
      continue;
    char *rest = NULL;
    first = strtol(text + len + 1, &rest, 10);
    is_every_later = *rest == '+';
    rest += is_every_later;
    for (size_t j = 0; j < sizeof kinds / sizeof kinds[0]; j++)
      if (*rest == ':' && strcmp(rest + 1, kinds[j].name) == 0) {
        wanted = (calls)i;
        fail_with = kinds[j].code;
        is_short = strcmp(kinds[j].name, "short") == 0;
      }
  }
  if (text != NULL && wanted == N_CALLS)
    abort(); /* a test that asks for a fault must get one */
  is_ready = true;
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("KROSYN_FAULT_COUNT");
  char text[32];
  int len = snprintf(text, sizeof text, "%ld\n", atomic_load(&n_calls));
  if (path != NULL)
    append(path, text, (size_t)len);
}

static bool path_of(int fd, char path[PATH_MAX]) {
  char link[64];
  (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t len = readlink(link, path, PATH_MAX - 1);
  if (len < 0)
    return false;
  path[len] = '\0';
  return under == NULL || strncmp(path, under, strlen(under)) == 0;
}

/* Is this the call that fails? Leaves errno as the fault wants it. */
static bool is_fault(calls which, int fd) {
  char path[PATH_MAX];
  if (!is_ready || which != wanted || (fd >= 0 && !path_of(fd, path)))
    return false;
  long number = atomic_fetch_add(&n_calls, 1);
  if (number < first || (number > first && !is_every_later))
    return false;
  const char *hit = getenv("KROSYN_FAULT_HIT");
  if (hit != NULL && number == first)
    append(hit, "x", 1);
  errno = fail_with;
  return fail_with != 0 || is_short;
}

static void record(char letter, int fd, int64_t offset, const struct iovec *parts, int n_parts,
                   ssize_t len) {
  const char *log = getenv("KROSYN_FAULT_RECORD");
  char path[PATH_MAX];
  int saved = errno;
  if (log == NULL || !is_ready || len < 0 || !path_of(fd, path))
    return;
  static uint8_t bytes[RECORD_BYTES]; /* the store writes from one thread at a time */
  uint16_t path_len = (uint16_t)strlen(path);
  uint32_t data_len = (uint32_t)len;
  size_t at = 0;
  if ((size_t)len + PATH_MAX + 64 > sizeof bytes)
    abort();
#define PUT(from, size) (memcpy(bytes + at, (from), (size)), at += (size))
  if (letter == 'w' && (fcntl(fd, F_GETFL) & O_DSYNC) != 0)
    letter = 'd';
  PUT(&letter, 1);
  PUT(&path_len, sizeof path_len);
  PUT(&offset, sizeof offset);
  PUT(&data_len, sizeof data_len);
  PUT(path, path_len);
  for (int i = 0; i < n_parts && len > 0; i++) {
    size_t size = parts[i].iov_len < (size_t)len ? parts[i].iov_len : (size_t)len;
    PUT(parts[i].iov_base, size);
    len -= (ssize_t)size;
  }
#undef PUT
  append(log, bytes, at);
  errno = saved;
}

#define REAL(name) real_##name
#define FIND(name)                                                                                 \
  static __typeof__(&name) real_##name;                                                            \
  if (real_##name == NULL)                                                                         \
  *(void **)&real_##name = dlsym(RTLD_NEXT, #name)

/* Writing. What is short writes the first half, at least one byte. */

static ssize_t write_at(int fd, const struct iovec *parts, int n_parts, off_t offset) {
  FIND(pwritev);
  FIND(writev);
  struct iovec half[PARTS_MAX];
  bool is_here = offset < 0; /* at the descriptor's own place */
  if (is_fault(WRITE, fd)) {
    if (fail_with != 0)
      return -1;
    size_t all = 0;
    for (int i = 0; i < n_parts; i++)
      all += parts[i].iov_len;
    size_t left = all > 1 ? all / 2 : all;
    for (int i = 0; i < n_parts && i < PARTS_MAX; i++) {
      half[i] = parts[i];
      half[i].iov_len = parts[i].iov_len < left ? parts[i].iov_len : left;
      left -= half[i].iov_len;
    }
    parts = half;
  }
  int64_t at = offset;
  if (is_here && getenv("KROSYN_FAULT_RECORD") != NULL)
    at = syscall(SYS_lseek, fd, 0, (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? SEEK_END : SEEK_CUR);
  ssize_t done =
      is_here ? REAL(writev)(fd, parts, n_parts) : REAL(pwritev)(fd, parts, n_parts, offset);
  record('w', fd, at, parts, n_parts, done);
  return done;
}

EXPORTED ssize_t write(int fd, const void *bytes, size_t len) {
  const struct iovec part = {(void *)(uintptr_t)bytes, len};
  return write_at(fd, &part, 1, -1);
}

EXPORTED ssize_t writev(int fd, const struct iovec *parts, int n) {
  return write_at(fd, parts, n, -1);
}

EXPORTED ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) {
  const struct iovec part = {(void *)(uintptr_t)bytes, len};
  return write_at(fd, &part, 1, offset);
}

EXPORTED ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset) {
  return pwrite(fd, bytes, len, offset);
}

EXPORTED ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t offset) {
  return write_at(fd, parts, n, offset);
}

EXPORTED ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t offset) {
  return write_at(fd, parts, n, offset);
}

EXPORTED int fsync(int fd) {
  FIND(fsync);
  if (is_fault(SYNC, fd))
    return -1;
  int code = REAL(fsync)(fd);
  record('s', fd, 0, NULL, 0, code == 0 ? 0 : -1);
  return code;
}

EXPORTED int fdatasync(int fd) {
  FIND(fdatasync);
  if (is_fault(SYNC, fd))
    return -1;
  int code = REAL(fdatasync)(fd);
  record('s', fd, 0, NULL, 0, code == 0 ? 0 : -1);
  return code;
}

EXPORTED int msync(void *ptr, size_t len, int flags) {
  FIND(msync);
  return is_fault(SYNC, -1) ? -1 : REAL(msync)(ptr, len, flags);
}

EXPORTED int ftruncate(int fd, off_t len) {
  FIND(ftruncate);
  if (is_fault(TRUNCATE, fd))
    return -1;
  int code = REAL(ftruncate)(fd, len);
  record('t', fd, len, NULL, 0, code == 0 ? 0 : -1);
  return code;
}

EXPORTED int ftruncate64(int fd, off64_t len) { return ftruncate(fd, len); }

EXPORTED off_t lseek(int fd, off_t offset, int whence) {
  return is_fault(SEEK, fd) ? -1 : (off_t)syscall(SYS_lseek, fd, offset, whence);
}

EXPORTED off64_t lseek64(int fd, off64_t offset, int whence) { return lseek(fd, offset, whence); }

/* Memory. */

EXPORTED void *malloc(size_t len) { return is_fault(ALLOC, -1) ? NULL : __libc_malloc(len); }

EXPORTED void *calloc(size_t n, size_t len) {
  return is_fault(ALLOC, -1) ? NULL : __libc_calloc(n, len);
}

EXPORTED void *realloc(void *ptr, size_t len) {
  return is_fault(ALLOC, -1) ? NULL : __libc_realloc(ptr, len);
}

EXPORTED int posix_memalign(void **ret, size_t align, size_t len) {
  if (is_fault(ALLOC, -1))
    return ENOMEM;
  *ret = __libc_memalign(align, len);
  return *ret == NULL ? ENOMEM : 0;
}

/* The time of day; other clocks run as they do. */

EXPORTED int clock_gettime(clockid_t which, struct timespec *now) {
  FIND(clock_gettime);
  int code = REAL(clock_gettime)(which, now);
  if (code == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
    now->tv_sec += clock_shift;
  return code;
}

EXPORTED time_t time(time_t *ret) {
  struct timespec now = {0};
  (void)clock_gettime(CLOCK_REALTIME, &now);
  if (ret != NULL)
    *ret = now.tv_sec;
  return now.tv_sec;
}

EXPORTED int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  FIND(gettimeofday);
  int code = REAL(gettimeofday)(now, zone);
  if (code == 0)
    now->tv_sec += clock_shift;
  return code;
}
