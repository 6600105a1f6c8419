/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scratch.c - matching. Each block that PCRE2 asks for comes from sensitive
 * memory, with its length in front:
 *
 *   | length 16 | bytes for PCRE2 ... |
 */
#include "regex/pcre.h"

#include "base/utf8.h"
#include "secmem/sensitive.h"

#include <stdlib.h>

#define KR_REGEX_HEADER_BYTES 16u
#define KR_REGEX_MOVE_SHIFT 3 /* eight bytes run over are one step */

static void *kr_scratch_alloc(size_t len, void *data) {
  size_t total = 0;
  (void)data;
  if (!kr_size_add(len, KR_REGEX_HEADER_BYTES, &total))
    return NULL;
  uint8_t *block = kr_sensitive_memory()->alloc(total);
  if (block == NULL)
    return NULL;
  memcpy(block, &total, sizeof(total));
  return block + KR_REGEX_HEADER_BYTES;
}

static void kr_scratch_release(void *ptr, void *data) {
  size_t total = 0;
  (void)data;
  if (ptr == NULL)
    return;
  uint8_t *block = (uint8_t *)ptr - KR_REGEX_HEADER_BYTES;
  memcpy(&total, block, sizeof(total));
  kr_sensitive_memory()->release(block, total);
}

/* Called before every item of the pattern, by machine code and interpreter alike. */
static int kr_scratch_step(pcre2_callout_block *block, void *data) {
  kr_regex_counter *counter = data;
  size_t here = block->current_position;
  size_t moved = here > counter->position ? here - counter->position : counter->position - here;
  uint64_t cost = counter->step_cost + (moved >> KR_REGEX_MOVE_SHIFT);
  counter->position = here;
  if (cost > counter->left) {
    counter->left = 0;
    counter->is_spent = true;
    return PCRE2_ERROR_CALLOUT;
  }
  counter->left -= cost;
  return 0;
}

static bool kr_scratch_fill(kr_regex_scratch *scratch) {
  scratch->memory = pcre2_general_context_create(kr_scratch_alloc, kr_scratch_release, NULL);
  if (scratch->memory == NULL)
    return false;
  scratch->limits = pcre2_match_context_create(scratch->memory);
  scratch->match = pcre2_match_data_create(KR_LIMIT_PATTERN_GROUPS + 1, scratch->memory);
  return scratch->limits != NULL && scratch->match != NULL;
}

kr_status kr_regex_scratch_new(kr_regex_scratch **ret_scratch) {
  kr_regex_scratch *scratch = calloc(1, sizeof(kr_regex_scratch));
  if (scratch == NULL)
    return KR_NOMEM;
  if (!kr_scratch_fill(scratch)) {
    kr_regex_scratch_free(scratch);
    return KR_NOMEM;
  }
  (void)pcre2_set_depth_limit(scratch->limits, KR_LIMIT_MATCH_DEPTH);
  (void)pcre2_set_heap_limit(scratch->limits, KR_LIMIT_MATCH_HEAP_KIB);
  (void)pcre2_set_callout(scratch->limits, kr_scratch_step, &scratch->counter);
  *ret_scratch = scratch;
  return KR_OK;
}

void kr_regex_scratch_free(kr_regex_scratch *scratch) {
  if (scratch == NULL)
    return;
  pcre2_match_data_free(scratch->match);
  pcre2_match_context_free(scratch->limits);
  pcre2_general_context_free(scratch->memory);
  free(scratch);
}

static kr_status kr_scratch_check(kr_regex_scratch *scratch, const kr_regex_search *search,
                                  kr_error *reterr) {
  kr_str subject = search->subject;
  if (subject.len > KR_LIMIT_SUBJECT_BYTES)
    return kr_fail(reterr, KR_LIMIT, "the text to search has more than %u bytes",
                   KR_LIMIT_SUBJECT_BYTES);
  bool is_known = search->from > 0 && scratch->checked.ptr == subject.ptr &&
                  scratch->checked.len == subject.len;
  if (!is_known && !kr_utf8_is_valid(subject))
    return kr_fail(reterr, KR_INVALID, "the text to search is not UTF-8");
  scratch->checked = subject;
  return KR_OK;
}

