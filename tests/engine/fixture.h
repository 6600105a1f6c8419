/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixture.h - a real home in a temporary folder, opened, for tests of the
 * public interface; and a search of every file of it.
 */
#ifndef KR_TEST_ENGINE_FIXTURE_H
#define KR_TEST_ENGINE_FIXTURE_H

#include <krosyn/krosyn.h>

typedef struct fixture {
  char folder[128];
  char home[160];
  char key[160];
  kr_engine *engine;
} fixture;

/* cmocka setup and teardown: *state is a fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/** Open the home of a fixture whose engine is NULL. */
void fixture_open(fixture *self);

/** Remove a folder and all in it. */
void fixture_remove(const char *path);

/** Close and open again, so that everything comes from the disk. */
void fixture_reopen(fixture *self);

/** Save a secret of the organization "default" (or of org). */
void fixture_secret(fixture *self, const char *org, const char *name, const char *value);

/** Run a connector to its end; asserts that its event is stored. Returns the run. */
kr_run *fixture_run(fixture *self, const char *org, const char *connector, const char *payload);

/** Does any file of the home hold these bytes? */
bool fixture_home_holds(const fixture *self, const char *bytes);

/** Count calls of a visitor: ctx is a size_t. */
kr_status fixture_count_event(void *ctx, const kr_event_info *event);

/** A kr_str of a C string. */
kr_str text(const char *cstr);

/** Does the event of a run hold this? */
bool event_holds(const kr_run *run, const char *needle);

#endif
