/* SPDX-License-Identifier: Apache-2.0 */
/*
 * orgs.c - organizations: a record under the name, a manifest and data keys
 * under the id. Ids are never used twice.
 *
 *   organization record = id u32 | created u64 (ms) | MAC
 */
#include "vault/internal.h"

#define KR_ORG_RECORD_BYTES 128u

kr_status kr_org_parse(const kr_vault *vault, kr_str place, kr_str record, kr_org *ret_org,
                       kr_error *reterr) {
  kr_str payload = {0};
  kr_status status =
      kr_record_mac_open(vault->keys.record, KR_DOMAIN_ORG, place, record, &payload, reterr);
  kr_str name = kr_str_skip(place, kr_place_orgs().len);
  if (status == KR_CORRUPT || kr_org_name_check(name, NULL) != KR_OK)
    return kr_vault_corrupt(reterr, "the record of an organization fails its integrity check");
  KR_TRY(status);
  kr_wire_reader reader = kr_wire_reader_init(payload);
  kr_org org = {.id = kr_wire_get_u32(&reader)};
  org.created_ms = (int64_t)kr_wire_get_u64(&reader);
  if (!kr_wire_is_end(&reader) || org.id == 0)
    return kr_vault_corrupt(reterr, "the record of organization %.*s is not well-formed",
                            KR_FMT(name));
  memcpy(org.name, name.ptr, name.len);
  *ret_org = org;
  return KR_OK;
}

static kr_status kr_org_seal(const kr_vault *vault, const kr_org *org, kr_str place, kr_buf *record,
                             kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(KR_ORG_RECORD_BYTES, NULL);
  kr_status status = kr_wire_put_u32(&body, org->id);
  if (status == KR_OK)
    status = kr_wire_put_u64(&body, (uint64_t)org->created_ms);
  KR_TRY(kr_buf_explain(&body, status, "an organization", reterr));
  return kr_record_mac_seal(vault->keys.record, KR_DOMAIN_ORG, place, kr_buf_str(&body), record,
                            reterr);
}

/* Takes the next id from the head and stores the record under the name. */
static kr_status kr_org_register(kr_change *change, kr_org *org, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_ORG_RECORD_BYTES, NULL);
  kr_vault_place place = kr_place_org(kr_str_cstr(org->name));
  kr_str at = kr_place_str(&place);
  kr_sum element;
  if (change->head.next_org_id > KR_VAULT_ORG_ID_MAX)
    return kr_fail_hint(reterr, KR_LIMIT, "the vault has used up its ids of organizations",
                        "create another home");
  org->id = change->head.next_org_id++;
  change->org_id = org->id;
  change->head.n_orgs++;
  KR_TRY(kr_org_seal(change->vault, org, at, &record, reterr));
  KR_TRY(kr_sum_element(change->vault, at, kr_buf_str(&record), &element, reterr));
  kr_sum_add(&change->head.sum, &element);
  kr_status status = kr_store_put_new(change->txn, at, kr_buf_str(&record), reterr);
  if (status == KR_EXISTS)
    return kr_fail(reterr, KR_EXISTS, "organization %s exists already", org->name);
  return status;
}

kr_status kr_vault_org_create(kr_vault *vault, kr_store_txn *txn, kr_str name, int64_t now_ms,
                              kr_org *ret_org, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf data_key = KR_BUF_INIT(KR_VAULT_RECORD_BYTES, NULL);
  kr_change change = {.vault = vault, .txn = txn};
  kr_org org = {.created_ms = now_ms};
  KR_TRY(kr_org_name_check(name, reterr));
  KR_TRY(kr_vault_need_key(vault, reterr));
  KR_TRY(kr_vault_use_head(vault, txn, reterr));
  KR_TRY(kr_head_read(vault, txn, &change.head, reterr));
  memcpy(org.name, name.ptr, name.len);
  KR_TRY(kr_org_register(&change, &org, reterr));
  change.manifest = (kr_manifest){.data_key_id = 1, .next_key_id = 2};
  KR_TRY(kr_data_key_new(vault, org.id, change.manifest.data_key_id, &data_key, reterr));
  kr_vault_place place = kr_place_data_key(org.id, change.manifest.data_key_id);
  KR_TRY(kr_change_put(&change, kr_place_str(&place), kr_buf_str(&data_key), reterr));
  KR_TRY(kr_change_end(&change, reterr));
  KR_TRY(kr_vault_seen_new(vault, org.id, change.manifest.generation, reterr));
  *ret_org = org;
  return KR_OK;
}

kr_status kr_vault_org_each(kr_vault *vault, kr_store_txn *txn, kr_org_visit visit, void *ctx,
                            kr_error *reterr) {
  KR_TRY(kr_vault_use_head(vault, txn, reterr));
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_vault_place prefix = kr_place_orgs();
  KR_TRY(kr_store_scan(txn, kr_place_str(&prefix), (kr_str){0}, false, &cursor, reterr));
  kr_str at = {0};
  kr_str record = {0};
  kr_status status = KR_OK;
  while ((status = kr_store_next(cursor, &at, &record, reterr)) == KR_OK) {
    kr_org org;
    KR_TRY(kr_org_parse(vault, at, record, &org, reterr));
    KR_TRY(visit(ctx, &org));
  }
  return status == KR_NOT_FOUND ? KR_OK : status;
}

static kr_status kr_org_consider(void *ctx, const kr_org *org) {
  kr_nearest_consider(ctx, kr_str_cstr(org->name));
  return KR_OK;
}

static kr_status kr_org_missing(kr_vault *vault, kr_store_txn *txn, kr_str name, kr_error *reterr) {
  kr_nearest nearest = kr_nearest_init(name);
  KR_TRY(kr_vault_org_each(vault, txn, kr_org_consider, &nearest, reterr));
  kr_status status = kr_fail(reterr, KR_NOT_FOUND, "there is no organization %.*s", KR_FMT(name));
  if (nearest.name[0] != '\0')
    kr_error_hint(reterr, "did you mean %s?", nearest.name);
  else
    kr_error_hint(reterr, "`krosyn org list` shows them; create it with `krosyn org create %.*s`",
                  KR_FMT(name));
  return status;
}

kr_status kr_vault_org_find(kr_vault *vault, kr_store_txn *txn, kr_str name, kr_org *ret_org,
                            kr_error *reterr) {
  KR_TRY(kr_org_name_check(name, reterr));
  KR_TRY(kr_vault_use_head(vault, txn, reterr));
  kr_vault_place place = kr_place_org(name);
  kr_str record = {0};
  kr_status status = kr_store_get(txn, kr_place_str(&place), &record, reterr);
  if (status == KR_NOT_FOUND)
    return kr_org_missing(vault, txn, name, reterr);
  KR_TRY(status);
  return kr_org_parse(vault, kr_place_str(&place), record, ret_org, reterr);
}
