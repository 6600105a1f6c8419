/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set.h - the inside of a kr_redact_set: the values, and two automata made of
 * their forms. Base64 and raw forms share one, since both are looked for as
 * they are and inside escapes; hex has its own, since it reads lower-cased text.
 */
#ifndef KR_REDACT_SET_H
#define KR_REDACT_SET_H

#include "base/arena.h"
#include "redact/automaton.h"
#include "redact/redact.h"
#include "redact/sieve.h"

#include <stdatomic.h>

#define KR_REDACT_TOTAL_BYTES (16u * 1024u * 1024u) /* of all values of a set */
#define KR_REDACT_BASE64_MIN_CHARACTERS 6u          /* a shorter core says too little */

typedef struct kr_redact_entry {
  kr_str name;
  kr_str value;
  uint32_t version;
} kr_redact_entry;

struct kr_redact_set {
  atomic_uint references;
  kr_arena arena; /* names and values */
  kr_buf entries; /* kr_redact_entry */
  size_t n_short;
  uint32_t enabled;           /* KR_REDACT_FORM_BIT of the forms that are searched */
  kr_redact_automaton *forms; /* raw, trimmed, base64 */
  kr_redact_automaton *hex;
  kr_buf form_patterns; /* kr_redact_pattern, sorted; the sieve points to their bytes */
  kr_buf hex_patterns;
  kr_sieve sieve;
};

static inline size_t kr_redact_n_entries(const kr_buf *entries) {
  return entries->len / sizeof(kr_redact_entry);
}

static inline const kr_redact_entry *kr_redact_entry_at(const kr_redact_set *set, size_t index) {
  return (const kr_redact_entry *)(const void *)set->entries.ptr + index;
}

/* forms.c */

/** Append the patterns of a value (with that index) to two buffers of kr_redact_pattern. */
kr_status kr_redact_forms_add(uint32_t index, kr_str value, kr_arena *arena, kr_buf *forms,
                              kr_buf *hex) KR_MUST_USE;

#endif
