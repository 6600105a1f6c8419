/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_envelope.c - A256CBC-HS512: the known answer of RFC 7518 B.3, round
 * trips, and everything that must not open, in the classes that Wycheproof
 * tests: flipped bits, cut and lengthened forms, wrong key split, a MAC that
 * leaves out the IV, bad padding under a right tag.
 */
#include "crypto/vectors.h"

#include <openssl/evp.h>

#define POOL_BYTES (256u * 1024u)
#define SEALED_LIMIT (64u * 1024u * 1024u)

/* RFC 7518, appendix B.3. */
static const char b3_key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
                             "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
static const char b3_plain[] = "41206369706865722073797374656d206d757374206e6f742062652072657175"
                               "6972656420746f206265207365637265742c20616e64206974206d7573742062"
                               "652061626c6520746f2066616c6c20696e746f207468652068616e6473206f66"
                               "2074686520656e656d7920776974686f757420696e636f6e76656e69656e6365";
static const char b3_iv[] = "1af38c2dc2b96ffdd86694092341bc04";
static const char b3_aad[] = "546865207365636f6e64207072696e6369706c65206f66204175677573746520"
                             "4b6572636b686f666673";
static const char b3_cipher[] = "4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd"
                                "822c301dd67c373bccb584ad3e9279c2e6d12a1374b77f077553df829410446b"
                                "36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80bfecbad28c73f09b3"
                                "a3b75e662a2594410ae496b2e2e6609e31e6e02cc837f053d21f37ff4f51950b"
                                "be2638d09dd7a4930930806d0703b1f6";
static const char b3_tag[] = "4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5";

typedef struct fixture {
  kr_secure *pool;
  kr_secret *key;
  uint64_t random;
} fixture;

static int fixture_init(void **state) {
  static fixture shared;
  shared = (fixture){.pool = NULL, .key = NULL, .random = 0x9E3779B97F4A7C15u};
  assert_int_equal(kr_secure_new(POOL_BYTES, &shared.pool, NULL), KR_OK);
  KR_CLEANUP(kr_buf_done) kr_buf key = kr_test_unhex(b3_key);
  shared.key = kr_test_secret(shared.pool, kr_buf_str(&key));
  *state = &shared;
  return 0;
}

/* Every test must give back all locked memory. */
static int fixture_done(void **state) {
  fixture *test = *state;
  kr_secret_free(test->key);
  assert_int_equal(kr_secure_used(test->pool), 0);
  kr_secure_free(test->pool);
  return 0;
}

static uint32_t next_random(fixture *test) {
  test->random = test->random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(test->random >> 33);
}

static kr_status open_it(fixture *test, kr_str aad, kr_str sealed, kr_error *error) {
  KR_CLEANUP(kr_secret_freep) kr_secret *plain = NULL;
  return kr_crypto_open(test->key, aad, sealed, test->pool, &plain, error);
}

/* The one error, word for word. */
static void assert_refused(fixture *test, kr_str aad, kr_str sealed) {
  kr_error expected;
  kr_error error;
  assert_int_equal(open_it(test, KR_STR(""), KR_STR(""), &expected), KR_CORRUPT);
  assert_int_equal(open_it(test, aad, sealed, &error), KR_CORRUPT);
  assert_string_equal(error.message, expected.message);
  assert_string_equal(error.hint, expected.hint);
}

static void seal(fixture *test, kr_str aad, kr_str plain, kr_buf *out) {
  assert_int_equal(kr_crypto_seal(test->key, aad, plain, out, NULL), KR_OK);
  assert_int_equal(out->len, kr_crypto_sealed_len(plain.len));
}

static void rfc7518_b3(void **state) {
  fixture *test = *state;
  KR_CLEANUP(kr_buf_done) kr_buf plain = kr_test_unhex(b3_plain);
  KR_CLEANUP(kr_buf_done) kr_buf iv = kr_test_unhex(b3_iv);
  KR_CLEANUP(kr_buf_done) kr_buf aad = kr_test_unhex(b3_aad);
  KR_CLEANUP(kr_buf_done) kr_buf expected = kr_test_unhex(b3_iv);
  assert_int_equal(kr_hex_decode(kr_str_cstr(b3_cipher), &expected), KR_OK);
  assert_int_equal(kr_hex_decode(kr_str_cstr(b3_tag), &expected), KR_OK);

  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(SEALED_LIMIT, NULL);
  assert_int_equal(kr_crypto_seal_with_iv(test->key, iv.ptr, kr_buf_str(&aad), kr_buf_str(&plain),
                                          &sealed, NULL),
                   KR_OK);
  assert_int_equal(sealed.len, expected.len);
  assert_memory_equal(sealed.ptr, expected.ptr, expected.len);

  KR_CLEANUP(kr_secret_freep) kr_secret *opened = NULL;
  assert_int_equal(
      kr_crypto_open(test->key, kr_buf_str(&aad), kr_buf_str(&expected), test->pool, &opened, NULL),
      KR_OK);
  assert_true(kr_str_equal(kr_secret_reveal(opened), kr_buf_str(&plain)));
}

