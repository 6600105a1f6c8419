/* SPDX-License-Identifier: Apache-2.0 */
/*
 * survey.c - the walk over settings and audit, past damage. Settings have no
 * count to stand against; of the audit the head says how many entries there are.
 */
#include "registry/internal.h"
#include "store/readable.h"

#include <stdio.h>

typedef struct kr_registry_walk {
  const kr_registry *registry;
  const kr_survey *survey;
  kr_store_reading reading;
  kr_registry_counts counts;
  uint64_t n_in_head;
  bool has_head;
} kr_registry_walk;

static void kr_registry_walk_done(kr_registry_walk *walk) { kr_store_reading_done(&walk->reading); }

static kr_status kr_registry_walk_good(kr_registry_walk *walk, kr_str at, kr_str record,
                                       kr_error *reterr) {
  return walk->survey->good == NULL ? KR_OK
                                    : walk->survey->good(walk->survey->ctx, at, record, reterr);
}

static void kr_registry_walk_tell(kr_registry_walk *walk, uint32_t org_id, uint64_t entry,
                                  const char *what) {
  const kr_damage damage = {.what = what,
                            .organization = "",
                            .org_id = org_id,
                            .environment = "",
                            .secret = "",
                            .audit = entry};
  walk->survey->damaged(walk->survey->ctx, &damage);
}

static kr_status kr_registry_step_setting(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_registry_walk *walk = ctx;
  kr_str payload = {0};
  kr_wire_reader place = kr_wire_reader_init(kr_str_skip(at, 2));
  uint32_t org_id = kr_wire_get_u32(&place);
  walk->counts.records++;
  kr_status status = kr_record_mac_open(walk->registry->record_key, KR_DOMAIN_SETTING, at, record,
                                        &payload, reterr);
  if (status != KR_OK && status != KR_CORRUPT)
    return status;
  kr_wire_reader reader = kr_wire_reader_init(payload);
  (void)kr_wire_get_str(&reader);
  if (status != KR_OK || place.is_bad || !kr_wire_is_end(&reader)) {
    kr_registry_walk_tell(walk, org_id, 0, "a setting fails its integrity check");
    return KR_OK;
  }
  walk->counts.settings++;
  return kr_registry_walk_good(walk, at, record, reterr);
}

static kr_status kr_registry_step_use(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_registry_walk *walk = ctx;
  kr_str payload = {0};
  kr_wire_reader place = kr_wire_reader_init(kr_str_skip(at, 2));
  uint32_t org_id = kr_wire_get_u32(&place);
  walk->counts.records++;
  kr_status status =
      kr_record_mac_open(walk->registry->record_key, KR_DOMAIN_USE, at, record, &payload, reterr);
  if (status != KR_OK && status != KR_CORRUPT)
    return status;
  if (status != KR_OK || place.is_bad) {
    kr_registry_walk_tell(walk, org_id, 0, "what is known of the uses of a secret is damaged");
    return KR_OK;
  }
  return kr_registry_walk_good(walk, at, record, reterr);
}

static kr_status kr_registry_step_entry(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_registry_walk *walk = ctx;
  kr_wire_reader place = kr_wire_reader_init(kr_str_skip(at, 2));
  uint64_t sequence = kr_wire_get_u64(&place);
  walk->counts.records++;
  kr_status status = kr_audit_check_record(walk->registry, sequence, at, record, reterr);
  if (status != KR_OK && status != KR_CORRUPT)
    return status;
  if (status != KR_OK || !kr_wire_is_end(&place)) {
    kr_registry_walk_tell(walk, 0, sequence, "an audit entry fails its integrity check");
    return KR_OK;
  }
  if (walk->has_head && sequence > walk->n_in_head)
    kr_registry_walk_tell(walk, 0, sequence, "an audit entry is beyond the head of the audit");
  walk->counts.entries++;
  return kr_registry_walk_good(walk, at, record, reterr);
}

static kr_status kr_registry_step_place(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_registry_walk *walk = ctx;
  kr_str letters = kr_str_slice(at, 0, 2);
  (void)record;
  (void)reterr;
  if (kr_str_equal(letters, KR_STR("rs")) || kr_str_equal(letters, KR_STR("re")) ||
      kr_str_equal(letters, KR_STR("ru")))
    return KR_OK;
  walk->counts.records++;
  if (!kr_str_equal(at, KR_STR("ra")))
    kr_registry_walk_tell(walk, 0, 0, "a record in no known place");
  return KR_OK;
}

static kr_status kr_registry_walk_pass(kr_registry_walk *walk, const char *prefix, const char *what,
                                       kr_store_visit step, kr_error *reterr) {
  char text[KR_ERROR_MESSAGE_BYTES];
  bool is_whole = true;
  KR_TRY(
      kr_store_each_readable(&walk->reading, kr_str_cstr(prefix), step, walk, &is_whole, reterr));
  if (is_whole)
    return KR_OK;
  (void)snprintf(text, sizeof text, "a page of the store is damaged: some %s cannot be read", what);
  kr_registry_walk_tell(walk, 0, 0, text);
  return KR_OK;
}

static kr_status kr_registry_walk_head(kr_registry_walk *walk, kr_error *reterr) {
  kr_error error = {0};
  kr_status status = kr_audit_count(walk->registry, walk->reading.txn, &walk->n_in_head, &error);
  walk->has_head = status == KR_OK;
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  if (status != KR_OK)
    kr_registry_walk_tell(walk, 0, 0, error.message);
  return KR_OK;
}

static kr_status kr_registry_walk_missing(kr_registry_walk *walk, kr_error *reterr) {
  for (uint64_t i = 1; walk->has_head && i <= walk->n_in_head; i++) {
    kr_audit_place place = kr_audit_place_of(i);
    kr_str record = {0};
    kr_status status = kr_store_get_readable(
        &walk->reading, kr_str_from(place.bytes, sizeof place.bytes), &record, reterr);
    if (status == KR_NOMEM)
      return status;
    if (status == KR_NOT_FOUND)
      kr_registry_walk_tell(walk, 0, i, "an audit entry is gone");
  }
  return KR_OK;
}

kr_status kr_registry_survey(const kr_registry *registry, kr_store *store, const kr_survey *survey,
                             kr_registry_counts *ret_counts, kr_error *reterr) {
  KR_CLEANUP(kr_registry_walk_done)
  kr_registry_walk walk = {.registry = registry, .survey = survey};
  if (registry->record_key == NULL)
    return kr_fail(reterr, KR_UNTRUSTED, "settings and audit cannot be checked without the key");
  KR_TRY(kr_store_reading_begin(store, &walk.reading, reterr));
  KR_TRY(kr_registry_walk_head(&walk, reterr));
  KR_TRY(kr_registry_walk_pass(&walk, "r", "records", kr_registry_step_place, reterr));
  KR_TRY(kr_registry_walk_pass(&walk, "rs", "settings", kr_registry_step_setting, reterr));
  KR_TRY(kr_registry_walk_pass(&walk, "ru", "uses of secrets", kr_registry_step_use, reterr));
  KR_TRY(kr_registry_walk_pass(&walk, "re", "audit entries", kr_registry_step_entry, reterr));
  if (walk.counts.entries != walk.n_in_head)
    KR_TRY(kr_registry_walk_missing(&walk, reterr));
  *ret_counts = walk.counts;
  return KR_OK;
}
