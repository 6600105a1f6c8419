/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redactor.c - the values of now. Sets are immutable: a change makes a new one
 * and puts it in the place of the old, which lives on with those who hold it.
 *
 *   stored (the organization's, by generation) + added  -->  current, serial
 *
 * The serial grows with each change of current, so that who holds a set sees
 * with one load that it is still the one. Building happens outside of the mutex
 * that readers take; builders wait for each other.
 */
#include "engine/redactor.h"

#include <stdlib.h>

struct kr_redactor {
  atomic_uint references;
  kr_engine *engine; /* NULL: added values only */
  kr_org org;
  pthread_mutex_t building; /* held while a set is made; before mutex */
  pthread_mutex_t mutex;    /* to read the following; to write them both */
  kr_redact_set *stored;    /* NULL without engine */
  uint64_t generation;      /* of stored */
  kr_redact_set *added;
  uint32_t forms; /* of current: those of its sets that are in here; grows less, under building */
  kr_redact_set *current;
  atomic_uint_fast64_t serial; /* written under mutex */
};

kr_redactor *kr_redactor_ref(kr_redactor *redactor) {
  atomic_fetch_add_explicit(&redactor->references, 1, memory_order_relaxed);
  return redactor;
}

void kr_redactor_free(kr_redactor *redactor) {
  if (redactor == NULL)
    return;
  if (atomic_fetch_sub_explicit(&redactor->references, 1, memory_order_acq_rel) != 1)
    return;
  kr_redact_set_free(redactor->stored);
  kr_redact_set_free(redactor->added);
  kr_redact_set_free(redactor->current);
  (void)pthread_mutex_destroy(&redactor->mutex);
  (void)pthread_mutex_destroy(&redactor->building);
  free(redactor);
}

static kr_status kr_redactor_empty_set(kr_redact_set **ret_set, kr_error *reterr) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_TRY(kr_redact_builder_new(&builder, reterr));
  return kr_redact_builder_build(builder, ret_set, reterr);
}

/* Takes over the set. */
static kr_status kr_redactor_make(kr_redact_set *set, kr_redactor **ret_redactor,
                                  kr_error *reterr) {
  kr_redactor *redactor = calloc(1, sizeof *redactor);
  if (redactor == NULL || pthread_mutex_init(&redactor->mutex, NULL) != 0) {
    kr_redact_set_free(set);
    free(redactor);
    return kr_fail_nomem(reterr);
  }
  if (pthread_mutex_init(&redactor->building, NULL) != 0) {
    (void)pthread_mutex_destroy(&redactor->mutex);
    kr_redact_set_free(set);
    free(redactor);
    return kr_fail_nomem(reterr);
  }
  atomic_init(&redactor->references, 1);
  atomic_init(&redactor->serial, 1);
  redactor->forms = KR_REDACT_ALL_FORMS;
  redactor->added = set;
  redactor->current = kr_redact_set_ref(set);
  *ret_redactor = redactor;
  return KR_OK;
}

kr_status kr_redactor_new(kr_redactor_set *set, kr_redactor **ret_redactor, kr_error *reterr) {
  kr_redact_set *first = NULL;
  if (set == NULL)
    KR_TRY(kr_redactor_empty_set(&first, reterr));
  else
    first = kr_redact_set_ref(set);
  return kr_redactor_make(first, ret_redactor, reterr);
}

kr_status kr_redactor_new_from_org(kr_engine *engine, kr_str org_name, kr_redactor **ret_redactor,
                                   kr_error *reterr) {
  KR_CLEANUP(kr_redactor_freep) kr_redactor *redactor = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *first = NULL;
  KR_TRY(kr_redactor_new(NULL, &redactor, reterr));
  KR_TRY(kr_engine_org(engine, org_name, &redactor->org, reterr));
  redactor->engine = engine;
  KR_TRY(kr_redactor_now(redactor, &first, reterr));
  *ret_redactor = KR_TAKE(redactor);
  return KR_OK;
}

