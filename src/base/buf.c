/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - bounded growing buffer; doubles, and never past its limit. */
#include "base/buf.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>

#define KR_BUF_FIRST_BYTES 64

static const kr_allocator *kr_buf_memory(const kr_buf *buf) {
  return buf->memory == NULL ? kr_heap_memory() : buf->memory;
}

void kr_buf_done(kr_buf *buf) {
  if (buf->ptr != NULL)
    kr_buf_memory(buf)->release(buf->ptr, buf->cap);
  buf->ptr = NULL;
  buf->len = 0;
  buf->cap = 0;
}

void kr_buf_reset(kr_buf *buf) {
  if (kr_buf_memory(buf)->is_sensitive)
    kr_wipe(buf->ptr, buf->len);
  buf->len = 0;
}

kr_status kr_buf_reserve(kr_buf *buf, size_t extra) {
  KR_DEBUG_ASSERT(buf->len <= buf->cap && buf->cap <= buf->limit);
  if (extra <= buf->cap - buf->len)
    return KR_OK;
  if (extra > buf->limit - buf->len)
    return KR_LIMIT;
  size_t wanted = buf->len + extra;
  size_t cap = buf->cap < KR_BUF_FIRST_BYTES ? KR_BUF_FIRST_BYTES : buf->cap;
  while (cap < wanted)
    cap = cap > buf->limit / 2 ? buf->limit : cap * 2;
  if (cap > buf->limit)
    cap = buf->limit;
  uint8_t *ptr = kr_buf_memory(buf)->alloc(cap);
  if (ptr == NULL)
    return KR_NOMEM;
  if (buf->ptr != NULL) {
    memcpy(ptr, buf->ptr, buf->len);
    kr_buf_memory(buf)->release(buf->ptr, buf->cap);
  }
  buf->ptr = ptr;
  buf->cap = cap;
  return KR_OK;
}

kr_status kr_buf_append_grown(kr_buf *buf, kr_str bytes) {
  KR_TRY(kr_buf_reserve(buf, bytes.len));
  KR_ASSERT(buf->ptr != NULL); /* bytes.len is not 0, so there is room now */
  kr_copy(buf->ptr + buf->len, bytes.ptr, bytes.len);
  buf->len += bytes.len;
  return KR_OK;
}

/* vsnprintf needs a byte for its NUL; at the very limit there is none, so it goes elsewhere. */
static kr_status kr_buf_print_aside(kr_buf *buf, size_t len, const char *format, va_list args) {
  size_t size = len + 1;
  char *text = kr_buf_memory(buf)->alloc(size);
  if (text == NULL)
    return KR_NOMEM;
  (void)vsnprintf(text, size, format, args);
  kr_status status = kr_buf_append(buf, kr_str_from(text, len));
  kr_buf_memory(buf)->release(text, size);
  return status;
}

kr_status kr_buf_printf(kr_buf *buf, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int wanted = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (wanted < 0)
    return KR_INTERNAL;
  size_t len = (size_t)wanted;
  bool is_at_limit = len == buf->limit - buf->len;
  KR_TRY(kr_buf_reserve(buf, is_at_limit ? len : len + 1));
  va_start(args, format);
  kr_status status = KR_OK;
  if (is_at_limit)
    status = kr_buf_print_aside(buf, len, format, args);
  else
    (void)vsnprintf((char *)buf->ptr + buf->len, len + 1, format, args);
  va_end(args);
  if (status == KR_OK && !is_at_limit)
    buf->len += len;
  return status;
}

kr_status kr_buf_explain(const kr_buf *buf, kr_status status, const char *what, kr_error *reterr) {
  if (status == KR_OK)
    return KR_OK;
  if (status == KR_NOMEM)
    return kr_fail_nomem(reterr);
  if (status == KR_LIMIT)
    return kr_fail(reterr, KR_LIMIT, "%s exceeds its limit of %zu bytes", what, buf->limit);
  return kr_fail(reterr, status, "cannot build %s", what);
}
