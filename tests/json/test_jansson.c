/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_jansson.c - the same documents through jansson: both must agree on
 * whether a document is JSON, and on every value in it. Known differences:
 * jansson refuses numbers beyond its C types and NUL in keys, which JSON
 * allows, and takes a NUL byte behind the document for its end.
 */
#include "generate.h"
#include "json/json.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define N_DOCUMENTS 6000
#define JANSSON_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

static bool is_same(const kr_json *ours, const json_t *theirs);

static bool is_same_number(const kr_json *ours, const json_t *theirs) {
  int64_t integer = 0;
  double real = 0;
  if (json_is_integer(theirs))
    return kr_json_to_int(ours, &integer) && integer == json_integer_value(theirs);
  if (!json_is_real(theirs) || kr_json_to_int(ours, &integer) || !kr_json_to_double(ours, &real))
    return false;
  double expected = json_real_value(theirs);
  return memcmp(&real, &expected, sizeof real) == 0;
}

static bool is_same_items(const kr_json *ours, const json_t *theirs) {
  if (!json_is_array(theirs) || json_array_size(theirs) != ours->count)
    return false;
  for (uint32_t i = 0; i < ours->count; i++)
    if (!is_same(kr_json_at(ours, i), json_array_get(theirs, i)))
      return false;
  return true;
}

static bool is_same_members(const kr_json *ours, const json_t *theirs) {
  if (!json_is_object(theirs) || json_object_size(theirs) != ours->count)
    return false;
  for (uint32_t i = 0; i < ours->count; i++) {
    kr_str key = kr_json_text(&ours->members[i].key);
    const json_t *value = json_object_getn(theirs, (const char *)key.ptr, key.len);
    if (value == NULL || !is_same(kr_json_get(ours, key), value))
      return false;
  }
  return true;
}

static bool is_same(const kr_json *ours, const json_t *theirs) {
  switch ((kr_json_type)ours->type) {
  case KR_JSON_NULL:
    return json_is_null(theirs);
  case KR_JSON_FALSE:
    return json_is_false(theirs);
  case KR_JSON_TRUE:
    return json_is_true(theirs);
  case KR_JSON_NUMBER:
    return is_same_number(ours, theirs);
  case KR_JSON_STRING:
    return json_is_string(theirs) &&
           kr_str_equal(kr_json_text(ours),
                        kr_str_from(json_string_value(theirs), json_string_length(theirs)));
  case KR_JSON_ARRAY:
    return is_same_items(ours, theirs);
  default:
    return is_same_members(ours, theirs);
  }
}

static bool is_known_difference(const json_error_t *error) {
  enum json_error_code code = json_error_code(error);
  return code == json_error_numeric_overflow || code == json_error_null_byte_in_key;
}

/* Returns whether krosyn accepts the document. */
static bool compare(kr_str text, uint64_t seed) {
  uint8_t *copy = malloc(text.len == 0 ? 1 : text.len);
  assert_non_null(copy);
  if (text.len > 0)
    memcpy(copy, text.ptr, text.len);
  kr_arena arena = KR_ARENA_INIT((size_t)64 << 20, NULL);
  const kr_json *ours = NULL;
  kr_error error = {0};
  kr_status status = kr_json_parse(kr_str_from(copy, text.len), NULL, &arena, &ours, &error);
  json_error_t their_error;
  json_t *theirs = json_loadb((const char *)copy, text.len, JANSSON_FLAGS, &their_error);
  if (status != KR_OK && theirs != NULL && memchr(copy, '\0', text.len) == NULL)
    fail_msg("seed %llu: refused at byte %zu (%s), accepted by jansson:\n%.*s",
             (unsigned long long)seed, error.span_offset, error.message, KR_FMT(text));
  if (status == KR_OK && theirs == NULL && !is_known_difference(&their_error))
    fail_msg("seed %llu: accepted, refused by jansson (%s):\n%.*s", (unsigned long long)seed,
             their_error.text, KR_FMT(text));
  if (status == KR_OK && theirs != NULL && !is_same(ours, theirs))
    fail_msg("seed %llu: read as another value:\n%.*s", (unsigned long long)seed, KR_FMT(text));
  json_decref(theirs);
  kr_arena_done(&arena);
  free(copy);
  return status == KR_OK;
}

static void test_valid_documents(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= N_DOCUMENTS; seed++) {
    generator gen = {.state = seed * UINT64_C(0x9E3779B97F4A7C15),
                     .out = KR_BUF_INIT((size_t)8 << 20, NULL)};
    generate_document(&gen);
    assert_true(compare(kr_buf_str(&gen.out), seed));
    kr_buf_done(&gen.out);
  }
}

static void test_damaged_documents(void **state) {
  (void)state;
  size_t n_valid = 0;
  size_t n_made = 0;
  for (uint64_t seed = 1; seed <= N_DOCUMENTS; seed++) {
    generator gen = {.state = seed * UINT64_C(0xD1342543DE82EF95),
                     .out = KR_BUF_INIT((size_t)8 << 20, NULL)};
    generate_document(&gen);
    for (int i = 0; i < 4; i++) {
      generate_damage(&gen);
      n_valid += compare(kr_buf_str(&gen.out), seed) ? 1 : 0;
      n_made++;
    }
    kr_buf_done(&gen.out);
  }
  /* Both sides are exercised. */
  assert_true(n_valid > n_made / 20);
  assert_true(n_valid < n_made - n_made / 20);
}

/* What krosyn writes, jansson reads as the same values. */
static void test_written_documents(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= N_DOCUMENTS / 4; seed++) {
    generator gen = {.state = seed * UINT64_C(0xA0761D6478BD642F),
                     .out = KR_BUF_INIT((size_t)8 << 20, NULL)};
    generate_document(&gen);
    kr_arena arena = KR_ARENA_INIT((size_t)64 << 20, NULL);
    kr_buf out = KR_BUF_INIT((size_t)8 << 20, NULL);
    const kr_json *json = NULL;
    assert_int_equal(kr_json_parse(kr_buf_str(&gen.out), NULL, &arena, &json, NULL), KR_OK);
    kr_json_writer writer = kr_json_writer_init(&out, (unsigned)(seed % 3));
    kr_json_put(&writer, json);
    assert_int_equal(kr_json_finish(&writer), KR_OK);
    json_t *theirs = json_loadb((const char *)out.ptr, out.len, JANSSON_FLAGS, NULL);
    json_t *original = json_loadb((const char *)gen.out.ptr, gen.out.len, JANSSON_FLAGS, NULL);
    assert_int_equal(theirs == NULL, original == NULL);
    assert_true(theirs == NULL || is_same(json, theirs));
    assert_true(theirs == NULL || json_equal(theirs, original));
    json_decref(theirs);
    json_decref(original);
    kr_buf_done(&out);
    kr_buf_done(&gen.out);
    kr_arena_done(&arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_valid_documents),
      cmocka_unit_test(test_damaged_documents),
      cmocka_unit_test(test_written_documents),
  };
  return cmocka_run_group_tests_name("json against jansson", tests, NULL, NULL);
}
