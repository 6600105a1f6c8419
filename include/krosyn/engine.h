/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h - a home on disk, its organizations and their secrets.
 *
 * A home is a directory: vault/ (organizations, secrets, audit), events/ (the
 * event log) and settings.json. The master key lives in a key file outside of
 * it. A kr_engine is one opened home; it may be used by several threads. A
 * process opens a home once (KR_EXISTS otherwise); several processes may have
 * the same home open.
 *
 * Output that has no natural struct is given as kr_text, which the caller
 * frees; lists call a visitor, whose arguments are borrowed for the call.
 */
#ifndef KROSYN_ENGINE_H
#define KROSYN_ENGINE_H

#include <krosyn/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Owned text, NUL-terminated beyond len. Zero it before the first use. */
typedef struct kr_text {
  char *ptr;
  size_t len;
  size_t cap;
} kr_text;

KR_API void kr_text_done(kr_text *text);

/** Append bytes as they are; or as a JSON string with its quotes (invalid UTF-8 becomes U+FFFD). */
KR_API kr_status kr_text_append(kr_text *text, kr_str bytes) KR_MUST_USE;
KR_API kr_status kr_text_append_json(kr_text *text, kr_str utf8) KR_MUST_USE;

/** 1-based line and column (code points) of a byte offset; for carets under a span. */
KR_API void kr_text_position(kr_str text, size_t offset, size_t *ret_line, size_t *ret_column);

/** The version of the library, "0.1.0". Static. */
KR_API const char *kr_version(void);

/**
 * Process-wide protections for programs: no core dumps, not traceable by other
 * users' processes, a file size limit met is an error (SIGXFSZ ignored), curl
 * set up with memory that is wiped when freed. Call once
 * at the start of main(), before any thread. The library never calls it itself;
 * without it kr_run on a network needs the caller's own curl_global_init().
 */
KR_API kr_status kr_process_init(kr_error *reterr) KR_MUST_USE;

typedef struct kr_engine kr_engine;

/**
 * Give the passphrase: write it, without a newline, into room, which is locked
 * memory of the library and wiped by it, and its length into *ret_len (at most
 * cap). is_new: one is being set, so ask twice. Whatever it returns but KR_OK,
 * with reterr filled, ends the call that asked.
 */
typedef kr_status (*kr_passphrase_ask)(void *ctx, bool is_new, uint8_t *room, size_t cap,
                                       size_t *ret_len, kr_error *reterr);

/*
 * Which key: the first of these that applies decides, and nothing after it is
 * tried when it fails.
 *  1. The caller names it: key_file, key_command, or key_source.
 *  2. With reads_environment: KROSYN_KEY_FILE, KROSYN_KEY_COMMAND or KROSYN_KEY;
 *     two of them at once are KR_INVALID. KROSYN_KEY holds `id base64` lines
 *     (';' parts them too). It is copied into locked memory, wiped where it
 *     stood and unset, also when another row decides; so it serves one opening,
 *     at a time when no other thread uses the environment.
 *  3. With reads_environment: the systemd credential krosyn.key, when it is there.
 *  4. What the home recorded at its creation.
 * docs/vault.md has the same table for users.
 */
typedef struct kr_home_options {
  const char *home;     /* directory */
  const char *key_file; /* a key file. NULL: not named */
  const char *key_dir;  /* where keys recorded as "default" lie: key_dir/<store-uuid>.key */
  const char *actor;    /* who acts, for the audit ("cli:uid=1000"); NULL: "library" */
  bool without_key;     /* open no key: names and metadata only, unverified */

  /* An absolute program and its arguments, parted by blanks: no quotes, no shell. It prints a key
   * file, or 88 characters of base64 alone (id "command"), and ends with 0 within a minute. Its
   * stdin is empty, its stderr is ours. NULL: not named. */
  const char *key_command;
  kr_key_source key_source;         /* one to be used though nothing above names it */
  kr_passphrase_ask ask_passphrase; /* NULL: a home with a passphrase is KR_UNTRUSTED */
  void *ask_context;
  bool reads_environment;     /* rows 2 and 3; else the environment is not looked at */
  bool runs_recorded_command; /* run the program a home recorded; only of a home that nobody else
                                 can write to, since whoever can chooses the program */
} kr_home_options;

