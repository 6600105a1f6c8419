/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact_counts.c - what `krosyn redact` tells beside its output: counts by name
 * and form, summed over files and over the versions of a secret, and progress.
 */
#define _GNU_SOURCE
#include "cli/redact.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KR_CLI_PROGRESS_BYTES (16ull << 20) /* smaller inputs are not worth a word */
#define KR_CLI_PROGRESS_MS 200

/* ---- counts ---- */

static int kr_cli_hit_compare(const kr_cli_hit *hit, kr_str name, const char *form) {
  size_t len = hit->name_len < name.len ? hit->name_len : name.len;
  int order = len == 0 ? 0 : memcmp(hit->name, name.ptr, len);
  if (order == 0 && hit->name_len != name.len)
    order = hit->name_len < name.len ? -1 : 1;
  return order == 0 ? strcmp(hit->form, form) : order;
}

/* Where (name, form) is or belongs. */
static size_t kr_cli_hit_place(const kr_cli_counts *counts, kr_str name, const char *form) {
  size_t from = 0;
  size_t to = counts->n_hits;
  while (from < to) {
    size_t middle = from + (to - from) / 2;
    if (kr_cli_hit_compare(&counts->hits[middle], name, form) < 0)
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

static kr_status kr_cli_hit_insert(kr_cli_counts *counts, size_t at, kr_str name,
                                   const char *form) {
  if (counts->n_hits == counts->cap_hits) {
    size_t cap = counts->cap_hits == 0 ? 16 : counts->cap_hits * 2;
    kr_cli_hit *grown = realloc(counts->hits, cap * sizeof *grown);
    if (grown == NULL)
      return KR_NOMEM;
    counts->hits = grown;
    counts->cap_hits = cap;
  }
  char *copy = malloc(name.len + 1);
  if (copy == NULL)
    return KR_NOMEM;
  if (name.len > 0)
    memcpy(copy, name.ptr, name.len);
  memmove(&counts->hits[at + 1], &counts->hits[at], (counts->n_hits - at) * sizeof *counts->hits);
  counts->hits[at] = (kr_cli_hit){.name = copy, .name_len = name.len, .form = form};
  counts->n_hits++;
  return KR_OK;
}

static kr_status kr_cli_take_hit(void *ctx, kr_str name, const char *form, uint64_t count) {
  kr_cli_counts *counts = ctx;
  size_t at = kr_cli_hit_place(counts, name, form);
  if (at == counts->n_hits || kr_cli_hit_compare(&counts->hits[at], name, form) != 0) {
    kr_status status = kr_cli_hit_insert(counts, at, name, form);
    if (status != KR_OK)
      return status;
  }
  counts->hits[at].count += count;
  return KR_OK;
}

kr_status kr_cli_counts_add(kr_cli_counts *counts, const kr_filter *filter) {
  counts->n_markers += kr_filter_count(filter);
  counts->n_late += kr_filter_n_late(filter);
  counts->n_short = kr_filter_n_short(filter);
  return kr_filter_hits(filter, kr_cli_take_hit, counts);
}

void kr_cli_counts_done(kr_cli_counts *counts) {
  for (size_t i = 0; i < counts->n_hits; i++)
    free(counts->hits[i].name);
  free(counts->hits);
  *counts = (kr_cli_counts){0};
}

static void kr_cli_counts_json(const kr_cli_counts *counts) {
  (void)fprintf(stderr, "{\"redacted\":%llu,\"late_partial\":%llu,\"too_short\":%zu,\"hits\":[",
                counts->n_markers, counts->n_late, counts->n_short);
  for (size_t i = 0; i < counts->n_hits; i++) {
    const kr_cli_hit *hit = &counts->hits[i];
    (void)fputs(i == 0 ? "{\"name\":" : ",{\"name\":", stderr);
    kr_cli_put_json(stderr, (kr_str){.ptr = (const uint8_t *)hit->name, .len = hit->name_len});
    (void)fputs(",\"form\":", stderr);
    kr_cli_put_json(stderr, kr_cli_str(hit->form));
    (void)fprintf(stderr, ",\"count\":%llu}", hit->count);
  }
  (void)fputs("]}\n", stderr);
}

kr_status kr_cli_counts_show(const kr_cli *cli, const kr_cli_counts *counts, kr_error *error) {
  if (cli->is_json) {
    kr_cli_counts_json(counts);
    return KR_OK;
  }
  kr_cli_table table = {.n_columns = 3};
  (void)fprintf(stderr, "%llu redacted\n", counts->n_markers);
  for (size_t i = 0; i < counts->n_hits; i++) {
    const kr_cli_hit *hit = &counts->hits[i];
    char number[32];
    (void)snprintf(number, sizeof number, "%llu", hit->count);
    kr_cli_table_add(&table, (kr_str){.ptr = (const uint8_t *)hit->name, .len = hit->name_len});
    kr_cli_table_add(&table, kr_cli_str(hit->form));
    kr_cli_table_add(&table, kr_cli_str(number));
  }
  kr_status status = kr_cli_table_print(stderr, &table, "  ", error);
  kr_cli_table_done(&table);
  return status;
}

/* ---- progress ---- */

static long long kr_cli_now_ms(void) {
  struct timespec now = {0};
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void kr_cli_progress_begin(kr_cli_progress *progress, const kr_cli *cli, bool is_in_place) {
  if (cli->is_json || isatty(STDERR_FILENO) == 0)
    return;
  if (!is_in_place && isatty(STDOUT_FILENO) != 0)
    return;
  struct stat info;
  for (size_t i = 0; i < cli->n_arguments; i++)
    if (stat(cli->arguments[i], &info) == 0 && S_ISREG(info.st_mode))
      progress->n_total += (unsigned long long)info.st_size;
  if (cli->n_arguments == 0 && fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode))
    progress->n_total = (unsigned long long)info.st_size;
  progress->is_on = progress->n_total >= KR_CLI_PROGRESS_BYTES;
}

void kr_cli_progress_add(kr_cli_progress *progress, size_t n_read) {
  progress->n_read += n_read;
  if (!progress->is_on)
    return;
  long long now_ms = kr_cli_now_ms();
  if (progress->is_shown && now_ms - progress->shown_ms < KR_CLI_PROGRESS_MS)
    return;
  progress->is_shown = true;
  progress->shown_ms = now_ms;
  /* Files may grow while they are read. */
  unsigned long long n_read_mib = progress->n_read >> 20;
  unsigned long long n_total_mib = progress->n_total >> 20;
  unsigned long long percent =
      progress->n_read >= progress->n_total
          ? 100
          : (unsigned long long)((double)progress->n_read * 100.0 / (double)progress->n_total);
  (void)fprintf(stderr, "\r%3llu %%  %llu of %llu MiB\x1b[K", percent, n_read_mib, n_total_mib);
  (void)fflush(stderr);
}

void kr_cli_progress_end(kr_cli_progress *progress) {
  if (progress->is_shown)
    (void)fputs("\r\x1b[K", stderr);
  progress->is_on = false;
  progress->is_shown = false;
}
