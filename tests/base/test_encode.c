/* SPDX-License-Identifier: Apache-2.0 */
/* test_encode.c - RFC 4648, section 10, plus round trips and what must be refused. */
#include "base/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
  const char *bytes;
  const char *base64;
  const char *hex;
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "66"},
    {"fo", "Zm8=", "666f"},
    {"foo", "Zm9v", "666f6f"},
    {"foob", "Zm9vYg==", "666f6f62"},
    {"fooba", "Zm9vYmE=", "666f6f6261"},
    {"foobar", "Zm9vYmFy", "666f6f626172"},
};

/* The output has exactly the room it needs, so a byte too many is seen. */
static void test_vectors(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    kr_str bytes = kr_str_cstr(vectors[i].bytes);
    kr_str base64 = kr_str_cstr(vectors[i].base64);
    kr_str hex = kr_str_cstr(vectors[i].hex);
    kr_buf out = KR_BUF_INIT(base64.len, NULL);
    assert_int_equal(kr_base64_encode(bytes, KR_BASE64_STANDARD, true, &out), KR_OK);
    assert_true(kr_str_equal(kr_buf_str(&out), base64));
    kr_buf_done(&out);
    out = KR_BUF_INIT(hex.len, NULL);
    assert_int_equal(kr_hex_encode(bytes, &out), KR_OK);
    assert_true(kr_str_equal(kr_buf_str(&out), hex));
    kr_buf_done(&out);
    out = KR_BUF_INIT(bytes.len, NULL);
    assert_int_equal(kr_base64_decode(base64, KR_BASE64_STANDARD, &out), KR_OK);
    assert_true(kr_str_equal(kr_buf_str(&out), bytes));
    kr_buf_reset(&out);
    assert_int_equal(kr_hex_decode(hex, &out), KR_OK);
    assert_true(kr_str_equal(kr_buf_str(&out), bytes));
    kr_buf_done(&out);
  }
}

static void test_too_small_a_buffer(void **state) {
  (void)state;
  for (size_t limit = 0; limit < 8; limit++) {
    kr_buf out = KR_BUF_INIT(limit, NULL);
    assert_int_equal(kr_base64_encode(KR_STR("fooba"), KR_BASE64_STANDARD, true, &out), KR_LIMIT);
    assert_int_equal(kr_hex_encode(KR_STR("fooba"), &out), KR_LIMIT);
    assert_int_equal(kr_base64_decode(KR_STR("Zm9vYmE="), KR_BASE64_STANDARD, &out),
                     limit < 5 ? KR_LIMIT : KR_OK);
    kr_buf_reset(&out);
    assert_int_equal(kr_hex_decode(KR_STR("666f6f6261"), &out), limit < 5 ? KR_LIMIT : KR_OK);
    kr_buf_done(&out);
  }
}

static void test_alphabets(void **state) {
  (void)state;
  kr_str bytes = KR_STR("\xfb\xff\xbf");
  kr_buf out = KR_BUF_INIT(100, NULL);
  assert_int_equal(kr_base64_encode(bytes, KR_BASE64_STANDARD, true, &out), KR_OK);
  assert_int_equal(kr_base64_encode(bytes, KR_BASE64_URL, true, &out), KR_OK);
  assert_true(kr_str_equal(kr_buf_str(&out), KR_STR("+/+/-_-_")));
  kr_buf_reset(&out);
  assert_int_equal(kr_base64_decode(KR_STR("+/+/"), KR_BASE64_STANDARD, &out), KR_OK);
  assert_int_equal(kr_base64_decode(KR_STR("-_-_"), KR_BASE64_URL, &out), KR_OK);
  assert_true(kr_str_equal(kr_buf_str(&out), KR_STR("\xfb\xff\xbf\xfb\xff\xbf")));
  assert_int_equal(kr_base64_decode(KR_STR("-_-_"), KR_BASE64_STANDARD, &out), KR_INVALID);
  assert_int_equal(kr_base64_decode(KR_STR("+/+/"), KR_BASE64_URL, &out), KR_INVALID);
  kr_buf_done(&out);
}