/**
 * Create a home with one organization, "default", and record where its key
 * comes from. The key is chosen as above, with a new file key_dir/<uuid>.key in
 * place of row 4. A key file (key_file, KROSYN_KEY_FILE) is made; a passphrase
 * (at least 12 characters) is asked for; credential, variable and command must
 * give a key that exists, made by kr_key_file_create(). KR_EXISTS when the home
 * is not an empty or missing directory, or the key file exists; then nothing
 * was changed. On any later failure what was made is removed again.
 *
 * @ret_key_path  Optional: the path of the key file that was made; else empty.
 */
KR_API kr_status kr_home_create(const kr_home_options *options, kr_text *ret_key_path,
                                kr_error *reterr) KR_MUST_USE;

/**
 * Open a home. KR_NOT_FOUND (no home there), KR_UNSUPPORTED (of another
 * version), KR_UNTRUSTED (key missing, wrong, or readable by others),
 * KR_CORRUPT (truncated or damaged store). Runs that were interrupted get
 * their events.
 */
KR_API kr_status kr_engine_open(const kr_home_options *options, kr_engine **ret_engine,
                                kr_error *reterr) KR_MUST_USE;

/**
 * Every kr_run and kr_secret made with the engine must have been freed: what
 * they hold lies in its memory. Otherwise the process ends with a message.
 */
KR_API void kr_engine_close(kr_engine *engine);

/* Organizations: lower-case letters, digits and '-', at most 64 bytes. */
typedef struct kr_org_info {
  const char *name;
  int64_t created_ms; /* since 1970 UTC */
  size_t n_secrets;
} kr_org_info;
typedef kr_status (*kr_org_info_visit)(void *ctx, const kr_org_info *org);

KR_API kr_status kr_engine_org_create(kr_engine *engine, kr_str name, kr_error *reterr) KR_MUST_USE;
KR_API kr_status kr_engine_org_each(kr_engine *engine, kr_org_info_visit visit, void *ctx,
                                    kr_error *reterr) KR_MUST_USE;

/** A setting of organizations: one row of a closed table, with the value that holds. */
typedef struct kr_org_setting {
  const char *name;     /* "decide-on-secrets" */
  const char *value;    /* of the organization; the fallback when it was never set */
  const char *values;   /* what it may be: "on, off" */
  const char *fallback; /* one of them */
  const char *phrase;   /* one line, without a full stop */
} kr_org_setting;
typedef kr_status (*kr_org_setting_visit)(void *ctx, const kr_org_setting *setting);

/** The table itself, each setting with its fallback; needs no home. */
KR_API kr_status kr_org_setting_each(kr_org_setting_visit visit, void *ctx);

/** KR_NOT_FOUND (no such setting) or KR_INVALID (no such value), with a hint; needs no home. */
KR_API kr_status kr_org_setting_check(kr_str name, kr_str value, kr_error *reterr) KR_MUST_USE;

/** The settings of an organization. Without the key they are read unverified. */
KR_API kr_status kr_engine_org_setting_each(kr_engine *engine, kr_str org,
                                            kr_org_setting_visit visit, void *ctx,
                                            kr_error *reterr) KR_MUST_USE;

/** Set one, and say so in the audit ("org.set") in the same transaction. Errors as the check. */
KR_API kr_status kr_engine_org_set(kr_engine *engine, kr_str org, kr_str name, kr_str value,
                                   kr_error *reterr) KR_MUST_USE;

/*
 * Values enter through a kr_secret in locked memory and never come out: no
 * public function reveals one.
 */
typedef struct kr_secret kr_secret;

/** What kr_secret_read did to the bytes. */
typedef struct kr_secret_read_result {
  bool stripped_newline; /* one final newline (LF or CRLF) was removed */
} kr_secret_read_result;

/** Read a value from a file descriptor to its end into locked memory. KR_LIMIT over 64 KiB. */
KR_API kr_status kr_secret_read(kr_engine *engine, int fd, bool strip_newline,
                                kr_secret **ret_value, kr_secret_read_result *ret_result,
                                kr_error *reterr) KR_MUST_USE;

/** Copy a value from the caller's memory (the caller wipes its own). */
KR_API kr_status kr_secret_copy(kr_engine *engine, kr_str bytes, kr_secret **ret_value,
                                kr_error *reterr) KR_MUST_USE;
KR_API void kr_secret_free(kr_secret *secret);

/** Where in a request a secret may stand; bits of kr_secret_rules.positions. */
#define KR_SECRET_IN_HEADER 1u
#define KR_SECRET_IN_PATH 2u /* of the URL, its host included */
#define KR_SECRET_IN_QUERY 4u
#define KR_SECRET_IN_BODY 8u

