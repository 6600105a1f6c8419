/* SPDX-License-Identifier: Apache-2.0 */
/*
 * orgs_delete.c - an organization removed for good.
 *
 *   delete  its record, its manifest and its data keys go in one transaction of
 *           constant size: from then on nobody finds it, and no key opens its values
 *   sweep   what is left, names and sealed values, goes in batches
 *
 * What is left needs no list: ids of organizations are never used twice, so
 * every record of an id that no organization has was left by a deletion. A walk
 * from id to id finds them, whatever was killed before it was done.
 */
#include "base/assert.h"
#include "vault/internal.h"

#include <stdlib.h>

#define KR_ORG_DATA_KEYS_MAX 2u /* rotate.c: never more */

/* The data keys of an organization; KR_CORRUPT when there are more than there can be. */
static kr_status kr_org_data_keys(kr_store_txn *txn, uint32_t org_id,
                                  uint32_t key_ids[KR_ORG_DATA_KEYS_MAX], size_t *ret_count,
                                  kr_error *reterr) {
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_vault_place prefix = kr_place_data_keys(org_id);
  KR_TRY(kr_store_scan(txn, kr_place_str(&prefix), (kr_str){0}, false, &cursor, reterr));
  kr_str at = {0};
  kr_str record = {0};
  kr_status status = KR_OK;
  *ret_count = 0;
  while ((status = kr_store_next(cursor, &at, &record, reterr)) == KR_OK) {
    kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(at, prefix.len));
    uint32_t key_id = kr_wire_get_u32(&reader);
    if (!kr_wire_is_end(&reader) || *ret_count == KR_ORG_DATA_KEYS_MAX)
      return kr_vault_corrupt(reterr, "organization %u has a record in no known place", org_id);
    key_ids[(*ret_count)++] = key_id;
  }
  return status == KR_NOT_FOUND ? KR_OK : status;
}

/* Like kr_change_begin(), but the records are not walked: a damaged organization can go, too. */
static kr_status kr_org_delete_begin(kr_change *change, const kr_org *org, kr_error *reterr) {
  kr_vault_place place = kr_place_manifest(org->id);
  kr_str record = {0};
  kr_sum element;
  KR_TRY(kr_manifest_read(change->vault, change->txn, org, &change->manifest, reterr));
  KR_TRY(kr_head_read(change->vault, change->txn, &change->head, reterr));
  KR_TRY(kr_store_get(change->txn, kr_place_str(&place), &record, reterr));
  KR_TRY(kr_sum_element(change->vault, kr_place_str(&place), record, &element, reterr));
  kr_sum_subtract(&change->head.sum, &element);
  return KR_OK;
}

static kr_status kr_org_remove_record(kr_change *change, const kr_org *org, kr_error *reterr) {
  kr_vault_place place = kr_place_org(kr_str_cstr(org->name));
  kr_str record = {0};
  kr_sum element;
  KR_TRY(kr_store_get(change->txn, kr_place_str(&place), &record, reterr));
  KR_TRY(kr_sum_element(change->vault, kr_place_str(&place), record, &element, reterr));
  kr_sum_subtract(&change->head.sum, &element);
  change->head.n_orgs--;
  return kr_store_remove(change->txn, kr_place_str(&place), reterr);
}

kr_status kr_vault_org_delete(kr_vault *vault, kr_store_txn *txn, kr_str name, kr_org *ret_org,
                              uint32_t *ret_n_secrets, kr_error *reterr) {
  kr_change change = {.vault = vault, .txn = txn};
  kr_org org = {.id = 0};
  uint32_t key_ids[KR_ORG_DATA_KEYS_MAX];
  size_t n_keys = 0;
  KR_TRY(kr_vault_need_key(vault, reterr));
  KR_TRY(kr_vault_org_find(vault, txn, name, &org, reterr));
  KR_TRY(kr_org_delete_begin(&change, &org, reterr));
  KR_TRY(kr_org_data_keys(txn, org.id, key_ids, &n_keys, reterr));
  for (size_t i = 0; i < n_keys; i++) {
    kr_vault_place place = kr_place_data_key(org.id, key_ids[i]);
    KR_TRY(kr_store_remove(txn, kr_place_str(&place), reterr));
  }
  kr_vault_place manifest = kr_place_manifest(org.id);
  KR_TRY(kr_store_remove(txn, kr_place_str(&manifest), reterr));
  KR_TRY(kr_org_remove_record(&change, &org, reterr));
  change.head.generation++;
  *ret_org = org;
  *ret_n_secrets = change.manifest.n_secrets;
  return kr_head_write(vault, txn, &change.head, reterr);
}

/* ---- what is left ---- */

/* The ids of the organizations there are, ascending. */
typedef struct kr_org_ids {
  uint32_t *ids;
  size_t count;
  size_t cap;
} kr_org_ids;

static void kr_org_ids_done(kr_org_ids *ids) {
  if (ids->ids != NULL)
    kr_heap_memory()->release(ids->ids, ids->cap * sizeof *ids->ids);
}

static int kr_org_id_compare(const void *a, const void *b) {
  const uint32_t *x = a;
  const uint32_t *y = b;
  return *x < *y ? -1 : *x > *y;
}

static kr_status kr_org_ids_take(void *ctx, const kr_org *org) {
  kr_org_ids *ids = ctx;
  if (ids->count == ids->cap)
    return KR_CORRUPT; /* more than the head says */
  ids->ids[ids->count++] = org->id;
  return KR_OK;
}

