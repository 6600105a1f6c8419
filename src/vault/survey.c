/* SPDX-License-Identifier: Apache-2.0 */
/*
 * survey.c - the walk over everything the vault keeps, past damage. One pass
 * over the stored bytes: each record is opened (a value under its data key,
 * which is kept while its organization lasts) and added to the sum of its
 * organization; in the end the sums stand against manifests and head. Only
 * where one differs, a second pass asks which record is missing.
 *
 *   "v0" "vh" | "vo" organizations, "vm" manifests | "vk" data keys | "vv" values | "vs" metadata
 */
#include "store/readable.h"
#include "vault/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define KR_SURVEY_KEYS 16u /* data keys of one organization kept open */

typedef struct kr_survey_org {
  kr_org org;
  kr_manifest manifest;
  bool has_manifest; /* a good one */
  kr_sum sum;
  uint64_t n_records;
  uint32_t n_secrets;
} kr_survey_org;

typedef struct kr_survey_key {
  uint32_t id;
  kr_secret *key;
} kr_survey_key;

typedef struct kr_vault_walk {
  kr_vault *vault;
  const kr_survey *survey;
  kr_store_reading reading;
  kr_vault_counts counts;
  kr_survey_org *orgs; /* sorted by id once all are read */
  size_t n_orgs;
  size_t cap_orgs;
  kr_sum head_sum;
  uint32_t next_org_id; /* 0: the head cannot be read */

  uint32_t key_org_id;
  kr_survey_key keys[KR_SURVEY_KEYS];
  size_t n_keys;
  size_t next_key; /* the one to give up for another */
} kr_vault_walk;

static void kr_vault_walk_drop_keys(kr_vault_walk *walk) {
  for (size_t i = 0; i < walk->n_keys; i++)
    kr_secret_free(walk->keys[i].key);
  memset(walk->keys, 0, sizeof walk->keys);
  walk->n_keys = 0;
  walk->next_key = 0;
}

static void kr_vault_walk_done(kr_vault_walk *walk) {
  kr_vault_walk_drop_keys(walk);
  kr_store_reading_done(&walk->reading);
  if (walk->orgs != NULL)
    kr_heap_memory()->release(walk->orgs, walk->cap_orgs * sizeof *walk->orgs);
}

/* ---- telling ---- */

static kr_status kr_vault_walk_good(kr_vault_walk *walk, kr_str at, kr_str record,
                                    kr_error *reterr) {
  if (walk->survey->good == NULL)
    return KR_OK;
  return walk->survey->good(walk->survey->ctx, at, record, reterr);
}

static void kr_survey_text(kr_str text, char *out, size_t size) {
  size_t len = text.len < size ? text.len : size - 1;
  if (len > 0)
    memcpy(out, text.ptr, len);
  out[len] = '\0';
}

static void kr_vault_walk_tell(kr_vault_walk *walk, const kr_survey_org *of,
                               const kr_value_name *secret, const char *what) {
  char name[KR_VAULT_NAME_BYTES + 1];
  char environment[KR_ENVIRONMENT_BYTES + 1];
  kr_survey_text(secret == NULL ? (kr_str){0} : secret->name, name, sizeof name);
  kr_survey_text(secret == NULL ? (kr_str){0} : secret->environment, environment,
                 sizeof environment);
  const kr_damage damage = {.what = what,
                            .organization = of == NULL ? "" : of->org.name,
                            .org_id = of == NULL ? 0 : of->org.id,
                            .environment = environment,
                            .secret = name,
                            .version = secret == NULL ? 0 : secret->version};
  walk->survey->damaged(walk->survey->ctx, &damage);
}

/* Damage is told and gone over; what is left is a failure of the walk itself. */
static kr_status kr_vault_walk_note(kr_vault_walk *walk, const kr_survey_org *of,
                                    const kr_value_name *secret, kr_status status,
                                    const kr_error *error, kr_error *reterr) {
  if (status == KR_NOMEM || status == KR_INTERNAL) {
    if (reterr != NULL)
      *reterr = *error;
    return status;
  }
  kr_vault_walk_tell(walk, of, secret, error->message);
  return KR_OK;
}

