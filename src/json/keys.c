/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.c - duplicate keys in three ways, by the size of the object.
 *
 *   linear   up to KR_JSON_LINEAR_KEYS members: a 256-bit set of cheap
 *            fingerprints tells most keys apart without a comparison
 *   hashed   more: a table of member indexes, open addressing, half full
 *   sorted   when hostile keys collide in the table: heap sort, whose worst
 *            case is n log n, so that no input makes this quadratic
 *
 * Tables hold member indexes, never bytes of keys, hence the ordinary heap.
 */
#include "json/keys.h"

static bool kr_json_keys_equal(const kr_json_member *a, const kr_json_member *b) {
  return kr_str_equal(kr_json_text(&a->key), kr_json_text(&b->key));
}

/* One byte from those in which the keys of one object usually differ. */
static uint8_t kr_json_keys_fingerprint(const kr_json *key) {
  size_t len = key->count;
  if (len == 0)
    return 0;
  const uint8_t *text = key->text;
  unsigned last_but_one = text[len < 2 ? 0 : len - 2];
  unsigned sum = text[0] * 5u + text[len / 2] * 3u + last_but_one * 7u + text[len - 1] * 11u;
  return (uint8_t)(sum + (unsigned)len * 13u);
}

size_t kr_json_keys_linear(const kr_json_member *members, size_t n_members) {
  uint8_t fingerprints[KR_JSON_LINEAR_KEYS]; /* of the first members; the tests come with more */
  uint64_t seen[4] = {0};
  for (size_t i = 0; i < n_members; i++) {
    uint8_t fingerprint = kr_json_keys_fingerprint(&members[i].key);
    uint64_t bit = UINT64_C(1) << (fingerprint & 63);
    bool is_maybe_known = (seen[fingerprint >> 6] & bit) != 0;
    seen[fingerprint >> 6] |= bit;
    if (i < KR_JSON_LINEAR_KEYS)
      fingerprints[i] = fingerprint;
    for (size_t j = 0; is_maybe_known && j < i; j++)
      if ((j >= KR_JSON_LINEAR_KEYS || fingerprints[j] == fingerprint) &&
          kr_json_keys_equal(&members[i], &members[j]))
        return i;
  }
  return n_members;
}

static uint64_t kr_json_keys_mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
  return hash ^ hash >> 32;
}

/* Up to eight bytes as a number; the loads of 4 to 7 bytes overlap. */
static uint64_t kr_json_keys_short(kr_str key) {
  if (key.len >= 4) {
    uint32_t head = 0;
    uint32_t tail = 0;
    memcpy(&head, key.ptr, sizeof head);
    memcpy(&tail, key.ptr + key.len - sizeof tail, sizeof tail);
    return (uint64_t)head << 32 | tail;
  }
  if (key.len == 0)
    return 0;
  return (uint64_t)key.ptr[0] << 16 | (uint64_t)key.ptr[key.len / 2] << 8 | key.ptr[key.len - 1];
}

uint64_t kr_json_keys_hash(kr_str key) {
  uint64_t hash = kr_json_keys_mix(0, key.len);
  if (key.len < 8)
    return kr_json_keys_mix(hash, kr_json_keys_short(key));
  uint64_t word = 0;
  for (size_t i = 0; key.len - i >= sizeof word; i += sizeof word) {
    memcpy(&word, key.ptr + i, sizeof word);
    hash = kr_json_keys_mix(hash, word);
  }
  memcpy(&word, key.ptr + key.len - sizeof word, sizeof word); /* may overlap the last one */
  return kr_json_keys_mix(hash, word);
}

/* The table: slot -> member index + 1, 0 when empty. */
static kr_status kr_json_keys_fill(const kr_json_member *members, size_t n_members, uint32_t *table,
                                   size_t mask, size_t *ret_index) {
  size_t probes_left = n_members * KR_JSON_PROBES_PER_KEY;
  for (size_t i = 0; i < n_members; i++) {
    size_t slot = kr_json_keys_hash(kr_json_text(&members[i].key)) & mask;
    for (; table[slot] != 0; slot = (slot + 1) & mask) {
      if (kr_json_keys_equal(&members[i], &members[table[slot] - 1])) {
        *ret_index = i;
        return KR_OK;
      }
      if (probes_left-- == 0)
        return KR_LIMIT;
    }
    table[slot] = (uint32_t)i + 1;
  }
  *ret_index = n_members;
  return KR_OK;
}

kr_status kr_json_keys_hashed(const kr_json_member *members, size_t n_members, size_t *ret_index) {
  size_t n_slots = 16;
  while (n_slots / 2 < n_members && n_slots <= SIZE_MAX / 16)
    n_slots *= 2;
  size_t size = n_slots * sizeof(uint32_t);
  uint32_t *table = kr_heap_memory()->alloc(size);
  if (table == NULL)
    return KR_NOMEM;
  memset(table, 0, size);
  kr_status status = kr_json_keys_fill(members, n_members, table, n_slots - 1, ret_index);
  kr_heap_memory()->release(table, size);
  return status;
}

/* By length, then bytes, then place: equal keys end up side by side, in order. */
static bool kr_json_keys_less(const kr_json_member *members, uint32_t a, uint32_t b) {
  const kr_json *x = &members[a].key;
  const kr_json *y = &members[b].key;
  if (x->count != y->count)
    return x->count < y->count;
  int order = x->count == 0 ? 0 : memcmp(x->text, y->text, x->count);
  return order != 0 ? order < 0 : a < b;
}

static void kr_json_keys_sift(const kr_json_member *members, uint32_t *heap, size_t root,
                              size_t n_items) {
  while (root * 2 + 1 < n_items) {
    size_t child = root * 2 + 1;
    if (child + 1 < n_items && kr_json_keys_less(members, heap[child], heap[child + 1]))
      child++;
    if (!kr_json_keys_less(members, heap[root], heap[child]))
      return;
    uint32_t swapped = heap[root];
    heap[root] = heap[child];
    heap[child] = swapped;
    root = child;
  }
}

kr_status kr_json_keys_sorted(const kr_json_member *members, size_t n_members, size_t *ret_index) {
  size_t size = 0;
  if (!kr_size_mul(n_members, sizeof(uint32_t), &size))
    return KR_NOMEM;
  uint32_t *order = kr_heap_memory()->alloc(size);
  if (order == NULL)
    return KR_NOMEM;
  for (size_t i = 0; i < n_members; i++)
    order[i] = (uint32_t)i;
  for (size_t i = n_members / 2; i > 0; i--)
    kr_json_keys_sift(members, order, i - 1, n_members);
  for (size_t n_left = n_members; n_left > 1; n_left--) {
    uint32_t largest = order[0];
    order[0] = order[n_left - 1];
    order[n_left - 1] = largest;
    kr_json_keys_sift(members, order, 0, n_left - 1);
  }
  size_t first = n_members;
  for (size_t i = 1; i < n_members; i++)
    if (order[i] < first && kr_json_keys_equal(&members[order[i - 1]], &members[order[i]]))
      first = order[i];
  kr_heap_memory()->release(order, size);
  *ret_index = first;
  return KR_OK;
}

kr_status kr_json_keys_check(const kr_json_member *members, size_t n_members, size_t *ret_index) {
  if (n_members <= KR_JSON_LINEAR_KEYS) {
    *ret_index = kr_json_keys_linear(members, n_members);
    return KR_OK;
  }
  kr_status status = kr_json_keys_hashed(members, n_members, ret_index);
  return status == KR_LIMIT ? kr_json_keys_sorted(members, n_members, ret_index) : status;
}
