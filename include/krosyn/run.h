/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - templates, connectors and events.
 *
 * A run is a step machine: kr_run_step() goes on until it needs the network
 * (KR_RUN_NEED_HTTP), and kr_http_drive() moves the network for one run or
 * thousands. Request bytes, with the secrets in them, never leave the library.
 *
 *   kr_run *run;  kr_run_new(engine, &options, &run, &error);
 *   while (kr_run_step(run) == KR_RUN_NEED_HTTP)
 *     kr_http_drive(engine, 1000, &error);
 *   event = kr_run_event(run);        // the stored, redacted event as JSON
 *   kr_run_free(run);
 *
 * Threads: a run is used by one thread at a time; many threads may each have
 * their own runs on one engine.
 */
#ifndef KROSYN_RUN_H
#define KROSYN_RUN_H

#include <krosyn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Diagnostics of a compile; borrowed for the visit. */
typedef struct kr_finding {
  bool is_error;         /* false: a warning */
  const kr_error *error; /* code, source (field), span in bytes of text */
  kr_str text;           /* the template the span counts in; empty when there is none */
} kr_finding;
typedef kr_status (*kr_finding_visit)(void *ctx, const kr_finding *finding);

/** Where a secret lands. */
typedef struct kr_landing {
  const char *secrets;    /* "CRM_API_KEY", or several joined by ", " */
  const char *field;      /* "lookup.headers.Authorization"; "template" for render */
  const char *context;    /* "header value", "url path", "json string" */
  const char *transforms; /* "base64Encode, urlEncode", innermost first; "" when none */
  size_t offset;          /* of the marker in the redacted text */
} kr_landing;
typedef kr_status (*kr_landing_visit)(void *ctx, const kr_landing *landing);

/** Compile a template and render it without any key or value; secrets show as [REDACTED]. */
typedef struct kr_preview_options {
  kr_engine *engine;  /* NULL: every named secret counts as present */
  kr_str org;         /* used with engine: a secret that does not exist is KR_MISSING */
  kr_str environment; /* of the secrets; empty: the default */
  const char *sink;   /* "text" when NULL */
  kr_str text;        /* the template */
  kr_str payload;     /* JSON texts; empty: none */
  kr_str lookup;
  kr_str processed;
} kr_preview_options;

/**
 * @ret_text    The rendered text with every secret as [REDACTED]; for a condition "true" or
 * "false".
 * @findings    Optional; called for every diagnostic, also on success (warnings).
 * @landings    Optional; called for every place a secret landed, in order.
 */
KR_API kr_status kr_preview(const kr_preview_options *options, kr_text *ret_text,
                            kr_finding_visit findings, kr_landing_visit landings, void *ctx,
                            kr_error *reterr) KR_MUST_USE;

/** One function of the template language. Borrowed for the visit. */
typedef struct kr_function_entry {
  const char *name;
  const char *group;            /* "string", "logic", "compare", ... as docs/language.md has them */
  const char *signature;        /* "substring(value, start, length?)" */
  const char *phrase;           /* what it does, without a full stop */
  const char *secret_arguments; /* "key, value": those that may be a secret; "" none */
  const char *example;          /* "substring('krosyn', -3, 2)"; "" when it depends on its place */
  const char *result;           /* the example's, as JSON: "\"sy\"" */
} kr_function_entry;
typedef kr_status (*kr_function_visit)(void *ctx, const kr_function_entry *entry);

/** Every function, in the order of the reference. Returns what visit returned, or KR_NOMEM. */
KR_API kr_status kr_function_each(kr_function_visit visit, void *ctx) KR_MUST_USE;

typedef enum kr_dump_stage {
  KR_DUMP_TOKENS, /* "offset  kind  text", one per line */
  KR_DUMP_AST,    /* one node per line, two blanks per level, contexts in < > */
  KR_DUMP_CODE    /* one instruction per line */
} kr_dump_stage;

/** What the compiler makes of a template. Needs no engine; raw() is allowed. */
typedef struct kr_dump_options {
  kr_dump_stage stage;
  const char *sink; /* "text" when NULL */
  kr_str text;      /* the template */
} kr_dump_options;

/**
 * @ret_text    Lines for people: names of secrets, never values. The format may change.
 * @findings    Optional; called for every diagnostic, also on success (warnings).
 *
 * Errors: KR_SYNTAX, KR_LIMIT (see findings), KR_INVALID (no such sink), KR_NOMEM.
 */
KR_API kr_status kr_dump(const kr_dump_options *options, kr_text *ret_text,
                         kr_finding_visit findings, void *ctx, kr_error *reterr) KR_MUST_USE;

