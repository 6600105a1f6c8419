/* SPDX-License-Identifier: Apache-2.0 */
/* parts.c - a value, its lines and its leaves; see parts.h. */
#include "redact/parts.h"

#include "base/encode.h"
#include "json/json.h"

#include <stdlib.h>

typedef struct kr_redact_taking {
  uint32_t enabled;
  size_t min_search;
  kr_arena *arena;
  kr_buf *parts;
} kr_redact_taking;

static bool kr_redact_is_on(const kr_redact_taking *taking, kr_redact_form form) {
  return (taking->enabled & KR_REDACT_FORM_BIT(form)) != 0;
}

static kr_status kr_redact_take(const kr_redact_taking *taking, kr_str bytes, size_t min_len,
                                kr_redact_form form) {
  kr_redact_part part = {.bytes = bytes, .form = (uint8_t)form};
  if (bytes.len < min_len || bytes.len < taking->min_search)
    return KR_OK;
  return kr_buf_append(taking->parts, kr_str_from(&part, sizeof(part)));
}

static bool kr_redact_has_lines(kr_str text) {
  return text.len > 0 &&
         (memchr(text.ptr, '\n', text.len) != NULL || memchr(text.ptr, '\r', text.len) != NULL);
}

/* The text with every line break as given. */
static kr_status kr_redact_break_lines(kr_str text, kr_str line_break, kr_arena *arena,
                                       kr_str *ret_text) {
  uint8_t *out = kr_arena_alloc(arena, 2 * text.len); /* text.len: at most a value */
  size_t len = 0;
  if (out == NULL)
    return kr_arena_why(arena);
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] != '\r' && text.ptr[i] != '\n') {
      out[len++] = text.ptr[i];
      continue;
    }
    memcpy(out + len, line_break.ptr, line_break.len);
    len += line_break.len;
    if (text.ptr[i] == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n')
      i++;
  }
  *ret_text = kr_str_from(out, len);
  return KR_OK;
}

/* A text as it is and with other line breaks. */
static kr_status kr_redact_take_breaks(const kr_redact_taking *taking, kr_str text, size_t min_len,
                                       kr_redact_form form) {
  const kr_str breaks[] = {KR_STR("\n"), KR_STR("\r\n"), KR_STR("\r")};
  KR_TRY(kr_redact_take(taking, text, min_len, form));
  if (!kr_redact_is_on(taking, KR_FORM_LINE) || !kr_redact_has_lines(text))
    return KR_OK;
  for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
    kr_str changed = {0};
    KR_TRY(kr_redact_break_lines(text, breaks[i], taking->arena, &changed));
    KR_TRY(kr_redact_take(taking, changed, min_len, form));
  }
  return KR_OK;
}

static bool kr_redact_is_framing(kr_str line) {
  return (kr_str_starts(line, KR_STR("-----BEGIN ")) || kr_str_starts(line, KR_STR("-----END "))) &&
         kr_str_ends(line, KR_STR("-----"));
}

static kr_status kr_redact_take_lines(const kr_redact_taking *taking, kr_str text, size_t min_len,
                                      kr_redact_form form) {
  size_t start = 0;
  if (!kr_redact_is_on(taking, form) || !kr_redact_has_lines(text))
    return KR_OK;
  for (size_t i = 0; i <= text.len; i++) {
    if (i < text.len && text.ptr[i] != '\r' && text.ptr[i] != '\n')
      continue;
    kr_str line = kr_str_trim(kr_str_slice(text, start, i));
    if (!kr_redact_is_framing(line))
      KR_TRY(kr_redact_take(taking, line, min_len, form));
    start = i + 1;
  }
  return KR_OK;
}

static kr_status kr_redact_percent_decode(kr_str text, kr_arena *arena, kr_str *ret_text) {
  uint8_t *out = kr_arena_alloc(arena, text.len + 1);
  size_t len = 0;
  if (out == NULL)
    return kr_arena_why(arena);
  for (size_t i = 0; i < text.len; i++) {
    int high = text.ptr[i] == '%' && i + 2 < text.len ? kr_hex_digit(text.ptr[i + 1]) : -1;
    int low = high >= 0 ? kr_hex_digit(text.ptr[i + 2]) : -1;
    out[len++] = low >= 0 ? (uint8_t)((unsigned)high << 4 | (unsigned)low) : text.ptr[i];
    i += low >= 0 ? 2 : 0;
  }
  *ret_text = kr_str_from(out, len);
  return KR_OK;
}

static kr_status kr_redact_take_decoded(const kr_redact_taking *taking, kr_str text) {
  kr_str decoded = {0};
  KR_TRY(kr_redact_take(taking, text, KR_REDACT_LEAF_BYTES, KR_FORM_LEAF));
  if (text.len == 0 || memchr(text.ptr, '%', text.len) == NULL)
    return KR_OK;
  KR_TRY(kr_redact_percent_decode(text, taking->arena, &decoded));
  return kr_redact_take(taking, decoded, KR_REDACT_LEAF_BYTES, KR_FORM_LEAF);
}

static bool kr_redact_is_scheme(kr_str text) {
  bool is_scheme = text.len > 0 && (text.ptr[0] | 0x20) >= 'a' && (text.ptr[0] | 0x20) <= 'z';
  for (size_t i = 0; i < text.len && is_scheme; i++) {
    uint8_t byte = text.ptr[i];
    is_scheme = ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') || (byte >= '0' && byte <= '9') ||
                byte == '+' || byte == '-' || byte == '.';
  }
  return is_scheme;
}

