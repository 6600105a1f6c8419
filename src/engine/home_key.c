/* SPDX-License-Identifier: Apache-2.0 */
/*
 * home_key.c - the member "key" of settings.json: how the master key was given
 * when the home was made. The file may have been changed by whoever can write
 * to the home, so every number has its bounds here.
 */
#include "base/encode.h"
#include "engine/home.h"

static kr_str kr_home_text(const kr_json *object, kr_str name) {
  const kr_json *value = kr_json_get(object, name);
  return value != NULL && value->type == KR_JSON_STRING ? kr_json_text(value) : (kr_str){0};
}

static const char *kr_home_file_read(const kr_json *file, kr_home_settings *out) {
  kr_str text = kr_json_text(file);
  bool is_path = file->type == KR_JSON_STRING && text.len > 0 && text.ptr[0] == '/' &&
                 text.len < sizeof out->key_file.text && memchr(text.ptr, '\0', text.len) == NULL;
  if (!is_path)
    return "\"key.file\" is not an absolute path";
  memcpy(out->key_file.text, text.ptr, text.len);
  out->key_file.text[text.len] = '\0';
  out->key_source = KR_KEY_FILE;
  return NULL;
}

static const char *kr_home_command_read(const kr_json *command, kr_home_settings *out) {
  static const char *const what =
      "\"key.command\" is not an array of strings that begins with an absolute path";
  if (command->type != KR_JSON_ARRAY || command->count == 0)
    return what;
  for (uint32_t i = 0; i < command->count; i++) {
    const kr_json *word = &command->items[i];
    if (word->type != KR_JSON_STRING ||
        kr_keycommand_add(&out->key_command, kr_json_text(word), NULL) != KR_OK)
      return what;
  }
  out->key_source = KR_KEY_COMMAND;
  return NULL;
}

static bool kr_home_number(const kr_json *key, kr_str name, uint32_t min, uint32_t max,
                           uint32_t *ret_number) {
  const kr_json *value = kr_json_get(key, name);
  int64_t number = -1;
  if (value == NULL || !kr_json_to_int(value, &number) || number < min || number > max)
    return false;
  *ret_number = (uint32_t)number;
  return true;
}

static const char *kr_home_scrypt_read(const kr_json *key, kr_scrypt *out) {
  if (!kr_str_equal(kr_home_text(key, KR_STR("kdf")), KR_STR("scrypt")))
    return "\"key.kdf\" is not \"scrypt\"";
  bool is_bounded =
      kr_home_number(key, KR_STR("n"), KR_HOME_SCRYPT_N, KR_HOME_SCRYPT_MAX_N, &out->n) &&
      kr_home_number(key, KR_STR("r"), KR_HOME_SCRYPT_R, KR_HOME_SCRYPT_MAX_R, &out->r) &&
      kr_home_number(key, KR_STR("p"), KR_HOME_SCRYPT_P, KR_HOME_SCRYPT_MAX_P, &out->p) &&
      (out->n & (out->n - 1)) == 0 && (uint64_t)128 * out->n * out->r <= KR_HOME_SCRYPT_MAX_BYTES;
  return is_bounded ? NULL
                    : "the cost of the passphrase (\"key.n\", \"key.r\", \"key.p\") is weaker or "
                      "larger than krosyn ever sets";
}

static const char *kr_home_passphrase_read(const kr_json *key, kr_home_settings *out) {
  kr_home_passphrase *passphrase = &out->passphrase;
  kr_str id = kr_home_text(key, KR_STR("id"));
  if (!kr_key_id_is_valid(id))
    return "\"key.id\" is not the id of a key";
  /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a valid id is not empty */
  memcpy(passphrase->id, id.ptr, id.len);
  passphrase->id[id.len] = '\0';
  kr_str salt = kr_home_text(key, KR_STR("salt"));
  bool is_salt = salt.len == (size_t)2 * KR_HOME_SALT_BYTES;
  for (size_t i = 0; is_salt && i < KR_HOME_SALT_BYTES; i++) {
    int high = kr_hex_digit(salt.ptr[2 * i]);
    int low = kr_hex_digit(salt.ptr[2 * i + 1]);
    is_salt = high >= 0 && low >= 0;
    passphrase->salt[i] = (uint8_t)(is_salt ? high << 4 | low : 0);
  }
  if (!is_salt)
    return "\"key.salt\" is not 16 bytes of hex";
  out->key_source = KR_KEY_PASSPHRASE;
  return kr_home_scrypt_read(key, &passphrase->scrypt);
}

