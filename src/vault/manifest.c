/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest.c - what an organization should hold. MACs on single records show
 * that each was written by us, not that it is the newest or that none is
 * missing; the manifest shows that:
 *
 *   manifest: generation | records | secrets | data key id | next key id | nonce | masked sum | MAC
 *   head:     generation | organizations | next id | nonce | masked sum | MAC
 *
 *   sum    = sum over all records r at key k of HMAC(sum key, "element", k, r)  mod 2^256
 *   masked = sum + HMAC(sum key, "mask", place, nonce)                          mod 2^256
 *
 * A change adds and subtracts a few elements: constant cost, whatever the
 * size. The mask hides the sum: from differences of plain sums an observer of
 * many states could search for other sets of old records with the same sum
 * (the generalised birthday problem; additive hashes: Bellare and Micciancio 1997).
 */
#include "vault/internal.h"

#define KR_MANIFEST_BYTES 256u /* a manifest or head record, with room */

/* ---- sums ---- */

void kr_sum_add(kr_sum *sum, const kr_sum *element) {
  unsigned carry = 0;
  for (size_t i = KR_VAULT_SUM_BYTES; i-- > 0;) {
    carry += (unsigned)sum->bytes[i] + element->bytes[i];
    sum->bytes[i] = (uint8_t)carry;
    carry >>= 8;
  }
}

void kr_sum_subtract(kr_sum *sum, const kr_sum *element) {
  unsigned borrow = 0;
  for (size_t i = KR_VAULT_SUM_BYTES; i-- > 0;) {
    unsigned difference = 256u + sum->bytes[i] - element->bytes[i] - borrow;
    sum->bytes[i] = (uint8_t)difference;
    borrow = difference < 256u;
  }
}

kr_status kr_sum_element_of(const kr_vault *vault, kr_mac *sum_mac, kr_str place, kr_str record,
                            kr_sum *ret_element, kr_error *reterr) {
  const kr_str parts[] = {KR_DOMAIN_ELEMENT, place, record};
  size_t n_parts = sizeof parts / sizeof parts[0];
  if (sum_mac != NULL)
    return kr_mac_run(sum_mac, parts, n_parts, ret_element->bytes, reterr);
  return kr_crypto_mac(vault->keys.sum, parts, n_parts, ret_element->bytes, reterr);
}

kr_status kr_sum_element(const kr_vault *vault, kr_str place, kr_str record, kr_sum *ret_element,
                         kr_error *reterr) {
  return kr_sum_element_of(vault, NULL, place, record, ret_element, reterr);
}

static kr_status kr_sum_mask(const kr_vault *vault, kr_str place, kr_str nonce, kr_sum *ret_mask,
                             kr_error *reterr) {
  const kr_str parts[] = {KR_DOMAIN_MASK, place, nonce};
  return kr_crypto_mac(vault->keys.sum, parts, sizeof parts / sizeof parts[0], ret_mask->bytes,
                       reterr);
}

/* Append nonce and masked sum. */
static kr_status kr_sum_put(const kr_vault *vault, kr_str place, const kr_sum *sum, kr_buf *out,
                            kr_error *reterr) {
  uint8_t nonce[KR_VAULT_NONCE_BYTES];
  kr_sum masked;
  KR_TRY(kr_crypto_random(nonce, sizeof nonce, reterr));
  KR_TRY(kr_sum_mask(vault, place, kr_str_from(nonce, sizeof nonce), &masked, reterr));
  kr_sum_add(&masked, sum);
  kr_status status = kr_buf_append(out, kr_str_from(nonce, sizeof nonce));
  if (status == KR_OK)
    status = kr_buf_append(out, kr_str_from(masked.bytes, sizeof masked.bytes));
  return kr_buf_explain(out, status, "a manifest", reterr);
}

/* Keyless the sum cannot be unmasked and is not needed: zeros. */
static kr_status kr_sum_get(const kr_vault *vault, kr_str place, kr_wire_reader *reader,
                            kr_sum *ret_sum, kr_error *reterr) {
  kr_str nonce = kr_wire_get_bytes(reader, KR_VAULT_NONCE_BYTES);
  kr_str masked = kr_wire_get_bytes(reader, KR_VAULT_SUM_BYTES);
  *ret_sum = (kr_sum){{0}};
  if (reader->is_bad || !vault->has_key)
    return KR_OK;
  kr_sum mask;
  KR_TRY(kr_sum_mask(vault, place, nonce, &mask, reterr));
  memcpy(ret_sum->bytes, masked.ptr, masked.len);
  kr_sum_subtract(ret_sum, &mask);
  return KR_OK;
}

