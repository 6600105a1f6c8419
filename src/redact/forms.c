/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forms.c - the listed forms of each part of a value: as it is, base64, hex.
 * Escapes are not listed (every subset of bytes may be escaped); scan.c reads them.
 *
 * Base64 of a longer text that contains the value shows the value in one of
 * three alignments k = 0, 1, 2 (bytes before it, modulo 3). The characters that
 * depend on the value alone are ceil(8k/6) up to floor(8(k+len)/6) of the
 * encoding of k zero bytes and the value: the core. Its neighbours mix bits of
 * the value with bits of foreign text; the scanner widens a match by them.
 */
#include "base/encode.h"
#include "redact/parts.h"
#include "secmem/sensitive.h"

static kr_status kr_redact_forms_put(kr_buf *patterns, kr_redact_pattern pattern) {
  return kr_buf_append(patterns, kr_str_from(&pattern, sizeof(pattern)));
}

static kr_status kr_redact_forms_core(kr_redact_patterns *patterns, size_t k,
                                      kr_base64_alphabet alphabet, kr_str *ret_core) {
  size_t from = (8 * k + 5) / 6;
  size_t to = 8 * patterns->padded.len / 6;
  patterns->encoded.len = 0;
  KR_TRY(kr_base64_encode(kr_buf_str(&patterns->padded), alphabet, false, &patterns->encoded));
  kr_str text = kr_buf_str(&patterns->encoded);
  return kr_arena_copy(&patterns->arena, kr_str_slice(text, from, to), ret_core);
}

static kr_status kr_redact_forms_base64(kr_redact_patterns *patterns, kr_redact_pattern pattern,
                                        kr_str part, size_t k) {
  patterns->padded.len = 0;
  KR_TRY(kr_buf_append(&patterns->padded, kr_str_from("\0\0", k)));
  KR_TRY(kr_buf_append(&patterns->padded, part));
  pattern.widens_left = k != 0;
  pattern.widens_right = patterns->padded.len % 3 != 0;
  KR_TRY(kr_redact_forms_core(patterns, k, KR_BASE64_STANDARD, &pattern.bytes));
  if (pattern.bytes.len < KR_REDACT_ENCODED_CHARACTERS)
    return KR_OK;
  KR_TRY(kr_redact_forms_put(&patterns->forms, pattern));
  kr_str standard = pattern.bytes;
  KR_TRY(kr_redact_forms_core(patterns, k, KR_BASE64_URL, &pattern.bytes));
  if (kr_str_equal(standard, pattern.bytes))
    return KR_OK;
  return kr_redact_forms_put(&patterns->forms, pattern);
}

static kr_status kr_redact_forms_hex(kr_redact_patterns *patterns, kr_redact_pattern pattern,
                                     kr_str part) {
  patterns->encoded.len = 0;
  KR_TRY(kr_hex_encode(part, &patterns->encoded));
  if (patterns->encoded.len < KR_REDACT_ENCODED_CHARACTERS)
    return KR_OK;
  KR_TRY(kr_arena_copy(&patterns->arena, kr_buf_str(&patterns->encoded), &pattern.bytes));
  return kr_redact_forms_put(&patterns->hex, pattern);
}

static kr_status kr_redact_forms_of(kr_redact_patterns *patterns, uint32_t enabled,
                                    const kr_redact_part *part, uint32_t index) {
  kr_redact_pattern pattern = {.bytes = part->bytes, .value = index, .form = part->form};
  KR_TRY(kr_redact_forms_put(&patterns->forms, pattern));
  pattern.form = part->form == KR_FORM_RAW ? KR_FORM_BASE64 : part->form;
  for (size_t k = 0; k < 3 && (enabled & KR_REDACT_FORM_BIT(KR_FORM_BASE64)) != 0; k++)
    KR_TRY(kr_redact_forms_base64(patterns, pattern, part->bytes, k));
  pattern.form = part->form == KR_FORM_RAW ? KR_FORM_HEX : part->form;
  if ((enabled & KR_REDACT_FORM_BIT(KR_FORM_HEX)) == 0)
    return KR_OK;
  return kr_redact_forms_hex(patterns, pattern, part->bytes);
}

kr_redact_patterns kr_redact_patterns_init(void) {
  return (kr_redact_patterns){.arena = KR_ARENA_INIT(SIZE_MAX, kr_sensitive_memory()),
                              .forms = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory()),
                              .hex = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory()),
                              .parts = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory()),
                              .padded = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory()),
                              .encoded = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory())};
}

void kr_redact_patterns_done(kr_redact_patterns *patterns) {
  kr_arena_done(&patterns->arena);
  kr_buf_done(&patterns->forms);
  kr_buf_done(&patterns->hex);
  kr_buf_done(&patterns->parts);
  kr_buf_done(&patterns->padded);
  kr_buf_done(&patterns->encoded);
}

kr_status kr_redact_patterns_add(kr_redact_patterns *patterns, const kr_redact_set *set,
                                 size_t index) {
  patterns->parts.len = 0;
  KR_TRY(kr_redact_parts_add(kr_redact_entry_at(set, index), set->enabled, &patterns->arena,
                             &patterns->parts));
  for (size_t i = 0; i < kr_redact_n_parts(&patterns->parts); i++)
    KR_TRY(kr_redact_forms_of(patterns, set->enabled, kr_redact_part_at(&patterns->parts, i),
                              (uint32_t)index));
  return KR_OK;
}
