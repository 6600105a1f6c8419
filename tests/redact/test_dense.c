/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_dense.c - a search that falls back to the automaton, against nested
 * loops: texts that are calm, hostile, and both by turns, so that the reading
 * changes hands within needles. That the filters are tried ever more rarely is
 * seen by how often the automaton is asked for, not by a clock.
 */
#include "redact/dense.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define N_NEEDLES 12u
#define NEEDLE_BYTES 24u
#define TEXT_BYTES (192u * 1024u)

typedef struct world {
  uint8_t needles[N_NEEDLES][NEEDLE_BYTES];
  kr_str list[N_NEEDLES];
  uint8_t *text;
  size_t len;
  uint8_t *seen; /* times needle n was reported at start s: seen[s * N_NEEDLES + n] */
  kr_redact_automaton *automaton;
  size_t n_asked;
  bool is_out_of_memory;
} world;

static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  *seed ^= *seed << 17;
  return *seed;
}

static void visit(void *ctx, uint32_t needle, size_t start) {
  world *w = ctx;
  assert_true(needle < N_NEEDLES);
  assert_true(start < w->len);
  w->seen[start * N_NEEDLES + needle]++;
}

static const kr_redact_automaton *need(void *ctx) {
  world *w = ctx;
  kr_redact_pattern patterns[N_NEEDLES];
  w->n_asked++;
  if (w->is_out_of_memory)
    return NULL;
  if (w->automaton == NULL) {
    for (uint32_t i = 0; i < N_NEEDLES; i++)
      patterns[i] = (kr_redact_pattern){.bytes = w->list[i], .value = i};
    assert_int_equal(kr_redact_automaton_build(patterns, N_NEEDLES, &w->automaton), KR_OK);
  }
  return w->automaton;
}

/* Needles of few letters, some of them equal or the end of another, all at least as long as asked.
 */
static void make_needles(world *w, uint64_t *seed, size_t len, size_t n_letters) {
  for (size_t i = 0; i < N_NEEDLES; i++) {
    size_t own_len = len + (NEEDLE_BYTES - len) * (i % 3) / 2;
    for (size_t k = 0; k < NEEDLE_BYTES; k++)
      w->needles[i][k] = (uint8_t)('a' + next_random(seed) % n_letters);
    w->list[i] = kr_str_from(w->needles[i], own_len);
  }
  memcpy(w->needles[1], w->needles[0], NEEDLE_BYTES);
  w->list[1].len = w->list[0].len;
  w->list[2] = kr_str_skip(w->list[5], w->list[5].len - len);
}

/* Calm stretches of letters that no needle has, hostile ones of pieces of needles, in turn. */
static void make_text(world *w, uint64_t *seed, size_t calm_bytes, size_t hostile_bytes) {
  size_t at = 0;
  while (at < w->len) {
    for (size_t end = at + calm_bytes; at < end && at < w->len; at++)
      w->text[at] = (uint8_t)('A' + next_random(seed) % 26);
    for (size_t end = at + hostile_bytes; at < end && at < w->len;) {
      kr_str piece = w->list[next_random(seed) % N_NEEDLES];
      piece.len -= next_random(seed) % 4 == 0 ? 0 : 1 + next_random(seed) % (piece.len / 3);
      for (size_t k = 0; k < piece.len && at < w->len; k++)
        w->text[at++] = piece.ptr[k];
    }
  }
}

static void assert_all_seen(const world *w, size_t from) {
  for (size_t start = 0; start < w->len; start++)
    for (size_t i = 0; i < N_NEEDLES; i++) {
      kr_str needle = w->list[i];
      bool is_there = start >= from && needle.len <= w->len - start &&
                      memcmp(w->text + start, needle.ptr, needle.len) == 0;
      if (w->seen[start * N_NEEDLES + i] != is_there)
        fail_msg("needle %zu at %zu: reported %u times, there %d", i, start,
                 w->seen[start * N_NEEDLES + i], is_there);
    }
}

