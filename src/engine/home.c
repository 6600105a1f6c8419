/* SPDX-License-Identifier: Apache-2.0 */
/* home.c - reading and writing settings.json; see home.h. */
#include "engine/home.h"

#include "base/cleanup.h"
#include "base/encode.h"

#define KR_HOME_ARENA_BYTES (256u * 1024u)

void kr_home_uuid_format(const uint8_t uuid[KR_VAULT_UUID_BYTES], char out[KR_UUID_TEXT_BYTES]) {
  static const char digits[] = "0123456789abcdef";
  char *o = out;
  for (size_t i = 0; i < KR_VAULT_UUID_BYTES; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *o++ = '-';
    *o++ = digits[uuid[i] >> 4];
    *o++ = digits[uuid[i] & 15];
  }
  *o = '\0';
}

static bool kr_home_uuid_parse(kr_str text, uint8_t out[KR_VAULT_UUID_BYTES]) {
  if (text.len != KR_UUID_TEXT_BYTES - 1)
    return false;
  size_t n_digits = 0;
  for (size_t i = 0; i < text.len; i++) {
    bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    int digit = kr_hex_digit(text.ptr[i]);
    if (is_dash ? text.ptr[i] != '-' : digit < 0)
      return false;
    if (is_dash)
      continue;
    uint8_t high = n_digits % 2 == 0 ? 0 : out[n_digits / 2];
    out[n_digits / 2] = (uint8_t)(n_digits % 2 == 0 ? digit << 4 : high | digit);
    n_digits++;
  }
  return true;
}

static kr_status kr_home_damaged(const char *path, const char *what, kr_error *reterr) {
  kr_status status = kr_fail(reterr, KR_CORRUPT, "%s: %s", path, what);
  kr_error_hint(reterr, "restore the home from a backup; settings.json holds no secrets");
  return status;
}

static kr_status kr_home_settings_read(const char *path, const kr_json *root, kr_home_settings *out,
                                       kr_error *reterr) {
  int64_t format = -1;
  const kr_json *format_json = kr_json_get(root, KR_STR("format"));
  if (format_json == NULL || !kr_json_to_int(format_json, &format))
    return kr_home_damaged(path, "\"format\" is missing", reterr);
  if (format != KR_HOME_FORMAT) {
    (void)kr_fail(reterr, KR_UNSUPPORTED, "%s is of format %lld; this krosyn reads format %d", path,
                  (long long)format, KR_HOME_FORMAT);
    kr_error_hint(reterr, "use the version of krosyn that wrote it");
    return KR_UNSUPPORTED;
  }
  const kr_json *store = kr_json_get(root, KR_STR("store"));
  if (store == NULL || store->type != KR_JSON_STRING ||
      !kr_home_uuid_parse(kr_json_text(store), out->uuid))
    return kr_home_damaged(path, "\"store\" is not a UUID", reterr);
  kr_home_uuid_format(out->uuid, out->uuid_text);
  const char *problem = kr_home_key_read(kr_json_get(root, KR_STR("key")), out);
  return problem == NULL ? KR_OK : kr_home_damaged(path, problem, reterr);
}

kr_status kr_home_settings_load(const char *home, kr_home_settings *ret_settings,
                                kr_error *reterr) {
  kr_path path;
  KR_TRY(kr_path_join(&path, home, "settings.json", reterr));
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(KR_HOME_SETTINGS_BYTES, NULL);
  kr_status status = kr_file_read(path.text, &text, reterr);
  if (status == KR_NOT_FOUND) {
    (void)kr_fail(reterr, KR_NOT_FOUND, "there is no krosyn home in %s", home);
    kr_error_hint(reterr, "create one with `krosyn init`, or name another with --home DIR");
  }
  if (status == KR_LIMIT)
    return kr_home_damaged(path.text, "too large for a settings file", reterr);
  KR_TRY(status);
  KR_CLEANUP(kr_arena_done) kr_arena arena = KR_ARENA_INIT(KR_HOME_ARENA_BYTES, NULL);
  const kr_json *root = NULL;
  status = kr_json_parse(kr_buf_str(&text), NULL, &arena, &root, NULL);
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  if (status != KR_OK || root->type != KR_JSON_OBJECT)
    return kr_home_damaged(path.text, "not a JSON object", reterr);
  memset(ret_settings, 0, sizeof *ret_settings);
  return kr_home_settings_read(path.text, root, ret_settings, reterr);
}

kr_status kr_home_settings_save(const char *home, const kr_home_settings *settings,
                                kr_error *reterr) {
  kr_path path;
  KR_TRY(kr_path_join(&path, home, "settings.json", reterr));
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(KR_HOME_SETTINGS_BYTES, NULL);
  kr_json_writer writer = kr_json_writer_init(&text, 2);
  kr_json_begin_object(&writer);
  kr_json_key(&writer, KR_STR("format"));
  kr_json_put_int(&writer, KR_HOME_FORMAT);
  kr_json_key(&writer, KR_STR("store"));
  kr_json_put_cstr(&writer, settings->uuid_text);
  kr_json_key(&writer, KR_STR("key"));
  kr_home_key_write(&writer, settings);
  kr_json_end_object(&writer);
  kr_status status = kr_json_finish(&writer);
  if (status == KR_OK)
    status = kr_buf_byte(&text, '\n');
  if (status != KR_OK)
    return kr_buf_explain(&text, status, "settings.json", reterr);
  return kr_file_create(path.text, kr_buf_str(&text), reterr);
}
