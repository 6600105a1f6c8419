/* SPDX-License-Identifier: Apache-2.0 */
/* test_verify.c - the check, on text that was never redacted. */
#include "redact/naive.h"
#include "redact/spell.h"
#include "redact/verify.h"
#include "secmem/sensitive.h"
#include "support/failalloc.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define V "s3cr et/va\"lue"

static kr_redact_set *set_of(const char *a, const char *b) {
  kr_naive_value values[2] = {{(const uint8_t *)a, strlen(a)},
                              {(const uint8_t *)b, b == NULL ? 0 : strlen(b)}};
  return kr_naive_set(values, b == NULL ? 1 : 2);
}

/* What the check looks for, found by itself in text that was never redacted. */
static void verify_finds_each_form(void **state) {
  static const char *const leaks[] = {
      V,
      "s3cr%20et%2Fva%22lue",
      "s3cr%20et%2fva%22lue",
      "s3cr+et%2Fva%22lue",
      "%73%33%63%72%20%65%74%2f%76%61%22%6c%75%65",
      "s3cr%20et/va%22lue",
      "s3cr et/va\\\"lue",
      "s3cr et\\/va\\\"lue",
      "733363722065742f7661226c7565",
      "733363722065742F7661226C7565",
      "czNjciBldC92YSJsdWU=",
      "OnMzY3IgZXQvdmEibHVl",
      "OjpzM2NyIGV0L3ZhImx1ZQ==",
      "s3cr et/va\\\\\\\"lue",
      "s3cr et\\\\\\/va\\\\\\\"lue",
      "s3cr et/va&quot;lue",
      "s3cr et/va&#34;lue",
      "s3cr et/va&#x22;lue",
  };
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of(V, "REDACTED");
  (void)state;
  for (size_t i = 0; i < sizeof(leaks) / sizeof(leaks[0]); i++)
    if (kr_redact_verify(set, kr_str_cstr(leaks[i])))
      fail_msg("leak %zu is not found", i);
  assert_true(kr_redact_verify(set, KR_STR("x [REDACTED] [REDACTED:V0] s3cr et")));
  assert_false(kr_redact_verify(set, KR_STR("x [REDACTED:OTHER]")));
  assert_false(kr_redact_verify(set, KR_STR("[REDACTED] REDACTED")));
}

