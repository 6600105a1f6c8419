/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_run.c - run a connector from a file and print the event that was
 * stored, as it was stored.
 */
#include "cli/cli.h"

#include <string.h>

#define KR_CLI_DRIVE_TIMEOUT_MS 1000u

typedef struct kr_cli_running {
  kr_cli_bytes connector;
  kr_cli_bytes payload;
  kr_cli_bytes lookup;
  kr_engine *engine;
  kr_run *run;
} kr_cli_running;

static void kr_cli_running_done(kr_cli_running *running) {
  kr_run_free(running->run);
  kr_engine_close(running->engine);
  kr_cli_bytes_done(&running->connector);
  kr_cli_bytes_done(&running->payload);
  kr_cli_bytes_done(&running->lookup);
}

static bool kr_cli_is_file_argument(const char *argument) {
  size_t len = strlen(argument);
  return strchr(argument, '/') != NULL || (len > 5 && strcmp(argument + len - 5, ".json") == 0);
}

static kr_status kr_cli_run_read(const kr_cli *cli, kr_cli_running *running, kr_error *error) {
  kr_status status = kr_cli_read_file(cli->arguments[0], "connector", &running->connector, error);
  if (status == KR_OK && cli->values[KR_CLI_PAYLOAD] != NULL)
    status = kr_cli_read_file(cli->values[KR_CLI_PAYLOAD], "payload", &running->payload, error);
  if (status == KR_OK && cli->values[KR_CLI_LOOKUP] != NULL)
    status = kr_cli_read_file(cli->values[KR_CLI_LOOKUP], "lookup", &running->lookup, error);
  return status;
}

/** An empty file is no payload, which is another thing than no --payload. */
static kr_str kr_cli_given(const kr_cli *cli, kr_cli_option option, const kr_cli_bytes *bytes) {
  if (cli->values[option] == NULL)
    return (kr_str){0};
  return bytes->ptr == NULL ? kr_cli_str("") : kr_cli_bytes_str(bytes);
}

/**
 * The span of an error counts in the connector, or in the data that is named as
 * its source. None is quoted: an example_payload is data too.
 */
static kr_cli_place kr_cli_run_place(const kr_cli *cli, const kr_cli_running *running,
                                     const kr_error *error) {
  if (strcmp(error->source, "payload") == 0)
    return (kr_cli_place){cli->values[KR_CLI_PAYLOAD], kr_cli_bytes_str(&running->payload), true};
  if (strcmp(error->source, "lookup") == 0)
    return (kr_cli_place){cli->values[KR_CLI_LOOKUP], kr_cli_bytes_str(&running->lookup), true};
  return (kr_cli_place){cli->arguments[0], kr_cli_bytes_str(&running->connector), true};
}

static kr_status kr_cli_run_to_end(kr_cli_running *running, kr_error *error) {
  while (kr_run_step(running->run) == KR_RUN_NEED_HTTP) {
    kr_status status = kr_http_drive(running->engine, KR_CLI_DRIVE_TIMEOUT_MS, error);
    if (status != KR_OK)
      return status;
  }
  return kr_run_result(running->run, error);
}

static kr_status kr_cli_run_show(const kr_cli *cli, const kr_cli_running *running) {
  kr_str event = kr_run_event(running->run);
  if (cli->is_json) {
    (void)fwrite(event.ptr, 1, event.len, stdout);
    (void)fputc('\n', stdout);
    return KR_OK;
  }
  kr_cli_findings findings = {.out = stderr, .file = cli->arguments[0]};
  kr_status status = kr_run_findings(running->run, kr_cli_take_finding, &findings);
  kr_cli_show_event(stdout, event);
  return status;
}

static int kr_cli_check_run_usage(const kr_cli *cli) {
  if (!kr_cli_is_file_argument(cli->arguments[0]))
    return kr_cli_usage(cli, "stored connectors come with a later version",
                        "to run a file, give a name that holds a '/' or ends in .json: "
                        "krosyn run ./connector.json");
  if (cli->values[KR_CLI_LOOKUP] != NULL && cli->values[KR_CLI_DRY_RUN] == NULL)
    return kr_cli_usage(cli, "--lookup stands in for the lookup's answer only in a dry run",
                        "add --dry-run");
  return -1;
}

int kr_cli_run_run(kr_cli *cli) {
  kr_error error = {0};
  KR_CLI_CLEANUP(kr_cli_running_done) kr_cli_running running = {0};
  bool is_dry = cli->values[KR_CLI_DRY_RUN] != NULL;
  int code = kr_cli_check_run_usage(cli);
  if (code >= 0)
    return code;
  kr_status status = kr_cli_run_read(cli, &running, &error);
  if (status == KR_OK)
    status = kr_cli_open(cli, is_dry, &running.engine, &error);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  kr_run_options options = {
      .org = kr_cli_org(cli),
      .environment = kr_cli_secret_environment(cli),
      .connector = kr_cli_bytes_str(&running.connector),
      .payload = kr_cli_given(cli, KR_CLI_PAYLOAD, &running.payload),
      .lookup = kr_cli_given(cli, KR_CLI_LOOKUP, &running.lookup),
      .allow_private = cli->values[KR_CLI_ALLOW_PRIVATE] != NULL,
      .is_dry = is_dry,
  };
  status = kr_run_new(running.engine, &options, &running.run, &error);
  if (status != KR_OK) {
    kr_cli_place place = kr_cli_run_place(cli, &running, &error);
    return kr_cli_fail(cli, &error, &place);
  }
  status = kr_cli_run_to_end(&running, &error);
  if (status == KR_OK)
    status = kr_cli_run_show(cli, &running);
  if (status != KR_OK)
    return kr_cli_fail(cli, &error, NULL);
  bool has_failed = strcmp(kr_run_status(running.run), "failed") == 0;
  return has_failed ? KR_CLI_EXIT_FAILED : KR_CLI_EXIT_DONE;
}
