/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.h - the escapes in which one byte, or one code point, of a value may be
 * spelled inside other text:
 *
 *   percent  %41  +            RFC 3986, section 2.1; '+' for space as in HTML forms
 *   JSON     \" \\ \/ \n \u0041 \ud83d\ude00      RFC 8259, section 7
 *
 * Reading is stateless: an escape is decided by the bytes from its introducer on.
 */
#ifndef KR_REDACT_TOKEN_H
#define KR_REDACT_TOKEN_H

#include "base/str.h"

#define KR_REDACT_TOKEN_BYTES 12u /* the longest escape, a surrogate pair */

typedef struct kr_redact_token {
  uint8_t bytes[4]; /* what it spells */
  uint8_t n_bytes;  /* 1-4 */
  uint8_t len;      /* raw bytes, 1-12 */
  uint8_t form;     /* KR_FORM_PERCENT or KR_FORM_JSON */
} kr_redact_token;

typedef enum kr_redact_token_result {
  KR_TOKEN_NONE,
  KR_TOKEN_FOUND,
  KR_TOKEN_MORE /* undecided: text ends inside what may become an escape */
} kr_redact_token_result;

/** Can an escape start with this byte? */
static inline bool kr_redact_is_introducer(uint8_t byte) {
  return byte == '%' || byte == '\\' || byte == '+';
}

/** A character of either base64 alphabet; not the padding. */
static inline bool kr_redact_is_base64(uint8_t byte) {
  return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
         (byte >= '0' && byte <= '9') || byte == '+' || byte == '/' || byte == '-' || byte == '_';
}

/** The escape at the start of text; never KR_TOKEN_MORE when is_final. */
kr_redact_token_result kr_redact_token_read(kr_str text, bool is_final, kr_redact_token *ret_token);

#endif