/* ---- organizations ---- */

static kr_survey_org *kr_vault_walk_org(kr_vault_walk *walk, uint32_t org_id) {
  size_t low = 0;
  size_t high = walk->n_orgs;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (walk->orgs[middle].org.id < org_id)
      low = middle + 1;
    else
      high = middle;
  }
  return low < walk->n_orgs && walk->orgs[low].org.id == org_id ? &walk->orgs[low] : NULL;
}

static kr_status kr_vault_walk_add_org(kr_vault_walk *walk, const kr_org *org, kr_error *reterr) {
  const kr_allocator *heap = kr_heap_memory();
  if (walk->n_orgs == walk->cap_orgs) {
    size_t cap = walk->cap_orgs == 0 ? 16 : walk->cap_orgs * 2;
    size_t size = 0;
    kr_survey_org *orgs = kr_size_mul(cap, sizeof *walk->orgs, &size) ? heap->alloc(size) : NULL;
    if (orgs == NULL)
      return kr_fail_nomem(reterr);
    if (walk->n_orgs > 0)
      memcpy(orgs, walk->orgs, walk->n_orgs * sizeof *orgs);
    if (walk->orgs != NULL)
      heap->release(walk->orgs, walk->cap_orgs * sizeof *orgs);
    walk->orgs = orgs;
    walk->cap_orgs = cap;
  }
  walk->orgs[walk->n_orgs++] = (kr_survey_org){.org = *org};
  return KR_OK;
}

static kr_status kr_vault_walk_head_element(kr_vault_walk *walk, kr_str at, kr_str record,
                                            kr_error *reterr) {
  kr_sum element;
  KR_TRY(kr_sum_element(walk->vault, at, record, &element, reterr));
  kr_sum_add(&walk->head_sum, &element);
  return KR_OK;
}

static kr_status kr_vault_step_org(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_vault_walk *walk = ctx;
  kr_org org;
  kr_error error = {0};
  walk->counts.records++;
  kr_status status = kr_org_parse(walk->vault, at, record, &org, &error);
  if (status != KR_OK)
    return kr_vault_walk_note(walk, NULL, NULL, status, &error, reterr);
  walk->counts.organizations++;
  KR_TRY(kr_vault_walk_head_element(walk, at, record, reterr));
  KR_TRY(kr_vault_walk_add_org(walk, &org, reterr));
  return kr_vault_walk_good(walk, at, record, reterr);
}

static int kr_survey_org_order(const void *a, const void *b) {
  const kr_survey_org *left = a;
  const kr_survey_org *right = b;
  return left->org.id < right->org.id ? -1 : left->org.id > right->org.id;
}

/* Two names of one id cannot come from us; the second would hide behind the first. */
static void kr_vault_walk_sort_orgs(kr_vault_walk *walk) {
  if (walk->n_orgs > 0)
    qsort(walk->orgs, walk->n_orgs, sizeof *walk->orgs, kr_survey_org_order);
  for (size_t i = 1; i < walk->n_orgs; i++)
    if (walk->orgs[i].org.id == walk->orgs[i - 1].org.id)
      kr_vault_walk_tell(walk, &walk->orgs[i], NULL, "two organizations have the same id");
}

static kr_status kr_vault_step_manifest(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_vault_walk *walk = ctx;
  kr_error error = {0};
  uint32_t org_id = 0;
  kr_str rest = {0};
  walk->counts.records++;
  bool is_place = kr_place_read_org(at, &org_id, &rest) && rest.len == 0;
  kr_survey_org *of = is_place ? kr_vault_walk_org(walk, org_id) : NULL;
  if (of == NULL) {
    kr_vault_walk_tell(walk, NULL, NULL, "a manifest of no organization that is there");
    return KR_OK;
  }
  kr_status status = kr_manifest_parse(walk->vault, org_id, record, &of->manifest, &error);
  if (status != KR_OK)
    return kr_vault_walk_note(walk, of, NULL, status, &error, reterr);
  of->has_manifest = true;
  return kr_vault_walk_head_element(walk, at, record, reterr);
}

/* ---- records of organizations ---- */

