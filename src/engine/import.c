/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import.c - kr_engine_secret_import: a file's entries become items, each is
 * checked as far as it can be by itself, then against what is saved
 * (import_plan.c); if nothing stands against it, all is saved (import_save.c).
 * Names of refused entries are shown only as suggestions, and not where they
 * look like a line of a value whose quotes were forgotten.
 */
#include "engine/import.h"

#include "engine/placeholder.h"
#include "engine/values.h"
#include "secmem/sensitive.h"

#define KR_IMPORT_SHOWN_BYTES 64u /* a longer name that is none is not shown */

/* NOLINTBEGIN(misc-redundant-expression): two headers, one number */
_Static_assert(KR_SECRET_NAME_SIZE == KR_VAULT_NAME_BYTES + 1, "one limit");
_Static_assert((unsigned)KR_IMPORT_EXPANDS == (unsigned)KR_ENV_EXPANDS &&
                   (unsigned)KR_IMPORT_HASH == (unsigned)KR_ENV_HASH &&
                   (unsigned)KR_IMPORT_COMMENT == (unsigned)KR_ENV_COMMENT &&
                   (unsigned)KR_IMPORT_BACKSLASH == (unsigned)KR_ENV_BACKSLASH &&
                   (unsigned)KR_IMPORT_LINE_ENDS == (unsigned)KR_ENV_LINE_ENDS,
               "the notes of the reader are notes of the import");
/* NOLINTEND(misc-redundant-expression) */

kr_status kr_import_add(kr_import *import, const kr_import_item *item) {
  if (kr_import_n_items(import) == KR_ENV_ENTRIES)
    return kr_fail(import->reterr, KR_LIMIT, "the file has more than %u entries", KR_ENV_ENTRIES);
  kr_status status = kr_buf_append(&import->items, kr_str_from(item, sizeof *item));
  return kr_buf_explain(&import->items, status, "the list of entries", import->reterr);
}

/* The reader's entry is borrowed: the value is copied. The name borrows from the file. */
static kr_status kr_import_take_env(void *ctx, const kr_env_entry *entry) {
  kr_import *import = ctx;
  kr_import_item item = {.name = entry->name, .line = entry->line, .notes = entry->notes};
  if (kr_arena_copy(&import->arena, entry->value, &item.value) != KR_OK)
    return kr_fail_nomem(import->reterr);
  return kr_import_add(import, &item);
}

/* ---- items by name ---- */

/* Negative when item a stands before item b: by name, then by line. */
static int kr_import_order(const kr_import *import, uint32_t a, uint32_t b) {
  int order = kr_str_compare(kr_import_at(import, a)->name, kr_import_at(import, b)->name);
  return order != 0 ? order : (a > b) - (a < b);
}

/* A heap sort: in place, and n log n at worst. */
static void kr_import_sift(const kr_import *import, uint32_t *order, size_t root, size_t n) {
  for (size_t child = 2 * root + 1; child < n; root = child, child = 2 * root + 1) {
    if (child + 1 < n && kr_import_order(import, order[child], order[child + 1]) < 0)
      child++;
    if (kr_import_order(import, order[root], order[child]) >= 0)
      return;
    uint32_t kept = order[root];
    order[root] = order[child];
    order[child] = kept;
  }
}

static kr_status kr_import_sort(kr_import *import) {
  size_t n = kr_import_n_items(import);
  for (uint32_t i = 0; i < n; i++) {
    kr_status status = kr_buf_append(&import->sorted, kr_str_from(&i, sizeof i));
    KR_TRY(kr_buf_explain(&import->sorted, status, "the list of entries", import->reterr));
  }
  uint32_t *order = (uint32_t *)(void *)import->sorted.ptr;
  for (size_t i = n / 2; i-- > 0;)
    kr_import_sift(import, order, i, n);
  for (size_t i = n; i-- > 1;) {
    uint32_t largest = order[0];
    order[0] = order[i];
    order[i] = largest;
    kr_import_sift(import, order, 0, i);
  }
  return KR_OK;
}

