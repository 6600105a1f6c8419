/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_import_env.c - the reader of .env files: a table of what each text means
 * (docs/formats/env.md), values that come back as they were written, hostile
 * texts, and refused memory. Every text is also read by the naive reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/compare_env.h"
#include "engine/import_env.h"
#include "support/failalloc.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was read, as one line: NAME=[value]@line+notes; ... */
typedef struct shown {
  char text[4096];
  size_t len;
} shown;

static const char note_letters[] = "X#CBL"; /* in the order of the bits */

static kr_status show_entry(void *ctx, const kr_env_entry *entry) {
  shown *out = ctx;
  char notes[8] = "";
  for (size_t i = 0, n = 0; i < 5; i++)
    if ((entry->notes & (1u << i)) != 0)
      notes[n++] = note_letters[i];
  int len = snprintf(out->text + out->len, sizeof out->text - out->len, "%.*s=[%.*s]@%zu%s%s;",
                     KR_FMT(entry->name), KR_FMT(entry->value), entry->line,
                     notes[0] == '\0' ? "" : "+", notes);
  assert_true(len > 0 && (size_t)len < sizeof out->text - out->len);
  out->len += (size_t)len;
  return KR_OK;
}

typedef struct row {
  const char *text;
  const char *shows; /* NULL: an error */
  const char *error; /* the beginning of its message */
} row;

