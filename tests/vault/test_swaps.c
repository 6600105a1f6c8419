/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_swaps.c - values of several organizations, names, environments and versions, each
 * presented as another's: as what stands at another place, and under another
 * data key. None opens, and all refusals are alike but for the name that was
 * asked for.
 */
#include "support.h"

#include <stdlib.h>

#define SWAPS 10000u

/* A place's index counts organizations, names, environments and versions, the last fastest. */
enum { N_PARTS = 4, N_ORGS = 3, N_NAMES = 4, N_ENVIRONMENTS = 2, N_VERSIONS = 4 };
enum { N_PLACES = N_ORGS * N_NAMES * N_ENVIRONMENTS * N_VERSIONS };

static const size_t part_sizes[N_PARTS] = {N_ORGS, N_NAMES, N_ENVIRONMENTS, N_VERSIONS};
static const size_t part_steps[N_PARTS] = {N_NAMES * N_ENVIRONMENTS * N_VERSIONS,
                                           N_ENVIRONMENTS *N_VERSIONS, N_VERSIONS, 1};
static const char *const environments[N_ENVIRONMENTS] = {"", "live"};

typedef struct place {
  uint32_t org_id;
  char name[16];
  const char *environment;
  uint32_t version;
  char value[32];
  kr_str record; /* on the heap */
} place;

static uint32_t next_random(void) {
  static uint64_t random = 0x9E3779B97F4A7C15u;
  random = random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(random >> 33);
}

static void save(test_home *home, const kr_org *org, const place *at) {
  kr_secret *value = NULL;
  kr_secret_meta meta;
  size_t len = strlen(at->value);
  assert_int_equal(kr_secret_new(home->pool, len, &value), KR_OK);
  memcpy(kr_secret_writable(value), at->value, len);
  const kr_secret_saving saving = {.name = kr_str_cstr(at->name),
                                   .environment = kr_str_cstr(at->environment),
                                   .value = value,
                                   .by = KR_STR("test"),
                                   .now_ms = TEST_NOW_MS};
  kr_store_txn *txn = test_begin(home, KR_STORE_WRITE);
  assert_int_equal(kr_vault_secret_set(home->vault, txn, org, &saving, &meta, &home->error), KR_OK);
  test_commit(home, txn);
  assert_int_equal(meta.version, at->version);
  kr_secret_free(value);
}

static void fill(test_home *home, place *places) {
  kr_org org = {0};
  for (size_t i = 0; i < N_PLACES; i++) {
    size_t parts[N_PARTS];
    for (size_t part = 0; part < N_PARTS; part++)
      parts[part] = i / part_steps[part] % part_sizes[part];
    char org_name[32];
    (void)snprintf(org_name, sizeof org_name, "org-%zu", parts[0]);
    if (i % part_steps[0] == 0)
      org = test_org(home, org_name);
    places[i] = (place){
        .org_id = org.id, .environment = environments[parts[2]], .version = (uint32_t)parts[3] + 1};
    (void)snprintf(places[i].name, sizeof places[i].name, "NAME_%u", (unsigned)parts[1]);
    (void)snprintf(places[i].value, sizeof places[i].value, "value %zu", i);
    save(home, &org, &places[i]);
  }
}

/* Look all records up; the copies belong to the caller. */
static void take_records(test_home *home, place *places) {
  test_dump dump = test_dump_store(home->store);
  for (size_t i = 0; i < N_PLACES; i++) {
    kr_vault_place key = kr_place_value(places[i].org_id, kr_str_cstr(places[i].name),
                                        kr_str_cstr(places[i].environment), places[i].version);
    for (size_t j = 0; j < dump.count; j++)
      if (kr_str_equal(dump.records[j].key, kr_place_str(&key))) {
        places[i].record = dump.records[j].value;
        dump.records[j].value = kr_str_from(NULL, 0);
      }
    assert_non_null(places[i].record.ptr);
  }
  test_dump_free(&dump);
}

static kr_status open_as(test_home *home, kr_store_txn *txn, const place *at, kr_str record) {
  kr_secret *value = NULL;
  home->error = (kr_error){.status = KR_OK};
  const kr_value_name name = {.org_id = at->org_id,
                              .name = kr_str_cstr(at->name),
                              .environment = kr_str_cstr(at->environment),
                              .version = at->version};
  kr_status status = kr_value_open(home->vault, txn, &name, record, &value, &home->error);
  if (status == KR_OK)
    assert_true(kr_str_equal(kr_secret_reveal(value), kr_str_cstr(at->value)));
  else
    assert_null(value);
  kr_secret_free(value);
  return status;
}

static void assert_refused_alike(const test_home *home, kr_status status, const place *at) {
  char expected[128];
  (void)snprintf(expected, sizeof expected, "secret %s, version %u, fails its integrity check",
                 at->name, at->version);
  assert_int_equal(status, KR_CORRUPT);
  assert_string_equal(home->error.message, expected);
}

static void presented_as_another(void **state) {
  test_home *home = *state;
  static place places[N_PLACES];
  fill(home, places);
  take_records(home, places);
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  for (size_t i = 0; i < N_PLACES; i++)
    assert_int_equal(open_as(home, txn, &places[i], places[i].record), KR_OK);

  size_t n_refused = 0;
  for (size_t i = 0; i < SWAPS; i++) {
    size_t to = next_random() % N_PLACES;
    size_t from = next_random() % N_PLACES;
    size_t part = i % (N_PARTS + 1);
    if (part < N_PARTS) { /* differs in this part only */
      size_t digit = to / part_steps[part] % part_sizes[part];
      size_t other = (digit + 1 + next_random() % (part_sizes[part] - 1)) % part_sizes[part];
      from = to - digit * part_steps[part] + other * part_steps[part];
    }
    if (from == to)
      continue;
    assert_refused_alike(home, open_as(home, txn, &places[to], places[from].record), &places[to]);
    n_refused++;
  }
  assert_in_range(n_refused, SWAPS - SWAPS / 20, SWAPS);
  kr_store_abort(txn);
  for (size_t i = 0; i < N_PLACES; i++)
    free((void *)(uintptr_t)places[i].record.ptr);
}

/* Sealed right, at its own place, but under another organization's data key. */
static void sealed_under_another_key(void **state) {
  test_home *home = *state;
  kr_org one = test_org(home, "one");
  kr_org two = test_org(home, "two");
  place at = {
      .org_id = one.id, .name = "NAME", .environment = "", .version = 1, .value = "the value"};
  const kr_value_name name = {.org_id = one.id, .name = kr_str_cstr(at.name), .version = 1};
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  for (int is_own = 0; is_own < 2; is_own++) {
    kr_secret *key = NULL;
    KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_VAULT_RECORD_BYTES, NULL);
    assert_int_equal(
        kr_data_key_open(home->vault, txn, is_own ? one.id : two.id, 1, &key, &home->error), KR_OK);
    assert_int_equal(
        kr_value_seal(home->vault, key, 1, &name, kr_str_cstr(at.value), &record, &home->error),
        KR_OK);
    kr_secret_free(key);
    kr_status status = open_as(home, txn, &at, kr_buf_str(&record));
    if (is_own)
      assert_int_equal(status, KR_OK);
    else
      assert_refused_alike(home, status, &at);
  }
  kr_store_abort(txn);
}

int main(void) {
#define WITH_HOME(test) cmocka_unit_test_setup_teardown(test, test_home_setup, test_home_teardown)
  const struct CMUnitTest tests[] = {
      WITH_HOME(presented_as_another),
      WITH_HOME(sealed_under_another_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
