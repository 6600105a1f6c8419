/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - stored records against manifests, and manifests against the head.
 *
 * When: the head once per kr_vault, and again for an organization that it did
 * not list; the records of an organization at its first use, and again when its
 * generation goes back; both whenever kr_vault_org_verify() asks. The walk
 * computes sums over stored bytes and decrypts nothing, unless the sums differ:
 * then each record is tried, to name the damaged one.
 */
#include "vault/known.h"

#define KR_SEEN_FIRST 16u

/* ---- what this process has checked ---- */

/* The index of an entry, or where it belongs. Call with the mutex held. */
static size_t kr_seen_index(const kr_vault *vault, uint32_t org_id) {
  size_t low = 0;
  size_t high = vault->n_seen;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (vault->seen[middle].org_id < org_id)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static kr_vault_seen *kr_seen_find(const kr_vault *vault, uint32_t org_id) {
  size_t i = kr_seen_index(vault, org_id);
  return i < vault->n_seen && vault->seen[i].org_id == org_id ? &vault->seen[i] : NULL;
}

static kr_status kr_seen_insert(kr_vault *vault, kr_vault_seen entry) {
  if (vault->n_seen == vault->cap_seen) {
    const kr_allocator *heap = kr_heap_memory();
    size_t cap = vault->cap_seen == 0 ? KR_SEEN_FIRST : vault->cap_seen * 2;
    size_t size = 0;
    if (!kr_size_mul(cap, sizeof entry, &size))
      return KR_NOMEM;
    kr_vault_seen *seen = heap->alloc(size);
    if (seen == NULL)
      return KR_NOMEM;
    if (vault->n_seen > 0)
      memcpy(seen, vault->seen, vault->n_seen * sizeof entry);
    if (vault->seen != NULL)
      heap->release(vault->seen, vault->cap_seen * sizeof entry);
    vault->seen = seen;
    vault->cap_seen = cap;
  }
  size_t i = kr_seen_index(vault, entry.org_id);
  memmove(vault->seen + i + 1, vault->seen + i, (vault->n_seen - i) * sizeof entry);
  vault->seen[i] = entry;
  vault->n_seen++;
  return KR_OK;
}

/* Only a reader sees committed generations alone, so only a reader raises `high`. */
static kr_status kr_seen_note(kr_vault *vault, const kr_store_txn *txn, uint32_t org_id,
                              uint64_t generation, bool is_walked, kr_error *reterr) {
  kr_status status = KR_OK;
  (void)pthread_mutex_lock(&vault->mutex);
  kr_vault_seen *entry = kr_seen_find(vault, org_id);
  if (entry == NULL) {
    status = kr_seen_insert(
        vault,
        (kr_vault_seen){.org_id = org_id, .high = generation, .low = 0, .is_walked = is_walked});
  } else {
    if (generation > entry->high && txn->mode == KR_STORE_READ)
      entry->high = generation;
    if (generation < entry->high && is_walked)
      entry->low = generation;
    entry->is_walked = entry->is_walked || is_walked;
  }
  (void)pthread_mutex_unlock(&vault->mutex);
  return status == KR_OK ? KR_OK : kr_fail_nomem(reterr);
}

kr_status kr_vault_seen_new(kr_vault *vault, uint32_t org_id, uint64_t generation,
                            kr_error *reterr) {
  (void)pthread_mutex_lock(&vault->mutex);
  kr_status status = KR_OK;
  kr_vault_seen entry = {.org_id = org_id, .high = generation, .low = 0, .is_walked = true};
  /* An entry can be there from a transaction that was aborted. */
  kr_vault_seen *old = kr_seen_find(vault, org_id);
  if (old != NULL)
    *old = entry;
  else
    status = kr_seen_insert(vault, entry);
  (void)pthread_mutex_unlock(&vault->mutex);
  return status == KR_OK ? KR_OK : kr_fail_nomem(reterr);
}

/* ---- the head ---- */

static kr_status kr_check_org_record(kr_vault *vault, kr_store_txn *txn, kr_str at, kr_str record,
                                     kr_sum *sum, kr_error *reterr) {
  kr_org org;
  kr_sum element;
  kr_manifest manifest;
  KR_TRY(kr_org_parse(vault, at, record, &org, reterr));
  KR_TRY(kr_sum_element(vault, at, record, &element, reterr));
  kr_sum_add(sum, &element);
  KR_TRY(kr_manifest_read(vault, txn, &org, &manifest, reterr));
  kr_vault_place place = kr_place_manifest(org.id);
  KR_TRY(kr_store_get(txn, kr_place_str(&place), &record, reterr));
  KR_TRY(kr_sum_element(vault, kr_place_str(&place), record, &element, reterr));
  kr_sum_add(sum, &element);
  return kr_seen_note(vault, txn, org.id, manifest.generation, false, reterr);
}

static kr_status kr_check_head(kr_vault *vault, kr_store_txn *txn, kr_error *reterr) {
  kr_vault_head head;
  KR_TRY(kr_head_read(vault, txn, &head, reterr));
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_vault_place prefix = kr_place_orgs();
  KR_TRY(kr_store_scan(txn, kr_place_str(&prefix), (kr_str){0}, false, &cursor, reterr));
  kr_sum sum = {{0}};
  uint64_t n_orgs = 0;
  kr_str at = {0};
  kr_str record = {0};
  kr_status status = KR_OK;
  while ((status = kr_store_next(cursor, &at, &record, reterr)) == KR_OK) {
    KR_TRY(kr_check_org_record(vault, txn, at, record, &sum, reterr));
    n_orgs++;
  }
  if (status != KR_NOT_FOUND)
    return status;
  if (n_orgs != head.n_orgs || !kr_crypto_equal(sum.bytes, head.sum.bytes, sizeof sum.bytes))
    return kr_vault_corrupt(reterr, "the organizations do not match the vault's head: one was "
                                    "removed, added or put back to an older state");
  return KR_OK;
}

kr_status kr_vault_use_head(kr_vault *vault, kr_store_txn *txn, kr_error *reterr) {
  if (!vault->has_key)
    return KR_OK;
  (void)pthread_mutex_lock(&vault->mutex);
  bool is_checked = vault->is_head_checked;
  (void)pthread_mutex_unlock(&vault->mutex);
  if (is_checked)
    return KR_OK;
  KR_TRY(kr_check_head(vault, txn, reterr));
  (void)pthread_mutex_lock(&vault->mutex);
  vault->is_head_checked = true;
  (void)pthread_mutex_unlock(&vault->mutex);
  return KR_OK;
}

/* ---- the records of one organization ---- */

typedef struct kr_walk {
  kr_vault *vault;
  kr_store_txn *txn;
  const kr_org *org;
  kr_mac *sum_mac;
  kr_sum sum;
  uint64_t n_records;
} kr_walk;

static void kr_walk_done(kr_walk *walk) { kr_mac_free(walk->sum_mac); }

typedef kr_status (*kr_walk_step)(kr_walk *walk, kr_str at, kr_str record, kr_error *reterr);

static kr_status kr_walk_prefix(kr_walk *walk, kr_vault_place prefix, kr_walk_step step,
                                kr_error *reterr) {
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  KR_TRY(kr_store_scan(walk->txn, kr_place_str(&prefix), (kr_str){0}, false, &cursor, reterr));
  kr_str at = {0};
  kr_str record = {0};
  kr_status status = KR_OK;
  while ((status = kr_store_next(cursor, &at, &record, reterr)) == KR_OK)
    KR_TRY(step(walk, at, record, reterr));
  return status == KR_NOT_FOUND ? KR_OK : status;
}

static kr_status kr_walk_sum(kr_walk *walk, kr_str at, kr_str record, kr_error *reterr) {
  kr_sum element;
  KR_TRY(kr_sum_element_of(walk->vault, walk->sum_mac, at, record, &element, reterr));
  kr_sum_add(&walk->sum, &element);
  walk->n_records++;
  return KR_OK;
}

static kr_status kr_walk_data_key(kr_walk *walk, kr_str at, kr_str record, kr_error *reterr) {
  (void)record;
  kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(at, 2 + 4));
  uint32_t key_id = kr_wire_get_u32(&reader);
  if (!kr_wire_is_end(&reader))
    return kr_vault_corrupt(reterr, "organization %s has a record in no known place",
                            walk->org->name);
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  return kr_data_key_open(walk->vault, walk->txn, walk->org->id, key_id, &key, reterr);
}

