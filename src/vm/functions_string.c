/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functions_string.c - strings count in code points. Bytes that are no UTF-8
 * (a secret may hold any) count as one point each, so that nothing here
 * depends on their validity.
 */
#include "base/utf8.h"
#include "vm/case.h"
#include "vm/copy.h"
#include "vm/functions.h"

static bool kr_string_is_ascii(kr_str text) {
  uint64_t high = 0;
  uint64_t word = 0;
  size_t at = 0;
  for (; text.len - at >= sizeof(word); at += sizeof(word)) {
    memcpy(&word, text.ptr + at, sizeof(word));
    high |= word;
  }
  for (; at < text.len; at++)
    high |= text.ptr[at];
  return (high & UINT64_C(0x8080808080808080)) == 0;
}

static size_t kr_string_next(kr_str text, size_t at) {
  uint32_t point = 0;
  size_t len = kr_utf8_decode(kr_str_skip(text, at), &point);
  return at + (len == 0 ? 1 : len);
}

static int64_t kr_string_points(kr_str text) {
  if (kr_string_is_ascii(text))
    return (int64_t)text.len;
  int64_t n_points = 0;
  for (size_t at = 0; at < text.len; at = kr_string_next(text, at))
    n_points++;
  return n_points;
}

/* Byte offset of a code point, at most the length. */
static size_t kr_string_offset(kr_str text, int64_t n_points) {
  size_t at = 0;
  while (n_points-- > 0 && at < text.len)
    at = kr_string_next(text, at);
  return at;
}

static kr_status kr_string_argument(kr_vm *vm, const char *message) {
  return kr_vm_fail(vm, KR_INVALID, KR_E_ARGUMENT, "%s", message);
}

/* Strings without parts, together within the limit: no spans to shift, no work buffer needed. */
static bool kr_string_join_plain(kr_vm *vm, const kr_value *args, unsigned n_args,
                                 size_t *ret_len) {
  size_t len = 0;
  for (unsigned i = 0; i < n_args; i++) {
    if (args[i].type != KR_VALUE_STRING || args[i].secrets != 0 || args[i].n_parts > 0 ||
        args[i].is_unknown)
      return false;
    len += args[i].count; /* at most 64 arguments of 32 bits */
  }
  *ret_len = len;
  return len <= KR_LIMIT_STRING_BYTES && len / 32 <= vm->fuel;
}

kr_status kr_body_CONCAT(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  size_t len = 0;
  if (kr_string_join_plain(vm, args, n_args, &len)) {
    void *memory = NULL;
    KR_TRY(kr_vm_spend(vm, len));
    KR_TRY(kr_vm_alloc(vm, len, &memory));
    uint8_t *out = memory;
    *result = kr_value_string(kr_str_from(out, len));
    for (unsigned i = 0; i < n_args; i++) {
      kr_copy_exact(out, args[i].text, args[i].count);
      out += args[i].count;
    }
    return KR_OK;
  }
  kr_vm_build_begin(vm);
  for (unsigned i = 0; i < n_args; i++)
    KR_TRY(kr_vm_build_value(vm, &args[i]));
  return kr_vm_build_take(vm, result);
}

kr_status kr_body_JOIN(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  if (args[1].type == KR_VALUE_UNKNOWN) {
    *result = args[1];
    return KR_OK;
  }
  kr_vm_build_begin(vm);
  for (uint32_t i = 0; i < args[1].count; i++) {
    kr_value item = kr_value_item(&args[1], i);
    if (i > 0)
      KR_TRY(kr_vm_build_value(vm, &args[0]));
    if (item.type != KR_VALUE_UNKNOWN)
      KR_TRY(kr_vm_to_text(vm, &item, &item));
    KR_TRY(kr_vm_spend(vm, 32));
    KR_TRY(kr_vm_build_value(vm, &item));
  }
  return kr_vm_build_take(vm, result);
}

