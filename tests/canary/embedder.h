/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedder.h - a program that uses all of libkrosyn's public interface with
 * canary values, so that the harness can search what it prints, its memory and
 * its core dump. No value is ever in its own memory for longer than one call:
 * values go from files straight into the library, texts through one room that
 * is wiped after each use.
 *
 *   FOLDER/values/NAME      a value each, saved as the secret NAME
 *   FOLDER/import.json      the same, for an import
 *   FOLDER/connectors/...   connectors, run with the payload {"x": "hello"}
 *   FOLDER/texts/...        texts to redact
 *   FOLDER/home, master.key the home; copies of it are made beside it
 */
#ifndef KROSYN_TESTS_CANARY_EMBEDDER_H
#define KROSYN_TESTS_CANARY_EMBEDDER_H

#include <krosyn/krosyn.h>

#define EMBEDDER_PATH_BYTES 512
#define EMBEDDER_ROOM_BYTES ((size_t)4 << 20)

typedef struct embedder {
  const char *folder;
  char home[EMBEDDER_PATH_BYTES];
  char key[EMBEDDER_PATH_BYTES];
  kr_home_options options;
  kr_engine *engine; /* NULL while it is closed */
  uint8_t *room;     /* EMBEDDER_ROOM_BYTES for one text at a time */
  size_t room_len;
} embedder;

kr_str embedder_text(const char *literal);

/** Print an error, all fields of it, and end the program. KR_OK: nothing. */
void embedder_need(kr_status status, const kr_error *error, const char *what);
void embedder_print_error(const char *what, kr_status status, const kr_error *error);

/** Print what the library gave out: a result is a surface like any other. */
void embedder_print(const char *what, kr_str bytes);

void embedder_path(const embedder *self, const char *name, char path[EMBEDDER_PATH_BYTES]);

/** The file at path as text; good until embedder_wipe, which must come after each. */
kr_str embedder_read(embedder *self, const char *path);
void embedder_wipe(embedder *self);

/** Call visit for each file of FOLDER/name, in the order of their names. */
typedef void (*embedder_visit)(embedder *self, const char *name, const char *path);
void embedder_each(embedder *self, const char *folder, embedder_visit visit);

void embedder_open(embedder *self);
void embedder_close(embedder *self);

void embedder_save(embedder *self);   /* values and rules */
void embedder_use(embedder *self);    /* runs, events, templates, listings */
void embedder_redact(embedder *self); /* records and streams */
void embedder_copies(embedder *self); /* the home closed: backups, keys, deletions */
int embedder_misuse(embedder *self);  /* failing calls; the number of those that did not fail */

#endif
