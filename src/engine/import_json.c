/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_json.c - the JSON form of an import:
 *
 *   {"NAME": "value", "NAME": {"value": "...", "description": "..."},
 *    "NAME": {"value_b64": "..."}}
 *
 * Strict JSON. What is not a string is refused: whether 1e3 or 1000 was meant is
 * not ours to guess. Errors name lines; a key that is wrong is not quoted, since
 * it may be part of a value.
 */
#include "base/encode.h"
#include "engine/import.h"
#include "json/json.h"

typedef struct kr_import_json {
  kr_import *import;
  kr_str text;
  size_t at; /* where `line` was counted to */
  size_t line;
} kr_import_json;

/* The line of a key that borrows from the text, in its order; else the last line known. */
static size_t kr_import_json_line(kr_import_json *reader, const kr_json *key) {
  uintptr_t start = (uintptr_t)reader->text.ptr;
  uintptr_t place = (uintptr_t)key->text;
  if (place < start || place > start + reader->text.len)
    return reader->line;
  for (; reader->at < place - start; reader->at++)
    reader->line += reader->text.ptr[reader->at] == '\n';
  return reader->line;
}

static kr_status kr_import_json_bad(const kr_import_json *reader, const char *what) {
  kr_error *reterr = reader->import->reterr;
  (void)kr_fail(reterr, KR_INVALID, "line %zu: %s", reader->line, what);
  kr_error_hint(reterr, "{\"NAME\": \"value\"}, or {\"NAME\": {\"value\": \"...\", "
                        "\"description\": \"...\"}}; \"value_b64\" for bytes");
  return KR_INVALID;
}

static kr_status kr_import_json_type(const kr_import_json *reader, const kr_json *value) {
  kr_error *reterr = reader->import->reterr;
  (void)kr_fail(reterr, KR_INVALID, "line %zu: a value is no string (%s)", reader->line,
                kr_json_type_name(value));
  kr_error_hint(reterr, "put it in double quotes, exactly as it is to be sent");
  return KR_INVALID;
}

static kr_status kr_import_json_decode(const kr_import_json *reader, const kr_json *encoded,
                                       kr_str *ret_value) {
  kr_import *import = reader->import;
  KR_CLEANUP(kr_buf_done) kr_buf bytes = KR_BUF_INIT(KR_ENV_BYTES, import->arena.memory);
  kr_status status = kr_base64_decode(kr_json_text(encoded), KR_BASE64_STANDARD, &bytes);
  if (status == KR_INVALID)
    return kr_import_json_bad(reader, "a value_b64 is not base64");
  if (status == KR_OK)
    status = kr_arena_copy(&import->arena, kr_buf_str(&bytes), ret_value);
  return kr_buf_explain(&bytes, status, "a decoded value", import->reterr);
}

static kr_status kr_import_json_object(const kr_import_json *reader, const kr_json *object,
                                       kr_import_item *item) {
  const kr_json *value = kr_json_get(object, KR_STR("value"));
  const kr_json *encoded = kr_json_get(object, KR_STR("value_b64"));
  const kr_json *description = kr_json_get(object, KR_STR("description"));
  uint32_t n_known = description == NULL ? 1 : 2; /* of value and value_b64 there is one */
  if ((value == NULL) == (encoded == NULL))
    return kr_import_json_bad(reader, "exactly one of \"value\" and \"value_b64\" is needed");
  if (n_known != object->count)
    return kr_import_json_bad(reader, "there is a member that is not known");
  const kr_json *given = value == NULL ? encoded : value;
  if (given->type != KR_JSON_STRING)
    return kr_import_json_type(reader, given);
  if (description != NULL && description->type != KR_JSON_STRING)
    return kr_import_json_bad(reader, "a description is no string");
  /* An empty description takes the old one away; its pointer must not be NULL. */
  if (description != NULL)
    item->description = description->count == 0 ? KR_STR("") : kr_json_text(description);
  item->value = kr_json_text(given);
  return encoded == NULL ? KR_OK : kr_import_json_decode(reader, encoded, &item->value);
}

static kr_status kr_import_json_member(kr_import_json *reader, const kr_json_member *member) {
  kr_import_item item = {.name = kr_json_text(&member->key)};
  item.line = kr_import_json_line(reader, &member->key);
  if (member->value.type == KR_JSON_OBJECT)
    KR_TRY(kr_import_json_object(reader, &member->value, &item));
  else if (member->value.type == KR_JSON_STRING)
    item.value = kr_json_text(&member->value);
  else
    return kr_import_json_type(reader, &member->value);
  return kr_import_add(reader->import, &item);
}

static kr_status kr_import_json_parse(kr_import *import, kr_str bytes, const kr_json **ret_json) {
  const kr_json_limits limits = {.max_bytes = KR_ENV_BYTES, .depth = KR_IMPORT_JSON_DEPTH};
  kr_error cause = {0};
  kr_status status = kr_json_parse(bytes, &limits, &import->arena, ret_json, &cause);
  if (status == KR_OK)
    return KR_OK;
  if (status == KR_NOMEM)
    return kr_fail_nomem(import->reterr);
  size_t line = 0;
  size_t column = 0;
  kr_line_column(bytes, cause.span_offset, &line, &column);
  (void)kr_fail(import->reterr, status, "line %zu: %s", line, cause.message);
  kr_error_hint(import->reterr, "%s", cause.hint);
  return status;
}

kr_status kr_import_read_json(kr_import *import, kr_str bytes) {
  const kr_json *json = NULL;
  kr_import_json reader = {.import = import, .text = bytes, .line = 1};
  KR_TRY(kr_import_json_parse(import, bytes, &json));
  if (json->type != KR_JSON_OBJECT)
    return kr_import_json_bad(&reader, "the document is not an object");
  for (uint32_t i = 0; i < json->count; i++)
    KR_TRY(kr_import_json_member(&reader, &json->members[i]));
  return KR_OK;
}
