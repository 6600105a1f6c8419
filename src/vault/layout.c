/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.c - where records stand in the store; docs/formats/vault.md has the
 * table. Two letters, then ids (u32, big-endian) and names. A secret's name
 * and its environment cannot hold a NUL, so the NUL behind each ends it.
 */
#include "base/assert.h"
#include "vault/internal.h"

static void kr_place_bytes(kr_vault_place *place, kr_str bytes) {
  KR_ASSERT(bytes.len <= sizeof place->bytes - place->len);
  if (bytes.len > 0)
    memcpy(place->bytes + place->len, bytes.ptr, bytes.len);
  place->len += bytes.len;
}

static void kr_place_u32(kr_vault_place *place, uint32_t value) {
  const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                            (uint8_t)value};
  kr_place_bytes(place, kr_str_from(bytes, sizeof bytes));
}

static kr_vault_place kr_place_of(kr_str letters) {
  kr_vault_place place = {.len = 0};
  kr_place_bytes(&place, letters);
  return place;
}

static kr_vault_place kr_place_within(kr_str letters, uint32_t org_id) {
  kr_vault_place place = kr_place_of(letters);
  kr_place_u32(&place, org_id);
  return place;
}

kr_vault_place kr_place_root(void) { return kr_place_of(KR_STR("v0")); }
kr_vault_place kr_place_head(void) { return kr_place_of(KR_STR("vh")); }
kr_vault_place kr_place_orgs(void) { return kr_place_of(KR_STR("vo")); }

kr_vault_place kr_place_org(kr_str name) {
  kr_vault_place place = kr_place_orgs();
  kr_place_bytes(&place, name);
  return place;
}

kr_vault_place kr_place_manifest(uint32_t org_id) { return kr_place_within(KR_STR("vm"), org_id); }

kr_vault_place kr_place_data_keys(uint32_t org_id) { return kr_place_within(KR_STR("vk"), org_id); }

kr_vault_place kr_place_data_key(uint32_t org_id, uint32_t key_id) {
  kr_vault_place place = kr_place_data_keys(org_id);
  kr_place_u32(&place, key_id);
  return place;
}

kr_vault_place kr_place_metas(uint32_t org_id) { return kr_place_within(KR_STR("vs"), org_id); }

/* Names hold no NUL and sort before what they begin, so the environments of one stand together. */
static void kr_place_secret(kr_vault_place *place, kr_str name, kr_str environment) {
  kr_place_bytes(place, name);
  kr_place_bytes(place, kr_str_from("", 1));
  kr_place_bytes(place, environment);
}

kr_vault_place kr_place_meta(uint32_t org_id, kr_str name, kr_str environment) {
  kr_vault_place place = kr_place_metas(org_id);
  kr_place_secret(&place, name, environment);
  return place;
}

kr_vault_place kr_place_values(uint32_t org_id) { return kr_place_within(KR_STR("vv"), org_id); }

kr_vault_place kr_place_value(uint32_t org_id, kr_str name, kr_str environment, uint32_t version) {
  kr_vault_place place = kr_place_values(org_id);
  kr_place_secret(&place, name, environment);
  kr_place_bytes(&place, kr_str_from("", 1));
  kr_place_u32(&place, version);
  return place;
}

bool kr_place_read_org(kr_str at, uint32_t *ret_org_id, kr_str *ret_rest) {
  kr_wire_reader reader = kr_wire_reader_init(at);
  (void)kr_wire_get_bytes(&reader, 2);
  *ret_org_id = kr_wire_get_u32(&reader);
  *ret_rest = reader.rest;
  return !reader.is_bad;
}

bool kr_place_read_secret(kr_str rest, kr_str *ret_name, kr_str *ret_environment) {
  size_t end = kr_str_find(rest, kr_str_from("", 1), 0);
  if (end == SIZE_MAX)
    return false;
  *ret_name = kr_str_slice(rest, 0, end);
  *ret_environment = kr_str_skip(rest, end + 1);
  return kr_vault_name_check(*ret_name, NULL) == KR_OK &&
         kr_vault_environment_check(*ret_environment, NULL) == KR_OK;
}

bool kr_place_read_value(kr_str rest, kr_str *ret_name, kr_str *ret_environment,
                         uint32_t *ret_version) {
  if (rest.len < 1 + 4 || rest.ptr[rest.len - 5] != 0)
    return false;
  kr_wire_reader reader = kr_wire_reader_init(kr_str_skip(rest, rest.len - 4));
  *ret_version = kr_wire_get_u32(&reader);
  return kr_place_read_secret(kr_str_slice(rest, 0, rest.len - 5), ret_name, ret_environment);
}
