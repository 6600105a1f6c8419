/* SPDX-License-Identifier: Apache-2.0 */
/*
 * environment.c - which home and who acts, from the options and the environment;
 * of the environment the library reads what names the key, since it is told to. Relative XDG
 * directories are ignored, as the XDG Base Directory Specification says.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** An environment variable that is set and not empty. */
static const char *kr_cli_environment(const char *name) {
  const char *value = getenv(name);
  return value == NULL || value[0] == '\0' ? NULL : value;
}

/** $VARIABLE/suffix, else $HOME/fallback/suffix; NULL pointer in *ret when neither is there. */
static kr_status kr_cli_xdg_path(const char *variable, const char *fallback, const char *suffix,
                                 char *ret, size_t ret_cap, kr_error *error) {
  const char *base = kr_cli_environment(variable);
  const char *user_home = kr_cli_environment("HOME");
  int len = 0;
  ret[0] = '\0';
  if (base != NULL && base[0] == '/')
    len = snprintf(ret, ret_cap, "%s/%s", base, suffix);
  else if (user_home != NULL)
    len = snprintf(ret, ret_cap, "%s/%s/%s", user_home, fallback, suffix);
  if (len < 0 || (size_t)len >= ret_cap)
    return kr_cli_error(error, KR_LIMIT, "the path made from %s is too long", variable);
  return KR_OK;
}

kr_status kr_cli_resolve(const kr_cli *cli, kr_cli_home *ret_home, kr_error *error) {
  kr_cli_home *home = ret_home;
  const char *given = cli->values[KR_CLI_HOME];
  if (given == NULL)
    given = kr_cli_environment("KROSYN_HOME");
  kr_status status = kr_cli_xdg_path("XDG_DATA_HOME", ".local/share", "krosyn", home->home_path,
                                     sizeof home->home_path, error);
  if (status != KR_OK)
    return status;
  status = kr_cli_xdg_path("XDG_CONFIG_HOME", ".config", "krosyn/keys", home->key_dir,
                           sizeof home->key_dir, error);
  if (status != KR_OK)
    return status;
  (void)snprintf(home->actor, sizeof home->actor, "cli:uid=%lu", (unsigned long)getuid());
  home->options = (kr_home_options){
      .home = given != NULL                ? given
              : home->home_path[0] != '\0' ? home->home_path
                                           : NULL,
      .key_dir = home->key_dir[0] == '\0' ? NULL : home->key_dir,
      .actor = home->actor,
      .reads_environment = true,
      .runs_recorded_command = true,
  };
  kr_cli_name_key(cli, &home->options);
  return KR_OK;
}

kr_status kr_cli_no_home(kr_error *error) {
  (void)kr_cli_error(error, KR_NOT_FOUND, "there is no place for a home: HOME is not set");
  kr_cli_hint(error, "give --home DIR, or set KROSYN_HOME");
  return KR_NOT_FOUND;
}

/**
 * The system says "permission denied" as one of many I/O errors. For a home it
 * is a refusal of its own: whoever runs this is not meant to use it.
 */
static kr_status kr_cli_explain_access(const char *home, kr_error *error) {
  static const char *const parts[] = {"", "/settings.json", "/vault", "/events"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    char path[KR_CLI_MAX_PATH_BYTES];
    int len = snprintf(path, sizeof path, "%s%s", home, parts[i]);
    if (len < 0 || (size_t)len >= sizeof path || access(path, F_OK) != 0)
      continue;
    if (access(path, R_OK | W_OK) == 0 || errno != EACCES)
      continue; /* a disk that is read-only says so itself */
    error->status = KR_REFUSED;
    kr_cli_hint(error, "%s must be readable and writable by you; is it another user's home?", path);
    return KR_REFUSED;
  }
  return error->status;
}

kr_status kr_cli_open(kr_cli *cli, bool without_key, kr_engine **ret_engine, kr_error *error) {
  kr_cli_home home = {0};
  kr_status status = kr_cli_resolve(cli, &home, error);
  if (status != KR_OK)
    return status;
  if (home.options.home == NULL && !without_key)
    return kr_cli_no_home(error);
  *ret_engine = NULL;
  if (home.options.home == NULL)
    return KR_OK;
  home.options.without_key = without_key;
  bool has_variable = !without_key && kr_cli_has_key_variable();
  status = kr_engine_open(&home.options, ret_engine, error);
  if (has_variable)
    kr_cli_warn_of_key_variable(cli);
  if (status == KR_NOT_FOUND && without_key)
    return KR_OK;
  if (status == KR_IO)
    return kr_cli_explain_access(home.options.home, error);
  if (status == KR_NOT_FOUND && error->hint[0] == '\0')
    kr_cli_hint(error, "`krosyn init` creates one; --home DIR or KROSYN_HOME names another");
  return status;
}

kr_str kr_cli_org(const kr_cli *cli) {
  const char *org = cli->values[KR_CLI_ORG];
  return kr_cli_str(org == NULL ? "default" : org);
}

void kr_cli_engine_done(kr_engine **engine) { kr_engine_close(*engine); }
