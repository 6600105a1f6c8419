/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functions_decode.c - text of another alphabet back to what it says. What is
 * decoded may be any bytes; the place where it is written decides whether it
 * must be UTF-8. That a secret does not decode is said without saying why.
 */
#include "base/encode.h"
#include "crypto/crypto.h"
#include "vm/functions.h"

/* A malformed argument: of data with the reason, of a secret with its name only. */
static kr_status kr_decode_refuse(kr_vm *vm, const kr_value *arg, const char *function,
                                  const char *reason) {
  if (arg->secrets != 0)
    return kr_vm_refuse_secret(vm, arg->secrets, function);
  return kr_vm_fail(vm, KR_INVALID, KR_E_ARGUMENT, "%s: %s", function, reason);
}

kr_status kr_body_PARSE_JSON(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  const kr_json *json = NULL;
  kr_error error = {0};
  kr_status status = kr_json_parse(kr_value_text(&args[0]), NULL, &vm->arena, &json, &error);
  if (status == KR_NOMEM)
    return kr_fail_nomem(vm->reterr);
  if (status == KR_LIMIT)
    return kr_vm_fail(vm, KR_LIMIT, KR_E_SCRATCH, "parseJson: %s", error.message);
  if (status != KR_OK)
    return kr_vm_fail(vm, KR_INVALID, KR_E_ARGUMENT, "parseJson: %s, at byte %zu", error.message,
                      (size_t)error.span_offset);
  *result = kr_value_from_json(json, args[0].is_untrusted, args[0].secrets);
  return KR_OK;
}

/* Either alphabet, but not both in one text. */
kr_status kr_body_BASE64_DECODE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_str text = kr_value_text(&args[0]);
  bool is_url = kr_str_find(text, KR_STR("-"), 0) != SIZE_MAX ||
                kr_str_find(text, KR_STR("_"), 0) != SIZE_MAX;
  kr_vm_build_begin(vm);
  kr_status status =
      kr_base64_decode(text, is_url ? KR_BASE64_URL : KR_BASE64_STANDARD, &vm->work.buf);
  if (status == KR_INVALID)
    return kr_decode_refuse(vm, &args[0], "base64Decode", "this is not base64");
  if (status != KR_OK) /* shorter than its argument, so within every limit */
    return kr_fail_nomem(vm->reterr);
  return kr_vm_build_take(vm, result);
}

/* RFC 3986: a plus sign is a plus sign. */
kr_status kr_body_URL_DECODE(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_str text = kr_value_text(&args[0]);
  void *memory = NULL;
  size_t len = 0;
  KR_TRY(kr_vm_alloc(vm, text.len, &memory));
  uint8_t *out = memory;
  for (size_t at = 0; at < text.len; at++) {
    uint8_t byte = text.ptr[at];
    if (byte == '%') {
      int high = at + 2 < text.len ? kr_hex_digit(text.ptr[at + 1]) : -1;
      int low = at + 2 < text.len ? kr_hex_digit(text.ptr[at + 2]) : -1;
      if (high < 0 || low < 0)
        return kr_decode_refuse(vm, &args[0], "urlDecode", "two hex digits must follow %");
      byte = (uint8_t)(high * 16 + low);
      at += 2;
    }
    out[len++] = byte;
  }
  *result = kr_value_string(kr_str_from(out, len));
  return KR_OK;
}

#define KR_UUID_BYTES 16u
#define KR_UUID_COST 512u /* asking the system for random bytes is dear */

/* A UUIDv4 (RFC 9562, section 5.4): all random but version and variant. */
kr_status kr_body_UUID(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)args;
  (void)n_args;
  uint8_t bytes[KR_UUID_BYTES];
  const kr_random *random = vm->input->random;
  KR_TRY(kr_vm_spend(vm, KR_UUID_COST));
  KR_TRY(random == NULL ? kr_crypto_random(bytes, sizeof(bytes), vm->reterr)
                        : random->fill(random->ctx, bytes, sizeof(bytes), vm->reterr));
  bytes[6] = (uint8_t)((bytes[6] & 0x0F) | 0x40);
  bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);
  kr_vm_build_begin(vm);
  kr_status status = KR_OK;
  for (size_t i = 0; i < sizeof(bytes) && status == KR_OK; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      status = kr_buf_byte(&vm->work.buf, '-');
    if (status == KR_OK)
      status = kr_hex_encode(kr_str_from(&bytes[i], 1), &vm->work.buf);
  }
  if (status != KR_OK)
    return kr_fail_nomem(vm->reterr);
  return kr_vm_build_take(vm, result);
}
