/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_secret_rules.c - secret policy, history, rollback: what holds for a
 * secret and what it was, never what it is.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KR_CLI_HOSTS_BYTES 1024u

/* "2027-01-31" or "2027-01-31T12:00:00Z", UTC; dates that do not exist are refused. */
static bool kr_cli_read_date(const char *text, int64_t *ret_ms) {
  struct tm parts = {0};
  struct tm again = {0};
  const char *end = strptime(text, "%Y-%m-%d", &parts);
  if (end != NULL && *end == 'T')
    end = strptime(end, "T%H:%M:%SZ", &parts);
  if (end == NULL || *end != '\0' || parts.tm_sec > 59)
    return false;
  const struct tm wanted = parts;
  time_t seconds = timegm(&parts);
  if (seconds <= 0 || gmtime_r(&seconds, &again) == NULL || again.tm_mday != wanted.tm_mday ||
      again.tm_mon != wanted.tm_mon)
    return false;
  *ret_ms = (int64_t)seconds * 1000;
  return true;
}

static bool kr_cli_read_number(const char *text, uint32_t *ret_number) {
  char *end = NULL;
  errno = 0;
  unsigned long number = strtoul(text, &end, 10);
  if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || number > 1000000)
    return false;
  *ret_number = (uint32_t)number;
  return true;
}

static bool kr_cli_read_positions(const char *text, uint32_t *ret_positions) {
  static const char *const names[] = {"header", "path", "query", "body"};
  *ret_positions = 0;
  if (strcmp(text, "any") == 0)
    return true;
  for (;;) {
    size_t len = strcspn(text, ",");
    unsigned i = 0;
    while (i < 4 && (strlen(names[i]) != len || memcmp(names[i], text, len) != 0))
      i++;
    if (i == 4)
      return false;
    *ret_positions |= 1u << i;
    if (text[len] == '\0')
      return true;
    text += len + 1;
  }
}

/* Commas and blanks part hosts; lower case. A list without any would open the secret to every host:
 * it comes from a variable that is empty, and is an error. */
static bool kr_cli_read_hosts(const char *text, char out[KR_CLI_HOSTS_BYTES + 1]) {
  size_t len = 0;
  out[0] = '\0';
  if (strcmp(text, "any") == 0)
    return true;
  for (; *text != '\0'; text++) {
    bool is_parting = *text == ',' || *text == ' ';
    if (is_parting && (len == 0 || out[len - 1] == ' '))
      continue;
    if (len == KR_CLI_HOSTS_BYTES)
      return false;
    out[len++] = is_parting ? ' ' : (char)tolower((unsigned char)*text);
  }
  while (len > 0 && out[len - 1] == ' ')
    len--;
  out[len] = '\0';
  return len > 0;
}

typedef struct kr_cli_rules {
  const kr_cli *cli;
  kr_secret_rules rules;
  char hosts[KR_CLI_HOSTS_BYTES + 1];
} kr_cli_rules;

/* NULL, or what is wrong with an option. */
static const char *kr_cli_change_rules(const kr_cli *cli, kr_cli_rules *rules) {
  const char *expires = cli->values[KR_CLI_EXPIRES];
  const char *hosts = cli->values[KR_CLI_HOSTS];
  const char *positions = cli->values[KR_CLI_POSITIONS];
  const char *min_search = cli->values[KR_CLI_MIN_SEARCH];
  const char *keep = cli->values[KR_CLI_KEEP];
  if (expires != NULL && strcmp(expires, "never") == 0)
    rules->rules.expires_ms = 0;
  else if (expires != NULL && !kr_cli_read_date(expires, &rules->rules.expires_ms))
    return "--expires takes a date such as 2027-01-31 or 2027-01-31T12:00:00Z, or never";
  if (hosts != NULL && !kr_cli_read_hosts(hosts, rules->hosts))
    return "--hosts takes at least one host and at most 1024 bytes, or any";
  if (positions != NULL && !kr_cli_read_positions(positions, &rules->rules.positions))
    return "--positions takes header, path, query and body, parted by commas, or any";
  if (min_search != NULL &&
      (!kr_cli_read_number(min_search, &rules->rules.min_search) || rules->rules.min_search == 0))
    return "--min-search takes a number of bytes from 1 to 64";
  if (keep != NULL && (!kr_cli_read_number(keep, &rules->rules.keep) || rules->rules.keep == 0))
    return "--keep takes a number from 1 to 50";
  return NULL;
}

/* Those of now, with what the options say in place of some. */
static kr_status kr_cli_edit_rules(void *ctx, kr_secret_rules *now) {
  kr_cli_rules *rules = ctx;
  rules->rules = *now;
  (void)snprintf(rules->hosts, sizeof rules->hosts, "%s", now->hosts);
  rules->rules.hosts = rules->hosts;
  (void)kr_cli_change_rules(rules->cli, rules);
  *now = rules->rules;
  return KR_OK;
}

