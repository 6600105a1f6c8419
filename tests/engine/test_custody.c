/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_custody.c - which key a home is opened with: the rule in all its
 * combinations, homes made with each source, settings.json that somebody changed.
 * Each source holds a key of its own id, so that the id tells what was read.
 *
 * The folder of a test: home, caller.key, variable.key, recorded.key,
 * command (prints recorded.key), caller-command, variable-command, credentials/krosyn.key.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above first. */
#include "engine/fixture.h"
#include "support/failalloc.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE64_A                                                                                   \
  "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ=="
#define PASSPHRASE "s3cret correct horse"

static char folder[] = "/tmp/krosyn-custody-XXXXXX";
static char home[128];

static const char *at(const char *name) {
  static char paths[8][256];
  static unsigned n;
  char *path = paths[n++ % 8];
  (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void write_file(const char *path, const char *content, mode_t mode) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(content, file) >= 0);
  assert_int_equal(fclose(file), 0);
  assert_int_equal(chmod(path, mode), 0);
}

static void write_key(const char *name, const char *id) {
  char content[128];
  (void)snprintf(content, sizeof content, "%s " BASE64_A "\n", id);
  write_file(at(name), content, 0600);
}

static void write_command(const char *name, const char *id) {
  char content[512];
  (void)snprintf(content, sizeof content, "#!/bin/sh\nprintf '%%s\\n' '%s " BASE64_A "'\n", id);
  write_file(at(name), content, 0700);
}

static const char *const variables[] = {"KROSYN_KEY_FILE", "KROSYN_KEY_COMMAND", "KROSYN_KEY",
                                        "CREDENTIALS_DIRECTORY"};

static void clear_environment(void) {
  for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
    (void)unsetenv(variables[i]);
}

static int setup(void **state) {
  (void)state;
  memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
  if (mkdtemp(folder) == NULL)
    return -1;
  clear_environment();
  (void)snprintf(home, sizeof home, "%s/home", folder);
  write_key("caller.key", "caller-file");
  write_key("variable.key", "variable-file");
  write_key("recorded.key", "recorded-file");
  write_command("command", "recorded-command");
  write_command("caller-command", "caller-command");
  write_command("variable-command", "variable-command");
  assert_int_equal(mkdir(at("credentials"), 0700), 0);
  write_key("credentials/krosyn.key", "credential");
  assert_int_equal(chmod(at("credentials/krosyn.key"), 0400), 0);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  clear_environment();
  (void)chmod(folder, 0700);
  fixture_remove(folder);
  return 0;
}

/* Write settings.json anew, with this member "key". */
static void record(const char *key) {
  char path[200];
  char old[8192];
  char content[8192];
  (void)snprintf(path, sizeof path, "%s/settings.json", home);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t len = fread(old, 1, sizeof old - 1, file);
  (void)fclose(file);
  old[len] = '\0';
  const char *store = strstr(old, "\"store\": \"");
  assert_non_null(store);
  (void)snprintf(content, sizeof content, "{\"format\": 1, %.*s, \"key\": %s}\n",
                 (int)(strlen("\"store\": \"") + 37), store, key);
  write_file(path, content, 0600);
}

static unsigned n_asked;
static const char *typed = PASSPHRASE;

static kr_status ask(void *ctx, bool is_new, uint8_t *room, size_t cap, size_t *ret_len,
                     kr_error *reterr) {
  (void)reterr;
  *(bool *)ctx = is_new;
  n_asked++;
  *ret_len = strlen(typed) < cap ? strlen(typed) : cap;
  memcpy(room, typed, *ret_len);
  return KR_OK;
}

static bool was_new;

static kr_home_options plain_options(void) {
  return (kr_home_options){.home = home,
                           .key_dir = at("keys"),
                           .actor = "test",
                           .ask_passphrase = ask,
                           .ask_context = &was_new,
                           .reads_environment = true,
                           .runs_recorded_command = true};
}

static void says_nothing_secret(const kr_error *error) {
  static const char *const pieces[] = {"QUFB", "s3cret"};
  for (size_t i = 0; i < 2; i++) {
    assert_null(strstr(error->message, pieces[i]));
    assert_null(strstr(error->hint, pieces[i]));
    assert_null(strstr(error->source, pieces[i]));
  }
}

