/* SPDX-License-Identifier: Apache-2.0 */
/* test_vault.c - the vault in use: names, organizations, versions, metadata, opening, keyless. */
#include "vault/support.h"

#include <stdlib.h>

/* ---- names, descriptions, values: tables ---- */

static const char name_128[] = "A123456789A123456789A123456789A123456789A123456789A123456789A1234"
                               "56789A123456789A123456789A123456789A123456789A123456789AAAAAAAA";

typedef struct name_row {
  const char *name;
  const char *given;
  kr_status status;
  const char *hint; /* must be in the hint */
} name_row;

static const name_row name_rows[] = {
    {"name: one letter", "A", KR_OK, ""},
    {"name: all kinds", "CRM_API_KEY_2", KR_OK, ""},
    {"name: digit first", "2FA", KR_OK, ""},
    {"name: underscore only", "_", KR_OK, ""},
    {"name: 128", name_128, KR_OK, ""},
    {"name: empty", "", KR_INVALID, ""},
    {"name: lower case", "crm-key", KR_INVALID, "CRM_KEY"},
    {"name: capital first", "Crm.Key-12", KR_INVALID, "CRM_KEY_12"},
    {"name: blank", "A B", KR_INVALID, "A_B"},
    {"name: dot", "A.B", KR_INVALID, "A_B"},
    {"name: UTF-8", "\xC3\x84", KR_INVALID, ""},
    {"name: dollar", "$secret.A", KR_INVALID, "_SECRET_A"},
};

static void run_name(void **state) {
  const name_row *row = *state;
  kr_error error = {0};
  kr_status status = kr_vault_name_check(kr_str_cstr(row->given), &error);
  assert_int_equal(status, row->status);
  assert_non_null(strstr(error.hint, row->hint));
}

/* What may be a value is not shown in upper case. */
static void test_values_are_not_suggested(void **state) {
  (void)state;
  static const char *const values[] = {
      "kq3Rz8Lm2xWv",     "sk-live-4f9zqlm2xw8",
      "Open-sEsame-now",  "ABc-def",
      "deadbeef0a1b",     "c2VzYW1l+/==",
      "a \"quoted\" one", "seven-words-of-a-passphrase-that-was-long"};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    kr_error error = {0};
    assert_int_equal(kr_vault_name_check(kr_str_cstr(values[i]), &error), KR_INVALID);
    assert_string_equal(error.hint, "");
  }
}

static void test_name_too_long(void **state) {
  (void)state;
  char name[130];
  memset(name, 'A', sizeof name);
  assert_int_equal(kr_vault_name_check(kr_str_from(name, 128), NULL), KR_OK);
  assert_int_equal(kr_vault_name_check(kr_str_from(name, 129), NULL), KR_INVALID);
}

typedef struct org_row {
  const char *name;
  const char *given;
  kr_status status;
} org_row;

static const org_row org_rows[] = {
    {"org: plain", "default", KR_OK},
    {"org: digits and dash", "4-you", KR_OK},
    {"org: dash first", "-a", KR_INVALID},
    {"org: upper case", "Acme", KR_INVALID},
    {"org: empty", "", KR_INVALID},
    {"org: slash", "a/b", KR_INVALID},
    {"org: 64", "a123456789a123456789a123456789a123456789a123456789a123456789a123", KR_OK},
    {"org: 65", "a123456789a123456789a123456789a123456789a123456789a123456789a1234", KR_INVALID},
};

static void run_org(void **state) {
  const org_row *row = *state;
  void *inner = NULL;
  (void)test_home_setup(&inner);
  test_home *home = inner;
  kr_org org;
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_vault_org_create(home->vault, txn, kr_str_cstr(row->given), TEST_NOW_MS, &org,
                                       &home->error),
                   row->status);
  kr_store_abort(txn);
  (void)test_home_teardown(&inner);
}

typedef struct value_row {
  const char *name;
  kr_str value;
  const char *description;
  kr_status status;
} value_row;

/* KR_STR for static tables: a compound literal is no constant. */
#define TEXT(literal)                                                                              \
  { (const uint8_t *)("" literal), sizeof(literal) - 1 }

