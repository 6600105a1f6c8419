/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.h - the escapes in which one byte, or one code point, of a value may be
 * spelled inside other text:
 *
 *   percent  %41  +            RFC 3986, section 2.1; '+' for space as in HTML forms
 *   JSON     \" \\ \/ \n \u0041 \ud83d\ude00      RFC 8259, section 7
 *   twice    \\\" \\\\ \\\/ \\" \\/ \\n \\u0041 \\ud83d\\ude00      JSON inside a JSON string: the
 *            backslash of the inner escape is escaped, '"', '\' and '/' may be once more
 *   HTML     &amp; &lt; &gt; &quot; &apos; &nbsp; &#65; &#x41;      at most 12 bytes
 *
 * Reading is stateless: an escape is decided by its own bytes, so it is the same
 * whatever follows it.
 */
#ifndef KR_REDACT_TOKEN_H
#define KR_REDACT_TOKEN_H

#include "base/str.h"

#define KR_REDACT_ENTITY_BYTES 12u /* a longer entity is not read */
#define KR_REDACT_TOKEN_BYTES 14u  /* the longest escape: a surrogate pair, twice */
#define KR_REDACT_TOKENS 2u        /* escapes that can start at one byte: "\\" and "\\n" */

/* Of escapes that spell one base64 character, the longest: an entity with zeros before it. */
#define KR_REDACT_BASE64_ESCAPE_BYTES KR_REDACT_ENTITY_BYTES

typedef struct kr_redact_token {
  uint8_t bytes[4]; /* what it spells */
  uint8_t n_bytes;  /* 1-4 */
  uint8_t len;      /* raw bytes, 1 to KR_REDACT_TOKEN_BYTES */
  uint8_t form;     /* a form from KR_FORM_PERCENT to KR_FORM_HTML */
} kr_redact_token;

typedef struct kr_redact_tokens {
  kr_redact_token items[KR_REDACT_TOKENS]; /* of different lengths */
  size_t count;
} kr_redact_tokens;

typedef enum kr_redact_token_result {
  KR_TOKEN_NONE,
  KR_TOKEN_FOUND,
  KR_TOKEN_MORE /* undecided: text ends inside what may become an escape */
} kr_redact_token_result;

/** Can an escape start with this byte? */
static inline bool kr_redact_is_introducer(uint8_t byte) {
  return byte == '%' || byte == '\\' || byte == '+' || byte == '&';
}

/** A character of either base64 alphabet; not the padding. */
static inline bool kr_redact_is_base64(uint8_t byte) {
  return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
         (byte >= '0' && byte <= '9') || byte == '+' || byte == '/' || byte == '-' || byte == '_';
}

/** Does it spell one base64 character? */
static inline bool kr_redact_token_is_base64(const kr_redact_token *token) {
  return token->n_bytes == 1 && kr_redact_is_base64(token->bytes[0]);
}

/**
 * All escapes at the start of text whose form is in forms, a mask of
 * KR_REDACT_FORM_BIT. False: one of them is undecided, text ends inside it;
 * never so when is_final.
 */
bool kr_redact_token_read(kr_str text, bool is_final, uint32_t forms, kr_redact_tokens *ret_tokens);

#endif