static void round_trips(void **state) {
  fixture *test = *state;
  static uint8_t plain[5001];
  static const size_t more[] = {511, 512, 513, 4095, 4096, 4097, 5001};
  for (size_t i = 0; i < sizeof plain; i++)
    plain[i] = (uint8_t)next_random(test);
  for (size_t i = 0; i < 258 + 7; i++) {
    kr_str value = kr_str_from(plain, i < 258 ? i : more[i - 258]);
    kr_str aad = kr_str_from(plain + 300, next_random(test) % 100);
    KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(SEALED_LIMIT, NULL);
    assert_int_equal(kr_buf_append(&sealed, KR_STR("before")), KR_OK);
    assert_int_equal(kr_crypto_seal(test->key, aad, value, &sealed, NULL), KR_OK);
    assert_int_equal(sealed.len, 6 + kr_crypto_sealed_len(value.len));
    KR_CLEANUP(kr_secret_freep) kr_secret *opened = NULL;
    assert_int_equal(kr_crypto_open(test->key, aad, kr_str_skip(kr_buf_str(&sealed), 6), test->pool,
                                    &opened, NULL),
                     KR_OK);
    assert_true(kr_str_equal(kr_secret_reveal(opened), value));
  }
}

static void sealing_twice_differs(void **state) {
  fixture *test = *state;
  KR_CLEANUP(kr_buf_done) kr_buf one = KR_BUF_INIT(SEALED_LIMIT, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf two = KR_BUF_INIT(SEALED_LIMIT, NULL);
  seal(test, KR_STR("aad"), KR_STR("value"), &one);
  seal(test, KR_STR("aad"), KR_STR("value"), &two);
  assert_memory_not_equal(one.ptr, two.ptr, 16);
  assert_memory_not_equal(one.ptr + 16, two.ptr + 16, 16);
}

/* All bits of the short ones, a sample of 256 of the long ones. */
static void flipped_bits(void **state) {
  fixture *test = *state;
  static uint8_t plain[257];
  size_t n_flips = 0;
  for (size_t len = 0; len <= sizeof plain; len++) {
    KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(SEALED_LIMIT, NULL);
    seal(test, KR_STR("place"), kr_str_from(plain, len), &sealed);
    bool is_all = len <= 33;
    size_t n_bits = sealed.len * 8;
    for (size_t i = 0; i < (is_all ? n_bits : 256); i++) {
      size_t bit = is_all ? i : next_random(test) % n_bits;
      sealed.ptr[bit / 8] ^= (uint8_t)(1u << (bit % 8));
      assert_int_equal(open_it(test, KR_STR("place"), kr_buf_str(&sealed), NULL), KR_CORRUPT);
      sealed.ptr[bit / 8] ^= (uint8_t)(1u << (bit % 8));
      n_flips++;
    }
    assert_int_equal(open_it(test, KR_STR("place"), kr_buf_str(&sealed), NULL), KR_OK);
  }
  assert_true(n_flips > 50000);
}

static void cut_and_lengthened(void **state) {
  fixture *test = *state;
  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(SEALED_LIMIT, NULL);
  seal(test, KR_STR("place"), KR_STR("a value of more than one block"), &sealed);
  kr_str whole = kr_buf_str(&sealed);
  for (size_t len = 0; len < whole.len; len++) {
    assert_refused(test, KR_STR("place"), kr_str_slice(whole, 0, len));
    assert_refused(test, KR_STR("place"), kr_str_skip(whole, whole.len - len));
  }
  for (size_t extra = 1; extra <= 48; extra++) {
    assert_int_equal(kr_buf_byte(&sealed, 0), KR_OK);
    assert_refused(test, KR_STR("place"), kr_buf_str(&sealed));
  }
}

static void other_aad(void **state) {
  fixture *test = *state;
  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(SEALED_LIMIT, NULL);
  seal(test, KR_STR("org 1"), KR_STR("value"), &sealed);
  assert_refused(test, KR_STR("org 2"), kr_buf_str(&sealed));
  assert_refused(test, KR_STR("org 1\0"), kr_buf_str(&sealed));
  assert_refused(test, KR_STR("org "), kr_buf_str(&sealed));
  assert_refused(test, KR_STR(""), kr_buf_str(&sealed));
  /* Bytes must not be movable between the AAD and the IV behind it. */
  KR_CLEANUP(kr_buf_done) kr_buf moved = KR_BUF_INIT(SEALED_LIMIT, NULL);
  kr_str body = kr_buf_str(&sealed);
  assert_int_equal(kr_buf_append(&moved, kr_str_skip(body, 16)), KR_OK);
  KR_CLEANUP(kr_buf_done) kr_buf longer = KR_BUF_INIT(SEALED_LIMIT, NULL);
  assert_int_equal(kr_buf_append(&longer, KR_STR("org 1")), KR_OK);
  assert_int_equal(kr_buf_append(&longer, kr_str_slice(body, 0, 16)), KR_OK);
  assert_refused(test, kr_buf_str(&longer), kr_buf_str(&moved));
}

static void other_keys(void **state) {
  fixture *test = *state;
  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(SEALED_LIMIT, NULL);
  seal(test, KR_STR("aad"), KR_STR("value"), &sealed);
  kr_secret *right = test->key;
  uint8_t bytes[KR_KEY_BYTES];
  for (size_t bit = 0; bit < KR_KEY_BYTES * 8; bit++) {
    memcpy(bytes, kr_secret_reveal(right).ptr, sizeof bytes);
    bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    KR_CLEANUP(kr_secret_freep)
    kr_secret *wrong = kr_test_secret(test->pool, kr_str_from(bytes, sizeof bytes));
    test->key = wrong;
    KR_CLEANUP(kr_secret_freep) kr_secret *plain = NULL;
    kr_status status =
        kr_crypto_open(wrong, KR_STR("aad"), kr_buf_str(&sealed), test->pool, &plain, NULL);
    /* The tag covers nothing of the encryption half: such a key only garbles. */
    if (bit < KR_KEY_BYTES * 4)
      assert_int_equal(status, KR_CORRUPT);
    else if (status == KR_OK)
      assert_false(kr_str_equal(kr_secret_reveal(plain), KR_STR("value")));
    test->key = right;
  }
}

/* Envelopes that a wrong implementation would make: each part can be got wrong. */
typedef struct forgery {
  const char *name;
  bool is_split_swapped; /* encryption half first */
  bool is_iv_left_out;   /* MAC over AAD | ciphertext | AL */
  bool is_aad_in_bytes;  /* AL counts bytes */
  bool is_aad_len_left_out;
  size_t tag_from; /* which bytes of the whole MAC are the tag */
  size_t tag_len;
  int pad_byte; /* last byte of the padded plaintext; -1: right padding */
  bool is_right;
} forgery;

static const forgery forgeries[] = {
    {"made right, to test the test", 0, 0, 0, 0, 0, 32, -1, 1},
    {"made right, with 16 bytes of padding", 0, 0, 0, 0, 0, 32, 16, 1},
    {"key split the other way", 1, 0, 0, 0, 0, 32, -1, 0},
    {"MAC does not cover the IV", 0, 1, 0, 0, 0, 32, -1, 0},
    {"length of AAD in bytes", 0, 0, 1, 0, 0, 32, -1, 0},
    {"length of AAD left out", 0, 0, 0, 1, 0, 32, -1, 0},
    {"tag is the second half", 0, 0, 0, 0, 32, 32, -1, 0},
    {"tag of 16 bytes", 0, 0, 0, 0, 0, 16, -1, 0},
    {"tag of 24 bytes", 0, 0, 0, 0, 0, 24, -1, 0},
    {"tag of 64 bytes", 0, 0, 0, 0, 0, 64, -1, 0},
    {"no tag", 0, 0, 0, 0, 0, 0, -1, 0},
    {"right tag, padding 0", 0, 0, 0, 0, 0, 32, 0, 0},
    {"right tag, padding 17", 0, 0, 0, 0, 0, 32, 17, 0},
    {"right tag, padding 255", 0, 0, 0, 0, 0, 32, 255, 0},
    {"right tag, padding says 2 but is 16", 0, 0, 0, 0, 0, 32, 2, 0},
};

static void forge_cipher(const uint8_t *key, const uint8_t iv[16], int pad_byte, uint8_t out[32]) {
  uint8_t padded[32];
  memset(padded, 'v', 16);
  memset(padded + 16, 16, 16);
  if (pad_byte >= 0)
    padded[31] = (uint8_t)pad_byte;
  int len = 0;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv), 1);
  assert_int_equal(EVP_CIPHER_CTX_set_padding(ctx, 0), 1);
  assert_int_equal(EVP_EncryptUpdate(ctx, out, &len, padded, 32), 1);
  assert_int_equal(len, 32);
  EVP_CIPHER_CTX_free(ctx);
}

