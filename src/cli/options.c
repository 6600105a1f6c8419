/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - the table of options, and the reading of a command line over it.
 * Options may stand anywhere before "--"; the other words are, in order, the
 * command's name and its arguments.
 *
 * An argument may be a secret that was put there by mistake. So a word that is
 * not in a table is shown in an error only if it looks like an option or a
 * command, and never for the commands that take values.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#define KR_CLI_MAX_SHOWN_WORD 24

const kr_cli_option_row kr_cli_options[KR_CLI_N_OPTIONS] = {
    [KR_CLI_HOME] = {"home", "DIR",
                     "the home (default: $KROSYN_HOME, else the XDG data directory)"},
    [KR_CLI_KEY] = {"key", "FILE",
                    "the key file; `krosyn help key status` says which key is used without it"},
    [KR_CLI_ORG] = {"org", "NAME", "the organization (default: default)"},
    [KR_CLI_JSON] = {"json", NULL, "print one JSON document; errors as an object on stderr"},
    [KR_CLI_HELP] = {"help", NULL, "show help, also after a command"},
    [KR_CLI_VERSION] = {"version", NULL, "show the version"},
    [KR_CLI_DESCRIPTION] = {"description", "TEXT", "what the secret is for"},
    [KR_CLI_FILE] = {"file", "FILE", "read the value from a file, byte for byte"},
    [KR_CLI_SINK] = {"sink", "SINK",
                     "where the text goes: url query header json form xml text condition value"},
    [KR_CLI_TEMPLATE] = {"template", "FILE", "read the template from a file"},
    [KR_CLI_PAYLOAD] = {"payload", "FILE", "JSON for $payload; - is standard input"},
    [KR_CLI_LOOKUP] = {"lookup", "FILE", "JSON for $lookup"},
    [KR_CLI_PROCESSED] = {"processed", "FILE", "JSON for $processed"},
    [KR_CLI_DRY_RUN] = {"dry-run", NULL, "only show what would be done"},
    [KR_CLI_ALLOW_PRIVATE] = {"allow-private", NULL, "allow private and loopback addresses"},
    [KR_CLI_LIMIT] = {"limit", "N", "at most this many (default: 100)"},
    [KR_CLI_VALUES] = {"values", "FILE", "a JSON file of values; needs no home"},
    [KR_CLI_MARKER_NAMES] = {"marker-names", NULL, "write [REDACTED:NAME]"},
    [KR_CLI_STATS] = {"stats", NULL, "count what was removed, on stderr"},
    [KR_CLI_FAIL_ON_MATCH] = {"fail-on-match", NULL, "exit with 1 when something was removed"},
    [KR_CLI_IN_PLACE] = {"in-place", NULL, "replace each file in one step, or leave it as it is"},
    [KR_CLI_NO_FORM] = {"no-form", "NAMES", "forms that are not searched: html,leaf"},
    [KR_CLI_TOKENS] = {"tokens", NULL, "the words the template is read as"},
    [KR_CLI_AST] = {"ast", NULL, "the tree, with the context of each hole"},
    [KR_CLI_CODE] = {"code", NULL, "the instructions"},
    [KR_CLI_ENVIRONMENT] = {"environment", "NAME", "of the secret (default: the one for all)"},
    [KR_CLI_EXPIRES] = {"expires", "DATE", "2027-01-31, or with T12:00:00Z (UTC), or never"},
    [KR_CLI_HOSTS] = {"hosts", "HOSTS",
                      "where it may be sent: 'api.example.com *.example.org'; any"},
    [KR_CLI_POSITIONS] = {"positions", "LIST", "where it may stand: header,path,query,body; any"},
    [KR_CLI_MIN_SEARCH] = {"min-search", "BYTES",
                           "search logs for values of so many bytes or more (default: 4)"},
    [KR_CLI_KEEP] = {"keep", "N", "versions that are kept, 1 to 50 (default: 10)"},
    [KR_CLI_KEY_COMMAND] = {"key-command", "CMD",
                            "a program that prints the key: its absolute path and arguments"},
    [KR_CLI_PASSPHRASE_FD] = {"passphrase-fd", "N",
                              "read the passphrase of the key from a file descriptor"},
    [KR_CLI_PASSPHRASE_FILE] = {"passphrase-file", "FILE",
                                "read the passphrase of the key from a file"},
    [KR_CLI_PASSPHRASE] = {"passphrase", NULL, "make the key from a passphrase; asks for it"},
    [KR_CLI_KEY_SOURCE] = {"key-source", "SOURCE", "file, passphrase, credential or environment"},
    [KR_CLI_FORMAT] = {"format", "FORMAT", "what the file is: env or json (default: by its name)"},
    [KR_CLI_REPLACE] = {"replace", NULL, "give secrets that have another value a new version"},
    [KR_CLI_YES] = {"yes", NULL, "do it without asking"},
    [KR_CLI_NEW_KEY] = {"new-key", "FILE", "take the first key of this key file"},
    [KR_CLI_ALL] = {"all", NULL, "every organization"},
    [KR_CLI_CHECK] = {"check", NULL, "prove a backup whole, and change nothing"},
    [KR_CLI_HEAD] = {"head", NULL, "print where the home stands, to be kept elsewhere"},
    [KR_CLI_EXPECT_HEAD] = {"expect-head", "FILE",
                            "a kept head: a home that was put back behind it is damaged"},
    [KR_CLI_SALVAGE] = {"salvage", "DIR", "save what is good into a new home"},
};

