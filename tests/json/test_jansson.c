/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_jansson.c - random documents, valid, damaged and written by us, through
 * krosyn and jansson (compare.h says what must agree).
 */
#include "compare.h"
#include "generate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define N_DOCUMENTS 6000

/* Returns whether krosyn accepts the document. */
static bool compare(kr_str text, uint64_t seed) {
  bool is_json = false;
  const char *difference = compare_document(text, &is_json);
  if (difference != NULL)
    fail_msg("seed %llu: %s:\n%.*s", (unsigned long long)seed, difference, KR_FMT(text));
  return is_json;
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
    json_t *theirs = json_loadb((const char *)out.ptr, out.len, COMPARE_FLAGS, NULL);
    json_t *original = json_loadb((const char *)gen.out.ptr, gen.out.len, COMPARE_FLAGS, NULL);
    assert_int_equal(theirs == NULL, original == NULL);
    assert_true(theirs == NULL || compare_is_same(json, theirs));
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
