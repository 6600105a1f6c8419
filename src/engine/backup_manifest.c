/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup_manifest.c - backup.json written, read and proved. What the MAC covers
 * is not the text but its fields, in their order, so that the text may be
 * printed in any way.
 */
#include "engine/backup.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/wire.h"
#include "json/json.h"

#define KR_DOMAIN_BACKUP KR_STR("krosyn/v1/backup")
#define KR_BACKUP_ARENA_BYTES (512u * 1024u)

const char *const kr_backup_files[KR_BACKUP_FILES] = {"events/data.mdb", "settings.json",
                                                      "vault/data.mdb"};

/* ---- MAC ---- */

static kr_status kr_backup_payload(const kr_backup_manifest *manifest, kr_buf *out) {
  const kr_backup_info *info = &manifest->info;
  KR_TRY(kr_wire_put_u32(out, KR_BACKUP_FORMAT));
  KR_TRY(kr_wire_put_str(out, kr_str_cstr(info->head.store)));
  KR_TRY(kr_wire_put_str(out, kr_str_cstr(info->key)));
  KR_TRY(kr_wire_put_u64(out, (uint64_t)info->created_ms));
  KR_TRY(kr_wire_put_u64(out, info->head.generation));
  KR_TRY(kr_wire_put_u64(out, info->head.events));
  KR_TRY(kr_wire_put_str(out, kr_str_cstr(info->head.chain)));
  KR_TRY(kr_wire_put_u32(out, KR_BACKUP_FILES));
  for (size_t i = 0; i < KR_BACKUP_FILES; i++) {
    KR_TRY(kr_wire_put_str(out, kr_str_cstr(kr_backup_files[i])));
    KR_TRY(kr_wire_put_u64(out, manifest->files[i].n_bytes));
    KR_TRY(kr_buf_append(out, kr_str_from(manifest->files[i].digest, KR_TREE_DIGEST_BYTES)));
  }
  return KR_OK;
}

static kr_status kr_backup_mac(const kr_backup_manifest *manifest, const kr_secret *key,
                               uint8_t out[KR_MAC_BYTES], kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf payload = KR_BUF_INIT(KR_BACKUP_MANIFEST_BYTES, NULL);
  KR_TRY(kr_buf_explain(&payload, kr_backup_payload(manifest, &payload), "a backup", reterr));
  const kr_str parts[] = {KR_DOMAIN_BACKUP, kr_buf_str(&payload)};
  return kr_crypto_mac(key, parts, 2, out, reterr);
}

kr_status kr_backup_manifest_check(const kr_backup_manifest *manifest, const kr_secret *key,
                                   kr_error *reterr) {
  uint8_t expected[KR_MAC_BYTES];
  KR_TRY(kr_backup_mac(manifest, key, expected, reterr));
  if (kr_crypto_equal(expected, manifest->mac, sizeof expected))
    return KR_OK;
  return kr_fail_hint(reterr, KR_CORRUPT, "backup.json fails its integrity check",
                      "it was altered, or is not of this backup: use another backup");
}

/* ---- writing ---- */

static void kr_backup_put_hex(kr_json_writer *writer, const uint8_t *bytes, size_t len) {
  KR_CLEANUP(kr_buf_done) kr_buf hex = KR_BUF_INIT(2 * KR_TREE_DIGEST_BYTES + 1, NULL);
  if (kr_hex_encode(kr_str_from(bytes, len), &hex) == KR_OK)
    kr_json_put_string(writer, kr_buf_str(&hex));
  else
    writer->status = KR_NOMEM;
}

