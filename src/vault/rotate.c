/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotate.c - a new data key for an organization, and its values sealed again.
 *
 *   begin   a second data key; the manifest names it, so new values go under it
 *   step    up to n values that name another key: opened, sealed under the current one
 *   ...
 *   step    a walk over all values that finds none of them: the other key is removed
 *
 * Each is a transaction of its own. How far it is stands in the values
 * themselves (each names its data key), so nothing has to be remembered by who
 * is killed in between; the place to go on from only spares walking.
 */
#include "base/assert.h"
#include "vault/internal.h"

/* The place of a value, taken apart: "vv" | organization | name | 00 | environment | 00 | version.
 */
typedef struct kr_rotate_value {
  kr_vault_place place;
  kr_value_name name; /* in place */
} kr_rotate_value;

static kr_status kr_rotate_stray(uint32_t org_id, kr_error *reterr) {
  return kr_vault_corrupt(reterr, "organization %u has a record in no known place", org_id);
}

static kr_status kr_rotate_split(uint32_t org_id, kr_rotate_value *value, kr_error *reterr) {
  kr_str rest = kr_str_skip(kr_place_str(&value->place), kr_place_values(org_id).len);
  const uint8_t *zero = rest.len == 0 ? NULL : memchr(rest.ptr, 0, rest.len);
  size_t name_len = zero == NULL ? rest.len : (size_t)(zero - rest.ptr);
  kr_str tail = kr_str_skip(rest, name_len);
  if (tail.len < 1 + 1 + 4 || tail.ptr[tail.len - 5] != 0)
    return kr_rotate_stray(org_id, reterr);
  kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(tail, tail.len - 4));
  value->name = (kr_value_name){.org_id = org_id,
                                .name = kr_str_slice(rest, 0, name_len),
                                .environment = kr_str_slice(tail, 1, tail.len - 5),
                                .version = kr_wire_get_u32(&reader)};
  bool is_ok = kr_vault_name_check(value->name.name, NULL) == KR_OK &&
               kr_vault_environment_check(value->name.environment, NULL) == KR_OK;
  return is_ok ? KR_OK : kr_rotate_stray(org_id, reterr);
}

/* The data key a stored value names; a record too short for one is damage. */
static kr_status kr_rotate_key_of(uint32_t org_id, kr_str record, uint32_t *ret_key_id,
                                  kr_error *reterr) {
  kr_wire_reader reader = kr_wire_reader_init(record);
  *ret_key_id = kr_wire_get_u32(&reader);
  if (reader.is_bad)
    return kr_vault_corrupt(reterr, "a value of organization %u is cut short", org_id);
  return KR_OK;
}

/* The other data key, 0 when the current one is the only one. There are never more than two. */
static kr_status kr_rotate_other_key(kr_store_txn *txn, uint32_t org_id, uint32_t current,
                                     uint32_t *ret_key_id, kr_error *reterr) {
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_vault_place prefix = kr_place_data_keys(org_id);
  KR_TRY(kr_store_scan(txn, kr_place_str(&prefix), (kr_str){0}, false, &cursor, reterr));
  kr_str at = {0};
  kr_str record = {0};
  kr_status status = KR_OK;
  *ret_key_id = 0;
  while ((status = kr_store_next(cursor, &at, &record, reterr)) == KR_OK) {
    kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(at, prefix.len));
    uint32_t key_id = kr_wire_get_u32(&reader);
    if (!kr_wire_is_end(&reader) || (key_id != current && *ret_key_id != 0))
      return kr_rotate_stray(org_id, reterr);
    if (key_id != current)
      *ret_key_id = key_id;
  }
  return status == KR_NOT_FOUND ? KR_OK : status;
}

kr_status kr_vault_rotate_begin(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                kr_rotation *ret_rotation, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_VAULT_RECORD_BYTES, NULL);
  kr_change change;
  uint32_t other = 0;
  KR_TRY(kr_change_begin(&change, vault, txn, org, reterr));
  uint32_t current = change.manifest.data_key_id;
  KR_TRY(kr_rotate_other_key(txn, org->id, current, &other, reterr));
  *ret_rotation = (kr_rotation){.old_key_id = other, .new_key_id = current};
  if (other != 0)
    return KR_OK;
  if (change.manifest.next_key_id == UINT32_MAX)
    return kr_fail_hint(reterr, KR_LIMIT, "the organization has used up its ids of data keys",
                        "create another organization");
  *ret_rotation = (kr_rotation){
      .old_key_id = current, .new_key_id = change.manifest.next_key_id, .is_begun = true};
  change.manifest.data_key_id = change.manifest.next_key_id++;
  KR_TRY(kr_data_key_new(vault, org->id, ret_rotation->new_key_id, &record, reterr));
  kr_vault_place place = kr_place_data_key(org->id, ret_rotation->new_key_id);
  KR_TRY(kr_change_put(&change, kr_place_str(&place), kr_buf_str(&record), reterr));
  return kr_change_end(&change, reterr);
}

/* What a walk over the values looks for, and what it found. */
typedef struct kr_rotate_walk {
  kr_store_txn *txn;
  uint32_t org_id;
  uint32_t current; /* the data key values should name */
  size_t max;       /* of places to keep; 0: count only */
  kr_rotate_value *found;
  uint64_t n_found;
} kr_rotate_walk;

