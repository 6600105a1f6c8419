/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tamper.c - the store changed behind the vault's back: every byte of
 * every record, records moved, put back, removed, added. The rule: never a
 * wrong value; and what can still be opened is reported by org_verify.
 */
#include "vault/support.h"

#include <stdlib.h>

#define HOME_TEST(function)                                                                        \
  cmocka_unit_test_setup_teardown(function, test_home_setup, test_home_teardown)

static bool is_refusal(kr_status status) {
  return status == KR_CORRUPT || status == KR_UNSUPPORTED || status == KR_UNTRUSTED;
}

/* Opens the vault anew and tries everything; the first refusal, or KR_OK. */
static kr_status try_all(test_home *home) {
  static const char *const orgs[] = {"a", "b"};
  kr_vault_free(home->vault);
  home->vault = NULL;
  KR_TRY(kr_vault_open(home->store, home->keyring, home->pool, &home->vault, &home->error));
  for (size_t i = 0; i < 2; i++) {
    kr_org org;
    kr_store_txn *txn = test_begin(home, KR_STORE_READ);
    kr_status status =
        kr_vault_org_find(home->vault, txn, kr_str_cstr(orgs[i]), &org, &home->error);
    kr_store_abort(txn);
    KR_TRY(status);
    char value[16];
    for (uint32_t version = 1; version <= 2; version++) {
      (void)snprintf(value, sizeof value, "%s-value-%u", orgs[i], version);
      KR_TRY(test_open(home, &org, "KEY", version, kr_str_cstr(value)));
    }
    KR_TRY(test_verify(home, &org));
  }
  return KR_OK;
}

static void fill(test_home *home) {
  kr_org a = test_org(home, "a");
  kr_org b = test_org(home, "b");
  (void)test_set(home, &a, "KEY", "a-value-1");
  (void)test_set(home, &a, "KEY", "a-value-2");
  (void)test_set(home, &b, "KEY", "b-value-1");
  (void)test_set(home, &b, "KEY", "b-value-2");
}

static void test_every_byte(void **state) {
  test_home *home = *state;
  fill(home);
  assert_int_equal(try_all(home), KR_OK);
  test_dump dump = test_dump_store(home->store);
  size_t n_flips = 0;
  for (size_t i = 0; i < dump.count; i++) {
    kr_str value = dump.records[i].value;
    uint8_t *bytes = malloc(value.len);
    assert_non_null(bytes);
    for (size_t at = 0; at < value.len; at++) {
      memcpy(bytes, value.ptr, value.len);
      bytes[at] ^= (uint8_t)(1u << (at % 8));
      test_raw_put(home->store, dump.records[i].key, kr_str_from(bytes, value.len));
      kr_status status = try_all(home);
      if (!is_refusal(status))
        fail_msg("record %zu, byte %zu: %s", i, at, kr_status_name(status));
      n_flips++;
    }
    free(bytes);
    test_raw_put(home->store, dump.records[i].key, value);
  }
  assert_true(n_flips > 1500);
  assert_int_equal(try_all(home), KR_OK);
  test_dump_free(&dump);
}

static void test_every_length(void **state) {
  test_home *home = *state;
  fill(home);
  test_dump dump = test_dump_store(home->store);
  for (size_t i = 0; i < dump.count; i++) {
    kr_str value = dump.records[i].value;
    for (size_t len = 0; len < value.len; len++) {
      test_raw_put(home->store, dump.records[i].key, kr_str_slice(value, 0, len));
      if (!is_refusal(try_all(home)))
        fail_msg("record %zu cut to %zu bytes", i, len);
    }
    test_raw_put(home->store, dump.records[i].key, value);
  }
  test_dump_free(&dump);
}

static void test_every_removal(void **state) {
  test_home *home = *state;
  fill(home);
  test_dump dump = test_dump_store(home->store);
  for (size_t i = 0; i < dump.count; i++) {
    test_raw_remove(home->store, dump.records[i].key);
    kr_status status = try_all(home);
    /* Without its root record a store is not a vault at all. */
    bool is_root = kr_str_equal(dump.records[i].key, KR_STR("v0"));
    if (is_root ? status != KR_NOT_FOUND : status != KR_CORRUPT)
      fail_msg("record %zu removed: %s", i, kr_status_name(status));
    test_raw_put(home->store, dump.records[i].key, dump.records[i].value);
  }
  assert_int_equal(try_all(home), KR_OK);
  test_dump_free(&dump);
}

