/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta.c - the second record of a secret: all that may be shown of it. At
 * "vs" | organization | name | 00 | environment:
 *
 *   created u64 (ms) | by str | updated u64 (ms) | by str | description str
 *   | expires u64 (ms) | hosts str | positions u8 | min search u32 | keep u8
 *   | versions u8 | versions * (version u32 | created u64 (ms) | from u32 | by str), ascending |
 * MAC
 */
#include "vault/meta.h"

#define KR_META_BYTES 8192u

static kr_status kr_meta_damaged(kr_str name, kr_error *reterr) {
  if (kr_vault_name_check(name, NULL) != KR_OK)
    return kr_vault_corrupt(reterr, "the metadata of a secret fails its integrity check");
  return kr_vault_corrupt(reterr, "the metadata of secret %.*s fails its integrity check",
                          KR_FMT(name));
}

static void kr_meta_copy(kr_wire_reader *reader, kr_str text, char *out, size_t max) {
  if (text.len > max)
    reader->is_bad = true;
  else if (text.len > 0)
    memcpy(out, text.ptr, text.len); /* the record was zeroed: the end is there */
}

static void kr_meta_read_by(kr_wire_reader *reader, char out[KR_VAULT_BY_BYTES + 1]) {
  kr_str by = kr_wire_get_str(reader);
  if (kr_vault_description_check(by, NULL) != KR_OK)
    reader->is_bad = true;
  kr_meta_copy(reader, by, out, KR_VAULT_BY_BYTES);
}

static void kr_meta_read_versions(kr_wire_reader *reader, kr_meta_record *record) {
  record->n_versions = kr_wire_get_u8(reader);
  if (record->n_versions == 0 || record->n_versions > KR_VAULT_VERSIONS_MAX)
    reader->is_bad = true;
  uint32_t before = 0;
  for (uint32_t i = 0; !reader->is_bad && i < record->n_versions; i++) {
    kr_secret_version *version = &record->versions[i];
    version->version = kr_wire_get_u32(reader);
    version->created_ms = (int64_t)kr_wire_get_u64(reader);
    version->from = kr_wire_get_u32(reader);
    kr_meta_read_by(reader, version->by);
    if (version->version <= before || version->from >= version->version)
      reader->is_bad = true;
    before = version->version;
  }
}

static void kr_meta_read_policy(kr_wire_reader *reader, kr_secret_policy *policy) {
  policy->expires_ms = (int64_t)kr_wire_get_u64(reader);
  kr_meta_copy(reader, kr_wire_get_str(reader), policy->hosts, KR_VAULT_HOSTS_BYTES);
  policy->positions = kr_wire_get_u8(reader);
  policy->min_search = kr_wire_get_u32(reader);
  policy->keep = kr_wire_get_u8(reader);
  if (!reader->is_bad && kr_vault_policy_check(policy, NULL) != KR_OK)
    reader->is_bad = true;
}

static void kr_meta_read(kr_wire_reader *reader, kr_meta_record *record) {
  kr_secret_meta *meta = &record->meta;
  meta->created_ms = (int64_t)kr_wire_get_u64(reader);
  kr_meta_read_by(reader, meta->created_by);
  meta->updated_ms = (int64_t)kr_wire_get_u64(reader);
  kr_meta_read_by(reader, meta->updated_by);
  kr_str description = kr_wire_get_str(reader);
  if (kr_vault_description_check(description, NULL) != KR_OK)
    reader->is_bad = true;
  kr_meta_copy(reader, description, meta->description, KR_VAULT_DESCRIPTION_BYTES);
  kr_meta_read_policy(reader, &meta->policy);
  kr_meta_read_versions(reader, record);
}

/* name | 00 | environment, behind the prefix of all metadata. */
static bool kr_meta_place_split(kr_str place, uint32_t org_id, kr_str *ret_name,
                                kr_str *ret_environment) {
  kr_str rest = kr_str_skip(place, kr_place_metas(org_id).len);
  const uint8_t *end = rest.len == 0 ? NULL : memchr(rest.ptr, 0, rest.len);
  size_t len = end == NULL ? rest.len : (size_t)(end - rest.ptr);
  *ret_name = kr_str_slice(rest, 0, len);
  *ret_environment = end == NULL ? (kr_str){0} : kr_str_skip(rest, len + 1);
  return end != NULL && kr_vault_name_check(*ret_name, NULL) == KR_OK &&
         kr_vault_environment_check(*ret_environment, NULL) == KR_OK;
}

