/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h (internal) - the wiring: one opened home and what hangs on it.
 *
 *   kr_engine -> keyring, pool       keys in locked memory
 *             -> vault_store, vault  organizations, secrets (one LMDB environment)
 *             -> events_store, events the event log (another)
 *             -> sets[]              redaction sets by organization and generation
 *             -> http                one curl multi handle, made when first needed
 */
#ifndef KR_ENGINE_ENGINE_H
#define KR_ENGINE_ENGINE_H

#include "base/clock.h"
#include "engine/files.h"
#include "events/events.h"
#include "registry/registry.h"
#include "vault/vault.h"

#include <krosyn/krosyn.h>
#include <pthread.h>
#include <stdatomic.h>

#ifdef KR_HAS_CONNECTOR
#include "connector/http.h"
#endif

#define KR_ENGINE_ACTOR_BYTES 128u
#define KR_ENGINE_PATH_BYTES 4096u
#define KR_ENGINE_SET_IDLE_US UINT64_C(60000000) /* a set unused for so long is dropped */
#define KR_ENGINE_SETS_MAX 8u                    /* organizations whose redaction set is kept */

/** A redaction set of one organization at one generation. */
typedef struct kr_engine_set {
  uint32_t org_id; /* 0: free */
  uint64_t generation;
  uint64_t last_used_us;
  kr_redact_set *set;
} kr_engine_set;

struct kr_engine {
  kr_secure *pool;
  const kr_keyring *keyring; /* NULL: keyless */
  kr_keyring *own_keyring;   /* the same, unless it is another engine's */
  kr_store *vault_store;
  kr_store *events_store;
  kr_vault *vault;
  kr_events *events;
  uint8_t uuid[KR_VAULT_UUID_BYTES];
  kr_registry registry;
  const kr_clock *clock;
  char actor[KR_ENGINE_ACTOR_BYTES];
  kr_path home_path;     /* canonical */
  kr_path key_path;      /* the key file, "" when the key is not from one */
  pthread_mutex_t mutex; /* guards sets and http */
  bool has_mutex;
  kr_engine_set sets[KR_ENGINE_SETS_MAX];
  atomic_size_t n_runs; /* not freed yet; they hold values in pool */
#ifdef KR_HAS_CONNECTOR
  kr_http *http;
#endif
};

/* kr_engine is freed through kr_engine_close. */
KR_DEFINE_FREEP(kr_engine_closep, kr_engine, kr_engine_close)

/** How a home is opened for what is not everyday work; all false: as kr_engine_open does. */
typedef struct kr_engine_mode {
  bool is_read_only;         /* also: interrupted runs get no events */
  bool is_unshared;          /* with is_read_only: a backup, in which nothing may be left */
  bool is_damaged;           /* with is_read_only: only what must be there is looked at */
  const kr_keyring *keyring; /* NULL: from options; else this one, which outlives the engine */
  kr_error *reterr_events;   /* with is_damaged: why the log, and it alone, could not be opened */
  const char *copied_from;   /* whose copy the home is; NULL: its own. Who can write there has
                                written the command that the settings record */
} kr_engine_mode;

/** Errors as kr_engine_open; events may be NULL where is_damaged. */
kr_status kr_engine_open_as(const kr_home_options *options, const kr_engine_mode *mode,
                            kr_engine **ret_engine, kr_error *reterr) KR_MUST_USE;

/** KR_UNTRUSTED with a hint unless the engine was opened with its key. */
kr_status kr_engine_need_key(const kr_engine *engine, kr_error *reterr) KR_MUST_USE;

/** One entry of the audit, in the transaction of the change it tells of. */
kr_status kr_engine_audit(kr_engine *engine, kr_store_txn *txn, uint32_t org_id, int64_t now_ms,
                          const char *action, kr_str subject, const kr_audit_change *changes,
                          size_t n_changes, kr_error *reterr) KR_MUST_USE;

/** The entry of a saved secret; old NULL: it is new. Of a kr_secret_meta it reads what it names. */
kr_status kr_engine_secret_audit(kr_engine *engine, kr_store_txn *txn, const kr_org *org,
                                 const kr_secret_meta *old, const kr_secret_meta *new_meta,
                                 int64_t now_ms, kr_error *reterr) KR_MUST_USE;

/** The entry that n_opened saved values were opened to compare with new ones; none for 0. */
kr_status kr_engine_compare_audit(kr_engine *engine, kr_store_txn *txn, const kr_org *org,
                                  size_t n_opened, int64_t now_ms, kr_error *reterr) KR_MUST_USE;

/** Remove what deletions of organizations that were interrupted have left. */
kr_status kr_engine_sweep(kr_engine *engine, kr_error *reterr) KR_MUST_USE;

/** Find an organization in a short transaction of its own. */
kr_status kr_engine_org(kr_engine *engine, kr_str name, kr_org *ret_org,
                        kr_error *reterr) KR_MUST_USE;

#endif
