/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact.h - find every occurrence of every secret in bytes and remove it.
 *
 *   values --builder--> kr_redact_set (immutable, shared) --scan--> covered runs --> "[REDACTED]"
 *
 * Match set: all occurrences, overlapping ones too, of every form of every
 * value. Output: each maximal run of covered bytes (overlapping or adjacent
 * matches) becomes one marker, in one pass over the input. See docs/redaction.md.
 *
 * Forms: raw (and trimmed), percent (any subset of bytes escaped, any hex case,
 * '+' for space), JSON escapes, also inside JSON, HTML entities, base64 (both alphabets, three
 * alignments, with any prefix and suffix), hex (any case). Values of several lines are found with
 * any line breaks and by their longer lines, JSON, URLs and PEM also by their leaves (parts.h).
 * Values of 1-3 bytes are not searched unless asked (they are redacted by position) but counted as
 * short.
 *
 * Sets, scratch and held tails live in sensitive memory.
 */
#ifndef KR_REDACT_REDACT_H
#define KR_REDACT_REDACT_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/span.h"

#define KR_REDACT_MARKER "[REDACTED]"
#define KR_REDACT_MIN_SEARCH_BYTES 4u /* shorter values are not searched unless asked */
#define KR_REDACT_MAX_VALUE_BYTES (64u * 1024u)
#define KR_REDACT_MAX_VALUES 100000u /* per set */
#define KR_REDACT_NAME_BYTES 200u    /* "NAME", "NAME@environment" or "NAME|function" */

typedef enum kr_redact_form {
  KR_FORM_SPAN, /* by position */
  KR_FORM_RAW,
  KR_FORM_PERCENT,
  KR_FORM_JSON_TWICE, /* before JSON: such an escape is also one and more of JSON */
  KR_FORM_JSON,
  KR_FORM_HTML,
  KR_FORM_BASE64,
  KR_FORM_HEX,
  KR_FORM_LINE, /* a line of a value of several lines, in whatever form */
  KR_FORM_LEAF, /* a leaf of a structured value, in whatever form */
  KR_FORM_COUNT
} kr_redact_form;

#define KR_REDACT_FORM_BIT(form) (UINT32_C(1) << (form))
#define KR_REDACT_ALL_FORMS (KR_REDACT_FORM_BIT(KR_FORM_COUNT) - 1u)

const char *kr_redact_form_name(kr_redact_form form); /* "span", "raw", ... static */
/** The form of that name; KR_FORM_COUNT: there is none. */
kr_redact_form kr_redact_form_named(kr_str name);

typedef struct kr_redact_set kr_redact_set;
typedef struct kr_redact_builder kr_redact_builder;

kr_status kr_redact_builder_new(kr_redact_builder **ret_builder, kr_error *reterr) KR_MUST_USE;
void kr_redact_builder_free(kr_redact_builder *builder);
KR_DEFINE_FREEP(kr_redact_builder_freep, kr_redact_builder, kr_redact_builder_free)

/**
 * Add a value. @name and @value are copied (the value into sensitive memory).
 * Empty or all-blank: KR_INVALID. Too long or too many: KR_LIMIT. The same
 * value under two names is kept once per name.
 */
kr_status kr_redact_builder_add(kr_redact_builder *builder, kr_str name, uint32_t version,
                                kr_str value, kr_error *reterr) KR_MUST_USE;

typedef struct kr_redact_secret {
  kr_str name;
  kr_str bytes;
  uint32_t version;
  uint32_t min_search; /* search it, and parts of it, from so many bytes on; 0: the default */
} kr_redact_secret;

/** The same, with all that can be said of a value. */
kr_status kr_redact_builder_add_secret(kr_redact_builder *builder, const kr_redact_secret *value,
                                       kr_error *reterr) KR_MUST_USE;

/**
 * Search only these forms, a mask of KR_REDACT_FORM_BIT; values as they are
 * always. For the next set built, which then follows it everywhere; after that
 * all are on again, and a set made from another one does not inherit it. What
 * joins two sets searches the forms of both.
 */
void kr_redact_builder_set_forms(kr_redact_builder *builder, uint32_t forms);

/** Add every value of another set (a run's additions on top of the organization's set). */
kr_status kr_redact_builder_add_set(kr_redact_builder *builder,
                                    const kr_redact_set *set) KR_MUST_USE;

/** Build; the builder is empty afterwards and may be used again. An empty set is fine. */
kr_status kr_redact_builder_build(kr_redact_builder *builder, kr_redact_set **ret_set,
                                  kr_error *reterr) KR_MUST_USE;

/** Sets are immutable, shared between threads, counted. free drops one reference. */
kr_redact_set *kr_redact_set_ref(kr_redact_set *set);
void kr_redact_set_free(kr_redact_set *set);
KR_DEFINE_FREEP(kr_redact_set_freep, kr_redact_set, kr_redact_set_free)

uint32_t kr_redact_set_forms(const kr_redact_set *set); /* that are searched, a mask */
size_t kr_redact_set_n_values(const kr_redact_set *set);
size_t kr_redact_set_n_short(const kr_redact_set *set); /* values not searched by value */
/** Is there a value of more than len bytes? For deciding how much of a cut text may be kept. */
bool kr_redact_set_is_longer(const kr_redact_set *set, size_t len);
kr_str kr_redact_set_name(const kr_redact_set *set, size_t index);
uint32_t kr_redact_set_version(const kr_redact_set *set, size_t index);

