/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_import.c - importing into a home: what each entry becomes, all or
 * nothing, what the audit says, JSON in all its wrong forms, many secrets at
 * once, refused memory. Values are looked for in the files of the home.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/engine.h"
#include "engine/fixture.h"
#include "support/failalloc.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

static void note(char *notes, size_t size, const char *format, ...) KR_PRINTF(3, 4);
static void note(char *notes, size_t size, const char *format, ...) {
  va_list args;
  size_t len = strlen(notes);
  va_start(args, format);
  (void)vsnprintf(notes + len, size - len, format, args);
  va_end(args);
}

static char rows[8192];

/* "3 NAME new" ... one row after another. */
static kr_status show_row(void *ctx, const kr_import_row *row) {
  (void)ctx;
  static const char *const outcomes[] = {"new", "replaces", "same", "refused"};
  note(rows, sizeof rows, "%zu %s %s", row->line, row->name[0] == '\0' ? "-" : row->name,
       outcomes[row->outcome]);
  if (row->version != 0 || row->new_version != 0)
    note(rows, sizeof rows, " %u>%u", row->version, row->new_version);
  if (row->notes != 0)
    note(rows, sizeof rows, " notes %u", row->notes);
  if (row->duplicate_of[0] != '\0')
    note(rows, sizeof rows, " like %s", row->duplicate_of);
  if (row->hint[0] != '\0')
    note(rows, sizeof rows, " (%s)", row->hint);
  note(rows, sizeof rows, "\n");
  return KR_OK;
}

static kr_status import(fixture *self, const char *org, kr_import_format format, const char *file,
                        bool replace, bool is_dry, kr_error *error) {
  const kr_import_options options = {
      .org = text(org), .format = format, .replace = replace, .is_dry = is_dry};
  rows[0] = '\0';
  return kr_engine_secret_import(self->engine, &options, text(file), show_row, NULL, error);
}

static void must(fixture *self, kr_import_format format, const char *file, bool replace,
                 bool is_dry, const char *expected) {
  kr_error error = {0};
  kr_status status = import(self, "default", format, file, replace, is_dry, &error);
  if (status != KR_OK)
    fail_msg("%s (%s)", error.message, error.hint);
  assert_string_equal(rows, expected);
}

static kr_status show_audit(void *ctx, const kr_audit_entry *entry) {
  char *out = ctx;
  note(out, 4096, "%.*s %.*s", KR_FMT(entry->action), KR_FMT(entry->subject));
  for (size_t i = 0; i < entry->n_changes; i++)
    note(out, 4096, " %.*s:%.*s>%.*s", KR_FMT(entry->changes[i].field),
         KR_FMT(entry->changes[i].old_value), KR_FMT(entry->changes[i].new_value));
  note(out, 4096, "\n");
  return KR_OK;
}

static void audit_ends(fixture *self, const char *expected) {
  char shown[4096] = "";
  kr_error error = {0};
  kr_store_txn *txn = NULL;
  assert_int_equal(kr_store_begin(self->engine->vault_store, KR_STORE_READ, &txn, &error), KR_OK);
  assert_int_equal(
      kr_registry_audit_each(&self->engine->registry, txn, 1, show_audit, shown, &error), KR_OK);
  kr_store_abort(txn);
  size_t len = strlen(shown);
  if (len < strlen(expected) || strcmp(shown + len - strlen(expected), expected) != 0)
    fail_msg("the audit says:\n%s", shown);
}

/* The newest value of a secret, as the vault opens it. */
static void value_is(fixture *self, const char *name, const char *expected) {
  kr_org org = {0};
  kr_error error = {0};
  kr_store_txn *txn = NULL;
  kr_secret *value = NULL;
  assert_int_equal(kr_engine_org(self->engine, text("default"), &org, &error), KR_OK);
  assert_int_equal(kr_store_begin(self->engine->vault_store, KR_STORE_READ, &txn, &error), KR_OK);
  kr_status status = kr_vault_secret_open(self->engine->vault, txn, &org, text(name), (kr_str){0},
                                          0, &value, NULL, &error);
  if (status != KR_OK)
    fail_msg("%s", error.message);
  kr_str bytes = kr_secret_reveal(value);
  assert_int_equal(bytes.len, strlen(expected));
  assert_memory_equal(bytes.ptr, expected, bytes.len);
  kr_secret_free(value);
  kr_store_abort(txn);
}