const char *kr_home_key_read(const kr_json *key, kr_home_settings *out) {
  if (key == NULL || key->type != KR_JSON_OBJECT)
    return "\"key\" names no source";
  const kr_json *file = kr_json_get(key, KR_STR("file"));
  const kr_json *command = kr_json_get(key, KR_STR("command"));
  const kr_json *named = kr_json_get(key, KR_STR("source"));
  if ((file != NULL) + (command != NULL) + (named != NULL) > 1)
    return "\"key\" names more than one source";
  if (file != NULL)
    return kr_home_file_read(file, out);
  if (command != NULL)
    return kr_home_command_read(command, out);
  kr_str source = kr_home_text(key, KR_STR("source"));
  if (kr_str_equal(source, KR_STR("passphrase")))
    return kr_home_passphrase_read(key, out);
  out->is_key_default = kr_str_equal(source, KR_STR("default"));
  out->key_source = out->is_key_default                           ? KR_KEY_FILE
                    : kr_str_equal(source, KR_STR("credential"))  ? KR_KEY_CREDENTIAL
                    : kr_str_equal(source, KR_STR("environment")) ? KR_KEY_ENVIRONMENT
                                                                  : KR_KEY_AUTO;
  return out->key_source == KR_KEY_AUTO ? "\"key\" names no source that this krosyn knows" : NULL;
}

static void kr_home_passphrase_write(kr_json_writer *writer, const kr_home_passphrase *passphrase) {
  static const char digits[] = "0123456789abcdef";
  char salt[2 * KR_HOME_SALT_BYTES];
  for (size_t i = 0; i < KR_HOME_SALT_BYTES; i++) {
    salt[2 * i] = digits[passphrase->salt[i] >> 4];
    salt[2 * i + 1] = digits[passphrase->salt[i] & 15];
  }
  kr_json_key(writer, KR_STR("id"));
  kr_json_put_cstr(writer, passphrase->id);
  kr_json_key(writer, KR_STR("kdf"));
  kr_json_put_cstr(writer, "scrypt");
  kr_json_key(writer, KR_STR("n"));
  kr_json_put_int(writer, passphrase->scrypt.n);
  kr_json_key(writer, KR_STR("r"));
  kr_json_put_int(writer, passphrase->scrypt.r);
  kr_json_key(writer, KR_STR("p"));
  kr_json_put_int(writer, passphrase->scrypt.p);
  kr_json_key(writer, KR_STR("salt"));
  kr_json_put_string(writer, kr_str_from(salt, sizeof salt));
}

static void kr_home_command_write(kr_json_writer *writer, const kr_keycommand *command) {
  kr_json_key(writer, KR_STR("command"));
  kr_json_begin_array(writer);
  size_t offset = 0;
  for (size_t i = 0; i < command->n_words; i++)
    kr_json_put_string(writer, kr_keycommand_next(command, &offset));
  kr_json_end_array(writer);
}

void kr_home_key_write(kr_json_writer *writer, const kr_home_settings *settings) {
  static const char *const names[] = {[KR_KEY_FILE] = "default",
                                      [KR_KEY_CREDENTIAL] = "credential",
                                      [KR_KEY_PASSPHRASE] = "passphrase",
                                      [KR_KEY_ENVIRONMENT] = "environment"};
  bool is_file = settings->key_source == KR_KEY_FILE && !settings->is_key_default;
  kr_json_begin_object(writer);
  if (settings->key_source == KR_KEY_COMMAND) {
    kr_home_command_write(writer, &settings->key_command);
  } else {
    kr_json_key(writer, is_file ? KR_STR("file") : KR_STR("source"));
    kr_json_put_cstr(writer, is_file ? settings->key_file.text : names[settings->key_source]);
  }
  if (settings->key_source == KR_KEY_PASSPHRASE)
    kr_home_passphrase_write(writer, &settings->passphrase);
  kr_json_end_object(writer);
}
