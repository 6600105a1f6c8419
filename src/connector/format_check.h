/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format_check.h - the small checks a connector definition is made of: known
 * keys, types, names, and tables of named templates. Private to format.c.
 *
 * A place is told as its parent's path ("perform.headers", "" at the top) and
 * its key; its bytes are known wherever the parser left the text in place
 * (keys and strings without escapes, and numbers).
 */
#ifndef KR_CONNECTOR_FORMAT_CHECK_H
#define KR_CONNECTOR_FORMAT_CHECK_H

#include "connector/connector.h"

typedef struct kr_format {
  kr_str text;
  kr_arena *arena;
  kr_error *reterr;
} kr_format;

/** What may stand in one object. */
typedef struct kr_format_keys {
  const char *const *names;
  size_t n_names;
} kr_format_keys;

/** Which table of named templates is read: decides the rules for its names. */
typedef enum kr_format_table {
  KR_FORMAT_HEADERS,
  KR_FORMAT_QUERY,
  KR_FORMAT_FIELDS
} kr_format_table;

/** Say where an error just described stands; `json` is the key or value blamed, or NULL. */
kr_status kr_format_at(const kr_format *format, kr_status status, const char *parent, kr_str key,
                       const kr_json *json);

/** json must be an object with these keys only; `path` is its own path ("" at the top). */
kr_status kr_format_object(const kr_format *format, const kr_json *json, const char *path,
                           kr_format_keys keys) KR_MUST_USE;

/** A string under a key. Absent: *ret_text is left alone, or an error when is_required. */
kr_status kr_format_text(const kr_format *format, const kr_json *object, const char *parent,
                         const char *key, bool is_required, kr_str *ret_text) KR_MUST_USE;

/** An object of strings under a key, in order; absent: nothing. */
kr_status kr_format_pairs(const kr_format *format, const kr_json *object, const char *parent,
                          const char *key, kr_format_table table, const kr_connector_pair **ret,
                          size_t *ret_n) KR_MUST_USE;

#endif