static kr_status count_secret(void *ctx, const kr_secret_info *info) {
  (void)info;
  ++*(size_t *)ctx;
  return KR_OK;
}

static size_t n_secrets(fixture *self) {
  size_t n = 0;
  kr_error error = {0};
  assert_int_equal(kr_engine_secret_each(self->engine, text("default"), count_secret, &n, &error),
                   KR_OK);
  return n;
}

static void test_saves_all(void **state) {
  fixture *self = *state;
  must(self, KR_IMPORT_ENV, "A_KEY=value-one # x\nB_KEY=\"two\\nlines $X\"\n", false, true,
       "1 A_KEY new notes 4\n2 B_KEY new notes 1\n");
  assert_int_equal(n_secrets(self), 0);
  must(self, KR_IMPORT_ENV, "A_KEY=value-one # x\nB_KEY=\"two\\nlines $X\"\n", false, false,
       "1 A_KEY new 0>1 notes 4\n2 B_KEY new 0>1 notes 1\n");
  audit_ends(self, "secret.create A_KEY version:>1\nsecret.create B_KEY version:>1\n");
  fixture_reopen(self);
  value_is(self, "A_KEY", "value-one");
  value_is(self, "B_KEY", "two\nlines $X");
  assert_false(fixture_home_holds(self, "value-one"));
  assert_false(fixture_home_holds(self, "lines $X"));
}

static void test_same_and_other_values(void **state) {
  fixture *self = *state;
  kr_error error = {0};
  fixture_secret(self, "default", "SAME", "the-same-value");
  fixture_secret(self, "default", "OTHER", "old-value");
  const char *file = "SAME=the-same-value\nOTHER=new-value\nFRESH=fresh-value\n";
  assert_int_equal(import(self, "default", KR_IMPORT_ENV, file, false, false, &error), KR_EXISTS);
  assert_string_equal(error.message, "1 of 3 secrets are saved with another value");
  assert_string_equal(rows, "1 SAME same 1>0\n2 OTHER replaces 1>0\n3 FRESH new\n");
  audit_ends(self, "secrets.compare newest versions opened:>2\n");
  assert_int_equal(n_secrets(self), 2);
  value_is(self, "OTHER", "old-value");
  must(self, KR_IMPORT_ENV, file, true, true,
       "1 SAME same 1>0\n2 OTHER replaces 1>0\n3 FRESH new\n");
  value_is(self, "OTHER", "old-value");
  must(self, KR_IMPORT_ENV, file, true, false,
       "1 SAME same 1>0\n2 OTHER replaces 1>2\n3 FRESH new 0>1\n");
  audit_ends(self, "secrets.compare newest versions opened:>2\n"
                   "secret.create FRESH version:>1\nsecret.replace OTHER version:1>2\n");
  value_is(self, "OTHER", "new-value");
  must(self, KR_IMPORT_ENV, file, true, false,
       "1 SAME same 1>0\n2 OTHER same 2>0\n3 FRESH same 1>0\n");
}

static void test_organizations_are_apart(void **state) {
  fixture *self = *state;
  kr_error error = {0};
  assert_int_equal(kr_engine_org_create(self->engine, text("acme"), &error), KR_OK);
  fixture_secret(self, "acme", "KEY", "value-of-acme");
  must(self, KR_IMPORT_ENV, "KEY=value-of-acme\nTWO=value-two", false, false,
       "1 KEY new 0>1\n2 TWO new 0>1\n");
  assert_int_equal(import(self, "nobody", KR_IMPORT_ENV, "A=bcde", false, false, &error),
                   KR_NOT_FOUND);
}

