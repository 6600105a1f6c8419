/* SPDX-License-Identifier: Apache-2.0 */
/* verify.h - the walk over all of an opened home, and where it stands. */
#ifndef KR_ENGINE_VERIFY_H
#define KR_ENGINE_VERIFY_H

#include "engine/engine.h"

#include <krosyn/copies.h>

/** Mode of an engine whose home is to be walked. log_error receives what is wrong with the log. */
static inline kr_engine_mode kr_verify_mode(bool is_unshared, kr_error *log_error) {
  return (kr_engine_mode){.is_read_only = true,
                          .is_unshared = is_unshared,
                          .is_damaged = true,
                          .reterr_events = log_error};
}

/** What a walk of one area tells, as the public interface has it; borrows from damage. */
static inline kr_home_damage kr_home_damage_of(const char *area, const kr_damage *damage) {
  return (kr_home_damage){.area = area,
                          .what = damage->what,
                          .organization = damage->organization,
                          .organization_id = damage->org_id,
                          .environment = damage->environment,
                          .secret = damage->secret,
                          .version = damage->version,
                          .event = damage->event,
                          .audit = damage->audit};
}

/** Walk the vault, the registry and, when it is open, the log. */
kr_status kr_engine_verify(kr_engine *engine, const kr_error *log_error,
                           const kr_home_head *expected, kr_home_damage_visit visit, void *ctx,
                           kr_home_report *ret_report, kr_error *reterr) KR_MUST_USE;

/** Read from vault and log, in this order. */
kr_status kr_engine_head(kr_engine *engine, kr_home_head *ret_head, kr_error *reterr) KR_MUST_USE;

#endif