static void create(const kr_home_options *options) {
  kr_error error = {0};
  kr_text path = {0};
  if (kr_home_create(options, &path, &error) != KR_OK)
    fail_msg("%s; %s", error.message, error.hint);
  kr_text_done(&path);
}

/* ---- the rule, in all combinations ---- */

typedef struct choice {
  const char *name;
  const char *id;       /* of the key that it gives; NULL: it gives none */
  kr_key_source source; /* KR_KEY_AUTO: nothing is named here */
} choice;

enum { CALLERS = 6, ENVIRONMENTS = 5, CREDENTIALS = 2, HOMES = 4 };

static const choice callers[CALLERS] = {
    {"", NULL, KR_KEY_AUTO},
    {"--key", "caller-file", KR_KEY_FILE},
    {"--key-command", "caller-command", KR_KEY_COMMAND},
    {"source credential", "credential", KR_KEY_CREDENTIAL},
    {"source environment", "variable", KR_KEY_ENVIRONMENT},
    {"source passphrase", NULL, KR_KEY_PASSPHRASE}, /* the home has none */
};
static const choice environments[ENVIRONMENTS] = {
    {"", NULL, KR_KEY_AUTO},
    {"KROSYN_KEY_FILE", "variable-file", KR_KEY_FILE},
    {"KROSYN_KEY_COMMAND", "variable-command", KR_KEY_COMMAND},
    {"KROSYN_KEY", "variable", KR_KEY_ENVIRONMENT},
    {"two variables", NULL, KR_KEY_FILE},
};
static const choice homes[HOMES] = {
    {"file", "recorded-file", KR_KEY_FILE},
    {"command", "recorded-command", KR_KEY_COMMAND},
    {"credential", "credential", KR_KEY_CREDENTIAL},
    {"environment", "variable", KR_KEY_ENVIRONMENT},
};

static void set_environment(size_t environment, bool has_credential) {
  clear_environment();
  if (environment == 1 || environment == 4)
    assert_int_equal(setenv("KROSYN_KEY_FILE", at("variable.key"), 1), 0);
  if (environment == 2)
    assert_int_equal(setenv("KROSYN_KEY_COMMAND", at("variable-command"), 1), 0);
  if (environment == 3 || environment == 4)
    assert_int_equal(setenv("KROSYN_KEY", "variable " BASE64_A, 1), 0);
  if (has_credential)
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", at("credentials"), 1), 0);
}

static void set_caller(size_t caller, kr_home_options *options) {
  options->key_file = caller == 1 ? at("caller.key") : NULL;
  options->key_command = caller == 2 ? at("caller-command") : NULL;
  options->key_source = caller >= 3 ? callers[caller].source : KR_KEY_AUTO;
}

static void record_home(size_t recorded) {
  char key[300];
  if (recorded == 0)
    (void)snprintf(key, sizeof key, "{\"file\": \"%s\"}", at("recorded.key"));
  else if (recorded == 1)
    (void)snprintf(key, sizeof key, "{\"command\": [\"%s\"]}", at("command"));
  else
    (void)snprintf(key, sizeof key, "{\"source\": \"%s\"}", homes[recorded].name);
  record(key);
}

/* The documented rule, said once more: the first that names something decides, whatever it gives.
 */
static void check_one(size_t caller, size_t environment, size_t credential, size_t recorded) {
  bool has_key = environment == 3 || environment == 4;
  const choice *decides = &homes[recorded];
  kr_key_rule rule = KR_KEY_BY_HOME;
  if (caller != 0) {
    decides = &callers[caller];
    rule = KR_KEY_BY_CALLER;
  } else if (environment != 0) {
    decides = &environments[environment];
    rule = KR_KEY_BY_ENVIRONMENT;
  } else if (credential != 0) {
    decides = &callers[3];
    rule = KR_KEY_BY_CREDENTIAL;
  }
  const char *id = decides->id;
  if (decides->source == KR_KEY_ENVIRONMENT && !has_key)
    id = NULL;
  if (decides->source == KR_KEY_CREDENTIAL && credential == 0)
    id = NULL;
  kr_home_options options = plain_options();
  kr_key_status status;
  kr_error error = {0};
  set_environment(environment, credential != 0);
  set_caller(caller, &options);
  if (kr_home_key_status(&options, &status, &error) != KR_OK)
    fail_msg("%s", error.message);
  const char *found = status.n_ids == 0 ? "none" : status.ids[0];
  if (status.rule != rule || strcmp(found, id == NULL ? "none" : id) != 0)
    fail_msg("caller %s, environment %s, credential %zu, home %s: key %s by rule %d",
             callers[caller].name, environments[environment].name, credential, homes[recorded].name,
             found, (int)status.rule);
  assert_int_equal(status.state, id == NULL ? KR_KEY_MISSING : KR_KEY_WRONG);
  assert_string_equal(status.needed, "creator");
  says_nothing_secret(&status.problem);
  assert_null(getenv("KROSYN_KEY")); /* taken, used or not */
  if (id == NULL)
    return;
  assert_int_equal(status.source, decides->source);
  kr_engine *engine = NULL;
  set_environment(environment, credential != 0);
  assert_int_equal(kr_engine_open(&options, &engine, &error), KR_UNTRUSTED);
  says_nothing_secret(&error);
  assert_non_null(strstr(error.message, id));
  assert_non_null(strstr(error.message, "need key creator"));
}

