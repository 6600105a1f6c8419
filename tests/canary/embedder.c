/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedder.c - the stages of embedder.h, and a stop after each.
 *
 *   embedder use FOLDER      prints a line `-- STAGE` when a stage is done and goes on with each
 *                            line on standard input; the stages are live, closed, copied, reopened
 *   embedder crash FOLDER    the same with a home that is there, to the stage live; then abort()
 *   embedder misuse FOLDER   failing calls with values among their arguments
 *
 * After kr_process_init it makes itself traceable again and lets the kernel dump
 * it: what would then be in a dump is what the harness looks at.
 */
#define _GNU_SOURCE
#include "canary/embedder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

kr_str embedder_text(const char *literal) {
  return (kr_str){(const uint8_t *)literal, strlen(literal)};
}

void embedder_print_error(const char *what, kr_status status, const kr_error *error) {
  (void)printf("%s: %s %u [%s] %s | %s\n", what, kr_status_name(status), (unsigned)error->code,
               error->source, error->message, error->hint);
}

void embedder_need(kr_status status, const kr_error *error, const char *what) {
  if (status == KR_OK)
    return;
  embedder_print_error(what, status, error);
  (void)printf("FAILED\n");
  exit(EXIT_FAILURE);
}

void embedder_print(const char *what, kr_str bytes) {
  (void)printf("%s: %.*s\n", what, (int)bytes.len, (const char *)bytes.ptr);
}

static void die(const char *what) {
  perror(what);
  exit(EXIT_FAILURE);
}

void embedder_path(const embedder *self, const char *name, char path[EMBEDDER_PATH_BYTES]) {
  int len = snprintf(path, EMBEDDER_PATH_BYTES, "%s/%s", self->folder, name);
  if (len < 0 || len >= EMBEDDER_PATH_BYTES)
    die("a path that is too long");
}

kr_str embedder_read(embedder *self, const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    die(path);
  self->room_len = 0;
  for (;;) {
    ssize_t got = read(fd, self->room + self->room_len, EMBEDDER_ROOM_BYTES - self->room_len);
    if (got < 0)
      die(path);
    if (got == 0)
      break;
    self->room_len += (size_t)got;
  }
  (void)close(fd);
  return (kr_str){self->room, self->room_len};
}

void embedder_wipe(embedder *self) { explicit_bzero(self->room, self->room_len); }

void embedder_each(embedder *self, const char *folder, embedder_visit visit) {
  char place[EMBEDDER_PATH_BYTES];
  struct dirent **names = NULL;
  embedder_path(self, folder, place);
  int n = scandir(place, &names, NULL, alphasort);
  if (n < 0)
    die(place);
  for (int i = 0; i < n; i++) {
    char path[2 * EMBEDDER_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", place, names[i]->d_name);
    if (names[i]->d_name[0] != '.')
      visit(self, names[i]->d_name, path);
    free(names[i]);
  }
  free(names);
}

void embedder_open(embedder *self) {
  kr_error error = {0};
  embedder_need(kr_engine_open(&self->options, &self->engine, &error), &error, "open");
}

void embedder_close(embedder *self) {
  kr_engine_close(self->engine);
  self->engine = NULL;
}

/** Say where we are, and wait until the harness has looked. */
static void stop(const char *stage) {
  char line[16];
  (void)printf("-- %s\n", stage);
  (void)fflush(stdout);
  if (read(STDIN_FILENO, line, sizeof line) <= 0)
    exit(EXIT_FAILURE);
}

static void let_us_be_looked_at(void) {
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
    die("PR_SET_DUMPABLE");
}

/*
 * In place of setrlimit (--wrap; the second is its name under _FILE_OFFSET_BITS): the limit on
 * dumps stays as high as it may be, since once lowered it could not be raised again.
 */
int __wrap_setrlimit(int resource, const struct rlimit *limit);
int __wrap_setrlimit64(int resource, const struct rlimit *limit);

int __wrap_setrlimit(int resource, const struct rlimit *limit) {
  struct rlimit now;
  (void)limit;
  if (resource != RLIMIT_CORE || getrlimit(RLIMIT_CORE, &now) != 0)
    return -1;
  now.rlim_cur = now.rlim_max;
  return prlimit(0, RLIMIT_CORE, &now, NULL);
}

int __wrap_setrlimit64(int resource, const struct rlimit *limit) {
  return __wrap_setrlimit(resource, limit);
}

static void live(embedder *self) {
  embedder_open(self);
  embedder_save(self);
  embedder_use(self);
  embedder_redact(self);
  stop("live");
}

static int use(embedder *self) {
  kr_error error = {0};
  embedder_need(kr_home_create(&self->options, NULL, &error), &error, "create");
  live(self);
  embedder_close(self);
  stop("closed");
  embedder_copies(self);
  stop("copied");
  embedder_open(self);
  embedder_use(self);
  embedder_close(self);
  stop("reopened");
  return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
  kr_error error = {0};
  if (argc != 3) {
    (void)fprintf(stderr, "usage: embedder use|crash|misuse FOLDER\n");
    return 2;
  }
  embedder self = {.folder = argv[2]};
  embedder_path(&self, "home", self.home);
  embedder_path(&self, "master.key", self.key);
  self.options = (kr_home_options){.home = self.home, .key_file = self.key, .actor = "embedder"};
  self.room =
      mmap(NULL, EMBEDDER_ROOM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (self.room == MAP_FAILED)
    die("mmap");
  embedder_need(kr_process_init(&error), &error, "process");
  let_us_be_looked_at();
  if (strcmp(argv[1], "use") == 0)
    return use(&self);
  if (strcmp(argv[1], "misuse") == 0)
    return embedder_misuse(&self) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
  live(&self);
  abort();
}
