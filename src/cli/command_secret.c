/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_secret.c - secret set, list, show, delete. A value comes in through a
 * prompt, a pipe or a file, straight into locked memory, and is never shown.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void kr_cli_secret_done(kr_secret **secret) { kr_secret_free(*secret); }

kr_str kr_cli_secret_environment(const kr_cli *cli) {
  return kr_cli_str(cli->values[KR_CLI_ENVIRONMENT]);
}

int kr_cli_bad_secret_name(const kr_cli *cli, const char *problem) {
  return kr_cli_usage(cli, problem,
                      "for example CRM_API_KEY. If this was a value and no name: it may now be in "
                      "your shell's history; remove it there and replace it where it was issued");
}

static kr_status kr_cli_value_from_file(kr_engine *engine, const char *path, kr_secret **ret_value,
                                        kr_error *error) {
  bool is_stdin = strcmp(path, "-") == 0;
  int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    kr_status status = errno == ENOENT ? KR_NOT_FOUND : KR_IO;
    return kr_cli_error(error, status, "cannot open the file %s: %s", path, strerror(errno));
  }
  kr_secret_read_result result = {0};
  kr_status status = kr_secret_read(engine, fd, false, ret_value, &result, error);
  if (!is_stdin)
    (void)close(fd);
  return status;
}

static kr_status kr_cli_value_from_stdin(const kr_cli *cli, kr_engine *engine,
                                         kr_secret **ret_value, kr_error *error) {
  kr_secret_read_result result = {0};
  kr_status status = kr_secret_read(engine, STDIN_FILENO, true, ret_value, &result, error);
  if (status == KR_OK && result.stripped_newline)
    kr_cli_warn(cli, "one final newline was removed from the value (--file keeps every byte)");
  return status;
}

/* The terminal would show it: only the prompt turns that off. */
static bool kr_cli_would_be_seen(const char *file) {
  return file != NULL && strcmp(file, "-") == 0 && isatty(STDIN_FILENO) == 1;
}

static kr_status kr_cli_take_value(const kr_cli *cli, kr_engine *engine, kr_secret **ret_value,
                                   kr_error *error) {
  const char *file = cli->values[KR_CLI_FILE];
  if (file != NULL)
    return kr_cli_value_from_file(engine, file, ret_value, error);
  if (isatty(STDIN_FILENO) == 1)
    return kr_cli_prompt_secret(engine, cli->arguments[0], ret_value, error);
  return kr_cli_value_from_stdin(cli, engine, ret_value, error);
}

static void kr_cli_show_saved(const kr_cli *cli, const kr_secret_set_result *result) {
  const char *name = cli->arguments[0];
  if (result->is_short)
    kr_cli_warn(cli, "the value has fewer than 4 bytes: in logs it is removed only where a "
                     "template put it, not wherever it appears");
  if (result->has_blank_edges)
    kr_cli_warn(cli, "the value begins or ends with a blank; it was kept as it is");
  if (result->is_placeholder)
    kr_cli_warn(cli, "the value looks like a placeholder of an example (such as changeme, <token> "
                     "or null); it was saved as it is");
  if (result->has_bare_name)
    kr_cli_warn(cli,
                "the name has no letter, and names are shown wherever secrets are listed; if a "
                "value was typed there, delete the secret, `krosyn purge`, and take a new value");
  if (result->duplicate_of[0] != '\0') {
    char message[KR_SECRET_NAME_SIZE + 64];
    (void)snprintf(message, sizeof message, "the secret %s holds the same value",
                   result->duplicate_of);
    kr_cli_warn(cli, message);
  }
  if (cli->is_json)
    (void)printf("{\"name\":\"%s\",\"version\":%u,\"created\":%s}\n", name,
                 (unsigned)result->version, result->is_new ? "true" : "false");
  else
    (void)printf("%s %s, version %u\n", result->is_new ? "saved" : "replaced", name,
                 (unsigned)result->version);
}

int kr_cli_run_secret_set(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  KR_CLI_CLEANUP(kr_cli_secret_done) kr_secret *value = NULL;
  kr_secret_set_result result = {0};
  const char *problem = kr_cli_secret_name_problem(cli->arguments[0]);
  if (problem != NULL)
    return kr_cli_bad_secret_name(cli, problem);
  if (kr_cli_would_be_seen(cli->values[KR_CLI_FILE]))
    return kr_cli_usage(cli, "what is typed for --file - would be seen on the terminal",
                        "leave --file out to be asked for the value, unseen");
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK)
    status = kr_cli_take_value(cli, engine, &value, &error);
  if (status == KR_OK)
    status = kr_engine_secret_set(engine, kr_cli_org(cli), kr_cli_str(cli->arguments[0]),
                                  kr_cli_secret_environment(cli), value,
                                  kr_cli_str(cli->values[KR_CLI_DESCRIPTION]), &result, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_show_saved(cli, &result);
  return KR_CLI_EXIT_DONE;
}

