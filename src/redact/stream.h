/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - the inside of a kr_redact_stream: raw bytes from `base` on, what of
 * them is written, and after an update the edge between what is out for good
 * and what a newer set may still remove.
 *
 *   base           edge, scan->written        scan->pos      end
 *    | kept, out    | held back                | unread       |
 *    |<-- keep ---->|
 *
 * After an update the scanner begins anew at base, so scan->written lies behind
 * the edge until it has caught up: what it gives for bytes before the edge is
 * dropped by the sink (stream_late.c).
 */
#ifndef KR_REDACT_STREAM_H
#define KR_REDACT_STREAM_H

#include "redact/hits.h"
#include "redact/scan.h"

#define KR_REDACT_NAMED_MARKER_BYTES (sizeof("[REDACTED:]") + KR_REDACT_NAME_BYTES)

/** What an update leaves to be settled when the scanner passes the edge. */
typedef struct kr_redact_late {
  uint64_t edge; /* bytes before it are out, whatever is found in them; 0: nothing to settle */
  uint64_t covered_from; /* bytes [covered_from, edge) were removed: their marker is out */
  uint64_t at;           /* end of the last raw bytes that the scanner gave */
  uint64_t marker_at;    /* where the waiting marker's run begins */
  size_t marker_len;     /* of a marker that waits; 0: none */
  uint8_t marker[KR_REDACT_NAMED_MARKER_BYTES];
} kr_redact_late;

struct kr_redact_stream {
  kr_redact_set *set;   /* every value the stream was ever given */
  kr_redact_set *given; /* the last one of kr_redact_stream_update, or the first */
  kr_redact_options options;
  kr_redact_write write;
  void *ctx;
  kr_redact_report report;
  kr_status status; /* the first failure; sticks */
  kr_buf tail;      /* raw bytes from base on */
  uint64_t base;
  size_t keep; /* bytes kept behind those written, for an update; 0: none */
  bool is_kept;
  bool is_finished;
  kr_redact_late late;
  kr_redact_scan *scan; /* sensitive memory */
};

/** The scanner's sink (stream.c). */
kr_status kr_redact_stream_sink(void *ctx, kr_str bytes, bool is_marker) KR_MUST_USE;

/* stream_late.c */

/** The sink while there is an edge. */
kr_status kr_redact_late_sink(kr_redact_stream *stream, kr_str bytes, bool is_marker) KR_MUST_USE;

/** After each advance: settle what waits once the scanner is past the edge. */
kr_status kr_redact_late_settle(kr_redact_stream *stream) KR_MUST_USE;

/** How many bytes to keep behind what is written, with this set. */
size_t kr_redact_late_keep(const kr_redact_set *set);

#endif
