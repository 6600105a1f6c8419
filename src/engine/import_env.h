/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_env.h - the dialect "krosyn env 1" of .env files; docs/formats/env.md
 * is its definition. A pure reader: bytes in, entries out, nothing is expanded.
 */
#ifndef KR_ENGINE_IMPORT_ENV_H
#define KR_ENGINE_IMPORT_ENV_H

#include "base/buf.h"

#define KR_ENV_BYTES (16u * 1024u * 1024u) /* of one file */
#define KR_ENV_ENTRIES 100000u             /* of one file */

/** Where other readers of such files would read another value. Bits. */
typedef enum kr_env_note {
  KR_ENV_EXPANDS = 1 << 0,   /* `$NAME`, `${`, `$(` or a backtick outside of single quotes */
  KR_ENV_HASH = 1 << 1,      /* a '#' that is part of an unquoted value */
  KR_ENV_COMMENT = 1 << 2,   /* an unquoted value ended by a comment */
  KR_ENV_BACKSLASH = 1 << 3, /* a backslash in an unquoted value */
  KR_ENV_LINE_ENDS = 1 << 4  /* CR LF in a quoted value, read as LF */
} kr_env_note;

typedef struct kr_env_entry {
  kr_str name;    /* of A-Z, a-z, 0-9, '_', '.', '-'; not yet checked to be a secret's */
  kr_str value;   /* may be empty */
  size_t line;    /* of the name, from 1 */
  unsigned notes; /* kr_env_note */
} kr_env_entry;

/** The entry is borrowed for the call; a status other than KR_OK ends the reading. */
typedef kr_status (*kr_env_visit)(void *ctx, const kr_env_entry *entry);

/**
 * Read a file, entry by entry, in its order; names may repeat.
 * Errors: KR_INVALID with the number of the line and nothing of its text,
 * KR_LIMIT, KR_NOMEM, or what visit returned. Entries before the error were given.
 */
kr_status kr_env_read(kr_str text, kr_env_visit visit, void *ctx, kr_error *reterr) KR_MUST_USE;

#endif
