/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_parts.c - values of several lines and structured values by their parts,
 * forms that are switched off, and values shorter than what is searched.
 */
#include "redact/naive.h"
#include "redact/parts.h"
#include "support/failalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define M "[REDACTED]"
#define V "s3cr et/va\"lue"
#define PEM "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA7bq1\nzZ0Yk3hFh8s9\nshort==\n-----END KEY-----\n"

typedef struct row {
  const char *name;
  const char *value;
  const char *in;
  const char *out;
} row;

static const row rows[] = {
    {"lines: whole in any style", "user: a\npass: b\n",
     "user: a\npass: b\n|user: a\r\npass: b\r\n|user: a\rpass: b\r|user: a\\r\\npass: b|a\npass: b",
     M "|" M "|" M "|" M "|a\npass: b"},
    {"lines: from a style of its own", "a b c\r\nd e f\rg", "a b c\nd e f\ng a b c\r\nd e f\rg",
     M " " M},
    {"lines: mixed styles are not whole", "a b c\nd e f\ng", "a b c\nd e f\r\ng",
     "a b c\nd e f\r\ng"},
    {"lines: single long ones", "0123456789abcdef\n  a second, long line \n012345678901234",
     "0123456789abcdef. a second, long line . 012345678901234", M ". " M " . 012345678901234"},
    {"lines: in other forms", "0123456789abcdef\nxyz",
     "MDEyMzQ1Njc4OWFiY2RlZg 30313233343536373839616263646566 %30123456789abcdef", M " " M " " M},
    {"lines: base64 of the whole with other breaks", "user: a\npass: b",
     "dXNlcjogYQ0KcGFzczogYg== dXNlcjogYQpwYXNzOiBi", M "== " M},
    {"lines: a single line is no part", "0123456789abcdef0123", "0123456789abcdef",
     "0123456789abcdef"},
    {"lines: a short value is not searched with longer breaks either", "ab\n", "ab\n ab\r\n",
     "ab\n ab\r\n"},
    {"pem: framing stays", PEM, "-----BEGIN KEY-----\n-----END KEY-----\n",
     "-----BEGIN KEY-----\n-----END KEY-----\n"},
    {"pem: lines", PEM, "MIIEpAIBAAKCAQEA7bq1 zZ0Yk3hFh8s9 short== zZ0Yk3hF",
     M " " M " short== zZ0Yk3hF"},
    {"pem: whole, escaped", PEM,
     "-----BEGIN KEY-----\\nMIIEpAIBAAKCAQEA7bq1\\nzZ0Yk3hFh8s9\\nshort==\\n-----END KEY-----", M},
    {"json: string leaves",
     "{\"a\":\"leafleaf\",\"b\":[{\"c\":\"q\\\"\\u00e9uote42\"}],\"d\":\"seven77\"}",
     "leafleaf q\"\xC3\xA9uote42 q\\\"\\u00E9uote42 seven77 bGVhZmxlYWY",
     M " " M " " M " seven77 " M},
    {"json: keys and numbers are no leaves", "{\"longkeylongkey\":1234567890123}",
     "longkeylongkey 1234567890123", "longkeylongkey 1234567890123"},
    {"json: leaf of several lines",
     "{\"key\":\""
     "first line of leaf\\nsecond one"
     "\"}",
     "first line of leaf / first line of leaf\r\nsecond one", M " / " M},
    {"json: leaf that is a URL", "[\"db://someuser:some%20pass@host/x\"]", "someuser some pass",
     M " " M},
    {"json: not JSON after all", "{\"a\":\"leafleaf\"", "leafleaf", "leafleaf"},
    {"json: a key twice is not read", "{\"a\":\"leafleaf\",\"a\":\"leafleaf\"}", "leafleaf",
     "leafleaf"},
    {"url: user and password", "https://someuser:p%40ssword1:x@host:1/path?q=leafleaf",
     "someuser p%40ssword1:x p@ssword1:x host:1/path leafleaf",
     M " " M " " M " host:1/path leafleaf"},
    {"url: short ones are no leaves", "https://u:p4ssw0r@host", "u p4ssw0r", "u p4ssw0r"},
    {"url: the last at sign ends it", "ftp://u:p@ssword1@host/a@b", "p@ssword1 host/a@b",
     M " host/a@b"},
    {"url: no userinfo", "https://host.example/@longpath", "host.example longpath",
     "host.example longpath"},
    {"url: no scheme", "x y://someuser:password1@h", "someuser password1", "someuser password1"},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static kr_redact_set *build(const kr_redact_secret *secrets, size_t n_secrets, uint32_t forms) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  kr_redact_set *set = NULL;
  assert_int_equal(kr_redact_builder_new(&builder, NULL), KR_OK);
  kr_redact_builder_set_forms(builder, forms);
  for (size_t i = 0; i < n_secrets; i++)
    assert_int_equal(kr_redact_builder_add_secret(builder, &secrets[i], NULL), KR_OK);
  assert_int_equal(kr_redact_builder_build(builder, &set, NULL), KR_OK);
  return set;
}

