/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - what the files of the command share. Two tables describe it all: the
 * options (options.c) and the commands (commands.c); parsing, help and "did you
 * mean" are made from them. A command is a function that takes the parsed line
 * and returns the exit code.
 *
 * The command sees krosyn through its public interface only.
 */
#ifndef KR_CLI_CLI_H
#define KR_CLI_CLI_H

#include <krosyn/krosyn.h>

#include <stdio.h>

#define KR_CLI_EXIT_DONE 0
#define KR_CLI_EXIT_FAILED 1  /* the job failed */
#define KR_CLI_EXIT_USAGE 2   /* the command line is wrong */
#define KR_CLI_EXIT_REFUSED 3 /* integrity, permissions, keys */

#define KR_CLI_CLEANUP(function) __attribute__((cleanup(function)))

typedef enum kr_cli_option {
  KR_CLI_HOME,
  KR_CLI_KEY,
  KR_CLI_ORG,
  KR_CLI_JSON,
  KR_CLI_HELP,
  KR_CLI_VERSION,
  KR_CLI_DESCRIPTION,
  KR_CLI_FILE,
  KR_CLI_SINK,
  KR_CLI_TEMPLATE,
  KR_CLI_PAYLOAD,
  KR_CLI_LOOKUP,
  KR_CLI_PROCESSED,
  KR_CLI_DRY_RUN,
  KR_CLI_ALLOW_PRIVATE,
  KR_CLI_LIMIT,
  KR_CLI_VALUES,
  KR_CLI_MARKER_NAMES,
  KR_CLI_STATS,
  KR_CLI_FAIL_ON_MATCH,
  KR_CLI_IN_PLACE,
  KR_CLI_NO_FORM,
  KR_CLI_TOKENS,
  KR_CLI_AST,
  KR_CLI_CODE,
  KR_CLI_ENVIRONMENT,
  KR_CLI_EXPIRES,
  KR_CLI_HOSTS,
  KR_CLI_POSITIONS,
  KR_CLI_MIN_SEARCH,
  KR_CLI_KEEP,
  KR_CLI_KEY_COMMAND,
  KR_CLI_PASSPHRASE_FD,
  KR_CLI_PASSPHRASE_FILE,
  KR_CLI_PASSPHRASE,
  KR_CLI_KEY_SOURCE,
  KR_CLI_FORMAT,
  KR_CLI_REPLACE,
  KR_CLI_ALL,
  KR_CLI_YES,
  KR_CLI_NEW_KEY,
  KR_CLI_CHECK,
  KR_CLI_HEAD,
  KR_CLI_EXPECT_HEAD,
  KR_CLI_SALVAGE,
  KR_CLI_N_OPTIONS
} kr_cli_option;

#define KR_CLI_BIT(option) (UINT64_C(1) << (unsigned)(option))
#define KR_CLI_GLOBAL_OPTIONS                                                                      \
  (KR_CLI_BIT(KR_CLI_HOME) | KR_CLI_BIT(KR_CLI_KEY) | KR_CLI_BIT(KR_CLI_ORG) |                     \
   KR_CLI_BIT(KR_CLI_JSON) | KR_CLI_BIT(KR_CLI_HELP) | KR_CLI_BIT(KR_CLI_VERSION) |                \
   KR_CLI_BIT(KR_CLI_KEY_COMMAND) | KR_CLI_BIT(KR_CLI_PASSPHRASE_FD) |                             \
   KR_CLI_BIT(KR_CLI_PASSPHRASE_FILE))
_Static_assert(KR_CLI_N_OPTIONS <= 64, "every option has its bit");

typedef struct kr_cli kr_cli;

typedef struct kr_cli_command {
  const char *name;      /* one word, or a group and a word: "secret set" */
  const char *arguments; /* as help shows them; "" when none */
  const char *phrase;    /* one line of --help */
  const char *details;   /* lines of the command's own help, each ended by a newline */
  uint64_t options;      /* KR_CLI_BIT of each, beside the global ones */
  size_t min_arguments;
  size_t max_arguments;
  int (*run)(kr_cli *cli);
} kr_cli_command;

/** The parsed command line. Everything in it borrows from argv. */
struct kr_cli {
  const kr_cli_command *command;
  const char *values[KR_CLI_N_OPTIONS]; /* NULL: not given; flags: "" */
  char **arguments;                     /* after the command's own words */
  size_t n_arguments;
  bool is_json;
  char **argv;   /* of the process, without the word that makes it a child */
  bool is_child; /* this process was started by kr_cli_in_child */
};

