/* SPDX-License-Identifier: Apache-2.0 */
#include "naive_env.h"

#include <stdlib.h>
#include <string.h>

/* The text as a C string with LF line ends, and for each byte whether a CR stood before it. */
typedef struct naive_text {
  char *bytes;
  char *had_cr;
} naive_text;

static const char name_bytes[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
static const char expanded_after_dollar[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_{(";

static size_t line_of(const char *bytes, size_t offset) {
  size_t line = 1;
  for (size_t i = 0; i < offset; i++)
    line += bytes[i] == '\n';
  return line;
}

static size_t bad_byte_line(const char *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) {
    bool is_lone_cr = bytes[i] == '\r' && !(i + 1 < len && bytes[i + 1] == '\n');
    if (bytes[i] == '\0' || is_lone_cr)
      return line_of(bytes, i);
  }
  return 0;
}

static naive_text without_cr(const char *bytes, size_t len) {
  naive_text text = {calloc(len + 2, 1), calloc(len + 2, 1)};
  size_t n = 0;
  for (size_t i = 0; text.bytes != NULL && text.had_cr != NULL && i < len; i++)
    if (bytes[i] != '\r') {
      text.had_cr[n] = i > 0 && bytes[i - 1] == '\r';
      text.bytes[n++] = bytes[i];
    }
  return text;
}

static char *copy(const char *from, size_t len) {
  char *to = calloc(len + 1, 1);
  if (to != NULL)
    memcpy(to, from, len);
  return to;
}

static bool is_in(char byte, const char *set) { return byte != '\0' && strchr(set, byte) != NULL; }

static bool others_expand(const char *at) {
  return at[0] == '`' || (at[0] == '$' && is_in(at[1], expanded_after_dollar));
}

/* The value at `at`, unquoted: gives where its line ends, or NULL when it is an error. */
static const char *plain_value(const char *at, naive_entry *entry) {
  size_t line_len = strcspn(at, "\n");
  size_t len = line_len;
  for (size_t i = 0; i < line_len; i++)
    if (at[i] == '#' && is_in(at[(ptrdiff_t)i - 1], " \t")) {
      len = i;
      break;
    }
  bool has_comment = len < line_len;
  while (len > 0 && is_in(at[len - 1], " \t"))
    len--;
  entry->value = copy(at, len);
  if (strncmp(entry->value, "-----BEGIN", 10) == 0 && strstr(entry->value, "-----END") == NULL)
    return NULL;
  for (const char *byte = entry->value; *byte != '\0'; byte++)
    entry->notes |= others_expand(byte) ? NAIVE_EXPANDS : 0u;
  entry->notes |= strchr(entry->value, '#') != NULL ? NAIVE_HASH : 0u;
  entry->notes |= strchr(entry->value, '\\') != NULL ? NAIVE_BACKSLASH : 0u;
  entry->notes |= has_comment && len > 0 ? NAIVE_COMMENT : 0u;
  return at + line_len;
}

/* The value at `at`, which is its quote. On an error *bad says where it is. */
static const char *quoted_value(const naive_text *text, const char *at, naive_entry *entry,
                                const char **bad) {
  static const char letters[] = "nrt\"\\$";
  static const char meanings[] = "\n\r\t\"\\$";
  char quote = *at;
  const char *opened = at;
  size_t len = 0;
  entry->value = calloc(strlen(at) + 1, 1);
  for (at++; *at != quote; at++) {
    *bad = at;
    if (*at == '\0') {
      *bad = opened;
      return NULL;
    }
    if (quote == '"' && *at == '\\') {
      if (!is_in(at[1], letters))
        return NULL;
      at++;
      entry->value[len++] = meanings[strchr(letters, *at) - letters];
      continue;
    }
    entry->notes |= quote == '"' && others_expand(at) ? NAIVE_EXPANDS : 0u;
    entry->notes |= text->had_cr[at - text->bytes] ? NAIVE_LINE_ENDS : 0u;
    entry->value[len++] = *at;
  }
  at++;
  at += strspn(at, " \t");
  *bad = at;
  return is_in(*at, "\n#") || *at == '\0' ? at + strcspn(at, "\n") : NULL;
}

/* The name at `at`, and "=" behind it: gives where the value begins, or NULL. */
static const char *name_and_equals(const char *at, naive_entry *entry) {
  size_t blanks = 0;
  while (strncmp(at, "export", 6) == 0 && is_in(at[6 + blanks], " \t"))
    blanks++;
  if (blanks > 0 && at[6 + blanks] != '=')
    at += 6 + blanks;
  size_t len = strspn(at, name_bytes);
  entry->name = copy(at, len);
  at += len;
  at += strspn(at, " \t");
  if (len == 0 || *at != '=')
    return NULL;
  at++;
  return at + strspn(at, " \t");
}

static void read_entries(const naive_text *text, naive_file *file) {
  const char *at = text->bytes;
  while (*at != '\0') {
    at += strspn(at, " \t");
    if (*at == '#')
      at += strcspn(at, "\n");
    if (*at == '\n')
      at++;
    else if (*at != '\0') {
      naive_entry *entry = &file->entries[file->n_entries];
      *entry = (naive_entry){.line = line_of(text->bytes, (size_t)(at - text->bytes))};
      const char *bad = at;
      const char *value = name_and_equals(at, entry);
      const char *end = value == NULL          ? NULL
                        : is_in(*value, "\"'") ? quoted_value(text, value, entry, &bad)
                                               : plain_value(value, entry);
      if (end == NULL) {
        file->bad_line = line_of(text->bytes, (size_t)(bad - text->bytes));
        free(entry->name);
        free(entry->value);
        return;
      }
      at = end;
      file->n_entries++;
    }
  }
}

naive_file naive_env_read(const char *bytes, size_t len) {
  naive_file file = {.entries = calloc(len + 1, sizeof *file.entries)};
  file.bad_line = bad_byte_line(bytes, len);
  if (len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
    bytes += 3;
    len -= 3;
  }
  naive_text text = without_cr(bytes, len);
  if (file.bad_line == 0 && file.entries != NULL && text.bytes != NULL && text.had_cr != NULL)
    read_entries(&text, &file);
  free(text.bytes);
  free(text.had_cr);
  return file;
}

void naive_env_free(naive_file *file) {
  for (size_t i = 0; i < file->n_entries; i++) {
    free(file->entries[i].name);
    free(file->entries[i].value);
  }
  free(file->entries);
  *file = (naive_file){0};
}