static kr_status run(world *w, size_t from) {
  KR_CLEANUP(kr_search_freep) kr_search *search = NULL;
  const kr_search_options options = {.cpu = KR_CPU_BEST};
  memset(w->seen, 0, w->len * N_NEEDLES);
  kr_redact_automaton_free(w->automaton);
  w->automaton = NULL;
  w->n_asked = 0;
  assert_int_equal(kr_search_build(w->list, N_NEEDLES, &options, &search), KR_OK);
  return kr_dense_each(search, need, kr_str_from(w->text, w->len), from, visit, w, NULL);
}

static int set_up(void **state) {
  world *w = calloc(1, sizeof *w);
  if (w == NULL)
    return -1;
  w->len = TEXT_BYTES;
  w->text = malloc(TEXT_BYTES);
  w->seen = malloc(TEXT_BYTES * N_NEEDLES);
  *state = w;
  return w->text == NULL || w->seen == NULL ? -1 : 0;
}

static int tear_down(void **state) {
  world *w = *state;
  kr_redact_automaton_free(w->automaton);
  free(w->text);
  free(w->seen);
  free(w);
  return 0;
}

static void test_every_occurrence_once(void **state) {
  world *w = *state;
  uint64_t seed = 0x9e3779b97f4a7c15u;
  size_t n_fallbacks = 0;
  static const size_t lens[] = {4, 8, 13, 20};
  static const size_t stretches[] = {0, 40, 9000, 30000};
  for (size_t l = 0; l < 4; l++)
    for (size_t c = 0; c < 4; c++) {
      make_needles(w, &seed, lens[l], l % 2 == 0 ? 2 : 5);
      make_text(w, &seed, stretches[c], 20000);
      size_t from = c == 0 ? 0 : (size_t)(next_random(&seed) % 20000);
      assert_int_equal(run(w, from), KR_OK);
      assert_all_seen(w, from);
      n_fallbacks += w->n_asked;
    }
  assert_true(n_fallbacks > 16); /* or nothing above was a test of handing over */
}

static void test_calm_text_needs_no_automaton(void **state) {
  world *w = *state;
  uint64_t seed = 77;
  make_needles(w, &seed, 16, 20);
  make_text(w, &seed, TEXT_BYTES, 0);
  assert_int_equal(run(w, 0), KR_OK);
  assert_int_equal(w->n_asked, 0);
  assert_all_seen(w, 0);
}

static void test_filters_are_tried_ever_more_rarely(void **state) {
  world *w = *state;
  uint64_t seed = 78;
  make_needles(w, &seed, 16, 2);
  make_text(w, &seed, 0, TEXT_BYTES); /* 24 blocks: asked before 1, 2, 4, 8, 16 of them */

  assert_int_equal(run(w, 0), KR_OK);
  assert_true(w->n_asked >= 3 && w->n_asked <= 5);
  assert_all_seen(w, 0);
  /* A calm block in between brings the filters back at the first try. */
  make_text(w, &seed, 3 * KR_SEARCH_DENSE_BYTES, 2 * KR_SEARCH_DENSE_BYTES);
  assert_int_equal(run(w, 0), KR_OK);
  assert_true(w->n_asked >= 8); /* 5 hostile stretches of 2 blocks; 4 if nothing came back */
  assert_all_seen(w, 0);
}

static void test_no_memory_is_told(void **state) {
  world *w = *state;
  uint64_t seed = 79;
  make_needles(w, &seed, 16, 2);
  make_text(w, &seed, 0, TEXT_BYTES);
  w->is_out_of_memory = true;
  assert_int_equal(run(w, 0), KR_NOMEM);
  w->is_out_of_memory = false;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_occurrence_once),
                                     cmocka_unit_test(test_calm_text_needs_no_automaton),
                                     cmocka_unit_test(test_filters_are_tried_ever_more_rarely),
                                     cmocka_unit_test(test_no_memory_is_told)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
