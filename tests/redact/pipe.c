/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipe.c - the redactor on a pipe, for Python: requests on stdin, answers on stdout.
 * Numbers are 4 bytes little-endian; bytes are their length and themselves.
 *
 *   'S' forms, count, values      -> verdict: a new set in place of the last one
 *   'T' text, count, cuts         -> verdict, output of one shot, output of the stream that
 * differs, its cut, the most bytes that a stream held cuts: places where a stream gets the text in
 * pieces; count EVERY_CUT: a stream for each place, in two pieces
 *   'L' text, most bytes          -> verdict, output of one shot behind BEFORE where no more fits
 *
 * Each piece is fed from memory of its own exact length that is released at once,
 * so that a sanitizer sees a read past its end or after the call.
 */
#include "redact/redact.h"

#include <stdio.h>
#include <stdlib.h>

#define BYTES_MAX (8u << 20)
#define EVERY_CUT UINT32_MAX
#define BEFORE "before:"

/* Bits of forms in requests, in this order. */
static const kr_redact_form forms_here[] = {KR_FORM_PERCENT, KR_FORM_JSON,   KR_FORM_JSON_TWICE,
                                            KR_FORM_HTML,    KR_FORM_BASE64, KR_FORM_HEX,
                                            KR_FORM_LINE,    KR_FORM_LEAF};
#define N_FORMS_HERE (sizeof(forms_here) / sizeof(forms_here[0]))

typedef enum verdict {
  VERDICT_OK,
  VERDICT_VALUE_REFUSED,
  VERDICT_FORMS_UNKNOWN,
  VERDICT_FAILED,
  VERDICT_STREAM_DIFFERS,
  VERDICT_LIMIT
} verdict;

static bool read_number(uint32_t *ret_number) {
  uint8_t bytes[4];
  if (fread(bytes, 1, sizeof(bytes), stdin) != sizeof(bytes))
    return false;
  *ret_number = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                (uint32_t)bytes[3] << 24;
  return true;
}

static bool read_bytes(kr_buf *buf) {
  uint32_t len = 0;
  kr_buf_reset(buf);
  if (!read_number(&len) || len > BYTES_MAX || kr_buf_reserve(buf, (size_t)len + 1) != KR_OK)
    return false;
  buf->len = len;
  return fread(buf->ptr, 1, len, stdin) == len;
}

static bool write_number(uint32_t number) {
  const uint8_t bytes[4] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
                            (uint8_t)(number >> 24)};
  return fwrite(bytes, 1, sizeof(bytes), stdout) == sizeof(bytes);
}

static bool write_bytes(kr_str bytes) {
  return write_number((uint32_t)bytes.len) &&
         (bytes.len == 0 || fwrite(bytes.ptr, 1, bytes.len, stdout) == bytes.len);
}

/* ---- a set ---- */

static bool answer_set(kr_redact_set **set) {
  KR_CLEANUP(kr_buf_done) kr_buf value = KR_BUF_INIT(BYTES_MAX + 1, NULL);
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  uint32_t forms = 0;
  uint32_t n_values = 0;
  uint32_t enabled = 0;
  verdict said = VERDICT_OK;
  kr_redact_set_free(*set);
  *set = NULL;
  if (!read_number(&forms) || !read_number(&n_values) ||
      kr_redact_builder_new(&builder, NULL) != KR_OK)
    return false;
  if (forms >> N_FORMS_HERE != 0)
    said = VERDICT_FORMS_UNKNOWN;
  for (size_t i = 0; i < N_FORMS_HERE; i++)
    enabled |= (forms >> i & 1u) != 0 ? KR_REDACT_FORM_BIT(forms_here[i]) : 0u;
  kr_redact_builder_set_forms(builder, enabled);
  for (uint32_t i = 0; i < n_values; i++) {
    if (!read_bytes(&value))
      return false;
    if (kr_redact_builder_add(builder, KR_STR("V"), i, kr_buf_str(&value), NULL) != KR_OK)
      said = VERDICT_VALUE_REFUSED;
  }
  if (said == VERDICT_OK && kr_redact_builder_build(builder, set, NULL) != KR_OK)
    said = VERDICT_FAILED;
  return write_number(said);
}

/* ---- a text ---- */

static kr_status collect(void *ctx, kr_str bytes) { return kr_buf_append(ctx, bytes); }

static kr_status feed_copy(kr_redact_stream *stream, kr_str piece) {
  uint8_t *copy = malloc(piece.len == 0 ? 1 : piece.len);
  if (copy == NULL)
    return KR_NOMEM;
  if (piece.len != 0)
    memcpy(copy, piece.ptr, piece.len);
  const kr_status status = kr_redact_stream_feed(stream, kr_str_from(copy, piece.len));
  free(copy);
  return status;
}

