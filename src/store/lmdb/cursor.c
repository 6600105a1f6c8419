/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cursor.c - scans. LMDB seeks forward only ("first key not below"); the start
 * of a reverse scan is one step back from there, and its end without a start
 * key is the first key above all that have the prefix.
 */
#include "store/lmdb/store_lmdb_internal.h"

#include "base/memory.h"

typedef struct kr_store_lmdb_cursor {
  kr_store_cursor base;
  MDB_cursor *cursor;
  MDB_val key; /* the result of the seek, until the first next */
  MDB_val value;
  int code;
  bool is_sought;
  bool is_reverse;
  size_t prefix_len;
  uint8_t prefix[KR_STORE_KEY_BYTES];
} kr_store_lmdb_cursor;

/* First key not below `start`; an empty start is the very first key. */
static int kr_store_lmdb_seek_up(kr_store_lmdb_cursor *cursor, kr_str start) {
  cursor->key = (MDB_val){.mv_size = start.len, .mv_data = (void *)(uintptr_t)start.ptr};
  return mdb_cursor_get(cursor->cursor, &cursor->key, &cursor->value,
                        start.len == 0 ? MDB_FIRST : MDB_SET_RANGE);
}

/* Last key below `bound`, or equal to it where is_inclusive; no bound: the very last key. */
static int kr_store_lmdb_seek_down(kr_store_lmdb_cursor *cursor, kr_str bound, bool is_inclusive) {
  int code = MDB_NOTFOUND;
  if (bound.len > 0)
    code = kr_store_lmdb_seek_up(cursor, bound);
  if (code == MDB_NOTFOUND)
    return mdb_cursor_get(cursor->cursor, &cursor->key, &cursor->value, MDB_LAST);
  if (code != MDB_SUCCESS)
    return code;
  kr_str found = kr_str_from(cursor->key.mv_data, cursor->key.mv_size);
  if (is_inclusive && kr_str_equal(found, bound))
    return MDB_SUCCESS;
  return mdb_cursor_get(cursor->cursor, &cursor->key, &cursor->value, MDB_PREV);
}

/* The smallest string above all with this prefix, into out; empty when there is none. */
static kr_str kr_store_lmdb_above(kr_str prefix, uint8_t out[KR_STORE_KEY_BYTES]) {
  size_t len = prefix.len;
  while (len > 0 && prefix.ptr[len - 1] == 0xFF)
    len--;
  if (len == 0)
    return kr_str_from(NULL, 0);
  memcpy(out, prefix.ptr, len);
  out[len - 1]++;
  return kr_str_from(out, len);
}

static int kr_store_lmdb_seek(kr_store_lmdb_cursor *cursor, kr_str prefix, kr_str from) {
  uint8_t bytes[KR_STORE_KEY_BYTES];
  if (!cursor->is_reverse)
    return kr_store_lmdb_seek_up(cursor, from.len > 0 ? from : prefix);
  if (from.len > 0)
    return kr_store_lmdb_seek_down(cursor, from, true);
  return kr_store_lmdb_seek_down(cursor, kr_store_lmdb_above(prefix, bytes), false);
}

kr_status kr_store_lmdb_scan(kr_store_txn *base, kr_str prefix, kr_str from, bool is_reverse,
                             kr_store_cursor **ret_cursor, kr_error *reterr) {
  kr_store_lmdb *store = kr_store_lmdb_of(base->store);
  kr_store_lmdb_cursor *cursor = kr_heap_memory()->alloc(sizeof *cursor);
  if (cursor == NULL)
    return kr_fail_nomem(reterr);
  *cursor = (kr_store_lmdb_cursor){
      .base = {.txn = base}, .is_reverse = is_reverse, .prefix_len = prefix.len};
  if (prefix.len > 0)
    memcpy(cursor->prefix, prefix.ptr, prefix.len);
  int code = mdb_cursor_open(((kr_store_lmdb_txn *)base)->txn, store->dbi, &cursor->cursor);
  if (code != MDB_SUCCESS) {
    kr_heap_memory()->release(cursor, sizeof *cursor);
    return kr_store_lmdb_fail(store->path, code, "scan", reterr);
  }
  cursor->code = kr_store_lmdb_seek(cursor, prefix, from);
  cursor->is_sought = true;
  *ret_cursor = &cursor->base;
  return KR_OK;
}

kr_status kr_store_lmdb_next(kr_store_cursor *base, kr_str *ret_key, kr_str *ret_value,
                             kr_error *reterr) {
  kr_store_lmdb_cursor *cursor = (kr_store_lmdb_cursor *)base;
  if (!cursor->is_sought && cursor->code == MDB_SUCCESS)
    cursor->code = mdb_cursor_get(cursor->cursor, &cursor->key, &cursor->value,
                                  cursor->is_reverse ? MDB_PREV : MDB_NEXT);
  cursor->is_sought = false;
  if (cursor->code == MDB_NOTFOUND)
    return KR_NOT_FOUND;
  if (cursor->code != MDB_SUCCESS)
    return kr_store_lmdb_fail(kr_store_lmdb_of(base->txn->store)->path, cursor->code, "scan",
                              reterr);
  kr_str key = kr_str_from(cursor->key.mv_data, cursor->key.mv_size);
  if (!kr_str_starts(key, kr_str_from(cursor->prefix, cursor->prefix_len))) {
    cursor->code = MDB_NOTFOUND;
    return KR_NOT_FOUND;
  }
  *ret_key = key;
  *ret_value = kr_str_from(cursor->value.mv_data, cursor->value.mv_size);
  return KR_OK;
}

void kr_store_lmdb_scan_end(kr_store_cursor *base) {
  kr_store_lmdb_cursor *cursor = (kr_store_lmdb_cursor *)base;
  mdb_cursor_close(cursor->cursor);
  kr_heap_memory()->release(cursor, sizeof *cursor);
}
