/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write.c - JSON text into a buffer. The writer keeps one flag per open level
 * (is anything in it yet, is it an object), so that commas, colons and line
 * breaks follow from the calls. Its status sticks: callers check it once.
 */
#include "json/json.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "json/scan.h"

#include <inttypes.h>
#include <stdio.h>

kr_json_writer kr_json_writer_init(kr_buf *buf, unsigned indent) {
  return (kr_json_writer){.buf = buf, .indent = indent, .status = KR_OK};
}

static void kr_json_emit(kr_json_writer *writer, kr_str bytes) {
  if (writer->status == KR_OK)
    writer->status = kr_buf_append(writer->buf, bytes);
}

static void kr_json_new_line(kr_json_writer *writer) {
  if (writer->indent == 0)
    return;
  kr_json_emit(writer, KR_STR("\n"));
  for (unsigned i = 0; writer->status == KR_OK && i < writer->indent * writer->depth; i++)
    kr_json_emit(writer, KR_STR(" "));
}

/* The comma and line break before an item or a key. */
static void kr_json_separate(kr_json_writer *writer) {
  uint8_t *n_written = &writer->n_written[writer->depth - 1];
  if (*n_written != 0)
    kr_json_emit(writer, KR_STR(","));
  *n_written = 1;
  kr_json_new_line(writer);
}

/* Before any value; false when the writer has failed. */
static bool kr_json_before_value(kr_json_writer *writer) {
  if (writer->status != KR_OK)
    return false;
  KR_ASSERT(!writer->is_done);
  if (writer->depth == 0)
    return true;
  if (writer->is_object[writer->depth - 1] == 0) {
    kr_json_separate(writer);
    return writer->status == KR_OK;
  }
  KR_ASSERT(writer->is_after_key);
  writer->is_after_key = false;
  return true;
}

static void kr_json_after_value(kr_json_writer *writer) {
  if (writer->depth == 0)
    writer->is_done = true;
}

static void kr_json_begin(kr_json_writer *writer, bool is_object) {
  if (!kr_json_before_value(writer))
    return;
  if (writer->depth == KR_JSON_WRITER_DEPTH) {
    writer->status = KR_LIMIT;
    return;
  }
  kr_json_emit(writer, is_object ? KR_STR("{") : KR_STR("["));
  writer->n_written[writer->depth] = 0;
  writer->is_object[writer->depth] = is_object;
  writer->depth++;
}

static void kr_json_end(kr_json_writer *writer, bool is_object) {
  if (writer->status != KR_OK)
    return;
  KR_ASSERT(writer->depth > 0);
  KR_ASSERT((writer->is_object[writer->depth - 1] != 0) == is_object);
  KR_ASSERT(!writer->is_after_key);
  writer->depth--;
  if (writer->n_written[writer->depth] != 0)
    kr_json_new_line(writer);
  kr_json_emit(writer, is_object ? KR_STR("}") : KR_STR("]"));
  kr_json_after_value(writer);
}

void kr_json_begin_object(kr_json_writer *writer) { kr_json_begin(writer, true); }

void kr_json_end_object(kr_json_writer *writer) { kr_json_end(writer, true); }

void kr_json_begin_array(kr_json_writer *writer) { kr_json_begin(writer, false); }

void kr_json_end_array(kr_json_writer *writer) { kr_json_end(writer, false); }

/* RFC 8259, section 7: what must be escaped, in its short form where there is one. */
static kr_status kr_json_escape_byte(uint8_t byte, kr_buf *out) {
  static const char digits[] = "0123456789abcdef";
  switch (byte) {
  case '"':
    return kr_buf_append(out, KR_STR("\\\""));
  case '\\':
    return kr_buf_append(out, KR_STR("\\\\"));
  case '\b':
    return kr_buf_append(out, KR_STR("\\b"));
  case '\f':
    return kr_buf_append(out, KR_STR("\\f"));
  case '\n':
    return kr_buf_append(out, KR_STR("\\n"));
  case '\r':
    return kr_buf_append(out, KR_STR("\\r"));
  case '\t':
    return kr_buf_append(out, KR_STR("\\t"));
  default: {
    uint8_t escape[6] = {
        '\\', 'u', '0', '0', (uint8_t)digits[byte >> 4], (uint8_t)digits[byte & 15]};
    return kr_buf_append(out, kr_str_from(escape, sizeof escape));
  }
  }
}