static void assert_redacts(kr_redact_set *set, const char *in, const char *expected) {
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(10000, NULL);
  assert_int_equal(kr_redact_bytes(set, kr_str_cstr(in), NULL, &out, NULL), KR_OK);
  assert_true(kr_redact_verify(set, kr_buf_str(&out)));
  assert_int_equal(kr_buf_byte(&out, 0), KR_OK);
  assert_string_equal((const char *)out.ptr, expected);
}

static void run_row(void **state) {
  const row *r = *state;
  const kr_redact_secret secret = {.name = KR_STR("V"), .bytes = kr_str_cstr(r->value)};
  KR_CLEANUP(kr_redact_set_freep)
  kr_redact_set *set = build(&secret, 1, KR_REDACT_ALL_FORMS);
  assert_redacts(set, r->in, r->out);
}

/* Every mask of forms: each text is removed just when its form is on. */
static void forms_can_be_off(void **state) {
  static const kr_redact_form forms[] = {KR_FORM_PERCENT, KR_FORM_JSON_TWICE, KR_FORM_JSON,
                                         KR_FORM_HTML,    KR_FORM_BASE64,     KR_FORM_HEX,
                                         KR_FORM_LINE,    KR_FORM_LEAF,       KR_FORM_RAW};
  static const char *const texts[] = {"s3cr%20et/va%22lue",
                                      "s3cr et/va\\\\\\\"lue",
                                      "s3cr et/va\\\"lue",
                                      "s3cr et/va&quot;lue",
                                      "czNjciBldC92YSJsdWU",
                                      "733363722065742f7661226c7565",
                                      "0123456789abcdef",
                                      "leafleaf",
                                      V};
  const kr_redact_secret secrets[] = {
      {.name = KR_STR("V"), .bytes = KR_STR(V)},
      {.name = KR_STR("L"), .bytes = KR_STR("0123456789abcdef\nx")},
      {.name = KR_STR("J"), .bytes = KR_STR("[\"leafleaf\"]")},
  };
  (void)state;
  for (uint32_t mask = 0; mask < 1u << 8; mask++) {
    uint32_t on = 0;
    for (size_t i = 0; i < 8; i++)
      on |= (mask >> i & 1u) != 0 ? KR_REDACT_FORM_BIT(forms[i]) : 0;
    KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = build(secrets, 3, on);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
      bool is_on = i == 8 || (mask >> i & 1u) != 0;
      assert_redacts(set, texts[i], is_on ? M : texts[i]);
      assert_int_equal(kr_redact_verify(set, kr_str_cstr(texts[i])), !is_on);
    }
  }
}

/* What is set for one set does not go on to the next, nor through kr_redact_builder_add_set. */
static void forms_are_of_one_set(void **state) {
  const kr_redact_secret secret = {.name = KR_STR("V"), .bytes = KR_STR(V)};
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *off = build(&secret, 1, 0);
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *on = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *next = NULL;
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  (void)state;
  assert_redacts(off, "s3cr+et/va\"lue " V, "s3cr+et/va\"lue " M);
  assert_int_equal(kr_redact_builder_new(&builder, NULL), KR_OK);
  kr_redact_builder_set_forms(builder, 0);
  assert_int_equal(kr_redact_builder_build(builder, &next, NULL), KR_OK);
  assert_int_equal(kr_redact_builder_add_set(builder, off), KR_OK);
  assert_int_equal(kr_redact_builder_build(builder, &on, NULL), KR_OK);
  assert_redacts(on, "s3cr+et/va\"lue", M);
}

static void short_values_when_asked(void **state) {
  const kr_redact_secret secrets[] = {
      {.name = KR_STR("ONE"), .bytes = KR_STR("#"), .min_search = 1},
      {.name = KR_STR("THREE"), .bytes = KR_STR("abc"), .min_search = 3},
      {.name = KR_STR("TWO"), .bytes = KR_STR("zz")},
      {.name = KR_STR("LONG"), .bytes = KR_STR("longlong"), .min_search = 9},
  };
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = build(secrets, 4, KR_REDACT_ALL_FORMS);
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *again = NULL;
  (void)state;
  assert_int_equal(kr_redact_set_n_short(set), 2);
  assert_redacts(set, "# %23 &#35; 23 abc ab%63 616263 YWJj zz longlong",
                 M " " M " " M " 23 " M " " M " " M " YWJj zz longlong");
  assert_int_equal(kr_redact_builder_new(&builder, NULL), KR_OK);
  assert_int_equal(kr_redact_builder_add(builder, KR_STR("THREE"), 0, KR_STR("abc"), NULL), KR_OK);
  assert_int_equal(kr_redact_builder_add_set(builder, set), KR_OK);
  assert_int_equal(kr_redact_builder_build(builder, &again, NULL), KR_OK);
  assert_int_equal(kr_redact_set_n_values(again), 4); /* asked once is asked */
  assert_redacts(again, "abc longlong", M " longlong");
}