static kr_status kr_org_ids_read(kr_vault *vault, kr_store_txn *txn, kr_org_ids *ids,
                                 uint32_t *ret_next_id, kr_error *reterr) {
  kr_vault_head head;
  size_t size = 0;
  KR_TRY(kr_head_read(vault, txn, &head, reterr));
  *ret_next_id = head.next_org_id;
  ids->cap = (size_t)head.n_orgs + 1;
  if (!kr_size_mul(ids->cap, sizeof *ids->ids, &size))
    return kr_fail_nomem(reterr);
  ids->ids = kr_heap_memory()->alloc(size);
  if (ids->ids == NULL)
    return kr_fail_nomem(reterr);
  kr_status status = kr_vault_org_each(vault, txn, kr_org_ids_take, ids, reterr);
  if (status == KR_CORRUPT && ids->count == ids->cap)
    return kr_vault_corrupt(reterr, "there are more organizations than the vault's head says");
  KR_TRY(status);
  qsort(ids->ids, ids->count, sizeof *ids->ids, kr_org_id_compare);
  return KR_OK;
}

static bool kr_org_ids_have(const kr_org_ids *ids, uint32_t id) {
  return bsearch(&id, ids->ids, ids->count, sizeof id, kr_org_id_compare) != NULL;
}

/* Places to remove, at most max. */
typedef struct kr_sweep {
  kr_store_txn *txn;
  const kr_org_ids *ids;
  uint32_t next_id; /* ids from here on were never given */
  kr_vault_place *found;
  size_t n_found;
  size_t max;
} kr_sweep;

/* The organization that a place "xy" | id | ... belongs to; false when it is no such place. */
static bool kr_sweep_org_of(kr_str at, uint32_t *ret_id) {
  kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(at, 2));
  *ret_id = kr_wire_get_u32(&reader);
  return !reader.is_bad;
}

/*
 * From a place on, until one of an organization that is there: its id in
 * *ret_live (0: the end), where the walk leaps over it.
 */
static kr_status kr_sweep_run(kr_sweep *sweep, kr_str letters, kr_str from, uint32_t *ret_live,
                              kr_error *reterr) {
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  KR_TRY(kr_store_scan(sweep->txn, letters, from, false, &cursor, reterr));
  kr_str at = {0};
  kr_str record = {0};
  kr_status status = KR_OK;
  *ret_live = 0;
  while (sweep->n_found < sweep->max &&
         (status = kr_store_next(cursor, &at, &record, reterr)) == KR_OK) {
    uint32_t id = 0;
    bool is_known = kr_sweep_org_of(at, &id) && id > 0 && id < sweep->next_id &&
                    at.len <= sizeof sweep->found->bytes;
    if (!is_known)
      return kr_vault_corrupt(reterr, "the vault has a record in no known place");
    if (kr_org_ids_have(sweep->ids, id)) {
      *ret_live = id;
      return KR_OK;
    }
    kr_vault_place *place = &sweep->found[sweep->n_found++];
    memcpy(place->bytes, at.ptr, at.len);
    place->len = at.len;
  }
  return status == KR_NOT_FOUND ? KR_OK : status;
}

/* All places "xy" | id | ... of one kind. Each turn leaps over one organization, so it ends. */
static kr_status kr_sweep_kind(kr_sweep *sweep, kr_str letters, kr_error *reterr) {
  kr_vault_place from = {.len = 0};
  uint32_t live = 0;
  KR_ASSERT(letters.len == 2);
  do {
    KR_TRY(kr_sweep_run(sweep, letters, kr_place_str(&from), &live, reterr));
    from = kr_place_values(live + 1);
    memcpy(from.bytes, letters.ptr, letters.len);
  } while (live != 0);
  return KR_OK;
}

static kr_status kr_sweep_all(kr_sweep *sweep, const kr_str *more, size_t n_more,
                              kr_error *reterr) {
  KR_TRY(kr_sweep_kind(sweep, KR_STR("vs"), reterr));
  KR_TRY(kr_sweep_kind(sweep, KR_STR("vv"), reterr));
  for (size_t i = 0; i < n_more; i++)
    KR_TRY(kr_sweep_kind(sweep, more[i], reterr));
  for (size_t i = 0; i < sweep->n_found; i++)
    KR_TRY(kr_store_remove(sweep->txn, kr_place_str(&sweep->found[i]), reterr));
  return KR_OK;
}

kr_status kr_vault_org_sweep(kr_vault *vault, kr_store_txn *txn, const kr_str *more, size_t n_more,
                             size_t max, size_t *ret_removed, kr_error *reterr) {
  KR_CLEANUP(kr_org_ids_done) kr_org_ids ids = {.count = 0};
  kr_sweep sweep = {.txn = txn, .ids = &ids, .max = max};
  size_t size = 0;
  KR_TRY(kr_vault_need_key(vault, reterr));
  KR_TRY(kr_vault_use_head(vault, txn, reterr));
  KR_TRY(kr_org_ids_read(vault, txn, &ids, &sweep.next_id, reterr));
  if (!kr_size_mul(max, sizeof *sweep.found, &size))
    return kr_fail_nomem(reterr);
  sweep.found = kr_heap_memory()->alloc(size);
  if (sweep.found == NULL)
    return kr_fail_nomem(reterr);
  kr_status status = kr_sweep_all(&sweep, more, n_more, reterr);
  *ret_removed = sweep.n_found;
  kr_heap_memory()->release(sweep.found, size);
  return status;
}