static const value_row value_rows[] = {
    {"value: one byte", TEXT("x"), NULL, KR_OK},
    {"value: with zeros inside", TEXT("a\0b\0"), NULL, KR_OK},
    {"value: not UTF-8", TEXT("\xff\xfe"), NULL, KR_OK},
    {"value: blanks at the edges", TEXT("  x  "), NULL, KR_OK},
    {"value: 59 bytes", TEXT("12345678901234567890123456789012345678901234567890123456789"), NULL,
     KR_OK},
    {"value: 60 bytes fill a bucket",
     TEXT("123456789012345678901234567890123456789012345678901234567890"), NULL, KR_OK},
    {"value: 61 bytes", TEXT("1234567890123456789012345678901234567890123456789012345678901"), NULL,
     KR_OK},
    {"value: empty", TEXT(""), NULL, KR_INVALID},
    {"value: blank", TEXT(" \t\r\n"), NULL, KR_INVALID},
    {"value: marker", TEXT("[REDACTED]"), NULL, KR_INVALID},
    {"value: stars", TEXT("********"), NULL, KR_INVALID},
    {"value: nine stars", TEXT("*********"), NULL, KR_OK},
    {"description: text", TEXT("x"), "for the CRM \xE2\x82\xAC", KR_OK},
    {"description: empty", TEXT("x"), "", KR_OK},
    {"description: newline", TEXT("x"), "a\nb", KR_INVALID},
    {"description: C1 control", TEXT("x"), "a\xC2\x85", KR_INVALID},
    {"description: not UTF-8", TEXT("x"), "\xff", KR_INVALID},
};

static void run_value(void **state) {
  const value_row *row = *state;
  void *inner = NULL;
  (void)test_home_setup(&inner);
  test_home *home = inner;
  kr_org org = test_org(home, "default");
  kr_secret_meta meta = {.version = 0};
  kr_status status = test_try_set(home, &org, "KEY", row->value, row->description, &meta);
  assert_int_equal(status, row->status);
  test_reopen(home);
  if (status == KR_OK) {
    assert_int_equal(meta.version, 1);
    assert_string_equal(meta.description, row->description == NULL ? "" : row->description);
    assert_int_equal(test_open(home, &org, "KEY", 0, row->value), KR_OK);
  } else {
    assert_int_equal(test_open(home, &org, "KEY", 0, row->value), KR_NOT_FOUND);
  }
  (void)test_home_teardown(&inner);
}

static void test_value_sizes(void **state) {
  test_home *home = *state;
  static const size_t sizes[] = {1, 4028, 4032, 4092, 4096, 4097, 65535, 65536};
  kr_org org = test_org(home, "default");
  uint8_t *bytes = malloc(KR_VAULT_VALUE_BYTES + 1);
  assert_non_null(bytes);
  for (size_t i = 0; i <= KR_VAULT_VALUE_BYTES; i++)
    bytes[i] = (uint8_t)(i * 31 + 7);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    kr_str value = kr_str_from(bytes, sizes[i]);
    assert_int_equal(test_try_set(home, &org, "BIG", value, NULL, NULL), KR_OK);
    assert_int_equal(test_open(home, &org, "BIG", 0, value), KR_OK);
  }
  kr_str over = kr_str_from(bytes, KR_VAULT_VALUE_BYTES + 1);
  assert_int_equal(test_try_set(home, &org, "BIG", over, NULL, NULL), KR_LIMIT);
  assert_null(strstr(home->error.message, "65537"));
  free(bytes);
}

static void test_description_limit(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  char text[KR_VAULT_DESCRIPTION_BYTES + 2];
  memset(text, 'd', sizeof text);
  text[KR_VAULT_DESCRIPTION_BYTES + 1] = '\0';
  assert_int_equal(test_try_set(home, &org, "A", KR_STR("v"), text, NULL), KR_LIMIT);
  text[KR_VAULT_DESCRIPTION_BYTES] = '\0';
  assert_int_equal(test_try_set(home, &org, "A", KR_STR("v"), text, NULL), KR_OK);
}

/* ---- organizations ---- */

static void test_org_exists(void **state) {
  test_home *home = *state;
  kr_org first = test_org(home, "acme");
  kr_org again;
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(
      kr_vault_org_create(home->vault, txn, KR_STR("acme"), TEST_NOW_MS, &again, &home->error),
      KR_EXISTS);
  kr_store_abort(txn);
  txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_vault_org_find(home->vault, txn, KR_STR("acme"), &again, NULL), KR_OK);
  assert_int_equal(again.id, first.id);
  assert_int_equal(again.created_ms, TEST_NOW_MS);
  assert_int_equal(kr_vault_org_find(home->vault, txn, KR_STR("amce"), &again, &home->error),
                   KR_NOT_FOUND);
  assert_non_null(strstr(home->error.hint, "acme"));
  kr_store_abort(txn);
}