/* From a place (inclusive; empty: the first) until `max` are found, or to the end. */
static kr_status kr_rotate_find(kr_rotate_walk *walk, kr_str from, kr_error *reterr) {
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_vault_place prefix = kr_place_values(walk->org_id);
  KR_TRY(kr_store_scan(walk->txn, kr_place_str(&prefix), from, false, &cursor, reterr));
  kr_str at = {0};
  kr_str record = {0};
  uint32_t key_id = 0;
  kr_status status = KR_OK;
  while ((walk->max == 0 || walk->n_found < walk->max) &&
         (status = kr_store_next(cursor, &at, &record, reterr)) == KR_OK) {
    KR_TRY(kr_rotate_key_of(walk->org_id, record, &key_id, reterr));
    if (key_id == walk->current)
      continue;
    if (walk->max > 0) {
      kr_rotate_value *value = &walk->found[walk->n_found];
      if (at.len > sizeof value->place.bytes)
        return kr_rotate_stray(walk->org_id, reterr);
      memcpy(value->place.bytes, at.ptr, at.len);
      value->place.len = at.len;
      KR_TRY(kr_rotate_split(walk->org_id, value, reterr));
    }
    walk->n_found++;
  }
  return status == KR_NOT_FOUND ? KR_OK : status;
}

kr_status kr_vault_rotate_count(kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                                uint64_t *ret_count, kr_error *reterr) {
  kr_manifest manifest;
  KR_TRY(kr_vault_use(vault, txn, org, &manifest, reterr));
  kr_rotate_walk walk = {.txn = txn, .org_id = org->id, .current = manifest.data_key_id};
  KR_TRY(kr_rotate_find(&walk, (kr_str){0}, reterr));
  *ret_count = walk.n_found;
  return KR_OK;
}

static kr_status kr_rotate_reseal(kr_change *change, const kr_secret *data_key,
                                  const kr_rotate_value *value, kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *opened = NULL;
  KR_CLEANUP(kr_buf_done) kr_buf sealed = KR_BUF_INIT(KR_VAULT_RECORD_BYTES, NULL);
  kr_str record = {0};
  KR_TRY(kr_store_get(change->txn, kr_place_str(&value->place), &record, reterr));
  KR_TRY(kr_value_open(change->vault, change->txn, &value->name, record, &opened, reterr));
  KR_TRY(kr_value_seal(change->vault, data_key, change->manifest.data_key_id, &value->name,
                       kr_secret_reveal(opened), &sealed, reterr));
  return kr_change_put(change, kr_place_str(&value->place), kr_buf_str(&sealed), reterr);
}

static kr_status kr_rotate_reseal_all(kr_change *change, const kr_rotate_walk *walk,
                                      kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *data_key = NULL;
  KR_TRY(kr_data_key_open(change->vault, change->txn, change->org_id, walk->current, &data_key,
                          reterr));
  for (size_t i = 0; i < walk->n_found; i++)
    KR_TRY(kr_rotate_reseal(change, data_key, &walk->found[i], reterr));
  return KR_OK;
}

/* A walk from the first value found none that names another key: nothing refers to it. */
static kr_status kr_rotate_finish(kr_change *change, kr_rotate_state *state, kr_error *reterr) {
  uint32_t other = 0;
  state->is_done = true;
  KR_TRY(kr_rotate_other_key(change->txn, change->org_id, change->manifest.data_key_id, &other,
                             reterr));
  state->retired_key_id = other;
  state->key_id = change->manifest.data_key_id;
  if (other == 0)
    return KR_OK; /* another process was first */
  kr_vault_place place = kr_place_data_key(change->org_id, other);
  KR_TRY(kr_change_remove(change, kr_place_str(&place), reterr));
  return kr_change_end(change, reterr);
}

/* Where the next step goes on: at the last value of a full batch, else from the first value. */
static void kr_rotate_remember(kr_rotate_state *state, const kr_rotate_walk *walk) {
  state->from_len = 0;
  if (walk->n_found < walk->max)
    return;
  const kr_vault_place *last = &walk->found[walk->n_found - 1].place;
  memcpy(state->from, last->bytes, last->len);
  state->from_len = last->len;
}

static kr_status kr_rotate_step_with(kr_change *change, kr_rotate_walk *walk,
                                     kr_rotate_state *state, kr_error *reterr) {
  bool is_whole = state->from_len == 0;
  KR_TRY(kr_rotate_find(walk, kr_str_from(state->from, state->from_len), reterr));
  if (walk->n_found == 0 && is_whole)
    return kr_rotate_finish(change, state, reterr);
  kr_rotate_remember(state, walk);
  if (walk->n_found == 0)
    return KR_OK;
  KR_TRY(kr_rotate_reseal_all(change, walk, reterr));
  state->n_resealed += walk->n_found;
  return kr_change_end(change, reterr);
}

kr_status kr_vault_rotate_step(kr_vault *vault, kr_store_txn *txn, const kr_org *org, size_t max,
                               kr_rotate_state *state, kr_error *reterr) {
  kr_change change;
  size_t size = 0;
  KR_ASSERT(max > 0);
  KR_TRY(kr_change_begin(&change, vault, txn, org, reterr));
  kr_rotate_walk walk = {
      .txn = txn, .org_id = org->id, .current = change.manifest.data_key_id, .max = max};
  if (!kr_size_mul(max, sizeof *walk.found, &size))
    return kr_fail_nomem(reterr);
  walk.found = kr_heap_memory()->alloc(size);
  if (walk.found == NULL)
    return kr_fail_nomem(reterr);
  kr_status status = kr_rotate_step_with(&change, &walk, state, reterr);
  kr_heap_memory()->release(walk.found, size);
  return status;
}
