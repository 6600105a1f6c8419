/* SPDX-License-Identifier: Apache-2.0 */
/* generate.c - a grammar walked at random (xorshift64*), written as text at once. */
#include "generate.h"

#include "base/assert.h"
#include "base/utf8.h"

#define MAX_DEPTH 6u

uint32_t generate_below(generator *gen, uint32_t bound) {
  gen->state ^= gen->state >> 12;
  gen->state ^= gen->state << 25;
  gen->state ^= gen->state >> 27;
  uint64_t mixed = gen->state * UINT64_C(2685821657736338717);
  return (uint32_t)(mixed >> 32) % bound;
}

static void put(generator *gen, const char *text) {
  KR_ASSERT(kr_buf_append(&gen->out, kr_str_cstr(text)) == KR_OK);
}

static void put_byte(generator *gen, uint8_t byte) {
  KR_ASSERT(kr_buf_byte(&gen->out, byte) == KR_OK);
}

static void put_one_of(generator *gen, const char *const *texts, uint32_t n_texts) {
  put(gen, texts[generate_below(gen, n_texts)]);
}

static void blank(generator *gen) {
  static const char *const blanks[] = {"", "", "", "", "", " ", "\n", "\t", "\r\n", "         "};
  put_one_of(gen, blanks, 10);
}

static void digits(generator *gen, uint32_t n_digits) {
  for (uint32_t i = 0; i < n_digits; i++)
    put_byte(gen, (uint8_t)('0' + generate_below(gen, 10)));
}

static void number(generator *gen) {
  static const char *const odd[] = {
      "0",     "-0",     "9223372036854775807",     "-9223372036854775808",
      "1e308", "5e-324", "2.2250738585072011e-308", "0.1"};
  if (generate_below(gen, 8) == 0) {
    put_one_of(gen, odd, 8);
    return;
  }
  if (generate_below(gen, 3) == 0)
    put(gen, "-");
  if (generate_below(gen, 4) == 0) {
    put(gen, "0");
  } else {
    put_byte(gen, (uint8_t)('1' + generate_below(gen, 9)));
    digits(gen, generate_below(gen, 17));
  }
  if (generate_below(gen, 3) == 0) {
    put(gen, ".");
    digits(gen, 1 + generate_below(gen, 20));
  }
  if (generate_below(gen, 4) == 0) {
    static const char *const exponents[] = {"e", "E", "e+", "E-", "e-"};
    put_one_of(gen, exponents, 5);
    digits(gen, 1 + generate_below(gen, 3));
  }
}

static void code_point(generator *gen) {
  static const uint32_t bounds[] = {0x80, 0x800, 0x10000, 0x110000};
  uint32_t point = generate_below(gen, bounds[generate_below(gen, 4)]);
  if (point < 0x80 || (point >= 0xD800 && point <= 0xDFFF))
    point = 0xE9;
  uint8_t bytes[4];
  size_t len = kr_utf8_encode(point, bytes);
  KR_ASSERT(kr_buf_append(&gen->out, kr_str_from(bytes, len)) == KR_OK);
}

static void string_part(generator *gen) {
  static const char *const escapes[] = {"\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"};
  switch (generate_below(gen, 8)) {
  case 0:
    put_one_of(gen, escapes, 8);
    return;
  case 1:
    code_point(gen);
    return;
  case 2: {
    uint32_t unit = 1 + generate_below(gen, 0xFFFF);
    bool is_surrogate = unit >= 0xD800 && unit <= 0xDFFF;
    KR_ASSERT(kr_buf_printf(&gen->out, generate_below(gen, 2) == 0 ? "\\u%04x" : "\\u%04X",
                            is_surrogate ? 0x20ACu : unit) == KR_OK);
    return;
  }
  case 3:
    KR_ASSERT(kr_buf_printf(&gen->out, "\\ud%03x\\uD%03X", 0x800 + generate_below(gen, 0x400),
                            0xC00 + generate_below(gen, 0x400)) == KR_OK);
    return;
  default:
    for (uint32_t i = generate_below(gen, 12); i > 0; i--)
      put_byte(gen, (uint8_t)('a' + generate_below(gen, 26)));
  }
}

static void string(generator *gen) {
  put(gen, "\"");
  for (uint32_t i = generate_below(gen, 6); i > 0; i--)
    string_part(gen);
  put(gen, "\"");
}

static void value(generator *gen, uint32_t depth);

static void container(generator *gen, uint32_t depth, bool is_object) {
  /* Now and then many members, to pass the bound of the linear key check. */
  uint32_t count = generate_below(gen, generate_below(gen, 30) == 0 ? 80 : 5);
  put(gen, is_object ? "{" : "[");
  blank(gen);
  for (uint32_t i = 0; i < count; i++) {
    if (i > 0)
      put(gen, ",");
    blank(gen);
    if (is_object) {
      KR_ASSERT(kr_buf_printf(&gen->out, "\"%c%s%u\"", 'a' + (int)generate_below(gen, 26),
                              generate_below(gen, 9) == 0 ? "\\u00e9" : "", i) == KR_OK);
      blank(gen);
      put(gen, ":");
      blank(gen);
    }
    value(gen, depth + 1);
    blank(gen);
  }
  put(gen, is_object ? "}" : "]");
}

static void value(generator *gen, uint32_t depth) {
  static const char *const words[] = {"null", "true", "false"};
  uint32_t kind = generate_below(gen, depth < MAX_DEPTH ? 8 : 5);
  if (kind < 1)
    put_one_of(gen, words, 3);
  else if (kind < 3)
    number(gen);
  else if (kind < 5)
    string(gen);
  else
    container(gen, depth, kind > 5);
}

void generate_document(generator *gen) {
  blank(gen);
  value(gen, generate_below(gen, 3));
  blank(gen);
}

static void insert(generator *gen, size_t at, uint8_t byte) {
  put_byte(gen, byte);
  memmove(gen->out.ptr + at + 1, gen->out.ptr + at, gen->out.len - at - 1);
  gen->out.ptr[at] = byte;
}

void generate_damage(generator *gen) {
  static const uint8_t bytes[] = "\"\\{}[],:0-+.eEntu \x00\x1f\x7f\x80\xc0\xe9\xed\xf4\xff";
  for (uint32_t n = 1 + generate_below(gen, 2); n > 0 && gen->out.len > 0; n--) {
    size_t at = generate_below(gen, (uint32_t)gen->out.len);
    uint8_t byte = bytes[generate_below(gen, (uint32_t)sizeof bytes - 1)];
    switch (generate_below(gen, 6)) {
    case 0:
      gen->out.ptr[at] = byte;
      break;
    case 1:
      gen->out.ptr[at] ^= (uint8_t)(1u << generate_below(gen, 8));
      break;
    case 2:
      insert(gen, at, byte);
      break;
    case 3:
      insert(gen, at, gen->out.ptr[generate_below(gen, (uint32_t)gen->out.len)]);
      break;
    case 4:
      memmove(gen->out.ptr + at, gen->out.ptr + at + 1, gen->out.len - at - 1);
      gen->out.len--;
      break;
    default:
      if (generate_below(gen, 4) == 0)
        gen->out.len = at;
    }
  }
}
