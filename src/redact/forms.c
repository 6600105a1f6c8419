/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forms.c - the listed forms of a value: raw, trimmed, base64, hex. Escapes are
 * not listed (every subset of bytes may be escaped); scan.c reads them.
 *
 * Base64 of a longer text that contains the value shows the value in one of
 * three alignments k = 0, 1, 2 (bytes before it, modulo 3). The characters that
 * depend on the value alone are ceil(8k/6) up to floor(8(k+len)/6) of the
 * encoding of k zero bytes and the value: the core. Its neighbours mix bits of
 * the value with bits of foreign text; the scanner widens a match by them.
 */
#include "base/encode.h"
#include "redact/set.h"
#include "secmem/sensitive.h"

static kr_status kr_redact_forms_put(kr_buf *patterns, kr_redact_pattern pattern) {
  return kr_buf_append(patterns, kr_str_from(&pattern, sizeof(pattern)));
}

static kr_status kr_redact_forms_core(kr_str padded, size_t k, kr_base64_alphabet alphabet,
                                      kr_arena *arena, kr_str *ret_core) {
  size_t from = (8 * k + 5) / 6;
  size_t to = 8 * padded.len / 6;
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(2 * padded.len + 8, kr_sensitive_memory());
  KR_TRY(kr_base64_encode(padded, alphabet, false, &text));
  return kr_arena_copy(arena, kr_str_slice(kr_buf_str(&text), from, to), ret_core);
}

static kr_status kr_redact_forms_base64(uint32_t index, kr_str value, size_t k, kr_arena *arena,
                                        kr_buf *forms) {
  KR_CLEANUP(kr_buf_done) kr_buf padded = KR_BUF_INIT(value.len + 2, kr_sensitive_memory());
  KR_TRY(kr_buf_append(&padded, kr_str_from("\0\0", k)));
  KR_TRY(kr_buf_append(&padded, value));
  kr_redact_pattern pattern = {.value = index, .form = KR_FORM_BASE64};
  pattern.widens_left = k != 0;
  pattern.widens_right = padded.len % 3 != 0;
  KR_TRY(kr_redact_forms_core(kr_buf_str(&padded), k, KR_BASE64_STANDARD, arena, &pattern.bytes));
  if (pattern.bytes.len < KR_REDACT_BASE64_MIN_CHARACTERS)
    return KR_OK;
  KR_TRY(kr_redact_forms_put(forms, pattern));
  kr_str standard = pattern.bytes;
  KR_TRY(kr_redact_forms_core(kr_buf_str(&padded), k, KR_BASE64_URL, arena, &pattern.bytes));
  if (kr_str_equal(standard, pattern.bytes))
    return KR_OK;
  return kr_redact_forms_put(forms, pattern);
}

static kr_status kr_redact_forms_hex(uint32_t index, kr_str value, kr_arena *arena, kr_buf *hex) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(2 * value.len, kr_sensitive_memory());
  kr_redact_pattern pattern = {.value = index, .form = KR_FORM_HEX};
  KR_TRY(kr_hex_encode(value, &text));
  KR_TRY(kr_arena_copy(arena, kr_buf_str(&text), &pattern.bytes));
  return kr_redact_forms_put(hex, pattern);
}

static kr_status kr_redact_forms_of(uint32_t index, kr_str value, kr_arena *arena, kr_buf *forms,
                                    kr_buf *hex) {
  kr_redact_pattern raw = {.bytes = value, .value = index, .form = KR_FORM_RAW};
  if (value.len < KR_REDACT_MIN_SEARCH_BYTES)
    return KR_OK;
  KR_TRY(kr_redact_forms_put(forms, raw));
  for (size_t k = 0; k < 3; k++)
    KR_TRY(kr_redact_forms_base64(index, value, k, arena, forms));
  return kr_redact_forms_hex(index, value, arena, hex);
}

kr_status kr_redact_forms_add(uint32_t index, kr_str value, kr_arena *arena, kr_buf *forms,
                              kr_buf *hex) {
  kr_str trimmed = kr_str_trim(value);
  KR_TRY(kr_redact_forms_of(index, value, arena, forms, hex));
  if (trimmed.len == value.len)
    return KR_OK;
  return kr_redact_forms_of(index, trimmed, arena, forms, hex);
}
