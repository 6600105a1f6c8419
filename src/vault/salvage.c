/* SPDX-License-Identifier: Apache-2.0 */
/*
 * salvage.c - what is good of a damaged vault, in a new store: records as they
 * are (envelopes and MACs are bound to the store's UUID, which stays), but with
 * manifests and a head made anew. Three passes:
 *
 *   1. the walk of survey.c: root, organizations, data keys, values, metadata.
 *      Metadata that names a version whose value was lost is written without it.
 *   2. values without metadata are left behind and named: what a secret may be
 *      used for stands in its metadata, and without it nothing would restrict it
 *   3. a manifest for each organization, from what is there now; then the head
 *
 * Generations go on above those of the damaged vault, so that nobody takes the
 * new one for an older state.
 */
#include "store/batch.h"
#include "store/readable.h"
#include "vault/meta.h"

#define KR_SALVAGE_ORPHANS 64u /* taken out in one transaction */

typedef struct kr_salvage_org {
  uint32_t id;
  kr_manifest manifest; /* of what is in the new store so far */
  uint32_t last_key_id; /* the highest data key that is good */
} kr_salvage_org;

typedef struct kr_salvage {
  kr_vault *vault; /* the damaged one; its keys are those of the new one */
  const kr_survey *survey;
  kr_store_batch batch;
  kr_vault_head head; /* of the new store */
  bool has_head;      /* the damaged vault's could be read */
  kr_salvage_org *orgs;
  size_t n_orgs;
  size_t cap_orgs;
  size_t last_org;     /* index of the one found last */
  uint64_t generation; /* the highest known of the damaged vault */
} kr_salvage;

static void kr_salvage_done(kr_salvage *salvage) {
  kr_store_batch_done(&salvage->batch);
  if (salvage->orgs != NULL)
    kr_heap_memory()->release(salvage->orgs, salvage->cap_orgs * sizeof *salvage->orgs);
}

static void kr_salvage_tell(const kr_salvage *salvage, uint32_t org_id, kr_str name,
                            kr_str environment, uint32_t version, const char *what) {
  char name_text[KR_VAULT_NAME_BYTES + 1] = "";
  char environment_text[KR_ENVIRONMENT_BYTES + 1] = "";
  if (name.len > 0 && name.len < sizeof name_text)
    memcpy(name_text, name.ptr, name.len);
  if (environment.len > 0 && environment.len < sizeof environment_text)
    memcpy(environment_text, environment.ptr, environment.len);
  const kr_damage damage = {.what = what,
                            .organization = "",
                            .org_id = org_id,
                            .environment = environment_text,
                            .secret = name_text,
                            .version = version};
  salvage->survey->damaged(salvage->survey->ctx, &damage);
}

/* ---- organizations ---- */

static kr_salvage_org *kr_salvage_find(kr_salvage *salvage, uint32_t org_id) {
  /* Records come in the order of organizations: it is nearly always the one before. */
  if (salvage->last_org < salvage->n_orgs && salvage->orgs[salvage->last_org].id == org_id)
    return &salvage->orgs[salvage->last_org];
  for (size_t i = 0; i < salvage->n_orgs; i++) {
    if (salvage->orgs[i].id != org_id)
      continue;
    salvage->last_org = i;
    return &salvage->orgs[i];
  }
  return NULL;
}

static kr_status kr_salvage_add_org(kr_salvage *salvage, uint32_t org_id, kr_error *reterr) {
  const kr_allocator *heap = kr_heap_memory();
  if (salvage->n_orgs == salvage->cap_orgs) {
    size_t cap = salvage->cap_orgs == 0 ? 16 : salvage->cap_orgs * 2;
    size_t size = 0;
    kr_salvage_org *orgs =
        kr_size_mul(cap, sizeof *salvage->orgs, &size) ? heap->alloc(size) : NULL;
    if (orgs == NULL)
      return kr_fail_nomem(reterr);
    if (salvage->n_orgs > 0)
      memcpy(orgs, salvage->orgs, salvage->n_orgs * sizeof *orgs);
    if (salvage->orgs != NULL)
      heap->release(salvage->orgs, salvage->cap_orgs * sizeof *orgs);
    salvage->orgs = orgs;
    salvage->cap_orgs = cap;
  }
  salvage->orgs[salvage->n_orgs++] = (kr_salvage_org){.id = org_id};
  return KR_OK;
}