/* Case of ASCII letters by their one bit; eight bytes are one loop for the compiler. */
static kr_status kr_string_ascii_case(kr_vm *vm, kr_str text, bool is_upper, kr_value *result) {
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, text.len, &memory)); /* paid for with the argument, as below */
  uint8_t *out = memory;
  uint8_t first = is_upper ? 'a' : 'A';
  for (size_t i = 0; i < text.len; i++) {
    bool is_letter = (uint8_t)(text.ptr[i] - first) < 26;
    out[i] = (uint8_t)(text.ptr[i] ^ (is_letter ? 0x20 : 0));
  }
  *result = kr_value_string(kr_str_from(out, text.len));
  return KR_OK;
}

#define KR_UTF8_BYTES 4u /* of the longest character */
#define KR_CASE_COST 3u  /* for each byte: a search in a table for each character */

static kr_status kr_string_case(kr_vm *vm, kr_str text, bool is_upper, size_t limit,
                                kr_value *result) {
  if (limit == SIZE_MAX && text.len <= KR_LIMIT_STRING_BYTES && kr_string_is_ascii(text))
    return kr_string_ascii_case(vm, text, is_upper, result);
  kr_buf *buf = &vm->work.buf;
  size_t at = 0;
  KR_TRY(kr_vm_spend(vm, text.len * KR_CASE_COST));
  kr_vm_build_begin(vm);
  while (at < text.len && at < limit) {
    uint32_t point = 0;
    uint8_t scratch[KR_UTF8_BYTES] = {text.ptr[at]};
    uint8_t *out = buf->cap - buf->len < KR_UTF8_BYTES ? scratch : buf->ptr + buf->len;
    size_t len = kr_utf8_decode(kr_str_skip(text, at), &point);
    size_t n = 1;
    if (len == 0)
      out[0] = text.ptr[at];
    else
      n = kr_utf8_encode(is_upper ? kr_case_upper(point) : kr_case_lower(point), out);
    if (out == scratch)
      KR_TRY(kr_vm_build_bytes(vm, kr_str_from(out, n)));
    else
      buf->len += n;
    at += len == 0 ? 1 : len;
  }
  KR_TRY(kr_vm_build_bytes(vm, kr_str_skip(text, at)));
  return kr_vm_build_take(vm, result);
}

kr_status kr_body_UPPERCASE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_string_case(vm, kr_value_text(&args[0]), true, SIZE_MAX, result);
}

kr_status kr_body_LOWERCASE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  return kr_string_case(vm, kr_value_text(&args[0]), false, SIZE_MAX, result);
}

kr_status kr_body_CAPITALIZE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_str text = kr_value_text(&args[0]);
  return kr_string_case(vm, text, true, text.len > 0 ? 1 : 0, result);
}

static bool kr_string_is_blank(uint8_t byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static kr_value kr_string_trim(kr_str text, bool is_start, bool is_end) {
  size_t from = 0;
  size_t to = text.len;
  while (is_start && from < to && kr_string_is_blank(text.ptr[from]))
    from++;
  while (is_end && to > from && kr_string_is_blank(text.ptr[to - 1]))
    to--;
  return kr_value_string(kr_str_slice(text, from, to));
}

kr_status kr_body_TRIM(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_string_trim(kr_value_text(&args[0]), true, true);
  return KR_OK;
}

kr_status kr_body_TRIM_START(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_string_trim(kr_value_text(&args[0]), true, false);
  return KR_OK;
}

kr_status kr_body_TRIM_END(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_string_trim(kr_value_text(&args[0]), false, true);
  return KR_OK;
}

kr_status kr_body_REPLACE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_str search = kr_value_text(&args[0]);
  kr_str replacement = kr_value_text(&args[1]);
  kr_str subject = kr_value_text(&args[2]);
  if (search.len == 0)
    return kr_string_argument(vm, "replace cannot search for an empty string");
  kr_vm_build_begin(vm);
  for (size_t at = 0;;) {
    size_t found = kr_str_find(subject, search, at);
    KR_TRY(kr_vm_build_bytes(vm, kr_str_slice(subject, at, found)));
    if (found == SIZE_MAX)
      break;
    KR_TRY(kr_vm_spend(vm, 32));
    KR_TRY(kr_vm_build_bytes(vm, replacement));
    at = found + search.len;
  }
  return kr_vm_build_take(vm, result);
}