/* options.c */
typedef struct kr_cli_option_row {
  const char *name;     /* without the dashes */
  const char *argument; /* "FILE"; NULL: a flag */
  const char *phrase;
} kr_cli_option_row;
extern const kr_cli_option_row kr_cli_options[KR_CLI_N_OPTIONS];

/**
 * Read argv (reordering nothing but its own list of words). Returns -1 to go on
 * with cli->command->run, else the exit code: help was shown or usage is wrong.
 * argv is kept by cli; *ret_words is freed by the caller.
 */
int kr_cli_parse(kr_cli *cli, int argc, char **argv, char ***ret_words);

/* commands.c */
extern const kr_cli_command kr_cli_commands[];
extern const size_t kr_cli_n_commands;
const kr_cli_command *kr_cli_find_command(char **words, size_t n_words, size_t *ret_n_used);

/** Whether a command begins with this word and goes on with another ("secret"). */
bool kr_cli_is_group(const char *word);

/** The nearest of the table's words within two edits, or NULL; group NULL: first words. */
const char *kr_cli_nearest_command(const char *group, const char *word);
const char *kr_cli_nearest_option(const char *name, size_t name_len);

/** Edit distance without regard to case; KR_CLI_MAX_EDITS + 1 when above it or too long. */
#define KR_CLI_MAX_EDITS 2
size_t kr_cli_distance(const char *a, size_t a_len, const char *b, size_t b_len);

/* command_org.c: the settings of organizations, for the help of `org set` */
void kr_cli_help_settings(FILE *out);

/* help.c */
void kr_cli_help_all(FILE *out);
void kr_cli_help_group(FILE *out, const char *group);
void kr_cli_help_command(FILE *out, const kr_cli_command *command);
int kr_cli_run_help(kr_cli *cli);

/* environment.c: which home, which key, who acts */
#define KR_CLI_MAX_PATH_BYTES 4096
typedef struct kr_cli_home {
  kr_home_options options; /* home NULL: no place for one is known */
  char home_path[KR_CLI_MAX_PATH_BYTES];
  char key_dir[KR_CLI_MAX_PATH_BYTES];
  char actor[32];
} kr_cli_home;
kr_status kr_cli_resolve(const kr_cli *cli, kr_cli_home *ret_home, kr_error *error);
kr_status kr_cli_no_home(kr_error *error);

/** Open the home. without_key: names only; then a home that does not exist gives NULL. */
kr_status kr_cli_open(kr_cli *cli, bool without_key, kr_engine **ret_engine, kr_error *error);
kr_str kr_cli_org(const kr_cli *cli);
kr_str kr_cli_secret_environment(const kr_cli *cli);
void kr_cli_engine_done(kr_engine **engine);

/* input.c: files read whole, into memory that is wiped when released */
#define KR_CLI_MAX_INPUT_BYTES ((size_t)16 << 20)

typedef struct kr_cli_bytes {
  uint8_t *ptr;
  size_t len;
  size_t cap;
} kr_cli_bytes;

/** path "-" is standard input. what names the thing for errors ("payload"). */
kr_status kr_cli_read_file(const char *path, const char *what, kr_cli_bytes *ret_bytes,
                           kr_error *error);
void kr_cli_bytes_done(kr_cli_bytes *bytes);
kr_str kr_cli_bytes_str(const kr_cli_bytes *bytes);

/** Editors end files with a newline that nobody means to send. */
kr_str kr_cli_without_final_newline(kr_str text);

/* prompt.c: what is typed unseen */
kr_status kr_cli_prompt_secret(kr_engine *engine, const char *name, kr_secret **ret_value,
                               kr_error *error);

/** On standard input when it is a terminal, else on /dev/tty; twice when it is a new one. */
kr_status kr_cli_prompt_passphrase(bool is_new, uint8_t *room, size_t cap, size_t *ret_len,
                                   kr_error *error);

/* custody.c: the key, from the options */

/** NULL, or what is wrong with the options that name a key. */
const char *kr_cli_key_problem(const kr_cli *cli);

/** Say in options which key the command line names, and how to get a passphrase. */
void kr_cli_name_key(const kr_cli *cli, kr_home_options *options);

