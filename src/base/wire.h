/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h - the byte shapes of stored records: big-endian integers and
 * length-prefixed strings (u32 length, then the bytes). Formats that use them
 * are written down in docs/formats/. A reader never reads past its bytes: the
 * first short field sets is_bad, and every later read gives zeros.
 */
#ifndef KR_BASE_WIRE_H
#define KR_BASE_WIRE_H

#include "base/buf.h"

kr_status kr_wire_put_u8(kr_buf *out, uint8_t value) KR_MUST_USE;
kr_status kr_wire_put_u32(kr_buf *out, uint32_t value) KR_MUST_USE;
kr_status kr_wire_put_u64(kr_buf *out, uint64_t value) KR_MUST_USE;
kr_status kr_wire_put_str(kr_buf *out, kr_str bytes) KR_MUST_USE; /* KR_LIMIT over UINT32_MAX */

typedef struct kr_wire_reader {
  kr_str rest;
  bool is_bad;
} kr_wire_reader;

static inline kr_wire_reader kr_wire_reader_init(kr_str bytes) {
  return (kr_wire_reader){.rest = bytes, .is_bad = false};
}

uint8_t kr_wire_get_u8(kr_wire_reader *reader);
uint32_t kr_wire_get_u32(kr_wire_reader *reader);
uint64_t kr_wire_get_u64(kr_wire_reader *reader);
kr_str kr_wire_get_str(kr_wire_reader *reader);               /* borrowed from the bytes */
kr_str kr_wire_get_bytes(kr_wire_reader *reader, size_t len); /* exactly len bytes */

/** Everything was read and nothing was short. */
static inline bool kr_wire_is_end(const kr_wire_reader *reader) {
  return !reader->is_bad && reader->rest.len == 0;
}

#endif
