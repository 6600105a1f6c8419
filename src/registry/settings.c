/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - the table of settings, and what holds for an organization; see settings.h. */
#include "registry/settings.h"

#include "base/assert.h"
#include "base/str.h"
#include "registry/internal.h"

#define KR_SETTING_EDITS 2u /* a name so near is suggested */

static const kr_setting_row kr_settings[] = {
#define KR_SETTING(id, name, values, fallback, phrase) {name, values, fallback, phrase},
#include "registry/settings.def"
};

const kr_setting_row *kr_setting_row_of(kr_setting setting) {
  KR_ASSERT((size_t)setting < KR_SETTING_COUNT);
  return &kr_settings[setting];
}

kr_status kr_setting_find(kr_str name, kr_setting *ret_setting, kr_error *reterr) {
  const char *nearest = NULL;
  size_t best = KR_SETTING_EDITS + 1;
  for (size_t i = 0; i < KR_SETTING_COUNT; i++) {
    kr_str known = kr_str_cstr(kr_settings[i].name);
    if (kr_str_equal(known, name)) {
      *ret_setting = (kr_setting)i;
      return KR_OK;
    }
    size_t distance = kr_str_distance(known, name, KR_SETTING_EDITS);
    if (distance < best) {
      best = distance;
      nearest = kr_settings[i].name;
    }
  }
  (void)kr_fail(reterr, KR_NOT_FOUND, "organizations have no such setting");
  if (nearest != NULL)
    kr_error_hint(reterr, "did you mean %s?", nearest);
  else
    kr_error_hint(reterr, "`krosyn org show` lists the settings there are");
  return KR_NOT_FOUND;
}

kr_status kr_setting_accepts(kr_setting setting, kr_str value, kr_error *reterr) {
  const kr_setting_row *row = kr_setting_row_of(setting);
  kr_str left = kr_str_cstr(row->values);
  while (left.len > 0) {
    size_t end = kr_str_find(left, KR_STR(", "), 0);
    kr_str allowed = end == SIZE_MAX ? left : kr_str_slice(left, 0, end);
    if (kr_str_equal(allowed, value))
      return KR_OK;
    left = end == SIZE_MAX ? (kr_str){0} : kr_str_skip(left, end + 2);
  }
  (void)kr_fail(reterr, KR_INVALID, "the setting %s has no such value", row->name);
  kr_error_hint(reterr, "one of: %s", row->values);
  return KR_INVALID;
}

kr_status kr_registry_org_setting(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                                  kr_setting setting, kr_buf *ret_value, kr_error *reterr) {
  const kr_setting_row *row = kr_setting_row_of(setting);
  size_t len = ret_value->len;
  kr_status status =
      kr_registry_setting_get(registry, txn, org_id, kr_str_cstr(row->name), ret_value, reterr);
  if (status == KR_NOT_FOUND)
    return kr_buf_explain(ret_value, kr_buf_append(ret_value, kr_str_cstr(row->fallback)),
                          "a setting", reterr);
  KR_TRY(status);
  /* Written by a later version: what it means is not known here. */
  kr_str value = kr_str_skip(kr_buf_str(ret_value), len);
  if (kr_setting_accepts(setting, value, NULL) == KR_OK)
    return KR_OK;
  return kr_registry_corrupt(reterr, "setting %s has a value this krosyn does not know", row->name);
}
