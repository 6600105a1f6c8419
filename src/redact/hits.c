/* SPDX-License-Identifier: Apache-2.0 */
/* hits.c - a small hash table of counts, and the report they end in. */
#include "redact/hits.h"

#include <stdlib.h>
#include <string.h>

#define KR_REDACT_FIRST_SLOTS 32u
#define KR_REDACT_FIRST_HITS 8u

void kr_redact_report_done(kr_redact_report *report) {
  free(report->hits);
  *report = (kr_redact_report){0};
}

void kr_redact_hits_done(kr_redact_hits *hits) {
  free(hits->slots);
  *hits = (kr_redact_hits){0};
}

static kr_redact_hit_slot *kr_redact_hits_find(const kr_redact_hits *hits, uint64_t key) {
  size_t at = (size_t)((key * 0x9E3779B97F4A7C15u) >> 32) & (hits->cap - 1);
  while (hits->slots[at].key != 0 && hits->slots[at].key != key)
    at = (at + 1) & (hits->cap - 1);
  return &hits->slots[at];
}

static kr_status kr_redact_hits_grow(kr_redact_hits *hits) {
  kr_redact_hits grown = {.cap = hits->cap == 0 ? KR_REDACT_FIRST_SLOTS : hits->cap * 2,
                          .n_used = hits->n_used};
  grown.slots = calloc(grown.cap, sizeof(*grown.slots));
  if (grown.slots == NULL)
    return KR_NOMEM;
  for (size_t i = 0; i < hits->cap; i++)
    if (hits->slots[i].key != 0)
      *kr_redact_hits_find(&grown, hits->slots[i].key) = hits->slots[i];
  free(hits->slots);
  *hits = grown;
  return KR_OK;
}

kr_status kr_redact_hits_add(kr_redact_hits *hits, uint64_t key) {
  if (hits->n_used >= hits->cap / 2)
    KR_TRY(kr_redact_hits_grow(hits));
  kr_redact_hit_slot *slot = kr_redact_hits_find(hits, key);
  if (slot->key == 0)
    hits->n_used++;
  slot->key = key;
  slot->count++;
  return KR_OK;
}

/* Where (value, form) is or belongs among the sorted hits. */
static size_t kr_redact_report_place(const kr_redact_report *report, uint32_t value,
                                     uint32_t form) {
  size_t from = 0;
  size_t to = report->n_hits;
  while (from < to) {
    size_t middle = from + (to - from) / 2;
    const kr_redact_hit *hit = &report->hits[middle];
    if (hit->value < value || (hit->value == value && hit->form < form))
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

kr_status kr_redact_report_add(kr_redact_report *report, uint32_t value, uint32_t form,
                               uint64_t count) {
  size_t at = kr_redact_report_place(report, value, form);
  if (at < report->n_hits && report->hits[at].value == value && report->hits[at].form == form) {
    report->hits[at].count += count;
    return KR_OK;
  }
  if (report->n_hits == report->cap_hits) {
    size_t cap = report->cap_hits == 0 ? KR_REDACT_FIRST_HITS : report->cap_hits * 2;
    kr_redact_hit *hits = realloc(report->hits, cap * sizeof(*hits));
    if (hits == NULL)
      return KR_NOMEM;
    report->hits = hits;
    report->cap_hits = cap;
  }
  memmove(&report->hits[at + 1], &report->hits[at], (report->n_hits - at) * sizeof(*report->hits));
  report->hits[at] = (kr_redact_hit){.value = value, .form = form, .count = count};
  report->n_hits++;
  return KR_OK;
}

kr_status kr_redact_report_spans(kr_redact_report *report, const kr_span *spans, size_t n_spans) {
  for (size_t i = 0; i < n_spans; i++)
    for (uint32_t bit = 0; bit < KR_SECRETS_MAX && spans[i].len > 0; bit++)
      if ((spans[i].secrets >> bit & 1) != 0)
        KR_TRY(kr_redact_report_add(report, bit, KR_FORM_SPAN, 1));
  return KR_OK;
}

static kr_status kr_redact_hits_spread(const kr_redact_automaton *a, kr_redact_hit_slot slot,
                                       kr_redact_report *report) {
  uint32_t raw_form = (uint32_t)(slot.key >> 2) & 0x3F;
  bool with_shorter = (slot.key & 1) != 0;
  for (uint32_t at = (uint32_t)(slot.key >> 8); at != 0; at = a->terminals[at].next) {
    const kr_redact_terminal *terminal = &a->terminals[at];
    for (uint32_t i = terminal->first; i < terminal->first + terminal->count; i++) {
      uint32_t form = a->meanings[i].form == KR_FORM_RAW ? raw_form : a->meanings[i].form;
      KR_TRY(kr_redact_report_add(report, a->meanings[i].value, form, slot.count));
    }
    if (!with_shorter)
      return KR_OK;
  }
  return KR_OK;
}

static kr_status kr_redact_hits_spread_needle(const kr_redact_set *set, kr_redact_hit_slot slot,
                                              kr_redact_report *report) {
  const kr_sieve_needle *needle = &set->sieve.needles[(uint32_t)(slot.key >> 8)];
  const kr_redact_automaton *a = needle->is_hex ? set->hex : set->forms;
  for (uint32_t i = needle->first; i < needle->first + needle->count; i++)
    KR_TRY(kr_redact_report_add(report, a->meanings[i].value, a->meanings[i].form, slot.count));
  return KR_OK;
}

kr_status kr_redact_hits_flush(kr_redact_hits *hits, const kr_redact_set *set,
                               kr_redact_report *report) {
  if (hits->n_used == 0)
    return KR_OK;
  for (size_t i = 0; i < hits->cap; i++) {
    bool is_hex = (hits->slots[i].key & 2) != 0;
    if (hits->slots[i].key >> 63 != 0)
      KR_TRY(kr_redact_hits_spread_needle(set, hits->slots[i], report));
    else if (hits->slots[i].key != 0)
      KR_TRY(kr_redact_hits_spread(is_hex ? set->hex : set->forms, hits->slots[i], report));
  }
  memset(hits->slots, 0, hits->cap * sizeof(*hits->slots));
  hits->n_used = 0;
  return KR_OK;
}
