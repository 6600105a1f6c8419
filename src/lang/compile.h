/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile.h - template text in, immutable verified program out.
 *
 *   text -> tokens -> AST -> checks (contexts, types, arity, limits) -> program -> verifier
 *
 * All programs of one connector share one kr_secret_names table, so that a set
 * of secrets is one 64-bit word everywhere (base/span.h). The language is
 * described in docs/language.md.
 */
#ifndef KR_LANG_COMPILE_H
#define KR_LANG_COMPILE_H

#include "base/cleanup.h"
#include "base/span.h"
#include "base/status.h"
#include "json/json.h"

/** Where the output of a program goes; decides modes and escaping. */
typedef enum kr_sink {
  KR_SINK_URL,
  KR_SINK_QUERY, /* one query value, percent-encoded; a null result sets kr_rendered.is_null */
  KR_SINK_HEADER,
  KR_SINK_JSON, /* a JSON text with holes */
  KR_SINK_FORM,
  KR_SINK_XML,
  KR_SINK_TEXT,
  KR_SINK_CONDITION,
  KR_SINK_VALUE /* one JSON leaf, its type kept; renders as JSON text */
} kr_sink;

/** "url", "query", ... static; and back (false when unknown). */
const char *kr_sink_name(kr_sink sink);
bool kr_sink_from_name(kr_str name, kr_sink *ret_sink);

/** What a missing path means (a missing secret is always an error). */
typedef enum kr_missing_mode {
  KR_MISSING_STRICT,  /* an error that names the path */
  KR_MISSING_NULLISH, /* null */
  KR_MISSING_EMPTY    /* "" */
} kr_missing_mode;

#define KR_SECRET_NAME_BYTES 128u /* longest secret name */

/** The secret names a connector uses; index = bit in kr_secret_set. A plain value. */
typedef struct kr_secret_names {
  uint32_t count; /* <= KR_SECRETS_MAX */
  uint8_t len[KR_SECRETS_MAX];
  uint8_t bytes[KR_SECRETS_MAX][KR_SECRET_NAME_BYTES];
} kr_secret_names;

static inline kr_str kr_secret_name(const kr_secret_names *names, unsigned index) {
  return kr_str_from(names->bytes[index], names->len[index]);
}

/** Marks of one compiled process field, for $processed.NAME in later programs. */
typedef struct kr_field_marks {
  kr_str name;
  kr_secret_set secrets;
  bool is_untrusted;
} kr_field_marks;

typedef struct kr_program kr_program;

/**
 * Runs what a template says with literals alone, so that the compiler can put
 * the result in its place. lang runs nothing itself: kr_vm_evaluator() is the
 * one there is (vm/render.h), and the engine passes it in.
 */
typedef struct kr_evaluator {
  /** What the others are given; NULL: no memory. One compile begins at most one. */
  void *(*begin)(void);
  void (*end)(void *ctx);

  /**
   * The value at the RETURN of a KR_SINK_CONDITION program.
   *
   * @fuel      in/out; *fuel is 0 when it ran out.
   * @arena     Holds the value.
   * @ret_json  NULL: missing, or nothing that JSON can say.
   *
   * Errors: those of a render; KR_LIMIT also when it has more than KR_LIMIT_FOLD_BYTES.
   */
  kr_status (*value)(void *ctx, const kr_program *program, uint32_t *fuel, kr_arena *arena,
                     const kr_json **ret_json, kr_error *reterr);

  /** The bytes that any other program writes, appended to out. Errors alike. */
  kr_status (*text)(void *ctx, const kr_program *program, uint32_t *fuel, kr_buf *out,
                    kr_error *reterr);
} kr_evaluator;

typedef struct kr_compile_options {
  kr_sink sink;
  const char *field; /* "perform.url": the source of diagnostics; NULL is "template" */
  kr_missing_mode missing;
  bool allow_raw;               /* the connector's allowRaw: raw() compiles */
  bool decide_on_secrets;       /* the organization's: decisions on secrets compile */
  kr_secret_names *secrets;     /* in/out, required: names are added as they are met */
  const kr_field_marks *fields; /* $processed.X for X not listed is a compile error ... */
  size_t n_fields;
  bool is_processed_open;        /* ... unless this is set: any field, untrusted, no secrets */
  const kr_evaluator *evaluator; /* NULL: calls of literals are left to each render */
  bool is_plain; /* for tests: nothing folded, joined, shared or fused; the same meaning */
} kr_compile_options;

#define KR_DIAGNOSTICS_MAX 20u

