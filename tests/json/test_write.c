/* SPDX-License-Identifier: Apache-2.0 */
/* test_write.c - commas, indentation, escapes, and the status that sticks. */
#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEST_LIMIT 65536u

static void assert_text(const kr_buf *buf, const char *expected) {
  kr_str text = kr_str_cstr(expected);
  if (!kr_str_equal(kr_buf_str(buf), text))
    fail_msg("written: %.*s", KR_FMT(kr_buf_str(buf)));
}

static void put_sample(kr_json_writer *writer) {
  kr_json_begin_object(writer);
  kr_json_key(writer, KR_STR("name"));
  kr_json_put_string(writer, KR_STR("a\"b"));
  kr_json_key(writer, KR_STR("empty\n"));
  kr_json_begin_array(writer);
  kr_json_end_array(writer);
  kr_json_key(writer, KR_STR("none"));
  kr_json_begin_object(writer);
  kr_json_end_object(writer);
  kr_json_key(writer, KR_STR("list"));
  kr_json_begin_array(writer);
  kr_json_put_int(writer, INT64_MIN);
  kr_json_put_int(writer, INT64_MAX);
  kr_json_put_bool(writer, true);
  kr_json_put_bool(writer, false);
  kr_json_put_null(writer);
  kr_json_put_raw(writer, KR_STR("1.50"));
  kr_json_begin_object(writer);
  kr_json_key(writer, KR_STR(""));
  kr_json_put_cstr(writer, "c");
  kr_json_end_object(writer);
  kr_json_end_array(writer);
  kr_json_key(writer, KR_STR("last"));
  kr_json_put_string(writer, (kr_str){0});
  kr_json_end_object(writer);
}

static const char compact[] =
    "{\"name\":\"a\\\"b\",\"empty\\n\":[],\"none\":{},\"list\":[-9223372036854775808,"
    "9223372036854775807,true,false,null,1.50,{\"\":\"c\"}],\"last\":\"\"}";

static const char indented[] = "{\n"
                               "  \"name\": \"a\\\"b\",\n"
                               "  \"empty\\n\": [],\n"
                               "  \"none\": {},\n"
                               "  \"list\": [\n"
                               "    -9223372036854775808,\n"
                               "    9223372036854775807,\n"
                               "    true,\n"
                               "    false,\n"
                               "    null,\n"
                               "    1.50,\n"
                               "    {\n"
                               "      \"\": \"c\"\n"
                               "    }\n"
                               "  ],\n"
                               "  \"last\": \"\"\n"
                               "}";

static void test_compact(void **state) {
  (void)state;
  kr_buf out = KR_BUF_INIT(TEST_LIMIT, NULL);
  kr_json_writer writer = kr_json_writer_init(&out, 0);
  put_sample(&writer);
  assert_int_equal(kr_json_finish(&writer), KR_OK);
  assert_text(&out, compact);
  kr_buf_done(&out);
}

static void test_indented(void **state) {
  (void)state;
  kr_buf out = KR_BUF_INIT(TEST_LIMIT, NULL);
  kr_json_writer writer = kr_json_writer_init(&out, 2);
  put_sample(&writer);
  assert_int_equal(kr_json_finish(&writer), KR_OK);
  assert_text(&out, indented);
  kr_buf_done(&out);
}

static void test_tree_inside_a_document(void **state) {
  (void)state;
  kr_arena arena = KR_ARENA_INIT(TEST_LIMIT, NULL);
  kr_buf out = KR_BUF_INIT(TEST_LIMIT, NULL);
  const kr_json *json = NULL;
  assert_int_equal(kr_json_parse(kr_str_cstr(indented), NULL, &arena, &json, NULL), KR_OK);
  kr_json_writer writer = kr_json_writer_init(&out, 0);
  kr_json_begin_array(&writer);
  kr_json_put_int(&writer, 1);
  kr_json_put(&writer, json);
  kr_json_put(&writer, kr_json_get(json, KR_STR("none")));
  kr_json_put(&writer, kr_json_get(json, KR_STR("last")));
  kr_json_end_array(&writer);
  assert_int_equal(kr_json_finish(&writer), KR_OK);
  kr_buf expected = KR_BUF_INIT(TEST_LIMIT, NULL);
  assert_int_equal(kr_buf_printf(&expected, "[1,%s,{},\"\"]%c", compact, 0), KR_OK);
  assert_text(&out, (const char *)expected.ptr);
  kr_buf_done(&expected);
  kr_buf_done(&out);
  kr_arena_done(&arena);
}

static void test_tree_made_by_hand(void **state) {
  (void)state;
  kr_json items[2] = {kr_json_string(KR_STR("x")), {.type = KR_JSON_TRUE}};
  kr_json_member member = {.key = kr_json_string(KR_STR("k")),
                           .value = {.type = KR_JSON_ARRAY, .count = 2, .items = items}};
  kr_json object = {.type = KR_JSON_OBJECT, .count = 1, .members = &member};
  kr_buf out = KR_BUF_INIT(TEST_LIMIT, NULL);
  assert_int_equal(kr_json_write(&object, &out), KR_OK);
  assert_text(&out, "{\"k\":[\"x\",true]}");
  kr_buf_done(&out);
}

