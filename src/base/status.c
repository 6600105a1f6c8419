/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c - fills the fixed-size kr_error. Messages are formatted in place,
 * cut with "..." and scrubbed of control characters and of bytes that are not
 * UTF-8, so that one error is one line that terminals and JSON can carry.
 */
#define _POSIX_C_SOURCE 200809L
#include "base/status.h"

#include "base/str.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *kr_status_name(kr_status status) {
  static const char *const names[] = {"ok",        "not-found", "exists",      "invalid",
                                      "syntax",    "missing",   "limit",       "refused",
                                      "untrusted", "corrupt",   "unsupported", "transport",
                                      "io",        "nomem",     "internal"};
  size_t index = (size_t)status;
  return index < sizeof names / sizeof names[0] ? names[index] : "internal";
}

/* Controls are C0, delete and C1 (U+0080-U+009F, which some terminals obey). */
static void kr_error_scrub(char *field) {
  kr_str rest = kr_str_cstr(field);
  while (rest.len > 0) {
    uint32_t point = 0;
    size_t len = kr_utf8_decode(rest, &point);
    bool is_control = point < 0x20 || (point >= 0x7F && point < 0xA0);
    size_t n_bytes = len == 0 ? 1 : len;
    if (len == 0 || is_control)
      memset(field + (rest.ptr - (const uint8_t *)field), '?', n_bytes);
    rest = kr_str_skip(rest, n_bytes);
  }
}

static void kr_error_text(char *field, size_t size, const char *format, va_list args) {
  int wanted = vsnprintf(field, size, format, args);
  if (wanted < 0)
    field[0] = '\0';
  if (wanted >= 0 && (size_t)wanted >= size) {
    /* Cut at a code point, so that a message is never broken UTF-8. */
    size_t cut = size - 4;
    while (cut > 0 && ((unsigned char)field[cut] & 0xC0) == 0x80)
      cut--;
    memcpy(field + cut, "...", 4);
  }
  kr_error_scrub(field);
}

kr_status(kr_fail)(kr_error *reterr, kr_status status, const char *format, ...) {
  if (reterr == NULL)
    return status;
  memset(reterr, 0, sizeof *reterr);
  reterr->status = status;
  va_list args;
  va_start(args, format);
  kr_error_text(reterr->message, sizeof reterr->message, format, args);
  va_end(args);
  return status;
}

kr_status(kr_fail_hint)(kr_error *reterr, kr_status status, const char *message, const char *hint) {
  (void)kr_fail(reterr, status, "%s", message);
  kr_error_hint(reterr, "%s", hint);
  return status;
}

void kr_error_hint(kr_error *reterr, const char *format, ...) {
  if (reterr == NULL)
    return;
  va_list args;
  va_start(args, format);
  kr_error_text(reterr->hint, sizeof reterr->hint, format, args);
  va_end(args);
}

static void KR_PRINTF(2, 3) kr_error_source(kr_error *reterr, const char *format, ...) {
  va_list args;
  va_start(args, format);
  kr_error_text(reterr->source, sizeof reterr->source, format, args);
  va_end(args);
}

void kr_error_at(kr_error *reterr, const char *source, size_t offset, size_t len) {
  if (reterr == NULL)
    return;
  reterr->span_offset = offset;
  reterr->span_len = len;
  if (source == NULL)
    return;
  kr_error_source(reterr, "%s", source);
}

kr_status(kr_fail_errno)(kr_error *reterr, int errno_value, const char *format, ...) {
  if (reterr == NULL)
    return KR_IO;
  char what[KR_ERROR_MESSAGE_BYTES];
  va_list args;
  va_start(args, format);
  kr_error_text(what, sizeof what, format, args);
  va_end(args);
  char reason[128] = "";
  if (strerror_r(errno_value, reason, sizeof reason) != 0)
    (void)snprintf(reason, sizeof reason, "error %d", errno_value);
  return kr_fail(reterr, KR_IO, "%s: %s", what, reason);
}

kr_status(kr_fail_nomem)(kr_error *reterr) {
  return kr_fail_hint(reterr, KR_NOMEM, "out of memory",
                      "free some memory, or lower the limits of this call");
}

void kr_line_column(kr_str text, size_t offset, size_t *ret_line, size_t *ret_column) {
  size_t line = 1;
  size_t column = 1;
  for (size_t i = 0; i < offset && i < text.len; i++) {
    if (text.ptr[i] == '\n') {
      line++;
      column = 1;
      continue;
    }
    if ((text.ptr[i] & 0xC0) != 0x80)
      column++;
  }
  *ret_line = line;
  *ret_column = column;
}