/* Every record at the place of every other. */
static void test_every_move(void **state) {
  test_home *home = *state;
  fill(home);
  test_dump dump = test_dump_store(home->store);
  for (size_t i = 0; i < dump.count; i++) {
    for (size_t j = 0; j < dump.count; j++) {
      if (i == j)
        continue;
      test_raw_put(home->store, dump.records[i].key, dump.records[j].value);
      if (!is_refusal(try_all(home)))
        fail_msg("record %zu at the place of record %zu", j, i);
    }
    test_raw_put(home->store, dump.records[i].key, dump.records[i].value);
  }
  test_dump_free(&dump);
}

/* A value moved in a vault whose organization was checked before: the envelope itself refuses. */
typedef struct move_row {
  const char *name;
  const char *from_name;
  uint32_t from_version;
  bool is_other_org;
} move_row;

static const move_row move_rows[] = {
    {"moved to another version", "KEY", 1, false},
    {"moved to another name", "OTHER", 2, false},
    {"moved to another organization", "KEY", 2, true},
};

static void run_move(void **state) {
  const move_row *row = *state;
  void *inner = NULL;
  (void)test_home_setup(&inner);
  test_home *home = inner;
  fill(home);
  kr_org a = {.id = 1, .name = "a"};
  kr_org b = {.id = 2, .name = "b"};
  (void)test_set(home, &a, "OTHER", "other-1");
  (void)test_set(home, &a, "OTHER", "other-2");
  assert_int_equal(test_open(home, &a, "KEY", 2, KR_STR("a-value-2")), KR_OK);
  kr_vault_place from = kr_place_value(row->is_other_org ? b.id : a.id, kr_str_cstr(row->from_name),
                                       KR_STR(""), row->from_version);
  kr_vault_place to = kr_place_value(a.id, KR_STR("KEY"), KR_STR(""), 2);
  test_dump dump = test_dump_store(home->store);
  for (size_t i = 0; i < dump.count; i++)
    if (kr_str_equal(dump.records[i].key, kr_place_str(&from)))
      test_raw_put(home->store, kr_place_str(&to), dump.records[i].value);
  test_dump_free(&dump);
  assert_int_equal(test_open(home, &a, "KEY", 2, KR_STR("a-value-2")), KR_CORRUPT);
  (void)test_home_teardown(&inner);
}

/* Sealed under the very same data key, but for another place or another vault: each part of the
 * associated data counts by itself. */
typedef struct context_row {
  const char *name;
  uint32_t org_id;
  const char *secret;
  const char *environment;
  uint32_t version;
  uint8_t uuid_change;
  kr_status status;
} context_row;

static const context_row context_rows[] = {
    {"sealed for this place", 1, "KEY", "", 2, 0, KR_OK},
    {"sealed for another organization", 2, "KEY", "", 2, 0, KR_CORRUPT},
    {"sealed for another name", 1, "KEX", "", 2, 0, KR_CORRUPT},
    {"sealed for another environment", 1, "KEY", "staging", 2, 0, KR_CORRUPT},
    {"sealed for another version", 1, "KEY", "", 1, 0, KR_CORRUPT},
    {"sealed for another vault", 1, "KEY", "", 2, 1, KR_CORRUPT},
};

static void run_context(void **state) {
  const context_row *row = *state;
  void *inner = NULL;
  (void)test_home_setup(&inner);
  test_home *home = inner;
  fill(home);
  kr_org a = {.id = 1, .name = "a"};
  assert_int_equal(test_open(home, &a, "KEY", 2, KR_STR("a-value-2")), KR_OK);
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(1000, NULL);
  kr_secret *data_key = NULL;
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  assert_int_equal(kr_data_key_open(home->vault, txn, 1, 1, &data_key, NULL), KR_OK);
  kr_store_abort(txn);
  home->vault->uuid[0] ^= row->uuid_change;
  assert_int_equal(kr_value_seal(home->vault, data_key, 1,
                                 &(kr_value_name){row->org_id, kr_str_cstr(row->secret),
                                                  kr_str_cstr(row->environment), row->version},
                                 KR_STR("planted"), &record, NULL),
                   KR_OK);
  home->vault->uuid[0] ^= row->uuid_change;
  kr_secret_free(data_key);
  kr_vault_place place = kr_place_value(1, KR_STR("KEY"), KR_STR(""), 2);
  test_raw_put(home->store, kr_place_str(&place), kr_buf_str(&record));
  assert_int_equal(test_open(home, &a, "KEY", 2, KR_STR("planted")), row->status);
  (void)test_home_teardown(&inner);
}

