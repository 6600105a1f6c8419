/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.c - a connector definition section by section: the whole, process
 * (lookup and fields), perform. The small checks are format_check.c's.
 */
#include "connector/format_check.h"

#define KR_FORMAT_ARRAY(array) ((kr_format_keys){(array), sizeof(array) / sizeof((array)[0])})

static const char *const kr_format_top[] = {"name",    "status",   "example_payload",
                                            "trigger", "process",  "perform",
                                            "missing", "allowRaw", "timeout_ms"};

/* A word of a closed list under a key; absent: *ret_index is left alone. */
static kr_status kr_format_word(const kr_format *format, const kr_json *object, const char *key,
                                kr_format_keys words, const char *hint, size_t *ret_index) {
  kr_str text = {0};
  if (kr_json_get(object, kr_str_cstr(key)) == NULL)
    return KR_OK;
  KR_TRY(kr_format_text(format, object, "", key, true, &text));
  for (size_t i = 0; i < words.n_names; i++) {
    if (!kr_str_equal(text, kr_str_cstr(words.names[i])))
      continue;
    *ret_index = i;
    return KR_OK;
  }
  kr_status status = kr_fail(format->reterr, KR_INVALID, "%s has a value that is not known", key);
  kr_error_hint(format->reterr, "%s", hint);
  return kr_format_at(format, status, "", kr_str_cstr(key), kr_json_get(object, kr_str_cstr(key)));
}

static kr_status kr_format_name(const kr_format *format, const kr_json *json,
                                kr_connector *connector) {
  KR_TRY(kr_format_text(format, json, "", "name", true, &connector->name));
  kr_str name = connector->name;
  const char *fault = NULL;
  if (name.len > KR_CONNECTOR_NAME_BYTES)
    fault = "name is longer than 128 bytes";
  for (size_t i = 0; i < name.len && fault == NULL; i++)
    if (name.ptr[i] < 0x20 || name.ptr[i] == 0x7F)
      fault = "name has a control character";
  if (fault == NULL && kr_str_trim(name).len != name.len)
    fault = "name starts or ends with a blank";
  if (fault == NULL)
    return KR_OK;
  kr_status status = kr_fail(format->reterr, KR_INVALID, "%s", fault);
  kr_error_hint(format->reterr, "a name is one line of at most 128 bytes");
  return kr_format_at(format, status, "", KR_STR("name"), kr_json_get(json, KR_STR("name")));
}

/* status, missing, allowRaw, timeout_ms: how it runs. */
static kr_status kr_format_settings(const kr_format *format, const kr_json *json,
                                    kr_connector *connector) {
  static const char *const states[] = {"active", "disabled"};
  static const char *const modes[] = {"strict", "nullish", "empty"};
  size_t state = 0;
  KR_TRY(kr_format_word(format, json, "status", KR_FORMAT_ARRAY(states),
                        "one of \"active\", \"disabled\"", &state));
  connector->is_active = state == 0;
  size_t mode = 0;
  KR_TRY(kr_format_word(format, json, "missing", KR_FORMAT_ARRAY(modes),
                        "one of \"strict\", \"nullish\", \"empty\"", &mode));
  connector->missing = (kr_connector_missing)mode;

  const kr_json *raw = kr_json_get(json, KR_STR("allowRaw"));
  if (raw != NULL && raw->type != KR_JSON_TRUE && raw->type != KR_JSON_FALSE)
    return kr_format_at(format,
                        kr_fail(format->reterr, KR_INVALID,
                                "allowRaw must be true or false, not %s", kr_json_type_name(raw)),
                        "", KR_STR("allowRaw"), raw);
  connector->allow_raw = raw != NULL && raw->type == KR_JSON_TRUE;

  const kr_json *timeout = kr_json_get(json, KR_STR("timeout_ms"));
  int64_t timeout_ms = KR_CONNECTOR_TIMEOUT_MS;
  if (timeout != NULL && (!kr_json_to_int(timeout, &timeout_ms) || timeout_ms < 1 ||
                          timeout_ms > (int64_t)KR_CONNECTOR_TIMEOUT_MAX_MS))
    return kr_format_at(format,
                        kr_fail(format->reterr, KR_INVALID,
                                "timeout_ms must be a whole number from 1 to %u",
                                KR_CONNECTOR_TIMEOUT_MAX_MS),
                        "", KR_STR("timeout_ms"), timeout);
  connector->timeout_ms = (uint32_t)timeout_ms;
  return KR_OK;
}

static kr_status kr_format_process(const kr_format *format, const kr_json *process,
                                   kr_connector *connector) {
  static const char *const keys[] = {"lookup", "fields"};
  static const char *const lookup_keys[] = {"url", "headers", "query"};
  KR_TRY(kr_format_object(format, process, "process", KR_FORMAT_ARRAY(keys)));
  KR_TRY(kr_format_pairs(format, process, "process", "fields", KR_FORMAT_FIELDS, &connector->fields,
                         &connector->n_fields));
  const kr_json *lookup = kr_json_get(process, KR_STR("lookup"));
  if (lookup == NULL)
    return KR_OK;
  const char *path = "process.lookup";
  connector->has_lookup = true;
  KR_TRY(kr_format_object(format, lookup, path, KR_FORMAT_ARRAY(lookup_keys)));
  KR_TRY(kr_format_text(format, lookup, path, "url", true, &connector->lookup_url));
  KR_TRY(kr_format_pairs(format, lookup, path, "headers", KR_FORMAT_HEADERS,
                         &connector->lookup_headers, &connector->n_lookup_headers));
  return kr_format_pairs(format, lookup, path, "query", KR_FORMAT_QUERY, &connector->lookup_query,
                         &connector->n_lookup_query);
}

