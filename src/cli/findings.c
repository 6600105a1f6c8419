/* SPDX-License-Identifier: Apache-2.0 */
/*
 * findings.c - a visitor that shows diagnostics as they come, for people with
 * carets, for programs as the items of a JSON array.
 */
#include "cli/cli.h"

kr_status kr_cli_take_finding(void *ctx, const kr_finding *finding) {
  kr_cli_findings *findings = ctx;
  const char *severity = finding->is_error ? "error" : "warning";
  kr_cli_place place = {.file = findings->file, .text = finding->text};
  size_t n_before = findings->n_errors + findings->n_warnings;
  if (finding->is_error)
    findings->n_errors++;
  else
    findings->n_warnings++;
  if (findings->out == NULL)
    return KR_OK;
  if (!findings->is_json && findings->out == stderr) {
    /* On stderr every line that begins a message says whose it is. */
    kr_cli_show_error(stderr, finding->is_error ? NULL : "krosyn: warning", finding->error, &place);
    return KR_OK;
  }
  if (!findings->is_json) {
    kr_cli_show_error(findings->out, severity, finding->error, &place);
    return KR_OK;
  }
  if (n_before > 0)
    (void)fputc(',', findings->out);
  kr_cli_put_json_error(findings->out, severity, finding->error, &place);
  return KR_OK;
}
