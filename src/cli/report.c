/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - what is wrong, where, and how to mend it:
 *
 *   krosyn: there is no function concatt
 *     perform.body.text 1:8
 *       Hello $concatt($payload.name)
 *              ^^^^^^^
 *     hint: did you mean concat?
 *
 * With --json the same as one object on stderr.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KR_CLI_SHOWN_RUNES 96 /* of a source line */
#define KR_CLI_RUNES_BEFORE 60

kr_status kr_cli_error(kr_error *error, kr_status status, const char *format, ...) {
  *error = (kr_error){.status = status};
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  return status;
}

void kr_cli_hint(kr_error *error, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(error->hint, sizeof error->hint, format, arguments);
  va_end(arguments);
}

int kr_cli_exit_code(kr_status status) {
  switch (status) {
  case KR_OK:
    return KR_CLI_EXIT_DONE;
  case KR_REFUSED:
  case KR_UNTRUSTED:
  case KR_CORRUPT:
  case KR_UNSUPPORTED:
    return KR_CLI_EXIT_REFUSED;
  case KR_NOT_FOUND:
  case KR_EXISTS:
  case KR_INVALID:
  case KR_SYNTAX:
  case KR_MISSING:
  case KR_LIMIT:
  case KR_TRANSPORT:
  case KR_IO:
  case KR_NOMEM:
  case KR_INTERNAL:
    break;
  }
  return KR_CLI_EXIT_FAILED;
}

bool kr_cli_is_colored(FILE *out) {
  const char *no_color = getenv("NO_COLOR");
  const char *terminal = getenv("TERM");
  if (no_color != NULL && no_color[0] != '\0')
    return false;
  if (terminal != NULL && strcmp(terminal, "dumb") == 0)
    return false;
  int fd = fileno(out);
  return fd >= 0 && isatty(fd) == 1;
}

static bool kr_cli_has_position(const kr_error *error, const kr_cli_place *place) {
  bool has_text = place != NULL && place->text.len > 0 && error->span_offset <= place->text.len;
  return has_text && (error->span_len > 0 || error->span_offset > 0);
}

/** Move back by at most n_runes, not over `floor`. */
static size_t kr_cli_back(kr_str text, size_t offset, size_t floor, size_t n_runes) {
  while (n_runes-- > 0 && offset > floor) {
    offset--;
    while (offset > floor && (text.ptr[offset] & 0xC0) == 0x80)
      offset--;
  }
  return offset;
}

/** One column per code point, so that carets stand below what they mean. */
static void kr_cli_put_column(FILE *out, kr_str text, size_t start, size_t end, int32_t rune) {
  if (rune == '\t')
    (void)fputc(' ', out);
  else if (kr_cli_is_unsafe_rune(rune))
    (void)fputc('?', out);
  else
    (void)fwrite(text.ptr + start, 1, end - start, out);
}

static void kr_cli_show_carets(FILE *out, kr_str text, size_t span_start, size_t span_end) {
  size_t line_start = span_start;
  while (line_start > 0 && text.ptr[line_start - 1] != '\n')
    line_start--;
  size_t start = kr_cli_back(text, span_start, line_start, KR_CLI_RUNES_BEFORE);
  size_t n_before = 0;
  size_t n_carets = 0;
  const char *cut = start > line_start ? "..." : "";
  (void)fprintf(out, "    %s", cut);
  size_t offset = start;
  for (size_t n = 0; n < KR_CLI_SHOWN_RUNES && offset < text.len && text.ptr[offset] != '\n'; n++) {
    size_t rune_start = offset;
    int32_t rune = kr_cli_next_rune(text, &offset);
    if (rune == '\r' && (offset == text.len || text.ptr[offset] == '\n'))
      break;
    kr_cli_put_column(out, text, rune_start, offset, rune);
    n_before += rune_start < span_start;
    n_carets += rune_start >= span_start && rune_start < span_end;
  }
  bool is_cut = offset < text.len && text.ptr[offset] != '\n' && text.ptr[offset] != '\r';
  bool is_colored = kr_cli_is_colored(out);
  (void)fprintf(out, "%s\n    %*s%s", is_cut ? "..." : "", (int)(n_before + strlen(cut)), "",
                is_colored ? "\033[31m" : "");
  for (size_t i = 0; i < (n_carets == 0 ? 1 : n_carets); i++)
    (void)fputc('^', out);
  (void)fprintf(out, "%s\n", is_colored ? "\033[0m" : "");
}