/** What a connector needs and does, beside its findings. Borrowed for the visit. */
typedef struct kr_check_fact {
  const char *kind;   /* "secret", "missing-secret", "reference", "host", "fuel", "output" */
  const char *field;  /* where ("perform.url") */
  const char *value;  /* the name, "$payload.order.id", "https://crm.example.com"; of fuel and
                         output an upper bound: "41 + 3/32 x payload", inputs in bytes */
  const char *detail; /* context for a secret, the limit of fuel and output, else "" */
} kr_check_fact;
typedef kr_status (*kr_check_visit)(void *ctx, const kr_check_fact *fact);

/** Compile every field of a connector. KR_SYNTAX when there are errors (see findings). */
KR_API kr_status kr_check(kr_engine *engine_or_null, kr_str org, kr_str connector_json,
                          kr_finding_visit findings, kr_check_visit facts, void *ctx,
                          kr_error *reterr) KR_MUST_USE;

typedef struct kr_run_options {
  kr_str org;
  kr_str environment; /* whose secrets are preferred to the default ones; empty: none */
  kr_str connector;   /* its JSON text */
  kr_str payload;     /* JSON text; ptr NULL: the connector's example_payload */
  kr_str lookup;      /* dry run only: JSON text that stands for the lookup's answer */
  bool allow_private;
  bool is_dry; /* no network, no key, nothing stored */
} kr_run_options;

typedef enum kr_run_state {
  KR_RUN_NEED_HTTP, /* call kr_http_drive(), then kr_run_step() again */
  KR_RUN_DONE       /* kr_run_status() and kr_run_event() are there */
} kr_run_state;

typedef struct kr_run kr_run;

/**
 * Begin a run. Fails without an event when there is nothing to run: the
 * connector or the payload is not valid JSON (byte offset in reterr), or of the
 * wrong shape. Everything later (templates that do not compile, missing
 * secrets, refused hosts, failed requests) is a failed event. The options are
 * copied. engine may be NULL for a dry run: then every named secret counts as present.
 */
KR_API kr_status kr_run_new(kr_engine *engine, const kr_run_options *options, kr_run **ret_run,
                            kr_error *reterr) KR_MUST_USE;
/** Once done it stays done: further calls change nothing. Nothing here blocks on the network. */
KR_API kr_run_state kr_run_step(kr_run *run);

/**
 * Free a run, done or not. One that is not done is given up: its exchange is
 * closed, and if its secrets were opened already, the intent that says so stays
 * in the log; once this process has ended, the next start turns it into an
 * "interrupted" event.
 */
KR_API void kr_run_free(kr_run *run);

/**
 * Once done: KR_OK when the event is stored (whatever its status); otherwise
 * why it could not be, and then nothing is to be relied on ("sent, not logged").
 */
KR_API kr_status kr_run_result(const kr_run *run, kr_error *reterr) KR_MUST_USE;

/** "completed", "skipped", "failed". */
KR_API const char *kr_run_status(const kr_run *run);

/** The event as stored, JSON; of a dry run the preview. Borrowed until kr_run_free. */
KR_API kr_str kr_run_event(const kr_run *run);

/** Diagnostics of templates that did not compile, for display; values never appear. */
KR_API kr_status kr_run_findings(const kr_run *run, kr_finding_visit visit, void *ctx) KR_MUST_USE;

/**
 * Move the network of all runs of this engine; waits up to timeout_ms, and
 * returns sooner when something happened. Any number of threads may call it:
 * one of them waits for the network, the others for the end of its turn.
 */
KR_API kr_status kr_http_drive(kr_engine *engine, uint32_t timeout_ms,
                               kr_error *reterr) KR_MUST_USE;

/* Events, newest first; json is the stored record with its sequence. */
typedef struct kr_event_info {
  uint64_t sequence;
  const char *id;
  const char *status;
  int64_t started_ms;
  kr_str connector; /* as recorded (redacted), JSON-decoded */
  kr_str json;
  bool is_verified; /* false when read without a key */
} kr_event_info;
typedef kr_status (*kr_event_info_visit)(void *ctx, const kr_event_info *event);

KR_API kr_status kr_engine_event_each(kr_engine *engine, kr_str org, size_t max_events,
                                      kr_event_info_visit visit, void *ctx,
                                      kr_error *reterr) KR_MUST_USE;

/** By id, or a prefix of at least 8 characters that fits one event only. */
KR_API kr_status kr_engine_event_show(kr_engine *engine, kr_str org, kr_str id,
                                      kr_event_info_visit visit, void *ctx,
                                      kr_error *reterr) KR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
