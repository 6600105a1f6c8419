/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_record.c - records: whatever goes in, the text parses as JSON, no decoded
 * leaf or key outside the exempt ones holds a value, and what cannot be checked
 * is withheld.
 */
#include "redact/record.h"

#include "base/utf8.h"
#include "redact/naive.h"
#include "support/failalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define M "[REDACTED]"
#define SECRET "s3cr et/va\"lue"

typedef struct fixture {
  kr_redact_set *set;
  kr_record *record;
  kr_redacted *redacted;
  kr_arena arena;
  const kr_json *json;
} fixture;

static const char *const values[] = {SECRET,
                                     "4111222233",
                                     "x\",\"y",
                                     "completed",
                                     "foo[REDACTED]bar",
                                     "abc",
                                     "true",
                                     ("\xF0\x9F\x98\x80"
                                      "key"),
                                     "\x98\x80zz1"};

static fixture begin(void) {
  kr_naive_value list[sizeof(values) / sizeof(values[0])];
  fixture f = {.arena = KR_ARENA_INIT(64u << 20, NULL)};
  for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
    list[i] = (kr_naive_value){(const uint8_t *)values[i], strlen(values[i])};
  f.set = kr_naive_set(list, sizeof(values) / sizeof(values[0]));
  assert_int_equal(kr_record_new(f.set, &f.record, NULL), KR_OK);
  kr_record_begin_object(f.record);
  kr_record_key(f.record, "status");
  kr_record_typed(f.record, "completed"); /* a value equal to a schema word breaks nothing */
  kr_record_key(f.record, "data");
  return f;
}

/* Close the record, parse it; returns the data field. */
static const kr_json *finish(fixture *f) {
  kr_record_key(f->record, "receipt");
  kr_record_receipt(f->record, 7);
  kr_record_end_object(f->record);
  assert_int_equal(kr_record_finish(f->record, &f->redacted, NULL), KR_OK);
  assert_int_equal(kr_json_parse(kr_redacted_text(f->redacted), NULL, &f->arena, &f->json, NULL),
                   KR_OK);
  assert_true(
      kr_str_equal(kr_json_text(kr_json_get(f->json, KR_STR("status"))), KR_STR("completed")));
  return kr_json_get(f->json, KR_STR("data"));
}

static void end(fixture *f) {
  kr_redacted_free(f->redacted);
  kr_record_free(f->record);
  kr_redact_set_free(f->set);
  kr_arena_done(&f->arena);
}

/* The data field as compact JSON. */
static void assert_data(const kr_json *data, const char *expected) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(4u << 20, NULL);
  assert_int_equal(kr_json_write(data, &text), KR_OK);
  assert_int_equal(kr_buf_byte(&text, 0), KR_OK);
  assert_string_equal((const char *)text.ptr, expected);
}

static const kr_json *receipt_of(const fixture *f, const char *key) {
  return kr_json_get(kr_json_get(f->json, KR_STR("receipt")), kr_str_cstr(key));
}

typedef struct row {
  const char *name;
  const char *in;
  bool is_json;
  const char *out;
} row;

