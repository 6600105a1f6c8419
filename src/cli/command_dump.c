/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_dump.c - what the compiler makes of a template: tokens, tree or
 * instructions. For those who work on the language, and for bug reports.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <stdlib.h>

typedef struct kr_cli_dump {
  kr_cli_bytes template_file;
  kr_str source;
  kr_text text;
  kr_cli_findings findings;
  FILE *json_findings; /* made first, printed after the lines */
  char *findings_text;
  size_t findings_len;
} kr_cli_dump;

static void kr_cli_dump_done(kr_cli_dump *dump) {
  kr_cli_bytes_done(&dump->template_file);
  kr_text_done(&dump->text);
  if (dump->json_findings != NULL)
    (void)fclose(dump->json_findings);
  free(dump->findings_text);
}

/** Which stage is asked for; false unless exactly one is. */
static bool kr_cli_dump_stage(const kr_cli *cli, kr_dump_stage *ret_stage) {
  static const struct {
    kr_cli_option option;
    kr_dump_stage stage;
  } rows[] = {
      {KR_CLI_TOKENS, KR_DUMP_TOKENS}, {KR_CLI_AST, KR_DUMP_AST}, {KR_CLI_CODE, KR_DUMP_CODE}};
  size_t n_given = 0;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (cli->values[rows[i].option] == NULL)
      continue;
    *ret_stage = rows[i].stage;
    n_given++;
  }
  return n_given == 1;
}

static kr_status kr_cli_dump_read(const kr_cli *cli, kr_cli_dump *dump, kr_error *error) {
  const char *path = cli->values[KR_CLI_TEMPLATE];
  dump->findings = (kr_cli_findings){.out = stderr, .is_json = cli->is_json, .file = path};
  if (cli->is_json) {
    dump->json_findings = open_memstream(&dump->findings_text, &dump->findings_len);
    dump->findings.out = dump->json_findings;
    if (dump->json_findings == NULL)
      return kr_cli_error(error, KR_NOMEM, "out of memory");
  }
  if (path == NULL) {
    dump->source = kr_cli_str(cli->arguments[0]);
    return KR_OK;
  }
  kr_status status = kr_cli_read_file(path, "template", &dump->template_file, error);
  dump->source = kr_cli_without_final_newline(kr_cli_bytes_str(&dump->template_file));
  return status;
}

/** {"lines":[...],"findings":[...]} */
static kr_status kr_cli_dump_json(kr_cli_dump *dump, kr_error *error) {
  if (fflush(dump->json_findings) != 0)
    return kr_cli_error(error, KR_NOMEM, "out of memory");
  kr_str rest = {.ptr = (const uint8_t *)dump->text.ptr, .len = dump->text.len};
  (void)fputs("{\"lines\":[", stdout);
  for (bool is_first = true; rest.len > 0; is_first = false) {
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '\n')
      len++;
    (void)fputs(is_first ? "\n" : ",\n", stdout);
    kr_cli_put_json(stdout, (kr_str){.ptr = rest.ptr, .len = len});
    len += len < rest.len;
    rest = (kr_str){.ptr = rest.ptr + len, .len = rest.len - len};
  }
  (void)fputs("],\"findings\":[", stdout);
  (void)fwrite(dump->findings_text, 1, dump->findings_len, stdout);
  (void)fputs("]}\n", stdout);
  return KR_OK;
}

static kr_status kr_cli_dump_show(const kr_cli *cli, kr_cli_dump *dump, kr_error *error) {
  if (cli->is_json)
    return kr_cli_dump_json(dump, error);
  kr_cli_put_lines(stdout, (kr_str){.ptr = (const uint8_t *)dump->text.ptr, .len = dump->text.len});
  return KR_OK;
}

int kr_cli_run_dump(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_dump_done) kr_cli_dump dump = {0};
  kr_dump_options options = {.sink = cli->values[KR_CLI_SINK]};
  bool has_file = cli->values[KR_CLI_TEMPLATE] != NULL;
  if (!kr_cli_dump_stage(cli, &options.stage))
    return kr_cli_usage(cli, "dump shows one stage", "give --tokens, --ast or --code");
  if (options.sink != NULL && !kr_cli_is_sink(options.sink))
    return kr_cli_usage(cli, "there is no such sink", KR_CLI_SINKS_HINT);
  if (has_file == (cli->n_arguments == 1))
    return kr_cli_usage(cli, has_file ? "a template is given twice" : "there is no template",
                        "krosyn dump --code -- TEMPLATE, or krosyn dump --code --template FILE");
  kr_status status = kr_cli_dump_read(cli, &dump, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  options.text = dump.source;
  status = kr_dump(&options, &dump.text, kr_cli_take_finding, &dump.findings, &error);
  if (status == KR_OK)
    status = kr_cli_dump_show(cli, &dump, &error);
  if (status == KR_OK)
    return KR_CLI_EXIT_DONE;
  if (!cli->is_json && dump.findings.n_errors > 0)
    return kr_cli_exit_code(status);
  kr_cli_place place = {cli->values[KR_CLI_TEMPLATE], dump.source, false};
  return kr_cli_fail(cli, &error, &place);
}