/* With building held. Takes over the sets; those there before go. */
static void kr_redactor_put(kr_redactor *redactor, kr_redact_set *stored, uint64_t generation,
                            kr_redact_set *added, kr_redact_set *current) {
  (void)pthread_mutex_lock(&redactor->mutex);
  kr_redact_set *old[] = {redactor->stored, redactor->added, redactor->current};
  redactor->stored = stored;
  redactor->generation = generation;
  redactor->added = added;
  redactor->current = current;
  (void)atomic_fetch_add_explicit(&redactor->serial, 1, memory_order_release);
  (void)pthread_mutex_unlock(&redactor->mutex);
  for (size_t i = 0; i < sizeof old / sizeof old[0]; i++)
    kr_redact_set_free(old[i]);
}

static kr_status kr_redactor_join(kr_redact_set *older, kr_redact_set *newer,
                                  kr_redact_set **ret_set, kr_error *reterr) {
  bool is_one = kr_redact_set_n_values(older) == 0 || kr_redact_set_n_values(newer) == 0;
  if (!is_one) {
    kr_status status = kr_values_join(older, newer, ret_set, reterr);
    return status == KR_LIMIT ? kr_fail(reterr, KR_LIMIT,
                                        "all values of the redactor together are "
                                        "over what one set may hold")
                              : status;
  }
  *ret_set = kr_redact_set_ref(kr_redact_set_n_values(older) == 0 ? newer : older);
  return KR_OK;
}

static kr_status kr_redactor_limit_forms(kr_redact_set *set, uint32_t forms,
                                         kr_redact_set **ret_set, kr_error *reterr) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_TRY(kr_redact_builder_new(&builder, reterr));
  if (kr_redact_builder_add_set(builder, set) != KR_OK)
    return kr_fail_nomem(reterr); /* its values fit into a set before */
  kr_redact_builder_set_forms(builder, kr_redact_set_forms(set) & forms);
  return kr_redact_builder_build(builder, ret_set, reterr);
}

/* With building held: the set of both in the forms of this redactor. stored may be NULL. */
static kr_status kr_redactor_combine(const kr_redactor *redactor, kr_redact_set *stored,
                                     kr_redact_set *added, kr_redact_set **ret_set,
                                     kr_error *reterr) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *all = NULL;
  if (stored == NULL)
    all = kr_redact_set_ref(added);
  else
    KR_TRY(kr_redactor_join(stored, added, &all, reterr));
  if ((kr_redact_set_forms(all) & ~redactor->forms) != 0)
    return kr_redactor_limit_forms(all, redactor->forms, ret_set, reterr);
  *ret_set = KR_TAKE(all);
  return KR_OK;
}

/* With building held: the organization's set is a newer one. A slower thread may come with an
 * older. */
static kr_status kr_redactor_store(kr_redactor *redactor, kr_redact_set *stored,
                                   uint64_t generation, kr_error *reterr) {
  if (redactor->stored != NULL && generation <= redactor->generation)
    return KR_OK;
  kr_redact_set *current = NULL;
  KR_TRY(kr_redactor_combine(redactor, stored, redactor->added, &current, reterr));
  kr_redactor_put(redactor, kr_redact_set_ref(stored), generation,
                  kr_redact_set_ref(redactor->added), current);
  return KR_OK;
}

static kr_status kr_redactor_refresh(kr_redactor *redactor, kr_error *reterr) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *stored = NULL;
  uint64_t generation = 0;
  KR_TRY(kr_values_set(redactor->engine, &redactor->org, &stored, &generation, reterr));
  (void)pthread_mutex_lock(&redactor->mutex);
  bool is_new = redactor->stored == NULL || generation > redactor->generation;
  (void)pthread_mutex_unlock(&redactor->mutex);
  if (!is_new)
    return KR_OK;
  (void)pthread_mutex_lock(&redactor->building);
  kr_status status = kr_redactor_store(redactor, stored, generation, reterr);
  (void)pthread_mutex_unlock(&redactor->building);
  return status;
}

