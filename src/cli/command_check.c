/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_check.c - compile every field of connectors: what is wrong with each,
 * and what it uses. The result is the list of findings, so it goes to stdout.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KR_CLI_MAX_FOLDER_FILES 10000

/** The kinds of facts, in the order they are shown; others come last. */
static const struct {
  const char *kind;
  const char *title;
} kr_cli_fact_kinds[] = {
    {"secret", "secrets"},     {"missing-secret", "missing secrets"},
    {"reference", "data"},     {"host", "hosts"},
    {"fuel", "fuel, at most"}, {"output", "bytes of output, at most"},
};
#define KR_CLI_N_FACT_KINDS (sizeof kr_cli_fact_kinds / sizeof kr_cli_fact_kinds[0])

typedef struct kr_cli_check {
  kr_cli *cli;
  kr_engine *engine;
  size_t n_files;
  size_t n_bad_files;
  kr_status worst;
  kr_cli_findings findings; /* of the file at hand */
  kr_cli_table facts[KR_CLI_N_FACT_KINDS];
  FILE *json_facts;
  size_t n_json_facts;
} kr_cli_check;

static void kr_cli_fact_json(kr_cli_check *check, const kr_check_fact *fact) {
  FILE *out = check->json_facts;
  (void)fputs(check->n_json_facts++ == 0 ? "{\"kind\":" : ",{\"kind\":", out);
  kr_cli_put_json(out, kr_cli_str(fact->kind));
  (void)fputs(",\"field\":", out);
  kr_cli_put_json(out, kr_cli_str(fact->field));
  (void)fputs(",\"value\":", out);
  kr_cli_put_json(out, kr_cli_str(fact->value));
  (void)fputs(",\"detail\":", out);
  kr_cli_put_json(out, kr_cli_str(fact->detail));
  (void)fputc('}', out);
}

static kr_status kr_cli_take_fact(void *ctx, const kr_check_fact *fact) {
  kr_cli_check *check = ctx;
  if (check->json_facts != NULL) {
    kr_cli_fact_json(check, fact);
    return KR_OK;
  }
  /* Secrets are listed as such, with where they land. */
  if (strncmp(fact->value, "$secret.", strlen("$secret.")) == 0)
    return KR_OK;
  for (size_t i = 0; i < KR_CLI_N_FACT_KINDS; i++) {
    if (strcmp(fact->kind, kr_cli_fact_kinds[i].kind) != 0)
      continue;
    kr_cli_table_add(&check->facts[i], kr_cli_str(fact->value));
    kr_cli_table_add(&check->facts[i], kr_cli_str(fact->field));
    kr_cli_table_add(&check->facts[i], kr_cli_str(fact->detail));
  }
  return KR_OK;
}

static kr_status kr_cli_check_finding(void *ctx, const kr_finding *finding) {
  kr_cli_check *check = ctx;
  return kr_cli_take_finding(&check->findings, finding);
}

/** Something is wrong with the file as a whole: unreadable, or no JSON. */
static void kr_cli_check_whole(kr_cli_check *check, const kr_error *error, kr_str text) {
  kr_finding finding = {.is_error = true, .error = error, .text = text};
  (void)kr_cli_take_finding(&check->findings, &finding);
}

static kr_status kr_cli_check_text(kr_cli_check *check, const char *path, kr_error *error) {
  KR_CLI_CLEANUP(kr_cli_bytes_done) kr_cli_bytes bytes = {0};
  kr_status status = kr_cli_read_file(path, "connector", &bytes, error);
  if (status == KR_OK)
    status = kr_check(check->engine, kr_cli_org(check->cli), kr_cli_bytes_str(&bytes),
                      kr_cli_check_finding, kr_cli_take_fact, check, error);
  if (status != KR_OK && check->findings.n_errors == 0)
    kr_cli_check_whole(check, error, kr_cli_bytes_str(&bytes));
  bool is_bad = status != KR_OK || check->findings.n_errors > 0;
  check->n_bad_files += is_bad;
  if (kr_cli_exit_code(status) > kr_cli_exit_code(check->worst))
    check->worst = status;
  return KR_OK;
}

static void kr_cli_check_summary(const kr_cli_check *check, const char *path) {
  const kr_cli_findings *findings = &check->findings;
  kr_cli_put(stdout, kr_cli_str(path));
  if (findings->n_errors + findings->n_warnings == 0)
    (void)fputs(": ok", stdout);
  if (findings->n_errors > 0)
    (void)printf(": %zu error%s", findings->n_errors, findings->n_errors == 1 ? "" : "s");
  if (findings->n_warnings > 0)
    (void)printf("%s%zu warning%s", findings->n_errors > 0 ? ", " : ": ", findings->n_warnings,
                 findings->n_warnings == 1 ? "" : "s");
  (void)fputc('\n', stdout);
}

static kr_status kr_cli_check_for_people(kr_cli_check *check, const char *path, kr_error *error) {
  check->findings = (kr_cli_findings){.out = stdout, .file = path};
  for (size_t i = 0; i < KR_CLI_N_FACT_KINDS; i++)
    check->facts[i] = (kr_cli_table){.n_columns = 3};
  kr_status status = kr_cli_check_text(check, path, error);
  kr_cli_check_summary(check, path);
  for (size_t i = 0; i < KR_CLI_N_FACT_KINDS; i++) {
    if (check->facts[i].n_cells > 0)
      (void)printf("  %s\n", kr_cli_fact_kinds[i].title);
    if (status == KR_OK)
      status = kr_cli_table_print(stdout, &check->facts[i], "    ", error);
    kr_cli_table_done(&check->facts[i]);
  }
  return status;
}