/** What was found: hits per value and form. Grows on the heap; names only, no values. */
typedef struct kr_redact_hit {
  uint32_t value; /* index in the set; for KR_FORM_SPAN: the bit of kr_span.secrets */
  uint32_t form;  /* kr_redact_form */
  uint64_t count; /* matches, before runs are merged */
} kr_redact_hit;

typedef struct kr_redact_report {
  kr_redact_hit *hits;
  size_t n_hits;
  size_t cap_hits;
  uint64_t n_runs;         /* markers written */
  uint64_t n_late_partial; /* of these, how many stand for what was in part written before */
} kr_redact_report;

void kr_redact_report_done(kr_redact_report *report);

typedef struct kr_redact_options {
  bool use_marker_names; /* "[REDACTED:NAME]": of several, the name that starts first */
} kr_redact_options;

/**
 * One shot: append the redacted input to out. report and options may be NULL.
 * Errors: KR_LIMIT (out), KR_NOMEM; then out is as it was before the call.
 * Threads: any number at once on one set.
 */
kr_status kr_redact_bytes(const kr_redact_set *set, kr_str input, const kr_redact_options *options,
                          kr_buf *out, kr_redact_report *report) KR_MUST_USE;

/**
 * By position and by value: the bytes of each span and of each match are
 * removed; what touches or overlaps becomes one marker. Matches wholly inside a
 * span are not counted a second time. Spans as in base/span.h.
 */
kr_status kr_redact_spans(const kr_redact_set *set, kr_str input, const kr_span *spans,
                          size_t n_spans, const kr_redact_options *options, kr_buf *out,
                          kr_redact_report *report) KR_MUST_USE;

/**
 * What one thread needs to redact text after text without allocating anew.
 * Sensitive memory, wiped after each use.
 */
typedef struct kr_redact_scratch kr_redact_scratch;
kr_status kr_redact_scratch_new(kr_redact_scratch **ret_scratch) KR_MUST_USE;
void kr_redact_scratch_free(kr_redact_scratch *scratch);
KR_DEFINE_FREEP(kr_redact_scratch_freep, kr_redact_scratch, kr_redact_scratch_free)

/**
 * As kr_redact_spans, but with *ret_is_unchanged nothing was covered and out is
 * untouched: the input is its own result.
 */
kr_status kr_redact_with(kr_redact_scratch *scratch, const kr_redact_set *set, kr_str input,
                         const kr_span *spans, size_t n_spans, const kr_redact_options *options,
                         kr_buf *out, kr_redact_report *report, bool *ret_is_unchanged) KR_MUST_USE;

/**
 * The second algorithm: a plain search for every listed spelling of every part
 * of every value, sharing no code with the automaton, skipping markers. True
 * when nothing is found; what fails (memory too) counts as found. The first call
 * on a set builds an index of all spellings; any thread.
 */
bool kr_redact_verify(const kr_redact_set *set, kr_str output);

/**
 * Streams: the output for any split of the input equals one shot on the whole.
 * What is undecided is held back, everything before it is written at once.
 */
typedef struct kr_redact_stream kr_redact_stream;
typedef kr_status (*kr_redact_write)(void *ctx, kr_str bytes);

kr_status kr_redact_stream_new(kr_redact_set *set, const kr_redact_options *options,
                               kr_redact_write write, void *ctx, kr_redact_stream **ret_stream,
                               kr_error *reterr) KR_MUST_USE;

/** Feed bytes; an empty write is not the end. Fails as the callback failed, or KR_NOMEM. */
kr_status kr_redact_stream_feed(kr_redact_stream *stream, kr_str bytes) KR_MUST_USE;

/** Decide the rest and write it. The stream may then only be freed. */
kr_status kr_redact_stream_finish(kr_redact_stream *stream) KR_MUST_USE;

/**
 * Late registration: values that become known while the stream is under way.
 * kr_redact_stream_keep, before the first feed, has the stream keep the raw
 * bytes it wrote last, so that a value that began in them is recognised:
 * KR_REDACT_LATE_BYTES, or KR_REDACT_TOKEN_BYTES for each byte of the longest
 * form in the set when that is more (1.2 MiB for a value of 64 KiB), twice over.
 *
 * kr_redact_stream_update goes on with the values of both sets; nothing is ever
 * removed from a stream. What is held back is decided anew; what is out is out.
 * A run that began in it is counted in n_late_partial, once each. The same set
 * as before costs a comparison. Values keep their index, new ones come after
 * them. Fails as feed does, or KR_LIMIT: both sets together are too large.
 */
#define KR_REDACT_LATE_BYTES (64u * 1024u)
void kr_redact_stream_keep(kr_redact_stream *stream);
kr_status kr_redact_stream_update(kr_redact_stream *stream, kr_redact_set *set) KR_MUST_USE;

/** The set in use; the report's indexes count in it. Borrowed until the next update. */
const kr_redact_set *kr_redact_stream_set(const kr_redact_stream *stream);

/** Bytes held back now; bounded by the longest form. For tests and gauges. */
size_t kr_redact_stream_held(const kr_redact_stream *stream);
const kr_redact_report *kr_redact_stream_report(const kr_redact_stream *stream);
void kr_redact_stream_free(kr_redact_stream *stream);
KR_DEFINE_FREEP(kr_redact_stream_freep, kr_redact_stream, kr_redact_stream_free)

#endif
