/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact.h - the redactor as a filter: bytes in, the same bytes without secrets
 * out, for any split of the input. It writes what is decided at once and holds
 * back only what could still become a secret.
 *
 *   kr_filter *filter;
 *   kr_filter_new_from_values(values_json, &options, write, ctx, &filter, &error);
 *   kr_filter_feed(filter, bytes, &error);  ...
 *   kr_filter_finish(filter, &error);
 *   kr_filter_free(filter);
 */
#ifndef KROSYN_REDACT_H
#define KROSYN_REDACT_H

#include <krosyn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kr_filter kr_filter;
typedef kr_status (*kr_filter_write)(void *ctx, kr_str bytes);

typedef struct kr_filter_options {
  bool use_marker_names; /* "[REDACTED:NAME]" */
} kr_filter_options;

/** Every kept version of every secret of an organization. */
KR_API kr_status kr_filter_new(kr_engine *engine, kr_str org, const kr_filter_options *options,
                               kr_filter_write write, void *ctx, kr_filter **ret_filter,
                               kr_error *reterr) KR_MUST_USE;

/** Values from JSON: an array of strings, or of {"name","value"} or {"name","value_b64"}.
 * The caller wipes its text. Errors name the item, never its value. */
KR_API kr_status kr_filter_new_from_values(kr_str values_json, const kr_filter_options *options,
                                           kr_filter_write write, void *ctx, kr_filter **ret_filter,
                                           kr_error *reterr) KR_MUST_USE;

KR_API kr_status kr_filter_feed(kr_filter *filter, kr_str bytes, kr_error *reterr) KR_MUST_USE;
KR_API kr_status kr_filter_finish(kr_filter *filter, kr_error *reterr) KR_MUST_USE;

/** Markers written so far. */
KR_API uint64_t kr_filter_count(const kr_filter *filter);

/** Values that are too short to be searched; worth a warning. */
KR_API size_t kr_filter_n_short(const kr_filter *filter);

/** Hits by name and form, for --stats. */
typedef kr_status (*kr_filter_hit_visit)(void *ctx, kr_str name, const char *form, uint64_t count);
KR_API kr_status kr_filter_hits(const kr_filter *filter, kr_filter_hit_visit visit,
                                void *ctx) KR_MUST_USE;

KR_API void kr_filter_free(kr_filter *filter);

#ifdef __cplusplus
}
#endif
#endif