/** The one warning about KROSYN_KEY; to be asked for before the library takes it. */
bool kr_cli_has_key_variable(void);
void kr_cli_warn_of_key_variable(const kr_cli *cli);

/* print.c: bytes for people and for programs */
kr_str kr_cli_str(const char *text);

/** The code point at *offset, which moves past it; -1 for a byte that is not UTF-8. */
int32_t kr_cli_next_rune(kr_str text, size_t *offset);

/** Whether a terminal may obey it: controls, and marks that turn the direction of text. */
bool kr_cli_is_unsafe_rune(int32_t rune);

/** Text with every control shown as an escape (\n, \u001b); never raw to a terminal. */
void kr_cli_put(FILE *out, kr_str text);

/** The same, but keeps newlines and tabs: for whole documents. */
void kr_cli_put_lines(FILE *out, kr_str text);
void kr_cli_put_json(FILE *out, kr_str text);

/** A JSON array of the parts of "A, B". */
void kr_cli_put_json_list(FILE *out, const char *joined);
void kr_cli_put_time(FILE *out, int64_t time_ms);

/** Indented with two spaces; the text must be well-formed JSON. */
void kr_cli_put_json_indented(FILE *out, kr_str json);

/* table.c */

/** Rows of cells, each column as wide as its widest. The cells are copied. */
#define KR_CLI_MAX_COLUMNS 6
typedef struct kr_cli_table {
  size_t n_columns;
  char **cells; /* row by row, already safe to show */
  size_t n_cells;
  size_t cap;
  bool is_short_of_memory;
} kr_cli_table;
void kr_cli_table_head(kr_cli_table *table, const char *const *titles);
void kr_cli_table_add(kr_cli_table *table, kr_str cell);
void kr_cli_table_add_time(kr_cli_table *table, int64_t time_ms);
kr_status kr_cli_table_print(FILE *out, const kr_cli_table *table, const char *indent,
                             kr_error *error);
void kr_cli_table_done(kr_cli_table *table);

/** A list is a table, or with --json an array that is written while it is visited. */
void kr_cli_list_item(size_t n_before);
kr_status kr_cli_list_end(const kr_cli *cli, kr_status status, size_t n_shown,
                          const kr_cli_table *table, kr_error *error);

/* report.c: what is wrong, where, and how to mend it */

/** The text a span counts in, and the file it is from; nothing of payload data is quoted. */
typedef struct kr_cli_place {
  const char *file; /* NULL: none */
  kr_str text;
  bool is_private; /* give the position, do not show the line */
} kr_cli_place;

kr_status kr_cli_error(kr_error *error, kr_status status, const char *format, ...) KR_PRINTF(3, 4);
void kr_cli_hint(kr_error *error, const char *format, ...) KR_PRINTF(2, 3);

/** The one mapping from what happened to the exit code. */
int kr_cli_exit_code(kr_status status);

/** Show the error on stderr and return its exit code. place may be NULL. */
int kr_cli_fail(const kr_cli *cli, const kr_error *error, const kr_cli_place *place);

/** The command line is wrong: message, hint; returns 2. */
int kr_cli_usage(const kr_cli *cli, const char *message, const char *hint);
void kr_cli_warn(const kr_cli *cli, const char *message);

/** One diagnostic for people, and as a JSON object. kind: "error", "warning" or NULL (krosyn). */
void kr_cli_show_error(FILE *out, const char *kind, const kr_error *error,
                       const kr_cli_place *place);
void kr_cli_put_json_error(FILE *out, const char *severity, const kr_error *error,
                           const kr_cli_place *place);

/** Whether colour is welcome on this stream: a terminal, and NO_COLOR is not set. */
bool kr_cli_is_colored(FILE *out);

/* findings.c: a kr_finding_visit over a kr_cli_findings */
typedef struct kr_cli_findings {
  FILE *out;        /* NULL: count only */
  const char *file; /* NULL: none */
  bool is_json;     /* items of an array */
  size_t n_errors;
  size_t n_warnings;
} kr_cli_findings;
kr_status kr_cli_take_finding(void *ctx, const kr_finding *finding);

/* names.c */

/** NULL when it is a secret's name, else what is wrong; never shows the word itself. */
const char *kr_cli_secret_name_problem(const char *name);
const char *kr_cli_org_name_problem(const char *name);

/** Whether --sink may have this word, and the hint when it may not. */
#define KR_CLI_SINKS_HINT "one of url, query, header, json, form, xml, text, condition, value"
bool kr_cli_is_sink(const char *name);