kr_status kr_body_SUBSTRING(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  kr_str text = kr_value_text(&args[0]);
  int64_t n_points = kr_string_points(text);
  int64_t start = args[1].integer;
  if (start < 0)
    start = start < -n_points ? 0 : start + n_points;
  if (start > n_points)
    start = n_points;
  int64_t len = n_args == 3 ? args[2].integer : n_points - start;
  if (len < 0)
    return kr_string_argument(vm, "the length of a substring cannot be negative");
  if (len > n_points - start)
    len = n_points - start;
  bool is_ascii = n_points == (int64_t)text.len; /* or bytes that are no UTF-8, one point each */
  size_t from = is_ascii ? (size_t)start : kr_string_offset(text, start);
  size_t to = from + (is_ascii ? (size_t)len : kr_string_offset(kr_str_skip(text, from), len));
  *result = kr_value_string(kr_str_slice(text, from, to));
  return KR_OK;
}

kr_status kr_body_SPLIT(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_str delimiter = kr_value_text(&args[0]);
  kr_str text = kr_value_text(&args[1]);
  size_t n_items = delimiter.len == 0 ? (size_t)kr_string_points(text) : 1;
  for (size_t at = 0; delimiter.len > 0 && (at = kr_str_find(text, delimiter, at)) != SIZE_MAX;
       at += delimiter.len)
    n_items++;
  KR_TRY(kr_vm_spend(vm, n_items * 32));
  void *memory = NULL;
  KR_TRY(kr_vm_alloc(vm, n_items * sizeof(kr_value), &memory));
  kr_value *items = memory;
  size_t at = 0;
  for (size_t i = 0; i < n_items; i++) {
    size_t end = delimiter.len == 0 ? kr_string_next(text, at) : kr_str_find(text, delimiter, at);
    items[i] = kr_value_string(kr_str_slice(text, at, end));
    items[i].is_untrusted = args[0].is_untrusted || args[1].is_untrusted;
    at = end == SIZE_MAX ? text.len : end + delimiter.len;
  }
  *result = (kr_value){.type = KR_VALUE_ARRAY, .count = (uint32_t)n_items, .items = items};
  return KR_OK;
}

kr_status kr_body_CONTAINS(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  bool is_found = false;
  if (args[0].type == KR_VALUE_STRING) {
    kr_value needle;
    KR_TRY(kr_vm_to_text(vm, &args[1], &needle));
    is_found = kr_str_find(kr_value_text(&args[0]), kr_value_text(&needle), 0) != SIZE_MAX;
  }
  for (uint32_t i = 0; args[0].type != KR_VALUE_STRING && i < args[0].count && !is_found; i++) {
    kr_value item = kr_value_item(&args[0], i);
    KR_TRY(kr_vm_equal(vm, &item, &args[1], &is_found));
  }
  *result = kr_value_bool(is_found);
  return KR_OK;
}

kr_status kr_body_STARTS_WITH(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_value_bool(kr_str_starts(kr_value_text(&args[0]), kr_value_text(&args[1])));
  return KR_OK;
}

kr_status kr_body_ENDS_WITH(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_value_bool(kr_str_ends(kr_value_text(&args[0]), kr_value_text(&args[1])));
  return KR_OK;
}

kr_status kr_body_INDEX_OF(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  kr_str text = kr_value_text(&args[0]);
  size_t found = kr_str_find(text, kr_value_text(&args[1]), 0);
  *result = kr_value_int(found == SIZE_MAX ? -1 : kr_string_points(kr_str_slice(text, 0, found)));
  return KR_OK;
}

kr_status kr_body_LENGTH(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)vm;
  (void)n_args;
  *result = kr_value_int(args[0].type == KR_VALUE_STRING ? kr_string_points(kr_value_text(&args[0]))
                                                         : (int64_t)args[0].count);
  return KR_OK;
}