static const row rows[] = {
    /* lines */
    {"", "", NULL},
    {"\n\n \t\n", "", NULL},
    {"# a comment", "", NULL},
    {"  # A=b\n", "", NULL},
    {"#\nA=b", "A=[b]@2;", NULL},
    {"A=b", "A=[b]@1;", NULL},
    {"A=b\n", "A=[b]@1;", NULL},
    {"A=b\r\n", "A=[b]@1;", NULL},
    {"A=b\r\n\r\nC=d\r\n", "A=[b]@1;C=[d]@3;", NULL},
    {"\xEF\xBB\xBF"
     "A=b",
     "A=[b]@1;", NULL},
    {"\xEF\xBB\xBF", "", NULL},
    {"A=\xEF\xBB\xBF", "A=[\xEF\xBB\xBF]@1;", NULL},
    {"\xEF\xBB\xBF\xEF\xBB\xBF"
     "A=b",
     NULL, "line 1 is neither"},
    {"A=1\nA=2\n", "A=[1]@1;A=[2]@2;", NULL},
    /* names */
    {" A=b", "A=[b]@1;", NULL},
    {"\tA \t= \tb", "A=[b]@1;", NULL},
    {"a.b-c_D9=x", "a.b-c_D9=[x]@1;", NULL},
    {"9=x", "9=[x]@1;", NULL},
    {"export A=b", "A=[b]@1;", NULL},
    {"export \t A = b", "A=[b]@1;", NULL},
    {"  export A=b", "A=[b]@1;", NULL},
    {"export=b", "export=[b]@1;", NULL},
    {"export =b", "export=[b]@1;", NULL},
    {"export export=b", "export=[b]@1;", NULL},
    {"exportA=b", "exportA=[b]@1;", NULL},
    {"export A", NULL, "line 1 is neither a comment nor NAME=value"},
    {"export", NULL, "line 1 is neither"},
    {"export ", NULL, "line 1 is neither"},
    {"export export A=b", NULL, "line 1 is neither"},
    {"A", NULL, "line 1 is neither"},
    {"A=1\nabc\n", NULL, "line 2 is neither"},
    {"=b", NULL, "line 1 is neither"},
    {"A B=c", NULL, "line 1 is neither"},
    {"A:b", NULL, "line 1 is neither"},
    {"A\n=b", NULL, "line 1 is neither"},
    {"\xC3\x84=b", NULL, "line 1 is neither"},
    {"\"A\"=b", NULL, "line 1 is neither"},
    {"; A=b", NULL, "line 1 is neither"},
    {"\vA=b", NULL, "line 1 is neither"},
    /* unquoted values */
    {"A=", "A=[]@1;", NULL},
    {"A=  \t", "A=[]@1;", NULL},
    {"A=\nB=c", "A=[]@1;B=[c]@2;", NULL},
    {"A=\r\nB=c", "A=[]@1;B=[c]@2;", NULL},
    {"A=  b c  ", "A=[b c]@1;", NULL},
    {"A=b\t\t\r\n", "A=[b]@1;", NULL},
    {"A==", "A=[=]@1;", NULL},
    {"A=b=c", "A=[b=c]@1;", NULL},
    {"A=b # c", "A=[b]@1+C;", NULL},
    {"A=b\t#c", "A=[b]@1+C;", NULL},
    {"A=b #", "A=[b]@1+C;", NULL},
    {"A=b#c", "A=[b#c]@1+#;", NULL},
    {"A=b#c #d", "A=[b#c]@1+#C;", NULL},
    {"A=#b", "A=[#b]@1+#;", NULL},
    {"A= #b", "A=[]@1;", NULL},
    {"A=## #b", "A=[##]@1+#C;", NULL},
    {"A=b\"c\"", "A=[b\"c\"]@1;", NULL},
    {"A=it's", "A=[it's]@1;", NULL},
    {"A={\"k\": 1}", "A=[{\"k\": 1}]@1;", NULL},
    {"A=C:\\new", "A=[C:\\new]@1+B;", NULL},
    {"A=b\\", "A=[b\\]@1+B;", NULL},
    {"A=b\\\nC=d", "A=[b\\]@1+B;C=[d]@2;", NULL},
    {"A=$B", "A=[$B]@1+X;", NULL},
    {"A=x${B}y", "A=[x${B}y]@1+X;", NULL},
    {"A=$(id)", "A=[$(id)]@1+X;", NULL},
    {"A=`id`", "A=[`id`]@1+X;", NULL},
    {"A=$_", "A=[$_]@1+X;", NULL},
    {"A=$1", "A=[$1]@1+X;", NULL},
    {"A=$", "A=[$]@1;", NULL},
    {"A=$\nB=c", "A=[$]@1;B=[c]@2;", NULL},
    {"A=a$ b$.c$-", "A=[a$ b$.c$-]@1;", NULL},
    {"A=\xFF\x01", "A=[\xFF\x01]@1;", NULL},
    {"A=-----BEGIN X-----\nab\n", NULL, "line 1 begins a value of several lines"},
    {"B=1\nA=-----BEGIN", NULL, "line 2 begins a value of several lines"},
    {"A=-----BEGIN X-----\\nab\\n-----END X-----",
     "A=[-----BEGIN X-----\\nab\\n-----END X-----]@1+B;", NULL},
    /* single quotes */
    {"A=''", "A=[]@1;", NULL},
    {"A='b'", "A=[b]@1;", NULL},
    {"A=' b '", "A=[ b ]@1;", NULL},
    {"A='b' # c", "A=[b]@1;", NULL},
    {"A='b'#c", "A=[b]@1;", NULL},
    {"A='b' \t", "A=[b]@1;", NULL},
    {"A='$X ${Y} `z` \\n # \"'", "A=[$X ${Y} `z` \\n # \"]@1;", NULL},
    {"A='b\\'", "A=[b\\]@1;", NULL},
    {"A='b\nc'\nD=e", "A=[b\nc]@1;D=[e]@3;", NULL},
    {"A='b\r\nc'\r\nD=e", "A=[b\nc]@1+L;D=[e]@3;", NULL},
    {"A='\n\n'", "A=[\n\n]@1;", NULL},
    {"A='b'c", NULL, "line 1 has more text after the closing quote"},
    {"A='it'\\''s'", NULL, "line 1 has more text"},
    {"A='b\n'c", NULL, "line 2 has more text"},
    {"A='b", NULL, "line 1 opens a quote"},
    {"A=1\nB='x\n\n\nC=2\n", NULL, "line 2 opens a quote"},
    {"A='", NULL, "line 1 opens a quote"},
    /* double quotes */
    {"A=\"\"", "A=[]@1;", NULL},
    {"A=\"b 'c' # d\"", "A=[b 'c' # d]@1;", NULL},
    {"A=\"\\n\\r\\t\\\"\\\\\\$\"", "A=[\n\r\t\"\\$]@1;", NULL},
    {"A=\"\\$B\"", "A=[$B]@1;", NULL},
    {"A=\"\\\\$B\"", "A=[\\$B]@1+X;", NULL},
    {"A=\"$B\"", "A=[$B]@1+X;", NULL},
    {"A=\"${B}\"", "A=[${B}]@1+X;", NULL},
    {"A=\"a$\"", "A=[a$]@1;", NULL},
    {"A=\"`b`\"", "A=[`b`]@1+X;", NULL},
    {"A=\"b\nc\"\nD=e", "A=[b\nc]@1;D=[e]@3;", NULL},
    {"A=\"b\r\nc\"\r\nD=e", "A=[b\nc]@1+L;D=[e]@3;", NULL},
    {"A=\"b\\r\\nc\"", "A=[b\r\nc]@1;", NULL},
    {"A=\"-----BEGIN X-----\nab==\n-----END X-----\n\"\nB=c",
     "A=[-----BEGIN X-----\nab==\n-----END X-----\n]@1;B=[c]@5;", NULL},
    {"A=\"b\" c", NULL, "line 1 has more text"},
    {"A=\"b\"\"c\"", NULL, "line 1 has more text"},
    {"A=\"b", NULL, "line 1 opens a quote"},
    {"A=\"b\\\"", NULL, "line 1 opens a quote"},
    {"A=\"b\\", NULL, "line 1 has a backslash"},
    {"A=\"C:\\dir\"", NULL, "line 1 has a backslash"},
    {"A=\"x\n\\q\"", NULL, "line 2 has a backslash"},
    {"A=\"b\\\nc\"", NULL, "line 1 has a backslash"},
    {"A=\"b\\'c\"", NULL, "line 1 has a backslash"},
    {"A=\"b\\u0041\"", NULL, "line 1 has a backslash"},
    /* bytes that no line may hold */
    {"A=b\rC=d\n", NULL, "line 1 holds a carriage return"},
    {"A=1\nA=b\r", NULL, "line 2 holds a carriage return"},
    {"A='b\rc'", NULL, "line 1 holds a carriage return"},
    {"# b\rc", NULL, "line 1 holds a carriage return"},
    {"A=b\r\r\n", NULL, "line 1 holds a carriage return"},
};
#define N_ROWS (sizeof rows / sizeof rows[0])