/* Each spelling once more, of a value with bytes that each of them changes. */
static void verify_finds_each_spelling(void **state) {
  const kr_str value = KR_STR("k<&>\"'/\\ \n\t\xC3\xA9\xF0\x9F\x98\x80~+\x01z");
  const kr_naive_value values[1] = {{value.ptr, value.len}};
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = kr_naive_set(values, 1);
  KR_CLEANUP(kr_buf_done) kr_buf once = KR_BUF_INIT(1000, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(1000, NULL);
  (void)state;
  for (int i = 0; i < 2 * KR_VERIFY_N_SPELLINGS; i++) {
    text.len = 0;
    assert_int_equal(kr_buf_append(&text, KR_STR("before")), KR_OK);
    assert_int_equal(kr_verify_spell(value, (kr_verify_spelling)(i / 2), i % 2 != 0, &once, &text),
                     KR_OK);
    assert_true(text.len > 6 + 6);
    assert_int_equal(kr_buf_append(&text, KR_STR("after")), KR_OK);
    if (kr_redact_verify(set, kr_buf_str(&text)))
      fail_msg("spelling %d is not found", i);
  }
}

static bool is_spelled(const kr_naive_value *values, size_t n_values, kr_str text) {
  for (size_t i = 0; i < n_values; i++)
    for (int spelling = 0; spelling < 2 * KR_VERIFY_N_SPELLINGS; spelling++) {
      KR_CLEANUP(kr_buf_done) kr_buf once = KR_BUF_INIT(1000, NULL);
      KR_CLEANUP(kr_buf_done) kr_buf spelled = KR_BUF_INIT(1000, NULL);
      kr_str value = kr_str_from(values[i].ptr, values[i].len);
      assert_int_equal(kr_verify_spell(value, (kr_verify_spelling)(spelling / 2), spelling % 2 != 0,
                                       &once, &spelled),
                       KR_OK);
      if (spelled.len > 0 && kr_str_find(text, kr_buf_str(&spelled), 0) != SIZE_MAX)
        return true;
    }
  return false;
}

/* Values and texts of two letters, and slices of spellings: as many are found as by a plain search.
 */
static void verify_is_a_plain_search(void **state) {
  uint32_t random = 1;
  size_t n_found = 0;
  (void)state;
  for (size_t round = 0; round < 3000; round++) {
    uint8_t bytes[4][16];
    uint8_t text[64];
    kr_naive_value values[4];
    for (size_t i = 0; i < 4; i++) {
      random = random * 1664525u + 1013904223u;
      values[i] = (kr_naive_value){bytes[i], 4 + (random >> 24) % 12};
      for (size_t k = 0; k < values[i].len; k++) {
        random = random * 1664525u + 1013904223u;
        bytes[i][k] = (uint8_t) "a/"[random >> 31];
      }
    }
    for (size_t k = 0; k < sizeof(text); k++) {
      random = random * 1664525u + 1013904223u;
      text[k] = (uint8_t) "a/a/a%\\/"[random >> 29];
    }
    KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = kr_naive_set(values, 4);
    kr_str whole = kr_str_from(text, 8 + round % 57);
    bool is_found = is_spelled(values, 4, whole);
    n_found += is_found;
    if (kr_redact_verify(set, whole) == is_found)
      fail_msg("round %zu", round);
  }
  assert_true(n_found > 300 && n_found < 2700);
}

/* Of several spellings that begin at one byte the longest is not the one, but a shorter one is. */
static void verify_finds_prefixes(void **state) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of("abcd-efgh-ijkl", "abcd-efgh");
  (void)state;
  assert_false(kr_redact_verify(set, KR_STR("abcd-efgh-ijkX")));
  assert_false(kr_redact_verify(set, KR_STR("abcd-efgh")));
  assert_false(kr_redact_verify(set, KR_STR("xabcd-efgh-ijkl")));
  assert_true(kr_redact_verify(set, KR_STR("abcd-efg")));
  assert_true(kr_redact_verify(set, KR_STR("abcd-efg-ijkl")));
  assert_true(kr_redact_verify(set, KR_STR("")));
}

static void verify_finds_short_values_when_asked(void **state) {
  const kr_redact_secret secrets[] = {
      {.name = KR_STR("ONE"), .bytes = KR_STR("#"), .min_search = 1},
      {.name = KR_STR("THREE"), .bytes = KR_STR("xyz"), .min_search = 2},
      {.name = KR_STR("TWO"), .bytes = KR_STR("zz")},
  };
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  (void)state;
  assert_int_equal(kr_redact_builder_new(&builder, NULL), KR_OK);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(kr_redact_builder_add_secret(builder, &secrets[i], NULL), KR_OK);
  assert_int_equal(kr_redact_builder_build(builder, &set, NULL), KR_OK);
  assert_false(kr_redact_verify(set, KR_STR("#")));
  assert_false(kr_redact_verify(set, KR_STR("a long text that ends in #")));
  assert_false(kr_redact_verify(set, KR_STR("xyz")));
  assert_false(kr_redact_verify(set, KR_STR("xy%7A %78%79%7A")));
  assert_true(kr_redact_verify(set, KR_STR("xyyz zz")));
}

static kr_redact_set *many(size_t n_values) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  kr_redact_set *set = NULL;
  assert_int_equal(kr_redact_builder_new(&builder, NULL), KR_OK);
  for (size_t i = 0; i < n_values; i++) {
    char value[64];
    int n = snprintf(value, sizeof(value), "%08zx/the value of number %zu", i * 2654435761u, i);
    assert_int_equal(
        kr_redact_builder_add(builder, KR_STR("K"), 1, kr_str_from(value, (size_t)n), NULL), KR_OK);
  }
  assert_int_equal(kr_redact_builder_build(builder, &set, NULL), KR_OK);
  return set;
}