static kr_status kr_salvage_put_org(kr_salvage *salvage, kr_str at, kr_str record,
                                    kr_error *reterr) {
  kr_org org;
  kr_sum element;
  kr_store_txn *txn = NULL;
  KR_TRY(kr_org_parse(salvage->vault, at, record, &org, reterr));
  KR_TRY(kr_salvage_add_org(salvage, org.id, reterr));
  KR_TRY(kr_sum_element(salvage->vault, at, record, &element, reterr));
  kr_sum_add(&salvage->head.sum, &element);
  salvage->head.n_orgs++;
  if (org.id >= salvage->head.next_org_id)
    salvage->head.next_org_id = org.id + 1;
  KR_TRY(kr_store_batch_next(&salvage->batch, &txn, reterr));
  return kr_store_put(txn, at, record, reterr);
}

/* ---- records of organizations ---- */

/* A change of an organization of the new store; its manifest is kept here, not in the store. */
static kr_status kr_salvage_change(kr_salvage *salvage, const kr_salvage_org *of, kr_change *change,
                                   kr_error *reterr) {
  *change = (kr_change){.vault = salvage->vault, .org_id = of->id, .manifest = of->manifest};
  return kr_store_batch_next(&salvage->batch, &change->txn, reterr);
}

/* Metadata with those of its versions that are there. */
static kr_status kr_salvage_put_meta(kr_salvage *salvage, kr_salvage_org *of, kr_change *change,
                                     kr_str at, kr_str record, kr_error *reterr) {
  kr_meta_record meta;
  KR_TRY(kr_meta_parse(salvage->vault, of->id, at, record, &meta, reterr));
  kr_str name = kr_str_cstr(meta.meta.name);
  kr_str environment = kr_str_cstr(meta.meta.environment);
  uint32_t n = 0;
  for (uint32_t i = 0; i < meta.n_versions; i++) {
    kr_vault_place place = kr_place_value(of->id, name, environment, meta.versions[i].version);
    kr_str value = {0};
    kr_status status = kr_store_get(change->txn, kr_place_str(&place), &value, reterr);
    if (status != KR_OK && status != KR_NOT_FOUND)
      return status;
    if (status == KR_OK)
      meta.versions[n++] = meta.versions[i];
  }
  bool is_whole = n == meta.n_versions;
  if (n == 0) {
    kr_salvage_tell(salvage, of->id, name, environment, 0,
                    "left behind: no version of the secret could be saved");
    return KR_OK;
  }
  meta.n_versions = n;
  change->manifest.n_secrets++;
  return is_whole ? kr_change_put(change, at, record, reterr) : kr_meta_put(change, &meta, reterr);
}

static kr_status kr_salvage_put(kr_salvage *salvage, kr_str at, kr_str record, kr_error *reterr) {
  kr_change change;
  uint32_t org_id = 0;
  kr_str rest = {0};
  kr_salvage_org *of =
      kr_place_read_org(at, &org_id, &rest) ? kr_salvage_find(salvage, org_id) : NULL;
  if (of == NULL)
    return KR_OK; /* told by the walk: of no organization that is there */
  KR_TRY(kr_salvage_change(salvage, of, &change, reterr));
  if (at.ptr[1] == 's') {
    KR_TRY(kr_salvage_put_meta(salvage, of, &change, at, record, reterr));
  } else {
    KR_TRY(kr_change_put(&change, at, record, reterr));
  }
  of->manifest = change.manifest;
  kr_wire_reader reader = kr_wire_reader_init(rest);
  uint32_t key_id = kr_wire_get_u32(&reader);
  if (at.ptr[1] == 'k' && key_id > of->last_key_id)
    of->last_key_id = key_id;
  return KR_OK;
}

static kr_status kr_salvage_good(void *ctx, kr_str at, kr_str record, kr_error *reterr) {
  kr_salvage *salvage = ctx;
  kr_store_txn *txn = NULL;
  if (kr_str_equal(kr_str_slice(at, 0, 2), KR_STR("vo")))
    return kr_salvage_put_org(salvage, at, record, reterr);
  kr_vault_place root = kr_place_root();
  if (!kr_str_equal(at, kr_place_str(&root)))
    return kr_salvage_put(salvage, at, record, reterr);
  KR_TRY(kr_store_batch_next(&salvage->batch, &txn, reterr));
  return kr_store_put(txn, at, record, reterr);
}

/* ---- values without metadata ---- */

typedef struct kr_salvage_orphans {
  kr_vault_place places[KR_SALVAGE_ORPHANS];
  size_t n_places;
} kr_salvage_orphans;

