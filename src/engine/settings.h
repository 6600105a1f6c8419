/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - the settings of an organization, as the engine asks for them. */
#ifndef KR_ENGINE_SETTINGS_H
#define KR_ENGINE_SETTINGS_H

#include "registry/settings.h"
#include "vault/vault.h"

#include <krosyn/engine.h>

/**
 * Whether a setting of an organization has this value ("on"), stored or by its
 * fallback. Without the key it is read unverified, like all that is shown then.
 */
kr_status kr_engine_org_setting_is(kr_engine *engine, const kr_org *org, kr_setting setting,
                                   const char *value, bool *ret_is, kr_error *reterr) KR_MUST_USE;

/** May templates of this organization decide on secrets? */
static inline kr_status kr_engine_decides_on_secrets(kr_engine *engine, const kr_org *org,
                                                     bool *ret_decides, kr_error *reterr) {
  return kr_engine_org_setting_is(engine, org, KR_SETTING_DECIDE_ON_SECRETS, "on", ret_decides,
                                  reterr);
}

/** Are only the secrets that a run uses searched for in its event? */
static inline kr_status kr_engine_redacts_run_only(kr_engine *engine, const kr_org *org,
                                                   bool *ret_run_only, kr_error *reterr) {
  return kr_engine_org_setting_is(engine, org, KR_SETTING_REDACT_SCOPE, "run", ret_run_only,
                                  reterr);
}

#endif
