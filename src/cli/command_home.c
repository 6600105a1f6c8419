/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_home.c - init, org create, org list.
 */
#include "cli/cli.h"

static const char *kr_cli_key_advice(kr_key_source source) {
  switch (source) {
  case KR_KEY_PASSPHRASE:
    return "Keep the passphrase in a safe place: without it nothing can be opened.\n";
  case KR_KEY_CREDENTIAL:
  case KR_KEY_ENVIRONMENT:
  case KR_KEY_COMMAND:
    return "Keep a copy of the key in a safe place: without it nothing can be opened.\n";
  case KR_KEY_AUTO:
  case KR_KEY_FILE:
    break;
  }
  return "Keep a copy of the key file in a safe place: without it nothing can be opened.\n";
}

static void kr_cli_show_created(const kr_cli *cli, const char *home, kr_key_source source,
                                kr_str key_path) {
  if (cli->is_json) {
    (void)fputs("{\"home\":", stdout);
    kr_cli_put_json(stdout, kr_cli_str(home));
    (void)printf(",\"key_source\":\"%s\",\"key_file\":", kr_key_source_name(source));
    if (key_path.len == 0)
      (void)fputs("null", stdout);
    else
      kr_cli_put_json(stdout, key_path);
    (void)fputs(",\"organization\":\"default\"}\n", stdout);
    return;
  }
  (void)fputs("home          ", stdout);
  kr_cli_put(stdout, kr_cli_str(home));
  (void)fputs(key_path.len == 0 ? "\nkey           " : "\nkey file      ", stdout);
  kr_cli_put(stdout, key_path.len == 0 ? kr_cli_str(kr_key_source_name(source)) : key_path);
  (void)printf("\norganization  default\n%s", kr_cli_key_advice(source));
}

int kr_cli_run_init(kr_cli *cli) {
  kr_error error = {0};
  kr_cli_home home = {0};
  kr_key_source source = KR_KEY_AUTO;
  KR_CLI_CLEANUP(kr_text_done) kr_text key_path = {0};
  bool has_variable = kr_cli_has_key_variable();
  kr_status status = kr_cli_resolve(cli, &home, &error);
  if (status == KR_OK && home.options.home == NULL)
    status = kr_cli_no_home(&error);
  if (status == KR_OK)
    status = kr_home_create(&home.options, &key_path, &error);
  if (status == KR_OK)
    status = kr_home_key_source(home.options.home, &source, &error);
  if (has_variable)
    kr_cli_warn_of_key_variable(cli);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_show_created(cli, home.options.home, source,
                      (kr_str){.ptr = (const uint8_t *)key_path.ptr, .len = key_path.len});
  return KR_CLI_EXIT_DONE;
}

int kr_cli_run_org_create(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  const char *name = cli->arguments[0];
  const char *problem = kr_cli_org_name_problem(name);
  if (problem != NULL)
    return kr_cli_usage(cli, problem, "for example acme-eu");
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK)
    status = kr_engine_org_create(engine, kr_cli_str(name), &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (cli->is_json)
    (void)printf("{\"name\":\"%s\",\"created\":true}\n", name);
  else
    (void)printf("created the organization %s\n", name);
  return KR_CLI_EXIT_DONE;
}

typedef struct kr_cli_org_list {
  kr_cli_table table;
  bool is_json;
  size_t n_shown;
} kr_cli_org_list;

static kr_status kr_cli_list_org(void *ctx, const kr_org_info *org) {
  kr_cli_org_list *list = ctx;
  if (!list->is_json) {
    char count[32];
    (void)snprintf(count, sizeof count, "%zu", org->n_secrets);
    kr_cli_table_add(&list->table, kr_cli_str(org->name));
    kr_cli_table_add(&list->table, kr_cli_str(count));
    kr_cli_table_add_time(&list->table, org->created_ms);
    return KR_OK;
  }
  kr_cli_list_item(list->n_shown++);
  (void)fputs("{\"name\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(org->name));
  (void)printf(",\"secrets\":%zu,\"created\":\"", org->n_secrets);
  kr_cli_put_time(stdout, org->created_ms);
  (void)fputs("\"}", stdout);
  return KR_OK;
}

int kr_cli_run_org_list(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  kr_cli_org_list list = {.table = {.n_columns = 3}, .is_json = cli->is_json};
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_table_head(&list.table, (const char *[]){"ORGANIZATION", "SECRETS", "CREATED"});
  status = kr_engine_org_each(engine, kr_cli_list_org, &list, &error);
  status = kr_cli_list_end(cli, status, list.n_shown, &list.table, &error);
  kr_cli_table_done(&list.table);
  return status == KR_OK ? KR_CLI_EXIT_DONE : kr_cli_fail(cli, &error, NULL);
}
