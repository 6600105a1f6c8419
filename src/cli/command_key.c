/* SPDX-License-Identifier: Apache-2.0 */
/* command_key.c - key new, key status. Neither shows any of a key but its id. */
#include "cli/cli.h"

int kr_cli_run_key_new(kr_cli *cli) {
  kr_error error = {0};
  char id[KR_KEY_STATUS_ID_BYTES];
  const char *path = cli->arguments[0];
  if (kr_key_file_create(path, id, &error) != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (cli->is_json) {
    (void)printf("{\"id\":\"%s\",\"key_file\":", id);
    kr_cli_put_json(stdout, kr_cli_str(path));
    (void)fputs("}\n", stdout);
    return KR_CLI_EXIT_DONE;
  }
  (void)printf("wrote the new key %s to ", id);
  kr_cli_put(stdout, kr_cli_str(path));
  (void)fputs("\n", stdout);
  return KR_CLI_EXIT_DONE;
}

static const char *kr_cli_rule_name(kr_key_rule rule) {
  switch (rule) {
  case KR_KEY_BY_CALLER:
    return "option";
  case KR_KEY_BY_ENVIRONMENT:
    return "environment";
  case KR_KEY_BY_CREDENTIAL:
    return "credential";
  case KR_KEY_BY_HOME:
    return "home";
  }
  return "none";
}

static const char *kr_cli_rule_phrase(kr_key_rule rule) {
  switch (rule) {
  case KR_KEY_BY_CALLER:
    return "an option of the command names it";
  case KR_KEY_BY_ENVIRONMENT:
    return "the environment names it, and no option does";
  case KR_KEY_BY_CREDENTIAL:
    return "the credential is there, and no option or variable names another";
  case KR_KEY_BY_HOME:
    return "the home recorded it at init, and nothing else names one";
  }
  return "none applies";
}

static const char *kr_cli_state_name(kr_key_state state) {
  switch (state) {
  case KR_KEY_RIGHT:
    return "right";
  case KR_KEY_MISSING:
    return "missing";
  case KR_KEY_WRONG:
    return "wrong";
  }
  return "unknown";
}

static void kr_cli_put_key_json(const kr_key_status *status) {
  (void)printf("{\"state\":\"%s\",\"source\":\"%s\",\"rule\":\"%s\",\"place\":",
               kr_cli_state_name(status->state), kr_key_source_name(status->source),
               kr_cli_rule_name(status->rule));
  kr_cli_put_json(stdout, kr_cli_str(status->place));
  if (status->has_mode)
    (void)printf(",\"mode\":\"%04o\",\"keys\":[", status->mode);
  else
    (void)fputs(",\"mode\":null,\"keys\":[", stdout);
  for (size_t i = 0; i < status->n_ids; i++) {
    (void)fputs(i == 0 ? "" : ",", stdout);
    kr_cli_put_json(stdout, kr_cli_str(status->ids[i]));
  }
  (void)fputs("],\"needed\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(status->needed));
  (void)fputs(",\"warnings\":[", stdout);
  for (size_t i = 0; i < status->n_warnings; i++) {
    (void)fputs(i == 0 ? "" : ",", stdout);
    kr_cli_put_json(stdout, kr_cli_str(status->warnings[i]));
  }
  (void)fputs("],\"problem\":", stdout);
  if (status->state == KR_KEY_RIGHT)
    (void)fputs("null", stdout);
  else
    kr_cli_put_json_error(stdout, NULL, &status->problem, NULL);
  (void)fputs("}\n", stdout);
}

static void kr_cli_show_key(const kr_cli *cli, const kr_key_status *status) {
  (void)printf("source     %s", kr_key_source_name(status->source));
  if (status->place[0] != '\0')
    (void)fputs(": ", stdout);
  kr_cli_put(stdout, kr_cli_str(status->place));
  if (status->has_mode)
    (void)printf(" (mode %04o)", status->mode);
  (void)printf("\nbecause    %s\nkeys       ", kr_cli_rule_phrase(status->rule));
  for (size_t i = 0; i < status->n_ids; i++)
    (void)printf("%s%s (%s)", i == 0 ? "" : ", ", status->ids[i], i == 0 ? "current" : "previous");
  (void)printf("%s\nvault key  %s\nstate      %s\n", status->n_ids == 0 ? "none" : "",
               status->needed, kr_cli_state_name(status->state));
  for (size_t i = 0; i < status->n_warnings; i++)
    kr_cli_warn(cli, status->warnings[i]);
  if (status->state != KR_KEY_RIGHT)
    (void)kr_cli_fail(cli, &status->problem, NULL);
}

int kr_cli_run_key_status(kr_cli *cli) {
  kr_error error = {0};
  kr_cli_home home = {0};
  kr_key_status found;
  kr_status status = kr_cli_resolve(cli, &home, &error);
  if (status == KR_OK && home.options.home == NULL)
    status = kr_cli_no_home(&error);
  if (status == KR_OK)
    status = kr_home_key_status(&home.options, &found, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (cli->is_json)
    kr_cli_put_key_json(&found);
  else
    kr_cli_show_key(cli, &found);
  return found.state == KR_KEY_RIGHT ? KR_CLI_EXIT_DONE : KR_CLI_EXIT_FAILED;
}
