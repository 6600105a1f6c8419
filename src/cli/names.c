/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c - names on the command line are checked before anything is opened: a
 * bad one is wrong usage. A bad "name" may be a value that slipped, so it is
 * described and never shown.
 */
#include "cli/cli.h"

#include <string.h>

#define KR_CLI_MAX_SECRET_NAME 128
#define KR_CLI_MAX_ORG_NAME 64

const char *kr_cli_secret_name_problem(const char *name) {
  static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  size_t len = strlen(name);
  if (len == 0)
    return "the name of the secret is empty";
  if (len > KR_CLI_MAX_SECRET_NAME)
    return "the name of the secret is longer than 128 characters";
  if (strspn(name, allowed) != len)
    return "the name of a secret has only A-Z, 0-9 and _";
  return NULL;
}

const char *kr_cli_org_name_problem(const char *name) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  size_t len = strlen(name);
  if (len == 0)
    return "the name of the organization is empty";
  if (len > KR_CLI_MAX_ORG_NAME)
    return "the name of the organization is longer than 64 characters";
  if (strspn(name, allowed) != len)
    return "the name of an organization has only a-z, 0-9 and -";
  return NULL;
}

bool kr_cli_is_sink(const char *name) {
  static const char *const sinks[] = {"url", "query", "header",    "json", "form",
                                      "xml", "text",  "condition", "value"};
  for (size_t i = 0; i < sizeof sinks / sizeof sinks[0]; i++)
    if (strcmp(sinks[i], name) == 0)
      return true;
  return false;
}
