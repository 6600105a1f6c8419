/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_regex.c - what patterns find, with machine code and without; errors with
 * their place; limits; patterns made to never end.
 */
#include "regex/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define KR_TEST_FUEL 200000u

typedef struct kr_row {
  const char *pattern;
  const char *subject;
  const char *found; /* "start-end" of each group, "-" for one that took no part; "no" */
} kr_row;

static const kr_row kr_rows[] = {
    {"", "", "0-0"},
    {"b", "abc", "1-2"},
    {"x", "abc", "no"},
    {"^b", "abc", "no"},
    {"(?m)^b$", "a\nb\nc", "2-3"},
    {"(a)(b)?(c)", "xac", "1-3 1-2 - 2-3"},
    {"(?<year>\\d{4})-(\\d\\d)", "on 2024-05-01", "3-10 3-7 8-10"},
    {"\\w+",
     "\xC3\xBC"
     "ber x",
     "0-5"},
    {"(?i)\xC3\x84", "\xC3\xA4", "0-2"},
    {"^.$", "\xE2\x82\xAC", "0-3"},
    {"\\p{Lu}", "a\xC3\x84", "1-3"},
    {"(?<=a)b", "bab", "2-3"},
    {"(['\"]).*?\\1", "x='y\"' z", "2-6 2-3"},
    {"a\\Kb", "ab", "1-2"},
    {"[^,]+", ",,x", "2-3"},
    {"\\x{2028}", "\xE2\x80\xA8", "0-3"},
    {"a{1000}", "b", "no"},
    {"\\{2000", "{2000", "0-5"},
    {"\\\\{3}", "\\\\\\", "0-3"},
    {"$", "ab\n", "2-2"},
    {"\\z", "ab\n", "3-3"},
};

typedef struct kr_bad_row {
  const char *pattern;
  kr_status status;
  size_t offset;
} kr_bad_row;

static const kr_bad_row kr_bad_rows[] = {
    {"a(b", KR_SYNTAX, 3},
    {"a)", KR_SYNTAX, 1},
    {"[z-a]", KR_SYNTAX, 3},
    {"*", KR_SYNTAX, 0},
    {"\\C", KR_SYNTAX, 2},
    {"(?<=a\\K)b", KR_SYNTAX, 9},
    {"ab\xFF", KR_SYNTAX, 2},
    {"a{1001}", KR_LIMIT, 1},
    {"a{1,1001}", KR_LIMIT, 1},
    {"a{ 2, 99999999999}", KR_LIMIT, 1},
    {"\\\\{1001}", KR_LIMIT, 2},
    {"\\x{41}{1001}", KR_LIMIT, 6},
    {"((a{900}){900}){900}", KR_SYNTAX, 20},
    {"(?:abcdefghij){400}", KR_LIMIT, 0},
};

static bool kr_find(const kr_regex *regex, kr_str subject, size_t from, uint32_t *fuel,
                    kr_status *ret_status, kr_error *error, char *out, size_t out_len) {
  KR_CLEANUP(kr_regex_scratch_freep) kr_regex_scratch *scratch = NULL;
  bool is_found = false;
  size_t used = 0;
  assert_int_equal(kr_regex_scratch_new(&scratch), KR_OK);
  kr_regex_search search = {.subject = subject, .from = from};
  *ret_status = kr_regex_find(regex, scratch, &search, fuel, &is_found, error);
  (void)snprintf(out, out_len, "no");
  for (unsigned i = 0; *ret_status == KR_OK && is_found && i <= kr_regex_n_groups(regex); i++) {
    size_t start = 0;
    size_t end = 0;
    bool took_part = kr_regex_group(scratch, i, &start, &end);
    int n = took_part
                ? snprintf(out + used, out_len - used, "%s%zu-%zu", i == 0 ? "" : " ", start, end)
                : snprintf(out + used, out_len - used, " -");
    used += (size_t)n;
  }
  return is_found;
}

static void kr_run_row(const kr_row *row, kr_regex_mode mode) {
  KR_CLEANUP(kr_regex_freep) kr_regex *regex = NULL;
  kr_error error = {0};
  kr_status status = KR_OK;
  char out[256];
  uint32_t fuel = KR_TEST_FUEL;
  if (kr_regex_compile(kr_str_cstr(row->pattern), mode, &regex, &error) != KR_OK)
    fail_msg("%s", error.message);
  assert_true(mode == KR_REGEX_AUTO || !kr_regex_is_compiled(regex));
  (void)kr_find(regex, kr_str_cstr(row->subject), 0, &fuel, &status, &error, out, sizeof(out));
  assert_int_equal(status, KR_OK);
  assert_string_equal(out, row->found);
  assert_true(fuel < KR_TEST_FUEL || row->found[0] == 'n');
}

