/* SPDX-License-Identifier: Apache-2.0 */
/* runner.c - reads case files. */
#include "lang/runner.h"

#include "base/assert.h"
#include "base/encode.h"

#include <stdio.h>
#include <stdlib.h>

#define KR_CASES_BYTES (16u * 1024u * 1024u)
#define KR_CASES_MAX 4096u

static kr_str kr_cases_file(kr_cases *cases, const char *path) {
  FILE *file = fopen(path, "rb");
  KR_ASSERT(file != NULL);
  KR_ASSERT(fseek(file, 0, SEEK_END) == 0);
  size_t len = (size_t)ftell(file);
  rewind(file);
  uint8_t *text = kr_arena_alloc(&cases->arena, len + 1);
  KR_ASSERT(text != NULL && fread(text, 1, len, file) == len);
  (void)fclose(file);
  return kr_str_from(text, len);
}

static kr_str kr_cases_unescape(kr_cases *cases, kr_str text) {
  uint8_t *out = kr_arena_alloc(&cases->arena, text.len + 1);
  KR_ASSERT(out != NULL);
  size_t len = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] != '\\') {
      out[len++] = text.ptr[i];
      continue;
    }
    KR_ASSERT(++i < text.len);
    static const char from[] = "nrt0\\";
    static const char to[] = "\n\r\t\0\\";
    const char *found = strchr(from, text.ptr[i]);
    if (text.ptr[i] == 'x') {
      KR_ASSERT(i + 2 < text.len);
      out[len++] = (uint8_t)(kr_hex_digit(text.ptr[i + 1]) * 16 + kr_hex_digit(text.ptr[i + 2]));
      i += 2;
    } else {
      KR_ASSERT(found != NULL);
      out[len++] = (uint8_t)to[found - from];
    }
  }
  return kr_str_from(out, len);
}

static void kr_cases_line(kr_cases *cases, const char *path, kr_str line) {
  if (kr_str_starts(line, KR_STR("=== "))) {
    KR_ASSERT(cases->count < KR_CASES_MAX);
    kr_case *test = &cases->items[cases->count++];
    *test = (kr_case){0};
    const char *base = strrchr(path, '/');
    (void)snprintf(test->name, sizeof(test->name), "%s: %.*s", base == NULL ? path : base + 1,
                   KR_FMT(kr_str_skip(line, 4)));
    return;
  }
  if (line.len == 0 || line.ptr[0] == '#')
    return;
  KR_ASSERT(cases->count > 0);
  kr_case *test = &cases->items[cases->count - 1];
  size_t colon = kr_str_find(line, KR_STR(":"), 0);
  if (colon == SIZE_MAX || test->n_lines == KR_CASE_LINES) {
    (void)fprintf(stderr, "%s: bad line: %.*s\n", test->name, KR_FMT(line));
    abort();
  }
  kr_str key = kr_str_slice(line, 0, colon);
  kr_str text = kr_str_skip(line, colon + 1);
  if (text.len > 0 && text.ptr[0] == ' ')
    text = kr_str_skip(text, 1);
  if (kr_str_ends(key, KR_STR("+"))) {
    key = kr_str_slice(key, 0, key.len - 1);
    text = kr_cases_unescape(cases, text);
  }
  test->lines[test->n_lines++] = (kr_case_line){.key = key, .text = text};
}

void kr_cases_read(kr_cases *cases, const char *path) {
  if (cases->items == NULL) {
    cases->arena = KR_ARENA_INIT(KR_CASES_BYTES, NULL);
    cases->items = calloc(KR_CASES_MAX, sizeof(kr_case));
    KR_ASSERT(cases->items != NULL);
  }
  kr_str text = kr_cases_file(cases, path);
  for (size_t at = 0; at < text.len;) {
    size_t end = kr_str_find(text, KR_STR("\n"), at);
    kr_cases_line(cases, path, kr_str_slice(text, at, end));
    at = end == SIZE_MAX ? text.len : end + 1;
  }
}

void kr_cases_done(kr_cases *cases) {
  free(cases->items);
  kr_arena_done(&cases->arena);
}

kr_str kr_case_get(const kr_case *test, const char *key, const char *fallback) {
  for (size_t i = 0; i < test->n_lines; i++)
    if (kr_str_equal(test->lines[i].key, kr_str_cstr(key)))
      return test->lines[i].text;
  return kr_str_cstr(fallback);
}
