/* SPDX-License-Identifier: Apache-2.0 */
/*
 * placeholder.c - what stands in examples where a secret belongs. The words are
 * those that documentation, .env.example files and failed substitutions leave
 * behind; they are public, so comparing with them in variable time tells nothing.
 */
#include "engine/placeholder.h"

#define KR_PLACEHOLDER_BYTES 64u /* no longer text is one */

static const char *const kr_placeholder_words[] = {
    "null",       "nil",        "none",       "undefined",   "nan",       "true",      "false",
    "todo",       "tbd",        "fixme",      "changeme",    "change-me", "change_me", "change me",
    "replaceme",  "replace-me", "replace_me", "placeholder", "dummy",     "example",   "secret",
    "password",   "passwd",     "token",      "apikey",      "api-key",   "api_key",   "test",
    "insert-key", "insert_key", "value",      "redacted"};

static const char *const kr_placeholder_heads[] = {
    "your-", "your_", "your ", "my-secret-", "insert-your", "insert_your", "enter-your"};

static const struct {
  const char *open, *close;
} kr_placeholder_pairs[] = {{"<", ">"}, {"${", "}"}, {"{{", "}}"}, {"%(", ")s"}};

static bool kr_placeholder_is_word(kr_str text) {
  for (size_t i = 0; i < sizeof kr_placeholder_words / sizeof kr_placeholder_words[0]; i++)
    if (kr_str_equal_nocase(text, kr_str_cstr(kr_placeholder_words[i])))
      return true;
  return false;
}

static bool kr_placeholder_has_head(kr_str text) {
  for (size_t i = 0; i < sizeof kr_placeholder_heads / sizeof kr_placeholder_heads[0]; i++) {
    kr_str head = kr_str_cstr(kr_placeholder_heads[i]);
    if (text.len > head.len && kr_str_equal_nocase(kr_str_from(text.ptr, head.len), head))
      return true;
  }
  return false;
}

static bool kr_placeholder_is_in_pair(kr_str text) {
  for (size_t i = 0; i < sizeof kr_placeholder_pairs / sizeof kr_placeholder_pairs[0]; i++) {
    kr_str open = kr_str_cstr(kr_placeholder_pairs[i].open);
    kr_str close = kr_str_cstr(kr_placeholder_pairs[i].close);
    if (text.len > open.len + close.len && kr_str_equal(kr_str_from(text.ptr, open.len), open) &&
        kr_str_equal(kr_str_skip(text, text.len - close.len), close))
      return true;
  }
  return false;
}

/* Three or more of one sign that stands for "something": xxxx, ...., ----, ????. */
static bool kr_placeholder_is_run(kr_str text) {
  if (text.len < 3)
    return false;
  for (size_t i = 0; i < text.len; i++)
    if ((text.ptr[i] | 0x20) != (text.ptr[0] | 0x20))
      return false;
  return text.ptr[0] == 'x' || text.ptr[0] == 'X' || text.ptr[0] == '.' || text.ptr[0] == '-' ||
         text.ptr[0] == '?';
}

bool kr_placeholder_is(kr_str value) {
  kr_str text = kr_str_trim(value);
  if (text.len == 0 || text.len > KR_PLACEHOLDER_BYTES)
    return false;
  return kr_placeholder_is_word(text) || kr_placeholder_has_head(text) ||
         kr_placeholder_is_in_pair(text) || kr_placeholder_is_run(text);
}