static kr_status kr_cli_check_for_programs(kr_cli_check *check, const char *path, kr_error *error) {
  char *facts = NULL;
  size_t facts_len = 0;
  check->n_json_facts = 0;
  check->json_facts = open_memstream(&facts, &facts_len);
  if (check->json_facts == NULL)
    return kr_cli_error(error, KR_NOMEM, "out of memory");
  kr_cli_list_item(check->n_files);
  (void)fputs("{\"file\":", stdout);
  kr_cli_put_json(stdout, kr_cli_str(path));
  (void)fputs(",\"findings\":[", stdout);
  check->findings = (kr_cli_findings){.out = stdout, .is_json = true, .file = path};
  kr_status status = kr_cli_check_text(check, path, error);
  int closed = fclose(check->json_facts);
  check->json_facts = NULL;
  (void)fputs("],\"facts\":[", stdout);
  if (closed == 0 && facts != NULL)
    (void)fwrite(facts, 1, facts_len, stdout);
  else if (status == KR_OK)
    status = kr_cli_error(error, KR_NOMEM, "out of memory");
  (void)printf("],\"ok\":%s}", check->findings.n_errors == 0 ? "true" : "false");
  free(facts);
  return status;
}

static kr_status kr_cli_check_file(kr_cli_check *check, const char *path, kr_error *error) {
  kr_status status = check->cli->is_json ? kr_cli_check_for_programs(check, path, error)
                                         : kr_cli_check_for_people(check, path, error);
  check->n_files++;
  return status;
}

static int kr_cli_is_connector_entry(const struct dirent *entry) {
  size_t len = strlen(entry->d_name);
  return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static int kr_cli_compare_entries(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static kr_status kr_cli_check_entry(kr_cli_check *check, const char *folder, const char *name,
                                    kr_error *error) {
  char *path = NULL;
  size_t len = strlen(folder);
  const char *slash = len > 0 && folder[len - 1] == '/' ? "" : "/";
  if (asprintf(&path, "%s%s%s", folder, slash, name) < 0)
    return kr_cli_error(error, KR_NOMEM, "out of memory");
  struct stat entry;
  bool is_folder = stat(path, &entry) == 0 && S_ISDIR(entry.st_mode);
  kr_status status = is_folder ? KR_OK : kr_cli_check_file(check, path, error);
  free(path);
  return status;
}

static kr_status kr_cli_check_folder(kr_cli_check *check, const char *folder, kr_error *error) {
  struct dirent **entries = NULL;
  int n_entries = scandir(folder, &entries, kr_cli_is_connector_entry, kr_cli_compare_entries);
  if (n_entries < 0)
    return kr_cli_error(error, KR_IO, "cannot read the folder %s: %s", folder, strerror(errno));
  kr_status status = KR_OK;
  if (n_entries > KR_CLI_MAX_FOLDER_FILES)
    status = kr_cli_error(error, KR_LIMIT, "the folder %s holds over %d connectors", folder,
                          KR_CLI_MAX_FOLDER_FILES);
  if (n_entries == 0) {
    status = kr_cli_error(error, KR_NOT_FOUND, "the folder %s holds no *.json", folder);
    kr_cli_hint(error, "only the files of the folder itself are checked, not of folders in it");
  }
  for (int i = 0; i < n_entries; i++) {
    if (status == KR_OK)
      status = kr_cli_check_entry(check, folder, entries[i]->d_name, error);
    free(entries[i]);
  }
  free(entries);
  return status;
}

static kr_status kr_cli_check_all(kr_cli_check *check, kr_error *error) {
  kr_cli *cli = check->cli;
  for (size_t i = 0; i < cli->n_arguments; i++) {
    struct stat entry;
    const char *path = cli->arguments[i];
    bool is_folder = stat(path, &entry) == 0 && S_ISDIR(entry.st_mode);
    kr_status status =
        is_folder ? kr_cli_check_folder(check, path, error) : kr_cli_check_file(check, path, error);
    if (status != KR_OK)
      return status;
  }
  return KR_OK;
}

int kr_cli_run_check(kr_cli *cli) {
  kr_error error = {0};
  kr_cli_check check = {.cli = cli};
  kr_status status = kr_cli_open(cli, true, &check.engine, &error);
  if (status == KR_OK)
    status = kr_cli_check_all(&check, &error);
  if (cli->is_json && check.n_files > 0)
    (void)fputs("\n]\n", stdout);
  kr_engine_close(check.engine);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  if (!cli->is_json && check.n_files > 1)
    (void)printf("%zu connectors, %zu with errors\n", check.n_files, check.n_bad_files);
  if (check.n_bad_files == 0)
    return KR_CLI_EXIT_DONE;
  int code = kr_cli_exit_code(check.worst);
  return code == KR_CLI_EXIT_DONE ? KR_CLI_EXIT_FAILED : code;
}