/*
 * Ids are never used twice: a secret of one that was given out and that no
 * organization has is what a deletion that was interrupted has left. No key
 * opens it, and the next deletion or purge sweeps it away.
 */
static bool kr_vault_walk_is_left(const kr_vault_walk *walk, kr_str at, uint32_t org_id) {
  bool is_secret = at.len > 2 && (at.ptr[1] == 's' || at.ptr[1] == 'v');
  return is_secret && org_id > 0 && org_id < walk->next_org_id;
}

/* Count and sum a record for its organization; NULL (and told) when there is none. */
static kr_status kr_vault_walk_add(kr_vault_walk *walk, kr_str at, kr_str record,
                                   kr_survey_org **ret_of, kr_str *ret_rest, kr_error *reterr) {
  uint32_t org_id = 0;
  kr_sum element;
  walk->counts.records++;
  *ret_of = NULL;
  if (kr_place_read_org(at, &org_id, ret_rest))
    *ret_of = kr_vault_walk_org(walk, org_id);
  if (*ret_of == NULL) {
    if (!kr_vault_walk_is_left(walk, at, org_id))
      kr_vault_walk_tell(walk, NULL, NULL, "a record of no organization that is there");
    return KR_OK;
  }
  KR_TRY(kr_sum_element(walk->vault, at, record, &element, reterr));
  kr_sum_add(&(*ret_of)->sum, &element);
  (*ret_of)->n_records++;
  return KR_OK;
}

static kr_status kr_vault_step_key(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_vault_walk *walk = ctx;
  kr_survey_org *of = NULL;
  kr_error error = {0};
  kr_str rest = {0};
  KR_TRY(kr_vault_walk_add(walk, at, record, &of, &rest, reterr));
  if (of == NULL)
    return KR_OK;
  KR_CLEANUP(kr_secret_freep) kr_secret *key = NULL;
  kr_wire_reader reader = kr_wire_reader_init(rest);
  uint32_t key_id = kr_wire_get_u32(&reader);
  if (!kr_wire_is_end(&reader)) {
    kr_vault_walk_tell(walk, of, NULL, "a record in no known place");
    return KR_OK;
  }
  kr_status status =
      kr_data_key_open(walk->vault, walk->reading.txn, of->org.id, key_id, &key, &error);
  if (status != KR_OK)
    return kr_vault_walk_note(walk, of, NULL, status, &error, reterr);
  walk->counts.data_keys++;
  return kr_vault_walk_good(walk, at, record, reterr);
}

/* The data key, from those that are open, or opened in place of one of them. */
static kr_status kr_vault_walk_data_key(kr_vault_walk *walk, uint32_t org_id, uint32_t key_id,
                                        const kr_secret **ret_key, kr_error *reterr) {
  if (walk->key_org_id != org_id)
    kr_vault_walk_drop_keys(walk);
  walk->key_org_id = org_id;
  for (size_t i = 0; i < walk->n_keys; i++) {
    if (walk->keys[i].id != key_id)
      continue;
    *ret_key = walk->keys[i].key;
    return KR_OK;
  }
  kr_secret *key = NULL;
  KR_TRY(kr_data_key_open(walk->vault, walk->reading.txn, org_id, key_id, &key, reterr));
  size_t i = walk->n_keys < KR_SURVEY_KEYS ? walk->n_keys++ : walk->next_key++ % KR_SURVEY_KEYS;
  kr_secret_free(walk->keys[i].key);
  walk->keys[i] = (kr_survey_key){.id = key_id, .key = key};
  *ret_key = key;
  return KR_OK;
}

static kr_status kr_vault_walk_open(kr_vault_walk *walk, const kr_value_name *name, kr_str record,
                                    kr_error *reterr) {
  KR_CLEANUP(kr_secret_freep) kr_secret *value = NULL;
  const kr_secret *key = NULL;
  uint32_t key_id = 0;
  if (!kr_value_key_id(record, &key_id))
    return kr_vault_corrupt(reterr, "secret %.*s, version %u, is cut short", KR_FMT(name->name),
                            name->version);
  KR_TRY(kr_vault_walk_data_key(walk, name->org_id, key_id, &key, reterr));
  return kr_value_open_with(walk->vault, key, name, record, &value, reterr);
}

