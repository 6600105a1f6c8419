/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact_values.c - building sets for the public interface: value by value, and
 * from a JSON list. kr_redactor_set and kr_redactor_builder are the redactor's
 * own kr_redact_set and kr_redact_builder under their public names.
 */
#include "base/encode.h"
#include "engine/values.h"
#include "secmem/sensitive.h"
#include "json/json.h"

#include <stdio.h>

#define KR_LIST_ARENA_BYTES (256u * 1024u * 1024u)

/* NOLINTBEGIN(misc-redundant-expression): two headers, one number */
_Static_assert(KR_REDACTOR_NAME_BYTES == KR_REDACT_NAME_BYTES, "one limit");
_Static_assert(KR_REDACTOR_VALUE_BYTES == KR_REDACT_MAX_VALUE_BYTES, "one limit");
_Static_assert(KR_REDACTOR_SET_VALUES == KR_REDACT_MAX_VALUES, "one limit");
/* NOLINTEND(misc-redundant-expression) */

kr_status kr_redactor_builder_new(kr_redactor_builder **ret_builder, kr_error *reterr) {
  return kr_redact_builder_new(ret_builder, reterr);
}

void kr_redactor_builder_free(kr_redactor_builder *builder) { kr_redact_builder_free(builder); }

kr_status kr_redactor_builder_add(kr_redactor_builder *builder, const kr_redactor_value *value,
                                  kr_error *reterr) {
  const kr_redact_secret secret = {.name = value->name,
                                   .bytes = value->value,
                                   .version = value->version,
                                   .min_search = value->min_search};
  return kr_redact_builder_add_secret(builder, &secret, reterr);
}

kr_status kr_redactor_builder_build(kr_redactor_builder *builder, kr_redactor_set **ret_set,
                                    kr_error *reterr) {
  return kr_redact_builder_build(builder, ret_set, reterr);
}

kr_redactor_set *kr_redactor_set_ref(kr_redactor_set *set) { return kr_redact_set_ref(set); }

void kr_redactor_set_free(kr_redactor_set *set) { kr_redact_set_free(set); }

size_t kr_redactor_set_n_values(const kr_redactor_set *set) { return kr_redact_set_n_values(set); }

size_t kr_redactor_set_n_short(const kr_redactor_set *set) { return kr_redact_set_n_short(set); }

/* ---- from a JSON list ---- */

static kr_status kr_list_bad_item(const char *what, kr_error *reterr) {
  (void)kr_fail(reterr, KR_INVALID, "it %s", what);
  kr_error_hint(reterr, "the list holds strings, or objects {\"name\": \"N\", \"value\": \"V\"} or "
                        "{\"name\": \"N\", \"value_b64\": \"...\"}");
  return KR_INVALID;
}

/* The bytes of {"value"} or {"value_b64"}; the latter are decoded into *decoded. */
static kr_status kr_list_value(const kr_json *item, kr_buf *decoded, kr_str *ret_bytes,
                               kr_error *reterr) {
  const kr_json *value = kr_json_get(item, KR_STR("value"));
  const kr_json *encoded = kr_json_get(item, KR_STR("value_b64"));
  if ((value == NULL) == (encoded == NULL))
    return kr_list_bad_item("needs exactly one of \"value\" and \"value_b64\"", reterr);
  const kr_json *given = value == NULL ? encoded : value;
  if (given->type != KR_JSON_STRING)
    return kr_list_bad_item("has a value that is not a string", reterr);
  *ret_bytes = kr_json_text(given);
  if (encoded == NULL)
    return KR_OK;
  kr_buf_reset(decoded);
  kr_status status = kr_base64_decode(*ret_bytes, KR_BASE64_STANDARD, decoded);
  if (status == KR_INVALID)
    return kr_list_bad_item("has a value_b64 that is not base64", reterr);
  *ret_bytes = kr_buf_str(decoded);
  return kr_buf_explain(decoded, status, "a decoded value", reterr);
}

/* The number {"min_search"}, 0 when it is not there. */
static kr_status kr_list_min_search(const kr_json *item, uint32_t *ret_bytes, kr_error *reterr) {
  const kr_json *given = kr_json_get(item, KR_STR("min_search"));
  int64_t number = 0;
  if (given == NULL)
    return KR_OK;
  if (!kr_json_to_int(given, &number) || number < 1 || number > KR_REDACT_MAX_VALUE_BYTES)
    return kr_list_bad_item("has a min_search that is no number of bytes from 1 on", reterr);
  *ret_bytes = (uint32_t)number;
  return KR_OK;
}

/* One item of the list: a string, or an object with a name and a value. */
static kr_status kr_list_add_item(kr_redact_builder *builder, const kr_json *item, size_t index,
                                  kr_buf *decoded, kr_error *reterr) {
  char number[32];
  (void)snprintf(number, sizeof number, "value-%zu", index + 1);
  if (item->type == KR_JSON_STRING)
    return kr_redact_builder_add(builder, kr_str_cstr(number), 0, kr_json_text(item), reterr);
  if (item->type != KR_JSON_OBJECT)
    return kr_list_bad_item("is neither a string nor an object", reterr);
  const kr_json *name = kr_json_get(item, KR_STR("name"));
  if (name != NULL && name->type != KR_JSON_STRING)
    return kr_list_bad_item("has a name that is not a string", reterr);
  kr_redact_secret secret = {.name = name == NULL ? kr_str_cstr(number) : kr_json_text(name)};
  KR_TRY(kr_list_value(item, decoded, &secret.bytes, reterr));
  KR_TRY(kr_list_min_search(item, &secret.min_search, reterr));
  return kr_redact_builder_add_secret(builder, &secret, reterr);
}

static kr_status kr_list_add_all(kr_redact_builder *builder, const kr_json *list,
                                 kr_error *reterr) {
  KR_CLEANUP(kr_buf_done)
  kr_buf decoded = KR_BUF_INIT(KR_REDACT_MAX_VALUE_BYTES * 2u, kr_sensitive_memory());
  for (uint32_t i = 0; i < list->count; i++) {
    kr_error cause = {0};
    kr_status status = kr_list_add_item(builder, &list->items[i], i, &decoded, &cause);
    if (status == KR_OK)
      continue;
    (void)kr_fail(reterr, status, "item %u of the values: %s", i + 1, cause.message);
    kr_error_hint(reterr, "%s", cause.hint);
    return status;
  }
  return KR_OK;
}

kr_status kr_redactor_builder_add_list(kr_redactor_builder *builder, kr_str values_json,
                                       kr_error *reterr) {
  KR_CLEANUP(kr_arena_done)
  kr_arena arena = KR_ARENA_INIT(KR_LIST_ARENA_BYTES, kr_sensitive_memory());
  const kr_json_limits limits = {.max_bytes = KR_REDACTOR_LIST_BYTES};
  const kr_json *list = NULL;
  kr_error cause = {0};
  kr_status status = kr_json_parse(values_json, &limits, &arena, &list, &cause);
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  if (status == KR_LIMIT)
    return kr_fail(reterr, KR_LIMIT, "the list of values: %s", cause.message);
  if (status != KR_OK)
    return kr_fail_hint(reterr, status, "the values are not a JSON document",
                        "give an array of strings, or of {\"name\", \"value\"} objects");
  if (list->type != KR_JSON_ARRAY)
    return kr_fail_hint(reterr, KR_INVALID, "the values are not a JSON array",
                        "give an array of strings, or of {\"name\", \"value\"} objects");
  return kr_list_add_all(builder, list, reterr);
}