typedef struct kr_diagnostic {
  bool is_error;  /* false: a lint, the program still compiles */
  kr_error error; /* code, span in bytes of the template, source = field, message, hint */
} kr_diagnostic;

typedef struct kr_diagnostics {
  size_t count;    /* of items; never more than the maximum */
  size_t n_errors; /* found in all, also when not all fit */
  kr_diagnostic items[KR_DIAGNOSTICS_MAX];
} kr_diagnostics;

/**
 * Compile one template.
 *
 * @text         UTF-8; borrowed for this call only.
 * @ret_program  Set on KR_OK; owned by the caller, kr_program_free().
 * @diagnostics  Required; emptied first. Errors and lints, in order of position.
 *
 * Errors: KR_SYNTAX (see diagnostics), KR_LIMIT (likewise), KR_NOMEM.
 * Threads: the program is immutable and may be rendered by many threads.
 */
kr_status kr_compile(kr_str text, const kr_compile_options *options, kr_program **ret_program,
                     kr_diagnostics *diagnostics) KR_MUST_USE;

/**
 * Compile a JSON body given as a tree: structure, keys, numbers and literals
 * stand as they are, every string leaf is a template of the sink KR_SINK_VALUE
 * (options->sink is ignored). One program renders the whole body as JSON text.
 * The source of a diagnostic is the leaf ("perform.body.text", "….items[2]").
 */
kr_status kr_compile_body(const kr_json *body, const kr_compile_options *options,
                          kr_program **ret_program, kr_diagnostics *diagnostics) KR_MUST_USE;

void kr_program_free(kr_program *program);
KR_DEFINE_FREEP(kr_program_freep, kr_program, kr_program_free)

/** The secrets this program may read. */
kr_secret_set kr_program_secrets(const kr_program *program);

/** The marks of the whole result, for kr_field_marks. */
bool kr_program_is_untrusted(const kr_program *program);

kr_sink kr_program_sink(const kr_program *program);

/** Does any reference read $lookup? */
bool kr_program_uses_lookup(const kr_program *program);

/**
 * Of a KR_SINK_URL program: "https://host[:port]" when the head is literal;
 * empty when the origin comes from a secret or a hostLabel. Borrowed.
 */
kr_str kr_program_origin(const kr_program *program);

/** References for `check`: "$payload.order.id", in order of first use, distinct. */
size_t kr_program_n_references(const kr_program *program);
kr_str kr_program_reference(const kr_program *program, size_t index);

/** Each place a secret may land, for `check`: secret index and kr_context; false past the end. */
bool kr_program_secret_site(const kr_program *program, size_t index, unsigned *ret_secret,
                            uint8_t *ret_context);

/** Static words for kr_span.context ("url path", "header value", "json string") and transforms. */
const char *kr_context_name(uint8_t context);
const char *kr_function_name(uint8_t function);

/** What bounds are counted in: bytes of JSON text, and bytes of all secrets the program names. */
typedef enum kr_cost_input {
  KR_COST_PAYLOAD,
  KR_COST_LOOKUP,
  KR_COST_PROCESSED,
  KR_COST_SECRETS,
  KR_COST_INPUTS
} kr_cost_input;

/** At most fixed + per[i] for each byte of input i; for fuel per[i] counts in 32nds. */
typedef struct kr_bound {
  bool is_open; /* no such sum is known: only the limits of a render bound it */
  uint64_t fixed;
  uint64_t per[KR_COST_INPUTS];
} kr_bound;

typedef struct kr_cost {
  kr_bound fuel;
  kr_bound output;     /* bytes */
  const char *open_by; /* the function that leaves the fuel open, or NULL. Static */
} kr_cost;

/**
 * Upper bounds of any render of the program but a preview, in time linear in
 * its size. KR_NOMEM.
 */
kr_status kr_program_cost(const kr_program *program, kr_cost *ret_cost) KR_MUST_USE;

/** What a stage before the program made: shown, then forgotten. */
typedef enum kr_compile_stage {
  KR_STAGE_TOKENS,
  KR_STAGE_TREE,
  KR_STAGE_PRINT /* the template again, in its canonical form: print.c */
} kr_compile_stage;

/** Compile up to a stage and append what it made to out. Errors as kr_compile(). */
kr_status kr_compile_show(kr_str text, const kr_compile_options *options, kr_compile_stage stage,
                          kr_diagnostics *diagnostics, kr_buf *out) KR_MUST_USE;

/** Disassembly, one instruction per line; names, never values. */
kr_status kr_program_dump(const kr_program *program, kr_buf *out) KR_MUST_USE;

#endif