static void kr_cli_show_where(FILE *out, const kr_error *error, const kr_cli_place *place) {
  bool has_position = kr_cli_has_position(error, place);
  const char *file = place == NULL || place->file == NULL ? "" : place->file;
  bool has_source = error->source[0] != '\0' && strcmp(error->source, file) != 0;
  if (file[0] == '\0' && !has_source && !has_position)
    return;
  (void)fputs("  ", out);
  kr_cli_put(out, kr_cli_str(file));
  if (has_source) {
    (void)fputs(file[0] == '\0' ? "" : ": ", out);
    kr_cli_put(out, kr_cli_str(error->source));
  }
  if (has_position) {
    size_t line = 0;
    size_t column = 0;
    kr_text_position(place->text, error->span_offset, &line, &column);
    bool is_first = file[0] == '\0' && !has_source;
    (void)fprintf(out, "%s%zu:%zu", is_first ? "" : " ", line, column);
    if (place->is_private)
      (void)fprintf(out, " (byte %zu)", error->span_offset);
  }
  (void)fputc('\n', out);
  if (!has_position || place->is_private)
    return;
  size_t rest = place->text.len - error->span_offset;
  size_t len = error->span_len < rest ? error->span_len : rest;
  kr_cli_show_carets(out, place->text, error->span_offset, error->span_offset + len);
}

void kr_cli_show_error(FILE *out, const char *kind, const kr_error *error,
                       const kr_cli_place *place) {
  bool is_colored = kr_cli_is_colored(out);
  bool is_warning = kind != NULL && strstr(kind, "warning") != NULL;
  (void)fprintf(out, "%s%s:%s ",
                !is_colored  ? ""
                : is_warning ? "\033[1;33m"
                             : "\033[1;31m",
                kind == NULL ? "krosyn" : kind, is_colored ? "\033[0m" : "");
  kr_cli_put(
      out, kr_cli_str(error->message[0] == '\0' ? kr_status_name(error->status) : error->message));
  if (error->code != 0)
    (void)fprintf(out, " [E%u]", (unsigned)error->code);
  (void)fputc('\n', out);
  kr_cli_show_where(out, error, place);
  if (error->hint[0] != '\0') {
    (void)fprintf(out, "  %shint:%s ", is_colored ? "\033[36m" : "", is_colored ? "\033[0m" : "");
    kr_cli_put(out, kr_cli_str(error->hint));
    (void)fputc('\n', out);
  }
}

void kr_cli_put_json_error(FILE *out, const char *severity, const kr_error *error,
                           const kr_cli_place *place) {
  (void)fputc('{', out);
  if (severity != NULL)
    (void)fprintf(out, "\"severity\":\"%s\",", severity);
  (void)fprintf(out, "\"status\":\"%s\",\"code\":", kr_status_name(error->status));
  if (error->code == 0)
    (void)fputs("null", out);
  else
    (void)fprintf(out, "\"E%u\"", (unsigned)error->code);
  (void)fputs(",\"message\":", out);
  kr_cli_put_json(out, kr_cli_str(error->message));
  (void)fputs(",\"hint\":", out);
  kr_cli_put_json(out, kr_cli_str(error->hint));
  (void)fputs(",\"file\":", out);
  if (place == NULL || place->file == NULL)
    (void)fputs("null", out);
  else
    kr_cli_put_json(out, kr_cli_str(place->file));
  (void)fputs(",\"source\":", out);
  kr_cli_put_json(out, kr_cli_str(error->source));
  if (!kr_cli_has_position(error, place)) {
    (void)fputs(",\"line\":null,\"column\":null,\"offset\":null,\"length\":null}", out);
    return;
  }
  size_t line = 0;
  size_t column = 0;
  kr_text_position(place->text, error->span_offset, &line, &column);
  (void)fprintf(out, ",\"line\":%zu,\"column\":%zu,\"offset\":%zu,\"length\":%zu}", line, column,
                error->span_offset, error->span_len);
}

int kr_cli_fail(const kr_cli *cli, const kr_error *error, const kr_cli_place *place) {
  if (cli->is_json) {
    (void)fputs("{\"error\":", stderr);
    kr_cli_put_json_error(stderr, NULL, error, place);
    (void)fputs("}\n", stderr);
  } else {
    kr_cli_show_error(stderr, NULL, error, place);
  }
  return kr_cli_exit_code(error->status);
}

int kr_cli_usage(const kr_cli *cli, const char *message, const char *hint) {
  kr_error error;
  (void)kr_cli_error(&error, KR_INVALID, "%s", message);
  kr_cli_hint(&error, "%s", hint);
  (void)kr_cli_fail(cli, &error, NULL);
  return KR_CLI_EXIT_USAGE;
}

void kr_cli_warn(const kr_cli *cli, const char *message) {
  if (cli->is_json) {
    (void)fputs("{\"warning\":", stderr);
    kr_cli_put_json(stderr, kr_cli_str(message));
    (void)fputs("}\n", stderr);
    return;
  }
  kr_error error;
  (void)kr_cli_error(&error, KR_OK, "warning: %s", message);
  kr_cli_show_error(stderr, NULL, &error, NULL);
}
