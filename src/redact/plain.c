/* SPDX-License-Identifier: Apache-2.0 */
/* plain.c - the scalar reading, which defines what the variants must give; see plain.h. */
#include "redact/plain.h"

#include "base/encode.h"
#include "redact/redact.h"
#include "redact/token.h"

static bool kr_plain_is_hex(kr_str text, size_t at) {
  return at < text.len && kr_hex_digit(text.ptr[at]) >= 0;
}

static size_t kr_plain_hex_digits(kr_str text, size_t at, size_t most) {
  size_t n = 0;
  while (n < most && kr_plain_is_hex(text, at + n))
    n++;
  return n;
}

/* Longer runs of digits are in no entity of KR_REDACT_ENTITY_BYTES. */
#define KR_PLAIN_ENTITY_DIGITS (KR_REDACT_ENTITY_BYTES - 3u)

/* Of "&#65;" or "&#x41;", cut anywhere. What the core does not hold of it may follow the core. */
static size_t kr_plain_taken_number(kr_str core) {
  size_t at = 0;
  if (at < core.len && core.ptr[at] == '#')
    at++;
  if (at < core.len && (core.ptr[at] == 'x' || core.ptr[at] == 'X'))
    at++;
  size_t n_digits = kr_plain_hex_digits(core, at, core.len);
  if (n_digits > KR_PLAIN_ENTITY_DIGITS)
    return 0;
  at += n_digits;
  if (at == core.len)
    return at;
  return core.ptr[at] == ';' ? at + 1 : 0;
}

/* Of "&amp;" and the like. */
static size_t kr_plain_taken_name(kr_str core) {
  static const char *const names[] = {"amp;", "lt;", "gt;", "quot;", "apos;", "nbsp;"};
  size_t taken = 0;
  if (strchr("abglmnopqstu;", core.ptr[0]) == NULL || core.ptr[0] == 0) /* most cores, at once */
    return 0;
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    for (kr_str rest = kr_str_cstr(names[i]); rest.len > 0; rest = kr_str_skip(rest, 1)) {
      size_t shared = rest.len < core.len ? rest.len : core.len;
      if (memcmp(rest.ptr, core.ptr, shared) == 0 && shared > taken)
        taken = shared;
    }
  return taken;
}

/* Of "%41" and "\u0041". */
static size_t kr_plain_taken_digits(kr_str core) {
  if (core.len > 0 && core.ptr[0] == 'u') {
    size_t n_digits = kr_plain_hex_digits(core, 1, 4);
    return n_digits == 4 || 1 + n_digits == core.len ? 1 + n_digits : 0;
  }
  return kr_plain_hex_digits(core, 0, 4);
}

size_t kr_plain_taken(kr_str core) {
  size_t taken = kr_plain_taken_digits(core);
  size_t other = kr_plain_taken_number(core);
  taken = other > taken ? other : taken;
  other = core.len == 0 ? 0 : kr_plain_taken_name(core);
  return other > taken ? other : taken;
}

static size_t kr_plain_put(const kr_redact_token *token, bool reads_plus, uint8_t *out, size_t *n) {
  for (size_t i = 0; i < token->n_bytes; i++)
    out[(*n)++] = reads_plus && token->bytes[i] == '+' ? ' ' : token->bytes[i];
  return token->len;
}

/* The escape at the start of text that is of one form. */
static bool kr_plain_escape(kr_str text, uint32_t form, kr_redact_token *ret_token) {
  kr_redact_tokens tokens;
  (void)kr_redact_token_read(text, true, KR_REDACT_FORM_BIT(form), &tokens);
  if (tokens.count > 0)
    *ret_token = tokens.items[0];
  return tokens.count > 0;
}

#define KR_PLAIN_PAIR_BYTES 12u /* of "\\ud83d\\ude00" */

/* Behind the last backslash of some: a code point, or nothing to write yet. */
static size_t kr_plain_backslash(kr_str rest, bool reads_plus, uint8_t *out, size_t *n) {
  kr_redact_token token;
  kr_str pair = rest;
  uint8_t room[KR_PLAIN_PAIR_BYTES];
  if (rest.len < 2 || rest.ptr[1] != 'u')
    return 1;
  /* "\ud83d\\ude00": the second half of a pair may have two backslashes as well. */
  bool is_doubled = rest.len > KR_PLAIN_PAIR_BYTES && rest.ptr[6] == '\\' && rest.ptr[7] == '\\';
  if (is_doubled) {
    memcpy(room, rest.ptr, 6);
    memcpy(room + 6, rest.ptr + 7, 6);
    pair = kr_str_from(room, sizeof(room));
  }
  if (!kr_plain_escape(pair, KR_FORM_JSON, &token))
    return 1;
  return kr_plain_put(&token, reads_plus, out, n) + (is_doubled && token.len > 6);
}

size_t kr_plain_step(kr_str text, size_t at, bool reads_plus, uint8_t *out, size_t *n) {
  uint8_t byte = text.ptr[at];
  kr_redact_token token;
  kr_str rest = kr_str_skip(text, at);
  if (byte == '\\')
    return kr_plain_backslash(rest, reads_plus, out, n);
  if ((byte == '%' && kr_plain_escape(rest, KR_FORM_PERCENT, &token)) ||
      (byte == '&' && kr_plain_escape(rest, KR_FORM_HTML, &token)))
    return kr_plain_put(&token, reads_plus, out, n);
  out[(*n)++] = reads_plus && byte == '+' ? ' ' : byte;
  return 1;
}

static size_t kr_plain_scalar_clean_len(kr_str text, bool reads_plus) {
  size_t at = 0;
  while (at < text.len && !kr_plain_is_introducer(text.ptr[at], reads_plus))
    at++;
  return at;
}

static size_t kr_plain_scalar_read(kr_str text, size_t len, bool reads_plus, uint8_t *out,
                                   uint32_t *map) {
  size_t at = 0;
  size_t n = 0;
  for (size_t block = 0; block <= len; block += KR_PLAIN_BLOCK_BYTES) {
    size_t stop = block < len ? block : len;
    while (at < stop)
      at += kr_plain_step(text, at, reads_plus, out, &n);
    *map++ = (uint32_t)n;
  }
  while (at < len)
    at += kr_plain_step(text, at, reads_plus, out, &n);
  *map = (uint32_t)n;
  return n;
}

const kr_plain_variant *kr_plain_variant_of(kr_cpu_level level) {
  static const kr_plain_variant scalar = {kr_plain_scalar_clean_len, kr_plain_scalar_read};
#ifdef __x86_64__
  if (level >= KR_CPU_AVX512)
    return &kr_plain_avx512;
  if (level >= KR_CPU_AVX2)
    return &kr_plain_avx2;
#endif
  (void)level;
  return &scalar;
}

size_t kr_plain_clean_len(kr_str text, bool reads_plus) {
  return kr_plain_variant_of(kr_cpu_best())->clean_len(text, reads_plus);
}

size_t kr_plain_read(kr_str text, size_t len, bool reads_plus, uint8_t *out, uint32_t *map) {
  return kr_plain_variant_of(kr_cpu_best())->read(text, len, reads_plus, out, map);
}
