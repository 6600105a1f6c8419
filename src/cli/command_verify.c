/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_verify.c - verify: the walk is done in a child, whose end by a signal
 * is damage, too.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#define KR_CLI_HEAD_DIGITS 20

static void kr_cli_damages_donep(kr_cli_damages *damages) { kr_cli_damages_done(damages); }

/* ---- a kept head ---- */

static bool kr_cli_head_number(kr_str text, uint64_t *out) {
  uint64_t number = 0;
  if (text.len == 0 || text.len > KR_CLI_HEAD_DIGITS)
    return false;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9')
      return false;
    number = number * 10 + (uint64_t)(text.ptr[i] - '0');
  }
  *out = number;
  return true;
}

/* A JSON string of hex digits and dashes. */
static bool kr_cli_head_text(kr_str json, char *out, size_t size) {
  if (json.len < 2 || json.len - 2 >= size || json.ptr[0] != '"')
    return false;
  for (size_t i = 1; i + 1 < json.len; i++)
    if (strchr("0123456789abcdef-", json.ptr[i]) == NULL)
      return false;
  memcpy(out, json.ptr + 1, json.len - 2);
  out[json.len - 2] = '\0';
  return true;
}

static kr_status kr_cli_head_read(const char *path, kr_home_head *ret_head, kr_error *error) {
  KR_CLI_CLEANUP(kr_cli_bytes_done) kr_cli_bytes bytes = {0};
  kr_home_head head = {.generation = 0};
  kr_status status = kr_cli_read_file(path, "kept head", &bytes, error);
  if (status != KR_OK)
    return status;
  kr_str text = kr_cli_without_final_newline(kr_cli_bytes_str(&bytes));
  if (kr_cli_head_text(kr_cli_json_member(text, "store"), head.store, sizeof head.store) &&
      kr_cli_head_number(kr_cli_json_member(text, "generation"), &head.generation) &&
      kr_cli_head_number(kr_cli_json_member(text, "events"), &head.events) &&
      kr_cli_head_text(kr_cli_json_member(text, "chain"), head.chain, sizeof head.chain)) {
    *ret_head = head;
    return KR_OK;
  }
  (void)kr_cli_error(error, KR_INVALID, "%s is not a kept head", path);
  kr_cli_hint(error, "`krosyn verify --head >FILE` makes one");
  return KR_INVALID;
}

