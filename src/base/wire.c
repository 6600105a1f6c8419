/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - big-endian fields; see wire.h. */
#include "base/wire.h"

static void kr_wire_store(uint8_t *out, uint64_t value, size_t n_bytes) {
  for (size_t i = 0; i < n_bytes; i++)
    out[i] = (uint8_t)(value >> (8 * (n_bytes - 1 - i)));
}

kr_status kr_wire_put_u8(kr_buf *out, uint8_t value) { return kr_buf_byte(out, value); }

kr_status kr_wire_put_u32(kr_buf *out, uint32_t value) {
  uint8_t bytes[4];
  kr_wire_store(bytes, value, sizeof bytes);
  return kr_buf_append(out, kr_str_from(bytes, sizeof bytes));
}

kr_status kr_wire_put_u64(kr_buf *out, uint64_t value) {
  uint8_t bytes[8];
  kr_wire_store(bytes, value, sizeof bytes);
  return kr_buf_append(out, kr_str_from(bytes, sizeof bytes));
}

kr_status kr_wire_put_str(kr_buf *out, kr_str bytes) {
  if (bytes.len > UINT32_MAX)
    return KR_LIMIT;
  KR_TRY(kr_buf_reserve(out, bytes.len + 4));
  KR_TRY(kr_wire_put_u32(out, (uint32_t)bytes.len));
  return kr_buf_append(out, bytes);
}

kr_str kr_wire_get_bytes(kr_wire_reader *reader, size_t len) {
  if (reader->is_bad || len > reader->rest.len) {
    reader->is_bad = true;
    return (kr_str){0};
  }
  kr_str bytes = kr_str_slice(reader->rest, 0, len);
  reader->rest = kr_str_skip(reader->rest, len);
  return bytes;
}

static uint64_t kr_wire_get(kr_wire_reader *reader, size_t n_bytes) {
  kr_str bytes = kr_wire_get_bytes(reader, n_bytes);
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.len; i++)
    value = value << 8 | bytes.ptr[i];
  return value;
}

uint8_t kr_wire_get_u8(kr_wire_reader *reader) { return (uint8_t)kr_wire_get(reader, 1); }
uint32_t kr_wire_get_u32(kr_wire_reader *reader) { return (uint32_t)kr_wire_get(reader, 4); }
uint64_t kr_wire_get_u64(kr_wire_reader *reader) { return kr_wire_get(reader, 8); }

kr_str kr_wire_get_str(kr_wire_reader *reader) {
  uint32_t len = kr_wire_get_u32(reader);
  return kr_wire_get_bytes(reader, len);
}
