/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functions_markup.c - escaping by hand, for texts inside texts: XML, HTML,
 * quoted strings of headers (RFC 9110, section 5.6.4), query strings.
 */
#include "vm/functions.h"

static kr_status kr_markup_explain(kr_vm *vm, kr_status status) {
  if (status == KR_LIMIT)
    return kr_vm_fail(vm, KR_LIMIT, KR_E_STRING_BYTES, "a string is longer than %u bytes",
                      KR_LIMIT_STRING_BYTES);
  return status == KR_NOMEM ? kr_fail_nomem(vm->reterr) : status;
}

static kr_status kr_markup_refuse(kr_vm *vm, const kr_value *arg, kr_code code, const char *place,
                                  const char *reason) {
  if (arg->secrets != 0)
    return kr_vm_refuse_secret(vm, arg->secrets, place);
  return kr_vm_fail(vm, KR_INVALID, code, "%s", reason);
}

kr_status kr_body_XML_ESCAPE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_escape escape = {.context = KR_CONTEXT_XML_TEXT, .whole = kr_value_text(&args[0])};
  if (!kr_escape_accepts(&escape))
    return kr_markup_refuse(vm, &args[0], KR_E_XML_VALUE, "xmlEscape",
                            "xmlEscape: XML cannot hold a character of this text");
  KR_TRY(kr_vm_spend(vm, escape.whole.len * 3));
  kr_vm_build_begin(vm);
  KR_TRY(kr_markup_explain(vm, kr_escape_chunk(&escape, 0, escape.whole.len, &vm->work.buf)));
  return kr_vm_build_take(vm, result);
}

static kr_str kr_markup_entity(uint8_t byte) {
  switch (byte) {
  case '&':
    return KR_STR("&amp;");
  case '<':
    return KR_STR("&lt;");
  case '>':
    return KR_STR("&gt;");
  case '"':
    return KR_STR("&quot;");
  case '\'':
    return KR_STR("&#39;");
  default:
    return (kr_str){0};
  }
}

kr_status kr_body_HTML_ESCAPE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_str text = kr_value_text(&args[0]);
  size_t from = 0;
  kr_vm_build_begin(vm);
  for (size_t at = 0; at < text.len; at++) {
    kr_str entity = kr_markup_entity(text.ptr[at]);
    if (entity.len == 0)
      continue;
    KR_TRY(kr_vm_build_bytes(vm, kr_str_slice(text, from, at)));
    KR_TRY(kr_vm_build_bytes(vm, entity));
    from = at + 1;
  }
  KR_TRY(kr_vm_build_bytes(vm, kr_str_skip(text, from)));
  return kr_vm_build_take(vm, result);
}

static bool kr_markup_is_control(kr_str text) {
  kr_escape escape = {.context = KR_CONTEXT_HEADER, .whole = text};
  return !kr_escape_accepts(&escape);
}

kr_status kr_body_QUOTED_STRING(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_str text = kr_value_text(&args[0]);
  size_t from = 0;
  if (kr_markup_is_control(text))
    return kr_markup_refuse(vm, &args[0], KR_E_HEADER_VALUE, "quotedString",
                            "quotedString: this text holds a line break or control character");
  kr_vm_build_begin(vm);
  KR_TRY(kr_vm_build_bytes(vm, KR_STR("\"")));
  for (size_t at = 0; at < text.len; at++) {
    if (text.ptr[at] != '"' && text.ptr[at] != '\\')
      continue;
    KR_TRY(kr_vm_build_bytes(vm, kr_str_slice(text, from, at)));
    KR_TRY(kr_vm_build_bytes(vm, KR_STR("\\")));
    from = at;
  }
  KR_TRY(kr_vm_build_bytes(vm, kr_str_skip(text, from)));
  KR_TRY(kr_vm_build_bytes(vm, KR_STR("\"")));
  return kr_vm_build_take(vm, result);
}

static kr_status kr_markup_encoded(kr_vm *vm, kr_str text) {
  kr_escape escape = {.context = KR_CONTEXT_URL_QUERY, .whole = text};
  KR_TRY(kr_vm_spend(vm, text.len * 3));
  return kr_markup_explain(vm, kr_escape_chunk(&escape, 0, text.len, &vm->work.buf));
}

/* One pair; a null is left out, like a null parameter of a request. */
static kr_status kr_markup_pair(kr_vm *vm, kr_str key, const kr_value *value) {
  kr_value text = {0};
  KR_TRY(kr_vm_spend(vm, 32));
  if (value->type == KR_VALUE_NULL || value->type == KR_VALUE_MISSING)
    return KR_OK;
  if (kr_value_is_array(value) || kr_value_is_object(value))
    return kr_vm_fail(vm, KR_INVALID, KR_E_NOT_SCALAR, "queryString: an %s cannot be a value",
                      kr_value_type_name(value));
  KR_TRY(kr_vm_to_text(vm, value, &text));
  if (vm->work.buf.len > 0)
    KR_TRY(kr_vm_build_bytes(vm, KR_STR("&")));
  KR_TRY(kr_markup_encoded(vm, key));
  KR_TRY(kr_vm_build_bytes(vm, KR_STR("=")));
  return kr_markup_encoded(vm, kr_value_text(&text));
}

/* Pairs in the order of the members; an array gives one pair for each item. */
kr_status kr_body_QUERY_STRING(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_vm_build_begin(vm);
  for (uint32_t i = 0; i < args[0].count; i++) {
    kr_pair pair = kr_value_member(&args[0], i);
    if (!kr_value_is_array(&pair.value)) {
      KR_TRY(kr_markup_pair(vm, pair.key, &pair.value));
      continue;
    }
    for (uint32_t j = 0; j < pair.value.count; j++) {
      kr_value item = kr_value_item(&pair.value, j);
      KR_TRY(kr_markup_pair(vm, pair.key, &item));
    }
  }
  return kr_vm_build_take(vm, result);
}