static void kr_test_row(void **state) { kr_run_row(*state, KR_REGEX_AUTO); }

static void kr_test_row_interpreted(void **state) { kr_run_row(*state, KR_REGEX_INTERPRET); }

static void kr_test_bad_row(void **state) {
  const kr_bad_row *row = *state;
  kr_regex *regex = NULL;
  kr_error error = {0};
  assert_int_equal(kr_regex_compile(kr_str_cstr(row->pattern), KR_REGEX_AUTO, &regex, &error),
                   row->status);
  assert_null(regex);
  assert_int_equal(error.status, row->status);
  assert_int_equal(error.span_offset, row->offset);
  assert_true(error.message[0] != '\0');
}

static kr_status kr_compile_repeated(const char *part, size_t n, const char *tail) {
  char pattern[2048] = "";
  for (size_t i = 0; i < n; i++)
    (void)strncat(pattern, part, sizeof(pattern) - strlen(pattern) - 1);
  (void)strncat(pattern, tail, sizeof(pattern) - strlen(pattern) - 1);
  KR_CLEANUP(kr_regex_freep) kr_regex *regex = NULL;
  return kr_regex_compile(kr_str_cstr(pattern), KR_REGEX_AUTO, &regex, NULL);
}

static void kr_test_pattern_limits(void **state) {
  (void)state;
  assert_int_equal(kr_compile_repeated("x", KR_LIMIT_PATTERN_BYTES, ""), KR_OK);
  assert_int_equal(kr_compile_repeated("x", KR_LIMIT_PATTERN_BYTES + 1, ""), KR_LIMIT);
  assert_int_equal(kr_compile_repeated("(x)", KR_LIMIT_PATTERN_GROUPS, ""), KR_OK);
  assert_int_equal(kr_compile_repeated("(x)", KR_LIMIT_PATTERN_GROUPS + 1, ""), KR_LIMIT);
  assert_int_equal(
      kr_compile_repeated("(", KR_LIMIT_PATTERN_NESTING, "x))))))))))))))))))))))))))))))))"),
      KR_OK);
  assert_int_equal(
      kr_compile_repeated("(", KR_LIMIT_PATTERN_NESTING + 1, "x)))))))))))))))))))))))))))))))))"),
      KR_SYNTAX);
}

/* A pattern against n times a text and a tail; fuel is what is left. */
static kr_status kr_hostile(const char *pattern, const char *part, size_t n, const char *tail,
                            kr_regex_mode mode, uint32_t *fuel, bool *ret_found) {
  KR_CLEANUP(kr_regex_freep) kr_regex *regex = NULL;
  size_t len = strlen(part);
  char *subject = malloc(len * n + strlen(tail) + 1);
  kr_error error = {0};
  kr_status status = KR_OK;
  char out[2048];
  assert_non_null(subject);
  for (size_t i = 0; i < n; i++)
    memcpy(subject + i * len, part, len);
  (void)strcpy(subject + n * len, tail);
  assert_int_equal(kr_regex_compile(kr_str_cstr(pattern), mode, &regex, &error), KR_OK);
  *ret_found = kr_find(regex, kr_str_cstr(subject), 0, fuel, &status, &error, out, sizeof(out));
  free(subject);
  assert_true(status == KR_OK || error.message[0] != '\0');
  return status;
}

static void kr_test_subject_limit(void **state) {
  (void)state;
  uint32_t fuel = KR_TEST_FUEL;
  bool is_found = false;
  assert_int_equal(
      kr_hostile("y", "x", KR_LIMIT_SUBJECT_BYTES - 1, "y", KR_REGEX_AUTO, &fuel, &is_found),
      KR_OK);
  assert_true(is_found);
  assert_int_equal(
      kr_hostile("y", "x", KR_LIMIT_SUBJECT_BYTES, "y", KR_REGEX_AUTO, &fuel, &is_found), KR_LIMIT);
}

/*
 * Each would run for minutes or longer: exponential at one place, exponential
 * but below the limit at each of 65 000 places, quadratic by long runs, by a
 * counted repeat that fails late, by a back reference. The last value of each:
 * whether it has to end by a limit.
 */