static void kr_backup_put_head(kr_json_writer *writer, const kr_backup_info *info) {
  char created[KR_TIME_TEXT_BYTES];
  kr_time_format(info->created_ms, created);
  kr_json_key(writer, KR_STR("format"));
  kr_json_put_int(writer, KR_BACKUP_FORMAT);
  kr_json_key(writer, KR_STR("store"));
  kr_json_put_cstr(writer, info->head.store);
  kr_json_key(writer, KR_STR("key"));
  kr_json_put_cstr(writer, info->key);
  kr_json_key(writer, KR_STR("created"));
  kr_json_put_cstr(writer, created);
  kr_json_key(writer, KR_STR("created_ms"));
  kr_json_put_int(writer, info->created_ms);
  kr_json_key(writer, KR_STR("generation"));
  kr_json_put_int(writer, (int64_t)info->head.generation);
  kr_json_key(writer, KR_STR("events"));
  kr_json_put_int(writer, (int64_t)info->head.events);
  kr_json_key(writer, KR_STR("chain"));
  kr_json_put_cstr(writer, info->head.chain);
}

static kr_status kr_backup_text(const kr_backup_manifest *manifest, kr_buf *out) {
  kr_json_writer writer = kr_json_writer_init(out, 2);
  kr_json_begin_object(&writer);
  kr_backup_put_head(&writer, &manifest->info);
  kr_json_key(&writer, KR_STR("files"));
  kr_json_begin_array(&writer);
  for (size_t i = 0; i < KR_BACKUP_FILES; i++) {
    kr_json_begin_object(&writer);
    kr_json_key(&writer, KR_STR("name"));
    kr_json_put_cstr(&writer, kr_backup_files[i]);
    kr_json_key(&writer, KR_STR("bytes"));
    kr_json_put_int(&writer, (int64_t)manifest->files[i].n_bytes);
    kr_json_key(&writer, KR_STR("sha256"));
    kr_backup_put_hex(&writer, manifest->files[i].digest, KR_TREE_DIGEST_BYTES);
    kr_json_end_object(&writer);
  }
  kr_json_end_array(&writer);
  kr_json_key(&writer, KR_STR("mac"));
  kr_backup_put_hex(&writer, manifest->mac, sizeof manifest->mac);
  kr_json_end_object(&writer);
  KR_TRY(kr_json_finish(&writer));
  return kr_buf_byte(out, '\n');
}

kr_status kr_backup_manifest_save(kr_backup_manifest *manifest, const kr_secret *key,
                                  const char *directory, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(KR_BACKUP_MANIFEST_BYTES, NULL);
  kr_path path;
  KR_TRY(kr_backup_mac(manifest, key, manifest->mac, reterr));
  KR_TRY(kr_buf_explain(&text, kr_backup_text(manifest, &text), KR_BACKUP_MANIFEST, reterr));
  KR_TRY(kr_path_join(&path, directory, KR_BACKUP_MANIFEST, reterr));
  return kr_file_create(path.text, kr_buf_str(&text), reterr);
}

/* ---- reading ---- */

static bool kr_backup_get_number(const kr_json *object, const char *key, uint64_t *out) {
  const kr_json *json = kr_json_get(object, kr_str_cstr(key));
  int64_t number = 0;
  if (json == NULL || !kr_json_to_int(json, &number) || number < 0)
    return false;
  *out = (uint64_t)number;
  return true;
}

static bool kr_backup_get_text(const kr_json *object, const char *key, char *out, size_t size) {
  const kr_json *json = kr_json_get(object, kr_str_cstr(key));
  if (json == NULL || json->type != KR_JSON_STRING)
    return false;
  kr_str text = kr_json_text(json);
  if (text.len >= size)
    return false;
  for (size_t i = 0; i < text.len; i++)
    if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7F)
      return false;
  memset(out, 0, size);
  if (text.len > 0)
    memcpy(out, text.ptr, text.len);
  return true;
}

