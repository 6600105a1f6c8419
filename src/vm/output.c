/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.c - marked bytes. A value is written piece by piece: what lies
 * between its parts, then each part with a span of its own, so that the span
 * covers exactly the escaped form of the part. The same writer fills the
 * output of a render and the work buffer of functions.
 */
#include "vm/vm.h"

#include "base/assert.h"

#include <stdlib.h>

/* A span from `start` to the end of the bytes, with the origin of a part. */
static kr_status kr_output_mark(kr_rendered *out, size_t start, const kr_span *part,
                                uint8_t context) {
  KR_TRY(kr_rendered_reserve_spans(out, 1));
  kr_span span = *part;
  span.offset = (uint32_t)start;
  span.len = (uint32_t)(out->buf.len - start);
  span.context = context;
  out->spans[out->n_spans++] = span;
  return KR_OK;
}

static kr_status kr_output_explain(kr_vm *vm, kr_rendered *out, kr_status status) {
  if (status == KR_LIMIT && out->n_spans == KR_LIMIT_SPANS)
    return kr_vm_fail(vm, KR_LIMIT, KR_E_SPANS,
                      "more than %u stretches of one text come from a secret", KR_LIMIT_SPANS);
  if (status == KR_LIMIT && out != &vm->work) /* a condition has no output */
    return kr_vm_fail(vm, KR_LIMIT, KR_E_OUTPUT_BYTES, "the output is longer than %zu bytes",
                      vm->output_limit);
  if (status == KR_LIMIT)
    return kr_vm_fail(vm, KR_LIMIT, KR_E_STRING_BYTES, "a string is longer than %u bytes",
                      KR_LIMIT_STRING_BYTES);
  return status == KR_NOMEM ? kr_fail_nomem(vm->reterr) : status;
}

static kr_status kr_output_refuse(kr_vm *vm, kr_context context, const kr_value *value) {
  /* In a preview there is no value that could be the cause. */
  if (value->secrets != 0 && !kr_vm_is_preview(vm))
    return kr_vm_refuse_secret(vm, value->secrets, kr_context_name((uint8_t)context));
  return kr_vm_fail(vm, KR_INVALID, kr_escape_code(context),
                    "this value cannot stand in a %s: it holds a character that is refused there",
                    kr_context_name((uint8_t)context));
}

static kr_status kr_output_derived(kr_vm *vm, kr_secret_set secrets, kr_str raw, kr_str emitted) {
  const kr_derived_sink *derived = vm->input->derived;
  if (derived == NULL || kr_vm_is_preview(vm) || kr_str_equal(raw, emitted))
    return KR_OK;
  return derived->add(derived->ctx, secrets, KR_DERIVED_EMITTED, emitted);
}

static kr_status kr_output_part(kr_vm *vm, kr_rendered *out, const kr_escape *escape,
                                const kr_span *part) {
  size_t start = out->buf.len;
  kr_str raw = kr_str_slice(escape->whole, part->offset, (size_t)part->offset + part->len);
  kr_status status =
      part->context == KR_PART_OPAQUE
          ? kr_buf_append(&out->buf, raw)
          : kr_escape_chunk(escape, part->offset, (size_t)part->offset + part->len, &out->buf);
  if (status != KR_OK)
    return status;
  bool is_output = out == vm->rendered;
  if (part->secrets == 0) {
    out->is_partial = true;
    /* in a string being built, the opaque stretch must stay known */
    return is_output ? KR_OK : kr_output_mark(out, start, part, part->context);
  }
  KR_TRY(kr_output_mark(out, start, part, is_output ? (uint8_t)escape->context : part->context));
  kr_str emitted = kr_str_skip(kr_buf_str(&out->buf), start);
  return is_output ? kr_output_derived(vm, part->secrets, raw, emitted) : KR_OK;
}

/* Contexts that refuse single characters, so that each stretch can be judged by itself. */
static bool kr_output_is_charwise(kr_context context) {
  switch (context) {
  case KR_CONTEXT_HEADER:
  case KR_CONTEXT_JSON_STRING:
  case KR_CONTEXT_JSON_VALUE:
  case KR_CONTEXT_JSON_KEY:
  case KR_CONTEXT_VALUE:
  case KR_CONTEXT_XML_TEXT:
  case KR_CONTEXT_XML_ATTRIBUTE:
  case KR_CONTEXT_RAW:
    return true;
  default:
    return false;
  }
}

