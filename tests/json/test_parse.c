/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_parse.c - what a table of documents does not show: limits, memory,
 * duplicate keys in large and hostile objects, and properties over generated
 * documents.
 */
#include "generate.h"
#include "support/failalloc.h"
#include "json/json.h"
#include "json/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEST_ARENA_BYTES ((size_t)256 << 20)
#define TEST_TEXT_BYTES ((size_t)32 << 20)

typedef struct fixture {
  kr_arena arena;
  kr_buf text;
  kr_buf out;
  const kr_json *json;
  kr_error error;
} fixture;

static int set_up(void **state) {
  fixture *fix = calloc(1, sizeof *fix);
  if (fix == NULL)
    return -1;
  fix->arena = KR_ARENA_INIT(TEST_ARENA_BYTES, NULL);
  fix->text = KR_BUF_INIT(TEST_TEXT_BYTES, NULL);
  fix->out = KR_BUF_INIT(TEST_TEXT_BYTES, NULL);
  *state = fix;
  return 0;
}

static int tear_down(void **state) {
  fixture *fix = *state;
  kr_arena_done(&fix->arena);
  kr_buf_done(&fix->text);
  kr_buf_done(&fix->out);
  free(fix);
  return 0;
}

static void add(fixture *fix, const char *text, size_t n_times) {
  for (size_t i = 0; i < n_times; i++)
    assert_int_equal(kr_buf_append(&fix->text, kr_str_cstr(text)), KR_OK);
}

static kr_status parse(fixture *fix, const kr_json_limits *limits) {
  fix->json = NULL;
  memset(&fix->error, 0, sizeof fix->error);
  kr_arena_reset(&fix->arena);
  return kr_json_parse(kr_buf_str(&fix->text), limits, &fix->arena, &fix->json, &fix->error);
}

static void nest(fixture *fix, size_t depth) {
  kr_buf_reset(&fix->text);
  add(fix, "[", depth);
  add(fix, "]", depth);
}

static void test_depth_is_inclusive(void **state) {
  fixture *fix = *state;
  nest(fix, KR_JSON_MAX_DEPTH);
  assert_int_equal(parse(fix, NULL), KR_OK);
  nest(fix, KR_JSON_MAX_DEPTH + 1);
  assert_int_equal(parse(fix, NULL), KR_LIMIT);
  assert_int_equal(fix->error.span_offset, KR_JSON_MAX_DEPTH);
  assert_non_null(strstr(fix->error.message, "nested deeper"));
  kr_json_limits limits = {.depth = 2};
  nest(fix, 2);
  assert_int_equal(parse(fix, &limits), KR_OK);
  nest(fix, 3);
  assert_int_equal(parse(fix, &limits), KR_LIMIT);
}

static void test_depth_counts_what_is_open(void **state) {
  fixture *fix = *state;
  kr_json_limits limits = {.depth = 3};
  add(fix, "[[[]],[{}],{\"a\":[],\"b\":{}},[[]]]", 1);
  assert_int_equal(parse(fix, &limits), KR_OK);
}

static void test_great_depth_needs_no_stack(void **state) {
  fixture *fix = *state;
  size_t depth = 500000;
  kr_json_limits limits = {.depth = (uint32_t)depth};
  nest(fix, depth);
  assert_int_equal(parse(fix, &limits), KR_OK);
  const kr_json *inner = fix->json;
  size_t n_levels = 0;
  for (; inner != NULL; inner = kr_json_at(inner, 0))
    n_levels++;
  assert_int_equal(n_levels, depth);
  assert_int_equal(kr_json_write(fix->json, &fix->out), KR_LIMIT);
}

static void test_nodes_are_inclusive(void **state) {
  fixture *fix = *state;
  add(fix, "{\"a\":[1,2],\"b\":null}", 1); /* 1 + 2 keys + 2 values + 2 items */
  kr_json_limits limits = {.nodes = 7};
  assert_int_equal(parse(fix, &limits), KR_OK);
  limits.nodes = 6;
  assert_int_equal(parse(fix, &limits), KR_LIMIT);
  assert_int_equal(fix->error.span_offset, 15);
  assert_non_null(strstr(fix->error.message, "values and keys"));
}