/* Of long values the spellings take some 30 bytes a byte: what docs/redaction.md says. */
static void verify_memory_is_bounded(void **state) {
  const size_t n_values = 2000;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = many(n_values);
  kr_verify_index *index = NULL;
  size_t total = 0;
  (void)state;
  for (size_t i = 0; i < n_values; i++) {
    char text[64];
    int n = snprintf(text, sizeof(text), "%08zx/the value of number %zu", i * 2654435761u, i);
    total += (size_t)n;
    if (kr_redact_verify(set, kr_str_from(text, (size_t)n)))
      fail_msg("value %zu is not found", i);
    text[n - 1] ^= 0x40;
    if (!kr_redact_verify(set, kr_str_from(text, (size_t)n)))
      fail_msg("what is no value is found, %zu", i);
  }
  assert_true(kr_verify_bytes(set) > total);
  assert_true(kr_verify_bytes(set) < 60 * total);
  assert_int_equal(kr_verify_index_new(set, 10 * total, &index), KR_LIMIT);
  assert_null(index);
  assert_int_equal(kr_verify_index_new(set, 60 * total, &index), KR_OK);
  kr_verify_index_free(index);
}

/* A near miss of a long value at every byte is more work than it is worth: withheld. */
static void verify_gives_up(void **state) {
  static uint8_t value[20000];
  static uint8_t text[60000];
  (void)state;
  memset(value, 'a', sizeof(value));
  value[sizeof(value) - 1] = 'b';
  memset(text, 'a', sizeof(text));
  const kr_naive_value values[1] = {{value, sizeof(value)}};
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = kr_naive_set(values, 1);
  assert_false(kr_redact_verify(set, kr_str_from(text, sizeof(text))));
  assert_true(kr_redact_verify(set, kr_str_from(text, 500)));
}

/* Whatever cannot be had makes it withhold, and does not do so for good. */
static void verify_without_memory_finds(void **state) {
  size_t n = 0;
  (void)state;
  for (;; n++) {
    KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of(V, "line one of it\nand two");
    kr_sensitive_trim(); /* or a block that waits is taken without asking */
    kr_test_fail_at(n);
    bool is_clean = kr_redact_verify(set, KR_STR("nothing"));
    if (kr_test_fail_stop() == 0) {
      assert_true(is_clean);
      break;
    }
    assert_false(is_clean);
    assert_true(kr_redact_verify(set, KR_STR("nothing")));
  }
  assert_true(n > 5);
}

static void *verify_both(void *set) {
  bool is_right = true;
  for (size_t i = 0; i < 200; i++)
    is_right = is_right && kr_redact_verify(set, KR_STR("nothing here")) &&
               !kr_redact_verify(set, KR_STR("there is " V));
  return is_right ? set : NULL;
}

/* The first check of several threads at once builds one index. */
static void verify_by_many_threads(void **state) {
  (void)state;
  for (size_t round = 0; round < 20; round++) {
    KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = set_of(V, "another value");
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
      assert_int_equal(pthread_create(&threads[i], NULL, verify_both, set), 0);
    for (size_t i = 0; i < 4; i++) {
      void *result = NULL;
      assert_int_equal(pthread_join(threads[i], &result), 0);
      assert_ptr_equal(result, set);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(verify_finds_each_form),
      cmocka_unit_test(verify_finds_each_spelling),
      cmocka_unit_test(verify_is_a_plain_search),
      cmocka_unit_test(verify_finds_prefixes),
      cmocka_unit_test(verify_finds_short_values_when_asked),
      cmocka_unit_test(verify_memory_is_bounded),
      cmocka_unit_test(verify_gives_up),
      cmocka_unit_test(verify_without_memory_finds),
      cmocka_unit_test(verify_by_many_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
