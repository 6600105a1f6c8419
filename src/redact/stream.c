/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.c - the scanner over a window that slides: bytes not yet written are
 * kept in sensitive memory, at most twice the longest form and one slice. Where
 * newer sets may come, bytes already written are kept too: see stream.h.
 */
#include "redact/stream.h"
#include "secmem/sensitive.h"

#include <stdlib.h>

#define KR_REDACT_FEED_BYTES (16u * 1024u) /* taken from one feed at a time */

kr_status kr_redact_stream_sink(void *ctx, kr_str bytes, bool is_marker) {
  kr_redact_stream *stream = ctx;
  if (stream->late.edge > 0)
    return kr_redact_late_sink(stream, bytes, is_marker);
  return stream->write(stream->ctx, bytes);
}

kr_status kr_redact_stream_new(kr_redact_set *set, const kr_redact_options *options,
                               kr_redact_write write, void *ctx, kr_redact_stream **ret_stream,
                               kr_error *reterr) {
  kr_redact_stream *stream = calloc(1, sizeof(*stream));
  if (stream == NULL)
    return kr_fail_nomem(reterr);
  stream->scan = kr_sensitive_memory()->alloc(sizeof(*stream->scan));
  if (stream->scan == NULL) {
    free(stream);
    return kr_fail_nomem(reterr);
  }
  stream->set = kr_redact_set_ref(set);
  stream->given = kr_redact_set_ref(set);
  if (options != NULL)
    stream->options = *options;
  stream->write = write;
  stream->ctx = ctx;
  stream->tail = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory());
  kr_redact_scan_init(stream->scan, set, &stream->options, kr_redact_stream_sink, stream,
                      &stream->report);
  *ret_stream = stream;
  return KR_OK;
}

void kr_redact_stream_keep(kr_redact_stream *stream) {
  stream->is_kept = true;
  stream->keep = kr_redact_late_keep(stream->set);
}

/* Forget what is not needed, once it is at least as much as the rest: then moving that is
 * amortised. */
static void kr_redact_stream_slide(kr_redact_stream *stream) {
  size_t n_written = (size_t)(stream->scan->written - stream->base);
  if (n_written <= stream->keep)
    return;
  size_t n_gone = n_written - stream->keep;
  size_t n_left = stream->tail.len - n_gone;
  if (n_gone < n_left)
    return;
  memmove(stream->tail.ptr, stream->tail.ptr + n_gone, n_left);
  kr_wipe(stream->tail.ptr + n_left, n_gone);
  stream->tail.len = n_left;
  stream->base += n_gone;
}

static kr_status kr_redact_stream_take(kr_redact_stream *stream, kr_str bytes, bool is_final) {
  KR_TRY(kr_buf_append(&stream->tail, bytes));
  KR_TRY(kr_redact_scan_advance(stream->scan, kr_buf_str(&stream->tail), stream->base, is_final));
  KR_TRY(kr_redact_late_settle(stream));
  kr_redact_stream_slide(stream);
  return KR_OK;
}

kr_status kr_redact_stream_feed(kr_redact_stream *stream, kr_str bytes) {
  if (stream->is_finished)
    return KR_INVALID;
  while (bytes.len > 0 && stream->status == KR_OK) {
    kr_str piece = kr_str_slice(bytes, 0, KR_REDACT_FEED_BYTES);
    stream->status = kr_redact_stream_take(stream, piece, false);
    bytes = kr_str_skip(bytes, piece.len);
  }
  return stream->status;
}

kr_status kr_redact_stream_finish(kr_redact_stream *stream) {
  if (stream->status == KR_OK && !stream->is_finished)
    stream->status = kr_redact_stream_take(stream, (kr_str){0}, true);
  stream->is_finished = true;
  return stream->status;
}

size_t kr_redact_stream_held(const kr_redact_stream *stream) {
  uint64_t written = stream->scan->written;
  if (written < stream->late.edge)
    written = stream->late.edge;
  return (size_t)(stream->base + stream->tail.len - written);
}

const kr_redact_report *kr_redact_stream_report(const kr_redact_stream *stream) {
  return &stream->report;
}

const kr_redact_set *kr_redact_stream_set(const kr_redact_stream *stream) { return stream->set; }

void kr_redact_stream_free(kr_redact_stream *stream) {
  if (stream == NULL)
    return;
  kr_redact_scan_done(stream->scan);
  kr_sensitive_memory()->release(stream->scan, sizeof(*stream->scan));
  kr_buf_done(&stream->tail);
  kr_redact_report_done(&stream->report);
  kr_redact_set_free(stream->set);
  kr_redact_set_free(stream->given);
  free(stream);
}
