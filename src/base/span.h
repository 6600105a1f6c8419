/* SPDX-License-Identifier: Apache-2.0 */
/*
 * span.h - provenance of output bytes. A render marks every stretch of its
 * output that derives from secrets; redaction by position, previews and
 * receipts read these marks. It lives in base because the VM writes spans and
 * the redactor reads them, and neither may include the other.
 *
 * Invariants of an array of spans: sorted by offset, not overlapping (adjacent
 * spans of different origin stay apart), len may be 0 only for an empty
 * transformed value, offset + len <= length of the rendered bytes.
 */
#ifndef KR_BASE_SPAN_H
#define KR_BASE_SPAN_H

#include <krosyn/types.h>

/** At most this many secrets per connector: a set of them is one word. */
#define KR_SECRETS_MAX 64

/** Bit i stands for entry i of the connector's table of secret names. */
typedef uint64_t kr_secret_set;

#define KR_SPAN_TRANSFORMS_MAX 6

typedef struct kr_span {
  uint32_t offset;
  uint32_t len;
  kr_secret_set secrets; /* never 0 */
  uint8_t context;       /* kr_context (lang/program.h) of the place it was emitted in */
  uint8_t n_transforms;  /* functions it passed through, innermost first; at most the maximum: */
  uint8_t transforms[KR_SPAN_TRANSFORMS_MAX]; /* later ones are dropped. Indexes into functions */
} kr_span;

#endif
