/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex.c - compiling a pattern. Every item gets a callout (PCRE2_AUTO_CALLOUT),
 * which is where scratch.c counts work. What an item may read without being
 * seen by the next callout is bounded and priced here: a counted repeat that
 * fails before its minimum, a lookbehind, a back reference.
 */
#include "regex/pcre.h"

#include "base/utf8.h"

#include <stdlib.h>

#define KR_REGEX_BYTES_PER_STEP 32u
#define KR_REGEX_OPTIONS                                                                           \
  (PCRE2_UTF | PCRE2_UCP | PCRE2_AUTO_CALLOUT | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_UTF_CHECK)

/* A pattern stands in the template and is no secret: the ordinary heap. */
static void *kr_regex_alloc(size_t len, void *data) {
  (void)data;
  return malloc(len);
}

static void kr_regex_release(void *ptr, void *data) {
  (void)data;
  free(ptr);
}

/* The number at `at`, saturating; *at moves behind it. */
static uint32_t kr_regex_number(kr_str pattern, size_t *at) {
  uint32_t number = 0;
  for (; *at < pattern.len && pattern.ptr[*at] >= '0' && pattern.ptr[*at] <= '9'; (*at)++)
    if (number <= KR_LIMIT_PATTERN_REPEAT)
      number = number * 10 + (uint32_t)(pattern.ptr[*at] - '0');
  return number;
}

/* Behind an escape; "\x{2028}" and the like hold no repeat in their braces. */
static size_t kr_regex_skip_escape(kr_str pattern, size_t at) {
  at += 2;
  bool has_braces = at < pattern.len && pattern.ptr[at] == '{' &&
                    memchr("xopPNkguL", pattern.ptr[at - 1], 9) != NULL;
  size_t close = has_braces ? kr_str_find(pattern, KR_STR("}"), at) : SIZE_MAX;
  return close == SIZE_MAX ? at : close + 1;
}

/*
 * The largest number of a {n,m}. It may see one where PCRE2 sees plain text (in
 * a class, in \Q..\E): then the limit is stricter than it must be.
 */
static uint32_t kr_regex_max_repeat(kr_str pattern, size_t *ret_offset) {
  uint32_t max = 0;
  for (size_t at = 0; at < pattern.len;) {
    if (pattern.ptr[at] == '\\') {
      at = kr_regex_skip_escape(pattern, at);
      continue;
    }
    if (pattern.ptr[at++] != '{')
      continue;
    size_t open = at - 1;
    while (at < pattern.len && strchr("0123456789, ", pattern.ptr[at]) != NULL &&
           pattern.ptr[at] != '\0') {
      uint32_t number = kr_regex_number(pattern, &at);
      if (number > max) {
        max = number;
        *ret_offset = open;
      }
      if (at < pattern.len && (pattern.ptr[at] == ',' || pattern.ptr[at] == ' '))
        at++;
    }
  }
  return max;
}

static kr_status kr_regex_limit(kr_error *reterr, size_t offset, size_t len, const char *what,
                                unsigned limit) {
  kr_status status = kr_fail(reterr, KR_LIMIT, "a pattern may have %s of at most %u", what, limit);
  kr_error_at(reterr, NULL, offset, len);
  return status;
}

static kr_status kr_regex_check(kr_str pattern, uint32_t *ret_repeat, kr_error *reterr) {
  size_t offset = 0;
  if (pattern.len > KR_LIMIT_PATTERN_BYTES)
    return kr_regex_limit(reterr, KR_LIMIT_PATTERN_BYTES, 1, "a length in bytes",
                          KR_LIMIT_PATTERN_BYTES);
  size_t bad = kr_utf8_check(pattern);
  if (bad != pattern.len) {
    kr_status status = kr_fail(reterr, KR_SYNTAX, "the pattern is not UTF-8");
    kr_error_at(reterr, NULL, bad, 1);
    return status;
  }
  *ret_repeat = kr_regex_max_repeat(pattern, &offset);
  if (*ret_repeat > KR_LIMIT_PATTERN_REPEAT)
    return kr_regex_limit(reterr, offset, 1, "a counted repeat", KR_LIMIT_PATTERN_REPEAT);
  return KR_OK;
}