static kr_status kr_walk_meta(kr_walk *walk, kr_str at, kr_str record, kr_error *reterr) {
  kr_meta_record meta;
  KR_TRY(kr_meta_parse(walk->vault, walk->org->id, at, record, &meta, reterr));
  kr_str name = kr_str_cstr(meta.meta.name);
  kr_str environment = kr_str_cstr(meta.meta.environment);
  for (uint32_t i = 0; i < meta.n_versions; i++) {
    uint32_t version = meta.versions[i].version;
    kr_vault_place place = kr_place_value(walk->org->id, name, environment, version);
    kr_str value = {0};
    kr_status status = kr_store_get(walk->txn, kr_place_str(&place), &value, reterr);
    if (status == KR_NOT_FOUND)
      return kr_vault_corrupt(reterr, "secret %s, version %u, of organization %s is gone",
                              meta.meta.name, version, walk->org->name);
    KR_TRY(status);
    KR_CLEANUP(kr_secret_freep) kr_secret *opened = NULL;
    KR_TRY(kr_value_open(walk->vault, walk->txn,
                         &(kr_value_name){walk->org->id, name, environment, version}, value,
                         &opened, reterr));
  }
  return KR_OK;
}

/* The sums differ: find the record to name. */
static kr_status kr_check_locate(kr_walk *walk, kr_error *reterr) {
  uint32_t id = walk->org->id;
  KR_TRY(kr_walk_prefix(walk, kr_place_data_keys(id), kr_walk_data_key, reterr));
  KR_TRY(kr_walk_prefix(walk, kr_place_metas(id), kr_walk_meta, reterr));
  return kr_vault_corrupt(reterr,
                          "the records of organization %s do not match its manifest: one was "
                          "removed, added or put back to an older state",
                          walk->org->name);
}