/* Without the key nothing is verified, so anything may stand there: it is still well-formed or
 * refused. */
static void test_keyless_garbage(void **state) {
  test_home *home = *state;
  fill(home);
  kr_org a = {.id = 1, .name = "a"};
  kr_secret_meta meta;
  kr_vault_place place = kr_place_meta(1, KR_STR("KEY"), KR_STR(""));
  kr_vault_free(home->vault);
  home->vault = NULL;
  assert_int_equal(kr_vault_open(home->store, NULL, home->pool, &home->vault, NULL), KR_OK);
  static const struct {
    uint8_t n;
    uint32_t first, second, from;
    const char *description;
    const char *hosts;
    uint8_t positions;
    uint32_t min_search;
    uint8_t keep;
    kr_status status;
  } rows[] = {
      {2, 1, 2, 0, "fine", "", 0, 0, 10, KR_OK},
      {2, 1, 2, 1, "all", "api.example.com *.example.org [::1]", 15, 64, 50, KR_OK},
      {2, 2, 1, 0, "falling", "", 0, 0, 10, KR_CORRUPT},
      {2, 2, 2, 0, "twice", "", 0, 0, 10, KR_CORRUPT},
      {0, 1, 2, 0, "none", "", 0, 0, 10, KR_CORRUPT},
      {51, 1, 2, 0, "many", "", 0, 0, 10, KR_CORRUPT},
      {2, 0, 1, 0, "version 0", "", 0, 0, 10, KR_CORRUPT},
      {2, 1, 2, 2, "from itself", "", 0, 0, 10, KR_CORRUPT},
      {2, 1, 2, 0, "a\nb", "", 0, 0, 10, KR_CORRUPT},
      {2, 1, 2, 0, "\xff", "", 0, 0, 10, KR_CORRUPT},
      {2, 1, 2, 0, "host", "https://api.example.com", 0, 0, 10, KR_CORRUPT},
      {2, 1, 2, 0, "host", "api.example.com ", 0, 0, 10, KR_CORRUPT},
      {2, 1, 2, 0, "host", "API.example.com", 0, 0, 10, KR_CORRUPT},
      {2, 1, 2, 0, "position", "", 16, 0, 10, KR_CORRUPT},
      {2, 1, 2, 0, "search", "", 0, 65, 10, KR_CORRUPT},
      {2, 1, 2, 0, "keep", "", 0, 0, 0, KR_CORRUPT},
      {2, 1, 2, 0, "keep", "", 0, 0, 51, KR_CORRUPT},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    KR_CLEANUP(kr_buf_done) kr_buf bytes = KR_BUF_INIT(1000, NULL);
    kr_status status = kr_wire_put_u64(&bytes, 1);
    status |= kr_wire_put_str(&bytes, KR_STR("a"));
    status |= kr_wire_put_u64(&bytes, 2);
    status |= kr_wire_put_str(&bytes, KR_STR("b"));
    status |= kr_wire_put_str(&bytes, kr_str_cstr(rows[i].description));
    status |= kr_wire_put_u64(&bytes, 3);
    status |= kr_wire_put_str(&bytes, kr_str_cstr(rows[i].hosts));
    status |= kr_wire_put_u8(&bytes, rows[i].positions);
    status |= kr_wire_put_u32(&bytes, rows[i].min_search);
    status |= kr_wire_put_u8(&bytes, rows[i].keep);
    status |= kr_wire_put_u8(&bytes, rows[i].n);
    status |= kr_wire_put_u32(&bytes, rows[i].first);
    status |= kr_wire_put_u64(&bytes, 1);
    status |= kr_wire_put_u32(&bytes, 0);
    status |= kr_wire_put_str(&bytes, KR_STR("c"));
    status |= kr_wire_put_u32(&bytes, rows[i].second);
    status |= kr_wire_put_u64(&bytes, 1);
    status |= kr_wire_put_u32(&bytes, rows[i].from);
    status |= kr_wire_put_str(&bytes, KR_STR("d"));
    status |= kr_buf_append(&bytes, KR_STR("no MAC, but 32 bytes of something"));
    bytes.len--;
    assert_int_equal(status, KR_OK);
    test_raw_put(home->store, kr_place_str(&place), kr_buf_str(&bytes));
    kr_store_txn *txn = test_begin(home, KR_STORE_READ);
    assert_int_equal(
        kr_vault_secret_meta(home->vault, txn, &a, KR_STR("KEY"), KR_STR(""), &meta, NULL),
        rows[i].status);
    kr_store_abort(txn);
  }
}

