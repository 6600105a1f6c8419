/* SPDX-License-Identifier: Apache-2.0 */
/*
 * automaton.c - from sorted patterns to numbered nodes, level by level: a node
 * is a range of sorted patterns that share its string, so its children are the
 * sub-ranges by the next byte. Failure links follow in the same order.
 */
#include "redact/automaton.h"

#include "base/assert.h"
#include "base/cleanup.h"
#include "secmem/sensitive.h"

#include <stdlib.h>

typedef struct kr_redact_range {
  uint32_t from;
  uint32_t to;
} kr_redact_range;

/* Ranges of two levels; positions only, so ordinary memory. */
typedef struct kr_redact_levels {
  kr_redact_range *here;
  kr_redact_range *below;
} kr_redact_levels;

static void kr_redact_levels_done(kr_redact_levels *levels) {
  free(levels->here);
  free(levels->below);
}

/* The first 8 bytes as a number of the same order; missing ones are 0. */
static uint64_t kr_redact_pattern_head(kr_str bytes) {
  uint64_t head = 0;
  size_t len = bytes.len < sizeof(head) ? bytes.len : sizeof(head);
  if (len == sizeof(head)) {
    memcpy(&head, bytes.ptr, sizeof(head));
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(head) : head;
  }
  for (size_t i = 0; i < len; i++)
    head |= (uint64_t)bytes.ptr[i] << (56 - 8 * i);
  return head;
}

static int kr_redact_pattern_compare(const void *left, const void *right) {
  const kr_redact_pattern *a = left;
  const kr_redact_pattern *b = right;
  uint64_t a_head = kr_redact_pattern_head(a->bytes);
  uint64_t b_head = kr_redact_pattern_head(b->bytes);
  if (a_head != b_head)
    return a_head < b_head ? -1 : 1;
  int order = kr_str_compare(a->bytes, b->bytes);
  if (order != 0)
    return order;
  if (a->value != b->value)
    return a->value < b->value ? -1 : 1;
  return (int)a->form - (int)b->form;
}

static size_t kr_redact_shared(kr_str a, kr_str b) {
  size_t n = a.len < b.len ? a.len : b.len;
  size_t i = 0;
  while (i < n && a.ptr[i] == b.ptr[i])
    i++;
  return i;
}

/* Of sorted patterns: nodes (the root included) and different strings. */
static bool kr_redact_count(const kr_redact_pattern *patterns, size_t n, size_t *ret_nodes,
                            size_t *ret_terminals) {
  size_t nodes = 1;
  size_t terminals = 0;
  kr_str previous = {0};
  for (size_t i = 0; i < n; i++) {
    size_t shared = kr_redact_shared(previous, patterns[i].bytes);
    if (!kr_size_add(nodes, patterns[i].bytes.len - shared, &nodes))
      return false;
    terminals += i == 0 || shared < patterns[i].bytes.len || previous.len != shared;
    previous = patterns[i].bytes;
  }
  *ret_nodes = nodes;
  *ret_terminals = terminals;
  return nodes < UINT32_MAX - 1 && n < UINT32_MAX;
}

/* One block for the struct and its arrays, the widest items first. */
static kr_status kr_redact_automaton_new(size_t n_nodes, size_t n_terminals, size_t n_patterns,
                                         kr_redact_automaton **ret_automaton) {
  /* Bounded by kr_redact_count: 32-bit counts times less than 64 cannot overflow 64 bits. */
  size_t terminals_len = (n_terminals + 1) * sizeof(kr_redact_terminal);
  size_t meanings_len = n_patterns * sizeof(struct kr_redact_meaning);
  size_t words_len = (n_nodes + 1) * sizeof(uint32_t);
  size_t len = sizeof(kr_redact_automaton) + terminals_len + meanings_len + 4 * words_len +
               2 * (n_nodes + 1);
  kr_redact_automaton *a = kr_sensitive_memory()->alloc(len);
  if (a == NULL)
    return KR_NOMEM;
  memset(a, 0, len);
  uint8_t *next = (uint8_t *)(a + 1);
  a->terminals = (kr_redact_terminal *)(void *)next;
  next += terminals_len;
  a->meanings = (struct kr_redact_meaning *)(void *)next;
  next += meanings_len;
  uint32_t **words[] = {&a->first_child, &a->fail, &a->depth, &a->outs};
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    *words[i] = (uint32_t *)(void *)next;
    next += words_len;
  }
  a->label = next;
  a->needs_left = next + n_nodes + 1;
  a->block_len = len;
  a->n_nodes = (uint32_t)n_nodes;
  a->n_patterns = (uint32_t)n_patterns;
  *ret_automaton = a;
  return KR_OK;
}