static void test_rule(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  assert_int_equal(setenv("KROSYN_KEY", "creator " BASE64_A, 1), 0);
  create(&options);
  for (size_t recorded = 0; recorded < HOMES; recorded++) {
    record_home(recorded);
    for (size_t caller = 0; caller < CALLERS; caller++)
      for (size_t environment = 0; environment < ENVIRONMENTS; environment++)
        for (size_t credential = 0; credential < CREDENTIALS; credential++)
          check_one(caller, environment, credential, recorded);
  }
}

/* Two ways of the caller at once; a source without its argument. */
static void test_contradictions(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  create(&options);
  const struct {
    const char *file;
    const char *command;
    kr_key_source source;
  } rows[] = {
      {at("caller.key"), at("command"), KR_KEY_AUTO},
      {at("caller.key"), NULL, KR_KEY_PASSPHRASE},
      {at("caller.key"), NULL, KR_KEY_COMMAND},
      {NULL, at("command"), KR_KEY_FILE},
      {NULL, NULL, KR_KEY_COMMAND},
      {NULL, "", KR_KEY_AUTO},
      {NULL, "sh -c true", KR_KEY_AUTO},
      {NULL, NULL, KR_KEY_PASSPHRASE},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    kr_engine *engine = NULL;
    kr_error error = {0};
    options.key_file = rows[i].file;
    options.key_command = rows[i].command;
    options.key_source = rows[i].source;
    assert_int_equal(kr_engine_open(&options, &engine, &error), KR_INVALID);
    assert_true(error.message[0] != '\0');
  }
}

/* A library that was not told to looks at no variable, and runs nothing that a home names. */
static void test_not_asked(void **state) {
  (void)state;
  kr_error error = {0};
  kr_engine *engine = NULL;
  kr_home_options options = plain_options();
  create(&options);
  options.reads_environment = false;
  options.runs_recorded_command = false;
  options.ask_passphrase = NULL;
  set_environment(4, true);
  if (kr_engine_open(&options, &engine, &error) != KR_OK)
    fail_msg("%s", error.message);
  kr_engine_close(engine);
  assert_string_equal(getenv("KROSYN_KEY"), "variable " BASE64_A);
  static const char *const says[] = {"a program that the home names", "a credential",
                                     "in KROSYN_KEY", "a passphrase"};
  for (size_t i = 0; i < 4; i++) {
    if (i < 3)
      record_home(i + 1);
    else
      record("{\"source\":\"passphrase\",\"id\":\"p-1\",\"kdf\":\"scrypt\",\"n\":131072,\"r\":8,"
             "\"p\":1,\"salt\":\"00112233445566778899aabbccddeeff\"}");
    assert_int_equal(kr_engine_open(&options, &engine, &error), KR_UNTRUSTED);
    assert_non_null(strstr(error.message, says[i]));
  }
  assert_string_equal(getenv("KROSYN_KEY"), "variable " BASE64_A);
}

/* ---- homes made with each source, and opened again with nothing said ---- */

