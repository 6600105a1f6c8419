/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cover.h - which raw bytes are covered by matches: disjoint intervals in
 * order, not even adjacent, so each is one run and becomes one marker.
 */
#ifndef KR_REDACT_COVER_H
#define KR_REDACT_COVER_H

#include "base/status.h"

#define KR_REDACT_NO_VALUE UINT32_MAX

typedef struct kr_redact_run {
  uint64_t start;
  uint64_t end;
  uint32_t value; /* of the match that starts first; KR_REDACT_NO_VALUE: by position */
} kr_redact_run;

/* Positions only: ordinary memory. */
typedef struct kr_redact_cover {
  kr_redact_run *runs;
  size_t n_runs;
  size_t cap_runs;
} kr_redact_cover;

void kr_redact_cover_done(kr_redact_cover *cover);

/** Cover [start, end); merges what overlaps or touches. Amortised constant near the end. */
kr_status kr_redact_cover_add(kr_redact_cover *cover, kr_redact_run run) KR_MUST_USE;

/** Forget the first n_runs runs. */
void kr_redact_cover_drop(kr_redact_cover *cover, size_t n_runs);

#endif