/* The same name in another environment is another secret. */
static void test_environments_are_apart(void **state) {
  fixture *self = *state;
  kr_error error = {0};
  kr_import_options options = {.org = text("default"), .environment = text("staging")};
  fixture_secret(self, "default", "KEY", "value-of-default");
  rows[0] = '\0';
  assert_int_equal(kr_engine_secret_import(self->engine, &options,
                                           text("KEY=value-of-staging\nTWIN=value-of-default"),
                                           show_row, NULL, &error),
                   KR_OK);
  assert_string_equal(rows, "1 KEY new 0>1\n2 TWIN new 0>1\n");
  audit_ends(self, "secret.create KEY@staging version:>1\nsecret.create TWIN@staging version:>1\n");
  value_is(self, "KEY", "value-of-default");
  must(self, KR_IMPORT_ENV, "KEY=value-of-default", false, false, "1 KEY same 1>0 like TWIN\n");
  options.environment = text("no such");
  assert_int_equal(
      kr_engine_secret_import(self->engine, &options, text("A=bcde"), show_row, NULL, &error),
      KR_INVALID);
}

static void test_duplicates(void **state) {
  fixture *self = *state;
  fixture_secret(self, "default", "OLD", "value-that-is-old");
  must(self, KR_IMPORT_ENV,
       "A=value-twice\nB=value-that-is-old\nC=value-twice\nD=unlike\nOLD=value-that-is-old\n",
       false, true,
       "1 A new like C\n2 B new like OLD\n3 C new like A\n4 D new\n5 OLD same 1>0 like B\n");
  must(self, KR_IMPORT_ENV, "B=value-that-is-old\nC=value-that-is-ol\n", false, true,
       "1 B new like OLD\n2 C new\n");
}

static kr_status set(fixture *self, const char *name, const char *value,
                     kr_secret_set_result *result) {
  kr_secret *secret = NULL;
  kr_error error = {0};
  assert_int_equal(kr_secret_copy(self->engine, text(value), &secret, &error), KR_OK);
  kr_status status = kr_engine_secret_set(self->engine, text("default"), text(name), (kr_str){0},
                                          secret, (kr_str){0}, result, &error);
  kr_secret_free(secret);
  return status;
}

static void test_set_says_what_is_a_duplicate(void **state) {
  fixture *self = *state;
  kr_secret_set_result result = {0};
  assert_int_equal(set(self, "FIRST", "value-one", &result), KR_OK);
  assert_string_equal(result.duplicate_of, "");
  audit_ends(self, "secret.create FIRST version:>1\n");
  assert_int_equal(set(self, "SECOND", "value-one", &result), KR_OK);
  assert_string_equal(result.duplicate_of, "FIRST");
  audit_ends(self, "secrets.compare newest versions opened:>1\nsecret.create SECOND version:>1\n");
  assert_int_equal(set(self, "SECOND", "value-two", &result), KR_OK);
  assert_string_equal(result.duplicate_of, "");
  /* Only newest versions count, and never those of the secret itself. */
  assert_int_equal(set(self, "FIRST", "value-one", &result), KR_OK);
  assert_string_equal(result.duplicate_of, "");
  assert_int_equal(set(self, "THIRD", "value-onf", &result), KR_OK);
  assert_string_equal(result.duplicate_of, "");
}

typedef struct bad_row {
  kr_import_format format;
  const char *file;
  const char *message;
  const char *shows;
} bad_row;