static void open_again(const char *wanted_id, kr_key_source source) {
  kr_home_options options = plain_options();
  kr_engine *engine = NULL;
  kr_error error = {0};
  kr_key_status status;
  kr_key_source recorded = KR_KEY_AUTO;
  assert_int_equal(kr_home_key_source(home, &recorded, &error), KR_OK);
  assert_int_equal(recorded, source);
  if (kr_home_key_status(&options, &status, &error) != KR_OK)
    fail_msg("%s", error.message);
  if (status.state != KR_KEY_RIGHT)
    fail_msg("%s", status.problem.message);
  assert_int_equal(status.source, source);
  assert_int_equal(status.problem.status, KR_OK);
  if (wanted_id != NULL)
    assert_string_equal(status.ids[0], wanted_id);
  assert_string_equal(status.ids[0], status.needed);
  if (source == KR_KEY_ENVIRONMENT)
    assert_int_equal(setenv("KROSYN_KEY", "variable " BASE64_A, 1), 0);
  if (kr_engine_open(&options, &engine, &error) != KR_OK)
    fail_msg("%s", error.message);
  kr_engine_close(engine);
}

static void test_create_default(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  create(&options);
  open_again(NULL, KR_KEY_FILE);
  /* Said to be the default one, against the environment. */
  set_environment(1, true);
  options.key_source = KR_KEY_FILE;
  kr_key_status status;
  assert_int_equal(kr_home_key_status(&options, &status, NULL), KR_OK);
  assert_int_equal(status.state, KR_KEY_RIGHT);
  assert_int_equal(status.rule, KR_KEY_BY_CALLER);
}

static void test_create_with_variable(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  set_environment(3, false);
  create(&options);
  assert_null(getenv("KROSYN_KEY"));
  set_environment(3, false);
  open_again("variable", KR_KEY_ENVIRONMENT);
}

static void test_create_with_credential(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  set_environment(0, true);
  create(&options);
  open_again("credential", KR_KEY_CREDENTIAL);
}

static void test_create_with_command(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  char line[300];
  (void)snprintf(line, sizeof line, "%s one  two", at("command"));
  options.key_command = line;
  create(&options);
  open_again("recorded-command", KR_KEY_COMMAND);
}

static void test_create_with_variable_of_command(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  set_environment(2, false);
  create(&options);
  clear_environment();
  open_again("variable-command", KR_KEY_COMMAND);
}

static void test_create_with_passphrase(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  options.key_source = KR_KEY_PASSPHRASE;
  was_new = false;
  create(&options);
  assert_true(was_new);
  open_again(NULL, KR_KEY_PASSPHRASE);
  assert_false(was_new);
  kr_key_status status;
  typed = "s3cret correct hors";
  options.key_source = KR_KEY_AUTO;
  assert_int_equal(kr_home_key_status(&options, &status, NULL), KR_OK);
  typed = PASSPHRASE;
  assert_int_equal(status.state, KR_KEY_WRONG);
  assert_non_null(strstr(status.problem.message, "wrong passphrase: it does not give the key p-"));
  says_nothing_secret(&status.problem);
}

/* What cannot be had changes nothing: no home, no directory of keys. */
typedef struct refused_row {
  const char *name;
  kr_key_source source;
  const char *command;
  const char *passphrase;
  kr_status status;
  const char *says;
} refused_row;

static char long_passphrase[1100];

static const refused_row refused_rows[] = {
    {"no variable", KR_KEY_ENVIRONMENT, NULL, NULL, KR_UNTRUSTED, "KROSYN_KEY, which is not set"},
    {"no credential", KR_KEY_CREDENTIAL, NULL, NULL, KR_UNTRUSTED, "no credential"},
    {"command fails", KR_KEY_AUTO, "/bin/false", NULL, KR_UNTRUSTED, "exit code 1"},
    {"command prints no key", KR_KEY_AUTO, "/bin/echo s3cret", NULL, KR_UNTRUSTED, "line 1"},
    {"command is not UTF-8", KR_KEY_AUTO, "/bin/echo \xff", NULL, KR_INVALID, "not UTF-8"},
    {"11 characters", KR_KEY_PASSPHRASE, NULL, "12345678901", KR_INVALID, "at least 12"},
    {"11 characters of 2 bytes", KR_KEY_PASSPHRASE, NULL, "ääääääääääa", KR_INVALID, "at least 12"},
    {"no character", KR_KEY_PASSPHRASE, NULL, "", KR_INVALID, "at least 12"},
    {"two lines", KR_KEY_PASSPHRASE, NULL, "1234567890\n1234567890", KR_INVALID, "one line"},
    {"too long", KR_KEY_PASSPHRASE, NULL, long_passphrase, KR_LIMIT, "at most 1024"},
};

