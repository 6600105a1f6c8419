/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emit_run.c - the common case of a render, without ceremony: a run of
 * literals and references whose values need no care. Position in the output
 * and fuel are kept in registers; nothing here can fail. Whatever is not plain
 * - a missing path, an accessor, a mark, a byte to escape, a buffer to grow,
 * fuel at its end - ends the run before its instruction, and the loop of vm.c
 * does that one in full. So each check stands in one place there, and here
 * only the proof that it would pass:
 *
 *   room    out + length <= last: capacity less the slack of copy.h, and the limit of the sink
 *   fuel    1 per instruction and step, 1 per 32 bytes, as in vm.c and resolve.c
 *   marks   slots without secrets only; so there are no spans to write
 *   escape  every byte of the value is one that its context leaves as it is; in JSON,
 *           whose escaper is the one most used, any UTF-8 where there is room for the worst
 */
#include "base/utf8.h"
#include "vm/copy.h"
#include "vm/vm.h"
#include "json/scan.h"

/*
 * In which contexts a byte stands as it is, whatever is around it. URL: RFC
 * 3986 unreserved; FORM: WHATWG urlencoded; XML: printable ASCII but `& < > " '`;
 * HEADER: printable ASCII. Controls, DEL and what is not ASCII: in none.
 */
#define KR_PLAIN_URL 1u
#define KR_PLAIN_FORM 2u
#define KR_PLAIN_XML 4u
#define KR_PLAIN_HEADER 8u

