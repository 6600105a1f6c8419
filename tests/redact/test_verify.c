/* SPDX-License-Identifier: Apache-2.0 */
/* test_verify.c - the check, on text that was never redacted. */
#include "redact/naive.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(verify_finds_each_form),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
