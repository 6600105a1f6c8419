/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_import.c - secret import and secret export. The file's bytes are read
 * into pages that are locked where the system allows it, stay out of core files,
 * and are wiped; what is shown of an entry is its line, its name, and what
 * becomes of it.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <string.h>
#include <time.h>

typedef struct kr_cli_note {
  kr_import_note bit;
  const char *word; /* with --json */
  const char *text;
} kr_cli_note;

static const kr_cli_note kr_cli_notes[] = {
    {KR_IMPORT_EXPANDS, "expands",
     "holds $NAME, ${, $( or a backtick: other readers would put something in its place; here it "
     "stays as it is (in single quotes all agree)"},
    {KR_IMPORT_HASH, "hash",
     "holds a # without quotes: other readers may end the value there; it was kept"},
    {KR_IMPORT_COMMENT, "comment",
     "is followed by a comment, which is not part of it; if it is meant to be, put quotes around "
     "the whole"},
    {KR_IMPORT_BACKSLASH, "backslash",
     "holds a backslash without quotes: other readers may take it away; it was kept"},
    {KR_IMPORT_LINE_ENDS, "line-ends",
     "has line ends CR LF inside its quotes: they are read as LF"},
    {KR_IMPORT_SHORT, "short",
     "has fewer than 4 bytes: in logs it is removed only where a template put it"},
    {KR_IMPORT_BLANK_EDGES, "blank-edges", "begins or ends with a blank; it is kept as it is"},
    {KR_IMPORT_PLACEHOLDER, "placeholder", "looks like a placeholder of an example"},
    {KR_IMPORT_DESCRIPTION_KEPT, "description-kept",
     "is saved already, so its description was not changed"},
};
#define KR_CLI_N_NOTES (sizeof kr_cli_notes / sizeof kr_cli_notes[0])

typedef struct kr_cli_import {
  const kr_cli *cli;
  kr_cli_table table;
  size_t n_shown;
  size_t counts[KR_IMPORT_REFUSED + 1]; /* by outcome */
  size_t n_saved;
} kr_cli_import;

static void kr_cli_warn_row(const kr_cli_import *list, const kr_import_row *row, const char *text,
                            const char *more) {
  char message[KR_SECRET_NAME_SIZE * 2 + 256];
  (void)snprintf(message, sizeof message, "line %zu, %s: the value %s%s", row->line, row->name,
                 text, more);
  kr_cli_warn(list->cli, message);
}

static void kr_cli_warn_of_row(const kr_cli_import *list, const kr_import_row *row) {
  for (size_t i = 0; i < KR_CLI_N_NOTES; i++)
    if ((row->notes & (unsigned)kr_cli_notes[i].bit) != 0)
      kr_cli_warn_row(list, row, kr_cli_notes[i].text, "");
  if (row->duplicate_of[0] != '\0')
    kr_cli_warn_row(list, row, "is also that of ", row->duplicate_of);
}

static void kr_cli_describe_row(const kr_cli_import *list, const kr_import_row *row, char *out,
                                size_t size) {
  bool is_held = list->cli->values[KR_CLI_REPLACE] == NULL;
  switch (row->outcome) {
  case KR_IMPORT_NEW:
    (void)snprintf(out, size, row->new_version == 0 ? "new" : "saved, version %u",
                   (unsigned)row->new_version);
    return;
  case KR_IMPORT_REPLACES:
    if (row->new_version != 0)
      (void)snprintf(out, size, "replaced, version %u", (unsigned)row->new_version);
    else
      (void)snprintf(out, size, "replaces version %u%s", (unsigned)row->version,
                     is_held ? "; needs --replace" : "");
    return;
  case KR_IMPORT_SAME:
    (void)snprintf(out, size, "same value as version %u", (unsigned)row->version);
    return;
  case KR_IMPORT_REFUSED:
    (void)snprintf(out, size, "refused: %s%s%s", row->reason, row->hint[0] == '\0' ? "" : "; ",
                   row->hint);
  }
}

static const char *kr_cli_outcome_name(kr_import_outcome outcome) {
  switch (outcome) {
  case KR_IMPORT_NEW:
    return "new";
  case KR_IMPORT_REPLACES:
    return "replaces";
  case KR_IMPORT_SAME:
    return "same";
  case KR_IMPORT_REFUSED:
    break;
  }
  return "refused";
}

/* A text, or null when it is empty. */
static void kr_cli_put_member(const char *name, const char *text) {
  (void)printf(",\"%s\":", name);
  if (text[0] == '\0')
    (void)fputs("null", stdout);
  else
    kr_cli_put_json(stdout, kr_cli_str(text));
}

static void kr_cli_put_row_json(const kr_import_row *row) {
  (void)printf("{\"line\":%zu", row->line);
  kr_cli_put_member("name", row->name);
  (void)printf(",\"outcome\":\"%s\",\"version\":%u,\"new_version\":%u,\"warnings\":[",
               kr_cli_outcome_name(row->outcome), (unsigned)row->version,
               (unsigned)row->new_version);
  bool is_first = true;
  for (size_t i = 0; i < KR_CLI_N_NOTES; i++) {
    if ((row->notes & (unsigned)kr_cli_notes[i].bit) == 0)
      continue;
    (void)printf("%s\"%s\"", is_first ? "" : ",", kr_cli_notes[i].word);
    is_first = false;
  }
  (void)fputc(']', stdout);
  kr_cli_put_member("duplicate_of", row->duplicate_of);
  kr_cli_put_member("reason", row->reason);
  kr_cli_put_member("hint", row->hint);
  (void)fputc('}', stdout);
}