/*
 * The same piece so many times: what it makes is paid as a whole, then doubled
 * from what is there. Beyond the limit of a string one piece too many says so.
 */
static kr_status kr_string_build_times(kr_vm *vm, kr_str piece, int64_t times) {
  if (piece.len == 0 || times <= 0)
    return KR_OK;
  if ((uint64_t)times > KR_LIMIT_STRING_BYTES / piece.len)
    times = (int64_t)(KR_LIMIT_STRING_BYTES / piece.len) + 1;
  size_t total = piece.len * (size_t)times;
  kr_buf *buf = &vm->work.buf;
  size_t start = buf->len;
  KR_TRY(kr_vm_spend(vm, total));
  KR_TRY(kr_vm_build_reserve(vm, total));
  uint8_t *out = buf->ptr + start;
  memcpy(out, piece.ptr, piece.len);
  for (size_t len = piece.len; len < total;) {
    size_t n = len < total - len ? len : total - len;
    memcpy(out + len, out, n);
    len += n;
  }
  buf->len += total;
  return KR_OK;
}

static kr_status kr_string_pad(kr_vm *vm, const kr_value *args, unsigned n_args, bool is_start,
                               kr_value *result) {
  kr_str text = kr_value_text(&args[0]);
  kr_str fill = n_args == 3 ? kr_value_text(&args[2]) : KR_STR(" ");
  if (kr_string_points(fill) != 1)
    return kr_string_argument(vm, "a string is padded with one character");
  int64_t n_fill = args[1].integer - kr_string_points(text);
  kr_vm_build_begin(vm);
  if (!is_start)
    KR_TRY(kr_vm_build_bytes(vm, text));
  KR_TRY(kr_string_build_times(vm, fill, n_fill));
  if (is_start)
    KR_TRY(kr_vm_build_bytes(vm, text));
  return kr_vm_build_take(vm, result);
}

kr_status kr_body_PAD_START(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  return kr_string_pad(vm, args, n_args, true, result);
}

kr_status kr_body_PAD_END(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  return kr_string_pad(vm, args, n_args, false, result);
}

kr_status kr_body_REPEAT(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_str text = kr_value_text(&args[0]);
  if (args[1].integer < 0)
    return kr_string_argument(vm, "a string cannot be repeated less than 0 times");
  kr_vm_build_begin(vm);
  KR_TRY(kr_string_build_times(vm, text, args[1].integer));
  return kr_vm_build_take(vm, result);
}

kr_status kr_body_TRUNCATE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  kr_str text = kr_value_text(&args[0]);
  if (args[1].integer < 0)
    return kr_string_argument(vm, "a string cannot be cut to less than 0 characters");
  size_t end = kr_string_offset(text, args[1].integer);
  kr_vm_build_begin(vm);
  KR_TRY(kr_vm_build_bytes(vm, kr_str_slice(text, 0, end)));
  if (end < text.len && n_args == 3)
    KR_TRY(kr_vm_build_bytes(vm, kr_value_text(&args[2])));
  return kr_vm_build_take(vm, result);
}

/* Without the delimiter: all of it before, nothing after. Never an error, for secrets' sake. */
kr_status kr_body_BEFORE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_str delimiter = kr_value_text(&args[1]);
  if (delimiter.len == 0)
    return kr_string_argument(vm, "a delimiter cannot be empty");
  kr_str text = kr_value_text(&args[0]);
  *result = kr_value_string(kr_str_slice(text, 0, kr_str_find(text, delimiter, 0)));
  return KR_OK;
}

kr_status kr_body_AFTER(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_str delimiter = kr_value_text(&args[1]);
  if (delimiter.len == 0)
    return kr_string_argument(vm, "a delimiter cannot be empty");
  kr_str text = kr_value_text(&args[0]);
  size_t found = kr_str_find(text, delimiter, 0);
  *result =
      kr_value_string(kr_str_skip(text, found == SIZE_MAX ? text.len : found + delimiter.len));
  return KR_OK;
}
