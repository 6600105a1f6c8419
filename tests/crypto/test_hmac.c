/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_hmac.c - published vectors of HMAC (RFC 4231), SHA-256 (FIPS 180-4
 * examples) and HKDF; HKDF-SHA-512 also against OpenSSL's own; framing of MACs.
 */
#include "crypto/vectors.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

typedef struct hmac_row {
  const char *name;
  const char *key;
  const char *data;
  const char *sha256;
  const char *sha512;
} hmac_row;

#define AA20 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DD10 "dddddddddddddddddddd"
#define CD10 "cdcdcdcdcdcdcdcdcdcd"
#define AA131 AA20 AA20 AA20 AA20 AA20 AA20 "aaaaaaaaaaaaaaaaaaaaaa"

static const hmac_row hmac_rows[] = {
    {"RFC 4231 case 1", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
     "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
     "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
    {"RFC 4231 case 2", "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
     "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
    {"RFC 4231 case 3", AA20, DD10 DD10 DD10 DD10 DD10,
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
     "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
     "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"},
    {"RFC 4231 case 4", "0102030405060708090a0b0c0d0e0f10111213141516171819",
     CD10 CD10 CD10 CD10 CD10, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
     "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
     "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd"},
    {"RFC 4231 case 6", AA131,
     "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
     "65204b6579202d2048617368204b6579204669727374",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
     "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
     "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
    {"RFC 4231 case 7", AA131,
     "5468697320697320612074657374207573696e672061206c6172676572207468"
     "616e20626c6f636b2d73697a65206b657920616e642061206c61726765722074"
     "68616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
     "647320746f20626520686173686564206265666f7265206265696e6720757365"
     "642062792074686520484d414320616c676f726974686d2e",
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
     "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
     "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58"},
    {"the empty key over nothing", "", "",
     "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
     "b936cee86c9f87aa5d3c6f2e84cb5a4239a5fe50480a6ec66b70ab5b1f4ac673"
     "0c6c515421b327ec1d69402e53dfb49ad7381eb067b338fd7b0cb22247225d47"},
};

static void run_hmac_row(void **state) {
  const hmac_row *row = *state;
  KR_CLEANUP(kr_buf_done) kr_buf key = kr_test_unhex(row->key);
  KR_CLEANUP(kr_buf_done) kr_buf data = kr_test_unhex(row->data);
  KR_CLEANUP(kr_buf_done) kr_buf sha256 = kr_test_unhex(row->sha256);
  KR_CLEANUP(kr_buf_done) kr_buf sha512 = kr_test_unhex(row->sha512);
  uint8_t out[64];
  assert_int_equal(kr_crypto_hmac_sha256(kr_buf_str(&key), kr_buf_str(&data), out, NULL), KR_OK);
  assert_memory_equal(out, sha256.ptr, 32);
  kr_str whole = kr_buf_str(&data);
  for (size_t cut = 0; cut <= whole.len; cut++) {
    const kr_str parts[] = {kr_str_slice(whole, 0, cut), kr_str_skip(whole, cut)};
    assert_int_equal(kr_crypto_hmac(KR_CRYPTO_SHA512, kr_buf_str(&key), parts, 2, out, NULL),
                     KR_OK);
    assert_memory_equal(out, sha512.ptr, 64);
  }
}

/* Cut anywhere, the pieces give what the whole gives. */
static void digest_of_pieces(void **state) {
  (void)state;
  uint8_t bytes[300];
  uint8_t whole[KR_DIGEST_BYTES];
  uint8_t pieces[KR_DIGEST_BYTES];
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (uint8_t)(i * 7);
  assert_int_equal(kr_crypto_sha256(kr_str_from(bytes, sizeof bytes), whole, NULL), KR_OK);
  for (size_t cut = 0; cut <= sizeof bytes; cut++) {
    KR_CLEANUP(kr_digest_freep) kr_digest *digest = NULL;
    assert_int_equal(kr_digest_new(&digest, NULL), KR_OK);
    assert_int_equal(kr_digest_add(digest, kr_str_from(bytes, cut), NULL), KR_OK);
    assert_int_equal(kr_digest_add(digest, kr_str_from(bytes + cut, sizeof bytes - cut), NULL),
                     KR_OK);
    assert_int_equal(kr_digest_end(digest, pieces, NULL), KR_OK);
    assert_memory_equal(whole, pieces, sizeof whole);
  }
}

static void sha256_examples(void **state) {
  (void)state;
  static const struct {
    const char *text;
    const char *hash;
  } rows[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    KR_CLEANUP(kr_buf_done) kr_buf hash = kr_test_unhex(rows[i].hash);
    uint8_t out[32];
    assert_int_equal(kr_crypto_sha256(kr_str_cstr(rows[i].text), out, NULL), KR_OK);
    assert_memory_equal(out, hash.ptr, 32);
  }
}

static void openssl_hkdf(kr_str key, kr_str salt, kr_str info, uint8_t *out, size_t out_len) {
  EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
  EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
  char digest[] = "SHA512";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key.ptr, key.len),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.ptr, salt.len),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.ptr, info.len),
      OSSL_PARAM_construct_end()};
  assert_int_equal(EVP_KDF_derive(ctx, out, out_len, params), 1);
  EVP_KDF_CTX_free(ctx);
  EVP_KDF_free(kdf);
}