kr_status kr_redactor_take(kr_redactor *redactor, kr_redactor_held *held, kr_error *reterr) {
  if (redactor->engine != NULL)
    KR_TRY(kr_redactor_refresh(redactor, reterr));
  if (atomic_load_explicit(&redactor->serial, memory_order_acquire) == held->serial)
    return KR_OK;
  (void)pthread_mutex_lock(&redactor->mutex);
  kr_redact_set *set = kr_redact_set_ref(redactor->current);
  held->serial = atomic_load_explicit(&redactor->serial, memory_order_relaxed);
  (void)pthread_mutex_unlock(&redactor->mutex);
  kr_redact_set_free(held->set);
  held->set = set;
  return KR_OK;
}

void kr_redactor_held_done(kr_redactor_held *held) {
  kr_redact_set_free(held->set);
  *held = (kr_redactor_held){0};
}

kr_status kr_redactor_now(kr_redactor *redactor, kr_redactor_set **ret_set, kr_error *reterr) {
  kr_redactor_held held = {0};
  KR_TRY(kr_redactor_take(redactor, &held, reterr));
  *ret_set = held.set;
  return KR_OK;
}

/* With building held. */
static kr_status kr_redactor_append(kr_redactor *redactor, kr_redact_set *set, kr_error *reterr) {
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *added = NULL;
  kr_redact_set *current = NULL;
  KR_TRY(kr_redactor_join(redactor->added, set, &added, reterr));
  KR_TRY(kr_redactor_combine(redactor, redactor->stored, added, &current, reterr));
  kr_redact_set *stored = redactor->stored == NULL ? NULL : kr_redact_set_ref(redactor->stored);
  kr_redactor_put(redactor, stored, redactor->generation, KR_TAKE(added), current);
  return KR_OK;
}

kr_status kr_redactor_add(kr_redactor *redactor, kr_redactor_set *set, kr_error *reterr) {
  (void)pthread_mutex_lock(&redactor->building);
  kr_status status = kr_redactor_append(redactor, set, reterr);
  (void)pthread_mutex_unlock(&redactor->building);
  return status;
}

kr_status kr_redactor_add_value(kr_redactor *redactor, const kr_redactor_value *value,
                                kr_error *reterr) {
  KR_CLEANUP(kr_redact_builder_freep) kr_redact_builder *builder = NULL;
  KR_CLEANUP(kr_redact_set_freep) kr_redact_set *set = NULL;
  KR_TRY(kr_redactor_builder_new(&builder, reterr));
  KR_TRY(kr_redactor_builder_add(builder, value, reterr));
  KR_TRY(kr_redactor_builder_build(builder, &set, reterr));
  return kr_redactor_add(redactor, set, reterr);
}

/* With building held. */
static kr_status kr_redactor_narrow(kr_redactor *redactor, uint32_t forms, kr_error *reterr) {
  kr_redact_set *current = NULL;
  uint32_t before = redactor->forms;
  redactor->forms = forms;
  kr_status status =
      kr_redactor_combine(redactor, redactor->stored, redactor->added, &current, reterr);
  if (status != KR_OK) {
    redactor->forms = before;
    return status;
  }
  kr_redact_set *stored = redactor->stored == NULL ? NULL : kr_redact_set_ref(redactor->stored);
  kr_redactor_put(redactor, stored, redactor->generation, kr_redact_set_ref(redactor->added),
                  current);
  return KR_OK;
}

kr_status kr_redactor_leave_out(kr_redactor *redactor, kr_str form, kr_error *reterr) {
  kr_redact_form left_out = kr_redact_form_named(form);
  if (left_out <= KR_FORM_RAW || left_out >= KR_FORM_COUNT)
    return kr_fail_hint(reterr, KR_INVALID, "there is no such form to leave out",
                        "forms: percent, json, json-twice, html, base64, hex, line, leaf");
  (void)pthread_mutex_lock(&redactor->building);
  kr_status status =
      kr_redactor_narrow(redactor, redactor->forms & ~KR_REDACT_FORM_BIT(left_out), reterr);
  (void)pthread_mutex_unlock(&redactor->building);
  return status;
}