static const struct {
  const char *pattern;
  const char *part;
  size_t n;
  const char *tail;
} kr_hostiles[] = {
    {"(a*)*[bc]", "a", 40, "x"},
    {"(a|a)*[bc]", "a", 64, "x"},
    {"^(\\w+\\s?)*$", "aaaa ", 20, "!"},
    {"(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)(?:a|a)[bc]", "a",
     65000, ""},
    {"a*[bc]", "a", 65000, ""},
    {"a{1000}[bc]", "a", 65000, ""},
    {"(a+)b?\\1[bc]", "a", 60000, ""},
    {"(?=(a+))a*[bc]\\1", "a", 60000, ""},
    {"(x+x+)+[yz]", "x", 1000, ""},
    {"(?:a(?R)?a?)+[bc]", "a", 1000, ""},
    {"(?s).*.*.*[bc]", "a", 2000, ""},
    {"(?<=a{900})(?<=a{901})a?[xy]", "a", 65000, ""},
};

static void kr_test_hostile(void **state) {
  const size_t i = (size_t)(uintptr_t)*state;
  for (kr_regex_mode mode = KR_REGEX_AUTO; mode <= KR_REGEX_INTERPRET; mode++) {
    uint32_t fuel = KR_TEST_FUEL;
    bool is_found = false;
    kr_status status = kr_hostile(kr_hostiles[i].pattern, kr_hostiles[i].part, kr_hostiles[i].n,
                                  kr_hostiles[i].tail, mode, &fuel, &is_found);
    assert_int_equal(status, KR_LIMIT);
    assert_false(is_found);
    assert_true(fuel <= KR_TEST_FUEL - KR_LIMIT_MATCH_BACKTRACKS);
  }
}

/* With little fuel the limit is the fuel, and all of it is charged. */
static void kr_test_little_fuel(void **state) {
  (void)state;
  for (uint32_t given = 0; given < 2000; given += 97) {
    uint32_t fuel = given;
    bool is_found = false;
    assert_int_equal(kr_hostile("(a*)*[bc]", "a", 40, "x", KR_REGEX_AUTO, &fuel, &is_found),
                     KR_LIMIT);
    assert_int_equal(fuel, 0);
  }
}

/* Deep but honest: machine code gives up for its stack, the interpreter goes on. */
static void kr_test_deep(void **state) {
  (void)state;
  for (kr_regex_mode mode = KR_REGEX_AUTO; mode <= KR_REGEX_INTERPRET; mode++) {
    uint32_t fuel = KR_TEST_FUEL;
    bool is_found = false;
    assert_int_equal(kr_hostile("^(?:a|b)*$", "ab", 10000, "", mode, &fuel, &is_found), KR_OK);
    assert_true(is_found);
    assert_true(fuel > KR_TEST_FUEL / 2);
  }
}

static void kr_test_memory_limit(void **state) {
  (void)state;
  uint32_t fuel = UINT32_MAX;
  bool is_found = false;
  assert_int_equal(kr_hostile("^(?:(a)|(b)|(c)|(d)|(e)|(f)|(g)|(h))*$", "ab", 30000, "",
                              KR_REGEX_INTERPRET, &fuel, &is_found),
                   KR_LIMIT);
}

static void kr_test_not_utf8(void **state) {
  (void)state;
  uint32_t fuel = KR_TEST_FUEL;
  bool is_found = false;
  assert_int_equal(kr_hostile("a", "a\xFF", 1, "", KR_REGEX_AUTO, &fuel, &is_found), KR_INVALID);
  assert_int_equal(kr_hostile("a", "a\xC3", 1, "", KR_REGEX_AUTO, &fuel, &is_found), KR_INVALID);
}

/* Going on after an empty match finds every place once. */
static void kr_test_all_matches(void **state) {
  (void)state;
  KR_CLEANUP(kr_regex_freep) kr_regex *regex = NULL;
  KR_CLEANUP(kr_regex_scratch_freep) kr_regex_scratch *scratch = NULL;
  static const size_t wanted[][2] = {{0, 0}, {1, 3}, {3, 3}, {5, 5}};
  assert_int_equal(kr_regex_compile(KR_STR("x*"), KR_REGEX_AUTO, &regex, NULL), KR_OK);
  assert_int_equal(kr_regex_scratch_new(&scratch), KR_OK);
  kr_regex_search search = {.subject = KR_STR("axx\xC3\xA4")};
  uint32_t fuel = KR_TEST_FUEL;
  for (size_t i = 0; i < 4; i++) {
    bool is_found = false;
    size_t start = 0;
    size_t end = 0;
    assert_int_equal(kr_regex_find(regex, scratch, &search, &fuel, &is_found, NULL), KR_OK);
    assert_true(is_found);
    assert_true(kr_regex_group(scratch, 0, &start, &end));
    assert_false(kr_regex_group(scratch, 1, &start, &end));
    assert_int_equal(start, wanted[i][0]);
    assert_int_equal(end, wanted[i][1]);
    search.from = end;
    search.is_nonempty = start == end;
  }
}