/* In a preview what stands for a value is not judged, what is known beside it is. */
static bool kr_output_accepts(const kr_escape *escape, const kr_value *value) {
  bool is_opaque = value->is_unknown;
  for (uint32_t i = 0; i < value->n_parts && !is_opaque; i++)
    is_opaque = value->parts[i].context == KR_PART_OPAQUE;
  if (!is_opaque)
    return kr_escape_accepts(escape);
  if (value->n_parts == 0 || !kr_output_is_charwise(escape->context))
    return true;
  kr_escape known = *escape;
  size_t at = 0;
  for (uint32_t i = 0; i <= value->n_parts; i++) {
    bool is_last = i == value->n_parts;
    if (!is_last && value->parts[i].context != KR_PART_OPAQUE)
      continue;
    size_t end = is_last ? escape->whole.len : value->parts[i].offset;
    known.whole = kr_str_slice(escape->whole, at, end);
    if (!kr_escape_accepts(&known))
      return false;
    at = is_last ? end : (size_t)value->parts[i].offset + value->parts[i].len;
  }
  return true;
}

/* A string value, escaped, with spans for its parts. */
static kr_status kr_output_string(kr_vm *vm, kr_rendered *out, kr_context context,
                                  const kr_value *value) {
  kr_str text = kr_value_text(value);
  kr_escape escape = {
      .context = context, .is_secret = value->secrets != 0 && !value->is_untrusted, .whole = text};
  KR_TRY(kr_vm_spend(vm, text.len));
  if (!kr_output_accepts(&escape, value))
    return kr_output_refuse(vm, context, value);
  size_t at = 0;
  kr_status status = KR_OK;
  for (uint32_t i = 0; i < value->n_parts && status == KR_OK; i++) {
    const kr_span *part = &value->parts[i];
    status = kr_escape_chunk(&escape, at, part->offset, &out->buf);
    if (status == KR_OK)
      status = kr_output_part(vm, out, &escape, part);
    at = (size_t)part->offset + part->len;
  }
  if (status == KR_OK)
    status = kr_escape_chunk(&escape, at, text.len, &out->buf);
  if (status == KR_INVALID)
    return kr_output_refuse(vm, context, value);
  return kr_output_explain(vm, out, status);
}

/* Strings of a marked tree have no parts of their own: all of each is marked. */
static kr_value kr_output_whole_part(const kr_value *value, kr_span *part) {
  kr_value marked = *value;
  if (value->secrets == 0 || value->n_parts > 0)
    return marked;
  *part = (kr_span){.len = value->count, .secrets = value->secrets};
  marked.parts = part;
  marked.n_parts = 1;
  return marked;
}

/* The text that stands for an unknown value is never escaped. */
static kr_value kr_output_unknown(const kr_value *value, kr_span *part) {
  kr_value string = *value;
  *part = (kr_span){.len = value->count, .context = KR_PART_OPAQUE};
  string.type = KR_VALUE_STRING;
  string.parts = part;
  string.n_parts = 1;
  return string;
}

static kr_status kr_output_bytes(kr_vm *vm, kr_rendered *out, kr_str bytes) {
  return kr_output_explain(vm, out, kr_buf_append(&out->buf, bytes));
}

static kr_status kr_output_json(kr_vm *vm, kr_rendered *out, kr_context context,
                                const kr_value *value);

static kr_status kr_output_json_string(kr_vm *vm, kr_rendered *out, kr_context context,
                                       const kr_value *value) {
  kr_span part;
  kr_value marked = kr_output_whole_part(value, &part);
  KR_TRY(kr_output_bytes(vm, out, KR_STR("\"")));
  KR_TRY(kr_output_string(vm, out, context, &marked));
  return kr_output_bytes(vm, out, KR_STR("\""));
}

static kr_status kr_output_json_container(kr_vm *vm, kr_rendered *out, kr_context context,
                                          const kr_value *value) {
  bool is_array = kr_value_is_array(value);
  KR_TRY(kr_output_bytes(vm, out, is_array ? KR_STR("[") : KR_STR("{")));
  for (uint32_t i = 0; i < value->count; i++) {
    KR_TRY(kr_vm_spend(vm, 32));
    if (i > 0)
      KR_TRY(kr_output_bytes(vm, out, KR_STR(",")));
    kr_value item;
    if (is_array) {
      item = kr_value_item(value, i);
    } else {
      kr_pair pair = kr_value_member(value, i);
      kr_value key = kr_value_string(pair.key);
      KR_TRY(kr_output_json_string(vm, out, context, &key));
      KR_TRY(kr_output_bytes(vm, out, KR_STR(":")));
      item = pair.value;
    }
    KR_TRY(kr_output_json(vm, out, context, &item));
  }
  return kr_output_bytes(vm, out, is_array ? KR_STR("]") : KR_STR("}"));
}

