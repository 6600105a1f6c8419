/* SPDX-License-Identifier: Apache-2.0 */
/* compare.c - the comparison with jansson. */
#include "compare.h"

#include <stdlib.h>

#define ARENA_BYTES ((size_t)64 << 20)

static bool compare_number(const kr_json *ours, const json_t *theirs) {
  int64_t integer = 0;
  double real = 0;
  if (json_is_integer(theirs))
    return kr_json_to_int(ours, &integer) && integer == json_integer_value(theirs);
  if (!json_is_real(theirs) || kr_json_to_int(ours, &integer) || !kr_json_to_double(ours, &real))
    return false;
  double expected = json_real_value(theirs);
  return memcmp(&real, &expected, sizeof real) == 0;
}

static bool compare_items(const kr_json *ours, const json_t *theirs) {
  if (!json_is_array(theirs) || json_array_size(theirs) != ours->count)
    return false;
  for (uint32_t i = 0; i < ours->count; i++)
    if (!compare_is_same(kr_json_at(ours, i), json_array_get(theirs, i)))
      return false;
  return true;
}

static bool compare_members(const kr_json *ours, const json_t *theirs) {
  if (!json_is_object(theirs) || json_object_size(theirs) != ours->count)
    return false;
  for (uint32_t i = 0; i < ours->count; i++) {
    kr_str key = kr_json_text(&ours->members[i].key);
    const json_t *value = json_object_getn(theirs, (const char *)key.ptr, key.len);
    if (value == NULL || !compare_is_same(kr_json_get(ours, key), value))
      return false;
  }
  return true;
}

/* Recursion is bounded by KR_JSON_MAX_DEPTH. */
bool compare_is_same(const kr_json *ours, const json_t *theirs) {
  switch ((kr_json_type)ours->type) {
  case KR_JSON_NULL:
    return json_is_null(theirs);
  case KR_JSON_FALSE:
    return json_is_false(theirs);
  case KR_JSON_TRUE:
    return json_is_true(theirs);
  case KR_JSON_NUMBER:
    return compare_number(ours, theirs);
  case KR_JSON_STRING:
    return json_is_string(theirs) &&
           kr_str_equal(kr_json_text(ours),
                        kr_str_from(json_string_value(theirs), json_string_length(theirs)));
  case KR_JSON_ARRAY:
    return compare_items(ours, theirs);
  default:
    return compare_members(ours, theirs);
  }
}

static bool compare_is_known(const json_error_t *error) {
  enum json_error_code code = json_error_code(error);
  return code == json_error_numeric_overflow || code == json_error_null_byte_in_key;
}

static const char *compare_verdict(kr_str text, kr_status status, const kr_json *ours,
                                   const json_t *theirs, const json_error_t *their_error) {
  bool has_nul = text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL;
  if (status == KR_INVALID && theirs != NULL && !has_nul)
    return "refused, accepted by jansson";
  if (status == KR_OK && theirs == NULL && !compare_is_known(their_error))
    return "accepted, refused by jansson";
  if (status == KR_OK && theirs != NULL && !compare_is_same(ours, theirs))
    return "read as another value than by jansson";
  if (status != KR_OK && status != KR_INVALID && status != KR_LIMIT)
    return "neither read nor refused";
  return NULL;
}

const char *compare_document(kr_str text, bool *ret_is_json) {
  uint8_t *copy =
      malloc(text.len == 0 ? 1 : text.len); /* exact, so that a read behind it is seen */
  if (copy == NULL)
    return "out of memory";
  if (text.len > 0)
    memcpy(copy, text.ptr, text.len);
  kr_arena arena = KR_ARENA_INIT(ARENA_BYTES, NULL);
  const kr_json *ours = NULL;
  kr_error error = {0};
  kr_status status = kr_json_parse(kr_str_from(copy, text.len), NULL, &arena, &ours, &error);
  json_error_t their_error;
  json_t *theirs = json_loadb((const char *)copy, text.len, COMPARE_FLAGS, &their_error);
  const char *verdict = compare_verdict(text, status, ours, theirs, &their_error);
  json_decref(theirs);
  kr_arena_done(&arena);
  free(copy);
  *ret_is_json = status == KR_OK;
  return verdict;
}
