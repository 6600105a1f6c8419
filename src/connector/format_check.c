/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format_check.c - checks of keys, types and names in a connector definition,
 * each ending in one error that names the place and how to mend it. Messages
 * show keys and types, never texts: someone may have pasted a secret there.
 */
#include "connector/format_check.h"

#include <stdio.h>

#define KR_FORMAT_GUESS_DISTANCE 2u /* edits between a wrong key and the one suggested */

/* Where the bytes of a key or value stand in the source, when they are still there. */
static void kr_format_span(const kr_format *format, const kr_json *json, size_t *ret_offset,
                           size_t *ret_len) {
  *ret_offset = 0;
  *ret_len = 0;
  kr_str bytes = json == NULL ? (kr_str){0} : kr_json_text(json);
  if (bytes.ptr == NULL || bytes.len == 0)
    return;
  uintptr_t start = (uintptr_t)format->text.ptr;
  uintptr_t at = (uintptr_t)bytes.ptr;
  if (at < start || at - start > format->text.len || bytes.len > format->text.len - (at - start))
    return;
  *ret_offset = at - start;
  *ret_len = bytes.len;
}

kr_status kr_format_at(const kr_format *format, kr_status status, const char *parent, kr_str key,
                       const kr_json *json) {
  char path[KR_ERROR_SOURCE_BYTES];
  const char *dot = parent[0] == '\0' || key.len == 0 ? "" : ".";
  (void)snprintf(path, sizeof path, "%s%s%.*s", parent, dot, KR_FMT(key));
  size_t offset = 0;
  size_t len = 0;
  kr_format_span(format, json, &offset, &len);
  kr_error_at(format->reterr, path, offset, len);
  return status;
}

/* The nearest known key; NULL when none is near. */
static const char *kr_format_guess(kr_str key, kr_format_keys keys) {
  const char *best = NULL;
  size_t best_distance = KR_FORMAT_GUESS_DISTANCE + 1;
  for (size_t i = 0; i < keys.n_names; i++) {
    kr_str name = kr_str_cstr(keys.names[i]);
    size_t distance = kr_str_distance(key, name, KR_FORMAT_GUESS_DISTANCE);
    if (distance >= best_distance || distance >= name.len)
      continue;
    best = keys.names[i];
    best_distance = distance;
  }
  return best;
}

static void kr_format_list(kr_format_keys keys, char *out, size_t size) {
  size_t used = 0;
  for (size_t i = 0; i < keys.n_names && used < size; i++) {
    int n = snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ", ", keys.names[i]);
    used += n < 0 ? size : (size_t)n;
  }
}

static kr_status kr_format_unknown(const kr_format *format, const kr_json *key, const char *path,
                                   kr_format_keys keys) {
  kr_str name = kr_json_text(key);
  kr_status status = kr_fail(format->reterr, KR_INVALID, "unknown key \"%.*s\" in %s", KR_FMT(name),
                             path[0] == '\0' ? "the connector" : path);
  const char *guess = kr_format_guess(name, keys);
  char known[KR_ERROR_HINT_BYTES] = "";
  kr_format_list(keys, known, sizeof known);
  if (guess != NULL)
    kr_error_hint(format->reterr, "did you mean \"%s\"?", guess);
  else
    kr_error_hint(format->reterr, "known here: %s", known);
  return kr_format_at(format, status, path, name, key);
}

kr_status kr_format_object(const kr_format *format, const kr_json *json, const char *path,
                           kr_format_keys keys) {
  const char *what = path[0] == '\0' ? "the connector" : path;
  if (json->type != KR_JSON_OBJECT)
    return kr_format_at(format,
                        kr_fail(format->reterr, KR_INVALID, "%s must be an object, not %s", what,
                                kr_json_type_name(json)),
                        path, (kr_str){0}, json);
  for (uint32_t i = 0; i < json->count; i++) {
    const kr_json *key = &json->members[i].key;
    bool is_known = false;
    for (size_t k = 0; k < keys.n_names && !is_known; k++)
      is_known = kr_str_equal(kr_json_text(key), kr_str_cstr(keys.names[k]));
    if (!is_known)
      return kr_format_unknown(format, key, path, keys);
  }
  return KR_OK;
}

kr_status kr_format_text(const kr_format *format, const kr_json *object, const char *parent,
                         const char *key, bool is_required, kr_str *ret_text) {
  const char *dot = parent[0] == '\0' ? "" : ".";
  const kr_json *json = kr_json_get(object, kr_str_cstr(key));
  if (json == NULL && !is_required)
    return KR_OK;
  if (json == NULL) {
    kr_status status =
        kr_fail(format->reterr, KR_INVALID, "the connector has no %s%s%s", parent, dot, key);
    kr_error_hint(format->reterr, "add \"%s\"", key);
    return kr_format_at(format, status, parent, kr_str_cstr(key), NULL);
  }
  if (json->type != KR_JSON_STRING) {
    kr_status status = kr_fail(format->reterr, KR_INVALID, "%s%s%s must be a string, not %s",
                               parent, dot, key, kr_json_type_name(json));
    kr_error_hint(format->reterr, "write it in quotes");
    return kr_format_at(format, status, parent, kr_str_cstr(key), json);
  }
  if (json->count == 0 && is_required) {
    kr_status status =
        kr_fail(format->reterr, KR_INVALID, "%s%s%s must not be empty", parent, dot, key);
    return kr_format_at(format, status, parent, kr_str_cstr(key), json);
  }
  *ret_text = kr_json_text(json);
  return KR_OK;
}

