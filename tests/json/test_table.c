/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_table.c - documents that must be read, with the compact text they are
 * written back as, and documents that must be refused, with the place of the
 * error. Each row is a test of its own. The text of every row is copied to a
 * block of its exact size, so that a sanitizer sees a read past its end.
 */
#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TEXT(literal)                                                                              \
  { (const uint8_t *)("" literal), sizeof(literal) - 1 }
#define SAME                                                                                       \
  { NULL, 0 }

typedef struct valid_row {
  const char *name;
  kr_str text;
  kr_str compact; /* SAME: the text itself */
} valid_row;

typedef struct invalid_row {
  const char *name;
  kr_str text;
  size_t offset;
  const char *message; /* a part of it */
} invalid_row;

/* clang-format off */
static const valid_row valid_rows[] = {
    {"null", TEXT("null"), SAME},
    {"true", TEXT("true"), SAME},
    {"false", TEXT("false"), SAME},
    {"blanks around", TEXT(" \t\r\n null \n\r\t "), TEXT("null")},
    {"empty array", TEXT("[]"), SAME},
    {"empty object", TEXT("{}"), SAME},
    {"empty array with blanks", TEXT("[ \n ]"), TEXT("[]")},
    {"empty object with blanks", TEXT("{\t}"), TEXT("{}")},
    {"nested empties", TEXT("[[],{},[[]],[{}]]"), SAME},
    {"array of words", TEXT("[null,true,false]"), SAME},
    {"array with blanks", TEXT(" [ 1 ,\t2 ,\n3 ] "), TEXT("[1,2,3]")},
    {"object with blanks", TEXT(" { \"a\" : 1 , \"b\" : [ ] } "), TEXT("{\"a\":1,\"b\":[]}")},
    {"eight blanks in a row", TEXT("[        1,                2]"), TEXT("[1,2]")},
    {"seven blanks in a row", TEXT("[       1]"), TEXT("[1]")},
    {"empty string", TEXT("\"\""), SAME},
    {"empty key", TEXT("{\"\":0}"), SAME},
    {"one byte string", TEXT("\"a\""), SAME},
    {"seven bytes", TEXT("\"abcdefg\""), SAME},
    {"eight bytes", TEXT("\"abcdefgh\""), SAME},
    {"nine bytes", TEXT("\"abcdefghi\""), SAME},
    {"sixteen bytes", TEXT("\"abcdefghijklmnop\""), SAME},
    {"delete is plain", TEXT("\"\x7f\""), SAME},
    {"blank in string", TEXT("\" \""), SAME},
    {"slash plain", TEXT("\"/\""), SAME},
    {"brackets in string", TEXT("\"[{]},:\""), SAME},
    {"escaped quote", TEXT("\"\\\"\""), SAME},
    {"escaped backslash", TEXT("\"\\\\\""), SAME},
    {"escaped slash", TEXT("\"\\/\""), TEXT("\"/\"")},
    {"escaped controls", TEXT("\"\\b\\f\\n\\r\\t\""), SAME},
    {"backslash before end quote", TEXT("\"a\\\\\""), SAME},
    {"quote after backslash pair", TEXT("[\"\\\\\",\"x\"]"), SAME},
    {"unicode ascii", TEXT("\"\\u0041\""), TEXT("\"A\"")},
    {"unicode lower hex", TEXT("\"\\u00e9\""), TEXT("\"\xc3\xa9\"")},
    {"unicode upper hex", TEXT("\"\\u00E9\""), TEXT("\"\xc3\xa9\"")},
    {"unicode mixed hex", TEXT("\"\\uAbCd\""), TEXT("\"\xea\xaf\x8d\"")},
    {"unicode nul", TEXT("\"\\u0000\""), SAME},
    {"unicode control", TEXT("\"\\u001f\""), SAME},
    {"unicode short form", TEXT("\"\\u000a\""), TEXT("\"\\n\"")},
    {"unicode quote", TEXT("\"\\u0022\""), TEXT("\"\\\"\"")},
    {"unicode backslash", TEXT("\"\\u005C\""), TEXT("\"\\\\\"")},
    {"unicode backslash then n", TEXT("\"\\u005Cn\""), TEXT("\"\\\\n\"")},
    {"unicode two bytes first", TEXT("\"\\u0080\""), TEXT("\"\xc2\x80\"")},
    {"unicode two bytes last", TEXT("\"\\u07ff\""), TEXT("\"\xdf\xbf\"")},
    {"unicode three bytes first", TEXT("\"\\u0800\""), TEXT("\"\xe0\xa0\x80\"")},
    {"unicode three bytes last", TEXT("\"\\uffff\""), TEXT("\"\xef\xbf\xbf\"")},
    {"unicode before surrogates", TEXT("\"\\ud7ff\""), TEXT("\"\xed\x9f\xbf\"")},
    {"unicode after surrogates", TEXT("\"\\ue000\""), TEXT("\"\xee\x80\x80\"")},
    {"first surrogate pair", TEXT("\"\\ud800\\udc00\""), TEXT("\"\xf0\x90\x80\x80\"")},
    {"last surrogate pair", TEXT("\"\\uDBFF\\uDFFF\""), TEXT("\"\xf4\x8f\xbf\xbf\"")},
    {"surrogate pair between text", TEXT("\"a\\ud83d\\ude00b\""), TEXT("\"a\xf0\x9f\x98\x80" "b\"")},
    {"two surrogate pairs", TEXT("\"\\ud83d\\ude00\\ud83d\\ude01\""), TEXT("\"\xf0\x9f\x98\x80\xf0\x9f\x98\x81\"")},
    {"noncharacter", TEXT("\"\\uFDD0\""), TEXT("\"\xef\xb7\x90\"")},
    {"byte-order mark inside", TEXT("\"\xef\xbb\xbf\""), SAME},
    {"line separator", TEXT("\"\xe2\x80\xa8\""), SAME},
    {"raw two bytes first", TEXT("\"\xc2\x80\""), SAME},
    {"raw two bytes last", TEXT("\"\xdf\xbf\""), SAME},
    {"raw three bytes first", TEXT("\"\xe0\xa0\x80\""), SAME},
    {"raw before surrogates", TEXT("\"\xed\x9f\xbf\""), SAME},
    {"raw after surrogates", TEXT("\"\xee\x80\x80\""), SAME},
    {"raw three bytes last", TEXT("\"\xef\xbf\xbf\""), SAME},
    {"raw four bytes first", TEXT("\"\xf0\x90\x80\x80\""), SAME},
    {"raw four bytes last", TEXT("\"\xf4\x8f\xbf\xbf\""), SAME},
    {"raw text after escape", TEXT("\"\\t\xc3\xa9\""), SAME},
    {"raw text before escape", TEXT("\"\xc3\xa9\\t\""), SAME},
    {"long ascii, then escape", TEXT("\"abcdefghijklmnopqrstuvwxyz\\n\""), SAME},
    {"escape, then long ascii", TEXT("\"\\nabcdefghijklmnopqrstuvwxyz\""), SAME},
    {"escaped key", TEXT("{\"\\u0061\":1}"), TEXT("{\"a\":1}")},
    {"zero", TEXT("0"), SAME},
    {"minus zero", TEXT("-0"), SAME},
    {"one digit", TEXT("7"), SAME},
    {"minus one", TEXT("-1"), SAME},
    {"zero with fraction", TEXT("0.0"), SAME},
    {"minus zero with fraction", TEXT("-0.00"), SAME},
    {"trailing zeros kept", TEXT("1.5000"), SAME},
    {"exponent lower", TEXT("1e5"), SAME},
    {"exponent upper", TEXT("1E5"), SAME},
    {"exponent plus", TEXT("1e+5"), SAME},
    {"exponent minus", TEXT("1e-5"), SAME},
    {"exponent leading zeros", TEXT("1e005"), SAME},
    {"zero exponent", TEXT("0e0"), SAME},
    {"fraction and exponent", TEXT("-12.34E+056"), SAME},
    {"many digits", TEXT("123456789012345678901234567890"), SAME},
    {"many fraction digits", TEXT("0.12345678901234567890123456789"), SAME},
    {"huge exponent", TEXT("1e999999999"), SAME},
    {"tiny exponent", TEXT("1e-999999999"), SAME},
    {"largest int64", TEXT("9223372036854775807"), SAME},
    {"smallest int64", TEXT("-9223372036854775808"), SAME},
    {"numbers in array", TEXT("[0,-0,1.0,1e1]"), SAME},
    {"number then blank", TEXT("[1 ]"), TEXT("[1]")},
    {"number before brace", TEXT("{\"a\":1}"), SAME},
    {"one member", TEXT("{\"a\":\"b\"}"), SAME},
    {"two members", TEXT("{\"a\":1,\"b\":2}"), SAME},
    {"order of members kept", TEXT("{\"z\":1,\"a\":2,\"m\":3}"), SAME},
    {"keys that differ in case", TEXT("{\"a\":1,\"A\":2}"), SAME},
    {"keys that are prefixes", TEXT("{\"a\":1,\"ab\":2,\"\":3,\"abc\":4}"), SAME},
    {"keys that differ by a nul", TEXT("{\"a\":1,\"a\\u0000\":2}"), SAME},
    {"composed and decomposed keys", TEXT("{\"\xc3\xa9\":1,\"e\xcc\x81\":2}"), SAME},
    {"same key in nested objects", TEXT("{\"a\":{\"a\":{\"a\":1}}}"), SAME},
    {"same key in sibling objects", TEXT("[{\"a\":1},{\"a\":1}]"), SAME},
    {"key equal to a value", TEXT("{\"a\":\"a\"}"), SAME},
    {"deep mix", TEXT("{\"a\":[{\"b\":[[{\"c\":null}]]}]}"), SAME},
    {"object after array", TEXT("{\"a\":[],\"b\":{}}"), SAME},
};