static bool kr_backup_get_hex(const kr_json *object, const char *key, uint8_t *out, size_t len) {
  const kr_json *json = kr_json_get(object, kr_str_cstr(key));
  kr_str text = json == NULL ? (kr_str){0} : kr_json_text(json);
  if (text.len != 2 * len)
    return false;
  for (size_t i = 0; i < len; i++) {
    int high = kr_hex_digit(text.ptr[2 * i]);
    int low = kr_hex_digit(text.ptr[2 * i + 1]);
    if (high < 0 || low < 0)
      return false;
    out[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

static bool kr_backup_get_files(const kr_json *root, kr_backup_manifest *manifest) {
  const kr_json *files = kr_json_get(root, KR_STR("files"));
  if (files == NULL || files->type != KR_JSON_ARRAY || files->count != KR_BACKUP_FILES)
    return false;
  for (size_t i = 0; i < KR_BACKUP_FILES; i++) {
    const kr_json *file = kr_json_at(files, (int64_t)i);
    char name[32];
    if (!kr_backup_get_text(file, "name", name, sizeof name) ||
        strcmp(name, kr_backup_files[i]) != 0 ||
        !kr_backup_get_number(file, "bytes", &manifest->files[i].n_bytes) ||
        !kr_backup_get_hex(file, "sha256", manifest->files[i].digest, KR_TREE_DIGEST_BYTES))
      return false;
    manifest->info.bytes += manifest->files[i].n_bytes;
  }
  return true;
}

static bool kr_backup_get(const kr_json *root, kr_backup_manifest *manifest) {
  kr_backup_info *info = &manifest->info;
  uint64_t created_ms = 0;
  bool is_good = kr_backup_get_text(root, "store", info->head.store, sizeof info->head.store) &&
                 kr_backup_get_text(root, "key", info->key, sizeof info->key) &&
                 kr_backup_get_number(root, "created_ms", &created_ms) &&
                 kr_backup_get_number(root, "generation", &info->head.generation) &&
                 kr_backup_get_number(root, "events", &info->head.events) &&
                 kr_backup_get_text(root, "chain", info->head.chain, sizeof info->head.chain) &&
                 kr_backup_get_files(root, manifest) &&
                 kr_backup_get_hex(root, "mac", manifest->mac, sizeof manifest->mac);
  info->created_ms = (int64_t)created_ms;
  return is_good;
}

static kr_status kr_backup_malformed(const char *path, kr_error *reterr) {
  (void)kr_fail(reterr, KR_CORRUPT, "%s is not the manifest of a backup, or is damaged", path);
  kr_error_hint(reterr, "use another backup");
  return KR_CORRUPT;
}

static kr_status kr_backup_parse(const char *path, kr_str text, kr_backup_manifest *manifest,
                                 kr_error *reterr) {
  KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(KR_BACKUP_ARENA_BYTES, NULL);
  const kr_json *root = NULL;
  uint64_t format = 0;
  kr_status status = kr_json_parse(text, NULL, &arena, &root, NULL);
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  if (status != KR_OK || !kr_backup_get_number(root, "format", &format))
    return kr_backup_malformed(path, reterr);
  if (format != KR_BACKUP_FORMAT) {
    (void)kr_fail(reterr, KR_UNSUPPORTED, "%s is of format %llu; this krosyn reads format %d", path,
                  (unsigned long long)format, KR_BACKUP_FORMAT);
    kr_error_hint(reterr, "use the version of krosyn that made the backup");
    return KR_UNSUPPORTED;
  }
  return kr_backup_get(root, manifest) ? KR_OK : kr_backup_malformed(path, reterr);
}

kr_status kr_backup_manifest_load(const char *directory, kr_backup_manifest *ret_manifest,
                                  kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(KR_BACKUP_MANIFEST_BYTES, NULL);
  kr_backup_manifest manifest = {.files = {{.n_bytes = 0}}};
  kr_path path;
  KR_TRY(kr_path_join(&path, directory, KR_BACKUP_MANIFEST, reterr));
  kr_status status = kr_file_read(path.text, &text, reterr);
  if (status == KR_NOT_FOUND) {
    (void)kr_fail(reterr, KR_NOT_FOUND, "there is no whole backup in %s", directory);
    kr_error_hint(reterr, "a backup is a directory with a file " KR_BACKUP_MANIFEST
                          "; one that was interrupted has none");
  }
  if (status == KR_LIMIT)
    return kr_backup_malformed(path.text, reterr);
  KR_TRY(status);
  KR_TRY(kr_backup_parse(path.text, kr_buf_str(&text), &manifest, reterr));
  *ret_manifest = manifest;
  return KR_OK;
}