static void test_refused_creations(void **state) {
  (void)state;
  memset(long_passphrase, 'x', sizeof long_passphrase - 1);
  for (size_t i = 0; i < sizeof refused_rows / sizeof refused_rows[0]; i++) {
    const refused_row *row = &refused_rows[i];
    kr_home_options options = plain_options();
    kr_error error = {0};
    options.key_source = row->source;
    options.key_command = row->command;
    typed = row->passphrase == NULL ? "" : row->passphrase;
    kr_status status = kr_home_create(&options, NULL, &error);
    typed = PASSPHRASE;
    if (status != row->status || strstr(error.message, row->says) == NULL)
      fail_msg("%s: %s: %s", row->name, kr_status_name(status), error.message);
    says_nothing_secret(&error);
    assert_int_not_equal(access(home, F_OK), 0);
    assert_int_not_equal(access(at("keys"), F_OK), 0);
  }
}

/* Paths and words that settings.json cannot hold. */
static void test_what_settings_cannot_hold(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  kr_error error = {0};
  char line[4000];
  options.key_file = at("k\xff");
  assert_int_equal(kr_home_create(&options, NULL, &error), KR_INVALID);
  assert_non_null(strstr(error.message, "not UTF-8"));
  int len = snprintf(line, sizeof line, "%s ", at("command"));
  memset(line + len, 1, 2000); /* six bytes each in JSON */
  line[len + 2000] = '\0';
  options.key_file = NULL;
  options.key_command = line;
  assert_int_equal(kr_home_create(&options, NULL, &error), KR_LIMIT);
  assert_int_not_equal(access(home, F_OK), 0);
}

/* An existing home is found out before anybody is asked for a passphrase or a program is run. */
static void test_existing_home_asks_nothing(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  kr_error error = {0};
  create(&options);
  n_asked = 0;
  options.key_source = KR_KEY_PASSPHRASE;
  assert_int_equal(kr_home_create(&options, NULL, &error), KR_EXISTS);
  assert_int_equal(n_asked, 0);
}

/* ---- who may have written what is read ---- */

static void test_credential_in_a_shared_directory(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  kr_key_status status;
  set_environment(0, true);
  create(&options);
  assert_int_equal(chmod(at("credentials"), 0770), 0);
  assert_int_equal(kr_home_key_status(&options, &status, NULL), KR_OK);
  assert_int_equal(status.state, KR_KEY_MISSING);
  assert_non_null(strstr(status.problem.message, "others can write to the directory"));
  assert_int_equal(chmod(at("credentials"), 0500), 0);
  assert_int_equal(kr_home_key_status(&options, &status, NULL), KR_OK);
  assert_int_equal(status.state, KR_KEY_RIGHT);
  assert_int_equal(chmod(at("credentials"), 0700), 0);
  /* Broken, it is not passed over. */
  write_file(at("credentials/krosyn.key"), "broken", 0400);
  assert_int_equal(kr_home_key_status(&options, &status, NULL), KR_OK);
  assert_int_equal(status.state, KR_KEY_MISSING);
  assert_int_equal(status.rule, KR_KEY_BY_CREDENTIAL);
}

/* A program that anybody could have put into the home is not run. */
static void test_command_of_a_shared_home(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  kr_key_status status;
  char mark[200];
  char content[600];
  char settings[200];
  create(&options);
  (void)snprintf(mark, sizeof mark, "%s/was-run", folder);
  (void)snprintf(content, sizeof content, "#!/bin/sh\ntouch %s\n", mark);
  write_file(at("command"), content, 0700);
  record_home(1);
  (void)snprintf(settings, sizeof settings, "%s/settings.json", home);
  const struct {
    const char *path;
    mode_t mode;
  } rows[] = {{home, 0770}, {home, 0702}, {settings, 0620}, {settings, 0602}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct stat before;
    assert_int_equal(stat(rows[i].path, &before), 0);
    assert_int_equal(chmod(rows[i].path, rows[i].mode), 0);
    assert_int_equal(kr_home_key_status(&options, &status, NULL), KR_OK);
    assert_int_equal(status.state, KR_KEY_MISSING);
    assert_non_null(strstr(status.problem.message, "others can write to"));
    assert_int_not_equal(access(mark, F_OK), 0);
    assert_int_equal(chmod(rows[i].path, before.st_mode & 07777), 0);
  }
  if (geteuid() == 0) {
    assert_int_equal(chown(settings, 12345, 0), 0);
    assert_int_equal(kr_home_key_status(&options, &status, NULL), KR_OK);
    assert_int_not_equal(access(mark, F_OK), 0);
    assert_int_equal(chown(settings, 0, 0), 0);
  }
  /* Of one's own home it is. */
  assert_int_equal(kr_home_key_status(&options, &status, NULL), KR_OK);
  assert_int_equal(access(mark, F_OK), 0);
  assert_int_equal(status.state, KR_KEY_MISSING); /* it prints no key */
  assert_int_equal(status.n_warnings, 1);
}

