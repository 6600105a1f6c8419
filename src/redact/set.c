/* SPDX-License-Identifier: Apache-2.0 */
/* set.c - collecting values, and building the immutable set from them. */
#include "redact/set.h"

#include "secmem/sensitive.h"

#include <stdlib.h>

struct kr_redact_builder {
  kr_arena arena;
  kr_buf entries;
  size_t total; /* bytes of values */
  uint32_t enabled;
};

const char *kr_redact_form_name(kr_redact_form form) {
  static const char *const names[KR_FORM_COUNT] = {
      "span", "raw", "percent", "json-twice", "json", "html", "base64", "hex", "line", "leaf"};
  return (unsigned)form < KR_FORM_COUNT ? names[form] : "unknown";
}

kr_redact_form kr_redact_form_named(kr_str name) {
  kr_redact_form form = KR_FORM_SPAN;
  while (form < KR_FORM_COUNT && !kr_str_equal(name, kr_str_cstr(kr_redact_form_name(form))))
    form++;
  return form;
}

static void kr_redact_builder_clear(kr_redact_builder *builder) {
  kr_arena_done(&builder->arena);
  kr_buf_done(&builder->entries);
  builder->arena = KR_ARENA_INIT(SIZE_MAX, kr_sensitive_memory());
  builder->entries = KR_BUF_INIT(SIZE_MAX, kr_sensitive_memory());
  builder->total = 0;
  builder->enabled = KR_REDACT_ALL_FORMS;
}

void kr_redact_builder_set_forms(kr_redact_builder *builder, uint32_t forms) {
  builder->enabled = forms | KR_REDACT_FORM_BIT(KR_FORM_RAW);
}

kr_status kr_redact_builder_new(kr_redact_builder **ret_builder, kr_error *reterr) {
  kr_redact_builder *builder = calloc(1, sizeof(*builder));
  if (builder == NULL)
    return kr_fail_nomem(reterr);
  kr_redact_builder_clear(builder);
  *ret_builder = builder;
  return KR_OK;
}

void kr_redact_builder_free(kr_redact_builder *builder) {
  if (builder == NULL)
    return;
  kr_redact_builder_clear(builder);
  free(builder);
}

static kr_status kr_redact_builder_check(const kr_redact_builder *builder, kr_str name,
                                         kr_str value, kr_error *reterr) {
  if (name.len > KR_REDACT_NAME_BYTES)
    return kr_fail(reterr, KR_LIMIT, "a name in the redaction set is over %u bytes",
                   KR_REDACT_NAME_BYTES);
  if (kr_str_trim(value).len == 0)
    return kr_fail(reterr, KR_INVALID,
                   "the value of %.*s is empty or blank, so it cannot be redacted", KR_FMT(name));
  if (value.len > KR_REDACT_MAX_VALUE_BYTES)
    return kr_fail(reterr, KR_LIMIT,
                   "the value of %.*s is over the %u bytes a redacted value may have", KR_FMT(name),
                   KR_REDACT_MAX_VALUE_BYTES);
  if (kr_redact_n_entries(&builder->entries) >= KR_REDACT_MAX_VALUES)
    return kr_fail(reterr, KR_LIMIT, "a redaction set holds at most %u values",
                   KR_REDACT_MAX_VALUES);
  if (value.len > KR_REDACT_TOTAL_BYTES - builder->total)
    return kr_fail(reterr, KR_LIMIT, "the values of a redaction set are over %u bytes in all",
                   KR_REDACT_TOTAL_BYTES);
  return KR_OK;
}

kr_status kr_redact_builder_add_secret(kr_redact_builder *builder, const kr_redact_secret *value,
                                       kr_error *reterr) {
  KR_TRY(kr_redact_builder_check(builder, value->name, value->bytes, reterr));
  kr_redact_entry entry = {.version = value->version, .min_search = value->min_search};
  if (entry.min_search == 0)
    entry.min_search = KR_REDACT_MIN_SEARCH_BYTES;
  kr_status status = kr_arena_copy(&builder->arena, value->name, &entry.name);
  if (status == KR_OK)
    status = kr_arena_copy(&builder->arena, value->bytes, &entry.value);
  if (status == KR_OK)
    status = kr_buf_append(&builder->entries, kr_str_from(&entry, sizeof(entry)));
  if (status != KR_OK)
    return kr_fail_nomem(reterr);
  builder->total += value->bytes.len;
  return KR_OK;
}

kr_status kr_redact_builder_add(kr_redact_builder *builder, kr_str name, uint32_t version,
                                kr_str value, kr_error *reterr) {
  const kr_redact_secret plain = {.name = name, .bytes = value, .version = version};
  return kr_redact_builder_add_secret(builder, &plain, reterr);
}

kr_status kr_redact_builder_add_set(kr_redact_builder *builder, const kr_redact_set *set) {
  for (size_t i = 0; i < kr_redact_set_n_values(set); i++) {
    const kr_redact_entry *entry = kr_redact_entry_at(set, i);
    const kr_redact_secret value = {.name = entry->name,
                                    .bytes = entry->value,
                                    .version = entry->version,
                                    .min_search = entry->min_search};
    KR_TRY(kr_redact_builder_add_secret(builder, &value, NULL));
  }
  return KR_OK;
}

/* Orders pointers to entries by all they hold, then by when they were added. */
static int kr_redact_entry_compare(const void *left, const void *right) {
  const kr_redact_entry *a = *(const kr_redact_entry *const *)left;
  const kr_redact_entry *b = *(const kr_redact_entry *const *)right;
  int order = kr_str_compare(a->value, b->value);
  if (order == 0)
    order = kr_str_compare(a->name, b->name);
  if (order != 0)
    return order;
  if (a->version != b->version)
    return a->version < b->version ? -1 : 1;
  if (a->min_search != b->min_search)
    return a->min_search < b->min_search ? -1 : 1; /* the one that catches more is kept */
  return a < b ? -1 : a > b;
}