/* scheme://user:password@host: RFC 3986, section 3. */
static kr_status kr_redact_take_userinfo(const kr_redact_taking *taking, kr_str text) {
  size_t colon = kr_str_find(text, KR_STR("://"), 0);
  if (colon == SIZE_MAX || !kr_redact_is_scheme(kr_str_slice(text, 0, colon)))
    return KR_OK;
  kr_str authority = kr_str_skip(text, colon + 3);
  size_t at = SIZE_MAX;
  for (size_t i = 0; i < authority.len && memchr("/?#", authority.ptr[i], 3) == NULL; i++)
    at = authority.ptr[i] == '@' ? i : at;
  if (at == SIZE_MAX)
    return KR_OK;
  kr_str userinfo = kr_str_slice(authority, 0, at);
  size_t user_len = kr_str_find(userinfo, KR_STR(":"), 0);
  user_len = user_len == SIZE_MAX ? userinfo.len : user_len;
  KR_TRY(kr_redact_take_decoded(taking, kr_str_slice(userinfo, 0, user_len)));
  return kr_redact_take_decoded(taking, kr_str_skip(userinfo, user_len + 1));
}

/* All parts of a text but what it holds as JSON. */
static kr_status kr_redact_take_text(const kr_redact_taking *taking, kr_str text, size_t min_len,
                                     kr_redact_form form) {
  kr_str trimmed = kr_str_trim(text);
  KR_TRY(kr_redact_take_breaks(taking, text, min_len, form));
  if (trimmed.len < text.len)
    KR_TRY(kr_redact_take_breaks(taking, trimmed, min_len, form));
  KR_TRY(kr_redact_take_lines(taking, text, KR_REDACT_LINE_BYTES, KR_FORM_LINE));
  if (!kr_redact_is_on(taking, KR_FORM_LEAF))
    return KR_OK;
  if (kr_str_find(text, KR_STR("-----BEGIN "), 0) != SIZE_MAX)
    KR_TRY(kr_redact_take_lines(taking, text, KR_REDACT_LEAF_BYTES, KR_FORM_LEAF));
  return kr_redact_take_userinfo(taking, trimmed);
}

/* Trees are at most KR_JSON_MAX_DEPTH deep. */
static kr_status kr_redact_take_leaves(const kr_redact_taking *taking, const kr_json *json) {
  if (json->type == KR_JSON_STRING)
    return kr_redact_take_text(taking, kr_json_text(json), KR_REDACT_LEAF_BYTES, KR_FORM_LEAF);
  for (uint32_t i = 0; json->type == KR_JSON_ARRAY && i < json->count; i++)
    KR_TRY(kr_redact_take_leaves(taking, &json->items[i]));
  for (uint32_t i = 0; json->type == KR_JSON_OBJECT && i < json->count; i++)
    KR_TRY(kr_redact_take_leaves(taking, &json->members[i].value));
  return KR_OK;
}

static kr_status kr_redact_take_json(const kr_redact_taking *taking, kr_str text) {
  const kr_json *json = NULL;
  if (!kr_redact_is_on(taking, KR_FORM_LEAF) || text.len == 0 ||
      (text.ptr[0] != '{' && text.ptr[0] != '['))
    return KR_OK;
  kr_status status = kr_json_parse(text, NULL, taking->arena, &json, NULL);
  if (status != KR_OK)
    return status == KR_NOMEM ? KR_NOMEM : KR_OK; /* no JSON: nothing in it */
  return kr_redact_take_leaves(taking, json);
}

static int kr_redact_part_compare(const void *left, const void *right) {
  const kr_redact_part *a = left;
  const kr_redact_part *b = right;
  int order = kr_str_compare(a->bytes, b->bytes);
  return order != 0 ? order : (int)a->form - (int)b->form;
}

/* Of equal strings from part first on keep the one that is most of the value. */
static void kr_redact_parts_dedupe(kr_buf *parts, size_t first) {
  kr_redact_part *items = (kr_redact_part *)(void *)parts->ptr + first;
  size_t n = kr_redact_n_parts(parts) - first;
  size_t n_kept = 0;
  if (n < 2)
    return;
  qsort(items, n, sizeof(*items), kr_redact_part_compare);
  for (size_t i = 0; i < n; i++)
    if (i == 0 || !kr_str_equal(items[n_kept - 1].bytes, items[i].bytes))
      items[n_kept++] = items[i];
  parts->len = (first + n_kept) * sizeof(*items);
}

kr_status kr_redact_parts_add(const kr_redact_entry *entry, uint32_t enabled, kr_arena *arena,
                              kr_buf *parts) {
  size_t first = kr_redact_n_parts(parts);
  const kr_redact_taking taking = {
      .enabled = enabled, .min_search = entry->min_search, .arena = arena, .parts = parts};
  if (entry->value.len < entry->min_search)
    return KR_OK; /* nor with longer line breaks */
  KR_TRY(kr_redact_take_text(&taking, entry->value, 0, KR_FORM_RAW));
  KR_TRY(kr_redact_take_json(&taking, kr_str_trim(entry->value)));
  kr_redact_parts_dedupe(parts, first);
  return KR_OK;
}
