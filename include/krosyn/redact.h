/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact.h - the redactor for programs of their own: text in, the same text
 * without secrets out. What counts as an occurrence: docs/redaction.md.
 *
 *   values --builder--> kr_redactor_set    immutable, counted, shared by threads
 *                             |
 *                        kr_redactor       the values of now: added ones, or an organization's too;
 *                        /         \       shared by threads, takes new values at any time
 *      kr_redactor_scratch          kr_filter
 *      one record after another     a stream, split anywhere
 *      (one thread each)            (one thread each)
 *
 *   kr_filter *filter;
 *   kr_filter_new_from_values(values_json, &options, write, ctx, &filter, &error);
 *   kr_filter_feed(filter, bytes, &error);  ...
 *   kr_filter_finish(filter, &error);
 *   kr_filter_free(filter);
 *
 * Every handle is opaque and every struct is plain, so that other languages can
 * call all of it; docs/redact-api.md has a complete program for each use.
 *
 * Sets, scratch and what streams hold back live in memory that is kept out of
 * core files and wiped.
 */
#ifndef KROSYN_REDACT_H
#define KROSYN_REDACT_H

#include <krosyn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sets of values ---- */

typedef struct kr_redact_set kr_redactor_set;
typedef struct kr_redact_builder kr_redactor_builder;

#define KR_REDACTOR_NAME_BYTES 200u           /* of the name of a value */
#define KR_REDACTOR_VALUE_BYTES (64u * 1024u) /* of one value */
#define KR_REDACTOR_SET_VALUES 100000u        /* in one set */
#define KR_REDACTOR_SET_BYTES (16u << 20)     /* of all values of one set */
#define KR_REDACTOR_LIST_BYTES (64u << 20)    /* of a JSON list of values */

/** A value to be removed. Zero what is not used. */
typedef struct kr_redactor_value {
  kr_str name;         /* for markers with names and for counts; any bytes */
  kr_str value;        /* at least one byte that is no blank */
  uint32_t version;    /* for counts; 0: none */
  uint32_t min_search; /* bytes from which on it, and parts of it, are searched; 0: 4 */
} kr_redactor_value;

/** Collects values. One thread. */
KR_API kr_status kr_redactor_builder_new(kr_redactor_builder **ret_builder,
                                         kr_error *reterr) KR_MUST_USE;

/**
 * Add a value; name and bytes are copied, and the caller wipes its own. Values
 * of 1 to 3 bytes are taken but not searched for (kr_redactor_set_n_short)
 * unless min_search asks for it: every such byte of every text is then removed,
 * which ruins logs and tells who can write into them what the value is.
 *
 * Errors: KR_INVALID (empty, or nothing but blanks), KR_LIMIT (named above), KR_NOMEM.
 */
KR_API kr_status kr_redactor_builder_add(kr_redactor_builder *builder,
                                         const kr_redactor_value *value,
                                         kr_error *reterr) KR_MUST_USE;

/**
 * Add each value of a JSON array: strings, {"name", "value"} or {"name",
 * "value_b64"} (base64, for bytes that are no text), with "min_search" if wanted
 * (a number from 1 to KR_REDACTOR_VALUE_BYTES). Values without a name are
 * called "value-1", "value-2", after their place. Errors as above, and
 * KR_INVALID for what is no such list; they tell the item, never its value.
 * After a failure what came before it has been added.
 */
KR_API kr_status kr_redactor_builder_add_list(kr_redactor_builder *builder, kr_str values_json,
                                              kr_error *reterr) KR_MUST_USE;

/** Make the set. The builder is empty afterwards and may be used again. No value at all is fine. */
KR_API kr_status kr_redactor_builder_build(kr_redactor_builder *builder, kr_redactor_set **ret_set,
                                           kr_error *reterr) KR_MUST_USE;
KR_API void kr_redactor_builder_free(kr_redactor_builder *builder);

/** One more reference; kr_redactor_set_free drops one, and with the last wipes. Any thread. */
KR_API kr_redactor_set *kr_redactor_set_ref(kr_redactor_set *set);
KR_API void kr_redactor_set_free(kr_redactor_set *set);
KR_API size_t kr_redactor_set_n_values(const kr_redactor_set *set);
KR_API size_t kr_redactor_set_n_short(const kr_redactor_set *set);