/* ---- manifest record ---- */

kr_status kr_manifest_parse(const kr_vault *vault, uint32_t org_id, kr_str record,
                            kr_manifest *ret_manifest, kr_error *reterr) {
  kr_vault_place place = kr_place_manifest(org_id);
  kr_str payload = {0};
  kr_status status = kr_record_mac_open(vault->keys.record, KR_DOMAIN_MANIFEST,
                                        kr_place_str(&place), record, &payload, reterr);
  if (status == KR_CORRUPT)
    return kr_vault_corrupt(reterr, "the manifest of organization %u fails its integrity check",
                            org_id);
  KR_TRY(status);
  kr_wire_reader reader = kr_wire_reader_init(payload);
  kr_manifest manifest = {.generation = kr_wire_get_u64(&reader)};
  manifest.n_records = kr_wire_get_u64(&reader);
  manifest.n_secrets = kr_wire_get_u32(&reader);
  manifest.data_key_id = kr_wire_get_u32(&reader);
  manifest.next_key_id = kr_wire_get_u32(&reader);
  KR_TRY(kr_sum_get(vault, kr_place_str(&place), &reader, &manifest.sum, reterr));
  if (!kr_wire_is_end(&reader))
    return kr_vault_corrupt(reterr, "the manifest of organization %u is not well-formed", org_id);
  *ret_manifest = manifest;
  return KR_OK;
}

kr_status kr_manifest_read(const kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                           kr_manifest *ret_manifest, kr_error *reterr) {
  kr_vault_place place = kr_place_manifest(org->id);
  kr_str record = {0};
  kr_status status = kr_store_get(txn, kr_place_str(&place), &record, reterr);
  if (status == KR_OK)
    return kr_manifest_parse(vault, org->id, record, ret_manifest, reterr);
  if (status != KR_NOT_FOUND)
    return status;
  /* Gone on purpose, or gone by force? The organization's record knows. */
  kr_vault_place org_place = kr_place_org(kr_str_cstr(org->name));
  status = kr_store_get(txn, kr_place_str(&org_place), &record, reterr);
  if (status != KR_OK && status != KR_NOT_FOUND)
    return status;
  kr_org named = {.id = 0};
  if (status == KR_OK)
    KR_TRY(kr_org_parse(vault, kr_place_str(&org_place), record, &named, reterr));
  /* Another id: it was deleted, and its name given again. */
  if (named.id == org->id)
    return kr_vault_corrupt(reterr, "the manifest of organization %s is gone", org->name);
  return kr_fail(reterr, KR_NOT_FOUND, "there is no organization %s", org->name);
}

static kr_status kr_manifest_body(const kr_manifest *manifest, kr_buf *out) {
  KR_TRY(kr_wire_put_u64(out, manifest->generation));
  KR_TRY(kr_wire_put_u64(out, manifest->n_records));
  KR_TRY(kr_wire_put_u32(out, manifest->n_secrets));
  KR_TRY(kr_wire_put_u32(out, manifest->data_key_id));
  return kr_wire_put_u32(out, manifest->next_key_id);
}

/* Write the manifest and add its element to the head's sum. */
static kr_status kr_manifest_write(kr_change *change, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(KR_MANIFEST_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_MANIFEST_BYTES, NULL);
  kr_vault_place place = kr_place_manifest(change->org_id);
  kr_str at = kr_place_str(&place);
  kr_sum element;
  KR_TRY(kr_buf_explain(&body, kr_manifest_body(&change->manifest, &body), "a manifest", reterr));
  KR_TRY(kr_sum_put(change->vault, at, &change->manifest.sum, &body, reterr));
  KR_TRY(kr_record_mac_seal(change->vault->keys.record, KR_DOMAIN_MANIFEST, at, kr_buf_str(&body),
                            &record, reterr));
  KR_TRY(kr_sum_element(change->vault, at, kr_buf_str(&record), &element, reterr));
  kr_sum_add(&change->head.sum, &element);
  return kr_store_put(change->txn, at, kr_buf_str(&record), reterr);
}

/* ---- head record ---- */

