/* SPDX-License-Identifier: Apache-2.0 */
/* landing.h - telling where secrets land: spans of a rendered text as kr_landing. */
#ifndef KR_ENGINE_LANDING_H
#define KR_ENGINE_LANDING_H

#include "lang/compile.h"
#include "vm/render.h"

#include <krosyn/run.h>

/**
 * Call visit for each span. Offsets are those of the markers in the redacted
 * text (spans that touch share one marker).
 */
kr_status kr_landing_each(const kr_rendered *rendered, const kr_secret_names *names,
                          const char *field, kr_landing_visit visit, void *ctx) KR_MUST_USE;

#endif
