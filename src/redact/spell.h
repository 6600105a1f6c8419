/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spell.h - the spellings of a string for which the check looks, written out
 * whole. Its own encoders: what is wrong in those of the scanner is not wrong
 * here in the same way.
 */
#ifndef KR_REDACT_SPELL_H
#define KR_REDACT_SPELL_H

#include "base/buf.h"

#define KR_VERIFY_GROWTH 7u /* a control in JSON twice: "\\\\u0001" */

typedef enum kr_verify_spelling {
  KR_VERIFY_RAW,
  KR_VERIFY_PERCENT_ALL,   /* %XX for every byte */
  KR_VERIFY_PERCENT_SOME,  /* unreserved bytes as they are */
  KR_VERIFY_FORM,          /* the same and '+' for space */
  KR_VERIFY_PERCENT_CHARS, /* only what no URL may hold */
  KR_VERIFY_JSON,          /* short escapes, \u00XX for other controls */
  KR_VERIFY_JSON_SLASH,    /* the same and \/ */
  KR_VERIFY_JSON_ASCII,    /* the same without \/, and \uXXXX for what is not ASCII */
  KR_VERIFY_TWICE,         /* KR_VERIFY_JSON of KR_VERIFY_JSON */
  KR_VERIFY_TWICE_SLASH,
  KR_VERIFY_HTML,         /* &amp; &lt; &gt; &quot; &apos; */
  KR_VERIFY_HTML_DECIMAL, /* the same five, and what is not ASCII, as numbers */
  KR_VERIFY_HTML_HEX,
  KR_VERIFY_HEX,
  KR_VERIFY_BASE64, /* three alignments, then the same in the URL alphabet */
  KR_VERIFY_N_SPELLINGS = KR_VERIFY_BASE64 + 6
} kr_verify_spelling;

/** KR_REDACT_FORM_BIT of the form that a spelling belongs to. */
uint32_t kr_verify_form_bit(kr_verify_spelling spelling);

/**
 * Append text as spelled, nothing when that is too short to be looked for.
 * is_upper: the letters of hexadecimal digits. At most KR_VERIFY_GROWTH bytes
 * for each of text. scratch is overwritten. Errors: of the buffers.
 */
kr_status kr_verify_spell(kr_str text, kr_verify_spelling spelling, bool is_upper, kr_buf *scratch,
                          kr_buf *out) KR_MUST_USE;

#endif