static kr_status kr_regex_refused(int code, size_t offset, kr_error *reterr) {
  PCRE2_UCHAR message[KR_ERROR_MESSAGE_BYTES];
  if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
    return kr_fail_nomem(reterr);
  if (pcre2_get_error_message(code, message, sizeof(message)) < 0)
    message[0] = '\0';
  kr_status status =
      kr_fail(reterr, KR_SYNTAX, "the pattern does not compile: %s", (const char *)message);
  kr_error_at(reterr, NULL, offset, 1);
  return status;
}

static kr_status kr_regex_code(kr_str pattern, pcre2_code **ret_code, kr_error *reterr) {
  int code = 0;
  PCRE2_SIZE offset = 0;
  pcre2_general_context *memory =
      pcre2_general_context_create(kr_regex_alloc, kr_regex_release, NULL);
  pcre2_compile_context *context = memory == NULL ? NULL : pcre2_compile_context_create(memory);
  if (context != NULL) {
    (void)pcre2_set_parens_nest_limit(context, KR_LIMIT_PATTERN_NESTING);
    *ret_code = pcre2_compile(pattern.len == 0 ? (PCRE2_SPTR) "" : pattern.ptr, pattern.len,
                              KR_REGEX_OPTIONS, &code, &offset, context);
  }
  pcre2_compile_context_free(context);
  pcre2_general_context_free(memory);
  if (context == NULL)
    return kr_fail_nomem(reterr);
  return *ret_code == NULL ? kr_regex_refused(code, offset, reterr) : KR_OK;
}

/* Numbers of the compiled pattern that limits and prices need. */
static kr_status kr_regex_measure(kr_regex *regex, kr_str pattern, uint32_t repeat,
                                  size_t *ret_code_bytes, kr_error *reterr) {
  uint32_t lookbehind = 0;
  uint32_t backreference = 0;
  (void)pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &regex->n_groups);
  (void)pcre2_pattern_info(regex->code, PCRE2_INFO_MAXLOOKBEHIND, &lookbehind);
  (void)pcre2_pattern_info(regex->code, PCRE2_INFO_BACKREFMAX, &backreference);
  (void)pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, ret_code_bytes);
  if (regex->n_groups > KR_LIMIT_PATTERN_GROUPS)
    return kr_regex_limit(reterr, 0, pattern.len, "a number of groups", KR_LIMIT_PATTERN_GROUPS);
  if (*ret_code_bytes > KR_LIMIT_PATTERN_CODE_BYTES)
    return kr_regex_limit(reterr, 0, pattern.len, "a compiled size in bytes",
                          KR_LIMIT_PATTERN_CODE_BYTES);
  regex->step_cost = 1 + (repeat + lookbehind) / KR_REGEX_BYTES_PER_STEP;
  regex->has_backreference = backreference > 0;
  return KR_OK;
}

kr_status kr_regex_compile(kr_str pattern, kr_regex_mode mode, kr_regex **ret_regex,
                           kr_error *reterr) {
  uint32_t repeat = 0;
  size_t code_bytes = 0;
  KR_TRY(kr_regex_check(pattern, &repeat, reterr));
  KR_CLEANUP(kr_regex_freep) kr_regex *regex = calloc(1, sizeof(kr_regex));
  if (regex == NULL)
    return kr_fail_nomem(reterr);
  KR_TRY(kr_regex_code(pattern, &regex->code, reterr));
  KR_TRY(kr_regex_measure(regex, pattern, repeat, &code_bytes, reterr));
  /* Where executable memory is refused, the interpreter does the same more slowly. */
  if (mode == KR_REGEX_AUTO && code_bytes <= KR_REGEX_JIT_CODE_BYTES)
    regex->is_compiled = pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == 0;
  *ret_regex = KR_TAKE(regex);
  return KR_OK;
}

void kr_regex_free(kr_regex *regex) {
  if (regex == NULL)
    return;
  pcre2_code_free(regex->code);
  free(regex);
}

unsigned kr_regex_n_groups(const kr_regex *regex) { return regex->n_groups; }

bool kr_regex_is_compiled(const kr_regex *regex) { return regex->is_compiled; }
