/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help.c - help made from the two tables: all commands, one group, one command.
 */
#include "cli/cli.h"

#include <string.h>

#define KR_CLI_PHRASE_COLUMN 28

/** "  left        phrase"; a left side that is too long gets a line of its own. */
static void kr_cli_help_row(FILE *out, const char *left, const char *phrase) {
  int padding = KR_CLI_PHRASE_COLUMN - 2 - (int)strlen(left);
  if (padding < 2)
    (void)fprintf(out, "  %s\n%*s%s\n", left, KR_CLI_PHRASE_COLUMN, "", phrase);
  else
    (void)fprintf(out, "  %s%*s%s\n", left, padding, "", phrase);
}

static void kr_cli_help_command_row(FILE *out, const kr_cli_command *command) {
  char left[64];
  (void)snprintf(left, sizeof left, "%s%s%s", command->name,
                 command->arguments[0] == '\0' ? "" : " ", command->arguments);
  kr_cli_help_row(out, left, command->phrase);
}

static void kr_cli_help_options(FILE *out, const char *title, uint64_t options) {
  if (options == 0)
    return;
  (void)fprintf(out, "\n%s:\n", title);
  for (unsigned i = 0; i < KR_CLI_N_OPTIONS; i++) {
    if ((options & KR_CLI_BIT(i)) == 0)
      continue;
    const kr_cli_option_row *row = &kr_cli_options[i];
    char left[64];
    (void)snprintf(left, sizeof left, "--%s%s%s", row->name, row->argument == NULL ? "" : " ",
                   row->argument == NULL ? "" : row->argument);
    kr_cli_help_row(out, left, row->phrase);
  }
}

void kr_cli_help_all(FILE *out) {
  (void)fputs("krosyn - an encrypted vault, connector templates that use it, and a redactor\n"
              "\n"
              "Usage: krosyn [OPTIONS] COMMAND [ARGUMENTS]\n"
              "\n"
              "Commands:\n",
              out);
  for (size_t i = 0; i < kr_cli_n_commands; i++)
    kr_cli_help_command_row(out, &kr_cli_commands[i]);
  kr_cli_help_options(out, "Options (before or after the command; \"--\" ends them)",
                      KR_CLI_GLOBAL_OPTIONS);
  (void)fputs("\n"
              "Exit codes: 0 done, 1 the job failed, 2 wrong usage, 3 refused (integrity,\n"
              "permissions, keys). `krosyn help COMMAND` says more about a command.\n",
              out);
}

void kr_cli_help_group(FILE *out, const char *group) {
  size_t len = strlen(group);
  (void)fprintf(out, "Usage: krosyn %s COMMAND [ARGUMENTS]\n\nCommands:\n", group);
  for (size_t i = 0; i < kr_cli_n_commands; i++)
    if (strncmp(kr_cli_commands[i].name, group, len) == 0 && kr_cli_commands[i].name[len] == ' ')
      kr_cli_help_command_row(out, &kr_cli_commands[i]);
}

void kr_cli_help_command(FILE *out, const kr_cli_command *command) {
  (void)fprintf(out, "krosyn %s - %s\n\nUsage: krosyn %s%s%s%s\n", command->name, command->phrase,
                command->name, command->options == 0 ? "" : " [OPTIONS]",
                command->arguments[0] == '\0' ? "" : " ", command->arguments);
  if (command->details[0] != '\0')
    (void)fprintf(out, "\n%s", command->details);
  if (command->run == kr_cli_run_org_set)
    kr_cli_help_settings(out);
  kr_cli_help_options(out, "Options", command->options);
  kr_cli_help_options(out, "General options", KR_CLI_GLOBAL_OPTIONS);
}

int kr_cli_run_help(kr_cli *cli) {
  size_t n_used = 0;
  if (cli->n_arguments == 0) {
    kr_cli_help_all(stdout);
    return KR_CLI_EXIT_DONE;
  }
  const kr_cli_command *command = kr_cli_find_command(cli->arguments, cli->n_arguments, &n_used);
  if (command != NULL && n_used == cli->n_arguments) {
    kr_cli_help_command(stdout, command);
    return KR_CLI_EXIT_DONE;
  }
  if (cli->n_arguments == 1 && kr_cli_is_group(cli->arguments[0])) {
    kr_cli_help_group(stdout, cli->arguments[0]);
    return KR_CLI_EXIT_DONE;
  }
  bool is_group = cli->n_arguments == 2 && kr_cli_is_group(cli->arguments[0]);
  const char *nearest =
      kr_cli_nearest_command(is_group ? cli->arguments[0] : NULL, cli->arguments[is_group ? 1 : 0]);
  char hint[96] = "`krosyn --help` lists the commands";
  if (nearest != NULL)
    (void)snprintf(hint, sizeof hint, "did you mean `krosyn help %s`?", nearest);
  return kr_cli_usage(cli, "there is no such command to help with", hint);
}