typedef struct kr_cli_reader {
  kr_cli *cli;
  char **words; /* arguments that are no options */
  size_t n_words;
  uint64_t seen;             /* options, in the order of the enum */
  const char *unknown;       /* the first argument that looks like an option and is none */
  const char *without_value; /* a known option that lacks its argument */
  const char *with_value;    /* a known flag that was given one */
  const char *twice;
} kr_cli_reader;

static kr_cli_option kr_cli_option_named(const char *name, size_t len) {
  for (unsigned i = 0; i < KR_CLI_N_OPTIONS; i++)
    if (strlen(kr_cli_options[i].name) == len && memcmp(kr_cli_options[i].name, name, len) == 0)
      return (kr_cli_option)i;
  return KR_CLI_N_OPTIONS;
}

/** Take the option at argv[*index]; moves *index over its argument. */
static void kr_cli_read_option(kr_cli_reader *reader, int argc, char **argv, int *index) {
  const char *text = argv[*index];
  if (strcmp(text, "-h") == 0)
    text = "--help";
  const char *equals = strchr(text, '=');
  size_t len = equals == NULL ? strlen(text) : (size_t)(equals - text);
  kr_cli_option option =
      len > 2 && text[1] == '-' ? kr_cli_option_named(text + 2, len - 2) : KR_CLI_N_OPTIONS;
  if (option == KR_CLI_N_OPTIONS) {
    reader->unknown = reader->unknown == NULL ? text : reader->unknown;
    return;
  }
  const kr_cli_option_row *row = &kr_cli_options[option];
  const char *value = equals == NULL ? NULL : equals + 1;
  if (row->argument == NULL && value != NULL)
    reader->with_value = row->name;
  if (row->argument != NULL && value == NULL) {
    if (*index + 1 >= argc) {
      reader->without_value = row->name;
      return;
    }
    value = argv[++*index];
  }
  /* An empty path or name is a variable that was not set; an empty text may be meant. */
  if (row->argument != NULL && value[0] == '\0' && strcmp(row->argument, "TEXT") != 0)
    reader->without_value = row->name;
  if (row->argument != NULL && (reader->seen & KR_CLI_BIT(option)) != 0)
    reader->twice = row->name;
  reader->seen |= KR_CLI_BIT(option);
  reader->cli->values[option] = value == NULL ? "" : value;
}

/** A word that can be repeated in an error: it looks like the words of the tables. */
static bool kr_cli_is_plain_word(const char *word, size_t len) {
  if (len == 0 || len > KR_CLI_MAX_SHOWN_WORD)
    return false;
  for (size_t i = 0; i < len; i++)
    if (!((word[i] >= 'a' && word[i] <= 'z') || word[i] == '-'))
      return false;
  return true;
}