static const invalid_row invalid_rows[] = {
    {"empty", TEXT(""), 0, "ends"},
    {"only blanks", TEXT(" \n "), 3, "ends"},
    {"byte-order mark", TEXT("\xef\xbb\xbf[]"), 0, "byte-order"},
    {"half a byte-order mark", TEXT("\xef\xbb[]"), 0, "expected a value"},
    {"utf-16 mark", TEXT("\xff\xfe["), 0, "expected a value"},
    {"nul", TEXT("\x00"), 0, "expected a value"},
    {"nul behind", TEXT("1\x00"), 1, "more text"},
    {"form feed as blank", TEXT("\f1"), 0, "expected a value"},
    {"vertical tab as blank", TEXT("1\v"), 1, "more text"},
    {"no-break space", TEXT("\xc2\xa0" "1"), 0, "expected a value"},
    {"next line", TEXT("[\xc2\x85]"), 1, "expected a value"},
    {"two values", TEXT("1 2"), 2, "more text"},
    {"two strings", TEXT("\"a\"\"b\""), 3, "more text"},
    {"value after array", TEXT("[]1"), 2, "more text"},
    {"closer after array", TEXT("[]]"), 2, "more text"},
    {"comma after value", TEXT("1,"), 1, "more text"},
    {"comment", TEXT("/* */1"), 0, "expected a value"},
    {"line comment", TEXT("1//x"), 1, "more text"},
    {"hash comment", TEXT("1#"), 1, "more text"},
    {"lone bracket", TEXT("["), 1, "ends"},
    {"lone brace", TEXT("{"), 1, "ends"},
    {"lone closer", TEXT("]"), 0, "expected a value"},
    {"lone closing brace", TEXT("}"), 0, "expected a value"},
    {"wrong closer", TEXT("[}"), 1, "expected a value"},
    {"wrong closer brace", TEXT("{]"), 1, "expected a key"},
    {"wrong closer after item", TEXT("[1}"), 2, "expected ',' or ']'"},
    {"wrong closer after member", TEXT("{\"a\":1]"), 6, "expected ',' or '}'"},
    {"array not closed", TEXT("[1"), 2, "not closed by ']'"},
    {"array ends after comma", TEXT("[1,"), 3, "ends"},
    {"nested not closed", TEXT("[[]"), 3, "not closed by ']'"},
    {"object not closed", TEXT("{\"a\":1"), 6, "not closed by '}'"},
    {"object ends after comma", TEXT("{\"a\":1,"), 7, "ends"},
    {"object ends after key", TEXT("{\"a\""), 4, "':'"},
    {"object ends after colon", TEXT("{\"a\":"), 5, "ends"},
    {"trailing comma", TEXT("[1,]"), 3, "expected a value"},
    {"trailing comma in object", TEXT("{\"a\":1,}"), 7, "expected a key"},
    {"leading comma", TEXT("[,1]"), 1, "expected a value"},
    {"leading comma in object", TEXT("{,\"a\":1}"), 1, "expected a key"},
    {"double comma", TEXT("[1,,2]"), 3, "expected a value"},
    {"double comma in object", TEXT("{\"a\":1,,\"b\":2}"), 7, "expected a key"},
    {"only comma", TEXT("[,]"), 1, "expected a value"},
    {"missing comma", TEXT("[1 2]"), 3, "expected ',' or ']'"},
    {"missing comma strings", TEXT("[\"a\"\"b\"]"), 4, "expected ',' or ']'"},
    {"missing comma members", TEXT("{\"a\":1 \"b\":2}"), 7, "expected ',' or '}'"},
    {"missing colon", TEXT("{\"a\" 1}"), 5, "':'"},
    {"double colon", TEXT("{\"a\"::1}"), 5, "expected a value"},
    {"comma for colon", TEXT("{\"a\",1}"), 4, "':'"},
    {"equals for colon", TEXT("{\"a\"=1}"), 4, "':'"},
    {"missing value", TEXT("{\"a\":}"), 5, "expected a value"},
    {"missing value then comma", TEXT("{\"a\":,}"), 5, "expected a value"},
    {"key only", TEXT("{\"a\"}"), 4, "':'"},
    {"colon in array", TEXT("[\"a\":1]"), 4, "expected ',' or ']'"},
    {"unquoted key", TEXT("{a:1}"), 1, "expected a key"},
    {"single quoted key", TEXT("{'a':1}"), 1, "expected a key"},
    {"number as key", TEXT("{1:1}"), 1, "expected a key"},
    {"null as key", TEXT("{null:1}"), 1, "expected a key"},
    {"array as key", TEXT("{[]:1}"), 1, "expected a key"},
    {"object as key", TEXT("{{}:1}"), 1, "expected a key"},
    {"single quotes", TEXT("'a'"), 0, "expected a value"},
    {"word", TEXT("a"), 0, "expected a value"},
    {"capital null", TEXT("Null"), 0, "expected a value"},
    {"capital true", TEXT("TRUE"), 0, "expected a value"},
    {"cut null", TEXT("nul"), 0, "unknown word"},
    {"cut true", TEXT("tru"), 0, "unknown word"},
    {"cut false", TEXT("fals"), 0, "unknown word"},
    {"cut null in array", TEXT("[nul]"), 1, "unknown word"},
    {"longer null", TEXT("nulll"), 4, "more text"},
    {"longer true", TEXT("[truee]"), 5, "expected ',' or ']'"},
    {"nan", TEXT("NaN"), 0, "expected a value"},
    {"small nan", TEXT("nan"), 0, "unknown word"},
    {"infinity", TEXT("Infinity"), 0, "expected a value"},
    {"minus infinity", TEXT("-Infinity"), 1, "expected a digit"},
    {"undefined", TEXT("undefined"), 0, "expected a value"},
    {"plus", TEXT("+1"), 0, "expected a value"},
    {"lone minus", TEXT("-"), 1, "expected a digit"},
    {"minus in array", TEXT("[-]"), 2, "expected a digit"},
    {"double minus", TEXT("--1"), 1, "expected a digit"},
    {"minus blank", TEXT("- 1"), 1, "expected a digit"},
    {"minus letter", TEXT("-a"), 1, "expected a digit"},
    {"leading zero", TEXT("01"), 0, "leading zero"},
    {"leading zeros", TEXT("00"), 0, "leading zero"},
    {"minus leading zero", TEXT("-01"), 1, "leading zero"},
    {"leading zero with fraction", TEXT("01.5"), 0, "leading zero"},
    {"point first", TEXT(".5"), 0, "expected a value"},
    {"minus point first", TEXT("-.5"), 1, "expected a digit"},
    {"point last", TEXT("1."), 2, "decimal point"},
    {"point last in array", TEXT("[1.]"), 3, "decimal point"},
    {"two points", TEXT("1.2.3"), 3, "more text"},
    {"point then exponent", TEXT("1.e5"), 2, "decimal point"},
    {"exponent alone", TEXT("e5"), 0, "expected a value"},
    {"exponent empty", TEXT("1e"), 2, "exponent"},
    {"exponent plus only", TEXT("1e+"), 3, "exponent"},
    {"exponent minus only", TEXT("1E-"), 3, "exponent"},
    {"exponent two signs", TEXT("1e+-1"), 3, "exponent"},
    {"exponent twice", TEXT("1e5e5"), 3, "more text"},
    {"exponent fraction", TEXT("1e5.5"), 3, "more text"},
    {"exponent blank", TEXT("1e 5"), 2, "exponent"},
    {"hexadecimal", TEXT("0x1F"), 1, "more text"},
    {"octal", TEXT("0o7"), 1, "more text"},
    {"underscore", TEXT("1_000"), 1, "more text"},
    {"suffix", TEXT("1f"), 1, "more text"},
    {"comma as point", TEXT("1,5"), 1, "more text"},
    {"full-width digit", TEXT("\xef\xbc\x91"), 0, "expected a value"},
    {"string not closed", TEXT("\"abc"), 4, "ends inside a string"},
    {"lone quote", TEXT("\""), 1, "ends inside a string"},
    {"string ends after backslash", TEXT("\"\\"), 2, "ends inside a string"},
    {"string ends in escaped quote", TEXT("\"\\\""), 3, "ends inside a string"},
    {"key not closed", TEXT("{\"abc"), 5, "ends inside a string"},
    {"long string not closed", TEXT("\"abcdefghijklmnop"), 17, "ends inside a string"},
    {"newline in string", TEXT("\"a\nb\""), 2, "control"},
    {"tab in string", TEXT("\"\t\""), 1, "control"},
    {"nul in string", TEXT("\"\x00\""), 1, "control"},
    {"control 1f in string", TEXT("\"\x1f\""), 1, "control"},
    {"control in word", TEXT("\"abc\x01" "efghij\""), 4, "control"},
    {"control after escape", TEXT("\"\\n\x02\""), 3, "control"},
    {"control in key", TEXT("{\"a\n\":1}"), 3, "control"},
    {"unknown escape", TEXT("\"\\x41\""), 1, "unknown escape"},
    {"escape capital", TEXT("\"\\N\""), 1, "unknown escape"},
    {"escape digit", TEXT("\"\\0\""), 1, "unknown escape"},
    {"escape single quote", TEXT("\"\\'\""), 1, "unknown escape"},
    {"escape newline", TEXT("\"\\\n\""), 1, "unknown escape"},
    {"escape nul", TEXT("\"\\\x00\""), 1, "unknown escape"},
    {"escape not ascii", TEXT("\"\\\xc3\xa9\""), 1, "unknown escape"},
    {"escape a", TEXT("\"\\a\""), 1, "unknown escape"},
    {"escape v", TEXT("\"ab\\v\""), 3, "unknown escape"},
    {"escape outside string", TEXT("\\n"), 0, "expected a value"},
    {"unicode no digits", TEXT("\"\\u\""), 1, "four hex"},
    {"unicode three digits", TEXT("\"\\u123\""), 1, "four hex"},
    {"unicode letter g", TEXT("\"\\u123g\""), 1, "four hex"},
    {"unicode blank", TEXT("\"\\u 123\""), 1, "four hex"},
    {"unicode sign", TEXT("\"\\u+123\""), 1, "four hex"},
    {"unicode capital u", TEXT("\"\\U0041\""), 1, "unknown escape"},
    {"unicode braces", TEXT("\"\\u{41}\""), 1, "four hex"},
    {"unicode at the end", TEXT("\"\\u00"), 1, "four hex"},
    {"lone high surrogate", TEXT("\"\\ud800\""), 1, "high surrogate"},
    {"lone low surrogate", TEXT("\"\\udc00\""), 1, "low surrogate"},
    {"high surrogate then text", TEXT("\"\\ud800abcdef\""), 1, "high surrogate"},
    {"high surrogate then newline", TEXT("\"\\ud800\\n\""), 1, "high surrogate"},
    {"two high surrogates", TEXT("\"\\ud800\\ud800\""), 1, "high surrogate"},
    {"high surrogate then letter", TEXT("\"\\ud800\\u0041\""), 1, "high surrogate"},
    {"swapped surrogates", TEXT("\"\\udc00\\ud800\""), 1, "low surrogate"},
    {"high surrogate at the end", TEXT("\"\\ud800"), 1, "high surrogate"},
    {"high surrogate then half", TEXT("\"\\ud800\\udc\""), 1, "high surrogate"},
    {"pair then lone low", TEXT("\"\\ud83d\\ude00\\ude00\""), 13, "low surrogate"},
    {"last high surrogate", TEXT("\"x\\udbff\""), 2, "high surrogate"},
    {"last low surrogate", TEXT("\"x\\uDFFF\""), 2, "low surrogate"},
    {"lone tail byte", TEXT("\"\x80\""), 1, "UTF-8"},
    {"last tail byte", TEXT("\"\xbf\""), 1, "UTF-8"},
    {"byte c0", TEXT("\"\xc0\x80\""), 1, "UTF-8"},
    {"byte c1", TEXT("\"\xc1\xbf\""), 1, "UTF-8"},
    {"overlong slash", TEXT("\"\xc0\xaf\""), 1, "UTF-8"},
    {"overlong three", TEXT("\"\xe0\x80\xaf\""), 1, "UTF-8"},
    {"overlong three last", TEXT("\"\xe0\x9f\xbf\""), 1, "UTF-8"},
    {"overlong four", TEXT("\"\xf0\x80\x80\xaf\""), 1, "UTF-8"},
    {"overlong four last", TEXT("\"\xf0\x8f\xbf\xbf\""), 1, "UTF-8"},
    {"raw surrogate first", TEXT("\"\xed\xa0\x80\""), 1, "UTF-8"},
    {"raw surrogate last", TEXT("\"\xed\xbf\xbf\""), 1, "UTF-8"},
    {"raw surrogate pair", TEXT("\"\xed\xa0\x81\xed\xb0\x80\""), 1, "UTF-8"},
    {"above the last point", TEXT("\"\xf4\x90\x80\x80\""), 1, "UTF-8"},
    {"byte f5", TEXT("\"\xf5\x80\x80\x80\""), 1, "UTF-8"},
    {"byte fe", TEXT("\"\xfe\""), 1, "UTF-8"},
    {"byte ff", TEXT("\"\xff\""), 1, "UTF-8"},
    {"two bytes cut", TEXT("\"\xc3\""), 1, "UTF-8"},
    {"three bytes cut", TEXT("\"\xe2\x82\""), 1, "UTF-8"},
    {"four bytes cut", TEXT("\"\xf0\x9f\x98\""), 1, "UTF-8"},
    {"latin-1", TEXT("\"caf\xe9\""), 4, "UTF-8"},
    {"bad byte in key", TEXT("{\"\xff\":1}"), 2, "UTF-8"},
    {"bad byte after escape", TEXT("\"\\n\xff\""), 3, "UTF-8"},
    {"bad byte after good", TEXT("\"\xc3\xa9\xc3\""), 3, "UTF-8"},
    {"cut by the end", TEXT("\"\xf0\x9f"), 1, "UTF-8"},
    {"bad byte in ninth place", TEXT("\"abcdefgh\xff\""), 9, "UTF-8"},
    {"duplicate key", TEXT("{\"a\":1,\"a\":2}"), 7, "twice"},
    {"duplicate same value", TEXT("{\"a\":1,\"a\":1}"), 7, "twice"},
    {"duplicate empty key", TEXT("{\"\":1,\"\":1}"), 6, "twice"},
    {"duplicate through escape", TEXT("{\"a\":1,\"\\u0061\":2}"), 7, "twice"},
    {"duplicate escaped first", TEXT("{\"\\u0061\":1,\"a\":2}"), 12, "twice"},
    {"duplicate both escaped", TEXT("{\"\\n\":1,\"\\u000a\":2}"), 8, "twice"},
    {"duplicate nested", TEXT("[{\"b\":{\"a\":1,\"a\":2}}]"), 13, "twice"},
    {"duplicate of three", TEXT("{\"a\":1,\"b\":2,\"a\":3}"), 13, "twice"},
    {"duplicate proto", TEXT("{\"__proto__\":1,\"__proto__\":2}"), 15, "twice"},
};
/* clang-format on */