static const bad_row bad_rows[] = {
    {KR_IMPORT_ENV, "", "there is no entry in it", ""},
    {KR_IMPORT_ENV, "# nothing\n", "there is no entry in it", ""},
    {KR_IMPORT_ENV, "A=bcde\nB\n", "line 2 is neither a comment nor NAME=value", ""},
    {KR_IMPORT_ENV, "A=bcde\nB=x\n\nA=cdef\n", "lines 1 and 4 give the same name", ""},
    {KR_IMPORT_ENV, "A=bcde\nB=\n", "1 of 2 entries cannot be saved",
     "1 A new\n2 B refused (to remove a secret, delete it)\n"},
    {KR_IMPORT_ENV, "A='  '", "1 of 1 entries cannot be saved",
     "1 A refused (to remove a secret, delete it)\n"},
    {KR_IMPORT_ENV, "A=[REDACTED]", "1 of 1 entries cannot be saved",
     "1 A refused (type the value itself, or leave the secret as it is)\n"},
    {KR_IMPORT_ENV, "crm-key=abcd\nCRM_KEY=abcd", "1 of 2 entries cannot be saved",
     "1 - refused (use CRM_KEY)\n2 CRM_KEY new\n"},
    {KR_IMPORT_ENV, "A=bcde\nq83vEjRWeJCrze8=\n", "1 of 2 entries cannot be saved",
     "1 A new\n2 - refused (if this line is part of a value, put quotes around the whole value)\n"},
    {KR_IMPORT_ENV, "q83vEjRWeJCrzQ==", "1 of 1 entries cannot be saved",
     "1 - refused (if this line is part of a value, put quotes around the whole value)\n"},
    {KR_IMPORT_JSON, "", "line 1: ", ""},
    {KR_IMPORT_JSON, "{}", "there is no entry in it", ""},
    {KR_IMPORT_JSON, "[\"a\"]", "line 1: the document is not an object", ""},
    {KR_IMPORT_JSON, "{\"A\":1}", "line 1: a value is no string (number)", ""},
    {KR_IMPORT_JSON, "{\"A\":\"bcde\",\n\"B\":true}", "line 2: a value is no string (boolean)", ""},
    {KR_IMPORT_JSON, "{\"A\":null}", "line 1: a value is no string (null)", ""},
    {KR_IMPORT_JSON, "{\"A\":[\"b\"]}", "line 1: a value is no string (array)", ""},
    {KR_IMPORT_JSON, "{\"A\":{\"value\":7}}", "line 1: a value is no string (number)", ""},
    {KR_IMPORT_JSON, "{\"A\":{}}", "line 1: exactly one of ", ""},
    {KR_IMPORT_JSON, "{\"A\":{\"value\":\"b\",\"value_b64\":\"YQ==\"}}", "line 1: exactly one of ",
     ""},
    {KR_IMPORT_JSON, "{\"A\":{\"value\":\"bcde\",\"descripton\":\"x\"}}",
     "line 1: there is a member that is not known", ""},
    {KR_IMPORT_JSON, "{\"A\":{\"value\":\"bcde\",\"description\":1}}",
     "line 1: a description is no string", ""},
    {KR_IMPORT_JSON, "{\"A\":{\"value_b64\":\"a*b\"}}", "line 1: a value_b64 is not base64", ""},
    {KR_IMPORT_JSON, "{\"A\":\"b\",\n\"A\":\"c\"}", "line 2: a key occurs twice in one object", ""},
    {KR_IMPORT_JSON, "{\"A\":\"\xFF\"}", "line 1: a string is not valid UTF-8", ""},
    {KR_IMPORT_JSON, "{\"A\":\"b\"} x", "line 1: more text after the JSON value", ""},
    {KR_IMPORT_JSON, "{\"A\":{\"value\":{\"x\":{}}}}", "line 1: arrays and objects are nested", ""},
    {KR_IMPORT_JSON, "{\"crm-key\":\"bcde\",\"a4Fq\":\"bcde\",\"\":\"bcde\"}",
     "3 of 3 entries cannot be saved", "1 - refused (use CRM_KEY)\n1 - refused\n1 - refused\n"},
    {KR_IMPORT_JSON, "{\"A\":{\"value\":\"bcdefgh\",\"description\":\"is bcdefgh\"}}",
     "1 of 1 entries cannot be saved",
     "1 A refused (descriptions are not encrypted; give another one)\n"},
    {KR_IMPORT_JSON,
     "{\"A\":{\"value\":\"bcdefgh\"},\"B\":{\"value\":\"xyzuvw\",\"description\":\"see bcdefgh\"}}",
     "1 of 2 entries cannot be saved",
     "1 A new\n1 B refused (descriptions are not encrypted; give another one)\n"},
    {KR_IMPORT_JSON, "{\"A\":{\"value\":\"bcde\",\"description\":\"a\\nb\"}}",
     "1 of 1 entries cannot be saved", "1 A refused (write it on one line)\n"},
};

