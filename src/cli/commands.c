/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.c - the table of commands, and finding one in it by its one or two
 * words. Help, usage errors and suggestions are made from this table.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <string.h>

#define KR_CLI_ANY_NUMBER ((size_t)-1)
#define KR_CLI_MAX_WORD 32

const kr_cli_command kr_cli_commands[] = {
    {"init", "", "create a home: its key, its vault and the organization default",
     "The home is a directory; the key is a file outside of it, readable by you alone.\n"
     "Keep a copy of the key file: without it the vault cannot be opened by anyone.\n"
     "An existing home or key file is never touched.\n"
     "The home remembers where its key comes from: --passphrase makes it from one (with\n"
     "--passphrase-fd or --passphrase-file without asking); --key-command, --key-source\n"
     "credential and --key-source environment take one that exists (`krosyn key new FILE`).\n"
     "\n"
     "  krosyn init --passphrase\n"
     "  krosyn init --key-command '/usr/bin/pass show krosyn/key'\n",
     KR_CLI_BIT(KR_CLI_PASSPHRASE) | KR_CLI_BIT(KR_CLI_KEY_SOURCE), 0, 0, kr_cli_run_init},
    {"key new", "FILE", "write a new key to a file, for init to take from elsewhere",
     "Only the file holds the key (mode 0600); it is not shown. An existing file is never\n"
     "overwritten. Bring it to where the key will come from, try it with `krosyn key status`,\n"
     "and keep a copy in a safe place.\n"
     "\n"
     "  krosyn key new krosyn.key\n"
     "  systemd-creds encrypt krosyn.key /etc/credstore.encrypted/krosyn.key\n",
     0, 1, 1, kr_cli_run_key_new},
    {"key status", "", "say which key is used, why, and whether it is the right one",
     "Shows no key and opens no value. Exits with 1 when the key is missing or wrong.\n"
     "The first of these that applies decides, and nothing after it is tried:\n"
     "  1 an option: --key, --key-command, --passphrase-fd, --passphrase-file\n"
     "  2 the environment: KROSYN_KEY_FILE, KROSYN_KEY_COMMAND or KROSYN_KEY\n"
     "  3 a systemd credential: $CREDENTIALS_DIRECTORY/krosyn.key, when it is there\n"
     "  4 what the home recorded at init\n",
     0, 0, 0, kr_cli_run_key_status},
    {"org create", "NAME", "create an organization",
     "A name has lower-case letters, digits and '-', at most 64.\n"
     "Secrets and events of one organization are invisible to every other.\n",
     0, 1, 1, kr_cli_run_org_create},
    {"org delete", "NAME", "delete an organization with its secrets, keys and settings",
     "Asks for the name once more; --yes does without. Nothing brings it back but a backup\n"
     "and the key that opens it. Its events stay in the log; they hold no secrets.\n",
     KR_CLI_BIT(KR_CLI_YES), 1, 1, kr_cli_run_org_delete},
    {"org list", "", "list the organizations", "", 0, 0, 0, kr_cli_run_org_list},
    {"org set", "KEY VALUE", "change a setting of an organization",
     "Of the organization default, or of the one that --org names. Each change is audited.\n"
     "\n"
     "  krosyn org set decide-on-secrets on --org acme-eu\n",
     0, 2, 2, kr_cli_run_org_set},
    {"org show", "", "show the settings of an organization", "", 0, 0, 0, kr_cli_run_org_show},
    {"key rotate", "", "give an organization a new data key, and seal its values again",
     "Of the organization default, of the one that --org names, or with --all of each. Values\n"
     "are sealed again in small steps, while everything goes on; the old key is removed when\n"
     "no value needs it. Whatever interrupts it: call it again, and it finishes that first.\n",
     KR_CLI_BIT(KR_CLI_ALL), 0, 0, kr_cli_run_key_rotate},
    {"key rekey", "", "change the master key",
     "Puts a new key into the key file, before the old one, and wraps the vault under it. What\n"
     "has the home open goes on. With --new-key the key of another key file is taken, which\n"
     "opens the home from then on. After a key got out: key rekey, key forget, purge.\n",
     KR_CLI_BIT(KR_CLI_NEW_KEY), 0, 0, kr_cli_run_key_rekey},
    {"key forget", "ID", "take a key out of the key file that the vault does not need any more",
     "Backups that were made under it open only with a copy of it.\n", 0, 1, 1,
     kr_cli_run_key_forget},
    {"secret set", "NAME", "save a secret; asks for its value, or reads it from stdin",
     "A name has A-Z, 0-9 and '_', at most 128. A value has at most 64 KiB.\n"
     "On a terminal the value is asked for twice and not shown. From a pipe it is read to\n"
     "its end, and one final newline is removed. No option and no argument takes a value:\n"
     "command lines end up in histories and process lists.\n"
     "\n"
     "  krosyn secret set CRM_API_KEY --description 'CRM, read only'\n"
     "  pass crm/api | krosyn secret set CRM_API_KEY\n"
     "  krosyn secret set TLS_KEY --file key.pem\n",
     KR_CLI_BIT(KR_CLI_DESCRIPTION) | KR_CLI_BIT(KR_CLI_FILE) | KR_CLI_BIT(KR_CLI_ENVIRONMENT), 1,
     1, kr_cli_run_secret_set},
    {"secret list", "", "list names, versions and descriptions; never values", "", 0, 0, 0,
     kr_cli_run_secret_list},
    {"secret show", "NAME", "show what is known of a secret, but its value", "",
     KR_CLI_BIT(KR_CLI_ENVIRONMENT), 1, 1, kr_cli_run_secret_show},
    {"secret policy", "NAME", "say where a secret may go, until when, and what is kept",
     "A run that would take a secret to another host or place fails before it is sent; so does\n"
     "every run of a secret that has expired. Allowed hosts have no scheme, port or path; *.\n"
     "stands for any name before the dot. What is not named stays as it is.\n"
     "\n"
     "  krosyn secret policy CRM_API_KEY --hosts api.crm.example --positions header\n"
     "  krosyn secret policy CRM_API_KEY --expires 2027-01-31 --keep 3\n"
     "  krosyn secret policy CRM_API_KEY --hosts any --expires never\n",
     KR_CLI_BIT(KR_CLI_ENVIRONMENT) | KR_CLI_BIT(KR_CLI_EXPIRES) | KR_CLI_BIT(KR_CLI_HOSTS) |
         KR_CLI_BIT(KR_CLI_POSITIONS) | KR_CLI_BIT(KR_CLI_MIN_SEARCH) | KR_CLI_BIT(KR_CLI_KEEP),
     1, 1, kr_cli_run_secret_policy},
    {"secret history", "NAME", "list the versions that are kept; never values", "",
     KR_CLI_BIT(KR_CLI_ENVIRONMENT), 1, 1, kr_cli_run_secret_history},
    {"secret rollback", "NAME N", "bring the value of version N back",
     "It becomes a new version, sealed anew, and is not shown. Runs take it from their next\n"
     "start on.\n",
     KR_CLI_BIT(KR_CLI_ENVIRONMENT), 2, 2, kr_cli_run_secret_rollback},
    {"secret delete", "NAME", "delete a secret and all its versions",
     "Names the connectors that used it: their runs will fail.\n", KR_CLI_BIT(KR_CLI_ENVIRONMENT),
     1, 1, kr_cli_run_secret_delete},
    {"secret import", "FILE", "save the secrets of a .env or JSON file; - is standard input",
     "All of them or none, in one transaction. Nothing in a value is expanded; what other\n"
     "readers of .env files would read differently is warned of. Values that are saved\n"
     "already are left alone; a secret with another value needs --replace. JSON is\n"
     "{\"NAME\": \"value\"} or {\"NAME\": {\"value\" or \"value_b64\", \"description\"}}.\n"
     "Values are never shown. Afterwards delete the file, and what has copies of it.\n"
     "\n"
     "  krosyn secret import .env --dry-run\n"
     "  sops -d secrets.json | krosyn secret import - --format json\n",
     KR_CLI_BIT(KR_CLI_FORMAT) | KR_CLI_BIT(KR_CLI_DRY_RUN) | KR_CLI_BIT(KR_CLI_REPLACE) |
         KR_CLI_BIT(KR_CLI_ENVIRONMENT),
     1, 1, kr_cli_run_secret_import},
    {"secret export", "", "print what is known of all secrets as JSON; never values",
     "For inventories and reviews. Values cannot be exported, by this or any other command:\n"
     "to move secrets take a backup of the home and its key, or import them where they are.\n",
     0, 0, 0, kr_cli_run_secret_export},
    {"check", "FILE|FOLDER...", "compile every field of connectors and say what is wrong",
     "Of a folder every file *.json in it is checked. Also lists which secrets, data and\n"
     "hosts each connector uses, and what each field costs and gives at most (inputs in\n"
     "bytes). With a home, secrets that do not exist are listed too.\n"
     "Exits with 1 when there are errors.\n",
     0, 1, KR_CLI_ANY_NUMBER, kr_cli_run_check},
    {"render", "-- TEMPLATE", "render a template; secrets show as [REDACTED]",
     "Opens no value and needs no key. With a home, a secret that does not exist is an\n"
     "error. Of a template file one final newline is not part of the template.\n"
     "\n"
     "  krosyn render --payload order.json -- 'Order $payload.id for $payload.name'\n"
     "  krosyn render --sink header --json -- 'Bearer $secret.CRM_API_KEY'\n",
     KR_CLI_BIT(KR_CLI_SINK) | KR_CLI_BIT(KR_CLI_TEMPLATE) | KR_CLI_BIT(KR_CLI_PAYLOAD) |
         KR_CLI_BIT(KR_CLI_LOOKUP) | KR_CLI_BIT(KR_CLI_PROCESSED) | KR_CLI_BIT(KR_CLI_ENVIRONMENT),
     0, 1, kr_cli_run_render},
    {"functions", "[NAME]", "list the functions of templates, with an example each", "", 0, 0, 1,
     kr_cli_run_functions},
    {"dump", "-- TEMPLATE", "show what the compiler makes of a template",
     "Names of secrets, never values; needs no home.\n"
     "\n"
     "  krosyn dump --code --sink header -- 'Bearer $secret.CRM_API_KEY'\n",
     KR_CLI_BIT(KR_CLI_TOKENS) | KR_CLI_BIT(KR_CLI_AST) | KR_CLI_BIT(KR_CLI_CODE) |
         KR_CLI_BIT(KR_CLI_SINK) | KR_CLI_BIT(KR_CLI_TEMPLATE),
     0, 1, kr_cli_run_dump},
    {"run", "CONNECTOR", "run a connector and print the event that was stored",
     "The connector is a file: its name holds a '/' or ends in .json. Without --payload its\n"
     "example_payload is used. Exits with 0 for completed and skipped, 1 for failed.\n"
     "With --dry-run the requests are shown: no network, no key, nothing stored.\n"
     "\n"
     "  krosyn run slack.json --payload order.json --dry-run\n"
     "  curl -s https://shop.example.com/order/7 | krosyn run slack.json --payload -\n",
     KR_CLI_BIT(KR_CLI_PAYLOAD) | KR_CLI_BIT(KR_CLI_LOOKUP) | KR_CLI_BIT(KR_CLI_DRY_RUN) |
         KR_CLI_BIT(KR_CLI_ALLOW_PRIVATE) | KR_CLI_BIT(KR_CLI_ENVIRONMENT),
     1, 1, kr_cli_run_run},
    {"events list", "", "list the events, newest first", "", KR_CLI_BIT(KR_CLI_LIMIT), 0, 0,
     kr_cli_run_events_list},
    {"events show", "ID", "show one event",
     "The id may be cut to a beginning of at least 8 characters that fits one event only.\n", 0, 1,
     1, kr_cli_run_events_show},
    {"redact", "[FILE...]", "copy files or stdin to stdout without the secrets in them",
     "Finds the values of the organization's secrets in plain and in every common encoding,\n"
     "and writes what is decided at once: it can stand in a pipe. Secrets saved meanwhile are\n"
     "known at the next write. With --values it needs no home: a JSON array of strings, or of\n"
     "{\"name\", \"value\"} or {\"name\", \"value_b64\"}.\n"
     "With --in-place each file is replaced in one step, with its owner and mode; a link is\n"
     "followed. Whatever fails, the file is as it was. Without a find it is not touched.\n"
     "Forms: percent, json, json-twice, html, base64, hex, line, leaf.\n"
     "\n"
     "  service 2>&1 | krosyn redact --stats >service.log\n"
     "  krosyn redact --values values.json --fail-on-match build.log >/dev/null\n"
     "  krosyn redact --in-place --stats old-logs/*.log\n",
     KR_CLI_BIT(KR_CLI_VALUES) | KR_CLI_BIT(KR_CLI_MARKER_NAMES) | KR_CLI_BIT(KR_CLI_STATS) |
         KR_CLI_BIT(KR_CLI_FAIL_ON_MATCH) | KR_CLI_BIT(KR_CLI_IN_PLACE) |
         KR_CLI_BIT(KR_CLI_NO_FORM),
     0, KR_CLI_ANY_NUMBER, kr_cli_run_redact},
    {"verify", "", "read and check everything in the home, and name what is damaged",
     "Opens every value and checks every record, sum and chain; shows no value. Goes on after\n"
     "damage and says what is still good. Exits with 0 when all is good, with 1 when not.\n"
     "Nothing in a home can show that all of it was put back to an older state: keep its head\n"
     "elsewhere and compare.\n"
     "\n"
     "  krosyn verify --head >/mnt/elsewhere/krosyn.head\n"
     "  krosyn verify --expect-head /mnt/elsewhere/krosyn.head\n"
     "\n"
     "With --salvage what is good is saved into a new home, and what was left behind is named.\n"
     "Values whose metadata is lost are left behind: with it went what they may be used for.\n"
     "The damaged home is not changed.\n",
     KR_CLI_BIT(KR_CLI_HEAD) | KR_CLI_BIT(KR_CLI_EXPECT_HEAD) | KR_CLI_BIT(KR_CLI_SALVAGE), 0, 0,
     kr_cli_run_verify},
    {"backup", "DIR", "copy the home, which may be in use, into a new directory",
     "The key is not in a backup: keep a copy of it elsewhere. The directory appears when it\n"
     "is whole, or not at all; one that was interrupted is called DIR.partial-XXXXXX and may be\n"
     "removed.\n"
     "\n"
     "  krosyn backup /mnt/backup/krosyn-$(date +%F)\n",
     0, 1, 1, kr_cli_run_backup},
    {"restore", "DIR", "make a new home of a backup, or prove the backup whole",
     "The home (--home) must not exist or be empty. Restoring an older backup is going back:\n"
     "what was changed, rotated, deleted or logged since is as it was then. With --check\n"
     "nothing is made: it reads and checks everything in the backup.\n"
     "\n"
     "  krosyn restore --check /mnt/backup/krosyn-2026-11-26\n"
     "  krosyn restore /mnt/backup/krosyn-2026-11-26 --home /srv/krosyn\n",
     KR_CLI_BIT(KR_CLI_CHECK), 1, 1, kr_cli_run_restore},
    {"purge", "", "leave nothing of deleted and replaced secrets in the data files",
     "Gives every organization a new data key, seals its values again, and exchanges both data\n"
     "files for compact copies. Other processes may go on: their writes\n"
     "wait meanwhile. Backups made before still hold what is purged here: destroy them, too.\n"
     "What the disk itself keeps below the file system is not reached.\n",
     0, 0, 0, kr_cli_run_purge},
    {"status", "", "show the home at a glance: key, counts, sizes, readers, versions",
     "Works without the key; then names and numbers are not verified.\n", 0, 0, 0,
     kr_cli_run_status},
    {"help", "[COMMAND]", "show help for a command", "", 0, 0, 2, kr_cli_run_help},
};
const size_t kr_cli_n_commands = sizeof kr_cli_commands / sizeof kr_cli_commands[0];

