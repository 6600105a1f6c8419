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

static kr_status kr_redact_forms_core(kr_str padded, size_t k, kr_base64_alphabet alphabet,
                                      kr_arena *arena, kr_str *ret_core) {
  size_t from = (8 * k + 5) / 6;
  size_t to = 8 * padded.len / 6;
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(2 * padded.len + 8, kr_sensitive_memory());
  KR_TRY(kr_base64_encode(padded, alphabet, false, &text));
  return kr_arena_copy(arena, kr_str_slice(kr_buf_str(&text), from, to), ret_core);
}

static kr_status kr_redact_forms_base64(kr_redact_patterns *patterns, kr_redact_pattern pattern,
                                        kr_str part, size_t k) {
  KR_CLEANUP(kr_buf_done) kr_buf padded = KR_BUF_INIT(part.len + 2, kr_sensitive_memory());
  KR_TRY(kr_buf_append(&padded, kr_str_from("\0\0", k)));
  KR_TRY(kr_buf_append(&padded, part));
  kr_str text = kr_buf_str(&padded);
  pattern.widens_left = k != 0;
  pattern.widens_right = text.len % 3 != 0;
  KR_TRY(kr_redact_forms_core(text, k, KR_BASE64_STANDARD, &patterns->arena, &pattern.bytes));
  if (pattern.bytes.len < KR_REDACT_ENCODED_CHARACTERS)
    return KR_OK;
  KR_TRY(kr_redact_forms_put(&patterns->forms, pattern));
  kr_str standard = pattern.bytes;
  KR_TRY(kr_redact_forms_core(text, k, KR_BASE64_URL, &patterns->arena, &pattern.bytes));
  if (kr_str_equal(standard, pattern.bytes))
    return KR_OK;
  return kr_redact_forms_put(&patterns->forms, pattern);
}

static kr_status kr_redact_forms_hex(kr_redact_patterns *patterns, kr_redact_pattern pattern,
                                     kr_str part) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(2 * part.len, kr_sensitive_memory());
  KR_TRY(kr_hex_encode(part, &text));
  if (text.len < KR_REDACT_ENCODED_CHARACTERS)
    return KR_OK;
  KR_TRY(kr_arena_copy(&patterns->arena, kr_buf_str(&text), &pattern.bytes));
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
                              .parts = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory())};
}

void kr_redact_patterns_done(kr_redact_patterns *patterns) {
  kr_arena_done(&patterns->arena);
  kr_buf_done(&patterns->forms);
  kr_buf_done(&patterns->hex);
  kr_buf_done(&patterns->parts);
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