/* What is wrong is said, nothing of it is saved, whether or not it was to be. */
static void test_refusals(void **state) {
  fixture *self = *state;
  for (size_t i = 0; i < sizeof bad_rows / sizeof bad_rows[0]; i++)
    for (int is_dry = 0; is_dry < 2; is_dry++) {
      const bad_row *row = &bad_rows[i];
      kr_error error = {0};
      kr_status status = import(self, "default", row->format, row->file, true, is_dry == 1, &error);
      bool says = strncmp(error.message, row->message, strlen(row->message)) == 0;
      if ((status != KR_INVALID && status != KR_LIMIT) || !says)
        fail_msg("row %zu: %s: %s", i, kr_status_name(status), error.message);
      if (strcmp(rows, row->shows) != 0)
        fail_msg("row %zu shows %s", i, rows);
      assert_int_equal(n_secrets(self), 0);
    }
}

static void test_json(void **state) {
  fixture *self = *state;
  must(self, KR_IMPORT_JSON,
       "{\n \"PLAIN\": \"a\\u00e4\\n\",\n \"BYTES\": {\"value_b64\": \"/wD+/Q==\"},\n"
       " \"TOLD\": {\"description\": \"what for\", \"value\": \"told-value\"}\n}\n",
       false, false, "2 PLAIN new 0>1 notes 64\n3 BYTES new 0>1\n4 TOLD new 0>1\n");
  value_is(self, "PLAIN", "a\xC3\xA4\n");
  value_is(self, "TOLD", "told-value");
  audit_ends(self, "secret.create TOLD version:>1 description:>what for\n");
  /* The same value: left alone, and so is its description, which is said. */
  must(self, KR_IMPORT_JSON, "{\"TOLD\": {\"value\": \"told-value\", \"description\": \"else\"}}",
       false, false, "1 TOLD same 1>0 notes 256\n");
  /* Another value keeps the description unless one is given. */
  must(self, KR_IMPORT_JSON, "{\"TOLD\": \"value-two\"}", true, false, "1 TOLD replaces 1>2\n");
  audit_ends(self, "secret.replace TOLD version:1>2\n");
  must(self, KR_IMPORT_JSON, "{\"TOLD\": {\"value\": \"value-three\", \"description\": \"\"}}",
       true, false, "1 TOLD replaces 2>3\n");
  audit_ends(self, "secret.replace TOLD version:2>3 description:what for>\n");
  /* A description that is kept may not hold the new value either. */
  must(self, KR_IMPORT_JSON, "{\"TOLD\": {\"value\": \"value-4\", \"description\": \"hunter-2\"}}",
       true, false, "1 TOLD replaces 3>4\n");
  kr_error error = {0};
  assert_int_equal(
      import(self, "default", KR_IMPORT_JSON, "{\"TOLD\": \"hunter-2\"}", true, false, &error),
      KR_INVALID);
}

static void test_value_at_its_limit(void **state) {
  fixture *self = *state;
  char *file = malloc(KR_VAULT_VALUE_BYTES + 8);
  kr_error error = {0};
  assert_non_null(file);
  memcpy(file, "A=", 2);
  memset(file + 2, 'x', KR_VAULT_VALUE_BYTES + 1);
  file[2 + KR_VAULT_VALUE_BYTES + 1] = '\0';
  assert_int_equal(import(self, "default", KR_IMPORT_ENV, file, false, false, &error), KR_INVALID);
  file[2 + KR_VAULT_VALUE_BYTES] = '\0';
  assert_int_equal(import(self, "default", KR_IMPORT_ENV, file, false, false, &error), KR_OK);
  free(file);
}