static void test_table(void **state) {
  (void)state;
  for (size_t i = 0; i < N_ROWS; i++) {
    shown out = {.text = ""};
    kr_error error = {0};
    kr_str text = kr_str_cstr(rows[i].text);
    kr_status status = kr_env_read(text, show_entry, &out, &error);
    const char *difference = compare_env(text);
    if (difference != NULL)
      fail_msg("row %zu: %s", i, difference);
    if (status == KR_OK && (rows[i].shows == NULL || strcmp(out.text, rows[i].shows) != 0))
      fail_msg("row %zu: read as %s", i, out.text);
    if (status != KR_OK && (rows[i].error == NULL || status != KR_INVALID ||
                            strncmp(error.message, rows[i].error, strlen(rows[i].error)) != 0))
      fail_msg("row %zu: %s", i, error.message);
  }
  assert_true(N_ROWS >= 80);
}

static void test_nul(void **state) {
  (void)state;
  static const char *const texts[] = {"A=b\0c", "A='b\0c'", "#b\0c ", "\0A=b "};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    kr_error error = {0};
    shown out = {.text = ""};
    kr_str text = kr_str_from(texts[i], 5);
    assert_int_equal(kr_env_read(text, show_entry, &out, &error), KR_INVALID);
    assert_string_equal(error.message, "line 1 holds a NUL byte");
    assert_null(compare_env(text));
  }
}

/* ---- what is written comes back ---- */

static uint32_t seed = 12345;
static uint32_t next_random(uint32_t below) {
  seed = seed * 1664525u + 1013904223u;
  return (seed >> 8) % below;
}

static size_t random_value(char *out, size_t most) {
  static const char alphabet[] = "ab \t\n\r\"'\\$#`={}()\xC3\xA4\x01\xFF";
  size_t len = next_random((uint32_t)most);
  for (size_t i = 0; i < len; i++)
    out[i] = alphabet[next_random(sizeof alphabet - 1)];
  return len;
}

/* In double quotes, every byte that has an escape by its escape. */
static size_t write_quoted(char *out, const char *value, size_t len) {
  static const char plain[] = "\n\r\t\"\\$";
  static const char letters[] = "nrt\"\\$";
  size_t n = 0;
  out[n++] = '"';
  for (size_t i = 0; i < len; i++) {
    const char *found = strchr(plain, value[i]);
    if (found != NULL)
      out[n++] = '\\';
    out[n++] = found != NULL ? letters[found - plain] : value[i];
  }
  out[n++] = '"';
  return n;
}

typedef struct expected {
  const char *value;
  size_t len;
  size_t n_seen;
  unsigned notes;
} expected;

static kr_status see_value(void *ctx, const kr_env_entry *entry) {
  expected *wanted = ctx;
  assert_true(kr_str_equal(entry->value, kr_str_from(wanted->value, wanted->len)));
  wanted->notes = entry->notes;
  wanted->n_seen++;
  return KR_OK;
}

