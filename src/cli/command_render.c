/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_render.c - render a template without any value: what the request
 * would look like, and where each secret lands.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct kr_cli_render {
  kr_cli_bytes template_file;
  kr_cli_bytes payload;
  kr_cli_bytes lookup;
  kr_cli_bytes processed;
  kr_engine *engine;
  kr_text text;
  kr_str source; /* the template */
  kr_cli_findings findings;
  FILE *json_findings; /* made while rendering, printed after the text */
  FILE *json_landings;
  char *findings_text;
  char *landings_text;
  size_t findings_len;
  size_t landings_len;
  size_t n_landings;
} kr_cli_render;

static void kr_cli_render_done(kr_cli_render *render) {
  kr_cli_bytes_done(&render->template_file);
  kr_cli_bytes_done(&render->payload);
  kr_cli_bytes_done(&render->lookup);
  kr_cli_bytes_done(&render->processed);
  kr_engine_close(render->engine);
  kr_text_done(&render->text);
  if (render->json_findings != NULL)
    (void)fclose(render->json_findings);
  if (render->json_landings != NULL)
    (void)fclose(render->json_landings);
  free(render->findings_text);
  free(render->landings_text);
}

static kr_status kr_cli_read_data(const kr_cli *cli, kr_cli_option option, const char *what,
                                  kr_cli_bytes *bytes, kr_error *error) {
  const char *path = cli->values[option];
  if (path == NULL)
    return KR_OK;
  kr_status status = kr_cli_read_file(path, what, bytes, error);
  /* For the library no bytes are no data; a file that is given and empty is a mistake. */
  if (status == KR_OK && bytes->len == 0)
    return kr_cli_error(error, KR_INVALID, "the %s is empty: %s", what, path);
  return status;
}

static kr_status kr_cli_render_read(const kr_cli *cli, kr_cli_render *render, kr_error *error) {
  kr_status status =
      kr_cli_read_data(cli, KR_CLI_TEMPLATE, "template", &render->template_file, error);
  if (status == KR_OK)
    status = kr_cli_read_data(cli, KR_CLI_PAYLOAD, "payload", &render->payload, error);
  if (status == KR_OK)
    status = kr_cli_read_data(cli, KR_CLI_LOOKUP, "lookup", &render->lookup, error);
  if (status == KR_OK)
    status = kr_cli_read_data(cli, KR_CLI_PROCESSED, "processed", &render->processed, error);
  render->source = cli->n_arguments == 1
                       ? kr_cli_str(cli->arguments[0])
                       : kr_cli_without_final_newline(kr_cli_bytes_str(&render->template_file));
  return status;
}

static kr_status kr_cli_take_landing(void *ctx, const kr_landing *landing) {
  kr_cli_render *render = (kr_cli_render *)ctx;
  FILE *out = render->json_landings;
  if (out == NULL)
    return KR_OK;
  (void)fputs(render->n_landings++ == 0 ? "{\"secrets\":" : ",{\"secrets\":", out);
  kr_cli_put_json_list(out, landing->secrets);
  (void)fputs(",\"field\":", out);
  kr_cli_put_json(out, kr_cli_str(landing->field));
  (void)fputs(",\"context\":", out);
  kr_cli_put_json(out, kr_cli_str(landing->context));
  (void)fputs(",\"transforms\":", out);
  kr_cli_put_json_list(out, landing->transforms);
  (void)fprintf(out, ",\"offset\":%zu}", landing->offset);
  return KR_OK;
}

static kr_status kr_cli_render_finding(void *ctx, const kr_finding *finding) {
  kr_cli_render *render = ctx;
  return kr_cli_take_finding(&render->findings, finding);
}

static kr_status kr_cli_render_collect(const kr_cli *cli, kr_cli_render *render, kr_error *error) {
  render->findings = (kr_cli_findings){
      .out = stderr, .is_json = cli->is_json, .file = cli->values[KR_CLI_TEMPLATE]};
  if (!cli->is_json)
    return KR_OK;
  render->json_findings = open_memstream(&render->findings_text, &render->findings_len);
  render->json_landings = open_memstream(&render->landings_text, &render->landings_len);
  render->findings.out = render->json_findings;
  if (render->json_findings == NULL || render->json_landings == NULL)
    return kr_cli_error(error, KR_NOMEM, "out of memory");
  return KR_OK;
}

