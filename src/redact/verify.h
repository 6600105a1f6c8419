/* SPDX-License-Identifier: Apache-2.0 */
/* verify.h - the index of the check, inside a set; built when first needed. */
#ifndef KR_REDACT_VERIFY_H
#define KR_REDACT_VERIFY_H

#include "redact/redact.h"

typedef struct kr_verify_slot kr_verify_slot;

kr_status kr_verify_slot_new(kr_verify_slot **ret_slot) KR_MUST_USE;
void kr_verify_slot_free(kr_verify_slot *slot); /* wipes */

/** Bytes of memory of the index; 0: not built. For tests and measurements. */
size_t kr_verify_bytes(const kr_redact_set *set);

#endif