static void note_held(const kr_redact_stream *stream, size_t *most_held) {
  const size_t held = kr_redact_stream_held(stream);
  *most_held = held > *most_held ? held : *most_held;
}

static kr_status run_stream(kr_redact_set *set, kr_str text, const uint32_t *cuts, size_t n_cuts,
                            kr_buf *out, size_t *most_held) {
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *stream = NULL;
  size_t from = 0;
  kr_buf_reset(out);
  KR_TRY(kr_redact_stream_new(set, NULL, collect, out, &stream, NULL));
  for (size_t i = 0; i < n_cuts; i++) {
    const size_t to = cuts[i] < from ? from : cuts[i] > text.len ? text.len : cuts[i];
    KR_TRY(feed_copy(stream, kr_str_slice(text, from, to)));
    note_held(stream, most_held);
    from = to;
  }
  KR_TRY(feed_copy(stream, kr_str_slice(text, from, text.len)));
  note_held(stream, most_held);
  return kr_redact_stream_finish(stream);
}

static verdict compare_streams(kr_redact_set *set, kr_str text, const uint32_t *cuts,
                               uint32_t n_cuts, kr_str expected, kr_buf *streamed,
                               uint32_t *ret_cut, size_t *most_held) {
  const bool is_every = n_cuts == EVERY_CUT;
  const size_t n_streams = is_every ? text.len + 1 : 1;
  for (size_t i = 0; i < n_streams; i++) {
    *ret_cut = (uint32_t)i;
    if (run_stream(set, text, is_every ? ret_cut : cuts, is_every ? 1 : n_cuts, streamed,
                   most_held) != KR_OK)
      return VERDICT_FAILED;
    if (!kr_str_equal(kr_buf_str(streamed), expected))
      return VERDICT_STREAM_DIFFERS;
  }
  kr_buf_reset(streamed);
  return VERDICT_OK;
}

static bool read_cuts(kr_buf *cuts, uint32_t *ret_n_cuts) {
  if (!read_number(ret_n_cuts))
    return false;
  for (uint32_t i = 0; *ret_n_cuts != EVERY_CUT && i < *ret_n_cuts; i++) {
    uint32_t cut = 0;
    if (!read_number(&cut) || kr_buf_append(cuts, kr_str_from(&cut, sizeof(cut))) != KR_OK)
      return false;
  }
  return true;
}

static bool answer_text(kr_redact_set *set) {
  KR_CLEANUP(kr_buf_done) kr_buf request = KR_BUF_INIT(BYTES_MAX + 1, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf cuts = KR_BUF_INIT(BYTES_MAX, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(4 * BYTES_MAX, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf streamed = KR_BUF_INIT(4 * BYTES_MAX, NULL);
  uint32_t n_cuts = 0;
  uint32_t cut = 0;
  size_t most_held = 0;
  if (!read_bytes(&request) || !read_cuts(&cuts, &n_cuts) || set == NULL)
    return false;
  uint8_t *text = malloc(request.len == 0 ? 1 : request.len);
  if (text == NULL)
    return false;
  memcpy(text, request.ptr, request.len);
  const kr_str input = kr_str_from(text, request.len);
  verdict said = VERDICT_FAILED;
  if (kr_redact_bytes(set, input, NULL, &out, NULL) == KR_OK)
    said = compare_streams(set, input, (const uint32_t *)(const void *)cuts.ptr, n_cuts,
                           kr_buf_str(&out), &streamed, &cut, &most_held);
  free(text);
  return write_number(said) && write_bytes(kr_buf_str(&out)) &&
         write_bytes(kr_buf_str(&streamed)) && write_number(cut) &&
         write_number((uint32_t)most_held);
}

static bool answer_limited(const kr_redact_set *set) {
  KR_CLEANUP(kr_buf_done) kr_buf text = KR_BUF_INIT(BYTES_MAX + 1, NULL);
  uint32_t most = 0;
  if (!read_bytes(&text) || !read_number(&most) || set == NULL)
    return false;
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(strlen(BEFORE) + most, NULL);
  if (kr_buf_append(&out, KR_STR(BEFORE)) != KR_OK)
    return false;
  const kr_status status = kr_redact_bytes(set, kr_buf_str(&text), NULL, &out, NULL);
  return write_number(status == KR_OK      ? VERDICT_OK
                      : status == KR_LIMIT ? VERDICT_LIMIT
                                           : VERDICT_FAILED) &&
         write_bytes(kr_buf_str(&out));
}

int main(void) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  for (int request = getchar(); request != EOF; request = getchar()) {
    const bool is_answered = request == 'S'   ? answer_set(&set)
                             : request == 'T' ? answer_text(set)
                             : request == 'L' ? answer_limited(set)
                                              : false;
    if (!is_answered || fflush(stdout) != 0)
      return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
