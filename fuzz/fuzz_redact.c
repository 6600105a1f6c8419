/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_redact.c - streaming equals one shot for any split, and the second
 * search finds nothing in the output.
 *
 * Input: count of values (1 byte, mod 4, plus 1); for each its length (1 byte)
 * and bytes; the length of the first chunk (1 byte); the rest is the text, fed
 * in chunks of that length.
 */
#include "fuzz.h"
#include "redact/redact.h"

#include <stdio.h>

#define OUT_BYTES (16u * 1024u * 1024u)

static uint8_t kr_fuzz_byte(kr_str *input) {
  if (input->len == 0)
    return 0;
  uint8_t byte = input->ptr[0];
  *input = kr_str_skip(*input, 1);
  return byte;
}

static kr_str kr_fuzz_bytes(kr_str *input, size_t len) {
  kr_str bytes = kr_str_slice(*input, 0, len);
  *input = kr_str_skip(*input, bytes.len);
  return bytes;
}

static kr_redact_set *kr_fuzz_set(kr_str *input) {
  kr_redact_builder *builder = NULL;
  kr_redact_set *set = NULL;
  KR_FUZZ_MUST(kr_redact_builder_new(&builder, NULL) == KR_OK);
  unsigned count = kr_fuzz_byte(input) % 4u + 1u;
  for (unsigned i = 0; i < count; i++) {
    char name[16];
    snprintf(name, sizeof name, "VALUE_%u", i);
    kr_str value = kr_fuzz_bytes(input, kr_fuzz_byte(input));
    kr_status status = kr_redact_builder_add(builder, kr_str_cstr(name), 1, value, NULL);
    KR_FUZZ_MUST(status == KR_OK || status == KR_INVALID); /* empty or blank */
  }
  KR_FUZZ_MUST(kr_redact_builder_build(builder, &set, NULL) == KR_OK);
  kr_redact_builder_free(builder);
  return set;
}

static kr_status kr_fuzz_write(void *ctx, kr_str bytes) { return kr_buf_append(ctx, bytes); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  kr_str input = kr_str_from(data, size);
  kr_redact_set *set = kr_fuzz_set(&input);
  size_t chunk = kr_fuzz_byte(&input) % 32u + 1u;
  kr_buf whole = KR_BUF_INIT(OUT_BYTES, NULL);
  kr_buf split = KR_BUF_INIT(OUT_BYTES, NULL);
  kr_redact_stream *stream = NULL;
  KR_FUZZ_MUST(kr_redact_bytes(set, input, NULL, &whole, NULL) == KR_OK);
  KR_FUZZ_MUST(kr_redact_stream_new(set, NULL, kr_fuzz_write, &split, &stream, NULL) == KR_OK);
  while (input.len > 0)
    KR_FUZZ_MUST(kr_redact_stream_feed(stream, kr_fuzz_bytes(&input, chunk)) == KR_OK);
  KR_FUZZ_MUST(kr_redact_stream_finish(stream) == KR_OK);
  KR_FUZZ_MUST(kr_str_equal(kr_buf_str(&whole), kr_buf_str(&split)));
  KR_FUZZ_MUST(kr_redact_verify(set, kr_buf_str(&whole)));
  kr_redact_stream_free(stream);
  kr_redact_set_free(set);
  kr_buf_done(&whole);
  kr_buf_done(&split);
  return 0;
}
