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
#include "redact/verify.h"

#include <stdatomic.h>

#define KR_REDACT_TOTAL_BYTES (16u * 1024u * 1024u) /* of all values of a set */
#define KR_REDACT_ENCODED_CHARACTERS 6u             /* of base64 or hex: fewer say too little */

typedef struct kr_redact_entry {
  kr_str name;
  kr_str value;
  uint32_t version;
  uint32_t min_search; /* what is shorter is not searched */
} kr_redact_entry;

typedef struct kr_redact_patterns {
  kr_arena arena; /* their bytes */
  kr_buf forms;   /* kr_redact_pattern, for the automaton of that name */
  kr_buf hex;
  kr_buf parts;  /* of the value that is being added */
  kr_buf padded; /* of the form that is being made; here, since new sensitive memory is dear */
  kr_buf encoded;
} kr_redact_patterns;

struct kr_redact_set {
  atomic_uint references;
  kr_arena arena; /* names and values */
  kr_buf entries; /* kr_redact_entry */
  size_t n_short;
  uint32_t enabled;           /* KR_REDACT_FORM_BIT of the forms that are searched */
  kr_redact_automaton *forms; /* raw, trimmed, base64 */
  kr_redact_automaton *hex;
  kr_verify_slot *verifier;    /* never NULL; filled by the first check */
  kr_redact_patterns patterns; /* sorted; the sieve points to their bytes */
  kr_sieve sieve;
};

static inline size_t kr_redact_n_entries(const kr_buf *entries) {
  return entries->len / sizeof(kr_redact_entry);
}

static inline const kr_redact_entry *kr_redact_entry_at(const kr_redact_set *set, size_t index) {
  return (const kr_redact_entry *)(const void *)set->entries.ptr + index;
}

/* forms.c */

kr_redact_patterns kr_redact_patterns_init(void);
void kr_redact_patterns_done(kr_redact_patterns *patterns);

/** Append the patterns of the value with that index: each part of it in each form that is on. */
kr_status kr_redact_patterns_add(kr_redact_patterns *patterns, const kr_redact_set *set,
                                 size_t index) KR_MUST_USE;

#endif