static int kr_cli_usage_value(const kr_cli *cli) {
  return kr_cli_usage(
      cli, "the value of a secret is never given on the command line",
      "type it at the prompt of `krosyn secret set NAME`, pipe it in, or use --file FILE. What "
      "you gave may now be in your shell's history: remove it there, and replace the value "
      "where it was issued");
}

static int kr_cli_usage_unknown_option(const kr_cli *cli, const char *text) {
  const char *equals = strchr(text, '=');
  size_t len = equals == NULL ? strlen(text) : (size_t)(equals - text);
  size_t dashes = strspn(text, "-");
  size_t name_len = len > dashes ? len - dashes : 0;
  char message[96] = "unknown option";
  char hint[160] = "`krosyn --help` lists the options; \"--\" ends them";
  const char *nearest = name_len == 0 ? NULL : kr_cli_nearest_option(text + dashes, name_len);
  if (kr_cli_is_plain_word(text + dashes, name_len))
    (void)snprintf(message, sizeof message, "unknown option %.*s", (int)len, text);
  if (nearest != NULL)
    (void)snprintf(hint, sizeof hint, "did you mean --%s?", nearest);
  return kr_cli_usage(cli, message, hint);
}

static int kr_cli_usage_unknown_command(const kr_cli *cli, const kr_cli_reader *reader) {
  const char *group = NULL;
  const char *word = reader->words[0];
  if (kr_cli_is_group(word)) {
    if (reader->n_words == 1) {
      char text[96];
      (void)snprintf(text, sizeof text, "`krosyn %s` needs a word more", word);
      char hint[96];
      (void)snprintf(hint, sizeof hint, "`krosyn help %s` lists what there is", word);
      return kr_cli_usage(cli, text, hint);
    }
    group = word;
    word = reader->words[1];
  }
  const char *nearest = kr_cli_nearest_command(group, word);
  char message[96] = "unknown command";
  char hint[128] = "`krosyn --help` lists the commands";
  /* After "secret", a stray word is as likely a value as a command. */
  bool is_shown =
      kr_cli_is_plain_word(word, strlen(word)) && (group == NULL || strcmp(group, "secret") != 0);
  if (is_shown)
    (void)snprintf(message, sizeof message, "unknown command: %s%s%s", group == NULL ? "" : group,
                   group == NULL ? "" : " ", word);
  if (nearest != NULL)
    (void)snprintf(hint, sizeof hint, "did you mean `krosyn %s`?", nearest);
  return kr_cli_usage(cli, message, hint);
}

static bool kr_cli_is_command(const kr_cli *cli, const char *name) {
  return cli->command != NULL && strcmp(cli->command->name, name) == 0;
}

/** Every way in which people try to hand a value to `secret set`. */
static bool kr_cli_has_value_argument(const kr_cli *cli, const kr_cli_reader *reader) {
  if (!kr_cli_is_command(cli, "secret set"))
    return false;
  if (cli->n_arguments > 1 || (cli->n_arguments == 1 && strchr(cli->arguments[0], '=') != NULL))
    return true;
  /* An unknown option with something behind it: --value X, --value=X, -vX. */
  return reader->unknown != NULL;
}

static int kr_cli_check_options(const kr_cli *cli, const kr_cli_reader *reader) {
  if (reader->unknown != NULL)
    return kr_cli_usage_unknown_option(cli, reader->unknown);
  char message[96];
  if (reader->without_value != NULL) {
    (void)snprintf(message, sizeof message, "--%s needs an argument", reader->without_value);
    return kr_cli_usage(cli, message, "");
  }
  if (reader->with_value != NULL) {
    (void)snprintf(message, sizeof message, "--%s takes no argument", reader->with_value);
    return kr_cli_usage(cli, message, "");
  }
  if (reader->twice != NULL) {
    (void)snprintf(message, sizeof message, "--%s is given twice", reader->twice);
    return kr_cli_usage(cli, message, "");
  }
  return -1;
}