static kr_status kr_salvage_is_orphan(const kr_salvage *salvage, kr_store_txn *txn, uint32_t org_id,
                                      const kr_value_name *name, bool *ret_is, kr_error *reterr) {
  kr_meta_record meta;
  kr_status status =
      kr_meta_get(salvage->vault, txn, org_id, name->name, name->environment, &meta, reterr);
  *ret_is = true;
  if (status == KR_NOT_FOUND)
    return KR_OK;
  KR_TRY(status);
  for (uint32_t i = 0; i < meta.n_versions; i++)
    if (meta.versions[i].version == name->version)
      *ret_is = false;
  return KR_OK;
}

static kr_status kr_salvage_find_orphans(const kr_salvage *salvage, uint32_t org_id,
                                         kr_salvage_orphans *orphans, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(salvage->batch.store, KR_STORE_READ, &txn, reterr));
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_vault_place prefix = kr_place_values(org_id);
  kr_str at = {0};
  kr_str record = {0};
  kr_status status = KR_OK;
  orphans->n_places = 0;
  KR_TRY(kr_store_scan(txn, kr_place_str(&prefix), (kr_str){0}, false, &cursor, reterr));
  while (orphans->n_places < KR_SALVAGE_ORPHANS &&
         (status = kr_store_next(cursor, &at, &record, reterr)) == KR_OK) {
    kr_value_name name = {.org_id = org_id};
    bool is_orphan = false;
    if (!kr_place_read_value(kr_str_skip(at, prefix.len), &name.name, &name.environment,
                             &name.version))
      continue;
    KR_TRY(kr_salvage_is_orphan(salvage, txn, org_id, &name, &is_orphan, reterr));
    if (!is_orphan)
      continue;
    kr_salvage_tell(
        salvage, org_id, name.name, name.environment, name.version,
        "left behind: its metadata is lost, and with it what the secret may be used for");
    orphans->places[orphans->n_places++] =
        kr_place_value(org_id, name.name, name.environment, name.version);
  }
  return status == KR_NOT_FOUND ? KR_OK : status;
}

static kr_status kr_salvage_drop_orphans(kr_salvage *salvage, kr_salvage_org *of,
                                         kr_error *reterr) {
  kr_salvage_orphans orphans = {.n_places = KR_SALVAGE_ORPHANS};
  while (orphans.n_places == KR_SALVAGE_ORPHANS) {
    KR_TRY(kr_store_batch_commit(&salvage->batch, reterr));
    KR_TRY(kr_salvage_find_orphans(salvage, of->id, &orphans, reterr));
    for (size_t i = 0; i < orphans.n_places; i++) {
      kr_change change;
      KR_TRY(kr_salvage_change(salvage, of, &change, reterr));
      KR_TRY(kr_change_remove(&change, kr_place_str(&orphans.places[i]), reterr));
      of->manifest = change.manifest;
    }
  }
  return KR_OK;
}

/* ---- manifests and head ---- */

/* What the damaged vault says of an organization, where that is good. */
static kr_status kr_salvage_old_manifest(const kr_salvage *salvage, uint32_t org_id,
                                         kr_manifest *out, kr_error *reterr) {
  kr_store_reading reading;
  kr_vault_place place = kr_place_manifest(org_id);
  kr_str record = {0};
  *out = (kr_manifest){.generation = 0};
  KR_TRY(kr_store_reading_begin(salvage->vault->store, &reading, reterr));
  kr_status status = kr_store_get_readable(&reading, kr_place_str(&place), &record, reterr);
  if (status == KR_OK)
    status = kr_manifest_parse(salvage->vault, org_id, record, out, NULL);
  kr_store_reading_done(&reading);
  return status == KR_NOMEM ? kr_fail_nomem(reterr) : KR_OK;
}

/* The data key for new values: the one there was, if it is good, else a fresh one. */
static kr_status kr_salvage_data_key(kr_salvage *salvage, kr_salvage_org *of, uint32_t wanted_id,
                                     kr_change *change, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done) kr_buf record = KR_BUF_INIT(KR_VAULT_RECORD_BYTES, NULL);
  uint32_t id = wanted_id;
  kr_vault_place place = kr_place_data_key(of->id, id);
  kr_str found = {0};
  kr_status status =
      id == 0 ? KR_NOT_FOUND : kr_store_get(change->txn, kr_place_str(&place), &found, reterr);
  if (status == KR_NOT_FOUND) {
    id = change->manifest.next_key_id++;
    place = kr_place_data_key(of->id, id);
    KR_TRY(kr_data_key_new(salvage->vault, of->id, id, &record, reterr));
    status = kr_change_put(change, kr_place_str(&place), kr_buf_str(&record), reterr);
  }
  change->manifest.data_key_id = id;
  return status;
}