static void test_warnings(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  kr_key_status status;
  create(&options);
  assert_int_equal(kr_home_key_status(&options, &status, NULL), KR_OK);
  assert_int_equal(status.n_warnings, 0);
  assert_int_equal(status.mode, 0600);
  assert_int_equal(chmod(at("keys"), 0777), 0);
  set_environment(3, false);
  options.key_source = KR_KEY_FILE;
  assert_int_equal(kr_home_key_status(&options, &status, NULL), KR_OK);
  assert_int_equal(status.n_warnings, 2);
  assert_non_null(strstr(status.warnings[0], "not used"));
  assert_non_null(strstr(status.warnings[1], "exchange"));
}

/* ---- settings.json that somebody changed ---- */

#define SALT "\"salt\":\"00112233445566778899aabbccddeeff\""
#define PASS(rest) "{\"source\":\"passphrase\",\"id\":\"p-1\",\"kdf\":\"scrypt\"," rest "}"
#define COST(n, r, p) "\"n\":" n ",\"r\":" r ",\"p\":" p "," SALT

static const char *const hostile[] = {
    "null",
    "1",
    "\"default\"",
    "[]",
    "{}",
    "{\"source\":null}",
    "{\"source\":\"tpm\"}",
    "{\"source\":\"Default\"}",
    "{\"source\":\"default\",\"file\":\"/k\"}",
    "{\"file\":\"/k\",\"command\":[\"/bin/true\"]}",
    "{\"file\":null}",
    "{\"file\":\"\"}",
    "{\"file\":\"relative\"}",
    "{\"file\":\"/a\\u0000b\"}",
    "{\"file\":[\"/k\"]}",
    "{\"command\":\"/bin/true\"}",
    "{\"command\":[]}",
    "{\"command\":[\"\"]}",
    "{\"command\":[\"true\"]}",
    "{\"command\":[\"/bin/true\",1]}",
    "{\"command\":[\"/bin/true\",\"a\\u0000b\"]}",
    "{\"command\":[\"/bin/true\",[\"x\"]]}",
    PASS(SALT),
    PASS(COST("65536", "8", "1")),  /* weak */
    PASS(COST("131071", "8", "1")), /* no power of two */
    PASS(COST("262143", "8", "1")),
    PASS(COST("2097152", "8", "1")),  /* absurd */
    PASS(COST("1048576", "16", "1")), /* 2 GiB */
    PASS(COST("4294967296", "8", "1")),
    PASS(COST("18446744073709551616", "8", "1")),
    PASS(COST("-131072", "8", "1")),
    PASS(COST("131072.5", "8", "1")),
    PASS(COST("\"131072\"", "8", "1")),
    PASS(COST("131072", "7", "1")),
    PASS(COST("131072", "17", "1")),
    PASS(COST("131072", "8", "0")),
    PASS(COST("131072", "8", "5")),
    PASS("\"n\":131072,\"r\":8,\"p\":1,\"salt\":\"00112233445566778899aabbccddee\""),
    PASS("\"n\":131072,\"r\":8,\"p\":1,\"salt\":\"00112233445566778899aabbccddeefg\""),
    PASS("\"n\":131072,\"r\":8,\"p\":1,\"salt\":7"),
    "{\"source\":\"passphrase\",\"id\":\"\",\"kdf\":\"scrypt\"," COST("131072", "8", "1") "}",
    "{\"source\":\"passphrase\",\"id\":\"a b\",\"kdf\":\"scrypt\"," COST("131072", "8", "1") "}",
    "{\"source\":\"passphrase\",\"id\":\"x\",\"kdf\":\"md5\"," COST("131072", "8", "1") "}",
    "{\"source\":\"passphrase\",\"kdf\":\"scrypt\"," COST("131072", "8", "1") "}",
};