static void run_forgery(void **state) {
  const forgery *row = *state;
  void *fixture_state = NULL;
  (void)fixture_init(&fixture_state);
  fixture *test = fixture_state;
  kr_str key = kr_secret_reveal(test->key);
  size_t mac_half = row->is_split_swapped ? 32 : 0;
  uint8_t body[48] = "initial vector!!";
  forge_cipher(key.ptr + 32 - mac_half, body, row->pad_byte, body + 16);

  kr_str aad = KR_STR("place");
  uint8_t aad_len[8] = {0, 0, 0, 0, 0, 0, 0, row->is_aad_in_bytes ? 5 : 40};
  const kr_str parts[] = {aad, kr_str_skip(kr_str_from(body, 48), row->is_iv_left_out ? 16 : 0),
                          kr_str_from(aad_len, row->is_aad_len_left_out ? 0 : 8)};
  uint8_t mac[64];
  assert_int_equal(
      kr_crypto_hmac(KR_CRYPTO_SHA512, kr_str_from(key.ptr + mac_half, 32), parts, 3, mac, NULL),
      KR_OK);
  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(SEALED_LIMIT, NULL);
  assert_int_equal(kr_buf_append(&sealed, kr_str_from(body, 48)), KR_OK);
  assert_int_equal(kr_buf_append(&sealed, kr_str_from(mac + row->tag_from, row->tag_len)), KR_OK);
  if (row->is_right)
    assert_int_equal(open_it(test, aad, kr_buf_str(&sealed), NULL), KR_OK);
  else
    assert_refused(test, aad, kr_buf_str(&sealed));
  (void)fixture_done(&fixture_state);
}