static kr_status collect_org(void *ctx, const kr_org *org) {
  kr_buf *names = ctx;
  return kr_buf_printf(names, "%s ", org->name);
}

static void test_org_order(void **state) {
  test_home *home = *state;
  (void)test_org(home, "b");
  (void)test_org(home, "a");
  (void)test_org(home, "a1");
  test_reopen(home);
  KR_CLEANUP(kr_buf_done) kr_buf names = KR_BUF_INIT(1000, NULL);
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_vault_org_each(home->vault, txn, collect_org, &names, NULL), KR_OK);
  kr_store_abort(txn);
  assert_true(kr_str_equal(kr_buf_str(&names), KR_STR("a a1 b ")));
}

static void test_orgs_are_apart(void **state) {
  test_home *home = *state;
  kr_org a = test_org(home, "a");
  kr_org b = test_org(home, "b");
  (void)test_set(home, &a, "ONLY_A", "value-of-a");
  (void)test_set(home, &a, "BOTH", "both-of-a");
  (void)test_set(home, &b, "BOTH", "both-of-b");
  test_reopen(home);
  assert_int_equal(test_open(home, &b, "ONLY_A", 0, KR_STR("value-of-a")), KR_NOT_FOUND);
  assert_int_equal(test_open(home, &b, "BOTH", 0, KR_STR("both-of-b")), KR_OK);
  assert_int_equal(test_open(home, &a, "BOTH", 0, KR_STR("both-of-a")), KR_OK);
  /* The nearest name of another organization is not offered. */
  assert_int_equal(test_open(home, &b, "ONLY_B", 0, KR_STR("")), KR_NOT_FOUND);
  assert_null(strstr(home->error.hint, "ONLY_A"));
  test_delete(home, &a, "BOTH");
  assert_int_equal(test_open(home, &b, "BOTH", 0, KR_STR("both-of-b")), KR_OK);
}

/* ---- versions, metadata ---- */

static void test_versions_kept(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  char value[32];
  for (uint32_t i = 1; i <= 13; i++) {
    (void)snprintf(value, sizeof value, "value-%u", i);
    assert_int_equal(test_set(home, &org, "KEY", value), i);
  }
  test_reopen(home);
  for (uint32_t i = 1; i <= 13; i++) {
    (void)snprintf(value, sizeof value, "value-%u", i);
    assert_int_equal(test_open(home, &org, "KEY", i, kr_str_cstr(value)),
                     i <= 3 ? KR_NOT_FOUND : KR_OK);
  }
  kr_secret_meta meta;
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(
      kr_vault_secret_meta(home->vault, txn, &org, KR_STR("KEY"), KR_STR(""), &meta, NULL), KR_OK);
  kr_store_abort(txn);
  assert_int_equal(meta.version, 13);
  assert_int_equal(meta.oldest, 4);
  /* One data key, one metadata record, ten values, and the four records above them. */
  test_dump dump = test_dump_store(home->store);
  assert_int_equal(dump.count, 1 + 1 + KR_VAULT_VERSIONS_KEPT + 4);
  test_dump_free(&dump);
  assert_int_equal(test_verify(home, &org), KR_OK);
}

static void test_description_kept(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  kr_secret_meta meta;
  assert_int_equal(test_try_set(home, &org, "KEY", KR_STR("v1"), "first", &meta), KR_OK);
  assert_int_equal(test_try_set(home, &org, "KEY", KR_STR("v2"), NULL, &meta), KR_OK);
  assert_string_equal(meta.description, "first");
  assert_int_equal(test_try_set(home, &org, "KEY", KR_STR("v3"), "", &meta), KR_OK);
  assert_string_equal(meta.description, "");
}

