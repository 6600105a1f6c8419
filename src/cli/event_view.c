/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_view.c - an event for people: what happened in a few lines, then the
 * whole event as indented JSON.
 *
 *   completed  Slack order alerts  118 ms
 *     lookup   GET https://crm.example.com/users/u-77  200 OK
 *     perform  POST https://hooks.slack.com/services/[REDACTED]  200 OK
 */
#include "cli/cli.h"

#include <string.h>

static bool kr_cli_is_present(kr_str value) {
  return value.len > 0 && !(value.len == 4 && memcmp(value.ptr, "null", 4) == 0);
}

static bool kr_cli_is_same(kr_str a, kr_str b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/** What the event itself ended with stands on a line of its own, not here. */
static void kr_cli_show_attempt(FILE *out, const char *step, kr_str attempt, kr_str event_message) {
  kr_str request = kr_cli_json_member(attempt, "request");
  kr_str response = kr_cli_json_member(attempt, "response");
  kr_str failure = kr_cli_json_member(attempt, "error");
  (void)fprintf(out, "  %-8s ", step);
  kr_cli_json_show(out, kr_cli_json_member(request, "method"));
  (void)fputc(' ', out);
  kr_cli_json_show(out, kr_cli_json_member(request, "url"));
  if (kr_cli_is_present(kr_cli_json_member(response, "status"))) {
    (void)fputs("  ", out);
    kr_cli_json_show(out, kr_cli_json_member(response, "status"));
    (void)fputc(' ', out);
    kr_cli_json_show(out, kr_cli_json_member(response, "reason"));
  }
  kr_str message = kr_cli_json_member(failure, "message");
  if (kr_cli_is_present(message) && !kr_cli_is_same(message, event_message)) {
    (void)fputs("  ", out);
    kr_cli_json_show(out, message);
  }
  (void)fputc('\n', out);
}

static void kr_cli_show_step(FILE *out, kr_str event, const char *step) {
  kr_str attempts = kr_cli_json_member(kr_cli_json_member(event, step), "attempts");
  kr_str message = kr_cli_json_member(kr_cli_json_member(event, "error"), "message");
  kr_str attempt;
  for (size_t offset = 0; kr_cli_json_each(attempts, &offset, &attempt);)
    kr_cli_show_attempt(out, step, attempt, message);
}

static void kr_cli_show_failure(FILE *out, kr_str event) {
  kr_str failure = kr_cli_json_member(event, "error");
  if (!kr_cli_is_present(failure))
    return;
  (void)fputs("  error    ", out);
  static const char *const parts[] = {"step", "field"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    if (!kr_cli_is_present(kr_cli_json_member(failure, parts[i])))
      continue;
    kr_cli_json_show(out, kr_cli_json_member(failure, parts[i]));
    (void)fputs(": ", out);
  }
  kr_cli_json_show(out, kr_cli_json_member(failure, "message"));
  (void)fputc('\n', out);
  kr_str hint = kr_cli_json_member(failure, "hint");
  if (!kr_cli_is_present(hint))
    return;
  (void)fputs("  hint     ", out);
  kr_cli_json_show(out, hint);
  (void)fputc('\n', out);
}

void kr_cli_show_event(FILE *out, kr_str event) {
  kr_str duration = kr_cli_json_member(event, "duration_ms");
  kr_cli_json_show(out, kr_cli_json_member(event, "status"));
  (void)fputs("  ", out);
  kr_cli_json_show(out, kr_cli_json_member(event, "connector"));
  if (kr_cli_is_present(duration)) {
    (void)fputs("  ", out);
    kr_cli_json_show(out, duration);
    (void)fputs(" ms", out);
  }
  (void)fputc('\n', out);
  kr_cli_show_step(out, event, "lookup");
  kr_cli_show_step(out, event, "perform");
  kr_cli_show_failure(out, event);
  (void)fputc('\n', out);
  kr_cli_put_json_indented(out, event);
}
