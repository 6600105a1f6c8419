/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_late.c - a newer set in the middle of a stream. The bytes kept are read
 * once more with all values, old and new; what is out stays as it is, and the
 * rest is what one shot with all values would have made of it:
 *
 *   removed(byte) = byte is before the edge ? covered by the values known then
 *                                           : covered by all values
 *
 * A run that begins in bytes already out needs a marker of its own at the edge,
 * unless the byte before the edge was removed too: then that marker is out.
 */
#include "redact/stream.h"
#include "secmem/sensitive.h"

size_t kr_redact_late_keep(const kr_redact_set *set) {
  size_t longest = kr_redact_longest_pattern(&set->patterns.forms) * KR_REDACT_TOKEN_BYTES;
  size_t longest_hex = kr_redact_longest_pattern(&set->patterns.hex);
  longest = longest_hex > longest ? longest_hex : longest;
  return longest > KR_REDACT_LATE_BYTES ? longest : KR_REDACT_LATE_BYTES;
}

/* The run of the waiting marker reaches over the edge: say so, unless its marker is out. */
static kr_status kr_redact_late_put_marker(kr_redact_stream *stream) {
  kr_redact_late *late = &stream->late;
  size_t len = late->marker_len;
  if (len == 0)
    return KR_OK;
  late->marker_len = 0;
  if (late->marker_at < late->covered_from)
    stream->report.n_late_partial++;
  if (late->covered_from < late->edge)
    return KR_OK;
  stream->report.n_runs++;
  return stream->write(stream->ctx, kr_str_from(late->marker, len));
}

static kr_status kr_redact_late_take_marker(kr_redact_stream *stream, kr_str marker) {
  kr_redact_late *late = &stream->late;
  kr_redact_scan *scan = stream->scan;
  uint64_t at = late->at > scan->written ? late->at : scan->written;
  if (at >= late->edge)
    return stream->write(stream->ctx, marker);
  if (scan->report != NULL)
    scan->report->n_runs--; /* not written, or not yet */
  late->marker_at = at;
  late->marker_len = marker.len;
  memcpy(late->marker, marker.ptr, marker.len);
  return KR_OK;
}

kr_status kr_redact_late_sink(kr_redact_stream *stream, kr_str bytes, bool is_marker) {
  kr_redact_late *late = &stream->late;
  if (is_marker)
    return kr_redact_late_take_marker(stream, bytes);
  uint64_t start = stream->scan->base + (uint64_t)(bytes.ptr - stream->scan->window.ptr);
  late->at = start + bytes.len;
  if (start > late->edge)
    KR_TRY(kr_redact_late_put_marker(stream));
  late->marker_len = 0; /* a run that ends at or before the edge is out as a whole */
  if (late->at <= late->edge)
    return KR_OK;
  if (start < late->edge)
    bytes = kr_str_skip(bytes, (size_t)(late->edge - start));
  return stream->write(stream->ctx, bytes);
}

kr_status kr_redact_late_settle(kr_redact_stream *stream) {
  if (stream->late.edge == 0 || stream->scan->written <= stream->late.edge)
    return KR_OK;
  KR_TRY(kr_redact_late_put_marker(stream));
  stream->late = (kr_redact_late){0};
  return KR_OK;
}

/* ---- the newer set ---- */

/*
 * Does newer begin with all values of older, in order, and search them at least
 * as older does? Then its indexes are good for both.
 */
static bool kr_redact_late_extends(const kr_redact_set *newer, const kr_redact_set *older) {
  size_t n_values = kr_redact_set_n_values(older);
  if (kr_redact_set_n_values(newer) < n_values || (older->enabled & ~newer->enabled) != 0)
    return false;
  for (size_t i = 0; i < n_values; i++) {
    const kr_redact_entry *a = kr_redact_entry_at(older, i);
    const kr_redact_entry *b = kr_redact_entry_at(newer, i);
    if (a->version != b->version || a->min_search < b->min_search ||
        !kr_str_equal(a->name, b->name) || !kr_str_equal(a->value, b->value))
      return false;
  }
  return true;
}

static kr_status kr_redact_late_join(const kr_redact_set *older, kr_redact_set *newer,
                                     kr_redact_set **ret_set) {
  if (kr_redact_late_extends(newer, older)) {
    *ret_set = kr_redact_set_ref(newer);
    return KR_OK;
  }
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_TRY(kr_redact_builder_new(&builder, NULL));
  KR_TRY(kr_redact_builder_add_set(builder, older));
  KR_TRY(kr_redact_builder_add_set(builder, newer));
  kr_redact_builder_set_forms(builder, older->enabled | newer->enabled);
  return kr_redact_builder_build(builder, ret_set, NULL);
}

