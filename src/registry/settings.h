/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - the settings of organizations: a closed table (settings.def)
 * over the records of registry.h. A setting that is not stored has its fallback.
 */
#ifndef KR_REGISTRY_SETTINGS_H
#define KR_REGISTRY_SETTINGS_H

#include "registry/registry.h"

typedef enum kr_setting {
#define KR_SETTING(id, ...) KR_SETTING_##id,
#include "registry/settings.def"
  KR_SETTING_COUNT
} kr_setting;

/** One row of settings.def. Static. */
typedef struct kr_setting_row {
  const char *name;
  const char *values; /* "on, off" */
  const char *fallback;
  const char *phrase;
} kr_setting_row;

const kr_setting_row *kr_setting_row_of(kr_setting setting);

/** KR_NOT_FOUND, with the nearest name or all of them as the hint. */
kr_status kr_setting_find(kr_str name, kr_setting *ret_setting, kr_error *reterr) KR_MUST_USE;

/** KR_INVALID, with the values there are, unless it is one of them. */
kr_status kr_setting_accepts(kr_setting setting, kr_str value, kr_error *reterr) KR_MUST_USE;

/** Append what holds for an organization: what is stored, else the fallback. */
kr_status kr_registry_org_setting(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                                  kr_setting setting, kr_buf *ret_value,
                                  kr_error *reterr) KR_MUST_USE;

#endif