/* Each byte below 0x80 alone, first, last, and inside a word of eight. */
static void test_escape_of_every_byte(void **state) {
  (void)state;
  for (int byte = 0; byte < 0x80; byte++) {
    char expected[64];
    static const char shorts[] = "btn\0fr"; /* 8, 9, 10, (11), 12, 13 */
    if (byte == '"' || byte == '\\')
      (void)snprintf(expected, sizeof expected, "\\%c", byte);
    else if (byte >= 8 && byte <= 13 && byte != 11)
      (void)snprintf(expected, sizeof expected, "\\%c", shorts[byte - 8]);
    else if (byte < 0x20)
      (void)snprintf(expected, sizeof expected, "\\u%04x", (unsigned)byte);
    else
      (void)snprintf(expected, sizeof expected, "%c", byte);
    for (size_t before = 0; before < 18; before++) {
      uint8_t text[40];
      memset(text, 'x', sizeof text);
      text[before] = (uint8_t)byte;
      kr_buf out = KR_BUF_INIT(TEST_LIMIT, NULL);
      assert_int_equal(kr_json_escape(kr_str_from(text, before + 1 + (before % 3) * 9), &out),
                       KR_OK);
      kr_buf whole = KR_BUF_INIT(TEST_LIMIT, NULL);
      assert_int_equal(kr_buf_append(&whole, kr_str_from("xxxxxxxxxxxxxxxxxx", before)), KR_OK);
      assert_int_equal(kr_buf_append(&whole, kr_str_cstr(expected)), KR_OK);
      assert_int_equal(kr_buf_append(&whole, kr_str_from("xxxxxxxxxxxxxxxxxx", (before % 3) * 9)),
                       KR_OK);
      assert_true(kr_str_equal(kr_buf_str(&out), kr_buf_str(&whole)));
      kr_buf_done(&out);
      kr_buf_done(&whole);
    }
  }
}

static void test_not_ascii_is_kept(void **state) {
  (void)state;
  kr_buf out = KR_BUF_INIT(TEST_LIMIT, NULL);
  kr_str text = KR_STR("\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\x7f");
  assert_int_equal(kr_json_escape(text, &out), KR_OK);
  assert_true(kr_str_equal(kr_buf_str(&out), text));
  kr_buf_done(&out);
}

/* However small the buffer: the limit is reported, once and for all. */
static void test_every_buffer_limit(void **state) {
  (void)state;
  for (unsigned indent = 0; indent <= 2; indent += 2) {
    size_t needed = indent == 0 ? sizeof compact - 1 : sizeof indented - 1;
    for (size_t limit = 0; limit <= needed; limit++) {
      kr_buf out = KR_BUF_INIT(limit, NULL);
      kr_json_writer writer = kr_json_writer_init(&out, indent);
      put_sample(&writer);
      assert_int_equal(kr_json_finish(&writer), limit == needed ? KR_OK : KR_LIMIT);
      assert_true(out.len <= limit);
      assert_memory_equal(out.len == 0 ? "" : (const char *)out.ptr,
                          indent == 0 ? compact : indented, out.len);
      size_t len = out.len;
      if (limit < needed) {
        out.limit = TEST_LIMIT;
        kr_json_begin_array(&writer);
        kr_json_put_int(&writer, 1);
        kr_json_end_array(&writer);
        assert_int_equal(kr_json_finish(&writer), KR_LIMIT);
        assert_int_equal(out.len, len);
      }
      kr_buf_done(&out);
    }
  }
}

static void test_depth_limit(void **state) {
  (void)state;
  for (unsigned depth = KR_JSON_WRITER_DEPTH - 1; depth <= KR_JSON_WRITER_DEPTH + 1; depth++) {
    kr_buf out = KR_BUF_INIT(TEST_LIMIT, NULL);
    kr_json_writer writer = kr_json_writer_init(&out, 0);
    for (unsigned i = 0; i < depth; i++)
      kr_json_begin_array(&writer);
    for (unsigned i = 0; i < depth; i++)
      kr_json_end_array(&writer);
    bool is_over = depth > KR_JSON_WRITER_DEPTH;
    assert_int_equal(kr_json_finish(&writer), is_over ? KR_LIMIT : KR_OK);
    kr_buf_done(&out);
  }
}

static void test_top_level_scalars(void **state) {
  (void)state;
  kr_buf out = KR_BUF_INIT(TEST_LIMIT, NULL);
  kr_json_writer writer = kr_json_writer_init(&out, 4);
  kr_json_put_string(&writer, KR_STR("x"));
  assert_int_equal(kr_json_finish(&writer), KR_OK);
  assert_text(&out, "\"x\"");
  kr_buf_done(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_compact),
      cmocka_unit_test(test_indented),
      cmocka_unit_test(test_tree_inside_a_document),
      cmocka_unit_test(test_tree_made_by_hand),
      cmocka_unit_test(test_escape_of_every_byte),
      cmocka_unit_test(test_not_ascii_is_kept),
      cmocka_unit_test(test_every_buffer_limit),
      cmocka_unit_test(test_depth_limit),
      cmocka_unit_test(test_top_level_scalars),
  };
  return cmocka_run_group_tests_name("json write", tests, NULL, NULL);
}