static kr_status kr_cli_import_row(void *ctx, const kr_import_row *row) {
  kr_cli_import *list = ctx;
  list->counts[row->outcome]++;
  list->n_saved += row->new_version != 0;
  if (list->cli->is_json) {
    kr_cli_list_item(list->n_shown++);
    kr_cli_put_row_json(row);
    return KR_OK;
  }
  char text[640];
  list->n_shown++;
  (void)snprintf(text, sizeof text, "%zu", row->line);
  kr_cli_table_add(&list->table, kr_cli_str(text));
  kr_cli_table_add(&list->table, kr_cli_str(row->name[0] == '\0' ? "-" : row->name));
  kr_cli_describe_row(list, row, text, sizeof text);
  kr_cli_table_add(&list->table, kr_cli_str(text));
  if (row->outcome != KR_IMPORT_REFUSED)
    kr_cli_warn_of_row(list, row);
  return KR_OK;
}

static void kr_cli_import_summary(const kr_cli_import *list) {
  const size_t *counts = list->counts;
  if (list->cli->values[KR_CLI_DRY_RUN] != NULL)
    (void)printf("dry run, nothing was saved: ");
  (void)printf("%zu new, %zu with another value, %zu the same, %zu refused; %zu saved\n",
               counts[KR_IMPORT_NEW], counts[KR_IMPORT_REPLACES], counts[KR_IMPORT_SAME],
               counts[KR_IMPORT_REFUSED], list->n_saved);
}

static bool kr_cli_ends(const char *text, const char *end) {
  size_t len = strlen(text);
  size_t end_len = strlen(end);
  return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* By --format, else by the file's name: x.json, x.env, .env, .env.local. */
static bool kr_cli_import_format(const kr_cli *cli, kr_import_format *ret_format) {
  const char *given = cli->values[KR_CLI_FORMAT];
  const char *path = cli->arguments[0];
  const char *slash = strrchr(path, '/');
  const char *name = slash == NULL ? path : slash + 1;
  bool is_json = given != NULL ? strcmp(given, "json") == 0 : kr_cli_ends(name, ".json");
  bool is_env = given != NULL ? strcmp(given, "env") == 0
                              : kr_cli_ends(name, ".env") || strncmp(name, ".env.", 5) == 0;
  *ret_format = is_json ? KR_IMPORT_JSON : KR_IMPORT_ENV;
  return is_json || is_env;
}

static int kr_cli_import_usage(const kr_cli *cli) {
  if (cli->values[KR_CLI_FORMAT] != NULL)
    return kr_cli_usage(cli, "there is no such format", "--format env or --format json");
  return kr_cli_usage(cli, "is it a .env file or JSON? Its name does not say",
                      "--format env or --format json");
}

int kr_cli_run_secret_import(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  KR_CLI_CLEANUP(kr_cli_bytes_done) kr_cli_bytes bytes = {0};
  kr_cli_import list = {.cli = cli, .table = {.n_columns = 3}};
  kr_import_options options = {.org = kr_cli_org(cli),
                               .environment = kr_cli_secret_environment(cli),
                               .replace = cli->values[KR_CLI_REPLACE] != NULL,
                               .is_dry = cli->values[KR_CLI_DRY_RUN] != NULL};
  if (!kr_cli_import_format(cli, &options.format))
    return kr_cli_import_usage(cli);
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status == KR_OK)
    status = kr_cli_read_file(cli->arguments[0], "file", &bytes, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_cli_table_head(&list.table, (const char *[]){"LINE", "NAME", "OUTCOME"});
  status = kr_engine_secret_import(engine, &options, kr_cli_bytes_str(&bytes), kr_cli_import_row,
                                   &list, &error);
  /* Rows are shown whether or not the import failed; then why it did. */
  kr_error cause = error;
  kr_status shown = KR_OK;
  if (list.n_shown > 0)
    shown = kr_cli_list_end(cli, KR_OK, list.n_shown, &list.table, &cause);
  if (list.n_shown > 0 && !cli->is_json)
    kr_cli_import_summary(&list);
  kr_cli_table_done(&list.table);
  if (status == KR_OK && shown == KR_OK)
    return KR_CLI_EXIT_DONE;
  return kr_cli_fail(cli, &cause, NULL);
}

/* ---- export ---- */

static kr_status kr_cli_export_secret(void *ctx, const kr_secret_info *info) {
  size_t *n_shown = ctx;
  (void)fputs((*n_shown)++ == 0 ? "\n    " : ",\n    ", stdout);
  kr_cli_put_secret_json(info);
  return KR_OK;
}

int kr_cli_run_secret_export(kr_cli *cli) {
  kr_error error = {0};
  size_t n_shown = 0;
  KR_CLI_CLEANUP(kr_cli_engine_done) kr_engine *engine = NULL;
  kr_status status = kr_cli_open(cli, false, &engine, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  (void)fputs("{\n  \"note\": \"Names and metadata of secrets. Their values are not in this file: "
              "krosyn never exports values, and has no way to.\",\n"
              "  \"format\": \"krosyn secrets 1\",\n  \"organization\": ",
              stdout);
  kr_cli_put_json(stdout, kr_cli_org(cli));
  (void)fputs(",\n  \"exported\": \"", stdout);
  kr_cli_put_time(stdout, (int64_t)time(NULL) * 1000);
  (void)fputs("\",\n  \"secrets\": [", stdout);
  status = kr_engine_secret_each(engine, kr_cli_org(cli), kr_cli_export_secret, &n_shown, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  (void)fputs(n_shown == 0 ? "]\n}\n" : "\n  ]\n}\n", stdout);
  return KR_CLI_EXIT_DONE;
}