/* clang-format off */
static const uint8_t kr_plain[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    12, 12, 8, 12, 12, 12, 8, 8, 12, 12, 14, 12, 12, 15, 15, 12, /* blank */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 12, 12, 8, 12, 8, 12, /* 0 */
    12, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* @ */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 12, 12, 12, 12, 15, /* P */
    12, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* ` */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 12, 12, 12, 13, 0, /* p */
};
/* clang-format on */

__attribute__((noinline)) static bool kr_run_copy_plain(uint8_t *out, kr_str text, uint8_t bit) {
  uint8_t all = bit;
  for (size_t i = 0; i < text.len; i++) {
    out[i] = text.ptr[i];
    all &= kr_plain[text.ptr[i]];
  }
  return all != 0;
}

#define KR_RUN_NOT_PLAIN SIZE_MAX
#define KR_RUN_ESCAPED 6u /* bytes of the longest escape of one byte: \u001f */

/* As kr_json_escape() writes it, with room for the worst; KR_RUN_NOT_PLAIN when not UTF-8. */
__attribute__((noinline)) static size_t kr_run_escape_json(uint8_t *out, kr_str text) {
  static const char digits[] = "0123456789abcdef";
  static const char letters[0x20] = {
      ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
  const uint8_t *start = out;
  const uint8_t *at = text.ptr;
  const uint8_t *end = text.ptr + text.len;
  for (;;) {
    const uint8_t *stop = kr_json_skip_ascii(at, end);
    kr_copy_exact(out, at, (size_t)(stop - at));
    out += stop - at;
    if (stop == end)
      return (size_t)(out - start);
    uint32_t point = 0;
    size_t len = 1;
    if (*stop >= 0x80) {
      len = kr_utf8_decode(kr_str_from(stop, (size_t)(end - stop)), &point);
      if (len == 0)
        return KR_RUN_NOT_PLAIN;
      kr_copy_exact(out, stop, len);
      out += len;
    } else if (*stop >= 0x20 || letters[*stop] != 0) {
      *out++ = '\\';
      *out++ = *stop >= 0x20 ? *stop : (uint8_t)letters[*stop];
    } else {
      memcpy(out, "\\u00", 4);
      out[4] = (uint8_t)digits[*stop >> 4];
      out[5] = (uint8_t)digits[*stop & 15];
      out += KR_RUN_ESCAPED;
    }
    at = stop + len;
  }
}

/* Plain in one go, else escaped where there is room for the worst. */
static inline size_t kr_run_json(uint8_t *out, const uint8_t *last, kr_str text) {
  if (kr_copy_json(out, text.ptr, text.len))
    return text.len;
  if (text.len * KR_RUN_ESCAPED + 2 > (size_t)(last - out))
    return KR_RUN_NOT_PLAIN;
  return kr_run_escape_json(out, text);
}

/* Bytes written for a string or number, or KR_RUN_NOT_PLAIN. There is room for two more than it
 * has. */
static inline size_t kr_run_value(kr_context context, uint8_t *out, const uint8_t *last,
                                  kr_str text, bool is_number) {
  size_t len = 0;
  switch (context) {
  case KR_CONTEXT_TEXT:
    kr_copy_exact(out, text.ptr, text.len);
    return text.len;
  case KR_CONTEXT_JSON_STRING:
    return kr_run_json(out, last, text);
  case KR_CONTEXT_JSON_VALUE:
  case KR_CONTEXT_VALUE:
    if (is_number) {
      kr_copy_exact(out, text.ptr, text.len);
      return text.len;
    }
    out[0] = '"';
    len = kr_run_json(out + 1, last, text);
    if (len == KR_RUN_NOT_PLAIN)
      return KR_RUN_NOT_PLAIN;
    out[len + 1] = '"';
    return len + 2;
  case KR_CONTEXT_URL_PATH:
  case KR_CONTEXT_URL_QUERY:
  case KR_CONTEXT_QUERY:
    return kr_run_copy_plain(out, text, KR_PLAIN_URL) ? text.len : KR_RUN_NOT_PLAIN;
  case KR_CONTEXT_FORM:
    return kr_run_copy_plain(out, text, KR_PLAIN_FORM) ? text.len : KR_RUN_NOT_PLAIN;
  case KR_CONTEXT_XML_TEXT:
  case KR_CONTEXT_XML_ATTRIBUTE:
    return kr_run_copy_plain(out, text, KR_PLAIN_XML) ? text.len : KR_RUN_NOT_PLAIN;
  case KR_CONTEXT_HEADER:
    return kr_run_copy_plain(out, text, KR_PLAIN_HEADER) ? text.len : KR_RUN_NOT_PLAIN;
  default:
    return KR_RUN_NOT_PLAIN;
  }
}

/* Where output must end so that every copy stays in the buffer and in the limit of the sink. */
static const uint8_t *kr_run_last(const kr_vm *vm, const kr_buf *buf) {
  size_t room = buf->cap < KR_COPY_SLACK ? 0 : buf->cap - KR_COPY_SLACK;
  if (room > vm->output_limit)
    room = vm->output_limit;
  return buf->ptr + (room < buf->len ? buf->len : room);
}

uint32_t kr_vm_emit_run(kr_vm *vm, uint32_t pc) {
  const kr_program *program = vm->program;
  const kr_instruction *in = program->code + pc;
  kr_buf *buf = &vm->rendered->buf;
  if (buf->cap < KR_COPY_SLACK || buf->len > buf->cap - KR_COPY_SLACK)
    return pc;
  const uint8_t *last = kr_run_last(vm, buf);
  uint8_t *out = buf->ptr + buf->len;
  for (;; in++) {
    if (in->op == KR_OP_EMIT_LITERAL) {
      size_t len = in->b;
      uint32_t cost = 1 + (uint32_t)len / 32;
      if (len > (size_t)(last - out) || cost > vm->fuel)
        break;
      vm->fuel -= cost;
      kr_copy_padded(out, program->pool.ptr + in->c, len);
      out += len;
      continue;
    }
    if (in->op != KR_OP_EMIT_SLOT)
      break;
    const kr_json *tree = kr_vm_tree(vm, in->c);
    if (tree == NULL || program->slots[in->c].secrets != 0 ||
        (tree->type != KR_JSON_STRING && tree->type != KR_JSON_NUMBER))
      break;
    size_t len = tree->count;
    uint32_t cost = 1 + (uint32_t)(len / 32);
    if (len + 2 > (size_t)(last - out) || cost > vm->fuel)
      break;
    size_t written = kr_run_value((kr_context)in->a, out, last, kr_str_from(tree->text, len),
                                  tree->type == KR_JSON_NUMBER);
    if (written == KR_RUN_NOT_PLAIN)
      break;
    vm->fuel -= cost;
    out += written;
  }
  buf->len = (size_t)(out - buf->ptr);
  return (uint32_t)(in - program->code);
}

bool kr_vm_emit_plain(kr_vm *vm, kr_context context, const kr_value *value) {
  kr_buf *buf = &vm->rendered->buf;
  bool is_number = value->type == KR_VALUE_NUMBER;
  size_t len = value->count;
  if ((value->type != KR_VALUE_STRING && !is_number) || value->secrets != 0 || value->n_parts > 0 ||
      value->is_unknown || buf->cap < KR_COPY_SLACK || len / 32 > vm->fuel)
    return false;
  const uint8_t *last = kr_run_last(vm, buf);
  uint8_t *out = buf->ptr + buf->len;
  if (buf->len > buf->cap - KR_COPY_SLACK || len + 2 > (size_t)(last - out))
    return false;
  size_t written = kr_run_value(context, out, last, kr_value_text(value), is_number);
  if (written == KR_RUN_NOT_PLAIN)
    return false;
  vm->fuel -= (uint32_t)(len / 32);
  buf->len += written;
  return true;
}
