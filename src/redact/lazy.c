/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lazy.c - the automata of a set. Most texts hold no secret and are never read
 * exactly, and building automata costs far more than building the sieve; so
 * they are made when first needed. Of threads that need them at once one wins,
 * and the others throw theirs away.
 */
#include "redact/set.h"

#include <stdlib.h>

struct kr_redact_lazy {
  _Atomic(kr_redact_automata *) automata;
};

kr_status kr_redact_lazy_new(kr_redact_lazy **ret_lazy) {
  kr_redact_lazy *lazy = malloc(sizeof(*lazy));
  if (lazy == NULL)
    return KR_NOMEM;
  atomic_init(&lazy->automata, NULL);
  *ret_lazy = lazy;
  return KR_OK;
}

static void kr_redact_automata_free(kr_redact_automata *automata) {
  if (automata == NULL)
    return;
  kr_redact_automaton_free(automata->forms);
  kr_redact_automaton_free(automata->hex);
  free(automata);
}

void kr_redact_lazy_free(kr_redact_lazy *lazy) {
  if (lazy == NULL)
    return;
  kr_redact_automata_free(atomic_load_explicit(&lazy->automata, memory_order_acquire));
  free(lazy);
}

const kr_redact_automata *kr_redact_set_built(const kr_redact_set *set) {
  return atomic_load_explicit(&set->lazy->automata, memory_order_acquire);
}

static kr_status kr_redact_automata_build(const kr_redact_set *set, kr_redact_automata *automata) {
  const kr_redact_patterns *patterns = &set->patterns;
  KR_TRY(kr_redact_automaton_build(kr_redact_patterns_at(&patterns->forms),
                                   kr_redact_n_patterns(&patterns->forms), &automata->forms));
  return kr_redact_automaton_build(kr_redact_patterns_at(&patterns->hex),
                                   kr_redact_n_patterns(&patterns->hex), &automata->hex);
}

kr_status kr_redact_set_automata(const kr_redact_set *set,
                                 const kr_redact_automata **ret_automata) {
  kr_redact_automata *seen = atomic_load_explicit(&set->lazy->automata, memory_order_acquire);
  if (seen != NULL) {
    *ret_automata = seen;
    return KR_OK;
  }
  kr_redact_automata *made = calloc(1, sizeof(*made));
  kr_status status = made == NULL ? KR_NOMEM : kr_redact_automata_build(set, made);
  if (status != KR_OK) {
    kr_redact_automata_free(made);
    return status;
  }
  if (!atomic_compare_exchange_strong_explicit(&set->lazy->automata, &seen, made,
                                               memory_order_acq_rel, memory_order_acquire)) {
    kr_redact_automata_free(made);
    made = seen;
  }
  *ret_automata = made;
  return KR_OK;
}