static int kr_cli_show_head(const kr_cli *cli, const kr_cli_home *home) {
  kr_error error = {0};
  kr_home_head head;
  if (kr_home_head_read(&home->options, &head, &error) != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_put_head_json(stdout, &head);
  (void)fputc('\n', stdout);
  return KR_CLI_EXIT_DONE;
}

/* ---- the walk ---- */

static void kr_cli_show_report(const kr_cli *cli, const kr_cli_damages *damages,
                               const kr_home_report *report) {
  uint64_t n_untold = report->counts.damaged - damages->n_told;
  if (cli->is_json) {
    (void)printf("{\"good\":%s,\"damage\":[%.*s],\"counts\":",
                 report->counts.damaged == 0 ? "true" : "false", (int)damages->json.len,
                 damages->json.ptr == NULL ? "" : damages->json.ptr);
    kr_cli_put_counts_json(stdout, &report->counts);
    (void)fputs(",\"head\":", stdout);
    if (report->has_head)
      kr_cli_put_head_json(stdout, &report->head);
    else
      (void)fputs("null", stdout);
    (void)fputs("}\n", stdout);
    return;
  }
  if (report->counts.damaged > damages->n_told)
    (void)printf("and %llu more\n", (unsigned long long)n_untold);
  (void)fputs(report->counts.damaged == 0 ? "" : "still good:\n", stdout);
  kr_cli_put_counts(stdout, &report->counts);
  if (report->has_head)
    kr_cli_put_head(stdout, &report->head);
  (void)puts(report->counts.damaged == 0 ? "all is good" : "the home is damaged");
  if (report->counts.damaged > 0)
    (void)puts("keep it as it is; restore a backup, or save what is good: krosyn verify --salvage "
               "DIR");
}

static int kr_cli_walk(const kr_cli *cli, const kr_cli_home *home, const kr_home_head *expected) {
  kr_error error = {0};
  kr_home_report report;
  KR_CLI_CLEANUP(kr_cli_damages_donep) kr_cli_damages damages = {.cli = cli};
  kr_status status =
      kr_home_verify(&home->options, expected, kr_cli_take_damage, &damages, &report, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_show_report(cli, &damages, &report);
  return report.counts.damaged == 0 ? KR_CLI_EXIT_DONE : KR_CLI_EXIT_FAILED;
}

static int kr_cli_salvage(const kr_cli *cli, const kr_cli_home *home, const char *directory) {
  kr_error error = {0};
  kr_home_report report;
  KR_CLI_CLEANUP(kr_cli_damages_donep) kr_cli_damages damages = {.cli = cli};
  kr_status status =
      kr_home_salvage(&home->options, directory, kr_cli_take_damage, &damages, &report, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (cli->is_json) {
    (void)fputs("{\"home\":", stdout);
    kr_cli_put_json(stdout, kr_cli_str(directory));
    (void)printf(",\"left\":[%.*s],\"counts\":", (int)damages.json.len,
                 damages.json.ptr == NULL ? "" : damages.json.ptr);
    kr_cli_put_counts_json(stdout, &report.counts);
    (void)fputs(",\"head\":", stdout);
    kr_cli_put_head_json(stdout, &report.head);
    (void)fputs("}\n", stdout);
    return KR_CLI_EXIT_DONE;
  }
  (void)puts("saved:");
  kr_cli_put_counts(stdout, &report.counts);
  kr_cli_put_head(stdout, &report.head);
  (void)fputs("new home       ", stdout);
  kr_cli_put(stdout, kr_cli_str(directory));
  (void)puts(damages.n_told == 0 ? "\nnothing was left behind"
                                 : "\nwhat was left behind stands above; the damaged home is as it "
                                   "was");
  return KR_CLI_EXIT_DONE;
}

/* ---- the parent ---- */

static int kr_cli_watch(const kr_cli *cli) {
  kr_error error = {0};
  kr_cli_child child = {0};
  if (kr_cli_in_child(cli, &child, &error) != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (child.signal == 0)
    return child.code;
  if (!kr_cli_is_fault(&child)) {
    (void)kr_cli_error(&error, KR_IO, "the check was stopped by signal %d", child.signal);
    return kr_cli_fail(cli, &error, NULL);
  }
  if (cli->is_json)
    (void)printf("{\"good\":false,\"damage\":[{\"area\":\"store\",\"what\":\"a page is damaged so "
                 "that reading it ended the process that read it\"}],\"signal\":%d}\n",
                 child.signal);
  else
    (void)printf("damage: store: a page is damaged so that reading it ended the process that read "
                 "it (signal %d)\nthe home is damaged\n",
                 child.signal);
  return KR_CLI_EXIT_FAILED;
}

int kr_cli_run_verify(kr_cli *cli) {
  kr_error error = {0};
  kr_cli_home home = {0};
  kr_home_head expected;
  const char *kept = cli->values[KR_CLI_EXPECT_HEAD];
  bool is_head_only = cli->values[KR_CLI_HEAD] != NULL;
  const char *salvage = cli->values[KR_CLI_SALVAGE];
  if (is_head_only + (kept != NULL) + (salvage != NULL) > 1)
    return kr_cli_usage(cli, "--head, --expect-head and --salvage exclude each other", "");
  if (!cli->is_child && !is_head_only)
    return kr_cli_watch(cli);
  kr_status status = kr_cli_resolve(cli, &home, &error);
  if (status == KR_OK && home.options.home == NULL)
    status = kr_cli_no_home(&error);
  if (status == KR_OK && kept != NULL)
    status = kr_cli_head_read(kept, &expected, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (is_head_only)
    return kr_cli_show_head(cli, &home);
  if (salvage != NULL)
    return kr_cli_salvage(cli, &home, salvage);
  return kr_cli_walk(cli, &home, kept == NULL ? NULL : &expected);
}