static bool kr_cli_names_a_rule(const kr_cli *cli) {
  for (unsigned i = KR_CLI_EXPIRES; i <= KR_CLI_KEEP; i++)
    if (cli->values[i] != NULL)
      return true;
  return false;
}

int kr_cli_run_secret_policy(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  kr_cli_rules rules = {.cli = cli, .hosts = ""};
  const char *problem = kr_cli_secret_name_problem(cli->arguments[0]);
  if (problem != NULL)
    return kr_cli_bad_secret_name(cli, problem);
  if (!kr_cli_names_a_rule(cli))
    return kr_cli_usage(cli, "no rule is named", "krosyn help secret policy lists them");
  problem = kr_cli_change_rules(cli, &rules); /* first for the messages alone */
  if (problem != NULL)
    return kr_cli_usage(cli, problem, "krosyn help secret policy shows examples");
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK)
    status = kr_engine_secret_edit_rules(engine, kr_cli_org(cli), kr_cli_str(cli->arguments[0]),
                                         kr_cli_secret_environment(cli), kr_cli_edit_rules, &rules,
                                         &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (rules.rules.expires_ms != 0 && rules.rules.expires_ms <= (int64_t)time(NULL) * 1000)
    kr_cli_warn(cli, "the secret has expired: runs that name it fail from now on");
  if (cli->is_json)
    (void)printf("{\"name\":\"%s\",\"changed\":true}\n", cli->arguments[0]);
  else
    (void)printf("changed the policy of %s\n", cli->arguments[0]);
  return KR_CLI_EXIT_DONE;
}

typedef struct kr_cli_history {
  kr_cli_table table;
  bool is_json;
  size_t n_shown;
} kr_cli_history;

static kr_status kr_cli_list_version(void *ctx, const kr_secret_version_info *info) {
  kr_cli_history *list = ctx;
  char version[16];
  char from[32] = "saved";
  if (list->is_json) {
    kr_cli_list_item(list->n_shown++);
    (void)printf("{\"version\":%u,\"from\":", (unsigned)info->version);
    if (info->from == 0)
      (void)fputs("null", stdout);
    else
      (void)printf("%u", (unsigned)info->from);
    (void)fputs(",\"created\":\"", stdout);
    kr_cli_put_time(stdout, info->created_ms);
    (void)fputs("\",\"by\":", stdout);
    kr_cli_put_json(stdout, kr_cli_str(info->by));
    (void)fputs("}", stdout);
    return KR_OK;
  }
  (void)snprintf(version, sizeof version, "%u", (unsigned)info->version);
  if (info->from != 0)
    (void)snprintf(from, sizeof from, "from version %u", (unsigned)info->from);
  kr_cli_table_add(&list->table, kr_cli_str(version));
  kr_cli_table_add_time(&list->table, info->created_ms);
  kr_cli_table_add(&list->table, kr_cli_str(from));
  kr_cli_table_add(&list->table, kr_cli_str(info->by));
  return KR_OK;
}

int kr_cli_run_secret_history(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  kr_cli_history list = {.table = {.n_columns = 4}, .is_json = cli->is_json};
  const char *problem = kr_cli_secret_name_problem(cli->arguments[0]);
  if (problem != NULL)
    return kr_cli_bad_secret_name(cli, problem);
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_table_head(&list.table, (const char *[]){"VERSION", "CREATED", "HOW", "BY"});
  status =
      kr_engine_secret_history(engine, kr_cli_org(cli), kr_cli_str(cli->arguments[0]),
                               kr_cli_secret_environment(cli), kr_cli_list_version, &list, &error);
  status = kr_cli_list_end(cli, status, list.n_shown, &list.table, &error);
  kr_cli_table_done(&list.table);
  return status == KR_OK ? KR_CLI_EXIT_DONE : kr_cli_fail(cli, &error, NULL);
}

int kr_cli_run_secret_rollback(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  uint32_t version = 0;
  uint32_t saved = 0;
  const char *problem = kr_cli_secret_name_problem(cli->arguments[0]);
  if (problem != NULL)
    return kr_cli_bad_secret_name(cli, problem);
  if (!kr_cli_read_number(cli->arguments[1], &version) || version == 0)
    return kr_cli_usage(cli, "a version is a number from 1 on",
                        "krosyn secret history lists the versions that are kept");
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK)
    status = kr_engine_secret_rollback(engine, kr_cli_org(cli), kr_cli_str(cli->arguments[0]),
                                       kr_cli_secret_environment(cli), version, &saved, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (cli->is_json)
    (void)printf("{\"name\":\"%s\",\"version\":%u,\"from\":%u}\n", cli->arguments[0],
                 (unsigned)saved, (unsigned)version);
  else
    (void)printf("%s is version %u now, with the value of version %u\n", cli->arguments[0],
                 (unsigned)saved, (unsigned)version);
  return KR_CLI_EXIT_DONE;
}
