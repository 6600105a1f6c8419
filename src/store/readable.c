/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readable.c - see readable.h. A damaged tree can lead anywhere, also back to
 * where one was: keys that do not go on in their order end a walk.
 */
#include "store/readable.h"

typedef struct kr_store_walk {
  kr_store_reading *reading;
  kr_str prefix;
  kr_store_visit visit;
  void *ctx;
  uint8_t last[KR_STORE_KEY_BYTES]; /* the last key that was visited forwards */
  size_t last_len;
  bool is_whole; /* of the direction under way: it came to its end */
} kr_store_walk;

void kr_store_reading_done(kr_store_reading *reading) {
  if (reading->txn != NULL)
    kr_store_abort(reading->txn);
  reading->txn = NULL;
}

kr_status kr_store_reading_begin(kr_store *store, kr_store_reading *reading, kr_error *reterr) {
  *reading = (kr_store_reading){.store = store};
  return kr_store_begin(store, KR_STORE_READ, &reading->txn, reterr);
}

static kr_status kr_store_reading_again(kr_store_reading *reading, kr_error *reterr) {
  kr_store_reading_done(reading);
  return kr_store_begin(reading->store, KR_STORE_READ, &reading->txn, reterr);
}

static void kr_store_walk_note(kr_store_walk *walk, kr_str key) {
  memcpy(walk->last, key.ptr, key.len);
  walk->last_len = key.len;
}

/* One direction. With is_reverse, down to the last key of the other direction, exclusively. */
static kr_status kr_store_walk_run(kr_store_walk *walk, bool is_reverse, kr_error *reterr) {
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  uint8_t before[KR_STORE_KEY_BYTES];
  size_t before_len = 0;
  kr_status status =
      kr_store_scan(walk->reading->txn, walk->prefix, (kr_str){0}, is_reverse, &cursor, reterr);
  if (status != KR_OK)
    return status == KR_NOMEM ? status : KR_OK;
  kr_str key = {0};
  kr_str value = {0};
  while ((status = kr_store_next(cursor, &key, &value, reterr)) == KR_OK) {
    int order = kr_str_compare(key, kr_str_from(before, before_len));
    if (key.len == 0 || key.len > sizeof before ||
        (before_len > 0 && (is_reverse ? order >= 0 : order <= 0)))
      return KR_OK;
    if (is_reverse && kr_str_compare(key, kr_str_from(walk->last, walk->last_len)) <= 0)
      return KR_OK;
    memcpy(before, key.ptr, key.len);
    before_len = key.len;
    if (!is_reverse)
      kr_store_walk_note(walk, key);
    KR_TRY(walk->visit(walk->ctx, key, value, reterr));
  }
  walk->is_whole = status == KR_NOT_FOUND;
  return status == KR_NOMEM ? status : KR_OK;
}

/* A transaction may have been spent before, by a read of the caller's: then once more. */
static kr_status kr_store_walk_forwards(kr_store_walk *walk, kr_error *reterr) {
  KR_TRY(kr_store_walk_run(walk, false, reterr));
  if (walk->is_whole || walk->last_len > 0)
    return KR_OK;
  KR_TRY(kr_store_reading_again(walk->reading, reterr));
  return kr_store_walk_run(walk, false, reterr);
}

kr_status kr_store_each_readable(kr_store_reading *reading, kr_str prefix, kr_store_visit visit,
                                 void *ctx, bool *ret_is_whole, kr_error *reterr) {
  kr_store_walk walk = {.reading = reading, .prefix = prefix, .visit = visit, .ctx = ctx};
  KR_TRY(kr_store_walk_forwards(&walk, reterr));
  *ret_is_whole = walk.is_whole;
  if (walk.is_whole)
    return KR_OK;
  KR_TRY(kr_store_reading_again(reading, reterr));
  KR_TRY(kr_store_walk_run(&walk, true, reterr));
  return kr_store_reading_again(reading, reterr);
}

kr_status kr_store_get_readable(kr_store_reading *reading, kr_str key, kr_str *ret_value,
                                kr_error *reterr) {
  for (unsigned i = 0; i < 2; i++) {
    kr_status status = kr_store_get(reading->txn, key, ret_value, reterr);
    if (status == KR_OK || status == KR_NOT_FOUND || status == KR_NOMEM)
      return status;
    KR_TRY(kr_store_reading_again(reading, reterr));
  }
  return KR_CORRUPT;
}
