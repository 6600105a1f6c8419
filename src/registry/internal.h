/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - store keys and helpers shared by settings.c and audit.c. */
#ifndef KR_REGISTRY_INTERNAL_H
#define KR_REGISTRY_INTERNAL_H

#include "base/wire.h"
#include "registry/registry.h"

#define KR_DOMAIN_SETTING KR_STR("krosyn/v1/setting")
#define KR_DOMAIN_USE KR_STR("krosyn/v1/use")
#define KR_DOMAIN_AUDIT KR_STR("krosyn/v1/audit")
#define KR_DOMAIN_AUDIT_HEAD KR_STR("krosyn/v1/audit-head")

/* Seal a payload for a place and store it. */
kr_status kr_registry_put(const kr_registry *registry, kr_store_txn *txn, kr_str domain,
                          kr_str place, kr_str payload, kr_error *reterr) KR_MUST_USE;

/* The checked payload at a place; KR_NOT_FOUND (reterr not filled). what names it in messages. */
kr_status kr_registry_get(const kr_registry *registry, kr_store_txn *txn, kr_str domain,
                          kr_str place, const char *what, kr_str *ret_payload,
                          kr_error *reterr) KR_MUST_USE;

typedef struct kr_audit_place {
  uint8_t bytes[2 + 8];
} kr_audit_place;

kr_audit_place kr_audit_place_of(uint64_t sequence);

/** What the head of the audit says; 0 when there is none yet. */
kr_status kr_audit_count(const kr_registry *registry, kr_store_txn *txn, uint64_t *ret_count,
                         kr_error *reterr) KR_MUST_USE;

kr_status kr_audit_put_head(const kr_registry *registry, kr_store_txn *txn, uint64_t count,
                            kr_error *reterr) KR_MUST_USE;

/** KR_CORRUPT when it is not the entry of this sequence, whole. */
kr_status kr_audit_check_record(const kr_registry *registry, uint64_t sequence, kr_str at,
                                kr_str record, kr_error *reterr) KR_MUST_USE;

kr_status kr_registry_corrupt(kr_error *reterr, const char *format, ...) KR_PRINTF(2, 3);

#endif