/* Where what is out ends, and how: an edge not yet passed stays where it is. */
static void kr_redact_late_draw_edge(kr_redact_stream *stream) {
  const kr_redact_scan *scan = stream->scan;
  kr_redact_late *late = &stream->late;
  late->marker_len = 0;
  late->at = stream->base;
  if (scan->written <= late->edge)
    return;
  late->edge = scan->written;
  late->covered_from = late->edge;
  const kr_redact_run *run = scan->cover.n_runs == 0 ? NULL : &scan->cover.runs[0];
  if (run != NULL && run->start < late->edge && run->end >= late->edge)
    late->covered_from = run->start;
}

/* What the older scanner has covered stays covered. */
static kr_status kr_redact_late_cover(const kr_redact_stream *stream, kr_redact_scan *scan) {
  const kr_redact_cover *cover = &stream->scan->cover;
  for (size_t i = 0; i < cover->n_runs; i++) {
    kr_redact_run run = cover->runs[i];
    if (run.start < stream->base)
      run.start = stream->base;
    KR_TRY(kr_redact_cover_add(&scan->cover, run));
  }
  return KR_OK;
}

/* Of what is found anew, the older values were counted before. */
static kr_status kr_redact_late_count(kr_redact_stream *stream, const kr_redact_report *found,
                                      size_t n_older) {
  stream->report.n_runs += found->n_runs;
  for (size_t i = 0; i < found->n_hits; i++)
    if (found->hits[i].value >= n_older)
      KR_TRY(kr_redact_report_add(&stream->report, found->hits[i].value, found->hits[i].form,
                                  found->hits[i].count));
  return KR_OK;
}

static void kr_redact_reportp_done(kr_redact_report *report) { kr_redact_report_done(report); }

/*
 * Read the kept bytes once more; matches that end in what is out are not counted. Nothing is
 * written: what the older values hold back, they and the newer ones still do.
 */
static kr_status kr_redact_late_read(kr_redact_stream *stream, size_t n_older) {
  KR_CLEANUP(kr_redact_reportp_done) kr_redact_report found = {0};
  kr_redact_scan *scan = stream->scan;
  scan->counted = stream->late.edge;
  scan->report = &found;
  kr_status status = kr_redact_scan_advance(scan, kr_buf_str(&stream->tail), stream->base, false);
  scan->report = &stream->report;
  KR_TRY(status);
  return kr_redact_late_count(stream, &found, n_older);
}

static kr_status kr_redact_late_restart(kr_redact_stream *stream, kr_redact_set *set) {
  size_t n_older = kr_redact_set_n_values(stream->set);
  kr_redact_scan *scan = kr_sensitive_memory()->alloc(sizeof(*scan));
  if (scan == NULL)
    return KR_NOMEM;
  kr_redact_late_draw_edge(stream);
  kr_redact_scan_init(scan, set, &stream->options, kr_redact_stream_sink, stream, NULL);
  scan->pos = stream->base;
  scan->written = stream->base;
  scan->sieve.from = stream->base;
  scan->sieve.sieved = stream->base;
  kr_status status = kr_redact_late_cover(stream, scan);
  kr_redact_scan_done(stream->scan);
  kr_sensitive_memory()->release(stream->scan, sizeof(*stream->scan));
  stream->scan = scan;
  kr_redact_set_free(stream->set);
  stream->set = kr_redact_set_ref(set);
  if (stream->is_kept)
    stream->keep = kr_redact_late_keep(set);
  KR_TRY(status);
  return kr_redact_late_read(stream, n_older);
}

static kr_status kr_redact_late_take(kr_redact_stream *stream, kr_redact_set *newer) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *joined = NULL;
  KR_TRY(kr_redact_late_join(stream->set, newer, &joined));
  kr_redact_set_free(stream->given);
  stream->given = kr_redact_set_ref(newer);
  if (kr_redact_late_extends(stream->set, joined))
    return KR_OK; /* nothing new */
  return kr_redact_late_restart(stream, joined);
}

kr_status kr_redact_stream_update(kr_redact_stream *stream, kr_redact_set *set) {
  if (stream->is_finished)
    return KR_INVALID;
  if (stream->status == KR_OK && set != stream->given)
    stream->status = kr_redact_late_take(stream, set);
  return stream->status;
}
