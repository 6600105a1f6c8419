/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_env.c - reads "krosyn env 1" (docs/formats/env.md), line by line:
 *
 *   file  = [BOM] line*            line  = blank* (comment | entry)? end
 *   entry = ["export" blank+] name blank* "=" blank* (quoted tail | plain)
 *
 * Every step moves forward, so the work is linear in the bytes. The text is
 * secret, and so is what is decoded of it: that lives in sensitive memory, one
 * value at a time. No message quotes the text.
 */
#include "engine/import_env.h"

#include "secmem/sensitive.h"

typedef struct kr_env_reader {
  kr_str text;
  size_t at;
  size_t line; /* the one that `at` is on, from 1 */
  size_t n_entries;
  kr_buf decoded; /* of the value that is being read */
  kr_env_entry entry;
  kr_error *reterr;
} kr_env_reader;

static kr_status kr_env_bad(const kr_env_reader *reader, size_t line, const char *what,
                            const char *hint) {
  (void)kr_fail(reader->reterr, KR_INVALID, "line %zu %s", line, what);
  kr_error_hint(reader->reterr, "%s", hint);
  return KR_INVALID;
}

static bool kr_env_is_blank(uint8_t byte) { return byte == ' ' || byte == '\t'; }

static bool kr_env_is_name_byte(uint8_t byte) {
  return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
         (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' || byte == '-';
}

static void kr_env_skip_blanks(kr_env_reader *reader) {
  while (reader->at < reader->text.len && kr_env_is_blank(reader->text.ptr[reader->at]))
    reader->at++;
}

/* Where the line ends that `at` is on: before its LF, CR LF, or the end of the text. */
static size_t kr_env_line_end(const kr_env_reader *reader) {
  const uint8_t *start = reader->text.ptr + reader->at;
  size_t rest = reader->text.len - reader->at;
  const uint8_t *feed = rest == 0 ? NULL : memchr(start, '\n', rest);
  if (feed == NULL)
    return reader->text.len;
  size_t end = (size_t)(feed - reader->text.ptr);
  return end > reader->at && reader->text.ptr[end - 1] == '\r' ? end - 1 : end;
}

/* From the end of a line to the start of the next. */
static void kr_env_next_line(kr_env_reader *reader, size_t end) {
  reader->at = end;
  if (end == reader->text.len)
    return;
  reader->at += reader->text.ptr[end] == '\r' ? 2 : 1;
  reader->line++;
}

/* Whether what begins at index would be expanded by shells and many readers of such files. */
static bool kr_env_expands(kr_str text, size_t index) {
  uint8_t byte = text.ptr[index];
  if (byte == '`')
    return true;
  if (byte != '$' || index + 1 == text.len)
    return false;
  uint8_t next = text.ptr[index + 1];
  bool is_name = next != '.' && next != '-' && kr_env_is_name_byte(next);
  return is_name || next == '{' || next == '(';
}

static unsigned kr_env_plain_notes(kr_str value) {
  unsigned notes = 0;
  for (size_t i = 0; i < value.len; i++) {
    if (kr_env_expands(value, i))
      notes |= KR_ENV_EXPANDS;
    if (value.ptr[i] == '#')
      notes |= KR_ENV_HASH;
    if (value.ptr[i] == '\\')
      notes |= KR_ENV_BACKSLASH;
  }
  return notes;
}

/* Unquoted: to the end of the line or to a '#' after a blank, without the blanks at its end. */
static kr_status kr_env_plain(kr_env_reader *reader) {
  size_t start = reader->at;
  size_t line_end = kr_env_line_end(reader);
  size_t end = start;
  const uint8_t *bytes = reader->text.ptr;
  while (end < line_end && !(bytes[end] == '#' && kr_env_is_blank(bytes[end - 1])))
    end++;
  bool has_comment = end < line_end;
  while (end > start && kr_env_is_blank(bytes[end - 1]))
    end--;
  kr_str value = kr_str_slice(reader->text, start, end);
  if (kr_str_starts(value, KR_STR("-----BEGIN")) &&
      kr_str_find(value, KR_STR("-----END"), 0) == SIZE_MAX)
    return kr_env_bad(reader, reader->line, "begins a value of several lines without quotes",
                      "put quotes around the whole of it");
  reader->entry.value = value;
  reader->entry.notes = kr_env_plain_notes(value);
  if (has_comment && value.len > 0)
    reader->entry.notes |= KR_ENV_COMMENT;
  kr_env_next_line(reader, line_end);
  return KR_OK;
}

/* The byte that an escape stands for; 0 when there is no such escape. */
static uint8_t kr_env_escape(uint8_t letter) {
  switch (letter) {
  case 'n':
    return '\n';
  case 'r':
    return '\r';
  case 't':
    return '\t';
  case '"':
  case '\\':
  case '$':
    return letter;
  default:
    return 0;
  }
}

/* One byte or escape inside quotes, into the decoded value. */
static kr_status kr_env_quoted_byte(kr_env_reader *reader, uint8_t quote) {
  kr_str text = reader->text;
  uint8_t byte = text.ptr[reader->at];
  if (byte == '\\' && quote == '"') {
    byte = reader->at + 1 < text.len ? kr_env_escape(text.ptr[reader->at + 1]) : 0;
    if (byte == 0)
      return kr_env_bad(reader, reader->line, "has a backslash before what it cannot stand before",
                        "in double quotes write \\\\ for a backslash; \\n \\r \\t \\\" \\$ are the "
                        "other escapes. In single quotes a backslash is a backslash");
    reader->at++;
  } else if (byte == '\r') { /* always before LF */
    reader->entry.notes |= KR_ENV_LINE_ENDS;
    reader->at++;
    byte = '\n';
    reader->line++;
  } else {
    reader->line += byte == '\n';
    if (quote == '"' && kr_env_expands(text, reader->at))
      reader->entry.notes |= KR_ENV_EXPANDS;
  }
  reader->at++;
  kr_status status = kr_buf_byte(&reader->decoded, byte);
  return kr_buf_explain(&reader->decoded, status, "a value", reader->reterr);
}

static kr_status kr_env_quoted(kr_env_reader *reader, uint8_t quote) {
  size_t first_line = reader->line;
  reader->at++;
  while (reader->at < reader->text.len && reader->text.ptr[reader->at] != quote)
    KR_TRY(kr_env_quoted_byte(reader, quote));
  if (reader->at == reader->text.len)
    return kr_env_bad(reader, first_line, "opens a quote that is never closed",
                      "close it; a quote inside of double quotes is written \\\"");
  reader->at++;
  kr_env_skip_blanks(reader);
  size_t end = kr_env_line_end(reader);
  if (reader->at < end && reader->text.ptr[reader->at] != '#')
    return kr_env_bad(reader, reader->line, "has more text after the closing quote",
                      "put the whole value inside of one pair of quotes");
  reader->entry.value = kr_buf_str(&reader->decoded);
  kr_env_next_line(reader, end);
  return KR_OK;
}

static kr_status kr_env_value(kr_env_reader *reader) {
  kr_env_skip_blanks(reader);
  uint8_t first = reader->at < reader->text.len ? reader->text.ptr[reader->at] : '\n';
  return first == '"' || first == '\'' ? kr_env_quoted(reader, first) : kr_env_plain(reader);
}

/* "export " before a name; "export=x" is a name. */
static void kr_env_skip_export(kr_env_reader *reader) {
  kr_str rest = kr_str_skip(reader->text, reader->at);
  const size_t len = sizeof "export" - 1;
  if (!kr_str_starts(rest, KR_STR("export")) || rest.len == len || !kr_env_is_blank(rest.ptr[len]))
    return;
  size_t before = reader->at;
  reader->at += len;
  kr_env_skip_blanks(reader);
  if (reader->at < reader->text.len && reader->text.ptr[reader->at] == '=')
    reader->at = before;
}

/* The name, and the '=' behind it. */
static kr_status kr_env_name(kr_env_reader *reader) {
  kr_env_skip_export(reader);
  kr_str text = reader->text;
  size_t start = reader->at;
  while (reader->at < text.len && kr_env_is_name_byte(text.ptr[reader->at]))
    reader->at++;
  reader->entry.name = kr_str_slice(text, start, reader->at);
  kr_env_skip_blanks(reader);
  bool has_equals = reader->at < text.len && text.ptr[reader->at] == '=';
  if (reader->entry.name.len == 0 || !has_equals)
    return kr_env_bad(reader, reader->line, "is neither a comment nor NAME=value",
                      "a value of several lines stands in quotes; a comment begins with #");
  reader->at++;
  return KR_OK;
}

static kr_status kr_env_line(kr_env_reader *reader, kr_env_visit visit, void *ctx) {
  kr_env_skip_blanks(reader);
  size_t end = kr_env_line_end(reader);
  if (reader->at == end || reader->text.ptr[reader->at] == '#') {
    kr_env_next_line(reader, end);
    return KR_OK;
  }
  if (reader->n_entries++ == KR_ENV_ENTRIES)
    return kr_fail(reader->reterr, KR_LIMIT, "the file has more than %u entries", KR_ENV_ENTRIES);
  kr_buf_reset(&reader->decoded);
  reader->entry = (kr_env_entry){.line = reader->line};
  KR_TRY(kr_env_name(reader));
  KR_TRY(kr_env_value(reader));
  return visit(ctx, &reader->entry);
}

/* What no line may hold, so that the rest need not think of it. */
static kr_status kr_env_check_bytes(const kr_env_reader *reader) {
  kr_str text = reader->text;
  size_t line = 1;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t byte = text.ptr[i];
    line += byte == '\n';
    if (byte == 0)
      return kr_env_bad(reader, line, "holds a NUL byte",
                        "save the file as UTF-8 text; binary values can be given as JSON, in "
                        "\"value_b64\"");
    if (byte == '\r' && (i + 1 == text.len || text.ptr[i + 1] != '\n'))
      return kr_env_bad(reader, line, "holds a carriage return that is not the end of a line",
                        "end lines with LF or CR LF; in double quotes it is written \\r");
  }
  return KR_OK;
}

kr_status kr_env_read(kr_str text, kr_env_visit visit, void *ctx, kr_error *reterr) {
  if (text.len > KR_ENV_BYTES)
    return kr_fail(reterr, KR_LIMIT, "the file is over %u MiB", KR_ENV_BYTES / (1024u * 1024u));
  kr_env_reader reader = {.text = text,
                          .line = 1,
                          .decoded = KR_BUF_INIT(KR_ENV_BYTES, kr_sensitive_memory()),
                          .reterr = reterr};
  kr_status status = kr_env_check_bytes(&reader);
  if (kr_str_starts(text, KR_STR("\xEF\xBB\xBF")))
    reader.at = 3;
  while (status == KR_OK && reader.at < text.len)
    status = kr_env_line(&reader, visit, ctx);
  kr_buf_done(&reader.decoded);
  return status;
}