/* Keep the first of entries that are equal in name, version and value; keep the order. */
static kr_status kr_redact_entries_dedupe(kr_buf *entries) {
  size_t n = kr_redact_n_entries(entries);
  kr_redact_entry *items = (kr_redact_entry *)(void *)entries->ptr;
  if (n < 2)
    return KR_OK;
  kr_redact_entry **order = calloc(n, sizeof(kr_redact_entry *));
  if (order == NULL)
    return KR_NOMEM;
  for (size_t i = 0; i < n; i++)
    order[i] = &items[i];
  qsort(order, n, sizeof(kr_redact_entry *), kr_redact_entry_compare);
  kr_redact_entry *kept = order[0];
  for (size_t i = 1; i < n; i++) {
    bool is_same = kr_str_equal(kept->value, order[i]->value) &&
                   kr_str_equal(kept->name, order[i]->name) && kept->version == order[i]->version;
    if (is_same)
      order[i]->value.len = 0; /* values are never empty: this marks a duplicate */
    else
      kept = order[i];
  }
  free(order);
  size_t n_kept = 0;
  for (size_t i = 0; i < n; i++)
    if (items[i].value.len > 0)
      items[n_kept++] = items[i];
  entries->len = n_kept * sizeof(kr_redact_entry);
  return KR_OK;
}

size_t kr_redact_longest_pattern(const kr_buf *patterns) {
  size_t longest = 0;
  for (size_t i = 0; i < kr_redact_n_patterns(patterns); i++) {
    size_t len = kr_redact_patterns_at(patterns)[i].bytes.len;
    longest = len > longest ? len : longest;
  }
  return longest;
}

static kr_status kr_redact_set_compile(kr_redact_set *set) {
  kr_redact_patterns *patterns = &set->patterns;
  for (size_t i = 0; i < kr_redact_n_entries(&set->entries); i++) {
    const kr_redact_entry *entry = kr_redact_entry_at(set, i);
    set->n_short += entry->value.len < entry->min_search;
    KR_TRY(kr_redact_patterns_add(patterns, set, i));
  }
  kr_redact_pattern *forms = kr_redact_patterns_at(&patterns->forms);
  kr_redact_pattern *hex = kr_redact_patterns_at(&patterns->hex);
  size_t n_forms = kr_redact_n_patterns(&patterns->forms);
  size_t n_hex = kr_redact_n_patterns(&patterns->hex);
  if (n_forms >= UINT32_MAX - n_hex)
    return KR_LIMIT;
  kr_redact_patterns_sort(forms, n_forms);
  kr_redact_patterns_sort(hex, n_hex);
  return kr_sieve_init(&set->sieve, forms, n_forms, hex, n_hex);
}

kr_status kr_redact_builder_build(kr_redact_builder *builder, kr_redact_set **ret_set,
                                  kr_error *reterr) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = calloc(1, sizeof(*set));
  if (set == NULL)
    return kr_fail_nomem(reterr);
  atomic_init(&set->references, 1);
  set->enabled = builder->enabled;
  set->arena = builder->arena;
  set->entries = builder->entries;
  set->patterns = kr_redact_patterns_init();
  builder->arena = KR_ARENA_INIT(0, NULL); /* taken over */
  builder->entries = KR_BUF_INIT(0, NULL);
  kr_redact_builder_clear(builder);
  kr_status status = kr_verify_slot_new(&set->verifier);
  if (status == KR_OK)
    status = kr_redact_lazy_new(&set->lazy);
  if (status == KR_OK)
    status = kr_redact_entries_dedupe(&set->entries);
  if (status == KR_OK)
    status = kr_redact_set_compile(set);
  if (status == KR_LIMIT)
    return kr_fail(reterr, KR_LIMIT, "the forms of the redaction set are too many to index");
  if (status != KR_OK)
    return kr_fail_nomem(reterr);
  *ret_set = KR_TAKE(set);
  return KR_OK;
}

kr_redact_set *kr_redact_set_ref(kr_redact_set *set) {
  atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
  return set;
}

void kr_redact_set_free(kr_redact_set *set) {
  if (set == NULL)
    return;
  if (atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1)
    return;
  kr_redact_lazy_free(set->lazy);
  kr_verify_slot_free(set->verifier);
  kr_sieve_done(&set->sieve);
  kr_redact_patterns_done(&set->patterns);
  kr_buf_done(&set->entries);
  kr_arena_done(&set->arena);
  free(set);
}

uint32_t kr_redact_set_forms(const kr_redact_set *set) { return set->enabled; }

size_t kr_redact_set_n_values(const kr_redact_set *set) {
  return kr_redact_n_entries(&set->entries);
}

size_t kr_redact_set_n_short(const kr_redact_set *set) { return set->n_short; }

bool kr_redact_set_is_longer(const kr_redact_set *set, size_t len) {
  for (size_t i = 0; i < kr_redact_n_entries(&set->entries); i++)
    if (kr_redact_entry_at(set, i)->value.len > len)
      return true;
  return false;
}

kr_str kr_redact_set_name(const kr_redact_set *set, size_t index) {
  return kr_redact_entry_at(set, index)->name;
}

uint32_t kr_redact_set_version(const kr_redact_set *set, size_t index) {
  return kr_redact_entry_at(set, index)->version;
}