/* Recursion is bounded by the depth of data and of programs. */
static kr_status kr_output_json(kr_vm *vm, kr_rendered *out, kr_context context,
                                const kr_value *value) {
  uint8_t digits[KR_VALUE_INT_BYTES];
  /* A mark lies inside the quotes of a text, so what is none could not be redacted. */
  if (value->is_decided && value->type != KR_VALUE_STRING)
    return kr_vm_refuse_secret(vm, value->secrets, kr_context_name((uint8_t)context));
  switch (value->type) {
  case KR_VALUE_MISSING:
  case KR_VALUE_NULL:
    return kr_output_bytes(vm, out, KR_STR("null"));
  case KR_VALUE_FALSE:
    return kr_output_bytes(vm, out, KR_STR("false"));
  case KR_VALUE_TRUE:
    return kr_output_bytes(vm, out, KR_STR("true"));
  case KR_VALUE_INT:
    return kr_output_bytes(vm, out,
                           kr_str_from(digits, kr_value_format_int(value->integer, digits)));
  case KR_VALUE_NUMBER:
    KR_TRY(kr_vm_spend(vm, value->count));
    return kr_output_bytes(vm, out, kr_value_text(value));
  case KR_VALUE_STRING:
  case KR_VALUE_UNKNOWN: {
    kr_span part;
    kr_value string = *value;
    if (value->type == KR_VALUE_UNKNOWN)
      string = kr_output_unknown(value, &part);
    return kr_output_json_string(vm, out, context, &string);
  }
  default:
    return kr_output_json_container(vm, out, context, value);
  }
}

void kr_vm_build_begin(kr_vm *vm) {
  kr_buf_reset(&vm->work.buf);
  vm->work.n_spans = 0;
  vm->work.is_partial = false;
}

kr_status kr_vm_build_bytes(kr_vm *vm, kr_str bytes) {
  KR_TRY(kr_vm_spend_piece(vm, bytes.len));
  return kr_output_bytes(vm, &vm->work, bytes);
}

kr_status kr_vm_build_reserve(kr_vm *vm, size_t n_bytes) {
  return kr_output_explain(vm, &vm->work, kr_buf_reserve(&vm->work.buf, n_bytes));
}

kr_status kr_vm_build_value(kr_vm *vm, const kr_value *string) {
  kr_span part;
  kr_value marked = kr_output_whole_part(string, &part);
  if (string->type == KR_VALUE_UNKNOWN)
    marked = kr_output_unknown(string, &part);
  return kr_output_string(vm, &vm->work, KR_CONTEXT_TEXT, &marked);
}

kr_status kr_vm_build_take(kr_vm *vm, kr_value *ret_string) {
  kr_str bytes = kr_buf_str(&vm->work.buf);
  void *copy = NULL;
  void *parts = NULL;
  KR_TRY(kr_vm_alloc(vm, bytes.len, &copy));
  if (bytes.len > 0)
    memcpy(copy, bytes.ptr, bytes.len);
  *ret_string = kr_value_string(kr_str_from(copy, bytes.len));
  ret_string->is_unknown = vm->work.is_partial;
  if (vm->work.n_spans == 0)
    return KR_OK;
  size_t parts_bytes = vm->work.n_spans * sizeof(kr_span);
  KR_TRY(kr_vm_alloc(vm, parts_bytes, &parts));
  memcpy(parts, vm->work.spans, parts_bytes);
  ret_string->parts = parts;
  ret_string->n_parts = vm->work.n_spans;
  for (uint32_t i = 0; i < vm->work.n_spans; i++)
    ret_string->secrets |= vm->work.spans[i].secrets;
  return KR_OK;
}

/* The escape of a value written into a work string is JSON's own; its span keeps the part. */
kr_status kr_vm_to_json(kr_vm *vm, const kr_value *value, kr_value *ret_string) {
  kr_vm_build_begin(vm);
  KR_TRY(kr_output_json(vm, &vm->work, KR_CONTEXT_JSON_VALUE, value));
  KR_TRY(kr_vm_build_take(vm, ret_string));
  ret_string->is_untrusted = value->is_untrusted;
  ret_string->secrets |= value->secrets;
  return KR_OK;
}

static bool kr_output_takes_containers(kr_context context) {
  return context == KR_CONTEXT_TEXT || context == KR_CONTEXT_JSON_STRING;
}