/* tchar of RFC 9110, section 5.6.2. */
static bool kr_format_is_token(kr_str name) {
  for (size_t i = 0; i < name.len; i++) {
    uint8_t c = name.ptr[i];
    bool is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!is_alnum && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL))
      return false;
  }
  return name.len > 0;
}

static bool kr_format_is_identifier(kr_str name) {
  for (size_t i = 0; i < name.len; i++) {
    uint8_t c = name.ptr[i];
    bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    if (!is_letter && (i == 0 || c < '0' || c > '9'))
      return false;
  }
  return name.len > 0;
}

/* Headers that belong to the connection or are made from the request itself;
 * a template there could split or mislabel the message. */
static bool kr_format_is_own_header(kr_str name) {
  static const char *const own[] = {
      "Host", "Content-Length", "Transfer-Encoding", "Connection",       "Upgrade",
      "TE",   "Trailer",        "Keep-Alive",        "Proxy-Connection", "Expect"};
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
    if (kr_str_equal_nocase(name, kr_str_cstr(own[i])))
      return true;
  return false;
}

/* NULL when the name may stand in this table, else what is wrong with it. */
static const char *kr_format_name_fault(kr_str name, kr_format_table table, const char **ret_hint) {
  *ret_hint = "give it a name";
  if (name.len == 0)
    return "an empty name";
  *ret_hint = "names are at most 128 bytes";
  if (name.len > KR_CONNECTOR_NAME_BYTES)
    return "a name that is too long";
  *ret_hint = "letters, digits and any of !#$%&'*+-.^_`|~";
  if (table == KR_FORMAT_HEADERS && !kr_format_is_token(name))
    return "a name that is not a header name";
  *ret_hint = "remove it: it is set from the request itself";
  if (table == KR_FORMAT_HEADERS && kr_format_is_own_header(name))
    return "a header that connectors may not set";
  *ret_hint = "letters, digits and _, not starting with a digit, so that $processed.NAME can be "
              "written";
  if (table == KR_FORMAT_FIELDS && !kr_format_is_identifier(name))
    return "a name that is not a field name";
  return NULL;
}

static size_t kr_format_table_max(kr_format_table table) {
  static const size_t max[] = {[KR_FORMAT_HEADERS] = KR_CONNECTOR_HEADERS_MAX,
                               [KR_FORMAT_QUERY] = KR_CONNECTOR_QUERY_MAX,
                               [KR_FORMAT_FIELDS] = KR_CONNECTOR_FIELDS_MAX};
  return max[table];
}

/* Check member i of the table at `path`, given the members before it. */
static kr_status kr_format_pair(const kr_format *format, const kr_json *json, uint32_t i,
                                const char *path, kr_format_table table) {
  const kr_json *key = &json->members[i].key;
  const kr_json *value = &json->members[i].value;
  kr_str name = kr_json_text(key);
  const char *hint = "";
  const char *fault = kr_format_name_fault(name, table, &hint);
  if (fault != NULL) {
    kr_status status = kr_fail(format->reterr, KR_INVALID, "%s has %s", path, fault);
    kr_error_hint(format->reterr, "%s", hint);
    return kr_format_at(format, status, path, name, key);
  }
  for (uint32_t k = 0; table == KR_FORMAT_HEADERS && k < i; k++) {
    if (!kr_str_equal_nocase(name, kr_json_text(&json->members[k].key)))
      continue;
    kr_status status =
        kr_fail(format->reterr, KR_INVALID, "%s has \"%.*s\" twice", path, KR_FMT(name));
    kr_error_hint(format->reterr, "header names are the same in upper and lower case: keep one");
    return kr_format_at(format, status, path, name, key);
  }
  if (value->type != KR_JSON_STRING) {
    kr_status status = kr_fail(format->reterr, KR_INVALID, "%s.%.*s must be a string, not %s", path,
                               KR_FMT(name), kr_json_type_name(value));
    kr_error_hint(format->reterr, "write it in quotes");
    return kr_format_at(format, status, path, name, value);
  }
  return KR_OK;
}

kr_status kr_format_pairs(const kr_format *format, const kr_json *object, const char *parent,
                          const char *key, kr_format_table table, const kr_connector_pair **ret,
                          size_t *ret_n) {
  const kr_json *json = kr_json_get(object, kr_str_cstr(key));
  if (json == NULL)
    return KR_OK;
  char path[KR_ERROR_SOURCE_BYTES];
  (void)snprintf(path, sizeof path, "%s.%s", parent, key);
  size_t max = kr_format_table_max(table);
  if (json->type != KR_JSON_OBJECT)
    return kr_format_at(format,
                        kr_fail(format->reterr, KR_INVALID, "%s must be an object, not %s", path,
                                kr_json_type_name(json)),
                        parent, kr_str_cstr(key), json);
  if (json->count > max)
    return kr_format_at(
        format, kr_fail(format->reterr, KR_INVALID, "%s has more than %zu entries", path, max),
        parent, kr_str_cstr(key), &json->members[max].key);
  kr_connector_pair *pairs = kr_arena_calloc(format->arena, json->count, sizeof *pairs);
  if (pairs == NULL && json->count > 0)
    return kr_arena_why(format->arena) == KR_LIMIT
               ? kr_fail(format->reterr, KR_LIMIT, "the connector is too large for its memory")
               : kr_fail_nomem(format->reterr);
  for (uint32_t i = 0; i < json->count; i++) {
    KR_TRY(kr_format_pair(format, json, i, path, table));
    pairs[i] = (kr_connector_pair){.name = kr_json_text(&json->members[i].key),
                                   .text = kr_json_text(&json->members[i].value)};
  }
  *ret = pairs;
  *ret_n = json->count;
  return KR_OK;
}
