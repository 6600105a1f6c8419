/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_plan.c - the items of an import against what is saved: one walk over
 * the organization's secrets, each opened, compared and wiped before the next.
 *
 * Which of all values are equal is found by tags, HMACs under a key that is made
 * for this one walk and then wiped: so 100 000 entries are compared with 100 000
 * secrets in n log n, and no order of comparisons says anything of a value.
 * Nothing of that is stored.
 */
#include "engine/import.h"

#include "secmem/sensitive.h"

typedef struct kr_import_tag {
  uint8_t bytes[KR_MAC_BYTES];
  uint32_t index; /* of the item */
} kr_import_tag;

typedef struct kr_import_walk {
  kr_import *import;
  kr_store_txn *txn;
  kr_secret *key;
  kr_import_tag *tags; /* sorted */
  size_t n_tags;
} kr_import_walk;

static kr_status kr_import_tag_of(const kr_import_walk *walk, kr_str value,
                                  uint8_t out[KR_MAC_BYTES]) {
  return kr_crypto_mac(walk->key, &value, 1, out, walk->import->reterr);
}

static int kr_import_tag_order(const kr_import_tag *a, const kr_import_tag *b) {
  int order = memcmp(a->bytes, b->bytes, sizeof a->bytes);
  return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static void kr_import_tag_sift(kr_import_tag *tags, size_t root, size_t n) {
  for (size_t child = 2 * root + 1; child < n; root = child, child = 2 * root + 1) {
    if (child + 1 < n && kr_import_tag_order(&tags[child], &tags[child + 1]) < 0)
      child++;
    if (kr_import_tag_order(&tags[root], &tags[child]) >= 0)
      return;
    kr_import_tag kept = tags[root];
    tags[root] = tags[child];
    tags[child] = kept;
  }
}

/* In place: a sort that borrows memory would leave tags in it. */
static void kr_import_tag_sort(kr_import_tag *tags, size_t n) {
  for (size_t i = n / 2; i-- > 0;)
    kr_import_tag_sift(tags, i, n);
  for (size_t i = n; i-- > 1;) {
    kr_import_tag largest = tags[0];
    tags[0] = tags[i];
    tags[i] = largest;
    kr_import_tag_sift(tags, 0, i);
  }
}

/* The first tag that is not below. */
static size_t kr_import_tag_place(const kr_import_walk *walk, const uint8_t tag[KR_MAC_BYTES]) {
  size_t low = 0;
  size_t high = walk->n_tags;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (memcmp(walk->tags[middle].bytes, tag, KR_MAC_BYTES) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static kr_status kr_import_tag_all(kr_import_walk *walk) {
  kr_import *import = walk->import;
  size_t n = kr_import_n_items(import);
  KR_TRY(kr_crypto_key_new(import->engine->pool, &walk->key, import->reterr));
  walk->tags = kr_arena_calloc(&import->arena, n, sizeof *walk->tags);
  if (walk->tags == NULL)
    return kr_fail_nomem(import->reterr);
  for (size_t i = 0; i < n; i++) {
    if (kr_import_at(import, i)->outcome == KR_IMPORT_REFUSED)
      continue;
    kr_import_tag *tag = &walk->tags[walk->n_tags++];
    tag->index = (uint32_t)i;
    KR_TRY(kr_import_tag_of(walk, kr_import_at(import, i)->value, tag->bytes));
  }
  kr_import_tag_sort(walk->tags, walk->n_tags);
  return KR_OK;
}

static kr_status kr_import_note_twin(kr_import *import, kr_import_item *item, kr_str name) {
  kr_str copy = {0};
  if (item->duplicate_of != NULL)
    return KR_OK;
  if (kr_arena_copy(&import->arena, name, &copy) != KR_OK)
    return kr_fail_nomem(import->reterr);
  item->duplicate_of = (const char *)copy.ptr;
  return KR_OK;
}

/* Entries of the file with one value: each is a duplicate of the first, the first of the second. */
static kr_status kr_import_twins_inside(const kr_import_walk *walk) {
  size_t first = 0;
  for (size_t i = 1; i < walk->n_tags; i++) {
    if (!kr_crypto_equal(walk->tags[first].bytes, walk->tags[i].bytes, KR_MAC_BYTES)) {
      first = i;
      continue;
    }
    kr_import_item *left = kr_import_at(walk->import, walk->tags[first].index);
    kr_import_item *right = kr_import_at(walk->import, walk->tags[i].index);
    KR_TRY(kr_import_note_twin(walk->import, right, left->name));
    KR_TRY(kr_import_note_twin(walk->import, left, right->name));
  }
  return KR_OK;
}

/* A secret that the file does not name: entries of its value are its duplicates. */
static kr_status kr_import_meet_other(const kr_import_walk *walk, kr_str name, kr_str value) {
  uint8_t tag[KR_MAC_BYTES];
  KR_TRY(kr_import_tag_of(walk, value, tag));
  for (size_t i = kr_import_tag_place(walk, tag);
       i < walk->n_tags && kr_crypto_equal(walk->tags[i].bytes, tag, sizeof tag); i++)
    KR_TRY(
        kr_import_note_twin(walk->import, kr_import_at(walk->import, walk->tags[i].index), name));
  return KR_OK;
}

/* A secret that the file names. */
static kr_status kr_import_meet_own(kr_import *import, kr_import_item *item,
                                    const kr_secret_meta *meta, kr_str value) {
  bool is_same =
      item->value.len == value.len && kr_crypto_equal(item->value.ptr, value.ptr, value.len);
  kr_str description = kr_str_cstr(meta->description);
  item->version = meta->version;
  item->outcome = is_same ? KR_IMPORT_SAME : KR_IMPORT_REPLACES;
  if (is_same && item->description.ptr != NULL && !kr_str_equal(item->description, description))
    item->notes |= KR_IMPORT_DESCRIPTION_KEPT;
  kr_status status = kr_arena_copy(&import->arena, description, &item->old_description);
  return status == KR_OK ? KR_OK : kr_fail_nomem(import->reterr);
}

static kr_status kr_import_meet(void *ctx, const kr_secret_meta *meta) {
  kr_import_walk *walk = ctx;
  kr_import *import = walk->import;
  kr_str name = kr_str_cstr(meta->name);
  kr_str environment = kr_str_cstr(meta->environment);
  kr_import_item *item = kr_import_find(import, name);
  /* The same name in another environment is another secret; that it has the same value is no news.
   */
  if (item != NULL && !kr_str_equal(environment, import->options->environment))
    return KR_OK;
  if (item != NULL && item->outcome == KR_IMPORT_REFUSED)
    return KR_OK;
  KR_CLEANUP(kr_secret_freep) kr_secret *opened = NULL;
  KR_TRY(kr_vault_secret_open(import->engine->vault, walk->txn, &import->org, name, environment, 0,
                              &opened, NULL, import->reterr));
  import->n_opened++;
  kr_str value = kr_secret_reveal(opened);
  return item == NULL ? kr_import_meet_other(walk, name, value)
                      : kr_import_meet_own(import, item, meta, value);
}

static kr_status kr_import_audit_change(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_import *import = ctx;
  return kr_engine_compare_audit(import->engine, txn, &import->org, import->n_opened,
                                 import->now_ms, reterr);
}

static kr_status kr_import_walk_all(kr_import_walk *walk) {
  kr_import *import = walk->import;
  kr_engine *engine = import->engine;
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(engine->vault_store, KR_STORE_READ, &txn, import->reterr));
  walk->txn = txn;
  return kr_vault_secret_each(engine->vault, txn, &import->org, kr_import_meet, walk,
                              import->reterr);
}

/* Whatever the walk found is told only once its openings are in the audit. */
kr_status kr_import_plan(kr_import *import) {
  kr_import_walk walk = {.import = import};
  kr_status status = kr_import_tag_all(&walk);
  if (status == KR_OK)
    status = kr_import_twins_inside(&walk);
  if (status == KR_OK)
    status = kr_import_walk_all(&walk);
  kr_secret_free(walk.key);
  KR_TRY(status);
  if (import->n_opened == 0)
    return KR_OK;
  return kr_store_write(import->engine->vault_store, kr_import_audit_change, import,
                        import->reterr);
}