static int kr_cli_check_command(const kr_cli *cli, const kr_cli_reader *reader) {
  char message[128];
  char hint[128];
  (void)snprintf(hint, sizeof hint, "`krosyn help %s` shows how it is used", cli->command->name);
  uint64_t foreign = reader->seen & ~(KR_CLI_GLOBAL_OPTIONS | cli->command->options);
  for (unsigned i = 0; i < KR_CLI_N_OPTIONS; i++) {
    if ((foreign & KR_CLI_BIT(i)) == 0)
      continue;
    (void)snprintf(message, sizeof message, "`krosyn %s` has no option --%s", cli->command->name,
                   kr_cli_options[i].name);
    return kr_cli_usage(cli, message, hint);
  }
  size_t n_from_stdin = 0;
  for (unsigned i = 0; i < KR_CLI_N_OPTIONS; i++)
    n_from_stdin += cli->values[i] != NULL && strcmp(cli->values[i], "-") == 0;
  if (n_from_stdin > 1)
    return kr_cli_usage(cli, "only one option can read standard input", "");
  if (cli->n_arguments < cli->command->min_arguments) {
    (void)snprintf(message, sizeof message, "`krosyn %s` needs %s", cli->command->name,
                   cli->command->arguments);
    return kr_cli_usage(cli, message, hint);
  }
  if (cli->n_arguments > cli->command->max_arguments) {
    (void)snprintf(message, sizeof message, "`krosyn %s` takes fewer arguments",
                   cli->command->name);
    return kr_cli_usage(cli, message, hint);
  }
  return -1;
}

/** --help and --version win over everything that is wrong elsewhere on the line. */
static int kr_cli_answer_help(const kr_cli *cli, const kr_cli_reader *reader) {
  if (cli->values[KR_CLI_VERSION] != NULL) {
    (void)printf("krosyn %s\n", kr_version());
    return KR_CLI_EXIT_DONE;
  }
  if (cli->values[KR_CLI_HELP] == NULL)
    return -1;
  if (cli->command != NULL)
    kr_cli_help_command(stdout, cli->command);
  else if (reader->n_words > 0 && kr_cli_is_group(reader->words[0]))
    kr_cli_help_group(stdout, reader->words[0]);
  else
    kr_cli_help_all(stdout);
  return KR_CLI_EXIT_DONE;
}

int kr_cli_parse(kr_cli *cli, int argc, char **argv, char ***ret_words) {
  kr_cli_reader reader = {.cli = cli};
  reader.words = calloc((size_t)argc + 1, sizeof *reader.words);
  *ret_words = reader.words;
  if (reader.words == NULL) {
    kr_error error;
    (void)kr_cli_error(&error, KR_NOMEM, "out of memory");
    return kr_cli_fail(cli, &error, NULL);
  }
  bool is_ended = false;
  for (int i = 1; i < argc; i++) {
    bool is_option = !is_ended && argv[i][0] == '-' && argv[i][1] != '\0';
    if (is_option && strcmp(argv[i], "--") == 0)
      is_ended = true;
    else if (is_option)
      kr_cli_read_option(&reader, argc, argv, &i);
    else
      reader.words[reader.n_words++] = argv[i];
  }
  cli->is_json = cli->values[KR_CLI_JSON] != NULL;
  size_t n_used = 0;
  cli->command = kr_cli_find_command(reader.words, reader.n_words, &n_used);
  cli->arguments = reader.words + n_used;
  cli->n_arguments = reader.n_words - n_used;

  int code = kr_cli_answer_help(cli, &reader);
  if (code >= 0)
    return code;
  if (kr_cli_has_value_argument(cli, &reader))
    return kr_cli_usage_value(cli);
  code = kr_cli_check_options(cli, &reader);
  if (code >= 0)
    return code;
  if (reader.n_words == 0) {
    kr_cli_help_all(stderr);
    return KR_CLI_EXIT_USAGE;
  }
  if (cli->command == NULL)
    return kr_cli_usage_unknown_command(cli, &reader);
  return kr_cli_check_command(cli, &reader);
}