#define N_MANY 3000

/* One transaction: all in one generation step of the store's file, and each in the audit. */
static void test_many(void **state) {
  fixture *self = *state;
  char *file = malloc(N_MANY * 48);
  size_t len = 0;
  kr_error error = {0};
  assert_non_null(file);
  for (size_t i = 0; i < N_MANY; i++)
    len += (size_t)sprintf(file + len, "KEY_%zu=value-of-many-%zu\n", i, i);
  const kr_import_options options = {.org = text("default")};
  kr_status status =
      kr_engine_secret_import(self->engine, &options, kr_str_from(file, len), NULL, NULL, &error);
  free(file);
  if (status != KR_OK)
    fail_msg("%s", error.message);
  fixture_reopen(self);
  assert_int_equal(n_secrets(self), N_MANY);
  value_is(self, "KEY_2999", "value-of-many-2999");
  must(self, KR_IMPORT_ENV, "NEW=value-of-many-17", false, true, "1 NEW new like KEY_17\n");
}

static kr_status end_rows(void *ctx, const kr_import_row *row) {
  (void)row;
  ++*(size_t *)ctx;
  return KR_REFUSED;
}

static void test_visitor_ends(void **state) {
  fixture *self = *state;
  size_t n = 0;
  kr_error error = {0};
  const kr_import_options options = {.org = text("default"), .is_dry = true};
  assert_int_equal(
      kr_engine_secret_import(self->engine, &options, text("A=bcde\nB=cdef"), end_rows, &n, &error),
      KR_REFUSED);
  assert_int_equal(n, 1);
}

/* Refused memory is KR_NOMEM, all or nothing, and no locked memory is lost. */
static void test_refused_memory(void **state) {
  fixture *self = *state;
  static const char file[] = "{\"OLD\":{\"value\":\"new-value\",\"description\":\"x\"},"
                             "\"FRESH\":{\"value_b64\":\"YWJjZGU=\"},\"bad\":\"x\"}";
  static const char good[] = "{\"OLD\":{\"value\":\"new-value\",\"description\":\"x\"},"
                             "\"FRESH\":{\"value_b64\":\"YWJjZGU=\"}}";
  fixture_secret(self, "default", "OLD", "old-value");
  size_t used = kr_secure_used(self->engine->pool);
  for (int is_good = 0; is_good < 2; is_good++) {
    kr_status wanted = is_good ? KR_OK : KR_INVALID;
    size_t n = 0;
    for (;; n++) {
      kr_error error = {0};
      assert_true(n < 20000);
      kr_test_fail_at(n);
      kr_status status =
          import(self, "default", KR_IMPORT_JSON, is_good ? good : file, true, false, &error);
      size_t n_refused = kr_test_fail_stop();
      if (status != KR_NOMEM && status != wanted)
        fail_msg("allocation %zu: %s: %s", n, kr_status_name(status), error.message);
      assert_int_equal(kr_secure_used(self->engine->pool), used);
      assert_int_equal(n_secrets(self), status == KR_OK ? 2 : 1);
      if (n_refused == 0 || status == KR_OK)
        break;
    }
    assert_true(n > 10);
  }
  value_is(self, "OLD", "new-value");
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_saves_all),
                                     TEST(test_same_and_other_values),
                                     TEST(test_organizations_are_apart),
                                     TEST(test_environments_are_apart),
                                     TEST(test_duplicates),
                                     TEST(test_set_says_what_is_a_duplicate),
                                     TEST(test_refusals),
                                     TEST(test_json),
                                     TEST(test_value_at_its_limit),
                                     TEST(test_many),
                                     TEST(test_visitor_ends),
                                     TEST(test_refused_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
