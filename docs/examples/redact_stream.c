/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact_stream.c - standard input to standard output without the values of a
 * file: read into a buffer of one's own, take output in a callback, count.
 *
 *   cc redact_stream.c -o redact_stream $(pkg-config --cflags --libs krosyn)
 *   some-program | ./redact_stream values.json      (["value", {"name": "N", "value": "V"}])
 */
#include <krosyn/krosyn.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void need(kr_status status, const kr_error *error) {
  if (status == KR_OK)
    return;
  fprintf(stderr, "%s (%s)\n", error->message, kr_status_name(status));
  exit(EXIT_FAILURE);
}

/** Takes what is decided. Whatever it returns but KR_OK ends the stream. */
static kr_status write_out(void *ctx, kr_str bytes) {
  (void)ctx;
  while (bytes.len > 0) {
    ssize_t n = write(STDOUT_FILENO, bytes.ptr, bytes.len);
    if (n < 0)
      return KR_IO;
    bytes.ptr += n;
    bytes.len -= (size_t)n;
  }
  return KR_OK;
}

static kr_status print_hit(void *ctx, kr_str name, const char *form, uint64_t count) {
  (void)ctx;
  fprintf(stderr, "%.*s %s %llu\n", (int)name.len, (const char *)name.ptr, form,
          (unsigned long long)count);
  return KR_OK;
}

static kr_redactor_set *read_values(const char *path) {
  static uint8_t list[1 << 16];
  kr_error error = {0};
  kr_redactor_builder *builder = NULL;
  kr_redactor_set *set = NULL;
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(EXIT_FAILURE);
  }
  kr_str values = {list, fread(list, 1, sizeof list, file)};
  fclose(file);
  need(kr_redactor_builder_new(&builder, &error), &error);
  need(kr_redactor_builder_add_list(builder, values, &error), &error);
  need(kr_redactor_builder_build(builder, &set, &error), &error);
  kr_redactor_builder_free(builder);
  memset(list, 0, sizeof list);
  return set;
}

int main(int argc, char **argv) {
  uint8_t buffer[4096];
  kr_error error = {0};
  kr_redactor *redactor = NULL;
  kr_filter *filter = NULL;
  const kr_filter_options options = {.use_marker_names = true};
  if (argc != 2) {
    fprintf(stderr, "usage: redact_stream VALUES\n");
    return 2;
  }
  kr_redactor_set *set = read_values(argv[1]);
  need(kr_redactor_new(set, &redactor, &error), &error);
  need(kr_filter_new_on(redactor, &options, write_out, NULL, &filter, &error), &error);
  kr_redactor_free(redactor); /* the filter has its own references */
  kr_redactor_set_free(set);
  for (ssize_t n; (n = read(STDIN_FILENO, buffer, sizeof buffer)) > 0;)
    need(kr_filter_feed(filter, (kr_str){buffer, (size_t)n}, &error), &error);
  need(kr_filter_finish(filter, &error), &error); /* only now is a beginning no beginning */
  need(kr_filter_hits(filter, print_hit, NULL), &error);
  kr_filter_free(filter);
  return 0;
}