static const row rows[] = {
    {"text", "say " SECRET "!", false, "\"say " M "!\""},
    {"leaf",
     "{\"a\":\""
     "s3cr et/va\\\"lue"
     "\"}",
     true, "{\"a\":\"" M "\"}"},
    {"leaf, escaped twice", "[\"s3cr et\\\\/va\\\\\\\"lue\"]", true, "[\"" M "\"]"},
    {"key", "{\"s3cr et/va\\\"lue\":1}", true, "{\"" M "\":1}"},
    {"number", "{\"card\":4111222233,\"n\":41112222}", true, "{\"card\":\"" M "\",\"n\":41112222}"},
    {"number with a value inside", "[1.4111222233e5]", true, "[\"" M "\"]"},
    {"literal", "[true,false,null]", true, "[\"" M "\",false,null]"},
    {"colliding keys", "{\"true1\":0,\"true\":1,\"4111222233\":2,\"" M "\":3,\"" M "#2\":4}", true,
     "{\"" M "1\":0,\"" M "\":1,\"" M "#2\":2,\"" M "#3\":3,\"" M "#2#2\":4}"},
    {"keys of inner objects are their own", "{\"true\":{\"true\":1},\"4111222233\":{\"a\":2}}",
     true, "{\"" M "\":{\"" M "\":1},\"" M "#2\":{\"a\":2}}"},
    {"emoji and pair", "[\"\\ud83d\\ude00key\"]", true, "[\"" M "\"]"},
    {"a match inside a code point", "[\"\xF0\x9F\x98\x80zz1\",{\"\xF0\x9F\x98\x80zz1\":1}]", true,
     "[\"" M "\",{\"" M "\":1}]"},
    {"not JSON after all", "{\"a\": \"s3cr et/va\\\"lue\"", true, "\"{\\\"a\\\": \\\"" M "\\\"\""},
    {"binary", "\xFF s3cr%20et/va\"lue", false, "{\"base64\":\"/yBbUkVEQUNURURd\"}"},
    {"empty", "", false, "\"\""},
    {"short values stay", "abc", false, "\"abc\""},
    {"a value across the structure is withheld", "[\"x\",\"y\"]", true,
     "{\"withheld\":\"redaction could not be verified\"}"},
    {"a value made by the marker is withheld", "foo" SECRET "bar", false,
     "{\"withheld\":\"redaction could not be verified\"}"},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static void run_row(void **state) {
  const row *r = *state;
  fixture f = begin();
  bool is_truncated = true;
  kr_record_body(f.record, "payload", kr_str_cstr(r->in), r->is_json, &is_truncated);
  assert_data(finish(&f), r->out);
  bool is_withheld = strstr(r->out, "withheld") != NULL;
  assert_false(is_truncated);
  assert_int_equal(receipt_of(&f, "failed")->count, is_withheld ? 1 : 0);
  assert_int_equal(receipt_of(&f, "verified")->type, is_withheld ? KR_JSON_FALSE : KR_JSON_TRUE);
  if (is_withheld)
    assert_true(
        kr_str_equal(kr_json_text(kr_json_at(receipt_of(&f, "failed"), 0)), KR_STR("payload")));
  end(&f);
}

static void spans_in_a_url(void **state) {
  static const kr_span spans[] = {{.offset = 15, .len = 3, .secrets = 2}};
  const kr_str names[] = {KR_STR("OTHER"), KR_STR("PIN")};
  const uint32_t versions[] = {1, 4};
  fixture f = begin();
  (void)state;
  kr_record_span_names(f.record, names, versions, 2);
  kr_record_spans(f.record, "request.url", KR_STR("https://h/?pin=abc&n=4111222233"), spans, 1);
  assert_data(finish(&f), "\"https://h/?pin=" M "&n=" M "\"");
  const kr_json *first = kr_json_at(receipt_of(&f, "secrets"), 0);
  assert_true(kr_str_equal(kr_json_text(kr_json_get(first, KR_STR("name"))), KR_STR("PIN")));
  assert_true(kr_str_equal(kr_json_text(kr_json_get(first, KR_STR("form"))), KR_STR("span")));
  assert_true(kr_str_equal(kr_json_text(kr_json_get(first, KR_STR("version"))), KR_STR("4")));
  end(&f);
}

static void spans_in_json(void **state) {
  static const kr_span spans[] = {{.offset = 6, .len = 3, .secrets = 1},
                                  {.offset = 9, .len = 4, .secrets = 2},
                                  {.offset = 15, .len = 2, .secrets = 1}};
  fixture f = begin();
  (void)state;
  /* offsets: {"a":"abc\"x\". . . spans cover escapes whole and stay inside quotes */
  kr_record_json_spans(f.record, "request.body", KR_STR("{\"a\":\"abc\\\"\\\\, zz4111222233\"}"),
                       spans, 3, NULL);
  assert_data(finish(&f), "{\"a\":\"" M ", " M "\"}");
  end(&f);
  f = begin();
  kr_record_json_spans(f.record, "request.body", KR_STR("no { abcabc json"), spans, 1, NULL);
  assert_data(finish(&f), "\"no { a" M "bc json\"");
  end(&f);
}

static void long_bodies_are_cut(void **state) {
  (void)state;
  /* Around the limit: a marker, a code point and plain text; never cut inside. */
  for (size_t shift = 0; shift < 30; shift++) {
    fixture f = begin();
    KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(1u << 20, NULL);
    bool is_truncated = false;
    while (body.len < KR_RECORD_BODY_BYTES - 20 + shift)
      assert_int_equal(kr_buf_byte(&body, '.'), KR_OK);
    assert_int_equal(kr_buf_append(&body, KR_STR(SECRET "\xE2\x82\xAC" SECRET)), KR_OK);
    for (size_t i = 0; i < 100000; i++)
      assert_int_equal(kr_buf_byte(&body, '!'), KR_OK);
    kr_record_text(f.record, "body", kr_buf_str(&body), &is_truncated);
    kr_str text = kr_json_text(finish(&f));
    assert_true(is_truncated);
    assert_true(text.len <= KR_RECORD_BODY_BYTES && text.len > KR_RECORD_BODY_BYTES - 11);
    size_t dots = KR_RECORD_BODY_BYTES - 20 + shift;
    static const char *const tails[] = {"", M, M "\xE2\x82\xAC", M "\xE2\x82\xAC" M};
    kr_str tail = kr_str_skip(text, dots);
    bool is_whole = false;
    for (size_t i = 0; i < 4; i++)
      is_whole = is_whole || kr_str_equal(tail, kr_str_cstr(tails[i]));
    assert_true(is_whole || tail.len > 23);
    end(&f);
  }
}

static void long_trees_become_cut_text(void **state) {
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(1u << 20, NULL);
  fixture f = begin();
  bool is_truncated = false;
  (void)state;
  assert_int_equal(kr_buf_append(&body, KR_STR("[0")), KR_OK);
  for (size_t i = 0; i < 20000; i++)
    assert_int_equal(kr_buf_append(&body, KR_STR(",4111222233")), KR_OK);
  assert_int_equal(kr_buf_append(&body, KR_STR("]")), KR_OK);
  kr_record_body(f.record, "body", kr_buf_str(&body), true, &is_truncated);
  kr_str text = kr_json_text(finish(&f));
  assert_true(is_truncated);
  assert_true(kr_str_starts(text, KR_STR("[0,\"" M "\",\"" M "\"")));
  assert_true(text.len <= KR_RECORD_BODY_BYTES && text.len > KR_RECORD_BODY_BYTES - 20);
  assert_int_equal(kr_str_find(text, KR_STR("4111222233"), 0), SIZE_MAX);
  end(&f);
}

static void a_full_record_withholds(void **state) {
  static uint8_t body[KR_RECORD_BODY_BYTES];
  fixture f = begin();
  (void)state;
  memset(body, '.', sizeof(body));
  kr_record_begin_array(f.record);
  for (size_t i = 0; i < 20; i++)
    kr_record_text(f.record, "body", kr_str_from(body, sizeof(body)), NULL);
  kr_record_end_array(f.record);
  const kr_json *data = finish(&f);
  assert_int_equal(data->count, 20);
  assert_true(kr_str_equal(kr_json_text(kr_json_get(kr_json_at(data, 19), KR_STR("withheld"))),
                           KR_STR("the record is full")));
  assert_true(kr_redacted_text(f.redacted).len <= KR_RECORD_MAX_BYTES);
  end(&f);
}

/* The whole record must stay within the depth that readers of JSON accept. */
static void deep_trees(void **state) {
  static kr_json nest[KR_JSON_MAX_DEPTH];
  const size_t most = KR_JSON_MAX_DEPTH - 16;
  (void)state;
  for (size_t depth = most; depth <= most + 1; depth++) {
    fixture f = begin();
    KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(10000, NULL);
    nest[0] = kr_json_string(KR_STR(SECRET));
    for (size_t i = 1; i <= depth; i++)
      nest[i] = (kr_json){.type = KR_JSON_ARRAY, .count = 1, .items = &nest[i - 1]};
    assert_int_equal(kr_json_write(&nest[depth], &text), KR_OK);
    kr_record_begin_array(f.record);
    kr_record_json(f.record, "tree", &nest[depth], NULL);
    kr_record_body(f.record, "body", kr_buf_str(&text), true, NULL);
    kr_record_end_array(f.record);
    const kr_json *data = finish(&f);
    const kr_json *withheld = kr_json_get(kr_json_at(data, 0), KR_STR("withheld"));
    assert_int_equal(withheld != NULL, depth > most);
    assert_int_equal(kr_json_at(data, 1)->type, depth > most ? KR_JSON_STRING : KR_JSON_ARRAY);
    end(&f);
  }
}

static bool is_clean(kr_redact_set *set, const kr_json *json) {
  if (json->type == KR_JSON_STRING || json->type == KR_JSON_NUMBER)
    return kr_redact_verify(set, kr_json_text(json));
  bool clean = true;
  for (uint32_t i = 0; json->type == KR_JSON_ARRAY && i < json->count; i++)
    clean = clean && is_clean(set, &json->items[i]);
  for (uint32_t i = 0; json->type == KR_JSON_OBJECT && i < json->count; i++)
    clean = clean && is_clean(set, &json->members[i].key) && is_clean(set, &json->members[i].value);
  return clean;
}

/* Random bodies full of values in random forms: the record parses and every leaf is clean. */
static void random_bodies_come_out_clean(void **state) {
  uint64_t seed = 0x7265636f7264;
  size_t n_withheld = 0;
  (void)state;
  for (size_t round = 0; round < 2000; round++) {
    fixture f = begin();
    KR_CLEANUP(kr_buf_done) kr_buf plain = KR_BUF_INIT(100000, NULL);
    KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(100000, NULL);
    assert_int_equal(kr_buf_append(&body, KR_STR("{\"k")), KR_OK);
    for (size_t i = 0; i < 1 + kr_naive_below(&seed, 5); i++) {
      size_t which = kr_naive_below(&seed, sizeof(values) / sizeof(values[0]));
      kr_buf_reset(&plain);
      kr_naive_spell(&seed, kr_str_cstr(values[which]), &plain);
      if (kr_naive_below(&seed, 4) > 0 && kr_utf8_is_valid(kr_buf_str(&plain))) {
        assert_int_equal(kr_json_escape(kr_buf_str(&plain), &body), KR_OK);
      } else {
        assert_int_equal(kr_buf_append(&body, kr_buf_str(&plain)), KR_OK);
      }
      assert_int_equal(kr_buf_append(&body, KR_STR(" ")), KR_OK);
    }
    assert_int_equal(kr_buf_append(&body, KR_STR("\":[\"s3cr et\\/va\\u0022lue\"]}")), KR_OK);
    kr_record_body(f.record, "body", kr_buf_str(&body), kr_naive_below(&seed, 4) > 0, NULL);
    const kr_json *data = finish(&f);
    n_withheld += receipt_of(&f, "failed")->count;
    assert_true(is_clean(f.set, data));
    end(&f);
  }
  assert_true(n_withheld < 100);
}

static void receipts_are_bounded(void **state) {
  static const char *const names[] = {"a", "b", "c"};
  fixture f = begin();
  (void)state;
  kr_record_begin_array(f.record);
  for (size_t i = 0; i < 300; i++)
    kr_record_text(f.record, names[i % 3], KR_STR("4111222233"), NULL);
  kr_record_end_array(f.record);
  finish(&f);
  assert_int_equal(receipt_of(&f, "secrets")->count, 256);
  assert_true(kr_str_equal(kr_json_text(receipt_of(&f, "not_listed")), KR_STR("44")));
  assert_true(kr_str_equal(kr_json_text(receipt_of(&f, "generation")), KR_STR("7")));
  end(&f);
}

/* Out of memory anywhere: no record, or one whose field is withheld; never a value. */
static void allocations_may_fail(void **state) {
  size_t n = 0;
  (void)state;
  for (;; n++) {
    fixture f = begin();
    kr_test_fail_at(n);
    kr_record_body(f.record, "body",
                   KR_STR("{\"true\":[\"s3cr%20et/va\\\"lue\"],\"4111222233\":1}"), true, NULL);
    kr_record_key(f.record, "receipt");
    kr_record_receipt(f.record, 7);
    kr_record_end_object(f.record);
    kr_status status = kr_record_finish(f.record, &f.redacted, NULL);
    bool is_over = kr_test_fail_stop() == 0;
    if (status == KR_OK) {
      kr_str text = kr_redacted_text(f.redacted);
      assert_int_equal(kr_str_find(text, KR_STR("lue"), 0), SIZE_MAX);
      assert_int_equal(kr_str_find(text, KR_STR("4111222233"), 0), SIZE_MAX);
    } else {
      assert_int_equal(status, KR_NOMEM);
    }
    end(&f);
    if (is_over)
      break;
  }
  assert_true(n > 10);
}

int main(void) {
  static struct CMUnitTest row_tests[N_ROWS];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(spans_in_a_url),
      cmocka_unit_test(spans_in_json),
      cmocka_unit_test(long_bodies_are_cut),
      cmocka_unit_test(long_trees_become_cut_text),
      cmocka_unit_test(a_full_record_withholds),
      cmocka_unit_test(deep_trees),
      cmocka_unit_test(random_bodies_come_out_clean),
      cmocka_unit_test(receipts_are_bounded),
      cmocka_unit_test(allocations_may_fail),
  };
  for (size_t i = 0; i < N_ROWS; i++)
    row_tests[i] = (struct CMUnitTest){
        .name = rows[i].name, .test_func = run_row, .initial_state = (void *)(uintptr_t)&rows[i]};
  int failed = _cmocka_run_group_tests("record", row_tests, N_ROWS, NULL, NULL);
  return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