static void test_delete_and_again(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  (void)test_set(home, &org, "KEY", "one");
  (void)test_set(home, &org, "KEY", "two");
  test_delete(home, &org, "KEY");
  assert_int_equal(test_open(home, &org, "KEY", 0, KR_STR("two")), KR_NOT_FOUND);
  assert_int_equal(test_set(home, &org, "KEY", "three"), 1);
  test_reopen(home);
  assert_int_equal(test_open(home, &org, "KEY", 0, KR_STR("three")), KR_OK);
  assert_int_equal(test_verify(home, &org), KR_OK);
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(
      kr_vault_secret_delete(home->vault, txn, &org, KR_STR("KEX"), KR_STR(""), &home->error),
      KR_NOT_FOUND);
  kr_store_abort(txn);
  assert_non_null(strstr(home->error.hint, "KEY"));
}

static uint64_t generation_of(test_home *home, const kr_org *org) {
  uint64_t generation = 0;
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_vault_generation(home->vault, txn, org, &generation, NULL), KR_OK);
  kr_store_abort(txn);
  return generation;
}

static void test_generation(void **state) {
  test_home *home = *state;
  kr_org a = test_org(home, "a");
  kr_org b = test_org(home, "b");
  uint64_t first = generation_of(home, &a);
  uint64_t other = generation_of(home, &b);
  (void)test_set(home, &a, "KEY", "one");
  uint64_t second = generation_of(home, &a);
  test_delete(home, &a, "KEY");
  uint64_t third = generation_of(home, &a);
  assert_true(first < second && second < third);
  assert_int_equal(generation_of(home, &b), other);
}

static kr_status collect_secret(void *ctx, const kr_secret_meta *meta) {
  return kr_buf_printf(ctx, "%s:%u ", meta->name, meta->version);
}

static void test_each(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  (void)test_set(home, &org, "B", "one");
  (void)test_set(home, &org, "A", "one");
  (void)test_set(home, &org, "A", "two");
  (void)test_set(home, &org, "A_LONGER", "one");
  KR_CLEANUP(kr_buf_done) kr_buf names = KR_BUF_INIT(1000, NULL);
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_vault_secret_each(home->vault, txn, &org, collect_secret, &names, NULL),
                   KR_OK);
  kr_store_abort(txn);
  assert_true(kr_str_equal(kr_buf_str(&names), KR_STR("A:2 A_LONGER:1 B:1 ")));
}

/* The limit is a number in the manifest: write one that is full, as the vault would. */
static void test_secrets_limit(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  (void)test_set(home, &org, "KEY", "one");
  kr_change change;
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_change_begin(&change, home->vault, txn, &org, NULL), KR_OK);
  change.manifest.n_secrets = KR_VAULT_SECRETS_MAX;
  assert_int_equal(kr_change_end(&change, NULL), KR_OK);
  test_commit(home, txn);
  assert_int_equal(test_try_set(home, &org, "NEW", KR_STR("v"), NULL, NULL), KR_LIMIT);
  assert_int_equal(test_set(home, &org, "KEY", "two"), 2);
}

static void test_org_ids_limit(void **state) {
  test_home *home = *state;
  kr_vault_head head;
  kr_org org;
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_head_read(home->vault, txn, &head, NULL), KR_OK);
  head.next_org_id = KR_VAULT_ORG_ID_MAX;
  assert_int_equal(kr_head_write(home->vault, txn, &head, NULL), KR_OK);
  assert_int_equal(kr_vault_org_create(home->vault, txn, KR_STR("a"), 0, &org, NULL), KR_OK);
  assert_int_equal(kr_vault_org_create(home->vault, txn, KR_STR("b"), 0, &org, NULL), KR_LIMIT);
  kr_store_abort(txn);
}

/* ---- keyless ---- */

static void test_keyless(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  assert_int_equal(test_try_set(home, &org, "KEY", KR_STR("v"), "text", NULL), KR_OK);
  kr_vault_free(home->vault);
  home->vault = NULL;
  assert_int_equal(kr_vault_open(home->store, NULL, home->pool, &home->vault, &home->error), KR_OK);
  assert_false(kr_vault_has_key(home->vault));
  assert_null(kr_vault_record_key(home->vault));
  assert_null(kr_vault_chain_key(home->vault));
  kr_secret_meta meta;
  kr_org found;
  uint64_t generation = 0;
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_vault_org_find(home->vault, txn, KR_STR("default"), &found, NULL), KR_OK);
  assert_int_equal(
      kr_vault_secret_meta(home->vault, txn, &org, KR_STR("KEY"), KR_STR(""), &meta, NULL), KR_OK);
  assert_string_equal(meta.description, "text");
  assert_int_equal(kr_vault_generation(home->vault, txn, &org, &generation, NULL), KR_OK);
  assert_int_equal(generation, 2);
  assert_int_equal(kr_vault_org_verify(home->vault, txn, &org, NULL), KR_UNTRUSTED);
  assert_int_equal(kr_vault_secret_delete(home->vault, txn, &org, KR_STR("KEY"), KR_STR(""), NULL),
                   KR_UNTRUSTED);
  assert_int_equal(kr_vault_org_create(home->vault, txn, KR_STR("b"), 0, &found, NULL),
                   KR_UNTRUSTED);
  kr_store_abort(txn);
  assert_int_equal(test_open(home, &org, "KEY", 0, KR_STR("v")), KR_UNTRUSTED);
  assert_int_equal(test_try_set(home, &org, "KEY", KR_STR("w"), NULL, NULL), KR_UNTRUSTED);
}