static void test_round_trips(void **state) {
  (void)state;
  uint8_t bytes[300];
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (uint8_t)(i * 167 + i / 7);
  for (size_t len = 0; len <= sizeof bytes; len++)
    for (int variant = 0; variant < 4; variant++) {
      kr_base64_alphabet alphabet = variant & 1 ? KR_BASE64_URL : KR_BASE64_STANDARD;
      bool is_padded = (variant & 2) != 0;
      kr_str plain = kr_str_from(bytes, len);
      kr_buf text = KR_BUF_INIT(1000, NULL);
      kr_buf back = KR_BUF_INIT(len, NULL);
      assert_int_equal(kr_base64_encode(plain, alphabet, is_padded, &text), KR_OK);
      size_t expected = is_padded ? (len + 2) / 3 * 4 : (len * 4 + 2) / 3;
      assert_int_equal(text.len, expected);
      assert_int_equal(kr_base64_decode(kr_buf_str(&text), alphabet, &back), KR_OK);
      assert_true(kr_str_equal(kr_buf_str(&back), plain));
      kr_buf_reset(&text);
      kr_buf_reset(&back);
      assert_int_equal(kr_hex_encode(plain, &text), KR_OK);
      assert_int_equal(kr_hex_decode(kr_buf_str(&text), &back), KR_OK);
      assert_true(kr_str_equal(kr_buf_str(&back), plain));
      kr_buf_done(&text);
      kr_buf_done(&back);
    }
}

static void test_bad_base64(void **state) {
  (void)state;
  static const char *const rows[] = {
      "A",    "AAAAA",      "=",        "==",     "====",     "A===",  "AA=",  "AAA==",
      "AA=A", "=AAA",       "AA==AA==", "AAAA=",  "AAAA====", "AB==",  "AAB=", "AB",
      "AAB",  "AA A",       "AAAA ",    "AAAA\n", "\nAAAA",   "AA\rA", "AA!A", "AA.A",
      "AA,A", "AA\xc3\xa9", "AA@A",     "AA[A",   "AA`A",     "AA{A",
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    kr_buf out = KR_BUF_INIT(100, NULL);
    if (kr_base64_decode(kr_str_cstr(rows[i]), KR_BASE64_STANDARD, &out) != KR_INVALID)
      fail_msg("accepted: %s", rows[i]);
    kr_buf_done(&out);
  }
  kr_buf out = KR_BUF_INIT(100, NULL);
  assert_int_equal(kr_base64_decode(KR_STR("AA\0A"), KR_BASE64_STANDARD, &out), KR_INVALID);
  kr_buf_done(&out);
}

/* Each byte as a digit: 64 of them are, in each alphabet; 22 in hex. */
static void test_every_byte_as_a_digit(void **state) {
  (void)state;
  size_t n_base64[2] = {0, 0};
  size_t n_hex = 0;
  for (int byte = 0; byte < 256; byte++) {
    uint8_t text[4] = {'A', (uint8_t)byte, 'A', 'A'};
    uint8_t pair[2] = {'0', (uint8_t)byte};
    for (int alphabet = 0; alphabet < 2; alphabet++) {
      kr_buf out = KR_BUF_INIT(3, NULL);
      kr_status status = kr_base64_decode(kr_str_from(text, 4), (kr_base64_alphabet)alphabet, &out);
      n_base64[alphabet] += status == KR_OK ? 1 : 0;
      kr_buf_done(&out);
    }
    kr_buf out = KR_BUF_INIT(1, NULL);
    bool is_digit = kr_hex_decode(kr_str_from(pair, 2), &out) == KR_OK;
    assert_int_equal(is_digit, kr_hex_digit((uint8_t)byte) >= 0);
    n_hex += is_digit ? 1 : 0;
    if (is_digit)
      assert_int_equal(out.ptr[0], kr_hex_digit((uint8_t)byte));
    kr_buf_done(&out);
  }
  assert_int_equal(n_base64[0], 64);
  assert_int_equal(n_base64[1], 64);
  assert_int_equal(n_hex, 22);
}

static void test_hex(void **state) {
  (void)state;
  kr_buf out = KR_BUF_INIT(100, NULL);
  assert_int_equal(kr_hex_decode(KR_STR("00fFAb10"), &out), KR_OK);
  assert_true(kr_str_equal(kr_buf_str(&out), KR_STR("\x00\xff\xab\x10")));
  assert_int_equal(kr_hex_decode(KR_STR("abc"), &out), KR_INVALID);
  assert_int_equal(kr_hex_decode(KR_STR("0g"), &out), KR_INVALID);
  assert_int_equal(kr_hex_decode(KR_STR("g0"), &out), KR_INVALID);
  assert_int_equal(kr_hex_decode(KR_STR("0x12"), &out), KR_INVALID);
  assert_int_equal(kr_hex_decode(KR_STR(" 12 "), &out), KR_INVALID);
  kr_buf_done(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_vectors),    cmocka_unit_test(test_too_small_a_buffer),
      cmocka_unit_test(test_alphabets),  cmocka_unit_test(test_round_trips),
      cmocka_unit_test(test_bad_base64), cmocka_unit_test(test_every_byte_as_a_digit),
      cmocka_unit_test(test_hex),
  };
  return cmocka_run_group_tests_name("base encode", tests, NULL, NULL);
}
