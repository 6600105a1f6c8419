/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_swaps.c - values of several organizations, names and versions, each
 * presented as another's: as what stands at another place, and under another
 * data key. None opens, and all refusals are alike but for the name that was
 * asked for.
 */
#include "support.h"

#include <stdlib.h>

#define SWAPS 10000u

enum { N_ORGS = 3, N_NAMES = 6, N_VERSIONS = 4, N_PLACES = N_ORGS * N_NAMES * N_VERSIONS };

typedef struct place {
  uint32_t org_id;
  char name[16];
  uint32_t version;
  char value[32];
  kr_str record; /* on the heap */
} place;

static uint32_t next_random(void) {
  static uint64_t random = 0x9E3779B97F4A7C15u;
  random = random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(random >> 33);
}

static void fill(test_home *home, place *places) {
  size_t n = 0;
  for (size_t org = 0; org < N_ORGS; org++) {
    char org_name[16];
    (void)snprintf(org_name, sizeof org_name, "org-%zu", org);
    kr_org made = test_org(home, org_name);
    for (size_t name = 0; name < N_NAMES; name++)
      for (uint32_t version = 1; version <= N_VERSIONS; version++) {
        place *at = &places[n++];
        *at = (place){.org_id = made.id, .version = version};
        (void)snprintf(at->name, sizeof at->name, "NAME_%zu", name);
        (void)snprintf(at->value, sizeof at->value, "value %zu %zu %u", org, name, version);
        assert_int_equal(test_set(home, &made, at->name, at->value), version);
      }
  }
}

/* Look all records up; the copies belong to the caller. */
static void take_records(test_home *home, place *places) {
  test_dump dump = test_dump_store(home->store);
  for (size_t i = 0; i < N_PLACES; i++) {
    kr_vault_place key =
        kr_place_value(places[i].org_id, kr_str_cstr(places[i].name), places[i].version);
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
  kr_status status = kr_value_open(home->vault, txn, at->org_id, kr_str_cstr(at->name), at->version,
                                   record, &value, &home->error);
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

  size_t seen[3] = {0}; /* another organization, name, version */
  for (size_t i = 0; i < SWAPS; i++) {
    const place *at = &places[next_random() % N_PLACES];
    place from = places[next_random() % N_PLACES];
    if (i % 4 < 3) { /* differs in one thing only */
      size_t index = (size_t)(at - places);
      size_t step = i % 4 == 0 ? N_NAMES * N_VERSIONS : i % 4 == 1 ? N_VERSIONS : 1;
      size_t of = i % 4 == 0 ? N_ORGS : i % 4 == 1 ? N_NAMES : N_VERSIONS;
      size_t digit = index / step % of;
      from = places[index - digit * step + (digit + 1 + next_random() % (of - 1)) % of * step];
    }
    if (from.record.ptr == at->record.ptr)
      continue;
    seen[0] += from.org_id != at->org_id;
    seen[1] += strcmp(from.name, at->name) != 0;
    seen[2] += from.version != at->version;
    assert_refused_alike(home, open_as(home, txn, at, from.record), at);
  }
  for (size_t i = 0; i < 3; i++)
    assert_in_range(seen[i], SWAPS / 8, SWAPS);
  kr_store_abort(txn);
  for (size_t i = 0; i < N_PLACES; i++)
    free((void *)(uintptr_t)places[i].record.ptr);
}

/* Sealed right, at its own place, but under another organization's data key. */
static void sealed_under_another_key(void **state) {
  test_home *home = *state;
  kr_org one = test_org(home, "one");
  kr_org two = test_org(home, "two");
  place at = {.org_id = one.id, .name = "NAME", .version = 1, .value = "the value"};
  kr_store_txn *txn = test_begin(home, KR_STORE_READ);
  for (int is_own = 0; is_own < 2; is_own++) {
    kr_secret *key = NULL;
    KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_VAULT_RECORD_BYTES, NULL);
    assert_int_equal(
        kr_data_key_open(home->vault, txn, is_own ? one.id : two.id, 1, &key, &home->error), KR_OK);
    assert_int_equal(kr_value_seal(home->vault, key, 1, one.id, kr_str_cstr(at.name), 1,
                                   kr_str_cstr(at.value), &record, &home->error),
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
