/* SPDX-License-Identifier: Apache-2.0 */
/* command_org_delete.c - org delete: asks before, and says what survives. */
#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

#define KR_CLI_ANSWER_BYTES 128

/* The name once more, typed on a terminal. */
static kr_status kr_cli_confirm_name(const char *name, kr_error *error) {
  char answer[KR_CLI_ANSWER_BYTES] = "";
  (void)fprintf(stderr,
                "This deletes the organization %s and all its secrets for good.\n"
                "Type its name to go on: ",
                name);
  (void)fflush(stderr);
  if (fgets(answer, sizeof answer, stdin) == NULL)
    answer[0] = '\0';
  answer[strcspn(answer, "\n")] = '\0';
  if (strcmp(answer, name) == 0)
    return KR_OK;
  return kr_cli_error(error, KR_REFUSED, "that is not its name; nothing was deleted");
}

int kr_cli_run_org_delete(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  const char *name = cli->arguments[0];
  const char *problem = kr_cli_org_name_problem(name);
  bool is_asked = cli->values[KR_CLI_YES] == NULL;
  size_t n_secrets = 0;
  if (problem != NULL)
    return kr_cli_usage(cli, problem, "for example acme-eu");
  if (is_asked && isatty(STDIN_FILENO) == 0)
    return kr_cli_usage(cli, "org delete asks on a terminal, and there is none",
                        "add --yes to do it without asking");
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK && is_asked)
    status = kr_cli_confirm_name(name, &error);
  if (status == KR_OK)
    status = kr_engine_org_delete(engine, kr_cli_str(name), &n_secrets, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (cli->is_json) {
    (void)printf("{\"name\":\"%s\",\"deleted\":true,\"secrets\":%zu}\n", name, n_secrets);
    return KR_CLI_EXIT_DONE;
  }
  (void)printf("deleted the organization %s with %zu secrets; its events stay in the log\n"
               "Backups hold it still, and until it is purged the freed room of the store does:\n"
               "the master key of now opens both.\n",
               name, n_secrets);
  return KR_CLI_EXIT_DONE;
}