static void test_default_nodes(void **state) {
  fixture *fix = *state;
  add(fix, "[0", 1);
  add(fix, ",0", KR_JSON_MAX_NODES - 2);
  add(fix, "]", 1);
  assert_int_equal(parse(fix, NULL), KR_OK);
  assert_int_equal(fix->json->count, KR_JSON_MAX_NODES - 1);
  fix->text.len--;
  add(fix, ",0]", 1);
  assert_int_equal(parse(fix, NULL), KR_LIMIT);
}

static void test_bytes_are_inclusive(void **state) {
  fixture *fix = *state;
  add(fix, "[12345678]", 1);
  kr_json_limits limits = {.max_bytes = 10};
  assert_int_equal(parse(fix, &limits), KR_OK);
  limits.max_bytes = 9;
  assert_int_equal(parse(fix, &limits), KR_LIMIT);
  assert_int_equal(fix->error.span_offset, 9);
  assert_int_equal(fix->error.span_len, 1);
  kr_buf_reset(&fix->text);
  add(fix, "1", 1);
  add(fix, " ", KR_JSON_MAX_BYTES - 1);
  assert_int_equal(parse(fix, NULL), KR_OK);
  add(fix, " ", 1);
  assert_int_equal(parse(fix, NULL), KR_LIMIT);
}

static void test_arena_limit_is_named(void **state) {
  fixture *fix = *state;
  add(fix, "[\"\\n\",[1,2,3,4,5,6,7,8],{\"a\":1}]", 1);
  kr_status status = KR_LIMIT;
  size_t n_refused = 0;
  for (; status == KR_LIMIT; n_refused++) {
    kr_arena small = KR_ARENA_INIT(n_refused * 16, NULL);
    kr_error error = {0};
    const kr_json *json = NULL;
    status = kr_json_parse(kr_buf_str(&fix->text), NULL, &small, &json, &error);
    kr_arena_done(&small);
    assert_int_equal(error.status, status);
    assert_int_equal(json == NULL, status != KR_OK);
    assert_true(status == KR_OK || strstr(error.message, "memory") != NULL);
  }
  assert_int_equal(status, KR_OK);
  assert_true(n_refused > 13); /* the tree alone is 14 nodes of 16 bytes */
}

static void test_strings_without_escapes_are_borrowed(void **state) {
  fixture *fix = *state;
  add(fix, "[\"plain\",\"esc\\naped\"]", 1);
  assert_int_equal(parse(fix, NULL), KR_OK);
  const uint8_t *start = fix->text.ptr;
  assert_ptr_equal(kr_json_at(fix->json, 0)->text, start + 2);
  const uint8_t *decoded = kr_json_at(fix->json, 1)->text;
  assert_true(decoded < start || decoded >= start + fix->text.len);
}

static void test_number_digits_are_kept(void **state) {
  fixture *fix = *state;
  add(fix, "[1.10, -0.0e+00, 100000000000000000000000000000000001]", 1);
  assert_int_equal(parse(fix, NULL), KR_OK);
  assert_true(kr_str_equal(kr_json_text(kr_json_at(fix->json, 0)), KR_STR("1.10")));
  assert_true(kr_str_equal(kr_json_text(kr_json_at(fix->json, 1)), KR_STR("-0.0e+00")));
  assert_true(kr_str_equal(kr_json_text(kr_json_at(fix->json, 2)),
                           KR_STR("100000000000000000000000000000000001")));
}