static void hkdf_equals_openssl(void **state) {
  (void)state;
  uint8_t bytes[700];
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (uint8_t)(i * 7 + 1);
  static const size_t lengths[] = {1, 32, 63, 64, 65, 128, 200, 255 * 64 - 1, 255 * 64};
  static uint8_t ours[255 * 64];
  static uint8_t theirs[255 * 64];
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    kr_str key = kr_str_from(bytes, 1 + i * 23);
    kr_str salt = kr_str_from(bytes + 100, i * 31);
    kr_str info = kr_str_from(bytes + 200, i * 40);
    assert_int_equal(kr_crypto_hkdf_sha512(key, salt, info, ours, lengths[i], NULL), KR_OK);
    openssl_hkdf(key, salt, info, theirs, lengths[i]);
    assert_memory_equal(ours, theirs, lengths[i]);
  }
}

/* Inputs of RFC 5869 A.1 to A.3 with SHA-512; outputs from an independent implementation. */
static void hkdf_known_answers(void **state) {
  (void)state;
  static const struct {
    const char *key, *salt, *info, *out;
  } rows[] = {
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
       "f0f1f2f3f4f5f6f7f8f9",
       "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c14815793"
       "38da362cb8d9f925d7cb"},
      {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
       "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
       "404142434445464748494a4b4c4d4e4f",
       "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
       "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
       "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
       "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
       "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
       "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
       "ce6c97192805b346e6161e821ed165673b84f400a2b514b2fe23d84cd189ddf1"
       "b695b48cbd1c8388441137b3ce28f16aa64ba33ba466b24df6cfcb021ecff235"
       "f6a2056ce3af1de44d572097a8505d9e7a93"},
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
       "f5fa02b18298a72a8c23898a8703472c6eb179dc204c03425c970e3b164bf90f"
       "ff22d04836d0e2343bac"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    KR_CLEANUP(kr_buf_done) kr_buf key = kr_test_unhex(rows[i].key);
    KR_CLEANUP(kr_buf_done) kr_buf salt = kr_test_unhex(rows[i].salt);
    KR_CLEANUP(kr_buf_done) kr_buf info = kr_test_unhex(rows[i].info);
    KR_CLEANUP(kr_buf_done) kr_buf expected = kr_test_unhex(rows[i].out);
    uint8_t out[128];
    assert_int_equal(kr_crypto_hkdf_sha512(kr_buf_str(&key), kr_buf_str(&salt), kr_buf_str(&info),
                                           out, expected.len, NULL),
                     KR_OK);
    assert_memory_equal(out, expected.ptr, expected.len);
  }
}

static void hkdf_limit(void **state) {
  (void)state;
  static uint8_t out[255 * 64 + 1];
  kr_error error;
  assert_int_equal(
      kr_crypto_hkdf_sha512(KR_STR("key"), KR_STR(""), KR_STR(""), out, sizeof out, &error),
      KR_LIMIT);
}

