/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact_case.h - values, a text that spells them, and how the text comes, from
 * the bytes of a fuzzer; and what the redact targets share in judging outputs.
 *
 *   0     bits 0-2: values, less one; bits 3-7: the target's
 *   1     forms that are left out: bit 0 is KR_FORM_PERCENT
 *   2     the target's
 *   each value: a byte n < 0xF0 and n bytes; or n and 8 bytes, repeated to 100 * (n - 0xEF)
 *   then the text, byte for byte, but for commands:
 *
 *   FF    kind << 4 | value, and arguments:
 *     00  the value as it is             60  byte, n: the byte, 4 * n times
 *     10  s: in that spelling (spell.h)  70  a piece of a stream ends here
 *     20  a, b: in some mixed spelling   80  the same, and the next value becomes known
 *     30  from, n: a part of it          90  the same, and a flush
 *     40  at: with one byte changed      A0  n: the last n bytes are a span
 *     50  n, times: the last n bytes     F0  one byte FF
 *         of the text again, up to    B0  the text may be longer from here on
 *         31 times
 *
 * So a mutation that moves a byte changes a text by a byte or by a spelling.
 */
#ifndef KR_FUZZ_REDACT_CASE_H
#define KR_FUZZ_REDACT_CASE_H

#include "fuzz.h"
#include "redact/naive.h"
#include "redact/scan.h"

#define KR_FUZZ_VALUES 8u
#define KR_FUZZ_USUAL_BYTES 1500u /* of a text; most inputs are to be quick */
#define KR_FUZZ_TEXT_BYTES                                                                         \
  (20u * 1024u)                       /* more than a piece of the sieve, less than a stream keeps */
#define KR_FUZZ_NAIVE_TEXT_BYTES 256u /* the reference is slow */
#define KR_FUZZ_NAIVE_VALUE_BYTES 120u /* and has room for no more */
#define KR_FUZZ_OUT_BYTES (16u * 1024u * 1024u)
#define KR_FUZZ_STOPS 64u

typedef enum kr_fuzz_stop_kind { KR_FUZZ_CUT, KR_FUZZ_UPDATE, KR_FUZZ_FLUSH } kr_fuzz_stop_kind;

typedef struct kr_fuzz_stop {
  size_t at; /* in the text */
  kr_fuzz_stop_kind kind;
} kr_fuzz_stop;

typedef struct kr_fuzz_case {
  uint8_t choice[2]; /* bytes 0 (shifted) and 2: the target's */
  uint32_t enabled;  /* forms */
  kr_naive_value values[KR_FUZZ_VALUES];
  size_t n_values;
  kr_buf pool; /* the long values */
  kr_buf text;
  size_t text_limit;
  kr_span spans[KR_FUZZ_STOPS];
  size_t n_spans;
  kr_fuzz_stop stops[KR_FUZZ_STOPS];
  size_t n_stops;
} kr_fuzz_case;

void kr_fuzz_case_read(const uint8_t *data, size_t size, kr_fuzz_case *ret);
void kr_fuzz_case_done(kr_fuzz_case *c);

/** Nothing but blanks, or nothing: no set takes it. */
bool kr_fuzz_is_blank(kr_str value);

/** The first n values; min_search 0: the default. */
kr_redact_set *kr_fuzz_set(const kr_fuzz_case *c, size_t n_values, uint32_t min_search);

/** What kr_cpu_best() says from now on, at most that of the machine (linked with --wrap). */
void kr_fuzz_use_level(kr_cpu_level level);
/** The best level of the machine. */
kr_cpu_level kr_fuzz_best_level(void);

/**
 * Were there more readings than KR_REDACT_PATHS since this was last asked? Then
 * more may be removed than must be, and where depends on where reading began.
 */
bool kr_fuzz_gave_up(void);

/** Memory of exactly the text's length, for a sanitizer to see reads past its end. */
kr_str kr_fuzz_exact(kr_str text);
void kr_fuzz_exact_free(kr_str text);

/** One shot: its output and which bytes of the text it shows. */
typedef struct kr_fuzz_shot {
  kr_buf out;
  kr_redact_report report;
  bool gave_up;
  bool is_shown[KR_FUZZ_TEXT_BYTES];
} kr_fuzz_shot;

void kr_fuzz_shoot(const kr_redact_set *set, kr_str text, const kr_fuzz_case *c, bool with_spans,
                   const kr_redact_options *options, kr_fuzz_shot *ret);
void kr_fuzz_shot_done(kr_fuzz_shot *shot);

bool kr_fuzz_same_report(const kr_redact_report *a, const kr_redact_report *b);

/**
 * Is the reference of use here: short enough, every form on? Then is_covered says of each
 * byte of text that it must go by the first n values; *ret_is_exact: and of no other.
 */
bool kr_fuzz_reference(const kr_fuzz_case *c, const kr_redact_set *set, size_t n_values,
                       kr_str text, bool *is_covered, bool *ret_is_exact);

/** Can the output be of this text with no covered byte shown? */
bool kr_fuzz_is_safe(kr_str output, kr_str text, const bool *is_covered);

#endif