static kr_status kr_output_scalar(kr_vm *vm, kr_context context, const kr_value *value) {
  kr_value string;
  kr_span part;
  if (value->type == KR_VALUE_UNKNOWN) {
    string = kr_output_unknown(value, &part);
  } else if ((kr_value_is_array(value) || kr_value_is_object(value)) &&
             kr_output_takes_containers(context)) {
    KR_TRY(kr_vm_to_json(vm, value, &string));
  } else {
    KR_TRY(kr_vm_to_text(vm, value, &string));
    string = kr_output_whole_part(&string, &part);
  }
  return kr_output_string(vm, vm->rendered, context, &string);
}

kr_status kr_vm_emit(kr_vm *vm, kr_context context, const kr_value *value, bool is_whole) {
  if (value->is_unknown || value->type == KR_VALUE_UNKNOWN)
    vm->rendered->is_partial = true;
  if (is_whole && value->type == KR_VALUE_NULL && !value->is_decided)
    vm->rendered->is_null = context == KR_CONTEXT_QUERY || context == KR_CONTEXT_VALUE;
  switch (context) {
  case KR_CONTEXT_QUERY:
    if (vm->rendered->is_null)
      return KR_OK;
    return kr_output_scalar(vm, context, value);
  case KR_CONTEXT_JSON_VALUE:
  case KR_CONTEXT_VALUE:
    return kr_output_json(vm, vm->rendered, context, value);
  case KR_CONTEXT_JSON_KEY:
    KR_TRY(kr_output_bytes(vm, vm->rendered, KR_STR("\"")));
    KR_TRY(kr_output_scalar(vm, context, value));
    return kr_output_bytes(vm, vm->rendered, KR_STR("\""));
  default:
    return kr_output_scalar(vm, context, value);
  }
}

kr_status kr_vm_check_output(kr_vm *vm) {
  if (vm->rendered->buf.len <= vm->output_limit)
    return KR_OK;
  return kr_output_explain(vm, vm->rendered, KR_LIMIT);
}

kr_status kr_vm_put_literal(kr_vm *vm, kr_str bytes) {
  KR_TRY(kr_vm_spend(vm, bytes.len));
  return kr_output_bytes(vm, vm->rendered, bytes);
}

static kr_secret_set kr_output_secrets_from(const kr_rendered *out, size_t start) {
  kr_secret_set secrets = 0;
  for (uint32_t i = out->n_spans; i-- > 0 && out->spans[i].offset + out->spans[i].len >= start;)
    secrets |= out->spans[i].secrets;
  return secrets;
}

static kr_status kr_output_bad_segment(kr_vm *vm, kr_str segment) {
  kr_secret_set secrets = kr_output_secrets_from(vm->rendered, vm->segment);
  if (secrets != 0)
    return kr_vm_refuse_secret(vm, secrets, "url path");
  if (segment.len > 0)
    return kr_vm_fail(vm, KR_INVALID, KR_E_DOT_SEGMENT, "a path segment becomes \".\" or \"..\"");
  return kr_vm_fail(vm, KR_INVALID, KR_E_EMPTY_SEGMENT, "a path segment becomes empty");
}

kr_status kr_vm_end_segment(kr_vm *vm) {
  kr_str path = kr_str_skip(kr_buf_str(&vm->rendered->buf), vm->segment);
  KR_TRY(kr_vm_spend(vm, path.len));
  size_t start = 0;
  for (size_t at = 0; at <= path.len; at++) {
    bool is_end = at == path.len || path.ptr[at] == '?' || path.ptr[at] == '#';
    if (!is_end && path.ptr[at] != '/')
      continue;
    kr_str segment = kr_str_slice(path, start, at);
    if (segment.len == 0 || kr_escape_is_dots(segment))
      return kr_output_bad_segment(vm, segment);
    if (is_end)
      break;
    start = at + 1;
  }
  return KR_OK;
}

static bool kr_output_is_blank(uint8_t byte) { return byte == ' ' || byte == '\t'; }

void kr_vm_trim_output(kr_rendered *out) {
  size_t end = out->buf.len;
  size_t start = 0;
  while (end > 0 && kr_output_is_blank(out->buf.ptr[end - 1]))
    end--;
  while (start < end && kr_output_is_blank(out->buf.ptr[start]))
    start++;
  if (start == 0 && end == out->buf.len)
    return;
  for (uint32_t i = 0; i < out->n_spans; i++) {
    kr_span *span = &out->spans[i];
    size_t from = span->offset;
    size_t to = from + span->len;
    from = from < start ? start : from > end ? end : from;
    to = to < from ? from : to > end ? end : to;
    span->offset = (uint32_t)(from - start);
    span->len = (uint32_t)(to - from);
  }
  memmove(out->buf.ptr, out->buf.ptr + start, end - start);
  kr_wipe(out->buf.ptr + (end - start), out->buf.len - (end - start));
  out->buf.len = end - start;
}
