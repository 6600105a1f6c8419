/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts.h - the strings of a value that are searched, each in every listed form:
 *
 *   the value          as it is, and without the blanks around it
 *   of several lines   the same with every line break as \n, as \r\n and as \r;
 *                      each line of 16 bytes or more that is not PEM framing
 *   structured         string leaves of a JSON object or array, user and password
 *                      of a URL, lines of PEM, each of 8 bytes or more
 *
 * A leaf that has several lines or is a URL has parts of its own in turn.
 */
#ifndef KR_REDACT_PARTS_H
#define KR_REDACT_PARTS_H

#include "redact/set.h"

#define KR_REDACT_LINE_BYTES 16u /* a shorter line alone says too little */
#define KR_REDACT_LEAF_BYTES 8u  /* the same of a leaf */

typedef struct kr_redact_part {
  kr_str bytes;
  uint8_t form; /* KR_FORM_RAW: the whole value; KR_FORM_LINE, KR_FORM_LEAF */
} kr_redact_part;

/**
 * Append the parts of an entry to a buffer of kr_redact_part, no string twice.
 * They point into the entry and the arena. enabled is a mask of forms; without
 * KR_FORM_LINE there are no other line breaks either. At most some six times
 * the bytes of the value. KR_NOMEM.
 */
kr_status kr_redact_parts_add(const kr_redact_entry *entry, uint32_t enabled, kr_arena *arena,
                              kr_buf *parts) KR_MUST_USE;

static inline size_t kr_redact_n_parts(const kr_buf *parts) {
  return parts->len / sizeof(kr_redact_part);
}

static inline const kr_redact_part *kr_redact_part_at(const kr_buf *parts, size_t index) {
  return (const kr_redact_part *)(const void *)parts->ptr + index;
}

#endif
