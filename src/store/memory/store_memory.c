/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_memory.c - a store without a disk, for tests of what stands above it.
 *
 *   store -> table (the committed one)      blob: [refs | key_len | value_len | key | value]
 *            [refs | n | blob*, blob*, ...]       immutable, shared between tables
 *
 * A table is a sorted array that never changes once committed. A reader holds
 * a reference to one; a writer works on a copy of the array and commits it by
 * exchange. References are counted under the store's mutex.
 */
#include "store/memory/store_memory.h"

#include "base/assert.h"
#include "base/memory.h"

#include <pthread.h>

typedef struct kr_store_blob {
  size_t refs;
  size_t key_len;
  size_t value_len;
  uint8_t bytes[];
} kr_store_blob;

typedef struct kr_store_table {
  size_t refs;
  size_t n;
  size_t room;
  kr_store_blob **blobs;
} kr_store_table;

typedef struct kr_store_memory {
  kr_store base;
  pthread_mutex_t mutex;  /* over table, references, counts */
  pthread_mutex_t writer; /* held by the write transaction */
  kr_store_table *table;
  size_t n_txns;
  unsigned fail_commit; /* countdown; 0: none */
} kr_store_memory;

typedef struct kr_store_memory_txn {
  kr_store_txn base;
  kr_store_table *table; /* of a writer: its own copy */
} kr_store_memory_txn;

typedef struct kr_store_memory_cursor {
  kr_store_cursor base;
  size_t next; /* index; in reverse one above, so that 0 is the end */
  bool is_reverse;
  size_t prefix_len;
  uint8_t prefix[KR_STORE_KEY_BYTES];
} kr_store_memory_cursor;

static kr_store_memory *kr_store_memory_of(kr_store *store) { return (kr_store_memory *)store; }

static kr_str kr_store_blob_key(const kr_store_blob *blob) {
  return kr_str_from(blob->bytes, blob->key_len);
}

static kr_str kr_store_blob_value(const kr_store_blob *blob) {
  return kr_str_from(blob->bytes + blob->key_len, blob->value_len);
}

static kr_store_blob *kr_store_blob_new(kr_str key, kr_str value) {
  kr_store_blob *blob = kr_heap_memory()->alloc(sizeof *blob + key.len + value.len);
  if (blob == NULL)
    return NULL;
  *blob = (kr_store_blob){.refs = 1, .key_len = key.len, .value_len = value.len};
  memcpy(blob->bytes, key.ptr, key.len);
  if (value.len > 0)
    memcpy(blob->bytes + key.len, value.ptr, value.len);
  return blob;
}

static void kr_store_blob_drop(kr_store_blob *blob) {
  if (--blob->refs == 0)
    kr_heap_memory()->release(blob, sizeof *blob + blob->key_len + blob->value_len);
}

static void kr_store_table_drop(kr_store_table *table) {
  if (--table->refs > 0)
    return;
  for (size_t i = 0; i < table->n; i++)
    kr_store_blob_drop(table->blobs[i]);
  if (table->blobs != NULL)
    kr_heap_memory()->release(table->blobs, table->room * sizeof *table->blobs);
  kr_heap_memory()->release(table, sizeof *table);
}

/* A table with the same blobs and room for a few more. */
static kr_store_table *kr_store_table_copy(const kr_store_table *from) {
  size_t n = from == NULL ? 0 : from->n;
  kr_store_table *table = kr_heap_memory()->alloc(sizeof *table);
  if (table == NULL)
    return NULL;
  *table = (kr_store_table){.refs = 1, .n = n, .room = n + 16, .blobs = NULL};
  table->blobs = kr_heap_memory()->alloc(table->room * sizeof *table->blobs);
  if (table->blobs == NULL) {
    kr_heap_memory()->release(table, sizeof *table);
    return NULL;
  }
  for (size_t i = 0; i < n; i++) {
    table->blobs[i] = from->blobs[i];
    table->blobs[i]->refs++;
  }
  return table;
}

static bool kr_store_table_reserve(kr_store_table *table) {
  if (table->n < table->room)
    return true;
  size_t room = table->room * 2;
  kr_store_blob **blobs = kr_heap_memory()->alloc(room * sizeof *blobs);
  if (blobs == NULL)
    return false;
  memcpy(blobs, table->blobs, table->n * sizeof *blobs);
  kr_heap_memory()->release(table->blobs, table->room * sizeof *blobs);
  table->blobs = blobs;
  table->room = room;
  return true;
}

