/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_refusal.c - every bit of many envelopes turned, one at a time: all
 * refused, all with one and the same error, and the time that a refusal takes
 * by where the tag is wrong.
 */
#define _POSIX_C_SOURCE 200809L
#include "crypto/vectors.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#define POOL_BYTES (64u * 1024u)
#define ENVELOPES 200u
#define LONGEST_PLAIN 257u
#define SAMPLES 100000u /* of each kind */
#define TIMED_PLAIN_BYTES 64u

typedef struct fixture {
  kr_secure *pool;
  kr_secret *key;
  kr_error expected;
} fixture;

static int fixture_init(void **state) {
  static fixture shared;
  kr_secret *value = NULL;
  assert_int_equal(kr_secure_new(POOL_BYTES, &shared.pool, NULL), KR_OK);
  assert_int_equal(kr_crypto_key_new(shared.pool, &shared.key, NULL), KR_OK);
  assert_int_equal(kr_crypto_open(shared.key, KR_STR("place"), KR_STR("no envelope"), shared.pool,
                                  &value, &shared.expected),
                   KR_CORRUPT);
  *state = &shared;
  return 0;
}

static int fixture_done(void **state) {
  fixture *test = *state;
  kr_secret_free(test->key);
  assert_int_equal(kr_secure_used(test->pool), 0);
  kr_secure_free(test->pool);
  return 0;
}

static bool is_refused_alike(fixture *test, kr_str sealed) {
  kr_secret *value = NULL;
  kr_error error = {.status = KR_OK};
  kr_status status = kr_crypto_open(test->key, KR_STR("place"), sealed, test->pool, &value, &error);
  kr_secret_free(value);
  return status == KR_CORRUPT && strcmp(error.message, test->expected.message) == 0 &&
         strcmp(error.hint, test->expected.hint) == 0;
}

static void every_bit(void **state) {
  fixture *test = *state;
  size_t n_flips = 0;
  for (size_t i = 0; i < ENVELOPES; i++) {
    uint8_t plain[LONGEST_PLAIN] = {0};
    size_t len = i * LONGEST_PLAIN / (ENVELOPES - 1);
    assert_int_equal(kr_crypto_random(plain, len, NULL), KR_OK);
    KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(KR_TEST_VECTOR_BYTES, NULL);
    assert_int_equal(
        kr_crypto_seal(test->key, KR_STR("place"), kr_str_from(plain, len), &sealed, NULL), KR_OK);
    for (size_t bit = 0; bit < sealed.len * 8; bit++, n_flips++) {
      sealed.ptr[bit / 8] ^= (uint8_t)(1u << (bit % 8));
      if (!is_refused_alike(test, kr_buf_str(&sealed)))
        fail_msg("%zu bytes, bit %zu: not refused like all others", len, bit);
      sealed.ptr[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_false(is_refused_alike(test, kr_buf_str(&sealed)));
  }
  print_message("%zu bits turned in %u envelopes\n", n_flips, ENVELOPES);
}

/* One kind of refusal: how often it was timed, mean, and sum of squared deviations (Welford). */
typedef struct timing {
  double n, mean, squares;
} timing;

static void timing_add(timing *kind, double value) {
  double delta = value - kind->mean;
  kind->n += 1;
  kind->mean += delta / kind->n;
  kind->squares += delta * (value - kind->mean);
}

static double time_refusal(fixture *test, kr_str sealed) {
  struct timespec from, to;
  kr_secret *value = NULL;
  assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &from), 0);
  kr_status status = kr_crypto_open(test->key, KR_STR("place"), sealed, test->pool, &value, NULL);
  assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &to), 0);
  assert_int_equal(status, KR_CORRUPT);
  return (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
}

/*
 * Welch's t of the times of a tag that is wrong in its first and in its last
 * byte. It is told, not asserted: it depends on what else the machine does.
 * Times above twice the first ones seen are interruptions, and left out.
 */
static void time_by_place_of_the_fault(void **state) {
  fixture *test = *state;
  uint8_t plain[TIMED_PLAIN_BYTES] = {0};
  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(KR_TEST_VECTOR_BYTES, NULL);
  assert_int_equal(
      kr_crypto_seal(test->key, KR_STR("place"), kr_str_from(plain, sizeof plain), &sealed, NULL),
      KR_OK);
  timing kinds[2] = {{0, 0, 0}, {0, 0, 0}};
  timing warm = {0, 0, 0};
  size_t places[2] = {sealed.len - KR_SEAL_TAG_BYTES, sealed.len - 1};
  uint32_t order = 2463534242u;
  for (size_t i = 0; i < 1000 + 2 * SAMPLES; i++) {
    order ^= order << 13, order ^= order >> 17, order ^= order << 5;
    unsigned kind = order >> 16 & 1;
    sealed.ptr[places[kind]] ^= 1;
    double took = time_refusal(test, kr_buf_str(&sealed));
    sealed.ptr[places[kind]] ^= 1;
    if (i < 1000)
      timing_add(&warm, took);
    else if (took < 2 * warm.mean)
      timing_add(&kinds[kind], took);
  }
  assert_true(kinds[0].n > (double)SAMPLES / 2 && kinds[1].n > (double)SAMPLES / 2);
  double error = 0;
  for (size_t i = 0; i < 2; i++)
    error += kinds[i].squares / (kinds[i].n - 1) / kinds[i].n;
  print_message("tag wrong in its first byte: %.1f ns (%.0f times), in its last: %.1f ns (%.0f "
                "times); Welch's t: %.2f\n",
                kinds[0].mean, kinds[0].n, kinds[1].mean, kinds[1].n,
                (kinds[0].mean - kinds[1].mean) / sqrt(error));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_bit, fixture_init, fixture_done),
      cmocka_unit_test_setup_teardown(time_by_place_of_the_fault, fixture_init, fixture_done),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
