/* SPDX-License-Identifier: Apache-2.0 */
/* corpus.c - needles and their spellings (see corpus.h); corpus_text.c has the texts. */
#include "corpus.h"

#include "base/encode.h"
#include "bench.h"
#include "corpus_random.h"

#include <stdlib.h>

#define NEEDLES_BYTES (256u * 1024u * 1024u)
#define PEM_KEY_BYTES 1216u /* of a PKCS #8 RSA key of 2048 bits */
#define PEM_LINE 64u

static const char kr_token_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void kr_corpus_try(kr_status status) {
  if (status != KR_OK)
    kr_bench_die("corpus", "out of memory");
}

void kr_needles_done(kr_needles *needles) {
  kr_buf_done(&needles->bytes);
  free(needles->list);
  *needles = (kr_needles){0};
}

/* The list points into a block that grows, so it is made at the end, from lengths. */
static kr_needles kr_needles_new(size_t n) {
  kr_needles needles = {.bytes = KR_BUF_INIT(NEEDLES_BYTES, NULL),
                        .list = calloc(n == 0 ? 1 : n, sizeof(kr_str))};
  kr_corpus_try(needles.list == NULL ? KR_NOMEM : KR_OK);
  return needles;
}

/* What was appended since the last call is one needle. */
static void kr_needles_end(kr_needles *needles) {
  needles->list[needles->n++].len = needles->bytes.len; /* an end, until kr_needles_seal() */
}

static kr_needles kr_needles_seal(kr_needles needles) {
  size_t start = 0;
  for (size_t i = 0; i < needles.n; i++) {
    size_t end = needles.list[i].len;
    needles.list[i] = kr_str_from(needles.bytes.ptr + start, end - start);
    start = end;
  }
  return needles;
}

static void kr_needles_random(kr_needles *needles, uint64_t *seed, size_t len) {
  for (size_t i = 0; i < len; i++)
    kr_corpus_try(
        kr_buf_byte(&needles->bytes, (uint8_t)kr_token_alphabet[kr_corpus_random(seed) % 64]));
}

kr_needles kr_needles_tokens(size_t n, size_t len) {
  kr_needles needles = kr_needles_new(n);
  uint64_t seed = 88172645463325252u + len;
  for (size_t i = 0; i < n; i++) {
    kr_needles_random(&needles, &seed, len);
    kr_needles_end(&needles);
  }
  return kr_needles_seal(needles);
}

kr_needles kr_needles_prefixed(size_t n) {
  static const char *const prefixes[] = {"ghp_", "sk_live_", "eyJhbGciOiJIUzI1NiJ9.", "xoxb-"};
  kr_needles needles = kr_needles_new(n);
  uint64_t seed = 0x2545f4914f6cdd1du;
  for (size_t i = 0; i < n; i++) {
    kr_str prefix = kr_str_cstr(prefixes[i % 4]);
    kr_corpus_try(kr_buf_append(&needles.bytes, prefix));
    kr_needles_random(&needles, &seed, 40 - prefix.len);
    kr_needles_end(&needles);
  }
  return kr_needles_seal(needles);
}

kr_needles kr_needles_mix(size_t n) {
  kr_needles needles = kr_needles_new(n);
  uint64_t seed = 0x9e3779b97f4a7c15u;
  for (size_t i = 0; i < n; i++) {
    kr_needles_random(&needles, &seed, i % 10 == 0 ? 6 : 32);
    kr_needles_end(&needles);
  }
  return kr_needles_seal(needles);
}

kr_needles kr_needles_pem(size_t n) {
  /* RFC 5958, RFC 8017: version, algorithm, and the head of the inner key are the same for all. */
  static const uint8_t head[] = {0x30, 0x82, 0x04, 0xbd, 0x02, 0x01, 0x00, 0x30, 0x0d, 0x06,
                                 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
                                 0x05, 0x00, 0x04, 0x82, 0x04, 0xa7, 0x30, 0x82, 0x04, 0xa3,
                                 0x02, 0x01, 0x00, 0x02, 0x82, 0x01, 0x01, 0x00};
  kr_needles needles = kr_needles_new(n);
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(2 * PEM_KEY_BYTES, NULL);
  uint64_t seed = 0xd1342543de82ef95u;
  for (size_t i = 0; i < n; i++) {
    uint8_t key[PEM_KEY_BYTES];
    for (size_t k = 0; k < sizeof key; k++)
      key[k] = k < sizeof head ? head[k] : (uint8_t)kr_corpus_random(&seed);
    kr_buf_reset(&text);
    kr_corpus_try(kr_base64_encode(kr_str_from(key, sizeof key), KR_BASE64_STANDARD, true, &text));
    kr_corpus_try(kr_buf_append(&needles.bytes, KR_STR("-----BEGIN PRIVATE KEY-----\n")));
    for (size_t at = 0; at < text.len; at += PEM_LINE) {
      kr_corpus_try(
          kr_buf_append(&needles.bytes, kr_str_slice(kr_buf_str(&text), at, at + PEM_LINE)));
      kr_corpus_try(kr_buf_byte(&needles.bytes, '\n'));
    }
    kr_corpus_try(kr_buf_append(&needles.bytes, KR_STR("-----END PRIVATE KEY-----\n")));
    kr_needles_end(&needles);
  }
  return kr_needles_seal(needles);
}