kr_import_item *kr_import_find(const kr_import *import, kr_str name) {
  const uint32_t *order = (const uint32_t *)(const void *)import->sorted.ptr;
  size_t low = 0;
  size_t high = kr_import_n_items(import);
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int side = kr_str_compare(kr_import_at(import, order[middle])->name, name);
    if (side == 0)
      return kr_import_at(import, order[middle]);
    if (side < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

static kr_status kr_import_check_twice(kr_import *import) {
  const uint32_t *order = (const uint32_t *)(const void *)import->sorted.ptr;
  for (size_t i = 1; i < kr_import_n_items(import); i++) {
    const kr_import_item *first = kr_import_at(import, order[i - 1]);
    const kr_import_item *second = kr_import_at(import, order[i]);
    if (!kr_str_equal(first->name, second->name))
      continue;
    (void)kr_fail(import->reterr, KR_INVALID, "lines %zu and %zu give the same name", first->line,
                  second->line);
    kr_error_hint(import->reterr, "keep one of the two; nothing was saved");
    return KR_INVALID;
  }
  return KR_OK;
}

/* ---- each item by itself ---- */

static kr_status kr_import_refuse(kr_import *import, kr_import_item *item, const char *reason,
                                  const char *hint) {
  item->outcome = KR_IMPORT_REFUSED;
  kr_status status = kr_arena_copy(&import->arena, kr_str_cstr(reason), &item->reason);
  if (status == KR_OK)
    status = kr_arena_copy(&import->arena, kr_str_cstr(hint), &item->hint);
  return status == KR_OK ? KR_OK : kr_fail_nomem(import->reterr);
}

/* The end of a base64 line looks like a name and "="; so it would, were its name suggested, leak.
 */
static bool kr_import_may_suggest(const kr_import *import, const kr_import_item *item) {
  if (import->options->format == KR_IMPORT_JSON)
    return true;
  bool is_padding = item->value.len == 0 || (item->value.len == 1 && item->value.ptr[0] == '=');
  return !is_padding && item->name.len <= KR_IMPORT_SHOWN_BYTES;
}

static kr_status kr_import_check_item(kr_import *import, kr_import_item *item) {
  kr_error cause = {0};
  if (kr_vault_name_check(item->name, &cause) != KR_OK)
    return kr_import_refuse(
        import, item, cause.message,
        kr_import_may_suggest(import, item)
            ? cause.hint
            : "if this line is part of a value, put quotes around the whole value");
  if (kr_vault_value_check(item->value, &cause) != KR_OK ||
      kr_vault_description_check(item->description, &cause) != KR_OK)
    return kr_import_refuse(import, item, cause.message, cause.hint);
  if (item->value.len < KR_REDACT_MIN_SEARCH_BYTES)
    item->notes |= KR_IMPORT_SHORT;
  if (kr_str_trim(item->value).len != item->value.len)
    item->notes |= KR_IMPORT_BLANK_EDGES;
  if (kr_placeholder_is(item->value))
    item->notes |= KR_IMPORT_PLACEHOLDER;
  return KR_OK;
}

/* ---- descriptions: shown and stored as they are, so none may hold a value ---- */

static kr_str kr_import_description(const kr_import_item *item) {
  bool is_saved = item->outcome == KR_IMPORT_NEW || item->outcome == KR_IMPORT_REPLACES;
  if (!is_saved)
    return (kr_str){0};
  return item->description.ptr == NULL ? item->old_description : item->description;
}

static kr_status kr_import_values(kr_import *import, kr_redact_set **ret_set) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *saved = NULL;
  uint64_t generation = 0;
  KR_TRY(kr_values_set(import->engine, &import->org, &saved, &generation, import->reterr));
  KR_TRY(kr_redact_builder_new(&builder, import->reterr));
  if (kr_redact_builder_add_set(builder, saved) != KR_OK)
    return kr_fail_nomem(import->reterr);
  for (size_t i = 0; i < kr_import_n_items(import); i++) {
    const kr_import_item *item = kr_import_at(import, i);
    if (item->outcome != KR_IMPORT_REFUSED)
      KR_TRY(kr_redact_builder_add(builder, item->name, 0, item->value, import->reterr));
  }
  return kr_redact_builder_build(builder, ret_set, import->reterr);
}

static kr_status kr_import_check_description(kr_import *import, kr_redact_set *set,
                                             kr_import_item *item) {
  kr_str description = kr_import_description(item);
  KR_CLEANUP(kr_buf_done) kr_buf clean = KR_BUF_INIT(SIZE_MAX / 2, kr_sensitive_memory());
  if (description.len == 0)
    return KR_OK;
  if (kr_redact_bytes(set, description, NULL, &clean, NULL) != KR_OK)
    return kr_fail_nomem(import->reterr);
  if (kr_str_equal(kr_buf_str(&clean), description))
    return KR_OK;
  return kr_import_refuse(import, item, "the description holds the value of a secret",
                          "descriptions are not encrypted; give another one");
}

static kr_status kr_import_check_descriptions(kr_import *import) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  for (size_t i = 0; i < kr_import_n_items(import); i++) {
    kr_import_item *item = kr_import_at(import, i);
    if (kr_import_description(item).len == 0)
      continue;
    if (set == NULL)
      KR_TRY(kr_import_values(import, &set));
    KR_TRY(kr_import_check_description(import, set, item));
  }
  return KR_OK;
}

