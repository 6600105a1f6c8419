/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.c - bytes for people and for programs. What people see has been through
 * kr_cli_put(): a name, a description or a payload may hold bytes that a
 * terminal would obey (colours, titles, cursor moves, marks that turn the
 * direction of text); they are shown as escapes. Programs get JSON.
 *
 * A FILE that fails stays failed; main() looks at stdout once, at the end.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

kr_str kr_cli_str(const char *text) {
  return (kr_str){.ptr = (const uint8_t *)text, .len = text == NULL ? 0 : strlen(text)};
}

int32_t kr_cli_next_rune(kr_str text, size_t *offset) {
  static const int32_t smallest[] = {0, 0x80, 0x800, 0x10000};
  uint8_t first = text.ptr[(*offset)++];
  if (first < 0x80)
    return first;
  size_t n_more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first > 0xF4 || text.len - *offset < n_more)
    return -1;
  int32_t rune = first & (0x3F >> n_more);
  for (size_t i = 0; i < n_more; i++) {
    uint8_t byte = text.ptr[*offset + i];
    if ((byte & 0xC0) != 0x80)
      return -1;
    rune = rune << 6 | (byte & 0x3F);
  }
  if (rune < smallest[n_more] || rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF))
    return -1;
  *offset += n_more;
  return rune;
}

bool kr_cli_is_unsafe_rune(int32_t rune) {
  return rune < 0x20 || (rune >= 0x7F && rune <= 0x9F) || (rune >= 0x200B && rune <= 0x200F) ||
         (rune >= 0x2028 && rune <= 0x202E) || (rune >= 0x2060 && rune <= 0x206F) ||
         rune == 0xFEFF || rune == 0x061C;
}

static void kr_cli_put_escape(FILE *out, int32_t rune, uint8_t byte) {
  switch (rune) {
  case '\n':
    (void)fputs("\\n", out);
    return;
  case '\r':
    (void)fputs("\\r", out);
    return;
  case '\t':
    (void)fputs("\\t", out);
    return;
  case -1:
    (void)fprintf(out, "\\x%02x", byte);
    return;
  default:
    (void)fprintf(out, "\\u%04x", (unsigned)rune);
  }
}

static void kr_cli_put_kept(FILE *out, kr_str text, const char *kept) {
  for (size_t offset = 0; offset < text.len;) {
    size_t start = offset;
    int32_t rune = kr_cli_next_rune(text, &offset);
    bool is_kept = rune > 0 && rune < 0x80 && strchr(kept, rune) != NULL;
    if (!is_kept && kr_cli_is_unsafe_rune(rune))
      kr_cli_put_escape(out, rune, text.ptr[start]);
    else
      (void)fwrite(text.ptr + start, 1, offset - start, out);
  }
}

void kr_cli_put(FILE *out, kr_str text) { kr_cli_put_kept(out, text, ""); }

void kr_cli_put_lines(FILE *out, kr_str text) { kr_cli_put_kept(out, text, "\n\t"); }

void kr_cli_put_json(FILE *out, kr_str text) {
  (void)fputc('"', out);
  for (size_t offset = 0; offset < text.len;) {
    size_t start = offset;
    int32_t rune = kr_cli_next_rune(text, &offset);
    if (rune == -1)
      (void)fputs("\\ufffd", out);
    else if (rune == '"' || rune == '\\')
      (void)fprintf(out, "\\%c", (int)rune);
    else if (rune == '\n')
      (void)fputs("\\n", out);
    else if (kr_cli_is_unsafe_rune(rune))
      (void)fprintf(out, "\\u%04x", (unsigned)rune);
    else
      (void)fwrite(text.ptr + start, 1, offset - start, out);
  }
  (void)fputc('"', out);
}

void kr_cli_put_json_list(FILE *out, const char *joined) {
  (void)fputc('[', out);
  for (const char *part = joined; part != NULL && part[0] != '\0';) {
    const char *comma = strstr(part, ", ");
    size_t len = comma == NULL ? strlen(part) : (size_t)(comma - part);
    if (part != joined)
      (void)fputc(',', out);
    kr_cli_put_json(out, (kr_str){.ptr = (const uint8_t *)part, .len = len});
    part = comma == NULL ? NULL : comma + 2;
  }
  (void)fputc(']', out);
}

void kr_cli_put_time(FILE *out, int64_t time_ms) {
  time_t seconds = (time_t)(time_ms / 1000);
  struct tm parts;
  char text[32];
  if (gmtime_r(&seconds, &parts) == NULL ||
      strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
    (void)fputs("unknown", out);
  else
    (void)fputs(text, out);
}

static void kr_cli_put_indent(FILE *out, size_t depth) {
  (void)fprintf(out, "\n%*s", (int)(2 * depth), "");
}

void kr_cli_put_json_indented(FILE *out, kr_str json) {
  size_t depth = 0;
  bool is_string = false;
  bool is_open = false; /* the last byte opened an array or object: empty ones stay on a line */
  for (size_t offset = 0; offset < json.len;) {
    size_t start = offset;
    int32_t rune = kr_cli_next_rune(json, &offset);
    bool is_blank = !is_string && (rune == ' ' || rune == '\n' || rune == '\r' || rune == '\t');
    if (is_blank)
      continue;
    bool is_close = !is_string && (rune == ']' || rune == '}');
    if (is_close && depth > 0)
      depth--;
    if (is_close ? !is_open : is_open)
      kr_cli_put_indent(out, depth);
    is_open = !is_string && (rune == '[' || rune == '{');
    if (is_open)
      depth++;
    if (rune == -1)
      (void)fputs("\\ufffd", out);
    else if (kr_cli_is_unsafe_rune(rune))
      (void)fprintf(out, "\\u%04x", (unsigned)rune);
    else
      (void)fwrite(json.ptr + start, 1, offset - start, out);
    if (is_string && rune == '\\' && offset < json.len)
      (void)fputc(json.ptr[offset++], out);
    else if (rune == '"')
      is_string = !is_string;
    else if (!is_string && rune == ',')
      kr_cli_put_indent(out, depth);
    else if (!is_string && rune == ':')
      (void)fputc(' ', out);
  }
  (void)fputc('\n', out);
}