/* Random patterns: machine code and interpreter find the same. */
static void kr_test_differential(void **state) {
  (void)state;
  static const char *const parts[] = {"a", "b", ".", "(a|b)", "[ab]",  "a*",     "b+?",  "(?:ab)?",
                                      "^", "$", "|", "\\b",   "(?=a)", "(?<!b)", "\\1?", "{2}"};
  uint64_t seed = 7;
  size_t n_compared = 0;
  for (size_t round = 0; round < 4000; round++) {
    char pattern[128] = "()";
    char subject[16];
    char a_out[512];
    char b_out[512];
    for (size_t i = 0; i < 6; i++) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      (void)strcat(pattern, parts[seed >> 60]);
    }
    for (size_t i = 0; i < 12; i++)
      subject[i] = "ab\n "[seed >> (3 * i + 20) & 3];
    KR_CLEANUP(kr_regex_freep) kr_regex *a = NULL;
    KR_CLEANUP(kr_regex_freep) kr_regex *b = NULL;
    kr_error error;
    kr_status a_status = kr_regex_compile(kr_str_cstr(pattern), KR_REGEX_AUTO, &a, &error);
    assert_int_equal(kr_regex_compile(kr_str_cstr(pattern), KR_REGEX_INTERPRET, &b, &error),
                     a_status);
    if (a_status != KR_OK)
      continue;
    uint32_t a_fuel = KR_TEST_FUEL;
    uint32_t b_fuel = KR_TEST_FUEL;
    kr_status b_status = KR_OK;
    (void)kr_find(a, kr_str_from(subject, 12), 0, &a_fuel, &a_status, &error, a_out, sizeof(a_out));
    (void)kr_find(b, kr_str_from(subject, 12), 0, &b_fuel, &b_status, &error, b_out, sizeof(b_out));
    assert_int_equal(a_status, b_status);
    assert_string_equal(a_out, b_out);
    n_compared++;
  }
  assert_true(n_compared > 1000);
}

#define KR_COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(void) {
  struct CMUnitTest
      tests[KR_COUNT(kr_rows) * 2 + KR_COUNT(kr_bad_rows) + KR_COUNT(kr_hostiles) + 16];
  static const struct CMUnitTest others[] = {
      cmocka_unit_test(kr_test_pattern_limits), cmocka_unit_test(kr_test_subject_limit),
      cmocka_unit_test(kr_test_little_fuel),    cmocka_unit_test(kr_test_deep),
      cmocka_unit_test(kr_test_memory_limit),   cmocka_unit_test(kr_test_not_utf8),
      cmocka_unit_test(kr_test_all_matches),    cmocka_unit_test(kr_test_differential)};
  size_t n = 0;
  for (size_t i = 0; i < KR_COUNT(kr_rows); i++) {
    void *row = (void *)(uintptr_t)&kr_rows[i];
    tests[n++] = (struct CMUnitTest){
        .name = kr_rows[i].pattern, .test_func = kr_test_row, .initial_state = row};
    tests[n++] = (struct CMUnitTest){
        .name = kr_rows[i].pattern, .test_func = kr_test_row_interpreted, .initial_state = row};
  }
  for (size_t i = 0; i < KR_COUNT(kr_bad_rows); i++)
    tests[n++] = (struct CMUnitTest){.name = kr_bad_rows[i].pattern,
                                     .test_func = kr_test_bad_row,
                                     .initial_state = (void *)(uintptr_t)&kr_bad_rows[i]};
  for (size_t i = 0; i < KR_COUNT(kr_hostiles); i++)
    tests[n++] = (struct CMUnitTest){.name = kr_hostiles[i].pattern,
                                     .test_func = kr_test_hostile,
                                     .initial_state = (void *)(uintptr_t)i};
  for (size_t i = 0; i < KR_COUNT(others); i++)
    tests[n++] = others[i];
  return _cmocka_run_group_tests("patterns", tests, n, NULL, NULL);
}