static kr_status kr_format_method(const kr_format *format, const kr_json *perform,
                                  kr_connector *connector) {
  static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
  kr_str method = KR_STR("POST");
  KR_TRY(kr_format_text(format, perform, "perform", "method", false, &method));
  for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
    if (!kr_str_equal(method, kr_str_cstr(methods[i])))
      continue;
    connector->method = kr_str_cstr(methods[i]);
    return KR_OK;
  }
  kr_status status = kr_fail(format->reterr, KR_INVALID, "perform.method is not one it may be");
  kr_error_hint(format->reterr, "one of POST, PUT, PATCH, DELETE, in upper case; a GET is what "
                                "process.lookup is for");
  return kr_format_at(format, status, "perform", KR_STR("method"),
                      kr_json_get(perform, KR_STR("method")));
}

static kr_status kr_format_perform(const kr_format *format, const kr_json *perform,
                                   kr_connector *connector) {
  static const char *const keys[] = {"url", "method", "headers", "body"};
  KR_TRY(kr_format_object(format, perform, "perform", KR_FORMAT_ARRAY(keys)));
  KR_TRY(kr_format_text(format, perform, "perform", "url", true, &connector->url));
  KR_TRY(kr_format_method(format, perform, connector));
  KR_TRY(kr_format_pairs(format, perform, "perform", "headers", KR_FORMAT_HEADERS,
                         &connector->headers, &connector->n_headers));
  connector->body = kr_json_get(perform, KR_STR("body"));
  if (connector->body == NULL || connector->body->type == KR_JSON_OBJECT ||
      connector->body->type == KR_JSON_ARRAY || connector->body->type == KR_JSON_STRING)
    return KR_OK;
  kr_status status = kr_fail(format->reterr, KR_INVALID,
                             "perform.body must be an object, an array or a string, "
                             "not %s",
                             kr_json_type_name(connector->body));
  kr_error_hint(format->reterr, "leave \"body\" out to send none");
  return kr_format_at(format, status, "perform", KR_STR("body"), connector->body);
}

/* Keys the format has a place for but this version does not act on: taking them
 * and doing nothing would be a promise not kept. */
static kr_status kr_format_later(const kr_format *format, const kr_json *json) {
  static const char *const later[] = {"retry", "environment"};
  for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
    kr_str key = kr_str_cstr(later[i]);
    const kr_json *value = kr_json_get(json, key);
    if (value == NULL)
      continue;
    kr_status status = kr_fail(format->reterr, KR_UNSUPPORTED,
                               "\"%s\" is not supported by this version", later[i]);
    kr_error_hint(format->reterr, "remove \"%s\": this version would not act on it", later[i]);
    return kr_format_at(format, status, "", key, value);
  }
  return KR_OK;
}

static kr_status kr_format_connector(const kr_format *format, const kr_json *json,
                                     kr_connector *connector) {
  if (json->type == KR_JSON_OBJECT)
    KR_TRY(kr_format_later(format, json));
  KR_TRY(kr_format_object(format, json, "", KR_FORMAT_ARRAY(kr_format_top)));
  KR_TRY(kr_format_name(format, json, connector));
  KR_TRY(kr_format_settings(format, json, connector));
  connector->example_payload = kr_json_get(json, KR_STR("example_payload"));
  KR_TRY(kr_format_text(format, json, "", "trigger", false, &connector->trigger));
  const kr_json *process = kr_json_get(json, KR_STR("process"));
  if (process != NULL)
    KR_TRY(kr_format_process(format, process, connector));
  const kr_json *perform = kr_json_get(json, KR_STR("perform"));
  if (perform != NULL)
    return kr_format_perform(format, perform, connector);
  kr_status status = kr_fail(format->reterr, KR_INVALID, "the connector has no perform");
  kr_error_hint(format->reterr, "add \"perform\": {\"url\": …}: the request it makes");
  return kr_format_at(format, status, "", KR_STR("perform"), NULL);
}

kr_status kr_connector_parse(kr_str text, kr_arena *arena, const kr_connector **ret_connector,
                             kr_error *reterr) {
  if (text.len > KR_CONNECTOR_MAX_BYTES) {
    (void)kr_fail(reterr, KR_LIMIT, "the connector is larger than %u bytes",
                  KR_CONNECTOR_MAX_BYTES);
    kr_error_hint(reterr, "shorten its example_payload or its body");
    return KR_LIMIT;
  }
  const kr_json_limits limits = {.max_bytes = KR_CONNECTOR_MAX_BYTES};
  const kr_json *json = NULL;
  KR_TRY(kr_json_parse(text, &limits, arena, &json, reterr));
  kr_connector *connector = kr_arena_calloc(arena, 1, sizeof *connector);
  if (connector == NULL)
    return kr_arena_why(arena) == KR_LIMIT
               ? kr_fail(reterr, KR_LIMIT, "the connector is too large for its memory")
               : kr_fail_nomem(reterr);
  const kr_format format = {.text = text, .arena = arena, .reterr = reterr};
  KR_TRY(kr_format_connector(&format, json, connector));
  *ret_connector = connector;
  return KR_OK;
}
