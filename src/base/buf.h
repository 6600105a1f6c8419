/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.h - growing output with a ceiling. A kr_buf never grows past its limit:
 * an append that would is KR_LIMIT and changes nothing. On sensitive memory
 * every outgrown block is wiped before it is released.
 *
 * Invariant: len <= cap, cap <= limit, ptr == NULL iff cap == 0.
 */
#ifndef KR_BASE_BUF_H
#define KR_BASE_BUF_H

#include "base/memory.h"
#include "base/status.h"
#include "base/str.h"

typedef struct kr_buf {
  uint8_t *ptr;
  size_t len;
  size_t cap;
  size_t limit;
  const kr_allocator *memory; /* NULL: the heap */
} kr_buf;

/** An empty buffer that may grow to limit_bytes; memory NULL is the heap. */
#define KR_BUF_INIT(limit_bytes, allocator)                                                        \
  ((kr_buf){.ptr = NULL, .len = 0, .cap = 0, .limit = (limit_bytes), .memory = (allocator)})

/** Release (and on sensitive memory wipe); the buffer is empty and usable again. */
void kr_buf_done(kr_buf *buf);

/** Forget the contents, keep the memory; wipes what was used on sensitive memory. */
void kr_buf_reset(kr_buf *buf);

/** Make room for extra more bytes. KR_LIMIT, KR_NOMEM. */
kr_status kr_buf_reserve(kr_buf *buf, size_t extra) KR_MUST_USE;

/** What kr_buf_append() does when there is no room yet. */
kr_status kr_buf_append_grown(kr_buf *buf, kr_str bytes) KR_MUST_USE;

KR_MUST_USE static inline kr_status kr_buf_append(kr_buf *buf, kr_str bytes) {
  if (bytes.len == 0)
    return KR_OK;
  if (buf->ptr == NULL || bytes.len > buf->cap - buf->len)
    return kr_buf_append_grown(buf, bytes);
  if (bytes.len <= KR_COPY_BYTES)
    memcpy(buf->ptr + buf->len, bytes.ptr, bytes.len);
  else
    kr_copy(buf->ptr + buf->len, bytes.ptr, bytes.len);
  buf->len += bytes.len;
  return KR_OK;
}

KR_MUST_USE static inline kr_status kr_buf_byte(kr_buf *buf, uint8_t byte) {
  return kr_buf_append(buf, kr_str_from(&byte, 1));
}

/** printf into the buffer. Not for secrets (the heap sees the text). */
kr_status kr_buf_printf(kr_buf *buf, const char *format, ...) KR_PRINTF(2, 3) KR_MUST_USE;

/** The contents; valid until the next change. */
static inline kr_str kr_buf_str(const kr_buf *buf) { return kr_str_from(buf->ptr, buf->len); }

/** Describe a failed append: names the limit and the place ("request body"). */
kr_status kr_buf_explain(const kr_buf *buf, kr_status status, const char *what, kr_error *reterr);

#endif