void kr_redact_automaton_free(kr_redact_automaton *automaton) {
  if (automaton != NULL)
    kr_sensitive_memory()->release(automaton, automaton->block_len);
}

/* Patterns [from, to) end at node. */
static void kr_redact_add_terminal(kr_redact_automaton *a, const kr_redact_pattern *patterns,
                                   uint32_t node, uint32_t from, uint32_t to) {
  kr_redact_terminal *terminal = &a->terminals[++a->n_terminals];
  *terminal = (kr_redact_terminal){.first = from, .count = to - from, .len = a->depth[node]};
  for (uint32_t i = from; i < to; i++) {
    terminal->widens_left = terminal->widens_left || patterns[i].widens_left;
    terminal->widens_right = terminal->widens_right || patterns[i].widens_right;
    a->meanings[i].value = patterns[i].value;
    a->meanings[i].form = patterns[i].form;
  }
  a->has_left = a->has_left || terminal->widens_left;
  a->outs[node] = a->n_terminals;
  if (terminal->len > a->max_len)
    a->max_len = terminal->len;
}

/* Number the children of node, whose patterns are range; returns the next free node. */
static uint32_t kr_redact_add_children(kr_redact_automaton *a, const kr_redact_pattern *patterns,
                                       uint32_t node, kr_redact_range range, uint32_t next_node,
                                       kr_redact_range *below, size_t *n_below) {
  uint32_t depth = a->depth[node];
  uint32_t at = range.from;
  while (at < range.to && patterns[at].bytes.len == depth)
    at++;
  if (at > range.from)
    kr_redact_add_terminal(a, patterns, node, range.from, at);
  a->first_child[node] = next_node;
  while (at < range.to) {
    uint8_t byte = patterns[at].bytes.ptr[depth];
    uint32_t end = at + 1;
    while (end < range.to && patterns[end].bytes.ptr[depth] == byte)
      end++;
    a->label[next_node] = byte;
    a->depth[next_node] = depth + 1;
    below[(*n_below)++] = (kr_redact_range){.from = at, .to = end};
    next_node++;
    at = end;
  }
  return next_node;
}

static kr_status kr_redact_add_nodes(kr_redact_automaton *a, const kr_redact_pattern *patterns,
                                     size_t n_patterns) {
  KR_CLEANUP(kr_redact_levels_done)
  kr_redact_levels levels = {.here = calloc(n_patterns + 1, sizeof(kr_redact_range)),
                             .below = calloc(n_patterns + 1, sizeof(kr_redact_range))};
  if (levels.here == NULL || levels.below == NULL)
    return KR_NOMEM;
  levels.here[0] = (kr_redact_range){.from = 0, .to = (uint32_t)n_patterns};
  size_t n_here = 1;
  uint32_t level_first = 0;
  uint32_t next_node = 1;
  while (n_here > 0) {
    size_t n_below = 0;
    for (size_t i = 0; i < n_here; i++)
      next_node = kr_redact_add_children(a, patterns, level_first + (uint32_t)i, levels.here[i],
                                         next_node, levels.below, &n_below);
    level_first += (uint32_t)n_here;
    kr_redact_range *swap = levels.here;
    levels.here = levels.below;
    levels.below = swap;
    n_here = n_below;
  }
  KR_ASSERT(next_node == a->n_nodes);
  a->first_child[a->n_nodes] = a->n_nodes;
  for (uint32_t child = a->first_child[0]; child < a->first_child[1]; child++)
    a->root[a->label[child]] = child;
  return KR_OK;
}