/** What holds for a secret beside its value. */
typedef struct kr_secret_rules {
  int64_t expires_ms;  /* since 1970 UTC; from then on runs are refused; 0: never */
  const char *hosts;   /* "api.example.com *.example.org", lower case; "": any */
  uint32_t positions;  /* KR_SECRET_IN_...; 0: anywhere */
  uint32_t min_search; /* a shorter value is redacted by position alone; 0: 4 bytes; at most 64 */
  uint32_t keep;       /* versions, 1 to 50; 10 when nothing was said */
} kr_secret_rules;

/** A connector that used a secret. */
typedef struct kr_secret_usage {
  const char *connector; /* its name, redacted */
  int64_t time_ms;       /* the last time, to a minute */
  uint32_t version;
} kr_secret_usage;

typedef struct kr_secret_info {
  const char *name;
  const char *environment; /* "": the default */
  const char *description; /* "" when none */
  uint32_t version;
  uint32_t oldest; /* the oldest version kept */
  int64_t created_ms;
  int64_t updated_ms; /* of value, description or rules */
  const char *created_by;
  const char *updated_by;
  kr_secret_rules rules;
  const kr_secret_usage *uses; /* newest first */
  size_t n_uses;               /* at most 16 */
} kr_secret_info;
typedef kr_status (*kr_secret_info_visit)(void *ctx, const kr_secret_info *info);

#define KR_SECRET_NAME_SIZE 129 /* a name of 128 bytes and a NUL */

/** Notes about a saved value that are worth a warning; none says more of its content. */
typedef struct kr_secret_set_result {
  uint32_t version;
  bool is_new;
  bool is_short;        /* under 4 bytes: found in logs by position only */
  bool has_blank_edges; /* leading or trailing blanks were kept */
  bool is_placeholder;  /* looks like what examples hold instead of a secret: changeme, <token> */
  bool has_bare_name;   /* new, and no letter in its name: names are shown; is it a value? */
  char duplicate_of[KR_SECRET_NAME_SIZE]; /* another secret of the same value, or "" */
} kr_secret_set_result;

/*
 * A secret is known by its name and its environment (1 to 32 of a-z, 0-9, '-';
 * empty: the default). A run in an environment gets the secret of that
 * environment, else the default one.
 */

/** Save (create or replace). @description ptr NULL keeps the one there is. */
KR_API kr_status kr_engine_secret_set(kr_engine *engine, kr_str org, kr_str name,
                                      kr_str environment, const kr_secret *value,
                                      kr_str description, kr_secret_set_result *ret_result,
                                      kr_error *reterr) KR_MUST_USE;
KR_API kr_status kr_engine_secret_show(kr_engine *engine, kr_str org, kr_str name,
                                       kr_str environment, kr_secret_info_visit visit, void *ctx,
                                       kr_error *reterr) KR_MUST_USE;
KR_API kr_status kr_engine_secret_each(kr_engine *engine, kr_str org, kr_secret_info_visit visit,
                                       void *ctx, kr_error *reterr) KR_MUST_USE;

/** @visit  Optional: called once, before, with what is deleted and which connectors used it. */
KR_API kr_status kr_engine_secret_delete(kr_engine *engine, kr_str org, kr_str name,
                                         kr_str environment, kr_secret_info_visit visit, void *ctx,
                                         kr_error *reterr) KR_MUST_USE;

/** Replace the rules. KR_INVALID, KR_LIMIT: a rule is not well-formed. Lowering keep removes. */
KR_API kr_status kr_engine_secret_set_rules(kr_engine *engine, kr_str org, kr_str name,
                                            kr_str environment, const kr_secret_rules *rules,
                                            kr_error *reterr) KR_MUST_USE;

/** Changes the rules it is given; hosts may come to point to memory of ctx. May be called again. */
typedef kr_status (*kr_secret_rules_edit)(void *ctx, kr_secret_rules *rules);

/**
 * Replace some of the rules: edit is given those of now, in the transaction that
 * saves them, so that what others change meanwhile is not lost. A status of edit
 * other than KR_OK is returned, and nothing saved. Errors as above.
 */
KR_API kr_status kr_engine_secret_edit_rules(kr_engine *engine, kr_str org, kr_str name,
                                             kr_str environment, kr_secret_rules_edit edit,
                                             void *ctx, kr_error *reterr) KR_MUST_USE;

