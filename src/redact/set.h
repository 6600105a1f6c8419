/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set.h - the inside of a kr_redact_set: the values, their forms, the sieve made
 * of them, and, once some text had to be read exactly, two automata. Base64 and
 * raw forms share one, since both are looked for as they are and inside escapes;
 * hex has its own, since it reads lower-cased text.
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
  kr_arena arena; /* bytes of patterns that are not in the value itself */
  kr_buf forms;   /* kr_redact_pattern, for the automaton of that name */
  kr_buf hex;
  kr_buf parts;  /* of the value that is being added */
  kr_buf padded; /* of the form that is being made; here, since new sensitive memory is dear */
  kr_buf encoded;
} kr_redact_patterns;

/** What the exact scanner walks. */
typedef struct kr_redact_automata {
  kr_redact_automaton *forms; /* raw, trimmed, base64 */
  kr_redact_automaton *hex;
} kr_redact_automata;

typedef struct kr_redact_lazy kr_redact_lazy;

struct kr_redact_set {
  atomic_uint references;
  kr_arena arena; /* names and values */
  kr_buf entries; /* kr_redact_entry */
  size_t n_short;
  uint32_t enabled;            /* KR_REDACT_FORM_BIT of the forms that are searched */
  kr_redact_lazy *lazy;        /* never NULL; the automata, filled when first needed */
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

static inline size_t kr_redact_n_patterns(const kr_buf *patterns) {
  return patterns->len / sizeof(kr_redact_pattern);
}

static inline kr_redact_pattern *kr_redact_patterns_at(const kr_buf *patterns) {
  return (kr_redact_pattern *)(void *)patterns->ptr;
}

/** Bytes of the longest pattern among sorted or unsorted ones; 0: none. */
size_t kr_redact_longest_pattern(const kr_buf *patterns);

/**
 * The automata of a set, built at the first call; any thread. KR_LIMIT, KR_NOMEM:
 * then what asks cannot go on, and must not pass anything through.
 */
kr_status kr_redact_set_automata(const kr_redact_set *set,
                                 const kr_redact_automata **ret_automata) KR_MUST_USE;

/** NULL unless they were built. */
const kr_redact_automata *kr_redact_set_built(const kr_redact_set *set);

/* lazy.c */

kr_status kr_redact_lazy_new(kr_redact_lazy **ret_lazy) KR_MUST_USE;
void kr_redact_lazy_free(kr_redact_lazy *lazy); /* wipes; NULL is fine */

/* forms.c */

kr_redact_patterns kr_redact_patterns_init(void);
void kr_redact_patterns_done(kr_redact_patterns *patterns);

/** Append the patterns of the value with that index: each part of it in each form that is on. */
kr_status kr_redact_patterns_add(kr_redact_patterns *patterns, const kr_redact_set *set,
                                 size_t index) KR_MUST_USE;

#endif