static void test_hostile_settings(void **state) {
  (void)state;
  kr_home_options options = plain_options();
  create(&options);
  n_asked = 0;
  for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
    kr_engine *engine = NULL;
    kr_error error = {0};
    record(hostile[i]);
    kr_status status = kr_engine_open(&options, &engine, &error);
    if (status != KR_CORRUPT || error.hint[0] == '\0')
      fail_msg("%s: %s: %s", hostile[i], kr_status_name(status), error.message);
  }
  assert_int_equal(n_asked, 0);
}

/* ---- memory that is not there ---- */

static void run_allocations(kr_home_options *options, bool is_create) {
  size_t n = 0;
  for (;; n++) {
    kr_error error = {0};
    kr_engine *engine = NULL;
    kr_key_status status;
    assert_true(n < 5000);
    set_environment(3, true);
    kr_test_fail_at(n);
    kr_status result = is_create ? kr_home_create(options, NULL, &error)
                                 : kr_engine_open(options, &engine, &error);
    size_t n_refused = kr_test_fail_stop();
    kr_engine_close(engine);
    if (result != KR_OK && result != KR_NOMEM)
      fail_msg("allocation %zu: %s: %s", n, kr_status_name(result), error.message);
    if (n_refused == 0)
      break;
    if (is_create)
      assert_int_equal(access(home, F_OK) == 0, result == KR_OK);
    if (is_create && result == KR_OK)
      fixture_remove(home);
    set_environment(3, true);
    kr_test_fail_at(n);
    result = is_create ? KR_OK : kr_home_key_status(options, &status, &error);
    (void)kr_test_fail_stop();
    if (result != KR_OK && result != KR_NOMEM)
      fail_msg("status, allocation %zu: %s: %s", n, kr_status_name(result), error.message);
  }
  assert_true(n > 10);
}

static void test_allocations(void **state) {
  (void)state;
  static const kr_key_source sources[] = {KR_KEY_ENVIRONMENT, KR_KEY_CREDENTIAL, KR_KEY_COMMAND};
  for (size_t i = 0; i < 3; i++) {
    kr_home_options options = plain_options();
    char line[256];
    (void)snprintf(line, sizeof line, "%s", at("command"));
    options.key_source = sources[i];
    options.key_command = sources[i] == KR_KEY_COMMAND ? line : NULL;
    run_allocations(&options, true);
    run_allocations(&options, false);
    fixture_remove(home);
  }
}

static void test_key_file(void **state) {
  (void)state;
  char id[KR_KEY_STATUS_ID_BYTES];
  kr_error error = {0};
  struct stat info;
  assert_int_equal(kr_key_file_create(at("new/a.key"), id, &error), KR_OK);
  assert_int_equal(stat(at("new/a.key"), &info), 0);
  assert_int_equal(info.st_mode & 07777, 0600);
  assert_memory_equal(id, "k-", 2);
  assert_int_equal(kr_key_file_create(at("new/a.key"), id, &error), KR_EXISTS);
  /* It serves as a credential, and its text as a variable. */
  assert_int_equal(rename(at("new/a.key"), at("credentials/krosyn.key")), 0);
  set_environment(0, true);
  kr_home_options options = plain_options();
  create(&options);
  open_again(id, KR_KEY_CREDENTIAL);
}

#define IN_FOLDER(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_FOLDER(test_rule),
      IN_FOLDER(test_contradictions),
      IN_FOLDER(test_not_asked),
      IN_FOLDER(test_create_default),
      IN_FOLDER(test_create_with_variable),
      IN_FOLDER(test_create_with_credential),
      IN_FOLDER(test_create_with_command),
      IN_FOLDER(test_create_with_variable_of_command),
      IN_FOLDER(test_create_with_passphrase),
      IN_FOLDER(test_refused_creations),
      IN_FOLDER(test_what_settings_cannot_hold),
      IN_FOLDER(test_existing_home_asks_nothing),
      IN_FOLDER(test_credential_in_a_shared_directory),
      IN_FOLDER(test_command_of_a_shared_home),
      IN_FOLDER(test_warnings),
      IN_FOLDER(test_hostile_settings),
      IN_FOLDER(test_allocations),
      IN_FOLDER(test_key_file),
  };
  return cmocka_run_group_tests_name("custody", tests, NULL, NULL);
}