/** Whether name is these words: "secret set" for { "secret", "set" }. */
static bool kr_cli_name_is(const char *name, const char *first, const char *second) {
  size_t len = strlen(first);
  if (strncmp(name, first, len) != 0)
    return false;
  if (second == NULL)
    return name[len] == '\0';
  return name[len] == ' ' && strcmp(name + len + 1, second) == 0;
}

const kr_cli_command *kr_cli_find_command(char **words, size_t n_words, size_t *ret_n_used) {
  *ret_n_used = 0;
  for (size_t i = 0; i < kr_cli_n_commands && n_words > 0; i++) {
    bool is_one = kr_cli_name_is(kr_cli_commands[i].name, words[0], NULL);
    bool is_two = n_words > 1 && kr_cli_name_is(kr_cli_commands[i].name, words[0], words[1]);
    if (!is_one && !is_two)
      continue;
    *ret_n_used = is_one ? 1 : 2;
    return &kr_cli_commands[i];
  }
  return NULL;
}

bool kr_cli_is_group(const char *word) {
  size_t len = strlen(word);
  for (size_t i = 0; i < kr_cli_n_commands; i++)
    if (strncmp(kr_cli_commands[i].name, word, len) == 0 && kr_cli_commands[i].name[len] == ' ')
      return true;
  return false;
}

