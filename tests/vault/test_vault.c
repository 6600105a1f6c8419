/* SPDX-License-Identifier: Apache-2.0 */
/* test_vault.c - the vault in use: organizations, versions, metadata, opening, keyless. */
#include "support.h"

static void test_round_trip(void **state) {
  test_home *home = *state;
  kr_org org = test_org(home, "default");
  assert_int_equal(test_set(home, &org, "CRM_API_KEY", "s3cret-value-1"), 1);
  assert_int_equal(test_set(home, &org, "CRM_API_KEY", "s3cret-value-2"), 2);
  test_reopen(home);
  assert_int_equal(test_open(home, &org, "CRM_API_KEY", 0, KR_STR("s3cret-value-2")), KR_OK);
  assert_int_equal(test_open(home, &org, "CRM_API_KEY", 1, KR_STR("s3cret-value-1")), KR_OK);
  assert_int_equal(test_verify(home, &org), KR_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_round_trip, test_home_setup, test_home_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