static kr_status kr_check_org(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                              const kr_manifest *manifest, kr_error *reterr) {
  KR_CLEANUP(kr_walk_done) kr_walk walk = {.vault = vault, .txn = txn, .org = org};
  KR_TRY(kr_mac_new(vault->keys.sum, &walk.sum_mac, reterr));
  KR_TRY(kr_walk_prefix(&walk, kr_place_data_keys(org->id), kr_walk_sum, reterr));
  KR_TRY(kr_walk_prefix(&walk, kr_place_metas(org->id), kr_walk_sum, reterr));
  KR_TRY(kr_walk_prefix(&walk, kr_place_values(org->id), kr_walk_sum, reterr));
  if (walk.n_records != manifest->n_records ||
      !kr_crypto_equal(walk.sum.bytes, manifest->sum.bytes, sizeof walk.sum.bytes))
    return kr_check_locate(&walk, reterr);
  return kr_seen_note(vault, txn, org->id, manifest->generation, true, reterr);
}

kr_status kr_vault_use(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                       kr_manifest *ret_manifest, kr_error *reterr) {
  KR_TRY(kr_vault_use_head(vault, txn, reterr));
  KR_TRY(kr_known_manifest_read(vault, txn, org, ret_manifest, reterr));
  if (!vault->has_key)
    return KR_OK;
  uint64_t generation = ret_manifest->generation;
  (void)pthread_mutex_lock(&vault->mutex);
  const kr_vault_seen *entry = kr_seen_find(vault, org->id);
  bool is_listed = entry != NULL && (generation >= entry->high || generation == entry->low);
  bool is_walked = is_listed && entry->is_walked;
  (void)pthread_mutex_unlock(&vault->mutex);
  if (!is_listed)
    KR_TRY(kr_check_head(vault, txn, reterr));
  if (!is_walked)
    return kr_check_org(vault, txn, org, ret_manifest, reterr);
  return kr_seen_note(vault, txn, org->id, generation, false, reterr);
}

kr_status kr_vault_org_verify(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                              kr_error *reterr) {
  kr_manifest manifest;
  KR_TRY(kr_vault_need_key(vault, reterr));
  KR_TRY(kr_check_head(vault, txn, reterr));
  KR_TRY(kr_manifest_read(vault, txn, org, &manifest, reterr));
  return kr_check_org(vault, txn, org, &manifest, reterr);
}