kr_status kr_head_read(const kr_vault *vault, kr_store_txn *txn, kr_vault_head *ret_head,
                       kr_error *reterr) {
  kr_vault_place place = kr_place_head();
  kr_str record = {0};
  kr_str payload = {0};
  kr_status status = kr_store_get(txn, kr_place_str(&place), &record, reterr);
  if (status == KR_NOT_FOUND)
    return kr_vault_corrupt(reterr, "the vault's head record is gone");
  KR_TRY(status);
  status = kr_record_mac_open(vault->keys.record, KR_DOMAIN_HEAD, kr_place_str(&place), record,
                              &payload, reterr);
  if (status == KR_CORRUPT)
    return kr_vault_corrupt(reterr, "the vault's head record fails its integrity check");
  KR_TRY(status);
  kr_wire_reader reader = kr_wire_reader_init(payload);
  kr_vault_head head = {.generation = kr_wire_get_u64(&reader)};
  head.n_orgs = kr_wire_get_u32(&reader);
  head.next_org_id = kr_wire_get_u32(&reader);
  KR_TRY(kr_sum_get(vault, kr_place_str(&place), &reader, &head.sum, reterr));
  if (!kr_wire_is_end(&reader))
    return kr_vault_corrupt(reterr, "the vault's head record is not well-formed");
  *ret_head = head;
  return KR_OK;
}

static kr_status kr_head_body(const kr_vault_head *head, kr_buf *out) {
  KR_TRY(kr_wire_put_u64(out, head->generation));
  KR_TRY(kr_wire_put_u32(out, head->n_orgs));
  return kr_wire_put_u32(out, head->next_org_id);
}

kr_status kr_head_write(const kr_vault *vault, kr_store_txn *txn, const kr_vault_head *head,
                        kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(KR_MANIFEST_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_MANIFEST_BYTES, NULL);
  kr_vault_place place = kr_place_head();
  kr_str at = kr_place_str(&place);
  KR_TRY(kr_buf_explain(&body, kr_head_body(head, &body), "the head record", reterr));
  KR_TRY(kr_sum_put(vault, at, &head->sum, &body, reterr));
  KR_TRY(kr_record_mac_seal(vault->keys.record, KR_DOMAIN_HEAD, at, kr_buf_str(&body), &record,
                            reterr));
  return kr_store_put(txn, at, kr_buf_str(&record), reterr);
}

/* ---- changes ---- */

kr_status kr_change_begin(kr_change *change, kr_vault *vault, kr_store_txn *txn, const kr_org *org,
                          kr_error *reterr) {
  *change = (kr_change){.vault = vault, .txn = txn, .org_id = org->id};
  KR_TRY(kr_vault_need_key(vault, reterr));
  KR_TRY(kr_vault_use(vault, txn, org, &change->manifest, reterr));
  KR_TRY(kr_head_read(vault, txn, &change->head, reterr));
  kr_vault_place place = kr_place_manifest(org->id);
  kr_str record = {0};
  kr_sum element;
  KR_TRY(kr_store_get(txn, kr_place_str(&place), &record, reterr));
  KR_TRY(kr_sum_element(vault, kr_place_str(&place), record, &element, reterr));
  kr_sum_subtract(&change->head.sum, &element);
  return KR_OK;
}

kr_status kr_change_put(kr_change *change, kr_str place, kr_str record, kr_error *reterr) {
  kr_sum element;
  kr_str old = {0};
  kr_status status = kr_store_get(change->txn, place, &old, reterr);
  if (status == KR_OK) {
    KR_TRY(kr_sum_element_of(change->vault, change->sum_mac, place, old, &element, reterr));
    kr_sum_subtract(&change->manifest.sum, &element);
  } else if (status == KR_NOT_FOUND) {
    change->manifest.n_records++;
  } else {
    return status;
  }
  KR_TRY(kr_sum_element_of(change->vault, change->sum_mac, place, record, &element, reterr));
  kr_sum_add(&change->manifest.sum, &element);
  return kr_store_put(change->txn, place, record, reterr);
}

kr_status kr_change_remove(kr_change *change, kr_str place, kr_error *reterr) {
  kr_sum element;
  kr_str old = {0};
  kr_status status = kr_store_get(change->txn, place, &old, reterr);
  if (status == KR_NOT_FOUND)
    return kr_vault_corrupt(reterr, "a record of organization %u is gone", change->org_id);
  KR_TRY(status);
  KR_TRY(kr_sum_element_of(change->vault, change->sum_mac, place, old, &element, reterr));
  kr_sum_subtract(&change->manifest.sum, &element);
  change->manifest.n_records--;
  return kr_store_remove(change->txn, place, reterr);
}

kr_status kr_change_end(kr_change *change, kr_error *reterr) {
  change->manifest.generation++;
  change->head.generation++;
  KR_TRY(kr_manifest_write(change, reterr));
  return kr_head_write(change->vault, change->txn, &change->head, reterr);
}