/* Link node to the longest proper suffix of its string that is a node, and its outputs. */
static void kr_redact_link(kr_redact_automaton *a, uint32_t parent, uint32_t node) {
  a->fail[node] = parent == 0 ? 0 : kr_redact_step(a, a->fail[parent], a->label[node]);
  uint32_t shorter = a->outs[a->fail[node]];
  if (a->outs[node] == 0) {
    a->outs[node] = shorter;
    return;
  }
  kr_redact_terminal *terminal = &a->terminals[a->outs[node]];
  const kr_redact_terminal *next = &a->terminals[shorter];
  terminal->next = shorter;
  terminal->widens_right = terminal->widens_right || next->widens_right;
  terminal->shorter_widens_left = next->widens_left || next->shorter_widens_left;
}

static bool kr_redact_ends_at(const kr_redact_automaton *a, uint32_t node) {
  return a->outs[node] != 0 && a->terminals[a->outs[node]].len == a->depth[node];
}

static void kr_redact_mark_left(kr_redact_automaton *a) {
  for (uint32_t node = a->n_nodes; node-- > 0;) {
    bool needs = kr_redact_ends_at(a, node) && a->terminals[a->outs[node]].widens_left;
    for (uint32_t child = a->first_child[node]; child < a->first_child[node + 1] && !needs; child++)
      needs = a->needs_left[child] != 0;
    a->needs_left[node] = needs;
  }
}

void kr_redact_patterns_sort(kr_redact_pattern *patterns, size_t n_patterns) {
  if (n_patterns > 1)
    qsort(patterns, n_patterns, sizeof(*patterns), kr_redact_pattern_compare);
}

kr_status kr_redact_automaton_build(const kr_redact_pattern *patterns, size_t n_patterns,
                                    kr_redact_automaton **ret_automaton) {
  size_t n_nodes = 0;
  size_t n_terminals = 0;
  kr_redact_automaton *a = NULL;
  if (!kr_redact_count(patterns, n_patterns, &n_nodes, &n_terminals))
    return KR_LIMIT;
  KR_TRY(kr_redact_automaton_new(n_nodes, n_terminals, n_patterns, &a));
  kr_status status = kr_redact_add_nodes(a, patterns, n_patterns);
  if (status != KR_OK) {
    kr_redact_automaton_free(a);
    return status;
  }
  KR_ASSERT(a->n_terminals == n_terminals);
  for (uint32_t node = 0; node < a->n_nodes; node++)
    for (uint32_t child = a->first_child[node]; child < a->first_child[node + 1]; child++)
      kr_redact_link(a, node, child);
  kr_redact_mark_left(a);
  *ret_automaton = a;
  return KR_OK;
}

void kr_redact_automaton_validate(const kr_redact_automaton *a) {
  KR_ASSERT(a->n_nodes >= 1 && a->depth[0] == 0 && a->outs[0] == 0);
  KR_ASSERT(a->first_child[0] == 1 && a->first_child[a->n_nodes] == a->n_nodes);
  for (uint32_t node = 0; node < a->n_nodes; node++) {
    KR_ASSERT(a->first_child[node] <= a->first_child[node + 1]);
    KR_ASSERT(node == 0 || a->depth[a->fail[node]] < a->depth[node]);
    KR_ASSERT(a->outs[node] <= a->n_terminals);
    KR_ASSERT(a->terminals[a->outs[node]].len <= a->depth[node]);
    for (uint32_t child = a->first_child[node]; child < a->first_child[node + 1]; child++) {
      KR_ASSERT(a->depth[child] == a->depth[node] + 1);
      KR_ASSERT(kr_redact_child(a, node, a->label[child]) == child);
      KR_ASSERT(child == a->first_child[node] || a->label[child - 1] < a->label[child]);
    }
  }
  for (uint32_t i = 1; i <= a->n_terminals; i++)
    KR_ASSERT(a->terminals[a->terminals[i].next].len < a->terminals[i].len);
}
