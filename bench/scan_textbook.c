/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_textbook.c - what one would write first. Aho and Corasick (1975),
 * algorithm 4: a deterministic table with a row a state and a column a class of
 * bytes that no needle tells apart; one load a byte of text. Beside it memmem
 * for one needle, and memchr for a byte that does not occur.
 */
#define _GNU_SOURCE
#include "scan_engines.h"

#include <stdlib.h>

#define TABLE_MAX_BYTES (2048ull * 1024 * 1024)
#define STATE_HAS_OUT 0x80000000u /* beside the number of a state in the table */

typedef struct kr_textbook {
  uint32_t n_classes;
  uint32_t n_states;
  uint8_t class_of[256];
  uint32_t *next;   /* n_states * n_classes */
  uint32_t *n_outs; /* needles that end in a state */
} kr_textbook;

static void kr_textbook_free(void *ctx) {
  kr_textbook *table = ctx;
  free(table->next);
  free(table->n_outs);
  free(table);
}

static void kr_textbook_add(kr_textbook *table, kr_str needle) {
  uint32_t state = 0;
  for (size_t i = 0; i < needle.len; i++) {
    uint32_t *edge =
        &table->next[(size_t)state * table->n_classes + table->class_of[needle.ptr[i]]];
    if (*edge == 0)
      *edge = table->n_states++;
    state = *edge;
  }
  table->n_outs[state]++;
}

/* Breadth first: a missing edge is the one of the failure state, whose row is complete. */
static void kr_textbook_complete(kr_textbook *table) {
  size_t n_classes = table->n_classes;
  uint32_t *queue = malloc(table->n_states * sizeof *queue);
  uint32_t *fail = calloc(table->n_states, sizeof *fail);
  if (queue == NULL || fail == NULL)
    kr_bench_die("textbook", "out of memory");
  size_t n_queued = 0;
  for (size_t c = 0; c < n_classes; c++)
    if (table->next[c] != 0)
      queue[n_queued++] = table->next[c];
  for (size_t q = 0; q < n_queued; q++) {
    uint32_t state = queue[q];
    uint32_t *row = &table->next[state * n_classes];
    const uint32_t *fail_row = &table->next[fail[state] * n_classes];
    table->n_outs[state] += table->n_outs[fail[state]];
    for (size_t c = 0; c < n_classes; c++) {
      if (row[c] == 0) {
        row[c] = fail_row[c];
        continue;
      }
      fail[row[c]] = fail_row[c];
      queue[n_queued++] = row[c];
    }
  }
  for (size_t i = 0; i < table->n_states * n_classes; i++)
    if (table->n_outs[table->next[i]] != 0)
      table->next[i] |= STATE_HAS_OUT;
  free(queue);
  free(fail);
}

static void *kr_textbook_build(const kr_needles *needles) {
  kr_textbook *table = calloc(1, sizeof *table);
  if (table == NULL)
    kr_bench_die("textbook", "out of memory");
  table->n_classes = 1; /* 0: in no needle */
  size_t n_states = 1;
  for (size_t i = 0; i < needles->n; i++) {
    n_states += needles->list[i].len;
    for (size_t k = 0; k < needles->list[i].len; k++)
      if (table->class_of[needles->list[i].ptr[k]] == 0 && table->n_classes < 256)
        table->class_of[needles->list[i].ptr[k]] = (uint8_t)table->n_classes++;
  }
  if (n_states * table->n_classes * sizeof(uint32_t) > TABLE_MAX_BYTES) {
    free(table);
    return NULL;
  }
  table->next = calloc(n_states * table->n_classes, sizeof(uint32_t));
  table->n_outs = calloc(n_states, sizeof(uint32_t));
  if (table->next == NULL || table->n_outs == NULL)
    kr_bench_die("textbook", "out of memory");
  table->n_states = 1;
  for (size_t i = 0; i < needles->n; i++)
    kr_textbook_add(table, needles->list[i]);
  kr_textbook_complete(table);
  return table;
}

static size_t kr_textbook_count(void *ctx, kr_str text) {
  const kr_textbook *table = ctx;
  const uint32_t *next = table->next;
  size_t n_classes = table->n_classes;
  size_t n_found = 0;
  size_t state = 0;
  for (size_t i = 0; i < text.len; i++) {
    uint32_t entry = next[state * n_classes + table->class_of[text.ptr[i]]];
    state = entry & ~STATE_HAS_OUT;
    if ((entry & STATE_HAS_OUT) != 0)
      n_found += table->n_outs[state];
  }
  return n_found;
}

static size_t kr_textbook_memory(const void *ctx) {
  const kr_textbook *table = ctx;
  return sizeof *table + table->n_states * (table->n_classes + 1ull) * sizeof(uint32_t);
}

const kr_scan_engine kr_scan_textbook = {"textbook", kr_textbook_build, kr_textbook_free,
                                         kr_textbook_count, kr_textbook_memory};

/* The state is the needle itself, borrowed. */
static void *kr_memmem_build(const kr_needles *needles) {
  return needles->n == 1 ? &needles->list[0] : NULL;
}

static void kr_memmem_free(void *ctx) { (void)ctx; }

static size_t kr_memmem_count(void *ctx, kr_str text) {
  const kr_str *needle = ctx;
  size_t n_found = 0;
  const uint8_t *end = text.ptr + text.len;
  const uint8_t *at = text.ptr;
  while ((at = memmem(at, (size_t)(end - at), needle->ptr, needle->len)) != NULL) {
    n_found++;
    at++;
  }
  return n_found;
}

const kr_scan_engine kr_scan_memmem = {"memmem", kr_memmem_build, kr_memmem_free, kr_memmem_count,
                                       NULL};

static void *kr_memchr_build(const kr_needles *needles) { return needles->list; }

static size_t kr_memchr_count(void *ctx, kr_str text) {
  (void)ctx;
  kr_bench_keep(memchr(text.ptr, 0, text.len));
  return 0;
}

const kr_scan_engine kr_scan_memchr = {"memchr", kr_memchr_build, kr_memmem_free, kr_memchr_count,
                                       NULL};