/* A duplicate at any place of an object of any size is found, and located. */
static void test_duplicate_in_objects_of_many_sizes(void **state) {
  fixture *fix = *state;
  static const unsigned counts[] = {2, 3, 31, 32, 33, 34, 63, 64, 65, 100, 1000, 20000};
  for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
    unsigned count = counts[c];
    for (unsigned step = 0; step < 4; step++) {
      unsigned same = step == 3 ? count : step * (count - 2) / 2; /* 3: all differ */
      size_t place = 0;
      kr_buf_reset(&fix->text);
      for (unsigned i = 0; i + 1 < count; i++)
        assert_int_equal(kr_buf_printf(&fix->text, "%s\"k%s%u\":%u", i == 0 ? "{" : ",",
                                       i % 3 ? "" : "\\t", i, i),
                         KR_OK);
      place = fix->text.len + 1;
      assert_int_equal(kr_buf_printf(&fix->text, ",\"k%s%u\":0}", same % 3 ? "" : "\\u0009", same),
                       KR_OK);
      kr_status status = parse(fix, NULL);
      if (step == 3) {
        assert_int_equal(status, KR_OK);
        assert_int_equal(fix->json->count, count);
        continue;
      }
      assert_int_equal(status, KR_INVALID);
      assert_int_equal(fix->error.span_offset, place);
      assert_int_equal(fix->text.ptr[fix->error.span_offset], '"');
      assert_int_equal(fix->text.ptr[fix->error.span_offset + fix->error.span_len - 1], '"');
      assert_int_equal(fix->text.ptr[fix->error.span_offset + fix->error.span_len], ':');
      assert_true(fix->error.hint[0] != '\0');
    }
  }
}

static void test_largest_object(void **state) {
  fixture *fix = *state;
  unsigned count = 300000;
  for (unsigned i = 0; i < count; i++)
    assert_int_equal(kr_buf_printf(&fix->text, "%s\"%x\":0", i == 0 ? "{" : ",", i), KR_OK);
  add(fix, "}", 1);
  assert_int_equal(parse(fix, NULL), KR_OK);
  assert_int_equal(fix->json->count, count);
  assert_non_null(kr_json_get(fix->json, KR_STR("493df"))); /* the last one */
  assert_null(kr_json_get(fix->json, KR_STR("493e0")));
}

#define N_COLLIDING 64u
#define TABLE_MASK 127u /* of the table for that many members */

/* Keys that all want the same slot: the table gives up, sorting answers. */
static void test_colliding_keys_are_sorted(void **state) {
  (void)state;
  static char texts[N_COLLIDING][16];
  static kr_json_member members[N_COLLIDING];
  size_t n_found = 0;
  for (unsigned i = 0; n_found < N_COLLIDING; i++) {
    int len = snprintf(texts[n_found], sizeof texts[0], "key%u", i);
    kr_str key = kr_str_from(texts[n_found], (size_t)len);
    if ((kr_json_keys_hash(key) & TABLE_MASK) == 5)
      members[n_found++].key = kr_json_string(key);
  }
  size_t index = 0;
  assert_int_equal(kr_json_keys_hashed(members, N_COLLIDING, &index), KR_LIMIT);
  assert_int_equal(kr_json_keys_check(members, N_COLLIDING, &index), KR_OK);
  assert_int_equal(index, N_COLLIDING);
  members[60].key = members[17].key;
  members[63].key = members[3].key;
  assert_int_equal(kr_json_keys_check(members, N_COLLIDING, &index), KR_OK);
  assert_int_equal(index, 60);
}

static void test_three_ways_agree(void **state) {
  (void)state;
  generator gen = {.state = 7, .out = KR_BUF_INIT(0, NULL)};
  static kr_json_member members[200];
  static const uint8_t letters[] = "abababbaabbbaaabab\0\0abcabc";
  for (int round = 0; round < 3000; round++) {
    size_t n_members = generate_below(&gen, round % 10 == 0 ? 200 : 12);
    for (size_t i = 0; i < n_members; i++) {
      size_t from = generate_below(&gen, 20);
      size_t len = generate_below(&gen, (uint32_t)(sizeof letters - from));
      members[i].key = kr_json_string(kr_str_from(letters + from, len));
    }
    size_t linear = kr_json_keys_linear(members, n_members);
    size_t hashed = 0;
    size_t sorted = 0;
    assert_int_equal(kr_json_keys_hashed(members, n_members, &hashed), KR_OK);
    assert_int_equal(kr_json_keys_sorted(members, n_members, &sorted), KR_OK);
    assert_int_equal(hashed, linear);
    assert_int_equal(sorted, linear);
  }
}

