/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiver_expect.c - the i-th request against the i-th line of the list:
 *
 *   {"name": "perform", "method": "POST", "path": "/services/T0/B0", "headers": {"X-API-Key": "…"},
 *    "body": "{\"text\":\"…\"}"}
 *
 * name, method and path are required; headers lists those to compare; without
 * body there must be none. The report says which part differs, in words from
 * the list, and never shows what was received.
 */
#include "support/receiver.h"
#include "json/json.h"

#include <stdlib.h>

static kr_str expected_text(const kr_json *item, const char *key) {
  const kr_json *json = kr_json_get(item, kr_str_cstr(key));
  return json == NULL ? (kr_str){0} : kr_json_text(json);
}

static bool is_expectation(const kr_json *item) {
  static const char *const known[] = {"name", "method", "path", "headers", "body"};
  static const char *const required[] = {"name", "method", "path"};
  if (item->type != KR_JSON_OBJECT)
    return false;
  for (uint32_t i = 0; i < item->count; i++) {
    bool is_known = false;
    for (size_t k = 0; k < sizeof known / sizeof known[0] && !is_known; k++)
      is_known = kr_str_equal(kr_json_text(&item->members[i].key), kr_str_cstr(known[k]));
    if (!is_known)
      return false;
  }
  for (size_t i = 0; i < sizeof required / sizeof required[0]; i++)
    if (expected_text(item, required[i]).len == 0)
      return false;
  const kr_json *body = kr_json_get(item, KR_STR("body"));
  const kr_json *headers = kr_json_get(item, KR_STR("headers"));
  if (headers != NULL && headers->type != KR_JSON_OBJECT)
    return false;
  for (uint32_t i = 0; headers != NULL && i < headers->count; i++)
    if (headers->members[i].value.type != KR_JSON_STRING)
      return false;
  return body == NULL || body->type == KR_JSON_STRING;
}

static kr_status read_file(const char *path, kr_buf *out, kr_error *reterr) {
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return kr_fail(reterr, KR_IO, "cannot read the file of --expect");
  kr_status status = KR_OK;
  uint8_t chunk[4096];
  size_t n_read = 0;
  while (status == KR_OK && (n_read = fread(chunk, 1, sizeof chunk, file)) > 0)
    status = kr_buf_append(out, kr_str_from(chunk, n_read));
  kr_wipe(chunk, sizeof chunk);
  (void)fclose(file);
  return kr_buf_explain(out, status, "the file of --expect", reterr);
}

kr_status receiver_expect_load(receiver_expectations *expectations, const char *path,
                               kr_error *reterr) {
  KR_TRY(read_file(path, &expectations->text, reterr));
  expectations->is_checking = true;
  kr_str text = kr_buf_str(&expectations->text);
  for (size_t at = 0, number = 1; at < text.len; number++) {
    size_t end = kr_str_find(text, KR_STR("\n"), at);
    kr_str line = kr_str_trim(kr_str_slice(text, at, end));
    at = end == SIZE_MAX ? text.len : end + 1;
    if (line.len == 0)
      continue;
    if (expectations->n_items == RECEIVER_EXPECTATIONS_MAX)
      return kr_fail(reterr, KR_LIMIT, "--expect: more than %u lines", RECEIVER_EXPECTATIONS_MAX);
    const kr_json *item = NULL;
    if (kr_json_parse(line, NULL, &expectations->arena, &item, NULL) != KR_OK ||
        !is_expectation(item))
      return kr_fail(reterr, KR_INVALID,
                     "--expect: line %zu is not an object of name, method, path, headers, body",
                     number);
    expectations->items[expectations->n_items++] = item;
  }
  return KR_OK;
}

static const char *known_method(kr_str method) {
  static const char *const known[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (kr_str_equal(method, kr_str_cstr(known[i])))
      return known[i];
  return "another method";
}

/* Append the names of the parts that differ, with commas between them. */
static void compare(const kr_json *item, const receiver_request *request, kr_buf *out) {
  bool is_same = kr_str_equal(expected_text(item, "method"), request->method);
  kr_status status = is_same ? KR_OK : kr_buf_append(out, KR_STR(", method"));
  if (status == KR_OK && !kr_str_equal(expected_text(item, "path"), request->target))
    status = kr_buf_append(out, KR_STR(", path"));
  const kr_json *headers = kr_json_get(item, KR_STR("headers"));
  for (uint32_t i = 0; status == KR_OK && headers != NULL && i < headers->count; i++) {
    kr_str name = kr_json_text(&headers->members[i].key);
    const kr_str *value = receiver_find(request, name);
    if (value != NULL && kr_str_equal(*value, kr_json_text(&headers->members[i].value)))
      continue;
    status = kr_buf_printf(out, ", header %.*s%s", KR_FMT(name), value == NULL ? " (absent)" : "");
  }
  if (status == KR_OK && !kr_str_equal(expected_text(item, "body"), request->body))
    status =
        kr_buf_append(out, request->body.len == 0 ? KR_STR(", body (absent)") : KR_STR(", body"));
  if (status != KR_OK)
    abort(); /* the list's own names do not fit: the test is wrong */
}

void receiver_expect_check(receiver_expectations *expectations, const receiver_request *request) {
  size_t number = ++expectations->n_received;
  FILE *report = expectations->report;
  if (!expectations->is_checking) {
    (void)fprintf(report, "request %zu: %s\n", number, known_method(request->method));
    (void)fflush(report);
    return;
  }
  if (number > expectations->n_items) {
    (void)fprintf(report, "request %zu: not expected (%s)\n", number,
                  known_method(request->method));
    (void)fflush(report);
    expectations->is_failed = true;
    return;
  }
  const kr_json *item = expectations->items[number - 1];
  KR_CLEANUP(kr_buf_done) kr_buf differences = KR_BUF_INIT(64u * 1024u, NULL);
  compare(item, request, &differences);
  kr_str list = kr_str_skip(kr_buf_str(&differences), 2);
  bool is_exact = list.len == 0;
  (void)fprintf(report, "request %zu: %s %.*s: %s%.*s\n", number, known_method(request->method),
                KR_FMT(expected_text(item, "name")), is_exact ? "exact" : "differs in ",
                KR_FMT(list));
  (void)fflush(report);
  expectations->is_failed = expectations->is_failed || !is_exact;
}

void receiver_expect_finish(receiver_expectations *expectations) {
  if (!expectations->is_checking)
    return;
  for (size_t i = expectations->n_received; i < expectations->n_items; i++) {
    (void)fprintf(expectations->report, "never received: %.*s\n",
                  KR_FMT(expected_text(expectations->items[i], "name")));
    expectations->is_failed = true;
  }
  (void)fflush(expectations->report);
}

void receiver_expect_done(receiver_expectations *expectations) {
  kr_arena_done(&expectations->arena);
  kr_buf_done(&expectations->text);
}