static void mac_frames_its_parts(void **state) {
  (void)state;
  KR_CLEANUP(kr_secure_freep) kr_secure *pool = NULL;
  assert_int_equal(kr_secure_new(16384, &pool, NULL), KR_OK);
  KR_CLEANUP(kr_secret_freep) kr_secret *key = kr_test_secret(pool, KR_STR("a key of the test"));
  const kr_str lists[][3] = {
      {KR_STR("ab"), KR_STR("c"), KR_STR("")}, {KR_STR("a"), KR_STR("bc"), KR_STR("")},
      {KR_STR("abc"), KR_STR(""), KR_STR("")}, {KR_STR(""), KR_STR("abc"), KR_STR("")},
      {KR_STR("ab"), KR_STR(""), KR_STR("c")},
  };
  uint8_t macs[6][KR_MAC_BYTES];
  for (size_t i = 0; i < 5; i++)
    assert_int_equal(kr_crypto_mac(key, lists[i], 3, macs[i], NULL), KR_OK);
  assert_int_equal(kr_crypto_mac(key, lists[0], 2, macs[5], NULL), KR_OK);
  for (size_t i = 0; i < 6; i++)
    for (size_t j = i + 1; j < 6; j++)
      assert_false(kr_crypto_equal(macs[i], macs[j], KR_MAC_BYTES));
  /* The framing, written out once by hand. */
  static const uint8_t framed[] = "\0\0\0\0\0\0\0\2ab\0\0\0\0\0\0\0\1c";
  uint8_t expected[32];
  assert_int_equal(
      kr_crypto_hmac_sha256(kr_secret_reveal(key), kr_str_from(framed, 19), expected, NULL), KR_OK);
  assert_memory_equal(macs[5], expected, 32);
}

/* One context for many MACs gives what a fresh one gives, whatever was hashed or refused before. */
static void mac_held_is_the_same(void **state) {
  (void)state;
  static uint8_t bytes[600];
  KR_CLEANUP(kr_secure_freep) kr_secure *pool = NULL;
  assert_int_equal(kr_secure_new(16384, &pool, NULL), KR_OK);
  kr_secret *keys[2] = {kr_test_secret(pool, KR_STR("a key")), NULL};
  keys[1] = kr_test_secret(pool, KR_STR("another key, longer than one block of the hash, which is "
                                        "64 bytes, so that it is hashed first"));
  kr_mac *macs[2] = {NULL, NULL};
  for (size_t k = 0; k < 2; k++)
    assert_int_equal(kr_mac_new(keys[k], &macs[k], NULL), KR_OK);
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (uint8_t)(i * 7);
  for (size_t len = 0; len < sizeof bytes; len++) {
    const kr_str parts[] = {kr_str_from(bytes, len), kr_str_from(bytes + len, sizeof bytes - len)};
    for (size_t k = 0; k < 2; k++) {
      uint8_t fresh[KR_MAC_BYTES];
      uint8_t held[KR_MAC_BYTES];
      assert_int_equal(kr_crypto_mac(keys[k], parts, 2, fresh, NULL), KR_OK);
      assert_int_equal(kr_mac_run(macs[k], parts, 2, held, NULL), KR_OK);
      assert_memory_equal(fresh, held, KR_MAC_BYTES);
    }
  }
  for (size_t k = 0; k < 2; k++) {
    kr_mac_free(macs[k]);
    kr_secret_free(keys[k]);
  }
}

static void equal_compares_every_byte(void **state) {
  (void)state;
  uint8_t a[64] = {0};
  for (size_t i = 0; i < 64 * 8; i++) {
    uint8_t b[64] = {0};
    b[i / 8] ^= (uint8_t)(1u << (i % 8));
    assert_false(kr_crypto_equal(a, b, 64));
    assert_true(kr_crypto_equal(a, b, i / 8));
  }
  assert_true(kr_crypto_equal(NULL, NULL, 0));
}

int main(void) {
  enum { N_HMAC = sizeof hmac_rows / sizeof hmac_rows[0] };
  struct CMUnitTest tests[N_HMAC + 8] = {
      cmocka_unit_test(digest_of_pieces),     cmocka_unit_test(sha256_examples),
      cmocka_unit_test(hkdf_equals_openssl),  cmocka_unit_test(hkdf_known_answers),
      cmocka_unit_test(hkdf_limit),           cmocka_unit_test(mac_frames_its_parts),
      cmocka_unit_test(mac_held_is_the_same), cmocka_unit_test(equal_compares_every_byte),
  };
  for (size_t i = 0; i < N_HMAC; i++)
    tests[8 + i] = (struct CMUnitTest){.name = hmac_rows[i].name,
                                       .test_func = run_hmac_row,
                                       .initial_state = (void *)(uintptr_t)&hmac_rows[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