/* Old records put back one at a time, and an organization as a whole. */
static void test_rollback_record(void **state) {
  test_home *home = *state;
  fill(home);
  kr_org a = {.id = 1, .name = "a"};
  (void)test_set(home, &a, "KEY", "a-value-3");
  test_dump old = test_dump_store(home->store);
  (void)test_set(home, &a, "KEY", "a-value-4");
  test_delete(home, &a, "KEY");
  (void)test_set(home, &a, "KEY", "a-value-1");
  (void)test_set(home, &a, "KEY", "a-value-2");
  test_dump now = test_dump_store(home->store);
  assert_int_equal(try_all(home), KR_OK);
  size_t n_tried = 0;
  for (size_t i = 0; i < old.count; i++) {
    size_t j = 0;
    while (j < now.count && !kr_str_equal(now.records[j].key, old.records[i].key))
      j++;
    if (j < now.count && kr_str_equal(now.records[j].value, old.records[i].value))
      continue;
    test_raw_put(home->store, old.records[i].key, old.records[i].value);
    if (try_all(home) != KR_CORRUPT)
      fail_msg("old record %zu was accepted", i);
    n_tried++;
    test_restore_store(home->store, &now);
  }
  assert_true(n_tried >= 5); /* head, manifest, metadata, values 1, 2 and 3 */
  assert_int_equal(try_all(home), KR_OK);
  test_dump_free(&old);
  test_dump_free(&now);
}

static bool is_of_org(kr_str key, uint8_t id) {
  return key.len >= 6 && key.ptr[0] == 'v' && memchr("mksv", key.ptr[1], 4) != NULL &&
         key.ptr[5] == id;
}

/* The records of organization 1 as they were before its KEY got a third version. */
static void put_org_back(test_home *home, const test_dump *old) {
  kr_vault_place added = kr_place_value(1, KR_STR("KEY"), KR_STR(""), 3);
  for (size_t i = 0; i < old->count; i++)
    if (is_of_org(old->records[i].key, 1))
      test_raw_put(home->store, old->records[i].key, old->records[i].value);
  test_raw_remove(home->store, kr_place_str(&added));
}

/* All records of one organization and its manifest: consistent, but older than the head. */
static void test_rollback_org(void **state) {
  test_home *home = *state;
  fill(home);
  kr_org a = {.id = 1, .name = "a"};
  test_dump old = test_dump_store(home->store);
  (void)test_set(home, &a, "KEY", "a-value-3");
  test_reopen(home);
  assert_int_equal(test_open(home, &a, "KEY", 0, KR_STR("a-value-3")), KR_OK);
  put_org_back(home, &old);
  /* The open vault notices that the generation went back; so does a new one, and verify. */
  assert_int_equal(test_open(home, &a, "KEY", 0, KR_STR("a-value-2")), KR_CORRUPT);
  test_reopen(home);
  assert_int_equal(test_open(home, &a, "KEY", 0, KR_STR("a-value-2")), KR_CORRUPT);
  assert_int_equal(test_verify(home, &a), KR_CORRUPT);
  test_dump_free(&old);
}

/* Back to the very state in which this vault saw the organization first. */
static void test_rollback_to_first_use(void **state) {
  test_home *home = *state;
  fill(home);
  kr_org a = {.id = 1, .name = "a"};
  test_reopen(home);
  assert_int_equal(test_open(home, &a, "KEY", 0, KR_STR("a-value-2")), KR_OK);
  test_dump old = test_dump_store(home->store);
  (void)test_set(home, &a, "KEY", "a-value-3");
  assert_int_equal(test_open(home, &a, "KEY", 0, KR_STR("a-value-3")), KR_OK);
  put_org_back(home, &old);
  assert_int_equal(test_open(home, &a, "KEY", 0, KR_STR("a-value-2")), KR_CORRUPT);
  test_dump_free(&old);
}

