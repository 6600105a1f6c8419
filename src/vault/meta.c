/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta.c - the second record of a secret: all that may be shown of it.
 *
 *   created u64 (ms) | updated u64 (ms) | description str
 *   | versions u8 | versions * (version u32 | created u64 (ms)), ascending | MAC
 */
#include "vault/meta.h"

#define KR_META_BYTES 2048u

static kr_status kr_meta_damaged(kr_str name, kr_error *reterr) {
  if (kr_vault_name_check(name, NULL) != KR_OK)
    return kr_vault_corrupt(reterr, "the metadata of a secret fails its integrity check");
  return kr_vault_corrupt(reterr, "the metadata of secret %.*s fails its integrity check",
                          KR_FMT(name));
}

static void kr_meta_read_versions(kr_wire_reader *reader, kr_meta_record *record) {
  record->n_versions = kr_wire_get_u8(reader);
  if (record->n_versions == 0 || record->n_versions > KR_VAULT_VERSIONS_KEPT)
    reader->is_bad = true;
  uint32_t before = 0;
  for (uint32_t i = 0; !reader->is_bad && i < record->n_versions; i++) {
    record->versions[i] = kr_wire_get_u32(reader);
    record->created_ms[i] = (int64_t)kr_wire_get_u64(reader);
    if (record->versions[i] <= before)
      reader->is_bad = true;
    before = record->versions[i];
  }
}

/* Read even unverified records with care: keyless, these bytes may be anything. */
kr_status kr_meta_parse(const kr_vault *vault, uint32_t org_id, kr_str place, kr_str bytes,
                        kr_meta_record *ret_record, kr_error *reterr) {
  kr_str payload = {0};
  kr_str name = kr_str_skip(place, kr_place_metas(org_id).len);
  kr_status status =
      kr_record_mac_open(vault->keys.record, KR_DOMAIN_META, place, bytes, &payload, reterr);
  if (status == KR_CORRUPT || kr_vault_name_check(name, NULL) != KR_OK)
    return kr_meta_damaged(name, reterr);
  KR_TRY(status);
  kr_meta_record record = {.n_versions = 0};
  kr_wire_reader reader = kr_wire_reader_init(payload);
  record.meta.created_ms = (int64_t)kr_wire_get_u64(&reader);
  record.meta.updated_ms = (int64_t)kr_wire_get_u64(&reader);
  kr_str description = kr_wire_get_str(&reader);
  kr_meta_read_versions(&reader, &record);
  if (!kr_wire_is_end(&reader) || kr_vault_description_check(description, NULL) != KR_OK)
    return kr_meta_damaged(name, reterr);
  memcpy(record.meta.name, name.ptr, name.len);
  if (description.len > 0)
    memcpy(record.meta.description, description.ptr, description.len);
  record.meta.oldest = record.versions[0];
  record.meta.version = record.versions[record.n_versions - 1];
  *ret_record = record;
  return KR_OK;
}

static kr_status kr_meta_body(const kr_meta_record *record, kr_buf *out) {
  KR_TRY(kr_wire_put_u64(out, (uint64_t)record->meta.created_ms));
  KR_TRY(kr_wire_put_u64(out, (uint64_t)record->meta.updated_ms));
  KR_TRY(kr_wire_put_str(out, kr_str_cstr(record->meta.description)));
  KR_TRY(kr_wire_put_u8(out, (uint8_t)record->n_versions));
  for (uint32_t i = 0; i < record->n_versions; i++) {
    KR_TRY(kr_wire_put_u32(out, record->versions[i]));
    KR_TRY(kr_wire_put_u64(out, (uint64_t)record->created_ms[i]));
  }
  return KR_OK;
}

kr_status kr_meta_put(kr_change *change, const kr_meta_record *record, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(KR_META_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf bytes = KR_BUF_INIT(KR_META_BYTES, NULL);
  kr_vault_place place = kr_place_meta(change->org_id, kr_str_cstr(record->meta.name));
  KR_TRY(kr_buf_explain(&body, kr_meta_body(record, &body), "the metadata of a secret", reterr));
  KR_TRY(kr_record_mac_seal(change->vault->keys.record, KR_DOMAIN_META, kr_place_str(&place),
                            kr_buf_str(&body), &bytes, reterr));
  return kr_change_put(change, kr_place_str(&place), kr_buf_str(&bytes), reterr);
}

kr_status kr_meta_get(const kr_vault *vault, kr_store_txn *txn, uint32_t org_id, kr_str name,
                      kr_meta_record *ret_record, kr_error *reterr) {
  kr_vault_place place = kr_place_meta(org_id, name);
  kr_str bytes = {0};
  KR_TRY(kr_store_get(txn, kr_place_str(&place), &bytes, reterr));
  return kr_meta_parse(vault, org_id, kr_place_str(&place), bytes, ret_record, reterr);
}

kr_status kr_meta_each(const kr_vault *vault, kr_store_txn *txn, uint32_t org_id,
                       kr_secret_visit visit, void *ctx, kr_error *reterr) {
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_vault_place prefix = kr_place_metas(org_id);
  KR_TRY(kr_store_scan(txn, kr_place_str(&prefix), (kr_str){0}, false, &cursor, reterr));
  kr_str at = {0};
  kr_str bytes = {0};
  kr_status status = KR_OK;
  while ((status = kr_store_next(cursor, &at, &bytes, reterr)) == KR_OK) {
    kr_meta_record record;
    KR_TRY(kr_meta_parse(vault, org_id, at, bytes, &record, reterr));
    KR_TRY(visit(ctx, &record.meta));
  }
  return status == KR_NOT_FOUND ? KR_OK : status;
}
