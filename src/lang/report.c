/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - collects diagnostics of one compile; at most KR_DIAGNOSTICS_MAX are kept. */
#include "lang/compiler.h"

#include <stdarg.h>
#include <stdio.h>

static kr_status kr_report_status(kr_code code) {
  if (code >= 500 && code < 600)
    return KR_LIMIT;
  return code == KR_E_SECRET_MISSING ? KR_MISSING : KR_SYNTAX;
}

static void kr_report_add(kr_compiler *compiler, bool is_error, kr_code code, size_t offset,
                          size_t len, const char *message) {
  kr_diagnostics *diagnostics = compiler->diagnostics;
  compiler->last = NULL;
  if (compiler->mute > 0)
    return;
  if (is_error && diagnostics->n_errors++ == 0)
    compiler->is_limit = kr_report_status(code) == KR_LIMIT;
  if (diagnostics->count == KR_DIAGNOSTICS_MAX)
    return;
  kr_diagnostic *item = &diagnostics->items[diagnostics->count++];
  item->is_error = is_error;
  (void)kr_fail(&item->error, kr_report_status(code), "%s", message);
  item->error.code = (uint16_t)code;
  kr_error_at(&item->error, compiler->source, offset, len);
  compiler->last = item;
}

void kr_report(kr_compiler *compiler, kr_code code, size_t offset, size_t len, const char *format,
               ...) {
  char message[KR_ERROR_MESSAGE_BYTES];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  kr_report_add(compiler, true, code, offset, len, message);
}

void kr_report_lint(kr_compiler *compiler, kr_code code, size_t offset, size_t len,
                    const char *format, ...) {
  char message[KR_ERROR_MESSAGE_BYTES];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  kr_report_add(compiler, false, code, offset, len, message);
}

void kr_report_hint(kr_compiler *compiler, const char *format, ...) {
  if (compiler->last == NULL)
    return;
  char hint[KR_ERROR_HINT_BYTES];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(hint, sizeof(hint), format, args);
  va_end(args);
  kr_error_hint(&compiler->last->error, "%s", hint);
}