size_t kr_cli_distance(const char *a, size_t a_len, const char *b, size_t b_len) {
  size_t row[KR_CLI_MAX_WORD + 1];
  if (a_len > KR_CLI_MAX_WORD || b_len > KR_CLI_MAX_WORD)
    return KR_CLI_MAX_EDITS + 1;
  for (size_t j = 0; j <= b_len; j++)
    row[j] = j;
  for (size_t i = 1; i <= a_len; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b_len; j++) {
      bool is_same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
      size_t best = diagonal + (is_same ? 0 : 1);
      best = row[j] + 1 < best ? row[j] + 1 : best;
      best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
      diagonal = row[j];
      row[j] = best;
    }
  }
  return row[b_len] <= KR_CLI_MAX_EDITS ? row[b_len] : KR_CLI_MAX_EDITS + 1;
}

/** Fewer edits than the word has letters: otherwise anything is near a short word. */
static bool kr_cli_is_nearer(size_t distance, size_t best, size_t word_len) {
  return distance < best && distance < word_len;
}

const char *kr_cli_nearest_command(const char *group, const char *word) {
  const char *nearest = NULL;
  size_t best = KR_CLI_MAX_EDITS + 1;
  size_t group_len = group == NULL ? 0 : strlen(group) + 1;
  for (size_t i = 0; i < kr_cli_n_commands; i++) {
    const char *name = kr_cli_commands[i].name;
    if (group != NULL && (strncmp(name, group, group_len - 1) != 0 || name[group_len - 1] != ' '))
      continue;
    const char *candidate = name + group_len;
    size_t distance = kr_cli_distance(word, strlen(word), candidate, strcspn(candidate, " "));
    if (kr_cli_is_nearer(distance, best, strlen(word))) {
      best = distance;
      nearest = name;
    }
  }
  return nearest;
}

const char *kr_cli_nearest_option(const char *name, size_t name_len) {
  const char *nearest = NULL;
  size_t best = KR_CLI_MAX_EDITS + 1;
  for (size_t i = 0; i < KR_CLI_N_OPTIONS; i++) {
    const char *candidate = kr_cli_options[i].name;
    size_t distance = kr_cli_distance(name, name_len, candidate, strlen(candidate));
    if (kr_cli_is_nearer(distance, best, name_len)) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}
