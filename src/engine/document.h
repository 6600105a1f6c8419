/* SPDX-License-Identifier: Apache-2.0 */
/* document.h - JSON that a caller hands in as text: payloads, lookup answers for previews. */
#ifndef KR_ENGINE_DOCUMENT_H
#define KR_ENGINE_DOCUMENT_H

#include "json/json.h"

/**
 * Parse text, which must outlive the tree. reterr says which document ("payload")
 * is wrong at which byte, and quotes none of it.
 */
kr_status kr_document_parse(const char *what, kr_str text, kr_arena *arena,
                            const kr_json **ret_json, kr_error *reterr) KR_MUST_USE;

#endif
