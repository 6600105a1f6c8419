/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact_logger.c - a logger whose records pass the redactor: JSON in, JSON
 * without secrets out. Each thread has a scratch of its own; a token that the
 * program obtains while it runs is known from the next record on.
 *
 *   cc -pthread redact_logger.c -o redact_logger $(pkg-config --cflags --libs krosyn)
 *   ./redact_logger
 *
 * With the secrets of an organization in place of a list of one's own, begin
 * with kr_redactor_new_from_org(engine, org, &redactor, &error).
 */
#include <krosyn/krosyn.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kr_redactor *redactor; /* shared by all threads */

static kr_str text(const char *bytes) { return (kr_str){(const uint8_t *)bytes, strlen(bytes)}; }

static void need(kr_status status, const kr_error *error) {
  if (status == KR_OK)
    return;
  fprintf(stderr, "%s (%s)\n", error->message, kr_status_name(status));
  exit(EXIT_FAILURE);
}

/** The hook: the one place through which records reach the log. */
static void log_record(kr_redactor_scratch *scratch, const char *record) {
  kr_error error = {0};
  kr_redactor_result result = {0};
  kr_status status = kr_redactor_json(scratch, text(record), &result, &error);
  if (status == KR_INVALID) /* not JSON: redacted as bytes */
    status = kr_redactor_bytes(scratch, text(record), &result, &error);
  if (status != KR_OK) /* never the record itself */
    result = (kr_redactor_result){.bytes = text("{\"withheld\":\"the redactor failed\"}")};
  printf("%.*s\n", (int)result.bytes.len, (const char *)result.bytes.ptr);
}

/** A value that has just become known; records of any thread lack it from now on. */
static void forget_from_logs(const char *name, const char *value) {
  kr_error error = {0};
  const kr_redactor_value known = {.name = text(name), .value = text(value), .version = 1};
  need(kr_redactor_add_value(redactor, &known, &error), &error);
}

static void *work(void *argument) {
  kr_error error = {0};
  kr_redactor_scratch *scratch = NULL;
  (void)argument;
  need(kr_redactor_scratch_new(redactor, NULL, &scratch, &error), &error);
  log_record(scratch, "{\"msg\": \"nothing to hide\", \"n\": 1}");
  log_record(scratch, "{\"msg\": \"login\", \"password\": \"example-\\u0070assword\"}");
  forget_from_logs("SESSION", "session/4711"); /* as if a login had given it */
  log_record(scratch, "{\"url\": \"https://api.example.com/?s=session%2F4711\", \"ok\": true}");
  log_record(scratch, "not JSON: example-password");
  kr_redactor_scratch_free(scratch);
  return NULL;
}

int main(void) {
  kr_error error = {0};
  pthread_t thread;
  need(kr_redactor_new(NULL, &redactor, &error), &error);
  forget_from_logs("PASSWORD", "example-password");
  if (pthread_create(&thread, NULL, work, NULL) != 0)
    return EXIT_FAILURE;
  (void)pthread_join(thread, NULL);
  kr_redactor_free(redactor);
  return 0;
}