static kr_status kr_salvage_end_org(kr_salvage *salvage, kr_salvage_org *of, kr_error *reterr) {
  kr_change change;
  kr_manifest old;
  KR_TRY(kr_salvage_old_manifest(salvage, of->id, &old, reterr));
  KR_TRY(kr_salvage_drop_orphans(salvage, of, reterr));
  KR_TRY(kr_salvage_change(salvage, of, &change, reterr));
  change.head = salvage->head;
  change.manifest.generation =
      old.generation > salvage->generation ? old.generation : salvage->generation;
  uint32_t next_id = of->last_key_id + 1;
  change.manifest.next_key_id = old.next_key_id > next_id ? old.next_key_id : next_id;
  KR_TRY(kr_salvage_data_key(salvage, of, old.data_key_id, &change, reterr));
  KR_TRY(kr_change_end(&change, reterr));
  salvage->head = change.head;
  return KR_OK;
}

static kr_status kr_salvage_old_head(kr_salvage *salvage, kr_error *reterr) {
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  kr_vault_head old = {.next_org_id = 1};
  KR_TRY(kr_store_begin(salvage->vault->store, KR_STORE_READ, &txn, reterr));
  salvage->has_head = kr_head_read(salvage->vault, txn, &old, NULL) == KR_OK;
  if (salvage->has_head)
    salvage->generation = old.generation;
  salvage->head = (kr_vault_head){.generation = salvage->generation,
                                  .next_org_id = old.next_org_id == 0 ? 1 : old.next_org_id};
  return KR_OK;
}

/* The highest id in places "xy" | id | ...: in that of the last key. 0: none can be read. */
static uint32_t kr_salvage_high_id(kr_store_txn *txn, const char *letters) {
  KR_CLEANUP(kr_store_scan_endp) kr_store_cursor *cursor = NULL;
  kr_str at = {0};
  kr_str record = {0};
  kr_str rest = {0};
  uint32_t org_id = 0;
  bool is_found =
      kr_store_scan(txn, kr_str_cstr(letters), (kr_str){0}, true, &cursor, NULL) == KR_OK &&
      kr_store_next(cursor, &at, &record, NULL) == KR_OK;
  return is_found && kr_place_read_org(at, &org_id, &rest) ? org_id : 0;
}

/*
 * With the head the next id of an organization is lost. One that was deleted, or
 * whose record is damaged, may have left events, settings and values: whoever got
 * its id would find them. So the next one is above all that stand anywhere.
 */
static kr_status kr_salvage_next_org_id(kr_salvage *salvage, uint32_t high_org_id,
                                        kr_error *reterr) {
  static const char *const letters[] = {"vm", "vk", "vs", "vv", "rs", "ru"};
  uint32_t high = high_org_id;
  if (salvage->has_head)
    return KR_OK;
  for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
    KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL; /* one that read damage is spent */
    KR_TRY(kr_store_begin(salvage->vault->store, KR_STORE_READ, &txn, reterr));
    uint32_t found = kr_salvage_high_id(txn, letters[i]);
    high = found > high ? found : high;
  }
  if (high >= salvage->head.next_org_id)
    salvage->head.next_org_id = high < UINT32_MAX ? high + 1 : high;
  return KR_OK;
}

static void kr_salvage_damaged(void *ctx, const kr_damage *damage) {
  const kr_salvage *salvage = ctx;
  salvage->survey->damaged(salvage->survey->ctx, damage);
}

kr_status kr_vault_salvage(kr_vault *vault, kr_store *to, uint32_t high_org_id,
                           const kr_survey *survey, kr_vault_counts *ret_counts, kr_error *reterr) {
  KR_TRY(kr_vault_need_key(vault, reterr));
  KR_CLEANUP(kr_salvage_done)
  kr_salvage salvage = {.vault = vault, .survey = survey, .batch = {.store = to}};
  const kr_survey walk = {.damaged = kr_salvage_damaged, .good = kr_salvage_good, .ctx = &salvage};
  kr_store_txn *txn = NULL;
  KR_TRY(kr_salvage_old_head(&salvage, reterr));
  KR_TRY(kr_vault_survey(vault, &walk, ret_counts, reterr));
  KR_TRY(kr_salvage_next_org_id(&salvage, high_org_id, reterr));
  for (size_t i = 0; i < salvage.n_orgs; i++)
    KR_TRY(kr_salvage_end_org(&salvage, &salvage.orgs[i], reterr));
  KR_TRY(kr_store_batch_next(&salvage.batch, &txn, reterr));
  KR_TRY(kr_head_write(vault, txn, &salvage.head, reterr));
  return kr_store_batch_commit(&salvage.batch, reterr);
}