/* ---- the values of now ---- */

/** Counted, and for any number of threads at once. */
typedef struct kr_redactor kr_redactor;

/** @set The first values; NULL for none yet. Referenced, not copied. */
KR_API kr_status kr_redactor_new(kr_redactor_set *set, kr_redactor **ret_redactor,
                                 kr_error *reterr) KR_MUST_USE;

/**
 * Every kept version of every secret of an organization, as they are at each
 * use: what any process saves is seen by the next record and the next feed.
 * Opening the values is a record in the audit, each time they have changed.
 *
 * @engine  Opened with its key; must outlive the redactor and all that is made of it.
 *
 * Errors: KR_NOT_FOUND (no such organization), KR_UNTRUSTED (no key), KR_CORRUPT, KR_NOMEM.
 */
KR_API kr_status kr_redactor_new_from_org(kr_engine *engine, kr_str org, kr_redactor **ret_redactor,
                                          kr_error *reterr) KR_MUST_USE;

/**
 * Late registration: from the return of this call on, all records and feeds
 * that begin, on any thread, know the values of set too. Streams under way catch
 * what they have not written yet. Costs the building of a set of all values, so
 * add many at once. Nothing is ever taken away.
 *
 * Errors: KR_LIMIT (all values together), KR_NOMEM; then nothing has changed.
 */
KR_API kr_status kr_redactor_add(kr_redactor *redactor, kr_redactor_set *set,
                                 kr_error *reterr) KR_MUST_USE;

/** The same for one value. Errors as kr_redactor_builder_add. */
KR_API kr_status kr_redactor_add_value(kr_redactor *redactor, const kr_redactor_value *value,
                                       kr_error *reterr) KR_MUST_USE;

/**
 * Do not search one form any more, for all values of this redactor, those to
 * come too. Streams under way keep it. Forms are named as in counts: percent,
 * json, json-twice, html, base64, hex, line, leaf; values as they are ("raw")
 * are always searched.
 *
 * Errors: KR_INVALID (no such form), KR_NOMEM, those of kr_redactor_now.
 */
KR_API kr_status kr_redactor_leave_out(kr_redactor *redactor, kr_str form,
                                       kr_error *reterr) KR_MUST_USE;

/** The set of now, with a reference for the caller. Errors as kr_redactor_new_from_org. */
KR_API kr_status kr_redactor_now(kr_redactor *redactor, kr_redactor_set **ret_set,
                                 kr_error *reterr) KR_MUST_USE;

/** One more reference; kr_redactor_free drops one. Scratches and filters hold their own. */
KR_API kr_redactor *kr_redactor_ref(kr_redactor *redactor);
KR_API void kr_redactor_free(kr_redactor *redactor);

typedef struct kr_filter_options {
  bool use_marker_names; /* "[REDACTED:NAME]"; in JSON always "[REDACTED]" */
} kr_filter_options;

/** Hits by name and form ("raw", "percent", ...). The name is borrowed for the call. */
typedef kr_status (*kr_filter_hit_visit)(void *ctx, kr_str name, const char *form, uint64_t count);

/* ---- record after record ---- */

/** What one thread needs, kept from record to record. One thread at a time. */
typedef struct kr_redactor_scratch kr_redactor_scratch;

/** @options NULL: the defaults. */
KR_API kr_status kr_redactor_scratch_new(kr_redactor *redactor, const kr_filter_options *options,
                                         kr_redactor_scratch **ret_scratch,
                                         kr_error *reterr) KR_MUST_USE;
KR_API void kr_redactor_scratch_free(kr_redactor_scratch *scratch);

typedef struct kr_redactor_result {
  kr_str
      bytes; /* safe to log; borrowed: from the scratch until its next use, or the input itself */
  uint64_t n_markers; /* written into it */
  bool is_unchanged;  /* nothing was found; bytes is the input, not copied */
  bool is_withheld;   /* JSON only: bytes is a note that says why, in place of the record */
} kr_redactor_result;

/**
 * Redact bytes, text or not, of any length. On failure there is no result:
 * do not log the input instead.
 *
 * Errors: those of kr_redactor_now; KR_NOMEM.
 */
