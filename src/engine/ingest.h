/* SPDX-License-Identifier: Apache-2.0 */
/* ingest.h - records that are not made by a run that still exists. */
#ifndef KR_ENGINE_INGEST_H
#define KR_ENGINE_INGEST_H

#include "events/events.h"

/** kr_intent_settle: the "interrupted" event of a run that died; ctx is a kr_engine. */
kr_status kr_ingest_interrupted(void *ctx, const kr_intent *intent, kr_redacted **ret_record);

#endif
