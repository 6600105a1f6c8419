/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uses.c - see uses.h.
 *
 *   "ru" | organization u32 | label  ->  n u8 | n * (connector str | time u64 | version u32) | MAC
 */
#include "registry/uses.h"

#include "base/wire.h"
#include "registry/internal.h"

#define KR_USES_RECORD_BYTES (32u * 1024u)

typedef struct kr_use_list {
  kr_secret_use items[KR_USES_MAX];
  size_t n_items;
} kr_use_list;

static kr_status kr_use_place(uint32_t org_id, kr_str label, kr_buf *out) {
  KR_TRY(kr_buf_append(out, KR_REGISTRY_USES_LETTERS));
  KR_TRY(kr_wire_put_u32(out, org_id));
  return kr_buf_append(out, label);
}

/* The list, borrowed from the transaction; empty when nothing was noted. */
static kr_status kr_use_read(const kr_registry *registry, kr_store_txn *txn, kr_str place,
                             kr_use_list *list, kr_error *reterr) {
  kr_str payload = {0};
  *list = (kr_use_list){.n_items = 0};
  kr_status status = kr_registry_get(registry, txn, KR_DOMAIN_USE, place, "the uses of a secret",
                                     &payload, reterr);
  if (status == KR_NOT_FOUND)
    return KR_OK;
  KR_TRY(status);
  kr_wire_reader reader = kr_wire_reader_init(payload);
  size_t n_items = kr_wire_get_u8(&reader);
  for (size_t i = 0; i < n_items && i < KR_USES_MAX; i++) {
    list->items[i].connector = kr_wire_get_str(&reader);
    list->items[i].time_ms = (int64_t)kr_wire_get_u64(&reader);
    list->items[i].version = kr_wire_get_u32(&reader);
    list->n_items++;
  }
  if (n_items > KR_USES_MAX || !kr_wire_is_end(&reader))
    return kr_registry_corrupt(reterr, "the uses of a secret are not well-formed");
  return KR_OK;
}

static kr_str kr_use_connector(const kr_secret_use *use) {
  return kr_str_slice(use->connector, 0, KR_USE_CONNECTOR_BYTES);
}

static const kr_secret_use *kr_use_of(const kr_use_list *list, kr_str connector) {
  for (size_t i = 0; i < list->n_items; i++)
    if (kr_str_equal(list->items[i].connector, connector))
      return &list->items[i];
  return NULL;
}

kr_status kr_registry_use_is_due(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                                 kr_str label, const kr_secret_use *use, bool *ret_is_due,
                                 kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf place = KR_BUF_INIT(KR_STORE_KEY_BYTES, NULL);
  kr_use_list list;
  KR_TRY(
      kr_buf_explain(&place, kr_use_place(org_id, label, &place), "the uses of a secret", reterr));
  KR_TRY(kr_use_read(registry, txn, kr_buf_str(&place), &list, reterr));
  const kr_secret_use *last = kr_use_of(&list, kr_use_connector(use));
  /* A clock that was put back must not silence the notes until it has caught up. */
  *ret_is_due = last == NULL || use->time_ms >= last->time_ms + KR_USE_INTERVAL_MS ||
                use->time_ms < last->time_ms - KR_USE_INTERVAL_MS;
  return KR_OK;
}

static kr_status kr_use_put_one(const kr_secret_use *use, kr_buf *out) {
  KR_TRY(kr_wire_put_str(out, kr_use_connector(use)));
  KR_TRY(kr_wire_put_u64(out, (uint64_t)use->time_ms));
  return kr_wire_put_u32(out, use->version);
}

static kr_status kr_use_body(const kr_use_list *list, const kr_secret_use *use, kr_buf *out) {
  const kr_secret_use *former = kr_use_of(list, kr_use_connector(use));
  size_t n_others = list->n_items - (former != NULL ? 1 : 0);
  n_others = n_others < KR_USES_MAX ? n_others : KR_USES_MAX - 1;
  KR_TRY(kr_wire_put_u8(out, (uint8_t)(n_others + 1)));
  KR_TRY(kr_use_put_one(use, out));
  for (size_t i = 0; i < list->n_items && n_others > 0; i++) {
    if (&list->items[i] == former)
      continue;
    KR_TRY(kr_use_put_one(&list->items[i], out));
    n_others--;
  }
  return KR_OK;
}

kr_status kr_registry_use_note(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                               kr_str label, const kr_secret_use *use, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf place = KR_BUF_INIT(KR_STORE_KEY_BYTES, NULL);
  KR_CLEANUP(kr_buf_done) kr_buf body = KR_BUF_INIT(KR_USES_RECORD_BYTES, NULL);
  kr_use_list list;
  KR_TRY(
      kr_buf_explain(&place, kr_use_place(org_id, label, &place), "the uses of a secret", reterr));
  KR_TRY(kr_use_read(registry, txn, kr_buf_str(&place), &list, reterr));
  KR_TRY(kr_buf_explain(&body, kr_use_body(&list, use, &body), "the uses of a secret", reterr));
  return kr_registry_put(registry, txn, KR_DOMAIN_USE, kr_buf_str(&place), kr_buf_str(&body),
                         reterr);
}

kr_status kr_registry_use_each(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                               kr_str label, kr_use_visit visit, void *ctx, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf place = KR_BUF_INIT(KR_STORE_KEY_BYTES, NULL);
  kr_use_list list;
  KR_TRY(
      kr_buf_explain(&place, kr_use_place(org_id, label, &place), "the uses of a secret", reterr));
  KR_TRY(kr_use_read(registry, txn, kr_buf_str(&place), &list, reterr));
  for (size_t i = 0; i < list.n_items; i++)
    KR_TRY(visit(ctx, &list.items[i]));
  return KR_OK;
}

kr_status kr_registry_use_remove(const kr_registry *registry, kr_store_txn *txn, uint32_t org_id,
                                 kr_str label, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf place = KR_BUF_INIT(KR_STORE_KEY_BYTES, NULL);
  (void)registry;
  KR_TRY(
      kr_buf_explain(&place, kr_use_place(org_id, label, &place), "the uses of a secret", reterr));
  kr_status status = kr_store_remove(txn, kr_buf_str(&place), reterr);
  return status == KR_NOT_FOUND ? KR_OK : status;
}
