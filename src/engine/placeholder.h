/* SPDX-License-Identifier: Apache-2.0 */
/* placeholder.h - values that were meant to be replaced before they were saved. */
#ifndef KR_ENGINE_PLACEHOLDER_H
#define KR_ENGINE_PLACEHOLDER_H

#include "base/str.h"

/**
 * True for what examples and templates hold instead of a secret, with blanks
 * around it or not, in any case: words such as `changeme` and `null`,
 * `your-api-key`, `<token>`, `${TOKEN}`, `{{token}}`, and runs of `x`, `.`, `-`
 * or `?`. A guess: for a warning, never a reason to refuse. Keeps nothing of the
 * value. Threads: any.
 */
bool kr_placeholder_is(kr_str value) KR_MUST_USE;

#endif
