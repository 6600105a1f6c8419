/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_process.c - from starting a program to its answer: needles in one file,
 * one a line, text in another, both in memory. ripgrep and GNU grep count
 * lines, and needles are planted one a line at most, so the numbers must agree.
 * krosyn is this program, started anew with --count. What counts is the time
 * the child spent on the processor, in it and in the kernel for it.
 */
#define _GNU_SOURCE
#include "scan_engines.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_BYTES (64u * 1024u * 1024u)
#define PLANT_EVERY_BYTES (4u * 1024u * 1024u)

typedef struct kr_process {
  char *arguments[12];
  size_t wanted; /* what it must count */
  kr_bench_batch batch;
} kr_process;

/* A file that is only in memory, by a name that a child may open; gone with this process. */
typedef struct kr_process_file {
  int number;
  char path[32];
} kr_process_file;

static void kr_process_file_done(kr_process_file *file) { close(file->number); }

static kr_process_file kr_process_write(const kr_str *parts, size_t n, const char *between) {
  kr_process_file file = {.number = memfd_create("krosyn-bench", 0)};
  FILE *stream = file.number < 0 ? NULL : fdopen(dup(file.number), "wb");
  if (stream == NULL)
    kr_bench_die("process", "no file in memory");
  for (size_t i = 0; i < n; i++) {
    fwrite(parts[i].ptr, 1, parts[i].len, stream);
    fputs(between, stream);
  }
  if (fclose(stream) != 0)
    kr_bench_die("process", "no room for a file in memory");
  snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.number);
  return file;
}

/* What the program prints, a number; SIZE_MAX when there is no such program. */
static size_t kr_process_ask(const kr_process *process, double *ret_ns) {
  extern char **environ;
  int ends[2];
  posix_spawn_file_actions_t actions;
  pid_t child = 0;
  if (pipe2(ends, O_CLOEXEC) != 0 || posix_spawn_file_actions_init(&actions) != 0 ||
      posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO) != 0)
    kr_bench_die("process", "no pipe");
  int fault =
      posix_spawnp(&child, process->arguments[0], &actions, NULL, process->arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (fault != 0) {
    close(ends[0]);
    return SIZE_MAX;
  }
  char answer[64] = {0};
  size_t len = 0;
  ssize_t got = 0;
  while (len < sizeof answer - 1 &&
         ((got = read(ends[0], answer + len, sizeof answer - 1 - len)) > 0 ||
          (got < 0 && errno == EINTR)))
    len += got > 0 ? (size_t)got : 0;
  close(ends[0]);
  int status = 0;
  struct rusage used = {0};
  while (wait4(child, &status, 0, &used) < 0 && errno == EINTR)
    continue;
  *ret_ns = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e9 +
            (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e3;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    return SIZE_MAX;
  return len == 0 ? SIZE_MAX : (size_t)strtoull(answer, NULL, 10);
}

static double kr_process_run(void *ctx, size_t n_calls) {
  const kr_process *process = ctx;
  double sum_ns = 0;
  for (size_t i = 0; i < n_calls; i++) {
    double ns = 0;
    if (kr_process_ask(process, &ns) != process->wanted)
      kr_bench_die(process->arguments[0], "counts other lines than were planted");
    sum_ns += ns;
  }
  return sum_ns;
}

void kr_scan_processes(const kr_bench *bench, const char *name, size_t n_needles) {
  if (!kr_bench_wants(bench, name))
    return;
  setenv("LC_ALL", "C", 1); /* bytes, not characters: what grep is fastest at */
  KR_CLEANUP(kr_needles_done) kr_needles needles = kr_needles_tokens(n_needles, 32);
  KR_CLEANUP(kr_corpus_done) kr_corpus corpus = kr_corpus_log(TEXT_BYTES);
  size_t planted = kr_corpus_plant(&corpus, &needles, PLANT_EVERY_BYTES);
  kr_str text = kr_corpus_text(&corpus);
  KR_CLEANUP(kr_process_file_done)
  kr_process_file needle_file = kr_process_write(needles.list, needles.n, "\n");
  KR_CLEANUP(kr_process_file_done) kr_process_file text_file = kr_process_write(&text, 1, "");
  kr_process processes[] = {
      {{"/proc/self/exe", "--count", needle_file.path, text_file.path, NULL}, planted, {0}},
      {{"rg", "--no-config", "-c", "-F", "-f", needle_file.path, text_file.path, NULL},
       planted,
       {0}},
      {{"grep", "-c", "-F", "-f", needle_file.path, text_file.path, NULL}, planted, {0}}};
  static const char *const names[] = {"krosyn", "ripgrep", "grep"};
  kr_bench_engine engines[3];
  size_t n_engines = 0;
  for (size_t i = 0; i < 3; i++) {
    double ns = 0;
    processes[i].batch = (kr_bench_batch){kr_process_run, &processes[i]};
    if (kr_process_ask(&processes[i], &ns) == SIZE_MAX)
      fprintf(stderr, "bench: without %s; ./dev bench scan --peers installs it\n", names[i]);
    else
      engines[n_engines++] = (kr_bench_engine){names[i], NULL, &processes[i].batch};
  }
  kr_bench_case(bench, name, KR_BENCH_GB_PER_S, text.len, engines, n_engines);
}

static kr_str kr_process_map(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (file < 0 || fstat(file, &info) != 0 || info.st_size <= 0)
    kr_bench_die(path, "not to be read");
  void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  if (bytes == MAP_FAILED)
    kr_bench_die(path, "not to be read");
  return kr_str_from(bytes, (size_t)info.st_size);
}

int kr_scan_process_main(const char *needles_path, const char *text_path) {
  kr_str lines = kr_process_map(needles_path);
  size_t n = 0;
  for (size_t i = 0; i < lines.len; i++)
    n += lines.ptr[i] == '\n';
  kr_needles needles = {.list = calloc(n + 1, sizeof(kr_str))};
  if (needles.list == NULL)
    kr_bench_die("needles", "out of memory");
  for (size_t i = 0, start = 0; i < lines.len; i++) {
    if (lines.ptr[i] != '\n')
      continue;
    if (i > start)
      needles.list[needles.n++] = kr_str_slice(lines, start, i);
    start = i + 1;
  }
  void *state = kr_scan_krosyn.build(&needles);
  printf("%zu\n", kr_scan_krosyn.count(state, kr_process_map(text_path)));
  kr_scan_krosyn.free(state);
  free(needles.list);
  return 0;
}
