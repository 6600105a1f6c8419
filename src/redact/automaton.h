/* SPDX-License-Identifier: Apache-2.0 */
/*
 * automaton.h - a compact Aho-Corasick automaton (Aho and Corasick, 1975).
 *
 * Nodes are numbered breadth first, so the children of a node are neighbours:
 * node v's are [first_child[v], first_child[v + 1]), ordered by label. 18 bytes
 * a node, whatever the alphabet. A terminal is a node where patterns end:
 *
 *   node --outs--> terminal (longest pattern ending here) --next--> shorter one --> ... --> 0
 *
 * Node 0 is the root; terminal numbers start at 1. Immutable once built. Lives
 * in one block of sensitive memory, since labels along a path spell a value.
 */
#ifndef KR_REDACT_AUTOMATON_H
#define KR_REDACT_AUTOMATON_H

#include "base/memory.h"
#include "base/status.h"
#include "base/str.h"

/** What a pattern stands for. */
typedef struct kr_redact_pattern {
  kr_str bytes;      /* borrowed while building, unused afterwards; never empty */
  uint32_t value;    /* index in the set */
  uint8_t form;      /* kr_redact_form */
  bool widens_left;  /* the base64 character before it also holds bits of the value */
  bool widens_right; /* the one after it does */
} kr_redact_pattern;

typedef struct kr_redact_terminal {
  uint32_t first; /* patterns [first, first + count) are equal and end here */
  uint32_t count;
  uint32_t len;             /* bytes of these patterns */
  uint32_t next;            /* the terminal of the longest shorter pattern ending here; 0: none */
  bool widens_left;         /* any of these */
  bool widens_right;        /* any of these or of the shorter ones */
  bool shorter_widens_left; /* any of the shorter ones */
} kr_redact_terminal;

typedef struct kr_redact_automaton {
  uint32_t n_nodes;
  uint32_t n_patterns;
  uint32_t n_terminals;
  uint32_t max_len;      /* of the longest pattern */
  bool has_left;         /* any pattern widens left */
  uint32_t *first_child; /* n_nodes + 1 */
  uint32_t *fail;
  uint32_t *depth;
  uint32_t *outs;                /* terminal number, 0: none */
  uint8_t *label;                /* of the edge from the parent */
  uint8_t *needs_left;           /* a pattern at or below this node widens left */
  kr_redact_terminal *terminals; /* n_terminals + 1; [0] is unused */
  struct kr_redact_meaning {
    uint32_t value;
    uint8_t form;
  } * meanings; /* n_patterns: what is left of the patterns */
  size_t block_len;
  uint32_t root[256]; /* children of the root */
} kr_redact_automaton;

/** By bytes, then by value and form. */
void kr_redact_patterns_sort(kr_redact_pattern *patterns, size_t n_patterns);

/**
 * Build from n_patterns sorted patterns, linear in their bytes. KR_LIMIT when
 * nodes would not fit 32 bits, KR_NOMEM.
 */
kr_status kr_redact_automaton_build(const kr_redact_pattern *patterns, size_t n_patterns,
                                    kr_redact_automaton **ret_automaton) KR_MUST_USE;

/** Wipes. NULL is fine. */
void kr_redact_automaton_free(kr_redact_automaton *automaton);

/** Asserts every invariant above; slow. */
void kr_redact_automaton_validate(const kr_redact_automaton *automaton);

static inline bool kr_redact_is_leaf(const kr_redact_automaton *a, uint32_t node) {
  return a->first_child[node] == a->first_child[node + 1];
}

/** The child of node along byte; 0 when there is none. */
static inline uint32_t kr_redact_child(const kr_redact_automaton *a, uint32_t node, uint8_t byte) {
  if (node == 0)
    return a->root[byte];
  uint32_t first = a->first_child[node];
  uint32_t count = a->first_child[node + 1] - first;
  if (count == 0)
    return 0;
  const uint8_t *labels = a->label + first;
  if (count == 1)
    return labels[0] == byte ? first : 0;
  const uint8_t *found = memchr(labels, byte, count);
  return found == NULL ? 0 : first + (uint32_t)(found - labels);
}

/** The longest suffix of (string of node) + byte that is a prefix of a pattern. */
static inline uint32_t kr_redact_step(const kr_redact_automaton *a, uint32_t node, uint8_t byte) {
  for (;;) {
    uint32_t child = kr_redact_child(a, node, byte);
    if (child != 0 || node == 0)
      return child;
    node = a->fail[node];
  }
}

/** The longest suffix of node's string that can still grow; same future, same or later start. */
static inline uint32_t kr_redact_settle(const kr_redact_automaton *a, uint32_t node) {
  while (node != 0 && kr_redact_is_leaf(a, node))
    node = a->fail[node];
  return node;
}

#endif