kr_needles kr_needles_passwords(size_t n) {
  static const char special[] = "\"\\/&<>'+ =%";
  kr_needles needles = kr_needles_new(n);
  uint64_t seed = 0x94d049bb133111ebu;
  for (size_t i = 0; i < n; i++) {
    kr_needles_random(&needles, &seed, 32);
    uint8_t *value = needles.bytes.ptr + needles.bytes.len - 32;
    /* One that JSON, one that HTML, one that only forms spell differently, and any fourth. */
    value[5] = (uint8_t)special[kr_corpus_random(&seed) % 3];
    value[12] = (uint8_t)special[3 + kr_corpus_random(&seed) % 4];
    value[19] = ' ';
    value[26] = (uint8_t)special[kr_corpus_random(&seed) % (sizeof special - 1)];
    kr_needles_end(&needles);
  }
  return kr_needles_seal(needles);
}

kr_needles kr_needles_one(kr_str bytes) {
  kr_needles needles = kr_needles_new(1);
  kr_corpus_try(kr_buf_append(&needles.bytes, bytes));
  kr_needles_end(&needles);
  return kr_needles_seal(needles);
}

static bool kr_corpus_is_unreserved(uint8_t byte) {
  return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
         (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' || byte == '~';
}

static void kr_corpus_percent(kr_str value, bool is_form, kr_buf *out) {
  for (size_t i = 0; i < value.len; i++) {
    uint8_t byte = value.ptr[i];
    if (is_form && byte == ' ')
      kr_corpus_try(kr_buf_byte(out, '+'));
    else if (kr_corpus_is_unreserved(byte))
      kr_corpus_try(kr_buf_byte(out, byte));
    else
      kr_corpus_try(kr_buf_printf(out, "%%%02X", byte));
  }
}

static void kr_corpus_json(kr_str value, kr_buf *out) {
  for (size_t i = 0; i < value.len; i++) {
    uint8_t byte = value.ptr[i];
    if (byte == '"' || byte == '\\' || byte == '/')
      kr_corpus_try(kr_buf_byte(out, '\\'));
    kr_corpus_try(kr_buf_byte(out, byte));
  }
}

static void kr_corpus_html(kr_str value, kr_buf *out) {
  for (size_t i = 0; i < value.len; i++) {
    switch (value.ptr[i]) {
    case '&':
      kr_corpus_try(kr_buf_append(out, KR_STR("&amp;")));
      break;
    case '<':
      kr_corpus_try(kr_buf_append(out, KR_STR("&lt;")));
      break;
    case '>':
      kr_corpus_try(kr_buf_append(out, KR_STR("&gt;")));
      break;
    case '"':
      kr_corpus_try(kr_buf_append(out, KR_STR("&quot;")));
      break;
    case '\'':
      kr_corpus_try(kr_buf_append(out, KR_STR("&#39;")));
      break;
    default:
      kr_corpus_try(kr_buf_byte(out, value.ptr[i]));
    }
  }
}

void kr_corpus_spell(kr_str value, unsigned which, kr_buf *out) {
  switch (which) {
  case 0:
    kr_corpus_try(kr_buf_append(out, value));
    return;
  case 1:
    kr_corpus_percent(value, false, out);
    return;
  case 2:
    kr_corpus_percent(value, true, out);
    return;
  case 3:
    kr_corpus_json(value, out);
    return;
  case 4:
    kr_corpus_html(value, out);
    return;
  case 5:
    kr_corpus_try(kr_base64_encode(value, KR_BASE64_STANDARD, true, out));
    return;
  case 6:
    kr_corpus_try(kr_base64_encode(value, KR_BASE64_URL, false, out));
    return;
  default:
    kr_corpus_try(kr_hex_encode(value, out));
    return;
  }
}

kr_needles kr_needles_spelled(const kr_needles *values) {
  kr_needles needles = kr_needles_new(values->n * KR_SPELLINGS);
  for (size_t i = 0; i < values->n; i++) {
    size_t starts[KR_SPELLINGS + 1] = {needles.bytes.len};
    unsigned n_kept = 0;
    for (unsigned which = 0; which < KR_SPELLINGS; which++) {
      size_t start = starts[n_kept];
      kr_corpus_spell(values->list[i], which, &needles.bytes);
      kr_str all = kr_buf_str(&needles.bytes);
      bool is_known = false;
      for (unsigned k = 0; k < n_kept; k++)
        is_known = is_known || kr_str_equal(kr_str_skip(all, start),
                                            kr_str_slice(all, starts[k], starts[k + 1]));
      if (is_known) {
        needles.bytes.len = start;
        continue;
      }
      starts[++n_kept] = needles.bytes.len;
      kr_needles_end(&needles);
    }
  }
  return kr_needles_seal(needles);
}
