/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uses.c - see uses.h. First a reading transaction says what is due; most runs
 * end there, so that a busy connector does not make every run wait for the
 * vault's writer.
 */
#include "engine/uses.h"

#include "registry/uses.h"

typedef struct kr_uses_noting {
  const kr_run *run;
  kr_str connector; /* its name, redacted as in the intent */
  bool is_due[KR_SECRETS_MAX];
} kr_uses_noting;

static kr_secret_use kr_uses_of(const kr_uses_noting *noting, uint32_t i) {
  return (kr_secret_use){.connector = noting->connector,
                         .time_ms = noting->run->started_ms,
                         .version = noting->run->pinned.versions[i]};
}

static kr_status kr_uses_find_due(kr_uses_noting *noting, bool *ret_any, kr_error *reterr) {
  const kr_run *run = noting->run;
  KR_CLEANUP(kr_store_abortp) kr_store_txn *txn = NULL;
  KR_TRY(kr_store_begin(run->engine->vault_store, KR_STORE_READ, &txn, reterr));
  for (uint32_t i = 0; i < run->pinned.count; i++) {
    const kr_secret_use use = kr_uses_of(noting, i);
    KR_TRY(kr_registry_use_is_due(&run->engine->registry, txn, run->org.id,
                                  kr_str_cstr(run->pinned.labels[i].text), &use, &noting->is_due[i],
                                  reterr));
    *ret_any = *ret_any || noting->is_due[i];
  }
  return KR_OK;
}

static kr_status kr_uses_write(kr_store_txn *txn, void *ctx, kr_error *reterr) {
  const kr_uses_noting *noting = ctx;
  const kr_run *run = noting->run;
  for (uint32_t i = 0; i < run->pinned.count; i++) {
    const kr_secret_use use = kr_uses_of(noting, i);
    if (noting->is_due[i])
      KR_TRY(kr_registry_use_note(&run->engine->registry, txn, run->org.id,
                                  kr_str_cstr(run->pinned.labels[i].text), &use, reterr));
  }
  return KR_OK;
}

kr_status kr_uses_note(const kr_run *run, kr_error *reterr) {
  KR_CLEANUP(kr_buf_done)
  kr_buf connector = KR_BUF_INIT(KR_CONNECTOR_NAME_BYTES * 16u, kr_sensitive_memory());
  kr_status status = kr_redact_bytes(run->set, run->connector->name, NULL, &connector, NULL);
  if (status != KR_OK)
    return kr_buf_explain(&connector, status, "the redacted name of the connector", reterr);
  kr_uses_noting noting = {.run = run, .connector = kr_buf_str(&connector)};
  bool any = false;
  KR_TRY(kr_uses_find_due(&noting, &any, reterr));
  if (!any)
    return KR_OK;
  kr_error cause = {0};
  status = kr_store_write(run->engine->vault_store, kr_uses_write, &noting, &cause);
  if (status == KR_OK || status == KR_IO || status == KR_LIMIT)
    return KR_OK;
  if (reterr != NULL)
    *reterr = cause;
  return status;
}