/* An organization hidden whole: record, manifest and all. */
static void test_org_removed(void **state) {
  test_home *home = *state;
  fill(home);
  test_dump dump = test_dump_store(home->store);
  for (size_t i = 0; i < dump.count; i++)
    if (is_of_org(dump.records[i].key, 2) || kr_str_equal(dump.records[i].key, KR_STR("vob")))
      test_raw_remove(home->store, dump.records[i].key);
  test_dump_free(&dump);
  test_reopen(home);
  kr_org a = {.id = 1, .name = "a"};
  assert_int_equal(test_open(home, &a, "KEY", 0, KR_STR("a-value-2")), KR_CORRUPT);
}

/* Verify names the damaged record. */
static void test_verify_names(void **state) {
  test_home *home = *state;
  fill(home);
  kr_org a = {.id = 1, .name = "a"};
  kr_vault_place place = kr_place_value(1, KR_STR("KEY"), KR_STR(""), 1);
  test_raw_put(home->store, kr_place_str(&place), KR_STR("\0\0\0\1garbage"));
  assert_int_equal(test_verify(home, &a), KR_CORRUPT);
  assert_non_null(strstr(home->error.message, "KEY, version 1"));
}

/* A reader with an older snapshot is no rollback. */
static void test_old_snapshot(void **state) {
  test_home *home = *state;
  fill(home);
  kr_org a = {.id = 1, .name = "a"};
  assert_int_equal(test_open(home, &a, "KEY", 0, KR_STR("a-value-2")), KR_OK);
  kr_vault_seen *entry = &home->vault->seen[0];
  assert_int_equal(entry->org_id, 1);
  entry->high += 5; /* as if this process had read a newer state already */
  assert_int_equal(test_open(home, &a, "KEY", 0, KR_STR("a-value-2")), KR_OK);
  assert_int_equal(test_open(home, &a, "KEY", 1, KR_STR("a-value-1")), KR_OK);
}

/* ---- sums ---- */

static void test_sum_arithmetic(void **state) {
  (void)state;
  kr_sum sum = {{0}};
  kr_sum one = {{0}};
  kr_sum all = {{0}};
  one.bytes[KR_VAULT_SUM_BYTES - 1] = 1;
  memset(all.bytes, 0xFF, sizeof all.bytes);
  kr_sum_subtract(&sum, &one); /* 0 - 1 = 2^256 - 1 */
  assert_memory_equal(sum.bytes, all.bytes, sizeof sum.bytes);
  kr_sum_add(&sum, &one);
  for (size_t i = 0; i < sizeof sum.bytes; i++)
    assert_int_equal(sum.bytes[i], 0);
  kr_sum_add(&sum, &all);
  kr_sum_add(&sum, &all); /* 2 * (2^256 - 1) = 2^256 - 2 */
  assert_int_equal(sum.bytes[KR_VAULT_SUM_BYTES - 1], 0xFE);
  assert_int_equal(sum.bytes[0], 0xFF);
}

static const struct CMUnitTest single_tests[] = {
    HOME_TEST(test_every_byte),
    HOME_TEST(test_every_length),
    HOME_TEST(test_every_removal),
    HOME_TEST(test_every_move),
    HOME_TEST(test_rollback_record),
    HOME_TEST(test_rollback_org),
    HOME_TEST(test_rollback_to_first_use),
    HOME_TEST(test_org_removed),
    HOME_TEST(test_verify_names),
    HOME_TEST(test_keyless_garbage),
    HOME_TEST(test_old_snapshot),
    cmocka_unit_test(test_sum_arithmetic),
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

int main(void) {
  static struct CMUnitTest tests[COUNT(move_rows) + COUNT(context_rows) + COUNT(single_tests)];
  size_t n = 0;
  for (size_t i = 0; i < COUNT(context_rows); i++)
    tests[n++] = (struct CMUnitTest){context_rows[i].name, run_context, NULL, NULL,
                                     (void *)(uintptr_t)&context_rows[i]};
  for (size_t i = 0; i < COUNT(move_rows); i++)
    tests[n++] = (struct CMUnitTest){move_rows[i].name, run_move, NULL, NULL,
                                     (void *)(uintptr_t)&move_rows[i]};
  memcpy(tests + n, single_tests, sizeof single_tests);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
