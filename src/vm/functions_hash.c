/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functions_hash.c - digests and what is built from credentials. Digests leave
 * the stack wiped: under a guessable message they tell something about a key.
 */
#include "base/encode.h"
#include "crypto/crypto.h"
#include "vm/functions.h"

#define KR_HASH_BYTES 32u
#define KR_HASH_COST 256u /* bytes: setting up a digest is dear, however short the text */

static kr_status kr_hash_text(kr_vm *vm, const uint8_t digest[KR_HASH_BYTES], kr_str encoding,
                              kr_value *result) {
  kr_str bytes = kr_str_from(digest, KR_HASH_BYTES);
  kr_status status = KR_OK;
  kr_vm_build_begin(vm);
  if (kr_str_equal(encoding, KR_STR("hex")))
    status = kr_hex_encode(bytes, &vm->work.buf);
  else if (kr_str_equal(encoding, KR_STR("base64")))
    status = kr_base64_encode(bytes, KR_BASE64_STANDARD, true, &vm->work.buf);
  else if (kr_str_equal(encoding, KR_STR("base64url")))
    status = kr_base64_encode(bytes, KR_BASE64_URL, false, &vm->work.buf);
  else
    return kr_vm_fail(vm, KR_INVALID, KR_E_ARGUMENT,
                      "the encoding must be \"hex\", \"base64\" or \"base64url\"");
  if (status != KR_OK)
    return kr_fail_nomem(vm->reterr);
  return kr_vm_build_take(vm, result);
}

kr_status kr_body_SHA256(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  uint8_t digest[KR_HASH_BYTES];
  KR_TRY(kr_vm_spend(vm, KR_HASH_COST));
  KR_TRY(kr_crypto_sha256(kr_value_text(&args[0]), digest, vm->reterr));
  kr_status status = kr_hash_text(vm, digest, KR_STR("hex"), result);
  kr_wipe(digest, sizeof(digest));
  return status;
}

kr_status kr_body_HMAC_SHA256(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  uint8_t digest[KR_HASH_BYTES];
  KR_TRY(kr_vm_spend(vm, KR_HASH_COST * 2));
  KR_TRY(
      kr_crypto_hmac_sha256(kr_value_text(&args[0]), kr_value_text(&args[1]), digest, vm->reterr));
  kr_str encoding = n_args == 3 ? kr_value_text(&args[2]) : KR_STR("hex");
  kr_status status = kr_hash_text(vm, digest, encoding, result);
  kr_wipe(digest, sizeof(digest));
  return status;
}

/* RFC 7617: a colon would end the user, so the user may not hold one. */
kr_status kr_body_BASIC_AUTH(kr_vm *vm, kr_value *args, unsigned n_args, kr_value *result) {
  (void)n_args;
  kr_str user = kr_value_text(&args[0]);
  if (kr_str_find(user, KR_STR(":"), 0) != SIZE_MAX && args[0].secrets != 0)
    return kr_vm_refuse_secret(vm, args[0].secrets, "user name of basicAuth");
  if (kr_str_find(user, KR_STR(":"), 0) != SIZE_MAX)
    return kr_vm_fail(vm, KR_INVALID, KR_E_ARGUMENT, "the user of basicAuth cannot hold a colon");
  kr_value pair = {0};
  kr_vm_build_begin(vm);
  KR_TRY(kr_vm_build_bytes(vm, user));
  KR_TRY(kr_vm_build_bytes(vm, KR_STR(":")));
  KR_TRY(kr_vm_build_bytes(vm, kr_value_text(&args[1])));
  KR_TRY(kr_vm_build_take(vm, &pair));
  KR_TRY(kr_vm_spend(vm, (size_t)pair.count * 2));
  kr_vm_build_begin(vm);
  KR_TRY(kr_vm_build_bytes(vm, KR_STR("Basic ")));
  kr_status status =
      kr_base64_encode(kr_value_text(&pair), KR_BASE64_STANDARD, true, &vm->work.buf);
  if (status == KR_LIMIT)
    return kr_vm_fail(vm, KR_LIMIT, KR_E_STRING_BYTES, "a string is longer than %u bytes",
                      KR_LIMIT_STRING_BYTES);
  if (status != KR_OK)
    return kr_fail_nomem(vm->reterr);
  return kr_vm_build_take(vm, result);
}