#define N_VALID (sizeof valid_rows / sizeof valid_rows[0])
#define N_INVALID (sizeof invalid_rows / sizeof invalid_rows[0])

static uint8_t *exact_copy(kr_str text) {
  uint8_t *copy = malloc(text.len == 0 ? 1 : text.len);
  assert_non_null(copy);
  if (text.len > 0)
    memcpy(copy, text.ptr, text.len);
  return copy;
}

static void run_valid(void **state) {
  const valid_row *row = *state;
  uint8_t *copy = exact_copy(row->text);
  kr_arena arena = KR_ARENA_INIT(1u << 20, NULL);
  kr_buf out = KR_BUF_INIT(1u << 20, NULL);
  const kr_json *json = NULL;
  kr_error error = {0};
  kr_status status = kr_json_parse(kr_str_from(copy, row->text.len), NULL, &arena, &json, &error);
  if (status != KR_OK)
    print_error("%s at byte %zu\n", error.message, error.span_offset);
  assert_int_equal(status, KR_OK);
  assert_int_equal(kr_json_write(json, &out), KR_OK);
  kr_str expected = row->compact.ptr == NULL ? row->text : row->compact;
  assert_int_equal(out.len, expected.len);
  assert_memory_equal(out.ptr, expected.ptr, expected.len);
  kr_buf_done(&out);
  kr_arena_done(&arena);
  free(copy);
}