static kr_status kr_vault_step_value(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_vault_walk *walk = ctx;
  kr_survey_org *of = NULL;
  kr_error error = {0};
  kr_value_name name = {0};
  kr_str rest = {0};
  KR_TRY(kr_vault_walk_add(walk, at, record, &of, &rest, reterr));
  if (of == NULL)
    return KR_OK;
  name.org_id = of->org.id;
  if (!kr_place_read_value(rest, &name.name, &name.environment, &name.version)) {
    kr_vault_walk_tell(walk, of, NULL, "a record in no known place");
    return KR_OK;
  }
  kr_status status = kr_vault_walk_open(walk, &name, record, &error);
  if (status != KR_OK)
    return kr_vault_walk_note(walk, of, &name, status, &error, reterr);
  walk->counts.values++;
  return kr_vault_walk_good(walk, at, record, reterr);
}

static kr_status kr_vault_step_meta(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_vault_walk *walk = ctx;
  kr_survey_org *of = NULL;
  kr_error error = {0};
  kr_value_name name = {0};
  kr_str rest = {0};
  kr_meta_record meta;
  KR_TRY(kr_vault_walk_add(walk, at, record, &of, &rest, reterr));
  if (of == NULL)
    return KR_OK;
  of->n_secrets++;
  bool is_named = kr_place_read_secret(rest, &name.name, &name.environment);
  kr_status status = kr_meta_parse(walk->vault, of->org.id, at, record, &meta, &error);
  if (status != KR_OK)
    return kr_vault_walk_note(walk, of, is_named ? &name : NULL, status, &error, reterr);
  walk->counts.secrets++;
  return kr_vault_walk_good(walk, at, record, reterr);
}

/* ---- what is missing ---- */

typedef struct kr_survey_missing {
  kr_vault_walk *walk;
  const kr_survey_org *of;
} kr_survey_missing;

static kr_status kr_vault_step_missing(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_survey_missing *missing = ctx;
  kr_vault_walk *walk = missing->walk;
  uint32_t org_id = missing->of->org.id;
  kr_meta_record meta;
  (void)reterr;
  if (kr_meta_parse(walk->vault, org_id, at, record, &meta, NULL) != KR_OK)
    return KR_OK;
  kr_value_name name = {.org_id = org_id,
                        .name = kr_str_cstr(meta.meta.name),
                        .environment = kr_str_cstr(meta.meta.environment)};
  for (uint32_t i = 0; i < meta.n_versions; i++) {
    name.version = meta.versions[i].version;
    kr_vault_place place = kr_place_value(org_id, name.name, name.environment, name.version);
    kr_str value = {0};
    if (kr_store_get(walk->reading.txn, kr_place_str(&place), &value, NULL) == KR_NOT_FOUND)
      kr_vault_walk_tell(walk, missing->of, &name, "a version of a secret is gone");
  }
  return KR_OK;
}

static bool kr_survey_org_is_whole(const kr_survey_org *of) {
  const kr_manifest *manifest = &of->manifest;
  return of->n_records == manifest->n_records && of->n_secrets == manifest->n_secrets &&
         kr_crypto_equal(of->sum.bytes, manifest->sum.bytes, sizeof of->sum.bytes);
}

static kr_status kr_vault_walk_compare(kr_vault_walk *walk, const kr_survey_org *of,
                                       kr_error *reterr) {
  kr_vault_place place = kr_place_manifest(of->org.id);
  kr_str record = {0};
  bool is_whole = true;
  if (!of->has_manifest) {
    if (kr_store_get_readable(&walk->reading, kr_place_str(&place), &record, NULL) == KR_NOT_FOUND)
      kr_vault_walk_tell(walk, of, NULL, "the manifest of the organization is gone");
    return KR_OK;
  }
  if (kr_survey_org_is_whole(of))
    return KR_OK;
  kr_survey_missing missing = {.walk = walk, .of = of};
  place = kr_place_metas(of->org.id);
  KR_TRY(kr_store_each_readable(&walk->reading, kr_place_str(&place), kr_vault_step_missing,
                                &missing, &is_whole, reterr));
  kr_vault_walk_tell(walk, of, NULL,
                     "the records of the organization do not match its manifest: some were "
                     "altered, removed, added or put back to an older state");
  return KR_OK;
}

