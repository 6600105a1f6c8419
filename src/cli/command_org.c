/* SPDX-License-Identifier: Apache-2.0 */
/* command_org.c - org set, org show: the settings of one organization. */
#include "cli/cli.h"

static kr_status kr_cli_help_setting(void *ctx, const kr_org_setting *setting) {
  (void)fprintf(ctx, "  %s  %s\n      %s (%s)\n", setting->name, setting->values, setting->phrase,
                setting->fallback);
  return KR_OK;
}

void kr_cli_help_settings(FILE *out) {
  (void)fputs("\nSettings, what they may be, and in brackets what holds while one is not set:\n",
              out);
  (void)kr_org_setting_each(kr_cli_help_setting, out);
}

int kr_cli_run_org_set(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  kr_str name = kr_cli_str(cli->arguments[0]);
  kr_str value = kr_cli_str(cli->arguments[1]);
  if (kr_org_setting_check(name, value, &error) != KR_OK)
    return kr_cli_usage(cli, error.message, error.hint);
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK)
    status = kr_engine_org_set(engine, kr_cli_org(cli), name, value, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  /* Both are words of the table by now. */
  if (cli->is_json)
    (void)printf("{\"name\":\"%s\",\"value\":\"%s\"}\n", cli->arguments[0], cli->arguments[1]);
  else
    (void)printf("set %s to %s\n", cli->arguments[0], cli->arguments[1]);
  return KR_CLI_EXIT_DONE;
}

typedef struct kr_cli_org_show {
  kr_cli_table table;
  bool is_json;
  size_t n_shown;
} kr_cli_org_show;

static kr_status kr_cli_show_setting(void *ctx, const kr_org_setting *setting) {
  kr_cli_org_show *show = ctx;
  const char *const cells[] = {setting->name, setting->value, setting->values, setting->phrase};
  if (!show->is_json) {
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
      kr_cli_table_add(&show->table, kr_cli_str(cells[i]));
    return KR_OK;
  }
  kr_cli_list_item(show->n_shown++);
  (void)printf("{\"name\":\"%s\",\"value\":", setting->name);
  kr_cli_put_json(stdout, kr_cli_str(setting->value));
  (void)fputs(",\"values\":", stdout);
  kr_cli_put_json_list(stdout, setting->values);
  (void)printf(",\"default\":\"%s\"}", setting->fallback);
  return KR_OK;
}

int kr_cli_run_org_show(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  kr_cli_org_show show = {.table = {.n_columns = 4}, .is_json = cli->is_json};
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_table_head(&show.table, (const char *[]){"SETTING", "VALUE", "MAY BE", "SAYS"});
  status = kr_engine_org_setting_each(engine, kr_cli_org(cli), kr_cli_show_setting, &show, &error);
  status = kr_cli_list_end(cli, status, show.n_shown, &show.table, &error);
  kr_cli_table_done(&show.table);
  return status == KR_OK ? KR_CLI_EXIT_DONE : kr_cli_fail(cli, &error, NULL);
}