KR_API kr_status kr_redactor_bytes(kr_redactor_scratch *scratch, kr_str input,
                                   kr_redactor_result *ret_result, kr_error *reterr) KR_MUST_USE;

/**
 * Redact one JSON document: strings, keys, numbers and literals, decoded. What
 * comes out is JSON, on one line when anything was removed: a number that is
 * removed becomes the string "[REDACTED]", keys that become equal get "#2". It
 * is searched once more by another algorithm; a document that does not pass, or
 * that is too large (4 MiB) or too deep (112 levels), is withheld:
 * bytes is {"withheld": "..."}, which is JSON and safe to log.
 *
 * Errors: KR_INVALID (not JSON; the span tells where; kr_redactor_bytes takes
 * it), those of kr_redactor_now, KR_NOMEM.
 */
KR_API kr_status kr_redactor_json(kr_redactor_scratch *scratch, kr_str input,
                                  kr_redactor_result *ret_result, kr_error *reterr) KR_MUST_USE;

/** What the last call removed. */
KR_API kr_status kr_redactor_hits(const kr_redactor_scratch *scratch, kr_filter_hit_visit visit,
                                  void *ctx) KR_MUST_USE;

/* ---- streams ---- */

typedef struct kr_filter kr_filter;

/** Takes output; the bytes are borrowed for the call. Not KR_OK: the filter has failed for good. */
typedef kr_status (*kr_filter_write)(void *ctx, kr_str bytes);

/**
 * A stream with the values of a redactor, the newest at each feed.
 * @options NULL: the defaults. @ctx is handed to write.
 */
KR_API kr_status kr_filter_new_on(kr_redactor *redactor, const kr_filter_options *options,
                                  kr_filter_write write, void *ctx, kr_filter **ret_filter,
                                  kr_error *reterr) KR_MUST_USE;

/** The same on a redactor of its own: every kept version of every secret of an organization. */
KR_API kr_status kr_filter_new(kr_engine *engine, kr_str org, const kr_filter_options *options,
                               kr_filter_write write, void *ctx, kr_filter **ret_filter,
                               kr_error *reterr) KR_MUST_USE;

/** The same with the values of a JSON list, see kr_redactor_builder_add_list. */
KR_API kr_status kr_filter_new_from_values(kr_str values_json, const kr_filter_options *options,
                                           kr_filter_write write, void *ctx, kr_filter **ret_filter,
                                           kr_error *reterr) KR_MUST_USE;

/**
 * Take bytes. Everything that is decided has been given to write when this
 * returns; held back is only what may still become a value, however the stream
 * is cut. No bytes are no end. After a failure of write or of memory the filter
 * stays failed; when only the newest values could not be read, nothing of bytes
 * was taken and the call may be made again.
 */
KR_API kr_status kr_filter_feed(kr_filter *filter, kr_str bytes, kr_error *reterr) KR_MUST_USE;

/**
 * Take no bytes, but the newest values. Writes nothing that is not decided, and
 * what is decided was written by feed: there is no half of a value to be had.
 */
KR_API kr_status kr_filter_flush(kr_filter *filter, kr_error *reterr) KR_MUST_USE;

/** The end of the input: decide the rest. Afterwards only counts and free. */
KR_API kr_status kr_filter_finish(kr_filter *filter, kr_error *reterr) KR_MUST_USE;

/** Markers written so far. */
KR_API uint64_t kr_filter_count(const kr_filter *filter);

/** Of these: what had in part been written before its value became known. */
KR_API uint64_t kr_filter_n_late(const kr_filter *filter);

/** Bytes held back now. */
KR_API size_t kr_filter_n_held(const kr_filter *filter);

/** Values that are too short to be searched; worth a warning. */
KR_API size_t kr_filter_n_short(const kr_filter *filter);

/** Hits by name and form, for --stats. */
KR_API kr_status kr_filter_hits(const kr_filter *filter, kr_filter_hit_visit visit,
                                void *ctx) KR_MUST_USE;

KR_API void kr_filter_free(kr_filter *filter);

#ifdef __cplusplus
}
#endif
#endif
