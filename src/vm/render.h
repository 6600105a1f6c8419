/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render.h - run a program against data: one pass, one bounded buffer,
 * escaping by context, and spans that say which output bytes derive from
 * which secrets.
 *
 * A kr_vm is the scratch of one thread (stack, slots, arena in sensitive
 * memory); after warm-up a render allocates nothing. Programs are shared.
 *
 * Two ways to run:
 *  - real: input->secrets is set; opened values are emitted and marked;
 *  - preview: input->secrets is NULL; no value exists. A secret emits the text
 *    "[REDACTED]", marked with a span and unescaped; a function over a secret is
 *    not run, its result is again such a text with the function added to the
 *    transforms. Checks that need the value are skipped.
 * In a preview $lookup may be unknown: what depends on it emits `‹lookup.path›`
 * (for a function: `‹name(…)›`), unescaped, and sets is_partial.
 */
#ifndef KR_VM_RENDER_H
#define KR_VM_RENDER_H

#include "base/clock.h"
#include "base/zoneinfo.h"
#include "lang/compile.h"
#include "secmem/secure.h"

/* Every limit of a render; inclusive. */
#define KR_LIMIT_URL_BYTES (8u * 1024u)
#define KR_LIMIT_HEADER_BYTES (8u * 1024u)
#define KR_LIMIT_BODY_BYTES (1024u * 1024u) /* also text, value, form, xml, query */
#define KR_LIMIT_STRING_BYTES (1024u * 1024u)
#define KR_LIMIT_SPANS 65536u /* marked stretches of one output */
#define KR_LIMIT_FUEL 200000u /* 1 per instruction, 1 per 32 bytes read or written */

/** Bytes that a render for this sink may have. */
size_t kr_render_output_limit(kr_sink sink);

/** Rendered bytes and their provenance. Sensitive memory. */
typedef struct kr_rendered {
  kr_buf buf;
  kr_span *spans; /* see the invariants in base/span.h; in JSON output a span lies
                     inside the quotes of one string, so replacing it keeps the JSON valid */
  uint32_t n_spans;
  uint32_t cap_spans;
  bool is_null;    /* KR_SINK_QUERY and KR_SINK_VALUE: the result was null */
  bool is_partial; /* preview: an unknown $lookup took part */
} kr_rendered;

/** Empty, to be filled by kr_vm_render() again and again. */
void kr_rendered_init(kr_rendered *rendered);
void kr_rendered_done(kr_rendered *rendered);

/** Room for extra more spans. KR_LIMIT over KR_LIMIT_SPANS, KR_NOMEM. */
kr_status kr_rendered_reserve_spans(kr_rendered *rendered, uint32_t extra) KR_MUST_USE;

/** Append the bytes of another one and its spans, shifted. KR_LIMIT, KR_NOMEM; then unchanged. */
kr_status kr_rendered_append(kr_rendered *rendered, const kr_rendered *more) KR_MUST_USE;

/** Opened values of this run, by index in the connector's kr_secret_names. */
typedef struct kr_secret_source {
  const kr_secret *const *values; /* [names->count]; NULL entry: KR_MISSING with the name */
  const kr_secret_names *names;
} kr_secret_source;

/**
 * Told of every byte string derived from secrets that redaction by value could
 * not know by itself: results of byte-changing functions (function = its
 * index), and emitted forms that differ from the value because of escaping
 * (function = KR_DERIVED_EMITTED). bytes are borrowed for the call.
 */
#define KR_DERIVED_EMITTED 255u
typedef struct kr_derived_sink {
  kr_status (*add)(void *ctx, kr_secret_set secrets, uint8_t function, kr_str bytes);
  void *ctx;
} kr_derived_sink;

/** Where uuid() has its random bytes from. */
typedef struct kr_random {
  kr_status (*fill)(void *ctx, void *out, size_t len, kr_error *reterr);
  void *ctx;
} kr_random;

typedef struct kr_render_input {
  const kr_json *payload;          /* NULL: missing */
  const kr_json *lookup;           /* NULL: missing, or unknown: */
  const kr_json *processed;        /* an object; NULL: missing */
  bool is_lookup_unknown;          /* preview only */
  const kr_secret_source *secrets; /* NULL: preview */
  const kr_derived_sink *derived;  /* NULL: nobody is told */
  const kr_clock *clock;           /* NULL: the system's */
  const kr_random *random;         /* NULL: the system's */
  const kr_zone_reader *zones;     /* NULL: the system's; a VM keeps zones it has read */
  uint32_t fuel;                   /* 0: KR_LIMIT_FUEL */
} kr_render_input;

typedef struct kr_vm kr_vm;

kr_status kr_vm_new(kr_vm **ret_vm, kr_error *reterr) KR_MUST_USE;
void kr_vm_free(kr_vm *vm);
KR_DEFINE_FREEP(kr_vm_freep, kr_vm, kr_vm_free)

/**
 * Render a program (any sink but KR_SINK_CONDITION).
 *
 * @rendered  Reset first; on failure its bytes are wiped and it is empty.
 * @reterr    span in bytes of the template, source = its field; the code is stable.
 *
 * Errors: KR_MISSING (path or secret), KR_INVALID (a value that its place
 * refuses: CR/LF in a header, ".." in a path, wrong type), KR_LIMIT, KR_NOMEM,
 * or what derived->add returned.
 */
kr_status kr_vm_render(kr_vm *vm, const kr_program *program, const kr_render_input *input,
                       kr_rendered *rendered, kr_error *reterr) KR_MUST_USE;

/** Evaluate a KR_SINK_CONDITION program; missing paths are null. */
kr_status kr_vm_condition(kr_vm *vm, const kr_program *program, const kr_render_input *input,
                          bool *ret_truth, kr_error *reterr) KR_MUST_USE;

/** Evaluates constants for kr_compile(), with the time zones of the system. Static, immutable. */
const kr_evaluator *kr_vm_evaluator(void);

#endif
