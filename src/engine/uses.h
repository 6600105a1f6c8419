/* SPDX-License-Identifier: Apache-2.0 */
/* uses.h - noting in the registry which secrets a run has opened. */
#ifndef KR_ENGINE_USES_H
#define KR_ENGINE_USES_H

#include "engine/run.h"

/**
 * After the run's intent: at most one write a minute for each secret and
 * connector. A store that takes no more (KR_IO, KR_LIMIT) does not end the
 * run: the intent is the audit, this is derived from it.
 */
kr_status kr_uses_note(const kr_run *run, kr_error *reterr) KR_MUST_USE;

#endif
