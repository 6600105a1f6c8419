/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare.h - one document through krosyn and through jansson: both must agree
 * on whether it is JSON, and on every value in it. For the differential test
 * and the fuzz target.
 *
 * Known differences, which are not reported: jansson refuses numbers beyond its
 * C types and NUL in keys, which JSON allows; it takes a NUL byte behind the
 * document for its end; krosyn has limits (KR_LIMIT), jansson others.
 */
#ifndef KR_TEST_JSON_COMPARE_H
#define KR_TEST_JSON_COMPARE_H

#include "json/json.h"

#include <jansson.h>

/** As krosyn reads: duplicate keys are errors (docs/decisions/0002), a lone scalar is a document.
 */
#define COMPARE_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

/** The same type, value, items in order, and members by key? */
bool compare_is_same(const kr_json *ours, const json_t *theirs);

/**
 * NULL when both agree, else what they do not agree on (static text).
 * @ret_is_json  whether krosyn accepts the document.
 */
const char *compare_document(kr_str text, bool *ret_is_json);

#endif