/** The place an error's span counts in: a data file by its name in the error, else the template. */
static kr_cli_place kr_cli_render_place(const kr_cli *cli, const kr_cli_render *render,
                                        const kr_error *error) {
  if (strcmp(error->source, "payload") == 0)
    return (kr_cli_place){cli->values[KR_CLI_PAYLOAD], kr_cli_bytes_str(&render->payload), true};
  if (strcmp(error->source, "lookup") == 0)
    return (kr_cli_place){cli->values[KR_CLI_LOOKUP], kr_cli_bytes_str(&render->lookup), true};
  if (strcmp(error->source, "processed") == 0)
    return (kr_cli_place){cli->values[KR_CLI_PROCESSED], kr_cli_bytes_str(&render->processed),
                          true};
  return (kr_cli_place){cli->values[KR_CLI_TEMPLATE], render->source, false};
}

static int kr_cli_render_failed(const kr_cli *cli, const kr_cli_render *render,
                                const kr_error *error) {
  kr_cli_place place = kr_cli_render_place(cli, render, error);
  /* For people every error was shown already, with its place. */
  if (!cli->is_json && render->findings.n_errors > 0)
    return kr_cli_exit_code(error->status);
  return kr_cli_fail(cli, error, &place);
}

static kr_status kr_cli_render_show(const kr_cli *cli, kr_cli_render *render, kr_error *error) {
  kr_str text = {.ptr = (const uint8_t *)render->text.ptr, .len = render->text.len};
  if (!cli->is_json) {
    if (isatty(STDOUT_FILENO) == 1)
      kr_cli_put_lines(stdout, text);
    else
      (void)fwrite(text.ptr, 1, text.len, stdout);
    (void)fputc('\n', stdout);
    return KR_OK;
  }
  if (fflush(render->json_findings) != 0 || fflush(render->json_landings) != 0)
    return kr_cli_error(error, KR_NOMEM, "out of memory");
  (void)fputs("{\"text\":", stdout);
  kr_cli_put_json(stdout, text);
  (void)fputs(",\"spans\":[", stdout);
  (void)fwrite(render->landings_text, 1, render->landings_len, stdout);
  (void)fputs("],\"findings\":[", stdout);
  (void)fwrite(render->findings_text, 1, render->findings_len, stdout);
  (void)fputs("]}\n", stdout);
  return KR_OK;
}

int kr_cli_run_render(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_render_done) kr_cli_render render = {0};
  const char *sink = cli->values[KR_CLI_SINK];
  if (sink != NULL && !kr_cli_is_sink(sink))
    return kr_cli_usage(cli, "there is no such sink", KR_CLI_SINKS_HINT);
  bool has_file = cli->values[KR_CLI_TEMPLATE] != NULL;
  if (has_file == (cli->n_arguments == 1))
    return kr_cli_usage(cli, has_file ? "a template is given twice" : "there is no template",
                        "krosyn render -- TEMPLATE, or krosyn render --template FILE");
  kr_status status = kr_cli_render_read(cli, &render, &error);
  if (status == KR_OK)
    status = kr_cli_open(cli, true, &render.engine, &error);
  if (status == KR_OK)
    status = kr_cli_render_collect(cli, &render, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_preview_options options = {
      .engine = render.engine,
      .org = kr_cli_org(cli),
      .environment = kr_cli_secret_environment(cli),
      .sink = sink,
      .text = render.source,
      .payload = kr_cli_bytes_str(&render.payload),
      .lookup = kr_cli_bytes_str(&render.lookup),
      .processed = kr_cli_bytes_str(&render.processed),
  };
  status = kr_preview(&options, &render.text, kr_cli_render_finding, kr_cli_take_landing, &render,
                      &error);
  if (status != KR_OK)
    return kr_cli_render_failed(cli, &render, &error);
  status = kr_cli_render_show(cli, &render, &error);
  return status == KR_OK ? KR_CLI_EXIT_DONE : kr_cli_fail(cli, &error, NULL);
}