/** Make an older version's value the newest, sealed anew and never shown. */
KR_API kr_status kr_engine_secret_rollback(kr_engine *engine, kr_str org, kr_str name,
                                           kr_str environment, uint32_t version,
                                           uint32_t *ret_version, kr_error *reterr) KR_MUST_USE;

/** One kept version; borrowed for the visit. */
typedef struct kr_secret_version_info {
  uint32_t version;
  uint32_t from; /* the version whose value was brought back; 0: a value was saved */
  int64_t created_ms;
  const char *by;
} kr_secret_version_info;
typedef kr_status (*kr_secret_version_visit)(void *ctx, const kr_secret_version_info *info);

/** The kept versions, newest first. */
KR_API kr_status kr_engine_secret_history(kr_engine *engine, kr_str org, kr_str name,
                                          kr_str environment, kr_secret_version_visit visit,
                                          void *ctx, kr_error *reterr) KR_MUST_USE;

/* Importing secrets from a file: all of it or nothing, in one transaction. */

typedef enum kr_import_format {
  KR_IMPORT_ENV, /* "krosyn env 1", docs/formats/env.md */
  KR_IMPORT_JSON /* {"NAME": "value"} or {"NAME": {"value" or "value_b64", "description"}} */
} kr_import_format;

typedef enum kr_import_outcome {
  KR_IMPORT_NEW,
  KR_IMPORT_REPLACES, /* saved with another value */
  KR_IMPORT_SAME,     /* saved with this value: left alone */
  KR_IMPORT_REFUSED
} kr_import_outcome;

/** What is worth a warning. Bits. The first five: other readers would read another value. */
typedef enum kr_import_note {
  KR_IMPORT_EXPANDS = 1 << 0,   /* holds `$NAME`, `${`, `$(` or a backtick; nothing was expanded */
  KR_IMPORT_HASH = 1 << 1,      /* holds a '#' that others may read as a comment */
  KR_IMPORT_COMMENT = 1 << 2,   /* what follows " #" was read as a comment */
  KR_IMPORT_BACKSLASH = 1 << 3, /* holds a backslash that others may take away */
  KR_IMPORT_LINE_ENDS = 1 << 4, /* CR LF inside of it was read as LF */
  KR_IMPORT_SHORT = 1 << 5,     /* as in kr_secret_set_result */
  KR_IMPORT_BLANK_EDGES = 1 << 6,
  KR_IMPORT_PLACEHOLDER = 1 << 7,
  KR_IMPORT_DESCRIPTION_KEPT =
      1 << 8 /* the value is the same, so the description was not changed */
} kr_import_note;

typedef struct kr_import_options {
  kr_str org;
  kr_str environment; /* of all secrets of the file; "": the default */
  kr_import_format format;
  bool replace; /* secrets that are saved with another value get a new version */
  bool is_dry;  /* save nothing */
} kr_import_options;

/** One entry of the file. Neither the value nor its length is in any field. */
typedef struct kr_import_row {
  const char *name; /* "" when it is no name of a secret: it may be part of a value */
  size_t line;      /* 0: not known */
  kr_import_outcome outcome;
  uint32_t version;         /* of the value that was saved before; 0: none */
  uint32_t new_version;     /* that was saved now; 0: nothing was */
  unsigned notes;           /* kr_import_note */
  const char *duplicate_of; /* another secret of the same value, or "" */
  const char *reason;       /* of KR_IMPORT_REFUSED, else "" */
  const char *hint;
} kr_import_row;
typedef kr_status (*kr_import_row_visit)(void *ctx, const kr_import_row *row);

/**
 * Read a file's bytes (at most 16 MiB, 100 000 entries; the caller wipes them)
 * and save its secrets. Values that are saved already are left alone. visit is
 * called for each entry once all is decided, also when the import then fails;
 * not when the file cannot be read. That saved values were opened to compare is
 * in the audit, after a dry run too; a dry run writes nothing else, and fails as
 * the import would.
 *
 * Errors: KR_INVALID (not a file of that format, a name twice, entries that are
 * refused), KR_EXISTS (other values are saved, and replace is not set), KR_LIMIT,
 * KR_REFUSED (a secret changed meanwhile). After any of them nothing was saved.
 */
KR_API kr_status kr_engine_secret_import(kr_engine *engine, const kr_import_options *options,
                                         kr_str bytes, kr_import_row_visit visit, void *ctx,
                                         kr_error *reterr) KR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