/* Index of the first key that is not below `key`. */
static size_t kr_store_table_find(const kr_store_table *table, kr_str key, bool *ret_is_equal) {
  size_t low = 0;
  size_t high = table->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (kr_str_compare(kr_store_blob_key(table->blobs[middle]), key) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  *ret_is_equal = low < table->n && kr_str_equal(kr_store_blob_key(table->blobs[low]), key);
  return low;
}

static kr_status kr_store_memory_begin(kr_store *base, kr_store_mode mode, kr_store_txn **ret_txn,
                                       kr_error *reterr) {
  kr_store_memory *store = kr_store_memory_of(base);
  kr_store_memory_txn *txn = kr_heap_memory()->alloc(sizeof *txn);
  if (txn == NULL)
    return kr_fail_nomem(reterr);
  *txn = (kr_store_memory_txn){.base = {.store = base, .mode = mode}, .table = NULL};
  if (mode == KR_STORE_WRITE)
    (void)pthread_mutex_lock(&store->writer);
  (void)pthread_mutex_lock(&store->mutex);
  txn->table = mode == KR_STORE_WRITE ? kr_store_table_copy(store->table) : store->table;
  if (txn->table != NULL) {
    txn->table->refs += mode == KR_STORE_READ;
    store->n_txns++;
  }
  (void)pthread_mutex_unlock(&store->mutex);
  if (txn->table == NULL) {
    (void)pthread_mutex_unlock(&store->writer);
    kr_heap_memory()->release(txn, sizeof *txn);
    return kr_fail_nomem(reterr);
  }
  *ret_txn = &txn->base;
  return KR_OK;
}

/* Drop the table that is not (or no longer) current, and the transaction. */
static void kr_store_memory_end(kr_store_memory_txn *txn, bool is_committed) {
  kr_store_memory *store = kr_store_memory_of(txn->base.store);
  (void)pthread_mutex_lock(&store->mutex);
  kr_store_table *dropped = txn->table;
  if (is_committed) {
    dropped = store->table;
    store->table = txn->table;
  }
  kr_store_table_drop(dropped);
  store->n_txns--;
  (void)pthread_mutex_unlock(&store->mutex);
  if (txn->base.mode == KR_STORE_WRITE)
    (void)pthread_mutex_unlock(&store->writer);
  kr_heap_memory()->release(txn, sizeof *txn);
}

static void kr_store_memory_abort(kr_store_txn *base) {
  kr_store_memory_end((kr_store_memory_txn *)base, false);
}

static kr_status kr_store_memory_commit(kr_store_txn *base, kr_error *reterr) {
  kr_store_memory *store = kr_store_memory_of(base->store);
  bool is_write = base->mode == KR_STORE_WRITE;
  bool is_failing = is_write && store->fail_commit > 0 && --store->fail_commit == 0;
  kr_store_memory_end((kr_store_memory_txn *)base, is_write && !is_failing);
  if (is_failing)
    return kr_fail(reterr, KR_IO, "cannot commit: the test asked for this failure");
  return KR_OK;
}

static kr_status kr_store_memory_get(kr_store_txn *base, kr_str key, kr_str *ret_value,
                                     kr_error *reterr) {
  (void)reterr;
  const kr_store_table *table = ((kr_store_memory_txn *)base)->table;
  bool is_equal = false;
  size_t at = kr_store_table_find(table, key, &is_equal);
  if (!is_equal)
    return KR_NOT_FOUND;
  *ret_value = kr_store_blob_value(table->blobs[at]);
  return KR_OK;
}

/* Blobs are shared with other tables: their counts change under the mutex only. */
static void kr_store_memory_drop_blob(kr_store *base, kr_store_blob *blob) {
  kr_store_memory *store = kr_store_memory_of(base);
  (void)pthread_mutex_lock(&store->mutex);
  kr_store_blob_drop(blob);
  (void)pthread_mutex_unlock(&store->mutex);
}

static kr_status kr_store_memory_write(kr_store_txn *base, kr_str key, kr_str value, bool is_new,
                                       kr_error *reterr) {
  kr_store_table *table = ((kr_store_memory_txn *)base)->table;
  bool is_equal = false;
  size_t at = kr_store_table_find(table, key, &is_equal);
  if (is_equal && is_new)
    return KR_EXISTS;
  kr_store_blob *blob = kr_store_blob_new(key, value);
  if (blob == NULL)
    return kr_fail_nomem(reterr);
  if (is_equal) {
    kr_store_memory_drop_blob(base->store, table->blobs[at]);
    table->blobs[at] = blob;
    return KR_OK;
  }
  if (!kr_store_table_reserve(table)) {
    kr_store_blob_drop(blob);
    return kr_fail_nomem(reterr);
  }
  memmove(&table->blobs[at + 1], &table->blobs[at], (table->n - at) * sizeof table->blobs[0]);
  table->blobs[at] = blob;
  table->n++;
  return KR_OK;
}

static kr_status kr_store_memory_put(kr_store_txn *txn, kr_str key, kr_str value,
                                     kr_error *reterr) {
  return kr_store_memory_write(txn, key, value, false, reterr);
}

static kr_status kr_store_memory_put_new(kr_store_txn *txn, kr_str key, kr_str value,
                                         kr_error *reterr) {
  return kr_store_memory_write(txn, key, value, true, reterr);
}

static kr_status kr_store_memory_remove(kr_store_txn *base, kr_str key, kr_error *reterr) {
  (void)reterr;
  kr_store_table *table = ((kr_store_memory_txn *)base)->table;
  bool is_equal = false;
  size_t at = kr_store_table_find(table, key, &is_equal);
  if (!is_equal)
    return KR_NOT_FOUND;
  kr_store_memory_drop_blob(base->store, table->blobs[at]);
  table->n--;
  memmove(&table->blobs[at], &table->blobs[at + 1], (table->n - at) * sizeof table->blobs[0]);
  return KR_OK;
}

/* Index one above the last key with the prefix. */
static size_t kr_store_table_prefix_end(const kr_store_table *table, kr_str prefix) {
  bool is_equal = false;
  size_t low = kr_store_table_find(table, prefix, &is_equal);
  size_t high = table->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (kr_str_starts(kr_store_blob_key(table->blobs[middle]), prefix))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static kr_status kr_store_memory_scan(kr_store_txn *base, kr_str prefix, kr_str from,
                                      bool is_reverse, kr_store_cursor **ret_cursor,
                                      kr_error *reterr) {
  const kr_store_table *table = ((kr_store_memory_txn *)base)->table;
  kr_store_memory_cursor *cursor = kr_heap_memory()->alloc(sizeof *cursor);
  if (cursor == NULL)
    return kr_fail_nomem(reterr);
  cursor->base.txn = base;
  cursor->is_reverse = is_reverse;
  cursor->prefix_len = prefix.len;
  if (prefix.len > 0)
    memcpy(cursor->prefix, prefix.ptr, prefix.len);
  bool is_equal = false;
  if (!is_reverse)
    cursor->next = kr_store_table_find(table, from.len > 0 ? from : prefix, &is_equal);
  else if (from.len == 0)
    cursor->next = kr_store_table_prefix_end(table, prefix);
  else
    cursor->next = kr_store_table_find(table, from, &is_equal) + (is_equal ? 1 : 0);
  *ret_cursor = &cursor->base;
  return KR_OK;
}

static kr_status kr_store_memory_next(kr_store_cursor *base, kr_str *ret_key, kr_str *ret_value,
                                      kr_error *reterr) {
  (void)reterr;
  kr_store_memory_cursor *cursor = (kr_store_memory_cursor *)base;
  const kr_store_table *table = ((kr_store_memory_txn *)base->txn)->table;
  if (cursor->next == (cursor->is_reverse ? 0 : table->n))
    return KR_NOT_FOUND;
  const kr_store_blob *blob = table->blobs[cursor->is_reverse ? cursor->next - 1 : cursor->next];
  if (!kr_str_starts(kr_store_blob_key(blob), kr_str_from(cursor->prefix, cursor->prefix_len)))
    return KR_NOT_FOUND;
  cursor->next = cursor->is_reverse ? cursor->next - 1 : cursor->next + 1;
  *ret_key = kr_store_blob_key(blob);
  *ret_value = kr_store_blob_value(blob);
  return KR_OK;
}

static void kr_store_memory_scan_end(kr_store_cursor *base) {
  kr_heap_memory()->release(base, sizeof(kr_store_memory_cursor));
}

static void kr_store_memory_close(kr_store *base) {
  kr_store_memory *store = kr_store_memory_of(base);
  KR_ASSERT(store->n_txns == 0);
  kr_store_table_drop(store->table);
  (void)pthread_mutex_destroy(&store->mutex);
  (void)pthread_mutex_destroy(&store->writer);
  kr_heap_memory()->release(store, sizeof *store);
}

static const kr_store_engine kr_store_memory_engine = {
    .name = "memory",
    .close = kr_store_memory_close,
    .begin = kr_store_memory_begin,
    .commit = kr_store_memory_commit,
    .abort = kr_store_memory_abort,
    .get = kr_store_memory_get,
    .put = kr_store_memory_put,
    .put_new = kr_store_memory_put_new,
    .remove = kr_store_memory_remove,
    .scan = kr_store_memory_scan,
    .next = kr_store_memory_next,
    .scan_end = kr_store_memory_scan_end,
};

kr_status kr_store_memory_new(kr_store **ret_store, kr_error *reterr) {
  kr_store_memory *store = kr_heap_memory()->alloc(sizeof *store);
  if (store == NULL)
    return kr_fail_nomem(reterr);
  *store = (kr_store_memory){.base = {.engine = &kr_store_memory_engine}};
  store->table = kr_store_table_copy(NULL);
  if (store->table == NULL || pthread_mutex_init(&store->mutex, NULL) != 0 ||
      pthread_mutex_init(&store->writer, NULL) != 0) {
    if (store->table != NULL)
      kr_store_table_drop(store->table);
    kr_heap_memory()->release(store, sizeof *store);
    return kr_fail_nomem(reterr);
  }
  *ret_store = &store->base;
  return KR_OK;
}

void kr_store_memory_fail_commit(kr_store *store, unsigned n) {
  KR_ASSERT(store->engine == &kr_store_memory_engine);
  kr_store_memory_of(store)->fail_commit = n;
}
