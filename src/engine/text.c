/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - kr_text, the owned text of the public interface, and the version. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/utf8.h"
#include "json/json.h"

#include <krosyn/krosyn.h>
#include <stdlib.h>

#define KR_TEXT_FIRST_BYTES 256u

const char *kr_version(void) { return KR_VERSION; }

void kr_text_done(kr_text *text) {
  free(text->ptr);
  *text = (kr_text){0};
}

kr_status kr_text_append(kr_text *text, kr_str bytes) {
  size_t needed = 0;
  if (!kr_size_add(text->len, bytes.len, &needed) || !kr_size_add(needed, 1, &needed))
    return KR_LIMIT;
  if (needed > text->cap) {
    size_t cap = text->cap < KR_TEXT_FIRST_BYTES ? KR_TEXT_FIRST_BYTES : text->cap;
    while (cap < needed)
      cap = cap > SIZE_MAX / 2 ? needed : cap * 2;
    char *ptr = realloc(text->ptr, cap);
    if (ptr == NULL)
      return KR_NOMEM;
    text->ptr = ptr;
    text->cap = cap;
  }
  if (bytes.len > 0)
    memcpy(text->ptr + text->len, bytes.ptr, bytes.len);
  text->len += bytes.len;
  text->ptr[text->len] = '\0';
  return KR_OK;
}

/* Copy valid stretches; every byte that is not part of UTF-8 becomes U+FFFD. */
static kr_status kr_text_repair(kr_str bytes, kr_buf *out) {
  while (bytes.len > 0) {
    size_t valid = kr_utf8_check(bytes);
    KR_TRY(kr_buf_append(out, kr_str_slice(bytes, 0, valid)));
    bytes = kr_str_skip(bytes, valid);
    if (bytes.len == 0)
      break;
    KR_TRY(kr_buf_append(out, KR_STR("\xEF\xBF\xBD")));
    bytes = kr_str_skip(bytes, 1);
  }
  return KR_OK;
}

kr_status kr_text_append_json(kr_text *text, kr_str utf8) {
  KR_CLEANUP(kr_buf_done) kr_buf repaired = KR_BUF_INIT(SIZE_MAX / 8, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf escaped = KR_BUF_INIT(SIZE_MAX / 8, NULL);
  KR_TRY(kr_text_repair(utf8, &repaired));
  KR_TRY(kr_json_escape(kr_buf_str(&repaired), &escaped));
  KR_TRY(kr_text_append(text, KR_STR("\"")));
  KR_TRY(kr_text_append(text, kr_buf_str(&escaped)));
  return kr_text_append(text, KR_STR("\""));
}

void kr_text_position(kr_str text, size_t offset, size_t *ret_line, size_t *ret_column) {
  kr_line_column(text, offset, ret_line, ret_column);
}
