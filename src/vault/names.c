/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c - what names, descriptions and values may be. Messages name rules
 * and names, never values, and never how long a value was.
 */
#include "vault/internal.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

#define KR_NEAREST_LIMIT 3u         /* edits; further away is another name */
#define KR_NAME_SUGGESTED_BYTES 40u /* longer ones may be values */

kr_status kr_vault_corrupt(kr_error *reterr, const char *format, ...) {
  char message[KR_ERROR_MESSAGE_BYTES];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  return kr_fail_hint(reterr, KR_CORRUPT, message,
                      "the stored data was damaged or altered: restore the home from a backup");
}

static bool kr_name_byte_is_ok(uint8_t byte) {
  return (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_';
}

static bool kr_is_lower(uint8_t byte) { return byte >= 'a' && byte <= 'z'; }
static bool kr_is_upper(uint8_t byte) { return byte >= 'A' && byte <= 'Z'; }
static bool kr_is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }
static bool kr_is_between_words(uint8_t byte) { return strchr("-_. $", byte) != NULL && byte != 0; }

/*
 * Where a name belongs a value may stand by mistake, and in upper case it would
 * be shown almost whole. So only what reads like a name is: words of one case,
 * or with a capital first, and with digits at their ends alone.
 */
static bool kr_name_reads_like_one(kr_str name) {
  for (size_t i = 0; i < name.len; i++) {
    uint8_t byte = name.ptr[i];
    uint8_t before = i < 1 ? '-' : name.ptr[i - 1];
    uint8_t before_that = i < 2 ? '-' : name.ptr[i - 2];
    bool is_letter = kr_is_lower(byte) || kr_is_upper(byte);
    if (!is_letter && !kr_is_digit(byte) && !kr_is_between_words(byte))
      return false;
    if (is_letter && kr_is_digit(before))
      return false;
    if (kr_is_upper(byte) && kr_is_lower(before))
      return false;
    if (kr_is_lower(byte) && kr_is_upper(before) && !kr_is_between_words(before_that))
      return false;
  }
  return name.len <= KR_NAME_SUGGESTED_BYTES;
}

/* "crm-key" -> "CRM_KEY"; false when nothing of it would be left, or it may be a value. */
static bool kr_name_suggest(kr_str name, char out[KR_VAULT_NAME_BYTES + 1]) {
  bool is_useful = false;
  size_t len = name.len > KR_VAULT_NAME_BYTES ? KR_VAULT_NAME_BYTES : name.len;
  if (!kr_name_reads_like_one(name))
    return false;
  for (size_t i = 0; i < len; i++) {
    uint8_t byte = name.ptr[i];
    if (byte >= 'a' && byte <= 'z')
      byte = (uint8_t)(byte - 'a' + 'A');
    bool is_ok = kr_name_byte_is_ok(byte);
    is_useful = is_useful || (is_ok && byte != '_');
    out[i] = is_ok ? (char)byte : '_';
  }
  out[len] = '\0';
  return is_useful;
}

kr_status kr_vault_name_check(kr_str name, kr_error *reterr) {
  bool is_ok = name.len > 0 && name.len <= KR_VAULT_NAME_BYTES;
  for (size_t i = 0; is_ok && i < name.len; i++)
    is_ok = kr_name_byte_is_ok(name.ptr[i]);
  if (is_ok)
    return KR_OK;
  const char *what = name.len == 0                    ? "is empty"
                     : name.len > KR_VAULT_NAME_BYTES ? "is too long"
                                                      : "has other characters";
  kr_status status =
      kr_fail(reterr, KR_INVALID, "a secret's name is 1 to %u of A-Z, 0-9 and '_'; this one %s",
              KR_VAULT_NAME_BYTES, what);
  char suggestion[KR_VAULT_NAME_BYTES + 1];
  if (kr_name_suggest(name, suggestion))
    kr_error_hint(reterr, "use %s", suggestion);
  return status;
}

kr_status kr_org_name_check(kr_str name, kr_error *reterr) {
  bool is_ok = name.len > 0 && name.len <= KR_ORG_NAME_BYTES && name.ptr[0] != '-';
  for (size_t i = 0; is_ok && i < name.len; i++) {
    uint8_t byte = name.ptr[i];
    is_ok = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-';
  }
  if (is_ok)
    return KR_OK;
  return kr_fail(reterr, KR_INVALID,
                 "an organization's name is 1 to %u of a-z, 0-9 and '-', not beginning with '-'",
                 KR_ORG_NAME_BYTES);
}

kr_status kr_vault_description_check(kr_str description, kr_error *reterr) {
  if (description.len > KR_VAULT_DESCRIPTION_BYTES)
    return kr_fail(reterr, KR_LIMIT, "a description is at most %u bytes",
                   KR_VAULT_DESCRIPTION_BYTES);
  for (size_t i = 0; i < description.len;) {
    uint32_t point = 0;
    size_t len = kr_utf8_decode(kr_str_skip(description, i), &point);
    if (len == 0)
      return kr_fail(reterr, KR_INVALID, "a description must be UTF-8 text");
    if (point < 0x20 || (point >= 0x7F && point <= 0x9F))
      return kr_fail_hint(reterr, KR_INVALID, "a description has no control characters",
                          "write it on one line");
    i += len;
  }
  return KR_OK;
}

static bool kr_value_is_blank(kr_str value) {
  for (size_t i = 0; i < value.len; i++) {
    uint8_t byte = value.ptr[i];
    if (byte != ' ' && (byte < '\t' || byte > '\r'))
      return false;
  }
  return true;
}

/* What krosyn shows in place of a value; posted back by a form it must not become one. */
static bool kr_value_is_marker(kr_str value) {
  static const kr_str markers[] = {{(const uint8_t *)"[REDACTED]", 10},
                                   {(const uint8_t *)"********", 8}};
  for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++)
    if (value.len == markers[i].len && kr_crypto_equal(value.ptr, markers[i].ptr, value.len))
      return true;
  return false;
}

kr_status kr_value_check(kr_str value, kr_error *reterr) {
  if (value.len > KR_VAULT_VALUE_BYTES)
    return kr_fail(reterr, KR_LIMIT, "a secret's value is at most %u KiB",
                   KR_VAULT_VALUE_BYTES / 1024);
  if (kr_value_is_blank(value))
    return kr_fail_hint(reterr, KR_INVALID, "a secret's value is empty or all blank",
                        "to remove a secret, delete it");
  if (kr_value_is_marker(value))
    return kr_fail_hint(reterr, KR_INVALID,
                        "this is the marker shown in place of a value, not a value",
                        "type the value itself, or leave the secret as it is");
  return KR_OK;
}

kr_status kr_vault_value_check(kr_str value, kr_error *reterr) {
  return kr_value_check(value, reterr);
}

kr_nearest kr_nearest_init(kr_str wanted) {
  return (kr_nearest){.wanted = wanted, .distance = KR_NEAREST_LIMIT + 1};
}

void kr_nearest_consider(kr_nearest *nearest, kr_str name) {
  size_t distance = kr_str_distance(nearest->wanted, name, KR_NEAREST_LIMIT);
  if (distance >= nearest->distance || distance >= nearest->wanted.len ||
      name.len > KR_VAULT_NAME_BYTES)
    return;
  nearest->distance = distance;
  memcpy(nearest->name, name.ptr, name.len);
  nearest->name[name.len] = '\0';
}