/* ---- all of it ---- */

static size_t kr_import_count(const kr_import *import, kr_import_outcome outcome) {
  size_t n = 0;
  for (size_t i = 0; i < kr_import_n_items(import); i++)
    n += kr_import_at(import, i)->outcome == outcome;
  return n;
}

static kr_status kr_import_verdict(const kr_import *import) {
  size_t n_refused = kr_import_count(import, KR_IMPORT_REFUSED);
  size_t n_replaced = kr_import_count(import, KR_IMPORT_REPLACES);
  if (n_refused > 0) {
    (void)kr_fail(import->reterr, KR_INVALID, "%zu of %zu entries cannot be saved", n_refused,
                  kr_import_n_items(import));
    kr_error_hint(import->reterr, "nothing was saved: mend these lines, or take them out");
    return KR_INVALID;
  }
  if (n_replaced == 0 || import->options->replace)
    return KR_OK;
  (void)kr_fail(import->reterr, KR_EXISTS, "%zu of %zu secrets are saved with another value",
                n_replaced, kr_import_n_items(import));
  kr_error_hint(import->reterr, "nothing was saved; --replace saves their new values as new "
                                "versions");
  return KR_EXISTS;
}

static const char *kr_import_text(kr_str text) {
  return text.ptr == NULL ? "" : (const char *)text.ptr;
}

static kr_status kr_import_show(kr_import *import, kr_import_row_visit visit, void *ctx) {
  for (size_t i = 0; visit != NULL && i < kr_import_n_items(import); i++) {
    const kr_import_item *item = kr_import_at(import, i);
    char name[KR_SECRET_NAME_SIZE] = "";
    if (kr_vault_name_check(item->name, NULL) == KR_OK)
      memcpy(name, item->name.ptr, item->name.len);
    const kr_import_row row = {.name = name,
                               .line = item->line,
                               .outcome = item->outcome,
                               .version = item->version,
                               .new_version = item->new_version,
                               .notes = item->notes,
                               .duplicate_of = item->duplicate_of == NULL ? "" : item->duplicate_of,
                               .reason = kr_import_text(item->reason),
                               .hint = kr_import_text(item->hint)};
    KR_TRY(visit(ctx, &row));
  }
  return KR_OK;
}

static kr_status kr_import_read(kr_import *import, kr_str bytes) {
  KR_TRY(kr_engine_need_key(import->engine, import->reterr));
  KR_TRY(kr_vault_environment_check(import->options->environment, import->reterr));
  KR_TRY(kr_engine_org(import->engine, import->options->org, &import->org, import->reterr));
  KR_TRY(import->options->format == KR_IMPORT_JSON
             ? kr_import_read_json(import, bytes)
             : kr_env_read(bytes, kr_import_take_env, import, import->reterr));
  if (kr_import_n_items(import) == 0)
    return kr_fail_hint(import->reterr, KR_INVALID, "there is no entry in it",
                        "an entry is NAME=value, or a member of a JSON object");
  KR_TRY(kr_import_sort(import));
  return kr_import_check_twice(import);
}

static kr_status kr_import_run(kr_import *import, kr_str bytes, kr_import_row_visit visit,
                               void *ctx) {
  KR_TRY(kr_import_read(import, bytes));
  for (size_t i = 0; i < kr_import_n_items(import); i++)
    KR_TRY(kr_import_check_item(import, kr_import_at(import, i)));
  KR_TRY(kr_import_plan(import));
  KR_TRY(kr_import_check_descriptions(import));
  kr_status verdict = kr_import_verdict(import);
  if (verdict == KR_OK && !import->options->is_dry)
    KR_TRY(kr_import_save(import));
  KR_TRY(kr_import_show(import, visit, ctx));
  return verdict;
}

kr_status kr_engine_secret_import(kr_engine *engine, const kr_import_options *options, kr_str bytes,
                                  kr_import_row_visit visit, void *ctx, kr_error *reterr) {
  kr_import import = {.engine = engine,
                      .options = options,
                      .arena = KR_ARENA_INIT(KR_IMPORT_ARENA_BYTES, kr_sensitive_memory()),
                      .items = KR_BUF_INIT(SIZE_MAX / 2, kr_sensitive_memory()),
                      .sorted = KR_BUF_INIT(SIZE_MAX / 2, NULL),
                      .now_ms = kr_clock_wall_ms(engine->clock),
                      .reterr = reterr};
  kr_status status = kr_import_run(&import, bytes, visit, ctx);
  kr_buf_done(&import.sorted);
  kr_buf_done(&import.items);
  kr_arena_done(&import.arena);
  return status;
}
