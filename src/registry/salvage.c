/* SPDX-License-Identifier: Apache-2.0 */
/*
 * salvage.c - what is good of settings, uses and audit, in a new store. Entries
 * of the audit are numbered anew where one before them was lost, so that the
 * numbers have no gaps; their content and time stay.
 */
#include "registry/internal.h"
#include "store/batch.h"

typedef struct kr_registry_salvaging {
  const kr_registry *registry;
  const kr_survey *survey;
  kr_store_batch batch;
  uint64_t n_entries;
} kr_registry_salvaging;

static void kr_registry_salvaging_done(kr_registry_salvaging *work) {
  kr_store_batch_done(&work->batch);
}

static void kr_registry_salvage_damaged(void *ctx, const kr_damage *damage) {
  const kr_registry_salvaging *work = ctx;
  work->survey->damaged(work->survey->ctx, damage);
}

static kr_status kr_registry_salvage_good(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_registry_salvaging *work = ctx;
  kr_store_txn *txn = NULL;
  kr_str payload = {0};
  KR_TRY(kr_store_batch_next(&work->batch, &txn, reterr));
  if (!kr_str_equal(kr_str_slice(at, 0, 2), KR_STR("re")))
    return kr_store_put(txn, at, record, reterr);
  KR_TRY(kr_record_mac_open(work->registry->record_key, KR_DOMAIN_AUDIT, at, record, &payload,
                            reterr));
  kr_audit_place place = kr_audit_place_of(++work->n_entries);
  return kr_registry_put(work->registry, txn, KR_DOMAIN_AUDIT,
                         kr_str_from(place.bytes, sizeof place.bytes), payload, reterr);
}

kr_status kr_registry_salvage(const kr_registry *registry, kr_store *from, kr_store *to,
                              const kr_survey *survey, kr_registry_counts *ret_counts,
                              kr_error *reterr) {
  KR_CLEANUP(kr_registry_salvaging_done)
  kr_registry_salvaging work = {.registry = registry, .survey = survey, .batch = {.store = to}};
  const kr_survey walk = {
      .damaged = kr_registry_salvage_damaged, .good = kr_registry_salvage_good, .ctx = &work};
  kr_store_txn *txn = NULL;
  KR_TRY(kr_registry_survey(registry, from, &walk, ret_counts, reterr));
  KR_TRY(kr_store_batch_next(&work.batch, &txn, reterr));
  if (work.n_entries > 0)
    KR_TRY(kr_audit_put_head(registry, txn, work.n_entries, reterr));
  return kr_store_batch_commit(&work.batch, reterr);
}