static void sizes_and_limits(void **state) {
  fixture *test = *state;
  static const size_t rows[][2] = {{0, 64}, {1, 64}, {15, 64}, {16, 80}, {17, 80}, {64, 128}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_int_equal(kr_crypto_sealed_len(rows[i][0]), rows[i][1]);
  size_t limit = (size_t)1 << 30;
  assert_int_equal(kr_crypto_sealed_len(limit), limit + 64);
  assert_int_equal(kr_crypto_sealed_len(limit + 1), SIZE_MAX);
  assert_int_equal(kr_crypto_sealed_len(SIZE_MAX), SIZE_MAX);

  uint8_t byte = 0;
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(100, NULL);
  kr_str too_long = kr_str_from(&byte, limit + 1);
  assert_int_equal(kr_crypto_seal(test->key, KR_STR(""), too_long, &out, NULL), KR_LIMIT);
  assert_int_equal(kr_crypto_seal(test->key, too_long, KR_STR(""), &out, NULL), KR_LIMIT);
  assert_refused(test, too_long, kr_str_from(&byte, 64));
  assert_refused(test, KR_STR(""), kr_str_from(&byte, SIZE_MAX));
  /* Does not fit the caller's buffer: refused, and the buffer is as before. */
  assert_int_equal(kr_crypto_seal(test->key, KR_STR(""),
                                  KR_STR("0123456789abcdef0123456789abcdef"
                                         "0123456789abcdef"),
                                  &out, NULL),
                   KR_LIMIT);
  assert_int_equal(out.len, 0);
}

static void keys_of_other_sizes(void **state) {
  fixture *test = *state;
  static const uint8_t bytes[65] = {0};
  static const size_t sizes[] = {0, 1, 32, 63, 65};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    KR_CLEANUP(kr_secret_freep)
    kr_secret *key = kr_test_secret(test->pool, kr_str_from(bytes, sizes[i]));
    KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(SEALED_LIMIT, NULL);
    KR_CLEANUP(kr_secret_freep) kr_secret *plain = NULL;
    assert_int_equal(kr_crypto_seal(key, KR_STR(""), KR_STR("v"), &out, NULL), KR_INVALID);
    assert_int_equal(
        kr_crypto_open(key, KR_STR(""), kr_str_from(bytes, 64), test->pool, &plain, NULL),
        KR_INVALID);
  }
}

