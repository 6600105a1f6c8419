/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - what the state machines of the sinks share. */
#ifndef KR_LANG_PLACE_H
#define KR_LANG_PLACE_H

#include "lang/compiler.h"

/** If the node is a call of an escaper, put its operand in its place; KR_FUNCTION_COUNT if not. */
unsigned kr_place_escaper(kr_node *node);

/** May raw() stand in this connector? Reports. */
bool kr_place_may_raw(kr_compiler *compiler, const kr_node *node);

/** Report an escaper (KR_FUNCTION_COUNT: none) that has no meaning in its place. */
void kr_place_refuse_escaper(kr_compiler *compiler, const kr_node *node, unsigned escaper);

/** The byte, or its percent form unless unreserved; returns 1 or 3. */
size_t kr_place_percent(uint8_t byte, uint8_t *out);

/** queryString(...) where pairs may stand: it has encoded them already. */
bool kr_place_is_pairs(const kr_node *node);

#endif