/* ---- the whole ---- */

static kr_status kr_vault_walk_pass(kr_vault_walk *walk, const char *prefix, const char *what,
                                    kr_store_visit step, kr_error *reterr) {
  char text[KR_ERROR_MESSAGE_BYTES];
  bool is_whole = true;
  KR_TRY(
      kr_store_each_readable(&walk->reading, kr_str_cstr(prefix), step, walk, &is_whole, reterr));
  if (is_whole)
    return KR_OK;
  (void)snprintf(text, sizeof text, "a page of the store is damaged: some %s cannot be read", what);
  kr_vault_walk_tell(walk, NULL, NULL, text);
  return KR_OK;
}

static kr_status kr_vault_walk_head(kr_vault_walk *walk, kr_error *reterr) {
  kr_vault_head head;
  kr_error error = {0};
  kr_status status = kr_head_read(walk->vault, walk->reading.txn, &head, &error);
  if (status == KR_OK) {
    bool is_same = head.n_orgs == walk->n_orgs &&
                   kr_crypto_equal(head.sum.bytes, walk->head_sum.bytes, sizeof head.sum.bytes);
    if (!is_same)
      kr_vault_walk_tell(walk, NULL, NULL,
                         "the organizations do not match the vault's head: one was altered, "
                         "removed, added or put back to an older state");
    return KR_OK;
  }
  return kr_vault_walk_note(walk, NULL, NULL, status, &error, reterr);
}

static kr_status kr_vault_step_root(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_vault_walk *walk = ctx;
  static const char *const known[] = {"v0", "vh", "vk", "vm", "vo", "vs", "vv"};
  kr_str letters = kr_str_slice(at, 0, 2);
  bool is_known = at.ptr[0] == 'r'; /* of the registry, which looks after its own */
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    is_known = is_known || kr_str_equal(letters, kr_str_cstr(known[i]));
  if (!is_known) {
    walk->counts.records++;
    kr_vault_walk_tell(walk, NULL, NULL, "a record in no known place");
  }
  kr_vault_place root = kr_place_root();
  if (kr_str_equal(at, kr_place_str(&root))) {
    walk->counts.records++;
    return kr_vault_walk_good(walk, at, record, reterr); /* opening the vault has checked it */
  }
  walk->counts.records += kr_str_equal(letters, KR_STR("vh"));
  return KR_OK;
}

kr_status kr_vault_survey(kr_vault *vault, const kr_survey *survey, kr_vault_counts *ret_counts,
                          kr_error *reterr) {
  KR_TRY(kr_vault_need_key(vault, reterr));
  KR_CLEANUP(kr_vault_walk_done) kr_vault_walk walk = {.vault = vault, .survey = survey};
  KR_TRY(kr_store_reading_begin(vault->store, &walk.reading, reterr));
  kr_vault_head head;
  if (kr_head_read(vault, walk.reading.txn, &head, NULL) == KR_OK)
    walk.next_org_id = head.next_org_id;
  KR_TRY(kr_vault_walk_pass(&walk, "", "records", kr_vault_step_root, reterr));
  KR_TRY(kr_vault_walk_pass(&walk, "vo", "organizations", kr_vault_step_org, reterr));
  kr_vault_walk_sort_orgs(&walk);
  KR_TRY(kr_vault_walk_pass(&walk, "vm", "manifests", kr_vault_step_manifest, reterr));
  KR_TRY(kr_vault_walk_pass(&walk, "vk", "data keys", kr_vault_step_key, reterr));
  KR_TRY(kr_vault_walk_pass(&walk, "vv", "values", kr_vault_step_value, reterr));
  KR_TRY(kr_vault_walk_pass(&walk, "vs", "metadata", kr_vault_step_meta, reterr));
  KR_TRY(kr_vault_walk_head(&walk, reterr));
  for (size_t i = 0; i < walk.n_orgs; i++)
    KR_TRY(kr_vault_walk_compare(&walk, &walk.orgs[i], reterr));
  *ret_counts = walk.counts;
  return KR_OK;
}