kr_status kr_json_escape(kr_str utf8, kr_buf *out) {
  KR_DEBUG_ASSERT(kr_utf8_is_valid(utf8));
  if (utf8.len == 0)
    return KR_OK;
  const uint8_t *at = utf8.ptr;
  const uint8_t *end = utf8.ptr + utf8.len;
  KR_TRY(kr_buf_reserve(out, utf8.len));
  for (;;) {
    const uint8_t *stop = kr_json_skip_plain(at, end);
    KR_TRY(kr_buf_append(out, kr_str_from(at, (size_t)(stop - at))));
    if (stop == end)
      return KR_OK;
    KR_TRY(kr_json_escape_byte(*stop, out));
    at = stop + 1;
  }
}

static void kr_json_emit_string(kr_json_writer *writer, kr_str utf8) {
  kr_json_emit(writer, KR_STR("\""));
  if (writer->status == KR_OK)
    writer->status = kr_json_escape(utf8, writer->buf);
  kr_json_emit(writer, KR_STR("\""));
}

void kr_json_key(kr_json_writer *writer, kr_str key) {
  if (writer->status != KR_OK)
    return;
  KR_ASSERT(writer->depth > 0 && writer->is_object[writer->depth - 1] != 0);
  KR_ASSERT(!writer->is_after_key);
  kr_json_separate(writer);
  kr_json_emit_string(writer, key);
  kr_json_emit(writer, writer->indent == 0 ? KR_STR(":") : KR_STR(": "));
  writer->is_after_key = true;
}

void kr_json_put_string(kr_json_writer *writer, kr_str utf8) {
  if (!kr_json_before_value(writer))
    return;
  kr_json_emit_string(writer, utf8);
  kr_json_after_value(writer);
}

void kr_json_put_cstr(kr_json_writer *writer, const char *text) {
  kr_json_put_string(writer, kr_str_cstr(text));
}

void kr_json_put_raw(kr_json_writer *writer, kr_str json_text) {
  if (!kr_json_before_value(writer))
    return;
  kr_json_emit(writer, json_text);
  kr_json_after_value(writer);
}

void kr_json_put_int(kr_json_writer *writer, int64_t value) {
  char digits[24];
  int len = snprintf(digits, sizeof digits, "%" PRId64, value);
  kr_json_put_raw(writer, kr_str_from(digits, (size_t)len));
}

void kr_json_put_bool(kr_json_writer *writer, bool value) {
  kr_json_put_raw(writer, value ? KR_STR("true") : KR_STR("false"));
}

void kr_json_put_null(kr_json_writer *writer) { kr_json_put_raw(writer, KR_STR("null")); }

static bool kr_json_is_container(const kr_json *json) {
  return json->type == KR_JSON_ARRAY || json->type == KR_JSON_OBJECT;
}

static void kr_json_put_scalar(kr_json_writer *writer, const kr_json *json) {
  if (json->type == KR_JSON_STRING)
    kr_json_put_string(writer, kr_json_text(json));
  else if (json->type == KR_JSON_NUMBER)
    kr_json_put_raw(writer, kr_json_text(json));
  else if (json->type == KR_JSON_NULL)
    kr_json_put_null(writer);
  else
    kr_json_put_bool(writer, json->type == KR_JSON_TRUE);
}

typedef struct kr_json_level {
  const kr_json *container;
  uint32_t n_put; /* items or members of it already written */
} kr_json_level;

void kr_json_put(kr_json_writer *writer, const kr_json *json) {
  kr_json_level levels[KR_JSON_WRITER_DEPTH];
  size_t n_levels = 0;
  const kr_json *value = json;
  while (writer->status == KR_OK) {
    if (kr_json_is_container(value)) {
      kr_json_begin(writer, value->type == KR_JSON_OBJECT);
      if (writer->status != KR_OK) /* the depth limit among others, so levels has room */
        return;
      levels[n_levels++] = (kr_json_level){.container = value, .n_put = 0};
    } else {
      kr_json_put_scalar(writer, value);
    }
    while (n_levels > 0 && levels[n_levels - 1].n_put == levels[n_levels - 1].container->count) {
      kr_json_end(writer, levels[n_levels - 1].container->type == KR_JSON_OBJECT);
      n_levels--;
    }
    if (n_levels == 0)
      return;
    kr_json_level *level = &levels[n_levels - 1];
    uint32_t index = level->n_put++;
    if (level->container->type == KR_JSON_ARRAY) {
      value = &level->container->items[index];
      continue;
    }
    kr_json_key(writer, kr_json_text(&level->container->members[index].key));
    value = &level->container->members[index].value;
  }
}

kr_status kr_json_finish(kr_json_writer *writer) {
  KR_ASSERT(writer->status != KR_OK || (writer->depth == 0 && writer->is_done));
  return writer->status;
}

kr_status kr_json_write(const kr_json *json, kr_buf *out) {
  kr_json_writer writer = kr_json_writer_init(out, 0);
  kr_json_put(&writer, json);
  return kr_json_finish(&writer);
}
