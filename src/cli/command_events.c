/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_events.c - events list, events show.
 */
#include "cli/cli.h"

#include <string.h>

#define KR_CLI_DEFAULT_EVENTS 100u
#define KR_CLI_MAX_EVENTS 100000u
/* A UUIDv7 begins with the time; up to here it also holds 12 random bits. */
#define KR_CLI_SHORT_ID_BYTES 18
#define KR_CLI_MIN_ID_BYTES 8

typedef struct kr_cli_event_list {
  kr_cli_table table;
  bool is_json;
  size_t n_shown;
  size_t n_unverified;
} kr_cli_event_list;

static kr_status kr_cli_list_event(void *ctx, const kr_event_info *event) {
  kr_cli_event_list *list = ctx;
  list->n_unverified += !event->is_verified;
  if (list->is_json) {
    kr_cli_list_item(list->n_shown++);
    (void)fwrite(event->json.ptr, 1, event->json.len, stdout);
    return KR_OK;
  }
  char sequence[32];
  kr_str id = kr_cli_str(event->id);
  if (id.len > KR_CLI_SHORT_ID_BYTES)
    id.len = KR_CLI_SHORT_ID_BYTES;
  (void)snprintf(sequence, sizeof sequence, "%llu", (unsigned long long)event->sequence);
  kr_cli_table_add(&list->table, kr_cli_str(sequence));
  kr_cli_table_add_time(&list->table, event->started_ms);
  kr_cli_table_add(&list->table, kr_cli_str(event->status));
  kr_cli_table_add(&list->table, event->connector);
  kr_cli_table_add(&list->table, id);
  return KR_OK;
}

/** Decimal digits within the limit; 0 when it is not such a number. */
static size_t kr_cli_event_limit(const char *text) {
  size_t limit = 0;
  if (text == NULL)
    return KR_CLI_DEFAULT_EVENTS;
  for (; *text >= '0' && *text <= '9' && limit <= KR_CLI_MAX_EVENTS; text++)
    limit = limit * 10 + (size_t)(*text - '0');
  return *text == '\0' && limit <= KR_CLI_MAX_EVENTS ? limit : 0;
}

int kr_cli_run_events_list(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  kr_cli_event_list list = {.table = {.n_columns = 5}, .is_json = cli->is_json};
  size_t limit = kr_cli_event_limit(cli->values[KR_CLI_LIMIT]);
  if (limit == 0)
    return kr_cli_usage(cli, "--limit needs a number from 1 to 100000", "");
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_table_head(&list.table,
                    (const char *[]){"SEQUENCE", "STARTED", "STATUS", "CONNECTOR", "ID"});
  status = kr_engine_event_each(engine, kr_cli_org(cli), limit, kr_cli_list_event, &list, &error);
  status = kr_cli_list_end(cli, status, list.n_shown, &list.table, &error);
  kr_cli_table_done(&list.table);
  if (list.n_unverified > 0)
    kr_cli_warn(cli, "some of these events could not be verified");
  return status == KR_OK ? KR_CLI_EXIT_DONE : kr_cli_fail(cli, &error, NULL);
}

static kr_status kr_cli_show_one_event(void *ctx, const kr_event_info *event) {
  const kr_cli *cli = ctx;
  if (!event->is_verified)
    kr_cli_warn(cli, "this event could not be verified");
  if (cli->is_json) {
    (void)fwrite(event->json.ptr, 1, event->json.len, stdout);
    (void)fputc('\n', stdout);
    return KR_OK;
  }
  kr_cli_show_event(stdout, event->json);
  return KR_OK;
}

int kr_cli_run_events_show(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  const char *id = cli->arguments[0];
  size_t len = strlen(id);
  if (len < KR_CLI_MIN_ID_BYTES || strspn(id, "0123456789abcdefABCDEF-") != len)
    return kr_cli_usage(cli, "an id has 0-9, a-f and '-', and at least 8 of them",
                        "`krosyn events list` shows them");
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK)
    status = kr_engine_event_show(engine, kr_cli_org(cli), kr_cli_str(id), kr_cli_show_one_event,
                                  cli, &error);
  return status == KR_OK ? KR_CLI_EXIT_DONE : kr_cli_fail(cli, &error, NULL);
}