/* Read even unverified records with care: keyless, these bytes may be anything. */
kr_status kr_meta_parse(const kr_vault *vault, uint32_t org_id, kr_str place, kr_str bytes,
                        kr_meta_record *ret_record, kr_error *reterr) {
  kr_str payload = {0};
  kr_str name = {0};
  kr_str environment = {0};
  bool is_place = kr_meta_place_split(place, org_id, &name, &environment);
  kr_status status =
      kr_record_mac_open(vault->keys.record, KR_DOMAIN_META, place, bytes, &payload, reterr);
  if (status == KR_CORRUPT || !is_place)
    return kr_meta_damaged(name, reterr);
  KR_TRY(status);
  memset(ret_record, 0, sizeof *ret_record);
  kr_wire_reader reader = kr_wire_reader_init(payload);
  kr_meta_read(&reader, ret_record);
  if (!kr_wire_is_end(&reader))
    return kr_meta_damaged(name, reterr);
  memcpy(ret_record->meta.name, name.ptr, name.len);
  if (environment.len > 0)
    memcpy(ret_record->meta.environment, environment.ptr, environment.len);
  ret_record->meta.oldest = ret_record->versions[0].version;
  ret_record->meta.version = ret_record->versions[ret_record->n_versions - 1].version;
  return KR_OK;
}

static kr_status kr_meta_policy_body(const kr_secret_policy *policy, kr_buf *out) {
  KR_TRY(kr_wire_put_u64(out, (uint64_t)policy->expires_ms));
  KR_TRY(kr_wire_put_str(out, kr_str_cstr(policy->hosts)));
  KR_TRY(kr_wire_put_u8(out, policy->positions));
  KR_TRY(kr_wire_put_u32(out, policy->min_search));
  return kr_wire_put_u8(out, (uint8_t)policy->keep);
}

static kr_status kr_meta_body(const kr_meta_record *record, kr_buf *out) {
  const kr_secret_meta *meta = &record->meta;
  KR_TRY(kr_wire_put_u64(out, (uint64_t)meta->created_ms));
  KR_TRY(kr_wire_put_str(out, kr_str_cstr(meta->created_by)));
  KR_TRY(kr_wire_put_u64(out, (uint64_t)meta->updated_ms));
  KR_TRY(kr_wire_put_str(out, kr_str_cstr(meta->updated_by)));
  KR_TRY(kr_wire_put_str(out, kr_str_cstr(meta->description)));
  KR_TRY(kr_meta_policy_body(&meta->policy, out));
  KR_TRY(kr_wire_put_u8(out, (uint8_t)record->n_versions));
  for (uint32_t i = 0; i < record->n_versions; i++) {
    const kr_secret_version *version = &record->versions[i];
    KR_TRY(kr_wire_put_u32(out, version->version));
    KR_TRY(kr_wire_put_u64(out, (uint64_t)version->created_ms));
    KR_TRY(kr_wire_put_u32(out, version->from));
    KR_TRY(kr_wire_put_str(out, kr_str_cstr(version->by)));
  }
  return KR_OK;
}

kr_status kr_meta_put(kr_change *change, const kr_meta_record *record, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(KR_META_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf bytes = KR_BUF_INIT(KR_META_BYTES, NULL);
  kr_vault_place place = kr_place_meta(change->org_id, kr_str_cstr(record->meta.name),
                                       kr_str_cstr(record->meta.environment));
  KR_TRY(kr_buf_explain(&body, kr_meta_body(record, &body), "the metadata of a secret", reterr));
  KR_TRY(kr_record_mac_seal(change->vault->keys.record, KR_DOMAIN_META, kr_place_str(&place),
                            kr_buf_str(&body), &bytes, reterr));
  return kr_change_put(change, kr_place_str(&place), kr_buf_str(&bytes), reterr);
}

kr_status kr_meta_get(const kr_vault *vault, kr_store_txn *txn, uint32_t org_id, kr_str name,
                      kr_str environment, kr_meta_record *ret_record, kr_error *reterr) {
  kr_vault_place place = kr_place_meta(org_id, name, environment);
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
