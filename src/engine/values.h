/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values.h - opened values, and the redaction sets made from them.
 *
 * A set holds every kept version of every secret of one organization. It is
 * built when first needed and kept until the organization's generation changes;
 * what a run derives (base64 of a secret, an HMAC) is added for that run only.
 */
#ifndef KR_ENGINE_VALUES_H
#define KR_ENGINE_VALUES_H

#include "engine/engine.h"
#include "lang/compile.h"
#include "vm/render.h"

/**
 * The set of an organization as of now; the caller drops its reference. When it
 * has to be built, that all values were opened is one audit record.
 */
kr_status kr_values_set(kr_engine *engine, const kr_org *org, kr_redact_set **ret_set,
                        uint64_t *ret_generation, kr_error *reterr) KR_MUST_USE;

/** A set of the values of both: what a run began with, and what was saved while it went on. */
kr_status kr_values_join(kr_redact_set *older, kr_redact_set *newer, kr_redact_set **ret_set,
                         kr_error *reterr) KR_MUST_USE;

/* "NAME", or "NAME@environment" for another than the default: in receipts, intents, warnings. */
#define KR_SECRET_LABEL_BYTES (KR_VAULT_NAME_BYTES + 1u + KR_ENVIRONMENT_BYTES)
typedef struct kr_secret_label {
  char text[KR_SECRET_LABEL_BYTES + 1];
} kr_secret_label;
kr_secret_label kr_secret_label_of(const kr_secret_meta *meta);

/** The secrets of one run, pinned: the same version from the first byte to the last. */
typedef struct kr_pinned {
  kr_secret *values[KR_SECRETS_MAX];
  kr_secret_label labels[KR_SECRETS_MAX];
  uint32_t versions[KR_SECRETS_MAX];
  uint32_t count;
} kr_pinned;

/**
 * Does every name exist, in this environment or as the default? KR_MISSING
 * names the first that does not, and the nearest that does. Needs no key.
 *
 * @ret_policies  Optional, room for names->count; then KR_REFUSED names the first that has
 *                expired.
 */
kr_status kr_values_check(kr_engine *engine, const kr_org *org, kr_str environment,
                          const kr_secret_names *names, kr_secret_policy *ret_policies,
                          kr_error *reterr) KR_MUST_USE;

/**
 * Open the newest version of each name, of this environment or else of the
 * default, and the set as of the same moment: so
 * every pinned value is in it, whatever another process saves meanwhile. With
 * run_only (the setting redact-scope) they are all it holds, and nothing else is
 * opened. On failure nothing stays open. The run's intent is the audit of what
 * is opened here.
 *
 * @ret_policies  Room for names->count: those of the same moment. Somebody may have saved other
 *                values, and bound them, since kr_values_check(). KR_REFUSED as there.
 */
kr_status kr_values_pin(kr_engine *engine, const kr_org *org, kr_str environment,
                        const kr_secret_names *names, bool run_only, kr_pinned *pinned,
                        kr_secret_policy *ret_policies, kr_redact_set **ret_set,
                        uint64_t *ret_generation, kr_error *reterr) KR_MUST_USE;
void kr_pinned_done(kr_pinned *pinned);

/** Collects what a run derives from secrets; feeds kr_derived_sink. */
typedef struct kr_derived_values {
  const kr_secret_names *names;
  const kr_pinned *pinned;
  kr_redact_builder *builder; /* NULL until the first one */
  kr_error error;             /* why one could not be taken: the run cannot go on */
} kr_derived_values;

kr_status kr_derived_values_add(void *ctx, kr_secret_set secrets, uint8_t function, kr_str bytes);
void kr_derived_values_done(kr_derived_values *derived);

/** base plus what was derived; the same set, counted, when nothing was. */
kr_status kr_derived_values_set(kr_derived_values *derived, kr_redact_set *base,
                                kr_redact_set **ret_set, kr_error *reterr) KR_MUST_USE;

#endif