static void large_value(void **state) {
  fixture *test = *state;
  size_t len = 32u * 1024u * 1024u + 5u;
  KR_CLEANUP(kr_buf_done) kr_buf plain = KR_BUF_INIT(SEALED_LIMIT, NULL);
  assert_int_equal(kr_buf_reserve(&plain, len), KR_OK);
  for (size_t i = 0; i < len; i++)
    plain.ptr[i] = (uint8_t)(i ^ (i >> 11));
  plain.len = len;
  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(SEALED_LIMIT, NULL);
  seal(test, kr_buf_str(&plain), kr_buf_str(&plain), &sealed);
  KR_CLEANUP(kr_secret_freep) kr_secret *opened = NULL;
  assert_int_equal(
      kr_crypto_open(test->key, kr_buf_str(&plain), kr_buf_str(&sealed), test->pool, &opened, NULL),
      KR_OK);
  assert_true(kr_str_equal(kr_secret_reveal(opened), kr_buf_str(&plain)));
}

static void derived_keys_differ(void **state) {
  fixture *test = *state;
  KR_CLEANUP(kr_secret_freep) kr_secret *wrap = NULL;
  KR_CLEANUP(kr_secret_freep) kr_secret *again = NULL;
  KR_CLEANUP(kr_secret_freep) kr_secret *chain = NULL;
  KR_CLEANUP(kr_secret_freep) kr_secret *fresh = NULL;
  assert_int_equal(kr_crypto_derive(test->key, KR_STR("wrap"), test->pool, &wrap, NULL), KR_OK);
  assert_int_equal(kr_crypto_derive(test->key, KR_STR("wrap"), test->pool, &again, NULL), KR_OK);
  assert_int_equal(kr_crypto_derive(test->key, KR_STR("chain"), test->pool, &chain, NULL), KR_OK);
  assert_int_equal(kr_crypto_key_new(test->pool, &fresh, NULL), KR_OK);
  assert_int_equal(kr_secret_reveal(wrap).len, KR_KEY_BYTES);
  assert_int_equal(kr_secret_reveal(fresh).len, KR_KEY_BYTES);
  assert_true(kr_str_equal(kr_secret_reveal(wrap), kr_secret_reveal(again)));
  assert_false(kr_str_equal(kr_secret_reveal(wrap), kr_secret_reveal(chain)));
  assert_false(kr_str_equal(kr_secret_reveal(wrap), kr_secret_reveal(test->key)));
}

/* Long enough for two calls of the kernel; no two 16-byte pieces may be equal. */
static void random_bytes(void **state) {
  (void)state;
  uint8_t bytes[1000] = {0};
  assert_int_equal(kr_crypto_random(bytes, sizeof bytes, NULL), KR_OK);
  for (size_t i = 0; i + 16 <= sizeof bytes; i += 16)
    for (size_t j = i + 16; j + 16 <= sizeof bytes; j += 16)
      assert_memory_not_equal(bytes + i, bytes + j, 16);
}

int main(void) {
#define WITH_FIXTURE(function) cmocka_unit_test_setup_teardown(function, fixture_init, fixture_done)
  enum { N_FORGERIES = sizeof forgeries / sizeof forgeries[0], N_OTHERS = 12 };
  struct CMUnitTest tests[N_OTHERS + N_FORGERIES] = {
      WITH_FIXTURE(rfc7518_b3),
      WITH_FIXTURE(round_trips),
      WITH_FIXTURE(sealing_twice_differs),
      WITH_FIXTURE(flipped_bits),
      WITH_FIXTURE(cut_and_lengthened),
      WITH_FIXTURE(other_aad),
      WITH_FIXTURE(other_keys),
      WITH_FIXTURE(sizes_and_limits),
      WITH_FIXTURE(keys_of_other_sizes),
      WITH_FIXTURE(large_value),
      WITH_FIXTURE(derived_keys_differ),
      WITH_FIXTURE(random_bytes),
  };
  for (size_t i = 0; i < N_FORGERIES; i++)
    tests[N_OTHERS + i] = (struct CMUnitTest){.name = forgeries[i].name,
                                              .test_func = run_forgery,
                                              .initial_state = (void *)(uintptr_t)&forgeries[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