static void hits_name_lines_and_leaves(void **state) {
  const kr_redact_secret secrets[] = {
      {.name = KR_STR("L"), .bytes = KR_STR("0123456789abcdef\n0123456789abcdef\nx")},
      {.name = KR_STR("J"), .bytes = KR_STR("[\"leafleaf\", \"leafleaf\"]")},
  };
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = build(secrets, 2, KR_REDACT_ALL_FORMS);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
  kr_redact_report report = {0};
  (void)state;
  kr_str in = KR_STR("0123456789abcde%66 leafleaf bGVhZmxlYWY");
  assert_int_equal(kr_redact_bytes(set, in, NULL, &out, &report), KR_OK);
  assert_int_equal(report.n_hits, 2);
  assert_int_equal(report.hits[0].form, KR_FORM_LINE);
  assert_int_equal(report.hits[0].count, 1); /* the same line twice is one part */
  assert_int_equal(report.hits[1].form, KR_FORM_LEAF);
  assert_int_equal(report.hits[1].count, 2);
  assert_string_equal(kr_redact_form_name(KR_FORM_LINE), "line");
  assert_string_equal(kr_redact_form_name(KR_FORM_LEAF), "leaf");
  kr_redact_report_done(&report);
}

/* The bytes of all parts stay within some six times the value. */
static void parts_are_bounded(void **state) {
  static uint8_t text[KR_REDACT_MAX_VALUE_BYTES];
  static const char *const units[] = {"0123456789abcdef\r", "\n", "\"\\n0123456789abcdef\",",
                                      "\"12345678\","};
  (void)state;
  for (size_t unit = 0; unit < sizeof(units) / sizeof(units[0]); unit++) {
    KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(64u << 20, NULL);
    KR_CLEANUP(kr_buf_done) kr_buf parts = KR_BUF_INIT(64u << 20, NULL);
    size_t len = strlen(units[unit]);
    size_t total = 0;
    memset(text, ' ', sizeof(text));
    text[0] = '[';
    for (size_t at = 1; at + len + 3 < sizeof(text); at += len)
      memcpy(text + at, units[unit], len);
    memcpy(text + sizeof(text) - 3, "\"\"]", 3);
    const kr_redact_entry entry = {.value = kr_str_from(text, sizeof(text)), .min_search = 4};
    assert_int_equal(kr_redact_parts_add(&entry, KR_REDACT_ALL_FORMS, &arena, &parts), KR_OK);
    assert_true(kr_redact_n_parts(&parts) > 0);
    for (size_t i = 0; i < kr_redact_n_parts(&parts); i++)
      total += kr_redact_part_at(&parts, i)->bytes.len;
    assert_true(total <= 6 * sizeof(text));
  }
}

static kr_status build_structured(void) {
  static const char *const values[] = {PEM, "{\"a\":\"line one of it\\nline two of it, longer\"}",
                                       "https://some%20user:password1@h"};
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(1000, NULL);
  KR_TRY(kr_redact_builder_new(&builder, NULL));
  for (size_t i = 0; i < 3; i++)
    KR_TRY(kr_redact_builder_add(builder, KR_STR("V"), 1, kr_str_cstr(values[i]), NULL));
  KR_TRY(kr_redact_builder_build(builder, &set, NULL));
  KR_TRY(
      kr_redact_bytes(set, KR_STR("password1 some user line two of it, longer"), NULL, &out, NULL));
  assert_true(kr_str_equal(kr_buf_str(&out), KR_STR(M " " M " " M)));
  return KR_OK;
}

static void allocations_may_fail(void **state) {
  (void)state;
  size_t n = 0;
  for (;; n++) {
    kr_test_fail_at(n);
    kr_status status = build_structured();
    if (kr_test_fail_stop() == 0)
      break;
    assert_int_equal(status, KR_NOMEM);
  }
  assert_true(n > 20);
}

int main(void) {
  static struct CMUnitTest row_tests[N_ROWS];
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(forms_can_be_off),        cmocka_unit_test(forms_are_of_one_set),
      cmocka_unit_test(short_values_when_asked), cmocka_unit_test(hits_name_lines_and_leaves),
      cmocka_unit_test(parts_are_bounded),       cmocka_unit_test(allocations_may_fail),
  };
  for (size_t i = 0; i < N_ROWS; i++)
    row_tests[i] = (struct CMUnitTest){
        .name = rows[i].name, .test_func = run_row, .initial_state = (void *)(uintptr_t)&rows[i]};
  int failed = _cmocka_run_group_tests("parts", row_tests, N_ROWS, NULL, NULL);
  return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
