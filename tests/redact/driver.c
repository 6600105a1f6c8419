/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.c - the redactor on a pipe, for reference.py: cases on stdin, outputs on stdout.
 *
 *   case:   count of values, then each value, then the text; count and lengths are
 *           4 bytes little-endian, each byte string is its length and its bytes
 *   answer: length and bytes of the one-shot output, after a stream gave the same
 */
#include "redact/naive.h"

#include <stdio.h>
#include <stdlib.h>

#define VALUES_MAX 16
#define BYTES_MAX (1u << 20)

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
  buf->len = 0;
  if (!read_number(&len) || len > BYTES_MAX || kr_buf_reserve(buf, len + 1) != KR_OK)
    return false;
  buf->len = len;
  return fread(buf->ptr, 1, len, stdin) == len;
}

static kr_status collect(void *ctx, kr_str bytes) { return kr_buf_append(ctx, bytes); }

static kr_status stream(kr_redact_set *set, kr_str text, size_t step, kr_buf *out) {
  KR_CLEANUP(kr_redact_stream_freep) kr_redact_stream *feeding = NULL;
  KR_TRY(kr_redact_stream_new(set, NULL, collect, out, &feeding, NULL));
  for (size_t at = 0; at < text.len; at += step)
    KR_TRY(kr_redact_stream_feed(feeding, kr_str_slice(text, at, at + step)));
  return kr_redact_stream_finish(feeding);
}

static bool answer(kr_redact_set *set, kr_str text) {
  KR_CLEANUP(kr_buf_done) kr_buf out = KR_BUF_INIT(16 * BYTES_MAX, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf streamed = KR_BUF_INIT(16 * BYTES_MAX, NULL);
  if (kr_redact_bytes(set, text, NULL, &out, NULL) != KR_OK ||
      stream(set, text, 1 + text.len % 7, &streamed) != KR_OK ||
      !kr_str_equal(kr_buf_str(&out), kr_buf_str(&streamed)))
    return false;
  uint8_t len[4] = {(uint8_t)out.len, (uint8_t)(out.len >> 8), (uint8_t)(out.len >> 16),
                    (uint8_t)(out.len >> 24)};
  return fwrite(len, 1, sizeof(len), stdout) == sizeof(len) &&
         fwrite(out.ptr == NULL ? len : out.ptr, 1, out.len, stdout) == out.len;
}

static bool run_case(uint32_t n_values) {
  KR_CLEANUP(kr_buf_done) kr_buf bytes = KR_BUF_INIT(2 * BYTES_MAX, NULL);
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  if (n_values > VALUES_MAX || kr_redact_builder_new(&builder, NULL) != KR_OK)
    return false;
  for (uint32_t i = 0; i < n_values; i++)
    if (!read_bytes(&bytes) ||
        kr_redact_builder_add(builder, KR_STR("V"), i, kr_buf_str(&bytes), NULL) != KR_OK)
      return false;
  return read_bytes(&bytes) && kr_redact_builder_build(builder, &set, NULL) == KR_OK &&
         answer(set, kr_buf_str(&bytes));
}

int main(void) {
  uint32_t n_values = 0;
  while (read_number(&n_values))
    if (!run_case(n_values))
      return EXIT_FAILURE;
  return EXIT_SUCCESS;
}