static void run_invalid(void **state) {
  const invalid_row *row = *state;
  uint8_t *copy = exact_copy(row->text);
  kr_arena arena = KR_ARENA_INIT(1u << 20, NULL);
  const kr_json *json = NULL;
  kr_error error = {0};
  kr_str text = kr_str_from(copy, row->text.len);
  assert_int_equal(kr_json_parse(text, NULL, &arena, &json, &error), KR_INVALID);
  assert_null(json);
  assert_int_equal(error.status, KR_INVALID);
  if (strstr(error.message, row->message) == NULL)
    fail_msg("message: %s", error.message);
  assert_int_equal(error.span_offset, row->offset);
  assert_true(error.span_len >= 1);
  assert_true(error.span_offset + error.span_len <= row->text.len + 1);
  assert_int_equal(kr_json_parse(text, NULL, &arena, &json, NULL), KR_INVALID);
  kr_arena_done(&arena);
  free(copy);
}

/* Every prefix of a valid document that is not valid itself is refused, never overrun. */
static void run_prefixes(void **state) {
  const valid_row *row = *state;
  for (size_t len = 0; len < row->text.len; len++) {
    uint8_t *copy = exact_copy(kr_str_from(row->text.ptr, len));
    kr_arena arena = KR_ARENA_INIT(1u << 20, NULL);
    const kr_json *json = NULL;
    kr_error error = {0};
    kr_status status = kr_json_parse(kr_str_from(copy, len), NULL, &arena, &json, &error);
    assert_true(status == KR_OK || status == KR_INVALID);
    assert_int_equal(status == KR_OK, json != NULL);
    assert_true(status == KR_OK || error.span_offset <= len);
    kr_arena_done(&arena);
    free(copy);
  }
}

int main(void) {
  static struct CMUnitTest tests[2 * N_VALID + N_INVALID];
  size_t n_tests = 0;
  for (size_t i = 0; i < N_VALID; i++) {
    void *row = (void *)(uintptr_t)&valid_rows[i];
    tests[n_tests++] = (struct CMUnitTest){
        .name = valid_rows[i].name, .test_func = run_valid, .initial_state = row};
    tests[n_tests++] = (struct CMUnitTest){
        .name = valid_rows[i].name, .test_func = run_prefixes, .initial_state = row};
  }
  for (size_t i = 0; i < N_INVALID; i++)
    tests[n_tests++] = (struct CMUnitTest){.name = invalid_rows[i].name,
                                           .test_func = run_invalid,
                                           .initial_state = (void *)(uintptr_t)&invalid_rows[i]};
  return cmocka_run_group_tests_name("json table", tests, NULL, NULL);
}