static int kr_scratch_run(const kr_regex *regex, kr_regex_scratch *scratch,
                          const kr_regex_search *search) {
  uint32_t options = PCRE2_NO_UTF_CHECK | (search->is_nonempty ? PCRE2_NOTEMPTY_ATSTART : 0);
  PCRE2_SPTR text = search->subject.len == 0 ? (PCRE2_SPTR) "" : search->subject.ptr;
  scratch->counter.position = search->from;
  int found = pcre2_match(regex->code, text, search->subject.len, search->from, options,
                          scratch->match, scratch->limits);
  if (found != PCRE2_ERROR_JIT_STACKLIMIT)
    return found;
  scratch->counter.position = search->from;
  /* Machine code has a small stack; the interpreter keeps its backtracks on the heap. */
  return pcre2_match(regex->code, text, search->subject.len, search->from, options | PCRE2_NO_JIT,
                     scratch->match, scratch->limits);
}

static kr_status kr_scratch_explain(const kr_regex_scratch *scratch, int code, uint32_t backtracks,
                                    kr_error *reterr) {
  switch (code) {
  case PCRE2_ERROR_MATCHLIMIT:
    return kr_fail(reterr, KR_LIMIT, "this pattern backtracks more than %u times in this text",
                   (unsigned)backtracks);
  case PCRE2_ERROR_DEPTHLIMIT:
  case PCRE2_ERROR_HEAPLIMIT:
    return kr_fail(reterr, KR_LIMIT, "this pattern needs more than %u KiB of memory in this text",
                   KR_LIMIT_MATCH_HEAP_KIB);
  case PCRE2_ERROR_NOMEMORY:
    return kr_fail_nomem(reterr);
  default:
    break;
  }
  if (scratch->counter.is_spent)
    return kr_fail(reterr, KR_LIMIT, "this pattern takes more work in this text than is left");
  return kr_fail(reterr, KR_INVALID, "this pattern cannot be matched against this text");
}

static void kr_scratch_charge(const kr_regex_scratch *scratch, uint64_t steps, int code,
                              uint32_t backtracks, uint32_t *fuel) {
  uint64_t used = steps - scratch->counter.left;
  uint64_t cost = (used + KR_REGEX_STEPS_PER_FUEL - 1) / KR_REGEX_STEPS_PER_FUEL;
  if (code == PCRE2_ERROR_MATCHLIMIT && cost < backtracks)
    cost = backtracks;
  *fuel = cost < *fuel ? *fuel - (uint32_t)cost : 0;
}

kr_status kr_regex_find(const kr_regex *regex, kr_regex_scratch *scratch,
                        const kr_regex_search *search, uint32_t *fuel, bool *ret_found,
                        kr_error *reterr) {
  KR_TRY(kr_scratch_check(scratch, search, reterr));
  uint32_t backtracks = *fuel < KR_LIMIT_MATCH_BACKTRACKS ? *fuel : KR_LIMIT_MATCH_BACKTRACKS;
  uint64_t steps = (uint64_t)*fuel * KR_REGEX_STEPS_PER_FUEL;
  uint64_t unseen = regex->has_backreference ? search->subject.len >> KR_REGEX_MOVE_SHIFT : 0;
  scratch->counter = (kr_regex_counter){.left = steps, .step_cost = regex->step_cost + unseen};
  (void)pcre2_set_match_limit(scratch->limits, backtracks);
  int code = kr_scratch_run(regex, scratch, search);
  kr_scratch_charge(scratch, steps, code, backtracks, fuel);
  if (code < 0 && code != PCRE2_ERROR_NOMATCH)
    return kr_scratch_explain(scratch, code, backtracks, reterr);
  *ret_found = code >= 0;
  scratch->n_groups = code >= 0 ? regex->n_groups : 0;
  const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(scratch->match);
  if (code >= 0 && (ends[0] > ends[1] || ends[0] < search->from))
    return kr_fail(reterr, KR_INVALID, "\\K moved the start of a match out of its place");
  return KR_OK;
}

bool kr_regex_group(const kr_regex_scratch *scratch, unsigned group, size_t *ret_start,
                    size_t *ret_end) {
  const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(scratch->match);
  if (group > scratch->n_groups || ends[group * 2] == PCRE2_UNSET)
    return false;
  *ret_start = ends[group * 2];
  *ret_end = ends[group * 2 + 1];
  return *ret_start <= *ret_end;
}
