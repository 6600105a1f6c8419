/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - the one way into every implementation: checks what callers may get
 * wrong (sizes, writing while reading), asserts what only a bug can, and keeps
 * a transaction in which a write failed from ever being committed.
 */
#include "store/store.h"

#include "base/assert.h"

void kr_store_close(kr_store *store) {
  if (store != NULL)
    store->engine->close(store);
}

kr_status kr_store_begin(kr_store *store, kr_store_mode mode, kr_store_txn **ret_txn,
                         kr_error *reterr) {
  KR_ASSERT(store != NULL && ret_txn != NULL);
  KR_ASSERT(mode == KR_STORE_READ || mode == KR_STORE_WRITE);
  KR_TRY(store->engine->begin(store, mode, ret_txn, reterr));
  KR_ASSERT((*ret_txn)->store == store && (*ret_txn)->mode == mode);
  KR_ASSERT((*ret_txn)->n_cursors == 0 && (*ret_txn)->failure == KR_OK);
  return KR_OK;
}

kr_status kr_store_commit(kr_store_txn *txn, kr_error *reterr) {
  KR_ASSERT(txn != NULL && txn->n_cursors == 0);
  if (txn->failure == KR_OK)
    return txn->store->engine->commit(txn, reterr);
  kr_status failure = txn->failure;
  kr_store_abort(txn);
  return kr_fail_hint(reterr, failure, "nothing was stored: a write of the transaction had failed",
                      "see the error of that write");
}

void kr_store_abort(kr_store_txn *txn) {
  if (txn == NULL)
    return;
  KR_ASSERT(txn->n_cursors == 0);
  txn->store->engine->abort(txn);
}

static kr_status kr_store_write_once(kr_store *store, kr_store_change change, void *ctx,
                                     kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(store, KR_STORE_WRITE, &txn, reterr));
  KR_TRY(change(txn, ctx, reterr));
  return kr_store_commit(KR_TAKE(txn), reterr);
}

kr_status kr_store_write(kr_store *store, kr_store_change change, void *ctx, kr_error *reterr) {
  kr_status status = KR_LIMIT;
  for (unsigned i = 0; status == KR_LIMIT && i < KR_STORE_ATTEMPTS; i++)
    status = kr_store_write_once(store, change, ctx, reterr);
  return status;
}

static kr_status kr_store_check_key(kr_str key, kr_error *reterr) {
  if (key.len == 0)
    return kr_fail(reterr, KR_LIMIT, "a key of the store has at least 1 byte");
  if (key.len > KR_STORE_KEY_BYTES)
    return kr_fail(reterr, KR_LIMIT, "a key of the store has at most %u bytes, this one %zu",
                   KR_STORE_KEY_BYTES, key.len);
  return KR_OK;
}

static kr_status kr_store_check_write(kr_store_txn *txn, kr_str key, kr_error *reterr) {
  KR_ASSERT(txn != NULL && txn->n_cursors == 0);
  if (txn->mode != KR_STORE_WRITE)
    return kr_fail(reterr, KR_REFUSED, "a read transaction cannot write");
  if (txn->failure != KR_OK)
    return kr_fail_hint(reterr, txn->failure, "a write of this transaction has failed before",
                        "abort the transaction; see the error of that write");
  return kr_store_check_key(key, reterr);
}

static kr_status kr_store_check_value(kr_str value, kr_error *reterr) {
  if (value.len > KR_STORE_VALUE_BYTES)
    return kr_fail(reterr, KR_LIMIT, "a value of the store has at most %u bytes",
                   KR_STORE_VALUE_BYTES);
  return KR_OK;
}

static kr_status kr_store_note(kr_store_txn *txn, kr_status status) {
  if (status != KR_OK && status != KR_EXISTS && status != KR_NOT_FOUND)
    txn->failure = status;
  return status;
}

kr_status kr_store_get(kr_store_txn *txn, kr_str key, kr_str *ret_value, kr_error *reterr) {
  KR_ASSERT(txn != NULL && ret_value != NULL);
  KR_TRY(kr_store_check_key(key, reterr));
  return txn->store->engine->get(txn, key, ret_value, reterr);
}

kr_status kr_store_put(kr_store_txn *txn, kr_str key, kr_str value, kr_error *reterr) {
  KR_TRY(kr_store_check_write(txn, key, reterr));
  KR_TRY(kr_store_check_value(value, reterr));
  return kr_store_note(txn, txn->store->engine->put(txn, key, value, reterr));
}

kr_status kr_store_put_new(kr_store_txn *txn, kr_str key, kr_str value, kr_error *reterr) {
  KR_TRY(kr_store_check_write(txn, key, reterr));
  KR_TRY(kr_store_check_value(value, reterr));
  return kr_store_note(txn, txn->store->engine->put_new(txn, key, value, reterr));
}

kr_status kr_store_remove(kr_store_txn *txn, kr_str key, kr_error *reterr) {
  KR_TRY(kr_store_check_write(txn, key, reterr));
  return kr_store_note(txn, txn->store->engine->remove(txn, key, reterr));
}

kr_status kr_store_scan(kr_store_txn *txn, kr_str prefix, kr_str from, bool is_reverse,
                        kr_store_cursor **ret_cursor, kr_error *reterr) {
  KR_ASSERT(txn != NULL && ret_cursor != NULL);
  if (prefix.len > KR_STORE_KEY_BYTES || from.len > KR_STORE_KEY_BYTES)
    return kr_fail(reterr, KR_LIMIT, "prefix and start of a scan have at most %u bytes",
                   KR_STORE_KEY_BYTES);
  /* A start outside the prefix is either before all of its keys or after them. */
  if (from.len > 0 && !kr_str_starts(from, prefix)) {
    bool is_before = kr_str_compare(from, prefix) < 0;
    if (is_before != is_reverse)
      from = kr_str_from(NULL, 0);
  }
  KR_TRY(txn->store->engine->scan(txn, prefix, from, is_reverse, ret_cursor, reterr));
  KR_ASSERT((*ret_cursor)->txn == txn);
  txn->n_cursors++;
  return KR_OK;
}

kr_status kr_store_next(kr_store_cursor *cursor, kr_str *ret_key, kr_str *ret_value,
                        kr_error *reterr) {
  KR_ASSERT(cursor != NULL && ret_key != NULL && ret_value != NULL);
  return cursor->txn->store->engine->next(cursor, ret_key, ret_value, reterr);
}

void kr_store_scan_end(kr_store_cursor *cursor) {
  if (cursor == NULL)
    return;
  KR_ASSERT(cursor->txn->n_cursors > 0);
  cursor->txn->n_cursors--;
  cursor->txn->store->engine->scan_end(cursor);
}

kr_status kr_store_copy(kr_store *store, kr_str directory, kr_error *reterr) {
  KR_ASSERT(store != NULL);
  if (store->engine->copy == NULL)
    return kr_fail(reterr, KR_UNSUPPORTED, "a store of the kind %s has no files to copy",
                   store->engine->name);
  return store->engine->copy(store, directory, reterr);
}

kr_status kr_store_compact(kr_store *store, kr_error *reterr) {
  KR_ASSERT(store != NULL);
  return store->engine->compact == NULL ? KR_OK : store->engine->compact(store, reterr);
}
