/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import.h - what the files of the import share:
 *
 *   import_env.c, import_json.c  bytes -> entries
 *   import.c                     entries -> items: checks, rows, the way through it all
 *   import_plan.c                items against what is saved: new, replaces, same, twins
 *   import_save.c                one transaction
 *
 * Items borrow from the file's bytes and from the arena; both are sensitive.
 */
#ifndef KR_ENGINE_IMPORT_H
#define KR_ENGINE_IMPORT_H

#include "base/arena.h"
#include "engine/engine.h"
#include "engine/import_env.h"

#define KR_IMPORT_ARENA_BYTES (256u * 1024u * 1024u)
#define KR_IMPORT_JSON_DEPTH 3u

typedef struct kr_import_item {
  kr_str name; /* as in the file */
  kr_str value;
  kr_str description;     /* ptr NULL: none given */
  kr_str old_description; /* of the secret that is saved */
  size_t line;            /* 0: not known */
  unsigned notes;         /* kr_import_note */
  kr_import_outcome outcome;
  uint32_t version;         /* the one saved; 0: none */
  uint32_t new_version;     /* the one that was saved now; 0: none */
  const char *duplicate_of; /* a name, or NULL */
  kr_str reason;            /* why it is refused, and what to do */
  kr_str hint;
} kr_import_item;

typedef struct kr_import {
  kr_engine *engine;
  const kr_import_options *options;
  kr_org org;
  kr_arena arena;
  kr_buf items;  /* kr_import_item, in the order of the file */
  kr_buf sorted; /* uint32_t: items by name */
  size_t n_opened;
  int64_t now_ms;
  kr_error *reterr;
} kr_import;

static inline size_t kr_import_n_items(const kr_import *import) {
  return import->items.len / sizeof(kr_import_item);
}

static inline kr_import_item *kr_import_at(const kr_import *import, size_t index) {
  return (kr_import_item *)(void *)import->items.ptr + index;
}

/** The item of that name in a list that is sorted, or NULL. */
kr_import_item *kr_import_find(const kr_import *import, kr_str name);

/** One entry more; the strings must outlive the import. KR_LIMIT, KR_NOMEM. */
kr_status kr_import_add(kr_import *import, const kr_import_item *item) KR_MUST_USE;

/** Entries of a JSON object. KR_INVALID names the line and, of a name, nothing. */
kr_status kr_import_read_json(kr_import *import, kr_str bytes) KR_MUST_USE;

/** Outcome, version and twin of each item that is not refused; n_opened. Puts it in the audit. */
kr_status kr_import_plan(kr_import *import) KR_MUST_USE;

/** Save what the plan says, unless what is saved has changed since (KR_REFUSED). */
kr_status kr_import_save(kr_import *import) KR_MUST_USE;

#endif
