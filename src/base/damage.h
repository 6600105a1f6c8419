/* SPDX-License-Identifier: Apache-2.0 */
/*
 * damage.h - what a walk over stored records tells its caller: each record that
 * is damaged, by name, and each that is good, by its bytes. Such a walk goes on
 * after damage; the modules that keep records have one each (`_survey`).
 */
#ifndef KR_BASE_DAMAGE_H
#define KR_BASE_DAMAGE_H

#include "base/status.h"
#include "base/str.h"

/** One thing that is wrong. Names are borrowed for the visit; "" or 0: not known, or not of one. */
typedef struct kr_damage {
  const char *what; /* one sentence, no values */
  const char *organization;
  uint32_t org_id;
  const char *environment;
  const char *secret;
  uint32_t version;
  uint64_t event; /* sequence in the event log */
  uint64_t audit; /* sequence in the audit */
} kr_damage;

typedef struct kr_survey {
  void (*damaged)(void *ctx, const kr_damage *damage);
  /** NULL: not wanted. A status other than KR_OK ends the walk and is returned. */
  kr_status (*good)(void *ctx, kr_str place, kr_str record, kr_error *reterr);
  void *ctx;
} kr_survey;

#endif
