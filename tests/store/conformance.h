/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conformance.h - what every implementation of the store promises, as one suite
 * (docs/formats/store.md). An implementation says how to make an empty store
 * and, if it outlives its process, how to open it again.
 */
#ifndef KR_TEST_STORE_CONFORMANCE_H
#define KR_TEST_STORE_CONFORMANCE_H

#include "store/store.h"

typedef struct store_subject {
  const char *name;
  kr_store *(*make)(void);                /* empty; replaces the one before */
  kr_store *(*reopen)(kr_store *closing); /* NULL: nothing lasts */
  void (*dispose)(kr_store *store);
  const char *(*place_of_copy)(void); /* nothing is there; NULL: copies are unsupported */
  kr_store *(*open_copy)(void);
  void (*dispose_copy)(kr_store *copy); /* and remove it */
} store_subject;

/** Run the suite; returns the number of failed tests. */
int store_conformance(const store_subject *subject);

/* Shorthands for tests of one store: each asserts that it works. */
void store_put_one(kr_store *store, kr_str key, kr_str value);
bool store_has(kr_store *store, kr_str key, kr_str value);

#endif