typedef struct kr_cli_secret_list {
  kr_cli_table table;
  bool is_json;
  size_t n_shown;
} kr_cli_secret_list;

static void kr_cli_put_positions(FILE *out, uint32_t positions, const char *none) {
  static const char *const names[] = {"header", "path", "query", "body"};
  const char *comma = "";
  for (unsigned i = 0; i < 4; i++) {
    if ((positions >> i & 1) == 0)
      continue;
    (void)fprintf(out, "%s%s", comma, names[i]);
    comma = ",";
  }
  if (positions == 0)
    (void)fputs(none, out);
}

static void kr_cli_put_rules_json(const kr_secret_rules *rules) {
  (void)fputs(",\"expires\":", stdout);
  if (rules->expires_ms == 0) {
    (void)fputs("null", stdout);
  } else {
    (void)fputc('"', stdout);
    kr_cli_put_time(stdout, rules->expires_ms);
    (void)fputc('"', stdout);
  }
  (void)fputs(",\"hosts\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(rules->hosts));
  (void)fputs(",\"positions\":\"", stdout);
  kr_cli_put_positions(stdout, rules->positions, "");
  (void)printf("\",\"min_search\":%u,\"keep\":%u",
               (unsigned)(rules->min_search == 0 ? 4 : rules->min_search), (unsigned)rules->keep);
}

void kr_cli_put_secret_json(const kr_secret_info *info) {
  (void)fputs("{\"name\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(info->name));
  (void)fputs(",\"environment\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(info->environment));
  (void)fputs(",\"description\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(info->description));
  (void)printf(",\"version\":%u,\"created\":\"", (unsigned)info->version);
  kr_cli_put_time(stdout, info->created_ms);
  (void)fputs("\",\"updated\":\"", stdout);
  kr_cli_put_time(stdout, info->updated_ms);
  (void)fputs("\",\"created_by\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(info->created_by));
  (void)fputs(",\"updated_by\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(info->updated_by));
  kr_cli_put_rules_json(&info->rules);
  (void)fputs(",\"used_by\":[", stdout);
  for (size_t i = 0; i < info->n_uses; i++) {
    (void)fputs(i == 0 ? "{\"connector\":" : ",{\"connector\":", stdout);
    kr_cli_put_json(stdout, kr_cli_str(info->uses[i].connector));
    (void)fputs(",\"last\":\"", stdout);
    kr_cli_put_time(stdout, info->uses[i].time_ms);
    (void)printf("\",\"version\":%u}", (unsigned)info->uses[i].version);
  }
  (void)fputs("]}", stdout);
}

/* Who will miss a secret that is deleted. */
static kr_status kr_cli_name_users(void *ctx, const kr_secret_info *info) {
  const kr_cli *cli = ctx;
  for (size_t i = 0; i < info->n_uses; i++) {
    char message[512];
    (void)snprintf(message, sizeof message,
                   "the connector %.400s used this secret; without it its runs fail",
                   info->uses[i].connector);
    kr_cli_warn(cli, message);
  }
  return KR_OK;
}

static kr_status kr_cli_list_secret(void *ctx, const kr_secret_info *info) {
  kr_cli_secret_list *list = ctx;
  if (list->is_json) {
    kr_cli_list_item(list->n_shown++);
    kr_cli_put_secret_json(info);
    return KR_OK;
  }
  char version[16];
  (void)snprintf(version, sizeof version, "%u", (unsigned)info->version);
  char label[192];
  bool is_default = info->environment[0] == '\0';
  (void)snprintf(label, sizeof label, "%s%s%s", info->name, is_default ? "" : "@",
                 info->environment);
  kr_cli_table_add(&list->table, kr_cli_str(label));
  kr_cli_table_add(&list->table, kr_cli_str(version));
  kr_cli_table_add_time(&list->table, info->updated_ms);
  if (info->n_uses == 0)
    kr_cli_table_add(&list->table, kr_cli_str("never"));
  else
    kr_cli_table_add_time(&list->table, info->uses[0].time_ms);
  kr_cli_table_add(&list->table, kr_cli_str(info->description));
  return KR_OK;
}

int kr_cli_run_secret_list(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  kr_cli_secret_list list = {.table = {.n_columns = 5}, .is_json = cli->is_json};
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_table_head(&list.table,
                    (const char *[]){"NAME", "VERSION", "UPDATED", "LAST USED", "DESCRIPTION"});
  status = kr_engine_secret_each(engine, kr_cli_org(cli), kr_cli_list_secret, &list, &error);
  status = kr_cli_list_end(cli, status, list.n_shown, &list.table, &error);
  kr_cli_table_done(&list.table);
  return status == KR_OK ? KR_CLI_EXIT_DONE : kr_cli_fail(cli, &error, NULL);
}

static void kr_cli_show_rules(const kr_secret_rules *rules) {
  (void)fputs("\nexpires      ", stdout);
  if (rules->expires_ms == 0)
    (void)fputs("never", stdout);
  else
    kr_cli_put_time(stdout, rules->expires_ms);
  (void)fputs("\nhosts        ", stdout);
  kr_cli_put(stdout, kr_cli_str(rules->hosts[0] == '\0' ? "any" : rules->hosts));
  (void)fputs("\npositions    ", stdout);
  kr_cli_put_positions(stdout, rules->positions, "any");
  (void)printf("\nmin search   %u bytes\nkeeps        %u versions",
               (unsigned)(rules->min_search == 0 ? 4 : rules->min_search), (unsigned)rules->keep);
}

static void kr_cli_show_uses(const kr_secret_info *info) {
  (void)fputs("\nused by      ", stdout);
  if (info->n_uses == 0)
    (void)fputs("(no run yet)", stdout);
  for (size_t i = 0; i < info->n_uses; i++) {
    (void)fputs(i == 0 ? "" : "\n             ", stdout);
    kr_cli_put(stdout, kr_cli_str(info->uses[i].connector));
    (void)fputs(", last ", stdout);
    kr_cli_put_time(stdout, info->uses[i].time_ms);
  }
}

static kr_status kr_cli_show_secret(void *ctx, const kr_secret_info *info) {
  const kr_cli *cli = ctx;
  if (cli->is_json) {
    kr_cli_put_secret_json(info);
    (void)fputc('\n', stdout);
    return KR_OK;
  }
  (void)fputs("name         ", stdout);
  kr_cli_put(stdout, kr_cli_str(info->name));
  (void)fputs("\ndescription  ", stdout);
  kr_cli_put(stdout, kr_cli_str(info->description[0] == '\0' ? "(none)" : info->description));
  if (info->environment[0] != '\0')
    (void)printf("\nenvironment  %s", info->environment);
  (void)printf("\nversion      %u\ncreated      ", (unsigned)info->version);
  kr_cli_put_time(stdout, info->created_ms);
  (void)fputs(" by ", stdout);
  kr_cli_put(stdout, kr_cli_str(info->created_by));
  (void)fputs("\nupdated      ", stdout);
  kr_cli_put_time(stdout, info->updated_ms);
  (void)fputs(" by ", stdout);
  kr_cli_put(stdout, kr_cli_str(info->updated_by));
  kr_cli_show_rules(&info->rules);
  kr_cli_show_uses(info);
  (void)fputs("\nvalue        (never shown; `krosyn secret set` replaces it)\n", stdout);
  return KR_OK;
}

int kr_cli_run_secret_show(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  const char *problem = kr_cli_secret_name_problem(cli->arguments[0]);
  if (problem != NULL)
    return kr_cli_bad_secret_name(cli, problem);
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK)
    status = kr_engine_secret_show(engine, kr_cli_org(cli), kr_cli_str(cli->arguments[0]),
                                   kr_cli_secret_environment(cli), kr_cli_show_secret, cli, &error);
  return status == KR_OK ? KR_CLI_EXIT_DONE : kr_cli_fail(cli, &error, NULL);
}

int kr_cli_run_secret_delete(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  const char *name = cli->arguments[0];
  const char *problem = kr_cli_secret_name_problem(name);
  if (problem != NULL)
    return kr_cli_bad_secret_name(cli, problem);
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK)
    status =
        kr_engine_secret_delete(engine, kr_cli_org(cli), kr_cli_str(name),
                                kr_cli_secret_environment(cli), kr_cli_name_users, cli, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (cli->is_json)
    (void)printf("{\"name\":\"%s\",\"deleted\":true}\n", name);
  else
    (void)printf("deleted %s\n", name);
  return KR_CLI_EXIT_DONE;
}
