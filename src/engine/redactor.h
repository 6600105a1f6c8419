/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redactor.h - the values of now, shared by threads; and how its users keep a
 * set and notice that there is a newer one.
 */
#ifndef KR_ENGINE_REDACTOR_H
#define KR_ENGINE_REDACTOR_H

#include "engine/values.h"

KR_DEFINE_FREEP(kr_redactor_freep, kr_redactor, kr_redactor_free)

/** What a user of a redactor holds; zero before the first kr_redactor_take. */
typedef struct kr_redactor_held {
  kr_redact_set *set;
  uint64_t serial; /* of the redactor when it was taken */
} kr_redactor_held;

/**
 * Have *held hold the set of now. Without a change that costs one atomic load,
 * for an organization also the reading of its generation.
 */
kr_status kr_redactor_take(kr_redactor *redactor, kr_redactor_held *held,
                           kr_error *reterr) KR_MUST_USE;
void kr_redactor_held_done(kr_redactor_held *held);

/** Show each hit of a report whose indexes count in set (redact_record.c). */
kr_status kr_hits_visit(const kr_redact_report *report, const kr_redact_set *set,
                        kr_filter_hit_visit visit, void *ctx) KR_MUST_USE;

#endif
