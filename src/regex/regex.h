/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex.h - patterns under limits, over PCRE2; the only folder that includes
 * its header. UTF-8 and Unicode properties are always on.
 *
 * A kr_regex is immutable and shared by threads. A kr_regex_scratch belongs to
 * one thread; what PCRE2 needs while it matches lives in sensitive memory.
 *
 * The work of a match is bounded in all, not only for each place where it may
 * begin (PCRE2's own match limit starts afresh at every byte of the subject, so
 * with it alone one match may run for minutes): every item of the pattern that
 * is tried costs a step, and so do the bytes that an item runs over. Four steps
 * cost one unit of fuel (docs/decisions/0010-patterns.md).
 */
#ifndef KR_REGEX_REGEX_H
#define KR_REGEX_REGEX_H

#include "base/cleanup.h"
#include "base/status.h"
#include "base/str.h"

/* Every limit of a pattern; inclusive. */
#define KR_LIMIT_PATTERN_BYTES 512u
#define KR_LIMIT_PATTERN_NESTING 32u              /* parentheses */
#define KR_LIMIT_PATTERN_GROUPS 64u               /* that capture */
#define KR_LIMIT_PATTERN_REPEAT 1000u             /* n and m of {n,m} */
#define KR_LIMIT_PATTERN_CODE_BYTES (32u * 1024u) /* compiled, without machine code */
#define KR_REGEX_JIT_CODE_BYTES (8u * 1024u)      /* larger ones are interpreted */

/* Every limit of a match; inclusive. */
#define KR_LIMIT_SUBJECT_BYTES (64u * 1024u)
#define KR_LIMIT_MATCH_BACKTRACKS 100000u /* from one place where a match may begin */
#define KR_LIMIT_MATCH_DEPTH 50000u       /* backtracks kept at once, where interpreted */
#define KR_LIMIT_MATCH_HEAP_KIB 8192u     /* for them */
#define KR_REGEX_STEPS_PER_FUEL 4u

typedef struct kr_regex kr_regex;
typedef struct kr_regex_scratch kr_regex_scratch;

/** Whether machine code may be made; AUTO falls back where memory for it is refused. */
typedef enum kr_regex_mode { KR_REGEX_AUTO, KR_REGEX_INTERPRET } kr_regex_mode;

/**
 * Compile a pattern (PCRE2 syntax, without \C).
 *
 * @pattern  UTF-8; borrowed for this call only.
 * @reterr   span is in bytes of pattern: the place of the error.
 *
 * Errors: KR_SYNTAX, KR_LIMIT (named in the message), KR_NOMEM.
 */
kr_status kr_regex_compile(kr_str pattern, kr_regex_mode mode, kr_regex **ret_regex,
                           kr_error *reterr) KR_MUST_USE;

void kr_regex_free(kr_regex *regex);
KR_DEFINE_FREEP(kr_regex_freep, kr_regex, kr_regex_free)

/** Groups that capture, without the whole match: 0 to KR_LIMIT_PATTERN_GROUPS. */
unsigned kr_regex_n_groups(const kr_regex *regex);

/** Does machine code stand behind it? */
bool kr_regex_is_compiled(const kr_regex *regex);

kr_status kr_regex_scratch_new(kr_regex_scratch **ret_scratch) KR_MUST_USE;

/** Wipes. */
void kr_regex_scratch_free(kr_regex_scratch *scratch);
KR_DEFINE_FREEP(kr_regex_scratch_freep, kr_regex_scratch, kr_regex_scratch_free)

/** One search. */
typedef struct kr_regex_search {
  kr_str subject;   /* borrowed; the same for all searches that go on in it */
  size_t from;      /* offset at which a match may begin first; on a code point */
  bool is_nonempty; /* a match at `from` must not be empty (to go on after an empty one) */
} kr_regex_search;

/**
 * Search once.
 *
 * @fuel       in/out: what may be spent, less what was; when the limit of
 *             backtracks is hit, all of that limit is charged.
 * @ret_found  Set on KR_OK; kr_regex_group() then tells where.
 *
 * Errors: KR_LIMIT (subject, backtracks, fuel, memory), KR_INVALID (the subject
 * is not UTF-8; a \K moved the start behind the end), KR_NOMEM.
 */
kr_status kr_regex_find(const kr_regex *regex, kr_regex_scratch *scratch,
                        const kr_regex_search *search, uint32_t *fuel, bool *ret_found,
                        kr_error *reterr) KR_MUST_USE;

/** Of the last match found: bytes [*ret_start, *ret_end) of the subject; false: took no part. */
bool kr_regex_group(const kr_regex_scratch *scratch, unsigned group, size_t *ret_start,
                    size_t *ret_end);

#endif