/* ---- threads ---- */

#define N_THREADS 4
#define N_OPENS 50

typedef struct worker {
  test_home *home;
  kr_org org;
  size_t n_right;
} worker;

/* First use, by several at once: each in a transaction of its own. No asserts off the main thread.
 */
static void *work(void *argument) {
  worker *self = argument;
  for (size_t i = 0; i < N_OPENS; i++) {
    KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
    KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
    if (kr_store_begin(self->home->store, KR_STORE_READ, &txn, NULL) != KR_OK ||
        kr_vault_secret_open(self->home->vault, txn, &self->org, KR_STR("KEY"), KR_STR(""), 0,
                             &value, NULL, NULL) != KR_OK)
      continue;
    self->n_right += kr_str_equal(kr_secret_reveal(value), kr_str_cstr(self->org.name));
  }
  return NULL;
}

static void test_threads(void **state) {
  test_home *home = *state;
  worker workers[N_THREADS];
  pthread_t threads[N_THREADS];
  static const char *const names[N_THREADS] = {"a", "b", "c", "d"};
  for (size_t i = 0; i < N_THREADS; i++) {
    workers[i] = (worker){.home = home, .org = test_org(home, names[i])};
    (void)test_set(home, &workers[i].org, "KEY", names[i]);
  }
  test_reopen(home);
  for (size_t i = 0; i < N_THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
  for (size_t i = 0; i < N_THREADS; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (size_t i = 0; i < N_THREADS; i++)
    assert_int_equal(workers[i].n_right, N_OPENS);
}

/* ---- main ---- */

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct CMUnitTest single_tests[] = {
    cmocka_unit_test(test_values_are_not_suggested),
    cmocka_unit_test(test_name_too_long),
#define HOME_TEST(function)                                                                        \
  cmocka_unit_test_setup_teardown(function, test_home_setup, test_home_teardown)
    HOME_TEST(test_value_sizes),
    HOME_TEST(test_description_limit),
    HOME_TEST(test_org_exists),
    HOME_TEST(test_org_order),
    HOME_TEST(test_orgs_are_apart),
    HOME_TEST(test_versions_kept),
    HOME_TEST(test_description_kept),
    HOME_TEST(test_delete_and_again),
    HOME_TEST(test_generation),
    HOME_TEST(test_each),
    HOME_TEST(test_secrets_limit),
    HOME_TEST(test_org_ids_limit),
    HOME_TEST(test_keyless),
    HOME_TEST(test_threads),
};

int main(void) {
  static struct CMUnitTest
      tests[COUNT(name_rows) + COUNT(org_rows) + COUNT(value_rows) + COUNT(single_tests)];
  size_t n = 0;
  for (size_t i = 0; i < COUNT(name_rows); i++)
    tests[n++] = (struct CMUnitTest){name_rows[i].name, run_name, NULL, NULL,
                                     (void *)(uintptr_t)&name_rows[i]};
  for (size_t i = 0; i < COUNT(org_rows); i++)
    tests[n++] =
        (struct CMUnitTest){org_rows[i].name, run_org, NULL, NULL, (void *)(uintptr_t)&org_rows[i]};
  for (size_t i = 0; i < COUNT(value_rows); i++)
    tests[n++] = (struct CMUnitTest){value_rows[i].name, run_value, NULL, NULL,
                                     (void *)(uintptr_t)&value_rows[i]};
  memcpy(tests + n, single_tests, sizeof single_tests);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
