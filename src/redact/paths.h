/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths.h - the readings of the raw text that took at least one escape.
 *
 * They are kept in an order in which neighbours share the most: `joint` of a
 * path is the end of the last place where it differs from the one before it
 * (the plain reading comes before the first), and of two paths the place is the
 * latest joint between them. So a path that starts at or behind its joint reads
 * the same bytes as its neighbour, which knows at least as much: it is dropped.
 */
#ifndef KR_REDACT_PATHS_H
#define KR_REDACT_PATHS_H

#include "redact/scan.h"

/** Raw start of the last len bytes read by path (NULL: the plain reading) up to end. */
static inline uint64_t kr_redact_path_start(const kr_redact_scan *scan, const kr_redact_path *path,
                                            uint64_t len, uint64_t end) {
  if (path == NULL)
    return end - len;
  return kr_redact_escapes_locate(&scan->escapes, path->escapes, path->count - len, path->count,
                                  end);
}

/** Every reading also takes the escape at pos; the new readings wait behind it. */
void kr_redact_paths_fork(kr_redact_scan *scan, const kr_redact_token *token);

/** Every path takes the byte at pos as it is. */
void kr_redact_paths_step(kr_redact_scan *scan, uint8_t byte);

/** Let in what waited for pos, and drop what is the same as a neighbour. */
void kr_redact_paths_settle(kr_redact_scan *scan);

/* scan.c */
void kr_redact_scan_match(kr_redact_scan *scan, uint32_t node, const kr_redact_path *path,
                          uint64_t end);
void kr_redact_scan_cover(kr_redact_scan *scan, uint64_t start, uint64_t end, uint32_t value);
void kr_redact_scan_fail(kr_redact_scan *scan, kr_status status);
kr_str kr_redact_scan_from(const kr_redact_scan *scan, uint64_t from, uint64_t to);
uint64_t kr_redact_scan_frontier(const kr_redact_scan *scan);

#endif
