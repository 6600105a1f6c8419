/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_functions.c - the functions of templates: a table of all, or what is
 * known of one.
 */
#include "cli/cli.h"

#include <string.h>

typedef struct kr_cli_function_list {
  const kr_cli *cli;
  const char *name; /* NULL: all */
  kr_cli_table table;
  size_t n_shown;
  char nearest[64];
  size_t distance;
} kr_cli_function_list;

static void kr_cli_put_json_field(const char *name, const char *value) {
  (void)printf(",\"%s\":", name);
  kr_cli_put_json(stdout, kr_cli_str(value));
}

static void kr_cli_put_json_function(const kr_function_entry *entry) {
  (void)fputs("{\"name\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(entry->name));
  kr_cli_put_json_field("group", entry->group);
  kr_cli_put_json_field("signature", entry->signature);
  kr_cli_put_json_field("phrase", entry->phrase);
  (void)fputs(",\"secret_arguments\":", stdout);
  kr_cli_put_json_list(stdout, entry->secret_arguments);
  kr_cli_put_json_field("example", entry->example);
  kr_cli_put_json_field("result", entry->result);
  (void)fputc('}', stdout);
}

static void kr_cli_show_function(const kr_function_entry *entry) {
  bool takes_secrets = entry->secret_arguments[0] != '\0';
  (void)printf("%s\n  %s\n", entry->signature, entry->phrase);
  (void)printf("  group:   %s\n", entry->group);
  (void)printf("  secrets: %s\n", takes_secrets ? entry->secret_arguments : "refused");
  if (entry->example[0] != '\0')
    (void)printf("  example: %s\n  result:  %s\n", entry->example, entry->result);
}

static void kr_cli_keep_nearest(kr_cli_function_list *list, const kr_function_entry *entry) {
  size_t len = strlen(list->name);
  size_t distance = kr_cli_distance(list->name, len, entry->name, strlen(entry->name));
  if (distance >= list->distance || distance >= len)
    return;
  list->distance = distance;
  (void)snprintf(list->nearest, sizeof list->nearest, "%s", entry->name);
}

static kr_status kr_cli_take_function(void *ctx, const kr_function_entry *entry) {
  kr_cli_function_list *list = ctx;
  if (list->name != NULL && strcmp(list->name, entry->name) != 0) {
    kr_cli_keep_nearest(list, entry);
    return KR_OK;
  }
  if (list->cli->is_json) {
    if (list->name == NULL)
      kr_cli_list_item(list->n_shown);
    kr_cli_put_json_function(entry);
  } else if (list->name != NULL) {
    kr_cli_show_function(entry);
  } else {
    kr_cli_table_add(&list->table, kr_cli_str(entry->signature));
    kr_cli_table_add(&list->table, kr_cli_str(entry->phrase));
    kr_cli_table_add(&list->table, kr_cli_str(entry->example));
  }
  list->n_shown++;
  return KR_OK;
}

int kr_cli_run_functions(kr_cli *cli) {
  static const char *const titles[] = {"FUNCTION", "WHAT IT GIVES", "EXAMPLE"};
  KR_CLI_CLEANUP(kr_cli_table_done) kr_cli_table table = {.n_columns = 3};
  kr_error error = {0};
  kr_cli_function_list list = {.cli = cli,
                               .name = cli->n_arguments == 1 ? cli->arguments[0] : NULL,
                               .table = table,
                               .distance = KR_CLI_MAX_EDITS + 1};
  if (list.name == NULL && !cli->is_json)
    kr_cli_table_head(&list.table, titles);
  kr_status status = kr_function_each(kr_cli_take_function, &list);
  table = list.table;
  if (status != KR_OK)
    (void)kr_cli_error(&error, status, "the functions cannot be listed");
  if (list.name == NULL) {
    status = kr_cli_list_end(cli, status, list.n_shown, &table, &error);
    return status == KR_OK ? KR_CLI_EXIT_DONE : kr_cli_fail(cli, &error, NULL);
  }
  if (status == KR_OK && list.n_shown == 0) {
    (void)kr_cli_error(&error, KR_NOT_FOUND, "there is no such function");
    if (list.nearest[0] != '\0')
      kr_cli_hint(&error, "did you mean %s?", list.nearest);
    else
      kr_cli_hint(&error, "`krosyn functions` lists them");
    status = KR_NOT_FOUND;
  }
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (cli->is_json)
    (void)fputc('\n', stdout);
  return KR_CLI_EXIT_DONE;
}
