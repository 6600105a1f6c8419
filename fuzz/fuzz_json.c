/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_json.c - jansson agrees on whether it is JSON and on every value (where
 * jansson is installed); what parses can be written, parses again, and is then
 * written the same; a refusal says what and where.
 */
#include "fuzz.h"
#include "json/json.h"

#ifdef KR_FUZZ_HAS_JANSSON
#include "../tests/json/compare.h"

#include <stdio.h>

static void kr_fuzz_compare(kr_str text, kr_status status) {
  bool is_json = false;
  const char *difference = compare_document(text, &is_json);
  if (difference != NULL)
    fprintf(stderr, "%s\n", difference);
  KR_FUZZ_MUST(difference == NULL && is_json == (status == KR_OK));
}
#else
static void kr_fuzz_compare(kr_str text, kr_status status) {
  (void)text;
  (void)status;
}
#endif

#define ARENA_BYTES (64u * 1024u * 1024u)
#define TEXT_BYTES (16u * 1024u * 1024u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  kr_arena arena = KR_ARENA_INIT(ARENA_BYTES, NULL);
  kr_buf once = KR_BUF_INIT(TEXT_BYTES, NULL);
  kr_buf twice = KR_BUF_INIT(TEXT_BYTES, NULL);
  const kr_json *json = NULL;
  kr_error error = {0};
  kr_status status = kr_json_parse(kr_str_from(data, size), NULL, &arena, &json, &error);
  kr_fuzz_compare(kr_str_from(data, size), status);
  if (status == KR_OK) {
    KR_FUZZ_MUST(kr_json_write(json, &once) == KR_OK);
    KR_FUZZ_MUST(kr_json_parse(kr_buf_str(&once), NULL, &arena, &json, &error) == KR_OK);
    KR_FUZZ_MUST(kr_json_write(json, &twice) == KR_OK);
    KR_FUZZ_MUST(kr_str_equal(kr_buf_str(&once), kr_buf_str(&twice)));
  } else {
    KR_FUZZ_MUST(error.status == status && error.message[0] != '\0');
    KR_FUZZ_MUST(error.span_offset <= size);
  }
  kr_buf_done(&once);
  kr_buf_done(&twice);
  kr_arena_done(&arena);
  return 0;
}