/* write(parse(text)) is stable, and has the same digits and bytes as the text. */
static void test_round_trip(void **state) {
  fixture *fix = *state;
  generator gen = {.state = 42, .out = KR_BUF_INIT(TEST_TEXT_BYTES, NULL)};
  for (int i = 0; i < 4000; i++) {
    kr_buf_reset(&gen.out);
    kr_buf_reset(&fix->text);
    kr_buf_reset(&fix->out);
    generate_document(&gen);
    kr_arena_reset(&fix->arena);
    const kr_json *json = NULL;
    assert_int_equal(kr_json_parse(kr_buf_str(&gen.out), NULL, &fix->arena, &json, NULL), KR_OK);
    assert_int_equal(kr_json_write(json, &fix->text), KR_OK);
    assert_int_equal(parse(fix, NULL), KR_OK);
    assert_int_equal(kr_json_write(fix->json, &fix->out), KR_OK);
    assert_true(kr_str_equal(kr_buf_str(&fix->out), kr_buf_str(&fix->text)));
    /* Indented text holds the same document. */
    kr_json_writer writer = kr_json_writer_init(&gen.out, 3);
    kr_buf_reset(&gen.out);
    kr_json_put(&writer, fix->json);
    assert_int_equal(kr_json_finish(&writer), KR_OK);
    kr_buf_reset(&fix->out);
    assert_int_equal(kr_json_parse(kr_buf_str(&gen.out), NULL, &fix->arena, &json, NULL), KR_OK);
    assert_int_equal(kr_json_write(json, &fix->out), KR_OK);
    assert_true(kr_str_equal(kr_buf_str(&fix->out), kr_buf_str(&fix->text)));
  }
  kr_buf_done(&gen.out);
}

static void test_failing_allocations(void **state) {
  fixture *fix = *state;
  add(fix, "[", 1);
  add(fix, "[\"a\\nb\",1.5],", 150); /* past the stack in the parser, twice */
  for (unsigned i = 0; i < 200; i++)
    assert_int_equal(kr_buf_printf(&fix->text, "%s\"k%u\":{\"x\":%u}", i == 0 ? "{" : ",", i, i),
                     KR_OK);
  add(fix, "}]", 1);
  size_t n = 0;
  for (;; n++) {
    kr_arena arena = KR_ARENA_INIT(TEST_ARENA_BYTES, NULL);
    const kr_json *json = NULL;
    kr_error error = {0};
    kr_test_fail_at(n);
    kr_status status = kr_json_parse(kr_buf_str(&fix->text), NULL, &arena, &json, &error);
    bool is_past = kr_test_fail_stop() == 0;
    kr_arena_done(&arena);
    if (is_past) {
      assert_int_equal(status, KR_OK);
      break;
    }
    assert_int_equal(status, KR_NOMEM);
    assert_int_equal(error.status, KR_NOMEM);
    assert_null(json);
  }
  assert_true(n >= 5); /* blocks of the arena, the stack, the key table */
}

static void test_small_documents_allocate_only_their_tree(void **state) {
  fixture *fix = *state;
  add(fix, "{\"a\":[1,2,3],\"b\":\"x\\ny\",\"c\":{\"d\":null}}", 1);
  assert_int_equal(parse(fix, NULL), KR_OK);
  size_t before = kr_test_allocations();
  assert_int_equal(parse(fix, NULL), KR_OK);
  assert_int_equal(kr_test_allocations(), before);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      ROW(test_depth_is_inclusive),
      ROW(test_depth_counts_what_is_open),
      ROW(test_great_depth_needs_no_stack),
      ROW(test_nodes_are_inclusive),
      ROW(test_default_nodes),
      ROW(test_bytes_are_inclusive),
      ROW(test_arena_limit_is_named),
      ROW(test_strings_without_escapes_are_borrowed),
      ROW(test_number_digits_are_kept),
      ROW(test_duplicate_in_objects_of_many_sizes),
      ROW(test_largest_object),
      ROW(test_colliding_keys_are_sorted),
      ROW(test_three_ways_agree),
      ROW(test_round_trip),
      ROW(test_failing_allocations),
      ROW(test_small_documents_allocate_only_their_tree),
  };
  return cmocka_run_group_tests_name("json parse", tests, NULL, NULL);
}
