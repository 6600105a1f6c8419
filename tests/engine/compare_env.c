/* SPDX-License-Identifier: Apache-2.0 */
#include "compare_env.h"

#include "engine/import_env.h"
#include "naive_env.h"

#include <stdio.h>

typedef struct compare_state {
  const naive_file *expected;
  size_t n_seen;
  const char *difference;
} compare_state;

static kr_status compare_entry(void *ctx, const kr_env_entry *entry) {
  compare_state *state = ctx;
  if (state->n_seen == state->expected->n_entries) {
    state->difference = "the reader gives an entry more";
    return KR_REFUSED;
  }
  const naive_entry *expected = &state->expected->entries[state->n_seen++];
  if (!kr_str_equal(entry->name, kr_str_cstr(expected->name)))
    state->difference = "a name differs";
  else if (!kr_str_equal(entry->value, kr_str_cstr(expected->value)))
    state->difference = "a value differs";
  else if (entry->line != expected->line)
    state->difference = "a line differs";
  else if (entry->notes != expected->notes)
    state->difference = "the warnings differ";
  return state->difference == NULL ? KR_OK : KR_REFUSED;
}

static const char *compare_end(const compare_state *state, kr_status status,
                               const kr_error *error) {
  size_t line = 0;
  if (state->difference != NULL)
    return state->difference;
  if (state->n_seen != state->expected->n_entries)
    return "the reader gives fewer entries";
  if (status == KR_OK)
    return state->expected->bad_line == 0 ? NULL : "the reader takes what is an error";
  if (status != KR_INVALID || sscanf(error->message, "line %zu ", &line) != 1)
    return "the error is not one of a line";
  if (error->hint[0] == '\0')
    return "the error has no hint";
  return line == state->expected->bad_line ? NULL : "the line of the error differs";
}

const char *compare_env(kr_str text) {
  naive_file expected = naive_env_read((const char *)text.ptr, text.len);
  compare_state state = {.expected = &expected};
  kr_error error = {0};
  kr_status status = kr_env_read(text, compare_entry, &state, &error);
  const char *difference = compare_end(&state, status, &error);
  naive_env_free(&expected);
  return difference;
}
