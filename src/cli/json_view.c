/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_view.c - looking into a document that krosyn itself wrote: a value is
 * the piece of text it stands in, found by skipping what comes before. For
 * showing parts of an event to people; whoever computes with events takes JSON.
 * On text that is not JSON the lookups find nothing; they never read past it.
 */
#include "cli/cli.h"

#include <string.h>

static size_t kr_cli_json_blanks(kr_str text, size_t offset) {
  while (offset < text.len && strchr(" \t\r\n", text.ptr[offset]) != NULL && text.ptr[offset] != 0)
    offset++;
  return offset;
}

/** Behind the string whose opening quote is at offset. */
static size_t kr_cli_json_string_end(kr_str text, size_t offset) {
  for (offset++; offset < text.len && text.ptr[offset] != '"'; offset++)
    if (text.ptr[offset] == '\\')
      offset++;
  return offset < text.len ? offset + 1 : text.len;
}

/** Behind the value that begins at offset. */
static size_t kr_cli_json_end(kr_str text, size_t offset) {
  size_t depth = 0;
  while (offset < text.len) {
    uint8_t byte = text.ptr[offset];
    if (byte == '"') {
      offset = kr_cli_json_string_end(text, offset);
      if (depth == 0)
        return offset;
      continue;
    }
    bool is_close = byte == ']' || byte == '}';
    if (depth == 0 && (is_close || byte == ',' || byte == ':'))
      return offset;
    depth += byte == '[' || byte == '{';
    offset++;
    if (is_close && --depth == 0)
      return offset;
  }
  return offset;
}

static kr_str kr_cli_json_piece(kr_str text, size_t start, size_t end) {
  while (end > start && strchr(" \t\r\n", text.ptr[end - 1]) != NULL)
    end--;
  return (kr_str){.ptr = text.ptr + start, .len = end - start};
}

/** The offset of the next item after a comma, or the end of the text. */
static size_t kr_cli_json_after_comma(kr_str text, size_t offset) {
  offset = kr_cli_json_blanks(text, offset);
  return offset < text.len && text.ptr[offset] == ',' ? kr_cli_json_blanks(text, offset + 1)
                                                      : text.len;
}

kr_str kr_cli_json_member(kr_str object, const char *name) {
  size_t offset = kr_cli_json_blanks(object, 0);
  size_t name_len = strlen(name);
  if (offset >= object.len || object.ptr[offset] != '{')
    return (kr_str){0};
  offset = kr_cli_json_blanks(object, offset + 1);
  while (offset < object.len && object.ptr[offset] == '"') {
    size_t key = offset + 1;
    size_t key_end = kr_cli_json_string_end(object, offset);
    size_t start = kr_cli_json_blanks(object, key_end);
    if (start >= object.len || object.ptr[start] != ':')
      return (kr_str){0};
    start = kr_cli_json_blanks(object, start + 1);
    size_t end = kr_cli_json_end(object, start);
    if (key_end - key == name_len + 1 && memcmp(object.ptr + key, name, name_len) == 0)
      return kr_cli_json_piece(object, start, end);
    offset = kr_cli_json_after_comma(object, end);
  }
  return (kr_str){0};
}

bool kr_cli_json_each(kr_str array, size_t *offset, kr_str *ret_item) {
  if (*offset == 0) {
    *offset = kr_cli_json_blanks(array, 0);
    if (*offset >= array.len || array.ptr[*offset] != '[')
      return false;
    *offset = kr_cli_json_blanks(array, *offset + 1);
  }
  if (*offset >= array.len || array.ptr[*offset] == ']')
    return false;
  size_t end = kr_cli_json_end(array, *offset);
  *ret_item = kr_cli_json_piece(array, *offset, end);
  *offset = kr_cli_json_after_comma(array, end);
  return ret_item->len > 0;
}

void kr_cli_json_show(FILE *out, kr_str value) {
  if (value.len < 2 || value.ptr[0] != '"') {
    kr_cli_put(out, value);
    return;
  }
  kr_str inner = {.ptr = value.ptr + 1, .len = value.len - 2};
  size_t start = 0;
  for (size_t i = 0; i < inner.len; i++) {
    /* Quotes and slashes lose their backslash; other escapes are good to show as they are. */
    bool is_plain =
        inner.ptr[i] == '\\' && i + 1 < inner.len && strchr("\"/\\", inner.ptr[i + 1]) != NULL;
    if (!is_plain) {
      i += inner.ptr[i] == '\\';
      continue;
    }
    kr_cli_put(out, (kr_str){.ptr = inner.ptr + start, .len = i - start});
    start = ++i;
  }
  if (start < inner.len)
    kr_cli_put(out, (kr_str){.ptr = inner.ptr + start, .len = inner.len - start});
}