static void test_round_trip(void **state) {
  (void)state;
  for (size_t i = 0; i < 20000; i++) {
    char value[64];
    char text[256] = "KEY=";
    size_t len = random_value(value, sizeof value);
    size_t text_len = 4 + write_quoted(text + 4, value, len);
    expected wanted = {.value = value, .len = len};
    kr_error error = {0};
    if (kr_env_read(kr_str_from(text, text_len), see_value, &wanted, &error) != KR_OK)
      fail_msg("value %zu: %s", i, error.message);
    assert_int_equal(wanted.n_seen, 1);
    assert_null(compare_env(kr_str_from(text, text_len)));
  }
}

/* ---- any bytes: both readers agree ---- */

static void test_random_texts(void **state) {
  (void)state;
  static const char *const pieces[] = {
      "A", "=", "\n", "\r\n", " ",       "#",          "\"",           "'",        "\\", "$", "{",
      "`", "n", "b",  "\t",   "export ", "-----BEGIN", "\xEF\xBB\xBF", "-----END", "\r"};
  for (size_t i = 0; i < 40000; i++) {
    char text[512] = "";
    size_t n_pieces = next_random(24);
    for (size_t j = 0; j < n_pieces; j++)
      strcat(text, pieces[next_random(sizeof pieces / sizeof pieces[0])]);
    const char *difference = compare_env(kr_str_cstr(text));
    if (difference != NULL)
      fail_msg("%s: %s", difference, text);
  }
}

/* ---- limits ---- */

static kr_status count_entry(void *ctx, const kr_env_entry *entry) {
  (void)entry;
  ++*(size_t *)ctx;
  return KR_OK;
}

static void test_limits(void **state) {
  (void)state;
  size_t n_seen = 0;
  kr_error error = {0};
  char *text = malloc((size_t)KR_ENV_BYTES + 1);
  assert_non_null(text);
  memset(text, '\n', (size_t)KR_ENV_BYTES + 1);
  assert_int_equal(kr_env_read(kr_str_from(text, KR_ENV_BYTES), count_entry, &n_seen, &error),
                   KR_OK);
  assert_int_equal(
      kr_env_read(kr_str_from(text, (size_t)KR_ENV_BYTES + 1), count_entry, &n_seen, &error),
      KR_LIMIT);
  assert_string_equal(error.message, "the file is over 16 MiB");
  for (size_t i = 0; i <= KR_ENV_ENTRIES; i++)
    memcpy(text + i * 4, "A=b\n", 4);
  assert_int_equal(
      kr_env_read(kr_str_from(text, (size_t)KR_ENV_ENTRIES * 4), count_entry, &n_seen, &error),
      KR_OK);
  assert_int_equal(n_seen, KR_ENV_ENTRIES);
  assert_int_equal(kr_env_read(kr_str_from(text, ((size_t)KR_ENV_ENTRIES + 1) * 4), count_entry,
                               &n_seen, &error),
                   KR_LIMIT);
  assert_string_equal(error.message, "the file has more than 100000 entries");
  /* One value of the whole file, of what has to be decoded byte by byte. */
  memset(text, 'x', KR_ENV_BYTES);
  memcpy(text, "A=\"", 3);
  text[KR_ENV_BYTES - 1] = '"';
  assert_int_equal(kr_env_read(kr_str_from(text, KR_ENV_BYTES), count_entry, &n_seen, &error),
                   KR_OK);
  free(text);
}

static kr_status refuse_entry(void *ctx, const kr_env_entry *entry) {
  (void)entry;
  ++*(size_t *)ctx;
  return KR_REFUSED;
}

static void test_visitor_ends(void **state) {
  (void)state;
  size_t n_seen = 0;
  assert_int_equal(kr_env_read(kr_str_cstr("A=b\nC=d"), refuse_entry, &n_seen, NULL), KR_REFUSED);
  assert_int_equal(n_seen, 1);
}

static void test_refused_memory(void **state) {
  (void)state;
  size_t n = 0;
  for (;; n++) {
    shown out = {.text = ""};
    kr_error error = {0};
    assert_true(n < 100);
    kr_test_fail_at(n);
    kr_status status = kr_env_read(kr_str_cstr("A=\"b\\n\"\nB='c'\n"), show_entry, &out, &error);
    if (kr_test_fail_stop() == 0) {
      assert_int_equal(status, KR_OK);
      break;
    }
    assert_int_equal(status, KR_NOMEM);
  }
  assert_true(n > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),          cmocka_unit_test(test_nul),
      cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_random_texts),
      cmocka_unit_test(test_limits),         cmocka_unit_test(test_visitor_ends),
      cmocka_unit_test(test_refused_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