/* json_view.c: looking into a document that krosyn made; every value is its own piece of text */
kr_str kr_cli_json_member(kr_str object, const char *name); /* empty: none, or not an object */
bool kr_cli_json_each(kr_str array, size_t *offset, kr_str *ret_item); /* offset starts at 0 */

/** A string without its quotes, anything else as it stands; safe to show. */
void kr_cli_json_show(FILE *out, kr_str value);

/* event_view.c */
void kr_cli_show_event(FILE *out, kr_str event_json);

/* command_secret.c: what is known of a secret, as an object */
void kr_cli_put_secret_json(const kr_secret_info *info);

/* child.c: work that damaged files may end with a signal is done in a child: this program again */
#define KR_CLI_CHILD_WORD "__child"
typedef struct kr_cli_child {
  int code;   /* the exit code of the child */
  int signal; /* what ended it; 0: nothing did */
} kr_cli_child;
kr_status kr_cli_in_child(const kr_cli *cli, kr_cli_child *ret_child, kr_error *error);

/** Of a child that a fault ended: not one that somebody stopped. */
bool kr_cli_is_fault(const kr_cli_child *child);

/** End with the parent, so that nobody works on alone. */
void kr_cli_follow_parent(void);

/* steps.c: a line on a terminal's stderr that goes away again */
typedef struct kr_cli_steps {
  kr_progress progress;
  bool is_shown; /* something stands on the line */
} kr_cli_steps;
void kr_cli_steps_start(const kr_cli *cli, kr_cli_steps *progress);
void kr_cli_steps_end(kr_cli_steps *progress);

/* damage_view.c: what a walk over a home found */
typedef struct kr_cli_damages {
  const kr_cli *cli;
  kr_cli_steps *progress; /* or NULL */
  kr_text json;           /* items of an array, for --json */
  size_t n_told;
} kr_cli_damages;
void kr_cli_take_damage(void *ctx, const kr_home_damage *damage);
void kr_cli_damages_done(kr_cli_damages *damages);
void kr_cli_put_counts(FILE *out, const kr_home_counts *counts);
void kr_cli_put_counts_json(FILE *out, const kr_home_counts *counts);
void kr_cli_put_head(FILE *out, const kr_home_head *head);
void kr_cli_put_head_json(FILE *out, const kr_home_head *head);

/* The commands */
int kr_cli_run_init(kr_cli *cli);
int kr_cli_run_key_new(kr_cli *cli);
int kr_cli_run_key_status(kr_cli *cli);
int kr_cli_run_org_create(kr_cli *cli);
int kr_cli_run_org_delete(kr_cli *cli);
int kr_cli_run_org_list(kr_cli *cli);
int kr_cli_run_org_set(kr_cli *cli);
int kr_cli_run_org_show(kr_cli *cli);
int kr_cli_run_key_rotate(kr_cli *cli);
int kr_cli_run_key_rekey(kr_cli *cli);
int kr_cli_run_key_forget(kr_cli *cli);
int kr_cli_run_secret_set(kr_cli *cli);
int kr_cli_run_secret_list(kr_cli *cli);
int kr_cli_run_secret_show(kr_cli *cli);
int kr_cli_run_secret_delete(kr_cli *cli);
int kr_cli_run_secret_policy(kr_cli *cli);
int kr_cli_run_secret_history(kr_cli *cli);
int kr_cli_run_secret_rollback(kr_cli *cli);
int kr_cli_bad_secret_name(const kr_cli *cli, const char *problem);
int kr_cli_run_secret_import(kr_cli *cli);
int kr_cli_run_secret_export(kr_cli *cli);
int kr_cli_run_check(kr_cli *cli);
int kr_cli_run_render(kr_cli *cli);
int kr_cli_run_run(kr_cli *cli);
int kr_cli_run_functions(kr_cli *cli);
int kr_cli_run_dump(kr_cli *cli);
int kr_cli_run_events_list(kr_cli *cli);
int kr_cli_run_events_show(kr_cli *cli);
int kr_cli_run_redact(kr_cli *cli);
int kr_cli_run_verify(kr_cli *cli);
int kr_cli_run_backup(kr_cli *cli);
int kr_cli_run_restore(kr_cli *cli);
int kr_cli_run_purge(kr_cli *cli);
int kr_cli_run_status(kr_cli *cli);

#endif
